/* Static analysis of chains: what the manifests ask for, and what a walk must meet. */
#include "models/chain.h"

#include "tests/models/nsm_step.h"

static GString *yaml; /* manifests of the running test */
static Scenario scenario;
static ScenarioManifest manifest;
static Chains *chains;

static void
begin(void)
{
    yaml = g_string_new(NULL);
}

static void
add_service(const char *name, const char *spec)
{
    g_string_append_printf(yaml,
                           "---\n"
                           "apiVersion: networkservicemesh.io/v1\n"
                           "kind: NetworkService\n"
                           "metadata: {name: %s, namespace: nsm-system}\n"
                           "spec: %s\n",
                           name, spec);
}

static void
add_pod(const char *name, const char *image, const char *env)
{
    g_string_append_printf(yaml,
                           "---\n"
                           "apiVersion: v1\n"
                           "kind: Pod\n"
                           "metadata: {name: %s, namespace: ns}\n"
                           "spec:\n"
                           "  nodeName: node-a\n"
                           "  containers: [{name: c, image: \"%s\", env: [%s]}]\n",
                           name, image, env);
}

static void
add_deployment(const char *name, const char *image, const char *env, const char *metadata)
{
    g_string_append_printf(yaml,
                           "---\n"
                           "apiVersion: apps/v1\n"
                           "kind: Deployment\n"
                           "metadata: {name: %s, namespace: ns%s%s}\n"
                           "spec:\n"
                           "  selector: {matchLabels: {app: x}}\n"
                           "  template:\n"
                           "    metadata: {labels: {app: x}}\n"
                           "    spec: {containers: [{name: c, image: \"%s\", env: [%s]}]}\n",
                           name, *metadata != '\0' ? ", " : "", metadata, image, env);
}

static void
add_client(const char *name, const char *urls)
{
    g_autofree char *env = g_strdup_printf("{name: NSM_NETWORK_SERVICES, value: \"%s\"}", urls);
    add_pod(name, "cmd-nsc:v1.4.0", env);
}

static void
add_firewall(const char *name, const char *labels)
{
    g_autofree char *env = g_strdup_printf("{name: NSM_SERVICE_NAME, value: svc}, "
                                           "{name: NSM_LABELS, value: \"%s\"}",
                                           labels);
    add_deployment(name, "cmd-nse-firewall-vpp:v1.4.0", env, "");
}

static void
add_last(const char *name, const char *labels)
{
    g_autofree char *env = g_strdup_printf("{name: NSM_SERVICE_NAMES, value: svc}, "
                                           "{name: NSM_REGISTER_SERVICE, value: \"false\"}, "
                                           "{name: NSM_LABELS, value: \"%s\"}",
                                           labels);
    add_deployment(name, "cmd-nse-icmp-responder:v1.4.0", env, "");
}

/* The testbed's chain: client, firewall, last endpoint. */
static void
add_video_chain(void)
{
    add_service("svc", "{matches: [{source_selector: {app: firewall}, "
                       "routes: [{destination_selector: {app: nse}}]}, "
                       "{routes: [{destination_selector: {app: firewall}}]}]}");
    add_last("last", "app:nse");
    add_firewall("firewall", "app:firewall");
    add_client("client", "kernel://svc/nsm-1");
}

static void
find(void)
{
    manifest = (ScenarioManifest){.path = (char *)"t", .objects = decode(yaml->str)};
    scenario = (Scenario){.manifests = &manifest, .n_manifests = 1};
    chains = chains_find(&scenario);
}

static const Chain *
chain_at(guint index)
{
    ck_assert_uint_lt(index, chains->chains->len);
    return g_ptr_array_index(chains->chains, index);
}

static void
finish(void)
{
    chains_free(chains);
    g_string_free(yaml, true);
}

/* "from -> to, from -> to": the links of a chain; "-" where there is no endpoint. */
static void
assert_links(const Chain *chain, const char *expected)
{
    g_autoptr(GString) text = g_string_new(NULL);
    for (guint i = 0; i < chain->links->len; i++) {
        const ChainLink *link = g_ptr_array_index(chain->links, i);
        g_string_append_printf(text, "%s%s -> %s", i > 0 ? ", " : "", link->from,
                               link->to != NULL ? link->to->name : "-");
    }
    ck_assert_str_eq(text->str, expected);
}

