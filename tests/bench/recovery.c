/* Reliability studies: many replications of one recovery, and a year of operation of 50 chains with
 * random faults (docs/HACKING.md).
 *
 *   recovery [--json FILE] [REPLICATIONS]      default 2000
 *
 * Each measurement runs in a process of its own, so that its peak memory is its own.  The year is
 * measured beside a month of it: memory must not grow with simulated time. */
#include "sim/replicate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define RECOVERY "scenarios/testbed/recovery-local-forwarder-death.yaml"

typedef struct Figures {
    double seconds; /* wall time of the simulation */
    double events;
    double strikes;
    long peak_kib;
} Figures;

typedef struct Task {
    const char *file;
    const char *set; /* PATH=VALUE */
    int count;
} Task;

static bool
measure(const Task *task, Figures *out)
{
    const char *sets[] = {task->set, NULL};
    ScenarioOptions options = {.sets = sets};
    g_autoptr(GError) error = NULL;
    g_autoptr(Scenario) scenario = scenario_load(task->file, &options, &error);
    if (scenario == NULL) {
        fprintf(stderr, "recovery: %s\n", error->message);
        return false;
    }
    g_autoptr(Chains) chains = chains_find(scenario);
    ReplicateOptions how = {.seed = 1, .count = task->count, .only = -1};
    gint64 began = g_get_monotonic_time();
    g_autoptr(Study) study = replicate(scenario, chains, &how, &error);
    if (study == NULL) {
        fprintf(stderr, "recovery: %s\n", error->message);
        return false;
    }
    out->seconds = (double)(g_get_monotonic_time() - began) / 1e6;
    for (guint k = 0; k < study->outcomes->len; k++) {
        const Outcome *outcome = g_ptr_array_index(study->outcomes, k);
        out->events += (double)outcome->n_events;
    }
    for (guint i = 0; i < study->series->len; i++) {
        const MetricSeries *series = g_ptr_array_index(study->series, i);
        g_auto(Sample) sample = {0};
        if (g_str_has_prefix(series->metric, "faults_injected_total")) {
            series_values(series, &sample);
            out->strikes += sample.mean * (double)sample.n;
        }
    }
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    out->peak_kib = usage.ru_maxrss;
    return true;
}

/* In a child, so that memory is counted from nothing. */
static bool
measure_apart(const Task *task, Figures *out)
{
    int ends[2];
    if (pipe(ends) != 0) {
        return false;
    }
    pid_t child = fork();
    if (child == 0) {
        Figures figures = {0};
        bool ok = measure(task, &figures);
        ok = ok && write(ends[1], &figures, sizeof figures) == sizeof figures;
        _exit(ok ? 0 : 1);
    }
    close(ends[1]);
    int status = 1;
    bool ok = child > 0 && read(ends[0], out, sizeof *out) == sizeof *out;
    close(ends[0]);
    waitpid(child, &status, 0);
    return ok && status == 0;
}

static void
add_json(FILE *json, const char *name, double value, const char *unit)
{
    if (json != NULL) {
        fprintf(json, "{\"name\": \"%s\", \"value\": %.6g, \"unit\": \"%s\", \"peer\": null}\n",
                name, value, unit);
    }
}

static bool
report(FILE *json, const char *name, const Task *task)
{
    Figures f = {0};
    if (!measure_apart(task, &f)) {
        return false;
    }
    printf("%-28s %8.2f s %12.0f events %8.2f Mev/s %10.0f strikes %8.1f MiB\n", name, f.seconds,
           f.events, f.events / f.seconds / 1e6, f.strikes, (double)f.peak_kib / 1024);
    g_autofree char *time = g_strdup_printf("%s/time", name);
    g_autofree char *peak = g_strdup_printf("%s/peak", name);
    add_json(json, time, f.seconds, "s");
    add_json(json, peak, (double)f.peak_kib / 1024, "MiB");
    return true;
}

int
main(int argc, char **argv)
{
    FILE *json = NULL;
    int first = 1;
    if (argc > 2 && strcmp(argv[1], "--json") == 0) {
        json = fopen(argv[2], "a");
        first = 3;
    }
    int count = argc > first ? atoi(argv[first]) : 2000;
    g_autofree char *dir = g_dir_make_tmp("vwire-year-XXXXXX", NULL);
    g_autofree char *generate = g_strdup_printf("tests/bench/generate-year '%s'", dir);
    if (count <= 0 || dir == NULL || system(generate) != 0) {
        fprintf(stderr, "recovery: bad count, or tests/bench/generate-year failed\n");
        return EXIT_FAILURE;
    }
    g_autofree char *year = g_build_filename(dir, "scenario.yaml", NULL);
    g_autofree char *name = g_strdup_printf("recovery/%d-replications", count);
    bool ok = report(json, name, &(Task){RECOVERY, NULL, count}) &&
              report(json, "recovery/month-50-chains", &(Task){year, "spec.duration=730h", 1}) &&
              report(json, "recovery/year-50-chains", &(Task){year, NULL, 1});
    g_autofree char *cleanup = g_strdup_printf("rm -rf '%s'", dir);
    ok = system(cleanup) == 0 && ok;
    if (json != NULL) {
        fclose(json);
    }
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
