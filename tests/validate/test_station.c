/* A thread of a container (sim/station.h) and the CPU below it (sim/cpu.h) against closed forms:
 *
 *   M/M/1, M/D/1, Little     Kleinrock, Queueing Systems 1, 1975: sections 3.2, 5.6, 2.1
 *   wake-ups                 Welch, Operations Research 12, 1964: the first of a busy period waits
 *                            for a set-up D; the mean wait grows by
 *                            (2 E[D] + lambda E[D^2]) / (2 (1 + lambda E[D]))
 *   M/M/c, Erlang C          Kleinrock, section 3.5
 *   two stations in a row    Jackson, Operations Research 5, 1957: each as if it were alone
 *   processor sharing        Kleinrock, Queueing Systems 2, 1976: section 4.4; s/(1-rho) whatever
 *                            the distribution
 *   polling under a quota    a thread that runs for a share q of each period, seen at a random
 *                            time, is stopped with probability 1-q, then for half of (1-q) periods
 *                            on average: (1-q)^2 * period / 2
 *
 * Two polling threads with the same quota whose periods begin together make a packet wait once:
 * where it leaves the first the second runs.  With an offset that is uniform over the period the
 * second sees the packet at a random time too, whatever the first did: the waits add up. */
#include "sim/station.h"

#include "tests/validate/queueing.h"

#include <stdlib.h>

#define N_WARM_UP 5000 /* customers */
#define N_MEASURED 80000
#define SERVICE_MEAN NSEC_PER_MSEC
#define PERIOD (100 * NSEC_PER_MSEC)
#define MAX_STATIONS 2

typedef struct Run Run;

/* Where customers go. */
typedef enum Layout {
    LAYOUT_OWN_CORE,
    LAYOUT_CONTAINER, /* a thread that sleeps */
    LAYOUT_POLLING,   /* one that polls, without a quota */
    LAYOUT_TANDEM,    /* two that sleep, one behind the other */
    LAYOUT_SHARED,    /* no station: all customers share the cores */
    LAYOUT_CORES,     /* no station: one for each core, the others wait in one line */
} Layout;

typedef struct Customer {
    Visit visit; /* first: it is the customer */
    CpuJob job;
    Run *run;
    nsec_t arrived;
    nsec_t demand;
    double waited; /* ns */
    int n_visited; /* stations */
    bool is_measured;
} Customer;

struct Run {
    /* configuration */
    Layout layout;
    double load; /* of each core */
    bool is_deterministic;
    guint n_cores;
    const Dist *wake_up;
    /* state */
    Engine *engine;
    CpuNode *node;
    CpuGroup *groups[MAX_STATIONS];
    Station *stations[MAX_STATIONS];
    Event arrival;
    RandomStream arrivals, services;
    GQueue waiting; /* LAYOUT_CORES */
    guint n_running;
    size_t n_arrived, n_present;
    size_t n_at[MAX_STATIONS];
    nsec_t last_change;
    /* results */
    nsec_t total_area, total_stay, total_demand; /* of the whole run, ns */
    nsec_t empty[MAX_STATIONS + 1];              /* time in which that station was; the last: all */
    nsec_t throttled;
    nsec_t end;
    Sample waits, stays; /* s, of those that are measured */
};

/* Before the number at a station (or, without stations, in the system) changes. */
static void
count(Run *run)
{
    nsec_t now = engine_now(run->engine), elapsed = now - run->last_change;
    for (int i = 0; i < MAX_STATIONS; i++) {
        run->empty[i] += run->n_at[i] == 0 ? elapsed : 0;
    }
    run->empty[MAX_STATIONS] += run->n_present == 0 ? elapsed : 0;
    run->total_area += (nsec_t)run->n_present * elapsed;
    run->last_change = now;
}

static void
leave(Customer *customer)
{
    Run *run = customer->run;
    nsec_t stay = engine_now(run->engine) - customer->arrived;
    count(run);
    run->n_present--;
    run->total_stay += stay;
    if (customer->is_measured) {
        sample_add(&run->waits, customer->waited / 1e9);
        sample_add(&run->stays, nsec_to_seconds(stay));
    }
    g_free(customer);
}

