/* Endpoints of both kinds. */
#include "models/nsm/endpoint.h"

#include "models/nsm/connection.h"
#include "models/nsm/enroll.h"
#include "models/nsm/ipam.h"
#include "models/nsm/monitor.h"
#include "models/nsm/vpp.h"

/* A Request or Close that waits for the one before it. */
typedef struct Waiting {
    uint64_t call;
    Connection *in;
    bool closing;
} Waiting;

typedef enum LinkState {
    LINK_IDLE,
    LINK_NEXT,   /* pass-through: the next link is requested */
    LINK_JOIN,   /* its CPU time, then the cross-connect */
    LINK_CLOSE,  /* pass-through: the next link is closed */
    LINK_REMOVE, /* the interfaces in this Pod's VPP go */
} LinkState;

typedef struct Link {
    char *id;         /* of the incoming segment */
    uint64_t tag;     /* the call or operation under way */
    uint64_t expiry;  /* timer: the previous segment's token */
    LinkState state;  /* `begin`: one event at a time, the others wait */
    uint64_t call;    /* whom to answer; 0: nobody (any more) */
    Connection *in;   /* advanced to this endpoint; the Request under way or the last */
    Connection *next; /* pass-through: the next link, as it was answered */
    GQueue waiting;   /* Waiting * */
    guint n_removing;
    bool expired; /* its token expired during a Request */
    bool held;    /* established */
    bool joined;
    uint32_t made; /* of its interfaces */
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
    Monitor monitor;
    GHashTable *links; /* id -> Link */
    GHashTable *tags;  /* tag, expiry -> Link */
    uint64_t last_tag;
    uint32_t n_made;
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

/* Never the same again, in any start of this endpoint. */
static uint32_t
next_made(Endpoint *endpoint)
{
    return endpoint->base.info->incarnation << 16 | (++endpoint->n_made & 0xffff);
}

/* Interface names are unique in the Pod: the service and the id of this hop's segment make them, as
 * each hop's updatepath sets the connection's id to its own segment's.  What an earlier path of the
 * same client has left here has another name. */
static char *
interface_name(const Endpoint *endpoint, const Connection *in, const char *side)
{
    if (endpoint->wire == WIRE_MEMIF) {
        char *name = g_strdup_printf("memif-%s-%s", side, connection_segment_id(in));
        return g_strdelimit(name, "/", '.'); /* a port's name is Pod/interface */
    }
    guint hash = g_str_hash(connection_segment_id(in)) & 0xffff;
    return g_strdup_printf("%.10s-%04x", in->service, hash);
}

static void begin(Endpoint *endpoint, Link *link, uint64_t call, Connection *take_in, bool closing,
                  nsec_t now, Actions *actions);

static void
drop_link(Endpoint *endpoint, Link *link, Actions *actions)
{
    actions_stop_timer(actions, link->expiry);
    monitor_closed(&endpoint->monitor, link->id, actions);
    ipam_release(&endpoint->ipam, link->id);
    g_hash_table_remove(endpoint->tags, &link->tag);
    g_hash_table_remove(endpoint->tags, &link->expiry);
    g_hash_table_remove(endpoint->links, link->id);
}

/* The event under way is over; the next may begin. */
static void
answer_link(Endpoint *endpoint, Link *link, Message *take_message, nsec_t now, Actions *actions)
{
    link->state = LINK_IDLE;
    if (link->call != 0) {
        actions_reply(actions, link->call, take_message);
    } else {
        message_unref(take_message);
    }
    Waiting *next = g_queue_pop_head(&link->waiting);
    if (next != NULL) {
        begin(endpoint, link, next->call, g_steal_pointer(&next->in), next->closing, now, actions);
        g_free(next);
    } else if (!link->held) {
        drop_link(endpoint, link, actions);
    } else if (link->expired) {
        begin(endpoint, link, 0, connection_ref(link->in), true, now, actions);
    }
}

static void
accept(Endpoint *endpoint, Link *link, const Connection *filled, nsec_t now, Actions *actions)
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
    g_autofree char *interface = interface_name(endpoint, link->in, "in");
    const LinkEnd own = {.pod = (char *)endpoint->base.info->pod_key,
                         .interface = interface,
                         .ip = endpoint->passthrough ? NULL : filled->dst_ip,
                         .made = endpoint->boots_vpp ? link->made : 0};
    link_end_assign(&back->server, &own);
    /* the timeout element (FACTS 2.4) */
    link->expired = false;
    actions_timer(actions, link->expiry, MAX(connection_previous_expires(link->in) - now, 0));
    monitor_established(&endpoint->monitor, back,
                        endpoint->passthrough ? endpoint->enrolment.manager : NULL, actions);
    answer_link(endpoint, link, nsm_message(MESSAGE_NSM_CONNECTION, back), now, actions);
}

