/* Distributions: draws follow the distribution function, moments are those asked for, one uniform
 * goes into each draw, and nonsense is refused. */
#include "base/dist.h"

#include "base/error.h"

#include <check.h>
#include <gsl/gsl_cdf.h>
#include <gsl/gsl_sort_double.h>
#include <math.h>
#include <stdlib.h>

#define N_DRAWS 40000

/* Written from the definitions, apart from base/dist.c: the distribution function without shift. */
static double
cdf(const Dist *dist, double x)
{
    const double *p = dist->params;
    switch (dist->kind) {
    case DIST_CONSTANT:
        return x >= p[0];
    case DIST_UNIFORM:
        return gsl_cdf_flat_P(x, p[0], p[1]);
    case DIST_EXPONENTIAL:
        return 1 - exp(-x / p[0]);
    case DIST_NORMAL: {
        double below = gsl_cdf_gaussian_P(-p[0], p[1]);
        return (gsl_cdf_gaussian_P(x - p[0], p[1]) - below) / (1 - below);
    }
    case DIST_LOGNORMAL: {
        double sigma = sqrt(log(1 + p[1] * p[1]));
        return gsl_cdf_lognormal_P(x, log(p[0] / sqrt(1 + p[1] * p[1])), sigma);
    }
    case DIST_GAMMA:
        return gsl_cdf_gamma_P(x, 1 / (p[1] * p[1]), p[0] * p[1] * p[1]);
    case DIST_WEIBULL:
        return 1 - exp(-pow(x / p[0] * tgamma(1 + 1 / p[1]), p[1]));
    case DIST_TRIANGULAR:
        if (x <= p[1]) {
            return (x - p[0]) * (x - p[0]) / ((p[2] - p[0]) * (p[1] - p[0]));
        }
        return 1 - (p[2] - x) * (p[2] - x) / ((p[2] - p[0]) * (p[2] - p[1]));
    }
    g_assert_not_reached();
}

/* Continuous ones of every kind, plain, steep and flat. */
static GArray *
continuous(void)
{
    const Dist dists[] = {
        dist_uniform(0, 1),         dist_uniform(0.5, 0.75),
        dist_exponential(0.2),      dist_exponential(3600),
        dist_normal(1, 0.1),        dist_normal(1, 1),
        dist_normal(0, 2),          dist_lognormal(0.6, 0.3),
        dist_lognormal(12, 3),      dist_gamma(0.02, 0.01),
        dist_gamma(0.02, 0.3),      dist_gamma(5, 1),
        dist_gamma(5, 1.5),         dist_gamma(5, 4),
        dist_weibull(2, 0.5),       dist_weibull(2, 3.6),
        dist_triangular(1, 1.5, 4), dist_triangular(0, 0, 1),
        dist_triangular(0, 1, 1),   dist_shifted(dist_exponential(0.2), 0.7),
    };
    GArray *array = g_array_new(FALSE, FALSE, sizeof(Dist));
    return g_array_append_vals(array, dists, G_N_ELEMENTS(dists));
}

static void
draw_sorted(const Dist *dist, double *draws)
{
    RandomStream stream;
    random_stream_init(&stream, 2024, 0, "test", "draws");
    for (int i = 0; i < N_DRAWS; i++) {
        draws[i] = dist_draw(dist, &stream);
    }
    gsl_sort(draws, 1, N_DRAWS);
}

/* Kolmogorov and Smirnov's distance, times the root of n, is beyond 1.95 once in 1000 cases. */
START_TEST(draws_follow_the_distribution_function)
{
    g_autoptr(GArray) dists = continuous();
    g_autofree double *draws = g_new(double, N_DRAWS);
    for (guint i = 0; i < dists->len; i++) {
        const Dist *dist = &g_array_index(dists, Dist, i);
        draw_sorted(dist, draws);
        double distance = 0;
        for (int k = 0; k < N_DRAWS; k++) {
            double p = cdf(dist, draws[k] - dist->shift);
            distance = fmax(distance, fmax(p - (double)k / N_DRAWS, (k + 1.0) / N_DRAWS - p));
        }
        g_autofree char *text = dist_format(dist);
        ck_assert_msg(distance * sqrt(N_DRAWS) < 1.95, "%s: distance %g", text, distance);
    }
}
END_TEST

