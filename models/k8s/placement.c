/* kube-scheduler's filters and scores. */
#include "models/k8s/placement.h"

#include <math.h>
#include <string.h>

#define MAX_SCORE 100.0
#define DEFAULT_CPU 100                    /* schedutil.DefaultMilliCPURequest, for scores only */
#define DEFAULT_MEMORY (200 * 1024 * 1024) /* schedutil.DefaultMemoryRequest */

const char *
filter_reason_text(FilterReason reason)
{
    static const char *const texts[N_FILTER_REASONS] = {
        [FILTER_OK] = "node(s) fit",
        [FILTER_UNSCHEDULABLE] = "node(s) were unschedulable",
        [FILTER_NODE_NAME] = "node(s) didn't match the requested node name",
        [FILTER_TAINT] = "node(s) had taint that the pod didn't tolerate",
        [FILTER_NODE_AFFINITY] = "node(s) didn't match Pod's node affinity/selector",
        [FILTER_PORTS] = "node(s) didn't have free ports for the requested pod ports",
        [FILTER_CPU] = "Insufficient cpu",
        [FILTER_MEMORY] = "Insufficient memory",
        [FILTER_PODS] = "Too many pods",
        [FILTER_POD_AFFINITY] = "node(s) didn't match pod affinity rules",
        [FILTER_POD_ANTI_AFFINITY] = "node(s) didn't match pod anti-affinity rules",
        [FILTER_EXISTING_ANTI_AFFINITY] =
            "node(s) didn't satisfy existing pods anti-affinity rules",
    };
    return texts[reason];
}

void
placement_init(Placement *placement, const Nodes *nodes)
{
    memset(placement, 0, sizeof *placement);
    placement->n = nodes->n;
    placement->states = g_new0(NodeState, nodes->n);
    placement->by_name = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; i < nodes->n; i++) {
        placement->states[i].node = &nodes->items[i];
        placement->states[i].pods = g_array_new(false, false, sizeof(PlacedPod));
        g_hash_table_insert(placement->by_name, (char *)nodes->items[i].name,
                            &placement->states[i]);
    }
}

void
placement_clear(Placement *placement)
{
    for (guint i = 0; i < placement->n; i++) {
        GArray *pods = placement->states[i].pods;
        for (guint k = 0; k < pods->len; k++) {
            api_object_unref(g_array_index(pods, PlacedPod, k).object);
        }
        g_array_free(pods, true);
        api_object_unref(placement->states[i].object);
    }
    g_free(placement->states);
    g_clear_pointer(&placement->by_name, g_hash_table_unref);
}

/* ---- filters ---- */

static bool
tolerated_by(const Toleration *t, const Toleration *taint)
{
    bool effect =
        t->effect == NULL || *t->effect == '\0' || g_strcmp0(t->effect, taint->effect) == 0;
    bool key = t->key == NULL || *t->key == '\0' || g_strcmp0(t->key, taint->key) == 0;
    bool value = t->exists || g_strcmp0(t->value != NULL ? t->value : "",
                                        taint->value != NULL ? taint->value : "") == 0;
    return effect && key && value;
}

static bool
tolerates(const PodSpec *spec, const Toleration *taint)
{
    for (guint i = 0; i < spec->n_tolerations; i++) {
        if (tolerated_by(&spec->tolerations[i], taint)) {
            return true;
        }
    }
    return false;
}

static bool
is_soft(const Toleration *taint)
{
    return g_strcmp0(taint->effect, "PreferNoSchedule") == 0;
}

static const Toleration *
untolerated(const PodSpec *spec, const Node *node)
{
    for (guint i = 0; i < node->n_taints; i++) {
        if (!is_soft(&node->taints[i]) && !tolerates(spec, &node->taints[i])) {
            return &node->taints[i];
        }
    }
    return NULL;
}

