/* forwarder-vpp.  A Task is a Request on its way; a Link is what it has programmed for one hop. */
#include "models/nsm/forwarder.h"

#include "models/nsm/connection.h"
#include "models/nsm/enroll.h"
#include "models/nsm/monitor.h"
#include "models/nsm/select.h"
#include "models/nsm/version.h"
#include "models/nsm/vpp.h"

#define NETNS_POLL (250 * NSEC_PER_MSEC) /* nsmonitor: sdk-vpp .../nsmonitor/monitor.go:38 */

#define TASK_STATES(X)                                                                             \
    X(FIND_SERVICE)                                                                                \
    X(FIND_ENDPOINTS)                                                                              \
    X(TURN) /* the old next hop is told, before another is asked */                                \
    X(NEXT_HOP)                                                                                    \
    X(REMOVE)  /* what was programmed before goes, all at once */                                  \
    X(PROGRAM) /* data-plane operations, one after the other */                                    \
    X(CLOSE)   /* the next hop is told */

typedef enum TaskState {
#define X(name) TASK_##name,
    TASK_STATES(X)
#undef X
} TaskState;

/* What follows the removal of ports. */
typedef enum AfterRemoval { REMOVED_TO_PROGRAM, REMOVED_TO_FAIL, REMOVED_TO_END } AfterRemoval;

/* The operations of one cross-connect, in their order (FACTS 1.1: downstream first). */
typedef enum ProgramStep { STEP_SERVER_END, STEP_CLIENT_END, STEP_XCONNECT, STEP_DONE } ProgramStep;

typedef struct Link Link;

typedef struct Task {
    uint64_t id;
    TaskState state;
    uint64_t call;    /* whom to answer; 0: nobody (any more) */
    bool closing;     /* a Close, ours or the caller's */
    Connection *in;   /* as received, advanced to this hop */
    Connection *back; /* the next hop's answer */
    Link *link;
    const NetworkServiceSpec *service;
    GPtrArray *candidates; /* NseRecord *, references, in the order of trial */
    guint next;
    char *why;
    ProgramStep step;
    guint n_removing; /* REMOVE: operations that are not done yet */
    AfterRemoval after;
} Task;

struct Link {
    char *id;
    char *nse; /* pinned; NULL: none */
    char *url;
    char *server_port; /* towards the endpoint, or the tunnel */
    char *client_port;
    char *pod_ports[2]; /* interfaces in Pods that a Close removes; NULL: none */
    char *wiring;       /* what is programmed, as text; NULL: nothing */
    Connection *answer; /* of the last Request that succeeded */
    uint32_t vni;       /* of the tunnel towards the client; 0: none yet */
    bool direct;        /* memif to memif: no ports of our own */
    bool broken;        /* the endpoint has ended: the next Request programs anew */
    bool expired;       /* its token expired during a Request; a successful one sets it back */
    bool left;          /* the next hop of `url` has been told that another is asked */
    uint64_t expiry;    /* timer */
    uint64_t watch;     /* operation: the client's network namespace */
    uint64_t poll;      /* timer: when its end is noticed */
    bool watching;
    bool busy;      /* `begin`: one event of a connection at a time */
    GQueue waiting; /* Task * */
};

typedef struct Forwarder {
    Machine base;
    Enrolment enrolment;
    char *name;
    char *listen;
    int version;
    nsec_t dial_timeout;
    nsec_t token_lifetime;
    VppBoot boot;
    Monitor monitor;
    nsec_t poll_phase;
    uint32_t last_vni;
    bool serving;
    GHashTable *tasks;       /* id -> Task */
    GHashTable *links;       /* segment id -> Link */
    GHashTable *link_tags;   /* expiry, watch, poll -> Link */
    GHashTable *round_robin; /* service -> counter */
    uint64_t last_id;
} Forwarder;

static void begin_task(Forwarder *forwarder, Task *task, Actions *actions);
static void close_expired(Forwarder *forwarder, Link *link, Actions *actions);

static void
task_free(void *data)
{
    Task *task = data;
    connection_unref(task->in);
    connection_unref(task->back);
    g_clear_pointer(&task->candidates, g_ptr_array_unref);
    g_free(task->why);
    g_free(task);
}

static void
link_free(void *data)
{
    Link *link = data;
    g_free(link->id);
    g_free(link->nse);
    g_free(link->url);
    g_free(link->server_port);
    g_free(link->client_port);
    g_free(link->pod_ports[0]);
    g_free(link->pod_ports[1]);
    g_free(link->wiring);
    connection_unref(link->answer);
    g_queue_clear(&link->waiting);
    g_free(link);
}

static void
answer(Task *task, Message *take_message, Actions *actions)
{
    if (task->call != 0) {
        actions_reply(actions, task->call, take_message);
    } else {
        message_unref(take_message);
    }
}

static void
drop_link(Forwarder *forwarder, Link *link, Actions *actions)
{
    monitor_closed(&forwarder->monitor, link->id, actions);
    actions_stop_timer(actions, link->expiry);
    actions_stop_timer(actions, link->poll);
    if (link->watching) {
        actions_stop_dataplane(actions, link->watch);
    }
    g_hash_table_remove(forwarder->link_tags, &link->expiry);
    g_hash_table_remove(forwarder->link_tags, &link->watch);
    g_hash_table_remove(forwarder->link_tags, &link->poll);
    g_hash_table_remove(forwarder->links, link->id);
}

