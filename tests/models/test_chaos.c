/* The chaos machine (models/chaos.h): when it strikes, whom, and what it does. */
#include "models/chaos.h"

#include "tests/models/scratch.h"
#include "tests/models/step.h"

#include <math.h>

#define S NSEC_PER_SEC

/* Three nodes, NSM, and the chain svc from the Deployment client to the Deployment nse. */
#define HEAD                                                                                       \
    "apiVersion: vwire/v1alpha1\nkind: Scenario\nmetadata: {name: small}\nspec:\n"                 \
    "  duration: 20m\n  calibration: calibration.yaml\n  cluster:\n    nodes:\n"                   \
    "    - {name: one, allocatable: {cpu: 40, memory: 64Gi}}\n"                                    \
    "    - {name: two, allocatable: {cpu: 40, memory: 64Gi}}\n"                                    \
    "    - {name: three, allocatable: {cpu: 40, memory: 64Gi}}\n"                                  \
    "    defaultLink: {latency: 1ms}\n"                                                            \
    "  manifests: [{path: nsm.yaml}, {path: app.yaml}]\n"                                          \
    "  faults:\n"

/* The Pods, by uid. */
enum { CLIENT = 1, NSE, MANAGER_1, MANAGER_2, MANAGER_3, FORWARDER_1, FORWARDER_2, REGISTRY };

static const struct {
    const char *ns, *workload, *name, *node;
    bool daemon;
} pods[] = {
    [CLIENT] = {"ns-a", "client", "client-6d9c7-aaaaa", "one", false},
    [NSE] = {"ns-a", "nse", "nse-77777-aaaaa", "two", false},
    [MANAGER_1] = {"nsm-system", "nsmgr", "nsmgr-aaaaa", "one", true},
    [MANAGER_2] = {"nsm-system", "nsmgr", "nsmgr-bbbbb", "two", true},
    [MANAGER_3] = {"nsm-system", "nsmgr", "nsmgr-ccccc", "three", true},
    [FORWARDER_1] = {"nsm-system", "forwarder-vpp", "forwarder-vpp-aaaaa", "one", true},
    [FORWARDER_2] = {"nsm-system", "forwarder-vpp", "forwarder-vpp-bbbbb", "two", true},
    [REGISTRY] = {"nsm-system", "registry-k8s", "registry-k8s-99999-aaaaa", "three", false},
};
static const char *const node_names[] = {"one", "two", "three"};

static Scenario *scenario;
static Chains *chains;
static Bench bench;
static uint64_t pod_tag, node_tag; /* of the watches */
static ApiObject *shown[G_N_ELEMENTS(pods)];

static void
add_workload(GString *text, const char *kind, const char *ns, const char *name, const char *image,
             const char *env)
{
    g_string_append_printf(text,
                           "---\napiVersion: apps/v1\nkind: %s\n"
                           "metadata: {name: %s, namespace: %s}\nspec:\n"
                           "  selector: {matchLabels: {app: %s}}\n  template:\n"
                           "    metadata: {labels: {app: %s}}\n    spec:\n"
                           "      terminationGracePeriodSeconds: 17\n"
                           "      initContainers: [{name: prepare, image: \"i:1\"}]\n"
                           "      containers:\n"
                           "      - {name: %s, image: \"reg/%s:v1.4.0\", env: [%s]}\n"
                           "      - {name: side, image: \"i:1\"}\n",
                           kind, name, ns, name, name, name, image, env);
}

static void
load(const char *faults)
{
    g_autoptr(GString) nsm = g_string_new(NULL), app = g_string_new(NULL);
    add_workload(nsm, "DaemonSet", "nsm-system", "nsmgr", "cmd-nsmgr", "");
    add_workload(nsm, "DaemonSet", "nsm-system", "forwarder-vpp", "cmd-forwarder-vpp", "");
    add_workload(nsm, "Deployment", "nsm-system", "registry-k8s", "cmd-registry-k8s", "");
    add_workload(app, "Deployment", "ns-a", "client", "cmd-nsc",
                 "{name: NSM_NETWORK_SERVICES, value: \"kernel://svc/nsm-7\"}");
    add_workload(app, "Deployment", "ns-a", "nse", "cmd-nse-icmp-responder",
                 "{name: NSM_SERVICE_NAMES, value: svc}");
    g_autofree char *text = g_strconcat(HEAD, faults, NULL);
    scratch_write_calibration("calibration.yaml", "");
    scratch_write("nsm.yaml", nsm->str);
    scratch_write("app.yaml", app->str);
    scratch_write("s.yaml", text);
    g_autofree char *path = scratch_path("s.yaml");
    g_autoptr(GError) error = NULL;
    scenario = scenario_load(path, NULL, &error);
    ck_assert_msg(scenario != NULL, "%s: %s", faults, error != NULL ? error->message : "");
    chains = chains_find(scenario);
}

static const Object *
workload_named(const char *name)
{
    for (guint m = 0; m < scenario->n_manifests; m++) {
        const GPtrArray *objects = scenario->manifests[m].objects;
        for (guint i = 0; i < objects->len; i++) {
            const Object *object = g_ptr_array_index(objects, i);
            if (g_str_equal(object->name, name)) {
                return object;
            }
        }
    }
    return NULL;
}

static void
show(WatchEventType type, ApiObject *object)
{
    bench_give(&bench,
               (Input){.kind = INPUT_EVENT, .tag = object->kind == OBJECT_POD ? pod_tag : node_tag},
               api_event_new(type, object));
}

static void
show_pod(guint uid)
{
    ApiObject *pod = api_object_new(OBJECT_POD, pods[uid].ns, pods[uid].name);
    pod->uid = uid;
    pod->version = 1;
    pod->pod = object_pod_spec(workload_named(pods[uid].workload));
    pod->node = g_strdup(pods[uid].node);
    pod->affinity_node = pods[uid].daemon ? g_strdup(pods[uid].node) : NULL;
    g_ptr_array_add(bench.objects, pod);
    shown[uid] = pod;
    show(WATCH_ADDED, pod);
}

