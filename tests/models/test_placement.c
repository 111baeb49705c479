/* kube-scheduler's filters and scores: every filter with its words, every score against another. */
#include "models/k8s/placement.h"

#include "tests/models/step.h"

#define GI (INT64_C(1) << 30)
#define MI (INT64_C(1) << 20)
#define N_NODES_MAX 7000

static Bench bench;
static Node nodes[N_NODES_MAX];
static Labels node_labels[N_NODES_MAX];
static Placement placement;
static uint64_t last_uid;

static void
setup(void)
{
    bench_init(&bench, COMPONENT_SCHEDULER, "node-0");
    last_uid = 0;
}

static void
teardown(void)
{
    placement_clear(&placement);
    for (guint i = 0; i < N_NODES_MAX; i++) {
        labels_clear(&node_labels[i]);
    }
    bench_clear(&bench);
}

/* n nodes "node-0", ... of 4 cores, 8 GiB, 110 Pods; `change` them before `begin`. */
static void
make_nodes(guint n)
{
    for (guint i = 0; i < n; i++) {
        g_autofree char *name = g_strdup_printf("node-%u", i);
        nodes[i] = (Node){.name = bench_string(&bench, name),
                          .ip = "192.168.0.1",
                          .cpu = 4000,
                          .memory = 8 * GI,
                          .pods = 110,
                          .labels = &node_labels[i]};
        labels_set(&node_labels[i], "kubernetes.io/hostname", name);
    }
}

static void
begin(guint n)
{
    Nodes all = {nodes, n};
    placement_init(&placement, &all);
}

static void
begin_equal(guint n)
{
    make_nodes(n);
    begin(n);
}

static void
taint(guint node, const Toleration *taints, guint n)
{
    nodes[node].taints = taints;
    nodes[node].n_taints = n;
}

/* ---- Pods ---- */

static const PodSpec *
spec_of(const char *more)
{
    return bench_pod(&bench, "p", more)->pod;
}

/* A Pod with labels. */
static const PodSpec *
labelled(const char *labels, const char *more)
{
    g_autofree char *yaml =
        g_strdup_printf("apiVersion: v1\nkind: Pod\nmetadata: {name: p, labels: {%s}}\n"
                        "spec:\n" BENCH_CONTAINER "%s",
                        labels, more);
    return bench_object(&bench, yaml)->pod;
}

static const PodSpec *
requesting(const char *cpu, const char *memory)
{
    g_autofree char *more = g_strdup_printf("  containers: [{name: c, image: i:1, resources: "
                                            "{requests: {cpu: %s, memory: %s}}}]\n",
                                            cpu, memory);
    return spec_of(more);
}

static uint64_t
place_in(guint node, const char *ns, const PodSpec *spec)
{
    PlacedPod placed = {.uid = ++last_uid, .ns = ns, .spec = spec};
    placement_add(&placement, nodes[node].name, &placed);
    return last_uid;
}

static uint64_t
place(guint node, const PodSpec *spec)
{
    return place_in(node, "default", spec);
}

static FilterReason
filter(guint node, const PodSpec *spec)
{
    PodToPlace pod = {"default", spec, NULL, 0};
    return placement_filter(&placement, &pod, &placement.states[node]);
}

/* The number of the chosen node; -1 for none. */
static int
choose_in(const char *ns, const PodSpec *spec)
{
    PodToPlace pod = {ns, spec, NULL, 0};
    g_autofree char *message = NULL;
    const Node *node = placement_choose(&placement, &pod, &message);
    ck_assert_msg((node == NULL) == (message != NULL), "a message comes with failure alone");
    return node != NULL ? (int)(node - nodes) : -1;
}

static int
choose(const PodSpec *spec)
{
    return choose_in("default", spec);
}

static void
assert_refused(const PodSpec *spec, const char *affinity_node, const char *expected)
{
    PodToPlace pod = {"default", spec, affinity_node, 0};
    g_autofree char *message = NULL;
    ck_assert_ptr_null(placement_choose(&placement, &pod, &message));
    ck_assert_str_eq(message, expected);
}

/* The message has all of these parts; nothing is said of their order. */
static void
assert_told(const PodSpec *spec, const char *affinity_node, const char *const *parts)
{
    PodToPlace pod = {"default", spec, affinity_node, 0};
    g_autofree char *message = NULL;
    ck_assert_ptr_null(placement_choose(&placement, &pod, &message));
    g_auto(GStrv) clauses = g_strsplit(message, ", ", -1);
    ck_assert_uint_eq(g_strv_length(clauses), g_strv_length((char **)parts) - 1);
    for (; *parts != NULL; parts++) {
        ck_assert_msg(strstr(message, *parts) != NULL, "\"%s\" is not in \"%s\"", *parts, message);
    }
}

/* ---- filters ---- */

START_TEST(a_pod_fits_on_an_empty_node)
{
    begin_equal(1);
    ck_assert_int_eq(filter(0, spec_of(NULL)), FILTER_OK);
    ck_assert_int_eq(choose(spec_of(NULL)), 0);
}
END_TEST

START_TEST(a_node_name_fits_its_node_only)
{
    begin_equal(2);
    const PodSpec *spec = spec_of(BENCH_CONTAINER "  nodeName: node-1\n");
    ck_assert_int_eq(filter(0, spec), FILTER_NODE_NAME);
    ck_assert_int_eq(filter(1, spec), FILTER_OK);
    ck_assert_int_eq(choose(spec), 1);
    ck_assert_str_eq(filter_reason_text(FILTER_NODE_NAME),
                     "node(s) didn't match the requested node name");
}
END_TEST

#define TOLERATES(text) spec_of(BENCH_CONTAINER "  tolerations: [" text "]\n")

