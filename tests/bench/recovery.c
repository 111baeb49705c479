/* Reliability studies: many replications of one recovery, and a year of operation of 50 chains with
 * random faults (docs/HACKING.md).
 *
 *   recovery [--json FILE] [REPLICATIONS]      default 2000
 *
 * Each measurement runs in a process of its own, so that its peak memory is its own.  The year is
 * measured beside a month of it: memory must not grow with simulated time. */
#include "tests/bench/measure.h"

#include <stdlib.h>
#include <string.h>

#define RECOVERY "scenarios/testbed/recovery-local-forwarder-death.yaml"
#define STRIKES "faults_injected_total"

static bool
report(FILE *json, const char *name, const Task *task)
{
    Figures f = {0};
    if (!measure_apart(task, true, &f)) {
        return false;
    }
    printf("%-28s %8.2f s %12.0f events %8.2f Mev/s %10.0f strikes %8.1f MiB\n", name, f.seconds,
           f.events, f.events / f.seconds / 1e6, f.metric, (double)f.peak_kib / 1024);
    g_autofree char *time = g_strdup_printf("%s/time", name);
    g_autofree char *peak = g_strdup_printf("%s/peak", name);
    add_json(json, time, f.seconds, "s", NULL);
    add_json(json, peak, (double)f.peak_kib / 1024, "MiB", NULL);
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
    bool ok =
        report(json, name, &(Task){RECOVERY, NULL, count, STRIKES}) &&
        report(json, "recovery/month-50-chains", &(Task){year, "spec.duration=730h", 1, STRIKES}) &&
        report(json, "recovery/year-50-chains", &(Task){year, NULL, 1, STRIKES});
    g_autofree char *cleanup = g_strdup_printf("rm -rf '%s'", dir);
    ok = system(cleanup) == 0 && ok;
    if (json != NULL) {
        fclose(json);
    }
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
