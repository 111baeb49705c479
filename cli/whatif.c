/* vwire run --what-if: where packets waited for a new CFS period, what would twice the CPU limit
 * give?  Each of the limits that cost most is doubled in its manifest, one at a time, and the same
 * replications run again: the same random numbers, so that differences are taken run by run. */
#include "cli/cli.h"
#include "cli/report.h"

#include "models/flow.h"
#include "sim/packet_flow.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define MAX_LIMITS 3     /* that are doubled */
#define LEAST_SHARE 0.05 /* of the time of an iteration */

typedef struct Limit {
    char *object; /* "daemonset/forwarder-vpp" */
    int64_t cpu;  /* milli-cores */
    double share; /* of the time of an iteration, of the flow that suffers most */
} Limit;

static void
limit_clear(void *data)
{
    g_free(((Limit *)data)->object);
}

/* The workload that a place is called by: "namespace/name", with "@node" or without. */
static const Object *
object_of(const Scenario *scenario, const char *place)
{
    g_autofree char *name = g_strndup(place, strcspn(place, "@"));
    g_autoptr(GPtrArray) workloads = flow_workloads(scenario);
    for (guint i = 0; i < workloads->len; i++) {
        const Object *object = g_ptr_array_index(workloads, i);
        g_autofree char *own = g_strdup_printf("%s/%s", object->ns, object->name);
        if (g_str_equal(own, name)) {
            return object;
        }
    }
    return NULL;
}

static void
add_limit(GArray *limits, const Scenario *scenario, const char *place, double share)
{
    const Object *object = object_of(scenario, place);
    const PodSpec *pod = object != NULL ? object_pod_spec(object) : NULL;
    if (pod == NULL || pod->n_containers == 0 || pod->containers[0].limits.cpu <= 0) {
        return;
    }
    g_autofree char *kind = g_ascii_strdown(object->kind_text, -1);
    g_autofree char *name = g_strdup_printf("%s/%s", kind, object->name);
    for (guint i = 0; i < limits->len; i++) {
        Limit *one = &g_array_index(limits, Limit, i);
        if (g_str_equal(one->object, name)) {
            one->share = MAX(one->share, share);
            return;
        }
    }
    Limit limit = {g_steal_pointer(&name), pod->containers[0].limits.cpu, share};
    g_array_append_val(limits, limit);
}

static int
compare_limits(const void *a, const void *b)
{
    double left = ((const Limit *)a)->share, right = ((const Limit *)b)->share;
    return left > right ? -1 : left < right;
}

/* Limit: those at which much time was lost, the worst first. */
static GArray *
find_limits(const Scenario *scenario, const GPtrArray *flows)
{
    GArray *limits = g_array_new(false, false, sizeof(Limit));
    g_array_set_clear_func(limits, limit_clear);
    for (guint f = 0; f < flows->len; f++) {
        const FlowOutcome *flow = g_ptr_array_index(flows, f);
        double total = flow_outcome_sum(flow);
        for (guint i = 0; total > 0 && i < flow->places->len; i++) {
            const FlowPlace *place = g_ptr_array_index(flow->places, i);
            double share = place->parts[DELAY_THROTTLED] / total;
            if (share >= LEAST_SHARE) {
                add_limit(limits, scenario, place->place, share);
            }
        }
    }
    g_array_sort(limits, compare_limits);
    return limits;
}

static double
value_at(const MetricSeries *series, guint k)
{
    return series != NULL && k < series->values->len ? g_array_index(series->values, double, k)
                                                     : NAN;
}

static void
add_difference(Table *table, const Scenario *scenario, const Limit *limit, const FlowOutcome *flow,
               const Study *now, const Study *then)
{
    const MetricSeries *before = flow_series(now, flow), *after = flow_series(then, flow);
    g_auto(Sample) old = {0}, new = {0}, difference = {0};
    for (guint k = 0; k < now->outcomes->len; k++) {
        double a = value_at(before, k), b = value_at(after, k);
        if (!isnan(a) && !isnan(b)) {
            sample_add(&old, 1000 * a);
            sample_add(&new, 1000 * b);
            sample_add(&difference, 1000 * (b - a));
        }
    }
    Interval interval;
    g_autofree char *range = g_strdup("");
    if (sample_mean_interval(&difference, scenario->replications.confidence, &interval)) {
        g_free(range);
        range = g_strdup_printf(" [%.3f, %.3f]", interval.low, interval.high);
    }
    if (difference.n > 0) {
        table_add(table, "%s|%" G_GINT64_FORMAT "m -> %" G_GINT64_FORMAT "m|%s|%.3f|%.3f|%.3f%s",
                  limit->object, limit->cpu, 2 * limit->cpu, flow->name, old.mean, new.mean,
                  difference.mean, range);
    }
}

/* The study with that limit doubled; NULL with an error. */
static Study *
run_doubled(const CommonOptions *common, const char *file, const Limit *limit,
            const ReplicateOptions *options, GError **error)
{
    guint n = common->sets != NULL ? g_strv_length(common->sets) : 0;
    g_auto(GStrv) sets = g_new0(char *, n + 2);
    for (guint i = 0; i < n; i++) {
        sets[i] = g_strdup(common->sets[i]);
    }
    sets[n] = g_strdup_printf("%s:resources.limits.cpu=%" G_GINT64_FORMAT "m", limit->object,
                              2 * limit->cpu);
    CommonOptions with = *common;
    with.sets = sets;
    g_autofree char *path = options_find(common, file);
    g_autoptr(Scenario) scenario = options_read(&with, path, error);
    if (scenario == NULL) {
        return NULL;
    }
    g_autoptr(Chains) chains = chains_find(scenario);
    return replicate(scenario, chains, options, error);
}

bool
print_what_if(const CommonOptions *common, const char *file, const Scenario *scenario,
              const Study *study, const ReplicateOptions *options)
{
    const Outcome *first = g_ptr_array_index(study->outcomes, 0);
    g_autoptr(GArray) limits = find_limits(scenario, first->flows);
    ReplicateOptions again = *options;
    again.count = options->only >= 0 ? options->count : (int)study->outcomes->len;
    again.events_dir = again.usage_dir = NULL;
    again.progress = NULL;
    if (limits->len == 0) {
        printf("\nWhat if: at no CPU limit did packets wait for %.0f %% of their time\n",
               100 * LEAST_SHARE);
        return true;
    }
    Table *table = table_new("LIMITS.CPU OF||FLOW|>NOW MS|>THEN MS|>DIFFERENCE");
    for (guint i = 0; i < MIN(limits->len, MAX_LIMITS); i++) {
        const Limit *limit = &g_array_index(limits, Limit, i);
        g_autoptr(GError) error = NULL;
        g_autoptr(Study) then = run_doubled(common, file, limit, &again, &error);
        if (then == NULL) {
            complain("%s", error->message);
            table_free(table);
            return false;
        }
        for (guint f = 0; f < first->flows->len; f++) {
            add_difference(table, scenario, limit, g_ptr_array_index(first->flows, f), study, then);
        }
    }
    printf("\nWhat if a CPU limit were twice what it is, one at a time, with the same random "
           "numbers\n");
    table_print(table);
    return true;
}
