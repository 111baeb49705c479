/* Faults compared with what they would hit: Pods of the manifests, nodes, chains, other faults. */
#include "models/cluster.h"
#include "models/scenario_fault.h"

#include <math.h>
#include <string.h>

/* A Pod, or a workload's template, as admitted. */
typedef struct Template {
    const Object *object;
    const PodSpec *pod;
} Template;

/* Goes on from `manifest` and `index`; false at the end. */
typedef struct Templates {
    const Scenario *scenario;
    const Chains *chains;
    guint manifest, index;
} Templates;

static const PodSpec *
admitted_pod(const Chains *chains, const Object *object)
{
    for (guint i = 0; i < chains->chains->len; i++) {
        const Chain *chain = g_ptr_array_index(chains->chains, i);
        if (chain->client == object) {
            return chain->client_pod;
        }
    }
    return object_pod_spec(object);
}

static bool
next_template(Templates *templates, Template *out)
{
    const Scenario *scenario = templates->scenario;
    while (templates->manifest < scenario->n_manifests) {
        const GPtrArray *objects = scenario->manifests[templates->manifest].objects;
        if (templates->index >= objects->len) {
            templates->manifest++;
            templates->index = 0;
            continue;
        }
        out->object = g_ptr_array_index(objects, templates->index++);
        out->pod = admitted_pod(templates->chains, out->object);
        if (out->pod != NULL) {
            return true;
        }
    }
    return false;
}

/* ------ chains ------ */

const Chain *
fault_chain(const TreeNode *node, const Chains *chains, const Fault *fault, GError **error)
{
    const GPtrArray *list = chains->chains;
    if (fault->chain == NULL) {
        return list->len > 0 ? g_ptr_array_index(list, 0) : NULL;
    }
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    for (guint i = 0; i < list->len; i++) {
        const Chain *chain = g_ptr_array_index(list, i);
        if (g_str_equal(chain->name, fault->chain)) {
            return chain;
        }
        g_ptr_array_add(names, chain->name);
    }
    g_ptr_array_add(names, NULL);
    g_autofree char *all = g_strjoinv(", ", (char **)names->pdata);
    g_autofree char *hint = fault_hint(fault->chain, (const char *const *)names->pdata);
    tree_error(error, tree_get(node, "chain"), VWIRE_ERROR_INVALID,
               "found the chain \"%s\"; the manifests have %s%s", fault->chain,
               *all != '\0' ? all : "none", hint);
    return NULL;
}

/* ------ which Pods a selector takes ------ */

/* "namespace/name" is the Pod, its workload, or a Pod that the workload makes first. */
static bool
is_named(const Object *object, const char *pod)
{
    g_autofree char *own = g_strdup_printf("%s/%s", object->ns, object->name);
    if (g_str_equal(own, pod)) {
        return true;
    }
    g_autoptr(GPtrArray) keys = object_pod_keys(object);
    for (guint i = 0; i < keys->len; i++) {
        if (g_str_equal(g_ptr_array_index(keys, i), pod)) {
            return true;
        }
    }
    return false;
}

static bool
is_in(char **list, const char *word)
{
    return list == NULL || g_strv_contains((const char *const *)list, word);
}

static bool
has_component(const PodSpec *pod, Component component)
{
    for (guint i = 0; i < pod->n_containers; i++) {
        if (component_of_image(pod->containers[i].image) == component) {
            return true;
        }
    }
    return component == N_COMPONENTS;
}

static bool
selects(const FaultSelector *selector, const Template *template)
{
    bool named = selector->pods == NULL;
    for (char **pod = selector->pods; !named && *pod != NULL; pod++) {
        named = is_named(template->object, *pod);
    }
    const char *node = template->pod->node_name;
    return named && is_in(selector->namespaces, template->object->ns) &&
           labels_subset(&selector->labels, &template->pod->labels) &&
           (node == NULL || is_in(selector->nodes, node)) &&
           has_component(template->pod, selector->component);
}

static bool
selects_any(const Scenario *scenario, const Chains *chains, const FaultSelector *selector)
{
    Templates templates = {.scenario = scenario, .chains = chains};
    Template template;
    while (next_template(&templates, &template)) {
        if (selects(selector, &template)) {
            return true;
        }
    }
    return false;
}

