/* Series and thresholds over replications with several observations each, when replications stop,
 * and fingerprints.  Outcomes are made by hand, as a world would leave them. */
#include "sim/fingerprint.h"
#include "sim/replicate.h"

#include <check.h>
#include <stdlib.h>

#define RECOVERY "sfc_recovery_seconds{chain=\"a\",fault=\"f\"}"

static Outcome *
make_outcome(uint32_t replication)
{
    Outcome *outcome = g_new0(Outcome, 1);
    outcome->replication = replication;
    outcome->seed = 7;
    outcome->values = g_ptr_array_new_with_free_func(outcome_value_free);
    outcome->chains = g_ptr_array_new();
    outcome->pods = g_ptr_array_new();
    outcome->problems = g_ptr_array_new();
    return outcome;
}

static MetricKey *
key_of(const char *text)
{
    MetricKey *key = metric_key_parse(text, NULL);
    ck_assert_ptr_nonnull(key);
    return key;
}

static void
observe(Outcome *outcome, const char *metric, const double *values, guint n)
{
    Sample sample = {0};
    for (guint i = 0; i < n; i++) {
        sample_add(&sample, values[i]);
    }
    outcome_add_sample(outcome, key_of(metric), "s", &sample);
    ck_assert_uint_eq(sample.n, 0);
    ck_assert_ptr_null(sample.values);
}

/* A scenario of which only what judging reads is there. */
static Scenario
make_scenario(ScenarioThreshold *thresholds, guint n)
{
    for (guint i = 0; i < n; i++) {
        ck_assert(threshold_parse(thresholds[i].text, &thresholds[i].threshold, NULL));
    }
    return (Scenario){.replications = {.count = 2, .confidence = 0.95, .max = 100},
                      .thresholds = thresholds,
                      .n_thresholds = n};
}

static const struct {
    guint n;
    double values[4];
} strikes[] = {{3, {1, 2, 9}}, {1, {4}}, {0, {0}}, {2, {3, 5}}, {4, {2, 2, 2, 2}}};

static Study *
struck_study(const Scenario *scenario)
{
    Outcome *outcomes[G_N_ELEMENTS(strikes)];
    for (guint k = 0; k < G_N_ELEMENTS(strikes); k++) {
        outcomes[k] = make_outcome(k);
        observe(outcomes[k], RECOVERY, strikes[k].values, strikes[k].n);
        outcome_add(outcomes[k], key_of("sfc_path_up{chain=\"a\"}"), "", 1);
    }
    Study *study = study_new();
    study_take(study, scenario, outcomes, 2);
    study_take(study, scenario, outcomes + 2, G_N_ELEMENTS(strikes) - 2);
    return study;
}

START_TEST(a_run_has_the_mean_of_its_observations_and_none_where_there_were_none)
{
    Scenario scenario = make_scenario(NULL, 0);
    g_autoptr(Study) study = struck_study(&scenario);
    const MetricSeries *series = study_series(study, RECOVERY);
    ck_assert_ptr_nonnull(series);
    ck_assert_uint_eq(series->values->len, 5);
    const double *values = (const double *)series->values->data;
    ck_assert_double_eq(values[0], 4);
    ck_assert_double_eq(values[1], 4);
    ck_assert_double_nan(values[2]);
    ck_assert_double_eq(values[3], 4);
    ck_assert_double_eq(values[4], 2);
}
END_TEST

START_TEST(means_are_over_replications_and_quantiles_over_all_observations)
{
    Scenario scenario = make_scenario(NULL, 0);
    g_autoptr(Study) study = struck_study(&scenario);
    g_auto(Sample) values = {0}, pooled = {0};
    series_values(study_series(study, RECOVERY), &values);
    series_pooled(study_series(study, RECOVERY), &pooled);
    ck_assert_uint_eq(values.n, 4);
    ck_assert_double_eq(values.mean, 3.5);
    ck_assert_uint_eq(pooled.n, 10);
    ck_assert_double_eq(pooled.min, 1);
    ck_assert_double_eq(pooled.max, 9);
    ck_assert_double_eq(sample_quantile(&pooled, 0.5), 2);
}
END_TEST

START_TEST(thresholds_see_every_observation)
{
    ScenarioThreshold thresholds[] = {
        {.metric = (char *)"sfc_recovery_seconds{fault=\"f\"}", .text = (char *)"max<8"},
        {.metric = (char *)"sfc_recovery_seconds{fault=\"f\"}", .text = (char *)"count>=0"},
        {.metric = (char *)"sfc_recovery_seconds{fault=\"other\"}", .text = (char *)"avg<8"},
    };
    Scenario scenario = make_scenario(thresholds, G_N_ELEMENTS(thresholds));
    g_autoptr(Study) study = struck_study(&scenario);
    ck_assert_uint_eq(study->thresholds->len, 3);
    const ThresholdOutcome *max = g_ptr_array_index(study->thresholds, 0);
    ck_assert_str_eq(max->metric, RECOVERY);
    ck_assert_double_eq(max->observed, 9);
    ck_assert_int_eq(max->verdict, THRESHOLD_FAIL);
    ck_assert(max->has_worst);
    ck_assert_uint_eq(max->worst, 0);
    const ThresholdOutcome *count = g_ptr_array_index(study->thresholds, 1);
    ck_assert_double_eq(count->observed, 2); /* (3 + 1 + 0 + 2 + 4) / 5 */
    ck_assert_uint_eq(count->worst, 2);
    const ThresholdOutcome *none = g_ptr_array_index(study->thresholds, 2);
    ck_assert_int_eq(none->verdict, THRESHOLD_INCONCLUSIVE);
    ck_assert(!none->has_worst);
    ck_assert(!study->passed);
}
END_TEST

