/* nsmgr.  A Task is one request on its way: a connection Request or Close, or a proxied registry
 * call.  A Link is what is remembered of a connection's hop through this manager. */
#include "models/nsm/manager.h"

#include "models/nsm/connection.h"
#include "models/nsm/monitor.h"
#include "models/nsm/select.h"
#include "models/nsm/version.h"
#include "models/spire/spire.h"

#define NSE_EXPIRY (60 * NSEC_PER_SEC) /* chains/nsmgr/server.go:205 */

#define TASK_STATES(X)                                                                             \
    X(FIND_ENDPOINT)   /* remote Request: the endpoint by name */                                  \
    X(FIND_SERVICE)    /* NS Find */                                                               \
    X(FIND_FORWARDERS) /* NSE Find */                                                              \
    X(NEXT_HOP)        /* Request or Close at the forwarder */                                     \
    X(PROXY)           /* registry call passed on */

typedef enum TaskState {
#define X(name) TASK_##name,
    TASK_STATES(X)
#undef X
} TaskState;

typedef struct Link Link;

typedef struct Task {
    uint64_t id;
    TaskState state;
    uint64_t call;  /* whom to answer; 0: nobody waits any more */
    bool closing;   /* a Close that waits */
    Connection *in; /* Requests: as received, advanced to this hop */
    Link *link;
    const NetworkServiceSpec *service;
    GPtrArray *candidates; /* NseRecord *, references: forwarders to try */
    guint next;
    char *why;         /* the last candidate's failure */
    NseRecord *record; /* PROXY of a registration: as the endpoint sent it */
} Task;

struct Link {
    char *id;        /* segment id */
    char *forwarder; /* NULL: none chosen */
    char *url;
    uint64_t timer;
    bool expired;     /* its token expired during a Request; a successful one sets it back */
    bool busy;        /* `begin`: one event of a connection at a time */
    GQueue waiting;   /* Task * */
    Connection *last; /* of the last Request that succeeded; NULL: not established */
};

typedef struct Local {
    char *name;
    NseRecord *record; /* as the endpoint registered: with its own URL */
    uint64_t timer;
} Local;

/* The watch of an endpoint's registration, passed on to the registry. */
typedef struct Watch {
    uint64_t call; /* the endpoint's stream */
    uint64_t tag;  /* ours to the registry */
} Watch;

typedef struct Manager {
    Machine base;
    Svid svid;
    char *name;
    char **listen; /* addresses */
    char *url;     /* the one that other nodes dial */
    char *registry;
    int version;
    nsec_t dial_timeout;
    nsec_t token_lifetime;
    bool serving;
    GHashTable *tasks;  /* id -> Task */
    GHashTable *links;  /* segment id -> Link */
    GHashTable *locals; /* NSE name -> Local */
    GHashTable *timers; /* id -> Link or Local, told apart by `link_timers` */
    GHashTable *link_timers;
    GHashTable *watches;  /* tag -> Watch */
    GHashTable *watchers; /* call -> Watch */
    Monitor monitor;
    uint64_t last_id;
} Manager;

static void begin_task(Manager *manager, Task *task, nsec_t now, Actions *actions);

static void
task_free(void *data)
{
    Task *task = data;
    connection_unref(task->in);
    g_clear_pointer(&task->candidates, g_ptr_array_unref);
    nse_record_unref(task->record);
    g_free(task->why);
    g_free(task);
}

static void
link_free(void *data)
{
    Link *link = data;
    g_free(link->id);
    g_free(link->forwarder);
    g_free(link->url);
    g_queue_clear(&link->waiting);
    connection_unref(link->last);
    g_free(link);
}

static void
local_free(void *data)
{
    Local *local = data;
    g_free(local->name);
    nse_record_unref(local->record);
    g_free(local);
}

