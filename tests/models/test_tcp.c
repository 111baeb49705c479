/* TCP and IP as formulas (models/tcp.h), against numbers worked out by hand. */
#include "models/tcp.h"

#include "tests/suite.h"

#include <math.h>

#define MS NSEC_PER_MSEC
#define US NSEC_PER_USEC
#define MSS 1460
#define MBIT INT64_C(1000000)

/* 100 Mb/s of Ethernet and 10 ms: a full segment is 1538 bytes, that is 123.04 us; the first
 * acknowledgement of a round comes 10.12304 ms after it began; 83 segments fill the pipe. */
static const TcpPath lan = {
    .mss = MSS,
    .overhead = IPV4_HEADER + TCP_HEADER + ETHERNET_FRAMING,
    .rtt = 10 * MS,
    .rate = 100 * MBIT,
};

static void
assert_close(double value, double expected)
{
    ck_assert_double_eq_tol(value, expected, 1e-9 * fabs(expected));
}

START_TEST(the_mss_is_the_mtu_less_two_headers)
{
    ck_assert_int_eq(tcp_mss(1500), 1460);
    ck_assert_int_eq(tcp_mss(1500 - NSM_VXLAN_MTU_OVERHEAD), 1406);
    ck_assert_int_eq(tcp_mss(1500 - NSM_WIREGUARD_MTU_OVERHEAD), 1400);
    ck_assert_int_eq(tcp_mss(9000), 8960);
}
END_TEST

START_TEST(the_last_segment_may_be_short)
{
    ck_assert_int_eq(tcp_segments(0, MSS), 0);
    ck_assert_int_eq(tcp_segments(1, MSS), 1);
    ck_assert_int_eq(tcp_segments(1460, MSS), 1);
    ck_assert_int_eq(tcp_segments(1461, MSS), 2);
    ck_assert_int_eq(tcp_segments(INT64_C(1000000000), MSS), 684932);
}
END_TEST

START_TEST(each_segment_costs_its_headers)
{
    ck_assert_int_eq(tcp_wire_bytes(0, MSS, 78), 0);
    ck_assert_int_eq(tcp_wire_bytes(1460, MSS, 78), 1538);
    ck_assert_int_eq(tcp_wire_bytes(1461, MSS, 78), 1461 + 2 * 78);
    /* a chain by VXLAN: 50 bytes more for each */
    ck_assert_int_eq(tcp_wire_bytes(14060, 1406, 78 + VXLAN_OVERHEAD), 14060 + 10 * 128);
}
END_TEST

static void
assert_fragments(int64_t payload, int64_t mtu, guint n, const int64_t *expected)
{
    int64_t sizes[8] = {0};
    ck_assert_uint_eq(ip_fragments(payload, mtu, G_N_ELEMENTS(sizes), sizes), n);
    for (guint i = 0; i < n; i++) {
        ck_assert_int_eq(sizes[i], expected[i]);
    }
}

START_TEST(what_fits_is_not_fragmented)
{
    assert_fragments(0, 1500, 1, (int64_t[]){20});
    assert_fragments(ICMP_HEADER + 56, 1500, 1, (int64_t[]){84});
    assert_fragments(1480, 1500, 1, (int64_t[]){1500});
}
END_TEST

START_TEST(each_fragment_has_its_own_header)
{
    assert_fragments(1481, 1500, 2, (int64_t[]){1500, 21});
    assert_fragments(ICMP_HEADER + 5600, 1500, 4, (int64_t[]){1500, 1500, 1500, 1188});
    assert_fragments(100, IPV4_MIN_MTU, 3, (int64_t[]){68, 68, 24});
}
END_TEST

START_TEST(all_fragments_but_the_last_carry_a_multiple_of_8)
{
    /* 1426 bytes of room: 1424 in all but the last, which may use them all */
    assert_fragments(2850, 1446, 2, (int64_t[]){1444, 1446});
    assert_fragments(2851, 1446, 3, (int64_t[]){1444, 1444, 23});
}
END_TEST

START_TEST(fragments_are_counted_beyond_the_sizes_asked_for)
{
    int64_t sizes[] = {0, 0};
    ck_assert_uint_eq(ip_fragments(5608, 1500, 1, sizes), 4);
    ck_assert_int_eq(sizes[0], 1500);
    ck_assert_int_eq(sizes[1], 0);
    ck_assert_uint_eq(ip_fragments(65515, 1500, 0, NULL), 45);
}
END_TEST

START_TEST(a_time_out_is_200_ms_above_the_round_trip)
{
    ck_assert_int_eq(tcp_rto(0), 200 * MS);
    ck_assert_int_eq(tcp_rto(300 * US), 200 * MS + 300 * US);
}
END_TEST

