/* Whole clusters in virtual time: what must hold whatever the calibration's numbers are.
 *
 * The testbed's scenarios are run as they are; small chains are written by `write_chain`: bare Pods
 * client, p1 .. pn (pass-through) and server in the namespace "test", NetworkService "chain". */
#include "models/nsm/connection.h"
#include "sim/outcome.h"
#include "sim/replicate.h"
#include "sim/world_types.h"
#include "tests/models/scratch.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define VIDEO "scenarios/testbed/video-sfc.yaml"
#define LONG "scenarios/testbed/long-sfc.yaml"

/* ---- one deployment ---- */

typedef struct Mark {
    nsec_t at;
    TraceMark mark;
    int64_t value;
    char *component, *process, *subject, *detail;
} Mark;

typedef struct Deploy {
    TraceSink sink; /* first: it is the deployment */
    Scenario *scenario;
    Chains *chains;
    World *world;
    Timeline *timeline;
    GPtrArray *marks; /* Mark * */
} Deploy;

static void
mark_free(void *data)
{
    Mark *mark = data;
    g_free(mark->component);
    g_free(mark->process);
    g_free(mark->subject);
    g_free(mark->detail);
    g_free(mark);
}

static void
on_mark(TraceSink *sink, const TraceEvent *event)
{
    Deploy *deploy = (Deploy *)sink;
    Mark *mark = g_new0(Mark, 1);
    mark->at = event->at;
    mark->mark = event->mark;
    mark->value = event->value;
    mark->component = g_strdup(event->component);
    mark->process = g_strdup(event->process);
    mark->subject = g_strdup(event->subject);
    mark->detail = g_strdup(event->detail);
    g_ptr_array_add(deploy->marks, mark);
}

static Scenario *
load(const char *file)
{
    GError *error = NULL;
    Scenario *scenario = scenario_load(file, NULL, &error);
    ck_assert_msg(scenario != NULL, "%s", error != NULL ? error->message : "");
    return scenario;
}

static Deploy *
deploy_new(const char *file, uint64_t seed, uint32_t replication)
{
    Deploy *deploy = g_new0(Deploy, 1);
    deploy->sink.event = on_mark;
    deploy->scenario = load(file);
    deploy->chains = chains_find(deploy->scenario);
    deploy->world = world_new(deploy->scenario, seed, replication);
    deploy->timeline = timeline_new(NSEC_NEVER);
    deploy->marks = g_ptr_array_new_with_free_func(mark_free);
    world_add_sink(deploy->world, timeline_sink(deploy->timeline));
    world_add_sink(deploy->world, &deploy->sink);
    return deploy;
}

static void
deploy_free(Deploy *deploy)
{
    world_free(deploy->world);
    timeline_free(deploy->timeline);
    chains_free(deploy->chains);
    scenario_free(deploy->scenario);
    g_ptr_array_unref(deploy->marks);
    g_free(deploy);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Deploy, deploy_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Outcome, outcome_free)

static void
run_all(Deploy *deploy)
{
    world_run(deploy->world, deploy->scenario->duration);
}

static Outcome *
outcome_of(Deploy *deploy)
{
    OutcomeSources sources = {.timeline = deploy->timeline};
    return outcome_collect(deploy->world, deploy->scenario, deploy->chains, &sources, 1, 0);
}

/* The n-th mark of a kind about a subject (NULL: any); NULL when there are fewer. */
static const Mark *
find_mark(const Deploy *deploy, TraceMark kind, const char *subject, guint n)
{
    for (guint i = 0; i < deploy->marks->len; i++) {
        const Mark *mark = g_ptr_array_index(deploy->marks, i);
        bool fits = mark->mark == kind && (subject == NULL || g_str_equal(mark->subject, subject));
        if (fits && n-- == 0) {
            return mark;
        }
    }
    return NULL;
}

/* Everything that happened before `until`, as text. */
static char *
tell(const Deploy *deploy, nsec_t until)
{
    GString *text = g_string_new(NULL);
    for (guint i = 0; i < deploy->marks->len; i++) {
        const Mark *mark = g_ptr_array_index(deploy->marks, i);
        if (mark->at < until) {
            g_string_append_printf(
                text, "%" G_GINT64_FORMAT " %s %s %s %s %s %" G_GINT64_FORMAT "\n", mark->at,
                mark->component, mark->process, trace_mark_name(mark->mark), mark->subject,
                mark->detail != NULL ? mark->detail : "-", mark->value);
        }
    }
    return g_string_free(text, false);
}

/* ---- small chains ---- */

typedef struct ChainPod {
    char name[16];
    const char *node; /* NULL: the scheduler chooses */
} ChainPod;

typedef struct ChainSpec {
    ChainPod client, server, passes[6];
    guint n_passes;
    bool memif_client;
    const char *payload;         /* "ETHERNET" or "IP" */
    const char *request_timeout; /* of the client */
    bool init;                   /* an init container makes the first Request */
    /* what is broken; 0 or NULL: nothing */
    guint missing;   /* the selector of this link leads to nobody (1: the first) */
    bool no_service; /* the NetworkService is not there */
    const char *cpu; /* request of the server */
    bool loop;       /* the last pass-through leads back to the first */
} ChainSpec;

static ChainSpec
chain_spec(guint n_passes)
{
    ChainSpec spec = {.client = {"client", NULL},
                      .server = {"server", NULL},
                      .payload = "ETHERNET",
                      .request_timeout = "15s",
                      .init = true,
                      .cpu = "100m"};
    spec.n_passes = n_passes;
    for (guint i = 0; i < n_passes; i++) {
        g_snprintf(spec.passes[i].name, sizeof spec.passes[i].name, "p%u", i + 1);
    }
    return spec;
}

