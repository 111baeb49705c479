/* kube-controller-manager: Deployments, ReplicaSets, DaemonSets, StatefulSets. */
#include "models/k8s/controllers.h"

#include "tests/models/step.h"

#define S NSEC_PER_SEC
#define MS NSEC_PER_MSEC
#define SYNC (5 * MS)
#define N_NODES 40

static Bench bench;
static Node nodes[N_NODES];
static const Labels no_labels;
static Labels fast;
static Nodes cluster;
static uint64_t last_uid;

static enum { STORES, REFUSES, WAITS } api; /* what becomes of a CREATE */
static nsec_t latency;

/* The object that a CREATE wants; its uid is given when it is stored. */
static ApiObject *
wanted(const Done *call)
{
    return (ApiObject *)api_message_object(call->action.message);
}

static Message *
stored(const Done *call)
{
    ApiObject *object = api_object_copy(wanted(call));
    object->uid = ++last_uid;
    object->version = last_uid;
    g_ptr_array_add(bench.objects, api_object_ref(object));
    return api_message(MESSAGE_API_OBJECT, object);
}

static void
answer(Bench *self, const Done *done)
{
    if (api != WAITS && bench_is(done, ACTION_CALL, MESSAGE_API_CREATE)) {
        bench_reply_later(self, done, latency,
                          api == STORES ? stored(done) : message_error("refused"));
    }
}

static void
setup(void)
{
    bench_init(&bench, COMPONENT_CONTROLLERS, "node-0");
    bench_set(&bench, "controllers.sync", "5ms");
    bench.respond = answer;
    api = STORES;
    latency = 0;
    last_uid = 0;
    for (guint i = 0; i < N_NODES; i++) {
        g_autofree char *name = g_strdup_printf("node-%u", i);
        nodes[i] = (Node){.name = bench_string(&bench, name),
                          .cpu = 4000,
                          .memory = INT64_C(1) << 33,
                          .pods = 110,
                          .labels = &no_labels};
    }
    labels_set(&fast, "fast", "yes");
    cluster = (Nodes){nodes, N_NODES};
    bench_start(&bench, controllers_new(&bench.info, &cluster));
}

static void
teardown(void)
{
    bench_clear(&bench);
    labels_clear(&fast);
}

/* ---- sets ---- */

static ApiObject *
set_of(const char *kind, const char *name, const char *more)
{
    g_autofree char *yaml =
        g_strdup_printf("apiVersion: apps/v1\nkind: %s\nmetadata: {name: %s}\nspec:\n"
                        "  selector: {matchLabels: {app: x}}\n  serviceName: s\n%s"
                        "  template:\n    metadata: {labels: {app: x}}\n"
                        "    spec: {containers: [{name: c, image: i:1}]}\n",
                        kind, name, more);
    ApiObject *object = bench_object(&bench, yaml);
    object->uid = ++last_uid;
    bench_event(&bench, WATCH_ADDED, object);
    return object;
}

static ApiObject *
replica_set(guint replicas)
{
    g_autofree char *more = g_strdup_printf("  replicas: %u\n", replicas);
    return set_of("ReplicaSet", "rs", more);
}

static ApiObject *
stateful_set(guint replicas, const char *more)
{
    g_autofree char *text = g_strdup_printf("  replicas: %u\n%s", replicas, more);
    return set_of("StatefulSet", "sts", text);
}

/* ---- Pods ---- */

static guint
n_created(void)
{
    return bench_calls(&bench, MESSAGE_API_CREATE);
}

static const Done *
created(guint n)
{
    return bench_call(&bench, MESSAGE_API_CREATE, n);
}

/* The last Pod of that name that was stored. */
static ApiObject *
pod_named(const char *name)
{
    for (guint i = bench.objects->len; i > 0; i--) {
        ApiObject *object = bench.objects->pdata[i - 1];
        if (object->kind == OBJECT_POD && object->uid != 0 && g_str_equal(object->name, name)) {
            return object;
        }
    }
    ck_abort_msg("no Pod %s was stored", name);
}

