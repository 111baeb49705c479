/* What holds a flow back: its caps, and which limit held for how long.
 *
 * What would be if a limit were twice what it is, is found on a copy of the max-min system, so that
 * the question changes nothing. */
#include "sim/flow_types.h"

#include "models/tcp.h"

#include <math.h>

#define BITS_PER_BYTE 8
#define NO_WINDOW_RTT NSEC_PER_USEC /* a window that holds nothing back, and is finite */

static const char *const cap_texts[] = {
#define X(name, text) [FLOW_CAP_##name] = text,
    FLOW_CAPS(X)
#undef X
};

/* ---- caps ---- */

double
flow_window(const FluidFlow *flow)
{
    double window = (double)TCP_RECEIVE_BUFFER;
    if (flow->in_slow_start) {
        double mss = (double)flow->path->route.mss;
        window = MIN(window, (double)tcp_window_after(flow->n_rounds) * mss);
    }
    return window;
}

static double
window_rate(const FluidFlow *flow)
{
    if (flow->in_last_round && flow->state == FLOW_SENDING) {
        return TCP_RECEIVE_BUFFER * BITS_PER_BYTE / nsec_to_seconds(NO_WINDOW_RTT);
    }
    return flow_window(flow) * BITS_PER_BYTE / nsec_to_seconds(flow->path->route.rtt);
}

/* What arrives of what a sender can send that loses some of it. */
static double
loss_rate(const FlowRoute *route)
{
    if (route->loss <= 0) {
        return INFINITY;
    }
    return (1 - route->loss) * tcp_loss_rate_limit(route->mss, route->rtt, route->loss,
                                                   tcp_rto(route->rtt), TCP_RECEIVE_BUFFER);
}

static void
find_caps(const FluidFlow *flow, double caps[N_FLOW_CAPS])
{
    const FlowRoute *route = &flow->path->route;
    caps[FLOW_CAP_ASKED] = flow->rate_cap;
    caps[FLOW_CAP_THREAD] = route->end_cost > 0 ? 1 / route->end_cost : INFINITY;
    caps[FLOW_CAP_WINDOW] = window_rate(flow);
    caps[FLOW_CAP_LOSS] = loss_rate(route);
}

static double
least(const double caps[N_FLOW_CAPS], FlowCap *kind)
{
    *kind = 0;
    for (FlowCap i = 0; i < N_FLOW_CAPS; i++) {
        *kind = caps[i] < caps[*kind] ? i : *kind;
    }
    return caps[*kind];
}

double
flow_cap(const FluidFlow *flow, FlowCap *kind)
{
    double caps[N_FLOW_CAPS];
    find_caps(flow, caps);
    return least(caps, kind);
}

/* ---- what held ---- */

static FlowLimit
present_limit(const FluidFlow *flow)
{
    const FlowResource *resource = flow->limiter;
    if (resource != NULL) {
        return (FlowLimit){.key = resource->key,
                           .name = resource->name,
                           .what = resource->what,
                           .unit = resource->unit,
                           .capacity = resource->capacity + resource->reserved};
    }
    bool of_thread = flow->cap_kind == FLOW_CAP_THREAD;
    return (FlowLimit){.key = cap_texts[flow->cap_kind],
                       .name = flow->path->place,
                       .what = cap_texts[flow->cap_kind],
                       .unit = of_thread ? "cores" : "bit/s",
                       .capacity = of_thread ? 1 : flow->cap};
}

void
flow_limit_note(FluidFlow *flow)
{
    const Flows *flows = flow->path->flows;
    MaxminResource number = maxmin_bottleneck(flows->system, flow->number);
    flow->limiter =
        number != MAXMIN_NONE ? g_ptr_array_index(flows->resources.by_number, number) : NULL;
    FlowLimit now = present_limit(flow);
    if (flow->limits == NULL) {
        flow->limits = g_array_new(false, false, sizeof(FlowLimit));
    }
    for (guint i = 0; i < flow->limits->len; i++) {
        FlowLimit *limit = &g_array_index(flow->limits, FlowLimit, i);
        if (limit->key == now.key) {
            limit->capacity = now.capacity;
            flow->limit = i;
            return;
        }
    }
    flow->limit = flow->limits->len;
    g_array_append_val(flow->limits, now);
}

void
flow_limit_count(FluidFlow *flow, nsec_t elapsed)
{
    if (flow->limit == G_MAXUINT) {
        return;
    }
    const FlowResource *resource = flow->limiter;
    FlowLimit *limit = &g_array_index(flow->limits, FlowLimit, flow->limit);
    limit->held += (double)elapsed;
    if (resource == NULL) {
        limit->utilisation = 1;
    } else {
        limit->utilisation =
            resource->capacity > 0 ? CLAMP(resource->usage / resource->capacity, 0, 1) : 1;
    }
}

/* NULL: it never moved. */
static const FlowLimit *
longest(const FluidFlow *flow)
{
    const FlowLimit *found = NULL;
    for (guint i = 0; flow->limits != NULL && i < flow->limits->len; i++) {
        const FlowLimit *limit = &g_array_index(flow->limits, FlowLimit, i);
        found = found == NULL || limit->held > found->held ? limit : found;
    }
    return found;
}

