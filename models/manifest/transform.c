/* Transformations of all objects of a kustomization.
 *
 * Rules: kustomize api/filters/namespace, prefix, suffix, labels, annotations, imagetag,
 * replicacount; the tables are api/internal/konfig/builtinpluginconsts. */
#include "models/manifest/transform.h"

#include "models/manifest/fieldspec.h"
#include "models/manifest/source.h"

#include <string.h>

#define ANY                                                                                        \
    {                                                                                              \
        NULL, NULL, NULL                                                                           \
    }
#define APPS(kind)                                                                                 \
    {                                                                                              \
        "apps", NULL, kind                                                                         \
    }
#define KIND(kind)                                                                                 \
    {                                                                                              \
        NULL, NULL, kind                                                                           \
    }

/* ------ namespace ------ */

static const FieldSpec NAMESPACE_FIELDS[] = {
    {KIND("Namespace"), "metadata/name", true},
    {{"apiregistration.k8s.io", NULL, "APIService"}, "spec/service/namespace", true},
    {{"apiextensions.k8s.io", NULL, "CustomResourceDefinition"},
     "spec/conversion/webhook/clientConfig/service/namespace",
     false},
};

static bool
set_scalar(TreeNode *parent, const char *key, gpointer data, GError **error)
{
    tree_set(parent, key, tree_copy(data));
    return true;
}

/* Of the subjects of a role binding only "default" accounts get the namespace here; the others
 * follow their ServiceAccount, when that is among the objects. */
static bool
set_default_subjects(const Resource *resource, const TreeNode *ns, GError **error)
{
    const TreeNode *subjects = tree_get(resource->tree, "subjects");
    if (tree_is_null(subjects)) {
        return true;
    }
    if (!tree_expect(subjects, TREE_SEQUENCE, "subjects", error)) {
        return false;
    }
    for (guint i = 0; i < tree_size(subjects); i++) {
        TreeNode *subject = tree_item(subjects, i);
        if (!tree_expect(subject, TREE_MAPPING, "subject", error)) {
            return false;
        }
        if (g_strcmp0(tree_text(tree_get(subject, "name")), "default") == 0) {
            tree_set(subject, "namespace", tree_copy(ns));
        }
    }
    return true;
}

static bool
set_namespace(const TreeNode *ns, GPtrArray *resources, GError **error)
{
    for (guint i = 0; i < resources->len; i++) {
        Resource *resource = resources->pdata[i];
        ResourceId id = resource_id(resource);
        bool is_binding = g_str_has_suffix(id.kind, "RoleBinding");
        bool is_global = resource_id_is_cluster_scoped(&id);
        resource_remember(resource);
        if (!is_global) {
            resource_set_meta(resource, "namespace", ns->text, ns);
        }
        if ((is_binding && !set_default_subjects(resource, ns, error)) ||
            !field_visit_all(resource, NAMESPACE_FIELDS, G_N_ELEMENTS(NAMESPACE_FIELDS), set_scalar,
                             (gpointer)ns, error)) {
            return false;
        }
    }
    return resources_check_unique(resources, error);
}

static bool
transform_namespace(const Layer *layer, GPtrArray *resources, GError **error)
{
    const char *ns = NULL;
    if (!source_optional_string(layer->root, "namespace", &ns, error)) {
        return false;
    }
    return ns == NULL || *ns == '\0' ||
           set_namespace(tree_get(layer->root, "namespace"), resources, error);
}

/* ------ names ------ */

static bool
keeps_name(const Resource *resource)
{
    static const ResourceType TYPES[] = {
        KIND("CustomResourceDefinition"),
        {"apiregistration.k8s.io", NULL, "APIService"},
        KIND("Namespace"),
    };
    ResourceId id = resource_first_id(resource);
    for (guint i = 0; i < G_N_ELEMENTS(TYPES); i++) {
        if (resource_id_is_a(&id, &TYPES[i])) {
            return true;
        }
    }
    return false;
}

static bool
transform_names(const Layer *layer, GPtrArray *resources, const char *field, GError **error)
{
    const char *affix = NULL;
    bool is_prefix = strcmp(field, "namePrefix") == 0;
    if (!source_optional_string(layer->root, field, &affix, error)) {
        return false;
    }
    for (guint i = 0; affix != NULL && *affix != '\0' && i < resources->len; i++) {
        Resource *resource = resources->pdata[i];
        if (keeps_name(resource)) {
            continue;
        }
        const char *name = resource_id(resource).name;
        g_autofree char *longer =
            g_strconcat(is_prefix ? affix : name, is_prefix ? name : affix, NULL);
        resource_remember(resource);
        g_ptr_array_add(is_prefix ? resource->prefixes : resource->suffixes, g_strdup(affix));
        resource_set_meta(resource, "name", longer, NULL);
    }
    return true;
}

