/* The data plane as the control plane sees it: V-wire interfaces, cross-connects and tunnels.
 *
 * Terms.  A *port* is one end that frames enter or leave by: an interface inside a Pod (`nsm-1`),
 * its other end inside a forwarder, or a tunnel end on a node.  Creating an interface makes a
 * Pod's port and, unless the mechanism is direct memif, the forwarder's port that it is wired to.
 * A *cross-connect* joins two ports of the same owner (a forwarder, or a pass-through function).
 * A *tunnel* port reaches the tunnel port of the same VNI on the other node.
 *
 * Ports are named by strings that the control plane chooses; names are unique in a run.  A
 * function may cross-connect ports of its own Pod before they are wired: they exist in its VPP.
 *
 * Operations are asynchronous.  `dataplane_perform` returns true when the operation was accepted:
 * its completion is then delivered exactly once, later.  It returns false with the error set when
 * the operation cannot be accepted, and is never heard of again.  In the virtual world a graph
 * implements this (sim/dataplane.c), in the emulated world namespaces do (emu/dataplane.c); the
 * suite in tests/worlds is run against both. */
#pragma once

#include "base/error.h"
#include "base/nsec.h"

typedef enum WireKind { WIRE_KERNEL, WIRE_MEMIF, WIRE_VFIO, WIRE_VXLAN, WIRE_WIREGUARD } WireKind;
const char *wire_kind_name(WireKind kind);

typedef enum DataPlaneOpKind {
    DATAPLANE_CREATE_INTERFACE, /* pod_port, port: a Pod's interface wired to a forwarder's port */
    DATAPLANE_CREATE_DIRECT,    /* pod_port, peer: two Pods' memif ends joined by shared memory */
    DATAPLANE_CREATE_TUNNEL,    /* port, peer_node, vni */
    DATAPLANE_CROSS_CONNECT,    /* port, peer: both of the same owner */
    DATAPLANE_REMOVE,           /* port: removes it, its cross-connect, and its wire */
    DATAPLANE_CHECK,            /* pod_port, check: echoes from there to the far end */
    DATAPLANE_WATCH,            /* pod: done when that Pod's network namespace is gone */
} DataPlaneOpKind;

/* DATAPLANE_CHECK, as the liveness check of cmd-nsc makes it (sdk-kernel@v1.4.0:pkg/kernel/tools/
 * heal/liveness_check.go): `packets` echoes, `timeout` / `packets` apart; a check ends when all
 * are answered, or after `timeout`; it succeeds with one answer.  A single check is answered when
 * it ends, with an error text when it failed.  A repeated one begins the next check as soon as one
 * has ended (and, at the earliest, `interval` after its beginning) and is answered when one fails:
 * always with an error.  It may run for ever: ACTION_STOP_DATAPLANE ends it. */
typedef struct DataPlaneCheck {
    nsec_t interval;
    nsec_t timeout;
    int packets;
    bool repeat;
} DataPlaneCheck;

typedef struct DataPlaneOp {
    DataPlaneOpKind kind;
    uint64_t token; /* the world's; comes back with the completion */
    WireKind wire;
    const char *owner;     /* "ns/pod" of the forwarder or function that performs it */
    const char *node;      /* where it is performed */
    const char *port;      /* name of the forwarder's, function's or tunnel port */
    const char *pod;       /* "ns/pod" that the Pod's interface belongs to */
    const char *pod_port;  /* name of the Pod's port: "ns/pod/interface" */
    const char *peer;      /* the other port of a cross-connect or direct wire */
    const char *peer_node; /* tunnels: the other node */
    uint32_t vni;          /* tunnels */
    const char *ip;        /* interfaces: the address of the Pod's end; NULL: none (a function
                              that only passes on).  CREATE_DIRECT: that of `pod_port` */
    const char *peer_ip;   /* CREATE_DIRECT: that of `peer`.  An end with an address answers */
    DataPlaneCheck check;
} DataPlaneOp;

/* One step of a walk along a chain, from a client's interface outwards. */
typedef enum DataPlaneHopKind { HOP_POD, HOP_FORWARDER, HOP_TUNNEL } DataPlaneHopKind;
typedef struct DataPlaneHop {
    DataPlaneHopKind kind;
    char *owner; /* "ns/pod" of the Pod or forwarder; "node -> node" of a tunnel */
    char *port_in;
    char *port_out; /* NULL at the end */
    WireKind wire;  /* of port_in */
} DataPlaneHop;

typedef struct DataPlane DataPlane;
typedef struct DataPlaneClass {
    bool (*perform)(DataPlane *plane, const DataPlaneOp *op, GError **error);
    /* Follows the frames that leave by `pod_port`: GArray of DataPlaneHop, empty when the port
     * does not exist; stops where nothing is joined on, or at a loop. */
    GArray *(*walk)(DataPlane *plane, const char *pod_port);
    void (*free)(DataPlane *plane);
} DataPlaneClass;

struct DataPlane {
    const DataPlaneClass *class;
};

void dataplane_hop_clear(DataPlaneHop *hop);

/* The Pod of a Pod's port: "ns/pod" of "ns/pod/interface"; free with g_free. */
char *dataplane_pod_of_port(const char *pod_port);
