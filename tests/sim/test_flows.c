/* Fluid flows (sim/flows.h) in worlds of the shipped manifests: rates against sums worked by hand,
 * what they use, and what becomes of them when their path goes.
 *
 * The calibration's figures are written out here, so that a sum shows where it comes from:
 * 3.142 us of a VPP for a packet, 0.3 us more for a tunnel's end, 299 ns of a thread for a KiB, a
 * forwarder's limit of 0.525 cores of which 0.03 are in use anyway.  Over NSM's VXLAN a segment has
 * 1406 bytes of 1534 on the wire, over the cluster's own 1410 of 1538. */
#include "sim/flows.h"

#include "base/random.h"
#include "models/tcp.h"
#include "sim/flow_types.h"
#include "tests/models/scratch.h"

#include <check.h>
#include <math.h>

#define SCENARIO                                                                                   \
    "apiVersion: vwire/v1alpha1\n"                                                                 \
    "kind: Scenario\n"                                                                             \
    "metadata: {name: flows}\n"                                                                    \
    "spec:\n"                                                                                      \
    "  duration: 600s\n"                                                                           \
    "  calibration: configs/testbed-2022-static.yaml\n"                                            \
    "  cluster:\n"                                                                                 \
    "    nodes:\n"                                                                                 \
    "    - {name: ubuntu, roles: [control-plane], allocatable: {cpu: \"40\", memory: 64Gi}}\n"     \
    "    - {name: ubuntu153, roles: [worker], allocatable: {cpu: \"40\", memory: 64Gi}}\n"         \
    "    links:\n"                                                                                 \
    "    - {endpoints: [\"ubuntu:eno1\", \"ubuntu153:eno1\"], rate: %s, latency: 150us%s}\n"       \
    "  manifests:\n"                                                                               \
    "  - path: scenarios/manifests/spire\n"                                                        \
    "  - {path: scenarios/manifests/nsm-v1.4.0, startTime: 40s}\n"                                 \
    "  - {path: scenarios/manifests/%s, startTime: 90s}\n"                                         \
    "%s"

#define READY (120 * NSEC_PER_SEC)
#define ECHO_BYTES 84 /* of a liveness check */
#define VPP_PACKET 3.142e-6
#define TUNNEL_PACKET 0.3e-6
#define PER_BIT (299e-9 / 8192)
#define FORWARDER_CORES (0.525 - 0.03)
#define THREAD_RATE (1 / PER_BIT)

/* ---- one world ---- */

typedef struct Run {
    Scenario *scenario;
    World *world;
    Flows *flows;
    char *client, *server; /* "namespace/pod" */
    char *port;
    guint n_done;
    nsec_t done_at; /* of the last flow that was done */
} Run;

/* The Pod whose key begins so, first by name; NULL: none. */
static char *
find_pod(const World *world, const char *prefix)
{
    const char *found = NULL;
    for (guint i = 0; i < world->processes->len; i++) {
        const Process *process = g_ptr_array_index(world->processes, i);
        const char *key = process->info->pod_key;
        if (key != NULL && g_str_has_prefix(key, prefix) &&
            (found == NULL || strcmp(key, found) < 0)) {
            found = key;
        }
    }
    return g_strdup(found);
}

static Run *
run_with(const char *manifests, const char *rate, const char *link, const char *faults)
{
    Run *run = g_new0(Run, 1);
    g_autofree char *text = g_strdup_printf(SCENARIO, rate, link, manifests, faults);
    scratch_write("flows.yaml", text);
    g_autofree char *path = scratch_path("flows.yaml");
    g_autoptr(GError) error = NULL;
    run->scenario = scenario_load(path, NULL, &error);
    ck_assert_msg(run->scenario != NULL, "%s", error != NULL ? error->message : "");
    run->world = world_new(run->scenario, 1, 0);
    run->flows = flows_new(run->world);
    world_run(run->world, READY);
    run->client = find_pod(run->world, "ns-gq4bf/nsc-kernel-");
    run->server = find_pod(run->world, "ns-gq4bf/nse-kernel-");
    run->port = g_strdup_printf("%s/nsm-1", run->client);
    return run;
}

static Run *
run_local(void)
{
    return run_with("local-sfc", "1gbit", "", "");
}

static void
run_free(Run *run)
{
    flows_free(run->flows);
    world_free(run->world);
    scenario_free(run->scenario);
    g_free(run->client);
    g_free(run->server);
    g_free(run->port);
    g_free(run);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Run, run_free)

static nsec_t
now(const Run *run)
{
    return engine_now(world_engine(run->world));
}

static void
go_on(const Run *run, nsec_t time)
{
    world_run(run->world, now(run) + time);
}

static void
on_done(void *data, FluidFlow *flow)
{
    Run *run = data;
    run->n_done++;
    run->done_at = now(run);
    flows_end(flow);
}