static void
assert_problem(const Chain *chain, const char *words)
{
    ck_assert_msg(chain->problem != NULL, "no problem found");
    ck_assert_msg(strstr(chain->problem, words) != NULL, "\"%s\" is not in: %s", words,
                  chain->problem);
}

static void
assert_sound(const Chain *chain)
{
    ck_assert_msg(chain->problem == NULL, "%s", chain->problem);
}

/* ---- chains ---- */

START_TEST(a_chain_follows_the_matches_from_link_to_link)
{
    begin();
    add_video_chain();
    find();
    ck_assert_uint_eq(chains->chains->len, 1);
    const Chain *chain = chain_at(0);
    assert_sound(chain);
    assert_links(chain, "ns/client -> ns/firewall, ns/firewall -> ns/last");
    ck_assert_str_eq(chain->name, "svc");
    ck_assert_str_eq(chain->interface, "nsm-1");
    ck_assert_str_eq(chain->client_name, "ns/client");
    ck_assert_str_eq(chain->connection, "-0");
    ck_assert_uint_eq(chain->members->len, 3);
    ck_assert_str_eq(((const Object *)chain->members->pdata[0])->name, "client");
    ck_assert_str_eq(((const Object *)chain->members->pdata[1])->name, "firewall");
    ck_assert_str_eq(((const Object *)chain->members->pdata[2])->name, "last");
    const ChainLink *second = g_ptr_array_index(chain->links, 1);
    ck_assert_str_eq(labels_get(&second->labels, "app"), "firewall");
    ck_assert_uint_eq(second->lines->len, 1);
    finish();
}
END_TEST

START_TEST(a_link_keeps_all_its_candidates_in_order)
{
    begin();
    add_service("svc", "{}");
    add_last("one", "");
    add_last("two", "");
    add_client("client", "kernel://svc");
    find();
    const ChainLink *link = g_ptr_array_index(chain_at(0)->links, 0);
    ck_assert_uint_eq(link->candidates->len, 2);
    ck_assert_ptr_eq(link->to, link->candidates->pdata[0]);
    ck_assert_str_eq(link->to->name, "ns/one");
    ck_assert_str_eq(((const ChainEndpoint *)link->candidates->pdata[1])->name, "ns/two");
    ck_assert_str_eq(chain_at(0)->interface, "nsm-1");
    finish();
}
END_TEST

START_TEST(a_service_in_no_manifest_is_a_problem)
{
    begin();
    add_client("client", "kernel://nowhere/nsm-1");
    find();
    assert_problem(chain_at(0), "asks for network service nowhere, which is in no manifest");
    assert_problem(chain_at(0), "t.yaml:2:1");
    assert_links(chain_at(0), "");
    finish();
}
END_TEST

START_TEST(a_service_that_nobody_serves_is_a_problem)
{
    begin();
    add_service("svc", "{}");
    add_client("client", "kernel://svc/nsm-1");
    find();
    assert_problem(chain_at(0), "no endpoint registers for it");
    assert_links(chain_at(0), "ns/client -> -");
    finish();
}
END_TEST

START_TEST(selectors_that_no_endpoint_satisfies_are_a_problem_of_their_link)
{
    begin();
    add_service("svc", "{matches: [{source_selector: {app: firewall}, "
                       "routes: [{destination_selector: {app: gone}}]}, "
                       "{routes: [{destination_selector: {app: firewall}}]}]}");
    add_firewall("firewall", "app:firewall");
    add_last("last", "app:nse");
    add_client("client", "kernel://svc/nsm-1");
    find();
    assert_problem(chain_at(0), "no endpoint satisfies the selectors that apply");
    assert_problem(chain_at(0), "ns/firewall {app=firewall}");
    assert_links(chain_at(0), "ns/client -> ns/firewall, ns/firewall -> -");
    finish();
}
END_TEST

START_TEST(routes_that_lead_back_are_a_loop)
{
    begin();
    add_service("svc", "{matches: [{source_selector: {app: left}, "
                       "routes: [{destination_selector: {app: right}}]}, "
                       "{routes: [{destination_selector: {app: left}}]}]}");
    add_firewall("left", "app:left");
    add_firewall("right", "app:right");
    add_client("client", "kernel://svc/nsm-1");
    find();
    assert_problem(chain_at(0), "a loop in the routes: ns/right leads back to ns/left");
    ck_assert_uint_eq(chain_at(0)->links->len, 3);
    ck_assert_uint_eq(chain_at(0)->members->len, 3);
    finish();
}
END_TEST

