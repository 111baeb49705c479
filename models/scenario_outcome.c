/* How often a scenario runs, what is judged, and what is written: replications, thresholds,
 * outputs. */
#include "models/document.h"
#include "models/metric.h"
#include "models/metric_names.h"
#include "models/scenario_parts.h"

#include <math.h>
#include <string.h>

#define DEFAULT_CONFIDENCE 0.95
#define DEFAULT_MAX 100
#define MAX_REPLICATIONS 1000000
#define DEFAULT_DIRECTORY "results/${scenario}"
#define DEFAULT_SCRAPE_INTERVAL (15 * NSEC_PER_SEC) /* kube-prometheus-stack's on the testbed */

/* ------ replications ------ */

static bool
read_seed_set(const TreeNode *node, bool *repetition, GError **error)
{
    const char *text = NULL;
    if (node == NULL) {
        return true;
    }
    if (!tree_read_string(node, &text, error)) {
        return false;
    }
    *repetition = g_str_equal(text, "repetition");
    if (!*repetition && !g_str_equal(text, "different")) {
        return tree_error(error, node, VWIRE_ERROR_INVALID,
                          "found the seedSet \"%s\"; expected repetition or different", text);
    }
    return true;
}

/* A share between 0 and 1, both excluded. */
static bool
read_share(const TreeNode *node, const char *what, double *out, GError **error)
{
    double share = 0;
    if (node == NULL) {
        return true;
    }
    if (!tree_read_double(node, &share, error)) {
        return false;
    }
    if (!(share > 0 && share < 1)) {
        return tree_error(error, node, VWIRE_ERROR_INVALID,
                          "%s: found %s; expected a number between 0 and 1", what, node->text);
    }
    *out = share;
    return true;
}

static bool
read_count(const TreeNode *node, int64_t *out, GError **error)
{
    return node == NULL || tree_read_int(node, 1, MAX_REPLICATIONS, out, error);
}

bool
scenario_replications_read(const TreeNode *node, ScenarioReplications *out, GError **error)
{
    static const char *const KEYS[] = {"count", "seedSet", "confidence", "relativePrecision",
                                       "max",   NULL};
    int64_t count = 1, max = DEFAULT_MAX;
    ScenarioReplications read = {.seed_set_repetition = true, .confidence = DEFAULT_CONFIDENCE};
    if (!tree_is_null(node) &&
        (!tree_expect(node, TREE_MAPPING, "replications", error) ||
         !tree_check_keys(node, KEYS, "spec.replications", error) ||
         !read_count(tree_get(node, "count"), &count, error) ||
         !read_count(tree_get(node, "max"), &max, error) ||
         !read_seed_set(tree_get(node, "seedSet"), &read.seed_set_repetition, error) ||
         !read_share(tree_get(node, "confidence"), "confidence", &read.confidence, error) ||
         !read_share(tree_get(node, "relativePrecision"), "relativePrecision",
                     &read.relative_precision, error))) {
        return false;
    }
    if (max < count && tree_get(node, "max") != NULL) {
        return tree_error(error, tree_get(node, "max"), VWIRE_ERROR_INVALID,
                          "max: found %" G_GINT64_FORMAT
                          "; expected at least the count, %" G_GINT64_FORMAT,
                          max, count);
    }
    read.count = (int)count;
    read.max = (int)MAX(max, count);
    *out = read;
    return true;
}

/* ------ thresholds ------ */

static void
threshold_clear(void *data)
{
    ScenarioThreshold *threshold = data;
    g_free(threshold->metric);
    g_free(threshold->text);
    scenario_mark_clear(&threshold->mark);
}

static bool
add_threshold(GArray *thresholds, const char *metric, const TreeNode *node, GError **error)
{
    const char *text = NULL;
    Threshold parsed;
    g_autoptr(GError) cause = NULL;
    if (!tree_read_string(node, &text, error)) {
        return false;
    }
    if (!threshold_parse(text, &parsed, &cause)) {
        return tree_error(error, node, VWIRE_ERROR_PARSE, "%s", cause->message);
    }
    ScenarioThreshold threshold = {.metric = g_strdup(metric),
                                   .text = g_strdup(text),
                                   .threshold = parsed,
                                   .mark = scenario_mark_of(node)};
    g_array_append_val(thresholds, threshold);
    return true;
}

