/* A viewer's HLS player, as a machine without a clock: it says which fragment to ask for and when,
 * is told when each arrived, and keeps account of what the viewer saw.
 *
 * Film.  Video on demand: all fragments are there from the beginning, each plays `fragment`, the
 * last one what is left.  A client plays from the beginning (RFC 8216, 6.3.3: only of a live
 * playlist it should stay three target durations from the end).  Playback starts with the first
 * fragment; what runs out of fragments *stalls* until the next one is there, and then goes on at
 * once.
 *
 * Requests.  One at a time.  The next is made when the last one has arrived and no more than
 * `buffer` is ahead of the playhead, at the earliest; so never more than `buffer` and one fragment
 * is.
 *
 * Renditions, best first.  The rule is that of hls.js (video-dev/hls.js,
 * src/utils/ewma-bandwidth-estimator.ts, src/controller/abr-controller.ts, values of
 * src/config.ts): the throughput is estimated by the smaller of two exponentially weighted means
 * of the fragments' own, weighted by how long they took, with half-lives of 3 and 9 s; a download
 * counts at least 50 ms.  The next fragment comes in the best rendition whose rate is below 0.95
 * of the estimate, or below 0.7 of it if that means a better one than now; the worst if none is.
 * The first fragment comes in the worst rendition (docs/API.md, testBandwidth with startLevel -1).
 *
 * What hls.js does beyond: it throws that first measurement away and loads the fragment again; it
 * takes a worse rendition if a fragment would come later than the buffer lasts; it aborts a
 * download that takes too long and repeats one that fails.  Here a fragment that fails never
 * arrives. */
#pragma once

#include "models/traffic.h"

typedef struct PlayerConfig {
    const VideoRendition *renditions; /* best first; borrowed */
    guint n_renditions;               /* at least 1 */
    nsec_t fragment;                  /* how long one plays; positive */
    nsec_t film;                      /* how long all of it plays; positive */
    nsec_t buffer;                    /* how much is kept ahead: PLAYER_BUFFER */
} PlayerConfig;

#define PLAYER_BUFFER (30 * NSEC_PER_SEC) /* hls.js, src/config.ts, maxBufferLength */

typedef struct PlayerRequest {
    guint index;     /* of the fragment in the film */
    guint rendition; /* in the configuration */
    int64_t bytes;   /* at the rendition's rate */
    nsec_t time;     /* when it is to be made; never before it was returned */
} PlayerRequest;

/* An exponentially weighted mean that begins without history (hls.js, src/utils/ewma.ts). */
typedef struct PlayerMean {
    double half_life; /* s of downloading */
    double sum;       /* what has come so far, faded */
    double weight;    /* s, not faded */
} PlayerMean;

typedef struct Player {
    const PlayerConfig *config;
    /* state */
    nsec_t begun;
    guint index;     /* of the fragment asked for; the number of all when all are there */
    guint rendition; /* of that fragment */
    nsec_t empty_at; /* what is there plays until then; NSEC_NEVER: nothing came yet */
    PlayerMean fast; /* bit/s */
    PlayerMean slow; /* bit/s */
    /* account */
    nsec_t start_time; /* from the beginning to the first frame; NSEC_NEVER: none was shown */
    nsec_t stall_time; /* all stalls */
    guint n_stalls;
    guint n_switches; /* of the rendition that was asked for */
    int64_t bytes;    /* that arrived */
    double rate_time; /* bits of the renditions that arrived: rate times how long they play */
    bool is_finished; /* the film was shown to its end */
} Player;

/* The configuration lives as long as the player. */
void player_init(Player *player, const PlayerConfig *config);

guint player_n_fragments(const PlayerConfig *config);

/* The viewer presses the button; returns the first request, to be made now. */
PlayerRequest player_begin(Player *player, nsec_t now);

/* The requested fragment is there, `bytes` of it after a download of `took`.  True with the next
 * request; false when it was the last. */
bool player_fragment_arrived(Player *player, nsec_t now, int64_t bytes, nsec_t took,
                             PlayerRequest *request);

/* The viewer leaves, or the world ends: counts a stall that lasts, once; nothing may come after it.
 * Film that was still to be shown at `now` leaves it unfinished.  A player that has all fragments
 * ends at `empty_at` by itself: call it then. */
void player_finish(Player *player, nsec_t now);

/* How much is ahead of the playhead. */
nsec_t player_buffered(const Player *player, nsec_t now);

/* Estimated throughput, bit/s; 0 before the first fragment. */
double player_throughput(const Player *player);

/* Mean rate of the renditions that arrived, bit/s of film; 0 before the first fragment. */
double player_mean_rate(const Player *player);
