/* What a fault of an explicit kind does: the fields of Chaos Mesh's PodChaos, NetworkChaos and
 * StressChaos (chaos-mesh.org/docs, "Simulate ..."), and Litmus' names for nodes. */
#include "base/quantity.h"
#include "models/document.h"
#include "models/scenario_fault.h"

#include <math.h>
#include <string.h>

#define ON(action) (UINT32_C(1) << FAULT_##action)
#define ON_NETWORK                                                                                 \
    (ON(PARTITION) | ON(LOSS) | ON(DELAY) | ON(BANDWIDTH) | ON(DUPLICATE) | ON(CORRUPT))
#define MAX_WORKERS 10000

static const char *const kinds[] = {"PodChaos", "NetworkChaos", "StressChaos", "NodeChaos", NULL};

static const char *const fault_keys[] = {
    "name",        "kind",           "action",          "preset",    "chain",     "startTime",
    "duration",    "schedule",       "meanTimeBetween", "mode",      "value",     "selector",
    "gracePeriod", "containerNames", "device",          "target",    "direction", "delay",
    "loss",        "duplicate",      "corrupt",         "bandwidth", "stressors", "taint",
    NULL};

/* Keys that only some actions have. */
static const struct {
    const char *key;
    uint32_t actions;
    bool required;
} action_keys[] = {
    {"gracePeriod", ON(POD_KILL) | ON(NODE_DRAIN), false},
    {"containerNames", ON(CONTAINER_KILL) | ON(STRESS_CPU) | ON(STRESS_MEMORY), false},
    {"device", ON_NETWORK, false},
    {"target", ON_NETWORK, false},
    {"direction", ON_NETWORK, false},
    {"delay", ON(DELAY), true},
    {"loss", ON(LOSS), true},
    {"duplicate", ON(DUPLICATE), true},
    {"corrupt", ON(CORRUPT), true},
    {"bandwidth", ON(BANDWIDTH), true},
    {"stressors", ON(STRESS_CPU) | ON(STRESS_MEMORY) | ON(NODE_CPU_HOG), true},
    {"taint", ON(NODE_TAINT), true},
};

static bool
is_on(uint32_t actions, FaultAction action)
{
    return (actions & (UINT32_C(1) << action)) != 0;
}

char *
fault_hint(const char *word, const char *const *known)
{
    const char *near = tree_nearest(word, known);
    return near != NULL ? g_strdup_printf("; did you mean \"%s\"?", near) : g_strdup("");
}

/* ------ small values ------ */

/* A list of strings, or one string. */
static bool
read_words(const TreeNode *node, const char *what, char ***out, GError **error)
{
    if (tree_is_null(node)) {
        return true;
    }
    if (!tree_expect(node, TREE_SEQUENCE, what, error)) {
        return false;
    }
    if (tree_size(node) == 0) {
        return tree_error(error, node, VWIRE_ERROR_INVALID, "%s: expected at least one name", what);
    }
    g_autoptr(GStrvBuilder) words = g_strv_builder_new();
    for (guint i = 0; i < tree_size(node); i++) {
        const char *word = NULL;
        if (!tree_read_string(tree_item(node, i), &word, error)) {
            return false;
        }
        g_strv_builder_add(words, word);
    }
    *out = g_strv_builder_end(words);
    return true;
}

/* Chaos Mesh writes numbers as text: "25". */
static bool
read_number(const TreeNode *node, const char *what, double min, double max, double *out,
            GError **error)
{
    const char *text = NULL;
    if (node == NULL) {
        return true;
    }
    if (!scenario_read_text(node, what, &text, error)) {
        return false;
    }
    char *end = NULL;
    double value = g_ascii_strtod(text, &end);
    if (*end != '\0' || !isfinite(value)) {
        return tree_error(error, node, VWIRE_ERROR_PARSE, "%s: found \"%s\"; expected a number",
                          what, text);
    }
    if (value < min || value > max) {
        return tree_error(error, node, VWIRE_ERROR_INVALID,
                          "%s: found %s; expected a number from %g to %g", what, text, min, max);
    }
    *out = value;
    return true;
}

