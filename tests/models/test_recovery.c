/* The sink that follows strikes and paths (models/recovery.h), fed with marks by hand. */
#include "models/recovery.h"

#include "tests/models/scratch.h"

#include <math.h>

/* Two chains, svc (the first) and svc-2, each from a client of its own to an endpoint of its own.
 */
#define HEAD                                                                                       \
    "apiVersion: vwire/v1alpha1\nkind: Scenario\nmetadata: {name: small}\nspec:\n"                 \
    "  duration: 20m\n  calibration: calibration.yaml\n  cluster:\n    nodes:\n"                   \
    "    - {name: one, allocatable: {cpu: 40, memory: 64Gi}}\n"                                    \
    "    - {name: two, allocatable: {cpu: 40, memory: 64Gi}}\n"                                    \
    "    defaultLink: {latency: 1ms}\n"                                                            \
    "  manifests: [{path: nsm.yaml}, {path: app.yaml}]\n"                                          \
    "  faults:\n"                                                                                  \
    "  - {name: kill, chain: svc, kind: PodChaos, action: pod-kill, startTime: 5m,\n"              \
    "     selector: {pods: {ns-a: [nse]}}}\n"                                                      \
    "  - {name: others, kind: PodChaos, action: pod-kill, startTime: 5m, mode: all,\n"             \
    "     selector: {namespaces: [nsm-system]}}\n"                                                 \
    "  - {name: second, chain: svc-2, kind: PodChaos, action: container-kill, startTime: 6m,\n"    \
    "     selector: {pods: {ns-a: [nse-2]}}}\n"                                                    \
    "  - {name: slow, kind: NetworkChaos, action: delay, startTime: 7m, duration: 30s,\n"          \
    "     delay: {latency: 1s}, selector: {nodes: [one]}}\n"                                       \
    "  - {name: reboot, kind: NodeChaos, action: node-restart, startTime: 8m,\n"                   \
    "     selector: {nodes: [two]}}\n"                                                             \
    "  - {preset: registry-restart, startTime: 9m}\n"

enum { KILL, OTHERS, SECOND, SLOW, REBOOT, PRESET };

#define CLIENT "ns-a/client-6d9c7-aaaaa"
#define CLIENT_NEXT "ns-a/client-6d9c7-bbbbb"
#define NSE "ns-a/nse-77777-aaaaa"
#define NSE_NEXT "ns-a/nse-77777-bbbbb"
#define NSE_2 "ns-a/nse-2-88888-aaaaa"
#define MANAGER_1 "nsm-system/nsmgr-aaaaa"
#define MANAGER_2 "nsm-system/nsmgr-bbbbb"
#define MANAGER_3 "nsm-system/nsmgr-ccccc"
#define MANAGER_4 "nsm-system/nsmgr-ddddd"
#define REGISTRY "nsm-system/registry-k8s-99999-aaaaa"
#define REGISTRY_NEXT "nsm-system/registry-k8s-99999-bbbbb"
#define SERVER "spire/spire-server-0"

static Scenario *scenario;
static Chains *chains;
static Recovery *recovery;
static double last; /* marks come in the order of time */

static void
add_workload(GString *text, const char *kind, const char *ns, const char *name, const char *image,
             const char *env)
{
    g_string_append_printf(text,
                           "---\napiVersion: apps/v1\nkind: %s\n"
                           "metadata: {name: %s, namespace: %s}\nspec:\n"
                           "  selector: {matchLabels: {app: %s}}\n  template:\n"
                           "    metadata: {labels: {app: %s}}\n    spec:\n      containers:\n"
                           "      - {name: c, image: \"reg/%s:v1.4.0\", env: [%s]}\n",
                           kind, name, ns, name, name, image, env);
}

static void
add_chain(GString *app, const char *client, const char *nse, const char *service)
{
    g_autofree char *asks =
        g_strdup_printf("{name: NSM_NETWORK_SERVICES, value: \"kernel://%s/nsm-1\"}", service);
    g_autofree char *serves = g_strdup_printf("{name: NSM_SERVICE_NAMES, value: %s}", service);
    add_workload(app, "Deployment", "ns-a", client, "cmd-nsc", asks);
    add_workload(app, "Deployment", "ns-a", nse, "cmd-nse-icmp-responder", serves);
}

static void
setup(void)
{
    scratch_setup();
    g_autoptr(GString) nsm = g_string_new(NULL), app = g_string_new(NULL);
    add_workload(nsm, "DaemonSet", "nsm-system", "nsmgr", "cmd-nsmgr", "");
    add_workload(nsm, "Deployment", "nsm-system", "registry-k8s", "cmd-registry-k8s", "");
    add_workload(nsm, "StatefulSet", "spire", "spire-server", "spire-server", "");
    add_chain(app, "client", "nse", "svc");
    add_chain(app, "client-2", "nse-2", "svc-2");
    scratch_write_calibration("calibration.yaml", "");
    scratch_write("nsm.yaml", nsm->str);
    scratch_write("app.yaml", app->str);
    scratch_write("s.yaml", HEAD);
    g_autofree char *path = scratch_path("s.yaml");
    g_autoptr(GError) error = NULL;
    scenario = scenario_load(path, NULL, &error);
    ck_assert_msg(scenario != NULL, "%s", error != NULL ? error->message : "");
    chains = chains_find(scenario);
    ck_assert_uint_eq(chains->chains->len, 2);
    recovery = recovery_new(scenario, chains);
    last = 0;
}

static void
teardown(void)
{
    recovery_free(recovery);
    chains_free(chains);
    scenario_free(scenario);
    scratch_teardown();
}

/* ---- marks ---- */

static nsec_t
ns_of(double seconds)
{
    return (nsec_t)llround(seconds * 1e9);
}

static void
mark(double at, TraceMark what, const char *subject, const char *detail, int64_t value)
{
    ck_assert_double_ge(at, last);
    last = at;
    TraceSink *sink = recovery_sink(recovery);
    sink->event(sink, &(TraceEvent){.at = ns_of(at),
                                    .component = "test",
                                    .process = "test",
                                    .mark = what,
                                    .subject = subject,
                                    .detail = detail,
                                    .value = value});
}