START_TEST(an_endpoint_that_leads_to_itself_is_a_loop)
{
    begin();
    add_service("svc", "{}");
    add_firewall("only", "app:fw");
    add_client("client", "kernel://svc/nsm-1");
    find();
    assert_problem(chain_at(0), "ns/only leads back to ns/only");
    finish();
}
END_TEST

START_TEST(an_endpoint_that_registers_its_service_needs_no_manifest_of_it)
{
    begin();
    add_pod("nse", "cmd-nse-icmp-responder:v1.4.0", "{name: NSM_SERVICE_NAMES, value: own}");
    add_client("client", "kernel://own/nsm-1");
    find();
    assert_sound(chain_at(0));
    assert_links(chain_at(0), "ns/client -> ns/nse");
    finish();
}
END_TEST

START_TEST(node_labels_of_the_client_count)
{
    begin();
    add_service("svc", "{matches: [{routes: [{destination_selector: "
                       "{nodeName: \"{{.nodeName}}\"}}]}]}");
    add_last("elsewhere", "nodeName:node-b");
    add_last("here", "nodeName:node-a");
    add_pod("client", "cmd-nsc:v1.4.0",
            "{name: NSM_NETWORK_SERVICES, value: \"kernel://svc\"}, "
            "{name: NODE_NAME, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}");
    find();
    assert_links(chain_at(0), "ns/client -> ns/here");
    finish();
}
END_TEST

START_TEST(labels_of_the_url_count)
{
    begin();
    add_service("svc", "{matches: [{source_selector: {app: x}, "
                       "routes: [{destination_selector: {app: b}}]}, "
                       "{routes: [{destination_selector: {app: a}}]}]}");
    add_last("a", "app:a");
    add_last("b", "app:b");
    add_client("one", "kernel://svc/nsm-1?app=x");
    add_client("two", "kernel://svc/nsm-1");
    find();
    assert_links(chain_at(0), "ns/one -> ns/b");
    assert_links(chain_at(1), "ns/two -> ns/a");
    finish();
}
END_TEST

START_TEST(several_urls_and_clients_have_names_of_their_own)
{
    begin();
    add_service("svc", "{}");
    add_service("other", "{}");
    add_last("last", "");
    add_client("one", "kernel://svc/a,memif://svc");
    add_client("two", "kernel://svc/a");
    add_client("three", "kernel://other/a");
    find();
    ck_assert_uint_eq(chains->chains->len, 4);
    ck_assert_str_eq(chain_at(0)->name, "svc@ns/one");
    ck_assert_str_eq(chain_at(1)->name, "svc@ns/one-1");
    ck_assert_str_eq(chain_at(1)->interface, "nsm-2");
    ck_assert_str_eq(chain_at(1)->connection, "-1");
    ck_assert_str_eq(chain_at(2)->name, "svc@ns/two");
    ck_assert_str_eq(chain_at(3)->name, "other");
    finish();
}
END_TEST

START_TEST(an_interdomain_service_is_said_not_to_be_modelled)
{
    begin();
    add_client("client", "kernel://svc@far/nsm-1");
    find();
    assert_problem(chain_at(0), "interdomain service svc@far is not modelled");
    finish();
}
END_TEST

START_TEST(an_annotated_client_counts_when_there_is_a_webhook)
{
    static const char *const annotated =
        "annotations: {networkservicemesh.io: \"kernel://svc/nsm-1\"}";
    begin();
    add_service("svc", "{}");
    add_last("last", "");
    add_deployment("client", "nginx:1", "", annotated);
    find();
    ck_assert_uint_eq(chains->chains->len, 0);
    chains_free(chains);
    add_deployment("webhook", "cmd-admission-webhook-k8s:v1.4.0",
                   "{name: NSM_CONTAINER_IMAGES, value: \"cmd-nsc:v1.4.0\"}, "
                   "{name: NSM_INIT_CONTAINER_IMAGES, value: \"cmd-nsc-init:v1.4.0\"}",
                   "");
    find();
    ck_assert_uint_eq(chains->chains->len, 1); /* init container and sidecar ask for the same */
    assert_sound(chain_at(0));
    assert_links(chain_at(0), "ns/client -> ns/last");
    ck_assert_uint_eq(chain_at(0)->client_pod->n_init_containers, 1);
    finish();
}
END_TEST

