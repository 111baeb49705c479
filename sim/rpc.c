/* Calls and streams between processes of the virtual world.
 *
 * A call walks through its states one event (or CPU job) at a time:
 *   leaving -> [syn -> TLS at the server -> syn-ack -> TLS at the client] -> request -> CPU time of
 *   the message at the callee -> served ... reply -> CPU time at the caller -> delivered.
 * It is answered exactly once: the states after `served` cannot fail any more.  A stream stays
 * open after `served`; its pushes are events of their own.
 *
 * A process that ends resets its connections at once.  A node that stops sends nothing: calls to
 * it are `lost` until a deadline, TCP's limits or the node's return end them. */
#include "sim/world_types.h"

#include <string.h>

typedef enum CallState {
    CALL_LEAVING,
    CALL_SYN,
    CALL_TLS_SERVER,
    CALL_SYN_ACK,
    CALL_TLS_CLIENT,
    CALL_REQUEST,
    CALL_REQUEST_CPU,
    CALL_SERVED,
    CALL_REPLY,
    CALL_REPLY_CPU,
    CALL_FAILED,    /* the failure is on its way to the caller */
    CALL_CANCELLED, /* the news is on its way to the callee */
    CALL_LOST,      /* nothing comes back: the callee's node is down, or its address is gone */
} CallState;

typedef struct Call {
    Event event; /* the next state */
    NetPacket packet;
    Event deadline; /* dial timeout until the request leaves, then the caller's timeout */
    CpuJob job;
    World *world;
    uint64_t id;
    uint64_t tag;
    Process *caller; /* NULL: ended, or nobody waits */
    Process *callee; /* NULL: not resolved, or not needed any more */
    WorldNode *caller_node;
    WorldNode *lost_node; /* CALL_LOST: the node that is down; NULL: the address is gone */
    bool dialling;
    guint n_dials; /* that were refused: gRPC tries again */
    char *from;    /* name of the caller */
    char *address;
    Message *message;
    CallFlags flags;
    nsec_t timeout;
    nsec_t left; /* when it left: its timeout counts from then */
    nsec_t dial_timeout;
    CallState state;
    Failure failure;
    bool stream;
    bool opened;      /* stream: the server knows it */
    nsec_t last_push; /* stream: pushes arrive in order */
    GQueue pushes;    /* Push * */
    GList *served;    /* link in callee->served */
    GList *made;      /* link in caller->made */
} Call;

typedef struct Push {
    Event event;
    NetPacket packet;
    CpuJob job;
    Call *call;
    Message *message;
    bool closing; /* the server's end of stream */
    bool due;     /* it has arrived */
    bool running; /* it takes CPU time: only the first of its stream does */
} Push;

static void proceed(Call *call);
static void give_up(Call *call);

#define CALL_OF(pointer, member) ((Call *)((char *)(pointer)-offsetof(Call, member)))
#define PUSH_OF(pointer, member) ((Push *)((char *)(pointer)-offsetof(Push, member)))

/* ---- life ---- */

static void
push_free(Call *call, Push *push)
{
    net_drop(&push->packet);
    engine_cancel(call->world->engine, &push->event);
    cpu_cancel(&push->job);
    message_unref(push->message);
    g_free(push);
}

static void
detach_callee(Call *call)
{
    if (call->callee != NULL && call->served != NULL) {
        g_queue_delete_link(&call->callee->served, call->served);
    }
    call->served = NULL;
    call->callee = NULL;
}

static void
attach_callee(Call *call, Process *callee)
{
    call->callee = callee;
    g_queue_push_tail(&callee->served, call);
    call->served = callee->served.tail;
}

static void
detach_caller(Call *call)
{
    if (call->caller != NULL && call->tag != 0 &&
        g_hash_table_lookup(call->caller->calls, &call->tag) == call) {
        g_hash_table_remove(call->caller->calls, &call->tag);
    }
    if (call->made != NULL) {
        g_queue_delete_link(&call->caller->made, call->made);
        call->made = NULL;
    }
    call->caller = NULL;
}

