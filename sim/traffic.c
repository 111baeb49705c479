/* When iterations begin, and what is reported of them. */
#include "sim/traffic.h"

#include "models/flow.h"
#include "models/tcp.h"
#include "sim/stream.h"

#include <string.h>

#define CLIENT_PORT 49152 /* the first ephemeral one: RFC 6335 */
#define TCP_ACK 0x10

/* ---- where a stream goes ---- */

const char *
stream_port(const Stream *stream)
{
    return stream->chain != NULL ? chain_watch_port(stream->run->watch, stream->chain->index)
                                 : NULL;
}

/* Looked up again when Pods have come or gone. */
static void
find_nodes(Stream *stream)
{
    const World *world = stream->world;
    if (stream->nodes_known != world->n_sandboxes) {
        stream->nodes_known = world->n_sandboxes;
        stream->from_node = stream->to_node = NULL;
        runtime_find_pod(world, stream->from, &stream->from_node);
        runtime_find_pod(world, stream->to, &stream->to_node);
    }
}

static void
send_on_pod_network(Stream *stream, const PacketInfo *packet)
{
    const World *world = stream->world;
    find_nodes(stream);
    const WorldNode *from = stream->from_node, *to = stream->to_node;
    if (from == NULL || to == NULL) {
        packets_send(world->dataplane, &stream->packets, packet, POD_INTERFACE);
        return;
    }
    packets_send_between(world->dataplane, &stream->packets, packet,
                         packet->backward ? to->name : from->name,
                         packet->backward ? from->name : to->name);
}

void
stream_send(Stream *stream, const PacketInfo *packet, const char *port)
{
    if (stream->chain == NULL) {
        send_on_pod_network(stream, packet);
        return;
    }
    packets_send(stream->world->dataplane, &stream->packets, packet,
                 port != NULL ? port : stream->chain->interface);
}

FluidFlow *
stream_begin_fluid(Stream *stream, bool backward, int64_t bytes,
                   void (*done)(void *data, FluidFlow *flow), void *data)
{
    const WorldNode *from = NULL, *to = NULL;
    const char *port = stream_port(stream);
    FluidSpec spec = {.pod_port = port,
                      .backward = backward,
                      .server_port = stream->traffic->port,
                      .bytes = bytes,
                      .mss = stream->traffic->mss,
                      .done = done,
                      .data = data};
    g_autofree char *client = NULL, *server = NULL;
    if (stream->chain == NULL) {
        spec.client_pod = runtime_find_pod(stream->world, stream->from, &from);
        spec.server_pod = runtime_find_pod(stream->world, stream->to, &to);
        if (from == NULL || to == NULL) {
            return NULL;
        }
        spec.from_node = (backward ? to : from)->name;
        spec.to_node = (backward ? from : to)->name;
    } else {
        client = dataplane_pod_of_port(port);
        server = dataplane_pod_of_port(stream->server_port);
        spec.client_pod = client;
        spec.server_pod = server;
    }
    return flows_begin(stream->run->flows, &spec);
}

/* ---- iterations ---- */

static nsec_t
now_of(const Stream *stream)
{
    return engine_now(stream->world->engine);
}

/* What is kept of the way, when it may have changed. */
static void
look_at_way(Stream *stream)
{
    const DataPlane *plane = stream->world->dataplane;
    uint64_t n_changes = sim_dataplane_counts(plane).n_changes;
    const char *port = stream_port(stream);
    if (port != NULL && n_changes != stream->n_changes) {
        stream->n_changes = n_changes;
        stream->mtu = packets_mtu(plane, port);
        packets_addresses(plane, port, &stream->packets.header.src, &stream->packets.header.dst);
    }
}

static void
begin_iteration(Stream *stream, uint64_t id)
{
    stream->n_begun++;
    look_at_way(stream);
    if (stream->traffic->protocol == TRAFFIC_ICMP) {
        ping_begin(stream, id);
    } else {
        exchange_begin(stream, id);
    }
}

