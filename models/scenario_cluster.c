/* spec.cluster: nodes, expanded by their `count`, and the links between them. */
#include "base/quantity.h"
#include "models/document.h"
#include "models/scenario_parts.h"

#include <stdio.h>
#include <string.h>

#define MAX_NODES 10000
#define DEFAULT_PODS 110 /* kubernetes pkg/kubelet/apis/config/v1beta1/defaults.go, MaxPods */
#define MAX_NODE_NAME 253

/* While nodes are read: who has which name (look-ups only, never walked). */
typedef struct Cluster {
    GArray *nodes;      /* ScenarioNode */
    GArray *links;      /* ScenarioLink */
    GHashTable *names;  /* char * (the node's) -> index + 1 */
    GHashTable *linked; /* int64_t *: the pairs that have a link */
} Cluster;

/* ------ nodes ------ */

static void
taint_clear(void *data)
{
    Toleration *taint = data;
    g_free(taint->key);
    g_free(taint->value);
    g_free(taint->effect);
}

static void
node_clear(void *data)
{
    ScenarioNode *node = data;
    g_free(node->name);
    labels_clear(&node->labels);
    for (guint i = 0; i < node->n_taints; i++) {
        taint_clear(&node->taints[i]);
    }
    g_free(node->taints);
    scenario_mark_clear(&node->mark);
    *node = (ScenarioNode){0};
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ScenarioNode, node_clear)

/* DNS-1123 subdomain, as the API server wants it (apimachinery pkg/util/validation). */
static bool
is_node_name(const char *name)
{
    bool inside = false; /* the character before was a letter or a digit */
    if (strlen(name) > MAX_NODE_NAME) {
        return false;
    }
    for (const char *at = name; *at != '\0'; at++) {
        bool alphanumeric = g_ascii_islower(*at) || g_ascii_isdigit(*at);
        if (!alphanumeric && *at != '-' && (*at != '.' || !inside)) {
            return false;
        }
        if (*at == '-' && (at == name || at[-1] == '.' || at[1] == '\0' || at[1] == '.')) {
            return false;
        }
        inside = alphanumeric;
    }
    return inside;
}

static bool
read_roles(const TreeNode *roles, ScenarioNode *out, GError **error)
{
    if (tree_is_null(roles)) {
        return true;
    }
    if (!tree_expect(roles, TREE_SEQUENCE, "roles", error)) {
        return false;
    }
    for (guint i = 0; i < tree_size(roles); i++) {
        const TreeNode *item = tree_item(roles, i);
        const char *role = NULL;
        if (!tree_read_string(item, &role, error)) {
            return false;
        }
        if (g_str_equal(role, "control-plane")) {
            out->control_plane = true;
        } else if (!g_str_equal(role, "worker")) {
            return tree_error(error, item, VWIRE_ERROR_INVALID,
                              "found the role \"%s\"; expected control-plane or worker", role);
        }
    }
    return true;
}

static bool
read_allocatable(const TreeNode *node, ScenarioNode *out, GError **error)
{
    static const char *const KEYS[] = {"cpu", "memory", "pods", NULL};
    out->pods = DEFAULT_PODS;
    if (!tree_expect(node, TREE_MAPPING, "allocatable", error) ||
        !tree_check_keys(node, KEYS, "allocatable", error)) {
        return false;
    }
    const TreeNode *cpu = document_require(node, "cpu", "allocatable", error);
    if (cpu == NULL || !scenario_read_amount(cpu, "cpu", quantity_parse_milli, &out->cpu, error)) {
        return false;
    }
    const TreeNode *memory = document_require(node, "memory", "allocatable", error);
    if (memory == NULL ||
        !scenario_read_amount(memory, "memory", quantity_parse, &out->memory, error)) {
        return false;
    }
    const TreeNode *pods = tree_get(node, "pods");
    return pods == NULL || scenario_read_amount(pods, "pods", quantity_parse, &out->pods, error);
}

