/* Streams of connection events between hops. */
#include "models/nsm/monitor.h"

#define TAG_BASE (UINT64_C(1) << 62) /* apart from the owner's tags */

typedef struct MonitorLink {
    char *id;
    Connection *state;
    char *next;   /* whom the stream leads to; NULL: none stands */
    uint64_t tag; /* of the stream */
} MonitorLink;

static void
monitor_link_free(void *data)
{
    MonitorLink *link = data;
    connection_unref(link->state);
    g_free(link->id);
    g_free(link->next);
    g_free(link);
}

void
monitor_init(Monitor *monitor)
{
    monitor->links = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, monitor_link_free);
    monitor->streams = g_hash_table_new(g_int64_hash, g_int64_equal);
    monitor->watchers =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_array_unref);
    monitor->calls = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
    monitor->last_tag = TAG_BASE;
}

void
monitor_clear(Monitor *monitor)
{
    g_hash_table_unref(monitor->streams);
    g_hash_table_unref(monitor->links);
    g_hash_table_unref(monitor->watchers);
    g_hash_table_unref(monitor->calls);
}

/* ---- watchers ---- */

static void
add_watcher(Monitor *monitor, const Input *input, Actions *actions)
{
    g_autofree char *id = connection_next_id(nsm_message_connection(input->message));
    const MonitorLink *link = g_hash_table_lookup(monitor->links, id);
    actions_push(actions, input->call,
                 nsm_event(NSM_EVENT_INITIAL, link != NULL ? connection_ref(link->state) : NULL));
    GArray *calls = g_hash_table_lookup(monitor->watchers, id);
    if (calls == NULL) {
        calls = g_array_new(false, false, sizeof(uint64_t));
        g_hash_table_insert(monitor->watchers, g_strdup(id), calls);
    }
    g_array_append_val(calls, input->call);
    g_hash_table_insert(monitor->calls, g_memdup2(&input->call, sizeof input->call),
                        g_steal_pointer(&id));
}

static bool
remove_watcher(Monitor *monitor, uint64_t call)
{
    const char *id = g_hash_table_lookup(monitor->calls, &call);
    if (id == NULL) {
        return false;
    }
    GArray *calls = g_hash_table_lookup(monitor->watchers, id);
    for (guint i = 0; i < calls->len; i++) {
        if (g_array_index(calls, uint64_t, i) == call) {
            g_array_remove_index(calls, i);
            break;
        }
    }
    if (calls->len == 0) {
        g_hash_table_remove(monitor->watchers, id);
    }
    g_hash_table_remove(monitor->calls, &call);
    return true;
}

static void
tell(Monitor *monitor, const MonitorLink *link, NsmEventKind kind, Actions *actions)
{
    const GArray *calls = g_hash_table_lookup(monitor->watchers, link->id);
    for (guint i = 0; calls != NULL && i < calls->len; i++) {
        actions_push(actions, g_array_index(calls, uint64_t, i),
                     nsm_event(kind, connection_ref(link->state)));
    }
}

/* ---- the next hop ---- */

static void
forget_stream(Monitor *monitor, MonitorLink *link)
{
    if (link->next != NULL) {
        g_hash_table_remove(monitor->streams, &link->tag);
        g_clear_pointer(&link->next, g_free);
    }
}

static void
stop_stream(Monitor *monitor, MonitorLink *link, Actions *actions)
{
    if (link->next != NULL) {
        actions_cancel(actions, link->tag);
        forget_stream(monitor, link);
    }
}

void
monitor_established(Monitor *monitor, Connection *state, const char *next, Actions *actions)
{
    const char *id = connection_segment_id(state);
    MonitorLink *link = g_hash_table_lookup(monitor->links, id);
    if (link == NULL) {
        link = g_new0(MonitorLink, 1);
        link->id = g_strdup(id);
        g_hash_table_insert(monitor->links, link->id, link);
    }
    connection_ref(state);
    connection_unref(link->state);
    link->state = state;
    if (g_strcmp0(link->next, next) == 0) {
        return;
    }
    stop_stream(monitor, link, actions);
    if (next != NULL) {
        link->next = g_strdup(next);
        link->tag = ++monitor->last_tag;
        g_hash_table_insert(monitor->streams, &link->tag, link);
        actions_open(actions, actions_string(actions, next), link->tag,
                     nsm_message(MESSAGE_NSM_MONITOR, connection_ref(state)));
    }
}

void
monitor_closed(Monitor *monitor, const char *id, Actions *actions)
{
    MonitorLink *link = g_hash_table_lookup(monitor->links, id);
    if (link != NULL) {
        stop_stream(monitor, link, actions);
        tell(monitor, link, NSM_EVENT_DELETE, actions);
        g_hash_table_remove(monitor->links, id);
    }
}

static MonitorNews
news_of(const Input *input)
{
    if (input->kind == INPUT_CLOSED) {
        return MONITOR_BROKEN;
    }
    switch (nsm_event_kind(input->message)) {
    case NSM_EVENT_INITIAL:
        break;
    case NSM_EVENT_DOWN:
        return MONITOR_DOWN;
    case NSM_EVENT_DELETE:
        return MONITOR_DELETED;
    }
    return MONITOR_NOTHING;
}

bool
monitor_step(Monitor *monitor, const Input *input, Actions *actions, MonitorNews *news,
             const char **id)
{
    *news = MONITOR_NOTHING;
    if (input->kind == INPUT_OPENED && input->message->type == MESSAGE_NSM_MONITOR) {
        add_watcher(monitor, input, actions);
        return true;
    }
    if (input->kind == INPUT_CLOSED && input->call != 0) {
        return remove_watcher(monitor, input->call);
    }
    bool streams = input->kind == INPUT_EVENT || input->kind == INPUT_CLOSED;
    MonitorLink *link = streams ? g_hash_table_lookup(monitor->streams, &input->tag) : NULL;
    if (link == NULL) {
        return streams && input->tag > TAG_BASE && input->tag <= monitor->last_tag;
    }
    *news = news_of(input);
    *id = link->id;
    if (*news == MONITOR_BROKEN) {
        forget_stream(monitor, link);
    }
    if (*news == MONITOR_BROKEN || *news == MONITOR_DOWN) {
        tell(monitor, link, NSM_EVENT_DOWN, actions);
    }
    return true;
}
