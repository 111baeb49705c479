/* The kubelet: volumes, sandbox, containers, PLEG, status, probes, crash back-off, termination.
 *
 * The API server answers after 1 ms; a sandbox takes 600 ms, a container's start 300 ms, its stop
 * 100 ms; containers of the first Pod may be given short lives (`lives`) or starts that fail. */
#include "models/k8s/kubelet.h"

#include "tests/models/step.h"

#include <inttypes.h>
#include <stdlib.h>

#define S NSEC_PER_SEC
#define MS NSEC_PER_MSEC
#define SYNC (15 * MS)
#define SANDBOX (600 * MS)
#define START (300 * MS)
#define PROBE (5 * MS)
#define FIRST_SANDBOX (SYNC + 300 * MS) /* the first poll of the volumes */
#define FIRST_START (FIRST_SANDBOX + SANDBOX)
#define MAX_CONTAINERS 4
#define MAX_STARTS 16

static Bench bench;
static uint64_t last_uid;
static uint64_t last_version;

/* What the world does. */
static nsec_t api_latency;
static const char *lease_period = "1000000h"; /* never; a test of its own sets it */
static const char *missing;                   /* name of a ConfigMap or Secret that is not there */
static bool api_down;                         /* every GET of a volume fails */
static bool status_held;                      /* the status manager's GET is not answered */
static bool patch_held;                       /* nor its PATCH */
static nsec_t start_time;
static nsec_t stop_time;
static nsec_t lives[MAX_CONTAINERS][MAX_STARTS]; /* of the first Pod's containers; 0: for ever */
static guint n_starts[MAX_CONTAINERS];
static int exit_codes[MAX_CONTAINERS];
static const char *start_errors[MAX_CONTAINERS];
static const char *sandbox_error;
static bool (*healthy)(guint container, nsec_t now); /* NULL: always */
static bool probes_time_out;

static void
answer_get(Bench *self, const Done *done)
{
    const ApiQuery *query = (const ApiQuery *)done->action.message;
    if (query->kind == OBJECT_POD) {
        if (!status_held) {
            bench_reply_later(self, done, api_latency, message_ok());
        }
    } else if (api_down) {
        bench_later(
            self, done->leaves + api_latency,
            &(Input){.kind = INPUT_FAILURE, .tag = done->action.tag, .failure = FAILURE_REFUSED},
            NULL);
    } else if (g_strcmp0(query->name, missing) == 0) {
        bench_reply_later(
            self, done, api_latency,
            message_error("%s \"%s\" not found", object_kind_name(query->kind), query->name));
    } else {
        bench_reply_later(self, done, api_latency, message_ok());
    }
}

/* A status comes back as the newest snapshot. */
static void
answer_status(Bench *self, const Done *done)
{
    if (patch_held) {
        return;
    }
    ApiObject *next = api_object_copy(api_message_object(done->action.message));
    next->version = ++last_version;
    bench_reply_later(self, done, api_latency, message_ok());
    bench_later(self, done->leaves + api_latency, &(Input){.kind = INPUT_EVENT, .tag = 1},
                api_event_new(WATCH_MODIFIED, next));
    api_object_unref(next);
}

static void
answer_probe(Bench *self, const Done *done)
{
    guint container = (guint)atoi(strrchr(done->action.address, '/') + 1);
    bool good = healthy == NULL || healthy(container, self->now);
    if (probes_time_out) {
        bench_later(
            self, done->leaves + done->action.timeout,
            &(Input){.kind = INPUT_FAILURE, .tag = done->action.tag, .failure = FAILURE_DEADLINE},
            NULL);
    } else {
        bench_reply_later(self, done, PROBE, good ? message_ok() : message_error("unhealthy"));
    }
}

static void
call_off_exit(Bench *self, const RuntimeOp *op)
{
    for (guint i = self->due->len; i > 0; i--) {
        const Due *due = self->due->pdata[i - 1];
        if (due->input.kind == INPUT_EXITED && due->input.pod_uid == op->pod_uid &&
            due->input.container == op->container) {
            g_ptr_array_remove_index(self->due, i - 1);
        }
    }
}

static void
exits_at(Bench *self, nsec_t at, const RuntimeOp *op, int exit_code)
{
    bench_later(self, at,
                &(Input){.kind = INPUT_EXITED,
                         .pod_uid = op->pod_uid,
                         .container = op->container,
                         .exit_code = exit_code},
                NULL);
}

static void
perform(Bench *self, const Done *done)
{
    const RuntimeOp *op = &done->action.runtime;
    Input complete = {.kind = INPUT_RUNTIME, .tag = done->action.tag};
    bool planned = op->pod_uid == 1 && op->container < MAX_CONTAINERS;
    nsec_t life = 0;
    switch (op->kind) {
    case RUNTIME_RUN_SANDBOX:
        complete.error = sandbox_error;
        bench_later(self, self->now + SANDBOX, &complete, NULL);
        break;
    case RUNTIME_START_CONTAINER:
        if (planned) {
            life = lives[op->container][MIN(n_starts[op->container], MAX_STARTS - 1)];
            n_starts[op->container]++;
            complete.error = start_errors[op->container];
        }
        bench_later(self, self->now + start_time, &complete, NULL);
        if (life > 0 && complete.error == NULL) {
            exits_at(self, self->now + start_time + life, op, exit_codes[op->container]);
        }
        break;
    case RUNTIME_STOP_CONTAINER:
        call_off_exit(self, op);
        exits_at(self, self->now + MIN(stop_time, op->grace), op,
                 stop_time <= op->grace ? 143 : 137);
        bench_later(self, self->now + MIN(stop_time, op->grace), &complete, NULL);
        break;
    case RUNTIME_STOP_SANDBOX:
        bench_later(self, self->now + 100 * MS, &complete, NULL);
        break;
    case RUNTIME_LIST:
        bench_later(self, self->now, &complete, NULL);
        break;
    }
}

static void
answer(Bench *self, const Done *done)
{
    if (done->action.kind == ACTION_RUNTIME) {
        perform(self, done);
    } else if (bench_is(done, ACTION_CALL, MESSAGE_API_GET)) {
        answer_get(self, done);
    } else if (bench_is(done, ACTION_CALL, MESSAGE_API_STATUS)) {
        answer_status(self, done);
    } else if (bench_is(done, ACTION_CALL, MESSAGE_API_DELETE)) {
        bench_reply_later(self, done, api_latency, message_ok());
    } else if (bench_is(done, ACTION_CALL, MESSAGE_HEALTH)) {
        answer_probe(self, done);
    }
}

static void
begin(const char *name, const char *qps, const char *burst)
{
    bench_init(&bench, COMPONENT_KUBELET, "node-3");
    bench.info.name = name;
    bench_set(&bench, "kubelet.sync", "15ms");
    bench_set(&bench, "kubelet.qps", qps);
    bench_set(&bench, "kubelet.burst", burst);
    bench_set(&bench, "kubelet.lease-period", lease_period);
    bench.respond = answer;
    last_uid = last_version = 0;
    api_latency = 1 * MS;
    missing = sandbox_error = NULL;
    api_down = status_held = patch_held = probes_time_out = false;
    start_time = START;
    stop_time = 100 * MS;
    healthy = NULL;
    memset(lives, 0, sizeof lives);
    memset(n_starts, 0, sizeof n_starts);
    memset(start_errors, 0, sizeof start_errors);
    for (guint i = 0; i < MAX_CONTAINERS; i++) {
        exit_codes[i] = 1;
    }
    bench_start(&bench, kubelet_new(&bench.info, 3));
}

/* The kubelet of Kubernetes 1.24 (FACTS 3.1). */
static void
setup(void)
{
    begin("kubelet/node-3", "5", "10");
}

/* For tests of other things, when they make more requests than the bucket holds. */
static void
setup_unlimited(void)
{
    begin("kubelet/node-3", "1000", "10000");
}

static void
teardown(void)
{
    bench_clear(&bench);
}

/* ---- Pods ---- */

static ApiObject *
new_pod(const char *spec)
{
    g_autofree char *name = g_strdup_printf("p%u", (guint)++last_uid);
    ApiObject *pod = bench_pod(&bench, name, spec);
    pod->uid = last_uid;
    pod->version = ++last_version;
    pod->node = g_strdup("node-3");
    return pod;
}

static ApiObject *
add(const char *spec)
{
    ApiObject *pod = new_pod(spec);
    bench_event(&bench, WATCH_MODIFIED, pod);
    return pod;
}

static void
delete_pod(const ApiObject *pod, nsec_t grace)
{
    ApiObject *next = bench_copy(&bench, pod);
    next->version = ++last_version;
    next->deleting = true;
    next->grace = grace;
    bench_event(&bench, WATCH_MODIFIED, next);
}

/* ---- what was done ---- */

/* The n-th operation of the runtime (from 0) on a container of a Pod; NULL: there is none. */
static const Done *
find_op(RuntimeOpKind kind, const ApiObject *pod, guint container, guint n)
{
    for (guint i = 0; i < bench.done->len; i++) {
        const Done *done = bench.done->pdata[i];
        const RuntimeOp *op = &done->action.runtime;
        if (done->action.kind == ACTION_RUNTIME && op->kind == kind && op->pod_uid == pod->uid &&
            op->container == container && n-- == 0) {
            return done;
        }
    }
    return NULL;
}

static const RuntimeOp *
op_of(RuntimeOpKind kind, const ApiObject *pod, guint container, guint n)
{
    const Done *done = find_op(kind, pod, container, n);
    ck_assert_msg(done != NULL, "there is no operation %d on container %u, number %u", (int)kind,
                  container, n);
    return &done->action.runtime;
}

/* When it was asked for; NSEC_NEVER: it was not. */
static nsec_t
op_at(RuntimeOpKind kind, const ApiObject *pod, guint container, guint n)
{
    const Done *done = find_op(kind, pod, container, n);
    return done != NULL ? done->at : NSEC_NEVER;
}

static nsec_t
start_at(const ApiObject *pod, guint container, guint n)
{
    return op_at(RUNTIME_START_CONTAINER, pod, container, n);
}

static nsec_t
stop_at(const ApiObject *pod, guint container, guint n)
{
    return op_at(RUNTIME_STOP_CONTAINER, pod, container, n);
}

/* The n-th status that was sent of a Pod; NULL: there is none. */
static const Done *
find_status(const ApiObject *pod, guint n)
{
    for (guint i = 0; i < bench_calls(&bench, MESSAGE_API_STATUS); i++) {
        const Done *call = bench_call(&bench, MESSAGE_API_STATUS, i);
        if (api_message_object(call->action.message)->uid == pod->uid && n-- == 0) {
            return call;
        }
    }
    return NULL;
}

static const PodStatus *
status_of(const ApiObject *pod, guint n)
{
    const Done *call = find_status(pod, n);
    ck_assert_msg(call != NULL, "there is no status number %u", n);
    return &api_message_object(call->action.message)->status;
}

static guint
n_statuses(const ApiObject *pod)
{
    guint n = 0;
    while (find_status(pod, n) != NULL) {
        n++;
    }
    return n;
}

static const PodStatus *
last_status(const ApiObject *pod)
{
    ck_assert_uint_gt(n_statuses(pod), 0);
    return status_of(pod, n_statuses(pod) - 1);
}

/* When the Pod's readiness first became `ready` in a status after `since`; NSEC_NEVER: never. */
static nsec_t
readiness_at(const ApiObject *pod, bool ready, nsec_t since)
{
    for (guint i = 0; i < n_statuses(pod); i++) {
        if (find_status(pod, i)->at > since && status_of(pod, i)->ready == ready) {
            return find_status(pod, i)->at;
        }
    }
    return NSEC_NEVER;
}

static nsec_t
ready_at(const ApiObject *pod)
{
    return readiness_at(pod, true, 0);
}

/* "Pod/p1 ConfigMap/a": what was got from the API server, in order. */
static char *
got(void)
{
    GString *text = g_string_new(NULL);
    for (guint i = 0; i < bench_calls(&bench, MESSAGE_API_GET); i++) {
        const ApiQuery *query =
            (const ApiQuery *)bench_call(&bench, MESSAGE_API_GET, i)->action.message;
        g_string_append_printf(text, "%s%s/%s", text->len > 0 ? " " : "",
                               object_kind_name(query->kind), query->name);
    }
    return g_string_free(text, false);
}

static void
assert_got(const char *expected)
{
    g_autofree char *text = got();
    ck_assert_str_eq(text, expected);
}

/* The n-th request for an object that is not a Pod. */
static const Done *
get_of(ObjectKind kind, const char *name, guint n)
{
    for (guint i = 0; i < bench_calls(&bench, MESSAGE_API_GET); i++) {
        const Done *call = bench_call(&bench, MESSAGE_API_GET, i);
        const ApiQuery *query = (const ApiQuery *)call->action.message;
        if (query->kind == kind && g_str_equal(query->name, name) && n-- == 0) {
            return call;
        }
    }
    ck_abort_msg("%s %s was not asked for", object_kind_name(kind), name);
}

/* The n-th probe (from 0) with that timeout, which tells the probes of a test apart; NSEC_NEVER:
 * there was none. */
static nsec_t
probe_at(nsec_t timeout, guint n)
{
    for (guint i = 0; i < bench_calls(&bench, MESSAGE_HEALTH); i++) {
        const Done *call = bench_call(&bench, MESSAGE_HEALTH, i);
        if (call->action.timeout == timeout && n-- == 0) {
            return call->at;
        }
    }
    return NSEC_NEVER;
}

static guint
n_probes(nsec_t timeout)
{
    guint n = 0;
    while (probe_at(timeout, n) != NSEC_NEVER) {
        n++;
    }
    return n;
}

/* A container that lives for ever ends now. */
static void
crash_now(const ApiObject *pod, guint container)
{
    bench_step(
        &bench,
        (Input){.kind = INPUT_EXITED, .pod_uid = pod->uid, .container = container, .exit_code = 1});
}

/* ---- a Pod comes ---- */

