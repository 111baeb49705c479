/* Striking.  A Target is one Pod, node or pair of nodes that a part of a fault has hit; it is kept
 * while the fault lasts, so that it can be ended there. */
#include "models/chaos.h"

#include "models/k8s/api.h"

#include <math.h>

enum { TAG_PODS = 1, TAG_NODES, TAG_STRIKE, TAG_END, TAG_INJECT, TAG_RELEASE, TAG_BITS = 4 };

typedef struct Target {
    const FaultPart *part;
    ApiObject *pod;  /* NULL: a node */
    char *node;      /* NULL: a Pod */
    char *peer_node; /* links */
    guint container;
} Target;

typedef struct Active {
    const Fault *fault;
    guint index;
    uint64_t n_strikes;
    GPtrArray *targets; /* Target *: hit and not ended */
    RandomStream random;
} Active;

typedef struct Chaos {
    Machine base;
    const Scenario *scenario;
    const Chains *chains;
    GHashTable *pods; /* uid -> ApiObject */
    GPtrArray *order; /* ApiObject *: Pods by arrival */
    GPtrArray *nodes; /* ApiObject *, references */
    Active *active;   /* by fault */
} Chaos;

static uint64_t
tag_of(guint fault, int kind)
{
    return (uint64_t)fault << TAG_BITS | (uint64_t)kind;
}

static int
kind_of(uint64_t tag)
{
    return (int)(tag & ((1 << TAG_BITS) - 1));
}

static void
target_free(void *data)
{
    Target *target = data;
    api_object_unref(target->pod);
    g_free(target->node);
    g_free(target->peer_node);
    g_free(target);
}

/* ---- selecting ---- */

static const Chain *
chain_of(const Chaos *chaos, const Fault *fault)
{
    const GPtrArray *chains = chaos->chains != NULL ? chaos->chains->chains : NULL;
    for (guint i = 0; chains != NULL && i < chains->len; i++) {
        const Chain *chain = g_ptr_array_index(chains, i);
        if (fault->chain == NULL || g_str_equal(fault->chain, chain->name)) {
            return chain;
        }
    }
    return NULL;
}

static bool
is_listed(char *const *list, const char *text)
{
    for (; *list != NULL; list++) {
        if (g_str_equal(*list, text)) {
            return true;
        }
    }
    return false;
}

static bool
is_owned_by(const Chaos *chaos, const char *workload, const char *pod_key)
{
    if (g_str_equal(workload, pod_key)) {
        return true;
    }
    for (guint m = 0; m < chaos->scenario->n_manifests; m++) {
        const GPtrArray *objects = chaos->scenario->manifests[m].objects;
        for (guint i = 0; i < objects->len; i++) {
            const Object *object = g_ptr_array_index(objects, i);
            g_autofree char *name = g_strdup_printf("%s/%s", object->ns, object->name);
            if (g_str_equal(name, workload) && object_owns_pod(object, pod_key)) {
                return true;
            }
        }
    }
    return false;
}

static bool
is_one_of(const Chaos *chaos, char *const *workloads, const char *pod_key)
{
    for (; *workloads != NULL; workloads++) {
        if (is_owned_by(chaos, *workloads, pod_key)) {
            return true;
        }
    }
    return false;
}

static bool
has_component(const PodSpec *spec, Component component)
{
    for (guint i = 0; i < spec->n_containers; i++) {
        if (component_of_image(spec->containers[i].image) == component) {
            return true;
        }
    }
    return false;
}

/* The Pod of a chain's client or last endpoint that lives: the newest. */
static const ApiObject *
member_pod(const Chaos *chaos, const Object *object)
{
    const ApiObject *found = NULL;
    for (guint i = 0; object != NULL && i < chaos->order->len; i++) {
        const ApiObject *pod = g_ptr_array_index(chaos->order, i);
        g_autofree char *key = api_object_key(pod);
        if (!pod->deleting && object_owns_pod(object, key)) {
            found = pod;
        }
    }
    return found;
}

static const Object *
chain_end(const Chain *chain, bool client)
{
    if (chain == NULL) {
        return NULL;
    }
    return client ? chain->client : g_ptr_array_index(chain->members, chain->members->len - 1);
}

