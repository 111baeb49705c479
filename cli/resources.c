/* CPU and memory of each component's Pods. */
#include "cli/resources.h"

#include "cli/cli.h"
#include "models/cluster.h"
#include "sim/phases.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define MIB (1024.0 * 1024.0)

typedef struct Sums {
    ResourceList requests, limits; /* of all containers; 0: none */
} Sums;

static void
add_resources(ResourceList *sum, const ResourceList *list)
{
    sum->cpu += MAX(list->cpu, 0); /* less: not set */
    sum->memory += MAX(list->memory, 0);
}

static Sums
sums_of_pod(const PodSpec *pod)
{
    Sums sums = {0};
    for (guint i = 0; i < pod->n_containers; i++) {
        add_resources(&sums.requests, &pod->containers[i].requests);
        add_resources(&sums.limits, &pod->containers[i].limits);
    }
    return sums;
}

/* Of the first Pod in the manifests that counts as this component. */
static Sums
sums_of(const Scenario *scenario, const char *component)
{
    for (guint m = 0; m < scenario->n_manifests; m++) {
        const GPtrArray *objects = scenario->manifests[m].objects;
        for (guint i = 0; i < objects->len; i++) {
            const PodSpec *pod = object_pod_spec(g_ptr_array_index(objects, i));
            if (pod != NULL && g_str_equal(component_name(pod_component(pod)), component)) {
                return sums_of_pod(pod);
            }
        }
    }
    return (Sums){0};
}

/* ---- cells ---- */

/* NAN: not known. */
static void
append_cell(GString *row, const char *format, double value)
{
    char text[G_ASCII_DTOSTR_BUF_SIZE];
    g_string_append_printf(row, "|%s",
                           isnan(value) ? "-" : g_ascii_formatd(text, sizeof text, format, value));
}

/* Five cells: what is used, the request, the share of it, the limit, the share of it. */
static void
append_use(GString *row, const char *format, const char *bound_format, double used, double request,
           double limit)
{
    const double bounds[] = {request, limit};
    append_cell(row, format, used);
    for (guint i = 0; i < G_N_ELEMENTS(bounds); i++) {
        bool set = bounds[i] > 0;
        append_cell(row, bound_format, set ? bounds[i] : NAN);
        append_cell(row, "%.1f", set ? 100 * used / bounds[i] : NAN);
    }
}

/* Cores and bytes; NAN: not known. */
static void
add_row(Table *table, const char *component, const char *phase, double cpu, double memory,
        const Sums *sums)
{
    g_autoptr(GString) row = g_string_new(component);
    g_string_append_printf(row, "|%s", phase);
    append_use(row, "%.3f", "%.3f", cpu, (double)sums->requests.cpu / 1e3,
               (double)sums->limits.cpu / 1e3);
    append_use(row, "%.2f", "%.0f", memory / MIB, (double)sums->requests.memory / MIB,
               (double)sums->limits.memory / MIB);
    table_add(table, "%s", row->str);
}

/* ---- rows ---- */

static char *
metric_of(const char *name, const char *component, const char *phase)
{
    return g_strdup_printf("%s{component=\"%s\",phase=\"%s\"}", name, component, phase);
}

/* Mean over replications; NAN: none has it. */
static double
mean_of(const Study *study, const char *name, const char *component, const char *phase)
{
    g_autofree char *metric = metric_of(name, component, phase);
    const MetricSeries *series = study_series(study, metric);
    g_auto(Sample) sample = {0};
    if (series != NULL) {
        series_values(series, &sample);
    }
    return sample.n > 0 ? sample.mean : NAN;
}

static double
reference_of(const Scenario *scenario, const char *name, const char *component, const char *phase)
{
    g_autofree char *metric = metric_of(name, component, phase);
    for (guint i = 0; i < scenario->n_references; i++) {
        if (g_str_equal(scenario->references[i].metric, metric)) {
            return scenario->references[i].mean;
        }
    }
    return NAN;
}

static void
add_phase(Table *table, const Scenario *scenario, const Study *study, const char *component,
          const char *phase)
{
    double cpu = mean_of(study, "component_cpu_cores", component, phase);
    if (isnan(cpu)) {
        return;
    }
    Sums sums = sums_of(scenario, component);
    add_row(table, component, phase, cpu,
            mean_of(study, "component_memory_bytes", component, phase), &sums);
    double cpu_measured = reference_of(scenario, "component_cpu_cores", component, phase);
    double memory_measured = reference_of(scenario, "component_memory_bytes", component, phase);
    if (!isnan(cpu_measured) || !isnan(memory_measured)) {
        add_row(table, "", "  measured", cpu_measured, memory_measured, &sums);
    }
}

/* The control plane first. */
static const Component order[] = {
    COMPONENT_REGISTRY, COMPONENT_NSMGR,        COMPONENT_FORWARDER,       COMPONENT_WEBHOOK,
    N_COMPONENTS,       COMPONENT_NSC,          COMPONENT_NSC_INIT,        COMPONENT_FIREWALL,
    COMPONENT_NSE,      COMPONENT_SPIRE_SERVER, COMPONENT_SPIRE_REGISTRAR, COMPONENT_SPIRE_AGENT};

static bool
names_component(const char *metric)
{
    return g_str_has_prefix(metric, "component_cpu_cores") ||
           g_str_has_prefix(metric, "component_memory_bytes");
}

bool
resources_are_asked_for(const Scenario *scenario)
{
    bool asked = scenario->output_usage;
    for (guint i = 0; i < scenario->n_thresholds; i++) {
        asked = asked || names_component(scenario->thresholds[i].metric);
    }
    for (guint i = 0; i < scenario->n_references; i++) {
        asked = asked || names_component(scenario->references[i].metric);
    }
    return asked;
}

void
resources_print(const Scenario *scenario, const Study *study)
{
    printf("\nResources in use, one Pod of each component (cores, MiB%s)\n",
           study->outcomes->len > 1 ? "; means over replications" : "");
    Table *table = table_new("COMPONENT|PHASE|>CPU|>REQUEST|>%|>LIMIT|>%|>MEMORY MIB|>REQUEST|>%|"
                             ">LIMIT|>%");
    for (guint i = 0; i < G_N_ELEMENTS(order); i++) {
        const char *component = order[i] == N_COMPONENTS ? CONTROL_PLANE : component_name(order[i]);
        for (int phase = USAGE_IDLE; phase < N_USAGE_PHASES; phase++) {
            add_phase(table, scenario, study, component, usage_phase_name((UsagePhase)phase));
        }
    }
    table_print(table);
}
