/* forwarder-vpp.  A Task is a Request on its way; a Link is what it has programmed for one hop. */
#include "models/nsm/forwarder.h"

#include "models/nsm/connection.h"
#include "models/nsm/enroll.h"
#include "models/nsm/select.h"
#include "models/nsm/version.h"
#include "models/nsm/vpp.h"

#define TASK_STATES(X)                                                                             \
    X(FIND_SERVICE)                                                                                \
    X(FIND_ENDPOINTS)                                                                              \
    X(NEXT_HOP)                                                                                    \
    X(PROGRAM) /* data-plane operations, one after the other */                                    \
    X(CLOSE)

typedef enum TaskState {
#define X(name) TASK_##name,
    TASK_STATES(X)
#undef X
} TaskState;

/* The operations of one cross-connect, in their order (FACTS 1.1: downstream first). */
typedef enum ProgramStep { STEP_SERVER_END, STEP_CLIENT_END, STEP_XCONNECT, STEP_DONE } ProgramStep;

typedef struct Link Link;

typedef struct Task {
    uint64_t id;
    TaskState state;
    uint64_t call;
    Connection *in;   /* as received, advanced to this hop */
    Connection *back; /* the next hop's answer */
    Link *link;
    const NetworkServiceSpec *service;
    GPtrArray *candidates; /* NseRecord *, references, in the order of trial */
    guint next;
    char *why;
    ProgramStep step;
} Task;

struct Link {
    char *id;
    char *nse; /* pinned; NULL: none */
    char *url;
    char *server_port; /* towards the endpoint, or the tunnel */
    char *client_port;
    char *wired_pod_port; /* the Pod's end towards the client: what a walk starts from */
    bool programmed;
    bool busy;
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
    uint32_t last_vni;
    bool serving;
    GHashTable *tasks;       /* id -> Task */
    GHashTable *links;       /* segment id -> Link */
    GHashTable *round_robin; /* service -> counter */
    uint64_t last_id;
} Forwarder;

