/* The engine's contract (sim/engine.h), case by case, and then against a sorted list. */
#include "sim/engine.h"

#include "base/random.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOG_MAX 64

/* Events write their names into a log when they run. */
typedef struct Log {
    char names[LOG_MAX];
    nsec_t times[LOG_MAX];
    size_t n;
} Log;

typedef struct Named Named;

struct Named {
    Event event;
    Log *log;
    char name;
    void (*then)(Engine *engine, Named *named); /* what the handler does besides, or NULL */
    Named *other;                               /* what it does it to */
    int n_left;                                 /* how often it still does it */
};

static Named *
named_of(Event *event)
{
    return (Named *)((char *)event - offsetof(Named, event));
}

static void
on_named(Engine *engine, Event *event)
{
    Named *named = named_of(event);
    Log *log = named->log;
    g_assert(log->n < LOG_MAX - 1);
    log->times[log->n] = engine_now(engine);
    log->names[log->n++] = named->name;
    if (named->then != NULL) {
        named->then(engine, named);
    }
}

static void
named_init(Named *named, Log *log, char name, uint8_t rank)
{
    *named = (Named){.log = log, .name = name};
    event_init(&named->event, on_named, rank);
}

static void
cancel_other(Engine *engine, Named *named)
{
    engine_cancel(engine, &named->other->event);
}

static void
schedule_other_now(Engine *engine, Named *named)
{
    engine_schedule(engine, &named->other->event, engine_now(engine));
}

static void
schedule_others_now(Engine *engine, Named *named)
{
    for (int i = 0; i < named->n_left; i++) {
        engine_schedule(engine, &named->other[i].event, engine_now(engine));
    }
}

static void
repeat(Engine *engine, Named *named)
{
    if (named->n_left-- > 0) {
        engine_schedule(engine, &named->event, engine_now(engine) + 5);
    }
}

static void
stop(Engine *engine, Named *named)
{
    engine_stop(engine);
}

static void
free_itself(Engine *engine, Named *named)
{
    memset(named, 0xff, sizeof *named);
    g_free(named);
}

static void
nothing(Engine *engine, Event *event)
{
}

START_TEST(a_new_engine_is_at_zero_and_has_nothing_to_run)
{
    g_autoptr(Engine) engine = engine_new();
    ck_assert_int_eq(engine_now(engine), 0);
    ck_assert_int_eq(engine_next_time(engine), NSEC_NEVER);
    ck_assert(!engine_step(engine));
    ck_assert(engine_run_until(engine, NSEC_NEVER));
    ck_assert_int_eq(engine_now(engine), 0);
}
END_TEST

START_TEST(events_run_in_order_of_time)
{
    g_autoptr(Engine) engine = engine_new();
    Log log = {0};
    Named named[5];
    const nsec_t times[] = {NSEC_PER_SEC, 3, 0, INT64_C(5000000000000), 2};
    for (int i = 0; i < 5; i++) {
        named_init(&named[i], &log, (char)('a' + i), 0);
        engine_schedule(engine, &named[i].event, times[i]);
    }
    engine_run_until(engine, NSEC_NEVER);
    ck_assert_str_eq(log.names, "cebad");
    for (size_t i = 0; i < log.n; i++) {
        ck_assert_int_eq(log.times[i], times[log.names[i] - 'a']);
    }
}
END_TEST

START_TEST(equal_times_run_in_order_of_rank_and_then_of_scheduling)
{
    g_autoptr(Engine) engine = engine_new();
    Log log = {0};
    Named named[6];
    const uint8_t ranks[] = {255, 1, 0, 1, 255, 0};
    for (int i = 0; i < 6; i++) {
        named_init(&named[i], &log, (char)('a' + i), ranks[i]);
        engine_schedule(engine, &named[i].event, NSEC_PER_SEC);
    }
    engine_run_until(engine, NSEC_NEVER);
    ck_assert_str_eq(log.names, "cfbdae");
}
END_TEST

/* Scheduled before the run, and by a handler at that time. */
START_TEST(ten_thousand_events_of_one_time_run_in_order)
{
    enum { N = 10000, N_RANKS = 4 };
    static const uint8_t ranks[N_RANKS] = {200, 0, 17, 63};
    static const int in_order[N_RANKS] = {1, 2, 3, 0};
    g_autoptr(Engine) engine = engine_new();
    g_autofree Named *named = g_new(Named, N);
    Log log = {0};
    Named first;
    named_init(&first, &log, 'f', 0);
    first.then = schedule_others_now;
    first.other = named;
    first.n_left = _i == 0 ? 0 : N;
    engine_schedule(engine, &first.event, NSEC_PER_SEC);
    for (int i = 0; i < N; i++) {
        event_init(&named[i].event, nothing, ranks[i % N_RANKS]);
        engine_reschedule(engine, &named[i].event, _i == 0 ? NSEC_PER_SEC : NSEC_NEVER);
    }
    engine_step(engine);
    for (int j = 0; j < N_RANKS; j++) {
        for (int i = in_order[j]; i < N; i += N_RANKS) {
            ck_assert(event_is_scheduled(&named[i].event));
            ck_assert(engine_step(engine));
            ck_assert(!event_is_scheduled(&named[i].event));
        }
    }
}
END_TEST