/* ---- the last endpoint ---- */

static void
finish_chain(Endpoint *endpoint, Link *link, nsec_t now, Actions *actions)
{
    char *dst_ip = NULL, *src_ip = NULL;
    if (endpoint->has_prefix && !ipam_take(&endpoint->ipam, link->id, &dst_ip, &src_ip)) {
        answer_link(endpoint, link,
                    message_error("%s: no address left in NSM_CIDR_PREFIX", endpoint->name), now,
                    actions);
        return;
    }
    g_autoptr(Connection) filled = connection_copy(link->in);
    g_free(filled->dst_ip);
    g_free(filled->src_ip);
    connection_trim(filled);
    filled->dst_ip = dst_ip;
    filled->src_ip = src_ip;
    accept(endpoint, link, filled, now, actions);
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
    g_autofree char *interface = interface_name(endpoint, link->in, "out");
    const LinkEnd own = {
        .pod = (char *)endpoint->base.info->pod_key, .interface = interface, .made = link->made};
    const LinkEnd unknown = {0};
    link_end_assign(&out->client, &own);
    link_end_assign(&out->server, &unknown);
    link->state = LINK_NEXT;
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

/* Another endpoint, or another way to it, has other interfaces: they are joined anew. */
static bool
same_next(const Connection *a, const Connection *b)
{
    if (a == NULL || a->path->len != b->path->len) {
        return false;
    }
    for (guint i = 0; i < a->path->len; i++) {
        if (!g_str_equal(connection_segment(a, i)->id, connection_segment(b, i)->id)) {
            return false;
        }
    }
    return true;
}

static void
on_next_link(Endpoint *endpoint, Link *link, const Input *input, Actions *actions)
{
    if (input->kind == INPUT_FAILURE || input->message->type != MESSAGE_NSM_CONNECTION) {
        const char *why = input_problem(input);
        g_clear_pointer(&link->next, connection_unref);
        link->joined = false;
        answer_link(endpoint, link, message_error("%s: %s", endpoint->name, why), input->now,
                    actions);
        return;
    }
    Connection *next = connection_ref(nsm_message_connection(input->message));
    link->joined = link->joined && same_next(link->next, next);
    connection_unref(link->next);
    link->next = next;
    if (link->joined) {
        accept(endpoint, link, link->next, input->now, actions);
    } else {
        link->state = LINK_JOIN;
        actions_work(actions, link->tag, MESSAGE_WORK_VPP_XCONNECT, 1);
    }
}

static void
close_next_link(Endpoint *endpoint, uint64_t tag, Connection *in, nsec_t timeout, Actions *actions)
{
    actions_call(actions, endpoint->enrolment.manager, tag,
                 nsm_message(MESSAGE_NSM_CLOSE, connection_ref(in)))
        ->timeout = timeout;
}

static void
on_joined(Endpoint *endpoint, Link *link, const Input *input, Actions *actions)
{
    link->joined = input->error == NULL;
    if (link->joined) {
        accept(endpoint, link, link->next, input->now, actions);
        return;
    }
    close_next_link(endpoint, 0, link->in, NSM_CLOSE_TIMEOUT, actions);
    g_clear_pointer(&link->next, connection_unref);
    answer_link(endpoint, link, message_error("%s: %s", endpoint->name, input->error), input->now,
                actions);
}

/* ---- Close ---- */

static void
finish_close(Endpoint *endpoint, Link *link, nsec_t now, Actions *actions)
{
    if (link->held) {
        actions_hold(actions, HOLD_CONNECTION, -1);
    }
    link->held = link->joined = link->expired = false;
    link->made = next_made(endpoint);
    g_clear_pointer(&link->next, connection_unref);
    ipam_release(&endpoint->ipam, link->id);
    monitor_closed(&endpoint->monitor, link->id, actions);
    actions_stop_timer(actions, link->expiry);
    answer_link(endpoint, link, message_ok(), now, actions); /* drops it unless somebody waits */
}

/* The interfaces in this Pod's own VPP go; a kernel interface is the forwarder's to remove. */
static void
remove_interfaces(Endpoint *endpoint, Link *link, nsec_t now, Actions *actions)
{
    static const char *const sides[] = {"in", "out"};
    guint n = endpoint->wire != WIRE_MEMIF ? 0 : endpoint->passthrough ? 2 : 1;
    link->state = LINK_REMOVE;
    link->n_removing = n;
    for (guint i = 0; i < n; i++) {
        g_autofree char *name = interface_name(endpoint, link->in, sides[i]);
        DataPlaneOp *op = actions_dataplane(actions, link->tag, DATAPLANE_REMOVE);
        op->owner = endpoint->base.info->pod_key;
        op->node = endpoint->base.info->node;
        op->port = actions_printf(actions, "%s/%s", op->owner, name);
    }
    if (n == 0) {
        finish_close(endpoint, link, now, actions);
    }
}

static void
close_link(Endpoint *endpoint, Link *link, Connection *in, nsec_t now, Actions *actions)
{
    if (endpoint->passthrough && link->next != NULL) {
        link->state = LINK_CLOSE;
        close_next_link(endpoint, link->tag, in, link->call == 0 ? NSM_CLOSE_TIMEOUT : 0, actions);
    } else {
        remove_interfaces(endpoint, link, now, actions);
    }
}

/* ---- Requests and Closes, one at a time ---- */

static void
begin(Endpoint *endpoint, Link *link, uint64_t call, Connection *take_in, bool closing, nsec_t now,
      Actions *actions)
{
    link->call = call;
    if (closing) {
        g_autoptr(Connection) in = take_in;
        close_link(endpoint, link, in, now, actions);
        return;
    }
    connection_unref(link->in);
    link->in = take_in;
    if (endpoint->passthrough) {
        request_next_link(endpoint, link, actions);
    } else {
        finish_chain(endpoint, link, now, actions);
    }
}

static void
begin_or_wait(Endpoint *endpoint, Link *link, uint64_t call, Connection *take_in, bool closing,
              nsec_t now, Actions *actions)
{
    if (link->state == LINK_IDLE) {
        begin(endpoint, link, call, take_in, closing, now, actions);
        return;
    }
    Waiting *waiting = g_new0(Waiting, 1);
    *waiting = (Waiting){call, take_in, closing};
    g_queue_push_tail(&link->waiting, waiting);
}

static Connection *
advanced(const Endpoint *endpoint, const Input *input)
{
    Connection *in = connection_copy(nsm_message_connection(input->message));
    nsec_t life = svid_token_life(&endpoint->enrolment.svid, input->now, endpoint->token_lifetime);
    connection_advance(in, endpoint->name, input->now, life);
    return in;
}

static void
on_nsm_request(Endpoint *endpoint, const Input *input, Actions *actions)
{
    Connection *in = advanced(endpoint, input);
    const char *id = connection_segment_id(in);
    Link *link = g_hash_table_lookup(endpoint->links, id);
    if (link == NULL) {
        link = g_new0(Link, 1);
        link->id = g_strdup(id);
        link->tag = ++endpoint->last_tag;
        link->expiry = ++endpoint->last_tag;
        link->made = next_made(endpoint);
        g_hash_table_insert(endpoint->links, link->id, link);
        g_hash_table_insert(endpoint->tags, &link->tag, link);
        g_hash_table_insert(endpoint->tags, &link->expiry, link);
    }
    begin_or_wait(endpoint, link, input->call, in, false, input->now, actions);
}

static void
on_close(Endpoint *endpoint, const Input *input, Actions *actions)
{
    g_autoptr(Connection) in = advanced(endpoint, input);
    Link *link = g_hash_table_lookup(endpoint->links, connection_segment_id(in));
    if (link == NULL) {
        actions_reply(actions, input->call, message_ok());
        return;
    }
    begin_or_wait(endpoint, link, input->call, g_steal_pointer(&in), true, input->now, actions);
}

/* The previous segment's token has expired. */
static void
on_expiry(Endpoint *endpoint, Link *link, nsec_t now, Actions *actions)
{
    if (link->state != LINK_IDLE) {
        link->expired = true;
    } else {
        begin(endpoint, link, 0, connection_ref(link->in), true, now, actions);
    }
}

static bool
forget_waiting(Link *link, uint64_t call)
{
    for (GList *item = link->waiting.head; item != NULL; item = item->next) {
        Waiting *waiting = item->data;
        if (waiting->call == call) {
            waiting->call = 0;
            if (!waiting->closing) { /* a Close is made all the same */
                g_queue_delete_link(&link->waiting, item);
                waiting_free(waiting);
            }
            return true;
        }
    }
    return false;
}

/* The caller waits no more, and neither do we (a cancelled gRPC context cancels the calls made with
 * it); what a first Request may have built beyond is closed. */
static void
give_up(Endpoint *endpoint, Link *link, nsec_t now, Actions *actions)
{
    link->call = 0;
    if (link->state == LINK_NEXT) {
        actions_cancel(actions, link->tag);
        if (!link->held) {
            close_next_link(endpoint, 0, link->in, NSM_CLOSE_TIMEOUT, actions);
        }
        answer_link(endpoint, link, message_ok(), now, actions);
    } else if (link->state == LINK_CLOSE) {
        actions_cancel(actions, link->tag);
        remove_interfaces(endpoint, link, now, actions);
    }
}

static void
on_cancelled(Endpoint *endpoint, const Input *input, Actions *actions)
{
    GHashTableIter iter;
    void *value;
    g_hash_table_iter_init(&iter, endpoint->links);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        Link *link = value;
        if (forget_waiting(link, input->call)) {
            return;
        }
        if (link->state != LINK_IDLE && link->call == input->call) {
            give_up(endpoint, link, input->now, actions);
            return;
        }
    }
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
    if (link == NULL) {
        return;
    }
    if (input->tag == link->expiry) {
        on_expiry(endpoint, link, input->now, actions);
        return;
    }
    switch (link->state) {
    case LINK_NEXT:
        on_next_link(endpoint, link, input, actions);
        break;
    case LINK_JOIN:
        if (input->kind == INPUT_WORK) {
            join(endpoint, link, actions);
        } else {
            on_joined(endpoint, link, input, actions);
        }
        break;
    case LINK_CLOSE: /* errors are ignored */
        remove_interfaces(endpoint, link, input->now, actions);
        break;
    case LINK_REMOVE:
        if (--link->n_removing == 0) {
            finish_close(endpoint, link, input->now, actions);
        }
        break;
    case LINK_IDLE:
        break;
    }
}

