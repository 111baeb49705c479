/* Echoes along paths (sim/echo.c), the ends of Pods (sim/dataplane.c), and what faults do to
 * processes and nodes (sim/faults.c).
 *
 * Two Pods are joined by a direct wire: client ns/c/nsm-1, server ns/s/if, which has an address.  A
 * hop takes 50 us, so a round trip takes 100 us. */
#include "sim/dataplane.h"
#include "tests/suite.h"

#include <math.h>

#define MS NSEC_PER_MSEC
#define RTT (100 * (nsec_t)1000)
#define CLIENT "ns/c/nsm-1"
#define SERVER "ns/s/if"
#define FORWARDER "nsm/fwd"
#define PERIOD (750 * MS + RTT) /* of checks that succeed: four echoes 250 ms apart */

static Engine *engine;
static Calibration calibration;
static DataPlane *plane;
static uint64_t last_token;
static uint64_t done_token; /* of the last answer; 0: none yet */
static nsec_t done_at;
static bool done_well;
static guint n_done;

static void
on_done(void *data, uint64_t token, const char *error)
{
    done_token = token;
    done_at = engine_now(engine);
    done_well = error == NULL;
    n_done++;
}

static uint64_t
perform(DataPlaneOp op)
{
    op.token = ++last_token;
    GError *error = NULL;
    ck_assert(plane->class->perform(plane, &op, &error));
    ck_assert_ptr_null(error);
    return op.token;
}

static void
run_until(nsec_t until)
{
    engine_run_until(engine, until);
}

static uint64_t
join(void)
{
    return perform((DataPlaneOp){.kind = DATAPLANE_CREATE_DIRECT,
                                 .wire = WIRE_MEMIF,
                                 .owner = FORWARDER,
                                 .node = "a",
                                 .pod = "ns/c",
                                 .pod_port = CLIENT,
                                 .peer = SERVER,
                                 .peer_ip = "172.16.1.1"});
}

static void
setup(void)
{
    engine = engine_new();
    calibration = (Calibration){0};
    calibration.parameters[PARAMETER_VPP_INTERFACE] = dist_constant(0.06);
    calibration.parameters[PARAMETER_VPP_XCONNECT] = dist_constant(0.005);
    calibration.parameters[PARAMETER_LATENCY_LOCAL] = dist_constant(50e-6);
    plane = sim_dataplane_new(engine, &calibration, 1, 0, on_done, NULL);
    join();
    run_until(NSEC_PER_SEC);
    ck_assert(done_well);
    done_token = n_done = 0;
}

static void
teardown(void)
{
    plane->class->free(plane);
    engine_free(engine);
}

static uint64_t
check(bool repeat)
{
    return perform((DataPlaneOp){
        .kind = DATAPLANE_CHECK,
        .pod_port = CLIENT,
        .check = {.interval = 200 * MS, .timeout = NSEC_PER_SEC, .packets = 4, .repeat = repeat}});
}

static void
impair(Impairment impairment)
{
    ck_assert(sim_dataplane_impair(plane, CLIENT, &impairment));
}

static const Impairment cut = {.cut = true}, none = {0};

static bool
always(void *data, const char *owner, bool in_pod)
{
    return true;
}

static void
is_consistent(void)
{
    GError *error = NULL;
    ck_assert_msg(sim_dataplane_check(plane, always, NULL, &error), "%s",
                  error != NULL ? error->message : "");
    DataPlaneCounts counts = sim_dataplane_counts(plane);
    ck_assert_uint_eq(counts.n_accepted, counts.n_answered + counts.n_cancelled + counts.n_pending);
}

/* ---- detection ---- */

/* From the failure until a repeated check that began at `begun` tells, when the path goes down
 * `into` a check. */
static nsec_t
detection(nsec_t into)
{
    nsec_t begun = engine_now(engine), down = begun + 13 * PERIOD + into;
    uint64_t token = check(true);
    run_until(down);
    ck_assert_uint_eq(n_done, 0);
    impair(cut);
    run_until(down + 10 * NSEC_PER_SEC);
    ck_assert_uint_eq(n_done, 1);
    ck_assert_uint_eq(done_token, token);
    ck_assert(!done_well);
    impair(none);
    n_done = 0;
    return done_at - down;
}