/* ------ labels and annotations ------ */

#define AFFINITY(kind, which, required)                                                            \
    {                                                                                              \
        APPS(kind),                                                                                \
            "spec/template/spec/affinity/" which "/" required "/labelSelector/matchLabels", false  \
    }
#define REQUIRED "requiredDuringSchedulingIgnoredDuringExecution"
#define PREFERRED "preferredDuringSchedulingIgnoredDuringExecution/podAffinityTerm"
#define SPREAD(kind)                                                                               \
    {                                                                                              \
        APPS(kind), "spec/template/spec/topologySpreadConstraints/labelSelector/matchLabels",      \
            false                                                                                  \
    }

/* Where labels select: these only with includeSelectors, and for commonLabels. */
static const FieldSpec SELECTOR_FIELDS[] = {
    {{NULL, "v1", "Service"}, "spec/selector", true},
    {{NULL, "v1", "ReplicationController"}, "spec/selector", true},
    {KIND("Deployment"), "spec/selector/matchLabels", true},
    {KIND("ReplicaSet"), "spec/selector/matchLabels", true},
    {KIND("DaemonSet"), "spec/selector/matchLabels", true},
    {APPS("StatefulSet"), "spec/selector/matchLabels", true},
    AFFINITY("Deployment", "podAffinity", PREFERRED),
    AFFINITY("Deployment", "podAffinity", REQUIRED),
    AFFINITY("Deployment", "podAntiAffinity", PREFERRED),
    AFFINITY("Deployment", "podAntiAffinity", REQUIRED),
    SPREAD("Deployment"),
    AFFINITY("StatefulSet", "podAffinity", PREFERRED),
    AFFINITY("StatefulSet", "podAffinity", REQUIRED),
    AFFINITY("StatefulSet", "podAntiAffinity", PREFERRED),
    AFFINITY("StatefulSet", "podAntiAffinity", REQUIRED),
    SPREAD("StatefulSet"),
    {{"batch", NULL, "Job"}, "spec/selector/matchLabels", false},
    {{"batch", NULL, "CronJob"}, "spec/jobTemplate/spec/selector/matchLabels", false},
    {{"policy", NULL, "PodDisruptionBudget"}, "spec/selector/matchLabels", false},
    {{"networking.k8s.io", NULL, "NetworkPolicy"}, "spec/podSelector/matchLabels", false},
    {{"networking.k8s.io", NULL, "NetworkPolicy"},
     "spec/ingress/from/podSelector/matchLabels",
     false},
    {{"networking.k8s.io", NULL, "NetworkPolicy"}, "spec/egress/to/podSelector/matchLabels", false},
};

/* Where objects and what they make are labelled. */
static const FieldSpec TEMPLATE_LABEL_FIELDS[] = {
    {ANY, "metadata/labels", true},
    {{NULL, "v1", "ReplicationController"}, "spec/template/metadata/labels", true},
    {KIND("Deployment"), "spec/template/metadata/labels", true},
    {KIND("ReplicaSet"), "spec/template/metadata/labels", true},
    {KIND("DaemonSet"), "spec/template/metadata/labels", true},
    {APPS("StatefulSet"), "spec/template/metadata/labels", true},
    {APPS("StatefulSet"), "spec/volumeClaimTemplates[]/metadata/labels", true},
    {{"batch", NULL, "Job"}, "spec/template/metadata/labels", true},
    {{"batch", NULL, "CronJob"}, "spec/jobTemplate/metadata/labels", true},
    {{"batch", NULL, "CronJob"}, "spec/jobTemplate/spec/template/metadata/labels", true},
};

static const FieldSpec METADATA_LABEL_FIELDS[] = {
    {ANY, "metadata/labels", true},
};

