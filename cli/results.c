/* Result files. */
#include "cli/results.h"

#include "sim/fingerprint.h"
#include "sim/packets.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <glib/gstdio.h>
#include <math.h>

static cJSON *
metric_json(const MetricSeries *series, double confidence)
{
    g_auto(Sample) sample = {0}, pooled = {0};
    series_values(series, &sample);
    series_pooled(series, &pooled);
    cJSON *item = cJSON_CreateObject();
    cJSON_AddStringToObject(item, "unit", series->unit);
    cJSON_AddNumberToObject(item, "n", (double)sample.n);
    cJSON_AddNumberToObject(item, "mean", sample.mean);
    Interval interval;
    if (sample_mean_interval(&sample, confidence, &interval)) {
        double ends[2] = {interval.low, interval.high};
        cJSON_AddItemToObject(item, "ci", cJSON_CreateDoubleArray(ends, 2));
    } else {
        cJSON_AddNullToObject(item, "ci");
    }
    cJSON_AddNumberToObject(item, "min", pooled.min);
    cJSON_AddNumberToObject(item, "max", pooled.max);
    cJSON_AddNumberToObject(item, "p50", sample_quantile(&pooled, 0.5));
    cJSON_AddNumberToObject(item, "p95", sample_quantile(&pooled, 0.95));
    return item;
}

static cJSON *
thresholds_json(const Study *study)
{
    cJSON *items = cJSON_CreateArray();
    for (guint i = 0; i < study->thresholds->len; i++) {
        const ThresholdOutcome *outcome = g_ptr_array_index(study->thresholds, i);
        cJSON *item = cJSON_CreateObject();
        cJSON_AddStringToObject(item, "metric", outcome->metric);
        cJSON_AddStringToObject(item, "expr", outcome->expr);
        cJSON_AddStringToObject(item, "verdict", threshold_verdict_name(outcome->verdict));
        cJSON_AddStringToObject(item, "message", outcome->message);
        cJSON_AddItemToArray(items, item);
    }
    return items;
}

static cJSON *
mean_phases_json(const Study *study, guint chain)
{
    cJSON *phases = cJSON_CreateObject();
    for (int phase = 0; phase < N_PHASES; phase++) {
        g_auto(Sample) sample = {0};
        for (guint k = 0; k < study->outcomes->len; k++) {
            const Outcome *outcome = g_ptr_array_index(study->outcomes, k);
            const ChainOutcome *one = g_ptr_array_index(outcome->chains, chain);
            if (one->has_phases) {
                sample_add(&sample, one->phases[phase]);
            }
        }
        if (sample.n > 0) {
            cJSON_AddNumberToObject(phases, outcome_phase_name((OutcomePhase)phase), sample.mean);
        }
    }
    return phases;
}

static cJSON *
wires_json(const ChainOutcome *chain)
{
    cJSON *items = cJSON_CreateArray();
    for (guint i = 0; i < chain->wires->len; i++) {
        const WireOutcome *wire = g_ptr_array_index(chain->wires, i);
        cJSON *item = cJSON_CreateObject();
        cJSON_AddStringToObject(item, "from", wire->from);
        cJSON_AddStringToObject(item, "to", wire->to);
        cJSON_AddStringToObject(item, "kind", wire->kind);
        cJSON_AddNumberToObject(item, "forwardIn", (double)wire->forward_in);
        cJSON_AddNumberToObject(item, "forwardOut", (double)wire->forward_out);
        cJSON_AddNumberToObject(item, "backIn", (double)wire->back_in);
        cJSON_AddNumberToObject(item, "backOut", (double)wire->back_out);
        cJSON_AddNumberToObject(item, "bytes", (double)wire->bytes);
        cJSON_AddNumberToObject(item, "dropped", (double)wire->n_dropped);
        cJSON_AddNumberToObject(item, "denied", (double)wire->n_denied);
        cJSON_AddItemToArray(items, item);
    }
    return items;
}

static cJSON *
chains_json(const Study *study)
{
    cJSON *items = cJSON_CreateArray();
    const Outcome *first = g_ptr_array_index(study->outcomes, 0);
    for (guint c = 0; c < first->chains->len; c++) {
        const ChainOutcome *chain = g_ptr_array_index(first->chains, c);
        cJSON *item = cJSON_CreateObject();
        cJSON_AddStringToObject(item, "chain", chain->chain->name);
        cJSON_AddStringToObject(item, "path", chain->path);
        guint n_up = 0;
        for (guint k = 0; k < study->outcomes->len; k++) {
            const Outcome *outcome = g_ptr_array_index(study->outcomes, k);
            n_up += ((const ChainOutcome *)g_ptr_array_index(outcome->chains, c))->problem == NULL;
        }
        cJSON_AddNumberToObject(item, "replicationsUp", n_up);
        cJSON_AddItemToObject(item, "phases", mean_phases_json(study, c));
        if (chain->wires->len > 0) {
            cJSON_AddItemToObject(item, "wires", wires_json(chain));
        }
        cJSON_AddItemToArray(items, item);
    }
    return items;
}

