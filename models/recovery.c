/* Following strikes and paths. */
#include "models/recovery.h"

#include <string.h>

#define MAX_PROBLEMS 1000 /* texts that are kept of one run */

static const struct {
    const char *name;
    const char *meaning;
} phases[N_RECOVERY_PHASES] = {
#define X(name, text, what) {text, what},
    RECOVERY_PHASES(X)
#undef X
};

const char *
recovery_phase_name(RecoveryPhase phase)
{
    return phases[phase].name;
}

const char *
recovery_phase_meaning(RecoveryPhase phase)
{
    return phases[phase].meaning;
}

/* A chain, during the present strike. */
typedef struct Track {
    RecoveryChain result;
    bool up;
    nsec_t changed; /* when it went up or down */
    bool healing;
    /* of the strike */
    nsec_t detected; /* NSEC_NEVER: not */
    nsec_t healed;
    nsec_t attempt; /* the last attempt's beginning */
    nsec_t path_up; /* the last time that it came up */
    nsec_t down;    /* together */
    int64_t n_attempts;
    bool affected;
} Track;

/* A Pod that was killed, and its replacement. */
typedef struct Victim {
    char *key;
    char *base; /* the name without its generated end: what its replacement shares */
    bool died;
    bool gone; /* the Pod's object: a StatefulSet's next Pod has the same name */
    bool restored;
    bool in_place; /* its container restarts: the Pod stays */
    nsec_t started, identity, serving;
} Victim;

typedef enum ServiceMark {
    SERVES_WHEN_READY,
    SERVES_WHEN_LISTENING,
    SERVES_WHEN_REGISTERED
} ServiceMark;

struct Recovery {
    TraceSink sink;
    const Scenario *scenario;
    const Chains *chains;
    Track *tracks; /* by chain */
    guint n_chains;
    GHashTable *cases;     /* fault index << 32 | chain -> RecoveryCase */
    GPtrArray *case_order; /* RecoveryCase * */
    GHashTable *services;  /* base -> ServiceMark + 1 */
    GPtrArray *problems;
    int n_missed;
    guint *n_strikes;   /* by fault */
    bool *lasts;        /* by fault: it has a duration and has not ended */
    const Fault *fault; /* of the present strike; NULL: none yet */
    guint fault_index;
    int64_t strike; /* its number */
    nsec_t at;
    GPtrArray *victims; /* Victim * */
    nsec_t disturbed;   /* when something was last not calm */
};

static void
victim_free(void *data)
{
    Victim *victim = data;
    g_free(victim->key);
    g_free(victim->base);
    g_free(victim);
}

static void
case_free(void *data)
{
    RecoveryCase *one = data;
    sample_clear(&one->detection);
    sample_clear(&one->outage);
    sample_clear(&one->recovery);
    sample_clear(&one->attempts);
    g_free(one);
}

static char *
base_of(const char *pod_key)
{
    const char *dash = strrchr(pod_key, '-');
    return dash != NULL ? g_strndup(pod_key, (gsize)(dash - pod_key)) : g_strdup(pod_key);
}

static void
complain(Recovery *recovery, char *take_text)
{
    if (recovery->problems->len < MAX_PROBLEMS) {
        g_ptr_array_add(recovery->problems, take_text);
    } else {
        g_free(take_text);
    }
}

/* ---- one strike ---- */

static RecoveryCase *
case_of(Recovery *recovery, guint chain)
{
    int64_t key = (int64_t)recovery->fault_index << 32 | chain;
    RecoveryCase *one = g_hash_table_lookup(recovery->cases, &key);
    if (one == NULL) {
        one = g_new0(RecoveryCase, 1);
        one->fault = recovery->fault;
        one->chain = recovery->tracks[chain].result.chain;
        g_hash_table_insert(recovery->cases, g_memdup2(&key, sizeof key), one);
        g_ptr_array_add(recovery->case_order, one);
    }
    return one;
}

/* When everything that was killed is back; NSEC_NEVER: not yet.  0: nothing was killed. */
static nsec_t
victims_restored(const Recovery *recovery)
{
    nsec_t last = 0;
    for (guint i = 0; i < recovery->victims->len; i++) {
        const Victim *victim = g_ptr_array_index(recovery->victims, i);
        if (!victim->restored) {
            return NSEC_NEVER;
        }
        last = MAX(last, victim->serving);
    }
    return last;
}

static nsec_t
latest(const Recovery *recovery, size_t member)
{
    nsec_t last = 0;
    for (guint i = 0; i < recovery->victims->len; i++) {
        const char *victim = g_ptr_array_index(recovery->victims, i);
        nsec_t at = *(const nsec_t *)(victim + member);
        last = at != NSEC_NEVER ? MAX(last, at) : last;
    }
    return last;
}