static void
path(double at, const char *chain, bool up)
{
    mark(at, up ? TRACE_PATH_UP : TRACE_PATH_DOWN, chain, up ? "a -> b" : "cut", 0);
}

static void
strike(double at, guint fault, int64_t n, const char *action, const char *pod)
{
    g_autofree char *target = g_strdup_printf("%s: Pod %s", action, pod);
    mark(at, TRACE_FAULT_INJECTED, scenario->faults[fault].name, target, n);
}

static void
container(double at, TraceMark what, const char *pod)
{
    g_autofree char *subject = g_strdup_printf("%s/c", pod);
    mark(at, what, subject, what == TRACE_CONTAINER_EXITED ? "137" : NULL, 0);
}

static void
exits(double at, const char *pod)
{
    container(at, TRACE_CONTAINER_EXITED, pod);
}

static void
heal(double at, TraceMark what, const char *pod, const char *detail)
{
    g_autofree char *connection = g_strdup_printf("%s-0", pod);
    mark(at, what, connection, detail, 0);
}

/* Both paths come up, and everything says once that it serves. */
static void
come_up(void)
{
    mark(50, TRACE_SERVING, MANAGER_1, NULL, 0);
    mark(50, TRACE_SERVING, MANAGER_2, NULL, 0);
    mark(50, TRACE_SERVING, REGISTRY, NULL, 0);
    mark(50, TRACE_REGISTERED, NSE, "nse", 0);
    mark(50, TRACE_REGISTERED, NSE_2, "nse-2", 0);
    path(100, "svc", true);
    path(100, "svc-2", true);
}

/* ---- results ---- */

static void
finish(double at)
{
    recovery_finish(recovery, ns_of(at));
}

static const RecoveryCase *
find_case(guint fault, const char *chain)
{
    const GPtrArray *cases = recovery_cases(recovery);
    for (guint i = 0; i < cases->len; i++) {
        const RecoveryCase *one = g_ptr_array_index(cases, i);
        if (one->fault == &scenario->faults[fault] && g_str_equal(one->chain->name, chain)) {
            return one;
        }
    }
    return NULL;
}

static const RecoveryCase *
the_case(guint fault, const char *chain)
{
    const RecoveryCase *one = find_case(fault, chain);
    ck_assert_msg(one != NULL, "no case of %s and %s", scenario->faults[fault].name, chain);
    return one;
}

/* The values of a sample, "0.5 2.8". */
static void
holds(const Sample *sample, const char *expected)
{
    g_autoptr(GString) text = g_string_new(NULL);
    for (size_t i = 0; i < sample->n; i++) {
        g_string_append_printf(text, "%s%.3g", i > 0 ? " " : "", sample->values[i]);
    }
    ck_assert_str_eq(text->str, expected);
}

/* "0.5 0.5 ..." in the order of RecoveryPhase. */
static void
holds_phases(const RecoveryCase *one, const char *expected)
{
    g_autoptr(GString) text = g_string_new(NULL);
    for (int i = 0; i < N_RECOVERY_PHASES; i++) {
        g_string_append_printf(text, "%s%.3g", i > 0 ? " " : "", one->phases[i]);
    }
    ck_assert_str_eq(text->str, expected);
}

static void
holds_problem(const char *words)
{
    int n_missed;
    const GPtrArray *problems = recovery_problems(recovery, &n_missed);
    for (guint i = 0; i < problems->len; i++) {
        if (strstr(g_ptr_array_index(problems, i), words) != NULL) {
            return;
        }
    }
    ck_abort_msg("no problem says \"%s\" (of %u)", words, problems->len);
}

static int
n_missed(void)
{
    int n;
    recovery_problems(recovery, &n);
    return n;
}

static guint
n_problems(void)
{
    int n;
    return recovery_problems(recovery, &n)->len;
}

/* ---- one strike ---- */

/* The endpoint is killed and comes back; times are those of `strike_at` and later. */
static void
kill_endpoint(double at, int64_t n, const char *old, const char *next)
{
    strike(at, KILL, n, "pod-kill", old);
    exits(at + 0.2, old);
    path(at + 0.2, "svc", false);
    heal(at + 0.5, TRACE_HEAL_DETECTED, CLIENT, "monitor");
    heal(at + 0.6, TRACE_HEAL_ATTEMPT, CLIENT, NULL);
    container(at + 1, TRACE_CONTAINER_STARTED, next);
    mark(at + 1.5, TRACE_IDENTITY_RECEIVED, next, NULL, 0);
    mark(at + 2, TRACE_REGISTERED, next, "nse", 0);
    heal(at + 2.2, TRACE_HEAL_ATTEMPT, CLIENT, NULL);
    path(at + 2.6, "svc", true);
    heal(at + 2.8, TRACE_HEAL_DONE, CLIENT, NULL);
}

START_TEST(a_path_that_went_down_recovers_when_it_is_up_and_the_heal_is_done)
{
    come_up();
    kill_endpoint(300, 1, NSE, NSE_NEXT);
    finish(400);
    const RecoveryCase *one = the_case(KILL, "svc");
    holds(&one->detection, "0.5");
    holds(&one->outage, "2.4");
    holds(&one->recovery, "2.8");
    holds(&one->attempts, "2");
    holds_phases(one, "0.5 0.5 0.5 0.5 0.2 0.6");
    ck_assert_uint_eq(one->n_affected, 1);
    ck_assert_uint_eq(one->n_unrecovered, 0);
    ck_assert_uint_eq(recovery_n_strikes(recovery, KILL), 1);
    ck_assert_uint_eq(n_problems(), 0);
    ck_assert_int_eq(n_missed(), 0);
}
END_TEST