static bool
read_taint(const TreeNode *node, Toleration *out, GError **error)
{
    static const char *const KEYS[] = {"key", "value", "effect", NULL};
    static const char *const EFFECTS[] = {"NoSchedule", "PreferNoSchedule", "NoExecute", NULL};
    if (!tree_expect(node, TREE_MAPPING, "taint", error) ||
        !tree_check_keys(node, KEYS, "taint", error)) {
        return false;
    }
    const char *key = document_require_string(node, "key", "taint", error);
    const char *effect =
        key == NULL ? NULL : document_require_string(node, "effect", "taint", error);
    const char *value = "";
    if (effect == NULL || (tree_get(node, "value") != NULL &&
                           !tree_read_string(tree_get(node, "value"), &value, error))) {
        return false;
    }
    if (!g_strv_contains(EFFECTS, effect)) {
        return tree_error(error, tree_get(node, "effect"), VWIRE_ERROR_INVALID,
                          "found the effect \"%s\"; expected NoSchedule, PreferNoSchedule or "
                          "NoExecute",
                          effect);
    }
    *out = (Toleration){.key = g_strdup(key),
                        .value = g_strdup(value),
                        .effect = g_strdup(effect),
                        .seconds = NSEC_NEVER};
    return true;
}

static bool
read_taints(const TreeNode *taints, ScenarioNode *out, GError **error)
{
    if (tree_is_null(taints)) {
        return true;
    }
    if (!tree_expect(taints, TREE_SEQUENCE, "taints", error)) {
        return false;
    }
    out->taints = g_new0(Toleration, tree_size(taints));
    for (guint i = 0; i < tree_size(taints); i++) {
        if (!read_taint(tree_item(taints, i), &out->taints[i], error)) {
            return false;
        }
        out->n_taints++;
    }
    return true;
}

/* "4.15.0-142-generic": what counts are the first two numbers. */
static bool
read_kernel(const TreeNode *node, int *out, GError **error)
{
    enum { MINORS = 1000 };
    const char *text = NULL;
    int major = 0, minor = 0;
    if (node == NULL) {
        return true;
    }
    if (!scenario_read_text(node, "kernelVersion", &text, error)) {
        return false;
    }
    if (sscanf(text, "%3d.%3d", &major, &minor) != 2 || major <= 0 || minor < 0) {
        return tree_error(error, node, VWIRE_ERROR_PARSE,
                          "kernelVersion: found \"%s\"; expected a version such as 4.15.0", text);
    }
    *out = MINORS * major + minor;
    return true;
}

static bool
read_cfs_phase(const TreeNode *node, nsec_t *out, GError **error)
{
    *out = -1;
    return node == NULL || tree_read_duration(node, out, error);
}

/* Everything but the name. */
static bool
read_node_fields(const TreeNode *node, ScenarioNode *out, GError **error)
{
    const TreeNode *allocatable = document_require(node, "allocatable", "the node", error);
    return allocatable != NULL && read_roles(tree_get(node, "roles"), out, error) &&
           read_allocatable(allocatable, out, error) &&
           read_kernel(tree_get(node, "kernelVersion"), &out->kernel, error) &&
           read_cfs_phase(tree_get(node, "cfsPhase"), &out->cfs_phase, error) &&
           scenario_read_labels(tree_get(node, "labels"), "labels", &out->labels, error) &&
           read_taints(tree_get(node, "taints"), out, error);
}

static void
set_default_label(Labels *labels, const char *key, const char *value)
{
    if (labels_get(labels, key) == NULL) {
        labels_set(labels, key, value);
    }
}

