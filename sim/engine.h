/* Discrete-event engine: a clock and the events that are still to come.
 *
 * Terms.  An *event* is a struct Event embedded in what it concerns; its *handler* is called when
 * its time comes and finds the surrounding struct with container_of.  An event is *scheduled*
 * from engine_schedule until it is cancelled or its handler is called, whichever comes first:
 * inside its handler it is no longer scheduled and may be scheduled anew or freed.
 *
 * Order.  Events run in the order of (time, rank, scheduling): earlier first, at equal times the
 * lower rank, at equal ranks the one that was scheduled first.  Rescheduling counts as scheduling
 * anew.  An event that is scheduled for the present runs after those of the present that are
 * before it in this order; one of a lower rank than the running event runs next.  Nothing else
 * (addresses, hash order, number of events) has any influence.
 *
 * Time.  The clock starts at 0 and never goes back.  Events can be scheduled from now up to
 * ENGINE_TIME_MAX, and at NSEC_NEVER, which means not at all: a time-out that is configured as
 * "never" needs no special case.
 *
 * Ownership.  The engine borrows scheduled events: they must stay where they are until they have
 * run or are cancelled.  After that the engine holds no pointer to them.  It allocates memory only
 * when more events are pending than ever before.  Schedule, cancel and run take constant time
 * on average, however many are pending and however many of them at the same time.
 *
 * Misuse (scheduling in the past, or an event twice) is a bug and aborts.  An engine belongs to
 * one thread; several engines are independent. */
#pragma once

#include "base/nsec.h"

#include <stddef.h>

/* The latest time that the clock can reach: 146 years. */
#define ENGINE_TIME_MAX (INT64_C(1) << 62)

typedef struct Engine Engine;
typedef struct Event Event;
typedef void (*EventHandler)(Engine *engine, Event *event);

/* Embedded in the caller's struct; set by event_init, otherwise the engine's alone. */
struct Event {
    EventHandler handler; /* called when the time comes */
    nsec_t time;          /* when it is scheduled for, NSEC_NEVER when it is not */
    uint32_t slot;        /* where the engine keeps the way back to it, while scheduled */
    uint8_t rank;         /* order among events of equal time */
};

typedef struct EngineCounters {
    uint64_t n_run;      /* events whose handlers were called */
    size_t n_pending;    /* scheduled now */
    size_t peak_pending; /* most that were ever scheduled at a time */
    size_t bytes;        /* memory that the engine holds, without the events themselves */
} EngineCounters;

Engine *engine_new(void);

/* Frees the engine; NULL is allowed.  Events still scheduled are forgotten, not called: use
 * event_init before using them with another engine. */
void engine_free(Engine *engine);

/* The time of the event that runs, or of the end of the last run. */
nsec_t engine_now(const Engine *engine);

/* Makes the event ready for scheduling; a lower rank runs first at equal times. */
void event_init(Event *event, EventHandler handler, uint8_t rank);

static inline bool
event_is_scheduled(const Event *event)
{
    return event->time != NSEC_NEVER;
}

/* When the event is scheduled for; NSEC_NEVER when it is not scheduled. */
static inline nsec_t
event_time(const Event *event)
{
    return event->time;
}

/* Schedules an event that is not scheduled, at a time not before now.  At NSEC_NEVER it stays
 * unscheduled. */
void engine_schedule(Engine *engine, Event *event, nsec_t at);

/* The same for an event that may be scheduled already; it takes its place behind those of the
 * same time and rank. */
void engine_reschedule(Engine *engine, Event *event, nsec_t at);

/* Takes the event back; does nothing when it is not scheduled.  It may be freed or scheduled anew
 * at once. */
void engine_cancel(Engine *engine, Event *event);

/* Runs all events up to and including the time `until`, those scheduled on the way as well, and
 * sets the clock to `until`.  Until NSEC_NEVER it runs until none is left, and leaves the clock at
 * the last.  False when engine_stop ended the run: the clock stays at the event that stopped it.
 * Not to be called by a handler. */
bool engine_run_until(Engine *engine, nsec_t until);

/* Runs the next event and sets the clock to its time; false when there is none.  Not to be called
 * by a handler. */
bool engine_step(Engine *engine);

/* Ends engine_run_until after the handler that calls this; without effect outside of one. */
void engine_stop(Engine *engine);

/* The time of the next event, NSEC_NEVER when there is none.  When nothing is due soon this looks
 * through the events that are close together in time far ahead: not for inner loops. */
nsec_t engine_next_time(Engine *engine);

EngineCounters engine_counters(const Engine *engine);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Engine, engine_free)