static void
show_nodes(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(node_names); i++) {
        ApiObject *node = api_object_new(OBJECT_NODE, "", node_names[i]);
        node->uid = 100 + i;
        node->version = 1;
        g_ptr_array_add(bench.objects, node);
        show(WATCH_ADDED, node);
    }
}

/* A machine that knows the nodes only. */
static void
begin_empty(const char *faults, uint64_t seed)
{
    load(faults);
    bench_init(&bench, COMPONENT_CHAOS, "one");
    bench_set(&bench, "node.boot", "40s");
    bench.info.seed = seed;
    bench_start(&bench, chaos_new(&bench.info, scenario, chains));
    for (guint i = 0; i < bench_count(&bench, ACTION_OPEN, MESSAGE_API_WATCH); i++) {
        const Done *open = bench_nth(&bench, ACTION_OPEN, MESSAGE_API_WATCH, i);
        const ApiQuery *query = (const ApiQuery *)open->action.message;
        *(query->kind == OBJECT_POD ? &pod_tag : &node_tag) = open->action.tag;
    }
    show_nodes();
}

static void
begin_seeded(const char *faults, uint64_t seed)
{
    begin_empty(faults, seed);
    for (guint uid = CLIENT; uid <= REGISTRY; uid++) {
        show_pod(uid);
    }
    bench_forget(&bench);
}

static void
begin(const char *faults)
{
    begin_seeded(faults, 1);
}

static void
finish(void)
{
    bench_clear(&bench);
    chains_free(chains);
    scenario_free(scenario);
}

/* One fault from `keys`, in braces. */
static void
begin_fault(const char *keys)
{
    g_autofree char *faults = g_strdup_printf("  - {%s}\n", keys);
    begin(faults);
}

/* ---- what was done ---- */

static guint
n_marks(TraceMark mark)
{
    guint n = 0;
    for (guint i = 0; i < bench.done->len; i++) {
        const Done *done = bench.done->pdata[i];
        n += done->action.kind == ACTION_TRACE && done->action.mark == mark;
    }
    return n;
}

/* The Pods whose deletion was asked for: "nse-77777-aaaaa nsmgr-bbbbb". */
static char *
deleted(void)
{
    GString *text = g_string_new(NULL);
    for (guint i = 0; i < bench_calls(&bench, MESSAGE_API_DELETE); i++) {
        const ApiQuery *query =
            (const ApiQuery *)bench_call(&bench, MESSAGE_API_DELETE, i)->action.message;
        g_string_append_printf(text, "%s%s", i > 0 ? " " : "", query->name);
    }
    return g_string_free(text, false);
}

static void
assert_deleted(const char *expected)
{
    g_autofree char *names = deleted();
    ck_assert_str_eq(names, expected);
}

/* The only operation that was injected since the last time; forgets everything. */
static FaultOp
the_op(FaultOpKind kind)
{
    ck_assert_uint_eq(bench_count(&bench, ACTION_INJECT, MESSAGE_NONE), 1);
    FaultOp op = bench_nth(&bench, ACTION_INJECT, MESSAGE_NONE, 0)->action.fault;
    ck_assert_int_eq(op.kind, kind);
    bench_forget(&bench);
    return op;
}

/* The object of the n-th update. */
static const ApiObject *
update(guint n)
{
    return api_message_object(bench_call(&bench, MESSAGE_API_UPDATE, n)->action.message);
}

static void
assert_no_more_strikes(void)
{
    bench_forget(&bench);
    bench_run_for(&bench, 3600 * S);
    ck_assert_uint_eq(bench.done->len, 0);
}

/* ---- when ---- */

START_TEST(it_watches_pods_and_nodes)
{
    begin_empty("  - {preset: local-nse-death, startTime: 5m}\n", 1);
    ck_assert_uint_eq(bench_count(&bench, ACTION_OPEN, MESSAGE_API_WATCH), 2);
    ck_assert_str_eq(bench_nth(&bench, ACTION_OPEN, MESSAGE_API_WATCH, 0)->action.address,
                     API_ADDRESS);
    ck_assert_uint_ne(pod_tag, node_tag);
    finish();
}
END_TEST

START_TEST(it_strikes_at_the_start_time_and_once)
{
    begin_fault("preset: local-nse-death, startTime: 5m");
    bench_run_until(&bench, 300 * S - 1);
    ck_assert_uint_eq(bench.done->len, 0);
    bench_run_until(&bench, 300 * S);
    assert_deleted("nse-77777-aaaaa");
    const Done *mark = bench_mark(&bench, TRACE_FAULT_INJECTED, "local-nse-death");
    ck_assert_ptr_nonnull(mark);
    ck_assert_str_eq(mark->action.text, "pod-kill: Pod ns-a/nse-77777-aaaaa");
    ck_assert_int_eq(mark->action.value, 1);
    assert_no_more_strikes();
    finish();
}
END_TEST

START_TEST(a_schedule_strikes_again_every_so_often)
{
    begin_fault("name: x, kind: PodChaos, action: pod-kill, startTime: 10s, schedule: \"@every "
                "30s\", selector: {pods: {ns-a: [nse]}}");
    bench_run_until(&bench, 310 * S);
    ck_assert_uint_eq(n_marks(TRACE_FAULT_INJECTED), 11);
    for (guint i = 0; i < 11; i++) {
        ck_assert_int_eq(bench_call(&bench, MESSAGE_API_DELETE, i)->at, (10 + 30 * (nsec_t)i) * S);
    }
    ck_assert_int_eq(bench_mark(&bench, TRACE_FAULT_INJECTED, "x")->action.value, 11);
    finish();
}
END_TEST

