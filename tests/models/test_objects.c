/* Objects: defaults, strictness, warnings, and the real manifests of NSM. */
#include "models/manifest/objects.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NSM_DIR "../shared/nsm"

static GPtrArray *
decode_with(const char *yaml, GPtrArray *warnings, GError **error)
{
    g_autoptr(GPtrArray) trees = tree_parse_text(yaml, strlen(yaml), "t.yaml", error);
    return trees ? objects_decode(trees, warnings, error) : NULL;
}

/* Decodes text that must be right and give no warning. */
static GPtrArray *
decode(const char *yaml)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) warnings = g_ptr_array_new_with_free_func(g_free);
    GPtrArray *objects = decode_with(yaml, warnings, &error);
    ck_assert_msg(objects != NULL, "%s", error ? error->message : "");
    ck_assert_msg(warnings->len == 0, "%s", warnings->len ? (char *)warnings->pdata[0] : "");
    return objects;
}

/* The text must be refused with a message that begins with the place and holds the words. */
static void
assert_refused(const char *yaml, const char *place, const char *words)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) objects = decode_with(yaml, NULL, &error);
    ck_assert_msg(objects == NULL, "accepted:\n%s", yaml);
    ck_assert_msg(g_str_has_prefix(error->message, place), "%s: %s", place, error->message);
    ck_assert_msg(strstr(error->message, words), "\"%s\" is not in: %s", words, error->message);
    ck_assert_msg(strstr(error->message, "expected"), "%s", error->message);
}

/* The text must be accepted with exactly one warning that begins so and holds the words. */
static void
assert_warned(const char *yaml, const char *place, const char *words)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) warnings = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GPtrArray) objects = decode_with(yaml, warnings, &error);
    ck_assert_msg(objects != NULL, "%s", error ? error->message : "");
    ck_assert_msg(warnings->len == 1, "%u warnings for:\n%s", warnings->len, yaml);
    const char *warning = warnings->pdata[0];
    ck_assert_msg(g_str_has_prefix(warning, place), "%s: %s", place, warning);
    ck_assert_msg(strstr(warning, words), "\"%s\" is not in: %s", words, warning);
    g_autoptr(GPtrArray) silent = decode_with(yaml, NULL, NULL);
    ck_assert_ptr_nonnull(silent);
}

#define POD                                                                                        \
    "apiVersion: v1\n"                                                                             \
    "kind: Pod\n"                                                                                  \
    "metadata: {name: p}\n"                                                                        \
    "spec:\n"
#define CONTAINER "  containers:\n  - name: c\n    image: i:1\n"
#define POD_C POD CONTAINER /* line 8 is the first after it */

static const PodSpec *
first_pod(const GPtrArray *objects)
{
    const Object *object = objects->pdata[0];
    ck_assert_int_eq(object->kind, OBJECT_POD);
    return object->pod;
}

START_TEST(a_minimal_pod_gets_the_api_servers_defaults)
{
    g_autoptr(GPtrArray) objects = decode(POD_C);
    const Object *object = objects->pdata[0];
    const PodSpec *pod = first_pod(objects);
    ck_assert_str_eq(object->ns, "default");
    ck_assert_str_eq(object->name, "p");
    ck_assert_str_eq(object->mark.file, "t.yaml");
    ck_assert_int_eq(object->mark.line, 1);
    ck_assert_uint_eq(pod->n_containers, 1);
    ck_assert_ptr_null(pod->node_name);
    ck_assert_str_eq(pod->service_account, "default");
    ck_assert_str_eq(pod->scheduler_name, "default-scheduler");
    ck_assert(pod->restart_always);
    ck_assert(!pod->restart_on_failure);
    ck_assert_int_eq(pod->grace_period, 30 * NSEC_PER_SEC);
    const ContainerSpec *c = &pod->containers[0];
    ck_assert(!c->pull_always);
    ck_assert_ptr_null(c->command[0]);
    ck_assert_int_eq(c->readiness.kind, PROBE_NONE);
    ck_assert_int_eq(c->requests.cpu, RESOURCE_NONE);
    ck_assert_int_eq(c->limits.memory, RESOURCE_NONE);
    ck_assert_int_eq(c->mark.line, 6);
    ck_assert_int_eq(pod_spec_requests(pod).cpu, 0);
    ck_assert_int_eq(pod_spec_limits(pod).cpu, RESOURCE_NONE);
}
END_TEST

START_TEST(images_without_tag_or_with_latest_are_always_pulled)
{
    static const struct {
        const char *image;
        bool always;
    } rows[] = {
        {"nginx", true},
        {"nginx:latest", true},
        {"nginx:1.25", false},
        {"host:5000/nginx", true},
        {"host:5000/nginx:1", false},
        {"nginx@sha256:00", false},
        {"nginx:latest@sha256:00", true},
        {"host:5000/nginx@sha256:00", false},
        {"nginx:latest-2", false},
    };
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *yaml =
            g_strdup_printf(POD "  containers: [{name: c, image: \"%s\"}, {name: d, image: \"%s\", "
                                "imagePullPolicy: Never}]\n",
                            rows[i].image, rows[i].image);
        g_autoptr(GPtrArray) objects = decode(yaml);
        ck_assert_msg(first_pod(objects)->containers[0].pull_always == rows[i].always, "%s",
                      rows[i].image);
        ck_assert(!first_pod(objects)->containers[1].pull_always);
    }
}
END_TEST

START_TEST(a_limit_without_request_becomes_the_request)
{
    g_autoptr(GPtrArray) objects = decode(POD "  containers:\n"
                                              "  - name: a\n"
                                              "    image: i:1\n"
                                              "    resources:\n"
                                              "      requests: {cpu: 150m}\n"
                                              "      limits: {cpu: 0.5, memory: 500Mi}\n"
                                              "  - name: b\n"
                                              "    image: i:1\n"
                                              "    resources: {limits: {cpu: 2}}\n");
    const PodSpec *pod = first_pod(objects);
    ck_assert_int_eq(pod->containers[0].requests.cpu, 150);
    ck_assert_int_eq(pod->containers[0].limits.cpu, 500);
    ck_assert_int_eq(pod->containers[0].requests.memory, INT64_C(500) << 20);
    ck_assert_int_eq(pod->containers[1].requests.cpu, 2000);
    ck_assert_int_eq(pod_spec_requests(pod).cpu, 2150);
    ck_assert_int_eq(pod_spec_limits(pod).cpu, 2500);
    ck_assert_int_eq(pod_spec_limits(pod).memory, INT64_C(500) << 20);
}
END_TEST

START_TEST(the_largest_init_container_counts_when_it_exceeds_the_sum)
{
    g_autoptr(GPtrArray) objects =
        decode(POD "  initContainers:\n"
                   "  - {name: x, image: i:1, resources: {requests: {cpu: 1, memory: 10Mi}}}\n"
                   "  - {name: w, image: i:1, resources: {requests: {cpu: 500m}}}\n"
                   "  containers:\n"
                   "  - {name: a, image: i:1, resources: {requests: {cpu: 100m, memory: 20Mi}}}\n"
                   "  - {name: b, image: i:1, resources: {requests: {cpu: 200m, memory: 20Mi}}}\n");
    ResourceList requests = pod_spec_requests(first_pod(objects));
    ck_assert_int_eq(requests.cpu, 1000);
    ck_assert_int_eq(requests.memory, INT64_C(40) << 20);
}
END_TEST

