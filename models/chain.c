/* Chains from manifests. */
#include "models/chain.h"

#include "models/cluster.h"
#include "models/k8s/controllers.h"
#include "models/nsm/select.h"
#include "models/nsm/webhook.h"

#include <string.h>

static void
endpoint_free(void *data)
{
    ChainEndpoint *endpoint = data;
    g_free(endpoint->name);
    g_strfreev(endpoint->services);
    labels_clear(&endpoint->labels);
    g_free(endpoint);
}

static void
link_free(void *data)
{
    ChainLink *link = data;
    g_free(link->from);
    labels_clear(&link->labels);
    g_ptr_array_unref(link->candidates);
    g_ptr_array_unref(link->lines);
    g_free(link);
}

static void
chain_free(void *data)
{
    Chain *chain = data;
    g_free(chain->name);
    g_free(chain->service);
    g_free(chain->client_name);
    g_free(chain->interface);
    g_free(chain->connection);
    g_free(chain->problem);
    g_ptr_array_unref(chain->links);
    g_ptr_array_unref(chain->members);
    g_free(chain);
}

void
chains_free(Chains *chains)
{
    if (chains == NULL) {
        return;
    }
    g_hash_table_unref(chains->by_client);
    g_hash_table_unref(chains->by_name);
    g_ptr_array_unref(chains->chains);
    g_ptr_array_unref(chains->endpoints);
    g_ptr_array_unref(chains->injected);
    g_free(chains);
}

/* ---- what the manifests hold ---- */

/* A stand-in for the process that will run there: the names that only a run knows are the
 * workload's. */
static ProcessInfo
static_info(const Object *object, const PodSpec *pod, const ContainerSpec *container)
{
    return (ProcessInfo){.ns = object->ns,
                         .pod = object->name,
                         .pod_key = object->name,
                         .node = pod->node_name != NULL ? pod->node_name : "",
                         .pod_ip = "0.0.0.0",
                         .pod_spec = pod,
                         .container = container};
}

static char *
object_label(const Object *object)
{
    return g_strdup_printf("%s/%s", object->ns, object->name);
}

static void
add_endpoint(Chains *chains, const Object *object, const PodSpec *pod,
             const ContainerSpec *container)
{
    Component component = component_of_image(container->image);
    if (component != COMPONENT_NSE && component != COMPONENT_FIREWALL) {
        return;
    }
    ProcessInfo info = static_info(object, pod, container);
    ChainEndpoint *endpoint = g_new0(ChainEndpoint, 1);
    endpoint->object = object;
    endpoint->container = container;
    endpoint->pod = pod;
    endpoint->passthrough = component == COMPONENT_FIREWALL;
    endpoint->name = object_label(object);
    g_autofree char *one =
        process_env(&info, "NSM_SERVICE_NAME", endpoint->passthrough ? "" : "icmp-responder");
    g_autofree char *services = process_env(&info, "NSM_SERVICE_NAMES", one);
    endpoint->services = g_strsplit(services, ",", -1);
    g_autofree char *registers = process_env(&info, "NSM_REGISTER_SERVICE", "true");
    endpoint->registers = !endpoint->passthrough && g_str_equal(registers, "true");
    g_autofree char *labels = process_env(&info, "NSM_LABELS", "");
    labels_parse_env(labels, &endpoint->labels, NULL);
    g_ptr_array_add(chains->endpoints, endpoint);
}

typedef struct Finder {
    Chains *chains;
    const ContainerSpec *webhook; /* NULL: no webhook in the manifests */
    GHashTable *services;         /* name -> Object */
    GHashTable *by_service;       /* service -> GPtrArray of ChainEndpoint */
} Finder;

