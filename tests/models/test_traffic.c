/* Arrivals of the open executors (models/traffic.h). */
#include "models/traffic.h"

#include "base/random.h"
#include "tests/suite.h"

#include <math.h>

#define SECONDS(n) ((n)*NSEC_PER_SEC)

static Traffic
constant(double rate, nsec_t duration)
{
    return (Traffic){.executor = TRAFFIC_CONSTANT_ARRIVAL_RATE, .rate = rate, .duration = duration};
}

/* The stages stay the caller's. */
static Traffic
ramping(double rate, TrafficStage *stages, guint n)
{
    Traffic traffic = {
        .executor = TRAFFIC_RAMPING_ARRIVAL_RATE, .rate = rate, .stages = stages, .n_stages = n};
    for (guint i = 0; i < n; i++) {
        traffic.duration += stages[i].duration;
    }
    return traffic;
}

static uint64_t
count_arrivals(const Traffic *traffic, double phase, nsec_t limit)
{
    nsec_t last = 0;
    for (uint64_t k = 0;; k++) {
        nsec_t at = traffic_arrival(traffic, k, phase, limit);
        if (at == NSEC_NEVER) {
            return k;
        }
        ck_assert_int_ge(at, last);
        last = at;
    }
}

START_TEST(executors_have_names)
{
    ck_assert_str_eq(traffic_executor_name(TRAFFIC_CONSTANT_ARRIVAL_RATE), "constant-arrival-rate");
    ck_assert_str_eq(traffic_executor_name(TRAFFIC_RAMPING_ARRIVAL_RATE), "ramping-arrival-rate");
    ck_assert_str_eq(traffic_executor_name(TRAFFIC_CONSTANT_VUS), "constant-vus");
    ck_assert_str_eq(traffic_executor_name(TRAFFIC_IPERF), "iperf");
    ck_assert_str_eq(traffic_executor_name(TRAFFIC_VIDEO), "video");
}
END_TEST

START_TEST(a_constant_rate_is_evenly_spaced_from_its_phase_on)
{
    Traffic traffic = constant(4, SECONDS(10));
    ck_assert_int_eq(traffic_arrival(&traffic, 0, 0, 0), 0);
    ck_assert_int_eq(traffic_arrival(&traffic, 0, 0.5, 0), 125 * NSEC_PER_MSEC);
    ck_assert_int_eq(traffic_arrival(&traffic, 6, 0.5, 0), 1625 * NSEC_PER_MSEC);
    ck_assert_uint_eq(count_arrivals(&traffic, 0, 0), 40);
    ck_assert_uint_eq(count_arrivals(&traffic, 0.99, SECONDS(1)), 40);
    ck_assert_double_eq(traffic_rate_at(&traffic, 0), 4);
    ck_assert_double_eq(traffic_rate_at(&traffic, SECONDS(10) - 1), 4);
    ck_assert_double_eq(traffic_rate_at(&traffic, SECONDS(10)), 0);
    ck_assert_double_eq(traffic_rate_at(&traffic, -1), 0);
    ck_assert_double_eq(traffic_iterations(&traffic, SECONDS(5)), 20);
    ck_assert_double_eq(traffic_iterations(&traffic, SECONDS(50)), 40);
}
END_TEST

START_TEST(without_a_duration_the_limit_ends_a_constant_rate)
{
    Traffic traffic = constant(10, 0);
    ck_assert_uint_eq(count_arrivals(&traffic, 0, SECONDS(3)), 30);
    ck_assert_int_eq(traffic_arrival(&traffic, 1000000000, 0, NSEC_NEVER), SECONDS(100000000));
    ck_assert_double_eq(traffic_rate_at(&traffic, SECONDS(1000000)), 10);
    ck_assert_double_eq(traffic_iterations(&traffic, SECONDS(1000)), 10000);
}
END_TEST

START_TEST(a_ramp_from_zero_makes_half_the_iterations)
{
    TrafficStage stages[] = {{SECONDS(300), 20.0 / 60}};
    Traffic traffic = ramping(0, stages, 1);
    ck_assert_uint_eq(count_arrivals(&traffic, 0, 0), 50);
    /* the integral is r t^2 / (2 T): the first whole one after sqrt(2 T / r) */
    ck_assert_double_eq_tol(nsec_to_seconds(traffic_arrival(&traffic, 1, 0, 0)), sqrt(1800), 1e-9);
    ck_assert_int_eq(traffic_arrival(&traffic, 0, 0, 0), 0);
    ck_assert_double_eq_tol(traffic_rate_at(&traffic, SECONDS(150)), 1.0 / 6, 1e-12);
    ck_assert_double_eq(traffic_rate_at(&traffic, SECONDS(300)), 0);
    ck_assert_double_eq_tol(traffic_iterations(&traffic, SECONDS(150)), 12.5, 1e-12);
}
END_TEST

START_TEST(a_ramp_down_to_zero_ends)
{
    TrafficStage stages[] = {{SECONDS(10), 0}};
    Traffic traffic = ramping(10, stages, 1);
    ck_assert_uint_eq(count_arrivals(&traffic, 0, 0), 50);
    ck_assert_uint_eq(count_arrivals(&traffic, 0.5, 0), 50);
    ck_assert_int_le(traffic_arrival(&traffic, 49, 0.999, 0), SECONDS(10));
}
END_TEST

