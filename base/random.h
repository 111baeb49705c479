/* Named random streams: every draw of a run is a function of (seed, replication, entity, purpose)
 * and of its place in that stream, and of nothing else.
 *
 * The generator is Philox4x32-10 (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy
 * as 1, 2, 3", SC11), counter-based: the seed is the key, a 64-bit hash of the other three parts is
 * the upper half of the counter, the place in the stream is the lower half.  Two streams share
 * draws only when their hashes collide: for a million streams the chance is below 1e-7.  Within one
 * pair of names, replications cannot collide at all.
 *
 * So two scenarios that share an entity share its draws (common random numbers), and adding a Pod
 * disturbs no other.  Entities and purposes are stable names ("pod/nse-1", "start delay"), never
 * addresses or positions in a list.  The bytes are the same on every platform.
 *
 * A stream is a small value, embedded in what draws from it; it owns nothing.  Copying it copies
 * its place: both copies then give the same draws. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef struct RandomStream {
    uint64_t key;   /* Philox key */
    uint64_t name;  /* upper half of the counter: which stream */
    uint64_t block; /* lower half of the counter: the next block of two draws */
    uint64_t spare; /* second draw of the last block */
    bool has_spare;
} RandomStream;

void random_stream_init(RandomStream *stream, uint64_t seed, uint32_t replication,
                        const char *entity, const char *purpose);

/* Makes the stream's next block: returns the first draw, keeps the second.  For the inline
 * functions below, not for callers. */
uint64_t random_stream_refill(RandomStream *stream);

static inline uint64_t
random_next_u64(RandomStream *stream)
{
    if (stream->has_spare) {
        stream->has_spare = false;
        return stream->spare;
    }
    return random_stream_refill(stream);
}

/* Uniform in the open interval (0,1): the 2^52 midpoints of equal cells, so that neither 0 nor 1
 * ever reaches a logarithm or a quantile function.  One draw. */
static inline double
random_uniform(RandomStream *stream)
{
    return ((double)(random_next_u64(stream) >> 12) + 0.5) * 0x1p-52;
}

/* Uniform in 0 .. n-1, without bias; n > 0.  One draw, except that draws that would bias the
 * result (fewer than n in 2^64) are thrown away. */
uint64_t random_below(RandomStream *stream, uint64_t n);
