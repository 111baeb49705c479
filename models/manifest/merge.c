/* Strategic merge patches.
 *
 * Rules: kubernetes community, sig-api-machinery/strategic-merge-patch.md; the merge keys are the
 * patchMergeKey and listMapKeys of Kubernetes 1.21's API types (staging/src/k8s.io/api). */
#include "models/manifest/merge.h"

#include "models/manifest/resource.h"

#include <string.h>

typedef enum Directive { DIRECTIVE_MERGE, DIRECTIVE_REPLACE, DIRECTIVE_DELETE } Directive;

/* What a field of a type holds.  `keys` names what identifies an item of a list: comma-separated,
 * the first must be there; "" for lists of plain values; NULL where lists replace each other. */
typedef struct Rule {
    const char *type;
    const char *field;
    const char *child; /* the type of the value, or of the list's items */
    const char *keys;
} Rule;

/* A type without rules of its own. */
#define PLAIN "Plain"

static const Rule RULES[] = {
    {"Object", "metadata", "Meta", NULL},
    {"Meta", "finalizers", PLAIN, ""},
    {"Meta", "ownerReferences", PLAIN, "uid"},
    {"Status", "conditions", PLAIN, "type"},
    {"Pod", "metadata", "Meta", NULL},
    {"Pod", "spec", "PodSpec", NULL},
    {"Pod", "status", "Status", NULL},
    {"PodTemplate", "metadata", "Meta", NULL},
    {"PodTemplate", "template", "Pod", NULL},
    {"Workload", "metadata", "Meta", NULL},
    {"Workload", "spec", "WorkloadSpec", NULL},
    {"Workload", "status", "Status", NULL},
    {"WorkloadSpec", "template", "Pod", NULL},
    {"CronJob", "metadata", "Meta", NULL},
    {"CronJob", "spec", "CronJobSpec", NULL},
    {"CronJobSpec", "jobTemplate", "Workload", NULL},
    {"PodSpec", "containers", "Container", "name"},
    {"PodSpec", "initContainers", "Container", "name"},
    {"PodSpec", "ephemeralContainers", "Container", "name"},
    {"PodSpec", "volumes", PLAIN, "name"},
    {"PodSpec", "imagePullSecrets", PLAIN, "name"},
    {"PodSpec", "hostAliases", PLAIN, "ip"},
    {"PodSpec", "topologySpreadConstraints", PLAIN, "topologyKey,whenUnsatisfiable"},
    {"Container", "env", PLAIN, "name"},
    {"Container", "ports", PLAIN, "containerPort,protocol"},
    {"Container", "volumeMounts", PLAIN, "mountPath"},
    {"Container", "volumeDevices", PLAIN, "devicePath"},
    {"Service", "metadata", "Meta", NULL},
    {"Service", "spec", "ServiceSpec", NULL},
    {"Service", "status", "Status", NULL},
    {"ServiceSpec", "ports", PLAIN, "port,protocol"},
    {"ServiceAccount", "metadata", "Meta", NULL},
    {"ServiceAccount", "secrets", PLAIN, "name"},
    {"WebhookConfiguration", "metadata", "Meta", NULL},
    {"WebhookConfiguration", "webhooks", PLAIN, "name"},
    {"Node", "metadata", "Meta", NULL},
    {"Node", "spec", "NodeSpec", NULL},
    {"Node", "status", "NodeStatus", NULL},
    {"NodeSpec", "podCIDRs", PLAIN, ""},
    {"NodeStatus", "addresses", PLAIN, "type"},
    {"NodeStatus", "conditions", PLAIN, "type"},
};