static const FieldSpec ANNOTATION_FIELDS[] = {
    {ANY, "metadata/annotations", true},
    {{NULL, "v1", "ReplicationController"}, "spec/template/metadata/annotations", true},
    {KIND("Deployment"), "spec/template/metadata/annotations", true},
    {KIND("ReplicaSet"), "spec/template/metadata/annotations", true},
    {KIND("DaemonSet"), "spec/template/metadata/annotations", true},
    {APPS("StatefulSet"), "spec/template/metadata/annotations", true},
    {{"batch", NULL, "Job"}, "spec/template/metadata/annotations", true},
    {{"batch", NULL, "CronJob"}, "spec/jobTemplate/metadata/annotations", true},
    {{"batch", NULL, "CronJob"}, "spec/jobTemplate/spec/template/metadata/annotations", true},
};

/* `data` is the mapping of pairs from the kustomization. */
static bool
set_pairs(TreeNode *parent, const char *key, gpointer data, GError **error)
{
    const TreeNode *pairs = data;
    TreeNode *target = tree_get(parent, key);
    if (tree_is_null(target)) {
        target = tree_new_mapping();
        tree_set_mark(target, pairs);
        tree_set(parent, key, target);
    }
    if (!tree_expect(target, TREE_MAPPING, key, error)) {
        return false;
    }
    for (guint i = 0; i < tree_size(pairs); i++) {
        tree_set(target, tree_key(pairs, i), tree_copy(tree_item(pairs, i)));
    }
    return true;
}

static bool
set_pairs_everywhere(GPtrArray *resources, const FieldSpec *specs, guint n, const TreeNode *pairs,
                     GError **error)
{
    for (guint i = 0; tree_size(pairs) > 0 && i < resources->len; i++) {
        if (!field_visit_all(resources->pdata[i], specs, n, set_pairs, (gpointer)pairs, error)) {
            return false;
        }
    }
    return true;
}

static bool
set_labels(GPtrArray *resources, const TreeNode *pairs, bool selectors, bool templates,
           GError **error)
{
    if (selectors && !set_pairs_everywhere(resources, SELECTOR_FIELDS,
                                           G_N_ELEMENTS(SELECTOR_FIELDS), pairs, error)) {
        return false;
    }
    if (selectors || templates) {
        return set_pairs_everywhere(resources, TEMPLATE_LABEL_FIELDS,
                                    G_N_ELEMENTS(TEMPLATE_LABEL_FIELDS), pairs, error);
    }
    return set_pairs_everywhere(resources, METADATA_LABEL_FIELDS,
                                G_N_ELEMENTS(METADATA_LABEL_FIELDS), pairs, error);
}

/* A field spec that the kustomization itself gives. */
static bool
read_field(const TreeNode *node, FieldSpec *out, GError **error)
{
    static const char *const KEYS[] = {"path", "create", "group", "version", "kind", NULL};
    FieldSpec spec = {0};
    if (!tree_expect(node, TREE_MAPPING, "field", error) ||
        !tree_check_keys(node, KEYS, "a field", error) ||
        !source_optional_string(node, "path", &spec.path, error) ||
        !source_optional_string(node, "group", &spec.type.group, error) ||
        !source_optional_string(node, "version", &spec.type.version, error) ||
        !source_optional_string(node, "kind", &spec.type.kind, error)) {
        return false;
    }
    const TreeNode *create = tree_get(node, "create");
    if (create != NULL && !tree_read_bool(create, &spec.create, error)) {
        return false;
    }
    if (spec.path == NULL) {
        return tree_error(error, node, VWIRE_ERROR_PARSE,
                          "found a field without path; expected it");
    }
    *out = spec;
    return true;
}

static bool
set_own_fields(GPtrArray *resources, const TreeNode *fields, const TreeNode *pairs, GError **error)
{
    if (!tree_is_null(fields) && !tree_expect(fields, TREE_SEQUENCE, "fields", error)) {
        return false;
    }
    for (guint i = 0; i < tree_size(fields); i++) {
        FieldSpec spec = {0};
        if (!read_field(tree_item(fields, i), &spec, error) ||
            !set_pairs_everywhere(resources, &spec, 1, pairs, error)) {
            return false;
        }
    }
    return true;
}

static bool
apply_labels_entry(const TreeNode *entry, GPtrArray *resources, GError **error)
{
    static const char *const KEYS[] = {"pairs", "includeSelectors", "includeTemplates", "fields",
                                       NULL};
    bool selectors = false;
    bool templates = false;
    if (!tree_expect(entry, TREE_MAPPING, "labels", error) ||
        !tree_check_keys(entry, KEYS, "labels", error)) {
        return false;
    }
    const TreeNode *pairs = tree_get(entry, "pairs");
    const TreeNode *include_selectors = tree_get(entry, "includeSelectors");
    const TreeNode *include_templates = tree_get(entry, "includeTemplates");
    if (tree_is_null(pairs)) {
        return true;
    }
    return layer_check_strings(pairs, "pairs", error) &&
           (include_selectors == NULL || tree_read_bool(include_selectors, &selectors, error)) &&
           (include_templates == NULL || tree_read_bool(include_templates, &templates, error)) &&
           set_own_fields(resources, tree_get(entry, "fields"), pairs, error) &&
           set_labels(resources, pairs, selectors, templates, error);
}