static void
append_pod_head(GString *text, const ChainPod *pod)
{
    g_string_append_printf(text,
                           "---\napiVersion: v1\nkind: Pod\nmetadata:\n  name: %s\n"
                           "  namespace: test\n  labels: {spiffe.io/spiffe-id: \"true\"}\nspec:\n"
                           "  volumes:\n"
                           "  - {name: spire, hostPath: {path: /run/spire/sockets}}\n"
                           "  - {name: nsm, hostPath: {path: /var/lib/networkservicemesh}}\n",
                           pod->name);
    if (pod->node != NULL) {
        g_string_append_printf(text, "  nodeName: %s\n", pod->node);
    }
}

static void
append_container(GString *text, const char *name, const char *image, const char *cpu,
                 const char *env)
{
    g_string_append_printf(
        text,
        "  - name: %s\n    image: ghcr.io/networkservicemesh/%s:v1.4.0\n"
        "    resources: {requests: {cpu: %s}}\n    env:\n"
        "    - {name: SPIFFE_ENDPOINT_SOCKET, value: \"unix:///run/spire/sockets/agent.sock\"}\n"
        "    - {name: NSM_NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}\n"
        "    - {name: NSM_CONNECT_TO, value: \"unix:///var/lib/networkservicemesh/nsm.io.sock\"}\n"
        "%s"
        "    volumeMounts:\n"
        "    - {name: spire, mountPath: /run/spire/sockets}\n"
        "    - {name: nsm, mountPath: /var/lib/networkservicemesh}\n",
        name, image, cpu, env);
}

static void
append_service(GString *text, const ChainSpec *spec)
{
    if (spec->no_service) {
        return;
    }
    g_string_append_printf(text,
                           "---\napiVersion: networkservicemesh.io/v1\nkind: NetworkService\n"
                           "metadata: {name: chain, namespace: nsm-system}\n"
                           "spec:\n  payload: %s\n  matches:\n",
                           spec->payload);
    for (guint i = 0; i < spec->n_passes; i++) {
        bool last = i + 1 == spec->n_passes;
        const char *to = last ? (spec->loop ? "p1" : "server") : spec->passes[i + 1].name;
        g_string_append_printf(text,
                               "  - source_selector: {app: %s}\n    routes:\n"
                               "    - destination_selector: {app: %s}\n",
                               spec->passes[i].name, spec->missing == i + 2 ? "nobody" : to);
    }
    g_string_append_printf(text, "  - routes:\n    - destination_selector: {app: %s}\n",
                           spec->missing == 1   ? "nobody"
                           : spec->n_passes > 0 ? "p1"
                                                : "server");
}

static void
append_endpoints(GString *text, const ChainSpec *spec)
{
    for (guint i = 0; i < spec->n_passes; i++) {
        g_autofree char *env = g_strdup_printf("    - {name: NSM_SERVICE_NAME, value: chain}\n"
                                               "    - {name: NSM_LABELS, value: \"app:%s\"}\n",
                                               spec->passes[i].name);
        append_pod_head(text, &spec->passes[i]);
        g_string_append(text, "  containers:\n");
        append_container(text, "nse", "cmd-nse-firewall-vpp", "150m", env);
    }
    append_pod_head(text, &spec->server);
    g_string_append(text, "  containers:\n");
    append_container(text, "nse", "cmd-nse-icmp-responder", spec->cpu,
                     "    - {name: NSM_SERVICE_NAMES, value: chain}\n"
                     "    - {name: NSM_REGISTER_SERVICE, value: \"false\"}\n"
                     "    - {name: NSM_LABELS, value: \"app:server\"}\n"
                     "    - {name: NSM_CIDR_PREFIX, value: 172.16.1.100/31}\n");
}

static void
append_client(GString *text, const ChainSpec *spec)
{
    g_autofree char *env =
        g_strdup_printf("    - {name: NSM_NETWORK_SERVICES, value: \"%s://chain/nsm-1\"}\n"
                        "    - {name: NSM_REQUEST_TIMEOUT, value: %s}\n",
                        spec->memif_client ? "memif" : "kernel", spec->request_timeout);
    append_pod_head(text, &spec->client);
    if (spec->init) {
        g_string_append(text, "  initContainers:\n");
        append_container(text, "nsc-init", "cmd-nsc-init", "100m", env);
    }
    g_string_append(text, "  containers:\n");
    append_container(text, "nsc", "cmd-nsc", "100m", env);
}

/* Writes NAME.yaml, a scenario of `n_nodes` nodes node-1, node-2, ...: the endpoints are submitted
 * at 80 s, the client at 120 s, `more` (a manifest's text, or NULL) at `more_at`.  Returns its
 * path. */
static char *
write_chain(const char *name, const ChainSpec *spec, guint n_nodes, const char *more,
            const char *more_at)
{
    g_autoptr(GString) endpoints = g_string_new(NULL), client = g_string_new(NULL);
    g_string_append(endpoints, "apiVersion: v1\nkind: Namespace\nmetadata: {name: test}\n");
    append_service(endpoints, spec);
    append_endpoints(endpoints, spec);
    append_client(client, spec);
    scratch_write("endpoints.yaml", endpoints->str);
    scratch_write("client.yaml", client->str);
    g_autoptr(GString) text = g_string_new(NULL);
    g_string_append_printf(text,
                           "apiVersion: vwire/v1alpha1\nkind: Scenario\nmetadata: {name: %s}\n"
                           "spec:\n  duration: 200s\n  calibration: configs/testbed-2022.yaml\n"
                           "  cluster:\n    nodes:\n"
                           "    - {name: node, count: %u, allocatable: {cpu: 8, memory: 32Gi}}\n"
                           "    defaultLink: {rate: 1gbit, latency: 150us}\n  manifests:\n"
                           "  - path: scenarios/manifests/spire\n"
                           "  - {path: scenarios/manifests/nsm-v1.4.0, startTime: 40s}\n"
                           "  - {path: endpoints.yaml, startTime: 80s}\n"
                           "  - {path: client.yaml, startTime: 120s}\n",
                           name, n_nodes);
    if (more != NULL) {
        scratch_write("more.yaml", more);
        g_string_append_printf(text, "  - {path: more.yaml, startTime: %s}\n", more_at);
    }
    g_autofree char *file = g_strdup_printf("%s.yaml", name);
    scratch_write(file, text->str);
    return scratch_path(file);
}

