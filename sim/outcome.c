/* From a finished world to values. */
#include "sim/outcome.h"

#include "sim/packet_flow.h"
#include "sim/proof.h"

#include <math.h>
#include <string.h>

static const struct {
    const char *name;
    const char *meaning;
} phases[N_PHASES] = {
#define X(name, text, what) {text, what},
    OUTCOME_PHASES(X)
#undef X
};

const char *
outcome_phase_name(OutcomePhase phase)
{
    return phases[phase].name;
}

const char *
outcome_phase_meaning(OutcomePhase phase)
{
    return phases[phase].meaning;
}

void
outcome_value_free(void *data)
{
    OutcomeValue *value = data;
    g_free(value->metric);
    if (value->sample != NULL) {
        sample_clear(value->sample);
        g_free(value->sample);
    }
    g_free(value);
}

static void
wire_outcome_free(void *data)
{
    WireOutcome *wire = data;
    g_free(wire->from);
    g_free(wire->to);
    g_free(wire);
}

static void
chain_outcome_free(void *data)
{
    ChainOutcome *chain = data;
    g_ptr_array_unref(chain->wires);
    g_free(chain->proof);
    g_free(chain->path);
    g_free(chain->problem);
    g_free(chain);
}

static void
pod_outcome_free(void *data)
{
    PodOutcome *pod = data;
    g_free(pod->key);
    g_free(pod->node);
    g_free(pod->problem);
    g_free(pod);
}

static void
flow_place_free(void *data)
{
    FlowPlace *place = data;
    g_free(place->place);
    g_free(place->parts);
    g_free(place);
}

static void
flow_drop_free(void *data)
{
    FlowDrop *drop = data;
    g_free(drop->what);
    g_free(drop->place);
    g_free(drop);
}

static void
flow_bottleneck_free(void *data)
{
    FlowBottleneck *bottleneck = data;
    g_free(bottleneck->place);
    g_free(bottleneck);
}

static void
flow_outcome_free(void *data)
{
    FlowOutcome *flow = data;
    g_ptr_array_unref(flow->bottlenecks);
    g_ptr_array_unref(flow->places);
    g_ptr_array_unref(flow->drops);
    g_ptr_array_unref(flow->failures);
    g_free(flow->name);
    g_free(flow);
}

static void
rule_outcome_free(void *data)
{
    RuleOutcome *rule = data;
    g_free(rule->firewall);
    g_free(rule->name);
    g_free(rule->text);
    g_free(rule);
}

double
flow_place_sum(const FlowPlace *place)
{
    double sum = 0;
    for (int part = 0; part < N_DELAY_PARTS; part++) {
        sum += place->parts[part];
    }
    return sum;
}

double
flow_outcome_sum(const FlowOutcome *flow)
{
    double sum = 0;
    for (guint i = 0; i < flow->places->len; i++) {
        sum += flow_place_sum(g_ptr_array_index(flow->places, i));
    }
    return sum;
}

FlowOutcome *
flow_outcome_new(void)
{
    FlowOutcome *flow = g_new0(FlowOutcome, 1);
    flow->places = g_ptr_array_new_with_free_func(flow_place_free);
    flow->drops = g_ptr_array_new_with_free_func(flow_drop_free);
    flow->failures = g_ptr_array_new_with_free_func(g_free);
    flow->bottlenecks = g_ptr_array_new_with_free_func(flow_bottleneck_free);
    flow->throughput = NAN;
    return flow;
}

void
outcome_free(Outcome *outcome)
{
    if (outcome == NULL) {
        return;
    }
    g_ptr_array_unref(outcome->values);
    g_ptr_array_unref(outcome->chains);
    g_ptr_array_unref(outcome->pods);
    g_ptr_array_unref(outcome->flows);
    g_ptr_array_unref(outcome->rules);
    g_ptr_array_unref(outcome->problems);
    g_free(outcome);
}

static OutcomeValue *
add(Outcome *outcome, MetricKey *take_key, const char *unit, double number)
{
    OutcomeValue *value = g_new0(OutcomeValue, 1);
    value->metric = metric_key_format(take_key);
    value->unit = unit;
    value->value = number;
    g_ptr_array_add(outcome->values, value);
    metric_key_free(take_key);
    return value;
}

void
outcome_add(Outcome *outcome, MetricKey *take_key, const char *unit, double value)
{
    add(outcome, take_key, unit, value);
}

