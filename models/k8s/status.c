/* Statuses on their way to the API server. */
#include "models/k8s/status.h"

#define BATCH_PERIOD (10 * NSEC_PER_SEC) /* syncPeriod */
#define CALL_LOST (45 * NSEC_PER_SEC)    /* HTTP/2 health check of client-go: 30 s and 15 s */

struct StatusRequest {
    uint64_t uid;
    uint64_t version;
    PodStatus status;
    char *ip;
};

typedef struct StatusEntry {
    ApiObject *pod; /* newest snapshot known here */
    PodStatus status;
    char *ip;
    uint64_t version; /* of `status` */
    uint64_t arrived; /* highest version that the API server has */
} StatusEntry;

static void
entry_free(void *data)
{
    StatusEntry *entry = data;
    api_object_unref(entry->pod);
    pod_status_clear(&entry->status);
    g_free(entry->ip);
    g_free(entry);
}

static void
request_free(void *data)
{
    StatusRequest *request = data;
    if (request != NULL) {
        pod_status_clear(&request->status);
        g_free(request->ip);
        g_free(request);
    }
}

static bool
same_container(const ContainerStatus *x, const ContainerStatus *y)
{
    return x->phase == y->phase && x->started == y->started && x->ready == y->ready &&
           x->restarts == y->restarts && g_strcmp0(x->waiting_reason, y->waiting_reason) == 0 &&
           g_strcmp0(x->exit_reason, y->exit_reason) == 0;
}

static bool
same_status(const PodStatus *a, const PodStatus *b)
{
    if (a->n_containers != b->n_containers || a->sandbox != b->sandbox ||
        a->initialized != b->initialized || a->ready != b->ready || a->finished != b->finished ||
        g_strcmp0(a->message, b->message) != 0) {
        return false;
    }
    for (guint i = 0; i < a->n_containers; i++) {
        if (!same_container(&a->containers[i], &b->containers[i])) {
            return false;
        }
    }
    return true;
}

static void
push_request(StatusManager *manager, const StatusEntry *entry)
{
    StatusRequest *request = g_new0(StatusRequest, 1);
    request->uid = entry->pod->uid;
    request->version = entry->version;
    request->ip = g_strdup(entry->ip);
    pod_status_copy(&entry->status, &request->status);
    g_queue_push_tail(&manager->requests, request);
}

static int
compare_entries(const void *a, const void *b)
{
    const StatusEntry *left = *(StatusEntry *const *)a, *right = *(StatusEntry *const *)b;
    return left->pod->uid < right->pod->uid ? -1 : left->pod->uid > right->pod->uid;
}

static bool
is_overwritten(const StatusEntry *entry)
{
    return entry->arrived == entry->version && entry->pod->status.ready != entry->status.ready;
}

/* syncBatch; what waits in the channel is dropped, the batch handles it. */
static void
batch(StatusManager *manager)
{
    g_queue_clear_full(&manager->requests, request_free);
    g_autoptr(GPtrArray) stale = g_ptr_array_new();
    GHashTableIter iter;
    void *value;
    g_hash_table_iter_init(&iter, manager->pods);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        StatusEntry *entry = value;
        entry->arrived = is_overwritten(entry) ? 0 : entry->arrived;
        if (entry->arrived < entry->version) {
            g_ptr_array_add(stale, entry);
        }
    }
    g_ptr_array_sort(stale, compare_entries);
    for (guint i = 0; i < stale->len; i++) {
        push_request(manager, stale->pdata[i]);
    }
}

static void
arm(StatusManager *manager, nsec_t now, Actions *actions)
{
    if (!manager->armed) {
        manager->armed = true;
        nsec_t into = (now - manager->started) % BATCH_PERIOD;
        actions_timer(actions, STATUS_TAG_BATCH, BATCH_PERIOD - into);
    }
}

static void
call(StatusManager *manager, uint64_t tag, void *take_message, nsec_t now, Actions *actions)
{
    Action *action = actions_call(actions, API_ADDRESS, tag, take_message);
    action->flags = CALL_PLAIN;
    action->timeout = CALL_LOST;
    action->delay = rate_limit_reserve(manager->client, now);
}

