/* Max-min fair rates by levels.
 *
 * Each resource has a *level*: the rate of the flows that have their bottleneck there, infinite
 * when it is not used up.  A flow's rate is the least of its cap and the levels of its resources.
 * Let limit(f, r) be the same without r.  Levels are right when for each resource r
 *
 *     level(r) = the least l with  sum over flows f on r of coefficient * min(l, limit(f, r)) =
 *                capacity, infinite when there is none,                                         (1)
 *
 * because then no resource is overdrawn, and whatever level a flow's rate is equal to is that of a
 * resource used up by flows of at most that rate: its bottleneck.
 *
 * What (1) asks of level(r) depends only on limits below level(r).  So levels can be put right from
 * the lowest up, as Ramalingam and Reps do it with distances ("An incremental algorithm for a
 * generalization of the shortest-path problem", Journal of Algorithms 21, 1996).  Resources whose
 * level is not what (1) asks for, its *target*, wait in a queue, in the order of the lesser of
 * level and target.  Let v be the least of the queue, and let "right" be the levels of the
 * solution.
 *
 *   - No level below v is wrong, and no right level below v is missing.  Otherwise take the least
 *     value at which a level and the right one differ; there all limits below are right, so (1)
 *     asks for another level than there is, and that resource would be at the queue's head.
 *   - A resource with target v < level is *lowered* to v: as limits below v are right, v is right.
 *   - A resource with level v < target is *raised* to its target.  This may turn out too high
 *     (it will be lowered then) or too low (it is raised again, now to infinity).
 *
 * So a resource is raised at most twice and lowered at most once per solution, after which it is
 * not looked at again.  This bound is enforced, and so holds whatever rounding does.
 *
 * Only a resource that shares a flow whose rate has changed gets another target.  When the rate
 * fell, the target grows: the place in the queue, or the level, remains a lower bound, and it is
 * enough to look when that comes up (`is_stale`).  When the rate grew, the target falls: it must be
 * found before the queue goes on (`doubtful`). */
#include "sim/maxmin.h"

#include <math.h>
#include <stdbool.h>

#define EPSILON 1e-12 /* relative; rounding is below this, what matters above */
#define NOT_QUEUED UINT32_MAX

/* A flow as its resource sees it. */
typedef struct Share {
    double coefficient;
    MaxminFlow flow;
    uint32_t slot; /* among the flow's links */
} Share;

/* A resource as its flow sees it. */
typedef struct Link {
    MaxminResource resource;
    uint32_t place; /* among the resource's shares */
} Link;

typedef struct Resource {
    double capacity;
    Share *shares;
    uint32_t n_shares;
    uint32_t n_allocated;

    /* while solving */
    double target;      /* level that it should have, as far as known */
    uint64_t raised_in; /* number of the solution that raised it last */
    uint64_t lowered_in;
    uint32_t queue_place;
    bool is_stale;    /* target must be found anew before it counts; waits in the queue */
    bool is_doubtful; /* the same at once: in the list of those */
    bool exists;
} Resource;

typedef struct Flow {
    double cap;
    Link *links;
    uint32_t n_links;
    uint32_t n_allocated;
    double known;   /* rate after the last solution */
    uint64_t order; /* of being added */
    bool is_changed;
    bool exists;
} Flow;

typedef struct QueueItem {
    double key;
    MaxminResource resource;
} QueueItem;

/* What sets a level: a flow that could have `limit`, at this coefficient. */
typedef struct Demand {
    double limit;
    double coefficient;
} Demand;

struct Maxmin {
    /* by number; levels and rates stand apart as they are read most */
    Resource *resources;
    double *levels;
    Flow *flows;
    double *rates;
    uint32_t n_resources;
    uint32_t n_resources_allocated;
    uint32_t n_flows;
    uint32_t n_flows_allocated;

    /* numbers of what was removed, as many as there ever were at most */
    MaxminResource *free_resources;
    MaxminFlow *free_flows;
    uint32_t n_free_resources;
    uint32_t n_free_flows;

    /* what is left to do; each as long as there are resources or flows */
    QueueItem *queue; /* binary heap */
    uint32_t n_queued;
    MaxminResource *doubtful;
    uint32_t n_doubtful;
    MaxminFlow *changed;
    uint32_t n_changed;

    Demand *demands; /* of one resource, while its target is found */
    uint32_t n_demands_allocated;
    uint64_t n_solved;
    uint64_t n_added; /* flows */
    bool is_telling;  /* in a call of MaxminChanged */
};

/* ---- queue ---- */