/* Appends a node like `model`, with its own name.  `at` is where the name stands. */
static bool
add_node(Cluster *cluster, const ScenarioNode *model, const char *name, const TreeNode *at,
         GError **error)
{
    if (!is_node_name(name)) {
        return tree_error(
            error, at, VWIRE_ERROR_INVALID,
            "found the node name \"%s\"; expected lower-case letters, digits, '-' and "
            "'.', with a letter or digit at each end",
            name);
    }
    if (g_hash_table_contains(cluster->names, name)) {
        return tree_error(error, at, VWIRE_ERROR_INVALID, "a second node named \"%s\"", name);
    }
    if (cluster->nodes->len >= MAX_NODES) {
        return tree_error(error, at, VWIRE_ERROR_INVALID, "more than %d nodes", MAX_NODES);
    }
    ScenarioNode node = *model;
    node.name = g_strdup(name);
    node.mark = scenario_mark_of(at);
    labels_copy(&model->labels, &node.labels);
    set_default_label(&node.labels, "kubernetes.io/hostname", name);
    set_default_label(&node.labels, "kubernetes.io/os", "linux");
    if (node.control_plane) {
        set_default_label(&node.labels, "node-role.kubernetes.io/control-plane", "");
    }
    node.taints = g_new0(Toleration, node.n_taints);
    for (guint i = 0; i < node.n_taints; i++) {
        node.taints[i] = model->taints[i];
        node.taints[i].key = g_strdup(model->taints[i].key);
        node.taints[i].value = g_strdup(model->taints[i].value);
        node.taints[i].effect = g_strdup(model->taints[i].effect);
    }
    g_array_append_val(cluster->nodes, node);
    g_hash_table_insert(cluster->names, node.name, GUINT_TO_POINTER(cluster->nodes->len));
    return true;
}

static bool
read_node(Cluster *cluster, const TreeNode *node, GError **error)
{
    static const char *const KEYS[] = {"name",  "roles",         "allocatable", "labels", "taints",
                                       "count", "kernelVersion", "cfsPhase",    NULL};
    if (!tree_expect(node, TREE_MAPPING, "node", error) ||
        !tree_check_keys(node, KEYS, "the node", error)) {
        return false;
    }
    g_auto(ScenarioNode) model = {0};
    const char *name = document_require_string(node, "name", "the node", error);
    if (name == NULL || !read_node_fields(node, &model, error)) {
        return false;
    }
    const TreeNode *at = tree_get(node, "name");
    const TreeNode *count_node = tree_get(node, "count");
    int64_t count = 0;
    if (count_node == NULL) {
        return add_node(cluster, &model, name, at, error);
    }
    if (!tree_read_int(count_node, 1, MAX_NODES, &count, error)) {
        return false;
    }
    for (int64_t i = 1; i <= count; i++) {
        g_autofree char *own = g_strdup_printf("%s-%" G_GINT64_FORMAT, name, i);
        if (!add_node(cluster, &model, own, at, error)) {
            return false;
        }
    }
    return true;
}

static bool
read_nodes(Cluster *cluster, const TreeNode *nodes, GError **error)
{
    if (!tree_expect(nodes, TREE_SEQUENCE, "nodes", error)) {
        return false;
    }
    if (tree_size(nodes) == 0) {
        return tree_error(error, nodes, VWIRE_ERROR_INVALID, "nodes: expected at least one node");
    }
    for (guint i = 0; i < tree_size(nodes); i++) {
        if (!read_node(cluster, tree_item(nodes, i), error)) {
            return false;
        }
    }
    return true;
}

/* ------ links ------ */

static void
link_clear(void *data)
{
    ScenarioLink *link = data;
    g_free(link->node_a);
    g_free(link->interface_a);
    g_free(link->node_b);
    g_free(link->interface_b);
    scenario_mark_clear(&link->mark);
    *link = (ScenarioLink){0};
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ScenarioLink, link_clear)

/* A share of the packets: 0.001 or "0.1%", as tc(8) writes it. */
static bool
read_loss(const TreeNode *node, double *out, GError **error)
{
    const char *text = NULL;
    char *end = NULL;
    if (!scenario_read_text(node, "loss", &text, error)) {
        return false;
    }
    bool starts = g_ascii_isdigit(*text) || *text == '.'; /* strtod also reads blanks, inf, nan */
    double share = starts ? g_ascii_strtod(text, &end) : -1;
    bool percent = starts && g_str_equal(end, "%");
    share = percent ? share / 100 : share;
    if (!starts || end == text || (*end != '\0' && !percent) || share > 1) {
        return tree_error(error, node, VWIRE_ERROR_PARSE,
                          "loss: found \"%s\"; expected a share from 0 to 1, or a percentage such "
                          "as 0.1%%",
                          text);
    }
    *out = share;
    return true;
}

