/* One thread, first come, first served (sim/station.h): order, wake-ups, polling and quotas, and
 * that the four parts of each visit are the time that it took. */
#include "sim/station.h"

#include "tests/suite.h"

#include <stdlib.h>

#define USEC NSEC_PER_USEC
#define MSEC NSEC_PER_MSEC
#define PERIOD (100 * MSEC)

enum { MAX_GUESTS = 400 };

typedef struct Guest {
    Visit visit;
    Event event; /* of its arrival */
    nsec_t demand;
    nsec_t arrived;
    nsec_t left; /* NSEC_NEVER until then */
    VisitTimes times;
    guint place;  /* among those that left */
    guint n_more; /* visits that it makes again at once when one is over */
} Guest;

static Engine *engine;
static CpuNode *node;
static CpuGroup *group; /* NULL: a core of its own */
static Station *station;
static Dist wake_up;
static Guest guests[MAX_GUESTS];
static guint n_left;

static nsec_t
sum_of(const VisitTimes *times)
{
    return times->waking + times->queueing + times->service + times->throttled;
}

static void
on_served(void *data, Visit *visit, const VisitTimes *times)
{
    ck_assert_ptr_eq(data, guests);
    Guest *guest = (Guest *)((char *)visit - offsetof(Guest, visit));
    ck_assert_int_eq(guest->left, NSEC_NEVER);
    ck_assert_int_eq(sum_of(times), engine_now(engine) - guest->arrived);
    guest->times = *times;
    if (guest->n_more > 0) {
        guest->n_more--;
        guest->arrived = engine_now(engine);
        station_arrive(station, visit, guest->demand);
        return;
    }
    guest->left = engine_now(engine);
    guest->place = ++n_left;
}

static void
on_arrival(Engine *running, Event *event)
{
    Guest *guest = (Guest *)((char *)event - offsetof(Guest, event));
    guest->arrived = engine_now(running);
    station_arrive(station, &guest->visit, guest->demand);
}

static Guest *
guest_at(guint i, nsec_t at, nsec_t demand)
{
    Guest *guest = &guests[i];
    *guest = (Guest){.demand = demand, .left = NSEC_NEVER};
    event_init(&guest->event, on_arrival, 0);
    engine_schedule(engine, &guest->event, at);
    return guest;
}

/* `quota` < 0: a core of its own; 0: no limit. */
static void
open_station(double cores, nsec_t quota, nsec_t wake)
{
    RandomStream random;
    random_stream_init(&random, 1, 0, "station", "wakes");
    engine = engine_new();
    node = cpu_node_new(engine, cores, 0);
    group = quota >= 0 ? cpu_group_new(node, quota, PERIOD) : NULL;
    wake_up = dist_constant(nsec_to_seconds(wake));
    n_left = 0;
    station = station_new(engine, group, wake > 0 ? &wake_up : NULL, &random, on_served, guests);
}

static void
close_station(void)
{
    station_free(station);
    if (group != NULL) {
        cpu_group_free(group);
    }
    cpu_node_free(node);
    engine_free(engine);
}

static void
check_times(const Guest *guest, nsec_t left, VisitTimes expected)
{
    ck_assert_int_eq(guest->left, left);
    ck_assert_int_eq(guest->times.waking, expected.waking);
    ck_assert_int_eq(guest->times.queueing, expected.queueing);
    ck_assert_int_eq(guest->times.service, expected.service);
    ck_assert_int_eq(guest->times.throttled, expected.throttled);
}

/* ---- order ---- */

typedef enum Kind { KIND_OWN_CORE, KIND_SLEEPS, KIND_POLLS, N_KINDS } Kind;

static void
open_kind(int kind, nsec_t quota)
{
    open_station(1, kind == KIND_OWN_CORE ? -1 : quota, 50 * USEC);
    if (kind == KIND_POLLS) {
        station_set_polling(station, true);
    }
}

START_TEST(who_comes_first_is_served_first_however_much_he_wants)
{
    open_kind(_i, 0);
    enum { N = 6 };
    nsec_t demands = 0;
    for (guint i = 0; i < N; i++) {
        guest_at(i, (1 + i) * MSEC, (nsec_t)(N - i) * 10 * MSEC);
        demands += (nsec_t)(N - i) * 10 * MSEC;
    }
    engine_run_until(engine, 10 * MSEC);
    ck_assert_uint_eq(station_n_present(station), N);
    engine_run_until(engine, NSEC_PER_SEC);
    ck_assert_uint_eq(station_n_present(station), 0);
    for (guint i = 0; i < N; i++) {
        ck_assert_uint_eq(guests[i].place, i + 1);
        ck_assert_int_eq(guests[i].times.service, guests[i].demand);
    }
    nsec_t waking = _i == KIND_POLLS ? 0 : 50 * USEC;
    ck_assert_int_eq(guests[N - 1].left, MSEC + waking + demands); /* one at a time */
    close_station();
}
END_TEST

