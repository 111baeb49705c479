/* CPU time (sim/cpu.h): CFS quotas and processor sharing, in closed forms where there are any. */
#include "sim/cpu.h"

#include "base/random.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>

#define MSEC NSEC_PER_MSEC
#define PERIOD (100 * MSEC)
#define FOREVER (INT64_C(1) << 60)
#define SLACK 2 /* ns: times are rounded up to whole nanoseconds once for each change of rate */

/* A job that notes when it was done. */
typedef struct Task {
    CpuJob job;
    Event event; /* submits it */
    Engine *engine;
    CpuGroup *group;
    nsec_t demand;
    nsec_t submitted;
    nsec_t done;   /* NSEC_NEVER until then */
    guint *n_done; /* counts over tasks; may be NULL */
    guint place;   /* among them */
} Task;

static void
on_done(CpuJob *job)
{
    Task *task = (Task *)((char *)job - offsetof(Task, job));
    ck_assert_ptr_null(job->group);
    ck_assert_int_eq(task->done, NSEC_NEVER); /* once */
    task->done = engine_now(task->engine);
    if (task->n_done != NULL) {
        task->place = ++*task->n_done;
    }
}

static void
on_submit(Engine *engine, Event *event)
{
    Task *task = (Task *)((char *)event - offsetof(Task, event));
    task->submitted = engine_now(engine);
    cpu_submit(task->group, &task->job, task->demand);
}

static void
task_at(Task *task, Engine *engine, CpuGroup *group, nsec_t at, nsec_t demand)
{
    *task = (Task){.job = {.done = on_done},
                   .engine = engine,
                   .group = group,
                   .demand = demand,
                   .done = NSEC_NEVER};
    event_init(&task->event, on_submit, 0);
    engine_schedule(engine, &task->event, at);
}

static void
check_time(nsec_t found, nsec_t expected)
{
    ck_assert_msg(found >= expected - SLACK && found <= expected + SLACK,
                  "found %" G_GINT64_FORMAT " ns, expected %" G_GINT64_FORMAT " ns", found,
                  expected);
}

/* ---- the bench: one engine, one node ---- */

static Engine *engine;
static CpuNode *node;

static void
bench_new(double cores, nsec_t phase)
{
    engine = engine_new();
    node = cpu_node_new(engine, cores, phase);
}

static void
bench_free(void)
{
    cpu_node_free(node);
    engine_free(engine);
}

/* ---- quotas ---- */

START_TEST(a_demand_below_the_quota_takes_just_its_time)
{
    bench_new(4, 0);
    CpuGroup *group = cpu_group_new(node, 20 * MSEC, PERIOD);
    Task task;
    task_at(&task, engine, group, 3 * MSEC, 15 * MSEC);
    engine_run_until(engine, NSEC_PER_SEC);
    check_time(task.done, 18 * MSEC);
    CpuUsage usage = cpu_group_usage(group);
    ck_assert_double_eq_tol(usage.used, 15e6, SLACK);
    ck_assert_double_eq(usage.throttled, 0);
    ck_assert_uint_eq(usage.periods, 0);
    cpu_group_free(group);
    bench_free();
}
END_TEST

/* When one job on a free core is done: quota by quota, in whole numbers. */
static nsec_t
stretched(nsec_t start, nsec_t demand, nsec_t quota, nsec_t period, nsec_t phase)
{
    nsec_t now = start, left = demand;
    nsec_t into = ((now - phase) % period + period) % period;
    nsec_t end = now - into + period;
    while (left > 0) {
        nsec_t run = MIN(MIN(quota, end - now), left);
        left -= run;
        if (left == 0) {
            return now + run;
        }
        now = end;
        end += period;
    }
    return now;
}

static const struct {
    nsec_t start, demand, quota, phase;
} stretches[] = {
    {0, 50, 20, 0},    {0, 20, 20, 0},      {0, 40, 20, 0},     {0, 21, 20, 0},
    {0, 50, 20, 30},   {0, 50, 20, 99},     {95, 50, 20, 0},    {95, 5, 20, 0},
    {95, 6, 20, 0},    {1000, 500, 50, 70}, {1234, 777, 15, 7}, {0, 250, 100, 0},
    {50, 250, 100, 0}, {0, 1000, 99, 42},   {99, 1, 1, 0},      {0, 30, 1, 0},
};

START_TEST(a_demand_beyond_the_quota_is_stretched_over_periods_exactly)
{
    nsec_t start = stretches[_i].start * MSEC, demand = stretches[_i].demand * MSEC;
    nsec_t quota = stretches[_i].quota * MSEC, phase = stretches[_i].phase * MSEC;
    bench_new(4, phase);
    CpuGroup *group = cpu_group_new(node, quota, PERIOD);
    Task task;
    task_at(&task, engine, group, start, demand);
    engine_run_until(engine, 100 * NSEC_PER_SEC);
    check_time(task.done, stretched(start, demand, quota, PERIOD, phase));
    ck_assert_double_eq_tol(cpu_group_usage(group).used, (double)demand, 10);
    cpu_group_free(group);
    bench_free();
}
END_TEST

START_TEST(the_reference_of_the_stretching_is_right_for_a_case_worked_by_hand)
{
    /* 20 ms of each 100 ms: 0-20, 100-120, 200-210 */
    ck_assert_int_eq(stretched(0, 50 * MSEC, 20 * MSEC, PERIOD, 0), 210 * MSEC);
    /* periods end at 30, 130, ...: 0-20, 30-50, 130-140 */
    ck_assert_int_eq(stretched(0, 50 * MSEC, 20 * MSEC, PERIOD, 30 * MSEC), 140 * MSEC);
}
END_TEST

START_TEST(without_a_quota_nothing_is_stretched)
{
    bench_new(1, 0);
    CpuGroup *group = cpu_group_new(node, 0, PERIOD);
    Task task;
    task_at(&task, engine, group, 0, 12345 * MSEC);
    engine_run_until(engine, 100 * NSEC_PER_SEC);
    check_time(task.done, 12345 * MSEC);
    ck_assert_uint_eq(cpu_group_usage(group).periods, 0);
    cpu_group_free(group);
    bench_free();
}
END_TEST

START_TEST(idle_quota_is_not_saved_up)
{
    bench_new(4, 0);
    CpuGroup *group = cpu_group_new(node, 20 * MSEC, PERIOD);
    Task first, second;
    task_at(&first, engine, group, 0, 5 * MSEC);
    task_at(&second, engine, group, 1000 * MSEC, 50 * MSEC);
    engine_run_until(engine, 10 * NSEC_PER_SEC);
    check_time(first.done, 5 * MSEC);
    check_time(second.done, 1210 * MSEC);
    cpu_group_free(group);
    bench_free();
}
END_TEST