/* A pass-through whose next link goes down does not heal (heal/doc.go:19): its watchers are told.
 * When that link is closed, its interface goes: the next Request joins them anew. */
static bool
monitored(Endpoint *endpoint, const Input *input, Actions *actions)
{
    MonitorNews news;
    const char *id;
    bool mine = monitor_step(&endpoint->monitor, input, actions, &news, &id);
    Link *link = news == MONITOR_DELETED ? g_hash_table_lookup(endpoint->links, id) : NULL;
    if (link != NULL) {
        link->joined = false;
    }
    return mine;
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
    if (monitored(endpoint, input, actions)) {
        return;
    }
    switch ((int)input->kind) {
    case INPUT_START:
        enrolment_begin(&endpoint->enrolment, actions);
        break;
    case INPUT_OPENED:
        actions_close(actions, input->call);
        break;
    case INPUT_CANCELLED:
        on_cancelled(endpoint, input, actions);
        break;
    case INPUT_REQUEST:
        on_request(endpoint, input, actions);
        break;
    case INPUT_REPLY:
    case INPUT_FAILURE:
    case INPUT_WORK:
    case INPUT_DATAPLANE:
    case INPUT_TIMER:
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
    monitor_clear(&endpoint->monitor);
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
    bool memif = passthrough || vpp_runs_inside(info);
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
    monitor_init(&endpoint->monitor);
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
