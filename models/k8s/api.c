/* Snapshots and messages of the Kubernetes API. */
#include "models/k8s/api.h"

#include "models/nsm/record.h"

ApiObject *
api_object_new(ObjectKind kind, const char *ns, const char *name)
{
    ApiObject *object = g_new0(ApiObject, 1);
    object->n_refs = 1;
    object->kind = kind;
    object->ns = g_strdup(ns);
    object->name = g_strdup(name);
    return object;
}

void
pod_status_copy(const PodStatus *from, PodStatus *out)
{
    *out = *from;
    out->containers = g_memdup2(from->containers, from->n_containers * sizeof(ContainerStatus));
    out->message = g_strdup(from->message);
}

void
pod_status_clear(PodStatus *status)
{
    g_clear_pointer(&status->containers, g_free);
    g_clear_pointer(&status->message, g_free);
}

static void
node_condition_copy(const NodeCondition *from, NodeCondition *out)
{
    *out = *from;
    out->taint_key = g_strdup(from->taint_key);
    out->taint_value = g_strdup(from->taint_value);
    out->taint_effect = g_strdup(from->taint_effect);
}

static void
node_condition_clear(NodeCondition *condition)
{
    g_clear_pointer(&condition->taint_key, g_free);
    g_clear_pointer(&condition->taint_value, g_free);
    g_clear_pointer(&condition->taint_effect, g_free);
}

void
node_condition_set_operator(NodeCondition *condition, const NodeCondition *from)
{
    bool unreachable = condition->unreachable;
    node_condition_clear(condition);
    node_condition_copy(from, condition);
    condition->unreachable = unreachable;
}

ApiObject *
api_object_copy(const ApiObject *object)
{
    ApiObject *copy = g_new(ApiObject, 1);
    *copy = *object;
    copy->n_refs = 1;
    copy->ns = g_strdup(object->ns);
    copy->name = g_strdup(object->name);
    copy->node = g_strdup(object->node);
    copy->affinity_node = g_strdup(object->affinity_node);
    copy->pod_ip = g_strdup(object->pod_ip);
    node_condition_copy(&object->node_condition, &copy->node_condition);
    copy->nse = object->nse != NULL ? nse_record_ref(object->nse) : NULL;
    pod_status_copy(&object->status, &copy->status);
    if (object->owned_pod != NULL) { /* the older snapshot keeps the spec that both point to */
        copy->owned_pod = NULL;
        copy->spec_from = api_object_ref((ApiObject *)object);
    } else if (object->spec_from != NULL) {
        api_object_ref(object->spec_from);
    }
    return copy;
}

ApiObject *
api_object_ref(ApiObject *object)
{
    object->n_refs++;
    return object;
}

void
api_object_unref(ApiObject *object)
{
    if (object == NULL || --object->n_refs > 0) {
        return;
    }
    g_free(object->ns);
    g_free(object->name);
    g_free(object->node);
    g_free(object->affinity_node);
    g_free(object->pod_ip);
    pod_status_clear(&object->status);
    node_condition_clear(&object->node_condition);
    g_clear_pointer(&object->owned_pod, pod_spec_free);
    g_clear_pointer(&object->nse, nse_record_unref);
    api_object_unref(object->spec_from);
    g_free(object);
}

char *
api_object_key(const ApiObject *object)
{
    return g_strdup_printf("%s/%s", object->ns, object->name);
}

const Labels *
api_object_labels(const ApiObject *object)
{
    static const Labels none = {0};
    if (object->kind == OBJECT_POD && object->pod != NULL) {
        return &object->pod->labels;
    }
    return object->manifest != NULL ? &object->manifest->labels : &none;
}

static void
clear_api_message(Message *message)
{
    api_object_unref(((ApiMessage *)message)->object);
}

Message *
api_message(MessageType type, ApiObject *take_object)
{
    ApiMessage *message = message_new(type, sizeof *message, clear_api_message);
    message->object = take_object;
    return &message->base;
}

const ApiObject *
api_message_object(const Message *message)
{
    return ((const ApiMessage *)message)->object;
}

static void
clear_query(Message *message)
{
    ApiQuery *query = (ApiQuery *)message;
    g_free(query->ns);
    g_free(query->name);
    g_free(query->node);
    g_free(query->label);
    g_free(query->url);
    g_free(query->service);
}

ApiQuery *
api_query(MessageType type, ObjectKind kind, const char *ns, const char *name)
{
    ApiQuery *query = message_new(type, sizeof *query, clear_query);
    query->kind = kind;
    query->ns = g_strdup(ns);
    query->name = g_strdup(name);
    return query;
}

static void
clear_event(Message *message)
{
    api_object_unref(((ApiEvent *)message)->object);
}

Message *
api_event_new(WatchEventType type, ApiObject *object)
{
    ApiEvent *event = message_new(MESSAGE_API_EVENT, sizeof *event, clear_event);
    event->type = type;
    event->object = object != NULL ? api_object_ref(object) : NULL;
    return &event->base;
}
