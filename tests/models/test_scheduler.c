/* kube-scheduler: queue, cycle, bind, back-off. */
#include "models/k8s/scheduler.h"

#include "tests/models/step.h"

#define S NSEC_PER_SEC
#define MS NSEC_PER_MSEC
#define CYCLE (2 * MS)
#define BIND (8 * MS) /* until the API server's answer */

static Bench bench;
static const Labels no_labels;
static const Node nodes[] = {
    {.name = "a", .cpu = 1000, .memory = INT64_C(1) << 33, .pods = 110, .labels = &no_labels},
    {.name = "b", .cpu = 1000, .memory = INT64_C(1) << 33, .pods = 110, .labels = &no_labels},
};
static const Nodes two_nodes = {nodes, 2};
static uint64_t last_uid;

static enum { BINDS, REFUSES, IS_GONE } api; /* how the API server answers a bind */

static void
answer(Bench *self, const Done *done)
{
    if (bench_is(done, ACTION_CALL, MESSAGE_API_STATUS)) {
        bench_reply_later(self, done, BIND, message_ok());
    }
    if (!bench_is(done, ACTION_CALL, MESSAGE_API_BIND)) {
        return;
    }
    if (api == BINDS) {
        const ApiObject *bound = api_message_object(done->action.message);
        bench_reply_later(self, done, BIND,
                          api_message(MESSAGE_API_OBJECT, api_object_ref((ApiObject *)bound)));
    } else if (api == REFUSES) {
        bench_reply_later(self, done, BIND, message_error("refused"));
    } else {
        bench_later(
            self, done->leaves + BIND,
            &(Input){.kind = INPUT_FAILURE, .tag = done->action.tag, .failure = FAILURE_DEADLINE},
            NULL);
    }
}

static void
begin(const char *cycle)
{
    bench_init(&bench, COMPONENT_SCHEDULER, "a");
    bench_set(&bench, "scheduler.cycle", cycle);
    bench.respond = answer;
    api = BINDS;
    last_uid = 0;
    bench_start(&bench, scheduler_new(&bench.info, &two_nodes));
}

static void
setup(void)
{
    begin("2ms");
}

static void
setup_without_cycle_time(void)
{
    begin("0s");
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
    pod->version = last_uid;
    return pod;
}

static ApiObject *
requesting(const char *cpu)
{
    g_autofree char *spec = g_strdup_printf("  containers: [{name: c, image: i:1, resources: "
                                            "{requests: {cpu: %s}}}]\n",
                                            cpu);
    return new_pod(spec);
}

static ApiObject *
add(ApiObject *pod)
{
    bench_event(&bench, WATCH_ADDED, pod);
    return pod;
}

/* A Pod that somebody else has put on a node. */
static ApiObject *
add_bound(ApiObject *pod, const char *node)
{
    pod->node = g_strdup(node);
    return add(pod);
}

static void
leave(ApiObject *pod)
{
    bench_event(&bench, WATCH_DELETED, pod);
}

/* Two Pods that fill both nodes: nothing with requests fits any more. */
static ApiObject *filling[2];

static void
fill_nodes(void)
{
    filling[0] = add_bound(requesting("1"), "a");
    filling[1] = add_bound(requesting("1"), "b");
}

/* ---- what was done ---- */

static const Done *
bind_of(const ApiObject *pod)
{
    for (guint i = bench_calls(&bench, MESSAGE_API_BIND); i > 0; i--) {
        const Done *call = bench_call(&bench, MESSAGE_API_BIND, i - 1);
        if (api_message_object(call->action.message)->uid == pod->uid) {
            return call;
        }
    }
    return NULL;
}

static const char *
node_of(const ApiObject *pod)
{
    const Done *call = bind_of(pod);
    return call != NULL ? api_message_object(call->action.message)->node : "none";
}

static guint
n_refusals(void)
{
    return bench_calls(&bench, MESSAGE_API_STATUS);
}

/* When the Pods were found to fit nowhere, for the n-th time (from 0). */
static nsec_t
refused_at(guint n)
{
    return bench_call(&bench, MESSAGE_API_STATUS, n)->at;
}

/* ---- cycles ---- */

