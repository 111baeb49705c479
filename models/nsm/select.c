/* Endpoint and forwarder selection. */
#include "models/nsm/select.h"

#include "models/nsm/template.h"

G_GNUC_PRINTF(2, 3)
static void
report_line(SelectReport *report, const char *format, ...)
{
    if (report == NULL) {
        return;
    }
    va_list args;
    va_start(args, format);
    g_ptr_array_add(report->lines, g_strdup_vprintf(format, args));
    va_end(args);
}

static GPtrArray *
valid_records(const char *service, const GPtrArray *records, nsec_t now, SelectReport *report)
{
    GPtrArray *valid = g_ptr_array_new();
    for (guint i = 0; i < records->len; i++) {
        NseRecord *record = g_ptr_array_index(records, i);
        if (!nse_record_serves(record, service)) {
            report_line(report, "%s: found by substring, but does not serve \"%s\"", record->name,
                        service);
        } else if (record->expires <= now) {
            report_line(report, "%s: its registration has expired", record->name);
        } else {
            g_ptr_array_add(valid, record);
        }
    }
    return valid;
}

static void
add_route(const NsRoute *route, const Labels *client, const GPtrArray *valid, GPtrArray *out)
{
    for (guint i = 0; i < valid->len; i++) {
        NseRecord *record = g_ptr_array_index(valid, i);
        if (template_subset(&route->destination_selector, &record->labels, client)) {
            g_ptr_array_add(out, record);
        }
    }
}

static void
report_match(SelectReport *report, const NsMatch *match, guint index, const char *outcome)
{
    if (report == NULL) {
        return;
    }
    g_autofree char *selector = labels_format(&match->source_selector);
    report_line(report, "match %u (source_selector {%s}, line %d): %s", index + 1, selector,
                match->mark.line, outcome);
}

GPtrArray *
select_endpoints(const NetworkServiceSpec *spec, const char *service, const Labels *client,
                 const GPtrArray *records, nsec_t now, SelectReport *report)
{
    GPtrArray *valid = valid_records(service, records, now, report);
    for (guint m = 0; m < spec->n_matches; m++) {
        const NsMatch *match = &spec->matches[m];
        if (!template_subset(&match->source_selector, client, client)) {
            report_match(report, match, m, "does not apply to the client's labels");
            continue;
        }
        GPtrArray *candidates = g_ptr_array_new();
        for (guint r = 0; r < match->n_routes; r++) {
            add_route(&match->routes[r], client, valid, candidates);
        }
        if (candidates->len == 0 && match->fallthrough) {
            report_match(report, match, m, "applies, selects nothing, falls through");
            g_ptr_array_unref(candidates);
            continue;
        }
        if (candidates->len == 0 && match->has_metadata && match->n_routes == 0) {
            report_match(report, match, m, "metadata only: every endpoint is a candidate");
            g_ptr_array_unref(candidates);
            return valid;
        }
        report_match(report, match, m,
                     candidates->len > 0 ? "first that applies: decides"
                                         : "first that applies: decides, and selects nothing");
        g_ptr_array_unref(valid);
        return candidates;
    }
    report_line(report, "no match applies: every endpoint of the service is a candidate");
    return valid;
}

static bool
forwarder_allowed(const NsMatch *match, const Labels *client, const NseRecord *record)
{
    if (match->has_metadata && match->metadata.n > 0) {
        return template_subset(&match->metadata, &record->labels, client);
    }
    return g_strcmp0(labels_get(&record->labels, "p2p"), "true") == 0;
}

GPtrArray *
select_forwarders(const NetworkServiceSpec *spec, const Labels *client, const GPtrArray *records)
{
    GPtrArray *out = g_ptr_array_new();
    if (spec->n_matches == 0) {
        g_ptr_array_extend(out, (GPtrArray *)records, NULL, NULL);
        return out;
    }
    for (guint m = 0; m < spec->n_matches; m++) {
        const NsMatch *match = &spec->matches[m];
        if (!template_subset(&match->source_selector, client, client)) {
            continue;
        }
        for (guint i = 0; i < records->len; i++) {
            if (forwarder_allowed(match, client, g_ptr_array_index(records, i))) {
                g_ptr_array_add(out, g_ptr_array_index(records, i));
            }
        }
        if (out->len > 0 || !match->fallthrough) {
            break;
        }
    }
    return out;
}
