/* The network between nodes: latency, impairments, nodes that are down.
 *
 * What is sent over a link arrives after its latency.  TCP sees to it that what is lost arrives
 * later: a lost segment is sent again after 200 ms, 400 ms, ... (a lost SYN after 1 s, 2 s, ...;
 * RFC 6298, Linux TCP_RTO_MIN and TCP_TIMEOUT_INIT).  While a link is cut everything waits for
 * the first retransmission after its end; 924.6 s without success break a connection
 * (net.ipv4.tcp_retries2 = 15), 127 s end a connection attempt (tcp_syn_retries = 6). */
#pragma once

#include "models/fault.h"
#include "models/scenario.h"
#include "sim/engine.h"

#define NET_DATA_LIMIT (924600 * NSEC_PER_MSEC)
#define NET_SYN_LIMIT (127 * NSEC_PER_SEC)
/* Go's net package probes idle TCP connections every 15 s; Linux gives up after 9 probes without an
 * answer.  gRPC's own keepalive is not configured in NSM (FACTS 2.1). */
#define NET_KEEPALIVE (15 * NSEC_PER_SEC)
#define NET_KEEPALIVE_LIMIT (150 * NSEC_PER_SEC)

typedef struct Net Net;

/* A node's network interface, the links that name it share it.  What is sent waits in its queue
 * while it transmits. */
typedef struct NetNic {
    char *name;   /* "node:interface" */
    int64_t rate; /* bit/s; 0: unlimited */
    nsec_t free_at;
    nsec_t backlog; /* how long the queue may become; 0: no limit */
    double load;    /* bit/s that flows use */
    uint64_t n_sent, n_dropped;
} NetNic;

/* Share of what a resource gives from which on flows leave nothing of it. */
#define NET_SATURATED 0.98

/* What flows leave of it; one that they use up has a full queue. */
int64_t net_nic_free_rate(const NetNic *nic);
bool net_nic_is_saturated(const NetNic *nic);

typedef struct NetLink {
    NetNic *nics[2]; /* of the node with the lower and with the higher index */
    nsec_t latency;  /* one way, without what is added */
    nsec_t jitter;   /* uniform, to both sides */
    double loss;
    Impairment impairment;
    nsec_t arrives_at[2]; /* the last of the frames from nics[i], which are not overtaken */
    GQueue held;          /* NetPacket * */
} NetLink;

/* Something on its way; embedded in what sends it.  `event` is scheduled for its arrival. */
typedef struct NetPacket {
    Event *event;
    bool syn;
    bool held; /* when the event comes while this is set, it was given up */
    nsec_t sent;
    NetLink *link;
    GList *place;
} NetPacket;

Net *net_new(Engine *engine, const Scenario *scenario);
void net_free(Net *net);

/* Index of a node, by its name; G_MAXUINT when there is none. */
guint net_node(const Net *net, const char *name);
bool net_node_is_up(const Net *net, guint node);
void net_set_node(Net *net, guint node, bool up);

NetLink *net_between(Net *net, guint a, guint b);

/* The interface by which `from` sends to `to`. */
NetNic *net_nic(Net *net, guint from, guint to);

/* The interface by which a node reaches what is outside the cluster: that of its first link, or of
 * the default; NULL: it has none. */
NetNic *net_uplink(Net *net, guint node);

/* One draw of a link's latency, impairments included, losses not. */
nsec_t net_latency(const NetLink *link, RandomStream *random);

/* Sends over `link`; `delay` before it leaves counts too.  `factor` latencies are needed. */
void net_send(Net *net, NetPacket *packet, NetLink *link, int factor, nsec_t delay,
              RandomStream *random);
/* Forgets a packet that may be held; its event is the sender's to cancel. */
void net_drop(NetPacket *packet);

/* Impairs the links between two nodes (G_MAXUINT: all others); an all-zero impairment ends it. */
void net_impair(Net *net, guint a, guint b, const Impairment *impairment);

/* When something sent at `sent` is sent again first, not before `now`. */
nsec_t net_next_retransmission(nsec_t sent, nsec_t now, bool syn);

/* Called after each change of a link or node. */
void net_set_observer(Net *net, void (*changed)(void *data), void *data);
