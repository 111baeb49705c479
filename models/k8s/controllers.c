/* kube-controller-manager.  Every set (ReplicaSet, DaemonSet, StatefulSet) keeps the slots it wants
 * filled; a Deployment only makes its ReplicaSet. */
#include "models/k8s/controllers.h"

#include "models/k8s/api.h"
#include "models/k8s/informer.h"
#include "models/k8s/nodes.h"
#include "models/k8s/placement.h"
#include "models/ratelimit.h"

#include <string.h>

#define BACKOFF_FIRST (5 * NSEC_PER_MSEC) /* workqueue.DefaultControllerRateLimiter */
#define BACKOFF_MAX (1000 * NSEC_PER_SEC)
#define BATCH_MAX 500u                              /* burstReplicas */
#define HASH_ALPHABET "bcdfghjklmnpqrstvwxz2456789" /* apimachinery util/rand */

typedef enum SlotState { SLOT_EMPTY, SLOT_CREATING, SLOT_FILLED } SlotState;

typedef struct Set Set;

/* One Pod that a set wants: an ordinal, and for DaemonSets the node. */
typedef struct Slot {
    Set *set;
    uint64_t tag;
    SlotState state;
    guint generation; /* counts the Pods made for this slot */
    const Node *node; /* DaemonSets */
    uint64_t pod_uid;
    bool ready;
} Slot;

struct Set {
    ApiObject *object;
    GArray *slots; /* Slot */
    guint batch;   /* slow start: how many may be created at once */
    guint creating;
    guint n_created; /* ordinals used for names */
    int failures;
    bool waiting;      /* a sync or back-off timer runs */
    bool backing_off;  /* it is a back-off */
    bool batch_failed; /* some create of the present batch */
    uint64_t tag;
};

static const ObjectKind watched_kinds[] = {OBJECT_DEPLOYMENT, OBJECT_REPLICA_SET, OBJECT_DAEMON_SET,
                                           OBJECT_STATEFUL_SET, OBJECT_POD};
#define N_WATCHED G_N_ELEMENTS(watched_kinds)

typedef struct Controllers {
    Machine base;
    const Nodes *nodes;
    NodeLifecycle lifecycle;
    Informer watched[N_WATCHED]; /* tags 1 to N_WATCHED */
    RandomStream random;
    GHashTable *sets;      /* uid -> Set */
    GHashTable *set_tags;  /* timer tag -> Set */
    GHashTable *calls;     /* call tag -> Slot */
    GHashTable *pod_slots; /* uid of a Pod or ReplicaSet -> Slot */
    GHashTable *ordinals;  /* "kind/ns/name" of sets that are gone -> names given */
    RateLimit limits[N_OBJECT_KINDS];
    uint64_t last_tag;
} Controllers;

char *
pod_generated_name(const char *owner, guint ordinal)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ ordinal;
    for (const char *c = owner; *c != '\0'; c++) {
        hash = (hash ^ (uint64_t)(unsigned char)*c) * UINT64_C(0x100000001b3);
    }
    hash ^= hash >> 29;
    hash *= UINT64_C(0xbf58476d1ce4e5b9);
    hash ^= hash >> 32;
    char suffix[6] = {0};
    for (int i = 0; i < 5; i++) {
        suffix[i] = HASH_ALPHABET[hash % strlen(HASH_ALPHABET)];
        hash /= strlen(HASH_ALPHABET);
    }
    return g_strdup_printf("%s-%s", owner, suffix);
}

static void
set_free(void *data)
{
    Set *set = data;
    api_object_unref(set->object);
    g_array_free(set->slots, true);
    g_free(set);
}

/* News of its objects queue a set at once, even while a failed sync backs off (enqueueRS). */
static void
sync_later(Controllers *kcm, Set *set, Actions *actions)
{
    if (set->waiting && !set->backing_off) {
        return;
    }
    set->waiting = true;
    set->backing_off = false;
    actions_timer(actions, set->tag,
                  process_draw(kcm->base.info, PARAMETER_CONTROLLERS_SYNC, &kcm->random));
}

/* One failed sync is one failure of the work queue's item, however many creates failed in it. */
static void
back_off(Set *set, Actions *actions)
{
    nsec_t delay = BACKOFF_FIRST << MIN(set->failures, 20);
    set->failures++;
    set->waiting = true;
    set->backing_off = true;
    actions_timer(actions, set->tag, MIN(delay, BACKOFF_MAX));
}

