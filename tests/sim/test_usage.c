/* What Pods use: counters by whole Pods, phases, usage.csv. */
#include "sim/phases.h"
#include "sim/replicate.h"
#include "sim/usagelog.h"
#include "sim/world_types.h"
#include "tests/models/scratch.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A scenario with SPIRE at 0, NSM at 40 s and the video chain at 120 s. */
#define SCENARIO                                                                                   \
    "apiVersion: vwire/v1alpha1\n"                                                                 \
    "kind: Scenario\n"                                                                             \
    "metadata: {name: usage}\n"                                                                    \
    "spec:\n"                                                                                      \
    "  duration: 200s\n"                                                                           \
    "  calibration: configs/testbed-2022.yaml\n"                                                   \
    "  cluster:\n"                                                                                 \
    "    nodes:\n"                                                                                 \
    "    - {name: ubuntu, allocatable: {cpu: 40, memory: 64Gi}}\n"                                 \
    "    - {name: ubuntu153, allocatable: {cpu: 40, memory: 64Gi}}\n"                              \
    "    defaultLink: {rate: 1gbit, latency: 150us}\n"                                             \
    "  manifests:\n"                                                                               \
    "  - path: scenarios/manifests/spire\n"                                                        \
    "  - {path: scenarios/manifests/nsm-v1.4.0, startTime: 40s}\n"
#define CHAIN "  - {path: scenarios/manifests/video-sfc, startTime: 120s}\n"
#define SECOND "  - {path: scenarios/manifests/video-sfc-2, startTime: 125s}\n"
#define KILL                                                                                       \
    "  faults:\n"                                                                                  \
    "  - {name: kill, kind: PodChaos, action: pod-kill, mode: all, startTime: 160s,\n"             \
    "     selector: {namespaces: [nsm-system], labelSelectors: {app: forwarder-vpp}}}\n"

/* ---- one run ---- */

typedef struct Run {
    TraceSink sink; /* first: it is the run */
    Scenario *scenario;
    Chains *chains;
    World *world;
    Recovery *recovery;
    Phases *phases;
    Outcome *outcome;
    nsec_t settled; /* when the last Pod became Ready before the first chain's submission */
    nsec_t ready;   /* when the last Pod was Ready for the first time */
    nsec_t struck;
} Run;

static void
on_mark(TraceSink *sink, const TraceEvent *event)
{
    Run *run = (Run *)sink;
    if (event->mark == TRACE_POD_READY && event->at < 120 * NSEC_PER_SEC) {
        run->settled = event->at;
    } else if (event->mark == TRACE_POD_READY && run->struck == 0) {
        run->ready = event->at;
    } else if (event->mark == TRACE_FAULT_INJECTED && run->struck == 0) {
        run->struck = event->at;
    }
}

static Run *
run_new(const char *rest)
{
    g_autofree char *file = g_build_filename(scratch, "s.yaml", NULL);
    g_autofree char *text = g_strconcat(SCENARIO, rest, NULL);
    ck_assert(g_file_set_contents(file, text, -1, NULL));
    Run *run = g_new0(Run, 1);
    g_autoptr(GError) error = NULL;
    run->sink.event = on_mark;
    run->scenario = scenario_load(file, NULL, &error);
    ck_assert_msg(run->scenario != NULL, "%s", error != NULL ? error->message : "");
    run->chains = chains_find(run->scenario);
    run->world = world_new(run->scenario, 1, 0);
    world_set_chains(run->world, run->chains);
    run->recovery = recovery_new(run->scenario, run->chains);
    run->phases = phases_new(run->world, run->scenario, run->chains, run->recovery);
    world_add_sink(run->world, &run->sink);
    world_add_sink(run->world, recovery_sink(run->recovery));
    world_add_sink(run->world, phases_sink(run->phases));
    return run;
}

