/* The kubelet of one node: from a Pod that is bound to it to running, probed containers, and back.
 *
 * Rules (FACTS 3.1, 3.2, 3.7): one worker per Pod; volumes first (each ConfigMap, Secret or token
 * costs a request of the kubelet's 5/10 client), then the sandbox, init containers in order, all
 * other containers one after the other; what the runtime does is known only from the next PLEG
 * relist on; each status change is a GET and a PATCH of the same client, one Pod at a time; a
 * container that exits is restarted at once the first time and after 10 s, doubling to 300 s,
 * from then on.
 *
 * Listens at "kubelet:<node>" for workload attestors (KUBELET_PODS).  A container's process is
 * probed at "container:<Pod uid>/<index>". */
#pragma once

#include "models/machine.h"

Machine *kubelet_new(const ProcessInfo *info, guint node_index);

/* Addresses; free with g_free. */
char *kubelet_address(const char *node);
char *kubelet_container_address(uint64_t pod_uid, guint container);