static FluidSpec
wire_spec(Run *run, int64_t bytes)
{
    return (FluidSpec){.pod_port = run->port,
                       .client_pod = run->client,
                       .server_pod = run->server,
                       .server_port = 80,
                       .bytes = bytes,
                       .done = on_done,
                       .data = run};
}

static FluidFlow *
begin(Run *run, int64_t bytes)
{
    FluidSpec spec = wire_spec(run, bytes);
    return flows_begin(run->flows, &spec);
}

static FluidSpec
cluster_spec(Run *run, const char *from, const char *to)
{
    return (FluidSpec){.from_node = from, .to_node = to, .bytes = -1, .done = on_done, .data = run};
}

static void
check_within(double found, double expected, double relative)
{
    ck_assert_msg(fabs(found - expected) <= relative * fabs(expected), "found %.9g instead of %.9g",
                  found, expected);
}

static void
check_rate(const FluidFlow *flow, double expected)
{
    check_within(fluid_flow_rate(flow), expected, 1e-3);
}

static double
cpu_of(const Run *run, Component component)
{
    ComponentUsage usage[N_COMPONENTS] = {{0}};
    world_component_usage(run->world, usage);
    return usage[component].cpu;
}

/* Of one forwarder or function: what its container has used. */
static double
cpu_of_pod(const Run *run, const char *prefix)
{
    g_autoptr(GArray) usages = world_usage(run->world);
    double cpu = 0;
    for (guint i = 0; i < usages->len; i++) {
        const ContainerUsage *usage = &g_array_index(usages, ContainerUsage, i);
        cpu += g_str_has_prefix(usage->process, prefix) ? usage->cpu : 0;
    }
    return cpu;
}

/* The forwarder of a node. */
static char *
forwarder_on(const Run *run, const char *node)
{
    for (guint i = 0; i < run->world->processes->len; i++) {
        const Process *process = g_ptr_array_index(run->world->processes, i);
        if (process->info->component == COMPONENT_FORWARDER &&
            g_str_equal(process->node->name, node)) {
            return g_strdup(process->info->pod_key);
        }
    }
    return NULL;
}

/* ---- counts at ports ---- */

static GPtrArray *
walk_ports(const Run *run)
{
    GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
    DataPlane *plane = world_dataplane(run->world);
    GArray *hops = plane->class->walk(plane, run->port);
    for (guint i = 0; i < hops->len; i++) {
        const DataPlaneHop *hop = &g_array_index(hops, DataPlaneHop, i);
        if (hop->kind != HOP_TUNNEL && hop->port_in != NULL) {
            g_ptr_array_add(names, g_strdup(hop->port_in));
        }
        if (hop->kind != HOP_TUNNEL && hop->port_out != NULL) {
            g_ptr_array_add(names, g_strdup(hop->port_out));
        }
    }
    g_array_unref(hops);
    return names;
}

static void
add_counts(const Run *run, const GPtrArray *names, guint i, PortCounts *sum)
{
    const PortCounts *one =
        packets_port_counts(world_dataplane(run->world), g_ptr_array_index(names, i));
    ck_assert_ptr_nonnull(one);
    sum->tx_bytes += one->tx_bytes;
    sum->tx_packets += one->tx_packets;
    sum->rx_bytes += one->rx_bytes;
    sum->rx_packets += one->rx_packets;
}

/* But for echoes of liveness checks, which found no wire. */
static void
check_carried(const PortCounts *from, const PortCounts *to)
{
    ck_assert_uint_le(from->tx_packets - to->rx_packets, 1000);
    ck_assert_uint_eq(from->tx_bytes - to->rx_bytes,
                      ECHO_BYTES * (from->tx_packets - to->rx_packets));
}

/* What entered each wire and tunnel left it.  `before` (NULL: none): the wires of a former path, of
 * which the two outermost ports are the same. */
static void
check_wires(const Run *run, const GPtrArray *names, const GPtrArray *before)
{
    flows_settle(run->flows);
    ck_assert_uint_ge(names->len, 2);
    ck_assert_uint_eq(names->len % 2, 0);
    for (guint i = 0; i + 1 < names->len; i += 2) {
        PortCounts a = {0}, b = {0};
        add_counts(run, names, i, &a);
        add_counts(run, names, i + 1, &b);
        if (before != NULL && i == 0) {
            add_counts(run, before, 1, &b);
        } else if (before != NULL && i + 2 == names->len) {
            add_counts(run, before, before->len - 2, &a);
        }
        check_carried(&a, &b);
        check_carried(&b, &a);
    }
}

/* Of payload, that left a port; liveness checks count too. */
static double
payload_from(const Run *run, const char *port)
{
    const PortCounts *counts = packets_port_counts(world_dataplane(run->world), port);
    return (double)(counts->tx_bytes - 40 * counts->tx_packets);
}

/* ---- rates ---- */