static bool
is_in_place(const Chaos *chaos, const Fault *fault, FaultPlace place, const char *node)
{
    if (place == FAULT_PLACE_ANY) {
        return true;
    }
    const ApiObject *end =
        member_pod(chaos, chain_end(chain_of(chaos, fault), place == FAULT_PLACE_CLIENT));
    return end != NULL && g_strcmp0(end->node, node) == 0;
}

static bool
selects_pod(const Chaos *chaos, const Fault *fault, const FaultSelector *selector,
            const ApiObject *pod)
{
    g_autofree char *key = api_object_key(pod);
    const Chain *chain = chain_of(chaos, fault);
    if (pod->deleting || pod->node == NULL ||
        (selector->namespaces != NULL && !is_listed(selector->namespaces, pod->ns)) ||
        (selector->nodes != NULL && !is_listed(selector->nodes, pod->node)) ||
        !labels_subset(&selector->labels, api_object_labels(pod)) ||
        (selector->pods != NULL && !is_one_of(chaos, selector->pods, key)) ||
        (selector->component != N_COMPONENTS && !has_component(pod->pod, selector->component))) {
        return false;
    }
    if (selector->endpoint || selector->client) {
        const Object *end = chain_end(chain, selector->client);
        if (end == NULL || !object_owns_pod(end, key)) {
            return false;
        }
    }
    return is_in_place(chaos, fault, selector->place, pod->node);
}

static bool
hits_nodes(const FaultPart *part)
{
    return fault_is_network(part->action) ? part->device == NULL : fault_is_node(part->action);
}

static guint
container_index(const PodSpec *spec, const char *name)
{
    for (guint i = 0; name != NULL && i < spec->n_containers; i++) {
        if (g_str_equal(spec->containers[i].name, name)) {
            return spec->n_init_containers + i;
        }
    }
    return spec->n_init_containers;
}

static void
add_pod_targets(GPtrArray *targets, const FaultPart *part, ApiObject *pod)
{
    char *const none[] = {NULL};
    char *const *names = part->containers != NULL ? part->containers : none;
    do {
        Target *target = g_new0(Target, 1);
        target->part = part;
        target->pod = api_object_ref(pod);
        target->container = container_index(pod->pod, *names);
        g_ptr_array_add(targets, target);
    } while (*names != NULL && *++names != NULL);
}

static void
add_node_target(GPtrArray *targets, const FaultPart *part, const char *node, const char *peer)
{
    Target *target = g_new0(Target, 1);
    target->part = part;
    target->node = g_strdup(node);
    target->peer_node = g_strdup(peer);
    g_ptr_array_add(targets, target);
}

static void
add_link_targets(GPtrArray *targets, const FaultPart *part, const char *node)
{
    if (part->target_nodes == NULL) {
        add_node_target(targets, part, node, NULL);
        return;
    }
    for (char **peer = part->target_nodes; *peer != NULL; peer++) {
        if (!g_str_equal(*peer, node)) {
            add_node_target(targets, part, node, *peer);
        }
    }
}

/* Node objects that the selector fits: by name, or because a selected Pod runs there. */
static GPtrArray *
candidate_nodes(const Chaos *chaos, const Fault *fault, const FaultSelector *selector)
{
    bool by_pod = selector->pods != NULL || selector->namespaces != NULL ||
                  selector->labels.n > 0 || selector->component != N_COMPONENTS ||
                  selector->client || selector->endpoint;
    GPtrArray *nodes = g_ptr_array_new();
    for (guint n = 0; n < chaos->nodes->len; n++) {
        ApiObject *node = g_ptr_array_index(chaos->nodes, n);
        bool fits = selector->nodes == NULL || is_listed(selector->nodes, node->name);
        bool found = !by_pod && is_in_place(chaos, fault, selector->place, node->name);
        for (guint i = 0; by_pod && !found && i < chaos->order->len; i++) {
            const ApiObject *pod = g_ptr_array_index(chaos->order, i);
            found =
                g_strcmp0(pod->node, node->name) == 0 && selects_pod(chaos, fault, selector, pod);
        }
        if (fits && found) {
            g_ptr_array_add(nodes, node);
        }
    }
    return nodes;
}

