/* Fluid flows: long TCP transfers as rates instead of packets, where throughput matters.
 *
 * All flows of a world share what they pass by max-min fairness (sim/maxmin.h): the transmitting
 * and receiving side of each node's network interface, links that faults slow down, the CPU limit
 * of each container whose VPP passes their packets on (a cost per packet and byte, so that a limit
 * is a rate), the CPU limits of the programs at the ends, and the cores of the nodes.  A flow alone
 * is limited by one thread at each end (the kernel's cost per byte) and by TCP's window: slow start
 * doubles it each round trip, loss and the receive buffer bound it (models/tcp.h).
 *
 * A flow follows the path that there is: while there is none it stands still, and goes on at the
 * first retransmission after there is one again.  What it moves is counted at every port on its
 * way, the CPU time it burns at every container.
 *
 * Between changes nothing happens: a flow's end is one event, moved when its rate changes. */
#pragma once

#include "sim/world.h"

typedef struct Flows Flows;
typedef struct FluidFlow FluidFlow;

/* What a flow is.  Strings are borrowed for the call. */
typedef struct FluidSpec {
    const char *pod_port;   /* "namespace/pod/interface" of the chain's client; NULL: the cluster's
                               network */
    const char *from_node;  /* on the cluster's network: of the sender */
    const char *to_node;    /* NULL: outside the cluster, by the sending node's network interface */
    nsec_t latency;         /* to there, one way */
    const char *client_pod; /* "namespace/pod": whose CPU the ends use; NULL: nobody's */
    const char *server_pod;
    int server_port; /* which container of the server: the application that declares it; the first
                        one when none does */
    bool backward;   /* from the server to the client */
    int64_t bytes;   /* of payload; negative: without end */
    int64_t mss;     /* 0: what the path's MTU gives */
    double rate_cap; /* bit/s of payload; 0: none */
    /* All bytes have arrived, half a round trip after the last was sent.  The flow is still there:
     * the owner ends it, here or later. */
    void (*done)(void *data, FluidFlow *flow);
    void *data;
} FluidSpec;

/* What held a flow back for most of its time, and what would be otherwise: the resource's capacity
 * doubled (of a link, the interfaces at both ends), everything else as it is now.  Of a CPU
 * limit, flows get what else the container uses less: twice the limit is a little more than twice
 * as much, but no more than one thread can use.  A flow that does not send is taken as if it did.
 */
typedef struct FluidBottleneck {
    char *name;         /* "namespace/pod", "node:eno1", ...; "" when the flow never moved */
    const char *what;   /* "CPU limit", "link rate", "one thread", "TCP window", ... */
    double capacity;    /* in its unit; 0: none is known */
    const char *unit;   /* "cores", "bit/s" */
    double utilisation; /* 0 to 1, when it held last */
    double rate;        /* bit/s of payload now */
    double rate_if_doubled;
} FluidBottleneck;

Flows *flows_new(World *world); /* one for each world */
void flows_free(Flows *flows);  /* before the world; flows that are left are forgotten */

/* Begins to send after the handshake's round trip is over (the caller has waited for it). */
FluidFlow *flows_begin(Flows *flows, const FluidSpec *spec);
/* Ends and frees it, wherever it is. */
void flows_end(FluidFlow *flow);

double fluid_flow_bytes(FluidFlow *flow);      /* so far, as if the way took no time */
double fluid_flow_rate(const FluidFlow *flow); /* bit/s of payload now */
FluidBottleneck fluid_flow_bottleneck(FluidFlow *flow);
void fluid_bottleneck_clear(FluidBottleneck *bottleneck);

/* Counts what has moved until now at the ports (packets_port_counts), which otherwise lag behind
 * until a rate changes. */
void flows_settle(Flows *flows);

/* How often shares were solved, and how many rates changed by it. */
uint64_t flows_n_solved(const Flows *flows);
uint64_t flows_n_changed(const Flows *flows);