/* The Pod of the n-th CREATE. */
static ApiObject *
pod(guint n)
{
    return pod_named(wanted(created(n))->name);
}

static void
now_deleting(const ApiObject *object)
{
    ApiObject *next = bench_copy(&bench, object);
    next->deleting = true;
    bench_event(&bench, WATCH_MODIFIED, next);
}

static void
now_ready(const ApiObject *object)
{
    ApiObject *next = bench_copy(&bench, object);
    next->status.ready = true;
    bench_event(&bench, WATCH_MODIFIED, next);
}

static void
gone(ApiObject *object)
{
    bench_event(&bench, WATCH_DELETED, object);
}

/* ---- Deployments and ReplicaSets ---- */

START_TEST(it_watches_all_sets_and_pods)
{
    static const ObjectKind kinds[] = {OBJECT_DEPLOYMENT, OBJECT_REPLICA_SET, OBJECT_DAEMON_SET,
                                       OBJECT_STATEFUL_SET, OBJECT_POD};
    for (guint k = 0; k < G_N_ELEMENTS(kinds); k++) {
        guint n = 0;
        for (guint i = 0; i < bench_count(&bench, ACTION_OPEN, MESSAGE_API_WATCH); i++) {
            const Done *open = bench_nth(&bench, ACTION_OPEN, MESSAGE_API_WATCH, i);
            n += ((const ApiQuery *)open->action.message)->kind == kinds[k];
            ck_assert_int_eq(open->action.flags, CALL_PLAIN);
        }
        ck_assert_uint_eq(n, 1);
    }
}
END_TEST

START_TEST(a_deployment_makes_its_replica_set)
{
    const ApiObject *deployment = set_of("Deployment", "registry", "  replicas: 3\n");
    bench_run_for(&bench, SYNC);
    const ApiObject *set = wanted(created(0));
    ck_assert_int_eq(set->kind, OBJECT_REPLICA_SET);
    ck_assert_uint_eq(set->owner, deployment->uid);
    ck_assert_int_eq(set->replicas, 3);
    ck_assert_ptr_eq(set->pod, deployment->pod);
    ck_assert_ptr_eq(set->manifest, deployment->manifest);
    ck_assert(g_str_has_prefix(set->name, "registry-"));
    ck_assert_str_eq(set->ns, "default");
    bench_run_for(&bench, S);
    ck_assert_uint_eq(n_created(), 1);
}
END_TEST

START_TEST(a_set_is_synced_a_moment_after_it_is_seen)
{
    const ApiObject *set = replica_set(1);
    bench_run_for(&bench, SYNC - 1);
    ck_assert_uint_eq(n_created(), 0);
    bench_run_for(&bench, 1);
    ck_assert_uint_eq(n_created(), 1);
    ck_assert_int_eq(wanted(created(0))->kind, OBJECT_POD);
    ck_assert_uint_eq(wanted(created(0))->owner, set->uid);
    ck_assert_ptr_eq(wanted(created(0))->pod, set->pod);
    ck_assert_ptr_null(wanted(created(0))->manifest);
    ck_assert_ptr_null(wanted(created(0))->node);
    ck_assert_ptr_null(wanted(created(0))->affinity_node);
}
END_TEST

START_TEST(a_set_of_no_replicas_makes_no_pods)
{
    replica_set(0);
    bench_run_for(&bench, S);
    ck_assert_uint_eq(n_created(), 0);
}
END_TEST

START_TEST(a_deployment_whose_replica_set_is_refused_tries_again)
{
    api = REFUSES;
    set_of("Deployment", "registry", "");
    bench_run_for(&bench, SYNC);
    api = STORES;
    bench_run_for(&bench, 5 * MS);
    ck_assert_uint_eq(n_created(), 2);
    bench_run_for(&bench, S);
    ck_assert_uint_eq(n_created(), 2);
}
END_TEST

