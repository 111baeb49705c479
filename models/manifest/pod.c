/* Pod specs: reading with defaults, and the sums that scheduler and reports need. */
#include "models/manifest/decode.h"

#include <string.h>

/* The fields of core/v1 PodSpec, for "did you mean". */
static const char *const spec_fields[] = {"activeDeadlineSeconds",
                                          "affinity",
                                          "automountServiceAccountToken",
                                          "containers",
                                          "dnsConfig",
                                          "dnsPolicy",
                                          "enableServiceLinks",
                                          "ephemeralContainers",
                                          "hostAliases",
                                          "hostIPC",
                                          "hostNetwork",
                                          "hostPID",
                                          "hostUsers",
                                          "hostname",
                                          "imagePullSecrets",
                                          "initContainers",
                                          "nodeName",
                                          "nodeSelector",
                                          "os",
                                          "overhead",
                                          "preemptionPolicy",
                                          "priority",
                                          "priorityClassName",
                                          "readinessGates",
                                          "resourceClaims",
                                          "resources",
                                          "restartPolicy",
                                          "runtimeClassName",
                                          "schedulerName",
                                          "schedulingGates",
                                          "securityContext",
                                          "serviceAccount",
                                          "serviceAccountName",
                                          "setHostnameAsFQDN",
                                          "shareProcessNamespace",
                                          "subdomain",
                                          "terminationGracePeriodSeconds",
                                          "tolerations",
                                          "topologySpreadConstraints",
                                          "volumes",
                                          NULL};

/* Those of them that change where or when a Pod runs and that no machine reads. */
static const char *const unmodelled_fields[] = {"activeDeadlineSeconds",
                                                "ephemeralContainers",
                                                "overhead",
                                                "preemptionPolicy",
                                                "priority",
                                                "priorityClassName",
                                                "readinessGates",
                                                "resourceClaims",
                                                "resources",
                                                "runtimeClassName",
                                                "schedulingGates",
                                                "topologySpreadConstraints",
                                                NULL};

/* Kinds of volumes by their key; what is not here is VOLUME_OTHER. */
static const struct {
    const char *key;
    VolumeKind kind;
    const char *source; /* the key below it that names the source */
} volume_rows[] = {
    {"hostPath", VOLUME_HOST_PATH, "path"},  {"configMap", VOLUME_CONFIG_MAP, "name"},
    {"secret", VOLUME_SECRET, "secretName"}, {"emptyDir", VOLUME_EMPTY_DIR, NULL},
    {"projected", VOLUME_PROJECTED, NULL},
};

static const VolumeSpec *
find_volume(const PodSpec *spec, guint n, const char *name)
{
    for (guint i = 0; i < n; i++) {
        if (g_strcmp0(spec->volumes[i].name, name) == 0) {
            return &spec->volumes[i];
        }
    }
    return NULL;
}

/* Which keys of a ConfigMap or Secret are shown, and as which files. */
static bool
decode_items(const Decoder *d, const TreeNode *source, VolumeSpec *out, GError **error)
{
    const TreeNode *list = NULL;
    if (!decode_list(source, "items", &list, error)) {
        return false;
    }
    out->n_items = tree_size(list);
    out->items = g_new0(VolumeItem, out->n_items);
    for (guint i = 0; i < out->n_items; i++) {
        const TreeNode *item = tree_item(list, i);
        if (!decode_required_string(d, item, "key", "an item", &out->items[i].key, error) ||
            !decode_required_string(d, item, "path", "an item", &out->items[i].path, error)) {
            return false;
        }
    }
    return true;
}

static bool
decode_volume_source(const Decoder *d, const TreeNode *at, VolumeSpec *out, GError **error)
{
    static const char *const unmodelled[] = {"persistentVolumeClaim", "ephemeral", "csi", NULL};
    decode_warn_unmodelled(d, at, unmodelled);
    for (guint i = 0; i < G_N_ELEMENTS(volume_rows); i++) {
        const TreeNode *node = NULL;
        if (!decode_mapping(at, volume_rows[i].key, &node, error)) {
            return false;
        }
        if (!node) {
            continue;
        }
        out->kind = volume_rows[i].kind;
        g_autofree char *of = g_strdup_printf("volume %s", out->name);
        return (!volume_rows[i].source ||
                decode_required_string(d, node, volume_rows[i].source, of, &out->source, error)) &&
               decode_bool(node, "optional", &out->optional, error) &&
               decode_items(d, node, out, error);
    }
    /* SetDefaults_Volume: without any source it is an emptyDir. */
    if (tree_size(at) == 1 || (tree_size(at) == 2 && tree_get(at, "emptyDir"))) {
        out->kind = VOLUME_EMPTY_DIR;
    }
    return true;
}

