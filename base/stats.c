/* Growable arrays of values, order statistics, and intervals by GSL's distribution functions. */
#include "base/stats.h"

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_sort_double.h>
#include <math.h>
#include <string.h>

/* Up to here gsl_cdf_binomial_P is exact (it gives NaN for some ranks at ten times as many);
 * above, the normal approximation of the ranks is off by one place at most. */
#define N_BINOMIAL_MAX 1000000

void
sample_init(Sample *sample)
{
    *sample = (Sample){0};
}

void
sample_clear(Sample *sample)
{
    g_free(sample->values);
    g_free(sample->sorted);
    sample_init(sample);
}

static void
reserve(Sample *sample, size_t n)
{
    if (n <= sample->n_allocated) {
        return;
    }
    size_t n_wanted = MAX(MAX(n, 2 * sample->n_allocated), 8);
    sample->values = g_renew(double, sample->values, n_wanted);
    sample->n_allocated = n_wanted;
}

void
sample_add(Sample *sample, double value)
{
    g_assert(isfinite(value));
    reserve(sample, sample->n + 1);
    sample->min = sample->n == 0 ? value : fmin(sample->min, value);
    sample->max = sample->n == 0 ? value : fmax(sample->max, value);
    sample->values[sample->n++] = value;
    double before = value - sample->mean;
    sample->mean += before / (double)sample->n;
    sample->m2 += before * (value - sample->mean);
}

void
sample_merge(Sample *sample, const Sample *other)
{
    if (other->n == 0) {
        return;
    }
    size_t n_others = other->n, n = sample->n + n_others;
    double distance = other->mean - sample->mean, share = (double)n_others / (double)n;
    double mean = sample->mean + distance * share;
    double m2 = sample->m2 + other->m2 + distance * distance * share * (double)sample->n;
    double min = sample->n == 0 ? other->min : fmin(sample->min, other->min);
    double max = sample->n == 0 ? other->max : fmax(sample->max, other->max);
    reserve(sample, n);
    memcpy(sample->values + sample->n, other->values, n_others * sizeof *sample->values);
    sample->n = n;
    sample->mean = mean;
    sample->m2 = m2;
    sample->min = min;
    sample->max = max;
}

double
sample_variance(const Sample *sample)
{
    return sample->n < 2 ? 0 : sample->m2 / (double)(sample->n - 1);
}

double
sample_sd(const Sample *sample)
{
    return sqrt(sample_variance(sample));
}

const double *
sample_sorted(Sample *sample)
{
    if (sample->n_sorted != sample->n) {
        sample->sorted = g_renew(double, sample->sorted, sample->n);
        memcpy(sample->sorted, sample->values, sample->n * sizeof *sample->sorted);
        gsl_sort(sample->sorted, 1, sample->n);
        sample->n_sorted = sample->n;
    }
    return sample->sorted;
}

double
sample_quantile(Sample *sample, double p)
{
    g_assert(sample->n > 0 && p >= 0 && p <= 1);
    const double *sorted = sample_sorted(sample);
    double place = p * (double)(sample->n - 1);
    size_t below = (size_t)place;
    if (below + 1 >= sample->n) {
        return sorted[sample->n - 1];
    }
    double share = place - (double)below;
    return sorted[below] + share * (sorted[below + 1] - sorted[below]);
}

double
stats_t(size_t n, double confidence)
{
    g_assert(n >= 2 && confidence > 0 && confidence < 1);
    return gsl_cdf_tdist_Pinv((1 + confidence) / 2, (double)(n - 1));
}

bool
sample_mean_interval(const Sample *sample, double confidence, Interval *interval)
{
    if (sample->n < 2) {
        return false;
    }
    double error = sqrt(sample_variance(sample) / (double)sample->n);
    double half_width = stats_t(sample->n, confidence) * error;
    *interval = (Interval){sample->mean - half_width, sample->mean + half_width};
    return true;
}

