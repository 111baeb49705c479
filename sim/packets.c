/* Packets on their way from port to port.
 *
 * One packet is one struct with one event: it is scheduled while time passes without a queue (a
 * Pod's kernel, a link, a fault's delay), and visits a station otherwise.  A packet holds the port
 * that it is at; a port that goes meanwhile stays until its last packet has noticed. */
#include "sim/packets.h"

#include "models/tcp.h"
#include "sim/dataplane_types.h"

#define MAX_HOPS 64 /* more than any chain's: a loop */
#define SLAB 128

typedef enum Step {
    STEP_LEAVE,   /* out of the port: the sender's kernel has passed it on */
    STEP_LEFT,    /* what a fault added is over */
    STEP_ENTER,   /* out of a tunnel, into the port */
    STEP_ENTERED, /* what a fault added is over */
    STEP_QUEUED,  /* what flows have in the ring is served */
    STEP_DELIVER, /* the receiver's kernel has it */
} Step;

typedef struct Packet {
    Visit visit;
    Event event;
    struct Packet *next_free;
    Plane *plane;
    PacketFlow *flow;
    PacketInfo info;
    Port *at;          /* held; NULL: on the cluster's own network */
    const char *place; /* where it is when it is at no port */
    Step step;
    guint n_hops;
    PortCounts *way; /* of the port that it has left, until it comes out; NULL: it is at one */
    guint hint;      /* where in the flow's delays the last place was */
} Packet;

typedef struct Packets {
    GHashTable *counts; /* port's name -> PortCounts */
    GPtrArray *slabs;   /* Packet[SLAB] */
    Packet *free;
    RandomStream random;
    uint64_t n_steps;
    guint ring;
} Packets;

/* ---- delays ---- */

static PlaceDelays *
delays_at(Packet *packet, const char *place)
{
    return packet_flow_delays(packet->flow, place, &packet->hint);
}

static void
note_delay(Packet *packet, const char *place, DelayPart part, nsec_t delay)
{
    if (packet->info.timed && delay > 0) {
        delays_at(packet, place)->parts[part] += (double)delay;
    }
}

static void
note_visit(Packet *packet, const char *place)
{
    if (packet->info.timed) {
        delays_at(packet, place)->n_packets++;
    }
}

/* ---- packets ---- */

static void on_event(Engine *engine, Event *event);

static Packet *
packet_new(Plane *plane, PacketFlow *flow, const PacketInfo *info)
{
    Packets *packets = plane->packets;
    if (packets->free == NULL) {
        Packet *slab = g_new0(Packet, SLAB);
        g_ptr_array_add(packets->slabs, slab);
        for (int i = 0; i < SLAB; i++) {
            event_init(&slab[i].event, on_event, 0);
            slab[i].plane = plane;
            slab[i].next_free = packets->free;
            packets->free = &slab[i];
        }
    }
    Packet *packet = packets->free;
    packets->free = packet->next_free;
    packet->flow = flow;
    packet->info = *info;
    packet->info.sent = engine_now(plane->engine);
    packet->info.port = NULL;
    packet->at = NULL;
    packet->place = NULL;
    packet->way = NULL;
    packet->n_hops = packet->hint = 0;
    flow->n_sent++;
    return packet;
}

static void
hold(Packet *packet, Port *port)
{
    Port *before = packet->at;
    packet->at = port;
    if (port != NULL) {
        port->n_held++;
    }
    if (before != NULL && --before->n_held == 0 && before->gone) {
        ports_free_one(before);
    }
}

static void
end_way(Packet *packet)
{
    if (packet->way != NULL) {
        packet->way->n_on_the_way--;
        packet->way = NULL;
    }
}

static void
packet_free(Packet *packet)
{
    end_way(packet);
    hold(packet, NULL);
    packet->next_free = packet->plane->packets->free;
    packet->plane->packets->free = packet;
}

static PortCounts *
counts_of(Plane *plane, const char *name)
{
    PortCounts *counts = g_hash_table_lookup(plane->packets->counts, name);
    if (counts == NULL) {
        counts = g_new0(PortCounts, 1);
        g_hash_table_insert(plane->packets->counts, g_strdup(name), counts);
    }
    return counts;
}

static PortCounts *
port_counts(Plane *plane, Port *port)
{
    if (port->counts == NULL) {
        port->counts = counts_of(plane, port->name);
    }
    return port->counts;
}