/* ---- making Pods and ReplicaSets ---- */

static ApiObject *
child_of(const ApiObject *owner, ObjectKind kind, const char *name)
{
    ApiObject *child = api_object_new(kind, owner->ns, name);
    child->owner = owner->uid;
    child->pod = owner->pod;
    child->manifest = kind == OBJECT_POD ? NULL : owner->manifest;
    child->replicas = owner->replicas;
    child->spec_from = owner->owned_pod != NULL   ? api_object_ref((ApiObject *)owner)
                       : owner->spec_from != NULL ? api_object_ref(owner->spec_from)
                                                  : NULL;
    return child;
}

static void
create(Controllers *kcm, Set *set, ApiObject *take_child, uint64_t tag, nsec_t now,
       Actions *actions)
{
    RateLimit *limit = &kcm->limits[set->object->kind];
    actions_call(actions, API_ADDRESS, tag, api_message(MESSAGE_API_CREATE, take_child))->delay =
        rate_limit_reserve(limit, now);
    set->creating++;
}

static void
create_pod(Controllers *kcm, Set *set, Slot *slot, nsec_t now, Actions *actions)
{
    guint ordinal = (guint)(slot - (Slot *)set->slots->data);
    bool stateful = set->object->kind == OBJECT_STATEFUL_SET;
    g_autofree char *name = stateful ? g_strdup_printf("%s-%u", set->object->name, ordinal)
                                     : pod_generated_name(set->object->name, set->n_created++);
    ApiObject *pod = child_of(set->object, OBJECT_POD, name);
    pod->affinity_node = slot->node != NULL ? g_strdup(slot->node->name) : NULL;
    slot->state = SLOT_CREATING;
    slot->tag = ++kcm->last_tag;
    g_hash_table_insert(kcm->calls, &slot->tag, slot);
    create(kcm, set, pod, slot->tag, now, actions);
}

static void
create_replica_set(Controllers *kcm, Set *set, nsec_t now, Actions *actions)
{
    Slot *slot = &g_array_index(set->slots, Slot, 0);
    if (slot->state != SLOT_EMPTY) {
        return;
    }
    g_autofree char *name = pod_generated_name(set->object->name, 0xffff);
    slot->state = SLOT_CREATING;
    slot->tag = ++kcm->last_tag;
    g_hash_table_insert(kcm->calls, &slot->tag, slot);
    create(kcm, set, child_of(set->object, OBJECT_REPLICA_SET, name), slot->tag, now, actions);
}

/* nodeShouldRunDaemonPod: a node that is cordoned or unreachable suits, one with an operator's
 * taint only if the Pod tolerates it. */
static bool
suits_daemon(const Controllers *kcm, const Set *set, const Node *node)
{
    const NodeCondition *condition = nodes_condition(&kcm->lifecycle, node->name);
    return condition == NULL || placement_tolerates_operator(set->object->pod, true, condition);
}

/* StatefulSets fill a slot only when all before it are ready (podManagementPolicy OrderedReady). */
static bool
may_fill(const Controllers *kcm, const Set *set, guint index)
{
    const Node *node = g_array_index(set->slots, Slot, index).node;
    if (node != NULL && !suits_daemon(kcm, set, node)) {
        return false;
    }
    if (set->object->kind != OBJECT_STATEFUL_SET || set->object->manifest->workload->parallel ||
        index == 0) {
        return true;
    }
    return g_array_index(set->slots, Slot, index - 1).ready;
}

static void
sync_set(Controllers *kcm, Set *set, nsec_t now, Actions *actions)
{
    if (set->object->kind == OBJECT_DEPLOYMENT) {
        create_replica_set(kcm, set, now, actions);
        return;
    }
    if (set->creating > 0) {
        return; /* the next slow-start batch begins when this one is answered */
    }
    guint room = set->batch;
    for (guint i = 0; i < set->slots->len && room > 0; i++) {
        Slot *slot = &g_array_index(set->slots, Slot, i);
        if (slot->state == SLOT_EMPTY && may_fill(kcm, set, i)) {
            create_pod(kcm, set, slot, now, actions);
            room--;
        }
    }
}

/* ---- what is wanted ---- */

static guint
wanted_slots(const Controllers *kcm, const ApiObject *object)
{
    switch ((int)object->kind) {
    case OBJECT_DEPLOYMENT:
        return 1;
    case OBJECT_DAEMON_SET:
        return kcm->nodes->n;
    default:
        return (guint)MAX(object->replicas, 0);
    }
}

