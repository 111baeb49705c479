/* The parts of what vwire run prints. */
#pragma once

#include "cli/cli.h"
#include "sim/replicate.h"

/* report.c: "  measured: mean 8 (source)" for a metric that the scenario has a reference of. */
void print_reference(const Scenario *scenario, const char *metric);

/* recovery_report.c: nothing without faults. */
void print_recovery(const Scenario *scenario, const Study *study);

/* traffic_report.c: nothing without traffic. */
void print_traffic(const Scenario *scenario, const Study *study);
/* The series of a flow's times: round trips or requests; NULL: none was observed. */
const MetricSeries *flow_series(const Study *study, const FlowOutcome *flow);

/* whatif.c; false when a run failed. */
bool print_what_if(const CommonOptions *common, const char *file, const Scenario *scenario,
                   const Study *study, const ReplicateOptions *options);