static GPtrArray *
candidate_pods(const Chaos *chaos, const Fault *fault, const FaultSelector *selector)
{
    GPtrArray *pods = g_ptr_array_new();
    for (guint i = 0; i < chaos->order->len; i++) {
        ApiObject *pod = g_ptr_array_index(chaos->order, i);
        if (selects_pod(chaos, fault, selector, pod)) {
            g_ptr_array_add(pods, pod);
        }
    }
    return pods;
}

static guint
how_many(const FaultPart *part, guint n, RandomStream *random)
{
    switch (part->mode) {
    case FAULT_MODE_ALL:
        return n;
    case FAULT_MODE_FIXED:
        return MIN((guint)part->mode_value, n);
    case FAULT_MODE_FIXED_PERCENT:
        return MAX((guint)(n * part->mode_value / 100), 1);
    case FAULT_MODE_RANDOM_MAX_PERCENT: {
        guint most = MAX((guint)(n * part->mode_value / 100), 1);
        return 1 + (guint)random_below(random, most);
    }
    case FAULT_MODE_ONE:
        break;
    }
    return 1;
}

/* Keeps a random choice of `k`, in their order. */
static void
choose(GPtrArray *candidates, guint k, RandomStream *random)
{
    while (candidates->len > k) {
        g_ptr_array_remove_index(candidates, (guint)random_below(random, candidates->len));
    }
}

static bool
select_targets(const Chaos *chaos, Active *active, const FaultPart *part, GPtrArray *targets)
{
    bool nodes = hits_nodes(part);
    g_autoptr(GPtrArray) candidates = nodes ? candidate_nodes(chaos, active->fault, &part->selector)
                                            : candidate_pods(chaos, active->fault, &part->selector);
    if (candidates->len == 0) {
        return false;
    }
    choose(candidates, how_many(part, candidates->len, &active->random), &active->random);
    for (guint i = 0; i < candidates->len; i++) {
        ApiObject *object = g_ptr_array_index(candidates, i);
        bool link = nodes && fault_is_network(part->action);
        if (link) {
            add_link_targets(targets, part, object->name);
        } else if (nodes) {
            add_node_target(targets, part, object->name, NULL);
        } else {
            add_pod_targets(targets, part, object);
        }
    }
    return true;
}

/* ---- acting ---- */

static void
update_object(ApiObject *take_object, Actions *actions)
{
    actions_call(actions, API_ADDRESS, 0, api_message(MESSAGE_API_UPDATE, take_object))->flags =
        CALL_PLAIN;
}

static ApiObject *
newest(GPtrArray *objects, const char *name)
{
    for (guint i = 0; i < objects->len; i++) {
        ApiObject *object = g_ptr_array_index(objects, i);
        if (g_str_equal(object->name, name)) {
            return object;
        }
    }
    return NULL;
}

static void
delete_pod(const ApiObject *pod, nsec_t grace, Actions *actions)
{
    ApiQuery *query = api_query(MESSAGE_API_DELETE, OBJECT_POD, pod->ns, pod->name);
    query->uid = pod->uid;
    query->grace = grace >= 0 ? grace : pod->pod->grace_period;
    actions_call(actions, API_ADDRESS, 0, query)->flags = CALL_PLAIN;
}

static Impairment
impairment_of(const FaultPart *part)
{
    Impairment out = {.correlation = part->correlation / 100};
    switch ((int)part->action) {
    case FAULT_PARTITION:
        out.cut = true;
        break;
    case FAULT_LOSS:
    case FAULT_CORRUPT:
        out.loss = part->percent / 100;
        break;
    case FAULT_DUPLICATE:
        out.duplicate = part->percent / 100;
        break;
    case FAULT_DELAY:
        out.latency = part->latency;
        out.jitter = part->jitter;
        break;
    default:
        out.rate = part->rate;
    }
    return out;
}

/* What does not begin, ends: what it was done to may be gone by then, which is no failure. */
static FaultOp *
inject(guint fault, const Target *target, FaultOpKind kind, bool begin, Actions *actions)
{
    FaultOp *op = actions_inject(actions, tag_of(fault, begin ? TAG_INJECT : TAG_RELEASE), kind);
    op->node = target->node != NULL ? actions_string(actions, target->node) : NULL;
    op->peer_node = target->peer_node != NULL ? actions_string(actions, target->peer_node) : NULL;
    if (target->pod != NULL) {
        op->pod_uid = target->pod->uid;
        op->container = target->container;
    }
    return op;
}

