/* The data plane of the virtual world: a graph of ports.
 *
 * Operations take the time that the calibration gives for them (VPP's programming time); the CPU
 * time they cost is asked for by the machines.  What exists is walked, never assumed.
 *
 * Paths.  From a Pod's interface the graph leads somewhere; what an echo sent there would meet
 * (does anybody answer, how long does it take, with what chance is it lost) is kept up to date with
 * each change, so that checks of liveness cost nothing while nothing changes: sim/echo.c. */
#pragma once

#include "models/calibration.h"
#include "models/dataplane.h"
#include "sim/engine.h"
#include "sim/net.h"

/* `done` gets the operation's token and an error text or NULL. */
typedef void (*DataPlaneDone)(void *data, uint64_t token, const char *error);

DataPlane *sim_dataplane_new(Engine *engine, const Calibration *calibration, uint64_t seed,
                             uint32_t replication, DataPlaneDone done, void *data);

/* The links under tunnels; the data plane becomes the network's observer. */
void sim_dataplane_set_net(DataPlane *base, Net *net);

/* Everything that belonged to a forwarder's or function's VPP is gone ("namespace/pod"). */
void sim_dataplane_remove_owner(DataPlane *base, const char *owner);

/* The Pod's network namespace is gone, with all in it; DATAPLANE_WATCH is answered.  Until there is
 * a new one nothing can be created in it. */
void sim_dataplane_remove_pod(DataPlane *base, const char *pod);
void sim_dataplane_add_pod(DataPlane *base, const char *pod);

/* The operation with this token is not answered any more, and not performed if it was not yet. */
void sim_dataplane_cancel(DataPlane *base, uint64_t token);

/* Impairs a Pod's interface until it goes; false when there is none of that name. */
bool sim_dataplane_impair(DataPlane *base, const char *pod_port, const Impairment *impairment);

/* What an echo meets. */
typedef struct PathState {
    bool up;       /* the far end answers, if nothing is lost on the way */
    bool cut;      /* something on the way lets nothing through */
    bool joined;   /* there is a far end, and nothing on the way is cut: `up` but for firewalls */
    nsec_t rtt;    /* without jitter and stall */
    nsec_t stall;  /* by CPU limits, at most */
    nsec_t jitter; /* uniform, to both sides */
    double loss;   /* of a round trip */
    double correlation;
    int64_t rate; /* bit/s of the narrowest impaired place; 0: not limited */
} PathState;

/* Calls back after each change of what the path from a Pod's interface looks like (the hops, too,
 * may have changed), and gives the state now.  One watcher for each interface; NULL ends it. */
typedef void (*PathChanged)(void *data, const PathState *state);
PathState sim_dataplane_watch_path(DataPlane *base, const char *pod_port, PathChanged changed,
                                   void *data);

/* Calls back when ports, wires, tunnels, links, nodes or impairments may have changed, after all
 * paths were looked at again.  It may come inside another module's action: what it leads to is to
 * wait for an event.  One observer; NULL ends it. */
void sim_dataplane_set_observer(DataPlane *base, void (*changed)(void *data), void *data);

/* ---- for tests ---- */

/* Operations that were accepted, and what became of them. */
typedef struct DataPlaneCounts {
    uint64_t n_accepted;
    uint64_t n_answered;
    uint64_t n_cancelled;
    uint64_t n_pending;
    uint64_t n_changes; /* of ports: whatever changes a walk changes this */
} DataPlaneCounts;
DataPlaneCounts sim_dataplane_counts(const DataPlane *base);

/* Whether the graph is consistent: wires and cross-connects lead both ways, a cross-connect has one
 * owner, owners are there (`exists`: the Pod's network namespace; a forwarder runs), tunnels have
 * the ends that they say, no operation of an owner that is gone waits, and what is kept of each
 * path equals what following it anew shows. */
typedef bool (*DataPlaneOwnerExists)(void *data, const char *owner, bool in_pod);
bool sim_dataplane_check(DataPlane *base, DataPlaneOwnerExists exists, void *data, GError **error);
