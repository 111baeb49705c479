/* One probe worker of the kubelet (pkg/kubelet/prober/worker.go): when it ticks, what a result
 * means (FACTS 3.2).
 *
 * A worker starts with its Pod's first sync and ticks at once and then every period, whether or
 * not the container runs; ticks without a running container have no result, so only those after
 * it need to be computed: they lie on the grid start + k * period. */
#pragma once

#include "models/manifest/objects.h"

typedef enum ProbeVerdict { PROBE_UNDECIDED, PROBE_PASSED, PROBE_FAILED } ProbeVerdict;

typedef struct Probe {
    const ProbeSpec *spec;
    nsec_t worker_start;
    ProbeVerdict verdict; /* the last result that reached its threshold */
    int run;              /* equal results in a row */
    bool last_ok;
    bool ticking; /* a timer or a call is under way */
} Probe;

void probe_init(Probe *probe, const ProbeSpec *spec, nsec_t worker_start);

/* A container started (again): earlier results are void, the grid stays. */
void probe_reset(Probe *probe);

bool probe_exists(const Probe *probe);

/* The next tick strictly after `now` at which a container that runs since `started` is probed:
 * not before its initial delay has passed. */
nsec_t probe_next_tick(const Probe *probe, nsec_t now, nsec_t started);

/* Notes one result; true when the verdict changed. */
bool probe_result(Probe *probe, bool ok);