/* How many Pods; -1: not known. */
static int64_t
count_selected(const Scenario *scenario, const Chains *chains, const FaultSelector *selector)
{
    Templates templates = {.scenario = scenario, .chains = chains};
    Template template;
    int64_t n = 0;
    while (next_template(&templates, &template)) {
        const Object *object = template.object;
        if (selects(selector, &template)) {
            n += object->kind == OBJECT_POD          ? 1
                 : object->kind == OBJECT_DAEMON_SET ? (int64_t)scenario->n_nodes
                                                     : object->workload->replicas;
        }
    }
    return n;
}

/* ------ each term of a selector ------ */

static bool
check_nodes(const TreeNode *list, char **nodes, const Scenario *scenario, GError **error)
{
    for (guint i = 0; nodes != NULL && nodes[i] != NULL; i++) {
        g_autoptr(GPtrArray) names = g_ptr_array_new();
        bool known = false;
        for (guint n = 0; !known && n < scenario->n_nodes; n++) {
            g_ptr_array_add(names, scenario->nodes[n].name);
            known = g_str_equal(scenario->nodes[n].name, nodes[i]);
        }
        g_ptr_array_add(names, NULL);
        if (!known) {
            g_autofree char *hint = fault_hint(nodes[i], (const char *const *)names->pdata);
            return tree_error(error, tree_item(list, i), VWIRE_ERROR_INVALID,
                              "nodes: spec.cluster has no node \"%s\"%s", nodes[i], hint);
        }
    }
    return true;
}

static bool
check_namespaces(const TreeNode *list, const Scenario *scenario, const Chains *chains,
                 GError **error)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    Templates templates = {.scenario = scenario, .chains = chains};
    Template template;
    while (next_template(&templates, &template)) {
        g_ptr_array_add(names, template.object->ns);
    }
    g_ptr_array_add(names, NULL);
    const char *const *known = (const char *const *)names->pdata;
    for (guint i = 0; i < tree_size(list); i++) {
        const char *name = tree_item(list, i)->text;
        if (!g_strv_contains(known, name)) {
            g_autofree char *hint = fault_hint(name, known);
            return tree_error(error, tree_item(list, i), VWIRE_ERROR_INVALID,
                              "namespaces: the manifests have no Pod in \"%s\"%s", name, hint);
        }
    }
    return true;
}

static bool
check_pods(const TreeNode *node, char **pods, const Scenario *scenario, const Chains *chains,
           GError **error)
{
    for (guint i = 0; pods != NULL && pods[i] != NULL; i++) {
        char *one[] = {pods[i], NULL};
        const FaultSelector selector = {.pods = one, .component = N_COMPONENTS};
        if (selects_any(scenario, chains, &selector)) {
            continue;
        }
        g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
        Templates templates = {.scenario = scenario, .chains = chains};
        Template template;
        while (next_template(&templates, &template)) {
            g_ptr_array_add(names,
                            g_strdup_printf("%s/%s", template.object->ns, template.object->name));
        }
        g_ptr_array_add(names, NULL);
        g_autofree char *hint = fault_hint(pods[i], (const char *const *)names->pdata);
        return tree_error(error, node, VWIRE_ERROR_INVALID,
                          "pods: the manifests have no Pod or workload \"%s\"%s", pods[i], hint);
    }
    return true;
}

static bool
check_labels(const TreeNode *node, const Scenario *scenario, const Chains *chains, GError **error)
{
    for (guint i = 0; i < tree_size(node); i++) {
        Label label = {(char *)tree_key(node, i), tree_item(node, i)->text};
        const FaultSelector selector = {.labels = {1, &label}, .component = N_COMPONENTS};
        if (!selects_any(scenario, chains, &selector)) {
            return tree_error(error, tree_item(node, i), VWIRE_ERROR_INVALID,
                              "labelSelectors: no Pod of the manifests has the label %s=%s",
                              label.key, label.value);
        }
    }
    return true;
}

static bool
check_containers(const TreeNode *node, const FaultPart *part, const Scenario *scenario,
                 const Chains *chains, GError **error)
{
    for (guint i = 0; part->containers != NULL && part->containers[i] != NULL; i++) {
        g_autoptr(GPtrArray) names = g_ptr_array_new();
        Templates templates = {.scenario = scenario, .chains = chains};
        Template template;
        while (next_template(&templates, &template)) {
            for (guint c = 0; selects(&part->selector, &template) && c < template.pod->n_containers;
                 c++) {
                g_ptr_array_add(names, template.pod->containers[c].name);
            }
        }
        g_ptr_array_add(names, NULL);
        const char *const *known = (const char *const *)names->pdata;
        if (!g_strv_contains(known, part->containers[i])) {
            g_autofree char *hint = fault_hint(part->containers[i], known);
            return tree_error(error, tree_item(node, i), VWIRE_ERROR_INVALID,
                              "containerNames: no Pod that is selected has a container \"%s\"%s",
                              part->containers[i], hint);
        }
    }
    return true;
}

