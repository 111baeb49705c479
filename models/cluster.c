/* Machines from a scenario. */
#include "models/cluster.h"

#include "models/app.h"
#include "models/chaos.h"
#include "models/k8s/api.h"
#include "models/k8s/controllers.h"
#include "models/k8s/kubectl.h"
#include "models/k8s/kubelet.h"
#include "models/k8s/scheduler.h"
#include "models/k8s/services.h"
#include "models/nsm/client.h"
#include "models/nsm/endpoint.h"
#include "models/nsm/forwarder.h"
#include "models/nsm/manager.h"
#include "models/nsm/registry.h"
#include "models/nsm/webhook.h"
#include "models/spire/spire.h"

struct Cluster {
    const Scenario *scenario;
    const Chains *chains;
    uint64_t seed;
    uint32_t replication;
    Node *nodes;
    Nodes node_list;
    GStringChunk *strings;
    GPtrArray *configurations; /* Object *: what webhooks and endpoints register by themselves */
    GPtrArray *service_lists;  /* GPtrArray *: of them, for each endpoint */
    GHashTable *node_index;    /* name -> Node */
    GHashTable *node_ips;      /* IP -> name */
};

/* cmd-nse-icmp-responder: NSM_REGISTER_SERVICE (true by default) registers the services of
 * NSM_SERVICE_NAMES with NSM_PAYLOAD (FACTS 2.7). */
static const GPtrArray *
services_to_register(Cluster *cluster, const ProcessInfo *info)
{
    g_autofree char *wanted = process_env(info, "NSM_REGISTER_SERVICE", "true");
    if (!g_str_equal(wanted, "true")) {
        return NULL;
    }
    GPtrArray *services = g_ptr_array_new();
    g_autofree char *names = process_env(info, "NSM_SERVICE_NAMES", "icmp-responder");
    g_autofree char *payload = process_env(info, "NSM_PAYLOAD", "ETHERNET");
    g_auto(GStrv) list = g_strsplit(names, ",", -1);
    for (char **name = list; *name != NULL; name++) {
        Object *object = network_service_object(*name, payload);
        g_ptr_array_add(cluster->configurations, object);
        g_ptr_array_add(services, object);
    }
    g_ptr_array_add(cluster->service_lists, services);
    return services;
}

static Machine *
make_machine(Cluster *cluster, ProcessInfo *info)
{
    switch (info->component) {
    case COMPONENT_NSMGR:
        return manager_new(info);
    case COMPONENT_REGISTRY:
        return registry_new(info);
    case COMPONENT_FORWARDER:
        return forwarder_new(info);
    case COMPONENT_WEBHOOK: {
        g_autofree char *service = process_env(info, "NSM_SERVICE_NAME", "admission-webhook-svc");
        Object *configuration = webhook_own_configuration(info->ns, service);
        g_ptr_array_add(cluster->configurations, configuration);
        return webhook_new(info, configuration);
    }
    case COMPONENT_NSC_INIT:
        return client_init_new(info);
    case COMPONENT_NSC:
        return client_new(info);
    case COMPONENT_NSE:
        info->own_services = services_to_register(cluster, info);
        return endpoint_new(info);
    case COMPONENT_FIREWALL:
        return passthrough_new(info);
    case COMPONENT_SPIRE_SERVER:
        return spire_server_new(info);
    case COMPONENT_SPIRE_REGISTRAR:
        return spire_registrar_new(info);
    case COMPONENT_SPIRE_AGENT:
        return spire_agent_new(info);
    case COMPONENT_WAIT_FOR_IT:
        return wait_for_it_new(info);
    default:
        return app_new(info);
    }
}

static ProcessInfo *
info_new(Cluster *cluster, Component component, const char *name, const char *node)
{
    ProcessInfo *info = g_new0(ProcessInfo, 1);
    const Node *known = g_hash_table_lookup(cluster->node_index, node);
    info->component = component;
    info->name = g_strdup(name);
    info->node = known != NULL ? known->name : node;
    info->node_ip = known != NULL ? known->ip : "0.0.0.0";
    info->ns = "";
    info->pod_key = info->name;
    info->pod_ip = info->node_ip;
    info->calibration = cluster->scenario->calibration;
    info->seed = cluster->seed;
    info->replication = cluster->replication;
    return info;
}

static const ContainerSpec *
container_of(const RuntimeOp *op)
{
    return op->container < op->spec->n_init_containers
               ? &op->spec->init_containers[op->container]
               : &op->spec->containers[op->container - op->spec->n_init_containers];
}

Machine *
cluster_spawn(Cluster *cluster, const RuntimeOp *op, uint32_t incarnation)
{
    const ContainerSpec *container = container_of(op);
    g_autofree char *name = g_strdup_printf("%s/%s/%s", op->ns, op->pod, container->name);
    Component component = op->paused ? COMPONENT_APP : component_of_image(container->image);
    ProcessInfo *info = info_new(cluster, component, name, op->node);
    info->paused = op->paused;
    info->ns = g_strdup(op->ns);
    info->pod = g_strdup(op->pod);
    info->pod_key = g_strdup_printf("%s/%s", op->ns, op->pod);
    info->pod_ip = g_strdup(op->pod_ip);
    info->pod_uid = op->pod_uid;
    info->pod_spec = op->spec;
    info->container = container;
    info->container_index = op->container;
    info->incarnation = incarnation;
    return make_machine(cluster, info);
}

void
cluster_release(Machine *machine)
{
    ProcessInfo *info = (ProcessInfo *)machine->info;
    machine->class->free(machine);
    if (info->pod != NULL) {
        g_free((char *)info->ns);
        g_free((char *)info->pod);
        g_free((char *)info->pod_key);
        g_free((char *)info->pod_ip);
    }
    g_free((char *)info->name);
    g_free(info);
}