static void
collect(Run *run)
{
    run->outcome = g_new0(Outcome, 1);
    run->outcome->values = g_ptr_array_new();
    run->outcome->chains = g_ptr_array_new();
    run->outcome->pods = g_ptr_array_new();
    run->outcome->problems = g_ptr_array_new();
    phases_collect(run->phases, run->outcome);
}

static Run *
run_all(const char *rest)
{
    Run *run = run_new(rest);
    world_run(run->world, run->scenario->duration);
    collect(run);
    return run;
}

static void
run_free(Run *run)
{
    world_free(run->world);
    phases_free(run->phases);
    recovery_free(run->recovery);
    if (run->outcome != NULL) {
        for (guint i = 0; i < run->outcome->values->len; i++) {
            OutcomeValue *value = g_ptr_array_index(run->outcome->values, i);
            g_free(value->metric);
            g_free(value);
        }
        outcome_free(run->outcome);
    }
    chains_free(run->chains);
    scenario_free(run->scenario);
    g_free(run);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Run, run_free)

static double
value_of(const Run *run, const char *metric)
{
    for (guint i = 0; i < run->outcome->values->len; i++) {
        const OutcomeValue *value = g_ptr_array_index(run->outcome->values, i);
        if (g_str_equal(value->metric, metric)) {
            return value->value;
        }
    }
    return NAN;
}

static double
length(const Run *run, UsagePhase phase)
{
    return nsec_to_seconds(phases_length(run->phases, phase));
}

/* ---- phases ---- */

START_TEST(a_run_is_cut_at_settling_submission_and_readiness)
{
    g_autoptr(Run) run = run_all(CHAIN);
    double settled = nsec_to_seconds(run->settled) + 30, ready = nsec_to_seconds(run->ready);
    ck_assert_double_gt(ready, 125);
    ck_assert_double_eq_tol(length(run, USAGE_STARTUP), settled, 1e-9);
    ck_assert_double_eq_tol(length(run, USAGE_IDLE), 120 - settled, 1e-9);
    ck_assert_double_eq_tol(length(run, USAGE_DEPLOYMENT), ready - 120, 1e-9);
    ck_assert_double_eq_tol(length(run, USAGE_STEADY), 200 - ready, 1e-9);
    ck_assert_double_eq(length(run, USAGE_RECOVERY), 0);
}
END_TEST

START_TEST(deployments_that_overlap_are_one)
{
    g_autoptr(Run) run = run_all(CHAIN SECOND);
    double ready = nsec_to_seconds(run->ready);
    ck_assert_double_gt(ready, 130);
    ck_assert_double_eq_tol(length(run, USAGE_DEPLOYMENT), ready - 120, 1e-9);
    ck_assert_uint_eq(phases_usage(run->phases, USAGE_DEPLOYMENT, COMPONENT_NSMGR)->n_ends, 1);
}
END_TEST

START_TEST(without_a_chain_a_run_is_idle_once_it_has_settled)
{
    g_autoptr(Run) run = run_all("");
    ck_assert_double_eq_tol(length(run, USAGE_IDLE), 200 - nsec_to_seconds(run->settled) - 30,
                            1e-9);
    ck_assert_double_eq(length(run, USAGE_DEPLOYMENT) + length(run, USAGE_STEADY), 0);
}
END_TEST

START_TEST(recovery_begins_with_the_strike_and_ends_when_all_is_well)
{
    g_autoptr(Run) run = run_all(CHAIN KILL);
    double struck = nsec_to_seconds(run->struck), ready = nsec_to_seconds(run->ready);
    ck_assert_double_ge(struck, 160);
    ck_assert_double_gt(length(run, USAGE_RECOVERY), 1);
    ck_assert_double_eq_tol(length(run, USAGE_STEADY) + length(run, USAGE_RECOVERY), 200 - ready,
                            1e-9);
}
END_TEST

/* ---- sums ---- */