START_TEST(the_window_begins_at_10_and_doubles)
{
    ck_assert_int_eq(tcp_window_after(0), 10);
    ck_assert_int_eq(tcp_window_after(1), 20);
    ck_assert_int_eq(tcp_window_after(5), 320);
    ck_assert_int_eq(tcp_window_after(59), 10 * (INT64_C(1) << 59));
    ck_assert_int_eq(tcp_window_after(60), INT64_MAX);
    ck_assert_int_eq(tcp_window_after(G_MAXUINT), INT64_MAX);
}
END_TEST

START_TEST(nothing_is_sent_before_the_handshake)
{
    ck_assert_int_eq(tcp_transfer_time(&lan, 0), 15 * MS);
    ck_assert_int_eq(tcp_transfer_time(&lan, 1460), 15 * MS + 123040);
    /* 1 byte: 79 on the wire, 6.32 us */
    ck_assert_int_eq(tcp_transfer_time(&lan, 1), 15 * MS + 6320);
}
END_TEST

START_TEST(ten_segments_go_at_once_and_the_eleventh_waits)
{
    ck_assert_int_eq(tcp_transfer_time(&lan, 10 * MSS), 16230400);
    /* 15 + 10.12304 - 1.2304 + 11 * 0.12304 ms */
    ck_assert_int_eq(tcp_transfer_time(&lan, 11 * MSS), 25246080);
}
END_TEST

START_TEST(once_the_window_fills_the_pipe_the_rest_goes_at_its_rate)
{
    /* waits after 10, 20, 40, 80 segments: 8.89264 + 7.66224 + 5.20144 + 0.27984 = 22.03616 ms */
    nsec_t begun = 15 * MS + 22036160;
    ck_assert_int_eq(tcp_transfer_time(&lan, 1000 * MSS), begun + 1000 * 123040);
    ck_assert_int_eq(tcp_transfer_time(&lan, INT64_C(1000000) * MSS),
                     begun + INT64_C(1000000) * 123040);
}
END_TEST

START_TEST(small_buffers_make_every_round_wait)
{
    TcpPath path = lan;
    path.window = 20 * MSS;
    /* rounds of 10, 20, 20, 20, 20 segments and one of 10: 8.89264 + 4 * 7.66224 ms */
    ck_assert_int_eq(tcp_transfer_time(&path, 100 * MSS), 15 * MS + 39541600 + 100 * 123040);
    path.window = 1; /* no less than one segment: stop and wait */
    ck_assert_int_eq(tcp_transfer_time(&path, 3 * MSS), 15 * MS + 2 * 10 * MS + 3 * 123040);
}
END_TEST

START_TEST(buffers_as_large_as_the_pipe_do_not_matter)
{
    TcpPath path = lan;
    path.window = 83 * MSS;
    ck_assert_int_eq(tcp_transfer_time(&path, 5000 * MSS), tcp_transfer_time(&lan, 5000 * MSS));
    path.window = 82 * MSS;
    ck_assert_int_gt(tcp_transfer_time(&path, 5000 * MSS), tcp_transfer_time(&lan, 5000 * MSS));
}
END_TEST

/* [CSA00] (15) without loss and limit: RTT * log_gamma(segments * (gamma - 1) / w1 + 1), counted
 * until the last acknowledgement; the last byte is there half a round trip earlier. */
START_TEST(without_a_bottleneck_rounds_are_those_of_the_closed_form)
{
    TcpPath path = {.mss = MSS, .rtt = 10 * MS};
    for (int k = 1; k <= 20; k++) {
        int64_t segments = 10 * ((INT64_C(1) << k) - 1);
        nsec_t slow_start = llround(10e6 * log2((double)segments / 10 + 1));
        ck_assert_int_eq(tcp_transfer_time(&path, segments * MSS), 10 * MS + slow_start - 5 * MS);
        ck_assert_int_eq(tcp_transfer_time(&path, segments * MSS + 1),
                         10 * MS + slow_start + 5 * MS);
    }
}
END_TEST

START_TEST(a_transfer_that_takes_ages_takes_for_ever)
{
    TcpPath path = lan;
    path.rate = 1;
    ck_assert_int_eq(tcp_transfer_time(&path, INT64_C(1) << 50), NSEC_NEVER);
}
END_TEST

START_TEST(without_timeouts_the_rate_is_that_of_mathis)
{
    /* 11680 bits / 0.1 s * sqrt(0.75 / 0.0003) = 116800 * 50 */
    assert_close(tcp_mathis_rate(MSS, 100 * MS, 0.0003), 5840000);
    ck_assert(isinf(tcp_mathis_rate(MSS, 100 * MS, 0)));
}
END_TEST

START_TEST(without_loss_the_window_limits)
{
    /* 64 KiB a millisecond */
    assert_close(tcp_loss_rate_limit(MSS, 1 * MS, 0, 201 * MS, 65536), 524288000);
    ck_assert(isinf(tcp_loss_rate_limit(MSS, 1 * MS, 0, 201 * MS, 0)));
}
END_TEST

