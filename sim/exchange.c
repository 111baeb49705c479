/* Requests over TCP: handshake, request, the server's work, answer.
 *
 * What fits into TCP's initial window (RFC 6928) is sent segment by segment; what is larger is a
 * fluid flow (sim/flows.h) after the handshake.  A lost segment is sent again after the
 * retransmission time-out, which doubles (RFC 6298; a lost SYN after 1 s): with so few segments
 * there are no three duplicate acknowledgements.  Acknowledgements without data are not sent; what
 * they cost is part of what a segment costs (configs/).
 *
 * The server is the container of the Pod where the SYN arrives that declares the port; nobody there
 * refuses the connection.  Its work is CPU time under its container's limit. */
#include "models/tcp.h"
#include "sim/proof.h"
#include "sim/stream.h"

#include <string.h>

#define MAX_SEGMENTS TCP_INITIAL_WINDOW
#define MAX_ASKED 64 /* flows of a stream that are asked what held them back */

typedef enum Stage {
    STAGE_SYN,      /* client: is there a server? */
    STAGE_ACCEPTED, /* server: yes */
    STAGE_REFUSED,  /* server: no */
    STAGE_REQUEST,
    STAGE_SERVICE,
    STAGE_RESPONSE,
} Stage;

struct Exchange {
    Stream *stream;
    uint64_t id;
    nsec_t began;
    nsec_t rtt; /* of the handshake, or the default */
    Stage stage;
    Event timeout;
    Event retransmission;
    bool reset; /* the server has ended: `timeout` is when the client hears of it */
    guint n_timeouts;
    CpuJob job;  /* the server's work */
    nsec_t work; /* CPU time that it takes */
    nsec_t work_began;
    FluidFlow *fluid; /* a large request or answer */
    bool fluid_backward;
    guint n_segments, n_arrived;
    uint32_t arrived, lost; /* sets of segments of this stage */
    const char *cause;      /* why the last segment was lost */
};

/* ---- beginning and end ---- */

/* What the flow has moved and what held it back is kept. */
static void
end_fluid(Exchange *exchange)
{
    Stream *stream = exchange->stream;
    if (stream->bottlenecks->len < MAX_ASKED) { /* the question costs time for each other flow */
        FluidBottleneck *bottleneck = g_new0(FluidBottleneck, 1);
        *bottleneck = fluid_flow_bottleneck(exchange->fluid);
        g_ptr_array_add(stream->bottlenecks, bottleneck);
    }
    double bytes = fluid_flow_bytes(exchange->fluid);
    stream->bytes += bytes;
    if (stream->chain != NULL) {
        vswitch_count_rules(stream->world->dataplane, stream_port(stream), &stream->packets.header,
                            exchange->fluid_backward,
                            (uint64_t)tcp_segments((int64_t)bytes, tcp_mss(stream->mtu)));
    }
    flows_end(exchange->fluid);
    exchange->fluid = NULL;
}

static Engine *
engine_of(const Exchange *exchange)
{
    return exchange->stream->world->engine;
}

static void
exchange_free(Exchange *exchange)
{
    engine_cancel(engine_of(exchange), &exchange->timeout);
    engine_cancel(engine_of(exchange), &exchange->retransmission);
    cpu_cancel(&exchange->job);
    if (exchange->fluid != NULL) {
        end_fluid(exchange);
    }
    g_hash_table_remove(exchange->stream->exchanges, &exchange->id);
    g_free(exchange);
}

static void
end(Exchange *exchange, const char *cause)
{
    Stream *stream = exchange->stream;
    uint64_t id = exchange->id;
    nsec_t began = exchange->began;
    if (cause == NULL && !stream->traffic->new_connections) {
        stream->n_idle++;
    }
    exchange_free(exchange);
    stream_ended(stream, id, began, cause);
    if (stream->video != NULL && cause == NULL) {
        video_times(stream->video)->began = began;
        video_times(stream->video)->returned = engine_now(stream->world->engine);
        video_is_there(stream->video);
    }
}

