/* An HLS player (models/player.h), against sessions worked out by hand. */
#include "models/player.h"

#include "tests/suite.h"

#define MS NSEC_PER_MSEC
#define S NSEC_PER_SEC
#define MBIT INT64_C(1000000)

/* One rendition of 8 Mb/s: a fragment of 4 s is 4 MB. */
static const VideoRendition single[] = {{.rate = 8 * MBIT}};

/* Three: a fragment of 4 s is 2 MB, 1 MB, 0.5 MB. */
static const VideoRendition ladder[] = {{.rate = 4 * MBIT}, {.rate = 2 * MBIT}, {.rate = 1 * MBIT}};

static Player player;
static PlayerRequest request;

static PlayerConfig
config_of(const VideoRendition *renditions, guint n_renditions, nsec_t film)
{
    return (PlayerConfig){renditions, n_renditions, 4 * S, film, PLAYER_BUFFER};
}

static void
begin(const PlayerConfig *config, nsec_t now)
{
    player_init(&player, config);
    request = player_begin(&player, now);
}

/* The whole film by a network of that rate, beginning at `now`.  Returns the most that was ever
 * ahead of the playhead. */
static nsec_t
watch(const PlayerConfig *config, int64_t rate, nsec_t now)
{
    nsec_t most = 0;
    begin(config, now);
    for (bool more = true; more;) {
        ck_assert_int_ge(request.time, now);
        nsec_t took = request.bytes * 8 * S / rate;
        now = request.time + took;
        more = player_fragment_arrived(&player, now, request.bytes, took, &request);
        most = MAX(most, player_buffered(&player, now));
    }
    player_finish(&player, now + player_buffered(&player, now));
    return most;
}

/* The next fragment took 9 s, at that rate. */
static void
arrive_at_rate(nsec_t now, int64_t rate)
{
    ck_assert(player_fragment_arrived(&player, now, rate * 9 / 8, 9 * S, &request));
}

START_TEST(the_first_fragment_is_asked_for_at_once_in_the_worst_rendition)
{
    PlayerConfig config = config_of(ladder, 3, 40 * S);
    begin(&config, 7 * S);
    ck_assert_uint_eq(request.index, 0);
    ck_assert_uint_eq(request.rendition, 2);
    ck_assert_int_eq(request.bytes, 500000);
    ck_assert_int_eq(request.time, 7 * S);
    ck_assert(player_throughput(&player) == 0);
    ck_assert(player_mean_rate(&player) == 0);
}
END_TEST

START_TEST(playback_starts_with_the_first_fragment)
{
    PlayerConfig config = config_of(single, 1, 40 * S);
    begin(&config, 100 * S);
    ck_assert_int_eq(player.start_time, NSEC_NEVER);
    player_fragment_arrived(&player, 101 * S, 4000000, 1 * S, &request);
    ck_assert_int_eq(player.start_time, 1 * S);
    ck_assert_int_eq(player_buffered(&player, 101 * S), 4 * S);
    ck_assert_int_eq(player_buffered(&player, 104 * S), 1 * S);
    ck_assert_int_eq(player_buffered(&player, 106 * S), 0);
}
END_TEST

/* Ten times as fast: a fragment takes 0.4 s.  After the ninth 32.8 s are there, and from then on
 * one is asked for every 4 s; as it comes, 29.6 + 4 s are there. */
START_TEST(a_fast_network_never_stalls_and_does_not_fill_more_than_the_buffer)
{
    PlayerConfig config = config_of(single, 1, 120 * S);
    ck_assert_int_eq(watch(&config, 80 * MBIT, 50 * S), 33600 * MS);
    ck_assert_int_eq(player.start_time, 400 * MS);
    ck_assert_uint_eq(player.n_stalls, 0);
    ck_assert_int_eq(player.stall_time, 0);
    ck_assert_int_eq(player.bytes, 120000000);
    ck_assert_int_eq(player.empty_at, 50 * S + 120400 * MS);
    ck_assert(player.is_finished);
}
END_TEST

START_TEST(a_full_buffer_puts_the_next_request_off)
{
    PlayerConfig config = config_of(single, 1, 120 * S);
    begin(&config, 0);
    for (int i = 1; i <= 8; i++) {
        player_fragment_arrived(&player, i * 400 * MS, 4000000, 400 * MS, &request);
        ck_assert_int_eq(request.time, i * 400 * MS);
    }
    player_fragment_arrived(&player, 3600 * MS, 4000000, 400 * MS, &request);
    ck_assert_int_eq(request.time, 6400 * MS);
    player_fragment_arrived(&player, 6800 * MS, 4000000, 400 * MS, &request);
    ck_assert_int_eq(request.time, 10400 * MS);
}
END_TEST