static void
add_phases(const Recovery *recovery, const Track *track, nsec_t done, RecoveryCase *out)
{
    const nsec_t ends[N_RECOVERY_PHASES] = {
        [RECOVERY_DETECT] = track->detected != NSEC_NEVER ? track->detected : 0,
        [RECOVERY_RESTART] = latest(recovery, offsetof(Victim, started)),
        [RECOVERY_IDENTITY] = latest(recovery, offsetof(Victim, identity)),
        [RECOVERY_REGISTER] = latest(recovery, offsetof(Victim, serving)),
        [RECOVERY_REREQUEST] = track->detected != NSEC_NEVER ? track->attempt : 0,
        [RECOVERY_PROGRAM] = done,
    };
    nsec_t before = recovery->at;
    for (int phase = 0; phase < N_RECOVERY_PHASES; phase++) {
        nsec_t end = CLAMP(ends[phase], before, done);
        out->phases[phase] += nsec_to_seconds(end - before);
        before = end;
    }
}

static bool
is_about(const Recovery *recovery, guint chain)
{
    const Fault *fault = recovery->fault;
    if (fault->chain != NULL) {
        return g_str_equal(fault->chain, recovery->tracks[chain].result.chain->name);
    }
    return chain == 0 && (fault->preset != NULL || recovery->n_chains == 1);
}

static void
close_chain(Recovery *recovery, guint chain, nsec_t restored, nsec_t now, bool last)
{
    Track *track = &recovery->tracks[chain];
    bool known = track->result.first_up != NSEC_NEVER;
    if (!known || (!track->affected && !is_about(recovery, chain))) {
        return;
    }
    RecoveryCase *out = case_of(recovery, chain);
    nsec_t down = track->down + (track->up ? 0 : now - MAX(track->changed, recovery->at));
    out->n_affected++;
    sample_add(&out->outage, nsec_to_seconds(down));
    if (track->detected != NSEC_NEVER) {
        sample_add(&out->detection, nsec_to_seconds(track->detected - recovery->at));
        sample_add(&out->attempts, (double)track->n_attempts);
    }
    if (!track->up || track->healing || restored == NSEC_NEVER) {
        out->n_unrecovered++;
        if (!last) { /* the next strike came before it was well again */
            return;
        }
        complain(recovery,
                 g_strdup_printf(
                     "chain %s has not recovered from fault %s (strike %" G_GINT64_FORMAT "): %s",
                     out->chain->name, recovery->fault->name, recovery->strike,
                     !track->up       ? "its path is down"
                     : track->healing ? "its client still heals"
                                      : "what was killed is not back in service"));
        return;
    }
    bool interrupted = track->path_up > 0;
    nsec_t done = MAX(MAX(recovery->at, track->healed), interrupted ? track->path_up : restored);
    sample_add(&out->recovery, nsec_to_seconds(done - recovery->at));
    add_phases(recovery, track, done, out);
}

static void
check_victims(Recovery *recovery)
{
    for (guint i = 0; i < recovery->victims->len; i++) {
        const Victim *victim = g_ptr_array_index(recovery->victims, i);
        if (!victim->died) {
            recovery->n_missed++;
            complain(recovery,
                     g_strdup_printf("fault %s (strike %" G_GINT64_FORMAT
                                     ") did not strike: no container of Pod %s ended",
                                     recovery->fault->name, recovery->strike, victim->key));
        }
    }
}

static void
close_strike(Recovery *recovery, nsec_t now, bool last)
{
    if (recovery->fault == NULL || (last && now == recovery->at)) {
        return; /* a strike at the very end shows nothing any more */
    }
    check_victims(recovery);
    nsec_t restored = victims_restored(recovery);
    for (guint i = 0; i < recovery->n_chains; i++) {
        close_chain(recovery, i, restored, now, last);
    }
    g_ptr_array_set_size(recovery->victims, 0);
    recovery->fault = NULL;
}

/* Whether TRACE_FAULT_ENDED will follow: what has a duration, or lasts until a node has booted. */
static bool
will_end(const Fault *fault)
{
    bool boots = false;
    for (guint i = 0; i < fault->n_parts; i++) {
        boots = boots || fault->parts[i].action == FAULT_NODE_RESTART;
    }
    return fault->duration > 0 || boots;
}