/* A webhook's patch belongs to the snapshot that was stored with it. */
START_TEST(what_a_set_makes_keeps_the_patched_template_alive)
{
    ApiObject *set = replica_set(0);
    ApiObject *patched = api_object_copy(set);
    patched->uid = ++last_uid;
    patched->replicas = 1;
    patched->owned_pod = pod_spec_copy(set->pod);
    patched->pod = patched->owned_pod;
    g_free(patched->owned_pod->containers[0].image);
    patched->owned_pod->containers[0].image = g_strdup("patched:2");
    bench_event(&bench, WATCH_ADDED, patched);
    bench_run_for(&bench, S);
    bench_event(&bench, WATCH_DELETED, patched);
    api_object_unref(patched);
    ck_assert_str_eq(wanted(created(0))->pod->containers[0].image, "patched:2");
}
END_TEST

START_TEST(a_set_seen_twice_is_one_set)
{
    ApiObject *set = replica_set(1);
    bench_event(&bench, WATCH_ADDED, set);
    bench_run_for(&bench, S);
    ck_assert_uint_eq(n_created(), 1);
}
END_TEST

START_TEST(a_replica_set_starts_slowly_1_2_4)
{
    latency = 10 * MS;
    replica_set(9);
    static const guint expected[] = {1, 3, 7, 9, 9};
    for (guint i = 0; i < G_N_ELEMENTS(expected); i++) {
        bench_run_until(&bench, SYNC + (nsec_t)i * latency);
        ck_assert_uint_eq(n_created(), expected[i]);
    }
}
END_TEST

START_TEST(the_next_batch_waits_for_the_last_answer_of_this_one)
{
    api = WAITS;
    replica_set(4);
    bench_run_for(&bench, SYNC);
    bench_reply(&bench, created(0)->action.tag, stored(created(0)));
    ck_assert_uint_eq(n_created(), 3);
    bench_reply(&bench, created(2)->action.tag, stored(created(2)));
    ck_assert_uint_eq(n_created(), 3);
    bench_reply(&bench, created(1)->action.tag, stored(created(1)));
    ck_assert_uint_eq(n_created(), 4);
}
END_TEST

START_TEST(pods_of_a_set_have_names_of_their_own)
{
    replica_set(50);
    bench_run_for(&bench, 10 * S);
    ck_assert_uint_eq(n_created(), 50);
    g_autoptr(GHashTable) names = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; i < 50; i++) {
        char *name = wanted(created(i))->name;
        ck_assert(g_str_has_prefix(name, "rs-"));
        ck_assert_uint_eq(strlen(name), strlen("rs-") + 5);
        ck_assert(g_hash_table_add(names, name));
    }
}
END_TEST

START_TEST(a_generated_name_is_a_function_of_owner_and_ordinal)
{
    g_autofree char *name = pod_generated_name("nsmgr", 0);
    g_autofree char *again = pod_generated_name("nsmgr", 0);
    g_autofree char *next = pod_generated_name("nsmgr", 1);
    g_autofree char *other = pod_generated_name("nsmgs", 0);
    ck_assert_str_eq(name, again);
    ck_assert_str_ne(name, next);
    ck_assert_str_ne(name + strlen("nsmgr-"), other + strlen("nsmgr-"));
    ck_assert_uint_eq(strspn(name + strlen("nsmgr-"), "bcdfghjklmnpqrstvwxz2456789"), 5);
}
END_TEST

START_TEST(a_replica_set_replaces_a_pod_as_soon_as_its_deletion_begins)
{
    replica_set(1);
    bench_run_for(&bench, S);
    ApiObject *first = pod(0);
    now_deleting(first);
    bench_run_for(&bench, SYNC);
    ck_assert_uint_eq(n_created(), 2);
    ck_assert_str_ne(wanted(created(1))->name, first->name);
    gone(first);
    bench_run_for(&bench, S);
    ck_assert_uint_eq(n_created(), 2);
}
END_TEST