/* More than 0, at most 100. */
static bool
read_percent(const TreeNode *node, const char *what, double *out, GError **error)
{
    if (!read_number(node, what, 0, 100, out, error)) {
        return false;
    }
    return *out > 0 || tree_error(error, node, VWIRE_ERROR_INVALID,
                                  "%s: found %s; expected more than 0", what, node->text);
}

bool
fault_grace_read(const TreeNode *node, nsec_t *out, GError **error)
{
    int64_t seconds = 0;
    if (node == NULL) {
        return true;
    }
    if (node->kind == TREE_SCALAR && node->scalar == TREE_INT) {
        if (!tree_read_int(node, 0, G_MAXINT32, &seconds, error)) {
            return false;
        }
        *out = seconds * NSEC_PER_SEC;
        return true;
    }
    return tree_read_duration(node, out, error);
}

/* ------ whom: selector, mode ------ */

/* {namespace: [names]} as "namespace/name". */
static bool
read_pods(const TreeNode *node, char ***out, GError **error)
{
    if (tree_is_null(node)) {
        return true;
    }
    if (!tree_expect(node, TREE_MAPPING, "selector.pods", error)) {
        return false;
    }
    g_autoptr(GStrvBuilder) pods = g_strv_builder_new();
    for (guint i = 0; i < tree_size(node); i++) {
        g_auto(GStrv) names = NULL;
        if (!read_words(tree_item(node, i), "selector.pods", &names, error)) {
            return false;
        }
        for (guint n = 0; names != NULL && names[n] != NULL; n++) {
            g_autofree char *pod = g_strdup_printf("%s/%s", tree_key(node, i), names[n]);
            g_strv_builder_add(pods, pod);
        }
    }
    *out = g_strv_builder_end(pods);
    return true;
}

static bool
read_selector(const TreeNode *node, FaultSelector *out, GError **error)
{
    static const char *const KEYS[] = {"namespaces", "labelSelectors", "nodes", "pods", NULL};
    return tree_expect(node, TREE_MAPPING, "selector", error) &&
           tree_check_keys(node, KEYS, "the selector", error) &&
           read_words(tree_get(node, "namespaces"), "selector.namespaces", &out->namespaces,
                      error) &&
           read_words(tree_get(node, "nodes"), "selector.nodes", &out->nodes, error) &&
           scenario_read_labels(tree_get(node, "labelSelectors"), "selector.labelSelectors",
                                &out->labels, error) &&
           read_pods(tree_get(node, "pods"), &out->pods, error);
}

static bool
read_mode_value(const TreeNode *node, FaultPart *out, GError **error)
{
    const TreeNode *value = tree_get(node, "value");
    bool wanted = out->mode != FAULT_MODE_ONE && out->mode != FAULT_MODE_ALL;
    if (!wanted && value != NULL) {
        return tree_error_mark(error, &value->key_mark, VWIRE_ERROR_INVALID,
                               "value has no meaning with this mode; expected it with fixed, "
                               "fixed-percent or random-max-percent");
    }
    if (wanted && value == NULL) {
        return tree_error(error, tree_get(node, "mode"), VWIRE_ERROR_INVALID,
                          "mode %s: expected a value beside it", tree_get(node, "mode")->text);
    }
    if (out->mode == FAULT_MODE_FIXED) {
        return read_number(value, "value", 1, G_MAXINT32, &out->mode_value, error) &&
               (out->mode_value == floor(out->mode_value) ||
                tree_error(error, value, VWIRE_ERROR_INVALID,
                           "value: found %s; expected a whole number", value->text));
    }
    return !wanted || read_percent(value, "value", &out->mode_value, error);
}

static bool
read_mode(const TreeNode *node, FaultPart *out, GError **error)
{
    static const char *const MODES[] = {
        "one", "all", "fixed", "fixed-percent", "random-max-percent", NULL};
    const TreeNode *mode = tree_get(node, "mode");
    const char *text = MODES[FAULT_MODE_ONE];
    if (mode != NULL && !tree_read_string(mode, &text, error)) {
        return false;
    }
    guint found = 0;
    while (MODES[found] != NULL && !g_str_equal(MODES[found], text)) {
        found++;
    }
    if (MODES[found] == NULL) {
        g_autofree char *hint = fault_hint(text, MODES);
        return tree_error(error, mode, VWIRE_ERROR_INVALID,
                          "found the mode \"%s\"; expected one, all, fixed, fixed-percent or "
                          "random-max-percent%s",
                          text, hint);
    }
    out->mode = (FaultMode)found;
    return read_mode_value(node, out, error);
}

