/* Endpoints of both kinds. */
#include "models/nsm/endpoint.h"

#include "models/nsm/connection.h"
#include "models/nsm/enroll.h"
#include "models/nsm/ipam.h"
#include "models/nsm/vpp.h"

#include <string.h>

typedef struct Waiting {
    uint64_t call;
    Connection *in;
} Waiting;

typedef struct Link {
    char *id;         /* of the incoming segment */
    uint64_t tag;     /* the call or operation under way */
    uint64_t call;    /* whom to answer */
    Connection *in;   /* advanced to this endpoint; the Request under way or the last */
    Connection *next; /* pass-through: the next link, as it was answered */
    bool busy;        /* `begin`: one Request at a time, the others wait */
    GQueue waiting;   /* Waiting * */
    bool held;
    bool joined;
} Link;

typedef struct Endpoint {
    Machine base;
    Enrolment enrolment;
    char *name;
    char *listen;
    Labels labels; /* NSM_LABELS: for registration, and of the next link */
    WireKind wire; /* what this image's interfaces are */
    bool passthrough;
    bool boots_vpp;
    bool has_prefix;
    nsec_t token_lifetime;
    VppBoot boot;
    Ipam ipam;
    GHashTable *links; /* id -> Link */
    GHashTable *tags;  /* tag -> Link */
    uint64_t last_tag;
} Endpoint;

static void
waiting_free(void *data)
{
    Waiting *waiting = data;
    connection_unref(waiting->in);
    g_free(waiting);
}

static void
link_free(void *data)
{
    Link *link = data;
    g_queue_clear_full(&link->waiting, waiting_free);
    g_free(link->id);
    connection_unref(link->in);
    connection_unref(link->next);
    g_free(link);
}

/* Interface names are unique in the Pod: the service and the connection make them. */
static char *
interface_name(const Endpoint *endpoint, const Connection *in, const char *side)
{
    if (endpoint->wire == WIRE_MEMIF) {
        char *name = g_strdup_printf("memif-%s-%s", side, connection_segment_id(in));
        return g_strdelimit(name, "/", '.'); /* a port's name is Pod/interface */
    }
    guint hash = g_str_hash(in->id) & 0xffff;
    return g_strdup_printf("%.10s-%04x", in->service, hash);
}

static void serve(Endpoint *endpoint, Link *link, uint64_t call, Connection *take_in,
                  Actions *actions);

static void
answer_link(Endpoint *endpoint, Link *link, Message *take_message, Actions *actions)
{
    link->busy = false;
    actions_reply(actions, link->call, take_message);
    Waiting *next = g_queue_pop_head(&link->waiting);
    if (next != NULL) {
        serve(endpoint, link, next->call, g_steal_pointer(&next->in), actions);
        g_free(next);
    }
}

static void
accept(Endpoint *endpoint, Link *link, const Connection *filled, Actions *actions)
{
    if (!link->held) {
        link->held = true;
        actions_hold(actions, HOLD_CONNECTION, 1);
    }
    Connection *back = connection_copy(filled);
    back->index = link->in->index;
    back->mechanism = endpoint->wire;
    back->vni = 0;
    g_free(back->nse);
    back->nse = g_strdup(endpoint->name);
    labels_clear(&back->labels);
    labels_copy(&link->in->labels, &back->labels);
    link_end_assign(&back->client, &link->in->client);
    g_free(back->server.pod);
    g_free(back->server.interface);
    g_clear_pointer(&back->server.node, g_free);
    back->server.pod = g_strdup(endpoint->base.info->pod_key);
    back->server.interface = interface_name(endpoint, link->in, "in");
    answer_link(endpoint, link, nsm_message(MESSAGE_NSM_CONNECTION, back), actions);
}

/* ---- the last endpoint ---- */

static void
finish_chain(Endpoint *endpoint, Link *link, Actions *actions)
{
    char *dst_ip = NULL, *src_ip = NULL;
    if (endpoint->has_prefix && !ipam_take(&endpoint->ipam, link->id, &dst_ip, &src_ip)) {
        answer_link(endpoint, link,
                    message_error("%s: no address left in NSM_CIDR_PREFIX", endpoint->name),
                    actions);
        return;
    }
    g_autoptr(Connection) filled = connection_copy(link->in);
    g_free(filled->dst_ip);
    g_free(filled->src_ip);
    filled->dst_ip = dst_ip;
    filled->src_ip = src_ip;
    accept(endpoint, link, filled, actions);
}