START_TEST(random_strikes_have_exponential_times_between)
{
    enum { N = 5000 };
    begin_fault("name: x, kind: PodChaos, action: pod-kill, startTime: 100s, meanTimeBetween: 60s, "
                "selector: {pods: {ns-a: [nse]}}");
    double sum = 0, squares = 0;
    guint n_short = 0;
    nsec_t before = 100 * S; /* it does not strike at once either */
    for (guint i = 0; i < N; i++) {
        bench_next(&bench);
        double gap = nsec_to_seconds(bench.now - before);
        ck_assert_double_gt(gap, 0);
        sum += gap;
        squares += gap * gap;
        n_short += gap < 60 * log(2);
        before = bench.now;
    }
    ck_assert_uint_eq(bench_calls(&bench, MESSAGE_API_DELETE), N);
    double mean = sum / N, deviation = sqrt(squares / N - mean * mean);
    ck_assert_double_eq_tol(mean, 60, 4 * 60 / sqrt(N));
    ck_assert_double_eq_tol(deviation, 60, 6);
    ck_assert_double_eq_tol((double)n_short / N, 0.5, 0.03);
    finish();
}
END_TEST

START_TEST(random_strikes_wait_for_the_end_of_the_former)
{
    begin_fault("name: x, kind: PodChaos, action: pod-failure, startTime: 100s, duration: 50s, "
                "meanTimeBetween: 60s, selector: {pods: {ns-a: [nse]}}");
    nsec_t struck = NSEC_NEVER;
    guint n_at_once = 0;
    for (guint i = 0; i < 2000; i++) {
        bench_forget(&bench);
        bench_next(&bench);
        if (n_marks(TRACE_FAULT_INJECTED) > 0) {
            ck_assert_msg(struck == NSEC_NEVER, "it strikes while the former lasts");
            struck = bench.now;
        } else {
            ck_assert_uint_eq(n_marks(TRACE_FAULT_ENDED), 1);
            ck_assert_int_eq(bench.now, struck + 50 * S);
            struck = NSEC_NEVER;
            n_at_once += bench_next_at(&bench) == bench.now + 1;
        }
    }
    ck_assert_uint_gt(n_at_once, 400); /* more than half of the times would be shorter */
    finish();
}
END_TEST

START_TEST(several_faults_have_times_of_their_own)
{
    begin("  - {name: a, kind: PodChaos, action: pod-kill, startTime: 50s, selector: {pods: "
          "{ns-a: [nse]}}}\n"
          "  - {name: b, kind: PodChaos, action: pod-failure, startTime: 20s, duration: 60s, "
          "selector: {pods: {ns-a: [client]}}}\n");
    bench_run_until(&bench, 1000 * S);
    ck_assert_int_eq(bench_mark(&bench, TRACE_FAULT_INJECTED, "a")->at, 50 * S);
    ck_assert_int_eq(bench_mark(&bench, TRACE_FAULT_INJECTED, "b")->at, 20 * S);
    ck_assert_int_eq(bench_mark(&bench, TRACE_FAULT_ENDED, "b")->at, 80 * S);
    ck_assert_uint_eq(n_marks(TRACE_FAULT_INJECTED), 2);
    ck_assert_uint_eq(n_marks(TRACE_FAULT_ENDED), 1);
    finish();
}
END_TEST

/* ---- how many ---- */

static void
begin_mode(const char *mode, uint64_t seed)
{
    g_autofree char *faults =
        g_strdup_printf("  - {name: x, kind: PodChaos, action: pod-kill, startTime: 10s, "
                        "schedule: \"@every 10s\", %s, selector: {namespaces: [nsm-system]}}\n",
                        mode);
    begin_seeded(faults, seed);
}

/* The fewest and the most Pods that a strike of 300 hits, of six; and how many are ever hit. */
static void
count_targets(const char *mode, guint *fewest, guint *most, guint *n_ever)
{
    begin_mode(mode, 1);
    g_autoptr(GHashTable) ever = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    *fewest = G_MAXUINT;
    *most = 0;
    for (int i = 0; i < 300; i++) {
        bench_forget(&bench);
        bench_next(&bench);
        guint n = bench_calls(&bench, MESSAGE_API_DELETE);
        g_autofree char *text = deleted();
        g_auto(GStrv) names = g_strsplit(text, " ", -1);
        g_autoptr(GHashTable) now = g_hash_table_new(g_str_hash, g_str_equal);
        for (char **name = names; *name != NULL; name++) {
            ck_assert_msg(g_hash_table_add(now, *name), "%s twice in a strike", *name);
            g_hash_table_add(ever, g_strdup(*name));
        }
        *fewest = MIN(*fewest, n);
        *most = MAX(*most, n);
    }
    *n_ever = g_hash_table_size(ever);
    finish();
}

START_TEST(modes_say_how_many_are_hit)
{
    static const struct {
        const char *mode;
        guint fewest, most, n_ever;
    } cases[] = {
        {"mode: one", 1, 1, 6},
        {"mode: all", 6, 6, 6},
        {"mode: fixed, value: 2", 2, 2, 6},
        {"mode: fixed, value: 9", 6, 6, 6}, /* a warning */
        {"mode: fixed-percent, value: 50", 3, 3, 6},
        {"mode: fixed-percent, value: 49", 2, 2, 6},
        {"mode: fixed-percent, value: 1", 1, 1, 6},
        {"mode: fixed-percent, value: 100", 6, 6, 6},
        {"mode: random-max-percent, value: 50", 1, 3, 6},
        {"mode: random-max-percent, value: 100", 1, 6, 6},
        {"mode: random-max-percent, value: 1", 1, 1, 6},
    };
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        guint fewest, most, n_ever;
        count_targets(cases[i].mode, &fewest, &most, &n_ever);
        ck_assert_msg(fewest == cases[i].fewest && most == cases[i].most &&
                          n_ever == cases[i].n_ever,
                      "%s: %u to %u, %u", cases[i].mode, fewest, most, n_ever);
    }
}
END_TEST

static char *
story(const char *mode, uint64_t seed)
{
    begin_mode(mode, seed);
    bench_run_until(&bench, 500 * S);
    char *names = deleted();
    finish();
    return names;
}

START_TEST(what_is_chosen_is_a_function_of_the_seed)
{
    static const char *const modes[] = {"mode: one", "mode: random-max-percent, value: 100"};
    for (guint i = 0; i < G_N_ELEMENTS(modes); i++) {
        g_autofree char *first = story(modes[i], 7), *again = story(modes[i], 7);
        g_autofree char *other = story(modes[i], 8);
        ck_assert_str_eq(first, again);
        ck_assert_str_ne(first, other);
    }
}
END_TEST