START_TEST(enormous_requests_saturate_in_the_sum)
{
    g_autoptr(GPtrArray) objects =
        decode(POD "  containers:\n"
                   "  - {name: a, image: i:1, resources: {requests: {memory: 7Ei}}}\n"
                   "  - {name: b, image: i:1, resources: {requests: {memory: 7Ei}}}\n");
    ck_assert_int_eq(pod_spec_requests(first_pod(objects)).memory, INT64_MAX);
}
END_TEST

START_TEST(wrong_quantities_are_named_with_their_place)
{
    assert_refused(POD_C "    resources:\n      limits:\n        cpu: 12q\n",
                   "t.yaml:10:14: ", "\"12q\": unknown suffix \"q\"");
    assert_refused(POD_C "    resources: {limits: {memory: -1}}\n", "t.yaml:8:", "negative");
    assert_refused(POD_C "    resources: {limits: {cpu: yes}}\n", "t.yaml:8:", "found yes");
    assert_refused(POD_C "    resources: {limits: {cpu: [1]}}\n", "t.yaml:8:", "no scalar");
    assert_refused(POD_C "    resources: {limits: {vendor.com/nic: many}}\n", "t.yaml:8:", "many");
    assert_refused(POD_C "    resources: {limits: {cpu: 1}, requests: {cpu: 1001m}}\n",
                   "t.yaml:8:", "request of 1001m");
}
END_TEST

START_TEST(environment_keeps_values_and_field_references)
{
    g_autoptr(GPtrArray) objects =
        decode(POD_C "    env:\n"
                     "    - {name: A, value: one}\n"
                     "    - {name: B, valueFrom: {fieldRef: {fieldPath: status.podIP}}}\n"
                     "    - name: C\n"
                     "    - {name: A, value: \"tcp://[$(B)]:5001\"}\n"
                     "    - {name: D, valueFrom: {configMapKeyRef: {name: m, key: k}}}\n"
                     "    - name: L\n"
                     "      valueFrom: {fieldRef: {fieldPath: \"metadata.labels['app']\"}}\n");
    const ContainerSpec *c = &first_pod(objects)->containers[0];
    ck_assert_uint_eq(c->n_env, 6);
    ck_assert_str_eq(c->env[0].value, "one");
    ck_assert_int_eq(c->env[0].mark.line, 9);
    ck_assert_str_eq(container_env(c, "A")->value, "tcp://[$(B)]:5001");
    ck_assert_ptr_null(container_env(c, "B")->value);
    ck_assert_str_eq(container_env(c, "B")->field_path, "status.podIP");
    ck_assert_str_eq(container_env(c, "C")->value, "");
    ck_assert_ptr_null(container_env(c, "D")->value);
    ck_assert_ptr_null(container_env(c, "D")->field_path);
    ck_assert_str_eq(container_env(c, "L")->field_path, "metadata.labels['app']");
    ck_assert_ptr_null(container_env(c, "E"));
}
END_TEST

START_TEST(wrong_environments_are_refused)
{
    assert_refused(POD_C "    env: [{name: A, value: 5}]\n", "t.yaml:8:28: ", "quotes");
    assert_refused(POD_C "    env: [{value: x}]\n", "t.yaml:8:", "without name");
    assert_refused(POD_C "    env: [{name: A, valueFrom: {fieldRef: {fieldPath: spec.x}}}]\n",
                   "t.yaml:8:", "\"spec.x\"");
    assert_refused(POD_C "    env: [{name: A, value: x, valueFrom: {fieldRef: {fieldPath: "
                         "metadata.name}}}]\n",
                   "t.yaml:8:", "both");
    assert_refused(POD_C "    env: {A: x}\n", "t.yaml:8:", "sequence");
}
END_TEST

START_TEST(an_nsm_variable_from_a_config_map_is_warned_of)
{
    assert_warned(POD_C
                  "    env: [{name: NSM_LABELS, valueFrom: {secretKeyRef: {name: s, key: k}}}]\n",
                  "t.yaml:8:30: Pod default/p: ", "NSM_LABELS");
}
END_TEST

START_TEST(command_and_arguments_are_one_list)
{
    g_autoptr(GPtrArray) objects = decode(POD_C "    command: [sh, -c]\n    args: [\"sleep 1\"]\n");
    char **command = first_pod(objects)->containers[0].command;
    g_autofree char *text = g_strjoinv("|", command);
    ck_assert_str_eq(text, "sh|-c|sleep 1");
    assert_refused(POD_C "    command: [sleep, 5]\n", "t.yaml:8:22: ", "quotes");
    assert_refused(POD_C "    command: sleep\n", "t.yaml:8:14: ", "sequence");
}
END_TEST

START_TEST(on_the_hosts_network_ports_are_host_ports)
{
    g_autoptr(GPtrArray) objects = decode(POD "  hostNetwork: true\n" CONTAINER "    ports:\n"
                                              "    - {containerPort: 5001}\n"
                                              "    - {containerPort: 53, protocol: UDP, "
                                              "hostPort: 53}\n");
    const ContainerSpec *c = &first_pod(objects)->containers[0];
    ck_assert_int_eq(c->ports[0].host_port, 5001);
    ck_assert_str_eq(c->ports[0].protocol, "TCP");
    ck_assert_int_eq(c->ports[1].host_port, 53);
    ck_assert_str_eq(c->ports[1].protocol, "UDP");
    assert_refused(POD "  hostNetwork: true\n" CONTAINER
                       "    ports: [{containerPort: 80, hostPort: 81}]\n",
                   "t.yaml:9:", "hostPort 81");
}
END_TEST

START_TEST(elsewhere_only_the_host_ports_that_are_asked_for)
{
    g_autoptr(GPtrArray) objects =
        decode(POD_C "    ports: [{containerPort: 80}, {containerPort: 81, hostPort: 8081}]\n");
    const ContainerSpec *c = &first_pod(objects)->containers[0];
    ck_assert_int_eq(c->ports[0].host_port, 0);
    ck_assert_int_eq(c->ports[1].host_port, 8081);
    assert_refused(POD_C "    ports: [{hostPort: 80}]\n", "t.yaml:8:", "containerPort");
    assert_refused(POD_C "    ports: [{containerPort: 65536}]\n", "t.yaml:8:", "65536");
    assert_refused(POD_C "    ports: [{containerPort: 0}]\n", "t.yaml:8:", "0");
    assert_refused(POD_C "    ports: [{containerPort: 1, protocol: tcp}]\n",
                   "t.yaml:8:", "\"tcp\"");
}
END_TEST

