/* What vwire run prints of traffic: what became of it, where its time went, what was lost where,
 * and whether every V-wire carried what entered it.  Tables of one replication are of the first. */
#include "cli/cli.h"
#include "cli/report.h"

#include "sim/packets.h"

#include <math.h>
#include <stdio.h>

#define MAX_ROWS 20
#define MAX_RULES 40
#define MAX_EXPLAINED 4 /* flows and chains of which everything is shown */
#define MS 1000

const MetricSeries *
flow_series(const Study *study, const FlowOutcome *flow)
{
    g_autoptr(MetricKey) key =
        metric_key_new(flow->echoes ? "sfc_rtt_seconds" : "sfc_request_seconds");
    metric_key_set_label(key, flow->is_probe ? "probe" : "flow", flow->name);
    if (flow->chain != NULL) {
        metric_key_set_label(key, "chain", flow->chain->name);
    }
    g_autofree char *text = metric_key_format(key);
    return study_series(study, text);
}

/* "0.438 [0.431, 0.445]" in ms over replications, and quantiles over all. */
static void
add_times(Table *table, const Scenario *scenario, const Study *study, const FlowOutcome *flow)
{
    const MetricSeries *series = flow_series(study, flow);
    g_auto(Sample) means = {0}, all = {0};
    if (series != NULL) {
        series_values(series, &means);
        series_pooled(series, &all);
    }
    g_autofree char *mean = g_strdup("-");
    Interval interval;
    if (means.n > 0) {
        g_free(mean);
        mean = g_strdup_printf("%.3f", means.mean * MS);
    }
    if (sample_mean_interval(&means, scenario->replications.confidence, &interval)) {
        g_free(mean);
        mean = g_strdup_printf("%.3f [%.3f, %.3f]", means.mean * MS, interval.low * MS,
                               interval.high * MS);
    }
    g_autofree char *range =
        all.n == 0 ? g_strdup("-|-|-")
                   : g_strdup_printf("%.3f|%.3f|%.3f", sample_quantile(&all, 0.5) * MS,
                                     sample_quantile(&all, 0.95) * MS, all.max * MS);
    table_add(table,
              "%s|%s|%" G_GUINT64_FORMAT "|%" G_GUINT64_FORMAT "|%" G_GUINT64_FORMAT "|%s|%s",
              flow->name, flow->chain != NULL ? flow->chain->name : "(cluster network)",
              flow->n_begun, flow->n_done, flow->n_failed + flow->n_skipped, mean, range);
}

static void
print_flows(const Scenario *scenario, const Study *study, const GPtrArray *flows)
{
    printf("\nTraffic: iterations of the first replication; milliseconds of all (mean [%g %% "
           "confidence])\n",
           scenario->replications.confidence * 100);
    Table *table = table_new("FLOW|CHAIN|>BEGUN|>ANSWERED|>FAILED|>MEAN MS|>MEDIAN|>95 %|>MAX");
    for (guint i = 0; i < MIN(flows->len, MAX_ROWS); i++) {
        const FlowOutcome *flow = g_ptr_array_index(flows, i);
        add_times(table, scenario, study, flow);
    }
    table_print(table);
    if (flows->len > MAX_ROWS) {
        printf("  ... and %u flows more: all are in summary.json\n", flows->len - MAX_ROWS);
    }
}

static void
print_places(const FlowOutcome *flow)
{
    double total = flow_outcome_sum(flow);
    if (total <= 0 || !isnan(flow->throughput)) { /* of such a flow only the handshake is known */
        return;
    }
    printf("Where the time of one iteration of %s went, milliseconds, both ways\n", flow->name);
    g_autoptr(GString) titles = g_string_new("PLACE");
    for (int part = 0; part < N_DELAY_PARTS; part++) {
        g_autofree char *name = g_ascii_strup(delay_part_name((DelayPart)part), -1);
        g_string_append_printf(titles, "|>%s", name);
    }
    g_string_append(titles, "|>SUM|>SHARE");
    Table *table = table_new(titles->str);
    for (guint i = 0; i < flow->places->len; i++) {
        const FlowPlace *place = g_ptr_array_index(flow->places, i);
        g_autoptr(GString) row = g_string_new(place->place);
        double sum = flow_place_sum(place);
        for (int part = 0; part < N_DELAY_PARTS; part++) {
            g_string_append_printf(row, "|%.4f", place->parts[part] / 1e6);
        }
        g_string_append_printf(row, "|%.4f|%.0f %%", sum / 1e6, 100 * sum / total);
        table_add(table, "%s", row->str);
    }
    table_print(table);
}

static void
print_losses(const FlowOutcome *flow)
{
    for (guint i = 0; i < flow->drops->len; i++) {
        const FlowDrop *drop = g_ptr_array_index(flow->drops, i);
        printf("  %s: %" G_GUINT64_FORMAT " packet(s) dropped at %s: %s\n", flow->name, drop->n,
               drop->place, drop->what);
    }
    for (guint i = 0; i < flow->failures->len; i++) {
        printf("  %s: %s\n", flow->name, (const char *)g_ptr_array_index(flow->failures, i));
    }
    if (flow->n_skipped > 0) {
        printf("  %s: %" G_GUINT64_FORMAT
               " iteration(s) not begun, as maxVUs of them were under way\n",
               flow->name, flow->n_skipped);
    }
}