/* The types of whole objects; a kind of NULL stands for the group's other kinds. */
static const struct {
    const char *group;
    const char *kind;
    const char *type;
} ROOTS[] = {
    {"", "Pod", "Pod"},
    {"", "PodTemplate", "PodTemplate"},
    {"", "ReplicationController", "Workload"},
    {"", "Service", "Service"},
    {"", "ServiceAccount", "ServiceAccount"},
    {"", "Node", "Node"},
    {"", NULL, "Object"},
    {"apps", "Deployment", "Workload"},
    {"apps", "DaemonSet", "Workload"},
    {"apps", "StatefulSet", "Workload"},
    {"apps", "ReplicaSet", "Workload"},
    {"apps", NULL, "Object"},
    {"extensions", "Deployment", "Workload"},
    {"extensions", "DaemonSet", "Workload"},
    {"extensions", "ReplicaSet", "Workload"},
    {"extensions", NULL, "Object"},
    {"batch", "Job", "Workload"},
    {"batch", "CronJob", "CronJob"},
    {"policy", NULL, "Object"},
    {"autoscaling", NULL, "Object"},
    {"admissionregistration.k8s.io", NULL, "WebhookConfiguration"},
    {"apiextensions.k8s.io", NULL, "Object"},
    {"apiregistration.k8s.io", NULL, "Object"},
    {"networking.k8s.io", NULL, "Object"},
    {"rbac.authorization.k8s.io", NULL, "Object"},
    {"scheduling.k8s.io", NULL, "Object"},
    {"storage.k8s.io", NULL, "Object"},
};

static const char RETAIN[] = "$retainKeys";
static const char ELEMENT_ORDER[] = "$setElementOrder/";
static const char PRIMITIVE_DELETE[] = "$deleteFromPrimitiveList/";

static bool merge_mapping(TreeNode *target, const TreeNode *patch, const char *type,
                          GError **error);

/* NULL for kinds of CRDs. */
static const char *
root_type(const TreeNode *object)
{
    const char *api_version = tree_text(tree_get(object, "apiVersion"));
    const char *kind = tree_text(tree_get(object, "kind"));
    if (api_version == NULL || kind == NULL) {
        return NULL;
    }
    g_autofree char *group = api_group(api_version);
    for (guint i = 0; i < G_N_ELEMENTS(ROOTS); i++) {
        bool fits = ROOTS[i].kind == NULL || strcmp(ROOTS[i].kind, kind) == 0;
        if (fits && strcmp(ROOTS[i].group, group) == 0) {
            return ROOTS[i].type;
        }
    }
    return NULL;
}

static Rule
find_rule(const char *type, const char *field)
{
    for (guint i = 0; type != NULL && i < G_N_ELEMENTS(RULES); i++) {
        if (strcmp(RULES[i].type, type) == 0 && strcmp(RULES[i].field, field) == 0) {
            return RULES[i];
        }
    }
    return (Rule){.type = type, .field = field, .child = type != NULL ? PLAIN : NULL};
}

static bool
read_directive(const TreeNode *patch, Directive *out, GError **error)
{
    const TreeNode *node = tree_get(patch, "$patch");
    const char *text = tree_text(node);
    if (node == NULL || g_strcmp0(text, "merge") == 0) {
        *out = DIRECTIVE_MERGE;
    } else if (g_strcmp0(text, "replace") == 0) {
        *out = DIRECTIVE_REPLACE;
    } else if (g_strcmp0(text, "delete") == 0) {
        *out = DIRECTIVE_DELETE;
    } else {
        return tree_error(error, node, VWIRE_ERROR_PARSE,
                          "found $patch \"%s\"; expected delete, replace or merge",
                          text != NULL ? text : "(no text)");
    }
    return true;
}

/* ------ lists ------ */

/* A mapping merged into nothing: without directives and without null. */
static TreeNode *
merged_copy(const TreeNode *patch, const char *type, GError **error)
{
    g_autoptr(TreeNode) fresh = tree_new_mapping();
    tree_set_mark(fresh, patch);
    if (!merge_mapping(fresh, patch, type, error)) {
        return NULL;
    }
    return g_steal_pointer(&fresh);
}

static bool
same_scalar(const TreeNode *a, const TreeNode *b)
{
    return tree_text(a) != NULL && g_strcmp0(tree_text(a), tree_text(b)) == 0;
}

