/* What a calibration's entries mean: distributions, choices, memory, idle use; each in the table
 * of its section.  Reading and merging the files is calibration_file.c. */
#include "models/calibration.h"

#include "base/quantity.h"
#include "models/calibration_file.h"
#include "models/distribution.h"
#include "models/document.h"

#include <string.h>

typedef enum Unit { UNIT_D, UNIT_N, UNIT_C } Unit; /* durations, numbers, words */

typedef struct ParameterForm {
    const char *key;
    Unit unit;
} ParameterForm;

static const ParameterForm parameters[N_CALIBRATION_PARAMETERS] = {
#define X(name, key, unit) [PARAMETER_##name] = {key, UNIT_##unit},
    CALIBRATION_PARAMETERS(X)
#undef X
};

static const char *const parameter_keys[] = {
#define X(name, key, unit) key,
    CALIBRATION_PARAMETERS(X)
#undef X
        NULL,
};

static const char *const component_keys[] = {
#define X(name, text) text,
    COMPONENTS(X)
#undef X
        NULL,
};

/* Also without the first, for names that stand for one message. */
static const char *const message_keys[] = {
    "*",
#define X(name, text) text,
    MESSAGE_TYPES(X)
#undef X
        NULL,
};

/* Keys of an entry that holds a distribution: a demand's; without the first two, any other's. */
#define N_DEMAND_KEYS 2
static const char *const dist_entry_keys[] = {
    "background", "perUnit", DISTRIBUTION_KEYS, "source", "hypothesis", NULL,
};

/* What a parameter that is a choice may be. */
static const struct {
    CalibrationParameter parameter;
    CalibrationChoice choice;
    const char *text;
} choices[] = {
    {PARAMETER_SPIRE_IDENTITY, IDENTITY_CRD_PER_POD, "crd-per-pod"},
    {PARAMETER_SPIRE_IDENTITY, IDENTITY_STATIC_ENTRY, "static-entry"},
    {PARAMETER_CFS_ALIGNMENT, ALIGNMENT_BY_KERNEL, "by-kernel"},
    {PARAMETER_CFS_ALIGNMENT, ALIGNMENT_HOST, "host"},
    {PARAMETER_CFS_ALIGNMENT, ALIGNMENT_CONTAINER, "container"},
    {PARAMETER_VPP_POLLING, POLLING_BY_VERSION, "by-version"},
    {PARAMETER_VPP_POLLING, POLLING_ALWAYS, "always"},
    {PARAMETER_VPP_POLLING, POLLING_NEVER, "never"},
};

/* Polled again and again, or divided by: with 0 the model's time would stand still. */
static const CalibrationParameter positive_parameters[] = {
    PARAMETER_KUBELET_PLEG_PERIOD, PARAMETER_KUBELET_RECONCILE, PARAMETER_KUBELET_MOUNT_POLL,
    PARAMETER_CFS_PERIOD,          PARAMETER_CFS_EFFECTIVE,     PARAMETER_SPIRE_SYNC_PERIOD,
    PARAMETER_SPIRE_CACHE_PERIOD,  PARAMETER_SPIRE_ATTEST_POLL, PARAMETER_VPP_RING,
    PARAMETER_LINK_QUEUE,          PARAMETER_VPP_PACKET,        PARAMETER_KERNEL_PER_KIB,
};

/* ------ entries ------ */

/* The keys of an entry, and that it says where its numbers are from. */
static bool
check_entry(const TreeNode *entry, const char *const *keys, const char *what, bool *hypothesis,
            GError **error)
{
    *hypothesis = false;
    if (!tree_expect(entry, TREE_MAPPING, what, error) ||
        !tree_check_keys(entry, keys, what, error)) {
        return false;
    }
    const TreeNode *mark = tree_get(entry, "hypothesis");
    if (mark != NULL && !tree_read_bool(mark, hypothesis, error)) {
        return false;
    }
    if (tree_get(entry, "source") != NULL) {
        return document_require_string(entry, "source", what, error) != NULL;
    }
    if (!*hypothesis) {
        return tree_error(error, entry, VWIRE_ERROR_INVALID,
                          "%s has neither \"source\" nor \"hypothesis: true\"", what);
    }
    return true;
}

static bool
read_dist_entry(const TreeNode *entry, const char *what, Unit unit, Dist *out, bool *hypothesis,
                GError **error)
{
    return check_entry(entry, dist_entry_keys + N_DEMAND_KEYS, what, hypothesis, error) &&
           distribution_read(entry, unit == UNIT_D, out, error);
}