START_TEST(a_network_as_fast_as_the_film_never_stalls)
{
    PlayerConfig config = config_of(single, 1, 40 * S);
    ck_assert_int_eq(watch(&config, 8 * MBIT, 0), 4 * S);
    ck_assert_int_eq(player.start_time, 4 * S);
    ck_assert_uint_eq(player.n_stalls, 0);
    ck_assert_int_eq(player.empty_at, 44 * S);
}
END_TEST

/* Half as fast: each of ten fragments takes 8 s, of which the nine after the first make wait 4. */
START_TEST(a_slow_network_stalls_before_each_fragment)
{
    PlayerConfig config = config_of(single, 1, 40 * S);
    watch(&config, 4 * MBIT, 0);
    ck_assert_int_eq(player.start_time, 8 * S);
    ck_assert_uint_eq(player.n_stalls, 9);
    ck_assert_int_eq(player.stall_time, 36 * S);
    ck_assert_int_eq(player.empty_at, 84 * S);
    ck_assert(player.is_finished);
}
END_TEST

/* Whatever the network: the film ends when the start, the stalls and the film itself are over. */
START_TEST(time_adds_up)
{
    PlayerConfig config = config_of(ladder, 3, 1234567 * MS);
    for (int64_t rate = 100000; rate < 100 * MBIT; rate = rate * 3 / 2) {
        watch(&config, rate, 3 * S);
        ck_assert_int_eq(player.empty_at - 3 * S,
                         player.start_time + player.stall_time + config.film);
    }
}
END_TEST

START_TEST(a_fast_network_brings_the_best_rendition_from_the_second_fragment_on)
{
    PlayerConfig config = config_of(ladder, 3, 40 * S);
    watch(&config, 80 * MBIT, 0);
    ck_assert_uint_eq(player.n_switches, 1);
    ck_assert_int_eq(player.bytes, 500000 + 9 * 2000000);
    ck_assert_double_eq_tol(player_mean_rate(&player), 3.7e6, 1e-3);
}
END_TEST

START_TEST(a_network_that_carries_no_rendition_brings_the_worst)
{
    PlayerConfig config = config_of(ladder, 3, 40 * S);
    watch(&config, 500000, 0);
    ck_assert_uint_eq(player.n_switches, 0);
    ck_assert_double_eq_tol(player_mean_rate(&player), 1e6, 1e-3);
    /* half the worst one's rate: as above */
    ck_assert_int_eq(player.stall_time, 36 * S);
}
END_TEST

/* Each download takes one half-life of the slow mean and three of the fast one. */
START_TEST(the_throughput_is_the_smaller_of_two_means)
{
    PlayerConfig config = config_of(ladder, 3, 400 * S);
    begin(&config, 0);
    arrive_at_rate(9 * S, 8 * MBIT);
    ck_assert_double_eq_tol(player_throughput(&player), 8e6, 1e-3);
    arrive_at_rate(18 * S, 3 * MBIT); /* fast: (8 * 3 + 8) / 9, slow: (2 * 3 + 8) / 3 */
    ck_assert_double_eq_tol(player_throughput(&player), 32e6 / 9, 1e-3);
    arrive_at_rate(27 * S, 8 * MBIT); /* slow: (4 * 8 + 2 * 3 + 8) / 7 */
    ck_assert_double_eq_tol(player_throughput(&player), 46e6 / 7, 1e-3);
}
END_TEST

START_TEST(a_drop_of_the_throughput_brings_a_worse_rendition)
{
    PlayerConfig config = config_of(ladder, 3, 400 * S);
    begin(&config, 0);
    arrive_at_rate(9 * S, 8 * MBIT); /* 0.7 * 8 = 5.6 */
    ck_assert_uint_eq(request.rendition, 0);
    ck_assert_int_eq(request.bytes, 2000000);
    arrive_at_rate(18 * S, 3 * MBIT); /* 0.95 * 3.56 = 3.38 */
    ck_assert_uint_eq(request.rendition, 1);
    ck_assert_int_eq(request.bytes, 1000000);
    ck_assert_uint_eq(player.n_switches, 2);
}
END_TEST

START_TEST(going_up_asks_for_more_than_staying)
{
    PlayerConfig config = config_of(ladder, 3, 400 * S);
    begin(&config, 0);
    arrive_at_rate(9 * S, 5 * MBIT); /* 0.7 * 5 = 3.5: not the best */
    ck_assert_uint_eq(request.rendition, 1);
    begin(&config, 0);
    arrive_at_rate(9 * S, 6 * MBIT); /* 4.2 */
    ck_assert_uint_eq(request.rendition, 0);
    arrive_at_rate(18 * S, 5 * MBIT); /* 0.95 * (8 * 5 + 6) / 9 = 4.86: stays */
    ck_assert_uint_eq(request.rendition, 0);
}
END_TEST