START_TEST(many_events_of_lower_rank_for_the_present_run_before_the_rest)
{
    enum { N = 300, N_RANKS = 5 };
    static const uint8_t ranks[N_RANKS] = {3, 130, 0, 63, 64};
    g_autoptr(Engine) engine = engine_new();
    Log log = {0};
    Named first, lower[N];
    Event rest[N];
    named_init(&first, &log, 'f', 200);
    first.then = schedule_others_now;
    first.other = lower;
    first.n_left = N;
    engine_schedule(engine, &first.event, NSEC_PER_SEC);
    for (int i = 0; i < N; i++) {
        event_init(&lower[i].event, nothing, ranks[i % N_RANKS]);
        event_init(&rest[i], nothing, 200);
        engine_schedule(engine, &rest[i], NSEC_PER_SEC);
    }
    engine_step(engine);
    for (int rank = 0; rank < 200; rank++) {
        for (int i = 0; i < N; i++) {
            if (ranks[i % N_RANKS] == rank) {
                engine_step(engine);
                ck_assert(!event_is_scheduled(&lower[i].event));
            }
        }
    }
    for (int i = 0; i < N; i++) {
        engine_step(engine);
        ck_assert(!event_is_scheduled(&rest[i]));
    }
}
END_TEST

START_TEST(an_event_for_the_present_runs_in_its_place_of_the_present)
{
    g_autoptr(Engine) engine = engine_new();
    Log log = {0};
    Named first, second, low, high;
    named_init(&first, &log, 'a', 5);
    named_init(&second, &log, 'b', 5);
    named_init(&low, &log, 'l', 0);
    named_init(&high, &log, 'h', 9);
    first.then = schedule_other_now;
    first.other = &high;
    second.then = schedule_other_now;
    second.other = &low;
    engine_schedule(engine, &first.event, 7);
    engine_schedule(engine, &second.event, 7);
    engine_run_until(engine, 7);
    ck_assert_str_eq(log.names, "ablh");
    ck_assert_int_eq(log.times[3], 7);
}
END_TEST

START_TEST(a_handler_can_schedule_its_own_event_again)
{
    g_autoptr(Engine) engine = engine_new();
    Log log = {0};
    Named named;
    named_init(&named, &log, 'a', 0);
    named.then = repeat;
    named.n_left = 3;
    engine_schedule(engine, &named.event, 10);
    engine_run_until(engine, NSEC_NEVER);
    ck_assert_str_eq(log.names, "aaaa");
    ck_assert_int_eq(engine_now(engine), 25);
}
END_TEST

START_TEST(an_event_knows_whether_and_when_it_is_scheduled)
{
    g_autoptr(Engine) engine = engine_new();
    Event event;
    event_init(&event, nothing, 0);
    ck_assert(!event_is_scheduled(&event));
    ck_assert_int_eq(event_time(&event), NSEC_NEVER);
    engine_schedule(engine, &event, 42);
    ck_assert(event_is_scheduled(&event));
    ck_assert_int_eq(event_time(&event), 42);
    engine_step(engine);
    ck_assert(!event_is_scheduled(&event));
    ck_assert_int_eq(event_time(&event), NSEC_NEVER);
}
END_TEST

START_TEST(a_cancelled_event_does_not_run)
{
    g_autoptr(Engine) engine = engine_new();
    Log log = {0};
    Named a, b;
    named_init(&a, &log, 'a', 0);
    named_init(&b, &log, 'b', 0);
    engine_schedule(engine, &a.event, 1);
    engine_schedule(engine, &b.event, 2);
    engine_cancel(engine, &a.event);
    ck_assert(!event_is_scheduled(&a.event));
    engine_run_until(engine, NSEC_NEVER);
    ck_assert_str_eq(log.names, "b");
}
END_TEST

START_TEST(cancelling_what_is_not_scheduled_does_nothing)
{
    g_autoptr(Engine) engine = engine_new();
    Log log = {0};
    Named a, b;
    named_init(&a, &log, 'a', 0);
    named_init(&b, &log, 'b', 0);
    engine_cancel(engine, &a.event);
    engine_schedule(engine, &a.event, 1);
    engine_cancel(engine, &a.event);
    engine_schedule(engine, &b.event, 1);
    engine_cancel(engine, &a.event);
    engine_run_until(engine, NSEC_NEVER);
    engine_cancel(engine, &b.event);
    ck_assert_str_eq(log.names, "b");
    ck_assert_uint_eq(engine_counters(engine).n_pending, 0);
}
END_TEST

