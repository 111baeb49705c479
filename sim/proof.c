/* Comparing what entered V-wires with what left them. */
#include "sim/proof.h"

#include "models/flow.h"
#include "sim/packets.h"
#include "sim/world_types.h"

#include <string.h>

char *
place_name(const World *world, const char *place)
{
    if (strchr(place, '/') == NULL) {
        return g_strdup(place);
    }
    g_autoptr(GPtrArray) workloads = flow_workloads(world->scenario);
    for (guint i = 0; i < workloads->len; i++) {
        const Object *object = g_ptr_array_index(workloads, i);
        if (object_owns_pod(object, place)) {
            const char *node = runtime_node_of_pod(world, place);
            bool everywhere = object->kind == OBJECT_DAEMON_SET && node != NULL;
            return everywhere ? g_strdup_printf("%s/%s@%s", object->ns, object->name, node)
                              : g_strdup_printf("%s/%s", object->ns, object->name);
        }
    }
    return g_strdup(place);
}

static PortCounts
counts_of(World *world, const char *port)
{
    const PortCounts *counts = packets_port_counts(world->dataplane, port);
    PortCounts out = counts != NULL ? *counts : (PortCounts){0};
    out.tx_packets -= out.n_on_the_way;
    return out;
}

static void
add_wire(World *world, const DataPlaneHop *from, const char *port, const DataPlaneHop *to,
         ChainOutcome *out)
{
    PortCounts near = counts_of(world, port), far = counts_of(world, to->port_in);
    WireOutcome *wire = g_new0(WireOutcome, 1);
    wire->from = place_name(world, from->owner);
    wire->to = place_name(world, to->owner);
    wire->kind = wire_kind_name(to->wire);
    wire->forward_in = near.tx_packets;
    wire->forward_out = far.rx_packets;
    wire->back_in = far.tx_packets;
    wire->back_out = near.rx_packets;
    wire->bytes = near.rx_bytes + far.rx_bytes;
    wire->n_dropped = near.n_dropped + far.n_dropped;
    wire->n_denied = near.n_denied + far.n_denied;
    g_ptr_array_add(out->wires, wire);
}

/* The first V-wire that did not carry all, or whose packets were dropped behind it. */
static char *
find_loss(const GPtrArray *wires)
{
    for (guint i = 0; i < wires->len; i++) {
        const WireOutcome *wire = g_ptr_array_index(wires, i);
        uint64_t entered = wire->forward_in + wire->back_in;
        uint64_t left = wire->forward_out + wire->back_out;
        if (left < entered) {
            return g_strdup_printf("V-wire %u (%s - %s) lost %" G_GUINT64_FORMAT
                                   " of %" G_GUINT64_FORMAT " packets",
                                   i + 1, wire->from, wire->to, entered - left, entered);
        }
        if (wire->n_dropped > 0) {
            return g_strdup_printf("%" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT
                                   " packets of V-wire %u (%s - %s) went no further",
                                   wire->n_dropped, left, i + 1, wire->from, wire->to);
        }
    }
    return NULL;
}

/* Whether anything was sent on the way. */
static bool
was_used(World *world, const GArray *hops)
{
    for (guint i = 0; i < hops->len; i++) {
        const DataPlaneHop *hop = &g_array_index(hops, DataPlaneHop, i);
        if ((hop->port_in != NULL && counts_of(world, hop->port_in).tx_packets > 0) ||
            (hop->port_out != NULL && counts_of(world, hop->port_out).tx_packets > 0)) {
            return true;
        }
    }
    return false;
}

void
proof_collect(World *world, const GArray *hops, ChainOutcome *out)
{
    const DataPlaneHop *from = NULL;
    if (!was_used(world, hops)) {
        return;
    }
    for (guint i = 0; i < hops->len; i++) {
        const DataPlaneHop *hop = &g_array_index(hops, DataPlaneHop, i);
        if (hop->kind == HOP_TUNNEL) {
            continue; /* its ends are those of the hops beside it */
        }
        if (from != NULL && from->port_out != NULL) {
            add_wire(world, from, from->port_out, hop, out);
        }
        from = hop;
    }
    out->proof = find_loss(out->wires);
}