START_TEST(a_replica_set_replaces_a_pod_that_disappears)
{
    replica_set(2);
    bench_run_for(&bench, S);
    gone(pod(1));
    bench_run_for(&bench, S);
    ck_assert_uint_eq(n_created(), 3);
}
END_TEST

START_TEST(a_replica_set_ignores_the_pods_of_others)
{
    replica_set(1);
    bench_run_for(&bench, S);
    ApiObject *stranger = bench_pod(&bench, "p", NULL);
    stranger->uid = 1000;
    bench_event(&bench, WATCH_ADDED, stranger);
    gone(stranger);
    bench_run_for(&bench, S);
    ck_assert_uint_eq(n_created(), 1);
}
END_TEST

START_TEST(a_hundred_replacements_are_all_made)
{
    replica_set(1);
    bench_run_for(&bench, S);
    for (guint i = 0; i < 100; i++) {
        ck_assert_uint_eq(n_created(), i + 1);
        now_deleting(pod(i));
        gone(pod(i));
        bench_run_for(&bench, S);
    }
}
END_TEST

START_TEST(every_sync_starts_slowly)
{
    latency = 10 * MS;
    replica_set(8);
    bench_run_for(&bench, S);
    for (guint i = 0; i < 8; i++) {
        now_deleting(pod(i));
    }
    bench_forget(&bench);
    bench_run_for(&bench, SYNC);
    ck_assert_uint_eq(n_created(), 1);
}
END_TEST

/* ---- DaemonSets ---- */

START_TEST(a_daemon_set_makes_a_pod_for_each_node)
{
    const ApiObject *set = set_of("DaemonSet", "nsmgr", "");
    bench_run_for(&bench, 10 * S);
    ck_assert_uint_eq(n_created(), N_NODES);
    for (guint i = 0; i < N_NODES; i++) {
        ck_assert_str_eq(wanted(created(i))->affinity_node, nodes[i].name);
        ck_assert_ptr_null(wanted(created(i))->node);
        ck_assert_uint_eq(wanted(created(i))->owner, set->uid);
    }
}
END_TEST

START_TEST(a_daemon_set_leaves_out_nodes_that_it_does_not_fit)
{
    static const Toleration taint = {
        .key = (char *)"role", .value = (char *)"", .effect = (char *)"NoSchedule"};
    nodes[3].labels = &fast;
    nodes[7].labels = &fast;
    nodes[7].taints = &taint;
    nodes[7].n_taints = 1;
    ApiObject *set = bench_object(
        &bench, "apiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: d}\nspec:\n"
                "  selector: {matchLabels: {app: x}}\n"
                "  template:\n    metadata: {labels: {app: x}}\n"
                "    spec: {nodeSelector: {fast: \"yes\"}, containers: [{name: c, image: i:1}]}\n");
    set->uid = ++last_uid;
    bench_event(&bench, WATCH_ADDED, set);
    bench_run_for(&bench, S);
    ck_assert_uint_eq(n_created(), 1);
    ck_assert_str_eq(wanted(created(0))->affinity_node, "node-3");
}
END_TEST

START_TEST(a_daemon_set_waits_until_the_old_pod_is_gone)
{
    cluster.n = 2;
    set_of("DaemonSet", "nsmgr", "");
    bench_run_for(&bench, S);
    ck_assert_uint_eq(n_created(), 2);
    now_deleting(pod(1));
    bench_run_for(&bench, 30 * S);
    ck_assert_uint_eq(n_created(), 2);
    gone(pod(1));
    bench_run_for(&bench, SYNC);
    ck_assert_uint_eq(n_created(), 3);
    ck_assert_str_eq(wanted(created(2))->affinity_node, "node-1");
}
END_TEST

/* ---- StatefulSets ---- */

