/* Packets through a bare data plane (sim/packets.h): how long they take and why, where they end,
 * what is counted.  The bench and its times: packets_bench.h. */
#include "tests/sim/packets_bench.h"

#include <stdlib.h>
#include <string.h>

#define ECHO_BYTES 84 /* ping's default: 56 bytes, ICMP and IPv4 headers */

static void
check_arrived(guint id, nsec_t after, const char *port)
{
    const TestEnd *end = end_of(id);
    ck_assert_msg(end->arrived, "packet %u: %s", id,
                  end->at == NSEC_NEVER ? "on its way" : drop_reason_text(end->reason));
    ck_assert_int_eq(end->at - end->sent, after);
    ck_assert_str_eq(end->port, port);
}

static void
check_dropped(guint id, DropReason reason, const char *place)
{
    const TestEnd *end = end_of(id);
    ck_assert_msg(end->at != NSEC_NEVER && !end->arrived, "packet %u: %s", id,
                  end->arrived ? "arrived" : "on its way");
    ck_assert_str_eq(drop_reason_text(end->reason), drop_reason_text(reason));
    ck_assert_msg(n_drops(reason, place, NULL) > 0, "none was dropped at %s: %s", place,
                  drop_reason_text(reason));
}

/* The sums of all parts at all places are the times of all packets, which have arrived. */
static void
check_delays(void)
{
    double times = 0;
    for (guint i = 0; i < flow.ends->len; i++) {
        ck_assert(end_of(i)->arrived);
        times += (double)(end_of(i)->at - end_of(i)->sent);
    }
    ck_assert_double_gt(times, 0);
    ck_assert_double_eq(delay_of(NULL, N_DELAY_PARTS), times);
}

/* ---- ways ---- */

START_TEST(a_packet_goes_by_the_forwarder_and_each_place_takes_its_time)
{
    build_local(WIRE_KERNEL, WIRE_KERNEL);
    guint id = send(ECHO_BYTES, false, FROM);
    settle();
    check_arrived(id, KERNEL + WAKE + COST + KERNEL, TO);
    check_delays();
    ck_assert_double_eq(delay_of(CLIENT, DELAY_KERNEL), KERNEL);
    ck_assert_double_eq(delay_of(FWD_A, DELAY_WAKING), WAKE);
    ck_assert_double_eq(delay_of(FWD_A, DELAY_SERVICE), COST);
    ck_assert_double_eq(delay_of(SERVER, DELAY_KERNEL), KERNEL);
}
END_TEST

START_TEST(an_answer_goes_back_to_a_client_without_an_address)
{
    build_local(WIRE_KERNEL, WIRE_KERNEL);
    guint id = send(ECHO_BYTES, true, TO);
    settle();
    check_arrived(id, KERNEL + WAKE + COST + KERNEL, FROM);
}
END_TEST

START_TEST(ports_count_what_goes_into_and_comes_out_of_their_wires)
{
    build_local(WIRE_KERNEL, WIRE_KERNEL);
    for (int i = 0; i < 3; i++) {
        send(100, false, FROM);
        settle();
    }
    send(1500, true, TO);
    settle();
    static const char *const ports[] = {FROM, FWD_A "/1/client", FWD_A "/1/server", TO};
    for (int i = 0; i < 4; i++) {
        PortCounts found = counts(ports[i]);
        bool forward_sends = i % 2 == 0; /* FROM and the forwarder's end towards the server */
        ck_assert_uint_eq(found.tx_packets, forward_sends ? 3 : 1);
        ck_assert_uint_eq(found.tx_bytes, forward_sends ? 300 : 1500);
        ck_assert_uint_eq(found.rx_packets, forward_sends ? 1 : 3);
        ck_assert_uint_eq(found.rx_bytes, forward_sends ? 1500 : 300);
        ck_assert_uint_eq(found.n_dropped, 0);
    }
    ck_assert_ptr_null(packets_port_counts(plane, CLIENT "/other"));
}
END_TEST

START_TEST(counts_stay_when_the_port_goes_and_comes_again)
{
    build_local(WIRE_KERNEL, WIRE_KERNEL);
    send(100, false, FROM);
    settle();
    sim_dataplane_remove_pod(plane, CLIENT);
    ck_assert_uint_eq(counts(FROM).tx_packets, 1);
    sim_dataplane_add_pod(plane, CLIENT);
    add_interface(FWD_A, FWD_A "/1/client", FROM, WIRE_KERNEL, NULL);
    settle();
    join(FWD_A, FWD_A "/1/client", FWD_A "/1/server");
    settle();
    send(100, false, FROM);
    settle();
    ck_assert_uint_eq(counts(FROM).tx_packets, 2);
    packets_count(plane, FROM, true, 10, 1000); /* of flows */
    packets_count(plane, FROM, false, 5, 50);
    ck_assert_uint_eq(counts(FROM).tx_packets, 12);
    ck_assert_uint_eq(counts(FROM).tx_bytes, 1200);
    ck_assert_uint_eq(counts(FROM).rx_packets, 5);
}
END_TEST

START_TEST(a_packet_between_nodes_pays_for_the_tunnel_and_the_link)
{
    build_remote(_i == 0 ? WIRE_VXLAN : WIRE_WIREGUARD);
    guint id = send(1024, false, FROM);
    settle();
    nsec_t sealing = _i == 0 ? 0 : 2 * USEC;
    nsec_t vpp_time = WAKE + COST + TUNNEL_COST + sealing;
    nsec_t sending = 8 * (1024 + (_i == 0 ? 50 : 60) + 38); /* ns at 1 Gbit/s */
    check_arrived(id, KERNEL + vpp_time + sending + LATENCY + vpp_time + KERNEL, TO);
    check_delays();
    ck_assert_double_eq(delay_of("a -> b", DELAY_LINK), (double)(sending + LATENCY));
    ck_assert_double_eq(delay_of(FWD_B, DELAY_SERVICE), (double)(vpp_time - WAKE));
    ck_assert_uint_eq(counts(FWD_A "/1/server").tx_packets, 1);
    ck_assert_uint_eq(counts(FWD_B "/1/client").rx_packets, 1);
}
END_TEST

