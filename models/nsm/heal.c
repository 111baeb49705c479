/* A client's event loop of healing. */
#include "models/nsm/heal.h"

enum { TAG_WATCH, TAG_CHECK, TAG_PROBE, TAG_CLOSE, TAG_REQUEST, TAG_PAUSE };

void
heal_init(Heal *heal, uint64_t tags, WireKind wanted)
{
    *heal = (Heal){.tags = tags, .wanted = wanted};
}

void
heal_clear(Heal *heal)
{
    g_clear_pointer(&heal->connection, connection_unref);
    g_clear_pointer(&heal->why, g_free);
}

bool
heal_busy(const Heal *heal)
{
    return heal->state == HEAL_PROBING || heal->state == HEAL_CLOSING ||
           heal->state == HEAL_REQUESTING;
}

/* ---- watching ---- */

/* The kernel's check pings the last endpoint's addresses; without them, and for memif and vfio, the
 * answer is always "alive" (FACTS 2.3). */
static bool
can_ping(const Heal *heal)
{
    return heal->connection->mechanism == WIRE_KERNEL && heal->connection->dst_ip != NULL;
}

static void
check(const Heal *heal, const HealContext *context, bool repeat, Actions *actions)
{
    const LinkEnd *end = &heal->connection->client;
    DataPlaneOp *op =
        actions_dataplane(actions, heal->tags + (repeat ? TAG_CHECK : TAG_PROBE), DATAPLANE_CHECK);
    op->owner = context->info->pod_key;
    op->node = context->info->node;
    op->pod = context->info->pod_key;
    op->pod_port = actions_printf(actions, "%s/%s", end->pod, end->interface);
    op->check = context->check;
    op->check.repeat = repeat;
}

static void
stop_watching(Heal *heal, Actions *actions)
{
    if (heal->watching) {
        actions_cancel(actions, heal->tags + TAG_WATCH);
    }
    if (heal->checking) {
        actions_stop_dataplane(actions, heal->tags + TAG_CHECK);
    }
    heal->watching = heal->checking = false;
}

static void
watch(Heal *heal, const HealContext *context, Actions *actions)
{
    heal->state = HEAL_WATCHING;
    heal->watching = true;
    Connection *own = connection_copy(heal->connection);
    own->index = 0;
    actions_open(actions, context->manager, heal->tags + TAG_WATCH,
                 nsm_message(MESSAGE_NSM_MONITOR, own));
    if (context->liveness && can_ping(heal)) {
        heal->checking = true;
        check(heal, context, true, actions);
    }
}

/* ---- attempts ---- */

static void attempt(Heal *heal, const HealContext *context, nsec_t now, Actions *actions);

/* Whether the next attempt keeps the endpoint. */
static void
judge(Heal *heal, const HealContext *context, nsec_t now, Actions *actions)
{
    if (context->liveness && can_ping(heal)) {
        heal->state = HEAL_PROBING;
        check(heal, context, false, actions);
        return;
    }
    heal->reselect = !context->liveness;
    attempt(heal, context, now, actions);
}

static void
fail(Heal *heal, const HealContext *context, const char *why, nsec_t now, Actions *actions)
{
    actions_trace(actions, TRACE_HEAL_FAILED, actions_string(actions, heal->connection->id),
                  actions_string(actions, why));
    if (context->checks_each_attempt) {
        judge(heal, context, now, actions);
        return;
    }
    heal->reselect = true;
    attempt(heal, context, now, actions);
}

/* Neither endpoint nor mechanism; labels and addresses are kept (begin/event_factory.go:86-112). */
static Connection *
make_request(const Heal *heal, const HealContext *context, nsec_t now)
{
    nsec_t life = svid_token_life(context->svid, now, context->token_lifetime);
    Connection *again = connection_again(heal->connection, now, life);
    if (heal->reselect && heal->state == HEAL_REQUESTING) {
        g_clear_pointer(&again->nse, g_free);
        again->mechanism = heal->wanted;
        again->vni = 0;
    }
    return again;
}

/* The Close or Request of the present attempt, as soon as the manager may be dialled. */
static void
send(Heal *heal, const HealContext *context, nsec_t now, Actions *actions)
{
    nsec_t left = heal->try_end - now;
    if (left <= 0) {
        fail(heal, context, failure_text(FAILURE_DEADLINE), now, actions);
        return;
    }
    nsec_t wait = channel_wait(context->channel, now);
    if (wait > 0) {
        actions_timer(actions, heal->tags + TAG_PAUSE, MIN(wait, left));
        return;
    }
    bool closing = heal->state == HEAL_CLOSING;
    Action *call =
        actions_call(actions, context->manager, heal->tags + (closing ? TAG_CLOSE : TAG_REQUEST),
                     nsm_message(closing ? MESSAGE_NSM_CLOSE : MESSAGE_NSM_REQUEST,
                                 make_request(heal, context, now)));
    call->timeout = left;
    call->dial_timeout = context->dial_timeout;
    call->flags = CALL_FAIL_FAST;
}

static void
attempt(Heal *heal, const HealContext *context, nsec_t now, Actions *actions)
{
    heal->attempts++;
    actions_trace_value(actions, TRACE_HEAL_ATTEMPT, actions_string(actions, heal->connection->id),
                        heal->reselect ? "reselect" : "same endpoint", heal->attempts);
    heal->try_end = now + MAX(context->request_timeout, NSEC_PER_MSEC);
    heal->state = heal->reselect ? HEAL_CLOSING : HEAL_REQUESTING;
    send(heal, context, now, actions);
}

