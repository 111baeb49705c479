/* Containers: image, environment, ports, mounts and resources, with their defaults; copying. */
#include "base/quantity.h"
#include "models/manifest/decode.h"

#include <string.h>

/* The fields of core/v1 Container, for "did you mean". */
static const char *const container_fields[] = {"name",
                                               "image",
                                               "command",
                                               "args",
                                               "workingDir",
                                               "ports",
                                               "envFrom",
                                               "env",
                                               "resources",
                                               "resizePolicy",
                                               "restartPolicy",
                                               "volumeMounts",
                                               "volumeDevices",
                                               "livenessProbe",
                                               "readinessProbe",
                                               "startupProbe",
                                               "lifecycle",
                                               "terminationMessagePath",
                                               "terminationMessagePolicy",
                                               "imagePullPolicy",
                                               "securityContext",
                                               "stdin",
                                               "stdinOnce",
                                               "tty",
                                               NULL};

/* What a fieldRef may name in env (kubernetes pkg/apis/core/validation validEnvDownwardAPIFieldPath
 * Expressions); labels and annotations come with a subscript. */
static const char *const field_paths[] = {"metadata.name",
                                          "metadata.namespace",
                                          "metadata.uid",
                                          "spec.nodeName",
                                          "spec.serviceAccountName",
                                          "status.hostIP",
                                          "status.hostIPs",
                                          "status.podIP",
                                          "status.podIPs",
                                          NULL};

/* SetDefaults_Container: Always for :latest, or when neither tag nor digest is there. */
static bool
default_pull_always(const char *image)
{
    const char *slash = strrchr(image, '/');
    const char *digest = strchr(image, '@');
    const char *colon = strchr(slash && (!digest || slash < digest) ? slash : image, ':');
    if (!colon || (digest && colon > digest)) {
        return !digest;
    }
    const char *end = digest ? digest : image + strlen(image);
    g_autofree char *tag = g_strndup(colon + 1, (gsize)(end - colon - 1));
    return strcmp(tag, "latest") == 0;
}

static bool
decode_pull_policy(const TreeNode *at, ContainerSpec *out, GError **error)
{
    static const char *const words[] = {"Always", "IfNotPresent", "Never", NULL};
    int policy = default_pull_always(out->image) ? 0 : 1;
    if (!decode_choice(at, "imagePullPolicy", words, &policy, error)) {
        return false;
    }
    out->pull_always = policy == 0;
    return true;
}

static bool
decode_command(const TreeNode *at, ContainerSpec *out, GError **error)
{
    g_autoptr(GPtrArray) words = g_ptr_array_new_with_free_func(g_free);
    if (!decode_strings(at, "command", words, error) || !decode_strings(at, "args", words, error)) {
        return false;
    }
    g_ptr_array_add(words, NULL);
    out->command = (char **)g_ptr_array_steal(words, NULL);
    return true;
}

static bool
decode_field_ref(const Decoder *d, const TreeNode *ref, EnvVar *out, GError **error)
{
    if (!decode_required_string(d, ref, "fieldPath", "a fieldRef", &out->field_path, error)) {
        return false;
    }
    if (g_strv_contains(field_paths, out->field_path) ||
        g_str_has_prefix(out->field_path, "metadata.labels['") ||
        g_str_has_prefix(out->field_path, "metadata.annotations['")) {
        return true;
    }
    g_autofree char *list = g_strjoinv(", ", (char **)field_paths);
    return tree_error(error, decode_field(ref, "fieldPath"), VWIRE_ERROR_INVALID,
                      "fieldPath: found \"%s\"; expected one of %s, metadata.labels['<KEY>'], "
                      "metadata.annotations['<KEY>']",
                      out->field_path, list);
}

static bool
decode_value_from(const Decoder *d, const TreeNode *from, EnvVar *out, GError **error)
{
    static const char *const known[] = {"fieldRef", "resourceFieldRef", "configMapKeyRef",
                                        "secretKeyRef", NULL};
    const TreeNode *ref = NULL;
    decode_warn_unknown(d, from, known, "valueFrom");
    if (!decode_mapping(from, "fieldRef", &ref, error)) {
        return false;
    }
    if (ref) {
        return decode_field_ref(d, ref, out, error);
    }
    if (g_str_has_prefix(out->name, "NSM_")) {
        decode_warn(d, &from->key_mark,
                    "the value of %s comes from elsewhere, which is not modelled; taken as unset",
                    out->name);
    }
    return true;
}