START_TEST(of_those_that_come_together_the_first_is_served_first)
{
    open_kind(_i, 0);
    for (guint i = 0; i < 5; i++) {
        guest_at(i, MSEC, MSEC);
    }
    engine_run_until(engine, NSEC_PER_SEC);
    for (guint i = 0; i < 5; i++) {
        ck_assert_uint_eq(guests[i].place, i + 1);
        ck_assert_int_eq(guests[i].times.queueing, (nsec_t)i * MSEC);
    }
    close_station();
}
END_TEST

/* ---- waking ---- */

START_TEST(only_a_thread_that_sleeps_must_wake)
{
    open_kind(_i, 0);
    guest_at(0, 0, 100 * USEC);          /* wakes it */
    guest_at(1, 20 * USEC, 100 * USEC);  /* it is waking */
    guest_at(2, 200 * USEC, 100 * USEC); /* it is busy */
    guest_at(3, 900 * USEC, 100 * USEC); /* it sleeps again */
    engine_run_until(engine, NSEC_PER_SEC);
    check_times(&guests[0], 150 * USEC, (VisitTimes){50 * USEC, 0, 100 * USEC, 0});
    check_times(&guests[1], 250 * USEC, (VisitTimes){30 * USEC, 100 * USEC, 100 * USEC, 0});
    check_times(&guests[2], 350 * USEC, (VisitTimes){0, 50 * USEC, 100 * USEC, 0});
    check_times(&guests[3], 1050 * USEC, (VisitTimes){50 * USEC, 0, 100 * USEC, 0});
    close_station();
}
END_TEST

START_TEST(a_thread_without_wake_ups_begins_at_once)
{
    open_station(1, 0, 0);
    guest_at(0, MSEC, 100 * USEC);
    engine_run_until(engine, NSEC_PER_SEC);
    check_times(&guests[0], MSEC + 100 * USEC, (VisitTimes){0, 0, 100 * USEC, 0});
    close_station();
}
END_TEST

START_TEST(who_comes_when_the_last_leaves_finds_the_thread_awake)
{
    open_kind(_i, 0);
    Guest *guest = guest_at(0, 0, 100 * USEC);
    guest->n_more = 4;
    engine_run_until(engine, NSEC_PER_SEC);
    check_times(guest, 550 * USEC, (VisitTimes){0, 0, 100 * USEC, 0}); /* one wake-up */
    guest_at(1, 2 * NSEC_PER_SEC, 100 * USEC);
    engine_run_until(engine, 3 * NSEC_PER_SEC);
    ck_assert_int_eq(guests[1].times.waking, 50 * USEC);
    close_station();
}
END_TEST

START_TEST(who_comes_again_when_he_leaves_stands_behind_those_that_wait)
{
    open_kind(_i, 0);
    Guest *again = guest_at(0, 0, 100 * USEC);
    again->n_more = 1;
    guest_at(1, USEC, 100 * USEC);
    guest_at(2, USEC, 100 * USEC);
    engine_run_until(engine, NSEC_PER_SEC);
    ck_assert_uint_eq(guests[1].place, 1);
    ck_assert_uint_eq(guests[2].place, 2);
    ck_assert_uint_eq(again->place, 3);
    ck_assert_int_eq(again->times.queueing, 200 * USEC);
    close_station();
}
END_TEST

START_TEST(a_sleeping_thread_uses_cpu_for_what_it_serves_alone)
{
    open_station(4, 20 * MSEC, 50 * USEC);
    for (guint i = 0; i < 10; i++) {
        guest_at(i, i * PERIOD, 300 * USEC);
    }
    engine_run_until(engine, 10 * PERIOD);
    CpuUsage usage = cpu_group_usage(group);
    ck_assert_double_eq(usage.used, 10 * 300e3);
    ck_assert_double_eq(usage.throttled, 0);
    ck_assert_uint_eq(usage.periods, 0);
    close_station();
}
END_TEST

/* ---- quotas ---- */

