/* A token bucket as client-go's flow control uses it (golang.org/x/time/rate): `qps` tokens a
 * second up to `burst`; a caller that finds none reserves the next and waits its turn. */
#pragma once

#include "base/nsec.h"

typedef struct RateLimit {
    double qps;   /* tokens a second; 0: unlimited */
    double burst; /* capacity */
    double tokens;
    nsec_t last;
} RateLimit;

void rate_limit_init(RateLimit *limit, double qps, double burst);

/* Takes one token and returns how long its holder must wait from `now`. */
nsec_t rate_limit_reserve(RateLimit *limit, nsec_t now);
