/* Paths and the echoes along them.
 *
 * A Path follows the frames that leave by a Pod's interface and keeps what an echo there would
 * meet. It remembers every port that it came over, so that a change anywhere marks exactly the
 * paths that it concerns.
 *
 * A Check is a liveness check (models/dataplane.h).  While its path is up, loses nothing and has a
 * constant round trip below the time-out, each check succeeds and all that matters is where in its
 * present check it is: no event is needed until the path changes.  Otherwise each echo is an event,
 * and a packet that walks (sim/packets.h) where the data plane knows of CPUs; on a bare graph its
 * round trip is drawn.
 */
#include "models/tcp.h"
#include "sim/dataplane_types.h"

#include <string.h>

#define ECHO_BYTES 84 /* the liveness check's packet: 56 bytes of payload and headers */
#define ECHO_BITS (ECHO_BYTES * 8)

typedef struct Path {
    Plane *plane;
    char *pod_port;
    GPtrArray *ports; /* Port *: the path leads over them, or ends there */
    PathState state;
    GPtrArray *checks; /* Check * */
    PathChanged changed;
    void *data;
    bool dirty;
} Path;

typedef enum CheckMode {
    CHECK_CALM,   /* every check succeeds; the one that begins at `began` is the reference */
    CHECK_DYING,  /* the path is down: the event is the end of the check that fails */
    CHECK_ECHOES, /* echo by echo */
} CheckMode;

typedef struct Check {
    Event event;
    Path *path;
    uint64_t token;
    DataPlaneCheck spec;
    CheckMode mode;
    nsec_t began; /* of a check: a reference in CALM, the failing one's in DYING, this in ECHOES */
    int n_sent;
    nsec_t last_reply; /* ECHOES: when the last answer of this check arrives */
    int n_answered;
    nsec_t last_jitter;
} Check;

static void run_check(Engine *engine, Event *event);

/* ---- following a path ---- */

static void
add_impairment(PathState *state, const Impairment *impairment, double *pass)
{
    state->rtt += 2 * impairment->latency;
    state->jitter += 2 * impairment->jitter;
    state->correlation = MAX(state->correlation, impairment->correlation);
    *pass *= (1 - impairment->loss) * (1 - impairment->loss);
    if (impairment->rate > 0 && (state->rate == 0 || impairment->rate < state->rate)) {
        state->rate = impairment->rate;
    }
    state->cut = state->cut || impairment->cut;
}

static void
visit(GPtrArray *ports, Port *port, PathState *state, double *pass)
{
    g_ptr_array_add(ports, port);
    if (port->in_pod) {
        add_impairment(state, &port->impairment, pass);
    }
}

static void
cross_link(const Plane *plane, const Port *port, PathState *state, double *pass)
{
    if (plane->net == NULL || port->node == G_MAXUINT || port->peer_node == G_MAXUINT) {
        return;
    }
    const NetLink *link = net_between(plane->net, port->node, port->peer_node);
    state->rtt += 2 * link->latency;
    state->jitter += 2 * link->jitter;
    *pass *= (1 - link->loss) * (1 - link->loss);
    add_impairment(state, &link->impairment, pass);
}

PathState
echo_trace(Plane *plane, const char *pod_port, GPtrArray *ports)
{
    PathState state = {0};
    double pass = 1;
    bool denied = false;
    Port *start = g_hash_table_lookup(plane->ports, pod_port);
    if (start == NULL) {
        return state;
    }
    visit(ports, start, &state, &pass);
    const Port *end = start;
    for (Port *in = start->wire; in != NULL;) {
        if (g_ptr_array_find(ports, in, NULL)) {
            end = start; /* a loop */
            break;
        }
        visit(ports, in, &state, &pass);
        state.rtt += 2 * vswitch_pass_time(plane, in, ECHO_BYTES, &state.stall, &denied);
        end = in;
        Port *out = in->xconnect;
        if (out == NULL) {
            break;
        }
        visit(ports, out, &state, &pass);
        end = out;
        if (out->tunnel != NULL) {
            cross_link(plane, out, &state, &pass);
            in = ports_tunnel_peer(plane, out);
        } else {
            in = out->wire;
        }
    }
    if (plane->has_cpus && start->wire_kind == WIRE_KERNEL) {
        state.rtt += 2 * calibration_nsec(plane->calibration, PARAMETER_KERNEL_PACKET);
    }
    state.stall *= 2; /* each way */
    state.joined =
        !state.cut && end != start && end->in_pod && end->xconnect == NULL && end->ip != NULL;
    state.up = state.joined && !denied;
    state.loss = 1 - pass;
    return state;
}