START_TEST(a_hard_taint_must_be_tolerated_by_key_value_and_effect)
{
    static const Toleration taints[] = {
        {.key = (char *)"role", .value = (char *)"video", .effect = (char *)"NoSchedule"}};
    make_nodes(1);
    taint(0, taints, 1);
    begin(1);
    ck_assert_int_eq(filter(0, spec_of(NULL)), FILTER_TAINT);
    ck_assert_int_eq(filter(0, TOLERATES("{key: role, value: video, effect: NoSchedule}")),
                     FILTER_OK);
    ck_assert_int_eq(filter(0, TOLERATES("{key: role, value: video}")), FILTER_OK);
    ck_assert_int_eq(filter(0, TOLERATES("{key: role, operator: Exists}")), FILTER_OK);
    ck_assert_int_eq(filter(0, TOLERATES("{operator: Exists}")), FILTER_OK);
    ck_assert_int_eq(filter(0, TOLERATES("{key: role, value: audio}")), FILTER_TAINT);
    ck_assert_int_eq(filter(0, TOLERATES("{key: other, operator: Exists}")), FILTER_TAINT);
    ck_assert_int_eq(filter(0, TOLERATES("{key: role, value: video, effect: NoExecute}")),
                     FILTER_TAINT);
}
END_TEST

START_TEST(every_hard_taint_counts_and_a_soft_one_does_not)
{
    static const Toleration taints[] = {
        {.key = (char *)"a", .value = (char *)"", .effect = (char *)"PreferNoSchedule"},
        {.key = (char *)"b", .value = (char *)"", .effect = (char *)"NoSchedule"},
        {.key = (char *)"c", .value = (char *)"", .effect = (char *)"NoExecute"}};
    make_nodes(2);
    taint(0, taints, 3);
    taint(1, taints, 1);
    begin(2);
    ck_assert_int_eq(filter(0, TOLERATES("{key: b, operator: Exists}")), FILTER_TAINT);
    ck_assert_int_eq(filter(0, TOLERATES("{key: c, operator: Exists}")), FILTER_TAINT);
    ck_assert_int_eq(filter(0, TOLERATES("{key: b, operator: Exists}, {key: c, operator: Exists}")),
                     FILTER_OK);
    ck_assert_int_eq(filter(1, spec_of(NULL)), FILTER_OK);
}
END_TEST

START_TEST(a_node_selector_needs_all_its_labels)
{
    make_nodes(2);
    labels_set(&node_labels[0], "disk", "ssd");
    labels_set(&node_labels[1], "disk", "ssd");
    labels_set(&node_labels[1], "zone", "a");
    begin(2);
    const PodSpec *spec = spec_of(BENCH_CONTAINER "  nodeSelector: {disk: ssd, zone: a}\n");
    ck_assert_int_eq(filter(0, spec), FILTER_NODE_AFFINITY);
    ck_assert_int_eq(filter(1, spec), FILTER_OK);
    ck_assert_str_eq(filter_reason_text(FILTER_NODE_AFFINITY),
                     "node(s) didn't match Pod's node affinity/selector");
}
END_TEST

#define NODE_TERMS(text)                                                                           \
    spec_of(BENCH_CONTAINER                                                                        \
            "  affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: "         \
            "{nodeSelectorTerms: [" text "]}}}\n")
#define EXPRESSIONS(text) "{matchExpressions: [" text "]}"

START_TEST(terms_of_node_affinity_are_alternatives_and_their_requirements_are_not)
{
    make_nodes(1);
    labels_set(&node_labels[0], "zone", "b");
    labels_set(&node_labels[0], "cores", "40");
    begin(1);
    ck_assert_int_eq(
        filter(0, NODE_TERMS(EXPRESSIONS("{key: zone, operator: In, values: [a, b]}"))), FILTER_OK);
    ck_assert_int_eq(
        filter(0, NODE_TERMS(EXPRESSIONS("{key: zone, operator: NotIn, values: [b]}"))),
        FILTER_NODE_AFFINITY);
    ck_assert_int_eq(
        filter(0, NODE_TERMS(EXPRESSIONS("{key: cores, operator: Gt, values: [\"39\"]}"))),
        FILTER_OK);
    ck_assert_int_eq(
        filter(0, NODE_TERMS(EXPRESSIONS("{key: cores, operator: Lt, values: [\"40\"]}"))),
        FILTER_NODE_AFFINITY);
    ck_assert_int_eq(
        filter(0, NODE_TERMS(EXPRESSIONS("{key: gpu, operator: Exists}") ", " EXPRESSIONS(
                      "{key: zone, operator: Exists}"))),
        FILTER_OK);
    ck_assert_int_eq(
        filter(0, NODE_TERMS(EXPRESSIONS("{key: zone, operator: Exists}, {key: gpu, operator: "
                                         "Exists}"))),
        FILTER_NODE_AFFINITY);
}
END_TEST

START_TEST(a_daemon_sets_pod_goes_to_its_own_node)
{
    begin_equal(3);
    const PodSpec *spec = spec_of(NULL);
    PodToPlace pod = {"default", spec, "node-2", 0};
    g_autofree char *message = NULL;
    ck_assert_str_eq(placement_choose(&placement, &pod, &message)->name, "node-2");
    ck_assert_int_eq(placement_filter(&placement, &pod, &placement.states[0]),
                     FILTER_NODE_AFFINITY);
}
END_TEST

#define PORT(text)                                                                                 \
    spec_of("  containers: [{name: c, image: i:1, ports: [{containerPort: 5001, " text "}]}]\n")

START_TEST(a_host_port_is_given_once_per_node_and_protocol)
{
    begin_equal(2);
    const PodSpec *nsmgr = PORT("hostPort: 5001");
    uint64_t uid = place(0, nsmgr);
    ck_assert_int_eq(filter(0, nsmgr), FILTER_PORTS);
    ck_assert_int_eq(filter(1, nsmgr), FILTER_OK);
    ck_assert_int_eq(filter(0, PORT("hostPort: 5002")), FILTER_OK);
    ck_assert_int_eq(filter(0, PORT("hostPort: 5001, protocol: UDP")), FILTER_OK);
    ck_assert_int_eq(filter(0, PORT("protocol: TCP")), FILTER_OK);
    ck_assert_str_eq(filter_reason_text(FILTER_PORTS),
                     "node(s) didn't have free ports for the requested pod ports");
    placement_remove(&placement, "node-0", uid);
    ck_assert_int_eq(filter(0, nsmgr), FILTER_OK);
}
END_TEST