START_TEST(what_is_left_of_a_period_is_what_the_next_job_of_the_period_gets)
{
    bench_new(4, 0);
    CpuGroup *group = cpu_group_new(node, 20 * MSEC, PERIOD);
    Task first, second;
    task_at(&first, engine, group, 0, 15 * MSEC);
    task_at(&second, engine, group, 50 * MSEC, 10 * MSEC); /* 50-55, 100-105 */
    engine_run_until(engine, 10 * NSEC_PER_SEC);
    check_time(second.done, 105 * MSEC);
    cpu_group_free(group);
    bench_free();
}
END_TEST

START_TEST(a_job_that_comes_after_the_quota_is_spent_waits_for_the_next_period)
{
    bench_new(4, 0);
    CpuGroup *group = cpu_group_new(node, 20 * MSEC, PERIOD);
    Task first, second;
    task_at(&first, engine, group, 0, 20 * MSEC);
    task_at(&second, engine, group, 50 * MSEC, 5 * MSEC);
    engine_run_until(engine, 10 * NSEC_PER_SEC);
    check_time(first.done, 20 * MSEC);
    check_time(second.done, 105 * MSEC);
    ck_assert_double_eq_tol(cpu_group_usage(group).throttled, 50e6, 10);
    cpu_group_free(group);
    bench_free();
}
END_TEST

START_TEST(a_period_in_which_a_late_job_finds_the_quota_spent_counts_as_throttled)
{
    bench_new(4, 0);
    CpuGroup *group = cpu_group_new(node, 20 * MSEC, PERIOD);
    Task first, second;
    task_at(&first, engine, group, 0, 20 * MSEC);
    task_at(&second, engine, group, 50 * MSEC, 5 * MSEC);
    engine_run_until(engine, 10 * NSEC_PER_SEC);
    ck_assert_uint_eq(cpu_group_usage(group).periods, 1);
    cpu_group_free(group);
    bench_free();
}
END_TEST

START_TEST(two_threads_spend_the_quota_twice_as_fast)
{
    bench_new(4, 0);
    CpuGroup *group = cpu_group_new(node, 20 * MSEC, PERIOD);
    Task tasks[2];
    for (int i = 0; i < 2; i++) { /* each 0-10, then 100-110 */
        task_at(&tasks[i], engine, group, 0, 20 * MSEC);
    }
    engine_run_until(engine, 10 * NSEC_PER_SEC);
    for (int i = 0; i < 2; i++) {
        check_time(tasks[i].done, 110 * MSEC);
    }
    ck_assert_double_eq_tol(cpu_group_usage(group).used, 40e6, 10);
    cpu_group_free(group);
    bench_free();
}
END_TEST

START_TEST(a_quota_of_whole_cores_never_throttles_as_many_threads)
{
    bench_new(8, 37 * MSEC);
    CpuGroup *group = cpu_group_new(node, 3 * PERIOD, PERIOD);
    Task tasks[3];
    for (int i = 0; i < 3; i++) {
        task_at(&tasks[i], engine, group, 11 * MSEC, 1000 * MSEC);
    }
    engine_run_until(engine, 10 * NSEC_PER_SEC);
    for (int i = 0; i < 3; i++) {
        check_time(tasks[i].done, 1011 * MSEC);
    }
    ck_assert_double_eq(cpu_group_usage(group).throttled, 0);
    cpu_group_free(group);
    bench_free();
}
END_TEST

START_TEST(throttling_is_accounted_in_time_and_in_periods)
{
    bench_new(4, 0);
    CpuGroup *group = cpu_group_new(node, 20 * MSEC, PERIOD);
    Task task;
    task_at(&task, engine, group, 0, 50 * MSEC);
    engine_run_until(engine, 60 * MSEC); /* in the middle of it: what is used so far */
    CpuUsage usage = cpu_group_usage(group);
    ck_assert_double_eq_tol(usage.used, 20e6, 10);
    ck_assert_double_eq_tol(usage.throttled, 40e6, 10);
    ck_assert_uint_eq(usage.periods, 1);
    engine_run_until(engine, 10 * NSEC_PER_SEC);
    usage = cpu_group_usage(group);
    ck_assert_double_eq_tol(usage.used, 50e6, 10);
    ck_assert_double_eq_tol(usage.throttled, 160e6, 10);
    ck_assert_uint_eq(usage.periods, 2);
    cpu_group_free(group);
    bench_free();
}
END_TEST

START_TEST(periods_of_all_groups_of_a_node_end_together)
{
    bench_new(4, 40 * MSEC);
    CpuGroup *groups[2];
    Task tasks[2];
    for (int i = 0; i < 2; i++) { /* made and started at different times of one period */
        groups[i] = cpu_group_new(node, 10 * MSEC, PERIOD);
        task_at(&tasks[i], engine, groups[i], (50 + 30 * i) * MSEC, 15 * MSEC);
    }
    engine_run_until(engine, 10 * NSEC_PER_SEC);
    for (int i = 0; i < 2; i++) {
        check_time(tasks[i].done, 145 * MSEC);
        cpu_group_free(groups[i]);
    }
    bench_free();
}
END_TEST

/* ---- sharing ---- */

START_TEST(two_jobs_share_a_core)
{
    bench_new(1, 0);
    CpuGroup *group = cpu_group_new(node, 0, PERIOD);
    Task shorter, longer;
    task_at(&shorter, engine, group, 0, 10 * MSEC);
    task_at(&longer, engine, group, 0, 30 * MSEC);
    engine_run_until(engine, NSEC_PER_SEC);
    check_time(shorter.done, 20 * MSEC); /* at half speed */
    check_time(longer.done, 40 * MSEC);  /* then alone */
    cpu_group_free(group);
    bench_free();
}
END_TEST

START_TEST(jobs_of_different_groups_share_as_jobs_of_one)
{
    bench_new(1, 0);
    CpuGroup *one = cpu_group_new(node, 0, PERIOD), *other = cpu_group_new(node, 0, PERIOD);
    Task first, second;
    task_at(&first, engine, one, 0, 20 * MSEC);
    task_at(&second, engine, other, 10 * MSEC, 10 * MSEC);
    engine_run_until(engine, NSEC_PER_SEC);
    check_time(first.done, 30 * MSEC); /* 10 alone, 10 shared over 20 */
    check_time(second.done, 30 * MSEC);
    cpu_group_free(one);
    cpu_group_free(other);
    bench_free();
}
END_TEST