START_TEST(it_watches_all_pods)
{
    const Done *open = bench_nth(&bench, ACTION_OPEN, MESSAGE_API_WATCH, 0);
    const ApiQuery *query = (const ApiQuery *)open->action.message;
    ck_assert_int_eq(query->kind, OBJECT_POD);
    ck_assert_ptr_null(query->ns);
    ck_assert_ptr_null(query->node);
    ck_assert_int_eq(open->action.flags, CALL_PLAIN);
}
END_TEST

START_TEST(a_pod_is_bound_after_one_cycle)
{
    const ApiObject *pod = add(new_pod(NULL));
    bench_run_for(&bench, CYCLE - 1);
    ck_assert_ptr_null(bind_of(pod));
    bench_run_for(&bench, 1);
    ck_assert_str_eq(node_of(pod), "a");
    ck_assert_str_eq(bind_of(pod)->action.address, API_ADDRESS);
    ck_assert_int_eq(bind_of(pod)->leaves, CYCLE);
    ck_assert_int_eq(bind_of(pod)->action.flags, CALL_PLAIN);
}
END_TEST

START_TEST(pods_are_placed_one_at_a_time_in_the_order_they_came)
{
    ApiObject *pods[3];
    for (guint i = 0; i < 3; i++) {
        pods[i] = add(new_pod(NULL));
    }
    bench_run_for(&bench, S);
    for (guint i = 0; i < 3; i++) {
        ck_assert_int_eq(bind_of(pods[i])->at, (i + 1) * CYCLE);
    }
}
END_TEST

START_TEST(a_pod_that_comes_during_a_cycle_waits_for_its_end)
{
    add(new_pod(NULL));
    bench_run_for(&bench, CYCLE / 2);
    const ApiObject *second = add(new_pod(NULL));
    bench_run_for(&bench, S);
    ck_assert_int_eq(bind_of(second)->at, 2 * CYCLE);
}
END_TEST

START_TEST(a_pod_counts_on_its_node_before_the_bind_is_answered)
{
    const ApiObject *first = add(requesting("600m"));
    const ApiObject *second = add(requesting("600m"));
    const ApiObject *third = add(requesting("600m"));
    bench_run_for(&bench, 3 * CYCLE); /* no answer has come yet */
    ck_assert_str_eq(node_of(first), "a");
    ck_assert_str_eq(node_of(second), "b");
    ck_assert_ptr_null(bind_of(third));
    ck_assert_uint_eq(n_refusals(), 1);
}
END_TEST

START_TEST(a_pod_with_a_node_counts_there_and_is_never_placed)
{
    const ApiObject *other = add_bound(requesting("600m"), "a");
    const ApiObject *pod = add(requesting("600m"));
    bench_run_for(&bench, S);
    ck_assert_ptr_null(bind_of(other));
    ck_assert_str_eq(node_of(pod), "b");
}
END_TEST

START_TEST(the_pod_counts_once_though_its_bind_is_told_again)
{
    ApiObject *first = add(requesting("400m"));
    bench_run_for(&bench, S);
    ApiObject *bound = bench_copy(&bench, first);
    bound->node = g_strdup("a");
    bench_event(&bench, WATCH_MODIFIED, bound);
    const ApiObject *second = add(requesting("400m"));
    add_bound(requesting("1"), "b");
    bench_run_for(&bench, S);
    ck_assert_str_eq(node_of(second), "a");
}
END_TEST

START_TEST(a_daemon_sets_pod_goes_to_its_node)
{
    ApiObject *pod = new_pod(NULL);
    pod->affinity_node = g_strdup("b");
    add(pod);
    bench_run_for(&bench, S);
    ck_assert_str_eq(node_of(pod), "b");
}
END_TEST

START_TEST(news_of_a_waiting_pod_do_not_queue_it_twice)
{
    ApiObject *pod = add(new_pod(NULL));
    bench_event(&bench, WATCH_MODIFIED, bench_copy(&bench, pod));
    bench_run_for(&bench, S);
    ck_assert_uint_eq(bench_calls(&bench, MESSAGE_API_BIND), 1);
}
END_TEST