START_TEST(packets_to_another_node_follow_each_other_at_the_links_rate)
{
    build_remote(WIRE_VXLAN);
    for (int i = 0; i < 5; i++) {
        send(1412, false, FROM); /* 12 us on the wire, 4 us in VPP */
    }
    settle();
    /* each comes 4 us after the one before, and waits 8 us longer */
    ck_assert_double_eq(delay_of("a -> b", DELAY_LINK), 5 * (12e3 + LATENCY) + 10 * 8e3);
    check_delays();
}
END_TEST

START_TEST(a_link_keeps_the_order_of_packets_whatever_its_jitter)
{
    scenario.default_link.jitter = LATENCY / 2;
    calibration.parameters[PARAMETER_VPP_WAKE_UP] = dist_constant(0);
    build_remote(WIRE_VXLAN);
    for (int i = 0; i < 200; i++) {
        send(ECHO_BYTES, false, FROM);
        run_for(10 * USEC);
    }
    settle();
    nsec_t least = NSEC_NEVER, most = 0;
    for (guint i = 0; i < 200; i++) {
        ck_assert(i == 0 || end_of(i)->at > end_of(i - 1)->at);
        least = MIN(least, end_of(i)->at - end_of(i)->sent);
        most = MAX(most, end_of(i)->at - end_of(i)->sent);
    }
    ck_assert_int_gt(most - least, LATENCY / 2); /* it has jitter */
    check_delays();
}
END_TEST

START_TEST(a_function_that_passes_on_costs_its_own_vpp)
{
    vpp_start(FIREWALL, 0);
    build_chain();
    guint id = send(ECHO_BYTES, false, FROM);
    settle();
    check_arrived(id, KERNEL + 3 * (WAKE + COST) + KERNEL, TO);
    check_delays();
    ck_assert_double_eq(delay_of(FIREWALL, DELAY_SERVICE), COST);
    ck_assert_double_eq(delay_of(FWD_A, DELAY_SERVICE), 2 * COST);
}
END_TEST

START_TEST(a_memif_end_is_served_by_the_pods_own_vpp)
{
    vpp_start(SERVER, 0);
    add_direct(FROM, TO, "172.16.1.100/32");
    settle();
    guint id = send(ECHO_BYTES, false, FROM);
    settle();
    check_arrived(id, WAKE + COST, TO);
    check_delays();
}
END_TEST

START_TEST(a_vfio_wire_costs_nothing)
{
    build_local(WIRE_VFIO, WIRE_VFIO);
    guint id = send(ECHO_BYTES, false, FROM);
    settle();
    check_arrived(id, 0, TO);
    ck_assert_uint_eq(counts(TO).rx_packets, 1);
}
END_TEST

START_TEST(bytes_cost_what_the_calibration_says)
{
    calibration.parameters[PARAMETER_VPP_PER_KIB] = dist_constant(5e-6);
    bench_teardown();
    bench_open();
    build_local(WIRE_KERNEL, WIRE_KERNEL);
    guint id = send(512, false, FROM);
    settle();
    check_arrived(id, KERNEL + WAKE + COST + 2500 + KERNEL, TO);
    ck_assert_double_eq_tol(vswitch_cost(plane, NULL, NULL, 512), 5.5e-6, 1e-12);
}
END_TEST

START_TEST(the_cost_that_is_told_is_the_cost_that_is_paid)
{
    build_remote(WIRE_WIREGUARD);
    send(1024, false, FROM);
    settle();
    double told = vswitch_cost(plane, FWD_A "/1/client", FWD_A "/1/server", 1024);
    ck_assert_double_eq_tol(told * 1e9, delay_of(FWD_A, DELAY_SERVICE), 1e-3);
    ck_assert_double_eq_tol(told, 6e-6, 1e-12);
}
END_TEST

/* ---- the cluster's own network ---- */

START_TEST(the_pod_network_is_a_bridge_or_an_overlay)
{
    PacketInfo near = next_packet(1000, false);
    packets_send_between(plane, &flow.packets, &near, "a", "a");
    PacketInfo far = next_packet(1000, false);
    packets_send_between(plane, &flow.packets, &far, "a", "b");
    settle();
    nsec_t bridge = 2 * KERNEL + 5 * USEC;
    check_arrived(0, bridge, "");
    check_arrived(1, bridge + 2 * 15 * USEC + 8 * (1000 + 50 + 38) + LATENCY, "");
    check_delays();
}
END_TEST

START_TEST(the_pod_network_ends_with_its_link)
{
    net_set_node(net, 1, false);
    PacketInfo info = next_packet(1000, false);
    packets_send_between(plane, &flow.packets, &info, "a", "b");
    check_dropped(0, DROP_NODE_DOWN, "a");
    net_set_node(net, 1, true);
    net_impair(net, 0, 1, &(Impairment){.cut = true});
    info = next_packet(1000, false);
    packets_send_between(plane, &flow.packets, &info, "a", "b");
    check_dropped(1, DROP_CUT, "a");
}
END_TEST

/* ---- drops ---- */

START_TEST(from_an_interface_that_is_not_there_nothing_is_sent)
{
    check_dropped(send(ECHO_BYTES, false, FROM), DROP_NO_INTERFACE, FROM);
}
END_TEST

START_TEST(an_interface_without_a_wire_leads_nowhere)
{
    build_local(WIRE_KERNEL, WIRE_KERNEL);
    discard(FWD_A, FWD_A "/1/client");
    settle();
    guint id = send(ECHO_BYTES, false, FROM);
    settle();
    check_dropped(id, DROP_NO_WIRE, CLIENT);
}
END_TEST

