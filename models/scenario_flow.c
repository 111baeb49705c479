/* flow: from where to where traffic goes, and what one iteration sends. */
#include "base/quantity.h"
#include "models/distribution.h"
#include "models/document.h"
#include "models/flow.h"
#include "models/scenario_parts.h"

#include <string.h>

#define MAX_PORT 65535
#define MAX_ECHO 65507       /* of an echo over IPv4: RFC 791 and 792, 65535 - 20 - 8 */
#define DEFAULT_ECHO 56      /* iputils ping.c, DEFDATALEN */
#define DEFAULT_ECHO_WAIT 10 /* s; iputils ping.h, MAXWAIT */
#define DEFAULT_SIZE 200     /* with the next: a small HTTP GET and a small page */
#define DEFAULT_RESPONSE 10240
#define DEFAULT_TIMEOUT 60 /* s; k6 http.Params, timeout */

typedef struct Reader {
    const TreeNode *flow;
    const Chains *chains;
    Scenario *scenario;
    Traffic *out;
    const Object *to; /* where the traffic ends */
} Reader;

/* ------ workloads ------ */

/* "a, b" of the objects; free with g_free. */
static char *
list_objects(const GPtrArray *objects)
{
    g_autoptr(GString) text = g_string_new(NULL);
    for (guint i = 0; i < objects->len; i++) {
        g_autofree char *name = flow_reference(g_ptr_array_index(objects, i));
        g_string_append_printf(text, "%s%s", i > 0 ? ", " : "", name);
    }
    return g_string_free(g_steal_pointer(&text), FALSE);
}

/* The clients of chains, each once. */
static GPtrArray *
find_clients(const Chains *chains)
{
    GPtrArray *found = g_ptr_array_new();
    for (guint i = 0; i < chains->chains->len; i++) {
        const Chain *chain = g_ptr_array_index(chains->chains, i);
        if (!g_ptr_array_find(found, chain->client, NULL)) {
            g_ptr_array_add(found, (void *)chain->client);
        }
    }
    return found;
}

/* The object that `key` of the flow names; `what` says what was expected. */
static const Object *
find_object(const Reader *reader, const char *key, const char *name, const GPtrArray *objects,
            const char *what, GError **error)
{
    for (guint i = 0; i < objects->len; i++) {
        if (flow_names(name, g_ptr_array_index(objects, i))) {
            return g_ptr_array_index(objects, i);
        }
    }
    g_autofree char *list = list_objects(objects);
    tree_error(error, tree_get(reader->flow, key), VWIRE_ERROR_INVALID,
               "%s: found \"%s\"; expected %s; the manifests have %s", key, name, what,
               *list != '\0' ? list : "none");
    return NULL;
}

static bool
read_pod_network(Reader *reader, GError **error)
{
    static const char WHAT[] = "a workload or Pod, as the interface is " POD_INTERFACE;
    const Traffic *out = reader->out;
    g_autoptr(GPtrArray) workloads = flow_workloads(reader->scenario);
    if (find_object(reader, "from", out->from, workloads, WHAT, error) == NULL) {
        return false;
    }
    reader->to = find_object(reader, "to", out->to, workloads, WHAT, error);
    return reader->to != NULL;
}

/* ------ chains ------ */

/* Those of the client that go out by the flow's interface. */
static GPtrArray *
find_chains(const Reader *reader, const Object *client, GError **error)
{
    const char *interface = reader->out->interface;
    g_autoptr(GPtrArray) found = g_ptr_array_new();
    g_autoptr(GString) names = g_string_new(NULL);
    for (guint i = 0; i < reader->chains->chains->len; i++) {
        Chain *chain = g_ptr_array_index(reader->chains->chains, i);
        if (chain->client != client) {
            continue;
        }
        if (interface == NULL || g_str_equal(interface, chain->interface)) {
            g_ptr_array_add(found, chain);
        }
        g_string_append_printf(names, "%s, ", chain->interface);
    }
    if (found->len == 0) {
        tree_error(error, tree_get(reader->flow, "interface"), VWIRE_ERROR_INVALID,
                   "interface: found \"%s\"; %s has %s" POD_INTERFACE, interface, reader->out->from,
                   names->str);
        return NULL;
    }
    return g_steal_pointer(&found);
}