static const NetworkServiceSpec *
service_spec(const Finder *finder, const char *name)
{
    static const NetworkServiceSpec without_matches = {0};
    const Object *object = g_hash_table_lookup(finder->services, name);
    if (object != NULL) {
        return object->network_service;
    }
    const GPtrArray *endpoints = g_hash_table_lookup(finder->by_service, name);
    for (guint i = 0; endpoints != NULL && i < endpoints->len; i++) {
        if (((const ChainEndpoint *)g_ptr_array_index(endpoints, i))->registers) {
            return &without_matches;
        }
    }
    return NULL;
}

/* ---- one chain ---- */

static NseRecord *
record_of(const ChainEndpoint *endpoint)
{
    NseRecord *record = nse_record_new(endpoint->name);
    g_strfreev(record->services);
    record->services = g_strdupv(endpoint->services);
    labels_copy(&endpoint->labels, &record->labels);
    return record;
}

static const ChainEndpoint *
endpoint_named(const GPtrArray *endpoints, const char *name)
{
    for (guint i = 0; i < endpoints->len; i++) {
        const ChainEndpoint *endpoint = g_ptr_array_index(endpoints, i);
        if (g_str_equal(endpoint->name, name)) {
            return endpoint;
        }
    }
    return NULL;
}

static ChainLink *
link_new(const char *from, const Labels *labels)
{
    ChainLink *link = g_new0(ChainLink, 1);
    link->from = g_strdup(from);
    labels_copy(labels, &link->labels);
    link->candidates = g_ptr_array_new();
    link->lines = g_ptr_array_new_with_free_func(g_free);
    return link;
}

static void
select_for(const Finder *finder, const Chain *chain, const NetworkServiceSpec *spec,
           ChainLink *link)
{
    const GPtrArray *endpoints = g_hash_table_lookup(finder->by_service, chain->service);
    g_autoptr(GPtrArray) records = g_ptr_array_new_with_free_func((GDestroyNotify)nse_record_unref);
    for (guint i = 0; endpoints != NULL && i < endpoints->len; i++) {
        g_ptr_array_add(records, record_of(g_ptr_array_index(endpoints, i)));
    }
    SelectReport report = {link->lines};
    g_autoptr(GPtrArray) chosen =
        select_endpoints(spec, chain->service, &link->labels, records, 0, &report);
    for (guint i = 0; i < chosen->len; i++) {
        const NseRecord *record = g_ptr_array_index(chosen, i);
        g_ptr_array_add(link->candidates, (void *)endpoint_named(endpoints, record->name));
    }
    link->to = link->candidates->len > 0 ? g_ptr_array_index(link->candidates, 0) : NULL;
}

static bool
was_visited(const Chain *chain, const ChainEndpoint *endpoint)
{
    for (guint i = 0; i + 1 < chain->links->len; i++) {
        const ChainLink *link = g_ptr_array_index(chain->links, i);
        if (link->to == endpoint) {
            return true;
        }
    }
    return false;
}

static char *
no_candidates_text(const Finder *finder, const Chain *chain, const ChainLink *link)
{
    g_autofree char *labels = labels_format(&link->labels);
    static const TreeMark nowhere = {0};
    const Object *object = g_hash_table_lookup(finder->services, chain->service);
    const TreeMark *mark = object != NULL ? &object->mark : &nowhere;
    bool any = g_hash_table_contains(finder->by_service, chain->service);
    return g_strdup_printf(
        "%s:%d:%d: NetworkService %s: %s for the client %s {%s}",
        mark->file != NULL ? mark->file : "?", mark->line, mark->column, chain->service,
        any ? "no endpoint satisfies the selectors that apply" : "no endpoint registers for it",
        link->from, labels);
}

