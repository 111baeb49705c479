/* Reading scenarios: every key, every refusal with its place, the search for files, `--set`. */
#include "models/scenario.h"

#include "tests/models/scratch.h"

/* A cluster of two nodes and a Deployment; what a test changes is in the arguments. */
#define HEAD "apiVersion: vwire/v1alpha1\nkind: Scenario\nmetadata: {name: small}\nspec:\n"
#define CLUSTER                                                                                    \
    "  cluster:\n"                                                                                 \
    "    nodes:\n"                                                                                 \
    "    - {name: one, roles: [control-plane], allocatable: {cpu: \"40\", memory: 64Gi}}\n"        \
    "    - {name: two, roles: [worker], allocatable: {cpu: 1500m, memory: 1Gi, pods: 20}}\n"       \
    "    links:\n"                                                                                 \
    "    - {endpoints: [\"one:eno1\", \"two:eno2\"], rate: 1gbit, latency: 150us, jitter: 20us}\n"
#define REST "  duration: 20m\n  calibration: calibration.yaml\n"
#define MANIFESTS "  manifests:\n  - path: app.yaml\n"
#define APP                                                                                        \
    "apiVersion: apps/v1\n"                                                                        \
    "kind: Deployment\n"                                                                           \
    "metadata: {name: nse, namespace: ns-a}\n"                                                     \
    "spec:\n"                                                                                      \
    "  selector: {matchLabels: {app: nse}}\n"                                                      \
    "  template:\n"                                                                                \
    "    metadata: {labels: {app: nse}}\n"                                                         \
    "    spec:\n"                                                                                  \
    "      containers:\n"                                                                          \
    "      - name: nse\n"                                                                          \
    "        image: nse:v1\n"                                                                      \
    "        env: [{name: NSM_LABELS, value: \"app:nse\"}, {name: NSM_N, value: \"1\"}]\n"         \
    "        resources: {limits: {cpu: 200m}}\n"                                                   \
    "      - {name: side, image: \"side:v1\"}\n"

static void
write_files(const char *spec)
{
    g_autofree char *text = g_strconcat(HEAD, spec, NULL);
    scratch_write_calibration("calibration.yaml", "");
    scratch_write("app.yaml", APP);
    scratch_write("s.yaml", text);
}

static Scenario *
load(const ScenarioOptions *options, GError **error)
{
    g_autofree char *path = scratch_path("s.yaml");
    return scenario_load(path, options, error);
}

static Scenario *
load_good(const char *spec)
{
    g_autoptr(GError) error = NULL;
    write_files(spec);
    Scenario *scenario = load(NULL, &error);
    ck_assert_msg(scenario != NULL, "%s", error != NULL ? error->message : "");
    return scenario;
}

static void
expect_error(const char *spec, VwireError code, const char *expected)
{
    g_autoptr(GError) error = NULL;
    write_files(spec);
    g_autoptr(Scenario) scenario = load(NULL, &error);
    ck_assert_msg(scenario == NULL, "no error for %s", spec);
    check_error(&error, code, expected);
}

/* The small scenario with changes. */
static Scenario *
load_set(const char *const *sets, GError **error)
{
    const ScenarioOptions options = {.sets = sets};
    write_files(REST CLUSTER MANIFESTS);
    return load(&options, error);
}

static Scenario *
load_set_good(const char *const *sets)
{
    g_autoptr(GError) error = NULL;
    Scenario *scenario = load_set(sets, &error);
    ck_assert_msg(scenario != NULL, "%s", error != NULL ? error->message : "");
    return scenario;
}

/* The error names the change and says `expected`. */
static void
expect_set_error(const char *set, const char *expected)
{
    const char *const sets[] = {set, NULL};
    g_autoptr(GError) error = NULL;
    g_autofree char *named = g_strdup_printf("--set %s:", set);
    g_autoptr(Scenario) scenario = load_set(sets, &error);
    ck_assert_msg(scenario == NULL, "no error for --set %s", set);
    ck_assert_msg(g_str_has_prefix(error->message, named), "%s", error->message);
    ck_assert_msg(strstr(error->message, expected) != NULL, "%s", error->message);
}

static const Object *
find_in(const GPtrArray *objects, const char *name)
{
    for (guint i = 0; i < objects->len; i++) {
        const Object *object = objects->pdata[i];
        if (g_str_equal(object->name, name)) {
            return object;
        }
    }
    return NULL;
}

static const Object *
find_object(const Scenario *scenario, const char *name)
{
    const Object *found = NULL;
    for (guint i = 0; found == NULL && i < scenario->n_manifests; i++) {
        found = find_in(scenario->manifests[i].objects, name);
    }
    ck_assert_msg(found != NULL, "no object %s", name);
    return found;
}

static const ContainerSpec *
find_container(const Scenario *scenario, guint index)
{
    return &find_object(scenario, "nse")->workload->template->containers[index];
}

/* ------ the document ------ */

START_TEST(a_small_scenario_is_read_with_its_defaults)
{
    g_autoptr(Scenario) scenario = load_good(REST CLUSTER MANIFESTS);
    ck_assert_str_eq(scenario->name, "small");
    ck_assert_int_eq(scenario->duration, 1200 * NSEC_PER_SEC);
    ck_assert_str_eq(scenario->calibration->name, "whole");
    ck_assert_int_eq(scenario->replications.count, 1);
    ck_assert_int_eq(scenario->replications.max, 100);
    ck_assert(scenario->replications.seed_set_repetition);
    ck_assert_double_eq(scenario->replications.confidence, 0.95);
    ck_assert_double_eq(scenario->replications.relative_precision, 0);
    ck_assert_str_eq(scenario->output_dir, "results/small");
    ck_assert(scenario->output_runs && scenario->output_events);
    ck_assert_uint_eq(scenario->n_thresholds, 0);
    ck_assert_uint_eq(scenario->n_manifests, 1);
    ck_assert_int_eq(scenario->manifests[0].start_time, 0);
    ck_assert_int_eq(find_object(scenario, "nse")->kind, OBJECT_DEPLOYMENT);
    ck_assert_uint_eq(scenario->warnings->len, 0);
}
END_TEST