static bool
decode_volume(const Decoder *d, const TreeNode *at, PodSpec *spec, guint i, GError **error)
{
    VolumeSpec *out = &spec->volumes[i];
    decode_mark(&at->mark, &out->mark);
    if (!decode_required_string(d, at, "name", "a volume", &out->name, error)) {
        return false;
    }
    if (find_volume(spec, i, out->name)) {
        return tree_error(error, at, VWIRE_ERROR_INVALID,
                          "%s: found volume %s twice; expected different names", d->what,
                          out->name);
    }
    return decode_volume_source(d, at, out, error);
}

/* Claims of a StatefulSet are volumes that nothing waits for. */
static bool
decode_volumes(const Decoder *d, const TreeNode *at, const TreeNode *claims, PodSpec *out,
               GError **error)
{
    const TreeNode *list = NULL;
    if (!decode_list(at, "volumes", &list, error)) {
        return false;
    }
    guint n_own = tree_size(list);
    out->n_volumes = n_own + tree_size(claims);
    out->volumes = g_new0(VolumeSpec, out->n_volumes);
    for (guint i = 0; i < n_own; i++) {
        if (!decode_volume(d, tree_item(list, i), out, i, error)) {
            return false;
        }
    }
    for (guint i = n_own; i < out->n_volumes; i++) {
        const TreeNode *claim = tree_item(claims, i - n_own);
        const TreeNode *metadata = NULL;
        decode_mark(&claim->mark, &out->volumes[i].mark);
        if (!decode_mapping(claim, "metadata", &metadata, error) ||
            !decode_string(metadata, "name", &out->volumes[i].name, error)) {
            return false;
        }
    }
    return true;
}

static bool
decode_containers(const Decoder *d, const TreeNode *at, const char *key, bool host_network,
                  ContainerSpec **containers, guint *n_containers, GError **error)
{
    const TreeNode *list = NULL;
    if (!decode_list(at, key, &list, error)) {
        return false;
    }
    *n_containers = tree_size(list);
    *containers = g_new0(ContainerSpec, *n_containers);
    for (guint i = 0; i < *n_containers; i++) {
        if (!decode_container(d, tree_item(list, i), host_network, &(*containers)[i], error)) {
            return false;
        }
    }
    return true;
}

static bool
check_mounts(const Decoder *d, const PodSpec *spec, const ContainerSpec *container, GError **error)
{
    for (guint i = 0; i < container->n_mounts; i++) {
        if (!find_volume(spec, spec->n_volumes, container->mounts[i].volume)) {
            return tree_error_mark(error, &container->mark, VWIRE_ERROR_INVALID,
                                   "%s: container %s mounts %s; expected the name of one of the "
                                   "Pod's volumes",
                                   d->what, container->name, container->mounts[i].volume);
        }
    }
    return true;
}

/* Init containers first, then containers. */
static const ContainerSpec *
container_at(const PodSpec *spec, guint i)
{
    return i < spec->n_init_containers ? &spec->init_containers[i]
                                       : &spec->containers[i - spec->n_init_containers];
}

static bool
check_containers(const Decoder *d, const TreeNode *at, const PodSpec *spec, GError **error)
{
    if (spec->n_containers == 0) {
        return tree_error(error, at, VWIRE_ERROR_INVALID,
                          "%s: found no containers; expected at least one", d->what);
    }
    g_autoptr(GHashTable) names = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; i < spec->n_init_containers + spec->n_containers; i++) {
        const ContainerSpec *container = container_at(spec, i);
        if (!g_hash_table_add(names, container->name)) {
            return tree_error_mark(error, &container->mark, VWIRE_ERROR_INVALID,
                                   "%s: found container %s twice; expected different names",
                                   d->what, container->name);
        }
        if (!check_mounts(d, spec, container, error)) {
            return false;
        }
    }
    return true;
}

static bool
decode_restart_policy(const TreeNode *at, PodSpec *out, GError **error)
{
    static const char *const words[] = {"Always", "OnFailure", "Never", NULL};
    int policy = 0;
    if (!decode_choice(at, "restartPolicy", words, &policy, error)) {
        return false;
    }
    out->restart_always = policy == 0;
    out->restart_on_failure = policy == 1;
    return true;
}

