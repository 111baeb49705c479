/* Paths and probes. */
#include "sim/chainwatch.h"

#include "models/flow.h"
#include "models/metric.h"
#include "sim/dataplane.h"
#include "sim/world_types.h"

#include <math.h>

#define MAX_DRAWN 100000 /* echoes of one stretch whose loss is drawn one by one */

typedef struct ProbeCase {
    const Fault *fault;
    Sample lost;     /* echoes, by strike */
    Sample recovery; /* s: until the first answer after the last lost one */
} ProbeCase;

struct ChainProbe {
    char *name;
    bool echoes; /* of spec.traffic; otherwise a look that the run itself adds */
    nsec_t from, until;
    double interval; /* ns */
    double phase;    /* ns */
    int64_t size;
    nsec_t counted; /* everything before is accounted for */
    uint64_t n_sent, n_lost;
    double rtt; /* s, sum over answers */
    RandomStream random;
    GPtrArray *cases; /* ProbeCase *, by fault; NULL: none yet */
    nsec_t strike;    /* of the present one */
    const Fault *fault;
    uint64_t lost_before;             /* n_lost when it began */
    nsec_t last_lost, answered_after; /* NSEC_NEVER: none */
    bool told; /* each echo is really sent, and its round trip kept by who sends it */
};

typedef struct Watched {
    ChainWatch *watch;
    const Chain *chain;
    char *port; /* NULL: no client yet */
    bool up;
    bool told; /* something was said of it */
    PathState state;
    GPtrArray *probes; /* ChainProbe * */
} Watched;

struct ChainWatch {
    TraceSink sink;
    World *world;
    const Scenario *scenario;
    const Chains *chains;
    Watched *watched; /* by chain */
};

/* ---- probes ---- */

static void
case_free(void *data)
{
    ProbeCase *one = data;
    if (one != NULL) {
        sample_clear(&one->lost);
        sample_clear(&one->recovery);
        g_free(one);
    }
}

static void
probe_free(void *data)
{
    ChainProbe *probe = data;
    g_free(probe->name);
    g_ptr_array_unref(probe->cases);
    g_free(probe);
}

static void
add_probe(Watched *watched, const char *name, nsec_t from, nsec_t until, double interval,
          int64_t size, bool echoes)
{
    const World *world = watched->watch->world;
    ChainProbe *probe = g_new0(ChainProbe, 1);
    probe->name = g_strdup(name);
    probe->echoes = echoes;
    probe->from = probe->counted = from;
    probe->until = until;
    probe->interval = interval;
    probe->size = size;
    g_autofree char *purpose = g_strdup_printf("probe %s", name);
    random_stream_init(&probe->random, world->seed, world->replication, watched->chain->name,
                       purpose);
    probe->phase = random_uniform(&probe->random) * interval;
    probe->cases = g_ptr_array_new_with_free_func(case_free);
    g_ptr_array_set_size(probe->cases, (gint)watched->watch->scenario->n_faults);
    probe->last_lost = probe->answered_after = NSEC_NEVER;
    g_ptr_array_add(watched->probes, probe);
}

/* How many echoes are sent before `t`. */
static uint64_t
sent_before(const ChainProbe *probe, nsec_t t)
{
    double since = (double)(MIN(t, probe->until) - probe->from) - probe->phase;
    return since <= 0 ? 0 : (uint64_t)ceil(since / probe->interval);
}

static nsec_t
send_time(const ChainProbe *probe, uint64_t k)
{
    return probe->from + (nsec_t)(probe->phase + (double)k * probe->interval);
}

static nsec_t
echo_time(const ChainProbe *probe, const PathState *state)
{
    nsec_t wire =
        state->rate > 0 ? (nsec_t)(2 * 8e9 * (double)probe->size / (double)state->rate) : 0;
    return state->rtt + wire;
}

static void
note_lost(ChainProbe *probe, uint64_t k)
{
    probe->n_lost++;
    probe->last_lost = send_time(probe, k);
    probe->answered_after = NSEC_NEVER;
}