START_TEST(an_unknown_key_is_an_error_with_place_and_suggestion)
{
    expect_error("  duratoin: 1m\n", VWIRE_ERROR_PARSE,
                 "s.yaml:5:3: unknown field \"duratoin\" in spec; did you mean \"duration\"?");
    expect_error(REST CLUSTER "  replications: {cont: 3}\n", VWIRE_ERROR_PARSE,
                 "did you mean \"count\"?");
    expect_error(REST "  cluster: {node: []}\n", VWIRE_ERROR_PARSE, "did you mean \"nodes\"?");
    expect_error(REST CLUSTER "    - {endpoints: [a, b], ratte: 1gbit}\n", VWIRE_ERROR_PARSE,
                 "did you mean \"rate\"?");
    expect_error(REST CLUSTER "  outputs: {dirr: x}\n", VWIRE_ERROR_PARSE, "did you mean \"dir\"?");
    expect_error(REST CLUSTER "  manifests: [{path: app.yaml, count: 3}]\n", VWIRE_ERROR_PARSE,
                 "unknown field \"count\"");
    expect_error(REST CLUSTER "extra: 1\n", VWIRE_ERROR_PARSE, "unknown field \"extra\"");
}
END_TEST

START_TEST(what_is_required_is_missed)
{
    expect_error("  calibration: calibration.yaml\n" CLUSTER, VWIRE_ERROR_INVALID,
                 "spec has no \"duration\"");
    expect_error("  duration: 1m\n" CLUSTER, VWIRE_ERROR_INVALID, "spec has no \"calibration\"");
    expect_error(REST, VWIRE_ERROR_INVALID, "spec has no \"cluster\"");
    expect_error(REST "  cluster: {links: []}\n", VWIRE_ERROR_INVALID,
                 "spec.cluster has no \"nodes\"");
    expect_error(REST "  cluster: {nodes: []}\n", VWIRE_ERROR_INVALID, "at least one node");
    expect_error(REST CLUSTER "  manifests: [{startTime: 1s}]\n", VWIRE_ERROR_INVALID,
                 "the manifest has no \"path\"");
    expect_error("  duration: 0s\n  calibration: calibration.yaml\n" CLUSTER, VWIRE_ERROR_INVALID,
                 "s.yaml:5:13: duration: found 0s");
    expect_error("  duration: 5x\n  calibration: calibration.yaml\n" CLUSTER, VWIRE_ERROR_PARSE,
                 "s.yaml:5:13: ");
    expect_error("  duration:\n  calibration: calibration.yaml\n" CLUSTER, VWIRE_ERROR_PARSE,
                 "found nothing");
}
END_TEST

START_TEST(what_later_versions_will_do_is_refused_unless_it_is_empty)
{
    expect_error(REST CLUSTER "  sweep: {a: 1}\n", VWIRE_ERROR_UNSUPPORTED,
                 "s.yaml:13:3: spec.sweep is not supported by this version");
    expect_error(REST CLUSTER "  emulation: {a: 1}\n", VWIRE_ERROR_UNSUPPORTED, "spec.emulation");
    expect_error(REST CLUSTER "  warmupPeriod: 1m\n", VWIRE_ERROR_UNSUPPORTED, "spec.warmupPeriod");
    g_autoptr(Scenario) scenario =
        load_good(REST CLUSTER "  faults: []\n  traffic: {}\n  sweep:\n  warmupPeriod: \"\"\n");
    ck_assert_str_eq(scenario->name, "small");
}
END_TEST

START_TEST(names_are_fit_for_files)
{
    static const char *const BAD[] = {"../x", "a/b", "-a", ".", "\"\"", "a b", "[a]", "7"};
    for (guint i = 0; i < G_N_ELEMENTS(BAD); i++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *text = g_strdup_printf("apiVersion: vwire/v1alpha1\nkind: Scenario\n"
                                                "metadata: {name: %s}\nspec: {}\n",
                                                BAD[i]);
        scratch_write("s.yaml", text);
        g_autoptr(Scenario) scenario = load(NULL, &error);
        ck_assert_msg(scenario == NULL, "%s", BAD[i]);
        ck_assert_msg(strstr(error->message, "s.yaml:3:18: ") != NULL ||
                          strstr(error->message, "is empty") != NULL,
                      "%s", error->message);
    }
}
END_TEST

START_TEST(metadata_has_labels)
{
    scratch_write("s.yaml", "apiVersion: vwire/v1alpha1\nkind: Scenario\n"
                            "metadata: {name: x, labels: {suite: nightly}}\nspec: {}\n");
    g_autoptr(GError) error = NULL;
    g_autoptr(Scenario) none = load(NULL, &error);
    ck_assert_ptr_null(none);
    check_error(&error, VWIRE_ERROR_INVALID, "spec has no \"duration\"");
    static const char *const SETS[] = {"metadata.labels.suite=nightly", "metadata.labels[a.b/c]=1",
                                       NULL};
    g_autoptr(Scenario) scenario = load_set_good(SETS);
    ck_assert_str_eq(labels_get(&scenario->labels, "suite"), "nightly");
    ck_assert_str_eq(labels_get(&scenario->labels, "a.b/c"), "1");
}
END_TEST

/* ------ cluster ------ */

