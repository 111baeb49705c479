/* Patches: where their text is, which objects they are meant for, and what of an object they may
 * not change.
 *
 * Rules: kustomize api/internal/builtins/PatchTransformer.go, PatchStrategicMergeTransformer.go,
 * PatchJson6902Transformer.go; api/resource/resource.go (ApplySmPatch). */
#include "models/manifest/patch.h"

#include "models/manifest/jsonpatch.h"
#include "models/manifest/merge.h"
#include "models/manifest/selector.h"
#include "models/manifest/source.h"

#include <string.h>

/* What an entry allows a strategic merge patch to change. */
typedef struct Freedom {
    bool name;
    bool kind;
} Freedom;

/* ------ strategic merge ------ */

static void
restore_namespace(Resource *resource, const char *ns)
{
    if (strcmp(resource_id(resource).ns, ns) == 0) {
        return;
    }
    if (*ns == '\0') {
        tree_remove(tree_get(resource->tree, "metadata"), "namespace");
    } else {
        resource_set_meta(resource, "namespace", ns, NULL);
    }
}

static void
restore_field(TreeNode *tree, const char *key, const TreeNode *value)
{
    if (!tree_equal(tree_get(tree, key), value)) {
        tree_set(tree, key, tree_copy(value));
    }
}

/* Type, name and namespace stay as they were in `before` unless the entry frees them. */
static void
restore_identity(Resource *resource, const TreeNode *before, Freedom freedom)
{
    const TreeNode *metadata = tree_get(before, "metadata");
    const char *ns = tree_text(tree_get(metadata, "namespace"));
    if (!freedom.kind) {
        restore_field(resource->tree, "apiVersion", tree_get(before, "apiVersion"));
        restore_field(resource->tree, "kind", tree_get(before, "kind"));
    }
    const TreeNode *now = tree_get(resource->tree, "metadata");
    if (now == NULL || now->kind != TREE_MAPPING) {
        tree_set(resource->tree, "metadata", tree_new_mapping());
    }
    if (!freedom.name) {
        restore_field(tree_get(resource->tree, "metadata"), "name", tree_get(metadata, "name"));
    }
    restore_namespace(resource, ns != NULL ? ns : "");
}

/* What identifies an object, as it is now. */
static TreeNode *
copy_identity(const TreeNode *tree)
{
    TreeNode *copy = tree_new_mapping();
    TreeNode *metadata = tree_new_mapping();
    const TreeNode *old = tree_get(tree, "metadata");
    const TreeNode *ns = tree_get(old, "namespace");
    tree_set(copy, "apiVersion", tree_copy(tree_get(tree, "apiVersion")));
    tree_set(copy, "kind", tree_copy(tree_get(tree, "kind")));
    tree_set(copy, "metadata", metadata);
    tree_set(metadata, "name", tree_copy(tree_get(old, "name")));
    if (ns != NULL) {
        tree_set(metadata, "namespace", tree_copy(ns));
    }
    return copy;
}

static bool
merge_into(Resource *resource, const TreeNode *patch, Freedom freedom, GPtrArray *resources,
           GError **error)
{
    bool deleted = false;
    g_autoptr(TreeNode) before = copy_identity(resource->tree);
    if (freedom.name || freedom.kind) {
        resource_remember(resource);
    }
    if (!merge_strategic(resource->tree, patch, &deleted, error)) {
        return false;
    }
    if (deleted) {
        g_ptr_array_remove(resources, resource);
        return true;
    }
    restore_identity(resource, before, freedom);
    return resource_check(resource->tree, error);
}

/* A patch that names its object itself. */
static bool
merge_by_id(const TreeNode *patch, Freedom freedom, GPtrArray *resources, GError **error)
{
    if (!resource_check(patch, error)) {
        return false;
    }
    const TreeNode *metadata = tree_get(patch, "metadata");
    const char *ns = tree_text(tree_get(metadata, "namespace"));
    ResourceId id = {
        .api_version = tree_text(tree_get(patch, "apiVersion")),
        .kind = tree_text(tree_get(patch, "kind")),
        .ns = ns != NULL ? ns : "",
        .name = tree_text(tree_get(metadata, "name")),
    };
    Resource *resource = NULL;
    if (!resources_find(resources, &id, patch, &resource, error)) {
        return false;
    }
    if (resource == NULL) {
        return tree_error(error, patch, VWIRE_ERROR_INVALID,
                          "found a patch of %s %s \"%s\"%s%s; expected an object with this "
                          "identity",
                          id.api_version, id.kind, id.name, *id.ns != '\0' ? " in namespace " : "",
                          id.ns);
    }
    return merge_into(resource, patch, freedom, resources, error);
}

static bool
merge_documents(GPtrArray *documents, Freedom freedom, GPtrArray *resources, GError **error)
{
    for (guint i = 0; i < documents->len; i++) {
        source_core_booleans(documents->pdata[i]);
        if (!merge_by_id(documents->pdata[i], freedom, resources, error)) {
            return false;
        }
    }
    return true;
}

/* ------ patches with a target ------ */

static GPtrArray *
select_targets(const Layer *layer, const TreeNode *target, GPtrArray *resources, GError **error)
{
    g_autoptr(Selector) selector = selector_read(target, error);
    if (selector == NULL) {
        return NULL;
    }
    GPtrArray *selected = g_ptr_array_new();
    for (guint i = 0; i < resources->len; i++) {
        if (selector_matches(selector, resources->pdata[i])) {
            g_ptr_array_add(selected, resources->pdata[i]);
        }
    }
    if (selected->len == 0) {
        layer_warn(layer, target, "the patch has no effect: its target selects no object");
    }
    return selected;
}