static void
on_timeout(Engine *engine, Event *event)
{
    (void)engine;
    Exchange *exchange = (Exchange *)((char *)event - offsetof(Exchange, timeout));
    if (exchange->reset) {
        end(exchange, "connection reset");
        return;
    }
    g_autofree char *cause =
        exchange->cause != NULL ? g_strdup_printf("timed out (%s)", exchange->cause) : NULL;
    end(exchange, cause != NULL ? cause : "timed out");
}

/* ---- segments ---- */

static bool
is_from_server(Stage stage)
{
    return stage == STAGE_ACCEPTED || stage == STAGE_REFUSED || stage == STAGE_RESPONSE;
}

static int64_t
payload(const Exchange *exchange, Stage stage)
{
    const Traffic *traffic = exchange->stream->traffic;
    if (traffic->video != NULL && stage >= STAGE_REQUEST) {
        return stage == STAGE_REQUEST ? traffic->video->file_size : traffic->video->compressed;
    }
    return stage == STAGE_REQUEST    ? traffic->size
           : stage == STAGE_RESPONSE ? traffic->response_size
                                     : 0;
}

static void
send_segment(Exchange *exchange, guint i)
{
    Stream *stream = exchange->stream;
    Stage stage = exchange->stage;
    int64_t mss = tcp_mss(stream->mtu), rest = payload(exchange, stage) - i * mss;
    bool backward = is_from_server(stage);
    PacketInfo info = {.id = exchange->id,
                       .began = exchange->began,
                       .part = (uint16_t)((guint)stage * MAX_SEGMENTS + i),
                       .bytes = (uint32_t)(TCP_IP_HEADERS + CLAMP(rest, 0, mss)),
                       .backward = backward,
                       .timed = i == exchange->n_segments - 1};
    stream_send(stream, &info, backward ? stream->server_port : stream_port(stream));
}

static void on_fluid_done(void *data, FluidFlow *flow);

static void
begin_fluid(Exchange *exchange, bool backward, int64_t bytes)
{
    Stream *stream = exchange->stream;
    exchange->fluid_backward = backward;
    exchange->fluid = stream_begin_fluid(stream, backward, bytes, on_fluid_done, exchange);
    if (exchange->fluid == NULL) {
        end(exchange, "connection reset");
    }
}

/* Sends all of a stage; dropping a segment at once may not end the exchange, so it stays. */
static void
begin_stage(Exchange *exchange, Stage stage)
{
    int64_t bytes = payload(exchange, stage);
    int64_t segments = MAX(tcp_segments(bytes, tcp_mss(exchange->stream->mtu)), 1);
    engine_cancel(engine_of(exchange), &exchange->retransmission);
    exchange->stage = stage;
    exchange->n_timeouts = 0;
    exchange->arrived = exchange->lost = 0;
    exchange->n_arrived = 0;
    if (segments > MAX_SEGMENTS) {
        begin_fluid(exchange, is_from_server(stage), bytes);
        return;
    }
    exchange->n_segments = (guint)segments;
    for (guint i = 0; i < exchange->n_segments; i++) {
        send_segment(exchange, i);
    }
}

static void
on_retransmission(Engine *engine, Event *event)
{
    (void)engine;
    Exchange *exchange = (Exchange *)((char *)event - offsetof(Exchange, retransmission));
    uint32_t lost = exchange->lost;
    exchange->lost = 0;
    exchange->n_timeouts++;
    for (guint i = 0; i < exchange->n_segments; i++) {
        if ((lost & (1U << i)) != 0) {
            send_segment(exchange, i);
        }
    }
}

static nsec_t
retransmission_timeout(const Exchange *exchange)
{
    enum { MAX_DOUBLINGS = 9 }; /* beyond the maximum */
    bool connecting = exchange->stage <= STAGE_REFUSED;
    nsec_t first = connecting ? TCP_INITIAL_RTO : tcp_rto(exchange->rtt);
    nsec_t rto = first << MIN(exchange->n_timeouts, MAX_DOUBLINGS);
    return MIN(rto, TCP_MAX_RTO);
}