START_TEST(a_path_that_comes_up_after_the_heal_is_what_counts)
{
    come_up();
    strike(300, KILL, 1, "pod-kill", NSE);
    exits(300, NSE);
    path(300, "svc", false);
    heal(301, TRACE_HEAL_DETECTED, CLIENT, "monitor");
    heal(302, TRACE_HEAL_ATTEMPT, CLIENT, NULL);
    mark(302.5, TRACE_REGISTERED, NSE_NEXT, "nse", 0);
    heal(303, TRACE_HEAL_DONE, CLIENT, NULL);
    path(304, "svc", true);
    finish(400);
    holds(&the_case(KILL, "svc")->recovery, "4");
}
END_TEST

/* Traffic flows again through another endpoint: nobody waits for the one that was killed. */
START_TEST(a_path_that_went_down_does_not_wait_for_what_was_killed)
{
    come_up();
    strike(300, KILL, 1, "pod-kill", NSE);
    exits(300, NSE);
    path(300, "svc", false);
    path(302, "svc", true);
    mark(310, TRACE_REGISTERED, NSE_NEXT, "nse", 0);
    finish(400);
    holds(&the_case(KILL, "svc")->recovery, "2");
    holds(&the_case(KILL, "svc")->outage, "2");
}
END_TEST

START_TEST(a_path_that_was_never_down_waits_for_what_was_killed)
{
    come_up();
    strike(300, PRESET, 1, "pod-kill", REGISTRY);
    exits(300.5, REGISTRY);
    container(301, TRACE_CONTAINER_STARTED, REGISTRY_NEXT);
    mark(302, TRACE_IDENTITY_RECEIVED, REGISTRY_NEXT, NULL, 0);
    mark(302.2, TRACE_POD_READY, REGISTRY_NEXT, NULL, 0); /* this one serves when it listens */
    mark(304, TRACE_SERVING, REGISTRY_NEXT, NULL, 0);
    mark(305, TRACE_POD_READY, REGISTRY_NEXT, NULL, 0);
    finish(400);
    const RecoveryCase *one = the_case(PRESET, "svc");
    holds(&one->detection, "");
    holds(&one->attempts, "");
    holds(&one->outage, "0");
    holds(&one->recovery, "4");
    holds_phases(one, "0 1 1 2 0 0");
}
END_TEST

START_TEST(a_path_that_was_never_down_waits_for_the_heal_too)
{
    come_up();
    strike(300, PRESET, 1, "pod-kill", REGISTRY);
    exits(300.5, REGISTRY);
    heal(301, TRACE_HEAL_DETECTED, CLIENT, "monitor");
    mark(304, TRACE_SERVING, REGISTRY_NEXT, NULL, 0);
    heal(305, TRACE_HEAL_ATTEMPT, CLIENT, NULL);
    heal(307, TRACE_HEAL_DONE, CLIENT, NULL);
    finish(400);
    holds(&the_case(PRESET, "svc")->recovery, "7");
    holds_phases(the_case(PRESET, "svc"), "1 0 0 3 1 2");
}
END_TEST

START_TEST(several_outages_of_a_strike_are_added)
{
    come_up();
    strike(300, KILL, 1, "pod-kill", NSE);
    exits(300, NSE);
    path(301, "svc", false);
    path(302, "svc", true);
    path(305, "svc", false);
    path(309, "svc", true);
    mark(310, TRACE_REGISTERED, NSE_NEXT, "nse", 0);
    finish(400);
    holds(&the_case(KILL, "svc")->outage, "5");
    holds(&the_case(KILL, "svc")->recovery, "9");
    ck_assert_uint_eq(recovery_chain(recovery, 0)->n_outages, 2);
}
END_TEST

START_TEST(a_fault_that_kills_nothing_recovers_with_the_path)
{
    come_up();
    mark(300, TRACE_FAULT_INJECTED, "slow", "delay: node one", 1);
    path(300, "svc", false);
    path(330, "svc", true);
    mark(330, TRACE_FAULT_ENDED, "slow", NULL, 1);
    finish(400);
    holds(&the_case(SLOW, "svc")->recovery, "30");
    ck_assert_int_eq(n_missed(), 0);
}
END_TEST

/* ---- victims and replacements ---- */

static void
kill_both_managers(double at)
{
    strike(at, PRESET, 1, "pod-kill", MANAGER_1);
    strike(at, PRESET, 1, "pod-kill", MANAGER_2);
    exits(at, MANAGER_1);
    exits(at, MANAGER_2);
}

START_TEST(two_victims_of_a_workload_need_two_replacements)
{
    come_up();
    kill_both_managers(300);
    container(301, TRACE_CONTAINER_STARTED, MANAGER_3);
    container(302, TRACE_CONTAINER_STARTED, MANAGER_4);
    mark(303, TRACE_SERVING, MANAGER_3, NULL, 0);
    mark(306, TRACE_SERVING, MANAGER_4, NULL, 0);
    finish(400);
    const RecoveryCase *one = the_case(PRESET, "svc");
    holds(&one->recovery, "6");
    holds_phases(one, "0 2 0 4 0 0");
    ck_assert_uint_eq(recovery_n_strikes(recovery, PRESET), 1);
}
END_TEST

START_TEST(the_last_that_serves_again_counts_whatever_was_killed_first)
{
    come_up();
    strike(300, PRESET, 1, "pod-kill", REGISTRY);
    strike(300, PRESET, 1, "pod-kill", MANAGER_1);
    exits(300, REGISTRY);
    exits(300, MANAGER_1);
    mark(303, TRACE_SERVING, MANAGER_3, NULL, 0);
    mark(308, TRACE_SERVING, REGISTRY_NEXT, NULL, 0);
    finish(400);
    holds(&the_case(PRESET, "svc")->recovery, "8");
}
END_TEST

START_TEST(one_replacement_of_two_is_not_enough)
{
    come_up();
    kill_both_managers(300);
    mark(303, TRACE_SERVING, MANAGER_3, NULL, 0);
    finish(400);
    holds(&the_case(PRESET, "svc")->recovery, "");
    ck_assert_uint_eq(the_case(PRESET, "svc")->n_unrecovered, 1);
    holds_problem("what was killed is not back in service");
}
END_TEST