START_TEST(a_handler_that_cancels_its_own_event_does_nothing)
{
    g_autoptr(Engine) engine = engine_new();
    Log log = {0};
    Named a, b;
    named_init(&a, &log, 'a', 0);
    named_init(&b, &log, 'b', 0);
    a.then = cancel_other;
    a.other = &a;
    engine_schedule(engine, &a.event, 1);
    engine_schedule(engine, &b.event, 1);
    engine_run_until(engine, NSEC_NEVER);
    ck_assert_str_eq(log.names, "ab");
    ck_assert_uint_eq(engine_counters(engine).n_pending, 0);
}
END_TEST

START_TEST(a_handler_can_cancel_later_events_of_its_time_and_of_others)
{
    g_autoptr(Engine) engine = engine_new();
    Log log = {0};
    Named named[4];
    for (int i = 0; i < 4; i++) {
        named_init(&named[i], &log, (char)('a' + i), 0);
        engine_schedule(engine, &named[i].event, i < 3 ? 1 : NSEC_PER_SEC);
    }
    named[0].then = cancel_other;
    named[0].other = &named[1];
    named[2].then = cancel_other;
    named[2].other = &named[3];
    engine_run_until(engine, NSEC_NEVER);
    ck_assert_str_eq(log.names, "ac");
    ck_assert_int_eq(engine_now(engine), 1);
}
END_TEST

START_TEST(a_rescheduled_event_runs_once_at_its_new_time)
{
    g_autoptr(Engine) engine = engine_new();
    Log log = {0};
    Named a, b, c;
    named_init(&a, &log, 'a', 0);
    named_init(&b, &log, 'b', 0);
    named_init(&c, &log, 'c', 0);
    engine_schedule(engine, &a.event, 1);
    engine_schedule(engine, &b.event, 5);
    engine_schedule(engine, &c.event, NSEC_PER_SEC);
    engine_reschedule(engine, &a.event, 9);
    engine_reschedule(engine, &c.event, 3);
    ck_assert_int_eq(event_time(&c.event), 3);
    engine_run_until(engine, NSEC_NEVER);
    ck_assert_str_eq(log.names, "cba");
    ck_assert_int_eq(log.times[2], 9);
}
END_TEST

START_TEST(rescheduling_to_the_same_time_goes_behind_the_others)
{
    g_autoptr(Engine) engine = engine_new();
    Log log = {0};
    Named named[3];
    for (int i = 0; i < 3; i++) {
        named_init(&named[i], &log, (char)('a' + i), 0);
        engine_reschedule(engine, &named[i].event, 4);
    }
    engine_reschedule(engine, &named[0].event, 4);
    engine_run_until(engine, NSEC_NEVER);
    ck_assert_str_eq(log.names, "bca");
}
END_TEST

START_TEST(a_cancelled_event_can_be_freed_at_once)
{
    g_autoptr(Engine) engine = engine_new();
    Log log = {0};
    for (int i = 0; i < 1000; i++) {
        Named *named = g_new(Named, 1);
        named_init(named, &log, 'x', 0);
        engine_schedule(engine, &named->event, 1 + i * (nsec_t)i);
        engine_cancel(engine, &named->event);
        memset(named, 0xff, sizeof *named);
        g_free(named);
    }
    ck_assert_int_eq(engine_next_time(engine), NSEC_NEVER);
    ck_assert(engine_run_until(engine, NSEC_PER_SEC));
    ck_assert_uint_eq(log.n, 0);
}
END_TEST

START_TEST(a_handler_can_free_its_own_event)
{
    g_autoptr(Engine) engine = engine_new();
    Log log = {0};
    for (int i = 0; i < 20; i++) {
        Named *named = g_new(Named, 1);
        named_init(named, &log, 'x', 0);
        named->then = free_itself;
        engine_schedule(engine, &named->event, i / 3);
    }
    engine_run_until(engine, NSEC_NEVER);
    ck_assert_uint_eq(log.n, 20);
}
END_TEST

START_TEST(an_event_can_be_reused_for_something_else_after_cancelling)
{
    g_autoptr(Engine) engine = engine_new();
    Log log = {0};
    Named named;
    named_init(&named, &log, 'a', 0);
    engine_schedule(engine, &named.event, 1);
    engine_cancel(engine, &named.event);
    named_init(&named, &log, 'b', 3);
    engine_schedule(engine, &named.event, 2);
    engine_run_until(engine, NSEC_NEVER);
    ck_assert_str_eq(log.names, "b");
    ck_assert_int_eq(log.times[0], 2);
}
END_TEST