/* DaemonSet burst; ReplicaSet SlowStartInitialBatchSize */
static guint
first_batch(ObjectKind kind)
{
    return kind == OBJECT_DAEMON_SET ? 250 : 1;
}

static void
add_slots(Controllers *kcm, Set *set)
{
    guint wanted = wanted_slots(kcm, set->object);
    bool daemon = set->object->kind == OBJECT_DAEMON_SET;
    set->slots = g_array_sized_new(false, true, sizeof(Slot), wanted);
    for (guint i = 0; i < wanted; i++) {
        const Node *node = daemon ? &kcm->nodes->items[i] : NULL;
        if (node != NULL && !placement_daemon_fits(set->object->pod, node)) {
            continue;
        }
        Slot slot = {.set = set, .node = node};
        g_array_append_val(set->slots, slot);
    }
    set->batch = first_batch(set->object->kind);
}

/* A set that is made again, as the ReplicaSet of a Deployment, goes on with the names of its Pods:
 * the earlier ones may still be there. */
static char *
set_id(const ApiObject *object)
{
    return g_strdup_printf("%d/%s/%s", (int)object->kind, object->ns, object->name);
}

static void
on_set_added(Controllers *kcm, ApiObject *object, Actions *actions)
{
    if (g_hash_table_contains(kcm->sets, &object->uid)) {
        return;
    }
    Set *set = g_new0(Set, 1);
    g_autofree char *id = set_id(object);
    set->object = api_object_ref(object);
    set->n_created = GPOINTER_TO_UINT(g_hash_table_lookup(kcm->ordinals, id));
    set->tag = ++kcm->last_tag;
    add_slots(kcm, set);
    g_hash_table_insert(kcm->sets, &set->object->uid, set);
    g_hash_table_insert(kcm->set_tags, &set->tag, set);
    sync_later(kcm, set, actions);
}

static void
remove_pending(gpointer key, gpointer value, gpointer data)
{
    (void)key;
    Slot *slot = value;
    if (slot->set == data) {
        slot->set = NULL;
    }
}

static gboolean
is_orphan(gpointer key, gpointer value, gpointer data)
{
    (void)key;
    (void)data;
    return ((Slot *)value)->set == NULL;
}

static void
empty_slot(Controllers *kcm, Slot *slot, Actions *actions)
{
    g_hash_table_remove(kcm->pod_slots, &slot->pod_uid);
    slot->state = SLOT_EMPTY;
    slot->ready = false;
    sync_later(kcm, slot->set, actions);
}

static void
on_set_deleted(Controllers *kcm, const ApiObject *object, Actions *actions)
{
    Slot *slot = g_hash_table_lookup(kcm->pod_slots, &object->uid);
    if (slot != NULL) { /* a Deployment's ReplicaSet is made again (deployment_controller.go) */
        empty_slot(kcm, slot, actions);
    }
    Set *set = g_hash_table_lookup(kcm->sets, &object->uid);
    if (set == NULL) {
        return;
    }
    g_hash_table_insert(kcm->ordinals, set_id(object), GUINT_TO_POINTER(set->n_created));
    if (set->waiting) {
        actions_stop_timer(actions, set->tag);
    }
    g_hash_table_foreach(kcm->calls, remove_pending, set);
    g_hash_table_foreach(kcm->pod_slots, remove_pending, set);
    g_hash_table_foreach_remove(kcm->calls, is_orphan, NULL);
    g_hash_table_foreach_remove(kcm->pod_slots, is_orphan, NULL);
    g_hash_table_remove(kcm->set_tags, &set->tag);
    g_hash_table_remove(kcm->sets, &object->uid);
}

/* ---- answers and Pods ---- */

static Informer *
informer_of(Controllers *kcm, ObjectKind kind)
{
    for (guint i = 0; i < N_WATCHED; i++) {
        if (watched_kinds[i] == kind) {
            return &kcm->watched[i];
        }
    }
    return NULL;
}

