/* Name references.
 *
 * A table says which field of which kind holds the name of an object of which kind.  Among the
 * objects that ever had the name, sieves find the one that is meant.
 * Rules: kustomize api/filters/nameref/nameref.go; the table is
 * api/internal/konfig/builtinpluginconsts/namereference.go. */
#include "models/manifest/reference.h"

#include "models/manifest/fieldspec.h"

#include <string.h>

/* A field of a referrer that holds a name. */
typedef struct Rule {
    ResourceType target;
    const char *referrers; /* kinds, between commas */
    const char *group;     /* of the referrer; NULL: any */
    const char *path;
    bool in_pod; /* the path starts at the Pod's spec, wherever that is */
} Rule;

#define CONFIG_MAP                                                                                 \
    {                                                                                              \
        NULL, "v1", "ConfigMap"                                                                    \
    }
#define SECRET                                                                                     \
    {                                                                                              \
        NULL, "v1", "Secret"                                                                       \
    }
#define SERVICE                                                                                    \
    {                                                                                              \
        NULL, "v1", "Service"                                                                      \
    }
#define ACCOUNT                                                                                    \
    {                                                                                              \
        NULL, "v1", "ServiceAccount"                                                               \
    }
#define VOLUME_CLAIM                                                                               \
    {                                                                                              \
        NULL, "v1", "PersistentVolumeClaim"                                                        \
    }
#define STORAGE_CLASS                                                                              \
    {                                                                                              \
        "storage.k8s.io", "v1", "StorageClass"                                                     \
    }
#define RBAC "rbac.authorization.k8s.io"
#define ADMISSION "admissionregistration.k8s.io"
#define PODS ",Pod,PodTemplate,Deployment,ReplicaSet,DaemonSet,StatefulSet,Job,CronJob,"
#define RUNNERS ",Pod,StatefulSet,Deployment,ReplicationController,CronJob,Job,DaemonSet,"

