/* The pending events lie in a wheel of buckets with a sorted bottom.  A heap would be simpler; it
 * takes twice the time with 10,000 pending events and five times with a million.
 *
 * An *entry* (time, rank, slot) stands for a pending event.  Entries move, events do not: only
 * the slot table points to events.  So cancelling clears one slot and leaves a dead entry, which
 * is dropped when it comes up or when the dead outnumber the living.
 *
 * The *wheel* is a radix heap (Ahuja, Mehlhorn, Orlin, Tarjan, JACM 37, 1990) on the digits of
 * the time.  Relative to `base`, which no entry is before, an entry lies at the level of the
 * highest digit in which its time differs from base, in the bucket of that digit; below these
 * levels, entries of the time of base have a bucket for each rank.  So all of a lower level comes
 * before all of a higher one, and the buckets of a level are in order.  The *bottom* is a short
 * sorted array of all entries before `bottom_end`.  When it is used up, the first bucket takes its
 * place if it is small; otherwise its entries are spread over the levels below, which are empty
 * then and get digits as wide as suits their number.  An entry moves about twice between scheduling
 * and running, mostly within the cache, however many are pending.
 *
 * Buckets keep the order of scheduling and sorting is stable, so entries need no sequence
 * number: nothing is put below a bucket before it is spread, hence an entry never gets ahead of
 * an earlier one of the same time and rank.
 *
 * The constants are the best of those measured with tests/bench/hold; none is critical. */
#include "sim/engine.h"

#include <string.h>

#define DIGIT_BITS 6
#define N_DIGITS (1 << DIGIT_BITS)
#define TIME_BITS 63
#define MIN_WIDTH 3      /* bits of the narrowest digit that a bucket is spread by */
#define N_RANK_LEVELS 4  /* the lowest levels: N_DIGITS ranks each */
#define N_LEVELS 26      /* and TIME_BITS / MIN_WIDTH for the time, and a virtual one above all */
#define BUCKET_AIM 10    /* entries per bucket that spreading aims at */
#define BUCKET_MAX 40    /* entries of the largest bucket that is sorted, not spread */
#define COUNTING_MAX 24  /* entries up to which sorting by counting is faster than by insertion */
#define BOTTOM_MAX 96    /* entries above which the bottom gives some back to the wheel */
#define BOTTOM_KEEP 24   /* entries that it keeps then */
#define BOTTOM_SIZE 256  /* entries that its array holds, used ones included */
#define CHUNK_ENTRIES 31 /* with the header 512 bytes */
#define SLAB_CHUNKS 32   /* chunks allocated at a time */
#define DEAD_MIN 64      /* dead entries that are not worth a purge */
#define CACHE_LINE 64
#define NO_SLOT UINT32_MAX

/* So that the levels suffice however entries are spread. */
G_STATIC_ASSERT(BUCKET_MAX / BUCKET_AIM >= 1 << (MIN_WIDTH - 1));
G_STATIC_ASSERT((N_LEVELS - 1 - N_RANK_LEVELS) * MIN_WIDTH >= TIME_BITS);
G_STATIC_ASSERT(N_RANK_LEVELS *N_DIGITS > UINT8_MAX);
/* See bottom_cut. */
G_STATIC_ASSERT(BOTTOM_KEEP <= CHUNK_ENTRIES);

/* Two words, so that entries are copied in registers.  Without a slot it is a limit: what is
 * before it, and what not. */
typedef struct Entry {
    nsec_t time;
    uint64_t tag; /* rank << 32 | slot */
} Entry;

/* Some entries of one bucket, in order of scheduling. */
typedef struct Chunk {
    struct Chunk *next; /* in a bucket circular, otherwise NULL at the end */
    size_t n;
    Entry entries[CHUNK_ENTRIES];
} Chunk;

typedef struct Slab {
    Chunk chunks[SLAB_CHUNKS];
    struct Slab *next;
} Slab;

typedef struct Bucket {
    Chunk *last; /* NULL when empty; its next is the first */
    size_t n;    /* entries in all chunks */
} Bucket;

/* The way from an entry to its event. */
typedef union Slot {
    Event *event;       /* in use: NULL when the event was cancelled */
    uint32_t next_free; /* free: NO_SLOT at the end of the list */
} Slot;

struct Engine {
    nsec_t now;
    bool is_running;
    bool is_stopped;

