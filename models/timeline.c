/* Condensing marks. */
#include "models/timeline.h"

#include <stddef.h>
#include <string.h>

struct Timeline {
    TraceSink sink;
    GHashTable *pods;     /* key -> PodTimes */
    GPtrArray *order;     /* PodTimes * */
    GHashTable *requests; /* id -> RequestTimes */
    GHashTable *open;     /* service -> RequestTimes whose attempt is under way */
    GHashTable *submitted;
    GPtrArray *errors;
    nsec_t replaced_from;
    nsec_t registry_wait;
    guint n_waits;
    GHashTable *not_ready; /* node -> times, as a number */
    guint n_evicted;
};

static void
pod_times_free(void *data)
{
    PodTimes *pod = data;
    g_free(pod->key);
    g_free(pod->node);
    g_free(pod->problem);
    g_free(pod->refusal);
    g_free(pod);
}

static void
request_times_free(void *data)
{
    RequestTimes *request = data;
    g_free(request->id);
    g_free(request->service);
    g_free(request->problem);
    g_free(request);
}

static PodTimes *
pod_times(Timeline *timeline, const char *key)
{
    PodTimes *pod = g_hash_table_lookup(timeline->pods, key);
    if (pod == NULL) {
        pod = g_new0(PodTimes, 1);
        pod->key = g_strdup(key);
        pod->created = pod->scheduled = pod->volumes = pod->sandbox = pod->started = NSEC_NEVER;
        pod->identity = pod->registering = pod->registered = NSEC_NEVER;
        pod->initialized = pod->ready = NSEC_NEVER;
        g_hash_table_insert(timeline->pods, pod->key, pod);
        g_ptr_array_add(timeline->order, pod);
    }
    return pod;
}

static void
first(nsec_t *when, nsec_t at)
{
    if (*when == NSEC_NEVER) {
        *when = at;
    }
}

static void
replace(char **text, const char *with)
{
    g_free(*text);
    *text = g_strdup(with);
}

/* "namespace/pod/container" -> "namespace/pod"; NULL: not known, or forgotten */
static PodTimes *
pod_of_container(const Timeline *timeline, const char *subject)
{
    const char *slash = strrchr(subject, '/');
    g_autofree char *key = g_strndup(subject, (gsize)(slash - subject));
    return g_hash_table_lookup(timeline->pods, key);
}

static void
on_container(const Timeline *timeline, const TraceEvent *event)
{
    PodTimes *pod = pod_of_container(timeline, event->subject);
    if (pod != NULL && event->mark == TRACE_CONTAINER_STARTED) {
        first(&pod->started, event->at);
    } else if (pod != NULL) {
        pod->n_restarts += g_strcmp0(event->detail, "0") != 0;
    }
}

static void
on_pod_mark(Timeline *timeline, const TraceEvent *event)
{
    PodTimes *pod = event->mark == TRACE_POD_CREATED
                        ? pod_times(timeline, event->subject)
                        : g_hash_table_lookup(timeline->pods, event->subject);
    if (pod == NULL) {
        return; /* forgotten: its containers end after it when it is deleted without grace */
    }
    switch ((int)event->mark) {
    case TRACE_POD_CREATED:
        first(&pod->created, event->at);
        pod->replacement = event->at >= timeline->replaced_from;
        pod->deleted = false;
        break;
    case TRACE_POD_SCHEDULED:
        first(&pod->scheduled, event->at);
        replace(&pod->node, event->detail);
        break;
    case TRACE_POD_VOLUMES:
        first(&pod->volumes, event->at);
        break;
    case TRACE_POD_SANDBOX:
        first(&pod->sandbox, event->at);
        break;
    case TRACE_POD_INITIALIZED:
        first(&pod->initialized, event->at);
        break;
    case TRACE_POD_READY:
        first(&pod->ready, event->at);
        g_clear_pointer(&pod->problem, g_free);
        break;
    case TRACE_IDENTITY_RECEIVED:
        first(&pod->identity, event->at);
        break;
    case TRACE_IDENTITY_REFUSED:
        pod->n_refused++;
        replace(&pod->refusal, event->detail);
        break;
    case TRACE_REGISTER_STARTED:
        first(&pod->registering, event->at);
        break;
    case TRACE_REGISTERED:
        first(&pod->registered, event->at);
        break;
    default: /* unschedulable, blocked */
        replace(&pod->problem, event->detail);
    }
}

