/* What the steps of a kustomization share: fields, paths, warnings. */
#include "models/manifest/layer.h"

#include "models/manifest/source.h"

#include <string.h>

bool
layer_field(const Layer *layer, const char *key, TreeKind kind, const TreeNode **out,
            GError **error)
{
    const TreeNode *node = tree_get(layer->root, key);
    *out = tree_is_null(node) ? NULL : node;
    return *out == NULL || tree_expect(node, kind, key, error);
}

char *
layer_path(const Layer *layer, const TreeNode *text, GError **error)
{
    const char *path = NULL;
    if (!tree_read_string(text, &path, error)) {
        return NULL;
    }
    if (*path == '\0') {
        tree_error(error, text, VWIRE_ERROR_PARSE, "found an empty path; expected a file or URL");
        return NULL;
    }
    g_autofree char *local = source_join(layer->directory, path);
    if (source_is_remote(path) && !g_file_test(local, G_FILE_TEST_EXISTS)) {
        return source_resolve(path, layer->maps, text, error);
    }
    return g_steal_pointer(&local);
}

char *
layer_file(const Layer *layer, const TreeNode *text, GError **error)
{
    char *path = layer_path(layer, text, error);
    if (path == NULL) {
        return NULL;
    }
    if (!g_file_test(path, G_FILE_TEST_IS_REGULAR)) {
        tree_error(error, text, VWIRE_ERROR_SYSTEM, "found no file \"%s\"; expected one", path);
        g_free(path);
        return NULL;
    }
    bool leads_out = g_path_is_absolute(text->text) || strstr(text->text, "../") != NULL;
    if (leads_out && !source_is_remote(text->text)) {
        layer_warn(layer, text, "kubectl refuses files outside the kustomization: \"%s\"",
                   text->text);
    }
    return path;
}

void
layer_warn(const Layer *layer, const TreeNode *at, const char *format, ...)
{
    if (layer->warnings == NULL) {
        return;
    }
    va_list args;
    va_start(args, format);
    g_autofree char *message = g_strdup_vprintf(format, args);
    va_end(args);
    const char *file = at->mark.file != NULL ? at->mark.file : "(generated)";
    g_ptr_array_add(layer->warnings,
                    g_strdup_printf("%s:%d:%d: %s", file, at->mark.line, at->mark.column, message));
}

bool
layer_check_strings(const TreeNode *mapping, const char *what, GError **error)
{
    const char *text = NULL;
    if (!tree_expect(mapping, TREE_MAPPING, what, error)) {
        return false;
    }
    for (guint i = 0; i < tree_size(mapping); i++) {
        if (!tree_read_string(tree_item(mapping, i), &text, error)) {
            return false;
        }
    }
    return true;
}
