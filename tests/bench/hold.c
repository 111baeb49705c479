/* The hold model on our engine: N pending events; each one that runs touches a random entity and
 * schedules exactly one new event.  The work per event is that of the peers' programs, with the
 * same generators (xoshiro256** and a ziggurat), so that what differs is the engine.
 *
 *   hold [--json FILE]     all modes and sizes, as a table; FILE gets a line of JSON for each
 *   hold MODE N EVENTS     one run: CPU nanoseconds per event, bytes per pending event
 *
 * Modes, mean increment always 1 s: exp is exponential; bimodal is exponential with 95 % of 1 ms
 * and 5 % of 20 s; ties is exponential rounded to 1 ms; cancel is exp, and each event also
 * cancels a random pending one and schedules it anew. */
#include "sim/engine.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define N_LAYERS 256
#define ENTITIES_MAX 10000
#define WARM_UP_MIN 1000000
#define SEED 1

typedef struct Generator {
    uint64_t state[4];
    double edges[N_LAYERS + 1];   /* right edges of the layers, falling to 0 */
    double heights[N_LAYERS + 1]; /* exp(-edge) */
} Generator;

typedef struct Entity {
    uint64_t count;
    double sum;
    nsec_t last;
    uint64_t unused; /* 32 bytes, as the peers' */
} Entity;

typedef struct Job {
    Event event;
    Entity *entity;
} Job;

typedef struct Hold Hold;

typedef struct Mode {
    const char *name;
    double (*increment)(Generator *generator); /* seconds */
    bool cancels;
} Mode;

struct Hold {
    Generator generator;
    const Mode *mode;
    Job *jobs;
    size_t n_jobs;
    Entity *entities;
    size_t n_entities;
    uint64_t n_left; /* events until the run stops */
};

static Hold hold;

static inline uint64_t
rotate_left(uint64_t x, int n)
{
    return x << n | x >> (64 - n);
}

