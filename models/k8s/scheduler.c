/* kube-scheduler: queue, cycle, bind. */
#include "models/k8s/scheduler.h"

#include "models/k8s/api.h"
#include "models/k8s/informer.h"
#include "models/k8s/placement.h"
#include "models/ratelimit.h"

#define BACKOFF_FIRST NSEC_PER_SEC       /* podInitialBackoffSeconds */
#define BACKOFF_MAX (10 * NSEC_PER_SEC)  /* podMaxBackoffSeconds */
#define FLUSH_PERIOD (30 * NSEC_PER_SEC) /* flushUnschedulablePodsLeftover */
#define FLUSH_AGE (60 * NSEC_PER_SEC)    /* podMaxInUnschedulablePodsDuration in 1.24 */

/* Timer and call tags: kind in the low bits, the Pod's uid above. */
enum {
    TAG_WATCH = 1,
    TAG_NODES,
    TAG_CYCLE,
    TAG_FLUSH,
    TAG_BACKOFF,
    TAG_BIND,
    TAG_STATUS,
    TAG_BITS = 3
};

typedef enum QueueState {
    QUEUE_ACTIVE,
    QUEUE_CYCLE,
    QUEUE_BINDING,
    QUEUE_BACKOFF,
    QUEUE_UNSCHEDULABLE,
} QueueState;

typedef struct QueuedPod {
    ApiObject *object;
    QueueState state;
    int attempts;
    nsec_t since; /* of the last failure */
} QueuedPod;

typedef struct Scheduler {
    Machine base;
    Informer watched_pods;
    Informer watched_nodes;
    Placement placement;
    RandomStream random;
    RateLimit limit;
    GQueue active;      /* uint64_t * uids owned by their QueuedPod's object */
    GHashTable *pods;   /* uid -> QueuedPod: not yet bound */
    GHashTable *placed; /* uid -> node name, of Pods that count on a node */
    bool busy;
    bool flushing; /* the flush timer runs */
    guint n_unschedulable;
    uint64_t current;
} Scheduler;

static void
queued_free(void *data)
{
    QueuedPod *pod = data;
    api_object_unref(pod->object);
    g_free(pod);
}

static uint64_t
tag_of(int kind, uint64_t uid)
{
    return (uid << TAG_BITS) | (uint64_t)kind;
}

/* ---- the cycle ---- */

static void
begin_cycle(Scheduler *scheduler, Actions *actions)
{
    while (!scheduler->busy && !g_queue_is_empty(&scheduler->active)) {
        uint64_t *uid = g_queue_pop_head(&scheduler->active);
        QueuedPod *pod = g_hash_table_lookup(scheduler->pods, uid);
        if (pod != NULL && pod->state == QUEUE_ACTIVE) {
            pod->state = QUEUE_CYCLE;
            scheduler->busy = true;
            scheduler->current = *uid;
            nsec_t cycle =
                process_draw(scheduler->base.info, PARAMETER_SCHEDULER_CYCLE, &scheduler->random);
            actions_timer(actions, TAG_CYCLE, cycle);
        }
        g_free(uid);
    }
}

static void
activate(Scheduler *scheduler, QueuedPod *pod, Actions *actions)
{
    pod->state = QUEUE_ACTIVE;
    g_queue_push_tail(&scheduler->active, g_memdup2(&pod->object->uid, sizeof(uint64_t)));
    begin_cycle(scheduler, actions);
}

static void
occupy(Scheduler *scheduler, ApiObject *object, const char *node)
{
    if (g_hash_table_contains(scheduler->placed, &object->uid)) {
        return;
    }
    PlacedPod placed = {.uid = object->uid,
                        .ns = object->ns,
                        .spec = object->pod,
                        .object = api_object_ref(object),
                        .owner = object->owner};
    placement_add(&scheduler->placement, node, &placed);
    g_hash_table_insert(scheduler->placed, g_memdup2(&object->uid, sizeof object->uid),
                        g_strdup(node));
}

static void
release(Scheduler *scheduler, uint64_t uid)
{
    const char *node = g_hash_table_lookup(scheduler->placed, &uid);
    if (node != NULL) {
        placement_remove(&scheduler->placement, node, uid);
        g_hash_table_remove(scheduler->placed, &uid);
    }
}

