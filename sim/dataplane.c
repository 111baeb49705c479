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

typedef struct Tunnel {
    Port *ends[2];
} Tunnel;

/* ---- ports ---- */

static void
port_free(void *data)
{
    Port *port = data;
    g_free(port->name);
    g_free(port->owner);
    g_free(port->tunnel);
    g_free(port->where);
    g_free(port->ip);
    g_ptr_array_unref(port->paths);
    g_free(port);
}

static void
leave_tunnel(Plane *plane, Port *port)
{
    Tunnel *tunnel =
        port->tunnel != NULL ? g_hash_table_lookup(plane->tunnels, port->tunnel) : NULL;
    for (int i = 0; tunnel != NULL && i < 2; i++) {
        if (tunnel->ends[i] == port) {
            tunnel->ends[i] = NULL;
        } else if (tunnel->ends[i] != NULL) {
            echo_touch(plane, tunnel->ends[i]);
        }
    }
    if (tunnel != NULL && tunnel->ends[0] == NULL && tunnel->ends[1] == NULL) {
        g_hash_table_remove(plane->tunnels, port->tunnel);
    }
    g_clear_pointer(&port->tunnel, g_free);
}

static void
remove_port(Plane *plane, Port *port)
{
    if (port->wire != NULL) {
        echo_touch(plane, port->wire);
        port->wire->wire = NULL;
    }
    if (port->xconnect != NULL) {
        echo_touch(plane, port->xconnect);
        port->xconnect->xconnect = NULL;
    }
    leave_tunnel(plane, port);
    echo_forget_port(plane, port);
    GPtrArray *owned = g_hash_table_lookup(plane->owners, port->owner);
    g_ptr_array_remove_fast(owned, port);
    if (owned->len == 0) {
        g_hash_table_remove(plane->owners, port->owner);
    }
    g_hash_table_remove(plane->ports, port->name);
}

static Port *
obtain_port(Plane *plane, const char *name, const char *owner, bool in_pod)
{
    Port *port = g_hash_table_lookup(plane->ports, name);
    if (port != NULL) {
        return port;
    }
    port = g_new0(Port, 1);
    port->name = g_strdup(name);
    port->owner = g_strdup(owner);
    port->in_pod = in_pod;
    port->paths = g_ptr_array_new();
    g_hash_table_insert(plane->ports, port->name, port);
    echo_new_port(plane, port);
    GPtrArray *owned = g_hash_table_lookup(plane->owners, owner);
    if (owned == NULL) {
        owned = g_ptr_array_new();
        g_hash_table_insert(plane->owners, g_strdup(owner), owned);
    }
    g_ptr_array_add(owned, port);
    return port;
}

static void
join_wire(Plane *plane, Port *a, Port *b, WireKind kind)
{
    Port *const ends[] = {a, b};
    for (int i = 0; i < 2; i++) {
        echo_touch(plane, ends[i]);
        if (ends[i]->wire != NULL) {
            echo_touch(plane, ends[i]->wire);
            ends[i]->wire->wire = NULL;
        }
    }
    a->wire = b;
    b->wire = a;
    a->wire_kind = b->wire_kind = kind;
}

/* The Pod that "namespace/pod/interface" names. */
static char *
pod_of_port(const char *port)
{
    const char *slash = strrchr(port, '/');
    return slash != NULL ? g_strndup(port, (gsize)(slash - port)) : g_strdup(port);
}

/* ---- operations ---- */

void
dataplane_done(Plane *plane, uint64_t token, const char *error)
{
    plane->counts.n_answered++;
    plane->done(plane->data, token, error);
}