static const Rule RULES[] = {
    {{NULL, NULL, "Deployment"},
     ",HorizontalPodAutoscaler,",
     NULL,
     "spec/scaleTargetRef/name",
     false},
    {{NULL, NULL, "ReplicationController"},
     ",HorizontalPodAutoscaler,",
     NULL,
     "spec/scaleTargetRef/name",
     false},
    {{NULL, NULL, "ReplicaSet"},
     ",HorizontalPodAutoscaler,",
     NULL,
     "spec/scaleTargetRef/name",
     false},
    {{NULL, NULL, "StatefulSet"},
     ",HorizontalPodAutoscaler,",
     NULL,
     "spec/scaleTargetRef/name",
     false},
    {CONFIG_MAP, PODS, NULL, "volumes/configMap/name", true},
    {CONFIG_MAP, PODS, NULL, "containers/env/valueFrom/configMapKeyRef/name", true},
    {CONFIG_MAP, PODS, NULL, "initContainers/env/valueFrom/configMapKeyRef/name", true},
    {CONFIG_MAP, PODS, NULL, "containers/envFrom/configMapRef/name", true},
    {CONFIG_MAP, PODS, NULL, "initContainers/envFrom/configMapRef/name", true},
    {CONFIG_MAP, PODS, NULL, "volumes/projected/sources/configMap/name", true},
    {CONFIG_MAP, ",Node,", NULL, "spec/configSource/configMap", false},
    {CONFIG_MAP, ",Role,ClusterRole,", NULL, "rules/resourceNames", false},
    {CONFIG_MAP, ",Ingress,", NULL,
     "metadata/annotations/nginx.ingress.kubernetes.io\\/fastcgi-params-configmap", false},
    {SECRET, PODS, NULL, "volumes/secret/secretName", true},
    {SECRET, PODS, NULL, "containers/env/valueFrom/secretKeyRef/name", true},
    {SECRET, PODS, NULL, "initContainers/env/valueFrom/secretKeyRef/name", true},
    {SECRET, PODS, NULL, "containers/envFrom/secretRef/name", true},
    {SECRET, PODS, NULL, "initContainers/envFrom/secretRef/name", true},
    {SECRET, PODS, NULL, "imagePullSecrets/name", true},
    {SECRET, PODS, NULL, "volumes/projected/sources/secret/name", true},
    {SECRET, ",Ingress,", NULL, "spec/tls/secretName", false},
    {SECRET, ",Ingress,", NULL, "metadata/annotations/ingress.kubernetes.io\\/auth-secret", false},
    {SECRET, ",Ingress,", NULL, "metadata/annotations/nginx.ingress.kubernetes.io\\/auth-secret",
     false},
    {SECRET, ",Ingress,", NULL,
     "metadata/annotations/nginx.ingress.kubernetes.io\\/auth-tls-secret", false},
    {SECRET, ",ServiceAccount,", NULL, "imagePullSecrets/name", false},
    {SECRET, ",StorageClass,", NULL, "parameters/secretName", false},
    {SECRET, ",StorageClass,", NULL, "parameters/adminSecretName", false},
    {SECRET, ",StorageClass,", NULL, "parameters/userSecretName", false},
    {SECRET, ",StorageClass,", NULL, "parameters/secretRef", false},
    {SECRET, ",Role,ClusterRole,", NULL, "rules/resourceNames", false},
    {SECRET, ",PersistentVolume,", NULL, "spec/azureFile/secretName", false},
    {SERVICE, ",StatefulSet,", "apps", "spec/serviceName", false},
    {SERVICE, ",Ingress,", NULL, "spec/rules/http/paths/backend/serviceName", false},
    {SERVICE, ",Ingress,", NULL, "spec/backend/serviceName", false},
    {SERVICE, ",Ingress,", NULL, "spec/rules/http/paths/backend/service/name", false},
    {SERVICE, ",Ingress,", NULL, "spec/defaultBackend/service/name", false},
    {SERVICE, ",APIService,", "apiregistration.k8s.io", "spec/service/name", false},
    {SERVICE, ",ValidatingWebhookConfiguration,MutatingWebhookConfiguration,", ADMISSION,
     "webhooks/clientConfig/service", false},
    {{RBAC, NULL, "Role"}, ",RoleBinding,", RBAC, "roleRef/name", false},
    {{RBAC, NULL, "ClusterRole"}, ",RoleBinding,ClusterRoleBinding,", RBAC, "roleRef/name", false},
    {ACCOUNT, ",RoleBinding,ClusterRoleBinding,", RBAC, "subjects", false},
    {ACCOUNT, RUNNERS, NULL, "serviceAccountName", true},
    {VOLUME_CLAIM, RUNNERS, NULL, "volumes/persistentVolumeClaim/claimName", true},
    {{NULL, "v1", "PersistentVolume"}, ",PersistentVolumeClaim,", NULL, "spec/volumeName", false},
    {{NULL, "v1", "PersistentVolume"}, ",ClusterRole,", NULL, "rules/resourceNames", false},
    {STORAGE_CLASS, ",PersistentVolume,PersistentVolumeClaim,", NULL, "spec/storageClassName",
     false},
    {STORAGE_CLASS, ",StatefulSet,", NULL, "spec/volumeClaimTemplates/spec/storageClassName",
     false},
    {{"scheduling.k8s.io", "v1", "PriorityClass"}, RUNNERS, NULL, "priorityClassName", true},
};

/* Where the Pod's spec is, for kinds other than those with spec/template/spec. */
static const struct {
    const char *kind;
    const char *path;
} POD_PATHS[] = {
    {"Pod", "spec"},
    {"PodTemplate", "template/spec"},
    {"CronJob", "spec/jobTemplate/spec/template/spec"},
};

/* The look-up of one referring field. */
typedef struct Lookup {
    const Resource *referrer;
    const Rule *rule;
    GHashTable *by_past_name;     /* name to GPtrArray of Resource that had it */
    GHashTable *first_namespaces; /* in which some resource began */
} Lookup;

