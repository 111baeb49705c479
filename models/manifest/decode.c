/* Typed access to the fields of rendered trees. */
#include "models/manifest/decode.h"

#include <string.h>

void
decode_warn(const Decoder *d, const TreeMark *mark, const char *format, ...)
{
    if (!d->warnings) {
        return;
    }
    va_list args;
    va_start(args, format);
    g_autofree char *message = g_strdup_vprintf(format, args);
    va_end(args);
    char *line = mark->file ? g_strdup_printf("%s:%d:%d: %s: %s", mark->file, mark->line,
                                              mark->column, d->what, message)
                            : g_strdup_printf("%s: %s", d->what, message);
    g_ptr_array_add(d->warnings, line);
}

/* One warning per key: each is checked alone, so that tree_check_keys words them all. */
void
decode_warn_unknown(const Decoder *d, const TreeNode *mapping, const char *const *known,
                    const char *in)
{
    for (guint i = 0; i < tree_size(mapping); i++) {
        if (g_strv_contains(known, tree_key(mapping, i))) {
            continue;
        }
        g_autoptr(TreeNode) alone = tree_new_mapping();
        g_autoptr(GError) error = NULL;
        tree_set(alone, tree_key(mapping, i), tree_new_mapping());
        tree_check_keys(alone, known, in, &error);
        decode_warn(d, &tree_item(mapping, i)->key_mark, "%s; ignored", error->message);
    }
}

void
decode_warn_unmodelled(const Decoder *d, const TreeNode *mapping, const char *const *keys)
{
    for (; *keys; keys++) {
        const TreeNode *node = decode_field(mapping, *keys);
        if (node && (node->kind == TREE_SCALAR || tree_size(node) > 0)) {
            decode_warn(d, &node->key_mark, "%s is not modelled; ignored", *keys);
        }
    }
}

const TreeNode *
decode_field(const TreeNode *mapping, const char *key)
{
    const TreeNode *node = tree_get(mapping, key);
    return tree_is_null(node) ? NULL : node;
}

bool
decode_mapping(const TreeNode *at, const char *key, const TreeNode **out, GError **error)
{
    const TreeNode *node = decode_field(at, key);
    if (node && !tree_expect(node, TREE_MAPPING, key, error)) {
        return false;
    }
    *out = node;
    return true;
}

bool
decode_list(const TreeNode *at, const char *key, const TreeNode **out, GError **error)
{
    const TreeNode *node = decode_field(at, key);
    if (node && !tree_expect(node, TREE_SEQUENCE, key, error)) {
        return false;
    }
    for (guint i = 0; i < tree_size(node); i++) {
        if (!tree_expect(tree_item(node, i), TREE_MAPPING, key, error)) {
            return false;
        }
    }
    *out = node;
    return true;
}

bool
decode_string(const TreeNode *at, const char *key, char **out, GError **error)
{
    const TreeNode *node = decode_field(at, key);
    const char *text = NULL;
    if (!node) {
        return true;
    }
    if (!tree_read_string(node, &text, error)) {
        return false;
    }
    g_free(*out);
    *out = g_strdup(text);
    return true;
}

bool
decode_required_string(const Decoder *d, const TreeNode *at, const char *key, const char *of,
                       char **out, GError **error)
{
    const TreeNode *node = decode_field(at, key);
    if (!node || (node->kind == TREE_SCALAR && !*node->text)) {
        return tree_error(error, node ? node : at, VWIRE_ERROR_INVALID,
                          "%s: found %s without %s; expected a string", d->what, of, key);
    }
    return decode_string(at, key, out, error);
}

bool
decode_bool(const TreeNode *at, const char *key, bool *out, GError **error)
{
    const TreeNode *node = decode_field(at, key);
    return !node || tree_read_bool(node, out, error);
}

bool
decode_int(const TreeNode *at, const char *key, int min, int max, int *out, GError **error)
{
    const TreeNode *node = decode_field(at, key);
    int64_t value = 0;
    if (!node) {
        return true;
    }
    if (!tree_read_int(node, min, max, &value, error)) {
        return false;
    }
    *out = (int)value;
    return true;
}

bool
decode_seconds(const TreeNode *at, const char *key, nsec_t *out, GError **error)
{
    const TreeNode *node = decode_field(at, key);
    int64_t value = 0;
    if (!node) {
        return true;
    }
    if (!tree_read_int(node, 0, NSEC_NEVER / NSEC_PER_SEC, &value, error)) {
        return false;
    }
    *out = value * NSEC_PER_SEC;
    return true;
}

bool
decode_choice(const TreeNode *at, const char *key, const char *const *words, int *out,
              GError **error)
{
    const TreeNode *node = decode_field(at, key);
    const char *text = NULL;
    if (!node) {
        return true;
    }
    if (!tree_read_string(node, &text, error)) {
        return false;
    }
    for (int i = 0; words[i]; i++) {
        if (strcmp(words[i], text) == 0) {
            *out = i;
            return true;
        }
    }
    g_autofree char *list = g_strjoinv(", ", (char **)words);
    return tree_error(error, node, VWIRE_ERROR_PARSE, "%s: found \"%s\"; expected one of %s", key,
                      text, list);
}