START_TEST(every_port_of_every_container_of_every_pod_counts)
{
    begin_equal(1);
    const PodSpec *spec = spec_of(
        "  containers: [{name: a, image: i:1, ports: [{containerPort: 1, hostPort: 11}]}, "
        "{name: b, image: i:1, ports: [{containerPort: 2, hostPort: 12}, {containerPort: 3, "
        "hostPort: 13}]}]\n");
    place(0, spec_of(NULL));
    uint64_t uid = place(0, spec);
    ck_assert_int_eq(filter(0, PORT("hostPort: 11")), FILTER_PORTS);
    ck_assert_int_eq(filter(0, PORT("hostPort: 12")), FILTER_PORTS);
    ck_assert_int_eq(filter(0, PORT("hostPort: 13")), FILTER_PORTS);
    placement_remove(&placement, "node-0", uid);
    place(0, PORT("hostPort: 13"));
    ck_assert_int_eq(filter(0, spec), FILTER_PORTS);
}
END_TEST

START_TEST(on_the_hosts_network_every_port_is_the_hosts)
{
    begin_equal(1);
    place(0, spec_of("  hostNetwork: true\n"
                     "  containers: [{name: c, image: i:1, ports: [{containerPort: 5001}]}]\n"));
    ck_assert_int_eq(filter(0, PORT("hostPort: 5001")), FILTER_PORTS);
}
END_TEST

START_TEST(cpu_is_reserved_to_the_last_milli_core)
{
    begin_equal(1);
    place(0, requesting("2500m", "1Mi"));
    ck_assert_int_eq(filter(0, requesting("1500m", "1Mi")), FILTER_OK);
    ck_assert_int_eq(filter(0, requesting("1501m", "1Mi")), FILTER_CPU);
    ck_assert_str_eq(filter_reason_text(FILTER_CPU), "Insufficient cpu");
}
END_TEST

START_TEST(memory_is_reserved_to_the_last_byte)
{
    begin_equal(1);
    place(0, requesting("1m", "7Gi"));
    ck_assert_int_eq(filter(0, requesting("1m", "1073741824")), FILTER_OK);
    ck_assert_int_eq(filter(0, requesting("1m", "1073741825")), FILTER_MEMORY);
    ck_assert_str_eq(filter_reason_text(FILTER_MEMORY), "Insufficient memory");
}
END_TEST

START_TEST(a_pod_without_requests_fits_on_a_full_node)
{
    begin_equal(1);
    place(0, requesting("4", "8Gi"));
    place(0, spec_of(NULL));
    ck_assert_int_eq(placement.states[0].cpu, 4000);
    ck_assert_int_eq(placement.states[0].memory, 8 * GI);
    ck_assert_int_eq(filter(0, spec_of(NULL)), FILTER_OK);
}
END_TEST

START_TEST(a_limit_without_request_is_reserved)
{
    begin_equal(1);
    place(0, spec_of("  containers: [{name: c, image: i:1, resources: {limits: {cpu: 4}}}]\n"));
    ck_assert_int_eq(filter(0, requesting("1m", "1Mi")), FILTER_CPU);
}
END_TEST

START_TEST(the_largest_init_container_is_reserved_when_it_asks_for_more)
{
    begin_equal(1);
    const PodSpec *spec =
        spec_of("  initContainers: [{name: i, image: i:1, resources: {requests: {cpu: 3}}}]\n"
                "  containers: [{name: c, image: i:1, resources: {requests: {cpu: 1}}}]\n");
    uint64_t uid = place(0, spec);
    ck_assert_int_eq(placement.states[0].cpu, 3000);
    ck_assert_int_eq(filter(0, requesting("1001m", "1Mi")), FILTER_CPU);
    placement_remove(&placement, "node-0", uid);
    ck_assert_int_eq(placement.states[0].cpu, 0);
}
END_TEST

START_TEST(a_node_takes_110_pods_and_not_one_more)
{
    begin_equal(1);
    const PodSpec *spec = spec_of(NULL);
    for (int i = 0; i < 110; i++) {
        ck_assert_int_eq(filter(0, spec), FILTER_OK);
        place(0, spec);
    }
    ck_assert_int_eq(filter(0, spec), FILTER_PODS);
    ck_assert_str_eq(filter_reason_text(FILTER_PODS), "Too many pods");
}
END_TEST

/* ---- affinity between Pods ---- */

#define TERM(key, more) "[{topologyKey: " key ", labelSelector: {matchLabels: {app: fw}}" more "}]"
#define HOST "kubernetes.io/hostname"
#define REQUIRED "requiredDuringSchedulingIgnoredDuringExecution: "
#define AFFINITY(text) "  affinity: {podAffinity: {" REQUIRED text "}}\n"
#define ANTI(text) "  affinity: {podAntiAffinity: {" REQUIRED text "}}\n"

START_TEST(affinity_needs_a_pod_that_matches_on_the_same_node)
{
    begin_equal(2);
    const PodSpec *spec = labelled("app: nsc", AFFINITY(TERM(HOST, "")));
    ck_assert_int_eq(filter(1, spec), FILTER_POD_AFFINITY);
    place(0, labelled("app: other", ""));
    place(1, labelled("app: fw", ""));
    ck_assert_int_eq(filter(0, spec), FILTER_POD_AFFINITY);
    ck_assert_int_eq(filter(1, spec), FILTER_OK);
    ck_assert_str_eq(filter_reason_text(FILTER_POD_AFFINITY),
                     "node(s) didn't match pod affinity rules");
}
END_TEST

START_TEST(the_first_pod_of_a_group_that_selects_itself_goes_anywhere)
{
    begin_equal(2);
    const PodSpec *spec = labelled("app: fw", AFFINITY(TERM(HOST, "")));
    ck_assert_int_eq(filter(0, spec), FILTER_OK);
    place(1, spec);
    ck_assert_int_eq(filter(0, spec), FILTER_POD_AFFINITY);
    ck_assert_int_eq(filter(1, spec), FILTER_OK);
}
END_TEST

START_TEST(a_term_looks_into_the_pods_own_namespace_unless_it_names_others)
{
    begin_equal(1);
    place_in(0, "nsm-system", labelled("app: fw", ""));
    ck_assert_int_eq(filter(0, labelled("app: nsc", AFFINITY(TERM(HOST, "")))),
                     FILTER_POD_AFFINITY);
    ck_assert_int_eq(
        filter(0, labelled("app: nsc", AFFINITY(TERM(HOST, ", namespaces: [nsm-system]")))),
        FILTER_OK);
    ck_assert_int_eq(
        filter(0, labelled("app: nsc", ANTI(TERM(HOST, ", namespaces: [nsm-system]")))),
        FILTER_POD_ANTI_AFFINITY);
}
END_TEST

