/* Packets: frames that walk through the data plane one by one, where latency matters.
 *
 * A packet that leaves by a Pod's interface follows the wires, cross-connects and tunnels that are
 * there when it comes to them; nothing about its way is assumed.  On the way it costs what the
 * calibration says: the Pod's kernel, VPP's thread under its container's CFS quota (sim/station.h),
 * the node's network interface at its rate, the link's latency.  Rings and queues are finite.
 * Interfaces that faults impair delay, lose and slow down what passes them.
 *
 * Beside V-wires there is the cluster's own network (`packets_send_between`): from Pod to Pod over
 * the node's bridge, between nodes over an overlay.
 *
 * Conservation: what a flow has sent has arrived, was dropped for a reason at a place, or is on its
 * way.  The delays of packets that are `timed` are summed by place and kind: for one that arrived
 * they add up to the time from its sending to its arrival. */
#pragma once

#include "models/acl.h"
#include "sim/cpu.h"
#include "sim/dataplane.h"

#define DROP_REASONS(X)                                                                            \
    X(NO_INTERFACE, "the interface is not there")                                                  \
    X(NO_WIRE, "nothing is wired to the interface")                                                \
    X(NO_CROSS_CONNECT, "the interface is cross-connected to nothing")                             \
    X(NO_TUNNEL, "the tunnel has no other end")                                                    \
    X(NO_ADDRESS, "the interface has no address")                                                  \
    X(REMOVED, "the interface was removed")                                                        \
    X(DENIED, "denied by an ACL")                                                                  \
    X(RING_FULL, "ring full")                                                                      \
    X(QUEUE_FULL, "transmit queue full")                                                           \
    X(LOST, "lost on the way")                                                                     \
    X(CUT, "the way is cut")                                                                       \
    X(NODE_DOWN, "the node is down")                                                               \
    X(HOP_LIMIT, "hop limit")

typedef enum DropReason {
#define X(name, text) DROP_##name,
    DROP_REASONS(X)
#undef X
        N_DROP_REASONS
} DropReason;

const char *drop_reason_text(DropReason reason);

/* What a packet's time at a place was for. */
#define DELAY_PARTS(X)                                                                             \
    X(KERNEL, "kernel")                                                                            \
    X(WAKING, "waking")                                                                            \
    X(QUEUEING, "queueing")                                                                        \
    X(SERVICE, "service")                                                                          \
    X(THROTTLED, "throttled")                                                                      \
    X(LINK, "link")                                                                                \
    X(FAULT, "fault")

typedef enum DelayPart {
#define X(name, text) DELAY_##name,
    DELAY_PARTS(X)
#undef X
        N_DELAY_PARTS
} DelayPart;

const char *delay_part_name(DelayPart part);

/* Of all packets of a flow that passed one place. */
typedef struct PlaceDelays {
    const char *place; /* "namespace/pod", or "node -> node" */
    uint64_t n_packets;
    double parts[N_DELAY_PARTS]; /* ns */
} PlaceDelays;

typedef struct PlaceDrops {
    DropReason reason;
    const char *place;
    const char *rule; /* DENIED: its name */
    uint64_t n;
} PlaceDrops;

/* What is known of a packet where it ends. */
typedef struct PacketInfo {
    uint64_t id;    /* the sender's */
    uint32_t bytes; /* on the IP layer */
    uint16_t part;  /* the sender's: which of those that belong together */
    nsec_t began;   /* the sender\'s: of the iteration */
    bool backward;  /* towards the chain's client */
    bool timed;
    nsec_t sent;      /* set when it is sent */
    const char *port; /* where it arrived or is; NULL: on the cluster's network; borrowed */
} PacketInfo;

/* Whose packets they are.  Embedded by the sender, who sets the first three members; it outlives
 * the data plane, whose strings are in its arrays. */
typedef struct PacketFlow PacketFlow;
struct PacketFlow {
    void (*arrived)(PacketFlow *flow, const PacketInfo *packet);
    void (*dropped)(PacketFlow *flow, const PacketInfo *packet, DropReason reason);
    AclPacket header; /* of a packet to the server */
    uint64_t n_sent, n_arrived, n_dropped;
    GArray *delays; /* PlaceDelays, in the order of first passing */
    GArray *drops;  /* PlaceDrops */
};

void packet_flow_init(PacketFlow *flow);
void packet_flow_clear(PacketFlow *flow);
/* Time that an iteration spent at a place without a packet (a server's work).  `place` is the same
 * pointer for the same place, and lives as long as the flow. */
void packet_flow_note(PacketFlow *flow, const char *place, DelayPart part, nsec_t delay);
static inline uint64_t
packet_flow_n_on_the_way(const PacketFlow *flow)
{
    return flow->n_sent - flow->n_arrived - flow->n_dropped;
}

/* From a Pod's interface, by its name. */
void packets_send(DataPlane *base, PacketFlow *flow, const PacketInfo *info,
                  const char *pod_port);
/* Over the cluster's own network, from a Pod on one node to one on another or the same. */
void packets_send_between(DataPlane *base, PacketFlow *flow, const PacketInfo *info,
                          const char *from_node, const char *to_node);

/* The addresses of that interface and of the one where its way ends, where they are known. */
void packets_addresses(const DataPlane *base, const char *pod_port, AclAddress *near,
                       AclAddress *far);

/* The largest packet that fits through everything on the way from that interface: 1500 without what
 * tunnels add (NSM's mtu element hands it to the client).  1500 where the way ends early. */
uint32_t packets_mtu(const DataPlane *base, const char *pod_port);

/* Packets and bytes that passed a port, with those of flows that are not sent one by one; kept by
 * name when the port goes and comes again.  NULL: none passed it yet. */
typedef struct PortCounts {
    uint64_t tx_packets, tx_bytes; /* into the wire or tunnel that it ends */
    uint64_t rx_packets, rx_bytes; /* out of it */
    uint64_t n_on_the_way;         /* of those into it: neither came out nor were dropped yet */
    uint64_t n_dropped;            /* came out of it and went no further */
} PortCounts;
const PortCounts *packets_port_counts(const DataPlane *base, const char *port);
void packets_count(DataPlane *base, const char *port, bool sent, uint64_t packets, uint64_t bytes);

/* The CPU of the container in which an owner's VPP runs; false: there is none now. */
typedef struct VppCpu {
    CpuGroup *group;
    int version;      /* NSM_VERSION(...) of its image */
    uint64_t process; /* the container's process: another after a restart */
    guint node;
    double idle;    /* cores that the container uses without traffic, beside its jobs */
    const Acl *acl; /* what it filters by; NULL: nothing is filtered */
} VppCpu;
typedef bool (*VppCpuOf)(void *data, const char *owner, VppCpu *out);
void packets_set_cpus(DataPlane *base, VppCpuOf cpu_of, void *data);

/* The CPU time that flows use in an owner's VPP, in cores.  `saturated`: all that its quota gives;
 * the ring is then always full, and what comes waits behind it, and for the next CFS period. */
void packets_set_load(DataPlane *base, const char *owner, double cores, bool saturated);

/* What VPP spends on one packet of that size that comes by `in` and goes by `out` (names of ports;
 * NULL: none), in s of CPU. */
double packets_vpp_cost(const DataPlane *base, const char *in, const char *out, uint32_t bytes);

uint64_t packets_n_steps(const DataPlane *base); /* from place to place, of all packets */