static void
impair(guint fault, const Target *target, bool begin, Actions *actions)
{
    FaultOp *op =
        inject(fault, target, target->pod != NULL ? FAULT_OP_WIRE : FAULT_OP_LINK, begin, actions);
    if (target->pod != NULL) {
        op->pod_port = actions_printf(actions, "%s/%s/%s", target->pod->ns, target->pod->name,
                                      target->part->device);
    }
    op->impairment = begin ? impairment_of(target->part) : (Impairment){0};
}

static void
stress(guint fault, const Target *target, bool begin, Actions *actions)
{
    const FaultPart *part = target->part;
    bool memory = part->action == FAULT_STRESS_MEMORY;
    FaultOp *op = inject(fault, target, memory ? FAULT_OP_MEMORY : FAULT_OP_CPU, begin, actions);
    op->workers = begin ? MAX(part->workers, 1) : 0;
    op->load = part->load > 0 ? part->load / 100 : 1;
    op->size = begin ? part->size * MAX(part->workers, 1) : 0;
}

static void
change_node(Chaos *chaos, const Target *target, bool begin, Actions *actions)
{
    const ApiObject *known = newest(chaos->nodes, target->node);
    ApiObject *node = api_object_copy(known);
    NodeCondition *condition = &node->node_condition;
    if (target->part->action == FAULT_NODE_DRAIN) {
        condition->unschedulable = begin;
    } else {
        g_free(condition->taint_key);
        g_free(condition->taint_value);
        g_free(condition->taint_effect);
        condition->taint_key = begin ? g_strdup(target->part->taint_key) : NULL;
        condition->taint_value = begin ? g_strdup(target->part->taint_value) : NULL;
        condition->taint_effect = begin ? g_strdup(target->part->taint_effect) : NULL;
    }
    update_object(node, actions);
    for (guint i = 0; begin && target->part->action == FAULT_NODE_DRAIN && i < chaos->order->len;
         i++) {
        const ApiObject *pod = g_ptr_array_index(chaos->order, i);
        bool daemon = pod->affinity_node != NULL; /* kubectl drain --ignore-daemonsets */
        if (g_strcmp0(pod->node, target->node) == 0 && !daemon && !pod->deleting) {
            delete_pod(pod, target->part->grace, actions);
        }
    }
}

static void
pause_pod(Chaos *chaos, const Target *target, bool begin, Actions *actions)
{
    const ApiObject *known = g_hash_table_lookup(chaos->pods, &target->pod->uid);
    if (known != NULL) {
        ApiObject *pod = api_object_copy(known);
        pod->paused = begin;
        update_object(pod, actions);
    }
}

static void
act(Chaos *chaos, guint fault, const Target *target, bool begin, Actions *actions)
{
    switch (target->part->action) {
    case FAULT_POD_KILL:
        if (begin) {
            delete_pod(target->pod, target->part->grace, actions);
        }
        break;
    case FAULT_POD_FAILURE:
        pause_pod(chaos, target, begin, actions);
        break;
    case FAULT_CONTAINER_KILL:
        if (begin) {
            inject(fault, target, FAULT_OP_KILL, true, actions);
        }
        break;
    case FAULT_NODE_DRAIN:
    case FAULT_NODE_TAINT:
        change_node(chaos, target, begin, actions);
        break;
    case FAULT_NODE_RESTART:
    case FAULT_NODE_POWEROFF:
        inject(fault, target, begin ? FAULT_OP_NODE_OFF : FAULT_OP_NODE_ON, begin, actions);
        break;
    case FAULT_KUBELET_KILL:
        if (begin) {
            inject(fault, target, FAULT_OP_KUBELET, true, actions);
        }
        break;
    case FAULT_NODE_CPU_HOG:
    case FAULT_STRESS_CPU:
    case FAULT_STRESS_MEMORY:
        stress(fault, target, begin, actions);
        break;
    case FAULT_PARTITION:
    case FAULT_LOSS:
    case FAULT_DELAY:
    case FAULT_BANDWIDTH:
    case FAULT_DUPLICATE:
    case FAULT_CORRUPT:
        impair(fault, target, begin, actions);
        break;
    case N_FAULT_ACTIONS:
        break;
    }
}