/* "crd-per-pod or static-entry"; free with g_free. */
static char *
choice_list(CalibrationParameter parameter)
{
    g_autoptr(GPtrArray) texts = g_ptr_array_new();
    for (guint i = 0; i < G_N_ELEMENTS(choices); i++) {
        if (choices[i].parameter == parameter) {
            g_ptr_array_add(texts, (char *)choices[i].text);
        }
    }
    g_ptr_array_add(texts, NULL);
    return g_strjoinv(" or ", (char **)texts->pdata);
}

static bool
read_choice(const TreeNode *node, CalibrationParameter parameter, CalibrationChoice *out,
            GError **error)
{
    const char *text = NULL;
    if (!tree_read_string(node, &text, error)) {
        return false;
    }
    for (guint i = 0; i < G_N_ELEMENTS(choices); i++) {
        if (choices[i].parameter == parameter && g_str_equal(text, choices[i].text)) {
            *out = choices[i].choice;
            return true;
        }
    }
    g_autofree char *expected = choice_list(parameter);
    return tree_error(error, node, VWIRE_ERROR_INVALID, "found \"%s\"; expected %s", text,
                      expected);
}

static bool
read_choice_entry(const TreeNode *entry, CalibrationParameter parameter, CalibrationChoice *out,
                  bool *hypothesis, GError **error)
{
    static const char *const KEYS[] = {"value", "source", "hypothesis", NULL};
    const char *what = parameters[parameter].key;
    if (!check_entry(entry, KEYS, what, hypothesis, error)) {
        return false;
    }
    const TreeNode *value = document_require(entry, "value", what, error);
    return value != NULL && read_choice(value, parameter, out, error);
}

static bool
check_parameter(CalibrationParameter parameter, const Dist *dist, const TreeNode *at,
                GError **error)
{
    for (guint i = 0; i < G_N_ELEMENTS(positive_parameters); i++) {
        if (positive_parameters[i] == parameter && dist_mean(dist) <= 0) {
            return tree_error(error, at, VWIRE_ERROR_INVALID, "%s must be greater than 0",
                              parameters[parameter].key);
        }
    }
    return true;
}

static bool
read_parameter(const TreeNode *entry, CalibrationParameter parameter, Calibration *out,
               GError **error)
{
    const ParameterForm *form = &parameters[parameter];
    bool *hypothesis = &out->hypothesis[parameter];
    if (form->unit == UNIT_C) {
        return read_choice_entry(entry, parameter, &out->choices[parameter], hypothesis, error);
    }
    Dist *dist = &out->parameters[parameter];
    return read_dist_entry(entry, form->key, form->unit, dist, hypothesis, error) &&
           check_parameter(parameter, dist, entry, error);
}

static bool
read_demand(const TreeNode *entry, const char *what, Demand *out, GError **error)
{
    Demand demand = {0};
    bool hypothesis = false;
    if (!check_entry(entry, dist_entry_keys, what, &hypothesis, error) ||
        !distribution_read(entry, true, &demand.dist, error)) {
        return false;
    }
    const TreeNode *per_unit = tree_get(entry, "perUnit");
    if (per_unit != NULL && !distribution_read_amount(per_unit, true, &demand.per_unit, error)) {
        return false;
    }
    const TreeNode *background = tree_get(entry, "background");
    if (background != NULL &&
        !distribution_read_amount(background, true, &demand.background, error)) {
        return false;
    }
    *out = demand;
    return true;
}

static bool
read_bytes(const TreeNode *entry, const char *key, int64_t *out, GError **error)
{
    const TreeNode *node = tree_get(entry, key);
    if (node == NULL) {
        return true;
    }
    g_autoptr(GError) cause = NULL;
    if (node->kind != TREE_SCALAR) {
        return tree_expect(node, TREE_SCALAR, key, error);
    }
    if (!quantity_parse(node->text, out, &cause)) {
        return tree_error(error, node, VWIRE_ERROR_PARSE, "%s: %s", key, cause->message);
    }
    return true;
}

static bool
read_memory(const TreeNode *entry, const char *what, MemoryModel *out, GError **error)
{
    static const char *const KEYS[] = {"start",  "connection", "endpoint", "upTo",
                                       "source", "hypothesis", NULL};
    MemoryModel memory = {0};
    bool hypothesis = false;
    if (!check_entry(entry, KEYS, what, &hypothesis, error) ||
        document_require(entry, "start", what, error) == NULL ||
        !read_bytes(entry, "start", &memory.start, error) ||
        !read_bytes(entry, "connection", &memory.connection, error) ||
        !read_bytes(entry, "endpoint", &memory.endpoint, error) ||
        !read_bytes(entry, "upTo", &memory.up_to, error)) {
        return false;
    }
    *out = memory;
    return true;
}