START_TEST(a_pod_of_another_workload_replaces_nobody)
{
    static const char *const others[] = {
        "ns-a/nse-2-88888-ccccc", "ns-a/nse-77777-ccc-ccccc", "ns-a/nse-77777",
        "ns-b/nse-77777-c",       "ns-a/nsex-77777-ccccc",    "ns-a/nse-77777x-ccccc",
    };
    come_up();
    strike(300, KILL, 1, "pod-kill", NSE);
    exits(300, NSE);
    for (guint i = 0; i < G_N_ELEMENTS(others); i++) {
        mark(301, TRACE_REGISTERED, others[i], "x", 0);
    }
    ck_assert_int_eq(recovery_calm_since(recovery), NSEC_NEVER);
    mark(302, TRACE_REGISTERED, NSE_NEXT, "x", 0);
    ck_assert_int_eq(recovery_calm_since(recovery), ns_of(302));
}
END_TEST

START_TEST(what_a_dying_pod_still_says_is_no_replacement)
{
    come_up();
    strike(300, KILL, 1, "pod-kill", NSE);
    mark(301, TRACE_REGISTERED, NSE, "nse", 0);
    exits(302, NSE);
    mark(303, TRACE_REGISTERED, NSE, "nse", 0);
    finish(400);
    ck_assert_uint_eq(the_case(KILL, "svc")->n_unrecovered, 1);
}
END_TEST

/* A StatefulSet's next Pod has the name of the one before. */
START_TEST(a_pod_that_is_made_again_by_the_same_name_is_a_replacement)
{
    come_up();
    strike(300, PRESET, 1, "pod-kill", SERVER);
    mark(301, TRACE_POD_READY, SERVER, NULL, 0); /* it dies still */
    exits(302, SERVER);
    mark(302.5, TRACE_POD_READY, SERVER, NULL, 0);
    ck_assert_int_eq(recovery_calm_since(recovery), NSEC_NEVER);
    mark(303, TRACE_POD_DELETED, SERVER, NULL, 0);
    container(304, TRACE_CONTAINER_STARTED, SERVER);
    mark(305, TRACE_POD_READY, SERVER, NULL, 0);
    finish(400);
    holds(&the_case(PRESET, "svc")->recovery, "5");
    holds_phases(the_case(PRESET, "svc"), "0 4 0 1 0 0");
}
END_TEST

START_TEST(a_container_that_was_killed_comes_back_in_its_own_pod)
{
    come_up();
    strike(360, SECOND, 1, "container-kill", NSE_2);
    mark(360.5, TRACE_REGISTERED, NSE_2, "nse", 0); /* it has not died yet */
    exits(361, NSE_2);
    mark(362, TRACE_REGISTERED, "ns-a/nse-2-88888-bbbbb", "nse", 0); /* another Pod */
    ck_assert_int_eq(recovery_calm_since(recovery), NSEC_NEVER);
    container(363, TRACE_CONTAINER_STARTED, NSE_2);
    mark(364, TRACE_IDENTITY_RECEIVED, NSE_2, NULL, 0);
    mark(366, TRACE_REGISTERED, NSE_2, "nse", 0);
    finish(400);
    const RecoveryCase *one = the_case(SECOND, "svc-2");
    holds(&one->recovery, "6");
    holds_phases(one, "0 3 1 2 0 0");
}
END_TEST

START_TEST(two_containers_of_a_pod_are_one_victim)
{
    come_up();
    strike(360, SECOND, 1, "container-kill", NSE_2);
    strike(360, SECOND, 1, "container-kill", NSE_2);
    exits(361, NSE_2);
    exits(361, NSE_2);
    mark(366, TRACE_REGISTERED, NSE_2, "nse", 0);
    finish(400);
    ck_assert_int_eq(n_missed(), 0);
    holds(&the_case(SECOND, "svc-2")->recovery, "6");
}
END_TEST

START_TEST(a_strike_that_ends_no_container_did_not_strike)
{
    come_up();
    strike(300, KILL, 1, "pod-kill", NSE);
    mark(302, TRACE_REGISTERED, NSE_NEXT, "nse", 0);
    finish(400);
    ck_assert_int_eq(n_missed(), 1);
    holds_problem("fault kill (strike 1) did not strike: no container of Pod " NSE " ended");
}
END_TEST

START_TEST(a_pod_that_was_deleted_has_died)
{
    come_up();
    strike(300, KILL, 1, "pod-kill", NSE);
    mark(301, TRACE_POD_DELETED, NSE, NULL, 0);
    mark(302, TRACE_REGISTERED, NSE_NEXT, "nse", 0);
    finish(400);
    ck_assert_int_eq(n_missed(), 0);
    holds(&the_case(KILL, "svc")->recovery, "2");
}
END_TEST

/* It takes its time to end, and the next strike does not wait for it. */
START_TEST(a_pod_that_terminates_was_struck)
{
    come_up();
    strike(300, KILL, 1, "pod-kill", NSE);
    mark(300, TRACE_POD_TERMINATING, NSE, NULL, 0);
    ck_assert_int_eq(recovery_calm_since(recovery), NSEC_NEVER);
    strike(301, OTHERS, 1, "pod-kill", MANAGER_1);
    exits(301, MANAGER_1);
    finish(400);
    ck_assert_int_eq(n_missed(), 0);
}
END_TEST

START_TEST(a_strike_when_the_run_ends_is_not_looked_at)
{
    come_up();
    strike(300, KILL, 1, "pod-kill", NSE);
    finish(300);
    ck_assert_int_eq(n_missed(), 0);
    ck_assert_uint_eq(n_problems(), 0);
    ck_assert_uint_eq(recovery_cases(recovery)->len, 0);
    ck_assert_uint_eq(recovery_n_strikes(recovery, KILL), 1);
}
END_TEST

START_TEST(each_pod_that_does_not_die_is_counted)
{
    come_up();
    strike(300, PRESET, 1, "pod-kill", MANAGER_1);
    strike(300, PRESET, 1, "pod-kill", MANAGER_2);
    strike(300, PRESET, 1, "pod-kill", REGISTRY);
    exits(301, MANAGER_2);
    finish(400);
    ck_assert_int_eq(n_missed(), 2);
}
END_TEST