static void
drop_by_rule(Packet *packet, DropReason reason, const char *rule)
{
    PacketFlow *flow = packet->flow;
    PacketInfo info = packet->info;
    const char *place = packet->place;
    if (place == NULL) {
        place = packet->at->place;
        PortCounts *counts = port_counts(packet->plane, packet->at);
        (*(reason == DROP_DENIED ? &counts->n_denied : &counts->n_dropped))++;
    }
    flow->n_dropped++;
    packet_flow_note_drop(flow, reason, place, rule);
    packet_free(packet);
    if (flow->dropped != NULL) {
        flow->dropped(flow, &info, reason);
    }
}

static void
drop(Packet *packet, DropReason reason)
{
    drop_by_rule(packet, reason, NULL);
}

static void
schedule(Packet *packet, Step step, nsec_t delay)
{
    Engine *engine = packet->plane->engine;
    packet->step = step;
    engine_schedule(engine, &packet->event, engine_now(engine) + delay);
}

static nsec_t
draw(Plane *plane, CalibrationParameter parameter)
{
    return dist_draw_nsec(&plane->calibration->parameters[parameter], &plane->packets->random);
}

static bool
happens(Plane *plane, double chance)
{
    return chance > 0 && random_uniform(&plane->packets->random) < chance;
}

/* ---- what faults do to an interface of a Pod ---- */

static bool
is_impaired(const Port *port)
{
    const Impairment *it = &port->impairment;
    return port->in_pod &&
           (it->cut || it->loss > 0 || it->latency > 0 || it->jitter > 0 || it->rate > 0);
}

/* How long the fault keeps a packet that passes; negative: it is dropped. */
static nsec_t
pass_impairment(Packet *packet, Port *port)
{
    Plane *plane = packet->plane;
    const Impairment *it = &port->impairment;
    if (it->cut || happens(plane, it->loss)) {
        drop(packet, it->cut ? DROP_CUT : DROP_LOST);
        return -1;
    }
    nsec_t delay = it->latency;
    if (it->jitter > 0) {
        double u = 2 * random_uniform(&plane->packets->random) - 1;
        delay = MAX(delay + (nsec_t)(u * (double)it->jitter), 0);
    }
    if (it->rate > 0) {
        nsec_t now = engine_now(plane->engine);
        double bits = 8.0 * packet->info.bytes;
        port->free_at = MAX(port->free_at, now) + (nsec_t)(bits * 1e9 / (double)it->rate);
        delay += port->free_at - now;
    }
    note_delay(packet, port->place, DELAY_FAULT, delay);
    return delay;
}

/* ---- VPP ---- */

void
packets_remove_owner(Plane *plane, const char *owner)
{
    Vswitch *vpp = vswitch_steal(plane, owner);
    if (vpp == NULL) {
        return;
    }
    Visit *visit;
    while ((visit = station_remove(vpp->station)) != NULL) {
        Packet *packet = (Packet *)((char *)visit - offsetof(Packet, visit));
        packet->at->n_queued--;
        drop(packet, DROP_REMOVED);
    }
    station_set_polling(vpp->station, false);
    vswitch_free(vpp);
}

/* ---- from place to place ---- */

static void enter(Packet *packet, Port *in);

/* Over the link between two nodes; false: dropped, otherwise the time until it is there. */
static bool
transmit(Packet *packet, guint from, guint to, uint32_t bytes, nsec_t *out)
{
    Plane *plane = packet->plane;
    NetLink *link = net_between(plane->net, from, to);
    NetNic *nic = net_nic(plane->net, from, to);
    nsec_t now = engine_now(plane->engine);
    nsec_t start = MAX(nic->free_at, now) + (net_nic_is_saturated(nic) ? nic->backlog : 0);
    bool up = net_node_is_up(plane->net, from) && net_node_is_up(plane->net, to);
    if (!up || link->impairment.cut) {
        drop(packet, up ? DROP_CUT : DROP_NODE_DOWN);
        return false;
    }
    if (nic->backlog > 0 && nic->free_at - now > nic->backlog) {
        nic->n_dropped++;
        drop(packet, DROP_QUEUE_FULL);
        return false;
    }
    int64_t rate = net_nic_free_rate(nic);
    if (link->impairment.rate > 0 && (rate == 0 || link->impairment.rate < rate)) {
        rate = link->impairment.rate;
    }
    double bits = 8.0 * (bytes + ETHERNET_FRAMING);
    nsec_t sending = rate > 0 ? (nsec_t)(bits * 1e9 / (double)rate) : 0;
    nic->free_at = MAX(nic->free_at, now) + sending;
    nic->n_sent++;
    double loss = 1 - (1 - link->loss) * (1 - link->impairment.loss);
    if (happens(plane, loss)) {
        drop(packet, DROP_LOST);
        return false;
    }
    nsec_t arrival = start + sending + net_latency(link, &plane->packets->random);
    nsec_t *last = &link->arrives_at[from < to ? 0 : 1];
    if (link->impairment.jitter == 0) { /* a wire keeps the order; netem does not */
        arrival = *last = MAX(arrival, *last);
    }
    *out = arrival - now;
    return true;
}