void
outcome_add_sample(Outcome *outcome, MetricKey *take_key, const char *unit, Sample *take)
{
    if (take->n == 0) {
        metric_key_free(take_key);
        return;
    }
    OutcomeValue *value = add(outcome, take_key, unit, take->mean);
    if (take->n > 1) {
        value->sample = g_new(Sample, 1);
        *value->sample = *take;
        sample_init(take);
    }
    sample_clear(take);
}

void
outcome_add_reservoir(Outcome *outcome, MetricKey *take_key, const char *unit,
                      const Reservoir *reservoir)
{
    g_auto(Sample) sample = {0};
    guint before = outcome->values->len;
    reservoir_sample(reservoir, &sample);
    outcome_add_sample(outcome, take_key, unit, &sample);
    if (outcome->values->len > before) {
        OutcomeValue *value = g_ptr_array_index(outcome->values, before);
        value->value = reservoir_mean(reservoir);
    }
}

static void
add_value(Outcome *outcome, const char *name, const char *label, const char *of, const char *unit,
          double number)
{
    MetricKey *key = metric_key_new(name);
    if (label != NULL) {
        metric_key_set_label(key, label, of);
    }
    outcome_add(outcome, key, unit, number);
}

static double
since(nsec_t from, nsec_t at)
{
    return from == NSEC_NEVER || at == NSEC_NEVER ? NAN : nsec_to_seconds(at - from);
}

/* ---- Pods ---- */

/* Which entry of spec.manifests brought a Pod: the one whose objects make a Pod of that name.
 * DaemonSet Pods carry their owner's name in front. */
static GHashTable *
index_manifests(const Scenario *scenario)
{
    GHashTable *index = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (guint m = 0; m < scenario->n_manifests; m++) {
        const GPtrArray *objects = scenario->manifests[m].objects;
        for (guint i = 0; i < objects->len; i++) {
            const Object *object = g_ptr_array_index(objects, i);
            g_autoptr(GPtrArray) keys = object_pod_keys(object);
            for (guint k = 0; k < keys->len; k++) {
                g_hash_table_insert(index, g_strdup(g_ptr_array_index(keys, k)),
                                    GUINT_TO_POINTER(m + 1));
            }
            if (object->kind == OBJECT_DAEMON_SET) {
                g_hash_table_insert(index, g_strdup_printf("%s/%s", object->ns, object->name),
                                    GUINT_TO_POINTER(m + 1));
            }
        }
    }
    return index;
}

static guint
manifest_of(GHashTable *index, const char *key)
{
    void *found = g_hash_table_lookup(index, key);
    const char *dash = strrchr(key, '-');
    if (found == NULL && dash != NULL) {
        g_autofree char *owner = g_strndup(key, (gsize)(dash - key));
        found = g_hash_table_lookup(index, owner);
    }
    return found != NULL ? GPOINTER_TO_UINT(found) - 1 : 0;
}

static char *
pod_problem(const PodTimes *times)
{
    if (times->problem != NULL) {
        return g_strdup(times->problem);
    }
    if (times->identity == NSEC_NEVER && times->n_refused > 0) {
        return g_strdup_printf("no identity after %u attempts: %s", times->n_refused,
                               times->refusal);
    }
    return NULL;
}

static PodOutcome *
collect_pod(const Scenario *scenario, const Timeline *timeline, GHashTable *index,
            const PodTimes *times)
{
    PodOutcome *pod = g_new0(PodOutcome, 1);
    pod->key = g_strdup(times->key);
    pod->node = g_strdup(times->node);
    pod->manifest = manifest_of(index, times->key);
    nsec_t zero = timeline_submitted(timeline, scenario->manifests[pod->manifest].path);
    pod->created = since(zero, times->created);
    pod->scheduled = since(zero, times->scheduled);
    pod->sandbox = since(zero, times->sandbox);
    pod->started = since(zero, times->started);
    pod->identity = since(zero, times->identity);
    pod->registered = since(zero, times->registered);
    pod->ready = since(zero, times->ready);
    pod->problem = pod_problem(times);
    return pod;
}

/* It took another one's place; how long that took is the recovery's matter. */
static void
note_replacement(Outcome *outcome, const PodTimes *times)
{
    if (times->ready == NSEC_NEVER) {
        g_autofree char *why = pod_problem(times);
        g_ptr_array_add(outcome->problems, g_strdup_printf("Pod %s is not Ready: %s", times->key,
                                                           why != NULL ? why : "still starting"));
    }
}

