/* kube-apiserver with its etcd: objects, watches, admission webhooks.
 *
 * Client-side rate limits live in the clients (models/ratelimit.h); the server adds its read and
 * write latency to each answer.  Watches are told in the order of versions.
 * Deletion follows pkg/registry/core/pod/strategy.go: a bound Pod with a grace period is only
 * marked, and removed when its kubelet deletes it with grace 0; a forced deletion (grace 0)
 * removes it at once, its kubelet learns it from the watch; owners take their dependents with
 * them (background garbage collection).
 * A node's lease is a time of its Node object: a renewal is no event and no new version. */
#include "models/k8s/api.h"

#include "models/nsm/names.h"
#include "models/nsm/record.h"

#include <string.h>

typedef struct Watch {
    uint64_t call;
    ApiQuery *query; /* reference */
} Watch;

/* A CREATE that waits for admission webhooks. */
typedef struct Review {
    uint64_t tag;
    uint64_t call;
    ApiObject *object; /* owned, not yet stored */
    char *asked;       /* name of the last webhook that was asked; NULL: none yet */
    bool fails;        /* failurePolicy Fail of the one being asked */
} Review;

typedef struct ApiServer {
    Machine base;
    RandomStream read_random;
    RandomStream write_random;
    RandomStream watch_random;
    uint64_t last_uid;
    uint64_t last_version;
    uint64_t last_tag;
    GHashTable *by_key;                 /* "kind/ns/name" -> GList link in `objects` */
    GHashTable *by_uid;                 /* uid -> the same link */
    GHashTable *dependents;             /* owner uid -> GArray of uid */
    GQueue objects[N_OBJECT_KINDS];     /* ApiObject *, in the order of creation */
    GPtrArray *watches[N_OBJECT_KINDS]; /* Watch *, those without a node */
    GHashTable *node_watches;           /* node -> GPtrArray of Watch * (Pods only) */
    GHashTable *watches_by_call;        /* call -> Watch */
    GHashTable *reviews;                /* tag -> Review */
    GHashTable *network_services;       /* name -> GPtrArray of links, in every namespace */
    NameIndex *nse_services;            /* service name -> link */
    GHashTable *nse_urls;               /* URL -> GPtrArray of links */
} ApiServer;

static char *
object_id(ObjectKind kind, const char *ns, const char *name)
{
    return g_strdup_printf("%d/%s/%s", (int)kind, ns, name);
}

/* Kinds that no machine acts on are many kinds: their own names tell them apart. */
static char *
id_of(const ApiObject *object)
{
    if (object->manifest != NULL &&
        (object->kind == OBJECT_PASSIVE || object->kind == OBJECT_UNKNOWN)) {
        return g_strdup_printf("%s/%s/%s", object->manifest->kind_text, object->ns, object->name);
    }
    return object_id(object->kind, object->ns, object->name);
}

static void
watch_free(void *data)
{
    Watch *watch = data;
    message_unref(&watch->query->base);
    g_free(watch);
}

static void
review_free(void *data)
{
    Review *review = data;
    api_object_unref(review->object);
    g_free(review->asked);
    g_free(review);
}

static nsec_t
draw(ApiServer *server, CalibrationParameter parameter, RandomStream *random)
{
    return process_draw(server->base.info, parameter, random);
}

static ApiObject *
find(ApiServer *server, ObjectKind kind, const char *ns, const char *name, GList **link)
{
    g_autofree char *id = object_id(kind, ns != NULL ? ns : "", name);
    GList *found = g_hash_table_lookup(server->by_key, id);
    if (link != NULL) {
        *link = found;
    }
    return found != NULL ? found->data : NULL;
}

