/* Ports, wires, cross-connects and tunnels as a graph.  What changes a port marks the paths that
 * lead over it (sim/echo.c), which are looked at again when the operation is done. */
#include "sim/dataplane.h"

#include "sim/dataplane_types.h"

#include <string.h>

typedef struct Pending {
    Event event;
    Plane *plane;
    DataPlaneOp op; /* with strings of its own */
} Pending;

/* ---- operations ---- */

void
dataplane_done(Plane *plane, uint64_t token, const char *error)
{
    plane->counts.n_answered++;
    plane->done(plane->data, token, error);
}

static void
set_ip(Port *port, const char *ip)
{
    g_free(port->ip);
    port->ip = g_strdup(ip);
}

static bool
has_ended(const Plane *plane, const char *pod)
{
    return pod != NULL && g_hash_table_contains(plane->ended, pod);
}

static const char *
perform_now(Plane *plane, const DataPlaneOp *op)
{
    switch (op->kind) {
    case DATAPLANE_CREATE_INTERFACE: {
        if (has_ended(plane, op->pod)) {
            return "create interface: the Pod's network namespace is gone";
        }
        Port *end = ports_obtain(plane, op->pod_port, op->pod, true);
        ports_join_wire(plane, ports_obtain(plane, op->port, op->owner, false), end, op->wire);
        set_ip(end, op->ip);
        return NULL;
    }
    case DATAPLANE_CREATE_DIRECT: {
        g_autofree char *peer_pod = dataplane_pod_of_port(op->peer);
        if (has_ended(plane, op->pod) || has_ended(plane, peer_pod)) {
            return "create direct memif: a Pod's network namespace is gone";
        }
        Port *end = ports_obtain(plane, op->pod_port, op->pod, true);
        Port *peer = ports_obtain(plane, op->peer, peer_pod, true);
        ports_join_wire(plane, end, peer, op->wire);
        set_ip(end, op->ip);
        set_ip(peer, op->peer_ip);
        return NULL;
    }
    case DATAPLANE_CREATE_TUNNEL:
        ports_create_tunnel(plane, op);
        return NULL;
    case DATAPLANE_CROSS_CONNECT:
        return ports_cross_connect(plane, op);
    case DATAPLANE_REMOVE: {
        Port *port = g_hash_table_lookup(plane->ports, op->port);
        if (port != NULL) {
            ports_remove(plane, port);
        }
        return NULL;
    }
    case DATAPLANE_CHECK:
    case DATAPLANE_WATCH:
        break; /* begun by perform */
    }
    return "unknown operation";
}

static void
pending_free(void *data)
{
    Pending *pending = data;
    engine_cancel(pending->plane->engine, &pending->event);
    g_free((char *)pending->op.owner);
    g_free((char *)pending->op.node);
    g_free((char *)pending->op.port);
    g_free((char *)pending->op.pod);
    g_free((char *)pending->op.pod_port);
    g_free((char *)pending->op.peer);
    g_free((char *)pending->op.peer_node);
    g_free((char *)pending->op.ip);
    g_free((char *)pending->op.peer_ip);
    g_free(pending);
}

static void
on_due(Engine *engine, Event *event)
{
    (void)engine;
    Pending *pending = (Pending *)((char *)event - offsetof(Pending, event));
    Plane *plane = pending->plane;
    const char *error = perform_now(plane, &pending->op);
    uint64_t token = pending->op.token;
    g_hash_table_remove(plane->pending, &token);
    echo_settle(plane);
    dataplane_done(plane, token, error);
}

static CalibrationParameter
duration_of(DataPlaneOpKind kind)
{
    switch (kind) {
    case DATAPLANE_CREATE_INTERFACE:
    case DATAPLANE_REMOVE:
        return PARAMETER_VPP_INTERFACE;
    case DATAPLANE_CREATE_TUNNEL:
        return PARAMETER_VPP_TUNNEL;
    case DATAPLANE_CREATE_DIRECT: /* a socket handed over */
    case DATAPLANE_CROSS_CONNECT:
    case DATAPLANE_CHECK:
    case DATAPLANE_WATCH:
        break;
    }
    return PARAMETER_VPP_XCONNECT;
}

/* ---- Pods whose end is waited for ---- */

static void
watch_pod(Plane *plane, const DataPlaneOp *op)
{
    GArray *tokens = g_hash_table_lookup(plane->watches, op->pod);
    if (tokens == NULL) {
        tokens = g_array_new(false, false, sizeof(uint64_t));
        g_hash_table_insert(plane->watches, g_strdup(op->pod), tokens);
    }
    g_array_append_val(tokens, op->token);
    g_hash_table_insert(plane->watched, g_memdup2(&op->token, sizeof op->token), g_strdup(op->pod));
}