START_TEST(a_job_uses_at_most_one_core)
{
    bench_new(40, 0);
    CpuGroup *group = cpu_group_new(node, 0, PERIOD);
    Task task;
    task_at(&task, engine, group, 0, 70 * MSEC);
    engine_run_until(engine, NSEC_PER_SEC);
    check_time(task.done, 70 * MSEC);
    cpu_group_free(group);
    bench_free();
}
END_TEST

START_TEST(more_jobs_than_cores_each_get_their_share)
{
    int n_jobs = 1 + _i;
    bench_new(2, 0);
    CpuGroup *groups[8];
    Task tasks[8];
    for (int i = 0; i < n_jobs; i++) {
        groups[i] = cpu_group_new(node, 0, PERIOD);
        task_at(&tasks[i], engine, groups[i], 0, 20 * MSEC);
    }
    engine_run_until(engine, NSEC_PER_SEC);
    for (int i = 0; i < n_jobs; i++) {
        check_time(tasks[i].done, n_jobs <= 2 ? 20 * MSEC : 20 * MSEC * n_jobs / 2);
        cpu_group_free(groups[i]);
    }
    bench_free();
}
END_TEST

/* On one core by processor sharing, the k-th shortest of n jobs that start together is done when
 * every job has had as much as it: sum over i of min(d_i, d_k). */
START_TEST(jobs_that_start_together_end_as_processor_sharing_says)
{
    const nsec_t demands[] = {7, 3, 11, 3, 1, 29};
    bench_new(1, 0);
    CpuGroup *group = cpu_group_new(node, 0, PERIOD);
    Task tasks[G_N_ELEMENTS(demands)];
    for (guint i = 0; i < G_N_ELEMENTS(demands); i++) {
        task_at(&tasks[i], engine, group, 0, demands[i] * MSEC);
    }
    engine_run_until(engine, NSEC_PER_SEC);
    for (guint i = 0; i < G_N_ELEMENTS(demands); i++) {
        nsec_t expected = 0;
        for (guint k = 0; k < G_N_ELEMENTS(demands); k++) {
            expected += MIN(demands[i], demands[k]) * MSEC;
        }
        ck_assert_int_le(ABS(tasks[i].done - expected), 10);
    }
    cpu_group_free(group);
    bench_free();
}
END_TEST

START_TEST(a_throttled_group_leaves_its_cores_to_others)
{
    bench_new(1, 0);
    CpuGroup *polling = cpu_group_new(node, 20 * MSEC, PERIOD);
    CpuGroup *other = cpu_group_new(node, 0, PERIOD);
    Task poll, work;
    task_at(&poll, engine, polling, 0, FOREVER);
    task_at(&work, engine, other, 0, 100 * MSEC);
    engine_run_until(engine, NSEC_PER_SEC);
    /* 0-40 at half speed (20), 40-100 alone (80), 100-140 at half speed (100) */
    check_time(work.done, 140 * MSEC);
    cpu_group_free(polling);
    cpu_group_free(other);
    bench_free();
}
END_TEST

START_TEST(jobs_that_end_together_are_all_done)
{
    bench_new(2, 0);
    CpuGroup *group = cpu_group_new(node, 0, PERIOD);
    Task tasks[7];
    guint n_done = 0;
    for (guint i = 0; i < G_N_ELEMENTS(tasks); i++) {
        task_at(&tasks[i], engine, group, 0, 10 * MSEC);
        tasks[i].n_done = &n_done;
    }
    engine_run_until(engine, NSEC_PER_SEC);
    ck_assert_uint_eq(n_done, G_N_ELEMENTS(tasks));
    for (guint i = 0; i < G_N_ELEMENTS(tasks); i++) {
        check_time(tasks[i].done, 35 * MSEC);
    }
    cpu_group_free(group);
    bench_free();
}
END_TEST

START_TEST(jobs_that_end_together_end_in_the_order_of_arrival)
{
    bench_new(2, 0);
    CpuGroup *group = cpu_group_new(node, 0, PERIOD);
    Task tasks[7];
    guint n_done = 0;
    for (guint i = 0; i < G_N_ELEMENTS(tasks); i++) {
        task_at(&tasks[i], engine, group, 0, 10 * MSEC);
        tasks[i].n_done = &n_done;
    }
    engine_run_until(engine, NSEC_PER_SEC);
    for (guint i = 0; i < G_N_ELEMENTS(tasks); i++) {
        ck_assert_uint_eq(tasks[i].place, i + 1);
    }
    cpu_group_free(group);
    bench_free();
}
END_TEST

START_TEST(a_job_that_needs_nothing_is_done_at_once_but_not_within_the_call)
{
    bench_new(1, 0);
    CpuGroup *group = cpu_group_new(node, 20 * MSEC, PERIOD);
    Task task;
    task_at(&task, engine, group, NSEC_NEVER, 0);
    cpu_submit(group, &task.job, 0);
    ck_assert_int_eq(task.done, NSEC_NEVER);
    engine_run_until(engine, NSEC_PER_SEC);
    ck_assert_int_eq(task.done, 0);
    cpu_group_free(group);
    bench_free();
}
END_TEST

/* ---- polling ---- */

START_TEST(a_polling_group_makes_a_frame_wait_for_the_next_period)
{
    bench_new(4, 0);
    CpuGroup *group = cpu_group_new(node, 50 * MSEC, PERIOD);
    Task poll, early, late;
    task_at(&poll, engine, group, 0, FOREVER);
    task_at(&early, engine, group, 210 * MSEC, 1000);
    task_at(&late, engine, group, 270 * MSEC, 1000);
    engine_run_until(engine, NSEC_PER_SEC);
    check_time(early.done, 210 * MSEC + 1000);
    check_time(late.done, 300 * MSEC + 1000);
    ck_assert_int_eq(poll.done, NSEC_NEVER);
    cpu_group_free(group);
    bench_free();
}
END_TEST

