/* The one file that knows every machine: which there are, which image is which.
 *
 * A cluster is one replication's set of machines.  The world starts the system's processes at time
 * 0 and spawns the others when a kubelet's runtime operation says so; it owns their CPU time,
 * messages and timers, the cluster owns who they are. */
#pragma once

#include "models/chain.h"
#include "models/machine.h"
#include "models/scenario.h"

typedef struct Cluster Cluster;

/* `scenario` is borrowed. */
Cluster *cluster_new(const Scenario *scenario, uint64_t seed, uint32_t replication);
void cluster_free(Cluster *cluster);

/* The chains that faults may speak of; borrowed.  Before cluster_system. */
void cluster_set_chains(Cluster *cluster, const Chains *chains);

/* The processes outside Pods: API server, controllers, scheduler, kube-proxy, one kubelet for each
 * node, one kubectl for each entry of spec.manifests.  Each call makes them anew. */
GPtrArray *cluster_system(Cluster *cluster); /* Machine *, freed with cluster_release */

/* The process of a container that a kubelet starts.  `incarnation` counts its restarts. */
Machine *cluster_spawn(Cluster *cluster, const RuntimeOp *op, uint32_t incarnation);

/* A node's kubelet, started again. */
Machine *cluster_kubelet(Cluster *cluster, const char *node, uint32_t incarnation);

void cluster_release(Machine *machine);

/* "nsmgr" for kubelets and others: the node a process runs on by default. */
const char *cluster_control_plane_node(const Cluster *cluster);

/* The node that has this IP address; NULL: none. */
const char *cluster_node_of_ip(const Cluster *cluster, const char *ip);

/* What a whole Pod counts as: the component of its first container that is not an application, init
 * containers last; `app` when there is none.  A manager's Pod is `nsmgr` with its exclude-prefixes
 * container, a client's is `nsc` with its init container. */
Component pod_component(const PodSpec *pod);