START_TEST(it_watches_the_pods_of_its_node)
{
    const Done *open = bench_nth(&bench, ACTION_OPEN, MESSAGE_API_WATCH, 0);
    const ApiQuery *query = (const ApiQuery *)open->action.message;
    ck_assert_int_eq(query->kind, OBJECT_POD);
    ck_assert_str_eq(query->node, "node-3");
    ck_assert_int_eq(open->action.flags, CALL_PLAIN);
    ck_assert_uint_eq(bench_count(&bench, ACTION_OPEN, MESSAGE_NONE), 1);
    ck_assert_str_eq(bench_nth(&bench, ACTION_LISTEN, MESSAGE_NONE, 0)->action.address,
                     "kubelet:node-3");
}
END_TEST

START_TEST(a_pods_worker_begins_a_moment_after_its_bind)
{
    add(NULL);
    bench_run_for(&bench, SYNC - 1);
    assert_got("");
    bench_run_for(&bench, 1);
    ck_assert_uint_gt(bench_calls(&bench, MESSAGE_API_GET), 0);
}
END_TEST

START_TEST(a_pod_that_leaves_or_is_over_is_not_begun)
{
    ApiObject *leaving = new_pod(NULL);
    leaving->deleting = true;
    bench_event(&bench, WATCH_ADDED, leaving);
    ApiObject *over = new_pod(NULL);
    over->status.finished = true;
    bench_event(&bench, WATCH_ADDED, over);
    bench_run_for(&bench, 10 * S);
    assert_got("");
    ck_assert_uint_eq(bench_count(&bench, ACTION_RUNTIME, MESSAGE_NONE), 1); /* the first list */
}
END_TEST

START_TEST(news_of_a_pod_do_not_begin_it_again)
{
    ApiObject *pod = add(NULL);
    bench_event(&bench, WATCH_MODIFIED, bench_copy(&bench, pod));
    bench_run_for(&bench, 10 * S);
    ck_assert_int_ne(op_at(RUNTIME_RUN_SANDBOX, pod, 0, 0), NSEC_NEVER);
    ck_assert_int_eq(op_at(RUNTIME_RUN_SANDBOX, pod, 0, 1), NSEC_NEVER);
    ck_assert_int_eq(start_at(pod, 0, 1), NSEC_NEVER);
}
END_TEST

START_TEST(a_pod_goes_from_volumes_to_sandbox_to_container)
{
    const ApiObject *pod = add(NULL);
    bench_run_for(&bench, 10 * S);
    ck_assert_int_eq(op_at(RUNTIME_RUN_SANDBOX, pod, 0, 0), FIRST_SANDBOX);
    ck_assert_int_eq(start_at(pod, 0, 0), FIRST_START);
    ck_assert_int_eq(bench_mark(&bench, TRACE_POD_VOLUMES, "default/p1")->at, FIRST_SANDBOX);
    ck_assert_int_eq(bench_mark(&bench, TRACE_POD_SANDBOX, "default/p1")->at, FIRST_START);
    ck_assert_int_eq(bench_mark(&bench, TRACE_CONTAINER_STARTED, "default/p1/c")->at,
                     FIRST_START + START);
}
END_TEST

START_TEST(the_runtime_is_told_whom_it_works_for)
{
    const ApiObject *pod = add(NULL);
    bench_run_for(&bench, 10 * S);
    const RuntimeOp *op = op_of(RUNTIME_START_CONTAINER, pod, 0, 0);
    ck_assert_str_eq(op->ns, "default");
    ck_assert_str_eq(op->pod, "p1");
    ck_assert_str_eq(op->node, "node-3");
    ck_assert_str_eq(op->pod_ip, "10.32.3.2");
    ck_assert_ptr_eq(op->spec, pod->pod);
}
END_TEST

START_TEST(on_the_hosts_network_the_address_is_the_nodes)
{
    const ApiObject *pod = add("  hostNetwork: true\n" BENCH_CONTAINER);
    bench_run_for(&bench, 10 * S);
    ck_assert_str_eq(op_of(RUNTIME_RUN_SANDBOX, pod, 0, 0)->pod_ip, "192.168.0.1");
}
END_TEST

START_TEST(no_two_pods_share_an_address)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; i < 600; i++) {
        const ApiObject *pod = add(NULL);
        bench_run_for(&bench, 400 * MS);
        char *ip = (char *)op_of(RUNTIME_RUN_SANDBOX, pod, 0, 0)->pod_ip;
        ck_assert_msg(g_hash_table_add(seen, ip), "%s is given twice", ip);
        bench_event(&bench, WATCH_DELETED, (ApiObject *)pod);
        bench_run_for(&bench, S);
        g_ptr_array_remove_range(bench.done, 0, bench.done->len);
    }
}
END_TEST

/* ---- volumes ---- */

#define VOLUMES(text) BENCH_CONTAINER "  volumes: [" text "]\n"
#define CONFIG(name) "{name: v-" name ", configMap: {name: " name "}}"

START_TEST(the_token_the_root_ca_and_each_source_cost_a_request)
{
    add(VOLUMES(CONFIG("a") ", {name: b, secret: {secretName: b}}, "
                            "{name: c, hostPath: {path: /c}}, {name: d, emptyDir: {}}"));
    bench_run_for(&bench, SYNC);
    assert_got("Pod/p1 ServiceAccount/default ConfigMap/kube-root-ca.crt ConfigMap/a Secret/b");
}
END_TEST

START_TEST(a_node_asks_for_each_source_once_and_for_a_token_each_time)
{
    add(VOLUMES(CONFIG("a")));
    bench_run_for(&bench, 5 * S);
    bench_forget(&bench);
    add(VOLUMES(CONFIG("a") ", " CONFIG("b")));
    bench_run_for(&bench, SYNC);
    assert_got("Pod/p2 ServiceAccount/default ConfigMap/b");
}
END_TEST

START_TEST(sources_of_another_namespace_are_others)
{
    add(VOLUMES(CONFIG("a")));
    bench_run_for(&bench, 5 * S);
    bench_forget(&bench);
    ApiObject *pod =
        bench_object(&bench, "apiVersion: v1\nkind: Pod\nmetadata: {name: q, namespace: "
                             "nsm-system}\nspec:\n" VOLUMES(CONFIG("a")));
    pod->uid = ++last_uid;
    bench_event(&bench, WATCH_MODIFIED, pod);
    bench_run_for(&bench, SYNC);
    assert_got("Pod/q ServiceAccount/default ConfigMap/kube-root-ca.crt ConfigMap/a");
}
END_TEST

START_TEST(after_10_requests_the_client_sends_5_a_second)
{
    add(VOLUMES(CONFIG("a") ", " CONFIG("b") ", " CONFIG("c") ", " CONFIG("d") ", " CONFIG(
        "e") ", " CONFIG("f") ", " CONFIG("g") ", " CONFIG("h") ", " CONFIG("i") ", " CONFIG("j")));
    bench_run_for(&bench, SYNC);
    ck_assert_uint_eq(bench_calls(&bench, MESSAGE_API_GET), 13);
    for (guint i = 0; i < 13; i++) {
        ck_assert_int_eq(bench_call(&bench, MESSAGE_API_GET, i)->leaves,
                         SYNC + (i < 10 ? 0 : (i - 9) * 200 * MS));
    }
}
END_TEST

START_TEST(all_requests_of_the_client_obey_5_a_second_and_10_at_once)
{
    for (guint i = 0; i < 12; i++) {
        add(VOLUMES(CONFIG("a")));
    }
    bench_run_for(&bench, 60 * S);
    g_autoptr(GArray) times = g_array_new(false, false, sizeof(nsec_t));
    for (guint i = 0; i < bench.done->len; i++) {
        const Done *done = bench.done->pdata[i];
        if (done->action.kind == ACTION_CALL && !bench_is(done, ACTION_CALL, MESSAGE_API_CREATE)) {
            ck_assert_str_eq(done->action.address, API_ADDRESS);
            g_array_append_val(times, done->leaves);
        }
    }
    ck_assert_uint_gt(times->len, 40);
    for (guint i = 0; i < times->len; i++) {
        for (guint k = i; k < times->len; k++) {
            nsec_t window = g_array_index(times, nsec_t, k) - g_array_index(times, nsec_t, i);
            double allowed = 10 + 5 * nsec_to_seconds(window);
            ck_assert_double_le((double)(k - i + 1), allowed + 1e-6);
        }
    }
}
END_TEST

/* The worker begins at 0.015 s, so polls are at 0.315 s, 0.615 s, ...; the reconciler's passes are
 * at full tenths of a second. */
START_TEST(the_first_poll_sees_what_the_reconciler_has_mounted_before)
{
    api_latency = 235 * MS; /* answers at 0.25 s, mounted at 0.3 s */
    const ApiObject *pod = add(NULL);
    bench_run_for(&bench, 10 * S);
    ck_assert_int_eq(op_at(RUNTIME_RUN_SANDBOX, pod, 0, 0), SYNC + 300 * MS);
}
END_TEST

START_TEST(a_poll_at_the_instant_of_the_mount_sees_it)
{
    bench_set(&bench, "kubelet.sync", "100ms");
    api_latency = 250 * MS; /* mounted at 0.4 s, when the first poll is due */
    const ApiObject *pod = add(NULL);
    bench_run_for(&bench, 10 * S);
    ck_assert_int_eq(op_at(RUNTIME_RUN_SANDBOX, pod, 0, 0), 400 * MS);
}
END_TEST

START_TEST(mounting_waits_for_the_reconciler_and_the_poll)
{
    api_latency = 400 * MS; /* answers at 0.415 s, mounted at 0.5 s */
    const ApiObject *pod = add(NULL);
    bench_run_for(&bench, 10 * S);
    ck_assert_int_eq(op_at(RUNTIME_RUN_SANDBOX, pod, 0, 0), SYNC + 600 * MS);
}
END_TEST

START_TEST(a_missing_config_map_explains_itself_and_holds_the_pod_up)
{
    missing = "nope";
    const ApiObject *pod = add(VOLUMES(CONFIG("nope")));
    bench_run_for(&bench, 300 * S);
    ck_assert_str_eq(last_status(pod)->message, "MountVolume.SetUp failed for volume \"v-nope\": "
                                                "ConfigMap \"nope\" not found");
    ck_assert(!last_status(pod)->ready);
    ck_assert_int_eq(op_at(RUNTIME_RUN_SANDBOX, pod, 0, 0), NSEC_NEVER);
}
END_TEST

START_TEST(a_complaint_is_told_at_once)
{
    missing = "nope";
    const ApiObject *pod = add(VOLUMES(
        CONFIG("a") ", " CONFIG("b") ", " CONFIG("c") ", " CONFIG("d") ", " CONFIG("e") ", " CONFIG(
            "f") ", " CONFIG("g") ", " CONFIG("h") ", " CONFIG("i") ", " CONFIG("nope")));
    bench_run_for(&bench, 2 * S); /* the client is at its limit: the first status is sent before */
    nsec_t asked = get_of(OBJECT_CONFIG_MAP, "nope", 0)->leaves;
    ck_assert_ptr_null(status_of(pod, 0)->message);
    ck_assert_ptr_nonnull(status_of(pod, 1)->message);
    ck_assert_int_le(find_status(pod, 1)->at, asked + S);
}
END_TEST

START_TEST(a_missing_source_is_asked_for_after_half_a_second_doubling_to_122_s)
{
    static const nsec_t expected[] = {500 * MS, 1 * S,  2 * S,  4 * S,   8 * S,
                                      16 * S,   32 * S, 64 * S, 122 * S, 122 * S};
    missing = "nope";
    add(VOLUMES(CONFIG("nope")));
    bench_run_for(&bench, 600 * S);
    for (guint i = 0; i < G_N_ELEMENTS(expected); i++) {
        nsec_t asked = get_of(OBJECT_CONFIG_MAP, "nope", i)->leaves;
        ck_assert_int_eq(get_of(OBJECT_CONFIG_MAP, "nope", i + 1)->leaves,
                         asked + api_latency + expected[i]);
    }
}
END_TEST

START_TEST(a_source_that_appears_lets_the_pod_go_on)
{
    missing = "nope";
    const ApiObject *pod = add(VOLUMES(CONFIG("nope")));
    bench_run_for(&bench, 5 * S);
    missing = NULL;
    bench_run_for(&bench, 20 * S);
    ck_assert(last_status(pod)->ready);
    ck_assert_ptr_null(last_status(pod)->message);
}
END_TEST

START_TEST(two_missing_sources_are_both_waited_for)
{
    missing = "nope";
    const ApiObject *pod =
        add(VOLUMES(CONFIG("nope") ", {name: again, configMap: {name: nope}}, " CONFIG("there")));
    bench_run_for(&bench, 5 * S);
    ck_assert_int_eq(op_at(RUNTIME_RUN_SANDBOX, pod, 0, 0), NSEC_NEVER);
    missing = NULL;
    bench_run_for(&bench, 20 * S);
    ck_assert_int_ne(op_at(RUNTIME_RUN_SANDBOX, pod, 0, 0), NSEC_NEVER);
    ck_assert(last_status(pod)->ready);
}
END_TEST

START_TEST(an_optional_source_is_not_waited_for)
{
    missing = "nope";
    const ApiObject *pod = add(VOLUMES("{name: v, configMap: {name: nope, optional: true}}"));
    bench_run_for(&bench, 10 * S);
    ck_assert_int_eq(op_at(RUNTIME_RUN_SANDBOX, pod, 0, 0), FIRST_SANDBOX);
    ck_assert_ptr_null(last_status(pod)->message);
}
END_TEST

START_TEST(an_api_server_that_does_not_answer_is_explained_too)
{
    const ApiObject *pod = add(VOLUMES(CONFIG("a")));
    api_down = true;
    bench_run_for(&bench, S);
    ck_assert_str_eq(last_status(pod)->message,
                     "MountVolume.SetUp failed for volume \"v-a\": connection refused");
}
END_TEST

START_TEST(a_complaint_ends_when_another_pod_has_fetched_the_source)
{
    missing = "nope";
    const ApiObject *pod = add(VOLUMES(CONFIG("nope")));
    bench_run_for(&bench, 5 * S);
    missing = NULL;
    add(VOLUMES(CONFIG("nope")));
    bench_run_for(&bench, 30 * S);
    ck_assert(last_status(pod)->ready);
    ck_assert_ptr_null(last_status(pod)->message);
}
END_TEST

