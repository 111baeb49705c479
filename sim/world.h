/* Virtual time for machines: performs their actions on the engine.
 *
 * One world is one replication.  It delivers messages after the latency between the two nodes and
 * the receiver's CPU time (calibrated demand, under the container's CFS quota), makes connections
 * with their TLS handshakes, keeps timers, runs the container runtime's operations, and hands
 * data-plane operations to the graph of sim/dataplane.h.  Every mark that a machine leaves goes
 * to the sinks, in the order of events.
 *
 * Files: world.c (processes, steps, actions), rpc.c (calls, streams), runtime.c (sandboxes and
 * containers); world_types.h is theirs alone. */
#pragma once

#include "models/cluster.h"
#include "sim/engine.h"

typedef struct World World;

World *world_new(const Scenario *scenario, uint64_t seed, uint32_t replication);
void world_free(World *world);

/* The chains that faults may speak of; borrowed.  Before it runs. */
void world_set_chains(World *world, const Chains *chains);

/* Sinks are borrowed. */
void world_add_sink(World *world, TraceSink *sink);

/* Starts the system and runs to `until`; may be called again with a later time. */
void world_run(World *world, nsec_t until);

/* The time that results are told in: the engine's, and what was skipped. */
nsec_t world_now(const World *world);

/* The next event that the scenario plans (a strike, a submission); NSEC_NEVER: none.  Skipping sets
 * the time forward to or before it; the machines' own clock goes on as if nothing had happened. */
nsec_t world_next_planned(const World *world);
void world_skip(World *world, nsec_t by);

Engine *world_engine(World *world);
DataPlane *world_dataplane(World *world);

/* What the containers of all Pods that exist have used so far, in the order in which they were
 * started. */
typedef struct ContainerUsage {
    const char *process; /* "namespace/pod/container" */
    Component component;
    double cpu;       /* seconds of one core, over all restarts */
    double throttled; /* seconds during which it had work but no quota left */
    uint64_t throttled_periods;
    int64_t memory;  /* bytes now */
    double lifetime; /* seconds since its (first) start */
    const PodSpec *pod;
    guint container;
} ContainerUsage;
GArray *world_usage(World *world);

/* The same by component, Pods that are gone included. */
typedef struct ComponentUsage {
    double cpu;
    double throttled;
    double memory; /* now */
    guint n_pods;  /* now: containers that run */
    bool in_pods;  /* some process of it was in a Pod */
    uint64_t n_restarts;
    uint64_t n_oom;
} ComponentUsage;
void world_component_usage(World *world, ComponentUsage usage[N_COMPONENTS]);

/* The same by whole Pods, under the component that pod_component gives them: a manager's Pod with
 * its exclude-prefixes container is `nsmgr`.  Cumulative; Pods that are gone included.  Time that
 * was skipped (world_skip) is in none of it. */
typedef struct PodUsage {
    double cpu;         /* seconds of one core */
    double pod_seconds; /* how long Pods of it have run, together */
    double memory;      /* bytes now, of all of them */
    guint n_pods;       /* that run now: some container of theirs does */
} PodUsage;
void world_pod_usage(World *world, PodUsage usage[N_COMPONENTS]);

uint64_t world_n_messages(const World *world);