/* Follows the service's matches from the client on, as the forwarders will. */
static void
follow(const Finder *finder, Chain *chain, const Labels *client_labels)
{
    const NetworkServiceSpec *spec = service_spec(finder, chain->service);
    if (spec == NULL) {
        const TreeMark *mark = &chain->client->mark;
        chain->problem =
            g_strdup_printf("%s:%d:%d: %s asks for network service %s, which is in no manifest",
                            mark->file != NULL ? mark->file : "?", mark->line, mark->column,
                            chain->client_name, chain->service);
        return;
    }
    const Labels *labels = client_labels;
    const char *from = chain->client_name;
    for (;;) {
        ChainLink *link = link_new(from, labels);
        g_ptr_array_add(chain->links, link);
        select_for(finder, chain, spec, link);
        if (link->to == NULL) {
            chain->problem = no_candidates_text(finder, chain, link);
            return;
        }
        if (was_visited(chain, link->to)) {
            chain->problem = g_strdup_printf("NetworkService %s: a loop in the routes: %s leads "
                                             "back to %s",
                                             chain->service, from, link->to->name);
            return;
        }
        g_ptr_array_add(chain->members, (void *)link->to->object);
        if (!link->to->passthrough) {
            return;
        }
        labels = &link->to->labels;
        from = link->to->name;
    }
}

static void
add_client_labels(const ProcessInfo *info, const NsUrl *url, Labels *out)
{
    labels_copy(&url->labels, out);
    g_autofree char *node = process_env(info, "NODE_NAME", NULL);
    if (node != NULL && *node != '\0') {
        labels_set(out, "nodeName", node);
    }
}

static void
add_chain(Finder *finder, const Object *object, const PodSpec *pod, const ContainerSpec *container,
          const NsUrl *url, guint index, guint manifest)
{
    Chain *chain = g_new0(Chain, 1);
    chain->service = g_strdup(url->service);
    chain->name = g_strdup(url->service);
    chain->client = object;
    chain->client_pod = pod;
    chain->client_name = object_label(object);
    chain->mechanism = url->mechanism;
    chain->interface =
        url->interface != NULL ? g_strdup(url->interface) : g_strdup_printf("nsm-%u", index + 1);
    chain->connection = g_strdup_printf("-%u", index);
    chain->manifest = manifest;
    chain->links = g_ptr_array_new_with_free_func(link_free);
    chain->members = g_ptr_array_new();
    g_ptr_array_add(chain->members, (void *)object);
    ProcessInfo info = static_info(object, pod, container);
    Labels labels = {0};
    add_client_labels(&info, url, &labels);
    if (url->domain != NULL) {
        chain->problem = g_strdup_printf("%s: interdomain service %s@%s is not modelled",
                                         chain->client_name, url->service, url->domain);
    } else {
        follow(finder, chain, &labels);
    }
    labels_clear(&labels);
    g_ptr_array_add(finder->chains->chains, chain);
}

/* The init container and the sidecar of one Pod ask for the same connections: only the first
 * container of either kind counts. */
static bool
add_chains_of_container(Finder *finder, const Object *object, const PodSpec *pod,
                        const ContainerSpec *container, guint manifest)
{
    Component component = component_of_image(container->image);
    if (component != COMPONENT_NSC && component != COMPONENT_NSC_INIT) {
        return false;
    }
    ProcessInfo info = static_info(object, pod, container);
    g_autofree char *text = process_env(&info, "NSM_NETWORK_SERVICES", "");
    g_autoptr(GArray) urls = *text != '\0' ? ns_url_parse_list(text, NULL) : NULL;
    for (guint i = 0; urls != NULL && i < urls->len; i++) {
        add_chain(finder, object, pod, container, &g_array_index(urls, NsUrl, i), i, manifest);
    }
    return urls != NULL;
}

static const PodSpec *
admitted(Finder *finder, const Object *object, const PodSpec *pod)
{
    const Labels *annotations =
        object->kind == OBJECT_POD ? &pod->annotations : &object->annotations;
    const char *urls = labels_get(annotations, NSM_ANNOTATION);
    if (finder->webhook == NULL || urls == NULL) {
        return pod;
    }
    PodSpec *injected = webhook_inject(finder->webhook, pod, urls);
    g_ptr_array_add(finder->chains->injected, injected);
    return injected;
}