static void
leave_ports(Path *path)
{
    for (guint i = 0; i < path->ports->len; i++) {
        Port *port = g_ptr_array_index(path->ports, i);
        g_ptr_array_remove(port->paths, path);
    }
    g_ptr_array_set_size(path->ports, 0);
}

/* The path's ports anew, and what an echo meets there. */
static PathState
follow(Path *path)
{
    leave_ports(path);
    PathState state = echo_trace(path->plane, path->pod_port, path->ports);
    for (guint i = 0; i < path->ports->len; i++) {
        g_ptr_array_add(((Port *)g_ptr_array_index(path->ports, i))->paths, path);
    }
    return state;
}

static bool
same_state(const PathState *a, const PathState *b)
{
    return a->up == b->up && a->joined == b->joined && a->cut == b->cut && a->rtt == b->rtt &&
           a->stall == b->stall && a->jitter == b->jitter && a->loss == b->loss &&
           a->correlation == b->correlation && a->rate == b->rate;
}

static bool
same_ports(const GPtrArray *a, const GPtrArray *b)
{
    return a->len == b->len &&
           (a->len == 0 || memcmp(a->pdata, b->pdata, a->len * sizeof(gpointer)) == 0);
}

bool
echo_check_paths(const Plane *plane, GError **error)
{
    if (plane->dirty->len > 0) {
        return error_set(error, VWIRE_ERROR_INVALID, "%u paths were not looked at again",
                         plane->dirty->len);
    }
    GHashTableIter iter;
    void *value;
    g_hash_table_iter_init(&iter, plane->paths);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const Path *path = value;
        g_autoptr(GPtrArray) ports = g_ptr_array_new();
        PathState state = echo_trace(path->plane, path->pod_port, ports);
        if (!same_state(&state, &path->state) || !same_ports(ports, path->ports)) {
            return error_set(error, VWIRE_ERROR_INVALID, "the path from %s is not what is kept",
                             path->pod_port);
        }
    }
    return true;
}

/* ---- checks ---- */

static nsec_t
echo_rtt(const PathState *state)
{
    nsec_t wire = state->rate > 0 ? 2 * ECHO_BITS * NSEC_PER_SEC / state->rate : 0;
    return state->rtt + wire;
}

/* Nothing is left to chance: the echoes of every check fare alike. */
static bool
is_certain(const Check *check, const PathState *state)
{
    bool late = echo_rtt(state) - state->jitter > check->spec.timeout;
    bool early =
        echo_rtt(state) + state->jitter + state->stall <= check->spec.timeout / check->spec.packets;
    return !state->up || late || (state->loss == 0 && early);
}

static bool
is_answered(const Check *check, const PathState *state)
{
    return state->up && echo_rtt(state) <= check->spec.timeout;
}

static nsec_t
spacing(const Check *check)
{
    return check->spec.timeout / check->spec.packets;
}

/* From one check's beginning to the next one's, all being well. */
static nsec_t
check_period(const Check *check, const PathState *state)
{
    nsec_t length = (check->spec.packets - 1) * spacing(check) + echo_rtt(state);
    return MAX(check->spec.interval, MIN(length, check->spec.timeout));
}

/* The beginning of the check that is under way at `now`, by the reference. */
static nsec_t
present_check(const Check *check, const PathState *state, nsec_t now)
{
    nsec_t since = now - check->began;
    return since <= 0 ? check->began : now - since % check_period(check, state);
}

static bool
any_answer(const Check *check, nsec_t began, nsec_t from, nsec_t until, nsec_t rtt)
{
    for (int i = 0; i < check->spec.packets; i++) {
        nsec_t sent = began + i * spacing(check);
        if (sent >= from && sent + rtt <= until) {
            return true;
        }
    }
    return false;
}