static void
call_free(Call *call)
{
    detach_caller(call);
    detach_callee(call);
    net_drop(&call->packet);
    engine_cancel(call->world->engine, &call->event);
    engine_cancel(call->world->engine, &call->deadline);
    cpu_cancel(&call->job);
    Push *push;
    while ((push = g_queue_pop_head(&call->pushes)) != NULL) {
        push_free(call, push);
    }
    g_hash_table_remove(call->world->calls, &call->id);
    message_unref(call->message);
    g_free(call->from);
    g_free(call->address);
    g_free(call);
}

static void
after(Call *call, CallState state, nsec_t delay)
{
    net_drop(&call->packet);
    call->state = state;
    engine_reschedule(call->world->engine, &call->event, engine_now(call->world->engine) + delay);
}

/* Over the network: `factor` latencies, drawn from the sender's stream. */
static void
travel(Call *call, CallState state, Process *sender, WorldNode *to, int factor, nsec_t delay)
{
    net_drop(&call->packet);
    call->state = state;
    call->packet.syn = state == CALL_SYN || state == CALL_SYN_ACK;
    world_send(sender, &call->packet, to, factor, delay);
}

/* ---- the two ends hear of it ---- */

static void
deliver_failure(Call *call)
{
    Process *caller = call->caller;
    Input input = {.kind = call->stream ? INPUT_CLOSED : INPUT_FAILURE,
                   .tag = call->tag,
                   .failure = call->failure};
    call_free(call);
    if (caller != NULL) {
        world_step(caller, &input);
    }
}

static void
fail(Call *call, Failure failure, nsec_t delay)
{
    cpu_cancel(&call->job);
    engine_cancel(call->world->engine, &call->deadline);
    detach_callee(call);
    call->failure = failure;
    if (call->caller == NULL) {
        call_free(call);
    } else {
        after(call, CALL_FAILED, delay);
    }
}

static void
deliver_cancelled(Call *call)
{
    Process *callee = call->callee;
    Input input = {.kind = call->stream ? INPUT_CLOSED : INPUT_CANCELLED,
                   .call = call->id,
                   .failure = FAILURE_PEER_GONE};
    call_free(call);
    if (callee != NULL) {
        world_step(callee, &input);
    }
}

/* The caller waits no more; a callee that has the request is told. */
static void
abandon(Call *call)
{
    bool known = call->state == CALL_SERVED && call->callee != NULL;
    engine_cancel(call->world->engine, &call->deadline);
    if (!known) {
        call_free(call);
        return;
    }
    Process *caller = call->caller;
    detach_caller(call);
    if (caller != NULL) {
        travel(call, CALL_CANCELLED, caller, call->callee->node, 1, 0);
    } else {
        after(call, CALL_CANCELLED, 0);
    }
}

static void
on_deadline(Engine *engine, Event *event)
{
    (void)engine;
    Call *call = CALL_OF(event, deadline);
    bool dialling = call->dialling;
    Process *caller = call->caller;
    Input input = {.kind = call->stream ? INPUT_CLOSED : INPUT_FAILURE,
                   .tag = call->tag,
                   .failure = dialling ? FAILURE_DIAL_TIMEOUT : FAILURE_DEADLINE};
    abandon(call);
    if (caller != NULL) {
        world_step(caller, &input);
    }
}

static void
arm_deadline(Call *call, nsec_t timeout)
{
    Engine *engine = call->world->engine;
    if (timeout > 0) {
        engine_reschedule(engine, &call->deadline, engine_now(engine) + timeout);
    } else {
        engine_cancel(engine, &call->deadline);
    }
}

/* ---- finding the callee ---- */

static const char *
back_end(World *world, const char *service)
{
    const GPtrArray *addresses = g_hash_table_lookup(world->services, service);
    if (addresses == NULL || addresses->len == 0) {
        return NULL;
    }
    guint *turn = g_hash_table_lookup(world->service_turn, service);
    if (turn == NULL) {
        turn = g_new0(guint, 1);
        g_hash_table_insert(world->service_turn, g_strdup(service), turn);
    }
    return g_ptr_array_index(addresses, (*turn)++ % addresses->len);
}

