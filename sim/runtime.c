/* The container runtime and the CNI of each node, in virtual time.
 *
 * Sandboxes take the runtime's time and, unless the Pod uses the host's network, their turn at the
 * node's CNI plugin; a container is created, started, and then its process runs.  Stopping sends
 * INPUT_STOP and, when the grace period is over, ends the process. */
#include "sim/world_types.h"

#include "models/k8s/kubelet.h"
#include "models/nsm/vpp.h"
#include "sim/dataplane.h"

typedef struct RuntimeTask {
    Event event;
    World *world;
    Process *kubelet;
    WorldNode *node;
    uint64_t tag;
    RuntimeOp op; /* strings below are its own */
    char *ns, *pod, *pod_ip;
} RuntimeTask;

static void
task_free(void *data)
{
    RuntimeTask *task = data;
    engine_cancel(task->world->engine, &task->event);
    g_free(task->ns);
    g_free(task->pod);
    g_free(task->pod_ip);
    g_free(task);
}

static void
finish(RuntimeTask *task)
{
    Process *kubelet = task->kubelet;
    Input input = {.kind = INPUT_RUNTIME, .tag = task->tag};
    g_hash_table_remove(task->world->runtime_ops, task); /* frees it */
    if (kubelet != NULL) {
        world_step(kubelet, &input);
    }
}

static uint32_t
count_incarnation(World *world, const char *name)
{
    const Usage *usage = g_hash_table_lookup(world->usages, name);
    return usage != NULL ? usage->n_starts : 0;
}

static void
start_process(RuntimeTask *task)
{
    World *world = task->world;
    const PodSpec *spec = task->op.spec;
    const ContainerSpec *container =
        task->op.container < spec->n_init_containers
            ? &spec->init_containers[task->op.container]
            : &spec->containers[task->op.container - spec->n_init_containers];
    g_autofree char *name = g_strdup_printf("%s/%s/%s", task->ns, task->pod, container->name);
    Machine *machine = cluster_spawn(world->cluster, &task->op, count_incarnation(world, name));
    Process *process = world_start_process(world, machine, task->node);
    g_autofree char *key = kubelet_container_address(task->op.pod_uid, task->op.container);
    world_listen(process, key);
    g_hash_table_insert(world->containers, g_steal_pointer(&key), process);
}

/* ---- sandboxes ---- */

struct Sandbox {
    WorldNode *node;
    uint64_t pod_uid;
    char *ip;
};

static void
sandbox_free(void *data)
{
    struct Sandbox *sandbox = data;
    g_free(sandbox->ip);
    g_free(sandbox);
}

static void
add_sandbox(RuntimeTask *task)
{
    World *world = task->world;
    struct Sandbox *sandbox = g_new0(struct Sandbox, 1);
    sandbox->node = task->node;
    sandbox->pod_uid = task->op.pod_uid;
    sandbox->ip = g_strdup(task->pod_ip);
    g_hash_table_insert(world->sandboxes, g_strdup_printf("%s/%s", task->ns, task->pod), sandbox);
    world->n_sandboxes++;
    g_hash_table_insert(world->pod_ips, g_strdup(task->pod_ip), task->node);
    g_autofree char *key = g_strdup_printf("%s/%s", task->ns, task->pod);
    sim_dataplane_add_pod(world->dataplane, key);
}

static void
remove_sandbox(World *world, const char *pod_key)
{
    const struct Sandbox *sandbox = g_hash_table_lookup(world->sandboxes, pod_key);
    if (sandbox != NULL) {
        g_hash_table_remove(world->pod_ips, sandbox->ip);
        g_hash_table_remove(world->sandboxes, pod_key);
        world->n_sandboxes++;
    }
    sim_dataplane_remove_pod(world->dataplane, pod_key);
    usage_retire_pod(world, pod_key);
}

const char *
runtime_find_pod(const World *world, const Object *object, const WorldNode **node)
{
    const struct Sandbox *oldest = NULL;
    const char *found = NULL;
    GHashTableIter iter;
    void *key, *value;
    g_hash_table_iter_init(&iter, world->sandboxes);
    while (g_hash_table_iter_next(&iter, &key, &value)) {
        const struct Sandbox *sandbox = value;
        if ((oldest == NULL || sandbox->pod_uid < oldest->pod_uid) &&
            object_owns_pod(object, key)) {
            oldest = sandbox;
            found = key;
        }
    }
    if (found != NULL) {
        *node = oldest->node;
    }
    return found;
}

const char *
runtime_node_of_pod(const World *world, const char *pod_key)
{
    const struct Sandbox *sandbox = g_hash_table_lookup(world->sandboxes, pod_key);
    return sandbox != NULL ? sandbox->node->name : NULL;
}

static int
compare_sandboxes(const void *a, const void *b)
{
    const struct Sandbox *left = *(struct Sandbox *const *)a, *right = *(struct Sandbox *const *)b;
    return left->pod_uid < right->pod_uid ? -1 : left->pod_uid > right->pod_uid;
}