START_TEST(a_pod_deleted_in_the_queue_or_in_its_cycle_is_not_bound)
{
    ApiObject *first = add(new_pod(NULL));
    ApiObject *second = add(new_pod(NULL));
    bench_run_for(&bench, CYCLE / 2);
    leave(first);
    leave(second);
    const ApiObject *third = add(new_pod(NULL));
    bench_run_for(&bench, S);
    ck_assert_ptr_null(bind_of(first));
    ck_assert_ptr_null(bind_of(second));
    ck_assert_int_eq(bind_of(third)->at, 2 * CYCLE);
}
END_TEST

/* 50 requests/s, burst 100 (FACTS 3.3). */
START_TEST(after_100_binds_the_client_sends_50_a_second)
{
    for (guint i = 0; i < 160; i++) {
        add(new_pod(NULL));
    }
    bench_run_until(&bench, 0);
    ck_assert_uint_eq(bench_calls(&bench, MESSAGE_API_BIND), 160);
    ck_assert_int_eq(bench_call(&bench, MESSAGE_API_BIND, 99)->leaves, 0);
    ck_assert_int_eq(bench_call(&bench, MESSAGE_API_BIND, 100)->leaves, 20 * MS);
    ck_assert_int_eq(bench_call(&bench, MESSAGE_API_BIND, 159)->leaves, 1200 * MS);
}
END_TEST

START_TEST(complaints_are_sent_by_the_same_client)
{
    for (guint i = 0; i < 110; i++) {
        add(requesting("1001m"));
    }
    bench_run_until(&bench, 0);
    ck_assert_int_eq(bench_call(&bench, MESSAGE_API_STATUS, 99)->leaves, 0);
    ck_assert_int_eq(bench_call(&bench, MESSAGE_API_STATUS, 109)->leaves, 200 * MS);
}
END_TEST

/* ---- Pods that fit nowhere ---- */

START_TEST(a_pod_that_fits_nowhere_says_why)
{
    ApiObject *pod = requesting("1001m");
    add(pod);
    bench_run_for(&bench, CYCLE);
    const ApiObject *told =
        api_message_object(bench_call(&bench, MESSAGE_API_STATUS, 0)->action.message);
    ck_assert_uint_eq(told->uid, pod->uid);
    ck_assert_str_eq(told->status.message, "0/2 nodes are available: 2 Insufficient cpu.");
    ck_assert(!told->status.scheduled);
    ck_assert_ptr_null(told->node);
    ck_assert_int_eq(bench_call(&bench, MESSAGE_API_STATUS, 0)->action.flags, CALL_PLAIN);
}
END_TEST

START_TEST(a_pod_that_fits_nowhere_does_not_hold_up_others)
{
    add(requesting("1001m"));
    const ApiObject *second = add(new_pod(NULL));
    bench_run_for(&bench, 2 * CYCLE);
    ck_assert_ptr_nonnull(bind_of(second));
}
END_TEST

START_TEST(it_is_tried_again_when_a_pod_is_deleted)
{
    fill_nodes();
    const ApiObject *pod = add(requesting("600m"));
    bench_run_for(&bench, CYCLE);
    leave(filling[1]);
    bench_run_for(&bench, 2 * S);
    ck_assert_str_eq(node_of(pod), "b");
    ck_assert_uint_eq(n_refusals(), 1);
}
END_TEST

START_TEST(others_that_are_bound_meanwhile_do_not_hide_it)
{
    fill_nodes();
    const ApiObject *pod = add(requesting("600m"));
    add(new_pod(NULL)); /* is bound */
    bench_run_for(&bench, S);
    leave(filling[1]);
    bench_run_for(&bench, 2 * S);
    ck_assert_str_eq(node_of(pod), "b");
}
END_TEST

START_TEST(it_is_tried_again_when_a_pod_has_finished)
{
    fill_nodes();
    const ApiObject *pod = add(requesting("600m"));
    bench_run_for(&bench, CYCLE);
    ApiObject *finished = bench_copy(&bench, filling[0]);
    finished->status.finished = true;
    bench_event(&bench, WATCH_MODIFIED, finished);
    bench_run_for(&bench, 2 * S);
    ck_assert_str_eq(node_of(pod), "a");
}
END_TEST