void
exchange_dropped(PacketFlow *flow, const PacketInfo *packet, DropReason reason)
{
    Stream *stream = (Stream *)((char *)flow - offsetof(Stream, packets));
    Exchange *exchange = g_hash_table_lookup(stream->exchanges, &packet->id);
    if (exchange == NULL || packet->part / MAX_SEGMENTS != (guint)exchange->stage) {
        return;
    }
    exchange->cause = drop_reason_text(reason);
    exchange->lost |= 1U << packet->part % MAX_SEGMENTS;
    if (!event_is_scheduled(&exchange->retransmission)) {
        engine_schedule(engine_of(exchange), &exchange->retransmission,
                        engine_now(engine_of(exchange)) + retransmission_timeout(exchange));
    }
}

/* ---- the server ---- */

static void
on_served(CpuJob *job)
{
    Exchange *exchange = (Exchange *)((char *)job - offsetof(Exchange, job));
    Stream *stream = exchange->stream;
    nsec_t took = engine_now(engine_of(exchange)) - exchange->work_began;
    packet_flow_note(&stream->packets, stream->server_place, DELAY_SERVICE, exchange->work);
    packet_flow_note(&stream->packets, stream->server_place, DELAY_QUEUEING,
                     MAX(took - exchange->work, 0));
    if (stream->video != NULL) {
        video_times(stream->video)->compressed = engine_now(engine_of(exchange));
    }
    begin_stage(exchange, STAGE_RESPONSE);
}

/* Looked up again when processes have come or gone. */
static Process *
server_of(Stream *stream, const char *port)
{
    World *world = stream->world;
    bool elsewhere = g_strcmp0(stream->server_port, port) != 0;
    if (!elsewhere && stream->server_known == world->n_lives) {
        return stream->server;
    }
    uint64_t before = stream->server_id;
    g_autofree char *pod = NULL;
    if (port != NULL) {
        pod = dataplane_pod_of_port(port);
    } else {
        const WorldNode *node = NULL;
        pod = g_strdup(runtime_find_pod(world, stream->to, &node));
    }
    stream->server = world_find_server(world, pod, stream->traffic->port);
    stream->server_id = stream->server != NULL ? stream->server->id : 0;
    stream->server_known = world->n_lives;
    if (elsewhere) {
        g_free(stream->server_port);
        stream->server_port = g_strdup(port);
    }
    if (stream->server_place == NULL && stream->server != NULL) {
        const ProcessInfo *info = stream->server->info;
        g_autofree char *place = place_name(world, info->pod_key);
        stream->server_place = g_strdup_printf("%s container %s", place, info->container->name);
    }
    if (stream->server_id != before) {
        stream->n_idle = 0; /* whoever it was, his connections are gone */
    }
    return stream->server;
}

static void
serve(Exchange *exchange, const char *port)
{
    Stream *stream = exchange->stream;
    const Process *server = server_of(stream, port);
    if (server == NULL) { /* it ended in between: a reset */
        end(exchange, "connection reset");
        return;
    }
    exchange->stage = STAGE_SERVICE;
    exchange->work = stream->video != NULL
                         ? stream->traffic->video->compress_cpu
                         : dist_draw_nsec(&stream->traffic->service, &stream->random);
    if (stream->video != NULL) {
        video_times(stream->video)->sent = engine_now(engine_of(exchange));
    }
    exchange->work_began = engine_now(engine_of(exchange));
    if (exchange->work > 0) {
        cpu_submit(server->cpu, &exchange->job, exchange->work);
    } else {
        begin_stage(exchange, STAGE_RESPONSE);
    }
}

/* ---- what arrives ---- */

static void
connected(Exchange *exchange)
{
    Stream *stream = exchange->stream;
    exchange->rtt = engine_now(engine_of(exchange)) - exchange->began;
    if (stream->video != NULL) {
        engine_cancel(engine_of(exchange), &exchange->timeout); /* it takes its time */
    }
    if (stream->traffic->executor == TRAFFIC_IPERF) {
        engine_cancel(engine_of(exchange), &exchange->timeout);
        exchange->stage = STAGE_REQUEST;
        begin_fluid(exchange, stream->traffic->reverse, -1);
    } else {
        begin_stage(exchange, STAGE_REQUEST);
    }
}