static void
queue_put(Maxmin *system, uint32_t place, QueueItem item)
{
    system->queue[place] = item;
    system->resources[item.resource].queue_place = place;
}

static void
queue_sift_up(Maxmin *system, uint32_t place, QueueItem item)
{
    while (place > 0 && item.key < system->queue[(place - 1) / 2].key) {
        queue_put(system, place, system->queue[(place - 1) / 2]);
        place = (place - 1) / 2;
    }
    queue_put(system, place, item);
}

static void
queue_sift_down(Maxmin *system, uint32_t place, QueueItem item)
{
    for (;;) {
        uint32_t child = 2 * place + 1;
        if (child >= system->n_queued) {
            break;
        }
        if (child + 1 < system->n_queued &&
            system->queue[child + 1].key < system->queue[child].key) {
            child++;
        }
        if (item.key <= system->queue[child].key) {
            break;
        }
        queue_put(system, place, system->queue[child]);
        place = child;
    }
    queue_put(system, place, item);
}

static void
queue_sift(Maxmin *system, uint32_t place, QueueItem item)
{
    if (place > 0 && item.key < system->queue[(place - 1) / 2].key) {
        queue_sift_up(system, place, item);
    } else {
        queue_sift_down(system, place, item);
    }
}

/* Puts the resource into the queue, or moves it to where the key belongs. */
static void
queue_set(Maxmin *system, MaxminResource number, double key)
{
    uint32_t place = system->resources[number].queue_place;
    QueueItem item = {.key = key, .resource = number};
    if (place == NOT_QUEUED) {
        queue_sift_up(system, system->n_queued++, item);
    } else {
        queue_sift(system, place, item);
    }
}

static void
queue_remove(Maxmin *system, MaxminResource number)
{
    uint32_t place = system->resources[number].queue_place;
    if (place == NOT_QUEUED) {
        return;
    }
    system->resources[number].queue_place = NOT_QUEUED;
    system->n_queued--;
    if (place < system->n_queued) {
        queue_sift(system, place, system->queue[system->n_queued]);
    }
}

/* ---- what a change sets off ---- */

/* A flow on the resource takes less: its target has grown. */
static void
ease(Maxmin *system, MaxminResource number)
{
    Resource *resource = &system->resources[number];
    if (resource->queue_place != NOT_QUEUED) {
        resource->is_stale = true;
    } else if (system->levels[number] < INFINITY) {
        resource->is_stale = true;
        queue_set(system, number, system->levels[number]);
    }
}

/* A flow on the resource takes more: its target has fallen, who knows how far. */
static void
doubt(Maxmin *system, MaxminResource number)
{
    Resource *resource = &system->resources[number];
    if (!resource->is_doubtful) {
        resource->is_doubtful = true;
        system->doubtful[system->n_doubtful++] = number;
    }
}

/* The one place that writes rates.  The resource `cause` (or MAXMIN_NONE) knows already. */
static void
set_rate(Maxmin *system, MaxminFlow number, double rate, MaxminResource cause)
{
    Flow *flow = &system->flows[number];
    void (*tell)(Maxmin *, MaxminResource) = rate < system->rates[number] ? ease : doubt;
    if (rate == system->rates[number]) {
        return;
    }
    system->rates[number] = rate;
    if (!flow->is_changed) {
        flow->is_changed = true;
        system->changed[system->n_changed++] = number;
    }
    for (uint32_t i = 0; i < flow->n_links; i++) {
        if (flow->links[i].resource != cause) {
            tell(system, flow->links[i].resource);
        }
    }
}

/* The rate that the flow could have if there were no `left_out`. */
static double
find_limit(const Maxmin *system, const Flow *flow, MaxminResource left_out)
{
    double limit = flow->cap;
    for (uint32_t i = 0; i < flow->n_links; i++) {
        MaxminResource number = flow->links[i].resource;
        if (number != left_out && system->levels[number] < limit) {
            limit = system->levels[number];
        }
    }
    return limit;
}

/* ---- levels ---- */

static bool
is_close(double a, double b)
{
    return a == b || fabs(a - b) <= EPSILON * MIN(a, b);
}

/* Solves (1) from a level that is not above the solution.  What flows take together is concave in
 * the level, so Newton's steps never go beyond; each limits at least one more flow. */
static double
climb(const Demand *demands, uint32_t n, double capacity, double level)
{
    for (;;) {
        double limited = 0, open = 0;
        for (uint32_t i = 0; i < n; i++) {
            if (demands[i].limit < level) {
                limited += demands[i].coefficient * demands[i].limit;
            } else {
                open += demands[i].coefficient;
            }
        }
        if (open == 0) {
            return limited <= capacity * (1 + EPSILON) ? INFINITY : level;
        }
        double next = (capacity - limited) / open;
        if (next <= level) {
            return level;
        }
        level = next;
    }
}