/* ---- paths ---- */

/* The Pods of a walk, without their generated suffixes: "client firewall nse". */
static char *
pods_of_walk(const GArray *hops)
{
    GString *text = g_string_new(NULL);
    for (guint i = 0; i < hops->len; i++) {
        const DataPlaneHop *hop = &g_array_index(hops, DataPlaneHop, i);
        if (hop->kind == HOP_POD) {
            g_string_append_printf(text, "%s%s", text->len > 0 ? " " : "",
                                   strrchr(hop->owner, '/') + 1);
        }
    }
    return g_string_free(text, false);
}

static GArray *
walk_from(Deploy *deploy, const char *port)
{
    DataPlane *plane = world_dataplane(deploy->world);
    return plane->class->walk(plane, port);
}

static GArray *
walk_of_chain(Deploy *deploy, guint i)
{
    const Chain *chain = g_ptr_array_index(deploy->chains->chains, i);
    g_autoptr(GPtrArray) keys = object_pod_keys(chain->client);
    g_autofree char *port =
        g_strdup_printf("%s/%s", (char *)g_ptr_array_index(keys, 0), chain->interface);
    return walk_from(deploy, port);
}

static const struct {
    const char *file;
    const char *pods[7];
} testbeds[] = {
    {VIDEO, {"nsc-kernel-", "nse-firewall-vpp-", "nse-kernel-"}},
    {LONG,
     {"nsc-kernel-", "nse-firewall-vpp-", "nse-passthrough-1-", "nse-passthrough-2-",
      "nse-passthrough-3-", "nse-kernel-"}},
};

START_TEST(every_v_wire_of_the_testbeds_chains_is_in_place_in_the_declared_order)
{
    for (uint32_t replication = 0; replication < 5; replication++) {
        g_autoptr(Deploy) deploy = deploy_new(testbeds[_i].file, 1, replication);
        run_all(deploy);
        g_autoptr(Outcome) outcome = outcome_of(deploy);
        ck_assert_uint_eq(outcome->chains->len, 1);
        const ChainOutcome *chain = g_ptr_array_index(outcome->chains, 0);
        ck_assert_msg(chain->problem == NULL, "%s", chain->problem);
        ck_assert(chain->ready);
        ck_assert_uint_eq(outcome->problems->len, 0);
        g_autoptr(GArray) hops = walk_of_chain(deploy, 0);
        g_autofree char *pods = pods_of_walk(hops);
        g_auto(GStrv) names = g_strsplit(pods, " ", -1);
        for (guint i = 0; testbeds[_i].pods[i] != NULL; i++) {
            ck_assert_ptr_nonnull(names[i]);
            ck_assert_msg(g_str_has_prefix(names[i], testbeds[_i].pods[i]), "Pod %u is %s", i,
                          names[i]);
            ck_assert(testbeds[_i].pods[i + 1] != NULL || names[i + 1] == NULL);
        }
    }
}
END_TEST

START_TEST(frames_find_their_way_back)
{
    g_autoptr(Deploy) deploy = deploy_new(testbeds[_i].file, 1, 0);
    run_all(deploy);
    g_autoptr(GArray) forth = walk_of_chain(deploy, 0);
    const DataPlaneHop *first = &g_array_index(forth, DataPlaneHop, 0);
    const DataPlaneHop *last = &g_array_index(forth, DataPlaneHop, forth->len - 1);
    g_autoptr(GArray) back = walk_from(deploy, last->port_in);
    ck_assert_uint_eq(back->len, forth->len);
    ck_assert_str_eq(g_array_index(back, DataPlaneHop, back->len - 1).owner, first->owner);
    ck_assert_str_eq(g_array_index(back, DataPlaneHop, back->len - 1).port_in, first->port_out);
}
END_TEST

/* connect.Server calls the next hop first and continues after its answer (FACTS 1.1): so the
 * forwarders finish in the opposite order of the walk. */
START_TEST(downstream_interfaces_are_programmed_before_upstream_ones)
{
    g_autoptr(Deploy) deploy = deploy_new(testbeds[_i].file, 1, 0);
    run_all(deploy);
    g_autoptr(GPtrArray) done = g_ptr_array_new();
    const Mark *mark = NULL;
    for (guint n = 0; (mark = find_mark(deploy, TRACE_XCONNECT_DONE, NULL, n)) != NULL; n++) {
        g_ptr_array_add(done, mark->process);
    }
    g_autoptr(GArray) hops = walk_of_chain(deploy, 0);
    guint n_seen = 0;
    for (guint i = 0; i < hops->len; i++) {
        const DataPlaneHop *hop = &g_array_index(hops, DataPlaneHop, i);
        if (hop->kind != HOP_FORWARDER) {
            continue;
        }
        n_seen++;
        ck_assert_uint_ge(done->len, n_seen);
        /* direct memifs have no hop of the forwarder's: only the ends can be compared then */
        if (_i == 0 || n_seen <= 2) {
            const char *process = g_ptr_array_index(done, done->len - n_seen);
            ck_assert_msg(g_str_has_prefix(process, hop->owner), "%s is %u-last, not %s", process,
                          n_seen, hop->owner);
        }
    }
    ck_assert_uint_ge(n_seen, 3);
    const Mark *request = find_mark(deploy, TRACE_REQUEST_DONE, NULL, 0);
    mark = find_mark(deploy, TRACE_XCONNECT_DONE, NULL, done->len - 1);
    ck_assert_ptr_nonnull(request);
    ck_assert_int_gt(request->at, mark->at);
}
END_TEST