/* ---- whom ---- */

START_TEST(selectors_say_whom)
{
    static const struct {
        const char *selector, *pods;
    } cases[] = {
        {"{namespaces: [ns-a]}", "client-6d9c7-aaaaa nse-77777-aaaaa"},
        {"{labelSelectors: {app: nse}}", "nse-77777-aaaaa"},
        {"{labelSelectors: {app: nsmgr}}", "nsmgr-aaaaa nsmgr-bbbbb nsmgr-ccccc"},
        {"{nodes: [two]}", "nse-77777-aaaaa nsmgr-bbbbb forwarder-vpp-bbbbb"},
        {"{nodes: [three, one], namespaces: [nsm-system]}",
         "nsmgr-aaaaa nsmgr-ccccc forwarder-vpp-aaaaa registry-k8s-99999-aaaaa"},
        {"{pods: {ns-a: [nse]}}", "nse-77777-aaaaa"},
        {"{pods: {nsm-system: [registry-k8s, nsmgr]}}",
         "nsmgr-aaaaa nsmgr-bbbbb nsmgr-ccccc registry-k8s-99999-aaaaa"},
        {"{pods: {nsm-system: [nsmgr]}, nodes: [two]}", "nsmgr-bbbbb"},
        {"{}", "client-6d9c7-aaaaa nse-77777-aaaaa nsmgr-aaaaa nsmgr-bbbbb nsmgr-ccccc "
               "forwarder-vpp-aaaaa forwarder-vpp-bbbbb registry-k8s-99999-aaaaa"},
    };
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *fault = g_strdup_printf("name: x, kind: PodChaos, action: pod-kill, "
                                                 "startTime: 10s, mode: all, selector: %s",
                                                 cases[i].selector);
        begin_fault(fault);
        bench_run_until(&bench, 10 * S);
        assert_deleted(cases[i].pods);
        finish();
    }
}
END_TEST

START_TEST(presets_hit_what_they_are_named_after)
{
    static const struct {
        const char *preset, *pods;
    } cases[] = {
        {"local-nse-death", "nse-77777-aaaaa"},
        {"local-nsmgr-restart", "nsmgr-aaaaa"},
        {"remote-nsmgr-restart", "nsmgr-bbbbb"},
        {"local-forwarder-death", "forwarder-vpp-aaaaa"},
        {"remote-forwarder-death", "forwarder-vpp-bbbbb"},
        {"registry-restart", "registry-k8s-99999-aaaaa"},
        {"local-nsmgr-local-nse-memif", "nsmgr-aaaaa nse-77777-aaaaa"},
        {"local-nsmgr-remote-nsmgr", "nsmgr-aaaaa nsmgr-bbbbb"},
    };
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *fault = g_strdup_printf("preset: %s, startTime: 10s", cases[i].preset);
        begin_fault(fault);
        bench_run_until(&bench, 10 * S);
        assert_deleted(cases[i].pods);
        finish();
    }
}
END_TEST

START_TEST(the_whole_system_is_every_manager_and_forwarder_and_the_registry)
{
    begin_fault("preset: local-nsm-system-restart, startTime: 10s");
    bench_run_until(&bench, 10 * S);
    ck_assert_uint_eq(bench_calls(&bench, MESSAGE_API_DELETE), 6);
    ck_assert_int_eq(bench_mark(&bench, TRACE_FAULT_INJECTED, NULL)->action.value, 1);
    finish();
}
END_TEST

/* The client moves to another node: "local" is there from now on. */
START_TEST(places_are_those_of_the_newest_pod_that_lives)
{
    begin_fault("preset: local-nsmgr-restart, startTime: 10s");
    ApiObject *dying = bench_copy(&bench, shown[CLIENT]);
    dying->deleting = true;
    show(WATCH_MODIFIED, dying);
    ApiObject *next = api_object_new(OBJECT_POD, "ns-a", "client-6d9c7-bbbbb");
    next->uid = 50;
    next->version = 1;
    next->pod = shown[CLIENT]->pod;
    next->node = g_strdup("three");
    g_ptr_array_add(bench.objects, next);
    show(WATCH_ADDED, next);
    bench_run_until(&bench, 10 * S);
    assert_deleted("nsmgr-ccccc");
    finish();
}
END_TEST

START_TEST(a_newer_pod_that_is_being_deleted_is_no_place)
{
    begin_fault("preset: local-nsmgr-restart, startTime: 10s");
    ApiObject *next = api_object_new(OBJECT_POD, "ns-a", "client-6d9c7-bbbbb");
    next->uid = 50;
    next->version = 1;
    next->pod = shown[CLIENT]->pod;
    next->node = g_strdup("three");
    next->deleting = true;
    g_ptr_array_add(bench.objects, next);
    show(WATCH_ADDED, next);
    bench_run_until(&bench, 10 * S);
    assert_deleted("nsmgr-aaaaa");
    finish();
}
END_TEST

START_TEST(pods_that_are_being_deleted_or_have_no_node_are_not_hit)
{
    begin_fault("name: x, kind: PodChaos, action: pod-kill, startTime: 10s, mode: all, "
                "selector: {namespaces: [ns-a]}");
    ApiObject *dying = bench_copy(&bench, shown[CLIENT]);
    dying->deleting = true;
    show(WATCH_MODIFIED, dying);
    ApiObject *pending = bench_copy(&bench, shown[NSE]);
    g_clear_pointer(&pending->node, g_free);
    show(WATCH_MODIFIED, pending);
    bench_run_until(&bench, 10 * S);
    assert_deleted("");
    ck_assert_uint_eq(n_marks(TRACE_FAULT_FAILED), 1);
    ck_assert_uint_eq(n_marks(TRACE_FAULT_INJECTED), 0);
    finish();
}
END_TEST

