/* Proof of the path: counters at both ends of every V-wire of a chain are compared, as the testbed
 * did with the bytes of its interfaces (FACTS 0). */
#pragma once

#include "sim/outcome.h"

/* Fills `wires` and `proof` from a walk (GArray of DataPlaneHop); nothing when nothing was sent. */
void proof_collect(World *world, const GArray *hops, ChainOutcome *out);

/* What a place ("namespace/pod") is called where Pods are made anew under other names: what owns
 * the Pod, and the node where each node has one.  Any other text as it is.  Free with g_free. */
char *place_name(const World *world, const char *place);