static void
add_chains_of(Finder *finder, const Object *object, guint manifest)
{
    const PodSpec *spec = object_pod_spec(object);
    if (spec == NULL) {
        return;
    }
    const PodSpec *pod = admitted(finder, object, spec);
    for (guint i = 0; i < pod->n_init_containers; i++) {
        if (add_chains_of_container(finder, object, pod, &pod->init_containers[i], manifest)) {
            return;
        }
    }
    for (guint i = 0; i < pod->n_containers; i++) {
        if (add_chains_of_container(finder, object, pod, &pod->containers[i], manifest)) {
            return;
        }
    }
}

/* ---- all of them ---- */

static void
note_object(Finder *finder, const Object *object)
{
    if (object->kind == OBJECT_NETWORK_SERVICE) {
        g_hash_table_insert(finder->services, object->name, (void *)object);
    }
    const PodSpec *pod = object_pod_spec(object);
    for (guint i = 0; pod != NULL && i < pod->n_containers; i++) {
        add_endpoint(finder->chains, object, pod, &pod->containers[i]);
        if (component_of_image(pod->containers[i].image) == COMPONENT_WEBHOOK) {
            finder->webhook = &pod->containers[i];
        }
    }
}

static void
index_endpoints(Finder *finder)
{
    const GPtrArray *endpoints = finder->chains->endpoints;
    for (guint i = 0; i < endpoints->len; i++) {
        ChainEndpoint *endpoint = g_ptr_array_index(endpoints, i);
        for (char **service = endpoint->services; *service != NULL; service++) {
            GPtrArray *list = g_hash_table_lookup(finder->by_service, *service);
            if (list == NULL) {
                list = g_ptr_array_new();
                g_hash_table_insert(finder->by_service, *service, list);
            }
            g_ptr_array_add(list, endpoint);
        }
    }
}

/* Chains are named by their service; where several clients share one, by service and client. */
static void
make_names_unique(const GPtrArray *chains)
{
    g_autoptr(GHashTable) count = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; i < chains->len; i++) {
        const Chain *chain = g_ptr_array_index(chains, i);
        guint n = GPOINTER_TO_UINT(g_hash_table_lookup(count, chain->service));
        g_hash_table_insert(count, chain->service, GUINT_TO_POINTER(n + 1));
    }
    for (guint i = 0; i < chains->len; i++) {
        Chain *chain = g_ptr_array_index(chains, i);
        if (GPOINTER_TO_UINT(g_hash_table_lookup(count, chain->service)) > 1) {
            g_free(chain->name);
            chain->name =
                g_strdup_printf("%s@%s%s", chain->service, chain->client_name,
                                g_str_equal(chain->connection, "-0") ? "" : chain->connection);
        }
    }
}

static void
index_chains(Chains *chains)
{
    chains->by_name = g_hash_table_new(g_str_hash, g_str_equal);
    chains->by_client =
        g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify)g_ptr_array_unref);
    for (guint i = 0; i < chains->chains->len; i++) {
        Chain *chain = g_ptr_array_index(chains->chains, i);
        chain->index = i;
        g_hash_table_insert(chains->by_name, chain->name, chain);
        GPtrArray *list = g_hash_table_lookup(chains->by_client, chain->client_name);
        if (list == NULL) {
            list = g_ptr_array_new();
            g_hash_table_insert(chains->by_client, chain->client_name, list);
        }
        g_ptr_array_add(list, chain);
    }
}

