/* Thresholds: what is read, what is refused, and verdicts for known sets of replications. */
#include "models/threshold.h"

#include "base/dist.h"

#include <check.h>
#include <stdlib.h>

#define N_RUNS_MAX 200

/* Replications numbered from 0 whose seeds are 0x100 and up. */
typedef struct Runs {
    ThresholdRun runs[N_RUNS_MAX];
    Sample samples[N_RUNS_MAX];
    size_t n;
} Runs;

static void
runs_clear(Runs *runs)
{
    for (size_t i = 0; i < runs->n; i++) {
        sample_clear(&runs->samples[i]);
    }
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Runs, runs_clear)

static Sample *
runs_add(Runs *runs)
{
    size_t i = runs->n++;
    runs->runs[i] = (ThresholdRun){(int)i, 0x100 + i, &runs->samples[i]};
    return &runs->samples[i];
}

/* One observation per replication. */
static void
runs_add_values(Runs *runs, const double *values, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        sample_add(runs_add(runs), values[i]);
    }
}

static Threshold
parse(const char *text)
{
    g_autoptr(GError) error = NULL;
    Threshold threshold;
    ck_assert_msg(threshold_parse(text, &threshold, &error), "%s",
                  error != NULL ? error->message : text);
    return threshold;
}

static void
assert_refused(const char *text, const char *message)
{
    g_autoptr(GError) error = NULL;
    Threshold threshold = {.bound = 77};
    ck_assert_msg(!threshold_parse(text, &threshold, &error), "\"%s\" was accepted", text);
    ck_assert(g_error_matches(error, VWIRE_ERROR, VWIRE_ERROR_PARSE));
    ck_assert_str_eq(error->message, message);
    ck_assert_double_eq(threshold.bound, 77);
}

static ThresholdVerdict
judge(const Runs *runs, const char *text)
{
    Threshold threshold = parse(text);
    g_auto(ThresholdResult) result;
    threshold_evaluate(&threshold, runs->runs, runs->n, 0.95, "s", &result);
    return result.verdict;
}

static void
assert_message(const Runs *runs, const char *text, const char *message)
{
    Threshold threshold = parse(text);
    g_auto(ThresholdResult) result;
    threshold_evaluate(&threshold, runs->runs, runs->n, 0.95, "s", &result);
    ck_assert_str_eq(result.message, message);
}

START_TEST(every_aggregate_is_read)
{
    ck_assert_int_eq(parse("avg<1").aggregate, THRESHOLD_AVG);
    ck_assert_int_eq(parse("min<1").aggregate, THRESHOLD_MIN);
    ck_assert_int_eq(parse("max<1").aggregate, THRESHOLD_MAX);
    ck_assert_int_eq(parse("med<1").aggregate, THRESHOLD_MED);
    ck_assert_int_eq(parse("p(95)<1").aggregate, THRESHOLD_P);
    ck_assert_int_eq(parse("count<1").aggregate, THRESHOLD_COUNT);
    ck_assert_int_eq(parse("rate<1").aggregate, THRESHOLD_RATE);
    ck_assert_int_eq(parse("value<1").aggregate, THRESHOLD_VALUE);
    ck_assert_double_eq(parse("med<1").percent, 50);
    ck_assert_double_eq(parse("p(95)<1").percent, 95);
    ck_assert_double_eq(parse("p(99.9)<1").percent, 99.9);
}
END_TEST

START_TEST(every_operator_is_read)
{
    ck_assert_int_eq(parse("avg<1").comparison, THRESHOLD_LESS);
    ck_assert_int_eq(parse("avg<=1").comparison, THRESHOLD_LESS_EQUAL);
    ck_assert_int_eq(parse("avg>1").comparison, THRESHOLD_GREATER);
    ck_assert_int_eq(parse("avg>=1").comparison, THRESHOLD_GREATER_EQUAL);
    ck_assert_int_eq(parse("avg==1").comparison, THRESHOLD_EQUAL);
    ck_assert_int_eq(parse("avg!=1").comparison, THRESHOLD_NOT_EQUAL);
}
END_TEST

