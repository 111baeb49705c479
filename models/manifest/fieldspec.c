/* Walking paths of built-in tables (kustomize api/filters/fieldspec/fieldspec.go). */
#include "models/manifest/fieldspec.h"

#include <string.h>

typedef struct Walk {
    GPtrArray *keys; /* char *, without `[]` */
    GArray *listed;  /* bool: the key had `[]` */
    bool create;
    FieldVisitor visitor;
    gpointer data;
} Walk;

/* Splits at slashes that no backslash precedes. */
static void
split_path(const char *path, Walk *walk)
{
    GString *key = g_string_new(NULL);
    for (const char *at = path;; at++) {
        if (*at == '\\' && at[1] == '/') {
            g_string_append_c(key, '/');
            at++;
        } else if (*at != '/' && *at != '\0') {
            g_string_append_c(key, *at);
        } else {
            bool listed = g_str_has_suffix(key->str, "[]");
            g_ptr_array_add(walk->keys, g_strndup(key->str, key->len - (listed ? 2 : 0)));
            g_array_append_val(walk->listed, listed);
            g_string_truncate(key, 0);
        }
        if (*at == '\0') {
            break;
        }
    }
    g_string_free(key, TRUE);
}

static bool walk_node(const Walk *walk, TreeNode *node, guint position, GError **error);

static bool
walk_items(const Walk *walk, TreeNode *sequence, guint position, GError **error)
{
    for (guint i = 0; i < tree_size(sequence); i++) {
        if (!walk_node(walk, tree_item(sequence, i), position, error)) {
            return false;
        }
    }
    return true;
}

static bool
walk_node(const Walk *walk, TreeNode *node, guint position, GError **error)
{
    if (node->kind == TREE_SEQUENCE) {
        return walk_items(walk, node, position, error);
    }
    if (tree_is_null(node)) {
        return true;
    }
    const char *key = walk->keys->pdata[position];
    if (!tree_expect(node, TREE_MAPPING, key, error)) {
        return false;
    }
    TreeNode *child = tree_get(node, key);
    bool may_create = walk->create && !g_array_index(walk->listed, bool, position);
    if (tree_is_null(child) && !may_create) {
        return true;
    }
    if (position + 1 == walk->keys->len) {
        return walk->visitor(node, key, walk->data, error);
    }
    if (tree_is_null(child)) {
        child = tree_new_mapping();
        tree_set_mark(child, node);
        tree_set(node, key, child);
    }
    return walk_node(walk, child, position + 1, error);
}

bool
field_visit(TreeNode *root, const char *path, bool create, FieldVisitor visitor, gpointer data,
            GError **error)
{
    g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GArray) listed = g_array_new(FALSE, FALSE, sizeof(bool));
    Walk walk = {
        .keys = keys,
        .listed = listed,
        .create = create,
        .visitor = visitor,
        .data = data,
    };
    split_path(path, &walk);
    return walk_node(&walk, root, 0, error);
}

bool
field_visit_all(Resource *resource, const FieldSpec *specs, guint n, FieldVisitor visitor,
                gpointer data, GError **error)
{
    ResourceId id = resource_first_id(resource);
    for (guint i = 0; i < n; i++) {
        if (resource_id_is_a(&id, &specs[i].type) &&
            !field_visit(resource->tree, specs[i].path, specs[i].create, visitor, data, error)) {
            return false;
        }
    }
    return true;
}
