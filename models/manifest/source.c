/* Paths, the map of remote bases, files of objects.
 *
 * Sources: kustomize api/internal/git/repospec.go (what counts as a URL), api/konfig/general.go
 * (the names of kustomization files), kyaml kio (lists). */
#include "models/manifest/source.h"

#include "models/manifest/resource.h"

#include <string.h>

/* ------ paths ------ */

/* Drops the last name of a path when that is what ".." means: a plain name, no symbolic link. */
static bool
drop_last(GString *path)
{
    g_autofree char *last = g_path_get_basename(path->str);
    bool plain = strcmp(last, ".") != 0 && strcmp(last, "..") != 0 && strcmp(last, "/") != 0;
    if (!plain || g_file_test(path->str, G_FILE_TEST_IS_SYMLINK)) {
        return false;
    }
    g_autofree char *rest = g_path_get_dirname(path->str);
    g_string_assign(path, rest);
    return true;
}

char *
source_join(const char *directory, const char *path)
{
    if (g_path_is_absolute(path)) {
        return g_strdup(path);
    }
    GString *joined = g_string_new(directory);
    while (joined->len > 1 && g_str_has_suffix(joined->str, "/")) {
        g_string_truncate(joined, joined->len - 1);
    }
    g_auto(GStrv) names = g_strsplit(path, "/", -1);
    for (guint i = 0; names[i] != NULL; i++) {
        bool nothing = *names[i] == '\0' || strcmp(names[i], ".") == 0;
        if (nothing || (strcmp(names[i], "..") == 0 && drop_last(joined))) {
            continue;
        }
        if (strcmp(joined->str, ".") == 0) {
            g_string_assign(joined, names[i]);
        } else {
            g_string_append_printf(joined, "%s%s", g_str_has_suffix(joined->str, "/") ? "" : "/",
                                   names[i]);
        }
    }
    return g_string_free(joined, FALSE);
}

/* ------ remote bases ------ */

bool
manifest_map_parse(const char *text, ManifestMap *out, GError **error)
{
    const char *equals = strrchr(text, '=');
    if (equals == NULL || equals == text || equals[1] == '\0') {
        return error_set(error, VWIRE_ERROR_PARSE,
                         "found the map \"%s\"; expected PREFIX=DIR, such as "
                         "https://github.com/owner/repository=../repository",
                         text);
    }
    *out = (ManifestMap){
        .prefix = g_strndup(text, (gsize)(equals - text)),
        .directory = g_strdup(equals + 1),
    };
    return true;
}

void
manifest_map_clear(ManifestMap *map)
{
    g_clear_pointer(&map->prefix, g_free);
    g_clear_pointer(&map->directory, g_free);
}

bool
source_is_remote(const char *text)
{
    return strstr(text, "://") != NULL || g_str_has_prefix(text, "git@") ||
           g_str_has_prefix(text, "git::") || g_str_has_prefix(text, "github.com/") ||
           g_str_has_prefix(text, "github.com:");
}

/* What follows a prefix in a URL, or NULL when the URL is not below it: "/a" and "/ab" differ. */
static const char *
rest_of_url(const char *url, const char *prefix)
{
    size_t length = strlen(prefix);
    if (strncmp(url, prefix, length) != 0) {
        return NULL;
    }
    const char *rest = url + length;
    bool ends = *rest == '\0' || strchr("/?:", *rest) != NULL || g_str_has_prefix(rest, ".git");
    return ends || g_str_has_suffix(prefix, "/") ? rest : NULL;
}

char *
source_resolve(const char *url, const GArray *maps, const TreeNode *at, GError **error)
{
    const ManifestMap *best = NULL;
    for (guint i = 0; maps != NULL && i < maps->len; i++) {
        const ManifestMap *map = &g_array_index(maps, ManifestMap, i);
        if (rest_of_url(url, map->prefix) != NULL &&
            (best == NULL || strlen(map->prefix) > strlen(best->prefix))) {
            best = map;
        }
    }
    if (best == NULL) {
        tree_error(error, at, VWIRE_ERROR_INVALID,
                   "found the remote base \"%s\"; expected --map PREFIX=DIR with a prefix of it, "
                   "as nothing is fetched",
                   url);
        return NULL;
    }
    const char *rest = rest_of_url(url, best->prefix);
    rest += g_str_has_prefix(rest, ".git") ? strlen(".git") : 0;
    g_autofree char *path = g_strndup(rest, strcspn(rest, "?"));
    g_auto(GStrv) names = g_strsplit(path, "/", -1);
    if (g_strv_contains((const char *const *)names, "..")) {
        tree_error(error, at, VWIRE_ERROR_INVALID,
                   "found the remote base \"%s\"; expected a URL without \"..\"", url);
        return NULL;
    }
    while (*rest == '/') {
        rest++;
    }
    g_autofree char *below = g_strndup(rest, strcspn(rest, "?"));
    return source_join(best->directory, below);
}

/* ------ directories ------ */

static const char *const KUSTOMIZATIONS[] = {"kustomization.yaml", "kustomization.yml",
                                             "Kustomization", NULL};

bool
source_is_kustomization(const char *path)
{
    g_autofree char *name = g_path_get_basename(path);
    return g_strv_contains(KUSTOMIZATIONS, name);
}

