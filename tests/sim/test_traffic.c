/* Traffic in whole worlds (sim/traffic.h): iterations, echoes, requests over TCP, what is reported
 * of them.
 *
 * Two kinds of worlds.  With NSM: the testbed's chains, local (client and endpoint on one node) or
 * by its firewall on another.  Without: two Pods on nodes of their own and the cluster's network,
 * the server's node has one core; there requests queue for the CPU as theory says. */
#include "sim/packets.h"
#include "sim/replicate.h"
#include "tests/models/scratch.h"

#include <math.h>
#include <stdlib.h>

/* ---- worlds ---- */

#define HEAD                                                                                       \
    "apiVersion: vwire/v1alpha1\nkind: Scenario\nmetadata: {name: traffic}\nspec:\n"               \
    "  duration: %s\n  calibration: configs/testbed-2022-static.yaml\n"                            \
    "  cluster:\n    nodes:\n"
#define NSM                                                                                        \
    "    - {name: ubuntu, roles: [control-plane], allocatable: {cpu: \"40\", memory: 64Gi}}\n"     \
    "    - {name: ubuntu153, roles: [worker], allocatable: {cpu: \"40\", memory: 64Gi}}\n"         \
    "    defaultLink: {rate: 1gbit, latency: 150us}\n"                                             \
    "  manifests:\n  - path: scenarios/manifests/spire\n"                                          \
    "  - {path: scenarios/manifests/nsm-v1.4.0, startTime: 40s}\n"
#define PODS                                                                                       \
    "    - {name: a, roles: [control-plane], allocatable: {cpu: \"40\", memory: 64Gi}}\n"          \
    "    - {name: b, roles: [worker], allocatable: {cpu: \"1\", memory: 64Gi}}\n"                  \
    "    defaultLink: {rate: 1gbit, latency: 150us}\n"                                             \
    "  manifests: [{path: pods.yaml}]\n"

typedef enum Kind { KIND_LOCAL, KIND_FIREWALL, KIND_PODS } Kind;

static const char *const kinds[] = {
    [KIND_LOCAL] = HEAD NSM "  - {path: scenarios/manifests/local-sfc, startTime: 90s}\n%s",
    [KIND_FIREWALL] = HEAD NSM "  - {path: scenarios/manifests/video-sfc, startTime: 90s}\n%s",
    [KIND_PODS] = HEAD PODS "%s",
};

static const char POD_MANIFESTS[] =
    "apiVersion: v1\nkind: Namespace\nmetadata: {name: ns}\n"
    "---\napiVersion: v1\nkind: Pod\nmetadata: {name: client, namespace: ns}\nspec:\n"
    "  nodeName: a\n  containers: [{name: c, image: \"client:1\"}]\n"
    "---\napiVersion: v1\nkind: Pod\nmetadata: {name: server, namespace: ns}\nspec:\n"
    "  nodeName: b\n  containers:\n  - {name: s, image: \"server:1\", ports: [{containerPort: "
    "80}]}\n";

#define LOCAL_FLOW(more)                                                                           \
    "flow: {from: deployment/nsc-kernel, to: deployment/nse-kernel, " more "}}\n"
#define POD_FLOW(more) "flow: {from: pod/client, to: pod/server, interface: eth0, " more "}}\n"
#define ECHO "protocol: icmp"
#define HTTP "protocol: tcp, port: 80"

/* Wake-ups of VPP are random, and what they add differs from one request to the next. */
static const char *const calm[] = {"calibration.vpp.wake-up=100us", NULL};

typedef struct Run {
    Scenario *scenario;
    Chains *chains;
    Study *study;
} Run;

static Scenario *
load(Kind kind, const char *duration, const char *const *sets, const char *spec)
{
    g_autofree char *text = g_strdup_printf(kinds[kind], duration, spec);
    scratch_write("pods.yaml", POD_MANIFESTS);
    scratch_write("traffic.yaml", text);
    g_autofree char *path = scratch_path("traffic.yaml");
    g_autoptr(GError) error = NULL;
    ScenarioOptions options = {.sets = sets};
    Scenario *scenario = scenario_load(path, &options, &error);
    ck_assert_msg(scenario != NULL, "%s", error != NULL ? error->message : "");
    return scenario;
}

static Run *
run_with(Kind kind, const char *duration, const char *const *sets, const char *spec,
         const ReplicateOptions *options)
{
    Run *run = g_new0(Run, 1);
    g_autoptr(GError) error = NULL;
    run->scenario = load(kind, duration, sets, spec);
    run->chains = chains_find(run->scenario);
    run->study = replicate(run->scenario, run->chains, options, &error);
    ck_assert_msg(run->study != NULL, "%s", error != NULL ? error->message : "");
    return run;
}