/* The next of an open executor. */
static void
plan_next(Stream *stream)
{
    nsec_t since = traffic_arrival(stream->traffic, stream->n_due, stream->phase,
                                   stream->until - stream->from_time);
    if (since != NSEC_NEVER) {
        engine_schedule(stream->world->engine, &stream->next,
                        MAX(stream->from_time + since, now_of(stream)));
    }
}

static void
count_failure(Stream *stream, const char *cause)
{
    stream->n_failed++;
    for (guint i = 0; i < stream->failures->len; i++) {
        FailureCount *one = &g_array_index(stream->failures, FailureCount, i);
        if (g_str_equal(one->cause, cause)) {
            one->n++;
            return;
        }
    }
    g_array_append_val(stream->failures, ((FailureCount){g_strdup(cause), 1}));
}

static void
cpu_mark_clear(void *data)
{
    g_free(((CpuMark *)data)->process);
}

/* What each container has used so far. */
static GArray *
mark_cpu(World *world)
{
    g_autoptr(GArray) usages = world_usage(world);
    GArray *marks = g_array_new(false, false, sizeof(CpuMark));
    g_array_set_clear_func(marks, cpu_mark_clear);
    for (guint i = 0; i < usages->len; i++) {
        const ContainerUsage *usage = &g_array_index(usages, ContainerUsage, i);
        g_array_append_val(marks, ((CpuMark){g_strdup(usage->process), usage->cpu}));
    }
    return marks;
}

static double
marked_cpu(const GArray *marks, const char *process)
{
    for (guint i = 0; i < marks->len; i++) {
        const CpuMark *mark = &g_array_index(marks, CpuMark, i);
        if (g_str_equal(mark->process, process)) {
            return mark->cpu;
        }
    }
    return 0; /* it has begun since */
}

/* Cores that each container used while bulk traffic lasted. */
static void
measure_cpu(Stream *stream)
{
    double seconds = nsec_to_seconds(now_of(stream) - stream->from_time);
    stream->cpu_used = mark_cpu(stream->world);
    for (guint i = 0; seconds > 0 && i < stream->cpu_used->len; i++) {
        CpuMark *mark = &g_array_index(stream->cpu_used, CpuMark, i);
        mark->cpu = (mark->cpu - marked_cpu(stream->cpu_before, mark->process)) / seconds;
    }
}

static void
on_bulk_end(Engine *engine, Event *event)
{
    (void)engine;
    Stream *stream = (Stream *)((char *)event - offsetof(Stream, next));
    uint64_t under_way = stream_n_under_way(stream);
    guint sent = exchanges_clear(stream);
    stream->n_done += sent;
    for (uint64_t i = sent; i < under_way; i++) {
        count_failure(stream, "not connected");
    }
    measure_cpu(stream);
}

/* All flows of an iperf, or the film, begin at once. */
static void
on_bulk(Engine *engine, Event *event)
{
    (void)engine;
    Stream *stream = (Stream *)((char *)event - offsetof(Stream, next));
    int n = stream->video != NULL ? 1 : stream->traffic->parallel;
    for (int i = 0; i < n; i++) {
        begin_iteration(stream, (uint64_t)i);
    }
    if (stream->video == NULL) {
        stream->cpu_before = mark_cpu(stream->world);
        event_init(event, on_bulk_end, 1);
        engine_schedule(stream->world->engine, event, stream->until);
    }
}

static void
on_next(Engine *engine, Event *event)
{
    (void)engine;
    Stream *stream = (Stream *)((char *)event - offsetof(Stream, next));
    const Traffic *traffic = stream->traffic;
    uint64_t id = stream->n_due++;
    plan_next(stream);
    if (traffic->protocol == TRAFFIC_TCP &&
        stream_n_under_way(stream) >= (uint64_t)traffic->max_vus) {
        stream->n_skipped++; /* k6: dropped_iterations */
        return;
    }
    begin_iteration(stream, id);
}

static void
on_user(Engine *engine, Event *event)
{
    User *user = (User *)((char *)event - offsetof(User, next));
    Stream *stream = user->stream;
    uint64_t id = user->id;
    if (engine_now(engine) < stream->until) {
        user->id += (uint64_t)stream->traffic->vus;
        begin_iteration(stream, id);
    }
}