START_TEST(probes_get_their_defaults)
{
    g_autoptr(GPtrArray) objects =
        decode(POD_C "    ports: [{name: web, containerPort: 80}]\n"
                     "    startupProbe:\n"
                     "      exec: {command: [/bin/grpc-health-probe, -spiffe]}\n"
                     "      failureThreshold: 25\n"
                     "      periodSeconds: 5\n"
                     "    readinessProbe: {httpGet: {path: /ready, port: web}, "
                     "successThreshold: 2, periodSeconds: 0}\n"
                     "    livenessProbe: {tcpSocket: {port: 9}, initialDelaySeconds: 10}\n"
                     "  - {name: d, image: i:1, readinessProbe: {grpc: {port: 7}}}\n");
    const ContainerSpec *c = &first_pod(objects)->containers[0];
    ck_assert_int_eq(c->startup.kind, PROBE_EXEC);
    ck_assert_str_eq(c->startup.command, "/bin/grpc-health-probe -spiffe");
    ck_assert_int_eq(c->startup.period, 5 * NSEC_PER_SEC);
    ck_assert_int_eq(c->startup.timeout, NSEC_PER_SEC);
    ck_assert_int_eq(c->startup.initial_delay, 0);
    ck_assert_int_eq(c->startup.success_threshold, 1);
    ck_assert_int_eq(c->startup.failure_threshold, 25);
    ck_assert_int_eq(c->readiness.kind, PROBE_HTTP);
    ck_assert_str_eq(c->readiness.command, "/ready");
    ck_assert_int_eq(c->readiness.port, 80);
    ck_assert_int_eq(c->readiness.period, 10 * NSEC_PER_SEC);
    ck_assert_int_eq(c->readiness.success_threshold, 2);
    ck_assert_int_eq(c->readiness.failure_threshold, 3);
    ck_assert_int_eq(c->liveness.kind, PROBE_TCP);
    ck_assert_int_eq(c->liveness.port, 9);
    ck_assert_int_eq(c->liveness.initial_delay, 10 * NSEC_PER_SEC);
    ck_assert_int_eq(first_pod(objects)->containers[1].readiness.kind, PROBE_GRPC);
}
END_TEST

START_TEST(wrong_probes_are_refused)
{
#define EXEC "exec: {command: [a]}"
    assert_refused(POD_C "    livenessProbe: {" EXEC ", periodSeconds: -1}\n", "t.yaml:8:", "-1");
    assert_refused(POD_C "    livenessProbe: {" EXEC ", timeoutSeconds: 1.5}\n",
                   "t.yaml:8:", "1.5");
    assert_refused(POD_C "    livenessProbe: {" EXEC ", successThreshold: 2}\n",
                   "t.yaml:8:", "successThreshold 2");
    assert_refused(POD_C "    livenessProbe: {" EXEC ", grpc: {port: 1}}\n",
                   "t.yaml:8:", "2 handlers");
    assert_refused(POD_C "    livenessProbe: {periodSeconds: 1}\n", "t.yaml:8:", "0 handlers");
    assert_refused(POD_C "    livenessProbe: {tcpSocket: {port: web}}\n", "t.yaml:8:", "port web");
    assert_refused(POD_C "    livenessProbe: {tcpSocket: {host: h}}\n", "t.yaml:8:", "no port");
#undef EXEC
}
END_TEST

START_TEST(volumes_know_their_sources)
{
    g_autoptr(GPtrArray) objects = decode(
        POD "  volumes:\n"
            "  - {name: sock, hostPath: {path: /run/spire, type: Directory}}\n"
            "  - {name: conf, configMap: {name: m, optional: true, items: [{key: k, path: f}]}}\n"
            "  - {name: key, secret: {secretName: s}}\n"
            "  - {name: tmp, emptyDir: {}}\n"
            "  - {name: token, projected: {sources: []}}\n"
            "  - {name: bare}\n"
            "  - {name: nfs, nfs: {server: a, path: /b}}\n" CONTAINER
            "    volumeMounts: [{name: conf, mountPath: /etc/x}, "
            "{name: tmp, mountPath: /f, subPath: sub}]\n");
    const PodSpec *pod = first_pod(objects);
    static const VolumeKind kinds[] = {VOLUME_HOST_PATH, VOLUME_CONFIG_MAP, VOLUME_SECRET,
                                       VOLUME_EMPTY_DIR, VOLUME_PROJECTED,  VOLUME_EMPTY_DIR,
                                       VOLUME_OTHER};
    ck_assert_uint_eq(pod->n_volumes, G_N_ELEMENTS(kinds));
    for (guint i = 0; i < pod->n_volumes; i++) {
        ck_assert_int_eq(pod->volumes[i].kind, kinds[i]);
    }
    ck_assert_str_eq(pod->volumes[0].source, "/run/spire");
    ck_assert_str_eq(pod->volumes[1].source, "m");
    ck_assert(pod->volumes[1].optional);
    ck_assert_str_eq(pod->volumes[2].source, "s");
    ck_assert(!pod->volumes[2].optional);
    ck_assert_str_eq(pod->containers[0].mounts[0].volume, "conf");
    ck_assert_str_eq(pod->containers[0].mounts[0].path, "/etc/x");
    ck_assert_ptr_null(pod->containers[0].mounts[0].sub_path);
    ck_assert_uint_eq(pod->volumes[0].n_items, 0);
    PodSpec *copy = pod_spec_copy(pod);
    ck_assert_str_eq(copy->containers[0].mounts[1].sub_path, "sub");
    ck_assert_uint_eq(copy->volumes[1].n_items, 1);
    ck_assert_str_eq(copy->volumes[1].items[0].key, "k");
    ck_assert_str_eq(copy->volumes[1].items[0].path, "f");
    pod_spec_free(copy);
}
END_TEST

START_TEST(a_mount_of_a_volume_that_is_not_there_is_refused)
{
    assert_refused(POD_C "    volumeMounts: [{name: v, mountPath: /v}]\n", "t.yaml:6:", "mounts v");
    assert_refused(POD "  volumes: [{name: v}, {name: v}]\n" CONTAINER,
                   "t.yaml:5:", "volume v twice");
    assert_refused(POD "  volumes: [{name: v, configMap: {}}]\n" CONTAINER,
                   "t.yaml:5:", "volume v");
}
END_TEST