START_TEST(run_until_includes_its_limit_and_sets_the_clock_to_it)
{
    g_autoptr(Engine) engine = engine_new();
    Log log = {0};
    Named a, b;
    named_init(&a, &log, 'a', 255);
    named_init(&b, &log, 'b', 0);
    engine_schedule(engine, &a.event, 1000);
    engine_schedule(engine, &b.event, 1001);
    ck_assert(engine_run_until(engine, 999));
    ck_assert_str_eq(log.names, "");
    ck_assert_int_eq(engine_now(engine), 999);
    ck_assert(engine_run_until(engine, 1000));
    ck_assert_str_eq(log.names, "a");
    ck_assert(engine_run_until(engine, 1000));
    ck_assert_str_eq(log.names, "a");
    ck_assert(engine_run_until(engine, 5000));
    ck_assert_str_eq(log.names, "ab");
    ck_assert_int_eq(engine_now(engine), 5000);
}
END_TEST

START_TEST(events_scheduled_between_runs_come_before_later_ones)
{
    g_autoptr(Engine) engine = engine_new();
    Log log = {0};
    Named far, gone, near[8];
    named_init(&far, &log, 'f', 0);
    named_init(&gone, &log, 'g', 0);
    engine_schedule(engine, &far.event, NSEC_PER_SEC);
    engine_schedule(engine, &gone.event, NSEC_PER_MSEC);
    engine_cancel(engine, &gone.event);
    for (int i = 0; i < 8; i++) {
        engine_run_until(engine, engine_now(engine) + 3);
        ck_assert_int_eq(engine_next_time(engine), NSEC_PER_SEC);
        named_init(&near[i], &log, (char)('0' + i), 0);
        engine_schedule(engine, &near[i].event, engine_now(engine) + 1);
        ck_assert_int_eq(engine_next_time(engine), engine_now(engine) + 1);
    }
    engine_run_until(engine, NSEC_NEVER);
    ck_assert_str_eq(log.names, "01234567f");
}
END_TEST

START_TEST(a_cancelled_event_ahead_does_not_disturb_the_order)
{
    enum { N = 400 };
    g_autoptr(Engine) engine = engine_new();
    Event gone, events[N];
    event_init(&gone, nothing, 0);
    engine_schedule(engine, &gone, NSEC_PER_SEC);
    engine_cancel(engine, &gone);
    ck_assert(!engine_step(engine));
    for (int i = 0; i < N; i++) {
        event_init(&events[i], nothing, 0);
        engine_schedule(engine, &events[i], (i % 2) * NSEC_PER_SEC + 1000 * (N - i));
    }
    nsec_t last = 0;
    for (int i = 0; i < N; i++) {
        ck_assert(engine_step(engine));
        ck_assert_int_gt(engine_now(engine), last);
        last = engine_now(engine);
    }
}
END_TEST

START_TEST(step_runs_one_event)
{
    g_autoptr(Engine) engine = engine_new();
    Log log = {0};
    Named a, b;
    named_init(&a, &log, 'a', 0);
    named_init(&b, &log, 'b', 0);
    engine_schedule(engine, &a.event, 3);
    engine_schedule(engine, &b.event, 3);
    ck_assert(engine_step(engine));
    ck_assert_str_eq(log.names, "a");
    ck_assert_int_eq(engine_now(engine), 3);
    ck_assert(engine_step(engine));
    ck_assert(!engine_step(engine));
    ck_assert_str_eq(log.names, "ab");
}
END_TEST

START_TEST(stop_ends_the_run_after_the_handler_and_leaves_the_clock_there)
{
    g_autoptr(Engine) engine = engine_new();
    Log log = {0};
    Named a, b;
    named_init(&a, &log, 'a', 0);
    named_init(&b, &log, 'b', 0);
    a.then = stop;
    engine_schedule(engine, &a.event, 3);
    engine_schedule(engine, &b.event, 3);
    ck_assert(!engine_run_until(engine, 100));
    ck_assert_str_eq(log.names, "a");
    ck_assert_int_eq(engine_now(engine), 3);
    engine_stop(engine);
    ck_assert(engine_run_until(engine, 100));
    ck_assert_str_eq(log.names, "ab");
    ck_assert_int_eq(engine_now(engine), 100);
}
END_TEST

START_TEST(next_time_is_that_of_the_first_event_that_is_not_cancelled)
{
    enum { N = 200 };
    g_autoptr(Engine) engine = engine_new();
    Event events[N];
    for (int i = 0; i < N; i++) {
        event_init(&events[i], nothing, 0);
        engine_schedule(engine, &events[i], (i + 1) * NSEC_PER_MSEC);
    }
    for (int i = 0; i < N; i++) {
        ck_assert_int_eq(engine_next_time(engine), (i + 1) * NSEC_PER_MSEC);
        engine_cancel(engine, &events[i]);
        if (i == N / 2) {
            engine_step(engine);
            i++;
        }
    }
    ck_assert_int_eq(engine_next_time(engine), NSEC_NEVER);
}
END_TEST

