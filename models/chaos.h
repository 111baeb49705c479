/* The chaos machine: strikes when the scenario's faults are due (models/fault.h).
 *
 * It watches Pods and Nodes at the API server, chooses targets by selector and mode, and then does
 * what an operator would: deletes Pods, cordons, taints and drains nodes, swaps images, all by API
 * calls; processes, links, interfaces and power it leaves to the world (ACTION_INJECT).  Every
 * strike leaves TRACE_FAULT_INJECTED for each target; one that finds no target, or that the world
 * refuses, leaves TRACE_FAULT_FAILED. */
#pragma once

#include "models/chain.h"
#include "models/machine.h"

/* `scenario` and `chains` live as long as the machine; `chains` may be NULL when no fault needs a
 * chain's ends. */
Machine *chaos_new(const ProcessInfo *info, const Scenario *scenario, const Chains *chains);