static const char *
describe(const Target *target, Actions *actions)
{
    const char *what = fault_action_name(target->part->action);
    if (target->pod != NULL && target->part->device != NULL) {
        return actions_printf(actions, "%s: Pod %s/%s, %s", what, target->pod->ns,
                              target->pod->name, target->part->device);
    }
    if (target->pod != NULL) {
        return actions_printf(actions, "%s: Pod %s/%s", what, target->pod->ns, target->pod->name);
    }
    if (target->peer_node != NULL) {
        return actions_printf(actions, "%s: link %s - %s", what, target->node, target->peer_node);
    }
    return actions_printf(actions, "%s: node %s", what, target->node);
}

/* ---- when ---- */

static nsec_t
boot_time(Chaos *chaos, Active *active)
{
    const Calibration *cal = chaos->base.info->calibration;
    return dist_draw_nsec(&cal->parameters[PARAMETER_NODE_BOOT], &active->random);
}

static nsec_t
lasts(Chaos *chaos, Active *active)
{
    nsec_t duration = active->fault->duration;
    for (guint i = 0; duration == 0 && i < active->fault->n_parts; i++) {
        if (active->fault->parts[i].action == FAULT_NODE_RESTART) {
            duration = boot_time(chaos, active);
        }
    }
    return duration;
}

static nsec_t
until_next(Active *active)
{
    const Fault *fault = active->fault;
    if (fault->mean_time_between > 0) {
        double u = random_uniform(&active->random);
        return MAX((nsec_t)(-log(u) * (double)fault->mean_time_between), 1);
    }
    return fault->every;
}

static void
miss(Active *active, const char *why, Actions *actions)
{
    actions_trace_value(actions, TRACE_FAULT_FAILED, active->fault->name, why,
                        (int64_t)active->n_strikes);
}

static void
strike(Chaos *chaos, Active *active, Actions *actions)
{
    const Fault *fault = active->fault;
    active->n_strikes++;
    g_autoptr(GPtrArray) targets = g_ptr_array_new();
    for (guint i = 0; i < fault->n_parts; i++) {
        if (!select_targets(chaos, active, &fault->parts[i], targets)) {
            miss(active,
                 actions_printf(actions, "%s selects nothing that is there",
                                fault_action_name(fault->parts[i].action)),
                 actions);
        }
    }
    for (guint i = 0; i < targets->len; i++) {
        Target *target = g_ptr_array_index(targets, i);
        g_ptr_array_add(active->targets, target);
        actions_trace_value(actions, TRACE_FAULT_INJECTED, fault->name, describe(target, actions),
                            (int64_t)active->n_strikes);
        act(chaos, active->index, target, true, actions);
    }
    nsec_t duration = lasts(chaos, active);
    if (duration > 0 && targets->len > 0) {
        actions_timer(actions, tag_of(active->index, TAG_END), duration);
    } else {
        g_ptr_array_set_size(active->targets, 0);
    }
    nsec_t next = until_next(active);
    if (next > 0) {
        bool random = fault->mean_time_between > 0; /* never again before this one has ended */
        actions_timer(actions, tag_of(active->index, TAG_STRIKE),
                      random ? MAX(next, duration + 1) : next);
    }
}

static void
end(Chaos *chaos, Active *active, Actions *actions)
{
    for (guint i = 0; i < active->targets->len; i++) {
        act(chaos, active->index, g_ptr_array_index(active->targets, i), false, actions);
    }
    actions_trace_value(actions, TRACE_FAULT_ENDED, active->fault->name, NULL,
                        (int64_t)active->n_strikes);
    g_ptr_array_set_size(active->targets, 0);
}

/* ---- what there is ---- */

static void
watch(ObjectKind kind, uint64_t tag, Actions *actions)
{
    actions_open(actions, API_ADDRESS, tag, api_query(MESSAGE_API_WATCH, kind, NULL, NULL))->flags =
        CALL_PLAIN;
}

