/* spire-server: entries, and the cache of them that agents are answered from. */
#include "models/spire/spire.h"

typedef struct NodeEntries {
    GArray *uids;    /* uint64_t, in the order of creation */
    GArray *visible; /* nsec_t: when the cache has each */
} NodeEntries;

typedef struct SpireServer {
    Machine base;
    nsec_t cache_phase;
    nsec_t cache_period;
    GHashTable *nodes; /* node -> NodeEntries */
} SpireServer;

static void
node_entries_free(void *data)
{
    NodeEntries *entries = data;
    g_array_free(entries->uids, true);
    g_array_free(entries->visible, true);
    g_free(entries);
}

static void
on_start(SpireServer *server, const Input *input, Actions *actions)
{
    const ProcessInfo *info = server->base.info;
    RandomStream random;
    process_random(info, "cache-phase", &random);
    server->cache_period = calibration_nsec(info->calibration, PARAMETER_SPIRE_CACHE_PERIOD);
    server->cache_phase =
        input->now + (nsec_t)(random_uniform(&random) * (double)server->cache_period);
    actions_listen(actions, actions_printf(actions, "unix:%s:spire-server", info->pod_key));
    actions_listen(actions, actions_printf(actions, "tcp:%s:" SPIRE_SERVER_PORT, info->pod_ip));
}

/* Entries reach agents only with the next rebuild of the entry cache (endpoints.go:49). */
static nsec_t
next_rebuild(const SpireServer *server, nsec_t now)
{
    nsec_t into = (now - server->cache_phase) % server->cache_period;
    return now + server->cache_period - (into < 0 ? into + server->cache_period : into);
}

static void
on_entry(SpireServer *server, const Input *input, Actions *actions)
{
    const SpireMessage *entry = (const SpireMessage *)input->message;
    NodeEntries *entries = g_hash_table_lookup(server->nodes, entry->node);
    if (entries == NULL) {
        entries = g_new0(NodeEntries, 1);
        entries->uids = g_array_new(false, false, sizeof(uint64_t));
        entries->visible = g_array_new(false, false, sizeof(nsec_t));
        g_hash_table_insert(server->nodes, g_strdup(entry->node), entries);
    }
    nsec_t visible = next_rebuild(server, input->now);
    g_array_append_val(entries->uids, entry->pod_uid);
    g_array_append_val(entries->visible, visible);
    actions_hold(actions, HOLD_ENDPOINT, 1);
    actions_reply(actions, input->call, message_ok());
}

static void
clear_entries(Message *message)
{
    g_array_free(((SpireEntries *)message)->uids, true);
}

static void
on_sync(SpireServer *server, const Input *input, Actions *actions)
{
    const SpireSync *sync = (const SpireSync *)input->message;
    SpireEntries *answer = message_new(MESSAGE_SPIRE_ENTRIES, sizeof *answer, clear_entries);
    answer->uids = g_array_new(false, false, sizeof(uint64_t));
    const NodeEntries *entries = g_hash_table_lookup(server->nodes, sync->node);
    for (guint i = sync->known; entries != NULL && i < entries->uids->len; i++) {
        if (g_array_index(entries->visible, nsec_t, i) > input->now) {
            break;
        }
        g_array_append_val(answer->uids, g_array_index(entries->uids, uint64_t, i));
    }
    answer->base.weight = (int)answer->uids->len;
    actions_reply(actions, input->call, answer);
}

static void
step(Machine *machine, const Input *input, Actions *actions)
{
    SpireServer *server = (SpireServer *)machine;
    if (input->kind == INPUT_START) {
        on_start(server, input, actions);
    } else if (input->kind == INPUT_STOP) {
        actions_exit(actions, 0);
    } else if (input->kind == INPUT_REQUEST) {
        switch ((int)input->message->type) {
        case MESSAGE_SPIRE_ENTRY:
            on_entry(server, input, actions);
            break;
        case MESSAGE_SPIRE_SYNC:
            on_sync(server, input, actions);
            break;
        default: /* health checks, signing requests: their cost is the CPU time */
            actions_reply(actions, input->call, message_ok());
        }
    }
}

static void
server_free(Machine *machine)
{
    SpireServer *server = (SpireServer *)machine;
    g_hash_table_unref(server->nodes);
    g_free(server);
}

static const MachineClass server_class = {COMPONENT_SPIRE_SERVER, step, server_free};

Machine *
spire_server_new(const ProcessInfo *info)
{
    SpireServer *server = g_new0(SpireServer, 1);
    server->base.class = &server_class;
    server->base.info = info;
    server->nodes = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, node_entries_free);
    return &server->base;
}