/* ---- causes ---- */

static void
begin(Heal *heal, const HealContext *context, HealCause cause, nsec_t now, Actions *actions)
{
    const char *id = actions_string(actions, heal->connection->id);
    const char *detail = cause == HEAL_LIVENESS
                             ? "liveness"
                             : actions_printf(actions, "control plane: %s", heal->why);
    actions_trace(actions, TRACE_HEAL_DETECTED, id, detail);
    g_clear_pointer(&heal->why, g_free);
    heal->waiting = HEAL_NO_CAUSE;
    stop_watching(heal, actions);
    heal->attempts = 0;
    if (cause == HEAL_LIVENESS) {
        heal->reselect = true;
        attempt(heal, context, now, actions);
    } else {
        judge(heal, context, now, actions);
    }
}

static void
notice(Heal *heal, const HealContext *context, HealCause cause, const char *why, nsec_t now,
       Actions *actions)
{
    if (heal->state != HEAL_WATCHING) {
        return;
    }
    if (cause == HEAL_CONTROL_PLANE) {
        g_free(heal->why);
        heal->why = g_strdup(why);
    }
    if (heal->refreshing) {
        heal->waiting = MAX(heal->waiting, cause);
    } else {
        begin(heal, context, cause, now, actions);
    }
}

/* A new check finds a dead path again by itself; news of the control plane come only once. */
void
heal_established(Heal *heal, const HealContext *context, Connection *answer, nsec_t now,
                 Actions *actions)
{
    connection_ref(answer);
    connection_unref(heal->connection);
    heal->connection = answer;
    bool heals = heal->waiting == HEAL_CONTROL_PLANE;
    heal->waiting = HEAL_NO_CAUSE;
    heal->refreshing = false;
    stop_watching(heal, actions);
    watch(heal, context, actions);
    if (heals) {
        begin(heal, context, HEAL_CONTROL_PLANE, now, actions);
    }
}

void
heal_refresh_begins(Heal *heal)
{
    heal->refreshing = true;
}

void
heal_refresh_failed(Heal *heal, const HealContext *context, nsec_t now, Actions *actions)
{
    heal->refreshing = false;
    if (heal->waiting != HEAL_NO_CAUSE) {
        begin(heal, context, heal->waiting, now, actions);
    }
}

/* ---- inputs ---- */

static void
on_watch(Heal *heal, const HealContext *context, const Input *input, Actions *actions)
{
    if (input->kind == INPUT_CLOSED) {
        heal->watching = false;
        notice(heal, context, HEAL_CONTROL_PLANE, failure_text(input->failure), input->now,
               actions);
    } else if (nsm_event_kind(input->message) == NSM_EVENT_DOWN) {
        notice(heal, context, HEAL_CONTROL_PLANE, "connection down", input->now, actions);
    }
}

static bool
refused(const HealContext *context, const Input *input)
{
    if (input->kind == INPUT_REPLY) {
        channel_ready(context->channel);
        return false;
    }
    if (input->failure != FAILURE_REFUSED) {
        return false;
    }
    channel_refused(context->channel, input->now);
    return true;
}

static bool
on_requested(Heal *heal, const HealContext *context, const Input *input, Actions *actions)
{
    if (refused(context, input)) {
        send(heal, context, input->now, actions);
        return false;
    }
    if (input->kind == INPUT_FAILURE || input->message->type != MESSAGE_NSM_CONNECTION) {
        fail(heal, context, input_problem(input), input->now, actions);
        return false;
    }
    Connection *answer = nsm_message_connection(input->message);
    actions_trace_value(actions, TRACE_HEAL_DONE, actions_string(actions, answer->id), NULL,
                        heal->attempts);
    heal_established(heal, context, answer, input->now, actions);
    return true;
}

bool
heal_step(Heal *heal, const HealContext *context, const Input *input, Actions *actions)
{
    switch (input->tag - heal->tags) {
    case TAG_WATCH:
        on_watch(heal, context, input, actions);
        return false;
    case TAG_CHECK:
        heal->checking = false;
        notice(heal, context, HEAL_LIVENESS, NULL, input->now, actions);
        return false;
    case TAG_PROBE:
        if (heal->state == HEAL_PROBING) {
            heal->reselect = input->error != NULL;
            attempt(heal, context, input->now, actions);
        }
        return false;
    case TAG_CLOSE: /* its answer is waited for, its errors are ignored */
        if (heal->state == HEAL_CLOSING) {
            heal->state = refused(context, input) ? HEAL_CLOSING : HEAL_REQUESTING;
            send(heal, context, input->now, actions);
        }
        return false;
    case TAG_REQUEST:
        return heal->state == HEAL_REQUESTING && on_requested(heal, context, input, actions);
    case TAG_PAUSE:
        if (heal->state == HEAL_CLOSING || heal->state == HEAL_REQUESTING) {
            send(heal, context, input->now, actions);
        }
        return false;
    default:
        return false;
    }
}

void
heal_stop(Heal *heal, Actions *actions)
{
    stop_watching(heal, actions);
    if (heal->state == HEAL_PROBING) {
        actions_stop_dataplane(actions, heal->tags + TAG_PROBE);
    } else if (heal->state == HEAL_CLOSING || heal->state == HEAL_REQUESTING) {
        actions_stop_timer(actions, heal->tags + TAG_PAUSE);
        actions_cancel(actions, heal->tags + TAG_CLOSE);
        actions_cancel(actions, heal->tags + TAG_REQUEST);
    }
    heal->state = HEAL_OFF;
}