static void
list_sandboxes(const RuntimeTask *task)
{
    g_autoptr(GPtrArray) found = g_ptr_array_new();
    GHashTableIter iter;
    void *value;
    g_hash_table_iter_init(&iter, task->world->sandboxes);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        if (((const struct Sandbox *)value)->node == task->node) {
            g_ptr_array_add(found, value);
        }
    }
    g_ptr_array_sort(found, compare_sandboxes);
    for (guint i = 0; task->kubelet != NULL && i < found->len; i++) {
        const struct Sandbox *sandbox = g_ptr_array_index(found, i);
        Input input = {.kind = INPUT_FOUND, .pod_uid = sandbox->pod_uid, .ip = sandbox->ip};
        world_step(task->kubelet, &input);
    }
}

/* Everything that runs on this node, for a kubelet that has just started. */
static void
list_containers(RuntimeTask *task)
{
    World *world = task->world;
    list_sandboxes(task);
    for (guint i = 0; task->kubelet != NULL && i < world->processes->len; i++) {
        const Process *process = g_ptr_array_index(world->processes, i);
        if (process->node == task->node && process->info->pod != NULL) {
            Input found = {.kind = INPUT_FOUND,
                           .pod_uid = process->info->pod_uid,
                           .container = process->info->container_index,
                           .paused = process->info->paused};
            world_step(task->kubelet, &found);
        }
    }
    finish(task);
}

static void
stop_process(RuntimeTask *task)
{
    World *world = task->world;
    g_autofree char *key = kubelet_container_address(task->op.pod_uid, task->op.container);
    Process *process = g_hash_table_lookup(world->containers, key);
    if (process == NULL || process->dead) {
        finish(task);
        return;
    }
    process->stopping = true;
    process->stop_tag = task->tag;
    engine_reschedule(world->engine, &process->kill_event,
                      engine_now(world->engine) + task->op.grace);
    g_hash_table_remove(world->runtime_ops, task);
    Input input = {.kind = INPUT_STOP};
    world_step(process, &input);
}

static void
stop_sandbox(RuntimeTask *task)
{
    g_autofree char *key = g_strdup_printf("%s/%s", task->ns, task->pod);
    remove_sandbox(task->world, key);
    finish(task);
}

static void
on_due(Engine *engine, Event *event)
{
    (void)engine;
    RuntimeTask *task = (RuntimeTask *)((char *)event - offsetof(RuntimeTask, event));
    switch (task->op.kind) {
    case RUNTIME_RUN_SANDBOX:
        add_sandbox(task);
        finish(task);
        break;
    case RUNTIME_START_CONTAINER:
        start_process(task);
        finish(task);
        break;
    case RUNTIME_STOP_CONTAINER:
        stop_process(task);
        break;
    case RUNTIME_STOP_SANDBOX:
        stop_sandbox(task);
        break;
    case RUNTIME_LIST:
        list_containers(task);
        break;
    }
}

static nsec_t
draw(World *world, CalibrationParameter parameter, RandomStream *random)
{
    return dist_draw_nsec(&world->calibration->parameters[parameter], random);
}

/* The CNI plugin serves one Pod of its node at a time, in the order of asking. */
static nsec_t
wait_for_cni(World *world, WorldNode *node, nsec_t sandbox, RandomStream *random)
{
    nsec_t now = engine_now(world->engine);
    nsec_t begin = MAX(now + sandbox, node->cni_free_at);
    node->cni_free_at = begin + draw(world, PARAMETER_KUBELET_CNI, random);
    return node->cni_free_at - now;
}

static nsec_t
duration(RuntimeTask *task)
{
    World *world = task->world;
    RandomStream random;
    g_autofree char *entity = g_strdup_printf("%s/%s/%u", task->ns, task->pod, task->op.container);
    static const char *const purposes[] = {
        [RUNTIME_RUN_SANDBOX] = "run sandbox",
        [RUNTIME_STOP_SANDBOX] = "stop sandbox",
        [RUNTIME_START_CONTAINER] = "start container",
        [RUNTIME_STOP_CONTAINER] = "stop container",
        [RUNTIME_LIST] = "list containers",
    };
    random_stream_init(&random, world->seed, world->replication, entity, purposes[task->op.kind]);
    switch (task->op.kind) {
    case RUNTIME_RUN_SANDBOX: {
        nsec_t sandbox = draw(world, PARAMETER_KUBELET_SANDBOX, &random);
        return task->op.spec->host_network ? sandbox
                                           : wait_for_cni(world, task->node, sandbox, &random);
    }
    case RUNTIME_START_CONTAINER:
        return draw(world, PARAMETER_KUBELET_CREATE, &random) +
               draw(world, PARAMETER_KUBELET_START, &random);
    case RUNTIME_STOP_SANDBOX:
        return draw(world, PARAMETER_KUBELET_STOP, &random);
    case RUNTIME_STOP_CONTAINER:
    case RUNTIME_LIST:
        break;
    }
    return 0;
}

