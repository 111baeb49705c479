/* One case of tests/sim/fault_cases.h in a world of its own, with what must hold on the way and at
 * its end.
 *
 * On every step of the engine: the clock does not go back; an operation of the data plane is
 * answered once; when ports, operations or processes have changed, the graph is consistent
 * (sim_dataplane_check), which includes that no port belongs to a forwarder that does not run or to
 * a Pod without a sandbox.  Every second: counters did not decrease, operations add up, no
 * registration is valid for longer than it may be. */
#pragma once

#include "models/k8s/api.h"
#include "models/nsm/record.h"
#include "sim/chainwatch.h"
#include "sim/dataplane_types.h"
#include "sim/fingerprint.h"
#include "sim/world_types.h"
#include "tests/sim/fault_cases.h"

#define NSE_LIFE (60 * NSEC_PER_SEC)    /* the longest registration */
#define HEAL_CALM (30 * NSEC_PER_SEC)   /* nobody has healed for so long */
#define CHECK_TOKEN (UINT64_C(1) << 63) /* of the test's own operations */
#define TAG_STRIKE 3                    /* models/chaos.c: kind of a timer, in the low 4 bits */

typedef struct Trial {
    TraceSink sink; /* first: it is the trial */
    const FaultCase *c;
    Scenario *scenario;
    Chains *chains;
    World *world;
    Timeline *timeline;
    Recovery *recovery;
    ChainWatch *watch;
    Fingerprint fingerprint;
    const Machine *api;
    const DataPlaneClass *graph;
    DataPlaneDone done;
    void *done_data;
    GHashTable *pending; /* tokens of the operations that are not answered yet */
    uint64_t n_answers;
    char *check_error; /* of the test's own check; "" when it succeeded */
    GHashTable *stuck; /* connections that a client has taken over and asks for in vain */
    nsec_t last_heal;
    nsec_t last_now;
    DataPlaneCounts counts;
    uint64_t last_id;
    guint n_processes;
    ComponentUsage usage[N_COMPONENTS];
    uint64_t n_messages, n_events;
    char *problem; /* the first thing that did not hold */
} Trial;

static Trial *the_trial; /* the data plane's functions have no other way to it */

static inline void G_GNUC_PRINTF(2, 3) complain(Trial *trial, const char *format, ...)
{
    if (trial->problem == NULL) {
        va_list args;
        va_start(args, format);
        g_autofree char *text = g_strdup_vprintf(format, args);
        va_end(args);
        g_autofree char *at = nsec_format(world_now(trial->world));
        trial->problem = g_strdup_printf("at %s: %s", at, text);
    }
}

/* ---- operations are answered once ---- */

static inline bool
trial_perform(DataPlane *plane, const DataPlaneOp *op, GError **error)
{
    Trial *trial = the_trial;
    bool accepted = trial->graph->perform(plane, op, error);
    if (accepted &&
        !g_hash_table_insert(trial->pending, g_memdup2(&op->token, sizeof op->token), NULL)) {
        complain(trial, "the token of an operation is used twice");
    }
    return accepted;
}

static inline GArray *
trial_walk(DataPlane *plane, const char *pod_port)
{
    return the_trial->graph->walk(plane, pod_port);
}

static inline void
trial_plane_free(DataPlane *plane)
{
    the_trial->graph->free(plane);
}

static const DataPlaneClass trial_class = {trial_perform, trial_walk, trial_plane_free};

static inline void
trial_done(void *data, uint64_t token, const char *error)
{
    Trial *trial = the_trial;
    trial->n_answers++;
    if (!g_hash_table_remove(trial->pending, &token)) {
        complain(trial, "an operation was answered twice, or never accepted");
    }
    if (token >= CHECK_TOKEN) {
        trial->check_error = g_strdup(error != NULL ? error : "");
    } else {
        trial->done(data, token, error);
    }
}

static inline void
wrap_plane(Trial *trial)
{
    Plane *plane = (Plane *)world_dataplane(trial->world);
    trial->graph = plane->base.class;
    plane->base.class = &trial_class;
    trial->done = plane->done;
    trial->done_data = plane->data;
    plane->done = trial_done;
    the_trial = trial;
}