START_TEST(a_download_counts_at_least_50_ms)
{
    PlayerConfig config = config_of(ladder, 3, 40 * S);
    begin(&config, 0);
    player_fragment_arrived(&player, 1 * MS, 500000, 1 * MS, &request);
    ck_assert_double_eq_tol(player_throughput(&player), 80e6, 1e-3);
}
END_TEST

START_TEST(the_last_fragment_is_what_is_left_of_the_film)
{
    PlayerConfig config = config_of(ladder, 3, 10 * S);
    ck_assert_uint_eq(player_n_fragments(&config), 3);
    begin(&config, 0);
    ck_assert(player_fragment_arrived(&player, 1 * S, 500000, 1 * S, &request)); /* 4 Mb/s */
    ck_assert_uint_eq(request.rendition, 1);
    ck_assert(player_fragment_arrived(&player, 3 * S, 1000000, 2 * S, &request));
    ck_assert_uint_eq(request.index, 2);
    ck_assert_int_eq(request.bytes, 500000);
    ck_assert(!player_fragment_arrived(&player, 4 * S, 500000, 1 * S, &request));
    ck_assert_int_eq(player.empty_at, 11 * S);
    ck_assert_double_eq_tol(player_mean_rate(&player), (4 * 1e6 + 6 * 2e6) / 10, 1e-3);
}
END_TEST

START_TEST(a_film_of_whole_fragments_has_no_empty_one_at_its_end)
{
    PlayerConfig config = config_of(single, 1, 8 * S);
    ck_assert_uint_eq(player_n_fragments(&config), 2);
    config.film = 1;
    ck_assert_uint_eq(player_n_fragments(&config), 1);
    begin(&config, 0);
    ck_assert_int_eq(request.bytes, 1);
}
END_TEST

START_TEST(a_fragment_that_never_comes_is_a_stall_until_the_end)
{
    PlayerConfig config = config_of(single, 1, 40 * S);
    begin(&config, 0);
    player_fragment_arrived(&player, 1 * S, 4000000, 1 * S, &request);
    player_finish(&player, 20 * S);
    ck_assert_uint_eq(player.n_stalls, 1);
    ck_assert_int_eq(player.stall_time, 15 * S);
    ck_assert(!player.is_finished);
}
END_TEST

START_TEST(a_late_fragment_ends_the_stall)
{
    PlayerConfig config = config_of(single, 1, 40 * S);
    begin(&config, 0);
    player_fragment_arrived(&player, 1 * S, 4000000, 1 * S, &request);
    player_fragment_arrived(&player, 65 * S, 4000000, 64 * S, &request);
    ck_assert_int_eq(player.stall_time, 60 * S);
    player_finish(&player, 69 * S);
    ck_assert_uint_eq(player.n_stalls, 1);
    ck_assert_int_eq(player.stall_time, 60 * S);
}
END_TEST

START_TEST(who_never_sees_a_frame_has_not_started)
{
    PlayerConfig config = config_of(single, 1, 40 * S);
    begin(&config, 0);
    player_finish(&player, 60 * S);
    ck_assert_int_eq(player.start_time, NSEC_NEVER);
    ck_assert_uint_eq(player.n_stalls, 0);
    ck_assert(!player.is_finished);
}
END_TEST

START_TEST(who_leaves_before_the_end_has_not_finished)
{
    PlayerConfig config = config_of(single, 1, 4 * S);
    begin(&config, 0);
    ck_assert(!player_fragment_arrived(&player, 1 * S, 4000000, 1 * S, &request));
    player_finish(&player, 5 * S - 1);
    ck_assert(!player.is_finished);
    player_finish(&player, 5 * S);
    ck_assert(player.is_finished);
    ck_assert_int_eq(player.stall_time, 0);
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {
        the_first_fragment_is_asked_for_at_once_in_the_worst_rendition,
        playback_starts_with_the_first_fragment,
        a_fast_network_never_stalls_and_does_not_fill_more_than_the_buffer,
        a_full_buffer_puts_the_next_request_off,
        a_network_as_fast_as_the_film_never_stalls,
        a_slow_network_stalls_before_each_fragment,
        time_adds_up,
        a_fast_network_brings_the_best_rendition_from_the_second_fragment_on,
        a_network_that_carries_no_rendition_brings_the_worst,
        the_throughput_is_the_smaller_of_two_means,
        a_drop_of_the_throughput_brings_a_worse_rendition,
        going_up_asks_for_more_than_staying,
        a_download_counts_at_least_50_ms,
        the_last_fragment_is_what_is_left_of_the_film,
        a_film_of_whole_fragments_has_no_empty_one_at_its_end,
        a_fragment_that_never_comes_is_a_stall_until_the_end,
        a_late_fragment_ends_the_stall,
        who_never_sees_a_frame_has_not_started,
        who_leaves_before_the_end_has_not_finished,
    };
    return suite_run("player", tests, G_N_ELEMENTS(tests), NULL, NULL);
}
