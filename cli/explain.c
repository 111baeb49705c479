/* vwire explain: each V-wire's candidates and the rule that chose, each Pod's place and what it
 * reserves.  Static: nothing is run; what depends on timing is said to. */
#include "cli/cli.h"

#include "base/quantity.h"
#include "models/flow.h"
#include "models/k8s/placement.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

/* ---- collecting ---- */

static void
add_resource(cJSON *to, const char *name, char *take_text, int64_t amount)
{
    g_autofree char *text = take_text;
    cJSON_AddStringToObject(to, name, amount > 0 ? text : "-");
}

static void
add_resources(cJSON *pod, const PodSpec *spec)
{
    ResourceList requests = pod_spec_requests(spec), limits = pod_spec_limits(spec);
    add_resource(pod, "requestsCpu", quantity_format_milli(MAX(requests.cpu, 0)), requests.cpu);
    add_resource(pod, "limitsCpu", quantity_format_milli(MAX(limits.cpu, 0)), limits.cpu);
    add_resource(pod, "requestsMemory", quantity_format_bytes(MAX(requests.memory, 0)),
                 requests.memory);
    add_resource(pod, "limitsMemory", quantity_format_bytes(MAX(limits.memory, 0)), limits.memory);
}

static const PodSpec *
admitted_spec(const Chains *chains, const Object *object)
{
    for (guint i = 0; i < chains->chains->len; i++) {
        const Chain *chain = g_ptr_array_index(chains->chains, i);
        if (chain->client == object) {
            return chain->client_pod;
        }
    }
    return object_pod_spec(object);
}

/* Who owns the Pods for spreading: any number that is the object's own will do. */
static uint64_t
replicas_owner(const Object *object)
{
    bool spread = object->kind == OBJECT_DEPLOYMENT || object->kind == OBJECT_REPLICA_SET ||
                  object->kind == OBJECT_STATEFUL_SET;
    return spread ? (uint64_t)(uintptr_t)object : 0;
}

static cJSON *
place_pod(Placement *placement, const Object *object, const PodSpec *spec, const char *name,
          const char *affinity_node)
{
    cJSON *pod = cJSON_CreateObject();
    g_autofree char *owner = flow_reference(object);
    cJSON_AddStringToObject(pod, "pod", name);
    cJSON_AddStringToObject(pod, "namespace", object->ns);
    cJSON_AddStringToObject(pod, "owner", owner);
    uint64_t owner_id = replicas_owner(object);
    PodToPlace place = {
        .ns = object->ns, .spec = spec, .affinity_node = affinity_node, .owner = owner_id};
    g_autofree char *message = NULL;
    const char *node = spec->node_name;
    const char *why = "spec.nodeName: the scheduler is not asked";
    if (node == NULL) {
        const Node *chosen = placement_choose(placement, &place, &message);
        node = chosen != NULL ? chosen->name : NULL;
        why = node == NULL            ? message
              : affinity_node != NULL ? "one Pod of the DaemonSet for each node"
              : spec->n_pod_terms > 0 ? "best score among the nodes that its affinity allows"
                                      : "best score among the nodes that fit";
    }
    cJSON_AddStringToObject(pod, "node", node != NULL ? node : "-");
    cJSON_AddStringToObject(pod, "why", why);
    add_resources(pod, spec);
    if (node != NULL) {
        PlacedPod placed = {.ns = object->ns, .spec = spec, .owner = owner_id};
        placement_add(placement, node, &placed);
    }
    return pod;
}

static void
place_daemon_set(cJSON *pods, Placement *placement, const Object *object, const PodSpec *spec)
{
    for (guint i = 0; i < placement->n; i++) {
        const Node *node = placement->states[i].node;
        if (placement_daemon_fits(spec, node)) {
            g_autofree char *name = g_strdup_printf("%s @ %s", object->name, node->name);
            cJSON_AddItemToArray(pods, place_pod(placement, object, spec, name, node->name));
        }
    }
}