START_TEST(quantiles_invert_the_distribution_function)
{
    static const double shares[] = {1e-6, 0.001, 0.05, 0.3, 0.5, 0.7, 0.95, 0.999, 1 - 1e-6};
    g_autoptr(GArray) dists = continuous();
    for (guint i = 0; i < dists->len; i++) {
        const Dist *dist = &g_array_index(dists, Dist, i);
        for (size_t k = 0; k < G_N_ELEMENTS(shares); k++) {
            double p = cdf(dist, dist_quantile(dist, shares[k]) - dist->shift);
            g_autofree char *text = dist_format(dist);
            ck_assert_msg(fabs(p - shares[k]) < 1e-9, "%s: %g is %g", text, shares[k], p);
        }
    }
}
END_TEST

static void
assert_gamma_inverts(double cv, double p, double x)
{
    double shape = 1 / (cv * cv), scale = cv * cv;
    ck_assert_msg(isfinite(x) && x >= 0, "cv %g p %g: %g", cv, p, x);
    if (x < 1e-290) {
        return; /* too near to the least double to be compared */
    }
    double error = p < 0.5 ? gsl_cdf_gamma_P(x, shape, scale) / p - 1
                           : gsl_cdf_gamma_Q(x, shape, scale) / (1 - p) - 1;
    ck_assert_msg(fabs(error) < 1e-7, "cv %g p %g: error %g", cv, p, error);
}

/* Where GSL's own inverse aborts. */
START_TEST(gamma_quantiles_hold_over_the_whole_range)
{
    for (double cv = 0.01; cv <= 100; cv *= 1.1) {
        Dist dist = dist_gamma(1, cv);
        ck_assert(dist_check(&dist, NULL));
        double before = 0;
        for (double log_odds = -36.5; log_odds < 36.5; log_odds += 0.25) {
            double p = 1 / (1 + exp(-log_odds));
            double x = dist_quantile(&dist, p);
            assert_gamma_inverts(cv, p, x);
            ck_assert_double_ge(x, before);
            before = x;
        }
    }
}
END_TEST

/* The ends of what random_uniform gives. */
START_TEST(extreme_uniforms_give_finite_values)
{
    g_autoptr(GArray) dists = continuous();
    const Dist extremes[] = {dist_gamma(1, 100),    dist_lognormal(1, 100), dist_weibull(1, 0.01),
                             dist_weibull(1, 1000), dist_normal(0, 1e-9),   dist_normal(1e9, 1e-9)};
    g_array_append_vals(dists, extremes, G_N_ELEMENTS(extremes));
    for (guint i = 0; i < dists->len; i++) {
        const Dist *dist = &g_array_index(dists, Dist, i);
        double low = dist_quantile(dist, 0x1p-53), high = dist_quantile(dist, 1 - 0x1p-53);
        g_autofree char *text = dist_format(dist);
        ck_assert_msg(low >= 0 && low <= high && isfinite(high), "%s: %g %g", text, low, high);
    }
}
END_TEST

/* Four and a half standard errors of the sample mean. */
START_TEST(draws_have_the_mean_that_dist_mean_says)
{
    g_autoptr(GArray) dists = continuous();
    g_autofree double *draws = g_new(double, N_DRAWS);
    for (guint i = 0; i < dists->len; i++) {
        const Dist *dist = &g_array_index(dists, Dist, i);
        draw_sorted(dist, draws);
        double sum = 0, squares = 0;
        for (int k = 0; k < N_DRAWS; k++) {
            sum += draws[k] - dist_mean(dist);
            squares += pow(draws[k] - dist_mean(dist), 2);
        }
        g_autofree char *text = dist_format(dist);
        ck_assert_msg(fabs(sum) < 4.5 * sqrt(squares), "%s: mean is off by %g", text,
                      sum / N_DRAWS);
    }
}
END_TEST

START_TEST(draws_have_the_cv_that_was_asked_for)
{
    const Dist dists[] = {dist_lognormal(0.6, 0.3), dist_gamma(0.02, 0.3), dist_gamma(5, 1.5)};
    g_autofree double *draws = g_new(double, N_DRAWS);
    for (size_t i = 0; i < G_N_ELEMENTS(dists); i++) {
        draw_sorted(&dists[i], draws);
        double squares = 0;
        for (int k = 0; k < N_DRAWS; k++) {
            squares += pow(draws[k] / dists[i].params[0] - 1, 2);
        }
        ck_assert_double_eq_tol(sqrt(squares / N_DRAWS) / dists[i].params[1], 1, 0.04);
    }
}
END_TEST

