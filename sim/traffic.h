/* The traffic of one replication: begins the iterations of spec.traffic when their executors say,
 * sends their packets (sim/packets.h) and flows (sim/flows.h), and keeps what became of them.
 *
 * A *stream* is one entry on one chain, or on the cluster's own network.  Where an entry's client
 * has several chains, each has a stream.
 *
 * With spec.fastForward nothing is sent: echoes at a constant rate are counted (sim/chainwatch.h),
 * other entries are refused when the scenario is read. */
#pragma once

#include "sim/chainwatch.h"
#include "sim/packets.h"

typedef struct TrafficRun TrafficRun;

/* Before the world runs.  Borrows everything. */
TrafficRun *traffic_run_new(World *world, const Scenario *scenario, const Chains *chains,
                            ChainWatch *watch);
/* Nothing more is sent; while the world is still there. */
void traffic_run_stop(TrafficRun *run);
void traffic_run_free(TrafficRun *run); /* after the world */

/* Metrics, and one FlowOutcome for each stream. */
void traffic_run_collect(TrafficRun *run, Outcome *outcome);
