/* spec.faults: what breaks, and when.  Read after the manifests, as targets must be there. */
#include "models/scenario_fault.h"
#include "models/document.h"

#include <string.h>

typedef struct Reader {
    Scenario *scenario;
    const Chains *chains;
    GHashTable *names; /* of the faults; owned, look-ups only */
} Reader;

/* ------ times ------ */

/* "@every 30s", the only form of Chaos Mesh's schedules that does not speak of a calendar. */
static bool
read_schedule(const TreeNode *node, nsec_t *out, GError **error)
{
    static const char EVERY[] = "@every ";
    const char *text = NULL;
    if (node == NULL) {
        return true;
    }
    if (!tree_read_string(node, &text, error)) {
        return false;
    }
    if (!g_str_has_prefix(text, EVERY)) {
        return tree_error(error, node, VWIRE_ERROR_UNSUPPORTED,
                          "found the schedule \"%s\"; this version does \"@every DURATION\" only",
                          text);
    }
    g_autoptr(GError) cause = NULL;
    g_autofree char *duration = g_strstrip(g_strdup(text + strlen(EVERY)));
    if (!nsec_parse(duration, out, &cause)) {
        return tree_error(error, node, VWIRE_ERROR_PARSE, "schedule: %s", cause->message);
    }
    return *out > 0 || tree_error(error, node, VWIRE_ERROR_INVALID,
                                  "schedule: found %s; expected more than 0", text);
}

static bool
read_times(const TreeNode *node, Fault *out, GError **error)
{
    const TreeNode *start = document_require(node, "startTime", "the fault", error);
    return start != NULL && tree_read_duration(start, &out->start_time, error) &&
           scenario_read_time(tree_get(node, "duration"), "duration", &out->duration, error) &&
           read_schedule(tree_get(node, "schedule"), &out->every, error) &&
           scenario_read_time(tree_get(node, "meanTimeBetween"), "meanTimeBetween",
                              &out->mean_time_between, error);
}

/* ------ presets ------ */

static bool
refuse_preset(const TreeNode *node, const char *preset, GError **error)
{
    const char *reason = fault_preset_refusal(preset);
    if (reason != NULL) {
        return tree_error(error, node, VWIRE_ERROR_UNSUPPORTED, "the preset %s: %s", preset,
                          reason);
    }
    g_autofree char *hint = fault_hint(preset, fault_preset_names());
    g_autofree char *list = g_strjoinv(", ", (char **)fault_preset_names());
    return tree_error(error, node, VWIRE_ERROR_INVALID,
                      "found the preset \"%s\"; expected one of %s%s", preset, list, hint);
}

/* A cut of the client's V-wire is of the interface that the client asks for. */
static void
set_device(const Chain *chain, FaultPart *part)
{
    if (chain != NULL && part->device != NULL) {
        g_free(part->device);
        part->device = g_strdup(chain->interface);
    }
}

static bool
read_preset(const Reader *reader, const TreeNode *node, Fault *out, GError **error)
{
    static const char *const KEYS[] = {"name",        "preset",          "chain",
                                       "startTime",   "duration",        "schedule",
                                       "gracePeriod", "meanTimeBetween", NULL};
    const char *preset = document_require_string(node, "preset", "the fault", error);
    if (preset == NULL) {
        return false;
    }
    if (!fault_preset_expand(preset, out)) {
        return refuse_preset(tree_get(node, "preset"), preset, error);
    }
    nsec_t grace = -1;
    if (!tree_check_keys(node, KEYS, "the preset", error) ||
        !fault_grace_read(tree_get(node, "gracePeriod"), &grace, error)) {
        return false;
    }
    out->preset = g_strdup(preset);
    for (guint i = 0; i < out->n_parts; i++) {
        out->parts[i].grace = grace;
        set_device(fault_chain(node, reader->chains, out, NULL), &out->parts[i]);
    }
    return true;
}

