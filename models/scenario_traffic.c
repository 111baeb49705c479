/* spec.traffic: echoes at a constant rate, in k6's words; and what is read beside it about time
 * that is skipped and about a run's fingerprint. */
#include "models/document.h"
#include "models/scenario_parts.h"

#include <stdio.h>
#include <string.h>

#define DEFAULT_PREFIX "169.254.0.0/16" /* cmd-nse-icmp-responder main.go (FACTS 2.7) */
#define MAX_RATE 1e6
#define MAX_SIZE 65507  /* of an echo over IPv4: RFC 791 and 792, 65535 - 20 - 8 */
#define DEFAULT_SIZE 56 /* iputils ping.c, DEFDATALEN */

/* ------ flow ------ */

/* "kind/name" or "kind/namespace/name" names the object. */
static bool
is_reference_to(const char *text, const Object *object)
{
    g_auto(GStrv) words = g_strsplit(text, "/", -1);
    guint n = g_strv_length(words);
    if (n != 2 && n != 3) {
        return false;
    }
    return g_ascii_strcasecmp(words[0], object->kind_text) == 0 &&
           g_str_equal(words[n - 1], object->name) && (n == 2 || g_str_equal(words[1], object->ns));
}

static char *
reference_of(const Object *object)
{
    g_autofree char *kind = g_ascii_strdown(object->kind_text, -1);
    return g_strdup_printf("%s/%s", kind, object->name);
}

static const Chain *
find_chain(const TreeNode *node, const char *from, const Chains *chains, GError **error)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < chains->chains->len; i++) {
        const Chain *chain = g_ptr_array_index(chains->chains, i);
        if (is_reference_to(from, chain->client)) {
            return chain;
        }
        g_ptr_array_add(names, reference_of(chain->client));
    }
    g_ptr_array_add(names, NULL);
    g_autofree char *list = g_strjoinv(", ", (char **)names->pdata);
    tree_error(error, node, VWIRE_ERROR_INVALID,
               "from: found \"%s\"; expected the client of a chain; the manifests have %s", from,
               *list != '\0' ? list : "none");
    return NULL;
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

/* Addresses come from the endpoint's NSM_CIDR_PREFIX. */
static bool
check_address(const TreeNode *node, const char *to, const Chain *chain,
              const ChainEndpoint *endpoint, Scenario *scenario, GError **error)
{
    uint32_t address = 0;
    if (!parse_address(to, &address)) {
        return tree_error(error, node, VWIRE_ERROR_INVALID,
                          "to: found \"%s\"; expected kind/name, kind/namespace/name or an IPv4 "
                          "address",
                          to);
    }
    const EnvVar *prefix = container_env(endpoint->container, "NSM_CIDR_PREFIX");
    if (prefix != NULL && prefix->value == NULL) {
        scenario_warn(scenario, node,
                      "to: found %s; the manifests do not tell which addresses %s gives", to,
                      endpoint->name);
        return true;
    }
    const char *text = prefix != NULL ? prefix->value : DEFAULT_PREFIX;
    g_auto(GStrv) prefixes = g_strsplit(text, ",", -1);
    for (char **one = prefixes; *one != NULL; one++) {
        if (prefix_has(*one, address)) {
            return true;
        }
    }
    return tree_error(error, node, VWIRE_ERROR_INVALID,
                      "to: found %s; the chain %s ends at %s, whose NSM_CIDR_PREFIX is %s", to,
                      chain->name, endpoint->name, text);
}

/* ------ entries ------ */

static bool
refuse_word(const TreeNode *node, const char *key, const char *expected, GError **error)
{
    const char *text = NULL;
    return tree_read_string(node, &text, error) &&
           (g_str_equal(text, expected) ||
            tree_error(error, node, VWIRE_ERROR_UNSUPPORTED,
                       "found the %s \"%s\"; this version does %s only", key, text, expected));
}