START_TEST(an_interface_without_a_cross_connect_ends_in_the_forwarder)
{
    add_interface(FWD_A, FWD_A "/1/client", FROM, WIRE_KERNEL, NULL);
    settle();
    guint id = send(ECHO_BYTES, false, FROM);
    settle();
    check_dropped(id, DROP_NO_CROSS_CONNECT, FWD_A);
    ck_assert_uint_eq(counts(FWD_A "/1/client").n_dropped, 1);
}
END_TEST

START_TEST(a_tunnel_without_its_other_end_swallows_packets)
{
    build_remote(WIRE_VXLAN);
    discard(FWD_B, FWD_B "/1/client");
    settle();
    guint id = send(ECHO_BYTES, false, FROM);
    settle();
    check_dropped(id, DROP_NO_TUNNEL, "a -> b");
}
END_TEST

START_TEST(an_end_without_an_address_does_not_take_packets)
{
    add_interface(FWD_A, FWD_A "/1/client", FROM, WIRE_KERNEL, NULL);
    add_interface(FWD_A, FWD_A "/1/server", TO, WIRE_KERNEL, NULL);
    settle();
    join(FWD_A, FWD_A "/1/client", FWD_A "/1/server");
    settle();
    guint id = send(ECHO_BYTES, false, FROM);
    settle();
    check_dropped(id, DROP_NO_ADDRESS, SERVER);
}
END_TEST

/* After that long the packet is in the client's kernel, in VPP, in the server's kernel. */
static const nsec_t moments[] = {5 * USEC, 30 * USEC, 52 * USEC, 58 * USEC};

START_TEST(what_is_at_a_pods_end_that_goes_is_lost_with_it)
{
    build_local(WIRE_KERNEL, WIRE_KERNEL);
    guint id = send(ECHO_BYTES, false, FROM);
    run_for(moments[_i]);
    sim_dataplane_remove_pod(plane, _i == 0 ? CLIENT : SERVER);
    settle();
    if (_i == 0 || _i == 3) {
        check_dropped(id, DROP_REMOVED, _i == 0 ? CLIENT : SERVER);
    } else { /* it is in VPP, which finds no wire behind */
        check_dropped(id, DROP_NO_WIRE, FWD_A);
    }
}
END_TEST

START_TEST(what_is_in_the_ring_of_an_interface_that_goes_is_lost)
{
    build_local(WIRE_KERNEL, WIRE_KERNEL);
    discard(FWD_A, FWD_A "/1/client"); /* takes effect in 60 ms */
    run_for(60 * MSEC - 30 * USEC);
    guint id = send(ECHO_BYTES, false, FROM);
    settle();
    check_dropped(id, DROP_REMOVED, FWD_A);
}
END_TEST

START_TEST(what_is_on_the_link_to_an_interface_that_goes_is_lost)
{
    build_remote(WIRE_VXLAN);
    guint id = send(ECHO_BYTES, false, FROM);
    run_for(KERNEL + WAKE + COST + TUNNEL_COST + LATENCY / 2);
    vpp_end(FWD_B);
    settle();
    check_dropped(id, DROP_REMOVED, FWD_B);
}
END_TEST

START_TEST(what_is_in_the_rings_of_a_vpp_that_ends_is_lost_and_the_next_begins_anew)
{
    build_local(WIRE_KERNEL, WIRE_KERNEL);
    for (int i = 0; i < 5; i++) {
        send(ECHO_BYTES, false, FROM);
    }
    run_for(KERNEL + WAKE + COST + COST / 2); /* one is through, one is being served */
    vpp_end(FWD_A);
    ck_assert_uint_eq(n_drops(DROP_REMOVED, FWD_A, NULL), 4);
    settle();
    /* the Pods' ends are there still, without wires */
    ck_assert(end_of(0)->arrived);
    vpp_start(FWD_A, 0);
    build_local(WIRE_KERNEL, WIRE_KERNEL);
    guint id = send(ECHO_BYTES, false, FROM);
    settle();
    check_arrived(id, KERNEL + WAKE + COST + KERNEL, TO);
}
END_TEST

START_TEST(a_ring_holds_so_many_packets_and_no_more)
{
    build_local(WIRE_KERNEL, WIRE_KERNEL);
    for (int i = 0; i < 2 * RING; i++) {
        send(ECHO_BYTES, false, FROM);
    }
    settle();
    ck_assert_uint_eq(flow.packets.n_arrived, RING);
    ck_assert_uint_eq(n_drops(DROP_RING_FULL, FWD_A, NULL), RING);
    for (guint i = 0; i < RING; i++) { /* the first ones */
        check_arrived(i, KERNEL + WAKE + (nsec_t)(1 + i) * COST + KERNEL, TO);
    }
    for (int i = 0; i < RING; i++) { /* it is empty again */
        send(ECHO_BYTES, false, FROM);
    }
    settle();
    ck_assert_uint_eq(flow.packets.n_arrived, 2 * RING);
}
END_TEST

START_TEST(each_interface_has_a_ring_of_its_own)
{
    build_local(WIRE_KERNEL, WIRE_KERNEL);
    for (int i = 0; i < RING; i++) {
        send(ECHO_BYTES, false, FROM);
        send(ECHO_BYTES, true, TO);
    }
    settle();
    ck_assert_uint_eq(flow.packets.n_arrived, 2 * RING);
}
END_TEST

