/* Samples against textbook values, and intervals against what they promise: over many seeded
 * experiments they hold the true value as often as they say. */
#include "base/stats.h"

#include "base/dist.h"
#include "base/random.h"

#include <check.h>
#include <gsl/gsl_cdf.h>
#include <math.h>
#include <stdlib.h>

static void
add_all(Sample *sample, const double *values, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        sample_add(sample, values[i]);
    }
}

/* Student's sleep data, the first drug ("The probable error of a mean", 1908). */
static const double sleep_hours[] = {0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0};

START_TEST(an_empty_sample_has_no_mean_interval)
{
    g_auto(Sample) sample = {0};
    Interval interval = {7, 8};
    ck_assert_uint_eq(sample.n, 0);
    ck_assert_double_eq(sample_variance(&sample), 0);
    ck_assert(!sample_mean_interval(&sample, 0.95, &interval));
    sample_add(&sample, 3);
    ck_assert_double_eq(sample.mean, 3);
    ck_assert_double_eq(sample_variance(&sample), 0);
    ck_assert(!sample_mean_interval(&sample, 0.95, &interval));
    ck_assert_double_eq(interval.low, 7);
    ck_assert_double_eq(interval.high, 8);
}
END_TEST

START_TEST(the_sleep_data_have_their_known_mean_and_interval)
{
    g_auto(Sample) sample = {0};
    add_all(&sample, sleep_hours, G_N_ELEMENTS(sleep_hours));
    Interval interval;
    ck_assert(sample_mean_interval(&sample, 0.95, &interval));
    ck_assert_uint_eq(sample.n, 10);
    ck_assert_double_eq_tol(sample.mean, 0.75, 1e-12);
    ck_assert_double_eq_tol(sample_sd(&sample), 1.789010, 1e-6);
    ck_assert_double_eq_tol(interval.low, -0.5297804, 1e-6);
    ck_assert_double_eq_tol(interval.high, 2.0297804, 1e-6);
    ck_assert_double_eq(sample.min, -1.6);
    ck_assert_double_eq(sample.max, 3.7);
}
END_TEST

START_TEST(values_stay_in_the_order_of_arrival)
{
    g_auto(Sample) sample = {0};
    add_all(&sample, sleep_hours, G_N_ELEMENTS(sleep_hours));
    sample_quantile(&sample, 0.5);
    for (size_t i = 0; i < G_N_ELEMENTS(sleep_hours); i++) {
        ck_assert_double_eq(sample.values[i], sleep_hours[i]);
    }
}
END_TEST

START_TEST(a_large_offset_costs_no_digits)
{
    g_auto(Sample) sample = {0};
    for (int i = 0; i < 30000; i++) {
        sample_add(&sample, 1e9 + i % 3);
    }
    ck_assert_double_eq_tol(sample.mean, 1e9 + 1, 1e-3);
    ck_assert_double_eq_tol(sample_variance(&sample), 2.0 / 3 * 30000 / 29999, 1e-6);
}
END_TEST

START_TEST(equal_values_have_no_variance_at_all)
{
    g_auto(Sample) sample = {0};
    for (int i = 0; i < 1000; i++) {
        sample_add(&sample, 0.1);
    }
    Interval interval;
    ck_assert(sample_mean_interval(&sample, 0.95, &interval));
    ck_assert_double_eq(interval.low, 0.1);
    ck_assert_double_eq(interval.high, 0.1);
}
END_TEST

START_TEST(merging_is_the_same_as_adding)
{
    for (size_t n_first = 0; n_first <= G_N_ELEMENTS(sleep_hours); n_first++) {
        g_auto(Sample) whole = {0};
        g_auto(Sample) first = {0};
        g_auto(Sample) second = {0};
        add_all(&whole, sleep_hours, G_N_ELEMENTS(sleep_hours));
        add_all(&first, sleep_hours, n_first);
        add_all(&second, sleep_hours + n_first, G_N_ELEMENTS(sleep_hours) - n_first);
        if (first.n > 0) {
            sample_quantile(&first, 0.5); /* what is sorted now must not stay */
        }
        sample_merge(&first, &second);
        ck_assert_uint_eq(first.n, whole.n);
        ck_assert_double_eq_tol(first.mean, whole.mean, 1e-12);
        ck_assert_double_eq_tol(sample_variance(&first), sample_variance(&whole), 1e-12);
        ck_assert_double_eq(first.min, whole.min);
        ck_assert_double_eq(first.max, whole.max);
        ck_assert_double_eq(sample_quantile(&first, 0.3), sample_quantile(&whole, 0.3));
        ck_assert_double_eq(first.values[9], whole.values[9]);
    }
}
END_TEST