START_TEST(a_client_is_ready_only_after_its_request_and_the_request_after_the_registrations)
{
    g_autoptr(Deploy) deploy = deploy_new(testbeds[_i].file, 1, 0);
    run_all(deploy);
    const Mark *request = find_mark(deploy, TRACE_REQUEST_DONE, NULL, 0);
    ck_assert_ptr_nonnull(request);
    g_autoptr(GPtrArray) keys =
        object_pod_keys(((const Chain *)g_ptr_array_index(deploy->chains->chains, 0))->client);
    const Mark *ready = find_mark(deploy, TRACE_POD_READY, g_ptr_array_index(keys, 0), 0);
    ck_assert_ptr_nonnull(ready);
    ck_assert_int_gt(ready->at, request->at);
    const Mark *registered = NULL;
    for (guint n = 0; (registered = find_mark(deploy, TRACE_REGISTERED, NULL, n)) != NULL; n++) {
        ck_assert_int_lt(registered->at, request->at);
    }
}
END_TEST

/* Each stage of a Pod comes after the one before it. */
START_TEST(the_stages_of_every_pod_follow_each_other)
{
    g_autoptr(Deploy) deploy = deploy_new(testbeds[_i].file, 1, 0);
    run_all(deploy);
    const GPtrArray *pods = timeline_pods(deploy->timeline);
    ck_assert_uint_ge(pods->len, 12);
    for (guint i = 0; i < pods->len; i++) {
        const PodTimes *pod = g_ptr_array_index(pods, i);
        const nsec_t stages[] = {pod->created, pod->scheduled, pod->volumes,
                                 pod->sandbox, pod->started,   pod->ready};
        for (guint k = 1; k < G_N_ELEMENTS(stages); k++) {
            ck_assert_msg(stages[k] != NSEC_NEVER, "%s never came to stage %u", pod->key, k);
            ck_assert_msg(stages[k] >= stages[k - 1], "%s: stage %u is early", pod->key, k);
        }
        ck_assert_int_ge(pod->initialized, pod->scheduled);
        ck_assert_int_le(pod->initialized, pod->ready);
    }
}
END_TEST

/* ---- the registry's look-ups ---- */

static struct {
    const MachineClass *class; /* the registry's own */
    guint n_finds, n_registers;
} counted;

static void
count_step(Machine *machine, const Input *input, Actions *actions)
{
    if (input->kind == INPUT_REQUEST) {
        MessageType type = input->message->type;
        counted.n_finds += type == MESSAGE_REGISTRY_FIND_NS || type == MESSAGE_REGISTRY_FIND_NSE;
        counted.n_registers += type == MESSAGE_REGISTRY_REGISTER;
    }
    counted.class->step(machine, input, actions);
}

static void
count_free(Machine *machine)
{
    counted.class->free(machine);
}

static const MachineClass count_class = {COMPONENT_REGISTRY, count_step, count_free};

/* From now on, what the registry is asked for is counted. */
static void
count_registry(Deploy *deploy)
{
    for (guint i = 0; i < deploy->world->processes->len; i++) {
        const Process *process = g_ptr_array_index(deploy->world->processes, i);
        if (process->info->component == COMPONENT_REGISTRY) {
            counted.class = process->machine->class;
            process->machine->class = &count_class;
            return;
        }
    }
    ck_abort_msg("there is no registry");
}

/* Runs on, a millisecond at a time, until the n-th Request of the client has been answered. */
static void
run_until_request(Deploy *deploy, guint n)
{
    while (find_mark(deploy, TRACE_REQUEST_DONE, NULL, n) == NULL) {
        nsec_t now = engine_now(world_engine(deploy->world));
        ck_assert_int_lt(now, deploy->scenario->duration);
        world_run(deploy->world, now + NSEC_PER_MSEC);
    }
}

/* FACTS 1.8: the first Request looks up 4 times over a local link, 7 times over a remote one. */
static const struct {
    guint n_passes;
    const char *nodes[4]; /* client, pass-throughs, server */
    guint n_finds;
} lookups[] = {
    {0, {"node-1", "node-1"}, 4},
    {0, {"node-1", "node-2"}, 7},
    {1, {"node-1", "node-1", "node-1"}, 4 + 4},
    {1, {"node-1", "node-2", "node-2"}, 7 + 4},
    {1, {"node-1", "node-2", "node-1"}, 7 + 7},
    {2, {"node-2", "node-2", "node-2", "node-2"}, 4 + 4 + 4},
};

static ChainSpec
placed(guint i)
{
    ChainSpec spec = chain_spec(lookups[i].n_passes);
    spec.client.node = lookups[i].nodes[0];
    for (guint p = 0; p < spec.n_passes; p++) {
        spec.passes[p].node = lookups[i].nodes[p + 1];
    }
    spec.server.node = lookups[i].nodes[spec.n_passes + 1];
    return spec;
}

START_TEST(each_link_of_a_first_request_costs_its_look_ups_in_the_registry)
{
    ChainSpec spec = placed((guint)_i);
    g_autofree char *file = write_chain("lookups", &spec, 2, NULL, NULL);
    g_autoptr(Deploy) deploy = deploy_new(file, 1, 0);
    world_run(deploy->world, 119 * NSEC_PER_SEC); /* every endpoint is registered */
    counted.n_finds = 0;
    count_registry(deploy);
    run_until_request(deploy, 0);
    ck_assert_ptr_null(find_mark(deploy, TRACE_REQUEST_FAILED, NULL, 0));
    ck_assert_uint_eq(counted.n_finds, lookups[_i].n_finds);
}
END_TEST

