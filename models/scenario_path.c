/* Walking a path step by step.  The walk remembers the key of the mapping or list that it is in,
 * because that decides what may be added there. */
#include "models/scenario_path.h"

#include <stdlib.h>
#include <string.h>

typedef struct Walk {
    bool in_object;     /* a Kubernetes object: only known fields may be added */
    const char *parent; /* key of the mapping or list that the walk is in */
    TreeMark mark;      /* "--set ..." of what is made; owned */
} Walk;

/* Fields of Kubernetes objects that may be added where they are missing, by the key of the mapping
 * around them; NULL: any, as in label sets.  Items of a list are below the list's key. */
typedef struct KnownFields {
    const char *parent;
    const char *const *fields;
} KnownFields;

#define FIELDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static const char *const probe_fields[] = {"initialDelaySeconds", "timeoutSeconds",
                                           "periodSeconds",       "successThreshold",
                                           "failureThreshold",    NULL};

static const KnownFields known_fields[] = {
    {"object", FIELDS("metadata", "spec", "data", "stringData")},
    {"metadata", FIELDS("namespace", "labels", "annotations")},
    {"spec", FIELDS("replicas", "podManagementPolicy", "nodeName", "nodeSelector", "hostNetwork",
                    "restartPolicy", "schedulerName", "serviceAccountName",
                    "terminationGracePeriodSeconds", "payload", "type")},
    {"containers", FIELDS("image", "imagePullPolicy", "resources")},
    {"initContainers", FIELDS("image", "imagePullPolicy", "resources")},
    {"resources", FIELDS("requests", "limits")},
    {"requests", FIELDS("cpu", "memory")},
    {"limits", FIELDS("cpu", "memory")},
    {"env", FIELDS("value")},
    {"startupProbe", probe_fields},
    {"readinessProbe", probe_fields},
    {"livenessProbe", probe_fields},
    {"tolerations", FIELDS("value", "effect", "tolerationSeconds")},
    {"webhooks", FIELDS("failurePolicy", "timeoutSeconds")},
    {"labels", NULL},
    {"annotations", NULL},
    {"matchLabels", NULL},
    {"nodeSelector", NULL},
    {"sourceSelector", NULL},
    {"destinationSelector", NULL},
    {"source_selector", NULL},
    {"destination_selector", NULL},
    {"data", NULL},
    {"stringData", NULL},
};

/* ------ steps ------ */

/* Takes one step off the path: a key, or what is in brackets (never first).  NULL when there is
 * none; otherwise *at is behind it, and behind the dot that follows. */
static char *
take_step(const char **at, bool first)
{
    const char *start = *at;
    bool bracket = *start == '[' && !first;
    start += bracket ? 1 : 0;
    size_t length = strcspn(start, bracket ? "]" : ".[]");
    const char *end = start + length;
    if (length == 0 || (bracket && *end != ']')) {
        return NULL;
    }
    end += bracket ? 1 : 0;
    bool dot = *end == '.';
    if (dot ? end[1] == '\0' || end[1] == '[' : *end != '\0' && *end != '[') {
        return NULL;
    }
    *at = end + (dot ? 1 : 0);
    return g_strndup(start, length);
}

/* Splits "a.b[0].c" and "a[x.y]" into keys and what is in brackets; NULL when malformed. */
static GPtrArray *
split_path(const char *path)
{
    g_autoptr(GPtrArray) steps = g_ptr_array_new_with_free_func(g_free);
    do {
        char *step = take_step(&path, steps->len == 0);
        if (step == NULL) {
            return NULL;
        }
        g_ptr_array_add(steps, step);
    } while (*path != '\0');
    return g_steal_pointer(&steps);
}

static GPtrArray *
parse_path(const char *path, GError **error)
{
    GPtrArray *steps = split_path(path);
    if (steps == NULL) {
        error_set(error, VWIRE_ERROR_PARSE, "found the path \"%s\"; expected keys as in a.b[0].c",
                  path);
    }
    return steps;
}