/* ------ one part ------ */

static bool
is_network(FaultAction action)
{
    return g_str_equal(fault_action_kind(action), fault_action_kind(FAULT_PARTITION));
}

static bool
is_of_nodes(FaultAction action)
{
    return g_str_equal(fault_action_kind(action), fault_action_kind(FAULT_NODE_DRAIN));
}

static bool
names_pods(const FaultSelector *selector)
{
    return selector->namespaces != NULL || selector->pods != NULL || selector->labels.n > 0;
}

static void
warn_if_too_many(const TreeNode *node, const FaultPart *part, int64_t n, Scenario *scenario)
{
    if (part->mode == FAULT_MODE_FIXED && part->mode_value > (double)n) {
        scenario_warn(scenario, tree_get(node, "value"),
                      "value: found %s; there are %" G_GINT64_FORMAT " to hit",
                      tree_get(node, "value")->text, n);
    }
}

/* The terms of a selector that speak of Pods, one by one and together. */
static bool
check_pod_terms(const TreeNode *node, const FaultPart *part, const Scenario *scenario,
                const Chains *chains, GError **error)
{
    const TreeNode *selector = tree_get(node, "selector");
    if (!check_namespaces(tree_get(selector, "namespaces"), scenario, chains, error) ||
        !check_pods(tree_get(selector, "pods"), part->selector.pods, scenario, chains, error) ||
        !check_labels(tree_get(selector, "labelSelectors"), scenario, chains, error)) {
        return false;
    }
    return selects_any(scenario, chains, &part->selector) ||
           tree_error(error, selector, VWIRE_ERROR_INVALID,
                      "selector: no Pod of the manifests has all that is asked for");
}

static bool
check_pod_targets(const TreeNode *node, const FaultPart *part, Scenario *scenario,
                  const Chains *chains, GError **error)
{
    if (!check_pod_terms(node, part, scenario, chains, error)) {
        return false;
    }
    warn_if_too_many(node, part, count_selected(scenario, chains, &part->selector), scenario);
    return check_containers(tree_get(node, "containerNames"), part, scenario, chains, error);
}

/* Nodes by their names, or those on which the selected Pods run. */
static bool
check_node_targets(const TreeNode *node, const FaultPart *part, Scenario *scenario,
                   const Chains *chains, GError **error)
{
    char **nodes = part->selector.nodes;
    warn_if_too_many(node, part, nodes != NULL ? g_strv_length(nodes) : scenario->n_nodes,
                     scenario);
    return !names_pods(&part->selector) || check_pod_terms(node, part, scenario, chains, error);
}

/* A link has two ends that differ, and no Pods. */
static bool
check_links(const TreeNode *node, const FaultPart *part, const Scenario *scenario, GError **error)
{
    const TreeNode *selector = tree_get(node, "selector"), *target = tree_get(node, "target");
    if (names_pods(&part->selector) || part->selector.nodes == NULL) {
        return tree_error(error, selector, VWIRE_ERROR_INVALID,
                          "NetworkChaos of Pods needs the device, a V-wire's interface; without "
                          "one the selector must have nodes, and nothing else");
    }
    if (scenario->n_nodes < 2) {
        return tree_error(error, selector, VWIRE_ERROR_INVALID,
                          "NetworkChaos between nodes: the cluster has one node");
    }
    for (char **name = part->target_nodes; name != NULL && *name != NULL; name++) {
        if (g_strv_contains((const char *const *)part->selector.nodes, *name)) {
            return tree_error(error, target, VWIRE_ERROR_INVALID,
                              "target: found the node \"%s\", which is selected too", *name);
        }
    }
    return check_nodes(tree_get(target, "nodes"), part->target_nodes, scenario, error);
}