static inline void
check_counts(Trial *trial, const DataPlaneCounts *counts)
{
    uint64_t over = counts->n_answered + counts->n_cancelled + counts->n_pending;
    if (counts->n_accepted != over || counts->n_answered != trial->n_answers) {
        complain(trial,
                 "%" G_GUINT64_FORMAT " operations accepted, %" G_GUINT64_FORMAT
                 " answered, %" G_GUINT64_FORMAT " cancelled, %" G_GUINT64_FORMAT " wait",
                 counts->n_accepted, counts->n_answered, counts->n_cancelled, counts->n_pending);
    }
}

/* ---- on every step ---- */

/* A process that programs the data plane. */
static inline bool
runs(const World *world, const char *pod_key)
{
    for (guint i = 0; i < world->processes->len; i++) {
        const Process *process = g_ptr_array_index(world->processes, i);
        Component component = process->info->component;
        bool performs = component == COMPONENT_FORWARDER || component == COMPONENT_FIREWALL ||
                        component == COMPONENT_NSE;
        if (performs && g_str_equal(process->info->pod_key, pod_key)) {
            return true;
        }
    }
    return false;
}

static inline bool
owner_exists(void *data, const char *owner, bool in_pod)
{
    const World *world = data;
    return in_pod ? g_hash_table_contains(world->sandboxes, owner) : runs(world, owner);
}

static inline void
check_step(Trial *trial)
{
    World *world = trial->world;
    nsec_t now = world_now(world);
    if (now < trial->last_now) {
        complain(trial, "the clock went back");
    }
    trial->last_now = now;
    DataPlaneCounts counts = sim_dataplane_counts(world->dataplane);
    bool same = memcmp(&counts, &trial->counts, sizeof counts) == 0 &&
                world->last_id == trial->last_id && world->processes->len == trial->n_processes;
    if (same) {
        return;
    }
    trial->counts = counts;
    trial->last_id = world->last_id;
    trial->n_processes = world->processes->len;
    check_counts(trial, &counts);
    g_autoptr(GError) error = NULL;
    if (!sim_dataplane_check(world->dataplane, owner_exists, world, &error)) {
        complain(trial, "%s", error->message);
    }
}

/* ---- every second ---- */

static inline void
check_usage(Trial *trial)
{
    ComponentUsage usage[N_COMPONENTS];
    world_component_usage(trial->world, usage);
    for (guint i = 0; i < N_COMPONENTS; i++) {
        const ComponentUsage *now = &usage[i], *then = &trial->usage[i];
        if (now->cpu < then->cpu - 1e-9 || now->throttled < then->throttled - 1e-9 ||
            now->n_restarts < then->n_restarts || now->n_oom < then->n_oom) {
            complain(trial,
                     "%s: a counter decreased (CPU %.9g to %.9g, throttled %.9g to %.9g, restarts "
                     "%" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT ")",
                     component_name((Component)i), then->cpu, now->cpu, then->throttled,
                     now->throttled, then->n_restarts, now->n_restarts);
        }
    }
    memcpy(trial->usage, usage, sizeof usage);
    uint64_t n_messages = world_n_messages(trial->world);
    uint64_t n_events = engine_counters(world_engine(trial->world)).n_run;
    if (n_messages < trial->n_messages || n_events < trial->n_events) {
        complain(trial, "a counter decreased: messages or events");
    }
    trial->n_messages = n_messages;
    trial->n_events = n_events;
}

static inline void
check_registrations(Trial *trial)
{
    nsec_t now = world_now(trial->world);
    for (GList *link = apiserver_objects(trial->api, OBJECT_NETWORK_SERVICE_ENDPOINT)->head; link;
         link = link->next) {
        const ApiObject *object = link->data;
        if (object->nse != NULL && object->nse->expires > now + NSE_LIFE) {
            complain(trial, "%s is registered for longer than it may be", object->name);
        }
    }
}

/* ---- life ---- */

/* cmd-nsc takes over what its init container or its last start has left, endpoint included; when
 * that has gone in the meantime, its first Request is tried again and again with this endpoint, and
 * healing begins only after the first success (FACTS 1.10, 1.11):
 * scenarios/regression/property-takeover. */
static inline void
note_takeover(Trial *trial, const TraceEvent *event)
{
    bool client = g_str_has_suffix(event->process, "/nsc");
    if (client && event->mark == TRACE_REQUEST_FAILED &&
        g_pattern_match_simple("*network service endpoint c*is not found", event->detail)) {
        g_hash_table_add(trial->stuck, g_strdup(event->subject));
    } else if (client && event->mark == TRACE_REQUEST_DONE) {
        g_hash_table_remove(trial->stuck, event->subject);
    }
}