/* xoshiro256**, Blackman and Vigna, "Scrambled linear pseudorandom number generators", 2021. */
static inline uint64_t
next_u64(Generator *generator)
{
    uint64_t *s = generator->state;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

static inline double
next_unit(Generator *generator)
{
    return (double)(next_u64(generator) >> 11) * 0x1p-53;
}

static inline size_t
next_below(Generator *generator, size_t n)
{
    return (size_t)((next_u64(generator) >> 32) * n >> 32);
}

/* Marsaglia and Tsang, "The ziggurat method for generating random variables", 2000: 256 layers of
 * equal area, r = 7.697. */
static void
generator_init(Generator *generator, uint64_t seed)
{
    const double r = 7.69711747013104972;
    const double area = (r + 1) * exp(-r);
    for (int i = 0; i < 4; i++) { /* splitmix64 */
        seed += UINT64_C(0x9e3779b97f4a7c15);
        uint64_t z = seed;
        z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
        generator->state[i] = z ^ z >> 31;
    }
    generator->edges[0] = area / exp(-r);
    generator->edges[1] = r;
    for (int i = 2; i < N_LAYERS; i++) {
        double edge = generator->edges[i - 1];
        generator->edges[i] = -log(area / edge + exp(-edge));
    }
    generator->edges[N_LAYERS] = 0;
    for (int i = 0; i <= N_LAYERS; i++) {
        generator->heights[i] = exp(-generator->edges[i]);
    }
}

/* A draw that hit the rim of its layer: 1 in 80. */
static __attribute__((noinline)) double
finish_exponential(Generator *generator, size_t layer, double x)
{
    double tail = 0;
    for (;;) {
        double low = generator->heights[layer], high = generator->heights[layer + 1];
        if (layer == 0) {
            tail += generator->edges[1];
        } else if (low + next_unit(generator) * (high - low) < exp(-x)) {
            return tail + x;
        }
        uint64_t u = next_u64(generator);
        layer = u % N_LAYERS;
        x = (double)(u >> 11) * 0x1p-53 * generator->edges[layer];
        if (x < generator->edges[layer + 1]) {
            return tail + x;
        }
    }
}

static inline double
next_exponential(Generator *generator)
{
    uint64_t u = next_u64(generator);
    size_t layer = u % N_LAYERS;
    double x = (double)(u >> 11) * 0x1p-53 * generator->edges[layer];
    if (x < generator->edges[layer + 1]) {
        return x;
    }
    return finish_exponential(generator, layer, x);
}

static double
next_bimodal(Generator *generator)
{
    double x = next_exponential(generator);
    return next_unit(generator) < 0.95 ? x * 0.001 : x * 19.981;
}

static double
next_rounded(Generator *generator)
{
    return floor(next_exponential(generator) * 1000 + 0.5) * 0.001;
}

static inline void
touch(Entity *entity, nsec_t now)
{
    entity->count++;
    entity->sum += (double)(now & 0xff);
    entity->last = now;
}

static inline void
count_down(Engine *engine)
{
    hold.n_left--;
    if (hold.n_left == 0) {
        engine_stop(engine);
    }
}

/* The mode by which ours is compared with the peers: drawing is inlined, as in theirs. */
static void
on_job(Engine *engine, Event *event)
{
    Job *job = (Job *)event;
    nsec_t now = engine_now(engine);
    touch(job->entity, now);
    double increment = next_exponential(&hold.generator);
    job->entity = &hold.entities[next_below(&hold.generator, hold.n_entities)];
    engine_schedule(engine, event, now + (nsec_t)(increment * 1e9));
    count_down(engine);
}

static void
on_job_of_mode(Engine *engine, Event *event)
{
    Job *job = (Job *)event;
    nsec_t now = engine_now(engine);
    touch(job->entity, now);
    double increment = hold.mode->increment(&hold.generator);
    job->entity = &hold.entities[next_below(&hold.generator, hold.n_entities)];
    engine_schedule(engine, event, now + (nsec_t)(increment * 1e9));
    if (hold.mode->cancels) {
        Job *other = &hold.jobs[next_below(&hold.generator, hold.n_jobs)];
        increment = hold.mode->increment(&hold.generator);
        engine_reschedule(engine, &other->event, now + (nsec_t)(increment * 1e9));
    }
    count_down(engine);
}

static const Mode modes[] = {
    {"exp", next_exponential, false},
    {"bimodal", next_bimodal, false},
    {"ties", next_rounded, false},
    {"cancel", next_exponential, true},
};

static double
cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void
run_events(Engine *engine, uint64_t n)
{
    hold.n_left = n;
    engine_run_until(engine, NSEC_NEVER);
}

static void
measure(const Mode *mode, size_t n, uint64_t n_events, double *ns_per_event, double *bytes)
{
    EventHandler handler = mode == modes ? on_job : on_job_of_mode;
    hold.mode = mode;
    generator_init(&hold.generator, SEED);
    hold.n_jobs = n;
    hold.jobs = g_aligned_alloc0(n, sizeof *hold.jobs, 64);
    hold.n_entities = MIN(n, ENTITIES_MAX);
    hold.entities = g_aligned_alloc0(hold.n_entities, sizeof *hold.entities, 64);
    g_autoptr(Engine) engine = engine_new();
    for (size_t i = 0; i < n; i++) {
        Job *job = &hold.jobs[i];
        event_init(&job->event, handler, 0);
        job->entity = &hold.entities[next_below(&hold.generator, hold.n_entities)];
        engine_schedule(engine, &job->event, (nsec_t)(mode->increment(&hold.generator) * 1e9));
    }
    run_events(engine, MAX(n, WARM_UP_MIN));
    double start = cpu_seconds();
    run_events(engine, n_events);
    *ns_per_event = (cpu_seconds() - start) * 1e9 / (double)n_events;
    *bytes = (double)engine_counters(engine).bytes / (double)n + sizeof(Event);
    g_aligned_free(hold.jobs);
    g_aligned_free(hold.entities);
}

static void
add_json(FILE *json, const char *mode, size_t n, double value, const char *unit)
{
    if (json != NULL) {
        fprintf(json, "{\"name\": \"hold %s, %zu pending\", \"value\": %.2f, \"unit\": \"%s\", ",
                mode, n, value, unit);
        fprintf(json, "\"peer\": null}\n");
    }
}

static void
run_all(FILE *json)
{
    const size_t sizes[] = {100, 10000, 1000000};
    printf("%-8s %9s %12s %9s %14s\n", "mode", "pending", "M events/s", "ns/event",
           "bytes/pending");
    for (size_t i = 0; i < G_N_ELEMENTS(modes); i++) {
        for (size_t j = 0; j < G_N_ELEMENTS(sizes); j++) {
            double ns, bytes;
            measure(&modes[i], sizes[j], 3000000, &ns, &bytes);
            printf("%-8s %9zu %12.1f %9.1f %14.1f\n", modes[i].name, sizes[j], 1e3 / ns, ns, bytes);
            add_json(json, modes[i].name, sizes[j], ns, "ns/event");
            add_json(json, modes[i].name, sizes[j], bytes, "bytes/pending");
        }
    }
}

static int
run_one(const char *name, const char *n, const char *n_events)
{
    for (size_t i = 0; i < G_N_ELEMENTS(modes); i++) {
        if (strcmp(modes[i].name, name) == 0) {
            double ns, bytes;
            measure(&modes[i], strtoul(n, NULL, 10), strtoull(n_events, NULL, 10), &ns, &bytes);
            printf("%.2f %.1f\n", ns, bytes);
            return EXIT_SUCCESS;
        }
    }
    fprintf(stderr, "hold: no mode %s\n", name);
    return EXIT_FAILURE;
}

int
main(int argc, char **argv)
{
    if (argc == 4) {
        return run_one(argv[1], argv[2], argv[3]);
    }
    FILE *json = argc == 3 && strcmp(argv[1], "--json") == 0 ? fopen(argv[2], "a") : NULL;
    if (argc != 1 && json == NULL) {
        fprintf(stderr, "usage: hold [--json FILE] | hold MODE N EVENTS\n");
        return EXIT_FAILURE;
    }
    run_all(json);
    return json == NULL || fclose(json) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
