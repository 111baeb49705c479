/* The admission webhook. */
#include "models/nsm/webhook.h"

#include "models/k8s/api.h"
#include "models/nsm/version.h"
#include "models/spire/spire.h"

#include <string.h>

typedef struct Webhook {
    Machine base;
    char *listen;
    const Object *configuration; /* what v1.4.0 registers by itself; NULL for newer releases */
    bool ready;
} Webhook;

enum { TAG_CONFIGURE = 1 };

/* ---- injection ---- */

static void
add_env(ContainerSpec *container, const char *name, const char *value, const char *field_path)
{
    container->env = g_renew(EnvVar, container->env, container->n_env + 1);
    container->env[container->n_env++] = (EnvVar){
        .name = g_strdup(name), .value = g_strdup(value), .field_path = g_strdup(field_path)};
}

static void
add_mount(ContainerSpec *container, const char *volume, const char *path)
{
    container->mounts = g_renew(VolumeMount, container->mounts, container->n_mounts + 1);
    container->mounts[container->n_mounts++] =
        (VolumeMount){.volume = g_strdup(volume), .path = g_strdup(path)};
}

static bool
has_volume(const PodSpec *spec, const char *name)
{
    for (guint i = 0; i < spec->n_volumes; i++) {
        if (g_str_equal(spec->volumes[i].name, name)) {
            return true;
        }
    }
    return false;
}

static void
add_volume(PodSpec *spec, const char *name, const char *host_path)
{
    if (has_volume(spec, name)) {
        return;
    }
    spec->volumes = g_renew(VolumeSpec, spec->volumes, spec->n_volumes + 1);
    spec->volumes[spec->n_volumes++] = (VolumeSpec){
        .name = g_strdup(name), .kind = VOLUME_HOST_PATH, .source = g_strdup(host_path)};
}

static const char *
plain_env(const ContainerSpec *container, const char *name)
{
    const EnvVar *var = container_env(container, name);
    return var != NULL ? var->value : NULL;
}

/* NSM_ENVS: "A=b,C=d" for the injected containers. */
static void
add_extra_envs(ContainerSpec *container, const char *list)
{
    g_auto(GStrv) pairs = g_strsplit(list != NULL ? list : "", ",", -1);
    for (char **pair = pairs; *pair != NULL; pair++) {
        const char *equals = strchr(*pair, '=');
        if (equals != NULL) {
            g_autofree char *name = g_strndup(*pair, (gsize)(equals - *pair));
            add_env(container, g_strstrip(name), equals + 1, NULL);
        }
    }
}

static ContainerSpec
make_container(const ContainerSpec *webhook, const char *image, const char *urls)
{
    const char *slash = strrchr(image, '/');
    const char *base = slash != NULL ? slash + 1 : image;
    ContainerSpec container = {.image = g_strdup(image),
                               .name = g_strndup(base, strcspn(base, ":@")),
                               .command = g_new0(char *, 1),
                               .requests = {RESOURCE_NONE, RESOURCE_NONE},
                               .limits = {RESOURCE_NONE, RESOURCE_NONE}};
    add_env(&container, "SPIFFE_ENDPOINT_SOCKET", SPIRE_AGENT_SOCKET, NULL);
    add_env(&container, "NSM_NETWORK_SERVICES", urls, NULL);
    add_env(&container, "POD_NAME", NULL, "metadata.name");
    add_env(&container, "NODE_NAME", NULL, "spec.nodeName");
    add_env(&container, "NSM_NAME", NULL, "metadata.name");
    add_extra_envs(&container, plain_env(webhook, "NSM_ENVS"));
    add_mount(&container, "spire-agent-socket", "/run/spire/sockets");
    add_mount(&container, "nsm-socket", "/var/lib/networkservicemesh");
    return container;
}

static void
append_images(const ContainerSpec *webhook, const char *images, const char *urls,
              ContainerSpec **containers, guint *n)
{
    g_auto(GStrv) list = g_strsplit(images != NULL ? images : "", ",", -1);
    for (char **image = list; *image != NULL; image++) {
        if (**image != '\0') {
            *containers = g_renew(ContainerSpec, *containers, *n + 1);
            (*containers)[(*n)++] = make_container(webhook, *image, urls);
        }
    }
}

PodSpec *
webhook_inject(const ContainerSpec *webhook, const PodSpec *spec, const char *urls)
{
    const ProcessInfo info = {.container = webhook};
    bool old = nsm_before(process_version(&info), 1, 5);
    if (urls == NULL) {
        return NULL;
    }
    PodSpec *copy = pod_spec_copy(spec);
    append_images(webhook, plain_env(webhook, "NSM_INIT_CONTAINER_IMAGES"), urls,
                  &copy->init_containers, &copy->n_init_containers);
    append_images(webhook, plain_env(webhook, "NSM_CONTAINER_IMAGES"), urls, &copy->containers,
                  &copy->n_containers);
    /* the coredns sidecar: 100m and 30Mi as limits at v1.4.0 (FACTS 1.10) */
    ContainerSpec coredns = {.name = g_strdup("coredns"),
                             .image = g_strdup("coredns"),
                             .command = g_new0(char *, 1),
                             .requests = {100, (old ? 30 : 40) << 20},
                             .limits = {old ? 100 : 200, (old ? 30 : 80) << 20}};
    copy->containers = g_renew(ContainerSpec, copy->containers, copy->n_containers + 1);
    copy->containers[copy->n_containers++] = coredns;
    add_volume(copy, "spire-agent-socket", "/run/spire/sockets");
    add_volume(copy, "nsm-socket", "/var/lib/networkservicemesh");
    labels_set(&copy->labels, SPIRE_LABEL, "true");
    return copy;
}

