/* Bounded samples (base/reservoir.h). */
#include "base/reservoir.h"

#include "tests/suite.h"

#include <math.h>

static Reservoir reservoir;
static RandomStream draws;

static void
setup(void)
{
    RandomStream random;
    random_stream_init(&random, 1, 0, "reservoir", "choice");
    random_stream_init(&draws, 1, 0, "reservoir", "values");
    reservoir_init(&reservoir, &random);
}

static void
teardown(void)
{
    reservoir_clear(&reservoir);
}

START_TEST(up_to_the_limit_all_values_are_kept_in_their_order)
{
    g_auto(Sample) sample = {0};
    for (int i = 0; i < RESERVOIR_LIMIT; i++) {
        reservoir_add(&reservoir, i);
    }
    reservoir_sample(&reservoir, &sample);
    ck_assert_uint_eq(sample.n, RESERVOIR_LIMIT);
    for (int i = 0; i < RESERVOIR_LIMIT; i++) {
        ck_assert_double_eq(sample.values[i], i);
    }
}
END_TEST

START_TEST(beyond_the_limit_mean_and_extremes_are_exact_and_memory_is_bounded)
{
    enum { N = 20 * RESERVOIR_LIMIT };
    g_auto(Sample) sample = {0};
    for (int i = 0; i < N; i++) {
        reservoir_add(&reservoir, i);
    }
    reservoir_sample(&reservoir, &sample);
    ck_assert_double_eq(reservoir_mean(&reservoir), (N - 1) / 2.0);
    ck_assert_uint_eq(sample.n, RESERVOIR_LIMIT + 2);
    ck_assert_double_eq(sample.min, 0);
    ck_assert_double_eq(sample.max, N - 1);
    ck_assert_uint_le(reservoir.n_allocated, 2 * RESERVOIR_LIMIT);
}
END_TEST

/* The share of values below the p-quantile is binomial: five standard errors. */
START_TEST(what_is_kept_has_the_distribution_of_all)
{
    g_auto(Sample) sample = {0};
    for (int i = 0; i < 10 * RESERVOIR_LIMIT; i++) {
        reservoir_add(&reservoir, -log(random_uniform(&draws)));
    }
    reservoir_sample(&reservoir, &sample);
    for (double p = 0.1; p < 1; p += 0.2) {
        double expected = -log(1 - p);
        double slope = 1 - p; /* density there */
        double error = sqrt(p * (1 - p) / RESERVOIR_LIMIT) / slope;
        ck_assert_double_eq_tol(sample_quantile(&sample, p), expected, 5 * error);
    }
}
END_TEST

START_TEST(without_a_value_there_is_nothing)
{
    g_auto(Sample) sample = {0};
    reservoir_sample(&reservoir, &sample);
    ck_assert_uint_eq(sample.n, 0);
    ck_assert_double_eq(reservoir_mean(&reservoir), 0);
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {
        up_to_the_limit_all_values_are_kept_in_their_order,
        beyond_the_limit_mean_and_extremes_are_exact_and_memory_is_bounded,
        what_is_kept_has_the_distribution_of_all,
        without_a_value_there_is_nothing,
    };
    return suite_run("reservoir", tests, G_N_ELEMENTS(tests), setup, teardown);
}