/* The last segment of a stage is there. */
static void
stage_done(Exchange *exchange, const char *port)
{
    const Traffic *traffic = exchange->stream->traffic;
    switch (exchange->stage) {
    case STAGE_SYN: /* iperf brings its own server */
        if (server_of(exchange->stream, port) != NULL || traffic->executor == TRAFFIC_IPERF) {
            begin_stage(exchange, STAGE_ACCEPTED);
        } else {
            begin_stage(exchange, STAGE_REFUSED);
        }
        break;
    case STAGE_ACCEPTED:
        connected(exchange);
        break;
    case STAGE_REFUSED:
        end(exchange, "connection refused");
        break;
    case STAGE_REQUEST:
        serve(exchange, port);
        break;
    case STAGE_SERVICE:
        break;
    case STAGE_RESPONSE:
        end(exchange, NULL);
        break;
    }
}

void
exchange_arrived(PacketFlow *flow, const PacketInfo *packet)
{
    Stream *stream = (Stream *)((char *)flow - offsetof(Stream, packets));
    Exchange *exchange = g_hash_table_lookup(stream->exchanges, &packet->id);
    uint32_t segment = 1U << packet->part % MAX_SEGMENTS;
    if (exchange == NULL || packet->part / MAX_SEGMENTS != (guint)exchange->stage ||
        (exchange->arrived & segment) != 0) {
        return;
    }
    exchange->arrived |= segment;
    if (++exchange->n_arrived == exchange->n_segments) {
        stage_done(exchange, packet->port);
    }
}

static void
on_fluid_done(void *data, FluidFlow *flow)
{
    Exchange *exchange = data;
    g_assert(flow == exchange->fluid);
    end_fluid(exchange);
    stage_done(exchange, exchange->stream->server_port);
}

/* ---- for the stream ---- */

void
exchange_begin(Stream *stream, uint64_t id)
{
    Engine *engine = stream->world->engine;
    Exchange *exchange = g_new0(Exchange, 1);
    exchange->stream = stream;
    exchange->id = id;
    exchange->began = engine_now(engine);
    exchange->job.done = on_served;
    event_init(&exchange->timeout, on_timeout, 1); /* what arrives at that moment is in time */
    event_init(&exchange->retransmission, on_retransmission, 0);
    g_hash_table_insert(stream->exchanges, &exchange->id, exchange);
    nsec_t timeout = stream->traffic->timeout;
    engine_schedule(engine, &exchange->timeout,
                    exchange->began + (timeout > 0 ? timeout : NET_SYN_LIMIT));
    if (stream->n_idle > 0) {
        stream->n_idle--;
        begin_stage(exchange, STAGE_REQUEST);
    } else {
        begin_stage(exchange, STAGE_SYN);
    }
}

static int
compare_ids(const void *a, const void *b)
{
    const Exchange *left = *(Exchange *const *)a, *right = *(Exchange *const *)b;
    return left->id < right->id ? -1 : left->id > right->id;
}

/* All that are under way, in the order in which they began. */
static GPtrArray *
list_exchanges(const Stream *stream)
{
    GPtrArray *all = g_ptr_array_new();
    GHashTableIter iter;
    void *value;
    g_hash_table_iter_init(&iter, stream->exchanges);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        g_ptr_array_add(all, value);
    }
    g_ptr_array_sort(all, compare_ids);
    return all;
}

/* A reset takes one way through the chain.  Who is still connecting is refused by himself. */
void
exchanges_reset(Stream *stream)
{
    g_autoptr(GPtrArray) all = list_exchanges(stream);
    stream->n_idle = 0;
    for (guint i = 0; i < all->len; i++) {
        Exchange *exchange = g_ptr_array_index(all, i);
        if (exchange->stage >= STAGE_REQUEST && !exchange->reset) {
            Engine *engine = engine_of(exchange);
            exchange->reset = true;
            engine_reschedule(engine, &exchange->timeout, engine_now(engine) + exchange->rtt / 2);
        }
    }
}

guint
exchanges_clear(Stream *stream)
{
    guint n_fluid = 0;
    g_autoptr(GPtrArray) all = list_exchanges(stream);
    for (guint i = 0; i < all->len; i++) {
        Exchange *exchange = g_ptr_array_index(all, i);
        n_fluid += exchange->fluid != NULL;
        exchange_free(exchange);
    }
    return n_fluid;
}