Chains *
chains_find(const Scenario *scenario)
{
    Chains *chains = g_new0(Chains, 1);
    chains->endpoints = g_ptr_array_new_with_free_func(endpoint_free);
    chains->chains = g_ptr_array_new_with_free_func(chain_free);
    chains->injected = g_ptr_array_new_with_free_func((GDestroyNotify)pod_spec_free);
    Finder finder = {.chains = chains};
    finder.services = g_hash_table_new(g_str_hash, g_str_equal);
    finder.by_service =
        g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify)g_ptr_array_unref);
    for (guint m = 0; m < scenario->n_manifests; m++) {
        const GPtrArray *objects = scenario->manifests[m].objects;
        for (guint i = 0; i < objects->len; i++) {
            note_object(&finder, g_ptr_array_index(objects, i));
        }
    }
    index_endpoints(&finder);
    for (guint m = 0; m < scenario->n_manifests; m++) {
        const GPtrArray *objects = scenario->manifests[m].objects;
        for (guint i = 0; i < objects->len; i++) {
            add_chains_of(&finder, g_ptr_array_index(objects, i), m);
        }
    }
    make_names_unique(chains->chains);
    index_chains(chains);
    g_hash_table_unref(finder.services);
    g_hash_table_unref(finder.by_service);
    return chains;
}

GPtrArray *
object_pod_keys(const Object *object)
{
    GPtrArray *keys = g_ptr_array_new_with_free_func(g_free);
    if (object->kind == OBJECT_POD) {
        g_ptr_array_add(keys, object_label(object));
        return keys;
    }
    if (object_pod_spec(object) == NULL || object->kind == OBJECT_DAEMON_SET) {
        return keys;
    }
    g_autofree char *owner = object->kind == OBJECT_DEPLOYMENT
                                 ? pod_generated_name(object->name, 0xffff)
                                 : g_strdup(object->name);
    for (int64_t i = 0; i < object->workload->replicas; i++) {
        g_autofree char *name = object->kind == OBJECT_STATEFUL_SET
                                    ? g_strdup_printf("%s-%d", owner, (int)i)
                                    : pod_generated_name(owner, (guint)i);
        g_ptr_array_add(keys, g_strdup_printf("%s/%s", object->ns, name));
    }
    return keys;
}

/* ---- walks ---- */

/* Whether a Pod "namespace/name" is one of an endpoint's: its name begins with the workload's. */
static bool
belongs_to(const char *pod, const ChainEndpoint *endpoint)
{
    g_autoptr(GPtrArray) keys = object_pod_keys(endpoint->object);
    for (guint i = 0; i < keys->len; i++) {
        if (g_str_equal(g_ptr_array_index(keys, i), pod)) {
            return true;
        }
    }
    /* a replacement: the workload's name and generated parts without a further workload between */
    size_t length = strlen(endpoint->name);
    guint parts = endpoint->object->kind == OBJECT_DEPLOYMENT ? 2 : 1;
    guint n = 0;
    for (const char *c = pod + length; g_str_has_prefix(pod, endpoint->name) && *c != '\0'; c++) {
        n += *c == '-';
    }
    return g_str_has_prefix(pod, endpoint->name) && pod[length] == '-' && n <= parts;
}

static bool
is_candidate(const ChainLink *link, const char *pod)
{
    for (guint i = 0; i < link->candidates->len; i++) {
        if (belongs_to(pod, g_ptr_array_index(link->candidates, i))) {
            return true;
        }
    }
    return false;
}

char *
chain_check_walk(const Chain *chain, const GArray *hops)
{
    if (hops->len == 0) {
        return g_strdup_printf("the client has no interface %s", chain->interface);
    }
    guint link_index = 0;
    for (guint i = 1; i < hops->len; i++) {
        const DataPlaneHop *hop = &g_array_index(hops, DataPlaneHop, i);
        if (hop->kind != HOP_POD) {
            continue;
        }
        if (link_index >= chain->links->len) {
            return g_strdup_printf("%s is met beyond the end of the chain", hop->owner);
        }
        const ChainLink *link = g_ptr_array_index(chain->links, link_index);
        if (!is_candidate(link, hop->owner)) {
            return g_strdup_printf("link %u leads to %s, which the network service does not allow",
                                   link_index + 1, hop->owner);
        }
        link_index++;
    }
    const DataPlaneHop *last = &g_array_index(hops, DataPlaneHop, hops->len - 1);
    if (link_index == chain->links->len && last->kind != HOP_POD) {
        return g_strdup_printf("the path goes on to %s beyond the end of the chain", last->owner);
    }
    if (link_index < chain->links->len) {
        return g_strdup_printf("the path ends at %s after %u of %u links", last->owner, link_index,
                               chain->links->len);
    }
    return NULL;
}