static inline bool
is_stuck(const Trial *trial, const ApiObject *client)
{
    g_autofree char *id = g_strdup_printf("%s/%s-0", client->ns, client->name);
    return g_hash_table_contains(trial->stuck, id);
}

static inline void
on_trial_mark(TraceSink *sink, const TraceEvent *event)
{
    Trial *trial = (Trial *)sink;
    if (event->mark == TRACE_HEAL_DETECTED || event->mark == TRACE_HEAL_ATTEMPT ||
        event->mark == TRACE_HEAL_FAILED) {
        trial->last_heal = event->at;
    }
    note_takeover(trial, event);
    if (g_getenv("VWIRE_MARKS") != NULL) {
        g_print("%.3f %s %s %s %s %" G_GINT64_FORMAT "\n", nsec_to_seconds(event->at),
                event->process, trace_mark_name(event->mark), event->subject,
                event->detail != NULL ? event->detail : "", event->value);
    }
}

static inline Process *
find_process(const World *world, Component component)
{
    for (guint i = 0; i < world->processes->len; i++) {
        Process *process = g_ptr_array_index(world->processes, i);
        if (process->info->component == component) {
            return process;
        }
    }
    return NULL;
}

static inline Trial *
trial_new(const FaultCase *c)
{
    Trial *trial = g_new0(Trial, 1);
    GError *error = NULL;
    trial->c = c;
    trial->sink.event = on_trial_mark;
    trial->scenario = scenario_load(c->path, NULL, &error);
    ck_assert_msg(trial->scenario != NULL, "case %u: %s", c->number,
                  error != NULL ? error->message : "");
    trial->chains = chains_find(trial->scenario);
    trial->world = world_new(trial->scenario, c->seed, 0);
    world_set_chains(trial->world, trial->chains);
    trial->timeline = timeline_new(NSEC_NEVER);
    trial->recovery = recovery_new(trial->scenario, trial->chains);
    trial->watch = chain_watch_new(trial->world, trial->scenario, trial->chains);
    trial->pending = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    trial->stuck = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    fingerprint_init(&trial->fingerprint);
    world_add_sink(trial->world, timeline_sink(trial->timeline));
    world_add_sink(trial->world, recovery_sink(trial->recovery));
    world_add_sink(trial->world, &trial->sink);
    world_add_sink(trial->world, fingerprint_sink(&trial->fingerprint));
    world_add_sink(trial->world, chain_watch_sink(trial->watch));
    world_run(trial->world, 0);
    trial->api = find_process(trial->world, COMPONENT_APISERVER)->machine;
    return trial;
}

static inline void
trial_free(Trial *trial)
{
    recovery_finish(trial->recovery, world_now(trial->world));
    timeline_free(trial->timeline);
    world_free(trial->world);
    chain_watch_free(trial->watch);
    recovery_free(trial->recovery);
    chains_free(trial->chains);
    scenario_free(trial->scenario);
    g_hash_table_unref(trial->pending);
    g_hash_table_unref(trial->stuck);
    g_free(trial->check_error);
    g_free(trial->problem);
    g_free(trial);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Trial, trial_free)

/* Step by step, to the first event after `until`; ends early when something does not hold. */
static inline void
trial_run(Trial *trial, nsec_t until)
{
    Engine *engine = world_engine(trial->world);
    nsec_t second = world_now(trial->world) / NSEC_PER_SEC;
    while (world_now(trial->world) < until && trial->problem == NULL && engine_step(engine)) {
        check_step(trial);
        nsec_t now = world_now(trial->world) / NSEC_PER_SEC;
        if (now != second) {
            second = now;
            check_usage(trial);
            check_registrations(trial);
        }
    }
}

/* Faults that repeat strike no more; what lasts ends as it would. */
static inline void
stop_strikes(Trial *trial)
{
    const Process *chaos = find_process(trial->world, COMPONENT_CHAOS);
    GHashTableIter iter;
    void *key;
    g_hash_table_iter_init(&iter, chaos->timers);
    while (g_hash_table_iter_next(&iter, &key, NULL)) {
        if ((*(const uint64_t *)key & 15) == TAG_STRIKE) {
            g_hash_table_iter_remove(&iter);
        }
    }
}