START_TEST(a_transmit_queue_holds_so_many_packets_and_no_more)
{
    scenario.default_link.rate = 1000000; /* bit/s: 12.3 ms for a full frame */
    build_remote(WIRE_VXLAN);
    for (int i = 0; i < 2 * QUEUE; i++) {
        send(1412, false, FROM);
        run_for(100 * USEC);
    }
    settle();
    ck_assert_uint_eq(n_drops(DROP_QUEUE_FULL, "a -> b", NULL), flow.packets.n_dropped);
    /* those that wait, the one that is sent, and a part of one as these frames are not full */
    ck_assert_uint_ge(flow.packets.n_arrived, QUEUE + 1);
    ck_assert_uint_le(flow.packets.n_arrived, QUEUE + 2);
    ck_assert_uint_eq(net_nic(net, 0, 1)->n_dropped, flow.packets.n_dropped);
    ck_assert_uint_eq(net_nic(net, 0, 1)->n_sent, flow.packets.n_arrived);
}
END_TEST

START_TEST(a_link_that_is_cut_lets_nothing_through)
{
    build_remote(WIRE_VXLAN);
    net_impair(net, 0, 1, &(Impairment){.cut = true});
    guint id = send(ECHO_BYTES, false, FROM);
    settle();
    check_dropped(id, DROP_CUT, "a -> b");
    net_impair(net, 0, 1, &(Impairment){0});
    id = send(ECHO_BYTES, false, FROM);
    settle();
    ck_assert(end_of(id)->arrived);
}
END_TEST

START_TEST(a_link_that_loses_all_loses_all)
{
    build_remote(WIRE_VXLAN);
    net_impair(net, 0, 1, &(Impairment){.loss = 1});
    guint id = send(ECHO_BYTES, false, FROM);
    settle();
    check_dropped(id, DROP_LOST, "a -> b");
}
END_TEST

START_TEST(nothing_reaches_a_node_that_is_down)
{
    build_remote(WIRE_VXLAN);
    net_set_node(net, 1, false);
    guint id = send(ECHO_BYTES, false, FROM);
    settle();
    check_dropped(id, DROP_NODE_DOWN, "a -> b");
}
END_TEST

START_TEST(a_loop_ends_at_the_hop_limit)
{
    vpp_start(FIREWALL, 0);
    join(FIREWALL, FIREWALL "/in", FIREWALL "/out");
    add_interface(FWD_A, FWD_A "/1", FIREWALL "/in", WIRE_MEMIF, NULL);
    add_interface(FWD_A, FWD_A "/2", FIREWALL "/out", WIRE_MEMIF, NULL);
    settle();
    join(FWD_A, FWD_A "/1", FWD_A "/2");
    settle();
    guint id = send(ECHO_BYTES, false, FIREWALL "/in");
    settle();
    check_dropped(id, DROP_HOP_LIMIT, NULL);
    ck_assert_uint_gt(packets_n_steps(plane), 50);
    ck_assert_uint_lt(packets_n_steps(plane), 100);
}
END_TEST

/* ---- firewalls ---- */

static const char RULES[] = "http:\n  ispermit: 1\n  proto: 6\n  srcportoricmptypelast: 65535\n"
                            "  dstportoricmpcodefirst: 80\n  dstportoricmpcodelast: 80\n"
                            "no-ssh:\n  ispermit: 0\n  proto: 6\n  srcportoricmptypelast: 65535\n"
                            "  dstportoricmpcodefirst: 22\n  dstportoricmpcodelast: 22\n";

static Acl *
filter(uint16_t port)
{
    g_autoptr(GError) error = NULL;
    Acl *acl = acl_parse(RULES, strlen(RULES), "rules", &error);
    ck_assert_msg(acl != NULL, "%s", error != NULL ? error->message : "");
    vpp(FIREWALL)->acl = acl;
    vpp_start(FIREWALL, 0);
    build_chain();
    AclPacket *header = &flow.packets.header;
    *header = (AclPacket){.proto = ACL_PROTO_TCP, .src_port = 49152, .dst_port = port};
    ck_assert(acl_address_parse("172.16.1.101", &header->src));
    ck_assert(acl_address_parse("172.16.1.100", &header->dst));
    return acl;
}

START_TEST(what_a_rule_permits_passes_both_ways)
{
    g_autoptr(Acl) acl = filter(80);
    guint there = send(ECHO_BYTES, false, FROM), back = send(ECHO_BYTES, true, TO);
    settle();
    ck_assert(end_of(there)->arrived);
    ck_assert(end_of(back)->arrived);
}
END_TEST

START_TEST(what_a_rule_forbids_is_dropped_in_its_name)
{
    g_autoptr(Acl) acl = filter(22);
    guint there = send(ECHO_BYTES, false, FROM), back = send(ECHO_BYTES, true, TO);
    settle();
    check_dropped(there, DROP_DENIED, FIREWALL);
    check_dropped(back, DROP_DENIED, FIREWALL);
    ck_assert_uint_eq(n_drops(DROP_DENIED, FIREWALL, "no-ssh"), 2);
    ck_assert_uint_eq(counts(FIREWALL "/in").n_denied, 1);
}
END_TEST

START_TEST(what_no_rule_names_is_dropped_by_the_implicit_deny)
{
    g_autoptr(Acl) acl = filter(81);
    guint id = send(ECHO_BYTES, false, FROM);
    settle();
    check_dropped(id, DROP_DENIED, FIREWALL);
    ck_assert_uint_eq(n_drops(DROP_DENIED, FIREWALL, "implicit deny"), 1);
}
END_TEST

/* ---- impairments of Pod interfaces ---- */

static void
impair(const char *port, Impairment impairment)
{
    ck_assert(sim_dataplane_impair(plane, port, &impairment));
}