/* What a link does to packets; tc's words and its defaults: what is absent is not limited. */
static bool
read_wire(const TreeNode *node, ScenarioLink *out, GError **error)
{
    const TreeNode *rate = tree_get(node, "rate");
    const TreeNode *latency = tree_get(node, "latency");
    const TreeNode *jitter = tree_get(node, "jitter");
    const TreeNode *loss = tree_get(node, "loss");
    return (rate == NULL ||
            scenario_read_amount(rate, "rate", quantity_parse_rate, &out->rate, error)) &&
           (latency == NULL || tree_read_duration(latency, &out->latency, error)) &&
           (jitter == NULL || tree_read_duration(jitter, &out->jitter, error)) &&
           (loss == NULL || read_loss(loss, &out->loss, error));
}

/* "node:interface"; the node must exist.  `index` is the node's. */
static bool
read_endpoint(const Cluster *cluster, const TreeNode *node, char **name, char **interface,
              guint *index, GError **error)
{
    const char *text = NULL;
    if (!tree_read_string(node, &text, error)) {
        return false;
    }
    const char *colon = strchr(text, ':');
    if (colon == NULL || colon == text || colon[1] == '\0') {
        return tree_error(error, node, VWIRE_ERROR_PARSE,
                          "found the endpoint \"%s\"; expected \"node:interface\"", text);
    }
    g_autofree char *node_name = g_strndup(text, (gsize)(colon - text));
    guint position = GPOINTER_TO_UINT(g_hash_table_lookup(cluster->names, node_name));
    if (position == 0) {
        return tree_error(error, node, VWIRE_ERROR_INVALID, "found the node \"%s\"; no such node",
                          node_name);
    }
    *index = position - 1;
    *name = g_steal_pointer(&node_name);
    *interface = g_strdup(colon + 1);
    return true;
}

/* One number for a pair of nodes, in either order. */
static int64_t
pair_key(const Cluster *cluster, guint a, guint b)
{
    return (int64_t)MIN(a, b) * cluster->nodes->len + MAX(a, b);
}

static bool
read_endpoints(Cluster *cluster, const TreeNode *ends, ScenarioLink *out, GError **error)
{
    guint a = 0, b = 0;
    if (!tree_expect(ends, TREE_SEQUENCE, "endpoints", error)) {
        return false;
    }
    if (tree_size(ends) != 2) {
        return tree_error(error, ends, VWIRE_ERROR_INVALID,
                          "endpoints: found %u; expected two, each \"node:interface\"",
                          tree_size(ends));
    }
    if (!read_endpoint(cluster, tree_item(ends, 0), &out->node_a, &out->interface_a, &a, error) ||
        !read_endpoint(cluster, tree_item(ends, 1), &out->node_b, &out->interface_b, &b, error)) {
        return false;
    }
    if (a == b) {
        return tree_error(error, ends, VWIRE_ERROR_INVALID, "a link from \"%s\" to itself",
                          out->node_a);
    }
    int64_t key = pair_key(cluster, a, b);
    if (!g_hash_table_add(cluster->linked, g_memdup2(&key, sizeof(key)))) {
        return tree_error(error, ends, VWIRE_ERROR_INVALID,
                          "a second link between \"%s\" and \"%s\"", out->node_a, out->node_b);
    }
    return true;
}

static bool
read_link(Cluster *cluster, const TreeNode *node, GError **error)
{
    static const char *const KEYS[] = {"endpoints", "rate", "latency", "jitter", "loss", NULL};
    if (!tree_expect(node, TREE_MAPPING, "link", error) ||
        !tree_check_keys(node, KEYS, "the link", error)) {
        return false;
    }
    g_auto(ScenarioLink) link = {.mark = scenario_mark_of(node)};
    const TreeNode *ends = document_require(node, "endpoints", "the link", error);
    if (ends == NULL || !read_endpoints(cluster, ends, &link, error) ||
        !read_wire(node, &link, error)) {
        return false;
    }
    g_array_append_val(cluster->links, link);
    link = (ScenarioLink){0}; /* now the array's */
    return true;
}

