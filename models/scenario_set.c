/* Reading the texts of `--set`, and finding what each is about.  The change itself, one path in
 * one tree, is scenario_path.c. */
#include "models/scenario_set.h"

#include "models/scenario_path.h"

#include <string.h>

typedef enum SetKind { SET_SCENARIO, SET_CALIBRATION, SET_OBJECT } SetKind;

struct ScenarioSet {
    char *text; /* as given */
    SetKind kind;
    char *path; /* for the calibration: the key */
    char *value;
    /* SET_OBJECT */
    char *object_kind;
    char *object_ns; /* NULL: any */
    char *object_name;
    guint n_matches;
    GPtrArray *others; /* char *: names of the objects of that kind that did not match */
};

static void
set_free(void *data)
{
    ScenarioSet *set = data;
    g_free(set->text);
    g_free(set->path);
    g_free(set->value);
    g_free(set->object_kind);
    g_free(set->object_ns);
    g_free(set->object_name);
    g_ptr_array_unref(set->others);
    g_free(set);
}

/* The first `wanted` that is not inside brackets. */
static const char *
find_outside_brackets(const char *text, char wanted)
{
    int depth = 0;
    for (; *text != '\0'; text++) {
        if (*text == wanted && depth == 0) {
            return text;
        }
        depth += *text == '[' ? 1 : 0;
        depth -= *text == ']' && depth > 0 ? 1 : 0;
    }
    return NULL;
}

/* Names the change in front of whatever is wrong with it. */
static bool
set_error(GError **error, const ScenarioSet *set, VwireError code, const char *message)
{
    return error_set(error, code, "--set %s: %s", set->text, message);
}

/* "kind/name" or "kind/namespace/name", in front of the colon. */
static bool
parse_target(ScenarioSet *set, const char *target, GError **error)
{
    g_auto(GStrv) parts = g_strsplit(target, "/", -1);
    guint n = g_strv_length(parts);
    bool complete = n == 2 || n == 3;
    for (guint i = 0; i < n; i++) {
        complete = complete && *parts[i] != '\0';
    }
    if (!complete) {
        return set_error(error, set, VWIRE_ERROR_PARSE,
                         "expected kind/name:path or kind/namespace/name:path in front of the =");
    }
    set->object_kind = g_strdup(parts[0]);
    set->object_ns = n == 3 ? g_strdup(parts[1]) : NULL;
    set->object_name = g_strdup(parts[n - 1]);
    return true;
}

static bool
parse_set(ScenarioSet *set, GError **error)
{
    static const char CALIBRATION[] = "calibration.";
    const char *equals = find_outside_brackets(set->text, '=');
    if (equals == NULL || equals == set->text) {
        return set_error(error, set, VWIRE_ERROR_PARSE, "expected PATH=VALUE");
    }
    set->value = g_strdup(equals + 1);
    g_autofree char *path = g_strndup(set->text, (gsize)(equals - set->text));
    const char *colon = find_outside_brackets(path, ':');
    if (!g_utf8_validate(set->text, -1, NULL)) {
        return set_error(error, set, VWIRE_ERROR_PARSE, "found bytes that are not UTF-8");
    }
    if (g_str_has_prefix(path, CALIBRATION)) {
        set->kind = SET_CALIBRATION;
        set->path = g_strdup(path + strlen(CALIBRATION));
        return true;
    }
    set->kind = colon == NULL ? SET_SCENARIO : SET_OBJECT;
    set->path = g_strdup(colon == NULL ? path : colon + 1);
    g_autofree char *target = colon == NULL ? NULL : g_strndup(path, (gsize)(colon - path));
    return target == NULL || parse_target(set, target, error);
}