/* The first key must be equal, the others only where both items have them. */
static bool
same_item(const TreeNode *a, const TreeNode *b, char **keys)
{
    if (!same_scalar(tree_get(a, keys[0]), tree_get(b, keys[0]))) {
        return false;
    }
    for (guint i = 1; keys[i] != NULL; i++) {
        const TreeNode *one = tree_get(a, keys[i]);
        const TreeNode *two = tree_get(b, keys[i]);
        if (one != NULL && two != NULL && !same_scalar(one, two)) {
            return false;
        }
    }
    return true;
}

/* A list while it is merged, with its items' places by their first key.  What is taken out leaves
 * a NULL behind until the end, so that places hold. */
typedef struct Bag {
    TreeNode *sequence;
    GHashTable *places; /* text to GArray of guint */
} Bag;

static void
bag_note(Bag *bag, guint place, const char *key)
{
    const char *text = tree_text(tree_get(bag->sequence->items->pdata[place], key));
    if (text == NULL) {
        return;
    }
    GArray *places = g_hash_table_lookup(bag->places, text);
    if (places == NULL) {
        places = g_array_new(FALSE, FALSE, sizeof(guint));
        g_hash_table_insert(bag->places, g_strdup(text), places);
    }
    g_array_append_val(places, place);
}

static void
bag_init(Bag *bag, TreeNode *sequence, const char *key)
{
    bag->sequence = sequence;
    bag->places =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_array_unref);
    for (guint i = 0; i < tree_size(sequence); i++) {
        bag_note(bag, i, key);
    }
}

static void
bag_clear(Bag *bag)
{
    g_clear_pointer(&bag->places, g_hash_table_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Bag, bag_clear)

static void
bag_add(Bag *bag, TreeNode *take, const char *key)
{
    tree_append(bag->sequence, take);
    bag_note(bag, tree_size(bag->sequence) - 1, key);
}

static TreeNode *
bag_take(Bag *bag, const TreeNode *like, char **keys)
{
    const GArray *places = g_hash_table_lookup(bag->places, tree_text(tree_get(like, keys[0])));
    for (guint i = 0; places != NULL && i < places->len; i++) {
        gpointer *slot = &bag->sequence->items->pdata[g_array_index(places, guint, i)];
        if (*slot != NULL && same_item(*slot, like, keys)) {
            return g_steal_pointer(slot);
        }
    }
    return NULL;
}

/* Merges one item of a patch; the result goes to the end of `front`. */
static bool
merge_item(Bag *front, Bag *target, const TreeNode *item, const Rule *rule, char **keys,
           GError **error)
{
    Directive directive = DIRECTIVE_MERGE;
    if (!tree_expect(item, TREE_MAPPING, rule->field, error) ||
        !read_directive(item, &directive, error)) {
        return false;
    }
    if (tree_text(tree_get(item, keys[0])) == NULL) {
        return tree_error(error, item, VWIRE_ERROR_INVALID,
                          "found an item of %s without %s; expected it, as items are merged by it",
                          rule->field, keys[0]);
    }
    g_autoptr(TreeNode) old = bag_take(front, item, keys);
    if (old == NULL) {
        old = bag_take(target, item, keys);
    }
    if (directive == DIRECTIVE_DELETE) {
        return true;
    }
    TreeNode *merged = NULL;
    if (old == NULL) {
        merged = merged_copy(item, rule->child, error);
    } else if (merge_mapping(old, item, rule->child, error)) {
        merged = g_steal_pointer(&old);
    }
    if (merged != NULL) {
        bag_add(front, merged, keys[0]);
    }
    return merged != NULL;
}

/* Appends what `from` still has to `to`, a list whose gaps are closed. */
static void
append_rest(TreeNode *to, TreeNode *from)
{
    for (guint i = 0; i < tree_size(from); i++) {
        if (from->items->pdata[i] != NULL) {
            tree_append(to, g_steal_pointer(&from->items->pdata[i]));
        }
    }
}

static void
append_new_values(TreeNode *to, const TreeNode *from, GHashTable *seen)
{
    for (guint i = 0; i < tree_size(from); i++) {
        const TreeNode *item = tree_item(from, i);
        const char *text = tree_text(item);
        if (text == NULL || g_hash_table_add(seen, (char *)text)) {
            tree_append(to, tree_copy(item));
        }
    }
}

/* Lists of plain values: the patch's, then the target's others. */
static TreeNode *
merge_plain_values(const TreeNode *target, const TreeNode *patch)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    TreeNode *merged = tree_new_sequence();
    append_new_values(merged, patch, seen);
    append_new_values(merged, target, seen);
    return merged;
}