START_TEST(a_sleeping_thread_is_throttled_when_its_quota_is_spent)
{
    open_station(4, 20 * MSEC, 0);
    guest_at(0, 0, 15 * MSEC);
    guest_at(1, MSEC, 10 * MSEC); /* 15-20, 100-105 */
    guest_at(2, 50 * MSEC, MSEC); /* comes while it is stopped */
    engine_run_until(engine, NSEC_PER_SEC);
    check_times(&guests[0], 15 * MSEC, (VisitTimes){0, 0, 15 * MSEC, 0});
    check_times(&guests[1], 105 * MSEC, (VisitTimes){0, 14 * MSEC, 10 * MSEC, 80 * MSEC});
    check_times(&guests[2], 106 * MSEC, (VisitTimes){0, 5 * MSEC, MSEC, 50 * MSEC});
    close_station();
}
END_TEST

START_TEST(a_polling_thread_finds_at_once_what_comes_while_it_runs)
{
    open_station(4, 20 * MSEC, 50 * USEC);
    station_set_polling(station, true);
    guest_at(0, 210 * MSEC, 3 * USEC);
    engine_run_until(engine, NSEC_PER_SEC);
    check_times(&guests[0], 210 * MSEC + 3 * USEC, (VisitTimes){0, 0, 3 * USEC, 0});
    close_station();
}
END_TEST

START_TEST(what_comes_while_a_polling_thread_is_stopped_waits_for_the_next_period)
{
    open_station(4, 20 * MSEC, 50 * USEC);
    station_set_polling(station, true);
    guest_at(0, 230 * MSEC, 3 * USEC);
    guest_at(1, 299 * MSEC, 3 * USEC);
    engine_run_until(engine, 350 * MSEC);
    check_times(&guests[0], 300 * MSEC + 3 * USEC, (VisitTimes){0, 0, 3 * USEC, 70 * MSEC});
    check_times(&guests[1], 300 * MSEC + 6 * USEC, (VisitTimes){0, 3 * USEC, 3 * USEC, MSEC});
    ck_assert_double_eq(cpu_group_usage(group).used, 80e6); /* whatever was served */
    close_station();
}
END_TEST

START_TEST(a_visit_that_the_end_of_the_quota_interrupts_goes_on_in_the_next_period)
{
    open_station(4, 20 * MSEC, 50 * USEC);
    station_set_polling(station, true);
    guest_at(0, 20 * MSEC - USEC, 3 * USEC);
    engine_run_until(engine, 150 * MSEC);
    check_times(&guests[0], 100 * MSEC + 2 * USEC, (VisitTimes){0, 0, 3 * USEC, 80 * MSEC});
    close_station();
}
END_TEST

START_TEST(a_core_that_others_use_too_makes_a_visit_queue)
{
    open_station(1, 0, 0);
    CpuGroup *other = cpu_group_new(node, 0, PERIOD);
    cpu_group_set_polling(other, true);
    guest_at(0, MSEC, MSEC);
    engine_run_until(engine, 50 * MSEC);
    check_times(&guests[0], 3 * MSEC, (VisitTimes){0, MSEC, MSEC, 0});
    cpu_group_free(other);
    close_station();
}
END_TEST

/* ---- removal ---- */

START_TEST(visits_are_taken_back_in_their_order)
{
    open_kind(_i, 0);
    ck_assert_ptr_null(station_remove(station));
    for (guint i = 0; i < 3; i++) {
        guest_at(i, MSEC, 10 * MSEC);
    }
    engine_run_until(engine, 5 * MSEC);
    ck_assert_ptr_eq(station_remove(station), &guests[0].visit);
    ck_assert_uint_eq(station_n_present(station), 2);
    engine_run_until(engine, 15 * MSEC); /* the second begins when the first is gone */
    ck_assert_int_eq(guests[1].left, 15 * MSEC);
    ck_assert_ptr_eq(station_remove(station), &guests[2].visit);
    ck_assert_ptr_null(station_remove(station));
    engine_run_until(engine, NSEC_PER_SEC);
    ck_assert_uint_eq(n_left, 1);
    guest_at(3, 2 * NSEC_PER_SEC, MSEC); /* it works on */
    engine_run_until(engine, 3 * NSEC_PER_SEC);
    ck_assert_uint_eq(n_left, 2);
    close_station();
}
END_TEST

START_TEST(a_thread_that_wakes_for_one_who_is_taken_back_wakes_for_the_next)
{
    open_kind(_i, 0);
    guest_at(0, 0, MSEC);
    guest_at(1, 10 * USEC, MSEC);
    engine_run_until(engine, 20 * USEC);
    ck_assert_ptr_eq(station_remove(station), &guests[0].visit);
    engine_run_until(engine, NSEC_PER_SEC);
    check_times(&guests[1], 50 * USEC + MSEC, (VisitTimes){40 * USEC, 0, MSEC, 0});
    close_station();
}
END_TEST