START_TEST(pods_have_the_names_that_their_controller_gives_them)
{
    begin();
    add_client("client", "kernel://svc");
    g_string_append(yaml, "---\n"
                          "apiVersion: apps/v1\n"
                          "kind: StatefulSet\n"
                          "metadata: {name: s, namespace: ns}\n"
                          "spec:\n"
                          "  replicas: 2\n"
                          "  selector: {matchLabels: {app: x}}\n"
                          "  template:\n"
                          "    metadata: {labels: {app: x}}\n"
                          "    spec: {containers: [{name: c, image: \"a:1\"}]}\n");
    add_deployment("d", "a:1", "", "");
    GPtrArray *objects = decode(yaml->str);
    g_autoptr(GPtrArray) pod = object_pod_keys(objects->pdata[0]);
    g_autoptr(GPtrArray) set = object_pod_keys(objects->pdata[1]);
    g_autoptr(GPtrArray) deployment = object_pod_keys(objects->pdata[2]);
    ck_assert_uint_eq(pod->len, 1);
    ck_assert_str_eq(pod->pdata[0], "ns/client");
    ck_assert_uint_eq(set->len, 2);
    ck_assert_str_eq(set->pdata[1], "ns/s-1");
    ck_assert_uint_eq(deployment->len, 1);
    ck_assert(g_str_has_prefix(deployment->pdata[0], "ns/d-"));
    g_string_free(yaml, true);
}
END_TEST

/* ---- walks ---- */

/* Hops from "kind:owner" words: p Pod, f forwarder, t tunnel. */
static GArray *
walk_of(const char *words)
{
    GArray *hops = g_array_new(false, true, sizeof(DataPlaneHop));
    g_array_set_clear_func(hops, (GDestroyNotify)dataplane_hop_clear);
    g_auto(GStrv) list = g_strsplit(words, " ", -1);
    for (char **word = list; *word != NULL && **word != '\0'; word++) {
        DataPlaneHop hop = {.kind = **word == 'p'   ? HOP_POD
                                    : **word == 'f' ? HOP_FORWARDER
                                                    : HOP_TUNNEL,
                            .owner = g_strdup(*word + 2),
                            .wire = WIRE_VXLAN};
        g_array_append_val(hops, hop);
    }
    return hops;
}

/* NULL: the walk must be right. */
static void
assert_walk(const char *words, const char *wrong)
{
    g_autoptr(GArray) hops = walk_of(words);
    g_autofree char *said = chain_check_walk(chain_at(0), hops);
    if (wrong == NULL) {
        ck_assert_msg(said == NULL, "%s", said);
    } else {
        ck_assert_msg(said != NULL, "accepted: %s", words);
        ck_assert_msg(strstr(said, wrong) != NULL, "\"%s\" is not in: %s", wrong, said);
    }
}

START_TEST(a_walk_must_meet_every_endpoint_in_order)
{
    begin();
    add_video_chain();
    find();
    assert_walk("p:ns/client f:ns/fwd-1 p:ns/firewall-abc f:ns/fwd-1 p:ns/last-abc", NULL);
    assert_walk("p:ns/client f:ns/fwd-1 t:a->b f:ns/fwd-2 p:ns/firewall-abc p:ns/last-abc", NULL);
    assert_walk("p:ns/client f:ns/fwd-1 p:ns/last-abc f:ns/fwd-1 p:ns/firewall-abc",
                "link 1 leads to ns/last-abc, which the network service does not allow");
    assert_walk("p:ns/client f:ns/fwd-1 p:ns/last-abc", "link 1 leads to ns/last-abc");
    assert_walk("p:ns/client f:ns/fwd-1 p:other/firewall-abc", "does not allow");
    finish();
}
END_TEST

START_TEST(a_walk_that_stops_early_is_wrong)
{
    begin();
    add_video_chain();
    find();
    assert_walk("", "the client has no interface nsm-1");
    assert_walk("p:ns/client", "ends at ns/client after 0 of 2 links");
    assert_walk("p:ns/client f:ns/fwd-1", "ends at ns/fwd-1 after 0 of 2 links");
    assert_walk("p:ns/client f:ns/fwd-1 p:ns/firewall-abc f:ns/fwd-1", "after 1 of 2 links");
    finish();
}
END_TEST

