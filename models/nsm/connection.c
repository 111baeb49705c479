/* Connections, and the messages of NSM and its registry. */
#include "models/nsm/connection.h"

static void
segment_clear(void *data)
{
    PathSegment *segment = data;
    g_free(segment->name);
    g_free(segment->id);
}

static void
link_end_copy(const LinkEnd *from, LinkEnd *out)
{
    out->pod = g_strdup(from->pod);
    out->interface = g_strdup(from->interface);
    out->node = g_strdup(from->node);
    out->ip = g_strdup(from->ip);
    out->made = from->made;
}

static void
link_end_clear(LinkEnd *end)
{
    g_clear_pointer(&end->pod, g_free);
    g_clear_pointer(&end->interface, g_free);
    g_clear_pointer(&end->node, g_free);
    g_clear_pointer(&end->ip, g_free);
    end->made = 0;
}

static GArray *
path_new(guint size)
{
    GArray *path = g_array_sized_new(false, true, sizeof(PathSegment), size);
    g_array_set_clear_func(path, segment_clear);
    return path;
}

Connection *
connection_new(const char *id, const char *service)
{
    Connection *connection = g_new0(Connection, 1);
    connection->n_refs = 1;
    connection->id = g_strdup(id);
    connection->service = g_strdup(service);
    connection->path = path_new(1);
    return connection;
}

Connection *
connection_copy(const Connection *from)
{
    Connection *copy = g_new(Connection, 1);
    *copy = *from;
    copy->n_refs = 1;
    copy->id = g_strdup(from->id);
    copy->service = g_strdup(from->service);
    copy->nse = g_strdup(from->nse);
    copy->payload = g_strdup(from->payload);
    copy->labels = (Labels){0};
    labels_copy(&from->labels, &copy->labels);
    copy->path = path_new(from->path->len + 1);
    for (guint i = 0; i < from->path->len; i++) {
        const PathSegment *segment = connection_segment(from, i);
        PathSegment own = {g_strdup(segment->name), g_strdup(segment->id), segment->expires};
        g_array_append_val(copy->path, own);
    }
    link_end_copy(&from->client, &copy->client);
    link_end_copy(&from->server, &copy->server);
    copy->src_ip = g_strdup(from->src_ip);
    copy->dst_ip = g_strdup(from->dst_ip);
    return copy;
}

Connection *
connection_ref(Connection *connection)
{
    connection->n_refs++;
    return connection;
}

void
connection_unref(Connection *connection)
{
    if (connection == NULL || --connection->n_refs > 0) {
        return;
    }
    g_free(connection->id);
    g_free(connection->service);
    g_free(connection->nse);
    g_free(connection->payload);
    labels_clear(&connection->labels);
    g_array_unref(connection->path);
    link_end_clear(&connection->client);
    link_end_clear(&connection->server);
    g_free(connection->src_ip);
    g_free(connection->dst_ip);
    g_free(connection);
}

/* sdk@v1.4.0:pkg/networkservice/common/updatepath/common.go */
void
connection_advance(Connection *connection, const char *name, nsec_t now, nsec_t lifetime)
{
    guint next = connection->path->len == 0 ? 0 : connection->index + 1;
    bool known = next < connection->path->len &&
                 g_str_equal(connection_segment(connection, next)->name, name);
    if (!known) {
        bool replaces = next < connection->path->len;
        g_array_set_size(connection->path, MIN(next, connection->path->len));
        PathSegment segment = {.name = g_strdup(name)};
        segment.id = next == 0  ? g_strdup(connection->id)
                     : replaces ? g_strdup_printf("%s#%u@%s", connection->id, next, name)
                                : g_strdup_printf("%s#%u", connection->id, next);
        g_array_append_val(connection->path, segment);
    }
    g_array_index(connection->path, PathSegment, next).expires = now + lifetime;
    connection->index = next;
}

Connection *
connection_again(const Connection *connection, nsec_t now, nsec_t lifetime)
{
    Connection *again = connection_copy(connection);
    again->index = 0;
    g_array_index(again->path, PathSegment, 0).expires = now + lifetime;
    return again;
}

const PathSegment *
connection_segment(const Connection *connection, guint index)
{
    return &g_array_index(connection->path, PathSegment, index);
}