START_TEST(a_delay_of_an_interface_is_added_each_way)
{
    const nsec_t plain = KERNEL + WAKE + COST + KERNEL;
    build_local(WIRE_KERNEL, WIRE_KERNEL);
    impair(_i == 0 ? FROM : TO, (Impairment){.latency = 7 * MSEC});
    send(ECHO_BYTES, false, FROM);
    send(ECHO_BYTES, true, TO);
    settle();
    ck_assert_int_eq(end_of(0)->at - end_of(0)->sent, plain + 7 * MSEC);
    ck_assert(end_of(1)->arrived);
    check_delays();
    ck_assert_double_eq(delay_of(_i == 0 ? CLIENT : SERVER, DELAY_FAULT), 14e6);
}
END_TEST

START_TEST(jitter_stays_within_its_bounds_and_uses_them)
{
    build_local(WIRE_KERNEL, WIRE_KERNEL);
    impair(FROM, (Impairment){.latency = 5 * MSEC, .jitter = 2 * MSEC});
    nsec_t least = NSEC_NEVER, most = 0;
    for (guint i = 0; i < 200; i++) {
        send(ECHO_BYTES, false, FROM);
        run_for(20 * MSEC);
        nsec_t took = end_of(i)->at - end_of(i)->sent - (KERNEL + WAKE + COST + KERNEL);
        least = MIN(least, took);
        most = MAX(most, took);
    }
    ck_assert_int_ge(least, 3 * MSEC);
    ck_assert_int_lt(least, 3200 * USEC);
    ck_assert_int_le(most, 7 * MSEC);
    ck_assert_int_gt(most, 6800 * USEC);
    check_delays();
}
END_TEST

START_TEST(a_slow_interface_sends_one_after_the_other)
{
    build_local(WIRE_KERNEL, WIRE_KERNEL);
    impair(FROM, (Impairment){.rate = 8000000}); /* a byte in a microsecond */
    for (int i = 0; i < 4; i++) {
        send(1000, false, FROM);
    }
    settle();
    for (guint i = 0; i < 4; i++) {
        check_arrived(i, KERNEL + (nsec_t)(1 + i) * MSEC + WAKE + COST + KERNEL, TO);
    }
    check_delays();
}
END_TEST

START_TEST(a_lossy_interface_loses_its_share)
{
    build_local(WIRE_KERNEL, WIRE_KERNEL);
    impair(FROM, (Impairment){.loss = 0.25});
    for (int i = 0; i < 4000; i++) {
        send(ECHO_BYTES, i % 2 == 1, i % 2 == 1 ? TO : FROM);
        run_for(MSEC);
    }
    uint64_t n = n_drops(DROP_LOST, CLIENT, NULL);
    ck_assert_uint_eq(n, flow.packets.n_dropped);
    ck_assert_double_eq_tol((double)n / 4000, 0.25, 4 * 0.433 / 63.2); /* standard errors */
}
END_TEST

START_TEST(an_interface_that_is_cut_lets_nothing_out_or_in)
{
    build_local(WIRE_KERNEL, WIRE_KERNEL);
    impair(FROM, (Impairment){.cut = true});
    guint there = send(ECHO_BYTES, false, FROM), back = send(ECHO_BYTES, true, TO);
    settle();
    check_dropped(there, DROP_CUT, CLIENT);
    check_dropped(back, DROP_CUT, CLIENT);
    ck_assert_uint_eq(n_drops(DROP_CUT, CLIENT, NULL), 2);
    impair(FROM, (Impairment){0});
    there = send(ECHO_BYTES, false, FROM);
    settle();
    ck_assert(end_of(there)->arrived);
}
END_TEST

START_TEST(a_delayed_packet_whose_interface_goes_meanwhile_is_lost)
{
    build_local(WIRE_KERNEL, WIRE_KERNEL);
    impair(FROM, (Impairment){.latency = 10 * MSEC});
    guint there = send(ECHO_BYTES, false, FROM), back = send(ECHO_BYTES, true, TO);
    run_for(5 * MSEC);
    sim_dataplane_remove_pod(plane, CLIENT);
    settle();
    check_dropped(there, DROP_REMOVED, CLIENT);
    check_dropped(back, DROP_REMOVED, CLIENT);
}
END_TEST

/* ---- polling, quotas, loads ---- */

START_TEST(a_memif_makes_the_forwarder_poll_as_the_versions_say)
{
    static const struct {
        CalibrationChoice choice;
        int version;
        WireKind wire;
        bool polls;
    } cases[] = {
        {POLLING_BY_VERSION, NSM_VERSION(1, 4, 0), WIRE_MEMIF, true},
        {POLLING_BY_VERSION, NSM_VERSION(1, 4, 0), WIRE_KERNEL, false},
        {POLLING_BY_VERSION, NSM_VERSION(1, 7, 0), WIRE_MEMIF, false},
        {POLLING_NEVER, NSM_VERSION(1, 4, 0), WIRE_MEMIF, false},
    };
    calibration.choices[PARAMETER_VPP_POLLING] = cases[_i].choice;
    bench_teardown();
    bench_open();
    vpp(FWD_A)->version = cases[_i].version;
    add_interface(FWD_A, FWD_A "/2", FIREWALL "/in", cases[_i].wire, NULL);
    build_local(WIRE_KERNEL, WIRE_KERNEL);
    ck_assert_int_eq(cpu_group_is_polling(vpp(FWD_A)->group), cases[_i].polls);
    guint id = send(ECHO_BYTES, false, FROM);
    settle();
    check_arrived(id, KERNEL + (cases[_i].polls ? 0 : WAKE) + COST + KERNEL, TO);
    discard(FWD_A, FWD_A "/2"); /* the last memif */
    settle();
    ck_assert(!cpu_group_is_polling(vpp(FWD_A)->group));
}
END_TEST