START_TEST(anti_affinity_avoids_the_nodes_of_its_like)
{
    begin_equal(2);
    const PodSpec *spec = labelled("app: fw", ANTI(TERM(HOST, "")));
    uint64_t uid = place(0, labelled("app: fw", ""));
    ck_assert_int_eq(filter(0, spec), FILTER_POD_ANTI_AFFINITY);
    ck_assert_int_eq(filter(1, spec), FILTER_OK);
    ck_assert_str_eq(filter_reason_text(FILTER_POD_ANTI_AFFINITY),
                     "node(s) didn't match pod anti-affinity rules");
    placement_remove(&placement, "node-0", uid);
    ck_assert_int_eq(filter(0, spec), FILTER_OK);
}
END_TEST

START_TEST(who_is_there_keeps_those_away_whom_its_anti_affinity_names)
{
    begin_equal(2);
    uint64_t uid = place(0, labelled("app: nse", ANTI(TERM(HOST, ""))));
    ck_assert_int_eq(filter(0, labelled("app: fw", "")), FILTER_EXISTING_ANTI_AFFINITY);
    ck_assert_int_eq(filter(1, labelled("app: fw", "")), FILTER_OK);
    ck_assert_int_eq(filter(0, labelled("app: nse", "")), FILTER_OK);
    ck_assert_str_eq(filter_reason_text(FILTER_EXISTING_ANTI_AFFINITY),
                     "node(s) didn't satisfy existing pods anti-affinity rules");
    placement_remove(&placement, "node-0", uid);
    ck_assert_int_eq(filter(0, labelled("app: fw", "")), FILTER_OK);
}
END_TEST

START_TEST(existing_anti_affinity_looks_into_the_namespace_of_its_owner)
{
    begin_equal(1);
    place_in(0, "other", labelled("app: nse", ANTI(TERM(HOST, ""))));
    ck_assert_int_eq(filter(0, labelled("app: fw", "")), FILTER_OK);
}
END_TEST

START_TEST(a_topology_wider_than_the_host_is_the_whole_cluster)
{
    begin_equal(3);
    const PodSpec *near = labelled("app: nsc", AFFINITY(TERM("zone", "")));
    ck_assert_int_eq(filter(1, near), FILTER_POD_AFFINITY);
    for (guint i = 0; i < 3; i++) {
        uint64_t uid = place(i, labelled("app: fw", ""));
        ck_assert_int_eq(filter(1, near), FILTER_OK);
        ck_assert_int_eq(filter(1, labelled("app: nsc", ANTI(TERM("zone", "")))),
                         FILTER_POD_ANTI_AFFINITY);
        placement_remove(&placement, nodes[i].name, uid);
    }
}
END_TEST

START_TEST(a_group_begins_once_in_the_whole_cluster)
{
    begin_equal(2);
    place(0, labelled("app: fw", ""));
    ck_assert_int_eq(filter(1, labelled("app: fw", AFFINITY(TERM(HOST, "")))), FILTER_POD_AFFINITY);
}
END_TEST

#define TWO_TERMS                                                                                  \
    "[{topologyKey: " HOST ", labelSelector: {matchLabels: {app: none}}}, "                        \
    "{topologyKey: " HOST ", labelSelector: {matchLabels: {app: fw}}}]"

START_TEST(every_term_counts)
{
    begin_equal(2);
    place(0, labelled("app: fw", ""));
    ck_assert_int_eq(filter(0, labelled("app: nsc", ANTI(TWO_TERMS))), FILTER_POD_ANTI_AFFINITY);
    ck_assert_int_eq(filter(0, labelled("app: nsc", AFFINITY(TWO_TERMS))), FILTER_POD_AFFINITY);
    place(1, labelled("app: other", ""));
    place(1, labelled("app: nse", ANTI(TWO_TERMS)));
    ck_assert_int_eq(filter(1, labelled("app: fw", "")), FILTER_EXISTING_ANTI_AFFINITY);
}
END_TEST

/* As a Pod's own terms do. */
START_TEST(existing_anti_affinity_of_a_wider_topology_keeps_away_from_the_whole_cluster)
{
    begin_equal(2);
    place(1, labelled("app: nse", ANTI(TERM("zone", ""))));
    ck_assert_int_eq(filter(1, labelled("app: fw", "")), FILTER_EXISTING_ANTI_AFFINITY);
    ck_assert_int_eq(filter(0, labelled("app: fw", "")), FILTER_EXISTING_ANTI_AFFINITY);
}
END_TEST

/* ---- what a failure says ---- */

START_TEST(a_failure_counts_the_nodes_by_reason)
{
    make_nodes(4);
    for (guint i = 0; i < 3; i++) {
        labels_set(&node_labels[i], "disk", "ssd");
    }
    begin(4);
    place(0, requesting("4", "1Gi"));
    place(1, requesting("4", "1Gi"));
    place(2, requesting("1", "8Gi"));
    static const char *const parts[] = {
        "0/4 nodes are available: ", "1 node(s) didn't match Pod's node affinity/selector",
        "2 Insufficient cpu", "1 Insufficient memory", NULL};
    assert_told(spec_of("  nodeSelector: {disk: ssd}\n"
                        "  containers: [{name: c, image: i:1, resources: "
                        "{requests: {cpu: 1, memory: 1Gi}}}]\n"),
                NULL, parts);
}
END_TEST

START_TEST(the_failure_of_a_daemon_sets_pod_counts_all_nodes)
{
    begin_equal(3);
    place(1, requesting("4", "1Gi"));
    static const char *const parts[] = {
        "0/3 nodes are available: ", "2 node(s) didn't match Pod's node affinity/selector",
        "1 Insufficient cpu", NULL};
    assert_told(requesting("1", "1Gi"), "node-1", parts);
}
END_TEST

START_TEST(a_node_that_does_not_exist_is_said_of_every_node)
{
    begin_equal(2);
    assert_refused(spec_of(BENCH_CONTAINER "  nodeName: node-9\n"), NULL,
                   "0/2 nodes are available: 2 node(s) didn't match the requested node name.");
    assert_refused(spec_of(NULL), "node-9",
                   "0/2 nodes are available: 2 node(s) didn't match Pod's node "
                   "affinity/selector.");
}
END_TEST

