/* Running replications and collecting what they show. */
#include "sim/replicate.h"

#include "sim/chainwatch.h"
#include "sim/events.h"
#include "sim/fastforward.h"
#include "sim/fingerprint.h"
#include "sim/phases.h"
#include "sim/traffic.h"
#include "sim/usagelog.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

/* Replications added at a time while something is undecided: this many, but at least a tenth of
 * those that are there, as each time everything is judged anew. */
#define EXTRA_STEP 10

typedef struct Batch {
    const Scenario *scenario;
    const Chains *chains;
    const ReplicateOptions *options;
    GMutex lock;
    Study *study;    /* values go there as they come */
    int first;       /* the replication at its position 0 */
    Outcome **slots; /* by replication */
    GError *error;   /* the first */
    int done;
    double part; /* of the replications that run: the shares of them that are done */
    int total;
} Batch;

static bool
is_interrupted(const Batch *batch)
{
    return batch->options->interrupted != NULL && *batch->options->interrupted != 0;
}

/* seedSet `different`: the scenario's name is mixed in, so that no two scenarios share draws. */
static uint64_t
seed_of(const Batch *batch)
{
    if (batch->scenario->replications.seed_set_repetition) {
        return batch->options->seed;
    }
    RandomStream random;
    random_stream_init(&random, batch->options->seed, 0, batch->scenario->name, "seed");
    return random_next_u64(&random) >> 11; /* a double holds it exactly, for JSON */
}

/* ---- series and thresholds ---- */

static void
series_free(void *data)
{
    MetricSeries *series = data;
    g_free(series->metric);
    metric_key_free(series->key);
    g_array_unref(series->values);
    g_ptr_array_unref(series->samples);
    g_free(series);
}

static void
sample_free(void *data)
{
    Sample *sample = data;
    if (sample != NULL) {
        sample_clear(sample);
        g_free(sample);
    }
}

static void
threshold_outcome_free(void *data)
{
    ThresholdOutcome *outcome = data;
    g_free(outcome->metric);
    g_free(outcome->message);
    g_free(outcome);
}

static MetricSeries *
series_of(Study *study, const OutcomeValue *value)
{
    MetricSeries *series = g_hash_table_lookup(study->index, value->metric);
    if (series == NULL) {
        series = g_new0(MetricSeries, 1);
        series->metric = g_strdup(value->metric);
        series->key = metric_key_parse(value->metric, NULL);
        g_assert(series->key != NULL); /* a key was formatted */
        series->unit = value->unit;
        series->values = g_array_new(false, false, sizeof(double));
        series->samples = g_ptr_array_new_with_free_func(sample_free);
        g_hash_table_insert(study->index, series->metric, series);
        g_ptr_array_add(study->series, series);
    }
    return series;
}

static void
pad_values(MetricSeries *series, guint n)
{
    while (series->values->len < n) {
        double none = NAN;
        g_array_append_val(series->values, none);
    }
}

static void
put_value(MetricSeries *series, OutcomeValue *value, guint position)
{
    pad_values(series, position + 1);
    double *slot = &g_array_index(series->values, double, position);
    if (!isnan(*slot)) {
        return; /* named twice: the first counts */
    }
    *slot = value->value;
    if (value->sample != NULL) {
        if (series->samples->len <= position) {
            g_ptr_array_set_size(series->samples, (gint)position + 1);
        }
        series->samples->pdata[position] = g_steal_pointer(&value->sample);
    }
}

static void
move_values(Study *study, Outcome *outcome, guint position)
{
    for (guint i = 0; i < outcome->values->len; i++) {
        OutcomeValue *value = g_ptr_array_index(outcome->values, i);
        put_value(series_of(study, value), value, position);
    }
    g_ptr_array_unref(outcome->values);
    outcome->values = g_ptr_array_new();
}

/* Thousands of outcomes are kept until the end: all but the first without what only it shows. */
static void
trim(Outcome *outcome)
{
    for (guint i = 0; i < outcome->pods->len; i++) {
        PodOutcome *pod = g_ptr_array_index(outcome->pods, i);
        g_clear_pointer(&pod->node, g_free);
        g_clear_pointer(&pod->problem, g_free);
    }
    for (guint i = 0; i < outcome->chains->len; i++) {
        ChainOutcome *chain = g_ptr_array_index(outcome->chains, i);
        g_clear_pointer(&chain->path, g_free);
    }
}

