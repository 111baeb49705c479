/* Messages between machines: a type, a reference count and a payload that embeds this header.
 *
 * A message is immutable once sent; machines that keep one take a reference.  References are not
 * atomic: messages never leave the world (thread) that made them.
 * `weight` scales the receiver's CPU demand: its unit depends on the type and is given below. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* name, text (calibration key and trace), payload */
#define MESSAGE_TYPES(X)                                                                           \
    X(NONE, "none")                                                                                \
    /* answers without payload, or with an error text: ReplyMessage */                             \
    X(OK, "ok")                                                                                    \
    X(ERROR, "error")                                                                              \
    /* every connection: TLS handshake, as server and as client */                                 \
    X(TLS_SERVER, "tls-server")                                                                    \
    X(TLS_CLIENT, "tls-client")                                                                    \
    X(HEALTH, "health-check")                                                                      \
    /* Kubernetes API: models/k8s/api.h */                                                         \
    X(API_CREATE, "api-create")                                                                    \
    X(API_UPDATE, "api-update")                                                                    \
    X(API_STATUS, "api-status")                                                                    \
    X(API_BIND, "api-bind")                                                                        \
    X(API_DELETE, "api-delete")                                                                    \
    X(API_GET, "api-get")                                                                          \
    X(API_LIST, "api-list")                                                                        \
    X(API_WATCH, "api-watch")                                                                      \
    X(API_OBJECT, "api-object")                                                                    \
    X(API_OBJECTS, "api-objects")                                                                  \
    X(API_EVENT, "api-event")                                                                      \
    X(API_LEASE, "api-lease") /* a kubelet renews its node's lease: ApiQuery, name */              \
    X(ADMISSION_REVIEW, "admission-review")                                                        \
    X(ADMISSION_PATCH, "admission-patch")                                                          \
    X(KUBELET_PODS, "kubelet-pods")                                                                \
    /* SPIRE: models/spire/spire.h */                                                              \
    X(SPIRE_ENTRY, "spire-entry")                                                                  \
    X(SPIRE_SYNC, "spire-sync")                                                                    \
    X(SPIRE_ENTRIES, "spire-entries")                                                              \
    X(SPIRE_SIGN, "spire-sign")                                                                    \
    X(SPIRE_FETCH, "spire-fetch")                                                                  \
    X(SPIRE_SVID, "spire-svid")                                                                    \
    /* NSM: models/nsm/connection.h; weight of Requests: path segments left of the receiver */     \
    X(NSM_REQUEST, "nsm-request")                                                                  \
    X(NSM_CONNECTION, "nsm-connection")                                                            \
    X(NSM_CLOSE, "nsm-close")                                                                      \
    X(NSM_MONITOR, "nsm-monitor")                                                                  \
    X(NSM_EVENT, "nsm-event")                                                                      \
    X(REGISTRY_REGISTER, "registry-register")                                                      \
    X(REGISTRY_UNREGISTER, "registry-unregister")                                                  \
    X(REGISTRY_NSE, "registry-nse")                                                                \
    X(REGISTRY_FIND_NS, "registry-find-ns")                                                        \
    X(REGISTRY_FIND_NSE, "registry-find-nse")                                                      \
    X(REGISTRY_FOUND, "registry-found")                                                            \
    X(REGISTRY_REGISTER_NS, "registry-register-ns")                                                \
    X(REGISTRY_WATCH, "registry-watch") /* stream, opened by registry healing */                   \
    /* work that a machine does by itself */                                                       \
    X(WORK_START, "start")                                                                         \
    X(WORK_VPP_BOOT, "vpp-boot")                                                                   \
    X(WORK_VPP_INTERFACE, "vpp-interface")                                                         \
    X(WORK_VPP_XCONNECT, "vpp-cross-connect")                                                      \
    X(WORK_VPP_TUNNEL, "vpp-tunnel")

typedef enum MessageType {
#define X(name, text) MESSAGE_##name,
    MESSAGE_TYPES(X)
#undef X
        N_MESSAGE_TYPES
} MessageType;

typedef struct Message Message;
struct Message {
    MessageType type;
    int n_refs;
    int weight;
    void (*clear)(Message *message); /* releases the payload; may be NULL */
};

const char *message_type_name(MessageType type);

/* Allocates `size` zeroed bytes that begin with a Message of one reference. */
void *message_new(MessageType type, size_t size, void (*clear)(Message *message));
void *message_ref(void *message);
void message_unref(void *message);

/* OK and ERROR. */
typedef struct ReplyMessage {
    Message base;
    char *text; /* ERROR: why */
} ReplyMessage;

Message *message_ok(void);
Message *message_error(const char *format, ...) G_GNUC_PRINTF(1, 2);
/* NULL unless the message is an ERROR. */
const char *message_error_text(const Message *message);