static Task *
task_new(Manager *manager, TaskState state, uint64_t call)
{
    Task *task = g_new0(Task, 1);
    task->id = ++manager->last_id;
    task->state = state;
    task->call = call;
    g_hash_table_insert(manager->tasks, &task->id, task);
    return task;
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

/* ---- links ---- */

static void
forget_forwarder(Link *link)
{
    g_clear_pointer(&link->forwarder, g_free);
    g_clear_pointer(&link->url, g_free);
}

/* What an established connection holds goes: its place in memory, its timer, its streams. */
static void
release_link(Manager *manager, Link *link, Actions *actions)
{
    monitor_closed(&manager->monitor, link->id, actions);
    if (link->last != NULL) {
        actions_hold(actions, HOLD_CONNECTION, -1);
        actions_stop_timer(actions, link->timer);
    }
    g_clear_pointer(&link->last, connection_unref);
}

static void
drop_link(Manager *manager, Link *link, Actions *actions)
{
    release_link(manager, link, actions);
    g_hash_table_remove(manager->link_timers, &link->timer);
    g_hash_table_remove(manager->links, link->id);
}

/* Ends a task; the next event of its connection may begin. */
static void
end_task(Manager *manager, Task *task, nsec_t now, Actions *actions)
{
    Link *link = task->link;
    g_hash_table_remove(manager->tasks, &task->id);
    if (link == NULL) {
        return;
    }
    Task *next = g_queue_pop_head(&link->waiting);
    if (next != NULL) {
        begin_task(manager, next, now, actions);
        return;
    }
    link->busy = false;
    if ((link->last == NULL || link->expired) && link->forwarder == NULL) {
        drop_link(manager, link, actions);
    }
}

static void
fail(Manager *manager, Task *task, const char *why, nsec_t now, Actions *actions)
{
    if (task->link != NULL) {
        forget_forwarder(task->link); /* a failed Request clears the stored name (FACTS 1.3) */
    }
    answer(task, message_error("%s: %s", manager->name, why), actions);
    end_task(manager, task, now, actions);
}

static Link *
link_of(Manager *manager, const Connection *connection)
{
    const char *id = connection_segment_id(connection);
    Link *link = g_hash_table_lookup(manager->links, id);
    if (link == NULL) {
        link = g_new0(Link, 1);
        link->id = g_strdup(id);
        link->timer = ++manager->last_id;
        g_queue_init(&link->waiting);
        g_hash_table_insert(manager->links, link->id, link);
        g_hash_table_insert(manager->link_timers, &link->timer, link);
    }
    return link;
}

/* ---- registry calls ---- */

/* A Find dials anew; its own dial timeout is the registry client's. */
static void
call_registry(Manager *manager, Task *task, void *take_message, bool endpoints, Actions *actions)
{
    Action *call = actions_call(actions, manager->registry, task->id, take_message);
    call->flags = CALL_FRESH;
    call->dial_timeout = nsm_registry_dial_timeout(manager->version, endpoints);
}

static void
find_service(Manager *manager, Task *task, Actions *actions)
{
    task->state = TASK_FIND_SERVICE;
    call_registry(manager, task,
                  registry_query(MESSAGE_REGISTRY_FIND_NS, task->in->service, NULL, NULL), false,
                  actions);
}

static void
find_forwarders(Manager *manager, Task *task, Actions *actions)
{
    task->state = TASK_FIND_FORWARDERS;
    const char *stored = task->link->forwarder;
    RegistryQuery *query =
        stored != NULL ? registry_query(MESSAGE_REGISTRY_FIND_NSE, stored, NULL, NULL)
                       : registry_query(MESSAGE_REGISTRY_FIND_NSE, NULL, "forwarder", manager->url);
    call_registry(manager, task, query, true, actions);
}

static const char *
local_url(Manager *manager, const NseRecord *record)
{
    const Local *local = g_hash_table_lookup(manager->locals, record->name);
    return local != NULL ? local->record->url : NULL;
}

/* Localbypass on the way back: this node's own endpoints get their sockets back; those that carry
 * this manager's URL but are not (re-)registered here are hidden. */
static RegistryFound *
unhide(Manager *manager, const RegistryFound *found)
{
    RegistryFound *out = registry_found_new();
    out->service = found->service;
    out->base.weight = found->base.weight;
    for (guint i = 0; i < found->records->len; i++) {
        NseRecord *record = g_ptr_array_index(found->records, i);
        if (g_strcmp0(record->url, manager->url) != 0) {
            g_ptr_array_add(out->records, nse_record_ref(record));
            continue;
        }
        const char *url = local_url(manager, record);
        if (url != NULL) {
            NseRecord *copy = nse_record_copy(record);
            g_free(copy->url);
            copy->url = g_strdup(url);
            g_ptr_array_add(out->records, copy);
        }
    }
    return out;
}

/* ---- Requests ---- */

static void
try_next(Manager *manager, Task *task, nsec_t now, Actions *actions)
{
    if (task->next >= task->candidates->len) {
        g_autofree char *why = g_strdup(task->why != NULL ? task->why : "no candidates found");
        fail(manager, task, why, now, actions);
        return;
    }
    const NseRecord *forwarder = g_ptr_array_index(task->candidates, task->next);
    task->state = TASK_NEXT_HOP;
    Action *call = actions_call(actions, actions_string(actions, forwarder->url), task->id,
                                nsm_message(MESSAGE_NSM_REQUEST, connection_ref(task->in)));
    call->dial_timeout = manager->dial_timeout;
    call->flags =
        task->link->last != NULL ? CALL_DEFAULT : CALL_FRESH; /* each NSM connection dials */
}

/* The forwarder named in the next path segment goes first (discoverforwarder/server.go:96). */
static void
prefer_previous(Task *task)
{
    const char *previous = connection_next_name(task->in);
    for (guint i = 1; previous != NULL && i < task->candidates->len; i++) {
        NseRecord *record = g_ptr_array_index(task->candidates, i);
        if (g_str_equal(record->name, previous)) {
            g_ptr_array_steal_index(task->candidates, i);
            g_ptr_array_insert(task->candidates, 0, record);
            return;
        }
    }
}

static void
on_forwarders(Manager *manager, Task *task, const RegistryFound *answer_message, nsec_t now,
              Actions *actions)
{
    static const NetworkServiceSpec no_matches = {0};
    RegistryFound *found = unhide(manager, answer_message);
    g_clear_pointer(&task->candidates, g_ptr_array_unref);
    task->candidates = g_ptr_array_new_with_free_func((GDestroyNotify)nse_record_unref);
    const char *stored = task->link->forwarder;
    bool all = stored != NULL || task->service == NULL;
    g_autoptr(GPtrArray) chosen =
        select_forwarders(all ? &no_matches : task->service, &task->in->labels, found->records);
    for (guint i = 0; i < chosen->len; i++) {
        NseRecord *record = g_ptr_array_index(chosen, i);
        if (stored == NULL || g_str_equal(record->name, stored)) { /* Find is by substring */
            g_ptr_array_add(task->candidates, nse_record_ref(record));
        }
    }
    message_unref(&found->base);
    if (task->candidates->len == 0 && task->link->forwarder != NULL) {
        fail(manager, task, "forwarder is not found", now, actions);
        return;
    }
    prefer_previous(task);
    try_next(manager, task, now, actions);
}

static void
on_service(Manager *manager, Task *task, const RegistryFound *found, nsec_t now, Actions *actions)
{
    if (found->service == NULL) {
        g_autofree char *why =
            g_strdup_printf("network service %s is not found", task->in->service);
        fail(manager, task, why, now, actions);
        return;
    }
    task->service = found->service;
    find_forwarders(manager, task, actions);
}

static void
on_endpoint(Manager *manager, Task *task, const RegistryFound *answer_message, nsec_t now,
            Actions *actions)
{
    RegistryFound *found = unhide(manager, answer_message);
    bool known = nse_records_find(found->records, task->in->nse, now) != NULL;
    message_unref(&found->base);
    if (known) {
        find_forwarders(manager, task, actions);
    } else {
        fail(manager, task, "network service endpoint is not found", now, actions);
    }
}

/* The caller has given up on a first Request that has just succeeded: connect.Server closes what it
 * opened when the Request fails further up. */
static void
undo(Manager *manager, Task *task, const NseRecord *forwarder, nsec_t now, Actions *actions)
{
    Action *call = actions_call(actions, actions_string(actions, forwarder->url), 0,
                                nsm_message(MESSAGE_NSM_CLOSE, connection_ref(task->in)));
    call->dial_timeout = manager->dial_timeout;
    call->timeout = NSM_CLOSE_TIMEOUT;
    forget_forwarder(task->link);
    end_task(manager, task, now, actions);
}

static void
on_connected(Manager *manager, Task *task, const Input *input, Actions *actions)
{
    const NseRecord *forwarder = g_ptr_array_index(task->candidates, task->next);
    Link *link = task->link;
    if (task->call == 0 && link->last == NULL) {
        undo(manager, task, forwarder, input->now, actions);
        return;
    }
    if (link->forwarder == NULL) {
        actions_trace(actions, TRACE_FORWARDER_CHOSEN, actions_string(actions, link->id),
                      actions_string(actions, forwarder->name));
        link->forwarder = g_strdup(forwarder->name);
    }
    g_free(link->url);
    link->url = g_strdup(forwarder->url);
    if (link->last == NULL) {
        actions_hold(actions, HOLD_CONNECTION, 1);
    }
    connection_unref(link->last);
    link->last = connection_ref(task->in);
    link->expired = false;
    /* the timeout element: when the previous segment's token expires, the connection is closed */
    nsec_t expires = connection_previous_expires(task->in);
    actions_timer(actions, link->timer, MAX(expires - input->now, 0));
    Connection *back = connection_copy(nsm_message_connection(input->message));
    back->index = task->in->index;
    monitor_established(&manager->monitor, back, link->url, actions);
    answer(task, nsm_message(MESSAGE_NSM_CONNECTION, back), actions);
    end_task(manager, task, input->now, actions);
}

static void
on_next_hop(Manager *manager, Task *task, const Input *input, Actions *actions)
{
    if (input->kind == INPUT_REPLY && input->message->type == MESSAGE_NSM_CONNECTION) {
        on_connected(manager, task, input, actions);
        return;
    }
    const NseRecord *forwarder = g_ptr_array_index(task->candidates, task->next);
    const char *why = input_problem(input);
    g_free(task->why);
    task->why = input->kind == INPUT_FAILURE
                    ? g_strdup_printf("forwarder %s: %s", forwarder->name, why)
                    : g_strdup(why);
    task->next++;
    if (task->link->forwarder != NULL) {
        task->next = task->candidates->len; /* a pinned forwarder has no alternatives */
    }
    try_next(manager, task, input->now, actions);
}

static bool
is_remote(const Connection *in)
{
    return in->nse != NULL && in->client.node != NULL;
}

/* Passes a Close on to the forwarder, which answers `call`; the link is empty afterwards. */
static void
close_link(Manager *manager, Link *link, Connection *in, uint64_t call, Actions *actions)
{
    actions_trace(actions, TRACE_CONNECTION_CLOSED, actions_string(actions, link->id), NULL);
    Task *pass = task_new(manager, TASK_PROXY, call);
    pass->in = connection_ref(in);
    Action *onward = actions_call(actions, actions_string(actions, link->url), pass->id,
                                  nsm_message(MESSAGE_NSM_CLOSE, connection_ref(in)));
    onward->dial_timeout = manager->dial_timeout;
    onward->timeout = call == 0 ? NSM_CLOSE_TIMEOUT : 0; /* otherwise its caller limits it */
    forget_forwarder(link);
    release_link(manager, link, actions);
}

/* A Close that has waited for the Requests before it. */
static void
close_now(Manager *manager, Task *task, nsec_t now, Actions *actions)
{
    if (task->link->url == NULL) {
        answer(task, message_error("forwarder is not selected"), actions);
    } else {
        close_link(manager, task->link, task->in, task->call, actions);
    }
    end_task(manager, task, now, actions);
}

static void
begin_task(Manager *manager, Task *task, nsec_t now, Actions *actions)
{
    Link *link = task->link;
    if (task->closing) {
        close_now(manager, task, now, actions);
        return;
    }
    bool pinned = link->forwarder != NULL && !nsm_finds_on_refresh(manager->version);
    if (pinned) {
        find_forwarders(manager, task, actions);
    } else if (is_remote(task->in) && link->forwarder == NULL) {
        task->state = TASK_FIND_ENDPOINT;
        call_registry(manager, task,
                      registry_query(MESSAGE_REGISTRY_FIND_NSE, task->in->nse, NULL, NULL), true,
                      actions);
    } else {
        find_service(manager, task, actions);
    }
}

static nsec_t
token_life(const Manager *manager, nsec_t now)
{
    return svid_token_life(&manager->svid, now, manager->token_lifetime);
}

static void
on_nsm_request(Manager *manager, const Input *input, Actions *actions)
{
    Task *task = task_new(manager, TASK_FIND_SERVICE, input->call);
    task->in = connection_copy(nsm_message_connection(input->message));
    connection_advance(task->in, manager->name, input->now, token_life(manager, input->now));
    labels_add_client_info(&task->in->labels, manager->base.info);
    task->link = link_of(manager, task->in);
    if (task->link->busy) {
        g_queue_push_tail(&task->link->waiting, task);
        return;
    }
    task->link->busy = true;
    begin_task(manager, task, input->now, actions);
}

static void
on_close(Manager *manager, const Input *input, Actions *actions)
{
    g_autoptr(Connection) in = connection_copy(nsm_message_connection(input->message));
    connection_advance(in, manager->name, input->now, token_life(manager, input->now));
    Link *link = g_hash_table_lookup(manager->links, connection_segment_id(in));
    if (link != NULL && link->busy) {
        Task *task = task_new(manager, TASK_PROXY, input->call);
        task->closing = true;
        task->in = g_steal_pointer(&in);
        task->link = link;
        g_queue_push_tail(&link->waiting, task);
        return;
    }
    if (link == NULL || link->url == NULL) {
        actions_reply(actions, input->call, message_error("forwarder is not selected"));
        return;
    }
    close_link(manager, link, in, input->call, actions);
    drop_link(manager, link, actions);
}

/* ---- registry proxy ---- */

static void
keep_local(Manager *manager, NseRecord *record, Actions *actions)
{
    Local *local = g_hash_table_lookup(manager->locals, record->name);
    if (local == NULL) {
        local = g_new0(Local, 1);
        local->name = g_strdup(record->name);
        local->timer = ++manager->last_id;
        g_hash_table_insert(manager->locals, local->name, local);
        g_hash_table_insert(manager->timers, &local->timer, local);
        actions_hold(actions, HOLD_ENDPOINT, 1);
    }
    nse_record_ref(record);
    nse_record_unref(local->record);
    local->record = record;
    actions_timer(actions, local->timer, NSE_EXPIRY);
}

static void
drop_local(Manager *manager, const char *name, Actions *actions)
{
    Local *local = g_hash_table_lookup(manager->locals, name);
    if (local != NULL) {
        actions_stop_timer(actions, local->timer);
        actions_hold(actions, HOLD_ENDPOINT, -1);
        g_hash_table_remove(manager->timers, &local->timer);
        g_hash_table_remove(manager->locals, name);
    }
}

static void
on_register(Manager *manager, const Input *input, Actions *actions)
{
    Task *task = task_new(manager, TASK_PROXY, input->call);
    task->record = nse_record_ref(registry_message_record(input->message));
    NseRecord *outward = nse_record_copy(task->record);
    g_free(outward->url);
    outward->url = g_strdup(manager->url);
    labels_add_client_info(&outward->labels, manager->base.info);
    outward->expires = MIN(outward->expires, input->now + NSE_EXPIRY);
    call_registry(manager, task, registry_message(MESSAGE_REGISTRY_REGISTER, outward), true,
                  actions);
}

static void
unregister(Manager *manager, NseRecord *record, uint64_t call, Actions *actions)
{
    Task *task = task_new(manager, TASK_PROXY, call);
    call_registry(manager, task,
                  registry_message(MESSAGE_REGISTRY_UNREGISTER, nse_record_ref(record)), true,
                  actions);
    drop_local(manager, record->name, actions);
}

static void
on_proxied(Manager *manager, Task *task, const Input *input, Actions *actions)
{
    if (input->kind == INPUT_FAILURE) {
        answer(task, message_error("%s: registry: %s", manager->name, failure_text(input->failure)),
               actions);
    } else if (input->message->type == MESSAGE_REGISTRY_FOUND) {
        answer(task, &unhide(manager, (const RegistryFound *)input->message)->base, actions);
    } else {
        if (input->message->type == MESSAGE_REGISTRY_NSE && task->record != NULL) {
            keep_local(manager, task->record, actions);
        }
        answer(task, message_ref((void *)input->message), actions);
    }
    end_task(manager, task, input->now, actions);
}

/* ---- inputs ---- */

/* Registry healing: the endpoint's watch becomes one of ours at the registry; when either end
 * closes, the other does. */
static void
on_opened(Manager *manager, const Input *input, Actions *actions)
{
    if (input->message->type != MESSAGE_REGISTRY_WATCH) {
        actions_close(actions, input->call);
        return;
    }
    Watch *watch = g_new0(Watch, 1);
    watch->call = input->call;
    watch->tag = ++manager->last_id;
    g_hash_table_insert(manager->watches, &watch->tag, watch);
    g_hash_table_insert(manager->watchers, &watch->call, watch);
    NseRecord *record = nse_record_ref(registry_message_record(input->message));
    Action *open = actions_open(actions, manager->registry, watch->tag,
                                registry_message(MESSAGE_REGISTRY_WATCH, record));
    open->flags = CALL_FRESH;
    open->dial_timeout = nsm_registry_dial_timeout(manager->version, true);
}

static void
on_closed(Manager *manager, const Input *input, Actions *actions)
{
    const Watch *watch = input->call != 0 ? g_hash_table_lookup(manager->watchers, &input->call)
                                          : g_hash_table_lookup(manager->watches, &input->tag);
    if (watch == NULL) {
        return;
    }
    if (input->call != 0) {
        actions_cancel(actions, watch->tag);
    } else {
        actions_close(actions, watch->call);
    }
    g_hash_table_remove(manager->watchers, &watch->call);
    g_hash_table_remove(manager->watches, &watch->tag);
}

static void
on_request(Manager *manager, const Input *input, Actions *actions)
{
    switch ((int)input->message->type) {
    case MESSAGE_NSM_REQUEST:
        on_nsm_request(manager, input, actions);
        break;
    case MESSAGE_NSM_CLOSE:
        on_close(manager, input, actions);
        break;
    case MESSAGE_REGISTRY_REGISTER:
        on_register(manager, input, actions);
        break;
    case MESSAGE_REGISTRY_UNREGISTER:
        unregister(manager, registry_message_record(input->message), input->call, actions);
        break;
    case MESSAGE_REGISTRY_REGISTER_NS:
        call_registry(manager, task_new(manager, TASK_PROXY, input->call),
                      registry_service(((const RegistryService *)input->message)->object), false,
                      actions);
        break;
    case MESSAGE_REGISTRY_FIND_NS:
    case MESSAGE_REGISTRY_FIND_NSE: {
        const RegistryQuery *query = (const RegistryQuery *)input->message;
        Task *task = task_new(manager, TASK_PROXY, input->call);
        call_registry(manager, task, registry_query_copy(query),
                      query->base.type == MESSAGE_REGISTRY_FIND_NSE, actions);
        break;
    }
    default: /* health */
        actions_reply(actions, input->call,
                      manager->serving ? message_ok() : message_error("not serving"));
    }
}

static void
on_answer(Manager *manager, const Input *input, Actions *actions)
{
    Task *task = g_hash_table_lookup(manager->tasks, &input->tag);
    if (task == NULL) {
        return;
    }
    if (task->state == TASK_PROXY) {
        on_proxied(manager, task, input, actions);
        return;
    }
    if (task->state == TASK_NEXT_HOP) {
        on_next_hop(manager, task, input, actions);
        return;
    }
    if (input->kind == INPUT_FAILURE || input->message->type != MESSAGE_REGISTRY_FOUND) {
        const char *text = input_problem(input);
        g_autofree char *why = g_strdup_printf("registry: %s", text);
        fail(manager, task, why, input->now, actions);
        return;
    }
    const RegistryFound *found = (const RegistryFound *)input->message;
    if (task->state == TASK_FIND_ENDPOINT) {
        on_endpoint(manager, task, found, input->now, actions);
    } else if (task->state == TASK_FIND_SERVICE) {
        on_service(manager, task, found, input->now, actions);
    } else {
        on_forwarders(manager, task, found, input->now, actions);
    }
}

/* The caller waits no more, and neither do we (a cancelled gRPC context cancels the calls made with
 * it); what a first Request may have built beyond is closed. */
static void
give_up(Manager *manager, Task *task, nsec_t now, Actions *actions)
{
    actions_cancel(actions, task->id);
    if (task->state == TASK_PROXY) {
        end_task(manager, task, now, actions);
    } else if (task->state == TASK_NEXT_HOP && task->link->last == NULL) {
        undo(manager, task, g_ptr_array_index(task->candidates, task->next), now, actions);
    } else {
        fail(manager, task, "cancelled", now, actions);
    }
}

static void
on_cancelled(Manager *manager, const Input *input, Actions *actions)
{
    GHashTableIter iter;
    void *value;
    g_hash_table_iter_init(&iter, manager->tasks);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        Task *task = value;
        if (task->call != input->call) {
            continue;
        }
        task->call = 0;
        if (task->link != NULL && g_queue_remove(&task->link->waiting, task)) {
            g_hash_table_remove(manager->tasks, &task->id);
        } else {
            give_up(manager, task, input->now, actions);
        }
        return;
    }
}