static bool
check_explicit(const TreeNode *node, const FaultPart *part, Scenario *scenario,
               const Chains *chains, GError **error)
{
    const TreeNode *selector = tree_get(node, "selector");
    if (!check_nodes(tree_get(selector, "nodes"), part->selector.nodes, scenario, error)) {
        return false;
    }
    if (is_of_nodes(part->action)) {
        return check_node_targets(node, part, scenario, chains, error);
    }
    if (!is_network(part->action)) {
        return check_pod_targets(node, part, scenario, chains, error);
    }
    if (part->device == NULL) {
        return check_links(node, part, scenario, error);
    }
    const TreeNode *target = tree_get(node, "target");
    if (target != NULL) {
        return tree_error_mark(error, &target->key_mark, VWIRE_ERROR_INVALID,
                               "found a target beside the device %s; a target is for links "
                               "between nodes",
                               part->device);
    }
    return check_pod_targets(node, part, scenario, chains, error);
}

/* ------ presets ------ */

static bool
check_preset(const TreeNode *node, const Chain *chain, const FaultPart *part,
             const Scenario *scenario, const Chains *chains, GError **error)
{
    const TreeNode *at = tree_get(node, "preset");
    if (chain == NULL) {
        return tree_error(error, at, VWIRE_ERROR_INVALID,
                          "the preset %s is about a chain; the manifests have none", at->text);
    }
    guint n = chain->links->len;
    const ChainLink *last = n > 0 ? g_ptr_array_index(chain->links, n - 1) : NULL;
    bool remote = part->selector.endpoint || part->selector.place == FAULT_PLACE_ENDPOINT;
    if (remote && (last == NULL || last->to == NULL)) {
        return tree_error(error, at, VWIRE_ERROR_INVALID,
                          "the preset %s: the chain %s has no last endpoint", at->text,
                          chain->name);
    }
    if (!selects_any(scenario, chains, &part->selector)) {
        return tree_error(error, at, VWIRE_ERROR_INVALID, "the preset %s: the manifests have no %s",
                          at->text, component_name(part->selector.component));
    }
    return true;
}

/* NSM works without a webhook, where clients are not injected. */
static void
drop_missing_webhook(Fault *fault, const Scenario *scenario, const Chains *chains)
{
    for (guint i = 0; i < fault->n_parts; i++) {
        FaultPart *part = &fault->parts[i];
        if (part->selector.component == COMPONENT_WEBHOOK &&
            !selects_any(scenario, chains, &part->selector)) {
            fault_part_clear(part);
            memmove(part, part + 1, (--fault->n_parts - i) * sizeof(FaultPart));
            return;
        }
    }
}

bool
fault_targets_check(const TreeNode *node, const Chains *chains, Scenario *scenario, Fault *fault,
                    GError **error)
{
    const Chain *chain = fault_chain(node, chains, fault, error);
    if (chain == NULL && fault->chain != NULL) {
        return false;
    }
    if (fault->preset != NULL) {
        drop_missing_webhook(fault, scenario, chains);
    }
    for (guint i = 0; i < fault->n_parts; i++) {
        const FaultPart *part = &fault->parts[i];
        if (!(fault->preset != NULL ? check_preset(node, chain, part, scenario, chains, error)
                                    : check_explicit(node, part, scenario, chains, error))) {
            return false;
        }
    }
    return true;
}

/* ------ times ------ */

typedef enum Lasting { LASTING_NEEDED, LASTING_POSSIBLE, LASTING_NONE } Lasting;

static Lasting
lasting(FaultAction action)
{
    switch (action) {
    case FAULT_POD_KILL:
    case FAULT_CONTAINER_KILL:
    case FAULT_KUBELET_KILL:
        return LASTING_NONE;
    case FAULT_NODE_DRAIN:
    case FAULT_NODE_RESTART:
    case FAULT_NODE_POWEROFF:
        return LASTING_POSSIBLE;
    case FAULT_POD_FAILURE:
    case FAULT_PARTITION:
    case FAULT_LOSS:
    case FAULT_DELAY:
    case FAULT_BANDWIDTH:
    case FAULT_DUPLICATE:
    case FAULT_CORRUPT:
    case FAULT_STRESS_CPU:
    case FAULT_STRESS_MEMORY:
    case FAULT_NODE_TAINT:
    case FAULT_NODE_CPU_HOG:
    case N_FAULT_ACTIONS:
        break;
    }
    return LASTING_NEEDED;
}