static void
unwatch(Plane *plane, uint64_t token, const char *pod)
{
    GArray *tokens = g_hash_table_lookup(plane->watches, pod);
    for (guint i = 0; tokens != NULL && i < tokens->len; i++) {
        if (g_array_index(tokens, uint64_t, i) == token) {
            g_array_remove_index(tokens, i);
            break;
        }
    }
    if (tokens != NULL && tokens->len == 0) {
        g_hash_table_remove(plane->watches, pod);
    }
    g_hash_table_remove(plane->watched, &token);
}

typedef struct Gone {
    Event event;
    Plane *plane;
    uint64_t token;
} Gone;

static void
gone_free(void *data)
{
    Gone *gone = data;
    engine_cancel(gone->plane->engine, &gone->event);
    g_free(gone);
}

static void
on_gone(Engine *engine, Event *event)
{
    (void)engine;
    Gone *gone = (Gone *)((char *)event - offsetof(Gone, event));
    Plane *plane = gone->plane;
    uint64_t token = gone->token;
    g_hash_table_remove(plane->gone, &token);
    dataplane_done(plane, token, NULL);
}

static void
tell_watcher(Plane *plane, uint64_t token)
{
    Gone *gone = g_new0(Gone, 1);
    gone->plane = plane;
    gone->token = token;
    event_init(&gone->event, on_gone, 0);
    g_hash_table_insert(plane->gone, &gone->token, gone);
    engine_schedule(plane->engine, &gone->event, engine_now(plane->engine));
}

static void
tell_watchers(Plane *plane, const char *pod)
{
    void *key = NULL, *value = NULL;
    if (!g_hash_table_steal_extended(plane->watches, pod, &key, &value)) {
        return;
    }
    GArray *tokens = value;
    for (guint i = 0; i < tokens->len; i++) {
        uint64_t token = g_array_index(tokens, uint64_t, i);
        g_hash_table_remove(plane->watched, &token);
        tell_watcher(plane, token);
    }
    g_array_unref(tokens);
    g_free(key);
}

void
sim_dataplane_cancel(DataPlane *base, uint64_t token)
{
    Plane *plane = (Plane *)base;
    const char *pod = g_hash_table_lookup(plane->watched, &token);
    if (pod != NULL) {
        g_autofree char *copy = g_strdup(pod);
        unwatch(plane, token, copy);
        plane->counts.n_cancelled++;
    } else if (g_hash_table_remove(plane->pending, &token) ||
               g_hash_table_remove(plane->gone, &token) || echo_cancel(plane, token)) {
        plane->counts.n_cancelled++;
    }
}

static bool
perform(DataPlane *base, const DataPlaneOp *op, GError **error)
{
    Plane *plane = (Plane *)base;
    bool needs_pod = op->kind == DATAPLANE_CREATE_INTERFACE || op->kind == DATAPLANE_CREATE_DIRECT;
    if (needs_pod && op->pod_port == NULL) {
        return error_set(error, VWIRE_ERROR_INVALID, "create interface: no Pod given");
    }
    if (op->kind == DATAPLANE_CHECK && !echo_check(plane, op, error)) {
        return false;
    }
    plane->counts.n_accepted++;
    if (op->kind == DATAPLANE_CHECK) {
        return true;
    }
    if (op->kind == DATAPLANE_WATCH) {
        if (has_ended(plane, op->pod)) {
            tell_watcher(plane, op->token);
        } else {
            watch_pod(plane, op);
        }
        return true;
    }
    Pending *pending = g_new0(Pending, 1);
    pending->plane = plane;
    pending->op = *op;
    pending->op.owner = g_strdup(op->owner);
    pending->op.node = g_strdup(op->node);
    pending->op.port = g_strdup(op->port);
    pending->op.pod = g_strdup(op->pod);
    pending->op.pod_port = g_strdup(op->pod_port);
    pending->op.peer = g_strdup(op->peer);
    pending->op.peer_node = g_strdup(op->peer_node);
    pending->op.ip = g_strdup(op->ip);
    pending->op.peer_ip = g_strdup(op->peer_ip);
    g_hash_table_insert(plane->pending, &pending->op.token, pending);
    event_init(&pending->event, on_due, 0);
    RandomStream random; /* one for each port: other operations do not disturb it */
    g_autofree char *purpose = g_strdup_printf("data-plane operation %d", (int)op->kind);
    random_stream_init(&random, plane->seed, plane->replication,
                       op->port != NULL ? op->port : op->pod_port, purpose);
    nsec_t delay = dist_draw_nsec(&plane->calibration->parameters[duration_of(op->kind)], &random);
    engine_schedule(plane->engine, &pending->event, engine_now(plane->engine) + delay);
    return true;
}

