/* Renders manifests, or compares a rendering with kubectl's: the helper of kustomize_equal.
 *
 *   render DIR                  prints the objects, one line of JSON each
 *   render --compare FILE DIR   0: FILE (YAML, as kubectl prints it) holds the same objects in the
 *                               same order; 3: the same in another order; 1: it differs; 2: DIR
 *                               cannot be rendered
 *
 * Comparing is by value: 1 and 1.0 are equal, and so are a field that is null and one that is not
 * there, as they are to the API server. */
#include "models/manifest/kustomize.h"

#include <stdio.h>
#include <string.h>

enum { EQUAL = 0, DIFFERENT = 1, UNREADABLE = 2, REORDERED = 3 };

/* Drops null fields of mappings. */
static void
drop_nulls(TreeNode *node)
{
    for (guint i = tree_size(node); i-- > 0;) {
        TreeNode *child = tree_item(node, i);
        if (node->kind == TREE_MAPPING && tree_is_null(child)) {
            g_autofree char *key = g_strdup(tree_key(node, i));
            tree_remove(node, key);
        } else {
            drop_nulls(child);
        }
    }
}

/* The objects as lines of JSON with sorted keys. */
static GPtrArray *
to_lines(GPtrArray *trees)
{
    GPtrArray *lines = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < trees->len; i++) {
        drop_nulls(trees->pdata[i]);
        g_ptr_array_add(lines, tree_to_json(trees->pdata[i], true));
    }
    return lines;
}

static GPtrArray *
render(const char *directory)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) trees = kustomize_render(directory, NULL, NULL, &error);
    if (trees == NULL) {
        fprintf(stderr, "%s\n", error->message);
        return NULL;
    }
    return to_lines(trees);
}

static int
compare_lines(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool
same_lines(const GPtrArray *a, const GPtrArray *b)
{
    for (guint i = 0; i < a->len && i < b->len; i++) {
        if (strcmp(a->pdata[i], b->pdata[i]) != 0) {
            return false;
        }
    }
    return a->len == b->len;
}

/* Prints the lines of one set that are not in the other. */
static void
print_missing(const char *label, GPtrArray *from, GPtrArray *in)
{
    for (guint i = 0; i < from->len; i++) {
        if (!g_ptr_array_find_with_equal_func(in, from->pdata[i], g_str_equal, NULL)) {
            printf("# %s %s\n", label, (char *)from->pdata[i]);
        }
    }
}

static int
compare(const char *file, const char *directory)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) ours = render(directory);
    if (ours == NULL) {
        return UNREADABLE;
    }
    g_autoptr(GPtrArray) trees = tree_parse_file(file, &error);
    if (trees == NULL) {
        fprintf(stderr, "%s\n", error->message);
        return UNREADABLE;
    }
    g_autoptr(GPtrArray) theirs = to_lines(trees);
    if (same_lines(ours, theirs)) {
        return EQUAL;
    }
    g_ptr_array_sort(ours, compare_lines);
    g_ptr_array_sort(theirs, compare_lines);
    if (same_lines(ours, theirs)) {
        return REORDERED;
    }
    print_missing("ours:   ", ours, theirs);
    print_missing("kubectl:", theirs, ours);
    return DIFFERENT;
}

int
main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "--compare") == 0) {
        return compare(argv[2], argv[3]);
    }
    if (argc != 2) {
        fprintf(stderr, "usage: render DIR | render --compare FILE DIR\n");
        return UNREADABLE;
    }
    g_autoptr(GPtrArray) lines = render(argv[1]);
    for (guint i = 0; lines != NULL && i < lines->len; i++) {
        puts(lines->pdata[i]);
    }
    return lines != NULL ? EQUAL : UNREADABLE;
}
