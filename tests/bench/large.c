/* Scale: clusters of generated three-Pod chains, deployed in virtual time (docs/HACKING.md).
 *
 *   large [--json FILE] [CHAINS:NODES ...]      default 100:20 1000:200 5000:1000
 *
 * Each size runs in a process of its own, so that its peak memory is its own.  Prints wall time,
 * events per second, bytes per Pod, and the cost of a chain relative to the first size; fails
 * when a chain is not up at the end. */
#include "models/timeline.h"
#include "sim/outcome.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct Figures {
    double load;   /* s: manifests and scenario */
    double run;    /* s: the simulation */
    double events; /* count */
    double pods;
    double up;          /* chains */
    double virtual_end; /* s of virtual time until the last chain was ready */
    long peak_kib;
    long base_kib;
} Figures;

static double
now(void)
{
    return (double)g_get_monotonic_time() / 1e6;
}

static long
peak_kib(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

static double
last_ready(const Outcome *outcome, double *n_up)
{
    double last = 0;
    for (guint i = 0; i < outcome->chains->len; i++) {
        const ChainOutcome *chain = g_ptr_array_index(outcome->chains, i);
        *n_up += chain->problem == NULL && chain->ready;
    }
    for (guint i = 0; i < outcome->values->len; i++) {
        const OutcomeValue *value = g_ptr_array_index(outcome->values, i);
        if (g_str_has_prefix(value->metric, "sfc_init_seconds")) {
            last = MAX(last, value->value);
        }
    }
    return last;
}

static bool
measure(int chains, int nodes, const char *dir, Figures *out)
{
    g_autofree char *command =
        g_strdup_printf("tests/bench/generate-large %d %d '%s'", chains, nodes, dir);
    g_autofree char *file = g_build_filename(dir, "scenario.yaml", NULL);
    g_autoptr(GError) error = NULL;
    if (system(command) != 0) {
        fprintf(stderr, "large: %s failed\n", command);
        return false;
    }
    out->base_kib = peak_kib();
    double began = now();
    g_autoptr(Scenario) scenario = scenario_load(file, NULL, &error);
    if (scenario == NULL) {
        fprintf(stderr, "large: %s\n", error->message);
        return false;
    }
    g_autoptr(Chains) found = chains_find(scenario);
    out->load = now() - began;
    began = now();
    World *world = world_new(scenario, 1, 0);
    Timeline *timeline = timeline_new(NSEC_NEVER);
    world_add_sink(world, timeline_sink(timeline));
    world_run(world, scenario->duration);
    out->run = now() - began;
    OutcomeSources sources = {.timeline = timeline};
    Outcome *outcome = outcome_collect(world, scenario, found, &sources, 1, 0);
    out->events = (double)outcome->n_events;
    out->pods = outcome->pods->len;
    out->virtual_end = last_ready(outcome, &out->up);
    out->peak_kib = peak_kib();
    for (guint i = 0; i < MIN(outcome->problems->len, 3); i++) {
        fprintf(stderr, "large: %s\n", (char *)g_ptr_array_index(outcome->problems, i));
    }
    outcome_free(outcome);
    timeline_free(timeline);
    world_free(world);
    return true;
}

/* In a child, so that memory is counted from nothing. */
static bool
measure_apart(int chains, int nodes, Figures *out)
{
    int ends[2];
    g_autofree char *dir = g_dir_make_tmp("vwire-large-XXXXXX", NULL);
    if (dir == NULL || pipe(ends) != 0) {
        return false;
    }
    pid_t child = fork();
    if (child == 0) {
        Figures figures = {0};
        bool ok = measure(chains, nodes, dir, &figures);
        ok = ok && write(ends[1], &figures, sizeof figures) == sizeof figures;
        _exit(ok ? 0 : 1);
    }
    close(ends[1]);
    int status = 1;
    bool ok = child > 0 && read(ends[0], out, sizeof *out) == sizeof *out;
    close(ends[0]);
    waitpid(child, &status, 0);
    g_autofree char *cleanup = g_strdup_printf("rm -rf '%s'", dir);
    ok = system(cleanup) == 0 && ok;
    return ok && status == 0;
}

static void
add_json(FILE *json, const char *name, int chains, double value, const char *unit)
{
    if (json != NULL) {
        fprintf(json,
                "{\"name\": \"large/%d-chains/%s\", \"value\": %.6g, \"unit\": \"%s\", "
                "\"peer\": null}\n",
                chains, name, value, unit);
    }
}

int
main(int argc, char **argv)
{
    const char *const defaults[] = {"100:20", "1000:200", "5000:1000"};
    FILE *json = NULL;
    int first_size = 1;
    if (argc > 2 && strcmp(argv[1], "--json") == 0) {
        json = fopen(argv[2], "a");
        first_size = 3;
    }
    int n = argc > first_size ? argc - first_size : (int)G_N_ELEMENTS(defaults);
    bool all_up = true;
    double cost_of_first = 0;
    printf("%8s %6s %8s %8s %10s %8s %10s %10s %10s %8s\n", "chains", "nodes", "load s", "run s",
           "events", "Mev/s", "peak MiB", "B/Pod", "us/chain", "vs first");
    for (int i = 0; i < n; i++) {
        const char *size = argc > first_size ? argv[first_size + i] : defaults[i];
        int chains = 0, nodes = 0;
        Figures f = {0};
        if (sscanf(size, "%d:%d", &chains, &nodes) != 2 || !measure_apart(chains, nodes, &f)) {
            fprintf(stderr, "large: size %s failed\n", size);
            return 1;
        }
        double cost = (f.load + f.run) / chains * 1e6;
        double bytes = (double)(f.peak_kib - f.base_kib) * 1024 / f.pods;
        cost_of_first = i == 0 ? cost : cost_of_first;
        all_up = all_up && (int)f.up == chains;
        printf("%8d %6d %8.2f %8.2f %10.0f %8.2f %10ld %10.0f %10.0f %8.2f  %s\n", chains, nodes,
               f.load, f.run, f.events, f.events / f.run / 1e6, f.peak_kib / 1024, bytes, cost,
               cost / cost_of_first, (int)f.up == chains ? "all up" : "NOT ALL UP");
        printf("         last chain ready %.0f s of virtual time after its submission\n",
               f.virtual_end);
        fflush(stdout);
        add_json(json, "wall", chains, f.load + f.run, "s");
        add_json(json, "events-per-second", chains, f.events / f.run, "1/s");
        add_json(json, "peak-memory", chains, (double)f.peak_kib * 1024, "bytes");
        add_json(json, "bytes-per-pod", chains, bytes, "bytes");
        add_json(json, "cost-per-chain", chains, cost, "us");
    }
    if (json != NULL) {
        fclose(json);
    }
    return all_up ? 0 : 1;
}
