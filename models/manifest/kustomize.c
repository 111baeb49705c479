/* Rendering: from a path to the objects that kubectl kustomize would print.
 *
 * A directory with a kustomization is rendered from the inside out: resources (files, and
 * directories, which are rendered first), generators, components, patches, transformations.  Name
 * hashes and references come once at the very end, when all names are known.
 * The order of steps is that of kustomize 5, api/internal/target/kusttarget.go. */
#include "models/manifest/kustomize.h"

#include "models/manifest/generator.h"
#include "models/manifest/layer.h"
#include "models/manifest/patch.h"
#include "models/manifest/reference.h"
#include "models/manifest/source.h"
#include "models/manifest/transform.h"

#include <stdlib.h>
#include <string.h>

/* How many kustomizations one rendering may read: a chain of bases that each name the next twice
 * would otherwise never end. */
enum { MAX_LAYERS = 2000, MAX_NESTING = 50 };

typedef struct Renderer {
    const GArray *maps;
    GPtrArray *warnings;
    GPtrArray *open; /* real paths of the directories being rendered, outermost first */
    guint n_layers;
} Renderer;

static const char *const FIELDS[] = {
    "apiVersion",
    "kind",
    "metadata",
    "resources",
    "bases",
    "components",
    "namespace",
    "namePrefix",
    "nameSuffix",
    "commonLabels",
    "commonAnnotations",
    "labels",
    "images",
    "replicas",
    "patches",
    "patchesStrategicMerge",
    "patchesJson6902",
    "configMapGenerator",
    "secretGenerator",
    "generatorOptions",
    "sortOptions",
    NULL,
};

/* Fields of kustomize that are not rendered here. */
static const char *const UNSUPPORTED[] = {
    "buildMetadata", "configurations",
    "crds",          "generators",
    "helmCharts",    "helmGlobals",
    "imageTags",     "helmChartInflationGenerator",
    "openapi",       "replacements",
    "transformers",  "validators",
    "vars",          NULL,
};

static bool render_directory(Renderer *renderer, const char *directory, const TreeNode *at,
                             GPtrArray *resources, GError **error);

/* ------ the kustomization file ------ */

static bool
check_fields(const TreeNode *root, GError **error)
{
    for (guint i = 0; i < tree_size(root); i++) {
        const char *key = tree_key(root, i);
        if (g_strv_contains(UNSUPPORTED, key)) {
            return tree_error_mark(error, &tree_item(root, i)->key_mark, VWIRE_ERROR_UNSUPPORTED,
                                   "found the field \"%s\", which is not supported; expected the "
                                   "output of kubectl kustomize instead of this directory",
                                   key);
        }
    }
    return tree_check_keys(root, FIELDS, "a kustomization", error);
}

static bool
check_kind(const TreeNode *root, bool is_component, GError **error)
{
    const char *kind = NULL;
    const char *wanted = is_component ? "Component" : "Kustomization";
    if (!source_optional_string(root, "kind", &kind, error)) {
        return false;
    }
    if (g_strcmp0(kind != NULL ? kind : "Kustomization", wanted) != 0) {
        return tree_error(error, kind != NULL ? tree_get(root, "kind") : root, VWIRE_ERROR_INVALID,
                          "found the kind %s; expected %s", kind != NULL ? kind : "Kustomization",
                          wanted);
    }
    return true;
}

/* The file's one document, a mapping with known fields. */
static TreeNode *
read_kustomization(const char *path, bool is_component, GError **error)
{
    g_autoptr(GPtrArray) documents = tree_parse_file(path, error);
    if (documents == NULL) {
        return NULL;
    }
    if (documents->len != 1) {
        error_set(error, VWIRE_ERROR_PARSE, "%s:1:1: found %u documents; expected one", path,
                  documents->len);
        return NULL;
    }
    TreeNode *root = documents->pdata[0];
    if (!tree_expect(root, TREE_MAPPING, "kustomization", error) || !check_fields(root, error) ||
        !check_kind(root, is_component, error)) {
        return NULL;
    }
    return g_ptr_array_steal_index(documents, 0);
}

/* ------ resources ------ */

/* An entry of `resources` or `bases`. */
static bool
add_resource(Renderer *renderer, const Layer *layer, const TreeNode *entry, GPtrArray *resources,
             GError **error)
{
    g_autofree char *path = layer_path(layer, entry, error);
    if (path == NULL) {
        return false;
    }
    if (!g_file_test(path, G_FILE_TEST_IS_DIR)) {
        g_autofree char *file = layer_file(layer, entry, error);
        return file != NULL && source_read_objects(file, true, resources, error);
    }
    g_autoptr(GPtrArray) base = resources_new();
    if (!render_directory(renderer, path, entry, base, error)) {
        return false;
    }
    g_ptr_array_extend_and_steal(resources, g_steal_pointer(&base));
    return true;
}