static bool
check_duration(const TreeNode *node, Scenario *scenario, const Fault *fault, GError **error)
{
    const TreeNode *at = tree_get(node, "duration");
    FaultAction action = fault->parts[0].action;
    if (lasting(action) == LASTING_NEEDED && fault->duration == 0) {
        return tree_error(error, node, VWIRE_ERROR_INVALID,
                          "%s %s has no \"duration\"; expected how long it lasts",
                          fault_action_kind(action), fault_action_name(action));
    }
    if (lasting(action) == LASTING_NONE && at != NULL) {
        scenario_warn(scenario, at, "duration has no effect on %s, which is over at once",
                      fault_action_name(action));
    }
    return true;
}

static bool
check_repetition(const TreeNode *node, const Fault *fault, GError **error)
{
    const TreeNode *mean = tree_get(node, "meanTimeBetween");
    const TreeNode *schedule = tree_get(node, "schedule");
    if (mean != NULL && schedule != NULL) {
        return tree_error_mark(error, &mean->key_mark, VWIRE_ERROR_INVALID,
                               "found schedule and meanTimeBetween; expected one of the two");
    }
    if (fault->every > 0 && fault->duration > fault->every) {
        g_autofree char *duration = nsec_format(fault->duration);
        return tree_error(error, schedule, VWIRE_ERROR_INVALID,
                          "schedule: found %s; expected at least the fault's duration, %s",
                          schedule->text, duration);
    }
    return true;
}

/* Before the chain that it is about: nothing of it is there.  Before the last manifest: it may be
 * meant so. */
static bool
check_submitted(const TreeNode *node, const Chains *chains, Scenario *scenario, const Fault *fault,
                GError **error)
{
    const TreeNode *at = tree_get(node, "startTime");
    const Chain *chain = fault_chain(node, chains, fault, NULL);
    nsec_t last = 0;
    for (guint i = 0; i < scenario->n_manifests; i++) {
        last = MAX(last, scenario->manifests[i].start_time);
    }
    bool about_chain = chain != NULL && (fault->preset != NULL || fault->chain != NULL);
    nsec_t needed = about_chain ? scenario->manifests[chain->manifest].start_time : 0;
    if (fault->start_time < needed) {
        g_autofree char *text = nsec_format(needed);
        return tree_error(error, at, VWIRE_ERROR_INVALID,
                          "startTime: found %s; the client of the chain %s is submitted at %s",
                          at->text, chain->name, text);
    }
    if (fault->start_time <= last && scenario->n_manifests > 0) {
        g_autofree char *text = nsec_format(last);
        scenario_warn(scenario, at,
                      "startTime: found %s; the last manifest is submitted at %s, so that the "
                      "fault strikes while it is being deployed",
                      at->text, text);
    }
    return true;
}

bool
fault_times_check(const TreeNode *node, const Chains *chains, Scenario *scenario,
                  const Fault *fault, GError **error)
{
    const TreeNode *start = tree_get(node, "startTime");
    if (fault->start_time >= scenario->duration) {
        g_autofree char *end = nsec_format(scenario->duration);
        return tree_error(error, start, VWIRE_ERROR_INVALID,
                          "startTime: found %s; expected less than the scenario's duration, %s",
                          start->text, end);
    }
    return check_submitted(node, chains, scenario, fault, error) &&
           check_duration(node, scenario, fault, error) && check_repetition(node, fault, error);
}

/* ------ overlaps ------ */

