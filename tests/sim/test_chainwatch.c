/* The chains of a running world (sim/chainwatch.h): the marks of their paths, and what echoes along
 * them see.  One local V-wire, as the testbed's recovery scenarios have it. */
#include "sim/chainwatch.h"
#include "tests/models/scratch.h"

#include <math.h>

static const char SCENARIO[] =
    "apiVersion: vwire/v1alpha1\n"
    "kind: Scenario\n"
    "metadata: {name: watch}\n"
    "spec:\n"
    "  duration: 210s\n"
    "  calibration: configs/testbed-2022-static.yaml\n"
    "  cluster:\n"
    "    nodes:\n"
    "    - {name: ubuntu, roles: [control-plane], allocatable: {cpu: \"40\", memory: 64Gi}}\n"
    "    - {name: ubuntu153, roles: [worker], allocatable: {cpu: \"40\", memory: 64Gi}}\n"
    "    defaultLink: {rate: 1gbit, latency: 150us}\n"
    "  manifests:\n"
    "  - path: scenarios/manifests/spire\n"
    "  - {path: scenarios/manifests/nsm-v1.4.0, startTime: 40s}\n"
    "  - {path: scenarios/manifests/local-sfc, startTime: 90s}\n"
    "%s";

#define CHAIN "sfc-sc-chain"
#define WIRE "device: nsm-1, selector: {pods: {ns-gq4bf: [nsc-kernel]}}"

typedef struct Mark {
    nsec_t at;
    bool up;
    char *detail;
} Mark;

typedef struct Run {
    TraceSink sink; /* first: it is the run */
    Scenario *scenario;
    Chains *chains;
    World *world;
    Timeline *timeline;
    ChainWatch *watch;
    Outcome *outcome;
    GPtrArray *marks; /* Mark * */
} Run;

static void
mark_free(void *data)
{
    g_free(((Mark *)data)->detail);
    g_free(data);
}

static void
on_mark(TraceSink *sink, const TraceEvent *event)
{
    Run *run = (Run *)sink;
    if (event->mark != TRACE_PATH_UP && event->mark != TRACE_PATH_DOWN) {
        return;
    }
    ck_assert_str_eq(event->subject, CHAIN);
    Mark *mark = g_new0(Mark, 1);
    mark->at = event->at;
    mark->up = event->mark == TRACE_PATH_UP;
    mark->detail = g_strdup(event->detail);
    g_ptr_array_add(run->marks, mark);
}

static Run *
begin(const char *spec, uint32_t replication)
{
    g_autofree char *text = g_strdup_printf(SCENARIO, spec);
    scratch_write("watch.yaml", text);
    g_autofree char *path = scratch_path("watch.yaml");
    g_autoptr(GError) error = NULL;
    Run *run = g_new0(Run, 1);
    run->sink.event = on_mark;
    run->marks = g_ptr_array_new_with_free_func(mark_free);
    run->scenario = scenario_load(path, NULL, &error);
    ck_assert_msg(run->scenario != NULL, "%s", error != NULL ? error->message : "");
    run->chains = chains_find(run->scenario);
    run->world = world_new(run->scenario, 1, replication);
    world_set_chains(run->world, run->chains);
    run->timeline = timeline_new(NSEC_NEVER);
    run->watch = chain_watch_new(run->world, run->scenario, run->chains);
    world_add_sink(run->world, timeline_sink(run->timeline));
    world_add_sink(run->world, &run->sink);
    world_add_sink(run->world, chain_watch_sink(run->watch));
    return run;
}

static void
finish(Run *run)
{
    world_run(run->world, run->scenario->duration);
    guint n = run->chains->chains->len;
    g_autofree const char **ports = g_new0(const char *, n + 1);
    for (guint i = 0; i < n; i++) {
        ports[i] = chain_watch_port(run->watch, i);
    }
    OutcomeSources sources = {.timeline = run->timeline, .ports = ports};
    run->outcome = outcome_collect(run->world, run->scenario, run->chains, &sources, 1, 0);
    chain_watch_collect(run->watch, run->outcome);
}