/* ------ NetworkChaos ------ */

static bool
read_direction(const TreeNode *node, GError **error)
{
    const char *text = NULL;
    if (node == NULL) {
        return true;
    }
    return tree_read_string(node, &text, error) &&
           (g_str_equal(text, "both") ||
            tree_error(error, node, VWIRE_ERROR_UNSUPPORTED,
                       "found the direction \"%s\"; this version does both only", text));
}

static bool
read_target(const TreeNode *node, char ***out, GError **error)
{
    static const char *const KEYS[] = {"nodes", NULL};
    return node == NULL || (tree_expect(node, TREE_MAPPING, "target", error) &&
                            tree_check_keys(node, KEYS, "the target", error) &&
                            document_require(node, "nodes", "the target", error) != NULL &&
                            read_words(tree_get(node, "nodes"), "target.nodes", out, error));
}

static bool
read_delay(const TreeNode *node, FaultPart *out, GError **error)
{
    static const char *const KEYS[] = {"latency", "jitter", "correlation", NULL};
    if (!tree_expect(node, TREE_MAPPING, "delay", error) ||
        !tree_check_keys(node, KEYS, "delay", error)) {
        return false;
    }
    const TreeNode *latency = document_require(node, "latency", "delay", error);
    const TreeNode *jitter = tree_get(node, "jitter");
    return latency != NULL && tree_read_duration(latency, &out->latency, error) &&
           (jitter == NULL || tree_read_duration(jitter, &out->jitter, error)) &&
           read_number(tree_get(node, "correlation"), "correlation", 0, 100, &out->correlation,
                       error);
}

/* loss, duplicate, corrupt: each has its share under its own name. */
static bool
read_share(const TreeNode *node, const char *what, FaultPart *out, GError **error)
{
    const char *const keys[] = {what, "correlation", NULL};
    if (!tree_expect(node, TREE_MAPPING, what, error) ||
        !tree_check_keys(node, keys, what, error)) {
        return false;
    }
    const TreeNode *share = document_require(node, what, what, error);
    return share != NULL && read_percent(share, what, &out->percent, error) &&
           read_number(tree_get(node, "correlation"), "correlation", 0, 100, &out->correlation,
                       error);
}

/* Chaos Mesh hands the rate to tc, where "bps" are bytes per second (chaosd network attack:
 * "allows bps, kbps, mbps, gbps, tbps unit. bps means bytes per second"). */
static bool
read_bandwidth(const TreeNode *node, Scenario *scenario, FaultPart *out, GError **error)
{
    static const char *const KEYS[] = {"rate", "limit", "buffer", NULL};
    const char *text = NULL;
    if (!tree_expect(node, TREE_MAPPING, "bandwidth", error) ||
        !tree_check_keys(node, KEYS, "bandwidth", error)) {
        return false;
    }
    const TreeNode *rate = document_require(node, "rate", "bandwidth", error);
    if (rate == NULL || !scenario_read_text(rate, "rate", &text, error)) {
        return false;
    }
    g_autoptr(GError) cause = NULL;
    if (!quantity_parse_rate(text, &out->rate, &cause)) {
        return tree_error(error, rate, VWIRE_ERROR_PARSE, "%s", cause->message);
    }
    if (out->rate == 0) {
        return tree_error(error, rate, VWIRE_ERROR_INVALID,
                          "rate: found %s; expected more than 0 (action partition cuts)", text);
    }
    for (guint i = 1; KEYS[i] != NULL; i++) {
        const TreeNode *size = tree_get(node, KEYS[i]);
        int64_t bytes = 0;
        if (size != NULL && !tree_read_int(size, 1, INT64_MAX, &bytes, error)) {
            return false;
        }
        if (size != NULL) {
            scenario_warn(scenario, size, "%s has no effect in this version", KEYS[i]);
        }
    }
    return true;
}