START_TEST(a_pod_that_is_gone_is_not_hit)
{
    begin_fault("name: x, kind: PodChaos, action: pod-kill, startTime: 10s, mode: all, "
                "selector: {namespaces: [ns-a]}");
    show(WATCH_DELETED, shown[CLIENT]);
    bench_run_until(&bench, 10 * S);
    assert_deleted("nse-77777-aaaaa");
    finish();
}
END_TEST

START_TEST(newer_snapshots_count_and_older_ones_do_not)
{
    begin_fault("name: x, kind: PodChaos, action: pod-kill, startTime: 10s, mode: all, "
                "selector: {nodes: [three], namespaces: [ns-a]}");
    ApiObject *newer = bench_copy(&bench, shown[NSE]);
    g_free(newer->node);
    newer->node = g_strdup("three");
    show(WATCH_MODIFIED, newer);
    show(WATCH_MODIFIED, shown[NSE]); /* late */
    bench_run_until(&bench, 10 * S);
    assert_deleted("nse-77777-aaaaa");
    finish();
}
END_TEST

START_TEST(a_pod_is_deleted_by_its_uid_and_with_the_grace_that_was_asked_for)
{
    static const struct {
        const char *fault;
        nsec_t grace;
    } cases[] = {
        {"preset: local-nse-death, startTime: 10s", 17 * S}, /* as the Pod says */
        {"preset: local-nse-death, startTime: 10s, gracePeriod: 3", 3 * S},
        {"name: x, kind: PodChaos, action: pod-kill, startTime: 10s, selector: {pods: {ns-a: "
         "[nse]}}",
         0},
        {"name: x, kind: PodChaos, action: pod-kill, startTime: 10s, gracePeriod: 5s, selector: "
         "{pods: {ns-a: [nse]}}",
         5 * S},
    };
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        begin_fault(cases[i].fault);
        bench_run_until(&bench, 10 * S);
        const Done *call = bench_call(&bench, MESSAGE_API_DELETE, 0);
        const ApiQuery *query = (const ApiQuery *)call->action.message;
        ck_assert_str_eq(call->action.address, API_ADDRESS);
        ck_assert_int_eq(query->kind, OBJECT_POD);
        ck_assert_str_eq(query->ns, "ns-a");
        ck_assert_uint_eq(query->uid, NSE);
        ck_assert_int_eq(query->grace, cases[i].grace);
        finish();
    }
}
END_TEST

START_TEST(a_strike_that_selects_nothing_fails)
{
    begin_empty("  - {name: x, kind: PodChaos, action: pod-kill, startTime: 10s, schedule: "
                "\"@every 10s\", selector: {}}\n",
                1);
    bench_run_until(&bench, 10 * S);
    const Done *mark = bench_mark(&bench, TRACE_FAULT_FAILED, "x");
    ck_assert_ptr_nonnull(mark);
    ck_assert_str_eq(mark->action.text, "pod-kill selects nothing that is there");
    ck_assert_int_eq(mark->action.value, 1);
    ck_assert_uint_eq(n_marks(TRACE_FAULT_INJECTED), 0);
    show_pod(NSE); /* the next strike finds it */
    bench_run_until(&bench, 20 * S);
    assert_deleted("nse-77777-aaaaa");
    ck_assert_uint_eq(n_marks(TRACE_FAULT_FAILED), 1);
    finish();
}
END_TEST

START_TEST(a_part_that_selects_nothing_fails_alone)
{
    begin_fault("preset: registry-local-endpoint, startTime: 10s");
    show(WATCH_DELETED, shown[REGISTRY]);
    bench_run_until(&bench, 10 * S);
    assert_deleted("nse-77777-aaaaa");
    ck_assert_uint_eq(n_marks(TRACE_FAULT_FAILED), 1);
    ck_assert_uint_eq(n_marks(TRACE_FAULT_INJECTED), 1);
    finish();
}
END_TEST

/* ---- what ---- */

START_TEST(pod_failure_pauses_the_newest_snapshot_and_ends)
{
    begin_fault("name: x, kind: PodChaos, action: pod-failure, startTime: 10s, duration: 5s, "
                "selector: {pods: {ns-a: [nse]}}");
    bench_run_until(&bench, 10 * S);
    ck_assert_uint_eq(bench_calls(&bench, MESSAGE_API_UPDATE), 1);
    ck_assert_uint_eq(update(0)->uid, NSE);
    ck_assert(update(0)->paused);
    ck_assert(!shown[NSE]->paused); /* snapshots do not change */
    ApiObject *newer = bench_copy(&bench, update(0));
    newer->version = 9;
    show(WATCH_MODIFIED, newer);
    bench_run_until(&bench, 15 * S);
    ck_assert_uint_eq(bench_calls(&bench, MESSAGE_API_UPDATE), 2);
    ck_assert(!update(1)->paused);
    ck_assert_uint_eq(update(1)->version, 9);
    ck_assert_int_eq(bench_mark(&bench, TRACE_FAULT_ENDED, "x")->at, 15 * S);
    assert_no_more_strikes();
    finish();
}
END_TEST

START_TEST(a_paused_pod_that_is_gone_is_not_brought_back)
{
    begin_fault("name: x, kind: PodChaos, action: pod-failure, startTime: 10s, duration: 5s, "
                "selector: {pods: {ns-a: [nse]}}");
    bench_run_until(&bench, 10 * S);
    show(WATCH_DELETED, shown[NSE]);
    bench_run_until(&bench, 15 * S);
    ck_assert_uint_eq(bench_calls(&bench, MESSAGE_API_UPDATE), 1);
    ck_assert_uint_eq(n_marks(TRACE_FAULT_ENDED), 1);
    finish();
}
END_TEST