/* syncPod begins: who has arrived in a newer version meanwhile is passed over (needsUpdate). */
static void
send_next(StatusManager *manager, nsec_t now, Actions *actions)
{
    if (manager->current != NULL) {
        return;
    }
    int64_t ticks = (now - manager->started) / BATCH_PERIOD;
    if (ticks > manager->batches) {
        manager->batches = ticks;
        batch(manager);
    }
    while (manager->current == NULL && !g_queue_is_empty(&manager->requests)) {
        StatusRequest *request = g_queue_pop_head(&manager->requests);
        const StatusEntry *entry = g_hash_table_lookup(manager->pods, &request->uid);
        if (entry == NULL || entry->arrived >= request->version) {
            request_free(request);
            continue;
        }
        manager->current = request;
        call(manager, request->uid << 16 | STATUS_TAG_GET,
             api_query(MESSAGE_API_GET, OBJECT_POD, entry->pod->ns, entry->pod->name), now,
             actions);
    }
}

void
status_manager_set(StatusManager *manager, ApiObject *pod, const char *ip, PodStatus *take_status,
                   nsec_t now, Actions *actions)
{
    StatusEntry *entry = g_hash_table_lookup(manager->pods, &pod->uid);
    if (entry == NULL) {
        entry = g_new0(StatusEntry, 1);
        entry->pod = api_object_ref(pod);
        g_hash_table_insert(manager->pods, g_memdup2(&pod->uid, sizeof pod->uid), entry);
    } else if (same_status(&entry->status, take_status)) {
        pod_status_clear(take_status);
        return;
    }
    pod_status_clear(&entry->status);
    entry->status = *take_status;
    entry->version++;
    g_free(entry->ip);
    entry->ip = g_strdup(ip);
    push_request(manager, entry);
    send_next(manager, now, actions);
}

void
status_manager_note(StatusManager *manager, ApiObject *pod, nsec_t now, Actions *actions)
{
    StatusEntry *entry = g_hash_table_lookup(manager->pods, &pod->uid);
    if (entry == NULL) {
        return;
    }
    api_object_ref(pod);
    api_object_unref(entry->pod);
    entry->pod = pod;
    if (is_overwritten(entry)) {
        arm(manager, now, actions);
    }
}

void
status_manager_forget(StatusManager *manager, uint64_t uid)
{
    g_hash_table_remove(manager->pods, &uid);
}

static void
finish(StatusManager *manager, bool again, nsec_t now, Actions *actions)
{
    g_clear_pointer(&manager->current, request_free);
    if (again) { /* at the next batch, as its version has not arrived */
        arm(manager, now, actions);
    }
    send_next(manager, now, actions);
}

/* A Pod that is not found, or another one of that name, ends the update. */
static void
on_got(StatusManager *manager, const Input *input, Actions *actions)
{
    const StatusRequest *request = manager->current;
    StatusEntry *entry = g_hash_table_lookup(manager->pods, &request->uid);
    bool object = input->kind == INPUT_REPLY && input->message->type == MESSAGE_API_OBJECT;
    bool other = object && api_message_object(input->message)->uid != request->uid;
    if (entry == NULL || other || input_problem(input) != NULL) {
        finish(manager, input->kind == INPUT_FAILURE, input->now, actions);
        return;
    }
    ApiObject *update = api_object_copy(entry->pod);
    pod_status_clear(&update->status);
    pod_status_copy(&request->status, &update->status);
    g_free(update->pod_ip);
    update->pod_ip = g_strdup(request->ip);
    call(manager, request->uid << 16 | STATUS_TAG_PATCH, api_message(MESSAGE_API_STATUS, update),
         input->now, actions);
}

static void
on_patched(StatusManager *manager, const Input *input, Actions *actions)
{
    StatusEntry *entry = g_hash_table_lookup(manager->pods, &manager->current->uid);
    bool failed = input_problem(input) != NULL;
    if (entry != NULL && !failed) {
        entry->arrived = MAX(entry->arrived, manager->current->version);
    }
    finish(manager, failed && entry != NULL, input->now, actions);
}

void
status_manager_step(StatusManager *manager, const Input *input, Actions *actions)
{
    int kind = (int)(input->tag & 0xff);
    if (kind == STATUS_TAG_BATCH) {
        manager->armed = false;
        send_next(manager, input->now, actions);
        return;
    }
    bool mine = manager->current != NULL && manager->current->uid == input->tag >> 16;
    if (mine && kind == STATUS_TAG_GET) {
        on_got(manager, input, actions);
    } else if (mine && kind == STATUS_TAG_PATCH) {
        on_patched(manager, input, actions);
    }
}

void
status_manager_init(StatusManager *manager, RateLimit *client, nsec_t now)
{
    *manager = (StatusManager){.client = client, .started = now};
    g_queue_init(&manager->requests);
    manager->pods = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, entry_free);
}

void
status_manager_clear(StatusManager *manager)
{
    g_queue_clear_full(&manager->requests, request_free);
    g_clear_pointer(&manager->current, request_free);
    g_clear_pointer(&manager->pods, g_hash_table_unref);
}