static void
on_pod(Chaos *chaos, const ApiEvent *event)
{
    ApiObject *pod = event->object;
    ApiObject *known = g_hash_table_lookup(chaos->pods, &pod->uid);
    if (known != NULL && known->version > pod->version && event->type != WATCH_DELETED) {
        return;
    }
    guint index = 0;
    bool listed = known != NULL && g_ptr_array_find(chaos->order, known, &index);
    if (event->type == WATCH_DELETED) {
        if (listed) {
            g_ptr_array_remove_index(chaos->order, index);
        }
        g_hash_table_remove(chaos->pods, &pod->uid);
        return;
    }
    ApiObject *kept = api_object_ref(pod);
    if (listed) {
        chaos->order->pdata[index] = kept;
    } else {
        g_ptr_array_add(chaos->order, kept);
    }
    g_hash_table_replace(chaos->pods, &kept->uid, kept);
}

static void
on_node(Chaos *chaos, const ApiEvent *event)
{
    for (guint i = 0; i < chaos->nodes->len; i++) {
        ApiObject *known = g_ptr_array_index(chaos->nodes, i);
        if (g_str_equal(known->name, event->object->name)) {
            api_object_unref(known);
            chaos->nodes->pdata[i] = api_object_ref(event->object);
            return;
        }
    }
    g_ptr_array_add(chaos->nodes, api_object_ref(event->object));
}

static void
on_start(Chaos *chaos, const Input *input, Actions *actions)
{
    watch(OBJECT_POD, TAG_PODS, actions);
    watch(OBJECT_NODE, TAG_NODES, actions);
    for (guint i = 0; i < chaos->scenario->n_faults; i++) {
        const Fault *fault = &chaos->scenario->faults[i];
        nsec_t first = fault->start_time - input->now;
        if (fault->mean_time_between > 0) {
            first += until_next(&chaos->active[i]);
        }
        actions_timer(actions, tag_of(i, TAG_STRIKE), MAX(first, 0));
    }
}

static void
on_timer(Chaos *chaos, const Input *input, Actions *actions)
{
    Active *active = &chaos->active[input->tag >> TAG_BITS];
    if (kind_of(input->tag) == TAG_STRIKE) {
        strike(chaos, active, actions);
    } else {
        end(chaos, active, actions);
    }
}

static void
step(Machine *machine, const Input *input, Actions *actions)
{
    Chaos *chaos = (Chaos *)machine;
    switch ((int)input->kind) {
    case INPUT_START:
        on_start(chaos, input, actions);
        break;
    case INPUT_TIMER:
        on_timer(chaos, input, actions);
        break;
    case INPUT_EVENT:
        if (input->tag == TAG_PODS) {
            on_pod(chaos, (const ApiEvent *)input->message);
        } else {
            on_node(chaos, (const ApiEvent *)input->message);
        }
        break;
    case INPUT_INJECTED:
        if (input->error != NULL && kind_of(input->tag) == TAG_INJECT) {
            miss(&chaos->active[input->tag >> TAG_BITS], actions_string(actions, input->error),
                 actions);
        }
        break;
    default:
        break;
    }
}

static void
chaos_free(Machine *machine)
{
    Chaos *chaos = (Chaos *)machine;
    for (guint i = 0; i < chaos->scenario->n_faults; i++) {
        g_ptr_array_unref(chaos->active[i].targets);
    }
    g_free(chaos->active);
    g_ptr_array_unref(chaos->order);
    g_ptr_array_unref(chaos->nodes);
    g_hash_table_unref(chaos->pods);
    g_free(chaos);
}

static const MachineClass chaos_class = {COMPONENT_CHAOS, step, chaos_free};

Machine *
chaos_new(const ProcessInfo *info, const Scenario *scenario, const Chains *chains)
{
    Chaos *chaos = g_new0(Chaos, 1);
    chaos->base.class = &chaos_class;
    chaos->base.info = info;
    chaos->scenario = scenario;
    chaos->chains = chains;
    chaos->pods =
        g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, (GDestroyNotify)api_object_unref);
    chaos->order = g_ptr_array_new();
    chaos->nodes = g_ptr_array_new_with_free_func((GDestroyNotify)api_object_unref);
    chaos->active = g_new0(Active, scenario->n_faults);
    for (guint i = 0; i < scenario->n_faults; i++) {
        Active *active = &chaos->active[i];
        active->fault = &scenario->faults[i];
        active->index = i;
        active->targets = g_ptr_array_new_with_free_func(target_free);
        random_stream_init(&active->random, info->seed, info->replication, active->fault->name,
                           "fault");
    }
    return &chaos->base;
}