static Run *
run_all(const char *spec, uint32_t replication)
{
    Run *run = begin(spec, replication);
    finish(run);
    return run;
}

static void
run_free(Run *run)
{
    timeline_free(run->timeline);
    world_free(run->world);
    chain_watch_free(run->watch);
    if (run->outcome != NULL) {
        outcome_free(run->outcome);
    }
    chains_free(run->chains);
    scenario_free(run->scenario);
    g_ptr_array_unref(run->marks);
    g_free(run);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Run, run_free)

/* `probe` and `fault` may be NULL. */
static const OutcomeValue *
find_value(const Run *run, const char *name, const char *probe, const char *fault)
{
    for (guint i = 0; i < run->outcome->values->len; i++) {
        const OutcomeValue *value = g_ptr_array_index(run->outcome->values, i);
        g_autoptr(MetricKey) key = metric_key_parse(value->metric, NULL);
        if (g_str_equal(key->name, name) && g_strcmp0(metric_key_label(key, "probe"), probe) == 0 &&
            g_strcmp0(metric_key_label(key, "fault"), fault) == 0) {
            return value;
        }
    }
    return NULL;
}

static double
value_of(const Run *run, const char *name, const char *probe, const char *fault)
{
    const OutcomeValue *value = find_value(run, name, probe, fault);
    ck_assert_msg(value != NULL, "there is no %s of %s", name, probe);
    return value->value;
}

static double
sent(const Run *run, const char *probe)
{
    return value_of(run, "sfc_echoes_sent_total", probe, NULL);
}

static double
lost(const Run *run, const char *probe)
{
    return value_of(run, "sfc_echoes_lost_total", probe, NULL);
}

static const Mark *
mark_at(const Run *run, guint i)
{
    ck_assert_uint_lt(i, run->marks->len);
    return g_ptr_array_index(run->marks, i);
}

/* They alternate, beginning with UP, and come in the order of time. */
static void
check_marks(const Run *run, guint n)
{
    ck_assert_uint_eq(run->marks->len, n);
    for (guint i = 0; i < n; i++) {
        ck_assert_int_eq(mark_at(run, i)->up, i % 2 == 0);
        ck_assert(i == 0 || mark_at(run, i)->at >= mark_at(run, i - 1)->at);
    }
}

/* One entry of spec.traffic. */
#define PING(name, keys)                                                                           \
    "    " name ":\n      {executor: constant-arrival-rate, " keys                                 \
    ",\n       flow: {from: deployment/nsc-kernel, to: deployment/nse-kernel, protocol: icmp"

/* ---- paths ---- */

START_TEST(a_path_comes_up_once_when_every_function_is_met)
{
    g_autoptr(Run) run = run_all("", 0);
    check_marks(run, 1);
    const Mark *up = mark_at(run, 0);
    ck_assert_int_gt(up->at, 90 * NSEC_PER_SEC);
    ck_assert_int_lt(up->at, 100 * NSEC_PER_SEC);
    ck_assert(g_str_has_prefix(up->detail, "nsc-kernel-"));
    ck_assert_ptr_nonnull(strstr(up->detail, "(forwarder-vpp-"));
    ck_assert_ptr_nonnull(strstr(up->detail, "nse-kernel-"));
    const char *port = chain_watch_port(run->watch, 0);
    ck_assert(g_str_has_prefix(port, "ns-gq4bf/nsc-kernel-"));
    ck_assert(g_str_has_suffix(port, "/nsm-1"));
}
END_TEST

START_TEST(there_is_no_port_before_the_clients_sandbox)
{
    g_autoptr(Run) run = begin("", 0);
    world_run(run->world, 89 * NSEC_PER_SEC);
    ck_assert_ptr_null(chain_watch_port(run->watch, 0));
    ck_assert_uint_eq(run->marks->len, 0);
    finish(run);
    ck_assert_ptr_nonnull(chain_watch_port(run->watch, 0));
}
END_TEST

