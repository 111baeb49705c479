/* What traffic showed: metrics, and for the report where the time went and what was lost where. */
#include "models/metric.h"
#include "sim/proof.h"
#include "sim/stream.h"

#include <string.h>

MetricKey *
stream_key(const Stream *stream, const char *name)
{
    MetricKey *key = metric_key_new(name);
    metric_key_set_label(key, "flow", stream->traffic->name);
    if (stream->chain != NULL) {
        metric_key_set_label(key, "chain", stream->chain->name);
    }
    return key;
}

static void
add(Outcome *outcome, const Stream *stream, const char *name, const char *unit, double value)
{
    outcome_add(outcome, stream_key(stream, name), unit, value);
}

static void
add_with(Outcome *outcome, const Stream *stream, const char *name, const char *label,
         const char *text, const char *unit, double value)
{
    MetricKey *key = stream_key(stream, name);
    metric_key_set_label(key, label, text);
    outcome_add(outcome, key, unit, value);
}

/* ---- places ---- */

static FlowPlace *
obtain_place(FlowOutcome *flow, char *take_text)
{
    g_autofree char *text = take_text;
    for (guint i = 0; i < flow->places->len; i++) {
        FlowPlace *place = g_ptr_array_index(flow->places, i);
        if (g_str_equal(place->place, text)) {
            return place;
        }
    }
    FlowPlace *place = g_new0(FlowPlace, 1);
    place->place = g_steal_pointer(&text);
    place->parts = g_new0(double, N_DELAY_PARTS);
    g_ptr_array_add(flow->places, place);
    return place;
}

static void
collect_places(const Stream *stream, FlowOutcome *flow)
{
    const GArray *delays = stream->packets.delays;
    double n = (double)(stream->n_done > 0 ? stream->n_done : MAX(stream->n_failed, 1));
    for (guint i = 0; i < delays->len; i++) {
        const PlaceDelays *one = &g_array_index(delays, PlaceDelays, i);
        FlowPlace *place = obtain_place(flow, place_name(stream->world, one->place));
        place->n_packets += one->n_packets;
        for (int part = 0; part < N_DELAY_PARTS; part++) {
            place->parts[part] += one->parts[part] / n;
        }
    }
}

static void
collect_drops(const Stream *stream, FlowOutcome *flow)
{
    const GArray *drops = stream->packets.drops;
    for (guint i = 0; i < drops->len; i++) {
        const PlaceDrops *one = &g_array_index(drops, PlaceDrops, i);
        FlowDrop *drop = g_new0(FlowDrop, 1);
        const char *reason = drop_reason_text(one->reason);
        drop->what =
            one->rule != NULL ? g_strdup_printf("%s (%s)", reason, one->rule) : g_strdup(reason);
        drop->place = place_name(stream->world, one->place);
        drop->n = one->n;
        g_ptr_array_add(flow->drops, drop);
    }
}

/* ---- metrics ---- */

static void
add_delays(const Stream *stream, const FlowOutcome *flow, Outcome *outcome)
{
    double sums[N_DELAY_PARTS] = {0};
    for (guint i = 0; i < flow->places->len; i++) {
        const FlowPlace *place = g_ptr_array_index(flow->places, i);
        for (int part = 0; part < N_DELAY_PARTS; part++) {
            sums[part] += place->parts[part];
        }
        add_with(outcome, stream, "sfc_hop_delay_seconds", "hop", place->place, "s",
                 flow_place_sum(place) / 1e9);
    }
    for (int part = 0; part < N_DELAY_PARTS; part++) {
        add_with(outcome, stream, "sfc_delay_part_seconds", "part",
                 delay_part_name((DelayPart)part), "s", sums[part] / 1e9);
    }
}

static void
add_packets(const Stream *stream, Outcome *outcome)
{
    const PacketFlow *packets = &stream->packets;
    uint64_t by_reason[N_DROP_REASONS] = {0};
    add(outcome, stream, "sfc_packets_sent_total", "", (double)packets->n_sent);
    add(outcome, stream, "sfc_packets_arrived_total", "", (double)packets->n_arrived);
    for (guint i = 0; i < packets->drops->len; i++) {
        const PlaceDrops *one = &g_array_index(packets->drops, PlaceDrops, i);
        by_reason[one->reason] += one->n;
    }
    for (int reason = 0; reason < N_DROP_REASONS; reason++) {
        if (by_reason[reason] > 0) {
            add_with(outcome, stream, "sfc_packets_dropped_total", "reason",
                     drop_reason_text((DropReason)reason), "", (double)by_reason[reason]);
        }
    }
}