START_TEST(a_stateful_set_goes_in_order_and_waits_for_readiness)
{
    stateful_set(3, "");
    bench_run_for(&bench, 10 * S);
    ck_assert_uint_eq(n_created(), 1);
    ck_assert_str_eq(wanted(created(0))->name, "sts-0");
    now_ready(pod(0));
    bench_run_for(&bench, SYNC);
    ck_assert_uint_eq(n_created(), 2);
    ck_assert_str_eq(wanted(created(1))->name, "sts-1");
    bench_run_for(&bench, 10 * S);
    ck_assert_uint_eq(n_created(), 2);
    now_ready(pod(1));
    bench_run_for(&bench, SYNC);
    ck_assert_str_eq(wanted(created(2))->name, "sts-2");
}
END_TEST

START_TEST(a_parallel_stateful_set_does_not_wait_for_readiness)
{
    stateful_set(5, "  podManagementPolicy: Parallel\n");
    bench_run_for(&bench, S);
    ck_assert_uint_eq(n_created(), 5);
    ck_assert_str_eq(wanted(created(4))->name, "sts-4");
}
END_TEST

START_TEST(a_stateful_sets_pod_comes_back_by_its_name_when_the_old_one_is_gone)
{
    stateful_set(2, "  podManagementPolicy: Parallel\n");
    bench_run_for(&bench, S);
    ApiObject *old = pod_named("sts-0");
    now_deleting(old);
    bench_run_for(&bench, 30 * S);
    ck_assert_uint_eq(n_created(), 2);
    gone(old);
    bench_run_for(&bench, SYNC);
    ck_assert_uint_eq(n_created(), 3);
    ck_assert_str_eq(wanted(created(2))->name, "sts-0");
}
END_TEST

START_TEST(the_successor_of_a_lost_pod_is_waited_for_again)
{
    stateful_set(2, "");
    bench_run_for(&bench, S);
    ApiObject *first = bench_copy(&bench, pod(0));
    first->status.ready = true;
    bench_event(&bench, WATCH_MODIFIED, first);
    gone(first);
    bench_run_for(&bench, S);
    ck_assert_uint_eq(n_created(), 2);
    ck_assert_str_eq(wanted(created(1))->name, "sts-0");
}
END_TEST

START_TEST(a_stateful_set_of_forty_gets_them_all)
{
    stateful_set(40, "");
    for (guint i = 0; i < 40; i++) {
        bench_run_for(&bench, S);
        ck_assert_uint_eq(n_created(), i + 1);
        now_ready(pod(i));
    }
}
END_TEST

/* ---- client and failures ---- */

/* 20 requests/s, burst 30 (FACTS 3.4). */
START_TEST(after_30_creations_a_controller_sends_20_a_second)
{
    set_of("DaemonSet", "nsmgr", "");
    bench_run_for(&bench, 10 * S);
    ck_assert_int_eq(created(29)->leaves, SYNC);
    ck_assert_int_eq(created(30)->leaves, SYNC + 50 * MS);
    ck_assert_int_eq(created(39)->leaves, SYNC + 500 * MS);
}
END_TEST

START_TEST(each_controller_has_a_client_of_its_own)
{
    set_of("DaemonSet", "nsmgr", "");
    bench_run_for(&bench, SYNC);
    replica_set(1);
    bench_run_for(&bench, SYNC);
    guint n = 0;
    while (!g_str_has_prefix(wanted(created(n))->name, "rs-")) {
        n++;
    }
    ck_assert_int_eq(created(n)->leaves, 2 * SYNC);
}
END_TEST

START_TEST(failures_back_off_from_5_ms_doubling_to_1000_s)
{
    api = REFUSES;
    replica_set(1);
    bench_run_for(&bench, SYNC);
    nsec_t expected = 5 * MS;
    for (guint i = 0; i < 25; i++) {
        ck_assert_uint_eq(n_created(), i + 1);
        bench_run_for(&bench, expected - 1);
        ck_assert_uint_eq(n_created(), i + 1);
        bench_run_for(&bench, 1);
        expected = MIN(2 * expected, 1000 * S);
    }
    ck_assert_int_eq(expected, 1000 * S);
}
END_TEST