START_TEST(a_fault_that_failed_is_counted_with_its_reason)
{
    come_up();
    mark(300, TRACE_FAULT_FAILED, "kill", "pod-kill selects nothing that is there", 3);
    finish(400);
    ck_assert_int_eq(n_missed(), 1);
    holds_problem("fault kill (strike 3) did not strike: pod-kill selects nothing that is there");
    ck_assert_uint_eq(recovery_n_strikes(recovery, KILL), 0);
    ck_assert_uint_eq(recovery_cases(recovery)->len, 0);
}
END_TEST

START_TEST(a_fault_of_no_scenario_is_passed_over)
{
    come_up();
    mark(300, TRACE_FAULT_INJECTED, "nobody", "pod-kill: Pod " NSE, 1);
    mark(300, TRACE_FAULT_FAILED, "nobody", "why", 1);
    finish(400);
    ck_assert_int_eq(n_missed(), 0);
    ck_assert_uint_eq(recovery_cases(recovery)->len, 0);
}
END_TEST

/* ---- successive strikes ---- */

START_TEST(strikes_of_a_fault_add_up_to_one_case)
{
    come_up();
    kill_endpoint(300, 1, NSE, NSE_NEXT);
    kill_endpoint(400, 2, NSE_NEXT, NSE);
    finish(500);
    const RecoveryCase *one = the_case(KILL, "svc");
    holds(&one->recovery, "2.8 2.8");
    holds_phases(one, "1 1 1 1 0.4 1.2");
    ck_assert_uint_eq(one->n_affected, 2);
    ck_assert_uint_eq(recovery_n_strikes(recovery, KILL), 2);
    ck_assert_uint_eq(recovery_cases(recovery)->len, 1);
}
END_TEST

START_TEST(the_next_strike_closes_the_one_before)
{
    come_up();
    kill_endpoint(300, 1, NSE, NSE_NEXT);
    strike(310, OTHERS, 1, "pod-kill", MANAGER_1);
    exits(310, MANAGER_1);
    path(311, "svc", false);
    path(315, "svc", true);
    mark(316, TRACE_SERVING, MANAGER_3, NULL, 0);
    finish(400);
    holds(&the_case(KILL, "svc")->recovery, "2.8");
    holds(&the_case(OTHERS, "svc")->recovery, "5");
    holds(&the_case(OTHERS, "svc")->outage, "4");
}
END_TEST

START_TEST(what_is_not_well_when_the_next_strike_comes_is_unrecovered_but_no_problem)
{
    come_up();
    strike(300, KILL, 1, "pod-kill", NSE);
    exits(300, NSE);
    path(301, "svc", false);
    heal(302, TRACE_HEAL_DETECTED, CLIENT, "monitor");
    strike(310, OTHERS, 1, "pod-kill", MANAGER_1);
    exits(310, MANAGER_1);
    path(312, "svc", true);
    heal(313, TRACE_HEAL_DONE, CLIENT, NULL);
    mark(313, TRACE_SERVING, MANAGER_3, NULL, 0);
    finish(400);
    const RecoveryCase *before = the_case(KILL, "svc");
    holds(&before->recovery, "");
    holds(&before->detection, "2");
    holds(&before->outage, "9"); /* until the next strike */
    ck_assert_uint_eq(before->n_unrecovered, 1);
    const RecoveryCase *after = the_case(OTHERS, "svc");
    holds(&after->detection, "0"); /* its client heals already */
    holds(&after->outage, "2");
    holds(&after->recovery, "3");
    ck_assert_uint_eq(after->n_unrecovered, 0);
    ck_assert_uint_eq(n_problems(), 0);
}
END_TEST

START_TEST(targets_of_one_strike_belong_together)
{
    come_up();
    kill_both_managers(300);
    mark(301, TRACE_SERVING, MANAGER_3, NULL, 0);
    mark(301, TRACE_SERVING, MANAGER_4, NULL, 0);
    strike(310, PRESET, 2, "pod-kill", MANAGER_3);
    exits(310, MANAGER_3);
    mark(314, TRACE_SERVING, MANAGER_1, NULL, 0);
    finish(400);
    ck_assert_uint_eq(recovery_n_strikes(recovery, PRESET), 2);
    holds(&the_case(PRESET, "svc")->recovery, "1 4");
}
END_TEST

START_TEST(at_the_end_what_is_not_well_is_a_problem)
{
    static const char *const words[] = {"its path is down", "its client still heals",
                                        "what was killed is not back in service"};
    for (int why = 0; why < 3; why++) {
        recovery_free(recovery);
        recovery = recovery_new(scenario, chains);
        last = 0;
        come_up();
        strike(300, KILL, 7, "pod-kill", NSE);
        exits(300, NSE);
        if (why == 0) {
            path(310, "svc", false);
        } else if (why == 1) {
            heal(310, TRACE_HEAL_DETECTED, CLIENT, "monitor");
        }
        if (why != 2) {
            mark(311, TRACE_REGISTERED, NSE_NEXT, "nse", 0);
        }
        finish(400);
        const RecoveryCase *one = the_case(KILL, "svc");
        holds(&one->recovery, "");
        holds(&one->outage, why == 0 ? "90" : "0");
        ck_assert_uint_eq(one->n_affected, 1);
        ck_assert_uint_eq(one->n_unrecovered, 1);
        ck_assert_uint_eq(n_problems(), 1);
        holds_problem("chain svc has not recovered from fault kill (strike 7): ");
        holds_problem(words[why]);
        ck_assert_int_eq(n_missed(), 0);
    }
}
END_TEST

/* ---- which chains ---- */

START_TEST(a_chain_that_nothing_happened_to_is_left_out)
{
    come_up();
    kill_endpoint(300, 1, NSE, NSE_NEXT);
    finish(400);
    ck_assert_uint_eq(recovery_cases(recovery)->len, 1);
    ck_assert_ptr_null(find_case(KILL, "svc-2"));
}
END_TEST