/* Each problem once, with the replications that had it. */
/* Where the time of an iteration went, by place, in seconds. */
static cJSON *
places_json(const FlowOutcome *flow)
{
    cJSON *items = cJSON_CreateArray();
    for (guint i = 0; i < flow->places->len; i++) {
        const FlowPlace *place = g_ptr_array_index(flow->places, i);
        cJSON *item = cJSON_CreateObject();
        cJSON_AddStringToObject(item, "place", place->place);
        for (int part = 0; part < N_DELAY_PARTS; part++) {
            cJSON_AddNumberToObject(item, delay_part_name((DelayPart)part),
                                    place->parts[part] / 1e9);
        }
        cJSON_AddItemToArray(items, item);
    }
    return items;
}

static cJSON *
drops_json(const FlowOutcome *flow)
{
    cJSON *items = cJSON_CreateArray();
    for (guint i = 0; i < flow->drops->len; i++) {
        const FlowDrop *drop = g_ptr_array_index(flow->drops, i);
        cJSON *item = cJSON_CreateObject();
        cJSON_AddStringToObject(item, "place", drop->place);
        cJSON_AddStringToObject(item, "reason", drop->what);
        cJSON_AddNumberToObject(item, "packets", (double)drop->n);
        cJSON_AddItemToArray(items, item);
    }
    return items;
}

static cJSON *
bottlenecks_json(const FlowOutcome *flow)
{
    cJSON *items = cJSON_CreateArray();
    for (guint i = 0; i < flow->bottlenecks->len; i++) {
        const FlowBottleneck *one = g_ptr_array_index(flow->bottlenecks, i);
        cJSON *item = cJSON_CreateObject();
        cJSON_AddStringToObject(item, "place", one->place);
        cJSON_AddStringToObject(item, "what", one->what);
        cJSON_AddNumberToObject(item, "capacity", one->capacity);
        cJSON_AddStringToObject(item, "unit", one->unit);
        cJSON_AddNumberToObject(item, "utilisation", one->utilisation);
        cJSON_AddNumberToObject(item, "rate", one->rate);
        cJSON_AddNumberToObject(item, "rateIfDoubled", one->rate_if_doubled);
        cJSON_AddItemToArray(items, item);
    }
    return items;
}

/* Of the first replication. */
static cJSON *
flows_json(const Study *study)
{
    const Outcome *first = g_ptr_array_index(study->outcomes, 0);
    cJSON *items = cJSON_CreateArray();
    for (guint i = 0; i < first->flows->len; i++) {
        const FlowOutcome *flow = g_ptr_array_index(first->flows, i);
        cJSON *item = cJSON_CreateObject();
        cJSON_AddStringToObject(item, "flow", flow->name);
        if (flow->chain != NULL) {
            cJSON_AddStringToObject(item, "chain", flow->chain->name);
        }
        cJSON_AddItemToObject(item, "delays", places_json(flow));
        cJSON_AddItemToObject(item, "dropped", drops_json(flow));
        cJSON_AddItemToObject(item, "bottlenecks", bottlenecks_json(flow));
        cJSON_AddItemToArray(items, item);
    }
    return items;
}

static cJSON *
problems_json(const Study *study)
{
    cJSON *items = cJSON_CreateArray();
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint k = 0; k < study->outcomes->len; k++) {
        const Outcome *outcome = g_ptr_array_index(study->outcomes, k);
        for (guint i = 0; i < outcome->problems->len; i++) {
            const char *problem = g_ptr_array_index(outcome->problems, i);
            cJSON *item = g_hash_table_lookup(seen, problem);
            if (item == NULL) {
                item = cJSON_CreateObject();
                cJSON_AddStringToObject(item, "problem", problem);
                cJSON_AddArrayToObject(item, "replications");
                cJSON_AddItemToArray(items, item);
                g_hash_table_insert(seen, (char *)problem, item);
            }
            cJSON_AddItemToArray(cJSON_GetObjectItem(item, "replications"),
                                 cJSON_CreateNumber(outcome->replication));
        }
    }
    return items;
}