/* ---- at the end ---- */

/* Whether a Pod of this workload finds a place when the faults are over. */
static inline bool
can_be_placed(const FaultCase *c, const CasePod *pod)
{
    return !pod->too_large && !c->lost[pod->node]; /* node-1 is never lost */
}

static inline bool
can_be_up(const FaultCase *c, const CaseChain *chain)
{
    bool can = can_be_placed(c, &chain->client) && can_be_placed(c, &chain->server);
    for (guint i = 0; i < chain->n_passes; i++) {
        can = can && can_be_placed(c, &chain->passes[i]);
    }
    return can;
}

static inline bool
node_is_up(const Trial *trial, const char *name)
{
    const WorldNode *node = g_hash_table_lookup(trial->world->node_by_name, name);
    return net_node_is_up(trial->world->net, node->index);
}

static inline bool
counts_as_ready(const Trial *trial, const ApiObject *pod)
{
    return pod->status.ready && !pod->deleting && node_is_up(trial, pod->node);
}

static inline bool
is_pod_of(const ApiObject *pod, const char *ns, const char *workload)
{
    const char *app = labels_get(api_object_labels(pod), "app");
    return g_str_equal(pod->ns, ns) && app != NULL && g_str_equal(app, workload);
}

static inline guint
count_ready(const Trial *trial, const char *ns, const char *workload)
{
    guint n = 0;
    for (GList *link = apiserver_objects(trial->api, OBJECT_POD)->head; link; link = link->next) {
        n += is_pod_of(link->data, ns, workload) && counts_as_ready(trial, link->data);
    }
    return n;
}

static inline const ApiObject *
client_pod(const Trial *trial, const CaseChain *chain)
{
    for (GList *link = apiserver_objects(trial->api, OBJECT_POD)->head; link; link = link->next) {
        if (is_pod_of(link->data, "test", chain->client.name) &&
            counts_as_ready(trial, link->data)) {
            return link->data;
        }
    }
    return NULL;
}

/* NULL, or what is wrong; free with g_free. */
static inline char *
missing_pods(const Trial *trial, const CasePod *pod)
{
    guint n = count_ready(trial, "test", pod->name);
    if (!can_be_placed(trial->c, pod) || n >= pod->replicas) {
        return NULL;
    }
    return g_strdup_printf("%s: %u of %u Pods are Ready", pod->name, n, pod->replicas);
}

static inline char *
chain_problem(const Trial *trial, guint index)
{
    const CaseChain *chain = &trial->c->chains[index];
    if (!can_be_up(trial->c, chain)) {
        return NULL;
    }
    const ApiObject *client = client_pod(trial, chain);
    if (client == NULL) {
        return g_strdup_printf("chain-%u: the client's Pod is not Ready", index + 1);
    }
    if (is_stuck(trial, client)) {
        return NULL;
    }
    g_autofree char *name = g_strdup_printf("chain-%u", index + 1);
    g_autofree char *port = g_strdup_printf("%s/%s/nsm-1", client->ns, client->name);
    DataPlane *plane = world_dataplane(trial->world);
    g_autoptr(GArray) hops = plane->class->walk(plane, port);
    const Chain *declared = g_hash_table_lookup(trial->chains->by_name, name);
    g_autofree char *problem = chain_check_walk(declared, hops);
    g_autofree char *path = walk_format(hops);
    return problem == NULL ? NULL : g_strdup_printf("%s: %s (%s)", name, problem, path);
}

static inline char *
pods_problem(const Trial *trial)
{
    const FaultCase *c = trial->c;
    char *problem = NULL;
    for (guint i = 0; i < c->n_chains && problem == NULL; i++) {
        const CaseChain *chain = &c->chains[i];
        problem = missing_pods(trial, &chain->server);
        for (guint k = 0; k < chain->n_passes && problem == NULL; k++) {
            problem = missing_pods(trial, &chain->passes[k]);
        }
    }
    if (problem == NULL && count_ready(trial, "nsm-system", "registry") != 1) {
        problem = g_strdup("the registry's Pod is not Ready");
    }
    return problem;
}

/* Every Pod on a node that is up, system or not, is Ready: but for clients that wait in vain, and
 * what finds no place. */