START_TEST(placement_is_read)
{
    g_autoptr(GPtrArray) objects = decode(
        POD_C "  nodeName: n1\n"
              "  nodeSelector: {disk: ssd}\n"
              "  tolerations:\n"
              "  - {operator: Exists}\n"
              "  - {key: k, value: v, effect: NoExecute, tolerationSeconds: 5}\n"
              "  affinity:\n"
              "    nodeAffinity:\n"
              "      requiredDuringSchedulingIgnoredDuringExecution:\n"
              "        nodeSelectorTerms:\n"
              "        - matchExpressions: [{key: cores, operator: Gt, values: [\"8\"]}]\n"
              "          matchFields: [{key: metadata.name, operator: In, values: [n1]}]\n"
              "      preferredDuringSchedulingIgnoredDuringExecution:\n"
              "      - {weight: 7, preference: {matchExpressions: [{key: a, operator: Exists}]}}\n"
              "    podAffinity:\n"
              "      requiredDuringSchedulingIgnoredDuringExecution:\n"
              "      - topologyKey: kubernetes.io/hostname\n"
              "        labelSelector:\n"
              "          matchExpressions: [{key: app, operator: In, values: [nse-kernel]}]\n"
              "    podAntiAffinity:\n"
              "      preferredDuringSchedulingIgnoredDuringExecution:\n"
              "      - weight: 100\n"
              "        podAffinityTerm:\n"
              "          {topologyKey: zone, namespaces: [a, b], labelSelector: {}}\n");
    const PodSpec *pod = first_pod(objects);
    ck_assert_str_eq(pod->node_name, "n1");
    ck_assert_str_eq(labels_get(&pod->node_selector, "disk"), "ssd");
    ck_assert_uint_eq(pod->n_node_required, 1);
    ck_assert_uint_eq(pod->node_required[0].n_requirements, 2);
    ck_assert_int_eq(pod->node_required[0].requirements[0].op, SELECTOR_GT);
    ck_assert_str_eq(pod->node_required[0].requirements[1].key, "kubernetes.io/hostname");
    ck_assert_int_eq(pod->node_preferred[0].weight, 7);
    ck_assert_uint_eq(pod->n_pod_terms, 2);
    ck_assert(!pod->pod_terms[0].anti);
    ck_assert_int_eq(pod->pod_terms[0].weight, 0);
    ck_assert_str_eq(pod->pod_terms[0].topology_key, "kubernetes.io/hostname");
    Labels labels = {0};
    labels_set(&labels, "app", "nse-kernel");
    ck_assert(label_selector_matches(&pod->pod_terms[0].selector, &labels));
    labels_clear(&labels);
    ck_assert(!label_selector_matches(&pod->pod_terms[0].selector, &labels));
    ck_assert(pod->pod_terms[1].anti);
    ck_assert_int_eq(pod->pod_terms[1].weight, 100);
    ck_assert_str_eq(pod->pod_terms[1].namespaces[1], "b");
    ck_assert_ptr_null(pod->pod_terms[0].namespaces[0]);
}
END_TEST

START_TEST(tolerations_are_read_and_checked)
{
    g_autoptr(GPtrArray) objects =
        decode(POD_C "  tolerations:\n"
                     "  - {operator: Exists}\n"
                     "  - {key: k, value: v, effect: NoExecute, tolerationSeconds: 5}\n"
                     "  - {key: k, effect: \"\"}\n");
    const Toleration *t = first_pod(objects)->tolerations;
    ck_assert_uint_eq(first_pod(objects)->n_tolerations, 3);
    ck_assert(t[0].key == NULL && t[0].exists && t[0].effect == NULL);
    ck_assert_int_eq(t[0].seconds, NSEC_NEVER);
    ck_assert_str_eq(t[1].value, "v");
    ck_assert_str_eq(t[1].effect, "NoExecute");
    ck_assert_int_eq(t[1].seconds, 5 * NSEC_PER_SEC);
    ck_assert(!t[2].exists && t[2].effect == NULL);
    ck_assert_str_eq(t[2].value, "");
    assert_refused(POD_C "  tolerations: [{effect: NoSchedule}]\n", "t.yaml:8:", "without key");
    assert_refused(POD_C "  tolerations: [{key: k, operator: Exists, value: v}]\n",
                   "t.yaml:8:", "and a value");
    assert_refused(POD_C "  tolerations: [{key: k, tolerationSeconds: 1}]\n",
                   "t.yaml:8:", "NoExecute");
    assert_refused(POD_C "  tolerations: [{key: k, effect: NoExecute, tolerationSeconds: -1}]\n",
                   "t.yaml:8:", "-1");
    assert_refused(POD_C "  tolerations: [{key: k, effect: NoWay}]\n", "t.yaml:8:", "\"NoWay\"");
}
END_TEST

START_TEST(wrong_affinities_are_refused)
{
#define REQUIRED "requiredDuringSchedulingIgnoredDuringExecution"
#define PREFERRED "preferredDuringSchedulingIgnoredDuringExecution"
    assert_refused(POD_C "  affinity: {nodeAffinity: {" REQUIRED ": {}}}\n",
                   "t.yaml:8:", "nodeSelectorTerms");
    assert_refused(POD_C "  affinity: {podAffinity: {" REQUIRED ": [{labelSelector: {}}]}}\n",
                   "t.yaml:8:", "topologyKey");
    assert_refused(POD_C "  affinity: {podAffinity: {" PREFERRED
                         ": [{podAffinityTerm: {topologyKey: a}}]}}\n",
                   "t.yaml:8:", "weight");
    assert_refused(POD_C "  affinity: {podAffinity: {" PREFERRED ": [{weight: 1}]}}\n",
                   "t.yaml:8:", "podAffinityTerm");
    assert_refused(POD_C "  affinity: {nodeAffinity: {" PREFERRED ": [{weight: 101}]}}\n",
                   "t.yaml:8:", "101");
    static const char *const requirements[] = {
        "{key: a, operator: In}",
        "{key: a, operator: Exists, values: [b]}",
        "{key: a, operator: Gt, values: [b]}",
        "{key: a, operator: Is, values: [b]}",
        "{key: a}",
        "{operator: Exists}",
    };
    for (guint i = 0; i < G_N_ELEMENTS(requirements); i++) {
        g_autofree char *yaml =
            g_strdup_printf(POD_C "  affinity: {nodeAffinity: {" REQUIRED
                                  ": {nodeSelectorTerms: [{matchExpressions: [%s]}]}}}\n",
                            requirements[i]);
        assert_refused(yaml, "t.yaml:8:", "");
    }
}
END_TEST

START_TEST(pods_without_what_they_need_are_refused)
{
    assert_refused(POD "  nodeName: n\n", "t.yaml:5:", "no containers");
    assert_refused("apiVersion: v1\nkind: Pod\nmetadata: {name: p}\n", "t.yaml:1:1: ", "no spec");
    assert_refused(POD "  containers: [{name: c}]\n", "t.yaml:5:", "container c without image");
    assert_refused(POD "  containers: [{image: i}]\n", "t.yaml:5:", "without name");
    assert_refused(POD "  containers: [{name: c, image: i:1}, {name: c, image: i:1}]\n",
                   "t.yaml:5:", "container c twice");
    assert_refused(POD_C "  restartPolicy: Sometimes\n", "t.yaml:8:", "\"Sometimes\"");
    assert_refused(POD_C "  terminationGracePeriodSeconds: -1\n", "t.yaml:8:", "-1");
    assert_refused(POD_C "  hostNetwork: \"true\"\n", "t.yaml:8:", "true or false");
}
END_TEST