/* Lists of mappings: those that the patch names, in its order, then the target's others. */
static TreeNode *
merge_items(TreeNode *target, const TreeNode *patch, const Rule *rule, GError **error)
{
    g_auto(GStrv) keys = g_strsplit(rule->keys, ",", -1);
    g_autoptr(TreeNode) front = tree_new_sequence();
    g_auto(Bag) front_bag = {0};
    g_auto(Bag) target_bag = {0};
    bag_init(&front_bag, front, keys[0]);
    bag_init(&target_bag, target, keys[0]);
    for (guint i = 0; i < tree_size(patch); i++) {
        const TreeNode *item = tree_item(patch, i);
        bool only_directive = g_strcmp0(tree_text(tree_get(item, "$patch")), "replace") == 0;
        if (!only_directive && !merge_item(&front_bag, &target_bag, item, rule, keys, error)) {
            return NULL;
        }
    }
    TreeNode *merged = tree_new_sequence();
    append_rest(merged, front);
    append_rest(merged, target);
    return merged;
}

/* The directive of a list as a whole: an item that says replace, or that says delete alone. */
static bool
list_directive(const TreeNode *patch, Directive *out, GError **error)
{
    *out = DIRECTIVE_MERGE;
    for (guint i = 0; i < tree_size(patch); i++) {
        Directive directive = DIRECTIVE_MERGE;
        const TreeNode *item = tree_item(patch, i);
        if (!read_directive(item, &directive, error)) {
            return false;
        }
        if (directive == DIRECTIVE_REPLACE ||
            (directive == DIRECTIVE_DELETE && tree_size(item) == 1)) {
            *out = directive;
        }
    }
    return true;
}

/* Lays the list `patch` over the list at `key`, which may be missing. */
static bool
merge_list(TreeNode *parent, const char *key, const TreeNode *patch, const Rule *rule,
           GError **error)
{
    Directive list = DIRECTIVE_MERGE;
    if (!list_directive(patch, &list, error)) {
        return false;
    }
    if (list == DIRECTIVE_DELETE) {
        tree_remove(parent, key);
        return true;
    }
    g_autoptr(TreeNode) target = list == DIRECTIVE_REPLACE ? NULL : tree_steal(parent, key);
    TreeNode *merged = *rule->keys == '\0' ? merge_plain_values(target, patch)
                                           : merge_items(target, patch, rule, error);
    if (merged == NULL) {
        return false;
    }
    tree_set_mark(merged, target != NULL && !tree_is_null(target) ? target : patch);
    tree_set(parent, key, merged);
    return true;
}

/* ------ mappings ------ */

static bool
check_fit(const TreeNode *target, const TreeNode *patch, const char *type, GError **error)
{
    static const char *const NAMES[] = {"a scalar", "a sequence", "a mapping"};
    if (type == NULL || tree_is_null(target) || target->kind == patch->kind) {
        return true;
    }
    const char *file = target->mark.file != NULL ? target->mark.file : "(generated)";
    return tree_error(error, patch, VWIRE_ERROR_INVALID,
                      "found %s in a patch; expected %s, as at %s:%d:%d", NAMES[patch->kind],
                      NAMES[target->kind], file, target->mark.line, target->mark.column);
}

static bool
merge_child(TreeNode *parent, const char *key, const TreeNode *patch, const char *type,
            GError **error)
{
    Directive directive = DIRECTIVE_MERGE;
    if (!read_directive(patch, &directive, error)) {
        return false;
    }
    if (directive == DIRECTIVE_DELETE) {
        tree_remove(parent, key);
        return true;
    }
    TreeNode *target = tree_get(parent, key);
    if (directive == DIRECTIVE_MERGE && target != NULL && target->kind == TREE_MAPPING) {
        return merge_mapping(target, patch, type, error);
    }
    TreeNode *fresh = merged_copy(patch, type, error);
    if (fresh != NULL) {
        tree_set(parent, key, fresh);
    }
    return fresh != NULL;
}