START_TEST(the_death_of_the_endpoint_takes_the_path_down_until_it_is_healed)
{
    for (uint32_t k = 0; k < 3; k++) {
        g_autoptr(Run) run =
            run_all("  faults:\n  - {preset: local-nse-death, startTime: 150s}\n", k);
        check_marks(run, 3);
        ck_assert_int_ge(mark_at(run, 1)->at, 150 * NSEC_PER_SEC);
        ck_assert_int_lt(mark_at(run, 1)->at, 151 * NSEC_PER_SEC);
        ck_assert_int_lt(mark_at(run, 2)->at, 160 * NSEC_PER_SEC);
        ck_assert_str_ne(mark_at(run, 2)->detail, mark_at(run, 0)->detail); /* another Pod */
        ck_assert_str_ne(mark_at(run, 1)->detail, "cut");
    }
}
END_TEST

/* Shorter than it takes the client to notice. */
START_TEST(a_cut_interface_takes_the_path_down_for_as_long_as_it_lasts)
{
    g_autoptr(Run) run = run_all("  faults:\n  - {name: cut, kind: NetworkChaos, action: "
                                 "partition, startTime: 150s, duration: 500ms, " WIRE "}\n",
                                 0);
    check_marks(run, 3);
    ck_assert_str_eq(mark_at(run, 1)->detail, "cut");
    ck_assert_int_eq(mark_at(run, 1)->at, 150 * NSEC_PER_SEC);
    ck_assert_int_eq(mark_at(run, 2)->at, 150500 * NSEC_PER_MSEC);
    ck_assert_str_eq(mark_at(run, 2)->detail, mark_at(run, 0)->detail);
}
END_TEST

START_TEST(the_client_that_replaces_another_is_followed)
{
    g_autoptr(Run) run = begin("  faults:\n  - {name: client, kind: PodChaos, action: pod-kill, "
                               "startTime: 150s, selector: {pods: {ns-gq4bf: [nsc-kernel]}}}\n",
                               0);
    world_run(run->world, 149 * NSEC_PER_SEC);
    g_autofree char *before = g_strdup(chain_watch_port(run->watch, 0));
    finish(run);
    const char *after = chain_watch_port(run->watch, 0);
    ck_assert_str_ne(before, after);
    ck_assert(g_str_has_prefix(after, "ns-gq4bf/nsc-kernel-"));
    check_marks(run, 3);
    ck_assert_int_lt(mark_at(run, 1)->at, 152 * NSEC_PER_SEC);
    g_auto(GStrv) parts = g_strsplit(after, "/", -1);
    ck_assert(g_str_has_prefix(mark_at(run, 2)->detail, parts[1]));
}
END_TEST

/* ---- echoes ---- */

START_TEST(echoes_are_as_many_as_rate_and_duration_say)
{
    g_autoptr(Run) run = run_all(
        "  traffic:\n" PING("tens", "startTime: 120s, duration: 30s, rate: 10") "}}\n" PING(
            "slow",
            "startTime: 120s, duration: 40s, rate: 1, "
            "timeUnit: 8s") "}}\n" PING("fast", "startTime: 120s, duration: 1s, rate: "
                                                "100000") "}}\n" PING("open", "startTime: 120s, "
                                                                              "rate: 2") "}}\n",
        0);
    ck_assert_double_eq(sent(run, "tens"), 300);
    ck_assert_double_eq(sent(run, "slow"), 5);
    ck_assert_double_eq(sent(run, "fast"), 100000);
    ck_assert_double_eq(sent(run, "open"), 180); /* until the end of the run */
    static const char *const probes[] = {"tens", "slow", "fast", "open"};
    for (guint i = 0; i < G_N_ELEMENTS(probes); i++) {
        ck_assert_double_eq(lost(run, probes[i]), 0);
        ck_assert_double_eq(value_of(run, "sfc_loss_ratio", probes[i], NULL), 0);
        ck_assert_double_eq(value_of(run, "sfc_downtime_seen_seconds", probes[i], NULL), 0);
    }
    ck_assert_ptr_null(find_value(run, "sfc_echoes_sent_total", "1s", NULL));
    ck_assert_ptr_null(find_value(run, "sfc_downtime_seen_seconds", "1s", NULL)); /* no faults */
}
END_TEST