START_TEST(a_sample_may_be_merged_with_itself)
{
    g_auto(Sample) sample = {0};
    add_all(&sample, sleep_hours, G_N_ELEMENTS(sleep_hours));
    sample_merge(&sample, &sample);
    ck_assert_uint_eq(sample.n, 20);
    ck_assert_double_eq_tol(sample.mean, 0.75, 1e-12);
    ck_assert_double_eq(sample.values[19], 2.0);
}
END_TEST

START_TEST(a_cleared_sample_can_be_used_again)
{
    Sample sample;
    sample_init(&sample);
    add_all(&sample, sleep_hours, G_N_ELEMENTS(sleep_hours));
    sample_quantile(&sample, 0.5);
    sample_clear(&sample);
    ck_assert_uint_eq(sample.n, 0);
    sample_add(&sample, -5);
    ck_assert_double_eq(sample.max, -5);
    ck_assert_double_eq(sample_quantile(&sample, 0.5), -5);
    sample_clear(&sample);
}
END_TEST

/* R: quantile(c(15, 20, 35, 40, 50), ...), type 7. */
START_TEST(quantiles_interpolate_as_r_and_numpy_do)
{
    static const double values[] = {40, 15, 50, 20, 35};
    g_auto(Sample) sample = {0};
    add_all(&sample, values, G_N_ELEMENTS(values));
    ck_assert_double_eq_tol(sample_quantile(&sample, 0), 15, 1e-12);
    ck_assert_double_eq_tol(sample_quantile(&sample, 0.05), 16, 1e-12);
    ck_assert_double_eq_tol(sample_quantile(&sample, 0.25), 20, 1e-12);
    ck_assert_double_eq_tol(sample_quantile(&sample, 0.4), 29, 1e-12);
    ck_assert_double_eq_tol(sample_quantile(&sample, 0.5), 35, 1e-12);
    ck_assert_double_eq_tol(sample_quantile(&sample, 0.95), 48, 1e-12);
    ck_assert_double_eq_tol(sample_quantile(&sample, 1), 50, 1e-12);
}
END_TEST

START_TEST(a_value_added_later_moves_the_quantile)
{
    g_auto(Sample) sample = {0};
    sample_add(&sample, 1);
    ck_assert_double_eq(sample_quantile(&sample, 0.9), 1);
    sample_add(&sample, 2);
    ck_assert_double_eq(sample_quantile(&sample, 0.5), 1.5);
}
END_TEST

START_TEST(t_is_that_of_the_tables)
{
    ck_assert_double_eq_tol(stats_t(2, 0.95), 12.706205, 1e-5);
    ck_assert_double_eq_tol(stats_t(10, 0.95), 2.262157, 1e-5);
    ck_assert_double_eq_tol(stats_t(20, 0.95), 2.093024, 1e-5);
    ck_assert_double_eq_tol(stats_t(31, 0.99), 2.749996, 1e-5);
    ck_assert_double_eq_tol(stats_t(1000001, 0.95), 1.959966, 1e-5);
}
END_TEST

/* Ranks from the binomial distribution in exact fractions. */
START_TEST(order_statistics_bound_a_quantile_at_known_ranks)
{
    static const struct {
        size_t n;
        double p;
        double low, high; /* ranks */
    } cases[] = {
        {5, 0.5, -INFINITY, INFINITY},
        {6, 0.5, 1, 6},
        {10, 0.5, 2, 9},
        {20, 0.5, 6, 15},
        {71, 0.95, 63, INFINITY},
        {72, 0.95, 64, 72},
        {20, 0.1, -INFINITY, 6},
        {20, 0.9, 15, INFINITY},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(Sample) sample = {0};
        for (size_t k = cases[i].n; k > 0; k--) {
            sample_add(&sample, (double)k);
        }
        Interval interval = sample_quantile_interval(&sample, cases[i].p, 0.95);
        ck_assert_msg(interval.low == cases[i].low && interval.high == cases[i].high,
                      "n=%zu p=%g: %g-%g", cases[i].n, cases[i].p, interval.low, interval.high);
    }
}
END_TEST