START_TEST(series_are_sorted_by_metric_whatever_came_first)
{
    Scenario scenario = make_scenario(NULL, 0);
    Outcome *outcomes[2] = {make_outcome(0), make_outcome(1)};
    outcome_add(outcomes[0], key_of("b"), "s", 1);
    outcome_add(outcomes[1], key_of("c"), "s", 3);
    outcome_add(outcomes[1], key_of("a"), "s", 2);
    g_autoptr(Study) study = study_new();
    study_take(study, &scenario, outcomes, 2);
    static const char *const names[] = {"a", "b", "c"};
    ck_assert_uint_eq(study->series->len, G_N_ELEMENTS(names));
    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        const MetricSeries *series = g_ptr_array_index(study->series, i);
        ck_assert_str_eq(series->metric, names[i]);
        ck_assert_uint_eq(series->values->len, 2);
        ck_assert_ptr_eq(study_series(study, names[i]), series);
    }
    ck_assert_ptr_null(study_series(study, "d"));
}
END_TEST

START_TEST(an_observation_of_one_is_a_value_and_of_none_nothing)
{
    Outcome *outcome = make_outcome(0);
    static const double values[] = {3, 5};
    observe(outcome, RECOVERY, values, 1);
    observe(outcome, "nothing", values, 0);
    observe(outcome, "two", values, 2);
    ck_assert_uint_eq(outcome->values->len, 2);
    const OutcomeValue *one = g_ptr_array_index(outcome->values, 0);
    ck_assert_double_eq(one->value, 3);
    ck_assert_ptr_null(one->sample);
    const OutcomeValue *two = g_ptr_array_index(outcome->values, 1);
    ck_assert_double_eq(two->value, 4);
    ck_assert_uint_eq(two->sample->n, 2);
    outcome_free(outcome);
}
END_TEST

/* ---- when to stop ---- */

static const struct {
    const char *metric;
    double spread;
    bool wants_more;
} precisions[] = {
    {"sfc_init_seconds{chain=\"a\"}", 5, true},
    {"sfc_init_seconds{chain=\"a\"}", 0.1, false},
    {RECOVERY, 5, true},
    {RECOVERY, 0.1, false},
    {"sfc_init_seconds_total", 5, false},
    {"pod_ready_seconds{pod=\"a\"}", 5, false},
};

START_TEST(precision_is_asked_of_initialisation_and_recovery)
{
    Scenario scenario = make_scenario(NULL, 0);
    scenario.replications.relative_precision = 0.1;
    Outcome *outcomes[4];
    for (guint k = 0; k < 4; k++) {
        outcomes[k] = make_outcome(k);
        outcome_add(outcomes[k], key_of(precisions[_i].metric), "s",
                    10 + (k % 2 == 0 ? -1 : 1) * precisions[_i].spread);
    }
    g_autoptr(Study) study = study_new();
    study_take(study, &scenario, outcomes, 4);
    ck_assert(study_wants_more(study, &scenario) == precisions[_i].wants_more);
    scenario.replications.relative_precision = 0;
    ck_assert(!study_wants_more(study, &scenario));
}
END_TEST

/* Quadratic or not: ten times as many take much less than a hundred times as long. */
START_TEST(ten_thousand_replications_are_judged_at_once)
{
    enum { N = 10000, METRICS = 20 };
    ScenarioThreshold thresholds[] = {{.metric = (char *)"m", .text = (char *)"p(95)<2"}};
    Scenario scenario = make_scenario(thresholds, 1);
    g_autofree Outcome **outcomes = g_new(Outcome *, N);
    for (guint k = 0; k < N; k++) {
        outcomes[k] = make_outcome(k);
        for (int m = 0; m < METRICS; m++) {
            g_autofree char *name = g_strdup_printf("m{i=\"%d\"}", m);
            outcome_add(outcomes[k], key_of(name), "s", k % 7);
        }
    }
    gint64 began = g_get_monotonic_time();
    g_autoptr(Study) study = study_new();
    study_take(study, &scenario, outcomes, N);
    ck_assert_uint_eq(study->thresholds->len, METRICS);
    ck_assert_int_lt(g_get_monotonic_time() - began, 5 * G_USEC_PER_SEC);
}
END_TEST

/* ---- fingerprints ---- */

