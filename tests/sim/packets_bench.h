/* A bare data plane through which packets are sent: two nodes "a" and "b" with a link of 1 Gbit/s
 * and 100 us between them, forwarders, Pods, and containers for the VPPs that a test chooses.
 *
 * Everything takes constant times, so that delays are sums that a hand can do:
 *
 *     a Pod's kernel 10 us; VPP wakes in 40 us, a packet costs it 3 us, one into or out of a tunnel
 *     1 us more, WireGuard 2 us more for each KiB; a ring holds 8 packets, a transmit queue 10 */
#pragma once

#include "models/nsm/version.h"
#include "models/scenario.h"
#include "sim/packets.h"
#include "sim/vswitch.h"
#include "tests/suite.h"

#define USEC NSEC_PER_USEC
#define MSEC NSEC_PER_MSEC
#define PERIOD (100 * MSEC)
#define KERNEL (10 * USEC)
#define WAKE (40 * USEC)
#define COST (3 * USEC)
#define TUNNEL_COST USEC
#define LATENCY (100 * USEC)
#define RING 8
#define QUEUE 10

#define CLIENT "ns/client"
#define FIREWALL "ns/firewall"
#define SERVER "ns/server"
#define FWD_A "nsm/fwd-a"
#define FWD_B "nsm/fwd-b"
#define FROM CLIENT "/nsm-1"
#define TO SERVER "/nsm-1"

enum { N_VPPS = 5 };

typedef struct TestVpp {
    const char *owner;
    guint host;
    CpuGroup *group; /* NULL: it does not run */
    nsec_t quota;
    int version;
    const Acl *acl;
} TestVpp;

/* A flow that notes what becomes of its packets; ids are places in `ends`. */
typedef struct TestFlow {
    PacketFlow packets; /* first: it is the flow */
    GArray *ends;       /* TestEnd */
} TestFlow;

typedef struct TestEnd {
    nsec_t sent;
    nsec_t at; /* NSEC_NEVER: it is on its way */
    bool arrived;
    DropReason reason;
    char port[64]; /* where it arrived; "" : on the cluster's network */
} TestEnd;

static Engine *engine;
static Calibration calibration;
static Scenario scenario;
static ScenarioNode nodes[2];
static Net *net;
static CpuNode *hosts[2];
static DataPlane *plane;
static TestVpp vpps[N_VPPS];
static TestFlow flow;
static uint64_t last_token;
static guint n_failed_ops;

static inline void
on_operation(void *data, uint64_t token, const char *error)
{
    n_failed_ops += error != NULL ? 1 : 0;
}

static inline TestEnd *
end_of(guint id)
{
    return &g_array_index(flow.ends, TestEnd, id);
}

static inline TestEnd *
end_packet(const PacketInfo *packet)
{
    TestEnd *end = end_of((guint)packet->id);
    g_assert(end->at == NSEC_NEVER); /* once */
    g_assert(end->sent == packet->sent);
    end->at = engine_now(engine);
    return end;
}

static inline void
on_arrived(PacketFlow *packets, const PacketInfo *packet)
{
    TestEnd *end = end_packet(packet);
    end->arrived = true;
    g_strlcpy(end->port, packet->port != NULL ? packet->port : "", sizeof end->port);
}

static inline void
on_dropped(PacketFlow *packets, const PacketInfo *packet, DropReason reason)
{
    end_packet(packet)->reason = reason;
}

/* ---- VPPs ---- */

static inline TestVpp *
vpp(const char *owner)
{
    for (int i = 0; i < N_VPPS; i++) {
        if (g_str_equal(vpps[i].owner, owner)) {
            return &vpps[i];
        }
    }
    return NULL;
}

static inline bool
cpu_of(void *data, const char *owner, VppCpu *out)
{
    const TestVpp *found = vpp(owner);
    if (found == NULL || found->group == NULL) {
        return false;
    }
    *out = (VppCpu){.group = found->group, .version = found->version, .acl = found->acl};
    return true;
}

/* VPP runs from now on; `quota` of each period, 0: no limit. */
static inline void
vpp_start(const char *owner, nsec_t quota)
{
    TestVpp *found = vpp(owner);
    found->quota = quota;
    found->group = cpu_group_new(hosts[found->host], quota, PERIOD);
}

/* As when its process ends: sim/world.c. */
static inline void
vpp_end(const char *owner)
{
    TestVpp *found = vpp(owner);
    CpuGroup *group = g_steal_pointer(&found->group);
    sim_dataplane_remove_owner(plane, owner);
    cpu_group_free(group);
}

/* ---- the bench ---- */

static inline void
set_parameter(CalibrationParameter parameter, double value)
{
    calibration.parameters[parameter] = dist_constant(value);
}

