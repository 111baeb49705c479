/* Random clusters, chains and faults, as scenario files.
 *
 * Case number N is a function of N alone.  Its files are written into the test's scratch directory
 * and read by the real reader, so that `vwire run` replays them (from the repository's root).
 *
 * A case has 1 to 5 nodes (node-1 is the control plane and runs the SPIRE server), one version of
 * NSM, 1 to 3 chains c1, c2, ... of Deployments in the namespace "test", and 1 to 6 faults that
 * begin between 40 s and 110 s.  Faults that repeat go on for ever in the scenario's file; the test
 * takes their strikes away at LAST_STRIKE. */
#pragma once

#include "base/random.h"
#include "tests/models/scratch.h"

#define LAST_STRIKE 120 /* s */
#define MAX_NODES 5
#define MAX_CHAINS 3
#define MAX_PASSES 4

typedef struct CasePod {
    char name[24];
    int node; /* from 1; 0: the scheduler chooses */
    guint replicas;
    bool too_large; /* no node can hold it */
} CasePod;

typedef struct CaseChain {
    CasePod client, server, passes[MAX_PASSES];
    guint n_passes;
    bool memif_client, memif_server;
    bool init;
    bool liveness;
    const char *payload;
} CaseChain;

typedef struct FaultCase {
    guint number;
    RandomStream random;
    guint n_nodes;
    const char *version;
    bool per_pod_identity;
    guint n_chains;
    CaseChain chains[MAX_CHAINS];
    guint n_faults;
    bool lost[MAX_NODES + 1]; /* nodes that take no new Pods after the faults */
    bool repeats;             /* some fault goes on until it is stopped */
    GHashTable *taken;        /* what a fault acts on already: faults that meet are refused */
    GString *faults;
    char *path;
    uint64_t seed;
} FaultCase;

static inline guint
below(FaultCase *c, guint n)
{
    return (guint)random_below(&c->random, n);
}

static inline guint
between(FaultCase *c, guint from, guint to)
{
    return from + below(c, to - from + 1);
}

static inline bool
chance(FaultCase *c, guint percent)
{
    return below(c, 100) < percent;
}

