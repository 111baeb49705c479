/* events.jsonl: every mark of a replication, one JSON object a line, in the order of events.
 *
 * The first line is a header {"schema": "vwire/events/v1", ...}; then
 *   {"t": 12.345678901, "component": "nsmgr", "process": "ns/pod/container",
 *    "event": "forwarder-chosen", "subject": "...", "detail": "...", "value": 0}
 * with t in seconds of virtual time; detail and value only where there are any.
 * Written to a temporary name and renamed by events_close: an interrupted run leaves no part. */
#pragma once

#include "base/error.h"
#include "models/trace.h"

typedef struct Events Events;

Events *events_open(const char *path, const char *scenario, uint64_t seed, uint32_t replication,
                    GError **error);
TraceSink *events_sink(Events *events);

/* Finishes and frees; false with an error when anything could not be written. */
bool events_close(Events *events, GError **error);

/* Frees and removes the temporary file. */
void events_discard(Events *events);