static void
open_strike(Recovery *recovery, const Fault *fault, guint index, const TraceEvent *event)
{
    close_strike(recovery, event->at, false);
    recovery->fault = fault;
    recovery->fault_index = index;
    recovery->strike = event->value;
    recovery->at = event->at;
    recovery->n_strikes[index]++;
    recovery->lasts[index] = will_end(fault);
    for (guint i = 0; i < recovery->n_chains; i++) {
        Track *track = &recovery->tracks[i];
        track->detected = track->healing ? event->at : NSEC_NEVER;
        track->healed = track->path_up = track->attempt = 0;
        track->down = 0;
        track->n_attempts = 0;
        track->affected = !track->up || track->healing;
    }
}

static Victim *
victim_named(const Recovery *recovery, const char *pod_key)
{
    for (guint i = 0; i < recovery->victims->len; i++) {
        Victim *victim = g_ptr_array_index(recovery->victims, i);
        if (g_str_equal(victim->key, pod_key)) {
            return victim;
        }
    }
    return NULL;
}

/* "pod-kill: Pod ns/name"; several containers of a Pod are one victim */
static void
add_victim(Recovery *recovery, const char *target)
{
    static const char KILL[] = "pod-kill: Pod ", CONTAINER[] = "container-kill: Pod ";
    bool kill = g_str_has_prefix(target, KILL), container = g_str_has_prefix(target, CONTAINER);
    if (!kill && !container) {
        return;
    }
    const char *pod_key = target + (kill ? strlen(KILL) : strlen(CONTAINER));
    if (victim_named(recovery, pod_key) != NULL) {
        return;
    }
    Victim *victim = g_new0(Victim, 1);
    victim->key = g_strdup(pod_key);
    victim->base = base_of(victim->key);
    victim->in_place = container;
    victim->started = victim->identity = victim->serving = NSEC_NEVER;
    g_ptr_array_add(recovery->victims, victim);
}

static void
on_fault(Recovery *recovery, const TraceEvent *event)
{
    const Fault *fault = scenario_fault(recovery->scenario, event->subject);
    if (fault == NULL) {
        return;
    }
    guint index = (guint)(fault - recovery->scenario->faults);
    switch ((int)event->mark) {
    case TRACE_FAULT_INJECTED:
        if (recovery->fault != NULL && recovery->at == event->at) {
            /* more targets of the same instant: of this fault, or of another, whose effects nobody
             * can tell apart */
            recovery->n_strikes[index] += recovery->fault != fault;
            recovery->lasts[index] = fault->duration > 0;
        } else if (recovery->fault != fault || recovery->strike != event->value) {
            open_strike(recovery, fault, index, event);
        }
        add_victim(recovery, event->detail);
        break;
    case TRACE_FAULT_ENDED:
        recovery->lasts[index] = false;
        break;
    default:
        recovery->n_missed++;
        complain(recovery,
                 g_strdup_printf("fault %s (strike %" G_GINT64_FORMAT ") did not strike: %s",
                                 fault->name, event->value, event->detail));
    }
}

/* ---- what was killed comes back ---- */

static bool
is_replacement(const Victim *victim, const char *pod_key)
{
    bool same = g_str_equal(victim->key, pod_key);
    if (victim->in_place || same) {
        return same;
    }
    return g_str_has_prefix(pod_key, victim->base) && pod_key[strlen(victim->base)] == '-' &&
           strchr(pod_key + strlen(victim->base) + 1, '-') == NULL;
}

static ServiceMark
service_mark(const Recovery *recovery, const Victim *victim)
{
    void *known = g_hash_table_lookup(recovery->services, victim->base);
    return known != NULL ? (ServiceMark)(GPOINTER_TO_INT(known) - 1) : SERVES_WHEN_READY;
}

static void
note_service(Recovery *recovery, const char *pod_key, ServiceMark mark)
{
    g_autofree char *base = base_of(pod_key);
    if (!g_hash_table_contains(recovery->services, base)) {
        g_hash_table_insert(recovery->services, g_steal_pointer(&base),
                            GINT_TO_POINTER((int)mark + 1));
    }
}