static Toleration
operator_taint(const NodeCondition *condition)
{
    return (Toleration){.key = condition->taint_key,
                        .value = condition->taint_value,
                        .effect = condition->taint_effect};
}

bool
placement_daemon_tolerates(const char *key)
{
    static const char *const keys[] = {TAINT_UNREACHABLE,
                                       TAINT_NOT_READY,
                                       "node.kubernetes.io/disk-pressure",
                                       "node.kubernetes.io/memory-pressure",
                                       "node.kubernetes.io/pid-pressure",
                                       "node.kubernetes.io/unschedulable",
                                       NULL};
    return g_strv_contains(keys, key);
}

bool
placement_tolerates_operator(const PodSpec *spec, bool daemon, const NodeCondition *condition)
{
    Toleration taint = operator_taint(condition);
    return taint.key == NULL || is_soft(&taint) || tolerates(spec, &taint) ||
           (daemon && placement_daemon_tolerates(taint.key));
}

nsec_t
placement_toleration_time(const PodSpec *spec, const char *key, const char *value, nsec_t fallback)
{
    Toleration taint = {.key = (char *)key, .value = (char *)value, .effect = (char *)"NoExecute"};
    nsec_t least = NSEC_NEVER;
    bool found = false;
    for (guint i = 0; i < spec->n_tolerations; i++) {
        if (tolerated_by(&spec->tolerations[i], &taint)) {
            least = MIN(least, spec->tolerations[i].seconds);
            found = true;
        }
    }
    return found ? least : fallback;
}

/* The first taint, of those at first and those of now, that keeps the Pod away; false: none does.
 * What the DaemonSet controller makes tolerates what the node lifecycle controller adds
 * (daemon_controller util AddOrUpdateDaemonPodTolerations). */
static bool
find_taint(const PodToPlace *pod, const NodeState *state, Toleration *out)
{
    const Toleration *fixed = untolerated(pod->spec, state->node);
    if (fixed != NULL) {
        *out = *fixed;
        return true;
    }
    if (state->object == NULL) {
        return false;
    }
    const NodeCondition *condition = &state->object->node_condition;
    *out = operator_taint(condition);
    if (!placement_tolerates_operator(pod->spec, pod->affinity_node != NULL, condition)) {
        return true;
    }
    *out = (Toleration){.key = (char *)TAINT_UNREACHABLE, .effect = (char *)"NoSchedule"};
    return condition->unreachable && pod->affinity_node == NULL && !tolerates(pod->spec, out);
}

/* NodeUnschedulable */
static bool
is_cordoned(const PodToPlace *pod, const NodeState *state)
{
    static const Toleration taint = {.key = (char *)"node.kubernetes.io/unschedulable",
                                     .effect = (char *)"NoSchedule"};
    return state->object != NULL && state->object->node_condition.unschedulable &&
           pod->affinity_node == NULL && !tolerates(pod->spec, &taint);
}

static guint
n_soft_taints(const PodSpec *spec, const NodeState *state)
{
    const Node *node = state->node;
    guint n = 0;
    for (guint i = 0; i < node->n_taints; i++) {
        n += is_soft(&node->taints[i]) && !tolerates(spec, &node->taints[i]);
    }
    if (state->object != NULL && state->object->node_condition.taint_key != NULL) {
        Toleration taint = operator_taint(&state->object->node_condition);
        n += is_soft(&taint) && !tolerates(spec, &taint);
    }
    return n;
}

static bool
term_matches(const NodeTerm *term, const Labels *labels)
{
    for (guint i = 0; i < term->n_requirements; i++) {
        if (!selector_requirement_matches(&term->requirements[i], labels)) {
            return false;
        }
    }
    return term->n_requirements > 0;
}

static bool
node_affinity_matches(const PodSpec *spec, const Node *node)
{
    if (!labels_subset(&spec->node_selector, node->labels)) {
        return false;
    }
    for (guint i = 0; i < spec->n_node_required; i++) {
        if (term_matches(&spec->node_required[i], node->labels)) {
            return true;
        }
    }
    return spec->n_node_required == 0;
}