/* FACTS 1.8: names are pinned then, so that a link costs 2 look-ups, a remote one 4. */
START_TEST(a_request_that_goes_the_known_way_looks_up_less)
{
    ChainSpec spec = placed((guint)_i);
    g_autofree char *file = write_chain("lookups", &spec, 2, NULL, NULL);
    g_autoptr(Deploy) deploy = deploy_new(file, 1, 0);
    world_run(deploy->world, 119 * NSEC_PER_SEC);
    count_registry(deploy);
    run_until_request(deploy, 0);
    counted.n_finds = 0;
    run_until_request(deploy, 1); /* the container nsc takes the connection over */
    guint n_remote = (lookups[_i].n_finds - 4 * (spec.n_passes + 1)) / 3;
    ck_assert_uint_eq(counted.n_finds, 2 * (spec.n_passes + 1) + 2 * n_remote);
}
END_TEST

/* ---- resources ---- */

static guint
n_streams(const World *world)
{
    guint n = 0;
    GHashTableIter iter;
    g_hash_table_iter_init(&iter, world->calls);
    while (g_hash_table_iter_next(&iter, NULL, NULL)) {
        n++;
    }
    return n;
}

START_TEST(a_settled_cluster_gains_neither_processes_nor_calls)
{
    g_autoptr(Deploy) deploy = deploy_new(testbeds[_i].file, 1, 0);
    World *world = deploy->world;
    world_run(world, 300 * NSEC_PER_SEC);
    guint n_processes = world->processes->len, n_calls = n_streams(world);
    size_t bytes = engine_counters(world_engine(world)).n_pending;
    guint n_standing = g_hash_table_size(world->dataplane_ops); /* liveness checks and watches */
    for (int minute = 6; minute < 20; minute++) {
        world_run(world, minute * 60 * NSEC_PER_SEC);
        ck_assert_uint_eq(world->processes->len, n_processes);
        ck_assert_uint_le(n_streams(world), n_calls + 40);
        ck_assert_uint_le(engine_counters(world_engine(world)).n_pending, bytes + 80);
    }
    ck_assert_uint_eq(g_hash_table_size(world->runtime_ops), 0);
    ck_assert_uint_eq(g_hash_table_size(world->dataplane_ops), n_standing);
}
END_TEST

START_TEST(every_container_of_every_pod_is_one_process_and_init_containers_have_ended)
{
    g_autoptr(Deploy) deploy = deploy_new(testbeds[_i].file, 1, 0);
    run_all(deploy);
    g_autoptr(GHashTable) names = g_hash_table_new(g_str_hash, g_str_equal);
    guint n_containers = 0;
    for (guint i = 0; i < deploy->world->processes->len; i++) {
        const ProcessInfo *info =
            ((const Process *)g_ptr_array_index(deploy->world->processes, i))->info;
        ck_assert_msg(g_hash_table_add(names, (char *)info->name), "%s twice", info->name);
        if (info->pod != NULL) {
            ck_assert_uint_ge(info->container_index, info->pod_spec->n_init_containers);
            n_containers++;
        }
    }
    g_autoptr(GArray) usage = world_usage(deploy->world);
    guint n_expected = 0; /* of those that were ever started */
    for (guint i = 0; i < usage->len; i++) {
        const ContainerUsage *one = &g_array_index(usage, ContainerUsage, i);
        n_expected += one->pod != NULL && one->container >= one->pod->n_init_containers;
    }
    ck_assert_uint_eq(n_containers, n_expected);
    ck_assert_uint_ge(n_containers, 15);
    ck_assert_uint_eq(n_containers, g_hash_table_size(deploy->world->containers));
}
END_TEST

static const ContainerSpec *
container_of(const ContainerUsage *usage)
{
    const PodSpec *pod = usage->pod;
    return usage->container < pod->n_init_containers
               ? &pod->init_containers[usage->container]
               : &pod->containers[usage->container - pod->n_init_containers];
}

START_TEST(every_container_uses_cpu_within_its_limit_and_the_memory_it_holds)
{
    g_autoptr(Deploy) deploy = deploy_new(testbeds[_i].file, 1, 0);
    run_all(deploy);
    g_autoptr(GArray) usage = world_usage(deploy->world);
    const Calibration *calibration = deploy->scenario->calibration;
    double all = 0;
    for (guint i = 0; i < usage->len; i++) {
        const ContainerUsage *one = &g_array_index(usage, ContainerUsage, i);
        ck_assert_double_ge(one->cpu, 0);
        ck_assert_double_ge(one->throttled, 0);
        ck_assert_double_le(one->throttled, one->lifetime);
        bool runs = one->pod == NULL || one->container >= one->pod->n_init_containers;
        ck_assert_int_ge(one->memory, runs ? calibration->memory[one->component].start : 0);
        all += one->cpu;
        if (one->pod == NULL || container_of(one)->limits.cpu <= 0) {
            ck_assert_double_eq(one->throttled, 0);
            continue;
        }
        double limit = (double)container_of(one)->limits.cpu / 1000;
        double idle = calibration->idle[one->component] * one->lifetime;
        ck_assert_msg(one->cpu - idle <= limit * (one->lifetime + 0.2), "%s used %g s",
                      one->process, one->cpu);
    }
    ck_assert_double_gt(all, 1);
}
END_TEST

static int64_t
memory_of(const Deploy *deploy, Component component)
{
    int64_t sum = 0;
    g_autoptr(GArray) usage = world_usage(deploy->world);
    for (guint i = 0; i < usage->len; i++) {
        const ContainerUsage *one = &g_array_index(usage, ContainerUsage, i);
        sum += one->component == component ? one->memory : 0;
    }
    return sum;
}