/* What an address or a reference at the other end is, as far as manifests tell. */
static bool
check_to(const TreeNode *node, const char *to, const Chain *chain, Scenario *scenario,
         GError **error)
{
    guint n = chain->links->len;
    const ChainLink *last = n > 0 ? g_ptr_array_index(chain->links, n - 1) : NULL;
    if (last == NULL || last->to == NULL) {
        return tree_error(error, node, VWIRE_ERROR_INVALID,
                          "to: found \"%s\"; the chain %s has no endpoint", to, chain->name);
    }
    if (strchr(to, '/') != NULL) {
        g_autofree char *expected = reference_of(last->to->object);
        return is_reference_to(to, last->to->object) ||
               tree_error(error, node, VWIRE_ERROR_INVALID,
                          "to: found \"%s\"; the chain %s ends at %s", to, chain->name, expected);
    }
    return check_address(node, to, chain, last->to, scenario, error);
}

static bool
read_flow(const TreeNode *flow, const Chains *chains, Scenario *scenario, ScenarioPing *out,
          GError **error)
{
    static const char *const KEYS[] = {"from", "to", "protocol", "size", NULL};
    if (!tree_expect(flow, TREE_MAPPING, "flow", error) ||
        !tree_check_keys(flow, KEYS, "the flow", error) ||
        document_require(flow, "protocol", "the flow", error) == NULL ||
        !refuse_word(tree_get(flow, "protocol"), "protocol", "icmp", error)) {
        return false;
    }
    const char *from = document_require_string(flow, "from", "the flow", error);
    const char *to = from != NULL ? document_require_string(flow, "to", "the flow", error) : NULL;
    if (to == NULL) {
        return false;
    }
    const TreeNode *size = tree_get(flow, "size");
    const Chain *chain = find_chain(tree_get(flow, "from"), from, chains, error);
    out->size = DEFAULT_SIZE;
    if (chain == NULL || !check_to(tree_get(flow, "to"), to, chain, scenario, error) ||
        (size != NULL && !tree_read_int(size, 0, MAX_SIZE, &out->size, error))) {
        return false;
    }
    out->from = g_strdup(from);
    out->to = g_strdup(to);
    return true;
}

/* `rate` in each `timeUnit`. */
static bool
read_rate(const TreeNode *node, double *out, GError **error)
{
    const TreeNode *rate = document_require(node, "rate", "the traffic", error);
    const TreeNode *unit = tree_get(node, "timeUnit");
    double count = 0;
    nsec_t time = NSEC_PER_SEC;
    if (rate == NULL || !tree_read_double(rate, &count, error) ||
        (unit != NULL && !tree_read_duration(unit, &time, error))) {
        return false;
    }
    if (time == 0) {
        return tree_error(error, unit, VWIRE_ERROR_INVALID,
                          "timeUnit: found %s; expected more than 0", unit->text);
    }
    *out = count / nsec_to_seconds(time);
    return (*out > 0 && *out <= MAX_RATE) ||
           tree_error(error, rate, VWIRE_ERROR_INVALID,
                      "rate: found %s; expected more than 0 and at most %g in a second", rate->text,
                      MAX_RATE);
}

static bool
read_ping_times(const TreeNode *node, const Scenario *scenario, ScenarioPing *out, GError **error)
{
    const TreeNode *start = tree_get(node, "startTime"), *duration = tree_get(node, "duration");
    if ((start != NULL && !tree_read_duration(start, &out->start_time, error)) ||
        (duration != NULL && !tree_read_duration(duration, &out->duration, error))) {
        return false;
    }
    if (duration != NULL && out->duration == 0) {
        return tree_error(error, duration, VWIRE_ERROR_INVALID,
                          "duration: found %s; expected more than 0", duration->text);
    }
    if (out->start_time >= scenario->duration) {
        g_autofree char *end = nsec_format(scenario->duration);
        return tree_error(error, start, VWIRE_ERROR_INVALID,
                          "startTime: found %s; expected less than the scenario's duration, %s",
                          start->text, end);
    }
    return true;
}