/* Why traffic to `to` cannot take the chain. */
static void
explain_end(const Chain *chain, const char *to, GString *out)
{
    const ChainEndpoint *end = flow_end(chain);
    if (end == NULL) {
        g_string_append_printf(out, "; the chain %s has no endpoint", chain->name);
    } else if (strchr(to, '/') != NULL) {
        g_autofree char *name = flow_reference(end->object);
        g_string_append_printf(out, "; the chain %s ends at %s", chain->name, name);
    } else {
        g_string_append_printf(out, "; the chain %s ends at %s, whose NSM_CIDR_PREFIX is %s",
                               chain->name, end->name, flow_prefixes(end));
    }
}

/* The first of the chains that ends at `to`. */
static const Chain *
find_chain_to(const Reader *reader, const GPtrArray *chains, GError **error)
{
    const char *to = reader->out->to;
    const TreeNode *at = tree_get(reader->flow, "to");
    if (strchr(to, '/') == NULL && !flow_is_address(to)) {
        tree_error(error, at, VWIRE_ERROR_INVALID,
                   "to: found \"%s\"; expected kind/name, kind/namespace/name or an IPv4 address",
                   to);
        return NULL;
    }
    g_autoptr(GString) why = g_string_new(NULL);
    for (guint i = 0; i < chains->len; i++) {
        const Chain *chain = g_ptr_array_index(chains, i);
        if (flow_reaches(chain, to)) {
            return chain;
        }
        explain_end(chain, to, why);
    }
    tree_error(error, at, VWIRE_ERROR_INVALID, "to: found \"%s\"%s", to, why->str);
    return NULL;
}

static bool
read_chain(Reader *reader, GError **error)
{
    const Traffic *out = reader->out;
    g_autoptr(GPtrArray) clients = find_clients(reader->chains);
    const Object *client =
        find_object(reader, "from", out->from, clients, "the client of a chain", error);
    g_autoptr(GPtrArray) chains = client != NULL ? find_chains(reader, client, error) : NULL;
    const Chain *chain = chains != NULL ? find_chain_to(reader, chains, error) : NULL;
    if (chain == NULL) {
        return false;
    }
    const ChainEndpoint *end = flow_end(chain);
    if (flow_is_address(out->to) && flow_prefixes(end) == NULL) {
        scenario_warn(reader->scenario, tree_get(reader->flow, "to"),
                      "to: found %s; the manifests do not tell which addresses %s gives", out->to,
                      end->name);
    }
    reader->to = end->object;
    return true;
}

/* ------ ends ------ */

static bool
read_interface(const Reader *reader, GError **error)
{
    if (tree_get(reader->flow, "interface") == NULL) {
        return true;
    }
    const char *name = document_require_string(reader->flow, "interface", "the flow", error);
    if (name == NULL) {
        return false;
    }
    reader->out->interface = g_strdup(name);
    reader->out->pod_network = g_str_equal(name, POD_INTERFACE);
    return true;
}

static bool
read_ends(Reader *reader, GError **error)
{
    const char *from = document_require_string(reader->flow, "from", "the flow", error);
    const char *to =
        from != NULL ? document_require_string(reader->flow, "to", "the flow", error) : NULL;
    if (to == NULL || !read_interface(reader, error)) {
        return false;
    }
    reader->out->from = g_strdup(from);
    reader->out->to = g_strdup(to);
    return reader->out->pod_network ? read_pod_network(reader, error) : read_chain(reader, error);
}

static bool
read_protocol(const Reader *reader, GError **error)
{
    const TreeNode *node = document_require(reader->flow, "protocol", "the flow", error);
    const char *text = NULL;
    if (node == NULL || !tree_read_string(node, &text, error)) {
        return false;
    }
    bool tcp = g_str_equal(text, "tcp");
    if (!tcp && !g_str_equal(text, "icmp")) {
        return tree_error(error, node, VWIRE_ERROR_INVALID,
                          "found the protocol \"%s\"; expected icmp or tcp", text);
    }
    TrafficExecutor executor = reader->out->executor;
    if (!tcp && (executor == TRAFFIC_IPERF || executor == TRAFFIC_VIDEO)) {
        return tree_error(error, node, VWIRE_ERROR_INVALID,
                          "found the protocol icmp; the executor %s needs tcp",
                          traffic_executor_name(executor));
    }
    reader->out->protocol = tcp ? TRAFFIC_TCP : TRAFFIC_ICMP;
    return true;
}

/* ------ what is sent ------ */