static Run *
run_one(Kind kind, const char *duration, const char *const *sets, const char *spec)
{
    return run_with(kind, duration, sets, spec,
                    &(ReplicateOptions){.seed = 1, .count = 1, .only = -1, .jobs = 1});
}

static void
run_free(Run *run)
{
    study_free(run->study);
    chains_free(run->chains);
    scenario_free(run->scenario);
    g_free(run);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Run, run_free)

/* The series of that metric, whose label `flow` or `probe` is `flow`, and `label` is `text` (both
 * NULL: there is none such). */
static const MetricSeries *
find_series(const Run *run, const char *name, const char *flow, const char *label, const char *text)
{
    for (guint i = 0; i < run->study->series->len; i++) {
        const MetricSeries *series = g_ptr_array_index(run->study->series, i);
        const char *of = metric_key_label(series->key, "flow");
        of = of != NULL ? of : metric_key_label(series->key, "probe");
        if (g_str_equal(series->key->name, name) && g_strcmp0(of, flow) == 0 &&
            (label == NULL || g_strcmp0(metric_key_label(series->key, label), text) == 0)) {
            return series;
        }
    }
    return NULL;
}

static double
value_with(const Run *run, const char *name, const char *flow, const char *label, const char *text)
{
    const MetricSeries *series = find_series(run, name, flow, label, text);
    return series != NULL ? g_array_index(series->values, double, 0) : 0;
}

/* Of the first replication; it must be there. */
static double
value_of(const Run *run, const char *name, const char *flow)
{
    ck_assert_msg(find_series(run, name, flow, NULL, NULL) != NULL, "there is no %s of %s", name,
                  flow);
    return value_with(run, name, flow, NULL, NULL);
}

static double
sum_of(const Run *run, const char *name, const char *flow)
{
    double sum = 0;
    for (guint i = 0; i < run->study->series->len; i++) {
        const MetricSeries *series = g_ptr_array_index(run->study->series, i);
        if (g_str_equal(series->key->name, name) &&
            g_strcmp0(metric_key_label(series->key, "flow"), flow) == 0) {
            sum += g_array_index(series->values, double, 0);
        }
    }
    return sum;
}

/* All times of its iterations. */
static Sample
times_of(const Run *run, const char *name, const char *flow)
{
    Sample sample = {0};
    const MetricSeries *series = find_series(run, name, flow, NULL, NULL);
    ck_assert_ptr_nonnull(series);
    series_pooled(series, &sample);
    return sample;
}

static const FlowOutcome *
flow_of(const Run *run, const char *name)
{
    const Outcome *outcome = g_ptr_array_index(run->study->outcomes, 0);
    for (guint i = 0; i < outcome->flows->len; i++) {
        const FlowOutcome *flow = g_ptr_array_index(outcome->flows, i);
        if (g_str_equal(flow->name, name)) {
            return flow;
        }
    }
    ck_abort_msg("there is no flow %s", name);
    return NULL;
}

static double
failures(const Run *run, const char *flow, const char *reason)
{
    return value_with(run, "sfc_request_failures_total", flow, "reason", reason);
}

/* Every iteration has ended, every packet too. */
static void
check_books(const Run *run, const char *name)
{
    const FlowOutcome *flow = flow_of(run, name);
    ck_assert_uint_gt(flow->n_begun, 0);
    ck_assert_uint_eq(flow->n_begun, flow->n_done + flow->n_failed);
    ck_assert_uint_eq(flow->n_packets, flow->n_arrived + flow->n_dropped);
}

/* ---- echoes ---- */

START_TEST(an_echo_and_its_answer_are_two_packets)
{
    g_autoptr(Run) run = run_one(_i, "150s", NULL,
                                 "  traffic:\n    p: {executor: constant-arrival-rate, rate: 10, "
                                 "startTime: 120s, duration: 20s, " LOCAL_FLOW(ECHO));
    check_books(run, "p");
    ck_assert_uint_eq(flow_of(run, "p")->n_done, 200);
    ck_assert_double_eq(value_of(run, "sfc_packets_sent_total", "p"), 400);
    ck_assert_double_eq(value_of(run, "sfc_packets_arrived_total", "p"), 400);
    ck_assert_double_eq(value_of(run, "sfc_echoes_sent_total", "p"), 200);
    ck_assert_double_eq(value_of(run, "sfc_loss_ratio", "p"), 0);
}
END_TEST