static bool
read_network(const TreeNode *node, Scenario *scenario, FaultPart *out, GError **error)
{
    const char *name = fault_action_name(out->action);
    const TreeNode *device = tree_get(node, "device");
    if (device != NULL) {
        const char *text = document_require_string(node, "device", "the fault", error);
        if (text == NULL) {
            return false;
        }
        out->device = g_strdup(text);
    }
    if (!read_target(tree_get(node, "target"), &out->target_nodes, error) ||
        !read_direction(tree_get(node, "direction"), error)) {
        return false;
    }
    switch ((int)out->action) {
    case FAULT_DELAY:
        return read_delay(tree_get(node, name), out, error);
    case FAULT_BANDWIDTH:
        return read_bandwidth(tree_get(node, name), scenario, out, error);
    case FAULT_PARTITION:
        return true;
    default:
        return read_share(tree_get(node, name), name, out, error);
    }
}

/* ------ stressors, taint ------ */

static bool
read_workers(const TreeNode *node, const char *what, int *out, GError **error)
{
    int64_t workers = 0;
    const TreeNode *at = document_require(node, "workers", what, error);
    if (at == NULL || !tree_read_int(at, 1, MAX_WORKERS, &workers, error)) {
        return false;
    }
    *out = (int)workers;
    return true;
}

/* Each worker takes `load` percent of a core; all of one if it is not given. */
static bool
read_cpu(const TreeNode *node, FaultPart *out, GError **error)
{
    static const char *const KEYS[] = {"workers", "load", NULL};
    const TreeNode *load = tree_get(node, "load");
    out->load = 100;
    return tree_expect(node, TREE_MAPPING, "stressors.cpu", error) &&
           tree_check_keys(node, KEYS, "stressors.cpu", error) &&
           read_workers(node, "stressors.cpu", &out->workers, error) &&
           (load == NULL || read_percent(load, "load", &out->load, error));
}

/* "256MB" as Chaos Mesh writes it is Kubernetes' 256M, "256MiB" its 256Mi. */
static bool
read_size(const TreeNode *node, int64_t *out, GError **error)
{
    const char *text = NULL;
    if (!scenario_read_text(node, "size", &text, error)) {
        return false;
    }
    if (g_str_has_suffix(text, "%")) {
        return tree_error(error, node, VWIRE_ERROR_UNSUPPORTED,
                          "size: found %s; this version takes bytes, such as 256MB", text);
    }
    g_autofree char *plain = g_strdup(text);
    size_t length = strlen(plain);
    if (length > 1 && plain[length - 1] == 'B') {
        plain[--length] = '\0';
        plain[length - 1] = plain[length - 1] == 'K' ? 'k' : plain[length - 1];
    }
    g_autoptr(GError) cause = NULL;
    if (!quantity_parse(plain, out, &cause)) {
        return tree_error(error, node, VWIRE_ERROR_PARSE, "size: %s", cause->message);
    }
    return *out > 0 || tree_error(error, node, VWIRE_ERROR_INVALID,
                                  "size: found %s; expected more than 0", text);
}

/* Chaos Mesh's `size` is what all workers occupy together; a part keeps it for each. */
static bool
read_memory(const TreeNode *node, FaultPart *out, GError **error)
{
    static const char *const KEYS[] = {"workers", "size", NULL};
    int64_t size = 0;
    if (!tree_expect(node, TREE_MAPPING, "stressors.memory", error) ||
        !tree_check_keys(node, KEYS, "stressors.memory", error) ||
        !read_workers(node, "stressors.memory", &out->workers, error)) {
        return false;
    }
    const TreeNode *at = document_require(node, "size", "stressors.memory", error);
    if (at == NULL || !read_size(at, &size, error)) {
        return false;
    }
    out->size = MAX(size / out->workers, 1);
    return true;
}