START_TEST(the_n_that_is_said_to_be_needed_is_the_least_that_does)
{
    static const double shares[] = {0.05, 0.5, 0.9, 0.95, 0.99};
    ck_assert_uint_eq(stats_quantile_n_needed(0.95, 0.95), 72);
    ck_assert_uint_eq(stats_quantile_n_needed(0.5, 0.95), 6);
    for (size_t i = 0; i < G_N_ELEMENTS(shares); i++) {
        size_t n_needed = stats_quantile_n_needed(shares[i], 0.9);
        g_auto(Sample) sample = {0};
        while (sample.n + 1 < n_needed) {
            sample_add(&sample, (double)sample.n);
        }
        Interval fewer = sample_quantile_interval(&sample, shares[i], 0.9);
        ck_assert(!isfinite(fewer.low) || !isfinite(fewer.high));
        sample_add(&sample, (double)sample.n);
        Interval enough = sample_quantile_interval(&sample, shares[i], 0.9);
        ck_assert(isfinite(enough.low) && isfinite(enough.high));
    }
}
END_TEST

/* On both sides of the n where the binomial distribution gives way to the normal one. */
START_TEST(ranks_of_very_large_samples_agree_with_theory)
{
    g_auto(Sample) sample = {0};
    for (int n = 999999; n <= 1000001; n += 2) {
        while (sample.n < (size_t)n) {
            sample_add(&sample, (double)sample.n + 1);
        }
        Interval interval = sample_quantile_interval(&sample, 0.99, 0.95);
        double half_width = 1.959964 * sqrt(n * 0.99 * 0.01);
        ck_assert_double_eq_tol(interval.low, n * 0.99 - half_width, 2);
        ck_assert_double_eq_tol(interval.high, n * 0.99 + half_width, 2);
    }
}
END_TEST

START_TEST(wilsons_interval_has_its_known_ends)
{
    Interval interval = stats_share_interval(8, 10, 0.95);
    ck_assert_double_eq_tol(interval.low, 0.4901625, 1e-6);
    ck_assert_double_eq_tol(interval.high, 0.9433178, 1e-6);
    interval = stats_share_interval(0, 10, 0.95);
    ck_assert_double_eq(interval.low, 0);
    ck_assert_double_eq_tol(interval.high, 0.2775328, 1e-6);
    interval = stats_share_interval(10, 10, 0.95);
    ck_assert_double_eq_tol(interval.low, 1 - 0.2775328, 1e-6);
    ck_assert_double_eq(interval.high, 1);
}
END_TEST

/* The share of experiments that hit, within four standard errors of what was promised. */
static void
assert_coverage(int n_hits, int n_experiments, double least, double most)
{
    double share = (double)n_hits / n_experiments;
    double tolerance = 4 * sqrt(0.95 * 0.05 / n_experiments);
    ck_assert_msg(share > least - tolerance && share < most + tolerance, "coverage %g", share);
}

static bool
covers(Interval interval, double value)
{
    return interval.low <= value && value <= interval.high;
}

static void
fill(Sample *sample, const Dist *dist, int n, RandomStream *stream)
{
    for (int i = 0; i < n; i++) {
        sample_add(sample, dist_draw(dist, stream));
    }
}

START_TEST(t_intervals_hold_the_mean_as_often_as_they_say)
{
    RandomStream stream;
    random_stream_init(&stream, 11, 0, "coverage", "t");
    Dist dist = dist_normal(100, 1);
    int n_hits = 0;
    for (int i = 0; i < 4000; i++) {
        g_auto(Sample) sample = {0};
        fill(&sample, &dist, 5, &stream);
        Interval interval;
        ck_assert(sample_mean_interval(&sample, 0.95, &interval));
        n_hits += covers(interval, 100);
    }
    assert_coverage(n_hits, 4000, 0.95, 0.95);
}
END_TEST

START_TEST(order_statistic_intervals_hold_the_quantile_at_least_as_often_as_they_say)
{
    RandomStream stream;
    random_stream_init(&stream, 11, 0, "coverage", "order statistics");
    Dist dist = dist_lognormal(1, 2);
    int n_hits = 0;
    for (int i = 0; i < 4000; i++) {
        g_auto(Sample) sample = {0};
        fill(&sample, &dist, 100, &stream);
        n_hits += covers(sample_quantile_interval(&sample, 0.9, 0.95), dist_quantile(&dist, 0.9));
    }
    assert_coverage(n_hits, 4000, 0.95, 0.98);
}
END_TEST

/* One replication of strongly correlated values that are standard normal each. */
static void
fill_correlated(Sample *sample, int n, double correlation, RandomStream *stream)
{
    double value = gsl_cdf_ugaussian_Pinv(random_uniform(stream));
    for (int i = 0; i < n; i++) {
        sample_add(sample, value);
        double fresh = gsl_cdf_ugaussian_Pinv(random_uniform(stream));
        value = correlation * value + sqrt(1 - correlation * correlation) * fresh;
    }
}