/* After an answer the user thinks; who got none has waited for it. */
static void
plan_user(Stream *stream, uint64_t id, nsec_t began, bool answered)
{
    const Traffic *traffic = stream->traffic;
    User *user = &stream->users[id % (uint64_t)traffic->vus];
    nsec_t now = now_of(stream);
    nsec_t end = answered || traffic->protocol == TRAFFIC_TCP ? now : began + traffic->timeout;
    engine_schedule(stream->world->engine, &user->next, MAX(end, now) + traffic->think_time);
}

void
stream_ended(Stream *stream, uint64_t id, nsec_t began, const char *cause)
{
    nsec_t took = now_of(stream) - began;
    if (stream->run->stopped) {
        return;
    }
    if (cause != NULL) {
        count_failure(stream, cause);
    } else {
        stream->n_done++;
        reservoir_add(&stream->times, nsec_to_seconds(took));
    }
    if (stream->probe != NULL && cause != NULL) {
        chain_probe_lost(stream->probe, began);
    } else if (stream->probe != NULL) {
        chain_probe_answered(stream->probe, began, took);
    }
    if (stream->users != NULL) {
        plan_user(stream, id, began, cause == NULL);
    }
}

/* ---- beginning ---- */

static const char *
stream_name(const Stream *stream)
{
    return stream->chain != NULL ? stream->chain->name : "pod network";
}

static void
plan_users(Stream *stream)
{
    int n = stream->traffic->vus;
    stream->users = g_new0(User, n);
    for (int i = 0; i < n; i++) {
        User *user = &stream->users[i];
        user->stream = stream;
        user->id = (uint64_t)i;
        event_init(&user->next, on_user, 0);
        engine_schedule(stream->world->engine, &user->next, stream->from_time);
    }
}

static void
failure_clear(void *data)
{
    g_free(((FailureCount *)data)->cause);
}

static Stream *
stream_new(TrafficRun *run, const Traffic *traffic, const Chain *chain)
{
    const World *world = run->world;
    bool icmp = traffic->protocol == TRAFFIC_ICMP;
    Stream *stream = g_new0(Stream, 1);
    packet_flow_init(&stream->packets);
    stream->packets.header = (AclPacket){.proto = icmp ? ACL_PROTO_ICMP : ACL_PROTO_TCP,
                                         .src_port = icmp ? ICMP_ECHO : CLIENT_PORT,
                                         .dst_port = (uint16_t)traffic->port,
                                         .tcp_flags = icmp ? 0 : TCP_ACK};
    stream->mtu = IP_MTU;
    stream->packets.arrived = icmp ? ping_arrived : exchange_arrived;
    stream->packets.dropped = icmp ? ping_dropped : exchange_dropped;
    stream->run = run;
    stream->world = run->world;
    stream->traffic = traffic;
    stream->chain = chain;
    stream->from_time = traffic->start_time;
    stream->until = traffic->duration > 0
                        ? MIN(traffic->start_time + traffic->duration, run->scenario->duration)
                        : run->scenario->duration;
    stream->pieces = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, g_free);
    stream->exchanges = g_hash_table_new(g_int64_hash, g_int64_equal);
    stream->failures = g_array_new(false, false, sizeof(FailureCount));
    g_array_set_clear_func(stream->failures, failure_clear);
    bool bulk = traffic->executor == TRAFFIC_IPERF || traffic->executor == TRAFFIC_VIDEO;
    event_init(&stream->next, bulk ? on_bulk : on_next, 0);
    stream->video = traffic->video != NULL ? video_new(stream) : NULL;
    stream->bottlenecks = g_ptr_array_new();
    g_autofree char *purpose = g_strdup_printf("probe %s", traffic->name);
    random_stream_init(&stream->random, world->seed, world->replication, stream_name(stream),
                       purpose);
    stream->phase = random_uniform(&stream->random);
    RandomStream choice;
    random_stream_init(&choice, world->seed, world->replication, stream_name(stream),
                       "times that are kept");
    reservoir_init(&stream->times, &choice);
    g_ptr_array_add(run->streams, stream);
    return stream;
}