/* ---- pass-through ---- */

static void
request_next_link(Endpoint *endpoint, Link *link, Actions *actions)
{
    Connection *out = connection_copy(link->in);
    g_clear_pointer(&out->nse, g_free);
    if (link->next != NULL) { /* a refresh: endpoint and path beyond are known */
        out->nse = g_strdup(link->next->nse);
        for (guint i = out->path->len; i < link->next->path->len; i++) {
            const PathSegment *beyond = connection_segment(link->next, i);
            PathSegment copy = {g_strdup(beyond->name), g_strdup(beyond->id), beyond->expires};
            g_array_append_val(out->path, copy);
        }
    }
    labels_clear(&out->labels); /* replacelabels(NSM_LABELS) */
    labels_copy(&endpoint->labels, &out->labels);
    out->mechanism = WIRE_MEMIF;
    out->vni = 0;
    g_free(out->client.pod);
    g_free(out->client.interface);
    g_clear_pointer(&out->client.node, g_free);
    out->client.pod = g_strdup(endpoint->base.info->pod_key);
    out->client.interface = interface_name(endpoint, link->in, "out");
    g_clear_pointer(&out->server.pod, g_free);
    g_clear_pointer(&out->server.node, g_free);
    actions_call(actions, endpoint->enrolment.manager, link->tag,
                 nsm_message(MESSAGE_NSM_REQUEST, out))
        ->flags = link->joined ? CALL_DEFAULT : CALL_FRESH; /* each NSM connection dials */
}

static void
join(Endpoint *endpoint, Link *link, Actions *actions)
{
    const char *pod = endpoint->base.info->pod_key;
    g_autofree char *in = interface_name(endpoint, link->in, "in");
    g_autofree char *out = interface_name(endpoint, link->in, "out");
    DataPlaneOp *op = actions_dataplane(actions, link->tag, DATAPLANE_CROSS_CONNECT);
    op->owner = pod;
    op->node = endpoint->base.info->node;
    op->port = actions_printf(actions, "%s/%s", pod, in);
    op->peer = actions_printf(actions, "%s/%s", pod, out);
}

static void
on_next_link(Endpoint *endpoint, Link *link, const Input *input, Actions *actions)
{
    if (input->kind == INPUT_FAILURE || input->message->type != MESSAGE_NSM_CONNECTION) {
        const char *why = input_problem(input);
        g_clear_pointer(&link->next, connection_unref);
        answer_link(endpoint, link, message_error("%s: %s", endpoint->name, why), actions);
        return;
    }
    connection_unref(link->next);
    link->next = connection_ref(nsm_message_connection(input->message));
    if (link->joined) {
        accept(endpoint, link, link->next, actions);
    } else {
        actions_work(actions, link->tag, MESSAGE_WORK_VPP_XCONNECT, 1);
    }
}

/* ---- Requests ---- */

static void
serve(Endpoint *endpoint, Link *link, uint64_t call, Connection *take_in, Actions *actions)
{
    connection_unref(link->in);
    link->in = take_in;
    link->call = call;
    link->busy = true;
    if (endpoint->passthrough) {
        request_next_link(endpoint, link, actions);
    } else {
        finish_chain(endpoint, link, actions);
    }
}

static void
on_nsm_request(Endpoint *endpoint, const Input *input, Actions *actions)
{
    Connection *in = connection_copy(nsm_message_connection(input->message));
    connection_advance(in, endpoint->name, input->now, endpoint->token_lifetime);
    const char *id = connection_segment_id(in);
    Link *link = g_hash_table_lookup(endpoint->links, id);
    if (link == NULL) {
        link = g_new0(Link, 1);
        link->id = g_strdup(id);
        link->tag = ++endpoint->last_tag;
        g_hash_table_insert(endpoint->links, link->id, link);
        g_hash_table_insert(endpoint->tags, &link->tag, link);
    }
    if (link->busy) {
        Waiting *waiting = g_new0(Waiting, 1);
        *waiting = (Waiting){input->call, in};
        g_queue_push_tail(&link->waiting, waiting);
    } else {
        serve(endpoint, link, input->call, in, actions);
    }
}