bool
decode_strings(const TreeNode *at, const char *key, GPtrArray *out, GError **error)
{
    const TreeNode *node = decode_field(at, key);
    if (node && !tree_expect(node, TREE_SEQUENCE, key, error)) {
        return false;
    }
    for (guint i = 0; i < tree_size(node); i++) {
        const char *text = NULL;
        if (!tree_read_string(tree_item(node, i), &text, error)) {
            return false;
        }
        g_ptr_array_add(out, g_strdup(text));
    }
    return true;
}

bool
decode_strv(const TreeNode *at, const char *key, char ***out, GError **error)
{
    g_autoptr(GPtrArray) strings = g_ptr_array_new_with_free_func(g_free);
    if (!decode_strings(at, key, strings, error)) {
        return false;
    }
    g_ptr_array_add(strings, NULL);
    *out = (char **)g_ptr_array_steal(strings, NULL);
    return true;
}

bool
decode_labels(const TreeNode *at, const char *key, Labels *out, GError **error)
{
    const TreeNode *node = NULL;
    if (!decode_mapping(at, key, &node, error)) {
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

bool
decode_port(const TreeNode *at, const char *key, int *port, char **name, GError **error)
{
    const TreeNode *node = decode_field(at, key);
    if (node && node->kind == TREE_SCALAR && node->scalar == TREE_STRING && *node->text) {
        return decode_string(at, key, name, error);
    }
    return decode_int(at, key, 1, G_MAXUINT16, port, error);
}

/* How many values an operator takes (apimachinery labels NewRequirement, core validation). */
static bool
check_values(const TreeNode *at, const SelectorRequirement *r, GError **error)
{
    guint n = g_strv_length(r->values);
    int64_t bound;
    switch (r->op) {
    case SELECTOR_IN:
    case SELECTOR_NOT_IN:
        return n > 0 ||
               tree_error(error, at, VWIRE_ERROR_INVALID,
                          "requirement on %s: found no values; expected at least one for In and "
                          "NotIn",
                          r->key);
    case SELECTOR_EXISTS:
    case SELECTOR_DOES_NOT_EXIST:
        return n == 0 || tree_error(error, at, VWIRE_ERROR_INVALID,
                                    "requirement on %s: found %u values; expected none for Exists "
                                    "and DoesNotExist",
                                    r->key, n);
    case SELECTOR_GT:
    case SELECTOR_LT:
        if (n == 1 &&
            g_ascii_string_to_signed(r->values[0], 10, INT64_MIN, INT64_MAX, &bound, NULL)) {
            return true;
        }
        return tree_error(error, at, VWIRE_ERROR_INVALID,
                          "requirement on %s: expected one integer as a string for Gt and Lt",
                          r->key);
    }
    g_assert_not_reached();
}

bool
decode_requirement(const Decoder *d, const TreeNode *at, bool node, SelectorRequirement *out,
                   GError **error)
{
    static const char *const label_words[] = {"In", "NotIn", "Exists", "DoesNotExist", NULL};
    static const char *const node_words[] = {"In", "NotIn", "Exists", "DoesNotExist",
                                             "Gt", "Lt",    NULL};
    int op = -1;
    if (!decode_required_string(d, at, "key", "a selector's requirement", &out->key, error) ||
        !decode_choice(at, "operator", node ? node_words : label_words, &op, error) ||
        !decode_strv(at, "values", &out->values, error)) {
        return false;
    }
    if (op < 0) {
        return tree_error(error, at, VWIRE_ERROR_INVALID,
                          "requirement on %s has no operator; expected In, NotIn, Exists or "
                          "DoesNotExist",
                          out->key);
    }
    out->op = (SelectorOperator)op;
    return check_values(at, out, error);
}

bool
decode_label_selector(const Decoder *d, const TreeNode *at, const char *key, LabelSelector *out,
                      GError **error)
{
    static const char *const known[] = {"matchLabels", "matchExpressions", NULL};
    const TreeNode *node = NULL;
    const TreeNode *list = NULL;
    if (!decode_mapping(at, key, &node, error) ||
        !decode_list(node, "matchExpressions", &list, error)) {
        return false;
    }
    out->present = node != NULL;
    decode_warn_unknown(d, node, known, key);
    out->n_requirements = tree_size(list);
    out->requirements = g_new0(SelectorRequirement, out->n_requirements);
    for (guint i = 0; i < out->n_requirements; i++) {
        if (!decode_requirement(d, tree_item(list, i), false, &out->requirements[i], error)) {
            return false;
        }
    }
    return decode_labels(node, "matchLabels", &out->match_labels, error);
}

void
decode_mark(const TreeMark *from, TreeMark *out)
{
    GRefString *file = from->file ? g_ref_string_acquire(from->file) : NULL;
    *out = (TreeMark){file, from->line, from->column};
}

void
decode_mark_clear(TreeMark *mark)
{
    g_clear_pointer(&mark->file, g_ref_string_release);
}
