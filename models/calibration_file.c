/* Reading and laying over: the base is read first to the end of its own bases, then the file's
 * sections are laid over it, entry by entry. */
#include "models/calibration_file.h"

#include "models/document.h"

#include <stdlib.h>

typedef struct Section {
    const char *name;
    int depth; /* mappings above the entries: demands have the components in between */
} Section;

static const Section sections[] = {
    {"parameters", 1}, {"start", 1}, {"demands", 2}, {"memory", 1}, {"idle", 1},
};

typedef struct Reader {
    GChecksum *checksum;
    GPtrArray *open; /* char *: real paths of the files being read, the innermost last */
    char *name;      /* of the first file */
} Reader;

static void
reader_clear(Reader *reader)
{
    g_clear_pointer(&reader->checksum, g_checksum_free);
    g_clear_pointer(&reader->open, g_ptr_array_unref);
    g_clear_pointer(&reader->name, g_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Reader, reader_clear)

void
calibration_file_clear(CalibrationFile *file)
{
    g_clear_pointer(&file->name, g_free);
    g_clear_pointer(&file->spec, tree_free);
    g_clear_pointer(&file->hash, g_free);
}

/* Keys of `over` replace those of `base`; down to `depth` mappings are merged instead. */
static void
lay_over(TreeNode *base, const TreeNode *over, int depth)
{
    for (guint i = 0; i < tree_size(over); i++) {
        const char *key = tree_key(over, i);
        const TreeNode *value = tree_item(over, i);
        TreeNode *below = tree_get(base, key);
        bool both = below != NULL && below->kind == TREE_MAPPING && value->kind == TREE_MAPPING;
        if (depth > 0 && both) {
            lay_over(below, value, depth - 1);
        } else {
            tree_set(base, key, tree_copy(value));
        }
    }
}

static bool
check_section(const TreeNode *section, const Section *kind, GError **error)
{
    g_autofree char *what = g_strdup_printf("spec.%s", kind->name);
    if (!tree_expect(section, TREE_MAPPING, what, error)) {
        return false;
    }
    for (guint i = 0; kind->depth > 1 && i < tree_size(section); i++) {
        if (!tree_expect(tree_item(section, i), TREE_MAPPING, what, error)) {
            return false;
        }
    }
    return true;
}

/* Also drops sections without content, which YAML reads as null. */
static bool
check_spec(TreeNode *spec, GError **error)
{
    static const char *const KEYS[] = {"parameters", "start", "demands", "memory", "idle", NULL};
    if (!tree_expect(spec, TREE_MAPPING, "spec", error) ||
        !tree_check_keys(spec, KEYS, "spec", error)) {
        return false;
    }
    for (guint i = 0; i < G_N_ELEMENTS(sections); i++) {
        TreeNode *section = tree_get(spec, sections[i].name);
        if (tree_is_null(section)) {
            tree_remove(spec, sections[i].name);
        } else if (!check_section(section, &sections[i], error)) {
            return false;
        }
    }
    return true;
}

/* The document's own spec; the first file's name goes to the reader. */
static TreeNode *
take_spec(Reader *reader, TreeNode *root, GError **error)
{
    static const char *const KEYS[] = {"apiVersion", "kind", "metadata", "extends", "spec", NULL};
    static const char *const METADATA_KEYS[] = {"name", NULL};
    if (!tree_check_keys(root, KEYS, "the calibration", error)) {
        return NULL;
    }
    const TreeNode *metadata = document_require(root, "metadata", "the calibration", error);
    if (metadata == NULL || !tree_expect(metadata, TREE_MAPPING, "metadata", error) ||
        !tree_check_keys(metadata, METADATA_KEYS, "metadata", error)) {
        return NULL;
    }
    const char *name = document_require_string(metadata, "name", "metadata", error);
    if (name == NULL) {
        return NULL;
    }
    if (reader->name == NULL) {
        reader->name = g_strdup(name);
    }
    TreeNode *spec = document_require(root, "spec", "the calibration", error);
    return spec != NULL && check_spec(spec, error) ? tree_steal(root, "spec") : NULL;
}

/* Refuses a file that is being read already. */
static bool
open_file(Reader *reader, const char *path, const TreeNode *at, GError **error)
{
    g_autofree char *resolved = realpath(path, NULL); /* free and g_free are the same in GLib */
    if (resolved == NULL) {
        resolved = g_canonicalize_filename(path, NULL); /* reading it will say what is wrong */
    }
    if (g_ptr_array_find_with_equal_func(reader->open, resolved, g_str_equal, NULL)) {
        return tree_error(error, at, VWIRE_ERROR_INVALID, "extends: %s extends itself", path);
    }
    g_ptr_array_add(reader->open, g_steal_pointer(&resolved));
    return true;
}

static TreeNode *read_file(Reader *reader, const char *path, const TreeNode *at, GError **error);

/* Reads the base that `root` names, if any, and lays `spec` over it.  Takes spec. */
static TreeNode *
extend(Reader *reader, const char *path, const TreeNode *root, TreeNode *spec, GError **error)
{
    g_autoptr(TreeNode) own = spec;
    const TreeNode *extends = tree_get(root, "extends");
    if (extends == NULL) {
        return g_steal_pointer(&own);
    }
    const char *name = NULL;
    if (!tree_read_string(extends, &name, error)) {
        return NULL;
    }
    g_autofree char *directory = g_path_get_dirname(path);
    g_autofree char *base_path =
        g_path_is_absolute(name) ? g_strdup(name) : g_build_filename(directory, name, NULL);
    g_autoptr(TreeNode) base = read_file(reader, base_path, extends, error);
    if (base == NULL) {
        return NULL;
    }
    for (guint i = 0; i < G_N_ELEMENTS(sections); i++) {
        TreeNode *over = tree_steal(own, sections[i].name);
        TreeNode *below = tree_get(base, sections[i].name);
        if (over != NULL && below != NULL) {
            lay_over(below, over, sections[i].depth - 1);
            tree_free(over);
        } else if (over != NULL) {
            tree_set(base, sections[i].name, over);
        }
    }
    return g_steal_pointer(&base);
}

/* `at` is the `extends` that asked for the file; NULL for the first. */
static TreeNode *
read_file(Reader *reader, const char *path, const TreeNode *at, GError **error)
{
    g_autofree char *text = NULL;
    gsize length = 0;
    g_autoptr(GError) cause = NULL;
    if (!open_file(reader, path, at, error)) {
        return NULL;
    }
    if (!g_file_get_contents(path, &text, &length, &cause)) {
        tree_error(error, at, VWIRE_ERROR_SYSTEM, "%s", cause->message);
        return NULL;
    }
    g_checksum_update(reader->checksum, (const guchar *)text, (gssize)length);
    g_autoptr(TreeNode) root = document_parse(text, length, path, "Calibration", error);
    if (root == NULL) {
        return NULL;
    }
    TreeNode *spec = take_spec(reader, root, error);
    if (spec == NULL) {
        return NULL;
    }
    TreeNode *merged = extend(reader, path, root, spec, error);
    g_ptr_array_set_size(reader->open, (gint)reader->open->len - 1);
    return merged;
}

bool
calibration_file_read(const char *path, CalibrationFile *out, GError **error)
{
    g_auto(Reader) reader = {
        .checksum = g_checksum_new(G_CHECKSUM_SHA256),
        .open = g_ptr_array_new_with_free_func(g_free),
    };
    TreeNode *spec = read_file(&reader, path, NULL, error);
    if (spec == NULL) {
        return false;
    }
    out->spec = spec;
    out->name = g_steal_pointer(&reader.name);
    out->hash = g_strdup(g_checksum_get_string(reader.checksum));
    return true;
}
