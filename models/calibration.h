/* Calibrated parameters: latencies, CPU demands, memory and switches, read from configs/.
 *
 * Every number carries its source or the mark `hypothesis: true` in the file; the program has no
 * defaults: a parameter that a file (with its `extends` base) does not give is an error that names
 * it.  Immutable after loading; shared between replications and threads.
 *
 *   apiVersion: vwire/v1alpha1
 *   kind: Calibration
 *   metadata: {name: testbed-2022}
 *   extends: other.yaml                  # optional, relative to this file
 *   spec:
 *     parameters:
 *       kubelet.pleg-period: {value: 1s, source: "kubernetes pkg/kubelet/kubelet.go"}
 *       kubelet.sandbox: {lognormal: {mean: 600ms, cv: 0.3}, source: "...", hypothesis: true}
 *       spire.identity: {value: crd-per-pod, source: "..."}
 *     start:                             # process start to first useful instruction, latency
 *       nsmgr: {uniform: {min: 50ms, max: 150ms}, source: "..."}
 *     demands:                           # CPU time of one core, per component and message
 *       nsmgr:
 *         nsm-request: {gamma: {mean: 20ms, cv: 0.3}, perUnit: 2ms, source: "..."}
 *         "*": {value: 200us, source: ...}          # every message not named
 *         nsm-close: {value: 1ms, background: 9ms, source: ...} # the latter beside the message
 *     memory:
 *       nsmgr: {start: 140Mi, connection: 64Ki, endpoint: 8Ki, upTo: 40Mi, source: "..."}
 *     idle:                              # CPU in use with nothing to do, cores
 *       nsmgr: {value: 0.01, source: "..."}
 *
 * Distributions: value, uniform {min, max}, exponential {mean}, normal {mean, sd},
 * lognormal {mean, cv}, gamma {mean, cv}, weibull {mean, shape}, triangular {min, mode, max};
 * each may have `offset`.  Durations are Go durations; seconds inside. */
#pragma once

#include "base/dist.h"
#include "base/nsec.h"
#include "base/tree.h"
#include "models/component.h"
#include "models/message.h"

/* enum name, key, unit: D duration, N plain number, C choice (see CalibrationChoice) */
#define CALIBRATION_PARAMETERS(X)                                                                  \
    X(LATENCY_LOCAL, "latency.local", D)                                                           \
    X(API_READ, "apiserver.read", D)                                                               \
    X(API_WRITE, "apiserver.write", D)                                                             \
    X(API_WATCH, "apiserver.watch", D)                                                             \
    X(KUBECTL_START, "kubectl.start", D)                                                           \
    X(KUBECTL_OBJECT, "kubectl.object", D)                                                         \
    X(CONTROLLERS_QPS, "controllers.qps", N)                                                       \
    X(CONTROLLERS_BURST, "controllers.burst", N)                                                   \
    X(CONTROLLERS_SYNC, "controllers.sync", D)                                                     \
    X(SCHEDULER_QPS, "scheduler.qps", N)                                                           \
    X(SCHEDULER_BURST, "scheduler.burst", N)                                                       \
    X(SCHEDULER_CYCLE, "scheduler.cycle", D)                                                       \
    X(KUBELET_QPS, "kubelet.qps", N)                                                               \
    X(KUBELET_BURST, "kubelet.burst", N)                                                           \
    X(KUBELET_PLEG_PERIOD, "kubelet.pleg-period", D)                                               \
    X(KUBELET_RECONCILE, "kubelet.volume-reconcile", D)                                            \
    X(KUBELET_MOUNT_POLL, "kubelet.volume-poll", D)                                                \
    X(KUBELET_SANDBOX, "kubelet.sandbox", D)                                                       \
    X(KUBELET_CNI, "kubelet.cni", D)                                                               \
    X(KUBELET_CREATE, "kubelet.container-create", D)                                               \
    X(KUBELET_START, "kubelet.container-start", D)                                                 \
    X(KUBELET_STOP, "kubelet.container-stop", D)                                                   \
    X(KUBELET_SYNC, "kubelet.sync", D)                                                             \
    X(KUBELET_LEASE, "kubelet.lease-period", D)                                                    \
    X(KUBELET_RESTART, "kubelet.restart", D)                                                       \
    X(NODE_BOOT, "node.boot", D)                                                                   \
    X(NODE_MONITOR, "controllers.node-monitor-period", D)                                          \
    X(NODE_GRACE, "controllers.node-monitor-grace", D)                                             \
    X(NODE_EVICTION, "controllers.default-toleration", D)                                          \
    X(CRASH_BACKOFF, "kubelet.crash-backoff", D)                                                   \
    X(CRASH_BACKOFF_MAX, "kubelet.crash-backoff-max", D)                                           \
    X(CFS_PERIOD, "cfs.period", D)                                                                 \
    X(CFS_EFFECTIVE, "cfs.effective-quota", N)                                                     \
    X(CFS_ALIGNMENT, "cfs.alignment", C)                                                           \
    X(SPIRE_IDENTITY, "spire.identity", C)                                                         \
    X(SPIRE_SYNC_PERIOD, "spire.agent-sync", D)                                                    \
    X(SPIRE_SYNC_JITTER, "spire.agent-sync-jitter", N)                                             \
    X(SPIRE_CACHE_PERIOD, "spire.server-cache", D)                                                 \
    X(SPIRE_ATTEST_POLL, "spire.attest-poll", D)                                                   \
    X(SPIRE_ATTEST_TRIES, "spire.attest-tries", N)                                                 \
    X(SPIRE_RETRY_STEP, "spire.retry-step", D)                                                     \
    X(SPIRE_RETRY_MAX, "spire.retry-max", D)                                                       \
    X(SPIRE_REGISTRAR_QPS, "spire.registrar-qps", N)                                               \
    X(SPIRE_REGISTRAR_BURST, "spire.registrar-burst", N)                                           \
    X(SPIRE_SVID_TTL, "spire.svid-ttl", D)                                                         \
    X(VPP_BOOT, "vpp.boot", D)                                                                     \
    X(VPP_INTERFACE, "vpp.interface", D)                                                           \
    X(VPP_XCONNECT, "vpp.cross-connect", D)                                                        \
    X(VPP_TUNNEL, "vpp.tunnel", D)                                                                 \
    X(VPP_PACKET, "vpp.packet", D)                                                                 \
    X(VPP_PER_KIB, "vpp.per-kib", D)                                                               \
    X(VPP_TUNNEL_PACKET, "vpp.tunnel-packet", D)                                                   \
    X(VPP_WIREGUARD_PER_KIB, "vpp.wireguard-per-kib", D)                                           \
    X(VPP_WAKE_UP, "vpp.wake-up", D)                                                               \
    X(VPP_RING, "vpp.ring", N)                                                                     \
    X(VPP_POLLING, "vpp.polling", C)                                                               \
    X(KERNEL_PACKET, "kernel.packet", D)                                                           \
    X(KERNEL_PER_KIB, "kernel.per-kib", D)                                                         \
    X(POD_NETWORK_PACKET, "pod-network.packet", D)                                                 \
    X(POD_NETWORK_OVERLAY, "pod-network.overlay", D)                                               \
    X(LINK_QUEUE, "link.queue", N)