static void
cross_tunnel(Packet *packet, Port *out)
{
    Plane *plane = packet->plane;
    Port *peer = ports_tunnel_peer(plane, out);
    nsec_t delay = 0;
    packet->place = out->where;
    note_visit(packet, out->where);
    if (plane->net != NULL && out->node != G_MAXUINT && out->peer_node != G_MAXUINT &&
        !transmit(packet, out->node, out->peer_node, packet->info.bytes + ports_tunnel_bytes(out),
                  &delay)) {
        return;
    }
    if (peer == NULL) {
        drop(packet, DROP_NO_TUNNEL);
        return;
    }
    note_delay(packet, out->where, DELAY_LINK, delay);
    hold(packet, peer);
    schedule(packet, STEP_ENTER, delay);
}

static void
left(Packet *packet)
{
    Port *out = packet->at;
    if (out->gone) {
        drop(packet, DROP_REMOVED);
    } else if (out->tunnel != NULL) {
        cross_tunnel(packet, out);
    } else if (out->wire == NULL) {
        drop(packet, DROP_NO_WIRE);
    } else {
        enter(packet, out->wire);
    }
}

static void
leave(Packet *packet, Port *out)
{
    PortCounts *counts = port_counts(packet->plane, out);
    hold(packet, out);
    counts->tx_packets++;
    counts->tx_bytes += packet->info.bytes;
    counts->n_on_the_way++;
    packet->way = counts;
    nsec_t delay = is_impaired(out) ? pass_impairment(packet, out) : 0;
    if (delay > 0) {
        schedule(packet, STEP_LEFT, delay);
    } else if (delay == 0) {
        left(packet);
    }
}

static void
deliver(Packet *packet)
{
    const Port *port = packet->at;
    if (port != NULL && port->gone) {
        drop(packet, DROP_REMOVED);
        return;
    }
    if (port != NULL && port->ip == NULL && !packet->info.backward) {
        drop(packet, DROP_NO_ADDRESS);
        return;
    }
    PacketFlow *flow = packet->flow;
    PacketInfo info = packet->info;
    info.port = port != NULL ? port->name : NULL; /* held until it is freed */
    flow->n_arrived++;
    flow->arrived(flow, &info);
    packet_free(packet);
}

static bool
is_permitted(Packet *packet, Vswitch *vpp)
{
    const char *rule = NULL;
    bool permitted = vswitch_permits(vpp, &packet->flow->header, packet->info.backward, 1, &rule);
    if (!permitted) {
        drop_by_rule(packet, DROP_DENIED, rule);
    }
    return permitted;
}

/* VPP is done with it. */
static void
pass_on(Packet *packet, Vswitch *vpp)
{
    Port *in = packet->at, *out = in->xconnect;
    if (!in->gone && !is_permitted(packet, vpp)) {
        return;
    }
    if (in->gone) {
        drop(packet, DROP_REMOVED);
    } else if (out != NULL) {
        leave(packet, out);
    } else if (in->in_pod) {
        deliver(packet);
    } else {
        drop(packet, DROP_NO_CROSS_CONNECT);
    }
}

static void
served(void *data, Visit *visit, const VisitTimes *times)
{
    Vswitch *vpp = data;
    Packet *packet = (Packet *)((char *)visit - offsetof(Packet, visit));
    packet->at->n_queued--;
    if (packet->info.timed) {
        double *parts = delays_at(packet, vpp->owner)->parts;
        parts[DELAY_WAKING] += (double)times->waking;
        parts[DELAY_QUEUEING] += (double)times->queueing;
        parts[DELAY_SERVICE] += (double)times->service;
        parts[DELAY_THROTTLED] += (double)times->throttled;
    }
    pass_on(packet, vpp);
}

static void
kernel(Packet *packet, Step step)
{
    nsec_t delay = draw(packet->plane, PARAMETER_KERNEL_PACKET);
    note_delay(packet, packet->at->place, DELAY_KERNEL, delay);
    schedule(packet, step, delay);
}

