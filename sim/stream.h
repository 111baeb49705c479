/* What the files of traffic share: traffic.c (when iterations begin, what is reported), pings.c
 * (ICMP), exchange.c (requests over TCP). */
#pragma once

#include "base/reservoir.h"
#include "sim/flows.h"
#include "sim/traffic.h"
#include "sim/world_types.h"

typedef struct Stream Stream;
typedef struct Exchange Exchange;
typedef struct Video Video;

/* One of the users of constant-vus.  The ids of his iterations are his number plus multiples of
 * the number of users. */
typedef struct User {
    Stream *stream;
    Event next;
    uint64_t id; /* of the next iteration */
} User;

/* CPU of a container. */
typedef struct CpuMark {
    char *process; /* "namespace/pod/container" */
    double cpu;
} CpuMark;

/* Why iterations failed. */
typedef struct FailureCount {
    char *cause;
    uint64_t n;
} FailureCount;

struct Stream {
    PacketFlow packets;
    TrafficRun *run;
    World *world;
    const Traffic *traffic;
    const Chain *chain;                   /* NULL: on the cluster's own network */
    const Object *from, *to;              /* on the cluster's own network */
    uint64_t n_changes;                   /* of the data plane when the next was looked up */
    uint32_t mtu;                         /* of the way */
    const WorldNode *from_node, *to_node; /* on the cluster's own network; NULL: no such Pod */
    uint64_t nodes_known;                 /* World.n_sandboxes when they were looked up */
    ChainProbe *probe;                    /* NULL: it is not one */
    Event next;                           /* iteration of an open executor */
    nsec_t from_time, until;
    double phase;
    RandomStream random;
    User *users;
    /* iterations */
    uint64_t n_due; /* of an open executor, begun or not */
    uint64_t n_begun;
    uint64_t n_done;    /* answered */
    uint64_t n_failed;  /* lost, refused, too late */
    uint64_t n_skipped; /* not begun: maxVUs were under way */
    Reservoir times;    /* s, of those that were answered */
    GArray *failures;   /* FailureCount, in the order of the first */
    /* pings.c */
    GHashTable *pieces; /* id -> Pieces: echoes in several fragments */
    /* exchange.c */
    GHashTable *exchanges;  /* id -> Exchange */
    guint n_idle;           /* connections that wait for a request */
    char *server_port;      /* where requests arrived last */
    char *server_place;     /* for reports */
    Process *server;        /* that listens there; NULL: nobody does */
    uint64_t server_id;     /* his, as another may come to be where he was in memory */
    uint64_t server_known;  /* World.n_lives when it was looked up */
    GArray *cpu_before;     /* CpuMark: what containers had used when bulk traffic began */
    GArray *cpu_used;       /* CpuMark: by containers while it lasted, in cores */
    double bytes;           /* iperf: of flows that have ended */
    Video *video;           /* video only */
    GPtrArray *bottlenecks; /* FluidBottleneck *, of flows that have ended */
};

struct TrafficRun {
    World *world;
    const Scenario *scenario;
    const Chains *chains;
    ChainWatch *watch;
    Flows *flows;
    GPtrArray *streams; /* Stream * */
    bool stopped;
};

static inline uint64_t
stream_n_under_way(const Stream *stream)
{
    return stream->n_begun - stream->n_done - stream->n_failed;
}

/* traffic.c */
/* The interface that the stream goes out by now; NULL: there is none yet, or the Pod network. */
const char *stream_port(const Stream *stream);
/* Packets from one end to the other, by whatever the stream goes; `port`: where they leave. */
void stream_send(Stream *stream, const PacketInfo *packet, const char *port);
/* Bytes from one end to the other (negative: without end) as a fluid flow; NULL: an end is gone. */
FluidFlow *stream_begin_fluid(Stream *stream, bool backward, int64_t bytes,
                              void (*done)(void *data, FluidFlow *flow), void *data);
/* An iteration that began then has ended: well (`cause` NULL), or why not. */
void stream_ended(Stream *stream, uint64_t id, nsec_t began, const char *cause);

/* pings.c */
void ping_begin(Stream *stream, uint64_t id);
void ping_arrived(PacketFlow *flow, const PacketInfo *packet);
void ping_dropped(PacketFlow *flow, const PacketInfo *packet, DropReason reason);

/* exchange.c */
void exchange_begin(Stream *stream, uint64_t id);
void exchange_arrived(PacketFlow *flow, const PacketInfo *packet);
void exchange_dropped(PacketFlow *flow, const PacketInfo *packet, DropReason reason);
/* The server has ended; its kernel tells the clients. */
void exchanges_reset(Stream *stream);
/* All that are under way are forgotten; how many of them were sending as fluid flows. */
guint exchanges_clear(Stream *stream);
/* A metric's key with the labels of the stream. */
MetricKey *stream_key(const Stream *stream, const char *name);

/* video.c: a film on its way, and who watches it. */
typedef struct VideoTimes {
    nsec_t began, sent, compressed, returned; /* NSEC_NEVER: not yet */
} VideoTimes;
Video *video_new(Stream *stream);
VideoTimes *video_times(Video *video);
void video_is_there(Video *video); /* the viewers come */
void video_stop(Video *video);
void video_free(Video *video); /* after video_stop; the world may be gone */
void video_collect(Video *video, Outcome *outcome);
