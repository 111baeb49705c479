/* NSM connections and the messages that carry them (api pkg/api/networkservice/connection.proto).
 *
 * A Connection is what both a Request and its answer carry: the path with one segment for each
 * hop, the service, the labels, the chosen endpoint and what the two ends of the present link
 * need to be wired.  It is immutable once sent; each hop copies and changes its copy. */
#pragma once

#include "models/machine.h"
#include "models/nsm/record.h"

/* Where a node's manager listens unless NSM_CONNECT_TO or NSM_LISTEN_ON says otherwise (FACTS 2.7).
 */
#define NSM_MANAGER_SOCKET "unix:///var/lib/networkservicemesh/nsm.io.sock"

/* Token life of a segment, 10 minutes unless NSM_MAX_TOKEN_LIFETIME says otherwise (FACTS 2.4). */
#define NSM_TOKEN_LIFETIME (600 * NSEC_PER_SEC)

/* A Close that nobody waits for (an expired token, a Request that was given up) ends by itself. */
#define NSM_CLOSE_TIMEOUT (15 * NSEC_PER_SEC)

typedef struct PathSegment {
    char *name;
    char *id;
    nsec_t expires;
} PathSegment;

/* What the two ends of a link agree on.  A link's client side says who it is, the server side
 * answers who it is. */
typedef struct LinkEnd {
    char *pod;       /* "namespace/pod" whose namespace the interface goes into; NULL for tunnels */
    char *interface; /* its name there */
    char *node;      /* tunnels: the node at this end */
    char *ip;        /* that answers echoes there; NULL: none (pass-through functions, tunnels) */
    uint32_t made;   /* memif: which making of the interface.  A VPP that was restarted, or that has
                        removed it, makes it again, and the other end is wired to it anew */
} LinkEnd;

typedef struct Connection {
    int n_refs;
    char *id;      /* id of the first segment: names the whole connection */
    char *service; /* network service */
    char *nse;     /* endpoint chosen for it; NULL until then */
    char *payload; /* of the network service; NULL until known */
    Labels labels; /* of the present link's client */
    GArray *path;  /* PathSegment */
    guint index;   /* segment of whoever sent this */
    WireKind mechanism;
    LinkEnd client;
    LinkEnd server;
    uint32_t vni;
    char *src_ip;
    char *dst_ip;
} Connection;

Connection *connection_new(const char *id, const char *service);
Connection *connection_copy(const Connection *from);
Connection *connection_ref(Connection *connection);
void connection_unref(Connection *connection);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Connection, connection_unref)

/* updatepath: goes one segment on, as `name`.  Keeps the next segment's id when it is already
 * this name's (a refresh); otherwise that segment is made anew.  What is beyond stays: the hops
 * there know the connection by their ids, whoever comes before them.  The segment's token is made
 * anew: it expires after `lifetime`. */
void connection_advance(Connection *connection, const char *name, nsec_t now, nsec_t lifetime);

/* trimpath: the end of the chain cuts what a longer path before has left beyond. */
void connection_trim(Connection *connection);

/* What a client sends to refresh a connection: its own segment's token is made anew. */
Connection *connection_again(const Connection *connection, nsec_t now, nsec_t lifetime);

/* Id of the sender's own segment: the key of per-link state at a hop. */
const char *connection_segment_id(const Connection *connection);
const PathSegment *connection_segment(const Connection *connection, guint index);
/* Name of the segment after the sender's, or NULL. */
const char *connection_next_name(const Connection *connection);
/* Id of the segment after the sender's, known or as the next hop would make it: the key of the next
 * hop's state.  Free with g_free. */
char *connection_next_id(const Connection *connection);
/* When the token of the segment before the sender's expires (timeout/server.go:52): NSEC_NEVER when
 * there is none. */
nsec_t connection_previous_expires(const Connection *connection);
/* The soonest expiry over all segments. */
nsec_t connection_expires(const Connection *connection);

/* What the chain's clientinfo element adds: NODE_NAME, POD_NAME and CLUSTER_NAME of the process's
 * environment as nodeName, podName and clusterName, where the labels do not have them yet. */
void labels_add_client_info(Labels *labels, const ProcessInfo *info);

/* Makes `to` what `from` is. */
void link_end_assign(LinkEnd *to, const LinkEnd *from);

/* What a MonitorConnections stream tells. */
typedef enum NsmEventKind {
    NSM_EVENT_INITIAL, /* the state at the opening */
    NSM_EVENT_DOWN,    /* UPDATE with state DOWN: the path beyond is broken */
    NSM_EVENT_DELETE,  /* closed */
} NsmEventKind;

typedef struct NsmMessage {
    Message base;           /* NSM_REQUEST, _CONNECTION, _CLOSE, _MONITOR, _EVENT */
    Connection *connection; /* NSM_EVENT: NULL when there is no such connection */
    NsmEventKind event;
} NsmMessage;
/* weight: path segments, whose tokens the receiver's authorize element checks (FACTS 1.8) */
Message *nsm_message(MessageType type, Connection *take_connection);
Connection *nsm_message_connection(const Message *message);
Message *nsm_event(NsmEventKind kind, Connection *take_connection);
NsmEventKind nsm_event_kind(const Message *message);

/* ---- registry ---- */

typedef struct RegistryMessage {
    Message base; /* REGISTRY_REGISTER, _UNREGISTER, _NSE, _WATCH */
    NseRecord *record;
} RegistryMessage;
Message *registry_message(MessageType type, NseRecord *take_record);
NseRecord *registry_message_record(const Message *message);

typedef struct RegistryService {
    Message base;         /* REGISTRY_REGISTER_NS */
    const Object *object; /* lives as long as the run */
} RegistryService;
Message *registry_service(const Object *object);

typedef struct RegistryQuery {
    Message base;  /* REGISTRY_FIND_NS, REGISTRY_FIND_NSE */
    char *name;    /* NS: exact name; NSE: exact name or NULL */
    char *service; /* NSE: substring of a service name, or NULL */
    char *url;     /* NSE: exact, or NULL */
} RegistryQuery;
RegistryQuery *registry_query(MessageType type, const char *name, const char *service,
                              const char *url);
RegistryQuery *registry_query_copy(const RegistryQuery *query);

typedef struct RegistryFound {
    Message base;
    GPtrArray *records;                /* NseRecord *, references */
    const NetworkServiceSpec *service; /* FIND_NS: NULL when there is none */
} RegistryFound;
RegistryFound *registry_found_new(void);