static bool
query_matches(const ApiQuery *query, const ApiObject *object)
{
    if (query->ns != NULL && !g_str_equal(query->ns, object->ns)) {
        return false;
    }
    if (query->name != NULL && !g_str_equal(query->name, object->name)) {
        return false;
    }
    if (query->node != NULL && g_strcmp0(query->node, object->node) != 0) {
        return false;
    }
    if (query->url != NULL && (object->nse == NULL || !g_str_equal(query->url, object->nse->url))) {
        return false;
    }
    return query->label == NULL || labels_get(api_object_labels(object), query->label) != NULL;
}

/* ---- watches ---- */

static void
push_event(ApiServer *server, const Watch *watch, WatchEventType type, ApiObject *object,
           Actions *actions)
{
    actions_push(actions, watch->call, api_event_new(type, object))->delay =
        draw(server, PARAMETER_API_WATCH, &server->watch_random);
}

static void
notify_list(ApiServer *server, const GPtrArray *watches, WatchEventType type, ApiObject *object,
            Actions *actions)
{
    for (guint i = 0; watches != NULL && i < watches->len; i++) {
        const Watch *watch = g_ptr_array_index(watches, i);
        if (query_matches(watch->query, object)) {
            push_event(server, watch, type, object, actions);
        }
    }
}

static void
notify(ApiServer *server, WatchEventType type, ApiObject *object, Actions *actions)
{
    notify_list(server, server->watches[object->kind], type, object, actions);
    if (object->kind == OBJECT_POD && object->node != NULL) {
        notify_list(server, g_hash_table_lookup(server->node_watches, object->node), type, object,
                    actions);
    }
}

static GPtrArray *
watch_list(ApiServer *server, const ApiQuery *query)
{
    if (query->node == NULL) {
        return server->watches[query->kind];
    }
    GPtrArray *list = g_hash_table_lookup(server->node_watches, query->node);
    if (list == NULL) {
        list = g_ptr_array_new();
        g_hash_table_insert(server->node_watches, g_strdup(query->node), list);
    }
    return list;
}

static void
on_opened(ApiServer *server, const Input *input, Actions *actions)
{
    Watch *watch = g_new0(Watch, 1);
    watch->call = input->call;
    watch->query = message_ref((void *)input->message);
    g_hash_table_insert(server->watches_by_call, &watch->call, watch);
    g_ptr_array_add(watch_list(server, watch->query), watch);
    for (GList *link = server->objects[watch->query->kind].head; link != NULL; link = link->next) {
        if (query_matches(watch->query, link->data)) {
            push_event(server, watch, WATCH_ADDED, link->data, actions);
        }
    }
    if (watch->query->marks_end) {
        push_event(server, watch, WATCH_SYNCED, NULL, actions);
    }
}

static void
on_closed(ApiServer *server, const Input *input)
{
    Watch *watch = g_hash_table_lookup(server->watches_by_call, &input->call);
    if (watch != NULL) {
        g_ptr_array_remove(watch_list(server, watch->query), watch);
        g_hash_table_remove(server->watches_by_call, &input->call);
    }
}

/* ---- changes ---- */

/* Adds a link to the list under `key`, or removes it; a list that is empty goes. */
static void
index_link(GHashTable *index, const char *key, GList *link, bool add)
{
    GPtrArray *links = g_hash_table_lookup(index, key);
    if (links == NULL) {
        links = g_ptr_array_new();
        g_hash_table_insert(index, g_strdup(key), links);
    }
    if (add) {
        g_ptr_array_add(links, link);
    } else {
        g_ptr_array_remove(links, link);
    }
    if (links->len == 0) {
        g_hash_table_remove(index, key);
    }
}

static void
index_endpoint(ApiServer *server, GList *link, bool add)
{
    const NseRecord *nse = ((const ApiObject *)link->data)->nse;
    if (nse == NULL) {
        return;
    }
    index_link(server->nse_urls, nse->url, link, add);
    for (char **service = nse->services; *service != NULL; service++) {
        if (add) {
            name_index_add(server->nse_services, *service, link);
        } else {
            name_index_remove(server->nse_services, *service, link);
        }
    }
}