static bool
decode_env_var(const Decoder *d, const TreeNode *at, EnvVar *out, GError **error)
{
    static const char *const known[] = {"name", "value", "valueFrom", NULL};
    const TreeNode *from = NULL;
    decode_mark(&at->mark, &out->mark);
    decode_warn_unknown(d, at, known, "an environment variable");
    if (!decode_required_string(d, at, "name", "an environment variable", &out->name, error) ||
        !decode_mapping(at, "valueFrom", &from, error) ||
        !decode_string(at, "value", &out->value, error)) {
        return false;
    }
    if (from && out->value && *out->value) {
        return tree_error(error, from, VWIRE_ERROR_INVALID,
                          "%s: found both value and valueFrom for %s; expected one of them",
                          d->what, out->name);
    }
    if (from) {
        g_clear_pointer(&out->value, g_free);
        return decode_value_from(d, from, out, error);
    }
    out->value = out->value ? out->value : g_strdup("");
    return true;
}

static bool
decode_env(const Decoder *d, const TreeNode *at, ContainerSpec *out, GError **error)
{
    const TreeNode *list = NULL;
    if (!decode_list(at, "env", &list, error)) {
        return false;
    }
    out->n_env = tree_size(list);
    out->env = g_new0(EnvVar, out->n_env);
    for (guint i = 0; i < out->n_env; i++) {
        if (!decode_env_var(d, tree_item(list, i), &out->env[i], error)) {
            return false;
        }
    }
    return true;
}

/* On the host's network a container port is the host's port (SetHostPortDefaults). */
static bool
decode_container_port(const Decoder *d, const TreeNode *at, bool host_network, ContainerPort *out,
                      GError **error)
{
    static const char *const known[] = {"name",     "containerPort", "hostPort",
                                        "protocol", "hostIP",        NULL};
    static const char *const protocols[] = {"TCP", "UDP", "SCTP", NULL};
    int protocol = 0;
    decode_warn_unknown(d, at, known, "a container's port");
    if (!decode_string(at, "name", &out->name, error) ||
        !decode_int(at, "containerPort", 1, G_MAXUINT16, &out->container_port, error) ||
        !decode_int(at, "hostPort", 0, G_MAXUINT16, &out->host_port, error) ||
        !decode_choice(at, "protocol", protocols, &protocol, error)) {
        return false;
    }
    out->protocol = g_strdup(protocols[protocol]);
    if (out->container_port == 0) {
        return tree_error(error, at, VWIRE_ERROR_INVALID,
                          "%s: found a port without containerPort; expected a number from 1 to "
                          "65535",
                          d->what);
    }
    if (host_network && out->host_port == 0) {
        out->host_port = out->container_port;
    }
    if (host_network && out->host_port != out->container_port) {
        return tree_error(
            error, decode_field(at, "hostPort"), VWIRE_ERROR_INVALID,
            "%s: found hostPort %d for containerPort %d; expected the same port under "
            "hostNetwork",
            d->what, out->host_port, out->container_port);
    }
    return true;
}

static bool
decode_ports(const Decoder *d, const TreeNode *at, bool host_network, ContainerSpec *out,
             GError **error)
{
    const TreeNode *list = NULL;
    if (!decode_list(at, "ports", &list, error)) {
        return false;
    }
    out->n_ports = tree_size(list);
    out->ports = g_new0(ContainerPort, out->n_ports);
    for (guint i = 0; i < out->n_ports; i++) {
        if (!decode_container_port(d, tree_item(list, i), host_network, &out->ports[i], error)) {
            return false;
        }
    }
    return true;
}

