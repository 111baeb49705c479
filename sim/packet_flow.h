/* Packets of one sender: what they are, what became of them, and where their time went.
 *
 * Conservation: what a flow has sent has arrived, was dropped for a reason at a place, or is on its
 * way.  The delays of packets that are `timed` are summed by place and kind: for one that arrived
 * they add up to the time from its sending to its arrival.  What a timed packet met that was
 * dropped later is in the sums too. */
#pragma once

#include "base/nsec.h"
#include "models/acl.h"

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

/* ---- for who carries the packets ---- */

/* The entry of a place; `hint` says where it may be, and is set to where it is. */
PlaceDelays *packet_flow_delays(PacketFlow *flow, const char *place, guint *hint);
/* `place` and `rule` (DENIED; NULL otherwise) are the same pointers for the same. */
void packet_flow_note_drop(PacketFlow *flow, DropReason reason, const char *place,
                           const char *rule);
