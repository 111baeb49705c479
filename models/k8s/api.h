/* The Kubernetes API as messages: objects, requests, watches.
 *
 * An ApiObject is an immutable snapshot; each change makes a new one with a higher version, as
 * resourceVersion does.  Watchers may see versions late but never act on an older one than they
 * know: they compare `version`.  Snapshots travel by reference.
 *
 * Requests go to address API_ADDRESS and are answered by API_OBJECT (the new snapshot),
 * API_OBJECTS, OK or ERROR.  Watches are streams opened with API_WATCH; what exists already comes
 * first as ADDED, as a LIST before a WATCH would show it. */
#pragma once

#include "models/machine.h"

#define API_ADDRESS "apiserver"

typedef enum ContainerPhase {
    CONTAINER_WAITING,
    CONTAINER_RUNNING,
    CONTAINER_TERMINATED,
} ContainerPhase;

typedef struct ContainerStatus {
    ContainerPhase phase;
    bool started; /* startup probe passed, or none */
    bool ready;
    int exit_code;
    int restarts;
    nsec_t started_at;
    const char *waiting_reason; /* "ContainerCreating", "CrashLoopBackOff", ...: a literal */
    const char *exit_reason;    /* of the last end: "Completed", "Error", "OOMKilled": a literal;
                                   NULL: it has not ended yet */
} ContainerStatus;

typedef struct PodStatus {
    bool scheduled;
    bool sandbox;
    bool initialized;
    bool ready;
    bool finished; /* Succeeded or Failed */
    bool failed;
    guint n_containers; /* init containers first */
    ContainerStatus *containers;
    char *message; /* why it is not running; NULL when there is nothing to say */
} PodStatus;

/* Nodes: what changes while a cluster runs; the rest is in models/k8s/node.h.  A kubelet registers
 * its node with API_CREATE.  Who writes what cannot undo another's change: API_UPDATE (operators)
 * writes `unschedulable` and the taint, API_STATUS (the node lifecycle controller) `unreachable`.
 */
typedef struct NodeCondition {
    bool unreachable;   /* lease expired: taints node.kubernetes.io/unreachable, NoSchedule at once
                           and NoExecute */
    bool unschedulable; /* cordoned */
    char *taint_key;    /* one taint that an operator added; NULL: none */
    char *taint_value;
    char *taint_effect; /* NoSchedule, PreferNoSchedule or NoExecute */
} NodeCondition;

/* Writes what an operator may write: everything but `unreachable`. */
void node_condition_set_operator(NodeCondition *condition, const NodeCondition *from);

/* NSM custom resources as registry-k8s keeps them. */
typedef struct NseRecord NseRecord;

typedef struct ApiObject {
    int n_refs;
    ObjectKind kind;
    char *ns;
    char *name;
    uint64_t uid;
    uint64_t version;
    uint64_t owner; /* uid of the controller, 0: none */
    nsec_t created;
    bool deleting; /* deletionTimestamp is set */
    nsec_t grace;
    const Object *manifest; /* what it was made from; NULL for objects made by controllers */
    const PodSpec *pod;     /* Pods: the spec; workloads: the template (webhooks may change it) */
    PodSpec *owned_pod;     /* the same, when it was made by a webhook and belongs to this object */
    struct ApiObject *spec_from; /* reference that keeps a borrowed `pod` alive; may be NULL */
    char *node;                  /* Pods: where; NULL until bound */
    char *affinity_node; /* Pods of DaemonSets: node affinity on metadata.name; NULL: none */
    char *pod_ip;
    PodStatus status;             /* Pods */
    int64_t replicas;             /* workloads: desired */
    NseRecord *nse;               /* NetworkServiceEndpoint: a reference */
    NodeCondition node_condition; /* Nodes; its strings belong to the object */
    nsec_t renewed;               /* Nodes: when the kubelet renewed its lease last.  A renewal
                                     makes no new version and no event: LIST shows it */
    bool paused; /* Pods: their containers run a pause image (PodChaos pod-failure) */
} ApiObject;

ApiObject *api_object_new(ObjectKind kind, const char *ns, const char *name);
ApiObject *api_object_copy(const ApiObject *object); /* for the next version */
ApiObject *api_object_ref(ApiObject *object);
void api_object_unref(ApiObject *object);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ApiObject, api_object_unref)
void pod_status_copy(const PodStatus *from, PodStatus *out);
void pod_status_clear(PodStatus *status);

/* The pod's key "namespace/name". */
char *api_object_key(const ApiObject *object);

/* Whether every container of a Pod is ready; labels of the Pod. */
const Labels *api_object_labels(const ApiObject *object);

/* API_CREATE, API_UPDATE, API_STATUS, API_OBJECT: an object.  API_STATUS carries the new status
 * and pod_ip; API_BIND the node; API_DELETE ns, name, uid (0: any) and grace. */
typedef struct ApiMessage {
    Message base;
    ApiObject *object;
} ApiMessage;
Message *api_message(MessageType type, ApiObject *take_object);
const ApiObject *api_message_object(const Message *message);

/* API_GET, API_LIST, API_WATCH, API_DELETE, API_LEASE. */
typedef enum WatchEventType {
    WATCH_ADDED,
    WATCH_MODIFIED,
    WATCH_DELETED,
    WATCH_SYNCED, /* all that existed has been told; no object */
} WatchEventType;

typedef struct ApiQuery {
    Message base;
    ObjectKind kind;
    char *ns;      /* NULL: all */
    char *name;    /* NULL: all */
    char *node;    /* Pods of one node only; NULL: all */
    char *label;   /* objects that have this label key; NULL: all */
    char *url;     /* NSE records with this URL; NULL: all */
    char *service; /* NSE records with a service name that contains this; NULL: all */
    uint64_t uid;
    nsec_t grace;
    bool marks_end; /* WATCH: what exists already is followed by a WATCH_SYNCED */
} ApiQuery;
ApiQuery *api_query(MessageType type, ObjectKind kind, const char *ns, const char *name);

typedef struct ApiList {
    Message base;
    GPtrArray *objects; /* ApiObject *, references */
    guint n_listed;     /* how many objects the real LIST would carry */
} ApiList;

typedef struct ApiEvent {
    Message base;
    WatchEventType type;
    ApiObject *object;
} ApiEvent;
Message *api_event_new(WatchEventType type, ApiObject *object); /* SYNCED: NULL */

/* A workload's template as a webhook wants it: NULL `spec` means unchanged. */
typedef struct AdmissionPatch {
    Message base;
    PodSpec *spec;
} AdmissionPatch;

/* KUBELET_PODS: does the kubelet know a running container of this Pod? Answered by OK or ERROR. */
typedef struct KubeletPods {
    Message base;
    uint64_t pod_uid;
    guint container;
} KubeletPods;

Machine *apiserver_new(const ProcessInfo *info);

/* For tests: the objects of a kind (ApiObject *), in the order of creation; borrowed. */
const GQueue *apiserver_objects(const Machine *machine, ObjectKind kind);
