/* Faults: what a scenario breaks, when, and whom it hits.
 *
 * The vocabulary is Chaos Mesh's (PodChaos, NetworkChaos, StressChaos) and Litmus' for nodes
 * (NodeChaos); presets are named after the directories of NSM's own heal suite.  The reader
 * (models/scenario_fault.c) makes a Fault of each entry of spec.faults; a preset becomes the parts
 * that it stands for.  The chaos machine (models/chaos.h) strikes at the times: it chooses targets
 * by selector and mode, deletes Pods and changes nodes through the API server as an operator would,
 * and hands what only a world can do (killing a process, cutting a link) to it as a FaultOp.
 *
 * A fault strikes at `start_time`, again every `every` after that, or at random with exponential
 * times between (`mean_time_between`).  What has a duration ends after it. */
#pragma once

#include "base/nsec.h"
#include "base/tree.h"
#include "models/component.h"
#include "models/labels.h"

#define FAULT_ACTIONS(X)                                                                           \
    X(POD_KILL, "PodChaos", "pod-kill")       /* delete with gracePeriod, 0 by default */          \
    X(POD_FAILURE, "PodChaos", "pod-failure") /* containers run a pause image for the duration */  \
    X(CONTAINER_KILL, "PodChaos", "container-kill") /* SIGKILL; restarts in place */               \
    X(PARTITION, "NetworkChaos", "partition")                                                      \
    X(LOSS, "NetworkChaos", "loss")                                                                \
    X(DELAY, "NetworkChaos", "delay")                                                              \
    X(BANDWIDTH, "NetworkChaos", "bandwidth")                                                      \
    X(DUPLICATE, "NetworkChaos", "duplicate")                                                      \
    X(CORRUPT, "NetworkChaos", "corrupt") /* a corrupted frame is dropped by its checksum */       \
    X(STRESS_CPU, "StressChaos", "cpu")                                                            \
    X(STRESS_MEMORY, "StressChaos", "memory")                                                      \
    X(NODE_DRAIN, "NodeChaos", "node-drain")                                                       \
    X(NODE_TAINT, "NodeChaos", "node-taint")                                                       \
    X(NODE_RESTART, "NodeChaos", "node-restart")   /* reboot: off, then on after `duration` */     \
    X(NODE_POWEROFF, "NodeChaos", "node-poweroff") /* nothing is sent any more */                  \
    X(NODE_CPU_HOG, "NodeChaos", "node-cpu-hog")   /* processes outside all containers */          \
    X(KUBELET_KILL, "NodeChaos", "kubelet-service-kill")

typedef enum FaultAction {
#define X(name, kind, text) FAULT_##name,
    FAULT_ACTIONS(X)
#undef X
        N_FAULT_ACTIONS
} FaultAction;

const char *fault_action_name(FaultAction action); /* "pod-kill" */
const char *fault_action_kind(FaultAction action); /* "PodChaos" */
bool fault_is_network(FaultAction action);         /* NetworkChaos */
bool fault_is_node(FaultAction action);            /* NodeChaos */

typedef enum FaultMode {
    FAULT_MODE_ONE,                /* one of those selected, at random */
    FAULT_MODE_ALL,                /* every one */
    FAULT_MODE_FIXED,              /* `mode_value` of them */
    FAULT_MODE_FIXED_PERCENT,      /* that share, rounded down but at least one */
    FAULT_MODE_RANDOM_MAX_PERCENT, /* a random share up to it */
} FaultMode;

/* Where a target must be, relative to the chain that the fault is about (presets). */
typedef enum FaultPlace {
    FAULT_PLACE_ANY,
    FAULT_PLACE_CLIENT,   /* on the node of the chain's client: "local" */
    FAULT_PLACE_ENDPOINT, /* on the node of the chain's last endpoint: "remote" */
} FaultPlace;