bool
placement_daemon_fits(const PodSpec *spec, const Node *node)
{
    bool named = spec->node_name == NULL || g_str_equal(spec->node_name, node->name);
    return named && node_affinity_matches(spec, node) && untolerated(spec, node) == NULL;
}

static bool
has_host_port(const PodSpec *spec, int port, const char *protocol)
{
    for (guint i = 0; i < spec->n_containers; i++) {
        for (guint k = 0; k < spec->containers[i].n_ports; k++) {
            const ContainerPort *p = &spec->containers[i].ports[k];
            if (p->host_port == port && g_strcmp0(p->protocol, protocol) == 0) {
                return true;
            }
        }
    }
    return false;
}

static bool
port_is_free(const NodeState *state, const ContainerPort *port)
{
    for (guint k = 0; k < state->pods->len; k++) {
        const PodSpec *other = g_array_index(state->pods, PlacedPod, k).spec;
        if (has_host_port(other, port->host_port, port->protocol)) {
            return false;
        }
    }
    return true;
}

static bool
ports_are_free(const PodSpec *spec, const NodeState *state)
{
    for (guint i = 0; i < spec->n_containers; i++) {
        for (guint k = 0; k < spec->containers[i].n_ports; k++) {
            const ContainerPort *port = &spec->containers[i].ports[k];
            if (port->host_port != 0 && !port_is_free(state, port)) {
                return false;
            }
        }
    }
    return true;
}

static bool
term_selects(const PodTerm *term, const char *owner_ns, const char *ns, const Labels *labels)
{
    bool own = term->namespaces == NULL || term->namespaces[0] == NULL;
    bool in_namespace = own ? g_str_equal(owner_ns, ns)
                            : g_strv_contains((const char *const *)term->namespaces, ns);
    return in_namespace && label_selector_matches(&term->selector, labels);
}

/* Only the hostname topology is told apart; any other key makes the whole cluster one domain. */
static bool
is_hostname(const PodTerm *term)
{
    return g_strcmp0(term->topology_key, "kubernetes.io/hostname") == 0;
}

static guint
count_on_node(const PodTerm *term, const char *ns, const NodeState *state)
{
    guint n = 0;
    for (guint k = 0; k < state->pods->len; k++) {
        const PlacedPod *other = &g_array_index(state->pods, PlacedPod, k);
        n += term_selects(term, ns, other->ns, &other->spec->labels);
    }
    return n;
}

static guint
count_in_domain(const Placement *placement, const PodTerm *term, const char *ns,
                const NodeState *state)
{
    if (is_hostname(term)) {
        return count_on_node(term, ns, state);
    }
    guint n = 0;
    for (guint i = 0; i < placement->n; i++) {
        n += count_on_node(term, ns, &placement->states[i]);
    }
    return n;
}

static bool
exists_anywhere(const Placement *placement, const PodTerm *term, const char *ns)
{
    for (guint i = 0; i < placement->n; i++) {
        if (count_on_node(term, ns, &placement->states[i]) > 0) {
            return true;
        }
    }
    return false;
}

static FilterReason
filter_own_terms(const Placement *placement, const PodToPlace *pod, const NodeState *state)
{
    for (guint i = 0; i < pod->spec->n_pod_terms; i++) {
        const PodTerm *term = &pod->spec->pod_terms[i];
        if (term->weight != 0) {
            continue;
        }
        guint n = count_in_domain(placement, term, pod->ns, state);
        if (term->anti && n > 0) {
            return FILTER_POD_ANTI_AFFINITY;
        }
        /* The first Pod of a group that selects itself may go anywhere. */
        bool first = !term->anti && n == 0 &&
                     term_selects(term, pod->ns, pod->ns, &pod->spec->labels) &&
                     !exists_anywhere(placement, term, pod->ns);
        if (!term->anti && n == 0 && !first) {
            return FILTER_POD_AFFINITY;
        }
    }
    return FILTER_OK;
}

