/* Processes and their steps in virtual time. */
#include "sim/world.h"

#include "sim/cpu.h"
#include "sim/dataplane.h"
#include "sim/packets.h"
#include "sim/world_types.h"

#include "models/k8s/api.h"
#include "models/nsm/vpp.h"

#include <math.h>
#include <string.h>

#define EXIT_SIGKILL 137

struct DataPlaneWait {
    Process *process; /* NULL: it has ended */
    uint64_t tag;
    uint64_t token;
    DataPlaneOpKind kind;
};

/* ---- latency and demand ---- */

nsec_t
world_latency(Process *from, const Process *to)
{
    World *world = from->world;
    if (from->node == to->node) {
        return dist_draw_nsec(&world->calibration->parameters[PARAMETER_LATENCY_LOCAL],
                              &from->net_random);
    }
    return net_latency(net_between(world->net, from->node->index, to->node->index),
                       &from->net_random);
}

void
world_send(Process *from, NetPacket *packet, const WorldNode *to, int factor, nsec_t delay)
{
    World *world = from->world;
    if (from->node != to) {
        net_send(world->net, packet, net_between(world->net, from->node->index, to->index), factor,
                 delay, &from->net_random);
        return;
    }
    nsec_t latency =
        dist_draw_nsec(&world->calibration->parameters[PARAMETER_LATENCY_LOCAL], &from->net_random);
    engine_reschedule(world->engine, packet->event,
                      engine_now(world->engine) + delay + factor * latency);
}

/* The node of a fixed address: of a node's own IP, of the API server, of a kubelet. */
static const WorldNode *
node_of_address(const World *world, const char *address)
{
    if (g_str_has_prefix(address, "kubelet:")) {
        return g_hash_table_lookup(world->node_by_name, address + strlen("kubelet:"));
    }
    if (g_str_equal(address, API_ADDRESS)) {
        return g_hash_table_lookup(world->node_by_name, cluster_control_plane_node(world->cluster));
    }
    if (!g_str_has_prefix(address, "tcp:")) {
        return NULL;
    }
    const char *ip = address + strlen("tcp:"), *colon = strrchr(address, ':');
    g_autofree char *text = g_strndup(ip, (gsize)(colon - ip));
    const char *name = cluster_node_of_ip(world->cluster, text);
    if (name != NULL) {
        return g_hash_table_lookup(world->node_by_name, name);
    }
    return g_hash_table_lookup(world->pod_ips, text);
}

bool
world_address_is_silent(const World *world, const char *address)
{
    const WorldNode *node = node_of_address(world, address);
    if (node != NULL) {
        return !net_node_is_up(world->net, node->index);
    }
    return g_str_has_prefix(address, "tcp:");
}

nsec_t
world_demand(Process *process, MessageType type, int weight)
{
    const Demand *demand = &process->world->calibration->demands[process->info->component][type];
    process->background += demand->background;
    bool none = demand->dist.kind == DIST_CONSTANT && demand->dist.params[0] <= 0 &&
                demand->dist.shift <= 0 && demand->per_unit <= 0;
    if (none) {
        return 0;
    }
    return dist_draw_nsec(&demand->dist, &process->cpu_random) +
           nsec_from_seconds(demand->per_unit * weight);
}

/* ---- timers and work ---- */

static void
timer_free(void *data)
{
    Timer *timer = data;
    engine_cancel(timer->process->world->engine, &timer->event);
    g_free(timer);
}

static void
on_timer(Engine *engine, Event *event)
{
    (void)engine;
    Timer *timer = (Timer *)((char *)event - offsetof(Timer, event));
    Process *process = timer->process;
    Input input = {.kind = INPUT_TIMER, .tag = timer->tag};
    g_hash_table_remove(process->timers, &timer->tag);
    world_step(process, &input);
}