static bool
read_idle(const TreeNode *entry, const char *what, double *out, GError **error)
{
    static const char *const KEYS[] = {"value", "source", "hypothesis", NULL};
    bool hypothesis = false;
    if (!check_entry(entry, KEYS, what, &hypothesis, error)) {
        return false;
    }
    const TreeNode *value = document_require(entry, "value", what, error);
    return value != NULL && distribution_read_amount(value, false, out, error);
}

/* ------ sections ------ */

static bool
read_parameters(const TreeNode *section, Calibration *out, GError **error)
{
    g_autoptr(GString) missing = g_string_new(NULL);
    if (section != NULL && !tree_check_keys(section, parameter_keys, "spec.parameters", error)) {
        return false;
    }
    for (guint i = 0; i < N_CALIBRATION_PARAMETERS; i++) {
        const TreeNode *entry = tree_get(section, parameters[i].key);
        if (entry == NULL) {
            g_string_append_printf(missing, "%s%s", missing->len > 0 ? ", " : "",
                                   parameters[i].key);
        } else if (!read_parameter(entry, (CalibrationParameter)i, out, error)) {
            return false;
        }
    }
    if (missing->len > 0) {
        return error_set(error, VWIRE_ERROR_INVALID, "%s: spec.parameters gives no value for %s",
                         out->file, missing->str);
    }
    return true;
}

static bool
read_demands(const TreeNode *section, const char *component, Demand *out, GError **error)
{
    g_autofree char *where = g_strdup_printf("spec.demands.%s", component);
    if (!tree_check_keys(section, message_keys, where, error)) {
        return false;
    }
    Demand other = {0};
    const TreeNode *star = tree_get(section, "*");
    g_autofree char *star_name = g_strdup_printf("demands.%s.*", component);
    if (star != NULL && !read_demand(star, star_name, &other, error)) {
        return false;
    }
    for (guint type = 0; type < N_MESSAGE_TYPES; type++) {
        const TreeNode *entry = tree_get(section, message_type_name((MessageType)type));
        g_autofree char *what =
            g_strdup_printf("demands.%s.%s", component, message_type_name((MessageType)type));
        out[type] = other;
        if (entry != NULL && !read_demand(entry, what, &out[type], error)) {
            return false;
        }
    }
    return true;
}

/* The sections that have one entry per component. */
static bool
read_component(const TreeNode *spec, Component component, Calibration *out, GError **error)
{
    const char *name = component_name(component);
    const TreeNode *start = tree_get_path(spec, "start", name, NULL);
    const TreeNode *demands = tree_get_path(spec, "demands", name, NULL);
    const TreeNode *memory = tree_get_path(spec, "memory", name, NULL);
    const TreeNode *idle = tree_get_path(spec, "idle", name, NULL);
    g_autofree char *start_name = g_strdup_printf("start.%s", name);
    g_autofree char *memory_name = g_strdup_printf("memory.%s", name);
    g_autofree char *idle_name = g_strdup_printf("idle.%s", name);
    bool hypothesis = false;
    if (start != NULL &&
        !read_dist_entry(start, start_name, UNIT_D, &out->start[component], &hypothesis, error)) {
        return false;
    }
    if (demands != NULL && !read_demands(demands, name, out->demands[component], error)) {
        return false;
    }
    if (memory != NULL && !read_memory(memory, memory_name, &out->memory[component], error)) {
        return false;
    }
    return idle == NULL || read_idle(idle, idle_name, &out->idle[component], error);
}

static bool
check_components(const TreeNode *spec, const char *section, GError **error)
{
    const TreeNode *node = tree_get(spec, section);
    g_autofree char *what = g_strdup_printf("spec.%s", section);
    return node == NULL || tree_check_keys(node, component_keys, what, error);
}

static bool
read_spec(const TreeNode *spec, Calibration *out, GError **error)
{
    if (!read_parameters(tree_get(spec, "parameters"), out, error) ||
        !check_components(spec, "start", error) || !check_components(spec, "demands", error) ||
        !check_components(spec, "memory", error) || !check_components(spec, "idle", error)) {
        return false;
    }
    for (guint i = 0; i < N_COMPONENTS; i++) {
        if (!read_component(spec, (Component)i, out, error)) {
            return false;
        }
    }
    return true;
}