static void
collect_pods(Outcome *outcome, const Scenario *scenario, const Timeline *timeline)
{
    g_autoptr(GHashTable) index = index_manifests(scenario);
    const GPtrArray *pods = timeline_pods(timeline);
    for (guint i = 0; i < pods->len; i++) {
        const PodTimes *times = g_ptr_array_index(pods, i);
        if (times->replacement) {
            note_replacement(outcome, times);
            continue;
        }
        PodOutcome *pod = collect_pod(scenario, timeline, index, times);
        g_ptr_array_add(outcome->pods, pod);
        const char *slash = strchr(pod->key, '/');
        if (times->deleted && isnan(pod->ready)) {
            continue;
        }
        if (!isnan(pod->ready)) {
            add_value(outcome, "pod_ready_seconds", "pod", slash + 1, "s", pod->ready);
        } else {
            g_ptr_array_add(
                outcome->problems,
                g_strdup_printf("Pod %s is not Ready: %s", pod->key,
                                pod->problem != NULL ? pod->problem : "still starting"));
        }
        if (!isnan(pod->ready) && pod->problem != NULL) {
            g_ptr_array_add(outcome->problems,
                            g_strdup_printf("Pod %s: %s", pod->key, pod->problem));
        }
    }
}

/* ---- chains ---- */

/* All Pods of the chain are Ready: when the last one was; NSEC_NEVER otherwise. */
static nsec_t
members_ready(const Chain *chain, const Timeline *timeline)
{
    nsec_t last = 0;
    for (guint i = 0; i < chain->members->len; i++) {
        g_autoptr(GPtrArray) keys = object_pod_keys(g_ptr_array_index(chain->members, i));
        for (guint k = 0; k < keys->len; k++) {
            const PodTimes *times = timeline_pod(timeline, g_ptr_array_index(keys, k));
            if (times == NULL || times->ready == NSEC_NEVER) {
                return NSEC_NEVER;
            }
            last = MAX(last, times->ready);
        }
    }
    return last;
}

/* Each phase ends at its mark, not before the one before it and not after readiness. */
static void
fill_phases(ChainOutcome *out, nsec_t submitted, const PodTimes *pod, const RequestTimes *request)
{
    bool requested = request != NULL && request->done != NSEC_NEVER;
    nsec_t last = requested ? request->last : NSEC_NEVER;
    nsec_t done = requested ? request->done : NSEC_NEVER;
    nsec_t queued = requested ? MIN(last + request->registry, done) : NSEC_NEVER;
    const nsec_t ends[N_PHASES] = {
        [PHASE_SUBMISSION] = pod->created,
        [PHASE_SCHEDULING] = pod->scheduled,
        [PHASE_VOLUMES] = pod->volumes,
        [PHASE_SANDBOX] = pod->sandbox,
        [PHASE_CONTAINERS] = pod->started,
        [PHASE_IDENTITY] = pod->identity,
        [PHASE_ENDPOINTS] = last,
        [PHASE_REGISTRY] = queued,
        [PHASE_REQUEST] = done,
        [PHASE_READINESS] = pod->ready,
    };
    nsec_t before = submitted;
    for (int phase = 0; phase < N_PHASES; phase++) {
        nsec_t end = MIN(ends[phase], pod->ready);
        end = MAX(end, before);
        out->phases[phase] = nsec_to_seconds(end - before);
        before = end;
    }
    out->has_phases = true;
}

static const PodTimes *
client_pod(const Chain *chain, const Timeline *timeline)
{
    g_autoptr(GPtrArray) keys = object_pod_keys(chain->client);
    return keys->len > 0 ? timeline_pod(timeline, g_ptr_array_index(keys, 0)) : NULL;
}

static char *
why_no_path(const Chain *chain, const PodTimes *pod, const RequestTimes *request)
{
    if (chain->problem != NULL) {
        return g_strdup(chain->problem);
    }
    if (pod == NULL) {
        return g_strdup("the client Pod was never created");
    }
    if (request != NULL && request->problem != NULL) {
        return g_strdup_printf("%u Requests failed, the last: %s", request->n_failed,
                               request->problem);
    }
    g_autofree char *why = pod_problem(pod);
    return why != NULL ? g_steal_pointer(&why)
                       : g_strdup("the client has not requested it before the run's end");
}

static void
walk_chain(World *world, ChainOutcome *out, const PodTimes *pod, const RequestTimes *request,
           const char *present)
{
    DataPlane *plane = world_dataplane(world);
    const char *pod_key = pod != NULL ? pod->key : "";
    g_autofree char *port = g_strdup_printf("%s/%s", pod_key, out->chain->interface);
    bool replaced = present != NULL && !g_str_equal(present, port);
    g_autoptr(GArray) hops = plane->class->walk(plane, replaced ? present : port);
    out->path = walk_format(hops);
    bool requested = replaced || (request != NULL && request->done != NSEC_NEVER);
    proof_collect(world, hops, out);
    out->problem =
        requested ? chain_check_walk(out->chain, hops) : why_no_path(out->chain, pod, request);
}