static cJSON *
point_json(const Scenario *scenario, const Study *study, uint64_t seed)
{
    cJSON *point = cJSON_CreateObject();
    cJSON_AddStringToObject(point, "name", "");
    cJSON_AddObjectToObject(point, "variables");
    cJSON_AddNumberToObject(point, "replications", study->outcomes->len);
    g_autofree char *digits = g_strdup_printf("%" G_GUINT64_FORMAT, seed);
    cJSON_AddRawToObject(point, "seed", digits); /* a double would lose the last ones */
    if (study->fingerprint != 0) {
        g_autofree char *fingerprint = fingerprint_format(study->fingerprint);
        cJSON_AddStringToObject(point, "fingerprint", fingerprint);
    }
    cJSON *metrics = cJSON_AddObjectToObject(point, "metrics");
    for (guint i = 0; i < study->series->len; i++) {
        const MetricSeries *series = g_ptr_array_index(study->series, i);
        cJSON_AddItemToObject(metrics, series->metric,
                              metric_json(series, scenario->replications.confidence));
    }
    cJSON_AddItemToObject(point, "thresholds", thresholds_json(study));
    cJSON_AddItemToObject(point, "chains", chains_json(study));
    if (((const Outcome *)g_ptr_array_index(study->outcomes, 0))->flows->len > 0) {
        cJSON_AddItemToObject(point, "flows", flows_json(study));
    }
    cJSON_AddItemToObject(point, "problems", problems_json(study));
    return point;
}

char *
results_summary(const Scenario *scenario, const Study *study, uint64_t seed)
{
    cJSON *summary = cJSON_CreateObject();
    cJSON_AddStringToObject(summary, "schema", "vwire/summary/v1");
    cJSON_AddStringToObject(summary, "scenario", scenario->name);
    cJSON_AddStringToObject(summary, "version", VWIRE_VERSION);
    cJSON *calibration = cJSON_AddObjectToObject(summary, "calibration");
    cJSON_AddStringToObject(calibration, "file", scenario->calibration->file);
    cJSON_AddStringToObject(calibration, "hash", scenario->calibration->hash);
    cJSON *points = cJSON_AddArrayToObject(summary, "points");
    cJSON_AddItemToArray(points, point_json(scenario, study, seed));
    char *text = cJSON_Print(summary);
    cJSON_Delete(summary);
    char *copy = g_strconcat(text, "\n", NULL);
    cJSON_free(text);
    return copy;
}

static void
append_csv(GString *line, const char *text)
{
    g_auto(GStrv) parts = g_strsplit(text, "\"", -1);
    g_autofree char *quoted = g_strjoinv("\"\"", parts);
    g_string_append_printf(line, "\"%s\"", quoted);
}

static char *
runs_csv(const Study *study)
{
    GString *text = g_string_new("replication,seed");
    for (guint i = 0; i < study->series->len; i++) {
        const MetricSeries *series = g_ptr_array_index(study->series, i);
        g_autofree char *title = *series->unit != '\0'
                                     ? g_strdup_printf("%s [%s]", series->metric, series->unit)
                                     : g_strdup(series->metric);
        g_string_append_c(text, ',');
        append_csv(text, title);
    }
    g_string_append_c(text, '\n');
    for (guint k = 0; k < study->outcomes->len; k++) {
        const Outcome *outcome = g_ptr_array_index(study->outcomes, k);
        g_string_append_printf(text, "%u,%" G_GUINT64_FORMAT, outcome->replication, outcome->seed);
        for (guint i = 0; i < study->series->len; i++) {
            const MetricSeries *series = g_ptr_array_index(study->series, i);
            double value = g_array_index(series->values, double, k);
            char number[G_ASCII_DTOSTR_BUF_SIZE] = "";
            if (!isnan(value)) {
                g_ascii_formatd(number, sizeof number, "%.9g", value);
            }
            g_string_append_printf(text, ",%s", number);
        }
        g_string_append_c(text, '\n');
    }
    return g_string_free(text, false);
}

static bool
write_file(const char *dir, const char *name, const char *text, GError **error)
{
    g_autofree char *path = g_build_filename(dir, name, NULL);
    g_autoptr(GError) inner = NULL;
    if (!g_file_set_contents(path, text, -1, &inner)) { /* a temporary name, then a rename */
        return error_set(error, VWIRE_ERROR_SYSTEM, "%s", inner->message);
    }
    return true;
}

bool
results_write(const char *dir, const Scenario *scenario, const Study *study, uint64_t seed,
              GError **error)
{
    if (g_mkdir_with_parents(dir, 0777) != 0) {
        return error_set_errno(error, errno, "create directory %s", dir);
    }
    g_autofree char *summary = results_summary(scenario, study, seed);
    g_autofree char *runs = runs_csv(study);
    return write_file(dir, "summary.json", summary, error) &&
           (!scenario->output_runs || write_file(dir, "runs.csv", runs, error));
}