static nsec_t
draw_demand(Run *run)
{
    nsec_t demand =
        run->is_deterministic ? SERVICE_MEAN : exponential(&run->services, (double)SERVICE_MEAN);
    run->total_demand += demand;
    return demand;
}

static void
on_served(void *data, Visit *visit, const VisitTimes *times)
{
    Run *run = data;
    Customer *customer = (Customer *)visit;
    customer->waited += (double)(times->waking + times->queueing);
    run->throttled += times->throttled;
    count(run);
    run->n_at[customer->n_visited++]--;
    int next = customer->n_visited;
    if (next < MAX_STATIONS && run->stations[next] != NULL) {
        run->n_at[next]++;
        station_arrive(run->stations[next], visit, draw_demand(run));
    } else {
        leave(customer);
    }
}

static void
serve_next(Run *run)
{
    while (run->n_running < run->n_cores && !g_queue_is_empty(&run->waiting)) {
        Customer *customer = g_queue_pop_head(&run->waiting);
        customer->waited = (double)(engine_now(run->engine) - customer->arrived);
        run->n_running++;
        cpu_submit(run->groups[0], &customer->job, customer->demand);
    }
}

static void
on_job(CpuJob *job)
{
    Customer *customer = (Customer *)((char *)job - offsetof(Customer, job));
    Run *run = customer->run;
    leave(customer);
    if (run->layout == LAYOUT_CORES) {
        run->n_running--;
        serve_next(run);
    }
}

static void
enter(Run *run, Customer *customer)
{
    nsec_t demand = customer->demand = draw_demand(run);
    if (run->stations[0] != NULL) {
        run->n_at[0]++;
        station_arrive(run->stations[0], &customer->visit, demand);
    } else if (run->layout == LAYOUT_SHARED) {
        cpu_submit(run->groups[0], &customer->job, demand);
    } else {
        g_queue_push_tail(&run->waiting, customer);
        serve_next(run);
    }
}

static void
on_arrival(Engine *engine, Event *event)
{
    Run *run = (Run *)((char *)event - offsetof(Run, arrival));
    size_t number = run->n_arrived++;
    if (number < N_WARM_UP + N_MEASURED) {
        double mean = (double)SERVICE_MEAN / (run->load * run->n_cores);
        engine_schedule(engine, event, engine_now(engine) + exponential(&run->arrivals, mean));
    }
    Customer *customer = g_new0(Customer, 1);
    customer->run = run;
    customer->job.done = on_job;
    customer->arrived = engine_now(engine);
    customer->is_measured = number >= N_WARM_UP && number < N_WARM_UP + N_MEASURED;
    count(run);
    run->n_present++;
    enter(run, customer);
}

static void
add_station(Run *run, int i)
{
    RandomStream random;
    random_stream_init(&random, SEED, (uint32_t)i, "station", "wakes");
    CpuGroup *group = run->layout == LAYOUT_OWN_CORE ? NULL : run->groups[i];
    run->stations[i] = station_new(run->engine, group, run->wake_up, &random, on_served, run);
    if (run->layout == LAYOUT_POLLING) {
        station_set_polling(run->stations[i], true);
    }
}

/* One replication, from empty to empty; the members of the configuration are set. */
static void
run_begin(Run *run, uint32_t replication)
{
    run->n_cores = MAX(run->n_cores, 1);
    run->engine = engine_new();
    run->node =
        cpu_node_new(run->engine, MAX(run->n_cores, run->layout == LAYOUT_TANDEM ? 2 : 1), 0);
    random_stream_init(&run->arrivals, SEED, replication, "customers", "arrivals");
    random_stream_init(&run->services, SEED, replication, "customers", "services");
    g_queue_init(&run->waiting);
    for (int i = 0; i < MAX_STATIONS; i++) {
        run->groups[i] = cpu_group_new(run->node, 0, PERIOD);
    }
    int n_stations = run->layout == LAYOUT_TANDEM ? 2 : run->layout >= LAYOUT_SHARED ? 0 : 1;
    for (int i = 0; i < n_stations; i++) {
        add_station(run, i);
    }
    event_init(&run->arrival, on_arrival, 1);
    engine_schedule(run->engine, &run->arrival, 0);
    bool more = true;
    while (more && (run->n_arrived <= N_WARM_UP + N_MEASURED || run->n_present > 0)) {
        more = engine_step(run->engine);
    }
    ck_assert(more);
    ck_assert_int_eq(run->throttled, 0);
    run->end = engine_now(run->engine);
}