/* Refuses names that no run gives. */
static bool
check_metric_name(const MetricKey *key, const TreeNode *node, GError **error)
{
    const MetricName *known = metric_name_find(key->name);
    if (known == NULL) {
        g_autoptr(GPtrArray) names = g_ptr_array_new();
        for (const MetricName *metric = metric_names; metric->name != NULL; metric++) {
            g_ptr_array_add(names, (char *)metric->name);
        }
        g_ptr_array_add(names, NULL);
        const char *near = tree_nearest(key->name, (const char *const *)names->pdata);
        return tree_error_mark(error, &node->key_mark, VWIRE_ERROR_INVALID,
                               "no run gives the metric %s%s%s%s", key->name,
                               near != NULL ? "; did you mean \"" : "", near != NULL ? near : "",
                               near != NULL ? "\"?" : "");
    }
    for (guint i = 0; i < key->labels->len; i++) {
        const char *label = g_array_index(key->labels, MetricLabel, i).name;
        if (!metric_name_has_label(known, label)) {
            g_autofree char *list = g_strjoinv(", ", (char **)known->labels);
            return tree_error_mark(error, &node->key_mark, VWIRE_ERROR_INVALID,
                                   "%s has no label \"%s\"; expected %s", key->name, label,
                                   *list != '\0' ? list : "none");
        }
    }
    return true;
}

/* All thresholds of one metric: a string or a list of them. */
static bool
read_metric(GArray *thresholds, const char *metric, const TreeNode *node, GError **error)
{
    g_autoptr(GError) cause = NULL;
    g_autoptr(MetricKey) key = metric_key_parse(metric, &cause);
    if (key == NULL) {
        return tree_error_mark(error, &node->key_mark, VWIRE_ERROR_PARSE, "%s", cause->message);
    }
    if (!check_metric_name(key, node, error)) {
        return false;
    }
    if (node->kind == TREE_SCALAR) {
        return add_threshold(thresholds, metric, node, error);
    }
    if (!tree_expect(node, TREE_SEQUENCE, metric, error)) {
        return false;
    }
    if (tree_size(node) == 0) {
        return tree_error(error, node, VWIRE_ERROR_INVALID,
                          "%s: expected at least one threshold such as \"avg<8.5\"", metric);
    }
    for (guint i = 0; i < tree_size(node); i++) {
        if (!add_threshold(thresholds, metric, tree_item(node, i), error)) {
            return false;
        }
    }
    return true;
}

bool
scenario_thresholds_read(const TreeNode *node, Scenario *out, GError **error)
{
    if (tree_is_null(node)) {
        return true;
    }
    if (!tree_expect(node, TREE_MAPPING, "thresholds", error)) {
        return false;
    }
    g_autoptr(GArray) thresholds = g_array_new(FALSE, FALSE, sizeof(ScenarioThreshold));
    g_array_set_clear_func(thresholds, threshold_clear);
    for (guint i = 0; i < tree_size(node); i++) {
        if (!read_metric(thresholds, tree_key(node, i), tree_item(node, i), error)) {
            return false;
        }
    }
    out->n_thresholds = thresholds->len;
    out->thresholds = g_array_steal(thresholds, NULL);
    return true;
}

/* ------ what labels of thresholds speak of ------ */