START_TEST(a_large_echo_goes_in_fragments_and_so_does_its_answer)
{
    g_autoptr(Run) run = run_one(
        _i, "150s", NULL,
        "  traffic:\n    p: {executor: constant-arrival-rate, rate: 10, startTime: 120s, "
        "duration: 20s, " LOCAL_FLOW(ECHO ", size: 1500") "    whole: {executor: "
                                                          "constant-arrival-rate, rate: 10, "
                                                          "startTime: 120s, duration: "
                                                          "20s, " LOCAL_FLOW(ECHO ", size: 1400"));
    check_books(run, "p");
    ck_assert_uint_eq(flow_of(run, "p")->n_done, 200);
    ck_assert_double_eq(value_of(run, "sfc_packets_sent_total", "p"), 800);
    ck_assert_double_eq(value_of(run, "sfc_packets_sent_total", "whole"), 400);
}
END_TEST

START_TEST(the_parts_of_the_delay_are_the_round_trip_time)
{
    static const char *const sizes[] = {ECHO, ECHO ", size: 1500"};
    g_autofree char *spec =
        g_strdup_printf("  traffic:\n    p: {executor: constant-arrival-rate, rate: 10, "
                        "startTime: 120s, duration: 20s, " LOCAL_FLOW("%s"),
                        sizes[_i % 2]);
    g_autoptr(Run) run = run_one(_i / 2, "150s", NULL, spec);
    double rtt = value_of(run, "sfc_rtt_seconds", "p");
    ck_assert_uint_eq(flow_of(run, "p")->n_failed, 0);
    ck_assert_double_gt(rtt, 1e-4);
    ck_assert_double_eq_tol(sum_of(run, "sfc_delay_part_seconds", "p"), rtt, 1e-9);
    ck_assert_double_eq_tol(sum_of(run, "sfc_hop_delay_seconds", "p"), rtt, 1e-9);
}
END_TEST

/* The testbed's link has jitter, and fragments of one echo may not overtake each other. */
START_TEST(the_parts_of_the_delay_are_the_round_trip_time_over_a_link_with_jitter)
{
    static const char *const sets[] = {"spec.cluster.defaultLink.jitter=20us", NULL};
    static const char *const sizes[] = {ECHO, ECHO ", size: 1500"};
    g_autofree char *spec =
        g_strdup_printf("  traffic:\n    p: {executor: constant-arrival-rate, rate: 50, "
                        "startTime: 120s, duration: 20s, " LOCAL_FLOW("%s"),
                        sizes[_i]);
    g_autoptr(Run) run = run_one(KIND_FIREWALL, "150s", sets, spec);
    double rtt = value_of(run, "sfc_rtt_seconds", "p");
    ck_assert_double_eq_tol(sum_of(run, "sfc_delay_part_seconds", "p"), rtt, 1e-9);
}
END_TEST

START_TEST(echoes_before_there_is_a_client_are_lost_there)
{
    g_autoptr(Run) run = run_one(KIND_LOCAL, "150s", NULL,
                                 "  traffic:\n    p: {executor: constant-arrival-rate, rate: 10, "
                                 "duration: 30s, " LOCAL_FLOW(ECHO));
    const FlowOutcome *flow = flow_of(run, "p");
    check_books(run, "p");
    ck_assert_uint_eq(flow->n_failed, 300);
    ck_assert_uint_eq(flow->n_packets, 300);
    ck_assert_uint_eq(flow->drops->len, 1);
    const FlowDrop *drop = g_ptr_array_index(flow->drops, 0);
    ck_assert_str_eq(drop->what, drop_reason_text(DROP_NO_INTERFACE));
    ck_assert_str_eq(drop->place, "nsm-1");
}
END_TEST

START_TEST(echoes_begin_to_be_answered_when_the_chain_is_there)
{
    g_autoptr(Run) run = run_one(KIND_FIREWALL, "150s", NULL,
                                 "  traffic:\n    p: {executor: constant-arrival-rate, rate: 100, "
                                 "startTime: 80s, duration: 60s, " LOCAL_FLOW(ECHO));
    const FlowOutcome *flow = flow_of(run, "p");
    check_books(run, "p");
    ck_assert_uint_gt(flow->n_failed, 1000); /* 10 s without a client alone */
    ck_assert_uint_gt(flow->n_done, 2000);
    ck_assert_uint_eq(flow->n_begun, 6000);
}
END_TEST

