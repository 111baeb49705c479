/* A gRPC client connection that is down: when it is dialled next.
 *
 * Calls wait for it (WaitForReady); each refused dial is followed by a pause of 1 s * 1.6^n, at
 * most 120 s, give or take a fifth (grpc-go v1.42 backoff.go; FACTS 1.11). */
#pragma once

#include "models/machine.h"

typedef struct Channel {
    RandomStream random;
    nsec_t pause; /* after the next refusal, without jitter */
    nsec_t next;  /* not dialled before */
} Channel;

void channel_init(Channel *channel, const ProcessInfo *info);
/* The other side has answered. */
void channel_ready(Channel *channel);
/* Nobody listens; returns the pause until the next dial. */
nsec_t channel_refused(Channel *channel, nsec_t now);
/* How long a call made now waits for the next dial; 0: it may go. */
nsec_t channel_wait(const Channel *channel, nsec_t now);