typedef bool (*Sieve)(const Lookup *lookup, const Resource *candidate);

/* ------ sieves ------ */

static bool
had_type(const Resource *candidate, const ResourceType *type)
{
    for (guint i = 0; i < candidate->past->len; i++) {
        if (resource_id_is_a(candidate->past->pdata[i], type)) {
            return true;
        }
    }
    return false;
}

static bool
has_target_type(const Lookup *lookup, const Resource *candidate)
{
    return had_type(candidate, &lookup->rule->target);
}

/* A role reference says beside the name which kind of role it means. */
static bool
fits_role_reference(const Lookup *lookup, const Resource *candidate)
{
    const TreeNode *reference = tree_get(lookup->referrer->tree, "roleRef");
    const char *group = tree_text(tree_get(reference, "apiGroup"));
    const char *kind = tree_text(tree_get(reference, "kind"));
    if (!g_str_has_suffix(lookup->rule->path, "roleRef/name") || group == NULL || kind == NULL) {
        return true;
    }
    ResourceType type = {.group = group, .kind = kind};
    return had_type(candidate, &type);
}

/* The namespaces of a binding's accounts are within its reach. */
static bool
is_subject_namespace(const Resource *binding, const char *ns)
{
    const TreeNode *subjects = tree_get(binding->tree, "subjects");
    for (guint i = 0; i < tree_size(subjects); i++) {
        const TreeNode *subject = tree_item(subjects, i);
        const char *kind = tree_text(tree_get(subject, "kind"));
        const char *own = tree_text(tree_get(subject, "namespace"));
        if (g_strcmp0(kind, "ServiceAccount") == 0 &&
            strcmp(own != NULL && *own != '\0' ? own : "default", ns) == 0) {
            return true;
        }
    }
    return false;
}

/* Objects refer to their own namespace's and to cluster-scoped objects, cluster-scoped ones to
 * all. */
static bool
is_in_reach(const Lookup *lookup, const Resource *candidate)
{
    ResourceId from = resource_id(lookup->referrer);
    ResourceId to = resource_id(candidate);
    if (resource_id_is_cluster_scoped(&from) || resource_id_is_cluster_scoped(&to)) {
        return true;
    }
    const char *ns = resource_id_namespace(&to);
    return strcmp(resource_id_namespace(&from), ns) == 0 ||
           (strcmp(from.kind, "RoleBinding") == 0 && strcmp(to.kind, "ServiceAccount") == 0 &&
            is_subject_namespace(lookup->referrer, ns));
}

/* Equal as far as the shorter list goes, from the outermost affix inwards. */
static bool
end_alike(const GPtrArray *a, const GPtrArray *b)
{
    for (guint i = 1; i <= MIN(a->len, b->len); i++) {
        if (strcmp(a->pdata[a->len - i], b->pdata[b->len - i]) != 0) {
            return false;
        }
    }
    return true;
}

static bool
may_have_same_affixes(const Lookup *lookup, const Resource *candidate)
{
    return end_alike(candidate->prefixes, lookup->referrer->prefixes) &&
           end_alike(candidate->suffixes, lookup->referrer->suffixes);
}

/* Stricter: to have no affix at all is to have others. */
static bool
has_same_affixes(const Lookup *lookup, const Resource *candidate)
{
    const Resource *referrer = lookup->referrer;
    return (candidate->prefixes->len == 0) == (referrer->prefixes->len == 0) &&
           (candidate->suffixes->len == 0) == (referrer->suffixes->len == 0) &&
           may_have_same_affixes(lookup, candidate);
}

static void
keep(const Lookup *lookup, GPtrArray *candidates, Sieve sieve)
{
    for (guint i = candidates->len; i-- > 0;) {
        if (!sieve(lookup, candidates->pdata[i])) {
            g_ptr_array_remove_index(candidates, i);
        }
    }
}