START_TEST(each_chain_whose_path_goes_down_is_affected)
{
    come_up();
    strike(300, KILL, 1, "pod-kill", NSE);
    exits(300, NSE);
    path(301, "svc-2", false);
    path(303, "svc-2", true);
    mark(305, TRACE_REGISTERED, NSE_NEXT, "nse", 0);
    finish(400);
    holds(&the_case(KILL, "svc-2")->recovery, "3");
    holds(&the_case(KILL, "svc")->recovery, "5");
}
END_TEST

START_TEST(a_chain_whose_client_notices_something_is_affected)
{
    come_up();
    strike(300, OTHERS, 1, "pod-kill", MANAGER_1);
    exits(300, MANAGER_1);
    heal(301, TRACE_HEAL_DETECTED, "ns-a/client-2-55555-aaaaa", "monitor");
    heal(302, TRACE_HEAL_DONE, "ns-a/client-2-55555-aaaaa", NULL);
    mark(303, TRACE_SERVING, MANAGER_3, NULL, 0);
    finish(400);
    holds(&the_case(OTHERS, "svc-2")->recovery, "3");
    ck_assert_uint_eq(recovery_cases(recovery)->len, 1); /* it is about no chain */
}
END_TEST

START_TEST(a_preset_without_a_chain_is_about_the_first)
{
    come_up();
    strike(300, PRESET, 1, "pod-kill", REGISTRY);
    exits(300, REGISTRY);
    mark(303, TRACE_SERVING, REGISTRY_NEXT, NULL, 0);
    finish(400);
    ck_assert_uint_eq(recovery_cases(recovery)->len, 1);
    holds(&the_case(PRESET, "svc")->recovery, "3");
}
END_TEST

START_TEST(a_chain_that_was_never_up_has_nothing_to_recover)
{
    mark(50, TRACE_REGISTERED, NSE, "nse", 0);
    strike(300, KILL, 1, "pod-kill", NSE);
    exits(300, NSE);
    heal(301, TRACE_HEAL_DETECTED, CLIENT, "monitor");
    finish(400);
    ck_assert_uint_eq(recovery_cases(recovery)->len, 0);
    ck_assert_int_eq(recovery_chain(recovery, 0)->first_up, NSEC_NEVER);
    ck_assert_int_eq(recovery_chain(recovery, 0)->down, 0);
}
END_TEST

/* ---- chains over the whole run ---- */

START_TEST(downtime_counts_from_the_first_time_that_the_path_is_up)
{
    path(10, "svc", false); /* it was not up */
    path(100, "svc", true);
    path(200, "svc", false);
    path(201, "svc", false);
    path(210, "svc", true);
    path(390, "svc", false);
    finish(400);
    const RecoveryChain *chain = recovery_chain(recovery, 0);
    ck_assert_int_eq(chain->first_up, ns_of(100));
    ck_assert_int_eq(chain->down, ns_of(20));
    ck_assert_uint_eq(chain->n_outages, 2);
    const RecoveryChain *other = recovery_chain(recovery, 1);
    ck_assert_int_eq(other->first_up, NSEC_NEVER);
    ck_assert_int_eq(other->down, 0);
    ck_assert_str_eq(other->chain->name, "svc-2");
}
END_TEST

START_TEST(an_outage_over_several_strikes_is_counted_once_in_the_downtime)
{
    come_up();
    path(290, "svc", false);
    strike(300, KILL, 1, "pod-kill", NSE);
    strike(310, KILL, 2, "pod-kill", NSE);
    path(320, "svc", true);
    finish(400);
    ck_assert_int_eq(recovery_chain(recovery, 0)->down, ns_of(30));
    holds(&the_case(KILL, "svc")->outage, "10 10");
}
END_TEST

START_TEST(liveness_that_fails_while_the_path_is_up_is_a_false_alarm)
{
    come_up();
    heal(200, TRACE_HEAL_DETECTED, CLIENT, "liveness");
    heal(201, TRACE_HEAL_DONE, CLIENT, NULL);
    heal(210, TRACE_HEAL_DETECTED, CLIENT, "monitor");
    heal(211, TRACE_HEAL_DONE, CLIENT, NULL);
    heal(215, TRACE_HEAL_DETECTED, CLIENT, NULL);
    heal(216, TRACE_HEAL_DONE, CLIENT, NULL);
    path(220, "svc", false);
    heal(221, TRACE_HEAL_DETECTED, CLIENT, "liveness");
    heal(222, TRACE_HEAL_DONE, CLIENT, NULL);
    finish(400);
    ck_assert_uint_eq(recovery_chain(recovery, 0)->n_heals, 4);
    ck_assert_uint_eq(recovery_chain(recovery, 0)->n_false_alarms, 1);
    ck_assert_uint_eq(recovery_chain(recovery, 1)->n_heals, 0);
}
END_TEST

START_TEST(a_client_that_dies_heals_no_more)
{
    come_up();
    strike(300, KILL, 1, "pod-kill", NSE);
    exits(300, NSE);
    path(301, "svc", false);
    heal(302, TRACE_HEAL_DETECTED, CLIENT, "monitor");
    exits(304, CLIENT);
    mark(305, TRACE_REGISTERED, NSE_NEXT, "nse", 0);
    path(306, "svc", true); /* of the next client */
    finish(400);
    holds(&the_case(KILL, "svc")->recovery, "6");
    ck_assert_uint_eq(the_case(KILL, "svc")->n_unrecovered, 0);
}
END_TEST

START_TEST(a_sidecar_that_ends_ends_no_heal)
{
    come_up();
    strike(300, KILL, 1, "pod-kill", NSE);
    exits(300, NSE);
    path(301, "svc", false);
    heal(302, TRACE_HEAL_DETECTED, CLIENT, "monitor");
    mark(304, TRACE_CONTAINER_EXITED, CLIENT "/sidecar", "1", 0);
    mark(305, TRACE_REGISTERED, NSE_NEXT, "nse", 0);
    path(306, "svc", true);
    finish(400);
    ck_assert_uint_eq(the_case(KILL, "svc")->n_unrecovered, 1);
}
END_TEST