/* The watch cache (util/manager/watch_based_manager.go) asks once. */
START_TEST(a_source_of_two_volumes_is_asked_for_once)
{
    add(VOLUMES(CONFIG("a") ", {name: again, configMap: {name: a}}"));
    bench_run_for(&bench, SYNC);
    assert_got("Pod/p1 ServiceAccount/default ConfigMap/kube-root-ca.crt ConfigMap/a");
}
END_TEST

/* A sync that failed is repeated after 10 to 15 s (pod_workers.go completeWork). */
START_TEST(a_sandbox_that_fails_is_made_again)
{
    sandbox_error = "no address left";
    const ApiObject *pod = add(NULL);
    bench_run_for(&bench, 5 * S);
    ck_assert_int_eq(start_at(pod, 0, 0), NSEC_NEVER);
    sandbox_error = NULL;
    bench_run_for(&bench, 300 * S);
    ck_assert_int_ne(op_at(RUNTIME_RUN_SANDBOX, pod, 0, 1), NSEC_NEVER);
    ck_assert_int_ne(start_at(pod, 0, 0), NSEC_NEVER);
}
END_TEST

/* ---- containers and PLEG ---- */

#define TWO "  containers: [{name: a, image: i:1}, {name: b, image: i:1}]\n"

START_TEST(containers_start_one_after_the_other)
{
    const ApiObject *pod = add(TWO);
    bench_run_for(&bench, 10 * S);
    ck_assert_int_eq(start_at(pod, 0, 0), FIRST_START);
    ck_assert_int_eq(start_at(pod, 1, 0), FIRST_START + START);
}
END_TEST

START_TEST(a_pod_without_probes_is_ready_at_the_relist_that_sees_it_run)
{
    const ApiObject *pod = add(NULL);
    bench_run_for(&bench, 10 * S);
    nsec_t started = FIRST_START + START;
    ck_assert_int_gt(ready_at(pod), started);
    ck_assert_int_le(ready_at(pod), started + S + api_latency);
}
END_TEST

START_TEST(relists_lie_on_a_grid_of_one_second)
{
    nsec_t phases[4];
    for (guint i = 0; i < G_N_ELEMENTS(phases); i++) {
        const ApiObject *pod = add(NULL);
        bench_run_for(&bench, 7 * S + 370 * MS);
        phases[i] = ready_at(pod) % S;
        ck_assert_int_eq(phases[i], phases[0]);
    }
}
END_TEST

START_TEST(each_kubelet_has_its_own_grid)
{
    nsec_t phases[2];
    for (guint i = 0; i < 2; i++) {
        teardown();
        begin(i == 0 ? "kubelet/node-3" : "kubelet/node-4", "5", "10");
        const ApiObject *pod = add(NULL);
        bench_run_for(&bench, 10 * S);
        phases[i] = ready_at(pod) % S;
    }
    ck_assert_int_ne(phases[0], phases[1]);
}
END_TEST

START_TEST(a_restart_waits_for_the_start_of_an_earlier_container)
{
    const ApiObject *pod = add(TWO);
    bench_run_for(&bench, 5 * S);
    start_time = 1500 * MS;
    crash_now(pod, 0);
    bench_run_for(&bench, S); /* a relist has begun to start it again */
    crash_now(pod, 1);
    bench_run_for(&bench, 10 * S);
    ck_assert_int_le(start_at(pod, 0, 1), 6 * S);
    ck_assert_int_eq(start_at(pod, 1, 1), start_at(pod, 0, 1) + start_time);
}
END_TEST

#define WITH_INIT                                                                                  \
    "  initContainers: [{name: i0, image: i:1}, {name: i1, image: i:1}]\n"                         \
    "  containers: [{name: a, image: i:1}]\n"

START_TEST(init_containers_run_in_order_each_after_a_relist)
{
    lives[0][0] = 1200 * MS;
    lives[1][0] = 300 * MS;
    exit_codes[0] = exit_codes[1] = 0;
    const ApiObject *pod = add(WITH_INIT);
    bench_run_for(&bench, 20 * S);
    nsec_t first_over = FIRST_START + START + 1200 * MS;
    nsec_t second = start_at(pod, 1, 0);
    nsec_t second_over = second + START + 300 * MS;
    nsec_t last = start_at(pod, 2, 0);
    ck_assert_int_eq(start_at(pod, 0, 0), FIRST_START);
    ck_assert_int_gt(second, first_over);
    ck_assert_int_le(second, first_over + S);
    ck_assert_int_gt(last, second_over);
    ck_assert_int_le(last, second_over + S);
    ck_assert_int_eq((last - second) % S, 0);
    ck_assert_int_eq(start_at(pod, 0, 1), NSEC_NEVER);
    ck_assert_int_eq(start_at(pod, 1, 1), NSEC_NEVER);
}
END_TEST

START_TEST(a_pod_is_initialized_when_its_init_containers_are_done)
{
    lives[0][0] = lives[1][0] = 300 * MS;
    exit_codes[0] = exit_codes[1] = 0;
    const ApiObject *pod = add(WITH_INIT);
    bench_run_for(&bench, 20 * S);
    ck_assert(!status_of(pod, 0)->initialized);
    ck_assert_str_eq(status_of(pod, 0)->containers[0].waiting_reason, "ContainerCreating");
    ck_assert_str_eq(status_of(pod, 0)->containers[2].waiting_reason, "PodInitializing");
    ck_assert(last_status(pod)->initialized);
    ck_assert(last_status(pod)->ready);
    ck_assert_int_eq(last_status(pod)->containers[0].phase, CONTAINER_TERMINATED);
    ck_assert_int_eq(last_status(pod)->containers[0].exit_code, 0);
}
END_TEST

START_TEST(a_failed_init_container_is_repeated_before_anything_else)
{
    lives[0][0] = lives[0][1] = lives[0][2] = 300 * MS;
    const ApiObject *pod = add("  initContainers: [{name: i0, image: i:1}]\n" BENCH_CONTAINER);
    bench_run_for(&bench, 6 * S);
    nsec_t over = start_at(pod, 0, 1) + START + 300 * MS;
    ck_assert_int_le(start_at(pod, 0, 1), FIRST_START + START + 300 * MS + S);
    bench_run_for(&bench, 10 * S);
    ck_assert_int_eq(start_at(pod, 0, 2), over + 10 * S);
    ck_assert_int_eq(start_at(pod, 1, 0), NSEC_NEVER);
    ck_assert(!last_status(pod)->initialized);
}
END_TEST

/* ---- status ---- */

START_TEST(a_pod_that_comes_up_tells_three_statuses)
{
    const ApiObject *pod = add(NULL);
    bench_run_for(&bench, 3600 * S);
    ck_assert_uint_eq(n_statuses(pod), 3);
    const PodStatus *first = status_of(pod, 0);
    ck_assert(first->scheduled && first->initialized && !first->sandbox && !first->ready);
    ck_assert_uint_eq(first->n_containers, 1);
    ck_assert_int_eq(first->containers[0].phase, CONTAINER_WAITING);
    ck_assert_str_eq(first->containers[0].waiting_reason, "ContainerCreating");
    ck_assert(status_of(pod, 1)->sandbox && !status_of(pod, 1)->ready);
    const PodStatus *last = status_of(pod, 2);
    ck_assert(last->ready && last->containers[0].ready && last->containers[0].started);
    ck_assert_int_eq(last->containers[0].phase, CONTAINER_RUNNING);
    ck_assert_int_eq(last->containers[0].restarts, 0);
    ck_assert_int_eq(last->containers[0].started_at, FIRST_START + START);
    ck_assert_ptr_null(last->containers[0].waiting_reason);
    ck_assert_str_eq(api_message_object(find_status(pod, 2)->action.message)->pod_ip, "10.32.3.2");
}
END_TEST

START_TEST(each_status_is_a_get_and_then_a_patch)
{
    const ApiObject *pod = add(NULL);
    bench_run_for(&bench, 10 * S);
    guint n_gets = 0;
    for (guint i = 0; i < bench_calls(&bench, MESSAGE_API_GET); i++) {
        const Done *call = bench_call(&bench, MESSAGE_API_GET, i);
        if (((const ApiQuery *)call->action.message)->kind == OBJECT_POD) {
            ck_assert_int_eq(find_status(pod, n_gets)->at, call->leaves + api_latency);
            ck_assert_int_eq(find_status(pod, n_gets)->action.flags, CALL_PLAIN);
            ck_assert_int_eq(call->action.flags, CALL_PLAIN);
            n_gets++;
        }
    }
    ck_assert_uint_eq(n_gets, n_statuses(pod));
}
END_TEST

START_TEST(statuses_are_sent_one_pod_at_a_time)
{
    status_held = true;
    add(NULL);
    add(NULL);
    bench_run_for(&bench, 10 * S);
    guint n_gets = 0;
    for (guint i = 0; i < bench_calls(&bench, MESSAGE_API_GET); i++) {
        const Done *call = bench_call(&bench, MESSAGE_API_GET, i);
        n_gets += ((const ApiQuery *)call->action.message)->kind == OBJECT_POD;
    }
    ck_assert_uint_eq(n_gets, 1);
    ck_assert_uint_eq(bench_calls(&bench, MESSAGE_API_STATUS), 0);
}
END_TEST

/* Each change is a request of its own with the status of that moment (status_manager.go 1.24,
 * podStatusSyncRequest). */
START_TEST(every_change_of_a_status_is_sent)
{
    status_held = true;
    const ApiObject *pod = add(NULL);
    bench_run_for(&bench, 3 * S);
    status_held = false;
    bench_reply(&bench, bench_call(&bench, MESSAGE_API_GET, 0)->action.tag, message_ok());
    bench_run_for(&bench, 10 * S);
    ck_assert_uint_eq(n_statuses(pod), 3);
    ck_assert(!status_of(pod, 0)->sandbox);
    ck_assert(status_of(pod, 1)->sandbox && !status_of(pod, 1)->ready);
    ck_assert(status_of(pod, 2)->ready);
}
END_TEST

START_TEST(a_pod_that_goes_while_its_status_is_sent_does_not_hold_up_others)
{
    status_held = true;
    ApiObject *first = add(NULL);
    const ApiObject *second = add(NULL);
    bench_run_for(&bench, 10 * S);
    const Done *get = bench_call(&bench, MESSAGE_API_GET, 0);
    bench_event(&bench, WATCH_DELETED, first);
    bench_run_for(&bench, 10 * S);
    status_held = false;
    bench_fail(&bench, get->action.tag, FAILURE_PEER_GONE);
    bench_run_for(&bench, 10 * S);
    ck_assert(last_status(second)->ready);
    ck_assert_uint_eq(n_statuses(first), 0);
}
END_TEST

START_TEST(a_pod_that_goes_while_its_patch_is_sent_does_not_hold_up_others)
{
    patch_held = true;
    ApiObject *first = add(NULL);
    const ApiObject *second = add(NULL);
    bench_run_for(&bench, 10 * S);
    const Done *patch = find_status(first, 0);
    bench_event(&bench, WATCH_DELETED, first);
    bench_run_for(&bench, 10 * S);
    patch_held = false;
    ck_assert_uint_eq(n_statuses(second), 0);
    bench_reply(&bench, patch->action.tag, message_error("Pod \"p1\" not found"));
    bench_run_for(&bench, 10 * S);
    ck_assert(last_status(second)->ready);
}
END_TEST

START_TEST(an_older_snapshot_does_not_replace_a_newer_one)
{
    ApiObject *pod = add(NULL);
    ApiObject *newer = bench_copy(&bench, pod);
    newer->version = ++last_version;
    newer->created = 77;
    bench_event(&bench, WATCH_MODIFIED, newer);
    bench_event(&bench, WATCH_MODIFIED, pod);
    bench_run_for(&bench, S);
    ck_assert_int_eq(api_message_object(find_status(pod, 0)->action.message)->created, 77);
}
END_TEST

/* status_manager.go syncPod */
START_TEST(a_pod_that_is_not_found_is_not_patched)
{
    status_held = true;
    add(NULL);
    bench_run_for(&bench, S);
    bench_reply(&bench, bench_call(&bench, MESSAGE_API_GET, 0)->action.tag,
                message_error("Pod \"p1\" not found"));
    ck_assert_uint_eq(bench_calls(&bench, MESSAGE_API_STATUS), 0);
}
END_TEST

/* ---- crashes ---- */

static void
crash_always(guint container, nsec_t life)
{
    for (guint i = 0; i < MAX_STARTS; i++) {
        lives[container][i] = life;
    }
}

/* When the n-th run of a container that lives for `life` ended. */
static nsec_t
over_at(const ApiObject *pod, guint container, guint n, nsec_t life)
{
    return start_at(pod, container, n) + START + life;
}

START_TEST(the_first_restart_is_immediate_and_then_10_s_doubling_to_300_s)
{
    static const nsec_t expected[] = {10 * S, 20 * S, 40 * S, 80 * S, 160 * S, 300 * S, 300 * S};
    crash_always(0, 100 * MS);
    const ApiObject *pod = add(NULL);
    bench_run_for(&bench, 1000 * S);
    nsec_t over = over_at(pod, 0, 0, 100 * MS);
    ck_assert_int_gt(start_at(pod, 0, 1), over);
    ck_assert_int_le(start_at(pod, 0, 1), over + S); /* the next relist */
    for (guint i = 0; i < G_N_ELEMENTS(expected); i++) {
        ck_assert_int_eq(start_at(pod, 0, i + 2), over_at(pod, 0, i + 1, 100 * MS) + expected[i]);
    }
}
END_TEST

START_TEST(a_crash_is_counted_and_marked)
{
    crash_always(0, 100 * MS);
    const ApiObject *pod = add(NULL);
    bench_run_for(&bench, 10 * S);
    ck_assert_int_eq(last_status(pod)->containers[0].restarts, 1);
    ck_assert_int_eq(last_status(pod)->containers[0].exit_code, 1);
    ck_assert(!last_status(pod)->ready);
    ck_assert_ptr_nonnull(bench_mark(&bench, TRACE_CONTAINER_BACKOFF, "default/p1/c"));
    ck_assert_str_eq(bench_mark(&bench, TRACE_CONTAINER_EXITED, "default/p1/c")->action.text, "1");
}
END_TEST

