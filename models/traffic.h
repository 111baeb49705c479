/* Traffic: what is sent through chains, when, and how much of it (spec.traffic, docs/SCENARIOS.md).
 *
 * The words are k6's: an executor decides when an iteration begins, the flow what one iteration
 * does.  ICMP: one echo.  TCP: one request of `size` bytes that the server works on for
 * `service` and answers with `response_size` bytes.  The executors:
 *
 *   constant-arrival-rate   open: `rate` iterations a second, evenly spaced, whatever happens
 *   ramping-arrival-rate    open: the rate goes in straight lines from stage to stage
 *   constant-vus            closed: `vus` users, each begins the next iteration when the last one
 *                           has ended and `think_time` has passed
 *   iperf                   `parallel` TCP flows that send as fast as they can
 *   video                   one file goes forward, is compressed, comes back, and is streamed
 *
 * A flow goes out by an interface of `from`: the V-wire of a chain, or (`pod_network`) eth0 and the
 * cluster's own network.  An open executor never waits for answers, so that its latencies do not
 * suffer from coordinated omission; a closed one does (docs/SCENARIOS.md).
 *
 * Immutable after loading.  Both worlds read the same entries. */
#pragma once

#include "base/dist.h"
#include "base/tree.h"

#define TRAFFIC_EXECUTORS(X)                                                                       \
    X(CONSTANT_ARRIVAL_RATE, "constant-arrival-rate")                                              \
    X(RAMPING_ARRIVAL_RATE, "ramping-arrival-rate")                                                \
    X(CONSTANT_VUS, "constant-vus")                                                                \
    X(IPERF, "iperf")                                                                              \
    X(VIDEO, "video")

typedef enum TrafficExecutor {
#define X(name, text) TRAFFIC_##name,
    TRAFFIC_EXECUTORS(X)
#undef X
        N_TRAFFIC_EXECUTORS
} TrafficExecutor;

const char *traffic_executor_name(TrafficExecutor executor);

typedef enum TrafficProtocol { TRAFFIC_ICMP, TRAFFIC_TCP } TrafficProtocol;

/* The rate goes in a straight line from that of the stage before to `target` during `duration`. */
typedef struct TrafficStage {
    nsec_t duration;
    double target; /* iterations per second */
} TrafficStage;

/* One quality of the streamed video. */
typedef struct VideoRendition {
    char *name;   /* "1280x720" */
    int64_t rate; /* bit/s */
} VideoRendition;

typedef struct TrafficVideo {
    int64_t file_size;          /* bytes that go forward */
    nsec_t file_duration;       /* of the film */
    nsec_t compress_cpu;        /* CPU time of one core that compressing takes at `to` */
    int64_t compressed;         /* bytes that come back */
    nsec_t fragment;            /* how long one piece plays */
    VideoRendition *renditions; /* best first */
    guint n_renditions;
    int viewers;           /* that watch it, from outside the cluster by `from`'s node */
    nsec_t viewer_spread;  /* they come evenly within this time after the film is there */
    int64_t viewer_rate;   /* bit/s of a viewer's access; 0: not limited */
    nsec_t viewer_latency; /* one way, between the node and the viewer */
} TrafficVideo;

typedef struct Traffic {
    char *name;
    TrafficExecutor executor;
    TrafficProtocol protocol;
    char *from;            /* "kind/name" or "kind/namespace/name" of a workload or Pod */
    char *to;              /* the same, or an address that the chain's endpoint gives */
    char *interface;       /* of `from`; NULL: that of each chain from `from` to `to` */
    bool pod_network;      /* the interface is eth0: not by a chain */
    int port;              /* TCP: where the server listens; 0 with ICMP */
    int64_t size;          /* bytes: an echo's payload; a request */
    int64_t response_size; /* bytes; TCP */
    Dist service;          /* s of CPU that the server needs for a request */
    nsec_t timeout;        /* of an iteration, from its beginning */
    bool new_connections;  /* each iteration its own; otherwise a user keeps his */
    nsec_t start_time;
    nsec_t duration; /* of new iterations; 0: until the end of the run */
    double rate;     /* per second: constant; at the beginning of the first stage */
    TrafficStage *stages;
    guint n_stages;
    int vus;             /* constant-vus */
    nsec_t think_time;   /* constant-vus */
    int max_vus;         /* open executors with TCP: iterations under way; more are dropped */
    int parallel;        /* iperf */
    bool reverse;        /* iperf: from `to` to `from` */
    int64_t mss;         /* iperf: asked for, bytes; 0: what the path's MTU gives */
    TrafficVideo *video; /* video only */
    TreeMark mark;
} Traffic;

/* Releases what the entry holds; the struct is the caller's. */
void traffic_clear(Traffic *traffic);

/* Echoes at a constant rate along chains: what `ping -i` would see (label `probe` of metrics). */
bool traffic_is_probe(const Traffic *traffic);

/* Arrivals of the open executors.  Times are since the entry's start. */

/* Iterations per second; 0 outside [0, duration) and with other executors. */
double traffic_rate_at(const Traffic *traffic, nsec_t since);

/* Iterations that are due before `since`: the integral of the rate. */
double traffic_iterations(const Traffic *traffic, nsec_t since);

/* When iteration k of an open executor begins; `phase` in [0,1) is the place of the first within
 * its interval.  Iteration k begins when the integral of the rate is about to exceed k + phase:
 * one that would fall on the beginning of a stage with rate 0 begins after it.  NSEC_NEVER: it does
 * not begin within the traffic's duration (`limit` when the entry gives none).  Takes time in
 * proportion to the number of stages; exact to a nanosecond where the rate is not near 0. */
nsec_t traffic_arrival(const Traffic *traffic, uint64_t k, double phase, nsec_t limit);