START_TEST(echoes_of_a_ramp_are_as_many_as_its_area)
{
    g_autoptr(Run) run = run_one(
        KIND_LOCAL, "200s", NULL,
        "  traffic:\n    p: {executor: ramping-arrival-rate, startRate: 0, startTime: 120s, "
        "stages: [{duration: 20s, target: 50}, {duration: 10s, target: 50}, {duration: 20s, "
        "target: 0}], " LOCAL_FLOW(ECHO));
    check_books(run, "p");
    double n = value_of(run, "sfc_echoes_sent_total", "p"); /* 500 + 500 + 500 */
    ck_assert_double_ge(n, 1499);
    ck_assert_double_le(n, 1501);
    ck_assert_double_eq(value_of(run, "sfc_echoes_lost_total", "p"), 0);
}
END_TEST

START_TEST(an_echo_that_is_answered_too_late_counts_as_lost)
{
    g_autoptr(Run) run = run_one(
        KIND_LOCAL, "180s", NULL,
        "  traffic:\n    p: {executor: constant-arrival-rate, rate: 1, startTime: 130s, duration: "
        "20s, " LOCAL_FLOW(ECHO ", timeout: 300ms") "  faults:\n  - {name: slow, kind: "
                                                    "NetworkChaos, action: delay, startTime: "
                                                    "120s, duration: 50s, delay: {latency: "
                                                    "200ms}, device: nsm-1, selector: {pods: "
                                                    "{ns-gq4bf: [nsc-kernel]}}}\n");
    check_books(run, "p");
    ck_assert_uint_eq(flow_of(run, "p")->n_failed, 20);
    ck_assert_uint_eq(flow_of(run, "p")->n_dropped, 0);
}
END_TEST

/* ---- requests ---- */

#define REQUESTS(name, keys, flow)                                                                 \
    "    " name                                                                                    \
    ": {executor: constant-arrival-rate, rate: 10, startTime: 120s, duration: 20s, " keys          \
    LOCAL_FLOW(HTTP flow)

START_TEST(a_new_connection_costs_one_round_trip_more)
{
    g_autoptr(Run) run =
        run_one(KIND_LOCAL, "150s", calm,
                "  traffic:\n" REQUESTS("kept", "", "")
                    REQUESTS("new", "noConnectionReuse: true, ", "") REQUESTS("p", "", ""));
    g_auto(Sample) kept = times_of(run, "sfc_request_seconds", "kept");
    g_auto(Sample) new = times_of(run, "sfc_request_seconds", "new");
    ck_assert_uint_eq(kept.n, 200);
    ck_assert_uint_eq(new.n, 200);
    /* kernel, VPP and kernel each way: nothing depends on the size */
    const Dist *cost = &run->scenario->calibration->parameters[PARAMETER_VPP_PACKET];
    double one_way = 2 * 15e-6 + 100e-6 + dist_mean(cost);
    ck_assert_double_eq_tol(sample_quantile(&new, 0.5) - sample_quantile(&kept, 0.5), 2 * one_way,
                            1e-7);
    ck_assert_double_eq_tol(kept.max, new.max, 1e-7); /* the first of `kept` */
}
END_TEST

START_TEST(the_parts_of_the_delay_are_the_time_of_a_request_without_work)
{
    g_autoptr(Run) run =
        run_one(_i, "150s", NULL,
                "  traffic:\n" REQUESTS("p", "", "")
                    REQUESTS("new", "noConnectionReuse: true, ", ", responseSize: 1000"));
    check_books(run, "p");
    check_books(run, "new");
    ck_assert_double_eq_tol(sum_of(run, "sfc_delay_part_seconds", "p"),
                            value_of(run, "sfc_request_seconds", "p"), 1e-9);
    ck_assert_double_eq_tol(sum_of(run, "sfc_delay_part_seconds", "new"),
                            value_of(run, "sfc_request_seconds", "new"), 1e-9);
}
END_TEST

START_TEST(a_request_goes_in_as_many_segments_as_it_needs)
{
    g_autoptr(Run) run = run_one(_i, "150s", NULL,
                                 "  traffic:\n" REQUESTS("p", "noConnectionReuse: true, ",
                                                         ", size: 3000, responseSize: 10000"));
    /* an MSS of 1460, or 1406 in VXLAN: SYN, SYN-ACK, 3 and 7 or 8 */
    ck_assert_uint_eq(flow_of(run, "p")->n_packets, 200 * (_i == KIND_LOCAL ? 12 : 13));
    check_books(run, "p");
}
END_TEST