/* noderesources/fit.go fitsRequest */
START_TEST(all_that_a_node_lacks_is_told)
{
    begin_equal(1);
    assert_refused(requesting("5", "9Gi"), NULL,
                   "0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient memory.");
}
END_TEST

START_TEST(reasons_are_sorted)
{
    make_nodes(2);
    labels_set(&node_labels[1], "disk", "ssd");
    begin(2);
    place(1, requesting("4", "1Gi"));
    assert_refused(spec_of("  nodeSelector: {disk: ssd}\n"
                           "  containers: [{name: c, image: i:1, resources: "
                           "{requests: {cpu: 1, memory: 1Gi}}}]\n"),
                   NULL,
                   "0/2 nodes are available: 1 Insufficient cpu, "
                   "1 node(s) didn't match Pod's node affinity/selector.");
}
END_TEST

/* tainttoleration/taint_toleration.go */
START_TEST(the_taint_that_is_not_tolerated_is_named)
{
    static const Toleration taints[] = {
        {.key = (char *)"role", .value = (char *)"video", .effect = (char *)"NoSchedule"}};
    make_nodes(1);
    taint(0, taints, 1);
    begin(1);
    assert_refused(spec_of(NULL), NULL,
                   "0/1 nodes are available: 1 node(s) had untolerated taint {role: video}.");
}
END_TEST

/* ---- scores ---- */

START_TEST(the_least_allocated_node_is_chosen)
{
    begin_equal(3);
    place(0, requesting("2", "4Gi"));
    place(1, requesting("500m", "1Gi"));
    place(2, requesting("1", "2Gi"));
    ck_assert_int_eq(choose(requesting("100m", "200Mi")), 1);
}
END_TEST

START_TEST(allocation_is_a_share_of_the_nodes_own_size)
{
    make_nodes(2);
    nodes[1].cpu = 40000;
    nodes[1].memory = 80 * GI;
    begin(2);
    place(0, requesting("1", "2Gi")); /* a quarter of the small node */
    place(1, requesting("4", "8Gi")); /* a tenth of the large one */
    ck_assert_int_eq(choose(requesting("100m", "200Mi")), 1);
}
END_TEST

START_TEST(among_equally_full_nodes_the_balanced_one_is_chosen)
{
    begin_equal(2);
    place(0, requesting("800m", "6Gi"));     /* 20 % and 75 % */
    place(1, requesting("1900m", "3891Mi")); /* 47.5 % each: as full together */
    ck_assert_int_eq(choose(requesting("1m", "1Mi")), 1);
}
END_TEST

START_TEST(what_the_pod_itself_asks_for_counts)
{
    make_nodes(2);
    nodes[0].cpu = 1000;
    nodes[0].memory = 2 * GI;
    begin(2);
    place(1, requesting("1200m", "2400Mi")); /* 30 % each */
    ck_assert_int_eq(choose(requesting("900m", "1800Mi")), 1);
    ck_assert_int_eq(choose(requesting("900m", "1Mi")), 1);
    ck_assert_int_eq(choose(requesting("1m", "1800Mi")), 1);
    ck_assert_int_eq(choose(requesting("50m", "100Mi")), 0);
}
END_TEST

/* Loads a node with shares of its 4000m and 8192Mi. */
static void
load(guint node, double cpu, double memory)
{
    g_autofree char *milli = g_strdup_printf("%dm", (int)(cpu * 4000));
    g_autofree char *mebi = g_strdup_printf("%dMi", (int)(memory * 8192));
    place(node, requesting(milli, mebi));
}

/* LeastAllocated and BalancedAllocation have the same weight: 90 + 91 against 78 + 100, then
 * 80 + 82 against 66 + 100. */
START_TEST(fullness_and_balance_weigh_the_same)
{
    begin_equal(2);
    load(0, 0.01, 0.19);
    load(1, 0.22, 0.22);
    ck_assert_int_eq(choose(requesting("1m", "1Mi")), 0);
    placement_clear(&placement);
    begin(2);
    load(0, 0.02, 0.38);
    load(1, 0.34, 0.34);
    ck_assert_int_eq(choose(requesting("1m", "1Mi")), 1);
}
END_TEST

START_TEST(equal_nodes_are_taken_in_their_order)
{
    begin_equal(3);
    ck_assert_int_eq(choose(spec_of(NULL)), 0);
    ck_assert_int_eq(choose(spec_of(NULL)), 0);
}
END_TEST

START_TEST(a_soft_taint_outweighs_an_empty_node)
{
    static const Toleration taints[] = {
        {.key = (char *)"a", .value = (char *)"", .effect = (char *)"PreferNoSchedule"}};
    make_nodes(2);
    taint(0, taints, 1);
    begin(2);
    place(1, requesting("3900m", "1Gi"));
    ck_assert_int_eq(choose(requesting("100m", "1Mi")), 1);
    ck_assert_int_eq(choose(spec_of("  tolerations: [{key: a, operator: Exists}]\n"
                                    "  containers: [{name: c, image: i:1, resources: "
                                    "{requests: {cpu: 100m, memory: 1Mi}}}]\n")),
                     0);
}
END_TEST

START_TEST(the_fewer_soft_taints_the_better)
{
    static const Toleration taints[] = {
        {.key = (char *)"a", .value = (char *)"", .effect = (char *)"PreferNoSchedule"},
        {.key = (char *)"b", .value = (char *)"", .effect = (char *)"PreferNoSchedule"}};
    make_nodes(2);
    taint(0, taints, 2);
    taint(1, taints, 1);
    begin(2);
    ck_assert_int_eq(choose(spec_of(NULL)), 1);
}
END_TEST

#define PREFERRED "preferredDuringSchedulingIgnoredDuringExecution: "
#define PREFERS(text)                                                                              \
    spec_of(BENCH_CONTAINER "  affinity: {nodeAffinity: {" PREFERRED "[" text "]}}\n")
#define WEIGHT(weight, key)                                                                        \
    "{weight: " weight ", preference: {matchExpressions: [{key: " key ", operator: Exists}]}}"