static void
schedule(Check *check, nsec_t at)
{
    Engine *engine = check->path->plane->engine;
    engine_reschedule(engine, &check->event, MAX(at, engine_now(engine)));
}

static void
begin_echoes(Check *check, nsec_t at)
{
    check->mode = CHECK_ECHOES;
    check->began = at;
    check->n_sent = check->n_answered = 0;
    check->last_reply = at;
    schedule(check, at);
}

/* The next check begins at `at`; by what the path is like now, echoes are counted or not. */
static void
begin_check(Check *check, nsec_t at)
{
    const PathState *state = &check->path->state;
    if (!check->spec.repeat || !is_certain(check, state)) {
        begin_echoes(check, at);
    } else if (is_answered(check, state)) {
        check->mode = CHECK_CALM;
        check->began = at;
        engine_cancel(check->path->plane->engine, &check->event);
    } else {
        check->mode = CHECK_DYING;
        check->began = at;
        schedule(check, at + check->spec.timeout);
    }
}

static void
calm_ends(Check *check, const PathState *before, nsec_t now)
{
    const PathState *state = &check->path->state;
    nsec_t began = present_check(check, before, now);
    if (is_certain(check, state) && is_answered(check, state)) {
        check->began = began; /* another round trip: the next checks begin otherwise */
        return;
    }
    if (!is_certain(check, state)) {
        begin_echoes(check, MAX(began + check_period(check, before), now));
        return;
    }
    /* the present check succeeds if an answer came before; then it waits for the others in vain,
     * unless all have come */
    bool saved = any_answer(check, began, began, now, echo_rtt(before));
    bool over = now >= began + (check->spec.packets - 1) * spacing(check) + echo_rtt(before);
    nsec_t length =
        over ? check_period(check, before) : MAX(check->spec.timeout, check->spec.interval);
    check->mode = CHECK_DYING;
    check->began = began > now || !saved ? began : began + length;
    schedule(check, check->began + check->spec.timeout);
}

static void
path_returns(Check *check, nsec_t now)
{
    const PathState *state = &check->path->state;
    nsec_t end = check->began + check->spec.timeout;
    if (check->began >= now) { /* an answered check still waits: the next one sees the path up */
        begin_check(check, check->began);
    } else if (any_answer(check, check->began, now, end, echo_rtt(state))) {
        begin_check(check, MAX(end, check->began + check->spec.interval));
    }
}

static void
adapt_check(Check *check, const PathState *before, nsec_t now)
{
    switch (check->mode) {
    case CHECK_CALM:
        calm_ends(check, before, now);
        break;
    case CHECK_DYING:
        if (check->path->state.up) {
            path_returns(check, now);
        }
        break;
    case CHECK_ECHOES: /* each echo asks for itself */
        break;
    }
}

static void
check_free(Plane *plane, Check *check)
{
    engine_cancel(plane->engine, &check->event);
    g_ptr_array_remove(check->path->checks, check);
    g_hash_table_remove(plane->checks, &check->token);
    g_free(check);
}

static void release_path(Path *path);

static void
finish_check(Check *check, const char *error)
{
    Path *path = check->path;
    Plane *plane = path->plane;
    uint64_t token = check->token;
    check_free(plane, check);
    release_path(path);
    dataplane_done(plane, token, error);
}

/* As a packet; it is answered by echo_packet_arrived. */
static void
send_packet(const Check *check)
{
    Plane *plane = check->path->plane;
    PacketInfo info = {.id = check->token, .began = check->began, .bytes = ECHO_BYTES};
    packets_send(&plane->base, &plane->liveness, &info, check->path->pod_port);
}