/* Of all phases; and of all containers of the component's Pods, gone or not. */
static void
check_sums(const Run *run)
{
    PodUsage pods[N_COMPONENTS];
    ComponentUsage containers[N_COMPONENTS];
    world_pod_usage(run->world, pods);
    world_component_usage(run->world, containers);
    double by_pods = 0, by_containers = 0;
    for (int c = 0; c < N_COMPONENTS; c++) {
        double cpu = 0, pod_seconds = 0;
        for (int phase = 0; phase < N_USAGE_PHASES; phase++) {
            const PhaseUsage *one = phases_usage(run->phases, (UsagePhase)phase, (Component)c);
            ck_assert_double_ge(one->cpu, -1e-9);
            cpu += one->cpu;
            pod_seconds += one->pod_seconds;
        }
        ck_assert_double_eq_tol(cpu, pods[c].cpu, 1e-6);
        ck_assert_double_eq_tol(pod_seconds, pods[c].pod_seconds, 1e-6);
        by_pods += pods[c].cpu;
        by_containers += containers[c].in_pods ? containers[c].cpu : 0;
    }
    ck_assert_double_gt(by_pods, 1);
    ck_assert_double_eq_tol(by_pods, by_containers, 1e-6);
}

START_TEST(the_phases_add_up_to_all_that_was_used)
{
    g_autoptr(Run) run = run_all(CHAIN SECOND);
    check_sums(run);
}
END_TEST

START_TEST(pods_that_are_gone_count)
{
    g_autoptr(Run) run = run_new(CHAIN KILL);
    world_run(run->world, 159 * NSEC_PER_SEC);
    PodUsage before[N_COMPONENTS], after[N_COMPONENTS];
    world_pod_usage(run->world, before);
    ck_assert_uint_eq(before[COMPONENT_FORWARDER].n_pods, 2);
    world_run(run->world, 200 * NSEC_PER_SEC);
    world_pod_usage(run->world, after);
    ck_assert_uint_eq(after[COMPONENT_FORWARDER].n_pods, 2);
    ck_assert_double_gt(run->world->pod_meters[COMPONENT_FORWARDER].retired_cpu, 1);
    for (int c = 0; c < N_COMPONENTS; c++) {
        ck_assert_double_ge(after[c].cpu, before[c].cpu);
    }
    double more = after[COMPONENT_FORWARDER].pod_seconds - before[COMPONENT_FORWARDER].pod_seconds;
    ck_assert_double_lt(more, 2 * 41.0); /* while a replacement starts none runs */
    ck_assert_double_gt(more, 2 * 20.0);
    collect(run);
    check_sums(run);
}
END_TEST

START_TEST(a_pod_counts_whole)
{
    g_autoptr(Run) run = run_all("");
    const MemoryModel *memory = run->scenario->calibration->memory;
    double manager = value_of(run, "component_memory_bytes{component=\"nsmgr\",phase=\"idle\"}");
    double all = (double)(memory[COMPONENT_NSMGR].start + memory[COMPONENT_APP].start +
                          memory[COMPONENT_NSMGR].endpoint); /* its node's forwarder */
    ck_assert_double_eq_tol(manager, all, 1);
}
END_TEST

START_TEST(the_control_plane_is_one_pod_of_each)
{
    g_autoptr(Run) run = run_all(CHAIN);
    static const char *const names[] = {"registry-k8s", "nsmgr", "forwarder-vpp",
                                        "admission-webhook-k8s"};
    static const char *const metrics[] = {"component_cpu_cores", "component_memory_bytes"};
    static const char *const phases[] = {"idle", "deployment", "steady"};
    for (guint i = 0; i < G_N_ELEMENTS(metrics) * G_N_ELEMENTS(phases); i++) {
        const char *metric = metrics[i % 2], *phase = phases[i / 2];
        double sum = 0;
        for (guint k = 0; k < G_N_ELEMENTS(names); k++) {
            g_autofree char *key =
                g_strdup_printf("%s{component=\"%s\",phase=\"%s\"}", metric, names[k], phase);
            sum += value_of(run, key);
        }
        g_autofree char *key =
            g_strdup_printf("%s{component=\"control-plane\",phase=\"%s\"}", metric, phase);
        ck_assert_double_gt(sum, 0);
        ck_assert_double_eq_tol(value_of(run, key), sum, 1e-6 * sum);
    }
}
END_TEST

