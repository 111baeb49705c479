/* What faults do to the virtual world: processes killed, nodes switched off, links and interfaces
 * impaired, CPU and memory taken. */
#include "sim/world_types.h"

#include "models/k8s/kubelet.h"
#include "sim/dataplane.h"

#define STRESS_SLICE (100 * NSEC_PER_MSEC) /* stress-ng works and sleeps in turns */

/* One worker of a stressor: `load` of each slice it computes, the rest it sleeps. */
typedef struct Worker {
    Event event;
    CpuJob job;
    Stress *stress;
} Worker;

struct Stress {
    World *world;
    Process *process; /* NULL: of a node */
    WorldNode *node;
    CpuGroup *group; /* of a node: its own */
    double load;
    int n_workers;
    Worker *workers;
};

/* An answer on its way to the chaos machine. */
typedef struct Answer {
    Event event;
    World *world;
    Process *process;
    uint64_t tag;
    char *error;
} Answer;

/* A node's kubelet that starts again. */
typedef struct Restart {
    Event event;
    World *world;
    WorldNode *node;
} Restart;

/* ---- stress ---- */

static void
compute(Worker *worker)
{
    const Stress *stress = worker->stress;
    CpuGroup *group = stress->process != NULL ? stress->process->cpu : stress->group;
    cpu_submit(group, &worker->job, (nsec_t)(stress->load * (double)STRESS_SLICE));
}

static void
on_slice_done(CpuJob *job)
{
    Worker *worker = (Worker *)((char *)job - offsetof(Worker, job));
    Engine *engine = worker->stress->world->engine;
    nsec_t rest = (nsec_t)((1 - worker->stress->load) * (double)STRESS_SLICE);
    engine_reschedule(engine, &worker->event, engine_now(engine) + rest);
}

static void
on_slice_due(Engine *engine, Event *event)
{
    (void)engine;
    compute((Worker *)((char *)event - offsetof(Worker, event)));
}

static void
stress_free(void *data)
{
    Stress *stress = data;
    for (int i = 0; i < stress->n_workers; i++) {
        engine_cancel(stress->world->engine, &stress->workers[i].event);
        cpu_cancel(&stress->workers[i].job);
    }
    if (stress->group != NULL) {
        cpu_group_free(stress->group);
    }
    g_free(stress->workers);
    g_free(stress);
}

static void
end_stress(World *world, const Process *process, const WorldNode *node)
{
    for (guint i = world->stresses->len; i > 0; i--) {
        const Stress *stress = g_ptr_array_index(world->stresses, i - 1);
        if (process != NULL ? stress->process == process
                            : stress->process == NULL && stress->node == node) {
            g_ptr_array_remove_index(world->stresses, i - 1);
        }
    }
}

static void
begin_stress(World *world, Process *process, WorldNode *node, const FaultOp *op)
{
    Stress *stress = g_new0(Stress, 1);
    stress->world = world;
    stress->process = process;
    stress->node = node;
    stress->load = op->load;
    stress->n_workers = op->workers;
    stress->workers = g_new0(Worker, op->workers);
    if (process == NULL) {
        stress->group = cpu_group_new(node->cpu, 0, NSEC_PER_SEC);
    }
    g_ptr_array_add(world->stresses, stress);
    for (int i = 0; i < op->workers; i++) {
        Worker *worker = &stress->workers[i];
        worker->stress = stress;
        worker->job.done = on_slice_done;
        event_init(&worker->event, on_slice_due, 0);
        compute(worker);
    }
}

void
stress_process_ended(Process *process)
{
    end_stress(process->world, process, NULL);
}

/* ---- nodes ---- */

static void
start_kubelet(World *world, WorldNode *node)
{
    Machine *machine = cluster_kubelet(world->cluster, node->name, ++node->n_boots);
    node->kubelet = world_start_process(world, machine, node);
}

static void
on_restart(Engine *engine, Event *event)
{
    (void)engine;
    Restart *restart = (Restart *)((char *)event - offsetof(Restart, event));
    World *world = restart->world;
    WorldNode *node = restart->node;
    g_hash_table_remove(world->restarts, restart);
    if (net_node_is_up(world->net, node->index) && node->kubelet == NULL) {
        start_kubelet(world, node);
    }
}

static void
restart_free(void *data)
{
    Restart *restart = data;
    engine_cancel(restart->world->engine, &restart->event);
    g_free(restart);
}

/* systemd starts the kubelet again. */
static void
kill_kubelet(World *world, WorldNode *node)
{
    world_end_process(node->kubelet, 137);
    Restart *restart = g_new0(Restart, 1);
    restart->world = world;
    restart->node = node;
    event_init(&restart->event, on_restart, 0);
    g_hash_table_add(world->restarts, restart);
    RandomStream random;
    g_autofree char *purpose = g_strdup_printf("kubelet restart %u", node->n_boots);
    random_stream_init(&random, world->seed, world->replication, node->name, purpose);
    nsec_t delay =
        dist_draw_nsec(&world->calibration->parameters[PARAMETER_KUBELET_RESTART], &random);
    engine_schedule(world->engine, &restart->event, engine_now(world->engine) + delay);
}