/* A deletion that frees nothing, told at the instant of each failure: what is left is back-off. */
START_TEST(each_failure_doubles_the_back_off_from_1_to_10_s)
{
    static const nsec_t expected[] = {1 * S, 2 * S, 4 * S, 8 * S, 10 * S, 10 * S, 10 * S};
    ApiObject *other = add_bound(new_pod(NULL), "a");
    add(requesting("1001m"));
    bench_run_for(&bench, CYCLE);
    for (guint i = 0; i < G_N_ELEMENTS(expected); i++) {
        ck_assert_uint_eq(n_refusals(), i + 1);
        bench.now = refused_at(i);
        leave(other);
        bench_run_for(&bench, expected[i] + CYCLE - 1);
        ck_assert_uint_eq(n_refusals(), i + 1);
        bench_run_for(&bench, 1);
        ck_assert_uint_eq(n_refusals(), i + 2);
    }
}
END_TEST

/* The back-off counts from the failure (scheduling_queue.go getBackoffTime: Timestamp + duration):
 * a Pod that has waited longer goes straight to the active queue. */
START_TEST(who_has_waited_out_its_back_off_is_tried_at_once)
{
    fill_nodes();
    const ApiObject *pod = add(requesting("600m"));
    bench_run_until(&bench, 5 * S);
    leave(filling[1]);
    bench_run_for(&bench, CYCLE);
    ck_assert_str_eq(node_of(pod), "b");
}
END_TEST

/* The same, with a part of the back-off left. */
START_TEST(who_has_waited_some_of_its_back_off_waits_for_the_rest)
{
    fill_nodes();
    const ApiObject *pod = add(requesting("600m"));
    bench_run_for(&bench, CYCLE + 600 * MS);
    leave(filling[1]);
    bench_run_until(&bench, 2 * CYCLE + S);
    ck_assert_str_eq(node_of(pod), "b");
}
END_TEST

/* The flush comes every 30 s and takes Pods that have waited for more than 60 s (FACTS 3.3). */
START_TEST(without_news_it_is_tried_again_between_60_and_102_s)
{
    add(requesting("1001m"));
    bench_run_until(&bench, 60 * S);
    ck_assert_uint_eq(n_refusals(), 1);
    bench_run_until(&bench, 102 * S);
    ck_assert_uint_eq(n_refusals(), 2);
}
END_TEST

/* Returns how often the Pod was refused. */
static guint
n_refusals_of(const ApiObject *pod)
{
    guint n = 0;
    for (guint i = 0; i < n_refusals(); i++) {
        const Done *call = bench_call(&bench, MESSAGE_API_STATUS, i);
        n += api_message_object(call->action.message)->uid == pod->uid;
    }
    return n;
}

START_TEST(the_flush_comes_every_30_s_whoever_else_waits)
{
    const ApiObject *pods[5];
    for (guint i = 0; i < G_N_ELEMENTS(pods); i++) {
        pods[i] = add(requesting("1001m"));
        bench_run_for(&bench, i == 0 ? 1 * S : 25 * S);
    }
    ck_assert_uint_ge(n_refusals_of(pods[0]), 2); /* at 101 s */
    ck_assert_uint_eq(n_refusals_of(pods[4]), 1);
    bench_run_until(&bench, 1 * S + 102 * S);
    ck_assert_uint_ge(n_refusals_of(pods[1]), 2);
}
END_TEST

START_TEST(the_flush_goes_on_while_a_pod_waits)
{
    add(requesting("1001m"));
    bench_run_until(&bench, 600 * S);
    ck_assert_uint_ge(n_refusals(), 6);
    ck_assert_uint_le(n_refusals(), 10);
}
END_TEST

START_TEST(when_no_pod_waits_nothing_is_due)
{
    ApiObject *pod = add(requesting("1001m"));
    bench_run_until(&bench, 10 * S);
    leave(pod);
    bench_run_until(&bench, 100 * S);
    ck_assert_int_eq(bench_next_at(&bench), NSEC_NEVER);
    ck_assert_uint_eq(n_refusals(), 1);
}
END_TEST

#define NEAR_FIREWALL                                                                              \
    BENCH_CONTAINER                                                                                \
    "  affinity: {podAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: "   \
    "kubernetes.io/hostname, labelSelector: {matchLabels: {app: fw}}}]}}\n"

