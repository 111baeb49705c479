/* kube-controller-manager.  Every set (ReplicaSet, DaemonSet, StatefulSet) keeps the slots it wants
 * filled; a Deployment only makes its ReplicaSet. */
#include "models/k8s/controllers.h"

#include "models/k8s/api.h"
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

typedef struct Controllers {
    Machine base;
    const Nodes *nodes;
    RandomStream random;
    GHashTable *sets;      /* uid -> Set */
    GHashTable *set_tags;  /* timer tag -> Set */
    GHashTable *calls;     /* call tag -> Slot */
    GHashTable *pod_slots; /* Pod uid -> Slot */
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

/* StatefulSets fill a slot only when all before it are ready (podManagementPolicy OrderedReady). */
static bool
may_fill(const Set *set, guint index)
{
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
        if (slot->state == SLOT_EMPTY && may_fill(set, i)) {
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

static void
on_set_added(Controllers *kcm, ApiObject *object, Actions *actions)
{
    if (g_hash_table_contains(kcm->sets, &object->uid)) {
        return;
    }
    Set *set = g_new0(Set, 1);
    set->object = api_object_ref(object);
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
on_set_deleted(Controllers *kcm, const ApiObject *object)
{
    Set *set = g_hash_table_lookup(kcm->sets, &object->uid);
    if (set == NULL) {
        return;
    }
    g_hash_table_foreach(kcm->calls, remove_pending, set);
    g_hash_table_foreach(kcm->pod_slots, remove_pending, set);
    g_hash_table_foreach_remove(kcm->calls, is_orphan, NULL);
    g_hash_table_foreach_remove(kcm->pod_slots, is_orphan, NULL);
    g_hash_table_remove(kcm->set_tags, &set->tag);
    g_hash_table_remove(kcm->sets, &object->uid);
}

/* ---- answers and Pods ---- */

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
        slot->state = SLOT_FILLED;
        slot->pod_uid = api_message_object(input->message)->uid;
        g_hash_table_insert(kcm->pod_slots, &slot->pod_uid, slot);
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

static void
on_pod(Controllers *kcm, const ApiEvent *event, Actions *actions)
{
    const ApiObject *pod = event->object;
    Slot *slot = g_hash_table_lookup(kcm->pod_slots, &pod->uid);
    if (slot == NULL) {
        return;
    }
    bool became_ready = !slot->ready && pod->status.ready;
    slot->ready = pod->status.ready;
    /* A DaemonSet waits until the old Pod is deleted (daemon_controller.go podsShouldBeOnNode);
     * so does a StatefulSet, whose Pods keep their names. */
    bool waits = slot->set->object->kind != OBJECT_REPLICA_SET;
    bool gone = event->type == WATCH_DELETED || (pod->deleting && !waits);
    if (gone) {
        g_hash_table_remove(kcm->pod_slots, &pod->uid);
        slot->state = SLOT_EMPTY;
        slot->ready = false;
    }
    if (gone || (became_ready && slot->set->object->kind == OBJECT_STATEFUL_SET)) {
        sync_later(kcm, slot->set, actions);
    }
}

static void
on_event(Controllers *kcm, const Input *input, Actions *actions)
{
    const ApiEvent *event = (const ApiEvent *)input->message;
    if (event->object->kind == OBJECT_POD) {
        on_pod(kcm, event, actions);
    } else if (event->type == WATCH_ADDED) {
        on_set_added(kcm, event->object, actions);
    } else if (event->type == WATCH_DELETED) {
        on_set_deleted(kcm, event->object);
    }
}

static void
on_start(Controllers *kcm, Actions *actions)
{
    static const ObjectKind kinds[] = {OBJECT_DEPLOYMENT, OBJECT_REPLICA_SET, OBJECT_DAEMON_SET,
                                       OBJECT_STATEFUL_SET, OBJECT_POD};
    for (guint i = 0; i < G_N_ELEMENTS(kinds); i++) {
        actions_open(actions, API_ADDRESS, ++kcm->last_tag,
                     api_query(MESSAGE_API_WATCH, kinds[i], NULL, NULL))
            ->flags = CALL_PLAIN;
    }
}

static void
on_timer(Controllers *kcm, const Input *input, Actions *actions)
{
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
    switch (input->kind) {
    case INPUT_START:
        on_start(kcm, actions);
        break;
    case INPUT_REPLY:
    case INPUT_FAILURE:
        on_created(kcm, input, actions);
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
    case INPUT_CLOSED:
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
    double qps = calibration_number(info->calibration, PARAMETER_CONTROLLERS_QPS);
    double burst = calibration_number(info->calibration, PARAMETER_CONTROLLERS_BURST);
    for (int kind = 0; kind < N_OBJECT_KINDS; kind++) {
        rate_limit_init(&kcm->limits[kind], qps, burst);
    }
    return &kcm->base;
}
