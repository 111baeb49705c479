/* Objects: which kind a tree is, its name and labels, duplicates; the rest is read by kind in
 * pod.c, workload.c, service.c and nsm_objects.c. */
#include "models/manifest/objects.h"

#include "models/manifest/decode.h"

#include <string.h>

typedef bool (*KindReader)(const Decoder *d, const TreeNode *root, Object *object, GError **error);

typedef struct KindRow {
    const char *text;
    const char *group; /* of apiVersion, "" for v1; NULL: any */
    ObjectKind kind;
    bool cluster_scoped;
    KindReader read; /* NULL: nothing beyond the metadata */
} KindRow;

static const KindRow kind_rows[] = {
    {"Pod", "", OBJECT_POD, false, decode_pod},
    {"Deployment", "apps", OBJECT_DEPLOYMENT, false, decode_workload},
    {"DaemonSet", "apps", OBJECT_DAEMON_SET, false, decode_workload},
    {"StatefulSet", "apps", OBJECT_STATEFUL_SET, false, decode_workload},
    {"ReplicaSet", "apps", OBJECT_REPLICA_SET, false, decode_workload},
    {"Service", "", OBJECT_SERVICE, false, decode_service},
    {"ConfigMap", "", OBJECT_CONFIG_MAP, false, decode_data},
    {"Secret", "", OBJECT_SECRET, false, decode_data},
    {"Namespace", "", OBJECT_NAMESPACE, true, NULL},
    {"ServiceAccount", "", OBJECT_SERVICE_ACCOUNT, false, NULL},
    {"MutatingWebhookConfiguration", "admissionregistration.k8s.io", OBJECT_MUTATING_WEBHOOK, true,
     decode_webhook},
    {"NetworkService", "networkservicemesh.io", OBJECT_NETWORK_SERVICE, false,
     decode_network_service},
    {"NetworkServiceEndpoint", "networkservicemesh.io", OBJECT_NETWORK_SERVICE_ENDPOINT, false,
     NULL},
    {"Node", "", OBJECT_NODE, true, NULL},
    {"Role", NULL, OBJECT_PASSIVE, false, NULL},
    {"RoleBinding", NULL, OBJECT_PASSIVE, false, NULL},
    {"ClusterRole", NULL, OBJECT_PASSIVE, true, NULL},
    {"ClusterRoleBinding", NULL, OBJECT_PASSIVE, true, NULL},
    {"CustomResourceDefinition", NULL, OBJECT_PASSIVE, true, NULL},
    {"ValidatingWebhookConfiguration", NULL, OBJECT_PASSIVE, true, NULL},
    {"APIService", NULL, OBJECT_PASSIVE, true, NULL},
    {"CSIDriver", NULL, OBJECT_PASSIVE, true, NULL},
    {"PersistentVolume", NULL, OBJECT_PASSIVE, true, NULL},
    {"PersistentVolumeClaim", NULL, OBJECT_PASSIVE, false, NULL},
    {"StorageClass", NULL, OBJECT_PASSIVE, true, NULL},
    {"Ingress", NULL, OBJECT_PASSIVE, false, NULL},
    {"IngressClass", NULL, OBJECT_PASSIVE, true, NULL},
    {"NetworkPolicy", NULL, OBJECT_PASSIVE, false, NULL},
    {"PodDisruptionBudget", NULL, OBJECT_PASSIVE, false, NULL},
    {"PodSecurityPolicy", NULL, OBJECT_PASSIVE, true, NULL},
    {"PriorityClass", NULL, OBJECT_PASSIVE, true, NULL},
    {"Endpoints", NULL, OBJECT_PASSIVE, false, NULL},
    {"EndpointSlice", NULL, OBJECT_PASSIVE, false, NULL},
    {"Lease", NULL, OBJECT_PASSIVE, false, NULL},
    {"ClusterSPIFFEID", NULL, OBJECT_PASSIVE, true, NULL},
    {"ClusterFederatedTrustDomain", NULL, OBJECT_PASSIVE, true, NULL},
    {"SpiffeID", NULL, OBJECT_PASSIVE, false, NULL},
    {"ServiceMonitor", NULL, OBJECT_PASSIVE, false, NULL},
    {"PodMonitor", NULL, OBJECT_PASSIVE, false, NULL},
    {"PrometheusRule", NULL, OBJECT_PASSIVE, false, NULL},
};

static const KindRow unknown_row = {"?", NULL, OBJECT_UNKNOWN, false, NULL};

/* One call of objects_decode. */
typedef struct Reader {
    GPtrArray *warnings;
    GHashTable *seen; /* "kind\ngroup\nnamespace\nname" -> Object; look-up only */
} Reader;

const char *
object_kind_name(ObjectKind kind)
{
    static const char *const names[] = {
#define X(name, text) text,
        OBJECT_KINDS(X)
#undef X
    };
    return names[kind];
}