static bool
decode_mounts(const Decoder *d, const TreeNode *at, ContainerSpec *out, GError **error)
{
    const TreeNode *list = NULL;
    if (!decode_list(at, "volumeMounts", &list, error)) {
        return false;
    }
    out->n_mounts = tree_size(list);
    out->mounts = g_new0(VolumeMount, out->n_mounts);
    static const char *const unmodelled[] = {"subPathExpr", NULL};
    for (guint i = 0; i < out->n_mounts; i++) {
        const TreeNode *mount = tree_item(list, i);
        VolumeMount *m = &out->mounts[i];
        decode_warn_unmodelled(d, mount, unmodelled);
        if (!decode_required_string(d, mount, "name", "a volumeMount", &m->volume, error) ||
            !decode_required_string(d, mount, "mountPath", "a volumeMount", &m->path, error) ||
            !decode_string(mount, "subPath", &m->sub_path, error)) {
            return false;
        }
    }
    return true;
}

typedef bool (*QuantityParser)(const char *text, int64_t *out, GError **error);

static bool
decode_quantity(const TreeNode *node, QuantityParser parser, int64_t *out, GError **error)
{
    g_autoptr(GError) cause = NULL;
    if (node->kind != TREE_SCALAR || node->scalar == TREE_BOOL) {
        return tree_error(error, node, VWIRE_ERROR_PARSE,
                          "found %s; expected a quantity such as 150m or 64Mi",
                          node->kind == TREE_SCALAR ? node->text : "no scalar");
    }
    return parser(node->text, out, &cause) ||
           tree_error(error, node, VWIRE_ERROR_PARSE, "%s", cause->message);
}

static bool
decode_resource_list(const Decoder *d, const TreeNode *resources, const char *key,
                     ResourceList *out, GError **error)
{
    const TreeNode *list = NULL;
    *out = (ResourceList){RESOURCE_NONE, RESOURCE_NONE};
    if (!decode_mapping(resources, key, &list, error)) {
        return false;
    }
    for (guint i = 0; i < tree_size(list); i++) {
        const char *name = tree_key(list, i);
        const TreeNode *value = decode_field(list, name);
        bool is_cpu = strcmp(name, "cpu") == 0;
        bool is_memory = strcmp(name, "memory") == 0;
        if (!value) {
            continue;
        }
        if (!is_cpu && !is_memory) {
            decode_warn(d, &value->key_mark, "resource %s is not modelled; ignored", name);
        }
        int64_t unused = 0;
        int64_t *target = is_cpu ? &out->cpu : is_memory ? &out->memory : &unused;
        if (!decode_quantity(value, is_cpu ? quantity_parse_milli : quantity_parse, target,
                             error)) {
            return false;
        }
    }
    return true;
}

/* SetDefaults_Pod: a limit without request is the request; a larger request is invalid. */
static bool
default_request(const Decoder *d, const TreeNode *resources, const char *name, int64_t *request,
                int64_t limit, GError **error)
{
    if (*request == RESOURCE_NONE) {
        *request = limit;
    }
    if (limit == RESOURCE_NONE || *request <= limit) {
        return true;
    }
    const TreeNode *node = tree_get(tree_get(resources, "requests"), name);
    return tree_error(error, node, VWIRE_ERROR_INVALID,
                      "%s: found a %s request of %s; expected at most its limit, %s", d->what, name,
                      tree_text(node), tree_text(tree_get(tree_get(resources, "limits"), name)));
}

static bool
decode_resources(const Decoder *d, const TreeNode *at, ContainerSpec *out, GError **error)
{
    static const char *const known[] = {"limits", "requests", "claims", NULL};
    static const char *const unmodelled[] = {"claims", NULL};
    const TreeNode *resources = NULL;
    if (!decode_mapping(at, "resources", &resources, error)) {
        return false;
    }
    decode_warn_unknown(d, resources, known, "resources");
    decode_warn_unmodelled(d, resources, unmodelled);
    ResourceList *requests = &out->requests;
    return decode_resource_list(d, resources, "requests", requests, error) &&
           decode_resource_list(d, resources, "limits", &out->limits, error) &&
           default_request(d, resources, "cpu", &requests->cpu, out->limits.cpu, error) &&
           default_request(d, resources, "memory", &requests->memory, out->limits.memory, error);
}