START_TEST(scheduling_at_never_leaves_an_event_unscheduled)
{
    g_autoptr(Engine) engine = engine_new();
    Event event;
    event_init(&event, nothing, 0);
    engine_schedule(engine, &event, NSEC_NEVER);
    ck_assert(!event_is_scheduled(&event));
    engine_schedule(engine, &event, 10);
    engine_reschedule(engine, &event, NSEC_NEVER);
    ck_assert(!event_is_scheduled(&event));
    ck_assert_int_eq(engine_next_time(engine), NSEC_NEVER);
    ck_assert(!engine_step(engine));
    ck_assert_uint_eq(engine_counters(engine).n_pending, 0);
}
END_TEST

START_TEST(running_until_never_leaves_the_clock_at_the_last_event)
{
    g_autoptr(Engine) engine = engine_new();
    Event event;
    event_init(&event, nothing, 0);
    engine_schedule(engine, &event, 123456789);
    ck_assert(engine_run_until(engine, NSEC_NEVER));
    ck_assert_int_eq(engine_now(engine), 123456789);
    engine_schedule(engine, &event, 123456789);
    ck_assert_int_eq(engine_next_time(engine), 123456789);
}
END_TEST

START_TEST(the_clock_reaches_the_latest_time)
{
    g_autoptr(Engine) engine = engine_new();
    Log log = {0};
    Named named[50];
    for (int i = 0; i < 50; i++) {
        named_init(&named[i], &log, (char)('A' + i), 0);
        engine_schedule(engine, &named[i].event, ENGINE_TIME_MAX - i % 10);
    }
    ck_assert(engine_run_until(engine, ENGINE_TIME_MAX - 1));
    ck_assert_uint_eq(log.n, 45);
    ck_assert_int_eq(log.times[0], ENGINE_TIME_MAX - 9);
    ck_assert(engine_run_until(engine, ENGINE_TIME_MAX));
    ck_assert_int_eq(engine_now(engine), ENGINE_TIME_MAX);
    ck_assert_str_eq(log.names + 45, "AKU_i");
    engine_schedule(engine, &named[0].event, ENGINE_TIME_MAX);
    ck_assert(engine_run_until(engine, NSEC_NEVER));
    ck_assert_uint_eq(log.n, 51);
}
END_TEST

START_TEST(counters_tell_what_ran_and_what_is_pending)
{
    g_autoptr(Engine) engine = engine_new();
    Event events[10];
    for (int i = 0; i < 10; i++) {
        event_init(&events[i], nothing, 0);
        engine_schedule(engine, &events[i], 1 + i);
    }
    engine_run_until(engine, 4);
    engine_cancel(engine, &events[9]);
    EngineCounters counters = engine_counters(engine);
    ck_assert_uint_eq(counters.n_run, 4);
    ck_assert_uint_eq(counters.n_pending, 5);
    ck_assert_uint_eq(counters.peak_pending, 10);
    ck_assert_uint_gt(counters.bytes, 0);
}
END_TEST

START_TEST(memory_does_not_grow_with_cancelled_events)
{
    enum { N = 100 };
    g_autoptr(Engine) engine = engine_new();
    Event events[N];
    size_t bytes = 0;
    for (int i = 0; i < N; i++) {
        event_init(&events[i], nothing, 0);
    }
    for (int i = 0; i < 100000; i++) {
        engine_reschedule(engine, &events[i % N], NSEC_PER_SEC + i * (nsec_t)7919);
        if (i == 1000) {
            bytes = engine_counters(engine).bytes;
        }
    }
    ck_assert_uint_eq(engine_counters(engine).n_pending, N);
    ck_assert_uint_le(engine_counters(engine).bytes, 2 * bytes);
}
END_TEST

static void
hold(Engine *engine, Event *event)
{
    nsec_t now = engine_now(engine);
    engine_schedule(engine, event, now + 1 + now * 7919 % NSEC_PER_MSEC);
}

START_TEST(the_steady_state_allocates_nothing)
{
    enum { N = 5000 };
    g_autoptr(Engine) engine = engine_new();
    g_autofree Event *events = g_new(Event, N);
    for (int i = 0; i < N; i++) {
        event_init(&events[i], hold, 0);
        engine_schedule(engine, &events[i], i * (nsec_t)101);
    }
    engine_run_until(engine, 20 * NSEC_PER_MSEC);
    size_t bytes = engine_counters(engine).bytes;
    engine_run_until(engine, 40 * NSEC_PER_MSEC);
    ck_assert_uint_gt(engine_counters(engine).n_run, 20 * N);
    ck_assert_uint_eq(engine_counters(engine).bytes, bytes);
}
END_TEST

