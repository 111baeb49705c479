/* Kubernetes and NSM objects as the models read them: rendered trees turned into typed structs,
 * with the API server's defaulting applied (FACTS 3.1, 3.6).
 *
 * Fields that no machine reads are not kept.  Every object keeps its mark, so that a scheduler's
 * or a kubelet's complaint can name the manifest's line.  Objects are immutable after
 * `objects_decode` and may be shared between threads.
 *
 * Defaulting (kubernetes pkg/apis/core/v1/defaults.go, SetDefaults_Pod and SetDefaults_Probe):
 * a container limit without request becomes the request; probes: timeout 1 s, period 10 s,
 * success 1, failure 3; grace 30 s; pull policy Always for :latest or no tag, else IfNotPresent;
 * replicas 1; namespace "default"; restartPolicy Always. */
#pragma once

#include "base/nsec.h"
#include "base/tree.h"
#include "models/labels.h"

#define OBJECT_KINDS(X)                                                                            \
    X(POD, "Pod")                                                                                  \
    X(DEPLOYMENT, "Deployment")                                                                    \
    X(DAEMON_SET, "DaemonSet")                                                                     \
    X(STATEFUL_SET, "StatefulSet")                                                                 \
    X(REPLICA_SET, "ReplicaSet")                                                                   \
    X(SERVICE, "Service")                                                                          \
    X(CONFIG_MAP, "ConfigMap")                                                                     \
    X(SECRET, "Secret")                                                                            \
    X(NAMESPACE, "Namespace")                                                                      \
    X(SERVICE_ACCOUNT, "ServiceAccount")                                                           \
    X(MUTATING_WEBHOOK, "MutatingWebhookConfiguration")                                            \
    X(NETWORK_SERVICE, "NetworkService")                                                           \
    X(NETWORK_SERVICE_ENDPOINT, "NetworkServiceEndpoint")                                          \
    X(NODE, "Node")                                                                                \
    X(PASSIVE, "-") /* known kinds that no machine acts on: RBAC, CRDs, ... */                     \
    X(UNKNOWN, "?")

typedef enum ObjectKind {
#define X(name, text) OBJECT_##name,
    OBJECT_KINDS(X)
#undef X
        N_OBJECT_KINDS
} ObjectKind;

const char *object_kind_name(ObjectKind kind);

/* Milli-cores and bytes; RESOURCE_NONE where nothing is set. */
#define RESOURCE_NONE INT64_C(-1)
typedef struct ResourceList {
    int64_t cpu;    /* milli-cores */
    int64_t memory; /* bytes */
} ResourceList;

typedef struct EnvVar {
    char *name;
    char *value;      /* NULL when it comes from a field */
    char *field_path; /* metadata.name, spec.nodeName, status.podIP, ...; NULL for a plain value */
    TreeMark mark;
} EnvVar;

typedef enum ProbeKind { PROBE_NONE, PROBE_EXEC, PROBE_HTTP, PROBE_TCP, PROBE_GRPC } ProbeKind;

typedef struct ProbeSpec {
    ProbeKind kind;
    char *command; /* PROBE_EXEC: the words joined by blanks; others: path or NULL */
    int port;
    nsec_t initial_delay;
    nsec_t timeout;
    nsec_t period;
    int success_threshold;
    int failure_threshold;
} ProbeSpec;

typedef struct ContainerPort {
    char *name; /* NULL: none */
    int container_port;
    int host_port;  /* 0: none */
    char *protocol; /* "TCP" by default */
} ContainerPort;

typedef struct VolumeMount {
    char *volume;
    char *path;
    char *sub_path; /* what of the volume is mounted; NULL: all of it */
} VolumeMount;

typedef struct ContainerSpec {
    char *name;
    char *image;
    bool pull_always;
    char **command; /* command and args, NULL-terminated, possibly empty */
    EnvVar *env;
    guint n_env;
    ContainerPort *ports;
    guint n_ports;
    VolumeMount *mounts;
    guint n_mounts;
    ResourceList requests; /* after defaulting */
    ResourceList limits;
    ProbeSpec startup, readiness, liveness;
    TreeMark mark;
} ContainerSpec;

typedef enum VolumeKind {
    VOLUME_OTHER,
    VOLUME_HOST_PATH,
    VOLUME_CONFIG_MAP,
    VOLUME_SECRET,
    VOLUME_EMPTY_DIR,
    VOLUME_PROJECTED,
} VolumeKind;

/* A key of a ConfigMap or Secret and the file that shows it. */
typedef struct VolumeItem {
    char *key;
    char *path;
} VolumeItem;

typedef struct VolumeSpec {
    char *name;
    VolumeKind kind;
    char *source; /* host path, or the ConfigMap's or Secret's name; NULL otherwise */
    bool optional;
    VolumeItem *items; /* none: every key is a file of its name */
    guint n_items;
    TreeMark mark;
} VolumeSpec;

typedef struct Toleration {
    char *key;   /* NULL: every key (operator Exists) */
    bool exists; /* operator Exists: any value */
    char *value;
    char *effect;   /* NULL: every effect */
    nsec_t seconds; /* NSEC_NEVER: for ever */
} Toleration;