    Entry bottom[BOTTOM_SIZE]; /* sorted from head to tail */
    size_t bottom_head;        /* the next entry */
    size_t bottom_tail;        /* behind the last entry */
    Entry bottom_end;          /* no entry of the wheel is before this, none of the bottom behind;
                                  of those equal to it, the bottom holds the first-scheduled */

    nsec_t base;                 /* not after any entry of the wheel, and not after the clock */
    uint32_t levels;             /* a bit per level that is not empty */
    uint8_t shift_of[N_LEVELS];  /* lowest bit of the level's digit of the time */
    uint8_t level_of[TIME_BITS]; /* to which level's digit a bit of the time belongs */
    uint64_t occupied[N_LEVELS]; /* a bit per bucket that is not empty */
    Bucket buckets[N_LEVELS][N_DIGITS];
    Chunk *free_chunks;
    Slab *slabs;

    Slot *slots;
    uint32_t n_slots;
    uint32_t free_slot; /* first of the list of free slots */
    size_t n_dead;      /* entries of cancelled events */

    uint64_t n_run;
    size_t n_pending;
    size_t peak_pending;
    size_t bytes;
};

static inline uint32_t
entry_slot(Entry entry)
{
    return (uint32_t)entry.tag;
}

static inline unsigned
entry_rank(Entry entry)
{
    return (unsigned)(entry.tag >> 32);
}

static inline Entry
limit_at(nsec_t time, unsigned rank)
{
    return (Entry){.time = time, .tag = (uint64_t)rank << 32};
}

static inline bool
is_before(Entry a, Entry b)
{
    return a.time < b.time || (a.time == b.time && entry_rank(a) < entry_rank(b));
}

static __attribute__((noinline)) void
grow_slots(Engine *engine)
{
    uint32_t n = engine->n_slots == 0 ? 2 * DEAD_MIN : 2 * engine->n_slots;
    g_assert(n > engine->n_slots);
    engine->slots = g_renew(Slot, engine->slots, n);
    engine->bytes += (n - engine->n_slots) * sizeof(Slot);
    for (uint32_t i = engine->n_slots; i < n; i++) {
        engine->slots[i].next_free = i + 1 < n ? i + 1 : NO_SLOT;
    }
    engine->free_slot = engine->n_slots;
    engine->n_slots = n;
}

static inline uint32_t
take_slot(Engine *engine, Event *event)
{
    if (G_UNLIKELY(engine->free_slot == NO_SLOT)) {
        grow_slots(engine);
    }
    uint32_t slot = engine->free_slot;
    engine->free_slot = engine->slots[slot].next_free;
    engine->slots[slot].event = event;
    return slot;
}

static inline void
free_slot(Engine *engine, uint32_t slot)
{
    engine->slots[slot].next_free = engine->free_slot;
    engine->free_slot = slot;
}

/* Frees the slot of a dead entry; false when the entry is alive. */
static bool
drop_if_dead(Engine *engine, Entry entry)
{
    if (engine->slots[entry_slot(entry)].event != NULL) {
        return false;
    }
    free_slot(engine, entry_slot(entry));
    engine->n_dead--;
    return true;
}

static __attribute__((noinline)) void
grow_chunks(Engine *engine)
{
    Slab *slab = g_aligned_alloc(1, sizeof *slab, CACHE_LINE);
    slab->next = engine->slabs;
    engine->slabs = slab;
    engine->bytes += sizeof *slab;
    for (size_t i = SLAB_CHUNKS; i-- > 0;) {
        slab->chunks[i].next = engine->free_chunks;
        engine->free_chunks = &slab->chunks[i];
    }
}

static inline Chunk *
take_chunk(Engine *engine)
{
    if (G_UNLIKELY(engine->free_chunks == NULL)) {
        grow_chunks(engine);
    }
    Chunk *chunk = engine->free_chunks;
    engine->free_chunks = chunk->next;
    chunk->n = 0;
    return chunk;
}

/* Frees a chunk that has been read. */
static inline void
free_chunk(Engine *engine, Chunk *chunk)
{
    chunk->next = engine->free_chunks;
    engine->free_chunks = chunk;
}

static inline void
prefetch_chunk(const Chunk *chunk)
{
    for (size_t i = 0; i < sizeof *chunk; i += CACHE_LINE) {
        __builtin_prefetch((const char *)chunk + i);
    }
}