START_TEST(the_truncated_normal_is_not_piled_up_at_0)
{
    Dist dist = dist_normal(1, 1);
    ck_assert_double_eq_tol(dist_mean(&dist), 1.287600, 1e-6); /* 1 + phi(1) / Phi(1) */
    Dist half = dist_normal(0, 1);
    ck_assert_double_eq_tol(dist_mean(&half), sqrt(2 / G_PI), 1e-12);
    ck_assert_double_gt(dist_quantile(&half, 0.01), 0.01);
}
END_TEST

START_TEST(known_quantiles)
{
    const struct {
        Dist dist;
        double p, expected;
    } cases[] = {
        {dist_constant(3), 0.2, 3},
        {dist_uniform(2, 4), 0.25, 2.5},
        {dist_exponential(2), 0.5, 2 * G_LN2},
        {dist_normal(10, 1), 0.975, 11.959964},
        {dist_lognormal(1, 1), 0.5, G_SQRT2 / 2},    /* median = mean / sqrt(1 + cv^2) */
        {dist_gamma(2, G_SQRT2 / 2), 0.5, 1.678347}, /* shape 2, scale 1 */
        {dist_gamma(3, 0), 0.9, 3},
        {dist_lognormal(3, 0), 0.9, 3},
        {dist_normal(3, 0), 0.9, 3},
        {dist_weibull(2, 1), 0.5, 2 * G_LN2}, /* shape 1: exponential */
        {dist_triangular(0, 1, 2), 0.125, 0.5},
        {dist_triangular(0, 1, 2), 0.875, 1.5},
        {dist_triangular(2, 2, 2), 0.3, 2},
        {dist_shifted(dist_uniform(2, 4), 1), 0.5, 4},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        ck_assert_double_eq_tol(dist_quantile(&cases[i].dist, cases[i].p), cases[i].expected, 1e-6);
    }
}
END_TEST

START_TEST(a_shift_moves_quantiles_and_mean)
{
    Dist dist = dist_shifted(dist_shifted(dist_gamma(2, 0.5), 1), 0.5), plain = dist_gamma(2, 0.5);
    ck_assert_double_eq_tol(dist_mean(&dist), 3.5, 1e-12);
    ck_assert_double_eq_tol(dist_quantile(&dist, 0.3), dist_quantile(&plain, 0.3) + 1.5, 1e-12);
}
END_TEST

START_TEST(every_draw_takes_one_draw_of_its_stream)
{
    g_autoptr(GArray) dists = continuous();
    Dist constant = dist_constant(1);
    g_array_append_val(dists, constant);
    for (guint i = 0; i < dists->len; i++) {
        RandomStream drawn, counted;
        random_stream_init(&drawn, 1, 0, "a", "b");
        counted = drawn;
        for (int k = 0; k < 3; k++) {
            dist_draw(&g_array_index(dists, Dist, i), &drawn);
            random_next_u64(&counted);
        }
        ck_assert_uint_eq(random_next_u64(&drawn), random_next_u64(&counted));
    }
}
END_TEST

START_TEST(a_greater_uniform_gives_a_greater_draw_under_every_distribution)
{
    g_autoptr(GArray) dists = continuous();
    RandomStream stream;
    random_stream_init(&stream, 3, 0, "pair", "test");
    for (int k = 0; k < 1000; k++) {
        double u = random_uniform(&stream), v = random_uniform(&stream);
        for (guint i = 0; i < dists->len; i++) {
            const Dist *dist = &g_array_index(dists, Dist, i);
            ck_assert((u < v) == (dist_quantile(dist, u) < dist_quantile(dist, v)));
        }
    }
}
END_TEST

START_TEST(draws_in_seconds_become_nanoseconds)
{
    RandomStream stream;
    random_stream_init(&stream, 3, 0, "a", "b");
    Dist dist = dist_constant(0.25);
    ck_assert_int_eq(dist_draw_nsec(&dist, &stream), 250 * NSEC_PER_MSEC);
}
END_TEST

static void
assert_refused(Dist dist, const char *message)
{
    g_autoptr(GError) error = NULL;
    ck_assert(!dist_check(&dist, &error));
    ck_assert(g_error_matches(error, VWIRE_ERROR, VWIRE_ERROR_INVALID));
    ck_assert_str_eq(error->message, message);
}

