/* Where flows lead, and what each bit costs on the way.
 *
 * A V-wire's route is the path that an echo takes (sim/echo.c): it leaves by a Pod's port, passes
 * owners from port to port, and ends at a Pod's port.  Each edge between two owners is a wire or a
 * tunnel, over which the link between two nodes carries it.  Costs are those of single packets
 * (sim/packets.c), for segments that are full.  Acknowledgements cost nothing beside: the
 * calibration's vpp.packet has their share in it. */
#include "sim/flow_types.h"

#include "models/tcp.h"

#include <math.h>

#define KIB 1024
#define BITS_PER_BYTE 8
#define MIN_RTT NSEC_PER_USEC
#define UNLIMITED 1e6   /* cores: more than there are anywhere */
#define THREAD_CORES 1. /* VPP runs one thread, and a flow's end is one */

typedef struct Finder {
    World *world;
    Plane *plane;
    FlowResources *resources;
    const FlowEnds *ends;
    FlowRoute *route;
} Finder;

/* ---- uses ---- */

static void
add_use(Finder *finder, const FlowResource *wanted, double coefficient)
{
    if (coefficient <= 0) {
        return;
    }
    FlowResource *resource = flow_resources_obtain(finder->resources, wanted);
    GArray *uses = finder->route->uses;
    for (guint i = 0; i < uses->len; i++) {
        MaxminUse *use = &g_array_index(uses, MaxminUse, i);
        if (use->resource == resource->number) {
            use->coefficient += coefficient;
            flow_resources_release(finder->resources, resource);
            return;
        }
    }
    g_array_append_val(uses, ((MaxminUse){resource->number, coefficient}));
}

G_GNUC_PRINTF(2, 3)
static const char *
name(const Finder *finder, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    return ports_place(finder->plane, text);
}

/* Of the wire, per bit of payload. */
static double
wire_share(const Finder *finder, int64_t overhead)
{
    double mss = (double)finder->route->mss;
    return (mss + TCP_IP_HEADERS + (double)overhead) / mss;
}

static void
use_nic(Finder *finder, NetNic *nic, bool sends, double share)
{
    if (nic->rate <= 0) {
        return;
    }
    FlowResource wanted = {.key = name(finder, "%s|%s", sends ? "send" : "receive", nic->name),
                           .name = name(finder, "%s", nic->name),
                           .what = "link rate",
                           .unit = "bit/s",
                           .capacity = (double)nic->rate,
                           .load = sends ? FLOW_LOAD_NIC : FLOW_LOAD_NONE,
                           .nic = nic};
    add_use(finder, &wanted, share);
}

static void
use_link(Finder *finder, guint from, guint to, int64_t overhead)
{
    Net *net = finder->world->net;
    const NetLink *link = net_between(net, from, to);
    double share = wire_share(finder, overhead + ETHERNET_FRAMING);
    use_nic(finder, net_nic(net, to, from), false, share);
    use_nic(finder, net_nic(net, from, to), true, share);
    if (link->impairment.rate > 0) {
        const char *a = finder->world->nodes[from].name, *b = finder->world->nodes[to].name;
        FlowResource wanted = {.key = name(finder, "link|%s -> %s", a, b),
                               .name = name(finder, "%s -> %s", a, b),
                               .what = "rate of a fault",
                               .unit = "bit/s",
                               .capacity = (double)link->impairment.rate};
        add_use(finder, &wanted, share);
    }
}

/* One rate for both directions, as for single packets. */
static void
use_impairment(Finder *finder, const Port *port)
{
    if (port->in_pod && port->impairment.rate > 0) {
        FlowResource wanted = {.key = name(finder, "port|%s", port->name),
                               .name = name(finder, "%s", port->name),
                               .what = "rate of a fault",
                               .unit = "bit/s",
                               .capacity = (double)port->impairment.rate};
        add_use(finder, &wanted, wire_share(finder, 0));
    }
}

static void
use_node(Finder *finder, guint node, double cost)
{
    const World *world = finder->world;
    FlowResource wanted = {.key = name(finder, "node|%s", world->nodes[node].name),
                           .name = name(finder, "%s", world->nodes[node].name),
                           .what = "cores",
                           .unit = "cores",
                           .capacity = (double)world->scenario->nodes[node].cpu / 1000};
    add_use(finder, &wanted, cost);
}