GPtrArray *
scenario_sets_parse(const char *const *texts, GError **error)
{
    g_autoptr(GPtrArray) sets = g_ptr_array_new_with_free_func(set_free);
    for (guint i = 0; texts != NULL && texts[i] != NULL; i++) {
        ScenarioSet *set = g_new0(ScenarioSet, 1);
        set->text = g_strdup(texts[i]);
        set->others = g_ptr_array_new_with_free_func(g_free);
        g_ptr_array_add(sets, set);
        if (!parse_set(set, error)) {
            return NULL;
        }
    }
    return g_steal_pointer(&sets);
}

bool
scenario_sets_apply(const GPtrArray *sets, TreeNode *root, GError **error)
{
    for (guint i = 0; i < sets->len; i++) {
        const ScenarioSet *set = sets->pdata[i];
        g_autoptr(GError) cause = NULL;
        if (set->kind == SET_SCENARIO &&
            !scenario_path_set(root, set->path, set->value, set->text, &cause)) {
            return set_error(error, set, (VwireError)cause->code, cause->message);
        }
    }
    return true;
}

bool
scenario_sets_apply_calibration(const GPtrArray *sets, Calibration *calibration, GError **error)
{
    for (guint i = 0; i < sets->len; i++) {
        const ScenarioSet *set = sets->pdata[i];
        g_autoptr(GError) cause = NULL;
        if (set->kind == SET_CALIBRATION &&
            !calibration_set(calibration, set->path, set->value, &cause)) {
            return set_error(error, set, (VwireError)cause->code, cause->message);
        }
    }
    return true;
}

/* ------ objects ------ */

static bool
text_equals(const TreeNode *node, const char *text)
{
    return tree_text(node) != NULL && g_str_equal(tree_text(node), text);
}

static bool
is_target(ScenarioSet *set, const TreeNode *object)
{
    const char *kind = tree_text(tree_get(object, "kind"));
    const TreeNode *name = tree_get_path(object, "metadata", "name", NULL);
    const char *ns = tree_text(tree_get_path(object, "metadata", "namespace", NULL));
    if (kind == NULL || g_ascii_strcasecmp(kind, set->object_kind) != 0) {
        return false;
    }
    bool here = set->object_ns == NULL || g_str_equal(ns != NULL ? ns : "default", set->object_ns);
    if (here && text_equals(name, set->object_name)) {
        return true;
    }
    if (tree_text(name) != NULL) {
        g_ptr_array_add(set->others, g_strdup(tree_text(name)));
    }
    return false;
}

static bool
apply_to_object(ScenarioSet *set, TreeNode *object, GError **error)
{
    g_autoptr(GError) cause = NULL;
    if (set->kind != SET_OBJECT || !is_target(set, object)) {
        return true;
    }
    set->n_matches++;
    if (!scenario_path_set_object(object, set->path, set->value, set->text, &cause)) {
        return set_error(error, set, (VwireError)cause->code, cause->message);
    }
    return true;
}

static bool
apply_to_objects(ScenarioSet *set, const GPtrArray *trees, GError **error)
{
    for (guint i = 0; i < trees->len; i++) {
        if (!apply_to_object(set, trees->pdata[i], error)) {
            return false;
        }
    }
    return true;
}

bool
scenario_sets_apply_objects(const GPtrArray *sets, const GPtrArray *trees, GError **error)
{
    for (guint i = 0; i < sets->len; i++) {
        if (!apply_to_objects(sets->pdata[i], trees, error)) {
            return false;
        }
    }
    return true;
}

bool
scenario_sets_check_used(const GPtrArray *sets, GError **error)
{
    for (guint i = 0; i < sets->len; i++) {
        const ScenarioSet *set = sets->pdata[i];
        if (set->kind != SET_OBJECT || set->n_matches > 0) {
            continue;
        }
        g_ptr_array_add(set->others, NULL);
        g_autofree char *names = g_strjoinv(", ", (char **)set->others->pdata);
        g_autofree char *message =
            g_strdup_printf("the manifests have no %s of that name%s%s", set->object_kind,
                            *names != '\0' ? "; there are " : "", names);
        return set_error(error, set, VWIRE_ERROR_INVALID, message);
    }
    return true;
}