/* Echoes that are no probe of a chain's. */
static void
add_echoes(Stream *stream, Outcome *outcome)
{
    uint64_t n_ended = stream->n_done + stream->n_failed;
    add(outcome, stream, "sfc_echoes_sent_total", "", (double)n_ended);
    add(outcome, stream, "sfc_echoes_lost_total", "", (double)stream->n_failed);
    if (n_ended > 0) {
        add(outcome, stream, "sfc_loss_ratio", "", (double)stream->n_failed / (double)n_ended);
    }
    outcome_add_reservoir(outcome, stream_key(stream, "sfc_rtt_seconds"), "s", &stream->times);
}

/* The rest of a probe's metrics is its chain's (sim/chainwatch.h). */
static void
add_round_trips_of_probe(const Stream *stream, Outcome *outcome)
{
    MetricKey *key = metric_key_new("sfc_rtt_seconds");
    metric_key_set_label(key, "chain", stream->chain->name);
    metric_key_set_label(key, "probe", stream->traffic->name);
    outcome_add_reservoir(outcome, key, "s", &stream->times);
}

static void
add_requests(Stream *stream, Outcome *outcome)
{
    nsec_t end = MIN(world_now(stream->world), stream->until);
    double seconds = nsec_to_seconds(end - stream->from_time);
    add(outcome, stream, "sfc_requests_total", "", (double)stream->n_begun);
    if (seconds > 0) {
        add(outcome, stream, "sfc_request_rate", "1/s", (double)stream->n_done / seconds);
    }
    if (stream->n_done + stream->n_failed > 0) {
        add(outcome, stream, "sfc_request_failure_ratio", "",
            (double)stream->n_failed / (double)(stream->n_done + stream->n_failed));
    }
    for (guint i = 0; i < stream->failures->len; i++) {
        const FailureCount *one = &g_array_index(stream->failures, FailureCount, i);
        add_with(outcome, stream, "sfc_request_failures_total", "reason", one->cause, "",
                 (double)one->n);
    }
    if (stream->traffic->max_vus > 0) {
        add(outcome, stream, "sfc_dropped_iterations_total", "", (double)stream->n_skipped);
    }
    outcome_add_reservoir(outcome, stream_key(stream, "sfc_request_seconds"), "s", &stream->times);
}

static bool
same_bottleneck(const FlowBottleneck *one, const char *place, const FluidBottleneck *other)
{
    return g_str_equal(one->place, place) && g_str_equal(one->what, other->what);
}

/* Flows with the same bottleneck are told together, with the rates of the last. */
static void
collect_bottlenecks(const Stream *stream, FlowOutcome *flow)
{
    for (guint i = 0; i < stream->bottlenecks->len; i++) {
        const FluidBottleneck *from = g_ptr_array_index(stream->bottlenecks, i);
        g_autofree char *place = place_name(stream->world, from->name);
        FlowBottleneck *to = NULL;
        for (guint k = 0; k < flow->bottlenecks->len; k++) {
            FlowBottleneck *one = g_ptr_array_index(flow->bottlenecks, k);
            to = same_bottleneck(one, place, from) ? one : to;
        }
        if (to == NULL) {
            to = g_new0(FlowBottleneck, 1);
            to->place = g_steal_pointer(&place);
            to->what = from->what;
            g_ptr_array_add(flow->bottlenecks, to);
        }
        to->capacity = from->capacity;
        to->unit = from->unit;
        to->utilisation = from->utilisation;
        to->rate = from->rate;
        to->rate_if_doubled = from->rate_if_doubled;
        to->n++;
    }
}

/* Containers that used more than a thousandth of a core. */
static void
add_cpu(const Stream *stream, Outcome *outcome)
{
    for (guint i = 0; stream->cpu_used != NULL && i < stream->cpu_used->len; i++) {
        const CpuMark *mark = &g_array_index(stream->cpu_used, CpuMark, i);
        const char *slash = strrchr(mark->process, '/');
        if (mark->cpu < 0.001 || slash == NULL) {
            continue;
        }
        g_autofree char *pod = g_strndup(mark->process, (gsize)(slash - mark->process));
        g_autofree char *place = place_name(stream->world, pod);
        g_autofree char *text = g_strdup_printf("%s%s", place, slash);
        add_with(outcome, stream, "sfc_container_cpu_cores", "container", text, "cores", mark->cpu);
    }
}