static inline void
bench_calibrate(void)
{
    calibration = (Calibration){0};
    set_parameter(PARAMETER_VPP_INTERFACE, 0.06);
    set_parameter(PARAMETER_VPP_XCONNECT, 0.005);
    set_parameter(PARAMETER_VPP_TUNNEL, 0.015);
    set_parameter(PARAMETER_KERNEL_PACKET, 10e-6);
    set_parameter(PARAMETER_VPP_PACKET, 3e-6);
    set_parameter(PARAMETER_VPP_WAKE_UP, 40e-6);
    set_parameter(PARAMETER_VPP_TUNNEL_PACKET, 1e-6);
    set_parameter(PARAMETER_VPP_WIREGUARD_PER_KIB, 2e-6);
    set_parameter(PARAMETER_VPP_RING, RING);
    set_parameter(PARAMETER_LINK_QUEUE, QUEUE);
    set_parameter(PARAMETER_POD_NETWORK_PACKET, 5e-6);
    set_parameter(PARAMETER_POD_NETWORK_OVERLAY, 15e-6);
    calibration.choices[PARAMETER_VPP_POLLING] = POLLING_NEVER;
}

static inline void
flow_setup(void)
{
    flow = (TestFlow){0};
    packet_flow_init(&flow.packets);
    flow.packets.arrived = on_arrived;
    flow.packets.dropped = on_dropped;
    flow.ends = g_array_new(false, true, sizeof(TestEnd));
}

/* After bench_calibrate, which a test may have changed. */
static inline void
bench_open(void)
{
    static const struct {
        const char *owner;
        guint host;
    } owners[N_VPPS] = {{FWD_A, 0}, {FWD_B, 1}, {FIREWALL, 0}, {CLIENT, 0}, {SERVER, 0}};
    engine = engine_new();
    nodes[0] = (ScenarioNode){.name = (char *)"a"};
    nodes[1] = (ScenarioNode){.name = (char *)"b"};
    scenario = (Scenario){.calibration = &calibration, .nodes = nodes, .n_nodes = 2};
    scenario.default_link.rate = INT64_C(1000000000);
    scenario.default_link.latency = LATENCY;
    scenario.has_default_link = true;
    net = net_new(engine, &scenario);
    plane = sim_dataplane_new(engine, &calibration, 1, 0, on_operation, NULL);
    sim_dataplane_set_net(plane, net);
    vswitch_set_cpus(plane, cpu_of, NULL);
    for (int i = 0; i < 2; i++) {
        hosts[i] = cpu_node_new(engine, 40, 0);
    }
    for (int i = 0; i < N_VPPS; i++) {
        vpps[i] = (TestVpp){
            .owner = owners[i].owner, .host = owners[i].host, .version = NSM_VERSION(1, 4, 0)};
    }
    vpp_start(FWD_A, 0);
    vpp_start(FWD_B, 0);
    n_failed_ops = 0;
    flow_setup();
}

static inline void
bench_setup(void)
{
    bench_calibrate();
    bench_open();
}

static inline void
bench_teardown(void)
{
    plane->class->free(plane);
    net_free(net);
    for (int i = 0; i < N_VPPS; i++) {
        if (vpps[i].group != NULL) {
            cpu_group_free(vpps[i].group);
        }
    }
    for (int i = 0; i < 2; i++) {
        cpu_node_free(hosts[i]);
    }
    engine_free(engine);
    packet_flow_clear(&flow.packets);
    g_array_unref(flow.ends);
}

static inline void
run_for(nsec_t time)
{
    engine_run_until(engine, engine_now(engine) + time);
}

/* Until what was asked for is programmed, and nothing is on its way; the time is then the beginning
 * of a second. */
static inline void
settle(void)
{
    nsec_t now = engine_now(engine);
    engine_run_until(engine, now - now % NSEC_PER_SEC + 2 * NSEC_PER_SEC);
}

/* ---- the graph ---- */

static inline void
perform(DataPlaneOp op)
{
    op.token = ++last_token;
    g_autoptr(GError) error = NULL;
    bool accepted = plane->class->perform(plane, &op, &error);
    g_assert_no_error(error);
    g_assert(accepted);
}

/* "ns/pod/interface" of a Pod, wired to `port` of a forwarder. */
static inline void
add_interface(const char *owner, const char *port, const char *pod_port, WireKind wire,
              const char *ip)
{
    g_autofree char *pod = g_path_get_dirname(pod_port);
    perform((DataPlaneOp){.kind = DATAPLANE_CREATE_INTERFACE,
                          .wire = wire,
                          .owner = owner,
                          .node = g_str_equal(owner, FWD_B) ? "b" : "a",
                          .port = port,
                          .pod = pod,
                          .pod_port = pod_port,
                          .ip = ip});
}

static inline void
add_direct(const char *pod_port, const char *peer, const char *peer_ip)
{
    g_autofree char *pod = g_path_get_dirname(pod_port);
    perform((DataPlaneOp){.kind = DATAPLANE_CREATE_DIRECT,
                          .wire = WIRE_MEMIF,
                          .owner = FWD_A,
                          .node = "a",
                          .pod = pod,
                          .pod_port = pod_port,
                          .peer = peer,
                          .peer_ip = peer_ip});
}