START_TEST(nodes_have_resources_labels_and_taints)
{
    g_autoptr(Scenario) scenario = load_good(
        REST
        "  cluster:\n    nodes:\n"
        "    - name: one\n"
        "      roles: [control-plane, worker]\n"
        "      allocatable: {cpu: 1500m, memory: 64Gi}\n"
        "      labels: {zone: a, kubernetes.io/os: other}\n"
        "      taints: [{key: k, effect: NoSchedule}, {key: l, value: v, effect: NoExecute}]\n");
    ck_assert_uint_eq(scenario->n_nodes, 1);
    const ScenarioNode *node = &scenario->nodes[0];
    ck_assert_str_eq(node->name, "one");
    ck_assert(node->control_plane);
    ck_assert_int_eq(node->cpu, 1500);
    ck_assert_int_eq(node->memory, INT64_C(64) << 30);
    ck_assert_int_eq(node->pods, 110);
    ck_assert_str_eq(labels_get(&node->labels, "zone"), "a");
    ck_assert_str_eq(labels_get(&node->labels, "kubernetes.io/hostname"), "one");
    ck_assert_str_eq(labels_get(&node->labels, "kubernetes.io/os"), "other");
    ck_assert_str_eq(labels_get(&node->labels, "node-role.kubernetes.io/control-plane"), "");
    ck_assert_uint_eq(node->n_taints, 2);
    ck_assert_str_eq(node->taints[0].key, "k");
    ck_assert_str_eq(node->taints[0].value, "");
    ck_assert_str_eq(node->taints[1].value, "v");
    ck_assert_str_eq(node->taints[1].effect, "NoExecute");
    ck_assert_int_eq(node->mark.line, 9);
}
END_TEST

START_TEST(a_count_makes_numbered_nodes)
{
    g_autoptr(Scenario) scenario =
        load_good(REST "  cluster:\n    defaultLink: {latency: 1ms}\n    nodes:\n"
                       "    - {name: worker, count: 3, allocatable: {cpu: 4, memory: 8Gi},\n"
                       "       taints: [{key: k, effect: NoExecute}]}\n"
                       "    - {name: master, allocatable: {cpu: 4, memory: 8Gi}}\n");
    ck_assert_uint_eq(scenario->n_nodes, 4);
    ck_assert_str_eq(scenario->nodes[0].name, "worker-1");
    ck_assert_str_eq(scenario->nodes[2].name, "worker-3");
    ck_assert_str_eq(scenario->nodes[3].name, "master");
    ck_assert_str_eq(labels_get(&scenario->nodes[2].labels, "kubernetes.io/hostname"), "worker-3");
    ck_assert_str_eq(scenario->nodes[1].taints[0].key, "k");
    ck_assert(!scenario->nodes[0].control_plane);
}
END_TEST

START_TEST(links_have_rate_latency_jitter_and_loss)
{
    g_autoptr(Scenario) scenario = load_good(REST CLUSTER "    defaultLink: {loss: 0.1%}\n");
    ck_assert_uint_eq(scenario->n_links, 1);
    const ScenarioLink *link = &scenario->links[0];
    ck_assert_str_eq(link->node_a, "one");
    ck_assert_str_eq(link->interface_a, "eno1");
    ck_assert_str_eq(link->node_b, "two");
    ck_assert_str_eq(link->interface_b, "eno2");
    ck_assert_int_eq(link->rate, INT64_C(1000000000));
    ck_assert_int_eq(link->latency, 150 * NSEC_PER_USEC);
    ck_assert_int_eq(link->jitter, 20 * NSEC_PER_USEC);
    ck_assert_double_eq(link->loss, 0);
    ck_assert(scenario->has_default_link);
    ck_assert_int_eq(scenario->default_link.rate, 0);
    ck_assert_double_eq_tol(scenario->default_link.loss, 0.001, 1e-12);
}
END_TEST

START_TEST(bad_nodes_are_refused)
{
    static const char *const CASES[][2] = {
        {"{allocatable: {cpu: 1, memory: 1Gi}}", "the node has no \"name\""},
        {"{name: a}", "the node has no \"allocatable\""},
        {"{name: a, allocatable: {memory: 1Gi}}", "allocatable has no \"cpu\""},
        {"{name: a, allocatable: {cpu: 1}}", "allocatable has no \"memory\""},
        {"{name: a, allocatable: {cpu: 0, memory: 1Gi}}", "cpu: found \"0\"; expected more than 0"},
        {"{name: a, allocatable: {cpu: 1x, memory: 1Gi}}", "s.yaml:9:36: cpu: "},
        {"{name: a, allocatable: {cpu: [1], memory: 1Gi}}", "cpu: found a sequence"},
        {"{name: a, allocatable: {cpu: , memory: 1Gi}}", "cpu: found nothing"},
        {"{name: A, allocatable: {cpu: 1, memory: 1Gi}}", "the node name \"A\""},
        {"{name: a-, allocatable: {cpu: 1, memory: 1Gi}}", "the node name \"a-\""},
        {"{name: a..b, allocatable: {cpu: 1, memory: 1Gi}}", "the node name \"a..b\""},
        {"{name: m, roles: [master], allocatable: {cpu: 1, memory: 1Gi}}", "the role \"master\""},
        {"{name: m, roles: worker, allocatable: {cpu: 1, memory: 1Gi}}", "expected a sequence"},
        {"{name: m, count: 0, allocatable: {cpu: 1, memory: 1Gi}}", "from 1 to 10000"},
        {"{name: m, taints: [{key: k}], allocatable: {cpu: 1, memory: 1Gi}}", "no \"effect\""},
        {"{name: m, taints: [{effect: NoExecute}], allocatable: {cpu: 1, memory: 1}}",
         "no \"key\""},
        {"{name: m, taints: [{key: k, effect: Never}], allocatable: {cpu: 1, memory: 1}}",
         "the effect \"Never\""},
        {"{name: m, labels: {a: 1}, allocatable: {cpu: 1, memory: 1Gi}}", "expected a string"},
        {"n", "node: found"},
    };
    for (guint i = 0; i < G_N_ELEMENTS(CASES); i++) {
        g_autofree char *spec =
            g_strdup_printf(REST "  cluster:\n    nodes:\n    - %s\n", CASES[i][0]);
        g_autoptr(GError) error = NULL;
        write_files(spec);
        g_autoptr(Scenario) scenario = load(NULL, &error);
        ck_assert_msg(scenario == NULL, "%s", CASES[i][0]);
        ck_assert_msg(strstr(error->message, CASES[i][1]) != NULL, "%s", error->message);
        ck_assert_msg(strstr(error->message, "s.yaml:9:") != NULL, "%s", error->message);
    }
}
END_TEST

