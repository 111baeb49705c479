/* What vwire run prints of faults: one table of all, then where the seconds of each went. */
#include "cli/cli.h"
#include "cli/report.h"

#include "models/recovery.h"

#include <stdio.h>
#include <string.h>

#define MAX_CASES 40          /* rows of the table */
#define MAX_CASES_EXPLAINED 4 /* of which the phases are shown */

static const MetricSeries *
case_series(const Study *study, const char *name, const MetricKey *of, const char *label,
            const char *value)
{
    g_autoptr(MetricKey) key = metric_key_new(name);
    metric_key_set_label(key, "chain", metric_key_label(of, "chain"));
    metric_key_set_label(key, "fault", metric_key_label(of, "fault"));
    if (label != NULL) {
        metric_key_set_label(key, label, value);
    }
    g_autofree char *text = metric_key_format(key);
    return study_series(study, text);
}

/* "7.68 [7.55, 7.81]"; "-" when nothing was observed. */
static char *
mean_text(const MetricSeries *series, double confidence, int digits)
{
    g_auto(Sample) sample = {0};
    if (series != NULL) {
        series_values(series, &sample);
    }
    if (sample.n == 0) {
        return g_strdup("-");
    }
    Interval interval;
    if (!sample_mean_interval(&sample, confidence, &interval)) {
        return g_strdup_printf("%.*f", digits, sample.mean);
    }
    return g_strdup_printf("%.*f [%.*f, %.*f]", digits, sample.mean, digits, interval.low, digits,
                           interval.high);
}

static char *
range_text(const MetricSeries *series)
{
    g_auto(Sample) sample = {0};
    if (series != NULL) {
        series_pooled(series, &sample);
    }
    return sample.n == 0 ? g_strdup("-") : g_strdup_printf("%.2f - %.2f", sample.min, sample.max);
}

static void
add_case(Table *table, const Scenario *scenario, const Study *study, const MetricKey *key)
{
    double confidence = scenario->replications.confidence;
    const MetricSeries *recovery = case_series(study, "sfc_recovery_seconds", key, NULL, NULL);
    char *cells[] = {
        mean_text(case_series(study, "sfc_detection_seconds", key, NULL, NULL), confidence, 3),
        mean_text(case_series(study, "sfc_outage_seconds", key, NULL, NULL), confidence, 2),
        mean_text(recovery, confidence, 2),
        range_text(recovery),
        mean_text(case_series(study, "sfc_heal_attempts", key, NULL, NULL), confidence, 1),
        mean_text(case_series(study, "sfc_echoes_lost", key, "probe", "1s"), confidence, 1),
        mean_text(case_series(study, "sfc_echoes_lost", key, "probe", "15s"), confidence, 1),
    };
    table_add(table, "%s|%s|%s|%s|%s|%s|%s|%s|%s", metric_key_label(key, "fault"),
              metric_key_label(key, "chain"), cells[0], cells[1], cells[2], cells[3], cells[4],
              cells[5], cells[6]);
    for (size_t i = 0; i < G_N_ELEMENTS(cells); i++) {
        g_free(cells[i]);
    }
}

static void
print_phases(const Scenario *scenario, const Study *study, const MetricKey *key)
{
    double means[N_RECOVERY_PHASES], total = 0;
    for (int phase = 0; phase < N_RECOVERY_PHASES; phase++) {
        const MetricSeries *series = case_series(study, "sfc_recovery_phase_seconds", key, "phase",
                                                 recovery_phase_name((RecoveryPhase)phase));
        g_auto(Sample) sample = {0};
        if (series == NULL) {
            return;
        }
        series_values(series, &sample);
        means[phase] = sample.mean;
        total += sample.mean;
    }
    if (total <= 0) { /* nothing was to be recovered */
        return;
    }
    printf("Where the seconds of %s went (chain %s)\n", metric_key_label(key, "fault"),
           metric_key_label(key, "chain"));
    Table *table = table_new("PHASE|>MEAN S|>SHARE|WHAT");
    for (int phase = 0; phase < N_RECOVERY_PHASES; phase++) {
        table_add(table, "%s|%.3f|%.0f %%|%s", recovery_phase_name((RecoveryPhase)phase),
                  means[phase], 100 * means[phase] / MAX(total, 1e-9),
                  recovery_phase_meaning((RecoveryPhase)phase));
    }
    table_add(table, "total|%.3f||the recovery", total);
    table_print(table);
    const MetricSeries *recovery = case_series(study, "sfc_recovery_seconds", key, NULL, NULL);
    print_reference(scenario, recovery->metric);
}

void
print_recovery(const Scenario *scenario, const Study *study)
{
    g_autoptr(GPtrArray) cases = g_ptr_array_new();
    for (guint i = 0; i < study->series->len; i++) {
        const MetricSeries *series = g_ptr_array_index(study->series, i);
        if (g_str_equal(series->key->name, "sfc_outage_seconds")) {
            g_ptr_array_add(cases, series->key);
        }
    }
    if (cases->len == 0) {
        return;
    }
    printf(
        "\nFaults and recovery, seconds since each strike (mean [%g %% confidence]); echoes lost "
        "by a look every 1 s and 15 s\n",
        scenario->replications.confidence * 100);
    Table *table = table_new("FAULT|CHAIN|>DETECTED|>PATH DOWN|>RECOVERED|>MIN - MAX|>ATTEMPTS|"
                             ">LOST (1 S)|>LOST (15 S)");
    for (guint i = 0; i < MIN(cases->len, MAX_CASES); i++) {
        add_case(table, scenario, study, g_ptr_array_index(cases, i));
    }
    table_print(table);
    if (cases->len > MAX_CASES) {
        printf("  ... and %u more: all are in summary.json\n", cases->len - MAX_CASES);
    }
    for (guint i = 0; i < MIN(cases->len, MAX_CASES_EXPLAINED); i++) {
        print_phases(scenario, study, g_ptr_array_index(cases, i));
    }
}