static bool
apply_operations(const TreeNode *operations, const GPtrArray *selected, GError **error)
{
    for (guint i = 0; i < selected->len; i++) {
        Resource *resource = selected->pdata[i];
        resource_remember(resource);
        if (!jsonpatch_apply(&resource->tree, operations, error) ||
            !resource_check(resource->tree, error)) {
            return false;
        }
    }
    return true;
}

static bool
merge_selected(TreeNode *patch, const GPtrArray *selected, Freedom freedom, GPtrArray *resources,
               GError **error)
{
    source_core_booleans(patch);
    for (guint i = 0; i < selected->len; i++) {
        if (!merge_into(selected->pdata[i], patch, freedom, resources, error)) {
            return false;
        }
    }
    return true;
}

/* ------ entries ------ */

/* The documents of an entry's `path` or inline `patch`. */
static GPtrArray *
read_entry(const Layer *layer, const TreeNode *entry, GError **error)
{
    const TreeNode *path = tree_get(entry, "path");
    const TreeNode *patch = tree_get(entry, "patch");
    const char *text = NULL;
    if ((tree_is_null(path)) == (tree_is_null(patch))) {
        tree_error(error, entry, VWIRE_ERROR_PARSE,
                   "found a patch with %s; expected one of path and patch",
                   tree_is_null(path) ? "neither path nor patch" : "both path and patch");
        return NULL;
    }
    if (!tree_is_null(patch)) {
        return tree_read_string(patch, &text, error) ? source_parse_inline(patch, true, error)
                                                     : NULL;
    }
    g_autofree char *file = layer_file(layer, path, error);
    return file != NULL ? tree_parse_file(file, error) : NULL;
}

static bool
read_options(const TreeNode *options, Freedom *out, GError **error)
{
    static const char *const KEYS[] = {"allowNameChange", "allowKindChange", "allowNoTargetMatch",
                                       NULL};
    if (tree_is_null(options)) {
        return true;
    }
    if (!tree_expect(options, TREE_MAPPING, "options", error) ||
        !tree_check_keys(options, KEYS, "options of a patch", error)) {
        return false;
    }
    const TreeNode *name = tree_get(options, "allowNameChange");
    const TreeNode *kind = tree_get(options, "allowKindChange");
    return (name == NULL || tree_read_bool(name, &out->name, error)) &&
           (kind == NULL || tree_read_bool(kind, &out->kind, error));
}

static bool
apply_entry(const Layer *layer, const TreeNode *entry, GPtrArray *resources, GError **error)
{
    static const char *const KEYS[] = {"path", "patch", "target", "options", NULL};
    Freedom freedom = {0};
    if (!tree_expect(entry, TREE_MAPPING, "patch", error) ||
        !tree_check_keys(entry, KEYS, "a patch", error) ||
        !read_options(tree_get(entry, "options"), &freedom, error)) {
        return false;
    }
    const TreeNode *target = tree_get(entry, "target");
    g_autoptr(GPtrArray) documents = read_entry(layer, entry, error);
    if (documents == NULL) {
        return false;
    }
    if (documents->len == 0) {
        return tree_error(error, entry, VWIRE_ERROR_PARSE, "found an empty patch; expected one");
    }
    TreeNode *first = documents->pdata[0];
    if (tree_is_null(target)) {
        return first->kind == TREE_SEQUENCE
                   ? tree_error(error, entry, VWIRE_ERROR_INVALID,
                                "found a JSON patch without target; expected one")
                   : merge_documents(documents, freedom, resources, error);
    }
    if (documents->len > 1) {
        return tree_error(error, entry, VWIRE_ERROR_INVALID,
                          "found several patches for one target; expected one");
    }
    g_autoptr(GPtrArray) selected = select_targets(layer, target, resources, error);
    if (selected == NULL) {
        return false;
    }
    return first->kind == TREE_SEQUENCE
               ? apply_operations(first, selected, error)
               : merge_selected(first, selected, freedom, resources, error);
}

static bool
apply_entries(const Layer *layer, const char *field, GPtrArray *resources, GError **error)
{
    const TreeNode *list = NULL;
    if (!layer_field(layer, field, TREE_SEQUENCE, &list, error)) {
        return false;
    }
    for (guint i = 0; i < tree_size(list); i++) {
        if (!apply_entry(layer, tree_item(list, i), resources, error)) {
            return false;
        }
    }
    return true;
}

/* An entry of patchesStrategicMerge is a path, or the patch itself. */
static bool
apply_strategic(const Layer *layer, const TreeNode *entry, GPtrArray *resources, GError **error)
{
    const char *text = NULL;
    g_autoptr(GPtrArray) documents = NULL;
    if (!tree_read_string(entry, &text, error)) {
        return false;
    }
    if (strchr(text, '\n') != NULL || *text == '{') {
        documents = source_parse_inline(entry, false, error);
    } else {
        g_autofree char *path = layer_file(layer, entry, error);
        documents = path != NULL ? tree_parse_file(path, error) : NULL;
    }
    return documents != NULL && merge_documents(documents, (Freedom){0}, resources, error);
}

bool
patch_run_before(const Layer *layer, GPtrArray *resources, GError **error)
{
    const TreeNode *list = NULL;
    if (!layer_field(layer, "patchesStrategicMerge", TREE_SEQUENCE, &list, error)) {
        return false;
    }
    for (guint i = 0; i < tree_size(list); i++) {
        if (!apply_strategic(layer, tree_item(list, i), resources, error)) {
            return false;
        }
    }
    return apply_entries(layer, "patches", resources, error);
}

bool
patch_run_after(const Layer *layer, GPtrArray *resources, GError **error)
{
    return apply_entries(layer, "patchesJson6902", resources, error);
}