START_TEST(a_walk_that_goes_on_to_another_pod_is_wrong)
{
    begin();
    add_video_chain();
    find();
    assert_walk("p:ns/client p:ns/firewall-abc p:ns/last-abc f:ns/fwd-1 p:ns/last-def",
                "ns/last-def is met beyond the end of the chain");
    finish();
}
END_TEST

START_TEST(any_candidate_of_a_link_will_do)
{
    begin();
    add_service("svc", "{}");
    add_last("one", "");
    add_last("two", "");
    add_client("client", "kernel://svc");
    find();
    assert_walk("p:ns/client f:ns/fwd-1 p:ns/two-abc", NULL);
    finish();
}
END_TEST

START_TEST(a_walk_is_written_as_a_line)
{
    g_autoptr(GArray) hops = walk_of("p:ns/client f:nsm/fwd-1 t:a->b f:nsm/fwd-2 p:ns/last");
    g_autofree char *text = walk_format(hops);
    ck_assert_str_eq(text, "client -> (fwd-1) -> [vxlan a->b] -> (fwd-2) -> last");
}
END_TEST

START_TEST(a_pod_of_a_workload_with_a_longer_name_is_not_taken_for_it)
{
    begin();
    add_service("svc", "{matches: [{routes: [{destination_selector: {app: one}}]}]}");
    add_last("last", "app:one");
    add_last("last-2", "app:two");
    add_client("client", "kernel://svc");
    find();
    g_autoptr(GPtrArray) keys =
        object_pod_keys(((const ChainEndpoint *)chains->endpoints->pdata[1])->object);
    g_autofree char *words = g_strdup_printf("p:ns/client p:%s", (char *)keys->pdata[0]);
    assert_walk(words, "does not allow");
    finish();
}
END_TEST

START_TEST(a_walk_that_goes_on_beyond_the_last_endpoint_is_wrong)
{
    begin();
    add_video_chain();
    find();
    assert_walk("p:ns/client p:ns/firewall-abc p:ns/last-abc f:ns/fwd-1", "ns/fwd-1");
    finish();
}
END_TEST

/* ---- whose Pod is it ---- */

static const Object *
object_of(const char *kind, const char *name)
{
    bool batch = g_str_equal(kind, "Pod");
    g_autofree char *text =
        g_strdup_printf("apiVersion: %s\nkind: %s\nmetadata: {name: %s, namespace: ns}\nspec:\n"
                        "%s",
                        batch ? "v1" : "apps/v1", kind, name,
                        batch ? "  containers: [{name: c, image: \"i:1\"}]\n"
                              : "  selector: {matchLabels: {app: x}}\n  template:\n"
                                "    metadata: {labels: {app: x}}\n"
                                "    spec: {containers: [{name: c, image: \"i:1\"}]}\n");
    return g_ptr_array_index(decode(text), 0);
}

static void
assert_owns(const char *kind, const char *name, const char *pods, bool expected)
{
    const Object *object = object_of(kind, name);
    g_auto(GStrv) words = g_strsplit(pods, " ", -1);
    for (char **pod = words; *pod != NULL; pod++) {
        ck_assert_msg(object_owns_pod(object, *pod) == expected, "%s %s and Pod %s", kind, name,
                      *pod);
    }
}

START_TEST(a_pod_owns_itself_alone)
{
    assert_owns("Pod", "nse", "ns/nse", true);
    assert_owns("Pod", "nse", "ns/nse-2 ns/nse-abcde ns/ns other/nse nse ns/nse-0 ns/", false);
    assert_owns("Pod", "nse-abcde", "ns/nse-abcde", true);
}
END_TEST

START_TEST(a_deployment_owns_pods_with_two_generated_parts)
{
    assert_owns("Deployment", "nse", "ns/nse-7d9c5-abcde ns/nse-00000-22222", true);
    assert_owns("Deployment", "nse",
                "ns/nse ns/nse-abcde ns/nse-2-7d9c5-abcde ns/nse-7d9c5-abcde-1 ns/nse-7d9c5-abcd "
                "ns/nse-7d9c-abcde ns/nse-7d9c5-abcdef ns/nse-7d9c55abcde ns/nse-7d9c5- ns/nse- "
                "ns/nsex-7d9c5-abcde other/nse-7d9c5-abcde ns/x-nse-7d9c5-abcde ns/nse--7d9c-abcde",
                false);
}
END_TEST