Calibration *
calibration_load(const char *path, GError **error)
{
    g_auto(CalibrationFile) file = {0};
    if (!calibration_file_read(path, &file, error)) {
        return NULL;
    }
    g_autoptr(Calibration) calibration = g_new0(Calibration, 1);
    calibration->file = g_strdup(path);
    calibration->name = g_steal_pointer(&file.name);
    calibration->hash = g_steal_pointer(&file.hash);
    return read_spec(file.spec, calibration, error) ? g_steal_pointer(&calibration) : NULL;
}

void
calibration_free(Calibration *calibration)
{
    if (calibration == NULL) {
        return;
    }
    g_free(calibration->name);
    g_free(calibration->file);
    g_free(calibration->hash);
    g_free(calibration);
}

/* ------ changes ------ */

/* Where `name` is in a list; -1 with an error and a "did you mean". */
static int
find_name(const char *const *names, const char *name, const char *what, GError **error)
{
    for (int i = 0; names[i] != NULL; i++) {
        if (g_str_equal(names[i], name)) {
            return i;
        }
    }
    g_autoptr(TreeNode) asked = tree_new_mapping();
    tree_set(asked, name, tree_new_string(""));
    bool known = tree_check_keys(asked, names, what, error);
    g_assert(!known);
    return -1;
}

static bool
set_start(Calibration *calibration, const char *name, const TreeNode *value, GError **error)
{
    int component = find_name(component_keys, name, "calibration.start", error);
    double seconds = 0;
    if (component < 0 || !distribution_read_amount(value, true, &seconds, error)) {
        return false;
    }
    calibration->start[component] = dist_constant(seconds);
    return true;
}

static bool
set_demand(Calibration *calibration, const char *name, const TreeNode *value, GError **error)
{
    g_auto(GStrv) parts = g_strsplit(name, ".", 2);
    if (g_strv_length(parts) != 2) {
        return error_set(error, VWIRE_ERROR_PARSE,
                         "found \"demands.%s\"; expected demands.<component>.<message>", name);
    }
    int component = find_name(component_keys, parts[0], "calibration.demands", error);
    if (component < 0) {
        return false;
    }
    int type = find_name(message_keys + 1, parts[1], "the component's demands", error);
    double seconds = 0;
    if (type < 0 || !distribution_read_amount(value, true, &seconds, error)) {
        return false;
    }
    calibration->demands[component][type] = (Demand){.dist = dist_constant(seconds)};
    return true;
}

static bool
set_parameter(Calibration *calibration, const char *key, const TreeNode *value, GError **error)
{
    int parameter = find_name(parameter_keys, key, "the calibration's parameters", error);
    if (parameter < 0) {
        return false;
    }
    if (parameters[parameter].unit == UNIT_C) {
        return read_choice(value, (CalibrationParameter)parameter, &calibration->choices[parameter],
                           error);
    }
    double amount = 0;
    if (!distribution_read_amount(value, parameters[parameter].unit == UNIT_D, &amount, error)) {
        return false;
    }
    Dist dist = dist_constant(amount);
    if (!check_parameter((CalibrationParameter)parameter, &dist, value, error)) {
        return false;
    }
    calibration->parameters[parameter] = dist;
    return true;
}

bool
calibration_set(Calibration *calibration, const char *key, const char *value, GError **error)
{
    g_autoptr(TreeNode) node = tree_new_scalar(tree_resolve_plain(value), value);
    if (g_str_has_prefix(key, "start.")) {
        return set_start(calibration, key + strlen("start."), node, error);
    }
    if (g_str_has_prefix(key, "demands.")) {
        return set_demand(calibration, key + strlen("demands."), node, error);
    }
    return set_parameter(calibration, key, node, error);
}

/* ------ reading ------ */

nsec_t
calibration_nsec(const Calibration *calibration, CalibrationParameter parameter)
{
    g_assert(parameters[parameter].unit == UNIT_D);
    return nsec_from_seconds(dist_mean(&calibration->parameters[parameter]));
}

CalibrationChoice
calibration_choice(const Calibration *calibration, CalibrationParameter parameter)
{
    g_assert(parameters[parameter].unit == UNIT_C);
    return calibration->choices[parameter];
}

double
calibration_number(const Calibration *calibration, CalibrationParameter parameter)
{
    g_assert(parameters[parameter].unit == UNIT_N);
    return dist_mean(&calibration->parameters[parameter]);
}

const char *
calibration_key(CalibrationParameter parameter)
{
    g_assert((unsigned)parameter < N_CALIBRATION_PARAMETERS);
    return parameters[parameter].key;
}
