/* The data plane of the virtual world: a graph of ports.
 *
 * Operations take the time that the calibration gives for them (VPP's programming time); the CPU
 * time they cost is asked for by the machines.  What exists is walked, never assumed. */
#pragma once

#include "models/calibration.h"
#include "models/dataplane.h"
#include "sim/engine.h"

/* `done` gets the operation's token and an error text or NULL. */
typedef void (*DataPlaneDone)(void *data, uint64_t token, const char *error);

DataPlane *sim_dataplane_new(Engine *engine, const Calibration *calibration, uint64_t seed,
                             uint32_t replication, DataPlaneDone done, void *data);

/* Everything that belonged to a Pod or forwarder is gone ("namespace/pod"). */
void sim_dataplane_remove_owner(DataPlane *base, const char *owner);
