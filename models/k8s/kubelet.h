/* The kubelet of one node: from a Pod that is bound to it to running, probed containers, and back.
 *
 * Rules (FACTS 3.1, 3.2, 3.7): one worker per Pod; volumes first (each ConfigMap, Secret or token
 * costs a request of the kubelet's 5/10 client), then the sandbox, init containers in order, all
 * other containers one after the other; what the runtime does is known only from the next PLEG
 * relist on; statuses go through the status manager (models/k8s/status.h); a container that exits
 * is restarted at once the first time and after 10 s, doubling to 300 s, from then on, until it
 * has run for ten minutes; a sandbox that fails is made again after 10 to 15 s.
 *
 * A kubelet that begins LISTs what the runtime has: containers that run are adopted with their
 * sandbox and address when the watch brings their Pod, their probes begin anew; those of no Pod
 * are stopped once all Pods are known.  Of a Pod that ran before and of which nothing is found (the
 * node was down) everything begins again, which counts as a restart.  It registers its node and
 * renews the lease.  What is not modelled: a Pod of which nothing runs at that moment (all its
 * containers in back-off) gets a new sandbox; the sandboxes of Pods that are gone stay.
 *
 * A Pod is terminated with the grace of its deletion, at least a second; a forced deletion (the
 * object is gone) shortens it to that.  When `paused` changes, its containers are replaced, as if
 * their image had changed: no back-off, whatever the restart policy.
 *
 * Listens at "kubelet:<node>" for workload attestors (KUBELET_PODS).  A container's process is
 * probed at "container:<Pod uid>/<index>". */
#pragma once

#include "models/machine.h"

Machine *kubelet_new(const ProcessInfo *info, guint node_index);

/* Addresses; free with g_free. */
char *kubelet_address(const char *node);
char *kubelet_container_address(uint64_t pod_uid, guint container);