START_TEST(an_engine_can_be_freed_with_events_pending)
{
    Engine *engine = engine_new();
    Event event;
    event_init(&event, nothing, 0);
    engine_schedule(engine, &event, 5);
    engine_free(engine);
    engine_free(NULL);
    g_autoptr(Engine) other = engine_new();
    event_init(&event, nothing, 0);
    engine_schedule(other, &event, 5);
    ck_assert(engine_step(other));
}
END_TEST

/* For tests that abort on purpose. */
static void
be_silent(void)
{
    ck_assert(freopen("/dev/null", "w", stdout) != NULL);
    ck_assert(freopen("/dev/null", "w", stderr) != NULL);
}

START_TEST(scheduling_in_the_past_aborts)
{
    be_silent();
    g_autoptr(Engine) engine = engine_new();
    Event event;
    event_init(&event, nothing, 0);
    engine_run_until(engine, 10);
    engine_schedule(engine, &event, 9);
}
END_TEST

START_TEST(scheduling_an_event_twice_aborts)
{
    be_silent();
    g_autoptr(Engine) engine = engine_new();
    Event event;
    event_init(&event, nothing, 0);
    engine_schedule(engine, &event, 9);
    engine_schedule(engine, &event, 9);
}
END_TEST

START_TEST(scheduling_beyond_the_latest_time_aborts)
{
    be_silent();
    g_autoptr(Engine) engine = engine_new();
    Event event;
    event_init(&event, nothing, 0);
    engine_schedule(engine, &event, ENGINE_TIME_MAX + 1);
}
END_TEST

/* The engine against a list: the same operations on both, and whatever runs must be the list's
 * first.  (Each ck_assert is a system call, so not where it is called a million times.) */

enum { N_FUZZED = 600, N_OPERATIONS = 100000 };

typedef struct Fuzz Fuzz;

typedef struct Fuzzed {
    Event event;
    Fuzz *fuzz;
} Fuzzed;

typedef struct Listed {
    nsec_t time;
    uint8_t rank;
    Fuzzed *fuzzed;
} Listed;

struct Fuzz {
    Engine *engine;
    RandomStream random;
    nsec_t (*delay)(RandomStream *random);
    Fuzzed *pool;
    size_t n_pool;
    Listed *list; /* in order of time, rank, scheduling; the next to run is the last */
    size_t n_list;
    uint64_t n_run;
};

static void
list_add(Fuzz *fuzz, Fuzzed *fuzzed, nsec_t time)
{
    Listed new = {.time = time, .rank = fuzzed->event.rank, .fuzzed = fuzzed};
    Listed *at = fuzz->list;
    Listed *end = fuzz->list + fuzz->n_list;
    while (at < end && (at->time > time || (at->time == time && at->rank > new.rank))) {
        at++;
    }
    memmove(at + 1, at, (size_t)(end - at) * sizeof new);
    *at = new;
    fuzz->n_list++;
}

/* NULL when the list is empty. */
static const Listed *
list_first(const Fuzz *fuzz)
{
    return fuzz->n_list > 0 ? &fuzz->list[fuzz->n_list - 1] : NULL;
}

static void
list_remove(Fuzz *fuzz, size_t at)
{
    fuzz->n_list--;
    memmove(fuzz->list + at, fuzz->list + at + 1, (fuzz->n_list - at) * sizeof *fuzz->list);
}

static void
list_remove_event(Fuzz *fuzz, const Fuzzed *fuzzed)
{
    for (size_t i = 0; i < fuzz->n_list; i++) {
        if (fuzz->list[i].fuzzed == fuzzed) {
            list_remove(fuzz, i);
            return;
        }
    }
    ck_abort_msg("an event is scheduled that the list does not hold");
}

static uint8_t
any_rank(RandomStream *random)
{
    static const uint8_t ranks[] = {0, 3, 21, 63, 64, 255};
    return ranks[random_below(random, G_N_ELEMENTS(ranks))];
}

static void fuzz_operate(Fuzz *fuzz);

static void
on_fuzzed(Engine *engine, Event *event)
{
    Fuzzed *fuzzed = (Fuzzed *)event;
    Fuzz *fuzz = fuzzed->fuzz;
    const Listed *first = list_first(fuzz);
    if (first == NULL || first->fuzzed != fuzzed || first->time != engine_now(engine)) {
        ck_abort_msg("an event runs that is not the first of the list");
    }
    fuzz->n_list--;
    fuzz->n_run++;
    for (uint64_t n = random_below(&fuzz->random, 3); n > 0; n--) {
        fuzz_operate(fuzz);
    }
}