static void
create_tunnel(Plane *plane, const DataPlaneOp *op)
{
    bool ordered = strcmp(op->node, op->peer_node) < 0;
    g_autofree char *key = g_strdup_printf("%s|%s|%u", ordered ? op->node : op->peer_node,
                                           ordered ? op->peer_node : op->node, op->vni);
    Port *port = obtain_port(plane, op->port, op->owner, false);
    leave_tunnel(plane, port);
    Tunnel *tunnel = g_hash_table_lookup(plane->tunnels, key);
    if (tunnel == NULL) {
        tunnel = g_new0(Tunnel, 1);
        g_hash_table_insert(plane->tunnels, g_strdup(key), tunnel);
    }
    tunnel->ends[ordered ? 0 : 1] = port;
    echo_touch(plane, port);
    if (tunnel->ends[ordered ? 1 : 0] != NULL) {
        echo_touch(plane, tunnel->ends[ordered ? 1 : 0]);
    }
    port->tunnel = g_steal_pointer(&key);
    port->wire_kind = op->wire;
    if (plane->net != NULL) {
        port->node = net_node(plane->net, op->node);
        port->peer_node = net_node(plane->net, op->peer_node);
    }
    g_free(port->where);
    port->where = g_strdup_printf("%s -> %s", op->node, op->peer_node);
}

