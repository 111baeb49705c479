/* The life of flows: they begin, send at the rate that max-min fairness gives them, lose their path
 * and find it again, and are done.
 *
 * Changes of a moment are collected.  Routes that may be others, and rates, are found by one event
 * that comes after all others of that moment, or earlier when somebody asks. */
#include "sim/flow_types.h"

#include "models/tcp.h"

#include <math.h>

#define LAST_RANK UINT8_MAX /* after all else of the moment */
#define BIT_NSEC 8e9        /* rate * ns / this: bytes */
#define NEARLY_NOTHING 0.5  /* bytes: all is sent */
#define ROUNDING 1e-9       /* of a cap or window */

static Flows *
flows_of(const FluidFlow *flow)
{
    return flow->path->flows;
}

static void
request_update(Flows *flows)
{
    if (!event_is_scheduled(&flows->update)) {
        engine_schedule(flows->engine, &flows->update, engine_now(flows->engine));
    }
}

static void
changed(Flows *flows)
{
    flows->is_unsolved = true;
    request_update(flows);
}

static void
touch(FluidFlow *flow)
{
    Flows *flows = flows_of(flow);
    if (flow->touched == 0) {
        g_ptr_array_add(flows->touched, flow);
        flow->touched = flows->touched->len;
    }
}

/* ---- what moved ---- */

/* A segment that is `last` need not be full. */
void
flow_count(FluidFlow *flow, bool last)
{
    FlowPath *path = flow->path;
    int64_t bytes = (int64_t)flow->sent - flow->counted, mss = path->route.mss;
    flow->counted += bytes;
    flow->partial += bytes;
    int64_t segments = flow->partial / mss;
    flow->partial -= segments * mss;
    if (last && flow->partial > 0) {
        flow->partial = 0;
        segments++;
    }
    if (path->n_packets == 0 && path->n_bytes == 0 && (bytes > 0 || segments > 0)) {
        g_ptr_array_add(path->flows->uncounted, path);
    }
    path->n_packets += (uint64_t)segments;
    path->n_bytes += (uint64_t)(bytes + TCP_IP_HEADERS * segments);
}

void
flow_settle(FluidFlow *flow)
{
    nsec_t now = engine_now(flows_of(flow)->engine), elapsed = now - flow->settled_at;
    flow->settled_at = now;
    if (elapsed > 0 && flow->state == FLOW_SENDING) {
        flow_limit_count(flow, elapsed);
        double since = (double)(now - flow->base_at);
        flow->sent = MIN(flow->base + flow->rate * since / BIT_NSEC, flow->bytes);
        flow_count(flow, false);
    }
}

static void
set_rate(FluidFlow *flow, double rate)
{
    flow_settle(flow);
    flow->base = flow->sent;
    flow->base_at = flow->settled_at;
    flow->rate = rate;
}

static double
remaining(const FluidFlow *flow)
{
    return flow->bytes - flow->sent;
}

/* ---- sending ---- */

static void
mark_uses(FluidFlow *flow)
{
    FlowResources *resources = &flows_of(flow)->resources;
    const GArray *uses = flow->path->route.uses;
    for (guint i = 0; i < uses->len; i++) {
        MaxminResource number = g_array_index(uses, MaxminUse, i).resource;
        flow_resources_mark(resources, g_ptr_array_index(resources->by_number, number));
    }
}

static void
find_cap(FluidFlow *flow)
{
    flow->in_last_round = remaining(flow) <= flow_window(flow) * (1 + ROUNDING);
    flow->cap = flow_cap(flow, &flow->cap_kind);
    g_assert(flow->cap < INFINITY); /* the window is finite */
    touch(flow);
}

static void
attach(FluidFlow *flow)
{
    Flows *flows = flows_of(flow);
    const GArray *uses = flow->path->route.uses;
    find_cap(flow);
    flow->number = maxmin_add_flow(flows->system, flow->cap,
                                   (const MaxminUse *)(const void *)uses->data, uses->len);
    if (flow->number >= flows->by_number->len) {
        g_ptr_array_set_size(flows->by_number, (gint)flow->number + 1);
    }
    g_ptr_array_index(flows->by_number, flow->number) = flow;
    if (flow->in_slow_start && !flow->in_last_round && !event_is_scheduled(&flow->round)) {
        engine_schedule(flows->engine, &flow->round,
                        engine_now(flows->engine) + flow->path->route.rtt);
    }
    changed(flows);
}