static inline char *
unready_pod(const Trial *trial)
{
    for (GList *link = apiserver_objects(trial->api, OBJECT_POD)->head; link; link = link->next) {
        const ApiObject *pod = link->data;
        bool lost = pod->node == NULL || !node_is_up(trial, pod->node);
        bool chain = g_str_equal(pod->ns, "test");
        if (!lost && !chain && !counts_as_ready(trial, pod)) {
            return g_strdup_printf("%s/%s is %s", pod->ns, pod->name,
                                   pod->deleting ? "still being deleted" : "not Ready");
        }
    }
    return NULL;
}

static inline bool
is_registered(const Trial *trial, const char *name)
{
    nsec_t now = world_now(trial->world);
    for (GList *link = apiserver_objects(trial->api, OBJECT_NETWORK_SERVICE_ENDPOINT)->head; link;
         link = link->next) {
        const NseRecord *record = ((const ApiObject *)link->data)->nse;
        if (record != NULL && record->expires > now && g_str_equal(record->name, name)) {
            return true;
        }
    }
    return false;
}

/* An endpoint or forwarder that runs and is not registered. */
static inline char *
unregistered(const Trial *trial)
{
    nsec_t now = world_now(trial->world);
    for (guint i = 0; i < trial->world->processes->len; i++) {
        const Process *process = g_ptr_array_index(trial->world->processes, i);
        Component component = process->info->component;
        bool registers = component == COMPONENT_FORWARDER || component == COMPONENT_FIREWALL ||
                         component == COMPONENT_NSE;
        if (registers && now - process->started > 30 * NSEC_PER_SEC &&
            !is_registered(trial, process->info->pod)) {
            return g_strdup_printf("%s runs and is not registered", process->info->name);
        }
    }
    return NULL;
}

/* What is not yet as it should be when all faults are over: NULL when all is well. */
static inline char *
what_is_missing(const Trial *trial)
{
    char *problem = pods_problem(trial);
    problem = problem != NULL ? problem : unready_pod(trial);
    problem = problem != NULL ? problem : unregistered(trial);
    bool all_can = true;
    for (guint i = 0; i < trial->c->n_chains && problem == NULL; i++) {
        problem = chain_problem(trial, i);
        all_can = all_can && can_be_up(trial->c, &trial->c->chains[i]);
    }
    if (problem == NULL && all_can && world_now(trial->world) < trial->last_heal + HEAL_CALM) {
        problem = g_strdup("a client heals");
    }
    return problem;
}

/* Echoes from the client's interface: one check, answered. */
static inline void
check_echoes(Trial *trial, guint index)
{
    const CaseChain *chain = &trial->c->chains[index];
    if (!can_be_up(trial->c, chain)) {
        return;
    }
    const ApiObject *client = client_pod(trial, chain);
    if (is_stuck(trial, client)) {
        return;
    }
    g_autofree char *port = g_strdup_printf("%s/%s/nsm-1", client->ns, client->name);
    DataPlaneOp op = {.kind = DATAPLANE_CHECK,
                      .token = CHECK_TOKEN + index,
                      .pod_port = port,
                      .check = {.timeout = NSEC_PER_SEC, .packets = 4}};
    DataPlane *plane = world_dataplane(trial->world);
    g_clear_pointer(&trial->check_error, g_free);
    g_autoptr(GError) error = NULL;
    if (!plane->class->perform(plane, &op, &error)) {
        complain(trial, "%s", error->message);
    }
    trial_run(trial, world_now(trial->world) + 2 * NSEC_PER_SEC);
    if (g_strcmp0(trial->check_error, "") != 0) {
        complain(trial, "chain-%u: the path is there, but %s", index + 1,
                 trial->check_error != NULL ? trial->check_error : "the check was not answered");
    }
}

/* What has expired is gone, unless the registry that knew of it is gone, too. */
static inline void
check_final_registrations(Trial *trial)
{
    nsec_t now = world_now(trial->world);
    const Process *registry = find_process(trial->world, COMPONENT_REGISTRY);
    for (GList *link = apiserver_objects(trial->api, OBJECT_NETWORK_SERVICE_ENDPOINT)->head; link;
         link = link->next) {
        const NseRecord *record = ((const ApiObject *)link->data)->nse;
        if (record != NULL && record->expires < now - 15 * NSEC_PER_SEC &&
            record->expires > registry->started + NSE_LIFE) {
            complain(trial, "%s has expired and is still there", record->name);
        }
    }
}