START_TEST(a_polling_group_leaves_what_is_reserved_of_its_quota)
{
    bench_new(4, 0);
    CpuGroup *group = cpu_group_new(node, 50 * MSEC, PERIOD);
    ck_assert_double_eq(cpu_group_limit(group), 0.5);
    cpu_group_set_reserve(group, 0.1);
    cpu_group_set_polling(group, true);
    engine_run_until(engine, NSEC_PER_SEC - 1);
    ck_assert_double_eq_tol(cpu_group_usage(group).used, 10 * 40e6, 10 * SLACK);
    cpu_group_set_reserve(group, 0);
    engine_run_until(engine, 2 * NSEC_PER_SEC - 1);
    ck_assert_double_eq_tol(cpu_group_usage(group).used, 10 * 40e6 + 10 * 50e6, 20 * SLACK);
    cpu_group_free(group);
    bench_free();
}
END_TEST

START_TEST(a_reserve_beyond_the_quota_leaves_a_little)
{
    bench_new(4, 0);
    CpuGroup *group = cpu_group_new(node, 50 * MSEC, PERIOD);
    cpu_group_set_reserve(group, 0.7);
    cpu_group_set_polling(group, true);
    engine_run_until(engine, NSEC_PER_SEC - 1);
    double used = cpu_group_usage(group).used;
    ck_assert_double_gt(used, 0);
    ck_assert_double_lt(used, 10 * 1e6);
    cpu_group_free(group);
    bench_free();
}
END_TEST

START_TEST(a_polling_group_burns_its_quota_in_every_period)
{
    bench_new(4, 13 * MSEC);
    CpuGroup *group = cpu_group_new(node, 52 * MSEC + MSEC / 2, PERIOD);
    Task poll;
    task_at(&poll, engine, group, 13 * MSEC, FOREVER);
    engine_run_until(engine, 13 * MSEC + 100 * PERIOD);
    CpuUsage usage = cpu_group_usage(group);
    ck_assert_double_eq_tol(usage.used, 100 * 52.5e6, 1000);
    ck_assert_double_eq_tol(usage.throttled, 100 * 47.5e6, 1000);
    ck_assert_uint_eq(usage.periods, 100);
    cpu_group_free(group);
    bench_free();
}
END_TEST

/* A frame that arrives at a random instant finds the thread stopped with probability 1-q and then
 * waits half of what is left on average: (1-q) * (1-q) * period / 2.  Arrivals are one in every
 * tenth period, at a random place in it. */
START_TEST(the_mean_wait_at_a_polling_thread_is_that_of_the_formula)
{
    enum { N = 8000 };
    const double shares[] = {0.1, 0.25, 0.5, 0.525, 0.9};
    const nsec_t frame = 100;
    double q = shares[_i], period = (double)PERIOD;
    bench_new(4, 71 * MSEC);
    CpuGroup *group = cpu_group_new(node, (nsec_t)(q * period), PERIOD);
    g_autofree Task *frames = g_new0(Task, N);
    Task poll;
    task_at(&poll, engine, group, 0, FOREVER);
    RandomStream random;
    random_stream_init(&random, 1, (uint32_t)_i, "frame", "arrival");
    for (int i = 0; i < N; i++) {
        nsec_t at = (10 * i + 1) * PERIOD + (nsec_t)(random_uniform(&random) * period);
        task_at(&frames[i], engine, group, at, frame);
    }
    engine_run_until(engine, (10 * (nsec_t)N + 10) * PERIOD);
    double sum = 0, squares = 0;
    for (int i = 0; i < N; i++) {
        ck_assert_int_ne(frames[i].done, NSEC_NEVER);
        double wait = (double)(frames[i].done - frames[i].submitted - frame);
        sum += wait;
        squares += wait * wait;
    }
    double mean = sum / N, error = sqrt((squares / N - mean * mean) / N);
    double expected = (1 - q) * (1 - q) * period / 2;
    ck_assert_msg(fabs(mean - expected) < 4 * error, "q %.3f: mean %.0f ns, want %.0f +- %.0f", q,
                  mean, expected, error);
    ck_assert_double_lt(error, 0.05 * expected); /* the test can tell */
    cpu_group_free(group);
    bench_free();
}
END_TEST

/* ---- the polling thread and what rides on it ---- */

START_TEST(a_polling_thread_uses_its_quota_to_the_nanosecond_in_every_period)
{
    const nsec_t phase = 13 * MSEC, quota = 52 * MSEC + MSEC / 2;
    bench_new(4, phase);
    CpuGroup *group = cpu_group_new(node, quota, PERIOD);
    engine_run_until(engine, phase);
    cpu_group_set_polling(group, true);
    ck_assert(cpu_group_is_polling(group));
    for (int i = 1; i <= 100; i++) {
        engine_run_until(engine, phase + i * PERIOD);
        CpuUsage usage = cpu_group_usage(group);
        ck_assert_double_eq(usage.used, (double)(i * quota));
        ck_assert_double_eq(usage.throttled, (double)(i * (PERIOD - quota)));
        ck_assert_uint_eq(usage.periods, i);
    }
    cpu_group_free(group);
    bench_free();
}
END_TEST

START_TEST(a_polling_thread_without_a_quota_uses_a_whole_core)
{
    bench_new(4, 0);
    CpuGroup *group = cpu_group_new(node, 0, PERIOD);
    cpu_group_set_polling(group, true);
    engine_run_until(engine, 1234 * MSEC);
    ck_assert_double_eq(cpu_group_usage(group).used, 1234e6);
    ck_assert_uint_eq(cpu_group_usage(group).periods, 0);
    cpu_group_free(group);
    bench_free();
}
END_TEST

START_TEST(a_job_beside_a_polling_thread_shares_the_core_and_the_quota)
{
    bench_new(1, 0);
    CpuGroup *group = cpu_group_new(node, 0, PERIOD);
    Task task;
    cpu_group_set_polling(group, true);
    task_at(&task, engine, group, 0, 10 * MSEC);
    engine_run_until(engine, NSEC_PER_SEC);
    check_time(task.done, 20 * MSEC); /* at half speed */
    cpu_group_free(group);
    bench_free();

    bench_new(4, 0);
    group = cpu_group_new(node, 20 * MSEC, PERIOD);
    cpu_group_set_polling(group, true);
    task_at(&task, engine, group, 0, 15 * MSEC); /* both 0-10, then 100-105 */
    engine_run_until(engine, 200 * MSEC);
    check_time(task.done, 105 * MSEC);
    ck_assert_double_eq_tol(cpu_group_usage(group).used, 40e6, SLACK);
    cpu_group_free(group);
    bench_free();
}
END_TEST

static void
on_submit_polled(Engine *running, Event *event)
{
    Task *task = (Task *)((char *)event - offsetof(Task, event));
    task->submitted = engine_now(running);
    cpu_submit_polled(task->group, &task->job, task->demand);
}