START_TEST(what_changes_scheduling_or_networking_and_is_not_modelled_is_warned_of)
{
    assert_warned(POD_C "  topologySpreadConstraints: [{maxSkew: 1}]\n",
                  "t.yaml:8:3: Pod default/p: ", "topologySpreadConstraints is not modelled");
    assert_warned(POD_C "    resources: {limits: {networkservicemesh.io/vf: 1}}\n",
                  "t.yaml:8:26: Pod default/p: ", "networkservicemesh.io/vf");
    assert_warned(POD_C "  runtimeClassName: kata\n", "t.yaml:8:", "runtimeClassName");
    assert_warned(POD_C "    envFrom: [{configMapRef: {name: m}}]\n", "t.yaml:8:", "envFrom");
    g_autoptr(GPtrArray) harmless = decode(POD_C "  hostPID: true\n"
                                                 "  dnsPolicy: ClusterFirst\n"
                                                 "  topologySpreadConstraints: []\n");
    ck_assert_uint_eq(harmless->len, 1);
}
END_TEST

START_TEST(misspelt_fields_are_warned_of)
{
    assert_warned(POD_C "  hostNetwrok: true\n",
                  "t.yaml:8:3: Pod default/p: ", "did you mean \"hostNetwork\"?");
    assert_warned(POD_C "    imagepullpolicy: Never\n",
                  "t.yaml:8:5: Pod default/p: ", "did you mean \"imagePullPolicy\"?");
    assert_warned(POD_C "    livenessProbe: {exec: {command: [a]}, perodSeconds: 1}\n",
                  "t.yaml:8:43: Pod default/p: ", "did you mean \"periodSeconds\"?");
}
END_TEST

#define DEPLOYMENT                                                                                 \
    "apiVersion: apps/v1\n"                                                                        \
    "kind: Deployment\n"                                                                           \
    "metadata: {name: d, namespace: ns}\n"                                                         \
    "spec:\n"
#define TEMPLATE                                                                                   \
    "  template:\n"                                                                                \
    "    metadata: {labels: {app: d, tier: a}, annotations: {x: z}}\n"                             \
    "    spec: {containers: [{name: c, image: i:1}]}\n"
#define SELECTOR "  selector: {matchLabels: {app: d}}\n"

START_TEST(workloads_are_read_with_their_template)
{
    g_autoptr(GPtrArray) objects = decode(DEPLOYMENT "  replicas: 3\n" SELECTOR TEMPLATE);
    const Object *object = objects->pdata[0];
    ck_assert_int_eq(object->kind, OBJECT_DEPLOYMENT);
    ck_assert_str_eq(object->ns, "ns");
    ck_assert_int_eq(object->workload->replicas, 3);
    ck_assert_str_eq(labels_get(&object->workload->template->labels, "tier"), "a");
    ck_assert_str_eq(labels_get(&object->workload->template->annotations, "x"), "z");
    g_autoptr(GPtrArray) defaulted = decode(DEPLOYMENT "  replicas:\n" SELECTOR TEMPLATE);
    ck_assert_int_eq(((Object *)defaulted->pdata[0])->workload->replicas, 1);
    g_autoptr(GPtrArray) none = decode(DEPLOYMENT "  replicas: 0\n" SELECTOR TEMPLATE);
    ck_assert_int_eq(((Object *)none->pdata[0])->workload->replicas, 0);
}
END_TEST

START_TEST(wrong_replicas_are_refused)
{
    assert_refused(DEPLOYMENT "  replicas: -1\n" SELECTOR TEMPLATE, "t.yaml:5:13: ", "-1");
    assert_refused(DEPLOYMENT "  replicas: \"2\"\n" SELECTOR TEMPLATE, "t.yaml:5:13: ", "integer");
    assert_refused(DEPLOYMENT "  replicas: 1.5\n" SELECTOR TEMPLATE, "t.yaml:5:13: ", "integer");
}
END_TEST

START_TEST(a_selector_must_match_its_own_template)
{
    assert_refused(DEPLOYMENT "  selector: {matchLabels: {app: other}}\n" TEMPLATE,
                   "t.yaml:5:13: ", "app=d,tier=a");
    assert_refused(DEPLOYMENT "  selector: {}\n" TEMPLATE, "t.yaml:5:13: ", "empty selector");
    assert_refused(DEPLOYMENT TEMPLATE, "t.yaml:5:", "no selector");
    assert_refused(DEPLOYMENT SELECTOR, "t.yaml:5:", "no template");
    assert_refused(DEPLOYMENT SELECTOR TEMPLATE "  oops: [", "t.yaml:", "");
    assert_refused(DEPLOYMENT SELECTOR "  template:\n"
                                       "    metadata: {labels: {app: d}}\n"
                                       "    spec:\n"
                                       "      restartPolicy: Never\n"
                                       "      containers: [{name: c, image: i:1}]\n",
                   "t.yaml:9:22: ", "restartPolicy");
}
END_TEST

START_TEST(labels_must_be_strings)
{
    assert_refused("apiVersion: v1\nkind: Namespace\nmetadata: {name: nn, labels: {a: true}}\n",
                   "t.yaml:3:34: ", "quotes");
    assert_refused("apiVersion: v1\nkind: Namespace\nmetadata: {name: nn, labels: {a: 1}}\n",
                   "t.yaml:3:34: ", "quotes");
    assert_refused("apiVersion: v1\nkind: Namespace\nmetadata: {name: nn, labels: [a]}\n",
                   "t.yaml:3:", "mapping");
    assert_refused("apiVersion: v1\nkind: Namespace\nmetadata: {name: nn, annotations: {a: 1.0}}\n",
                   "t.yaml:3:", "quotes");
    assert_refused("apiVersion: v1\nkind: Namespace\nmetadata: {name: 12}\n",
                   "t.yaml:3:", "quotes");
}
END_TEST

START_TEST(a_stateful_set_may_mount_its_claims)
{
    const char *yaml =
        "apiVersion: apps/v1\n"
        "kind: StatefulSet\n"
        "metadata: {name: s}\n"
        "spec:\n"
        "  serviceName: svc\n"
        "  podManagementPolicy: Parallel\n"
        "  selector: {matchLabels: {app: s}}\n"
        "  template:\n"
        "    metadata: {labels: {app: s}}\n"
        "    spec:\n"
        "      containers:\n"
        "      - {name: c, image: i:1, volumeMounts: [{name: data, mountPath: /d}]}\n"
        "  volumeClaimTemplates: [{metadata: {name: data}}]\n";
    assert_warned(yaml, "t.yaml:13:3: StatefulSet default/s: ", "volumeClaimTemplates");
    g_autoptr(GPtrArray) objects = decode_with(yaml, NULL, NULL);
    const Object *object = objects->pdata[0];
    ck_assert(object->workload->parallel);
    ck_assert_str_eq(object->workload->service_name, "svc");
    ck_assert_int_eq(object->workload->template->volumes[0].kind, VOLUME_OTHER);
}
END_TEST