START_TEST(a_node_name_is_given_once)
{
    expect_error(REST "  cluster:\n    nodes:\n"
                      "    - {name: a-2, allocatable: {cpu: 1, memory: 1Gi}}\n"
                      "    - {name: a, count: 3, allocatable: {cpu: 1, memory: 1Gi}}\n",
                 VWIRE_ERROR_INVALID, "s.yaml:10:14: a second node named \"a-2\"");
}
END_TEST

START_TEST(bad_links_are_refused)
{
    static const char *const CASES[][2] = {
        {"{rate: 1gbit}", "the link has no \"endpoints\""},
        {"{endpoints: [\"one:a\"]}", "found 1; expected two"},
        {"{endpoints: [one, \"two:a\"]}", "expected \"node:interface\""},
        {"{endpoints: [\"one:\", \"two:a\"]}", "expected \"node:interface\""},
        {"{endpoints: [\"one:a\", \"three:a\"]}", "found the node \"three\"; no such node"},
        {"{endpoints: [\"one:a\", \"one:b\"]}", "a link from \"one\" to itself"},
        {"{endpoints: [\"two:a\", \"one:b\"]}", "a second link between \"two\" and \"one\""},
        {"{endpoints: one}", "expected a sequence"},
    };
    for (guint i = 0; i < G_N_ELEMENTS(CASES); i++) {
        g_autofree char *spec = g_strdup_printf(REST CLUSTER "    - %s\n", CASES[i][0]);
        g_autoptr(GError) error = NULL;
        write_files(spec);
        g_autoptr(Scenario) scenario = load(NULL, &error);
        ck_assert_msg(scenario == NULL, "%s", CASES[i][0]);
        ck_assert_msg(strstr(error->message, CASES[i][1]) != NULL, "%s", error->message);
        ck_assert_msg(strstr(error->message, "s.yaml:13:") != NULL, "%s", error->message);
    }
}
END_TEST

START_TEST(bad_rates_delays_and_losses_are_refused)
{
    static const char *const CASES[][2] = {
        {"rate: 1xbit", "rate: "},
        {"rate: 0", "expected more than 0"},
        {"latency: 5", "no unit"},
        {"latency: -5ms", "not negative"},
        {"jitter: [1]", "a duration"},
        {"loss: 1.5", "loss: found \"1.5\""},
        {"loss: 101%", "a share"},
        {"loss: -0.1", "a share"},
        {"loss: 5%%", "a share"},
        {"loss: nan", "a share"},
        {"loss: some", "a share"},
        {"delay: 5ms", "unknown field \"delay\""},
        {"endpoints: []", "unknown field \"endpoints\""},
    };
    for (guint i = 0; i < G_N_ELEMENTS(CASES); i++) {
        g_autofree char *spec =
            g_strdup_printf(REST CLUSTER "    defaultLink: {%s}\n", CASES[i][0]);
        g_autoptr(GError) error = NULL;
        write_files(spec);
        g_autoptr(Scenario) scenario = load(NULL, &error);
        ck_assert_msg(scenario == NULL, "%s", CASES[i][0]);
        ck_assert_msg(strstr(error->message, CASES[i][1]) != NULL, "%s", error->message);
        ck_assert_msg(strstr(error->message, "s.yaml:13:") != NULL, "%s", error->message);
    }
}
END_TEST

START_TEST(a_pair_of_nodes_without_a_link_is_named)
{
    static const char THREE[] = "  cluster:\n    nodes:\n"
                                "    - {name: a, count: 3, allocatable: {cpu: 1, memory: 1Gi}}\n"
                                "    links:\n    - {endpoints: [\"a-1:e\", \"a-2:e\"]}\n"
                                "    - {endpoints: [\"a-3:e\", \"a-1:e\"]}\n";
    g_autofree char *missing = g_strconcat(REST, THREE, NULL);
    expect_error(missing, VWIRE_ERROR_INVALID,
                 "no link between \"a-2\" and \"a-3\"; expected one, or a defaultLink");
    g_autofree char *linked =
        g_strconcat(REST, THREE, "    - {endpoints: [\"a-3:e\", \"a-2:e\"]}\n", NULL);
    g_autoptr(Scenario) scenario = load_good(linked);
    ck_assert_uint_eq(scenario->n_links, 3);
    ck_assert(!scenario->has_default_link);
}
END_TEST

START_TEST(one_node_needs_no_link)
{
    g_autoptr(Scenario) scenario = load_good(
        REST "  cluster: {nodes: [{name: a, allocatable: {cpu: 1, memory: 1Gi}}], links: []}\n");
    ck_assert_uint_eq(scenario->n_links, 0);
}
END_TEST

START_TEST(thousands_of_nodes_are_read)
{
    g_autoptr(Scenario) scenario =
        load_good(REST "  cluster:\n    defaultLink: {}\n"
                       "    nodes: [{name: a, count: 5000, allocatable: {cpu: 1, memory: 1Gi}}]\n");
    ck_assert_uint_eq(scenario->n_nodes, 5000);
    expect_error(REST "  cluster:\n    nodes:\n"
                      "    - {name: a, count: 9999, allocatable: {cpu: 1, memory: 1Gi}}\n"
                      "    - {name: b, count: 2, allocatable: {cpu: 1, memory: 1Gi}}\n",
                 VWIRE_ERROR_INVALID, "s.yaml:10:14: more than 10000 nodes");
}
END_TEST

/* ------ replications, thresholds, outputs ------ */

START_TEST(replications_are_read)
{
    g_autoptr(Scenario) scenario =
        load_good(REST CLUSTER "  replications: {count: 20, seedSet: different, confidence: 0.9, "
                               "relativePrecision: 0.05, max: 30}\n");
    const ScenarioReplications *read = &scenario->replications;
    ck_assert_int_eq(read->count, 20);
    ck_assert(!read->seed_set_repetition);
    ck_assert_double_eq(read->confidence, 0.9);
    ck_assert_double_eq(read->relative_precision, 0.05);
    ck_assert_int_eq(read->max, 30);
}
END_TEST

