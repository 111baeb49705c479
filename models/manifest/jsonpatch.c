/* JSON patches.
 *
 * Operations work on a copy of the object, whose growth is bounded: a patch can copy a tree into
 * itself, and each such step would double it. */
#include "models/manifest/jsonpatch.h"

#include <string.h>

/* A place in a tree: where it hangs, and under which key or index. */
typedef struct Place {
    TreeNode *parent; /* NULL: the root itself */
    char *key;        /* the last token, unescaped */
    guint index;      /* in a sequence; its size for "-" */
    bool exists;
} Place;

static void
place_clear(Place *place)
{
    g_free(place->key);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Place, place_clear)

/* ------ pointers (RFC 6901) ------ */

/* "~1" is a slash, "~0" a tilde. */
static char *
unescape(const char *token)
{
    g_auto(GStrv) slashes = g_strsplit(token, "~1", -1);
    g_autofree char *joined = g_strjoinv("/", slashes);
    g_auto(GStrv) tildes = g_strsplit(joined, "~0", -1);
    return g_strjoinv("~", tildes);
}

/* An array index without leading zeros, at most `size`. */
static bool
parse_index(const char *token, guint size, guint *out)
{
    guint64 value = 0;
    if (strcmp(token, "-") == 0) {
        *out = size;
        return true;
    }
    if ((token[0] == '0' && token[1] != '\0') ||
        !g_ascii_string_to_unsigned(token, 10, 0, size, &value, NULL)) {
        return false;
    }
    *out = (guint)value;
    return true;
}

static TreeNode *
step_into(const TreeNode *node, const char *token)
{
    guint index = 0;
    if (node->kind == TREE_MAPPING) {
        return tree_get(node, token);
    }
    if (node->kind == TREE_SEQUENCE && parse_index(token, tree_size(node), &index) &&
        index < tree_size(node)) {
        return tree_item(node, index);
    }
    return NULL;
}

/* Fills the last step of a place. */
static bool
find_last(Place *place)
{
    if (place->parent->kind == TREE_MAPPING) {
        place->exists = tree_get(place->parent, place->key) != NULL;
        return true;
    }
    if (place->parent->kind != TREE_SEQUENCE ||
        !parse_index(place->key, tree_size(place->parent), &place->index)) {
        return false;
    }
    place->exists = place->index < tree_size(place->parent);
    return true;
}

static bool
find_place(TreeNode *root, const TreeNode *pointer, Place *out, GError **error)
{
    const char *text = NULL;
    if (!tree_read_string(pointer, &text, error)) {
        return false;
    }
    if (*text == '\0') {
        *out = (Place){.exists = true};
        return true;
    }
    g_auto(GStrv) tokens = g_strsplit(text, "/", -1);
    guint n = g_strv_length(tokens);
    if (*text != '/' || n > TREE_MAX_DEPTH) {
        return tree_error(
            error, pointer, VWIRE_ERROR_PARSE,
            "found the path \"%.40s\"; expected a JSON pointer such as /spec/replicas", text);
    }
    TreeNode *parent = root;
    for (guint i = 1; i + 1 < n && parent != NULL; i++) {
        g_autofree char *token = unescape(tokens[i]);
        parent = step_into(parent, token);
    }
    g_auto(Place) place = {.parent = parent, .key = unescape(tokens[n - 1])};
    if (parent == NULL || !find_last(&place)) {
        return tree_error(error, pointer, VWIRE_ERROR_INVALID,
                          "found no place for the path \"%s\"; expected a path into the object",
                          text);
    }
    *out = place;
    place.key = NULL;
    return true;
}

/* ------ changes ------ */

static TreeNode *
place_value(TreeNode *root, const Place *place)
{
    if (!place->exists) {
        return NULL;
    }
    if (place->parent == NULL) {
        return root;
    }
    return place->parent->kind == TREE_MAPPING ? tree_get(place->parent, place->key)
                                               : tree_item(place->parent, place->index);
}

static TreeNode *
place_take(const Place *place)
{
    if (place->parent->kind == TREE_MAPPING) {
        return tree_steal(place->parent, place->key);
    }
    return g_ptr_array_steal_index(place->parent->items, place->index);
}

/* Puts a value at a place: in a sequence before the item that is there. */
static void
place_add(TreeNode **root, const Place *place, TreeNode *take)
{
    if (place->parent == NULL) {
        tree_free(*root);
        *root = take;
    } else if (place->parent->kind == TREE_MAPPING) {
        tree_set(place->parent, place->key, take);
    } else {
        tree_insert(place->parent, place->index, take);
    }
}

static bool
check_exists(const Place *place, const TreeNode *pointer, GError **error)
{
    if (place->exists) {
        return true;
    }
    return tree_error(error, pointer, VWIRE_ERROR_INVALID,
                      "found nothing at the path \"%s\"; expected something there",
                      tree_text(pointer));
}

/* ------ operations ------ */

typedef struct Patch {
    TreeNode *root;
    guint n_copied; /* nodes that copy operations made */
} Patch;

/* What an operation was given; members it has no use for may be NULL. */
typedef struct Operation {
    const TreeNode *path;
    const TreeNode *from;
    const TreeNode *value;
} Operation;

static bool
add_take(TreeNode **root, const TreeNode *path, TreeNode *take, GError **error)
{
    g_autoptr(TreeNode) value = take;
    g_auto(Place) place = {0};
    if (!find_place(*root, path, &place, error)) {
        return false;
    }
    place_add(root, &place, g_steal_pointer(&value));
    return true;
}

static bool
add(Patch *patch, const Operation *operation, GError **error)
{
    return add_take(&patch->root, operation->path, tree_copy(operation->value), error);
}