static void
run_clear(Run *run)
{
    for (int i = 0; i < MAX_STATIONS; i++) {
        g_clear_pointer(&run->stations[i], station_free);
        cpu_group_free(run->groups[i]);
    }
    cpu_node_free(run->node);
    engine_free(run->engine);
    sample_clear(&run->waits);
    sample_clear(&run->stays);
}

/* ---- one station ---- */

static const struct {
    Layout layout;
    double load;
    bool is_deterministic;
} singles[] = {
    {LAYOUT_OWN_CORE, 0.5, false}, {LAYOUT_OWN_CORE, 0.8, true}, {LAYOUT_CONTAINER, 0.8, false},
    {LAYOUT_CONTAINER, 0.5, true}, {LAYOUT_POLLING, 0.5, false}, {LAYOUT_POLLING, 0.8, true},
};

START_TEST(waits_are_those_of_one_server_first_come_first_served)
{
    double service = nsec_to_seconds(SERVICE_MEAN);
    double wait = single_server_wait(singles[_i].load, singles[_i].is_deterministic) * service;
    g_auto(Sample) waits = {0}, stays = {0};
    for (uint32_t k = 0; k < N_REPLICATIONS; k++) {
        Run run = {.layout = singles[_i].layout,
                   .load = singles[_i].load,
                   .is_deterministic = singles[_i].is_deterministic};
        run_begin(&run, k);
        sample_add(&waits, run.waits.mean);
        sample_add(&stays, run.stays.mean);
        run_clear(&run);
    }
    assert_mean(&waits, wait, "mean wait");
    assert_mean(&stays, wait + service, "mean time in the station");
}
END_TEST

/* Both hold exactly for any run that begins and ends empty. */
START_TEST(littles_law_and_the_utilisation_law_hold_to_the_nanosecond)
{
    Run run = {.layout = singles[_i].layout,
               .load = singles[_i].load,
               .is_deterministic = singles[_i].is_deterministic};
    run_begin(&run, N_REPLICATIONS);
    ck_assert_int_gt(run.total_area, 0);
    ck_assert_int_eq(run.total_area, run.total_stay);
    ck_assert_int_eq(run.end - run.empty[0], run.total_demand); /* busy as long as served */
    double used = cpu_group_usage(run.groups[0]).used;
    double expected = run.layout == LAYOUT_POLLING     ? (double)run.end
                      : run.layout == LAYOUT_CONTAINER ? (double)run.total_demand
                                                       : 0;
    ck_assert_double_le(fabs(used - expected), 1e-9 * expected);
    run_clear(&run);
}
END_TEST

/* Busy for the share of time that rate and demand say. */
START_TEST(utilisation_is_rate_times_demand)
{
    g_auto(Sample) shares = {0};
    for (uint32_t k = 0; k < N_REPLICATIONS; k++) {
        Run run = {.layout = LAYOUT_CONTAINER, .load = 0.6};
        run_begin(&run, k);
        sample_add(&shares, cpu_group_usage(run.groups[0]).used / (double)run.end);
        run_clear(&run);
    }
    assert_mean(&shares, 0.6, "utilisation");
}
END_TEST

/* ---- wake-ups ---- */