START_TEST(faults_of_one_instant_are_one_strike)
{
    come_up();
    strike(300, KILL, 1, "pod-kill", NSE);
    strike(300, OTHERS, 1, "pod-kill", MANAGER_1);
    exits(300, NSE);
    exits(300, MANAGER_1);
    mark(305, TRACE_REGISTERED, NSE_NEXT, "nse", 0);
    finish(400);
    int n_missed = 0;
    recovery_problems(recovery, &n_missed);
    ck_assert_int_eq(n_missed, 0);
    ck_assert_uint_eq(recovery_n_strikes(recovery, OTHERS), 1);
}
END_TEST

START_TEST(another_clients_death_ends_no_heal)
{
    come_up();
    strike(300, KILL, 1, "pod-kill", NSE);
    exits(300, NSE);
    mark(301, TRACE_REGISTERED, NSE_NEXT, "nse", 0);
    heal(302, TRACE_HEAL_DETECTED, CLIENT, "monitor");
    exits(304, "ns-a/client-2-55555-aaaaa");
    finish(400);
    holds_problem("its client still heals");
}
END_TEST

START_TEST(the_next_client_pod_belongs_to_the_same_chain)
{
    come_up();
    strike(300, KILL, 1, "pod-kill", NSE);
    exits(300, NSE);
    heal(301, TRACE_HEAL_DETECTED, CLIENT_NEXT, "monitor");
    mark(301, TRACE_REGISTERED, NSE_NEXT, "nse", 0);
    heal(303, TRACE_HEAL_DONE, CLIENT_NEXT, NULL);
    finish(400);
    holds(&the_case(KILL, "svc")->detection, "1");
    holds(&the_case(KILL, "svc")->recovery, "3");
}
END_TEST

/* ---- calm ---- */

static void
calm(double since)
{
    ck_assert_int_eq(recovery_calm_since(recovery), since < 0 ? NSEC_NEVER : ns_of(since));
}

START_TEST(it_is_calm_since_something_last_happened)
{
    calm(-1); /* no path is up yet */
    path(90, "svc", true);
    calm(-1);
    path(100, "svc-2", true);
    calm(100);
    mark(110, TRACE_POD_READY, NSE, NULL, 0);
    calm(110);
    mark(111, TRACE_POD_DELETED, NSE, NULL, 0);
    calm(111);
    mark(112, TRACE_IDENTITY_RECEIVED, NSE, NULL, 0);
    calm(112);
    mark(113, TRACE_REGISTERED, NSE, NULL, 0);
    calm(113);
    mark(114, TRACE_SERVING, MANAGER_1, NULL, 0);
    calm(114);
    exits(115, NSE);
    calm(115);
    container(116, TRACE_CONTAINER_STARTED, NSE);
    calm(116);
    mark(117, TRACE_NOTE, NSE, "no matter", 0);
    mark(117, TRACE_REGISTRY_WAIT, NSE, "find", 5);
    calm(116);
}
END_TEST

START_TEST(it_is_not_calm_while_a_path_is_down)
{
    come_up();
    calm(100);
    path(200, "svc-2", false);
    calm(-1);
    path(203, "svc-2", true);
    calm(203);
}
END_TEST

START_TEST(it_is_not_calm_while_somebody_heals)
{
    come_up();
    heal(200, TRACE_HEAL_DETECTED, CLIENT, "monitor");
    calm(-1);
    heal(201, TRACE_HEAL_ATTEMPT, CLIENT, NULL);
    calm(-1);
    heal(202, TRACE_HEAL_DONE, CLIENT, NULL);
    calm(202);
    heal(210, TRACE_HEAL_DETECTED, CLIENT, "monitor");
    exits(211, CLIENT);
    calm(211);
}
END_TEST

START_TEST(it_is_not_calm_while_something_that_was_killed_is_missing)
{
    come_up();
    strike(300, KILL, 1, "pod-kill", NSE);
    calm(-1);
    exits(301, NSE);
    calm(-1);
    container(302, TRACE_CONTAINER_STARTED, NSE_NEXT);
    calm(-1);
    mark(303, TRACE_REGISTERED, NSE_NEXT, "nse", 0);
    calm(303);
}
END_TEST

START_TEST(it_is_not_calm_while_a_fault_lasts)
{
    come_up();
    mark(420, TRACE_FAULT_INJECTED, "slow", "delay: node one", 1);
    calm(-1);
    mark(450, TRACE_FAULT_ENDED, "slow", NULL, 1);
    calm(450);
}
END_TEST

START_TEST(it_is_not_calm_while_a_node_that_was_switched_off_boots)
{
    come_up();
    mark(480, TRACE_FAULT_INJECTED, "reboot", "node-restart: node two", 1);
    calm(-1);
    mark(520, TRACE_FAULT_ENDED, "reboot", NULL, 1);
    calm(520);
}
END_TEST

START_TEST(a_fault_that_lasts_does_so_beyond_the_next_strike)
{
    come_up();
    mark(420, TRACE_FAULT_INJECTED, "slow", "delay: node one", 1);
    strike(430, KILL, 1, "pod-kill", NSE);
    exits(430, NSE);
    mark(431, TRACE_REGISTERED, NSE_NEXT, "nse", 0);
    calm(-1);
    mark(450, TRACE_FAULT_ENDED, "slow", NULL, 1);
    calm(450);
}
END_TEST

/* ---- whatever the order ---- */

/* The marks of one strike at random times: the phases are never negative, and their sum is the
 * recovery. */