START_TEST(a_success_ends_the_back_off)
{
    api = REFUSES;
    replica_set(1);
    bench_run_for(&bench, S);
    api = STORES;
    bench_run_for(&bench, S);
    const ApiObject *first = pod(n_created() - 1);
    bench_forget(&bench);
    api = REFUSES;
    now_deleting(first);
    bench_run_for(&bench, SYNC);
    ck_assert_uint_eq(n_created(), 1);
    bench_run_for(&bench, 5 * MS);
    ck_assert_uint_eq(n_created(), 2);
}
END_TEST

START_TEST(a_creation_without_an_answer_is_tried_again)
{
    api = WAITS;
    replica_set(1);
    bench_run_for(&bench, SYNC);
    bench_fail(&bench, created(0)->action.tag, FAILURE_PEER_GONE);
    bench_run_for(&bench, 5 * MS);
    ck_assert_uint_eq(n_created(), 2);
    ck_assert_uint_ne(created(0)->action.tag, created(1)->action.tag);
}
END_TEST

START_TEST(a_failure_ends_the_slow_start)
{
    api = WAITS;
    replica_set(7);
    bench_run_for(&bench, SYNC);
    bench_reply(&bench, created(0)->action.tag, stored(created(0)));
    ck_assert_uint_eq(n_created(), 3);
    bench_reply(&bench, created(1)->action.tag, stored(created(1)));
    bench_reply(&bench, created(2)->action.tag, message_error("refused"));
    ck_assert_uint_eq(n_created(), 3);
    bench_run_for(&bench, 5 * MS);
    ck_assert_uint_eq(n_created(), 4);
}
END_TEST

START_TEST(a_failure_ends_the_slow_start_though_the_last_answer_is_good)
{
    api = WAITS;
    replica_set(7);
    bench_run_for(&bench, SYNC);
    bench_reply(&bench, created(0)->action.tag, stored(created(0)));
    bench_reply(&bench, created(1)->action.tag, message_error("refused"));
    bench_reply(&bench, created(2)->action.tag, stored(created(2)));
    ck_assert_uint_eq(n_created(), 3);
    bench_run_for(&bench, 5 * MS);
    ck_assert_uint_eq(n_created(), 4);
}
END_TEST

START_TEST(a_batch_that_fails_is_one_failure)
{
    api = WAITS;
    replica_set(7);
    bench_run_for(&bench, SYNC);
    bench_reply(&bench, created(0)->action.tag, stored(created(0)));
    bench_reply(&bench, created(1)->action.tag, message_error("refused"));
    bench_reply(&bench, created(2)->action.tag, message_error("refused"));
    bench_run_for(&bench, 5 * MS);
    ck_assert_uint_eq(n_created(), 4);
    bench_reply(&bench, created(3)->action.tag, message_error("refused"));
    bench_run_for(&bench, 10 * MS);
    ck_assert_uint_eq(n_created(), 5);
}
END_TEST

START_TEST(news_of_a_pod_do_not_wait_for_the_back_off)
{
    replica_set(2);
    bench_run_for(&bench, S);
    ApiObject *first = pod(0);
    ApiObject *second = pod(1);
    api = REFUSES;
    now_deleting(first);
    bench_run_for(&bench, 60 * S);
    api = STORES;
    bench_forget(&bench);
    now_deleting(second);
    bench_run_for(&bench, SYNC);
    ck_assert_uint_eq(n_created(), 2);
}
END_TEST

/* ---- sets that go ---- */

START_TEST(a_deleted_set_makes_no_more_pods)
{
    ApiObject *set = replica_set(1);
    bench_run_for(&bench, S);
    ApiObject *first = pod(0);
    gone(set);
    now_deleting(first);
    gone(first);
    bench_run_for(&bench, S);
    ck_assert_uint_eq(n_created(), 1);
}
END_TEST