/* FACTS 2.3: the rest of the present check, then one that fails after 1 s. */
START_TEST(a_failure_is_detected_after_1_25_to_2_seconds)
{
    enum { N = 400 };
    double sum = 0;
    for (guint i = 0; i < N; i++) {
        nsec_t took = detection((nsec_t)((i + 0.5) / N * (double)PERIOD));
        ck_assert_int_le(took, 2000 * MS);
        ck_assert_int_ge(took, 1250 * MS - RTT);
        sum += nsec_to_seconds(took);
        is_consistent();
    }
    ck_assert_double_le(fabs(sum / N - 1.625), 0.005);
}
END_TEST

START_TEST(a_failure_before_the_first_answer_of_a_check_fails_this_check)
{
    ck_assert_int_eq(detection(RTT / 2), NSEC_PER_SEC - RTT / 2);
    ck_assert_int_eq(detection(2 * RTT), 2 * NSEC_PER_SEC - 2 * RTT);
}
END_TEST

START_TEST(a_path_that_is_removed_is_a_failure_too)
{
    check(true);
    run_until(5 * NSEC_PER_SEC);
    perform((DataPlaneOp){.kind = DATAPLANE_REMOVE, .owner = "ns/s", .node = "a", .port = SERVER});
    run_until(20 * NSEC_PER_SEC);
    ck_assert_uint_eq(n_done, 2); /* the removal, the check */
    ck_assert(!done_well);
    nsec_t took = done_at - 5060 * MS;
    ck_assert_int_ge(took, 1250 * MS - RTT);
    ck_assert_int_le(took, 2000 * MS);
    is_consistent();
}
END_TEST

/* Down 300 ms into a check, which has had an answer; the next one sends its last echo at 1.75 s. */
START_TEST(a_path_that_comes_back_in_time_is_not_noticed)
{
    nsec_t begun = engine_now(engine) + 4 * PERIOD;
    check(true);
    run_until(begun + 300 * MS);
    impair(cut);
    run_until(begun + 1740 * MS);
    impair(none);
    run_until(60 * NSEC_PER_SEC);
    ck_assert_uint_eq(n_done, 0);
    ck_assert_uint_eq(sim_dataplane_counts(plane).n_pending, 1);
}
END_TEST

START_TEST(a_path_that_comes_back_after_the_last_echo_comes_too_late)
{
    nsec_t begun = engine_now(engine) + 4 * PERIOD;
    check(true);
    run_until(begun + 300 * MS);
    impair(cut);
    run_until(begun + 1760 * MS);
    impair(none);
    run_until(60 * NSEC_PER_SEC);
    ck_assert_uint_eq(n_done, 1);
    ck_assert_int_eq(done_at, begun + 2000 * MS);
}
END_TEST

START_TEST(short_cuts_one_after_the_other_are_survived)
{
    check(true);
    for (guint i = 0; i < 300; i++) {
        run_until(engine_now(engine) + 613 * MS);
        impair(cut);
        is_consistent();
        run_until(engine_now(engine) + 200 * MS);
        impair(none);
        is_consistent();
    }
    ck_assert_uint_eq(n_done, 0);
}
END_TEST

/* ---- delay, loss, jitter ---- */

START_TEST(a_round_trip_below_the_timeout_is_alive_and_above_it_is_dead)
{
    check(true);
    run_until(3 * NSEC_PER_SEC);
    impair((Impairment){.latency = 450 * MS});
    run_until(60 * NSEC_PER_SEC);
    ck_assert_uint_eq(n_done, 0);
    impair((Impairment){.latency = 550 * MS});
    run_until(70 * NSEC_PER_SEC);
    ck_assert_uint_eq(n_done, 1);
    ck_assert_int_le(done_at, 62 * NSEC_PER_SEC + RTT);
}
END_TEST

START_TEST(jitter_within_the_timeout_kills_nothing)
{
    impair((Impairment){.latency = 100 * MS, .jitter = 50 * MS});
    check(true);
    run_until(600 * NSEC_PER_SEC);
    ck_assert_uint_eq(n_done, 0);
}
END_TEST