/* Gives the next level below a digit of so many bits, those below it full digits. */
static void
wheel_divide(Engine *engine, unsigned level, unsigned width)
{
    unsigned shift = engine->shift_of[level];
    if (engine->shift_of[level - 1] == shift - MIN(width, shift)) {
        return;
    }
    while (shift > 0) {
        unsigned n_bits = MIN(width, shift);
        shift -= n_bits;
        level--;
        engine->shift_of[level] = (uint8_t)shift;
        memset(engine->level_of + shift, (int)level, n_bits);
        width = DIGIT_BITS;
    }
}

/* Where an entry belongs. */
static inline void
wheel_find(const Engine *engine, Entry entry, unsigned *level, unsigned *digit)
{
    uint64_t differing = (uint64_t)entry.time ^ (uint64_t)engine->base;
    if (G_LIKELY(differing != 0)) {
        *level = engine->level_of[63 - __builtin_clzll(differing)];
        *digit = (unsigned)((uint64_t)entry.time >> engine->shift_of[*level]) % N_DIGITS;
    } else {
        *level = entry_rank(entry) / N_DIGITS;
        *digit = entry_rank(entry) % N_DIGITS;
    }
}

/* Adds an empty chunk behind the others of a bucket. */
static inline Chunk *
wheel_append(Engine *engine, unsigned level, unsigned digit)
{
    Bucket *bucket = &engine->buckets[level][digit];
    Chunk *chunk = take_chunk(engine);
    if (bucket->last == NULL) {
        chunk->next = chunk;
    } else {
        chunk->next = bucket->last->next;
        bucket->last->next = chunk;
    }
    bucket->last = chunk;
    engine->occupied[level] |= UINT64_C(1) << digit;
    engine->levels |= UINT32_C(1) << level;
    return chunk;
}

static inline void
wheel_put(Engine *engine, Entry entry)
{
    unsigned level, digit;
    wheel_find(engine, entry, &level, &digit);
    Bucket *bucket = &engine->buckets[level][digit];
    Chunk *chunk = bucket->last;
    if (G_UNLIKELY(chunk == NULL || chunk->n == CHUNK_ENTRIES)) {
        chunk = wheel_append(engine, level, digit);
    }
    chunk->entries[chunk->n++] = entry;
    bucket->n++;
}

/* Puts at most CHUNK_ENTRIES equal entries before all others of their bucket. */
static void
wheel_put_first(Engine *engine, const Entry *entries, size_t n)
{
    unsigned level, digit;
    wheel_find(engine, entries[0], &level, &digit);
    Bucket *bucket = &engine->buckets[level][digit];
    Chunk *last = bucket->last;
    Chunk *chunk = wheel_append(engine, level, digit);
    memcpy(chunk->entries, entries, n * sizeof *entries);
    chunk->n = n;
    bucket->n += n;
    if (last != NULL) {
        bucket->last = last; /* in a circle, behind the last is before the first */
    }
}

/* Empties a bucket; returns its first chunk, the list ends with NULL. */
static inline Chunk *
wheel_take(Engine *engine, unsigned level, unsigned digit)
{
    Bucket *bucket = &engine->buckets[level][digit];
    Chunk *first = bucket->last->next;
    bucket->last->next = NULL;
    *bucket = (Bucket){0};
    engine->occupied[level] &= ~(UINT64_C(1) << digit);
    if (engine->occupied[level] == 0) {
        engine->levels &= ~(UINT32_C(1) << level);
    }
    return first;
}

/* Takes only the first chunk of a bucket. */
static Chunk *
wheel_take_chunk(Engine *engine, unsigned level, unsigned digit)
{
    Bucket *bucket = &engine->buckets[level][digit];
    Chunk *first = bucket->last->next;
    if (first == bucket->last) {
        return wheel_take(engine, level, digit);
    }
    bucket->last->next = first->next;
    bucket->n -= first->n;
    first->next = NULL;
    return first;
}

/* The first bucket that is not empty; the wheel must not be. */
static inline void
wheel_first(const Engine *engine, unsigned *level, unsigned *digit)
{
    *level = (unsigned)__builtin_ctz(engine->levels);
    *digit = (unsigned)__builtin_ctzll(engine->occupied[*level]);
}

