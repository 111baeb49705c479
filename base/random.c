/* Streams over Philox4x32-10, whose rounds come from the Random123 headers (librandom123-dev). */
#include "base/random.h"

#include <glib.h>
#include <Random123/philox.h>

/* FNV-1a, 64 bits (http://www.isthe.com/chongo/tech/comp/fnv/). */
#define FNV_OFFSET UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME UINT64_C(0x100000001b3)

/* Hashes the terminating NUL too: ("ab", "c") and ("a", "bc") differ. */
static uint64_t
hash_string(uint64_t hash, const char *text)
{
    const char *c = text;
    do {
        hash = (hash ^ (unsigned char)*c) * FNV_PRIME;
    } while (*c++ != '\0');
    return hash;
}

/* The finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014; constants of Stafford's mix 13).
 * A bijection, so that different inputs stay different. */
static uint64_t
mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

void
random_stream_init(RandomStream *stream, uint64_t seed, uint32_t replication, const char *entity,
                   const char *purpose)
{
    uint64_t names = hash_string(hash_string(FNV_OFFSET, entity), purpose);
    *stream = (RandomStream){
        .key = seed,
        .name = mix(mix(names) + replication),
    };
}

uint64_t
random_stream_refill(RandomStream *stream)
{
    philox4x32_key_t key = {{(uint32_t)stream->key, (uint32_t)(stream->key >> 32)}};
    philox4x32_ctr_t counter = {{(uint32_t)stream->block, (uint32_t)(stream->block >> 32),
                                 (uint32_t)stream->name, (uint32_t)(stream->name >> 32)}};
    philox4x32_ctr_t bits = philox4x32(counter, key);
    stream->block++;
    stream->spare = (uint64_t)bits.v[3] << 32 | bits.v[2];
    stream->has_spare = true;
    return (uint64_t)bits.v[1] << 32 | bits.v[0];
}

uint64_t
random_below(RandomStream *stream, uint64_t n)
{
    g_assert(n > 0);
    uint64_t n_biased = -n % n; /* 2^64 mod n: that many draws are left out */
    uint64_t draw;
    do {
        draw = random_next_u64(stream);
    } while (draw < n_biased);
    return draw % n;
}