static void
on_timer(Manager *manager, const Input *input, Actions *actions)
{
    Link *link = g_hash_table_lookup(manager->link_timers, &input->tag);
    Local *local = g_hash_table_lookup(manager->timers, &input->tag);
    if (local != NULL) { /* expired */
        NseRecord *record = nse_record_ref(local->record);
        unregister(manager, record, 0, actions);
        nse_record_unref(record);
    } else if (link != NULL && link->busy) {
        link->expired = true;
    } else if (link != NULL && link->url == NULL) {
        drop_link(manager, link, actions);
    } else if (link != NULL) {
        g_autoptr(Connection) last = connection_ref(link->last);
        close_link(manager, link, last, 0, actions);
        drop_link(manager, link, actions);
    }
}

static void
serve(Manager *manager, Actions *actions)
{
    manager->serving = true;
    actions_trace(actions, TRACE_SERVING, manager->base.info->pod_key, NULL);
    for (char **address = manager->listen; *address != NULL; address++) {
        actions_listen(actions, *address);
    }
}

static void
step(Machine *machine, const Input *input, Actions *actions)
{
    Manager *manager = (Manager *)machine;
    if (input->tag == SVID_TAG) {
        if (svid_step(&manager->svid, machine->info, input, actions)) {
            serve(manager, actions);
        }
        return;
    }
    MonitorNews news;
    const char *id;
    if (monitor_step(&manager->monitor, input, actions, &news, &id)) {
        return;
    }
    switch ((int)input->kind) {
    case INPUT_START:
        svid_begin(&manager->svid, machine->info, actions);
        break;
    case INPUT_OPENED:
        on_opened(manager, input, actions);
        break;
    case INPUT_CLOSED:
        on_closed(manager, input, actions);
        break;
    case INPUT_REQUEST:
        on_request(manager, input, actions);
        break;
    case INPUT_CANCELLED:
        on_cancelled(manager, input, actions);
        break;
    case INPUT_REPLY:
    case INPUT_FAILURE:
        on_answer(manager, input, actions);
        break;
    case INPUT_TIMER:
        on_timer(manager, input, actions);
        break;
    case INPUT_STOP:
        actions_exit(actions, 0);
        break;
    default:
        break;
    }
}