/* One echo of CHECK_ECHOES is sent. */
static void
send_echo(Check *check, nsec_t now)
{
    const PathState *state = &check->path->state;
    check->n_sent++;
    if (check->path->plane->has_cpus) {
        send_packet(check);
        return;
    }
    RandomStream *random = &check->path->plane->echo_random;
    bool lost = !state->up || (state->loss > 0 && random_uniform(random) < state->loss);
    nsec_t jitter = 0;
    if (state->jitter > 0) {
        double u = 2 * random_uniform(random) - 1;
        jitter = (nsec_t)((1 - state->correlation) * u * (double)state->jitter +
                          state->correlation * (double)check->last_jitter);
        check->last_jitter = jitter;
    }
    nsec_t reply = now + MAX(echo_rtt(state) + jitter, 0);
    if (!lost && reply <= check->began + check->spec.timeout) {
        check->n_answered++;
        check->last_reply = MAX(check->last_reply, reply);
    }
}

static void
end_echoes(Check *check, nsec_t now)
{
    bool alive = check->n_answered > 0;
    if (!alive || !check->spec.repeat) {
        finish_check(check, alive ? NULL : "no echo was answered");
        return;
    }
    begin_check(check, MAX(now, check->began + check->spec.interval));
}

/* The far end answers; the answer counts for the check that sent the echo. */
static void
echo_packet_arrived(PacketFlow *flow, const PacketInfo *packet)
{
    Plane *plane = (Plane *)((char *)flow - offsetof(Plane, liveness));
    Check *check = g_hash_table_lookup(plane->checks, &packet->id);
    if (!packet->backward) {
        PacketInfo answer = *packet;
        answer.backward = true;
        packets_send(&plane->base, flow, &answer, packet->port);
    } else if (check != NULL && check->mode == CHECK_ECHOES && check->began == packet->began) {
        check->last_reply = engine_now(plane->engine);
        if (++check->n_answered == check->spec.packets) {
            schedule(check, check->last_reply);
        }
    }
}

static void
run_check(Engine *engine, Event *event)
{
    Check *check = (Check *)((char *)event - offsetof(Check, event));
    nsec_t now = engine_now(engine);
    if (check->mode == CHECK_DYING) {
        finish_check(check, "no echo was answered");
        return;
    }
    if (check->n_sent < check->spec.packets) {
        send_echo(check, now);
        if (check->n_sent < check->spec.packets) {
            schedule(check, check->began + check->n_sent * spacing(check));
            return;
        }
        bool all = check->n_answered == check->spec.packets;
        nsec_t end = all ? check->last_reply : check->began + check->spec.timeout;
        if (end > now) {
            schedule(check, end);
            return;
        }
    }
    end_echoes(check, now);
}

/* ---- paths ---- */

static Path *
path_of(Plane *plane, const char *pod_port)
{
    Path *path = g_hash_table_lookup(plane->paths, pod_port);
    if (path == NULL) {
        path = g_new0(Path, 1);
        path->plane = plane;
        path->pod_port = g_strdup(pod_port);
        path->ports = g_ptr_array_new();
        path->checks = g_ptr_array_new();
        g_hash_table_insert(plane->paths, path->pod_port, path);
        path->state = follow(path);
    }
    return path;
}

static void
release_path(Path *path)
{
    if (path->checks->len > 0 || path->changed != NULL) {
        return;
    }
    Plane *plane = path->plane;
    leave_ports(path);
    g_ptr_array_remove(plane->dirty, path);
    g_hash_table_remove(plane->paths, path->pod_port);
    g_ptr_array_unref(path->ports);
    g_ptr_array_unref(path->checks);
    g_free(path->pod_port);
    g_free(path);
}

static void
mark(Plane *plane, Path *path)
{
    if (!path->dirty) {
        path->dirty = true;
        g_ptr_array_add(plane->dirty, path);
    }
}

void
echo_touch(Plane *plane, Port *port)
{
    plane->counts.n_changes++;
    for (guint i = 0; i < port->paths->len; i++) {
        mark(plane, g_ptr_array_index(port->paths, i));
    }
}

void
echo_new_port(Plane *plane, Port *port)
{
    plane->counts.n_changes++;
    Path *path = g_hash_table_lookup(plane->paths, port->name);
    if (path != NULL) {
        mark(plane, path);
    }
}

void
echo_forget_port(Plane *plane, Port *port)
{
    echo_touch(plane, port);
    while (port->paths->len > 0) {
        Path *path = g_ptr_array_steal_index_fast(port->paths, port->paths->len - 1);
        g_ptr_array_remove(path->ports, port);
    }
}