static bool
repelled_by(const PlacedPod *other, const PodToPlace *pod, bool same_node)
{
    for (guint i = 0; i < other->spec->n_pod_terms; i++) {
        const PodTerm *term = &other->spec->pod_terms[i];
        if (term->anti && term->weight == 0 && is_hostname(term) == same_node &&
            term_selects(term, other->ns, pod->ns, &pod->spec->labels)) {
            return true;
        }
    }
    return false;
}

static bool
is_repelled_on(const PodToPlace *pod, const NodeState *state, bool same_node)
{
    for (guint k = 0; k < state->pods->len; k++) {
        if (repelled_by(&g_array_index(state->pods, PlacedPod, k), pod, same_node)) {
            return true;
        }
    }
    return false;
}

static bool
is_repelled(const Placement *placement, const PodToPlace *pod, const NodeState *state)
{
    if (placement->n_anti > 0 && is_repelled_on(pod, state, true)) {
        return true;
    }
    for (guint i = 0; placement->n_wide_anti > 0 && i < placement->n; i++) {
        if (is_repelled_on(pod, &placement->states[i], false)) {
            return true;
        }
    }
    return false;
}

static int64_t
known(int64_t value, int64_t fallback)
{
    return value > 0 ? value : fallback;
}

/* NodeResourcesFit: one of FILTER_CPU, FILTER_MEMORY, FILTER_PODS. */
static bool
lacks(const NodeState *state, const PodSpec *spec, FilterReason resource)
{
    ResourceList requests = pod_spec_requests(spec);
    switch ((int)resource) {
    case FILTER_CPU:
        return state->cpu + known(requests.cpu, 0) > state->node->cpu;
    case FILTER_MEMORY:
        return state->memory + known(requests.memory, 0) > state->node->memory;
    default:
        return state->pods->len + 1 > (guint64)state->node->pods;
    }
}

FilterReason
placement_filter(const Placement *placement, const PodToPlace *pod, const NodeState *state)
{
    const Node *node = state->node;
    const PodSpec *spec = pod->spec;
    if (is_cordoned(pod, state)) {
        return FILTER_UNSCHEDULABLE;
    }
    if (spec->node_name != NULL && !g_str_equal(spec->node_name, node->name)) {
        return FILTER_NODE_NAME;
    }
    Toleration taint;
    if (find_taint(pod, state, &taint)) {
        return FILTER_TAINT;
    }
    if ((pod->affinity_node != NULL && !g_str_equal(pod->affinity_node, node->name)) ||
        !node_affinity_matches(spec, node)) {
        return FILTER_NODE_AFFINITY;
    }
    if (!ports_are_free(spec, state)) {
        return FILTER_PORTS;
    }
    for (int resource = FILTER_CPU; resource <= FILTER_PODS; resource++) {
        if (lacks(state, spec, (FilterReason)resource)) {
            return (FilterReason)resource;
        }
    }
    FilterReason reason = filter_own_terms(placement, pod, state);
    if (reason != FILTER_OK) {
        return reason;
    }
    return is_repelled(placement, pod, state) ? FILTER_EXISTING_ANTI_AFFINITY : FILTER_OK;
}

/* ---- scores ---- */

typedef struct Candidate {
    NodeState *state;
    double soft_taints;
    double affinity;
    double pod_affinity;
    double spread;    /* PodTopologySpread: how many of its like are near; the less the better */
    double resources; /* LeastAllocated + BalancedAllocation, already 0..100 each */
} Candidate;