/* Returns a bound Pod with the label app=fw. */
static ApiObject *
firewall(void)
{
    ApiObject *pod = bench_object(&bench, "apiVersion: v1\nkind: Pod\n"
                                          "metadata: {name: fw, labels: {app: fw}}\n"
                                          "spec: {containers: [{name: c, image: i:1}]}\n");
    pod->uid = 1000;
    return pod;
}

START_TEST(a_pod_that_arrives_wakes_those_who_like_company)
{
    const ApiObject *pod = add(new_pod(NEAR_FIREWALL));
    bench_run_for(&bench, CYCLE);
    ck_assert_uint_eq(n_refusals(), 1);
    add_bound(firewall(), "b");
    bench_run_for(&bench, 2 * S);
    ck_assert_str_eq(node_of(pod), "b");
}
END_TEST

START_TEST(a_pod_that_arrives_wakes_no_others)
{
    add(requesting("1001m"));
    bench_run_for(&bench, CYCLE);
    add_bound(firewall(), "b");
    bench_run_for(&bench, 20 * S);
    ck_assert_uint_eq(n_refusals(), 1);
}
END_TEST

START_TEST(waiting_pods_wake_in_the_order_they_came)
{
    ApiObject *pods[20];
    ApiObject *other = add_bound(new_pod(NULL), "a");
    for (guint i = 0; i < G_N_ELEMENTS(pods); i++) {
        pods[i] = add(requesting("1001m"));
    }
    bench_run_for(&bench, S);
    bench_forget(&bench);
    leave(other);
    bench_run_for(&bench, 2 * S);
    ck_assert_uint_eq(n_refusals(), G_N_ELEMENTS(pods));
    for (guint i = 0; i < G_N_ELEMENTS(pods); i++) {
        const Done *call = bench_call(&bench, MESSAGE_API_STATUS, i);
        ck_assert_uint_eq(api_message_object(call->action.message)->uid, pods[i]->uid);
    }
}
END_TEST

/* ---- binds that fail ---- */

START_TEST(a_refused_bind_gives_the_place_back)
{
    api = REFUSES;
    const ApiObject *first = add(requesting("600m"));
    bench_run_for(&bench, CYCLE + BIND);
    ck_assert_str_eq(node_of(first), "a");
    add_bound(requesting("1"), "b");
    const ApiObject *second = add(requesting("600m"));
    bench_run_for(&bench, CYCLE);
    ck_assert_str_eq(node_of(second), "a");
}
END_TEST

START_TEST(a_refused_bind_is_tried_again_after_the_back_off)
{
    api = REFUSES;
    add(new_pod(NULL));
    bench_run_for(&bench, CYCLE + BIND + S + CYCLE - 1);
    ck_assert_uint_eq(bench_calls(&bench, MESSAGE_API_BIND), 1);
    bench_run_for(&bench, 1);
    ck_assert_uint_eq(bench_calls(&bench, MESSAGE_API_BIND), 2);
    bench_run_for(&bench, BIND + 2 * S + CYCLE - 1);
    ck_assert_uint_eq(bench_calls(&bench, MESSAGE_API_BIND), 2);
    bench_run_for(&bench, 1);
    ck_assert_uint_eq(bench_calls(&bench, MESSAGE_API_BIND), 3);
}
END_TEST

START_TEST(a_pod_bound_at_the_second_try_counts_on_its_node)
{
    api = REFUSES;
    const ApiObject *first = add(requesting("600m"));
    bench_run_for(&bench, CYCLE + BIND);
    api = BINDS;
    bench_run_for(&bench, 2 * S);
    ck_assert_str_eq(node_of(first), "a");
    ck_assert_uint_eq(bench_calls(&bench, MESSAGE_API_BIND), 2);
    const ApiObject *second = add(requesting("600m"));
    bench_run_for(&bench, S);
    ck_assert_str_eq(node_of(second), "b");
}
END_TEST

START_TEST(a_bind_without_an_answer_is_tried_again)
{
    api = IS_GONE;
    add(new_pod(NULL));
    bench_run_for(&bench, 2 * S);
    ck_assert_uint_eq(bench_calls(&bench, MESSAGE_API_BIND), 2);
}
END_TEST