/* The position of the item that a step names: its index, or the item with that `name`. */
static bool
find_item(const TreeNode *list, const char *step, guint *out)
{
    char *end = NULL;
    unsigned long long index = strtoull(step, &end, 10);
    if (g_ascii_isdigit(*step) && *end == '\0') {
        *out = (guint)index;
        return index < tree_size(list);
    }
    for (guint i = 0; i < tree_size(list); i++) {
        const char *name = tree_text(tree_get(tree_item(list, i), "name"));
        if (name != NULL && g_str_equal(name, step)) {
            *out = i;
            return true;
        }
    }
    return false;
}

/* NULL when there is no such child. */
static TreeNode *
find_child(const TreeNode *node, const char *step)
{
    guint index = 0;
    if (node->kind == TREE_SEQUENCE) {
        return find_item(node, step, &index) ? tree_item(node, index) : NULL;
    }
    return tree_get(node, step);
}

/* Whether values at `parent`.`key` are text by their meaning, so that `1` stays "1". */
static bool
is_text_field(const char *parent, const char *key)
{
    static const char *const PARENTS[] = {"labels",
                                          "annotations",
                                          "matchLabels",
                                          "nodeSelector",
                                          "data",
                                          "stringData",
                                          "sourceSelector",
                                          "source_selector",
                                          "destinationSelector",
                                          "destination_selector",
                                          NULL};
    return g_strv_contains(PARENTS, parent) ||
           (g_str_equal(parent, "env") && g_str_equal(key, "value"));
}

/* ------ changes ------ */

static const KnownFields *
find_known(const char *parent)
{
    for (guint i = 0; i < G_N_ELEMENTS(known_fields); i++) {
        if (g_str_equal(known_fields[i].parent, parent)) {
            return &known_fields[i];
        }
    }
    return NULL;
}

static bool
check_may_add(const Walk *walk, const TreeNode *node, const char *step, GError **error)
{
    if (node->kind == TREE_SEQUENCE) {
        return tree_error(error, node, VWIRE_ERROR_INVALID, "\"%s\" has no item %s (it has %u)",
                          walk->parent, step, tree_size(node));
    }
    if (node->kind == TREE_SCALAR) {
        return tree_error(error, node, VWIRE_ERROR_INVALID,
                          "\"%s\" is a single value, it has no %s", walk->parent, step);
    }
    const KnownFields *known = walk->in_object ? find_known(walk->parent) : NULL;
    if (!walk->in_object || (known != NULL && known->fields == NULL)) {
        return true;
    }
    if (known == NULL) {
        return tree_error(error, node, VWIRE_ERROR_INVALID, "\"%s\" has no %s", walk->parent, step);
    }
    g_autoptr(TreeNode) asked = tree_new_mapping();
    TreeNode *value = tree_new_mapping();
    value->key_mark = node->mark;
    if (value->key_mark.file != NULL) {
        g_ref_string_acquire(value->key_mark.file);
    }
    tree_set(asked, step, value);
    return tree_check_keys(asked, known->fields, walk->parent, error);
}

/* Puts `take` where the step leads; the place exists or may be added. */
static bool
put(const Walk *walk, TreeNode *node, const char *step, TreeNode *take, GError **error)
{
    g_autoptr(TreeNode) value = take;
    value->mark = walk->mark;
    g_ref_string_acquire(walk->mark.file);
    guint index = 0;
    if (node->kind == TREE_SEQUENCE && find_item(node, step, &index)) {
        tree_remove_item(node, index);
        tree_insert(node, index, g_steal_pointer(&value));
        return true;
    }
    if (tree_get(node, step) == NULL) {
        if (!check_may_add(walk, node, step, error)) {
            return false;
        }
        value->key_mark = walk->mark;
        g_ref_string_acquire(walk->mark.file);
    }
    tree_set(node, step, g_steal_pointer(&value));
    return true;
}