static inline const char *
pick_word(FaultCase *c, const char *const *words, guint n)
{
    return words[below(c, n)];
}
#define PICK(c, ...)                                                                               \
    pick_word(c, (const char *const[]){__VA_ARGS__},                                               \
              sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

/* ---- clusters and chains ---- */

static inline void
choose_pod(FaultCase *c, CasePod *pod, guint chain, const char *what, guint max_replicas)
{
    g_snprintf(pod->name, sizeof pod->name, "c%u-%s", chain + 1, what);
    pod->node = chance(c, 60) ? (int)between(c, 1, c->n_nodes) : 0;
    pod->replicas = chance(c, 60) ? 1 : between(c, 1, max_replicas);
    pod->too_large = chance(c, 1);
}

static inline void
choose_chain(FaultCase *c, guint index)
{
    CaseChain *chain = &c->chains[index];
    chain->n_passes = chance(c, 40) ? 0 : between(c, 1, MAX_PASSES);
    chain->memif_client = chance(c, 25);
    chain->memif_server = chance(c, 25);
    chain->init = chance(c, 50);
    chain->liveness = chance(c, 75);
    if (chain->memif_client && !g_str_equal(c->version, "v1.4.0")) {
        /* "ping is not supported" counts as alive (FACTS 2.3): from v1.6.0 on such a client asks
         * for an endpoint that is gone for ever: scenarios/regression/property-memif-liveness */
        chain->liveness = false;
    }
    chain->payload = PICK(c, "ETHERNET", "IP");
    choose_pod(c, &chain->client, index, "client", 1);
    choose_pod(c, &chain->server, index, "server", 3);
    for (guint i = 0; i < chain->n_passes; i++) {
        g_autofree char *what = g_strdup_printf("p%u", i + 1);
        choose_pod(c, &chain->passes[i], index, what, 2);
    }
}

static inline void
append_head(GString *text, const CasePod *pod)
{
    g_string_append_printf(
        text,
        "---\napiVersion: apps/v1\nkind: Deployment\n"
        "metadata: {name: %s, namespace: test}\nspec:\n  replicas: %u\n"
        "  selector: {matchLabels: {app: %s}}\n  template:\n    metadata:\n"
        "      labels: {app: %s, spiffe.io/spiffe-id: \"true\"}\n    spec:\n      volumes:\n"
        "      - {name: spire, hostPath: {path: /run/spire/sockets}}\n"
        "      - {name: nsm, hostPath: {path: /var/lib/networkservicemesh}}\n",
        pod->name, pod->replicas, pod->name, pod->name);
    if (pod->node != 0) {
        g_string_append_printf(text, "      nodeSelector: {kubernetes.io/hostname: node-%d}\n",
                               pod->node);
    }
}

static inline void
append_container(GString *text, const FaultCase *c, const CasePod *pod, const char *name,
                 const char *image, const char *env)
{
    g_string_append_printf(
        text,
        "      - name: %s\n        image: ghcr.io/networkservicemesh/%s:%s\n"
        "        resources: {requests: {cpu: %s}, limits: {memory: 450Mi}}\n        env:\n"
        "        - {name: SPIFFE_ENDPOINT_SOCKET, value: "
        "\"unix:///run/spire/sockets/agent.sock\"}\n"
        "        - {name: NSM_NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}\n"
        "        - {name: NSM_CONNECT_TO, value: "
        "\"unix:///var/lib/networkservicemesh/nsm.io.sock\"}\n"
        "%s"
        "        volumeMounts:\n"
        "        - {name: spire, mountPath: /run/spire/sockets}\n"
        "        - {name: nsm, mountPath: /var/lib/networkservicemesh}\n",
        name, image, c->version, pod->too_large ? "64" : "50m", env);
}

static inline void
append_service(GString *text, const CaseChain *chain, guint index)
{
    g_string_append_printf(text,
                           "---\napiVersion: networkservicemesh.io/v1\nkind: NetworkService\n"
                           "metadata: {name: chain-%u, namespace: nsm-system}\n"
                           "spec:\n  payload: %s\n  matches:\n",
                           index + 1, chain->payload);
    for (guint i = 0; i < chain->n_passes; i++) {
        bool last = i + 1 == chain->n_passes;
        g_string_append_printf(text,
                               "  - source_selector: {app: %s}\n    routes:\n"
                               "    - destination_selector: {app: %s}\n",
                               chain->passes[i].name,
                               last ? chain->server.name : chain->passes[i + 1].name);
    }
    g_string_append_printf(text, "  - routes:\n    - destination_selector: {app: %s}\n",
                           chain->n_passes > 0 ? chain->passes[0].name : chain->server.name);
}

static inline void
append_endpoints(GString *text, const FaultCase *c, const CaseChain *chain, guint index)
{
    for (guint i = 0; i < chain->n_passes; i++) {
        const CasePod *pod = &chain->passes[i];
        g_autofree char *env =
            g_strdup_printf("        - {name: NSM_SERVICE_NAME, value: chain-%u}\n"
                            "        - {name: NSM_LABELS, value: \"app:%s\"}\n",
                            index + 1, pod->name);
        append_head(text, pod);
        g_string_append(text, "      containers:\n");
        append_container(text, c, pod, "nse", "cmd-nse-firewall-vpp", env);
    }
    g_autofree char *env =
        g_strdup_printf("        - {name: NSM_SERVICE_NAMES, value: chain-%u}\n"
                        "        - {name: NSM_REGISTER_SERVICE, value: \"false\"}\n"
                        "        - {name: NSM_LABELS, value: \"app:%s\"}\n"
                        "        - {name: NSM_CIDR_PREFIX, value: 172.16.%u.0/24}\n",
                        index + 1, chain->server.name, index + 1);
    append_head(text, &chain->server);
    g_string_append(text, "      containers:\n");
    append_container(text, c, &chain->server, "nse",
                     chain->memif_server ? "cmd-nse-icmp-responder-vpp" : "cmd-nse-icmp-responder",
                     env);
}

static inline void
append_client(GString *text, const FaultCase *c, const CaseChain *chain, guint index)
{
    const char *enabled = chain->liveness ? "true" : "false";
    g_autofree char *env =
        g_strdup_printf("        - {name: NSM_NETWORK_SERVICES, value: \"%s://chain-%u/nsm-1\"}\n"
                        "        - {name: NSM_LIVENESS_CHECK_ENABLED, value: \"%s\"}\n"
                        "        - {name: NSM_LIVENESSCHECKENABLED, value: \"%s\"}\n"
                        "        - {name: NSM_REQUEST_TIMEOUT, value: 75s}\n",
                        chain->memif_client ? "memif" : "kernel", index + 1, enabled, enabled);
    append_head(text, &chain->client);
    if (chain->init) {
        g_string_append(text, "      initContainers:\n");
        append_container(text, c, &chain->client, "nsc-init", "cmd-nsc-init", env);
    }
    g_string_append(text, "      containers:\n");
    append_container(text, c, &chain->client, "nsc", "cmd-nsc", env);
}

static inline void
write_chains(const FaultCase *c)
{
    g_autoptr(GString) text =
        g_string_new("apiVersion: v1\nkind: Namespace\nmetadata: {name: test}\n");
    for (guint i = 0; i < c->n_chains; i++) {
        append_service(text, &c->chains[i], i);
        append_endpoints(text, c, &c->chains[i], i);
        append_client(text, c, &c->chains[i], i);
    }
    scratch_write("chains.yaml", text->str);
}

/* The testbed's control plane in the case's version, and its SPIRE with the server on node-1. */
static inline void
write_system(const FaultCase *c)
{
    static const char *const images[] = {"cmd-nsmgr", "cmd-forwarder-vpp", "cmd-registry-k8s",
                                         "cmd-admission-webhook-k8s", "cmd-exclude-prefixes-k8s"};
    g_autofree char *root = g_get_current_dir();
    g_autoptr(GString) nsm = g_string_new("apiVersion: kustomize.config.k8s.io/v1beta1\n"
                                          "kind: Kustomization\nresources:\n");
    g_string_append_printf(nsm, "- %s/scenarios/manifests/nsm-v1.4.0\nimages:\n", root);
    for (guint i = 0; i < G_N_ELEMENTS(images); i++) {
        g_string_append_printf(nsm, "- {name: ghcr.io/networkservicemesh/%s, newTag: %s}\n",
                               images[i], c->version);
    }
    /* many chains need more memory than the testbed's: the question here is not capacity */
    g_string_append(nsm, "patches:\n- target: {kind: DaemonSet, name: nsmgr}\n  patch: |\n"
                         "    - op: replace\n"
                         "      path: /spec/template/spec/containers/0/resources/limits/memory\n"
                         "      value: 600Mi\n"
                         "- target: {kind: Deployment, name: registry-k8s}\n  patch: |\n"
                         "    - op: replace\n"
                         "      path: /spec/template/spec/containers/0/resources/limits/memory\n"
                         "      value: 260Mi\n");
    scratch_write("nsm/kustomization.yaml", nsm->str);
    g_autofree char *spire = g_strdup_printf(
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n"
        "- %s/scenarios/manifests/spire\npatches:\n- target: {kind: StatefulSet}\n  patch: |\n"
        "    - op: add\n      path: /spec/template/spec/nodeSelector\n"
        "      value: {kubernetes.io/hostname: node-1}\n",
        root);
    scratch_write("spire/kustomization.yaml", spire);
}

/* ---- faults ---- */

/* False when another fault acts on it already, and one of the two has fixed times. */
static inline bool
take(FaultCase *c, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *key = g_strdup_vprintf(format, args);
    va_end(args);
    return g_hash_table_add(c->taken, key);
}

/* When: once, on a schedule, or at random.  `longest` seconds of duration; 0: it has none. */
static inline void
append_times(FaultCase *c, guint longest)
{
    guint start = between(c, 40, 110), duration = 0;
    if (longest > 0) {
        duration = between(c, 1, longest);
        g_string_append_printf(c->faults, "    duration: %us\n", duration);
    }
    g_string_append_printf(c->faults, "    startTime: %u.%03us\n", start, below(c, 1000));
    if (chance(c, 20)) {
        guint every = between(c, 8, 40);
        g_string_append_printf(c->faults, "    schedule: \"@every %us\"\n", MAX(duration, every));
        c->repeats = true;
    } else if (chance(c, 15)) {
        g_string_append_printf(c->faults, "    meanTimeBetween: %us\n", between(c, 8, 40));
        c->repeats = true;
    }
}

static inline void
begin_fault(FaultCase *c, const char *kind, const char *action)
{
    g_string_append_printf(c->faults, "  - name: f%u\n    kind: %s\n", ++c->n_faults, kind);
    if (action != NULL) {
        g_string_append_printf(c->faults, "    action: %s\n", action);
    }
}

/* Pods of the system, or of a chain: the keys of a selector. */
static inline char *
random_pods(FaultCase *c)
{
    if (chance(c, 55)) {
        const char *app = PICK(c, "nsmgr", "nsmgr", "forwarder-vpp", "forwarder-vpp",
                               "forwarder-vpp", "registry", "admission-webhook-k8s");
        return g_strdup_printf("{namespaces: [nsm-system], labelSelectors: {app: %s}}", app);
    }
    if (chance(c, 15)) {
        return g_strdup_printf("{namespaces: [spire], labelSelectors: {app: %s}}",
                               PICK(c, "spire-server", "spire-agent"));
    }
    if (chance(c, 8)) {
        return g_strdup(PICK(c, "{namespaces: [test]}", "{namespaces: [nsm-system]}"));
    }
    const CaseChain *chain = &c->chains[below(c, c->n_chains)];
    guint which = below(c, chain->n_passes + 2);
    const CasePod *pod = which == 0   ? &chain->client
                         : which == 1 ? &chain->server
                                      : &chain->passes[which - 2];
    return g_strdup_printf("{namespaces: [test], labelSelectors: {app: %s}}", pod->name);
}

static inline void
append_mode(FaultCase *c)
{
    g_string_append(c->faults, PICK(c, "    mode: one\n", "    mode: one\n", "    mode: all\n",
                                    "    mode: fixed\n    value: \"2\"\n",
                                    "    mode: random-max-percent\n    value: \"70\"\n"));
}

static inline void
add_pod_fault(FaultCase *c)
{
    const char *action = PICK(c, "pod-kill", "pod-kill", "pod-kill", "container-kill",
                              "container-kill", "pod-failure");
    g_autofree char *pods = random_pods(c);
    if (!take(c, "%s %s", action, pods)) {
        return;
    }
    begin_fault(c, "PodChaos", action);
    g_string_append_printf(c->faults, "    selector: %s\n", pods);
    append_mode(c);
    if (g_str_equal(action, "pod-kill")) {
        g_string_append(c->faults, PICK(c, "", "    gracePeriod: 30s\n", "    gracePeriod: 1s\n"));
    }
    append_times(c, g_str_equal(action, "pod-failure") ? 40 : 0);
}

static inline void
append_impairment(FaultCase *c, const char *action)
{
    if (g_str_equal(action, "delay")) {
        g_string_append_printf(c->faults, "    delay: {latency: %ums, jitter: %ums}\n",
                               between(c, 1, 700), below(c, 50));
    } else if (g_str_equal(action, "bandwidth")) {
        g_string_append_printf(c->faults, "    bandwidth: {rate: %ukbit}\n", between(c, 10, 10000));
    } else if (!g_str_equal(action, "partition")) {
        g_string_append_printf(c->faults, "    %s: {%s: \"%u\"}\n", action, action,
                               between(c, 1, 100));
    }
}

static inline void
add_network_fault(FaultCase *c)
{
    const char *action = PICK(c, "partition", "partition", "partition", "loss", "delay",
                              "bandwidth", "duplicate", "corrupt");
    guint node = between(c, 1, c->n_nodes), peer = between(c, 1, c->n_nodes);
    const CasePod *client = &c->chains[below(c, c->n_chains)].client;
    bool wire = c->n_nodes == 1 || chance(c, 40);
    if (!(wire ? take(c, "wire %s", client->name) : take(c, "link"))) {
        return;
    }
    begin_fault(c, "NetworkChaos", action);
    if (wire) {
        g_string_append_printf(c->faults,
                               "    selector: {namespaces: [test], labelSelectors: {app: %s}}\n",
                               client->name);
        g_string_append(c->faults, "    device: nsm-1\n");
    } else {
        g_string_append_printf(c->faults, "    selector: {nodes: [node-%u]}\n", node);
    }
    if (!wire && node != peer && chance(c, 70)) {
        g_string_append_printf(c->faults, "    target: {nodes: [node-%u]}\n", peer);
    }
    append_impairment(c, action);
    append_times(c, chance(c, 50) ? 5 : 40);
}

static inline void
add_stress(FaultCase *c)
{
    g_autofree char *pods = random_pods(c);
    bool memory = chance(c, 50);
    if (!take(c, "stress %d %s", memory, pods)) {
        return;
    }
    begin_fault(c, "StressChaos", NULL);
    g_string_append_printf(c->faults, "    selector: %s\n", pods);
    append_mode(c);
    if (memory) {
        g_string_append_printf(c->faults, "    stressors: {memory: {workers: 1, size: %uMiB}}\n",
                               between(c, 10, 600));
    } else {
        g_string_append_printf(c->faults, "    stressors: {cpu: {workers: %u, load: %u}}\n",
                               between(c, 1, 4), between(c, 10, 100));
    }
    append_times(c, 40);
}

/* What stays: a node that is drained or off without end. */
static inline void
append_node_times(FaultCase *c, guint node, const char *action)
{
    bool ends = !g_str_equal(action, "kubelet-service-kill");
    bool may_stay = g_str_equal(action, "node-drain") || g_str_equal(action, "node-poweroff");
    if (may_stay && chance(c, 15)) {
        c->lost[node] = true;
        g_string_append_printf(c->faults, "    startTime: %us\n", between(c, 40, 110));
        return;
    }
    append_times(c, ends ? 60 : 0);
}

static inline void
add_node_fault(FaultCase *c)
{
    bool control_plane = c->n_nodes == 1 || chance(c, 15);
    guint node = control_plane ? 1 : between(c, 2, c->n_nodes);
    const char *action = control_plane
                             ? PICK(c, "kubelet-service-kill", "node-cpu-hog", "node-taint")
                             : PICK(c, "node-drain", "node-taint", "node-restart", "node-poweroff",
                                    "node-cpu-hog", "kubelet-service-kill");
    if (!take(c, "node %u", node)) {
        return;
    }
    begin_fault(c, "NodeChaos", action);
    g_string_append_printf(c->faults, "    selector: {nodes: [node-%u]}\n", node);
    if (g_str_equal(action, "node-taint")) {
        g_string_append_printf(c->faults, "    taint: {key: chaos, value: \"1\", effect: %s}\n",
                               PICK(c, "NoSchedule", "NoExecute", "PreferNoSchedule"));
    } else if (g_str_equal(action, "node-cpu-hog")) {
        g_string_append_printf(c->faults, "    stressors: {cpu: {workers: %u}}\n",
                               between(c, 1, 40));
    } else if (g_str_equal(action, "node-drain")) {
        g_string_append(c->faults, PICK(c, "", "    gracePeriod: 0\n", "    gracePeriod: 30s\n"));
    }
    append_node_times(c, node, action);
}

static inline void
choose_faults(FaultCase *c)
{
    guint n = between(c, 1, 6);
    for (guint i = 0; i < n; i++) {
        switch (below(c, 10)) {
        case 0:
        case 1:
            add_network_fault(c);
            break;
        case 2:
        case 3:
            add_node_fault(c);
            break;
        case 4:
            add_stress(c);
            break;
        default:
            add_pod_fault(c);
        }
    }
    if (c->n_faults == 0) {
        add_pod_fault(c);
    }
}

/* ---- the scenario ---- */

static inline void
write_scenario(FaultCase *c)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_string_append_printf(text,
                           "apiVersion: vwire/v1alpha1\nkind: Scenario\nmetadata: {name: case-%u}\n"
                           "spec:\n  duration: 30m\n  calibration: configs/testbed-2022%s.yaml\n"
                           "  cluster:\n    nodes:\n",
                           c->number, c->per_pod_identity ? "" : "-static");
    for (guint i = 1; i <= c->n_nodes; i++) {
        g_string_append_printf(
            text, "    - {name: node-%u, roles: [%s], allocatable: {cpu: %u, memory: 32Gi}}\n", i,
            i == 1 ? "control-plane" : "worker", between(c, 8, 40));
    }
    g_string_append_printf(
        text, "    defaultLink: {rate: 1gbit, latency: %uus, jitter: %uus, loss: %g}\n",
        between(c, 50, 2000), below(c, 50), chance(c, 30) ? 0.002 : 0);
    bool late = chance(c, 50); /* kubectl is refused while the webhook starts (FACTS 1.10) */
    g_string_append_printf(text,
                           "  manifests:\n  - path: spire\n"
                           "  - {path: nsm, startTime: 8s}\n"
                           "  - {path: chains.yaml, startTime: %us}\n",
                           late ? 34U : 26U);
    g_string_append_printf(text, "  faults:\n%s", c->faults->str);
    scratch_write("case.yaml", text->str);
    c->path = scratch_path("case.yaml");
}

static inline FaultCase *
fault_case_new(guint number)
{
    FaultCase *c = g_new0(FaultCase, 1);
    c->number = number;
    random_stream_init(&c->random, 2026, number, "fault case", "shape");
    c->n_nodes = between(c, 1, MAX_NODES);
    c->version = PICK(c, "v1.4.0", "v1.4.0", "v1.6.0", "v1.8.0", "v1.14.0");
    c->per_pod_identity = chance(c, 10);
    c->n_chains = chance(c, 50) ? 1 : between(c, 2, MAX_CHAINS);
    for (guint i = 0; i < c->n_chains; i++) {
        choose_chain(c, i);
    }
    c->taken = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    c->faults = g_string_new(NULL);
    choose_faults(c);
    write_system(c);
    write_chains(c);
    write_scenario(c);
    c->seed = random_next_u64(&c->random) >> 12;
    return c;
}

static inline void
fault_case_free(FaultCase *c)
{
    g_hash_table_unref(c->taken);
    g_string_free(c->faults, true);
    g_free(c->path);
    g_free(c);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FaultCase, fault_case_free)