START_TEST(a_pod_deleted_while_it_is_bound_gives_its_place_back)
{
    ApiObject *first = add(requesting("600m"));
    bench_run_for(&bench, CYCLE);
    leave(first);
    bench_run_for(&bench, BIND);
    add_bound(requesting("1"), "b");
    const ApiObject *second = add(requesting("600m"));
    bench_run_for(&bench, S);
    ck_assert_str_eq(node_of(second), "a");
    ck_assert_int_eq(bench_next_at(&bench), NSEC_NEVER);
}
END_TEST

/* Watchers "never act on an older [version] than they
 * know" (api.h). */
START_TEST(an_old_snapshot_does_not_queue_a_bound_pod)
{
    ApiObject *pod = add(new_pod(NULL));
    bench_run_for(&bench, S);
    bench_event(&bench, WATCH_MODIFIED, pod);
    bench_run_for(&bench, S);
    ck_assert_uint_eq(bench_calls(&bench, MESSAGE_API_BIND), 1);
}
END_TEST

/* ---- nodes that change ---- */

static uint64_t last_version = 1000;

/* A newer snapshot of node "a" or "b", to be changed and told. */
static ApiObject *
node_object(const char *name)
{
    ApiObject *node = api_object_new(OBJECT_NODE, "", name);
    g_ptr_array_add(bench.objects, node);
    node->uid = g_str_equal(name, "a") ? 501 : 502;
    node->version = ++last_version;
    return node;
}

static void
cordon(const char *name, bool cordoned)
{
    ApiObject *node = node_object(name);
    node->node_condition.unschedulable = cordoned;
    bench_event(&bench, WATCH_MODIFIED, node);
}

static void
lose(const char *name, bool lost)
{
    ApiObject *node = node_object(name);
    node->node_condition.unreachable = lost;
    bench_event(&bench, WATCH_MODIFIED, node);
}

static void
taint(const char *name, const char *key, const char *effect)
{
    ApiObject *node = node_object(name);
    node->node_condition.taint_key = g_strdup(key);
    node->node_condition.taint_effect = g_strdup(effect);
    bench_event(&bench, WATCH_MODIFIED, node);
}

static const char *
refusal(void)
{
    const Done *call = bench_last(&bench, ACTION_CALL, MESSAGE_API_STATUS);
    return api_message_object(call->action.message)->status.message;
}

START_TEST(it_watches_nodes)
{
    const Done *open = bench_nth(&bench, ACTION_OPEN, MESSAGE_API_WATCH, 1);
    ck_assert_int_eq(((const ApiQuery *)open->action.message)->kind, OBJECT_NODE);
}
END_TEST

START_TEST(a_cordoned_node_takes_no_pods)
{
    cordon("a", true);
    const ApiObject *pod = add(new_pod(NULL));
    bench_run_for(&bench, S);
    ck_assert_str_eq(node_of(pod), "b");
    cordon("b", true);
    add(new_pod(NULL));
    bench_run_for(&bench, S);
    ck_assert_str_eq(refusal(), "0/2 nodes are available: 2 node(s) were unschedulable.");
}
END_TEST

START_TEST(an_unreachable_node_takes_no_pods)
{
    lose("a", true);
    lose("b", true);
    const ApiObject *tolerant = add(new_pod("  tolerations: [{key: node.kubernetes.io/unreachable, "
                                            "operator: Exists}]\n" BENCH_CONTAINER));
    bench_run_for(&bench, S);
    ck_assert_str_eq(node_of(tolerant), "a");
    add(new_pod(NULL));
    bench_run_for(&bench, S);
    ck_assert_str_eq(refusal(), "0/2 nodes are available: 2 node(s) had untolerated taint "
                                "{node.kubernetes.io/unreachable: }.");
}
END_TEST

START_TEST(an_operators_taint_keeps_pods_away)
{
    taint("a", "repair", "NoSchedule");
    taint("b", "repair", "NoExecute");
    const ApiObject *tolerant = add(new_pod(
        "  tolerations: [{key: repair, operator: Exists, effect: NoExecute}]\n" BENCH_CONTAINER));
    bench_run_for(&bench, S);
    ck_assert_str_eq(node_of(tolerant), "b");
    add(new_pod(NULL));
    bench_run_for(&bench, S);
    ck_assert_str_eq(refusal(),
                     "0/2 nodes are available: 2 node(s) had untolerated taint {repair: }.");
}
END_TEST