START_TEST(wake_ups_add_what_the_set_up_of_a_busy_period_adds)
{
    double wake = 0.4 * nsec_to_seconds(SERVICE_MEAN), service = nsec_to_seconds(SERVICE_MEAN);
    Dist wake_up = _i % 2 == 0 ? dist_constant(wake) : dist_exponential(wake);
    double square = (_i % 2 == 0 ? 1 : 2) * wake * wake;
    double load = _i < 2 ? 0.3 : 0.7, rate = load / service;
    double added = (2 * wake + rate * square) / (2 * (1 + rate * wake));
    g_auto(Sample) waits = {0};
    for (uint32_t k = 0; k < N_REPLICATIONS; k++) {
        Run run = {.layout = _i == 0 ? LAYOUT_OWN_CORE : LAYOUT_CONTAINER,
                   .load = load,
                   .wake_up = &wake_up};
        run_begin(&run, k);
        sample_add(&waits, run.waits.mean);
        run_clear(&run);
    }
    assert_mean(&waits, single_server_wait(load, false) * service + added, "mean wait");
}
END_TEST

/* ---- two stations in a row ---- */

START_TEST(two_stations_in_a_row_are_each_as_if_alone)
{
    const double load = 0.6;
    double service = nsec_to_seconds(SERVICE_MEAN), stay = service / (1 - load);
    g_auto(Sample) stays = {0}, second = {0}, empty = {0};
    for (uint32_t k = 0; k < N_REPLICATIONS; k++) {
        Run run = {.layout = LAYOUT_TANDEM, .load = load};
        run_begin(&run, k);
        sample_add(&stays, run.stays.mean);
        sample_add(&second, 1 - (double)run.empty[1] / (double)run.end);
        sample_add(&empty, (double)run.empty[MAX_STATIONS] / (double)run.end);
        run_clear(&run);
    }
    assert_mean(&stays, 2 * stay, "mean time in both");
    assert_mean(&second, load, "utilisation of the second");
    assert_mean(&empty, (1 - load) * (1 - load), "share of time in which both are empty");
}
END_TEST

/* ---- several cores ---- */

/* The chance to wait at c servers that are offered a (Kleinrock, 3.5), by Erlang B's recurrence. */
static double
erlang_c(guint c, double a)
{
    double b = 1;
    for (guint i = 1; i <= c; i++) {
        b = a * b / (i + a * b);
    }
    double load = a / c;
    return b / (1 - load + load * b);
}

static const struct {
    guint n_cores;
    double load;
} pools[] = {{2, 0.7}, {4, 0.8}, {8, 0.8}};

START_TEST(the_reference_for_several_servers_is_right_where_a_hand_can_do_it)
{
    ck_assert_double_eq_tol(erlang_c(1, 0.5), 0.5, 1e-12);     /* M/M/1: the load */
    ck_assert_double_eq_tol(erlang_c(2, 1), 1.0 / 3.0, 1e-12); /* 2 rho^2 / (1 + rho) */
}
END_TEST

START_TEST(waits_for_one_of_several_cores_are_erlangs)
{
    guint c = pools[_i].n_cores;
    double load = pools[_i].load, service = nsec_to_seconds(SERVICE_MEAN);
    double wait = erlang_c(c, load * c) * service / (c * (1 - load));
    g_auto(Sample) waits = {0}, stays = {0};
    for (uint32_t k = 0; k < N_REPLICATIONS; k++) {
        Run run = {.layout = LAYOUT_CORES, .load = load, .n_cores = c};
        run_begin(&run, k);
        ck_assert_int_eq(run.total_area, run.total_stay);
        sample_add(&waits, run.waits.mean);
        sample_add(&stays, run.stays.mean);
        run_clear(&run);
    }
    assert_mean(&waits, wait, "mean wait");
    assert_mean(&stays, wait + service, "mean time in the system");
}
END_TEST

START_TEST(sharing_takes_the_same_time_whatever_the_distribution)
{
    const double load = 0.7;
    g_auto(Sample) stays = {0};
    for (uint32_t k = 0; k < N_REPLICATIONS; k++) {
        Run run = {.layout = LAYOUT_SHARED, .load = load, .is_deterministic = _i == 1};
        run_begin(&run, k);
        sample_add(&stays, run.stays.mean);
        run_clear(&run);
    }
    assert_mean(&stays, nsec_to_seconds(SERVICE_MEAN) / (1 - load), "mean time in the system");
}
END_TEST