START_TEST(a_set_deleted_before_its_sync_makes_no_pods)
{
    gone(replica_set(1));
    bench_run_for(&bench, S);
    ck_assert_uint_eq(n_created(), 0);
}
END_TEST

START_TEST(answers_for_a_deleted_set_are_ignored)
{
    api = WAITS;
    ApiObject *set = replica_set(1);
    ApiObject *other = set_of("ReplicaSet", "other", "  replicas: 1\n");
    bench_run_for(&bench, SYNC);
    gone(set);
    bench_reply(&bench, created(0)->action.tag, stored(created(0)));
    bench_reply(&bench, created(1)->action.tag, message_error("refused"));
    bench_run_for(&bench, 5 * MS);
    ck_assert_uint_eq(n_created(), 3);
    ck_assert_uint_eq(wanted(created(2))->owner, other->uid);
}
END_TEST

START_TEST(a_deleted_replica_set_is_made_again_by_its_deployment)
{
    set_of("Deployment", "registry", "  replicas: 1\n");
    bench_run_for(&bench, S);
    ApiObject *made = api_object_copy(wanted(created(0)));
    g_ptr_array_add(bench.objects, made);
    made->uid = last_uid;
    bench_event(&bench, WATCH_ADDED, made);
    bench_run_for(&bench, S);
    ck_assert_uint_eq(n_created(), 2); /* itself and its Pod */
    gone(made);
    bench_run_for(&bench, S);
    ck_assert_uint_eq(n_created(), 3);
    ck_assert_int_eq(wanted(created(2))->kind, OBJECT_REPLICA_SET);
    ck_assert_str_eq(wanted(created(2))->name, made->name);
    ApiObject *again = api_object_copy(wanted(created(2)));
    g_ptr_array_add(bench.objects, again);
    again->uid = last_uid;
    bench_event(&bench, WATCH_ADDED, again);
    bench_run_for(&bench, S);
    ck_assert_uint_eq(n_created(), 4);
    ck_assert_str_ne(wanted(created(3))->name, wanted(created(1))->name);
}
END_TEST

START_TEST(a_pod_that_is_gone_before_the_answer_comes_is_replaced)
{
    api = WAITS;
    replica_set(1);
    bench_run_for(&bench, S);
    ApiObject *made = api_object_copy(wanted(created(0)));
    g_ptr_array_add(bench.objects, made);
    made->uid = ++last_uid;
    bench_event(&bench, WATCH_ADDED, made);
    gone(made);
    bench_reply(&bench, created(0)->action.tag,
                api_message(MESSAGE_API_OBJECT, api_object_ref(made)));
    bench_run_for(&bench, S);
    ck_assert_uint_eq(n_created(), 2);
}
END_TEST

START_TEST(a_pod_that_went_while_the_watch_was_broken_is_replaced)
{
    replica_set(2);
    bench_run_for(&bench, S);
    ck_assert_uint_eq(n_created(), 2);
    bench_event(&bench, WATCH_ADDED, pod(0));
    bench_event(&bench, WATCH_ADDED, pod(1));
    bench_step(&bench, (Input){.kind = INPUT_CLOSED, .tag = 5});
    bench_run_for(&bench, S);
    const Done *open = bench_last(&bench, ACTION_OPEN, MESSAGE_API_WATCH);
    ck_assert_int_eq(((const ApiQuery *)open->action.message)->kind, OBJECT_POD);
    bench_event(&bench, WATCH_ADDED, pod(1));
    ck_assert_uint_eq(n_created(), 2);
    bench_give(&bench, (Input){.kind = INPUT_EVENT, .tag = 5}, api_event_new(WATCH_SYNCED, NULL));
    bench_run_for(&bench, S);
    ck_assert_uint_eq(n_created(), 3);
}
END_TEST

