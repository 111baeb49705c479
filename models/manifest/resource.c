/* Identities of objects, how they compare, and the order of the output.
 *
 * Rules: kustomize kyaml/resid (gvk.go, resid.go), api/internal/builtins/SortOrderTransformer.go
 * (the legacy order, kubectl's default). */
#include "models/manifest/resource.h"

#include <string.h>

/* ------ identities ------ */

static const char *
text_or_empty(const TreeNode *node)
{
    const char *text = tree_is_null(node) ? NULL : tree_text(node);
    return text != NULL ? text : "";
}

static bool
check_text(const TreeNode *tree, const TreeNode *parent, const char *key, GError **error)
{
    const TreeNode *node = tree_get(parent, key);
    const char *text = NULL;
    if (node == NULL) {
        return tree_error(error, tree, VWIRE_ERROR_PARSE,
                          "found an object without %s; expected apiVersion, kind and "
                          "metadata.name",
                          key);
    }
    if (!tree_read_string(node, &text, error)) {
        return false;
    }
    if (*text == '\0') {
        return tree_error(error, node, VWIRE_ERROR_PARSE, "found an empty %s; expected text", key);
    }
    return true;
}

bool
resource_check(const TreeNode *tree, GError **error)
{
    if (!tree_expect(tree, TREE_MAPPING, "object", error)) {
        return false;
    }
    const TreeNode *metadata = tree_get(tree, "metadata");
    const TreeNode *ns = tree_get(metadata, "namespace");
    const char *text = NULL;
    if (metadata != NULL && !tree_expect(metadata, TREE_MAPPING, "metadata", error)) {
        return false;
    }
    return check_text(tree, tree, "apiVersion", error) && check_text(tree, tree, "kind", error) &&
           check_text(tree, metadata, "name", error) &&
           (tree_is_null(ns) || tree_read_string(ns, &text, error));
}

ResourceId
resource_id(const Resource *resource)
{
    const TreeNode *metadata = tree_get(resource->tree, "metadata");
    return (ResourceId){
        .api_version = text_or_empty(tree_get(resource->tree, "apiVersion")),
        .kind = text_or_empty(tree_get(resource->tree, "kind")),
        .ns = text_or_empty(tree_get(metadata, "namespace")),
        .name = text_or_empty(tree_get(metadata, "name")),
    };
}

ResourceId
resource_first_id(const Resource *resource)
{
    return resource->past->len > 0 ? *(ResourceId *)resource->past->pdata[0]
                                   : resource_id(resource);
}

static void
past_free(gpointer data)
{
    ResourceId *id = data;
    g_free((char *)id->api_version);
    g_free((char *)id->kind);
    g_free((char *)id->ns);
    g_free((char *)id->name);
    g_free(id);
}

void
resource_remember(Resource *resource)
{
    ResourceId now = resource_id(resource);
    ResourceId *id = g_new(ResourceId, 1);
    *id = (ResourceId){
        .api_version = g_strdup(now.api_version),
        .kind = g_strdup(now.kind),
        .ns = g_strdup(now.ns),
        .name = g_strdup(now.name),
    };
    g_ptr_array_add(resource->past, id);
}

Resource *
resource_new(TreeNode *take)
{
    Resource *resource = g_new0(Resource, 1);
    resource->tree = take;
    resource->past = g_ptr_array_new_with_free_func(past_free);
    resource->prefixes = g_ptr_array_new_with_free_func(g_free);
    resource->suffixes = g_ptr_array_new_with_free_func(g_free);
    return resource;
}

void
resource_free(Resource *resource)
{
    if (resource == NULL) {
        return;
    }
    tree_free(resource->tree);
    g_ptr_array_unref(resource->past);
    g_ptr_array_unref(resource->prefixes);
    g_ptr_array_unref(resource->suffixes);
    g_free(resource);
}

GPtrArray *
resources_new(void)
{
    return g_ptr_array_new_with_free_func((GDestroyNotify)resource_free);
}

void
resource_set_meta(Resource *resource, const char *key, const char *value, const TreeNode *at)
{
    TreeNode *metadata = tree_get(resource->tree, "metadata");
    const TreeNode *old = tree_get(metadata, key);
    TreeNode *node = tree_new_string(value);
    if (at != NULL || old != NULL) {
        tree_set_mark(node, at != NULL ? at : old);
    }
    tree_set(metadata, key, node);
}