static void
end_task(Forwarder *forwarder, Task *task, Actions *actions)
{
    Link *link = task->link;
    g_hash_table_remove(forwarder->tasks, &task->id);
    Task *next = g_queue_pop_head(&link->waiting);
    if (next != NULL) {
        begin_task(forwarder, next, actions);
        return;
    }
    link->busy = false;
    if (link->wiring == NULL) {
        drop_link(forwarder, link, actions);
    } else if (link->expired) {
        close_expired(forwarder, link, actions);
    }
}

static void
fail(Forwarder *forwarder, Task *task, const char *why, Actions *actions)
{
    answer(task, message_error("%s: %s", forwarder->name, why), actions);
    end_task(forwarder, task, actions);
}

/* ---- discovery ---- */

static void
call_registry(Forwarder *forwarder, Task *task, RegistryQuery *take_query, bool endpoints,
              Actions *actions)
{
    Action *call = actions_call(actions, forwarder->enrolment.manager, task->id, &take_query->base);
    call->flags = CALL_FRESH;
    call->dial_timeout = nsm_registry_dial_timeout(forwarder->version, endpoints);
}

static void
find_endpoints(Forwarder *forwarder, Task *task, const char *name, Actions *actions)
{
    task->state = TASK_FIND_ENDPOINTS;
    const char *service = name == NULL ? task->in->service : NULL;
    call_registry(forwarder, task, registry_query(MESSAGE_REGISTRY_FIND_NSE, name, service, NULL),
                  true, actions);
}

static void close_link(Forwarder *forwarder, Task *task, Actions *actions);

static void
begin_task(Forwarder *forwarder, Task *task, Actions *actions)
{
    if (task->closing) {
        close_link(forwarder, task, actions);
        return;
    }
    if (task->in->nse != NULL) { /* pinned by an earlier Request, or by the other node */
        find_endpoints(forwarder, task, task->in->nse, actions);
        return;
    }
    task->state = TASK_FIND_SERVICE;
    call_registry(forwarder, task,
                  registry_query(MESSAGE_REGISTRY_FIND_NS, task->in->service, NULL, NULL), false,
                  actions);
}

static const char *
payload_of(const NetworkServiceSpec *spec)
{
    return spec->payload != NULL && *spec->payload != '\0' ? spec->payload : "ETHERNET";
}

static void
on_service(Forwarder *forwarder, Task *task, const RegistryFound *found, Actions *actions)
{
    if (found->service == NULL) {
        g_autofree char *why =
            g_strdup_printf("network service %s is not found", task->in->service);
        fail(forwarder, task, why, actions);
        return;
    }
    task->service = found->service;
    g_free(task->in->payload);
    task->in->payload = g_strdup(payload_of(found->service)); /* connection.Payload = ns.Payload */
    find_endpoints(forwarder, task, NULL, actions);
}

/* roundrobin/selector.go: one counter for each service; all candidates are tried from there on. */
static guint *
turn_of(Forwarder *forwarder, const char *service)
{
    guint *counter = g_hash_table_lookup(forwarder->round_robin, service);
    if (counter == NULL) {
        counter = g_new0(guint, 1);
        g_hash_table_insert(forwarder->round_robin, g_strdup(service), counter);
    }
    return counter;
}

static char *
report_text(const SelectReport *report)
{
    g_ptr_array_add(report->lines, NULL);
    char *text = g_strjoinv("; ", (char **)report->lines->pdata);
    g_ptr_array_set_size(report->lines, (int)report->lines->len - 1);
    return text;
}

static void
order_candidates(Forwarder *forwarder, Task *task, const GPtrArray *chosen)
{
    bool pinned = task->in->nse != NULL;
    guint start =
        chosen->len > 0 && !pinned ? *turn_of(forwarder, task->in->service) % chosen->len : 0;
    g_clear_pointer(&task->candidates, g_ptr_array_unref);
    task->candidates = g_ptr_array_new_with_free_func((GDestroyNotify)nse_record_unref);
    for (guint i = 0; i < chosen->len; i++) {
        NseRecord *record = g_ptr_array_index(chosen, (start + i) % chosen->len);
        g_ptr_array_add(task->candidates, nse_record_ref(record));
    }
}

/* `tag` 0: nobody waits for the answer. */
static Action *
close_next(Forwarder *forwarder, uint64_t tag, const char *url, Connection *connection,
           Actions *actions)
{
    Action *call = actions_call(actions, actions_string(actions, url), tag,
                                nsm_message(MESSAGE_NSM_CLOSE, connection_ref(connection)));
    call->dial_timeout = forwarder->dial_timeout;
    call->timeout = NSM_CLOSE_TIMEOUT;
    return call;
}

/* A connection that stands is led to another next hop: the old one is told first, and answers, as
 * the ids beyond may be the same on both paths (sdk pkg/networkservice/common/dial/client.go closes
 * before it dials another URL; updatepath/common.go renews one segment's id alone).  The other
 * node's manager is the same hop for all of its endpoints, and tells them itself. */