static void
ride_at(Task *task, CpuGroup *group, nsec_t at, nsec_t demand)
{
    task_at(task, engine, group, NSEC_NEVER, demand);
    event_init(&task->event, on_submit_polled, 0);
    engine_schedule(engine, &task->event, at);
}

static const struct {
    nsec_t at, demand, done; /* ms; the thread runs 0-20, 100-120, 200-220 */
} rides[] = {{0, 20, 20}, {5, 15, 20}, {5, 30, 115}, {19, 1, 20}, {20, 1, 101}, {50, 45, 305}};

START_TEST(a_riding_job_is_done_when_the_thread_has_run_for_its_demand)
{
    bench_new(4, 0);
    CpuGroup *group = cpu_group_new(node, 20 * MSEC, PERIOD);
    Task ride;
    cpu_group_set_polling(group, true);
    ride_at(&ride, group, rides[_i].at * MSEC, rides[_i].demand * MSEC);
    engine_run_until(engine, NSEC_PER_SEC);
    ck_assert_int_eq(ride.done, rides[_i].done * MSEC);
    ck_assert_double_eq(cpu_group_usage(group).used, 200e6); /* what polling alone uses */
    ck_assert_uint_eq(cpu_group_usage(group).periods, 10);
    cpu_group_free(group);
    bench_free();
}
END_TEST

START_TEST(a_riding_job_is_as_slow_as_the_thread_that_shares_a_core)
{
    bench_new(1, 0);
    CpuGroup *group = cpu_group_new(node, 0, PERIOD), *other = cpu_group_new(node, 0, PERIOD);
    Task ride, task;
    cpu_group_set_polling(group, true);
    ride_at(&ride, group, 0, 10 * MSEC);
    task_at(&task, engine, other, 0, 30 * MSEC);
    engine_run_until(engine, 20 * MSEC);
    ck_assert_int_eq(ride.done, 20 * MSEC);
    ck_assert_double_eq(cpu_group_usage(group).used, 10e6);
    ck_assert_double_eq(cpu_group_usage(other).used, 10e6);
    cpu_group_free(group);
    cpu_group_free(other);
    bench_free();
}
END_TEST

START_TEST(a_riding_job_that_is_cancelled_leaves_the_thread_as_it_was)
{
    bench_new(4, 0);
    CpuGroup *group = cpu_group_new(node, 20 * MSEC, PERIOD);
    Task ride, next;
    cpu_group_set_polling(group, true);
    ride_at(&ride, group, 0, 10 * MSEC);
    engine_run_until(engine, 5 * MSEC);
    cpu_cancel(&ride.job);
    ride_at(&next, group, 6 * MSEC, 4 * MSEC);
    engine_run_until(engine, 150 * MSEC);
    ck_assert_int_eq(ride.done, NSEC_NEVER);
    ck_assert_int_eq(next.done, 10 * MSEC);
    ck_assert_double_eq(cpu_group_usage(group).used, 40e6);
    cpu_group_free(group);
    bench_free();
}
END_TEST

START_TEST(polling_that_begins_and_ends_beside_a_job_takes_its_share_meanwhile)
{
    bench_new(1, 0);
    CpuGroup *group = cpu_group_new(node, 0, PERIOD);
    Task task;
    task_at(&task, engine, group, 0, 30 * MSEC);
    engine_run_until(engine, 10 * MSEC);
    cpu_group_set_polling(group, true);
    engine_run_until(engine, 20 * MSEC);
    cpu_group_set_polling(group, false);
    ck_assert(!cpu_group_is_polling(group));
    engine_run_until(engine, NSEC_PER_SEC);
    check_time(task.done, 35 * MSEC); /* 10 alone, 5 shared, 15 alone */
    ck_assert_double_eq_tol(cpu_group_usage(group).used, 35e6, SLACK);
    cpu_group_free(group);
    bench_free();
}
END_TEST

START_TEST(polling_that_ends_and_begins_again_gets_no_new_quota_within_the_period)
{
    bench_new(4, 0);
    CpuGroup *group = cpu_group_new(node, 20 * MSEC, PERIOD);
    cpu_group_set_polling(group, true);
    engine_run_until(engine, 50 * MSEC);
    cpu_group_set_polling(group, false);
    engine_run_until(engine, 60 * MSEC);
    cpu_group_set_polling(group, true);
    engine_run_until(engine, 110 * MSEC);
    CpuUsage usage = cpu_group_usage(group);
    ck_assert_double_eq(usage.used, 30e6);
    ck_assert_double_eq(usage.throttled, 70e6); /* 20-50 and 60-100 */
    ck_assert_uint_eq(usage.periods, 1);
    cpu_group_set_polling(group, false);
    engine_run_until(engine, 250 * MSEC);
    ck_assert_double_eq(cpu_group_usage(group).used, 30e6);
    cpu_group_set_polling(group, true); /* in a period of its own */
    engine_run_until(engine, 290 * MSEC);
    ck_assert_double_eq(cpu_group_usage(group).used, 50e6);
    cpu_group_free(group);
    bench_free();
}
END_TEST

START_TEST(polling_that_is_turned_on_or_off_twice_is_on_or_off_once)
{
    bench_new(4, 0);
    CpuGroup *group = cpu_group_new(node, 0, PERIOD);
    cpu_group_set_polling(group, true);
    cpu_group_set_polling(group, true);
    engine_run_until(engine, 10 * MSEC);
    ck_assert_double_eq(cpu_group_usage(group).used, 10e6);
    cpu_group_set_polling(group, false);
    cpu_group_set_polling(group, false);
    engine_run_until(engine, 20 * MSEC);
    ck_assert_double_eq(cpu_group_usage(group).used, 10e6);
    cpu_group_free(group);
    bench_free();
}
END_TEST

START_TEST(a_polling_group_that_is_freed_gives_its_core_to_others)
{
    bench_new(1, 0);
    CpuGroup *group = cpu_group_new(node, 0, PERIOD), *other = cpu_group_new(node, 0, PERIOD);
    Task ride, task;
    cpu_group_set_polling(group, true);
    ride_at(&ride, group, 0, 50 * MSEC);
    task_at(&task, engine, other, 0, 30 * MSEC);
    engine_run_until(engine, 20 * MSEC);
    cpu_group_free(group);
    ck_assert_ptr_null(ride.job.group);
    engine_run_until(engine, NSEC_PER_SEC);
    check_time(task.done, 40 * MSEC); /* 10 shared, 20 alone */
    ck_assert_int_eq(ride.done, NSEC_NEVER);
    cpu_group_free(other);
    bench_free();
}
END_TEST

