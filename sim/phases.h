/* What Pods use in each phase of a run: a sink that cuts the run and reads the counters of
 * world_pod_usage at each cut.
 *
 * At every instant the run is in exactly one phase; the first rule that fits decides:
 *
 *   recovery    a fault has struck and not all is well again (models/recovery.h,
 *               recovery_calm_since)
 *   deployment  an entry of spec.manifests that brings clients of chains has been submitted, and
 *               not all Pods of those chains have been Ready yet; entries that overlap are one
 *               deployment
 *   steady      after the first deployment
 *   idle        everything that is submitted before the first chain is applied, every Pod is Ready,
 *               and it has been so for two scrape intervals: a dashboard's rate over the last two
 *               scrapes then shows nothing of their start
 *   startup     before that
 *
 * CPU of a phase: the CPU time that a component's Pods used in it, over all its occurrences,
 * divided by the time that Pods of the component ran in it: the mean of one Pod.  Memory: of one
 * Pod at the end of each occurrence, the mean over them.  Both for one Pod, because the testbed's
 * table is: its shares of requests and limits are those of a single Pod (FACTS 0, 3.6), and its
 * totals are the sums of one Pod of each component.  Which node's Pod it shows is not known, so
 * that the mean is what a reader of either would expect.
 *
 * `control-plane` is the sum of one Pod each of registry, manager, forwarder and webhook. */
#pragma once

#include "sim/outcome.h"

#define USAGE_PHASES(X)                                                                            \
    X(STARTUP, "startup")                                                                          \
    X(IDLE, "idle")                                                                                \
    X(DEPLOYMENT, "deployment")                                                                    \
    X(STEADY, "steady")                                                                            \
    X(RECOVERY, "recovery")

typedef enum UsagePhase {
#define X(name, text) USAGE_##name,
    USAGE_PHASES(X)
#undef X
        N_USAGE_PHASES
} UsagePhase;

const char *usage_phase_name(UsagePhase phase);

#define CONTROL_PLANE "control-plane"

/* All occurrences of a phase together. */
typedef struct PhaseUsage {
    double cpu;         /* s */
    double pod_seconds; /* how long Pods ran */
    double memory;      /* bytes of one Pod, summed over `n_ends` */
    guint n_ends;       /* ends of the phase at which a Pod ran */
} PhaseUsage;

typedef struct Phases Phases;

/* Before the world runs; all live as long as it.  Without `recovery` no phase is `recovery`. */
Phases *phases_new(World *world, const Scenario *scenario, const Chains *chains,
                   const Recovery *recovery);
void phases_free(Phases *phases);

/* To be added to the world's sinks, behind that of `recovery`. */
TraceSink *phases_sink(Phases *phases);

/* The run is over: ends the present phase, and adds component_cpu_cores and component_memory_bytes
 * (phase "end": now) to the outcome.  Once. */
void phases_collect(Phases *phases, Outcome *outcome);

/* After phases_collect: what Pods of a component used, and how long the phase was. */
const PhaseUsage *phases_usage(const Phases *phases, UsagePhase phase, Component component);
nsec_t phases_length(const Phases *phases, UsagePhase phase);
