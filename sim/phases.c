/* Cutting a run into phases. */
#include "sim/phases.h"

#include "sim/world_types.h"

#define SETTLING_SCRAPES 2

static const char *const names[N_USAGE_PHASES] = {
#define X(name, text) text,
    USAGE_PHASES(X)
#undef X
};

/* registry 0.02 + nsmgr 0.12 + forwarder 0.22 + webhook 0.00: the testbed's total of 0.35. */
static const Component control_plane[] = {COMPONENT_REGISTRY, COMPONENT_NSMGR, COMPONENT_FORWARDER,
                                          COMPONENT_WEBHOOK};

/* An entry of spec.manifests. */
typedef struct Submission {
    bool brings_chains;
    bool under_way;
    guint n_missing; /* Pods of its chains that have not been Ready */
} Submission;

/* A Pod that chains consist of. */
typedef struct Member {
    bool ready;          /* it was, once */
    GArray *submissions; /* guint: of those chains' clients */
} Member;

struct Phases {
    TraceSink sink;
    World *world;
    const Scenario *scenario;
    const Recovery *recovery;
    /* what is going on */
    GHashTable *members; /* "namespace/pod" -> Member */
    Submission *submissions;
    GHashTable *unready; /* set of "namespace/pod": Pods that exist and are not Ready */
    guint n_before;      /* entries submitted before the first chain and not applied yet */
    guint n_deploying;
    bool deployed; /* a deployment has ended */
    bool recovering;
    bool settled;
    Event settle_event;
    /* what was used */
    UsagePhase phase;
    nsec_t since; /* engine's time */
    PodUsage last[N_COMPONENTS];
    nsec_t lengths[N_USAGE_PHASES];
    PhaseUsage usage[N_USAGE_PHASES][N_COMPONENTS];
};

const char *
usage_phase_name(UsagePhase phase)
{
    return names[phase];
}

/* ---- what is used ---- */

static void
end_phase(Phases *phases)
{
    nsec_t now = engine_now(phases->world->engine);
    if (now == phases->since) {
        return; /* nothing was used in no time */
    }
    PodUsage usage[N_COMPONENTS];
    world_pod_usage(phases->world, usage);
    for (int c = 0; c < N_COMPONENTS; c++) {
        PhaseUsage *sum = &phases->usage[phases->phase][c];
        sum->cpu += usage[c].cpu - phases->last[c].cpu;
        sum->pod_seconds += usage[c].pod_seconds - phases->last[c].pod_seconds;
        if (usage[c].n_pods > 0) {
            sum->memory += usage[c].memory / usage[c].n_pods;
            sum->n_ends++;
        }
        phases->last[c] = usage[c];
    }
    phases->lengths[phases->phase] += now - phases->since;
    phases->since = now;
}

static UsagePhase
present_phase(const Phases *phases)
{
    if (phases->recovering) {
        return USAGE_RECOVERY;
    }
    if (phases->n_deploying > 0) {
        return USAGE_DEPLOYMENT;
    }
    if (phases->deployed) {
        return USAGE_STEADY;
    }
    return phases->settled ? USAGE_IDLE : USAGE_STARTUP;
}

static void
look(Phases *phases)
{
    UsagePhase phase = present_phase(phases);
    if (phase != phases->phase) {
        end_phase(phases);
        phases->phase = phase;
    }
}

/* ---- what is going on ---- */

static void
on_settled(Engine *engine, Event *event)
{
    Phases *phases = (Phases *)((char *)event - offsetof(Phases, settle_event));
    phases->settled = true;
    look(phases);
}

/* Idle begins when nothing has started for a while. */
static void
unsettle(Phases *phases)
{
    Engine *engine = phases->world->engine;
    phases->settled = false;
    engine_cancel(engine, &phases->settle_event);
    if (phases->n_before == 0 && g_hash_table_size(phases->unready) == 0) {
        nsec_t settling = SETTLING_SCRAPES * phases->scenario->scrape_interval;
        engine_schedule(engine, &phases->settle_event, engine_now(engine) + settling);
    }
}