/* ---- phases ---- */

START_TEST(a_group_with_its_own_phase_begins_its_periods_there)
{
    bench_new(4, 40 * MSEC);
    CpuGroup *group = cpu_group_new(node, 20 * MSEC, PERIOD);
    CpuGroup *hosts = cpu_group_new(node, 20 * MSEC, PERIOD);
    cpu_group_set_phase(group, 70 * MSEC);
    Task task, other;
    task_at(&task, engine, group, 0, 50 * MSEC);  /* 0-20, 70-90, 170-180 */
    task_at(&other, engine, hosts, 0, 50 * MSEC); /* 0-20, 40-60, 140-150 */
    engine_run_until(engine, NSEC_PER_SEC);
    check_time(task.done, 180 * MSEC);
    check_time(other.done, 150 * MSEC);
    cpu_group_free(group);
    cpu_group_free(hosts);
    bench_free();
}
END_TEST

/* ---- loads ---- */

START_TEST(a_load_is_accounted_without_any_job)
{
    bench_new(4, 0);
    CpuGroup *group = cpu_group_new(node, 50 * MSEC, PERIOD);
    cpu_group_set_load(group, 0.25);
    engine_run_until(engine, 1000 * MSEC);
    ck_assert_double_eq_tol(cpu_group_usage(group).used, 250e6, 1);
    cpu_group_set_load(group, 0);
    engine_run_until(engine, 2000 * MSEC);
    ck_assert_double_eq_tol(cpu_group_usage(group).used, 250e6, 1);
    ck_assert_uint_eq(cpu_group_usage(group).periods, 0);
    cpu_group_free(group);
    bench_free();
}
END_TEST

START_TEST(a_load_drains_the_quota_of_jobs_beside_it)
{
    bench_new(4, 0);
    CpuGroup *group = cpu_group_new(node, 50 * MSEC, PERIOD);
    Task task;
    cpu_group_set_load(group, 0.25);
    task_at(&task, engine, group, 0, 45 * MSEC); /* 0-40, as 40 * 1.25 = 50; 100-105 */
    engine_run_until(engine, 300 * MSEC);
    check_time(task.done, 105 * MSEC);
    ck_assert_double_eq_tol(cpu_group_usage(group).throttled, 60e6, SLACK);
    ck_assert_uint_eq(cpu_group_usage(group).periods, 1);
    cpu_group_free(group);
    bench_free();
}
END_TEST

START_TEST(a_load_drains_the_quota_while_no_job_runs)
{
    bench_new(4, 0);
    CpuGroup *group = cpu_group_new(node, 50 * MSEC, PERIOD);
    Task first, second;
    cpu_group_set_load(group, 0.25);
    task_at(&first, engine, group, 0, 4 * MSEC);
    /* 4 and 0.25 * 60 are spent when it comes: 31 / 1.25 = 24.8 are left, and 5.2 wait */
    task_at(&second, engine, group, 60 * MSEC, 30 * MSEC);
    engine_run_until(engine, 300 * MSEC);
    check_time(first.done, 4 * MSEC);
    check_time(second.done, 105 * MSEC + MSEC / 5);
    cpu_group_free(group);
    bench_free();
}
END_TEST

START_TEST(a_load_that_changes_drains_what_it_was_at_each_time)
{
    bench_new(4, 0);
    CpuGroup *group = cpu_group_new(node, 50 * MSEC, PERIOD);
    Task task;
    task_at(&task, engine, group, 250 * MSEC, 32 * MSEC);
    engine_run_until(engine, 210 * MSEC);
    cpu_group_set_load(group, 0.5);
    engine_run_until(engine, 240 * MSEC);
    cpu_group_set_load(group, 0.25);
    engine_run_until(engine, 500 * MSEC);
    /* 50 - 15 - 2.5 = 32.5 = 26 * 1.25 are left when it comes: 250-276, 300-306 */
    check_time(task.done, 306 * MSEC);
    ck_assert_double_eq_tol(cpu_group_usage(group).used, 32e6 + 15e6 + 0.25 * 260e6, SLACK);
    cpu_group_free(group);
    bench_free();
}
END_TEST

START_TEST(loads_leave_what_is_left_of_the_cores_to_jobs)
{
    bench_new(1, 0);
    CpuGroup *loaded = cpu_group_new(node, 0, PERIOD), *group = cpu_group_new(node, 0, PERIOD);
    Task task;
    task_at(&task, engine, group, 0, 30 * MSEC);
    engine_run_until(engine, 10 * MSEC);
    cpu_group_set_load(loaded, 0.5);
    engine_run_until(engine, 30 * MSEC); /* 10 more at half speed */
    cpu_group_free(loaded);
    engine_run_until(engine, NSEC_PER_SEC);
    check_time(task.done, 40 * MSEC);
    cpu_group_free(group);
    bench_free();
}
END_TEST

/* ---- cancelling and freeing ---- */

typedef struct Cancel {
    Event event;
    Task *task;
} Cancel;

static void
on_cancel(Engine *running, Event *event)
{
    (void)running;
    Cancel *cancel = (Cancel *)((char *)event - offsetof(Cancel, event));
    cpu_cancel(&cancel->task->job);
    cpu_cancel(&cancel->task->job); /* does nothing */
    ck_assert_ptr_null(cancel->task->job.group);
}

static void
cancel_at(Cancel *cancel, Task *task, nsec_t at)
{
    cancel->task = task;
    event_init(&cancel->event, on_cancel, 0);
    engine_schedule(engine, &cancel->event, at);
}

START_TEST(a_cancelled_job_is_never_done_and_the_others_run_faster)
{
    bench_new(1, 0);
    CpuGroup *group = cpu_group_new(node, 0, PERIOD);
    Task tasks[3];
    for (int i = 0; i < 3; i++) {
        task_at(&tasks[i], engine, group, 0, 30 * MSEC);
    }
    Cancel cancel;
    cancel_at(&cancel, &tasks[1], 30 * MSEC); /* each has had 10 */
    engine_run_until(engine, NSEC_PER_SEC);
    check_time(tasks[0].done, 70 * MSEC);
    check_time(tasks[2].done, 70 * MSEC);
    ck_assert_int_eq(tasks[1].done, NSEC_NEVER);
    ck_assert_double_eq_tol(cpu_group_usage(group).used, 70e6, 10);
    cpu_group_free(group);
    bench_free();
}
END_TEST