START_TEST(what_finds_a_polling_forwarder_stopped_waits_for_the_next_period)
{
    calibration.choices[PARAMETER_VPP_POLLING] = POLLING_BY_VERSION;
    bench_teardown();
    bench_open();
    cpu_group_free(vpp(FWD_A)->group);
    vpp_start(FWD_A, 50 * MSEC);
    add_interface(FWD_A, FWD_A "/2", FIREWALL "/in", WIRE_MEMIF, NULL);
    build_local(WIRE_KERNEL, WIRE_KERNEL);
    send(ECHO_BYTES, false, FROM); /* at the beginning of a period */
    run_for(60 * MSEC);
    send(ECHO_BYTES, false, FROM);
    settle();
    check_arrived(0, KERNEL + COST + KERNEL, TO);
    check_arrived(1, 40 * MSEC + COST + KERNEL, TO);
    check_delays();
    ck_assert_double_eq(delay_of(FWD_A, DELAY_THROTTLED), 40e6 - KERNEL);
}
END_TEST

START_TEST(behind_flows_that_fill_the_ring_a_packet_waits_for_all_of_it)
{
    build_local(WIRE_KERNEL, WIRE_KERNEL);
    vswitch_set_load(plane, FWD_A, 1, true);
    guint id = send(ECHO_BYTES, false, FROM);
    settle();
    check_arrived(id, KERNEL + (RING + 1) * COST + KERNEL, TO);
    check_delays();
    ck_assert_double_eq(delay_of(FWD_A, DELAY_QUEUEING), RING * COST);
    ck_assert_double_eq(delay_of(FWD_A, DELAY_WAKING), 0); /* it never sleeps */
    vswitch_set_load(plane, FWD_A, 0, false);
    id = send(ECHO_BYTES, false, FROM);
    settle();
    check_arrived(id, KERNEL + WAKE + COST + KERNEL, TO);
}
END_TEST

START_TEST(flows_that_use_up_a_quota_make_packets_wait_for_the_next_period)
{
    cpu_group_free(vpp(FWD_A)->group);
    vpp_start(FWD_A, 50 * MSEC);
    build_local(WIRE_KERNEL, WIRE_KERNEL);
    vswitch_set_load(plane, FWD_A, 0.5, true);
    run_for(60 * MSEC);
    guint id = send(ECHO_BYTES, false, FROM);
    settle();
    ck_assert(end_of(id)->arrived);
    ck_assert_int_ge(end_of(id)->at - end_of(id)->sent, 40 * MSEC);
    ck_assert_int_le(end_of(id)->at - end_of(id)->sent, 41 * MSEC);
    check_delays();
}
END_TEST

START_TEST(flows_that_leave_something_burn_cpu_and_delay_nothing)
{
    build_local(WIRE_KERNEL, WIRE_KERNEL);
    double before = cpu_group_usage(vpp(FWD_A)->group).used;
    vswitch_set_load(plane, FWD_A, 0.25, false);
    guint id = send(ECHO_BYTES, false, FROM);
    run_for(NSEC_PER_SEC);
    check_arrived(id, KERNEL + WAKE + COST + KERNEL, TO);
    ck_assert_double_eq_tol(cpu_group_usage(vpp(FWD_A)->group).used - before, 0.25e9 + COST, 1);
    vswitch_set_load(plane, "nsm/nobody", 1, true); /* no VPP: nothing happens */
}
END_TEST

/* ---- what the way is like ---- */

START_TEST(tunnels_take_their_headers_from_the_mtu)
{
    static const uint32_t mtus[] = {1500, 1446, 1440};
    static const WireKind wires[] = {WIRE_KERNEL, WIRE_VXLAN, WIRE_WIREGUARD};
    if (_i == 0) {
        build_local(WIRE_KERNEL, WIRE_KERNEL);
    } else {
        build_remote(wires[_i]);
    }
    ck_assert_uint_eq(packets_mtu(plane, FROM), mtus[_i]);
    ck_assert_uint_eq(packets_mtu(plane, TO), mtus[_i]); /* the same back */
    ck_assert_uint_eq(packets_mtu(plane, CLIENT "/other"), 1500);
}
END_TEST

START_TEST(addresses_are_those_of_both_ends)
{
    AclAddress near = {0}, far = {0}, expected = {0};
    build_remote(WIRE_VXLAN);
    packets_addresses(plane, FROM, &near, &far);
    ck_assert(acl_address_parse("172.16.1.101", &expected));
    ck_assert_mem_eq(&near, &expected, sizeof near);
    ck_assert(acl_address_parse("172.16.1.100", &expected));
    ck_assert_mem_eq(&far, &expected, sizeof far);
}
END_TEST

START_TEST(what_is_on_its_way_when_all_ends_is_forgotten)
{
    vpp_start(FIREWALL, 0);
    build_chain();
    for (int i = 0; i < 5; i++) { /* in a kernel, in rings, at an interface that is gone */
        send(ECHO_BYTES, false, FROM);
        run_for(i * 17 * USEC);
    }
    impair(TO, (Impairment){.latency = NSEC_PER_SEC});
    run_for(300 * USEC);
    sim_dataplane_remove_pod(plane, SERVER);
    ck_assert_uint_gt(packet_flow_n_on_the_way(&flow.packets), 0);
}
END_TEST

/* ---- whatever happens ---- */

typedef void (*Change)(RandomStream *random);

static const char *const owners[] = {FWD_A, FWD_B, FIREWALL};
static const char *const senders[] = {FROM, TO, FIREWALL "/in", CLIENT "/other"};

static void
change_wires(RandomStream *random)
{
    switch (random_below(random, 6)) {
    case 0:
        add_interface(FWD_A, FWD_A "/1/client", FROM, WIRE_KERNEL, NULL);
        break;
    case 1:
        add_interface(FWD_A, FWD_A "/1/server", FIREWALL "/in", WIRE_MEMIF, NULL);
        break;
    case 2:
        add_interface(FWD_A, FWD_A "/2/client", FIREWALL "/out", WIRE_MEMIF, NULL);
        break;
    case 3:
        add_interface(FWD_B, FWD_B "/1/server", TO, WIRE_KERNEL, "172.16.1.100/32");
        break;
    case 4:
        add_tunnel(FWD_A, FWD_A "/2/server", 6, WIRE_VXLAN);
        break;
    default:
        add_tunnel(FWD_B, FWD_B "/1/client", 6, WIRE_VXLAN);
        break;
    }
}