static bool
indexed_alike(const ApiObject *a, const ApiObject *b)
{
    return a->nse == b->nse ||
           (a->nse != NULL && b->nse != NULL && g_str_equal(a->nse->url, b->nse->url) &&
            g_strv_equal((const char *const *)a->nse->services,
                         (const char *const *)b->nse->services));
}

static void
replace(ApiServer *server, GList *link, ApiObject *take_object, Actions *actions)
{
    bool reindex = !indexed_alike(link->data, take_object);
    if (reindex) {
        index_endpoint(server, link, false);
    }
    api_object_unref(link->data);
    link->data = take_object;
    take_object->version = ++server->last_version;
    if (reindex) {
        index_endpoint(server, link, true);
    }
    notify(server, WATCH_MODIFIED, take_object, actions);
}

static void
add_dependent(ApiServer *server, const ApiObject *object)
{
    if (object->owner == 0) {
        return;
    }
    GArray *list = g_hash_table_lookup(server->dependents, &object->owner);
    if (list == NULL) {
        list = g_array_new(false, false, sizeof(uint64_t));
        g_hash_table_insert(server->dependents, g_memdup2(&object->owner, sizeof object->owner),
                            list);
    }
    g_array_append_val(list, object->uid);
}

static void
remove_dependent(ApiServer *server, const ApiObject *object)
{
    GArray *list = g_hash_table_lookup(server->dependents, &object->owner);
    for (guint i = 0; list != NULL && i < list->len; i++) {
        if (g_array_index(list, uint64_t, i) == object->uid) {
            g_array_remove_index(list, i);
            break;
        }
    }
    if (list != NULL && list->len == 0) {
        g_hash_table_remove(server->dependents, &object->owner);
    }
}

static void
store(ApiServer *server, ApiObject *object, nsec_t now, Actions *actions)
{
    object->uid = ++server->last_uid;
    object->version = ++server->last_version;
    object->created = object->renewed = now;
    g_queue_push_tail(&server->objects[object->kind], object);
    GList *link = server->objects[object->kind].tail;
    g_hash_table_insert(server->by_key, id_of(object), link);
    g_hash_table_insert(server->by_uid, g_memdup2(&object->uid, sizeof object->uid), link);
    if (object->kind == OBJECT_NETWORK_SERVICE) { /* looked up in all namespaces at once */
        index_link(server->network_services, object->name, link, true);
    }
    add_dependent(server, object);
    index_endpoint(server, link, true);
    const char *key = actions_printf(actions, "%s/%s", object->ns, object->name);
    bool pod = object->kind == OBJECT_POD;
    actions_trace(actions, pod ? TRACE_POD_CREATED : TRACE_OBJECT_CREATED, key,
                  pod ? NULL : object_kind_name(object->kind));
    if (pod && object->node == NULL && object->pod->node_name != NULL) {
        /* spec.nodeName bypasses the scheduler */
        object->node = g_strdup(object->pod->node_name);
        object->status.scheduled = true;
        actions_trace(actions, TRACE_POD_SCHEDULED, key, object->pod->node_name);
    }
    notify(server, WATCH_ADDED, object, actions);
}

static void delete_object(ApiServer *server, GList *link, nsec_t grace, Actions *actions);

static void
delete_dependents(ApiServer *server, uint64_t owner, Actions *actions)
{
    void *key = NULL;
    void *value = NULL;
    if (!g_hash_table_steal_extended(server->dependents, &owner, &key, &value)) {
        return;
    }
    g_free(key);
    g_autoptr(GArray) list = value;
    for (guint i = 0; i < list->len; i++) {
        GList *link = g_hash_table_lookup(server->by_uid, &g_array_index(list, uint64_t, i));
        if (link != NULL) {
            const ApiObject *object = link->data;
            delete_object(server, link, object->pod != NULL ? object->pod->grace_period : 0,
                          actions);
        }
    }
}