static void
begin_request(Timeline *timeline, const TraceEvent *event)
{
    RequestTimes *request = g_hash_table_lookup(timeline->requests, event->subject);
    if (request == NULL) {
        request = g_new0(RequestTimes, 1);
        request->id = g_strdup(event->subject);
        request->service = g_strdup(event->detail);
        request->first = event->at;
        request->done = NSEC_NEVER;
        g_hash_table_insert(timeline->requests, request->id, request);
    }
    if (request->done == NSEC_NEVER) {
        request->last = event->at;
        request->registry = 0;
        g_hash_table_insert(timeline->open, request->service, request);
    }
}

static void
end_request(Timeline *timeline, const TraceEvent *event)
{
    RequestTimes *request = g_hash_table_lookup(timeline->requests, event->subject);
    if (request == NULL || request->done != NSEC_NEVER) {
        return;
    }
    g_hash_table_remove(timeline->open, request->service);
    if (event->mark == TRACE_REQUEST_DONE) {
        request->done = event->at;
    } else {
        request->n_failed++;
        replace(&request->problem, event->detail);
    }
}

static void
note_wait(Timeline *timeline, const TraceEvent *event)
{
    timeline->registry_wait += event->value;
    timeline->n_waits++;
    RequestTimes *request = g_hash_table_lookup(timeline->open, event->subject);
    bool find = g_strcmp0(event->detail, "find") == 0;
    if (request == NULL && find && g_hash_table_size(timeline->open) == 1) {
        GHashTableIter iter; /* look-ups of forwarders name no service; alone, they are its */
        void *value;
        g_hash_table_iter_init(&iter, timeline->open);
        if (g_hash_table_iter_next(&iter, NULL, &value)) {
            request = value;
        }
    }
    if (request != NULL && find) {
        request->registry += event->value;
    }
}

static void
note_time(GHashTable *times, const TraceEvent *event)
{
    if (!g_hash_table_contains(times, event->subject)) {
        g_hash_table_insert(times, g_strdup(event->subject),
                            g_memdup2(&event->at, sizeof event->at));
    }
}

/* A connection's id is "<namespace>/<pod>-<number>". */
static bool
is_request_of(const char *id, const char *pod_key)
{
    const char *number = id + strlen(pod_key) + 1;
    return g_str_has_prefix(id, pod_key) && number[-1] == '-' &&
           strspn(number, "0123456789") == strlen(number);
}

static gboolean
is_same(gpointer key, gpointer value, gpointer request)
{
    (void)key;
    return value == request;
}

/* What nobody can ask for any more. */
static void
forget_pod(Timeline *timeline, PodTimes *pod)
{
    GHashTableIter iter;
    void *id, *request;
    g_hash_table_iter_init(&iter, timeline->requests);
    while (g_hash_table_iter_next(&iter, &id, &request)) {
        if (is_request_of(id, pod->key)) {
            g_hash_table_foreach_remove(timeline->open, is_same, request);
            g_hash_table_iter_remove(&iter);
        }
    }
    g_ptr_array_remove(timeline->order, pod);
    g_hash_table_remove(timeline->pods, pod->key);
}

static void
on_deleted(Timeline *timeline, const char *key)
{
    PodTimes *pod = g_hash_table_lookup(timeline->pods, key);
    if (pod == NULL) {
        return;
    }
    pod->deleted = true;
    if (pod->replacement) {
        forget_pod(timeline, pod);
    }
}