static bool
read_ping(const TreeNode *node, const char *name, const Chains *chains, Scenario *scenario,
          ScenarioPing *out, GError **error)
{
    static const char *const KEYS[] = {"executor", "startTime", "duration", "rate",
                                       "timeUnit", "flow",      NULL};
    if (!tree_expect(node, TREE_MAPPING, name, error)) {
        return false;
    }
    if (document_require(node, "executor", "the traffic", error) == NULL ||
        !refuse_word(tree_get(node, "executor"), "executor", "constant-arrival-rate", error) ||
        !tree_check_keys(node, KEYS, "the traffic", error)) {
        return false;
    }
    const TreeNode *flow = document_require(node, "flow", "the traffic", error);
    if (flow == NULL || !read_flow(flow, chains, scenario, out, error) ||
        !read_rate(node, &out->rate, error) || !read_ping_times(node, scenario, out, error)) {
        return false;
    }
    out->name = g_strdup(name);
    out->mark = scenario_mark_of(node);
    return true;
}

bool
scenario_traffic_read(const TreeNode *node, const Chains *chains, Scenario *out, GError **error)
{
    if (scenario_is_empty(node)) {
        return true;
    }
    if (!tree_expect(node, TREE_MAPPING, "traffic", error)) {
        return false;
    }
    out->pings = g_new0(ScenarioPing, MAX(tree_size(node), 1));
    for (guint i = 0; i < tree_size(node); i++) {
        if (!read_ping(tree_item(node, i), tree_key(node, i), chains, out,
                       &out->pings[out->n_pings++], error)) {
            return false;
        }
    }
    return true;
}

void
scenario_traffic_clear(Scenario *scenario)
{
    for (guint i = 0; i < scenario->n_pings; i++) {
        g_free(scenario->pings[i].name);
        g_free(scenario->pings[i].from);
        g_free(scenario->pings[i].to);
        scenario_mark_clear(&scenario->pings[i].mark);
    }
    g_clear_pointer(&scenario->pings, g_free);
    scenario->n_pings = 0;
}

/* ------ time that is skipped, fingerprint ------ */

bool
scenario_fast_forward_read(const TreeNode *node, Scenario *out, GError **error)
{
    static const char *const KEYS[] = {"after", NULL};
    if (tree_is_null(node)) {
        return true;
    }
    if (!tree_expect(node, TREE_MAPPING, "fastForward", error) ||
        !tree_check_keys(node, KEYS, "spec.fastForward", error)) {
        return false;
    }
    const TreeNode *after = document_require(node, "after", "spec.fastForward", error);
    if (after == NULL || !tree_read_duration(after, &out->fast_forward, error)) {
        return false;
    }
    return out->fast_forward > 0 ||
           tree_error(error, after, VWIRE_ERROR_INVALID, "after: found %s; expected more than 0",
                      after->text);
}

/* Digits alone may be a number for YAML, so any scalar will do. */
bool
scenario_fingerprint_read(const TreeNode *node, Scenario *out, GError **error)
{
    enum { DIGITS = 16 };
    const char *text = NULL;
    if (tree_is_null(node)) {
        return true;
    }
    if (!scenario_read_text(node, "fingerprint", &text, error)) {
        return false;
    }
    if (strlen(text) != DIGITS || strspn(text, "0123456789abcdefABCDEF") != DIGITS) {
        return tree_error(error, node, VWIRE_ERROR_PARSE,
                          "fingerprint: found \"%s\"; expected 16 hexadecimal digits", text);
    }
    out->fingerprint = g_ascii_strtoull(text, NULL, 16);
    return out->fingerprint != 0 ||
           tree_error(error, node, VWIRE_ERROR_INVALID,
                      "fingerprint: found %s, which no run has; leave it out", text);
}