static void
mark_deletion(const ApiObject *object, TraceMark mark, Actions *actions)
{
    actions_trace(actions, mark, actions_printf(actions, "%s/%s", object->ns, object->name), NULL);
}

/* podStrategy.CheckGracefulDelete: who runs nowhere, or has ended, needs no grace. */
static bool
ends_gracefully(const ApiObject *object, nsec_t grace)
{
    return object->kind == OBJECT_POD && object->node != NULL && !object->status.finished &&
           grace > 0;
}

static void
remove_object(ApiServer *server, GList *link, Actions *actions)
{
    ApiObject *object = link->data;
    g_autofree char *id = id_of(object);
    index_endpoint(server, link, false);
    remove_dependent(server, object);
    if (object->kind == OBJECT_NETWORK_SERVICE) {
        index_link(server->network_services, object->name, link, false);
    }
    g_hash_table_remove(server->by_key, id);
    g_hash_table_remove(server->by_uid, &object->uid);
    g_queue_unlink(&server->objects[object->kind], link);
    g_list_free_1(link);
    if (object->kind == OBJECT_POD) {
        mark_deletion(object, TRACE_POD_DELETED, actions);
    }
    notify(server, WATCH_DELETED, object, actions);
    delete_dependents(server, object->uid, actions);
    api_object_unref(object);
}

static void
delete_object(ApiServer *server, GList *link, nsec_t grace, Actions *actions)
{
    const ApiObject *object = link->data;
    if (object->deleting && grace > 0 && grace >= object->grace) {
        return; /* a deletion under way is never lengthened (rest.BeforeDelete) */
    }
    if (object->kind == OBJECT_POD && !object->deleting) {
        mark_deletion(object, TRACE_POD_TERMINATING, actions);
    }
    if (!ends_gracefully(object, grace)) {
        remove_object(server, link, actions);
        return;
    }
    ApiObject *marked = api_object_copy(object);
    marked->deleting = true;
    marked->grace = grace;
    replace(server, link, marked, actions);
}

/* ---- admission ---- */

static bool
webhook_applies(const WebhookSpec *webhook, const ApiObject *object)
{
    bool pod = object->kind == OBJECT_POD;
    bool workload = object->kind == OBJECT_DEPLOYMENT || object->kind == OBJECT_DAEMON_SET ||
                    object->kind == OBJECT_STATEFUL_SET || object->kind == OBJECT_REPLICA_SET;
    if (!(pod && webhook->matches_pods) && !(workload && webhook->matches_workloads)) {
        return false;
    }
    /* every Namespace carries its name as this label since Kubernetes 1.21 */
    Labels labels = {0};
    labels_set(&labels, "kubernetes.io/metadata.name", object->ns);
    bool applies = !webhook->namespace_selector.present ||
                   label_selector_matches(&webhook->namespace_selector, &labels);
    labels_clear(&labels);
    return applies;
}

static void
reply_object(ApiServer *server, uint64_t call, ApiObject *object, Actions *actions)
{
    actions_reply(actions, call, api_message(MESSAGE_API_OBJECT, api_object_ref(object)))->delay =
        draw(server, PARAMETER_API_WRITE, &server->write_random);
}

static void
finish_create(ApiServer *server, uint64_t call, ApiObject *take_object, nsec_t now,
              Actions *actions)
{
    g_autofree char *id = id_of(take_object);
    if (g_hash_table_contains(server->by_key, id)) {
        actions_reply(actions, call,
                      message_error("%s \"%s\" already exists", object_kind_name(take_object->kind),
                                    take_object->name))
            ->delay = draw(server, PARAMETER_API_READ, &server->read_random);
        api_object_unref(take_object);
        return;
    }
    store(server, take_object, now, actions);
    reply_object(server, call, take_object, actions);
    bool orphan =
        take_object->owner != 0 && !g_hash_table_contains(server->by_uid, &take_object->owner);
    if (orphan) { /* its owner went meanwhile: garbagecollector.go attemptToDeleteItem */
        delete_object(server, g_hash_table_lookup(server->by_uid, &take_object->uid), 0, actions);
    }
}