static int
compare_series(gconstpointer a, gconstpointer b)
{
    return strcmp((*(MetricSeries *const *)a)->metric, (*(MetricSeries *const *)b)->metric);
}

/* Takes what an outcome shows into the series; positions come in any order. */
static void
absorb(Study *study, Outcome *outcome, guint position)
{
    move_values(study, outcome, position);
    if (position > 0) {
        trim(outcome);
    }
}

/* Appends outcomes that were absorbed. */
static void
append_outcomes(Study *study, Outcome **take, guint n)
{
    for (guint k = 0; k < n; k++) {
        g_ptr_array_add(study->outcomes, g_steal_pointer(&take[k]));
    }
    for (guint i = 0; i < study->series->len; i++) {
        pad_values(g_ptr_array_index(study->series, i), study->outcomes->len);
    }
    g_ptr_array_sort(study->series, compare_series);
}

static Sample *
sample_at(const MetricSeries *series, guint position)
{
    return position < series->samples->len ? g_ptr_array_index(series->samples, position) : NULL;
}

void
series_values(const MetricSeries *series, Sample *out)
{
    for (guint k = 0; k < series->values->len; k++) {
        double value = g_array_index(series->values, double, k);
        if (!isnan(value)) {
            sample_add(out, value);
        }
    }
}

void
series_pooled(const MetricSeries *series, Sample *out)
{
    for (guint k = 0; k < series->values->len; k++) {
        double value = g_array_index(series->values, double, k);
        const Sample *sample = sample_at(series, k);
        if (sample != NULL) {
            sample_merge(out, sample);
        } else if (!isnan(value)) {
            sample_add(out, value);
        }
    }
}

/* What each replication observed of a series (NULL: nothing was).  Single observations become
 * samples in `singles`, which has room for all. */
static ThresholdRun *
make_runs(const Study *study, const MetricSeries *series, Sample *singles)
{
    ThresholdRun *runs = g_new0(ThresholdRun, study->outcomes->len);
    for (guint k = 0; k < study->outcomes->len; k++) {
        const Outcome *outcome = g_ptr_array_index(study->outcomes, k);
        runs[k] = (ThresholdRun){(int)outcome->replication, outcome->seed, &singles[k]};
        double value = series != NULL ? g_array_index(series->values, double, k) : NAN;
        Sample *sample = series != NULL ? sample_at(series, k) : NULL;
        if (sample != NULL) {
            runs[k].sample = sample;
        } else if (!isnan(value)) {
            sample_add(&singles[k], value);
        }
    }
    return runs;
}

static void
judge(Study *study, const Scenario *scenario, const ScenarioThreshold *threshold,
      const MetricSeries *series)
{
    guint n = study->outcomes->len;
    g_autofree Sample *singles = g_new0(Sample, n);
    g_autofree ThresholdRun *runs = make_runs(study, series, singles);
    g_auto(ThresholdResult) result = {0};
    threshold_evaluate(&threshold->threshold, runs, n, scenario->replications.confidence,
                       series != NULL ? series->unit : "", &result);
    ThresholdOutcome *out = g_new0(ThresholdOutcome, 1);
    out->metric = g_strdup(series != NULL ? series->metric : threshold->metric);
    out->expr = threshold->text;
    out->verdict = result.verdict;
    out->message = g_steal_pointer(&result.message);
    out->observed = result.observed;
    out->interval = result.interval;
    out->has_worst = result.worst != NULL;
    out->worst = result.worst != NULL ? (uint32_t)result.worst->replication : 0;
    g_ptr_array_add(study->thresholds, out);
    study->passed = study->passed && out->verdict == THRESHOLD_PASS;
    for (guint k = 0; k < n; k++) {
        sample_clear(&singles[k]);
    }
}

static void
judge_all(Study *study, const Scenario *scenario)
{
    g_ptr_array_set_size(study->thresholds, 0);
    study->passed = true;
    for (guint t = 0; t < scenario->n_thresholds; t++) {
        const ScenarioThreshold *threshold = &scenario->thresholds[t];
        g_autoptr(MetricKey) selector = metric_key_parse(threshold->metric, NULL);
        guint n_matched = 0;
        for (guint i = 0; selector != NULL && i < study->series->len; i++) {
            const MetricSeries *series = g_ptr_array_index(study->series, i);
            if (metric_key_matches(series->key, selector)) {
                judge(study, scenario, threshold, series);
                n_matched++;
            }
        }
        if (n_matched == 0) {
            judge(study, scenario, threshold, NULL);
        }
    }
}