void
flow_detach(FluidFlow *flow)
{
    Flows *flows = flows_of(flow);
    set_rate(flow, 0);
    mark_uses(flow);
    maxmin_remove_flow(flows->system, flow->number);
    g_ptr_array_index(flows->by_number, flow->number) = NULL;
    flow->limit = G_MAXUINT;
    flow->limiter = NULL;
    changed(flows);
}

static void
begin_sending(FluidFlow *flow)
{
    flow->state = FLOW_SENDING;
    flow->settled_at = engine_now(flows_of(flow)->engine);
    flow->n_rounds = 0;
    flow->in_slow_start = true;
    attach(flow);
}

/* It stands still; the next solution knows nothing of it. */
static void
lose_path(FluidFlow *flow, nsec_t now)
{
    Engine *engine = flows_of(flow)->engine;
    flow->state = FLOW_CUT;
    flow->cut_since = now;
    engine_cancel(engine, &flow->end);
    engine_cancel(engine, &flow->round);
}

/* ---- events of a flow ---- */

static bool
is_held_by_window(const FluidFlow *flow)
{
    return flow->cap_kind == FLOW_CAP_WINDOW && flow->rate >= flow->cap * (1 - ROUNDING);
}

/* In rounds of a full window all but the last; what it has is sent as fast as the path allows. */
static void
plan_last_round(FluidFlow *flow)
{
    Engine *engine = flows_of(flow)->engine;
    if (flow->in_last_round || flow->bytes == INFINITY || !is_held_by_window(flow)) {
        engine_cancel(engine, &flow->round);
        return;
    }
    double rounds = MAX(ceil(remaining(flow) / flow_window(flow)) - 1, 1);
    double wait = rounds * (double)flow->path->route.rtt;
    engine_reschedule(engine, &flow->round,
                      engine_now(engine) + (nsec_t)MIN(wait, (double)NSEC_PER_SEC * 1e6));
}

static void
end_round(FluidFlow *flow)
{
    Flows *flows = flows_of(flow);
    flow_settle(flow);
    if (flow->in_slow_start) {
        bool full = flow_window(flow) >= TCP_RECEIVE_BUFFER;
        flow->in_slow_start = !full && is_held_by_window(flow);
        flow->n_rounds++;
    }
    find_cap(flow);
    maxmin_set_cap(flows->system, flow->number, flow->cap);
    changed(flows);
    if (flow->in_slow_start && !flow->in_last_round) {
        nsec_t rtt = flow->path->route.rtt;
        engine_reschedule(flows->engine, &flow->round, flow->settled_at + rtt);
    }
}

static void
on_round(Engine *engine, Event *event)
{
    (void)engine;
    FluidFlow *flow = (FluidFlow *)((char *)event - offsetof(FluidFlow, round));
    if (flow->state == FLOW_RESUMING) {
        begin_sending(flow);
    } else {
        end_round(flow);
    }
}

static void
plan_end(FluidFlow *flow)
{
    Engine *engine = flows_of(flow)->engine;
    nsec_t now = engine_now(engine);
    if (remaining(flow) < NEARLY_NOTHING) {
        engine_reschedule(engine, &flow->end, now);
    } else if (flow->bytes == INFINITY || flow->rate <= 0) {
        engine_cancel(engine, &flow->end);
    } else {
        double wait = ceil(remaining(flow) * BIT_NSEC / flow->rate);
        engine_reschedule(engine, &flow->end,
                          wait < (double)(ENGINE_TIME_MAX - now) ? now + (nsec_t)wait : NSEC_NEVER);
    }
}