static void
collect_chain(Outcome *outcome, World *world, const Scenario *scenario, const Chain *chain,
              const Timeline *timeline, const char *present)
{
    ChainOutcome *out = g_new0(ChainOutcome, 1);
    out->chain = chain;
    out->wires = g_ptr_array_new_with_free_func(wire_outcome_free);
    g_ptr_array_add(outcome->chains, out);
    const PodTimes *pod = client_pod(chain, timeline);
    g_autofree char *id = g_strdup_printf("%s%s", pod != NULL ? pod->key : "", chain->connection);
    const RequestTimes *request = timeline_request(timeline, id);
    walk_chain(world, out, pod, request, present);
    nsec_t submitted = timeline_submitted(timeline, scenario->manifests[chain->manifest].path);
    nsec_t ready = members_ready(chain, timeline);
    out->ready = ready != NSEC_NEVER;
    if (out->ready && submitted != NSEC_NEVER) {
        add_value(outcome, "sfc_init_seconds", "chain", chain->name, "s", since(submitted, ready));
    }
    if (request != NULL && request->done != NSEC_NEVER) {
        add_value(outcome, "nsm_request_seconds", "chain", chain->name, "s",
                  since(request->last, request->done));
        add_value(outcome, "nsm_request_failures", "chain", chain->name, "", request->n_failed);
    }
    add_value(outcome, "sfc_path_up", "chain", chain->name, "", out->problem == NULL);
    if (out->wires->len > 0) {
        add_value(outcome, "sfc_path_proved", "chain", chain->name, "",
                  out->problem == NULL && out->proof == NULL);
    }
    if (out->proof != NULL) {
        g_ptr_array_add(outcome->problems,
                        g_strdup_printf("chain %s: %s", chain->name, out->proof));
    }
    if (pod != NULL && pod->ready != NSEC_NEVER && submitted != NSEC_NEVER) {
        fill_phases(out, submitted, pod, request);
    }
    if (out->problem != NULL) {
        g_ptr_array_add(outcome->problems,
                        g_strdup_printf("chain %s: %s", chain->name, out->problem));
    }
}

/* ---- components ---- */

static void
collect_usage(Outcome *outcome, World *world)
{
    ComponentUsage usage[N_COMPONENTS];
    world_component_usage(world, usage);
    for (int c = 0; c < N_COMPONENTS; c++) {
        const ComponentUsage *one = &usage[c];
        const char *name = component_name((Component)c);
        if (!one->in_pods || c == COMPONENT_APP) {
            continue;
        }
        add_value(outcome, "component_cpu_seconds_total", "component", name, "s", one->cpu);
        add_value(outcome, "component_cpu_throttled_seconds_total", "component", name, "s",
                  one->throttled);
        add_value(outcome, "component_restarts_total", "component", name, "",
                  (double)one->n_restarts);
        add_value(outcome, "component_oom_kills_total", "component", name, "", (double)one->n_oom);
    }
}

/* ---- recovery ---- */

static MetricKey *
case_key(const char *name, const RecoveryCase *one)
{
    MetricKey *key = metric_key_new(name);
    metric_key_set_label(key, "chain", one->chain->name);
    metric_key_set_label(key, "fault", one->fault->name);
    return key;
}

static void
add_copy(Outcome *outcome, const char *name, const RecoveryCase *one, const char *unit,
         const Sample *sample)
{
    Sample copy = {0};
    sample_merge(&copy, sample);
    outcome_add_sample(outcome, case_key(name, one), unit, &copy);
}

static void
collect_case(Outcome *outcome, const RecoveryCase *one)
{
    add_copy(outcome, "sfc_recovery_seconds", one, "s", &one->recovery);
    add_copy(outcome, "sfc_detection_seconds", one, "s", &one->detection);
    add_copy(outcome, "sfc_outage_seconds", one, "s", &one->outage);
    add_copy(outcome, "sfc_heal_attempts", one, "", &one->attempts);
    outcome_add(outcome, case_key("sfc_unrecovered_total", one), "", one->n_unrecovered);
    for (int phase = 0; one->recovery.n > 0 && phase < N_RECOVERY_PHASES; phase++) {
        MetricKey *key = case_key("sfc_recovery_phase_seconds", one);
        metric_key_set_label(key, "phase", recovery_phase_name((RecoveryPhase)phase));
        outcome_add(outcome, key, "s", one->phases[phase] / (double)one->recovery.n);
    }
}