START_TEST(the_maximum_is_never_below_the_count)
{
    g_autoptr(Scenario) scenario = load_good(REST CLUSTER "  replications: {count: 200}\n");
    ck_assert_int_eq(scenario->replications.max, 200);
    expect_error(REST CLUSTER "  replications: {count: 20, max: 10}\n", VWIRE_ERROR_INVALID,
                 "s.yaml:13:34: max: found 10; expected at least the count, 20");
}
END_TEST

START_TEST(bad_replications_are_refused)
{
    static const char *const CASES[][2] = {
        {"count: 0", "expected an integer from 1"},
        {"count: many", "expected an integer"},
        {"seedSet: random", "expected repetition or different"},
        {"confidence: 1", "confidence: found 1"},
        {"confidence: 95%", "expected a number"},
        {"relativePrecision: 0", "between 0 and 1"},
        {"max: -1", "expected an integer from 1"},
    };
    for (guint i = 0; i < G_N_ELEMENTS(CASES); i++) {
        g_autofree char *spec = g_strdup_printf(REST CLUSTER "  replications: {%s}\n", CASES[i][0]);
        g_autoptr(GError) error = NULL;
        write_files(spec);
        g_autoptr(Scenario) scenario = load(NULL, &error);
        ck_assert_msg(scenario == NULL, "%s", CASES[i][0]);
        ck_assert_msg(strstr(error->message, CASES[i][1]) != NULL, "%s", error->message);
    }
    expect_error(REST CLUSTER "  replications: 20\n", VWIRE_ERROR_PARSE, "replications: found");
}
END_TEST

START_TEST(thresholds_are_read_in_order)
{
    g_autoptr(Scenario) scenario = load_good(
        REST CLUSTER "  thresholds:\n"
                     "    component_cpu_cores{phase=\"a\"}: [\"p(99)<0.5\", \"avg<0.1\"]\n"
                     "    sfc_path_up_ratio: value>=0.99\n");
    ck_assert_uint_eq(scenario->n_thresholds, 3);
    ck_assert_str_eq(scenario->thresholds[0].metric, "component_cpu_cores{phase=\"a\"}");
    ck_assert_str_eq(scenario->thresholds[0].text, "p(99)<0.5");
    ck_assert_double_eq(scenario->thresholds[0].threshold.bound, 0.5);
    ck_assert_int_eq(scenario->thresholds[1].threshold.aggregate, THRESHOLD_AVG);
    ck_assert_str_eq(scenario->thresholds[2].metric, "sfc_path_up_ratio");
    ck_assert_int_eq(scenario->thresholds[2].mark.line, 15);
}
END_TEST

START_TEST(bad_thresholds_are_refused_at_their_place)
{
    expect_error(REST CLUSTER "  thresholds: {sfc_path_up: [\"avg<1\", \"mean<1\"]}\n",
                 VWIRE_ERROR_PARSE, "s.yaml:13:39: ");
    expect_error(REST CLUSTER "  thresholds:\n    sfc x: avg<1\n", VWIRE_ERROR_PARSE,
                 "s.yaml:14:5: metric");
    expect_error(REST CLUSTER "  thresholds: {sfc_path_up: []}\n", VWIRE_ERROR_INVALID,
                 "expected at least one threshold");
    expect_error(REST CLUSTER "  thresholds: {sfc_path_up: {a: b}}\n", VWIRE_ERROR_PARSE,
                 "expected a sequence");
    expect_error(REST CLUSTER "  thresholds: {sfc_path_up: [[]]}\n", VWIRE_ERROR_PARSE,
                 "expected a string");
    expect_error(REST CLUSTER "  thresholds: [avg<1]\n", VWIRE_ERROR_PARSE, "expected a mapping");
}
END_TEST

START_TEST(outputs_name_directory_and_formats)
{
    g_autoptr(Scenario) scenario =
        load_good(REST CLUSTER
                  "  outputs: {dir: \"out/${scenario}/x\", formats: [summary.json, runs.csv]}\n");
    ck_assert_str_eq(scenario->output_dir, "out/small/x");
    ck_assert(scenario->output_runs);
    ck_assert(!scenario->output_events);
    ck_assert_uint_eq(scenario->warnings->len, 0);
}
END_TEST

START_TEST(formats_that_are_not_written_yet_give_a_warning)
{
    g_autoptr(Scenario) scenario =
        load_good(REST CLUSTER "  outputs: {formats: [openmetrics, junit.xml]}\n");
    ck_assert_uint_eq(scenario->warnings->len, 2);
    ck_assert_ptr_nonnull(strstr(scenario->warnings->pdata[0], "s.yaml:13:23: the format openm"));
    ck_assert_ptr_nonnull(strstr(scenario->warnings->pdata[1], "junit.xml"));
    ck_assert(!scenario->output_runs && !scenario->output_events && !scenario->output_usage);
    ck_assert_int_eq(scenario->scrape_interval, 15 * NSEC_PER_SEC);
}
END_TEST

START_TEST(usage_is_written_every_scrape_interval)
{
    g_autoptr(Scenario) scenario =
        load_good(REST CLUSTER "  outputs: {formats: [usage.csv], scrapeInterval: 500ms}\n");
    ck_assert_uint_eq(scenario->warnings->len, 0);
    ck_assert(scenario->output_usage && !scenario->output_runs && !scenario->output_events);
    ck_assert_int_eq(scenario->scrape_interval, NSEC_PER_SEC / 2);
}
END_TEST