static void
set_timer(Process *process, uint64_t tag, nsec_t delay)
{
    Engine *engine = process->world->engine;
    Timer *timer = g_hash_table_lookup(process->timers, &tag);
    if (timer == NULL) {
        timer = g_new0(Timer, 1);
        timer->process = process;
        timer->tag = tag;
        event_init(&timer->event, on_timer, 0);
        g_hash_table_insert(process->timers, &timer->tag, timer);
    }
    nsec_t now = engine_now(engine);
    engine_reschedule(engine, &timer->event,
                      delay > ENGINE_TIME_MAX - now ? NSEC_NEVER : now + MAX(delay, 0));
}

static void
on_work_done(CpuJob *job)
{
    Work *work = (Work *)((char *)job - offsetof(Work, job));
    Process *process = work->process;
    Input input = {.kind = INPUT_WORK, .tag = work->tag};
    g_ptr_array_remove_fast(process->works, work);
    g_free(work);
    world_step(process, &input);
}

static void
begin_work(Process *process, const Action *action)
{
    Work *work = g_new0(Work, 1);
    work->process = process;
    work->tag = action->tag;
    work->job.done = on_work_done;
    g_ptr_array_add(process->works, work);
    cpu_submit(process->cpu, &work->job, world_demand(process, action->work, action->weight));
}

/* ---- names ---- */

void
world_listen(Process *process, const char *address)
{
    char *own = g_strdup(address);
    g_ptr_array_add(process->addresses, own);
    g_hash_table_insert(process->world->listeners, own, process);
}

static void
unlisten(Process *process, const char *address)
{
    World *world = process->world;
    if (g_hash_table_lookup(world->listeners, address) == process) {
        g_hash_table_remove(world->listeners, address);
    }
}

static void
publish(World *world, const char *service, const char *address)
{
    GPtrArray *list = g_hash_table_lookup(world->services, service);
    if (list == NULL) {
        list = g_ptr_array_new_with_free_func(g_free);
        g_hash_table_insert(world->services, g_strdup(service), list);
    }
    g_ptr_array_add(list, g_strdup(address));
}

static void
withdraw(World *world, const char *service, const char *address)
{
    GPtrArray *list = g_hash_table_lookup(world->services, service);
    for (guint i = 0; list != NULL && i < list->len; i++) {
        if (g_str_equal(g_ptr_array_index(list, i), address)) {
            g_ptr_array_remove_index(list, i);
            return;
        }
    }
}

/* ---- actions ---- */

static void
begin_dataplane(Process *process, Action *action)
{
    World *world = process->world;
    DataPlaneWait *wait = g_new0(DataPlaneWait, 1);
    wait->token = ++world->last_id;
    wait->process = process;
    wait->tag = action->tag;
    wait->kind = action->dataplane.kind;
    g_hash_table_insert(world->dataplane_ops, &wait->token, wait);
    g_ptr_array_add(process->waits, wait);
    action->dataplane.token = wait->token;
    g_autoptr(GError) error = NULL;
    world->dataplane->class->perform(world->dataplane, &action->dataplane, &error);
    g_assert_no_error(error); /* the graph refuses only what no machine may ask for */
}

static void
on_dataplane_done(void *data, uint64_t token, const char *error)
{
    World *world = data;
    DataPlaneWait *wait = g_hash_table_lookup(world->dataplane_ops, &token);
    Process *process = wait != NULL ? wait->process : NULL;
    Input input = {.kind = INPUT_DATAPLANE, .tag = wait != NULL ? wait->tag : 0, .error = error};
    if (process != NULL) {
        g_ptr_array_remove_fast(process->waits, wait);
    }
    g_hash_table_remove(world->dataplane_ops, &token);
    if (process != NULL) {
        world_step(process, &input);
    }
}

/* Nobody waits for it any more; what runs for ever is ended, and so is what a VPP that is gone was
 * to program. */
static void
forget_wait(World *world, DataPlaneWait *wait)
{
    bool vpp_gone = wait->process->dead && vpp_runs_inside(wait->process->info);
    wait->process = NULL;
    if (wait->kind == DATAPLANE_CHECK || wait->kind == DATAPLANE_WATCH || vpp_gone) {
        sim_dataplane_cancel(world->dataplane, wait->token);
        g_hash_table_remove(world->dataplane_ops, &wait->token);
    }
}