START_TEST(a_port_on_which_nobody_listens_refuses)
{
    g_autoptr(Run) run = run_one(KIND_LOCAL, "150s", NULL,
                                 "  traffic:\n    p: {executor: constant-arrival-rate, rate: 10, "
                                 "startTime: 120s, duration: 20s, " LOCAL_FLOW("protocol: tcp, "
                                                                               "port: 81"));
    check_books(run, "p");
    ck_assert_double_eq(failures(run, "p", "connection refused"), 200);
    ck_assert_double_eq(value_of(run, "sfc_request_failure_ratio", "p"), 1);
    ck_assert_uint_eq(flow_of(run, "p")->n_packets, 400);
}
END_TEST

START_TEST(a_port_that_the_firewall_denies_times_out_and_says_why)
{
    g_autoptr(Run) run = run_one(
        KIND_FIREWALL, "150s", NULL,
        "  traffic:\n    denied: {executor: constant-arrival-rate, rate: 1, startTime: 120s, "
        "duration: 10s, " LOCAL_FLOW("protocol: tcp, port: 81, timeout: 5s")
            REQUESTS("permitted", "", ""));
    check_books(run, "denied");
    ck_assert_double_eq(failures(run, "denied", "timed out (denied by an ACL)"), 10);
    const FlowOutcome *flow = flow_of(run, "denied");
    ck_assert_uint_eq(flow->n_packets, 30); /* at 0, 1 and 3 s */
    ck_assert_uint_eq(flow->drops->len, 1);
    const FlowDrop *drop = g_ptr_array_index(flow->drops, 0);
    ck_assert_str_eq(drop->what, "denied by an ACL (implicit deny)");
    ck_assert_str_eq(drop->place, "ns-gq4bf/nse-firewall-vpp");
    ck_assert_uint_eq(flow_of(run, "permitted")->n_failed, 0);
    ck_assert_uint_eq(flow_of(run, "permitted")->n_done, 200);
}
END_TEST

START_TEST(requests_before_there_is_a_client_time_out_or_wait_for_it)
{
    g_autoptr(Run) run = run_one(KIND_LOCAL, "200s", NULL,
                                 "  traffic:\n    p: {executor: constant-arrival-rate, rate: 1, "
                                 "startTime: 60s, duration: 40s, " LOCAL_FLOW(HTTP ", timeout: "
                                                                                   "30s"));
    check_books(run, "p");
    const FlowOutcome *flow = flow_of(run, "p");
    ck_assert_uint_eq(flow->n_begun, 40);
    g_autofree char *cause = g_strdup_printf("timed out (%s)", drop_reason_text(DROP_NO_INTERFACE));
    ck_assert_double_gt(failures(run, "p", cause), 0);
    ck_assert_uint_gt(flow->n_done, 0); /* a SYN after 1, 3, 7 or 15 s found it */
}
END_TEST

#define CUT_AT_150(time)                                                                           \
    "  faults:\n  - {name: cut, kind: NetworkChaos, action: partition, startTime: 150s, "          \
    "duration: " time ", device: nsm-1, selector: {pods: {ns-gq4bf: [nsc-kernel]}}}\n"

/* One request in the middle of each cut: a SYN is sent again after 1 s, a segment of a connection
 * that stands after 200 and 400 ms more. */
START_TEST(what_is_lost_is_sent_again)
{
    g_autoptr(Run) run =
        run_one(KIND_LOCAL, "200s", calm,
                "  traffic:\n    new: {executor: constant-arrival-rate, rate: 20, startTime: 145s, "
                "duration: 20s, noConnectionReuse: true, " LOCAL_FLOW(
                    HTTP) "    kept: {executor: "
                          "constant-arrival-rate, rate: "
                          "20, startTime: 145s, "
                          "duration: 20s, " LOCAL_FLOW(HTTP) CUT_AT_150("500ms"));
    check_books(run, "new");
    check_books(run, "kept");
    ck_assert_uint_eq(flow_of(run, "new")->n_failed, 0);
    ck_assert_uint_eq(flow_of(run, "kept")->n_failed, 0);
    g_auto(Sample) new = times_of(run, "sfc_request_seconds", "new");
    g_auto(Sample) kept = times_of(run, "sfc_request_seconds", "kept");
    ck_assert_double_gt(new.max, 1);
    ck_assert_double_lt(new.max, 1.01);
    ck_assert_double_gt(sample_quantile(&new, 0.98), 1); /* the ten of 400 */
    ck_assert_double_lt(sample_quantile(&new, 0.97), 0.01);
    ck_assert_double_gt(kept.max, 0.4);
    /* of a second connection, where the only one was still in use, the SYN may be lost */
    ck_assert_double_lt(sample_quantile(&kept, 0.975), 1.01);
    ck_assert_uint_ge(flow_of(run, "new")->n_dropped, 10);
}
END_TEST