/* Configurations are asked in the order of their names (mutating_webhook_manager.go). */
static const ApiObject *
next_webhook(ApiServer *server, Review *review)
{
    const ApiObject *next = NULL;
    for (GList *link = server->objects[OBJECT_MUTATING_WEBHOOK].head; link; link = link->next) {
        const ApiObject *hook = link->data;
        bool configured = hook->manifest != NULL && hook->manifest->webhook != NULL;
        bool asked = review->asked != NULL && strcmp(hook->name, review->asked) <= 0;
        bool sooner = next == NULL || strcmp(hook->name, next->name) < 0;
        if (configured && !asked && sooner &&
            webhook_applies(hook->manifest->webhook, review->object)) {
            next = hook;
        }
    }
    if (next != NULL) {
        g_free(review->asked);
        review->asked = g_strdup(next->name);
    }
    return next;
}

/* Asks the next webhook, or stores the object when none is left. */
static void
advance_review(ApiServer *server, Review *review, nsec_t now, Actions *actions)
{
    const ApiObject *hook = next_webhook(server, review);
    if (hook == NULL) {
        ApiObject *object = g_steal_pointer(&review->object);
        uint64_t call = review->call;
        g_hash_table_remove(server->reviews, &review->tag);
        finish_create(server, call, object, now, actions);
        return;
    }
    const WebhookSpec *spec = hook->manifest->webhook;
    review->fails = spec->fail;
    const char *address =
        actions_printf(actions, "svc:%s.%s:443", spec->service_name, spec->service_namespace);
    actions_call(actions, address, review->tag,
                 api_message(MESSAGE_ADMISSION_REVIEW, api_object_ref(review->object)))
        ->timeout = spec->timeout;
}

static void
apply_patch(Review *review, const AdmissionPatch *patch)
{
    if (patch->spec == NULL) {
        return;
    }
    g_clear_pointer(&review->object->owned_pod, pod_spec_free);
    review->object->owned_pod = pod_spec_copy(patch->spec);
    review->object->pod = review->object->owned_pod;
}

static void
on_reviewed(ApiServer *server, const Input *input, Actions *actions)
{
    Review *review = g_hash_table_lookup(server->reviews, &input->tag);
    if (review == NULL) {
        return;
    }
    if (input->kind == INPUT_REPLY && input->message->type == MESSAGE_ADMISSION_PATCH) {
        apply_patch(review, (const AdmissionPatch *)input->message);
        advance_review(server, review, input->now, actions);
        return;
    }
    if (!review->fails) { /* failurePolicy Ignore: as if it had not been asked */
        advance_review(server, review, input->now, actions);
        return;
    }
    /* failurePolicy Fail (FACTS 1.10) */
    const char *why = input_problem(input);
    const char *key = actions_printf(actions, "%s/%s", review->object->ns, review->object->name);
    actions_trace(actions, TRACE_WEBHOOK_FAILED, key, actions_string(actions, why));
    actions_reply(actions, review->call, message_error("failed calling webhook: %s", why));
    g_hash_table_remove(server->reviews, &input->tag);
}

/* ---- requests ---- */

static void
on_create(ApiServer *server, const Input *input, Actions *actions)
{
    Review *review = g_new0(Review, 1);
    review->tag = ++server->last_tag;
    review->call = input->call;
    review->object = api_object_copy(api_message_object(input->message));
    g_hash_table_insert(server->reviews, &review->tag, review);
    advance_review(server, review, input->now, actions);
}

