/* Packets and the VPP threads that pass them on.
 *
 * One packet is one struct with one event: it is scheduled while time passes without a queue (a
 * Pod's kernel, a link, a fault's delay), and visits a station otherwise.  A packet holds the port
 * that it is at; a port that goes meanwhile stays until its last packet has noticed. */
#include "sim/packets.h"

#include "models/nsm/version.h"
#include "models/tcp.h"
#include "sim/dataplane_types.h"
#include "sim/station.h"

#define MAX_HOPS 64 /* more than any chain's: a loop */
#define SLAB 128
#define KIB 1024

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

/* An owner's VPP. */
typedef struct Vpp {
    Plane *plane;
    const char *owner; /* in Plane.places */
    Station *station;
    CpuGroup *group;
    int version;
    double idle; /* cores; of the quota, when flows use up all of it */
    const Acl *acl;
    bool polls;     /* by its interfaces */
    bool saturated; /* by flows */
} Vpp;

typedef struct Packets {
    GHashTable *vpps;   /* owner -> Vpp */
    GHashTable *counts; /* port's name -> PortCounts */
    GPtrArray *slabs;   /* Packet[SLAB] */
    Packet *free;
    VppCpuOf cpu_of;
    void *data;
    RandomStream random;
    uint64_t n_steps;
    CalibrationChoice polling;
    guint ring;
    nsec_t per_kib, tunnel_packet, wireguard_per_kib;
} Packets;

static const char *const reason_texts[] = {
#define X(name, text) [DROP_##name] = text,
    DROP_REASONS(X)
#undef X
};

static const char *const part_names[] = {
#define X(name, text) [DELAY_##name] = text,
    DELAY_PARTS(X)
#undef X
};

const char *
drop_reason_text(DropReason reason)
{
    return reason_texts[reason];
}

const char *
delay_part_name(DelayPart part)
{
    return part_names[part];
}

/* ---- flows ---- */

void
packet_flow_init(PacketFlow *flow)
{
    flow->n_sent = flow->n_arrived = flow->n_dropped = 0;
    flow->delays = g_array_new(false, true, sizeof(PlaceDelays));
    flow->drops = g_array_new(false, true, sizeof(PlaceDrops));
}

void
packet_flow_clear(PacketFlow *flow)
{
    g_clear_pointer(&flow->delays, g_array_unref);
    g_clear_pointer(&flow->drops, g_array_unref);
}

/* `hint`: where in the array the place may be. */
static PlaceDelays *
find_delays(GArray *delays, const char *place, guint *hint)
{
    for (guint i = 0; i < delays->len; i++) {
        guint k = (*hint + i) % delays->len;
        PlaceDelays *one = &g_array_index(delays, PlaceDelays, k);
        if (one->place == place) {
            *hint = k;
            return one;
        }
    }
    g_array_append_val(delays, ((PlaceDelays){.place = place}));
    *hint = delays->len - 1;
    return &g_array_index(delays, PlaceDelays, *hint);
}

static PlaceDelays *
delays_at(Packet *packet, const char *place)
{
    return find_delays(packet->flow->delays, place, &packet->hint);
}