START_TEST(a_local_v_wire_carries_what_the_forwarders_limit_allows)
{
    g_autoptr(Run) run = run_local();
    FluidFlow *flow = begin(run, -1);
    go_on(run, NSEC_PER_SEC);
    check_rate(flow, FORWARDER_CORES / VPP_PACKET * 1460 * 8);
    check_within(fluid_flow_rate(flow), 1.84e9, 0.05); /* the testbed */
    double before = cpu_of(run, COMPONENT_FORWARDER);
    g_autofree char *other = forwarder_on(run, "ubuntu");
    double idle_before = cpu_of_pod(run, other);
    go_on(run, 20 * NSEC_PER_SEC);
    double idle = cpu_of_pod(run, other) - idle_before;
    double cores = (cpu_of(run, COMPONENT_FORWARDER) - before - idle) / 20;
    ck_assert_double_ge(cores, 0.49);
    ck_assert_double_le(cores, 0.525 + 1e-6);
    flows_end(flow);
}
END_TEST

START_TEST(the_forwarders_limit_is_the_bottleneck_and_twice_of_it_is_twice_as_fast)
{
    g_autoptr(Run) run = run_local();
    FluidFlow *flow = begin(run, -1);
    go_on(run, 10 * NSEC_PER_SEC);
    double rate = fluid_flow_rate(flow);
    FluidBottleneck found = fluid_flow_bottleneck(flow);
    ck_assert(g_str_has_prefix(found.name, "nsm-system/forwarder-vpp-"));
    ck_assert_str_eq(found.what, "CPU limit");
    ck_assert_str_eq(found.unit, "cores");
    ck_assert_double_eq_tol(found.capacity, 0.525, 1e-9);
    ck_assert_double_eq_tol(found.utilisation, 1, 1e-6);
    ck_assert_double_eq(found.rate, rate);
    /* 1.05 cores, of which 0.03 are in use anyway: more than one thread can use */
    check_within(found.rate_if_doubled, rate / FORWARDER_CORES, 1e-6);
    ck_assert_double_eq(fluid_flow_rate(flow), rate); /* the question changes nothing */
    fluid_bottleneck_clear(&found);
    flows_end(flow);
}
END_TEST

START_TEST(the_clusters_network_on_one_node_is_as_fast_as_one_thread)
{
    g_autoptr(Run) run = run_local();
    FluidSpec spec = cluster_spec(run, "ubuntu", "ubuntu");
    FluidFlow *flow = flows_begin(run->flows, &spec);
    go_on(run, NSEC_PER_SEC);
    check_within(fluid_flow_rate(flow), 27.4e9, 0.05);
    check_rate(flow, THREAD_RATE);
    FluidBottleneck found = fluid_flow_bottleneck(flow);
    ck_assert_str_eq(found.what, "one thread");
    check_within(found.rate_if_doubled, 2 * THREAD_RATE, 1e-6);
    fluid_bottleneck_clear(&found);
    flows_end(flow);
}
END_TEST

START_TEST(the_clusters_network_between_nodes_has_the_links_rate_without_headers)
{
    g_autoptr(Run) run = run_local();
    FluidSpec spec = cluster_spec(run, "ubuntu", "ubuntu153");
    FluidFlow *flow = flows_begin(run->flows, &spec);
    go_on(run, NSEC_PER_SEC);
    check_rate(flow, 1e9 * 1410 / (1410 + 40 + 50 + 38));
    FluidBottleneck found = fluid_flow_bottleneck(flow);
    ck_assert_str_eq(found.name, "ubuntu:eno1");
    ck_assert_str_eq(found.what, "link rate");
    ck_assert_double_eq(found.capacity, 1e9);
    check_within(found.rate_if_doubled, 2 * found.rate, 1e-6); /* both ends */
    fluid_bottleneck_clear(&found);
    Net *net = run->world->net;
    check_within(net_nic(net, 0, 1)->load, 1e9, 1e-6);
    ck_assert_double_eq(net_nic(net, 1, 0)->load, 0);
    flows_end(flow);
    go_on(run, 1);
    ck_assert_double_eq(net_nic(net, 0, 1)->load, 0);
}
END_TEST

START_TEST(what_leaves_the_cluster_shares_the_nodes_interface)
{
    g_autoptr(Run) run = run_local();
    FluidSpec spec = cluster_spec(run, "ubuntu", NULL);
    spec.latency = 10 * NSEC_PER_MSEC;
    FluidFlow *out = flows_begin(run->flows, &spec);
    go_on(run, NSEC_PER_SEC);
    double alone = 1e9 * 1460 / (1460 + 40 + 38);
    check_rate(out, alone);
    FluidSpec inside = cluster_spec(run, "ubuntu", "ubuntu153");
    FluidFlow *in = flows_begin(run->flows, &inside);
    go_on(run, NSEC_PER_SEC);
    ck_assert_double_lt(fluid_flow_rate(out), 0.51 * alone);
    check_within(fluid_flow_rate(in), fluid_flow_rate(out), 1e-9);
    flows_end(in);
    flows_end(out);
}
END_TEST