Object *
webhook_own_configuration(const char *ns, const char *service)
{
    static const char *const exempt[] = {"kube-system", "spire", "nsm-system", NULL};
    Object *object = g_new0(Object, 1);
    object->kind = OBJECT_MUTATING_WEBHOOK;
    object->kind_text = g_strdup(object_kind_name(object->kind));
    object->api_version = g_strdup("admissionregistration.k8s.io/v1");
    object->ns = g_strdup("");
    object->name = g_strdup("nsm-mutating-webhook");
    WebhookSpec *spec = g_new0(WebhookSpec, 1);
    spec->service_namespace = g_strdup(ns);
    spec->service_name = g_strdup(service);
    spec->fail = true;
    spec->timeout = 10 * NSEC_PER_SEC;
    spec->matches_pods = true;
    spec->matches_workloads = true;
    spec->namespace_selector.present = true;
    spec->namespace_selector.n_requirements = 1;
    spec->namespace_selector.requirements = g_new0(SelectorRequirement, 1);
    spec->namespace_selector.requirements[0] = (SelectorRequirement){
        g_strdup("kubernetes.io/metadata.name"), SELECTOR_NOT_IN, g_strdupv((char **)exempt)};
    object->webhook = spec;
    return object;
}

/* ---- the machine ---- */

static void
clear_patch(Message *message)
{
    pod_spec_free(((AdmissionPatch *)message)->spec);
}

static const char *
annotation_of(const ApiObject *object)
{
    const Labels *annotations =
        object->kind == OBJECT_POD ? &object->pod->annotations : &object->manifest->annotations;
    return labels_get(annotations, NSM_ANNOTATION);
}

static void
review(Webhook *webhook, const Input *input, Actions *actions)
{
    const ApiObject *object = api_message_object(input->message);
    AdmissionPatch *patch = message_new(MESSAGE_ADMISSION_PATCH, sizeof *patch, clear_patch);
    bool known = object->pod != NULL && (object->kind == OBJECT_POD || object->manifest != NULL);
    if (known && (object->owner == 0 || object->kind == OBJECT_POD)) {
        patch->spec =
            webhook_inject(webhook->base.info->container, object->pod, annotation_of(object));
    }
    if (patch->spec != NULL) {
        actions_trace(actions, TRACE_WEBHOOK_INJECTED,
                      actions_printf(actions, "%s/%s", object->ns, object->name),
                      object_kind_name(object->kind));
    }
    actions_reply(actions, input->call, patch);
}

static void
on_start(Webhook *webhook, Actions *actions)
{
    actions_listen(actions, webhook->listen);
    webhook->ready = true;
    if (webhook->configuration != NULL) {
        ApiObject *object =
            api_object_new(OBJECT_MUTATING_WEBHOOK, "", webhook->configuration->name);
        object->manifest = webhook->configuration;
        actions_call(actions, API_ADDRESS, TAG_CONFIGURE, api_message(MESSAGE_API_CREATE, object))
            ->flags = CALL_PLAIN;
    }
}

static void
step(Machine *machine, const Input *input, Actions *actions)
{
    Webhook *webhook = (Webhook *)machine;
    if (input->kind == INPUT_START) {
        on_start(webhook, actions);
    } else if (input->kind == INPUT_REQUEST) {
        if (input->message->type == MESSAGE_ADMISSION_REVIEW) {
            review(webhook, input, actions);
        } else {
            actions_reply(actions, input->call,
                          webhook->ready ? message_ok() : message_error("not ready"));
        }
    } else if (input->kind == INPUT_STOP) {
        actions_exit(actions, 0);
    }
}

static void
webhook_free(Machine *machine)
{
    Webhook *webhook = (Webhook *)machine;
    g_free(webhook->listen);
    g_free(webhook);
}

static const MachineClass webhook_class = {COMPONENT_WEBHOOK, step, webhook_free};

Machine *
webhook_new(const ProcessInfo *info, const Object *configuration)
{
    Webhook *webhook = g_new0(Webhook, 1);
    webhook->base.class = &webhook_class;
    webhook->base.info = info;
    webhook->listen = process_address(info, "tcp://:443");
    webhook->configuration = nsm_before(process_version(info), 1, 5) ? configuration : NULL;
    return &webhook->base;
}