void
packet_flow_note(PacketFlow *flow, const char *place, DelayPart part, nsec_t delay)
{
    guint hint = 0;
    find_delays(flow->delays, place, &hint)->parts[part] += (double)delay;
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

static void
note_drop(PacketFlow *flow, DropReason reason, const char *place, const char *rule)
{
    for (guint i = 0; i < flow->drops->len; i++) {
        PlaceDrops *one = &g_array_index(flow->drops, PlaceDrops, i);
        if (one->reason == reason && one->place == place && one->rule == rule) {
            one->n++;
            return;
        }
    }
    g_array_append_val(flow->drops, ((PlaceDrops){reason, place, rule, 1}));
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
    const char *place = packet->place != NULL ? packet->place : packet->at->place;
    if (packet->at != NULL && packet->place == NULL) {
        port_counts(packet->plane, packet->at)->n_dropped++;
    }
    flow->n_dropped++;
    note_drop(flow, reason, place, rule);
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

/* Beside what each packet costs: its bytes, and the tunnel that it comes from or goes into. */
static nsec_t
extra_cost(const Packets *packets, const Port *in, const Port *out, uint32_t bytes)
{
    nsec_t cost = packets->per_kib * bytes / KIB;
    const Port *const ends[] = {in, out};
    for (int i = 0; i < 2; i++) {
        if (ends[i] != NULL && ends[i]->tunnel != NULL) {
            bool encrypts = ends[i]->wire_kind == WIRE_WIREGUARD;
            cost += packets->tunnel_packet;
            cost += encrypts ? packets->wireguard_per_kib * bytes / KIB : 0;
        }
    }
    return cost;
}

static nsec_t
vpp_demand(Plane *plane, const Packet *packet, const Port *in, const Port *out)
{
    return draw(plane, PARAMETER_VPP_PACKET) +
           extra_cost(plane->packets, in, out, packet->info.bytes);
}

double
packets_vpp_cost(const DataPlane *base, const char *in, const char *out, uint32_t bytes)
{
    const Plane *plane = (const Plane *)base;
    const Port *port_in = in != NULL ? g_hash_table_lookup(plane->ports, in) : NULL;
    const Port *port_out = out != NULL ? g_hash_table_lookup(plane->ports, out) : NULL;
    return dist_mean(&plane->calibration->parameters[PARAMETER_VPP_PACKET]) +
           nsec_to_seconds(extra_cost(plane->packets, port_in, port_out, bytes));
}

static void served(void *data, Visit *visit, const VisitTimes *times);

/* NULL: no VPP runs there now. */
static Vpp *
vpp_of(Plane *plane, const char *owner)
{
    Packets *packets = plane->packets;
    Vpp *vpp = g_hash_table_lookup(packets->vpps, owner);
    VppCpu cpu = {0};
    if (vpp != NULL || packets->cpu_of == NULL || !packets->cpu_of(packets->data, owner, &cpu)) {
        return vpp;
    }
    vpp = g_new0(Vpp, 1);
    vpp->plane = plane;
    vpp->owner = ports_place(plane, owner);
    vpp->version = cpu.version;
    vpp->group = cpu.group;
    vpp->idle = cpu.idle;
    vpp->acl = cpu.acl;
    RandomStream random;
    random_stream_init(&random, plane->seed, plane->replication, owner, "VPP wakes");
    vpp->station =
        station_new(plane->engine, cpu.group,
                    &plane->calibration->parameters[PARAMETER_VPP_WAKE_UP], &random, served, vpp);
    g_hash_table_insert(packets->vpps, (char *)vpp->owner, vpp);
    return vpp;
}

static Vpp *
vpp_at(Plane *plane, Port *port)
{
    if (port->vpp == NULL) {
        port->vpp = vpp_of(plane, port->owner);
    }
    return port->vpp;
}

static void
vpp_free(void *data)
{
    Vpp *vpp = data;
    station_free(vpp->station);
    g_free(vpp);
}

/* Before v1.7.0 NSM asks for the adaptive mode before a memif has queues, so that it stays polling
 * (sdk-vpp#670; FACTS 4).  One such interface makes VPP's only thread poll. */
static bool
has_polling(const Plane *plane, const Vpp *vpp)
{
    if (plane->packets->polling == POLLING_ALWAYS || !nsm_before(vpp->version, 1, 7)) {
        return plane->packets->polling == POLLING_ALWAYS;
    }
    const GPtrArray *owned = g_hash_table_lookup(plane->owners, vpp->owner);
    for (guint i = 0; owned != NULL && i < owned->len; i++) {
        const Port *port = g_ptr_array_index(owned, i);
        if (port->wire != NULL && port->wire_kind == WIRE_MEMIF) {
            return true;
        }
    }
    return false;
}

void
packets_look_at(Plane *plane, const char *owner)
{
    if (plane->packets->polling == POLLING_NEVER) {
        return;
    }
    Vpp *vpp = vpp_of(plane, owner);
    if (vpp != NULL) {
        bool polls = has_polling(plane, vpp);
        const GPtrArray *owned = g_hash_table_lookup(plane->owners, owner);
        for (guint i = 0; polls != vpp->polls && owned != NULL && i < owned->len; i++) {
            echo_touch(plane, g_ptr_array_index(owned, i));
        }
        vpp->polls = polls;
        station_set_polling(vpp->station, vpp->polls || vpp->saturated);
    }
}

/* A thread that is never done with its ring runs until the quota is spent, as one that polls. */
void
packets_set_load(DataPlane *base, const char *owner, double cores, bool saturated)
{
    Vpp *vpp = vpp_of((Plane *)base, owner);
    if (vpp == NULL) {
        return;
    }
    vpp->saturated = saturated;
    cpu_group_set_reserve(vpp->group, saturated ? vpp->idle : 0);
    station_set_polling(vpp->station, vpp->polls || saturated);
    cpu_group_set_load(vpp->group, vpp->polls || saturated ? 0 : cores);
}

void
packets_remove_owner(Plane *plane, const char *owner)
{
    Vpp *vpp = g_hash_table_lookup(plane->packets->vpps, owner);
    if (vpp == NULL) {
        return;
    }
    const GPtrArray *owned = g_hash_table_lookup(plane->owners, owner);
    for (guint i = 0; owned != NULL && i < owned->len; i++) {
        ((Port *)g_ptr_array_index(owned, i))->vpp = NULL;
    }
    g_hash_table_steal(plane->packets->vpps, owner);
    Visit *visit;
    while ((visit = station_remove(vpp->station)) != NULL) {
        Packet *packet = (Packet *)((char *)visit - offsetof(Packet, visit));
        packet->at->n_queued--;
        drop(packet, DROP_REMOVED);
    }
    station_set_polling(vpp->station, false);
    vpp_free(vpp);
}

static void
parse_address(const Port *port, AclAddress *out)
{
    g_auto(GStrv) parts = g_strsplit(port->ip != NULL ? port->ip : "", "/", 2);
    if (parts[0] != NULL) {
        acl_address_parse(parts[0], out);
    }
}

/* ---- without a packet ---- */

/* One direction of an echo; see dataplane_types.h. */
nsec_t
packets_pass_time(Plane *plane, Port *in, uint32_t bytes, nsec_t *stall, bool *denied)
{
    const Packets *packets = plane->packets;
    bool ends = in->in_pod && in->xconnect == NULL;
    if (!plane->has_cpus) {
        return plane->hop;
    }
    if (ends && in->wire_kind == WIRE_KERNEL) {
        return calibration_nsec(plane->calibration, PARAMETER_KERNEL_PACKET);
    }
    Vpp *vpp = in->wire_kind != WIRE_VFIO ? vpp_at(plane, in) : NULL;
    if (vpp == NULL) {
        return 0;
    }
    nsec_t time = calibration_nsec(plane->calibration, PARAMETER_VPP_PACKET) +
                  extra_cost(packets, in, in->xconnect, bytes);
    if (vpp->polls) {
        *stall += cpu_group_longest_stop(vpp->group);
    } else {
        time += calibration_nsec(plane->calibration, PARAMETER_VPP_WAKE_UP);
    }
    AclPacket echo = {.proto = ACL_PROTO_ICMP, .src_port = ICMP_ECHO};
    parse_address(in, &echo.dst);
    int match = acl_match(vpp->acl, &echo, false);
    *denied = *denied || !acl_permits(vpp->acl, match);
    return time;
}

/* ---- from place to place ---- */

static void enter(Packet *packet, Port *in);

static uint32_t
tunnel_bytes(WireKind kind)
{
    return kind == WIRE_WIREGUARD ? WIREGUARD_OVERHEAD : VXLAN_OVERHEAD;
}

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
    *out = start + sending - now + net_latency(link, &plane->packets->random);
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
        !transmit(packet, out->node, out->peer_node,
                  packet->info.bytes + tunnel_bytes(out->wire_kind), &delay)) {
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
    g_autofree char *name = port != NULL ? g_strdup(port->name) : NULL;
    info.port = name;
    flow->n_arrived++;
    packet_free(packet);
    flow->arrived(flow, &info);
}

/* The header of the answer to a packet. */
static AclPacket
answer_to(const AclPacket *packet)
{
    bool icmp = packet->proto == ACL_PROTO_ICMP;
    return (AclPacket){.proto = packet->proto,
                       .src = packet->dst,
                       .dst = packet->src,
                       .src_port = icmp ? ICMP_ECHO_REPLY : packet->dst_port,
                       .dst_port = icmp ? 0 : packet->src_port,
                       .tcp_flags = packet->tcp_flags};
}

/* Rules are on the interface towards the client: what comes from there is matched as it is, what
 * goes there with their ends swapped (sdk-vpp pkg/networkservice/acl/common.go). */
static bool
is_permitted(Packet *packet, const Vpp *vpp)
{
    if (vpp == NULL || vpp->acl == NULL) {
        return true;
    }
    AclPacket header = packet->flow->header;
    if (packet->info.backward) {
        header = answer_to(&header);
    }
    int match = acl_match(vpp->acl, &header, acl_is_swapped(packet->info.backward, 0));
    if (acl_permits(vpp->acl, match)) {
        return true;
    }
    drop_by_rule(packet, DROP_DENIED,
                 match >= 0 ? acl_rule_name(vpp->acl, (guint)match) : "implicit deny");
    return false;
}

/* VPP is done with it. */
static void
pass_on(Packet *packet, const Vpp *vpp)
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
    const Vpp *vpp = data;
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
    Vpp *vpp = in->gone ? NULL : vpp_at(plane, in);
    if (vpp == NULL) {
        drop(packet, DROP_REMOVED);
        return;
    }
    in->n_queued++;
    station_arrive(vpp->station, &packet->visit, vpp_demand(plane, packet, in, in->xconnect));
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
    Vpp *vpp = in->wire_kind != WIRE_VFIO ? vpp_at(plane, in) : NULL;
    if (vpp == NULL) {
        pass_on(packet, NULL); /* nothing is known of what it costs */
    } else if (in->n_queued >= plane->packets->ring) {
        drop(packet, DROP_RING_FULL);
    } else {
        in->n_queued++;
        station_arrive(vpp->station, &packet->visit, vpp_demand(plane, packet, in, in->xconnect));
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

uint32_t
packets_mtu(const DataPlane *base, const char *pod_port)
{
    const Plane *plane = (const Plane *)base;
    const Port *port = g_hash_table_lookup(plane->ports, pod_port);
    uint32_t mtu = IP_MTU;
    for (int i = 0; port != NULL && i < MAX_HOPS; i++) {
        const Port *in = port->wire;
        const Port *out = in != NULL ? in->xconnect : NULL;
        if (out != NULL && out->tunnel != NULL) {
            bool encrypts = out->wire_kind == WIRE_WIREGUARD;
            mtu =
                MIN(mtu, IP_MTU - (encrypts ? NSM_WIREGUARD_MTU_OVERHEAD : NSM_VXLAN_MTU_OVERHEAD));
            in = ports_tunnel_peer(plane, out);
            out = in != NULL ? in->xconnect : NULL;
        }
        port = out;
    }
    return mtu;
}

void
packets_addresses(const DataPlane *base, const char *pod_port, AclAddress *near, AclAddress *far)
{
    const Plane *plane = (const Plane *)base;
    const Port *port = g_hash_table_lookup(plane->ports, pod_port);
    if (port == NULL) {
        return;
    }
    parse_address(port, near);
    for (int i = 0; i < MAX_HOPS && port->wire != NULL; i++) {
        const Port *in = port->wire, *out = in->xconnect;
        if (out != NULL && out->tunnel != NULL) {
            in = ports_tunnel_peer(plane, out);
            out = in != NULL ? in->xconnect : NULL;
        }
        if (out == NULL) {
            if (in != NULL) {
                parse_address(in, far);
            }
            return;
        }
        port = out;
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
packets_set_cpus(DataPlane *base, VppCpuOf cpu_of, void *data)
{
    Packets *packets = ((Plane *)base)->packets;
    ((Plane *)base)->has_cpus = cpu_of != NULL;
    packets->cpu_of = cpu_of;
    packets->data = data;
}

void
packets_init(Plane *plane)
{
    const Calibration *calibration = plane->calibration;
    Packets *packets = g_new0(Packets, 1);
    packets->vpps = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, vpp_free);
    packets->counts = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    packets->slabs = g_ptr_array_new();
    random_stream_init(&packets->random, plane->seed, plane->replication, "data plane", "packets");
    packets->polling = calibration_choice(calibration, PARAMETER_VPP_POLLING);
    packets->ring = (guint)calibration_number(calibration, PARAMETER_VPP_RING);
    packets->per_kib = calibration_nsec(calibration, PARAMETER_VPP_PER_KIB);
    packets->tunnel_packet = calibration_nsec(calibration, PARAMETER_VPP_TUNNEL_PACKET);
    packets->wireguard_per_kib = calibration_nsec(calibration, PARAMETER_VPP_WIREGUARD_PER_KIB);
    plane->packets = packets;
}

void
packets_free(Plane *plane)
{
    Packets *packets = plane->packets;
    g_hash_table_unref(packets->vpps);
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