static Submission *
submission_of(const Phases *phases, const char *path)
{
    for (guint m = 0; m < phases->scenario->n_manifests; m++) {
        if (g_str_equal(phases->scenario->manifests[m].path, path)) {
            return &phases->submissions[m];
        }
    }
    return NULL;
}

static void
on_submitted(Phases *phases, const char *path)
{
    Submission *submission = submission_of(phases, path);
    if (submission != NULL && submission->n_missing > 0) {
        submission->under_way = true;
        phases->n_deploying++;
    }
}

static void
on_applied(Phases *phases, const char *path)
{
    const Submission *submission = submission_of(phases, path);
    if (submission != NULL && !submission->brings_chains && phases->n_before > 0) {
        phases->n_before--;
        unsettle(phases);
    }
}

static void
on_member_ready(Phases *phases, Member *member)
{
    member->ready = true;
    for (guint i = 0; i < member->submissions->len; i++) {
        Submission *submission = &phases->submissions[g_array_index(member->submissions, guint, i)];
        submission->n_missing--;
        if (submission->n_missing == 0 && submission->under_way) {
            phases->n_deploying--;
            phases->deployed = true;
        }
    }
}

static void
on_ready(Phases *phases, const char *pod)
{
    Member *member = g_hash_table_lookup(phases->members, pod);
    if (member != NULL && !member->ready) {
        on_member_ready(phases, member);
    }
    if (g_hash_table_remove(phases->unready, pod)) {
        unsettle(phases);
    }
}

static void
on_event(TraceSink *sink, const TraceEvent *event)
{
    Phases *phases = (Phases *)((char *)sink - offsetof(Phases, sink));
    if (phases->world->closing) {
        return;
    }
    if (event->mark == TRACE_SUBMITTED) {
        on_submitted(phases, event->subject);
    } else if (event->mark == TRACE_APPLIED) {
        on_applied(phases, event->subject);
    } else if (event->mark == TRACE_POD_CREATED || event->mark == TRACE_POD_NOT_READY) {
        g_hash_table_add(phases->unready, g_strdup(event->subject));
        unsettle(phases);
    } else if (event->mark == TRACE_POD_READY) {
        on_ready(phases, event->subject);
    } else if (event->mark == TRACE_POD_DELETED) {
        g_hash_table_remove(phases->unready, event->subject);
        unsettle(phases);
    } else if (event->mark == TRACE_FAULT_INJECTED && phases->recovery != NULL) {
        phases->recovering = true;
        look(phases);
        return;
    }
    if (phases->recovering && recovery_calm_since(phases->recovery) != NSEC_NEVER) {
        phases->recovering = false;
    }
    look(phases);
}

/* ---- life ---- */

static void
member_free(void *data)
{
    Member *member = data;
    g_array_unref(member->submissions);
    g_free(member);
}

static bool
is_named(const GArray *submissions, guint manifest)
{
    for (guint i = 0; i < submissions->len; i++) {
        if (g_array_index(submissions, guint, i) == manifest) {
            return true;
        }
    }
    return false;
}

static void
add_member(Phases *phases, const char *pod, guint manifest)
{
    Member *member = g_hash_table_lookup(phases->members, pod);
    if (member == NULL) {
        member = g_new0(Member, 1);
        member->submissions = g_array_new(false, false, sizeof(guint));
        g_hash_table_insert(phases->members, g_strdup(pod), member);
    }
    if (!is_named(member->submissions, manifest)) {
        g_array_append_val(member->submissions, manifest);
        phases->submissions[manifest].n_missing++;
    }
}

static void
add_chain(Phases *phases, const Chain *chain)
{
    phases->submissions[chain->manifest].brings_chains = true;
    for (guint i = 0; i < chain->members->len; i++) {
        g_autoptr(GPtrArray) pods = object_pod_keys(g_ptr_array_index(chain->members, i));
        for (guint k = 0; k < pods->len; k++) {
            add_member(phases, g_ptr_array_index(pods, k), chain->manifest);
        }
    }
}

