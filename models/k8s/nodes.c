/* Nodes that are lost, and the Pods on them. */
#include "models/k8s/nodes.h"

#include "models/k8s/placement.h"

#define RETRY NSEC_PER_SEC /* of a deletion that was not answered */

enum { TAG_WATCH = 1, TAG_MONITOR, TAG_LIST, TAG_STATUS, TAG_POD, TAG_EVICT, TAG_DELETE };
#define TAG_SHIFT 56
#define UID_MASK ((UINT64_C(1) << TAG_SHIFT) - 1)

typedef struct NodeHealth {
    nsec_t renewed;   /* the lease's time as it was seen last */
    nsec_t seen;      /* when this controller saw it change (nodeHealth.probeTimestamp) */
    bool unreachable; /* what this controller has decided */
    ApiObject *object;
} NodeHealth;

static uint64_t
tag_of(int kind, uint64_t uid)
{
    return NODES_TAG | ((uint64_t)kind << TAG_SHIFT) | uid;
}

static int
kind_of(uint64_t tag)
{
    return (int)((tag & ~NODES_TAG) >> TAG_SHIFT);
}

static void
health_free(void *data)
{
    NodeHealth *health = data;
    api_object_unref(health->object);
    g_free(health);
}

const NodeCondition *
nodes_condition(const NodeLifecycle *nodes, const char *name)
{
    const NodeHealth *health = g_hash_table_lookup(nodes->healths, name);
    return health != NULL ? &health->object->node_condition : NULL;
}

static void
call(NodeLifecycle *nodes, uint64_t tag, void *take_message, nsec_t now, Actions *actions)
{
    Action *action = actions_call(actions, API_ADDRESS, tag, take_message);
    action->flags = CALL_PLAIN;
    action->delay = rate_limit_reserve(&nodes->limit, now);
}

/* ---- evictions (taint_manager.go) ---- */

/* How long a Pod may stay; NSEC_NEVER: for ever. */
static nsec_t
time_to_stay(const NodeLifecycle *nodes, const NodeHealth *health, const ApiObject *pod)
{
    const NodeCondition *condition = &health->object->node_condition;
    bool daemon = pod->affinity_node != NULL;
    nsec_t fallback = calibration_nsec(nodes->info->calibration, PARAMETER_NODE_EVICTION);
    nsec_t time = NSEC_NEVER;
    if (health->unreachable && !daemon) {
        time = placement_toleration_time(pod->pod, TAINT_UNREACHABLE, NULL, fallback);
    }
    const char *key = condition->taint_key;
    bool taint = key != NULL && g_strcmp0(condition->taint_effect, "NoExecute") == 0;
    if (!taint || (daemon && placement_daemon_tolerates(key))) {
        return time;
    }
    bool admitted = g_str_equal(key, TAINT_UNREACHABLE) || g_str_equal(key, TAINT_NOT_READY);
    return MIN(time, placement_toleration_time(pod->pod, key, condition->taint_value,
                                               admitted ? fallback : 0));
}

static void
cancel_eviction(NodeLifecycle *nodes, uint64_t uid, Actions *actions)
{
    if (g_hash_table_remove(nodes->evictions, &uid)) {
        actions_stop_timer(actions, tag_of(TAG_EVICT, uid));
    }
}

static void
evict(NodeLifecycle *nodes, const ApiObject *pod, nsec_t now, Actions *actions)
{
    ApiQuery *query = api_query(MESSAGE_API_DELETE, OBJECT_POD, pod->ns, pod->name);
    query->uid = pod->uid;
    query->grace = pod->pod->grace_period;
    call(nodes, tag_of(TAG_DELETE, pod->uid), query, now, actions);
    g_autofree char *key = api_object_key(pod);
    actions_trace(actions, TRACE_POD_EVICTED, actions_string(actions, key),
                  actions_string(actions, pod->node));
}

static void
evict_later(NodeLifecycle *nodes, uint64_t uid, nsec_t delay, Actions *actions)
{
    g_hash_table_add(nodes->evictions, g_memdup2(&uid, sizeof uid));
    actions_timer(actions, tag_of(TAG_EVICT, uid), delay);
}

/* processPodOnNode: an eviction that is due already keeps its time. */
static void
consider(NodeLifecycle *nodes, const NodeHealth *health, const ApiObject *pod, nsec_t now,
         Actions *actions)
{
    nsec_t time = time_to_stay(nodes, health, pod);
    if (time == NSEC_NEVER || pod->deleting || pod->status.finished) {
        cancel_eviction(nodes, pod->uid, actions);
    } else if (time == 0) {
        cancel_eviction(nodes, pod->uid, actions);
        evict(nodes, pod, now, actions);
    } else if (!g_hash_table_contains(nodes->evictions, &pod->uid)) {
        evict_later(nodes, pod->uid, time, actions);
    }
}