/* The least that belongs to a bucket. */
static inline Entry
bucket_start(const Engine *engine, unsigned level, unsigned digit)
{
    if (level < N_RANK_LEVELS) {
        return limit_at(engine->base, level * N_DIGITS + digit);
    }
    // cppcheck-suppress arrayIndexOutOfBoundsCond; level is that of an occupied bucket
    unsigned shift = engine->shift_of[level];
    uint64_t above = (uint64_t)engine->base >> shift >> DIGIT_BITS << DIGIT_BITS;
    return limit_at((nsec_t)((above | digit) << shift), 0);
}

/* Spreads the entries of a bucket over the levels below it. */
static void
wheel_spread(Engine *engine, unsigned level, Chunk *chunk, size_t n)
{
    unsigned width = DIGIT_BITS;
    if (n < N_DIGITS * BUCKET_AIM) {
        width = 64 - (unsigned)__builtin_clzll((n - 1) / BUCKET_AIM);
    }
    wheel_divide(engine, level, width);
    while (chunk != NULL) {
        Chunk *next = chunk->next;
        if (next != NULL) {
            prefetch_chunk(next);
        }
        for (size_t i = 0; i < chunk->n; i++) {
            wheel_put(engine, chunk->entries[i]);
        }
        free_chunk(engine, chunk);
        chunk = next;
    }
}

/* Sorts few entries by time only, by comparison counting (Knuth, TAOCP 3, 5.2, algorithm C): more
 * comparisons than by insertion, but none that the processor mispredicts. */
static inline void
sort_by_counting(Entry *entries, size_t n)
{
    Entry copy[COUNTING_MAX];
    memcpy(copy, entries, n * sizeof *entries);
    for (size_t i = 0; i < n; i++) {
        nsec_t time = copy[i].time;
        size_t n_before = 0;
        for (size_t j = 0; j < i; j++) {
            n_before += copy[j].time <= time;
        }
        for (size_t j = i + 1; j < n; j++) {
            n_before += copy[j].time < time;
        }
        entries[n_before] = copy[i];
    }
}

static inline void
sort_by_insertion(Entry *entries, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        if (!is_before(entries[i], entries[i - 1])) {
            continue;
        }
        Entry entry = entries[i];
        size_t j = i;
        for (; j > 0 && is_before(entry, entries[j - 1]); j--) {
            entries[j] = entries[j - 1];
        }
        entries[j] = entry;
    }
}

/* Sorts by time and rank; equal ones keep their order. */
static inline void
sort_entries(Entry *entries, size_t n)
{
    if (n > 1 && n <= COUNTING_MAX) {
        sort_by_counting(entries, n);
    }
    sort_by_insertion(entries, n);
}

/* Gives all but the first entries back to the wheel.  What equals the end comes before what the
 * wheel holds of that time and rank; there is at most what bottom_load or the last cut has left. */
static __attribute__((noinline)) void
bottom_cut(Engine *engine)
{
    Entry *cut = engine->bottom + engine->bottom_head + BOTTOM_KEEP;
    Entry *tail = engine->bottom + engine->bottom_tail;
    Entry *entry = cut;
    for (; entry < tail && is_before(*entry, engine->bottom_end); entry++) {
        wheel_put(engine, *entry);
    }
    if (entry < tail) {
        wheel_put_first(engine, entry, (size_t)(tail - entry));
    }
    engine->bottom_end = limit_at(cut->time, entry_rank(*cut));
    engine->bottom_tail = engine->bottom_head + BOTTOM_KEEP;
}

static inline void
bottom_insert(Engine *engine, Entry entry)
{
    Entry *bottom = engine->bottom;
    if (G_UNLIKELY(engine->bottom_tail == BOTTOM_SIZE)) {
        engine->bottom_tail -= engine->bottom_head;
        memmove(bottom, bottom + engine->bottom_head, engine->bottom_tail * sizeof *bottom);
        engine->bottom_head = 0;
    }
    size_t i = engine->bottom_tail++;
    for (; i > engine->bottom_head && is_before(entry, bottom[i - 1]); i--) {
        bottom[i] = bottom[i - 1];
    }
    bottom[i] = entry;
    if (G_UNLIKELY(engine->bottom_tail - engine->bottom_head > BOTTOM_MAX)) {
        bottom_cut(engine);
    }
}