static void
collect_chain_recovery(Outcome *outcome, const RecoveryChain *chain, nsec_t now)
{
    const char *name = chain->chain->name;
    if (chain->first_up == NSEC_NEVER) {
        return;
    }
    double lifetime = nsec_to_seconds(now - chain->first_up);
    add_value(outcome, "sfc_downtime_seconds", "chain", name, "s", nsec_to_seconds(chain->down));
    if (lifetime > 0) {
        add_value(outcome, "sfc_path_up_ratio", "chain", name, "",
                  1 - nsec_to_seconds(chain->down) / lifetime);
    }
    add_value(outcome, "sfc_heals_total", "chain", name, "", chain->n_heals);
    add_value(outcome, "sfc_false_alarms_total", "chain", name, "", chain->n_false_alarms);
}

static void
collect_recovery(Outcome *outcome, const Scenario *scenario, const Chains *chains,
                 const OutcomeSources *sources, nsec_t now)
{
    const Recovery *recovery = sources->recovery;
    const Timeline *timeline = sources->timeline;
    for (guint i = 0; i < chains->chains->len; i++) {
        collect_chain_recovery(outcome, recovery_chain(recovery, i), now);
    }
    const GPtrArray *cases = recovery_cases(recovery);
    for (guint i = 0; i < cases->len; i++) {
        collect_case(outcome, g_ptr_array_index(cases, i));
    }
    for (guint i = 0; scenario->n_faults > 0 && i < scenario->n_nodes; i++) {
        const char *node = scenario->nodes[i].name;
        add_value(outcome, "node_not_ready_total", "node", node, "",
                  timeline_node_not_ready(timeline, node));
    }
    if (scenario->n_faults > 0) {
        add_value(outcome, "pods_evicted_total", NULL, NULL, "", timeline_n_evicted(timeline));
    }
    for (guint i = 0; i < scenario->n_faults; i++) {
        add_value(outcome, "faults_injected_total", "fault", scenario->faults[i].name, "",
                  recovery_n_strikes(recovery, i));
    }
    const GPtrArray *problems = recovery_problems(recovery, &outcome->n_faults_missed);
    for (guint i = 0; i < problems->len; i++) {
        g_ptr_array_add(outcome->problems, g_strdup(g_ptr_array_index(problems, i)));
    }
}

Outcome *
outcome_collect(World *world, const Scenario *scenario, const Chains *chains,
                const OutcomeSources *sources, uint64_t seed, uint32_t replication)
{
    const Timeline *timeline = sources->timeline;
    Outcome *outcome = g_new0(Outcome, 1);
    outcome->replication = replication;
    outcome->seed = seed;
    outcome->values = g_ptr_array_new_with_free_func(outcome_value_free);
    outcome->chains = g_ptr_array_new_with_free_func(chain_outcome_free);
    outcome->pods = g_ptr_array_new_with_free_func(pod_outcome_free);
    outcome->flows = g_ptr_array_new_with_free_func(flow_outcome_free);
    outcome->rules = g_ptr_array_new_with_free_func(rule_outcome_free);
    outcome->problems = g_ptr_array_new_with_free_func(g_free);
    const GPtrArray *errors = timeline_errors(timeline);
    for (guint i = 0; i < errors->len; i++) {
        g_ptr_array_add(outcome->problems, g_strdup(g_ptr_array_index(errors, i)));
    }
    for (guint i = 0; i < chains->chains->len; i++) {
        collect_chain(outcome, world, scenario, g_ptr_array_index(chains->chains, i), timeline,
                      sources->ports != NULL ? sources->ports[i] : NULL);
    }
    collect_pods(outcome, scenario, timeline);
    guint n_waits = 0;
    nsec_t wait = timeline_registry_wait(timeline, &n_waits);
    add_value(outcome, "nsm_registry_wait_seconds_total", NULL, NULL, "s", nsec_to_seconds(wait));
    add_value(outcome, "nsm_registry_waits_total", NULL, NULL, "", n_waits);
    collect_usage(outcome, world);
    if (sources->recovery != NULL) {
        collect_recovery(outcome, scenario, chains, sources, world_now(world));
    }
    EngineCounters counters = engine_counters(world_engine(world));
    outcome->n_events = counters.n_run;
    outcome->engine_bytes = counters.bytes;
    outcome->n_messages = world_n_messages(world);
    return outcome;
}