static void
stop_dataplane(Process *process, uint64_t tag)
{
    for (guint i = process->waits->len; i > 0; i--) {
        DataPlaneWait *wait = g_ptr_array_index(process->waits, i - 1);
        if (wait->tag == tag) {
            g_ptr_array_remove_index_fast(process->waits, i - 1);
            forget_wait(process->world, wait);
        }
    }
}

void
world_mark(World *world, const TraceEvent *event)
{
    for (guint i = 0; i < world->sinks->len; i++) {
        TraceSink *sink = g_ptr_array_index(world->sinks, i);
        sink->event(sink, event);
    }
}

static void
trace(Process *process, TraceMark mark, const char *subject, const char *detail, int64_t value)
{
    TraceEvent event = {.at = world_now(process->world),
                        .component = component_name(process->info->component),
                        .process = process->info->name,
                        .mark = mark,
                        .subject = subject,
                        .detail = detail,
                        .value = value};
    world_mark(process->world, &event);
}

static void
hold(Process *process, const Action *action)
{
    const MemoryModel *memory = &process->world->calibration->memory[process->info->component];
    int64_t each = action->hold == HOLD_CONNECTION ? memory->connection : memory->endpoint;
    int64_t before = process->held;
    process->held += each * action->value;
    int64_t most = memory->up_to > 0 ? memory->up_to : INT64_MAX;
    world_use_memory(process, MIN(process->held, most) - MIN(before, most));
}

/* The kernel's OOM killer, for the container's own limit: SIGKILL after the present step. */
void
world_use_memory(Process *process, int64_t delta)
{
    process->memory += delta;
    const ContainerSpec *container = process->info->container;
    bool over = container != NULL && container->limits.memory > 0 &&
                process->memory > container->limits.memory;
    if (delta <= 0 || !over || process->oom) {
        return;
    }
    World *world = process->world;
    process->oom = true;
    trace(process, TRACE_CONTAINER_OOM, process->info->name, NULL, process->memory);
    engine_reschedule(world->engine, &process->kill_event, engine_now(world->engine));
}

/* Calls and streams; false: it is something else. */
static bool
perform_rpc(Process *process, Action *action)
{
    switch ((int)action->kind) {
    case ACTION_CALL:
    case ACTION_OPEN:
        rpc_call(process, action, action->kind == ACTION_OPEN);
        return true;
    case ACTION_CANCEL:
        rpc_cancel(process, action->tag);
        return true;
    case ACTION_REPLY:
        rpc_reply(process, action, g_steal_pointer(&action->message));
        return true;
    case ACTION_PUSH:
        rpc_push(process, action, g_steal_pointer(&action->message));
        return true;
    case ACTION_CLOSE:
        rpc_close(process, action->call);
        return true;
    default:
        return false;
    }
}

static void
perform(Process *process, Action *action)
{
    World *world = process->world;
    if (perform_rpc(process, action)) {
        return;
    }
    switch ((int)action->kind) {
    case ACTION_TIMER:
        set_timer(process, action->tag, action->delay);
        break;
    case ACTION_STOP_TIMER:
        g_hash_table_remove(process->timers, &action->tag);
        break;
    case ACTION_WORK:
        begin_work(process, action);
        break;
    case ACTION_LISTEN:
        world_listen(process, action->address);
        break;
    case ACTION_UNLISTEN:
        unlisten(process, action->address);
        break;
    case ACTION_PUBLISH:
        publish(world, action->address, action->text);
        break;
    case ACTION_WITHDRAW:
        withdraw(world, action->address, action->text);
        break;
    case ACTION_DATAPLANE:
        begin_dataplane(process, action);
        break;
    case ACTION_STOP_DATAPLANE:
        stop_dataplane(process, action->tag);
        break;
    case ACTION_INJECT:
        faults_perform(process, action);
        break;
    case ACTION_RUNTIME:
        runtime_perform(process, action);
        break;
    case ACTION_HOLD:
        hold(process, action);
        break;
    case ACTION_TRACE:
        trace(process, action->mark, action->address, action->text, action->value);
        break;
    case ACTION_EXIT:
        process->exiting = true;
        process->exit_code = action->exit_code;
        break;
    }
}