static void
place_object(cJSON *pods, Placement *placement, const Chains *chains, const Object *object)
{
    const PodSpec *spec = admitted_spec(chains, object);
    if (spec == NULL) {
        return;
    }
    if (object->kind == OBJECT_DAEMON_SET) {
        place_daemon_set(pods, placement, object, spec);
        return;
    }
    g_autoptr(GPtrArray) keys = object_pod_keys(object);
    for (guint i = 0; i < keys->len; i++) {
        const char *name = strchr(g_ptr_array_index(keys, i), '/') + 1;
        cJSON_AddItemToArray(pods, place_pod(placement, object, spec, name, NULL));
    }
}

static Node *
nodes_of(const Scenario *scenario)
{
    Node *nodes = g_new0(Node, scenario->n_nodes);
    for (guint i = 0; i < scenario->n_nodes; i++) {
        const ScenarioNode *from = &scenario->nodes[i];
        nodes[i] = (Node){.name = from->name,
                          .ip = "",
                          .cpu = from->cpu,
                          .memory = from->memory,
                          .pods = from->pods,
                          .labels = &from->labels,
                          .taints = from->taints,
                          .n_taints = from->n_taints};
    }
    return nodes;
}

static cJSON *
explain_pods(const Scenario *scenario, const Chains *chains)
{
    cJSON *pods = cJSON_CreateArray();
    g_autofree Node *nodes = nodes_of(scenario);
    Nodes list = {nodes, scenario->n_nodes};
    Placement placement;
    placement_init(&placement, &list);
    for (guint m = 0; m < scenario->n_manifests; m++) {
        const GPtrArray *objects = scenario->manifests[m].objects;
        for (guint i = 0; i < objects->len; i++) {
            place_object(pods, &placement, chains, g_ptr_array_index(objects, i));
        }
    }
    placement_clear(&placement);
    return pods;
}

static cJSON *
explain_candidate(const ChainEndpoint *endpoint, const ChainLink *link)
{
    cJSON *item = cJSON_CreateObject();
    g_autofree char *labels = labels_format(&endpoint->labels);
    guint place = 0;
    for (guint i = 0; i < link->candidates->len && place == 0; i++) {
        place = g_ptr_array_index(link->candidates, i) == endpoint ? i + 1 : 0;
    }
    cJSON_AddStringToObject(item, "endpoint", endpoint->name);
    cJSON_AddStringToObject(item, "labels", labels);
    cJSON_AddStringToObject(item, "verdict",
                            place == 0   ? "not selected: its labels do not satisfy the deciding "
                                           "destination_selector"
                            : place == 1 ? "tried first (round robin begins here)"
                                         : "candidate: tried after the ones before it");
    cJSON_AddNumberToObject(item, "place", place);
    return item;
}

static cJSON *
explain_link(const Chains *chains, const Chain *chain, const ChainLink *link)
{
    cJSON *item = cJSON_CreateObject();
    g_autofree char *labels = labels_format(&link->labels);
    cJSON_AddStringToObject(item, "from", link->from);
    cJSON_AddStringToObject(item, "labels", labels);
    cJSON_AddStringToObject(item, "to", link->to != NULL ? link->to->name : "-");
    cJSON *rules = cJSON_AddArrayToObject(item, "rules");
    for (guint i = 0; i < link->lines->len; i++) {
        cJSON_AddItemToArray(rules, cJSON_CreateString(g_ptr_array_index(link->lines, i)));
    }
    cJSON *candidates = cJSON_AddArrayToObject(item, "candidates");
    for (guint i = 0; i < chains->endpoints->len; i++) {
        const ChainEndpoint *endpoint = g_ptr_array_index(chains->endpoints, i);
        if (g_strv_contains((const char *const *)endpoint->services, chain->service)) {
            cJSON_AddItemToArray(candidates, explain_candidate(endpoint, link));
        }
    }
    return item;
}

