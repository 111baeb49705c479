/* The node lifecycle controller of kube-controller-manager, which embeds it: who does not renew
 * its lease, and what becomes of the Pods there (FACTS 3.5).
 *
 * Every monitor period it LISTs the nodes' leases.  A lease that it has not seen change for the
 * grace period makes its node unreachable: the node's condition says so, its Pods are marked not
 * ready, and Pods that do not tolerate the taint for ever are deleted when their time is over
 * (admission gives them 300 s).  A renewed lease takes all that back, but for Pods that are being
 * deleted already.  An operator's taint of effect NoExecute evicts in the same way, at once where
 * nothing is tolerated.
 *
 * Not modelled: the rate of tainting (--node-eviction-rate, one node in 10 s) and its stop when
 * most of a zone is lost. */
#pragma once

#include "models/k8s/informer.h"
#include "models/machine.h"
#include "models/ratelimit.h"

#define NODES_TAG (UINT64_C(1) << 62) /* all its tags have this bit */

typedef struct NodeLifecycle {
    const ProcessInfo *info;
    const Informer *pods; /* the owner's */
    Informer watched;
    RateLimit limit;
    GHashTable *healths;   /* node name -> NodeHealth */
    GHashTable *evictions; /* uid of Pods whose time runs */
    bool monitoring;
} NodeLifecycle;

/* `pods` lives as long as the controller. */
void nodes_init(NodeLifecycle *nodes, const ProcessInfo *info, const Informer *pods);
void nodes_clear(NodeLifecycle *nodes);

void nodes_start(NodeLifecycle *nodes, Actions *actions);

/* Replies, failures, timers and closed streams whose tag has NODES_TAG, and events of Nodes. */
void nodes_step(NodeLifecycle *nodes, const Input *input, Actions *actions);

/* News of a Pod that `pods` has noted. */
void nodes_pod_event(NodeLifecycle *nodes, const ApiEvent *event, nsec_t now, Actions *actions);

/* What is known of a node; NULL: nothing yet. */
const NodeCondition *nodes_condition(const NodeLifecycle *nodes, const char *name);