/* Fills the empty bottom with a few entries.  Their slots and events are fetched ahead: when many
 * are pending, the wait for the caller's memory is the largest part of the time. */
static inline void
bottom_load(Engine *engine, Chunk *chunk)
{
    size_t n = 0;
    while (chunk != NULL) {
        Chunk *next = chunk->next;
        for (size_t i = 0; i < chunk->n; i++) {
            __builtin_prefetch(&engine->slots[entry_slot(chunk->entries[i])]);
            engine->bottom[n++] = chunk->entries[i];
        }
        free_chunk(engine, chunk);
        chunk = next;
    }
    sort_entries(engine->bottom, n);
    engine->bottom_head = 0;
    engine->bottom_tail = n;
    for (size_t i = 0; i < n; i++) {
        __builtin_prefetch(engine->slots[entry_slot(engine->bottom[i])].event);
    }
}

/* Fills the empty bottom from the wheel; false when no bucket starts up to `until`.  So base stays
 * behind the clock: what a bucket holds is run, or `until` is reached. */
static __attribute__((noinline)) bool
bottom_refill(Engine *engine, nsec_t until)
{
    while (engine->levels != 0) {
        unsigned level, digit;
        wheel_first(engine, &level, &digit);
        Entry start = bucket_start(engine, level, digit);
        if (start.time > until) {
            return false;
        }
        engine->base = start.time;
        engine->bottom_end = start;
        size_t n = engine->buckets[level][digit].n;
        if (level < N_RANK_LEVELS) { /* all equal, however many */
            bottom_load(engine, wheel_take_chunk(engine, level, digit));
            return true;
        }
        Chunk *chunk = wheel_take(engine, level, digit);
        if (n <= BUCKET_MAX) {
            engine->bottom_end.time += (nsec_t)1 << engine->shift_of[level];
            bottom_load(engine, chunk);
            return true;
        }
        wheel_spread(engine, level, chunk, n);
    }
    return false;
}

/* Drops a bucket's dead entries; the others go where they were. */
static void
purge_bucket(Engine *engine, unsigned level, unsigned digit)
{
    Chunk *chunk = wheel_take(engine, level, digit);
    while (chunk != NULL) {
        Chunk *next = chunk->next;
        for (size_t i = 0; i < chunk->n; i++) {
            if (!drop_if_dead(engine, chunk->entries[i])) {
                wheel_put(engine, chunk->entries[i]);
            }
        }
        free_chunk(engine, chunk);
        chunk = next;
    }
}

static __attribute__((noinline)) void
purge(Engine *engine)
{
    size_t tail = engine->bottom_head;
    for (size_t i = engine->bottom_head; i < engine->bottom_tail; i++) {
        if (!drop_if_dead(engine, engine->bottom[i])) {
            engine->bottom[tail++] = engine->bottom[i];
        }
    }
    engine->bottom_tail = tail;
    for (unsigned level = 0; level < N_LEVELS; level++) {
        for (uint64_t left = engine->occupied[level]; left != 0; left &= left - 1) {
            purge_bucket(engine, level, (unsigned)__builtin_ctzll(left));
        }
    }
    g_assert(engine->n_dead == 0);
}

Engine *
engine_new(void)
{
    Engine *engine = g_new0(Engine, 1);
    engine->bytes = sizeof *engine;
    engine->free_slot = NO_SLOT;
    engine->shift_of[N_LEVELS - 1] = TIME_BITS;
    wheel_divide(engine, N_LEVELS - 1, DIGIT_BITS);
    return engine;
}

void
engine_free(Engine *engine)
{
    if (engine == NULL) {
        return;
    }
    g_assert(!engine->is_running);
    while (engine->slabs != NULL) {
        Slab *slab = engine->slabs;
        engine->slabs = slab->next;
        g_aligned_free(slab);
    }
    g_free(engine->slots);
    g_free(engine);
}

nsec_t
engine_now(const Engine *engine)
{
    return engine->now;
}

void
event_init(Event *event, EventHandler handler, uint8_t rank)
{
    *event = (Event){.handler = handler, .time = NSEC_NEVER, .rank = rank};
}