/* serviceAccount is the deprecated alias of serviceAccountName. */
static bool
decode_identity(const TreeNode *at, PodSpec *out, GError **error)
{
    out->service_account = g_strdup("default");
    out->scheduler_name = g_strdup("default-scheduler");
    return decode_string(at, "serviceAccount", &out->service_account, error) &&
           decode_string(at, "serviceAccountName", &out->service_account, error) &&
           decode_string(at, "schedulerName", &out->scheduler_name, error);
}

static bool
decode_placement(const Decoder *d, const TreeNode *at, PodSpec *out, GError **error)
{
    if (!decode_string(at, "nodeName", &out->node_name, error)) {
        return false;
    }
    if (out->node_name && !*out->node_name) {
        g_clear_pointer(&out->node_name, g_free);
    }
    return decode_labels(at, "nodeSelector", &out->node_selector, error) &&
           decode_affinity(d, at, out, error) && decode_tolerations(d, at, out, error);
}

static bool
fill_spec(const Decoder *d, const TreeNode *at, const TreeNode *claims, PodSpec *out,
          GError **error)
{
    out->grace_period = 30 * NSEC_PER_SEC;
    decode_warn_unknown(d, at, spec_fields, "a Pod's spec");
    decode_warn_unmodelled(d, at, unmodelled_fields);
    return decode_bool(at, "hostNetwork", &out->host_network, error) &&
           decode_volumes(d, at, claims, out, error) &&
           decode_containers(d, at, "initContainers", out->host_network, &out->init_containers,
                             &out->n_init_containers, error) &&
           decode_containers(d, at, "containers", out->host_network, &out->containers,
                             &out->n_containers, error) &&
           check_containers(d, at, out, error) && decode_placement(d, at, out, error) &&
           decode_identity(at, out, error) && decode_restart_policy(at, out, error) &&
           decode_seconds(at, "terminationGracePeriodSeconds", &out->grace_period, error);
}

PodSpec *
decode_pod_spec(const Decoder *d, const TreeNode *at, const TreeNode *claims, GError **error)
{
    const TreeNode *metadata = NULL;
    const TreeNode *spec = NULL;
    if (!decode_mapping(at, "metadata", &metadata, error) ||
        !decode_mapping(at, "spec", &spec, error)) {
        return NULL;
    }
    if (!spec) {
        tree_error(error, at, VWIRE_ERROR_INVALID, "%s: found no spec; expected a Pod's spec",
                   d->what);
        return NULL;
    }
    PodSpec *out = g_new0(PodSpec, 1);
    decode_mark(&spec->mark, &out->mark);
    if (!decode_labels(metadata, "labels", &out->labels, error) ||
        !decode_labels(metadata, "annotations", &out->annotations, error) ||
        !fill_spec(d, spec, claims, out, error)) {
        pod_spec_free(out);
        return NULL;
    }
    return out;
}

bool
decode_pod(const Decoder *d, const TreeNode *root, Object *object, GError **error)
{
    object->pod = decode_pod_spec(d, root, NULL, error);
    return object->pod != NULL;
}

/* Adds where both are set; a sum beyond int64_t stays at its end. */
static int64_t
add_resource(int64_t sum, int64_t value)
{
    if (value == RESOURCE_NONE) {
        return sum;
    }
    if (sum == RESOURCE_NONE) {
        return value;
    }
    return value > INT64_MAX - sum ? INT64_MAX : sum + value;
}

ResourceList
pod_spec_requests(const PodSpec *spec)
{
    ResourceList sum = {0, 0};
    for (guint i = 0; i < spec->n_containers; i++) {
        sum.cpu = add_resource(sum.cpu, spec->containers[i].requests.cpu);
        sum.memory = add_resource(sum.memory, spec->containers[i].requests.memory);
    }
    for (guint i = 0; i < spec->n_init_containers; i++) {
        sum.cpu = MAX(sum.cpu, spec->init_containers[i].requests.cpu);
        sum.memory = MAX(sum.memory, spec->init_containers[i].requests.memory);
    }
    return sum;
}

ResourceList
pod_spec_limits(const PodSpec *spec)
{
    ResourceList sum = {RESOURCE_NONE, RESOURCE_NONE};
    for (guint i = 0; i < spec->n_containers; i++) {
        sum.cpu = add_resource(sum.cpu, spec->containers[i].limits.cpu);
        sum.memory = add_resource(sum.memory, spec->containers[i].limits.memory);
    }
    return sum;
}