START_TEST(container_kill_hits_the_first_container_or_those_that_are_named)
{
    begin_fault("name: x, kind: PodChaos, action: container-kill, startTime: 10s, selector: "
                "{pods: {ns-a: [nse]}}");
    bench_run_until(&bench, 10 * S);
    FaultOp op = the_op(FAULT_OP_KILL);
    ck_assert_uint_eq(op.pod_uid, NSE);
    ck_assert_uint_eq(op.container, 1); /* after the init container */
    finish();
    begin_fault("name: x, kind: PodChaos, action: container-kill, startTime: 10s, "
                "containerNames: [side, nse], selector: {pods: {ns-a: [nse]}}");
    bench_run_until(&bench, 10 * S);
    ck_assert_uint_eq(bench_count(&bench, ACTION_INJECT, MESSAGE_NONE), 2);
    ck_assert_uint_eq(bench_nth(&bench, ACTION_INJECT, MESSAGE_NONE, 0)->action.fault.container, 2);
    ck_assert_uint_eq(bench_nth(&bench, ACTION_INJECT, MESSAGE_NONE, 1)->action.fault.container, 1);
    ck_assert_uint_eq(bench_calls(&bench, MESSAGE_API_DELETE), 0);
    finish();
}
END_TEST

static void
assert_impairment(const Impairment *found, const Impairment *expected)
{
    ck_assert_int_eq(found->cut, expected->cut);
    ck_assert_double_eq_tol(found->loss, expected->loss, 1e-12);
    ck_assert_double_eq_tol(found->duplicate, expected->duplicate, 1e-12);
    ck_assert_double_eq_tol(found->correlation, expected->correlation, 1e-12);
    ck_assert_int_eq(found->latency, expected->latency);
    ck_assert_int_eq(found->jitter, expected->jitter);
    ck_assert_int_eq(found->rate, expected->rate);
}

START_TEST(impairments_of_an_interface_begin_and_end)
{
    static const struct {
        const char *keys;
        Impairment expected;
    } cases[] = {
        {"action: partition", {.cut = true}},
        {"action: loss, loss: {loss: \"25\", correlation: \"50\"}",
         {.loss = 0.25, .correlation = 0.5}},
        {"action: corrupt, corrupt: {corrupt: \"10\"}", {.loss = 0.1}},
        {"action: duplicate, duplicate: {duplicate: \"40\"}", {.duplicate = 0.4}},
        {"action: delay, delay: {latency: 20ms, jitter: 5ms, correlation: \"25\"}",
         {.latency = 20 * NSEC_PER_MSEC, .jitter = 5 * NSEC_PER_MSEC, .correlation = 0.25}},
        {"action: bandwidth, bandwidth: {rate: 2mbit}", {.rate = 2000000}},
    };
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *fault =
            g_strdup_printf("name: x, kind: NetworkChaos, %s, startTime: 10s, duration: 5s, "
                            "device: nsm-7, selector: {pods: {ns-a: [client]}}",
                            cases[i].keys);
        begin_fault(fault);
        bench_run_until(&bench, 10 * S);
        const char *target = bench_mark(&bench, TRACE_FAULT_INJECTED, "x")->action.text;
        ck_assert_str_eq(strchr(target, ':'), ": Pod ns-a/client-6d9c7-aaaaa, nsm-7");
        FaultOp op = the_op(FAULT_OP_WIRE);
        ck_assert_str_eq(op.pod_port, "ns-a/client-6d9c7-aaaaa/nsm-7");
        assert_impairment(&op.impairment, &cases[i].expected);
        bench_run_until(&bench, 15 * S);
        ck_assert_uint_eq(n_marks(TRACE_FAULT_ENDED), 1);
        op = the_op(FAULT_OP_WIRE);
        ck_assert_str_eq(op.pod_port, "ns-a/client-6d9c7-aaaaa/nsm-7");
        assert_impairment(&op.impairment, &(Impairment){0});
        finish();
    }
}
END_TEST

START_TEST(links_between_nodes_are_hit_one_by_one)
{
    begin_fault("name: x, kind: NetworkChaos, action: partition, startTime: 10s, duration: 5s, "
                "mode: all, selector: {nodes: [one, two]}, target: {nodes: [three]}");
    bench_run_until(&bench, 10 * S);
    static const char *const links[][2] = {{"one", "three"}, {"two", "three"}};
    ck_assert_uint_eq(bench_count(&bench, ACTION_INJECT, MESSAGE_NONE), 2);
    for (guint i = 0; i < 2; i++) {
        const FaultOp *op = &bench_nth(&bench, ACTION_INJECT, MESSAGE_NONE, i)->action.fault;
        ck_assert_int_eq(op->kind, FAULT_OP_LINK);
        ck_assert_str_eq(op->node, links[i][0]);
        ck_assert_str_eq(op->peer_node, links[i][1]);
        ck_assert(op->impairment.cut);
    }
    bench_forget(&bench);
    bench_run_until(&bench, 15 * S);
    ck_assert_uint_eq(bench_count(&bench, ACTION_INJECT, MESSAGE_NONE), 2);
    ck_assert(!bench_nth(&bench, ACTION_INJECT, MESSAGE_NONE, 1)->action.fault.impairment.cut);
    finish();
    begin_fault("name: x, kind: NetworkChaos, action: partition, startTime: 10s, duration: 5s, "
                "selector: {nodes: [one]}");
    bench_run_until(&bench, 10 * S);
    FaultOp op = the_op(FAULT_OP_LINK);
    ck_assert_str_eq(op.node, "one");
    ck_assert_ptr_null(op.peer_node);
    finish();
}
END_TEST