static void
visit_vpp(Packet *packet)
{
    Plane *plane = packet->plane;
    Port *in = packet->at;
    Vswitch *vpp = in->gone ? NULL : vswitch_at(plane, in);
    if (vpp == NULL) {
        drop(packet, DROP_REMOVED);
        return;
    }
    in->n_queued++;
    station_arrive(vpp->station, &packet->visit,
                   vswitch_demand(plane, in, in->xconnect, packet->info.bytes));
}

/* What VPP needs for a ring full of packets of flows, which are of full size. */
static nsec_t
time_of_full_ring(Plane *plane, const Port *in)
{
    const char *out = in->xconnect != NULL ? in->xconnect->name : NULL;
    double cost = vswitch_cost(&plane->base, in->name, out, IP_MTU);
    return nsec_from_seconds(plane->packets->ring * cost);
}

static void
entered(Packet *packet)
{
    Plane *plane = packet->plane;
    Port *in = packet->at;
    note_visit(packet, in->place);
    if (in->gone) {
        drop(packet, DROP_REMOVED);
        return;
    }
    bool ends = in->in_pod && in->xconnect == NULL;
    if (ends && in->wire_kind == WIRE_KERNEL) {
        kernel(packet, STEP_DELIVER);
        return;
    }
    const Vswitch *vpp = in->wire_kind != WIRE_VFIO ? vswitch_at(plane, in) : NULL;
    if (vpp == NULL && ends) {
        schedule(packet, STEP_DELIVER, 0); /* never while its sender is still sending */
    } else if (vpp == NULL) {
        pass_on(packet, NULL); /* nothing is known of what it costs */
    } else if (in->n_queued >= plane->packets->ring) {
        drop(packet, DROP_RING_FULL);
    } else if (vpp->saturated) {
        nsec_t wait = time_of_full_ring(plane, in);
        note_delay(packet, vpp->owner, DELAY_QUEUEING, wait);
        schedule(packet, STEP_QUEUED, wait);
    } else {
        visit_vpp(packet);
    }
}

static void
enter(Packet *packet, Port *in)
{
    PortCounts *counts = port_counts(packet->plane, in);
    packet->place = NULL;
    end_way(packet);
    hold(packet, in);
    packet->plane->packets->n_steps++;
    counts->rx_packets++;
    counts->rx_bytes += packet->info.bytes;
    if (++packet->n_hops > MAX_HOPS) {
        drop(packet, DROP_HOP_LIMIT);
        return;
    }
    nsec_t delay = is_impaired(in) ? pass_impairment(packet, in) : 0;
    if (delay > 0) {
        schedule(packet, STEP_ENTERED, delay);
    } else if (delay == 0) {
        entered(packet);
    }
}

static void
on_event(Engine *engine, Event *event)
{
    (void)engine;
    Packet *packet = (Packet *)((char *)event - offsetof(Packet, event));
    switch (packet->step) {
    case STEP_LEAVE:
        leave(packet, packet->at);
        break;
    case STEP_LEFT:
        left(packet);
        break;
    case STEP_ENTER:
        enter(packet, packet->at);
        break;
    case STEP_ENTERED:
        entered(packet);
        break;
    case STEP_QUEUED:
        visit_vpp(packet);
        break;
    case STEP_DELIVER:
        deliver(packet);
        break;
    }
}

/* ---- sending ---- */

void
packets_send(DataPlane *base, PacketFlow *flow, const PacketInfo *info, const char *pod_port)
{
    Plane *plane = (Plane *)base;
    Packet *packet = packet_new(plane, flow, info);
    Port *port = g_hash_table_lookup(plane->ports, pod_port);
    if (port == NULL) {
        packet->place = ports_place(plane, pod_port);
        drop(packet, DROP_NO_INTERFACE);
        return;
    }
    hold(packet, port);
    note_visit(packet, port->place);
    if (port->wire_kind == WIRE_KERNEL) {
        kernel(packet, STEP_LEAVE);
    } else {
        leave(packet, port);
    }
}