/* The back end's address for a service, otherwise the address itself; NULL: no back end. */
static const char *
resolve(World *world, const char *address)
{
    return g_str_has_prefix(address, "svc:") ? back_end(world, address) : address;
}

/* grpc-go's connection back-off: 1 s, 1.6 times longer each time (backoff.go; without its jitter).
 */
static nsec_t
redial_delay(Call *call)
{
    double delay = 1;
    for (guint i = 0; i < call->n_dials; i++) {
        delay *= 1.6;
    }
    call->n_dials++;
    return nsec_from_seconds(delay);
}

/* Nobody listens.  A unix socket, a service without back ends, or a closed port of a node that is
 * up refuses at once; a packet to a Pod's IP that is gone, or to a node that is down, is lost, and
 * only the dial timeout ends the wait (FACTS 2.6), or TCP after 127 s. */
static void
fail_unresolved(Call *call, const char *address)
{
    if (address != NULL && world_address_is_silent(call->world, address)) {
        after(call, CALL_LOST, NET_SYN_LIMIT);
        return;
    }
    if (call->dial_timeout > 0 && (call->flags & CALL_FAIL_FAST) == 0) {
        after(call, CALL_LEAVING, redial_delay(call));
        return;
    }
    fail(call, FAILURE_REFUSED, world_latency(call->caller, call->caller));
}

/* ---- the walk ---- */

static void
on_job(CpuJob *job)
{
    proceed(CALL_OF(job, job));
}

/* CPU time at `process`, then proceed. */
static void
compute(Call *call, Process *process, MessageType type, int weight)
{
    nsec_t demand = world_demand(process, type, weight);
    if (demand > 0) {
        cpu_submit(process->cpu, &call->job, demand);
    } else {
        proceed(call);
    }
}

static void
depart(Call *call)
{
    World *world = call->world;
    bool again = call->n_dials > 0;
    if (!again) {
        call->left = engine_now(world->engine);
    }
    const char *address = resolve(world, call->address);
    Process *callee = address != NULL ? g_hash_table_lookup(world->listeners, address) : NULL;
    bool plain = (call->flags & CALL_PLAIN) != 0;
    bool dial = (call->flags & CALL_FRESH) != 0 || callee == NULL ||
                !g_hash_table_contains(call->caller->peers, callee);
    call->dialling = callee == NULL || (dial && !plain);
    if (dial && call->dial_timeout > 0) {
        if (!again) { /* the limit is for all dials together */
            arm_deadline(call, call->dial_timeout);
        }
    } else {
        arm_deadline(call, call->timeout);
    }
    if (callee == NULL) {
        fail_unresolved(call, address);
        return;
    }
    attach_callee(call, callee);
    bool handshake = dial && !plain;
    if (!handshake) {
        arm_deadline(call, call->timeout);
    }
    travel(call, handshake ? CALL_SYN : CALL_REQUEST, call->caller, callee->node, 1, 0);
}

static void
established(Call *call)
{
    nsec_t spent = engine_now(call->world->engine) - call->left;
    arm_deadline(call, call->timeout > 0 ? MAX(call->timeout - spent, 1) : 0);
    call->dialling = false;
    g_hash_table_add(call->caller->peers, call->callee);
    g_hash_table_add(call->callee->dialled_by, call->caller);
    travel(call, CALL_REQUEST, call->caller, call->callee->node, 1, 0);
}

static void
deliver_request(Call *call)
{
    call->state = CALL_SERVED;
    call->opened = call->stream;
    Message *message = g_steal_pointer(&call->message);
    if (call->stream) {
        engine_cancel(call->world->engine, &call->deadline);
    }
    Input input = {.kind = call->stream ? INPUT_OPENED : INPUT_REQUEST,
                   .call = call->id,
                   .message = message,
                   .from = call->from};
    world_step(call->callee, &input);
    message_unref(message);
}