START_TEST(stress_begins_with_its_workers_and_ends_with_none)
{
    begin_fault("name: x, kind: StressChaos, startTime: 10s, duration: 5s, selector: {pods: "
                "{ns-a: [nse]}}, stressors: {cpu: {workers: 3, load: 50}}");
    bench_run_until(&bench, 10 * S);
    FaultOp op = the_op(FAULT_OP_CPU);
    ck_assert_uint_eq(op.pod_uid, NSE);
    ck_assert_int_eq(op.workers, 3);
    ck_assert_double_eq(op.load, 0.5);
    bench_run_until(&bench, 15 * S);
    ck_assert_int_eq(the_op(FAULT_OP_CPU).workers, 0);
    finish();
    begin_fault("name: x, kind: StressChaos, startTime: 10s, duration: 5s, selector: {pods: "
                "{ns-a: [nse]}}, stressors: {memory: {workers: 2, size: 256MiB}}");
    bench_run_until(&bench, 10 * S);
    ck_assert_int_eq(the_op(FAULT_OP_MEMORY).size, 256 << 20); /* together */
    bench_run_until(&bench, 15 * S);
    ck_assert_int_eq(the_op(FAULT_OP_MEMORY).size, 0);
    finish();
    begin_fault("name: x, kind: NodeChaos, action: node-cpu-hog, startTime: 10s, duration: 5s, "
                "selector: {nodes: [two]}, stressors: {cpu: {workers: 4}}");
    bench_run_until(&bench, 10 * S);
    op = the_op(FAULT_OP_CPU);
    ck_assert_str_eq(op.node, "two");
    ck_assert_uint_eq(op.pod_uid, 0);
    ck_assert_int_eq(op.workers, 4);
    ck_assert_double_eq(op.load, 1);
    bench_run_until(&bench, 15 * S);
    ck_assert_int_eq(the_op(FAULT_OP_CPU).workers, 0);
    finish();
}
END_TEST

START_TEST(a_taint_is_set_and_taken_away)
{
    begin_fault("name: x, kind: NodeChaos, action: node-taint, startTime: 10s, duration: 5s, "
                "selector: {nodes: [two]}, taint: {key: k, value: v, effect: NoExecute}");
    bench_run_until(&bench, 10 * S);
    const ApiObject *node = update(0);
    ck_assert_int_eq(node->kind, OBJECT_NODE);
    ck_assert_str_eq(node->name, "two");
    ck_assert_str_eq(node->node_condition.taint_key, "k");
    ck_assert_str_eq(node->node_condition.taint_value, "v");
    ck_assert_str_eq(node->node_condition.taint_effect, "NoExecute");
    ck_assert(!node->node_condition.unschedulable);
    ApiObject *newer = bench_copy(&bench, node);
    show(WATCH_MODIFIED, newer);
    bench_run_until(&bench, 15 * S);
    ck_assert_uint_eq(bench_calls(&bench, MESSAGE_API_UPDATE), 2);
    ck_assert_ptr_null(update(1)->node_condition.taint_key);
    ck_assert_ptr_null(update(1)->node_condition.taint_effect);
    ck_assert_uint_eq(update(1)->version, newer->version);
    ck_assert_uint_eq(bench_calls(&bench, MESSAGE_API_DELETE), 0);
    finish();
}
END_TEST

START_TEST(a_drain_cordons_evicts_all_but_daemons_and_uncordons)
{
    begin_fault("name: x, kind: NodeChaos, action: node-drain, startTime: 10s, duration: 60s, "
                "selector: {nodes: [two]}");
    bench_run_until(&bench, 10 * S);
    ck_assert_str_eq(update(0)->name, "two");
    ck_assert(update(0)->node_condition.unschedulable);
    assert_deleted("nse-77777-aaaaa");
    const ApiQuery *query =
        (const ApiQuery *)bench_call(&bench, MESSAGE_API_DELETE, 0)->action.message;
    ck_assert_int_eq(query->grace, 17 * S);
    ck_assert_uint_eq(n_marks(TRACE_FAULT_INJECTED), 1);
    show(WATCH_MODIFIED, bench_copy(&bench, update(0)));
    bench_run_until(&bench, 70 * S);
    ck_assert_uint_eq(bench_calls(&bench, MESSAGE_API_UPDATE), 2);
    ck_assert(!update(1)->node_condition.unschedulable);
    ck_assert_uint_eq(bench_calls(&bench, MESSAGE_API_DELETE), 1);
    finish();
}
END_TEST

START_TEST(a_drain_without_a_duration_stays)
{
    begin_fault("name: x, kind: NodeChaos, action: node-drain, startTime: 10s, gracePeriod: 0, "
                "selector: {nodes: [three]}");
    ApiObject *dying = bench_copy(&bench, shown[REGISTRY]);
    dying->deleting = true;
    show(WATCH_MODIFIED, dying);
    bench_run_until(&bench, 10 * S);
    assert_deleted(""); /* it goes already */
    ck_assert(update(0)->node_condition.unschedulable);
    assert_no_more_strikes();
    finish();
}
END_TEST

START_TEST(a_node_that_restarts_is_switched_on_after_the_duration_or_its_boot_time)
{
    static const struct {
        const char *keys;
        nsec_t on;
    } cases[] = {{"action: node-restart, duration: 7s", 17 * S},
                 {"action: node-restart", 50 * S},
                 {"action: node-poweroff, duration: 9s", 19 * S}};
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *fault = g_strdup_printf(
            "name: x, kind: NodeChaos, %s, startTime: 10s, selector: {nodes: [two]}",
            cases[i].keys);
        begin_fault(fault);
        bench_run_until(&bench, 10 * S);
        ck_assert_str_eq(the_op(FAULT_OP_NODE_OFF).node, "two");
        bench_run_until(&bench, cases[i].on - 1);
        ck_assert_uint_eq(bench.done->len, 0);
        bench_run_until(&bench, cases[i].on);
        ck_assert_uint_eq(n_marks(TRACE_FAULT_ENDED), 1);
        ck_assert_str_eq(the_op(FAULT_OP_NODE_ON).node, "two");
        finish();
    }
}
END_TEST

START_TEST(a_node_without_power_stays_off)
{
    begin_fault("name: x, kind: NodeChaos, action: node-poweroff, startTime: 10s, "
                "selector: {nodes: [two]}");
    bench_run_until(&bench, 10 * S);
    the_op(FAULT_OP_NODE_OFF);
    assert_no_more_strikes();
    finish();
}
END_TEST

START_TEST(a_kubelet_is_killed_and_nothing_ends)
{
    begin_fault("name: x, kind: NodeChaos, action: kubelet-service-kill, startTime: 10s, "
                "selector: {nodes: [two]}");
    bench_run_until(&bench, 10 * S);
    ck_assert_str_eq(bench_mark(&bench, TRACE_FAULT_INJECTED, "x")->action.text,
                     "kubelet-service-kill: node two");
    ck_assert_str_eq(the_op(FAULT_OP_KUBELET).node, "two");
    assert_no_more_strikes();
    finish();
}
END_TEST

