/* registry-k8s.  An Op is one request from a manager on its way through the API server. */
#include "models/nsm/registry.h"

#include "models/k8s/api.h"
#include "models/nsm/connection.h"
#include "models/nsm/version.h"
#include "models/ratelimit.h"
#include "models/spire/spire.h"

#include <string.h>

#define WATCH_PERIOD (60 * NSEC_PER_SEC) /* the watch's time-out in sdk-k8s */

typedef enum OpState {
    OP_FIND,
    OP_CREATE, /* a registration: the first of its calls */
    OP_LIST,   /* it exists already: read it */
    OP_UPDATE,
    OP_DELETE,
    OP_CREATE_SERVICE, /* NS register: CREATE, and if it is there already LIST and UPDATE */
    OP_LIST_SERVICE,
    OP_UPDATE_SERVICE,
    OP_WATCH, /* LIST and WATCH of registry healing: nobody waits for the answers */
} OpState;

typedef struct Op {
    uint64_t id;
    OpState state;
    uint64_t call;        /* whom to answer; 0: nobody */
    NseRecord *record;    /* registrations */
    char *service;        /* Find of a network service: its name */
    const Object *object; /* registration of a network service */
} Op;

/* A registration that expires (the expire element's memory: a restarted registry has none, and what
 * it does not know is ignored by those who find it after its expiration_time). */
typedef struct Lease {
    uint64_t id;
    char *name;
    nsec_t expires;
} Lease;

/* A stream of registry healing: a LIST, then a WATCH that is reopened every minute. */
typedef struct Watch {
    uint64_t id; /* of its timer */
    uint64_t call;
    char *name;
} Watch;

typedef struct Registry {
    Machine base;
    Svid svid;
    char *listen;
    char *ns; /* where the custom resources are */
    nsec_t expire_period;
    RateLimit client;
    GHashTable *ops;       /* id -> Op */
    GHashTable *leases;    /* name -> Lease */
    GHashTable *lease_ids; /* id -> Lease */
    GHashTable *watches;   /* call -> Watch */
    GHashTable *watch_ids; /* id -> Watch */
    uint64_t last_id;
} Registry;

static void
op_free(void *data)
{
    Op *op = data;
    nse_record_unref(op->record);
    g_free(op->service);
    g_free(op);
}

static void
lease_free(void *data)
{
    Lease *lease = data;
    g_free(lease->name);
    g_free(lease);
}

static void
watch_free(void *data)
{
    Watch *watch = data;
    g_free(watch->name);
    g_free(watch);
}

static Op *
op_new(Registry *registry, OpState state, uint64_t call)
{
    Op *op = g_new0(Op, 1);
    op->id = ++registry->last_id;
    op->state = state;
    op->call = call;
    g_hash_table_insert(registry->ops, &op->id, op);
    return op;
}

static void
api_call(Registry *registry, Op *op, void *take_message, nsec_t now, Actions *actions)
{
    nsec_t wait = rate_limit_reserve(&registry->client, now);
    if (wait > 0) {
        actions_trace_value(actions, TRACE_REGISTRY_WAIT,
                            op->record != NULL    ? actions_string(actions, op->record->name)
                            : op->service != NULL ? actions_string(actions, op->service)
                                                  : "",
                            op->state == OP_FIND ? "find" : "write", wait);
    }
    Action *call = actions_call(actions, API_ADDRESS, op->id, take_message);
    call->flags = CALL_PLAIN;
    call->delay = wait;
}

static void
api_query_call(Registry *registry, Op *op, MessageType type, nsec_t now, Actions *actions)
{
    api_call(registry, op,
             api_query(type, OBJECT_NETWORK_SERVICE_ENDPOINT, registry->ns, op->record->name), now,
             actions);
}

static void
api_write(Registry *registry, Op *op, MessageType type, nsec_t now, Actions *actions)
{
    ApiObject *object =
        api_object_new(OBJECT_NETWORK_SERVICE_ENDPOINT, registry->ns, op->record->name);
    object->nse = nse_record_ref(op->record);
    api_call(registry, op, api_message(type, object), now, actions);
}

/* ---- leases ---- */

static void
renew(Registry *registry, const NseRecord *record, nsec_t now, Actions *actions)
{
    Lease *lease = g_hash_table_lookup(registry->leases, record->name);
    if (lease == NULL) {
        lease = g_new0(Lease, 1);
        lease->id = ++registry->last_id;
        lease->name = g_strdup(record->name);
        g_hash_table_insert(registry->leases, lease->name, lease);
        g_hash_table_insert(registry->lease_ids, &lease->id, lease);
        actions_hold(actions, HOLD_ENDPOINT, 1);
    }
    lease->expires = record->expires;
    actions_timer(actions, lease->id, MAX(lease->expires - now, 0));
}

