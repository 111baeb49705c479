/* The table of what Pods use, beside what they request and what limits them, as the testbed's
 * dashboard shows it. */
#pragma once

#include "sim/replicate.h"

/* The scenario writes usage.csv, or judges or quotes a metric component_... */
bool resources_are_asked_for(const Scenario *scenario);

/* One row for each component and phase: means over replications, of one Pod (sim/phases.h); below
 * it what the scenario's references say was measured. */
void resources_print(const Scenario *scenario, const Study *study);