const char *
cluster_control_plane_node(const Cluster *cluster)
{
    for (guint i = 0; i < cluster->scenario->n_nodes; i++) {
        if (cluster->scenario->nodes[i].control_plane) {
            return cluster->nodes[i].name;
        }
    }
    return cluster->nodes[0].name;
}

static Machine *
system_machine(Cluster *cluster, Component component)
{
    const char *name = component_name(component);
    ProcessInfo *info = info_new(cluster, component, name, cluster_control_plane_node(cluster));
    switch ((int)component) {
    case COMPONENT_APISERVER:
        return apiserver_new(info);
    case COMPONENT_CONTROLLERS:
        return controllers_new(info, &cluster->node_list);
    case COMPONENT_SCHEDULER:
        return scheduler_new(info, &cluster->node_list);
    default:
        return services_new(info);
    }
}

Machine *
cluster_kubelet(Cluster *cluster, const char *node, uint32_t incarnation)
{
    const Node *known = g_hash_table_lookup(cluster->node_index, node);
    g_autofree char *name = g_strdup_printf("kubelet/%s", node);
    ProcessInfo *info = info_new(cluster, COMPONENT_KUBELET, name, node);
    info->incarnation = incarnation;
    return kubelet_new(info, (guint)(known - cluster->nodes));
}

const char *
cluster_node_of_ip(const Cluster *cluster, const char *ip)
{
    return g_hash_table_lookup(cluster->node_ips, ip);
}

GPtrArray *
cluster_system(Cluster *cluster)
{
    GPtrArray *machines = g_ptr_array_new();
    static const Component singles[] = {COMPONENT_APISERVER, COMPONENT_CONTROLLERS,
                                        COMPONENT_SCHEDULER, COMPONENT_SERVICES};
    for (guint i = 0; i < G_N_ELEMENTS(singles); i++) {
        g_ptr_array_add(machines, system_machine(cluster, singles[i]));
    }
    for (guint i = 0; i < cluster->node_list.n; i++) {
        g_ptr_array_add(machines, cluster_kubelet(cluster, cluster->nodes[i].name, 0));
    }
    for (guint i = 0; i < cluster->scenario->n_manifests; i++) {
        const ScenarioManifest *manifest = &cluster->scenario->manifests[i];
        g_autofree char *name = g_strdup_printf("kubectl/%s", manifest->path);
        ProcessInfo *info =
            info_new(cluster, COMPONENT_KUBECTL, name, cluster_control_plane_node(cluster));
        g_ptr_array_add(machines,
                        kubectl_new(info, manifest->objects, manifest->start_time, manifest->path));
    }
    if (cluster->scenario->n_faults > 0) {
        ProcessInfo *info =
            info_new(cluster, COMPONENT_CHAOS, "chaos", cluster_control_plane_node(cluster));
        g_ptr_array_add(machines, chaos_new(info, cluster->scenario, cluster->chains));
    }
    return machines;
}

static void
add_nodes(Cluster *cluster)
{
    const Scenario *scenario = cluster->scenario;
    cluster->nodes = g_new0(Node, scenario->n_nodes);
    for (guint i = 0; i < scenario->n_nodes; i++) {
        const ScenarioNode *from = &scenario->nodes[i];
        Node *node = &cluster->nodes[i];
        g_autofree char *ip = g_strdup_printf("192.168.%u.%u", i / 250, i % 250 + 1);
        node->name = from->name;
        node->ip = g_string_chunk_insert(cluster->strings, ip);
        node->cpu = from->cpu;
        node->memory = from->memory;
        node->pods = from->pods;
        node->labels = &from->labels;
        node->taints = from->taints;
        node->n_taints = from->n_taints;
        g_hash_table_insert(cluster->node_index, (char *)node->name, node);
        g_hash_table_insert(cluster->node_ips, (char *)node->ip, (char *)node->name);
    }
    cluster->node_list = (Nodes){cluster->nodes, scenario->n_nodes};
}

void
cluster_set_chains(Cluster *cluster, const Chains *chains)
{
    cluster->chains = chains;
}

Cluster *
cluster_new(const Scenario *scenario, uint64_t seed, uint32_t replication)
{
    Cluster *cluster = g_new0(Cluster, 1);
    cluster->scenario = scenario;
    cluster->seed = seed;
    cluster->replication = replication;
    cluster->strings = g_string_chunk_new(1024);
    cluster->configurations = g_ptr_array_new_with_free_func((GDestroyNotify)object_free);
    cluster->service_lists = g_ptr_array_new_with_free_func((GDestroyNotify)g_ptr_array_unref);
    cluster->node_index = g_hash_table_new(g_str_hash, g_str_equal);
    cluster->node_ips = g_hash_table_new(g_str_hash, g_str_equal);
    add_nodes(cluster);
    return cluster;
}

void
cluster_free(Cluster *cluster)
{
    g_hash_table_unref(cluster->node_ips);
    g_hash_table_unref(cluster->node_index);
    g_ptr_array_unref(cluster->service_lists);
    g_ptr_array_unref(cluster->configurations);
    g_string_chunk_free(cluster->strings);
    g_free(cluster->nodes);
    g_free(cluster);
}

static Component
first_component(const ContainerSpec *containers, guint n)
{
    for (guint i = 0; i < n; i++) {
        Component component = component_of_image(containers[i].image);
        if (component != COMPONENT_APP) {
            return component;
        }
    }
    return COMPONENT_APP;
}

Component
pod_component(const PodSpec *pod)
{
    Component component = first_component(pod->containers, pod->n_containers);
    return component != COMPONENT_APP
               ? component
               : first_component(pod->init_containers, pod->n_init_containers);
}