START_TEST(bad_outputs_are_refused)
{
    expect_error(REST CLUSTER "  outputs: {formats: [csv]}\n", VWIRE_ERROR_INVALID,
                 "s.yaml:13:23: found the format \"csv\"");
    expect_error(REST CLUSTER "  outputs: {formats: runs.csv}\n", VWIRE_ERROR_PARSE,
                 "expected a sequence");
    expect_error(REST CLUSTER "  outputs: {dir: \"a/${name}\"}\n", VWIRE_ERROR_INVALID,
                 "the only variable is ${scenario}");
    expect_error(REST CLUSTER "  outputs: {dir: \"\"}\n", VWIRE_ERROR_INVALID, "\"dir\" is empty");
    expect_error(REST CLUSTER "  outputs: {scrapeInterval: 15}\n", VWIRE_ERROR_PARSE, "no unit");
    expect_error(REST CLUSTER "  outputs: {scrapeInterval: 0s}\n", VWIRE_ERROR_INVALID,
                 "more than 0");
}
END_TEST

/* ------ files ------ */

START_TEST(paths_are_looked_up_in_roots_last)
{
    g_autofree char *first = scratch_path("first");
    g_autofree char *second = scratch_path("second");
    const char *const roots[] = {first, second, NULL};
    const ScenarioOptions options = {.roots = roots};
    write_files(REST CLUSTER "  manifests: [{path: app.yaml}, {path: other/app.yaml}]\n");
    scratch_write("first/app.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {name: wrong}\n");
    scratch_write("second/other/app.yaml",
                  "apiVersion: v1\nkind: Namespace\nmetadata: {name: right}\n");
    g_autoptr(GError) error = NULL;
    g_autoptr(Scenario) scenario = load(&options, &error);
    ck_assert_msg(scenario != NULL, "%s", error != NULL ? error->message : "");
    ck_assert_int_eq(find_object(scenario, "nse")->kind, OBJECT_DEPLOYMENT);
    ck_assert_int_eq(find_object(scenario, "right")->kind, OBJECT_NAMESPACE);
    ck_assert(g_str_has_prefix(scenario->manifests[1].resolved, second));
    ck_assert_str_eq(scenario->manifests[1].path, "other/app.yaml");
}
END_TEST

START_TEST(the_working_directory_comes_before_the_scenarios_own)
{
    g_autofree char *before = g_get_current_dir();
    write_files(REST CLUSTER MANIFESTS);
    scratch_write("work/app.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {name: here}\n");
    g_autofree char *work = scratch_path("work");
    ck_assert_int_eq(g_chdir(work), 0);
    g_autoptr(GError) error = NULL;
    g_autoptr(Scenario) scenario = load(NULL, &error);
    ck_assert_int_eq(g_chdir(before), 0);
    ck_assert_msg(scenario != NULL, "%s", error != NULL ? error->message : "");
    ck_assert_str_eq(scenario->manifests[0].resolved, "app.yaml");
    ck_assert_int_eq(find_object(scenario, "here")->kind, OBJECT_NAMESPACE);
}
END_TEST

START_TEST(a_remote_manifest_is_read_where_the_map_leads)
{
    static const char MANIFEST[] =
        REST CLUSTER "  manifests: [{path: \"https://example.org/a/b/app.yaml?ref=v1\"}]\n";
    g_autoptr(GArray) maps = g_array_new(FALSE, FALSE, sizeof(ManifestMap));
    ManifestMap map = {.prefix = (char *)"https://example.org/a", .directory = scratch};
    g_array_append_val(maps, map);
    const ScenarioOptions options = {.maps = maps};
    expect_error(MANIFEST, VWIRE_ERROR_INVALID, "expected --map PREFIX=DIR");
    scratch_write("b/app.yaml", APP);
    g_autoptr(GError) error = NULL;
    g_autoptr(Scenario) scenario = load(&options, &error);
    ck_assert_msg(scenario != NULL, "%s", error != NULL ? error->message : "");
    ck_assert_int_eq(find_object(scenario, "nse")->kind, OBJECT_DEPLOYMENT);
}
END_TEST

START_TEST(objects_of_other_groups_or_namespaces_are_others)
{
    write_files(REST CLUSTER "  manifests: [{path: app.yaml}, {path: again.yaml}]\n");
    scratch_write("app.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
                              "---\napiVersion: x/v1\nkind: Thing\nmetadata: {name: a}\n");
    scratch_write("again.yaml",
                  "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: b}\n"
                  "---\napiVersion: y/v1\nkind: Thing\nmetadata: {name: a}\n");
    g_autoptr(GError) error = NULL;
    g_autoptr(Scenario) scenario = load(NULL, &error);
    ck_assert_msg(scenario != NULL, "%s", error != NULL ? error->message : "");
    ck_assert_uint_eq(scenario->manifests[1].objects->len, 2);
}
END_TEST

START_TEST(a_path_to_nothing_says_where_it_was_looked_for)
{
    g_autofree char *root = scratch_path("root");
    g_autofree char *expected =
        g_strdup_printf("s.yaml:13:22: nothing.yaml does not exist; looked in the working "
                        "directory, %s, %s",
                        scratch, root);
    const char *const roots[] = {root, NULL};
    const ScenarioOptions options = {.roots = roots};
    write_files(REST CLUSTER "  manifests: [{path: nothing.yaml}]\n");
    g_autoptr(GError) error = NULL;
    g_autoptr(Scenario) scenario = load(&options, &error);
    ck_assert_ptr_null(scenario);
    check_error(&error, VWIRE_ERROR_SYSTEM, expected);
    expect_error(REST CLUSTER "  manifests: [{path: /no/such/file}]\n", VWIRE_ERROR_SYSTEM,
                 "/no/such/file does not exist");
    expect_error("  duration: 1m\n  calibration: nothing.yaml\n" CLUSTER, VWIRE_ERROR_SYSTEM,
                 "s.yaml:6:16: nothing.yaml does not exist");
}
END_TEST

START_TEST(a_scenario_that_is_not_there_is_an_error)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Scenario) scenario = load(NULL, &error);
    ck_assert_ptr_null(scenario);
    check_error(&error, VWIRE_ERROR_SYSTEM, "s.yaml");
}
END_TEST