static void
note_pod(Controllers *kcm, const ApiObject *pod, bool deleted, Actions *actions)
{
    Slot *slot = g_hash_table_lookup(kcm->pod_slots, &pod->uid);
    if (slot == NULL) {
        return;
    }
    bool became_ready = !slot->ready && pod->status.ready;
    slot->ready = pod->status.ready;
    /* A DaemonSet waits until the old Pod is deleted (daemon_controller.go podsShouldBeOnNode);
     * so does a StatefulSet, whose Pods keep their names. */
    bool waits = slot->set->object->kind != OBJECT_REPLICA_SET;
    if (deleted || (pod->deleting && !waits)) {
        empty_slot(kcm, slot, actions);
    } else if (became_ready && slot->set->object->kind == OBJECT_STATEFUL_SET) {
        sync_later(kcm, slot->set, actions);
    }
}

/* Its news may have come before the answer: deleted, or to be deleted already. */
static void
fill_slot(Controllers *kcm, Slot *slot, const ApiObject *child, Actions *actions)
{
    const Informer *informer = informer_of(kcm, child->kind);
    const ApiObject *newest = informer_get(informer, child->uid);
    slot->state = SLOT_FILLED;
    slot->pod_uid = child->uid;
    g_hash_table_insert(kcm->pod_slots, &slot->pod_uid, slot);
    if (informer_is_gone(informer, child->uid)) {
        empty_slot(kcm, slot, actions);
    } else if (newest != NULL && child->kind == OBJECT_POD) {
        note_pod(kcm, newest, false, actions);
    }
}

static void
on_created(Controllers *kcm, const Input *input, Actions *actions)
{
    Slot *slot = g_hash_table_lookup(kcm->calls, &input->tag);
    if (slot == NULL) {
        return;
    }
    Set *set = slot->set;
    g_hash_table_remove(kcm->calls, &input->tag);
    set->creating--;
    if (input->kind == INPUT_REPLY && input->message->type == MESSAGE_API_OBJECT) {
        fill_slot(kcm, slot, api_message_object(input->message), actions);
    } else {
        slot->state = SLOT_EMPTY;
        set->batch_failed = true;
    }
    if (set->creating > 0) {
        return;
    }
    if (set->batch_failed) {
        back_off(set, actions);
        return;
    }
    set->failures = 0;
    set->batch = MIN(2 * set->batch, BATCH_MAX);
    sync_set(kcm, set, input->now, actions);
}

static int
compare_sets(const void *a, const void *b)
{
    const Set *left = *(Set *const *)a, *right = *(Set *const *)b;
    return left->tag < right->tag ? -1 : left->tag > right->tag;
}

/* A node that may be suitable again, or not any more, queues every DaemonSet. */
static void
on_node(Controllers *kcm, Actions *actions)
{
    g_autoptr(GPtrArray) daemons = g_ptr_array_new();
    GHashTableIter iter;
    void *value;
    g_hash_table_iter_init(&iter, kcm->sets);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        if (((const Set *)value)->object->kind == OBJECT_DAEMON_SET) {
            g_ptr_array_add(daemons, value);
        }
    }
    g_ptr_array_sort(daemons, compare_sets);
    for (guint i = 0; i < daemons->len; i++) {
        sync_later(kcm, daemons->pdata[i], actions);
    }
}

static bool
is_tainted(const Controllers *kcm, const char *node)
{
    const NodeCondition *condition = nodes_condition(&kcm->lifecycle, node);
    return condition != NULL && condition->taint_key != NULL;
}

static void
handle(Controllers *kcm, const ApiEvent *event, nsec_t now, Actions *actions)
{
    if (event->object->kind == OBJECT_POD) {
        note_pod(kcm, event->object, event->type == WATCH_DELETED, actions);
        nodes_pod_event(&kcm->lifecycle, event, now, actions);
    } else if (event->type == WATCH_DELETED) {
        on_set_deleted(kcm, event->object, actions);
    } else if (event->type == WATCH_ADDED) {
        on_set_added(kcm, event->object, actions);
    }
}

static void
on_synced(Controllers *kcm, const Input *input, Actions *actions)
{
    if (input->tag < 1 || input->tag > N_WATCHED) {
        return;
    }
    g_autoptr(GPtrArray) lost = informer_synced(&kcm->watched[input->tag - 1]);
    for (guint i = 0; i < lost->len; i++) {
        ApiEvent gone = {.type = WATCH_DELETED, .object = lost->pdata[i]};
        handle(kcm, &gone, input->now, actions);
    }
}

