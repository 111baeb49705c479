/* What changed between NSM releases and matters here: one predicate or number per rule, each with
 * its source.  `version` is NSM_VERSION(...) of the component's own image; 0 (no tag) counts as
 * the newest. */
#pragma once

#include "models/machine.h"

static inline bool
nsm_before(int version, int major, int minor)
{
    return version != 0 && version < NSM_VERSION(major, minor, 0);
}

/* registry-k8s: client-go defaults until v1.8.0, then NSM_KUBELET_QPS=205 and burst twice that
 * (cmd-registry-k8s 1ad8265; FACTS 1.9). */
static inline double
nsm_registry_qps(int version)
{
    return nsm_before(version, 1, 8) ? 5 : 205;
}

/* Next-hop dial timeout of manager and forwarder: 100 ms through v1.10, then 750 ms (FACTS 2.5). */
static inline nsec_t
nsm_dial_timeout(int version)
{
    return nsm_before(version, 1, 11) ? 100 * NSEC_PER_MSEC : 750 * NSEC_PER_MSEC;
}

/* Registry clients dial for each Find: 300 ms for endpoints and 1 s for network services in the
 * library of v1.4.0, 15 s in the newer one (FACTS 2.5; the release of the change is not known, the
 * next-hop timeout's is taken). */
static inline nsec_t
nsm_registry_dial_timeout(int version, bool endpoints)
{
    if (!nsm_before(version, 1, 11)) {
        return 15 * NSEC_PER_SEC;
    }
    return endpoints ? 300 * NSEC_PER_MSEC : NSEC_PER_SEC;
}

/* Where a firewall's rules are when NSM_ACL_CONFIG_PATH does not say: the Config of
 * cmd-nse-firewall-vpp (FACTS 2.7).  The release of the change is not known; the manifests of v1.14
 * are the first seen with the new path. */
static inline const char *
nsm_acl_config_path(int version)
{
    return nsm_before(version, 1, 14) ? "/etc/vppagent-firewall/config.yaml"
                                      : "/etc/firewall/config.yaml";
}

/* discoverforwarder looks both the service and the forwarders up on every Request in newer
 * releases, only the stored forwarder by name before (FACTS 1.8; same remark on the release). */
static inline bool
nsm_finds_on_refresh(int version)
{
    return !nsm_before(version, 1, 11);
}

/* Until v1.6.0 the first Request of a heal cancels the liveness check with the event loop that it
 * replaces, so every further attempt reselects; then a check before each attempt decides (sdk#1362,
 * 95cee7e6; FACTS 2.2). */
static inline bool
nsm_heal_checks_each_attempt(int version)
{
    return !nsm_before(version, 1, 6);
}
