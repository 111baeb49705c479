/* vwire run: simulate, summarise, write results. */
#include "cli/cli.h"
#include "cli/report.h"
#include "cli/resources.h"
#include "cli/results.h"
#include "sim/fingerprint.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- progress ---- */

#define PROGRESS_PERIOD 100000 /* us */

typedef struct Progress {
    gint64 began; /* monotonic, us */
    gint64 last;  /* when it was shown */
    bool shown;
    bool enabled;
} Progress;

static void
show_progress(void *data, double done, int total)
{
    Progress *progress = data;
    gint64 now = g_get_monotonic_time();
    double seconds = (double)(now - progress->began) / 1e6;
    bool early = !progress->shown && seconds < 0.5;
    if (!progress->enabled || early || now - progress->last < PROGRESS_PERIOD) {
        return;
    }
    progress->shown = true;
    progress->last = now;
    double rate = MAX(done, 1e-6) / MAX(seconds, 1e-3);
    fprintf(stderr, "\r%.*f of %d replication(s), %.*f/s, %.0f s left \033[K", total < 10 ? 2 : 0,
            done, total, rate < 1 ? 2 : 1, rate, (total - done) / rate);
}

static void
end_progress(const Progress *progress)
{
    if (progress->shown) {
        fprintf(stderr, "\r\033[K");
    }
}

/* ---- the report ---- */

static const char *
seconds_text(char *buffer, size_t size, const Sample *sample)
{
    if (sample->n == 0) {
        return "-";
    }
    g_snprintf(buffer, (gulong)size, "%.2f", sample->mean);
    return buffer;
}

static void
add_time(Sample *sample, double value)
{
    if (!isnan(value)) {
        sample_add(sample, value);
    }
}

static const PodOutcome *
pod_named(const Outcome *outcome, const char *key)
{
    for (guint i = 0; i < outcome->pods->len; i++) {
        const PodOutcome *pod = g_ptr_array_index(outcome->pods, i);
        if (g_str_equal(pod->key, key)) {
            return pod;
        }
    }
    return NULL;
}

enum { CREATED, SCHEDULED, SANDBOX, STARTED, IDENTITY, REGISTERED, READY, N_TIMES };

static void
add_pod_row(Table *table, const Study *study, const PodOutcome *model)
{
    Sample times[N_TIMES] = {0};
    for (guint k = 0; k < study->outcomes->len; k++) {
        const PodOutcome *pod = pod_named(g_ptr_array_index(study->outcomes, k), model->key);
        if (pod == NULL) {
            continue;
        }
        add_time(&times[CREATED], pod->created);
        add_time(&times[SCHEDULED], pod->scheduled);
        add_time(&times[SANDBOX], pod->sandbox);
        add_time(&times[STARTED], pod->started);
        add_time(&times[IDENTITY], pod->identity);
        add_time(&times[REGISTERED], pod->registered);
        add_time(&times[READY], pod->ready);
    }
    char text[N_TIMES][32], range[64] = "-";
    const char *cells[N_TIMES];
    for (int i = 0; i < N_TIMES; i++) {
        cells[i] = seconds_text(text[i], sizeof text[i], &times[i]);
    }
    if (times[READY].n > 0) {
        g_snprintf(range, sizeof range, "%.2f - %.2f", times[READY].min, times[READY].max);
    }
    table_add(table, "%s|%s|%s|%s|%s|%s|%s|%s|%s|%s", strchr(model->key, '/') + 1,
              model->node != NULL ? model->node : "-", cells[CREATED], cells[SCHEDULED],
              cells[SANDBOX], cells[STARTED], cells[IDENTITY], cells[REGISTERED], cells[READY],
              range);
    for (int i = 0; i < N_TIMES; i++) {
        sample_clear(&times[i]);
    }
}

#define MAX_POD_ROWS 30

