/* spire-agent: syncs entries with the server, attests workloads through the kubelet, hands out
 * SVIDs.  Also wait-for-it, the init container that waits for the server. */
#include "models/spire/spire.h"

#include "models/k8s/api.h"
#include "models/k8s/kubelet.h"

#define SERVER_TIMEOUT (30 * NSEC_PER_SEC) /* [H] a sync that hangs is given up and tried again */

enum { TAG_SYNC = 1, TAG_SYNC_CALL, TAG_SIGN, TAG_ATTEST, TAG_ATTEST_POLL, TAG_BITS = 3 };

/* A workload's FetchX509SVID that is being attested. */
typedef struct Fetch {
    uint64_t id;
    uint64_t call;
    uint64_t pod_uid;
    guint container;
    char *pod_key;
    int tries;
} Fetch;

typedef struct SpireAgent {
    Machine base;
    char *server;
    char *kubelet;
    RandomStream jitter;
    bool synced;
    GArray *known;       /* uint64_t: Pods whose SVIDs it has, renewed at half their life */
    GArray *signing;     /* uint64_t: entries whose SVIDs are being signed */
    GHashTable *fetches; /* id -> Fetch */
    uint64_t last_id;
} SpireAgent;

static void
fetch_free(void *data)
{
    Fetch *fetch = data;
    g_free(fetch->pod_key);
    g_free(fetch);
}

static bool
is_static(const SpireAgent *agent)
{
    return calibration_choice(agent->base.info->calibration, PARAMETER_SPIRE_IDENTITY) ==
           IDENTITY_STATIC_ENTRY;
}

/* ---- synchronisation with the server ---- */

/* pkg/agent/manager: every 5 s, jitter +-10 %. */
static void
sync_later(SpireAgent *agent, Actions *actions)
{
    const Calibration *cal = agent->base.info->calibration;
    double period = (double)calibration_nsec(cal, PARAMETER_SPIRE_SYNC_PERIOD);
    double jitter = calibration_number(cal, PARAMETER_SPIRE_SYNC_JITTER);
    double u = random_uniform(&agent->jitter);
    actions_timer(actions, TAG_SYNC, (nsec_t)(period * (1 + jitter * (2 * u - 1))));
}

static void
sync_now(SpireAgent *agent, Actions *actions)
{
    actions_call(actions, agent->server, TAG_SYNC_CALL,
                 spire_sync(agent->base.info->node, agent->known))
        ->timeout = SERVER_TIMEOUT;
}

static void
forget(SpireAgent *agent, const GArray *removed, Actions *actions)
{
    for (guint i = 0; i < agent->known->len; i++) {
        if (spire_has(removed, g_array_index(agent->known, uint64_t, i))) {
            g_array_remove_index(agent->known, i--);
            actions_hold(actions, HOLD_ENDPOINT, -1);
        }
    }
}

static void
first_sync_done(SpireAgent *agent, Actions *actions)
{
    if (!agent->synced) {
        agent->synced = true;
        g_autofree char *address = process_address(agent->base.info, SPIRE_AGENT_SOCKET);
        actions_listen(actions, actions_string(actions, address));
    }
}

static void
on_entries(SpireAgent *agent, const Input *input, Actions *actions)
{
    if (input->kind == INPUT_REPLY && input->message->type == MESSAGE_SPIRE_ENTRIES) {
        const SpireEntries *entries = (const SpireEntries *)input->message;
        forget(agent, entries->removed, actions);
        g_array_set_size(agent->signing, 0);
        g_array_append_vals(agent->signing, entries->uids->data, entries->uids->len);
        if (agent->signing->len > 0) {
            Message *sign = message_new(MESSAGE_SPIRE_SIGN, sizeof(Message), NULL);
            sign->weight = (int)agent->signing->len;
            actions_call(actions, agent->server, TAG_SIGN, sign)->timeout = SERVER_TIMEOUT;
            return;
        }
        first_sync_done(agent, actions);
    }
    sync_later(agent, actions);
}

static void
on_signed(SpireAgent *agent, const Input *input, Actions *actions)
{
    for (guint i = 0; input->kind == INPUT_REPLY && i < agent->signing->len; i++) {
        g_array_append_val(agent->known, g_array_index(agent->signing, uint64_t, i));
        actions_hold(actions, HOLD_ENDPOINT, 1);
    }
    first_sync_done(agent, actions);
    sync_later(agent, actions);
}

/* ---- workloads ---- */

static void
ask_kubelet(SpireAgent *agent, Fetch *fetch, Actions *actions)
{
    KubeletPods *question = message_new(MESSAGE_KUBELET_PODS, sizeof *question, NULL);
    question->pod_uid = fetch->pod_uid;
    question->container = fetch->container;
    fetch->tries++;
    actions_call(actions, agent->kubelet, (fetch->id << TAG_BITS) | TAG_ATTEST, question)->flags =
        CALL_PLAIN;
}

static void
on_fetch(SpireAgent *agent, const Input *input, Actions *actions)
{
    const SpireMessage *message = (const SpireMessage *)input->message;
    Fetch *fetch = g_new0(Fetch, 1);
    fetch->id = ++agent->last_id;
    fetch->call = input->call;
    fetch->pod_uid = message->pod_uid;
    fetch->container = message->container;
    fetch->pod_key = g_strdup(message->pod_key);
    g_hash_table_insert(agent->fetches, &fetch->id, fetch);
    ask_kubelet(agent, fetch, actions);
}

