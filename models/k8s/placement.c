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
    }
    g_free(placement->states);
    g_clear_pointer(&placement->by_name, g_hash_table_unref);
}

/* ---- filters ---- */

static bool
tolerates(const PodSpec *spec, const Toleration *taint)
{
    for (guint i = 0; i < spec->n_tolerations; i++) {
        const Toleration *t = &spec->tolerations[i];
        bool effect =
            t->effect == NULL || *t->effect == '\0' || g_strcmp0(t->effect, taint->effect) == 0;
        bool key = t->key == NULL || *t->key == '\0' || g_strcmp0(t->key, taint->key) == 0;
        bool value = t->exists || g_strcmp0(t->value != NULL ? t->value : "",
                                            taint->value != NULL ? taint->value : "") == 0;
        if (effect && key && value) {
            return true;
        }
    }
    return false;
}

static bool
taints_tolerated(const PodSpec *spec, const Node *node)
{
    for (guint i = 0; i < node->n_taints; i++) {
        const Toleration *taint = &node->taints[i];
        bool hard = g_strcmp0(taint->effect, "PreferNoSchedule") != 0;
        if (hard && !tolerates(spec, taint)) {
            return false;
        }
    }
    return true;
}

static guint
n_soft_taints(const PodSpec *spec, const Node *node)
{
    guint n = 0;
    for (guint i = 0; i < node->n_taints; i++) {
        const Toleration *taint = &node->taints[i];
        bool soft = g_strcmp0(taint->effect, "PreferNoSchedule") == 0;
        n += soft && !tolerates(spec, taint);
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
    return named && node_affinity_matches(spec, node) && taints_tolerated(spec, node);
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
repelled_by(const PlacedPod *other, const PodToPlace *pod)
{
    for (guint i = 0; i < other->spec->n_pod_terms; i++) {
        const PodTerm *term = &other->spec->pod_terms[i];
        if (term->anti && term->weight == 0 && is_hostname(term) &&
            term_selects(term, other->ns, pod->ns, &pod->spec->labels)) {
            return true;
        }
    }
    return false;
}

static bool
is_repelled(const Placement *placement, const PodToPlace *pod, const NodeState *state)
{
    for (guint k = 0; placement->n_anti > 0 && k < state->pods->len; k++) {
        if (repelled_by(&g_array_index(state->pods, PlacedPod, k), pod)) {
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

FilterReason
placement_filter(const Placement *placement, const PodToPlace *pod, const NodeState *state)
{
    const Node *node = state->node;
    const PodSpec *spec = pod->spec;
    if (spec->node_name != NULL && !g_str_equal(spec->node_name, node->name)) {
        return FILTER_NODE_NAME;
    }
    if (!taints_tolerated(spec, node)) {
        return FILTER_TAINT;
    }
    if ((pod->affinity_node != NULL && !g_str_equal(pod->affinity_node, node->name)) ||
        !node_affinity_matches(spec, node)) {
        return FILTER_NODE_AFFINITY;
    }
    if (!ports_are_free(spec, state)) {
        return FILTER_PORTS;
    }
    ResourceList requests = pod_spec_requests(spec);
    if (state->pods->len + 1 > (guint64)node->pods) {
        return FILTER_PODS;
    }
    if (state->cpu + known(requests.cpu, 0) > node->cpu) {
        return FILTER_CPU;
    }
    if (state->memory + known(requests.memory, 0) > node->memory) {
        return FILTER_MEMORY;
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

static void
score(const Placement *placement, const PodToPlace *pod, Candidate *candidate)
{
    const PodSpec *spec = pod->spec;
    candidate->soft_taints = n_soft_taints(spec, candidate->state->node);
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
    for (guint i = 0; i < candidates->len; i++) {
        const Candidate *c = &g_array_index(candidates, Candidate, i);
        taints = MAX(taints, c->soft_taints);
        affinity = MAX(affinity, c->affinity);
        low = MIN(low, c->pod_affinity);
        high = MAX(high, c->pod_affinity);
    }
    const Candidate *best = NULL;
    double best_total = -1;
    for (guint i = 0; i < candidates->len; i++) {
        const Candidate *c = &g_array_index(candidates, Candidate, i);
        double total = c->resources;
        total += 3 * (taints > 0 ? MAX_SCORE * (1 - c->soft_taints / taints) : MAX_SCORE);
        total += 2 * (affinity > 0 ? MAX_SCORE * c->affinity / affinity : 0);
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

/* The scheduler sorts "<n> <reason>" as text (FitError.Error). */
static char *
explain_failure(const Placement *placement, const guint *counts)
{
    g_autoptr(GPtrArray) reasons = g_ptr_array_new_with_free_func(g_free);
    for (int reason = 1; reason < N_FILTER_REASONS; reason++) {
        if (counts[reason] > 0) {
            g_ptr_array_add(reasons, g_strdup_printf("%u %s", counts[reason],
                                                     filter_reason_text((FilterReason)reason)));
        }
    }
    g_ptr_array_sort(reasons, compare_text);
    g_ptr_array_add(reasons, NULL);
    g_autofree char *list = g_strjoinv(", ", (char **)reasons->pdata);
    return g_strdup_printf("0/%u nodes are available: %s.", placement->n, list);
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
    guint counts[N_FILTER_REASONS] = {0};
    g_autoptr(GArray) candidates = g_array_new(false, true, sizeof(Candidate));
    const char *only = pod->affinity_node != NULL ? pod->affinity_node : pod->spec->node_name;
    NodeState *single = only != NULL ? g_hash_table_lookup(placement->by_name, only) : NULL;
    guint enough = enough_nodes(placement->n);
    guint i = 0;
    for (; i < placement->n && candidates->len < enough; i++) {
        NodeState *state = single != NULL
                               ? single
                               : &placement->states[(placement->next_start + i) % placement->n];
        FilterReason reason = placement_filter(placement, pod, state);
        counts[reason]++;
        if (reason == FILTER_OK) {
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
        counts[FILTER_NODE_AFFINITY] += single != NULL ? placement->n - 1 : 0;
        *message = explain_failure(placement, counts);
        return NULL;
    }
    return best_of(candidates)->state->node;
}

static bool
has_required_anti(const PodSpec *spec)
{
    for (guint i = 0; i < spec->n_pod_terms; i++) {
        if (spec->pod_terms[i].anti && spec->pod_terms[i].weight == 0) {
            return true;
        }
    }
    return false;
}

void
placement_add(Placement *placement, const char *node, const PlacedPod *take)
{
    NodeState *state = g_hash_table_lookup(placement->by_name, node);
    if (state == NULL) {
        api_object_unref(take->object);
        return;
    }
    ResourceList requests = pod_spec_requests(take->spec);
    state->cpu += known(requests.cpu, 0);
    state->memory += known(requests.memory, 0);
    state->scored_cpu += known(requests.cpu, DEFAULT_CPU);
    state->scored_memory += known(requests.memory, DEFAULT_MEMORY);
    placement->n_anti += has_required_anti(take->spec);
    g_array_append_val(state->pods, *take);
}

void
placement_remove(Placement *placement, const char *node, uint64_t uid)
{
    NodeState *state = g_hash_table_lookup(placement->by_name, node);
    for (guint k = 0; state != NULL && k < state->pods->len; k++) {
        PlacedPod *pod = &g_array_index(state->pods, PlacedPod, k);
        if (pod->uid == uid) {
            ResourceList requests = pod_spec_requests(pod->spec);
            state->cpu -= known(requests.cpu, 0);
            state->memory -= known(requests.memory, 0);
            state->scored_cpu -= known(requests.cpu, DEFAULT_CPU);
            state->scored_memory -= known(requests.memory, DEFAULT_MEMORY);
            placement->n_anti -= has_required_anti(pod->spec);
            api_object_unref(pod->object);
            g_array_remove_index(state->pods, k);
            return;
        }
    }
}