START_TEST(a_thread_that_wakes_for_nobody_sleeps_again)
{
    open_kind(_i, 0);
    guest_at(0, 0, MSEC);
    engine_run_until(engine, 20 * USEC);
    ck_assert_ptr_eq(station_remove(station), &guests[0].visit);
    guest_at(1, 30 * USEC, MSEC);
    engine_run_until(engine, NSEC_PER_SEC);
    check_times(&guests[1], 80 * USEC + MSEC, (VisitTimes){50 * USEC, 0, MSEC, 0});
    close_station();
}
END_TEST

START_TEST(a_station_is_freed_with_visits_in_it)
{
    open_kind(_i, 20 * MSEC);
    for (guint i = 0; i < 3; i++) {
        guest_at(i, MSEC, 10 * MSEC);
    }
    engine_run_until(engine, 2 * MSEC);
    station_free(station);
    ck_assert(group == NULL || cpu_group_usage(group).used > 0);
    engine_run_until(engine, NSEC_PER_SEC); /* nobody is served any more */
    ck_assert_uint_eq(n_left, 0);
    station = station_new(engine, group, NULL, &(RandomStream){0}, on_served, guests);
    close_station();
}
END_TEST

/* ---- switching ---- */

START_TEST(a_thread_that_begins_to_poll_serves_on_and_burns_its_quota_from_then_on)
{
    open_station(4, 20 * MSEC, 50 * USEC);
    for (guint i = 0; i < 3; i++) {
        guest_at(i, 0, MSEC);
    }
    engine_run_until(engine, MSEC + 50 * USEC); /* just between two */
    ck_assert_uint_eq(n_left, 1);
    station_set_polling(station, true);
    station_set_polling(station, true); /* it does already */
    engine_run_until(engine, 3 * MSEC + 50 * USEC);
    ck_assert_uint_eq(n_left, 3);
    engine_run_until(engine, 99 * MSEC);
    ck_assert_double_eq(cpu_group_usage(group).used, 20e6);
    close_station();
}
END_TEST

START_TEST(a_thread_that_no_longer_polls_serves_on_and_uses_no_more_than_that)
{
    open_station(4, 20 * MSEC, 50 * USEC);
    station_set_polling(station, true);
    for (guint i = 0; i < 3; i++) {
        guest_at(i, 0, MSEC);
    }
    engine_run_until(engine, MSEC);
    station_set_polling(station, false);
    engine_run_until(engine, 50 * MSEC);
    ck_assert_uint_eq(n_left, 3);
    ck_assert_int_eq(guests[2].left, 3 * MSEC);
    ck_assert_double_eq(cpu_group_usage(group).used, 3e6);
    guest_at(3, 60 * MSEC, MSEC);
    engine_run_until(engine, 70 * MSEC);
    ck_assert_int_eq(guests[3].times.waking, 50 * USEC);
    close_station();
}
END_TEST

START_TEST(switching_in_the_middle_of_a_visit_loses_nobody_and_keeps_the_order)
{
    open_station(1, 0, 50 * USEC);
    for (guint i = 0; i < 4; i++) {
        guest_at(i, 0, 10 * MSEC);
    }
    for (int i = 1; i <= 7; i++) {
        engine_run_until(engine, i * 3 * MSEC);
        station_set_polling(station, i % 2 == 1);
    }
    engine_run_until(engine, NSEC_PER_SEC);
    for (guint i = 0; i < 4; i++) {
        ck_assert_uint_eq(guests[i].place, i + 1);
        ck_assert_int_eq(guests[i].times.service, 10 * MSEC);
    }
    close_station();
}
END_TEST

START_TEST(a_thread_that_begins_to_poll_while_it_wakes_is_awake)
{
    open_station(1, 0, 50 * USEC);
    guest_at(0, 0, MSEC);
    engine_run_until(engine, 20 * USEC);
    station_set_polling(station, true);
    engine_run_until(engine, NSEC_PER_SEC);
    ck_assert_int_eq(guests[0].left, 20 * USEC + MSEC);
    close_station();
}
END_TEST

/* ---- whatever comes ---- */

/* Quotas, other containers on the same core, and polling that begins and ends: each visit takes at
 * least what it wants, its parts are its time (on_served), the order is that of arrival. */