START_TEST(a_preferred_node_outweighs_an_empty_one)
{
    make_nodes(2);
    labels_set(&node_labels[1], "fast", "yes");
    begin(2);
    place(1, requesting("3", "6Gi"));
    ck_assert_int_eq(choose(spec_of(NULL)), 0);
    ck_assert_int_eq(choose(PREFERS(WEIGHT("1", "fast"))), 1);
}
END_TEST

START_TEST(preferences_add_up_by_their_weights)
{
    make_nodes(3);
    labels_set(&node_labels[0], "a", "");
    labels_set(&node_labels[1], "b", "");
    labels_set(&node_labels[2], "b", "");
    labels_set(&node_labels[2], "c", "");
    begin(3);
    ck_assert_int_eq(choose(PREFERS(WEIGHT("50", "a") ", " WEIGHT("30", "b"))), 0);
    ck_assert_int_eq(
        choose(PREFERS(WEIGHT("50", "a") ", " WEIGHT("30", "b") ", " WEIGHT("30", "c"))), 2);
}
END_TEST

/* Weights 3 and 2 of the plugins: a soft taint costs more than a preferred node gains. */
START_TEST(a_soft_taint_outweighs_a_preferred_node)
{
    static const Toleration taints[] = {
        {.key = (char *)"a", .value = (char *)"", .effect = (char *)"PreferNoSchedule"}};
    make_nodes(2);
    taint(0, taints, 1);
    labels_set(&node_labels[0], "fast", "yes");
    begin(2);
    ck_assert_int_eq(choose(PREFERS(WEIGHT("100", "fast"))), 1);
}
END_TEST

#define WEIGHTED(weight, app)                                                                      \
    "[{weight: " weight ", podAffinityTerm: {topologyKey: " HOST                                   \
    ", labelSelector: {matchLabels: {app: " app "}}}}]"
#define PREFERRED_TERM(weight) WEIGHTED(weight, "fw")

START_TEST(a_pod_goes_where_those_are_whom_it_prefers)
{
    begin_equal(3);
    place(1, labelled("app: fw", ""));
    place(2, labelled("app: fw", ""));
    place(2, labelled("app: fw", ""));
    ck_assert_int_eq(
        choose(labelled("app: nsc",
                        "  affinity: {podAffinity: {" PREFERRED PREFERRED_TERM("1") "}}\n")),
        2);
    ck_assert_int_eq(
        choose(labelled("app: nsc",
                        "  affinity: {podAntiAffinity: {" PREFERRED PREFERRED_TERM("1") "}}\n")),
        0);
}
END_TEST

START_TEST(liking_and_disliking_weigh_the_same)
{
    const PodSpec *spec = labelled(
        "app: nsc", "  affinity: {podAffinity: {" PREFERRED WEIGHTED(
                        "10", "fw") "}, "
                                    "podAntiAffinity: {" PREFERRED WEIGHTED("10", "nse") "}}\n");
    for (guint both = 0; both < 2; both++) {
        make_nodes(2);
        begin(2);
        place(both, labelled("app: fw", ""));
        place(both, labelled("app: nse", ""));
        place(1 - both, spec_of(NULL));
        place(1 - both, spec_of(NULL));
        ck_assert_int_eq(choose(spec), 0);
        placement_clear(&placement);
    }
    begin(2);
}
END_TEST

#define LIKES_FAST_AND_FIREWALL                                                                    \
    "  affinity: {nodeAffinity: {" PREFERRED                                                       \
    "[" WEIGHT("1", "fast") "]}, podAffinity: {" PREFERRED PREFERRED_TERM("1") "}}\n"

START_TEST(a_preferred_node_and_a_preferred_pod_weigh_the_same)
{
    for (guint fast = 0; fast < 2; fast++) {
        make_nodes(2);
        labels_set(&node_labels[fast], "fast", "yes");
        begin(2);
        place(1 - fast, labelled("app: fw", ""));
        place(fast, spec_of(NULL));
        ck_assert_int_eq(choose(labelled("app: nsc", LIKES_FAST_AND_FIREWALL)), 0);
        placement_clear(&placement);
        labels_clear(&node_labels[fast]);
    }
    begin(2);
}
END_TEST

/* Weights 2 + 2 against 3. */
START_TEST(a_preferred_node_and_a_preferred_pod_together_outweigh_a_soft_taint)
{
    static const Toleration taints[] = {
        {.key = (char *)"a", .value = (char *)"", .effect = (char *)"PreferNoSchedule"}};
    make_nodes(2);
    taint(1, taints, 1);
    labels_set(&node_labels[1], "fast", "yes");
    begin(2);
    place(1, labelled("app: fw", ""));
    ck_assert_int_eq(choose(labelled("app: nsc", LIKES_FAST_AND_FIREWALL)), 1);
}
END_TEST

START_TEST(preferred_affinity_never_forbids)
{
    begin_equal(1);
    place(0, labelled("app: fw", ""));
    ck_assert_int_eq(
        choose(labelled("app: fw",
                        "  affinity: {podAntiAffinity: {" PREFERRED PREFERRED_TERM("100") "}}\n")),
        0);
}
END_TEST

START_TEST(pods_without_requests_are_spread)
{
    begin_equal(2);
    const PodSpec *spec = spec_of(NULL);
    place(0, spec);
    ck_assert_int_eq(choose(spec), 1);
}
END_TEST

/* ---- large clusters: numFeasibleNodesToFind ---- */

/* How many nodes a search of n feasible ones looks at. */
static guint
searched(guint n)
{
    begin_equal(n);
    choose(spec_of(NULL));
    return placement.next_start;
}

START_TEST(up_to_100_nodes_are_all_looked_at)
{
    begin_equal(100);
    for (guint i = 0; i < 99; i++) {
        place(i, requesting("100m", "200Mi"));
    }
    ck_assert_int_eq(choose(spec_of(NULL)), 99);
    ck_assert_int_eq(choose(spec_of(NULL)), 99);
}
END_TEST

START_TEST(of_101_nodes_100_are_looked_at)
{
    ck_assert_uint_eq(searched(101), 100);
}
END_TEST

START_TEST(of_1000_nodes_420_are_looked_at)
{
    ck_assert_uint_eq(searched(1000), 420);
}
END_TEST

START_TEST(of_5000_nodes_a_tenth_is_looked_at)
{
    ck_assert_uint_eq(searched(5000), 500);
}
END_TEST