static bool
turns_away(const Task *task, const NseRecord *nse)
{
    const Link *link = task->link;
    return !link->left && link->answer != NULL && link->nse != NULL &&
           g_strcmp0(link->nse, nse->name) != 0 && g_strcmp0(link->url, nse->url) != 0;
}

static void
request_next(Forwarder *forwarder, Task *task, Actions *actions)
{
    if (task->next >= task->candidates->len) {
        g_autofree char *why = g_strdup(task->why);
        fail(forwarder, task, why, actions);
        return;
    }
    const NseRecord *nse = g_ptr_array_index(task->candidates, task->next);
    if (turns_away(task, nse)) {
        task->link->left = true;
        task->state = TASK_TURN;
        /* over the gRPC connection that stands: a broken one fails at once [H] */
        close_next(forwarder, task->id, task->link->url, task->link->answer, actions)->flags =
            CALL_FAIL_FAST;
        return;
    }
    if (task->in->nse == NULL) {
        ++*turn_of(forwarder, task->in->service);
    }
    Connection *out = connection_copy(task->in);
    g_free(out->nse);
    out->nse = g_strdup(nse->name);
    if (g_str_has_prefix(nse->url, "tcp:")) { /* the other node's manager: a tunnel */
        bool ip = g_strcmp0(out->payload, "IP") == 0;
        out->mechanism = ip ? WIRE_WIREGUARD : WIRE_VXLAN;
        g_free(out->client.node);
        out->client.node = g_strdup(forwarder->base.info->node);
    } else {
        g_clear_pointer(&out->client.node, g_free);
    }
    task->state = TASK_NEXT_HOP;
    Action *call = actions_call(actions, actions_string(actions, nse->url), task->id,
                                nsm_message(MESSAGE_NSM_REQUEST, out));
    call->dial_timeout = forwarder->dial_timeout;
    call->flags =
        task->link->wiring != NULL ? CALL_DEFAULT : CALL_FRESH; /* each NSM connection dials */
}

static GPtrArray *
find_pinned(const GPtrArray *records, const char *name, nsec_t now)
{
    GPtrArray *chosen = g_ptr_array_new();
    NseRecord *record = nse_records_find(records, name, now);
    if (record != NULL) {
        g_ptr_array_add(chosen, record);
    }
    return chosen;
}

static void
on_endpoints(Forwarder *forwarder, Task *task, const RegistryFound *found, nsec_t now,
             Actions *actions)
{
    SelectReport report = {g_ptr_array_new_with_free_func(g_free)};
    bool pinned = task->service == NULL;
    g_autoptr(GPtrArray) chosen =
        pinned ? find_pinned(found->records, task->in->nse, now)
               : select_endpoints(task->service, task->in->service, &task->in->labels,
                                  found->records, now, &report);
    order_candidates(forwarder, task, chosen);
    if (task->candidates->len == 0) {
        g_autofree char *rules = report_text(&report);
        g_free(task->why);
        task->why =
            pinned ? g_strdup_printf("network service endpoint %s is not found", task->in->nse)
                   : g_strdup_printf("network service endpoint candidates not found: %s", rules);
    }
    g_ptr_array_unref(report.lines);
    request_next(forwarder, task, actions);
}

/* ---- programming ---- */

static bool
is_tunnel(WireKind kind)
{
    return kind == WIRE_VXLAN || kind == WIRE_WIREGUARD;
}

static bool
is_direct(const Task *task)
{
    return task->in->mechanism == WIRE_MEMIF && task->back->mechanism == WIRE_MEMIF &&
           task->back->server.pod != NULL;
}

static char *
pod_port(const LinkEnd *end)
{
    return g_strdup_printf("%s/%s", end->pod, end->interface);
}

/* The addresses of the link's ends.  The client's is known from the answer, and only the first
 * link's client has one (segments: client, manager, this forwarder): a pass-through has none. */
static const char *
client_ip(const Task *task)
{
    return task->in->index <= 2 ? task->back->src_ip : NULL;
}

static void
program_interface(Forwarder *forwarder, const Task *task, const LinkEnd *end, const char *ip,
                  WireKind wire, const char *port, Actions *actions)
{
    DataPlaneOp *op = actions_dataplane(actions, task->id, DATAPLANE_CREATE_INTERFACE);
    op->wire = wire;
    op->owner = forwarder->base.info->pod_key;
    op->node = forwarder->base.info->node;
    op->port = port;
    op->pod = actions_string(actions, end->pod);
    op->pod_port = actions_printf(actions, "%s/%s", end->pod, end->interface);
    op->ip = ip != NULL ? actions_string(actions, ip) : NULL;
}

static void
program_tunnel(Forwarder *forwarder, const Task *task, const char *peer_node, uint32_t vni,
               WireKind wire, const char *port, Actions *actions)
{
    DataPlaneOp *op = actions_dataplane(actions, task->id, DATAPLANE_CREATE_TUNNEL);
    op->wire = wire;
    op->owner = forwarder->base.info->pod_key;
    op->node = forwarder->base.info->node;
    op->port = port;
    op->peer_node = actions_string(actions, peer_node);
    op->vni = vni;
}