typedef enum CalibrationParameter {
#define X(name, key, unit) PARAMETER_##name,
    CALIBRATION_PARAMETERS(X)
#undef X
        N_CALIBRATION_PARAMETERS
} CalibrationParameter;

/* The answers to a parameter that is a choice. */
typedef enum CalibrationChoice {
    IDENTITY_CRD_PER_POD, /* spire.identity */
    IDENTITY_STATIC_ENTRY,
    ALIGNMENT_BY_KERNEL, /* cfs.alignment: each node's kernelVersion decides */
    ALIGNMENT_HOST,      /* the periods of all containers of a node begin together */
    ALIGNMENT_CONTAINER, /* each container's begin on their own */
    POLLING_BY_VERSION,  /* vpp.polling: before NSM v1.7.0, where there is a memif */
    POLLING_ALWAYS,      /* every VPP, whatever its interfaces and version */
    POLLING_NEVER,
} CalibrationChoice;

typedef struct Demand {
    Dist dist;       /* seconds of one core */
    double per_unit; /* seconds of one core per unit of the message's weight */
    /* seconds of one core that other threads of the process use because of the message: delays
     * nothing and takes nothing from the quota, as `idle` */
    double background;
} Demand;

typedef struct MemoryModel {
    int64_t start;      /* bytes after start */
    int64_t connection; /* bytes per NSM connection held */
    int64_t endpoint;   /* bytes per registered endpoint or entry held */
    int64_t up_to;      /* what these may add together: beyond what was measured nothing is known,
                           so that nothing is extrapolated; 0: no bound */
} MemoryModel;

typedef struct Calibration {
    char *name;
    char *file;
    char *hash; /* SHA-256 of the files' text, hexadecimal */
    Dist parameters[N_CALIBRATION_PARAMETERS];
    bool hypothesis[N_CALIBRATION_PARAMETERS];
    CalibrationChoice choices[N_CALIBRATION_PARAMETERS];
    Dist start[N_COMPONENTS];
    Demand demands[N_COMPONENTS][N_MESSAGE_TYPES];
    MemoryModel memory[N_COMPONENTS];
    double idle[N_COMPONENTS];
} Calibration;

Calibration *calibration_load(const char *path, GError **error);
/* Also used for `--set calibration.<key>=<value>`: a duration, number or choice as in the file's
 * `value`, for a parameter key, "start.<component>" or "demands.<component>.<message>". */
bool calibration_set(Calibration *calibration, const char *key, const char *value, GError **error);
void calibration_free(Calibration *calibration);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Calibration, calibration_free)

/* Means of parameters that are constants by nature (periods, QPS). */
nsec_t calibration_nsec(const Calibration *calibration, CalibrationParameter parameter);
CalibrationChoice calibration_choice(const Calibration *calibration,
                                     CalibrationParameter parameter);
double calibration_number(const Calibration *calibration, CalibrationParameter parameter);
const char *calibration_key(CalibrationParameter parameter);