START_TEST(the_video_chain_is_held_by_the_forwarder_that_it_crosses_twice)
{
    for (int backward = 0; backward < 2; backward++) {
        g_autoptr(Run) run = run_with("video-sfc", "1gbit", "", "");
        FluidSpec spec = wire_spec(run, -1);
        spec.backward = backward;
        FluidFlow *flow = flows_begin(run->flows, &spec);
        go_on(run, 5 * NSEC_PER_SEC);
        double twice = 2 * VPP_PACKET + TUNNEL_PACKET;
        double rate = FORWARDER_CORES / twice * 1406 * 8;
        ck_assert_double_lt(rate, 1e9 * 1406 / 1534);
        check_rate(flow, rate);
        FluidBottleneck found = fluid_flow_bottleneck(flow);
        g_autofree char *forwarder = forwarder_on(run, "ubuntu153");
        ck_assert_str_eq(found.name, forwarder);
        check_within(found.rate_if_doubled, 1e9 * 1406 / 1534, 1e-6); /* the link's */
        fluid_bottleneck_clear(&found);
        /* the firewall's share */
        double before = cpu_of(run, COMPONENT_FIREWALL);
        go_on(run, 10 * NSEC_PER_SEC);
        double used = cpu_of(run, COMPONENT_FIREWALL) - before;
        check_within(used, 10 * rate / (1406 * 8) * VPP_PACKET, 0.01);
        g_autoptr(GPtrArray) ports = walk_ports(run);
        check_wires(run, ports, NULL);
        flows_end(flow);
    }
}
END_TEST

START_TEST(a_narrow_link_holds_the_video_chain)
{
    g_autoptr(Run) run = run_with("video-sfc", "500mbit", "", "");
    FluidFlow *flow = begin(run, -1);
    go_on(run, 5 * NSEC_PER_SEC);
    check_rate(flow, 5e8 * 1406 / 1534);
    flows_end(flow);
}
END_TEST

START_TEST(what_is_asked_for_is_the_most_that_a_flow_gets)
{
    g_autoptr(Run) run = run_local();
    FluidSpec spec = wire_spec(run, -1);
    spec.rate_cap = 1e8;
    FluidFlow *flow = flows_begin(run->flows, &spec);
    go_on(run, NSEC_PER_SEC);
    check_rate(flow, 1e8);
    FluidBottleneck found = fluid_flow_bottleneck(flow);
    ck_assert_str_eq(found.what, "asked for");
    check_within(found.rate_if_doubled, 2e8, 1e-9);
    fluid_bottleneck_clear(&found);
    flows_end(flow);
}
END_TEST

START_TEST(losses_hold_a_flow_as_the_formula_says)
{
    g_autoptr(Run) run = run_with("local-sfc", "1gbit", ", loss: 0.01", "");
    FluidSpec spec = cluster_spec(run, "ubuntu", "ubuntu153");
    FluidFlow *flow = flows_begin(run->flows, &spec);
    go_on(run, NSEC_PER_SEC);
    nsec_t rtt = 2 * (2 * 15 + 10 + 2 * 15 + 150) * NSEC_PER_USEC;
    double sent = tcp_loss_rate_limit(1410, rtt, 0.01, tcp_rto(rtt), TCP_RECEIVE_BUFFER);
    check_rate(flow, 0.99 * sent);
    flows_end(flow);
}
END_TEST

/* ---- sharing ---- */

START_TEST(two_flows_share_fairly_and_the_other_gets_what_one_leaves)
{
    g_autoptr(Run) run = run_local();
    double all = FORWARDER_CORES / VPP_PACKET * 1460 * 8;
    FluidFlow *stays = begin(run, -1);
    FluidSpec spec = wire_spec(run, -1);
    spec.backward = true; /* the forwarder works for both directions */
    FluidFlow *leaves = flows_begin(run->flows, &spec);
    go_on(run, NSEC_PER_SEC);
    check_rate(stays, all / 2);
    check_rate(leaves, all / 2);
    flows_end(leaves);
    check_rate(stays, all);
    spec.rate_cap = all / 4;
    leaves = flows_begin(run->flows, &spec);
    go_on(run, NSEC_PER_SEC);
    check_rate(stays, 3 * all / 4);
    check_rate(leaves, all / 4);
    flows_end(leaves);
    flows_end(stays);
}
END_TEST

/* ---- time ---- */

START_TEST(transfers_take_the_time_that_the_formula_gives)
{
    static const int64_t SIZES[] = {1,      1460,    14600,    20000,     60000,
                                    200000, 1000000, 10000000, 1000000000};
    g_autoptr(Run) run = run_local();
    double worst = 0;
    for (guint i = 0; i < G_N_ELEMENTS(SIZES); i++) {
        DataPlane *plane = world_dataplane(run->world);
        PathState state = sim_dataplane_watch_path(plane, run->port, NULL, NULL);
        TcpPath path = {.mss = 1460,
                        .rtt = state.rtt,
                        .rate = (int64_t)(FORWARDER_CORES / VPP_PACKET * 1460 * 8),
                        .window = TCP_RECEIVE_BUFFER};
        nsec_t began = now(run);
        begin(run, SIZES[i]);
        go_on(run, 20 * NSEC_PER_SEC);
        ck_assert_uint_eq(run->n_done, i + 1);
        double took = nsec_to_seconds(run->done_at - began + state.rtt); /* the handshake */
        double expected = nsec_to_seconds(tcp_transfer_time(&path, SIZES[i]));
        worst = fmax(worst, fabs(took / expected - 1));
        check_within(took, expected, 0.1);
    }
    ck_assert_double_lt(worst, 0.03);
}
END_TEST