/* Schedules, reschedules or cancels an event, from a handler or between runs. */
static void
fuzz_operate(Fuzz *fuzz)
{
    Fuzzed *fuzzed = &fuzz->pool[random_below(&fuzz->random, fuzz->n_pool)];
    nsec_t at = engine_now(fuzz->engine) + fuzz->delay(&fuzz->random);
    bool is_scheduled = event_is_scheduled(&fuzzed->event);
    if (is_scheduled) {
        list_remove_event(fuzz, fuzzed);
    }
    if (random_below(&fuzz->random, 4) == 0 || at > ENGINE_TIME_MAX) {
        engine_cancel(fuzz->engine, &fuzzed->event);
        memset(fuzzed, 0xff, sizeof *fuzzed);
        event_init(&fuzzed->event, on_fuzzed, any_rank(&fuzz->random));
        fuzzed->fuzz = fuzz;
        return;
    }
    list_add(fuzz, fuzzed, at);
    if (is_scheduled) {
        engine_reschedule(fuzz->engine, &fuzzed->event, at);
    } else {
        engine_schedule(fuzz->engine, &fuzzed->event, at);
    }
}

static void
fuzz_run(Fuzz *fuzz)
{
    const Listed *first = list_first(fuzz);
    nsec_t next = first != NULL ? first->time : NSEC_NEVER;
    uint64_t n_before = fuzz->n_run;
    if (random_below(&fuzz->random, 2) == 0) {
        ck_assert_int_eq(engine_next_time(fuzz->engine), next);
    }
    if (random_below(&fuzz->random, 2) == 0) {
        ck_assert(engine_step(fuzz->engine) == (next != NSEC_NEVER));
        ck_assert_uint_eq(fuzz->n_run - n_before, next != NSEC_NEVER);
        return;
    }
    nsec_t until = engine_now(fuzz->engine) + fuzz->delay(&fuzz->random) / 16;
    until = MIN(until, ENGINE_TIME_MAX);
    engine_run_until(fuzz->engine, until);
    ck_assert_int_eq(engine_now(fuzz->engine), until);
    ck_assert(list_first(fuzz) == NULL || list_first(fuzz)->time > until);
}

static nsec_t
delay_tied(RandomStream *random)
{
    return (nsec_t)random_below(random, 4);
}

static nsec_t
delay_none_or_long(RandomStream *random)
{
    return random_below(random, 2) == 0 ? 0 : (nsec_t)random_below(random, 100) * NSEC_PER_SEC;
}

static nsec_t
delay_uniform(RandomStream *random)
{
    return (nsec_t)random_below(random, NSEC_PER_SEC);
}

static nsec_t
delay_rounded(RandomStream *random)
{
    return (nsec_t)random_below(random, 1000) * NSEC_PER_MSEC;
}

static nsec_t
delay_bimodal(RandomStream *random)
{
    bool is_short = random_below(random, 20) != 0;
    return (nsec_t)random_below(random, is_short ? NSEC_PER_USEC : 1000 * NSEC_PER_SEC);
}

/* Any order of magnitude, close to where digits change. */
static nsec_t
delay_of_powers(RandomStream *random)
{
    nsec_t power = INT64_C(1) << random_below(random, 40);
    return MAX(0, power + (nsec_t)random_below(random, 3) - 1);
}

/* A few of these reach the end of time. */
static nsec_t
delay_astronomic(RandomStream *random)
{
    return (nsec_t)random_below(random, UINT64_C(1) << random_below(random, 58));
}

static const struct {
    nsec_t (*delay)(RandomStream *random);
    size_t n_pool;
} fuzz_cases[] = {
    {delay_tied, 100},         {delay_tied, N_FUZZED},       {delay_none_or_long, 300},
    {delay_uniform, 5},        {delay_uniform, 100},         {delay_uniform, N_FUZZED},
    {delay_rounded, 200},      {delay_rounded, N_FUZZED},    {delay_bimodal, 100},
    {delay_bimodal, N_FUZZED}, {delay_of_powers, 1},         {delay_of_powers, 500},
    {delay_astronomic, 10},    {delay_astronomic, N_FUZZED},
};