void
echo_touch_all(Plane *plane)
{
    plane->counts.n_changes++;
    GHashTableIter iter;
    void *path;
    g_hash_table_iter_init(&iter, plane->paths);
    while (g_hash_table_iter_next(&iter, NULL, &path)) {
        mark(plane, path);
    }
    echo_settle(plane);
}

static void
look_again(Plane *plane, Path *path)
{
    PathState before = path->state;
    path->state = follow(path);
    nsec_t now = engine_now(plane->engine);
    for (guint i = 0; i < path->checks->len; i++) {
        adapt_check(g_ptr_array_index(path->checks, i), &before, now);
    }
    if (path->changed != NULL) {
        path->changed(path->data, &path->state);
    }
}

void
echo_settle(Plane *plane)
{
    while (plane->dirty->len > 0) {
        Path *path = g_ptr_array_steal_index(plane->dirty, 0);
        path->dirty = false;
        look_again(plane, path);
    }
    if (plane->changed != NULL && plane->n_told != plane->counts.n_changes) {
        plane->n_told = plane->counts.n_changes;
        plane->changed(plane->observer);
    }
}

bool
echo_check(Plane *plane, const DataPlaneOp *op, GError **error)
{
    if (op->pod_port == NULL || op->check.packets <= 0 || op->check.timeout <= 0) {
        return error_set(error, VWIRE_ERROR_INVALID,
                         "check: an interface, packets and a time-out are needed");
    }
    Check *check = g_new0(Check, 1);
    check->path = path_of(plane, op->pod_port);
    check->token = op->token;
    check->spec = op->check;
    event_init(&check->event, run_check, 1); /* after what changes the path at the same time */
    g_ptr_array_add(check->path->checks, check);
    g_hash_table_insert(plane->checks, &check->token, check);
    begin_check(check, engine_now(plane->engine));
    return true;
}

bool
echo_cancel(Plane *plane, uint64_t token)
{
    Check *check = g_hash_table_lookup(plane->checks, &token);
    if (check == NULL) {
        return false;
    }
    Path *path = check->path;
    check_free(plane, check);
    release_path(path);
    return true;
}

PathState
sim_dataplane_watch_path(DataPlane *base, const char *pod_port, PathChanged changed, void *data)
{
    Plane *plane = (Plane *)base;
    Path *path = path_of(plane, pod_port);
    PathState state = path->state;
    path->changed = changed;
    path->data = data;
    release_path(path);
    return state;
}

void
sim_dataplane_set_observer(DataPlane *base, void (*changed)(void *data), void *data)
{
    Plane *plane = (Plane *)base;
    plane->changed = changed;
    plane->observer = data;
    plane->n_told = plane->counts.n_changes;
}

void
echo_init(Plane *plane)
{
    plane->paths = g_hash_table_new(g_str_hash, g_str_equal);
    plane->checks = g_hash_table_new(g_int64_hash, g_int64_equal);
    plane->dirty = g_ptr_array_new();
    random_stream_init(&plane->echo_random, plane->seed, plane->replication, "data plane",
                       "echoes");
    packet_flow_init(&plane->liveness);
    plane->liveness.arrived = echo_packet_arrived;
    plane->liveness.header = (AclPacket){.proto = ACL_PROTO_ICMP, .src_port = ICMP_ECHO};
    plane->hop = calibration_nsec(plane->calibration, PARAMETER_LATENCY_LOCAL);
}

void
echo_free(Plane *plane)
{
    GHashTableIter iter;
    void *value;
    g_hash_table_iter_init(&iter, plane->checks);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        Check *check = value;
        engine_cancel(plane->engine, &check->event);
        g_free(check);
    }
    g_hash_table_iter_init(&iter, plane->paths);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        Path *path = value;
        g_ptr_array_unref(path->ports);
        g_ptr_array_unref(path->checks);
        g_free(path->pod_port);
        g_free(path);
    }
    packet_flow_clear(&plane->liveness);
    g_hash_table_unref(plane->checks);
    g_hash_table_unref(plane->paths);
    g_ptr_array_unref(plane->dirty);
}