static void
on_event(TraceSink *sink, const TraceEvent *event)
{
    Timeline *timeline = (Timeline *)((char *)sink - offsetof(Timeline, sink));
    switch ((int)event->mark) {
    case TRACE_SUBMITTED:
        note_time(timeline->submitted, event);
        break;
    case TRACE_POD_CREATED:
    case TRACE_POD_SCHEDULED:
    case TRACE_POD_UNSCHEDULABLE:
    case TRACE_POD_BLOCKED:
    case TRACE_POD_VOLUMES:
    case TRACE_POD_SANDBOX:
    case TRACE_POD_INITIALIZED:
    case TRACE_POD_READY:
    case TRACE_IDENTITY_REFUSED:
    case TRACE_IDENTITY_RECEIVED:
    case TRACE_REGISTER_STARTED:
    case TRACE_REGISTERED:
        on_pod_mark(timeline, event);
        break;
    case TRACE_NODE_NOT_READY:
        g_hash_table_insert(
            timeline->not_ready, g_strdup(event->subject),
            GUINT_TO_POINTER(timeline_node_not_ready(timeline, event->subject) + 1));
        break;
    case TRACE_POD_EVICTED:
        timeline->n_evicted++;
        break;
    case TRACE_POD_DELETED:
        on_deleted(timeline, event->subject);
        break;
    case TRACE_CONTAINER_STARTED:
    case TRACE_CONTAINER_EXITED:
        on_container(timeline, event);
        break;
    case TRACE_REQUEST_STARTED:
        begin_request(timeline, event);
        break;
    case TRACE_REQUEST_DONE:
    case TRACE_REQUEST_FAILED:
        end_request(timeline, event);
        break;
    case TRACE_REGISTRY_WAIT:
        note_wait(timeline, event);
        break;
    case TRACE_NOTE:
        if (g_str_equal(event->component, "kubectl")) {
            g_ptr_array_add(timeline->errors,
                            g_strdup_printf("%s: %s", event->subject, event->detail));
        }
        break;
    default:
        break;
    }
}

Timeline *
timeline_new(nsec_t replaced_from)
{
    Timeline *timeline = g_new0(Timeline, 1);
    timeline->sink.event = on_event;
    timeline->replaced_from = replaced_from;
    timeline->pods = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, pod_times_free);
    timeline->order = g_ptr_array_new();
    timeline->requests = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, request_times_free);
    timeline->open = g_hash_table_new(g_str_hash, g_str_equal);
    timeline->submitted = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    timeline->errors = g_ptr_array_new_with_free_func(g_free);
    timeline->not_ready = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    return timeline;
}

void
timeline_free(Timeline *timeline)
{
    g_hash_table_unref(timeline->not_ready);
    g_hash_table_unref(timeline->open);
    g_hash_table_unref(timeline->pods);
    g_hash_table_unref(timeline->requests);
    g_hash_table_unref(timeline->submitted);
    g_ptr_array_unref(timeline->order);
    g_ptr_array_unref(timeline->errors);
    g_free(timeline);
}

TraceSink *
timeline_sink(Timeline *timeline)
{
    return &timeline->sink;
}

const PodTimes *
timeline_pod(const Timeline *timeline, const char *key)
{
    return g_hash_table_lookup(timeline->pods, key);
}

const RequestTimes *
timeline_request(const Timeline *timeline, const char *id)
{
    return g_hash_table_lookup(timeline->requests, id);
}

static nsec_t
time_of(GHashTable *times, const char *key)
{
    const nsec_t *at = g_hash_table_lookup(times, key);
    return at != NULL ? *at : NSEC_NEVER;
}

nsec_t
timeline_submitted(const Timeline *timeline, const char *manifest)
{
    return time_of(timeline->submitted, manifest);
}

const GPtrArray *
timeline_pods(const Timeline *timeline)
{
    return timeline->order;
}

const GPtrArray *
timeline_errors(const Timeline *timeline)
{
    return timeline->errors;
}

guint
timeline_node_not_ready(const Timeline *timeline, const char *node)
{
    return GPOINTER_TO_UINT(g_hash_table_lookup(timeline->not_ready, node));
}

guint
timeline_n_evicted(const Timeline *timeline)
{
    return timeline->n_evicted;
}

nsec_t
timeline_registry_wait(const Timeline *timeline, guint *n)
{
    if (n != NULL) {
        *n = timeline->n_waits;
    }
    return timeline->registry_wait;
}
