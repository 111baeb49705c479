/* Running scenarios for benchmarks, each in a process of its own, so that its peak memory is its
 * own. */
#pragma once

#include "sim/replicate.h"

#include <math.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct Figures {
    double seconds; /* wall time of the simulation */
    double events;
    long peak_kib;
    double metric; /* mean of Task.metric; NAN: not asked for, or no value */
} Figures;

typedef struct Task {
    const char *file;
    const char *set;    /* PATH=VALUE, or NULL */
    int count;          /* replications */
    const char *metric; /* beginning of the name of one, or NULL */
} Task;

static double
metric_mean(const Study *study, const char *prefix, bool sum)
{
    double found = NAN;
    for (guint i = 0; prefix != NULL && i < study->series->len; i++) {
        const MetricSeries *series = g_ptr_array_index(study->series, i);
        g_auto(Sample) sample = {0};
        if (g_str_has_prefix(series->metric, prefix)) {
            series_values(series, &sample);
            double value = sum ? sample.mean * (double)sample.n : sample.mean;
            found = sum && !isnan(found) ? found + value : value;
        }
    }
    return found;
}

/* `sum`: the metric's values are added up over keys and replications. */
static bool
measure(const Task *task, bool sum, Figures *out)
{
    const char *sets[] = {task->set, NULL};
    ScenarioOptions options = {.sets = sets};
    g_autoptr(GError) error = NULL;
    g_autoptr(Scenario) scenario = scenario_load(task->file, &options, &error);
    if (scenario == NULL) {
        fprintf(stderr, "%s\n", error->message);
        return false;
    }
    g_autoptr(Chains) chains = chains_find(scenario);
    ReplicateOptions how = {.seed = 1, .count = task->count, .only = -1};
    gint64 began = g_get_monotonic_time();
    g_autoptr(Study) study = replicate(scenario, chains, &how, &error);
    if (study == NULL) {
        fprintf(stderr, "%s\n", error->message);
        return false;
    }
    out->seconds = (double)(g_get_monotonic_time() - began) / 1e6;
    for (guint k = 0; k < study->outcomes->len; k++) {
        out->events += (double)((const Outcome *)g_ptr_array_index(study->outcomes, k))->n_events;
    }
    out->metric = metric_mean(study, task->metric, sum);
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    out->peak_kib = usage.ru_maxrss;
    return true;
}

static bool
measure_apart(const Task *task, bool sum, Figures *out)
{
    int ends[2];
    if (pipe(ends) != 0) {
        return false;
    }
    pid_t child = fork();
    if (child == 0) {
        Figures figures = {0};
        bool ok = measure(task, sum, &figures);
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

/* One line for build/bench.json (tests/bench/run); `peer` NULL: our own. */
static void
add_json(FILE *json, const char *name, double value, const char *unit, const char *peer)
{
    if (json != NULL) {
        fprintf(json, "{\"name\": \"%s\", \"value\": %.6g, \"unit\": \"%s\", \"peer\": %s%s%s}\n",
                name, value, unit, peer != NULL ? "\"" : "", peer != NULL ? peer : "null",
                peer != NULL ? "\"" : "");
    }
}
