/* registry-k8s: the registry as a client of the API server (FACTS 1.8, 1.9).
 *
 * Every operation costs tokens of one client-side bucket (5 requests/s, burst 10 until v1.8; then
 * NSM_KUBELET_QPS, twice that as burst): Find 1; a new endpoint 1 and 2 more for the watch that
 * its registration's healing opens (REGISTRY_WATCH); a refresh 3 and 2; each watch is reopened
 * every 60 s: 1. Endpoints expire after REGISTRY_K8S_EXPIRE_PERIOD (1 m) without refresh; a
 * restarted registry has forgotten whose records to delete, and those who find one after its expiry
 * ignore it. */
#pragma once

#include "models/machine.h"

Machine *registry_new(const ProcessInfo *info);
