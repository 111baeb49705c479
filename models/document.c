/* The envelope of vwire's own documents. */
#include "models/document.h"

static bool
check_word(const TreeNode *root, const char *key, const char *expected, GError **error)
{
    const char *text = document_require_string(root, key, "the document", error);
    if (text == NULL) {
        return false;
    }
    if (!g_str_equal(text, expected)) {
        return tree_error(error, tree_get(root, key), VWIRE_ERROR_INVALID,
                          "%s: found \"%s\"; expected \"%s\"", key, text, expected);
    }
    return true;
}

TreeNode *
document_parse(const char *text, size_t length, const char *file, const char *kind, GError **error)
{
    g_autoptr(GPtrArray) roots = tree_parse_text(text, length, file, error);
    if (roots == NULL) {
        return NULL;
    }
    if (roots->len == 0) {
        error_set(error, VWIRE_ERROR_PARSE, "%s: the file is empty; expected a %s", file, kind);
        return NULL;
    }
    if (roots->len > 1) {
        tree_error(error, roots->pdata[1], VWIRE_ERROR_PARSE,
                   "a second document; expected one %s per file", kind);
        return NULL;
    }
    const TreeNode *root = roots->pdata[0];
    if (!tree_expect(root, TREE_MAPPING, kind, error) ||
        !check_word(root, "apiVersion", DOCUMENT_API_VERSION, error) ||
        !check_word(root, "kind", kind, error)) {
        return NULL;
    }
    return tree_copy(root);
}

TreeNode *
document_require(const TreeNode *mapping, const char *key, const char *what, GError **error)
{
    TreeNode *value = tree_get(mapping, key);
    if (value == NULL) {
        tree_error(error, mapping, VWIRE_ERROR_INVALID, "%s has no \"%s\", which is required", what,
                   key);
    }
    return value;
}

const char *
document_require_string(const TreeNode *mapping, const char *key, const char *what, GError **error)
{
    const TreeNode *value = document_require(mapping, key, what, error);
    const char *text = NULL;
    if (value == NULL || !tree_read_string(value, &text, error)) {
        return NULL;
    }
    if (*text == '\0') {
        tree_error(error, value, VWIRE_ERROR_INVALID, "%s: \"%s\" is empty", what, key);
        return NULL;
    }
    return text;
}