static void
drop_lease(Registry *registry, Lease *lease, Actions *actions)
{
    actions_stop_timer(actions, lease->id);
    actions_hold(actions, HOLD_ENDPOINT, -1);
    g_hash_table_remove(registry->lease_ids, &lease->id);
    g_hash_table_remove(registry->leases, lease->name);
}

static void
remove_record(Registry *registry, const char *name, uint64_t call, nsec_t now, Actions *actions)
{
    Op *op = op_new(registry, OP_DELETE, call);
    op->record = nse_record_new(name);
    api_query_call(registry, op, MESSAGE_API_DELETE, now, actions);
}

static void
on_lease_timer(Registry *registry, Lease *lease, nsec_t now, Actions *actions)
{
    remove_record(registry, lease->name, 0, now, actions);
    drop_lease(registry, lease, actions);
}

/* ---- watches ---- */

/* One token of the API server's budget; nobody waits for the answer. */
static void
spend(Registry *registry, const Watch *watch, nsec_t now, Actions *actions)
{
    Op *op = op_new(registry, OP_WATCH, 0);
    op->record = nse_record_new(watch->name);
    api_query_call(registry, op, MESSAGE_API_LIST, now, actions);
}

static void
on_opened(Registry *registry, const Input *input, Actions *actions)
{
    if (input->message->type != MESSAGE_REGISTRY_WATCH) {
        actions_close(actions, input->call);
        return;
    }
    Watch *watch = g_new0(Watch, 1);
    watch->id = ++registry->last_id;
    watch->call = input->call;
    watch->name = g_strdup(registry_message_record(input->message)->name);
    g_hash_table_insert(registry->watches, &watch->call, watch);
    g_hash_table_insert(registry->watch_ids, &watch->id, watch);
    for (int i = 0; i < 2; i++) { /* LIST, then WATCH (FACTS 1.9) */
        spend(registry, watch, input->now, actions);
    }
    actions_timer(actions, watch->id, WATCH_PERIOD);
}

static void
on_closed(Registry *registry, uint64_t call, Actions *actions)
{
    const Watch *watch = g_hash_table_lookup(registry->watches, &call);
    if (watch != NULL) {
        actions_stop_timer(actions, watch->id);
        g_hash_table_remove(registry->watch_ids, &watch->id);
        g_hash_table_remove(registry->watches, &call);
    }
}

static void
on_timer(Registry *registry, const Input *input, Actions *actions)
{
    Lease *lease = g_hash_table_lookup(registry->lease_ids, &input->tag);
    const Watch *watch = g_hash_table_lookup(registry->watch_ids, &input->tag);
    if (lease != NULL) {
        on_lease_timer(registry, lease, input->now, actions);
    } else if (watch != NULL) {
        spend(registry, watch, input->now, actions);
        actions_timer(actions, watch->id, WATCH_PERIOD);
    }
}

/* ---- requests ---- */

static void
on_register(Registry *registry, const Input *input, Actions *actions)
{
    Op *op = op_new(registry, OP_CREATE, input->call);
    op->record = nse_record_copy(registry_message_record(input->message));
    /* the shorter of what the endpoint asked for and the registry's own period (expire element) */
    op->record->expires = MIN(op->record->expires, input->now + registry->expire_period);
    if (op->record->registered == 0) {
        op->record->registered = input->now;
    }
    api_write(registry, op, MESSAGE_API_CREATE, input->now, actions);
}

static void
write_service(Registry *registry, Op *op, MessageType type, nsec_t now, Actions *actions)
{
    ApiObject *object = api_object_new(OBJECT_NETWORK_SERVICE, registry->ns, op->object->name);
    object->manifest = op->object;
    api_call(registry, op, api_message(type, object), now, actions);
}

static void
on_register_service(Registry *registry, const Input *input, Actions *actions)
{
    Op *op = op_new(registry, OP_CREATE_SERVICE, input->call);
    op->object = ((const RegistryService *)input->message)->object;
    op->service = g_strdup(op->object->name);
    write_service(registry, op, MESSAGE_API_CREATE, input->now, actions);
}

