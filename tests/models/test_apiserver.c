/* kube-apiserver: objects, versions, watches, deletion, admission. */
#include "models/k8s/api.h"

#include "models/nsm/record.h"
#include "tests/models/step.h"

#define S NSEC_PER_SEC
#define MS NSEC_PER_MSEC
#define READ (3 * MS)
#define WRITE (8 * MS)
#define WATCH (2 * MS)

static Bench bench;
static uint64_t last_call;

static void
setup(void)
{
    bench_init(&bench, COMPONENT_APISERVER, "node-0");
    bench_set(&bench, "apiserver.read", "3ms");
    bench_set(&bench, "apiserver.write", "8ms");
    bench_set(&bench, "apiserver.watch", "2ms");
    last_call = 0;
    bench_start(&bench, apiserver_new(&bench.info));
}

static void
teardown(void)
{
    bench_clear(&bench);
}

/* ---- requests ---- */

static uint64_t
ask(void *take_message)
{
    bench_give(&bench, (Input){.kind = INPUT_REQUEST, .call = ++last_call, .from = "test"},
               take_message);
    return last_call;
}

/* The answer to a call; NULL: none yet.  It must be the only one. */
static const Done *
answer_of(uint64_t call)
{
    const Done *found = NULL;
    for (guint i = 0; i < bench_count(&bench, ACTION_REPLY, MESSAGE_NONE); i++) {
        const Done *done = bench_nth(&bench, ACTION_REPLY, MESSAGE_NONE, i);
        if (done->action.call == call) {
            ck_assert_msg(found == NULL, "a call is answered once");
            found = done;
        }
    }
    return found;
}

/* The object of the answer, which must be one; the bench keeps a reference. */
static ApiObject *
object_of(uint64_t call)
{
    const Done *done = answer_of(call);
    ck_assert_ptr_nonnull(done);
    const char *error = message_error_text(done->action.message);
    ck_assert_msg(error == NULL, "%s", error);
    ck_assert_int_eq(done->action.message->type, MESSAGE_API_OBJECT);
    ApiObject *object = (ApiObject *)api_message_object(done->action.message);
    g_ptr_array_add(bench.objects, api_object_ref(object));
    return object;
}

static const char *
error_of(uint64_t call)
{
    const Done *done = answer_of(call);
    ck_assert_ptr_nonnull(done);
    const char *error = message_error_text(done->action.message);
    return error != NULL ? error : "none";
}

static uint64_t
create_call(ApiObject *object)
{
    return ask(api_message(MESSAGE_API_CREATE, api_object_ref(object)));
}

static ApiObject *
create(ApiObject *object)
{
    return object_of(create_call(object));
}

static ApiObject *
create_yaml(const char *yaml)
{
    return create(bench_object(&bench, yaml));
}

/* Sends a changed copy of the object. */
static uint64_t
send(MessageType type, ApiObject *changed)
{
    return ask(api_message(type, api_object_ref(changed)));
}

static ApiObject *
bind_to(const ApiObject *pod, const char *node)
{
    ApiObject *binding = bench_copy(&bench, pod);
    g_free(binding->node);
    binding->node = g_strdup(node);
    return object_of(send(MESSAGE_API_BIND, binding));
}

static uint64_t
delete_call(const ApiObject *object, uint64_t uid, nsec_t grace)
{
    ApiQuery *query = api_query(MESSAGE_API_DELETE, object->kind, object->ns, object->name);
    query->uid = uid;
    query->grace = grace;
    return ask(query);
}

static void
delete_object(const ApiObject *object, nsec_t grace)
{
    ck_assert_str_eq(error_of(delete_call(object, object->uid, grace)), "none");
}

static uint64_t
get(ObjectKind kind, const char *ns, const char *name)
{
    return ask(api_query(MESSAGE_API_GET, kind, ns, name));
}

/* "name,name" of what a LIST shows. */
static char *
names_of(ApiQuery *take_query)
{
    const Done *done = answer_of(ask(take_query));
    ck_assert_int_eq(done->action.message->type, MESSAGE_API_OBJECTS);
    const ApiList *list = (const ApiList *)done->action.message;
    GString *text = g_string_new(NULL);
    for (guint i = 0; i < list->objects->len; i++) {
        g_string_append_printf(text, "%s%s", i > 0 ? "," : "",
                               ((const ApiObject *)list->objects->pdata[i])->name);
    }
    return g_string_free(text, false);
}

static ApiQuery *
listing(ObjectKind kind)
{
    return api_query(MESSAGE_API_LIST, kind, NULL, NULL);
}

static void
assert_listed(ApiQuery *take_query, const char *expected)
{
    g_autofree char *names = names_of(take_query);
    ck_assert_str_eq(names, expected);
}

/* ---- watches ---- */

static uint64_t
watch(ApiQuery *take_query)
{
    bench_give(&bench, (Input){.kind = INPUT_OPENED, .call = ++last_call, .from = "test"},
               take_query);
    return last_call;
}

static ApiQuery *
watching(ObjectKind kind)
{
    return api_query(MESSAGE_API_WATCH, kind, NULL, NULL);
}

/* "+a *a -a": what was pushed to a watch. */
static char *
pushed(uint64_t call)
{
    GString *text = g_string_new(NULL);
    for (guint i = 0; i < bench.done->len; i++) {
        const Done *done = bench.done->pdata[i];
        if (bench_is(done, ACTION_PUSH, MESSAGE_API_EVENT) && done->action.call == call) {
            const ApiEvent *event = (const ApiEvent *)done->action.message;
            g_string_append_printf(text, "%s%c%s", text->len > 0 ? " " : "", "+*-"[event->type],
                                   event -> object -> name);
        }
    }
    return g_string_free(text, false);
}

static void
assert_pushed(uint64_t call, const char *expected)
{
    g_autofree char *text = pushed(call);
    ck_assert_str_eq(text, expected);
}

/* ---- objects ---- */

static ApiObject *
new_pod(const char *name)
{
    return bench_pod(&bench, name, NULL);
}

static ApiObject *
config_map(const char *ns, const char *name)
{
    g_autofree char *yaml = g_strdup_printf(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s, namespace: %s}\n", name, ns);
    return bench_object(&bench, yaml);
}

START_TEST(it_listens_at_its_address)
{
    ck_assert_str_eq(bench_nth(&bench, ACTION_LISTEN, MESSAGE_NONE, 0)->action.address,
                     API_ADDRESS);
}
END_TEST