static bool
transform_labels(const Layer *layer, GPtrArray *resources, GError **error)
{
    const TreeNode *list = NULL;
    const TreeNode *common = NULL;
    if (!layer_field(layer, "labels", TREE_SEQUENCE, &list, error) ||
        !layer_field(layer, "commonLabels", TREE_MAPPING, &common, error)) {
        return false;
    }
    for (guint i = 0; i < tree_size(list); i++) {
        if (!apply_labels_entry(tree_item(list, i), resources, error)) {
            return false;
        }
    }
    return common == NULL || (layer_check_strings(common, "commonLabels", error) &&
                              set_labels(resources, common, true, true, error));
}

static bool
transform_annotations(const Layer *layer, GPtrArray *resources, GError **error)
{
    const TreeNode *common = NULL;
    if (!layer_field(layer, "commonAnnotations", TREE_MAPPING, &common, error)) {
        return false;
    }
    return common == NULL || (layer_check_strings(common, "commonAnnotations", error) &&
                              set_pairs_everywhere(resources, ANNOTATION_FIELDS,
                                                   G_N_ELEMENTS(ANNOTATION_FIELDS), common, error));
}

bool
transform_identity(const Layer *layer, GPtrArray *resources, GError **error)
{
    return transform_namespace(layer, resources, error) &&
           transform_names(layer, resources, "namePrefix", error) &&
           transform_names(layer, resources, "nameSuffix", error) &&
           transform_labels(layer, resources, error) &&
           transform_annotations(layer, resources, error);
}

/* ------ replicas ------ */

static bool
has_replicas(const Resource *resource, const char *name)
{
    static const ResourceType TYPES[] = {
        KIND("Deployment"),
        KIND("ReplicationController"),
        KIND("ReplicaSet"),
        KIND("StatefulSet"),
    };
    ResourceId id = resource_id(resource);
    bool is_named = strcmp(id.name, name) == 0;
    for (guint i = 0; i < resource->past->len; i++) {
        const ResourceId *past = resource->past->pdata[i];
        is_named = is_named || strcmp(past->name, name) == 0;
    }
    for (guint i = 0; is_named && i < G_N_ELEMENTS(TYPES); i++) {
        if (resource_id_is_a(&id, &TYPES[i])) {
            return true;
        }
    }
    return false;
}

static bool
set_replicas(const TreeNode *entry, GPtrArray *resources, GError **error)
{
    static const char *const KEYS[] = {"name", "count", NULL};
    const char *name = NULL;
    int64_t count = 0;
    bool found = false;
    if (!tree_expect(entry, TREE_MAPPING, "replicas", error) ||
        !tree_check_keys(entry, KEYS, "replicas", error) ||
        !source_optional_string(entry, "name", &name, error)) {
        return false;
    }
    const TreeNode *number = tree_get(entry, "count");
    if (name == NULL || number == NULL) {
        return tree_error(error, entry, VWIRE_ERROR_PARSE,
                          "found replicas without %s; expected name and count",
                          name == NULL ? "name" : "count");
    }
    if (!tree_read_int(number, 0, INT32_MAX, &count, error)) {
        return false;
    }
    for (guint i = 0; i < resources->len; i++) {
        Resource *resource = resources->pdata[i];
        if (!has_replicas(resource, name)) {
            continue;
        }
        found = true;
        if (!field_visit(resource->tree, "spec/replicas", true, set_scalar, (gpointer)number,
                         error)) {
            return false;
        }
    }
    return found || tree_error(error, entry, VWIRE_ERROR_INVALID,
                               "found no object \"%s\" with replicas; expected one", name);
}

/* ------ images ------ */

typedef struct Image {
    const char *name;
    const char *new_name;
    const char *new_tag;
    const char *digest;
    const char *tag_suffix;
} Image;

