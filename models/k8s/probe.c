/* Probe workers. */
#include "models/k8s/probe.h"

void
probe_init(Probe *probe, const ProbeSpec *spec, nsec_t worker_start)
{
    *probe = (Probe){.spec = spec, .worker_start = worker_start};
}

void
probe_reset(Probe *probe)
{
    probe->verdict = PROBE_UNDECIDED;
    probe->run = 0;
    probe->ticking = false;
}

bool
probe_exists(const Probe *probe)
{
    return probe->spec->kind != PROBE_NONE;
}

nsec_t
probe_next_tick(const Probe *probe, nsec_t now, nsec_t started)
{
    nsec_t earliest = MAX(now + 1, started + probe->spec->initial_delay);
    nsec_t period = MAX(probe->spec->period, NSEC_PER_SEC);
    nsec_t periods = (earliest - probe->worker_start + period - 1) / period;
    return probe->worker_start + MAX(periods, 0) * period;
}

bool
probe_result(Probe *probe, bool ok)
{
    probe->run = probe->run > 0 && probe->last_ok == ok ? probe->run + 1 : 1;
    probe->last_ok = ok;
    int threshold = ok ? probe->spec->success_threshold : probe->spec->failure_threshold;
    ProbeVerdict verdict = ok ? PROBE_PASSED : PROBE_FAILED;
    if (probe->run < threshold || probe->verdict == verdict) {
        return false;
    }
    probe->verdict = verdict;
    return true;
}