START_TEST(phases_add_up_to_the_recovery_whatever_comes_first)
{
    enum { N = 7 };
    g_autoptr(GRand) random = g_rand_new_with_seed(5);
    guint n_recovered = 0;
    for (int round = 0; round < 500; round++) {
        recovery_free(recovery);
        recovery = recovery_new(scenario, chains);
        last = 0;
        come_up();
        strike(300, KILL, 1, "pod-kill", NSE);
        exits(300, NSE);
        bool down = g_rand_boolean(random);
        if (down) {
            path(300, "svc", false);
        }
        int order[N] = {0, 1, 2, 3, 4, 5, 6};
        for (int i = N - 1; i > 0; i--) {
            int j = g_rand_int_range(random, 0, i + 1), kept = order[i];
            order[i] = order[j];
            order[j] = kept;
        }
        double at = 300;
        for (int i = 0; i < N; i++) {
            at += g_rand_int_range(random, 0, 3);
            switch (order[i]) {
            case 0:
                container(at, TRACE_CONTAINER_STARTED, NSE_NEXT);
                break;
            case 1:
                mark(at, TRACE_IDENTITY_RECEIVED, NSE_NEXT, NULL, 0);
                break;
            case 2:
                mark(at, TRACE_REGISTERED, NSE_NEXT, "nse", 0);
                break;
            case 3:
                heal(at, TRACE_HEAL_DETECTED, CLIENT, "monitor");
                break;
            case 4:
                heal(at, TRACE_HEAL_ATTEMPT, CLIENT, NULL);
                break;
            case 5:
                heal(at, TRACE_HEAL_DONE, CLIENT, NULL);
                break;
            default:
                path(at, "svc", true);
            }
        }
        finish(400);
        const RecoveryCase *one = the_case(KILL, "svc");
        ck_assert_uint_eq(one->recovery.n + one->n_unrecovered, 1);
        double sum = 0;
        for (int phase = 0; phase < N_RECOVERY_PHASES; phase++) {
            ck_assert_double_ge(one->phases[phase], 0);
            sum += one->phases[phase];
        }
        n_recovered += (guint)one->recovery.n;
        ck_assert_double_eq_tol(sum, one->recovery.n > 0 ? one->recovery.mean : 0, 1e-9);
    }
    ck_assert_uint_gt(n_recovered, 200);
}
END_TEST

START_TEST(the_testbeds_scenario_is_followed_as_it_is)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Scenario) testbed =
        scenario_load("scenarios/testbed/recovery-local-nse-death.yaml", NULL, &error);
    ck_assert_msg(testbed != NULL, "%s", error != NULL ? error->message : "");
    g_autoptr(Chains) found = chains_find(testbed);
    const Chain *chain = g_ptr_array_index(found->chains, 0);
    Recovery *alone = recovery_new(testbed, found);
    TraceSink *sink = recovery_sink(alone);
    TraceEvent event = {.at = 1, .mark = TRACE_PATH_UP, .subject = chain->name};
    sink->event(sink, &event);
    event = (TraceEvent){.at = 2,
                         .mark = TRACE_FAULT_INJECTED,
                         .subject = testbed->faults[0].name,
                         .detail = "pod-kill: Pod x/nse-kernel-11111-aaaaa",
                         .value = 1};
    sink->event(sink, &event);
    recovery_finish(alone, 10);
    ck_assert_uint_eq(recovery_cases(alone)->len, 1);
    const RecoveryCase *one = recovery_cases(alone)->pdata[0];
    ck_assert_ptr_eq(one->chain, chain);
    ck_assert_ptr_eq(one->fault, &testbed->faults[0]);
    recovery_free(alone);
}
END_TEST

int
main(void) /* NOLINT(readability-function-size): the list of the tests */
{
    const TTest *const tests[] = {
        a_path_that_went_down_recovers_when_it_is_up_and_the_heal_is_done,
        a_path_that_comes_up_after_the_heal_is_what_counts,
        a_path_that_went_down_does_not_wait_for_what_was_killed,
        a_path_that_was_never_down_waits_for_what_was_killed,
        a_path_that_was_never_down_waits_for_the_heal_too,
        several_outages_of_a_strike_are_added,
        a_fault_that_kills_nothing_recovers_with_the_path,
        two_victims_of_a_workload_need_two_replacements,
        the_last_that_serves_again_counts_whatever_was_killed_first,
        one_replacement_of_two_is_not_enough,
        a_pod_of_another_workload_replaces_nobody,
        what_a_dying_pod_still_says_is_no_replacement,
        a_pod_that_is_made_again_by_the_same_name_is_a_replacement,
        a_container_that_was_killed_comes_back_in_its_own_pod,
        two_containers_of_a_pod_are_one_victim,
        a_strike_that_ends_no_container_did_not_strike,
        a_pod_that_was_deleted_has_died,
        a_pod_that_terminates_was_struck,
        a_strike_when_the_run_ends_is_not_looked_at,
        each_pod_that_does_not_die_is_counted,
        a_fault_that_failed_is_counted_with_its_reason,
        a_fault_of_no_scenario_is_passed_over,
        strikes_of_a_fault_add_up_to_one_case,
        the_next_strike_closes_the_one_before,
        what_is_not_well_when_the_next_strike_comes_is_unrecovered_but_no_problem,
        targets_of_one_strike_belong_together,
        at_the_end_what_is_not_well_is_a_problem,
        a_chain_that_nothing_happened_to_is_left_out,
        each_chain_whose_path_goes_down_is_affected,
        a_chain_whose_client_notices_something_is_affected,
        a_preset_without_a_chain_is_about_the_first,
        a_chain_that_was_never_up_has_nothing_to_recover,
        downtime_counts_from_the_first_time_that_the_path_is_up,
        an_outage_over_several_strikes_is_counted_once_in_the_downtime,
        liveness_that_fails_while_the_path_is_up_is_a_false_alarm,
        a_client_that_dies_heals_no_more,
        a_sidecar_that_ends_ends_no_heal,
        faults_of_one_instant_are_one_strike,
        another_clients_death_ends_no_heal,
        the_next_client_pod_belongs_to_the_same_chain,
        it_is_calm_since_something_last_happened,
        it_is_not_calm_while_a_path_is_down,
        it_is_not_calm_while_somebody_heals,
        it_is_not_calm_while_something_that_was_killed_is_missing,
        it_is_not_calm_while_a_fault_lasts,
        it_is_not_calm_while_a_node_that_was_switched_off_boots,
        a_fault_that_lasts_does_so_beyond_the_next_strike,
        phases_add_up_to_the_recovery_whatever_comes_first,
        the_testbeds_scenario_is_followed_as_it_is,
    };
    return suite_run("recovery", tests, G_N_ELEMENTS(tests), setup, teardown);
}
