/* NetworkService: payload, and the matches that route a client's Request (FACTS 1.4).
 *
 * The custom resource holds registry.NetworkService of networkservicemesh/api as JSON, whose keys
 * have underscores (registry.proto); camel case is accepted too. */
#include "models/manifest/decode.h"
#include "models/nsm/template.h"

#include <string.h>

/* The value under either spelling. */
static bool
decode_either(const TreeNode *at, const char *snake, const char *camel, Labels *out, GError **error)
{
    return decode_labels(at, snake, out, error) && decode_labels(at, camel, out, error);
}

/* A value that cannot be expanded is compared as it stands, which is hardly what was meant. */
static void
warn_templates(const Decoder *d, const TreeMark *mark, const Labels *selector)
{
    const Labels none = {0};
    for (guint i = 0; i < selector->n; i++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *text = NULL;
        if (!template_expand(selector->items[i].value, &none, &text, &error)) {
            decode_warn(d, mark, "label %s is compared literally: %s", selector->items[i].key,
                        error->message);
        }
    }
}

static bool
decode_route(const Decoder *d, const TreeNode *at, NsRoute *out, GError **error)
{
    static const char *const known[] = {"destination_selector", "destinationSelector", "weight",
                                        NULL};
    int weight = 0;
    decode_mark(&at->mark, &out->mark);
    decode_warn_unknown(d, at, known, "a route");
    if (!decode_either(at, "destination_selector", "destinationSelector",
                       &out->destination_selector, error) ||
        !decode_int(at, "weight", 0, G_MAXINT, &weight, error)) {
        return false;
    }
    warn_templates(d, &at->mark, &out->destination_selector);
    const TreeNode *node = decode_field(at, "weight");
    out->has_weight = node != NULL;
    if (node) {
        decode_warn(d, &node->key_mark, "weight has no effect: NSM never reads it");
    }
    return true;
}

static bool
decode_routes(const Decoder *d, const TreeNode *at, NsMatch *out, GError **error)
{
    const TreeNode *list = NULL;
    if (!decode_list(at, "routes", &list, error)) {
        return false;
    }
    out->n_routes = tree_size(list);
    out->routes = g_new0(NsRoute, out->n_routes);
    for (guint i = 0; i < out->n_routes; i++) {
        if (!decode_route(d, tree_item(list, i), &out->routes[i], error)) {
            return false;
        }
    }
    return true;
}

static bool
decode_match(const Decoder *d, const TreeNode *at, NsMatch *out, GError **error)
{
    static const char *const known[] = {"source_selector", "sourceSelector", "routes",
                                        "fallthrough",     "metadata",       NULL};
    const TreeNode *metadata = NULL;
    decode_mark(&at->mark, &out->mark);
    decode_warn_unknown(d, at, known, "a match");
    if (!decode_either(at, "source_selector", "sourceSelector", &out->source_selector, error) ||
        !decode_mapping(at, "metadata", &metadata, error) ||
        !decode_labels(metadata, "labels", &out->metadata, error) ||
        !decode_bool(at, "fallthrough", &out->fallthrough, error)) {
        return false;
    }
    out->has_metadata = metadata != NULL;
    warn_templates(d, &at->mark, &out->source_selector);
    return decode_routes(d, at, out, error);
}

/* networkservicemesh/api pkg/api/networkservice/payload: IP and ETHERNET. */
static bool
decode_payload(const TreeNode *spec, NetworkServiceSpec *out, GError **error)
{
    static const char *const words[] = {"ETHERNET", "IP", "", NULL};
    int payload = 2;
    if (!decode_choice(spec, "payload", words, &payload, error)) {
        return false;
    }
    out->payload = g_strdup(words[payload]);
    return true;
}

static bool
fill_network_service(const Decoder *d, const TreeNode *spec, NetworkServiceSpec *out,
                     GError **error)
{
    static const char *const known[] = {"name", "payload", "matches", "path_ids", "pathIds", NULL};
    const TreeNode *list = NULL;
    decode_warn_unknown(d, spec, known, "a NetworkService's spec");
    if (!decode_payload(spec, out, error) || !decode_list(spec, "matches", &list, error)) {
        return false;
    }
    out->n_matches = tree_size(list);
    out->matches = g_new0(NsMatch, out->n_matches);
    for (guint i = 0; i < out->n_matches; i++) {
        if (!decode_match(d, tree_item(list, i), &out->matches[i], error)) {
            return false;
        }
    }
    return true;
}

bool
decode_network_service(const Decoder *d, const TreeNode *root, Object *object, GError **error)
{
    const TreeNode *spec = NULL;
    if (!decode_mapping(root, "spec", &spec, error)) {
        return false;
    }
    object->network_service = g_new0(NetworkServiceSpec, 1);
    return fill_network_service(d, spec, object->network_service, error);
}

static void
clear_match(NsMatch *match)
{
    for (guint i = 0; i < match->n_routes; i++) {
        labels_clear(&match->routes[i].destination_selector);
        decode_mark_clear(&match->routes[i].mark);
    }
    g_free(match->routes);
    labels_clear(&match->source_selector);
    labels_clear(&match->metadata);
    decode_mark_clear(&match->mark);
}

void
network_service_spec_free(NetworkServiceSpec *spec)
{
    if (!spec) {
        return;
    }
    for (guint i = 0; i < spec->n_matches; i++) {
        clear_match(&spec->matches[i]);
    }
    g_free(spec->matches);
    g_free(spec->payload);
    g_free(spec);
}