static void
manager_free(Machine *machine)
{
    Manager *manager = (Manager *)machine;
    g_hash_table_unref(manager->tasks);
    g_hash_table_unref(manager->timers);
    g_hash_table_unref(manager->link_timers);
    g_hash_table_unref(manager->links);
    g_hash_table_unref(manager->locals);
    g_hash_table_unref(manager->watchers);
    g_hash_table_unref(manager->watches);
    monitor_clear(&manager->monitor);
    svid_clear(&manager->svid);
    g_strfreev(manager->listen);
    g_free(manager->name);
    g_free(manager->url);
    g_free(manager->registry);
    g_free(manager);
}

static const MachineClass manager_class = {COMPONENT_NSMGR, step, manager_free};

static void
init_addresses(Manager *manager)
{
    const ProcessInfo *info = manager->base.info;
    g_autofree char *listen = process_env(info, "NSM_LISTEN_ON", NSM_MANAGER_SOCKET ",tcp://:5001");
    g_auto(GStrv) urls = g_strsplit(listen, ",", -1);
    guint n = g_strv_length(urls);
    manager->listen = g_new0(char *, n + 1);
    for (guint i = 0; i < n; i++) {
        manager->listen[i] = process_address(info, urls[i]);
        if (g_str_has_prefix(manager->listen[i], "tcp:")) {
            g_free(manager->url);
            manager->url = g_strdup(manager->listen[i]);
        }
    }
    g_autofree char *registry = process_env(info, "NSM_REGISTRY_URL", "tcp://localhost:5001");
    manager->registry = process_address(info, registry);
}

Machine *
manager_new(const ProcessInfo *info)
{
    Manager *manager = g_new0(Manager, 1);
    manager->base.class = &manager_class;
    manager->base.info = info;
    svid_init(&manager->svid, info);
    manager->name = process_env(info, "NSM_NAME", "nmgr");
    manager->version = process_version(info);
    init_addresses(manager);
    manager->dial_timeout =
        process_duration(info, "NSM_DIAL_TIMEOUT", nsm_dial_timeout(manager->version));
    manager->token_lifetime = process_duration(info, "NSM_MAX_TOKEN_LIFETIME", NSM_TOKEN_LIFETIME);
    manager->tasks = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, task_free);
    manager->links = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, link_free);
    manager->locals = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, local_free);
    manager->timers = g_hash_table_new(g_int64_hash, g_int64_equal);
    manager->link_timers = g_hash_table_new(g_int64_hash, g_int64_equal);
    manager->watches = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, g_free);
    manager->watchers = g_hash_table_new(g_int64_hash, g_int64_equal);
    monitor_init(&manager->monitor);
    return &manager->base;
}