START_TEST(cancelling_a_throttled_job_ends_the_throttling)
{
    bench_new(4, 0);
    CpuGroup *group = cpu_group_new(node, 20 * MSEC, PERIOD);
    Task task, next;
    task_at(&task, engine, group, 0, 50 * MSEC);
    task_at(&next, engine, group, 250 * MSEC, 10 * MSEC);
    Cancel cancel;
    cancel_at(&cancel, &task, 60 * MSEC);
    engine_run_until(engine, 10 * NSEC_PER_SEC);
    ck_assert_int_eq(task.done, NSEC_NEVER);
    check_time(next.done, 260 * MSEC);
    ck_assert_double_eq_tol(cpu_group_usage(group).throttled, 40e6, 10);
    cpu_group_free(group);
    bench_free();
}
END_TEST

START_TEST(cancelling_does_not_give_spent_quota_back)
{
    bench_new(4, 0);
    CpuGroup *group = cpu_group_new(node, 20 * MSEC, PERIOD);
    Task task, next;
    task_at(&task, engine, group, 0, 50 * MSEC);
    task_at(&next, engine, group, 60 * MSEC, 10 * MSEC);
    Cancel cancel;
    cancel_at(&cancel, &task, 30 * MSEC);
    engine_run_until(engine, 10 * NSEC_PER_SEC);
    check_time(next.done, 110 * MSEC);
    cpu_group_free(group);
    bench_free();
}
END_TEST

START_TEST(freeing_a_group_drops_its_jobs_and_gives_the_cores_to_others)
{
    bench_new(1, 0);
    CpuGroup *doomed = cpu_group_new(node, 0, PERIOD), *group = cpu_group_new(node, 0, PERIOD);
    Task lost, task;
    task_at(&lost, engine, doomed, 0, 50 * MSEC);
    task_at(&task, engine, group, 0, 50 * MSEC);
    engine_run_until(engine, 40 * MSEC); /* each has had 20 */
    cpu_group_free(doomed);
    ck_assert_ptr_null(lost.job.group);
    engine_run_until(engine, NSEC_PER_SEC);
    check_time(task.done, 70 * MSEC);
    ck_assert_int_eq(lost.done, NSEC_NEVER);
    cpu_group_free(group);
    bench_free();
}
END_TEST

/* ---- what `done` may do ---- */

static void
on_done_again(CpuJob *job)
{
    Task *task = (Task *)((char *)job - offsetof(Task, job));
    if (++*task->n_done < 5) {
        cpu_submit(task->group, job, task->demand);
    } else {
        task->done = engine_now(task->engine);
    }
}

START_TEST(a_job_can_be_submitted_again_when_it_is_done)
{
    bench_new(4, 0);
    CpuGroup *group = cpu_group_new(node, 20 * MSEC, PERIOD);
    Task task;
    guint n_done = 0;
    task_at(&task, engine, group, 0, 10 * MSEC); /* 0-20, 100-120, 200-210 */
    task.job.done = on_done_again;
    task.n_done = &n_done;
    engine_run_until(engine, NSEC_PER_SEC);
    ck_assert_uint_eq(n_done, 5);
    check_time(task.done, 210 * MSEC);
    cpu_group_free(group);
    bench_free();
}
END_TEST

static void
on_done_free(CpuJob *job)
{
    Task *task = (Task *)((char *)job - offsetof(Task, job));
    ++*task->n_done;
    g_free(task);
}

START_TEST(a_job_can_be_freed_when_it_is_done)
{
    bench_new(1, 0);
    CpuGroup *group = cpu_group_new(node, 0, PERIOD);
    guint n_done = 0;
    for (int i = 0; i < 3; i++) {
        Task *task = g_new0(Task, 1);
        task_at(task, engine, group, 0, 10 * MSEC);
        task->job.done = on_done_free;
        task->n_done = &n_done;
    }
    engine_run_until(engine, NSEC_PER_SEC);
    ck_assert_uint_eq(n_done, 3);
    cpu_group_free(group);
    bench_free();
}
END_TEST

/* ---- whatever happens ---- */

enum { N_GROUPS = 6, N_TASKS = 300, N_PERIODS = 200 };

typedef struct Crowd {
    CpuGroup *groups[N_GROUPS];
    nsec_t quotas[N_GROUPS];
    Task tasks[N_TASKS];
    double demands[N_GROUPS]; /* in all */
} Crowd;

static void
crowd_make(Crowd *crowd, RandomStream *random)
{
    for (int g = 0; g < N_GROUPS; g++) {
        crowd->quotas[g] =
            g % 3 == 0 ? 0 : (nsec_t)(random_uniform(random) * 2 * (double)PERIOD) + MSEC;
        crowd->groups[g] = cpu_group_new(node, crowd->quotas[g], PERIOD);
        crowd->demands[g] = 0;
    }
    for (int i = 0; i < N_TASKS; i++) {
        int g = (int)random_below(random, N_GROUPS);
        nsec_t at = (nsec_t)random_below(random, 50 * PERIOD);
        nsec_t demand = (nsec_t)random_below(random, 40 * MSEC);
        task_at(&crowd->tasks[i], engine, crowd->groups[g], at, demand);
        crowd->demands[g] += (double)demand;
    }
}

START_TEST(whatever_is_asked_quotas_and_cores_are_never_exceeded_and_nothing_is_lost)
{
    RandomStream random;
    random_stream_init(&random, 7, (uint32_t)_i, "crowd", "cpu");
    nsec_t phase = (nsec_t)random_below(&random, PERIOD);
    double cores = 1 + (double)random_below(&random, 4);
    bench_new(cores, phase);
    g_autofree Crowd *crowd = g_new0(Crowd, 1);
    crowd_make(crowd, &random);
    double before[N_GROUPS] = {0};
    for (int p = 0; p < N_PERIODS; p++) {
        engine_run_until(engine, phase + p * PERIOD);
        double all = 0;
        for (int g = 0; g < N_GROUPS; g++) {
            double used = cpu_group_usage(crowd->groups[g]).used;
            double now = used - before[g];
            before[g] = used;
            all += now;
            ck_assert_double_ge(now, 0);
            if (crowd->quotas[g] > 0) {
                ck_assert_double_le(now, (double)crowd->quotas[g] + 1000);
            }
        }
        ck_assert_double_le(all, cores * (double)PERIOD + 1000);
    }
    for (int i = 0; i < N_TASKS; i++) {
        const Task *task = &crowd->tasks[i];
        ck_assert_int_ne(task->done, NSEC_NEVER);
        ck_assert_int_ge(task->done - task->submitted, task->demand - SLACK);
    }
    for (int g = 0; g < N_GROUPS; g++) {
        ck_assert_double_eq_tol(cpu_group_usage(crowd->groups[g]).used, crowd->demands[g], 1000);
        cpu_group_free(crowd->groups[g]);
    }
    bench_free();
}
END_TEST