/* ---- CPU ---- */

/* What passes VFIO ports is the hardware's; where no VPP is known, nothing is known of costs. */
static void
use_vpp(Finder *finder, const Port *in, const Port *out)
{
    VppCpu cpu = {0};
    if (in->wire_kind == WIRE_VFIO || !world_vpp_cpu(finder->world, in->owner, &cpu)) {
        return;
    }
    int64_t mss = finder->route->mss;
    double cost = vswitch_cost(&finder->plane->base, in->name, out != NULL ? out->name : NULL,
                               (uint32_t)(mss + TCP_IP_HEADERS)) /
                  (double)(BITS_PER_BYTE * mss);
    double limit = cpu_group_limit(cpu.group);
    double left = limit > 0 ? MAX(limit - cpu.idle, 0) : THREAD_CORES;
    bool limited = left < THREAD_CORES;
    FlowResource wanted = {.key = name(finder, "vpp|%" G_GUINT64_FORMAT, cpu.process),
                           .name = name(finder, "%s", in->owner),
                           .what = limited ? "CPU limit" : "one thread",
                           .unit = "cores",
                           .capacity = MIN(left, THREAD_CORES),
                           .reserved = limited ? limit - left : 0,
                           .most = limited ? THREAD_CORES : 0,
                           .load = FLOW_LOAD_VPP,
                           .process = cpu.process};
    add_use(finder, &wanted, cost);
    use_node(finder, cpu.node, cost);
}

static bool
declares(const ContainerSpec *container, int port)
{
    for (guint i = 0; i < container->n_ports; i++) {
        if (container->ports[i].container_port == port) {
            return true;
        }
    }
    return false;
}

/* A Pod's application: the one that declares the port, otherwise the first; NULL: none runs. */
static const Process *
find_app(const World *world, const char *pod, int port)
{
    const Process *found = NULL;
    bool found_declares = false;
    for (guint i = 0; pod != NULL && i < world->processes->len; i++) {
        const Process *process = g_ptr_array_index(world->processes, i);
        const ProcessInfo *info = process->info;
        if (process->dead || info->component != COMPONENT_APP || info->container == NULL ||
            g_strcmp0(info->pod_key, pod) != 0) {
            continue;
        }
        bool has_port = declares(info->container, port);
        bool earlier = found == NULL || info->container_index < found->info->container_index;
        if (has_port > found_declares || (has_port == found_declares && earlier)) {
            found = process;
            found_declares = has_port;
        }
    }
    return found;
}

/* Where a Pod runs; G_MAXUINT: nowhere. */
static guint
node_of_pod(const World *world, const char *pod)
{
    for (guint i = 0; i < world->processes->len; i++) {
        const Process *process = g_ptr_array_index(world->processes, i);
        if (!process->dead && g_strcmp0(process->info->pod_key, pod) == 0) {
            return process->node->index;
        }
    }
    return G_MAXUINT;
}

/* A socket: the kernel's cost per byte, in the thread of the program that reads or writes. */
static void
use_socket(Finder *finder, bool of_client, guint node)
{
    const World *world = finder->world;
    const FlowEnds *ends = finder->ends;
    nsec_t per_kib = calibration_nsec(world->calibration, PARAMETER_KERNEL_PER_KIB);
    double cost = nsec_to_seconds(per_kib) / (BITS_PER_BYTE * KIB);
    const Process *app = find_app(world, of_client ? ends->client_pod : ends->server_pod,
                                  of_client ? 0 : ends->server_port);
    finder->route->end_cost = cost;
    if (app != NULL) {
        double limit = cpu_group_limit(app->cpu);
        FlowResource wanted = {.key = name(finder, "container|%" G_GUINT64_FORMAT, app->id),
                               .name = name(finder, "%s", app->info->name),
                               .what = "CPU limit",
                               .unit = "cores",
                               .capacity = limit > 0 ? limit : UNLIMITED,
                               .load = FLOW_LOAD_CONTAINER,
                               .group = app->cpu,
                               .process = app->id};
        add_use(finder, &wanted, cost);
    }
    if (node != G_MAXUINT) {
        use_node(finder, node, cost);
    }
}