START_TEST(a_created_object_gets_uid_version_and_time)
{
    bench.now = 5 * S;
    ApiObject *mine = new_pod("a");
    const ApiObject *first = create(mine);
    const ApiObject *second = create(new_pod("b"));
    ck_assert_uint_ne(first->uid, 0);
    ck_assert_uint_ne(first->uid, second->uid);
    ck_assert_uint_gt(second->version, first->version);
    ck_assert_int_eq(first->created, 5 * S);
    ck_assert_uint_eq(mine->uid, 0);
    ck_assert_ptr_nonnull(bench_mark(&bench, TRACE_POD_CREATED, "default/a"));
}
END_TEST

START_TEST(writes_and_reads_take_their_time)
{
    uint64_t call = create_call(new_pod("a"));
    ck_assert_int_eq(answer_of(call)->leaves, WRITE);
    ck_assert_int_eq(answer_of(get(OBJECT_POD, "default", "a"))->leaves, READ);
    ck_assert_int_eq(answer_of(ask(listing(OBJECT_POD)))->leaves, READ);
    ck_assert_int_eq(answer_of(create_call(new_pod("a")))->leaves, READ); /* is there already */
    ck_assert_int_eq(answer_of(delete_call(object_of(call), 0, 0))->leaves, WRITE);
}
END_TEST

START_TEST(a_name_is_given_once_per_kind_and_namespace)
{
    create(config_map("a", "x"));
    ck_assert_str_eq(error_of(create_call(config_map("a", "x"))), "ConfigMap \"x\" already exists");
    create(config_map("b", "x"));
    create_yaml("apiVersion: v1\nkind: Secret\nmetadata: {name: x, namespace: a}\n");
    assert_listed(listing(OBJECT_CONFIG_MAP), "x,x");
}
END_TEST

START_TEST(kinds_that_no_machine_knows_are_told_apart)
{
    create_yaml("apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: x}\n");
    create_yaml(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: x}\n");
    uint64_t again = create_call(bench_object(
        &bench, "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: x}\n"));
    ck_assert_str_ne(error_of(again), "none");
}
END_TEST

START_TEST(every_change_makes_a_new_snapshot_and_leaves_the_old_one)
{
    const ApiObject *before = create(new_pod("a"));
    const ApiObject *after = bind_to(before, "node-1");
    ck_assert_uint_gt(after->version, before->version);
    ck_assert_uint_eq(after->uid, before->uid);
    ck_assert_ptr_null(before->node);
    ck_assert(!before->status.scheduled);
}
END_TEST

START_TEST(an_object_can_be_got_by_its_name)
{
    const ApiObject *made = create(config_map("a", "x"));
    ck_assert_uint_eq(object_of(get(OBJECT_CONFIG_MAP, "a", "x"))->uid, made->uid);
    ck_assert_str_eq(error_of(get(OBJECT_CONFIG_MAP, "b", "x")), "ConfigMap \"x\" not found");
    ck_assert_str_eq(error_of(get(OBJECT_SECRET, "a", "x")), "Secret \"x\" not found");
}
END_TEST

START_TEST(an_unknown_request_is_refused)
{
    ck_assert_str_eq(error_of(ask(message_ok())), "unknown request");
}
END_TEST

/* ---- Pods ---- */

START_TEST(a_bind_puts_a_pod_on_its_node)
{
    ApiObject *pod = create(new_pod("a"));
    ApiObject *told = bench_copy(&bench, pod);
    told->status.message = g_strdup("0/2 nodes are available: ...");
    send(MESSAGE_API_STATUS, told);
    ck_assert_str_eq(bench_mark(&bench, TRACE_POD_UNSCHEDULABLE, "default/a")->action.text,
                     "0/2 nodes are available: ...");
    const ApiObject *bound = bind_to(pod, "node-1");
    ck_assert_str_eq(bound->node, "node-1");
    ck_assert(bound->status.scheduled);
    ck_assert_ptr_null(bound->status.message);
    ck_assert_str_eq(bench_mark(&bench, TRACE_POD_SCHEDULED, "default/a")->action.text, "node-1");
}
END_TEST

START_TEST(spec_node_name_bypasses_the_scheduler)
{
    uint64_t kubelet = watch(watching(OBJECT_POD));
    const ApiObject *pod = create(bench_pod(&bench, "a", BENCH_CONTAINER "  nodeName: node-1\n"));
    ck_assert_str_eq(pod->node, "node-1");
    ck_assert(pod->status.scheduled);
    ck_assert_str_eq(bench_mark(&bench, TRACE_POD_SCHEDULED, "default/a")->action.text, "node-1");
    assert_pushed(kubelet, "+a");
    const Done *push = bench_nth(&bench, ACTION_PUSH, MESSAGE_API_EVENT, 0);
    ck_assert_str_eq(((const ApiEvent *)push->action.message)->object->node, "node-1");
}
END_TEST

/* A status as a kubelet sends it. */
static ApiObject *
with_status(const ApiObject *pod, bool ready)
{
    ApiObject *next = bench_copy(&bench, pod);
    next->status.scheduled = true;
    next->status.initialized = true;
    next->status.ready = ready;
    g_free(next->pod_ip);
    next->pod_ip = g_strdup("10.32.0.2");
    g_free(next->node);
    next->node = g_strdup("nonsense");
    return next;
}

START_TEST(a_status_changes_the_status_and_the_address_alone)
{
    ApiObject *pod = bind_to(create(new_pod("a")), "node-1");
    const ApiObject *next = object_of(send(MESSAGE_API_STATUS, with_status(pod, true)));
    ck_assert_str_eq(next->node, "node-1");
    ck_assert_str_eq(next->pod_ip, "10.32.0.2");
    ck_assert(next->status.ready);
    ck_assert_ptr_eq(next->pod, pod->pod);
}
END_TEST

START_TEST(readiness_is_marked_when_it_begins)
{
    ApiObject *pod = bind_to(create(new_pod("a")), "node-1");
    send(MESSAGE_API_STATUS, with_status(pod, false));
    ck_assert_ptr_null(bench_mark(&bench, TRACE_POD_READY, "default/a"));
    ck_assert_ptr_nonnull(bench_mark(&bench, TRACE_POD_INITIALIZED, "default/a"));
    send(MESSAGE_API_STATUS, with_status(pod, true));
    ck_assert_str_eq(bench_mark(&bench, TRACE_POD_READY, "default/a")->action.text, "node-1");
    bench_forget(&bench);
    send(MESSAGE_API_STATUS, with_status(pod, true));
    ck_assert_ptr_null(bench_mark(&bench, TRACE_POD_READY, "default/a"));
    ck_assert_ptr_null(bench_mark(&bench, TRACE_POD_INITIALIZED, "default/a"));
}
END_TEST