/* NULL, or why it cannot be done. */
static const char *
cross_connect(Plane *plane, const DataPlaneOp *op)
{
    bool in_pod = g_str_has_prefix(op->port, op->owner) &&
                  strchr(op->port + strlen(op->owner) + 1, '/') == NULL;
    Port *a = in_pod ? obtain_port(plane, op->port, op->owner, true)
                     : g_hash_table_lookup(plane->ports, op->port);
    Port *b = in_pod ? obtain_port(plane, op->peer, op->owner, true)
                     : g_hash_table_lookup(plane->ports, op->peer);
    if (a == NULL || b == NULL) {
        return "cross-connect: no such interface";
    }
    if (!g_str_equal(a->owner, b->owner)) {
        return "cross-connect: the interfaces belong to different owners";
    }
    Port *const ends[] = {a, b};
    for (int i = 0; i < 2; i++) {
        echo_touch(plane, ends[i]);
        if (ends[i]->xconnect != NULL) {
            echo_touch(plane, ends[i]->xconnect);
            ends[i]->xconnect->xconnect = NULL;
        }
    }
    a->xconnect = b;
    b->xconnect = a;
    return NULL;
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
        Port *end = obtain_port(plane, op->pod_port, op->pod, true);
        join_wire(plane, obtain_port(plane, op->port, op->owner, false), end, op->wire);
        set_ip(end, op->ip);
        return NULL;
    }
    case DATAPLANE_CREATE_DIRECT: {
        g_autofree char *peer_pod = pod_of_port(op->peer);
        if (has_ended(plane, op->pod) || has_ended(plane, peer_pod)) {
            return "create direct memif: a Pod's network namespace is gone";
        }
        Port *end = obtain_port(plane, op->pod_port, op->pod, true);
        Port *peer = obtain_port(plane, op->peer, peer_pod, true);
        join_wire(plane, end, peer, op->wire);
        set_ip(end, op->ip);
        set_ip(peer, op->peer_ip);
        return NULL;
    }
    case DATAPLANE_CREATE_TUNNEL:
        create_tunnel(plane, op);
        return NULL;
    case DATAPLANE_CROSS_CONNECT:
        return cross_connect(plane, op);
    case DATAPLANE_REMOVE: {
        Port *port = g_hash_table_lookup(plane->ports, op->port);
        if (port != NULL) {
            remove_port(plane, port);
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

/* ---- walking ---- */

static void
add_hop(GArray *hops, DataPlaneHopKind kind, const char *owner, const Port *in, const Port *out)
{
    DataPlaneHop hop = {.kind = kind,
                        .owner = g_strdup(owner),
                        .port_in = in != NULL ? g_strdup(in->name) : NULL,
                        .port_out = out != NULL ? g_strdup(out->name) : NULL,
                        .wire = in != NULL ? in->wire_kind : out->wire_kind};
    g_array_append_val(hops, hop);
}

Port *
dataplane_tunnel_peer(const Plane *plane, const Port *port)
{
    const Tunnel *tunnel = g_hash_table_lookup(plane->tunnels, port->tunnel);
    if (tunnel == NULL) {
        return NULL;
    }
    if (tunnel->ends[0] == port) {
        return tunnel->ends[1];
    }
    return tunnel->ends[1] == port ? tunnel->ends[0] : NULL; /* NULL: another took its place */
}

static GArray *
walk(DataPlane *base, const char *pod_port)
{
    Plane *plane = (Plane *)base;
    GArray *hops = g_array_new(false, false, sizeof(DataPlaneHop));
    g_array_set_clear_func(hops, (GDestroyNotify)dataplane_hop_clear);
    Port *start = g_hash_table_lookup(plane->ports, pod_port);
    if (start == NULL) {
        return hops;
    }
    add_hop(hops, HOP_POD, start->owner, NULL, start);
    g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
    for (Port *in = start->wire; in != NULL && g_hash_table_add(seen, in);) {
        Port *out = in->xconnect;
        add_hop(hops, in->in_pod ? HOP_POD : HOP_FORWARDER, in->owner, in, out);
        if (out != NULL && out->tunnel != NULL) {
            add_hop(hops, HOP_TUNNEL, out->where, out, NULL);
            in = dataplane_tunnel_peer(plane, out);
        } else {
            in = out != NULL ? out->wire : NULL;
        }
    }
    return hops;
}

static void
plane_free(DataPlane *base)
{
    Plane *plane = (Plane *)base;
    echo_free(plane);
    g_hash_table_unref(plane->ended);
    g_hash_table_unref(plane->gone);
    g_hash_table_unref(plane->watched);
    g_hash_table_unref(plane->watches);
    g_hash_table_unref(plane->pending);
    g_hash_table_unref(plane->tunnels);
    g_hash_table_unref(plane->owners);
    g_hash_table_unref(plane->ports);
    g_free(plane);
}

static const DataPlaneClass plane_class = {perform, walk, plane_free};

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
    plane->ports = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, port_free);
    plane->owners =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_ptr_array_unref);
    plane->tunnels = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    plane->pending = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, pending_free);
    plane->ended = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    plane->watches =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_array_unref);
    plane->watched = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
    plane->gone = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, gone_free);
    echo_init(plane);
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
    while ((owned = g_hash_table_lookup(plane->owners, owner)) != NULL) {
        remove_port(plane, g_ptr_array_index(owned, owned->len - 1));
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

static bool
broken(const Port *port, const char *what, GError **error)
{
    return error_set(error, VWIRE_ERROR_INVALID, "port %s of %s: %s", port->name, port->owner,
                     what);
}

/* Another may have taken its place in the tunnel, which may be gone since. */
static bool
check_tunnel(const Plane *plane, const Port *port, GError **error)
{
    const Tunnel *tunnel = g_hash_table_lookup(plane->tunnels, port->tunnel);
    for (int i = 0; tunnel != NULL && i < 2; i++) {
        const Port *end = tunnel->ends[i];
        if (end != NULL && g_strcmp0(end->tunnel, port->tunnel) != 0) {
            return broken(port, "an end of its tunnel is of another tunnel", error);
        }
    }
    return port->wire == NULL || broken(port, "a tunnel end with a wire", error);
}

static bool
check_port(const Plane *plane, const Port *port, GError **error)
{
    const Port *wire = port->wire, *xconnect = port->xconnect;
    if (wire != NULL && (wire->wire != port || wire == port)) {
        return broken(port, "its wire has no other end", error);
    }
    if (wire != NULL && wire->wire_kind != port->wire_kind) {
        return broken(port, "its wire has two kinds", error);
    }
    if (xconnect != NULL && (xconnect->xconnect != port || xconnect == port)) {
        return broken(port, "its cross-connect has no other side", error);
    }
    if (xconnect != NULL && !g_str_equal(xconnect->owner, port->owner)) {
        return broken(port, "its cross-connect has two owners", error);
    }
    const GPtrArray *owned = g_hash_table_lookup(plane->owners, port->owner);
    if (owned == NULL || !g_ptr_array_find((GPtrArray *)owned, port, NULL)) {
        return broken(port, "its owner does not know it", error);
    }
    return port->tunnel == NULL || check_tunnel(plane, port, error);
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
        if (!check_port(plane, port, error)) {
            return false;
        }
        if (!exists(data, port->owner, port->in_pod)) {
            return broken(port, "its owner is gone", error);
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