START_TEST(a_container_in_back_off_says_so)
{
    crash_always(0, 100 * MS);
    const ApiObject *pod = add(NULL);
    bench_run_for(&bench, 10 * S);
    ck_assert_int_eq(last_status(pod)->containers[0].phase, CONTAINER_WAITING);
    ck_assert_str_eq(last_status(pod)->containers[0].waiting_reason, "CrashLoopBackOff");
}
END_TEST

START_TEST(a_container_that_ends_well_backs_off_too)
{
    exit_codes[0] = 0;
    crash_always(0, 100 * MS);
    const ApiObject *pod = add(NULL);
    bench_run_for(&bench, 60 * S);
    ck_assert_int_eq(start_at(pod, 0, 2), over_at(pod, 0, 1, 100 * MS) + 10 * S);
}
END_TEST

START_TEST(ten_good_minutes_end_the_back_off)
{
    lives[0][0] = lives[0][1] = 100 * MS;
    lives[0][2] = 601 * S;
    lives[0][3] = 100 * MS;
    const ApiObject *pod = add(NULL);
    bench_run_for(&bench, 700 * S);
    ck_assert_int_le(start_at(pod, 0, 3), over_at(pod, 0, 2, 601 * S) + S);
    ck_assert_int_eq(start_at(pod, 0, 4), over_at(pod, 0, 3, 100 * MS) + 10 * S);
}
END_TEST

START_TEST(nine_good_minutes_do_not_end_the_back_off)
{
    lives[0][0] = lives[0][1] = 100 * MS;
    lives[0][2] = 540 * S;
    const ApiObject *pod = add(NULL);
    bench_run_for(&bench, 700 * S);
    ck_assert_int_eq(start_at(pod, 0, 3), over_at(pod, 0, 2, 540 * S) + 20 * S);
}
END_TEST

START_TEST(a_back_off_does_not_hold_up_other_containers)
{
    crash_always(0, 400 * MS);
    lives[1][0] = 5 * S;
    const ApiObject *pod = add(TWO);
    bench_run_for(&bench, 12 * S);
    nsec_t over = over_at(pod, 1, 0, 5 * S);
    ck_assert_int_gt(start_at(pod, 0, 2), over + S); /* still waiting */
    ck_assert_int_le(start_at(pod, 1, 1), over + S);
}
END_TEST

START_TEST(a_back_off_that_begins_does_not_hold_up_the_next_container)
{
    const ApiObject *pod = add(TWO);
    bench_run_for(&bench, 5 * S);
    crash_now(pod, 0);
    bench_run_for(&bench, 5 * S);
    crash_now(pod, 0); /* for the second time, and the same relist sees b */
    crash_now(pod, 1);
    bench_run_for(&bench, 15 * S);
    ck_assert_int_eq(start_at(pod, 0, 2), 10 * S + 10 * S);
    ck_assert_int_le(start_at(pod, 1, 1), 10 * S + S);
}
END_TEST

START_TEST(a_container_that_is_over_does_not_hold_up_the_next_one)
{
    exit_codes[0] = 0;
    crash_always(0, 3 * S);
    lives[1][0] = 5 * S;
    const ApiObject *pod = add("  restartPolicy: OnFailure\n" TWO);
    bench_run_for(&bench, 30 * S);
    ck_assert_int_eq(start_at(pod, 0, 1), NSEC_NEVER);
    ck_assert_int_le(start_at(pod, 1, 1), over_at(pod, 1, 0, 5 * S) + S);
    ck_assert(!last_status(pod)->finished);
}
END_TEST

START_TEST(on_failure_a_container_that_ends_well_is_over)
{
    exit_codes[0] = 0;
    crash_always(0, 5 * S);
    const ApiObject *pod = add("  restartPolicy: OnFailure\n" BENCH_CONTAINER);
    bench_run_for(&bench, 60 * S);
    ck_assert_int_eq(start_at(pod, 0, 1), NSEC_NEVER);
    ck_assert(last_status(pod)->finished);
    ck_assert(!last_status(pod)->ready);
}
END_TEST

START_TEST(on_failure_a_container_that_fails_is_restarted)
{
    crash_always(0, 5 * S);
    const ApiObject *pod = add("  restartPolicy: OnFailure\n" BENCH_CONTAINER);
    bench_run_for(&bench, 8 * S);
    ck_assert_int_ne(start_at(pod, 0, 1), NSEC_NEVER);
    ck_assert(!last_status(pod)->finished);
}
END_TEST

START_TEST(with_restart_policy_never_a_container_runs_once)
{
    crash_always(0, 5 * S);
    const ApiObject *pod = add("  restartPolicy: Never\n" BENCH_CONTAINER);
    bench_run_for(&bench, 60 * S);
    ck_assert_int_eq(start_at(pod, 0, 1), NSEC_NEVER);
    ck_assert(last_status(pod)->finished);
}
END_TEST

START_TEST(a_container_that_cannot_start_is_explained_and_backs_off)
{
    start_errors[0] = "no such image";
    const ApiObject *pod = add(NULL);
    bench_run_for(&bench, FIRST_START + 2 * START + S);
    ck_assert_str_eq(last_status(pod)->message, "no such image");
    ck_assert_int_eq(last_status(pod)->containers[0].exit_code, 128);
    bench_run_for(&bench, 60 * S);
    ck_assert_int_le(start_at(pod, 0, 1), FIRST_START + START + S);
    ck_assert_int_eq(start_at(pod, 0, 2), start_at(pod, 0, 1) + START + 10 * S);
    ck_assert_int_eq(start_at(pod, 0, 3), start_at(pod, 0, 2) + START + 20 * S);
}
END_TEST

START_TEST(an_init_container_that_cannot_start_is_tried_again)
{
    start_errors[0] = "no such image";
    const ApiObject *pod = add("  initContainers: [{name: i0, image: i:1}]\n" BENCH_CONTAINER);
    bench_run_for(&bench, 60 * S);
    ck_assert_int_ne(start_at(pod, 0, 1), NSEC_NEVER);
}
END_TEST

START_TEST(a_container_that_cannot_start_backs_off_late_in_the_run_too)
{
    bench_run_until(&bench, 3600 * S);
    start_errors[0] = "no such image";
    const ApiObject *pod = add(NULL);
    bench_run_for(&bench, 20 * S);
    ck_assert_int_eq(start_at(pod, 0, 2), start_at(pod, 0, 1) + START + 10 * S);
    ck_assert_int_eq(start_at(pod, 0, 3), NSEC_NEVER);
}
END_TEST

START_TEST(a_container_that_ends_at_once_is_restarted_by_the_relist)
{
    lives[0][0] = 1 * MS;
    const ApiObject *pod = add(TWO);
    bench_run_for(&bench, 10 * S);
    ck_assert_int_gt(start_at(pod, 0, 1), start_at(pod, 1, 0) + START);
    ck_assert_int_eq((start_at(pod, 0, 1) - (ready_at(pod) - api_latency)) % S, 0);
    ck_assert_int_eq(last_status(pod)->containers[0].restarts, 1);
}
END_TEST

/* kuberuntime_manager.go computePodActions */
START_TEST(with_restart_policy_never_a_failed_init_container_ends_the_pod)
{
    crash_always(0, 300 * MS);
    const ApiObject *pod =
        add("  restartPolicy: Never\n  initContainers: [{name: i0, image: i:1}]\n" BENCH_CONTAINER);
    bench_run_for(&bench, 60 * S);
    ck_assert_int_eq(start_at(pod, 0, 1), NSEC_NEVER);
    ck_assert(last_status(pod)->finished);
}
END_TEST

START_TEST(a_pod_whose_last_container_fails_has_failed)
{
    crash_always(0, 5 * S);
    const ApiObject *pod = add("  restartPolicy: Never\n" BENCH_CONTAINER);
    bench_run_for(&bench, 60 * S);
    ck_assert(last_status(pod)->finished);
    ck_assert(last_status(pod)->failed);
}
END_TEST

/* ---- probes: told apart by their timeouts, startup 1 s, readiness 2 s, liveness 3 s ---- */

#define EXEC(more) "{exec: {command: [x]}, " more "}"
#define PROBED(more) "  containers: [{name: c, image: i:1, " more "}]\n"
#define NSMGR_STARTUP                                                                              \
    "startupProbe: " EXEC("timeoutSeconds: 1, periodSeconds: 5, failureThreshold: 25")
#define NSMGR_READINESS                                                                            \
    "readinessProbe: " EXEC("timeoutSeconds: 2, initialDelaySeconds: 1, periodSeconds: 1, "        \
                            "failureThreshold: 120")
#define NSMGR_LIVENESS                                                                             \
    "livenessProbe: " EXEC("timeoutSeconds: 3, initialDelaySeconds: 10, periodSeconds: 5, "        \
                           "failureThreshold: 25")
#define NSMGR PROBED(NSMGR_STARTUP ", " NSMGR_READINESS ", " NSMGR_LIVENESS)

static nsec_t sick_from;
static nsec_t sick_until;

static bool
healthy_but_for_a_while(guint container, nsec_t now)
{
    return now < sick_from || now >= sick_until;
}

static void
be_sick(nsec_t from, nsec_t until)
{
    sick_from = from;
    sick_until = until;
    healthy = healthy_but_for_a_while;
}

START_TEST(nsmgr_is_ready_on_the_5_s_grid_of_its_startup_probe)
{
    const ApiObject *pod = add(NSMGR);
    bench_run_for(&bench, 20 * S);
    nsec_t first_tick = SYNC + 5 * S;
    ck_assert_int_eq(probe_at(1 * S, 0), first_tick);
    ck_assert_int_eq(probe_at(2 * S, 0), first_tick + PROBE); /* triggered by the startup probe */
    ck_assert_int_eq(ready_at(pod), first_tick + 2 * PROBE + api_latency);
    ck_assert_str_eq(bench_call(&bench, MESSAGE_HEALTH, 0)->action.address, "container:1/0");
    ck_assert_int_eq(bench_call(&bench, MESSAGE_HEALTH, 0)->action.flags, CALL_PLAIN);
}
END_TEST

START_TEST(nothing_else_is_probed_before_the_startup_probe_has_passed)
{
    be_sick(0, 18 * S);
    const ApiObject *pod = add(NSMGR);
    bench_run_for(&bench, 18 * S);
    ck_assert_uint_eq(n_probes(1 * S), 3); /* at 5, 10, 15 s */
    ck_assert_uint_eq(n_probes(2 * S) + n_probes(3 * S), 0);
    bench_run_for(&bench, 3 * S);
    ck_assert_int_eq(ready_at(pod), SYNC + 20 * S + 2 * PROBE + api_latency);
}
END_TEST

START_TEST(the_startup_probe_ends_when_it_has_passed)
{
    add(NSMGR);
    bench_run_for(&bench, 60 * S);
    ck_assert_uint_eq(n_probes(1 * S), 1);
    ck_assert_uint_gt(n_probes(2 * S), 50);
    ck_assert_uint_ge(n_probes(3 * S), 9);
}
END_TEST

START_TEST(a_container_that_never_starts_up_is_killed_after_its_budget_of_125_s)
{
    be_sick(0, NSEC_NEVER);
    const ApiObject *pod = add(NSMGR);
    bench_run_for(&bench, 126 * S);
    ck_assert_int_eq(stop_at(pod, 0, 0), SYNC + 125 * S + PROBE);
    ck_assert_uint_eq(n_probes(1 * S), 25);
    bench_run_for(&bench, 4 * S);
    ck_assert_int_le(start_at(pod, 0, 1), stop_at(pod, 0, 0) + stop_time + S);
    ck_assert_int_eq(ready_at(pod), NSEC_NEVER);
}
END_TEST

START_TEST(readiness_waits_for_its_own_delay_after_the_startup_probe)
{
    nsec_t begun = 100 * S;
    bench_run_until(&bench, begun);
    const ApiObject *pod = add(PROBED(
        "startupProbe: " EXEC("timeoutSeconds: 1, periodSeconds: 2") ", readinessProbe: " EXEC(
            "timeoutSeconds: 2, periodSeconds: 3, initialDelaySeconds: 8")));
    bench_run_for(&bench, 20 * S);
    /* started at 1.215 s, so from 9.215 s on; the grid is 0.015 + 3k s */
    ck_assert_int_eq(probe_at(2 * S, 0), begun + SYNC + 12 * S);
    ck_assert_int_eq(ready_at(pod), begun + SYNC + 12 * S + PROBE + api_latency);
}
END_TEST

#define READINESS PROBED("readinessProbe: " EXEC("timeoutSeconds: 2"))

START_TEST(readiness_alone_ticks_every_10_s_from_the_sync)
{
    const ApiObject *pod = add(READINESS);
    bench_run_for(&bench, 45 * S);
    for (guint i = 0; i < 4; i++) {
        ck_assert_int_eq(probe_at(2 * S, i), SYNC + (i + 1) * 10 * S);
    }
    ck_assert_int_eq(ready_at(pod), SYNC + 10 * S + PROBE + api_latency);
}
END_TEST

START_TEST(three_failures_end_readiness_and_one_success_brings_it_back)
{
    be_sick(35 * S, 75 * S); /* ticks at 40, 50, 60, 70 s */
    const ApiObject *pod = add(READINESS);
    bench_run_for(&bench, 100 * S);
    ck_assert_int_eq(readiness_at(pod, false, ready_at(pod)), SYNC + 60 * S + PROBE + api_latency);
    ck_assert_int_eq(readiness_at(pod, true, 60 * S), SYNC + 80 * S + PROBE + api_latency);
    ck_assert_int_eq(stop_at(pod, 0, 0), NSEC_NEVER);
}
END_TEST

START_TEST(two_failures_do_not_end_readiness)
{
    be_sick(35 * S, 55 * S);
    const ApiObject *pod = add(READINESS);
    bench_run_for(&bench, 100 * S);
    ck_assert_int_eq(readiness_at(pod, false, ready_at(pod)), NSEC_NEVER);
}
END_TEST