/* A mark of a Pod: the first victim that waits for it takes it. */
static void
on_pod(Recovery *recovery, const char *pod_key, TraceMark mark, nsec_t at)
{
    bool end = mark == TRACE_CONTAINER_EXITED || mark == TRACE_POD_TERMINATING ||
               mark == TRACE_POD_DELETED;
    Victim *same = victim_named(recovery, pod_key);
    if (same != NULL && end) {
        same->died = true;
        same->gone = same->gone || mark == TRACE_POD_DELETED;
    }
    if (end || (same != NULL && !same->in_place && !same->gone)) {
        return; /* what a dying Pod still says is no replacement's */
    }
    for (guint i = 0; i < recovery->victims->len; i++) {
        Victim *victim = g_ptr_array_index(recovery->victims, i);
        bool own = g_str_equal(victim->key, pod_key);
        if (victim->restored || !is_replacement(victim, pod_key) || (own && !victim->died)) {
            continue;
        }
        ServiceMark wanted = service_mark(recovery, victim);
        if (mark == TRACE_CONTAINER_STARTED) {
            victim->started = at;
        } else if (mark == TRACE_IDENTITY_RECEIVED) {
            victim->identity = at;
        }
        victim->restored = (mark == TRACE_REGISTERED && wanted == SERVES_WHEN_REGISTERED) ||
                           (mark == TRACE_SERVING && wanted == SERVES_WHEN_LISTENING) ||
                           (mark == TRACE_POD_READY && wanted == SERVES_WHEN_READY);
        if (victim->restored) {
            victim->serving = at;
        }
        return;
    }
}

static void
on_container(Recovery *recovery, const TraceEvent *event)
{
    const char *slash = strrchr(event->subject, '/');
    g_autofree char *pod_key = g_strndup(event->subject, (gsize)(slash - event->subject));
    on_pod(recovery, pod_key, event->mark, event->at);
}

/* ---- chains ---- */

static void
on_path(Recovery *recovery, const TraceEvent *event)
{
    bool up = event->mark == TRACE_PATH_UP;
    const Chain *chain = g_hash_table_lookup(recovery->chains->by_name, event->subject);
    Track *track = chain != NULL ? &recovery->tracks[chain->index] : NULL;
    if (track == NULL || track->up == up) {
        return;
    }
    if (up && track->result.first_up == NSEC_NEVER) {
        track->result.first_up = event->at;
    } else if (up) {
        track->result.down += event->at - track->changed;
        track->down += event->at - MAX(track->changed, recovery->at);
    } else {
        track->result.n_outages++;
    }
    track->up = up;
    track->changed = event->at;
    track->affected = true;
    track->path_up = up ? event->at : track->path_up;
}

static Track *
track_of(Recovery *recovery, const char *connection)
{
    const Chain *chain = chains_of_connection(recovery->chains, connection);
    return chain != NULL ? &recovery->tracks[chain->index] : NULL;
}

static void
on_heal(Recovery *recovery, const TraceEvent *event)
{
    Track *track = track_of(recovery, event->subject);
    if (track == NULL) {
        return;
    }
    switch ((int)event->mark) {
    case TRACE_HEAL_DETECTED:
        track->result.n_heals++;
        track->result.n_false_alarms += track->up && g_strcmp0(event->detail, "liveness") == 0;
        track->detected = track->detected == NSEC_NEVER ? event->at : track->detected;
        track->healing = true;
        track->affected = true;
        break;
    case TRACE_HEAL_ATTEMPT:
        track->attempt = event->at;
        track->n_attempts++;
        break;
    default: /* done */
        track->healing = false;
        track->healed = event->at;
    }
}

/* Whether a container of the chain's client Pod is the one that heals. */
static bool
is_healer(const Chain *chain, const char *container)
{
    const PodSpec *spec = chain->client_pod;
    for (guint i = 0; i < spec->n_containers; i++) {
        if (g_str_equal(spec->containers[i].name, container)) {
            return component_of_image(spec->containers[i].image) == COMPONENT_NSC;
        }
    }
    return false;
}

/* The client itself died: whoever heals after it starts anew. */
static void
on_client_exit(Recovery *recovery, const TraceEvent *event)
{
    const char *slash = strrchr(event->subject, '/');
    g_autofree char *pod = g_strndup(event->subject, (gsize)(slash - event->subject));
    const GPtrArray *list = chains_of_pod(recovery->chains, pod);
    for (guint i = 0; list != NULL && i < list->len; i++) {
        const Chain *chain = g_ptr_array_index(list, i);
        Track *track = &recovery->tracks[chain->index];
        if (track->healing && is_healer(chain, slash + 1)) {
            track->healing = false;
            track->healed = event->at;
        }
    }
}