static void
change_joints(RandomStream *random)
{
    join(FIREWALL, FIREWALL "/in", FIREWALL "/out");
    join(FWD_A, FWD_A "/1/client", FWD_A "/1/server");
    join(FWD_A, FWD_A "/2/client", FWD_A "/2/server");
    join(FWD_B, FWD_B "/1/client", FWD_B "/1/server");
}

static void
change_removals(RandomStream *random)
{
    static const char *const ports[] = {FWD_A "/1/client", FWD_A "/2/server", FWD_B "/1/client",
                                        FWD_A "/2/client"};
    if (random_below(random, 3) == 0) {
        const char *port = ports[random_below(random, G_N_ELEMENTS(ports))];
        discard(g_str_has_prefix(port, FWD_A) ? FWD_A : FWD_B, port);
    }
}

static void
change_processes(RandomStream *random)
{
    const char *owner = owners[random_below(random, G_N_ELEMENTS(owners))];
    if (random_below(random, 6) != 0) {
        return;
    }
    if (vpp(owner)->group != NULL) {
        vpp_end(owner);
    }
    vpp_start(owner, (nsec_t)random_below(random, 3) * 20 * MSEC);
}

static void
change_pods(RandomStream *random)
{
    const char *pod = random_below(random, 2) == 0 ? CLIENT : SERVER;
    if (random_below(random, 6) == 0) {
        sim_dataplane_remove_pod(plane, pod);
        sim_dataplane_add_pod(plane, pod);
    }
}

static void
change_faults(RandomStream *random)
{
    Impairment impairment = {.loss = 0.1 * (double)random_below(random, 3),
                             .latency = (nsec_t)random_below(random, 3) * MSEC,
                             .jitter = (nsec_t)random_below(random, 2) * MSEC,
                             .rate = (int64_t)random_below(random, 2) * 8000000};
    sim_dataplane_impair(plane, random_below(random, 2) == 0 ? FROM : TO, &impairment);
    net_set_node(net, 1, random_below(random, 8) != 0);
}

static void
change_loads(RandomStream *random)
{
    vswitch_set_load(plane, owners[random_below(random, G_N_ELEMENTS(owners))],
                     0.1 * (double)random_below(random, 3), random_below(random, 4) == 0);
}

static void
send_some(RandomStream *random)
{
    for (uint64_t i = random_below(random, 20); i > 0; i--) {
        const char *port = senders[random_below(random, G_N_ELEMENTS(senders))];
        send((uint32_t)(64 + random_below(random, 1400)), g_str_equal(port, TO), port);
        run_for((nsec_t)random_below(random, 100 * USEC));
    }
}

/* What the flow counts is what its owner was told. */
static void
check_conservation(void)
{
    uint64_t n_arrived = 0, n_dropped = 0, n_noted = 0, n_there = 0;
    for (guint i = 0; i < flow.ends->len; i++) {
        const TestEnd *end = end_of(i);
        n_arrived += end->arrived ? 1 : 0;
        n_dropped += end->at != NSEC_NEVER && !end->arrived ? 1 : 0;
        n_there += end->at == NSEC_NEVER ? 1 : 0;
    }
    for (guint i = 0; i < flow.packets.drops->len; i++) {
        n_noted += g_array_index(flow.packets.drops, PlaceDrops, i).n;
    }
    ck_assert_uint_eq(flow.packets.n_sent, flow.ends->len);
    ck_assert_uint_eq(flow.packets.n_arrived, n_arrived);
    ck_assert_uint_eq(flow.packets.n_dropped, n_dropped);
    ck_assert_uint_eq(n_noted, n_dropped);
    ck_assert_uint_eq(packet_flow_n_on_the_way(&flow.packets), n_there);
}

/* Random operations, faults, ends of VPPs and Pods, and packets in between: what was sent has
 * arrived, was dropped, or is on its way; in the end nothing is. */
START_TEST(whatever_happens_no_packet_is_lost_from_the_books)
{
    static const Change changes[] = {change_wires,  change_wires,     change_wires,
                                     change_joints, change_removals,  change_pods,
                                     change_faults, change_processes, change_loads};
    RandomStream random;
    random_stream_init(&random, 11, (uint32_t)_i, "packets", "chaos");
    calibration.choices[PARAMETER_VPP_POLLING] = _i % 2 == 0 ? POLLING_NEVER : POLLING_BY_VERSION;
    bench_teardown();
    bench_open();
    vpp_start(FIREWALL, 30 * MSEC);
    for (int i = 0; i < 400; i++) {
        changes[random_below(&random, G_N_ELEMENTS(changes))](&random);
        send_some(&random);
        run_for((nsec_t)random_below(&random, 30 * MSEC));
        if (i % 20 == 0) {
            check_conservation();
        }
    }
    run_for(60 * NSEC_PER_SEC);
    check_conservation();
    ck_assert_uint_eq(packet_flow_n_on_the_way(&flow.packets), 0);
    /* the case has met what it is about */
    ck_assert_uint_gt(flow.packets.n_arrived, 0);
    guint n_reasons = 0;
    for (int reason = 0; reason < N_DROP_REASONS; reason++) {
        n_reasons += n_drops((DropReason)reason, NULL, NULL) > 0 ? 1 : 0;
    }
    ck_assert_uint_ge(n_reasons, 4);
}
END_TEST

/* ---- suite ---- */

