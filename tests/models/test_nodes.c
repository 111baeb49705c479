/* The node lifecycle controller: leases, marks, taints and the time that Pods stay.
 *
 * The API server here holds Node objects and their leases, and the Pods that a test gives it; what
 * the controller writes comes back as an event. */
#include "models/k8s/controllers.h"

#include "tests/models/step.h"

#define S NSEC_PER_SEC
#define N_NODES 2

static Bench bench;
static Node nodes[N_NODES];
static const Labels no_labels;
static Nodes cluster;
static uint64_t last_uid;
static uint64_t last_version;
static ApiObject *known_nodes[N_NODES]; /* references of the bench */
static bool renews[N_NODES];
static bool down; /* the API server does not answer */

static void
clear_objects(Message *message)
{
    g_ptr_array_unref(((ApiList *)message)->objects);
}

static ApiList *
leases(Bench *self)
{
    ApiList *list = message_new(MESSAGE_API_OBJECTS, sizeof *list, clear_objects);
    list->objects = g_ptr_array_new_with_free_func((GDestroyNotify)api_object_unref);
    for (guint i = 0; i < N_NODES; i++) {
        if (renews[i]) {
            known_nodes[i]->renewed = self->now;
        }
        g_ptr_array_add(list->objects, api_object_copy(known_nodes[i]));
    }
    return list;
}

static ApiObject *
change(const ApiObject *object)
{
    ApiObject *next = bench_copy(&bench, object);
    next->version = ++last_version;
    return next;
}

static ApiObject *
tell(ApiObject *object)
{
    bench_event(&bench, WATCH_MODIFIED, object);
    return object;
}

static void
store_status(Bench *self, const Done *done)
{
    ApiObject *next = change(api_message_object(done->action.message));
    for (guint i = 0; i < N_NODES; i++) {
        if (next->kind == OBJECT_NODE && g_str_equal(next->name, known_nodes[i]->name)) {
            known_nodes[i] = next;
        }
    }
    bench_later(self, done->leaves, &(Input){.kind = INPUT_EVENT, .tag = 1},
                api_event_new(WATCH_MODIFIED, next));
    bench_reply_later(self, done, 0, message_ok());
}

static void
answer(Bench *self, const Done *done)
{
    if (down) {
        return;
    }
    if (bench_is(done, ACTION_CALL, MESSAGE_API_LIST)) {
        bench_reply_later(self, done, 0, leases(self));
    } else if (bench_is(done, ACTION_CALL, MESSAGE_API_STATUS)) {
        store_status(self, done);
    } else if (bench_is(done, ACTION_CALL, MESSAGE_API_DELETE)) {
        bench_reply_later(self, done, 0, message_ok());
    } else if (bench_is(done, ACTION_CALL, MESSAGE_API_CREATE)) {
        ApiObject *object = change(api_message_object(done->action.message));
        object->uid = ++last_uid;
        bench_reply_later(self, done, 0, api_message(MESSAGE_API_OBJECT, api_object_ref(object)));
    }
}

static void
setup(void)
{
    static const char *const names[] = {"node-0", "node-1"};
    bench_init(&bench, COMPONENT_CONTROLLERS, "node-0");
    bench_set(&bench, "controllers.sync", "5ms");
    bench.respond = answer;
    last_uid = last_version = 0;
    down = false;
    cluster = (Nodes){nodes, N_NODES};
    for (guint i = 0; i < N_NODES; i++) {
        nodes[i] = (Node){.name = names[i],
                          .cpu = 4000,
                          .memory = INT64_C(1) << 33,
                          .pods = 110,
                          .labels = &no_labels};
    }
    bench_start(&bench, controllers_new(&bench.info, &cluster));
    for (guint i = 0; i < N_NODES; i++) {
        known_nodes[i] = api_object_new(OBJECT_NODE, "", names[i]);
        g_ptr_array_add(bench.objects, known_nodes[i]);
        known_nodes[i]->uid = ++last_uid;
        known_nodes[i]->version = ++last_version;
        renews[i] = true;
        bench_event(&bench, WATCH_ADDED, known_nodes[i]);
    }
}

static void
teardown(void)
{
    bench_clear(&bench);
}