/* The last byte is on its way. */
static void
finish_sending(FluidFlow *flow)
{
    Flows *flows = flows_of(flow);
    flow_detach(flow);
    flow->sent = flow->bytes;
    flow_count(flow, true);
    flow->state = FLOW_ARRIVING;
    engine_cancel(flows->engine, &flow->round);
    engine_schedule(flows->engine, &flow->end,
                    engine_now(flows->engine) + flow->path->route.rtt / 2);
}

static void
on_end(Engine *engine, Event *event)
{
    (void)engine;
    FluidFlow *flow = (FluidFlow *)((char *)event - offsetof(FluidFlow, end));
    if (flow->state == FLOW_ARRIVING) {
        flow->state = FLOW_DONE;
        if (flow->done != NULL) {
            flow->done(flow->data, flow);
        }
        return;
    }
    flow_settle(flow);
    if (remaining(flow) < NEARLY_NOTHING) {
        finish_sending(flow);
    } else {
        plan_end(flow);
    }
}

/* ---- solving ---- */

static void
on_rate(MaxminFlow number, double rate, void *data)
{
    FluidFlow *flow = g_ptr_array_index(((Flows *)data)->by_number, number);
    set_rate(flow, rate);
    mark_uses(flow);
    touch(flow);
}

static void
look_at(FluidFlow *flow)
{
    flow->touched = 0;
    if (flow->state != FLOW_SENDING) {
        return;
    }
    flow_settle(flow);
    flow_limit_note(flow);
    plan_end(flow);
    if (!flow->in_slow_start) {
        plan_last_round(flow);
    }
}

void
flows_solve(Flows *flows)
{
    if (!flows->is_unsolved) {
        return;
    }
    flows->is_unsolved = false;
    flows->n_solved++;
    flows->n_changed += maxmin_solve(flows->system, on_rate, flows);
    flow_resources_tell(&flows->resources);
    for (guint i = 0; i < flows->touched->len; i++) {
        FluidFlow *flow = g_ptr_array_index(flows->touched, i);
        if (flow != NULL) {
            look_at(flow);
        }
    }
    g_ptr_array_set_size(flows->touched, 0);
    flow_paths_count(flows);
}

void
flow_adapt(FluidFlow *flow)
{
    Engine *engine = flows_of(flow)->engine;
    nsec_t now = engine_now(engine);
    bool up = flow->path->route.up;
    switch (flow->state) {
    case FLOW_SENDING:
        if (up) {
            attach(flow);
        } else {
            lose_path(flow, now);
        }
        break;
    case FLOW_CUT:
        if (up) {
            flow->state = FLOW_RESUMING;
            engine_schedule(engine, &flow->round,
                            net_next_retransmission(flow->cut_since, now, false));
        }
        break;
    case FLOW_RESUMING:
        if (!up) { /* nothing was sent meanwhile: the time-outs go on */
            flow->state = FLOW_CUT;
            engine_cancel(engine, &flow->round);
        }
        break;
    case FLOW_ARRIVING:
    case FLOW_DONE:
        break;
    }
}

static void
on_update(Engine *engine, Event *event)
{
    (void)engine;
    Flows *flows = (Flows *)((char *)event - offsetof(Flows, update));
    if (flows->is_stale) {
        flow_paths_look_again(flows);
    }
    flows_solve(flows);
}

static void
on_dataplane_changed(void *data)
{
    Flows *flows = data;
    if (flows->paths->len > 0) {
        flows->is_stale = true;
        request_update(flows);
    }
}

/* Its CPU group goes with a process. */
static void
on_process_changed(void *data, const Process *process)
{
    Flows *flows = data;
    if (process->dead) {
        flow_resources_forget(&flows->resources, process->id);
    }
    if (process->info->component == COMPONENT_APP) {
        on_dataplane_changed(flows);
    }
}

/* ---- interface ---- */