START_TEST(of_6000_nodes_a_twentieth_is_looked_at)
{
    ck_assert_uint_eq(searched(6000), 300);
}
END_TEST

START_TEST(of_6400_nodes_a_twentieth_is_looked_at)
{
    ck_assert_uint_eq(searched(6400), 320);
}
END_TEST

START_TEST(the_next_search_goes_on_where_the_last_one_ended)
{
    begin_equal(150);
    const PodSpec *spec = requesting("100m", "200Mi");
    ck_assert_int_eq(choose(spec), 0);
    ck_assert_int_eq(choose(spec), 100); /* 100 .. 149, 0 .. 49 */
    ck_assert_int_eq(choose(spec), 50);
    ck_assert_uint_eq(placement.next_start, 0);
}
END_TEST

START_TEST(only_feasible_nodes_count_towards_the_limit)
{
    begin_equal(150);
    for (guint i = 0; i < 30; i++) {
        place(i, requesting("4", "1Gi"));
    }
    ck_assert_int_eq(choose(requesting("100m", "200Mi")), 30);
    ck_assert_uint_eq(placement.next_start, 130);
}
END_TEST

/* ---- accounting ---- */

START_TEST(a_pod_that_leaves_gives_all_back)
{
    begin_equal(1);
    uint64_t first = place(0, requesting("1", "1Gi"));
    uint64_t second = place(0, requesting("2", "2Gi"));
    placement_remove(&placement, "node-0", first);
    ck_assert_int_eq(placement.states[0].cpu, 2000);
    ck_assert_int_eq(placement.states[0].memory, 2 * GI);
    ck_assert_uint_eq(placement.states[0].pods->len, 1);
    placement_remove(&placement, "node-0", first); /* is not there any more */
    placement_remove(&placement, "node-9", second);
    ck_assert_uint_eq(placement.states[0].pods->len, 1);
    placement_remove(&placement, "node-0", second);
    ck_assert_int_eq(placement.states[0].cpu, 0);
    ck_assert_int_eq(placement.states[0].memory, 0);
}
END_TEST

START_TEST(a_placed_pods_object_is_kept_until_it_leaves)
{
    begin_equal(1);
    ApiObject *object = bench_pod(&bench, "p", NULL);
    PlacedPod placed = {7, object->ns, object->pod, api_object_ref(object), 0, false};
    placement_add(&placement, "node-0", &placed);
    ck_assert_int_eq(object->n_refs, 2);
    placement_remove(&placement, "node-0", 7);
    ck_assert_int_eq(object->n_refs, 1);
}
END_TEST

START_TEST(a_pod_on_an_unknown_node_is_not_kept)
{
    begin_equal(1);
    ApiObject *object = bench_pod(&bench, "p", NULL);
    PlacedPod placed = {7, object->ns, object->pod, api_object_ref(object), 0, false};
    placement_add(&placement, "node-9", &placed);
    ck_assert_int_eq(object->n_refs, 1);
}
END_TEST

/* ---- DaemonSets ---- */

START_TEST(a_daemon_set_wants_the_nodes_that_its_pods_may_live_on)
{
    static const Toleration taints[] = {
        {.key = (char *)"role", .value = (char *)"", .effect = (char *)"NoSchedule"}};
    make_nodes(3);
    labels_set(&node_labels[1], "disk", "ssd");
    taint(2, taints, 1);
    const PodSpec *any = spec_of(NULL);
    const PodSpec *ssd = spec_of(BENCH_CONTAINER "  nodeSelector: {disk: ssd}\n");
    const PodSpec *named = spec_of(BENCH_CONTAINER "  nodeName: node-0\n");
    ck_assert(placement_daemon_fits(any, &nodes[0]));
    ck_assert(!placement_daemon_fits(any, &nodes[2]));
    ck_assert(placement_daemon_fits(TOLERATES("{operator: Exists}"), &nodes[2]));
    ck_assert(!placement_daemon_fits(ssd, &nodes[0]));
    ck_assert(placement_daemon_fits(ssd, &nodes[1]));
    ck_assert(placement_daemon_fits(named, &nodes[0]));
    ck_assert(!placement_daemon_fits(named, &nodes[1]));
    begin(3);
}
END_TEST

static TCase *
filters_case(void)
{
    TCase *filters = tcase_create("filters");
    tcase_add_test(filters, a_pod_fits_on_an_empty_node);
    tcase_add_test(filters, a_node_name_fits_its_node_only);
    tcase_add_test(filters, a_hard_taint_must_be_tolerated_by_key_value_and_effect);
    tcase_add_test(filters, every_hard_taint_counts_and_a_soft_one_does_not);
    tcase_add_test(filters, a_node_selector_needs_all_its_labels);
    tcase_add_test(filters, terms_of_node_affinity_are_alternatives_and_their_requirements_are_not);
    tcase_add_test(filters, a_daemon_sets_pod_goes_to_its_own_node);
    tcase_add_test(filters, a_host_port_is_given_once_per_node_and_protocol);
    tcase_add_test(filters, every_port_of_every_container_of_every_pod_counts);
    tcase_add_test(filters, on_the_hosts_network_every_port_is_the_hosts);
    tcase_add_test(filters, cpu_is_reserved_to_the_last_milli_core);
    tcase_add_test(filters, memory_is_reserved_to_the_last_byte);
    tcase_add_test(filters, a_pod_without_requests_fits_on_a_full_node);
    tcase_add_test(filters, a_limit_without_request_is_reserved);
    tcase_add_test(filters, the_largest_init_container_is_reserved_when_it_asks_for_more);
    tcase_add_test(filters, a_node_takes_110_pods_and_not_one_more);
    tcase_add_test(filters, a_failure_counts_the_nodes_by_reason);
    tcase_add_test(filters, the_failure_of_a_daemon_sets_pod_counts_all_nodes);
    tcase_add_test(filters, a_node_that_does_not_exist_is_said_of_every_node);
    tcase_add_test(filters, all_that_a_node_lacks_is_told);
    tcase_add_test(filters, reasons_are_sorted);
    tcase_add_test(filters, the_taint_that_is_not_tolerated_is_named);
    return filters;
}

