/* The registrar (k8s-workload-registrar in mode crd, or spire-controller-manager): an entry for
 * each Pod that carries the SPIFFE label, as soon as the Pod has a node (FACTS 3.8).
 *
 * Mode crd removes a Pod's entry with the Pod.  A stream to the server tells when that has
 * restarted: then every entry is made again.
 *
 * It runs in the server's Pod.  Its client of the API server creates one SpiffeID object for each
 * Pod (controller-runtime's 20 requests/s, burst 30), then the entry goes to the server's socket.
 */
#include "models/spire/spire.h"

#include "models/k8s/api.h"
#include "models/ratelimit.h"

enum {
    TAG_WATCH = 1,
    TAG_RESTART,
    TAG_CREATE,
    TAG_ENTRY,
    TAG_SERVER,
    TAG_SERVER_RESTART,
    TAG_BITS = 3
};

#define RETRY NSEC_PER_SEC /* reconcile again */

/* What is known of a Pod. */
typedef struct Registration {
    uint64_t uid;
    char *key;
    char *node;
    bool entered; /* its object exists: the entry has been sent */
    bool removed; /* the Pod is gone: the entry's removal is on its way */
} Registration;

typedef struct Registrar {
    Machine base;
    RateLimit client;
    char *server;     /* address of its socket */
    GHashTable *pods; /* uid -> Registration */
    GArray *order;    /* uint64_t: their uids, in the order of coming */
} Registrar;

static uint64_t
tag_of(uint64_t uid, int kind)
{
    return (uid << TAG_BITS) | (uint64_t)kind;
}

static void
watch(Actions *actions)
{
    ApiQuery *query = api_query(MESSAGE_API_WATCH, OBJECT_POD, NULL, NULL);
    query->label = g_strdup(SPIRE_LABEL);
    actions_open(actions, API_ADDRESS, TAG_WATCH, query)->flags = CALL_PLAIN;
}

/* The stream that tells of the server's restart. */
static void
watch_server(Registrar *registrar, Actions *actions)
{
    actions_open(actions, registrar->server, TAG_SERVER,
                 message_new(MESSAGE_HEALTH, sizeof(Message), NULL))
        ->flags = CALL_PLAIN;
}

static void
registration_free(void *data)
{
    Registration *registration = data;
    g_free(registration->key);
    g_free(registration->node);
    g_free(registration);
}

static void
forget(Registrar *registrar, uint64_t uid)
{
    for (guint i = 0; i < registrar->order->len; i++) {
        if (g_array_index(registrar->order, uint64_t, i) == uid) {
            g_array_remove_index(registrar->order, i);
            break;
        }
    }
    g_hash_table_remove(registrar->pods, &uid);
}

static void
send_entry(Registrar *registrar, Registration *registration, Actions *actions)
{
    registration->entered = true;
    SpireMessage *entry = spire_message(MESSAGE_SPIRE_ENTRY, registration->uid, registration->key,
                                        registration->node);
    entry->removed = registration->removed;
    actions_call(actions, registrar->server, tag_of(registration->uid, TAG_ENTRY), entry)->flags =
        CALL_PLAIN;
}

static void
on_deleted(Registrar *registrar, uint64_t uid, Actions *actions)
{
    Registration *registration = g_hash_table_lookup(registrar->pods, &uid);
    if (registration == NULL || registration->removed) {
        return;
    }
    actions_cancel(actions, tag_of(uid, TAG_CREATE));
    actions_stop_timer(actions, tag_of(uid, TAG_CREATE));
    if (!registration->entered) {
        forget(registrar, uid);
        return;
    }
    registration->removed = true;
    send_entry(registrar, registration, actions);
}