static void
answer(SpireAgent *agent, Fetch *fetch, nsec_t now, Actions *actions)
{
    if (is_static(agent) || spire_has(agent->known, fetch->pod_uid)) {
        SpireSvid *svid = message_new(MESSAGE_SPIRE_SVID, sizeof *svid, NULL);
        svid->expires =
            now + calibration_nsec(agent->base.info->calibration, PARAMETER_SPIRE_SVID_TTL);
        actions_reply(actions, fetch->call, svid);
    } else { /* handler.go:104 */
        actions_reply(actions, fetch->call, message_error("PermissionDenied: no identity issued"));
    }
    g_hash_table_remove(agent->fetches, &fetch->id);
}

/* The k8s attestor polls the kubelet until the container's id shows in a Pod's status. */
static void
on_attested(SpireAgent *agent, Fetch *fetch, const Input *input, Actions *actions)
{
    const Calibration *cal = agent->base.info->calibration;
    if (input->kind == INPUT_REPLY && input->message->type == MESSAGE_OK) {
        answer(agent, fetch, input->now, actions);
    } else if (fetch->tries < (int)calibration_number(cal, PARAMETER_SPIRE_ATTEST_TRIES)) {
        actions_timer(actions, (fetch->id << TAG_BITS) | TAG_ATTEST_POLL,
                      calibration_nsec(cal, PARAMETER_SPIRE_ATTEST_POLL));
    } else {
        actions_reply(actions, fetch->call, message_error("workload attestation failed"));
        g_hash_table_remove(agent->fetches, &fetch->id);
    }
}

/* The workload waits no more. */
static void
on_cancelled(SpireAgent *agent, uint64_t call, Actions *actions)
{
    GHashTableIter iter;
    void *value;
    g_hash_table_iter_init(&iter, agent->fetches);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const Fetch *fetch = value;
        if (fetch->call == call) {
            actions_cancel(actions, (fetch->id << TAG_BITS) | TAG_ATTEST);
            actions_stop_timer(actions, (fetch->id << TAG_BITS) | TAG_ATTEST_POLL);
            g_hash_table_iter_remove(&iter);
            return;
        }
    }
}

static void
on_tagged(SpireAgent *agent, const Input *input, Actions *actions)
{
    uint64_t id = input->tag >> TAG_BITS;
    Fetch *fetch = g_hash_table_lookup(agent->fetches, &id);
    switch (input->tag & ((1 << TAG_BITS) - 1)) {
    case TAG_SYNC:
        sync_now(agent, actions);
        break;
    case TAG_SYNC_CALL:
        on_entries(agent, input, actions);
        break;
    case TAG_SIGN:
        on_signed(agent, input, actions);
        break;
    case TAG_ATTEST:
        if (fetch != NULL) {
            on_attested(agent, fetch, input, actions);
        }
        break;
    case TAG_ATTEST_POLL:
        if (fetch != NULL) {
            ask_kubelet(agent, fetch, actions);
        }
        break;
    default:
        break;
    }
}

static void
agent_step(Machine *machine, const Input *input, Actions *actions)
{
    SpireAgent *agent = (SpireAgent *)machine;
    switch ((int)input->kind) {
    case INPUT_START:
        sync_now(agent, actions);
        break;
    case INPUT_REQUEST:
        if (input->message->type == MESSAGE_SPIRE_FETCH) {
            on_fetch(agent, input, actions);
        } else {
            actions_reply(actions, input->call,
                          agent->synced ? message_ok() : message_error("not ready"));
        }
        break;
    case INPUT_REPLY:
    case INPUT_FAILURE:
    case INPUT_TIMER:
        on_tagged(agent, input, actions);
        break;
    case INPUT_CANCELLED:
        on_cancelled(agent, input->call, actions);
        break;
    case INPUT_STOP:
        actions_exit(actions, 0);
        break;
    default:
        break;
    }
}

static void
agent_free(Machine *machine)
{
    SpireAgent *agent = (SpireAgent *)machine;
    g_array_unref(agent->known);
    g_hash_table_unref(agent->fetches);
    g_array_unref(agent->signing);
    g_free(agent->server);
    g_free(agent->kubelet);
    g_free(agent);
}

static const MachineClass agent_class = {COMPONENT_SPIRE_AGENT, agent_step, agent_free};

Machine *
spire_agent_new(const ProcessInfo *info)
{
    SpireAgent *agent = g_new0(SpireAgent, 1);
    agent->base.class = &agent_class;
    agent->base.info = info;
    agent->server = process_address(info, "spire-server:" SPIRE_SERVER_PORT);
    agent->kubelet = kubelet_address(info->node);
    process_random(info, "sync-jitter", &agent->jitter);
    agent->signing = g_array_new(false, false, sizeof(uint64_t));
    agent->known = g_array_new(false, false, sizeof(uint64_t));
    agent->fetches = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, fetch_free);
    return &agent->base;
}

/* ---- wait-for-it ---- */

static void
wait_step(Machine *machine, const Input *input, Actions *actions)
{
    if (input->kind == INPUT_REPLY) {
        actions_exit(actions, 0);
        return;
    }
    if (input->kind == INPUT_FAILURE) { /* it tries once a second */
        actions_timer(actions, 1, NSEC_PER_SEC);
        return;
    }
    if (input->kind == INPUT_START || input->kind == INPUT_TIMER) {
        g_autofree char *server = process_address(machine->info, "spire-server:" SPIRE_SERVER_PORT);
        actions_call(actions, actions_string(actions, server), 1,
                     message_new(MESSAGE_HEALTH, sizeof(Message), NULL))
            ->flags = CALL_PLAIN | CALL_FRESH;
    }
}

static void
wait_free(Machine *machine)
{
    g_free(machine);
}

static const MachineClass wait_class = {COMPONENT_WAIT_FOR_IT, wait_step, wait_free};

Machine *
wait_for_it_new(const ProcessInfo *info)
{
    Machine *machine = g_new0(Machine, 1);
    machine->class = &wait_class;
    machine->info = info;
    return machine;
}
