/* VPP's threads, what packets cost them, firewalls. */
#include "sim/vswitch.h"

#include "models/nsm/version.h"
#include "models/tcp.h"
#include "sim/dataplane_types.h"

#define KIB 1024

/* Of an owner's rules; they stay when it restarts. */
typedef struct RuleCounts {
    const Acl *acl;
    uint64_t *n; /* by rule, and the implicit deny's */
} RuleCounts;

struct Vswitches {
    GHashTable *by_owner; /* owner -> Vswitch */
    GHashTable *rules;    /* owner -> RuleCounts */
    VppCpuOf cpu_of;
    void *data;
    StationServed served;
    RandomStream random; /* costs */
    CalibrationChoice polling;
    nsec_t per_kib, tunnel_packet, wireguard_per_kib;
};

/* ---- costs ---- */

/* Beside what each packet costs: its bytes, and the tunnel that it comes from or goes into. */
static nsec_t
extra_cost(const struct Vswitches *all, const Port *in, const Port *out, uint32_t bytes)
{
    nsec_t cost = all->per_kib * bytes / KIB;
    const Port *const ends[] = {in, out};
    for (int i = 0; i < 2; i++) {
        if (ends[i] != NULL && ends[i]->tunnel != NULL) {
            bool encrypts = ends[i]->wire_kind == WIRE_WIREGUARD;
            cost += all->tunnel_packet;
            cost += encrypts ? all->wireguard_per_kib * bytes / KIB : 0;
        }
    }
    return cost;
}

nsec_t
vswitch_demand(Plane *plane, const Port *in, const Port *out, uint32_t bytes)
{
    const Dist *cost = &plane->calibration->parameters[PARAMETER_VPP_PACKET];
    return dist_draw_nsec(cost, &plane->vswitches->random) +
           extra_cost(plane->vswitches, in, out, bytes);
}

double
vswitch_cost(const DataPlane *base, const char *in, const char *out, uint32_t bytes)
{
    const Plane *plane = (const Plane *)base;
    const Port *port_in = in != NULL ? g_hash_table_lookup(plane->ports, in) : NULL;
    const Port *port_out = out != NULL ? g_hash_table_lookup(plane->ports, out) : NULL;
    return dist_mean(&plane->calibration->parameters[PARAMETER_VPP_PACKET]) +
           nsec_to_seconds(extra_cost(plane->vswitches, port_in, port_out, bytes));
}

/* NULL: no VPP runs there now. */
static Vswitch *
vswitch_of(Plane *plane, const char *owner)
{
    struct Vswitches *all = plane->vswitches;
    Vswitch *vpp = g_hash_table_lookup(all->by_owner, owner);
    VppCpu cpu = {0};
    if (vpp != NULL || all->cpu_of == NULL || !all->cpu_of(all->data, owner, &cpu)) {
        return vpp;
    }
    vpp = g_new0(Vswitch, 1);
    vpp->plane = plane;
    vpp->owner = ports_place(plane, owner);
    vpp->version = cpu.version;
    vpp->group = cpu.group;
    vpp->idle = cpu.idle;
    vpp->acl = cpu.acl;
    RandomStream random;
    random_stream_init(&random, plane->seed, plane->replication, owner, "VPP wakes");
    vpp->station = station_new(plane->engine, cpu.group,
                               &plane->calibration->parameters[PARAMETER_VPP_WAKE_UP], &random,
                               all->served, vpp);
    g_hash_table_insert(all->by_owner, (char *)vpp->owner, vpp);
    return vpp;
}

Vswitch *
vswitch_at(Plane *plane, Port *port)
{
    if (port->vpp == NULL) {
        port->vpp = vswitch_of(plane, port->owner);
    }
    return port->vpp;
}

void
vswitch_free(void *data)
{
    Vswitch *vpp = data;
    station_free(vpp->station);
    g_free(vpp);
}

/* Before v1.7.0 NSM asks for the adaptive mode before a memif has queues, so that it stays polling
 * (sdk-vpp#670; FACTS 4).  One such interface makes VPP's only thread poll. */
