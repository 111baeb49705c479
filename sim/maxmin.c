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
 * Only a resource that shares a flow whose rate has changed gets another target (or one in the
 * queue, when the flow's rate is equal to several levels of which one has changed).  When the rate
 * fell, the target grows: the place in the queue, or the level, remains a lower bound, and it is
 * enough to look when that comes up (`is_stale`).  When the rate grew, the target falls: it must be
 * found before the queue goes on (`doubtful`). */
#include "sim/maxmin.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#define EPSILON 1e-12 /* relative; rounding is below this, what matters above */
#define NOT_QUEUED UINT32_MAX
/* A usage below so much of the capacity is less than that, however its sum was rounded. */
#define AMPLE (1 - 1e-9)

/* A flow as its resource sees it. */
typedef struct Share {
    double coefficient;
    MaxminFlow flow;
    uint32_t slot; /* among the flow's links */
} Share;

/* A resource as its flow sees it. */
typedef struct Link {
    double coefficient;
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
    bool all_rise; /* to the target: none of the flows at the level is limited before */
    bool exists;
} Resource;

/* Of a resource what is looked at for each rate that changes, kept together. */
typedef struct State {
    double level;
    double usage; /* at present rates; summed up exactly by each review, between by differences */
    double ample; /* usage below this is surely less than the capacity */
    uint32_t queue_place;
    bool is_stale;    /* if queued: target must be found anew before it counts */
    bool is_doubtful; /* the same at once: in the list of those */
} State;

typedef struct Flow {
    double cap;
    Link *links;
    uint32_t n_links;
    uint32_t n_allocated;
    double known; /* rate after the last solution */
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
    /* by number; states and rates stand apart as they are read most */
    Resource *resources;
    State *states; /* of the resources */
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
    uint64_t *changed;       /* a bit for each flow: its rate was written */
    uint64_t *changed_words; /* a bit for each word of those: it is not 0 */

    Demand *demands; /* of one resource, while its target is found */
    uint32_t n_demands_allocated;
    uint64_t n_solved;
    bool is_telling; /* in a call of MaxminChanged */
};

/* ---- queue ---- */

static void
queue_put(Maxmin *system, uint32_t place, QueueItem item)
{
    system->queue[place] = item;
    system->states[item.resource].queue_place = place;
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
    uint32_t place = system->states[number].queue_place;
    QueueItem item = {.key = key, .resource = number};
    if (place == NOT_QUEUED) {
        queue_sift_up(system, system->n_queued++, item);
    } else if (key != system->queue[place].key) {
        queue_sift(system, place, item);
    }
}

static void
queue_remove(Maxmin *system, MaxminResource number)
{
    uint32_t place = system->states[number].queue_place;
    if (place == NOT_QUEUED) {
        return;
    }
    system->states[number].queue_place = NOT_QUEUED;
    system->n_queued--;
    if (place < system->n_queued) {
        queue_sift(system, place, system->queue[system->n_queued]);
    }
}

/* ---- what a change sets off ---- */

/* A flow on the resource takes less: its target has grown. */
static inline void
ease(Maxmin *system, MaxminResource number)
{
    State *state = &system->states[number];
    state->is_stale = true;
    if (state->queue_place == NOT_QUEUED && state->level < INFINITY) {
        queue_set(system, number, state->level);
    }
}

/* A flow on the resource takes more: its target has fallen, who knows how far.  But it stays
 * infinite when there is still room.  (A usage that is NaN after infinite rates is no room.)  As
 * whatever was overdrawn is reviewed before it counts as free again, differences add up to usage
 * without ever exceeding the capacity, and so do their roundings. */
static inline void
doubt(Maxmin *system, MaxminResource number)
{
    State *state = &system->states[number];
    bool is_free = state->level == INFINITY && state->queue_place == NOT_QUEUED;
    if (!state->is_doubtful && !(is_free && state->usage < state->ample)) {
        state->is_doubtful = true;
        system->doubtful[system->n_doubtful++] = number;
    }
}

/* The flow's rate stays, but what limits it may be another of several resources of equal level.
 * Those that wait have counted on its limit. */
static void
note_tie(Maxmin *system, const Flow *flow)
{
    for (uint32_t i = 0; i < flow->n_links; i++) {
        system->states[flow->links[i].resource].is_stale = true;
    }
}

/* The one place that writes rates; also told when a level that limits the flow has changed and the
 * rate has not.  The resource `cause` (or MAXMIN_NONE) knows already. */
static void
set_rate(Maxmin *system, MaxminFlow number, double rate, MaxminResource cause)
{
    Flow *flow = &system->flows[number];
    double difference = rate - system->rates[number];
    if (difference == 0) {
        note_tie(system, flow);
        return;
    }
    system->rates[number] = rate;
    system->changed[number / 64] |= UINT64_C(1) << number % 64;
    system->changed_words[number / 64 / 64] |= UINT64_C(1) << number / 64 % 64;
    for (uint32_t i = 0; i < flow->n_links; i++) {
        const Link *link = &flow->links[i];
        system->states[link->resource].usage += link->coefficient * difference;
        if (link->resource == cause) {
            continue;
        }
        if (difference < 0) {
            ease(system, link->resource);
        } else {
            doubt(system, link->resource);
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
        if (number != left_out && system->states[number].level < limit) {
            limit = system->states[number].level;
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

/* The value if the condition holds, otherwise 0, without a branch: which flows are limited
 * elsewhere is nothing that a processor could foretell. */
static inline double
value_if(bool condition, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    bits &= -(uint64_t)condition;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* The users of a resource, by whether their rates are below its level. */
typedef struct Sums {
    double limited; /* usage by those below */
    double highest; /* rate of those below */
    double open;    /* coefficients of the others */
} Sums;

static Sums
sum_up(const Maxmin *system, const Resource *resource, double level)
{
    Sums sums = {0};
    for (uint32_t i = 0; i < resource->n_shares; i++) {
        double coefficient = resource->shares[i].coefficient;
        double rate = system->rates[resource->shares[i].flow];
        double below = value_if(rate < level, rate);
        sums.limited += coefficient * below;
        sums.highest = MAX(sums.highest, below);
        sums.open += value_if(!(rate < level), coefficient);
    }
    return sums;
}

/* Solves (1) from a level that is not above the solution.  What flows take together is concave in
 * the level, so Newton's steps never go beyond; each limits at least one more flow. */
static double
climb(const Demand *demands, uint32_t n, double capacity, double level)
{
    for (;;) {
        double limited = 0, open = 0;
        for (uint32_t i = 0; i < n; i++) {
            bool is_limited = demands[i].limit < level;
            limited += demands[i].coefficient * value_if(is_limited, demands[i].limit);
            open += value_if(!is_limited, demands[i].coefficient);
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

/* Solves (1) from `start` or, when that is more, from where all share equally: neither is above the
 * solution.  A rate below the present level is that flow's limit; the limits of the others matter
 * only above it. */
static double
climb_from(Maxmin *system, MaxminResource number, double start)
{
    const Resource *resource = &system->resources[number];
    double level = system->states[number].level, total = 0;
    for (uint32_t i = 0; i < resource->n_shares; i++) {
        Demand *demand = &system->demands[i];
        MaxminFlow flow = resource->shares[i].flow;
        demand->coefficient = resource->shares[i].coefficient;
        demand->limit = system->rates[flow];
        total += demand->coefficient;
        if (start > level && demand->limit >= level) {
            demand->limit = find_limit(system, &system->flows[flow], number);
        }
    }
    start = MAX(start, resource->capacity / total);
    return climb(system->demands, resource->n_shares, resource->capacity, start);
}

/* Whether all flows at the resource's level could have this greater rate. */
static bool
can_all_rise(const Maxmin *system, MaxminResource number, double rate)
{
    const Resource *resource = &system->resources[number];
    double level = system->states[number].level;
    for (uint32_t i = 0; i < resource->n_shares; i++) {
        MaxminFlow flow = resource->shares[i].flow;
        if (system->rates[flow] >= level &&
            find_limit(system, &system->flows[flow], number) < rate) {
            return false;
        }
    }
    return true;
}

/* What (1) asks for.  The first of Newton's steps, from the present level, is seldom not the last:
 * it is when no flow's limit lies between. */
static double
find_target(Maxmin *system, MaxminResource number)
{
    Resource *resource = &system->resources[number];
    double level = system->states[number].level;
    Sums sums = sum_up(system, resource, level);
    resource->all_rise = false;
    system->states[number].usage = sums.open == 0 ? sums.limited : sums.limited + sums.open * level;
    if (sums.open == 0 && sums.limited <= resource->capacity * (1 + EPSILON)) {
        return INFINITY;
    }
    double step = sums.open == 0 ? 0 : (resource->capacity - sums.limited) / sums.open;
    if (is_close(step, level)) {
        return level;
    }
    if (step > level) {
        resource->all_rise = can_all_rise(system, number, step);
    }
    if (resource->all_rise || (sums.highest < step && step < level)) {
        return step;
    }
    return climb_from(system, number, step);
}

/* Finds the target and gives the resource its place in the queue, or none. */
static void
review(Maxmin *system, MaxminResource number)
{
    Resource *resource = &system->resources[number];
    double level = system->states[number].level;
    system->states[number].is_stale = false;
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
    system->states[number].level = level;
    for (uint32_t i = 0; i < resource->n_shares; i++) {
        if (system->rates[resource->shares[i].flow] >= level) {
            set_rate(system, resource->shares[i].flow, level, number);
        }
    }
}

static void
raise_to(Maxmin *system, MaxminResource number, double level)
{
    Resource *resource = &system->resources[number];
    double before = system->states[number].level;
    if (resource->raised_in == system->n_solved) {
        level = INFINITY;
        resource->all_rise = false;
        doubt(system, number);
    }
    resource->raised_in = system->n_solved;
    system->states[number].level = level;
    for (uint32_t i = 0; i < resource->n_shares; i++) {
        MaxminFlow flow = resource->shares[i].flow;
        if (system->rates[flow] == before && resource->all_rise) {
            set_rate(system, flow, level, number);
        } else if (system->rates[flow] == before) {
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
    if (target < system->states[number].level) {
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
            system->states[number].is_doubtful = false;
            review(system, number);
        }
        if (system->n_queued == 0) {
            return;
        }
        MaxminResource head = system->queue[0].resource;
        if (system->states[head].is_stale) {
            review(system, head);
        } else {
            settle(system, head);
        }
    }
}

/* Of the flows of one word of `changed`: tells those whose rate is not what it was. */
static guint
tell_word(Maxmin *system, uint32_t word, MaxminChanged changed, void *data)
{
    guint n = 0;
    for (uint64_t bits = system->changed[word]; bits != 0; bits &= bits - 1) {
        MaxminFlow number = 64 * word + (uint32_t)__builtin_ctzll(bits);
        double rate = system->rates[number];
        if (rate == system->flows[number].known) {
            continue;
        }
        system->flows[number].known = rate;
        n++;
        if (changed != NULL) {
            changed(number, rate, data);
        }
    }
    system->changed[word] = 0;
    return n;
}

static guint
tell_changed(Maxmin *system, MaxminChanged changed, void *data)
{
    guint n = 0;
    for (uint32_t i = 0; 64 * 64 * i < system->n_flows; i++) {
        for (uint64_t words = system->changed_words[i]; words != 0; words &= words - 1) {
            n += tell_word(system, 64 * i + (uint32_t)__builtin_ctzll(words), changed, data);
        }
        system->changed_words[i] = 0;
    }
    return n;
}

guint
maxmin_solve(Maxmin *system, MaxminChanged changed, void *data)
{
    g_assert(!system->is_telling);
    system->n_solved++;
    settle_all(system);
    system->is_telling = true;
    guint n = tell_changed(system, changed, data);
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
        system->states = g_renew(State, system->states, n);
        system->queue = g_renew(QueueItem, system->queue, n);
        system->doubtful = g_renew(MaxminResource, system->doubtful, n);
        system->free_resources = g_renew(MaxminResource, system->free_resources, n);
        system->n_resources_allocated = n;
    }
    system->resources[system->n_resources] = (Resource){0};
    system->states[system->n_resources] = (State){.queue_place = NOT_QUEUED};
    return system->n_resources++;
}

MaxminResource
maxmin_add_resource(Maxmin *system, double capacity)
{
    g_assert(!system->is_telling && capacity >= 0 && capacity < INFINITY);
    MaxminResource number = take_resource(system);
    system->resources[number].exists = true;
    system->resources[number].capacity = capacity;
    system->states[number].level = INFINITY;
    system->states[number].usage = 0;
    system->states[number].ample = capacity * AMPLE;
    return number;
}

/* The number may be in the list of doubtful ones: looking at it there does no harm. */
void
maxmin_remove_resource(Maxmin *system, MaxminResource number)
{
    Resource *resource = get_resource(system, number);
    g_assert(!system->is_telling && resource->n_shares == 0);
    queue_remove(system, number);
    system->states[number].level = INFINITY;
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
    system->states[number].ample = capacity * AMPLE;
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

/* From room for some bits to room for more. */
static void
grow_bits(uint64_t **bits, uint32_t n_before, uint32_t n)
{
    uint32_t n_words_before = (n_before + 63) / 64, n_words = (n + 63) / 64;
    *bits = g_renew(uint64_t, *bits, n_words);
    memset(*bits + n_words_before, 0, (n_words - n_words_before) * sizeof **bits);
}

static MaxminFlow
take_flow(Maxmin *system)
{
    if (system->n_free_flows > 0) {
        return system->free_flows[--system->n_free_flows];
    }
    if (system->n_flows == system->n_flows_allocated) {
        uint32_t n = MAX(64, 2 * system->n_flows_allocated);
        system->flows = g_renew(Flow, system->flows, n);
        system->rates = g_renew(double, system->rates, n);
        grow_bits(&system->changed, system->n_flows_allocated, n);
        grow_bits(&system->changed_words, system->n_flows_allocated / 64, n / 64);
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
            flow->links[i].coefficient += use->coefficient;
            resource->shares[flow->links[i].place].coefficient += use->coefficient;
            return;
        }
    }
    reserve_share(system, resource);
    flow->links[flow->n_links] = (Link){
        .coefficient = use->coefficient, .resource = use->resource, .place = resource->n_shares};
    resource->shares[resource->n_shares++] =
        (Share){.coefficient = use->coefficient, .flow = number, .slot = flow->n_links++};
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
detach(Maxmin *system, const Link *link, double rate)
{
    Resource *resource = &system->resources[link->resource];
    system->states[link->resource].usage -= link->coefficient * rate;
    Share last = resource->shares[--resource->n_shares];
    resource->shares[link->place] = last;
    system->flows[last.flow].links[last.slot].place = link->place;
    ease(system, link->resource);
}

void
maxmin_remove_flow(Maxmin *system, MaxminFlow number)
{
    Flow *flow = get_flow(system, number);
    g_assert(!system->is_telling);
    for (uint32_t i = 0; i < flow->n_links; i++) {
        detach(system, &flow->links[i], system->rates[number]);
    }
    flow->exists = false;
    flow->known = system->rates[number]; /* nothing to tell */
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
        if (system->states[flow->links[i].resource].level == rate) {
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
    g_free(system->states);
    g_free(system->flows);
    g_free(system->rates);
    g_free(system->free_resources);
    g_free(system->free_flows);
    g_free(system->queue);
    g_free(system->doubtful);
    g_free(system->changed);
    g_free(system->changed_words);
    g_free(system->demands);
    g_free(system);
}