/* ------ choice ------ */

static bool
names_agree(const GPtrArray *candidates, bool with_namespace)
{
    ResourceId first = resource_id(candidates->pdata[0]);
    for (guint i = 1; i < candidates->len; i++) {
        ResourceId id = resource_id(candidates->pdata[i]);
        if (strcmp(id.name, first.name) != 0 || (with_namespace && strcmp(id.ns, first.ns) != 0)) {
            return false;
        }
    }
    return true;
}

/* The object meant by `name` among the candidates (consumed); NULL in *out when none. */
static bool
choose(const Lookup *lookup, const TreeNode *name, GPtrArray *candidates, bool with_namespace,
       Resource **out, GError **error)
{
    keep(lookup, candidates, has_target_type);
    keep(lookup, candidates, fits_role_reference);
    keep(lookup, candidates, is_in_reach);
    if (candidates->len > 1) {
        keep(lookup, candidates, may_have_same_affixes);
    }
    if (candidates->len > 1) {
        keep(lookup, candidates, has_same_affixes);
    }
    *out = candidates->len > 0 ? candidates->pdata[0] : NULL;
    if (*out == NULL || names_agree(candidates, with_namespace)) {
        return true;
    }
    ResourceId one = resource_id(candidates->pdata[0]);
    ResourceId two = resource_id(candidates->pdata[1]);
    return tree_error(error, name, VWIRE_ERROR_INVALID,
                      "found the name \"%s\", which may mean %s \"%s\" or \"%s\"; expected one",
                      tree_text(name), one.kind, one.name, two.name);
}

static GPtrArray *
find_candidates(const Lookup *lookup, const TreeNode *name)
{
    GPtrArray *candidates = g_ptr_array_new();
    const char *text = tree_text(name);
    GPtrArray *known = text != NULL ? g_hash_table_lookup(lookup->by_past_name, text) : NULL;
    if (known != NULL) {
        g_ptr_array_extend(candidates, known, NULL, NULL);
    }
    return candidates;
}

static void
replace_text(TreeNode *node, const char *text)
{
    g_free(node->text);
    node->text = g_strdup(text);
    node->scalar = TREE_STRING;
}

static bool
update_scalar(const Lookup *lookup, TreeNode *name, GError **error)
{
    Resource *meant = NULL;
    g_autoptr(GPtrArray) candidates = find_candidates(lookup, name);
    if (!choose(lookup, name, candidates, false, &meant, error)) {
        return false;
    }
    if (meant != NULL) {
        replace_text(name, resource_id(meant).name);
    }
    return true;
}

/* Leaves the candidates whose first namespace is `ns`, or, when no object at all began there, those
 * that are in it now. */
static void
keep_namespace(const Lookup *lookup, GPtrArray *candidates, const char *ns)
{
    bool use_first = g_hash_table_contains(lookup->first_namespaces, ns);
    for (guint i = candidates->len; i-- > 0;) {
        const Resource *candidate = candidates->pdata[i];
        ResourceId id = use_first ? resource_first_id(candidate) : resource_id(candidate);
        if (strcmp(resource_id_namespace(&id), ns) != 0) {
            g_ptr_array_remove_index(candidates, i);
        }
    }
}

static void
set_namespace(TreeNode *reference, const char *ns, const TreeNode *at)
{
    TreeNode *node = tree_get(reference, "namespace");
    if (node != NULL && node->kind == TREE_SCALAR) {
        replace_text(node, ns);
        return;
    }
    node = tree_new_string(ns);
    tree_set_mark(node, at);
    tree_set(reference, "namespace", node);
}