START_TEST(a_kubelets_complaint_is_marked_as_a_block)
{
    ApiObject *pod = bind_to(create(new_pod("a")), "node-1");
    ApiObject *told = with_status(pod, false);
    told->status.message = g_strdup("no such volume");
    send(MESSAGE_API_STATUS, told);
    ck_assert_str_eq(bench_mark(&bench, TRACE_POD_BLOCKED, "default/a")->action.text,
                     "no such volume");
    bench_forget(&bench);
    send(MESSAGE_API_STATUS, told);
    ck_assert_ptr_null(bench_mark(&bench, TRACE_POD_BLOCKED, "default/a"));
}
END_TEST

START_TEST(an_update_changes_the_replicas)
{
    ApiObject *set = create_yaml("apiVersion: apps/v1\nkind: ReplicaSet\nmetadata: {name: r}\n"
                                 "spec:\n  replicas: 2\n  selector: {matchLabels: {app: x}}\n"
                                 "  template: {metadata: {labels: {app: x}}, "
                                 "spec: {containers: [{name: c, image: i:1}]}}\n");
    ApiObject *next = bench_copy(&bench, set);
    next->replicas = 5;
    ck_assert_int_eq(object_of(send(MESSAGE_API_UPDATE, next))->replicas, 5);
    ck_assert_int_eq(set->replicas, 2);
}
END_TEST

START_TEST(news_of_an_earlier_pod_of_that_name_are_refused)
{
    ApiObject *old = create(new_pod("a"));
    delete_object(old, 0);
    ApiObject *young = create(new_pod("a"));
    uint64_t status = send(MESSAGE_API_STATUS, with_status(old, true));
    ck_assert_str_eq(error_of(status), "Pod \"a\" not found");
    ck_assert_str_eq(error_of(delete_call(old, old->uid, 0)), "not found");
    ck_assert(!object_of(get(OBJECT_POD, "default", "a"))->status.ready);
    ck_assert_uint_eq(object_of(get(OBJECT_POD, "default", "a"))->uid, young->uid);
}
END_TEST

/* ---- watching ---- */

START_TEST(what_exists_comes_first_in_the_order_of_creation)
{
    create(new_pod("b"));
    ApiObject *a = create(new_pod("a"));
    bind_to(a, "node-1"); /* a change does not move it */
    create(new_pod("c"));
    uint64_t call = watch(watching(OBJECT_POD));
    assert_pushed(call, "+b +a +c");
}
END_TEST

START_TEST(changes_follow_with_the_watch_latency)
{
    uint64_t call = watch(watching(OBJECT_POD));
    ApiObject *pod = create(new_pod("a"));
    bind_to(pod, "node-1");
    delete_object(pod, 0);
    assert_pushed(call, "+a *a -a");
    for (guint i = 0; i < 3; i++) {
        ck_assert_int_eq(bench_nth(&bench, ACTION_PUSH, MESSAGE_API_EVENT, i)->leaves, WATCH);
    }
}
END_TEST

START_TEST(a_watch_sees_one_kind)
{
    uint64_t call = watch(watching(OBJECT_SECRET));
    create(new_pod("a"));
    create(config_map("default", "x"));
    assert_pushed(call, "");
}
END_TEST

START_TEST(a_watch_may_be_of_one_namespace_or_name)
{
    uint64_t by_ns = watch(api_query(MESSAGE_API_WATCH, OBJECT_CONFIG_MAP, "b", NULL));
    uint64_t by_name = watch(api_query(MESSAGE_API_WATCH, OBJECT_CONFIG_MAP, NULL, "z"));
    create(config_map("a", "x"));
    create(config_map("b", "z"));
    create(config_map("c", "z"));
    assert_pushed(by_ns, "+z");
    assert_pushed(by_name, "+z +z");
}
END_TEST

START_TEST(a_watch_may_be_of_pods_with_a_label)
{
    ApiQuery *query = watching(OBJECT_POD);
    query->label = g_strdup("spiffe.io/spiffe-id");
    uint64_t call = watch(query);
    create(new_pod("a"));
    create_yaml("apiVersion: v1\nkind: Pod\nmetadata: {name: b, labels: {spiffe.io/spiffe-id: "
                "\"true\"}}\nspec: {containers: [{name: c, image: i:1}]}\n");
    assert_pushed(call, "+b");
}
END_TEST

START_TEST(a_kubelet_sees_the_pods_of_its_node_from_their_bind_on)
{
    ApiQuery *query = watching(OBJECT_POD);
    query->node = g_strdup("node-1");
    uint64_t call = watch(query);
    ApiObject *a = create(new_pod("a"));
    ApiObject *b = create(new_pod("b"));
    assert_pushed(call, "");
    bind_to(a, "node-1");
    bind_to(b, "node-2");
    assert_pushed(call, "*a");
    delete_object(a, 0);
    delete_object(b, 0);
    assert_pushed(call, "*a -a");
}
END_TEST

START_TEST(a_kubelet_that_comes_later_sees_the_pods_of_its_node)
{
    bind_to(create(new_pod("a")), "node-1");
    bind_to(create(new_pod("b")), "node-2");
    create(new_pod("c"));
    ApiQuery *query = watching(OBJECT_POD);
    query->node = g_strdup("node-2");
    assert_pushed(watch(query), "+b");
}
END_TEST

START_TEST(a_closed_watch_sees_nothing_more)
{
    ApiQuery *query = watching(OBJECT_POD);
    query->node = g_strdup("node-1");
    uint64_t kubelet = watch(query);
    uint64_t first = watch(watching(OBJECT_POD));
    uint64_t second = watch(watching(OBJECT_POD));
    bench_step(&bench, (Input){.kind = INPUT_CLOSED, .call = first});
    bench_step(&bench, (Input){.kind = INPUT_CLOSED, .call = kubelet});
    bench_step(&bench, (Input){.kind = INPUT_CLOSED, .call = 999});
    bind_to(create(new_pod("a")), "node-1");
    assert_pushed(first, "");
    assert_pushed(kubelet, "");
    assert_pushed(second, "+a *a");
}
END_TEST

/* ---- deletion ---- */