static void
program_direct(Forwarder *forwarder, const Task *task, Actions *actions)
{
    DataPlaneOp *op = actions_dataplane(actions, task->id, DATAPLANE_CREATE_DIRECT);
    op->wire = WIRE_MEMIF;
    op->owner = forwarder->base.info->pod_key;
    op->node = forwarder->base.info->node;
    op->pod = actions_string(actions, task->in->client.pod);
    op->pod_port =
        actions_printf(actions, "%s/%s", task->in->client.pod, task->in->client.interface);
    g_autofree char *peer = pod_port(&task->back->server);
    op->peer = actions_string(actions, peer);
    const char *ip = client_ip(task), *peer_ip = task->back->server.ip;
    op->ip = ip != NULL ? actions_string(actions, ip) : NULL;
    op->peer_ip = peer_ip != NULL ? actions_string(actions, peer_ip) : NULL;
}

static MessageType
step_work(const Task *task)
{
    switch (task->step) {
    case STEP_SERVER_END:
        return is_tunnel(task->back->mechanism) ? MESSAGE_WORK_VPP_TUNNEL
                                                : MESSAGE_WORK_VPP_INTERFACE;
    case STEP_CLIENT_END:
        return is_tunnel(task->in->mechanism) ? MESSAGE_WORK_VPP_TUNNEL
                                              : MESSAGE_WORK_VPP_INTERFACE;
    case STEP_XCONNECT:
    case STEP_DONE:
        break;
    }
    return MESSAGE_WORK_VPP_XCONNECT;
}

static void after_removal(Forwarder *forwarder, Task *task, nsec_t now, Actions *actions);

static void
remove_port(Forwarder *forwarder, Task *task, const char *port, Actions *actions)
{
    if (port == NULL) {
        return;
    }
    DataPlaneOp *op = actions_dataplane(actions, task->id, DATAPLANE_REMOVE);
    op->owner = forwarder->base.info->pod_key;
    op->node = forwarder->base.info->node;
    op->port = actions_string(actions, port);
    task->n_removing++;
}

/* Takes down what the link has programmed, then goes on with `after`.  The Pods' own ends are kept
 * for what takes their place, unless the link goes. */
static void
unprogram(Forwarder *forwarder, Task *task, AfterRemoval after, nsec_t now, Actions *actions)
{
    Link *link = task->link;
    task->state = TASK_REMOVE;
    task->after = after;
    if (!link->direct) {
        remove_port(forwarder, task, link->client_port, actions);
        remove_port(forwarder, task, link->server_port, actions);
    }
    for (int i = 0; i < 2 && after != REMOVED_TO_PROGRAM; i++) {
        remove_port(forwarder, task, link->pod_ports[i], actions);
    }
    if (link->wiring != NULL) {
        actions_hold(actions, HOLD_CONNECTION, -1);
        g_clear_pointer(&link->wiring, g_free);
    }
    if (task->n_removing == 0) {
        after_removal(forwarder, task, now, actions);
    }
}

/* Nobody waits for the answer: an endpoint that a link has left, or a Request that fails after its
 * next hop has succeeded (connect.Server). */
static void
undo(Forwarder *forwarder, Task *task, const char *why, nsec_t now, Actions *actions)
{
    g_free(task->why);
    task->why = g_strdup(why);
    close_next(forwarder, 0, task->link->url, task->in, actions);
    g_clear_pointer(&task->link->nse, g_free);
    unprogram(forwarder, task, REMOVED_TO_FAIL, now, actions);
}

/* What makes a difference to the wires, as text: when it is the same as before, nothing is done. */
static char *
describe_wiring(const Task *task)
{
    const LinkEnd *client = &task->in->client, *server = &task->back->server;
    return g_strdup_printf("%d %s/%s@%s %s %u | %d %s/%s@%s %u %s %u", (int)task->in->mechanism,
                           client->pod, client->interface, client->node, client_ip(task),
                           client->made, (int)task->back->mechanism, server->pod, server->interface,
                           server->node, is_tunnel(task->back->mechanism) ? task->back->vni : 0,
                           server->ip, server->made);
}

/* nsmonitor: the client's network namespace is watched while the link stands. */
static void
watch_client(Forwarder *forwarder, Link *link, const Connection *in, Actions *actions)
{
    if (link->watching || is_tunnel(in->mechanism)) {
        return;
    }
    link->watching = true;
    actions_stop_timer(actions, link->poll); /* it may have been noticed of the one before */
    DataPlaneOp *op = actions_dataplane(actions, link->watch, DATAPLANE_WATCH);
    op->owner = forwarder->base.info->pod_key;
    op->node = forwarder->base.info->node;
    op->pod = actions_string(actions, in->client.pod);
}

/* What the previous hop is answered. */
static Connection *
make_answer(const Forwarder *forwarder, const Task *task)
{
    Connection *back = connection_copy(task->back);
    back->index = task->in->index;
    back->mechanism = task->in->mechanism;
    link_end_assign(&back->client, &task->in->client);
    if (is_tunnel(task->in->mechanism)) {
        const LinkEnd own = {.node = (char *)forwarder->base.info->node};
        link_end_assign(&back->server, &own);
        back->vni = task->link->vni;
    }
    return back;
}

