/* Links, retransmissions, nodes that are down. */
#include "sim/net.h"

#include "models/tcp.h"

#define FRAME_BITS ((IP_MTU + ETHERNET_FRAMING) * 8)

struct Net {
    Engine *engine;
    const Scenario *scenario;
    GHashTable *nodes; /* name -> index + 1 */
    GHashTable *links; /* both indices -> NetLink */
    GHashTable *nics;  /* name -> NetNic */
    bool *down;        /* by node */
    guint n_nodes;
    void (*changed)(void *data);
    void *data;
};

static void
link_free(void *data)
{
    NetLink *link = data;
    g_queue_clear(&link->held);
    g_free(link);
}

static void
nic_free(void *data)
{
    NetNic *nic = data;
    g_free(nic->name);
    g_free(nic);
}

Net *
net_new(Engine *engine, const Scenario *scenario)
{
    Net *net = g_new0(Net, 1);
    net->engine = engine;
    net->scenario = scenario;
    net->n_nodes = scenario->n_nodes;
    net->down = g_new0(bool, scenario->n_nodes);
    net->nodes = g_hash_table_new(g_str_hash, g_str_equal);
    net->links = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, link_free);
    net->nics = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, nic_free);
    for (guint i = 0; i < scenario->n_nodes; i++) {
        g_hash_table_insert(net->nodes, scenario->nodes[i].name, GUINT_TO_POINTER(i + 1));
    }
    return net;
}

void
net_free(Net *net)
{
    g_hash_table_unref(net->nodes);
    g_hash_table_unref(net->links);
    g_hash_table_unref(net->nics);
    g_free(net->down);
    g_free(net);
}

guint
net_node(const Net *net, const char *name)
{
    return GPOINTER_TO_UINT(g_hash_table_lookup(net->nodes, name)) - 1;
}

bool
net_node_is_up(const Net *net, guint node)
{
    return !net->down[node];
}

static void
tell(const Net *net)
{
    if (net->changed != NULL) {
        net->changed(net->data);
    }
}

void
net_set_node(Net *net, guint node, bool up)
{
    net->down[node] = !up;
    tell(net);
}

void
net_set_observer(Net *net, void (*changed)(void *data), void *data)
{
    net->changed = changed;
    net->data = data;
}

/* ---- links ---- */

static const ScenarioLink *
declared(const Scenario *scenario, const char *a, const char *b)
{
    for (guint i = 0; i < scenario->n_links; i++) {
        const ScenarioLink *link = &scenario->links[i];
        bool forth = g_str_equal(link->node_a, a) && g_str_equal(link->node_b, b);
        bool back = g_str_equal(link->node_a, b) && g_str_equal(link->node_b, a);
        if (forth || back) {
            return link;
        }
    }
    return &scenario->default_link;
}

/* Links of the default have no interfaces of their own: a node sends to all by one. */
static NetNic *
obtain_nic(Net *net, const ScenarioLink *from, const char *node)
{
    const char *interface = from->node_a == NULL              ? "eth0"
                            : g_str_equal(from->node_a, node) ? from->interface_a
                                                              : from->interface_b;
    g_autofree char *name = g_strdup_printf("%s:%s", node, interface);
    NetNic *nic = g_hash_table_lookup(net->nics, name);
    if (nic == NULL) {
        nic = g_new0(NetNic, 1);
        nic->name = g_steal_pointer(&name);
        nic->rate = from->rate;
        double queue = calibration_number(net->scenario->calibration, PARAMETER_LINK_QUEUE);
        nic->backlog = nic->rate > 0 ? (nsec_t)(queue * FRAME_BITS * 1e9 / (double)nic->rate) : 0;
        g_hash_table_insert(net->nics, nic->name, nic);
    }
    return nic;
}

bool
net_nic_is_saturated(const NetNic *nic)
{
    return nic->rate > 0 && nic->load >= NET_SATURATED * (double)nic->rate;
}

int64_t
net_nic_free_rate(const NetNic *nic)
{
    return nic->rate > 0 ? (int64_t)MAX((double)nic->rate - nic->load,
                                        (1 - NET_SATURATED) * (double)nic->rate)
                         : 0;
}

NetNic *
net_nic(Net *net, guint from, guint to)
{
    return net_between(net, from, to)->nics[from < to ? 0 : 1];
}

NetNic *
net_uplink(Net *net, guint node)
{
    const Scenario *scenario = net->scenario;
    const char *name = scenario->nodes[node].name;
    for (guint i = 0; i < scenario->n_links; i++) {
        const ScenarioLink *link = &scenario->links[i];
        if (g_str_equal(link->node_a, name) || g_str_equal(link->node_b, name)) {
            return obtain_nic(net, link, name);
        }
    }
    return scenario->has_default_link ? obtain_nic(net, &scenario->default_link, name) : NULL;
}