static void
on_pod(Registrar *registrar, const Input *input, Actions *actions)
{
    const ApiEvent *event = (const ApiEvent *)input->message;
    const ApiObject *pod = event->object;
    if (event->type == WATCH_DELETED) {
        on_deleted(registrar, pod->uid, actions);
        return;
    }
    if (pod->node == NULL || g_hash_table_contains(registrar->pods, &pod->uid)) {
        return;
    }
    Registration *registration = g_new0(Registration, 1);
    registration->uid = pod->uid;
    registration->key = api_object_key(pod);
    registration->node = g_strdup(pod->node);
    g_hash_table_insert(registrar->pods, &registration->uid, registration);
    g_array_append_val(registrar->order, registration->uid);
    ApiObject *spiffe_id = api_object_new(OBJECT_PASSIVE, pod->ns, pod->name);
    Action *call = actions_call(actions, API_ADDRESS, tag_of(pod->uid, TAG_CREATE),
                                api_message(MESSAGE_API_CREATE, spiffe_id));
    call->flags = CALL_PLAIN;
    call->delay = rate_limit_reserve(&registrar->client, input->now);
}

/* An answer, or (TAG_CREATE) the time for another try. */
static void
on_answer(Registrar *registrar, const Input *input, Actions *actions)
{
    uint64_t uid = input->tag >> TAG_BITS;
    Registration *registration = g_hash_table_lookup(registrar->pods, &uid);
    if (registration == NULL) {
        return;
    }
    bool entry = (input->tag & ((1 << TAG_BITS) - 1)) == TAG_ENTRY;
    if (input->kind == INPUT_FAILURE) {
        actions_timer(actions, tag_of(uid, TAG_CREATE), RETRY);
    } else if (!entry) {
        send_entry(registrar, registration, actions);
    } else if (registration->removed) {
        forget(registrar, uid);
    }
}

/* The server is there (again). */
static void
enter_all(Registrar *registrar, Actions *actions)
{
    for (guint i = 0; i < registrar->order->len; i++) {
        Registration *registration =
            g_hash_table_lookup(registrar->pods, &g_array_index(registrar->order, uint64_t, i));
        if (registration->entered) {
            send_entry(registrar, registration, actions);
        }
    }
}

static void
on_timer(Registrar *registrar, const Input *input, Actions *actions)
{
    if (input->tag == TAG_RESTART) {
        watch(actions);
    } else if (input->tag == TAG_SERVER_RESTART) {
        watch_server(registrar, actions);
    } else {
        on_answer(registrar, input, actions);
    }
}

static void
step(Machine *machine, const Input *input, Actions *actions)
{
    Registrar *registrar = (Registrar *)machine;
    switch ((int)input->kind) {
    case INPUT_START:
        watch(actions);
        watch_server(registrar, actions);
        break;
    case INPUT_CLOSED:
        actions_timer(actions, input->tag == TAG_SERVER ? TAG_SERVER_RESTART : TAG_RESTART, RETRY);
        break;
    case INPUT_TIMER:
        on_timer(registrar, input, actions);
        break;
    case INPUT_EVENT:
        if (input->tag == TAG_SERVER) {
            enter_all(registrar, actions);
        } else {
            on_pod(registrar, input, actions);
        }
        break;
    case INPUT_REPLY:
    case INPUT_FAILURE:
        on_answer(registrar, input, actions);
        break;
    case INPUT_REQUEST:
        actions_reply(actions, input->call, message_ok());
        break;
    case INPUT_STOP:
        actions_exit(actions, 0);
        break;
    default:
        break;
    }
}

static void
registrar_free(Machine *machine)
{
    Registrar *registrar = (Registrar *)machine;
    g_hash_table_unref(registrar->pods);
    g_array_unref(registrar->order);
    g_free(registrar->server);
    g_free(registrar);
}

static const MachineClass registrar_class = {COMPONENT_SPIRE_REGISTRAR, step, registrar_free};

Machine *
spire_registrar_new(const ProcessInfo *info)
{
    Registrar *registrar = g_new0(Registrar, 1);
    registrar->base.class = &registrar_class;
    registrar->base.info = info;
    registrar->pods = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, registration_free);
    registrar->order = g_array_new(false, false, sizeof(uint64_t));
    registrar->server = g_strdup_printf("unix:%s:spire-server", info->pod_key);
    rate_limit_init(&registrar->client,
                    calibration_number(info->calibration, PARAMETER_SPIRE_REGISTRAR_QPS),
                    calibration_number(info->calibration, PARAMETER_SPIRE_REGISTRAR_BURST));
    return &registrar->base;
}
