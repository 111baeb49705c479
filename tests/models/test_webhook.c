/* The admission webhook alone: what it injects into whom (FACTS 1.10). */
#include "models/nsm/webhook.h"

#include "models/k8s/api.h"
#include "tests/models/nsm_step.h"

#define V1_4 "ghcr.io/networkservicemesh/cmd-admission-webhook-k8s:v1.4.0"
#define ENV                                                                                        \
    "{name: NSM_CONTAINER_IMAGES, value: \"ghcr.io/networkservicemesh/cmd-nsc:v1.4.0\"}, "         \
    "{name: NSM_INIT_CONTAINER_IMAGES, "                                                           \
    "value: \"ghcr.io/networkservicemesh/cmd-nsc-init:v1.4.0\"}, "                                 \
    "{name: NSM_ENVS, value: \"NSM_LOG_LEVEL=TRACE, NSM_REQUEST_TIMEOUT=75s\"}"
#define URLS "kernel://svc/nsm-1,kernel://other/nsm-2"
#define ANNOTATED "annotations: {networkservicemesh.io: \"" URLS "\"}"

static Machine *
without_configuration(const ProcessInfo *info)
{
    return webhook_new(info, NULL);
}

static Object *own; /* the configuration that the running test hands over */

static Machine *
with_own_configuration(const ProcessInfo *info)
{
    return webhook_new(info, own);
}

static void
serving(void)
{
    make_machine(without_configuration, V1_4, ENV);
    start();
}

static const Object *
pod_manifest(const char *metadata)
{
    g_autofree char *yaml = g_strdup_printf("apiVersion: v1\n"
                                            "kind: Pod\n"
                                            "metadata: {name: p, namespace: apps%s%s}\n"
                                            "spec:\n"
                                            "  initContainers: [{name: first, image: \"a:1\"}]\n"
                                            "  containers: [{name: main, image: \"b:1\"}]\n",
                                            *metadata != '\0' ? ", " : "", metadata);
    return g_ptr_array_index(decode(yaml), 0);
}

static const Object *
deployment_manifest(const char *metadata, const char *template)
{
    g_autofree char *yaml = g_strdup_printf(
        "apiVersion: apps/v1\n"
        "kind: Deployment\n"
        "metadata: {name: d, namespace: apps%s%s}\n"
        "spec:\n"
        "  selector: {matchLabels: {app: d}}\n"
        "  template:\n"
        "    metadata: {labels: {app: d}%s%s}\n"
        "    spec: {containers: [{name: main, image: \"b:1\"}]}\n",
        *metadata != '\0' ? ", " : "", metadata, *template != '\0' ? ", " : "", template);
    return g_ptr_array_index(decode(yaml), 0);
}

/* A review of the object that the API server is about to create; what the webhook makes of it. */
static const PodSpec *
review(const Object *manifest, uint64_t owner)
{
    ApiObject *object = api_object_new(manifest->kind, manifest->ns, manifest->name);
    object->owner = owner;
    object->manifest = manifest;
    object->pod = manifest->kind == OBJECT_POD ? manifest->pod : manifest->workload->template;
    request(1, api_message(MESSAGE_ADMISSION_REVIEW, object));
    return ((const AdmissionPatch *)answer_of(1, MESSAGE_ADMISSION_PATCH))->spec;
}

static void
assert_env(const ContainerSpec *container, const char *name, const char *value)
{
    const EnvVar *var = container_env(container, name);
    ck_assert_msg(var != NULL, "%s is missing", name);
    ck_assert_pstr_eq(var->value != NULL ? var->value : var->field_path, value);
}

static void
assert_client(const ContainerSpec *container, const char *name, const char *image)
{
    ck_assert_str_eq(container->name, name);
    ck_assert_str_eq(container->image, image);
    assert_env(container, "NSM_NETWORK_SERVICES", URLS);
    assert_env(container, "SPIFFE_ENDPOINT_SOCKET", "unix:///run/spire/sockets/agent.sock");
    assert_env(container, "NSM_NAME", "metadata.name");
    assert_env(container, "POD_NAME", "metadata.name");
    assert_env(container, "NODE_NAME", "spec.nodeName");
    assert_env(container, "NSM_LOG_LEVEL", "TRACE");
    assert_env(container, "NSM_REQUEST_TIMEOUT", "75s");
    ck_assert_uint_eq(container->n_mounts, 2);
    ck_assert_str_eq(container->mounts[0].path, "/run/spire/sockets");
    ck_assert_str_eq(container->mounts[1].path, "/var/lib/networkservicemesh");
}