START_TEST(a_bound_pod_is_marked_first_and_removed_by_its_kubelet)
{
    ApiObject *pod = bind_to(create(new_pod("a")), "node-1");
    uint64_t call = watch(watching(OBJECT_POD));
    bench_forget(&bench);
    delete_object(pod, 30 * S);
    const ApiObject *marked = object_of(get(OBJECT_POD, "default", "a"));
    ck_assert(marked->deleting);
    ck_assert_int_eq(marked->grace, 30 * S);
    ck_assert_ptr_null(bench_mark(&bench, TRACE_POD_DELETED, NULL));
    delete_object(pod, 0);
    assert_pushed(call, "*a -a");
    ck_assert_ptr_nonnull(bench_mark(&bench, TRACE_POD_DELETED, "default/a"));
    ck_assert_str_eq(error_of(get(OBJECT_POD, "default", "a")), "Pod \"a\" not found");
}
END_TEST

START_TEST(a_pod_without_a_node_is_removed_at_once)
{
    delete_object(create(new_pod("a")), 30 * S);
    ck_assert_str_eq(error_of(get(OBJECT_POD, "default", "a")), "Pod \"a\" not found");
    create(new_pod("a"));
}
END_TEST

START_TEST(what_is_not_there_cannot_be_deleted)
{
    const ApiObject *stranger = new_pod("a");
    ck_assert_str_eq(error_of(delete_call(stranger, 0, 0)), "not found");
    create(new_pod("a"));
    ck_assert_str_eq(error_of(delete_call(stranger, 999, 0)), "not found");
    ck_assert_str_eq(error_of(delete_call(stranger, 0, 0)), "none");
}
END_TEST

#define DEPLOYMENT                                                                                 \
    "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec:\n"                          \
    "  selector: {matchLabels: {app: x}}\n"                                                        \
    "  template: {metadata: {labels: {app: x}}, spec: {terminationGracePeriodSeconds: 7, "         \
    "containers: [{name: c, image: i:1}]}}\n"

/* A child as a controller makes it. */
static ApiObject *
child(const ApiObject *owner, ObjectKind kind, const char *name)
{
    ApiObject *object = api_object_new(kind, owner->ns, name);
    object->owner = owner->uid;
    object->pod = owner->pod;
    object->manifest = kind == OBJECT_POD ? NULL : owner->manifest;
    g_ptr_array_add(bench.objects, object);
    return create(object);
}

START_TEST(owners_take_their_dependents_with_them)
{
    const ApiObject *deployment = create_yaml(DEPLOYMENT);
    const ApiObject *set = child(deployment, OBJECT_REPLICA_SET, "d-1");
    const ApiObject *bound = bind_to(child(set, OBJECT_POD, "d-1-a"), "node-1");
    child(set, OBJECT_POD, "d-1-b");
    const ApiObject *other = create(new_pod("other"));
    ck_assert_uint_ne(other->uid, bound->uid);
    delete_object(deployment, 0);
    assert_listed(listing(OBJECT_DEPLOYMENT), "");
    assert_listed(listing(OBJECT_REPLICA_SET), "");
    assert_listed(listing(OBJECT_POD), "d-1-a,other");
    const ApiObject *marked = object_of(get(OBJECT_POD, "default", "d-1-a"));
    ck_assert(marked->deleting);
    ck_assert_int_eq(marked->grace, 7 * S);
}
END_TEST

START_TEST(dependents_that_went_before_are_passed_over)
{
    const ApiObject *deployment = create_yaml(DEPLOYMENT);
    const ApiObject *first = child(deployment, OBJECT_REPLICA_SET, "d-1");
    child(deployment, OBJECT_REPLICA_SET, "d-2");
    delete_object(first, 0);
    delete_object(deployment, 0);
    assert_listed(listing(OBJECT_REPLICA_SET), "");
}
END_TEST

START_TEST(an_object_whose_owner_is_gone_does_not_stay)
{
    const ApiObject *deployment = create_yaml(DEPLOYMENT);
    delete_object(deployment, 0);
    child(deployment, OBJECT_REPLICA_SET, "d-1");
    bench_run_for(&bench, 60 * S);
    assert_listed(listing(OBJECT_REPLICA_SET), "");
}
END_TEST

START_TEST(a_second_deletion_does_not_lengthen_the_grace)
{
    ApiObject *pod = bind_to(create(new_pod("a")), "node-1");
    delete_object(pod, 5 * S);
    delete_object(pod, 30 * S);
    ck_assert_int_eq(object_of(get(OBJECT_POD, "default", "a"))->grace, 5 * S);
}
END_TEST

/* ---- lists of NSM's objects ---- */

static ApiObject *
endpoint(const char *name, const char *services, const char *url)
{
    ApiObject *object = api_object_new(OBJECT_NETWORK_SERVICE_ENDPOINT, "nsm-system", name);
    object->nse = nse_record_new(name);
    g_strfreev(object->nse->services);
    object->nse->services = g_strsplit(services, ",", -1);
    object->nse->url = g_strdup(url);
    g_ptr_array_add(bench.objects, object);
    return create(object);
}

static ApiQuery *
serving(const char *service)
{
    ApiQuery *query = listing(OBJECT_NETWORK_SERVICE_ENDPOINT);
    query->service = g_strdup(service);
    return query;
}

/* FACTS 1.4: Find matches names by substring. */
START_TEST(endpoints_are_found_by_a_part_of_their_services_name)
{
    endpoint("a", "firewall", "tcp:1");
    endpoint("b", "fire,water", "tcp:2");
    endpoint("c", "water", "tcp:3");
    assert_listed(serving("fire"), "a,b");
    assert_listed(serving("firewall"), "a");
    assert_listed(serving("water"), "b,c");
    assert_listed(serving("earth"), "");
}
END_TEST

START_TEST(endpoints_are_found_by_their_url)
{
    endpoint("a", "forwarder", "tcp:1");
    endpoint("b", "forwarder", "tcp:2");
    ApiQuery *query = serving("forwarder");
    query->url = g_strdup("tcp:2");
    assert_listed(query, "b");
    query = serving("water");
    query->url = g_strdup("tcp:2");
    assert_listed(query, "");
    query = listing(OBJECT_NETWORK_SERVICE_ENDPOINT);
    query->url = g_strdup("tcp:1");
    assert_listed(query, "a");
    query = listing(OBJECT_NETWORK_SERVICE_ENDPOINT);
    query->url = g_strdup("tcp:9");
    assert_listed(query, "");
}
END_TEST