START_TEST(a_probe_without_an_answer_has_failed)
{
    const ApiObject *pod = add(READINESS);
    bench_run_for(&bench, 15 * S);
    probes_time_out = true;
    bench_run_for(&bench, 30 * S);
    ck_assert_int_eq(readiness_at(pod, false, ready_at(pod)), SYNC + 40 * S + 2 * S + api_latency);
}
END_TEST

static bool
first_is_healthy(guint container, nsec_t now)
{
    return container == 0;
}

START_TEST(a_pod_is_ready_when_all_its_containers_are)
{
    healthy = first_is_healthy;
    const ApiObject *pod = add("  containers: [{name: a, image: i:1, readinessProbe: " EXEC(
        "periodSeconds: 1") "}, {name: b, image: i:1, readinessProbe: " EXEC("periodSeconds: "
                                                                             "1") "}]\n");
    bench_run_for(&bench, 20 * S);
    ck_assert(last_status(pod)->containers[0].ready);
    ck_assert(!last_status(pod)->containers[1].ready);
    ck_assert_int_eq(ready_at(pod), NSEC_NEVER);
    healthy = NULL;
    bench_run_for(&bench, 2 * S);
    ck_assert(last_status(pod)->ready);
}
END_TEST

#define LIVENESS                                                                                   \
    PROBED("livenessProbe: " EXEC("timeoutSeconds: 3, initialDelaySeconds: 10, periodSeconds: "    \
                                  "5"))                                                            \
    "  terminationGracePeriodSeconds: 7\n"

START_TEST(liveness_kills_after_three_failures_with_the_pods_grace)
{
    be_sick(20 * S, 33 * S); /* ticks at 20, 25, 30 s */
    const ApiObject *pod = add(LIVENESS);
    bench_run_for(&bench, 60 * S);
    ck_assert_int_eq(probe_at(3 * S, 0), SYNC + 15 * S); /* the first after 1.215 s + 10 s */
    ck_assert_int_eq(stop_at(pod, 0, 0), SYNC + 30 * S + PROBE);
    ck_assert_int_eq(op_of(RUNTIME_STOP_CONTAINER, pod, 0, 0)->grace, 7 * S);
    ck_assert_int_eq(stop_at(pod, 0, 1), NSEC_NEVER);
    ck_assert_int_le(start_at(pod, 0, 1), stop_at(pod, 0, 0) + stop_time + S);
    ck_assert_int_eq(last_status(pod)->containers[0].restarts, 1);
    ck_assert(last_status(pod)->ready);
}
END_TEST

START_TEST(two_failures_of_liveness_do_not_kill)
{
    be_sick(20 * S, 28 * S);
    const ApiObject *pod = add(LIVENESS);
    bench_run_for(&bench, 120 * S);
    ck_assert_int_eq(stop_at(pod, 0, 0), NSEC_NEVER);
}
END_TEST

START_TEST(a_restarted_container_has_its_initial_delay_again)
{
    be_sick(20 * S, 33 * S);
    const ApiObject *pod = add(LIVENESS);
    bench_run_for(&bench, 60 * S);
    nsec_t started = start_at(pod, 0, 1) + START;
    for (guint i = 0; i < n_probes(3 * S); i++) {
        nsec_t at = probe_at(3 * S, i);
        ck_assert_int_eq((at - SYNC) % (5 * S), 0);
        ck_assert_msg(at <= stop_at(pod, 0, 0) || at >= started + 10 * S,
                      "probed %" PRId64 " ns after the restart", at - started);
    }
    ck_assert_int_gt(n_probes(3 * S), 4);
}
END_TEST

START_TEST(a_container_killed_by_liveness_again_and_again_backs_off)
{
    be_sick(0, NSEC_NEVER);
    const ApiObject *pod = add(LIVENESS);
    bench_run_for(&bench, 200 * S);
    ck_assert_int_le(start_at(pod, 0, 1), stop_at(pod, 0, 0) + stop_time + S);
    ck_assert_int_eq(start_at(pod, 0, 2), stop_at(pod, 0, 1) + stop_time + 10 * S);
    ck_assert_int_eq(start_at(pod, 0, 3), stop_at(pod, 0, 2) + stop_time + 20 * S);
}
END_TEST

START_TEST(a_restarted_container_must_start_up_again)
{
    lives[0][0] = 7 * S;
    const ApiObject *pod =
        add(PROBED("startupProbe: " EXEC("timeoutSeconds: 1, periodSeconds: 5")));
    bench_run_for(&bench, 30 * S);
    ck_assert_int_eq(ready_at(pod), SYNC + 5 * S + PROBE + api_latency);
    nsec_t lost = readiness_at(pod, false, ready_at(pod));
    ck_assert_int_gt(lost, over_at(pod, 0, 0, 7 * S));
    ck_assert_int_le(lost, over_at(pod, 0, 0, 7 * S) + S + api_latency);
    nsec_t again = readiness_at(pod, true, lost);
    ck_assert_int_eq(again, probe_at(1 * S, 1) + PROBE + api_latency);
    ck_assert_int_eq((probe_at(1 * S, 1) - SYNC) % (5 * S), 0);
    ck_assert_int_gt(again, start_at(pod, 0, 1) + START);
    ck_assert_uint_eq(n_probes(1 * S), 2);
}
END_TEST

START_TEST(a_container_that_is_not_running_is_not_probed)
{
    crash_always(0, 6 * S);
    const ApiObject *pod = add(PROBED("readinessProbe: " EXEC("timeoutSeconds: 2, periodSeconds: "
                                                              "1")));
    bench_run_for(&bench, 25 * S);
    nsec_t over = over_at(pod, 0, 1, 6 * S);
    for (guint i = 0; i < n_probes(2 * S); i++) {
        nsec_t at = probe_at(2 * S, i);
        ck_assert_msg(at <= over + S || at > start_at(pod, 0, 2), "probed in the back-off");
    }
    ck_assert(!last_status(pod)->ready);
}
END_TEST

START_TEST(after_a_restart_the_startup_probe_comes_first_again)
{
    lives[0][0] = 8 * S;
    const ApiObject *pod =
        add(PROBED("startupProbe: " EXEC("timeoutSeconds: 1, periodSeconds: 5, failureThreshold: "
                                         "9") ", readinessProbe: " EXEC("timeoutSeconds: 2, "
                                                                        "periodSeconds: 4")));
    bench_run_for(&bench, 9 * S);
    ck_assert_int_ne(ready_at(pod), NSEC_NEVER);
    be_sick(0, NSEC_NEVER);
    guint before = n_probes(2 * S);
    bench_run_for(&bench, 20 * S);
    for (guint i = before; i < n_probes(2 * S); i++) {
        ck_assert_msg(probe_at(2 * S, i) < start_at(pod, 0, 1) + START,
                      "readiness is probed before the startup probe has passed");
    }
}
END_TEST

/* ---- termination ---- */

START_TEST(a_deleted_pod_stops_its_containers_then_its_sandbox_then_goes)
{
    const ApiObject *pod = add(TWO);
    bench_run_for(&bench, 10 * S);
    delete_pod(pod, 30 * S);
    ck_assert_int_eq(stop_at(pod, 0, 0), 10 * S);
    ck_assert_int_eq(stop_at(pod, 1, 0), 10 * S);
    ck_assert_int_eq(op_of(RUNTIME_STOP_CONTAINER, pod, 1, 0)->grace, 30 * S);
    bench_run_for(&bench, 10 * S);
    nsec_t stopped = 10 * S + stop_time;
    ck_assert_int_eq(op_at(RUNTIME_STOP_SANDBOX, pod, 0, 0), stopped);
    ck_assert_int_eq(op_at(RUNTIME_STOP_SANDBOX, pod, 0, 1), NSEC_NEVER);
    const Done *call = bench_call(&bench, MESSAGE_API_DELETE, 0);
    const ApiQuery *query = (const ApiQuery *)call->action.message;
    ck_assert_int_eq(call->at, stopped + 100 * MS);
    ck_assert_int_eq(query->kind, OBJECT_POD);
    ck_assert_str_eq(query->name, "p1");
    ck_assert_uint_eq(query->uid, 1);
    ck_assert_int_eq(query->grace, 0);
    ck_assert_uint_eq(bench_calls(&bench, MESSAGE_API_DELETE), 1);
    ck_assert_int_gt(bench_next_at(&bench), 3600 * S);
}
END_TEST

START_TEST(a_container_that_ignores_the_signal_is_killed_after_the_grace)
{
    stop_time = 3600 * S;
    const ApiObject *pod = add(NULL);
    bench_run_for(&bench, 10 * S);
    delete_pod(pod, 30 * S);
    bench_run_for(&bench, 60 * S);
    ck_assert_int_eq(op_at(RUNTIME_STOP_SANDBOX, pod, 0, 0), 40 * S);
    ck_assert_str_eq(bench_mark(&bench, TRACE_CONTAINER_EXITED, "default/p1/c")->action.text,
                     "137");
}
END_TEST

START_TEST(a_pod_that_disappears_is_stopped_with_a_second_of_grace)
{
    ApiObject *pod = add(NULL);
    bench_run_for(&bench, 10 * S);
    bench_event(&bench, WATCH_DELETED, pod);
    ck_assert_int_eq(op_of(RUNTIME_STOP_CONTAINER, pod, 0, 0)->grace, S);
    bench_run_for(&bench, 10 * S);
    ck_assert_int_ne(op_at(RUNTIME_STOP_SANDBOX, pod, 0, 0), NSEC_NEVER);
}
END_TEST

START_TEST(a_pod_is_stopped_once_however_often_it_is_told)
{
    const ApiObject *pod = add(NULL);
    bench_run_for(&bench, 10 * S);
    delete_pod(pod, 30 * S);
    delete_pod(pod, 30 * S);
    bench_run_for(&bench, 10 * S);
    ck_assert_int_eq(stop_at(pod, 0, 1), NSEC_NEVER);
    ck_assert_int_eq(op_at(RUNTIME_STOP_SANDBOX, pod, 0, 1), NSEC_NEVER);
    ck_assert_uint_eq(bench_calls(&bench, MESSAGE_API_DELETE), 1);
}
END_TEST

START_TEST(a_pod_deleted_while_it_mounts_starts_nothing)
{
    const ApiObject *pod = add(NULL);
    bench_run_for(&bench, SYNC + 100 * MS);
    delete_pod(pod, 30 * S);
    bench_run_for(&bench, 10 * S);
    ck_assert_int_eq(op_at(RUNTIME_RUN_SANDBOX, pod, 0, 0), NSEC_NEVER);
    ck_assert_int_eq(start_at(pod, 0, 0), NSEC_NEVER);
    ck_assert_uint_eq(bench_calls(&bench, MESSAGE_API_DELETE), 1);
}
END_TEST

START_TEST(a_pod_deleted_before_its_worker_begins_starts_nothing)
{
    const ApiObject *pod = add(NULL);
    delete_pod(pod, 30 * S);
    bench_run_for(&bench, 10 * S);
    assert_got("");
    ck_assert_uint_eq(bench_calls(&bench, MESSAGE_API_DELETE), 1);
    ck_assert_int_eq(start_at(pod, 0, 0), NSEC_NEVER);
}
END_TEST

START_TEST(a_pod_deleted_while_its_sandbox_is_made_starts_no_container)
{
    const ApiObject *pod = add(NULL);
    bench_run_for(&bench, FIRST_SANDBOX + 100 * MS);
    delete_pod(pod, 30 * S);
    bench_run_for(&bench, 10 * S);
    ck_assert_int_eq(start_at(pod, 0, 0), NSEC_NEVER);
    ck_assert_int_ne(op_at(RUNTIME_STOP_SANDBOX, pod, 0, 0), NSEC_NEVER);
    ck_assert_uint_eq(bench_calls(&bench, MESSAGE_API_DELETE), 1);
}
END_TEST

START_TEST(a_pod_deleted_while_its_container_starts_stops_it)
{
    const ApiObject *pod = add(NULL);
    bench_run_for(&bench, FIRST_START + 100 * MS);
    delete_pod(pod, 30 * S);
    bench_run_for(&bench, 60 * S);
    ck_assert_int_eq(stop_at(pod, 0, 0), FIRST_START + START);
    ck_assert_int_eq(start_at(pod, 0, 1), NSEC_NEVER);
    ck_assert_int_ge(op_at(RUNTIME_STOP_SANDBOX, pod, 0, 0), stop_at(pod, 0, 0));
    ck_assert_uint_eq(bench_calls(&bench, MESSAGE_API_DELETE), 1);
}
END_TEST

START_TEST(a_pod_deleted_while_a_container_starts_stops_all_that_it_has_started)
{
    const ApiObject *pod = add(TWO);
    bench_run_for(&bench, FIRST_START + 100 * MS);
    delete_pod(pod, 30 * S);
    bench_run_for(&bench, 60 * S);
    for (guint i = 0; i < 2; i++) {
        ck_assert_int_eq(start_at(pod, i, 0) == NSEC_NEVER, stop_at(pod, i, 0) == NSEC_NEVER);
        ck_assert_int_eq(start_at(pod, i, 1), NSEC_NEVER);
    }
    ck_assert_int_gt(op_at(RUNTIME_STOP_SANDBOX, pod, 0, 0), stop_at(pod, 0, 0));
    ck_assert_int_eq(op_at(RUNTIME_STOP_SANDBOX, pod, 0, 1), NSEC_NEVER);
    ck_assert_uint_eq(bench_calls(&bench, MESSAGE_API_DELETE), 1);
}
END_TEST

START_TEST(a_pod_deleted_in_its_back_off_starts_nothing_more)
{
    crash_always(0, 100 * MS);
    const ApiObject *pod = add(NULL);
    bench_run_for(&bench, 6 * S);
    ck_assert_ptr_nonnull(bench_mark(&bench, TRACE_CONTAINER_BACKOFF, NULL));
    delete_pod(pod, 30 * S);
    bench_run_for(&bench, 60 * S);
    ck_assert_int_eq(start_at(pod, 0, 2), NSEC_NEVER);
    ck_assert_int_eq(op_at(RUNTIME_STOP_SANDBOX, pod, 0, 0), 6 * S);
    ck_assert_uint_eq(bench_calls(&bench, MESSAGE_API_DELETE), 1);
}
END_TEST

