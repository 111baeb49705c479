/* kube-controller-manager: Deployments, ReplicaSets, DaemonSets, StatefulSets, and the node
 * lifecycle controller (models/k8s/nodes.h).
 *
 * Rules (FACTS 3.4): each controller has its own client (20 requests/s, burst 30); ReplicaSets
 * create in slow-start batches of 1, 2, 4, ...; they count only Pods that are not being deleted,
 * so a replacement is made as soon as deletionTimestamp is set; a DaemonSet makes one only after
 * the old Pod is gone; StatefulSets go in order; failures back off 5 ms, doubling, to 1000 s. */
#pragma once

#include "models/k8s/node.h"
#include "models/machine.h"

/* `nodes` lives as long as the machine. */
Machine *controllers_new(const ProcessInfo *info, const Nodes *nodes);

/* The name a ReplicaSet or DaemonSet gives its Pod of that ordinal: "<owner>-<5 characters>",
 * a function of both alone, so that replications share names.  Free with g_free. */
char *pod_generated_name(const char *owner, guint ordinal);