/* A ready Pod on node-1. */
static ApiObject *
pod_there(const char *spec)
{
    g_autofree char *name = g_strdup_printf("p%u", (guint)last_uid + 1);
    ApiObject *pod = bench_pod(&bench, name, spec);
    pod->uid = ++last_uid;
    pod->version = ++last_version;
    pod->node = g_strdup("node-1");
    pod->status.ready = true;
    bench_event(&bench, WATCH_ADDED, pod);
    return pod;
}

/* When its deletion was asked for; NSEC_NEVER: it was not. */
static nsec_t
deleted_at(const ApiObject *pod)
{
    for (guint i = 0; i < bench_calls(&bench, MESSAGE_API_DELETE); i++) {
        const Done *call = bench_call(&bench, MESSAGE_API_DELETE, i);
        if (((const ApiQuery *)call->action.message)->uid == pod->uid) {
            return call->leaves;
        }
    }
    return NSEC_NEVER;
}

static nsec_t
marked_at(TraceMark mark)
{
    const Done *done = bench_mark(&bench, mark, "node-1");
    return done != NULL ? done->at : NSEC_NEVER;
}

/* Its kubelet is gone from 100 s on; gives the time at which that was noticed. */
static nsec_t
lose_node(void)
{
    bench_run_until(&bench, 100 * S);
    renews[1] = false;
    bench_run_until(&bench, 160 * S);
    return marked_at(TRACE_NODE_NOT_READY);
}

static void
operator_taints(const char *key, const char *effect)
{
    ApiObject *node = change(known_nodes[1]);
    g_free(node->node_condition.taint_key);
    g_free(node->node_condition.taint_effect);
    node->node_condition.taint_key = g_strdup(key);
    node->node_condition.taint_effect = g_strdup(effect);
    known_nodes[1] = tell(node);
}

START_TEST(leases_are_listed_every_5_s_by_one_request)
{
    bench_run_until(&bench, 100 * S);
    ck_assert_uint_eq(bench_calls(&bench, MESSAGE_API_LIST), 20);
    ck_assert_int_eq(bench_call(&bench, MESSAGE_API_LIST, 0)->at, 5 * S);
    ck_assert_ptr_null(bench_mark(&bench, TRACE_NODE_NOT_READY, NULL));
}
END_TEST

START_TEST(a_node_without_a_renewal_for_40_s_is_not_ready)
{
    nsec_t noticed = lose_node();
    ck_assert_int_eq(noticed, 145 * S); /* the first check after 100 s and 40 s */
    ck_assert(known_nodes[1]->node_condition.unreachable);
    ck_assert(!known_nodes[0]->node_condition.unreachable);
    bench_run_until(&bench, 400 * S);
    ck_assert_int_eq(marked_at(TRACE_NODE_NOT_READY), noticed);
}
END_TEST

START_TEST(its_pods_are_not_ready_any_more)
{
    const ApiObject *pod = pod_there(NULL);
    nsec_t noticed = lose_node();
    const Done *call = bench_last(&bench, ACTION_CALL, MESSAGE_API_STATUS);
    const ApiObject *marked = api_message_object(call->action.message);
    ck_assert_uint_eq(marked->uid, pod->uid);
    ck_assert(!marked->status.ready);
    ck_assert_int_eq(call->at, noticed);
}
END_TEST

START_TEST(after_300_s_more_its_pods_are_deleted)
{
    const ApiObject *pod = pod_there(NULL);
    nsec_t noticed = lose_node();
    bench_run_until(&bench, noticed + 300 * S - 1);
    ck_assert_int_eq(deleted_at(pod), NSEC_NEVER);
    bench_run_until(&bench, 3600 * S);
    ck_assert_int_eq(deleted_at(pod), noticed + 300 * S);
    ck_assert_uint_eq(bench_calls(&bench, MESSAGE_API_DELETE), 1);
    const Done *call = bench_call(&bench, MESSAGE_API_DELETE, 0);
    ck_assert_int_eq(((const ApiQuery *)call->action.message)->grace, 30 * S);
}
END_TEST

START_TEST(news_of_a_pod_do_not_lengthen_its_time)
{
    const ApiObject *pod = pod_there(NULL);
    nsec_t noticed = lose_node();
    bench_run_until(&bench, noticed + 100 * S);
    tell(change(pod));
    bench_run_until(&bench, 3600 * S);
    ck_assert_int_eq(deleted_at(pod), noticed + 300 * S);
}
END_TEST