static void
trace_status(const ApiObject *before, const ApiObject *after, Actions *actions)
{
    const char *key = actions_printf(actions, "%s/%s", after->ns, after->name);
    if (!before->status.initialized && after->status.initialized) {
        actions_trace(actions, TRACE_POD_INITIALIZED, key, NULL);
    }
    if (!before->status.ready && after->status.ready) {
        actions_trace(actions, TRACE_POD_READY, key, after->node);
    }
    if (before->status.ready && !after->status.ready) {
        actions_trace(actions, TRACE_POD_NOT_READY, key, after->node);
    }
    if (after->status.message != NULL &&
        g_strcmp0(before->status.message, after->status.message) != 0) {
        actions_trace(actions,
                      after->status.scheduled ? TRACE_POD_BLOCKED : TRACE_POD_UNSCHEDULABLE, key,
                      actions_string(actions, after->status.message));
    }
}

static void
write_binding(const ApiObject *want, ApiObject *next, Actions *actions)
{
    g_free(next->node);
    next->node = g_strdup(want->node);
    next->status.scheduled = true;
    g_clear_pointer(&next->status.message, g_free);
    actions_trace(actions, TRACE_POD_SCHEDULED,
                  actions_printf(actions, "%s/%s", next->ns, next->name),
                  actions_string(actions, want->node));
}

static void
write_status(const ApiObject *have, const ApiObject *want, ApiObject *next, Actions *actions)
{
    if (have->kind == OBJECT_NODE) {
        next->node_condition.unreachable = want->node_condition.unreachable;
        return;
    }
    pod_status_clear(&next->status);
    pod_status_copy(&want->status, &next->status);
    g_free(next->pod_ip);
    next->pod_ip = g_strdup(want->pod_ip);
    trace_status(have, next, actions);
}

static void
write_spec(const ApiObject *want, ApiObject *next)
{
    g_clear_pointer(&next->nse, nse_record_unref);
    next->nse = want->nse != NULL ? nse_record_ref(want->nse) : NULL;
    next->replicas = want->replicas;
    next->paused = want->paused;
    node_condition_set_operator(&next->node_condition, &want->node_condition);
}

/* Why an update is refused; NULL: it is not. */
static const char *
update_problem(const ApiObject *have, const ApiObject *want, MessageType type)
{
    if (have == NULL || (want->uid != 0 && want->uid != have->uid)) {
        return "not found";
    }
    bool bound = type == MESSAGE_API_BIND && have->node != NULL;
    return bound ? "is already assigned to a node" : NULL; /* pod storage.go assignPod */
}

/* What an update writes is copied from the caller's snapshot onto the stored one. */
static void
on_update(ApiServer *server, const Input *input, Actions *actions)
{
    const ApiObject *want = api_message_object(input->message);
    GList *link = NULL;
    ApiObject *have = find(server, want->kind, want->ns, want->name, &link);
    const char *problem = update_problem(have, want, input->message->type);
    if (problem != NULL) {
        actions_reply(
            actions, input->call,
            message_error("%s \"%s\" %s", object_kind_name(want->kind), want->name, problem));
        return;
    }
    ApiObject *next = api_object_copy(have);
    if (input->message->type == MESSAGE_API_BIND) {
        write_binding(want, next, actions);
    } else if (input->message->type == MESSAGE_API_STATUS) {
        write_status(have, want, next, actions);
    } else {
        write_spec(want, next);
    }
    replace(server, link, next, actions);
    reply_object(server, input->call, next, actions);
}

static void
on_lease(ApiServer *server, const Input *input, Actions *actions)
{
    const ApiQuery *query = (const ApiQuery *)input->message;
    GList *link = NULL;
    const ApiObject *node = find(server, OBJECT_NODE, query->ns, query->name, &link);
    if (node != NULL) {
        ApiObject *renewed = api_object_copy(node);
        renewed->renewed = input->now;
        api_object_unref(link->data);
        link->data = renewed;
    }
    actions_reply(actions, input->call, node != NULL ? message_ok() : message_error("not found"))
        ->delay = draw(server, PARAMETER_API_WRITE, &server->write_random);
}