static void
count_before(Phases *phases)
{
    nsec_t first = NSEC_NEVER;
    for (guint m = 0; m < phases->scenario->n_manifests; m++) {
        if (phases->submissions[m].brings_chains) {
            first = MIN(first, phases->scenario->manifests[m].start_time);
        }
    }
    for (guint m = 0; m < phases->scenario->n_manifests; m++) {
        phases->n_before += !phases->submissions[m].brings_chains &&
                            phases->scenario->manifests[m].start_time <= first;
    }
}

Phases *
phases_new(World *world, const Scenario *scenario, const Chains *chains, const Recovery *recovery)
{
    Phases *phases = g_new0(Phases, 1);
    phases->sink.event = on_event;
    phases->world = world;
    phases->scenario = scenario;
    phases->recovery = recovery;
    phases->members = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, member_free);
    phases->unready = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    phases->submissions = g_new0(Submission, scenario->n_manifests);
    event_init(&phases->settle_event, on_settled, UINT8_MAX);
    for (guint i = 0; i < chains->chains->len; i++) {
        add_chain(phases, g_ptr_array_index(chains->chains, i));
    }
    count_before(phases);
    return phases;
}

void
phases_free(Phases *phases)
{
    g_hash_table_unref(phases->members);
    g_hash_table_unref(phases->unready);
    g_free(phases->submissions);
    g_free(phases);
}

TraceSink *
phases_sink(Phases *phases)
{
    return &phases->sink;
}

/* ---- results ---- */

static void
add_value(Outcome *outcome, const char *name, const char *component, const char *phase,
          const char *unit, double value)
{
    MetricKey *key = metric_key_new(name);
    metric_key_set_label(key, "component", component);
    metric_key_set_label(key, "phase", phase);
    outcome_add(outcome, key, unit, value);
}

static void
collect_component(const PhaseUsage *usage, const char *component, const char *phase,
                  Outcome *outcome)
{
    if (usage->pod_seconds > 0) {
        add_value(outcome, "component_cpu_cores", component, phase, "cores",
                  usage->cpu / usage->pod_seconds);
    }
    if (usage->n_ends > 0) {
        add_value(outcome, "component_memory_bytes", component, phase, "bytes",
                  usage->memory / usage->n_ends);
    }
}

/* One Pod of each. */
static PhaseUsage
control_plane_usage(const PhaseUsage usage[N_COMPONENTS])
{
    PhaseUsage sum = {0};
    for (guint i = 0; i < G_N_ELEMENTS(control_plane); i++) {
        const PhaseUsage *one = &usage[control_plane[i]];
        if (one->pod_seconds > 0) {
            sum.cpu += one->cpu / one->pod_seconds;
            sum.pod_seconds = 1;
        }
        if (one->n_ends > 0) {
            sum.memory += one->memory / one->n_ends;
            sum.n_ends = 1;
        }
    }
    return sum;
}

static void
collect_phase(const PhaseUsage usage[N_COMPONENTS], const char *phase, Outcome *outcome)
{
    for (int c = 0; c < N_COMPONENTS; c++) {
        if (c != COMPONENT_APP) {
            collect_component(&usage[c], component_name((Component)c), phase, outcome);
        }
    }
    PhaseUsage sum = control_plane_usage(usage);
    collect_component(&sum, CONTROL_PLANE, phase, outcome);
}

void
phases_collect(Phases *phases, Outcome *outcome)
{
    engine_cancel(phases->world->engine, &phases->settle_event);
    end_phase(phases);
    for (int phase = 0; phase < N_USAGE_PHASES; phase++) {
        collect_phase(phases->usage[phase], names[phase], outcome);
    }
    PodUsage now[N_COMPONENTS];
    PhaseUsage end[N_COMPONENTS] = {0};
    world_pod_usage(phases->world, now);
    for (int c = 0; c < N_COMPONENTS; c++) {
        end[c].n_ends = now[c].n_pods > 0;
        end[c].memory = now[c].n_pods > 0 ? now[c].memory / now[c].n_pods : 0;
    }
    collect_phase(end, "end", outcome);
}

const PhaseUsage *
phases_usage(const Phases *phases, UsagePhase phase, Component component)
{
    return &phases->usage[phase][component];
}

nsec_t
phases_length(const Phases *phases, UsagePhase phase)
{
    return phases->lengths[phase];
}