/* "name[:tag][@digest]"; a colon before the last slash belongs to a registry's port. */
static void
split_image(const char *text, char **name, char **tag, char **digest)
{
    const char *at = strchr(text, '@');
    size_t end = at != NULL ? (size_t)(at - text) : strlen(text);
    g_autofree char *tagged = g_strndup(text, end);
    char *slash = strrchr(tagged, '/');
    char *colon = strchr(slash != NULL ? slash : tagged, ':');
    *tag = g_strdup(colon != NULL ? colon + 1 : "");
    *digest = g_strdup(at != NULL ? at + 1 : "");
    *name = g_strndup(tagged, colon != NULL ? (gsize)(colon - tagged) : end);
}

static bool
is_set(const char *text)
{
    return text != NULL && *text != '\0';
}

static void
replace_image(TreeNode *container, const Image *image)
{
    const TreeNode *old = tree_get(container, "image");
    g_autofree char *name = NULL;
    g_autofree char *tag = NULL;
    g_autofree char *digest = NULL;
    if (tree_text(old) == NULL) {
        return;
    }
    split_image(old->text, &name, &tag, &digest);
    if (strcmp(name, image->name) != 0) {
        return;
    }
    const char *new_tag = tag;
    const char *new_digest = digest;
    g_autofree char *longer = g_strconcat(tag, image->tag_suffix, NULL);
    if (is_set(image->new_tag) || is_set(image->digest)) {
        new_tag = image->new_tag;
        new_digest = image->digest;
    } else if (is_set(image->tag_suffix)) {
        new_tag = longer;
        new_digest = NULL;
    }
    g_autofree char *text =
        g_strconcat(is_set(image->new_name) ? image->new_name : name, is_set(new_tag) ? ":" : "",
                    is_set(new_tag) ? new_tag : "", is_set(new_digest) ? "@" : "",
                    is_set(new_digest) ? new_digest : "", NULL);
    TreeNode *node = tree_new_string(text);
    tree_set_mark(node, old);
    tree_set(container, "image", node);
}

/* Containers are found by their field's name, wherever it stands (imagetag/legacy.go). */
static void
replace_images(TreeNode *node, const Image *image)
{
    for (guint i = 0; i < tree_size(node); i++) {
        TreeNode *child = tree_item(node, i);
        const char *key = node->kind == TREE_MAPPING ? tree_key(node, i) : "";
        bool containers = strcmp(key, "containers") == 0 || strcmp(key, "initContainers") == 0;
        for (guint j = 0; containers && child->kind == TREE_SEQUENCE && j < tree_size(child); j++) {
            TreeNode *container = tree_item(child, j);
            if (container->kind == TREE_MAPPING) {
                replace_image(container, image);
            }
        }
        replace_images(child, image);
    }
}

static bool
set_image(const TreeNode *entry, GPtrArray *resources, GError **error)
{
    static const char *const KEYS[] = {"name", "newName", "newTag", "digest", "tagSuffix", NULL};
    Image image = {0};
    if (!tree_expect(entry, TREE_MAPPING, "images", error) ||
        !tree_check_keys(entry, KEYS, "images", error) ||
        !source_optional_string(entry, "name", &image.name, error) ||
        !source_optional_string(entry, "newName", &image.new_name, error) ||
        !source_optional_string(entry, "newTag", &image.new_tag, error) ||
        !source_optional_string(entry, "digest", &image.digest, error) ||
        !source_optional_string(entry, "tagSuffix", &image.tag_suffix, error)) {
        return false;
    }
    if (image.name == NULL) {
        return tree_error(error, entry, VWIRE_ERROR_PARSE,
                          "found an image without name; expected it");
    }
    for (guint i = 0; i < resources->len; i++) {
        Resource *resource = resources->pdata[i];
        if (strcmp(resource_id(resource).kind, "CustomResourceDefinition") != 0) {
            replace_images(resource->tree, &image);
        }
    }
    return true;
}

bool
transform_workloads(const Layer *layer, GPtrArray *resources, GError **error)
{
    const TreeNode *replicas = NULL;
    const TreeNode *images = NULL;
    if (!layer_field(layer, "replicas", TREE_SEQUENCE, &replicas, error) ||
        !layer_field(layer, "images", TREE_SEQUENCE, &images, error)) {
        return false;
    }
    for (guint i = 0; i < tree_size(replicas); i++) {
        if (!set_replicas(tree_item(replicas, i), resources, error)) {
            return false;
        }
    }
    for (guint i = 0; i < tree_size(images); i++) {
        if (!set_image(tree_item(images, i), resources, error)) {
            return false;
        }
    }
    return true;
}