START_TEST(whatever_is_done_events_run_in_the_order_of_a_sorted_list)
{
    Fuzz fuzz = {.engine = engine_new(), .delay = fuzz_cases[_i].delay};
    random_stream_init(&fuzz.random, 1, (uint32_t)_i, "engine", "operations");
    fuzz.n_pool = fuzz_cases[_i].n_pool;
    fuzz.pool = g_new(Fuzzed, fuzz.n_pool);
    fuzz.list = g_new(Listed, fuzz.n_pool + 1);
    for (size_t i = 0; i < fuzz.n_pool; i++) {
        event_init(&fuzz.pool[i].event, on_fuzzed, any_rank(&fuzz.random));
        fuzz.pool[i].fuzz = &fuzz;
    }
    for (int i = 0; i < N_OPERATIONS; i++) {
        fuzz_operate(&fuzz);
        if (random_below(&fuzz.random, i / 10000 % 2 == 0 ? 10 : 2) == 0) {
            fuzz_run(&fuzz);
        }
        if (engine_counters(fuzz.engine).n_pending != fuzz.n_list) {
            ck_abort_msg("the engine has lost count");
        }
    }
    ck_assert_uint_gt(fuzz.n_run, N_OPERATIONS / 20);
    engine_free(fuzz.engine);
    g_free(fuzz.pool);
    g_free(fuzz.list);
}
END_TEST

static Suite *
engine_suite(void)
{
    Suite *suite = suite_create("engine");
    TCase *order = tcase_create("order");
    tcase_add_test(order, a_new_engine_is_at_zero_and_has_nothing_to_run);
    tcase_add_test(order, events_run_in_order_of_time);
    tcase_add_test(order, equal_times_run_in_order_of_rank_and_then_of_scheduling);
    tcase_add_loop_test(order, ten_thousand_events_of_one_time_run_in_order, 0, 2);
    tcase_add_test(order, many_events_of_lower_rank_for_the_present_run_before_the_rest);
    tcase_add_test(order, an_event_for_the_present_runs_in_its_place_of_the_present);
    tcase_add_test(order, a_handler_can_schedule_its_own_event_again);
    tcase_add_test(order, an_event_knows_whether_and_when_it_is_scheduled);
    suite_add_tcase(suite, order);

    TCase *cancel = tcase_create("cancel");
    tcase_add_test(cancel, a_cancelled_event_does_not_run);
    tcase_add_test(cancel, cancelling_what_is_not_scheduled_does_nothing);
    tcase_add_test(cancel, a_handler_that_cancels_its_own_event_does_nothing);
    tcase_add_test(cancel, a_handler_can_cancel_later_events_of_its_time_and_of_others);
    tcase_add_test(cancel, a_rescheduled_event_runs_once_at_its_new_time);
    tcase_add_test(cancel, rescheduling_to_the_same_time_goes_behind_the_others);
    tcase_add_test(cancel, a_cancelled_event_can_be_freed_at_once);
    tcase_add_test(cancel, a_handler_can_free_its_own_event);
    tcase_add_test(cancel, an_event_can_be_reused_for_something_else_after_cancelling);
    suite_add_tcase(suite, cancel);

    TCase *run = tcase_create("run");
    tcase_add_test(run, run_until_includes_its_limit_and_sets_the_clock_to_it);
    tcase_add_test(run, events_scheduled_between_runs_come_before_later_ones);
    tcase_add_test(run, a_cancelled_event_ahead_does_not_disturb_the_order);
    tcase_add_test(run, step_runs_one_event);
    tcase_add_test(run, stop_ends_the_run_after_the_handler_and_leaves_the_clock_there);
    tcase_add_test(run, next_time_is_that_of_the_first_event_that_is_not_cancelled);
    tcase_add_test(run, scheduling_at_never_leaves_an_event_unscheduled);
    tcase_add_test(run, running_until_never_leaves_the_clock_at_the_last_event);
    tcase_add_test(run, the_clock_reaches_the_latest_time);
    suite_add_tcase(suite, run);

    TCase *resources = tcase_create("resources");
    tcase_add_test(resources, counters_tell_what_ran_and_what_is_pending);
    tcase_add_test(resources, memory_does_not_grow_with_cancelled_events);
    tcase_add_test(resources, the_steady_state_allocates_nothing);
    tcase_add_test(resources, an_engine_can_be_freed_with_events_pending);
    suite_add_tcase(suite, resources);

    TCase *misuse = tcase_create("misuse");
    tcase_add_test_raise_signal(misuse, scheduling_in_the_past_aborts, SIGABRT);
    tcase_add_test_raise_signal(misuse, scheduling_an_event_twice_aborts, SIGABRT);
    tcase_add_test_raise_signal(misuse, scheduling_beyond_the_latest_time_aborts, SIGABRT);
    suite_add_tcase(suite, misuse);

    TCase *fuzzed = tcase_create("against a sorted list");
    tcase_set_timeout(fuzzed, 60);
    tcase_add_loop_test(fuzzed, whatever_is_done_events_run_in_the_order_of_a_sorted_list, 0,
                        G_N_ELEMENTS(fuzz_cases));
    suite_add_tcase(suite, fuzzed);
    return suite;
}

int
main(void)
{
    SRunner *runner = srunner_create(engine_suite());
    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