/* Steps are never nested (everything is delivered by events), so one list of actions serves. */
void
world_step(Process *process, const Input *input)
{
    World *world = process->world;
    if (process->dead) {
        return;
    }
    Actions *actions = world->spare_actions;
    Input stamped = *input;
    stamped.now = engine_now(world->engine);
    machine_step(process->machine, &stamped, actions);
    for (guint i = 0; i < actions->items->len; i++) {
        perform(process, &g_array_index(actions->items, Action, i));
    }
    actions_reset(actions);
    if (process->exiting) {
        world_end_process(process, process->exit_code);
    }
}

/* ---- processes ---- */

/* Whether each container's CFS periods begin on their own: Linux 6.4 and later (kernel commit
 * 41abdba; FACTS 4). */
static bool
has_own_phase(const World *world, const WorldNode *node)
{
    enum { LINUX_6_4 = 6004 };
    switch (calibration_choice(world->calibration, PARAMETER_CFS_ALIGNMENT)) {
    case ALIGNMENT_HOST:
        return false;
    case ALIGNMENT_CONTAINER:
        return true;
    default:
        return world->scenario->nodes[node->index].kernel >= LINUX_6_4;
    }
}

static CpuGroup *
cpu_group_for(World *world, const ProcessInfo *info, WorldNode *node)
{
    const Calibration *cal = world->calibration;
    nsec_t period = calibration_nsec(cal, PARAMETER_CFS_PERIOD);
    nsec_t quota = 0;
    if (info->container != NULL && info->container->limits.cpu > 0) {
        double effective = calibration_number(cal, PARAMETER_CFS_EFFECTIVE);
        quota = (nsec_t)((double)period * (double)info->container->limits.cpu / 1000 * effective);
    }
    CpuGroup *group = cpu_group_new(node->cpu, quota, period);
    if (quota > 0 && has_own_phase(world, node)) {
        RandomStream random;
        process_random(info, "cfs-phase", &random);
        cpu_group_set_phase(group, (nsec_t)(random_uniform(&random) * (double)period));
    }
    return group;
}

/* After the process' own start-up: latency first, then the CPU time of its initialisation. */
static void
on_start_job(CpuJob *job)
{
    Process *process = (Process *)((char *)job - offsetof(Process, start_job));
    Input input = {.kind = INPUT_START};
    world_step(process, &input);
}

static void
on_start_event(Engine *engine, Event *event)
{
    (void)engine;
    Process *process = (Process *)((char *)event - offsetof(Process, start_event));
    cpu_submit(process->cpu, &process->start_job, world_demand(process, MESSAGE_WORK_START, 1));
}

static void
on_kill(Engine *engine, Event *event)
{
    (void)engine;
    Process *process = (Process *)((char *)event - offsetof(Process, kill_event));
    world_end_process(process, EXIT_SIGKILL);
}

void
world_observe(World *world, const WorldObserver *observer)
{
    g_array_append_val(world->observers, *observer);
}

void
world_unobserve(World *world, const void *data)
{
    for (guint i = world->observers->len; i > 0; i--) {
        if (g_array_index(world->observers, WorldObserver, i - 1).data == data) {
            g_array_remove_index(world->observers, i - 1);
        }
    }
}

static void
tell_observers(const Process *process)
{
    const GArray *observers = process->world->observers;
    for (guint i = 0; i < observers->len; i++) {
        const WorldObserver *one = &g_array_index(observers, WorldObserver, i);
        one->process_changed(one->data, process);
    }
}