/* ------ names ------ */

static bool
note_names(const Reader *reader, const TreeNode *faults, GError **error)
{
    for (guint i = 0; i < tree_size(faults); i++) {
        const TreeNode *fault = tree_item(faults, i);
        if (!tree_expect(fault, TREE_MAPPING, "fault", error)) {
            return false;
        }
        const TreeNode *node = tree_get(fault, "name");
        if (node == NULL) {
            continue;
        }
        const char *name = document_require_string(fault, "name", "the fault", error);
        if (name == NULL) {
            return false;
        }
        if (!g_hash_table_add(reader->names, g_strdup(name))) {
            return tree_error(error, node, VWIRE_ERROR_INVALID, "a second fault named \"%s\"",
                              name);
        }
    }
    return true;
}

/* The preset's name or "NetworkChaos-delay", with "-2", "-3" where that is taken. */
static char *
default_name(const Reader *reader, const Fault *fault)
{
    FaultAction action = fault->parts[0].action;
    g_autofree char *base =
        fault->preset != NULL
            ? g_strdup(fault->preset)
            : g_strdup_printf("%s-%s", fault_action_kind(action), fault_action_name(action));
    char *name = g_strdup(base);
    for (guint i = 2; !g_hash_table_add(reader->names, g_strdup(name)); i++) {
        g_free(name);
        name = g_strdup_printf("%s-%u", base, i);
    }
    return name;
}

/* ------ entries ------ */

static bool
read_what(const Reader *reader, const TreeNode *node, Fault *out, GError **error)
{
    const TreeNode *preset = tree_get(node, "preset");
    const TreeNode *kind = tree_get(node, "kind");
    const char *chain = NULL;
    if (tree_get(node, "chain") != NULL) {
        chain = document_require_string(node, "chain", "the fault", error);
        if (chain == NULL) {
            return false;
        }
        out->chain = g_strdup(chain);
    }
    if (preset != NULL && kind != NULL) {
        return tree_error_mark(error, &kind->key_mark, VWIRE_ERROR_INVALID,
                               "found a kind beside the preset %s; expected one of the two",
                               preset->kind == TREE_SCALAR ? preset->text : "");
    }
    return preset != NULL ? read_preset(reader, node, out, error)
                          : fault_parts_read(node, reader->scenario, out, error);
}

static bool
read_fault(const Reader *reader, const TreeNode *node, Fault *out, GError **error)
{
    const TreeNode *name = tree_get(node, "name");
    out->mark = scenario_mark_of(node);
    if (!read_what(reader, node, out, error) || !read_times(node, out, error)) {
        return false;
    }
    out->name = name != NULL ? g_strdup(name->text) : default_name(reader, out);
    return fault_targets_check(node, reader->chains, reader->scenario, out, error) &&
           fault_times_check(node, reader->chains, reader->scenario, out, error) &&
           fault_overlap_check(node, reader->scenario, out, error);
}

bool
scenario_faults_read(const TreeNode *node, const Chains *chains, Scenario *out, GError **error)
{
    if (scenario_is_empty(node)) {
        return true;
    }
    if (!tree_expect(node, TREE_SEQUENCE, "faults", error)) {
        return false;
    }
    g_autoptr(GHashTable) names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    const Reader reader = {out, chains, names};
    if (!note_names(&reader, node, error)) {
        return false;
    }
    out->faults = g_new0(Fault, MAX(tree_size(node), 1));
    for (guint i = 0; i < tree_size(node); i++) {
        if (!read_fault(&reader, tree_item(node, i), &out->faults[out->n_faults++], error)) {
            return false;
        }
    }
    return true;
}

void
scenario_faults_clear(Scenario *scenario)
{
    for (guint i = 0; i < scenario->n_faults; i++) {
        fault_clear(&scenario->faults[i]);
    }
    g_clear_pointer(&scenario->faults, g_free);
    scenario->n_faults = 0;
}