static bool
read_echo(const Reader *reader, GError **error)
{
    static const char *const REFUSED[] = {"port", "responseSize", "serviceTime"};
    for (guint i = 0; i < G_N_ELEMENTS(REFUSED); i++) {
        const TreeNode *node = tree_get(reader->flow, REFUSED[i]);
        if (node != NULL) {
            return tree_error_mark(error, &node->key_mark, VWIRE_ERROR_INVALID, "%s: ICMP has none",
                                   REFUSED[i]);
        }
    }
    reader->out->size = DEFAULT_ECHO;
    reader->out->timeout = DEFAULT_ECHO_WAIT * NSEC_PER_SEC;
    return scenario_read_size(tree_get(reader->flow, "size"), "size", 0, MAX_ECHO,
                              &reader->out->size, error);
}

/* A duration, or a distribution of durations. */
static bool
read_service(const TreeNode *node, Dist *out, GError **error)
{
    static const char *const KEYS[] = {DISTRIBUTION_KEYS, NULL};
    nsec_t time = 0;
    if (node == NULL) {
        return true;
    }
    if (node->kind == TREE_MAPPING) {
        return tree_check_keys(node, KEYS, "serviceTime", error) &&
               distribution_read(node, true, out, error);
    }
    if (!tree_read_duration(node, &time, error)) {
        return false;
    }
    *out = dist_constant(nsec_to_seconds(time));
    return true;
}

static bool
read_request(const Reader *reader, GError **error)
{
    const TreeNode *flow = reader->flow;
    Traffic *out = reader->out;
    out->size = DEFAULT_SIZE;
    out->response_size = DEFAULT_RESPONSE;
    out->timeout = DEFAULT_TIMEOUT * NSEC_PER_SEC;
    return scenario_read_size(tree_get(flow, "size"), "size", 1, SCENARIO_MAX_SIZE, &out->size,
                              error) &&
           scenario_read_size(tree_get(flow, "responseSize"), "responseSize", 1, SCENARIO_MAX_SIZE,
                              &out->response_size, error) &&
           read_service(tree_get(flow, "serviceTime"), &out->service, error);
}

static bool
listens(const PodSpec *pod, int port)
{
    bool found = false;
    for (guint i = 0; i < pod->n_containers && !found; i++) {
        const ContainerSpec *container = &pod->containers[i];
        for (guint k = 0; k < container->n_ports && !found; k++) {
            found = container->ports[k].container_port == port &&
                    g_str_equal(container->ports[k].protocol, "TCP");
        }
    }
    return found;
}

/* iperf brings its own server; for all others the manifests tell who listens. */
static bool
read_port(const Reader *reader, GError **error)
{
    const TreeNode *node = document_require(reader->flow, "port", "the flow", error);
    int64_t port = 0;
    if (node == NULL || !tree_read_int(node, 1, MAX_PORT, &port, error)) {
        return false;
    }
    reader->out->port = (int)port;
    if (reader->out->executor != TRAFFIC_IPERF &&
        !listens(object_pod_spec(reader->to), reader->out->port)) {
        g_autofree char *name = flow_reference(reader->to);
        scenario_warn(reader->scenario, node,
                      "port %d: no container of %s declares it; connections will be refused",
                      reader->out->port, name);
    }
    return true;
}

/* ------ the whole ------ */

static bool
check_keys(const Reader *reader, bool requests, GError **error)
{
    static const char *const KEYS[] = {"from", "to", "interface", "protocol", "port", NULL};
    static const char *const REQUEST_KEYS[] = {"from",    "to",   "interface",    "protocol",
                                               "port",    "size", "responseSize", "serviceTime",
                                               "timeout", NULL};
    g_autofree char *what =
        g_strdup_printf("the flow of %s", traffic_executor_name(reader->out->executor));
    return tree_expect(reader->flow, TREE_MAPPING, "flow", error) &&
           tree_check_keys(reader->flow, requests ? REQUEST_KEYS : KEYS, what, error);
}

bool
scenario_flow_read(const TreeNode *flow, const Chains *chains, Scenario *scenario, Traffic *out,
                   GError **error)
{
    Reader reader = {flow, chains, scenario, out, NULL};
    bool requests = out->executor != TRAFFIC_IPERF && out->executor != TRAFFIC_VIDEO;
    if (!check_keys(&reader, requests, error) || !read_protocol(&reader, error) ||
        !read_ends(&reader, error)) {
        return false;
    }
    if (out->protocol == TRAFFIC_TCP && !read_port(&reader, error)) {
        return false;
    }
    if (!requests) {
        return true;
    }
    bool (*read)(const Reader *reader, GError **error) =
        out->protocol == TRAFFIC_TCP ? read_request : read_echo;
    return read(&reader, error) &&
           scenario_read_time(tree_get(flow, "timeout"), "timeout", &out->timeout, error);
}