Process *
world_start_process(World *world, Machine *machine, WorldNode *node)
{
    Process *process = g_new0(Process, 1);
    const ProcessInfo *info = machine->info;
    process->id = ++world->last_id;
    process->world = world;
    process->machine = machine;
    process->info = info;
    process->node = node;
    process->cpu = cpu_group_for(world, info, node);
    process_random(info, "network", &process->net_random);
    process_random(info, "cpu", &process->cpu_random);
    process->timers = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, timer_free);
    process->calls = g_hash_table_new(g_int64_hash, g_int64_equal);
    g_queue_init(&process->made);
    g_queue_init(&process->served);
    process->peers = g_hash_table_new(NULL, NULL);
    process->dialled_by = g_hash_table_new(NULL, NULL);
    process->addresses = g_ptr_array_new_with_free_func(g_free);
    process->works = g_ptr_array_new();
    process->waits = g_ptr_array_new();
    process->started = engine_now(world->engine);
    process->memory = world->calibration->memory[info->component].start;
    process->start_job.done = on_start_job;
    event_init(&process->start_event, on_start_event, 0);
    event_init(&process->kill_event, on_kill, 0);
    usage_begin(process);
    world->n_lives++;
    g_ptr_array_add(world->processes, process);
    if (vpp_runs_inside(info)) {
        g_hash_table_insert(world->vpps, (char *)info->pod_key, process);
    }
    tell_observers(process);
    RandomStream random;
    process_random(info, "start", &random);
    nsec_t latency = dist_draw_nsec(&world->calibration->start[info->component], &random);
    engine_schedule(world->engine, &process->start_event, process->started + latency);
    return process;
}

static void
forget_waits(Process *process)
{
    for (guint i = 0; i < process->waits->len; i++) {
        forget_wait(process->world, g_ptr_array_index(process->waits, i));
    }
}

/* Its connections are gone: nobody reuses them. */
static void
forget_peers(Process *process)
{
    GHashTableIter iter;
    void *other;
    g_hash_table_iter_init(&iter, process->peers);
    while (g_hash_table_iter_next(&iter, &other, NULL)) {
        g_hash_table_remove(((Process *)other)->dialled_by, process);
    }
    g_hash_table_iter_init(&iter, process->dialled_by);
    while (g_hash_table_iter_next(&iter, &other, NULL)) {
        g_hash_table_remove(((Process *)other)->peers, process);
    }
    g_hash_table_unref(process->peers);
    g_hash_table_unref(process->dialled_by);
}

static void end_process(Process *process, int exit_code, bool silently);

void
world_end_process(Process *process, int exit_code)
{
    end_process(process, exit_code, false);
}

void
world_vanish_process(Process *process)
{
    end_process(process, 0, true);
}

static void
end_process(Process *process, int exit_code, bool silently)
{
    World *world = process->world;
    process->dead = true;
    world->n_lives++;
    if (process->info->pod_key != NULL &&
        g_hash_table_lookup(world->vpps, process->info->pod_key) == process) {
        g_hash_table_remove(world->vpps, process->info->pod_key);
    }
    process->exit_code = exit_code;
    process->vanished = silently;
    tell_observers(process);
    for (guint i = 0; i < process->addresses->len; i++) {
        unlisten(process, g_ptr_array_index(process->addresses, i));
    }
    if (silently) {
        rpc_process_vanished(process);
    } else {
        rpc_process_ended(process);
    }
    runtime_process_ended(process, silently);
    stress_process_ended(process);
    forget_waits(process);
    engine_cancel(world->engine, &process->start_event);
    engine_cancel(world->engine, &process->kill_event);
    cpu_cancel(&process->start_job);
    usage_end(process);
    for (guint i = 0; i < process->works->len; i++) {
        Work *work = g_ptr_array_index(process->works, i);
        cpu_cancel(&work->job);
        g_free(work);
    }
    cpu_group_free(process->cpu);
    g_hash_table_unref(process->timers);
    g_hash_table_unref(process->calls);
    forget_peers(process);
    g_ptr_array_unref(process->waits);
    g_ptr_array_unref(process->addresses);
    g_ptr_array_unref(process->works);
    g_ptr_array_remove_fast(world->processes, process);
    cluster_release(process->machine);
    g_free(process);
}

