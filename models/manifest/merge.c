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

static TreeNode *
take_item(TreeNode *sequence, const TreeNode *like, char **keys)
{
    for (guint i = 0; i < tree_size(sequence); i++) {
        if (same_item(tree_item(sequence, i), like, keys)) {
            return g_ptr_array_steal_index(sequence->items, i);
        }
    }
    return NULL;
}

/* Merges one item of a patch; the result goes to the end of `front`. */
static bool
merge_item(TreeNode *front, TreeNode *target, const TreeNode *item, const Rule *rule, char **keys,
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
    g_autoptr(TreeNode) old = take_item(front, item, keys);
    if (old == NULL) {
        old = take_item(target, item, keys);
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
        tree_append(front, merged);
    }
    return merged != NULL;
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
append_rest(TreeNode *front, TreeNode *target)
{
    for (guint i = 0; i < tree_size(target); i++) {
        tree_append(front, g_steal_pointer(&target->items->pdata[i]));
    }
    if (target != NULL && target->items != NULL) {
        g_ptr_array_set_size(target->items, 0);
    }
}

static void
merge_plain_values(TreeNode *front, TreeNode *target, const TreeNode *patch)
{
    for (guint i = 0; i < tree_size(patch); i++) {
        if (!contains_scalar(front, tree_item(patch, i))) {
            tree_append(front, tree_copy(tree_item(patch, i)));
        }
    }
    for (guint i = 0; i < tree_size(target); i++) {
        if (!contains_scalar(front, tree_item(target, i))) {
            tree_append(front, tree_copy(tree_item(target, i)));
        }
    }
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
    g_autoptr(TreeNode) front = tree_new_sequence();
    tree_set_mark(front, target != NULL && !tree_is_null(target) ? target : patch);
    g_auto(GStrv) keys = g_strsplit(rule->keys, ",", -1);
    if (keys[0] == NULL) {
        merge_plain_values(front, target, patch);
    }
    for (guint i = 0; keys[0] != NULL && i < tree_size(patch); i++) {
        const TreeNode *item = tree_item(patch, i);
        bool only_directive = g_strcmp0(tree_text(tree_get(item, "$patch")), "replace") == 0;
        if (!only_directive && !merge_item(front, target, item, rule, keys, error)) {
            return false;
        }
    }
    if (keys[0] != NULL) {
        append_rest(front, target);
    }
    tree_set(parent, key, g_steal_pointer(&front));
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
    if (tree_is_null(patch)) {
        tree_remove(parent, key);
        return true;
    }
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

/* `$retainKeys`: whatever the patch does not list goes. */
static void
retain_keys(TreeNode *target, const TreeNode *retained)
{
    for (guint i = tree_size(target); i-- > 0;) {
        g_autoptr(TreeNode) key = tree_new_string(tree_key(target, i));
        if (!contains_scalar(retained, key)) {
            tree_remove(target, key->text);
        }
    }
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

static bool
merge_mapping(TreeNode *target, const TreeNode *patch, const char *type, GError **error)
{
    for (guint i = 0; i < tree_size(patch); i++) {
        const char *key = tree_key(patch, i);
        const TreeNode *value = tree_item(patch, i);
        if (strcmp(key, "$patch") == 0 || g_str_has_prefix(key, ELEMENT_ORDER)) {
            continue;
        }
        if (strcmp(key, RETAIN) == 0) {
            retain_keys(target, value);
        } else if (g_str_has_prefix(key, PRIMITIVE_DELETE)) {
            delete_values(target, key + strlen(PRIMITIVE_DELETE), value);
        } else if (!merge_value(target, key, value, type, error)) {
            return false;
        }
    }
    return true;
}

bool
merge_strategic(TreeNode *target, const TreeNode *patch, bool *deleted, GError **error)
{
    Directive directive = DIRECTIVE_MERGE;
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
    return *deleted || merge_mapping(target, patch, root_type(target), error);
}
