/* Services to Pods. */
#include "models/k8s/services.h"

#include "models/k8s/api.h"
#include "models/k8s/informer.h"

enum { TAG_SERVICES = 1, TAG_PODS };

typedef struct Services {
    Machine base;
    Informer services;
    Informer pods;
    GHashTable *by_namespace; /* namespace -> GPtrArray of ApiObject * (Services) */
    GHashTable *ready;        /* Pod uid -> ApiObject * */
    GPtrArray *order;         /* ready Pods in the order they became ready */
} Services;

/* A target port may be the name of a container's port. */
static int
target_port(const ServicePort *port, const PodSpec *pod)
{
    for (guint i = 0; port->target_name != NULL && i < pod->n_containers; i++) {
        for (guint k = 0; k < pod->containers[i].n_ports; k++) {
            const ContainerPort *own = &pod->containers[i].ports[k];
            if (g_strcmp0(own->name, port->target_name) == 0) {
                return own->container_port;
            }
        }
    }
    return port->target_port;
}

static void
announce(const ApiObject *service, const ApiObject *pod, bool up, Actions *actions)
{
    const ServiceSpec *spec = service->manifest->service;
    if (spec->selector.n == 0 || !labels_subset(&spec->selector, &pod->pod->labels)) {
        return;
    }
    for (guint i = 0; i < spec->n_ports; i++) {
        const char *name = actions_printf(actions, "svc:%s.%s:%d", service->name, service->ns,
                                          spec->ports[i].port);
        const char *address = actions_printf(actions, "tcp:%s:%d", pod->pod_ip,
                                             target_port(&spec->ports[i], pod->pod));
        if (up) {
            actions_publish(actions, name, address);
        } else {
            actions_withdraw(actions, name, address);
        }
    }
}

static void
announce_pod(Services *services, const ApiObject *pod, bool up, Actions *actions)
{
    const GPtrArray *list = g_hash_table_lookup(services->by_namespace, pod->ns);
    for (guint i = 0; list != NULL && i < list->len; i++) {
        announce(g_ptr_array_index(list, i), pod, up, actions);
    }
}

static void
remove_service(Services *services, const ApiObject *service, Actions *actions)
{
    GPtrArray *list = g_hash_table_lookup(services->by_namespace, service->ns);
    for (guint i = 0; i < services->order->len; i++) {
        const ApiObject *pod = g_ptr_array_index(services->order, i);
        if (g_str_equal(pod->ns, service->ns)) {
            announce(service, pod, false, actions);
        }
    }
    for (guint i = 0; list != NULL && i < list->len; i++) {
        if (((const ApiObject *)g_ptr_array_index(list, i))->uid == service->uid) {
            g_ptr_array_remove_index(list, i);
            return;
        }
    }
}

static bool
is_listed(const GPtrArray *list, const ApiObject *service)
{
    for (guint i = 0; list != NULL && i < list->len; i++) {
        if (((const ApiObject *)g_ptr_array_index(list, i))->uid == service->uid) {
            return true;
        }
    }
    return false;
}

static void
on_service(Services *services, const ApiEvent *event, Actions *actions)
{
    ApiObject *service = event->object;
    if (service->manifest == NULL || service->manifest->service == NULL) {
        return;
    }
    if (event->type == WATCH_DELETED) {
        remove_service(services, service, actions);
        return;
    }
    if (event->type != WATCH_ADDED) {
        return;
    }
    GPtrArray *list = g_hash_table_lookup(services->by_namespace, service->ns);
    if (is_listed(list, service)) {
        return; /* the watch was opened again */
    }
    if (list == NULL) {
        list = g_ptr_array_new_with_free_func((GDestroyNotify)api_object_unref);
        g_hash_table_insert(services->by_namespace, g_strdup(service->ns), list);
    }
    g_ptr_array_add(list, api_object_ref(service));
    for (guint i = 0; i < services->order->len; i++) {
        const ApiObject *pod = g_ptr_array_index(services->order, i);
        if (g_str_equal(pod->ns, service->ns)) {
            announce(service, pod, true, actions);
        }
    }
}

static void
on_pod(Services *services, const ApiEvent *event, Actions *actions)
{
    ApiObject *pod = event->object;
    ApiObject *known = g_hash_table_lookup(services->ready, &pod->uid);
    bool ready =
        event->type != WATCH_DELETED && pod->status.ready && !pod->deleting && pod->pod_ip != NULL;
    bool moved = ready && known != NULL && !g_str_equal(known->pod_ip, pod->pod_ip);
    if (known != NULL && (!ready || moved)) {
        announce_pod(services, known, false, actions);
        g_hash_table_remove(services->ready, &pod->uid);
        g_ptr_array_remove(services->order, known);
        known = NULL;
    }
    if (ready && known == NULL) {
        g_ptr_array_add(services->order, api_object_ref(pod));
        g_hash_table_insert(services->ready, &pod->uid, pod);
        announce_pod(services, pod, true, actions);
    }
}

static void
handle(Services *services, const ApiEvent *event, Actions *actions)
{
    if (event->object->kind == OBJECT_SERVICE) {
        on_service(services, event, actions);
    } else {
        on_pod(services, event, actions);
    }
}

static Informer *
informer_of(Services *services, uint64_t tag)
{
    return tag == TAG_SERVICES ? &services->services : &services->pods;
}

static void
on_event(Services *services, const Input *input, Actions *actions)
{
    const ApiEvent *event = (const ApiEvent *)input->message;
    if (event->type != WATCH_SYNCED) {
        bool service = event->object->kind == OBJECT_SERVICE;
        if (informer_note(service ? &services->services : &services->pods, event)) {
            handle(services, event, actions);
        }
        return;
    }
    g_autoptr(GPtrArray) lost = informer_synced(informer_of(services, input->tag));
    for (guint i = 0; i < lost->len; i++) {
        ApiEvent gone = {.type = WATCH_DELETED, .object = lost->pdata[i]};
        handle(services, &gone, actions);
    }
}

static void
step(Machine *machine, const Input *input, Actions *actions)
{
    Services *services = (Services *)machine;
    switch ((int)input->kind) {
    case INPUT_START:
        informer_open(&services->services, actions);
        informer_open(&services->pods, actions);
        break;
    case INPUT_EVENT:
        on_event(services, input, actions);
        break;
    case INPUT_CLOSED:
    case INPUT_FAILURE:
        informer_closed(informer_of(services, input->tag), actions);
        break;
    case INPUT_TIMER:
        informer_open(informer_of(services, input->tag), actions);
        break;
    default:
        break;
    }
}

static void
services_free(Machine *machine)
{
    Services *services = (Services *)machine;
    informer_clear(&services->services);
    informer_clear(&services->pods);
    g_hash_table_unref(services->ready);
    g_hash_table_unref(services->by_namespace);
    g_ptr_array_unref(services->order);
    g_free(services);
}

static const MachineClass services_class = {COMPONENT_SERVICES, step, services_free};

Machine *
services_new(const ProcessInfo *info)
{
    Services *services = g_new0(Services, 1);
    services->base.class = &services_class;
    services->base.info = info;
    informer_init(&services->services, OBJECT_SERVICE, TAG_SERVICES, NULL);
    informer_init(&services->pods, OBJECT_POD, TAG_PODS, NULL);
    services->by_namespace =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_ptr_array_unref);
    services->ready = g_hash_table_new(g_int64_hash, g_int64_equal);
    services->order = g_ptr_array_new_with_free_func((GDestroyNotify)api_object_unref);
    return &services->base;
}