START_TEST(managers_and_forwarders_hold_memory_for_the_connections_of_a_chain)
{
    g_autoptr(Deploy) deploy = deploy_new(VIDEO, 1, 0);
    const Calibration *calibration = deploy->scenario->calibration;
    world_run(deploy->world, 149 * NSEC_PER_SEC); /* before the chain */
    int64_t manager = memory_of(deploy, COMPONENT_NSMGR);
    int64_t forwarder = memory_of(deploy, COMPONENT_FORWARDER);
    run_all(deploy);
    /* a remote link goes through both nodes, a local one through one (FACTS 1.1): 3 hops */
    ck_assert_int_ge(memory_of(deploy, COMPONENT_NSMGR) - manager,
                     3 * calibration->memory[COMPONENT_NSMGR].connection);
    ck_assert_int_eq(memory_of(deploy, COMPONENT_FORWARDER) - forwarder,
                     3 * calibration->memory[COMPONENT_FORWARDER].connection);
}
END_TEST

/* ---- determinism ---- */

START_TEST(the_same_seed_tells_the_same_story_and_another_one_does_not)
{
    g_autofree char *stories[4] = {NULL};
    const uint64_t seeds[] = {1, 1, 2, 1};
    const uint32_t replications[] = {0, 0, 0, 1};
    for (int i = 0; i < 4; i++) {
        g_autoptr(Deploy) deploy = deploy_new(VIDEO, seeds[i], replications[i]);
        run_all(deploy);
        stories[i] = tell(deploy, NSEC_NEVER);
    }
    ck_assert_str_eq(stories[0], stories[1]);
    ck_assert_str_ne(stories[0], stories[2]);
    ck_assert_str_ne(stories[0], stories[3]);
    ck_assert_str_ne(stories[2], stories[3]);
    for (int i = 1; i < 4; i++) {
        g_free(stories[i]);
    }
}
END_TEST

START_TEST(a_run_in_many_steps_tells_the_story_of_a_run_in_one)
{
    g_autoptr(Deploy) one = deploy_new(VIDEO, 1, 0), many = deploy_new(VIDEO, 1, 0);
    run_all(one);
    for (nsec_t t = 0; t < many->scenario->duration; t += 37 * NSEC_PER_MSEC) {
        world_run(many->world, t);
    }
    run_all(many);
    g_autofree char *first = tell(one, NSEC_NEVER), *second = tell(many, NSEC_NEVER);
    ck_assert_str_eq(first, second);
}
END_TEST

static void
check_same_series(const Study *a, const Study *b)
{
    ck_assert_uint_eq(a->series->len, b->series->len);
    for (guint i = 0; i < a->series->len; i++) {
        const MetricSeries *one = g_ptr_array_index(a->series, i);
        const MetricSeries *other = g_ptr_array_index(b->series, i);
        ck_assert_str_eq(one->metric, other->metric);
        ck_assert_uint_eq(one->values->len, other->values->len);
        ck_assert_mem_eq(one->values->data, other->values->data, one->values->len * sizeof(double));
    }
}

START_TEST(replications_are_the_same_whatever_the_number_of_jobs)
{
    g_autoptr(Scenario) scenario = load(VIDEO);
    g_autoptr(Chains) chains = chains_find(scenario);
    const guint jobs[] = {1, 2, 7};
    g_autoptr(Study) first = NULL;
    for (guint i = 0; i < G_N_ELEMENTS(jobs); i++) {
        ReplicateOptions options = {.seed = 5, .count = 8, .only = -1, .jobs = jobs[i]};
        g_autoptr(Study) study = replicate(scenario, chains, &options, NULL);
        ck_assert_ptr_nonnull(study);
        ck_assert_uint_eq(study->outcomes->len, 8);
        if (first == NULL) {
            first = g_steal_pointer(&study);
        } else {
            check_same_series(first, study);
        }
    }
}
END_TEST

START_TEST(one_replication_alone_is_the_same_as_among_others)
{
    g_autoptr(Scenario) scenario = load(VIDEO);
    g_autoptr(Chains) chains = chains_find(scenario);
    ReplicateOptions all = {.seed = 5, .count = 4, .only = -1};
    ReplicateOptions third = {.seed = 5, .only = 3};
    g_autoptr(Study) four = replicate(scenario, chains, &all, NULL);
    g_autoptr(Study) one = replicate(scenario, chains, &third, NULL);
    ck_assert_uint_eq(one->outcomes->len, 1);
    ck_assert_uint_eq(((const Outcome *)g_ptr_array_index(one->outcomes, 0))->replication, 3);
    const char *metric = "sfc_init_seconds{chain=\"sfc-sc-chain\"}";
    const MetricSeries *whole = study_series(four, metric), *alone = study_series(one, metric);
    ck_assert_double_eq(g_array_index(whole->values, double, 3),
                        g_array_index(alone->values, double, 0));
}
END_TEST

#define UNRELATED                                                                                  \
    "apiVersion: v1\nkind: Pod\nmetadata: {name: unrelated, namespace: default}\n"                 \
    "spec:\n  nodeName: node-3\n  containers: [{name: main, image: \"nginx:1.0\"}]\n"

START_TEST(an_unrelated_pod_changes_nothing_that_was_before_it)
{
    ChainSpec spec = placed(3);
    g_autofree char *without = write_chain("without", &spec, 3, NULL, NULL);
    g_autofree char *with = write_chain("with", &spec, 3, UNRELATED, "150s");
    g_autoptr(Deploy) one = deploy_new(without, 1, 0), other = deploy_new(with, 1, 0);
    run_all(one);
    run_all(other);
    ck_assert_ptr_nonnull(find_mark(other, TRACE_POD_READY, "default/unrelated", 0));
    g_autofree char *first = tell(one, 150 * NSEC_PER_SEC);
    g_autofree char *second = tell(other, 150 * NSEC_PER_SEC);
    ck_assert_str_eq(first, second);
}
END_TEST