/* Whether relativePrecision is asked of a metric. */
static bool
is_stopping(const MetricSeries *series)
{
    return g_str_equal(series->key->name, "sfc_init_seconds") ||
           g_str_equal(series->key->name, "sfc_recovery_seconds");
}

static bool
is_precise(const MetricSeries *series, double confidence, double precision)
{
    g_auto(Sample) sample = {0};
    series_values(series, &sample);
    Interval interval;
    return !sample_mean_interval(&sample, confidence, &interval) ||
           (interval.high - interval.low) / 2 <= precision * fabs(sample.mean);
}

bool
study_wants_more(const Study *study, const Scenario *scenario)
{
    const ScenarioReplications *rule = &scenario->replications;
    for (guint i = 0; i < study->thresholds->len; i++) {
        const ThresholdOutcome *outcome = g_ptr_array_index(study->thresholds, i);
        if (outcome->verdict == THRESHOLD_INCONCLUSIVE) {
            return true;
        }
    }
    for (guint i = 0; rule->relative_precision > 0 && i < study->series->len; i++) {
        const MetricSeries *series = g_ptr_array_index(study->series, i);
        if (is_stopping(series) &&
            !is_precise(series, rule->confidence, rule->relative_precision)) {
            return true;
        }
    }
    return false;
}

/* ---- running ---- */

/* DIR/rep-<k>/NAME, with its directory; NULL with an error. */
static char *
replication_path(const char *in, uint32_t replication, const char *name, GError **error)
{
    g_autofree char *dir = g_strdup_printf("%s/rep-%u", in, replication);
    if (g_mkdir_with_parents(dir, 0777) != 0) {
        error_set_errno(error, errno, "create directory %s", dir);
        return NULL;
    }
    return g_build_filename(dir, name, NULL);
}

/* The files of one replication; NULL where none is wanted. */
typedef struct Files {
    Events *events;
    UsageLog *usage;
} Files;

static void
files_discard(Files *files)
{
    g_clear_pointer(&files->events, events_discard);
    g_clear_pointer(&files->usage, usage_log_discard);
}

static bool
open_usage(Files *files, const Batch *batch, World *world, uint32_t replication, GError **error)
{
    g_autofree char *path =
        replication_path(batch->options->usage_dir, replication, "usage.csv", error);
    nsec_t interval = batch->scenario->scrape_interval;
    files->usage = path != NULL ? usage_log_open(path, world, interval, error) : NULL;
    return files->usage != NULL;
}

static bool
open_events(Files *files, const Batch *batch, uint64_t seed, uint32_t replication, GError **error)
{
    g_autofree char *path =
        replication_path(batch->options->events_dir, replication, "events.jsonl", error);
    const char *name = batch->scenario->name;
    files->events = path != NULL ? events_open(path, name, seed, replication, error) : NULL;
    return files->events != NULL;
}

static bool
files_open(Files *files, const Batch *batch, World *world, uint64_t seed, uint32_t replication,
           GError **error)
{
    if ((batch->options->events_dir != NULL &&
         !open_events(files, batch, seed, replication, error)) ||
        (batch->options->usage_dir != NULL &&
         !open_usage(files, batch, world, replication, error))) {
        files_discard(files);
        return false;
    }
    return true;
}

static bool
files_close(Files *files, GError **error)
{
    bool closed = files->events == NULL || events_close(g_steal_pointer(&files->events), error);
    closed =
        closed && (files->usage == NULL || usage_log_close(g_steal_pointer(&files->usage), error));
    files_discard(files); /* what is left after a failure */
    return closed;
}

/* How far one replication is; long ones say so as they go. */
typedef struct Share {
    double told;
    gint64 last; /* monotonic, us */
} Share;

#define SHARE_PERIOD 100000 /* us */

static void
tell_share(Batch *batch, Share *share, double done)
{
    gint64 now = g_get_monotonic_time();
    if (batch->options->progress == NULL || now - share->last < SHARE_PERIOD) {
        return;
    }
    share->last = now;
    g_mutex_lock(&batch->lock);
    batch->part += done - share->told;
    share->told = done;
    batch->options->progress(batch->options->data, batch->done + batch->part, batch->total);
    g_mutex_unlock(&batch->lock);
}

#define MAX_SLICE (10 * NSEC_PER_SEC) /* of simulated time without a look at interrupts */

