/* References, addresses and the chains between them. */
#include "models/flow.h"

#include <stdio.h>
#include <string.h>

#define DEFAULT_PREFIX "169.254.0.0/16" /* cmd-nse-icmp-responder main.go (FACTS 2.7) */

bool
flow_names(const char *reference, const Object *object)
{
    g_auto(GStrv) words = g_strsplit(reference, "/", -1);
    guint n = g_strv_length(words);
    if (n != 2 && n != 3) {
        return false;
    }
    return g_ascii_strcasecmp(words[0], object->kind_text) == 0 &&
           g_str_equal(words[n - 1], object->name) && (n == 2 || g_str_equal(words[1], object->ns));
}

char *
flow_reference(const Object *object)
{
    g_autofree char *kind = g_ascii_strdown(object->kind_text, -1);
    return g_strdup_printf("%s/%s", kind, object->name);
}

/* ------ addresses ------ */

static bool
parse_address(const char *text, uint32_t *out)
{
    guint a = 0, b = 0, c = 0, d = 0;
    char rest = 0;
    if (sscanf(text, "%3u.%3u.%3u.%3u%c", &a, &b, &c, &d, &rest) != 4 || a > 255 || b > 255 ||
        c > 255 || d > 255) {
        return false;
    }
    *out = a << 24 | b << 16 | c << 8 | d;
    return true;
}

bool
flow_is_address(const char *text)
{
    uint32_t address = 0;
    return parse_address(text, &address);
}

/* Whether "172.16.1.100/31" has the address; prefixes that cannot be read have none. */
static bool
prefix_has(const char *prefix, uint32_t address)
{
    enum { BITS = 32 };
    g_auto(GStrv) parts = g_strsplit(prefix, "/", 2);
    uint32_t network = 0;
    uint64_t bits = BITS;
    if (parts[0] == NULL || !parse_address(g_strstrip(parts[0]), &network) ||
        (parts[1] != NULL &&
         !g_ascii_string_to_unsigned(g_strstrip(parts[1]), 10, 0, BITS, &bits, NULL))) {
        return false;
    }
    uint32_t mask = bits == 0 ? 0 : UINT32_MAX << (BITS - bits);
    return (address & mask) == (network & mask);
}

const char *
flow_prefixes(const ChainEndpoint *endpoint)
{
    const EnvVar *prefix = container_env(endpoint->container, "NSM_CIDR_PREFIX");
    return prefix != NULL ? prefix->value : DEFAULT_PREFIX;
}

static bool
gives_address(const ChainEndpoint *endpoint, const char *text)
{
    const char *prefixes = flow_prefixes(endpoint);
    uint32_t address = 0;
    if (prefixes == NULL || !parse_address(text, &address)) {
        return prefixes == NULL;
    }
    g_auto(GStrv) list = g_strsplit(prefixes, ",", -1);
    bool found = false;
    for (char **one = list; *one != NULL && !found; one++) {
        found = prefix_has(*one, address);
    }
    return found;
}

/* ------ chains ------ */

const ChainEndpoint *
flow_end(const Chain *chain)
{
    guint n = chain->links->len;
    const ChainLink *last = n > 0 ? g_ptr_array_index(chain->links, n - 1) : NULL;
    return last != NULL ? last->to : NULL;
}

bool
flow_reaches(const Chain *chain, const char *to)
{
    const ChainEndpoint *end = flow_end(chain);
    if (end == NULL) {
        return false;
    }
    return strchr(to, '/') != NULL ? flow_names(to, end->object) : gives_address(end, to);
}

bool
flow_takes(const Traffic *traffic, const Chain *chain)
{
    return !traffic->pod_network && flow_names(traffic->from, chain->client) &&
           (traffic->interface == NULL || g_str_equal(traffic->interface, chain->interface)) &&
           flow_reaches(chain, traffic->to);
}

GPtrArray *
flow_workloads(const Scenario *scenario)
{
    GPtrArray *found = g_ptr_array_new();
    for (guint m = 0; m < scenario->n_manifests; m++) {
        const GPtrArray *objects = scenario->manifests[m].objects;
        for (guint i = 0; i < objects->len; i++) {
            if (object_pod_spec(g_ptr_array_index(objects, i)) != NULL) {
                g_ptr_array_add(found, g_ptr_array_index(objects, i));
            }
        }
    }
    return found;
}

const Object *
flow_find(const Scenario *scenario, const char *reference)
{
    g_autoptr(GPtrArray) workloads = flow_workloads(scenario);
    for (guint i = 0; i < workloads->len; i++) {
        const Object *object = g_ptr_array_index(workloads, i);
        if (flow_names(reference, object)) {
            return object;
        }
    }
    return NULL;
}