static inline void
add_tunnel(const char *owner, const char *port, uint32_t vni, WireKind wire)
{
    bool a = g_str_equal(owner, FWD_A);
    perform((DataPlaneOp){.kind = DATAPLANE_CREATE_TUNNEL,
                          .wire = wire,
                          .owner = owner,
                          .node = a ? "a" : "b",
                          .port = port,
                          .peer_node = a ? "b" : "a",
                          .vni = vni});
}

static inline void
join(const char *owner, const char *port, const char *peer)
{
    perform((DataPlaneOp){
        .kind = DATAPLANE_CROSS_CONNECT, .owner = owner, .node = "a", .port = port, .peer = peer});
}

static inline void
discard(const char *owner, const char *port)
{
    perform((DataPlaneOp){.kind = DATAPLANE_REMOVE, .owner = owner, .node = "a", .port = port});
}

/* client -- fwd-a -- server */
static inline void
build_local(WireKind client, WireKind server)
{
    add_interface(FWD_A, FWD_A "/1/client", FROM, client, NULL);
    add_interface(FWD_A, FWD_A "/1/server", TO, server, "172.16.1.100/32");
    settle();
    join(FWD_A, FWD_A "/1/client", FWD_A "/1/server");
    settle();
}

/* client -- fwd-a == tunnel == fwd-b -- server */
static inline void
build_remote(WireKind wire)
{
    add_interface(FWD_B, FWD_B "/1/server", TO, WIRE_KERNEL, "172.16.1.100/32");
    add_tunnel(FWD_B, FWD_B "/1/client", 6, wire);
    add_interface(FWD_A, FWD_A "/1/client", FROM, WIRE_KERNEL, "172.16.1.101/32");
    add_tunnel(FWD_A, FWD_A "/1/server", 6, wire);
    settle();
    join(FWD_B, FWD_B "/1/client", FWD_B "/1/server");
    join(FWD_A, FWD_A "/1/client", FWD_A "/1/server");
    settle();
}

/* client -- fwd-a -- firewall -- fwd-a -- server */
static inline void
build_chain(void)
{
    join(FIREWALL, FIREWALL "/in", FIREWALL "/out");
    add_interface(FWD_A, FWD_A "/2/server", TO, WIRE_KERNEL, "172.16.1.100/32");
    add_interface(FWD_A, FWD_A "/2/client", FIREWALL "/out", WIRE_MEMIF, NULL);
    add_interface(FWD_A, FWD_A "/1/server", FIREWALL "/in", WIRE_MEMIF, NULL);
    add_interface(FWD_A, FWD_A "/1/client", FROM, WIRE_KERNEL, NULL);
    settle();
    join(FWD_A, FWD_A "/2/client", FWD_A "/2/server");
    join(FWD_A, FWD_A "/1/client", FWD_A "/1/server");
    settle();
}

/* ---- packets ---- */

/* The next of the flow; its id. */
static inline PacketInfo
next_packet(uint32_t bytes, bool backward)
{
    TestEnd end = {.sent = engine_now(engine), .at = NSEC_NEVER};
    g_array_append_val(flow.ends, end);
    return (PacketInfo){
        .id = flow.ends->len - 1, .bytes = bytes, .backward = backward, .timed = true};
}

static inline guint
send(uint32_t bytes, bool backward, const char *port)
{
    PacketInfo info = next_packet(bytes, backward);
    packets_send(plane, &flow.packets, &info, port);
    return (guint)info.id;
}

static inline double
delay_of(const char *place, DelayPart part)
{
    double sum = 0;
    for (guint i = 0; i < flow.packets.delays->len; i++) {
        const PlaceDelays *one = &g_array_index(flow.packets.delays, PlaceDelays, i);
        bool here = place == NULL || g_str_equal(one->place, place);
        sum += here && part < N_DELAY_PARTS ? one->parts[part] : 0;
        for (int k = 0; here && part == N_DELAY_PARTS && k < N_DELAY_PARTS; k++) {
            sum += one->parts[k];
        }
    }
    return sum;
}

static inline uint64_t
n_drops(DropReason reason, const char *place, const char *rule)
{
    uint64_t n = 0;
    for (guint i = 0; i < flow.packets.drops->len; i++) {
        const PlaceDrops *one = &g_array_index(flow.packets.drops, PlaceDrops, i);
        bool here = place == NULL || g_str_equal(one->place, place);
        if (one->reason == reason && here && (rule == NULL || g_strcmp0(one->rule, rule) == 0)) {
            n += one->n;
        }
    }
    return n;
}

static inline PortCounts
counts(const char *port)
{
    const PortCounts *found = packets_port_counts(plane, port);
    return found != NULL ? *found : (PortCounts){0};
}