START_TEST(a_replica_set_and_a_daemon_set_own_pods_with_one_generated_part)
{
    static const char *const kinds[] = {"ReplicaSet", "DaemonSet"};
    for (guint i = 0; i < G_N_ELEMENTS(kinds); i++) {
        assert_owns(kinds[i], "nsmgr", "ns/nsmgr-abcde ns/nsmgr-00000", true);
        assert_owns(kinds[i], "nsmgr",
                    "ns/nsmgr ns/nsmgr-proxy-abcde ns/nsmgr-abcd ns/nsmgr-abcdef ns/nsmgr- "
                    "ns/nsmgr-7d9c5-abcde other/nsmgr-abcde",
                    false);
    }
}
END_TEST

START_TEST(a_stateful_set_owns_pods_with_a_number)
{
    assert_owns("StatefulSet", "db", "ns/db-0 ns/db-1 ns/db-117", true);
    assert_owns("StatefulSet", "db", "ns/db ns/db- ns/db-abcde ns/db-1a ns/db-2-0 other/db-0",
                false);
    assert_owns("StatefulSet", "db-2", "ns/db-2-0", true);
}
END_TEST

/* What a name leaves open is decided by its generated parts. */
START_TEST(a_workload_whose_name_ends_like_anothers_owns_its_own_pods)
{
    assert_owns("Deployment", "nse-2", "ns/nse-2-7d9c5-abcde", true);
    assert_owns("Deployment", "nse", "ns/nse-2-7d9c5-abcde", false);
    assert_owns("Deployment", "nse-2", "ns/nse-7d9c5-abcde", false);
    assert_owns("DaemonSet", "nse-proxy", "ns/nse-proxy-abcde", true);
    assert_owns("DaemonSet", "nse", "ns/nse-proxy-abcde", false);
    assert_owns("Deployment", "nse", "ns/nse-proxy-abcde", true); /* it could be one: known limit */
}
END_TEST

START_TEST(other_objects_own_no_pods)
{
    const Object *service =
        g_ptr_array_index(decode("apiVersion: networkservicemesh.io/v1\nkind: NetworkService\n"
                                 "metadata: {name: nse, namespace: ns}\nspec: {}\n"),
                          0);
    ck_assert(!object_owns_pod(service, "ns/nse-7d9c5-abcde"));
    ck_assert(!object_owns_pod(service, "ns/nse-abcde"));
    ck_assert(!object_owns_pod(service, "ns/nse-0"));
    ck_assert(!object_owns_pod(service, "ns/nse"));
}
END_TEST

START_TEST(an_object_owns_the_pods_that_its_controller_makes_first)
{
    static const char *const kinds[] = {"Pod", "Deployment", "ReplicaSet", "StatefulSet"};
    for (guint i = 0; i < G_N_ELEMENTS(kinds); i++) {
        const Object *object = object_of(kinds[i], "some-thing-12345");
        g_autoptr(GPtrArray) keys = object_pod_keys(object);
        ck_assert_uint_eq(keys->len, 1);
        ck_assert_msg(object_owns_pod(object, keys->pdata[0]), "%s: %s", kinds[i],
                      (char *)keys->pdata[0]);
    }
}
END_TEST

static void
add_client_deployment(const char *name, const char *urls)
{
    g_autofree char *env = g_strdup_printf("{name: NSM_NETWORK_SERVICES, value: \"%s\"}", urls);
    add_deployment(name, "cmd-nsc:v1.4.0", env, "");
}

static void
assert_chains_of(const char *pod, const char *expected)
{
    const GPtrArray *list = chains_of_pod(chains, pod);
    g_autoptr(GString) text = g_string_new(NULL);
    for (guint i = 0; list != NULL && i < list->len; i++) {
        g_string_append_printf(text, "%s%s", i > 0 ? " " : "",
                               ((const Chain *)g_ptr_array_index(list, i))->name);
    }
    ck_assert_msg(g_str_equal(text->str, expected), "%s: \"%s\"", pod, text->str);
    ck_assert(list == NULL || list->len > 0);
}

static void
find_many_clients(void)
{
    begin();
    add_service("svc", "{}");
    add_last("nse", "");
    add_client("bare", "kernel://svc/nsm-1");
    add_client("bare-two", "kernel://svc/nsm-1,kernel://svc/nsm-2");
    add_client_deployment("client", "kernel://svc/nsm-1,kernel://svc/nsm-2");
    add_client_deployment("client-2", "kernel://svc/nsm-1");
    find();
    ck_assert_uint_eq(chains->chains->len, 6);
}