static void
finish(Forwarder *forwarder, Task *task, nsec_t now, Actions *actions)
{
    Link *link = task->link;
    if (task->call == 0 && link->answer == NULL) { /* the caller has given up */
        undo(forwarder, task, "cancelled", now, actions);
        return;
    }
    if (link->wiring == NULL) {
        link->wiring = describe_wiring(task);
        actions_hold(actions, HOLD_CONNECTION, 1);
        actions_trace(actions, TRACE_XCONNECT_DONE, actions_string(actions, link->id),
                      wire_kind_name(task->back->mechanism));
    }
    link->broken = link->expired = false;
    Connection *back = make_answer(forwarder, task);
    connection_unref(link->answer);
    link->answer = connection_ref(back);
    /* the timeout element: when the previous segment's token expires, the connection is closed */
    actions_timer(actions, link->expiry, MAX(connection_previous_expires(task->in) - now, 0));
    watch_client(forwarder, link, task->in, actions);
    monitor_established(&forwarder->monitor, back, link->url, actions);
    answer(task, nsm_message(MESSAGE_NSM_CONNECTION, back), actions);
    end_task(forwarder, task, actions);
}

static void perform_step(Forwarder *forwarder, Task *task, Actions *actions);

/* First the CPU time of the step, then the operation itself. */
static void
begin_step(Forwarder *forwarder, Task *task, nsec_t now, Actions *actions)
{
    if (task->step == STEP_DONE) {
        finish(forwarder, task, now, actions);
        return;
    }
    if (is_direct(task)) { /* only a socket is handed over: VPP has nothing to do */
        perform_step(forwarder, task, actions);
        return;
    }
    actions_work(actions, task->id, step_work(task), 1);
}

static void
perform_end(Forwarder *forwarder, Task *task, bool server, Actions *actions)
{
    const Connection *side = server ? task->back : task->in;
    const LinkEnd *end = server ? &task->back->server : &task->in->client;
    const char *port = server ? task->link->server_port : task->link->client_port;
    if (is_tunnel(side->mechanism)) {
        uint32_t vni = server ? task->back->vni : task->link->vni;
        program_tunnel(forwarder, task, end->node, vni, side->mechanism, port, actions);
    } else {
        program_interface(forwarder, task, end, server ? end->ip : client_ip(task), side->mechanism,
                          port, actions);
    }
}

static void
perform_step(Forwarder *forwarder, Task *task, Actions *actions)
{
    if (is_direct(task)) {
        program_direct(forwarder, task, actions);
        return;
    }
    if (task->step != STEP_XCONNECT) {
        perform_end(forwarder, task, task->step == STEP_SERVER_END, actions);
        return;
    }
    DataPlaneOp *op = actions_dataplane(actions, task->id, DATAPLANE_CROSS_CONNECT);
    op->owner = forwarder->base.info->pod_key;
    op->node = forwarder->base.info->node;
    op->port = task->link->client_port;
    op->peer = task->link->server_port;
}

static void
name_ports(Forwarder *forwarder, Task *task)
{
    Link *link = task->link;
    if (link->server_port == NULL) {
        const char *owner = forwarder->base.info->pod_key;
        link->server_port = g_strdup_printf("%s/%s/server", owner, link->id);
        link->client_port = g_strdup_printf("%s/%s/client", owner, link->id);
    }
    bool client = !is_tunnel(task->in->mechanism);
    bool server = task->back->mechanism == WIRE_KERNEL && task->back->server.pod != NULL;
    g_free(link->pod_ports[0]);
    g_free(link->pod_ports[1]);
    link->pod_ports[0] = client ? pod_port(&task->in->client) : NULL;
    link->pod_ports[1] = server ? pod_port(&task->back->server) : NULL; /* memif: the endpoint's */
    link->direct = is_direct(task);
}

static void
begin_program(Forwarder *forwarder, Task *task, nsec_t now, Actions *actions)
{
    name_ports(forwarder, task);
    task->state = TASK_PROGRAM;
    task->step = STEP_SERVER_END;
    begin_step(forwarder, task, now, actions);
}

static void
after_removal(Forwarder *forwarder, Task *task, nsec_t now, Actions *actions)
{
    switch (task->after) {
    case REMOVED_TO_PROGRAM:
        begin_program(forwarder, task, now, actions);
        break;
    case REMOVED_TO_FAIL: {
        g_autofree char *why = g_steal_pointer(&task->why);
        fail(forwarder, task, why, actions);
        break;
    }
    case REMOVED_TO_END:
        answer(task, message_ok(), actions);
        end_task(forwarder, task, actions);
        break;
    }
}

static void
on_operation_done(Forwarder *forwarder, Task *task, const Input *input, Actions *actions)
{
    if (task->state == TASK_REMOVE) {
        if (--task->n_removing == 0) {
            after_removal(forwarder, task, input->now, actions);
        }
        return;
    }
    if (input->error != NULL) {
        undo(forwarder, task, input->error, input->now, actions);
        return;
    }
    task->step = is_direct(task) ? STEP_DONE : (ProgramStep)(task->step + 1);
    begin_step(forwarder, task, input->now, actions);
}

/* The server side of a tunnel chooses the VNI: odd numbers from the node with the greater name,
 * even ones from the other, so that the two directions of a pair of nodes never meet. */