/* What an entity draws for itself, and alone on its node shares with nobody: its sandbox and CNI.
 * When things happen may shift a little, as all share the API server. */
START_TEST(an_unrelated_pod_does_not_change_what_another_entity_draws)
{
    ChainSpec spec = placed(3);
    g_autofree char *without = write_chain("without", &spec, 3, NULL, NULL);
    g_autofree char *with = write_chain("with", &spec, 3, UNRELATED, "100s");
    g_autoptr(Deploy) one = deploy_new(without, 1, 0), other = deploy_new(with, 1, 0);
    run_all(one);
    run_all(other);
    const PodTimes *before = timeline_pod(one->timeline, "test/client");
    const PodTimes *after = timeline_pod(other->timeline, "test/client");
    ck_assert_ptr_nonnull(before);
    ck_assert_ptr_nonnull(after);
    ck_assert_ptr_nonnull(timeline_pod(other->timeline, "default/unrelated"));
    ck_assert_int_eq(after->sandbox - after->volumes, before->sandbox - before->volumes);
    ck_assert_int_ne(before->sandbox - before->volumes, 0);
}
END_TEST

/* ---- restarts ---- */

/* MonitorConnections within 1 ms is not to be had: cmd-nsc exits (FACTS 1.11) and the kubelet
 * restarts it at once, then after 10 s, 20 s, 40 s ... (FACTS 3.1). */
START_TEST(a_container_that_crashes_is_restarted_with_the_kubelets_back_off)
{
    ChainSpec spec = chain_spec(0);
    spec.init = false;
    spec.request_timeout = "1ms";
    g_autofree char *file = write_chain("crash", &spec, 1, NULL, NULL);
    g_autoptr(Deploy) deploy = deploy_new(file, 1, 0);
    world_run(deploy->world, 400 * NSEC_PER_SEC);
    static const double backoffs[] = {0, 10, 20, 40};
    for (guint i = 0; i < G_N_ELEMENTS(backoffs); i++) {
        const Mark *exited = find_mark(deploy, TRACE_CONTAINER_EXITED, "test/client/nsc", i);
        const Mark *again = find_mark(deploy, TRACE_CONTAINER_STARTED, "test/client/nsc", i + 1);
        ck_assert_ptr_nonnull(exited);
        ck_assert_ptr_nonnull(again);
        ck_assert_str_eq(exited->detail, "1");
        double wait = nsec_to_seconds(again->at - exited->at);
        ck_assert_msg(wait >= backoffs[i] && wait <= backoffs[i] + 4, "restart %u after %g s", i,
                      wait);
    }
    g_autoptr(Outcome) outcome = outcome_of(deploy);
    ck_assert_ptr_nonnull(((const ChainOutcome *)g_ptr_array_index(outcome->chains, 0))->problem);
}
END_TEST

/* ---- random clusters ---- */

typedef enum Flaw { FLAW_NONE, FLAW_SELECTOR, FLAW_SERVICE, FLAW_CPU, FLAW_LOOP, N_FLAWS } Flaw;

static guint
below(RandomStream *random, guint n)
{
    return (guint)random_below(random, n);
}

static const char *
random_node(RandomStream *random, guint n_nodes)
{
    static const char *const names[] = {"node-1", "node-2", "node-3", "node-4"};
    return below(random, 4) == 0 ? NULL : names[below(random, n_nodes)];
}

static ChainSpec
random_chain(RandomStream *random, guint n_nodes, Flaw fault)
{
    ChainSpec spec = chain_spec(fault == FLAW_LOOP ? 2 + below(random, 4) : below(random, 6));
    spec.client.node = random_node(random, n_nodes);
    spec.server.node = random_node(random, n_nodes);
    for (guint i = 0; i < spec.n_passes; i++) {
        spec.passes[i].node = random_node(random, n_nodes);
    }
    spec.payload = below(random, 2) == 0 ? "ETHERNET" : "IP";
    spec.missing = fault == FLAW_SELECTOR ? 1 + below(random, spec.n_passes + 1) : 0;
    spec.no_service = fault == FLAW_SERVICE;
    spec.loop = fault == FLAW_LOOP;
    if (fault == FLAW_CPU) {
        spec.cpu = "64";
        spec.server.node = NULL;
    }
    return spec;
}

static char *
expected_pods(const ChainSpec *spec)
{
    GString *text = g_string_new("client");
    for (guint i = 0; i < spec->n_passes; i++) {
        g_string_append_printf(text, " %s", spec->passes[i].name);
    }
    g_string_append(text, " server");
    return g_string_free(text, false);
}

/* Every replication ends with a walk that matches, or says what is wrong: never with neither, and
 * never with both. */
static void
check_verdict(Deploy *deploy, const ChainSpec *spec, Flaw fault)
{
    g_autoptr(Outcome) outcome = outcome_of(deploy);
    ck_assert_uint_eq(outcome->chains->len, 1);
    const ChainOutcome *chain = g_ptr_array_index(outcome->chains, 0);
    g_autoptr(GArray) hops = walk_of_chain(deploy, 0);
    if (fault != FLAW_NONE) {
        ck_assert_msg(chain->problem != NULL, "fault %d: no problem stated, path %s", fault,
                      chain->path);
        ck_assert_str_ne(chain->problem, "");
        ck_assert_uint_gt(outcome->problems->len, 0);
        return;
    }
    ck_assert_msg(chain->problem == NULL, "%u pass-throughs: %s", spec->n_passes, chain->problem);
    g_autofree char *pods = pods_of_walk(hops), *expected = expected_pods(spec);
    ck_assert_str_eq(pods, expected);
    g_autofree char *verdict = chain_check_walk(chain->chain, hops);
    ck_assert_ptr_null(verdict);
    ck_assert_uint_eq(outcome->problems->len, 0);
}