static bool
read_taint(const TreeNode *node, FaultPart *out, GError **error)
{
    static const char *const KEYS[] = {"key", "value", "effect", NULL};
    static const char *const EFFECTS[] = {"NoSchedule", "PreferNoSchedule", "NoExecute", NULL};
    const char *key = NULL, *value = "", *effect = NULL;
    if (!tree_expect(node, TREE_MAPPING, "taint", error) ||
        !tree_check_keys(node, KEYS, "the taint", error) ||
        (key = document_require_string(node, "key", "the taint", error)) == NULL ||
        (effect = document_require_string(node, "effect", "the taint", error)) == NULL ||
        (tree_get(node, "value") != NULL &&
         !tree_read_string(tree_get(node, "value"), &value, error))) {
        return false;
    }
    if (!g_strv_contains(EFFECTS, effect)) {
        g_autofree char *hint = fault_hint(effect, EFFECTS);
        return tree_error(error, tree_get(node, "effect"), VWIRE_ERROR_INVALID,
                          "found the effect \"%s\"; expected NoSchedule, PreferNoSchedule or "
                          "NoExecute%s",
                          effect, hint);
    }
    out->taint_key = g_strdup(key);
    out->taint_value = g_strdup(value);
    out->taint_effect = g_strdup(effect);
    return true;
}

/* ------ one part ------ */

static bool
check_action_keys(const TreeNode *node, FaultAction action, GError **error)
{
    for (guint i = 0; i < G_N_ELEMENTS(action_keys); i++) {
        const TreeNode *value = tree_get(node, action_keys[i].key);
        bool on = is_on(action_keys[i].actions, action);
        if (value != NULL && !on) {
            return tree_error_mark(error, &value->key_mark, VWIRE_ERROR_INVALID,
                                   "%s has no meaning for %s %s", action_keys[i].key,
                                   fault_action_kind(action), fault_action_name(action));
        }
        if (on && action_keys[i].required &&
            document_require(node, action_keys[i].key, fault_action_name(action), error) == NULL) {
            return false;
        }
    }
    return true;
}

/* What the action says beyond its targets. */
static bool
read_effect(const TreeNode *node, Scenario *scenario, FaultPart *out, GError **error)
{
    const TreeNode *stressors = tree_get(node, "stressors");
    switch (out->action) {
    case FAULT_POD_KILL:
    case FAULT_NODE_DRAIN:
        return fault_grace_read(tree_get(node, "gracePeriod"), &out->grace, error);
    case FAULT_PARTITION:
    case FAULT_LOSS:
    case FAULT_DELAY:
    case FAULT_BANDWIDTH:
    case FAULT_DUPLICATE:
    case FAULT_CORRUPT:
        return read_network(node, scenario, out, error);
    case FAULT_STRESS_CPU:
    case FAULT_NODE_CPU_HOG:
        return read_cpu(tree_get(stressors, "cpu"), out, error);
    case FAULT_STRESS_MEMORY:
        return read_memory(tree_get(stressors, "memory"), out, error);
    case FAULT_NODE_TAINT:
        return read_taint(tree_get(node, "taint"), out, error);
    case FAULT_POD_FAILURE:
    case FAULT_CONTAINER_KILL:
    case FAULT_NODE_RESTART:
    case FAULT_NODE_POWEROFF:
    case FAULT_KUBELET_KILL:
    case N_FAULT_ACTIONS:
        return true;
    }
    return true;
}

static bool
read_part(const TreeNode *node, Scenario *scenario, FaultPart *out, GError **error)
{
    const TreeNode *selector = document_require(node, "selector", "the fault", error);
    return selector != NULL && check_action_keys(node, out->action, error) &&
           read_selector(selector, &out->selector, error) && read_mode(node, out, error) &&
           read_words(tree_get(node, "containerNames"), "containerNames", &out->containers,
                      error) &&
           read_effect(node, scenario, out, error);
}

/* ------ kind and action ------ */

static bool
refuse_action(const TreeNode *node, const char *kind, const char *action, GError **error)
{
    const char *names[N_FAULT_ACTIONS + 1] = {NULL};
    guint n = 0;
    for (guint i = 0; i < N_FAULT_ACTIONS; i++) {
        if (g_str_equal(fault_action_kind((FaultAction)i), kind)) {
            names[n++] = fault_action_name((FaultAction)i);
        }
    }
    g_autofree char *list = g_strjoinv(", ", (char **)names);
    g_autofree char *hint = fault_hint(action, names);
    return tree_error(error, node, VWIRE_ERROR_INVALID,
                      "found the action \"%s\" of %s; expected one of %s%s", action, kind, list,
                      hint);
}