static uint32_t
choose_vni(Forwarder *forwarder, const char *client_node)
{
    uint32_t odd = g_strcmp0(forwarder->base.info->node, client_node) > 0;
    return 2 * ++forwarder->last_vni + odd;
}

/* A Request has led to this endpoint. */
static void
pin(Forwarder *forwarder, Task *task, Actions *actions)
{
    const NseRecord *nse = g_ptr_array_index(task->candidates, task->next);
    Link *link = task->link;
    if (g_strcmp0(link->nse, nse->name) != 0) {
        g_free(link->nse);
        link->nse = g_strdup(nse->name);
        actions_trace(actions, TRACE_ENDPOINT_CHOSEN, actions_string(actions, link->id),
                      actions_string(actions, nse->name));
    }
    g_free(link->url);
    link->url = g_strdup(nse->url);
    link->left = false;
}

static void
on_connected(Forwarder *forwarder, Task *task, const Input *input, Actions *actions)
{
    Link *link = task->link;
    task->back = connection_copy(nsm_message_connection(input->message));
    pin(forwarder, task, actions);
    g_autofree char *wiring = describe_wiring(task);
    bool same = g_strcmp0(link->wiring, wiring) == 0 && !link->broken;
    if (same) { /* a refresh: everything is in place */
        finish(forwarder, task, input->now, actions);
        return;
    }
    if (is_tunnel(task->in->mechanism) && link->vni == 0) {
        link->vni = choose_vni(forwarder, task->in->client.node);
    }
    if (link->wiring != NULL) { /* replaced: what was there goes first */
        unprogram(forwarder, task, REMOVED_TO_PROGRAM, input->now, actions);
        return;
    }
    begin_program(forwarder, task, input->now, actions);
}

static void
on_next_hop(Forwarder *forwarder, Task *task, const Input *input, Actions *actions)
{
    if (input->kind == INPUT_REPLY && input->message->type == MESSAGE_NSM_CONNECTION) {
        on_connected(forwarder, task, input, actions);
        return;
    }
    const NseRecord *nse = g_ptr_array_index(task->candidates, task->next);
    g_free(task->why);
    task->why = input->kind == INPUT_FAILURE
                    ? g_strdup_printf("endpoint %s: %s", nse->name, failure_text(input->failure))
                    : g_strdup(message_error_text(input->message));
    task->next++;
    request_next(forwarder, task, actions);
}

/* ---- inputs ---- */

static Link *
link_of(Forwarder *forwarder, const char *id)
{
    Link *link = g_hash_table_lookup(forwarder->links, id);
    if (link == NULL) {
        link = g_new0(Link, 1);
        link->id = g_strdup(id);
        g_queue_init(&link->waiting);
        g_hash_table_insert(forwarder->links, link->id, link);
        uint64_t *const tags[] = {&link->expiry, &link->watch, &link->poll};
        for (guint i = 0; i < G_N_ELEMENTS(tags); i++) {
            *tags[i] = ++forwarder->last_id;
            g_hash_table_insert(forwarder->link_tags, tags[i], link);
        }
    }
    return link;
}

static nsec_t
token_life(const Forwarder *forwarder, nsec_t now)
{
    return svid_token_life(&forwarder->enrolment.svid, now, forwarder->token_lifetime);
}

static void
begin_or_wait(Forwarder *forwarder, Link *link, uint64_t call, Connection *take_in, bool closing,
              Actions *actions)
{
    Task *task = g_new0(Task, 1);
    task->id = ++forwarder->last_id;
    task->call = call;
    task->closing = closing;
    task->in = take_in;
    task->link = link;
    g_hash_table_insert(forwarder->tasks, &task->id, task);
    if (link->busy) {
        g_queue_push_tail(&link->waiting, task);
        return;
    }
    link->busy = true;
    begin_task(forwarder, task, actions);
}

static void
on_nsm_request(Forwarder *forwarder, const Input *input, Actions *actions)
{
    Connection *in = connection_copy(nsm_message_connection(input->message));
    connection_advance(in, forwarder->name, input->now, token_life(forwarder, input->now));
    begin_or_wait(forwarder, link_of(forwarder, connection_segment_id(in)), input->call, in, false,
                  actions);
}

/* The next hop first, then the ports, then the answer. */
static void
close_link(Forwarder *forwarder, Task *task, Actions *actions)
{
    Link *link = task->link;
    link->expired = false;
    if (link->wiring == NULL) { /* the Request before it has failed */
        answer(task, message_ok(), actions);
        end_task(forwarder, task, actions);
        return;
    }
    actions_trace(actions, TRACE_CONNECTION_CLOSED, actions_string(actions, link->id), NULL);
    monitor_closed(&forwarder->monitor, link->id, actions);
    task->state = TASK_CLOSE;
    Action *call = actions_call(actions, actions_string(actions, link->url), task->id,
                                nsm_message(MESSAGE_NSM_CLOSE, connection_ref(task->in)));
    call->dial_timeout = forwarder->dial_timeout;
    call->timeout = task->call == 0 ? NSM_CLOSE_TIMEOUT : 0; /* otherwise its caller limits it */
}