void
runtime_perform(Process *kubelet, const Action *action)
{
    World *world = kubelet->world;
    RuntimeTask *task = g_new0(RuntimeTask, 1);
    task->world = world;
    task->kubelet = kubelet;
    task->node = kubelet->node;
    task->tag = action->tag;
    task->op = action->runtime;
    task->op.ns = task->ns = g_strdup(action->runtime.ns);
    task->op.pod = task->pod = g_strdup(action->runtime.pod);
    task->op.pod_ip = task->pod_ip = g_strdup(action->runtime.pod_ip);
    task->op.node = task->node->name;
    event_init(&task->event, on_due, 0);
    g_hash_table_add(world->runtime_ops, task);
    engine_schedule(world->engine, &task->event, engine_now(world->engine) + duration(task));
}

typedef struct Exit {
    Event event;
    World *world;
    WorldNode *node;
    uint64_t pod_uid;
    guint container;
    int exit_code;
    bool oom;
    bool stopping;
    uint64_t stop_tag;
} Exit;

static void
on_exit_known(Engine *engine, Event *event)
{
    (void)engine;
    Exit *end = (Exit *)((char *)event - offsetof(Exit, event));
    Process *kubelet = end->node->kubelet;
    Input exited = {.kind = INPUT_EXITED,
                    .pod_uid = end->pod_uid,
                    .container = end->container,
                    .exit_code = end->exit_code,
                    .error = end->oom ? "OOMKilled" : NULL};
    Input stopped = {.kind = INPUT_RUNTIME, .tag = end->stop_tag};
    bool stopping = end->stopping;
    g_hash_table_remove(end->world->exits, end); /* frees it */
    if (kubelet != NULL) {
        world_step(kubelet, &exited);
    }
    if (kubelet != NULL && stopping) {
        world_step(kubelet, &stopped);
    }
}

/* What a kubelet asked for goes on; nobody waits for the answer. */
static void
forget_kubelet(World *world, const Process *kubelet)
{
    GHashTableIter iter;
    void *key;
    g_hash_table_iter_init(&iter, world->runtime_ops);
    while (g_hash_table_iter_next(&iter, &key, NULL)) {
        RuntimeTask *task = key;
        if (task->kubelet == kubelet) {
            task->kubelet = NULL;
        }
    }
    if (kubelet->node->kubelet == kubelet) {
        kubelet->node->kubelet = NULL;
    }
}

static gboolean
is_task_of(gpointer key, gpointer value, gpointer node)
{
    (void)value;
    return ((const RuntimeTask *)key)->node == node;
}

static gboolean
is_exit_of(gpointer key, gpointer value, gpointer node)
{
    (void)value;
    return ((const Exit *)key)->node == node;
}

void
runtime_node_off(World *world, const WorldNode *node)
{
    g_hash_table_foreach_remove(world->runtime_ops, is_task_of, (gpointer)node);
    g_hash_table_foreach_remove(world->exits, is_exit_of, (gpointer)node);
    g_autoptr(GPtrArray) gone = g_ptr_array_new_with_free_func(g_free);
    GHashTableIter iter;
    void *key, *value;
    g_hash_table_iter_init(&iter, world->sandboxes);
    while (g_hash_table_iter_next(&iter, &key, &value)) {
        if (((const struct Sandbox *)value)->node == node) {
            g_ptr_array_add(gone, g_strdup(key));
        }
    }
    for (guint i = 0; i < gone->len; i++) {
        remove_sandbox(world, g_ptr_array_index(gone, i));
    }
}

void
runtime_process_ended(Process *process, bool silently)
{
    World *world = process->world;
    if (process->info->component == COMPONENT_KUBELET) {
        forget_kubelet(world, process);
    }
    if (process->info->pod == NULL) {
        return;
    }
    g_autofree char *key =
        kubelet_container_address(process->info->pod_uid, process->info->container_index);
    g_hash_table_remove(world->containers, key);
    if (vpp_runs_inside(process->info)) { /* its interfaces and cross-connects go with it */
        sim_dataplane_remove_owner(world->dataplane, process->info->pod_key);
    }
    if (world->closing || silently) {
        return;
    }
    Exit *end = g_new0(Exit, 1);
    end->world = world;
    end->node = process->node;
    end->pod_uid = process->info->pod_uid;
    end->container = process->info->container_index;
    end->exit_code = process->exit_code;
    end->oom = process->oom;
    end->stopping = process->stopping;
    end->stop_tag = process->stop_tag;
    event_init(&end->event, on_exit_known, 0);
    g_hash_table_add(world->exits, end);
    engine_schedule(world->engine, &end->event, engine_now(world->engine));
}

static void
exit_free(void *data)
{
    Exit *end = data;
    engine_cancel(end->world->engine, &end->event);
    g_free(end);
}

void
runtime_init(World *world)
{
    world->runtime_ops = g_hash_table_new_full(NULL, NULL, task_free, NULL);
    world->exits = g_hash_table_new_full(NULL, NULL, exit_free, NULL);
    world->sandboxes = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, sandbox_free);
}

void
runtime_clear(World *world)
{
    g_hash_table_unref(world->runtime_ops);
    g_hash_table_unref(world->exits);
    g_hash_table_unref(world->sandboxes);
}
