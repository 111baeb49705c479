/* What the comparisons with queueing theory share: how many replications, exponential times, and
 * when a measured mean is that of a closed form. */
#pragma once

#include "base/nsec.h"
#include "base/random.h"
#include "base/stats.h"

#include <check.h>
#include <math.h>

#define SEED 1
#define N_REPLICATIONS 25
#define CONFIDENCE 0.99
#define WIDEST 0.03 /* half-width, relative to the mean */

static inline nsec_t
exponential(RandomStream *random, double mean)
{
    return (nsec_t)llround(-log(random_uniform(random)) * mean);
}

/* The sample's values are independent.  Their mean must lie within its confidence interval, and the
 * interval must be narrow. */
static inline void
assert_mean(const Sample *sample, double expected, const char *what)
{
    Interval interval;
    ck_assert(sample_mean_interval(sample, CONFIDENCE, &interval));
    ck_assert_msg(interval.low <= expected && expected <= interval.high,
                  "%s: expected %g, found %g to %g", what, expected, interval.low, interval.high);
    ck_assert_msg(interval.high - interval.low < 2 * WIDEST * expected,
                  "%s: %g to %g is too wide to say anything", what, interval.low, interval.high);
}

/* Mean wait in equilibrium at one server, first come first served, in units of the mean service:
 * M/M/1, and M/D/1 (Pollaczek and Khinchine). */
static inline double
single_server_wait(double load, bool is_deterministic)
{
    double mm1 = load / (1 - load);
    return is_deterministic ? mm1 / 2 : mm1;
}