START_TEST(a_window_that_is_too_small_for_the_path_is_what_holds)
{
    g_autoptr(Run) run = run_with("local-sfc", "100gbit", "", "");
    Impairment slow = {.latency = 100 * NSEC_PER_MSEC};
    net_impair(run->world->net, 0, 1, &slow);
    FluidSpec spec = cluster_spec(run, "ubuntu", "ubuntu153");
    spec.bytes = 100000000;
    nsec_t rtt = 2 * (2 * 15 + 10 + 2 * 15 + 150) * NSEC_PER_USEC + 200 * NSEC_PER_MSEC;
    nsec_t began = now(run);
    FluidFlow *flow = flows_begin(run->flows, &spec);
    go_on(run, 3 * NSEC_PER_SEC);
    check_rate(flow, TCP_RECEIVE_BUFFER * 8 / nsec_to_seconds(rtt));
    FluidBottleneck found = fluid_flow_bottleneck(flow);
    ck_assert_str_eq(found.what, "TCP window");
    check_within(found.rate_if_doubled, 2 * found.rate, 1e-6);
    fluid_bottleneck_clear(&found);
    go_on(run, 20 * NSEC_PER_SEC);
    ck_assert_uint_eq(run->n_done, 1);
    TcpPath path = {.mss = 1410, .rtt = rtt, .rate = 27400000000, .window = TCP_RECEIVE_BUFFER};
    check_within(nsec_to_seconds(run->done_at - began + rtt),
                 nsec_to_seconds(tcp_transfer_time(&path, 100000000)), 0.05);
}
END_TEST

/* ---- paths that go ---- */

#define KILL                                                                                       \
    "  faults:\n"                                                                                  \
    "  - {name: kill, kind: PodChaos, action: pod-kill, mode: all, startTime: 130s,\n"             \
    "     selector: {namespaces: [nsm-system], labelSelectors: {app: forwarder-vpp}}}\n"

START_TEST(a_flow_stands_still_without_a_forwarder_and_goes_on_when_it_is_healed)
{
    g_autoptr(Run) run = run_with("local-sfc", "1gbit", "", KILL);
    FluidFlow *flow = begin(run, -1);
    g_autoptr(GPtrArray) before = walk_ports(run);
    world_run(run->world, 132 * NSEC_PER_SEC);
    ck_assert_double_eq(fluid_flow_rate(flow), 0);
    double stood = fluid_flow_bytes(flow);
    check_within(stood, 10 * FORWARDER_CORES / VPP_PACKET * 1460, 0.1);
    check_wires(run, before, NULL);
    ck_assert_double_le(fabs(payload_from(run, run->port) - stood), 100 * ECHO_BYTES);
    world_run(run->world, 200 * NSEC_PER_SEC);
    check_rate(flow, FORWARDER_CORES / VPP_PACKET * 1460 * 8);
    ck_assert_double_gt(fluid_flow_bytes(flow), stood);
    g_autoptr(GPtrArray) after = walk_ports(run);
    check_wires(run, after, before);
    ck_assert_double_le(fabs(payload_from(run, run->port) - fluid_flow_bytes(flow)),
                        100 * ECHO_BYTES);
    flows_end(flow);
}
END_TEST

START_TEST(a_flow_goes_on_at_the_first_retransmission_after_a_cut)
{
    g_autoptr(Run) run = run_local();
    FluidSpec spec = cluster_spec(run, "ubuntu", "ubuntu153");
    FluidFlow *flow = flows_begin(run->flows, &spec);
    go_on(run, NSEC_PER_SEC);
    nsec_t cut = now(run);
    net_impair(run->world->net, 0, 1, &(Impairment){.cut = true});
    go_on(run, 1500 * NSEC_PER_MSEC);
    double bytes = fluid_flow_bytes(flow);
    net_impair(run->world->net, 0, 1, &(Impairment){0});
    nsec_t again = net_next_retransmission(cut, now(run), false);
    world_run(run->world, again - 1);
    ck_assert_double_eq(fluid_flow_bytes(flow), bytes);
    ck_assert_double_eq(fluid_flow_rate(flow), 0);
    world_run(run->world, again);
    ck_assert_double_gt(fluid_flow_rate(flow), 0);
    go_on(run, NSEC_PER_SEC);
    check_rate(flow, 1e9 * 1410 / 1538);
    flows_end(flow);
}
END_TEST