/* ---- what would be ---- */

typedef struct Copy {
    Maxmin *system;
    MaxminResource *numbers; /* by those of the original */
    const char *doubled;     /* key of a limit; NULL: none */
} Copy;

static const FlowResource *
resource_at(const FluidFlow *flow, guint i)
{
    MaxminResource number = g_array_index(flow->path->route.uses, MaxminUse, i).resource;
    return g_ptr_array_index(flow->path->flows->resources.by_number, number);
}

/* A link is as fast as the interfaces at both of its ends: those of the flow that have the rate of
 * the doubled one are doubled with it. */
static void
double_link(const Copy *copy, const FluidFlow *flow)
{
    const GArray *uses = flow->path->route.uses;
    const FlowResource *one = NULL;
    for (guint i = 0; i < uses->len; i++) {
        const FlowResource *resource = resource_at(flow, i);
        one = resource->key == copy->doubled && resource->nic != NULL ? resource : one;
    }
    for (guint i = 0; one != NULL && i < uses->len; i++) {
        const FlowResource *other = resource_at(flow, i);
        if (other->nic != NULL && other->capacity == one->capacity) {
            maxmin_set_capacity(copy->system, copy->numbers[other->number], 2 * one->capacity);
        }
    }
}

/* Twice the limit leaves flows twice as much and what is reserved of it once. */
static double
doubled_capacity(const FlowResource *resource)
{
    double capacity = 2 * resource->capacity + resource->reserved;
    return resource->most > 0 ? MIN(capacity, resource->most) : capacity;
}

static void
copy_resources(Copy *copy, const FlowResources *resources)
{
    for (guint i = 0; i < resources->by_number->len; i++) {
        const FlowResource *resource = g_ptr_array_index(resources->by_number, i);
        if (resource != NULL) {
            bool doubled = resource->key == copy->doubled;
            copy->numbers[i] = maxmin_add_resource(
                copy->system, doubled ? doubled_capacity(resource) : resource->capacity);
        }
    }
}

static MaxminFlow
copy_flow(const Copy *copy, const FluidFlow *flow, double cap)
{
    const GArray *uses = flow->path->route.uses;
    g_autofree MaxminUse *copies = g_new(MaxminUse, uses->len);
    for (guint i = 0; i < uses->len; i++) {
        copies[i] = g_array_index(uses, MaxminUse, i);
        copies[i].resource = copy->numbers[copies[i].resource];
    }
    return maxmin_add_flow(copy->system, cap, copies, uses->len);
}

static double
doubled_cap(const FluidFlow *flow, const char *doubled)
{
    double caps[N_FLOW_CAPS];
    find_caps(flow, caps);
    for (FlowCap i = 0; i < N_FLOW_CAPS; i++) {
        caps[i] *= cap_texts[i] == doubled ? 2 : 1;
    }
    FlowCap kind;
    return least(caps, &kind);
}

/* What the flow gets, or would get if it still sent, with one limit twice what it is. */
static double
rate_if(const FluidFlow *flow, const char *doubled)
{
    const Flows *flows = flow->path->flows;
    if (!flow->path->route.up) {
        return 0;
    }
    g_autoptr(Maxmin) system = maxmin_new();
    g_autofree MaxminResource *numbers =
        g_new0(MaxminResource, flows->resources.by_number->len + 1);
    Copy copy = {system, numbers, doubled};
    copy_resources(&copy, &flows->resources);
    double_link(&copy, flow);
    for (guint i = 0; i < flows->paths->len; i++) {
        const FlowPath *path = g_ptr_array_index(flows->paths, i);
        for (guint k = 0; k < path->members->len; k++) {
            const FluidFlow *other = g_ptr_array_index(path->members, k);
            if (other != flow && other->state == FLOW_SENDING) {
                copy_flow(&copy, other, other->cap);
            }
        }
    }
    MaxminFlow number = copy_flow(&copy, flow, doubled_cap(flow, doubled));
    maxmin_solve(system, NULL, NULL);
    return maxmin_rate(system, number);
}

FluidBottleneck
fluid_flow_bottleneck(FluidFlow *flow)
{
    flow_settle(flow);
    flows_solve(flow->path->flows);
    const FlowLimit *limit = longest(flow);
    double rate = flow->state == FLOW_SENDING ? flow->rate : rate_if(flow, NULL);
    if (limit == NULL) {
        return (FluidBottleneck){
            .name = g_strdup(""), .what = "", .unit = "", .rate = rate, .rate_if_doubled = rate};
    }
    return (FluidBottleneck){.name = g_strdup(limit->name),
                             .what = limit->what,
                             .capacity = limit->capacity,
                             .unit = limit->unit,
                             .utilisation = limit->utilisation,
                             .rate = rate,
                             .rate_if_doubled = rate_if(flow, limit->key)};
}

void
fluid_bottleneck_clear(FluidBottleneck *bottleneck)
{
    g_clear_pointer(&bottleneck->name, g_free);
}
