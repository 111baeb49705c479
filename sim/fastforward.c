/* Skipping calm time. */
#include "sim/fastforward.h"

#include "sim/world_types.h"

struct FastForward {
    World *world;
    const Recovery *recovery;
    nsec_t after;
    nsec_t end;
    nsec_t calm_at; /* when `calm` was taken; NSEC_NEVER: it is not calm */
    ComponentUsage calm[N_COMPONENTS];
    RandomStream random;
};

FastForward *
fast_forward_new(World *world, const Recovery *recovery, nsec_t after, nsec_t end)
{
    FastForward *forward = g_new0(FastForward, 1);
    forward->world = world;
    forward->recovery = recovery;
    forward->after = after;
    forward->end = end;
    forward->calm_at = NSEC_NEVER;
    random_stream_init(&forward->random, world->seed, world->replication, "fast forward", "margin");
    return forward;
}

void
fast_forward_free(FastForward *forward)
{
    g_free(forward);
}

/* Cores in use while it was calm. */
static void
add_usage(FastForward *forward, nsec_t now, nsec_t skipped)
{
    World *world = forward->world;
    ComponentUsage usage[N_COMPONENTS];
    world_component_usage(world, usage);
    double share = (double)skipped / (double)MAX(now - forward->calm_at, 1);
    for (int c = 0; c < N_COMPONENTS; c++) {
        world->retired[c].cpu += share * (usage[c].cpu - forward->calm[c].cpu);
        world->retired[c].throttled += share * (usage[c].throttled - forward->calm[c].throttled);
    }
}

void
fast_forward_look(FastForward *forward)
{
    World *world = forward->world;
    nsec_t now = world_now(world);
    nsec_t since = recovery_calm_since(forward->recovery);
    if (since == NSEC_NEVER) {
        forward->calm_at = NSEC_NEVER;
        return;
    }
    if (forward->calm_at == NSEC_NEVER || forward->calm_at < since) {
        forward->calm_at = now;
        world_component_usage(world, forward->calm);
        return;
    }
    if (now - since < forward->after) {
        return;
    }
    nsec_t planned = MIN(world_next_planned(world), forward->end);
    nsec_t margin = (nsec_t)(random_uniform(&forward->random) * (double)forward->after);
    nsec_t skip = planned - now - margin;
    if (skip > 0) {
        add_usage(forward, now, skip);
        world_skip(world, skip);
        forward->calm_at = NSEC_NEVER;
    }
}