static void
deliver_reply(Call *call)
{
    Process *caller = call->caller;
    Message *message = g_steal_pointer(&call->message);
    Input input = {.kind = INPUT_REPLY, .tag = call->tag, .message = message};
    call_free(call);
    if (caller != NULL) {
        world_step(caller, &input);
    }
    message_unref(message);
}

/* TCP has given up: both ends hear of it. */
static void
give_up(Call *call)
{
    if (call->state == CALL_CANCELLED) {
        deliver_cancelled(call);
        return;
    }
    call->failure = call->dialling ? FAILURE_DIAL_TIMEOUT : FAILURE_PEER_GONE;
    cpu_cancel(&call->job);
    engine_cancel(call->world->engine, &call->deadline);
    detach_callee(call);
    deliver_failure(call);
}

/* One state on: called when the event or the CPU time of the present state is over. */
static void
proceed(Call *call)
{
    switch (call->state) {
    case CALL_LEAVING:
        depart(call);
        break;
    case CALL_SYN:
        call->state = CALL_TLS_SERVER;
        compute(call, call->callee, MESSAGE_TLS_SERVER, 1);
        break;
    case CALL_TLS_SERVER:
        travel(call, CALL_SYN_ACK, call->callee, call->caller_node, 3, 0);
        break;
    case CALL_SYN_ACK:
        call->state = CALL_TLS_CLIENT;
        compute(call, call->caller, MESSAGE_TLS_CLIENT, 1);
        break;
    case CALL_TLS_CLIENT:
        established(call);
        break;
    case CALL_REQUEST:
        call->state = CALL_REQUEST_CPU;
        compute(call, call->callee, call->message->type, call->message->weight);
        break;
    case CALL_REQUEST_CPU:
        deliver_request(call);
        break;
    case CALL_REPLY:
        call->state = CALL_REPLY_CPU;
        compute(call, call->caller, call->message->type, call->message->weight);
        break;
    case CALL_REPLY_CPU:
        deliver_reply(call);
        break;
    case CALL_FAILED:
        deliver_failure(call);
        break;
    case CALL_CANCELLED:
        deliver_cancelled(call);
        break;
    case CALL_LOST:
        give_up(call);
        break;
    case CALL_SERVED:
        g_assert_not_reached();
    }
}

static void
on_event(Engine *engine, Event *event)
{
    (void)engine;
    Call *call = CALL_OF(event, event);
    if (call->packet.held) { /* sent again and again, in vain */
        net_drop(&call->packet);
        give_up(call);
    } else {
        proceed(call);
    }
}

/* ---- actions ---- */

void
rpc_call(Process *caller, Action *action, bool stream)
{
    World *world = caller->world;
    rpc_cancel(caller, action->tag);
    Call *call = g_new0(Call, 1);
    call->world = world;
    call->id = ++world->last_id;
    call->tag = action->tag;
    call->caller = caller;
    call->caller_node = caller->node;
    call->packet.event = &call->event;
    call->from = g_strdup(caller->info->name);
    call->address = g_strdup(action->address);
    call->message = g_steal_pointer(&action->message);
    call->flags = action->flags;
    call->timeout = action->timeout;
    call->dial_timeout = action->dial_timeout;
    call->stream = stream;
    call->job.done = on_job;
    g_queue_init(&call->pushes);
    event_init(&call->event, on_event, 0);
    event_init(&call->deadline, on_deadline, 1);
    g_hash_table_insert(world->calls, &call->id, call);
    g_queue_push_tail(&caller->made, call);
    call->made = caller->made.tail;
    if (call->tag != 0) {
        g_hash_table_insert(caller->calls, &call->tag, call);
    }
    world->n_messages++;
    after(call, CALL_LEAVING, action->delay);
}

void
rpc_cancel(Process *caller, uint64_t tag)
{
    Call *call = tag != 0 ? g_hash_table_lookup(caller->calls, &tag) : NULL;
    if (call != NULL) {
        g_hash_table_remove(caller->calls, &tag);
        abandon(call);
    }
}