static void
print_pods(const Scenario *scenario, const Study *study)
{
    const Outcome *first = g_ptr_array_index(study->outcomes, 0);
    for (guint m = 0; m < scenario->n_manifests; m++) {
        Table *table = table_new("POD|NODE|>CREATED|>SCHEDULED|>SANDBOX|>STARTED|>IDENTITY|"
                                 ">REGISTERED|>READY|>READY MIN - MAX");
        guint n = 0;
        for (guint i = 0; i < first->pods->len; i++) {
            const PodOutcome *pod = g_ptr_array_index(first->pods, i);
            if (pod->manifest == m && ++n <= MAX_POD_ROWS) {
                add_pod_row(table, study, pod);
            }
        }
        if (n > 0) {
            printf("\nPod start latencies of %s, seconds since its submission%s\n",
                   scenario->manifests[m].path,
                   study->outcomes->len > 1 ? " (means over replications)" : "");
        }
        if (n == 0) {
            table_free(table);
            continue;
        }
        table_print(table);
        if (n > MAX_POD_ROWS) {
            printf("  ... and %u Pods more: all are in summary.json\n", n - MAX_POD_ROWS);
        }
    }
}

static void
print_metric(const Scenario *scenario, const Study *study, const char *name, const Chain *chain,
             const char *what)
{
    g_autofree char *key = g_strdup_printf("%s{chain=\"%s\"}", name, chain->name);
    const MetricSeries *series = study_series(study, key);
    if (series == NULL) {
        return;
    }
    g_auto(Sample) sample = {0};
    series_values(series, &sample);
    printf("%s: %s\n  simulated: mean %.2f", what, key, sample.mean);
    Interval interval;
    if (sample_mean_interval(&sample, scenario->replications.confidence, &interval)) {
        printf(" [%.2f, %.2f]", interval.low, interval.high);
        printf(" (%g %% confidence), %.2f to %.2f", scenario->replications.confidence * 100,
               sample.min, sample.max);
    }
    printf(" %s (n=%zu)\n", series->unit, sample.n);
    print_reference(scenario, key);
}

static void
print_breakdown(const Study *study, guint chain)
{
    Sample phases[N_PHASES] = {0};
    double total = 0;
    for (guint k = 0; k < study->outcomes->len; k++) {
        const Outcome *outcome = g_ptr_array_index(study->outcomes, k);
        const ChainOutcome *one = g_ptr_array_index(outcome->chains, chain);
        for (int phase = 0; one->has_phases && phase < N_PHASES; phase++) {
            sample_add(&phases[phase], one->phases[phase]);
        }
    }
    for (int phase = 0; phase < N_PHASES; phase++) {
        total += phases[phase].mean;
    }
    if (phases[0].n > 0) {
        printf("Where the client Pod's seconds went\n");
        Table *table = table_new("PHASE|>MEAN S|>SHARE|>MIN|>MAX|WHAT");
        for (int phase = 0; phase < N_PHASES; phase++) {
            table_add(table, "%s|%.3f|%.0f %%|%.3f|%.3f|%s",
                      outcome_phase_name((OutcomePhase)phase), phases[phase].mean,
                      100 * phases[phase].mean / MAX(total, 1e-9), phases[phase].min,
                      phases[phase].max, outcome_phase_meaning((OutcomePhase)phase));
        }
        table_add(table, "total|%.3f||||until the client Pod is Ready", total);
        table_print(table);
    }
    for (int phase = 0; phase < N_PHASES; phase++) {
        sample_clear(&phases[phase]);
    }
}

#define MAX_CHAINS_SHOWN 5
#define MAX_PROBLEMS_SHOWN 20

static void
print_chains(const Scenario *scenario, const Study *study)
{
    const Outcome *first = g_ptr_array_index(study->outcomes, 0);
    for (guint c = 0; c < MIN(first->chains->len, MAX_CHAINS_SHOWN); c++) {
        const ChainOutcome *chain = g_ptr_array_index(first->chains, c);
        printf("\nChain %s: %s\n", chain->chain->name,
               chain->problem == NULL ? "every V-wire is in place, in the declared order"
                                      : "NOT up (see the problems below)");
        if (*chain->path != '\0') {
            printf("  path: %s\n", chain->path);
        }
        print_metric(scenario, study, "sfc_init_seconds", chain->chain,
                     "Initialisation: submission until all Pods of the chain are Ready");
        print_metric(scenario, study, "nsm_request_seconds", chain->chain,
                     "The Request that succeeded");
        print_breakdown(study, c);
    }
    if (first->chains->len > MAX_CHAINS_SHOWN) {
        printf("\n... and %u chains more: all are in summary.json\n",
               first->chains->len - MAX_CHAINS_SHOWN);
    }
}

