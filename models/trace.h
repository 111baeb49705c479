/* The marks that machines leave: what happened to what, in one vocabulary for both worlds.
 *
 * A mark has a kind, a subject ("namespace/name" of the Pod, object or connection concerned) and
 * an optional detail.  Sinks write them to events.jsonl and build timelines from them; machines
 * never see a sink. */
#pragma once

#include "base/nsec.h"

#define TRACE_MARKS(X)                                                                             \
    X(SUBMITTED, "submitted")           /* kubectl apply begins; subject: manifest path */         \
    X(APPLIED, "applied")               /* last object created */                                  \
    X(OBJECT_CREATED, "object-created") /* subject kind/ns/name */                                 \
    X(POD_CREATED, "pod-created")                                                                  \
    X(POD_SCHEDULED, "pod-scheduled")         /* detail: node */                                   \
    X(POD_UNSCHEDULABLE, "pod-unschedulable") /* detail: the scheduler's message */                \
    X(POD_BLOCKED, "pod-blocked")             /* detail: what the kubelet waits for */             \
    X(POD_VOLUMES, "pod-volumes-mounted")                                                          \
    X(POD_SANDBOX, "pod-sandbox-ready")                                                            \
    X(CONTAINER_STARTED, "container-started") /* subject ns/pod/container */                       \
    X(CONTAINER_EXITED, "container-exited")   /* detail: exit code */                              \
    X(CONTAINER_BACKOFF, "container-back-off")                                                     \
    X(CONTAINER_OOM, "container-oom-killed") /* value: bytes in use */                             \
    X(POD_INITIALIZED, "pod-initialized")                                                          \
    X(POD_READY, "pod-ready") /* as the API server knows it */                                     \
    X(POD_DELETED, "pod-deleted")                                                                  \
    X(POD_NOT_READY, "pod-not-ready")       /* it was Ready before */                              \
    X(POD_TERMINATING, "pod-terminating")   /* deletionTimestamp is set; detail: why, if known */  \
    X(POD_EVICTED, "pod-evicted")           /* by a NoExecute taint; detail: node */               \
    X(NODE_NOT_READY, "node-not-ready")     /* its lease has expired */                            \
    X(NODE_READY, "node-ready")             /* again */                                            \
    X(IDENTITY_REFUSED, "identity-refused") /* no entry for this workload yet */                   \
    X(IDENTITY_RECEIVED, "identity-received")                                                      \
    X(REGISTER_STARTED, "register-started")                                                        \
    X(REGISTERED, "registered")           /* subject: NSE name */                                  \
    X(SERVING, "serving")                 /* manager, registry: it listens; subject: Pod */        \
    X(REQUEST_STARTED, "request-started") /* subject: connection id */                             \
    X(REQUEST_FAILED, "request-failed")   /* detail: why */                                        \
    X(REQUEST_DONE, "request-done")                                                                \
    X(ENDPOINT_CHOSEN, "endpoint-chosen") /* subject: connection id; detail: NSE and rule */       \
    X(FORWARDER_CHOSEN, "forwarder-chosen")                                                        \
    X(REGISTRY_WAIT, "registry-wait") /* value: ns in the client-side rate limiter; find, write */ \
    X(XCONNECT_DONE, "cross-connect-done")                                                         \
    X(CONNECTION_CLOSED, "connection-closed")                                                      \
    X(HEAL_DETECTED, "heal-detected") /* subject: connection id; detail: by what */                \
    X(HEAL_ATTEMPT, "heal-attempt")   /* detail: with or without reselect; value: number */        \
    X(HEAL_FAILED, "heal-failed")     /* an attempt; detail: why */                                \
    X(HEAL_DONE, "heal-done")         /* value: attempts */                                        \
    X(PATH_UP, "path-up")             /* subject: chain; detail: the path.  Left by the world */   \
    X(PATH_DOWN, "path-down") /* subject: chain; detail: what is wrong.  Left by the world */      \
    X(FAULT_INJECTED, "fault-injected") /* subject: fault; detail: target; value: strike number */ \
    X(FAULT_ENDED, "fault-ended")                                                                  \
    X(FAULT_FAILED, "fault-failed") /* it did not strike; detail: why */                           \
    X(WEBHOOK_INJECTED, "webhook-injected")                                                        \
    X(WEBHOOK_FAILED, "webhook-failed")                                                            \
    X(NOTE, "note")

typedef enum TraceMark {
#define X(name, text) TRACE_##name,
    TRACE_MARKS(X)
#undef X
        N_TRACE_MARKS
} TraceMark;

const char *trace_mark_name(TraceMark mark);

typedef struct TraceEvent {
    nsec_t at;
    const char *component; /* who left the mark */
    const char *process;   /* "namespace/pod/container", or the component's own name */
    TraceMark mark;
    const char *subject;
    const char *detail; /* NULL: none */
    int64_t value;      /* 0: none */
} TraceEvent;

/* Called in the order of events.  Strings are borrowed for the call. */
typedef struct TraceSink TraceSink;
struct TraceSink {
    void (*event)(TraceSink *sink, const TraceEvent *event);
};
