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
 * What became of them is their flow's (sim/packet_flow.h). */
#pragma once

#include "sim/dataplane.h"
#include "sim/packet_flow.h"

/* From a Pod's interface, by its name. */
void packets_send(DataPlane *base, PacketFlow *flow, const PacketInfo *info, const char *pod_port);
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
    uint64_t n_denied;             /* the same, by a rule of a firewall */
} PortCounts;
const PortCounts *packets_port_counts(const DataPlane *base, const char *port);
void packets_count(DataPlane *base, const char *port, bool sent, uint64_t packets, uint64_t bytes);

uint64_t packets_n_steps(const DataPlane *base); /* from place to place, of all packets */