char *
source_kustomization(const char *directory, GError **error)
{
    char *found = NULL;
    for (guint i = 0; KUSTOMIZATIONS[i] != NULL; i++) {
        g_autofree char *path = source_join(directory, KUSTOMIZATIONS[i]);
        if (!g_file_test(path, G_FILE_TEST_IS_REGULAR)) {
            continue;
        }
        if (found != NULL) {
            error_set(error, VWIRE_ERROR_INVALID, "found %s and %s; expected one kustomization",
                      found, path);
            g_free(found);
            return NULL;
        }
        found = g_steal_pointer(&path);
    }
    return found;
}

static int
compare_names(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

GPtrArray *
source_list(const char *directory, GError **error)
{
    g_autoptr(GError) cause = NULL;
    g_autoptr(GDir) dir = g_dir_open(directory, 0, &cause);
    if (dir == NULL) {
        error_set(error, VWIRE_ERROR_SYSTEM, "read %s: %s", directory, cause->message);
        return NULL;
    }
    GPtrArray *paths = g_ptr_array_new_with_free_func(g_free);
    for (const char *name = g_dir_read_name(dir); name != NULL; name = g_dir_read_name(dir)) {
        g_autofree char *path = source_join(directory, name);
        bool is_yaml = g_str_has_suffix(name, ".yaml") || g_str_has_suffix(name, ".yml");
        if (is_yaml && g_file_test(path, G_FILE_TEST_IS_REGULAR)) {
            g_ptr_array_add(paths, g_steal_pointer(&path));
        }
    }
    g_ptr_array_sort(paths, compare_names);
    return paths;
}

/* ------ objects ------ */

static bool take_object(TreeNode *take, GPtrArray *resources, GError **error);

static bool
take_items(TreeNode *list, GPtrArray *resources, GError **error)
{
    for (guint i = 0; i < tree_size(list); i++) {
        if (!take_object(g_steal_pointer(&list->items->pdata[i]), resources, error)) {
            return false;
        }
    }
    return true;
}

static bool
take_object(TreeNode *take, GPtrArray *resources, GError **error)
{
    g_autoptr(TreeNode) object = take;
    const char *kind = tree_text(tree_get(object, "kind"));
    TreeNode *items = tree_get(object, "items");
    if (kind != NULL && g_str_has_suffix(kind, "List") && items != NULL) {
        return (tree_is_null(items) || tree_expect(items, TREE_SEQUENCE, "items", error)) &&
               take_items(items, resources, error);
    }
    if (!resource_check(object, error)) {
        return false;
    }
    g_ptr_array_add(resources, resource_new(g_steal_pointer(&object)));
    return true;
}

bool
source_read_objects(const char *path, bool within, GPtrArray *resources, GError **error)
{
    g_autoptr(GPtrArray) documents = tree_parse_file(path, error);
    if (documents == NULL) {
        return false;
    }
    for (guint i = 0; i < documents->len; i++) {
        if (within) {
            source_core_booleans(documents->pdata[i]);
        }
        if (!take_object(g_steal_pointer(&documents->pdata[i]), resources, error)) {
            return false;
        }
    }
    return true;
}

/* ------ scalars ------ */

/* How far the line of a file is indented; 0 when it cannot be read. */
static int
indentation(const char *path, int line)
{
    g_autofree char *text = NULL;
    if (path == NULL || !g_file_get_contents(path, &text, NULL, NULL)) {
        return 0;
    }
    const char *at = text;
    for (int i = 1; i < line && at != NULL; i++) {
        at = strchr(at, '\n');
        at = at != NULL ? at + 1 : NULL;
    }
    return at != NULL ? (int)strspn(at, " ") : 0;
}

GPtrArray *
source_parse_inline(const TreeNode *scalar, bool trim, GError **error)
{
    const char *text = tree_text(scalar);
    TreeMark start = scalar->mark;
    /* text that configMapGenerator took from a file: nothing else in a mapping begins at 1:1 */
    bool whole_file = start.line == 1 && start.column == 1;
    if (!whole_file && strchr(text, '\n') != NULL) {
        /* block text begins on the line behind its indicator, indented by the same on each */
        start.line++;
        int indent = indentation(start.file, start.line) - (int)strspn(text, " ");
        start.column = 1 + MAX(indent, 0);
    }
    size_t length = strlen(text);
    while (trim && length > 0 && g_ascii_isspace(text[length - 1])) {
        length--;
    }
    return tree_parse_inline(text, length, &start, error);
}

bool
source_optional_string(const TreeNode *mapping, const char *key, const char **out, GError **error)
{
    const TreeNode *node = tree_get(mapping, key);
    *out = NULL;
    return tree_is_null(node) || tree_read_string(node, out, error);
}

void
source_core_booleans(TreeNode *node)
{
    if (node->kind == TREE_SCALAR && node->scalar == TREE_BOOL) {
        bool is_core = g_ascii_strcasecmp(node->text, "true") == 0 ||
                       g_ascii_strcasecmp(node->text, "false") == 0;
        node->scalar = is_core ? TREE_BOOL : TREE_STRING;
    }
    for (guint i = 0; i < tree_size(node); i++) {
        source_core_booleans(tree_item(node, i));
    }
}