enum { N_RANDOM = 40 };

START_TEST(random_clusters_end_with_a_walk_that_matches_or_a_stated_problem)
{
    RandomStream random;
    random_stream_init(&random, 2022, (uint32_t)_i, "cluster", "shape");
    guint n_nodes = 1 + below(&random, 4);
    Flaw fault = _i % 2 == 0 ? FLAW_NONE : (Flaw)(1 + below(&random, N_FLAWS - 1));
    ChainSpec spec = random_chain(&random, n_nodes, fault);
    g_autofree char *file = write_chain("random", &spec, n_nodes, NULL, NULL);
    g_autoptr(Deploy) deploy = deploy_new(file, random_next_u64(&random) >> 12, 0);
    run_all(deploy);
    check_verdict(deploy, &spec, fault);
}
END_TEST

START_TEST(memif_clients_of_random_clusters_are_connected_too)
{
    RandomStream random;
    random_stream_init(&random, 2023, (uint32_t)_i, "cluster", "shape");
    guint n_nodes = 1 + below(&random, 4);
    ChainSpec spec = random_chain(&random, n_nodes, FLAW_NONE);
    if (spec.n_passes == 0) { /* the server of these chains has no memif */
        return;
    }
    spec.memif_client = true;
    g_autofree char *file = write_chain("random", &spec, n_nodes, NULL, NULL);
    g_autoptr(Deploy) deploy = deploy_new(file, random_next_u64(&random) >> 12, 0);
    run_all(deploy);
    check_verdict(deploy, &spec, FLAW_NONE);
}
END_TEST

START_TEST(the_random_clusters_are_of_every_kind)
{
    guint n[N_FLAWS] = {0};
    for (guint i = 0; i < N_RANDOM; i++) {
        RandomStream random;
        random_stream_init(&random, 2022, i, "cluster", "shape");
        below(&random, 4);
        n[i % 2 == 0 ? FLAW_NONE : 1 + below(&random, N_FLAWS - 1)]++;
    }
    for (int fault = 0; fault < N_FLAWS; fault++) {
        ck_assert_uint_ge(n[fault], 2);
    }
}
END_TEST

/* ---- suite ---- */

static TCase *
new_case(Suite *suite, const char *name)
{
    TCase *tcase = tcase_create(name);
    tcase_add_checked_fixture(tcase, scratch_setup, scratch_teardown);
    suite_add_tcase(suite, tcase);
    return tcase;
}

static Suite *
deploy_suite(void)
{
    Suite *suite = suite_create("deploy");
    int n = G_N_ELEMENTS(testbeds);
    TCase *chains = new_case(suite, "chains");
    tcase_add_loop_test(
        chains, every_v_wire_of_the_testbeds_chains_is_in_place_in_the_declared_order, 0, n);
    tcase_add_loop_test(chains, frames_find_their_way_back, 0, n);
    tcase_add_loop_test(chains, downstream_interfaces_are_programmed_before_upstream_ones, 0, n);
    tcase_add_loop_test(
        chains, a_client_is_ready_only_after_its_request_and_the_request_after_the_registrations, 0,
        n);
    tcase_add_loop_test(chains, the_stages_of_every_pod_follow_each_other, 0, n);

    TCase *registry = new_case(suite, "registry");
    tcase_add_loop_test(registry, each_link_of_a_first_request_costs_its_look_ups_in_the_registry,
                        0, G_N_ELEMENTS(lookups));
    tcase_add_loop_test(registry, a_request_that_goes_the_known_way_looks_up_less, 0,
                        G_N_ELEMENTS(lookups));

    TCase *resources = new_case(suite, "resources");
    tcase_add_loop_test(resources, a_settled_cluster_gains_neither_processes_nor_calls, 0, n);
    tcase_add_loop_test(resources,
                        every_container_of_every_pod_is_one_process_and_init_containers_have_ended,
                        0, n);
    tcase_add_loop_test(resources,
                        every_container_uses_cpu_within_its_limit_and_the_memory_it_holds, 0, n);
    tcase_add_test(resources, managers_and_forwarders_hold_memory_for_the_connections_of_a_chain);

    TCase *determinism = new_case(suite, "determinism");
    tcase_add_test(determinism, the_same_seed_tells_the_same_story_and_another_one_does_not);
    tcase_add_test(determinism, a_run_in_many_steps_tells_the_story_of_a_run_in_one);
    tcase_add_test(determinism, replications_are_the_same_whatever_the_number_of_jobs);
    tcase_add_test(determinism, one_replication_alone_is_the_same_as_among_others);
    tcase_add_test(determinism, an_unrelated_pod_changes_nothing_that_was_before_it);
    tcase_add_test(determinism, an_unrelated_pod_does_not_change_what_another_entity_draws);

    TCase *restarts = new_case(suite, "restarts");
    tcase_add_test(restarts, a_container_that_crashes_is_restarted_with_the_kubelets_back_off);

    TCase *clusters = new_case(suite, "random clusters");
    tcase_add_loop_test(clusters, random_clusters_end_with_a_walk_that_matches_or_a_stated_problem,
                        0, N_RANDOM);
    tcase_add_loop_test(clusters, memif_clients_of_random_clusters_are_connected_too, 0, 20);
    tcase_add_test(clusters, the_random_clusters_are_of_every_kind);
    return suite;
}

int
main(void)
{
    SRunner *runner = srunner_create(deploy_suite());
    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