/* The first echo is somewhere within the first interval, elsewhere in each replication. */
START_TEST(the_phase_of_the_echoes_is_random)
{
    guint n_more = 0;
    for (uint32_t k = 0; k < 12; k++) {
        g_autoptr(Run) run = run_all(
            "  traffic:\n" PING("p", "startTime: 120s, duration: 10500ms, rate: 1") "}}\n", k);
        ck_assert(sent(run, "p") == 10 || sent(run, "p") == 11);
        n_more += sent(run, "p") == 11;
    }
    ck_assert_uint_gt(n_more, 1);
    ck_assert_uint_lt(n_more, 11);
}
END_TEST

START_TEST(echoes_before_the_path_is_up_are_lost)
{
    g_autoptr(Run) run =
        run_all("  traffic:\n" PING("p", "startTime: 90s, duration: 30s, rate: 100") "}}\n", 0);
    double down = nsec_to_seconds(mark_at(run, 0)->at - 90 * NSEC_PER_SEC);
    ck_assert_double_eq(sent(run, "p"), 3000);
    ck_assert_double_eq_tol(lost(run, "p"), 100 * down, 1);
    ck_assert_double_eq_tol(value_of(run, "sfc_loss_ratio", "p", NULL), lost(run, "p") / 3000,
                            1e-12);
    ck_assert_double_eq_tol(value_of(run, "sfc_downtime_seen_seconds", "p", NULL),
                            lost(run, "p") / 100, 1e-9);
}
END_TEST

START_TEST(echoes_lost_while_the_path_is_cut_are_counted_by_strike)
{
    g_autoptr(Run) run =
        run_all("  traffic:\n" PING(
                    "p", "startTime: 120s, duration: 60s, rate: 10") "}}\n"
                                                                     "  faults:\n  - {name: cut, "
                                                                     "kind: NetworkChaos, action: "
                                                                     "partition, startTime: 130s, "
                                                                     "duration: 500ms, schedule: "
                                                                     "\"@every 30s\", " WIRE "}\n",
                0); /* the strikes of 130, 160 and 190 s */
    ck_assert_double_eq(sent(run, "p"), 600);
    ck_assert_double_eq(lost(run, "p"), 10);
    const OutcomeValue *each = find_value(run, "sfc_echoes_lost", "p", "cut");
    ck_assert_ptr_nonnull(each);
    ck_assert_uint_eq(each->sample->n, 3);
    ck_assert_double_eq(each->sample->values[0], 5);
    ck_assert_double_eq(each->sample->values[1], 5);
    ck_assert_double_eq(each->sample->values[2], 0); /* nobody pings any more */
    const OutcomeValue *recovery = find_value(run, "sfc_echo_recovery_seconds", "p", "cut");
    ck_assert_uint_eq(recovery->sample->n, 2);
    for (guint i = 0; i < 2; i++) { /* the first echo that is sent after the end, and its answer */
        ck_assert_double_ge(recovery->sample->values[i], 0.5);
        ck_assert_double_le(recovery->sample->values[i], 0.61);
    }
}
END_TEST

START_TEST(an_echo_has_recovered_when_it_is_answered_again)
{
    for (uint32_t k = 0; k < 3; k++) {
        g_autoptr(Run) run =
            run_all("  traffic:\n" PING(
                        "p", "startTime: 120s, rate: 1000") "}}\n"
                                                            "  faults:\n  - {preset: "
                                                            "local-nse-death, startTime: 150s}\n",
                    k);
        double up = nsec_to_seconds(mark_at(run, 2)->at) - 150;
        double outage = nsec_to_seconds(mark_at(run, 2)->at - mark_at(run, 1)->at);
        double recovery = value_of(run, "sfc_echo_recovery_seconds", "p", "local-nse-death");
        ck_assert_double_ge(recovery, up);
        ck_assert_double_le(recovery, up + 0.003);
        ck_assert_double_eq_tol(value_of(run, "sfc_echoes_lost", "p", "local-nse-death"),
                                1000 * outage, 1.01);
    }
}
END_TEST

