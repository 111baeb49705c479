/* Where a Pod may go and where it goes best: the filters and scores of kube-scheduler 1.24 as pure
 * functions over what is known of the nodes (FACTS 3.3).
 *
 * Filters, in this order: NodeUnschedulable, NodeName, TaintToleration, NodeAffinity (with
 * nodeSelector), NodePorts, NodeResourcesFit (cpu, memory, Pods), InterPodAffinity.  Scores
 * (weight): TaintToleration 3, NodeAffinity 2, InterPodAffinity 2, PodTopologySpread 2 (its default
 * constraints alone: host, maximal skew 3, and zone, 5), NodeResourcesFit LeastAllocated 1,
 * BalancedAllocation 1; ImageLocality gives every node the same here (images are cached
 * everywhere) and is left out.  Each plugin's scores are normalised to 0..100 before weighting.
 * Spreading looks at the Pods of the same owner; Pods that only a Service holds together are not
 * spread. */
#pragma once

#include "models/k8s/api.h"
#include "models/k8s/node.h"

typedef enum FilterReason {
    FILTER_OK,
    FILTER_UNSCHEDULABLE,
    FILTER_NODE_NAME,
    FILTER_TAINT,
    FILTER_NODE_AFFINITY,
    FILTER_PORTS,
    FILTER_CPU,
    FILTER_MEMORY,
    FILTER_PODS,
    FILTER_POD_AFFINITY,
    FILTER_POD_ANTI_AFFINITY,
    FILTER_EXISTING_ANTI_AFFINITY,
    N_FILTER_REASONS
} FilterReason;

/* The words kube-scheduler uses in "0/2 nodes are available: ...". */
const char *filter_reason_text(FilterReason reason);

typedef struct PlacedPod {
    uint64_t uid;
    const char *ns;
    const PodSpec *spec;
    ApiObject *object; /* reference; NULL in static analyses */
    uint64_t owner;    /* uid of its ReplicaSet or StatefulSet, 0: none */
    bool leaving;      /* it is being deleted: it does not count for spreading */
} PlacedPod;

typedef struct NodeState {
    const Node *node;
    ApiObject *object;  /* what changes of the node: a reference; NULL: nothing is known */
    int64_t cpu;        /* requested, milli-cores */
    int64_t memory;     /* requested, bytes */
    int64_t scored_cpu; /* the same, Pods without requests counted with defaults: for scores */
    int64_t scored_memory;
    GArray *pods; /* PlacedPod */
} NodeState;

typedef struct Placement {
    NodeState *states;
    guint n;
    guint next_start;    /* where the next search begins (round robin over nodes) */
    guint n_anti;        /* placed Pods with required anti-affinity */
    guint n_wide_anti;   /* those of them with a topology wider than the host */
    GHashTable *by_name; /* node name -> NodeState */
} Placement;

void placement_init(Placement *placement, const Nodes *nodes);
void placement_clear(Placement *placement);

/* What must be known of a Pod to place it. */
typedef struct PodToPlace {
    const char *ns;
    const PodSpec *spec;
    const char *affinity_node; /* NULL: any */
    uint64_t owner;            /* 0: none */
} PodToPlace;

/* Chooses a node, or NULL with *message (free with g_free) in kube-scheduler's words:
 * "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) didn't match ...".  With more than 100
 * nodes the search stops after max(100, n * (50 - n/125) %) feasible ones, as the scheduler's
 * numFeasibleNodesToFind does.  Ties go to the first in search order (the scheduler draws among
 * them; a fixed choice keeps replications comparable). */
const Node *placement_choose(Placement *placement, const PodToPlace *pod, char **message);

/* One node's verdict: the first filter that refuses. */
FilterReason placement_filter(const Placement *placement, const PodToPlace *pod,
                              const NodeState *state);

void placement_add(Placement *placement, const char *node, const PlacedPod *take);
void placement_remove(Placement *placement, const char *node, uint64_t uid);

/* The Pod is being deleted; it holds what it has until it is removed. */
void placement_set_leaving(Placement *placement, const char *node, uint64_t uid);

/* Takes a reference of the newest snapshot of a node; NULL: it is as at first. */
void placement_set_node(Placement *placement, const char *name, ApiObject *object);

/* DaemonSet controller: node selector, required node affinity and NoSchedule/NoExecute taints. */
bool placement_daemon_fits(const PodSpec *spec, const Node *node);

#define TAINT_UNREACHABLE "node.kubernetes.io/unreachable"
#define TAINT_NOT_READY "node.kubernetes.io/not-ready"

/* Whether a Pod tolerates the operator's taint of a node; true when there is none, or when it is
 * one of PreferNoSchedule. */
bool placement_tolerates_operator(const PodSpec *spec, bool daemon, const NodeCondition *condition);

/* What Pods of DaemonSets tolerate without saying so (AddOrUpdateDaemonPodTolerations). */
bool placement_daemon_tolerates(const char *key);

/* For how long a Pod stays on a node with this NoExecute taint (taint_manager.go): 0: it goes at
 * once; NSEC_NEVER: for ever.  `fallback`: what admission adds when the Pod says nothing. */
nsec_t placement_toleration_time(const PodSpec *spec, const char *key, const char *value,
                                 nsec_t fallback);
