/* A viewer's HLS player.  The playhead needs no state of its own: what has arrived plays until
 * `empty_at`, and each fragment puts that off, from now on if it has passed. */
#include "models/player.h"

#include <math.h>

/* hls.js, src/config.ts: abrEwmaFastVoD, abrEwmaSlowVoD, abrBandWidthFactor, abrBandWidthUpFactor;
 * src/utils/ewma-bandwidth-estimator.ts: minDelayMs_. */
#define HALF_LIFE_FAST 3.0
#define HALF_LIFE_SLOW 9.0
#define SHARE_KEEP 0.95
#define SHARE_UP 0.7
#define MIN_DOWNLOAD (50 * NSEC_PER_MSEC)

static void
mean_add(PlayerMean *mean, double value, double weight)
{
    double kept = exp2(-weight / mean->half_life);
    mean->sum = kept * mean->sum + (1 - kept) * value;
    mean->weight += weight;
}

/* The sum lacks the weight of what was before the first value; the quotient makes up for it. */
static double
mean_value(const PlayerMean *mean)
{
    return mean->weight > 0 ? mean->sum / (1 - exp2(-mean->weight / mean->half_life)) : 0;
}

void
player_init(Player *player, const PlayerConfig *config)
{
    g_assert(config->n_renditions > 0 && config->fragment > 0 && config->film > 0);
    *player = (Player){
        .config = config,
        .empty_at = NSEC_NEVER,
        .start_time = NSEC_NEVER,
        .fast = {.half_life = HALF_LIFE_FAST},
        .slow = {.half_life = HALF_LIFE_SLOW},
        .rendition = config->n_renditions - 1,
    };
}

guint
player_n_fragments(const PlayerConfig *config)
{
    return (guint)((config->film - 1) / config->fragment + 1);
}

/* How long the fragment plays. */
static nsec_t
fragment_length(const PlayerConfig *config, guint index)
{
    return MIN(config->fragment, config->film - index * config->fragment);
}

static int64_t
fragment_bytes(const PlayerConfig *config, guint index, guint rendition)
{
    __int128 bits = (__int128)config->renditions[rendition].rate * fragment_length(config, index);
    __int128 per_byte = 8 * NSEC_PER_SEC;
    return (int64_t)((bits + per_byte - 1) / per_byte);
}

/* The request for the current fragment, when there is room for it. */
static PlayerRequest
request_at(const Player *player, nsec_t now)
{
    const PlayerConfig *config = player->config;
    nsec_t surplus = player_buffered(player, now) - config->buffer;
    return (PlayerRequest){
        .index = player->index,
        .rendition = player->rendition,
        .bytes = fragment_bytes(config, player->index, player->rendition),
        .time = now + MAX(0, surplus),
    };
}

static guint
best_rendition(const Player *player)
{
    double throughput = player_throughput(player);
    guint worst = player->config->n_renditions - 1;
    for (guint i = 0; i < worst; i++) {
        double share = i < player->rendition ? SHARE_UP : SHARE_KEEP;
        if ((double)player->config->renditions[i].rate < share * throughput) {
            return i;
        }
    }
    return worst;
}

/* Ends a stall, if there is one. */
static void
end_stall(Player *player, nsec_t now)
{
    if (now > player->empty_at) {
        player->n_stalls++;
        player->stall_time += now - player->empty_at;
        player->empty_at = now;
    }
}

static void
append_to_buffer(Player *player, nsec_t now)
{
    if (player->empty_at == NSEC_NEVER) {
        player->start_time = now - player->begun;
        player->empty_at = now;
    }
    end_stall(player, now);
    player->empty_at += fragment_length(player->config, player->index);
}

PlayerRequest
player_begin(Player *player, nsec_t now)
{
    player->begun = now;
    return request_at(player, now);
}

static void
count_fragment(Player *player, int64_t bytes, nsec_t took)
{
    const PlayerConfig *config = player->config;
    double seconds = nsec_to_seconds(MAX(took, MIN_DOWNLOAD));
    double throughput = (double)bytes * 8 / seconds;
    mean_add(&player->fast, throughput, seconds);
    mean_add(&player->slow, throughput, seconds);
    player->bytes += bytes;
    player->rate_time += (double)config->renditions[player->rendition].rate *
                         nsec_to_seconds(fragment_length(config, player->index));
}

bool
player_fragment_arrived(Player *player, nsec_t now, int64_t bytes, nsec_t took,
                        PlayerRequest *request)
{
    guint n_fragments = player_n_fragments(player->config);
    g_assert(player->index < n_fragments);
    append_to_buffer(player, now);
    count_fragment(player, bytes, took);
    player->index++;
    if (player->index == n_fragments) {
        return false;
    }
    guint rendition = best_rendition(player);
    player->n_switches += rendition != player->rendition;
    player->rendition = rendition;
    *request = request_at(player, now);
    return true;
}

void
player_finish(Player *player, nsec_t now)
{
    if (player->index < player_n_fragments(player->config)) {
        end_stall(player, now);
    } else {
        player->is_finished = now >= player->empty_at;
    }
}

nsec_t
player_buffered(const Player *player, nsec_t now)
{
    return player->empty_at == NSEC_NEVER ? 0 : MAX(0, player->empty_at - now);
}

double
player_throughput(const Player *player)
{
    return MIN(mean_value(&player->fast), mean_value(&player->slow));
}

double
player_mean_rate(const Player *player)
{
    if (player->index == 0) {
        return 0;
    }
    nsec_t arrived = MIN(player->index * player->config->fragment, player->config->film);
    return player->rate_time / nsec_to_seconds(arrived);
}
