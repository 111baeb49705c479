/* The testbed's workload: a film goes forward through the chain, is compressed at its end, comes
 * back, and is streamed to viewers outside the cluster by the node of the chain's client (NodePort;
 * FACTS 0).  Viewers are HLS players (models/player.h); each piece is a fluid flow that shares the
 * node's network interface with everything else, after a round trip for its request. */
#include "models/player.h"
#include "sim/stream.h"

typedef struct Viewer {
    Video *video;
    Player player;
    Event event; /* the next request, or that it is answered */
    PlayerRequest request;
    nsec_t asked;
    bool answered; /* the event is the first byte, as it is sent */
    bool began, finished;
    FluidFlow *fluid;
} Viewer;

struct Video {
    Stream *stream;
    PlayerConfig config;
    Viewer *viewers;
    VideoTimes times;
};

static Engine *
engine_of(const Viewer *viewer)
{
    return viewer->video->stream->world->engine;
}

static const TrafficVideo *
settings(const Viewer *viewer)
{
    return viewer->video->stream->traffic->video;
}

static void
on_piece(void *data, FluidFlow *flow)
{
    Viewer *viewer = data;
    Engine *engine = engine_of(viewer);
    nsec_t now = engine_now(engine);
    flows_end(flow);
    viewer->fluid = NULL;
    if (player_fragment_arrived(&viewer->player, now, viewer->request.bytes, now - viewer->asked,
                                &viewer->request)) {
        viewer->answered = false;
        engine_schedule(engine, &viewer->event, MAX(viewer->request.time, now));
        return;
    }
    viewer->finished = true;
    player_finish(&viewer->player, viewer->player.empty_at);
}

static void
download(Viewer *viewer)
{
    const Stream *stream = viewer->video->stream;
    const WorldNode *node = NULL;
    const Object *client = stream->chain != NULL ? stream->chain->client : stream->from;
    const char *pod = runtime_find_pod(stream->world, client, &node);
    if (pod == NULL) {
        return; /* nobody serves any more: the player stalls */
    }
    FluidSpec spec = {.from_node = node->name,
                      .latency = settings(viewer)->viewer_latency,
                      .client_pod = pod,
                      .server_port = stream->traffic->port,
                      .bytes = viewer->request.bytes,
                      .rate_cap = (double)settings(viewer)->viewer_rate,
                      .done = on_piece,
                      .data = viewer};
    viewer->fluid = flows_begin(stream->run->flows, &spec);
}

static void
on_viewer(Engine *engine, Event *event)
{
    Viewer *viewer = (Viewer *)((char *)event - offsetof(Viewer, event));
    nsec_t now = engine_now(engine);
    if (!viewer->began) {
        viewer->began = true;
        viewer->request = player_begin(&viewer->player, now);
    }
    if (viewer->answered) {
        download(viewer);
        return;
    }
    viewer->asked = now;
    viewer->answered = true;
    engine_schedule(engine, event, now + settings(viewer)->viewer_latency);
}

Video *
video_new(Stream *stream)
{
    const TrafficVideo *settings_of = stream->traffic->video;
    Video *video = g_new0(Video, 1);
    video->stream = stream;
    video->times = (VideoTimes){NSEC_NEVER, NSEC_NEVER, NSEC_NEVER, NSEC_NEVER};
    video->config = (PlayerConfig){.renditions = settings_of->renditions,
                                   .n_renditions = settings_of->n_renditions,
                                   .fragment = settings_of->fragment,
                                   .film = settings_of->file_duration,
                                   .buffer = PLAYER_BUFFER};
    video->viewers = g_new0(Viewer, settings_of->viewers);
    for (int i = 0; i < settings_of->viewers; i++) {
        Viewer *viewer = &video->viewers[i];
        viewer->video = video;
        event_init(&viewer->event, on_viewer, 0);
        player_init(&viewer->player, &video->config);
    }
    return video;
}

void
video_stop(Video *video)
{
    for (int i = 0; i < video->stream->traffic->video->viewers; i++) {
        Viewer *viewer = &video->viewers[i];
        engine_cancel(engine_of(viewer), &viewer->event);
        if (viewer->fluid != NULL) {
            flows_end(viewer->fluid);
            viewer->fluid = NULL;
        }
    }
}

void
video_free(Video *video)
{
    g_free(video->viewers);
    g_free(video);
}

VideoTimes *
video_times(Video *video)
{
    return &video->times;
}

void
video_is_there(Video *video)
{
    const TrafficVideo *with = video->stream->traffic->video;
    for (int i = 0; i < with->viewers; i++) {
        Viewer *viewer = &video->viewers[i];
        nsec_t wait = with->viewer_spread * i / MAX(with->viewers, 1);
        engine_schedule(engine_of(viewer), &viewer->event, engine_now(engine_of(viewer)) + wait);
    }
}

/* ---- results ---- */

static void
add(Outcome *outcome, const Stream *stream, const char *name, const char *unit, Sample *take)
{
    MetricKey *key = stream_key(stream, name);
    if (take->n > 0) {
        outcome_add_sample(outcome, key, unit, take);
    } else {
        metric_key_free(key);
    }
    sample_clear(take);
}

static void
add_stage(Outcome *outcome, const Stream *stream, const char *stage, nsec_t from, nsec_t to)
{
    if (from != NSEC_NEVER && to != NSEC_NEVER) {
        MetricKey *key = stream_key(stream, "sfc_video_stage_seconds");
        metric_key_set_label(key, "stage", stage);
        outcome_add(outcome, key, "s", nsec_to_seconds(to - from));
    }
}

void
video_collect(Video *video, Outcome *outcome)
{
    const Stream *stream = video->stream;
    const VideoTimes *times = &video->times;
    Sample starts = {0}, stalls = {0}, stall_times = {0}, rates = {0};
    double bytes = 0;
    add_stage(outcome, stream, "upload", times->began, times->sent);
    add_stage(outcome, stream, "compress", times->sent, times->compressed);
    add_stage(outcome, stream, "return", times->compressed, times->returned);
    for (int i = 0; i < stream->traffic->video->viewers; i++) {
        Viewer *viewer = &video->viewers[i];
        Player *player = &viewer->player;
        if (!viewer->began) {
            continue;
        }
        if (!viewer->finished) {
            player_finish(player, engine_now(stream->world->engine));
        }
        if (player->start_time != NSEC_NEVER) {
            sample_add(&starts, nsec_to_seconds(player->start_time));
            sample_add(&rates, player_mean_rate(player));
        }
        sample_add(&stalls, player->n_stalls);
        sample_add(&stall_times, nsec_to_seconds(player->stall_time));
        bytes += (double)player->bytes;
    }
    add(outcome, stream, "sfc_video_start_seconds", "s", &starts);
    add(outcome, stream, "sfc_video_stalls", "", &stalls);
    add(outcome, stream, "sfc_video_stall_seconds", "s", &stall_times);
    add(outcome, stream, "sfc_video_rate_bits_per_second", "bit/s", &rates);
    outcome_add(outcome, stream_key(stream, "sfc_video_bytes_total"), "bytes", bytes);
}