START_TEST(blanks_and_every_form_of_number_are_read)
{
    Threshold threshold = parse("  p ( 95 )  <=  10.5 ");
    ck_assert_int_eq(threshold.aggregate, THRESHOLD_P);
    ck_assert_int_eq(threshold.comparison, THRESHOLD_LESS_EQUAL);
    ck_assert_double_eq(threshold.bound, 10.5);
    ck_assert_double_eq(parse("avg<0.300").bound, 0.3);
    ck_assert_double_eq(parse("avg<.5").bound, 0.5);
    ck_assert_double_eq(parse("avg>-2").bound, -2);
    ck_assert_double_eq(parse("avg>+2").bound, 2);
    ck_assert_double_eq(parse("avg<1.5e-3").bound, 0.0015);
    ck_assert_double_eq(parse("avg<1e9").bound, 1e9);
}
END_TEST

START_TEST(malformed_thresholds_are_refused_and_named)
{
    const char *aggregates = "avg, min, max, med, p(N), count, rate or value";
    g_autofree char *empty =
        g_strdup_printf("threshold \"\": found the end; expected %s", aggregates);
    assert_refused("", empty);
    g_autofree char *unknown =
        g_strdup_printf("threshold \"mean<1\": found \"mean<1\"; expected %s", aggregates);
    assert_refused("mean<1", unknown);
    g_autofree char *upper =
        g_strdup_printf("threshold \"Avg<1\": found \"Avg<1\"; expected %s", aggregates);
    assert_refused("Avg<1", upper);
    assert_refused("avg", "threshold \"avg\": found the end; expected <, <=, >, >=, == or !=");
    assert_refused("avg=1", "threshold \"avg=1\": found \"=1\"; expected <, <=, >, >=, == or !=");
    assert_refused("avg<", "threshold \"avg<\": found the end; expected a number");
    assert_refused("avg<x", "threshold \"avg<x\": found \"x\"; expected a number");
    assert_refused("avg< =1", "threshold \"avg< =1\": found \"=1\"; expected a number");
    assert_refused("avg<nan", "threshold \"avg<nan\": found \"nan\"; expected a number");
    assert_refused("avg<inf", "threshold \"avg<inf\": found \"inf\"; expected a number");
    assert_refused("avg<1e999", "threshold \"avg<1e999\": found \"1e999\"; expected a number");
    assert_refused("avg<0x10", "threshold \"avg<0x10\": found \"0x10\"; expected a number");
    assert_refused("avg<8.5s", "threshold \"avg<8.5s\": found \"s\"; expected the end "
                               "(bounds are plain numbers in the metric's base unit)");
    assert_refused("p95<1", "threshold \"p95<1\": found \"95<1\"; "
                            "expected a percentage in brackets, as in p(95)");
    assert_refused("p(95<1", "threshold \"p(95<1\": found \"<1\"; expected ) after the percentage");
    static const char *const bad_percents[] = {"", "0", "100", "-5", "101", "x"};
    for (size_t i = 0; i < G_N_ELEMENTS(bad_percents); i++) {
        g_autofree char *text = g_strdup_printf("p(%s)<1", bad_percents[i]);
        g_autofree char *message =
            g_strdup_printf("threshold \"%s\": found \"%s)<1\"; expected a percentage between 0 "
                            "and 100 (for the ends: min, max)",
                            text, bad_percents[i]);
        assert_refused(text, message);
    }
}
END_TEST

/* Mean 10, 95% t interval 8.037-11.963. */
static const double around_ten[] = {8, 9, 10, 11, 12};

START_TEST(an_average_passes_fails_or_waits_by_its_t_interval)
{
    g_auto(Runs) runs = {0};
    runs_add_values(&runs, around_ten, G_N_ELEMENTS(around_ten));
    ck_assert_int_eq(judge(&runs, "avg<11.97"), THRESHOLD_PASS);
    ck_assert_int_eq(judge(&runs, "avg<11.96"), THRESHOLD_INCONCLUSIVE);
    ck_assert_int_eq(judge(&runs, "avg<8.04"), THRESHOLD_INCONCLUSIVE);
    ck_assert_int_eq(judge(&runs, "avg<8.03"), THRESHOLD_FAIL);
    ck_assert_int_eq(judge(&runs, "avg>8.03"), THRESHOLD_PASS);
    ck_assert_int_eq(judge(&runs, "avg>8.04"), THRESHOLD_INCONCLUSIVE);
    ck_assert_int_eq(judge(&runs, "avg>11.97"), THRESHOLD_FAIL);
    ck_assert_int_eq(judge(&runs, "avg==10"), THRESHOLD_INCONCLUSIVE);
    ck_assert_int_eq(judge(&runs, "avg!=10"), THRESHOLD_INCONCLUSIVE);
    ck_assert_int_eq(judge(&runs, "avg==12"), THRESHOLD_FAIL);
    ck_assert_int_eq(judge(&runs, "avg!=12"), THRESHOLD_PASS);
}
END_TEST