static void
on_close(Forwarder *forwarder, const Input *input, Actions *actions)
{
    g_autoptr(Connection) in = connection_copy(nsm_message_connection(input->message));
    connection_advance(in, forwarder->name, input->now, token_life(forwarder, input->now));
    Link *link = g_hash_table_lookup(forwarder->links, connection_segment_id(in));
    if (link == NULL) {
        actions_reply(actions, input->call, message_ok());
        return;
    }
    begin_or_wait(forwarder, link, input->call, g_steal_pointer(&in), true, actions);
}

/* The token has expired, or the client's network namespace is gone. */
static void
close_expired(Forwarder *forwarder, Link *link, Actions *actions)
{
    begin_or_wait(forwarder, link, 0, connection_ref(link->answer), true, actions);
}

static void
on_link_timer(Forwarder *forwarder, Link *link, uint64_t tag, Actions *actions)
{
    if (tag != link->poll && link->busy) {
        link->expired = true;
    } else {
        close_expired(forwarder, link, actions);
    }
}

/* The client's namespace is gone: seen at the next poll. */
static void
on_watched(Forwarder *forwarder, Link *link, nsec_t now, Actions *actions)
{
    link->watching = false;
    nsec_t into = (now - forwarder->poll_phase) % NETNS_POLL;
    actions_timer(actions, link->poll, NETNS_POLL - (into < 0 ? into + NETNS_POLL : into));
}

static void
on_request(Forwarder *forwarder, const Input *input, Actions *actions)
{
    switch ((int)input->message->type) {
    case MESSAGE_NSM_REQUEST:
        on_nsm_request(forwarder, input, actions);
        break;
    case MESSAGE_NSM_CLOSE:
        on_close(forwarder, input, actions);
        break;
    default: /* health */
        actions_reply(actions, input->call,
                      forwarder->serving ? message_ok() : message_error("not serving"));
    }
}

static void
on_answer(Forwarder *forwarder, const Input *input, Actions *actions)
{
    Task *task = g_hash_table_lookup(forwarder->tasks, &input->tag);
    if (task == NULL) {
        return;
    }
    if (task->state == TASK_NEXT_HOP) {
        on_next_hop(forwarder, task, input, actions);
        return;
    }
    if (task->state == TASK_TURN) { /* errors are ignored */
        request_next(forwarder, task, actions);
        return;
    }
    if (task->state == TASK_CLOSE) { /* errors are ignored */
        unprogram(forwarder, task, REMOVED_TO_END, input->now, actions);
        return;
    }
    if (input->kind == INPUT_FAILURE || input->message->type != MESSAGE_REGISTRY_FOUND) {
        g_autofree char *why = g_strdup_printf("registry: %s", input_problem(input));
        fail(forwarder, task, why, actions);
        return;
    }
    const RegistryFound *found = (const RegistryFound *)input->message;
    if (task->state == TASK_FIND_SERVICE) {
        on_service(forwarder, task, found, actions);
    } else {
        on_endpoints(forwarder, task, found, input->now, actions);
    }
}

/* The caller waits no more, and neither do we (a cancelled gRPC context cancels the calls made with
 * it); what a first Request may have built beyond is closed.  Programming goes on: it ends soon. */
static void
give_up(Forwarder *forwarder, Task *task, nsec_t now, Actions *actions)
{
    switch (task->state) {
    case TASK_FIND_SERVICE:
    case TASK_FIND_ENDPOINTS:
    case TASK_TURN:
        actions_cancel(actions, task->id);
        fail(forwarder, task, "cancelled", actions);
        break;
    case TASK_NEXT_HOP: {
        const NseRecord *nse = g_ptr_array_index(task->candidates, task->next);
        actions_cancel(actions, task->id);
        if (task->link->answer == NULL) {
            close_next(forwarder, 0, nse->url, task->in, actions);
        }
        fail(forwarder, task, "cancelled", actions);
        break;
    }
    case TASK_CLOSE:
        actions_cancel(actions, task->id);
        unprogram(forwarder, task, REMOVED_TO_END, now, actions);
        break;
    case TASK_REMOVE:
    case TASK_PROGRAM:
        break;
    }
}

static void
on_cancelled(Forwarder *forwarder, const Input *input, Actions *actions)
{
    GHashTableIter iter;
    void *value;
    g_hash_table_iter_init(&iter, forwarder->tasks);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        Task *task = value;
        if (task->call != input->call) {
            continue;
        }
        task->call = 0;
        if (!g_queue_remove(&task->link->waiting, task)) {
            give_up(forwarder, task, input->now, actions);
        } else if (task->closing) { /* a Close is made all the same */
            g_queue_push_tail(&task->link->waiting, task);
        } else {
            g_hash_table_remove(forwarder->tasks, &task->id);
        }
        return;
    }
}

/* VPP boots first (cmd-forwarder-vpp main phases), then the SVID is asked for. */
static void
on_boot(Forwarder *forwarder, const Input *input, Actions *actions)
{
    if (vpp_boot_step(&forwarder->boot, forwarder->base.info, input, actions)) {
        enrolment_begin(&forwarder->enrolment, actions);
    }
}