START_TEST(a_slowed_interface_slows_its_flows_while_it_lasts)
{
    g_autoptr(Run) run = run_local();
    FluidFlow *flow = begin(run, -1);
    go_on(run, NSEC_PER_SEC);
    sim_dataplane_impair(world_dataplane(run->world), run->port, &(Impairment){.rate = 100000000});
    go_on(run, NSEC_PER_SEC);
    check_rate(flow, 1e8 * 1460 / 1500);
    sim_dataplane_impair(world_dataplane(run->world), run->port, &(Impairment){.rate = 50000000});
    go_on(run, NSEC_PER_SEC);
    check_rate(flow, 5e7 * 1460 / 1500);
    sim_dataplane_impair(world_dataplane(run->world), run->port, &(Impairment){0});
    go_on(run, NSEC_PER_SEC);
    check_rate(flow, FORWARDER_CORES / VPP_PACKET * 1460 * 8);
    flows_end(flow);
}
END_TEST

START_TEST(a_flow_that_has_no_path_yet_waits_for_one)
{
    g_autoptr(Run) run = run_local();
    FluidSpec spec = wire_spec(run, 1000);
    spec.pod_port = "ns-gq4bf/nobody/nsm-1";
    FluidFlow *flow = flows_begin(run->flows, &spec);
    go_on(run, NSEC_PER_SEC);
    ck_assert_double_eq(fluid_flow_bytes(flow), 0);
    FluidBottleneck found = fluid_flow_bottleneck(flow);
    ck_assert_str_eq(found.name, "");
    fluid_bottleneck_clear(&found);
    flows_end(flow);
}
END_TEST

START_TEST(programs_at_the_ends_may_end_and_begin_under_a_flow)
{
    g_autoptr(Run) run = run_with("local-sfc", "1gbit", "",
                                  "  faults:\n  - {name: app, kind: PodChaos, action: "
                                  "container-kill, containerNames: [compress], startTime: 130s, "
                                  "selector: {pods: {ns-gq4bf: [nse-kernel]}}}\n");
    FluidFlow *flow = begin(run, -1);
    world_run(run->world, 150 * NSEC_PER_SEC);
    check_rate(flow, FORWARDER_CORES / VPP_PACKET * 1460 * 8);
    g_autofree char *name = g_strdup_printf("%s/compress", run->server);
    double before = cpu_of_pod(run, name);
    go_on(run, 10 * NSEC_PER_SEC);
    check_within(cpu_of_pod(run, name) - before, 10 * fluid_flow_rate(flow) * PER_BIT, 1e-3);
    flows_end(flow);
}
END_TEST

/* ---- what flows use ---- */

/* What the forwarders use from READY + `from` to READY + `to` without flows. */
static double
forwarders_alone(nsec_t from, nsec_t to)
{
    g_autoptr(Run) run = run_local();
    world_run(run->world, READY + from);
    double before = cpu_of(run, COMPONENT_FORWARDER);
    world_run(run->world, READY + to);
    return cpu_of(run, COMPONENT_FORWARDER) - before;
}

START_TEST(components_use_what_the_formula_says_while_there_are_flows)
{
    double alone = forwarders_alone(0, 40 * NSEC_PER_SEC);
    g_autoptr(Run) run = run_local();
    g_autofree char *client = g_strdup_printf("%s/broadcast", run->client);
    g_autofree char *server = g_strdup_printf("%s/compress", run->server);
    FluidSpec spec = wire_spec(run, -1);
    spec.rate_cap = 5e8;
    FluidFlow *flow = flows_begin(run->flows, &spec);
    double begin_client = cpu_of_pod(run, client), begin_server = cpu_of_pod(run, server);
    double begin_forwarder = cpu_of(run, COMPONENT_FORWARDER);
    go_on(run, 40 * NSEC_PER_SEC);
    double bits = fluid_flow_bytes(flow) * 8;
    check_within(bits, 40 * 5e8, 1e-3);
    double forwarder = cpu_of(run, COMPONENT_FORWARDER) - begin_forwarder - alone;
    check_within(forwarder, bits / (1460 * 8) * VPP_PACKET, 0.001);
    check_within(cpu_of_pod(run, client) - begin_client, bits * PER_BIT, 1e-6);
    check_within(cpu_of_pod(run, server) - begin_server, bits * PER_BIT, 1e-6);
    flows_end(flow);
    go_on(run, 0);
    begin_client = cpu_of_pod(run, client);
    go_on(run, 40 * NSEC_PER_SEC);
    ck_assert_double_eq_tol(cpu_of_pod(run, client), begin_client, 1e-9);
}
END_TEST

