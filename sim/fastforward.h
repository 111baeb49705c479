/* Skipping calm time (spec.fastForward): availability over months without simulating every refresh.
 *
 * When everything has been well for `after` (models/recovery.h, recovery_calm_since), nothing but
 * periodic work goes on until the next planned event: a fault's strike, a submission, the end of
 * the run.  The clock that results are told in is then set forward to shortly before it (a random
 * time of up to `after`, so that the strike meets the periodic work at any phase); the machines do
 * not notice.  What containers used is taken to have gone on at the rate of the calm time before.
 *
 * An approximation: what had not ended within `after` (tokens of connections that nobody refreshes,
 * crash back-offs, records of dead endpoints) lasts longer by the time skipped; CPU that is used in
 * periods longer than `after` (token refreshes, every 120 s) is counted too low.  tests/sim
 * compares with full runs. */
#pragma once

#include "models/recovery.h"
#include "sim/world.h"

typedef struct FastForward FastForward;

FastForward *fast_forward_new(World *world, const Recovery *recovery, nsec_t after, nsec_t end);
void fast_forward_free(FastForward *forward);

/* To be called about every `after` / 4: skips if it may. */
void fast_forward_look(FastForward *forward);