static void
on_delete(ApiServer *server, const Input *input, Actions *actions)
{
    const ApiQuery *query = (const ApiQuery *)input->message;
    GList *link = NULL;
    const ApiObject *object = find(server, query->kind, query->ns, query->name, &link);
    bool found = object != NULL && (query->uid == 0 || query->uid == object->uid);
    if (found) {
        delete_object(server, link, query->grace, actions);
    }
    actions_reply(actions, input->call, found ? message_ok() : message_error("not found"))->delay =
        draw(server, PARAMETER_API_WRITE, &server->write_random);
}

static void
clear_list(Message *message)
{
    g_ptr_array_unref(((ApiList *)message)->objects);
}

static bool
serves_like(const ApiObject *object, const char *service)
{
    for (char **name = object->nse->services; service != NULL && *name != NULL; name++) {
        if (strstr(*name, service) != NULL) {
            return true;
        }
    }
    return service == NULL;
}

/* Endpoints by URL, or by part of a service's name: through the index that narrows most. */
static void
collect_endpoints(ApiServer *server, const ApiQuery *query, GPtrArray *out)
{
    g_autoptr(GPtrArray) found = NULL;
    if (query->url == NULL) {
        found = name_index_lookup(server->nse_services, query->service);
    } else {
        GPtrArray *known = g_hash_table_lookup(server->nse_urls, query->url);
        found = known != NULL ? g_ptr_array_ref(known) : g_ptr_array_new();
    }
    for (guint i = 0; i < found->len; i++) {
        GList *link = g_ptr_array_index(found, i);
        if (query_matches(query, link->data) && serves_like(link->data, query->service)) {
            g_ptr_array_add(out, api_object_ref(link->data));
        }
    }
}

static void
collect(ApiServer *server, const ApiQuery *query, GPtrArray *out)
{
    if (query->name != NULL && query->ns == NULL && query->kind == OBJECT_NETWORK_SERVICE) {
        const GPtrArray *links = g_hash_table_lookup(server->network_services, query->name);
        for (guint i = 0; links != NULL && i < links->len; i++) {
            g_ptr_array_add(out, api_object_ref(((GList *)links->pdata[i])->data));
        }
        return;
    }
    if (query->name != NULL) {
        ApiObject *object = find(server, query->kind, query->ns, query->name, NULL);
        if (object != NULL && query_matches(query, object)) {
            g_ptr_array_add(out, api_object_ref(object));
        }
        return;
    }
    if (query->url != NULL || query->service != NULL) {
        collect_endpoints(server, query, out);
        return;
    }
    for (GList *link = server->objects[query->kind].head; link != NULL; link = link->next) {
        if (query_matches(query, link->data)) {
            g_ptr_array_add(out, api_object_ref(link->data));
        }
    }
}

static void
on_list(ApiServer *server, const Input *input, Actions *actions)
{
    const ApiQuery *query = (const ApiQuery *)input->message;
    ApiList *list = message_new(MESSAGE_API_OBJECTS, sizeof *list, clear_list);
    list->objects = g_ptr_array_new_with_free_func((GDestroyNotify)api_object_unref);
    list->n_listed = server->objects[query->kind].length;
    list->base.weight = (int)list->n_listed;
    collect(server, query, list->objects);
    actions_reply(actions, input->call, list)->delay =
        draw(server, PARAMETER_API_READ, &server->read_random);
}

static void
on_get(ApiServer *server, const Input *input, Actions *actions)
{
    const ApiQuery *query = (const ApiQuery *)input->message;
    ApiObject *object = find(server, query->kind, query->ns, query->name, NULL);
    Message *reply = object != NULL ? api_message(MESSAGE_API_OBJECT, api_object_ref(object))
                                    : message_error("%s \"%s\" not found",
                                                    object_kind_name(query->kind), query->name);
    actions_reply(actions, input->call, reply)->delay =
        draw(server, PARAMETER_API_READ, &server->read_random);
}

