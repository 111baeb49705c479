/* Processor sharing under CFS bandwidth control. */
#include "sim/cpu.h"

#include <math.h>

#define EPSILON 0.5   /* half a nanosecond of CPU time counts as nothing */
#define MIN_FREE 0.01 /* share of the cores that loads, and of the quota that reserves leave */

struct CpuNode {
    Engine *engine;
    double cores;
    nsec_t phase;
    double load;       /* cores that loads use */
    guint n_running;   /* threads that may run now */
    double rate;       /* share of a core that each of them gets */
    GPtrArray *groups; /* those with running threads */
};

struct CpuGroup {
    Event event;
    CpuNode *node;
    double quota;
    nsec_t period;
    nsec_t phase;
    double attained;  /* service that each job present since the start would have got */
    double remaining; /* of the quota in this period */
    nsec_t period_end;
    nsec_t updated;
    bool throttled;
    bool listed;     /* in node->groups */
    GPtrArray *jobs; /* heap by finish, then address-free order of arrival */
    guint n_threads; /* jobs without those that ride, and the polling thread */
    bool polling;
    double load;    /* cores */
    double reserve; /* cores of the quota that others account for */
    CpuUsage usage;
    uint64_t n_submitted; /* orders jobs that end together */
};

/* ---- heap of jobs ---- */

static CpuJob *
job_at(const CpuGroup *group, guint i)
{
    return g_ptr_array_index(group->jobs, i);
}

static void
place(CpuGroup *group, guint i, CpuJob *job)
{
    g_ptr_array_index(group->jobs, i) = job;
    job->index = i;
}

static bool
before(const CpuJob *a, const CpuJob *b)
{
    return a->finish < b->finish || (a->finish == b->finish && a->order < b->order);
}

static void
sift_up(CpuGroup *group, guint i)
{
    CpuJob *job = job_at(group, i);
    while (i > 0 && before(job, job_at(group, (i - 1) / 2))) {
        place(group, i, job_at(group, (i - 1) / 2));
        i = (i - 1) / 2;
    }
    place(group, i, job);
}

static void
sift_down(CpuGroup *group, guint i)
{
    CpuJob *job = job_at(group, i);
    for (;;) {
        guint child = 2 * i + 1;
        if (child >= group->jobs->len) {
            break;
        }
        if (child + 1 < group->jobs->len &&
            before(job_at(group, child + 1), job_at(group, child))) {
            child++;
        }
        if (!before(job_at(group, child), job)) {
            break;
        }
        place(group, i, job_at(group, child));
        i = child;
    }
    place(group, i, job);
}

static void
heap_remove(CpuGroup *group, guint i)
{
    CpuJob *last = job_at(group, group->jobs->len - 1);
    g_ptr_array_set_size(group->jobs, (gint)group->jobs->len - 1);
    if (i < group->jobs->len) {
        place(group, i, last);
        sift_up(group, i);
        sift_down(group, last->index);
    }
}

/* ---- time ---- */

static void
account(CpuGroup *group, nsec_t now)
{
    double elapsed = (double)(now - group->updated);
    group->updated = now;
    if (elapsed <= 0) {
        return;
    }
    group->usage.used += group->load * elapsed;
    group->remaining -= group->load * elapsed;
    if (group->n_threads == 0) {
        return;
    }
    if (group->throttled) {
        group->usage.throttled += elapsed;
        return;
    }
    double service = elapsed * group->node->rate;
    double used = service * group->n_threads;
    group->attained += service;
    group->usage.used += used;
    group->remaining -= used;
}

static void
refill(CpuGroup *group, nsec_t now)
{
    if (group->quota <= 0 || now < group->period_end) {
        return;
    }
    nsec_t into = (now - group->phase) % group->period;
    into += into < 0 ? group->period : 0;
    group->period_end = now - into + group->period;
    double reserved = group->reserve * (double)group->period;
    double quota = MAX(group->quota - reserved, MIN_FREE * group->quota);
    group->remaining = quota - group->load * (double)into;
}