static bool
add_resources(Renderer *renderer, const Layer *layer, GPtrArray *resources, GError **error)
{
    static const char *const LISTS[] = {"resources", "bases"};
    for (guint i = 0; i < G_N_ELEMENTS(LISTS); i++) {
        const TreeNode *list = NULL;
        if (!layer_field(layer, LISTS[i], TREE_SEQUENCE, &list, error)) {
            return false;
        }
        for (guint j = 0; j < tree_size(list); j++) {
            if (!add_resource(renderer, layer, tree_item(list, j), resources, error)) {
                return false;
            }
        }
    }
    return resources_check_unique(resources, error);
}

/* ------ layers ------ */

static bool apply_layer(Renderer *renderer, const char *directory, const TreeNode *at,
                        bool is_component, GPtrArray *resources, GError **error);

static bool
add_components(Renderer *renderer, const Layer *layer, GPtrArray *resources, GError **error)
{
    const TreeNode *list = NULL;
    if (!layer_field(layer, "components", TREE_SEQUENCE, &list, error)) {
        return false;
    }
    for (guint i = 0; i < tree_size(list); i++) {
        const TreeNode *entry = tree_item(list, i);
        g_autofree char *path = layer_path(layer, entry, error);
        if (path == NULL || !apply_layer(renderer, path, entry, true, resources, error)) {
            return false;
        }
    }
    return true;
}

static bool
run_steps(Renderer *renderer, const Layer *layer, GPtrArray *resources, GError **error)
{
    return add_resources(renderer, layer, resources, error) &&
           generator_run(layer, resources, error) &&
           add_components(renderer, layer, resources, error) &&
           patch_run_before(layer, resources, error) &&
           transform_identity(layer, resources, error) &&
           patch_run_after(layer, resources, error) &&
           transform_workloads(layer, resources, error) && resources_check_unique(resources, error);
}

/* Notes that a directory is being rendered; refuses one that already is. */
static bool
enter(Renderer *renderer, const char *directory, const TreeNode *at, GError **error)
{
    char *real = realpath(directory, NULL);
    if (real == NULL) {
        return tree_error(error, at, VWIRE_ERROR_SYSTEM, "found no directory \"%s\"; expected one",
                          directory);
    }
    for (guint i = 0; i < renderer->open->len; i++) {
        if (strcmp(renderer->open->pdata[i], real) != 0) {
            continue;
        }
        free(real);
        return tree_error(error, at, VWIRE_ERROR_INVALID,
                          "found a cycle: \"%s\" is a base of itself; expected bases that end",
                          directory);
    }
    if (++renderer->n_layers > MAX_LAYERS || renderer->open->len >= MAX_NESTING) {
        free(real);
        return tree_error(error, at, VWIRE_ERROR_INVALID,
                          "found more than %d kustomizations or %d levels of them; expected fewer",
                          MAX_LAYERS, MAX_NESTING);
    }
    g_ptr_array_add(renderer->open, real);
    return true;
}

/* Applies the kustomization of a directory to `resources`, which a component gets filled. */
static bool
apply_layer(Renderer *renderer, const char *directory, const TreeNode *at, bool is_component,
            GPtrArray *resources, GError **error)
{
    g_autoptr(GError) cause = NULL;
    g_autofree char *file = source_kustomization(directory, &cause);
    if (file == NULL) {
        return tree_error(error, at, VWIRE_ERROR_INVALID, "%s",
                          cause != NULL ? cause->message
                                        : "found a directory without kustomization.yaml; "
                                          "expected one");
    }
    if (!enter(renderer, directory, at, error)) {
        return false;
    }
    g_autoptr(TreeNode) root = read_kustomization(file, is_component, error);
    Layer layer = {
        .root = root,
        .directory = directory,
        .maps = renderer->maps,
        .warnings = renderer->warnings,
    };
    bool done = root != NULL && run_steps(renderer, &layer, resources, error);
    g_ptr_array_set_size(renderer->open, (gint)renderer->open->len - 1);
    return done;
}

static bool
render_directory(Renderer *renderer, const char *directory, const TreeNode *at,
                 GPtrArray *resources, GError **error)
{
    return apply_layer(renderer, directory, at, false, resources, error);
}

/* ------ the end of a rendering ------ */

static void
add_hashes(GPtrArray *resources)
{
    for (guint i = 0; i < resources->len; i++) {
        Resource *resource = resources->pdata[i];
        if (!resource->needs_hash) {
            continue;
        }
        g_autofree char *hash = generator_hash(resource->tree);
        g_autofree char *name = g_strjoin("-", resource_id(resource).name, hash, NULL);
        resource_remember(resource);
        resource_set_meta(resource, "name", name, NULL);
    }
}