static uint64_t
print_of(const TraceEvent *events, guint n)
{
    Fingerprint fingerprint;
    fingerprint_init(&fingerprint);
    TraceSink *sink = fingerprint_sink(&fingerprint);
    for (guint i = 0; i < n; i++) {
        sink->event(sink, &events[i]);
    }
    return fingerprint_value(&fingerprint);
}

START_TEST(a_fingerprint_is_fnv_1a_of_time_mark_and_subject)
{
    ck_assert_uint_eq(print_of(NULL, 0), UINT64_C(0xcbf29ce484222325));
    /* Of 01 02 00 00 00 00 00 00 "pod-ready" 00 "ns/web" 00, by another program. */
    const TraceEvent event = {.at = 0x201, .mark = TRACE_POD_READY, .subject = "ns/web"};
    ck_assert_uint_eq(print_of(&event, 1), UINT64_C(0x53d3754550f719f1));
}
END_TEST

START_TEST(a_fingerprint_changes_with_time_mark_subject_and_order_and_nothing_else)
{
    const TraceEvent a = {.at = 5, .mark = TRACE_POD_READY, .subject = "x"};
    const TraceEvent b = {.at = 5, .mark = TRACE_POD_CREATED, .subject = "x"};
    TraceEvent later = a, other = a, same = a;
    later.at = 6;
    other.subject = "y";
    same.detail = "detail";
    same.value = 3;
    same.component = "kubelet";
    ck_assert_uint_eq(print_of(&a, 1), print_of(&same, 1));
    ck_assert_uint_ne(print_of(&a, 1), print_of(&b, 1));
    ck_assert_uint_ne(print_of(&a, 1), print_of(&later, 1));
    ck_assert_uint_ne(print_of(&a, 1), print_of(&other, 1));
    const TraceEvent ab[] = {a, b}, ba[] = {b, a};
    ck_assert_uint_ne(print_of(ab, 2), print_of(ba, 2));
}
END_TEST

START_TEST(a_fingerprint_is_written_with_all_its_digits)
{
    g_autofree char *text = fingerprint_format(UINT64_C(0x12ab));
    ck_assert_str_eq(text, "00000000000012ab");
}
END_TEST

START_TEST(a_study_has_the_fingerprint_of_replication_0_whatever_the_jobs)
{
    g_autoptr(Scenario) scenario =
        scenario_load("scenarios/regression/unschedulable.yaml", NULL, NULL);
    ck_assert_ptr_nonnull(scenario);
    g_autoptr(Chains) chains = chains_find(scenario);
    const ReplicateOptions runs[] = {
        {.seed = 1, .count = 1, .only = -1, .jobs = 1},
        {.seed = 1, .count = 6, .only = -1, .jobs = 3},
        {.seed = 1, .only = 0, .jobs = 1},
        {.seed = 1, .only = 4, .jobs = 1},
        {.seed = 2, .only = 0, .jobs = 1},
    };
    uint64_t prints[G_N_ELEMENTS(runs)];
    for (guint i = 0; i < G_N_ELEMENTS(runs); i++) {
        g_autoptr(Study) study = replicate(scenario, chains, &runs[i], NULL);
        prints[i] = study->fingerprint;
    }
    ck_assert_uint_ne(prints[0], 0);
    ck_assert_uint_eq(prints[1], prints[0]);
    ck_assert_uint_eq(prints[2], prints[0]);
    ck_assert_uint_eq(prints[3], 0);
    ck_assert_uint_ne(prints[4], prints[0]);
}
END_TEST

static Suite *
replicate_suite(void)
{
    Suite *suite = suite_create("replicate");
    TCase *series = tcase_create("series");
    suite_add_tcase(suite, series);
    tcase_add_test(series, a_run_has_the_mean_of_its_observations_and_none_where_there_were_none);
    tcase_add_test(series, means_are_over_replications_and_quantiles_over_all_observations);
    tcase_add_test(series, thresholds_see_every_observation);
    tcase_add_test(series, series_are_sorted_by_metric_whatever_came_first);
    tcase_add_test(series, an_observation_of_one_is_a_value_and_of_none_nothing);
    TCase *stop = tcase_create("when to stop");
    suite_add_tcase(suite, stop);
    tcase_add_loop_test(stop, precision_is_asked_of_initialisation_and_recovery, 0,
                        G_N_ELEMENTS(precisions));
    tcase_add_test(stop, ten_thousand_replications_are_judged_at_once);
    TCase *prints = tcase_create("fingerprints");
    suite_add_tcase(suite, prints);
    tcase_add_test(prints, a_fingerprint_is_fnv_1a_of_time_mark_and_subject);
    tcase_add_test(prints, a_fingerprint_changes_with_time_mark_subject_and_order_and_nothing_else);
    tcase_add_test(prints, a_fingerprint_is_written_with_all_its_digits);
    tcase_add_test(prints, a_study_has_the_fingerprint_of_replication_0_whatever_the_jobs);
    return suite;
}

int
main(void)
{
    SRunner *runner = srunner_create(replicate_suite());
    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