static bool
enrolled(Forwarder *forwarder, const Input *input, Actions *actions)
{
    switch (enrolment_step(&forwarder->enrolment, input, actions)) {
    case ENROLMENT_NOT_MINE:
        return false;
    case ENROLMENT_IDENTITY:
        forwarder->serving = true;
        actions_listen(actions, forwarder->listen);
        enrolment_register(&forwarder->enrolment, input->now, actions);
        return true;
    case ENROLMENT_PENDING:
    case ENROLMENT_DONE:
        return true;
    }
    return true;
}

/* An endpoint of this node that has ended has lost its interfaces; a tunnel's other end tells by
 * its VNI whether it is still the same. */
static bool
monitored(Forwarder *forwarder, const Input *input, Actions *actions)
{
    MonitorNews news;
    const char *id;
    bool mine = monitor_step(&forwarder->monitor, input, actions, &news, &id);
    Link *link = news == MONITOR_BROKEN ? g_hash_table_lookup(forwarder->links, id) : NULL;
    if (link != NULL && !g_str_has_prefix(link->url, "tcp:")) {
        link->broken = true;
    }
    return mine;
}

static void
step(Machine *machine, const Input *input, Actions *actions)
{
    Forwarder *forwarder = (Forwarder *)machine;
    if (input->tag == VPP_BOOT_TAG) {
        on_boot(forwarder, input, actions);
        return;
    }
    if (input->tag != 0 && enrolled(forwarder, input, actions)) {
        return;
    }
    if (monitored(forwarder, input, actions)) {
        return;
    }
    Task *task = g_hash_table_lookup(forwarder->tasks, &input->tag);
    Link *link = g_hash_table_lookup(forwarder->link_tags, &input->tag);
    switch ((int)input->kind) {
    case INPUT_START:
        vpp_boot_begin(&forwarder->boot, actions);
        break;
    case INPUT_REQUEST:
        on_request(forwarder, input, actions);
        break;
    case INPUT_CANCELLED:
        on_cancelled(forwarder, input, actions);
        break;
    case INPUT_REPLY:
    case INPUT_FAILURE:
        on_answer(forwarder, input, actions);
        break;
    case INPUT_WORK:
        if (task != NULL) {
            perform_step(forwarder, task, actions);
        }
        break;
    case INPUT_DATAPLANE:
        if (task != NULL) {
            on_operation_done(forwarder, task, input, actions);
        } else if (link != NULL) {
            on_watched(forwarder, link, input->now, actions);
        }
        break;
    case INPUT_TIMER:
        if (link != NULL) {
            on_link_timer(forwarder, link, input->tag, actions);
        }
        break;
    case INPUT_OPENED:
        actions_close(actions, input->call);
        break;
    case INPUT_STOP:
        actions_exit(actions, 0);
        break;
    default:
        break;
    }
}

static void
forwarder_free(Machine *machine)
{
    Forwarder *forwarder = (Forwarder *)machine;
    g_hash_table_unref(forwarder->tasks);
    g_hash_table_unref(forwarder->link_tags);
    g_hash_table_unref(forwarder->links);
    monitor_clear(&forwarder->monitor);
    g_hash_table_unref(forwarder->round_robin);
    enrolment_clear(&forwarder->enrolment);
    g_free(forwarder->name);
    g_free(forwarder->listen);
    g_free(forwarder);
}

static const MachineClass forwarder_class = {COMPONENT_FORWARDER, step, forwarder_free};

static NseRecord *
own_record(Forwarder *forwarder)
{
    const ProcessInfo *info = forwarder->base.info;
    NseRecord *record = nse_record_new(forwarder->name);
    g_strfreev(record->services);
    g_autofree char *service = process_env(info, "NSM_NETWORK_SERVICE_NAME", "forwarder");
    record->services = g_strsplit(service, ",", -1);
    g_autofree char *labels = process_env(info, "NSM_LABELS", "p2p:true");
    labels_parse_env(labels, &record->labels, NULL);
    record->url = g_strdup(forwarder->listen);
    return record;
}

Machine *
forwarder_new(const ProcessInfo *info)
{
    Forwarder *forwarder = g_new0(Forwarder, 1);
    forwarder->base.class = &forwarder_class;
    forwarder->base.info = info;
    forwarder->name = process_env(info, "NSM_NAME", "forwarder");
    forwarder->version = process_version(info);
    g_autofree char *listen = process_env(info, "NSM_LISTEN_ON", "unix:///listen.on.sock");
    forwarder->listen = process_address(info, listen);
    forwarder->dial_timeout =
        process_duration(info, "NSM_DIAL_TIMEOUT", nsm_dial_timeout(forwarder->version));
    forwarder->token_lifetime =
        process_duration(info, "NSM_MAX_TOKEN_LIFETIME", NSM_TOKEN_LIFETIME);
    vpp_boot_init(&forwarder->boot, info);
    enrolment_init(&forwarder->enrolment, info, own_record(forwarder));
    forwarder->tasks = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, task_free);
    forwarder->links = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, link_free);
    forwarder->link_tags = g_hash_table_new(g_int64_hash, g_int64_equal);
    monitor_init(&forwarder->monitor);
    RandomStream random;
    process_random(info, "netns-poll", &random);
    forwarder->poll_phase = (nsec_t)(random_uniform(&random) * (double)NETNS_POLL);
    forwarder->round_robin = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    return &forwarder->base;
}
