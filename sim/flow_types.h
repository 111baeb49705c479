/* What the files of the fluid flows share: flow_resource.c (what flows share, and what of it is in
 * use), flow_route.c (where a flow leads, and what it uses there), flow_path.c (the flows that go
 * there), flow_limit.c (what holds one back), flows.c (its life).
 *
 * Rates are bit/s of payload.  A resource of the network has its capacity in bit/s, a CPU in cores.
 * Strings that no comment says otherwise of are in Plane.places, which stays until the end. */
#pragma once

#include "sim/dataplane_types.h"
#include "sim/flows.h"
#include "sim/maxmin.h"
#include "sim/world_types.h"

/* ---- flow_resource.c ---- */

/* Who is told of what flows use of a resource. */
typedef enum FlowLoad {
    FLOW_LOAD_NONE,
    FLOW_LOAD_NIC,
    FLOW_LOAD_VPP,
    FLOW_LOAD_CONTAINER,
} FlowLoad;

typedef struct FlowResource {
    /* what it is */
    const char *key;
    const char *name;
    const char *what; /* static */
    const char *unit; /* static */
    double capacity;  /* of its unit, for flows */
    double reserved;  /* beside it: what flows do not get */
    double most;      /* capacity that no greater limit could exceed; 0: none */
    FlowLoad load;
    NetNic *nic;      /* FLOW_LOAD_NIC */
    CpuGroup *group;  /* FLOW_LOAD_CONTAINER */
    uint64_t process; /* of VPP or container; 0: none */
    /* state */
    MaxminResource number;
    guint n_users; /* routes */
    double usage;  /* of its unit, after the last solution */
    bool is_dirty; /* its usage may be another */
    bool is_dead;  /* its process has ended: nobody is told */
} FlowResource;

typedef struct FlowResources {
    Maxmin *system;
    DataPlane *dataplane;
    GHashTable *by_key;
    GPtrArray *by_number; /* FlowResource *; NULL: the number is free */
    GPtrArray *dirty;     /* FlowResource * */
} FlowResources;

void flow_resources_init(FlowResources *resources, Maxmin *system, DataPlane *dataplane);
void flow_resources_clear(FlowResources *resources); /* no resource has a user any more */

/* The resource with the wanted one's key, with its capacity; made when there is none.  A user more;
 * the last one that releases it takes it away. */
FlowResource *flow_resources_obtain(FlowResources *resources, const FlowResource *wanted);
void flow_resources_release(FlowResources *resources, FlowResource *resource);
void flow_resources_mark(FlowResources *resources, FlowResource *resource);
/* Tells who is concerned of what is in use of the resources that were marked. */
void flow_resources_tell(FlowResources *resources);
/* What belongs to the process is not touched any more. */
void flow_resources_forget(FlowResources *resources, uint64_t process);

/* ---- flow_route.c ---- */

/* Where flows are to lead: FluidSpec without what is a single flow's. */
typedef struct FlowEnds {
    const char *pod_port; /* NULL: the cluster's network */
    const char *from_node;
    const char *to_node; /* NULL: outside the cluster */
    nsec_t latency;
    const char *client_pod;
    const char *server_pod;
    int server_port;
    bool backward;
    int64_t mss;
} FlowEnds;

/* Where they do lead at present, in the direction of the data. */
typedef struct FlowRoute {
    bool up;
    nsec_t rtt; /* at least 1 us */
    double loss;
    int64_t mss;
    double end_cost;    /* s of CPU per bit at an end's thread; 0: none */
    GArray *uses;       /* MaxminUse */
    GPtrArray *senders; /* const char *: ports that frames leave by; the receivers are opposite */
    GPtrArray *receivers;
} FlowRoute;

void flow_route_find(World *world, FlowResources *resources, const FlowEnds *ends, FlowRoute *out);
bool flow_route_equal(const FlowRoute *a, const FlowRoute *b);
void flow_route_clear(FlowRoute *route, FlowResources *resources);

/* ---- flow_limit.c ---- */

/* Limits of a flow's own. */
#define FLOW_CAPS(X)                                                                               \
    X(ASKED, "asked for")                                                                          \
    X(THREAD, "one thread")                                                                        \
    X(WINDOW, "TCP window")                                                                        \
    X(LOSS, "loss")

typedef enum FlowCap {
#define X(name, text) FLOW_CAP_##name,
    FLOW_CAPS(X)
#undef X
        N_FLOW_CAPS
} FlowCap;