static cJSON *
explain_chains(const Chains *chains)
{
    cJSON *items = cJSON_CreateArray();
    for (guint i = 0; i < chains->chains->len; i++) {
        const Chain *chain = g_ptr_array_index(chains->chains, i);
        cJSON *item = cJSON_CreateObject();
        cJSON_AddStringToObject(item, "chain", chain->name);
        cJSON_AddStringToObject(item, "service", chain->service);
        cJSON_AddStringToObject(item, "client", chain->client_name);
        cJSON_AddStringToObject(item, "interface", chain->interface);
        cJSON *links = cJSON_AddArrayToObject(item, "links");
        for (guint l = 0; l < chain->links->len; l++) {
            cJSON_AddItemToArray(links,
                                 explain_link(chains, chain, g_ptr_array_index(chain->links, l)));
        }
        if (chain->problem != NULL) {
            cJSON_AddStringToObject(item, "problem", chain->problem);
        }
        cJSON_AddItemToArray(items, item);
    }
    return items;
}

/* ---- faults ---- */

static void
add_time(GString *text, const char *before, nsec_t time)
{
    if (time > 0) {
        g_autofree char *duration = nsec_format(time);
        g_string_append_printf(text, "%s%s", before, duration);
    }
}

static char *
fault_when(const Fault *fault)
{
    g_autofree char *start = nsec_format(fault->start_time);
    GString *text = g_string_new(start);
    add_time(text, ", then every ", fault->every);
    add_time(text, ", then at random, on average every ", fault->mean_time_between);
    add_time(text, ", for ", fault->duration);
    return g_string_free(text, FALSE);
}

static void
add_list(GString *text, const char *what, char **list)
{
    g_autofree char *names = list != NULL ? g_strjoinv(", ", list) : NULL;
    if (names != NULL) {
        g_string_append_printf(text, "%s%s %s", text->len > 0 ? "; " : "", what, names);
    }
}

static char *
fault_whom(const FaultPart *part)
{
    static const char *const PLACES[] = {"", " on the client's node", " on the endpoint's node"};
    static const char *const MODES[] = {"one of ", "", "some of ", "a share of ", "a share of "};
    const FaultSelector *selector = &part->selector;
    g_autoptr(GString) text = g_string_new(NULL);
    if (selector->component != N_COMPONENTS) {
        g_string_append_printf(text, "%s%s", component_name(selector->component),
                               PLACES[selector->place]);
    }
    g_string_append(text, selector->endpoint ? "the chain's last endpoint" : "");
    g_string_append(text, selector->client ? "the chain's client" : "");
    add_list(text, "Pods in", selector->namespaces);
    add_list(text, "Pods of", selector->pods);
    if (selector->labels.n > 0) {
        g_autofree char *labels = labels_format(&selector->labels);
        char *list[] = {labels, NULL};
        add_list(text, "Pods with", list);
    }
    add_list(text, "nodes", selector->nodes);
    char *device[] = {part->device, NULL};
    add_list(text, "interface", part->device != NULL ? device : NULL);
    add_list(text, "links to", part->target_nodes);
    return g_strdup_printf("%s%s", MODES[part->mode], text->len > 0 ? text->str : "all");
}

static cJSON *
explain_faults(const Scenario *scenario)
{
    cJSON *items = cJSON_CreateArray();
    for (guint i = 0; i < scenario->n_faults; i++) {
        const Fault *fault = &scenario->faults[i];
        g_autofree char *when = fault_when(fault);
        for (guint k = 0; k < fault->n_parts; k++) {
            cJSON *item = cJSON_CreateObject();
            g_autofree char *whom = fault_whom(&fault->parts[k]);
            cJSON_AddStringToObject(item, "fault", fault->name);
            cJSON_AddStringToObject(item, "when", when);
            cJSON_AddStringToObject(item, "what", fault_action_name(fault->parts[k].action));
            cJSON_AddStringToObject(item, "whom", whom);
            cJSON_AddItemToArray(items, item);
        }
    }
    return items;
}

/* ---- printing ---- */

static void
print_faults(const cJSON *faults)
{
    if (cJSON_GetArraySize(faults) == 0) {
        return;
    }
    printf("\nFaults: when, what, whom\n");
    Table *table = table_new("FAULT|WHEN|WHAT|WHOM");
    const cJSON *fault = NULL;
    cJSON_ArrayForEach(fault, faults)
    {
        table_add(table, "%s|%s|%s|%s", cJSON_GetStringValue(cJSON_GetObjectItem(fault, "fault")),
                  cJSON_GetStringValue(cJSON_GetObjectItem(fault, "when")),
                  cJSON_GetStringValue(cJSON_GetObjectItem(fault, "what")),
                  cJSON_GetStringValue(cJSON_GetObjectItem(fault, "whom")));
    }
    table_print(table);
}