/* What (1) asks for.  Limits of flows with rates below the level are those rates; limits of the
 * others matter only when the level grows. */
static double
find_target(Maxmin *system, MaxminResource number)
{
    const Resource *resource = &system->resources[number];
    Demand *demands = system->demands;
    double level = system->levels[number], limited = 0, open = 0, total = 0;
    for (uint32_t i = 0; i < resource->n_shares; i++) {
        double coefficient = resource->shares[i].coefficient;
        double rate = system->rates[resource->shares[i].flow];
        demands[i] = (Demand){.limit = rate, .coefficient = coefficient};
        total += coefficient;
        if (rate < level) {
            limited += coefficient * rate;
        } else {
            open += coefficient;
        }
    }
    if (open == 0 && limited <= resource->capacity * (1 + EPSILON)) {
        return INFINITY;
    }
    double start = open == 0 ? 0 : (resource->capacity - limited) / open;
    if (is_close(start, level)) {
        return level;
    }
    for (uint32_t i = 0; start > level && i < resource->n_shares; i++) {
        if (demands[i].limit >= level) {
            const Flow *flow = &system->flows[resource->shares[i].flow];
            demands[i].limit = find_limit(system, flow, number);
        }
    }
    start = MAX(start, resource->capacity / total);
    return climb(demands, resource->n_shares, resource->capacity, start);
}

/* Finds the target and gives the resource its place in the queue, or none. */
static void
review(Maxmin *system, MaxminResource number)
{
    Resource *resource = &system->resources[number];
    double level = system->levels[number];
    resource->is_stale = false;
    if (resource->lowered_in == system->n_solved) {
        queue_remove(system, number);
        return;
    }
    resource->target = find_target(system, number);
    if (is_close(resource->target, level)) {
        queue_remove(system, number);
    } else {
        queue_set(system, number, MIN(resource->target, level));
    }
}

static void
lower(Maxmin *system, MaxminResource number, double level)
{
    Resource *resource = &system->resources[number];
    resource->lowered_in = system->n_solved;
    system->levels[number] = level;
    for (uint32_t i = 0; i < resource->n_shares; i++) {
        if (system->rates[resource->shares[i].flow] > level) {
            set_rate(system, resource->shares[i].flow, level, number);
        }
    }
}

static void
raise_to(Maxmin *system, MaxminResource number, double level)
{
    Resource *resource = &system->resources[number];
    double before = system->levels[number];
    if (resource->raised_in == system->n_solved) {
        level = INFINITY;
        doubt(system, number);
    }
    resource->raised_in = system->n_solved;
    system->levels[number] = level;
    for (uint32_t i = 0; i < resource->n_shares; i++) {
        MaxminFlow flow = resource->shares[i].flow;
        if (system->rates[flow] == before) {
            double rate = find_limit(system, &system->flows[flow], MAXMIN_NONE);
            set_rate(system, flow, rate, number);
        }
    }
}

/* Puts the level of the queue's head right. */
static void
settle(Maxmin *system, MaxminResource number)
{
    double target = system->resources[number].target;
    queue_remove(system, number);
    if (target < system->levels[number]) {
        lower(system, number, target);
    } else {
        raise_to(system, number, target);
    }
}

static void
settle_all(Maxmin *system)
{
    for (;;) {
        while (system->n_doubtful > 0) {
            MaxminResource number = system->doubtful[--system->n_doubtful];
            system->resources[number].is_doubtful = false;
            review(system, number);
        }
        if (system->n_queued == 0) {
            return;
        }
        MaxminResource head = system->queue[0].resource;
        if (system->resources[head].is_stale) {
            review(system, head);
        } else {
            settle(system, head);
        }
    }
}

/* Shell's method with Ciura's gaps ("Best increments for the average case of Shellsort", 2001):
 * without memory, and quickest for the few tens that are usual. */
static void
sort_by_order(const Flow *flows, MaxminFlow *numbers, uint32_t n)
{
    static const uint32_t gaps[] = {1750, 701, 301, 132, 57, 23, 10, 4, 1};
    for (size_t g = 0; g < G_N_ELEMENTS(gaps); g++) {
        for (uint32_t i = gaps[g]; i < n; i++) {
            MaxminFlow number = numbers[i];
            uint32_t place = i;
            while (place >= gaps[g] &&
                   flows[numbers[place - gaps[g]]].order > flows[number].order) {
                numbers[place] = numbers[place - gaps[g]];
                place -= gaps[g];
            }
            numbers[place] = number;
        }
    }
}