static bool
has_polling(const Plane *plane, const Vswitch *vpp)
{
    if (plane->vswitches->polling == POLLING_ALWAYS || !nsm_before(vpp->version, 1, 7)) {
        return plane->vswitches->polling == POLLING_ALWAYS;
    }
    const GPtrArray *owned = g_hash_table_lookup(plane->owners, vpp->owner);
    for (guint i = 0; owned != NULL && i < owned->len; i++) {
        const Port *port = g_ptr_array_index(owned, i);
        if (port->wire != NULL && port->wire_kind == WIRE_MEMIF) {
            return true;
        }
    }
    return false;
}

void
vswitch_look_at(Plane *plane, const char *owner)
{
    if (plane->vswitches->polling == POLLING_NEVER) {
        return;
    }
    Vswitch *vpp = vswitch_of(plane, owner);
    if (vpp != NULL) {
        bool polls = has_polling(plane, vpp);
        const GPtrArray *owned = g_hash_table_lookup(plane->owners, owner);
        for (guint i = 0; polls != vpp->polls && owned != NULL && i < owned->len; i++) {
            echo_touch(plane, g_ptr_array_index(owned, i));
        }
        vpp->polls = polls;
        station_set_polling(vpp->station, vpp->polls || vpp->saturated);
    }
}

/* A thread that is never done with its ring runs until the quota is spent, as one that polls. */
void
vswitch_set_load(DataPlane *base, const char *owner, double cores, bool saturated)
{
    Vswitch *vpp = vswitch_of((Plane *)base, owner);
    if (vpp == NULL) {
        return;
    }
    vpp->saturated = saturated;
    cpu_group_set_reserve(vpp->group, saturated ? vpp->idle : 0);
    station_set_polling(vpp->station, vpp->polls || saturated);
    cpu_group_set_load(vpp->group, vpp->polls || saturated ? 0 : cores);
}

Vswitch *
vswitch_steal(Plane *plane, const char *owner)
{
    Vswitch *vpp = g_hash_table_lookup(plane->vswitches->by_owner, owner);
    const GPtrArray *owned = g_hash_table_lookup(plane->owners, owner);
    for (guint i = 0; vpp != NULL && owned != NULL && i < owned->len; i++) {
        ((Port *)g_ptr_array_index(owned, i))->vpp = NULL;
    }
    g_hash_table_steal(plane->vswitches->by_owner, owner);
    return vpp;
}

/* ---- firewalls ---- */

void
vswitch_parse_address(const Port *port, AclAddress *out)
{
    g_auto(GStrv) parts = g_strsplit(port->ip != NULL ? port->ip : "", "/", 2);
    if (parts[0] != NULL) {
        acl_address_parse(parts[0], out);
    }
}

/* One direction of an echo; see dataplane_types.h. */
nsec_t
vswitch_pass_time(Plane *plane, Port *in, uint32_t bytes, nsec_t *stall, bool *denied)
{
    const struct Vswitches *all = plane->vswitches;
    bool ends = in->in_pod && in->xconnect == NULL;
    if (!plane->has_cpus) {
        return plane->hop;
    }
    if (ends && in->wire_kind == WIRE_KERNEL) {
        return calibration_nsec(plane->calibration, PARAMETER_KERNEL_PACKET);
    }
    Vswitch *vpp = in->wire_kind != WIRE_VFIO ? vswitch_at(plane, in) : NULL;
    if (vpp == NULL) {
        return 0;
    }
    nsec_t time = calibration_nsec(plane->calibration, PARAMETER_VPP_PACKET) +
                  extra_cost(all, in, in->xconnect, bytes);
    if (vpp->polls) {
        *stall += cpu_group_longest_stop(vpp->group);
    } else {
        time += calibration_nsec(plane->calibration, PARAMETER_VPP_WAKE_UP);
    }
    AclPacket echo = {.proto = ACL_PROTO_ICMP, .src_port = ICMP_ECHO};
    vswitch_parse_address(in, &echo.dst);
    int match = acl_match(vpp->acl, &echo, false);
    *denied = *denied || !acl_permits(vpp->acl, match);
    return time;
}

/* The header of the answer to a packet. */
static AclPacket
answer_to(const AclPacket *packet)
{
    bool icmp = packet->proto == ACL_PROTO_ICMP;
    return (AclPacket){.proto = packet->proto,
                       .src = packet->dst,
                       .dst = packet->src,
                       .src_port = icmp ? ICMP_ECHO_REPLY : packet->dst_port,
                       .dst_port = icmp ? 0 : packet->src_port,
                       .tcp_flags = packet->tcp_flags};
}