bool
decode_container(const Decoder *d, const TreeNode *at, bool host_network, ContainerSpec *out,
                 GError **error)
{
    static const char *const unmodelled[] = {"envFrom", "lifecycle", "volumeDevices", NULL};
    decode_mark(&at->mark, &out->mark);
    decode_warn_unknown(d, at, container_fields, "a container");
    decode_warn_unmodelled(d, at, unmodelled);
    if (!decode_required_string(d, at, "name", "a container", &out->name, error)) {
        return false;
    }
    g_autofree char *of = g_strdup_printf("container %s", out->name);
    return decode_required_string(d, at, "image", of, &out->image, error) &&
           decode_pull_policy(at, out, error) && decode_command(at, out, error) &&
           decode_env(d, at, out, error) && decode_ports(d, at, host_network, out, error) &&
           decode_mounts(d, at, out, error) && decode_resources(d, at, out, error) &&
           decode_probes(d, at, out, error);
}

static ProbeSpec
copy_probe(const ProbeSpec *from)
{
    ProbeSpec probe = *from;
    probe.command = g_strdup(from->command);
    return probe;
}

static void
copy_env(const ContainerSpec *from, ContainerSpec *out)
{
    out->env = g_new0(EnvVar, from->n_env);
    for (guint i = 0; i < from->n_env; i++) {
        const EnvVar *var = &from->env[i];
        out->env[i].name = g_strdup(var->name);
        out->env[i].value = g_strdup(var->value);
        out->env[i].field_path = g_strdup(var->field_path);
        decode_mark(&var->mark, &out->env[i].mark);
    }
}

static void
copy_ports(const ContainerSpec *from, ContainerSpec *out)
{
    out->ports = g_new0(ContainerPort, from->n_ports);
    for (guint i = 0; i < from->n_ports; i++) {
        out->ports[i] = from->ports[i];
        out->ports[i].name = g_strdup(from->ports[i].name);
        out->ports[i].protocol = g_strdup(from->ports[i].protocol);
    }
}

static void
copy_mounts(const ContainerSpec *from, ContainerSpec *out)
{
    out->mounts = g_new0(VolumeMount, from->n_mounts);
    for (guint i = 0; i < from->n_mounts; i++) {
        const VolumeMount *mount = &from->mounts[i];
        out->mounts[i] = (VolumeMount){.volume = g_strdup(mount->volume),
                                       .path = g_strdup(mount->path),
                                       .sub_path = g_strdup(mount->sub_path)};
    }
}

void
container_spec_copy(const ContainerSpec *from, ContainerSpec *out)
{
    *out = *from; /* numbers; all that is owned follows */
    out->name = g_strdup(from->name);
    out->image = g_strdup(from->image);
    out->command = g_strdupv(from->command);
    copy_env(from, out);
    copy_ports(from, out);
    copy_mounts(from, out);
    out->startup = copy_probe(&from->startup);
    out->readiness = copy_probe(&from->readiness);
    out->liveness = copy_probe(&from->liveness);
    decode_mark(&from->mark, &out->mark);
}

static void
clear_env(ContainerSpec *container)
{
    for (guint i = 0; i < container->n_env; i++) {
        g_free(container->env[i].name);
        g_free(container->env[i].value);
        g_free(container->env[i].field_path);
        decode_mark_clear(&container->env[i].mark);
    }
    g_free(container->env);
}

void
container_spec_clear(ContainerSpec *container)
{
    g_free(container->name);
    g_free(container->image);
    g_strfreev(container->command);
    clear_env(container);
    for (guint i = 0; i < container->n_ports; i++) {
        g_free(container->ports[i].name);
        g_free(container->ports[i].protocol);
    }
    g_free(container->ports);
    for (guint i = 0; i < container->n_mounts; i++) {
        g_free(container->mounts[i].volume);
        g_free(container->mounts[i].path);
        g_free(container->mounts[i].sub_path);
    }
    g_free(container->mounts);
    g_free(container->startup.command);
    g_free(container->readiness.command);
    g_free(container->liveness.command);
    decode_mark_clear(&container->mark);
    *container = (ContainerSpec){0};
}

const EnvVar *
container_env(const ContainerSpec *container, const char *name)
{
    for (guint i = container->n_env; i > 0; i--) {
        if (strcmp(container->env[i - 1].name, name) == 0) {
            return &container->env[i - 1];
        }
    }
    return NULL;
}
