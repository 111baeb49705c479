/* The chains of a running world: their paths as they come up and go down, and what echoes along
 * them would have seen.
 *
 * Leaves TRACE_PATH_UP and TRACE_PATH_DOWN for each chain: a path is up when every function is met
 * in the declared order and nothing on the way is cut.
 *
 * A probe is a series of echoes (spec.traffic) or a look every so often (a scrape): with `faults`,
 * each chain also has the probes "1s" and "15s".  An echo sent while nothing changes costs nothing:
 * how many fall into a stretch of time is arithmetic. */
#pragma once

#include "sim/outcome.h"

typedef struct ChainWatch ChainWatch;

/* Before the world runs; both live as long as it.  `world_run` must not be called after
 * chain_watch_free. */
ChainWatch *chain_watch_new(World *world, const Scenario *scenario, const Chains *chains);
void chain_watch_free(ChainWatch *watch);

/* To be added to the world's sinks. */
/* Echoes of spec.traffic that are really sent: whoever sends them tells.  The probe of that entry
 * on that chain; NULL: it has none. */
typedef struct ChainProbe ChainProbe;
ChainProbe *chain_watch_probe(ChainWatch *watch, guint chain, const char *traffic);
void chain_probe_lost(ChainProbe *probe, nsec_t sent);
void chain_probe_answered(ChainProbe *probe, nsec_t sent, nsec_t rtt);

TraceSink *chain_watch_sink(ChainWatch *watch);

/* The interface of the chain's present client Pod, "ns/pod/interface"; NULL: there was none. */
const char *chain_watch_port(const ChainWatch *watch, guint chain);

/* Adds what the probes saw until now. */
void chain_watch_collect(ChainWatch *watch, Outcome *outcome);