START_TEST(total_loss_is_death)
{
    check(true);
    run_until(5 * NSEC_PER_SEC);
    impair((Impairment){.loss = 1});
    run_until(10 * NSEC_PER_SEC);
    ck_assert_uint_eq(n_done, 1);
    ck_assert(!done_well);
}
END_TEST

/* An echo comes back with probability 1/4; all four are lost with (3/4)^4. */
START_TEST(a_check_fails_when_all_its_echoes_are_lost)
{
    enum { N = 4000 };
    impair((Impairment){.loss = 0.5});
    guint n_failed = 0;
    for (guint i = 0; i < N; i++) {
        check(false);
        run_until(engine_now(engine) + 2 * NSEC_PER_SEC);
        n_failed += !done_well;
    }
    ck_assert_uint_eq(n_done, N);
    double expected = pow(0.75, 4);
    double deviation = sqrt(expected * (1 - expected) / N);
    ck_assert_double_le(fabs((double)n_failed / N - expected), 4 * deviation);
}
END_TEST

/* ---- single checks ---- */

START_TEST(a_single_check_ends_with_its_last_answer)
{
    nsec_t begun = engine_now(engine);
    check(false);
    run_until(begun + 5 * NSEC_PER_SEC);
    ck_assert_uint_eq(n_done, 1);
    ck_assert(done_well);
    ck_assert_int_eq(done_at, begun + PERIOD);
}
END_TEST

START_TEST(a_single_check_of_a_dead_path_fails_after_its_timeout)
{
    impair(cut);
    nsec_t begun = engine_now(engine);
    check(false);
    run_until(begun + 5 * NSEC_PER_SEC);
    ck_assert_uint_eq(n_done, 1);
    ck_assert(!done_well);
    ck_assert_int_eq(done_at, begun + NSEC_PER_SEC);
}
END_TEST

START_TEST(a_single_check_of_a_path_that_comes_back_succeeds)
{
    impair(cut);
    nsec_t begun = engine_now(engine);
    check(false);
    run_until(begun + 600 * MS);
    impair(none);
    run_until(begun + 5 * NSEC_PER_SEC);
    ck_assert(done_well);
    ck_assert_int_eq(done_at, begun + NSEC_PER_SEC); /* the lost ones are waited for */
}
END_TEST

START_TEST(a_check_without_an_interface_fails)
{
    perform((DataPlaneOp){.kind = DATAPLANE_CHECK,
                          .pod_port = "ns/nobody/nsm-1",
                          .check = {.timeout = NSEC_PER_SEC, .packets = 4}});
    run_until(10 * NSEC_PER_SEC);
    ck_assert_uint_eq(n_done, 1);
    ck_assert(!done_well);
    is_consistent();
}
END_TEST

START_TEST(a_cancelled_check_is_not_answered)
{
    for (int repeat = 0; repeat < 2; repeat++) {
        uint64_t token = check(repeat != 0);
        run_until(engine_now(engine) + 300 * MS);
        sim_dataplane_cancel(plane, token);
        sim_dataplane_cancel(plane, token); /* nothing to cancel any more */
        impair(cut);
        run_until(engine_now(engine) + 10 * NSEC_PER_SEC);
        impair(none);
        ck_assert_uint_eq(n_done, 0);
    }
    ck_assert_uint_eq(sim_dataplane_counts(plane).n_cancelled, 2);
    is_consistent();
}
END_TEST

START_TEST(checks_of_one_path_are_answered_each)
{
    check(true);
    run_until(engine_now(engine) + 333 * MS);
    check(true);
    run_until(10 * NSEC_PER_SEC);
    impair(cut);
    run_until(20 * NSEC_PER_SEC);
    ck_assert_uint_eq(n_done, 2);
    is_consistent();
}
END_TEST

/* ---- Pods that end ---- */

static uint64_t
watch_client(void)
{
    return perform((DataPlaneOp){.kind = DATAPLANE_WATCH, .pod = "ns/c"});
}