static void
schedule(CpuGroup *group, nsec_t now)
{
    Engine *engine = group->node->engine;
    bool limited = group->quota > 0;
    if (group->n_threads == 0 || (group->jobs->len == 0 && !limited)) {
        engine_cancel(engine, &group->event);
        return;
    }
    if (group->throttled) {
        engine_reschedule(engine, &group->event, group->period_end);
        return;
    }
    double rate = group->node->rate, wait = INFINITY;
    if (group->jobs->len > 0) {
        wait = (job_at(group, 0)->finish - group->attained) / rate;
    }
    if (limited) {
        wait = MIN(wait, group->remaining / (rate * group->n_threads + group->load));
    }
    nsec_t at = now + (nsec_t)ceil(MAX(wait, 0));
    engine_reschedule(engine, &group->event, limited ? MIN(at, group->period_end) : at);
}

/* ---- the node's cores ---- */

static void
set_running(CpuNode *node, guint n_running, nsec_t now)
{
    node->n_running = n_running;
    double free = MAX(node->cores - node->load, MIN_FREE * node->cores);
    double rate = n_running <= free ? 1.0 : free / n_running;
    if (rate == node->rate) {
        return;
    }
    for (guint i = 0; i < node->groups->len; i++) {
        account(g_ptr_array_index(node->groups, i), now);
    }
    node->rate = rate;
    for (guint i = 0; i < node->groups->len; i++) {
        schedule(g_ptr_array_index(node->groups, i), now);
    }
}

static guint
n_runnable(const CpuGroup *group)
{
    return group->throttled ? 0 : group->n_threads;
}

/* After any change of a group: what runs on the node, and when the group is next heard of. */
static void
settle(CpuGroup *group, guint runnable_before, nsec_t now)
{
    CpuNode *node = group->node;
    bool active = group->n_threads > 0;
    if (active && !group->listed) {
        g_ptr_array_add(node->groups, group);
    } else if (!active && group->listed) {
        g_ptr_array_remove_fast(node->groups, group);
    }
    group->listed = active;
    set_running(node, node->n_running - runnable_before + n_runnable(group), now);
    schedule(group, now);
}

/* Takes the next job that is done off the heap; NULL: none is. */
static CpuJob *
take_done(CpuGroup *group)
{
    if (group->jobs->len == 0 || job_at(group, 0)->finish > group->attained + EPSILON) {
        return NULL;
    }
    CpuJob *job = job_at(group, 0);
    heap_remove(group, 0);
    group->n_threads -= job->rides ? 0 : 1;
    job->group = NULL;
    return job;
}

static void
throttle(CpuGroup *group)
{
    if (group->quota > 0 && !group->throttled && group->remaining <= EPSILON) {
        group->throttled = true;
        group->usage.periods++;
    }
}

static void
on_event(Engine *engine, Event *event)
{
    CpuGroup *group = (CpuGroup *)((char *)event - offsetof(CpuGroup, event));
    nsec_t now = engine_now(engine);
    guint runnable = n_runnable(group);
    account(group, now);
    if (group->quota > 0 && now >= group->period_end) {
        refill(group, now);
        group->throttled = false;
    }
    CpuJob *first = take_done(group);
    g_autoptr(GPtrArray) more = NULL;
    for (CpuJob *job = first; job != NULL && (job = take_done(group)) != NULL;) {
        more = more != NULL ? more : g_ptr_array_new();
        g_ptr_array_add(more, job);
    }
    if (group->n_threads > 0) {
        throttle(group);
    }
    settle(group, runnable, now);
    if (first != NULL) {
        first->done(first);
    }
    for (guint i = 0; more != NULL && i < more->len; i++) {
        CpuJob *job = g_ptr_array_index(more, i);
        job->done(job);
    }
}

/* ---- interface ---- */

CpuNode *
cpu_node_new(Engine *engine, double cores, nsec_t phase)
{
    CpuNode *node = g_new0(CpuNode, 1);
    node->engine = engine;
    node->cores = cores;
    node->phase = phase;
    node->rate = 1;
    node->groups = g_ptr_array_new();
    return node;
}

void
cpu_node_free(CpuNode *node)
{
    g_ptr_array_unref(node->groups);
    g_free(node);
}