/* The values that a label may have in this scenario; NULL: not known here. */
static GPtrArray *
label_values(const char *label, const Chains *chains, const Scenario *scenario)
{
    g_autoptr(GPtrArray) values = g_ptr_array_new();
    if (g_str_equal(label, "chain")) {
        for (guint i = 0; i < chains->chains->len; i++) {
            g_ptr_array_add(values, ((Chain *)g_ptr_array_index(chains->chains, i))->name);
        }
    } else if (g_str_equal(label, "fault")) {
        for (guint i = 0; i < scenario->n_faults; i++) {
            g_ptr_array_add(values, scenario->faults[i].name);
        }
    } else if (g_str_equal(label, "probe")) {
        for (guint i = 0; i < scenario->n_traffic; i++) {
            if (traffic_is_probe(&scenario->traffic[i])) {
                g_ptr_array_add(values, scenario->traffic[i].name);
            }
        }
    } else if (g_str_equal(label, "flow")) {
        for (guint i = 0; i < scenario->n_traffic; i++) {
            g_ptr_array_add(values, scenario->traffic[i].name);
        }
    } else if (g_str_equal(label, "node")) {
        for (guint i = 0; i < scenario->n_nodes; i++) {
            g_ptr_array_add(values, scenario->nodes[i].name);
        }
    } else {
        return NULL;
    }
    g_ptr_array_add(values, NULL);
    return g_steal_pointer(&values);
}

static bool
check_label(const MetricLabel *label, const TreeNode *node, const Chains *chains,
            const Scenario *scenario, GError **error)
{
    g_autoptr(GPtrArray) values = label_values(label->name, chains, scenario);
    if (values == NULL || *label->value == '\0' ||
        g_strv_contains((const char *const *)values->pdata, label->value)) {
        return true;
    }
    const char *near = tree_nearest(label->value, (const char *const *)values->pdata);
    return tree_error_mark(error, &node->key_mark, VWIRE_ERROR_INVALID,
                           "the scenario has no %s \"%s\"%s%s%s", label->name, label->value,
                           near != NULL ? "; did you mean \"" : "", near != NULL ? near : "",
                           near != NULL ? "\"?" : "");
}

bool
scenario_thresholds_check(const TreeNode *node, const Chains *chains, const Scenario *scenario,
                          GError **error)
{
    for (guint i = 0; i < tree_size(node); i++) {
        g_autoptr(MetricKey) key = metric_key_parse(tree_key(node, i), NULL);
        for (guint k = 0; k < key->labels->len; k++) {
            if (!check_label(&g_array_index(key->labels, MetricLabel, k), tree_item(node, i),
                             chains, scenario, error)) {
                return false;
            }
        }
    }
    return true;
}

/* ------ references ------ */

static void
reference_clear(void *data)
{
    ScenarioReference *reference = data;
    g_free(reference->metric);
    g_free(reference->source);
}

static bool
read_bound(const TreeNode *node, double *out, GError **error)
{
    *out = NAN;
    return node == NULL || tree_read_double(node, out, error);
}

static bool
read_reference(GArray *references, const char *metric, const TreeNode *node, GError **error)
{
    static const char *const KEYS[] = {"mean", "min", "max", "source", NULL};
    ScenarioReference reference = {0};
    if (!tree_expect(node, TREE_MAPPING, metric, error) ||
        !tree_check_keys(node, KEYS, "spec.references", error) ||
        !read_bound(tree_get(node, "min"), &reference.min, error) ||
        !read_bound(tree_get(node, "max"), &reference.max, error)) {
        return false;
    }
    const TreeNode *mean = tree_get(node, "mean");
    if (mean == NULL) {
        return tree_error(error, node, VWIRE_ERROR_INVALID, "%s: expected a mean", metric);
    }
    const char *source = document_require_string(node, "source", "spec.references", error);
    if (source == NULL || !tree_read_double(mean, &reference.mean, error)) {
        return false;
    }
    reference.metric = g_strdup(metric);
    reference.source = g_strdup(source);
    g_array_append_val(references, reference);
    return true;
}

bool
scenario_references_read(const TreeNode *node, Scenario *out, GError **error)
{
    if (tree_is_null(node)) {
        return true;
    }
    if (!tree_expect(node, TREE_MAPPING, "references", error)) {
        return false;
    }
    g_autoptr(GArray) references = g_array_new(FALSE, FALSE, sizeof(ScenarioReference));
    g_array_set_clear_func(references, reference_clear);
    for (guint i = 0; i < tree_size(node); i++) {
        if (!read_reference(references, tree_key(node, i), tree_item(node, i), error)) {
            return false;
        }
    }
    out->n_references = references->len;
    out->references = g_array_steal(references, NULL);
    return true;
}