static void
report_unschedulable(Scheduler *scheduler, const QueuedPod *pod, char *take_message, nsec_t now,
                     Actions *actions)
{
    ApiObject *update = api_object_copy(pod->object);
    g_free(update->status.message);
    update->status.message = take_message;
    Action *call = actions_call(actions, API_ADDRESS, tag_of(TAG_STATUS, pod->object->uid),
                                api_message(MESSAGE_API_STATUS, update));
    call->flags = CALL_PLAIN;
    call->delay = rate_limit_reserve(&scheduler->limit, now);
}

static void
give_up(Scheduler *scheduler, QueuedPod *pod, char *take_message, nsec_t now, Actions *actions)
{
    pod->attempts++;
    pod->state = QUEUE_UNSCHEDULABLE;
    pod->since = now;
    scheduler->n_unschedulable++;
    report_unschedulable(scheduler, pod, take_message, now, actions);
    if (!scheduler->flushing) {
        scheduler->flushing = true;
        actions_timer(actions, TAG_FLUSH, FLUSH_PERIOD);
    }
}

static void
bind(Scheduler *scheduler, QueuedPod *pod, const Node *node, nsec_t now, Actions *actions)
{
    pod->state = QUEUE_BINDING;
    occupy(scheduler, pod->object, node->name); /* assumed */
    ApiObject *binding = api_object_copy(pod->object);
    g_free(binding->node);
    binding->node = g_strdup(node->name);
    Action *call = actions_call(actions, API_ADDRESS, tag_of(TAG_BIND, pod->object->uid),
                                api_message(MESSAGE_API_BIND, binding));
    call->flags = CALL_PLAIN;
    call->delay = rate_limit_reserve(&scheduler->limit, now);
}

static void
on_cycle(Scheduler *scheduler, nsec_t now, Actions *actions)
{
    scheduler->busy = false;
    QueuedPod *pod = g_hash_table_lookup(scheduler->pods, &scheduler->current);
    if (pod != NULL && pod->state == QUEUE_CYCLE) {
        PodToPlace place = {.ns = pod->object->ns,
                            .spec = pod->object->pod,
                            .affinity_node = pod->object->affinity_node,
                            .owner = pod->object->owner};
        char *message = NULL;
        const Node *node = placement_choose(&scheduler->placement, &place, &message);
        if (node != NULL) {
            bind(scheduler, pod, node, now, actions);
        } else {
            give_up(scheduler, pod, message, now, actions);
        }
    }
    begin_cycle(scheduler, actions);
}

/* ---- waiting Pods ---- */

/* The back-off counts from the failure, not from the event that may have made the Pod schedulable
 * (scheduling_queue.go getBackoffTime): who has waited it out is tried at once. */
static void
back_off(Scheduler *scheduler, QueuedPod *pod, nsec_t now, Actions *actions)
{
    scheduler->n_unschedulable -= pod->state == QUEUE_UNSCHEDULABLE;
    nsec_t delay = MIN(BACKOFF_FIRST << MIN(pod->attempts - 1, 10), BACKOFF_MAX);
    nsec_t left = MAX(pod->since + delay - now, 0);
    if (left == 0) {
        activate(scheduler, pod, actions);
        return;
    }
    pod->state = QUEUE_BACKOFF;
    actions_timer(actions, tag_of(TAG_BACKOFF, pod->object->uid), left);
}

/* A hash table has no order that may show, so the Pods are moved in the order of their uids. */
static int
compare_uid(const void *a, const void *b)
{
    const QueuedPod *left = *(QueuedPod *const *)a, *right = *(QueuedPod *const *)b;
    return left->object->uid < right->object->uid ? -1 : left->object->uid > right->object->uid;
}

/* What may have made waiting Pods schedulable: a Pod that left or a node that changed (any may
 * profit), a Pod that arrived (only those with affinity to Pods: AssignedPodAdded), or the flush
 * (only old ones). */
typedef enum RetryCause { RETRY_POD_LEFT, RETRY_NODE, RETRY_POD_ARRIVED, RETRY_FLUSH } RetryCause;

static bool
may_profit(const QueuedPod *pod, RetryCause cause, nsec_t now)
{
    switch (cause) {
    case RETRY_POD_LEFT:
    case RETRY_NODE:
        return true;
    case RETRY_POD_ARRIVED:
        return pod->object->pod->n_pod_terms > 0;
    case RETRY_FLUSH:
        return now - pod->since >= FLUSH_AGE;
    }
    return false;
}