Flows *
flows_new(World *world)
{
    Flows *flows = g_new0(Flows, 1);
    flows->world = world;
    flows->engine = world->engine;
    flows->dataplane = world->dataplane;
    flows->system = maxmin_new();
    flow_resources_init(&flows->resources, flows->system, flows->dataplane);
    flows->by_key = g_hash_table_new(g_str_hash, g_str_equal);
    flows->paths = g_ptr_array_new();
    flows->by_number = g_ptr_array_new();
    flows->touched = g_ptr_array_new();
    flows->uncounted = g_ptr_array_new();
    event_init(&flows->update, on_update, LAST_RANK);
    sim_dataplane_set_observer(flows->dataplane, on_dataplane_changed, flows);
    world_observe(world, &(WorldObserver){on_process_changed, flows});
    return flows;
}

void
flows_free(Flows *flows)
{
    sim_dataplane_set_observer(flows->dataplane, NULL, NULL);
    world_unobserve(flows->world, flows);
    for (guint i = 0; i < flows->paths->len; i++) {
        FlowPath *path = g_ptr_array_index(flows->paths, i);
        while (path->members->len > 0) {
            flows_end(g_ptr_array_index(path->members, path->members->len - 1));
        }
        flow_path_free(path);
    }
    engine_cancel(flows->engine, &flows->update);
    flow_resources_clear(&flows->resources);
    maxmin_free(flows->system);
    g_hash_table_unref(flows->by_key);
    g_ptr_array_unref(flows->paths);
    g_ptr_array_unref(flows->by_number);
    g_ptr_array_unref(flows->touched);
    g_ptr_array_unref(flows->uncounted);
    g_free(flows);
}

FluidFlow *
flows_begin(Flows *flows, const FluidSpec *spec)
{
    FluidFlow *flow = g_new0(FluidFlow, 1);
    nsec_t now = engine_now(flows->engine);
    flow->path = flow_paths_obtain(flows, spec);
    flow->bytes = spec->bytes < 0 ? INFINITY : (double)spec->bytes;
    flow->rate_cap = spec->rate_cap > 0 ? spec->rate_cap : INFINITY;
    flow->done = spec->done;
    flow->data = spec->data;
    flow->limit = G_MAXUINT;
    flow->settled_at = now;
    event_init(&flow->end, on_end, 0);
    event_init(&flow->round, on_round, 0);
    flow->member = flow->path->members->len;
    g_ptr_array_add(flow->path->members, flow);
    if (flow->path->route.up) {
        begin_sending(flow);
    } else {
        lose_path(flow, now);
    }
    return flow;
}

static void
leave_path(FluidFlow *flow)
{
    GPtrArray *members = flow->path->members;
    FluidFlow *last = g_ptr_array_index(members, members->len - 1);
    g_ptr_array_index(members, flow->member) = last;
    last->member = flow->member;
    g_ptr_array_set_size(members, (gint)members->len - 1);
}

void
flows_end(FluidFlow *flow)
{
    Flows *flows = flows_of(flow);
    if (flow->state == FLOW_SENDING) {
        flow_detach(flow);
        flow_count(flow, true);
    }
    engine_cancel(flows->engine, &flow->end);
    engine_cancel(flows->engine, &flow->round);
    if (flow->touched > 0) {
        g_ptr_array_index(flows->touched, flow->touched - 1) = NULL;
    }
    leave_path(flow);
    flow_paths_count(flows);
    g_clear_pointer(&flow->limits, g_array_unref);
    g_free(flow);
}

void
flows_settle(Flows *flows)
{
    for (guint i = 0; i < flows->paths->len; i++) {
        const FlowPath *path = g_ptr_array_index(flows->paths, i);
        for (guint k = 0; k < path->members->len; k++) {
            flow_settle(g_ptr_array_index(path->members, k));
        }
    }
    flow_paths_count(flows);
}

double
fluid_flow_bytes(FluidFlow *flow)
{
    flow_settle(flow);
    flow_paths_count(flows_of(flow));
    return flow->sent;
}

double
fluid_flow_rate(const FluidFlow *flow)
{
    flows_solve(flows_of(flow));
    return flow->rate;
}

uint64_t
flows_n_solved(const Flows *flows)
{
    return flows->n_solved;
}

uint64_t
flows_n_changed(const Flows *flows)
{
    return flows->n_changed;
}