START_TEST(background_use_delays_nothing)
{
    nsec_t ready[2];
    double cpu[2];
    for (int i = 0; i < 2; i++) {
        g_autoptr(Run) run = run_new(CHAIN);
        Demand *demand =
            &run->scenario->calibration->demands[COMPONENT_FORWARDER][MESSAGE_NSM_CONNECTION];
        ck_assert_double_gt(demand->background, 0);
        demand->background = i == 0 ? 0 : 10;
        world_run(run->world, 140 * NSEC_PER_SEC);
        PodUsage usage[N_COMPONENTS];
        world_pod_usage(run->world, usage);
        ready[i] = run->ready;
        cpu[i] = usage[COMPONENT_FORWARDER].cpu;
    }
    ck_assert_int_eq(ready[0], ready[1]);
    double n = (cpu[1] - cpu[0]) / 10; /* answers that passed */
    ck_assert_double_ge(n, 2);
    ck_assert_double_eq_tol(n, round(n), 1e-6);
}
END_TEST

/* ---- usage.csv ---- */

START_TEST(usage_csv_has_one_row_for_each_component_and_interval)
{
    g_autoptr(Run) run = run_new(CHAIN);
    g_autofree char *path = g_build_filename(scratch, "usage.csv", NULL);
    g_autofree char *temporary = g_strconcat(path, ".tmp", NULL);
    UsageLog *log = usage_log_open(path, run->world, 15 * NSEC_PER_SEC, NULL);
    world_run(run->world, run->scenario->duration);
    usage_log_end(log);
    ck_assert(!g_file_test(path, G_FILE_TEST_EXISTS));
    ck_assert(usage_log_close(log, NULL));
    ck_assert(!g_file_test(temporary, G_FILE_TEST_EXISTS));

    g_autofree char *text = NULL;
    ck_assert(g_file_get_contents(path, &text, NULL, NULL));
    ck_assert(g_str_has_suffix(text, "\n"));
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    ck_assert_str_eq(lines[0], "time [s],component,pods,cpu [cores],memory [bytes]");
    guint n = 0;
    double before = 0, begun = 0, cpu = 0, memory = 0;
    for (char **line = lines + 1; **line != '\0'; line++, n++) {
        g_auto(GStrv) cells = g_strsplit(*line, ",", -1);
        ck_assert_uint_eq(g_strv_length(cells), 5);
        double time = g_ascii_strtod(cells[0], NULL);
        ck_assert_double_ge(time, before);
        ck_assert(time == 200 || fmod(time, 15) == 0);
        begun = time > before ? before : begun;
        before = time;
        if (g_str_equal(cells[1], "nsmgr")) {
            cpu += g_ascii_strtod(cells[3], NULL) * (time - begun);
            memory = g_ascii_strtod(cells[4], NULL);
        }
        ck_assert_double_ge(g_ascii_strtod(cells[3], NULL), 0);
    }
    ck_assert_uint_le(n, 14 * N_COMPONENTS);
    ck_assert_double_eq(before, 200);
    PodUsage usage[N_COMPONENTS];
    world_pod_usage(run->world, usage);
    ck_assert_double_eq_tol(cpu, usage[COMPONENT_NSMGR].cpu, 1e-3);
    ck_assert_double_eq(memory, usage[COMPONENT_NSMGR].memory);
}
END_TEST