static TCase *
replica_case(void)
{
    TCase *replicas = tcase_create("replicas");
    tcase_add_test(replicas, it_watches_all_sets_and_pods);
    tcase_add_test(replicas, a_deployment_makes_its_replica_set);
    tcase_add_test(replicas, a_set_is_synced_a_moment_after_it_is_seen);
    tcase_add_test(replicas, a_set_of_no_replicas_makes_no_pods);
    tcase_add_test(replicas, a_deployment_whose_replica_set_is_refused_tries_again);
    tcase_add_test(replicas, what_a_set_makes_keeps_the_patched_template_alive);
    tcase_add_test(replicas, a_set_seen_twice_is_one_set);
    tcase_add_test(replicas, a_replica_set_starts_slowly_1_2_4);
    tcase_add_test(replicas, the_next_batch_waits_for_the_last_answer_of_this_one);
    tcase_add_test(replicas, pods_of_a_set_have_names_of_their_own);
    tcase_add_test(replicas, a_generated_name_is_a_function_of_owner_and_ordinal);
    tcase_add_test(replicas, a_replica_set_replaces_a_pod_as_soon_as_its_deletion_begins);
    tcase_add_test(replicas, a_replica_set_replaces_a_pod_that_disappears);
    tcase_add_test(replicas, a_replica_set_ignores_the_pods_of_others);
    tcase_add_test(replicas, a_hundred_replacements_are_all_made);
    tcase_add_test(replicas, every_sync_starts_slowly);
    tcase_add_test(replicas, a_deleted_replica_set_is_made_again_by_its_deployment);
    tcase_add_test(replicas, a_pod_that_is_gone_before_the_answer_comes_is_replaced);
    tcase_add_test(replicas, a_pod_that_went_while_the_watch_was_broken_is_replaced);
    return replicas;
}

static TCase *
other_sets_case(void)
{
    TCase *sets = tcase_create("other sets");
    tcase_add_test(sets, a_daemon_set_makes_a_pod_for_each_node);
    tcase_add_test(sets, a_daemon_set_leaves_out_nodes_that_it_does_not_fit);
    tcase_add_test(sets, a_daemon_set_waits_until_the_old_pod_is_gone);
    tcase_add_test(sets, a_stateful_set_goes_in_order_and_waits_for_readiness);
    tcase_add_test(sets, a_parallel_stateful_set_does_not_wait_for_readiness);
    tcase_add_test(sets, a_stateful_sets_pod_comes_back_by_its_name_when_the_old_one_is_gone);
    tcase_add_test(sets, the_successor_of_a_lost_pod_is_waited_for_again);
    tcase_add_test(sets, a_stateful_set_of_forty_gets_them_all);
    return sets;
}

static TCase *
failures_case(void)
{
    TCase *failures = tcase_create("failures");
    tcase_add_test(failures, after_30_creations_a_controller_sends_20_a_second);
    tcase_add_test(failures, each_controller_has_a_client_of_its_own);
    tcase_add_test(failures, failures_back_off_from_5_ms_doubling_to_1000_s);
    tcase_add_test(failures, a_success_ends_the_back_off);
    tcase_add_test(failures, a_creation_without_an_answer_is_tried_again);
    tcase_add_test(failures, a_failure_ends_the_slow_start);
    tcase_add_test(failures, a_failure_ends_the_slow_start_though_the_last_answer_is_good);
    tcase_add_test(failures, a_batch_that_fails_is_one_failure);
    tcase_add_test(failures, news_of_a_pod_do_not_wait_for_the_back_off);
    tcase_add_test(failures, a_deleted_set_makes_no_more_pods);
    tcase_add_test(failures, a_set_deleted_before_its_sync_makes_no_pods);
    tcase_add_test(failures, answers_for_a_deleted_set_are_ignored);
    return failures;
}

int
main(void)
{
    Suite *suite = suite_create("controllers");
    TCase *const cases[] = {replica_case(), other_sets_case(), failures_case()};
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        tcase_add_checked_fixture(cases[i], setup, teardown);
        suite_add_tcase(suite, cases[i]);
    }
    return bench_run_suite(suite);
}