/* ---- V-wires ---- */

static void
pass_edge(Finder *finder, const Port *from, const Port *to)
{
    FlowRoute *route = finder->route;
    g_ptr_array_add(route->senders, (char *)ports_place(finder->plane, from->name));
    g_ptr_array_add(route->receivers, (char *)ports_place(finder->plane, to->name));
    use_impairment(finder, from);
    use_impairment(finder, to);
    if (from->tunnel != NULL && from->node != G_MAXUINT && from->peer_node != G_MAXUINT) {
        use_link(finder, from->node, from->peer_node, ports_tunnel_bytes(from));
    }
}

/* What ends in a VPP is passed to its program by it, as a packet is. */
static void
pass_end(Finder *finder, const Port *port, bool sends, bool of_client)
{
    if (port->wire_kind == WIRE_KERNEL) {
        use_socket(finder, of_client, node_of_pod(finder->world, port->owner));
    } else if (!sends) {
        use_vpp(finder, port, NULL);
    }
}

static bool
tunnel_is_up(const Finder *finder, const Port *port)
{
    const Net *net = finder->world->net;
    return port->tunnel == NULL || port->node == G_MAXUINT || port->peer_node == G_MAXUINT ||
           (net_node_is_up(net, port->node) && net_node_is_up(net, port->peer_node));
}

static void
reverse(GPtrArray *ports)
{
    for (guint i = 0; i < ports->len / 2; i++) {
        void *port = ports->pdata[i];
        ports->pdata[i] = ports->pdata[ports->len - 1 - i];
        ports->pdata[ports->len - 1 - i] = port;
    }
}

static int64_t
choose_mss(const FlowEnds *ends, int64_t mtu)
{
    int64_t most = tcp_mss(mtu);
    return ends->mss > 0 ? MIN(ends->mss, most) : most;
}

/* Links and impaired interfaces lose alike in both directions, so that of a round trip's loss one
 * way has 1 - sqrt(1 - loss). */
static void
follow_wires(Finder *finder)
{
    const FlowEnds *ends = finder->ends;
    FlowRoute *route = finder->route;
    g_autoptr(GPtrArray) ports = g_ptr_array_new();
    PathState state = echo_trace(finder->plane, ends->pod_port, ports);
    route->up = state.joined; /* firewalls have let the connection's first segments through */
    for (guint i = 0; i < ports->len; i++) {
        route->up = route->up && tunnel_is_up(finder, g_ptr_array_index(ports, i));
    }
    if (!route->up) {
        return;
    }
    if (ends->backward) {
        reverse(ports);
    }
    route->rtt = MAX(state.rtt, MIN_RTT);
    route->loss = 1 - sqrt(1 - state.loss);
    route->mss = choose_mss(ends, packets_mtu(&finder->plane->base, ends->pod_port));
    pass_end(finder, ports->pdata[0], true, !ends->backward);
    for (guint i = 0; i + 1 < ports->len; i += 2) {
        pass_edge(finder, ports->pdata[i], ports->pdata[i + 1]);
        if (i + 2 < ports->len) {
            use_vpp(finder, ports->pdata[i + 1], ports->pdata[i + 2]);
        }
    }
    pass_end(finder, ports->pdata[ports->len - 1], false, ends->backward);
}

/* ---- the cluster's network ---- */

/* Kernels, the bridge and, between nodes, the overlay at both ends; and back. */
static nsec_t
cluster_rtt(const Finder *finder, const NetLink *link)
{
    const Calibration *calibration = finder->world->calibration;
    nsec_t way = 2 * calibration_nsec(calibration, PARAMETER_KERNEL_PACKET) +
                 calibration_nsec(calibration, PARAMETER_POD_NETWORK_PACKET);
    if (link != NULL) {
        way += 2 * calibration_nsec(calibration, PARAMETER_POD_NETWORK_OVERLAY) + link->latency +
               link->impairment.latency;
    }
    return MAX(2 * way, MIN_RTT);
}