START_TEST(an_updated_endpoint_is_found_by_what_it_is_now)
{
    const ApiObject *a = endpoint("a", "old", "tcp:1");
    ApiObject *next = bench_copy(&bench, a);
    nse_record_unref(next->nse);
    next->nse = nse_record_new("a");
    g_strfreev(next->nse->services);
    next->nse->services = g_strsplit("new", ",", -1);
    next->nse->url = g_strdup("tcp:2");
    send(MESSAGE_API_UPDATE, next);
    assert_listed(serving("old"), "");
    assert_listed(serving("new"), "a");
    ApiQuery *query = listing(OBJECT_NETWORK_SERVICE_ENDPOINT);
    query->url = g_strdup("tcp:1");
    assert_listed(query, "");
    query = listing(OBJECT_NETWORK_SERVICE_ENDPOINT);
    query->url = g_strdup("tcp:2");
    assert_listed(query, "a");
    delete_object(a, 0); /* and no index knows it any more */
    assert_listed(serving("old"), "");
    assert_listed(serving("new"), "");
    query = listing(OBJECT_NETWORK_SERVICE_ENDPOINT);
    query->url = g_strdup("tcp:1");
    assert_listed(query, "");
}
END_TEST

START_TEST(a_deleted_endpoint_is_not_found)
{
    const ApiObject *a = endpoint("a", "fire", "tcp:1");
    endpoint("b", "fire", "tcp:1");
    delete_object(a, 0);
    assert_listed(serving("fire"), "b");
    ApiQuery *query = listing(OBJECT_NETWORK_SERVICE_ENDPOINT);
    query->url = g_strdup("tcp:1");
    assert_listed(query, "b");
}
END_TEST

START_TEST(a_list_weighs_what_the_real_one_carries)
{
    endpoint("a", "fire", "tcp:1");
    endpoint("b", "water", "tcp:2");
    const ApiList *list = (const ApiList *)answer_of(ask(serving("fire")))->action.message;
    ck_assert_uint_eq(list->objects->len, 1);
    ck_assert_uint_eq(list->n_listed, 2);
    ck_assert_int_eq(list->base.weight, 2);
}
END_TEST

static ApiObject *
network_service(const char *ns, const char *name)
{
    g_autofree char *yaml =
        g_strdup_printf("apiVersion: networkservicemesh.io/v1\nkind: NetworkService\n"
                        "metadata: {name: %s, namespace: %s}\nspec: {payload: IP}\n",
                        name, ns);
    return create_yaml(yaml);
}

START_TEST(a_network_service_is_found_in_any_namespace)
{
    network_service("ns-a", "fire");
    const ApiObject *water = network_service("ns-b", "water");
    assert_listed(api_query(MESSAGE_API_LIST, OBJECT_NETWORK_SERVICE, NULL, "water"), "water");
    assert_listed(api_query(MESSAGE_API_LIST, OBJECT_NETWORK_SERVICE, "ns-a", "water"), "");
    delete_object(water, 0);
    assert_listed(api_query(MESSAGE_API_LIST, OBJECT_NETWORK_SERVICE, NULL, "water"), "");
}
END_TEST

START_TEST(a_network_service_is_found_when_its_namesake_is_gone)
{
    network_service("ns-a", "fire");
    const ApiObject *namesake = network_service("ns-b", "fire");
    delete_object(namesake, 0);
    assert_listed(api_query(MESSAGE_API_LIST, OBJECT_NETWORK_SERVICE, NULL, "fire"), "fire");
}
END_TEST

/* ---- admission ---- */

/* `more` goes into the webhook. */
static void
webhook(const char *name, const char *service, const char *resource, const char *more)
{
    g_autofree char *yaml = g_strdup_printf(
        "apiVersion: admissionregistration.k8s.io/v1\nkind: MutatingWebhookConfiguration\n"
        "metadata: {name: %s}\nwebhooks:\n"
        "- name: w.x\n  clientConfig: {service: {namespace: nsm-system, name: %s, path: /mutate}}\n"
        "  rules: [{operations: [CREATE], apiGroups: [\"*\"], apiVersions: [\"*\"], "
        "resources: [%s]}]\n%s",
        name, service, resource, more);
    create_yaml(yaml);
    bench_forget(&bench);
}

/* The n-th review that was asked for. */
static const Done *
review(guint n)
{
    return bench_call(&bench, MESSAGE_ADMISSION_REVIEW, n);
}

static guint
n_reviews(void)
{
    return bench_calls(&bench, MESSAGE_ADMISSION_REVIEW);
}

static void
clear_patch(Message *message)
{
    AdmissionPatch *patch = (AdmissionPatch *)message;
    g_clear_pointer(&patch->spec, pod_spec_free);
}

/* Answers the n-th review: the spec with its first container's image changed (NULL: unchanged). */
static void
admit(guint n, const char *image)
{
    AdmissionPatch *patch = message_new(MESSAGE_ADMISSION_PATCH, sizeof *patch, clear_patch);
    if (image != NULL) {
        patch->spec = pod_spec_copy(api_message_object(review(n)->action.message)->pod);
        g_free(patch->spec->containers[0].image);
        patch->spec->containers[0].image = g_strdup(image);
    }
    bench_reply(&bench, review(n)->action.tag, patch);
}

static const char *
image_of(const ApiObject *object)
{
    return object->pod->containers[0].image;
}

START_TEST(a_pod_waits_for_its_webhook)
{
    webhook("w", "hook", "pods", "");
    uint64_t call = create_call(new_pod("a"));
    ck_assert_ptr_null(answer_of(call));
    ck_assert_str_eq(review(0)->action.address, "svc:hook.nsm-system:443");
    ck_assert_int_eq(review(0)->action.timeout, 10 * S);
    assert_listed(listing(OBJECT_POD), "");
    bench.now = 20 * MS;
    admit(0, NULL);
    ck_assert_str_eq(image_of(object_of(call)), "i:1");
    ck_assert_int_eq(object_of(call)->created, 20 * MS);
}
END_TEST

START_TEST(what_a_webhook_changes_is_stored)
{
    webhook("w", "hook", "pods", "");
    ApiObject *mine = new_pod("a");
    uint64_t call = create_call(mine);
    admit(0, "patched:2");
    ck_assert_str_eq(image_of(object_of(call)), "patched:2");
    ck_assert_str_eq(image_of(mine), "i:1");
}
END_TEST