START_TEST(a_forwarder_is_calm_again_after_a_flow_that_used_it_up)
{
    double alone = forwarders_alone(11 * NSEC_PER_SEC, 50 * NSEC_PER_SEC);
    g_autoptr(Run) run = run_local();
    FluidFlow *flow = begin(run, -1);
    go_on(run, 10 * NSEC_PER_SEC);
    flows_end(flow);
    go_on(run, NSEC_PER_SEC);
    double before = cpu_of(run, COMPONENT_FORWARDER);
    go_on(run, 39 * NSEC_PER_SEC);
    ck_assert_double_eq_tol(cpu_of(run, COMPONENT_FORWARDER) - before, alone, 1e-3);
}
END_TEST

START_TEST(segments_and_bytes_are_counted_exactly)
{
    g_autoptr(Run) run = run_local();
    begin(run, 1000000);
    FluidSpec spec = wire_spec(run, 333333);
    spec.backward = true;
    flows_begin(run->flows, &spec);
    go_on(run, 5 * NSEC_PER_SEC);
    ck_assert_uint_eq(run->n_done, 2);
    g_autoptr(GPtrArray) ports = walk_ports(run);
    check_wires(run, ports, NULL);
    ck_assert_double_eq(payload_from(run, run->port), 1000000);
    const PortCounts *counts = packets_port_counts(world_dataplane(run->world), run->port);
    ck_assert_uint_eq(counts->tx_packets, 685); /* 1000000 / 1460 = 684.9 */
    ck_assert_uint_eq(counts->rx_packets, 229);
    ck_assert_uint_eq(counts->rx_bytes, 333333 + 229 * 40);
}
END_TEST

/* ---- at random ---- */

enum { N_TRIAL = 40 };

typedef struct Trial {
    Run *run;
    FluidFlow *flows[N_TRIAL]; /* NULL: none */
    double bytes[N_TRIAL];     /* when last asked */
    GHashTable *ports;         /* set of names of all that the path ever led over */
} Trial;

static void
on_trial_done(void *data, FluidFlow *flow)
{
    Trial *trial = data;
    for (guint i = 0; i < N_TRIAL; i++) {
        if (trial->flows[i] == flow) {
            trial->flows[i] = NULL;
        }
    }
    flows_end(flow);
}

static void
begin_at_random(Trial *trial, guint i, RandomStream *random)
{
    Run *run = trial->run;
    static const char *const NODES[] = {"ubuntu", "ubuntu153"};
    bool on_wire = random_uniform(random) < 0.5;
    FluidSpec spec = on_wire ? wire_spec(run, -1)
                             : cluster_spec(run, NODES[random_uniform(random) < 0.5],
                                            NODES[random_uniform(random) < 0.5]);
    spec.backward = random_uniform(random) < 0.5;
    spec.bytes = random_uniform(random) < 0.3 ? -1 : (int64_t)exp(18 * random_uniform(random));
    spec.rate_cap = random_uniform(random) < 0.3 ? 1e9 * random_uniform(random) : 0;
    spec.done = on_trial_done;
    spec.data = trial;
    trial->flows[i] = flows_begin(run->flows, &spec);
    trial->bytes[i] = 0;
}

/* No more is used than there is, each rate is of a flow that has a bottleneck or a cap, bytes do
 * not go back. */
static void
check_trial(Trial *trial)
{
    const FlowResources *resources = &trial->run->flows->resources;
    for (guint i = 0; i < resources->by_number->len; i++) {
        const FlowResource *one = g_ptr_array_index(resources->by_number, i);
        if (one != NULL) {
            double usage = maxmin_usage(resources->system, one->number);
            ck_assert_double_le(usage, one->capacity * (1 + 1e-9));
            ck_assert_double_eq(one->usage, usage);
            ck_assert(one->nic == NULL || one->load == FLOW_LOAD_NONE || one->nic->load == usage);
        }
    }
    for (guint i = 0; i < N_TRIAL; i++) {
        FluidFlow *flow = trial->flows[i];
        if (flow != NULL) {
            double bytes = fluid_flow_bytes(flow);
            ck_assert_double_ge(bytes, trial->bytes[i]);
            trial->bytes[i] = bytes;
            ck_assert_int_ne(flow->state, FLOW_DONE); /* whoever is told ends it */
            ck_assert(flow->state == FLOW_SENDING || flow->rate == 0);
            ck_assert_double_le(flow->rate, flow->cap * (1 + 1e-9));
        }
    }
}

static void
note_ports(const Run *run, Trial *trial)
{
    g_autoptr(GPtrArray) names = walk_ports(run);
    for (guint i = 0; i < names->len; i++) {
        g_hash_table_add(trial->ports, g_strdup(g_ptr_array_index(names, i)));
    }
}

/* Whatever entered some wire left it. */
static void
check_sums(const Run *run, const Trial *trial)
{
    PortCounts sum = {0};
    GHashTableIter iter;
    void *port;
    g_hash_table_iter_init(&iter, trial->ports);
    while (g_hash_table_iter_next(&iter, &port, NULL)) {
        const PortCounts *one = packets_port_counts(world_dataplane(run->world), port);
        if (one != NULL) {
            sum.tx_bytes += one->tx_bytes;
            sum.rx_bytes += one->rx_bytes;
            sum.tx_packets += one->tx_packets;
            sum.rx_packets += one->rx_packets;
        }
    }
    ck_assert_uint_gt(sum.tx_bytes, 1000000000);
    check_carried(&sum, &sum);
}

