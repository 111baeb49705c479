/* Metric keys: a metric's name and its labels, written `name{label="value",...}`.
 *
 * Syntax and escapes are those of the Prometheus text exposition format: names
 * [a-zA-Z_:][a-zA-Z0-9_:]*, labels [a-zA-Z_][a-zA-Z0-9_]*, in values \\ \" and \n.  Labels are kept
 * sorted by name, so that equal keys have equal texts.  The same syntax selects: a threshold's
 * selector matches every key of its name that has its labels, whatever other labels the key has. */
#pragma once

#include "base/error.h"

typedef struct MetricLabel {
    char *name;
    char *value;
} MetricLabel;

typedef struct MetricKey {
    char *name;
    GArray *labels; /* of MetricLabel, by name, each name once */
} MetricKey;

/* `name` is a valid metric name. */
MetricKey *metric_key_new(const char *name);
void metric_key_free(MetricKey *key);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MetricKey, metric_key_free)

/* Adds a label or replaces its value.  `name` is a valid label name, `value` any UTF-8 text. */
void metric_key_set_label(MetricKey *key, const char *name, const char *value);

/* The label's value, or NULL. */
const char *metric_key_label(const MetricKey *key, const char *name);

/* Reads a key or selector; blanks are allowed between its parts, and a comma after the last label.
 * NULL with an error (PARSE) that gives the column, what was found and what was expected; a label
 * that comes twice is an error. */
MetricKey *metric_key_parse(const char *text, GError **error);

/* The text that reads back equal: without labels the bare name; free with g_free. */
char *metric_key_format(const MetricKey *key);

/* Whether the key has the selector's name and all its labels.  As in PromQL, a label selected with
 * an empty value matches keys that have it empty or not at all. */
bool metric_key_matches(const MetricKey *key, const MetricKey *selector);