START_TEST(a_patched_spec_outlives_the_snapshot_that_brought_it)
{
    webhook("w", "hook", "pods", "");
    uint64_t call = create_call(new_pod("a"));
    admit(0, "patched:2");
    ApiObject *second = bind_to(object_of(call), "node-1");
    ApiObject *third = object_of(send(MESSAGE_API_STATUS, with_status(second, true)));
    api_object_ref(third);
    delete_object(third, 0);
    bench_forget(&bench);
    g_ptr_array_set_size(bench.objects, 0);
    ck_assert_int_eq(third->n_refs, 1);
    ck_assert_str_eq(image_of(third), "patched:2");
    api_object_unref(third);
}
END_TEST

START_TEST(webhooks_are_asked_one_after_the_other)
{
    webhook("first", "one", "pods", "");
    webhook("second", "two", "pods", "");
    uint64_t call = create_call(new_pod("a"));
    ck_assert_uint_eq(n_reviews(), 1);
    admit(0, "patched:2");
    ck_assert_uint_eq(n_reviews(), 2);
    ck_assert_str_eq(review(1)->action.address, "svc:two.nsm-system:443");
    ck_assert_str_eq(image_of(api_message_object(review(1)->action.message)), "patched:2");
    admit(1, "patched:3");
    ck_assert_str_eq(image_of(object_of(call)), "patched:3");
}
END_TEST

START_TEST(a_webhook_sees_the_kinds_of_its_rules)
{
    webhook("w", "hook", "deployments", "");
    create(new_pod("a"));
    create(config_map("default", "x"));
    ck_assert_uint_eq(n_reviews(), 0);
    uint64_t call = create_call(bench_object(&bench, DEPLOYMENT));
    ck_assert_uint_eq(n_reviews(), 1);
    admit(0, "patched:2");
    ck_assert_str_eq(image_of(object_of(call)), "patched:2");
    static const char *const others[] = {"DaemonSet", "StatefulSet", "ReplicaSet"};
    for (guint i = 0; i < G_N_ELEMENTS(others); i++) {
        g_autofree char *yaml = g_strdup_printf(
            "apiVersion: apps/v1\nkind: %s\nmetadata: {name: x}\nspec:\n  serviceName: s\n"
            "  selector: {matchLabels: {app: x}}\n  template: {metadata: {labels: {app: x}}, "
            "spec: {containers: [{name: c, image: i:1}]}}\n",
            others[i]);
        create_call(bench_object(&bench, yaml));
        ck_assert_uint_eq(n_reviews(), i + 2);
    }
}
END_TEST

START_TEST(a_webhook_sees_the_namespaces_of_its_selector)
{
    webhook("w", "hook", "pods",
            "  namespaceSelector: {matchExpressions: [{key: kubernetes.io/metadata.name, "
            "operator: NotIn, values: [default]}]}\n");
    create(new_pod("a"));
    ck_assert_uint_eq(n_reviews(), 0);
    create_call(bench_object(&bench,
                             "apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: other}\n"
                             "spec: {containers: [{name: c, image: i:1}]}\n"));
    ck_assert_uint_eq(n_reviews(), 1);
}
END_TEST

START_TEST(what_exists_is_not_reviewed)
{
    create(new_pod("a"));
    webhook("w", "hook", "pods", "");
    ApiObject *pod = object_of(get(OBJECT_POD, "default", "a"));
    bind_to(pod, "node-1");
    ck_assert_uint_eq(n_reviews(), 0);
}
END_TEST

START_TEST(reviews_do_not_hold_up_each_other)
{
    webhook("w", "hook", "pods", "");
    uint64_t first = create_call(new_pod("a"));
    uint64_t second = create_call(new_pod("b"));
    ck_assert_uint_eq(n_reviews(), 2);
    admit(1, NULL);
    ck_assert_ptr_null(answer_of(first));
    ck_assert_str_eq(object_of(second)->name, "b");
    admit(0, NULL);
    ck_assert_str_eq(object_of(first)->name, "a");
}
END_TEST

START_TEST(a_webhook_that_is_down_refuses_the_pod)
{
    webhook("w", "hook", "pods", "  failurePolicy: Fail\n");
    uint64_t call = create_call(new_pod("a"));
    bench_fail(&bench, review(0)->action.tag, FAILURE_REFUSED);
    ck_assert_str_eq(error_of(call), "failed calling webhook: connection refused");
    ck_assert_str_eq(bench_mark(&bench, TRACE_WEBHOOK_FAILED, "default/a")->action.text,
                     "connection refused");
    assert_listed(listing(OBJECT_POD), "");
    call = create_call(new_pod("a"));
    bench_reply(&bench, review(1)->action.tag, message_error("no"));
    ck_assert_str_eq(error_of(call), "failed calling webhook: no");
}
END_TEST

START_TEST(a_late_answer_of_a_webhook_is_ignored)
{
    webhook("w", "hook", "pods", "");
    uint64_t call = create_call(new_pod("a"));
    uint64_t tag = review(0)->action.tag;
    bench_fail(&bench, tag, FAILURE_DEADLINE);
    bench_reply(&bench, tag, message_ok());
    ck_assert_str_eq(error_of(call), "failed calling webhook: deadline exceeded");
}
END_TEST

START_TEST(the_name_may_be_taken_while_a_review_goes_on)
{
    webhook("w", "hook", "pods", "");
    uint64_t first = create_call(new_pod("a"));
    uint64_t second = create_call(new_pod("a"));
    admit(1, NULL);
    admit(0, NULL);
    ck_assert_str_eq(object_of(second)->name, "a");
    ck_assert_str_eq(error_of(first), "Pod \"a\" already exists");
}
END_TEST

START_TEST(a_webhook_that_may_fail_is_passed_over)
{
    webhook("w", "hook", "pods", "  failurePolicy: Ignore\n");
    uint64_t call = create_call(new_pod("a"));
    bench_fail(&bench, review(0)->action.tag, FAILURE_REFUSED);
    ck_assert_str_eq(error_of(call), "none");
    assert_listed(listing(OBJECT_POD), "a");
}
END_TEST

/* mutating_webhook_manager.go */
START_TEST(webhooks_are_asked_in_the_order_of_their_names)
{
    webhook("z", "last", "pods", "");
    webhook("a", "first", "pods", "");
    create_call(new_pod("p"));
    ck_assert_str_eq(review(0)->action.address, "svc:first.nsm-system:443");
}
END_TEST