START_TEST(a_strike_that_loses_no_echo_has_no_echo_recovery)
{
    g_autoptr(Run) run =
        run_all("  traffic:\n" PING(
                    "p", "startTime: 120s, rate: 10") "}}\n"
                                                      "  faults:\n  - {preset: registry-restart, "
                                                      "startTime: 150s}\n",
                0);
    ck_assert_double_eq(value_of(run, "sfc_echoes_lost", "p", "registry-restart"), 0);
    ck_assert_ptr_null(find_value(run, "sfc_echo_recovery_seconds", "p", "registry-restart"));
}
END_TEST

START_TEST(scrapes_look_every_second_and_every_fifteen)
{
    guint n_seen = 0;
    for (uint32_t k = 0; k < 6; k++) {
        g_autoptr(Run) run = run_all("  faults:\n  - {name: cut, kind: NetworkChaos, action: "
                                     "partition, startTime: 150s, duration: 2s, " WIRE "}\n",
                                     k);
        double down = nsec_to_seconds(mark_at(run, 2)->at - mark_at(run, 1)->at);
        double n_lost = value_of(run, "sfc_echoes_lost", "1s", "cut");
        ck_assert(n_lost == floor(down) || n_lost == ceil(down));
        ck_assert_double_ge(n_lost, 2);
        ck_assert_double_eq(value_of(run, "sfc_downtime_seen_seconds", "1s", NULL), n_lost);
        double seen = value_of(run, "sfc_downtime_seen_seconds", "15s", NULL);
        ck_assert(seen == 0 || seen == 15);
        n_seen += seen == 15;
        /* they are looks, not traffic */
        ck_assert_ptr_null(find_value(run, "sfc_echoes_sent_total", "1s", NULL));
        ck_assert_ptr_null(find_value(run, "sfc_rtt_seconds", "15s", NULL));
    }
    ck_assert_uint_lt(n_seen, 6); /* most short outages are not seen at all */
}
END_TEST

START_TEST(echoes_are_lost_on_both_ways)
{
    g_autoptr(Run) run = run_all(
        "  traffic:\n" PING("calm", "startTime: 120s, duration: 20s, rate: 100") "}}\n" PING(
            "lossy", "startTime: 155s, duration: 20s, rate: 1000") "}}\n"
                                                                   "  faults:\n  - {name: loss, "
                                                                   "kind: NetworkChaos, action: "
                                                                   "loss, startTime: 150s, "
                                                                   "duration: 30s, loss: {loss: "
                                                                   "\"10\"}, " WIRE "}\n",
        0);
    ck_assert_double_eq(lost(run, "calm"), 0);
    ck_assert_double_eq(sent(run, "lossy"), 20000);
    double share = 1 - 0.9 * 0.9;
    ck_assert_double_eq_tol(value_of(run, "sfc_loss_ratio", "lossy", NULL), share,
                            4 * sqrt(share * (1 - share) / 20000));
    check_marks(run, 1); /* what loses something is not down */
}
END_TEST

START_TEST(of_very_many_echoes_the_expected_number_is_lost)
{
    g_autoptr(Run) run = run_all(
        "  traffic:\n" PING(
            "lossy", "startTime: 155s, duration: 2s, rate: 1000000") "}}\n"
                                                                     "  faults:\n  - {name: loss, "
                                                                     "kind: NetworkChaos, action: "
                                                                     "loss, startTime: 150s, "
                                                                     "duration: 30s, loss: {loss: "
                                                                     "\"20\"}, " WIRE "}\n",
        0);
    ck_assert_double_eq(sent(run, "lossy"), 2e6);
    ck_assert_double_eq_tol(value_of(run, "sfc_loss_ratio", "lossy", NULL), 0.36, 0.002);
    ck_assert_double_gt(value_of(run, "sfc_rtt_seconds", "lossy", NULL), 0);
    ck_assert_double_lt(value_of(run, "sfc_rtt_seconds", "lossy", NULL), 0.01);
}
END_TEST