/* ---- the world ---- */

bool
world_vpp_cpu(void *data, const char *owner, VppCpu *out)
{
    const World *world = data;
    const Process *process = g_hash_table_lookup(world->vpps, owner);
    if (process == NULL) {
        return false;
    }
    const ProcessInfo *info = process->info;
    bool filters = info->component == COMPONENT_FIREWALL;
    *out = (VppCpu){.group = process->cpu,
                    .version = process_version(info),
                    .process = process->id,
                    .node = process->node->index,
                    .idle = world->calibration->idle[info->component],
                    .acl = filters ? scenario_acl_of_pod(world->scenario, owner) : NULL};
    return true;
}

static bool
declares_port(const ContainerSpec *container, int port)
{
    for (guint i = 0; container != NULL && i < container->n_ports; i++) {
        if (container->ports[i].container_port == port) {
            return true;
        }
    }
    return false;
}

Process *
world_find_server(const World *world, const char *pod_key, int port)
{
    for (guint i = 0; i < world->processes->len; i++) {
        Process *process = g_ptr_array_index(world->processes, i);
        const ProcessInfo *info = process->info;
        if (!process->dead && !info->paused && g_strcmp0(info->pod_key, pod_key) == 0 &&
            declares_port(info->container, port)) {
            return process;
        }
    }
    return NULL;
}

static void
add_nodes(World *world)
{
    const Scenario *scenario = world->scenario;
    double period = (double)calibration_nsec(world->calibration, PARAMETER_CFS_PERIOD);
    world->n_nodes = scenario->n_nodes;
    world->nodes = g_new0(WorldNode, scenario->n_nodes);
    for (guint i = 0; i < scenario->n_nodes; i++) {
        WorldNode *node = &world->nodes[i];
        RandomStream random;
        random_stream_init(&random, world->seed, world->replication, scenario->nodes[i].name,
                           "cfs-phase");
        node->name = scenario->nodes[i].name;
        node->index = i;
        nsec_t drawn = (nsec_t)(random_uniform(&random) * period),
               given = scenario->nodes[i].cfs_phase;
        node->cpu = cpu_node_new(world->engine, (double)scenario->nodes[i].cpu / 1000,
                                 given >= 0 ? given : drawn);
        g_hash_table_insert(world->node_by_name, (char *)node->name, node);
    }
}

World *
world_new(const Scenario *scenario, uint64_t seed, uint32_t replication)
{
    World *world = g_new0(World, 1);
    world->scenario = scenario;
    world->calibration = scenario->calibration;
    world->seed = seed;
    world->replication = replication;
    world->engine = engine_new();
    world->cluster = cluster_new(scenario, seed, replication);
    world->net = net_new(world->engine, scenario);
    world->dataplane = sim_dataplane_new(world->engine, scenario->calibration, seed, replication,
                                         on_dataplane_done, world);
    sim_dataplane_set_net(world->dataplane, world->net);
    vswitch_set_cpus(world->dataplane, world_vpp_cpu, world);
    world->sinks = g_ptr_array_new();
    world->observers = g_array_new(false, false, sizeof(WorldObserver));
    world->node_by_name = g_hash_table_new(g_str_hash, g_str_equal);
    world->processes = g_ptr_array_new();
    world->listeners = g_hash_table_new(g_str_hash, g_str_equal);
    world->vpps = g_hash_table_new(g_str_hash, g_str_equal);
    world->services =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_ptr_array_unref);
    world->pod_ips = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    world->service_turn = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    world->calls = g_hash_table_new(g_int64_hash, g_int64_equal);
    world->dataplane_ops = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, g_free);
    runtime_init(world);
    faults_init(world);
    world->containers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    usage_init(world);
    world->spare_actions = g_new0(Actions, 1);
    actions_init(world->spare_actions);
    add_nodes(world);
    return world;
}