void
rpc_reply(Process *callee, const Action *action, Message *take_message)
{
    World *world = callee->world;
    Call *call = g_hash_table_lookup(world->calls, &action->call);
    bool waits =
        call != NULL && call->callee == callee && call->state == CALL_SERVED && !call->stream;
    if (!waits) { /* cancelled in the meantime */
        message_unref(take_message);
        return;
    }
    engine_cancel(world->engine, &call->deadline);
    detach_callee(call);
    call->message = take_message;
    world->n_messages++;
    travel(call, CALL_REPLY, callee, call->caller_node, 1, action->delay);
}

/* ---- streams ---- */

static void start_head(Call *call);
static void break_stream(Call *call);

static void
deliver_push(Push *push)
{
    Call *call = push->call;
    Process *caller = call->caller;
    Message *message = g_steal_pointer(&push->message);
    bool closing = push->closing;
    uint64_t tag = call->tag;
    g_queue_remove(&call->pushes, push);
    push_free(call, push);
    if (closing) {
        call_free(call);
    } else {
        Push *next = g_queue_peek_head(&call->pushes);
        if (next != NULL && next->due) {
            engine_reschedule(call->world->engine, &next->event, engine_now(call->world->engine));
        }
    }
    Input input = {.kind = closing ? INPUT_CLOSED : INPUT_EVENT,
                   .tag = tag,
                   .message = message,
                   .failure = FAILURE_PEER_GONE};
    if (caller != NULL) {
        world_step(caller, &input);
    }
    message_unref(message);
}

static void
on_push_job(CpuJob *job)
{
    deliver_push(PUSH_OF(job, job));
}

static void
start_head(Call *call)
{
    Push *push = g_queue_peek_head(&call->pushes);
    if (push == NULL || !push->due || push->running) {
        return;
    }
    push->running = true;
    Process *caller = call->caller;
    nsec_t demand = caller != NULL && push->message != NULL
                        ? world_demand(caller, push->message->type, push->message->weight)
                        : 0;
    if (demand > 0) {
        cpu_submit(caller->cpu, &push->job, demand);
    } else {
        deliver_push(push);
    }
}

/* What the server pushed could not be delivered: the connection is broken for both. */
static void
break_stream(Call *call)
{
    Process *caller = call->caller, *server = call->callee;
    Input to_caller = {.kind = INPUT_CLOSED, .tag = call->tag, .failure = FAILURE_PEER_GONE};
    Input to_server = {.kind = INPUT_CLOSED, .call = call->id, .failure = FAILURE_PEER_GONE};
    call_free(call);
    if (server != NULL) {
        world_step(server, &to_server);
    }
    if (caller != NULL) {
        world_step(caller, &to_caller);
    }
}

static void
on_push_event(Engine *engine, Event *event)
{
    (void)engine;
    Push *push = PUSH_OF(event, event);
    if (push->packet.held) {
        net_drop(&push->packet);
        break_stream(push->call);
        return;
    }
    push->due = true;
    start_head(push->call);
}

static void
push_after(Call *call, Process *server, Message *take_message, bool closing, nsec_t delay)
{
    World *world = call->world;
    Push *push = g_new0(Push, 1);
    push->call = call;
    push->message = take_message;
    push->closing = closing;
    push->job.done = on_push_job;
    event_init(&push->event, on_push_event, 0);
    push->packet.event = &push->event;
    g_queue_push_tail(&call->pushes, push);
    world->n_messages++;
    world_send(server, &push->packet, call->caller_node, 1, delay);
    if (!push->packet.held && push->event.time < call->last_push) {
        engine_reschedule(world->engine, &push->event, call->last_push);
    }
    call->last_push = push->packet.held ? call->last_push : push->event.time;
}

static Call *
stream_of(Process *server, uint64_t id)
{
    Call *call = g_hash_table_lookup(server->world->calls, &id);
    bool mine = call != NULL && call->stream && call->callee == server &&
                call->state == CALL_SERVED && call->caller != NULL;
    return mine ? call : NULL;
}

void
rpc_push(Process *server, const Action *action, Message *take_message)
{
    Call *call = stream_of(server, action->call);
    if (call == NULL) {
        message_unref(take_message);
        return;
    }
    push_after(call, server, take_message, false, action->delay);
}