START_TEST(a_container_that_ends_by_itself_in_termination_is_not_restarted)
{
    stop_time = 20 * S;
    lives[0][0] = 12 * S;
    const ApiObject *pod = add(TWO);
    bench_run_for(&bench, 10 * S);
    delete_pod(pod, 30 * S);
    bench_run_for(&bench, 60 * S);
    ck_assert_int_eq(start_at(pod, 0, 1), NSEC_NEVER);
    ck_assert_int_eq(op_at(RUNTIME_STOP_SANDBOX, pod, 0, 0), 30 * S);
}
END_TEST

START_TEST(a_container_that_liveness_is_killing_is_not_killed_twice)
{
    stop_time = 5 * S;
    be_sick(0, NSEC_NEVER);
    const ApiObject *pod = add(LIVENESS);
    bench_run_for(&bench, 27 * S);
    ck_assert_int_ne(stop_at(pod, 0, 0), NSEC_NEVER);
    delete_pod(pod, 30 * S);
    bench_run_for(&bench, 60 * S);
    ck_assert_int_eq(stop_at(pod, 0, 1), NSEC_NEVER);
    ck_assert_int_eq(start_at(pod, 0, 1), NSEC_NEVER);
    ck_assert_int_eq(op_at(RUNTIME_STOP_SANDBOX, pod, 0, 0), stop_at(pod, 0, 0) + stop_time);
}
END_TEST

START_TEST(a_pod_that_is_gone_is_forgotten)
{
    const ApiObject *pod = add(NSMGR);
    bench_run_for(&bench, 20 * S);
    delete_pod(pod, 30 * S);
    bench_run_for(&bench, 30 * S);
    ck_assert_int_gt(bench_next_at(&bench), 3600 * S);
    guint n = bench.done->len;
    bench_step(&bench, (Input){.kind = INPUT_EXITED, .pod_uid = pod->uid, .container = 0});
    bench_step(&bench, (Input){.kind = INPUT_EXITED, .pod_uid = 99, .container = 0});
    bench_event(&bench, WATCH_DELETED, (ApiObject *)pod);
    bench_run_for(&bench, 60 * S);
    ck_assert_uint_eq(bench.done->len, n);
}
END_TEST

/* The runtime may finish the two in any order. */
START_TEST(a_sandbox_is_stopped_when_it_has_been_made)
{
    const ApiObject *pod = add(NULL);
    bench_run_for(&bench, FIRST_SANDBOX + 100 * MS);
    delete_pod(pod, 30 * S);
    bench_run_for(&bench, 10 * S);
    ck_assert_int_ge(op_at(RUNTIME_STOP_SANDBOX, pod, 0, 0), FIRST_SANDBOX + SANDBOX);
}
END_TEST

START_TEST(a_start_that_fails_in_termination_does_not_keep_the_pod)
{
    start_errors[0] = "no such image";
    const ApiObject *pod = add(NULL);
    bench_run_for(&bench, FIRST_START + 100 * MS);
    delete_pod(pod, 30 * S);
    bench_run_for(&bench, 120 * S);
    ck_assert_int_eq(start_at(pod, 0, 1), NSEC_NEVER);
    ck_assert_uint_eq(bench_calls(&bench, MESSAGE_API_DELETE), 1);
}
END_TEST

START_TEST(a_container_that_was_starting_has_the_pods_grace_too)
{
    const ApiObject *pod = add(NULL);
    bench_run_for(&bench, FIRST_START + 100 * MS);
    delete_pod(pod, 30 * S);
    bench_run_for(&bench, 60 * S);
    ck_assert_int_eq(op_of(RUNTIME_STOP_CONTAINER, pod, 0, 0)->grace, 30 * S);
}
END_TEST

/* pod_workers.go calculateEffectiveGracePeriod: a grace period only gets shorter. */
START_TEST(a_forced_deletion_ends_the_grace)
{
    stop_time = 3600 * S;
    ApiObject *pod = add(NULL);
    bench_run_for(&bench, 10 * S);
    delete_pod(pod, 300 * S);
    bench_run_for(&bench, S);
    bench_event(&bench, WATCH_DELETED, pod);
    bench_run_for(&bench, 10 * S);
    ck_assert_int_ne(op_at(RUNTIME_STOP_SANDBOX, pod, 0, 0), NSEC_NEVER);
}
END_TEST

/* ---- workload attestors ---- */

/* The kubelet's answer about a container of a Pod. */
static bool
attests(uint64_t pod_uid, guint container)
{
    static uint64_t last_call;
    KubeletPods *question = message_new(MESSAGE_KUBELET_PODS, sizeof *question, NULL);
    question->pod_uid = pod_uid;
    question->container = container;
    bench_give(&bench, (Input){.kind = INPUT_REQUEST, .call = ++last_call}, question);
    const Done *reply = bench_last(&bench, ACTION_REPLY, MESSAGE_NONE);
    ck_assert_uint_eq(reply->action.call, last_call);
    return reply->action.message->type == MESSAGE_OK;
}

START_TEST(a_container_is_attested_from_the_relist_on_that_sees_it_run)
{
    const ApiObject *pod = add(NULL);
    bench_run_until(&bench, FIRST_START + START);
    ck_assert(!attests(pod->uid, 0));
    bench_run_for(&bench, S);
    ck_assert(attests(pod->uid, 0));
    ck_assert(!attests(pod->uid, 1));
    ck_assert(!attests(99, 0));
}
END_TEST

START_TEST(a_container_that_has_ended_is_not_attested)
{
    lives[0][0] = 100 * MS;
    lives[0][1] = 100 * MS;
    const ApiObject *pod = add(NULL);
    bench_run_until(&bench, 8 * S); /* in its back-off */
    ck_assert(!attests(pod->uid, 0));
    bench_run_for(&bench, 15 * S);
    ck_assert(attests(pod->uid, 0));
}
END_TEST

/* ---- a kubelet begins again ---- */

static void
begin_again(void)
{
    bench.machine->class->free(bench.machine);
    g_ptr_array_set_size(bench.due, 0);
    bench_forget(&bench);
    bench_start(&bench, kubelet_new(&bench.info, 3));
}

static void
found(uint64_t uid, guint container)
{
    bench_step(&bench, (Input){.kind = INPUT_FOUND, .pod_uid = uid, .container = container});
}

static void
synced(void)
{
    bench_event(&bench, WATCH_SYNCED, NULL);
}

/* The Pod as the API server knows it now; the bench keeps it. */
static ApiObject *
stored(const ApiObject *pod)
{
    const Done *call = find_status(pod, n_statuses(pod) - 1);
    ApiObject *copy = bench_copy(&bench, api_message_object(call->action.message));
    copy->version = ++last_version;
    return copy;
}

#define AFTER_INIT "  initContainers: [{name: i0, image: i:1}]\n" BENCH_CONTAINER

START_TEST(what_runs_is_asked_for_first)
{
    const Done *list = bench_nth(&bench, ACTION_RUNTIME, MESSAGE_NONE, 0);
    ck_assert_int_eq(list->action.runtime.kind, RUNTIME_LIST);
    ck_assert_str_eq(list->action.runtime.node, "node-3");
}
END_TEST

START_TEST(what_runs_is_adopted)
{
    lives[0][0] = 100 * MS;
    exit_codes[0] = 0;
    ApiObject *pod = add(AFTER_INIT);
    bench_run_for(&bench, 20 * S);
    ApiObject *now = stored(pod);
    ck_assert(now->status.ready);
    begin_again();
    found(pod->uid, 1);
    bench_event(&bench, WATCH_ADDED, now);
    bench_run_for(&bench, 60 * S);
    ck_assert_int_eq(op_at(RUNTIME_RUN_SANDBOX, pod, 0, 0), NSEC_NEVER);
    ck_assert_int_eq(start_at(pod, 0, 0), NSEC_NEVER);
    ck_assert_int_eq(start_at(pod, 1, 0), NSEC_NEVER);
    ck_assert(last_status(pod)->ready && last_status(pod)->initialized);
    ck_assert_int_eq(last_status(pod)->containers[1].restarts, 0);
    ck_assert_str_eq(stored(pod)->pod_ip, now->pod_ip);
}
END_TEST

START_TEST(an_adopted_container_is_stopped_and_restarted_as_any_other)
{
    ApiObject *pod = add(NULL);
    bench_run_for(&bench, 20 * S);
    ApiObject *now = stored(pod);
    begin_again();
    found(pod->uid, 0);
    bench_event(&bench, WATCH_ADDED, now);
    bench_run_for(&bench, 5 * S);
    bench_step(&bench, (Input){.kind = INPUT_EXITED, .pod_uid = pod->uid, .exit_code = 1});
    bench_run_for(&bench, 5 * S);
    ck_assert_int_ne(start_at(pod, 0, 0), NSEC_NEVER);
    ck_assert_int_eq(last_status(pod)->containers[0].restarts, 1);
}
END_TEST

START_TEST(a_sandbox_whose_container_has_ended_meanwhile_is_kept)
{
    ApiObject *pod = add(NULL);
    bench_run_for(&bench, 20 * S);
    ApiObject *now = stored(pod);
    begin_again();
    bench_step(&bench, (Input){.kind = INPUT_FOUND, .pod_uid = pod->uid, .ip = "10.32.2.77"});
    bench_event(&bench, WATCH_ADDED, now);
    bench_run_for(&bench, 20 * S);
    ck_assert_int_eq(op_at(RUNTIME_RUN_SANDBOX, pod, 0, 0), NSEC_NEVER);
    ck_assert_int_ne(start_at(pod, 0, 0), NSEC_NEVER);
    ck_assert_int_eq(last_status(pod)->containers[0].restarts, 1);
    ck_assert_str_eq(stored(pod)->pod_ip, "10.32.2.77");
}
END_TEST

/* PodChaos pod-failure ends while no kubelet looks: what runs is still the pause image. */
START_TEST(what_runs_with_the_pause_image_is_replaced_when_the_pod_wants_its_own)
{
    ApiObject *pod = add(NULL);
    bench_run_for(&bench, 20 * S);
    ApiObject *now = stored(pod);
    begin_again();
    bench_step(&bench, (Input){.kind = INPUT_FOUND, .pod_uid = pod->uid, .paused = true});
    bench_event(&bench, WATCH_ADDED, now);
    bench_run_for(&bench, 5 * S);
    ck_assert_int_ne(op_at(RUNTIME_STOP_CONTAINER, pod, 0, 0), NSEC_NEVER);
    bench_step(&bench, (Input){.kind = INPUT_EXITED, .pod_uid = pod->uid});
    bench_run_for(&bench, 5 * S);
    ck_assert_int_ne(start_at(pod, 0, 0), NSEC_NEVER);
}
END_TEST

START_TEST(probes_of_what_is_adopted_begin_anew)
{
    ApiObject *pod = add(NSMGR);
    bench_run_for(&bench, 20 * S);
    ApiObject *now = stored(pod);
    ck_assert(now->status.ready);
    begin_again();
    found(pod->uid, 0);
    bench_event(&bench, WATCH_ADDED, now);
    bench_run_for(&bench, S);
    ck_assert(!last_status(pod)->ready);
    bench_run_for(&bench, 20 * S);
    ck_assert(last_status(pod)->ready);
    ck_assert_int_eq(start_at(pod, 0, 0), NSEC_NEVER);
}
END_TEST

START_TEST(what_ended_while_nobody_looked_is_restarted)
{
    ApiObject *pod = add(TWO);
    bench_run_for(&bench, 20 * S);
    ApiObject *now = stored(pod);
    begin_again();
    found(pod->uid, 0);
    bench_event(&bench, WATCH_ADDED, now);
    bench_run_for(&bench, 20 * S);
    ck_assert_int_eq(start_at(pod, 0, 0), NSEC_NEVER);
    ck_assert_int_ne(start_at(pod, 1, 0), NSEC_NEVER);
    ck_assert_int_eq(last_status(pod)->containers[1].restarts, 1);
    ck_assert_int_eq(op_at(RUNTIME_RUN_SANDBOX, pod, 0, 0), NSEC_NEVER);
}
END_TEST

START_TEST(what_belongs_to_no_pod_is_stopped_once_all_pods_are_known)
{
    ApiObject *pod = add(NULL);
    bench_run_for(&bench, 20 * S);
    ApiObject *now = stored(pod);
    begin_again();
    found(pod->uid, 0);
    found(77, 2);
    bench_event(&bench, WATCH_ADDED, now);
    bench_run_for(&bench, 10 * S);
    ApiObject orphan = {.uid = 77};
    ck_assert_int_eq(stop_at(&orphan, 2, 0), NSEC_NEVER);
    synced();
    ck_assert_int_eq(stop_at(&orphan, 2, 0), bench.now);
    ck_assert_int_eq(stop_at(&orphan, 0, 0), NSEC_NEVER);
    bench_run_for(&bench, 10 * S);
    ck_assert_int_eq(stop_at(pod, 0, 0), NSEC_NEVER);
}
END_TEST

START_TEST(after_a_reboot_all_begins_again_and_counts_as_a_restart)
{
    lives[0][0] = lives[0][1] = 100 * MS;
    exit_codes[0] = 0;
    ApiObject *pod = add(AFTER_INIT);
    bench_run_for(&bench, 20 * S);
    ApiObject *now = stored(pod);
    begin_again();
    bench_event(&bench, WATCH_ADDED, now);
    bench_run_for(&bench, 500 * MS);
    ck_assert(!last_status(pod)->ready);
    bench_run_for(&bench, 20 * S);
    ck_assert_int_ne(op_at(RUNTIME_RUN_SANDBOX, pod, 0, 0), NSEC_NEVER);
    ck_assert_int_gt(start_at(pod, 1, 0), start_at(pod, 0, 0));
    ck_assert(last_status(pod)->ready);
    ck_assert_int_eq(last_status(pod)->containers[0].restarts, 1);
    ck_assert_int_eq(last_status(pod)->containers[1].restarts, 1);
    ck_assert_str_ne(stored(pod)->pod_ip, now->pod_ip);
}
END_TEST

