/* usage.csv: what the Pods of each component used, every outputs.scrapeInterval.
 *
 * One row for each component that has or had Pods:
 *   time [s]          end of the interval, since the run began
 *   component         as pod_component names whole Pods; applications are left out
 *   pods              that run
 *   cpu [cores]       of all of them, mean over the interval
 *   memory [bytes]    of all of them, at its end
 * The last interval ends with the run and may be shorter; time that spec.fastForward skips is in no
 * interval.  Written as the run goes, to a temporary name that usage_log_close changes: an
 * interrupted run leaves no part. */
#pragma once

#include "base/error.h"
#include "sim/world.h"

typedef struct UsageLog UsageLog;

/* Before the world runs. */
UsageLog *usage_log_open(const char *path, World *world, nsec_t interval, GError **error);

/* The run is over: writes the last interval.  Before world_free. */
void usage_log_end(UsageLog *log);

/* Finishes and frees; false with an error when anything could not be written. */
bool usage_log_close(UsageLog *log, GError **error);

/* Frees and removes the temporary file. */
void usage_log_discard(UsageLog *log);