static void
print_problems(const Study *study)
{
    g_autoptr(GHashTable) counts = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GPtrArray) order = g_ptr_array_new();
    for (guint k = 0; k < study->outcomes->len; k++) {
        const Outcome *outcome = g_ptr_array_index(study->outcomes, k);
        for (guint i = 0; i < outcome->problems->len; i++) {
            char *problem = g_ptr_array_index(outcome->problems, i);
            guint n = GPOINTER_TO_UINT(g_hash_table_lookup(counts, problem));
            g_hash_table_insert(counts, problem, GUINT_TO_POINTER(n + 1));
            if (n == 0) {
                g_ptr_array_add(order, problem);
            }
        }
    }
    if (order->len > 0) {
        printf("\nProblems (in how many of %u replications)\n", study->outcomes->len);
    }
    for (guint i = 0; i < MIN(order->len, MAX_PROBLEMS_SHOWN); i++) {
        const char *problem = g_ptr_array_index(order, i);
        printf("  %u: %s\n", GPOINTER_TO_UINT(g_hash_table_lookup(counts, problem)), problem);
    }
    if (order->len > MAX_PROBLEMS_SHOWN) {
        printf("  ... and %u more: all are in summary.json\n", order->len - MAX_PROBLEMS_SHOWN);
    }
}

static void
print_thresholds(const Study *study)
{
    if (study->thresholds->len > 0) {
        printf("\nThresholds\n");
    }
    for (guint i = 0; i < study->thresholds->len; i++) {
        const ThresholdOutcome *outcome = g_ptr_array_index(study->thresholds, i);
        printf("  %s: %s: %s\n", threshold_verdict_name(outcome->verdict), outcome->metric,
               outcome->message);
    }
}

/* ---- the verb ---- */

typedef struct RunOptions {
    gint64 seed;
    gint count;
    gint jobs;
    gint replication;
    gboolean trace;
    gboolean resources;
    gboolean what_if;
    char *dir;
} RunOptions;

static bool
check_options(const RunOptions *run)
{
    if (run->seed < 0 || run->count < 0 || run->jobs < 0 || run->replication < -1) {
        complain("run: --seed, -n, -j and --rep take whole numbers that are not negative");
        return false;
    }
    if (run->count > MAX_REPLICATIONS || run->replication >= MAX_REPLICATIONS) {
        complain("run: -n and --rep take numbers up to %d", MAX_REPLICATIONS);
        return false;
    }
    return true;
}

static void
print_report(const Scenario *scenario, const Study *study, const RunOptions *run, const char *dir,
             double seconds)
{
    printf("Scenario %s, %u replication(s), seed %" G_GINT64_FORMAT ", calibration %s\n",
           scenario->name, study->outcomes->len, run->seed, scenario->calibration->name);
    print_pods(scenario, study);
    print_chains(scenario, study);
    print_traffic(scenario, study);
    print_recovery(scenario, study);
    if (run->resources || resources_are_asked_for(scenario)) {
        resources_print(scenario, study);
    }
    print_problems(study);
    print_thresholds(study);
    if (study->fingerprint != 0) {
        g_autofree char *fingerprint = fingerprint_format(study->fingerprint);
        printf("\nFingerprint of replication 0: %s\n", fingerprint);
    }
    uint64_t n_events = 0;
    for (guint k = 0; k < study->outcomes->len; k++) {
        n_events += ((const Outcome *)g_ptr_array_index(study->outcomes, k))->n_events;
    }
    printf("\n%" G_GUINT64_FORMAT " events in %.2f s; results in %s\n", n_events, seconds, dir);
}