static void
plane_free(DataPlane *base)
{
    Plane *plane = (Plane *)base;
    packets_free(plane);
    echo_free(plane);
    g_hash_table_unref(plane->ended);
    g_hash_table_unref(plane->gone);
    g_hash_table_unref(plane->watched);
    g_hash_table_unref(plane->watches);
    g_hash_table_unref(plane->pending);
    g_hash_table_unref(plane->tunnels);
    g_hash_table_unref(plane->owners);
    g_hash_table_unref(plane->ports);
    g_hash_table_unref(plane->places);
    g_free(plane);
}

static const DataPlaneClass plane_class = {perform, ports_walk, plane_free};

DataPlane *
sim_dataplane_new(Engine *engine, const Calibration *calibration, uint64_t seed,
                  uint32_t replication, DataPlaneDone done, void *data)
{
    Plane *plane = g_new0(Plane, 1);
    plane->base.class = &plane_class;
    plane->engine = engine;
    plane->calibration = calibration;
    plane->seed = seed;
    plane->replication = replication;
    plane->done = done;
    plane->data = data;
    plane->ports = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, ports_free_one);
    plane->owners =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_ptr_array_unref);
    plane->tunnels = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    plane->pending = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, pending_free);
    plane->ended = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    plane->watches =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_array_unref);
    plane->watched = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
    plane->gone = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, gone_free);
    plane->places = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    echo_init(plane);
    packets_init(plane);
    return &plane->base;
}

static void
on_net_changed(void *data)
{
    echo_touch_all(data);
}

void
sim_dataplane_set_net(DataPlane *base, Net *net)
{
    Plane *plane = (Plane *)base;
    plane->net = net;
    net_set_observer(net, on_net_changed, plane);
}

void
sim_dataplane_remove_owner(DataPlane *base, const char *owner)
{
    Plane *plane = (Plane *)base;
    const GPtrArray *owned;
    packets_remove_owner(plane, owner);
    while ((owned = g_hash_table_lookup(plane->owners, owner)) != NULL) {
        ports_remove(plane, g_ptr_array_index(owned, owned->len - 1));
    }
    echo_settle(plane);
}

void
sim_dataplane_remove_pod(DataPlane *base, const char *pod)
{
    Plane *plane = (Plane *)base;
    sim_dataplane_remove_owner(base, pod);
    g_hash_table_add(plane->ended, g_strdup(pod));
    tell_watchers(plane, pod);
}

void
sim_dataplane_add_pod(DataPlane *base, const char *pod)
{
    g_hash_table_remove(((Plane *)base)->ended, pod);
}

bool
sim_dataplane_impair(DataPlane *base, const char *pod_port, const Impairment *impairment)
{
    Plane *plane = (Plane *)base;
    Port *port = g_hash_table_lookup(plane->ports, pod_port);
    if (port == NULL) {
        return false;
    }
    port->impairment = *impairment;
    echo_touch(plane, port);
    echo_settle(plane);
    return true;
}

/* ---- for tests ---- */

DataPlaneCounts
sim_dataplane_counts(const DataPlane *base)
{
    const Plane *plane = (const Plane *)base;
    DataPlaneCounts counts = plane->counts;
    counts.n_pending = g_hash_table_size(plane->pending) + g_hash_table_size(plane->watched) +
                       g_hash_table_size(plane->gone) + g_hash_table_size(plane->checks);
    return counts;
}

/* A Pod whose end an operation needs, or the forwarder that performs it. */
static bool
check_pending(const DataPlaneOp *op, DataPlaneOwnerExists exists, void *data, GError **error)
{
    if (op->owner != NULL && !exists(data, op->owner, false)) {
        return error_set(error, VWIRE_ERROR_INVALID, "an operation of %s, which is gone, waits",
                         op->owner);
    }
    return true;
}

bool
sim_dataplane_check(DataPlane *base, DataPlaneOwnerExists exists, void *data, GError **error)
{
    const Plane *plane = (const Plane *)base;
    GHashTableIter iter;
    void *value;
    g_hash_table_iter_init(&iter, plane->ports);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const Port *port = value;
        if (!ports_check_one(plane, port, exists(data, port->owner, port->in_pod), error)) {
            return false;
        }
    }
    g_hash_table_iter_init(&iter, plane->pending);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        if (!check_pending(&((const Pending *)value)->op, exists, data, error)) {
            return false;
        }
    }
    return echo_check_paths(plane, error);
}