static void
run_world(Batch *batch, World *world, const Recovery *recovery, Share *share)
{
    nsec_t duration = batch->scenario->duration,
           slice = CLAMP(duration / 64, NSEC_PER_SEC, MAX_SLICE);
    nsec_t after = batch->scenario->fast_forward;
    if (after == 0) {
        for (nsec_t t = 0; t < duration && !is_interrupted(batch);) {
            t = MIN(t + slice, duration);
            world_run(world, t);
            tell_share(batch, share, (double)t / (double)duration);
        }
        return;
    }
    FastForward *forward = fast_forward_new(world, recovery, after, duration);
    while (world_now(world) < duration && !is_interrupted(batch)) {
        world_run(world, MIN(world_now(world) + after / 4, duration));
        fast_forward_look(forward);
        tell_share(batch, share, (double)world_now(world) / (double)duration);
    }
    fast_forward_free(forward);
}

static nsec_t
first_strike(const Scenario *scenario)
{
    nsec_t first = NSEC_NEVER;
    for (guint i = 0; i < scenario->n_faults; i++) {
        first = MIN(first, scenario->faults[i].start_time);
    }
    return first;
}

/* What observes one replication. */
typedef struct Observers {
    Timeline *timeline;
    Recovery *recovery;
    Phases *phases;
    ChainWatch *watch;
    TrafficRun *traffic;
    Fingerprint fingerprint;
} Observers;

static void
observers_init(Observers *observers, const Batch *batch, World *world, Files *files,
               uint32_t replication)
{
    const Scenario *scenario = batch->scenario;
    observers->timeline = timeline_new(first_strike(scenario));
    observers->recovery = recovery_new(scenario, batch->chains);
    observers->phases = phases_new(world, scenario, batch->chains, observers->recovery);
    observers->watch = chain_watch_new(world, scenario, batch->chains);
    observers->traffic = traffic_run_new(world, scenario, batch->chains, observers->watch);
    world_add_sink(world, timeline_sink(observers->timeline));
    world_add_sink(world, recovery_sink(observers->recovery));
    world_add_sink(world, phases_sink(observers->phases));
    if (files->events != NULL) {
        world_add_sink(world, events_sink(files->events));
    }
    fingerprint_init(&observers->fingerprint);
    if (replication == 0) {
        world_add_sink(world, fingerprint_sink(&observers->fingerprint));
    }
    /* last: it leaves marks of its own */
    world_add_sink(world, chain_watch_sink(observers->watch));
}

static void
observers_clear(Observers *observers)
{
    timeline_free(observers->timeline);
    traffic_run_free(observers->traffic);
    chain_watch_free(observers->watch);
    phases_free(observers->phases);
    recovery_free(observers->recovery);
}

/* Borrowed strings in an array of their own. */
static const char **
client_ports(const Batch *batch, const ChainWatch *watch)
{
    guint n = batch->chains->chains->len;
    const char **ports = g_new0(const char *, n + 1);
    for (guint i = 0; i < n; i++) {
        ports[i] = chain_watch_port(watch, i);
    }
    return ports;
}

static Outcome *
run_one(Batch *batch, uint32_t replication, Share *share, GError **error)
{
    uint64_t seed = seed_of(batch);
    Files files = {0};
    World *world = world_new(batch->scenario, seed, replication);
    if (!files_open(&files, batch, world, seed, replication, error)) {
        world_free(world);
        return NULL;
    }
    world_set_chains(world, batch->chains);
    Observers observers;
    observers_init(&observers, batch, world, &files, replication);
    run_world(batch, world, observers.recovery, share);
    recovery_finish(observers.recovery, world_now(world));
    if (replication == 0) { /* one thread gets here */
        batch->study->fingerprint = fingerprint_value(&observers.fingerprint);
    }
    g_autofree const char **ports = client_ports(batch, observers.watch);
    OutcomeSources sources = {observers.timeline, observers.recovery, ports};
    Outcome *outcome =
        outcome_collect(world, batch->scenario, batch->chains, &sources, seed, replication);
    phases_collect(observers.phases, outcome);
    chain_watch_collect(observers.watch, outcome);
    traffic_run_collect(observers.traffic, outcome);
    traffic_run_stop(observers.traffic);
    if (files.usage != NULL) {
        usage_log_end(files.usage);
    }
    world_free(world);
    observers_clear(&observers);
    if (is_interrupted(batch)) {
        files_discard(&files);
    } else if (!files_close(&files, error)) {
        outcome_free(outcome);
        return NULL;
    }
    return outcome;
}