/* Objects for tools only, which kubectl does not print (kyaml kio, IsLocalConfig). */
static void
drop_local(GPtrArray *resources)
{
    for (guint i = resources->len; i-- > 0;) {
        const Resource *resource = resources->pdata[i];
        const char *local = tree_text(tree_get_path(resource->tree, "metadata", "annotations",
                                                    "config.kubernetes.io/local-config", NULL));
        if (local != NULL && strcmp(local, "false") != 0) {
            g_ptr_array_remove_index(resources, i);
        }
    }
}

/* Only the outermost kustomization decides on the order. */
static bool
read_order(const char *directory, bool *sorted, GError **error)
{
    static const char *const KEYS[] = {"order", NULL};
    const char *order = NULL;
    g_autofree char *file = source_kustomization(directory, error);
    g_autoptr(TreeNode) root = file != NULL ? read_kustomization(file, false, error) : NULL;
    if (root == NULL) {
        return false;
    }
    const TreeNode *options = tree_get(root, "sortOptions");
    *sorted = true;
    if (options == NULL) {
        return true;
    }
    if (!tree_expect(options, TREE_MAPPING, "sortOptions", error) ||
        !tree_check_keys(options, KEYS, "sortOptions", error) ||
        !source_optional_string(options, "order", &order, error)) {
        return false;
    }
    *sorted = g_strcmp0(order, "legacy") == 0;
    return *sorted || g_strcmp0(order, "fifo") == 0 ||
           tree_error(error, options, VWIRE_ERROR_PARSE,
                      "found the order \"%s\"; expected legacy or fifo",
                      order != NULL ? order : "");
}

static bool
render_kustomization(Renderer *renderer, const char *directory, GPtrArray *resources,
                     GError **error)
{
    bool sorted = true;
    if (!render_directory(renderer, directory, NULL, resources, error) ||
        !read_order(directory, &sorted, error)) {
        return false;
    }
    add_hashes(resources);
    if (!reference_update(resources, error)) {
        return false;
    }
    drop_local(resources);
    if (sorted) {
        resources_sort(resources);
    }
    return true;
}

/* ------ plain files and directories ------ */

static bool
read_plain_directory(const char *directory, GPtrArray *resources, GError **error)
{
    g_autoptr(GPtrArray) paths = source_list(directory, error);
    if (paths == NULL) {
        return false;
    }
    if (paths->len == 0) {
        return error_set(error, VWIRE_ERROR_INVALID,
                         "%s: found no kustomization.yaml and no *.yaml or *.yml; expected one",
                         directory);
    }
    for (guint i = 0; i < paths->len; i++) {
        if (!source_read_objects(paths->pdata[i], false, resources, error)) {
            return false;
        }
    }
    return true;
}

static bool
render_path(Renderer *renderer, const char *path, GPtrArray *resources, GError **error)
{
    if (source_is_kustomization(path) && g_file_test(path, G_FILE_TEST_IS_REGULAR)) {
        g_autofree char *directory = g_path_get_dirname(path);
        return render_kustomization(renderer, directory, resources, error);
    }
    if (!g_file_test(path, G_FILE_TEST_IS_DIR)) {
        return source_read_objects(path, false, resources, error);
    }
    g_autoptr(GError) cause = NULL;
    g_autofree char *file = source_kustomization(path, &cause);
    if (cause != NULL) {
        g_propagate_error(error, g_steal_pointer(&cause));
        return false;
    }
    return file != NULL ? render_kustomization(renderer, path, resources, error)
                        : read_plain_directory(path, resources, error);
}

GPtrArray *
kustomize_render(const char *path, const GArray *maps, GPtrArray *warnings, GError **error)
{
    g_autoptr(GPtrArray) open = g_ptr_array_new_with_free_func(free);
    g_autoptr(GPtrArray) resources = resources_new();
    Renderer renderer = {.maps = maps, .warnings = warnings, .open = open};
    g_autofree char *local = NULL;
    if (source_is_remote(path) && !g_file_test(path, G_FILE_TEST_EXISTS)) {
        local = source_resolve(path, maps, NULL, error);
    } else {
        local = g_strdup(path);
    }
    if (local == NULL || !render_path(&renderer, local, resources, error) ||
        !resources_check_unique(resources, error)) {
        return NULL;
    }
    GPtrArray *trees = g_ptr_array_new_with_free_func((GDestroyNotify)tree_free);
    for (guint i = 0; i < resources->len; i++) {
        Resource *resource = resources->pdata[i];
        g_ptr_array_add(trees, g_steal_pointer(&resource->tree));
    }
    return trees;
}