START_TEST(a_pod_deleted_while_no_kubelet_was_here_is_stopped)
{
    ApiObject *pod = add(NULL);
    bench_run_for(&bench, 20 * S);
    ApiObject *now = stored(pod);
    now->deleting = true;
    now->grace = 30 * S;
    begin_again();
    found(pod->uid, 0);
    bench_event(&bench, WATCH_ADDED, now);
    ck_assert_int_eq(op_of(RUNTIME_STOP_CONTAINER, pod, 0, 0)->grace, 30 * S);
    bench_run_for(&bench, 5 * S);
    ck_assert_int_ne(op_at(RUNTIME_STOP_SANDBOX, pod, 0, 0), NSEC_NEVER);
    ck_assert_uint_eq(bench_calls(&bench, MESSAGE_API_DELETE), 1);
}
END_TEST

START_TEST(a_pod_deleted_while_its_node_was_down_is_finished_at_once)
{
    ApiObject *pod = new_pod(NULL);
    pod->deleting = true;
    pod->grace = 30 * S;
    bench_event(&bench, WATCH_ADDED, pod);
    ck_assert_int_eq(bench_call(&bench, MESSAGE_API_DELETE, 0)->at, 0);
    bench_run_for(&bench, 10 * S);
    bench_event(&bench, WATCH_MODIFIED, pod); /* late news */
    ck_assert_uint_eq(bench_calls(&bench, MESSAGE_API_DELETE), 1);
}
END_TEST

START_TEST(addresses_go_on_after_those_that_are_given)
{
    ApiObject *old = new_pod(NULL);
    old->pod_ip = g_strdup("10.32.3.50");
    old->status.sandbox = true;
    found(old->uid, 0);
    bench_event(&bench, WATCH_ADDED, old);
    const ApiObject *pod = add(NULL);
    bench_run_for(&bench, 5 * S);
    ck_assert_str_eq(op_of(RUNTIME_RUN_SANDBOX, pod, 0, 0)->pod_ip, "10.32.3.51");
}
END_TEST

START_TEST(what_is_found_of_a_pod_that_goes_before_its_sync_is_stopped)
{
    ApiObject *pod = add(NULL);
    bench_run_for(&bench, 20 * S);
    ApiObject *now = stored(pod);
    begin_again();
    found(pod->uid, 0);
    bench_event(&bench, WATCH_ADDED, now);
    bench_event(&bench, WATCH_DELETED, now);
    ck_assert_int_eq(op_of(RUNTIME_STOP_CONTAINER, pod, 0, 0)->grace, S);
    bench_run_for(&bench, 5 * S);
    ck_assert_int_eq(start_at(pod, 0, 0), NSEC_NEVER);
}
END_TEST

START_TEST(what_ends_before_its_pod_is_known_is_restarted)
{
    ApiObject *pod = add(TWO);
    bench_run_for(&bench, 20 * S);
    ApiObject *now = stored(pod);
    begin_again();
    found(pod->uid, 0);
    found(pod->uid, 1);
    bench_step(&bench, (Input){.kind = INPUT_EXITED, .pod_uid = pod->uid, .container = 1});
    bench_event(&bench, WATCH_ADDED, now);
    bench_run_for(&bench, 20 * S);
    ck_assert_int_eq(start_at(pod, 0, 0), NSEC_NEVER);
    ck_assert_int_ne(start_at(pod, 1, 0), NSEC_NEVER);
}
END_TEST

START_TEST(another_pod_of_that_name_is_not_patched)
{
    status_held = true;
    ApiObject *pod = add(NULL);
    bench_run_for(&bench, S);
    ApiObject *other = bench_copy(&bench, pod);
    other->uid = 99;
    bench_reply(&bench, bench_call(&bench, MESSAGE_API_GET, 0)->action.tag,
                api_message(MESSAGE_API_OBJECT, api_object_ref(other)));
    ck_assert_uint_eq(bench_calls(&bench, MESSAGE_API_STATUS), 0);
}
END_TEST

START_TEST(a_token_that_does_not_come_is_asked_for_again)
{
    api_down = true;
    const ApiObject *pod = add(NULL);
    bench_run_for(&bench, 5 * S);
    ck_assert_int_eq(op_at(RUNTIME_RUN_SANDBOX, pod, 0, 0), NSEC_NEVER);
    api_down = false;
    bench_run_for(&bench, 200 * S);
    ck_assert(last_status(pod)->ready);
}
END_TEST

static TCase *
beginning_case(void)
{
    TCase *beginning = tcase_create("beginning again");
    tcase_add_test(beginning, what_runs_is_asked_for_first);
    tcase_add_test(beginning, what_runs_is_adopted);
    tcase_add_test(beginning, an_adopted_container_is_stopped_and_restarted_as_any_other);
    tcase_add_test(beginning, probes_of_what_is_adopted_begin_anew);
    tcase_add_test(beginning, what_ended_while_nobody_looked_is_restarted);
    tcase_add_test(beginning, what_belongs_to_no_pod_is_stopped_once_all_pods_are_known);
    tcase_add_test(beginning, after_a_reboot_all_begins_again_and_counts_as_a_restart);
    tcase_add_test(beginning, a_pod_deleted_while_no_kubelet_was_here_is_stopped);
    tcase_add_test(beginning, a_pod_deleted_while_its_node_was_down_is_finished_at_once);
    tcase_add_test(beginning,
                   what_runs_with_the_pause_image_is_replaced_when_the_pod_wants_its_own);
    tcase_add_test(beginning, a_sandbox_whose_container_has_ended_meanwhile_is_kept);
    tcase_add_test(beginning, what_is_found_of_a_pod_that_goes_before_its_sync_is_stopped);
    tcase_add_test(beginning, what_ends_before_its_pod_is_known_is_restarted);
    tcase_add_test(beginning, another_pod_of_that_name_is_not_patched);
    tcase_add_test(beginning, a_token_that_does_not_come_is_asked_for_again);
    tcase_add_test(beginning, addresses_go_on_after_those_that_are_given);
    return beginning;
}

/* ---- the API server comes and goes ---- */

static void
watch_breaks(void)
{
    bench_step(&bench, (Input){.kind = INPUT_CLOSED, .tag = 1, .failure = FAILURE_PEER_GONE});
}

START_TEST(a_watch_that_breaks_is_opened_again_after_a_second)
{
    ApiObject *pod = add(NULL);
    bench_run_for(&bench, 10 * S);
    watch_breaks();
    bench_run_for(&bench, S - 1);
    ck_assert_uint_eq(bench_count(&bench, ACTION_OPEN, MESSAGE_NONE), 1);
    bench_run_for(&bench, 1);
    ck_assert_uint_eq(bench_count(&bench, ACTION_OPEN, MESSAGE_NONE), 2);
    bench_event(&bench, WATCH_ADDED, pod);
    synced();
    bench_run_for(&bench, 10 * S);
    ck_assert_int_eq(op_at(RUNTIME_RUN_SANDBOX, pod, 0, 1), NSEC_NEVER);
    ck_assert_int_eq(stop_at(pod, 0, 0), NSEC_NEVER);
}
END_TEST

START_TEST(a_pod_that_went_while_the_watch_was_broken_is_stopped)
{
    const ApiObject *pod = add(NULL);
    ApiObject *other = add(NULL);
    bench_run_for(&bench, 10 * S);
    watch_breaks();
    bench_run_for(&bench, 2 * S);
    bench_event(&bench, WATCH_ADDED, other);
    ck_assert_int_eq(stop_at(pod, 0, 0), NSEC_NEVER);
    synced();
    ck_assert_int_eq(op_of(RUNTIME_STOP_CONTAINER, pod, 0, 0)->grace, S);
    ck_assert_int_eq(stop_at(other, 0, 0), NSEC_NEVER);
}
END_TEST

START_TEST(a_deletion_that_is_not_answered_is_repeated)
{
    bench.respond = NULL;
    ApiObject *pod = new_pod(NULL);
    pod->deleting = true;
    bench_event(&bench, WATCH_ADDED, pod);
    bench_fail(&bench, bench_call(&bench, MESSAGE_API_DELETE, 0)->action.tag, FAILURE_DEADLINE);
    bench_run_for(&bench, 10 * S);
    ck_assert_int_eq(bench_call(&bench, MESSAGE_API_DELETE, 1)->at, 10 * S);
}
END_TEST

START_TEST(a_batch_takes_the_place_of_all_that_waits)
{
    lives[0][0] = 2 * S;
    status_held = true;
    const ApiObject *pod = add(NULL);
    bench_run_for(&bench, 11 * S);
    status_held = false;
    bench_reply(&bench, bench_call(&bench, MESSAGE_API_GET, 0)->action.tag, message_ok());
    bench_run_for(&bench, 60 * S);
    ck_assert_uint_eq(n_statuses(pod), 2);
    ck_assert(!status_of(pod, 0)->sandbox);
    ck_assert(status_of(pod, 1)->ready);
    ck_assert_int_eq(status_of(pod, 1)->containers[0].restarts, 1);
}
END_TEST

START_TEST(a_status_that_is_not_answered_is_sent_with_the_next_batch)
{
    status_held = true;
    const ApiObject *pod = add(NULL);
    bench_run_for(&bench, 3 * S);
    status_held = false;
    bench_fail(&bench, bench_call(&bench, MESSAGE_API_GET, 0)->action.tag, FAILURE_DEADLINE);
    bench_run_for(&bench, 10 * S);
    ck_assert(last_status(pod)->ready);
}
END_TEST

START_TEST(readiness_that_another_has_overwritten_is_told_again)
{
    const ApiObject *pod = add(NULL);
    bench_run_for(&bench, 12 * S);
    guint n = n_statuses(pod);
    ApiObject *marked = stored(pod);
    marked->status.ready = false;
    bench_event(&bench, WATCH_MODIFIED, marked);
    bench_run_until(&bench, 20 * S - 1);
    ck_assert_uint_eq(n_statuses(pod), n);
    bench_run_for(&bench, S);
    ck_assert_uint_eq(n_statuses(pod), n + 1);
    ck_assert(last_status(pod)->ready);
    bench_run_for(&bench, 60 * S);
    ck_assert_uint_eq(n_statuses(pod), n + 1);
}
END_TEST

static TCase *
connection_case(void)
{
    TCase *connection = tcase_create("connection");
    tcase_add_test(connection, a_watch_that_breaks_is_opened_again_after_a_second);
    tcase_add_test(connection, a_pod_that_went_while_the_watch_was_broken_is_stopped);
    tcase_add_test(connection, a_deletion_that_is_not_answered_is_repeated);
    tcase_add_test(connection, a_batch_takes_the_place_of_all_that_waits);
    tcase_add_test(connection, a_status_that_is_not_answered_is_sent_with_the_next_batch);
    tcase_add_test(connection, readiness_that_another_has_overwritten_is_told_again);
    return connection;
}

/* ---- its node ---- */

static void
setup_lease(void)
{
    lease_period = "10s";
    setup();
    lease_period = "1000000h";
}

START_TEST(a_kubelet_registers_its_node)
{
    const ApiObject *node =
        api_message_object(bench_call(&bench, MESSAGE_API_CREATE, 0)->action.message);
    ck_assert_int_eq(node->kind, OBJECT_NODE);
    ck_assert_str_eq(node->name, "node-3");
    ck_assert_str_eq(node->ns, "");
}
END_TEST

static const Done *
renewal(guint n)
{
    return bench_call(&bench, MESSAGE_API_LEASE, n);
}

START_TEST(a_lease_is_renewed_every_10_s)
{
    for (guint i = 0; i < 5; i++) {
        bench_run_until(&bench, (nsec_t)(i + 1) * 10 * S);
        ck_assert_uint_eq(bench_calls(&bench, MESSAGE_API_LEASE), i + 1);
        ck_assert_str_eq(((const ApiQuery *)renewal(i)->action.message)->name, "node-3");
        ck_assert_int_eq(renewal(i)->at, renewal(0)->at + (nsec_t)i * 10 * S);
        ck_assert_int_eq(renewal(i)->action.delay, 0);
        bench_reply(&bench, renewal(i)->action.tag, message_ok());
    }
    ck_assert_uint_eq(bench_calls(&bench, MESSAGE_API_CREATE), 1);
}
END_TEST

START_TEST(one_renewal_goes_on_at_a_time)
{
    bench_run_for(&bench, 60 * S);
    ck_assert_uint_eq(bench_calls(&bench, MESSAGE_API_LEASE), 1);
    ck_assert_int_eq(renewal(0)->action.timeout, 10 * S);
    bench_fail(&bench, renewal(0)->action.tag, FAILURE_DEADLINE);
    bench_run_for(&bench, 10 * S);
    ck_assert_uint_eq(bench_calls(&bench, MESSAGE_API_LEASE), 2);
}
END_TEST

START_TEST(a_node_that_is_not_known_is_registered_again)
{
    bench_run_for(&bench, 10 * S);
    bench_reply(&bench, renewal(0)->action.tag, message_error("not found"));
    ck_assert_uint_eq(bench_calls(&bench, MESSAGE_API_CREATE), 2);
}
END_TEST

static TCase *
node_case(void)
{
    TCase *node = tcase_create("node");
    tcase_add_checked_fixture(node, setup_lease, teardown);
    tcase_add_test(node, a_kubelet_registers_its_node);
    tcase_add_test(node, a_lease_is_renewed_every_10_s);
    tcase_add_test(node, one_renewal_goes_on_at_a_time);
    tcase_add_test(node, a_node_that_is_not_known_is_registered_again);
    return node;
}

/* ---- pause images, memory ---- */

static ApiObject *
set_paused(const ApiObject *pod, bool paused)
{
    ApiObject *next = stored(pod);
    next->paused = paused;
    bench_event(&bench, WATCH_MODIFIED, next);
    return next;
}