START_TEST(services_are_read)
{
    g_autoptr(GPtrArray) objects =
        decode("apiVersion: v1\nkind: Service\nmetadata: {name: s}\n"
               "spec:\n  type: NodePort\n  selector: {app: x}\n  ports:\n"
               "  - {port: 8080, targetPort: 80, nodePort: 30120}\n"
               "  - {port: 443}\n"
               "  - {port: 1, targetPort: web}\n");
    const ServiceSpec *service = ((Object *)objects->pdata[0])->service;
    ck_assert_str_eq(service->type, "NodePort");
    ck_assert_str_eq(labels_get(&service->selector, "app"), "x");
    ck_assert_int_eq(service->ports[0].target_port, 80);
    ck_assert_int_eq(service->ports[0].node_port, 30120);
    ck_assert_int_eq(service->ports[1].target_port, 443);
    ck_assert_int_eq(service->ports[1].node_port, 0);
    ck_assert_str_eq(service->ports[2].target_name, "web");
    assert_refused(
        "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {ports: [{name: a}]}\n",
        "t.yaml:4:", "without its number");
}
END_TEST

START_TEST(config_maps_keep_their_data)
{
    g_autoptr(GPtrArray) objects =
        decode("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: m}\n"
               "data:\n  config.yaml: |\n    a: 1\n"
               "---\n"
               "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: nn}\n");
    const Object *object = objects->pdata[0];
    ck_assert_str_eq(tree_text(tree_get(object->data, "config.yaml")), "a: 1\n");
    ck_assert_ptr_null(((Object *)objects->pdata[1])->data);
    assert_refused("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: m}\ndata: {a: 1}\n",
                   "t.yaml:4:", "quotes");
}
END_TEST

START_TEST(the_webhook_is_read_with_its_defaults)
{
    g_autoptr(GPtrArray) objects =
        decode("apiVersion: admissionregistration.k8s.io/v1\n"
               "kind: MutatingWebhookConfiguration\nmetadata: {name: w}\nwebhooks:\n"
               "- clientConfig: {service: {name: svc, namespace: nsm-system}}\n"
               "  rules:\n"
               "  - {operations: [CREATE, UPDATE], resources: [pods]}\n"
               "  - {operations: [UPDATE], resources: [deployments]}\n");
    const Object *object = objects->pdata[0];
    ck_assert_str_eq(object->ns, "");
    ck_assert_str_eq(object->webhook->service_name, "svc");
    ck_assert_str_eq(object->webhook->service_namespace, "nsm-system");
    ck_assert(object->webhook->fail);
    ck_assert_int_eq(object->webhook->timeout, 10 * NSEC_PER_SEC);
    ck_assert(object->webhook->matches_pods);
    ck_assert(!object->webhook->matches_workloads);
    Labels none = {0};
    ck_assert(label_selector_matches(&object->webhook->namespace_selector, &none));
}
END_TEST

#define NETWORK_SERVICE                                                                            \
    "apiVersion: networkservicemesh.io/v1\nkind: NetworkService\nmetadata: {name: ns1}\nspec:\n"

START_TEST(network_services_are_read_in_both_spellings)
{
    g_autoptr(GPtrArray) objects =
        decode(NETWORK_SERVICE "  payload: ETHERNET\n"
                               "  matches:\n"
                               "  - source_selector: {app: firewall}\n"
                               "    fallthrough: true\n"
                               "    routes: [{destination_selector: {app: nse}}]\n"
                               "  - sourceSelector: {a: b}\n"
                               "    metadata: {labels: {p2p: \"true\"}}\n"
                               "    routes:\n"
                               "    - destinationSelector: {nodeName: \"{{.nodeName}}\"}\n"
                               "    - {}\n"
                               "  - metadata: {}\n");
    const NetworkServiceSpec *ns = ((Object *)objects->pdata[0])->network_service;
    ck_assert_str_eq(ns->payload, "ETHERNET");
    ck_assert_uint_eq(ns->n_matches, 3);
    ck_assert_str_eq(labels_get(&ns->matches[0].source_selector, "app"), "firewall");
    ck_assert(ns->matches[0].fallthrough);
    ck_assert(!ns->matches[0].has_metadata);
    ck_assert_int_eq(ns->matches[0].mark.line, 7);
    ck_assert_str_eq(labels_get(&ns->matches[1].source_selector, "a"), "b");
    ck_assert(ns->matches[1].has_metadata);
    ck_assert_str_eq(labels_get(&ns->matches[1].metadata, "p2p"), "true");
    ck_assert_uint_eq(ns->matches[1].n_routes, 2);
    ck_assert_str_eq(labels_get(&ns->matches[1].routes[0].destination_selector, "nodeName"),
                     "{{.nodeName}}");
    ck_assert_uint_eq(ns->matches[1].routes[1].destination_selector.n, 0);
    ck_assert(ns->matches[2].has_metadata);
}
END_TEST

START_TEST(a_network_service_may_have_no_payload_and_no_spec)
{
    g_autoptr(GPtrArray) objects = decode("apiVersion: networkservicemesh.io/v1\n"
                                          "kind: NetworkService\nmetadata: {name: a}\n");
    ck_assert_str_eq(((Object *)objects->pdata[0])->network_service->payload, "");
    assert_refused(NETWORK_SERVICE "  payload: ethernet\n", "t.yaml:5:12: ", "\"ethernet\"");
}
END_TEST

START_TEST(what_nsm_would_ignore_in_a_network_service_is_warned_of)
{
    assert_warned(NETWORK_SERVICE "  matches: [{routes: [{destination_selector: {a: b}, "
                                  "weight: 3}]}]\n",
                  "t.yaml:5:", "weight has no effect");
    assert_warned(NETWORK_SERVICE "  matches: [{source_selektor: {a: b}}]\n",
                  "t.yaml:5:14: NetworkService default/ns1: ", "did you mean \"source_selector\"?");
    assert_warned(NETWORK_SERVICE "  matches: [{source_selector: {a: \"{{if .b}}\"}}]\n",
                  "t.yaml:5:", "compared literally");
}
END_TEST

START_TEST(duplicates_are_refused_with_both_places)
{
    const char *twice = "apiVersion: v1\nkind: Namespace\nmetadata: {name: nn}\n---\n"
                        "apiVersion: v1\nkind: Namespace\nmetadata: {name: nn}\n";
    assert_refused(twice, "t.yaml:5:1: ", "Namespace nn is defined twice, first at t.yaml:1:1");
    g_autoptr(GPtrArray) different = decode("apiVersion: v1\nkind: Namespace\n"
                                            "metadata: {name: nn}\n---\n"
                                            "apiVersion: v1\nkind: ServiceAccount\n"
                                            "metadata: {name: nn}\n---\n"
                                            "apiVersion: v1\nkind: ServiceAccount\n"
                                            "metadata: {name: nn, namespace: other}\n");
    ck_assert_uint_eq(different->len, 3);
}
END_TEST

START_TEST(generated_names_are_different_and_always_the_same)
{
    const char *yaml = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {generateName: a-}\n---\n"
                       "apiVersion: v1\nkind: ServiceAccount\nmetadata: {generateName: a-}\n";
    g_autoptr(GPtrArray) first = decode(yaml);
    g_autoptr(GPtrArray) second = decode(yaml);
    const char *a = ((Object *)first->pdata[0])->name;
    const char *b = ((Object *)first->pdata[1])->name;
    ck_assert(g_str_has_prefix(a, "a-") && strlen(a) == 7);
    ck_assert_str_ne(a, b);
    ck_assert_str_eq(a, ((Object *)second->pdata[0])->name);
    ck_assert_str_eq(b, ((Object *)second->pdata[1])->name);
}
END_TEST