START_TEST(a_soft_taint_of_an_operator_is_avoided)
{
    taint("a", "repair", "PreferNoSchedule");
    const ApiObject *pod = add(new_pod(NULL));
    bench_run_for(&bench, S);
    ck_assert_str_eq(node_of(pod), "b");
}
END_TEST

START_TEST(a_daemon_sets_pod_minds_neither_cordon_nor_lost_lease)
{
    ApiObject *node = node_object("b");
    node->node_condition.unschedulable = node->node_condition.unreachable = true;
    bench_event(&bench, WATCH_MODIFIED, node);
    ApiObject *pod = new_pod(NULL);
    pod->affinity_node = g_strdup("b");
    add(pod);
    bench_run_for(&bench, S);
    ck_assert_str_eq(node_of(pod), "b");
}
END_TEST

START_TEST(a_node_that_takes_pods_again_wakes_those_who_wait)
{
    cordon("a", true);
    cordon("b", true);
    const ApiObject *pod = add(new_pod(NULL));
    bench_run_for(&bench, 5 * S);
    ck_assert_str_eq(node_of(pod), "none");
    cordon("b", false);
    bench_run_for(&bench, CYCLE);
    ck_assert_str_eq(node_of(pod), "b");
}
END_TEST

START_TEST(news_of_a_node_without_change_wake_nobody)
{
    cordon("a", true);
    cordon("b", true);
    add(new_pod(NULL));
    bench_run_for(&bench, 5 * S);
    guint n = n_refusals();
    cordon("b", true);
    bench_run_for(&bench, S);
    ck_assert_uint_eq(n_refusals(), n);
}
END_TEST

#define PORT                                                                                       \
    "  containers: [{name: c, image: i:1, ports: [{containerPort: 5001, hostPort: 5001}]}]\n"

/* The registry's own case: the replacement waits until the old Pod is gone, not only leaving. */
START_TEST(a_host_port_is_free_when_the_old_pod_is_gone)
{
    cordon("b", true);
    ApiObject *old = add_bound(new_pod(PORT), "a");
    ApiObject *leaving = bench_copy(&bench, old);
    leaving->deleting = true;
    bench_event(&bench, WATCH_MODIFIED, leaving);
    const ApiObject *next = add(new_pod(PORT));
    bench_run_for(&bench, 20 * S);
    ck_assert_str_eq(node_of(next), "none");
    leave(leaving);
    bench_run_for(&bench, CYCLE);
    ck_assert_str_eq(node_of(next), "a");
}
END_TEST

START_TEST(a_pod_that_went_while_the_watch_was_broken_frees_its_node)
{
    fill_nodes();
    const ApiObject *pod = add(requesting("600m"));
    bench_run_for(&bench, 5 * S);
    bench_step(&bench, (Input){.kind = INPUT_CLOSED, .tag = 1});
    bench_run_for(&bench, S);
    ck_assert_uint_eq(bench_count(&bench, ACTION_OPEN, MESSAGE_API_WATCH), 3);
    bench_event(&bench, WATCH_ADDED, filling[0]);
    bench_event(&bench, WATCH_ADDED, (ApiObject *)pod);
    bench_event(&bench, WATCH_SYNCED, NULL);
    bench_run_for(&bench, CYCLE);
    ck_assert_str_eq(node_of(pod), "b");
    ck_assert_uint_eq(bench_calls(&bench, MESSAGE_API_BIND), 1);
}
END_TEST

static TCase *
nodes_case(void)
{
    TCase *changes = tcase_create("nodes");
    tcase_add_checked_fixture(changes, setup, teardown);
    tcase_add_test(changes, it_watches_nodes);
    tcase_add_test(changes, a_cordoned_node_takes_no_pods);
    tcase_add_test(changes, an_unreachable_node_takes_no_pods);
    tcase_add_test(changes, an_operators_taint_keeps_pods_away);
    tcase_add_test(changes, a_soft_taint_of_an_operator_is_avoided);
    tcase_add_test(changes, a_daemon_sets_pod_minds_neither_cordon_nor_lost_lease);
    tcase_add_test(changes, a_node_that_takes_pods_again_wakes_those_who_wait);
    tcase_add_test(changes, news_of_a_node_without_change_wake_nobody);
    tcase_add_test(changes, a_host_port_is_free_when_the_old_pod_is_gone);
    tcase_add_test(changes, a_pod_that_went_while_the_watch_was_broken_frees_its_node);
    return changes;
}