static void
work(gpointer data, gpointer user)
{
    Batch *batch = user;
    uint32_t replication = GPOINTER_TO_UINT(data) - 1;
    if (is_interrupted(batch) || batch->error != NULL) {
        return;
    }
    GError *error = NULL;
    Share share = {.last = g_get_monotonic_time()};
    Outcome *outcome = run_one(batch, replication, &share, &error);
    g_mutex_lock(&batch->lock);
    batch->part -= share.told;
    batch->slots[replication] = outcome;
    if (outcome != NULL) {
        absorb(batch->study, outcome, replication - (guint)batch->first);
    }
    if (error != NULL && batch->error == NULL) {
        batch->error = g_steal_pointer(&error);
    }
    batch->done++;
    if (batch->options->progress != NULL) {
        batch->options->progress(batch->options->data, batch->done + batch->part, batch->total);
    }
    g_mutex_unlock(&batch->lock);
    g_clear_error(&error);
}

static bool
run_range(Batch *batch, int from, int to, GError **error)
{
    guint jobs = batch->options->jobs != 0 ? batch->options->jobs : g_get_num_processors();
    jobs = MIN(jobs, (guint)(to - from));
    batch->total = to;
    GThreadPool *pool = g_thread_pool_new(work, batch, (gint)jobs, true, error);
    if (pool == NULL) {
        return false;
    }
    for (int k = from; k < to; k++) {
        g_thread_pool_push(pool, GUINT_TO_POINTER((guint)k + 1), NULL);
    }
    g_thread_pool_free(pool, false, true);
    if (batch->error != NULL) {
        g_propagate_error(error, g_steal_pointer(&batch->error));
        return false;
    }
    if (is_interrupted(batch)) {
        return error_set(error, VWIRE_ERROR_SYSTEM, "interrupted");
    }
    return true;
}

/* ---- the study ---- */

Study *
study_new(void)
{
    Study *study = g_new0(Study, 1);
    study->outcomes = g_ptr_array_new_with_free_func((GDestroyNotify)outcome_free);
    study->series = g_ptr_array_new_with_free_func(series_free);
    study->index = g_hash_table_new(g_str_hash, g_str_equal);
    study->thresholds = g_ptr_array_new_with_free_func(threshold_outcome_free);
    return study;
}

void
study_take(Study *study, const Scenario *scenario, Outcome **take, guint n)
{
    for (guint k = 0; k < n; k++) {
        absorb(study, take[k], study->outcomes->len + k);
    }
    append_outcomes(study, take, n);
    judge_all(study, scenario);
}

static bool
run_study(Study *study, Batch *batch, int first, int count, int max, GError **error)
{
    int from = first, to = first + count;
    for (;;) {
        if (!run_range(batch, from, to, error)) {
            return false;
        }
        append_outcomes(study, &batch->slots[from], (guint)(to - from));
        judge_all(study, batch->scenario);
        bool more =
            batch->options->only < 0 && to < max && study_wants_more(study, batch->scenario);
        if (!more) {
            return true;
        }
        from = to;
        to = MIN(to + MAX(EXTRA_STEP, to / 10), max);
    }
}

Study *
replicate(const Scenario *scenario, const Chains *chains, const ReplicateOptions *options,
          GError **error)
{
    int count = options->count > 0 ? options->count : scenario->replications.count;
    int max = MAX(count, options->count > 0 ? count : scenario->replications.max);
    int first = 0;
    if (options->only >= 0) {
        first = options->only;
        count = 1;
        max = first + 1;
    }
    Study *study = study_new();
    Batch batch = {
        .scenario = scenario, .chains = chains, .options = options, .study = study, .first = first};
    g_mutex_init(&batch.lock);
    batch.slots = g_new0(Outcome *, MAX(max, first + count));
    bool ok = run_study(study, &batch, first, count, max, error);
    for (int k = 0; k < MAX(max, first + count); k++) {
        outcome_free(batch.slots[k]);
    }
    g_free(batch.slots);
    g_mutex_clear(&batch.lock);
    if (!ok) {
        study_free(study);
        return NULL;
    }
    return study;
}

void
study_free(Study *study)
{
    if (study == NULL) {
        return;
    }
    g_ptr_array_unref(study->outcomes);
    g_hash_table_unref(study->index);
    g_ptr_array_unref(study->series);
    g_ptr_array_unref(study->thresholds);
    g_free(study);
}

const MetricSeries *
study_series(const Study *study, const char *metric)
{
    return g_hash_table_lookup(study->index, metric);
}