START_TEST(objects_without_type_or_name_are_refused)
{
    assert_refused("apiVersion: v1\nmetadata: {name: nn}\n", "t.yaml:1:1: ", "without kind");
    assert_refused("kind: Pod\nmetadata: {name: nn}\n", "t.yaml:1:1: ", "without apiVersion");
    assert_refused("apiVersion: v1\nkind: Namespace\n", "t.yaml:1:1: ", "without a name");
    assert_refused("apiVersion: v1\nkind: Namespace\nmetadata: {labels: {a: b}}\n",
                   "t.yaml:3:", "without a name");
    assert_refused("[1, 2]\n", "t.yaml:1:1: ", "mapping");
    assert_refused("apiVersion: v1\nkind: [Pod]\n", "t.yaml:2:7: ", "string");
}
END_TEST

START_TEST(unknown_kinds_are_warned_of_and_kept)
{
    assert_warned("apiVersion: batch/v1\nkind: Job\nmetadata: {name: j}\nspec: {}\n",
                  "t.yaml:1:1: kind Job is not modelled; ignored", "");
    assert_warned("apiVersion: v1\nkind: Foo\n", "t.yaml:1:1: kind Foo is not modelled; ignored",
                  "");
    assert_warned("apiVersion: serving.knative.dev/v1\nkind: Service\nmetadata: {name: j}\n",
                  "t.yaml:1:1: ", "kind Service of serving.knative.dev");
    g_autoptr(GPtrArray) objects =
        decode_with("apiVersion: batch/v1\nkind: Job\nmetadata: {name: j}\n", NULL, NULL);
    const Object *object = objects->pdata[0];
    ck_assert_int_eq(object->kind, OBJECT_UNKNOWN);
    ck_assert_str_eq(object->kind_text, "Job");
    ck_assert_str_eq(object->name, "j");
}
END_TEST

START_TEST(passive_kinds_are_accepted_in_silence)
{
    static const char *const kinds[] = {"Role",
                                        "ClusterRole",
                                        "RoleBinding",
                                        "ClusterRoleBinding",
                                        "CustomResourceDefinition",
                                        "ValidatingWebhookConfiguration",
                                        "PersistentVolumeClaim",
                                        "Ingress",
                                        "NetworkPolicy",
                                        "PodDisruptionBudget",
                                        "PriorityClass",
                                        "ClusterSPIFFEID"};
    for (guint i = 0; i < G_N_ELEMENTS(kinds); i++) {
        g_autofree char *yaml =
            g_strdup_printf("apiVersion: some.io/v1\nkind: %s\nmetadata: {name: nn}\n", kinds[i]);
        g_autoptr(GPtrArray) objects = decode(yaml);
        const Object *object = objects->pdata[0];
        ck_assert_int_eq(object->kind, OBJECT_PASSIVE);
        ck_assert_str_eq(object->kind_text, kinds[i]);
    }
    ck_assert_str_eq(object_kind_name(OBJECT_DAEMON_SET), "DaemonSet");
}
END_TEST

/* A field-by-field comparison by way of a second copy: what a copy shares with its original
 * would be freed twice, what it lacks shows here. */
START_TEST(a_copied_pod_outlives_its_original)
{
    g_autoptr(GPtrArray) objects = decode(
        POD "  hostNetwork: true\n"
            "  nodeSelector: {a: b}\n"
            "  volumes: [{name: v, hostPath: {path: /v}}]\n"
            "  tolerations: [{key: k, value: v}]\n"
            "  affinity:\n"
            "    nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: "
            "{nodeSelectorTerms: [{matchExpressions: [{key: x, operator: In, values: [yy]}]}]}}\n"
            "    podAffinity: {requiredDuringSchedulingIgnoredDuringExecution: "
            "[{topologyKey: h, namespaces: [nn], labelSelector: {matchLabels: {p: q}, "
            "matchExpressions: [{key: z, operator: Exists}]}}]}\n"
            "  initContainers: [{name: i, image: i:1}]\n" CONTAINER "    command: [run]\n"
            "    env: [{name: E, value: e}, {name: F, valueFrom: {fieldRef: {fieldPath: "
            "metadata.name}}}]\n"
            "    ports: [{name: web, containerPort: 80}]\n"
            "    volumeMounts: [{name: v, mountPath: /v}]\n"
            "    resources: {limits: {cpu: 1}}\n"
            "    readinessProbe: {httpGet: {path: /r, port: web}}\n");
    PodSpec *copy = pod_spec_copy(first_pod(objects));
    g_ptr_array_set_size(objects, 0); /* the original goes */
    ck_assert_str_eq(labels_get(&copy->node_selector, "a"), "b");
    ck_assert_str_eq(copy->volumes[0].source, "/v");
    ck_assert_str_eq(copy->volumes[0].mark.file, "t.yaml");
    ck_assert_str_eq(copy->tolerations[0].value, "v");
    ck_assert_str_eq(copy->node_required[0].requirements[0].values[0], "yy");
    ck_assert_str_eq(copy->pod_terms[0].namespaces[0], "nn");
    ck_assert_str_eq(labels_get(&copy->pod_terms[0].selector.match_labels, "p"), "q");
    ck_assert_str_eq(copy->pod_terms[0].selector.requirements[0].key, "z");
    ck_assert(copy->pod_terms[0].selector.present);
    ck_assert_str_eq(copy->init_containers[0].name, "i");
    const ContainerSpec *c = &copy->containers[0];
    ck_assert_str_eq(c->image, "i:1");
    ck_assert_str_eq(c->command[0], "run");
    ck_assert_str_eq(container_env(c, "E")->value, "e");
    ck_assert_str_eq(container_env(c, "F")->field_path, "metadata.name");
    ck_assert_str_eq(container_env(c, "F")->mark.file, "t.yaml");
    ck_assert_str_eq(c->ports[0].name, "web");
    ck_assert_int_eq(c->ports[0].host_port, 80);
    ck_assert_str_eq(c->mounts[0].path, "/v");
    ck_assert_str_eq(c->readiness.command, "/r");
    ck_assert_int_eq(c->readiness.port, 80);
    ck_assert_int_eq(c->requests.cpu, 1000);
    ck_assert_int_eq(c->requests.memory, RESOURCE_NONE);
    ck_assert_str_eq(copy->service_account, "default");
    ck_assert(copy->host_network);
    ck_assert_str_eq(copy->mark.file, "t.yaml");
    pod_spec_free(copy);
}
END_TEST

static bool
have_nsm(void)
{
    if (g_file_test(NSM_DIR, G_FILE_TEST_IS_DIR)) {
        return true;
    }
    printf("skipped: %s is not there\n", NSM_DIR);
    return false;
}