static const char *
text_of(const cJSON *object, const char *name)
{
    return cJSON_GetStringValue(cJSON_GetObjectItem(object, name));
}

static void
print_pods(const cJSON *pods)
{
    printf("Pods: where they go, requests and limits summed over containers\n");
    Table *table = table_new("POD|NAMESPACE|NODE|>CPU REQ|>CPU LIM|>MEM REQ|>MEM LIM|WHY");
    const cJSON *pod = NULL;
    cJSON_ArrayForEach(pod, pods)
    {
        table_add(table, "%s|%s|%s|%s|%s|%s|%s|%s", text_of(pod, "pod"), text_of(pod, "namespace"),
                  text_of(pod, "node"), text_of(pod, "requestsCpu"), text_of(pod, "limitsCpu"),
                  text_of(pod, "requestsMemory"), text_of(pod, "limitsMemory"),
                  text_of(pod, "why"));
    }
    table_print(table);
}

static void
print_link(const cJSON *link, int number)
{
    printf("  V-wire %d: %s {%s} -> %s\n", number, text_of(link, "from"), text_of(link, "labels"),
           text_of(link, "to"));
    const cJSON *rule = NULL;
    cJSON_ArrayForEach(rule, cJSON_GetObjectItem(link, "rules"))
    {
        printf("    %s\n", rule->valuestring);
    }
    const cJSON *candidate = NULL;
    cJSON_ArrayForEach(candidate, cJSON_GetObjectItem(link, "candidates"))
    {
        printf("    %s %s {%s}: %s\n",
               cJSON_GetObjectItem(candidate, "place")->valueint > 0 ? "+" : "-",
               text_of(candidate, "endpoint"), text_of(candidate, "labels"),
               text_of(candidate, "verdict"));
    }
}

static void
print_chains(const cJSON *chains)
{
    const cJSON *chain = NULL;
    cJSON_ArrayForEach(chain, chains)
    {
        printf("\nChain %s: client %s, interface %s\n", text_of(chain, "chain"),
               text_of(chain, "client"), text_of(chain, "interface"));
        int number = 0;
        const cJSON *link = NULL;
        cJSON_ArrayForEach(link, cJSON_GetObjectItem(chain, "links"))
        {
            print_link(link, ++number);
        }
        if (text_of(chain, "problem") != NULL) {
            printf("  This chain cannot work: %s\n", text_of(chain, "problem"));
        }
    }
}

int
verb_explain(const Verb *verb, int argc, char **argv)
{
    CommonOptions common;
    int code = EXIT_PASS;
    g_autoptr(Scenario) scenario = NULL;
    if (options_parse(verb, &common, NULL,
                      "Placement is worked out in the order of the manifests, selection with the "
                      "forwarder's own rules;\nround robin and the order of arrival decide among "
                      "equals when it runs.",
                      &argc, &argv, &code)) {
        scenario = options_load(&common, argv[1]);
    }
    if (scenario != NULL) {
        code = EXIT_PASS;
        g_autoptr(Chains) chains = chains_find(scenario);
        cJSON *pods = explain_pods(scenario, chains), *items = explain_chains(chains);
        cJSON *faults = explain_faults(scenario);
        if (common.json) {
            cJSON *all = cJSON_CreateObject();
            cJSON_AddStringToObject(all, "schema", "vwire/explain/v1");
            cJSON_AddItemToObject(all, "pods", pods);
            cJSON_AddItemToObject(all, "chains", items);
            cJSON_AddItemToObject(all, "faults", faults);
            char *text = cJSON_Print(all);
            puts(text);
            cJSON_free(text);
            cJSON_Delete(all);
        } else {
            print_pods(pods);
            print_chains(items);
            print_faults(faults);
            cJSON_Delete(pods);
            cJSON_Delete(items);
            cJSON_Delete(faults);
        }
    }
    options_clear(&common);
    return code;
}