static void
on_event(Controllers *kcm, const Input *input, Actions *actions)
{
    const ApiEvent *event = (const ApiEvent *)input->message;
    bool synced = event->type == WATCH_SYNCED;
    if ((input->tag & NODES_TAG) != 0 || (!synced && event->object->kind == OBJECT_NODE)) {
        bool tainted = !synced && is_tainted(kcm, event->object->name);
        nodes_step(&kcm->lifecycle, input, actions);
        if (tainted || (!synced && is_tainted(kcm, event->object->name))) {
            on_node(kcm, actions);
        }
    } else if (synced) {
        on_synced(kcm, input, actions);
    } else {
        Informer *informer = informer_of(kcm, event->object->kind);
        if (informer != NULL && informer_note(informer, event)) {
            handle(kcm, event, input->now, actions);
        }
    }
}

static void
on_start(Controllers *kcm, Actions *actions)
{
    for (guint i = 0; i < N_WATCHED; i++) {
        informer_open(&kcm->watched[i], actions);
    }
    nodes_start(&kcm->lifecycle, actions);
}

static void
on_closed(Controllers *kcm, const Input *input, Actions *actions)
{
    if (input->tag >= 1 && input->tag <= N_WATCHED) {
        informer_closed(&kcm->watched[input->tag - 1], actions);
    }
}

static void
on_timer(Controllers *kcm, const Input *input, Actions *actions)
{
    if (input->tag >= 1 && input->tag <= N_WATCHED) {
        informer_open(&kcm->watched[input->tag - 1], actions);
        return;
    }
    Set *set = g_hash_table_lookup(kcm->set_tags, &input->tag);
    if (set != NULL) {
        set->waiting = set->backing_off = set->batch_failed = false;
        if (set->creating == 0) { /* each sync of a ReplicaSet starts slowly anew */
            set->batch = first_batch(set->object->kind);
        }
        sync_set(kcm, set, input->now, actions);
    }
}

static void
step(Machine *machine, const Input *input, Actions *actions)
{
    Controllers *kcm = (Controllers *)machine;
    if ((input->tag & NODES_TAG) != 0 && input->kind != INPUT_EVENT) {
        nodes_step(&kcm->lifecycle, input, actions);
        return;
    }
    switch (input->kind) {
    case INPUT_START:
        on_start(kcm, actions);
        break;
    case INPUT_FAILURE:
        on_closed(kcm, input, actions); /* a watch that could not be opened */
        on_created(kcm, input, actions);
        break;
    case INPUT_REPLY:
        on_created(kcm, input, actions);
        break;
    case INPUT_CLOSED:
        on_closed(kcm, input, actions);
        break;
    case INPUT_EVENT:
        on_event(kcm, input, actions);
        break;
    case INPUT_TIMER:
        on_timer(kcm, input, actions);
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
controllers_free(Machine *machine)
{
    Controllers *kcm = (Controllers *)machine;
    nodes_clear(&kcm->lifecycle);
    for (guint i = 0; i < N_WATCHED; i++) {
        informer_clear(&kcm->watched[i]);
    }
    g_hash_table_unref(kcm->ordinals);
    g_hash_table_unref(kcm->calls);
    g_hash_table_unref(kcm->pod_slots);
    g_hash_table_unref(kcm->set_tags);
    g_hash_table_unref(kcm->sets);
    g_free(kcm);
}

static const MachineClass controllers_class = {COMPONENT_CONTROLLERS, step, controllers_free};

Machine *
controllers_new(const ProcessInfo *info, const Nodes *nodes)
{
    Controllers *kcm = g_new0(Controllers, 1);
    kcm->base.class = &controllers_class;
    kcm->base.info = info;
    kcm->nodes = nodes;
    process_random(info, "sync", &kcm->random);
    kcm->sets = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, set_free);
    kcm->set_tags = g_hash_table_new(g_int64_hash, g_int64_equal);
    kcm->calls = g_hash_table_new(g_int64_hash, g_int64_equal);
    kcm->pod_slots = g_hash_table_new(g_int64_hash, g_int64_equal);
    kcm->ordinals = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (guint i = 0; i < N_WATCHED; i++) {
        informer_init(&kcm->watched[i], watched_kinds[i], ++kcm->last_tag, NULL);
    }
    nodes_init(&kcm->lifecycle, info, informer_of(kcm, OBJECT_POD));
    double qps = calibration_number(info->calibration, PARAMETER_CONTROLLERS_QPS);
    double burst = calibration_number(info->calibration, PARAMETER_CONTROLLERS_BURST);
    for (int kind = 0; kind < N_OBJECT_KINDS; kind++) {
        rate_limit_init(&kcm->limits[kind], qps, burst);
    }
    return &kcm->base;
}