/* The first workload of a file. */
static void
assert_sums(const char *file, int64_t cpu, int64_t cpu_limit, int64_t mebi, int64_t mebi_limit)
{
    g_autofree char *path = g_build_filename(NSM_DIR, "v1.4.0", "apps", file, NULL);
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) trees = tree_parse_file(path, &error);
    ck_assert_msg(trees != NULL, "%s", error ? error->message : "");
    g_autoptr(GPtrArray) objects = objects_decode(trees, NULL, &error);
    ck_assert_msg(objects != NULL, "%s", error ? error->message : "");
    const PodSpec *pod = ((Object *)objects->pdata[0])->workload->template;
    ResourceList requests = pod_spec_requests(pod);
    ResourceList limits = pod_spec_limits(pod);
    ck_assert_int_eq(requests.cpu, cpu);
    ck_assert_int_eq(limits.cpu, cpu_limit);
    ck_assert_int_eq(requests.memory, mebi << 20);
    ck_assert_int_eq(limits.memory, mebi_limit << 20);
}

START_TEST(requests_and_limits_of_nsm_are_those_of_the_thesis)
{
    if (!have_nsm()) {
        return;
    }
    assert_sums("nsmgr/nsmgr.yaml", 275, 475, 140, 240);
    assert_sums("forwarder-vpp/forwarder.yaml", 150, 525, 500, 500);
    assert_sums("registry-k8s/registry-k8s.yaml", 100, 200, 40, 40);
}
END_TEST

static void
find_yaml(const char *directory, GPtrArray *files)
{
    g_autoptr(GDir) dir = g_dir_open(directory, 0, NULL);
    const char *name;
    while (dir && (name = g_dir_read_name(dir)) != NULL) {
        char *path = g_build_filename(directory, name, NULL);
        if (g_file_test(path, G_FILE_TEST_IS_DIR)) {
            find_yaml(path, files);
            g_free(path);
        } else if (g_str_has_suffix(name, ".yaml")) {
            g_ptr_array_add(files, path);
        } else {
            g_free(path);
        }
    }
}

/* Kustomizations and patches are no objects: a patch has neither image nor selector. */
static bool
is_object_file(const char *path)
{
    g_autofree char *name = g_path_get_basename(path);
    return strcmp(name, "kustomization.yaml") != 0 && !strstr(name, "patch");
}

START_TEST(every_object_of_the_nsm_manifests_is_decoded)
{
    if (!have_nsm()) {
        return;
    }
    g_autoptr(GPtrArray) files = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GPtrArray) warnings = g_ptr_array_new_with_free_func(g_free);
    guint n_objects = 0;
    guint n_files = 0;
    find_yaml(NSM_DIR, files);
    for (guint i = 0; i < files->len; i++) {
        if (!is_object_file(files->pdata[i])) {
            continue;
        }
        g_autoptr(GError) error = NULL;
        g_autoptr(GPtrArray) trees = tree_parse_file(files->pdata[i], &error);
        ck_assert_msg(trees != NULL, "%s", error ? error->message : "");
        g_autoptr(GPtrArray) objects = objects_decode(trees, warnings, &error);
        ck_assert_msg(objects != NULL, "%s", error ? error->message : "");
        n_objects += objects->len;
        n_files++;
    }
    for (guint i = 0; i < warnings->len; i++) {
        printf("%s\n", (char *)warnings->pdata[i]);
    }
    printf("%u objects in %u of %u files\n", n_objects, n_files, files->len);
    ck_assert_uint_gt(n_objects, 50);
    ck_assert_msg(warnings->len == 1 && strstr(warnings->pdata[0], "ControllerManagerConfig"),
                  "only SPIRE's own configuration file is no object");
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("objects");
    TCase *pods = tcase_create("pods");
    tcase_add_test(pods, a_minimal_pod_gets_the_api_servers_defaults);
    tcase_add_test(pods, images_without_tag_or_with_latest_are_always_pulled);
    tcase_add_test(pods, a_limit_without_request_becomes_the_request);
    tcase_add_test(pods, the_largest_init_container_counts_when_it_exceeds_the_sum);
    tcase_add_test(pods, enormous_requests_saturate_in_the_sum);
    tcase_add_test(pods, wrong_quantities_are_named_with_their_place);
    tcase_add_test(pods, environment_keeps_values_and_field_references);
    tcase_add_test(pods, wrong_environments_are_refused);
    tcase_add_test(pods, an_nsm_variable_from_a_config_map_is_warned_of);
    tcase_add_test(pods, command_and_arguments_are_one_list);
    tcase_add_test(pods, on_the_hosts_network_ports_are_host_ports);
    tcase_add_test(pods, elsewhere_only_the_host_ports_that_are_asked_for);
    tcase_add_test(pods, probes_get_their_defaults);
    tcase_add_test(pods, wrong_probes_are_refused);
    tcase_add_test(pods, volumes_know_their_sources);
    tcase_add_test(pods, a_mount_of_a_volume_that_is_not_there_is_refused);
    tcase_add_test(pods, placement_is_read);
    tcase_add_test(pods, tolerations_are_read_and_checked);
    tcase_add_test(pods, wrong_affinities_are_refused);
    tcase_add_test(pods, pods_without_what_they_need_are_refused);
    tcase_add_test(pods, what_changes_scheduling_or_networking_and_is_not_modelled_is_warned_of);
    tcase_add_test(pods, misspelt_fields_are_warned_of);
    tcase_add_test(pods, a_copied_pod_outlives_its_original);
    suite_add_tcase(suite, pods);
    TCase *others = tcase_create("others");
    tcase_add_test(others, workloads_are_read_with_their_template);
    tcase_add_test(others, wrong_replicas_are_refused);
    tcase_add_test(others, a_selector_must_match_its_own_template);
    tcase_add_test(others, labels_must_be_strings);
    tcase_add_test(others, a_stateful_set_may_mount_its_claims);
    tcase_add_test(others, services_are_read);
    tcase_add_test(others, config_maps_keep_their_data);
    tcase_add_test(others, the_webhook_is_read_with_its_defaults);
    tcase_add_test(others, network_services_are_read_in_both_spellings);
    tcase_add_test(others, a_network_service_may_have_no_payload_and_no_spec);
    tcase_add_test(others, what_nsm_would_ignore_in_a_network_service_is_warned_of);
    tcase_add_test(others, duplicates_are_refused_with_both_places);
    tcase_add_test(others, generated_names_are_different_and_always_the_same);
    tcase_add_test(others, objects_without_type_or_name_are_refused);
    tcase_add_test(others, unknown_kinds_are_warned_of_and_kept);
    tcase_add_test(others, passive_kinds_are_accepted_in_silence);
    suite_add_tcase(suite, others);
    TCase *manifests = tcase_create("manifests");
    tcase_add_test(manifests, requests_and_limits_of_nsm_are_those_of_the_thesis);
    tcase_add_test(manifests, every_object_of_the_nsm_manifests_is_decoded);
    suite_add_tcase(suite, manifests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