static GPtrArray *
pods_on(const NodeLifecycle *nodes, const char *node)
{
    g_autoptr(GPtrArray) all = informer_list(nodes->pods);
    GPtrArray *here = g_ptr_array_new();
    for (guint i = 0; i < all->len; i++) {
        const ApiObject *pod = all->pdata[i];
        if (g_strcmp0(pod->node, node) == 0) {
            g_ptr_array_add(here, all->pdata[i]);
        }
    }
    return here;
}

static void
consider_all(NodeLifecycle *nodes, const NodeHealth *health, nsec_t now, Actions *actions)
{
    g_autoptr(GPtrArray) pods = pods_on(nodes, health->object->name);
    for (guint i = 0; i < pods->len; i++) {
        consider(nodes, health, pods->pdata[i], now, actions);
    }
}

static void
on_eviction_due(NodeLifecycle *nodes, uint64_t uid, nsec_t now, Actions *actions)
{
    const ApiObject *pod = informer_get(nodes->pods, uid);
    g_hash_table_remove(nodes->evictions, &uid);
    if (pod != NULL && !pod->deleting) {
        evict(nodes, pod, now, actions);
    }
}

void
nodes_pod_event(NodeLifecycle *nodes, const ApiEvent *event, nsec_t now, Actions *actions)
{
    const ApiObject *pod = event->object;
    if (event->type == WATCH_DELETED) {
        cancel_eviction(nodes, pod->uid, actions);
        return;
    }
    const NodeHealth *health =
        pod->node != NULL ? g_hash_table_lookup(nodes->healths, pod->node) : NULL;
    bool tainted =
        health != NULL && (health->unreachable || health->object->node_condition.taint_key != NULL);
    if (tainted) {
        consider(nodes, health, pod, now, actions);
    }
}

/* ---- leases (node_lifecycle_controller.go monitorNodeHealth) ---- */

static void
write_condition(NodeLifecycle *nodes, const NodeHealth *health, nsec_t now, Actions *actions)
{
    ApiObject *update = api_object_copy(health->object);
    update->node_condition.unreachable = health->unreachable;
    call(nodes, tag_of(TAG_STATUS, health->object->uid), api_message(MESSAGE_API_STATUS, update),
         now, actions);
}

/* MarkPodsNotReady: the Pods' endpoints go, their containers are left alone. */
static void
mark_not_ready(NodeLifecycle *nodes, const char *node, nsec_t now, Actions *actions)
{
    g_autoptr(GPtrArray) pods = pods_on(nodes, node);
    for (guint i = 0; i < pods->len; i++) {
        const ApiObject *pod = pods->pdata[i];
        if (pod->status.ready) {
            ApiObject *update = api_object_copy(pod);
            update->status.ready = false;
            call(nodes, tag_of(TAG_POD, pod->uid), api_message(MESSAGE_API_STATUS, update), now,
                 actions);
        }
    }
}

static void
set_unreachable(NodeLifecycle *nodes, NodeHealth *health, bool unreachable, nsec_t now,
                Actions *actions)
{
    const char *name = actions_string(actions, health->object->name);
    health->unreachable = unreachable;
    actions_trace(actions, unreachable ? TRACE_NODE_NOT_READY : TRACE_NODE_READY, name, NULL);
    write_condition(nodes, health, now, actions);
    if (unreachable) {
        mark_not_ready(nodes, name, now, actions);
    }
    consider_all(nodes, health, now, actions);
}

static void
check_lease(NodeLifecycle *nodes, NodeHealth *health, nsec_t renewed, nsec_t now, Actions *actions)
{
    nsec_t grace = calibration_nsec(nodes->info->calibration, PARAMETER_NODE_GRACE);
    if (renewed != health->renewed) {
        health->renewed = renewed;
        health->seen = now;
    }
    bool unreachable = now - health->seen > grace;
    if (unreachable != health->unreachable) {
        set_unreachable(nodes, health, unreachable, now, actions);
    } else if (unreachable != health->object->node_condition.unreachable) {
        write_condition(nodes, health, now, actions); /* it was not answered */
    }
}

static void
monitor_later(NodeLifecycle *nodes, Actions *actions)
{
    actions_timer(actions, tag_of(TAG_MONITOR, 0),
                  calibration_nsec(nodes->info->calibration, PARAMETER_NODE_MONITOR));
}