NetLink *
net_between(Net *net, guint a, guint b)
{
    int64_t key = (int64_t)MIN(a, b) << 32 | MAX(a, b);
    NetLink *link = g_hash_table_lookup(net->links, &key);
    if (link == NULL) {
        const Scenario *scenario = net->scenario;
        const ScenarioLink *from =
            declared(scenario, scenario->nodes[a].name, scenario->nodes[b].name);
        link = g_new0(NetLink, 1);
        link->latency = from->latency;
        link->jitter = from->jitter;
        link->loss = from->loss;
        g_queue_init(&link->held);
        link->nics[0] = obtain_nic(net, from, scenario->nodes[MIN(a, b)].name);
        link->nics[1] = obtain_nic(net, from, scenario->nodes[MAX(a, b)].name);
        g_hash_table_insert(net->links, g_memdup2(&key, sizeof key), link);
    }
    return link;
}

nsec_t
net_latency(const NetLink *link, RandomStream *random)
{
    double u = random_uniform(random);
    nsec_t latency = MAX(link->latency + (nsec_t)((2 * u - 1) * (double)link->jitter), 0);
    const Impairment *extra = &link->impairment;
    if (extra->latency > 0 || extra->jitter > 0) {
        double v = extra->jitter > 0 ? 2 * random_uniform(random) - 1 : 0;
        latency += MAX(extra->latency + (nsec_t)(v * (double)extra->jitter), 0);
    }
    return latency;
}

/* ---- packets ---- */

nsec_t
net_next_retransmission(nsec_t sent, nsec_t now, bool syn)
{
    nsec_t rto = syn ? TCP_INITIAL_RTO : TCP_MIN_RTO;
    nsec_t at = sent + rto;
    while (at < now) {
        rto = MIN(2 * rto, TCP_MAX_RTO);
        at += rto;
    }
    return at;
}

/* What losses cost: each lost attempt waits for its retransmission. */
static nsec_t
wait_for_losses(const NetLink *link, bool syn, RandomStream *random)
{
    double loss = 1 - (1 - link->loss) * (1 - link->impairment.loss);
    nsec_t rto = syn ? TCP_INITIAL_RTO : TCP_MIN_RTO;
    nsec_t wait = 0;
    while (loss > 0 && wait < NET_DATA_LIMIT && random_uniform(random) < loss) {
        wait += rto;
        rto = MIN(2 * rto, TCP_MAX_RTO);
    }
    return wait;
}

static void
hold(Net *net, NetPacket *packet, NetLink *link)
{
    packet->held = true;
    packet->link = link;
    g_queue_push_tail(&link->held, packet);
    packet->place = link->held.tail;
    engine_reschedule(net->engine, packet->event,
                      packet->sent + (packet->syn ? NET_SYN_LIMIT : NET_DATA_LIMIT));
}

void
net_send(Net *net, NetPacket *packet, NetLink *link, int factor, nsec_t delay, RandomStream *random)
{
    nsec_t latency = factor * net_latency(link, random);
    packet->sent = engine_now(net->engine) + delay;
    if (link->impairment.cut) {
        hold(net, packet, link);
        return;
    }
    engine_reschedule(net->engine, packet->event,
                      packet->sent + latency + wait_for_losses(link, packet->syn, random));
}

void
net_drop(NetPacket *packet)
{
    if (packet->held) {
        g_queue_delete_link(&packet->link->held, packet->place);
        packet->held = false;
    }
}

static void
release(Net *net, NetLink *link)
{
    nsec_t now = engine_now(net->engine);
    NetPacket *packet;
    while ((packet = g_queue_pop_head(&link->held)) != NULL) {
        packet->held = false;
        nsec_t at = net_next_retransmission(packet->sent, now, packet->syn);
        engine_reschedule(net->engine, packet->event,
                          at + link->latency + link->impairment.latency);
    }
}

static void
impair(Net *net, guint a, guint b, const Impairment *impairment)
{
    NetLink *link = net_between(net, a, b);
    bool was_cut = link->impairment.cut;
    link->impairment = *impairment;
    if (was_cut && !impairment->cut) {
        release(net, link);
    }
}

void
net_impair(Net *net, guint a, guint b, const Impairment *impairment)
{
    for (guint i = 0; b == G_MAXUINT && i < net->n_nodes; i++) {
        if (i != a) {
            impair(net, a, i, impairment);
        }
    }
    if (b != G_MAXUINT) {
        impair(net, a, b, impairment);
    }
    tell(net);
}