/* All that is given must hold.  Strings and lists are owned; NULL or empty: any. */
typedef struct FaultSelector {
    char **namespaces;
    Labels labels;
    char **nodes;
    char **pods;         /* "namespace/name"; a workload's name selects its Pods */
    Component component; /* N_COMPONENTS: any; Pods with a container of this component */
    bool endpoint;       /* presets: the chain's last endpoint; `client`: its client */
    bool client;
    FaultPlace place;
} FaultSelector;

typedef struct FaultPart {
    FaultAction action;
    FaultMode mode;
    double mode_value; /* a number, or percent */
    FaultSelector selector;
    char **containers; /* CONTAINER_KILL, stress: names; NULL: the first container */
    nsec_t grace;      /* POD_KILL, NODE_DRAIN: -1: as the Pod says */
    /* NetworkChaos: the V-wire interface `device` of the selected Pods, or else the links between
     * the selected nodes and `target_nodes` (NULL: all others). */
    char *device;
    char **target_nodes;
    nsec_t latency, jitter;
    double correlation; /* percent */
    double percent;     /* loss, duplicate, corrupt */
    int64_t rate;       /* bandwidth: bit/s */
    int workers;        /* stress: how many */
    double load;        /* stress cpu: percent of a core for each worker */
    int64_t size;       /* stress memory: bytes for each worker */
    char *taint_key, *taint_value, *taint_effect;
} FaultPart;

typedef struct Fault {
    char *name;   /* unique in the scenario; label `fault` of its metrics */
    char *preset; /* NULL: none */
    char *chain;  /* presets: the chain it is about; NULL: the first */
    FaultPart *parts;
    guint n_parts;
    nsec_t start_time;
    nsec_t every;             /* 0: once */
    nsec_t mean_time_between; /* 0: not random; from start_time on */
    nsec_t duration;          /* 0: does not end, or has no duration (a kill) */
    TreeMark mark;
} Fault;

void fault_part_clear(FaultPart *part);
void fault_clear(Fault *fault);

/* Presets: the names, NULL-terminated; and the parts of one, added to a fault that has none, with
 * the duration that the preset needs.  False when there is no such preset.  Deletions have the
 * grace -1, as `kubectl delete pod` has. */
const char *const *fault_preset_names(void);
bool fault_preset_expand(const char *preset, Fault *fault);

/* Why a directory of NSM's suite is no preset here; NULL: it is one, or NSM has none either. */
const char *fault_preset_refusal(const char *preset);

/* ---- what only a world can do ---- */

typedef enum FaultOpKind {
    FAULT_OP_KILL,     /* pod_uid, container: SIGKILL (exit status 137) */
    FAULT_OP_NODE_OFF, /* node: everything on it stops; nothing is sent, no reset either */
    FAULT_OP_NODE_ON,  /* node: boots; its kubelet starts */
    FAULT_OP_KUBELET,  /* node: the kubelet's process ends; systemd starts it again */
    FAULT_OP_LINK,     /* node, peer_node (NULL: all others): `impairment`; none ends it */
    FAULT_OP_WIRE,     /* pod_port ("ns/pod/interface"): the same for one V-wire interface */
    FAULT_OP_CPU,      /* pod_uid, container (or node alone): `workers` at `load`; 0 ends it */
    FAULT_OP_MEMORY,   /* pod_uid, container: `size` bytes more; 0 ends it */
} FaultOpKind;

typedef struct Impairment {
    bool cut;
    double loss, duplicate; /* 0 to 1 */
    nsec_t latency, jitter; /* added */
    double correlation;     /* 0 to 1, of successive delays */
    int64_t rate;           /* bit/s; 0: not limited */
} Impairment;

typedef struct FaultOp {
    FaultOpKind kind;
    uint64_t pod_uid;
    guint container;
    const char *node;
    const char *peer_node;
    const char *pod_port;
    Impairment impairment;
    int workers;
    double load; /* 0 to 1 */
    int64_t size;
} FaultOp;