/* The least k in 0..n for which a binomial(n, p) number is at most k with probability >= share. */
static size_t
binomial_quantile(double share, double p, size_t n)
{
    if (n > N_BINOMIAL_MAX) {
        double mean = (double)n * p;
        double k = mean + gsl_cdf_ugaussian_Pinv(share) * sqrt(mean * (1 - p));
        return (size_t)CLAMP(ceil(k - 0.5), 0, (double)n);
    }
    size_t low = 0, high = n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (gsl_cdf_binomial_P((unsigned)middle, p, (unsigned)n) >= share) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

/* With X the number of values below the quantile, binomial(n, p): the r-th smallest value is above
 * the quantile when X < r. */
Interval
sample_quantile_interval(Sample *sample, double p, double confidence)
{
    g_assert(sample->n > 0 && p > 0 && p < 1 && confidence > 0 && confidence < 1);
    double alpha = 1 - confidence;
    const double *sorted = sample_sorted(sample);
    size_t low_rank = binomial_quantile(alpha / 2, p, sample->n);
    size_t high_rank = binomial_quantile(1 - alpha / 2, p, sample->n) + 1;
    return (Interval){
        .low = low_rank == 0 ? -INFINITY : sorted[low_rank - 1],
        .high = high_rank > sample->n ? INFINITY : sorted[high_rank - 1],
    };
}

static size_t
count_up_to(const Sample *sample, double bound)
{
    size_t n = 0;
    for (size_t i = 0; i < sample->n; i++) {
        n += sample->values[i] <= bound;
    }
    return n;
}

/* Standard error of the share of values up to `bound`: a ratio estimate over groups. */
static double
grouped_share_error(const Sample *const *groups, size_t n_groups, size_t n, double bound)
{
    size_t n_up_to = 0;
    for (size_t i = 0; i < n_groups; i++) {
        n_up_to += count_up_to(groups[i], bound);
    }
    double share = (double)n_up_to / (double)n, squares = 0;
    for (size_t i = 0; i < n_groups; i++) {
        double excess = (double)count_up_to(groups[i], bound) - share * (double)groups[i]->n;
        squares += excess * excess;
    }
    return sqrt((double)n_groups / (double)(n_groups - 1) * squares) / (double)n;
}

Interval
sample_quantile_interval_grouped(Sample *pooled, const Sample *const *groups, size_t n_groups,
                                 double p, double confidence)
{
    g_assert(n_groups >= 2 && pooled->n >= 2 && p > 0 && p < 1);
    double n = (double)pooled->n;
    double quantile = sample_quantile(pooled, p);
    double error =
        fmax(grouped_share_error(groups, n_groups, pooled->n, quantile), sqrt(p * (1 - p) / n));
    double half_width = stats_t(n_groups, confidence) * error;
    const double *sorted = sample_sorted(pooled);
    double low_rank = floor((p - half_width) * n), high_rank = ceil((p + half_width) * n);
    return (Interval){
        .low = low_rank < 1 ? -INFINITY : sorted[(size_t)low_rank - 1],
        .high = high_rank >= n ? INFINITY : sorted[(size_t)high_rank - 1],
    };
}

size_t
stats_quantile_n_needed(double p, double confidence)
{
    g_assert(p > 0 && p < 1 && confidence > 0 && confidence < 1);
    double rarer = fmax(p, 1 - p);
    return (size_t)ceil(log((1 - confidence) / 2) / log(rarer));
}

Interval
stats_share_interval(size_t n_hits, size_t n, double confidence)
{
    g_assert(n > 0 && n_hits <= n);
    double z = gsl_cdf_ugaussian_Pinv((1 + confidence) / 2), z2 = z * z / (double)n;
    double share = (double)n_hits / (double)n;
    double centre = (share + z2 / 2) / (1 + z2);
    double half_width = sqrt(z2 * (share * (1 - share) + z2 / 4)) / (1 + z2);
    return (Interval){
        .low = n_hits == 0 ? 0 : fmax(0, centre - half_width),
        .high = n_hits == n ? 1 : fmin(1, centre + half_width),
    };
}