START_TEST(a_pod_says_for_how_long_it_stays)
{
    const ApiObject *brief =
        pod_there("  tolerations: [{key: node.kubernetes.io/unreachable, operator: Exists, effect: "
                  "NoExecute, tolerationSeconds: 7}]\n" BENCH_CONTAINER);
    const ApiObject *faithful = pod_there("  tolerations: [{operator: Exists}]\n" BENCH_CONTAINER);
    nsec_t noticed = lose_node();
    bench_run_until(&bench, 3600 * S);
    ck_assert_int_eq(deleted_at(brief), noticed + 7 * S);
    ck_assert_int_eq(deleted_at(faithful), NSEC_NEVER);
}
END_TEST

START_TEST(a_daemon_sets_pod_stays)
{
    ApiObject *pod = change(pod_there(NULL));
    pod->affinity_node = g_strdup("node-1");
    tell(pod);
    lose_node();
    bench_run_until(&bench, 3600 * S);
    ck_assert_int_eq(deleted_at(pod), NSEC_NEVER);
}
END_TEST

START_TEST(a_renewed_lease_takes_it_all_back)
{
    const ApiObject *pod = pod_there(NULL);
    lose_node();
    bench_run_until(&bench, 201 * S);
    renews[1] = true;
    bench_run_until(&bench, 3600 * S);
    ck_assert_int_eq(marked_at(TRACE_NODE_READY), 205 * S);
    ck_assert(!known_nodes[1]->node_condition.unreachable);
    ck_assert_int_eq(deleted_at(pod), NSEC_NEVER);
}
END_TEST

START_TEST(the_time_begins_anew_when_the_node_is_lost_again)
{
    const ApiObject *pod = pod_there(NULL);
    nsec_t first = lose_node();
    bench_run_until(&bench, 201 * S);
    renews[1] = true;
    bench_run_until(&bench, 221 * S);
    renews[1] = false;
    bench_run_until(&bench, 3600 * S);
    nsec_t second = marked_at(TRACE_NODE_NOT_READY);
    ck_assert_int_gt(second, first + 100 * S);
    ck_assert_int_eq(deleted_at(pod), second + 300 * S);
}
END_TEST

START_TEST(a_pod_that_is_gone_is_not_deleted_again)
{
    ApiObject *pod = pod_there(NULL);
    nsec_t noticed = lose_node();
    bench_event(&bench, WATCH_DELETED, pod);
    bench_run_until(&bench, noticed + 3600 * S);
    ck_assert_int_eq(deleted_at(pod), NSEC_NEVER);
}
END_TEST

START_TEST(a_deletion_that_fails_is_repeated)
{
    const ApiObject *pod = pod_there(NULL);
    nsec_t noticed = lose_node();
    bench_run_until(&bench, noticed + 299 * S);
    down = true;
    bench_run_until(&bench, noticed + 301 * S);
    bench_fail(&bench, bench_call(&bench, MESSAGE_API_DELETE, 0)->action.tag, FAILURE_DEADLINE);
    bench_run_for(&bench, 5 * S);
    ck_assert_uint_eq(bench_calls(&bench, MESSAGE_API_DELETE), 2);
    ck_assert_int_ne(deleted_at(pod), NSEC_NEVER);
}
END_TEST

START_TEST(without_an_answer_nobody_is_declared_lost)
{
    bench_run_until(&bench, 100 * S);
    down = true;
    bench_run_until(&bench, 300 * S);
    ck_assert_ptr_null(bench_mark(&bench, TRACE_NODE_NOT_READY, NULL));
}
END_TEST

START_TEST(an_operators_no_execute_evicts_at_once)
{
    const ApiObject *pod = pod_there(NULL);
    const ApiObject *tolerant = pod_there(
        "  tolerations: [{key: repair, operator: Exists, effect: NoExecute, tolerationSeconds: "
        "60}]\n" BENCH_CONTAINER);
    bench_run_until(&bench, 50 * S);
    operator_taints("repair", "NoExecute");
    ck_assert_int_eq(deleted_at(pod), 50 * S);
    bench_run_until(&bench, 3600 * S);
    ck_assert_int_eq(deleted_at(tolerant), 110 * S);
}
END_TEST