/* A mapping with name and namespace (subjects, services of webhooks): both follow. */
static bool
update_mapping(const Lookup *lookup, TreeNode *reference, GError **error)
{
    Resource *meant = NULL;
    TreeNode *name = tree_get(reference, "name");
    const char *ns = tree_text(tree_get(reference, "namespace"));
    g_autoptr(GPtrArray) candidates = find_candidates(lookup, name);
    if (ns != NULL) {
        keep_namespace(lookup, candidates, ns);
    }
    if (!choose(lookup, name, candidates, true, &meant, error)) {
        return false;
    }
    if (meant != NULL) {
        ResourceId id = resource_id(meant);
        replace_text(name, id.name);
        if (*id.ns != '\0') {
            set_namespace(reference, id.ns, name);
        }
    }
    return true;
}

static bool
update_node(const Lookup *lookup, TreeNode *node, GError **error)
{
    if (node->kind == TREE_SCALAR) {
        return update_scalar(lookup, node, error);
    }
    if (node->kind == TREE_MAPPING) {
        return update_mapping(lookup, node, error);
    }
    for (guint i = 0; i < tree_size(node); i++) {
        TreeNode *item = tree_item(node, i);
        bool done = item->kind == TREE_MAPPING ? update_mapping(lookup, item, error)
                                               : update_scalar(lookup, item, error);
        if (!done) {
            return false;
        }
    }
    return true;
}

static bool
visit_field(TreeNode *parent, const char *key, gpointer data, GError **error)
{
    return update_node(data, tree_get(parent, key), error);
}

/* ------ all resources ------ */

static const char *
pod_path(const char *kind)
{
    for (guint i = 0; i < G_N_ELEMENTS(POD_PATHS); i++) {
        if (strcmp(POD_PATHS[i].kind, kind) == 0) {
            return POD_PATHS[i].path;
        }
    }
    return "spec/template/spec";
}

static bool
is_referrer(const Rule *rule, const ResourceId *id)
{
    ResourceType type = {.group = rule->group};
    g_autofree char *kind = g_strdup_printf(",%s,", id->kind);
    return strstr(rule->referrers, kind) != NULL && resource_id_is_a(id, &type);
}

static bool
update_resource(Lookup *lookup, Resource *referrer, GError **error)
{
    ResourceId id = resource_first_id(referrer);
    lookup->referrer = referrer;
    for (guint i = 0; i < G_N_ELEMENTS(RULES); i++) {
        lookup->rule = &RULES[i];
        if (!is_referrer(lookup->rule, &id)) {
            continue;
        }
        g_autofree char *path = lookup->rule->in_pod
                                    ? g_strjoin("/", pod_path(id.kind), lookup->rule->path, NULL)
                                    : g_strdup(lookup->rule->path);
        if (!field_visit(referrer->tree, path, false, visit_field, lookup, error)) {
            return false;
        }
    }
    return true;
}

/* Lists every resource once under each name it had. */
static void
index_past_names(GHashTable *by_past_name, Resource *resource)
{
    for (guint i = 0; i < resource->past->len; i++) {
        const ResourceId *id = resource->past->pdata[i];
        GPtrArray *list = g_hash_table_lookup(by_past_name, id->name);
        if (list == NULL) {
            list = g_ptr_array_new();
            g_hash_table_insert(by_past_name, g_strdup(id->name), list);
        }
        if (list->len == 0 || list->pdata[list->len - 1] != resource) {
            g_ptr_array_add(list, resource);
        }
    }
}

bool
reference_update(GPtrArray *resources, GError **error)
{
    g_autoptr(GHashTable) by_past_name =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_ptr_array_unref);
    g_autoptr(GHashTable) first_namespaces = g_hash_table_new(g_str_hash, g_str_equal);
    Lookup lookup = {.by_past_name = by_past_name, .first_namespaces = first_namespaces};
    for (guint i = 0; i < resources->len; i++) {
        ResourceId first = resource_first_id(resources->pdata[i]);
        index_past_names(by_past_name, resources->pdata[i]);
        g_hash_table_add(first_namespaces, (char *)resource_id_namespace(&first));
    }
    for (guint i = 0; i < resources->len; i++) {
        if (!update_resource(&lookup, resources->pdata[i], error)) {
            return false;
        }
    }
    return true;
}