static void
start_system(World *world)
{
    g_autoptr(GPtrArray) machines = cluster_system(world->cluster);
    for (guint i = 0; i < machines->len; i++) {
        Machine *machine = g_ptr_array_index(machines, i);
        WorldNode *node = g_hash_table_lookup(world->node_by_name, machine->info->node);
        Process *process = world_start_process(world, machine, node);
        if (machine->info->component == COMPONENT_KUBELET) {
            node->kubelet = process;
        }
    }
}

void
world_run(World *world, nsec_t until)
{
    if (!world->started) {
        world->started = true;
        start_system(world);
    }
    engine_run_until(world->engine, until - world->skipped);
}

nsec_t
world_now(const World *world)
{
    return engine_now(world->engine) + world->skipped;
}

static bool
plans(const Process *process)
{
    return process->info->component == COMPONENT_CHAOS ||
           process->info->component == COMPONENT_KUBECTL;
}

nsec_t
world_next_planned(const World *world)
{
    nsec_t next = NSEC_NEVER;
    for (guint i = 0; i < world->processes->len; i++) {
        const Process *process = g_ptr_array_index(world->processes, i);
        GHashTableIter iter;
        void *timer;
        if (!plans(process)) {
            continue;
        }
        g_hash_table_iter_init(&iter, process->timers);
        while (g_hash_table_iter_next(&iter, NULL, &timer)) {
            nsec_t at = event_time(&((const Timer *)timer)->event);
            next = at != NSEC_NEVER ? MIN(next, at + world->skipped) : next;
        }
    }
    return next;
}

void
world_skip(World *world, nsec_t by)
{
    nsec_t now = engine_now(world->engine);
    world->skipped += by;
    for (guint i = 0; i < world->processes->len; i++) {
        const Process *process = g_ptr_array_index(world->processes, i);
        GHashTableIter iter;
        void *value;
        if (!plans(process)) {
            continue;
        }
        g_hash_table_iter_init(&iter, process->timers);
        while (g_hash_table_iter_next(&iter, NULL, &value)) {
            Timer *timer = value;
            nsec_t at = event_time(&timer->event);
            if (at != NSEC_NEVER) {
                engine_reschedule(world->engine, &timer->event, MAX(at - by, now));
            }
        }
    }
}

void
world_free(World *world)
{
    world->closing = true;
    while (world->processes->len > 0) {
        world_end_process(g_ptr_array_index(world->processes, world->processes->len - 1), 0);
    }
    rpc_clear(world);
    runtime_clear(world);
    faults_clear(world);
    world->dataplane->class->free(world->dataplane);
    net_free(world->net);
    for (guint i = 0; i < world->n_nodes; i++) {
        cpu_node_free(world->nodes[i].cpu);
    }
    g_free(world->nodes);
    g_hash_table_unref(world->node_by_name);
    g_hash_table_unref(world->listeners);
    g_hash_table_unref(world->vpps);
    g_hash_table_unref(world->services);
    g_hash_table_unref(world->service_turn);
    g_hash_table_unref(world->pod_ips);
    g_hash_table_unref(world->calls);
    g_hash_table_unref(world->dataplane_ops);
    g_hash_table_unref(world->containers);
    usage_clear(world);
    g_ptr_array_unref(world->processes);
    g_ptr_array_unref(world->sinks);
    g_array_unref(world->observers);
    actions_clear(world->spare_actions);
    g_free(world->spare_actions);
    cluster_free(world->cluster);
    engine_free(world->engine);
    g_free(world);
}

void
world_set_chains(World *world, const Chains *chains)
{
    cluster_set_chains(world->cluster, chains);
}

void
world_add_sink(World *world, TraceSink *sink)
{
    g_ptr_array_add(world->sinks, sink);
}

Engine *
world_engine(World *world)
{
    return world->engine;
}

DataPlane *
world_dataplane(World *world)
{
    return world->dataplane;
}

uint64_t
world_n_messages(const World *world)
{
    return world->n_messages;
}
