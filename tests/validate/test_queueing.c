/* Single-server queues on the engine against their closed forms (Kleinrock, Queueing Systems 1,
 * 1975: sections 3.2 and 5.6).  Each of the means must lie within its 99 % confidence interval
 * from independent replications, and the interval must be narrow. */
#include "sim/engine.h"

#include "tests/validate/queueing.h"

#include <stdlib.h>

#define N_WARM_UP 5000 /* customers */
#define N_MEASURED 120000
#define SERVICE_MEAN NSEC_PER_MSEC

/* Departures run before arrivals of the same time. */
enum { RANK_DEPARTURE, RANK_ARRIVAL };

typedef struct Station {
    /* configuration */
    double load;
    bool is_deterministic;

    /* state */
    Event arrival;
    RandomStream arrivals;
    RandomStream services;
    GQueue waiting;
    bool is_busy;
    size_t n_present;
    nsec_t last_change;

    /* results, times in seconds */
    size_t n_arrived;
    nsec_t total_area; /* customers times nanoseconds, of the whole run */
    nsec_t total_stay; /* nanoseconds in the system, of all customers */
    nsec_t begin;      /* of measuring */
    nsec_t begin_area;
    nsec_t end;
    nsec_t end_area;
    Sample waits;
    Sample stays;
} Station;

typedef struct Customer {
    Event departure;
    Station *station;
    nsec_t arrived;
    nsec_t started;
    bool is_measured;
} Customer;

static void
count(Station *station, nsec_t now, int change)
{
    station->total_area += (nsec_t)station->n_present * (now - station->last_change);
    station->n_present += (size_t)change;
    station->last_change = now;
}

static void
serve_next(Engine *engine, Station *station)
{
    Customer *customer = g_queue_pop_head(&station->waiting);
    station->is_busy = customer != NULL;
    if (customer == NULL) {
        return;
    }
    nsec_t service = station->is_deterministic
                         ? SERVICE_MEAN
                         : exponential(&station->services, (double)SERVICE_MEAN);
    customer->started = engine_now(engine);
    engine_schedule(engine, &customer->departure, engine_now(engine) + service);
}

static void
on_departure(Engine *engine, Event *event)
{
    Customer *customer = (Customer *)event;
    Station *station = customer->station;
    nsec_t stay = engine_now(engine) - customer->arrived;
    count(station, engine_now(engine), -1);
    station->total_stay += stay;
    if (customer->is_measured) {
        sample_add(&station->stays, nsec_to_seconds(stay));
        sample_add(&station->waits, nsec_to_seconds(customer->started - customer->arrived));
    }
    g_free(customer);
    serve_next(engine, station);
}

static void
on_arrival(Engine *engine, Event *event)
{
    Station *station = (Station *)((char *)event - offsetof(Station, arrival));
    nsec_t now = engine_now(engine);
    size_t number = station->n_arrived++;
    count(station, now, 1);
    if (number == N_WARM_UP) {
        station->begin = now;
        station->begin_area = station->total_area;
    }
    if (number == N_WARM_UP + N_MEASURED) {
        station->end = now;
        station->end_area = station->total_area;
    } else {
        double mean = (double)SERVICE_MEAN / station->load;
        engine_schedule(engine, event, now + exponential(&station->arrivals, mean));
    }
    Customer *customer = g_new0(Customer, 1);
    event_init(&customer->departure, on_departure, RANK_DEPARTURE);
    customer->station = station;
    customer->arrived = now;
    customer->is_measured = number >= N_WARM_UP && number < N_WARM_UP + N_MEASURED;
    g_queue_push_tail(&station->waiting, customer);
    if (!station->is_busy) {
        serve_next(engine, station);
    }
}

/* One replication, from empty to empty. */
static void
station_run(Station *station, double load, bool is_deterministic, uint32_t replication)
{
    g_autoptr(Engine) engine = engine_new();
    *station = (Station){.load = load, .is_deterministic = is_deterministic};
    random_stream_init(&station->arrivals, SEED, replication, "station", "arrivals");
    random_stream_init(&station->services, SEED, replication, "station", "services");
    g_queue_init(&station->waiting);
    sample_init(&station->waits);
    sample_init(&station->stays);
    event_init(&station->arrival, on_arrival, RANK_ARRIVAL);
    engine_schedule(engine, &station->arrival, 0);
    ck_assert(engine_run_until(engine, NSEC_NEVER));
    ck_assert_uint_eq(station->n_present, 0);
}

static void
station_clear(Station *station)
{
    sample_clear(&station->waits);
    sample_clear(&station->stays);
}

static const struct {
    double load;
    bool is_deterministic;
} cases[] = {{0.5, false}, {0.8, false}, {0.5, true}, {0.8, true}};

START_TEST(means_are_those_of_the_closed_forms)
{
    double load = cases[_i].load;
    bool is_deterministic = cases[_i].is_deterministic;
    double service = nsec_to_seconds(SERVICE_MEAN);
    double wait = single_server_wait(load, is_deterministic) * service, stay = wait + service;
    g_auto(Sample) waits = {0}, stays = {0}, numbers = {0};
    for (uint32_t i = 0; i < N_REPLICATIONS; i++) {
        Station station;
        station_run(&station, load, is_deterministic, i);
        ck_assert_uint_eq(station.waits.n, N_MEASURED);
        sample_add(&waits, station.waits.mean);
        sample_add(&stays, station.stays.mean);
        sample_add(&numbers, (double)(station.end_area - station.begin_area) /
                                 (double)(station.end - station.begin));
        station_clear(&station);
    }
    assert_mean(&waits, wait, "mean wait");
    assert_mean(&stays, stay, "mean time in system");
    assert_mean(&numbers, load / service * stay, "mean number in system");
}
END_TEST

/* Little's law holds exactly for any run that begins and ends empty: the area below the number
 * present is the sum of the times in the system. */
START_TEST(littles_law_holds_to_the_nanosecond)
{
    Station station;
    station_run(&station, cases[_i].load, cases[_i].is_deterministic, N_REPLICATIONS);
    ck_assert_int_eq(station.total_area, station.total_stay);
    ck_assert_int_gt(station.total_area, 0);
    station_clear(&station);
}
END_TEST

/* The same law for the measured part: its borders make the only difference. */
START_TEST(littles_law_holds_for_the_measured_part)
{
    Station station;
    station_run(&station, cases[_i].load, cases[_i].is_deterministic, N_REPLICATIONS);
    double duration = nsec_to_seconds(station.end - station.begin);
    double number = nsec_to_seconds(station.end_area - station.begin_area) / duration;
    double rate = N_MEASURED / duration;
    ck_assert_double_eq_tol(number, rate * station.stays.mean, 0.002 * number);
    station_clear(&station);
}
END_TEST

static Suite *
queueing_suite(void)
{
    Suite *suite = suite_create("queueing");
    TCase *tcase = tcase_create("single server");
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, means_are_those_of_the_closed_forms, 0, G_N_ELEMENTS(cases));
    tcase_add_loop_test(tcase, littles_law_holds_to_the_nanosecond, 0, G_N_ELEMENTS(cases));
    tcase_add_loop_test(tcase, littles_law_holds_for_the_measured_part, 0, G_N_ELEMENTS(cases));
    suite_add_tcase(suite, tcase);
    return suite;
}

int
main(void)
{
    SRunner *runner = srunner_create(queueing_suite());
    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