static TCase *
new_case(Suite *suite, const char *name)
{
    TCase *tcase = tcase_create(name);
    tcase_add_checked_fixture(tcase, bench_setup, bench_teardown);
    suite_add_tcase(suite, tcase);
    return tcase;
}

static void
add_ways(Suite *suite)
{
    TCase *tcase = new_case(suite, "ways");
    tcase_add_test(tcase, a_packet_goes_by_the_forwarder_and_each_place_takes_its_time);
    tcase_add_test(tcase, an_answer_goes_back_to_a_client_without_an_address);
    tcase_add_test(tcase, ports_count_what_goes_into_and_comes_out_of_their_wires);
    tcase_add_test(tcase, counts_stay_when_the_port_goes_and_comes_again);
    tcase_add_loop_test(tcase, a_packet_between_nodes_pays_for_the_tunnel_and_the_link, 0, 2);
    tcase_add_test(tcase, packets_to_another_node_follow_each_other_at_the_links_rate);
    tcase_add_test(tcase, a_link_keeps_the_order_of_packets_whatever_its_jitter);
    tcase_add_test(tcase, a_function_that_passes_on_costs_its_own_vpp);
    tcase_add_test(tcase, a_memif_end_is_served_by_the_pods_own_vpp);
    tcase_add_test(tcase, a_vfio_wire_costs_nothing);
    tcase_add_test(tcase, bytes_cost_what_the_calibration_says);
    tcase_add_test(tcase, the_cost_that_is_told_is_the_cost_that_is_paid);
    tcase_add_test(tcase, the_pod_network_is_a_bridge_or_an_overlay);
    tcase_add_test(tcase, the_pod_network_ends_with_its_link);
}

static void
add_drops(Suite *suite)
{
    TCase *tcase = new_case(suite, "drops");
    tcase_add_test(tcase, from_an_interface_that_is_not_there_nothing_is_sent);
    tcase_add_test(tcase, an_interface_without_a_wire_leads_nowhere);
    tcase_add_test(tcase, an_interface_without_a_cross_connect_ends_in_the_forwarder);
    tcase_add_test(tcase, a_tunnel_without_its_other_end_swallows_packets);
    tcase_add_test(tcase, an_end_without_an_address_does_not_take_packets);
    tcase_add_loop_test(tcase, what_is_at_a_pods_end_that_goes_is_lost_with_it, 0,
                        G_N_ELEMENTS(moments));
    tcase_add_test(tcase, what_is_in_the_ring_of_an_interface_that_goes_is_lost);
    tcase_add_test(tcase, what_is_on_the_link_to_an_interface_that_goes_is_lost);
    tcase_add_test(tcase, what_is_in_the_rings_of_a_vpp_that_ends_is_lost_and_the_next_begins_anew);
    tcase_add_test(tcase, a_ring_holds_so_many_packets_and_no_more);
    tcase_add_test(tcase, each_interface_has_a_ring_of_its_own);
    tcase_add_test(tcase, a_transmit_queue_holds_so_many_packets_and_no_more);
    tcase_add_test(tcase, a_link_that_is_cut_lets_nothing_through);
    tcase_add_test(tcase, a_link_that_loses_all_loses_all);
    tcase_add_test(tcase, nothing_reaches_a_node_that_is_down);
    tcase_add_test(tcase, a_loop_ends_at_the_hop_limit);
}

static void
add_firewalls(Suite *suite)
{
    TCase *tcase = new_case(suite, "firewalls");
    tcase_add_test(tcase, what_a_rule_permits_passes_both_ways);
    tcase_add_test(tcase, what_a_rule_forbids_is_dropped_in_its_name);
    tcase_add_test(tcase, what_no_rule_names_is_dropped_by_the_implicit_deny);
}

static void
add_faults(Suite *suite)
{
    TCase *tcase = new_case(suite, "faults");
    tcase_add_loop_test(tcase, a_delay_of_an_interface_is_added_each_way, 0, 2);
    tcase_add_test(tcase, jitter_stays_within_its_bounds_and_uses_them);
    tcase_add_test(tcase, a_slow_interface_sends_one_after_the_other);
    tcase_add_test(tcase, a_lossy_interface_loses_its_share);
    tcase_add_test(tcase, an_interface_that_is_cut_lets_nothing_out_or_in);
    tcase_add_test(tcase, a_delayed_packet_whose_interface_goes_meanwhile_is_lost);
}

static void
add_cpu(Suite *suite)
{
    TCase *tcase = new_case(suite, "cpu");
    tcase_add_loop_test(tcase, a_memif_makes_the_forwarder_poll_as_the_versions_say, 0, 4);
    tcase_add_test(tcase, what_finds_a_polling_forwarder_stopped_waits_for_the_next_period);
    tcase_add_test(tcase, behind_flows_that_fill_the_ring_a_packet_waits_for_all_of_it);
    tcase_add_test(tcase, flows_that_use_up_a_quota_make_packets_wait_for_the_next_period);
    tcase_add_test(tcase, flows_that_leave_something_burn_cpu_and_delay_nothing);
}

static void
add_way(Suite *suite)
{
    TCase *tcase = new_case(suite, "way");
    tcase_add_loop_test(tcase, tunnels_take_their_headers_from_the_mtu, 0, 3);
    tcase_add_test(tcase, addresses_are_those_of_both_ends);
    tcase_add_test(tcase, what_is_on_its_way_when_all_ends_is_forgotten);
}

static void
add_chaos(Suite *suite)
{
    TCase *tcase = new_case(suite, "chaos");
    tcase_add_loop_test(tcase, whatever_happens_no_packet_is_lost_from_the_books, 0, 20);
}

int
main(void)
{
    Suite *suite = suite_create("packets");
    add_ways(suite);
    add_drops(suite);
    add_firewalls(suite);
    add_faults(suite);
    add_cpu(suite);
    add_way(suite);
    add_chaos(suite);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