static void
note_answered(ChainProbe *probe, uint64_t k, nsec_t rtt)
{
    probe->rtt += nsec_to_seconds(rtt);
    if (probe->last_lost != NSEC_NEVER && probe->answered_after == NSEC_NEVER) {
        probe->answered_after = send_time(probe, k) + rtt;
    }
}

static void
draw_echoes(ChainProbe *probe, const PathState *state, uint64_t first, uint64_t n)
{
    nsec_t rtt = echo_time(probe, state);
    for (uint64_t k = first; k < first + n; k++) {
        if (random_uniform(&probe->random) < state->loss) {
            note_lost(probe, k);
        } else {
            note_answered(probe, k, rtt);
        }
    }
}

/* All echoes until `now` were sent while the path was as `state` says. */
static void
count_echoes(ChainProbe *probe, const PathState *state, bool up, nsec_t now)
{
    nsec_t end = MIN(now, probe->until);
    if (end <= probe->counted || probe->told) {
        return;
    }
    uint64_t first = sent_before(probe, probe->counted), n = sent_before(probe, end) - first;
    probe->counted = end;
    probe->n_sent += n;
    if (n == 0) {
        return;
    }
    if (!up) {
        probe->n_lost += n - 1;
        note_lost(probe, first + n - 1);
    } else if (state->loss > 0) {
        uint64_t drawn = MIN(n, MAX_DRAWN);
        draw_echoes(probe, state, first, drawn);
        uint64_t lost = (uint64_t)((double)(n - drawn) * state->loss);
        probe->n_lost += lost; /* of very many, the expected number */
        probe->rtt += (double)(n - drawn - lost) * nsec_to_seconds(echo_time(probe, state));
    } else {
        note_answered(probe, first, echo_time(probe, state));
        probe->rtt += (double)(n - 1) * nsec_to_seconds(echo_time(probe, state));
    }
}

ChainProbe *
chain_watch_probe(ChainWatch *watch, guint chain, const char *traffic)
{
    const GPtrArray *probes = watch->watched[chain].probes;
    for (guint i = 0; i < probes->len; i++) {
        ChainProbe *probe = g_ptr_array_index(probes, i);
        if (probe->echoes && g_str_equal(probe->name, traffic)) {
            probe->told = true;
            return probe;
        }
    }
    return NULL;
}

/* Echoes end in another order than they are sent. */
void
chain_probe_lost(ChainProbe *probe, nsec_t sent)
{
    probe->n_sent++;
    probe->n_lost++;
    if (probe->last_lost == NSEC_NEVER || sent > probe->last_lost) {
        probe->last_lost = sent;
        probe->answered_after = NSEC_NEVER;
    }
}

void
chain_probe_answered(ChainProbe *probe, nsec_t sent, nsec_t rtt)
{
    probe->n_sent++;
    if (probe->last_lost != NSEC_NEVER && sent > probe->last_lost &&
        probe->answered_after == NSEC_NEVER) {
        probe->answered_after = sent + rtt;
    }
}

static void
close_strike(ChainProbe *probe, const Scenario *scenario)
{
    if (probe->fault == NULL) {
        return;
    }
    guint index = (guint)(probe->fault - scenario->faults);
    ProbeCase *one = g_ptr_array_index(probe->cases, index);
    if (one == NULL) {
        one = g_new0(ProbeCase, 1);
        one->fault = probe->fault;
        probe->cases->pdata[index] = one;
    }
    uint64_t lost = probe->n_lost - probe->lost_before;
    sample_add(&one->lost, (double)lost);
    if (lost > 0 && probe->answered_after != NSEC_NEVER) {
        sample_add(&one->recovery, nsec_to_seconds(probe->answered_after - probe->strike));
    }
    probe->fault = NULL;
}

static void
count_all(Watched *watched, nsec_t now)
{
    for (guint i = 0; i < watched->probes->len; i++) {
        count_echoes(g_ptr_array_index(watched->probes, i), &watched->state, watched->up, now);
    }
}

