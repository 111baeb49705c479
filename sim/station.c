/* One thread, first come, first served. */
#include "sim/station.h"

struct Station {
    Engine *engine;
    CpuGroup *group;
    const Dist *wake_up;
    RandomStream random;
    StationServed served;
    void *data;
    Visit *head, *tail;
    guint n_present;
    bool busy;   /* the head is being served */
    Event event; /* the thread wakes, or, without a group, the head is done */
    CpuJob job;
};

static void begin(Station *station);

static double
throttled_so_far(const Station *station)
{
    return station->group != NULL ? cpu_group_usage(station->group).throttled : 0;
}

static void
finish(Station *station)
{
    Visit *visit = station->head;
    nsec_t total = engine_now(station->engine) - visit->arrived;
    VisitTimes times = {.waking = visit->woken - visit->arrived, .service = visit->demand};
    nsec_t rest = MAX(total - times.waking - times.service, 0);
    nsec_t throttled = (nsec_t)(throttled_so_far(station) - visit->throttled);
    times.throttled = CLAMP(throttled, 0, rest);
    times.queueing = total - times.waking - times.service - times.throttled;
    station->head = visit->next;
    station->n_present--;
    station->busy = false;
    station->served(station->data, visit, &times);
    if (station->head != NULL && !station->busy) {
        begin(station);
    }
}

static void
on_job(CpuJob *job)
{
    finish((Station *)((char *)job - offsetof(Station, job)));
}

static void
begin(Station *station)
{
    nsec_t demand = station->head->demand;
    engine_cancel(station->engine, &station->event);
    station->busy = true;
    if (station->group == NULL) {
        engine_schedule(station->engine, &station->event, engine_now(station->engine) + demand);
    } else if (cpu_group_is_polling(station->group)) {
        cpu_submit_polled(station->group, &station->job, demand);
    } else {
        cpu_submit(station->group, &station->job, demand);
    }
}

static void
on_event(Engine *engine, Event *event)
{
    Station *station = (Station *)((char *)event - offsetof(Station, event));
    if (station->busy) {
        finish(station);
        return;
    }
    nsec_t now = engine_now(engine);
    for (Visit *visit = station->head; visit != NULL; visit = visit->next) {
        visit->woken = now;
    }
    begin(station);
}

void
station_arrive(Station *station, Visit *visit, nsec_t demand)
{
    nsec_t now = engine_now(station->engine);
    bool idle = station->n_present == 0;
    visit->next = NULL;
    visit->demand = demand;
    visit->arrived = visit->woken = now;
    visit->throttled = throttled_so_far(station);
    if (idle) {
        station->head = visit;
    } else {
        station->tail->next = visit;
    }
    station->tail = visit;
    station->n_present++;
    if (!idle) {
        return;
    }
    bool polls = station->group != NULL && cpu_group_is_polling(station->group);
    if (polls || station->wake_up == NULL) {
        begin(station);
    } else if (!event_is_scheduled(&station->event)) {
        nsec_t wake_up = dist_draw_nsec(station->wake_up, &station->random);
        engine_schedule(station->engine, &station->event, now + wake_up);
    }
}

guint
station_n_present(const Station *station)
{
    return station->n_present;
}

/* What was begun is taken back; the thread sleeps or polls. */
static void
stop(Station *station)
{
    engine_cancel(station->engine, &station->event);
    cpu_cancel(&station->job);
    station->busy = false;
}

Visit *
station_remove(Station *station)
{
    Visit *visit = station->head;
    if (visit == NULL) {
        return NULL;
    }
    bool wakes = !station->busy && visit->next != NULL;
    station->head = visit->next;
    station->n_present--;
    if (wakes) { /* for those that are left */
        return visit;
    }
    stop(station);
    if (station->head != NULL) {
        begin(station);
    }
    return visit;
}

void
station_set_polling(Station *station, bool polling)
{
    if (polling == cpu_group_is_polling(station->group)) {
        return;
    }
    bool present = station->n_present > 0;
    stop(station);
    cpu_group_set_polling(station->group, polling);
    if (present) {
        begin(station);
    }
}

Station *
station_new(Engine *engine, CpuGroup *group, const Dist *wake_up, const RandomStream *random,
            StationServed served, void *data)
{
    Station *station = g_new0(Station, 1);
    station->engine = engine;
    station->group = group;
    station->wake_up = wake_up;
    station->random = *random;
    station->served = served;
    station->data = data;
    station->job.done = on_job;
    event_init(&station->event, on_event, 0);
    return station;
}

void
station_free(Station *station)
{
    stop(station);
    g_free(station);
}