const char *
connection_segment_id(const Connection *connection)
{
    return connection_segment(connection, connection->index)->id;
}

const char *
connection_next_name(const Connection *connection)
{
    guint next = connection->index + 1;
    return next < connection->path->len ? connection_segment(connection, next)->name : NULL;
}

char *
connection_next_id(const Connection *connection)
{
    guint next = connection->index + 1;
    return next < connection->path->len ? g_strdup(connection_segment(connection, next)->id)
                                        : g_strdup_printf("%s#%u", connection->id, next);
}

nsec_t
connection_previous_expires(const Connection *connection)
{
    return connection->index > 0 ? connection_segment(connection, connection->index - 1)->expires
                                 : NSEC_NEVER;
}

nsec_t
connection_expires(const Connection *connection)
{
    nsec_t soonest = NSEC_NEVER;
    for (guint i = 0; i < connection->path->len; i++) {
        soonest = MIN(soonest, connection_segment(connection, i)->expires);
    }
    return soonest;
}

void
labels_add_client_info(Labels *labels, const ProcessInfo *info)
{
    static const char *const infos[][2] = {
        {"NODE_NAME", "nodeName"}, {"POD_NAME", "podName"}, {"CLUSTER_NAME", "clusterName"}};
    for (guint i = 0; i < G_N_ELEMENTS(infos); i++) {
        g_autofree char *value = process_env(info, infos[i][0], NULL);
        if (value != NULL && labels_get(labels, infos[i][1]) == NULL) {
            labels_set(labels, infos[i][1], value);
        }
    }
}

void
link_end_assign(LinkEnd *to, const LinkEnd *from)
{
    LinkEnd copy;
    link_end_copy(from, &copy);
    link_end_clear(to);
    *to = copy;
}

static void
clear_nsm(Message *message)
{
    connection_unref(((NsmMessage *)message)->connection);
}

Message *
nsm_message(MessageType type, Connection *take_connection)
{
    NsmMessage *message = message_new(type, sizeof *message, clear_nsm);
    message->connection = take_connection;
    message->base.weight = (int)take_connection->index + 1;
    return &message->base;
}

Connection *
nsm_message_connection(const Message *message)
{
    return ((const NsmMessage *)message)->connection;
}

Message *
nsm_event(NsmEventKind kind, Connection *take_connection)
{
    NsmMessage *message = message_new(MESSAGE_NSM_EVENT, sizeof *message, clear_nsm);
    message->connection = take_connection;
    message->event = kind;
    message->base.weight = 1;
    return &message->base;
}

NsmEventKind
nsm_event_kind(const Message *message)
{
    return ((const NsmMessage *)message)->event;
}

static void
clear_registry(Message *message)
{
    nse_record_unref(((RegistryMessage *)message)->record);
}

Message *
registry_message(MessageType type, NseRecord *take_record)
{
    RegistryMessage *message = message_new(type, sizeof *message, clear_registry);
    message->record = take_record;
    return &message->base;
}

NseRecord *
registry_message_record(const Message *message)
{
    return ((const RegistryMessage *)message)->record;
}

Message *
registry_service(const Object *object)
{
    RegistryService *message = message_new(MESSAGE_REGISTRY_REGISTER_NS, sizeof *message, NULL);
    message->object = object;
    return &message->base;
}

static void
clear_query(Message *message)
{
    RegistryQuery *query = (RegistryQuery *)message;
    g_free(query->name);
    g_free(query->service);
    g_free(query->url);
}

RegistryQuery *
registry_query(MessageType type, const char *name, const char *service, const char *url)
{
    RegistryQuery *query = message_new(type, sizeof *query, clear_query);
    query->name = g_strdup(name);
    query->service = g_strdup(service);
    query->url = g_strdup(url);
    return query;
}

RegistryQuery *
registry_query_copy(const RegistryQuery *query)
{
    return registry_query(query->base.type, query->name, query->service, query->url);
}

static void
clear_found(Message *message)
{
    g_ptr_array_unref(((RegistryFound *)message)->records);
}

RegistryFound *
registry_found_new(void)
{
    RegistryFound *found = message_new(MESSAGE_REGISTRY_FOUND, sizeof *found, clear_found);
    found->records = g_ptr_array_new_with_free_func((GDestroyNotify)nse_record_unref);
    return found;
}