static void
retry_unschedulable(Scheduler *scheduler, RetryCause cause, nsec_t now, Actions *actions)
{
    if (scheduler->n_unschedulable == 0) {
        return;
    }
    g_autoptr(GPtrArray) waiting = g_ptr_array_new();
    GHashTableIter iter;
    void *value;
    g_hash_table_iter_init(&iter, scheduler->pods);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const QueuedPod *pod = value;
        if (pod->state == QUEUE_UNSCHEDULABLE && may_profit(pod, cause, now)) {
            g_ptr_array_add(waiting, value);
        }
    }
    g_ptr_array_sort(waiting, compare_uid);
    for (guint i = 0; i < waiting->len; i++) {
        back_off(scheduler, g_ptr_array_index(waiting, i), now, actions);
    }
}

static void
forget(Scheduler *scheduler, uint64_t uid)
{
    const QueuedPod *pod = g_hash_table_lookup(scheduler->pods, &uid);
    if (pod != NULL) {
        scheduler->n_unschedulable -= pod->state == QUEUE_UNSCHEDULABLE;
        g_hash_table_remove(scheduler->pods, &uid);
    }
}

static void
on_bound(Scheduler *scheduler, uint64_t uid, const Input *input, Actions *actions)
{
    QueuedPod *pod = g_hash_table_lookup(scheduler->pods, &uid);
    if (pod == NULL) {
        return;
    }
    if (input->kind == INPUT_REPLY && input->message->type == MESSAGE_API_OBJECT) {
        forget(scheduler, uid);
        return;
    }
    release(scheduler, uid);
    pod->attempts++;
    pod->since = input->now;
    back_off(scheduler, pod, input->now, actions);
}

static void
on_pod(Scheduler *scheduler, const ApiEvent *event, nsec_t now, Actions *actions)
{
    ApiObject *object = event->object;
    bool over = event->type == WATCH_DELETED || object->status.finished;
    if (over) {
        release(scheduler, object->uid);
        forget(scheduler, object->uid);
        retry_unschedulable(scheduler, RETRY_POD_LEFT, now, actions);
        return;
    }
    if (object->node != NULL) {
        occupy(scheduler, object, object->node);
        if (object->deleting) {
            placement_set_leaving(&scheduler->placement, object->node, object->uid);
        }
        forget(scheduler, object->uid);
        retry_unschedulable(scheduler, RETRY_POD_ARRIVED, now, actions);
        return;
    }
    bool bound = g_hash_table_contains(scheduler->placed, &object->uid); /* an older snapshot */
    QueuedPod *pod = g_hash_table_lookup(scheduler->pods, &object->uid);
    if (pod == NULL && !bound) {
        pod = g_new0(QueuedPod, 1);
        pod->object = api_object_ref(object);
        g_hash_table_insert(scheduler->pods, &pod->object->uid, pod);
        activate(scheduler, pod, actions);
    }
}

static bool
same_node(const ApiObject *a, const ApiObject *b)
{
    const NodeCondition *x = &a->node_condition, *y = &b->node_condition;
    return x->unreachable == y->unreachable && x->unschedulable == y->unschedulable &&
           g_strcmp0(x->taint_key, y->taint_key) == 0 &&
           g_strcmp0(x->taint_value, y->taint_value) == 0 &&
           g_strcmp0(x->taint_effect, y->taint_effect) == 0;
}

/* eventhandlers.go updateNodeInCache: only what scheduling looks at moves Pods. */
static void
on_node(Scheduler *scheduler, const ApiEvent *event, nsec_t now, Actions *actions)
{
    ApiObject *object = event->object;
    bool gone = event->type == WATCH_DELETED;
    NodeState *state = g_hash_table_lookup(scheduler->placement.by_name, object->name);
    bool same = state != NULL && state->object != NULL && same_node(state->object, object);
    placement_set_node(&scheduler->placement, object->name, gone ? NULL : object);
    if (!same) {
        retry_unschedulable(scheduler, RETRY_NODE, now, actions);
    }
}

static void
handle(Scheduler *scheduler, const ApiEvent *event, nsec_t now, Actions *actions)
{
    if (event->object->kind == OBJECT_NODE) {
        on_node(scheduler, event, now, actions);
    } else {
        on_pod(scheduler, event, now, actions);
    }
}

static Informer *
informer_of(Scheduler *scheduler, uint64_t tag)
{
    return tag == TAG_WATCH   ? &scheduler->watched_pods
           : tag == TAG_NODES ? &scheduler->watched_nodes
                              : NULL;
}

