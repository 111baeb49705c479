/* Skipping calm time: the answers stay what they are without it. */
#include "models/metric.h"
#include "sim/replicate.h"
#include "tests/models/scratch.h"

#include <math.h>

static const char SCENARIO[] =
    "apiVersion: vwire/v1alpha1\n"
    "kind: Scenario\n"
    "metadata: {name: forward}\n"
    "spec:\n"
    "  duration: 4h\n"
    "  calibration: configs/testbed-2022-static.yaml\n"
    "  cluster:\n"
    "    nodes:\n"
    "    - {name: ubuntu, roles: [control-plane], allocatable: {cpu: \"40\", memory: 64Gi}}\n"
    "    - {name: ubuntu153, roles: [worker], allocatable: {cpu: \"40\", memory: 64Gi}}\n"
    "    links:\n"
    "    - {endpoints: [\"ubuntu:eno1\", \"ubuntu153:eno1\"], rate: 1gbit, latency: 150us}\n"
    "  manifests:\n"
    "  - path: scenarios/manifests/spire\n"
    "  - {path: scenarios/manifests/nsm-v1.4.0, startTime: 40s}\n"
    "  - {path: scenarios/manifests/local-sfc, startTime: 90s}\n"
    "%s"
    "  faults:\n"
    "  - {preset: local-forwarder-death, startTime: 150s, meanTimeBetween: 20m}\n"
    "  - {preset: local-nse-death, startTime: 150s, meanTimeBetween: 20m}\n"
    "  - {preset: local-nsmgr-restart, startTime: 150s, meanTimeBetween: 20m}\n"
    "  outputs: {formats: [summary.json]}\n";

static Scenario *
load(const char *extra)
{
    g_autofree char *text = g_strdup_printf(SCENARIO, extra);
    scratch_write("forward.yaml", text);
    g_autofree char *path = scratch_path("forward.yaml");
    g_autoptr(GError) error = NULL;
    Scenario *scenario = scenario_load(path, NULL, &error);
    ck_assert_msg(scenario != NULL, "%s", error != NULL ? error->message : "");
    return scenario;
}

static Study *
run(const char *extra, int count, uint64_t *n_events)
{
    g_autoptr(Scenario) scenario = load(extra);
    g_autoptr(Chains) chains = chains_find(scenario);
    ReplicateOptions options = {.seed = 1, .count = count, .only = -1, .jobs = 1};
    g_autoptr(GError) error = NULL;
    Study *study = replicate(scenario, chains, &options, &error);
    ck_assert_msg(study != NULL, "%s", error != NULL ? error->message : "");
    *n_events = 0;
    for (guint k = 0; k < study->outcomes->len; k++) {
        *n_events += ((const Outcome *)g_ptr_array_index(study->outcomes, k))->n_events;
    }
    return study;
}

static Sample
values_of(const Study *study, const char *metric)
{
    const MetricSeries *series = study_series(study, metric);
    ck_assert_msg(series != NULL, "%s", metric);
    Sample sample = {0};
    series_values(series, &sample);
    return sample;
}

/* Both means may be the same: their difference is within three standard errors. */
static void
check_equal(const Study *a, const Study *b, const char *metric)
{
    g_auto(Sample) x = values_of(a, metric), y = values_of(b, metric);
    double error = sqrt(sample_variance(&x) / (double)x.n + sample_variance(&y) / (double)y.n);
    ck_assert_msg(fabs(x.mean - y.mean) <= 3 * error, "%s: %g and %g, standard error %g", metric,
                  x.mean, y.mean, error);
}

START_TEST(calm_time_that_is_skipped_changes_no_answer)
{
    uint64_t n_full, n_skipped;
    g_autoptr(Study) full = run("", 12, &n_full);
    g_autoptr(Study) skipped = run("  fastForward: {after: 30s}\n", 12, &n_skipped);
    check_equal(full, skipped, "sfc_downtime_seconds{chain=\"sfc-sc-chain\"}");
    check_equal(full, skipped, "sfc_path_up_ratio{chain=\"sfc-sc-chain\"}");
    check_equal(full, skipped,
                "sfc_recovery_seconds{chain=\"sfc-sc-chain\",fault=\"local-forwarder-death\"}");
    check_equal(full, skipped,
                "sfc_recovery_seconds{chain=\"sfc-sc-chain\",fault=\"local-nse-death\"}");
    check_equal(full, skipped,
                "sfc_recovery_seconds{chain=\"sfc-sc-chain\",fault=\"local-nsmgr-restart\"}");
    ck_assert_uint_lt(n_skipped * 2, n_full);
}
END_TEST

START_TEST(the_same_faults_strike_at_the_same_times)
{
    uint64_t n;
    g_autoptr(Study) full = run("", 2, &n);
    g_autoptr(Study) skipped = run("  fastForward: {after: 30s}\n", 2, &n);
    static const char *const faults[] = {"local-forwarder-death", "local-nse-death",
                                         "local-nsmgr-restart"};
    for (guint i = 0; i < G_N_ELEMENTS(faults); i++) {
        g_autofree char *metric = g_strdup_printf("faults_injected_total{fault=\"%s\"}", faults[i]);
        g_auto(Sample) x = values_of(full, metric), y = values_of(skipped, metric);
        ck_assert_double_eq(x.values[0], y.values[0]);
        ck_assert_double_eq(x.values[1], y.values[1]);
        ck_assert_double_gt(x.values[0], 2);
    }
}
END_TEST

/* What containers used goes on while nothing is simulated. */
START_TEST(cpu_time_goes_on_while_calm_time_is_skipped)
{
    uint64_t n;
    g_autoptr(Study) full = run("", 2, &n);
    g_autoptr(Study) skipped = run("  fastForward: {after: 30s}\n", 2, &n);
    static const char *const components[] = {"nsmgr", "forwarder-vpp", "registry-k8s"};
    for (guint i = 0; i < G_N_ELEMENTS(components); i++) {
        g_autofree char *metric =
            g_strdup_printf("component_cpu_seconds_total{component=\"%s\"}", components[i]);
        g_auto(Sample) x = values_of(full, metric), y = values_of(skipped, metric);
        ck_assert_double_le(fabs(x.mean - y.mean),
                            0.2 * x.mean); /* refreshes each 120 s are seldom in the calm time */
    }
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("fast forward");
    TCase *tests = tcase_create("fast forward");
    tcase_add_checked_fixture(tests, scratch_setup, scratch_teardown);
    tcase_add_test(tests, calm_time_that_is_skipped_changes_no_answer);
    tcase_add_test(tests, the_same_faults_strike_at_the_same_times);
    tcase_add_test(tests, cpu_time_goes_on_while_calm_time_is_skipped);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
