/* Samples of measured values, and how sure one may be of what they say.
 *
 * A Sample keeps every value, in the order of arrival; mean and variance are kept up by Welford's
 * recurrence, so that long samples of nearly equal values lose no digits.  An Interval is a
 * two-sided confidence interval: each end is beyond the true value with probability
 * (1 - confidence) / 2.
 *
 * All intervals take the values as independent: replication values are (each comes from its own
 * streams), successive values of one run are not.  "Independent replications" and the choice of
 * methods: Law, Simulation Modeling and Analysis, chapters 4 and 9. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct Interval {
    double low;  /* -INFINITY when the values cannot bound it from below */
    double high; /* INFINITY when they cannot bound it from above */
} Interval;

/* Embedded by value; all zero is an empty sample.  Read the members, write them never. */
typedef struct Sample {
    double *values; /* in the order of arrival */
    size_t n;
    size_t n_allocated;
    double *sorted; /* the first n_sorted values in ascending order, made when asked for */
    size_t n_sorted;
    double mean; /* 0 when empty */
    double m2;   /* sum of the squared distances from the mean */
    double min;  /* of an empty sample 0, as max */
    double max;
} Sample;

void sample_init(Sample *sample);
void sample_clear(Sample *sample); /* releases the values; the sample is empty again */
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Sample, sample_clear)

/* `value` is finite. */
void sample_add(Sample *sample, double value);

/* Adds the values of `other`, which stays as it is, after those of `sample`.  Mean and variance are
 * combined as Chan, Golub and LeVeque (1979) do. */
void sample_merge(Sample *sample, const Sample *other);

/* Unbiased, by n - 1; 0 with fewer than two values. */
double sample_variance(const Sample *sample);
double sample_sd(const Sample *sample);

/* The values in ascending order (n of them, borrowed until the next change). */
const double *sample_sorted(Sample *sample);

/* Linear interpolation between order statistics, definition 7 of Hyndman and Fan (1996): that of R,
 * NumPy and k6.  0 <= p <= 1; the sample is not empty. */
double sample_quantile(Sample *sample, double p);

/* Student's t interval for the mean.  False, and nothing set, with fewer than two values.
 * 0 < confidence < 1. */
bool sample_mean_interval(const Sample *sample, double confidence, Interval *interval);

/* The interval between two order statistics that holds the p-quantile whatever the distribution
 * (Conover, Practical Nonparametric Statistics, section 3.2): ranks from the binomial distribution,
 * the coverage at least `confidence`.  An end that n values cannot give is infinite.  0 < p < 1;
 * the sample is not empty. */
Interval sample_quantile_interval(Sample *sample, double p, double confidence);

/* The same for values that come in groups: independent between groups, dependent within (the
 * successive values of one replication).  `pooled` holds the values of all groups, of which there
 * are at least two with a value.  Woodruff's interval (JASA 47, 1952): the spread between groups of
 * the share of values up to the quantile, taken as no less than that of independent values, gives a
 * t interval for that share, and the pooled values at its ends bound the quantile. */
Interval sample_quantile_interval_grouped(Sample *pooled, const Sample *const *groups,
                                          size_t n_groups, double p, double confidence);

/* The least n with which both ends of sample_quantile_interval are finite. */
size_t stats_quantile_n_needed(double p, double confidence);

/* Student's t with n - 1 degrees of freedom at (1 + confidence) / 2: stats_t(10, 0.95) is 2.262.
 * n >= 2. */
double stats_t(size_t n, double confidence);

/* Wilson's score interval for a share of which `n_hits` of n were seen (JASA 22, 1927; the choice
 * for small n of Brown, Cai and DasGupta, 2001): inside [0,1] and not empty at 0 and n.  n > 0. */
Interval stats_share_interval(size_t n_hits, size_t n, double confidence);