int
main(void)
{
    Suite *suite = suite_create("scheduler");
    TCase *cycles = tcase_create("cycles");
    tcase_add_checked_fixture(cycles, setup, teardown);
    tcase_add_test(cycles, it_watches_all_pods);
    tcase_add_test(cycles, a_pod_is_bound_after_one_cycle);
    tcase_add_test(cycles, pods_are_placed_one_at_a_time_in_the_order_they_came);
    tcase_add_test(cycles, a_pod_that_comes_during_a_cycle_waits_for_its_end);
    tcase_add_test(cycles, a_pod_counts_on_its_node_before_the_bind_is_answered);
    tcase_add_test(cycles, a_pod_with_a_node_counts_there_and_is_never_placed);
    tcase_add_test(cycles, the_pod_counts_once_though_its_bind_is_told_again);
    tcase_add_test(cycles, a_daemon_sets_pod_goes_to_its_node);
    tcase_add_test(cycles, news_of_a_waiting_pod_do_not_queue_it_twice);
    tcase_add_test(cycles, a_pod_deleted_in_the_queue_or_in_its_cycle_is_not_bound);
    suite_add_tcase(suite, cycles);
    TCase *client = tcase_create("client");
    tcase_add_checked_fixture(client, setup_without_cycle_time, teardown);
    tcase_add_test(client, after_100_binds_the_client_sends_50_a_second);
    tcase_add_test(client, complaints_are_sent_by_the_same_client);
    suite_add_tcase(suite, client);
    TCase *waiting = tcase_create("waiting");
    tcase_add_checked_fixture(waiting, setup, teardown);
    tcase_add_test(waiting, a_pod_that_fits_nowhere_says_why);
    tcase_add_test(waiting, a_pod_that_fits_nowhere_does_not_hold_up_others);
    tcase_add_test(waiting, it_is_tried_again_when_a_pod_is_deleted);
    tcase_add_test(waiting, others_that_are_bound_meanwhile_do_not_hide_it);
    tcase_add_test(waiting, it_is_tried_again_when_a_pod_has_finished);
    tcase_add_test(waiting, each_failure_doubles_the_back_off_from_1_to_10_s);
    tcase_add_test(waiting, who_has_waited_out_its_back_off_is_tried_at_once);
    tcase_add_test(waiting, who_has_waited_some_of_its_back_off_waits_for_the_rest);
    tcase_add_test(waiting, without_news_it_is_tried_again_between_60_and_102_s);
    tcase_add_test(waiting, the_flush_comes_every_30_s_whoever_else_waits);
    tcase_add_test(waiting, the_flush_goes_on_while_a_pod_waits);
    tcase_add_test(waiting, when_no_pod_waits_nothing_is_due);
    tcase_add_test(waiting, a_pod_that_arrives_wakes_those_who_like_company);
    tcase_add_test(waiting, a_pod_that_arrives_wakes_no_others);
    tcase_add_test(waiting, waiting_pods_wake_in_the_order_they_came);
    suite_add_tcase(suite, waiting);
    TCase *failing = tcase_create("failing binds");
    tcase_add_checked_fixture(failing, setup, teardown);
    tcase_add_test(failing, a_refused_bind_gives_the_place_back);
    tcase_add_test(failing, a_refused_bind_is_tried_again_after_the_back_off);
    tcase_add_test(failing, a_pod_bound_at_the_second_try_counts_on_its_node);
    tcase_add_test(failing, a_bind_without_an_answer_is_tried_again);
    tcase_add_test(failing, a_pod_deleted_while_it_is_bound_gives_its_place_back);
    tcase_add_test(failing, an_old_snapshot_does_not_queue_a_bound_pod);
    suite_add_tcase(suite, failing);
    suite_add_tcase(suite, nodes_case());
    return bench_run_suite(suite);
}