static void
on_event(TraceSink *sink, const TraceEvent *event)
{
    Recovery *recovery = (Recovery *)((char *)sink - offsetof(Recovery, sink));
    switch ((int)event->mark) {
    case TRACE_FAULT_INJECTED:
    case TRACE_FAULT_ENDED:
    case TRACE_FAULT_FAILED:
        on_fault(recovery, event);
        recovery->disturbed = event->at;
        break;
    case TRACE_PATH_UP:
    case TRACE_PATH_DOWN:
        on_path(recovery, event);
        recovery->disturbed = event->at;
        break;
    case TRACE_HEAL_DETECTED:
    case TRACE_HEAL_ATTEMPT:
    case TRACE_HEAL_DONE:
        on_heal(recovery, event);
        recovery->disturbed = event->at;
        break;
    case TRACE_CONTAINER_EXITED:
        on_client_exit(recovery, event);
        on_container(recovery, event);
        recovery->disturbed = event->at;
        break;
    case TRACE_CONTAINER_STARTED:
        on_container(recovery, event);
        recovery->disturbed = event->at;
        break;
    case TRACE_REGISTERED:
        note_service(recovery, event->subject, SERVES_WHEN_REGISTERED);
        on_pod(recovery, event->subject, event->mark, event->at);
        recovery->disturbed = event->at;
        break;
    case TRACE_SERVING:
        note_service(recovery, event->subject, SERVES_WHEN_LISTENING);
        on_pod(recovery, event->subject, event->mark, event->at);
        recovery->disturbed = event->at;
        break;
    case TRACE_IDENTITY_RECEIVED:
    case TRACE_POD_TERMINATING:
    case TRACE_POD_DELETED:
    case TRACE_POD_READY:
        on_pod(recovery, event->subject, event->mark, event->at);
        recovery->disturbed = event->at;
        break;
    default:
        break;
    }
}

/* ---- results ---- */

void
recovery_finish(Recovery *recovery, nsec_t now)
{
    close_strike(recovery, now, true);
    for (guint i = 0; i < recovery->n_chains; i++) {
        Track *track = &recovery->tracks[i];
        if (!track->up && track->result.first_up != NSEC_NEVER) {
            track->result.down += now - track->changed;
            track->changed = now;
        }
    }
}

nsec_t
recovery_calm_since(const Recovery *recovery)
{
    for (guint i = 0; i < recovery->n_chains; i++) {
        const Track *track = &recovery->tracks[i];
        if (!track->up || track->healing) {
            return NSEC_NEVER;
        }
    }
    for (guint i = 0; i < recovery->scenario->n_faults; i++) {
        if (recovery->lasts[i]) {
            return NSEC_NEVER;
        }
    }
    return victims_restored(recovery) == NSEC_NEVER ? NSEC_NEVER : recovery->disturbed;
}

const GPtrArray *
recovery_cases(const Recovery *recovery)
{
    return recovery->case_order;
}

const RecoveryChain *
recovery_chain(const Recovery *recovery, guint chain)
{
    return &recovery->tracks[chain].result;
}

guint
recovery_n_strikes(const Recovery *recovery, guint fault)
{
    return recovery->n_strikes[fault];
}

const GPtrArray *
recovery_problems(const Recovery *recovery, int *n_missed)
{
    *n_missed = recovery->n_missed;
    return recovery->problems;
}

TraceSink *
recovery_sink(Recovery *recovery)
{
    return &recovery->sink;
}

Recovery *
recovery_new(const Scenario *scenario, const Chains *chains)
{
    Recovery *recovery = g_new0(Recovery, 1);
    recovery->sink.event = on_event;
    recovery->scenario = scenario;
    recovery->chains = chains;
    recovery->n_chains = chains->chains->len;
    recovery->tracks = g_new0(Track, recovery->n_chains);
    for (guint i = 0; i < recovery->n_chains; i++) {
        recovery->tracks[i].result.chain = g_ptr_array_index(chains->chains, i);
        recovery->tracks[i].result.first_up = NSEC_NEVER;
        recovery->tracks[i].detected = NSEC_NEVER;
    }
    recovery->cases = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    recovery->case_order = g_ptr_array_new_with_free_func(case_free);
    recovery->services = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    recovery->problems = g_ptr_array_new_with_free_func(g_free);
    recovery->n_strikes = g_new0(guint, scenario->n_faults + 1);
    recovery->lasts = g_new0(bool, scenario->n_faults + 1);
    recovery->victims = g_ptr_array_new_with_free_func(victim_free);
    return recovery;
}

void
recovery_free(Recovery *recovery)
{
    g_ptr_array_unref(recovery->victims);
    g_free(recovery->lasts);
    g_free(recovery->n_strikes);
    g_ptr_array_unref(recovery->problems);
    g_hash_table_unref(recovery->services);
    g_hash_table_unref(recovery->cases);
    g_ptr_array_unref(recovery->case_order);
    g_free(recovery->tracks);
    g_free(recovery);
}