/* "1.84 Gb/s" */
static char *
rate_text(double rate)
{
    return rate >= 1e9   ? g_strdup_printf("%.2f Gb/s", rate / 1e9)
           : rate >= 1e6 ? g_strdup_printf("%.1f Mb/s", rate / 1e6)
                         : g_strdup_printf("%.1f kb/s", rate / 1e3);
}

/* CPU as manifests write it: 525m. */
static char *
capacity_text(double capacity, const char *unit)
{
    return g_str_equal(unit, "bit/s") ? rate_text(capacity)
                                      : g_strdup_printf("%.0fm", 1000 * capacity);
}

static void
print_bottlenecks(const FlowOutcome *flow)
{
    if (!isnan(flow->throughput)) {
        g_autofree char *rate = rate_text(flow->throughput);
        printf("  %s: %s\n", flow->name, rate);
    }
    for (guint i = 0; i < flow->bottlenecks->len; i++) {
        const FlowBottleneck *one = g_ptr_array_index(flow->bottlenecks, i);
        g_autofree char *rate = rate_text(one->rate), *then = rate_text(one->rate_if_doubled);
        g_autofree char *now = capacity_text(one->capacity, one->unit);
        g_autofree char *twice = capacity_text(2 * one->capacity, one->unit);
        bool limit = g_str_equal(one->what, "CPU limit");
        printf("  %s: bottleneck of %" G_GUINT64_FORMAT " flow(s): %s %s, %.0f %% used", flow->name,
               one->n, one->place, one->what, 100 * one->utilisation);
        if (limit || g_str_equal(one->unit, "bit/s")) {
            printf("; %s %s -> %s: %s -> %s a flow", limit ? "limits.cpu" : one->what, now, twice,
                   rate, then);
        } else {
            printf("; with twice as much of it %s -> %s a flow", rate, then);
        }
        printf("\n");
    }
}

static void
print_proof(const ChainOutcome *chain)
{
    printf("Proof of the path of chain %s: packets in -> out of each V-wire\n", chain->chain->name);
    Table *table = table_new(">V-WIRE|FROM|TO|KIND|>FORWARD|>BACK|>MIB|>LOST BEHIND|>DENIED");
    for (guint i = 0; i < chain->wires->len; i++) {
        const WireOutcome *wire = g_ptr_array_index(chain->wires, i);
        table_add(table,
                  "%u|%s|%s|%s|%" G_GUINT64_FORMAT " -> %" G_GUINT64_FORMAT "|%" G_GUINT64_FORMAT
                  " -> %" G_GUINT64_FORMAT "|%.2f|%" G_GUINT64_FORMAT "|%" G_GUINT64_FORMAT,
                  i + 1, wire->from, wire->to, wire->kind, wire->forward_in, wire->forward_out,
                  wire->back_in, wire->back_out, (double)wire->bytes / (1024 * 1024),
                  wire->n_dropped, wire->n_denied);
    }
    table_print(table);
    const char *verdict = chain->problem != NULL ? chain->problem : chain->proof;
    printf("  %s\n", verdict != NULL
                         ? verdict
                         : "every V-wire carried what entered it, in the declared order");
}

static void
print_rules(const GPtrArray *rules)
{
    if (rules->len == 0) {
        return;
    }
    printf("Firewalls: packets by the first rule that matched\n");
    Table *table = table_new("FIREWALL|RULE|>PACKETS|WHAT");
    for (guint i = 0; i < MIN(rules->len, MAX_RULES); i++) {
        const RuleOutcome *rule = g_ptr_array_index(rules, i);
        table_add(table, "%s|%s|%" G_GUINT64_FORMAT "|%s", rule->firewall, rule->name, rule->n,
                  rule->text);
    }
    table_print(table);
    if (rules->len > MAX_RULES) {
        printf("  ... and %u rules more: all are in summary.json\n", rules->len - MAX_RULES);
    }
}

void
print_traffic(const Scenario *scenario, const Study *study)
{
    const Outcome *first = g_ptr_array_index(study->outcomes, 0);
    if (first->flows->len == 0) {
        return;
    }
    print_flows(scenario, study, first->flows);
    for (guint i = 0; i < MIN(first->flows->len, MAX_EXPLAINED); i++) {
        print_places(g_ptr_array_index(first->flows, i));
    }
    for (guint i = 0; i < MIN(first->flows->len, MAX_ROWS); i++) {
        print_losses(g_ptr_array_index(first->flows, i));
        print_bottlenecks(g_ptr_array_index(first->flows, i));
    }
    print_rules(first->rules);
    for (guint i = 0, n = 0; i < first->chains->len && n < MAX_EXPLAINED; i++) {
        const ChainOutcome *chain = g_ptr_array_index(first->chains, i);
        if (chain->wires->len > 0) {
            print_proof(chain);
            n++;
        }
    }
}