static void
begin_stream(Stream *stream)
{
    switch (stream->traffic->executor) {
    case TRAFFIC_CONSTANT_ARRIVAL_RATE:
    case TRAFFIC_RAMPING_ARRIVAL_RATE:
        plan_next(stream);
        break;
    case TRAFFIC_CONSTANT_VUS:
        plan_users(stream);
        break;
    case TRAFFIC_IPERF:
    case TRAFFIC_VIDEO:
        engine_schedule(stream->world->engine, &stream->next, stream->from_time);
        break;
    case N_TRAFFIC_EXECUTORS:
        break;
    }
}

static void
add_streams(TrafficRun *run, const Traffic *traffic)
{
    const GPtrArray *chains = run->chains->chains;
    for (guint i = 0; !traffic->pod_network && i < chains->len; i++) {
        const Chain *chain = g_ptr_array_index(chains, i);
        if (flow_takes(traffic, chain)) {
            Stream *stream = stream_new(run, traffic, chain);
            if (traffic_is_probe(traffic)) {
                stream->probe = chain_watch_probe(run->watch, chain->index, traffic->name);
            }
            begin_stream(stream);
        }
    }
    if (traffic->pod_network) {
        Stream *stream = stream_new(run, traffic, NULL);
        stream->from = flow_find(run->scenario, traffic->from);
        stream->to = flow_find(run->scenario, traffic->to);
        begin_stream(stream);
    }
}

static void
on_process_changed(void *data, const Process *process)
{
    const TrafficRun *run = data;
    for (guint i = 0; process->dead && !process->vanished && i < run->streams->len; i++) {
        Stream *stream = g_ptr_array_index(run->streams, i);
        if (stream->server == process && stream->server_id == process->id) {
            exchanges_reset(stream);
        }
    }
}

TrafficRun *
traffic_run_new(World *world, const Scenario *scenario, const Chains *chains, ChainWatch *watch)
{
    TrafficRun *run = g_new0(TrafficRun, 1);
    run->world = world;
    run->scenario = scenario;
    run->chains = chains;
    run->watch = watch;
    run->streams = g_ptr_array_new();
    run->flows = flows_new(world);
    world_observe(world, &(WorldObserver){on_process_changed, run});
    for (guint i = 0; scenario->fast_forward == 0 && i < scenario->n_traffic; i++) {
        add_streams(run, &scenario->traffic[i]);
    }
    return run;
}

void
traffic_run_stop(TrafficRun *run)
{
    Engine *engine = run->world->engine;
    run->stopped = true;
    world_unobserve(run->world, run);
    for (guint i = 0; i < run->streams->len; i++) {
        Stream *stream = g_ptr_array_index(run->streams, i);
        engine_cancel(engine, &stream->next);
        for (int k = 0; stream->users != NULL && k < stream->traffic->vus; k++) {
            engine_cancel(engine, &stream->users[k].next);
        }
        exchanges_clear(stream);
        if (stream->video != NULL) {
            video_stop(stream->video);
        }
    }
    flows_free(run->flows);
}

static void
stream_free(Stream *stream)
{
    packet_flow_clear(&stream->packets);
    g_hash_table_unref(stream->pieces);
    g_hash_table_unref(stream->exchanges);
    g_array_unref(stream->failures);
    reservoir_clear(&stream->times);
    g_clear_pointer(&stream->cpu_before, g_array_unref);
    g_clear_pointer(&stream->cpu_used, g_array_unref);
    g_free(stream->users);
    g_clear_pointer(&stream->video, video_free);
    for (guint i = 0; i < stream->bottlenecks->len; i++) {
        fluid_bottleneck_clear(g_ptr_array_index(stream->bottlenecks, i));
        g_free(g_ptr_array_index(stream->bottlenecks, i));
    }
    g_ptr_array_unref(stream->bottlenecks);
    g_free(stream->server_port);
    g_free(stream->server_place);
    g_free(stream);
}

void
traffic_run_free(TrafficRun *run)
{
    for (guint i = 0; i < run->streams->len; i++) {
        stream_free(g_ptr_array_index(run->streams, i));
    }
    g_ptr_array_unref(run->streams);
    g_free(run);
}