static bool
put_scalar(const Walk *walk, TreeNode *node, const char *step, const char *value, GError **error)
{
    const TreeNode *old = find_child(node, step);
    if (old != NULL && old->kind != TREE_SCALAR) {
        return tree_error(error, old, VWIRE_ERROR_INVALID,
                          "\"%s\" is a %s, which one value cannot replace", step,
                          old->kind == TREE_MAPPING ? "mapping" : "list");
    }
    bool text = (old != NULL && old->scalar == TREE_STRING) || is_text_field(walk->parent, step);
    TreeScalar scalar = text ? TREE_STRING : tree_resolve_plain(value);
    return put(walk, node, step, tree_new_scalar(scalar, value), error);
}

/* Where the step leads; a mapping is made where nothing is.  NULL with an error. */
static TreeNode *
descend(const Walk *walk, TreeNode *node, const char *step, GError **error)
{
    TreeNode *child = find_child(node, step);
    if (!tree_is_null(child)) {
        return child;
    }
    return put(walk, node, step, tree_new_mapping(), error) ? find_child(node, step) : NULL;
}

/* Takes the steps from `first` on. */
static bool
walk_steps(Walk *walk, TreeNode *node, const GPtrArray *steps, const char *value, GError **error)
{
    for (guint i = 0; i + 1 < steps->len; i++) {
        const char *step = steps->pdata[i];
        bool from_list = node->kind == TREE_SEQUENCE;
        node = descend(walk, node, step, error);
        if (node == NULL) {
            return false;
        }
        walk->parent = from_list ? walk->parent : step;
    }
    return put_scalar(walk, node, steps->pdata[steps->len - 1], value, error);
}

static bool
run_walk(Walk *walk, TreeNode *node, const GPtrArray *steps, const char *value, const char *text,
         GError **error)
{
    g_autofree char *file = g_strdup_printf("--set %s", text);
    size_t column = strlen(file) - strlen(value) + 1;
    walk->mark = (TreeMark){.file = g_ref_string_new(file), .line = 1, .column = (int)column};
    bool done = walk_steps(walk, node, steps, value, error);
    g_ref_string_release(walk->mark.file);
    return done;
}

/* ------ where paths begin ------ */

bool
scenario_path_set(TreeNode *root, const char *path, const char *value, const char *text,
                  GError **error)
{
    static const char *const HEADS[] = {"apiVersion", "kind", "metadata", "spec", NULL};
    g_autoptr(GPtrArray) steps = parse_path(path, error);
    if (steps == NULL) {
        return false;
    }
    if (!g_strv_contains(HEADS, (const char *)steps->pdata[0])) {
        g_ptr_array_insert(steps, 0, g_strdup("spec"));
    }
    Walk walk = {.in_object = false, .parent = "the scenario"};
    return run_walk(&walk, root, steps, value, text, error);
}

static TreeNode *
first_container(const TreeNode *object)
{
    TreeNode *containers = tree_get_path(object, "spec", "template", "spec", "containers", NULL);
    if (containers == NULL) {
        containers = tree_get_path(object, "spec", "containers", NULL);
    }
    return tree_size(containers) > 0 ? tree_item(containers, 0) : NULL;
}

bool
scenario_path_set_object(TreeNode *object, const char *path, const char *value, const char *text,
                         GError **error)
{
    static const char *const HEADS[] = {"metadata", "spec", "data", "stringData", NULL};
    g_autoptr(GPtrArray) steps = parse_path(path, error);
    if (steps == NULL) {
        return false;
    }
    const char *head = steps->pdata[0];
    Walk walk = {.in_object = true, .parent = "object"};
    if (g_strv_contains(HEADS, head) || tree_get(object, head) != NULL) {
        return run_walk(&walk, object, steps, value, text, error);
    }
    TreeNode *container = first_container(object);
    if (container == NULL || container->kind != TREE_MAPPING) {
        return tree_error(error, object, VWIRE_ERROR_INVALID,
                          "no container for the short path \"%s\"; expected a full path such as "
                          "metadata.labels.app or spec.replicas",
                          path);
    }
    walk.parent = "containers";
    return run_walk(&walk, container, steps, value, text, error);
}