/* The group of "apps/v1" is "apps", that of "v1" is "". */
static char *
group_of(const char *api_version)
{
    const char *slash = strchr(api_version, '/');
    return slash ? g_strndup(api_version, (gsize)(slash - api_version)) : g_strdup("");
}

static const KindRow *
find_row(const Object *object)
{
    g_autofree char *group = group_of(object->api_version);
    for (guint i = 0; i < G_N_ELEMENTS(kind_rows); i++) {
        const KindRow *row = &kind_rows[i];
        if (strcmp(row->text, object->kind_text) == 0 &&
            (!row->group || strcmp(row->group, group) == 0)) {
            return row;
        }
    }
    return &unknown_row;
}

static char *
key_of(const Object *object, const char *name)
{
    g_autofree char *group = group_of(object->api_version);
    return g_strjoin("\n", object->kind_text, group, object->ns, name, NULL);
}

/* "Deployment nsm-system/registry-k8s"; cluster-scoped: "Namespace spire". */
static char *
describe(const Object *object)
{
    return *object->ns ? g_strdup_printf("%s %s/%s", object->kind_text, object->ns, object->name)
                       : g_strdup_printf("%s %s", object->kind_text, object->name);
}

/* Five characters as the API server appends them (apimachinery util/rand), but drawn from a hash
 * (FNV-1a) of the object and a counter, so that the same manifests give the same names. */
static char *
generate_name(const Reader *reader, const Object *object, const char *prefix)
{
    static const char alphabet[] = "bcdfghjklmnpqrstvwxz2456789";
    for (guint n = 0;; n++) {
        g_autofree char *text =
            g_strdup_printf("%s/%s/%s/%u", object->kind_text, object->ns, prefix, n);
        uint64_t hash = UINT64_C(14695981039346656037);
        for (const char *p = text; *p; p++) {
            hash = (hash ^ (unsigned char)*p) * UINT64_C(1099511628211);
        }
        char suffix[6] = "";
        for (guint i = 0; i < 5; i++) {
            suffix[i] = alphabet[hash % (sizeof(alphabet) - 1)];
            hash /= sizeof(alphabet) - 1;
        }
        g_autofree char *name = g_strconcat(prefix, suffix, NULL);
        g_autofree char *key = key_of(object, name);
        if (!g_hash_table_contains(reader->seen, key)) {
            return g_steal_pointer(&name);
        }
    }
}

static bool
read_name(const Reader *reader, const TreeNode *root, const TreeNode *metadata, Object *object,
          GError **error)
{
    g_autofree char *prefix = NULL;
    if (!decode_string(metadata, "name", &object->name, error) ||
        !decode_string(metadata, "generateName", &prefix, error)) {
        return false;
    }
    if (object->name && *object->name) {
        return true;
    }
    g_clear_pointer(&object->name, g_free);
    if (prefix && *prefix) {
        object->name = generate_name(reader, object, prefix);
        return true;
    }
    if (object->kind == OBJECT_UNKNOWN) {
        object->name = g_strdup("");
        return true;
    }
    return tree_error(error, metadata ? metadata : root, VWIRE_ERROR_INVALID,
                      "found a %s without a name; expected metadata.name", object->kind_text);
}

static bool
read_metadata(const Reader *reader, const TreeNode *root, const KindRow *row, Object *object,
              GError **error)
{
    const TreeNode *metadata = NULL;
    g_autofree char *ns = NULL;
    if (!decode_mapping(root, "metadata", &metadata, error) ||
        !decode_string(metadata, "namespace", &ns, error)) {
        return false;
    }
    if (row->cluster_scoped || (row->kind == OBJECT_UNKNOWN && !ns)) {
        object->ns = g_strdup("");
    } else {
        object->ns = ns && *ns ? g_steal_pointer(&ns) : g_strdup("default");
    }
    return read_name(reader, root, metadata, object, error) &&
           decode_labels(metadata, "labels", &object->labels, error) &&
           decode_labels(metadata, "annotations", &object->annotations, error);
}

static bool
read_type(const TreeNode *root, Object *object, GError **error)
{
    if (!tree_expect(root, TREE_MAPPING, "object", error) ||
        !decode_string(root, "kind", &object->kind_text, error) ||
        !decode_string(root, "apiVersion", &object->api_version, error)) {
        return false;
    }
    const char *missing = !object->kind_text ? "kind" : !object->api_version ? "apiVersion" : NULL;
    return !missing ||
           tree_error(error, root, VWIRE_ERROR_INVALID,
                      "found an object without %s; expected apiVersion and kind", missing);
}

static bool
is_known_text(const char *kind)
{
    for (guint i = 0; i < G_N_ELEMENTS(kind_rows); i++) {
        if (strcmp(kind_rows[i].text, kind) == 0) {
            return true;
        }
    }
    return false;
}