static void
on_event(Scheduler *scheduler, const Input *input, Actions *actions)
{
    const ApiEvent *event = (const ApiEvent *)input->message;
    if (event->type == WATCH_SYNCED) {
        g_autoptr(GPtrArray) lost = informer_synced(informer_of(scheduler, input->tag));
        for (guint i = 0; i < lost->len; i++) {
            ApiEvent gone = {.type = WATCH_DELETED, .object = lost->pdata[i]};
            handle(scheduler, &gone, input->now, actions);
        }
        return;
    }
    bool node = event->object->kind == OBJECT_NODE;
    if (informer_note(node ? &scheduler->watched_nodes : &scheduler->watched_pods, event)) {
        handle(scheduler, event, input->now, actions);
    }
}

static void
on_closed(Scheduler *scheduler, const Input *input, Actions *actions)
{
    Informer *informer = informer_of(scheduler, input->tag);
    if (informer != NULL) {
        informer_closed(informer, actions);
    }
}

static void
on_timer(Scheduler *scheduler, const Input *input, Actions *actions)
{
    int kind = (int)(input->tag & ((1 << TAG_BITS) - 1));
    uint64_t uid = input->tag >> TAG_BITS;
    if (informer_of(scheduler, input->tag) != NULL) {
        informer_open(informer_of(scheduler, input->tag), actions);
    } else if (kind == TAG_CYCLE) {
        on_cycle(scheduler, input->now, actions);
    } else if (kind == TAG_FLUSH) {
        scheduler->flushing = g_hash_table_size(scheduler->pods) > 0;
        retry_unschedulable(scheduler, RETRY_FLUSH, input->now, actions);
        if (scheduler->flushing) {
            actions_timer(actions, TAG_FLUSH, FLUSH_PERIOD);
        }
    } else {
        QueuedPod *pod = g_hash_table_lookup(scheduler->pods, &uid);
        if (pod != NULL && pod->state == QUEUE_BACKOFF) {
            activate(scheduler, pod, actions);
        }
    }
}

static void
on_reply(Scheduler *scheduler, const Input *input, Actions *actions)
{
    if (input->kind == INPUT_FAILURE) {
        on_closed(scheduler, input, actions); /* a watch that could not be opened */
    }
    uint64_t uid = input->tag >> TAG_BITS;
    if ((int)(input->tag & ((1 << TAG_BITS) - 1)) == TAG_BIND) {
        on_bound(scheduler, uid, input, actions);
    }
}

static void
step(Machine *machine, const Input *input, Actions *actions)
{
    Scheduler *scheduler = (Scheduler *)machine;
    switch (input->kind) {
    case INPUT_START:
        informer_open(&scheduler->watched_pods, actions);
        informer_open(&scheduler->watched_nodes, actions);
        break;
    case INPUT_EVENT:
        on_event(scheduler, input, actions);
        break;
    case INPUT_CLOSED:
        on_closed(scheduler, input, actions);
        break;
    case INPUT_TIMER:
        on_timer(scheduler, input, actions);
        break;
    case INPUT_REPLY:
    case INPUT_FAILURE:
        on_reply(scheduler, input, actions);
        break;
    case INPUT_REQUEST:
    case INPUT_CANCELLED:
    case INPUT_OPENED:
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
scheduler_free(Machine *machine)
{
    Scheduler *scheduler = (Scheduler *)machine;
    informer_clear(&scheduler->watched_pods);
    informer_clear(&scheduler->watched_nodes);
    placement_clear(&scheduler->placement);
    g_queue_clear_full(&scheduler->active, g_free);
    g_hash_table_unref(scheduler->pods);
    g_hash_table_unref(scheduler->placed);
    g_free(scheduler);
}

static const MachineClass scheduler_class = {COMPONENT_SCHEDULER, step, scheduler_free};

Machine *
scheduler_new(const ProcessInfo *info, const Nodes *nodes)
{
    Scheduler *scheduler = g_new0(Scheduler, 1);
    scheduler->base.class = &scheduler_class;
    scheduler->base.info = info;
    informer_init(&scheduler->watched_pods, OBJECT_POD, TAG_WATCH, NULL);
    informer_init(&scheduler->watched_nodes, OBJECT_NODE, TAG_NODES, NULL);
    placement_init(&scheduler->placement, nodes);
    process_random(info, "cycle", &scheduler->random);
    g_queue_init(&scheduler->active);
    scheduler->pods = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, queued_free);
    scheduler->placed = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
    rate_limit_init(&scheduler->limit,
                    calibration_number(info->calibration, PARAMETER_SCHEDULER_QPS),
                    calibration_number(info->calibration, PARAMETER_SCHEDULER_BURST));
    return &scheduler->base;
}