START_TEST(an_average_is_over_replications_not_over_observations)
{
    g_auto(Runs) runs = {0};
    Sample *many = runs_add(&runs);
    for (int i = 0; i < 999; i++) {
        sample_add(many, 1);
    }
    sample_add(runs_add(&runs), 3);
    Threshold threshold = parse("avg<2");
    g_auto(ThresholdResult) result;
    threshold_evaluate(&threshold, runs.runs, runs.n, 0.95, "", &result);
    ck_assert_double_eq(result.observed, 2);
    ck_assert_uint_eq(result.n, 2);
}
END_TEST

START_TEST(equal_values_are_exact)
{
    g_auto(Runs) runs = {0};
    static const double values[] = {8.5, 8.5, 8.5};
    runs_add_values(&runs, values, 3);
    ck_assert_int_eq(judge(&runs, "avg<8.5"), THRESHOLD_FAIL);
    ck_assert_int_eq(judge(&runs, "avg<=8.5"), THRESHOLD_PASS);
    ck_assert_int_eq(judge(&runs, "avg==8.5"), THRESHOLD_PASS);
    ck_assert_int_eq(judge(&runs, "avg!=8.5"), THRESHOLD_FAIL);
    ck_assert_int_eq(judge(&runs, "p(95)<9"), THRESHOLD_PASS);
    ck_assert_int_eq(judge(&runs, "med>9"), THRESHOLD_FAIL);
}
END_TEST

START_TEST(extremes_are_compared_as_they_are)
{
    g_auto(Runs) runs = {0};
    runs_add_values(&runs, around_ten, G_N_ELEMENTS(around_ten));
    ck_assert_int_eq(judge(&runs, "max<12.1"), THRESHOLD_PASS);
    ck_assert_int_eq(judge(&runs, "max<12"), THRESHOLD_FAIL);
    ck_assert_int_eq(judge(&runs, "max==12"), THRESHOLD_PASS);
    ck_assert_int_eq(judge(&runs, "min>=8"), THRESHOLD_PASS);
    ck_assert_int_eq(judge(&runs, "min>8"), THRESHOLD_FAIL);
}
END_TEST

START_TEST(one_replication_decides_only_what_needs_no_interval)
{
    g_auto(Runs) runs = {0};
    sample_add(runs_add(&runs), 9);
    static const char *const decided[] = {"min<10", "max<10", "value<10", "count==1"};
    static const char *const undecided[] = {"avg<10", "avg>10", "med<10", "p(95)<10", "rate>0.5"};
    for (size_t i = 0; i < G_N_ELEMENTS(decided); i++) {
        ck_assert_int_eq(judge(&runs, decided[i]), THRESHOLD_PASS);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(undecided); i++) {
        ck_assert_int_eq(judge(&runs, undecided[i]), THRESHOLD_INCONCLUSIVE);
    }
    ck_assert_int_eq(judge(&runs, "value>10"), THRESHOLD_FAIL);
}
END_TEST

START_TEST(no_replications_decide_nothing)
{
    Runs runs = {0};
    ck_assert_int_eq(judge(&runs, "max<10"), THRESHOLD_INCONCLUSIVE);
    ck_assert_int_eq(judge(&runs, "count>=0"), THRESHOLD_INCONCLUSIVE);
    assert_message(&runs, "max<10", "max=none, want <10s (no value in 0 replications)");
}
END_TEST

/* 1 .. n, a value in each replication. */
static void
add_ramp(Runs *runs, int n)
{
    for (int i = 1; i <= n; i++) {
        sample_add(runs_add(runs), i);
    }
}

