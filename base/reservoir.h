/* A bounded sample of very many values: all of them up to a limit, beyond it a uniform random
 * choice (Vitter, "Random Sampling with a Reservoir", ACM TOMS 11, 1985, algorithm R).  The mean is
 * that of all values, exactly, and the least and the greatest are always kept. */
#pragma once

#include "base/random.h"
#include "base/stats.h"

#define RESERVOIR_LIMIT 100000

/* Embedded by value; init before use. */
typedef struct Reservoir {
    double *values;
    size_t n_kept, n_allocated;
    uint64_t n; /* of all */
    double sum;
    double min, max;
    RandomStream random; /* drawn from beyond the limit only */
} Reservoir;

void reservoir_init(Reservoir *reservoir, const RandomStream *random);
void reservoir_clear(Reservoir *reservoir);

/* `value` is finite. */
void reservoir_add(Reservoir *reservoir, double value);

/* Of all values; 0 without any. */
double reservoir_mean(const Reservoir *reservoir);

/* Adds what was kept. */
void reservoir_sample(const Reservoir *reservoir, Sample *out);