static void
add_quota_tests(Suite *suite)
{
    TCase *quota = tcase_create("quota");
    tcase_add_test(quota, a_demand_below_the_quota_takes_just_its_time);
    tcase_add_loop_test(quota, a_demand_beyond_the_quota_is_stretched_over_periods_exactly, 0,
                        G_N_ELEMENTS(stretches));
    tcase_add_test(quota, the_reference_of_the_stretching_is_right_for_a_case_worked_by_hand);
    tcase_add_test(quota, without_a_quota_nothing_is_stretched);
    tcase_add_test(quota, idle_quota_is_not_saved_up);
    tcase_add_test(quota, what_is_left_of_a_period_is_what_the_next_job_of_the_period_gets);
    tcase_add_test(quota, a_job_that_comes_after_the_quota_is_spent_waits_for_the_next_period);
    tcase_add_test(quota, a_period_in_which_a_late_job_finds_the_quota_spent_counts_as_throttled);
    tcase_add_test(quota, two_threads_spend_the_quota_twice_as_fast);
    tcase_add_test(quota, a_quota_of_whole_cores_never_throttles_as_many_threads);
    tcase_add_test(quota, throttling_is_accounted_in_time_and_in_periods);
    tcase_add_test(quota, periods_of_all_groups_of_a_node_end_together);
    suite_add_tcase(suite, quota);

    TCase *polling = tcase_create("polling");
    tcase_add_test(polling, a_polling_group_makes_a_frame_wait_for_the_next_period);
    tcase_add_test(polling, a_polling_group_burns_its_quota_in_every_period);
    tcase_add_test(polling, a_polling_group_leaves_what_is_reserved_of_its_quota);
    tcase_add_test(polling, a_reserve_beyond_the_quota_leaves_a_little);
    tcase_add_loop_test(polling, the_mean_wait_at_a_polling_thread_is_that_of_the_formula, 0, 5);
    suite_add_tcase(suite, polling);
}

static void
add_thread_tests(Suite *suite)
{
    TCase *thread = tcase_create("polling thread");
    tcase_add_test(thread, a_polling_thread_uses_its_quota_to_the_nanosecond_in_every_period);
    tcase_add_test(thread, a_polling_thread_without_a_quota_uses_a_whole_core);
    tcase_add_test(thread, a_job_beside_a_polling_thread_shares_the_core_and_the_quota);
    tcase_add_loop_test(thread, a_riding_job_is_done_when_the_thread_has_run_for_its_demand, 0,
                        G_N_ELEMENTS(rides));
    tcase_add_test(thread, a_riding_job_is_as_slow_as_the_thread_that_shares_a_core);
    tcase_add_test(thread, a_riding_job_that_is_cancelled_leaves_the_thread_as_it_was);
    tcase_add_test(thread, polling_that_begins_and_ends_beside_a_job_takes_its_share_meanwhile);
    tcase_add_test(thread, polling_that_ends_and_begins_again_gets_no_new_quota_within_the_period);
    tcase_add_test(thread, polling_that_is_turned_on_or_off_twice_is_on_or_off_once);
    tcase_add_test(thread, a_polling_group_that_is_freed_gives_its_core_to_others);
    tcase_add_test(thread, a_group_with_its_own_phase_begins_its_periods_there);
    suite_add_tcase(suite, thread);

    TCase *load = tcase_create("load");
    tcase_add_test(load, a_load_is_accounted_without_any_job);
    tcase_add_test(load, a_load_drains_the_quota_of_jobs_beside_it);
    tcase_add_test(load, a_load_drains_the_quota_while_no_job_runs);
    tcase_add_test(load, a_load_that_changes_drains_what_it_was_at_each_time);
    tcase_add_test(load, loads_leave_what_is_left_of_the_cores_to_jobs);
    suite_add_tcase(suite, load);
}

static Suite *
cpu_suite(void)
{
    Suite *suite = suite_create("cpu");
    add_quota_tests(suite);
    add_thread_tests(suite);

    TCase *sharing = tcase_create("sharing");
    tcase_add_test(sharing, two_jobs_share_a_core);
    tcase_add_test(sharing, jobs_of_different_groups_share_as_jobs_of_one);
    tcase_add_test(sharing, a_job_uses_at_most_one_core);
    tcase_add_loop_test(sharing, more_jobs_than_cores_each_get_their_share, 0, 8);
    tcase_add_test(sharing, jobs_that_start_together_end_as_processor_sharing_says);
    tcase_add_test(sharing, a_throttled_group_leaves_its_cores_to_others);
    tcase_add_test(sharing, jobs_that_end_together_are_all_done);
    tcase_add_test(sharing, jobs_that_end_together_end_in_the_order_of_arrival);
    tcase_add_test(sharing, a_job_that_needs_nothing_is_done_at_once_but_not_within_the_call);
    suite_add_tcase(suite, sharing);

    TCase *ends = tcase_create("ends");
    tcase_add_test(ends, a_cancelled_job_is_never_done_and_the_others_run_faster);
    tcase_add_test(ends, cancelling_a_throttled_job_ends_the_throttling);
    tcase_add_test(ends, cancelling_does_not_give_spent_quota_back);
    tcase_add_test(ends, freeing_a_group_drops_its_jobs_and_gives_the_cores_to_others);
    tcase_add_test(ends, a_job_can_be_submitted_again_when_it_is_done);
    tcase_add_test(ends, a_job_can_be_freed_when_it_is_done);
    suite_add_tcase(suite, ends);

    TCase *crowd = tcase_create("crowd");
    tcase_set_timeout(crowd, 60);
    tcase_add_loop_test(
        crowd, whatever_is_asked_quotas_and_cores_are_never_exceeded_and_nothing_is_lost, 0, 20);
    suite_add_tcase(suite, crowd);
    return suite;
}

int
main(void)
{
    SRunner *runner = srunner_create(cpu_suite());
    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