START_TEST(a_cut_that_lasts_longer_than_the_timeout_fails_requests_in_its_name)
{
    g_autoptr(Run) run =
        run_one(KIND_LOCAL, "200s", NULL,
                "  traffic:\n    p: {executor: constant-arrival-rate, rate: 100, startTime: 150s, "
                "duration: 200ms, noConnectionReuse: true, " LOCAL_FLOW(HTTP ", timeout: 250ms")
                    CUT_AT_150("500ms"));
    check_books(run, "p");
    g_autofree char *cause = g_strdup_printf("timed out (%s)", drop_reason_text(DROP_CUT));
    ck_assert_double_eq(failures(run, "p", cause), 20);
}
END_TEST

START_TEST(a_server_that_ends_fails_its_requests_and_the_next_one_serves)
{
    g_autoptr(Run) run = run_one(
        KIND_LOCAL, "200s", NULL,
        "  traffic:\n    p: {executor: constant-arrival-rate, rate: 1, startTime: 120s, duration: "
        "60s, noConnectionReuse: true, " LOCAL_FLOW(
            HTTP ", serviceTime: 5s, timeout: 15s") "  faults:\n  - {name: kill, kind: PodChaos, "
                                                    "action: container-kill, startTime: 150s, "
                                                    "containerNames: [compress], selector: {pods: "
                                                    "{ns-gq4bf: [nse-kernel]}}}\n");
    check_books(run, "p");
    const FlowOutcome *flow = flow_of(run, "p");
    ck_assert_uint_eq(flow->n_begun, 60);
    /* the five that were being served hear of it at once; others find nobody until it is back */
    ck_assert_double_eq(failures(run, "p", "connection reset"), 5);
    ck_assert_uint_le(flow->n_failed, 10);
    ck_assert_double_gt(value_of(run, "sfc_request_seconds", "p"), 5);
    ck_assert_double_lt(value_of(run, "sfc_request_seconds", "p"), 5.1);
}
END_TEST

/* ---- the server's CPU ---- */

static double
service_run_time(const Run *run)
{
    return value_of(run, "sfc_request_seconds", "p");
}

START_TEST(work_takes_its_time_beside_the_networks)
{
    g_autoptr(Run) plain = run_one(KIND_PODS, "60s", NULL,
                                   "  traffic:\n    p: {executor: constant-arrival-rate, rate: 10, "
                                   "startTime: 30s, " POD_FLOW(HTTP));
    g_autoptr(Run) busy = run_one(KIND_PODS, "60s", NULL,
                                  "  traffic:\n    p: {executor: constant-arrival-rate, rate: 10, "
                                  "startTime: 30s, " POD_FLOW(HTTP ", serviceTime: 20ms"));
    ck_assert_double_lt(service_run_time(plain), 0.001);
    ck_assert_double_eq_tol(service_run_time(busy) - service_run_time(plain), 0.02, 1e-4);
}
END_TEST

/* Offered 0.5 cores, allowed 0.2: as many are served as the limit says (utilisation law), others
 * are not begun. */
START_TEST(a_cpu_limit_is_the_rate_of_requests_and_further_users_are_dropped)
{
    static const char *const sets[] = {"pod/server:spec.containers[0].resources.limits.cpu=200m",
                                       NULL};
    g_autoptr(Run) run = run_one(KIND_PODS, "330s", sets,
                                 "  traffic:\n    p: {executor: constant-arrival-rate, rate: 50, "
                                 "startTime: 30s, maxVUs: 10, " POD_FLOW(HTTP ", serviceTime: "
                                                                              "10ms"));
    ck_assert_double_eq_tol(value_of(run, "sfc_request_rate", "p"), 20, 0.2);
    const FlowOutcome *flow = flow_of(run, "p");
    ck_assert_uint_eq(flow->n_begun + flow->n_skipped, 50 * 300);
    ck_assert_double_eq(value_of(run, "sfc_dropped_iterations_total", "p"),
                        (double)flow->n_skipped);
    ck_assert_uint_eq(flow->n_failed, 0);
    /* two end in each period, and others come after 20 and 40 ms of it */
    double present = service_run_time(run) * value_of(run, "sfc_request_rate", "p"); /* Little */
    ck_assert_double_gt(present, 9);
    ck_assert_double_le(present, 10);
}
END_TEST