START_TEST(what_loses_everything_sends_nothing)
{
    ck_assert(tcp_loss_rate_limit(MSS, 1 * MS, 1, 201 * MS, 0) == 0);
}
END_TEST

/* W = 2/3 (1 + sqrt(3 + 1)) = 2, so every loss is a time-out; the back-off is 1 + 6/2 = 4.  Five
 * segments (1 + 2 + 1 / 0.5) go in 3 * 0.1 + 4 * 0.3 / 0.5 = 2.7 s. */
START_TEST(at_a_loss_of_a_half_time_outs_rule)
{
    assert_close(tcp_loss_rate_limit(MSS, 100 * MS, 0.5, 300 * MS, 0), 5 / 2.7 * 11680);
}
END_TEST

/* W = 2/3 (1 + sqrt(298)) = 12.175118; Q = 0.029701 (1 + 0.970299 * 0.088104) / 0.115163 =
 * 0.279922; 99 + 12.175118 + 0.282749 segments in 1.317512 + 0.282749 * 1.010204 * 0.3 s. */
START_TEST(at_one_percent_a_window_is_lost_now_and_then_to_a_time_out)
{
    assert_close(tcp_loss_rate_limit(MSS, 100 * MS, 0.01, 300 * MS, 0), 927755.1219967102);
}
END_TEST

/* Ten segments of window: 99 + 10 + Q / 0.99 segments in 0.1 (2.5 + 9.9 + 2) + ... s. */
START_TEST(a_small_window_limits_what_losses_leave)
{
    assert_close(tcp_loss_rate_limit(MSS, 100 * MS, 0.01, 300 * MS, 10 * MSS), 828508.2186118913);
    /* one larger than the 12.2 segments that losses allow makes no difference */
    assert_close(tcp_loss_rate_limit(MSS, 100 * MS, 0.01, 300 * MS, 13 * MSS), 927755.1219967102);
}
END_TEST

START_TEST(the_rarer_the_loss_the_nearer_are_both_formulas)
{
    double far = 1;
    for (double loss = 1e-3; loss > 1e-10; loss /= 10) {
        double ratio = tcp_loss_rate_limit(MSS, 100 * MS, loss, 300 * MS, 0) /
                       tcp_mathis_rate(MSS, 100 * MS, loss);
        ck_assert_double_lt(ratio, 1);
        ck_assert_double_lt(1 - ratio, far);
        far = 1 - ratio;
    }
    ck_assert_double_lt(far, 1e-4);
}
END_TEST

START_TEST(a_limited_flow_reaches_its_window_when_losses_vanish)
{
    double limit = tcp_loss_rate_limit(MSS, 1 * MS, 0, 201 * MS, 64 * MSS);
    double rare = tcp_loss_rate_limit(MSS, 1 * MS, 1e-12, 201 * MS, 64 * MSS);
    ck_assert_double_lt(rare, limit);
    ck_assert_double_gt(rare, 0.999999 * limit);
}
END_TEST

START_TEST(more_loss_or_a_longer_way_is_never_faster)
{
    double last = INFINITY;
    for (double loss = 0; loss <= 1; loss += 1.0 / 64) {
        double near = tcp_loss_rate_limit(MSS, 1 * MS, loss, 201 * MS, 65536);
        double far = tcp_loss_rate_limit(MSS, 20 * MS, loss, 220 * MS, 65536);
        ck_assert_double_lt(near, last);
        ck_assert(far < near || loss == 1);
        last = near;
    }
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {
        the_mss_is_the_mtu_less_two_headers,
        the_last_segment_may_be_short,
        each_segment_costs_its_headers,
        what_fits_is_not_fragmented,
        each_fragment_has_its_own_header,
        all_fragments_but_the_last_carry_a_multiple_of_8,
        fragments_are_counted_beyond_the_sizes_asked_for,
        a_time_out_is_200_ms_above_the_round_trip,
        the_window_begins_at_10_and_doubles,
        nothing_is_sent_before_the_handshake,
        ten_segments_go_at_once_and_the_eleventh_waits,
        once_the_window_fills_the_pipe_the_rest_goes_at_its_rate,
        small_buffers_make_every_round_wait,
        buffers_as_large_as_the_pipe_do_not_matter,
        without_a_bottleneck_rounds_are_those_of_the_closed_form,
        a_transfer_that_takes_ages_takes_for_ever,
        without_timeouts_the_rate_is_that_of_mathis,
        without_loss_the_window_limits,
        what_loses_everything_sends_nothing,
        at_a_loss_of_a_half_time_outs_rule,
        at_one_percent_a_window_is_lost_now_and_then_to_a_time_out,
        a_small_window_limits_what_losses_leave,
        the_rarer_the_loss_the_nearer_are_both_formulas,
        a_limited_flow_reaches_its_window_when_losses_vanish,
        more_loss_or_a_longer_way_is_never_faster,
    };
    return suite_run("tcp", tests, G_N_ELEMENTS(tests), NULL, NULL);
}