START_TEST(nodes_are_found_by_the_pods_on_them)
{
    begin_fault("name: x, kind: NodeChaos, action: kubelet-service-kill, startTime: 10s, "
                "mode: all, selector: {pods: {nsm-system: [registry-k8s]}}");
    bench_run_until(&bench, 10 * S);
    ck_assert_str_eq(the_op(FAULT_OP_KUBELET).node, "three");
    finish();
    begin_fault("name: x, kind: NodeChaos, action: kubelet-service-kill, startTime: 10s, "
                "mode: all, selector: {namespaces: [ns-a], nodes: [one, three]}");
    bench_run_until(&bench, 10 * S);
    ck_assert_str_eq(the_op(FAULT_OP_KUBELET).node, "one");
    finish();
}
END_TEST

/* ---- what the world answers ---- */

START_TEST(an_injection_that_is_refused_has_failed)
{
    begin_fault("name: x, kind: PodChaos, action: container-kill, startTime: 10s, selector: "
                "{pods: {ns-a: [nse]}}");
    bench_run_until(&bench, 10 * S);
    uint64_t tag = bench_nth(&bench, ACTION_INJECT, MESSAGE_NONE, 0)->action.tag;
    bench_step(&bench, (Input){.kind = INPUT_INJECTED, .tag = tag});
    ck_assert_uint_eq(n_marks(TRACE_FAULT_FAILED), 0);
    bench_step(&bench, (Input){.kind = INPUT_INJECTED, .tag = tag, .error = "it does not run"});
    const Done *mark = bench_mark(&bench, TRACE_FAULT_FAILED, "x");
    ck_assert_ptr_nonnull(mark);
    ck_assert_str_eq(mark->action.text, "it does not run");
    ck_assert_int_eq(mark->action.value, 1);
    finish();
}
END_TEST

START_TEST(the_fault_whose_injection_was_refused_is_named)
{
    begin("  - {preset: local-nse-death, startTime: 5m}\n"
          "  - {name: b, kind: PodChaos, action: container-kill, startTime: 10s, selector: {pods: "
          "{ns-a: [nse]}}}\n");
    bench_run_until(&bench, 10 * S);
    uint64_t tag = bench_nth(&bench, ACTION_INJECT, MESSAGE_NONE, 0)->action.tag;
    bench_step(&bench, (Input){.kind = INPUT_INJECTED, .tag = tag, .error = "no"});
    ck_assert_ptr_nonnull(bench_mark(&bench, TRACE_FAULT_FAILED, "b"));
    finish();
}
END_TEST

/* What it was done to may be gone when it ends: it did strike. */
START_TEST(an_end_that_is_refused_is_no_failure)
{
    static const char *const faults[] = {
        "name: x, kind: NetworkChaos, action: partition, startTime: 10s, duration: 5s, device: "
        "nsm-7, selector: {pods: {ns-a: [client]}}",
        "name: x, kind: StressChaos, startTime: 10s, duration: 5s, selector: {pods: {ns-a: [nse]}},"
        " stressors: {cpu: {workers: 1}}",
        "name: x, kind: StressChaos, startTime: 10s, duration: 5s, selector: {pods: {ns-a: [nse]}},"
        " stressors: {memory: {workers: 1, size: 1MiB}}",
    };
    for (guint i = 0; i < G_N_ELEMENTS(faults); i++) {
        begin_fault(faults[i]);
        bench_run_until(&bench, 10 * S);
        bench_forget(&bench);
        bench_run_until(&bench, 15 * S);
        uint64_t tag = bench_nth(&bench, ACTION_INJECT, MESSAGE_NONE, 0)->action.tag;
        bench_step(&bench, (Input){.kind = INPUT_INJECTED, .tag = tag, .error = "it is gone"});
        ck_assert_uint_eq(n_marks(TRACE_FAULT_FAILED), 0);
        finish();
    }
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {
        it_watches_pods_and_nodes,
        it_strikes_at_the_start_time_and_once,
        a_schedule_strikes_again_every_so_often,
        random_strikes_have_exponential_times_between,
        random_strikes_wait_for_the_end_of_the_former,
        several_faults_have_times_of_their_own,
        modes_say_how_many_are_hit,
        what_is_chosen_is_a_function_of_the_seed,
        selectors_say_whom,
        presets_hit_what_they_are_named_after,
        the_whole_system_is_every_manager_and_forwarder_and_the_registry,
        places_are_those_of_the_newest_pod_that_lives,
        a_newer_pod_that_is_being_deleted_is_no_place,
        pods_that_are_being_deleted_or_have_no_node_are_not_hit,
        a_pod_that_is_gone_is_not_hit,
        newer_snapshots_count_and_older_ones_do_not,
        a_pod_is_deleted_by_its_uid_and_with_the_grace_that_was_asked_for,
        a_strike_that_selects_nothing_fails,
        a_part_that_selects_nothing_fails_alone,
        pod_failure_pauses_the_newest_snapshot_and_ends,
        a_paused_pod_that_is_gone_is_not_brought_back,
        container_kill_hits_the_first_container_or_those_that_are_named,
        impairments_of_an_interface_begin_and_end,
        links_between_nodes_are_hit_one_by_one,
        stress_begins_with_its_workers_and_ends_with_none,
        a_taint_is_set_and_taken_away,
        a_drain_cordons_evicts_all_but_daemons_and_uncordons,
        a_drain_without_a_duration_stays,
        a_node_that_restarts_is_switched_on_after_the_duration_or_its_boot_time,
        a_node_without_power_stays_off,
        a_kubelet_is_killed_and_nothing_ends,
        nodes_are_found_by_the_pods_on_them,
        an_injection_that_is_refused_has_failed,
        the_fault_whose_injection_was_refused_is_named,
        an_end_that_is_refused_is_no_failure,
    };
    return scratch_run("chaos", tests, G_N_ELEMENTS(tests));
}