START_TEST(the_chains_of_a_pod_are_those_of_its_workload)
{
    find_many_clients();
    assert_chains_of("ns/bare", "svc@ns/bare");
    assert_chains_of("ns/bare-two", "svc@ns/bare-two svc@ns/bare-two-1");
    assert_chains_of("ns/client-7d9c5-abcde", "svc@ns/client svc@ns/client-1");
    assert_chains_of("ns/client-2-7d9c5-abcde", "svc@ns/client-2");
    static const char *const nobodys[] = {
        "ns/bare-abcde",
        "ns/client",
        "ns/client-abcde",
        "ns/nse-7d9c5-abcde",
        "other/bare",
        "ns/client-2",
        "bare",
        "",
        "ns/ba",
        "ns/bare-two-1",
        "ns/client-7-8-9",
        "ns/unknown",
        "ns/client-2-7d9c5-abcde-fghij",
    };
    for (guint i = 0; i < G_N_ELEMENTS(nobodys); i++) {
        ck_assert_msg(chains_of_pod(chains, nobodys[i]) == NULL, "%s", nobodys[i]);
    }
    finish();
}
END_TEST

static void
assert_connection(const char *id, const char *expected)
{
    const Chain *chain = chains_of_connection(chains, id);
    ck_assert_msg(g_strcmp0(chain != NULL ? chain->name : NULL, expected) == 0, "%s: %s", id,
                  chain != NULL ? chain->name : "none");
}

START_TEST(the_chain_of_a_connection_is_that_of_its_pod_and_number)
{
    find_many_clients();
    assert_connection("ns/bare-0", "svc@ns/bare");
    assert_connection("ns/bare-1", NULL);
    assert_connection("ns/bare-two-0", "svc@ns/bare-two");
    assert_connection("ns/bare-two-1", "svc@ns/bare-two-1");
    assert_connection("ns/bare-two-2", NULL);
    assert_connection("ns/client-7d9c5-abcde-0", "svc@ns/client");
    assert_connection("ns/client-7d9c5-abcde-1", "svc@ns/client-1");
    assert_connection("ns/client-2-7d9c5-abcde-0", "svc@ns/client-2");
    assert_connection("ns/client-2-7d9c5-abcde-1", NULL);
    assert_connection("ns/client-7d9c5-abcde", NULL);
    assert_connection("ns/nse-7d9c5-abcde-0", NULL);
    assert_connection("ns/bare", NULL);
    assert_connection("bare", NULL);
    assert_connection("", NULL);
    finish();
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {
        a_chain_follows_the_matches_from_link_to_link,
        a_link_keeps_all_its_candidates_in_order,
        a_service_in_no_manifest_is_a_problem,
        a_service_that_nobody_serves_is_a_problem,
        selectors_that_no_endpoint_satisfies_are_a_problem_of_their_link,
        routes_that_lead_back_are_a_loop,
        an_endpoint_that_leads_to_itself_is_a_loop,
        an_endpoint_that_registers_its_service_needs_no_manifest_of_it,
        node_labels_of_the_client_count,
        labels_of_the_url_count,
        several_urls_and_clients_have_names_of_their_own,
        an_interdomain_service_is_said_not_to_be_modelled,
        an_annotated_client_counts_when_there_is_a_webhook,
        pods_have_the_names_that_their_controller_gives_them,
        a_walk_must_meet_every_endpoint_in_order,
        a_walk_that_stops_early_is_wrong,
        a_walk_that_goes_on_to_another_pod_is_wrong,
        any_candidate_of_a_link_will_do,
        a_walk_is_written_as_a_line,
        a_pod_of_a_workload_with_a_longer_name_is_not_taken_for_it,
        a_walk_that_goes_on_beyond_the_last_endpoint_is_wrong,
        a_pod_owns_itself_alone,
        a_deployment_owns_pods_with_two_generated_parts,
        a_replica_set_and_a_daemon_set_own_pods_with_one_generated_part,
        a_stateful_set_owns_pods_with_a_number,
        a_workload_whose_name_ends_like_anothers_owns_its_own_pods,
        other_objects_own_no_pods,
        an_object_owns_the_pods_that_its_controller_makes_first,
        the_chains_of_a_pod_are_those_of_its_workload,
        the_chain_of_a_connection_is_that_of_its_pod_and_number,
    };
    return run_tests("chain", tests, G_N_ELEMENTS(tests), NULL, 0);
}