static void
add_throughput(const Stream *stream, FlowOutcome *flow, Outcome *outcome)
{
    double seconds = nsec_to_seconds(stream->until - stream->from_time);
    if (stream->traffic->executor == TRAFFIC_IPERF && seconds > 0) {
        flow->throughput = 8 * stream->bytes / seconds;
        add(outcome, stream, "sfc_throughput_bits_per_second", "bit/s", flow->throughput);
    }
}

static void
collect_stream(Stream *stream, Outcome *outcome)
{
    FlowOutcome *flow = flow_outcome_new();
    flow->name = g_strdup(stream->traffic->name);
    flow->chain = stream->chain;
    flow->echoes = stream->traffic->protocol == TRAFFIC_ICMP;
    flow->is_probe = stream->probe != NULL;
    flow->n_begun = stream->n_begun;
    flow->n_done = stream->n_done;
    flow->n_failed = stream->n_failed;
    flow->n_skipped = stream->n_skipped;
    flow->n_packets = stream->packets.n_sent;
    flow->n_arrived = stream->packets.n_arrived;
    flow->n_dropped = stream->packets.n_dropped;
    collect_places(stream, flow);
    collect_drops(stream, flow);
    collect_bottlenecks(stream, flow);
    add_throughput(stream, flow, outcome);
    add_cpu(stream, outcome);
    for (guint i = 0; i < stream->failures->len; i++) {
        const FailureCount *one = &g_array_index(stream->failures, FailureCount, i);
        g_ptr_array_add(flow->failures,
                        g_strdup_printf("%" G_GUINT64_FORMAT " x %s", one->n, one->cause));
    }
    g_ptr_array_add(outcome->flows, flow);
    add_packets(stream, outcome);
    add_delays(stream, flow, outcome);
    if (stream->video != NULL) {
        video_collect(stream->video, outcome);
    }
    if (stream->probe != NULL) {
        add_round_trips_of_probe(stream, outcome);
    } else if (flow->echoes) {
        add_echoes(stream, outcome);
    } else {
        add_requests(stream, outcome);
    }
}

/* ---- firewalls ---- */

static void
add_rule(Outcome *outcome, const char *firewall, const char *name, char *take_text, uint64_t n)
{
    RuleOutcome *rule = g_new0(RuleOutcome, 1);
    rule->firewall = g_strdup(firewall);
    rule->name = g_strdup(name);
    rule->text = take_text;
    rule->n = n;
    g_ptr_array_add(outcome->rules, rule);
    MetricKey *key = metric_key_new("sfc_firewall_packets_total");
    metric_key_set_label(key, "firewall", firewall);
    metric_key_set_label(key, "rule", name);
    outcome_add(outcome, key, "", (double)n);
}

static void
collect_firewall(const TrafficRun *run, const Object *object, Outcome *outcome)
{
    const WorldNode *node = NULL;
    const Acl *acl = NULL;
    const uint64_t *counts = NULL;
    const char *pod = runtime_find_pod(run->world, object, &node);
    if (pod == NULL || !vswitch_rule_counts(run->world->dataplane, pod, &acl, &counts)) {
        return;
    }
    g_autofree char *place = place_name(run->world, pod);
    guint n_rules = acl_n_rules(acl);
    for (guint i = 0; i < n_rules; i++) {
        add_rule(outcome, place, acl_rule_name(acl, i), acl_format_rule(acl, i), counts[i]);
    }
    add_rule(outcome, place, "implicit deny", g_strdup("deny all else"), counts[n_rules]);
}

void
traffic_run_collect(TrafficRun *run, Outcome *outcome)
{
    for (guint i = 0; i < run->streams->len; i++) {
        collect_stream(g_ptr_array_index(run->streams, i), outcome);
    }
    for (guint i = 0; run->streams->len > 0 && i < run->scenario->n_acls; i++) {
        collect_firewall(run, run->scenario->acls[i].object, outcome);
    }
}