static int
compare_words(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorted and joined: lists are equal in any order. */
static char *
join_sorted(char **list)
{
    if (list == NULL) {
        return g_strdup("*");
    }
    g_autoptr(GPtrArray) sorted = g_ptr_array_new();
    for (char **word = list; *word != NULL; word++) {
        g_ptr_array_add(sorted, *word);
    }
    g_ptr_array_sort(sorted, compare_words);
    g_ptr_array_add(sorted, NULL);
    return g_strjoinv(",", (char **)sorted->pdata);
}

static char *
selector_text(const FaultSelector *selector)
{
    g_autofree char *namespaces = join_sorted(selector->namespaces);
    g_autofree char *nodes = join_sorted(selector->nodes);
    g_autofree char *pods = join_sorted(selector->pods);
    g_autofree char *labels = labels_format(&selector->labels);
    return g_strdup_printf("%s|%s|%s|%s|%d|%d|%d|%d", namespaces, nodes, pods, labels,
                           (int)selector->component, selector->endpoint, selector->client,
                           (int)selector->place);
}

static bool
is_same_selector(const FaultSelector *a, const FaultSelector *b)
{
    g_autofree char *text_a = selector_text(a), *text_b = selector_text(b);
    return g_str_equal(text_a, text_b);
}

/* Every node that is listed will be hit: not those that chance takes, or where Pods happen to be.
 */
static bool
is_certain(const FaultPart *part)
{
    char **nodes = part->selector.nodes;
    return !names_pods(&part->selector) &&
           (part->mode == FAULT_MODE_ALL || (nodes != NULL && nodes[1] == NULL));
}

/* Whether two lists have a node in common; NULL is all nodes. */
static bool
meet(char **a, char **b)
{
    for (char **name = a; name != NULL && b != NULL && *name != NULL; name++) {
        if (g_strv_contains((const char *const *)b, *name)) {
            return true;
        }
    }
    return a == NULL || b == NULL;
}

static bool
is_same_link(const FaultPart *a, const FaultPart *b)
{
    char **from_a = a->selector.nodes, **to_a = a->target_nodes;
    char **from_b = b->selector.nodes, **to_b = b->target_nodes;
    return (meet(from_a, from_b) && meet(to_a, to_b)) || (meet(from_a, to_b) && meet(to_a, from_b));
}

static bool
is_same_target(const FaultPart *a, const FaultPart *b)
{
    bool certain = is_certain(a) && is_certain(b);
    if (is_network(a->action) && is_network(b->action)) {
        bool links = a->device == NULL && b->device == NULL;
        return links ? certain && is_same_link(a, b)
                     : g_strcmp0(a->device, b->device) == 0 &&
                           is_same_selector(&a->selector, &b->selector);
    }
    if (is_of_nodes(a->action) && is_of_nodes(b->action)) {
        return (certain && meet(a->selector.nodes, b->selector.nodes)) ||
               is_same_selector(&a->selector, &b->selector);
    }
    return a->action == b->action && is_same_selector(&a->selector, &b->selector);
}

/* When a fault acts: strikes from `start` on, each until `start` + `length`. */
typedef struct Window {
    nsec_t start, length, every;
} Window;

static Window
window_of(const Fault *fault, nsec_t end)
{
    bool none = lasting(fault->parts[0].action) == LASTING_NONE;
    nsec_t length = fault->duration > 0 ? fault->duration : none ? 0 : end;
    return (Window){fault->start_time, length, fault->every};
}

static bool
covers(const Window *window, nsec_t time)
{
    return time >= window->start && time - window->start < window->length;
}

/* Steps through both in turn until one has ended, or has gone on for longer than anyone needs.
 * What has no length overlaps nothing. */
static bool
windows_overlap(Window a, Window b, nsec_t end)
{
    enum { MAX_STEPS = 100000 };
    for (guint i = 0; i < MAX_STEPS && a.start < end && b.start < end; i++) {
        if (b.length > 0 && a.length > 0 && (covers(&a, b.start) || covers(&b, a.start))) {
            return true;
        }
        Window *first = a.start < b.start ? &a : &b;
        const Window *other = first == &a ? &b : &a;
        if (first->every == 0 || first->every > end - first->start) {
            return false;
        }
        nsec_t behind = MAX(other->start - first->start - first->length, 0);
        first->start += first->every * MAX(behind / first->every, 1);
    }
    return false;
}

static bool
faults_meet(const Fault *a, const Fault *b)
{
    for (guint i = 0; i < a->n_parts; i++) {
        for (guint k = 0; k < b->n_parts; k++) {
            if (is_same_target(&a->parts[i], &b->parts[k])) {
                return true;
            }
        }
    }
    return false;
}

bool
fault_overlap_check(const TreeNode *node, const Scenario *scenario, const Fault *fault,
                    GError **error)
{
    Window window = window_of(fault, scenario->duration);
    for (guint i = 0; i < scenario->n_faults; i++) {
        const Fault *other = &scenario->faults[i];
        if (other == fault || fault->mean_time_between > 0 || other->mean_time_between > 0) {
            continue; /* at random: not known before it runs */
        }
        if (windows_overlap(window, window_of(other, scenario->duration), scenario->duration) &&
            faults_meet(fault, other)) {
            return tree_error(error, node, VWIRE_ERROR_INVALID,
                              "the fault %s acts on what %s (%s:%d:%d) acts on at the same time",
                              fault->name, other->name,
                              other->mark.file != NULL ? other->mark.file : "?", other->mark.line,
                              other->mark.column);
        }
    }
    return true;
}