void
rpc_close(Process *server, uint64_t id)
{
    Call *call = stream_of(server, id);
    if (call != NULL) {
        detach_callee(call);
        push_after(call, server, NULL, true, 0);
    }
}

/* ---- ends ---- */

static void
end_as_callee(Process *process, Call *call)
{
    bool answered = call->state >= CALL_REPLY;
    if (answered || call->caller == NULL) {
        detach_callee(call);
        if (call->caller == NULL) {
            call_free(call);
        }
        return;
    }
    /* its kernel sends a reset at once */
    call->failure = call->state < CALL_REQUEST ? FAILURE_REFUSED : FAILURE_PEER_GONE;
    cpu_cancel(&call->job);
    engine_cancel(call->world->engine, &call->deadline);
    detach_callee(call);
    travel(call, CALL_FAILED, process, call->caller_node, 1, 0);
}

void
rpc_process_ended(Process *process)
{
    Call *made;
    while ((made = g_queue_peek_head(&process->made)) != NULL) {
        abandon(made);
    }
    Call *call;
    while ((call = g_queue_peek_head(&process->served)) != NULL) {
        end_as_callee(process, call);
    }
}

/* The node of a process has stopped: nobody is told. */
static void
lose(Process *process, Call *call)
{
    if (call->state >= CALL_REPLY || call->caller == NULL) {
        end_as_callee(process, call);
        return;
    }
    cpu_cancel(&call->job);
    detach_callee(call);
    call->lost_node = process->node;
    after(call, CALL_LOST,
          call->dialling ? NET_SYN_LIMIT
          : call->stream ? NET_KEEPALIVE_LIMIT
                         : NET_DATA_LIMIT);
}

static void
lose_caller(Call *call)
{
    bool served = call->state == CALL_SERVED && call->callee != NULL;
    engine_cancel(call->world->engine, &call->deadline);
    if (!served) {
        call_free(call);
        return;
    }
    detach_caller(call);
    Push *push;
    while ((push = g_queue_pop_head(&call->pushes)) != NULL) {
        push_free(call, push);
    }
    after(call, CALL_CANCELLED, NET_KEEPALIVE_LIMIT);
}

void
rpc_process_vanished(Process *process)
{
    Call *call;
    while ((call = g_queue_peek_head(&process->made)) != NULL) {
        lose_caller(call);
    }
    while ((call = g_queue_peek_head(&process->served)) != NULL) {
        lose(process, call);
    }
}

static int
compare_calls(const void *a, const void *b)
{
    const Call *left = *(Call *const *)a, *right = *(Call *const *)b;
    return left->id < right->id ? -1 : left->id > right->id;
}

/* A node that is up again answers what is sent to it with resets: requests when they are sent
 * again, idle streams at their next keepalive probe. */
void
rpc_node_returned(World *world, const WorldNode *node)
{
    g_autoptr(GPtrArray) lost = g_ptr_array_new();
    GHashTableIter iter;
    void *value;
    g_hash_table_iter_init(&iter, world->calls);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const Call *call = value;
        if (call->state == CALL_LOST && call->lost_node == node) {
            g_ptr_array_add(lost, value);
        }
    }
    g_ptr_array_sort(lost, compare_calls);
    nsec_t now = engine_now(world->engine);
    for (guint i = 0; i < lost->len; i++) {
        Call *call = g_ptr_array_index(lost, i);
        nsec_t at = call->stream ? now + NET_KEEPALIVE - (now - call->left) % NET_KEEPALIVE
                                 : net_next_retransmission(call->left, now, call->dialling);
        if (at < call->event.time) {
            after(call, CALL_LOST, at - now);
        }
    }
}

void
rpc_clear(World *world)
{
    GHashTableIter iter;
    void *value;
    g_autoptr(GPtrArray) calls = g_ptr_array_new();
    g_hash_table_iter_init(&iter, world->calls);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        g_ptr_array_add(calls, value);
    }
    for (guint i = 0; i < calls->len; i++) {
        call_free(g_ptr_array_index(calls, i));
    }
}