static const char *
short_name(const char *owner)
{
    const char *slash = strrchr(owner, '/');
    return slash != NULL ? slash + 1 : owner;
}

char *
walk_format(const GArray *hops)
{
    GString *text = g_string_new(NULL);
    for (guint i = 0; i < hops->len; i++) {
        const DataPlaneHop *hop = &g_array_index(hops, DataPlaneHop, i);
        if (i > 0) {
            g_string_append(text, " -> ");
        }
        switch (hop->kind) {
        case HOP_POD:
            g_string_append(text, short_name(hop->owner));
            break;
        case HOP_FORWARDER:
            g_string_append_printf(text, "(%s)", short_name(hop->owner));
            break;
        case HOP_TUNNEL:
            g_string_append_printf(text, "[%s %s]", wire_kind_name(hop->wire), hop->owner);
            break;
        }
    }
    return g_string_free(text, false);
}

/* Controllers add one generated part of five characters, a Deployment two (its ReplicaSet's). */
static bool
is_generated(const char *text, int n_parts)
{
    for (int i = 0; i < n_parts; i++) {
        if (strlen(text) < 5 || memchr(text, '-', 5) != NULL ||
            text[5] != (i + 1 < n_parts ? '-' : '\0')) {
            return false;
        }
        text += 6;
    }
    return true;
}

bool
object_owns_pod(const Object *object, const char *pod_key)
{
    g_autofree char *own = g_strdup_printf("%s/%s", object->ns, object->name);
    if (object->kind == OBJECT_POD) {
        return g_str_equal(own, pod_key);
    }
    size_t length = strlen(own);
    if (!g_str_has_prefix(pod_key, own) || pod_key[length] != '-') {
        return false;
    }
    const char *rest = pod_key + length + 1;
    switch ((int)object->kind) {
    case OBJECT_DEPLOYMENT:
        return is_generated(rest, 2);
    case OBJECT_REPLICA_SET:
    case OBJECT_DAEMON_SET:
        return is_generated(rest, 1);
    case OBJECT_STATEFUL_SET:
        return *rest != '\0' && strspn(rest, "0123456789") == strlen(rest);
    default:
        return false;
    }
}

/* A Pod's workload has its name, or that without one or two generated parts. */
const GPtrArray *
chains_of_pod(const Chains *chains, const char *pod_key)
{
    g_autofree char *name = g_strdup(pod_key);
    for (int i = 0; i < 3; i++) {
        const GPtrArray *list = g_hash_table_lookup(chains->by_client, name);
        if (list != NULL &&
            object_owns_pod(((const Chain *)g_ptr_array_index(list, 0))->client, pod_key)) {
            return list;
        }
        char *dash = strrchr(name, '-');
        if (dash == NULL) {
            break;
        }
        *dash = '\0';
    }
    return NULL;
}

Chain *
chains_of_connection(const Chains *chains, const char *connection)
{
    const char *dash = strrchr(connection, '-');
    if (dash == NULL) {
        return NULL;
    }
    g_autofree char *pod = g_strndup(connection, (gsize)(dash - connection));
    const GPtrArray *list = chains_of_pod(chains, pod);
    for (guint i = 0; list != NULL && i < list->len; i++) {
        Chain *chain = g_ptr_array_index(list, i);
        if (g_str_equal(chain->connection, dash)) {
            return chain;
        }
    }
    return NULL;
}
