/* The scenario file (docs/SCENARIOS.md): what to run, on which cluster, how often.
 *
 * Strict: an unknown key, a wrong type or unit, or a reference to nothing is an error with
 * file:line:column, the offending text and, where one is near, a "did you mean".
 * Loading reads the manifests and the calibration too, so that a loaded scenario is complete and
 * immutable; replications share it. */
#pragma once

#include "models/acl.h"
#include "models/calibration.h"
#include "models/fault.h"
#include "models/manifest/kustomize.h"
#include "models/manifest/objects.h"
#include "models/threshold.h"
#include "models/traffic.h"

/* One node of spec.cluster.nodes.  An entry with `count: N` stands for N equal nodes named
 * "<name>-1" to "<name>-N" (for large clusters).  `labels` always has what a kubelet and kubeadm
 * set: kubernetes.io/hostname, kubernetes.io/os, and for control-plane nodes
 * node-role.kubernetes.io/control-plane; the file's labels win.  `kernelVersion` (as in kubectl get
 * node -o yaml) decides how CFS periods are aligned, `cfsPhase` fixes where they begin. */
typedef struct ScenarioNode {
    char *name;
    bool control_plane;
    int64_t cpu;    /* allocatable, milli-cores */
    int64_t memory; /* allocatable, bytes */
    int64_t pods;
    int kernel;       /* 1000 * major + minor of kernelVersion; 0: not given */
    nsec_t cfs_phase; /* when CFS periods begin; negative: drawn for each replication */
    Labels labels;
    Toleration *taints; /* key, value, effect */
    guint n_taints;
    TreeMark mark;
} ScenarioNode;

/* A point-to-point link, "node:interface" at each end; at most one per pair of nodes.  Every pair
 * without a link of its own uses the scenario's `default_link` (spec.cluster.defaultLink), which
 * has no ends; loading makes sure that one of the two is there. */
typedef struct ScenarioLink {
    char *node_a, *interface_a;
    char *node_b, *interface_b;
    int64_t rate; /* bit/s; 0: unlimited */
    nsec_t latency;
    nsec_t jitter;
    double loss;
    TreeMark mark;
} ScenarioLink;

/* One entry of spec.manifests: everything below `path`, submitted at `start_time` by one
 * `kubectl apply` (an addition to the format: without it everything is submitted at 0). */
typedef struct ScenarioManifest {
    char *path;     /* as written */
    char *resolved; /* where it was found: see ScenarioOptions */
    nsec_t start_time;
    GPtrArray *objects; /* Object *, in the order of submission; owned */
    TreeMark mark;
} ScenarioManifest;

typedef struct ScenarioThreshold {
    char *metric; /* as written: name{label="value"} */
    char *text;   /* "avg<8.5" */
    Threshold threshold;
    TreeMark mark;
} ScenarioThreshold;

/* What was measured elsewhere, printed beside what is simulated (an addition to the format). */
typedef struct ScenarioReference {
    char *metric; /* key with labels, as results write it */
    double mean;  /* base unit of the metric */
    double min;   /* NAN: not known; so max */
    double max;
    char *source;
} ScenarioReference;

/* The rules of the firewall in a Pod or workload. */
typedef struct ScenarioAcl {
    const Object *object;
    Acl *acl;
} ScenarioAcl;

typedef struct ScenarioReplications {
    int count;
    bool seed_set_repetition; /* common random numbers, the default */
    double confidence;
    double relative_precision; /* 0: fixed count */
    int max;
} ScenarioReplications;

typedef struct Scenario {
    char *file;
    char *name;
    Labels labels;
    nsec_t duration;
    Calibration *calibration;
    ScenarioNode *nodes;
    guint n_nodes;
    ScenarioLink *links;
    guint n_links;
    ScenarioLink default_link; /* meaningful only with has_default_link */
    bool has_default_link;
    ScenarioManifest *manifests;
    guint n_manifests;
    ScenarioAcl *acls; /* in the order of the manifests; of firewalls that have rules */
    guint n_acls;
    Fault *faults;
    guint n_faults;
    Traffic *traffic;
    guint n_traffic;
    nsec_t fast_forward;  /* spec.fastForward.after: how long all must have been well before calm
                             time is skipped; 0: never */
    uint64_t fingerprint; /* spec.fingerprint: of replication 0, seed 1; 0: none */
    ScenarioReplications replications;
    ScenarioThreshold *thresholds;
    guint n_thresholds;
    ScenarioReference *references;
    guint n_references;
    char *output_dir; /* with ${scenario} already replaced */
    bool output_events;
    bool output_runs;
    bool output_usage;
    nsec_t scrape_interval; /* of usage.csv; twice that is how long idle takes to settle */
    GPtrArray *warnings;    /* char *: "file:line:column: ..." */
} Scenario;

/* Relative paths in a scenario are looked up in the working directory, then in the directory of
 * the scenario file, then in each root; the first that exists is taken. */
typedef struct ScenarioOptions {
    const GArray *maps;       /* ManifestMap; may be NULL */
    const char *const *sets;  /* "PATH=VALUE", NULL-terminated; may be NULL */
    const char *const *roots; /* directories, NULL-terminated; may be NULL */
} ScenarioOptions;

/* `--set` paths: a scenario field ("spec.duration", "duration"), "calibration.<key>", or a
 * manifest field "kind/name:field.path" as in SCENARIO.md ("daemonset/forwarder-vpp:
 * resources.limits.cpu" with a short path meaning the Pod template's first container, or a full
 * path "spec.template.spec.containers[0]...").  `options` may be NULL. */
Scenario *scenario_load(const char *file, const ScenarioOptions *options, GError **error);
void scenario_free(Scenario *scenario);

/* The rules of the firewall that a Pod or workload is, or that a Pod "namespace/name" belongs to;
 * NULL: it filters nothing.  They come from the container's config file (NSM_ACL_CONFIG_PATH) as
 * far as it is a ConfigMap among the manifests; loading warns where the file is something else. */
const Acl *scenario_acl(const Scenario *scenario, const Object *object);
const Acl *scenario_acl_of_pod(const Scenario *scenario, const char *pod_key);

/* The fault of that name, or NULL. */
const Fault *scenario_fault(const Scenario *scenario, const char *name);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Scenario, scenario_free)