static bool
read_links(Cluster *cluster, const TreeNode *links, GError **error)
{
    if (tree_is_null(links)) {
        return true;
    }
    if (!tree_expect(links, TREE_SEQUENCE, "links", error)) {
        return false;
    }
    for (guint i = 0; i < tree_size(links); i++) {
        if (!read_link(cluster, tree_item(links, i), error)) {
            return false;
        }
    }
    return true;
}

static bool
read_default_link(const TreeNode *node, Scenario *out, GError **error)
{
    static const char *const KEYS[] = {"rate", "latency", "jitter", "loss", NULL};
    if (node == NULL) {
        return true;
    }
    if (!tree_expect(node, TREE_MAPPING, "defaultLink", error) ||
        !tree_check_keys(node, KEYS, "defaultLink", error) ||
        !read_wire(node, &out->default_link, error)) {
        return false;
    }
    out->default_link.mark = scenario_mark_of(node);
    out->has_default_link = true;
    return true;
}

static bool
is_linked(const Cluster *cluster, guint a, guint b)
{
    int64_t key = pair_key(cluster, a, b);
    return g_hash_table_contains(cluster->linked, &key);
}

/* Without a default every pair needs a link.  Names the first that has none: it is found after at
 * most one step more than there are links. */
static bool
check_pairs(const Cluster *cluster, const TreeNode *at, GError **error)
{
    guint a = 0, b = 1;
    while (b < cluster->nodes->len && is_linked(cluster, a, b)) {
        a++;
        if (a == b) {
            a = 0;
            b++;
        }
    }
    if (b >= cluster->nodes->len) {
        return true;
    }
    return tree_error(error, at, VWIRE_ERROR_INVALID,
                      "no link between \"%s\" and \"%s\"; expected one, or a defaultLink",
                      g_array_index(cluster->nodes, ScenarioNode, a).name,
                      g_array_index(cluster->nodes, ScenarioNode, b).name);
}

/* ------ the whole ------ */

static void
cluster_init(Cluster *cluster)
{
    cluster->nodes = g_array_new(FALSE, FALSE, sizeof(ScenarioNode));
    cluster->links = g_array_new(FALSE, FALSE, sizeof(ScenarioLink));
    g_array_set_clear_func(cluster->nodes, node_clear);
    g_array_set_clear_func(cluster->links, link_clear);
    cluster->names = g_hash_table_new(g_str_hash, g_str_equal);
    cluster->linked = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
}

static void
cluster_clear(Cluster *cluster)
{
    g_clear_pointer(&cluster->names, g_hash_table_unref);
    g_clear_pointer(&cluster->linked, g_hash_table_unref);
    g_clear_pointer(&cluster->nodes, g_array_unref);
    g_clear_pointer(&cluster->links, g_array_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Cluster, cluster_clear)

bool
scenario_cluster_read(const TreeNode *node, Scenario *out, GError **error)
{
    static const char *const KEYS[] = {"nodes", "links", "defaultLink", NULL};
    if (!tree_expect(node, TREE_MAPPING, "cluster", error) ||
        !tree_check_keys(node, KEYS, "spec.cluster", error)) {
        return false;
    }
    g_auto(Cluster) cluster = {0};
    cluster_init(&cluster);
    const TreeNode *nodes = document_require(node, "nodes", "spec.cluster", error);
    if (nodes == NULL || !read_nodes(&cluster, nodes, error) ||
        !read_links(&cluster, tree_get(node, "links"), error) ||
        !read_default_link(tree_get(node, "defaultLink"), out, error) ||
        (!out->has_default_link && !check_pairs(&cluster, node, error))) {
        return false;
    }
    out->n_nodes = cluster.nodes->len;
    out->nodes = g_array_steal(cluster.nodes, NULL);
    out->n_links = cluster.links->len;
    out->links = g_array_steal(cluster.links, NULL);
    return true;
}

void
scenario_cluster_clear(Scenario *scenario)
{
    for (guint i = 0; i < scenario->n_nodes; i++) {
        node_clear(&scenario->nodes[i]);
    }
    for (guint i = 0; i < scenario->n_links; i++) {
        link_clear(&scenario->links[i]);
    }
    g_clear_pointer(&scenario->nodes, g_free);
    g_clear_pointer(&scenario->links, g_free);
    link_clear(&scenario->default_link);
}