static void
on_strike(ChainWatch *watch, const TraceEvent *event)
{
    const Fault *fault = scenario_fault(watch->scenario, event->subject);
    for (guint c = 0; c < watch->chains->chains->len; c++) {
        Watched *watched = &watch->watched[c];
        count_all(watched, event->at);
        for (guint i = 0; i < watched->probes->len; i++) {
            ChainProbe *probe = g_ptr_array_index(watched->probes, i);
            if (probe->fault == fault && probe->strike == event->at) {
                continue; /* another target of the same strike */
            }
            close_strike(probe, watch->scenario);
            probe->fault = fault;
            probe->strike = event->at;
            probe->lost_before = probe->n_lost;
            probe->last_lost = probe->answered_after = NSEC_NEVER;
        }
    }
}

/* ---- paths ---- */

static void
tell(Watched *watched, bool up, const char *detail)
{
    World *world = watched->watch->world;
    TraceEvent event = {.at = world_now(world),
                        .component = "data-plane",
                        .process = watched->port,
                        .mark = up ? TRACE_PATH_UP : TRACE_PATH_DOWN,
                        .subject = watched->chain->name,
                        .detail = detail};
    world_mark(world, &event);
}

static void
on_path(void *data, const PathState *state)
{
    Watched *watched = data;
    World *world = watched->watch->world;
    if (world->closing) {
        return;
    }
    count_all(watched, world_now(world));
    DataPlane *plane = world->dataplane;
    g_autoptr(GArray) hops = plane->class->walk(plane, watched->port);
    g_autofree char *problem =
        hops->len > 0 ? chain_check_walk(watched->chain, hops) : g_strdup("no interface");
    bool up = problem == NULL && !state->cut;
    bool changed = up != watched->up;
    watched->state = *state;
    watched->up = up;
    if (changed) {
        g_autofree char *path = up ? walk_format(hops) : NULL;
        tell(watched, up, up ? path : problem != NULL ? problem : "cut");
    }
}

/* The interface of the chain's present client Pod. */
static void
follow_client(Watched *watched, const char *pod_key)
{
    World *world = watched->watch->world;
    g_autofree char *port = g_strdup_printf("%s/%s", pod_key, watched->chain->interface);
    if (g_strcmp0(port, watched->port) == 0) {
        return;
    }
    if (watched->port != NULL) {
        sim_dataplane_watch_path(world->dataplane, watched->port, NULL, NULL);
    }
    g_free(watched->port);
    watched->port = g_steal_pointer(&port);
    PathState state = sim_dataplane_watch_path(world->dataplane, watched->port, on_path, watched);
    on_path(watched, &state);
}

static void
on_event(TraceSink *sink, const TraceEvent *event)
{
    ChainWatch *watch = (ChainWatch *)((char *)sink - offsetof(ChainWatch, sink));
    if (event->mark == TRACE_FAULT_INJECTED) {
        on_strike(watch, event);
    } else if (event->mark == TRACE_POD_SANDBOX) {
        const GPtrArray *list = chains_of_pod(watch->chains, event->subject);
        for (guint i = 0; list != NULL && i < list->len; i++) {
            const Chain *chain = g_ptr_array_index(list, i);
            follow_client(&watch->watched[chain->index], event->subject);
        }
    }
}

/* ---- life ---- */

static void
add_probes(Watched *watched)
{
    const Scenario *scenario = watched->watch->scenario;
    for (guint i = 0; i < scenario->n_traffic; i++) {
        const Traffic *ping = &scenario->traffic[i];
        if (traffic_is_probe(ping) && flow_takes(ping, watched->chain)) {
            nsec_t until =
                ping->duration > 0 ? ping->start_time + ping->duration : scenario->duration;
            add_probe(watched, ping->name, ping->start_time, until, 1e9 / ping->rate, ping->size,
                      true);
        }
    }
    if (scenario->n_faults > 0) {
        nsec_t from = scenario->manifests[watched->chain->manifest].start_time;
        for (guint i = 0; i < scenario->n_faults; i++) {
            from =
                i == 0 ? scenario->faults[0].start_time : MIN(from, scenario->faults[i].start_time);
        }
        add_probe(watched, "1s", from, scenario->duration, 1e9, 56, false);
        add_probe(watched, "15s", from, scenario->duration, 15e9, 56, false);
    }
}