static void
close_next_link(Endpoint *endpoint, Connection *in, Actions *actions)
{
    actions_call(actions, endpoint->enrolment.manager, 0,
                 nsm_message(MESSAGE_NSM_CLOSE, connection_ref(in)));
}

static void
on_close(Endpoint *endpoint, const Input *input, Actions *actions)
{
    g_autoptr(Connection) in = connection_copy(nsm_message_connection(input->message));
    connection_advance(in, endpoint->name, input->now, endpoint->token_lifetime);
    Link *link = g_hash_table_lookup(endpoint->links, connection_segment_id(in));
    actions_reply(actions, input->call, message_ok());
    if (link == NULL || link->busy) {
        return;
    }
    if (endpoint->passthrough && link->next != NULL) {
        close_next_link(endpoint, in, actions);
    }
    if (link->held) {
        actions_hold(actions, HOLD_CONNECTION, -1);
    }
    ipam_release(&endpoint->ipam, link->id);
    g_hash_table_remove(endpoint->tags, &link->tag);
    g_hash_table_remove(endpoint->links, link->id);
}

/* ---- inputs ---- */

static void
on_request(Endpoint *endpoint, const Input *input, Actions *actions)
{
    switch ((int)input->message->type) {
    case MESSAGE_NSM_REQUEST:
        on_nsm_request(endpoint, input, actions);
        break;
    case MESSAGE_NSM_CLOSE:
        on_close(endpoint, input, actions);
        break;
    default:
        actions_reply(actions, input->call, message_ok());
    }
}

static void
on_tagged(Endpoint *endpoint, const Input *input, Actions *actions)
{
    Link *link = g_hash_table_lookup(endpoint->tags, &input->tag);
    if (link == NULL || !link->busy) {
        return;
    }
    if (input->kind == INPUT_WORK) {
        join(endpoint, link, actions);
    } else if (input->kind == INPUT_DATAPLANE) {
        link->joined = input->error == NULL;
        if (link->joined) {
            accept(endpoint, link, link->next, actions);
        } else {
            close_next_link(endpoint, link->in, actions);
            g_clear_pointer(&link->next, connection_unref);
            answer_link(endpoint, link, message_error("%s: %s", endpoint->name, input->error),
                        actions);
        }
    } else {
        on_next_link(endpoint, link, input, actions);
    }
}

/* cmd-nse-firewall-vpp starts its VPP after the SVID (phase 4 of its main). */
static bool
enrolled(Endpoint *endpoint, const Input *input, Actions *actions)
{
    switch (enrolment_step(&endpoint->enrolment, input, actions)) {
    case ENROLMENT_NOT_MINE:
        return false;
    case ENROLMENT_IDENTITY:
        if (endpoint->boots_vpp) {
            vpp_boot_begin(&endpoint->boot, actions);
            return true;
        }
        actions_listen(actions, endpoint->listen);
        enrolment_register(&endpoint->enrolment, input->now, actions);
        return true;
    case ENROLMENT_PENDING:
    case ENROLMENT_DONE:
        return true;
    }
    return true;
}

static void
on_boot(Endpoint *endpoint, const Input *input, Actions *actions)
{
    if (vpp_boot_step(&endpoint->boot, endpoint->base.info, input, actions)) {
        actions_listen(actions, endpoint->listen);
        enrolment_register(&endpoint->enrolment, input->now, actions);
    }
}

static void
step(Machine *machine, const Input *input, Actions *actions)
{
    Endpoint *endpoint = (Endpoint *)machine;
    if (input->tag == VPP_BOOT_TAG) {
        on_boot(endpoint, input, actions);
        return;
    }
    if (input->tag != 0 && enrolled(endpoint, input, actions)) {
        return;
    }
    switch ((int)input->kind) {
    case INPUT_START:
        enrolment_begin(&endpoint->enrolment, actions);
        break;
    case INPUT_REQUEST:
        on_request(endpoint, input, actions);
        break;
    case INPUT_REPLY:
    case INPUT_FAILURE:
    case INPUT_WORK:
    case INPUT_DATAPLANE:
        on_tagged(endpoint, input, actions);
        break;
    case INPUT_STOP:
        actions_exit(actions, 0);
        break;
    default:
        break;
    }
}