START_TEST(below_the_cpu_limit_nothing_queues_but_what_a_period_cannot_hold)
{
    static const char *const sets[] = {"pod/server:spec.containers[0].resources.limits.cpu=500m",
                                       NULL};
    g_autoptr(Run) run = run_one(KIND_PODS, "330s", sets,
                                 "  traffic:\n    p: {executor: constant-arrival-rate, rate: 10, "
                                 "startTime: 30s, maxVUs: 10, " POD_FLOW(HTTP ", serviceTime: "
                                                                              "20ms"));
    ck_assert_double_eq_tol(service_run_time(run), 0.0206, 0.0004);
    ck_assert_double_eq(value_of(run, "sfc_dropped_iterations_total", "p"), 0);
}
END_TEST

typedef struct Closed {
    double rate; /* iterations/s */
    double time; /* s, of one */
} Closed;

/* n users who think for `think` (and travel for `travel`), one core that is shared: exact mean
 * value analysis (Reiser and Lavenberg, JACM 27, 1980).  It holds for any distribution of the
 * thinking, and of the service at a shared core (Baskett, Chandy, Muntz and Palacios, JACM 22,
 * 1975). */
static Closed
mean_value_analysis(int n, double think, double travel, double service)
{
    double queue = 0, time = 0, rate = 0;
    for (int i = 1; i <= n; i++) {
        time = service * (1 + queue);
        rate = i / (think + travel + time);
        queue = rate * time;
    }
    return (Closed){rate, travel + time};
}

START_TEST(users_who_think_and_wait_are_as_mean_value_analysis_says)
{
    static const struct {
        const char *users;
        int n;
    } cases[] = {{"1", 1}, {"3", 3}, {"8", 8}};
    g_autoptr(Run) plain = run_one(KIND_PODS, "60s", NULL,
                                   "  traffic:\n    p: {executor: constant-vus, startTime: 30s, "
                                   "thinkTime: 10ms, " POD_FLOW(HTTP));
    g_autofree char *spec = g_strdup_printf(
        "  traffic:\n    p: {executor: constant-vus, vus: %s, startTime: 30s, thinkTime: "
        "30ms, " POD_FLOW(HTTP ", serviceTime: {exponential: {mean: 10ms}}"),
        cases[_i].users);
    g_autoptr(Run) run = run_one(KIND_PODS, "1530s", NULL, spec);
    Closed expected = mean_value_analysis(cases[_i].n, 0.03, service_run_time(plain), 0.01);
    double rate = value_of(run, "sfc_request_rate", "p"), time = service_run_time(run);
    ck_assert_double_eq_tol(rate, expected.rate, 0.01 * expected.rate);
    ck_assert_double_eq_tol(time, expected.time, 0.02 * expected.time);
    /* Little's law for the whole: users = rate * (time + thinking) */
    ck_assert_double_eq_tol(rate * (time + 0.03), cases[_i].n, 1e-3 * cases[_i].n);
    ck_assert_uint_eq(flow_of(run, "p")->n_failed, 0);
}
END_TEST

START_TEST(users_wait_for_lost_echoes_until_the_timeout)
{
    g_autoptr(Run) run = run_one(
        KIND_PODS, "130s", NULL,
        "  traffic:\n    p: {executor: constant-vus, vus: 4, thinkTime: "
        "1s, startTime: 30s, " POD_FLOW(
            ECHO ", timeout: 3s") "  faults:\n  - {name: cut, kind: NetworkChaos, action: "
                                  "partition, startTime: 50s, duration: 40s, selector: {nodes: "
                                  "[a]}}\n");
    const FlowOutcome *flow = flow_of(run, "p");
    /* one each 4 s while it is cut, one each second otherwise */
    ck_assert_uint_ge(flow->n_failed, 4 * 9);
    ck_assert_uint_le(flow->n_failed, 4 * 11);
    ck_assert_uint_ge(flow->n_done, 4 * 57);
    ck_assert_uint_le(flow->n_done, 4 * 61);
}
END_TEST

/* ---- determinism ---- */

static const char MIXED[] =
    "  traffic:\n    p: {executor: constant-arrival-rate, rate: 50, startTime: "
    "100s, " LOCAL_FLOW(
        ECHO ", size: 1500") "    q: {executor: ramping-arrival-rate, startTime: 110s, stages: "
                             "[{duration: 10s, target: "
                             "50}], " LOCAL_FLOW(HTTP ", serviceTime: {exponential: {mean: "
                                                      "5ms}}") "    r: {executor: constant-vus, "
                                                               "vus: 3, startTime: 100s, "
                                                               "thinkTime: 20ms, " LOCAL_FLOW(
                                                                   HTTP
                                                                   ", serviceTime: {lognormal: "
                                                                   "{mean: 5ms, cv: 1}}");