/* ------ types ------ */

char *
api_group(const char *api_version)
{
    const char *slash = strchr(api_version, '/');
    return slash != NULL ? g_strndup(api_version, (gsize)(slash - api_version)) : g_strdup("");
}

const char *
api_number(const char *api_version)
{
    const char *slash = strchr(api_version, '/');
    return slash != NULL ? slash + 1 : api_version;
}

static bool
accepts(const char *wanted, const char *found)
{
    return wanted == NULL || *wanted == '\0' || strcmp(wanted, found) == 0;
}

bool
resource_id_is_a(const ResourceId *id, const ResourceType *type)
{
    g_autofree char *group = api_group(id->api_version);
    return accepts(type->kind, id->kind) && accepts(type->group, group) &&
           accepts(type->version, api_number(id->api_version));
}

/* Kubernetes 1.21's API, the schema that kustomize 5 carries (kyaml/openapi). */
static const ResourceType CLUSTER_SCOPED[] = {
    {"", NULL, "ComponentStatus"},
    {"", NULL, "Namespace"},
    {"", NULL, "Node"},
    {"", NULL, "PersistentVolume"},
    {"admissionregistration.k8s.io", NULL, "MutatingWebhookConfiguration"},
    {"admissionregistration.k8s.io", NULL, "ValidatingWebhookConfiguration"},
    {"apiextensions.k8s.io", NULL, "CustomResourceDefinition"},
    {"apiregistration.k8s.io", NULL, "APIService"},
    {"authentication.k8s.io", NULL, "TokenReview"},
    {"authorization.k8s.io", NULL, "SelfSubjectAccessReview"},
    {"authorization.k8s.io", NULL, "SelfSubjectRulesReview"},
    {"authorization.k8s.io", NULL, "SubjectAccessReview"},
    {"certificates.k8s.io", NULL, "CertificateSigningRequest"},
    {"flowcontrol.apiserver.k8s.io", NULL, "FlowSchema"},
    {"flowcontrol.apiserver.k8s.io", NULL, "PriorityLevelConfiguration"},
    {"internal.apiserver.k8s.io", NULL, "StorageVersion"},
    {"networking.k8s.io", NULL, "IngressClass"},
    {"node.k8s.io", NULL, "RuntimeClass"},
    {"policy", NULL, "PodSecurityPolicy"},
    {"rbac.authorization.k8s.io", NULL, "ClusterRole"},
    {"rbac.authorization.k8s.io", NULL, "ClusterRoleBinding"},
    {"scheduling.k8s.io", NULL, "PriorityClass"},
    {"storage.k8s.io", NULL, "CSIDriver"},
    {"storage.k8s.io", NULL, "CSINode"},
    {"storage.k8s.io", NULL, "StorageClass"},
    {"storage.k8s.io", NULL, "VolumeAttachment"},
};

bool
resource_id_is_cluster_scoped(const ResourceId *id)
{
    g_autofree char *group = api_group(id->api_version);
    for (guint i = 0; i < G_N_ELEMENTS(CLUSTER_SCOPED); i++) {
        if (strcmp(CLUSTER_SCOPED[i].kind, id->kind) == 0 &&
            strcmp(CLUSTER_SCOPED[i].group, group) == 0) {
            return true;
        }
    }
    return false;
}

const char *
resource_id_namespace(const ResourceId *id)
{
    if (resource_id_is_cluster_scoped(id)) {
        return "/"; /* no name of a namespace */
    }
    return *id->ns != '\0' ? id->ns : "default";
}

bool
resource_id_equal(const ResourceId *a, const ResourceId *b)
{
    return strcmp(a->name, b->name) == 0 && strcmp(a->kind, b->kind) == 0 &&
           strcmp(a->api_version, b->api_version) == 0 &&
           strcmp(resource_id_namespace(a), resource_id_namespace(b)) == 0;
}

/* ------ sets ------ */

