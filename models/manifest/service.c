/* Services, the data of ConfigMaps and Secrets, and the mutating webhook. */
#include "models/manifest/decode.h"

#include <string.h>

static bool
decode_service_port(const Decoder *d, const TreeNode *at, ServicePort *out, GError **error)
{
    static const char *const known[] = {"appProtocol", "name",       "nodePort", "port",
                                        "protocol",    "targetPort", NULL};
    decode_warn_unknown(d, at, known, "a Service's port");
    if (!decode_int(at, "port", 1, G_MAXUINT16, &out->port, error) ||
        !decode_port(at, "targetPort", &out->target_port, &out->target_name, error) ||
        !decode_int(at, "nodePort", 0, G_MAXUINT16, &out->node_port, error)) {
        return false;
    }
    if (out->port == 0) {
        return tree_error(error, at, VWIRE_ERROR_INVALID,
                          "%s: found a port without its number; expected port: 1 to 65535",
                          d->what);
    }
    if (!out->target_name && out->target_port == 0) {
        out->target_port = out->port;
    }
    return true;
}

static bool
fill_service(const Decoder *d, const TreeNode *spec, ServiceSpec *out, GError **error)
{
    static const char *const types[] = {"ClusterIP", "NodePort", "LoadBalancer", "ExternalName",
                                        NULL};
    const TreeNode *list = NULL;
    int type = 0;
    if (!decode_labels(spec, "selector", &out->selector, error) ||
        !decode_choice(spec, "type", types, &type, error) ||
        !decode_list(spec, "ports", &list, error)) {
        return false;
    }
    out->type = g_strdup(types[type]);
    out->n_ports = tree_size(list);
    out->ports = g_new0(ServicePort, out->n_ports);
    for (guint i = 0; i < out->n_ports; i++) {
        if (!decode_service_port(d, tree_item(list, i), &out->ports[i], error)) {
            return false;
        }
    }
    return true;
}

bool
decode_service(const Decoder *d, const TreeNode *root, Object *object, GError **error)
{
    const TreeNode *spec = NULL;
    if (!decode_mapping(root, "spec", &spec, error)) {
        return false;
    }
    object->service = g_new0(ServiceSpec, 1);
    return fill_service(d, spec, object->service, error);
}

void
service_spec_free(ServiceSpec *spec)
{
    if (!spec) {
        return;
    }
    labels_clear(&spec->selector);
    for (guint i = 0; i < spec->n_ports; i++) {
        g_free(spec->ports[i].target_name);
    }
    g_free(spec->ports);
    g_free(spec->type);
    g_free(spec);
}

bool
decode_data(const Decoder *d, const TreeNode *root, Object *object, GError **error)
{
    const TreeNode *data = NULL;
    const char *text = NULL;
    if (!decode_mapping(root, "data", &data, error)) {
        return false;
    }
    for (guint i = 0; i < tree_size(data); i++) {
        if (!tree_read_string(tree_item(data, i), &text, error)) {
            return false;
        }
    }
    object->data = data ? tree_copy(data) : NULL;
    return true;
}

static bool
any_of(const GPtrArray *words, const char *const *wanted)
{
    for (guint i = 0; i < words->len; i++) {
        if (g_strv_contains(wanted, words->pdata[i])) {
            return true;
        }
    }
    return false;
}

/* A rule counts when it covers CREATE; resources may be "*" or "*" with a subresource pattern. */
static bool
decode_webhook_rule(const TreeNode *rule, WebhookSpec *out, GError **error)
{
    static const char *const create[] = {"CREATE", "*", NULL};
    static const char *const pods[] = {"pods", "*", "*/*", NULL};
    static const char *const workloads[] = {
        "deployments", "daemonsets", "statefulsets", "replicasets", "*", "*/*", NULL};
    g_autoptr(GPtrArray) operations = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GPtrArray) resources = g_ptr_array_new_with_free_func(g_free);
    if (!decode_strings(rule, "operations", operations, error) ||
        !decode_strings(rule, "resources", resources, error)) {
        return false;
    }
    bool on_create = any_of(operations, create);
    out->matches_pods |= on_create && any_of(resources, pods);
    out->matches_workloads |= on_create && any_of(resources, workloads);
    return true;
}

static bool
decode_webhook_service(const Decoder *d, const TreeNode *webhook, WebhookSpec *out, GError **error)
{
    const TreeNode *config = NULL;
    const TreeNode *service = NULL;
    if (!decode_mapping(webhook, "clientConfig", &config, error) ||
        !decode_mapping(config, "service", &service, error)) {
        return false;
    }
    if (!service) {
        decode_warn(d, &webhook->mark, "a webhook outside the cluster is not modelled; ignored");
        return true;
    }
    return decode_required_string(d, service, "namespace", "a webhook's service",
                                  &out->service_namespace, error) &&
           decode_required_string(d, service, "name", "a webhook's service", &out->service_name,
                                  error);
}

/* Defaults of admissionregistration/v1 defaults.go: Fail, 10 s, all namespaces. */
static bool
fill_webhook(const Decoder *d, const TreeNode *webhook, WebhookSpec *out, GError **error)
{
    static const char *const policies[] = {"Fail", "Ignore", NULL};
    static const char *const unmodelled[] = {"objectSelector", "matchConditions", NULL};
    const TreeNode *rules = NULL;
    int policy = 0;
    out->timeout = 10 * NSEC_PER_SEC;
    decode_warn_unmodelled(d, webhook, unmodelled);
    if (!decode_webhook_service(d, webhook, out, error) ||
        !decode_choice(webhook, "failurePolicy", policies, &policy, error) ||
        !decode_seconds(webhook, "timeoutSeconds", &out->timeout, error) ||
        !decode_label_selector(d, webhook, "namespaceSelector", &out->namespace_selector, error) ||
        !decode_list(webhook, "rules", &rules, error)) {
        return false;
    }
    out->fail = policy == 0;
    out->namespace_selector.present = true;
    for (guint i = 0; i < tree_size(rules); i++) {
        if (!decode_webhook_rule(tree_item(rules, i), out, error)) {
            return false;
        }
    }
    return true;
}

bool
decode_webhook(const Decoder *d, const TreeNode *root, Object *object, GError **error)
{
    const TreeNode *list = NULL;
    if (!decode_list(root, "webhooks", &list, error)) {
        return false;
    }
    if (tree_size(list) == 0) {
        return true;
    }
    if (tree_size(list) > 1) {
        decode_warn(d, &tree_item(list, 1)->mark,
                    "more than one webhook in a configuration is not modelled; the first counts");
    }
    object->webhook = g_new0(WebhookSpec, 1);
    return fill_webhook(d, tree_item(list, 0), object->webhook, error);
}

void
webhook_spec_free(WebhookSpec *spec)
{
    if (!spec) {
        return;
    }
    g_free(spec->service_namespace);
    g_free(spec->service_name);
    label_selector_clear(&spec->namespace_selector);
    g_free(spec);
}
