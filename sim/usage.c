/* What containers use: CPU time, memory, restarts. */
#include "sim/world_types.h"

static void
usage_free(void *data)
{
    Usage *usage = data;
    g_free(usage->process);
    g_free(usage->pod_key);
    g_free(usage);
}

void
usage_init(World *world)
{
    world->usages = g_hash_table_new(g_str_hash, g_str_equal);
    world->usage_order = g_ptr_array_new_with_free_func(usage_free);
    world->running_pods = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
}

void
usage_clear(World *world)
{
    g_hash_table_unref(world->usages);
    g_ptr_array_unref(world->usage_order);
    g_hash_table_unref(world->running_pods);
}

/* ---- Pods that run ---- */

static void
count_pods(World *world, Component component, int change)
{
    PodMeter *meter = &world->pod_meters[component];
    nsec_t now = engine_now(world->engine);
    meter->pod_seconds += meter->n_pods * nsec_to_seconds(now - meter->since);
    meter->since = now;
    meter->n_pods += (guint)change;
}

/* A container of a Pod begins (+1) or ends (-1) to run. */
static void
count_container(World *world, const Usage *usage, int change)
{
    if (usage->pod_key == NULL) {
        return;
    }
    guint n = GPOINTER_TO_UINT(g_hash_table_lookup(world->running_pods, usage->pod_key));
    guint after = n + (guint)change;
    if (after == 0) {
        g_hash_table_remove(world->running_pods, usage->pod_key);
    } else {
        g_hash_table_insert(world->running_pods, g_strdup(usage->pod_key), GUINT_TO_POINTER(after));
    }
    if (n == 0 || after == 0) {
        count_pods(world, usage->of_pod, change);
    }
}

/* ---- containers ---- */

void
usage_begin(Process *process)
{
    World *world = process->world;
    const ProcessInfo *info = process->info;
    Usage *usage = g_hash_table_lookup(world->usages, info->name);
    if (usage == NULL) {
        usage = g_new0(Usage, 1);
        usage->process = g_strdup(info->name);
        usage->pod_key = g_strdup(info->pod != NULL ? info->pod_key : NULL);
        usage->component = info->component;
        usage->of_pod = info->pod_spec != NULL ? pod_component(info->pod_spec) : N_COMPONENTS;
        usage->started = engine_now(world->engine);
        usage->pod = info->pod_spec;
        usage->container = info->container_index;
        g_hash_table_insert(world->usages, usage->process, usage);
        g_ptr_array_add(world->usage_order, usage);
    }
    usage->current = process;
    usage->n_starts++;
    process->usage = usage;
    count_container(world, usage, 1);
}

void
usage_end(Process *process)
{
    Usage *usage = process->usage;
    CpuUsage used = cpu_group_usage(process->cpu);
    usage->cpu += used.used + process->background * 1e9;
    usage->throttled += used.throttled;
    usage->periods += used.periods;
    usage->n_oom += process->oom;
    usage->memory = 0;
    if (usage->current == process) {
        usage->ran += engine_now(process->world->engine) - process->started;
        usage->current = NULL;
        count_container(process->world, usage, -1);
    }
}

static ContainerUsage
read_usage(const World *world, const Usage *usage)
{
    CpuUsage live = {0};
    nsec_t now = engine_now(world->engine), ran = usage->ran;
    if (usage->current != NULL) {
        live = cpu_group_usage(usage->current->cpu);
        live.used += usage->current->background * 1e9;
        ran += now - usage->current->started;
    }
    double lifetime = nsec_to_seconds(now - usage->started);
    double idle = world->calibration->idle[usage->component];
    return (ContainerUsage){.process = usage->process,
                            .component = usage->component,
                            .cpu = (usage->cpu + live.used) / 1e9 + idle * nsec_to_seconds(ran),
                            .throttled = (usage->throttled + live.throttled) / 1e9,
                            .throttled_periods = usage->periods + live.periods,
                            .memory =
                                usage->current != NULL ? usage->current->memory : usage->memory,
                            .lifetime = lifetime,
                            .pod = usage->pod,
                            .container = usage->container};
}

GArray *
world_usage(World *world)
{
    GArray *out = g_array_new(false, true, sizeof(ContainerUsage));
    for (guint i = 0; i < world->usage_order->len; i++) {
        ContainerUsage item = read_usage(world, g_ptr_array_index(world->usage_order, i));
        g_array_append_val(out, item);
    }
    return out;
}

static void
add_usage(const World *world, const Usage *usage, ComponentUsage *sum)
{
    ContainerUsage item = read_usage(world, usage);
    sum->cpu += item.cpu;
    sum->throttled += item.throttled;
    sum->n_restarts += usage->n_starts - 1;
    sum->n_oom += usage->n_oom;
    sum->in_pods = sum->in_pods || usage->pod_key != NULL;
    if (usage->current != NULL) {
        sum->memory += (double)item.memory;
        sum->n_pods++;
    }
}

void
world_component_usage(World *world, ComponentUsage usage[N_COMPONENTS])
{
    for (int c = 0; c < N_COMPONENTS; c++) {
        usage[c] = world->retired[c];
    }
    for (guint i = 0; i < world->usage_order->len; i++) {
        const Usage *one = g_ptr_array_index(world->usage_order, i);
        add_usage(world, one, &usage[one->component]);
    }
}

void
world_pod_usage(World *world, PodUsage usage[N_COMPONENTS])
{
    nsec_t now = engine_now(world->engine);
    for (int c = 0; c < N_COMPONENTS; c++) {
        const PodMeter *meter = &world->pod_meters[c];
        double running = meter->n_pods * nsec_to_seconds(now - meter->since);
        usage[c] = (PodUsage){.cpu = meter->retired_cpu,
                              .pod_seconds = meter->pod_seconds + running,
                              .n_pods = meter->n_pods};
    }
    for (guint i = 0; i < world->usage_order->len; i++) {
        const Usage *one = g_ptr_array_index(world->usage_order, i);
        if (one->of_pod < N_COMPONENTS) {
            ContainerUsage item = read_usage(world, one);
            usage[one->of_pod].cpu += item.cpu;
            usage[one->of_pod].memory += (double)item.memory;
        }
    }
}

void
usage_retire_pod(World *world, const char *pod_key)
{
    for (guint i = world->usage_order->len; i > 0; i--) {
        Usage *usage = g_ptr_array_index(world->usage_order, i - 1);
        if (usage->current == NULL && g_strcmp0(usage->pod_key, pod_key) == 0) {
            add_usage(world, usage, &world->retired[usage->component]);
            world->pod_meters[usage->of_pod].retired_cpu += read_usage(world, usage).cpu;
            g_hash_table_remove(world->usages, usage->process);
            g_ptr_array_remove_index(world->usage_order, i - 1);
        }
    }
}
