/* The registrar (k8s-workload-registrar in mode crd, or spire-controller-manager): an entry for
 * each Pod that carries the SPIFFE label, as soon as the Pod has a node (FACTS 3.8).
 *
 * It runs in the server's Pod.  Its client of the API server creates one SpiffeID object for each
 * Pod (controller-runtime's 20 requests/s, burst 30), then the entry goes to the server's socket.
 */
#include "models/spire/spire.h"

#include "models/k8s/api.h"
#include "models/ratelimit.h"

enum { TAG_WATCH = 1, TAG_RESTART, TAG_CREATE, TAG_ENTRY, TAG_BITS = 3 };

typedef struct Registrar {
    Machine base;
    RateLimit client;
    GHashTable *pods; /* uid -> ApiObject *: registered or on the way */
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

static void
on_pod(Registrar *registrar, const Input *input, Actions *actions)
{
    const ApiEvent *event = (const ApiEvent *)input->message;
    ApiObject *pod = event->object;
    if (event->type == WATCH_DELETED) {
        g_hash_table_remove(registrar->pods, &pod->uid);
        return;
    }
    if (pod->node == NULL || g_hash_table_contains(registrar->pods, &pod->uid)) {
        return;
    }
    ApiObject *copy = api_object_ref(pod);
    g_hash_table_insert(registrar->pods, &copy->uid, copy);
    ApiObject *spiffe_id = api_object_new(OBJECT_PASSIVE, pod->ns, pod->name);
    Action *call = actions_call(actions, API_ADDRESS, tag_of(pod->uid, TAG_CREATE),
                                api_message(MESSAGE_API_CREATE, spiffe_id));
    call->flags = CALL_PLAIN;
    call->delay = rate_limit_reserve(&registrar->client, input->now);
}

static void
on_reply(Registrar *registrar, const Input *input, Actions *actions)
{
    uint64_t uid = input->tag >> TAG_BITS;
    const ApiObject *pod = g_hash_table_lookup(registrar->pods, &uid);
    if (pod == NULL || (input->tag & ((1 << TAG_BITS) - 1)) != TAG_CREATE) {
        return;
    }
    g_autofree char *key = api_object_key(pod);
    const char *socket =
        actions_printf(actions, "unix:%s:spire-server", registrar->base.info->pod_key);
    actions_call(actions, socket, tag_of(uid, TAG_ENTRY),
                 spire_message(MESSAGE_SPIRE_ENTRY, uid, key, pod->node))
        ->flags = CALL_PLAIN;
}

static void
on_failure(Registrar *registrar, const Input *input, Actions *actions)
{
    uint64_t uid = input->tag >> TAG_BITS;
    if (g_hash_table_contains(registrar->pods, &uid)) {
        actions_timer(actions, tag_of(uid, TAG_CREATE), NSEC_PER_SEC); /* reconcile again */
    }
}

static void
step(Machine *machine, const Input *input, Actions *actions)
{
    Registrar *registrar = (Registrar *)machine;
    switch ((int)input->kind) {
    case INPUT_START:
        watch(actions);
        break;
    case INPUT_CLOSED:
        actions_timer(actions, TAG_RESTART, NSEC_PER_SEC);
        break;
    case INPUT_TIMER:
        if (input->tag == TAG_RESTART) {
            watch(actions);
        } else {
            on_reply(registrar, input, actions);
        }
        break;
    case INPUT_EVENT:
        on_pod(registrar, input, actions);
        break;
    case INPUT_REPLY:
        on_reply(registrar, input, actions);
        break;
    case INPUT_FAILURE:
        on_failure(registrar, input, actions);
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
    g_free(registrar);
}

static const MachineClass registrar_class = {COMPONENT_SPIRE_REGISTRAR, step, registrar_free};

Machine *
spire_registrar_new(const ProcessInfo *info)
{
    Registrar *registrar = g_new0(Registrar, 1);
    registrar->base.class = &registrar_class;
    registrar->base.info = info;
    registrar->pods =
        g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, (GDestroyNotify)api_object_unref);
    rate_limit_init(&registrar->client,
                    calibration_number(info->calibration, PARAMETER_SPIRE_REGISTRAR_QPS),
                    calibration_number(info->calibration, PARAMETER_SPIRE_REGISTRAR_BURST));
    return &registrar->base;
}