static void
endpoint_free(Machine *machine)
{
    Endpoint *endpoint = (Endpoint *)machine;
    g_hash_table_unref(endpoint->tags);
    g_hash_table_unref(endpoint->links);
    enrolment_clear(&endpoint->enrolment);
    ipam_clear(&endpoint->ipam);
    labels_clear(&endpoint->labels);
    g_free(endpoint->name);
    g_free(endpoint->listen);
    g_free(endpoint);
}

static NseRecord *
own_record(const Endpoint *endpoint)
{
    NseRecord *record = nse_record_new(endpoint->name);
    const ProcessInfo *info = endpoint->base.info;
    /* nse-firewall-vpp reads NSM_SERVICE_NAME, the others NSM_SERVICE_NAMES (FACTS 2.7) */
    const char *fallback = endpoint->passthrough ? "" : "icmp-responder";
    g_autofree char *one = process_env(info, "NSM_SERVICE_NAME", fallback);
    g_autofree char *services = process_env(info, "NSM_SERVICE_NAMES", one);
    g_strfreev(record->services);
    record->services = g_strsplit(services, ",", -1);
    labels_copy(&endpoint->labels, &record->labels);
    labels_add_client_info(&record->labels, info);
    record->url = g_strdup(endpoint->listen);
    return record;
}

static Machine *
create(const ProcessInfo *info, const MachineClass *class, bool passthrough)
{
    Endpoint *endpoint = g_new0(Endpoint, 1);
    endpoint->base.class = class;
    endpoint->base.info = info;
    endpoint->passthrough = passthrough;
    bool memif = passthrough || strstr(info->container->image, "memif") != NULL ||
                 strstr(info->container->image, "vpp") != NULL;
    endpoint->wire = memif ? WIRE_MEMIF : WIRE_KERNEL;
    endpoint->boots_vpp = memif;
    endpoint->name = process_env(info, "NSM_NAME", passthrough ? "firewall-server" : "icmp-server");
    endpoint->listen = process_address(info, "unix:///nse.sock");
    endpoint->token_lifetime = process_duration(info, "NSM_MAX_TOKEN_LIFETIME", NSM_TOKEN_LIFETIME);
    g_autofree char *labels = process_env(info, "NSM_LABELS", "");
    labels_parse_env(labels, &endpoint->labels, NULL);
    g_autofree char *prefix = process_env(info, "NSM_CIDR_PREFIX", "169.254.0.0/16");
    endpoint->has_prefix = ipam_init(&endpoint->ipam, prefix);
    vpp_boot_init(&endpoint->boot, info);
    enrolment_init(&endpoint->enrolment, info, own_record(endpoint));
    endpoint->links = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, link_free);
    endpoint->tags = g_hash_table_new(g_int64_hash, g_int64_equal);
    return &endpoint->base;
}

static const MachineClass endpoint_class = {COMPONENT_NSE, step, endpoint_free};
static const MachineClass passthrough_class = {COMPONENT_FIREWALL, step, endpoint_free};

Object *
network_service_object(const char *name, const char *payload)
{
    Object *object = g_new0(Object, 1);
    object->kind = OBJECT_NETWORK_SERVICE;
    object->kind_text = g_strdup(object_kind_name(object->kind));
    object->api_version = g_strdup("networkservicemesh.io/v1");
    object->ns = g_strdup("");
    object->name = g_strdup(name);
    object->network_service = g_new0(NetworkServiceSpec, 1);
    object->network_service->payload = g_strdup(payload);
    return object;
}

Machine *
endpoint_new(const ProcessInfo *info)
{
    return create(info, &endpoint_class, false);
}

Machine *
passthrough_new(const ProcessInfo *info)
{
    return create(info, &passthrough_class, true);
}