/* ---- polling under a quota ---- */

enum { MAX_HOPS = 2 };

typedef struct Way Way;

/* A packet and the polling threads that it goes through. */
struct Way {
    Engine *engine;
    CpuNode *hosts[MAX_HOPS];
    CpuGroup *groups[MAX_HOPS];
    Station *stations[MAX_HOPS];
    Event event;
    Visit visit;
    RandomStream random;
    guint n_hops, hop;
    guint n_packets;
    guint n_overtaken; /* sent before the one before had arrived */
    guint n_periods;   /* from one packet to the next */
    nsec_t sent;
    Sample waits;           /* ns */
    double throttled_later; /* ns, at hops behind the first */
};

#define PACKET (100 * INT64_C(1)) /* ns: next to nothing */

static void
on_hop_done(void *data, Visit *visit, const VisitTimes *times)
{
    Way *way = data;
    way->throttled_later += way->hop > 0 ? (double)times->throttled : 0;
    if (++way->hop < way->n_hops) {
        station_arrive(way->stations[way->hop], visit, PACKET);
        return;
    }
    nsec_t took = engine_now(way->engine) - way->sent;
    sample_add(&way->waits, (double)(took - way->n_hops * PACKET));
}

static void
on_send(Engine *engine, Event *event)
{
    Way *way = (Way *)((char *)event - offsetof(Way, event));
    way->n_overtaken += way->n_packets > 0 && way->hop < way->n_hops ? 1 : 0;
    way->hop = 0;
    way->sent = engine_now(engine);
    station_arrive(way->stations[0], &way->visit, PACKET);
    nsec_t slot = way->n_periods * PERIOD;
    nsec_t at = (nsec_t)(++way->n_packets) * slot;
    engine_schedule(engine, event, at + (nsec_t)(random_uniform(&way->random) * (double)PERIOD));
}

/* `n` packets at random times through threads with those quotas, on hosts with those phases. */
static void
way_run(Way *way, guint n_hops, const double *quotas, const nsec_t *phases, guint n)
{
    way->engine = engine_new();
    way->n_hops = n_hops;
    way->n_periods = 1 + n_hops; /* it is not longer on its way */
    for (guint i = 0; i < n_hops; i++) {
        RandomStream random = {0};
        way->hosts[i] = cpu_node_new(way->engine, 4, phases[i]);
        way->groups[i] = cpu_group_new(way->hosts[i], (nsec_t)(quotas[i] * (double)PERIOD), PERIOD);
        way->stations[i] =
            station_new(way->engine, way->groups[i], NULL, &random, on_hop_done, way);
        station_set_polling(way->stations[i], true);
    }
    event_init(&way->event, on_send, 0);
    engine_schedule(way->engine, &way->event,
                    (nsec_t)(random_uniform(&way->random) * (double)PERIOD));
    bool more = true;
    while (more && way->waits.n < n) {
        more = engine_step(way->engine);
    }
    ck_assert(more);
    ck_assert_uint_eq(way->n_overtaken, 0);
}

static void
way_clear(Way *way)
{
    for (guint i = 0; i < way->n_hops; i++) {
        station_free(way->stations[i]);
        cpu_group_free(way->groups[i]);
        cpu_node_free(way->hosts[i]);
    }
    engine_free(way->engine);
    sample_clear(&way->waits);
}

static double
polling_wait(double quota)
{
    return (1 - quota) * (1 - quota) * (double)PERIOD / 2;
}

static const double quotas[] = {0.1, 0.25, 0.5, 0.525, 0.8};