START_TEST(nonsense_is_refused_and_named)
{
    assert_refused(dist_constant(-1), "constant(value=-1): expected a finite value >= 0");
    assert_refused(dist_exponential(NAN), "exponential(mean=nan): expected a finite mean >= 0");
    assert_refused(dist_exponential(INFINITY),
                   "exponential(mean=inf): expected a finite mean >= 0");
    assert_refused(dist_uniform(2, 1), "uniform(min=2, max=1): expected min <= max");
    assert_refused(dist_uniform(-2, 1), "uniform(min=-2, max=1): expected a finite min >= 0");
    assert_refused(dist_normal(1, -0.5), "normal(mean=1, sd=-0.5): expected a finite sd >= 0");
    assert_refused(dist_lognormal(0, 1), "lognormal(mean=0, cv=1): expected a mean > 0");
    assert_refused(dist_lognormal(1, 101),
                   "lognormal(mean=1, cv=101): expected a cv of at most 100");
    assert_refused(dist_gamma(1, 0.001),
                   "gamma(mean=1, cv=0.001): expected a cv of 0 or of at least 0.01");
    assert_refused(dist_weibull(0, 1), "weibull(mean=0, shape=1): expected a mean > 0");
    assert_refused(dist_weibull(1, 0),
                   "weibull(mean=1, shape=0): expected a shape from 0.01 to 1000");
    assert_refused(dist_triangular(1, 0, 2),
                   "triangular(min=1, mode=0, max=2): expected min <= mode <= max");
    assert_refused(dist_shifted(dist_constant(1), -2),
                   "constant(value=1) + -2: expected a finite shift >= 0");
}
END_TEST

START_TEST(what_makes_sense_is_accepted)
{
    g_autoptr(GArray) dists = continuous();
    const Dist more[] = {{0},
                         dist_constant(0),
                         dist_uniform(1, 1),
                         dist_exponential(0),
                         dist_normal(0, 0),
                         dist_gamma(1, 0),
                         dist_gamma(1, 0.01),
                         dist_lognormal(1, 0),
                         dist_triangular(1, 1, 1)};
    g_array_append_vals(dists, more, G_N_ELEMENTS(more));
    for (guint i = 0; i < dists->len; i++) {
        g_autoptr(GError) error = NULL;
        ck_assert_msg(dist_check(&g_array_index(dists, Dist, i), &error), "%s",
                      error != NULL ? error->message : "");
        ck_assert(dist_quantile(&g_array_index(dists, Dist, i), 0.5) >= 0);
    }
}
END_TEST

START_TEST(distributions_are_written_with_their_parameters)
{
    const struct {
        Dist dist;
        const char *text;
    } cases[] = {
        {dist_constant(0.15), "constant(value=0.15)"},
        {dist_shifted(dist_lognormal(0.25, 0.3), 0.1), "lognormal(mean=0.25, cv=0.3) + 0.1"},
        {dist_triangular(1, 2, 3), "triangular(min=1, mode=2, max=3)"},
        {dist_normal(1e-6, 2e-7), "normal(mean=1e-06, sd=2e-07)"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = dist_format(&cases[i].dist);
        ck_assert_str_eq(text, cases[i].text);
    }
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("dist");
    TCase *tc = tcase_create("dist");
    tcase_add_test(tc, draws_follow_the_distribution_function);
    tcase_add_test(tc, quantiles_invert_the_distribution_function);
    tcase_add_test(tc, gamma_quantiles_hold_over_the_whole_range);
    tcase_add_test(tc, extreme_uniforms_give_finite_values);
    tcase_add_test(tc, draws_have_the_mean_that_dist_mean_says);
    tcase_add_test(tc, draws_have_the_cv_that_was_asked_for);
    tcase_add_test(tc, the_truncated_normal_is_not_piled_up_at_0);
    tcase_add_test(tc, known_quantiles);
    tcase_add_test(tc, a_shift_moves_quantiles_and_mean);
    tcase_add_test(tc, every_draw_takes_one_draw_of_its_stream);
    tcase_add_test(tc, a_greater_uniform_gives_a_greater_draw_under_every_distribution);
    tcase_add_test(tc, draws_in_seconds_become_nanoseconds);
    tcase_add_test(tc, nonsense_is_refused_and_named);
    tcase_add_test(tc, what_makes_sense_is_accepted);
    tcase_add_test(tc, distributions_are_written_with_their_parameters);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
