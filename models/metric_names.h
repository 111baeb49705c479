/* Every metric that a run can give: its name, the labels of its keys, its unit, what it means.
 *
 * Thresholds are checked against this table, so that a slip in a name is found before anything
 * runs; results take their units from it. */
#pragma once

#include <stdbool.h>

typedef struct MetricName {
    const char *name;
    const char *labels[4]; /* NULL-terminated */
    const char *unit;      /* "s", "bytes", "bit/s", "cores"; "" for a number or a share */
    const char *meaning;
} MetricName;

/* Ends with an entry without a name. */
extern const MetricName metric_names[];

/* NULL: no run gives it. */
const MetricName *metric_name_find(const char *name);

/* Whether keys of the metric have that label. */
bool metric_name_has_label(const MetricName *metric, const char *label);