static double
resource_score(const PodSpec *spec, const NodeState *state)
{
    ResourceList requests = pod_spec_requests(spec);
    double cpu =
        (double)(state->scored_cpu + known(requests.cpu, DEFAULT_CPU)) / (double)state->node->cpu;
    double memory = (double)(state->scored_memory + known(requests.memory, DEFAULT_MEMORY)) /
                    (double)state->node->memory;
    cpu = MIN(cpu, 1.0);
    memory = MIN(memory, 1.0);
    double least = MAX_SCORE * ((1 - cpu) + (1 - memory)) / 2;
    double balanced = MAX_SCORE * (1 - fabs(cpu - memory) / 2);
    return least + balanced;
}

/* ---- spreading (podtopologyspread/scoring.go) ---- */

#define ZONE "topology.kubernetes.io/zone"
#define HOST_SKEW 3
#define ZONE_SKEW 5

static guint
count_like(const PodToPlace *pod, const NodeState *state)
{
    guint n = 0;
    for (guint k = 0; k < state->pods->len; k++) {
        const PlacedPod *other = &g_array_index(state->pods, PlacedPod, k);
        n += other->owner == pod->owner && !other->leaving;
    }
    return n;
}

/* Pods of the same owner in each zone, for nodes that have one. */
static GHashTable *
count_zones(const Placement *placement, const PodToPlace *pod)
{
    GHashTable *zones = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; i < placement->n; i++) {
        const NodeState *state = &placement->states[i];
        const char *zone = labels_get(state->node->labels, ZONE);
        if (zone != NULL) {
            guint n = GPOINTER_TO_UINT(g_hash_table_lookup(zones, zone));
            g_hash_table_insert(zones, (char *)zone, GUINT_TO_POINTER(n + count_like(pod, state)));
        }
    }
    return zones;
}

/* scoreForCount and topologyNormalizingWeight */
static double
spread_score(guint n, guint n_domains, int skew)
{
    return n * log(n_domains + 2.0) + skew - 1;
}

static void
score_spread(const Placement *placement, const PodToPlace *pod, GArray *candidates)
{
    if (pod->owner == 0) {
        return;
    }
    g_autoptr(GHashTable) zones = count_zones(placement, pod);
    guint n_zones = g_hash_table_size(zones);
    for (guint i = 0; i < candidates->len; i++) {
        Candidate *c = &g_array_index(candidates, Candidate, i);
        const char *zone = labels_get(c->state->node->labels, ZONE);
        c->spread = spread_score(count_like(pod, c->state), candidates->len, HOST_SKEW);
        if (zone != NULL) {
            guint n = GPOINTER_TO_UINT(g_hash_table_lookup(zones, zone));
            c->spread += spread_score(n, n_zones, ZONE_SKEW);
        }
        c->spread = round(c->spread);
    }
}

/* NormalizeScore: the node with the least gets 100. */
static double
normal_spread(double spread, double least, double most)
{
    return most > 0 ? MAX_SCORE * (most + least - spread) / most : MAX_SCORE;
}

/* ---- the total ---- */

static void
score(const Placement *placement, const PodToPlace *pod, Candidate *candidate)
{
    const PodSpec *spec = pod->spec;
    candidate->soft_taints = n_soft_taints(spec, candidate->state);
    for (guint i = 0; i < spec->n_node_preferred; i++) {
        bool match = term_matches(&spec->node_preferred[i], candidate->state->node->labels);
        candidate->affinity += match ? spec->node_preferred[i].weight : 0;
    }
    for (guint i = 0; i < spec->n_pod_terms; i++) {
        const PodTerm *term = &spec->pod_terms[i];
        if (term->weight != 0) {
            double n = count_in_domain(placement, term, pod->ns, candidate->state);
            candidate->pod_affinity += (term->anti ? -1 : 1) * term->weight * n;
        }
    }
    candidate->resources = resource_score(spec, candidate->state);
}