/* A term of node affinity: all requirements must hold; terms are alternatives. */
typedef struct NodeTerm {
    SelectorRequirement *requirements;
    guint n_requirements;
    int weight; /* preferred terms only */
} NodeTerm;

/* A term of Pod (anti-)affinity. */
typedef struct PodTerm {
    bool anti;
    int weight; /* 0: required */
    char *topology_key;
    LabelSelector selector;
    char **namespaces; /* NULL-terminated; empty: the Pod's own */
    TreeMark mark;
} PodTerm;

typedef struct PodSpec {
    Labels labels;
    Labels annotations;
    ContainerSpec *init_containers;
    guint n_init_containers;
    ContainerSpec *containers;
    guint n_containers;
    VolumeSpec *volumes;
    guint n_volumes;
    char *node_name; /* NULL: the scheduler chooses */
    Labels node_selector;
    NodeTerm *node_required;
    guint n_node_required;
    NodeTerm *node_preferred;
    guint n_node_preferred;
    PodTerm *pod_terms;
    guint n_pod_terms;
    Toleration *tolerations;
    guint n_tolerations;
    char *service_account; /* "default" by default */
    char *scheduler_name;
    bool host_network;
    bool restart_always; /* false: Never or OnFailure */
    bool restart_on_failure;
    nsec_t grace_period;
    TreeMark mark;
} PodSpec;

typedef struct WorkloadSpec {
    int64_t replicas; /* DaemonSets: unused */
    LabelSelector selector;
    PodSpec *template;
    bool parallel;      /* StatefulSet podManagementPolicy Parallel */
    char *service_name; /* StatefulSet */
} WorkloadSpec;

typedef struct ServicePort {
    int port;
    int target_port;   /* 0 when target_name is set */
    char *target_name; /* the name of a container's port; NULL: target_port counts */
    int node_port;     /* 0: none */
} ServicePort;

typedef struct ServiceSpec {
    Labels selector;
    ServicePort *ports;
    guint n_ports;
    char *type;
} ServiceSpec;

/* NSM: one route names endpoints by labels; values may be Go templates over the client's labels. */
typedef struct NsRoute {
    Labels destination_selector;
    bool has_weight; /* in the API, never read by the SDK (FACTS 1.4) */
    TreeMark mark;
} NsRoute;

typedef struct NsMatch {
    Labels source_selector;
    NsRoute *routes;
    guint n_routes;
    bool fallthrough;
    bool has_metadata;
    Labels metadata; /* metadata.labels */
    TreeMark mark;
} NsMatch;

typedef struct NetworkServiceSpec {
    char *payload; /* "ETHERNET", "IP" or "" (six upstream examples have none) */
    NsMatch *matches;
    guint n_matches;
} NetworkServiceSpec;

typedef struct WebhookSpec {
    char *service_namespace;
    char *service_name;
    bool fail; /* failurePolicy Fail */
    nsec_t timeout;
    bool matches_pods;      /* some rule covers pods on CREATE */
    bool matches_workloads; /* some rule covers deployments, daemonsets, ... */
    LabelSelector namespace_selector;
} WebhookSpec;

typedef struct Object {
    ObjectKind kind;
    char *kind_text; /* as written, also for UNKNOWN and PASSIVE */
    char *api_version;
    char *ns; /* "" for cluster-scoped kinds */
    char *name;
    Labels labels;
    Labels annotations;
    TreeMark mark;
    union { /* by kind; NULL for the rest and for a webhook configuration without webhooks */
        PodSpec *pod;
        WorkloadSpec *workload;
        ServiceSpec *service;
        NetworkServiceSpec *network_service;
        WebhookSpec *webhook;
        TreeNode *data; /* ConfigMap, Secret: the `data` mapping or NULL */
    };
} Object;

/* Decodes rendered trees.  Unknown kinds and unmodelled fields that change scheduling or
 * networking (SR-IOV resources, topology spread, ...) give a line in `warnings` (char *, may be
 * NULL) with object, file and line; wrong types, bad quantities, negative durations, missing
 * names, selectors that do not match their own template and duplicate objects are errors. */
GPtrArray *objects_decode(const GPtrArray *trees, GPtrArray *warnings, GError **error);
void object_free(Object *object);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Object, object_free)

/* The Pod spec of a Pod, or a workload's template; NULL for other kinds. */
const PodSpec *object_pod_spec(const Object *object);

PodSpec *pod_spec_copy(const PodSpec *spec); /* what a webhook changes is a copy */
void pod_spec_free(PodSpec *spec);
void container_spec_copy(const ContainerSpec *from, ContainerSpec *out);
void container_spec_clear(ContainerSpec *container);

/* NULL when the container has no such variable; the last of several counts, as in a process's
 * environment.  The EnvVar may be a field reference; one from a ConfigMap or Secret has neither
 * value nor field_path. */
const EnvVar *container_env(const ContainerSpec *container, const char *name);

/* What the scheduler reserves: the larger of the sum over containers and the largest init
 * container (kubernetes pkg/scheduler/framework/types.go calculateResource); 0 where no
 * container requests anything. */
ResourceList pod_spec_requests(const PodSpec *spec);
/* Sum over containers; RESOURCE_NONE when no container has a limit. */
ResourceList pod_spec_limits(const PodSpec *spec);