START_TEST(a_percentile_of_few_replications_has_no_upper_bound)
{
    g_auto(Runs) few = {0};
    add_ramp(&few, 71);
    ck_assert_int_eq(judge(&few, "p(95)<1000"), THRESHOLD_INCONCLUSIVE);
    ck_assert_int_eq(judge(&few, "p(95)<62"), THRESHOLD_FAIL);
    g_auto(Runs) enough = {0};
    add_ramp(&enough, 72);
    ck_assert_int_eq(judge(&enough, "p(95)<=72"), THRESHOLD_PASS);
    ck_assert_int_eq(judge(&enough, "p(95)<72"), THRESHOLD_INCONCLUSIVE);
}
END_TEST

START_TEST(a_median_is_judged_between_order_statistics)
{
    g_auto(Runs) runs = {0};
    add_ramp(&runs, 20); /* ranks 6 and 15 */
    ck_assert_int_eq(judge(&runs, "med<=15"), THRESHOLD_PASS);
    ck_assert_int_eq(judge(&runs, "med<15"), THRESHOLD_INCONCLUSIVE);
    ck_assert_int_eq(judge(&runs, "med<=6"), THRESHOLD_INCONCLUSIVE);
    ck_assert_int_eq(judge(&runs, "med<6"), THRESHOLD_FAIL);
    ck_assert_int_eq(judge(&runs, "p(50)<6"), THRESHOLD_FAIL);
}
END_TEST

/* 20 replications of 200 round trips each, with a level of its own in each replication. */
static void
add_round_trips(Runs *runs, double spread)
{
    RandomStream levels, trips;
    random_stream_init(&levels, 1, 0, "test", "level");
    random_stream_init(&trips, 1, 0, "test", "trip");
    Dist level = dist_uniform(1, 1 + spread), trip = dist_exponential(1);
    for (int i = 0; i < 20; i++) {
        Sample *sample = runs_add(runs);
        double factor = dist_draw(&level, &levels);
        for (int k = 0; k < 200; k++) {
            sample_add(sample, factor * dist_draw(&trip, &trips));
        }
    }
}

START_TEST(the_spread_between_replications_widens_the_interval_of_a_percentile)
{
    Threshold threshold = parse("p(95)<10");
    g_auto(Runs) alike = {0};
    g_auto(Runs) spread = {0};
    add_round_trips(&alike, 0);
    add_round_trips(&spread, 4);
    g_auto(ThresholdResult) narrow;
    g_auto(ThresholdResult) wide;
    threshold_evaluate(&threshold, alike.runs, alike.n, 0.95, "s", &narrow);
    threshold_evaluate(&threshold, spread.runs, spread.n, 0.95, "s", &wide);
    ck_assert_int_eq(narrow.verdict, THRESHOLD_PASS);
    ck_assert_double_eq_tol(narrow.observed, 2.996, 0.2); /* ln 20 */
    ck_assert(narrow.interval.low < 2.996 && 2.996 < narrow.interval.high);
    ck_assert_double_gt((wide.interval.high - wide.interval.low) / wide.observed,
                        1.5 * (narrow.interval.high - narrow.interval.low) / narrow.observed);
}
END_TEST

START_TEST(a_count_counts_observations_and_an_empty_replication_counts_0)
{
    g_auto(Runs) runs = {0};
    for (int i = 0; i < 3; i++) {
        Sample *sample = runs_add(&runs);
        sample_add(sample, 5);
        sample_add(sample, 6);
    }
    ck_assert_int_eq(judge(&runs, "count==2"), THRESHOLD_PASS);
    ck_assert_int_eq(judge(&runs, "count>=2"), THRESHOLD_PASS);
    runs_add(&runs);
    runs.runs[3].sample = NULL;
    ck_assert_int_eq(judge(&runs, "count>=2"), THRESHOLD_INCONCLUSIVE);
    assert_message(&runs, "count>=2",
                   "count=1.5, want >=2 (n=4, 95% CI -0.09122 to 3.091, worst rep 3 seed 0x103)");
}
END_TEST