START_TEST(a_delay_adds_twice_its_latency_to_the_round_trip)
{
    g_autoptr(Run) run = run_all(
        "  traffic:\n" PING("before", "startTime: 120s, duration: 20s, rate: 10") "}}\n" PING(
            "during",
            "startTime: 155s, duration: 20s, rate: 10") "}}\n" PING("half",
                                                                    "startTime: 140s, "
                                                                    "duration: 20s, rate: "
                                                                    "10") "}}\n" PING("afte"
                                                                                      "r",
                                                                                      "star"
                                                                                      "tTim"
                                                                                      "e: "
                                                                                      "185s"
                                                                                      ", "
                                                                                      "dura"
                                                                                      "tion"
                                                                                      ": "
                                                                                      "20s,"
                                                                                      " rat"
                                                                                      "e: "
                                                                                      "10") "}}\n"
                                                                                            "  "
                                                                                            "faults"
                                                                                            ":\n  "
                                                                                            "- "
                                                                                            "{name:"
                                                                                            " slow,"
                                                                                            " kind:"
                                                                                            " Netwo"
                                                                                            "rkChao"
                                                                                            "s, "
                                                                                            "action"
                                                                                            ": "
                                                                                            "delay,"
                                                                                            " start"
                                                                                            "Time: "
                                                                                            "150s, "
                                                                                            "durati"
                                                                                            "on: "
                                                                                            "30s, "
                                                                                            "delay:"
                                                                                            " {"
                                                                                            "latenc"
                                                                                            "y: "
                                                                                            "20ms},"
                                                                                            " " WIRE
                                                                                            "}\n",
        0);
    double before = value_of(run, "sfc_rtt_seconds", "before", NULL);
    ck_assert_double_gt(before, 0);
    ck_assert_double_lt(before, 0.001);
    ck_assert_double_eq_tol(value_of(run, "sfc_rtt_seconds", "during", NULL), before + 0.04, 1e-9);
    ck_assert_double_eq_tol(value_of(run, "sfc_rtt_seconds", "half", NULL), before + 0.02, 1e-9);
    ck_assert_double_eq_tol(value_of(run, "sfc_rtt_seconds", "after", NULL), before, 1e-9);
    ck_assert_double_eq(lost(run, "during"), 0);
}
END_TEST

START_TEST(a_narrow_wire_takes_its_time_for_large_echoes)
{
    g_autoptr(Run) run =
        run_all("  traffic:\n" PING(
                    "before",
                    "startTime: 120s, duration: 20s, "
                    "rate: 10") ", size: 1250}}\n" PING("during", "startTime: 155s, duration: 20s, "
                                                                  "rate: 10") ", size: 1250}}\n"
                                                                              "  faults:\n  - "
                                                                              "{name: narrow, "
                                                                              "kind: "
                                                                              "NetworkChaos, "
                                                                              "action: "
                                                                              "bandwidth, "
                                                                              "startTime: 150s, "
                                                                              "duration: 30s, "
                                                                              "bandwidth: "
                                                                              "{rate: "
                                                                              "1mbit}, " WIRE "}\n",
                0);
    ck_assert_double_eq_tol(value_of(run, "sfc_rtt_seconds", "during", NULL),
                            value_of(run, "sfc_rtt_seconds", "before", NULL) + 0.02, 1e-9);
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {
        a_path_comes_up_once_when_every_function_is_met,
        there_is_no_port_before_the_clients_sandbox,
        the_death_of_the_endpoint_takes_the_path_down_until_it_is_healed,
        a_cut_interface_takes_the_path_down_for_as_long_as_it_lasts,
        the_client_that_replaces_another_is_followed,
        echoes_are_as_many_as_rate_and_duration_say,
        the_phase_of_the_echoes_is_random,
        echoes_before_the_path_is_up_are_lost,
        echoes_lost_while_the_path_is_cut_are_counted_by_strike,
        an_echo_has_recovered_when_it_is_answered_again,
        a_strike_that_loses_no_echo_has_no_echo_recovery,
        scrapes_look_every_second_and_every_fifteen,
        echoes_are_lost_on_both_ways,
        of_very_many_echoes_the_expected_number_is_lost,
        a_delay_adds_twice_its_latency_to_the_round_trip,
        a_narrow_wire_takes_its_time_for_large_echoes,
    };
    return scratch_run("chainwatch", tests, G_N_ELEMENTS(tests));
}