START_TEST(a_forced_deletion_removes_at_once)
{
    ApiObject *pod = bind_to(create(new_pod("a")), "node-1");
    uint64_t call = watch(watching(OBJECT_POD));
    bench_forget(&bench);
    delete_object(pod, 0);
    assert_pushed(call, "-a");
    ck_assert_ptr_nonnull(bench_mark(&bench, TRACE_POD_TERMINATING, "default/a"));
    ck_assert_ptr_nonnull(bench_mark(&bench, TRACE_POD_DELETED, "default/a"));
}
END_TEST

START_TEST(termination_is_marked_once_when_it_begins)
{
    ApiObject *pod = bind_to(create(new_pod("a")), "node-1");
    delete_object(pod, 30 * S);
    ck_assert_ptr_nonnull(bench_mark(&bench, TRACE_POD_TERMINATING, "default/a"));
    bench_forget(&bench);
    delete_object(pod, 5 * S);
    delete_object(pod, 0);
    ck_assert_ptr_null(bench_mark(&bench, TRACE_POD_TERMINATING, "default/a"));
}
END_TEST

START_TEST(a_pod_that_has_ended_needs_no_grace)
{
    ApiObject *pod = bind_to(create(new_pod("a")), "node-1");
    ApiObject *over = bench_copy(&bench, pod);
    over->status.finished = true;
    send(MESSAGE_API_STATUS, over);
    delete_object(pod, 30 * S);
    assert_listed(listing(OBJECT_POD), "");
}
END_TEST

START_TEST(the_end_of_readiness_is_marked)
{
    ApiObject *pod = bind_to(create(new_pod("a")), "node-1");
    send(MESSAGE_API_STATUS, with_status(pod, false));
    ck_assert_ptr_null(bench_mark(&bench, TRACE_POD_NOT_READY, NULL));
    send(MESSAGE_API_STATUS, with_status(pod, true));
    send(MESSAGE_API_STATUS, with_status(pod, false));
    ck_assert_str_eq(bench_mark(&bench, TRACE_POD_NOT_READY, "default/a")->action.text, "node-1");
    bench_forget(&bench);
    send(MESSAGE_API_STATUS, with_status(pod, true));
    ck_assert_ptr_nonnull(bench_mark(&bench, TRACE_POD_READY, "default/a"));
}
END_TEST

START_TEST(a_pod_is_bound_once)
{
    const ApiObject *pod = create(new_pod("a"));
    bind_to(pod, "node-1");
    ApiObject *again = bench_copy(&bench, pod);
    g_free(again->node);
    again->node = g_strdup("node-2");
    ck_assert_str_eq(error_of(send(MESSAGE_API_BIND, again)),
                     "Pod \"a\" is already assigned to a node");
    ck_assert_str_eq(object_of(get(OBJECT_POD, "default", "a"))->node, "node-1");
}
END_TEST

START_TEST(an_operator_pauses_a_pod)
{
    ApiObject *pod = bind_to(create(new_pod("a")), "node-1");
    ApiObject *paused = bench_copy(&bench, pod);
    paused->paused = true;
    ck_assert(object_of(send(MESSAGE_API_UPDATE, paused))->paused);
    ck_assert(object_of(send(MESSAGE_API_STATUS, with_status(pod, true)))->paused);
}
END_TEST

/* ---- nodes ---- */

static ApiObject *
new_node(const char *name)
{
    ApiObject *node = api_object_new(OBJECT_NODE, "", name);
    g_ptr_array_add(bench.objects, node);
    return create(node);
}

static uint64_t
renew(const char *name)
{
    return ask(api_query(MESSAGE_API_LEASE, OBJECT_NODE, "", name));
}

START_TEST(a_renewal_shows_in_lists_and_is_no_event)
{
    const ApiObject *node = new_node("node-1");
    uint64_t call = watch(watching(OBJECT_NODE));
    bench_run_for(&bench, 10 * S);
    bench_forget(&bench);
    ck_assert_str_eq(error_of(renew("node-1")), "none");
    assert_pushed(call, "");
    const ApiObject *renewed = object_of(get(OBJECT_NODE, "", "node-1"));
    ck_assert_int_eq(renewed->renewed, 10 * S);
    ck_assert_int_eq(node->renewed, 0);
    ck_assert_uint_eq(renewed->version, node->version);
    ck_assert_str_eq(error_of(renew("node-2")), "not found");
}
END_TEST

START_TEST(a_node_is_registered_once)
{
    new_node("node-1");
    ApiObject *again = api_object_new(OBJECT_NODE, "", "node-1");
    g_ptr_array_add(bench.objects, again);
    ck_assert_str_eq(error_of(create_call(again)), "Node \"node-1\" already exists");
}
END_TEST

/* Neither undoes what the other has written from an older snapshot. */
START_TEST(an_operator_and_the_controller_write_parts_of_a_node)
{
    const ApiObject *node = new_node("node-1");
    ApiObject *lost = bench_copy(&bench, node);
    lost->node_condition.unreachable = true;
    send(MESSAGE_API_STATUS, lost);
    ApiObject *cordoned = bench_copy(&bench, node);
    cordoned->node_condition.unschedulable = true;
    cordoned->node_condition.taint_key = g_strdup("repair");
    cordoned->node_condition.taint_effect = g_strdup("NoExecute");
    send(MESSAGE_API_UPDATE, cordoned);
    ApiObject *back = bench_copy(&bench, node);
    const NodeCondition *now = &object_of(get(OBJECT_NODE, "", "node-1"))->node_condition;
    ck_assert(now->unreachable && now->unschedulable);
    ck_assert_str_eq(now->taint_key, "repair");
    send(MESSAGE_API_STATUS, back);
    now = &object_of(get(OBJECT_NODE, "", "node-1"))->node_condition;
    ck_assert(!now->unreachable && now->unschedulable);
    ck_assert_str_eq(now->taint_effect, "NoExecute");
}
END_TEST

START_TEST(a_watch_marks_the_end_of_what_exists)
{
    create(new_pod("a"));
    ApiQuery *query = watching(OBJECT_POD);
    query->marks_end = true;
    uint64_t call = watch(query);
    const Done *last = bench_last(&bench, ACTION_PUSH, MESSAGE_API_EVENT);
    const ApiEvent *event = (const ApiEvent *)last->action.message;
    ck_assert_uint_eq(last->action.call, call);
    ck_assert_int_eq(event->type, WATCH_SYNCED);
    ck_assert_ptr_null(event->object);
    ck_assert_uint_eq(bench_count(&bench, ACTION_PUSH, MESSAGE_API_EVENT), 2);
}
END_TEST