static const Candidate *
best_of(const GArray *candidates)
{
    double taints = 0, affinity = 0, low = INFINITY, high = -INFINITY;
    double least = INFINITY, most = 0;
    for (guint i = 0; i < candidates->len; i++) {
        const Candidate *c = &g_array_index(candidates, Candidate, i);
        taints = MAX(taints, c->soft_taints);
        affinity = MAX(affinity, c->affinity);
        low = MIN(low, c->pod_affinity);
        high = MAX(high, c->pod_affinity);
        least = MIN(least, c->spread);
        most = MAX(most, c->spread);
    }
    const Candidate *best = NULL;
    double best_total = -1;
    for (guint i = 0; i < candidates->len; i++) {
        const Candidate *c = &g_array_index(candidates, Candidate, i);
        double total = c->resources;
        total += 3 * (taints > 0 ? MAX_SCORE * (1 - c->soft_taints / taints) : MAX_SCORE);
        total += 2 * (affinity > 0 ? MAX_SCORE * c->affinity / affinity : 0);
        total += 2 * normal_spread(c->spread, least, most);
        total += 2 * (high > low ? MAX_SCORE * (c->pod_affinity - low) / (high - low) : 0);
        if (total > best_total) {
            best = c;
            best_total = total;
        }
    }
    return best;
}

static int
compare_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void
count_reason(GHashTable *counts, char *take_text)
{
    guint n = GPOINTER_TO_UINT(g_hash_table_lookup(counts, take_text));
    g_hash_table_insert(counts, take_text, GUINT_TO_POINTER(n + 1));
}

/* A taint is named; of resources all that lack are told. */
static void
count_reasons(GHashTable *counts, const PodToPlace *pod, const NodeState *state,
              FilterReason reason)
{
    Toleration taint;
    if (reason == FILTER_TAINT && find_taint(pod, state, &taint)) {
        count_reason(counts, g_strdup_printf("node(s) had untolerated taint {%s: %s}", taint.key,
                                             taint.value != NULL ? taint.value : ""));
        return;
    }
    if (reason < FILTER_CPU || reason > FILTER_PODS) {
        count_reason(counts, g_strdup(filter_reason_text(reason)));
        return;
    }
    for (int resource = FILTER_CPU; resource <= FILTER_PODS; resource++) {
        if (lacks(state, pod->spec, (FilterReason)resource)) {
            count_reason(counts, g_strdup(filter_reason_text((FilterReason)resource)));
        }
    }
}

/* The scheduler sorts "<n> <reason>" as text (FitError.Error). */
static char *
explain_failure(const Placement *placement, GHashTable *counts)
{
    g_autoptr(GPtrArray) reasons = g_ptr_array_new_with_free_func(g_free);
    GHashTableIter iter;
    void *text;
    void *n;
    g_hash_table_iter_init(&iter, counts);
    while (g_hash_table_iter_next(&iter, &text, &n)) {
        g_ptr_array_add(reasons, g_strdup_printf("%u %s", GPOINTER_TO_UINT(n), (const char *)text));
    }
    g_ptr_array_sort(reasons, compare_text);
    g_ptr_array_add(reasons, NULL);
    g_autofree char *list = g_strjoinv(", ", (char **)reasons->pdata);
    return g_strdup_printf("0/%u nodes are available: %s.", placement->n, list);
}

/* Why nothing was found: each node is asked again, for only then is it told. */
static char *
why_nowhere(const Placement *placement, const PodToPlace *pod, const NodeState *single)
{
    g_autoptr(GHashTable) counts = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (guint i = 0; i < placement->n; i++) {
        const NodeState *state = &placement->states[i];
        FilterReason reason = single != NULL && state != single
                                  ? FILTER_NODE_AFFINITY
                                  : placement_filter(placement, pod, state);
        count_reasons(counts, pod, state, reason);
    }
    return explain_failure(placement, counts);
}

/* numFeasibleNodesToFind (pkg/scheduler/schedule_one.go). */
static guint
enough_nodes(guint n)
{
    if (n <= 100) {
        return n;
    }
    guint percent = n < 45 * 125 ? 50 - n / 125 : 5;
    return MAX(n * percent / 100, 100);
}