CpuGroup *
cpu_group_new(CpuNode *node, nsec_t quota, nsec_t period)
{
    CpuGroup *group = g_new0(CpuGroup, 1);
    group->node = node;
    group->quota = (double)quota;
    group->period = period;
    group->phase = node->phase;
    group->updated = engine_now(node->engine);
    group->jobs = g_ptr_array_new();
    event_init(&group->event, on_event, 0);
    return group;
}

void
cpu_group_free(CpuGroup *group)
{
    nsec_t now = engine_now(group->node->engine);
    account(group, now);
    guint runnable = n_runnable(group);
    for (guint i = 0; i < group->jobs->len; i++) {
        job_at(group, i)->group = NULL;
    }
    g_ptr_array_set_size(group->jobs, 0);
    group->n_threads = 0;
    group->node->load -= group->load;
    group->throttled = false;
    settle(group, runnable, now);
    g_ptr_array_unref(group->jobs);
    g_free(group);
}

/* Without threads no event ends its periods. */
static void
catch_up(CpuGroup *group, nsec_t now)
{
    if (group->n_threads == 0) {
        group->throttled = group->throttled && now < group->period_end;
        refill(group, now);
    }
}

/* A thread more is about to run. */
static void
begin_thread(CpuGroup *group, nsec_t now)
{
    catch_up(group, now);
    group->n_threads++;
    throttle(group);
}

static void
submit(CpuGroup *group, CpuJob *job, nsec_t demand, bool rides)
{
    nsec_t now = engine_now(group->node->engine);
    guint runnable = n_runnable(group);
    account(group, now);
    if (!rides) {
        begin_thread(group, now);
    }
    job->order = group->n_submitted++;
    job->group = group;
    job->rides = rides;
    job->finish = group->attained + (double)demand;
    g_ptr_array_add(group->jobs, job);
    sift_up(group, group->jobs->len - 1);
    settle(group, runnable, now);
}

void
cpu_submit(CpuGroup *group, CpuJob *job, nsec_t demand)
{
    submit(group, job, demand, false);
}

void
cpu_submit_polled(CpuGroup *group, CpuJob *job, nsec_t demand)
{
    g_assert(group->polling);
    submit(group, job, demand, true);
}

void
cpu_group_set_polling(CpuGroup *group, bool polling)
{
    if (polling == group->polling) {
        return;
    }
    nsec_t now = engine_now(group->node->engine);
    guint runnable = n_runnable(group);
    account(group, now);
    group->polling = polling;
    if (polling) {
        begin_thread(group, now);
    } else {
        group->n_threads--;
    }
    settle(group, runnable, now);
}

nsec_t
cpu_group_longest_stop(const CpuGroup *group)
{
    return group->quota > 0 ? MAX(group->period - (nsec_t)group->quota, 0) : 0;
}

bool
cpu_group_is_polling(const CpuGroup *group)
{
    return group->polling;
}

void
cpu_group_set_load(CpuGroup *group, double cores)
{
    nsec_t now = engine_now(group->node->engine);
    account(group, now);
    catch_up(group, now);
    group->node->load = MAX(group->node->load + cores - group->load, 0);
    group->load = cores;
    settle(group, n_runnable(group), now);
}

void
cpu_group_set_reserve(CpuGroup *group, double cores)
{
    group->reserve = cores;
}

double
cpu_group_limit(const CpuGroup *group)
{
    return group->quota > 0 ? group->quota / (double)group->period : 0;
}

void
cpu_group_set_phase(CpuGroup *group, nsec_t phase)
{
    group->phase = phase;
}

void
cpu_cancel(CpuJob *job)
{
    CpuGroup *group = job->group;
    if (group == NULL) {
        return;
    }
    nsec_t now = engine_now(group->node->engine);
    guint runnable = n_runnable(group);
    account(group, now);
    heap_remove(group, job->index);
    group->n_threads -= job->rides ? 0 : 1;
    job->group = NULL;
    settle(group, runnable, now);
}

CpuUsage
cpu_group_usage(CpuGroup *group)
{
    account(group, engine_now(group->node->engine));
    return group->usage;
}