static uint64_t *
count_of(Vswitch *vpp, int match)
{
    GHashTable *rules = vpp->plane->vswitches->rules;
    RuleCounts *counts = g_hash_table_lookup(rules, vpp->owner);
    if (counts == NULL) {
        counts = g_new0(RuleCounts, 1);
        counts->acl = vpp->acl;
        counts->n = g_new0(uint64_t, acl_n_rules(vpp->acl) + 1);
        g_hash_table_insert(rules, (char *)vpp->owner, counts);
    }
    return &counts->n[match >= 0 ? (guint)match : acl_n_rules(vpp->acl)];
}

/* Rules are on the interface towards the client: what comes from there is matched as it is, what
 * goes there with their ends swapped (sdk-vpp pkg/networkservice/acl/common.go). */
static int
match_of(const Vswitch *vpp, const AclPacket *header, bool backward)
{
    AclPacket packet = backward ? answer_to(header) : *header;
    return acl_match(vpp->acl, &packet, acl_is_swapped(backward, 0));
}

bool
vswitch_permits(Vswitch *vpp, const AclPacket *header, bool backward, uint64_t n, const char **rule)
{
    if (vpp == NULL || vpp->acl == NULL) {
        return true;
    }
    int match = match_of(vpp, header, backward);
    if (match == ACL_NO_RULES) {
        return true;
    }
    *count_of(vpp, match) += n;
    *rule = match >= 0 ? acl_rule_name(vpp->acl, (guint)match) : "implicit deny";
    return acl_permits(vpp->acl, match);
}

void
vswitch_count_rules(DataPlane *base, const char *pod_port, const AclPacket *header, bool backward,
                    uint64_t n)
{
    Plane *plane = (Plane *)base;
    g_autoptr(GPtrArray) ports = g_ptr_array_new();
    const char *rule = NULL;
    echo_trace(plane, pod_port, ports);
    for (guint i = 0; i < ports->len; i++) {
        Port *port = g_ptr_array_index(ports, i);
        bool enters = port->in_pod && port->xconnect != NULL && i + 1 < ports->len &&
                      ports->pdata[i + 1] == port->xconnect;
        if (enters) {
            vswitch_permits(vswitch_at(plane, port), header, backward, n, &rule);
        }
    }
}

bool
vswitch_rule_counts(const DataPlane *base, const char *owner, const Acl **acl,
                    const uint64_t **counts)
{
    const RuleCounts *found = g_hash_table_lookup(((const Plane *)base)->vswitches->rules, owner);
    if (found == NULL) {
        return false;
    }
    *acl = found->acl;
    *counts = found->n;
    return true;
}

/* ---- life ---- */

void
vswitch_set_cpus(DataPlane *base, VppCpuOf cpu_of, void *data)
{
    Plane *plane = (Plane *)base;
    plane->has_cpus = cpu_of != NULL;
    plane->vswitches->cpu_of = cpu_of;
    plane->vswitches->data = data;
}

static void
rule_counts_free(void *data)
{
    RuleCounts *counts = data;
    g_free(counts->n);
    g_free(counts);
}

void
vswitch_init(Plane *plane, StationServed served)
{
    const Calibration *calibration = plane->calibration;
    struct Vswitches *all = g_new0(struct Vswitches, 1);
    all->by_owner = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, vswitch_free);
    all->rules = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, rule_counts_free);
    all->served = served;
    random_stream_init(&all->random, plane->seed, plane->replication, "data plane", "VPP costs");
    all->polling = calibration_choice(calibration, PARAMETER_VPP_POLLING);
    all->per_kib = calibration_nsec(calibration, PARAMETER_VPP_PER_KIB);
    all->tunnel_packet = calibration_nsec(calibration, PARAMETER_VPP_TUNNEL_PACKET);
    all->wireguard_per_kib = calibration_nsec(calibration, PARAMETER_VPP_WIREGUARD_PER_KIB);
    plane->vswitches = all;
}

void
vswitch_clear(Plane *plane)
{
    g_hash_table_unref(plane->vswitches->by_owner);
    g_hash_table_unref(plane->vswitches->rules);
    g_clear_pointer(&plane->vswitches, g_free);
}