static void
on_find(Registry *registry, const Input *input, Actions *actions)
{
    const RegistryQuery *query = (const RegistryQuery *)input->message;
    bool services = query->base.type == MESSAGE_REGISTRY_FIND_NS;
    Op *op = op_new(registry, OP_FIND, input->call);
    op->service = g_strdup(services || query->service == NULL ? query->name : query->service);
    ObjectKind kind = services ? OBJECT_NETWORK_SERVICE : OBJECT_NETWORK_SERVICE_ENDPOINT;
    /* network services of every namespace, endpoints of the registry's own */
    ApiQuery *list = api_query(MESSAGE_API_LIST, kind, services ? NULL : registry->ns, query->name);
    list->service = services ? NULL : g_strdup(query->service);
    list->url = g_strdup(query->url);
    api_call(registry, op, list, input->now, actions);
}

static void
on_request(Registry *registry, const Input *input, Actions *actions)
{
    switch ((int)input->message->type) {
    case MESSAGE_REGISTRY_REGISTER:
        on_register(registry, input, actions);
        break;
    case MESSAGE_REGISTRY_REGISTER_NS:
        on_register_service(registry, input, actions);
        break;
    case MESSAGE_REGISTRY_UNREGISTER: {
        const char *name = registry_message_record(input->message)->name;
        Lease *lease = g_hash_table_lookup(registry->leases, name);
        remove_record(registry, name, input->call, input->now, actions);
        if (lease != NULL) {
            drop_lease(registry, lease, actions);
        }
        break;
    }
    case MESSAGE_REGISTRY_FIND_NS:
    case MESSAGE_REGISTRY_FIND_NSE:
        on_find(registry, input, actions);
        break;
    default:
        actions_reply(actions, input->call, message_ok());
    }
}

/* ---- answers of the API server ---- */

static void
reply(const Op *op, Message *take_message, Actions *actions)
{
    if (op->call != 0) {
        actions_reply(actions, op->call, take_message);
    } else {
        message_unref(take_message);
    }
}

static void
finish_find(const Op *op, const Input *input, Actions *actions)
{
    if (input->kind == INPUT_FAILURE || input->message->type != MESSAGE_API_OBJECTS) {
        const char *why = input_problem(input);
        reply(op, message_error("registry: API server: %s", why), actions);
        return;
    }
    const ApiList *list = (const ApiList *)input->message;
    RegistryFound *found = registry_found_new();
    for (guint i = 0; i < list->objects->len; i++) {
        const ApiObject *object = g_ptr_array_index(list->objects, i);
        if (object->nse != NULL) {
            g_ptr_array_add(found->records, nse_record_ref(object->nse));
        } else if (object->manifest != NULL) {
            found->service = object->manifest->network_service;
        }
    }
    found->base.weight = (int)list->n_listed;
    reply(op, &found->base, actions);
}

static void
finish_register(Registry *registry, Op *op, nsec_t now, Actions *actions)
{
    renew(registry, op->record, now, actions);
    reply(op, registry_message(MESSAGE_REGISTRY_NSE, nse_record_ref(op->record)), actions);
}

/* True when the operation has another call to make. */
static bool
advance(Registry *registry, Op *op, const Input *input, Actions *actions)
{
    bool failed = input->kind == INPUT_FAILURE || input->message->type == MESSAGE_ERROR;
    switch (op->state) {
    case OP_FIND:
        finish_find(op, input, actions);
        return false;
    case OP_CREATE:
        if (failed) { /* AlreadyExists */
            op->state = OP_LIST;
            api_query_call(registry, op, MESSAGE_API_LIST, input->now, actions);
            return true;
        }
        finish_register(registry, op, input->now, actions);
        return false;
    case OP_LIST:
        op->state = OP_UPDATE;
        api_write(registry, op, MESSAGE_API_UPDATE, input->now, actions);
        return true;
    case OP_UPDATE:
        if (failed) {
            reply(op, message_error("registry: cannot update %s", op->record->name), actions);
        } else {
            finish_register(registry, op, input->now, actions);
        }
        return false;
    case OP_CREATE_SERVICE:
        if (failed) {
            op->state = OP_LIST_SERVICE;
            api_call(registry, op,
                     api_query(MESSAGE_API_LIST, OBJECT_NETWORK_SERVICE, NULL, op->service),
                     input->now, actions);
            return true;
        }
        reply(op, message_ok(), actions);
        return false;
    case OP_LIST_SERVICE:
        op->state = OP_UPDATE_SERVICE;
        write_service(registry, op, MESSAGE_API_UPDATE, input->now, actions);
        return true;
    case OP_UPDATE_SERVICE:
    case OP_DELETE:
        reply(op, message_ok(), actions);
        return false;
    case OP_WATCH:
        return false;
    }
    return false;
}