void
engine_schedule(Engine *engine, Event *event, nsec_t at)
{
    g_assert(!event_is_scheduled(event));
    g_assert(at >= engine->now);
    if (G_UNLIKELY(at > ENGINE_TIME_MAX)) {
        g_assert(at == NSEC_NEVER);
        return;
    }
    event->time = at;
    event->slot = take_slot(engine, event);
    engine->n_pending++;
    engine->peak_pending = MAX(engine->peak_pending, engine->n_pending);
    Entry entry = {.time = at, .tag = (uint64_t)event->rank << 32 | event->slot};
    if (is_before(entry, engine->bottom_end)) {
        bottom_insert(engine, entry);
    } else {
        wheel_put(engine, entry);
    }
}

void
engine_reschedule(Engine *engine, Event *event, nsec_t at)
{
    engine_cancel(engine, event);
    engine_schedule(engine, event, at);
}

void
engine_cancel(Engine *engine, Event *event)
{
    if (!event_is_scheduled(event)) {
        return;
    }
    event->time = NSEC_NEVER;
    engine->slots[event->slot].event = NULL;
    engine->n_pending--;
    engine->n_dead++;
    if (G_UNLIKELY(engine->n_dead > engine->n_pending + DEAD_MIN)) {
        purge(engine);
    }
}

/* Runs the next event if there is one up to `until`. */
static inline bool
run_next(Engine *engine, nsec_t until)
{
    while (engine->n_pending > 0) {
        if (engine->bottom_head == engine->bottom_tail && !bottom_refill(engine, until)) {
            return false;
        }
        Entry entry = engine->bottom[engine->bottom_head];
        if (entry.time > until) {
            return false;
        }
        engine->bottom_head++;
        Event *event = engine->slots[entry_slot(entry)].event;
        free_slot(engine, entry_slot(entry));
        if (G_UNLIKELY(event == NULL)) {
            engine->n_dead--;
            continue;
        }
        engine->now = entry.time;
        engine->n_pending--;
        engine->n_run++;
        event->time = NSEC_NEVER;
        event->handler(engine, event);
        return true;
    }
    return false;
}

bool
engine_run_until(Engine *engine, nsec_t until)
{
    g_assert(!engine->is_running);
    g_assert(until >= engine->now && (until <= ENGINE_TIME_MAX || until == NSEC_NEVER));
    engine->is_running = true;
    engine->is_stopped = false;
    while (!engine->is_stopped && run_next(engine, until)) {
    }
    engine->is_running = false;
    if (!engine->is_stopped && until != NSEC_NEVER) {
        engine->now = until;
    }
    return !engine->is_stopped;
}

bool
engine_step(Engine *engine)
{
    g_assert(!engine->is_running);
    engine->is_running = true;
    bool ran = run_next(engine, NSEC_NEVER);
    engine->is_running = false;
    return ran;
}

void
engine_stop(Engine *engine)
{
    engine->is_stopped = true;
}

/* The time of the first event of a bucket, NSEC_NEVER when all its entries are dead. */
static nsec_t
bucket_next_time(const Engine *engine, unsigned level, unsigned digit)
{
    nsec_t next = NSEC_NEVER;
    Chunk *last = engine->buckets[level][digit].last;
    Chunk *chunk = last;
    do {
        chunk = chunk->next;
        for (size_t i = 0; i < chunk->n; i++) {
            bool is_alive = engine->slots[entry_slot(chunk->entries[i])].event != NULL;
            next = is_alive ? MIN(next, chunk->entries[i].time) : next;
        }
    } while (chunk != last);
    return next;
}

/* Looks without loading the bottom: base must not get ahead of the clock. */
nsec_t
engine_next_time(Engine *engine)
{
    while (engine->bottom_head < engine->bottom_tail) {
        Entry entry = engine->bottom[engine->bottom_head];
        if (!drop_if_dead(engine, entry)) {
            return entry.time;
        }
        engine->bottom_head++;
    }
    while (engine->levels != 0) {
        unsigned level, digit;
        wheel_first(engine, &level, &digit);
        nsec_t next = bucket_next_time(engine, level, digit);
        if (next != NSEC_NEVER) {
            return next;
        }
        purge_bucket(engine, level, digit);
    }
    return NSEC_NEVER;
}

EngineCounters
engine_counters(const Engine *engine)
{
    return (EngineCounters){
        .n_run = engine->n_run,
        .n_pending = engine->n_pending,
        .peak_pending = engine->peak_pending,
        .bytes = engine->bytes,
    };
}