/* Takes the value at a path, which must not be the root, out of the tree. */
static TreeNode *
take(Patch *patch, const TreeNode *path, GError **error)
{
    g_auto(Place) place = {0};
    if (!find_place(patch->root, path, &place, error) || !check_exists(&place, path, error)) {
        return NULL;
    }
    if (place.parent == NULL) {
        tree_error(error, path, VWIRE_ERROR_INVALID,
                   "found the whole object as the path; expected a path into it");
        return NULL;
    }
    return place_take(&place);
}

static bool
remove_value(Patch *patch, const Operation *operation, GError **error)
{
    g_autoptr(TreeNode) value = take(patch, operation->path, error);
    return value != NULL;
}

/* RFC 6902 wants the value to exist; like the library that kubectl uses (evanphx/json-patch v4)
 * this is content with its mapping. */
static bool
replace(Patch *patch, const Operation *operation, GError **error)
{
    g_auto(Place) place = {0};
    if (!find_place(patch->root, operation->path, &place, error)) {
        return false;
    }
    bool in_sequence = place.parent != NULL && place.parent->kind == TREE_SEQUENCE;
    if (in_sequence && !check_exists(&place, operation->path, error)) {
        return false;
    }
    if (in_sequence) {
        tree_free(place_take(&place));
    }
    place_add(&patch->root, &place, tree_copy(operation->value));
    return true;
}

static bool
copy(Patch *patch, const Operation *operation, GError **error)
{
    g_auto(Place) from = {0};
    if (!find_place(patch->root, operation->from, &from, error) ||
        !check_exists(&from, operation->from, error)) {
        return false;
    }
    const TreeNode *value = place_value(patch->root, &from);
    patch->n_copied += tree_count(value, TREE_MAX_NODES);
    if (patch->n_copied > TREE_MAX_NODES) {
        return tree_error(error, operation->path, VWIRE_ERROR_INVALID,
                          "the patch copies more than %d nodes; expected fewer", TREE_MAX_NODES);
    }
    return add_take(&patch->root, operation->path, tree_copy(value), error);
}

static bool
move(Patch *patch, const Operation *operation, GError **error)
{
    const char *path = tree_text(operation->path);
    const char *from = tree_text(operation->from);
    size_t length = from != NULL ? strlen(from) : 0;
    if (path != NULL && length > 0 && strncmp(path, from, length) == 0 && path[length] == '/') {
        return tree_error(error, operation->path, VWIRE_ERROR_INVALID,
                          "found a move of \"%s\" into itself; expected another path", from);
    }
    TreeNode *value = take(patch, operation->from, error);
    return value != NULL && add_take(&patch->root, operation->path, value, error);
}

static bool
test(Patch *patch, const Operation *operation, GError **error)
{
    g_auto(Place) place = {0};
    if (!find_place(patch->root, operation->path, &place, error)) {
        return false;
    }
    const TreeNode *found = place_value(patch->root, &place);
    bool both_null = tree_is_null(found) && tree_is_null(operation->value);
    if (both_null || tree_equal(found, operation->value)) {
        return true;
    }
    return tree_error(error, operation->value, VWIRE_ERROR_INVALID,
                      "the test of \"%s\" found something else; expected this value",
                      tree_text(operation->path));
}

static const struct {
    const char *name;
    bool (*run)(Patch *patch, const Operation *operation, GError **error);
    bool needs_from;
    bool needs_value;
} OPERATIONS[] = {
    {"add", add, false, true},   {"remove", remove_value, false, false},
    {"copy", copy, true, false}, {"replace", replace, false, true},
    {"move", move, true, false}, {"test", test, false, true},
};

static bool
check_member(const TreeNode *at, const TreeNode *member, const char *name, bool needed,
             GError **error)
{
    if (member != NULL || !needed) {
        return true;
    }
    return tree_error(error, at, VWIRE_ERROR_PARSE, "found an operation without %s; expected it",
                      name);
}

static bool
run_operation(Patch *patch, const TreeNode *node, GError **error)
{
    static const char *const KEYS[] = {"op", "path", "from", "value", NULL};
    const char *name = NULL;
    if (!tree_expect(node, TREE_MAPPING, "operation", error) ||
        !tree_check_keys(node, KEYS, "a JSON patch operation", error)) {
        return false;
    }
    const TreeNode *op = tree_get(node, "op");
    Operation operation = {
        .path = tree_get(node, "path"),
        .from = tree_get(node, "from"),
        .value = tree_get(node, "value"),
    };
    if (!check_member(node, op, "op", true, error) ||
        !check_member(node, operation.path, "path", true, error) ||
        !tree_read_string(op, &name, error)) {
        return false;
    }
    for (guint i = 0; i < G_N_ELEMENTS(OPERATIONS); i++) {
        if (strcmp(OPERATIONS[i].name, name) == 0) {
            return check_member(node, operation.from, "from", OPERATIONS[i].needs_from, error) &&
                   check_member(node, operation.value, "value", OPERATIONS[i].needs_value, error) &&
                   OPERATIONS[i].run(patch, &operation, error);
        }
    }
    return tree_error(
        error, op, VWIRE_ERROR_PARSE,
        "found the operation \"%s\"; expected add, remove, replace, move, copy or test", name);
}

bool
jsonpatch_apply(TreeNode **target, const TreeNode *operations, GError **error)
{
    if (!tree_expect(operations, TREE_SEQUENCE, "JSON patch", error)) {
        return false;
    }
    Patch patch = {.root = tree_copy(*target)};
    for (guint i = 0; i < tree_size(operations); i++) {
        if (!run_operation(&patch, tree_item(operations, i), error)) {
            tree_free(patch.root);
            return false;
        }
    }
    tree_free(*target);
    *target = patch.root;
    return true;
}