/* Every value of every replication, to the last digit. */
static char *
tell(const Run *run)
{
    GString *text = g_string_new(NULL);
    for (guint i = 0; i < run->study->series->len; i++) {
        const MetricSeries *series = g_ptr_array_index(run->study->series, i);
        g_string_append(text, series->metric);
        for (guint k = 0; k < series->values->len; k++) {
            g_string_append_printf(text, " %.17g", g_array_index(series->values, double, k));
        }
        g_string_append_c(text, '\n');
    }
    return g_string_free(text, false);
}

static char *
tell_mixed(uint64_t seed, guint jobs)
{
    ReplicateOptions options = {.seed = seed, .count = 3, .only = -1, .jobs = jobs};
    g_autoptr(Run) run = run_with(KIND_FIREWALL, "125s", NULL, MIXED, &options);
    ck_assert_uint_gt(flow_of(run, "r")->n_done, 1000);
    return tell(run);
}

START_TEST(the_same_seed_gives_the_same_digits_whatever_the_number_of_jobs)
{
    g_autofree char *one = tell_mixed(1, 1), *three = tell_mixed(1, 3);
    g_autofree char *other = tell_mixed(2, 2);
    ck_assert_str_eq(one, three);
    ck_assert_str_ne(one, other);
}
END_TEST

/* ---- suite ---- */

static TCase *
new_case(Suite *suite, const char *name)
{
    TCase *tcase = tcase_create(name);
    tcase_add_checked_fixture(tcase, scratch_setup, scratch_teardown);
    tcase_set_timeout(tcase, 120);
    suite_add_tcase(suite, tcase);
    return tcase;
}

static void
add_echoes(Suite *suite)
{
    TCase *echoes = new_case(suite, "echoes");
    tcase_add_loop_test(echoes, an_echo_and_its_answer_are_two_packets, 0, KIND_PODS);
    tcase_add_loop_test(echoes, a_large_echo_goes_in_fragments_and_so_does_its_answer, 0,
                        KIND_PODS);
    tcase_add_loop_test(echoes, the_parts_of_the_delay_are_the_round_trip_time, 0, 4);
    tcase_add_loop_test(
        echoes, the_parts_of_the_delay_are_the_round_trip_time_over_a_link_with_jitter, 0, 2);
    tcase_add_test(echoes, echoes_before_there_is_a_client_are_lost_there);
    tcase_add_test(echoes, echoes_begin_to_be_answered_when_the_chain_is_there);
    tcase_add_test(echoes, echoes_of_a_ramp_are_as_many_as_its_area);
    tcase_add_test(echoes, an_echo_that_is_answered_too_late_counts_as_lost);
}

static void
add_requests(Suite *suite)
{
    TCase *requests = new_case(suite, "requests");
    tcase_add_test(requests, a_new_connection_costs_one_round_trip_more);
    tcase_add_loop_test(requests, the_parts_of_the_delay_are_the_time_of_a_request_without_work, 0,
                        KIND_PODS);
    tcase_add_loop_test(requests, a_request_goes_in_as_many_segments_as_it_needs, 0, KIND_PODS);
    tcase_add_test(requests, a_port_on_which_nobody_listens_refuses);
    tcase_add_test(requests, a_port_that_the_firewall_denies_times_out_and_says_why);
    tcase_add_test(requests, requests_before_there_is_a_client_time_out_or_wait_for_it);
    tcase_add_test(requests, what_is_lost_is_sent_again);
    tcase_add_test(requests, a_cut_that_lasts_longer_than_the_timeout_fails_requests_in_its_name);
    tcase_add_test(requests, a_server_that_ends_fails_its_requests_and_the_next_one_serves);
}

int
main(void)
{
    Suite *suite = suite_create("traffic");
    add_echoes(suite);
    add_requests(suite);
    TCase *cpu = new_case(suite, "server's CPU");
    tcase_add_test(cpu, work_takes_its_time_beside_the_networks);
    tcase_add_test(cpu, a_cpu_limit_is_the_rate_of_requests_and_further_users_are_dropped);
    tcase_add_test(cpu, below_the_cpu_limit_nothing_queues_but_what_a_period_cannot_hold);
    tcase_add_loop_test(cpu, users_who_think_and_wait_are_as_mean_value_analysis_says, 0, 3);
    tcase_add_test(cpu, users_wait_for_lost_echoes_until_the_timeout);
    TCase *determinism = new_case(suite, "determinism");
    tcase_add_test(determinism, the_same_seed_gives_the_same_digits_whatever_the_number_of_jobs);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