static bool
merge_value(TreeNode *parent, const char *key, const TreeNode *patch, const char *type,
            GError **error)
{
    Rule rule = find_rule(type, key);
    if (!check_fit(tree_get(parent, key), patch, type, error)) {
        return false;
    }
    if (patch->kind == TREE_MAPPING) {
        return merge_child(parent, key, patch, rule.child, error);
    }
    if (patch->kind == TREE_SEQUENCE && rule.keys != NULL) {
        return merge_list(parent, key, patch, &rule, error);
    }
    tree_set(parent, key, tree_copy(patch));
    return true;
}

/* `$retainKeys`: notes whatever the patch does not list. */
static void
doom_others(const TreeNode *target, const TreeNode *retained, GHashTable *doomed)
{
    g_autoptr(GHashTable) kept = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; i < tree_size(retained); i++) {
        if (tree_text(tree_item(retained, i)) != NULL) {
            g_hash_table_add(kept, tree_item(retained, i)->text);
        }
    }
    for (guint i = 0; i < tree_size(target); i++) {
        if (!g_hash_table_contains(kept, tree_key(target, i))) {
            g_hash_table_add(doomed, g_strdup(tree_key(target, i)));
        }
    }
}

static bool
contains_scalar(const TreeNode *sequence, const TreeNode *value)
{
    for (guint i = 0; i < tree_size(sequence); i++) {
        if (same_scalar(tree_item(sequence, i), value)) {
            return true;
        }
    }
    return false;
}

static void
delete_values(TreeNode *target, const char *field, const TreeNode *values)
{
    TreeNode *sequence = tree_get(target, field);
    for (guint i = tree_size(sequence); i-- > 0;) {
        if (sequence->kind == TREE_SEQUENCE && contains_scalar(values, tree_item(sequence, i))) {
            tree_remove_item(sequence, i);
        }
    }
}

/* One pair of a patch.  Keys that must go are noted in `doomed`. */
static bool
merge_pair(TreeNode *target, const char *key, const TreeNode *value, const char *type,
           GHashTable *doomed, GError **error)
{
    if (strcmp(key, "$patch") == 0 || g_str_has_prefix(key, ELEMENT_ORDER)) {
        return true;
    }
    if (strcmp(key, RETAIN) == 0) {
        doom_others(target, value, doomed);
        return true;
    }
    if (g_str_has_prefix(key, PRIMITIVE_DELETE)) {
        delete_values(target, key + strlen(PRIMITIVE_DELETE), value);
        return true;
    }
    if (tree_is_null(value)) {
        g_hash_table_add(doomed, g_strdup(key));
        return true;
    }
    return merge_value(target, key, value, type, error);
}

static bool
merge_mapping(TreeNode *target, const TreeNode *patch, const char *type, GError **error)
{
    g_autoptr(GHashTable) doomed = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (guint i = 0; i < tree_size(patch); i++) {
        if (!merge_pair(target, tree_key(patch, i), tree_item(patch, i), type, doomed, error)) {
            return false;
        }
    }
    if (g_hash_table_size(doomed) > 0) {
        tree_remove_all(target, doomed);
    }
    return true;
}

bool
merge_strategic(TreeNode *target, const TreeNode *patch, bool *deleted, GError **error)
{
    Directive directive = DIRECTIVE_MERGE;
    const char *type = root_type(target);
    if (!tree_expect(patch, TREE_MAPPING, "patch", error) ||
        !read_directive(patch, &directive, error)) {
        return false;
    }
    *deleted = directive == DIRECTIVE_DELETE;
    if (directive == DIRECTIVE_REPLACE) {
        for (guint i = tree_size(target); i-- > 0;) {
            g_autofree char *key = g_strdup(tree_key(target, i));
            tree_remove(target, key);
        }
    }
    return *deleted || merge_mapping(target, patch, type, error);
}