ChainWatch *
chain_watch_new(World *world, const Scenario *scenario, const Chains *chains)
{
    ChainWatch *watch = g_new0(ChainWatch, 1);
    watch->sink.event = on_event;
    watch->world = world;
    watch->scenario = scenario;
    watch->chains = chains;
    watch->watched = g_new0(Watched, chains->chains->len);
    for (guint i = 0; i < chains->chains->len; i++) {
        Watched *watched = &watch->watched[i];
        watched->watch = watch;
        watched->chain = g_ptr_array_index(chains->chains, i);
        watched->probes = g_ptr_array_new_with_free_func(probe_free);
        add_probes(watched);
    }
    return watch;
}

void
chain_watch_free(ChainWatch *watch)
{
    for (guint i = 0; i < watch->chains->chains->len; i++) {
        g_free(watch->watched[i].port);
        g_ptr_array_unref(watch->watched[i].probes);
    }
    g_free(watch->watched);
    g_free(watch);
}

const char *
chain_watch_port(const ChainWatch *watch, guint chain)
{
    return watch->watched[chain].port;
}

TraceSink *
chain_watch_sink(ChainWatch *watch)
{
    return &watch->sink;
}

/* ---- results ---- */

static MetricKey *
key_of(const char *name, const Watched *watched, const ChainProbe *probe, const Fault *fault)
{
    MetricKey *key = metric_key_new(name);
    metric_key_set_label(key, "chain", watched->chain->name);
    metric_key_set_label(key, "probe", probe->name);
    if (fault != NULL) {
        metric_key_set_label(key, "fault", fault->name);
    }
    return key;
}

static void
collect_probe(const Watched *watched, ChainProbe *probe, Outcome *outcome)
{
    uint64_t n_answered = probe->n_sent - probe->n_lost;
    if (probe->n_sent == 0) {
        return;
    }
    if (probe->echoes) {
        outcome_add(outcome, key_of("sfc_echoes_sent_total", watched, probe, NULL), "",
                    (double)probe->n_sent);
        outcome_add(outcome, key_of("sfc_echoes_lost_total", watched, probe, NULL), "",
                    (double)probe->n_lost);
        outcome_add(outcome, key_of("sfc_loss_ratio", watched, probe, NULL), "",
                    (double)probe->n_lost / (double)probe->n_sent);
    }
    if (probe->echoes && !probe->told && n_answered > 0) {
        outcome_add(outcome, key_of("sfc_rtt_seconds", watched, probe, NULL), "s",
                    probe->rtt / (double)n_answered);
    }
    outcome_add(outcome, key_of("sfc_downtime_seen_seconds", watched, probe, NULL), "s",
                (double)probe->n_lost * probe->interval / 1e9);
    for (guint i = 0; i < probe->cases->len; i++) {
        ProbeCase *one = g_ptr_array_index(probe->cases, i);
        if (one != NULL) {
            outcome_add_sample(outcome, key_of("sfc_echoes_lost", watched, probe, one->fault), "",
                               &one->lost);
            outcome_add_sample(outcome,
                               key_of("sfc_echo_recovery_seconds", watched, probe, one->fault), "s",
                               &one->recovery);
        }
    }
}

void
chain_watch_collect(ChainWatch *watch, Outcome *outcome)
{
    nsec_t now = world_now(watch->world);
    for (guint c = 0; c < watch->chains->chains->len; c++) {
        Watched *watched = &watch->watched[c];
        count_all(watched, now);
        for (guint i = 0; i < watched->probes->len; i++) {
            ChainProbe *probe = g_ptr_array_index(watched->probes, i);
            close_strike(probe, watch->scenario);
            collect_probe(watched, probe, outcome);
        }
    }
}