static void
on_request(ApiServer *server, const Input *input, Actions *actions)
{
    switch ((int)input->message->type) {
    case MESSAGE_API_CREATE:
        on_create(server, input, actions);
        break;
    case MESSAGE_API_UPDATE:
    case MESSAGE_API_STATUS:
    case MESSAGE_API_BIND:
        on_update(server, input, actions);
        break;
    case MESSAGE_API_DELETE:
        on_delete(server, input, actions);
        break;
    case MESSAGE_API_LEASE:
        on_lease(server, input, actions);
        break;
    case MESSAGE_API_LIST:
        on_list(server, input, actions);
        break;
    case MESSAGE_API_GET:
        on_get(server, input, actions);
        break;
    default:
        actions_reply(actions, input->call, message_error("unknown request"));
    }
}

static void
step(Machine *machine, const Input *input, Actions *actions)
{
    ApiServer *server = (ApiServer *)machine;
    switch (input->kind) {
    case INPUT_START:
        actions_listen(actions, API_ADDRESS);
        break;
    case INPUT_REQUEST:
        on_request(server, input, actions);
        break;
    case INPUT_REPLY:
    case INPUT_FAILURE:
        on_reviewed(server, input, actions);
        break;
    case INPUT_OPENED:
        on_opened(server, input, actions);
        break;
    case INPUT_CLOSED:
        on_closed(server, input);
        break;
    case INPUT_CANCELLED:
    case INPUT_EVENT:
    case INPUT_TIMER:
    case INPUT_WORK:
    case INPUT_DATAPLANE:
    case INPUT_RUNTIME:
    case INPUT_EXITED:
    case INPUT_FOUND:
    case INPUT_INJECTED:
    case INPUT_STOP:
        break;
    }
}

static void
apiserver_free(Machine *machine)
{
    ApiServer *server = (ApiServer *)machine;
    g_hash_table_unref(server->reviews);
    g_hash_table_unref(server->watches_by_call);
    g_hash_table_unref(server->node_watches);
    g_hash_table_unref(server->by_key);
    g_hash_table_unref(server->by_uid);
    g_hash_table_unref(server->dependents);
    g_hash_table_unref(server->network_services);
    name_index_free(server->nse_services);
    g_hash_table_unref(server->nse_urls);
    for (int kind = 0; kind < N_OBJECT_KINDS; kind++) {
        g_ptr_array_unref(server->watches[kind]);
        g_queue_clear_full(&server->objects[kind], (GDestroyNotify)api_object_unref);
    }
    g_free(server);
}

static const MachineClass apiserver_class = {COMPONENT_APISERVER, step, apiserver_free};

Machine *
apiserver_new(const ProcessInfo *info)
{
    ApiServer *server = g_new0(ApiServer, 1);
    server->base.class = &apiserver_class;
    server->base.info = info;
    process_random(info, "read", &server->read_random);
    process_random(info, "write", &server->write_random);
    process_random(info, "watch", &server->watch_random);
    server->by_key = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    server->by_uid = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    server->dependents =
        g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, (GDestroyNotify)g_array_unref);
    server->node_watches =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_ptr_array_unref);
    server->watches_by_call = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, watch_free);
    server->reviews = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, review_free);
    server->network_services =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_ptr_array_unref);
    server->nse_services = name_index_new();
    server->nse_urls =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_ptr_array_unref);
    for (int kind = 0; kind < N_OBJECT_KINDS; kind++) {
        server->watches[kind] = g_ptr_array_new();
        g_queue_init(&server->objects[kind]);
    }
    return &server->base;
}

const GQueue *
apiserver_objects(const Machine *machine, ObjectKind kind)
{
    return &((const ApiServer *)machine)->objects[kind];
}