static void begin_task(Forwarder *forwarder, Task *task, Actions *actions);

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
    g_free(link->wired_pod_port);
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
    if (!link->programmed) {
        g_hash_table_remove(forwarder->links, link->id);
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

static void
begin_task(Forwarder *forwarder, Task *task, Actions *actions)
{
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

static void
request_next(Forwarder *forwarder, Task *task, Actions *actions)
{
    if (task->next >= task->candidates->len) {
        g_autofree char *why = g_strdup(task->why);
        fail(forwarder, task, why, actions);
        return;
    }
    const NseRecord *nse = g_ptr_array_index(task->candidates, task->next);
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
        task->link->programmed ? CALL_DEFAULT : CALL_FRESH; /* each NSM connection dials */
}

static void
on_endpoints(Forwarder *forwarder, Task *task, const RegistryFound *found, nsec_t now,
             Actions *actions)
{
    static const NetworkServiceSpec any = {0};
    SelectReport report = {g_ptr_array_new_with_free_func(g_free)};
    bool pinned = task->service == NULL;
    g_autoptr(GPtrArray) chosen =
        pinned ? select_forwarders(&any, &task->in->labels, found->records)
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

static void
program_interface(Forwarder *forwarder, const Task *task, const LinkEnd *end, WireKind wire,
                  const char *port, Actions *actions)
{
    DataPlaneOp *op = actions_dataplane(actions, task->id, DATAPLANE_CREATE_INTERFACE);
    op->wire = wire;
    op->owner = forwarder->base.info->pod_key;
    op->node = forwarder->base.info->node;
    op->port = port;
    op->pod = actions_string(actions, end->pod);
    op->pod_port = actions_printf(actions, "%s/%s", end->pod, end->interface);
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
    op->pod_port = actions_string(actions, task->link->wired_pod_port);
    g_autofree char *peer = pod_port(&task->back->server);
    op->peer = actions_string(actions, peer);
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

static void
remove_port(Forwarder *forwarder, const char *port, Actions *actions)
{
    if (port == NULL) {
        return;
    }
    DataPlaneOp *op = actions_dataplane(actions, 0, DATAPLANE_REMOVE);
    op->owner = forwarder->base.info->pod_key;
    op->node = forwarder->base.info->node;
    op->port = actions_string(actions, port);
}

static void
remove_ports(Forwarder *forwarder, const Link *link, Actions *actions)
{
    remove_port(forwarder, link->client_port, actions);
    remove_port(forwarder, link->server_port, actions);
    remove_port(forwarder, link->wired_pod_port, actions);
}

static void
close_next(Forwarder *forwarder, const Link *link, Connection *in, Actions *actions)
{
    actions_call(actions, actions_string(actions, link->url), 0,
                 nsm_message(MESSAGE_NSM_CLOSE, connection_ref(in)))
        ->dial_timeout = forwarder->dial_timeout;
}

/* What a link has programmed goes, and the next hop is told: a Request that fails after its next
 * hop has succeeded (connect.Server), or one that leads to another endpoint than before. */
static void
unprogram(Forwarder *forwarder, Task *task, Actions *actions)
{
    Link *link = task->link;
    close_next(forwarder, link, task->in, actions);
    remove_ports(forwarder, link, actions);
    if (link->programmed) {
        actions_hold(actions, HOLD_CONNECTION, -1);
    }
    link->programmed = false;
    g_clear_pointer(&link->nse, g_free);
}

static void
finish(Forwarder *forwarder, Task *task, Actions *actions)
{
    Link *link = task->link;
    if (task->call == 0 && !link->programmed) { /* the caller has given up */
        unprogram(forwarder, task, actions);
        end_task(forwarder, task, actions);
        return;
    }
    if (!link->programmed) {
        link->programmed = true;
        actions_hold(actions, HOLD_CONNECTION, 1);
        actions_trace(actions, TRACE_XCONNECT_DONE, actions_string(actions, link->id),
                      wire_kind_name(task->back->mechanism));
    }
    Connection *back = connection_copy(task->back);
    back->index = task->in->index;
    back->mechanism = task->in->mechanism;
    link_end_assign(&back->client, &task->in->client);
    if (is_tunnel(task->in->mechanism)) {
        g_free(back->server.node);
        back->server.node = g_strdup(forwarder->base.info->node);
        g_clear_pointer(&back->server.pod, g_free);
        back->vni = task->in->vni;
    }
    answer(task, nsm_message(MESSAGE_NSM_CONNECTION, back), actions);
    end_task(forwarder, task, actions);
}

static void perform_step(Forwarder *forwarder, Task *task, Actions *actions);

/* First the CPU time of the step, then the operation itself. */
static void
begin_step(Forwarder *forwarder, Task *task, Actions *actions)
{
    if (task->step == STEP_DONE) {
        finish(forwarder, task, actions);
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
        program_tunnel(forwarder, task, end->node, side->vni, side->mechanism, port, actions);
    } else {
        program_interface(forwarder, task, end, side->mechanism, port, actions);
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
on_step_done(Forwarder *forwarder, Task *task, const Input *input, Actions *actions)
{
    if (input->error != NULL) {
        unprogram(forwarder, task, actions);
        fail(forwarder, task, input->error, actions);
        return;
    }
    task->step = is_direct(task) ? STEP_DONE : (ProgramStep)(task->step + 1);
    begin_step(forwarder, task, actions);
}

/* The server side of a tunnel chooses the VNI: odd numbers from the node with the greater name,
 * even ones from the other, so that the two directions of a pair of nodes never meet. */
static uint32_t
choose_vni(Forwarder *forwarder, const char *client_node)
{
    uint32_t odd = g_strcmp0(forwarder->base.info->node, client_node) > 0;
    return 2 * ++forwarder->last_vni + odd;
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
    if (link->wired_pod_port == NULL && task->in->client.pod != NULL) {
        link->wired_pod_port = pod_port(&task->in->client);
    }
}

static void
on_connected(Forwarder *forwarder, Task *task, const Input *input, Actions *actions)
{
    const NseRecord *nse = g_ptr_array_index(task->candidates, task->next);
    Link *link = task->link;
    task->back = connection_copy(nsm_message_connection(input->message));
    if (link->programmed && g_strcmp0(link->nse, nse->name) != 0) {
        unprogram(forwarder, task, actions);
    }
    if (g_strcmp0(link->nse, nse->name) != 0) {
        g_free(link->nse);
        link->nse = g_strdup(nse->name);
        actions_trace(actions, TRACE_ENDPOINT_CHOSEN, actions_string(actions, link->id),
                      actions_string(actions, nse->name));
    }
    g_free(link->url);
    link->url = g_strdup(nse->url);
    if (link->programmed) { /* a refresh: everything is in place */
        finish(forwarder, task, actions);
        return;
    }
    name_ports(forwarder, task);
    if (is_tunnel(task->in->mechanism)) {
        task->in->vni = choose_vni(forwarder, task->in->client.node);
    }
    task->state = TASK_PROGRAM;
    task->step = STEP_SERVER_END;
    begin_step(forwarder, task, actions);
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
    }
    return link;
}

static void
on_nsm_request(Forwarder *forwarder, const Input *input, Actions *actions)
{
    Task *task = g_new0(Task, 1);
    task->id = ++forwarder->last_id;
    task->call = input->call;
    task->in = connection_copy(nsm_message_connection(input->message));
    connection_advance(task->in, forwarder->name, input->now, forwarder->token_lifetime);
    g_hash_table_insert(forwarder->tasks, &task->id, task);
    task->link = link_of(forwarder, connection_segment_id(task->in));
    if (task->link->busy) {
        g_queue_push_tail(&task->link->waiting, task);
        return;
    }
    task->link->busy = true;
    begin_task(forwarder, task, actions);
}

static void
on_close(Forwarder *forwarder, const Input *input, Actions *actions)
{
    g_autoptr(Connection) in = connection_copy(nsm_message_connection(input->message));
    connection_advance(in, forwarder->name, input->now, forwarder->token_lifetime);
    Link *link = g_hash_table_lookup(forwarder->links, connection_segment_id(in));
    actions_reply(actions, input->call, message_ok());
    if (link == NULL || link->busy) {
        return;
    }
    actions_trace(actions, TRACE_CONNECTION_CLOSED, actions_string(actions, link->id), NULL);
    close_next(forwarder, link, in, actions);
    remove_ports(forwarder, link, actions);
    actions_hold(actions, HOLD_CONNECTION, -1);
    g_hash_table_remove(forwarder->links, link->id);
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

static void
on_cancelled(Forwarder *forwarder, uint64_t call)
{
    GHashTableIter iter;
    void *value;
    g_hash_table_iter_init(&iter, forwarder->tasks);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        Task *task = value;
        if (task->call == call) {
            task->call = 0;
            return;
        }
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
    Task *task = g_hash_table_lookup(forwarder->tasks, &input->tag);
    switch ((int)input->kind) {
    case INPUT_START:
        vpp_boot_begin(&forwarder->boot, actions);
        break;
    case INPUT_REQUEST:
        on_request(forwarder, input, actions);
        break;
    case INPUT_CANCELLED:
        on_cancelled(forwarder, input->call);
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
            on_step_done(forwarder, task, input, actions);
        }
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
    g_hash_table_unref(forwarder->links);
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
    forwarder->round_robin = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    return &forwarder->base;
}