START_TEST(an_annotated_pod_gets_init_container_client_and_coredns)
{
    serving();
    const PodSpec *spec = review(pod_manifest(ANNOTATED), 0);
    ck_assert_ptr_nonnull(spec);
    ck_assert(traced(TRACE_WEBHOOK_INJECTED, "Pod"));
    ck_assert_uint_eq(spec->n_init_containers, 2);
    ck_assert_str_eq(spec->init_containers[0].name, "first");
    assert_client(&spec->init_containers[1], "cmd-nsc-init",
                  "ghcr.io/networkservicemesh/cmd-nsc-init:v1.4.0");
    ck_assert_uint_eq(spec->n_containers, 3);
    ck_assert_str_eq(spec->containers[0].name, "main");
    assert_client(&spec->containers[1], "cmd-nsc", "ghcr.io/networkservicemesh/cmd-nsc:v1.4.0");
    ck_assert_str_eq(spec->containers[2].name, "coredns");
}
END_TEST

START_TEST(coredns_has_100m_and_30_mebibytes_at_v1_4)
{
    serving();
    const PodSpec *spec = review(pod_manifest(ANNOTATED), 0);
    ck_assert_int_eq(spec->containers[2].limits.cpu, 100);
    ck_assert_int_eq(spec->containers[2].limits.memory, INT64_C(30) << 20);
    ck_assert_int_eq(pod_spec_limits(spec).cpu, 100);
}
END_TEST

START_TEST(the_injected_volumes_are_the_hosts_and_the_label_is_spires)
{
    serving();
    const PodSpec *spec = review(pod_manifest(ANNOTATED), 0);
    ck_assert_uint_eq(spec->n_volumes, 2);
    ck_assert_str_eq(spec->volumes[0].name, "spire-agent-socket");
    ck_assert_str_eq(spec->volumes[1].name, "nsm-socket");
    for (guint i = 0; i < 2; i++) {
        ck_assert_int_eq(spec->volumes[i].kind, VOLUME_HOST_PATH);
    }
    ck_assert_str_eq(spec->volumes[1].source, "/var/lib/networkservicemesh");
    ck_assert_str_eq(labels_get(&spec->labels, SPIRE_LABEL), "true");
}
END_TEST

START_TEST(volumes_that_are_there_are_not_added_twice)
{
    serving();
    const char *yaml = "apiVersion: v1\n"
                       "kind: Pod\n"
                       "metadata: {name: p, " ANNOTATED "}\n"
                       "spec:\n"
                       "  containers: [{name: main, image: \"b:1\"}]\n"
                       "  volumes: [{name: nsm-socket, hostPath: {path: /own}}]\n";
    const PodSpec *spec = review(g_ptr_array_index(decode(yaml), 0), 0);
    ck_assert_uint_eq(spec->n_volumes, 2);
    ck_assert_str_eq(spec->volumes[0].source, "/own");
}
END_TEST

START_TEST(a_pod_without_annotation_is_left_alone)
{
    serving();
    ck_assert_ptr_null(review(pod_manifest(""), 0));
    ck_assert_ptr_null(review(pod_manifest("annotations: {other: x}"), 0));
    ck_assert(!traced(TRACE_WEBHOOK_INJECTED, ""));
}
END_TEST

START_TEST(a_workload_is_changed_by_its_own_annotation)
{
    serving();
    const PodSpec *spec = review(deployment_manifest(ANNOTATED, ""), 0);
    ck_assert_ptr_nonnull(spec);
    ck_assert_uint_eq(spec->n_init_containers, 1);
    ck_assert_uint_eq(spec->n_containers, 3);
    ck_assert(traced(TRACE_WEBHOOK_INJECTED, "Deployment"));
}
END_TEST

START_TEST(an_annotation_of_the_template_changes_the_pods_not_the_workload)
{
    serving();
    const Object *deployment = deployment_manifest("", ANNOTATED);
    ck_assert_ptr_null(review(deployment, 0));
    ApiObject *pod = api_object_new(OBJECT_POD, "apps", "d-1");
    pod->owner = 5;
    pod->pod = deployment->workload->template;
    request(1, api_message(MESSAGE_ADMISSION_REVIEW, pod));
    const AdmissionPatch *patch = (const AdmissionPatch *)answer_of(1, MESSAGE_ADMISSION_PATCH);
    ck_assert_ptr_nonnull(patch->spec);
}
END_TEST

START_TEST(what_a_controller_makes_of_a_workload_is_not_changed_again)
{
    serving();
    ck_assert_ptr_null(review(deployment_manifest(ANNOTATED, ""), 5)); /* its ReplicaSet */
}
END_TEST