START_TEST(whatever_happens_the_parts_of_every_visit_are_its_time)
{
    RandomStream random;
    random_stream_init(&random, 3, (uint32_t)_i, "guests", "arrivals");
    open_station(1, _i % 3 == 0 ? 0 : 10 * MSEC + (nsec_t)random_below(&random, 50 * MSEC),
                 _i % 2 == 0 ? 50 * USEC : 0);
    CpuGroup *other = cpu_group_new(node, 30 * MSEC, PERIOD);
    cpu_group_set_polling(other, _i % 4 < 2);
    nsec_t at = 0, used = 0;
    for (guint i = 0; i < MAX_GUESTS; i++) {
        nsec_t demand = (nsec_t)random_below(&random, 2 * MSEC);
        at += (nsec_t)random_below(&random, 12 * MSEC);
        guest_at(i, at, demand);
        used += demand;
    }
    for (int i = 1; i <= 400; i++) {
        engine_run_until(engine, i * 23 * MSEC);
        if (_i % 5 > 1) {
            station_set_polling(station, random_below(&random, 2) == 0);
        }
    }
    station_set_polling(station, false);
    engine_run_until(engine, 100 * NSEC_PER_SEC);
    ck_assert_uint_eq(n_left, MAX_GUESTS);
    for (guint i = 0; i < MAX_GUESTS; i++) {
        const VisitTimes *times = &guests[i].times;
        ck_assert_uint_eq(guests[i].place, i + 1);
        ck_assert_int_eq(times->service, guests[i].demand);
        ck_assert_int_ge(times->waking, 0);
        ck_assert_int_ge(times->queueing, 0);
        ck_assert_int_ge(times->throttled, 0);
    }
    ck_assert_double_ge(cpu_group_usage(group).used, (double)used - 1000);
    cpu_group_free(other);
    close_station();
}
END_TEST

static void
add_tests(TCase *tcase)
{
    tcase_add_test(tcase, a_thread_without_wake_ups_begins_at_once);
    tcase_add_test(tcase, a_sleeping_thread_uses_cpu_for_what_it_serves_alone);
    tcase_add_test(tcase, a_sleeping_thread_is_throttled_when_its_quota_is_spent);
    tcase_add_test(tcase, a_polling_thread_finds_at_once_what_comes_while_it_runs);
    tcase_add_test(tcase, what_comes_while_a_polling_thread_is_stopped_waits_for_the_next_period);
    tcase_add_test(tcase, a_visit_that_the_end_of_the_quota_interrupts_goes_on_in_the_next_period);
    tcase_add_test(tcase, a_core_that_others_use_too_makes_a_visit_queue);
    tcase_add_test(tcase, a_thread_that_begins_to_poll_serves_on_and_burns_its_quota_from_then_on);
    tcase_add_test(tcase, a_thread_that_no_longer_polls_serves_on_and_uses_no_more_than_that);
    tcase_add_test(tcase, switching_in_the_middle_of_a_visit_loses_nobody_and_keeps_the_order);
    tcase_add_test(tcase, a_thread_that_begins_to_poll_while_it_wakes_is_awake);
    tcase_add_loop_test(tcase, whatever_happens_the_parts_of_every_visit_are_its_time, 0, 30);
}

/* Those of each kind of thread. */
static void
add_tests_by_kind(TCase *tcase)
{
    tcase_add_loop_test(tcase, who_comes_first_is_served_first_however_much_he_wants, 0, N_KINDS);
    tcase_add_loop_test(tcase, of_those_that_come_together_the_first_is_served_first, 0, N_KINDS);
    tcase_add_loop_test(tcase, only_a_thread_that_sleeps_must_wake, 0, KIND_POLLS);
    tcase_add_loop_test(tcase, who_comes_when_the_last_leaves_finds_the_thread_awake, 0,
                        KIND_POLLS);
    tcase_add_loop_test(tcase, who_comes_again_when_he_leaves_stands_behind_those_that_wait, 0,
                        KIND_POLLS);
    tcase_add_loop_test(tcase, visits_are_taken_back_in_their_order, 0, N_KINDS);
    tcase_add_loop_test(tcase, a_thread_that_wakes_for_one_who_is_taken_back_wakes_for_the_next, 0,
                        KIND_POLLS);
    tcase_add_loop_test(tcase, a_thread_that_wakes_for_nobody_sleeps_again, 0, KIND_POLLS);
    tcase_add_loop_test(tcase, a_station_is_freed_with_visits_in_it, 0, N_KINDS);
}

int
main(void)
{
    Suite *suite = suite_create("station");
    TCase *tcase = tcase_create("station");
    add_tests_by_kind(tcase);
    add_tests(tcase);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