/* What has held a flow back at some time. */
typedef struct FlowLimit {
    const char *key; /* of a resource, or the text of a cap */
    const char *name, *what, *unit;
    double capacity, utilisation; /* when it did so last; with what is reserved */
    double held;                  /* ns */
} FlowLimit;

/* Bytes that may be on their way now. */
double flow_window(const FluidFlow *flow);
/* The least of its caps, and which it is. */
double flow_cap(const FluidFlow *flow, FlowCap *kind);
/* Notes what the last solution says; until the next one, or the end, time counts for it. */
void flow_limit_note(FluidFlow *flow);
void flow_limit_count(FluidFlow *flow, nsec_t elapsed);

/* ---- flow_path.c ---- */

/* Flows with the same ends. */
typedef struct FlowPath {
    Flows *flows;
    char *key; /* own */
    FlowEnds ends;
    const char *place; /* the client, or the sending node */
    FlowRoute route;
    GPtrArray *members; /* FluidFlow * */
    uint64_t n_packets; /* that are not counted at the ports yet */
    uint64_t n_bytes;
} FlowPath;

/* Nobody is on it any more. */
void flow_path_free(FlowPath *path);
FlowPath *flow_paths_obtain(Flows *flows, const FluidSpec *spec);
/* What has moved is counted at the ports. */
void flow_paths_count(Flows *flows);
/* All routes are found anew. */
void flow_paths_look_again(Flows *flows);

/* ---- flows.c ---- */

#define FLOW_STATES(X)                                                                             \
    X(SENDING)                                                                                     \
    X(CUT)      /* there is no path */                                                             \
    X(RESUMING) /* there is one again: the next retransmission finds it */                         \
    X(ARRIVING) /* all is sent */                                                                  \
    X(DONE)

typedef enum FlowState {
#define X(name) FLOW_##name,
    FLOW_STATES(X)
#undef X
} FlowState;

struct FluidFlow {
    /* what it is */
    FlowPath *path;
    double bytes;    /* INFINITY: without end */
    double rate_cap; /* INFINITY: none */
    void (*done)(void *data, FluidFlow *flow);
    void *data;
    guint member; /* place in the path's members */
    /* state */
    FlowState state;
    Event end;   /* all is sent, or has arrived */
    Event round; /* of slow start; the last one; the retransmission that finds the path again */
    nsec_t cut_since;
    guint n_rounds; /* of slow start */
    bool in_slow_start;
    bool in_last_round; /* the window has room for all that is left */
    MaxminFlow number;  /* while sending */
    double cap;
    FlowCap cap_kind;
    double rate;
    guint touched; /* place in Flows.touched + 1; 0: none */
    /* counters */
    double sent;       /* bytes */
    nsec_t settled_at; /* when that was right */
    double base; /* bytes when the rate became what it is: asking for `sent` meanwhile leaves no
                    trace */
    nsec_t base_at;
    int64_t counted;       /* bytes of these, at the ports */
    int64_t partial;       /* bytes in a segment that is not counted yet */
    GArray *limits;        /* FlowLimit; NULL: none yet */
    guint limit;           /* the present one; G_MAXUINT: none */
    FlowResource *limiter; /* the present one, when it is a resource */
};

struct Flows {
    World *world;
    Engine *engine;
    DataPlane *dataplane;
    Maxmin *system;
    FlowResources resources;
    GHashTable *by_key;   /* FlowPath */
    GPtrArray *paths;     /* FlowPath *, in the order of being made */
    GPtrArray *by_number; /* FluidFlow *, by MaxminFlow */
    GPtrArray *touched;   /* FluidFlow *: to be looked at after the solution; NULL: it has ended */
    GPtrArray *uncounted; /* FlowPath * */
    Event update;
    bool is_stale; /* routes may be others */
    bool is_unsolved;
    uint64_t n_solved, n_changed;
};

/* What it has sent is right now. */
void flow_settle(FluidFlow *flow);
/* What it has sent is in its path's counts; when `last`, in a segment that may not be full too. */
void flow_count(FluidFlow *flow, bool last);
/* Takes one that sends off its route, which is about to be another or not needed any more. */
void flow_detach(FluidFlow *flow);
/* Its path has another route now. */
void flow_adapt(FluidFlow *flow);
/* The rates are those of all changes so far. */
void flows_solve(Flows *flows);