START_TEST(a_plateau_at_zero_has_no_arrivals_and_then_it_goes_on)
{
    TrafficStage stages[] = {
        {SECONDS(10), 2}, {SECONDS(1), 0}, {SECONDS(100), 0}, {SECONDS(4), 8}, {SECONDS(5), 8}};
    Traffic traffic = ramping(2, stages, G_N_ELEMENTS(stages)); /* 20 + 1 + 0 + 16 + 40 */
    uint64_t n = count_arrivals(&traffic, 0, 0);
    ck_assert_uint_eq(n, 77);
    for (uint64_t k = 0; k < n; k++) {
        nsec_t at = traffic_arrival(&traffic, k, 0, 0);
        ck_assert(at < SECONDS(11) || at >= SECONDS(111));
    }
    ck_assert_int_eq(traffic_arrival(&traffic, 20, 0, 0), SECONDS(10));
    ck_assert_int_eq(traffic_arrival(&traffic, 21, 0, 0), SECONDS(111)); /* not at its beginning */
    ck_assert_int_eq(traffic_arrival(&traffic, 22, 0, 0), SECONDS(112)); /* t^2 = 1 */
    ck_assert_int_eq(traffic_arrival(&traffic, 37, 0, 0), SECONDS(115));
    ck_assert_int_eq(traffic_arrival(&traffic, 38, 0, 0), SECONDS(115) + SECONDS(1) / 8);
    ck_assert_double_eq(traffic_rate_at(&traffic, SECONDS(50)), 0);
    ck_assert_double_eq(traffic_rate_at(&traffic, SECONDS(113)), 4);
    ck_assert_double_eq(traffic_iterations(&traffic, SECONDS(111)), 21);
}
END_TEST

START_TEST(nothing_begins_while_the_first_stage_is_at_zero)
{
    TrafficStage stages[] = {{SECONDS(30), 0}, {SECONDS(10), 1}};
    Traffic traffic = ramping(0, stages, 2);
    ck_assert_int_eq(traffic_arrival(&traffic, 0, 0, 0), SECONDS(30));
    ck_assert_uint_eq(count_arrivals(&traffic, 0, 0), 5);
}
END_TEST

/* The integral of the rate, by the midpoint rule on a grid that meets the stages' ends. */
static double
integrate(const Traffic *traffic, nsec_t until)
{
    double sum = 0;
    for (nsec_t t = 0; t < until; t += NSEC_PER_SEC / 100) {
        nsec_t end = MIN(t + NSEC_PER_SEC / 100, until);
        nsec_t middle = t + (end - t) / 2;
        sum += traffic_rate_at(traffic, middle) * nsec_to_seconds(end - t);
    }
    return sum;
}

START_TEST(arrivals_are_where_the_integral_reaches_them)
{
    RandomStream stream;
    random_stream_init(&stream, 7, 0, "test", "traffic");
    for (int round = 0; round < 50; round++) {
        TrafficStage stages[6];
        for (guint i = 0; i < G_N_ELEMENTS(stages); i++) {
            stages[i].duration = SECONDS(1 + (int64_t)(random_uniform(&stream) * 20));
            double target = random_uniform(&stream);
            stages[i].target = target < 0.3 ? 0 : target * 40;
        }
        Traffic traffic = ramping(round % 2 == 0 ? 0 : 5, stages, G_N_ELEMENTS(stages));
        double phase = random_uniform(&stream);
        double total = traffic_iterations(&traffic, NSEC_NEVER);
        ck_assert_double_eq_tol(total, integrate(&traffic, traffic.duration), 1e-6);
        uint64_t n = count_arrivals(&traffic, phase, 0);
        ck_assert_uint_eq(n, total > phase ? (uint64_t)ceil(total - phase) : 0);
        for (uint64_t k = 0; k < n; k += 7) {
            nsec_t at = traffic_arrival(&traffic, k, phase, 0);
            ck_assert_double_eq_tol(traffic_iterations(&traffic, at), (double)k + phase, 1e-6);
            ck_assert_double_eq_tol(integrate(&traffic, at), (double)k + phase, 1e-6);
        }
    }
}
END_TEST

START_TEST(millions_of_arrivals_keep_their_distance)
{
    TrafficStage stages[] = {{SECONDS(1000), 1e6}, {SECONDS(1000), 1e6}};
    Traffic traffic = ramping(1e6, stages, 2);
    for (uint64_t k = 999999990; k < 1000000010; k++) {
        nsec_t at = traffic_arrival(&traffic, k, 0, 0);
        nsec_t next = traffic_arrival(&traffic, k + 1, 0, 0);
        ck_assert_int_ge(next - at, 998);
        ck_assert_int_le(next - at, 1002);
    }
}
END_TEST

START_TEST(clearing_gives_everything_back)
{
    Traffic traffic = {.name = g_strdup("film"),
                       .from = g_strdup("pod/a"),
                       .to = g_strdup("pod/b"),
                       .interface = g_strdup("nsm-1"),
                       .stages = g_new0(TrafficStage, 2),
                       .video = g_new0(TrafficVideo, 1),
                       .mark = {.file = g_ref_string_new("s.yaml")}};
    traffic.video->renditions = g_new0(VideoRendition, 1);
    traffic.video->renditions[0].name = g_strdup("426x240");
    traffic.video->n_renditions = 1;
    traffic_clear(&traffic);
    ck_assert_ptr_null(traffic.name);
    ck_assert_ptr_null(traffic.video);
    traffic_clear(&traffic);
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {
        executors_have_names,
        a_constant_rate_is_evenly_spaced_from_its_phase_on,
        without_a_duration_the_limit_ends_a_constant_rate,
        a_ramp_from_zero_makes_half_the_iterations,
        a_ramp_down_to_zero_ends,
        a_plateau_at_zero_has_no_arrivals_and_then_it_goes_on,
        nothing_begins_while_the_first_stage_is_at_zero,
        arrivals_are_where_the_integral_reaches_them,
        millions_of_arrivals_keep_their_distance,
        clearing_gives_everything_back,
    };
    return suite_run("traffic", tests, G_N_ELEMENTS(tests), NULL, NULL);
}