START_TEST(a_value_is_the_last_observation)
{
    g_auto(Runs) runs = {0};
    for (int i = 0; i < 2; i++) {
        Sample *sample = runs_add(&runs);
        sample_add(sample, 1);
        sample_add(sample, 0.99);
    }
    ck_assert_int_eq(judge(&runs, "value>=0.99"), THRESHOLD_PASS);
    ck_assert_int_eq(judge(&runs, "value==0.99"), THRESHOLD_PASS);
}
END_TEST

START_TEST(a_rate_is_the_share_that_is_not_0)
{
    g_auto(Runs) single = {0};
    static const double outcomes[] = {1, 1, 1, 1, 1, 1, 1, 1, 0, 0};
    runs_add_values(&single, outcomes, G_N_ELEMENTS(outcomes));
    ck_assert_int_eq(judge(&single, "rate>0.49"), THRESHOLD_PASS); /* Wilson: 0.4902-0.9433 */
    ck_assert_int_eq(judge(&single, "rate>0.5"), THRESHOLD_INCONCLUSIVE);
    ck_assert_int_eq(judge(&single, "rate<0.49"), THRESHOLD_FAIL);
    assert_message(&single, "rate>0.5",
                   "rate=0.8, want >0.5 (n=10, 95% CI 0.4902-0.9433, worst rep 8 seed 0x108)");
    g_auto(Runs) many = {0};
    for (int i = 0; i < 10; i++) {
        Sample *sample = runs_add(&many);
        for (int k = 0; k < 100; k++) {
            sample_add(sample, k % (5 + i % 2) != 0);
        }
    }
    ck_assert_int_eq(judge(&many, "rate>0.8"), THRESHOLD_PASS); /* 0.80 and 0.83 */
    ck_assert_int_eq(judge(&many, "rate<0.83"), THRESHOLD_PASS);
    ck_assert_int_eq(judge(&many, "rate<0.815"), THRESHOLD_INCONCLUSIVE);
}
END_TEST

/* Ten of ten hits do not prove that all will: that is what the interval is for. */
START_TEST(a_rate_of_1_is_not_certain)
{
    g_auto(Runs) runs = {0};
    static const double outcomes[] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    runs_add_values(&runs, outcomes, G_N_ELEMENTS(outcomes));
    ck_assert_int_eq(judge(&runs, "rate>0.99"), THRESHOLD_INCONCLUSIVE);
    ck_assert_int_eq(judge(&runs, "rate>0.7"), THRESHOLD_PASS);
}
END_TEST

START_TEST(a_replication_without_a_value_keeps_a_threshold_from_passing)
{
    g_auto(Runs) runs = {0};
    runs_add_values(&runs, around_ten, G_N_ELEMENTS(around_ten));
    runs_add(&runs);
    ck_assert_int_eq(judge(&runs, "avg<20"), THRESHOLD_INCONCLUSIVE);
    ck_assert_int_eq(judge(&runs, "max<20"), THRESHOLD_INCONCLUSIVE);
    ck_assert_int_eq(judge(&runs, "avg<5"), THRESHOLD_FAIL);
    assert_message(&runs, "avg<20",
                   "avg=10s, want <20s (n=5, 95% CI 8.037-11.96, worst rep 4 seed 0x104; "
                   "no value in 1 of 6 replications)");
}
END_TEST

START_TEST(the_message_says_what_was_seen_and_what_was_wanted)
{
    g_auto(Runs) runs = {0};
    runs_add_values(&runs, around_ten, G_N_ELEMENTS(around_ten));
    assert_message(&runs, "avg<8",
                   "avg=10s, want <8s (n=5, 95% CI 8.037-11.96, worst rep 4 seed 0x104)");
    assert_message(&runs, "avg>=10.25",
                   "avg=10s, want >=10.25s (n=5, 95% CI 8.037-11.96, worst rep 0 seed 0x100)");
    assert_message(&runs, "max<11", "max=12s, want <11s (n=5, worst rep 4 seed 0x104)");
    assert_message(&runs, "p(99.9)<20",
                   "p(99.9)=12s, want <20s (n=5, 95% CI 12-inf, both bounds need n>=3688, "
                   "worst rep 4 seed 0x104)");
    runs.n = 1;
    assert_message(&runs, "avg<8.5",
                   "avg=8s, want <8.5s (n=1, no interval from one replication, "
                   "rep 0 seed 0x100)");
    assert_message(&runs, "value<8.5", "value=8s, want <8.5s (n=1, rep 0 seed 0x100)");
    runs.n = 5;
}
END_TEST