START_TEST(what_is_wrong_in_calibration_or_manifests_is_told_with_their_place)
{
    g_autoptr(GError) error = NULL;
    write_files(REST CLUSTER MANIFESTS);
    scratch_write("app.yaml", APP "      - {name: nse}\n  replicas: many\n");
    g_autoptr(Scenario) first = load(NULL, &error);
    ck_assert_ptr_null(first);
    check_error(&error, VWIRE_ERROR_PARSE, "app.yaml:16:13: ");
    scratch_write("app.yaml", APP);
    scratch_write_calibration("calibration.yaml", "  idle: {x: 1}\n");
    g_autoptr(Scenario) second = load(NULL, &error);
    ck_assert_ptr_null(second);
    check_error(&error, VWIRE_ERROR_PARSE, "calibration.yaml:");
}
END_TEST

START_TEST(manifests_may_start_later)
{
    g_autoptr(Scenario) scenario =
        load_good(REST CLUSTER "  manifests: [{path: app.yaml, startTime: 30s}]\n");
    ck_assert_int_eq(scenario->manifests[0].start_time, 30 * NSEC_PER_SEC);
    g_autoptr(Scenario) late =
        load_good(REST CLUSTER "  manifests: [{path: app.yaml, startTime: 20m}]\n");
    ck_assert_uint_eq(late->warnings->len, 1);
    ck_assert_ptr_nonnull(strstr(late->warnings->pdata[0], "s.yaml:13:43: startTime 20m"));
    expect_error(REST CLUSTER "  manifests: [{path: app.yaml, startTime: 1}]\n", VWIRE_ERROR_PARSE,
                 "no unit");
    expect_error(REST CLUSTER "  manifests: {path: app.yaml}\n", VWIRE_ERROR_PARSE,
                 "manifests: found");
}
END_TEST

START_TEST(an_object_in_two_manifests_is_an_error_that_names_both)
{
    write_files(REST CLUSTER "  manifests: [{path: app.yaml}, {path: again.yaml}]\n");
    scratch_write("again.yaml", "# again\n" APP);
    g_autoptr(GError) error = NULL;
    g_autoptr(Scenario) scenario = load(NULL, &error);
    ck_assert_ptr_null(scenario);
    ck_assert_ptr_nonnull(strstr(error->message, "again.yaml:2:1: Deployment \"nse\""));
    check_error(&error, VWIRE_ERROR_INVALID, "app.yaml:1:1");
}
END_TEST

/* ------ --set ------ */

START_TEST(a_set_changes_fields_of_the_scenario)
{
    static const char *const SETS[] = {"duration=5m",
                                       "spec.replications.count=7",
                                       "cluster.nodes[1].allocatable.cpu=2",
                                       "cluster.nodes[one].allocatable.memory=1Gi",
                                       "metadata.name=other",
                                       "cluster.links[0].latency=1ms",
                                       "thresholds[pod_ready_seconds{pod=\"b.c\"}]=avg<1",
                                       NULL};
    g_autoptr(Scenario) scenario = load_set_good(SETS);
    ck_assert_int_eq(scenario->duration, 300 * NSEC_PER_SEC);
    ck_assert_int_eq(scenario->replications.count, 7);
    ck_assert_int_eq(scenario->nodes[1].cpu, 2000);
    ck_assert_int_eq(scenario->nodes[0].memory, INT64_C(1) << 30);
    ck_assert_str_eq(scenario->output_dir, "results/other");
    ck_assert_int_eq(scenario->links[0].latency, NSEC_PER_MSEC);
    ck_assert_uint_eq(scenario->n_thresholds, 1);
    ck_assert_str_eq(scenario->thresholds[0].metric, "pod_ready_seconds{pod=\"b.c\"}");
}
END_TEST

START_TEST(the_last_set_of_a_field_counts)
{
    static const char *const SETS[] = {"duration=5m", "duration=6m", NULL};
    g_autoptr(Scenario) scenario = load_set_good(SETS);
    ck_assert_int_eq(scenario->duration, 360 * NSEC_PER_SEC);
}
END_TEST

START_TEST(a_set_changes_the_calibration)
{
    static const char *const SETS[] = {"calibration.kubelet.sandbox=250ms",
                                       "calibration.start.nsmgr=3s", NULL};
    g_autoptr(Scenario) scenario = load_set_good(SETS);
    ck_assert_int_eq(calibration_nsec(scenario->calibration, PARAMETER_KUBELET_SANDBOX),
                     250 * NSEC_PER_MSEC);
    ck_assert_double_eq(dist_mean(&scenario->calibration->start[COMPONENT_NSMGR]), 3);
}
END_TEST

START_TEST(a_set_changes_fields_of_objects)
{
    static const char *const SETS[] = {
        "deployment/nse:resources.limits.cpu=300m",
        "Deployment/ns-a/nse:resources.requests.memory=64Mi",
        "deployment/nse:spec.template.spec.containers[1].resources.limits.cpu=1",
        "deployment/nse:spec.template.spec.containers[side].image=side:v2",
        "deployment/nse:env[NSM_LABELS].value=app:fw",
        "deployment/nse:env[1].value=2",
        "deployment/nse:spec.replicas=3",
        "deployment/nse:spec.template.metadata.labels.tier=1",
        "deployment/nse:metadata.annotations[networkservicemesh.io]=kernel://a/b",
        NULL};
    g_autoptr(Scenario) scenario = load_set_good(SETS);
    const Object *object = find_object(scenario, "nse");
    const ContainerSpec *container = find_container(scenario, 0);
    ck_assert_int_eq(container->limits.cpu, 300);
    ck_assert_int_eq(container->requests.memory, 64 << 20);
    ck_assert_str_eq(container_env(container, "NSM_LABELS")->value, "app:fw");
    ck_assert_str_eq(container_env(container, "NSM_N")->value, "2");
    ck_assert_int_eq(find_container(scenario, 1)->limits.cpu, 1000);
    ck_assert_str_eq(find_container(scenario, 1)->image, "side:v2");
    ck_assert_int_eq(object->workload->replicas, 3);
    ck_assert_str_eq(labels_get(&object->workload->template->labels, "tier"), "1");
    ck_assert_str_eq(labels_get(&object->annotations, "networkservicemesh.io"), "kernel://a/b");
}
END_TEST