START_TEST(a_taint_that_is_taken_away_evicts_nobody_any_more)
{
    const ApiObject *pod =
        pod_there("  tolerations: [{key: repair, operator: Exists, tolerationSeconds: 60, effect: "
                  "NoExecute}]\n" BENCH_CONTAINER);
    bench_run_until(&bench, 50 * S);
    operator_taints("repair", "NoExecute");
    bench_run_until(&bench, 80 * S);
    operator_taints(NULL, NULL);
    bench_run_until(&bench, 3600 * S);
    ck_assert_int_eq(deleted_at(pod), NSEC_NEVER);
}
END_TEST

START_TEST(a_pod_that_comes_to_a_tainted_node_is_evicted)
{
    operator_taints("repair", "NoExecute");
    const ApiObject *pod = pod_there(NULL);
    ck_assert_int_eq(deleted_at(pod), bench.now);
}
END_TEST

START_TEST(no_schedule_evicts_nobody)
{
    const ApiObject *pod = pod_there(NULL);
    operator_taints("repair", "NoSchedule");
    bench_run_until(&bench, 3600 * S);
    ck_assert_int_eq(deleted_at(pod), NSEC_NEVER);
}
END_TEST

static ApiObject *
daemon_set(void)
{
    ApiObject *object = bench_object(
        &bench, "apiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: ds}\nspec:\n"
                "  selector: {matchLabels: {app: x}}\n"
                "  template: {metadata: {labels: {app: x}}, spec: {containers: [{name: c, image: "
                "i:1}]}}\n");
    object->uid = ++last_uid;
    bench_event(&bench, WATCH_ADDED, object);
    return object;
}

START_TEST(a_daemon_set_leaves_out_a_tainted_node_while_it_is)
{
    operator_taints("repair", "NoSchedule");
    daemon_set();
    bench_run_for(&bench, 10 * S);
    ck_assert_uint_eq(bench_calls(&bench, MESSAGE_API_CREATE), 1);
    operator_taints(NULL, NULL);
    bench_run_for(&bench, 10 * S);
    ck_assert_uint_eq(bench_calls(&bench, MESSAGE_API_CREATE), 2);
    const Done *second = bench_call(&bench, MESSAGE_API_CREATE, 1);
    ck_assert_str_eq(api_message_object(second->action.message)->affinity_node, "node-1");
}
END_TEST

START_TEST(a_daemon_set_does_not_mind_a_cordon_or_a_lost_lease)
{
    ApiObject *node = change(known_nodes[1]);
    node->node_condition.unschedulable = true;
    node->node_condition.unreachable = true;
    tell(node);
    daemon_set();
    bench_run_for(&bench, S);
    ck_assert_uint_eq(bench_calls(&bench, MESSAGE_API_CREATE), 2);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("nodes");
    TCase *lost = tcase_create("lost nodes");
    tcase_add_checked_fixture(lost, setup, teardown);
    tcase_add_test(lost, leases_are_listed_every_5_s_by_one_request);
    tcase_add_test(lost, a_node_without_a_renewal_for_40_s_is_not_ready);
    tcase_add_test(lost, its_pods_are_not_ready_any_more);
    tcase_add_test(lost, after_300_s_more_its_pods_are_deleted);
    tcase_add_test(lost, news_of_a_pod_do_not_lengthen_its_time);
    tcase_add_test(lost, a_pod_says_for_how_long_it_stays);
    tcase_add_test(lost, a_daemon_sets_pod_stays);
    tcase_add_test(lost, a_renewed_lease_takes_it_all_back);
    tcase_add_test(lost, the_time_begins_anew_when_the_node_is_lost_again);
    tcase_add_test(lost, a_pod_that_is_gone_is_not_deleted_again);
    tcase_add_test(lost, a_deletion_that_fails_is_repeated);
    tcase_add_test(lost, without_an_answer_nobody_is_declared_lost);
    suite_add_tcase(suite, lost);
    TCase *taints = tcase_create("taints");
    tcase_add_checked_fixture(taints, setup, teardown);
    tcase_add_test(taints, an_operators_no_execute_evicts_at_once);
    tcase_add_test(taints, a_taint_that_is_taken_away_evicts_nobody_any_more);
    tcase_add_test(taints, a_pod_that_comes_to_a_tainted_node_is_evicted);
    tcase_add_test(taints, no_schedule_evicts_nobody);
    tcase_add_test(taints, a_daemon_set_leaves_out_a_tainted_node_while_it_is);
    tcase_add_test(taints, a_daemon_set_does_not_mind_a_cordon_or_a_lost_lease);
    suite_add_tcase(suite, taints);
    return bench_run_suite(suite);
}
