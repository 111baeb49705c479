/* A station: one thread that serves what arrives in the order of arrival, on the CPU time of a
 * container (sim/cpu.h).  VPP's main thread in a forwarder or function is one.
 *
 * A thread that polls finds what arrives at once, but burns the container's quota meanwhile: what
 * arrives while it is stopped waits for the next CFS period.  One that does not poll sleeps when
 * there is nothing to do, and takes a wake-up's time to begin again; it uses the quota only for
 * what it serves (FACTS 4).
 *
 * Where a visitor's time went is told exactly: waking + queueing + service + throttled is the time
 * from its arrival to its departure. */
#pragma once

#include "base/dist.h"
#include "sim/cpu.h"

typedef struct Station Station;

/* Embedded by what is served. */
typedef struct Visit Visit;
struct Visit {
    Visit *next;
    nsec_t demand; /* CPU time */
    nsec_t arrived;
    nsec_t woken;     /* when the thread had woken for it; `arrived` when it was awake */
    double throttled; /* of the container, when it arrived */
};

typedef struct VisitTimes {
    nsec_t waking;
    nsec_t queueing; /* behind others, and for a share of a core */
    nsec_t service;
    nsec_t throttled; /* with the quota spent, in the queue or at the head of it */
} VisitTimes;

/* The visit is over and its memory the owner's again.  May make the station busy anew, not free
 * it. */
typedef void (*StationServed)(void *data, Visit *visit, const VisitTimes *times);

/* `group` NULL: a thread with a core of its own.  `wake_up` in seconds, borrowed; NULL: none. */
Station *station_new(Engine *engine, CpuGroup *group, const Dist *wake_up,
                     const RandomStream *random, StationServed served, void *data);
void station_free(Station *station); /* visits that are not over are forgotten */

void station_arrive(Station *station, Visit *visit, nsec_t demand);
guint station_n_present(const Station *station);
/* Takes the next visit back, in the order of arrival; NULL: none is there. */
Visit *station_remove(Station *station);

/* The thread polls from now on, or no longer does; with a group only. */
void station_set_polling(Station *station, bool polling);