static bool
has_or_had(const Resource *resource, const ResourceId *id)
{
    ResourceId now = resource_id(resource);
    if (resource_id_equal(&now, id)) {
        return true;
    }
    for (guint i = 0; i < resource->past->len; i++) {
        if (resource_id_equal(resource->past->pdata[i], id)) {
            return true;
        }
    }
    return false;
}

bool
resources_find(const GPtrArray *resources, const ResourceId *id, const TreeNode *at, Resource **out,
               GError **error)
{
    Resource *found = NULL;
    for (guint i = 0; i < resources->len; i++) {
        if (!has_or_had(resources->pdata[i], id)) {
            continue;
        }
        if (found != NULL) {
            ResourceId one = resource_id(found);
            ResourceId two = resource_id(resources->pdata[i]);
            return tree_error(error, at, VWIRE_ERROR_INVALID,
                              "found %s \"%s\", which may mean \"%s\" or \"%s\"; expected one",
                              id->kind, id->name, one.name, two.name);
        }
        found = resources->pdata[i];
    }
    *out = found;
    return true;
}

bool
resources_check_unique(const GPtrArray *resources, GError **error)
{
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (guint i = 0; i < resources->len; i++) {
        const Resource *resource = resources->pdata[i];
        ResourceId id = resource_id(resource);
        g_autofree char *group = api_group(id.api_version);
        char *key = g_strjoin("\n", group, id.kind, resource_id_namespace(&id), id.name, NULL);
        const TreeNode *first = g_hash_table_lookup(seen, key);
        if (first == NULL) {
            g_hash_table_insert(seen, key, resource->tree);
            continue;
        }
        g_free(key);
        const char *file = first->mark.file != NULL ? first->mark.file : "(generated)";
        return tree_error(error, resource->tree, VWIRE_ERROR_INVALID,
                          "found %s \"%s\" again (first at %s:%d:%d); expected each object once",
                          id.kind, id.name, file, first->mark.line, first->mark.column);
    }
    return true;
}

/* ------ order ------ */

static int
rank(const char *kind)
{
    static const char *const FIRST[] = {
        "Namespace",
        "ResourceQuota",
        "StorageClass",
        "CustomResourceDefinition",
        "ServiceAccount",
        "PodSecurityPolicy",
        "Role",
        "ClusterRole",
        "RoleBinding",
        "ClusterRoleBinding",
        "ConfigMap",
        "Secret",
        "Endpoints",
        "Service",
        "LimitRange",
        "PriorityClass",
        "PersistentVolume",
        "PersistentVolumeClaim",
        "Deployment",
        "StatefulSet",
        "CronJob",
        "PodDisruptionBudget",
    };
    static const char *const LAST[] = {
        "MutatingWebhookConfiguration",
        "ValidatingWebhookConfiguration",
    };
    int n_first = (int)G_N_ELEMENTS(FIRST);
    for (int i = 0; i < n_first; i++) {
        if (strcmp(FIRST[i], kind) == 0) {
            return i;
        }
    }
    for (int i = 0; i < (int)G_N_ELEMENTS(LAST); i++) {
        if (strcmp(LAST[i], kind) == 0) {
            return n_first + 1 + i;
        }
    }
    return n_first;
}

/* The text that kustomize compares within a kind: what is empty sorts behind letters ("~"). */
static char *
sort_key(const ResourceId *id)
{
    g_autofree char *group = api_group(id->api_version);
    g_autofree char *type =
        g_strjoin("_", *group != '\0' ? group : "~G", api_number(id->api_version), id->kind, NULL);
    g_autofree char *place = g_strjoin("|", *id->ns != '\0' ? id->ns : "~X", id->name, NULL);
    return g_strjoin("|", type, place, NULL);
}

static int
compare_resources(gconstpointer a, gconstpointer b)
{
    ResourceId one = resource_id(*(Resource *const *)a);
    ResourceId two = resource_id(*(Resource *const *)b);
    int difference = rank(one.kind) - rank(two.kind);
    if (difference != 0) {
        return difference;
    }
    g_autofree char *one_key = sort_key(&one);
    g_autofree char *two_key = sort_key(&two);
    return strcmp(one_key, two_key);
}

void
resources_sort(GPtrArray *resources)
{
    g_ptr_array_sort(resources, compare_resources);
}