static void
on_leases(NodeLifecycle *nodes, const Input *input, Actions *actions)
{
    monitor_later(nodes, actions);
    if (input->kind != INPUT_REPLY || input->message->type != MESSAGE_API_OBJECTS) {
        return;
    }
    const ApiList *list = (const ApiList *)input->message;
    for (guint i = 0; i < list->objects->len; i++) {
        const ApiObject *node = list->objects->pdata[i];
        NodeHealth *health = g_hash_table_lookup(nodes->healths, node->name);
        if (health != NULL) {
            check_lease(nodes, health, node->renewed, input->now, actions);
        }
    }
}

/* ---- nodes come and change ---- */

static void
on_node(NodeLifecycle *nodes, const ApiEvent *event, nsec_t now, Actions *actions)
{
    ApiObject *object = event->object;
    NodeHealth *health = g_hash_table_lookup(nodes->healths, object->name);
    if (event->type == WATCH_DELETED) {
        g_hash_table_remove(nodes->healths, object->name);
        return;
    }
    if (health == NULL) {
        health = g_new0(NodeHealth, 1);
        health->seen = now;
        health->unreachable = object->node_condition.unreachable;
        g_hash_table_insert(nodes->healths, g_strdup(object->name), health);
    }
    bool tainted = health->object != NULL && health->object->node_condition.taint_key != NULL;
    api_object_unref(health->object);
    health->object = api_object_ref(object);
    if (tainted || object->node_condition.taint_key != NULL) {
        consider_all(nodes, health, now, actions);
    }
    if (!nodes->monitoring) {
        nodes->monitoring = true;
        monitor_later(nodes, actions);
    }
}

static void
on_event(NodeLifecycle *nodes, const Input *input, Actions *actions)
{
    const ApiEvent *event = (const ApiEvent *)input->message;
    if (event->type != WATCH_SYNCED) {
        if (informer_note(&nodes->watched, event)) {
            on_node(nodes, event, input->now, actions);
        }
        return;
    }
    g_autoptr(GPtrArray) lost = informer_synced(&nodes->watched);
    for (guint i = 0; i < lost->len; i++) {
        ApiEvent gone = {.type = WATCH_DELETED, .object = lost->pdata[i]};
        on_node(nodes, &gone, input->now, actions);
    }
}

static void
on_answer(NodeLifecycle *nodes, const Input *input, Actions *actions)
{
    int kind = kind_of(input->tag);
    if (kind == TAG_LIST) {
        on_leases(nodes, input, actions);
    } else if (kind == TAG_WATCH) {
        informer_closed(&nodes->watched, actions);
    } else if (kind == TAG_DELETE && input->kind == INPUT_FAILURE) {
        evict_later(nodes, input->tag & UID_MASK, RETRY, actions);
    }
}

static void
on_timer(NodeLifecycle *nodes, const Input *input, Actions *actions)
{
    int kind = kind_of(input->tag);
    if (kind == TAG_WATCH) {
        informer_open(&nodes->watched, actions);
    } else if (kind == TAG_EVICT) {
        on_eviction_due(nodes, input->tag & UID_MASK, input->now, actions);
    } else if (kind == TAG_MONITOR) { /* the informer's cache of leases costs no request */
        Action *list = actions_call(actions, API_ADDRESS, tag_of(TAG_LIST, 0),
                                    api_query(MESSAGE_API_LIST, OBJECT_NODE, NULL, NULL));
        list->flags = CALL_PLAIN;
        list->timeout = calibration_nsec(nodes->info->calibration, PARAMETER_NODE_MONITOR);
    }
}

void
nodes_step(NodeLifecycle *nodes, const Input *input, Actions *actions)
{
    if (input->kind == INPUT_EVENT) {
        on_event(nodes, input, actions);
    } else if (input->kind == INPUT_TIMER) {
        on_timer(nodes, input, actions);
    } else {
        on_answer(nodes, input, actions);
    }
}

void
nodes_start(NodeLifecycle *nodes, Actions *actions)
{
    informer_open(&nodes->watched, actions);
}

void
nodes_init(NodeLifecycle *nodes, const ProcessInfo *info, const Informer *pods)
{
    *nodes = (NodeLifecycle){.info = info, .pods = pods};
    informer_init(&nodes->watched, OBJECT_NODE, tag_of(TAG_WATCH, 0), NULL);
    nodes->healths = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, health_free);
    nodes->evictions = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    rate_limit_init(&nodes->limit, calibration_number(info->calibration, PARAMETER_CONTROLLERS_QPS),
                    calibration_number(info->calibration, PARAMETER_CONTROLLERS_BURST));
}

void
nodes_clear(NodeLifecycle *nodes)
{
    informer_clear(&nodes->watched);
    g_hash_table_unref(nodes->healths);
    g_hash_table_unref(nodes->evictions);
}
