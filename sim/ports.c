/* The graph: ports, wires, cross-connects, tunnels; and following frames through it. */
#include "models/tcp.h"
#include "sim/dataplane_types.h"

#include <string.h>

typedef struct Tunnel {
    Port *ends[2];
} Tunnel;

/* ---- ports ---- */

void
ports_free_one(void *data)
{
    Port *port = data;
    if (port->n_held > 0) {
        port->gone = true;
        return;
    }
    g_free(port->name);
    g_free(port->owner);
    g_free(port->tunnel);
    g_free(port->ip);
    g_ptr_array_unref(port->paths);
    g_free(port);
}

const char *
ports_place(Plane *plane, const char *text)
{
    const char *place = g_hash_table_lookup(plane->places, text);
    if (place == NULL) {
        place = g_strdup(text);
        g_hash_table_add(plane->places, (char *)place);
    }
    return place;
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

void
ports_remove(Plane *plane, Port *port)
{
    if (port->wire != NULL) {
        echo_touch(plane, port->wire);
        port->wire->wire = NULL;
    }
    if (port->xconnect != NULL) {
        echo_touch(plane, port->xconnect);
        port->xconnect->xconnect = NULL;
    }
    port->wire = port->xconnect = NULL;
    g_autofree char *owner = g_strdup(port->owner);
    leave_tunnel(plane, port);
    echo_forget_port(plane, port);
    GPtrArray *owned = g_hash_table_lookup(plane->owners, port->owner);
    g_ptr_array_remove_fast(owned, port);
    if (owned->len == 0) {
        g_hash_table_remove(plane->owners, port->owner);
    }
    g_hash_table_remove(plane->ports, port->name);
    vswitch_look_at(plane, owner);
}

Port *
ports_obtain(Plane *plane, const char *name, const char *owner, bool in_pod)
{
    Port *port = g_hash_table_lookup(plane->ports, name);
    if (port != NULL) {
        return port;
    }
    port = g_new0(Port, 1);
    port->name = g_strdup(name);
    port->owner = g_strdup(owner);
    port->place = ports_place(plane, owner);
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

void
ports_join_wire(Plane *plane, Port *a, Port *b, WireKind kind)
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
    vswitch_look_at(plane, a->owner);
    vswitch_look_at(plane, b->owner);
}

void
ports_create_tunnel(Plane *plane, const DataPlaneOp *op)
{
    bool ordered = strcmp(op->node, op->peer_node) < 0;
    g_autofree char *key = g_strdup_printf("%s|%s|%u", ordered ? op->node : op->peer_node,
                                           ordered ? op->peer_node : op->node, op->vni);
    Port *port = ports_obtain(plane, op->port, op->owner, false);
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
    g_autofree char *where = g_strdup_printf("%s -> %s", op->node, op->peer_node);
    port->where = ports_place(plane, where);
}

/* NULL, or why it cannot be done. */
const char *
ports_cross_connect(Plane *plane, const DataPlaneOp *op)
{
    bool in_pod = g_str_has_prefix(op->port, op->owner) &&
                  strchr(op->port + strlen(op->owner) + 1, '/') == NULL;
    Port *a = in_pod ? ports_obtain(plane, op->port, op->owner, true)
                     : g_hash_table_lookup(plane->ports, op->port);
    Port *b = in_pod ? ports_obtain(plane, op->peer, op->owner, true)
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

uint32_t
ports_tunnel_bytes(const Port *port)
{
    return port->wire_kind == WIRE_WIREGUARD ? WIREGUARD_OVERHEAD : VXLAN_OVERHEAD;
}

Port *
ports_tunnel_peer(const Plane *plane, const Port *port)
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

GArray *
ports_walk(DataPlane *base, const char *pod_port)
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
            in = ports_tunnel_peer(plane, out);
        } else {
            in = out != NULL ? out->wire : NULL;
        }
    }
    return hops;
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

bool
ports_check_one(const Plane *plane, const Port *port, bool has_owner, GError **error)
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
    if (!has_owner) {
        return broken(port, "its owner is gone", error);
    }
    return port->tunnel == NULL || check_tunnel(plane, port, error);
}