/* How many of 500 experiments of 20 replications of 100 values hold the p-quantile, with the
 * replications known and with all values taken as independent. */
static void
count_covers(double p, double correlation, int *n_grouped, int *n_pooled)
{
    enum { N_GROUPS = 20 };
    RandomStream stream;
    random_stream_init(&stream, 12, 0, "coverage", "groups");
    double quantile = gsl_cdf_ugaussian_Pinv(p);
    *n_grouped = *n_pooled = 0;
    for (int i = 0; i < 500; i++) {
        Sample samples[N_GROUPS] = {0}, pooled = {0};
        const Sample *groups[N_GROUPS];
        for (int k = 0; k < N_GROUPS; k++) {
            fill_correlated(&samples[k], 100, correlation, &stream);
            sample_merge(&pooled, &samples[k]);
            groups[k] = &samples[k];
        }
        *n_grouped +=
            covers(sample_quantile_interval_grouped(&pooled, groups, N_GROUPS, p, 0.95), quantile);
        *n_pooled += covers(sample_quantile_interval(&pooled, p, 0.95), quantile);
        for (int k = 0; k < N_GROUPS; k++) {
            sample_clear(&samples[k]);
        }
        sample_clear(&pooled);
    }
}

START_TEST(values_that_depend_on_each_other_need_the_intervals_for_groups)
{
    static const double shares[] = {0.5, 0.9, 0.95};
    for (size_t i = 0; i < G_N_ELEMENTS(shares); i++) {
        int n_grouped, n_pooled;
        count_covers(shares[i], 0.9, &n_grouped, &n_pooled);
        assert_coverage(n_grouped, 500, 0.93, 0.97);
        ck_assert_int_lt(n_pooled, 400); /* less than 80 %: taking them as independent is wrong */
    }
}
END_TEST

START_TEST(independent_values_lose_little_by_being_grouped)
{
    int n_grouped, n_pooled;
    count_covers(0.9, 0, &n_grouped, &n_pooled);
    assert_coverage(n_grouped, 500, 0.95, 0.99);
    assert_coverage(n_pooled, 500, 0.95, 0.97);
}
END_TEST

START_TEST(too_few_values_in_groups_bound_nothing)
{
    g_auto(Sample) a = {0};
    g_auto(Sample) b = {0};
    g_auto(Sample) pooled = {0};
    add_all(&a, sleep_hours, 5);
    add_all(&b, sleep_hours + 5, 5);
    add_all(&pooled, sleep_hours, 10);
    const Sample *groups[] = {&a, &b};
    Interval interval = sample_quantile_interval_grouped(&pooled, groups, 2, 0.95, 0.95);
    ck_assert_double_eq(interval.high, INFINITY);
    interval = sample_quantile_interval_grouped(&pooled, groups, 2, 0.5, 0.95);
    ck_assert_double_eq(interval.low, -INFINITY);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("stats");
    TCase *tc = tcase_create("stats");
    tcase_add_test(tc, an_empty_sample_has_no_mean_interval);
    tcase_add_test(tc, the_sleep_data_have_their_known_mean_and_interval);
    tcase_add_test(tc, values_stay_in_the_order_of_arrival);
    tcase_add_test(tc, a_large_offset_costs_no_digits);
    tcase_add_test(tc, equal_values_have_no_variance_at_all);
    tcase_add_test(tc, merging_is_the_same_as_adding);
    tcase_add_test(tc, a_sample_may_be_merged_with_itself);
    tcase_add_test(tc, a_cleared_sample_can_be_used_again);
    tcase_add_test(tc, quantiles_interpolate_as_r_and_numpy_do);
    tcase_add_test(tc, a_value_added_later_moves_the_quantile);
    tcase_add_test(tc, t_is_that_of_the_tables);
    tcase_add_test(tc, order_statistics_bound_a_quantile_at_known_ranks);
    tcase_add_test(tc, the_n_that_is_said_to_be_needed_is_the_least_that_does);
    tcase_add_test(tc, ranks_of_very_large_samples_agree_with_theory);
    tcase_add_test(tc, wilsons_interval_has_its_known_ends);
    tcase_add_test(tc, t_intervals_hold_the_mean_as_often_as_they_say);
    tcase_add_test(tc, order_statistic_intervals_hold_the_quantile_at_least_as_often_as_they_say);
    tcase_add_test(tc, values_that_depend_on_each_other_need_the_intervals_for_groups);
    tcase_add_test(tc, independent_values_lose_little_by_being_grouped);
    tcase_add_test(tc, too_few_values_in_groups_bound_nothing);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