START_TEST(a_watch_is_answered_when_the_pod_is_gone)
{
    uint64_t token = watch_client();
    run_until(10 * NSEC_PER_SEC);
    ck_assert_uint_eq(n_done, 0);
    sim_dataplane_remove_pod(plane, "ns/s");
    run_until(20 * NSEC_PER_SEC);
    ck_assert_uint_eq(n_done, 0);
    sim_dataplane_remove_pod(plane, "ns/c");
    ck_assert_uint_eq(n_done, 0); /* as an event of its own */
    run_until(20 * NSEC_PER_SEC);
    ck_assert_uint_eq(done_token, token);
    ck_assert_int_eq(done_at, 20 * NSEC_PER_SEC);
    is_consistent();
}
END_TEST

START_TEST(a_watch_of_a_pod_that_is_gone_is_answered_at_once)
{
    sim_dataplane_remove_pod(plane, "ns/c");
    uint64_t token = watch_client();
    run_until(engine_now(engine));
    ck_assert_uint_eq(done_token, token);
}
END_TEST

START_TEST(a_cancelled_watch_is_not_answered_even_at_the_last_moment)
{
    uint64_t first = watch_client(), second = watch_client();
    sim_dataplane_cancel(plane, first);
    sim_dataplane_remove_pod(plane, "ns/c");
    sim_dataplane_cancel(plane, second);
    run_until(20 * NSEC_PER_SEC);
    ck_assert_uint_eq(n_done, 0);
    is_consistent();
}
END_TEST

START_TEST(nothing_is_created_in_a_pod_that_is_gone)
{
    sim_dataplane_remove_pod(plane, "ns/c");
    join();
    run_until(10 * NSEC_PER_SEC);
    ck_assert(!done_well);
    perform((DataPlaneOp){.kind = DATAPLANE_CREATE_INTERFACE,
                          .owner = FORWARDER,
                          .node = "a",
                          .port = "fwd/1",
                          .pod = "ns/c",
                          .pod_port = CLIENT});
    run_until(20 * NSEC_PER_SEC);
    ck_assert(!done_well);
    sim_dataplane_add_pod(plane, "ns/c");
    join();
    run_until(30 * NSEC_PER_SEC);
    ck_assert(done_well);
}
END_TEST

START_TEST(a_cancelled_operation_is_not_performed)
{
    uint64_t token =
        perform((DataPlaneOp){.kind = DATAPLANE_REMOVE, .owner = "ns/s", .port = SERVER});
    sim_dataplane_cancel(plane, token);
    run_until(10 * NSEC_PER_SEC);
    ck_assert_uint_eq(n_done, 0);
    g_autoptr(GArray) hops = plane->class->walk(plane, CLIENT);
    ck_assert_uint_eq(hops->len, 2);
    is_consistent();
}
END_TEST

static bool
never(void *data, const char *owner, bool in_pod)
{
    return false;
}

START_TEST(the_check_of_the_graph_finds_owners_that_are_gone)
{
    g_autoptr(GError) error = NULL;
    ck_assert(!sim_dataplane_check(plane, never, NULL, &error));
    ck_assert_ptr_nonnull(error);
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {
        a_failure_is_detected_after_1_25_to_2_seconds,
        a_failure_before_the_first_answer_of_a_check_fails_this_check,
        a_path_that_is_removed_is_a_failure_too,
        a_path_that_comes_back_in_time_is_not_noticed,
        a_path_that_comes_back_after_the_last_echo_comes_too_late,
        short_cuts_one_after_the_other_are_survived,
        a_round_trip_below_the_timeout_is_alive_and_above_it_is_dead,
        jitter_within_the_timeout_kills_nothing,
        total_loss_is_death,
        a_check_fails_when_all_its_echoes_are_lost,
        a_single_check_ends_with_its_last_answer,
        a_single_check_of_a_dead_path_fails_after_its_timeout,
        a_single_check_of_a_path_that_comes_back_succeeds,
        a_check_without_an_interface_fails,
        a_cancelled_check_is_not_answered,
        checks_of_one_path_are_answered_each,
        a_watch_is_answered_when_the_pod_is_gone,
        a_watch_of_a_pod_that_is_gone_is_answered_at_once,
        a_cancelled_watch_is_not_answered_even_at_the_last_moment,
        nothing_is_created_in_a_pod_that_is_gone,
        a_cancelled_operation_is_not_performed,
        the_check_of_the_graph_finds_owners_that_are_gone,
    };
    return suite_run("echo", tests, G_N_ELEMENTS(tests), setup, teardown);
}