START_TEST(the_worst_replication_is_the_one_to_look_at)
{
    g_auto(Runs) runs = {0};
    static const double values[] = {5, 9, 1, 9, 1, 4};
    static const struct {
        const char *text;
        int worst;
    } cases[] = {{"avg<5", 1},  {"avg<=5", 1}, {"avg>5", 2},
                 {"avg>=5", 2}, {"avg==8", 2}, {"avg!=4.1", 5}};
    runs_add_values(&runs, values, G_N_ELEMENTS(values));
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        Threshold threshold = parse(cases[i].text);
        g_auto(ThresholdResult) result;
        threshold_evaluate(&threshold, runs.runs, runs.n, 0.95, "s", &result);
        ck_assert_int_eq(result.worst->replication, cases[i].worst);
        ck_assert_uint_eq(result.worst->seed, 0x100 + (uint64_t)cases[i].worst);
    }
}
END_TEST

/* A threshold right at the true mean must neither pass nor fail more often than 2.5 % each. */
START_TEST(wrong_verdicts_are_as_rare_as_the_confidence_says)
{
    RandomStream stream;
    random_stream_init(&stream, 77, 0, "test", "verdicts");
    Dist dist = dist_normal(100, 10);
    int n_verdicts[3] = {0};
    for (int i = 0; i < 4000; i++) {
        g_auto(Runs) runs = {0};
        for (int k = 0; k < 10; k++) {
            sample_add(runs_add(&runs), dist_draw(&dist, &stream));
        }
        n_verdicts[judge(&runs, "avg<100")]++;
    }
    ck_assert_int_lt(abs(n_verdicts[THRESHOLD_PASS] - 100), 40);
    ck_assert_int_lt(abs(n_verdicts[THRESHOLD_FAIL] - 100), 40);
}
END_TEST

START_TEST(verdicts_have_the_names_of_the_result_file)
{
    ck_assert_str_eq(threshold_verdict_name(THRESHOLD_PASS), "pass");
    ck_assert_str_eq(threshold_verdict_name(THRESHOLD_FAIL), "fail");
    ck_assert_str_eq(threshold_verdict_name(THRESHOLD_INCONCLUSIVE), "inconclusive");
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("threshold");
    TCase *tc = tcase_create("threshold");
    tcase_add_test(tc, every_aggregate_is_read);
    tcase_add_test(tc, every_operator_is_read);
    tcase_add_test(tc, blanks_and_every_form_of_number_are_read);
    tcase_add_test(tc, malformed_thresholds_are_refused_and_named);
    tcase_add_test(tc, an_average_passes_fails_or_waits_by_its_t_interval);
    tcase_add_test(tc, an_average_is_over_replications_not_over_observations);
    tcase_add_test(tc, equal_values_are_exact);
    tcase_add_test(tc, extremes_are_compared_as_they_are);
    tcase_add_test(tc, one_replication_decides_only_what_needs_no_interval);
    tcase_add_test(tc, no_replications_decide_nothing);
    tcase_add_test(tc, a_percentile_of_few_replications_has_no_upper_bound);
    tcase_add_test(tc, a_median_is_judged_between_order_statistics);
    tcase_add_test(tc, the_spread_between_replications_widens_the_interval_of_a_percentile);
    tcase_add_test(tc, a_count_counts_observations_and_an_empty_replication_counts_0);
    tcase_add_test(tc, a_value_is_the_last_observation);
    tcase_add_test(tc, a_rate_is_the_share_that_is_not_0);
    tcase_add_test(tc, a_rate_of_1_is_not_certain);
    tcase_add_test(tc, a_replication_without_a_value_keeps_a_threshold_from_passing);
    tcase_add_test(tc, the_message_says_what_was_seen_and_what_was_wanted);
    tcase_add_test(tc, the_worst_replication_is_the_one_to_look_at);
    tcase_add_test(tc, wrong_verdicts_are_as_rare_as_the_confidence_says);
    tcase_add_test(tc, verdicts_have_the_names_of_the_result_file);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