/* From a Pod by its node's network interface; nothing is known of what is behind it. */
static void
leave_cluster(Finder *finder)
{
    const Calibration *calibration = finder->world->calibration;
    const FlowEnds *ends = finder->ends;
    FlowRoute *route = finder->route;
    Net *net = finder->world->net;
    guint from = net_node(net, ends->from_node);
    NetNic *nic = net_uplink(net, from);
    route->up = net_node_is_up(net, from);
    if (!route->up) {
        return;
    }
    nsec_t way = calibration_nsec(calibration, PARAMETER_KERNEL_PACKET) +
                 calibration_nsec(calibration, PARAMETER_POD_NETWORK_PACKET) + ends->latency;
    route->rtt = MAX(2 * way, MIN_RTT);
    route->mss = choose_mss(ends, IP_MTU);
    use_socket(finder, true, from);
    if (nic != NULL) {
        use_nic(finder, nic, true, wire_share(finder, ETHERNET_FRAMING));
    }
}

static void
cross_cluster(Finder *finder)
{
    const FlowEnds *ends = finder->ends;
    FlowRoute *route = finder->route;
    Net *net = finder->world->net;
    guint from = net_node(net, ends->from_node), to = net_node(net, ends->to_node);
    g_assert(from != G_MAXUINT && to != G_MAXUINT);
    const NetLink *link = from != to ? net_between(net, from, to) : NULL;
    route->up = net_node_is_up(net, from) && net_node_is_up(net, to) &&
                (link == NULL || !link->impairment.cut);
    if (!route->up) {
        return;
    }
    route->rtt = cluster_rtt(finder, link);
    route->mss = choose_mss(ends, link != NULL ? IP_MTU - VXLAN_OVERHEAD : IP_MTU);
    use_socket(finder, !ends->backward, from);
    if (link != NULL) {
        route->loss = 1 - (1 - link->loss) * (1 - link->impairment.loss);
        use_link(finder, from, to, VXLAN_OVERHEAD);
    }
    use_socket(finder, ends->backward, to);
}

/* ---- routes ---- */

void
flow_route_find(World *world, FlowResources *resources, const FlowEnds *ends, FlowRoute *out)
{
    *out = (FlowRoute){.mss = choose_mss(ends, IP_MTU),
                       .rtt = MIN_RTT,
                       .uses = g_array_new(false, false, sizeof(MaxminUse)),
                       .senders = g_ptr_array_new(),
                       .receivers = g_ptr_array_new()};
    Finder finder = {world, (Plane *)world->dataplane, resources, ends, out};
    if (ends->pod_port != NULL) {
        follow_wires(&finder);
    } else if (ends->to_node == NULL) {
        leave_cluster(&finder);
    } else {
        cross_cluster(&finder);
    }
}

static bool
same_places(const GPtrArray *a, const GPtrArray *b)
{
    for (guint i = 0; i < a->len; i++) {
        if (i >= b->len || a->pdata[i] != b->pdata[i]) {
            return false;
        }
    }
    return a->len == b->len;
}

static bool
same_uses(const GArray *a, const GArray *b)
{
    for (guint i = 0; i < a->len && i < b->len; i++) {
        const MaxminUse *left = &g_array_index(a, MaxminUse, i);
        const MaxminUse *right = &g_array_index(b, MaxminUse, i);
        if (left->resource != right->resource || left->coefficient != right->coefficient) {
            return false;
        }
    }
    return a->len == b->len;
}

bool
flow_route_equal(const FlowRoute *a, const FlowRoute *b)
{
    return a->up == b->up && a->rtt == b->rtt && a->loss == b->loss && a->mss == b->mss &&
           a->end_cost == b->end_cost && same_uses(a->uses, b->uses) &&
           same_places(a->senders, b->senders) && same_places(a->receivers, b->receivers);
}

void
flow_route_clear(FlowRoute *route, FlowResources *resources)
{
    for (guint i = 0; i < route->uses->len; i++) {
        MaxminResource number = g_array_index(route->uses, MaxminUse, i).resource;
        flow_resources_release(resources, g_ptr_array_index(resources->by_number, number));
    }
    g_array_unref(route->uses);
    g_ptr_array_unref(route->senders);
    g_ptr_array_unref(route->receivers);
}