static TCase *
affinity_case(void)
{
    TCase *affinity = tcase_create("affinity");
    tcase_add_test(affinity, affinity_needs_a_pod_that_matches_on_the_same_node);
    tcase_add_test(affinity, the_first_pod_of_a_group_that_selects_itself_goes_anywhere);
    tcase_add_test(affinity, a_term_looks_into_the_pods_own_namespace_unless_it_names_others);
    tcase_add_test(affinity, anti_affinity_avoids_the_nodes_of_its_like);
    tcase_add_test(affinity, who_is_there_keeps_those_away_whom_its_anti_affinity_names);
    tcase_add_test(affinity, existing_anti_affinity_looks_into_the_namespace_of_its_owner);
    tcase_add_test(affinity, a_topology_wider_than_the_host_is_the_whole_cluster);
    tcase_add_test(affinity, a_group_begins_once_in_the_whole_cluster);
    tcase_add_test(affinity, every_term_counts);
    tcase_add_test(affinity,
                   existing_anti_affinity_of_a_wider_topology_keeps_away_from_the_whole_cluster);
    return affinity;
}

/* ---- spreading ---- */

#define OWNER 7

static uint64_t
place_owned(guint node)
{
    PlacedPod placed = {.uid = ++last_uid, .ns = "default", .spec = spec_of(NULL), .owner = OWNER};
    placement_add(&placement, nodes[node].name, &placed);
    return last_uid;
}

static int
choose_owned(void)
{
    PodToPlace pod = {.ns = "default", .spec = spec_of(NULL), .owner = OWNER};
    g_autofree char *message = NULL;
    return (int)(placement_choose(&placement, &pod, &message) - nodes);
}

/* Node 0 is empty but for two of the Pod's like, node 1 is fuller. */
START_TEST(pods_of_one_owner_are_spread_over_nodes)
{
    begin_equal(2);
    place_owned(0);
    place_owned(0);
    for (guint i = 0; i < 4; i++) {
        place(1, spec_of(NULL));
    }
    ck_assert_int_eq(choose(spec_of(NULL)), 0);
    ck_assert_int_eq(choose_owned(), 1);
}
END_TEST

START_TEST(who_is_leaving_does_not_count_for_spreading)
{
    begin_equal(2);
    uint64_t first = place_owned(0);
    uint64_t second = place_owned(0);
    for (guint i = 0; i < 4; i++) {
        place(1, spec_of(NULL));
    }
    placement_set_leaving(&placement, "node-0", first);
    placement_set_leaving(&placement, "node-0", second);
    ck_assert_int_eq(choose_owned(), 0);
}
END_TEST

START_TEST(pods_of_one_owner_are_spread_over_zones)
{
    make_nodes(3);
    labels_set(&node_labels[0], "topology.kubernetes.io/zone", "a");
    labels_set(&node_labels[1], "topology.kubernetes.io/zone", "a");
    labels_set(&node_labels[2], "topology.kubernetes.io/zone", "b");
    begin(3);
    for (guint i = 0; i < 3; i++) {
        place_owned(1);
    }
    place(2, spec_of(NULL));
    ck_assert_int_eq(choose(spec_of(NULL)), 0);
    ck_assert_int_eq(choose_owned(), 2);
}
END_TEST

static TCase *
scores_case(void)
{
    TCase *scores = tcase_create("scores");
    tcase_add_test(scores, the_least_allocated_node_is_chosen);
    tcase_add_test(scores, pods_of_one_owner_are_spread_over_nodes);
    tcase_add_test(scores, who_is_leaving_does_not_count_for_spreading);
    tcase_add_test(scores, pods_of_one_owner_are_spread_over_zones);
    tcase_add_test(scores, allocation_is_a_share_of_the_nodes_own_size);
    tcase_add_test(scores, among_equally_full_nodes_the_balanced_one_is_chosen);
    tcase_add_test(scores, what_the_pod_itself_asks_for_counts);
    tcase_add_test(scores, fullness_and_balance_weigh_the_same);
    tcase_add_test(scores, equal_nodes_are_taken_in_their_order);
    tcase_add_test(scores, a_soft_taint_outweighs_an_empty_node);
    tcase_add_test(scores, the_fewer_soft_taints_the_better);
    tcase_add_test(scores, a_preferred_node_outweighs_an_empty_one);
    tcase_add_test(scores, preferences_add_up_by_their_weights);
    tcase_add_test(scores, a_soft_taint_outweighs_a_preferred_node);
    tcase_add_test(scores, a_pod_goes_where_those_are_whom_it_prefers);
    tcase_add_test(scores, liking_and_disliking_weigh_the_same);
    tcase_add_test(scores, a_preferred_node_and_a_preferred_pod_weigh_the_same);
    tcase_add_test(scores, a_preferred_node_and_a_preferred_pod_together_outweigh_a_soft_taint);
    tcase_add_test(scores, preferred_affinity_never_forbids);
    tcase_add_test(scores, pods_without_requests_are_spread);
    return scores;
}

static TCase *
others_case(void)
{
    TCase *others = tcase_create("clusters");
    tcase_add_test(others, up_to_100_nodes_are_all_looked_at);
    tcase_add_test(others, of_101_nodes_100_are_looked_at);
    tcase_add_test(others, of_1000_nodes_420_are_looked_at);
    tcase_add_test(others, of_5000_nodes_a_tenth_is_looked_at);
    tcase_add_test(others, of_6000_nodes_a_twentieth_is_looked_at);
    tcase_add_test(others, of_6400_nodes_a_twentieth_is_looked_at);
    tcase_add_test(others, the_next_search_goes_on_where_the_last_one_ended);
    tcase_add_test(others, only_feasible_nodes_count_towards_the_limit);
    tcase_add_test(others, a_pod_that_leaves_gives_all_back);
    tcase_add_test(others, a_placed_pods_object_is_kept_until_it_leaves);
    tcase_add_test(others, a_pod_on_an_unknown_node_is_not_kept);
    tcase_add_test(others, a_daemon_set_wants_the_nodes_that_its_pods_may_live_on);
    return others;
}

int
main(void)
{
    Suite *suite = suite_create("placement");
    TCase *const cases[] = {filters_case(), affinity_case(), scores_case(), others_case()};
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        tcase_add_checked_fixture(cases[i], setup, teardown);
        suite_add_tcase(suite, cases[i]);
    }
    return bench_run_suite(suite);
}