/* ------ outputs ------ */

/* Replaces ${scenario}; any other ${...} is an error at `at`. */
static char *
expand_directory(const char *text, const char *scenario, const TreeNode *at, GError **error)
{
    static const char VARIABLE[] = "${scenario}";
    g_autoptr(GString) directory = g_string_new(NULL);
    for (const char *rest = text; *rest != '\0';) {
        if (g_str_has_prefix(rest, VARIABLE)) {
            g_string_append(directory, scenario);
            rest += strlen(VARIABLE);
            continue;
        }
        if (g_str_has_prefix(rest, "${")) {
            tree_error(error, at, VWIRE_ERROR_INVALID,
                       "dir: found \"%s\"; the only variable is ${scenario}", rest);
            return NULL;
        }
        g_string_append_c(directory, *rest++);
    }
    return g_string_free(g_steal_pointer(&directory), FALSE);
}

static bool
read_directory(const TreeNode *outputs, Scenario *out, GError **error)
{
    const TreeNode *node = tree_get(outputs, "dir");
    const char *text = DEFAULT_DIRECTORY;
    if (node != NULL) {
        text = document_require_string(outputs, "dir", "spec.outputs", error);
    }
    out->output_dir = text == NULL ? NULL : expand_directory(text, out->name, node, error);
    return out->output_dir != NULL;
}

static bool
read_format(const TreeNode *node, Scenario *out, GError **error)
{
    const char *format = NULL;
    if (!tree_read_string(node, &format, error)) {
        return false;
    }
    if (g_str_equal(format, "runs.csv")) {
        out->output_runs = true;
    } else if (g_str_equal(format, "events.jsonl")) {
        out->output_events = true;
    } else if (g_str_equal(format, "usage.csv")) {
        out->output_usage = true;
    } else if (g_str_equal(format, "openmetrics") || g_str_equal(format, "junit.xml")) {
        scenario_warn(out, node, "the format %s is not written by this version", format);
    } else if (!g_str_equal(format, "summary.json")) {
        return tree_error(error, node, VWIRE_ERROR_INVALID,
                          "found the format \"%s\"; expected summary.json, runs.csv, events.jsonl, "
                          "usage.csv, openmetrics or junit.xml",
                          format);
    }
    return true;
}

static bool
read_formats(const TreeNode *formats, Scenario *out, GError **error)
{
    if (tree_is_null(formats)) {
        out->output_runs = true;
        out->output_events = true;
        return true;
    }
    if (!tree_expect(formats, TREE_SEQUENCE, "formats", error)) {
        return false;
    }
    for (guint i = 0; i < tree_size(formats); i++) {
        if (!read_format(tree_item(formats, i), out, error)) {
            return false;
        }
    }
    return true;
}

static bool
read_scrape_interval(const TreeNode *node, Scenario *out, GError **error)
{
    out->scrape_interval = DEFAULT_SCRAPE_INTERVAL;
    return scenario_read_time(node, "scrapeInterval", &out->scrape_interval, error);
}

bool
scenario_outputs_read(const TreeNode *node, Scenario *out, GError **error)
{
    static const char *const KEYS[] = {"dir", "formats", "scrapeInterval", NULL};
    if (!tree_is_null(node) && (!tree_expect(node, TREE_MAPPING, "outputs", error) ||
                                !tree_check_keys(node, KEYS, "spec.outputs", error))) {
        return false;
    }
    return read_directory(node, out, error) &&
           read_formats(tree_get(node, "formats"), out, error) &&
           read_scrape_interval(tree_get(node, "scrapeInterval"), out, error);
}

void
scenario_outcome_clear(Scenario *scenario)
{
    for (guint i = 0; i < scenario->n_thresholds; i++) {
        threshold_clear(&scenario->thresholds[i]);
    }
    g_clear_pointer(&scenario->thresholds, g_free);
    for (guint i = 0; i < scenario->n_references; i++) {
        reference_clear(&scenario->references[i]);
    }
    g_clear_pointer(&scenario->references, g_free);
    g_clear_pointer(&scenario->output_dir, g_free);
}