START_TEST(the_original_is_not_touched)
{
    serving();
    const Object *manifest = pod_manifest(ANNOTATED);
    review(manifest, 0);
    ck_assert_uint_eq(manifest->pod->n_containers, 1);
    ck_assert_uint_eq(manifest->pod->n_init_containers, 1);
    ck_assert_ptr_null(labels_get(&manifest->pod->labels, SPIRE_LABEL));
}
END_TEST

START_TEST(several_images_are_several_containers)
{
    make_machine(without_configuration, V1_4,
                 "{name: NSM_CONTAINER_IMAGES, value: \"a/cmd-nsc:v1.4.0,b/c/other@sha256:00\"}");
    start();
    const PodSpec *spec = review(pod_manifest(ANNOTATED), 0);
    ck_assert_uint_eq(spec->n_init_containers, 1);
    ck_assert_uint_eq(spec->n_containers, 4);
    ck_assert_str_eq(spec->containers[1].name, "cmd-nsc");
    ck_assert_str_eq(spec->containers[2].name, "other");
}
END_TEST

START_TEST(it_is_ready_when_it_listens)
{
    make_machine(without_configuration, V1_4, ENV);
    request(1, message_new(MESSAGE_HEALTH, sizeof(Message), NULL));
    assert_error(1, "not ready");
    start();
    ck_assert_str_eq(did(), "listen tcp:10.0.0.1:443");
    request(2, message_new(MESSAGE_HEALTH, sizeof(Message), NULL));
    answer_of(2, MESSAGE_OK);
    give((Input){.kind = INPUT_STOP});
    ck_assert_str_eq(did(), "exit 0");
}
END_TEST

START_TEST(at_v1_4_it_registers_its_configuration_itself)
{
    own = webhook_own_configuration("nsm-system", "admission-webhook-svc");
    make_machine(with_own_configuration, V1_4, ENV);
    start();
    const Action *call = call_of(MESSAGE_API_CREATE);
    ck_assert_str_eq(call->address, API_ADDRESS);
    ck_assert_int_eq(call->flags, CALL_PLAIN);
    ck_assert_ptr_eq(api_message_object(call->message)->manifest, own);
    make_machine(with_own_configuration, "cmd-admission-webhook-k8s:v1.14.0", ENV);
    start();
    ck_assert_uint_eq(n_actions(ACTION_CALL), 0);
    drop_machine();
    object_free(own);
}
END_TEST

START_TEST(its_configuration_fails_closed_after_ten_seconds)
{
    g_autoptr(Object) configuration = webhook_own_configuration("nsm-system", "svc");
    const WebhookSpec *spec = configuration->webhook;
    ck_assert_int_eq(configuration->kind, OBJECT_MUTATING_WEBHOOK);
    ck_assert(spec->fail);
    ck_assert_int_eq(spec->timeout, SECONDS(10));
    ck_assert(spec->matches_pods && spec->matches_workloads);
    ck_assert_str_eq(spec->service_namespace, "nsm-system");
    ck_assert_str_eq(spec->service_name, "svc");
}
END_TEST

START_TEST(coredns_has_200m_and_80_mebibytes_in_newer_releases)
{
    make_machine(without_configuration, "cmd-admission-webhook-k8s:v1.14.0", ENV);
    start();
    const PodSpec *spec = review(pod_manifest(ANNOTATED), 0);
    ck_assert_int_eq(spec->containers[2].requests.cpu, 100);
    ck_assert_int_eq(spec->containers[2].requests.memory, INT64_C(40) << 20);
    ck_assert_int_eq(spec->containers[2].limits.cpu, 200);
    ck_assert_int_eq(spec->containers[2].limits.memory, INT64_C(80) << 20);
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {
        an_annotated_pod_gets_init_container_client_and_coredns,
        coredns_has_100m_and_30_mebibytes_at_v1_4,
        the_injected_volumes_are_the_hosts_and_the_label_is_spires,
        volumes_that_are_there_are_not_added_twice,
        a_pod_without_annotation_is_left_alone,
        a_workload_is_changed_by_its_own_annotation,
        an_annotation_of_the_template_changes_the_pods_not_the_workload,
        what_a_controller_makes_of_a_workload_is_not_changed_again,
        the_original_is_not_touched,
        several_images_are_several_containers,
        it_is_ready_when_it_listens,
        at_v1_4_it_registers_its_configuration_itself,
        its_configuration_fails_closed_after_ten_seconds,
        coredns_has_200m_and_80_mebibytes_in_newer_releases,
    };
    return run_tests("webhook", tests, G_N_ELEMENTS(tests), NULL, 0);
}