/* Names the apiVersion where the kind alone would be known. */
static void
warn_unknown_kind(const Reader *reader, const Object *object)
{
    if (!reader->warnings) {
        return;
    }
    const TreeMark *mark = &object->mark;
    GString *line = g_string_new(NULL);
    if (mark->file) {
        g_string_append_printf(line, "%s:%d:%d: ", mark->file, mark->line, mark->column);
    }
    g_string_append_printf(line, "kind %s", object->kind_text);
    if (is_known_text(object->kind_text)) {
        g_string_append_printf(line, " of %s", object->api_version);
    }
    g_string_append(line, " is not modelled; ignored");
    g_ptr_array_add(reader->warnings, g_string_free(line, FALSE));
}

static bool
read_object(const Reader *reader, const TreeNode *root, Object *object, GError **error)
{
    object->kind = OBJECT_UNKNOWN; /* until the union is known */
    decode_mark(&root->mark, &object->mark);
    if (!read_type(root, object, error)) {
        return false;
    }
    const KindRow *row = find_row(object);
    object->kind = row->kind;
    if (row->kind == OBJECT_UNKNOWN) {
        warn_unknown_kind(reader, object);
    }
    if (!read_metadata(reader, root, row, object, error)) {
        return false;
    }
    if (!row->read) {
        return true;
    }
    g_autofree char *what = describe(object);
    Decoder d = {what, reader->warnings};
    return row->read(&d, root, object, error);
}

/* Keeps the object in mind; an error when there is one of its kind, namespace and name. */
static bool
check_unique(Reader *reader, Object *object, GError **error)
{
    if (!*object->name) {
        return true;
    }
    g_autofree char *key = key_of(object, object->name);
    const Object *first = g_hash_table_lookup(reader->seen, key);
    if (!first) {
        g_hash_table_insert(reader->seen, g_steal_pointer(&key), object);
        return true;
    }
    g_autofree char *what = describe(object);
    const TreeMark *mark = &first->mark;
    return tree_error_mark(error, &object->mark, VWIRE_ERROR_INVALID,
                           "%s is defined twice, first at %s:%d:%d; expected different names", what,
                           mark->file ? mark->file : "?", mark->line, mark->column);
}

GPtrArray *
objects_decode(const GPtrArray *trees, GPtrArray *warnings, GError **error)
{
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GPtrArray) objects = g_ptr_array_new_with_free_func((GDestroyNotify)object_free);
    Reader reader = {warnings, seen};
    for (guint i = 0; i < trees->len; i++) {
        g_autoptr(Object) object = g_new0(Object, 1);
        if (!read_object(&reader, trees->pdata[i], object, error) ||
            !check_unique(&reader, object, error)) {
            return NULL;
        }
        g_ptr_array_add(objects, g_steal_pointer(&object));
    }
    return g_steal_pointer(&objects);
}

static void
free_payload(Object *object)
{
    switch (object->kind) {
    case OBJECT_POD:
        pod_spec_free(object->pod);
        break;
    case OBJECT_DEPLOYMENT:
    case OBJECT_DAEMON_SET:
    case OBJECT_STATEFUL_SET:
    case OBJECT_REPLICA_SET:
        workload_spec_free(object->workload);
        break;
    case OBJECT_SERVICE:
        service_spec_free(object->service);
        break;
    case OBJECT_CONFIG_MAP:
    case OBJECT_SECRET:
        tree_free(object->data);
        break;
    case OBJECT_MUTATING_WEBHOOK:
        webhook_spec_free(object->webhook);
        break;
    case OBJECT_NETWORK_SERVICE:
        network_service_spec_free(object->network_service);
        break;
    case OBJECT_NAMESPACE:
    case OBJECT_SERVICE_ACCOUNT:
    case OBJECT_NETWORK_SERVICE_ENDPOINT:
    case OBJECT_NODE:
    case OBJECT_PASSIVE:
    case OBJECT_UNKNOWN:
    case N_OBJECT_KINDS:
        break;
    }
}

void
object_free(Object *object)
{
    if (!object) {
        return;
    }
    free_payload(object);
    g_free(object->kind_text);
    g_free(object->api_version);
    g_free(object->ns);
    g_free(object->name);
    labels_clear(&object->labels);
    labels_clear(&object->annotations);
    decode_mark_clear(&object->mark);
    g_free(object);
}

const PodSpec *
object_pod_spec(const Object *object)
{
    switch ((int)object->kind) {
    case OBJECT_POD:
        return object->pod;
    case OBJECT_DEPLOYMENT:
    case OBJECT_DAEMON_SET:
    case OBJECT_STATEFUL_SET:
    case OBJECT_REPLICA_SET:
        return object->workload->template;
    default:
        return NULL;
    }
}