START_TEST(network_services_of_one_name_are_listed_of_all_namespaces)
{
    network_service("ns-a", "fire");
    network_service("ns-b", "fire");
    assert_listed(api_query(MESSAGE_API_LIST, OBJECT_NETWORK_SERVICE, NULL, "fire"), "fire,fire");
    assert_listed(api_query(MESSAGE_API_LIST, OBJECT_NETWORK_SERVICE, "ns-b", "fire"), "fire");
}
END_TEST

static TCase *
faults_case(void)
{
    TCase *faults = tcase_create("faults");
    tcase_add_test(faults, a_forced_deletion_removes_at_once);
    tcase_add_test(faults, termination_is_marked_once_when_it_begins);
    tcase_add_test(faults, a_pod_that_has_ended_needs_no_grace);
    tcase_add_test(faults, the_end_of_readiness_is_marked);
    tcase_add_test(faults, a_pod_is_bound_once);
    tcase_add_test(faults, an_operator_pauses_a_pod);
    tcase_add_test(faults, a_renewal_shows_in_lists_and_is_no_event);
    tcase_add_test(faults, a_node_is_registered_once);
    tcase_add_test(faults, an_operator_and_the_controller_write_parts_of_a_node);
    tcase_add_test(faults, a_watch_marks_the_end_of_what_exists);
    tcase_add_test(faults, network_services_of_one_name_are_listed_of_all_namespaces);
    return faults;
}

static TCase *
objects_case(void)
{
    TCase *objects = tcase_create("objects");
    tcase_add_test(objects, it_listens_at_its_address);
    tcase_add_test(objects, a_created_object_gets_uid_version_and_time);
    tcase_add_test(objects, writes_and_reads_take_their_time);
    tcase_add_test(objects, a_name_is_given_once_per_kind_and_namespace);
    tcase_add_test(objects, kinds_that_no_machine_knows_are_told_apart);
    tcase_add_test(objects, every_change_makes_a_new_snapshot_and_leaves_the_old_one);
    tcase_add_test(objects, an_object_can_be_got_by_its_name);
    tcase_add_test(objects, an_unknown_request_is_refused);
    tcase_add_test(objects, a_bind_puts_a_pod_on_its_node);
    tcase_add_test(objects, spec_node_name_bypasses_the_scheduler);
    tcase_add_test(objects, a_status_changes_the_status_and_the_address_alone);
    tcase_add_test(objects, readiness_is_marked_when_it_begins);
    tcase_add_test(objects, a_kubelets_complaint_is_marked_as_a_block);
    tcase_add_test(objects, an_update_changes_the_replicas);
    tcase_add_test(objects, news_of_an_earlier_pod_of_that_name_are_refused);
    return objects;
}

static TCase *
watches_case(void)
{
    TCase *watches = tcase_create("watches");
    tcase_add_test(watches, what_exists_comes_first_in_the_order_of_creation);
    tcase_add_test(watches, changes_follow_with_the_watch_latency);
    tcase_add_test(watches, a_watch_sees_one_kind);
    tcase_add_test(watches, a_watch_may_be_of_one_namespace_or_name);
    tcase_add_test(watches, a_watch_may_be_of_pods_with_a_label);
    tcase_add_test(watches, a_kubelet_sees_the_pods_of_its_node_from_their_bind_on);
    tcase_add_test(watches, a_kubelet_that_comes_later_sees_the_pods_of_its_node);
    tcase_add_test(watches, a_closed_watch_sees_nothing_more);
    return watches;
}

static TCase *
deletion_case(void)
{
    TCase *deletion = tcase_create("deletion");
    tcase_add_test(deletion, a_bound_pod_is_marked_first_and_removed_by_its_kubelet);
    tcase_add_test(deletion, a_pod_without_a_node_is_removed_at_once);
    tcase_add_test(deletion, what_is_not_there_cannot_be_deleted);
    tcase_add_test(deletion, owners_take_their_dependents_with_them);
    tcase_add_test(deletion, dependents_that_went_before_are_passed_over);
    tcase_add_test(deletion, an_object_whose_owner_is_gone_does_not_stay);
    tcase_add_test(deletion, a_second_deletion_does_not_lengthen_the_grace);
    return deletion;
}

static TCase *
lists_case(void)
{
    TCase *lists = tcase_create("lists");
    tcase_add_test(lists, endpoints_are_found_by_a_part_of_their_services_name);
    tcase_add_test(lists, endpoints_are_found_by_their_url);
    tcase_add_test(lists, an_updated_endpoint_is_found_by_what_it_is_now);
    tcase_add_test(lists, a_deleted_endpoint_is_not_found);
    tcase_add_test(lists, a_list_weighs_what_the_real_one_carries);
    tcase_add_test(lists, a_network_service_is_found_in_any_namespace);
    tcase_add_test(lists, a_network_service_is_found_when_its_namesake_is_gone);
    return lists;
}

static TCase *
admission_case(void)
{
    TCase *admission = tcase_create("admission");
    tcase_add_test(admission, a_pod_waits_for_its_webhook);
    tcase_add_test(admission, what_a_webhook_changes_is_stored);
    tcase_add_test(admission, a_patched_spec_outlives_the_snapshot_that_brought_it);
    tcase_add_test(admission, webhooks_are_asked_one_after_the_other);
    tcase_add_test(admission, a_webhook_sees_the_kinds_of_its_rules);
    tcase_add_test(admission, a_webhook_sees_the_namespaces_of_its_selector);
    tcase_add_test(admission, what_exists_is_not_reviewed);
    tcase_add_test(admission, reviews_do_not_hold_up_each_other);
    tcase_add_test(admission, a_webhook_that_is_down_refuses_the_pod);
    tcase_add_test(admission, a_late_answer_of_a_webhook_is_ignored);
    tcase_add_test(admission, the_name_may_be_taken_while_a_review_goes_on);
    tcase_add_test(admission, a_webhook_that_may_fail_is_passed_over);
    tcase_add_test(admission, webhooks_are_asked_in_the_order_of_their_names);
    return admission;
}

int
main(void)
{
    Suite *suite = suite_create("apiserver");
    TCase *const cases[] = {objects_case(), watches_case(),   deletion_case(),
                            lists_case(),   admission_case(), faults_case()};
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        tcase_add_checked_fixture(cases[i], setup, teardown);
        suite_add_tcase(suite, cases[i]);
    }
    return bench_run_suite(suite);
}
