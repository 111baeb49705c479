/* Small readers that the scenario's parts share. */
#include "models/scenario_parts.h"

#include "base/quantity.h"

TreeMark
scenario_mark_of(const TreeNode *node)
{
    TreeMark mark = node->mark;
    if (mark.file != NULL) {
        mark.file = g_ref_string_acquire(mark.file);
    }
    return mark;
}

void
scenario_mark_clear(TreeMark *mark)
{
    g_clear_pointer(&mark->file, g_ref_string_release);
}

bool
scenario_is_empty(const TreeNode *node)
{
    return tree_is_null(node) ||
           (node->kind == TREE_SCALAR ? *node->text == '\0' : tree_size(node) == 0);
}

bool
scenario_read_text(const TreeNode *node, const char *what, const char **out, GError **error)
{
    if (!tree_expect(node, TREE_SCALAR, what, error)) {
        return false;
    }
    if (tree_is_null(node) || *node->text == '\0') {
        return tree_error(error, node, VWIRE_ERROR_PARSE, "%s: found nothing; expected a value",
                          what);
    }
    *out = node->text;
    return true;
}

/* A quantity in the grammar of `parse`. */
static bool
read_quantity(const TreeNode *node, const char *what, ScenarioQuantity *parse, int64_t *out,
              GError **error)
{
    const char *text = NULL;
    g_autoptr(GError) cause = NULL;
    if (!scenario_read_text(node, what, &text, error)) {
        return false;
    }
    return parse(text, out, &cause) ||
           tree_error(error, node, VWIRE_ERROR_PARSE, "%s: %s", what, cause->message);
}

bool
scenario_read_amount(const TreeNode *node, const char *what, ScenarioQuantity *parse, int64_t *out,
                     GError **error)
{
    int64_t value = 0;
    if (node == NULL) {
        return true;
    }
    if (!read_quantity(node, what, parse, &value, error)) {
        return false;
    }
    if (value <= 0) {
        return tree_error(error, node, VWIRE_ERROR_INVALID,
                          "%s: found \"%s\"; expected more than 0", what, node->text);
    }
    *out = value;
    return true;
}

bool
scenario_read_size(const TreeNode *node, const char *what, int64_t min, int64_t max, int64_t *out,
                   GError **error)
{
    int64_t value = 0;
    if (node == NULL) {
        return true;
    }
    if (!read_quantity(node, what, quantity_parse, &value, error)) {
        return false;
    }
    if (value < min || value > max) {
        g_autofree char *limit = quantity_format_bytes(max);
        return tree_error(error, node, VWIRE_ERROR_INVALID,
                          "%s: found \"%s\"; expected from %" G_GINT64_FORMAT " to %s bytes", what,
                          node->text, min, limit);
    }
    *out = value;
    return true;
}

bool
scenario_read_time(const TreeNode *node, const char *what, nsec_t *out, GError **error)
{
    nsec_t time = 0;
    if (node == NULL) {
        return true;
    }
    if (!tree_read_duration(node, &time, error)) {
        return false;
    }
    if (time == 0) {
        return tree_error(error, node, VWIRE_ERROR_INVALID, "%s: found %s; expected more than 0",
                          what, node->text);
    }
    *out = time;
    return true;
}

bool
scenario_read_labels(const TreeNode *node, const char *what, Labels *out, GError **error)
{
    if (tree_is_null(node)) {
        return true;
    }
    if (!tree_expect(node, TREE_MAPPING, what, error)) {
        return false;
    }
    for (guint i = 0; i < tree_size(node); i++) {
        const char *value = NULL;
        if (!tree_read_string(tree_item(node, i), &value, error)) {
            return false;
        }
        labels_set(out, tree_key(node, i), value);
    }
    return true;
}

void
scenario_warn(Scenario *scenario, const TreeNode *at, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *message = g_strdup_vprintf(format, args);
    va_end(args);
    g_autoptr(GError) line = NULL; /* the mark is written as in an error */
    tree_error(&line, at, VWIRE_ERROR_UNSUPPORTED, "%s", message);
    g_ptr_array_add(scenario->warnings, g_strdup(line->message));
}
