/* What the files of the data plane share: ports.c (the graph), dataplane.c (operations on it),
 * echo.c (paths and liveness), packets.c (frames that go through it).  flow_route.c reads it. */
#pragma once

#include "sim/dataplane.h"
#include "sim/net.h"
#include "sim/packets.h"
#include "sim/station.h"
#include "sim/vswitch.h"

typedef struct Port Port;
struct Port {
    char *name;
    char *owner; /* "namespace/pod" */
    WireKind wire_kind;
    bool in_pod;       /* a Pod's end, not a forwarder's */
    Port *wire;        /* the other end of the wire */
    Port *xconnect;    /* joined inside the owner */
    char *tunnel;      /* key of the tunnel: both nodes and the VNI */
    const char *place; /* the owner, in Plane.places */
    const char *where; /* tunnels: "a -> b", in Plane.places */
    guint node;        /* tunnels: this node, and the other */
    guint peer_node;
    char *ip; /* a Pod's end that answers; NULL: it has no address */
    Impairment impairment;
    GPtrArray *paths; /* Path *: that lead over this port */
    /* packets.c */
    guint n_queued; /* packets in its ring */
    guint n_held;   /* packets that are at it: it is freed when none is */
    bool gone;
    nsec_t free_at; /* when what an impairment slows down has been sent */
    PortCounts *counts;
    struct Vswitch *vpp; /* of its owner; NULL: not known yet */
};

typedef struct Plane {
    DataPlane base;
    Engine *engine;
    const Calibration *calibration;
    Net *net; /* NULL: links have no latency (tests) */
    uint64_t seed;
    uint32_t replication;
    DataPlaneDone done;
    void *data;
    GHashTable *ports;   /* name -> Port */
    GHashTable *owners;  /* owner -> GPtrArray of Port */
    GHashTable *tunnels; /* key -> Port *[2] */
    GHashTable *pending; /* token -> Pending */
    GHashTable *watches; /* Pod -> GArray of tokens */
    GHashTable *watched; /* token -> Pod */
    GHashTable *gone;    /* token -> Gone: answers to watches */
    GHashTable *ended;   /* set of Pods whose network namespace is gone */
    DataPlaneCounts counts;
    /* echo.c */
    GHashTable *paths;  /* pod_port -> Path */
    GHashTable *checks; /* token -> Check */
    GPtrArray *dirty;   /* Path *: to be looked at again */
    void (*changed)(void *observer);
    void *observer;
    uint64_t n_told; /* changes that the observer knows of */
    RandomStream echo_random;
    PacketFlow liveness; /* echoes of checks that are sent one by one */
    nsec_t hop;          /* from one interface to the next on a node */
    /* packets.c */
    GHashTable *places; /* set of strings that stay until the end */
    struct Packets *packets;
    struct Vswitches *vswitches; /* vswitch.c */
    bool has_cpus;               /* it is known where VPPs run */
} Plane;

/* ports.c.  Each change marks the paths that it concerns: echo_settle looks at them again. */
Port *ports_obtain(Plane *plane, const char *name, const char *owner, bool in_pod);
void ports_remove(Plane *plane, Port *port);
void ports_free_one(void *data); /* a Port; for the table of ports */
void ports_join_wire(Plane *plane, Port *a, Port *b, WireKind kind);
void ports_create_tunnel(Plane *plane, const DataPlaneOp *op);
/* NULL, or why it cannot be done. */
const char *ports_cross_connect(Plane *plane, const DataPlaneOp *op);
/* The other end of a tunnel's port; NULL: there is none, or another has taken this one's place. */
/* What a tunnel adds to a packet on the link. */
uint32_t ports_tunnel_bytes(const Port *port);
Port *ports_tunnel_peer(const Plane *plane, const Port *port);
GArray *ports_walk(DataPlane *base, const char *pod_port);
bool ports_check_one(const Plane *plane, const Port *port, bool has_owner, GError **error);

const char *ports_place(Plane *plane, const char *text);

/* packets.c */
void packets_init(Plane *plane);
void packets_free(Plane *plane);
/* The owner's VPP has ended, or the network namespace: its packets are lost. */
void packets_remove_owner(Plane *plane, const char *owner);

/* vswitch.c */
typedef struct Vswitch {
    Plane *plane;
    const char *owner; /* in Plane.places */
    Station *station;
    CpuGroup *group;
    int version;
    double idle; /* cores; of the quota, when flows use up all of it */
    const Acl *acl;
    bool polls;     /* by its interfaces */
    bool saturated; /* by flows */
} Vswitch;

void vswitch_init(Plane *plane, StationServed served); /* `served` is told of all visits */
void vswitch_clear(Plane *plane);
/* The VPP that a port is of; NULL: none runs there now. */
Vswitch *vswitch_at(Plane *plane, Port *port);
/* Takes it out: its owner has ended; NULL: there was none. */
Vswitch *vswitch_steal(Plane *plane, const char *owner);
void vswitch_free(void *data); /* a Vswitch */
/* CPU time for a packet that comes by `in` and goes by `out` (NULL: it stays). */
nsec_t vswitch_demand(Plane *plane, const Port *in, const Port *out, uint32_t bytes);
/* Whether its firewall lets n such packets through, and by which rule; they are counted.  `header`
 * is of a packet to the server, `backward` says that they answer it. */
bool vswitch_permits(Vswitch *vpp, const AclPacket *header, bool backward, uint64_t n,
                     const char **rule);
void vswitch_parse_address(const Port *port, AclAddress *out);
/* How long a packet of that size takes from `in` to the next interface, in the mean, when nothing
 * else is there.  Adds to `stall` how long a CPU limit can stop it, sets `denied` when the firewall
 * there lets no echo through. */
nsec_t vswitch_pass_time(Plane *plane, Port *in, uint32_t bytes, nsec_t *stall, bool *denied);
/* The owner has other interfaces now: its VPP may begin or cease to poll. */
void vswitch_look_at(Plane *plane, const char *owner);

/* dataplane.c */
/* The operation is answered. */
void dataplane_done(Plane *plane, uint64_t token, const char *error);

void echo_init(Plane *plane);
void echo_free(Plane *plane);
/* The port changes, is new, or goes: its paths are to be looked at again. */
void echo_touch(Plane *plane, Port *port);
void echo_touch_all(Plane *plane);
void echo_new_port(Plane *plane, Port *port);
void echo_forget_port(Plane *plane, Port *port);
/* Looks at all paths that were marked. */
void echo_settle(Plane *plane);
/* What an echo that leaves by a Pod's interface meets, and the ports on its way: where it leaves,
 * then in and out of each owner, at last where it ends. */
PathState echo_trace(Plane *plane, const char *pod_port, GPtrArray *ports);
bool echo_check(Plane *plane, const DataPlaneOp *op, GError **error);
bool echo_cancel(Plane *plane, uint64_t token); /* false: there is no such check */
/* Every path is as following it anew shows. */
bool echo_check_paths(const Plane *plane, GError **error);