START_TEST(a_packet_waits_for_a_polling_thread_as_the_formula_says)
{
    g_auto(Sample) waits = {0};
    for (uint32_t k = 0; k < N_REPLICATIONS; k++) {
        Way way = {0};
        random_stream_init(&way.random, SEED, k, "way", "packets");
        way_run(&way, 1, &quotas[_i], (const nsec_t[]){71 * NSEC_PER_MSEC}, 6000);
        sample_add(&waits, way.waits.mean);
        way_clear(&way);
    }
    assert_mean(&waits, polling_wait(quotas[_i]), "mean wait");
}
END_TEST

START_TEST(two_polling_hops_whose_periods_begin_together_make_a_packet_wait_once)
{
    g_auto(Sample) waits = {0};
    double later = 0;
    for (uint32_t k = 0; k < N_REPLICATIONS; k++) {
        Way way = {0};
        random_stream_init(&way.random, SEED, k, "way", "packets");
        way_run(&way, 2, (const double[]){quotas[_i], quotas[_i]},
                (const nsec_t[]){71 * NSEC_PER_MSEC, 71 * NSEC_PER_MSEC}, 6000);
        sample_add(&waits, way.waits.mean);
        later += way.throttled_later;
        way_clear(&way);
    }
    assert_mean(&waits, polling_wait(quotas[_i]), "mean wait");
    /* but for one that leaves the first at the very end */
    ck_assert_double_le(later, 3 * (double)PERIOD);
}
END_TEST

/* Offsets vary between replications, so that these are many and short. */
START_TEST(the_waits_at_two_polling_hosts_with_a_uniform_offset_add_up)
{
    double second = _i == 0 ? 0.5 : 0.25;
    g_auto(Sample) waits = {0};
    for (uint32_t k = 0; k < 3000; k++) {
        Way way = {0};
        RandomStream random;
        random_stream_init(&random, SEED, k, "hosts", "phases");
        random_stream_init(&way.random, SEED, k, "way", "packets");
        nsec_t phases[] = {(nsec_t)(random_uniform(&random) * (double)PERIOD),
                           (nsec_t)(random_uniform(&random) * (double)PERIOD)};
        way_run(&way, 2, (const double[]){0.5, second}, phases, 50);
        sample_add(&waits, way.waits.mean);
        way_clear(&way);
    }
    assert_mean(&waits, polling_wait(0.5) + polling_wait(second), "mean wait");
}
END_TEST

static Suite *
station_suite(void)
{
    Suite *suite = suite_create("station");
    TCase *queues = tcase_create("queues");
    tcase_set_timeout(queues, 120);
    tcase_add_loop_test(queues, waits_are_those_of_one_server_first_come_first_served, 0,
                        G_N_ELEMENTS(singles));
    tcase_add_loop_test(queues, littles_law_and_the_utilisation_law_hold_to_the_nanosecond, 0,
                        G_N_ELEMENTS(singles));
    tcase_add_test(queues, utilisation_is_rate_times_demand);
    tcase_add_loop_test(queues, wake_ups_add_what_the_set_up_of_a_busy_period_adds, 0, 4);
    tcase_add_test(queues, two_stations_in_a_row_are_each_as_if_alone);
    tcase_add_test(queues, the_reference_for_several_servers_is_right_where_a_hand_can_do_it);
    tcase_add_loop_test(queues, waits_for_one_of_several_cores_are_erlangs, 0, G_N_ELEMENTS(pools));
    tcase_add_loop_test(queues, sharing_takes_the_same_time_whatever_the_distribution, 0, 2);
    suite_add_tcase(suite, queues);

    TCase *polling = tcase_create("polling");
    tcase_set_timeout(polling, 120);
    tcase_add_loop_test(polling, a_packet_waits_for_a_polling_thread_as_the_formula_says, 0,
                        G_N_ELEMENTS(quotas));
    tcase_add_loop_test(polling,
                        two_polling_hops_whose_periods_begin_together_make_a_packet_wait_once, 0,
                        G_N_ELEMENTS(quotas));
    tcase_add_loop_test(polling, the_waits_at_two_polling_hosts_with_a_uniform_offset_add_up, 0, 2);
    suite_add_tcase(suite, polling);
    return suite;
}

int
main(void)
{
    SRunner *runner = srunner_create(station_suite());
    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