START_TEST(a_set_that_cannot_be_read_is_an_error)
{
    expect_set_error("duration", "expected PATH=VALUE");
    expect_set_error("=5m", "expected PATH=VALUE");
    expect_set_error("a..b=1", "expected keys as in a.b[0].c");
    expect_set_error("a.=1", "expected keys as in a.b[0].c");
    expect_set_error("a[=1", "expected PATH=VALUE");
    expect_set_error("a[]=1", "expected keys as in a.b[0].c");
    expect_set_error("a[0]b=1", "expected keys as in a.b[0].c");
    expect_set_error("[0]=1", "expected keys as in a.b[0].c");
    expect_set_error("a.[0]=1", "expected keys as in a.b[0].c");
    expect_set_error("a]=1", "expected keys as in a.b[0].c");
    expect_set_error("deployment:a=1", "expected kind/name:path");
    expect_set_error("deployment/:a=1", "expected kind/name:path");
    expect_set_error("a/b/c/d:a=1", "expected kind/name:path");
    expect_set_error("deployment/nse:=1", "expected keys as in a.b[0].c");
}
END_TEST

START_TEST(a_set_that_matches_nothing_is_an_error)
{
    expect_set_error("duratoin=5m", "did you mean \"duration\"?");
    expect_set_error("spec.replications.cont=5", "did you mean \"count\"?");
    expect_set_error("cluster.nodes[2].name=x", "\"nodes\" has no item 2 (it has 2)");
    expect_set_error("cluster.nodes[three].name=x", "\"nodes\" has no item three");
    expect_set_error("cluster.nodes[99999999999999999999].name=x", "has no item 9999");
    expect_set_error("duration.x=1", "\"duration\" is a single value");
    expect_set_error("cluster=1", "\"cluster\" is a mapping");
    expect_set_error("cluster.nodes=1", "\"nodes\" is a list");
    expect_set_error("calibration.kubelet.sandbx=1s", "did you mean \"kubelet.sandbox\"?");
    expect_set_error("daemonset/nse:resources.limits.cpu=1", "the manifests have no daemonset");
    expect_set_error("deployment/nsee:resources.limits.cpu=1", "there are nse");
    expect_set_error("deployment/other/nse:resources.limits.cpu=1", "there are nse");
    expect_set_error("deployment/nse:resources.limit.cpu=1", "did you mean \"limits\"?");
    expect_set_error("deployment/nse:replicas=1", "unknown field \"replicas\" in containers");
    expect_set_error("deployment/nse:spec.replicsa=1", "did you mean \"replicas\"?");
    expect_set_error("deployment/nse:env[NONE].value=1", "\"env\" has no item NONE");
    expect_set_error("deployment/nse:spec.selector.x=1", "\"selector\" has no x");
}
END_TEST

START_TEST(a_value_that_is_wrong_is_told_by_the_text_of_the_set)
{
    expect_set_error("duration=5x", "1:16: duration \"5x\"");
    expect_set_error("replications.count=none", "1:26: found the string \"none\"");
    expect_set_error("deployment/nse:spec.replicas=x", "1:36: ");
    expect_set_error("deployment/nse:resources.limits.cpu=1x", "1:43: ");
    expect_set_error("calibration.kubelet.sandbox=1", "no unit");
    expect_set_error("sweep=x", "spec.sweep is not supported");
}
END_TEST

START_TEST(a_short_path_needs_a_container)
{
    static const char *const SETS[] = {"namespace/ns-a:resources.limits.cpu=1", NULL};
    const ScenarioOptions options = {.sets = SETS};
    write_files(REST CLUSTER MANIFESTS);
    scratch_write("app.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {name: ns-a}\n");
    g_autoptr(GError) error = NULL;
    g_autoptr(Scenario) scenario = load(&options, &error);
    ck_assert_ptr_null(scenario);
    check_error(&error, VWIRE_ERROR_INVALID, "no container for the short path");
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {
        a_small_scenario_is_read_with_its_defaults,
        an_unknown_key_is_an_error_with_place_and_suggestion,
        what_is_required_is_missed,
        what_later_versions_will_do_is_refused_unless_it_is_empty,
        names_are_fit_for_files,
        metadata_has_labels,
        nodes_have_resources_labels_and_taints,
        a_count_makes_numbered_nodes,
        links_have_rate_latency_jitter_and_loss,
        bad_nodes_are_refused,
        a_node_name_is_given_once,
        bad_links_are_refused,
        bad_rates_delays_and_losses_are_refused,
        a_pair_of_nodes_without_a_link_is_named,
        one_node_needs_no_link,
        thousands_of_nodes_are_read,
        replications_are_read,
        the_maximum_is_never_below_the_count,
        bad_replications_are_refused,
        thresholds_are_read_in_order,
        bad_thresholds_are_refused_at_their_place,
        outputs_name_directory_and_formats,
        formats_that_are_not_written_yet_give_a_warning,
        usage_is_written_every_scrape_interval,
        bad_outputs_are_refused,
        paths_are_looked_up_in_roots_last,
        the_working_directory_comes_before_the_scenarios_own,
        a_remote_manifest_is_read_where_the_map_leads,
        objects_of_other_groups_or_namespaces_are_others,
        a_path_to_nothing_says_where_it_was_looked_for,
        a_scenario_that_is_not_there_is_an_error,
        what_is_wrong_in_calibration_or_manifests_is_told_with_their_place,
        manifests_may_start_later,
        an_object_in_two_manifests_is_an_error_that_names_both,
        a_set_changes_fields_of_the_scenario,
        the_last_set_of_a_field_counts,
        a_set_changes_the_calibration,
        a_set_changes_fields_of_objects,
        a_set_that_cannot_be_read_is_an_error,
        a_set_that_matches_nothing_is_an_error,
        a_value_that_is_wrong_is_told_by_the_text_of_the_set,
        a_short_path_needs_a_container,
    };
    return scratch_run("scenario", tests, G_N_ELEMENTS(tests));
}