START_TEST(whatever_comes_and_goes_nothing_is_overdrawn_and_nothing_is_left)
{
    g_autoptr(Run) run = run_with("video-sfc", "1gbit", "", KILL);
    g_autoptr(GHashTable) ports = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    Trial trial = {.run = run, .ports = ports};
    RandomStream random;
    random_stream_init(&random, 7, 0, "flows", "trial");
    for (guint step = 0; step < 3000; step++) {
        guint i = (guint)(random_uniform(&random) * N_TRIAL);
        if (trial.flows[i] == NULL) {
            begin_at_random(&trial, i, &random);
        } else if (random_uniform(&random) < 0.3) {
            flows_end(trial.flows[i]);
            trial.flows[i] = NULL;
        }
        if (random_uniform(&random) < 0.02) {
            Impairment cut = {.cut = random_uniform(&random) < 0.3,
                              .rate = random_uniform(&random) < 0.3 ? 100000000 : 0};
            net_impair(run->world->net, 0, 1, &cut);
        }
        go_on(run, (nsec_t)(random_uniform(&random) * 4e7));
        check_trial(&trial);
        note_ports(run, &trial);
    }
    for (guint i = 0; i < N_TRIAL; i++) {
        if (trial.flows[i] != NULL) {
            flows_end(trial.flows[i]);
            trial.flows[i] = NULL;
        }
    }
    go_on(run, 0);
    ck_assert_double_eq(net_nic(run->world->net, 0, 1)->load, 0);
    ck_assert_double_eq(net_nic(run->world->net, 1, 0)->load, 0);
    ck_assert(!event_is_scheduled(&run->flows->update));
    ck_assert_uint_gt(flows_n_solved(run->flows), 3000);
    check_trial(&trial); /* of no resource anything is used */
    net_impair(run->world->net, 0, 1, &(Impairment){0});
    go_on(run, 60 * NSEC_PER_SEC);
    ck_assert_uint_eq(run->flows->paths->len, 0);
    ck_assert_uint_eq(g_hash_table_size(run->flows->resources.by_key), 0);
    check_sums(run, &trial);
}
END_TEST

START_TEST(asking_a_flow_changes_nothing)
{
    double bytes[2];
    nsec_t done_at[2];
    for (int i = 0; i < 2; i++) {
        g_autoptr(Run) run = run_with("local-sfc", "1gbit", "", KILL);
        FluidFlow *flow = begin(run, -1);
        begin(run, 123456789);
        for (int k = 0; i == 1 && k < 500; k++) {
            go_on(run, 12345678);
            FluidBottleneck found = fluid_flow_bottleneck(flow);
            fluid_bottleneck_clear(&found);
        }
        world_run(run->world, 180 * NSEC_PER_SEC);
        bytes[i] = fluid_flow_bytes(flow);
        done_at[i] = run->done_at;
        flows_end(flow);
    }
    ck_assert_double_eq(bytes[0], bytes[1]);
    ck_assert_int_eq(done_at[0], done_at[1]);
    ck_assert_int_gt(done_at[0], READY);
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {
        a_local_v_wire_carries_what_the_forwarders_limit_allows,
        the_forwarders_limit_is_the_bottleneck_and_twice_of_it_is_twice_as_fast,
        the_clusters_network_on_one_node_is_as_fast_as_one_thread,
        the_clusters_network_between_nodes_has_the_links_rate_without_headers,
        what_leaves_the_cluster_shares_the_nodes_interface,
        the_video_chain_is_held_by_the_forwarder_that_it_crosses_twice,
        a_narrow_link_holds_the_video_chain,
        what_is_asked_for_is_the_most_that_a_flow_gets,
        losses_hold_a_flow_as_the_formula_says,
        two_flows_share_fairly_and_the_other_gets_what_one_leaves,
        transfers_take_the_time_that_the_formula_gives,
        a_window_that_is_too_small_for_the_path_is_what_holds,
        a_flow_stands_still_without_a_forwarder_and_goes_on_when_it_is_healed,
        a_flow_goes_on_at_the_first_retransmission_after_a_cut,
        a_slowed_interface_slows_its_flows_while_it_lasts,
        a_flow_that_has_no_path_yet_waits_for_one,
        programs_at_the_ends_may_end_and_begin_under_a_flow,
        components_use_what_the_formula_says_while_there_are_flows,
        a_forwarder_is_calm_again_after_a_flow_that_used_it_up,
        segments_and_bytes_are_counted_exactly,
        whatever_comes_and_goes_nothing_is_overdrawn_and_nothing_is_left,
        asking_a_flow_changes_nothing,
    };
    return scratch_run("flows", tests, G_N_ELEMENTS(tests));
}