START_TEST(an_interrupted_usage_csv_leaves_nothing)
{
    g_autoptr(Run) run = run_new("");
    g_autofree char *path = g_build_filename(scratch, "usage.csv", NULL);
    g_autofree char *temporary = g_strconcat(path, ".tmp", NULL);
    UsageLog *log = usage_log_open(path, run->world, NSEC_PER_SEC, NULL);
    world_run(run->world, 20 * NSEC_PER_SEC);
    ck_assert(g_file_test(temporary, G_FILE_TEST_EXISTS));
    usage_log_end(log);
    usage_log_discard(log);
    ck_assert(!g_file_test(temporary, G_FILE_TEST_EXISTS));
    ck_assert(!g_file_test(path, G_FILE_TEST_EXISTS));
}
END_TEST

START_TEST(a_directory_that_is_not_there_is_an_error)
{
    g_autoptr(Run) run = run_new("");
    g_autoptr(GError) error = NULL;
    ck_assert_ptr_null(usage_log_open("/nowhere/usage.csv", run->world, 15 * NSEC_PER_SEC, &error));
    ck_assert_ptr_nonnull(strstr(error->message, "/nowhere/usage.csv"));
}
END_TEST

/* ---- the testbed ---- */

START_TEST(the_resources_of_the_testbed_are_met)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Scenario) scenario = scenario_load("scenarios/testbed/resources.yaml", NULL, &error);
    ck_assert_msg(scenario != NULL, "%s", error != NULL ? error->message : "");
    g_autoptr(Chains) chains = chains_find(scenario);
    ReplicateOptions options = {.seed = 1, .only = -1, .usage_dir = scratch};
    g_autoptr(Study) study = replicate(scenario, chains, &options, &error);
    ck_assert_ptr_nonnull(study);
    ck_assert_uint_gt(study->thresholds->len, 20);
    for (guint i = 0; i < study->thresholds->len; i++) {
        const ThresholdOutcome *one = g_ptr_array_index(study->thresholds, i);
        ck_assert_msg(one->verdict == THRESHOLD_PASS, "%s: %s", one->metric, one->message);
    }
    const MetricSeries *kills =
        study_series(study, "component_oom_kills_total{component=\"nsmgr\"}");
    g_auto(Sample) sample = {0};
    series_values(kills, &sample);
    ck_assert_double_eq(sample.max, 0);
    g_autofree char *last = g_build_filename(scratch, "rep-19", "usage.csv", NULL);
    ck_assert(g_file_test(last, G_FILE_TEST_EXISTS));
}
END_TEST

static TCase *
new_case(Suite *suite, const char *name)
{
    TCase *one = tcase_create(name);
    tcase_add_checked_fixture(one, scratch_setup, scratch_teardown);
    suite_add_tcase(suite, one);
    return one;
}

static Suite *
usage_suite(void)
{
    Suite *suite = suite_create("usage");
    TCase *phases = new_case(suite, "phases");
    tcase_add_test(phases, a_run_is_cut_at_settling_submission_and_readiness);
    tcase_add_test(phases, deployments_that_overlap_are_one);
    tcase_add_test(phases, without_a_chain_a_run_is_idle_once_it_has_settled);
    tcase_add_test(phases, recovery_begins_with_the_strike_and_ends_when_all_is_well);
    TCase *sums = new_case(suite, "sums");
    tcase_add_test(sums, the_phases_add_up_to_all_that_was_used);
    tcase_add_test(sums, pods_that_are_gone_count);
    tcase_add_test(sums, a_pod_counts_whole);
    tcase_add_test(sums, the_control_plane_is_one_pod_of_each);
    tcase_add_test(sums, background_use_delays_nothing);
    TCase *csv = new_case(suite, "usage.csv");
    tcase_add_test(csv, usage_csv_has_one_row_for_each_component_and_interval);
    tcase_add_test(csv, an_interrupted_usage_csv_leaves_nothing);
    tcase_add_test(csv, a_directory_that_is_not_there_is_an_error);
    TCase *testbed = new_case(suite, "testbed");
    tcase_add_test(testbed, the_resources_of_the_testbed_are_met);
    return suite;
}

int
main(void)
{
    SRunner *runner = srunner_create(usage_suite());
    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