/* A fault that did not strike is an error, whatever the thresholds say. */
static int
count_missed(const Study *study)
{
    int n = 0;
    for (guint k = 0; k < study->outcomes->len; k++) {
        n += ((const Outcome *)g_ptr_array_index(study->outcomes, k))->n_faults_missed;
    }
    return n;
}

static int
run_scenario(const Scenario *scenario, const CommonOptions *common, const RunOptions *run,
             const char *file)
{
    g_autoptr(Chains) chains = chains_find(scenario);
    const char *dir = run->dir != NULL ? run->dir : scenario->output_dir;
    Progress progress = {.began = g_get_monotonic_time(),
                         .enabled = !common->quiet && isatty(STDERR_FILENO)};
    ReplicateOptions options = {.seed = (uint64_t)run->seed,
                                .count = run->count,
                                .only = run->replication,
                                .jobs = (guint)run->jobs,
                                .events_dir = scenario->output_events || run->trace ? dir : NULL,
                                .usage_dir = scenario->output_usage ? dir : NULL,
                                .progress = show_progress,
                                .data = &progress,
                                .interrupted = catch_signals()};
    g_autoptr(GError) error = NULL;
    g_autoptr(Study) study = replicate(scenario, chains, &options, &error);
    end_progress(&progress);
    if (study == NULL || !results_write(dir, scenario, study, options.seed, &error)) {
        complain("%s", error->message);
        return EXIT_RUNTIME;
    }
    if (common->json) {
        g_autofree char *summary = results_summary(scenario, study, options.seed);
        fputs(summary, stdout);
    } else {
        print_report(scenario, study, run, dir,
                     (double)(g_get_monotonic_time() - progress.began) / 1e6);
    }
    if (!common->json && run->what_if && !print_what_if(common, file, scenario, study, &options)) {
        return EXIT_RUNTIME;
    }
    if (count_missed(study) > 0) {
        complain("%d strike(s) of faults did not strike: see the problems", count_missed(study));
        return EXIT_RUNTIME;
    }
    return study->passed ? EXIT_PASS : EXIT_FAILED;
}

int
verb_run(const Verb *verb, int argc, char **argv)
{
    CommonOptions common;
    RunOptions run = {.seed = 1, .replication = -1};
    const GOptionEntry entries[] = {
        {"seed", 's', 0, G_OPTION_ARG_INT64, &run.seed, "Seed of all random streams (default 1)",
         "N"},
        {"replications", 'n', 0, G_OPTION_ARG_INT, &run.count,
         "How many replications (default: the scenario's)", "N"},
        {"jobs", 'j', 0, G_OPTION_ARG_INT, &run.jobs,
         "How many at a time (default: one for each processor)", "N"},
        {"rep", 0, 0, G_OPTION_ARG_INT, &run.replication,
         "Replay this replication alone, exactly as in a full run", "K"},
        {"trace", 0, 0, G_OPTION_ARG_NONE, &run.trace,
         "Write events.jsonl even where the scenario does not ask for it", NULL},
        {"resources", 0, 0, G_OPTION_ARG_NONE, &run.resources,
         "Print CPU and memory of each component's Pods even where the scenario does not ask for "
         "it",
         NULL},
        {"what-if", 0, 0, G_OPTION_ARG_NONE, &run.what_if,
         "Run again with each CPU limit doubled at which packets waited long, and compare", NULL},
        {"output", 'o', 0, G_OPTION_ARG_FILENAME, &run.dir,
         "Directory of the results (default: the scenario's outputs.dir)", "DIR"},
        G_OPTION_ENTRY_NULL};
    int code = EXIT_PASS;
    g_autoptr(Scenario) scenario = NULL;
    if (options_parse(
            verb, &common, entries,
            "Writes DIR/summary.json, DIR/runs.csv, DIR/rep-<k>/events.jsonl and usage.csv. The "
            "same seed gives the\nsame bytes, whatever -j.",
            &argc, &argv, &code) &&
        check_options(&run)) {
        scenario = options_load(&common, argv[1]);
        code = EXIT_BAD_INPUT;
    }
    if (scenario != NULL) {
        code = run_scenario(scenario, &common, &run, argv[1]);
    }
    options_clear(&common);
    g_free(run.dir);
    return code;
}