static bool
add_action(const TreeNode *node, const char *kind, Fault *out, GError **error)
{
    const char *action = document_require_string(node, "action", "the fault", error);
    if (action == NULL) {
        return false;
    }
    for (guint i = 0; i < N_FAULT_ACTIONS; i++) {
        if (g_str_equal(fault_action_kind((FaultAction)i), kind) &&
            g_str_equal(fault_action_name((FaultAction)i), action)) {
            out->parts[out->n_parts++].action = (FaultAction)i;
            return true;
        }
    }
    return refuse_action(tree_get(node, "action"), kind, action, error);
}

/* StressChaos has no action: its stressors say what it does, one of them or both. */
static bool
add_stress(const TreeNode *node, Fault *out, GError **error)
{
    static const char *const KEYS[] = {"cpu", "memory", NULL};
    const TreeNode *action = tree_get(node, "action");
    if (action != NULL) {
        return tree_error_mark(error, &action->key_mark, VWIRE_ERROR_INVALID,
                               "StressChaos has no action; expected stressors alone");
    }
    const TreeNode *stressors = document_require(node, "stressors", "the fault", error);
    if (stressors == NULL || !tree_expect(stressors, TREE_MAPPING, "stressors", error) ||
        !tree_check_keys(stressors, KEYS, "stressors", error)) {
        return false;
    }
    if (tree_get(stressors, "cpu") != NULL) {
        out->parts[out->n_parts++].action = FAULT_STRESS_CPU;
    }
    if (tree_get(stressors, "memory") != NULL) {
        out->parts[out->n_parts++].action = FAULT_STRESS_MEMORY;
    }
    return out->n_parts > 0 || tree_error(error, stressors, VWIRE_ERROR_INVALID,
                                          "stressors: expected cpu, memory or both");
}

/* A hog is what stressors.cpu says, outside of containers. */
static bool
check_hog(const TreeNode *node, const Fault *fault, GError **error)
{
    static const char *const KEYS[] = {"cpu", NULL};
    const TreeNode *stressors = tree_get(node, "stressors");
    if (fault->parts[0].action != FAULT_NODE_CPU_HOG || stressors == NULL) {
        return true;
    }
    return tree_expect(stressors, TREE_MAPPING, "stressors", error) &&
           tree_check_keys(stressors, KEYS, "stressors of a node", error) &&
           document_require(stressors, "cpu", "stressors", error) != NULL;
}

bool
fault_parts_read(const TreeNode *node, Scenario *scenario, Fault *out, GError **error)
{
    enum { MAX_PARTS = 2 };
    if (!tree_check_keys(node, fault_keys, "the fault", error)) {
        return false;
    }
    const char *kind = document_require_string(node, "kind", "the fault", error);
    if (kind == NULL) {
        return false;
    }
    if (!g_strv_contains(kinds, kind)) {
        g_autofree char *list = g_strjoinv(", ", (char **)kinds);
        g_autofree char *hint = fault_hint(kind, kinds);
        return tree_error(error, tree_get(node, "kind"), VWIRE_ERROR_INVALID,
                          "found the kind \"%s\"; expected one of %s%s", kind, list, hint);
    }
    out->parts = g_new0(FaultPart, MAX_PARTS);
    bool stress = g_str_equal(kind, fault_action_kind(FAULT_STRESS_CPU));
    if (!(stress ? add_stress(node, out, error) : add_action(node, kind, out, error)) ||
        !check_hog(node, out, error)) {
        return false;
    }
    for (guint i = 0; i < out->n_parts; i++) {
        FaultPart *part = &out->parts[i];
        part->selector.component = N_COMPONENTS;
        part->grace = part->action == FAULT_NODE_DRAIN ? -1 : 0;
        if (!read_part(node, scenario, part, error)) {
            return false;
        }
    }
    return true;
}