/* Of the flows whose rates were touched, keeps those that are there and have another rate than
 * before. */
static void
sift_changed(Maxmin *system)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < system->n_changed; i++) {
        MaxminFlow number = system->changed[i];
        Flow *flow = &system->flows[number];
        flow->is_changed = false;
        if (flow->exists && system->rates[number] != flow->known) {
            flow->known = system->rates[number];
            system->changed[n++] = number;
        }
    }
    system->n_changed = n;
}

guint
maxmin_solve(Maxmin *system, MaxminChanged changed, void *data)
{
    g_assert(!system->is_telling);
    system->n_solved++;
    settle_all(system);
    sift_changed(system);
    guint n = system->n_changed;
    system->n_changed = 0;
    if (changed == NULL) {
        return n;
    }
    sort_by_order(system->flows, system->changed, n);
    system->is_telling = true;
    for (guint i = 0; i < n; i++) {
        changed(system->changed[i], system->rates[system->changed[i]], data);
    }
    system->is_telling = false;
    return n;
}

/* ---- resources ---- */

static Resource *
get_resource(const Maxmin *system, MaxminResource number)
{
    g_assert(number < system->n_resources && system->resources[number].exists);
    return &system->resources[number];
}

static Flow *
get_flow(const Maxmin *system, MaxminFlow number)
{
    g_assert(number < system->n_flows && system->flows[number].exists);
    return &system->flows[number];
}

static MaxminResource
take_resource(Maxmin *system)
{
    if (system->n_free_resources > 0) {
        return system->free_resources[--system->n_free_resources];
    }
    if (system->n_resources == system->n_resources_allocated) {
        uint32_t n = MAX(16, 2 * system->n_resources_allocated);
        system->resources = g_renew(Resource, system->resources, n);
        system->levels = g_renew(double, system->levels, n);
        system->queue = g_renew(QueueItem, system->queue, n);
        system->doubtful = g_renew(MaxminResource, system->doubtful, n);
        system->free_resources = g_renew(MaxminResource, system->free_resources, n);
        system->n_resources_allocated = n;
    }
    system->resources[system->n_resources] = (Resource){.queue_place = NOT_QUEUED};
    return system->n_resources++;
}

MaxminResource
maxmin_add_resource(Maxmin *system, double capacity)
{
    g_assert(!system->is_telling && capacity >= 0 && capacity < INFINITY);
    MaxminResource number = take_resource(system);
    system->resources[number].exists = true;
    system->resources[number].capacity = capacity;
    system->levels[number] = INFINITY;
    return number;
}

/* The number may be in the list of doubtful ones: looking at it there does no harm. */
void
maxmin_remove_resource(Maxmin *system, MaxminResource number)
{
    Resource *resource = get_resource(system, number);
    g_assert(!system->is_telling && resource->n_shares == 0);
    queue_remove(system, number);
    system->levels[number] = INFINITY;
    resource->exists = false;
    system->free_resources[system->n_free_resources++] = number;
}

void
maxmin_set_capacity(Maxmin *system, MaxminResource number, double capacity)
{
    Resource *resource = get_resource(system, number);
    g_assert(!system->is_telling && capacity >= 0 && capacity < INFINITY);
    double before = resource->capacity;
    resource->capacity = capacity;
    if (capacity < before) {
        doubt(system, number);
    } else if (capacity > before) {
        ease(system, number);
    }
}

double
maxmin_usage(const Maxmin *system, MaxminResource number)
{
    const Resource *resource = get_resource(system, number);
    double usage = 0;
    for (uint32_t i = 0; i < resource->n_shares; i++) {
        const Share *share = &resource->shares[i];
        usage += share->coefficient * system->flows[share->flow].known;
    }
    return usage;
}

/* ---- flows ---- */

static MaxminFlow
take_flow(Maxmin *system)
{
    if (system->n_free_flows > 0) {
        return system->free_flows[--system->n_free_flows];
    }
    if (system->n_flows == system->n_flows_allocated) {
        uint32_t n = MAX(16, 2 * system->n_flows_allocated);
        system->flows = g_renew(Flow, system->flows, n);
        system->rates = g_renew(double, system->rates, n);
        system->changed = g_renew(MaxminFlow, system->changed, n);
        system->free_flows = g_renew(MaxminFlow, system->free_flows, n);
        system->n_flows_allocated = n;
    }
    system->flows[system->n_flows] = (Flow){0};
    return system->n_flows++;
}