/* Bridge and, between nodes, overlay: Weave Net's fast datapath (FACTS 0). */
void
packets_send_between(DataPlane *base, PacketFlow *flow, const PacketInfo *info,
                     const char *from_node, const char *to_node)
{
    Plane *plane = (Plane *)base;
    Packet *packet = packet_new(plane, flow, info);
    guint from = net_node(plane->net, from_node), to = net_node(plane->net, to_node);
    nsec_t link = 0;
    plane->packets->n_steps++;
    packet->place = ports_place(plane, from_node);
    note_visit(packet, packet->place);
    nsec_t delay =
        2 * draw(plane, PARAMETER_KERNEL_PACKET) + draw(plane, PARAMETER_POD_NETWORK_PACKET);
    if (from != to) {
        delay += 2 * draw(plane, PARAMETER_POD_NETWORK_OVERLAY);
        if (!transmit(packet, from, to, info->bytes + VXLAN_OVERHEAD, &link)) {
            return;
        }
    }
    note_delay(packet, packet->place, DELAY_KERNEL, delay);
    note_delay(packet, packet->place, DELAY_LINK, link);
    schedule(packet, STEP_DELIVER, delay + link);
}

/* Over the wire of a port, through the owner of its other end, and through a tunnel where that
 * leads into one.  Returns the last port that a packet comes in by (NULL: it comes nowhere); `out`
 * is where it goes on (NULL: nowhere), `overhead` what a tunnel on the way takes from the MTU. */
static const Port *
cross_owner(const Plane *plane, const Port *port, const Port **out, uint32_t *overhead)
{
    const Port *in = port->wire;
    *out = in != NULL ? in->xconnect : NULL;
    *overhead = 0;
    if (*out != NULL && (*out)->tunnel != NULL) {
        *overhead = (*out)->wire_kind == WIRE_WIREGUARD ? NSM_WIREGUARD_MTU_OVERHEAD
                                                        : NSM_VXLAN_MTU_OVERHEAD;
        in = ports_tunnel_peer(plane, *out);
        *out = in != NULL ? in->xconnect : NULL;
    }
    return in;
}

uint32_t
packets_mtu(const DataPlane *base, const char *pod_port)
{
    const Plane *plane = (const Plane *)base;
    const Port *port = g_hash_table_lookup(plane->ports, pod_port);
    uint32_t mtu = IP_MTU, overhead = 0;
    for (int i = 0; port != NULL && i < MAX_HOPS; i++) {
        cross_owner(plane, port, &port, &overhead);
        mtu = MIN(mtu, IP_MTU - overhead);
    }
    return mtu;
}

void
packets_addresses(const DataPlane *base, const char *pod_port, AclAddress *near, AclAddress *far)
{
    const Plane *plane = (const Plane *)base;
    const Port *port = g_hash_table_lookup(plane->ports, pod_port), *in = NULL;
    uint32_t overhead = 0;
    if (port == NULL) {
        return;
    }
    vswitch_parse_address(port, near);
    for (int i = 0; port != NULL && i < MAX_HOPS; i++) {
        in = cross_owner(plane, port, &port, &overhead);
    }
    if (in != NULL) {
        vswitch_parse_address(in, far);
    }
}

/* ---- counts ---- */

const PortCounts *
packets_port_counts(const DataPlane *base, const char *port)
{
    return g_hash_table_lookup(((const Plane *)base)->packets->counts, port);
}

void
packets_count(DataPlane *base, const char *port, bool sent, uint64_t packets, uint64_t bytes)
{
    PortCounts *counts = counts_of((Plane *)base, port);
    *(sent ? &counts->tx_packets : &counts->rx_packets) += packets;
    *(sent ? &counts->tx_bytes : &counts->rx_bytes) += bytes;
}

uint64_t
packets_n_steps(const DataPlane *base)
{
    return ((const Plane *)base)->packets->n_steps;
}

/* ---- life ---- */

void
packets_init(Plane *plane)
{
    const Calibration *calibration = plane->calibration;
    Packets *packets = g_new0(Packets, 1);
    packets->counts = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    packets->slabs = g_ptr_array_new();
    random_stream_init(&packets->random, plane->seed, plane->replication, "data plane", "packets");
    packets->ring = (guint)calibration_number(calibration, PARAMETER_VPP_RING);
    plane->packets = packets;
    vswitch_init(plane, served);
}

void
packets_free(Plane *plane)
{
    Packets *packets = plane->packets;
    vswitch_clear(plane);
    for (guint i = 0; i < packets->slabs->len; i++) {
        Packet *slab = g_ptr_array_index(packets->slabs, i);
        for (int k = 0; k < SLAB; k++) {
            engine_cancel(plane->engine, &slab[k].event);
            hold(&slab[k], NULL);
        }
        g_free(slab);
    }
    g_ptr_array_unref(packets->slabs);
    g_hash_table_unref(packets->counts);
    g_clear_pointer(&plane->packets, g_free);
}