/* Nothing is sent any more: no reset, no status, no answer. */
static void
switch_off(World *world, WorldNode *node)
{
    net_set_node(world->net, node->index, false);
    end_stress(world, NULL, node);
    for (guint i = world->processes->len; i > 0; i--) {
        Process *process = g_ptr_array_index(world->processes, i - 1);
        if (process->node == node && process->info->component != COMPONENT_KUBECTL &&
            process->info->component != COMPONENT_CHAOS) {
            world_vanish_process(process);
            i = world->processes->len + 1; /* the array has changed */
        }
    }
    node->kubelet = NULL;
    node->cni_free_at = 0;
    runtime_node_off(world, node);
}

/* ---- what is injected ---- */

static Process *
target_of(World *world, const FaultOp *op)
{
    g_autofree char *key = kubelet_container_address(op->pod_uid, op->container);
    return g_hash_table_lookup(world->containers, key);
}

static const char *
inject_memory(Process *process, const FaultOp *op)
{
    int64_t delta = op->size - process->stress_memory;
    process->stress_memory = op->size;
    world_use_memory(process, delta);
    return NULL;
}

static const char *
inject_process(World *world, const FaultOp *op)
{
    Process *process = target_of(world, op);
    if (process == NULL) {
        return "the container does not run";
    }
    if (op->kind == FAULT_OP_KILL) {
        world_end_process(process, 137);
        return NULL;
    }
    if (op->kind == FAULT_OP_MEMORY) {
        return inject_memory(process, op);
    }
    end_stress(world, process, NULL);
    if (op->workers > 0) {
        begin_stress(world, process, process->node, op);
    }
    return NULL;
}

static const char *
inject_node(World *world, WorldNode *node, const FaultOp *op)
{
    bool up = net_node_is_up(world->net, node->index);
    if (op->kind == FAULT_OP_NODE_ON) {
        if (!up) {
            net_set_node(world->net, node->index, true);
            rpc_node_returned(world, node);
            start_kubelet(world, node);
        }
        return NULL;
    }
    if (!up) {
        return "the node is down already";
    }
    switch ((int)op->kind) {
    case FAULT_OP_NODE_OFF:
        if (g_str_equal(node->name, cluster_control_plane_node(world->cluster))) {
            return "the node has the API server, whose loss is not modelled";
        }
        switch_off(world, node);
        return NULL;
    case FAULT_OP_KUBELET:
        if (node->kubelet == NULL) {
            return "the kubelet does not run";
        }
        kill_kubelet(world, node);
        return NULL;
    default: /* CPU */
        end_stress(world, NULL, node);
        if (op->workers > 0) {
            begin_stress(world, NULL, node, op);
        }
        return NULL;
    }
}

static const char *
inject(World *world, const FaultOp *op)
{
    WorldNode *node = op->node != NULL ? g_hash_table_lookup(world->node_by_name, op->node) : NULL;
    switch (op->kind) {
    case FAULT_OP_WIRE:
        return sim_dataplane_impair(world->dataplane, op->pod_port, &op->impairment)
                   ? NULL
                   : "there is no such interface";
    case FAULT_OP_LINK:
        net_impair(world->net, node->index,
                   op->peer_node != NULL ? net_node(world->net, op->peer_node) : G_MAXUINT,
                   &op->impairment);
        return NULL;
    case FAULT_OP_CPU:
        if (op->pod_uid != 0) {
            return inject_process(world, op);
        }
        return inject_node(world, node, op);
    case FAULT_OP_KILL:
    case FAULT_OP_MEMORY:
        return inject_process(world, op);
    case FAULT_OP_NODE_OFF:
    case FAULT_OP_NODE_ON:
    case FAULT_OP_KUBELET:
        return inject_node(world, node, op);
    }
    return NULL;
}

static void
answer_free(void *data)
{
    Answer *answer = data;
    engine_cancel(answer->world->engine, &answer->event);
    g_free(answer->error);
    g_free(answer);
}

static void
on_answer(Engine *engine, Event *event)
{
    (void)engine;
    Answer *answer = (Answer *)((char *)event - offsetof(Answer, event));
    World *world = answer->world;
    Process *process = answer->process;
    g_autofree char *error = g_steal_pointer(&answer->error);
    Input input = {.kind = INPUT_INJECTED, .tag = answer->tag, .error = error};
    g_hash_table_remove(world->answers, answer);
    world_step(process, &input);
}

void
faults_perform(Process *process, const Action *action)
{
    World *world = process->world;
    Answer *answer = g_new0(Answer, 1);
    answer->world = world;
    answer->process = process;
    answer->tag = action->tag;
    answer->error = g_strdup(inject(world, &action->fault));
    event_init(&answer->event, on_answer, 0);
    g_hash_table_add(world->answers, answer);
    engine_schedule(world->engine, &answer->event, engine_now(world->engine));
}

void
faults_init(World *world)
{
    world->stresses = g_ptr_array_new_with_free_func(stress_free);
    world->answers = g_hash_table_new_full(NULL, NULL, answer_free, NULL);
    world->restarts = g_hash_table_new_full(NULL, NULL, restart_free, NULL);
}

void
faults_clear(World *world)
{
    g_ptr_array_unref(world->stresses);
    g_hash_table_unref(world->answers);
    g_hash_table_unref(world->restarts);
}