/* Room for one more share, and for the demands of all. */
static void
reserve_share(Maxmin *system, Resource *resource)
{
    if (resource->n_shares == resource->n_allocated) {
        resource->n_allocated = MAX(8, 2 * resource->n_allocated);
        resource->shares = g_renew(Share, resource->shares, resource->n_allocated);
    }
    if (resource->n_allocated > system->n_demands_allocated) {
        system->n_demands_allocated = resource->n_allocated;
        system->demands = g_renew(Demand, system->demands, system->n_demands_allocated);
    }
}

static void
attach(Maxmin *system, MaxminFlow number, const MaxminUse *use)
{
    g_assert(use->coefficient > 0 && use->coefficient < INFINITY);
    Flow *flow = &system->flows[number];
    Resource *resource = get_resource(system, use->resource);
    for (uint32_t i = 0; i < flow->n_links; i++) {
        if (flow->links[i].resource == use->resource) {
            resource->shares[flow->links[i].place].coefficient += use->coefficient;
            return;
        }
    }
    reserve_share(system, resource);
    flow->links[flow->n_links] = (Link){.resource = use->resource, .place = resource->n_shares};
    resource->shares[resource->n_shares++] =
        (Share){.coefficient = use->coefficient, .flow = number, .slot = flow->n_links++};
    doubt(system, use->resource);
}

MaxminFlow
maxmin_add_flow(Maxmin *system, double cap, const MaxminUse *uses, guint n_uses)
{
    g_assert(!system->is_telling && cap >= 0 && (n_uses > 0 || cap < INFINITY));
    MaxminFlow number = take_flow(system);
    Flow *flow = &system->flows[number];
    if (n_uses > flow->n_allocated) {
        flow->n_allocated = n_uses;
        flow->links = g_renew(Link, flow->links, n_uses);
    }
    flow->exists = true;
    flow->cap = cap;
    flow->known = 0;
    flow->order = system->n_added++;
    flow->n_links = 0;
    system->rates[number] = 0;
    for (guint i = 0; i < n_uses; i++) {
        attach(system, number, &uses[i]);
    }
    set_rate(system, number, find_limit(system, flow, MAXMIN_NONE), MAXMIN_NONE);
    return number;
}

/* The last share takes the place of the one that goes. */
static void
detach(Maxmin *system, const Link *link)
{
    Resource *resource = &system->resources[link->resource];
    Share last = resource->shares[--resource->n_shares];
    resource->shares[link->place] = last;
    system->flows[last.flow].links[last.slot].place = link->place;
    ease(system, link->resource);
}

/* The number may be in the list of changed ones, which passes over it. */
void
maxmin_remove_flow(Maxmin *system, MaxminFlow number)
{
    Flow *flow = get_flow(system, number);
    g_assert(!system->is_telling);
    for (uint32_t i = 0; i < flow->n_links; i++) {
        detach(system, &flow->links[i]);
    }
    flow->exists = false;
    system->free_flows[system->n_free_flows++] = number;
}

void
maxmin_set_cap(Maxmin *system, MaxminFlow number, double cap)
{
    Flow *flow = get_flow(system, number);
    g_assert(!system->is_telling && cap >= 0 && (flow->n_links > 0 || cap < INFINITY));
    flow->cap = cap;
    set_rate(system, number, find_limit(system, flow, MAXMIN_NONE), MAXMIN_NONE);
}

double
maxmin_rate(const Maxmin *system, MaxminFlow number)
{
    return get_flow(system, number)->known;
}

MaxminResource
maxmin_bottleneck(const Maxmin *system, MaxminFlow number)
{
    const Flow *flow = get_flow(system, number);
    double rate = system->rates[number];
    for (uint32_t i = 0; flow->cap > rate && i < flow->n_links; i++) {
        if (system->levels[flow->links[i].resource] == rate) {
            return flow->links[i].resource;
        }
    }
    return MAXMIN_NONE;
}

/* ---- system ---- */

Maxmin *
maxmin_new(void)
{
    return g_new0(Maxmin, 1);
}

void
maxmin_free(Maxmin *system)
{
    if (system == NULL) {
        return;
    }
    for (uint32_t i = 0; i < system->n_resources; i++) {
        g_free(system->resources[i].shares);
    }
    for (uint32_t i = 0; i < system->n_flows; i++) {
        g_free(system->flows[i].links);
    }
    g_free(system->resources);
    g_free(system->levels);
    g_free(system->flows);
    g_free(system->rates);
    g_free(system->free_resources);
    g_free(system->free_flows);
    g_free(system->queue);
    g_free(system->doubtful);
    g_free(system->changed);
    g_free(system->demands);
    g_free(system);
}