static void
on_answer(Registry *registry, const Input *input, Actions *actions)
{
    Op *op = g_hash_table_lookup(registry->ops, &input->tag);
    if (op != NULL && !advance(registry, op, input, actions)) {
        g_hash_table_remove(registry->ops, &op->id);
    }
}

/* The caller waits no more: a cancelled gRPC context cancels the API calls made with it.  Otherwise
 * a registration that was given up could end after its successor and shorten its lease. */
static void
on_cancelled(Registry *registry, const Input *input, Actions *actions)
{
    GHashTableIter iter;
    void *value;
    g_hash_table_iter_init(&iter, registry->ops);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const Op *op = value;
        if (op->call == input->call) {
            actions_cancel(actions, op->id);
            g_hash_table_iter_remove(&iter);
            return;
        }
    }
}

static void
step(Machine *machine, const Input *input, Actions *actions)
{
    Registry *registry = (Registry *)machine;
    if (input->tag == SVID_TAG) {
        if (svid_step(&registry->svid, machine->info, input, actions)) {
            actions_listen(actions, registry->listen);
            actions_trace(actions, TRACE_SERVING, machine->info->pod_key, NULL);
        }
        return;
    }
    switch ((int)input->kind) {
    case INPUT_START:
        svid_begin(&registry->svid, machine->info, actions);
        break;
    case INPUT_REQUEST:
        on_request(registry, input, actions);
        break;
    case INPUT_CANCELLED:
        on_cancelled(registry, input, actions);
        break;
    case INPUT_REPLY:
    case INPUT_FAILURE:
        on_answer(registry, input, actions);
        break;
    case INPUT_OPENED:
        on_opened(registry, input, actions);
        break;
    case INPUT_CLOSED:
        on_closed(registry, input->call, actions);
        break;
    case INPUT_TIMER:
        on_timer(registry, input, actions);
        break;
    case INPUT_STOP:
        actions_exit(actions, 0);
        break;
    default:
        break;
    }
}

static void
registry_free(Machine *machine)
{
    Registry *registry = (Registry *)machine;
    g_hash_table_unref(registry->ops);
    g_hash_table_unref(registry->lease_ids);
    g_hash_table_unref(registry->leases);
    g_hash_table_unref(registry->watch_ids);
    g_hash_table_unref(registry->watches);
    svid_clear(&registry->svid);
    g_free(registry->listen);
    g_free(registry->ns);
    g_free(registry);
}

static const MachineClass registry_class = {COMPONENT_REGISTRY, step, registry_free};

/* The newer name of a variable, else its v1.4.0 name, else the fallback (FACTS 2.7). */
static char *
renamed_env(const ProcessInfo *info, const char *name, const char *old_name, const char *fallback)
{
    g_autofree char *old = process_env(info, old_name, fallback);
    return process_env(info, name, old);
}

static void
init_limits(Registry *registry)
{
    const ProcessInfo *info = registry->base.info;
    g_autofree char *qps_text = process_env(info, "NSM_KUBELET_QPS", NULL);
    int version = process_version(info);
    double qps = qps_text != NULL && !nsm_before(version, 1, 8) ? g_ascii_strtod(qps_text, NULL)
                                                                : nsm_registry_qps(version);
    if (strstr(info->container->image, "registry-memory") != NULL) {
        qps = 0; /* no API server behind it: nothing limits it */
    }
    rate_limit_init(&registry->client, qps, 2 * qps);
    nsec_t period = process_duration(info, "REGISTRY_K8S_EXPIRE_PERIOD", 60 * NSEC_PER_SEC);
    registry->expire_period = process_duration(info, "NSM_EXPIRE_PERIOD", period);
}

Machine *
registry_new(const ProcessInfo *info)
{
    Registry *registry = g_new0(Registry, 1);
    registry->base.class = &registry_class;
    registry->base.info = info;
    svid_init(&registry->svid, info);
    g_autofree char *listen =
        renamed_env(info, "NSM_LISTEN_ON", "REGISTRY_K8S_LISTEN_ON", "tcp://:5002");
    registry->listen = process_address(info, listen);
    registry->ns = renamed_env(info, "NSM_NAMESPACE", "REGISTRY_K8S_NAMESPACE", info->ns);
    init_limits(registry);
    registry->ops = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, op_free);
    registry->leases = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, lease_free);
    registry->lease_ids = g_hash_table_new(g_int64_hash, g_int64_equal);
    registry->watches = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, watch_free);
    registry->watch_ids = g_hash_table_new(g_int64_hash, g_int64_equal);
    return &registry->base;
}