const Node *
placement_choose(Placement *placement, const PodToPlace *pod, char **message)
{
    g_autoptr(GArray) candidates = g_array_new(false, true, sizeof(Candidate));
    const char *only = pod->affinity_node != NULL ? pod->affinity_node : pod->spec->node_name;
    NodeState *single = only != NULL ? g_hash_table_lookup(placement->by_name, only) : NULL;
    guint enough = enough_nodes(placement->n);
    guint i = 0;
    for (; i < placement->n && candidates->len < enough; i++) {
        NodeState *state = single != NULL
                               ? single
                               : &placement->states[(placement->next_start + i) % placement->n];
        if (placement_filter(placement, pod, state) == FILTER_OK) {
            Candidate candidate = {.state = state};
            score(placement, pod, &candidate);
            g_array_append_val(candidates, candidate);
        }
        if (single != NULL) {
            break;
        }
    }
    if (single == NULL && placement->n > 100) {
        placement->next_start = (placement->next_start + i) % placement->n;
    }
    if (candidates->len == 0) {
        *message = why_nowhere(placement, pod, single);
        return NULL;
    }
    score_spread(placement, pod, candidates);
    return best_of(candidates)->state->node;
}

/* Whether a Pod has required anti-affinity; `wide`: of a topology wider than the host. */
static bool
has_required_anti(const PodSpec *spec, bool wide)
{
    for (guint i = 0; i < spec->n_pod_terms; i++) {
        const PodTerm *term = &spec->pod_terms[i];
        if (term->anti && term->weight == 0 && (!wide || !is_hostname(term))) {
            return true;
        }
    }
    return false;
}

/* Adds what a Pod asks for to what its node has given, `sign` times. */
static void
account(Placement *placement, NodeState *state, const PodSpec *spec, int sign)
{
    ResourceList requests = pod_spec_requests(spec);
    state->cpu += sign * known(requests.cpu, 0);
    state->memory += sign * known(requests.memory, 0);
    state->scored_cpu += sign * known(requests.cpu, DEFAULT_CPU);
    state->scored_memory += sign * known(requests.memory, DEFAULT_MEMORY);
    placement->n_anti += (guint)(sign * has_required_anti(spec, false));
    placement->n_wide_anti += (guint)(sign * has_required_anti(spec, true));
}

void
placement_add(Placement *placement, const char *node, const PlacedPod *take)
{
    NodeState *state = g_hash_table_lookup(placement->by_name, node);
    if (state == NULL) {
        api_object_unref(take->object);
        return;
    }
    account(placement, state, take->spec, 1);
    g_array_append_val(state->pods, *take);
}

void
placement_remove(Placement *placement, const char *node, uint64_t uid)
{
    NodeState *state = g_hash_table_lookup(placement->by_name, node);
    for (guint k = 0; state != NULL && k < state->pods->len; k++) {
        PlacedPod *pod = &g_array_index(state->pods, PlacedPod, k);
        if (pod->uid == uid) {
            account(placement, state, pod->spec, -1);
            api_object_unref(pod->object);
            g_array_remove_index(state->pods, k);
            return;
        }
    }
}

void
placement_set_leaving(Placement *placement, const char *node, uint64_t uid)
{
    NodeState *state = g_hash_table_lookup(placement->by_name, node);
    for (guint k = 0; state != NULL && k < state->pods->len; k++) {
        PlacedPod *pod = &g_array_index(state->pods, PlacedPod, k);
        pod->leaving = pod->leaving || pod->uid == uid;
    }
}

void
placement_set_node(Placement *placement, const char *name, ApiObject *object)
{
    NodeState *state = g_hash_table_lookup(placement->by_name, name);
    if (state == NULL) {
        return;
    }
    api_object_unref(state->object);
    state->object = object != NULL ? api_object_ref(object) : NULL;
}
