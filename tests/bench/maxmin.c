/* Max-min fair rates: how many times a second they are found anew when one flow of many is replaced
 * by another.
 *
 *   maxmin [--json FILE]     all cases, as a table; FILE gets lines of JSON
 *
 * Each node has a link up, a link down and a CPU; a flow uses up and CPU of one node, CPU and down
 * of another.  A step removes the oldest flow, adds one between two random nodes and solves; a flow
 * whose rate is then another counts as one changed rate.  In "mixed" every node has its own link
 * (1, 2.5, 5 or 10 Gbit/s) and CPU (1 to 8 cores): of 1,000 flows on 200 nodes about 720 have their
 * bottleneck at a link and 280 at a CPU.  In "alike" all nodes are the same and many levels are
 * ties. "from nothing" replaces all flows in each step.  Times are CPU times and include the
 * changes and the calls for changed rates. */
#include "sim/maxmin.h"

#include "base/random.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WARM_UP 2000
#define SECONDS_MIN 1.0
#define ROUNDS 3

typedef struct Case {
    const char *name;
    guint n_nodes;
    guint n_flows;
    bool is_mixed;
    bool from_nothing;
} Case;

static const Case cases[] = {
    {"mixed", 200, 1000, true, false},  {"alike", 200, 1000, false, false},
    {"mixed", 20, 100, true, false},    {"mixed", 2000, 10000, true, false},
    {"mixed", 200, 10000, true, false}, {"from nothing", 200, 1000, true, true},
};

typedef struct Node {
    MaxminResource up, down, cpu;
} Node;

typedef struct Bench {
    const Case *what;
    Maxmin *system;
    RandomStream random;
    Node *nodes;
    MaxminFlow *flows; /* a ring */
    guint oldest;
    uint64_t n_told;
} Bench;

typedef struct Result {
    double solves; /* a second of CPU time */
    double rates;  /* changed, a second of CPU time */
} Result;

static double
cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void
on_changed(MaxminFlow flow, double rate, void *data)
{
    ((Bench *)data)->n_told++;
}

/* CPU time: 0.5 ns a bit at either end. */
static MaxminFlow
add_random_flow(Bench *bench)
{
    guint n = bench->what->n_nodes;
    guint from = (guint)random_below(&bench->random, n);
    guint to = (from + 1 + (guint)random_below(&bench->random, n - 1)) % n;
    const MaxminUse uses[] = {{bench->nodes[from].up, 1},
                              {bench->nodes[from].cpu, 0.5e-9},
                              {bench->nodes[to].cpu, 0.5e-9},
                              {bench->nodes[to].down, 1}};
    return maxmin_add_flow(bench->system, INFINITY, uses, G_N_ELEMENTS(uses));
}

static void
bench_init(Bench *bench, const Case *what)
{
    static const double links[] = {1e9, 2.5e9, 5e9, 10e9};
    *bench = (Bench){.what = what, .system = maxmin_new()};
    bench->nodes = g_new(Node, what->n_nodes);
    bench->flows = g_new(MaxminFlow, what->n_flows);
    random_stream_init(&bench->random, 1, 0, "bench", "maxmin");
    for (guint i = 0; i < what->n_nodes; i++) {
        double link = what->is_mixed ? links[random_below(&bench->random, 4)] : 10e9;
        double cores = what->is_mixed ? 1 + 7 * random_uniform(&bench->random) : 8;
        bench->nodes[i].up = maxmin_add_resource(bench->system, link);
        bench->nodes[i].down = maxmin_add_resource(bench->system, link);
        bench->nodes[i].cpu = maxmin_add_resource(bench->system, cores);
    }
    for (guint i = 0; i < what->n_flows; i++) {
        bench->flows[i] = add_random_flow(bench);
    }
    maxmin_solve(bench->system, NULL, NULL);
}

static void
bench_clear(Bench *bench)
{
    maxmin_free(bench->system);
    g_free(bench->nodes);
    g_free(bench->flows);
}

static void
replace_one(Bench *bench)
{
    MaxminFlow *place = &bench->flows[bench->oldest++ % bench->what->n_flows];
    maxmin_remove_flow(bench->system, *place);
    *place = add_random_flow(bench);
    maxmin_solve(bench->system, on_changed, bench);
}

static void
replace_all(Bench *bench)
{
    for (guint i = 0; i < bench->what->n_flows; i++) {
        maxmin_remove_flow(bench->system, bench->flows[i]);
    }
    maxmin_solve(bench->system, NULL, NULL);
    for (guint i = 0; i < bench->what->n_flows; i++) {
        bench->flows[i] = add_random_flow(bench);
    }
    maxmin_solve(bench->system, on_changed, bench);
}

static Result
measure(const Case *what)
{
    Bench bench;
    bench_init(&bench, what);
    void (*step)(Bench *) = what->from_nothing ? replace_all : replace_one;
    for (guint i = 0; i < (what->from_nothing ? 10 : WARM_UP); i++) {
        step(&bench);
    }
    bench.n_told = 0;
    double begun = cpu_seconds(), taken;
    guint n = 0;
    do {
        for (guint i = 0; i < 100; i++, n++) {
            step(&bench);
        }
        taken = cpu_seconds() - begun;
    } while (taken < SECONDS_MIN / ROUNDS);
    Result result = {.solves = n / taken, .rates = (double)bench.n_told / taken};
    bench_clear(&bench);
    return result;
}

/* The fastest of some rounds: what disturbs only ever slows down. */
static Result
measure_best(const Case *what)
{
    Result best = {0};
    for (guint i = 0; i < ROUNDS; i++) {
        Result result = measure(what);
        best = result.solves > best.solves ? result : best;
    }
    return best;
}

static void
add_json(FILE *json, const Case *what, const char *quantity, double value, const char *unit)
{
    if (json != NULL) {
        fprintf(json, "{\"name\": \"max-min %s, %u flows, %u nodes, %s\", \"value\": %.4g, ",
                what->name, what->n_flows, what->n_nodes, quantity, value);
        fprintf(json, "\"unit\": \"%s\", \"peer\": null}\n", unit);
    }
}

static void
run_all(FILE *json)
{
    printf("%-13s %6s %6s %11s %9s %17s %13s\n", "nodes are", "nodes", "flows", "solves/s",
           "us/solve", "rates changed/s", "rates/solve");
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        const Case *what = &cases[i];
        Result result = measure_best(what);
        printf("%-13s %6u %6u %11.0f %9.2f %17.0f %13.1f\n", what->name, what->n_nodes,
               what->n_flows, result.solves, 1e6 / result.solves, result.rates,
               result.rates / result.solves);
        add_json(json, what, "solves", result.solves, "1/s");
        add_json(json, what, "rates changed", result.rates, "1/s");
    }
}

int
main(int argc, char **argv)
{
    FILE *json = argc == 3 && strcmp(argv[1], "--json") == 0 ? fopen(argv[2], "a") : NULL;
    if (argc != 1 && json == NULL) {
        fprintf(stderr, "usage: maxmin [--json FILE]\n");
        return EXIT_FAILURE;
    }
    run_all(json);
    return json == NULL || fclose(json) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