START_TEST(a_paused_pod_runs_the_pause_image_until_it_goes_on)
{
    const ApiObject *pod = add(TWO);
    bench_run_for(&bench, 10 * S);
    ck_assert(!op_of(RUNTIME_START_CONTAINER, pod, 0, 0)->paused);
    set_paused(pod, true);
    ck_assert_int_eq(stop_at(pod, 0, 0), bench.now);
    ck_assert_int_eq(stop_at(pod, 1, 0), bench.now);
    ck_assert_int_eq(op_of(RUNTIME_STOP_CONTAINER, pod, 0, 0)->grace, 30 * S);
    bench_run_for(&bench, 10 * S);
    ck_assert(op_of(RUNTIME_START_CONTAINER, pod, 0, 1)->paused);
    ck_assert(op_of(RUNTIME_START_CONTAINER, pod, 1, 1)->paused);
    ck_assert_int_eq(last_status(pod)->containers[0].restarts, 1);
    set_paused(pod, false);
    bench_run_for(&bench, 10 * S);
    ck_assert(!op_of(RUNTIME_START_CONTAINER, pod, 0, 2)->paused);
    ck_assert_int_eq(last_status(pod)->containers[0].restarts, 2);
    ck_assert_int_eq(op_at(RUNTIME_RUN_SANDBOX, pod, 0, 1), NSEC_NEVER);
    ck_assert_ptr_null(bench_mark(&bench, TRACE_CONTAINER_BACKOFF, NULL));
}
END_TEST

START_TEST(a_pause_ends_the_back_off)
{
    crash_always(0, 100 * MS);
    lives[0][5] = lives[0][6] = 0;
    const ApiObject *pod = add(NULL);
    bench_run_for(&bench, 50 * S);
    ck_assert_str_eq(last_status(pod)->containers[0].waiting_reason, "CrashLoopBackOff");
    guint n = n_starts[0];
    set_paused(pod, true);
    ck_assert_int_eq(start_at(pod, 0, n), bench.now);
    ck_assert(op_of(RUNTIME_START_CONTAINER, pod, 0, n)->paused);
}
END_TEST

START_TEST(a_pause_is_no_crash)
{
    const ApiObject *pod = add(NULL);
    bench_run_for(&bench, 10 * S);
    set_paused(pod, true);
    bench_run_for(&bench, 10 * S);
    crash_now(pod, 0);
    bench_run_for(&bench, 2 * S);
    ck_assert_int_ne(start_at(pod, 0, 2), NSEC_NEVER);
}
END_TEST

START_TEST(a_pause_restarts_what_runs_once_too)
{
    const ApiObject *pod = add("  restartPolicy: Never\n" BENCH_CONTAINER);
    bench_run_for(&bench, 10 * S);
    set_paused(pod, true);
    bench_run_for(&bench, 10 * S);
    ck_assert(op_of(RUNTIME_START_CONTAINER, pod, 0, 1)->paused);
}
END_TEST

START_TEST(who_is_out_of_memory_says_so_and_is_restarted)
{
    const ApiObject *pod = add(NULL);
    bench_run_for(&bench, 10 * S);
    for (guint i = 0; i < 2; i++) {
        ck_assert_str_eq(i == 0 ? "none" : last_status(pod)->containers[0].exit_reason,
                         i == 0 ? "none" : "OOMKilled");
        bench_step(&bench, (Input){.kind = INPUT_EXITED,
                                   .pod_uid = pod->uid,
                                   .exit_code = 137,
                                   .error = "OOMKilled"});
        bench_run_for(&bench, 5 * S);
    }
    ck_assert_int_ne(start_at(pod, 0, 1), NSEC_NEVER);
    ck_assert_int_eq(start_at(pod, 0, 2), NSEC_NEVER);
    ck_assert_str_eq(last_status(pod)->containers[0].waiting_reason, "CrashLoopBackOff");
    ck_assert_int_eq(last_status(pod)->containers[0].exit_code, 137);
    ck_assert_str_eq(last_status(pod)->containers[0].exit_reason, "OOMKilled");
}
END_TEST

static TCase *
faults_case(void)
{
    TCase *faults = tcase_create("faults");
    tcase_add_test(faults, a_paused_pod_runs_the_pause_image_until_it_goes_on);
    tcase_add_test(faults, a_pause_is_no_crash);
    tcase_add_test(faults, a_pause_ends_the_back_off);
    tcase_add_test(faults, a_pause_restarts_what_runs_once_too);
    tcase_add_test(faults, who_is_out_of_memory_says_so_and_is_restarted);
    return faults;
}

static TCase *
coming_case(void)
{
    TCase *coming = tcase_create("coming");
    tcase_add_test(coming, it_watches_the_pods_of_its_node);
    tcase_add_test(coming, a_pods_worker_begins_a_moment_after_its_bind);
    tcase_add_test(coming, a_pod_that_leaves_or_is_over_is_not_begun);
    tcase_add_test(coming, news_of_a_pod_do_not_begin_it_again);
    tcase_add_test(coming, a_pod_goes_from_volumes_to_sandbox_to_container);
    tcase_add_test(coming, the_runtime_is_told_whom_it_works_for);
    tcase_add_test(coming, on_the_hosts_network_the_address_is_the_nodes);
    return coming;
}

static TCase *
volumes_case(void)
{
    TCase *volumes = tcase_create("volumes");
    tcase_add_test(volumes, the_token_the_root_ca_and_each_source_cost_a_request);
    tcase_add_test(volumes, a_node_asks_for_each_source_once_and_for_a_token_each_time);
    tcase_add_test(volumes, sources_of_another_namespace_are_others);
    tcase_add_test(volumes, after_10_requests_the_client_sends_5_a_second);
    tcase_add_test(volumes, all_requests_of_the_client_obey_5_a_second_and_10_at_once);
    tcase_add_test(volumes, the_first_poll_sees_what_the_reconciler_has_mounted_before);
    tcase_add_test(volumes, a_poll_at_the_instant_of_the_mount_sees_it);
    tcase_add_test(volumes, mounting_waits_for_the_reconciler_and_the_poll);
    tcase_add_test(volumes, a_missing_config_map_explains_itself_and_holds_the_pod_up);
    tcase_add_test(volumes, a_complaint_is_told_at_once);
    tcase_add_test(volumes, a_missing_source_is_asked_for_after_half_a_second_doubling_to_122_s);
    tcase_add_test(volumes, a_source_that_appears_lets_the_pod_go_on);
    tcase_add_test(volumes, two_missing_sources_are_both_waited_for);
    tcase_add_test(volumes, an_optional_source_is_not_waited_for);
    tcase_add_test(volumes, an_api_server_that_does_not_answer_is_explained_too);
    tcase_add_test(volumes, a_complaint_ends_when_another_pod_has_fetched_the_source);
    tcase_add_test(volumes, a_source_of_two_volumes_is_asked_for_once);
    tcase_add_test(volumes, a_sandbox_that_fails_is_made_again);
    return volumes;
}

static TCase *
containers_case(void)
{
    TCase *containers = tcase_create("containers");
    tcase_add_test(containers, containers_start_one_after_the_other);
    tcase_add_test(containers, a_pod_without_probes_is_ready_at_the_relist_that_sees_it_run);
    tcase_add_test(containers, relists_lie_on_a_grid_of_one_second);
    tcase_add_test(containers, each_kubelet_has_its_own_grid);
    tcase_add_test(containers, a_restart_waits_for_the_start_of_an_earlier_container);
    tcase_add_test(containers, init_containers_run_in_order_each_after_a_relist);
    tcase_add_test(containers, a_pod_is_initialized_when_its_init_containers_are_done);
    tcase_add_test(containers, a_failed_init_container_is_repeated_before_anything_else);
    tcase_add_test(containers, a_pod_that_comes_up_tells_three_statuses);
    tcase_add_test(containers, each_status_is_a_get_and_then_a_patch);
    tcase_add_test(containers, statuses_are_sent_one_pod_at_a_time);
    tcase_add_test(containers, every_change_of_a_status_is_sent);
    tcase_add_test(containers, a_pod_that_goes_while_its_status_is_sent_does_not_hold_up_others);
    tcase_add_test(containers, a_pod_that_goes_while_its_patch_is_sent_does_not_hold_up_others);
    tcase_add_test(containers, an_older_snapshot_does_not_replace_a_newer_one);
    tcase_add_test(containers, a_pod_that_is_not_found_is_not_patched);
    tcase_add_test(containers, a_container_is_attested_from_the_relist_on_that_sees_it_run);
    tcase_add_test(containers, a_container_that_has_ended_is_not_attested);
    return containers;
}

static TCase *
crashes_case(void)
{
    TCase *crashes = tcase_create("crashes");
    tcase_add_test(crashes, the_first_restart_is_immediate_and_then_10_s_doubling_to_300_s);
    tcase_add_test(crashes, a_crash_is_counted_and_marked);
    tcase_add_test(crashes, a_container_in_back_off_says_so);
    tcase_add_test(crashes, a_container_that_ends_well_backs_off_too);
    tcase_add_test(crashes, ten_good_minutes_end_the_back_off);
    tcase_add_test(crashes, nine_good_minutes_do_not_end_the_back_off);
    tcase_add_test(crashes, a_back_off_does_not_hold_up_other_containers);
    tcase_add_test(crashes, a_back_off_that_begins_does_not_hold_up_the_next_container);
    tcase_add_test(crashes, a_container_that_is_over_does_not_hold_up_the_next_one);
    tcase_add_test(crashes, on_failure_a_container_that_ends_well_is_over);
    tcase_add_test(crashes, on_failure_a_container_that_fails_is_restarted);
    tcase_add_test(crashes, with_restart_policy_never_a_container_runs_once);
    tcase_add_test(crashes, a_container_that_cannot_start_is_explained_and_backs_off);
    tcase_add_test(crashes, an_init_container_that_cannot_start_is_tried_again);
    tcase_add_test(crashes, a_container_that_cannot_start_backs_off_late_in_the_run_too);
    tcase_add_test(crashes, a_container_that_ends_at_once_is_restarted_by_the_relist);
    tcase_add_test(crashes, with_restart_policy_never_a_failed_init_container_ends_the_pod);
    tcase_add_test(crashes, a_pod_whose_last_container_fails_has_failed);
    return crashes;
}

static TCase *
probes_case(void)
{
    TCase *probes = tcase_create("probes");
    tcase_add_test(probes, nsmgr_is_ready_on_the_5_s_grid_of_its_startup_probe);
    tcase_add_test(probes, nothing_else_is_probed_before_the_startup_probe_has_passed);
    tcase_add_test(probes, the_startup_probe_ends_when_it_has_passed);
    tcase_add_test(probes, a_container_that_never_starts_up_is_killed_after_its_budget_of_125_s);
    tcase_add_test(probes, readiness_waits_for_its_own_delay_after_the_startup_probe);
    tcase_add_test(probes, readiness_alone_ticks_every_10_s_from_the_sync);
    tcase_add_test(probes, three_failures_end_readiness_and_one_success_brings_it_back);
    tcase_add_test(probes, two_failures_do_not_end_readiness);
    tcase_add_test(probes, a_probe_without_an_answer_has_failed);
    tcase_add_test(probes, a_pod_is_ready_when_all_its_containers_are);
    tcase_add_test(probes, liveness_kills_after_three_failures_with_the_pods_grace);
    tcase_add_test(probes, two_failures_of_liveness_do_not_kill);
    tcase_add_test(probes, a_restarted_container_has_its_initial_delay_again);
    tcase_add_test(probes, a_container_killed_by_liveness_again_and_again_backs_off);
    tcase_add_test(probes, a_restarted_container_must_start_up_again);
    tcase_add_test(probes, a_container_that_is_not_running_is_not_probed);
    tcase_add_test(probes, after_a_restart_the_startup_probe_comes_first_again);
    return probes;
}

static TCase *
termination_case(void)
{
    TCase *termination = tcase_create("termination");
    tcase_add_test(termination, a_deleted_pod_stops_its_containers_then_its_sandbox_then_goes);
    tcase_add_test(termination, a_container_that_ignores_the_signal_is_killed_after_the_grace);
    tcase_add_test(termination, a_pod_that_disappears_is_stopped_with_a_second_of_grace);
    tcase_add_test(termination, a_pod_is_stopped_once_however_often_it_is_told);
    tcase_add_test(termination, a_pod_deleted_while_it_mounts_starts_nothing);
    tcase_add_test(termination, a_pod_deleted_before_its_worker_begins_starts_nothing);
    tcase_add_test(termination, a_pod_deleted_while_its_sandbox_is_made_starts_no_container);
    tcase_add_test(termination, a_pod_deleted_while_its_container_starts_stops_it);
    tcase_add_test(termination,
                   a_pod_deleted_while_a_container_starts_stops_all_that_it_has_started);
    tcase_add_test(termination, a_pod_deleted_in_its_back_off_starts_nothing_more);
    tcase_add_test(termination, a_container_that_ends_by_itself_in_termination_is_not_restarted);
    tcase_add_test(termination, a_container_that_liveness_is_killing_is_not_killed_twice);
    tcase_add_test(termination, a_pod_that_is_gone_is_forgotten);
    tcase_add_test(termination, a_sandbox_is_stopped_when_it_has_been_made);
    tcase_add_test(termination, a_start_that_fails_in_termination_does_not_keep_the_pod);
    tcase_add_test(termination, a_container_that_was_starting_has_the_pods_grace_too);
    tcase_add_test(termination, a_forced_deletion_ends_the_grace);
    return termination;
}

int
main(void)
{
    Suite *suite = suite_create("kubelet");
    TCase *const cases[] = {coming_case(),    volumes_case(),    containers_case(),
                            crashes_case(),   probes_case(),     termination_case(),
                            beginning_case(), connection_case(), faults_case()};
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        tcase_add_checked_fixture(cases[i], setup, teardown);
        suite_add_tcase(suite, cases[i]);
    }
    TCase *addresses = tcase_create("addresses");
    tcase_add_checked_fixture(addresses, setup_unlimited, teardown);
    tcase_add_test(addresses, no_two_pods_share_an_address);
    suite_add_tcase(suite, addresses);
    suite_add_tcase(suite, node_case());
    return bench_run_suite(suite);
}
