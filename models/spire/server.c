/* spire-server: entries, and the cache of them that agents are answered from.
 *
 * A restarted server has no entries (its database is not modelled); the registrar, which keeps a
 * stream open to notice, enters them again.  In the meantime agents keep what they have: they are
 * told only of what was removed here. */
#include "models/spire/spire.h"

typedef struct Entry {
    uint64_t uid;
    nsec_t visible; /* when the cache has it, or its removal */
    bool removed;   /* kept until the agent knows */
} Entry;

typedef struct SpireServer {
    Machine base;
    nsec_t cache_phase;
    nsec_t cache_period;
    GHashTable *nodes; /* node -> GArray of Entry, in the order of creation */
} SpireServer;

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

static GArray *
entries_of(SpireServer *server, const char *node)
{
    GArray *entries = g_hash_table_lookup(server->nodes, node);
    if (entries == NULL) {
        entries = g_array_new(false, false, sizeof(Entry));
        g_hash_table_insert(server->nodes, g_strdup(node), entries);
    }
    return entries;
}

static Entry *
find_entry(const GArray *entries, uint64_t uid)
{
    for (guint i = 0; i < entries->len; i++) {
        Entry *entry = &g_array_index(entries, Entry, i);
        if (entry->uid == uid) {
            return entry;
        }
    }
    return NULL;
}

/* Created, or removed; the registrar may say either twice. */
static void
on_entry(SpireServer *server, const Input *input, Actions *actions)
{
    const SpireMessage *message = (const SpireMessage *)input->message;
    GArray *entries = entries_of(server, message->node);
    Entry *known = find_entry(entries, message->pod_uid);
    Entry entry = {message->pod_uid, next_rebuild(server, input->now), message->removed};
    bool held = known != NULL && !known->removed;
    if (known == NULL) {
        g_array_append_val(entries, entry);
    } else if (known->removed != entry.removed) {
        *known = entry;
    }
    actions_hold(actions, HOLD_ENDPOINT, (message->removed ? 0 : 1) - (held ? 1 : 0));
    actions_reply(actions, input->call, message_ok());
}

static void
on_sync(SpireServer *server, const Input *input, Actions *actions)
{
    const SpireSync *sync = (const SpireSync *)input->message;
    SpireEntries *answer = spire_entries();
    GArray *entries = entries_of(server, sync->node);
    for (guint i = 0; i < entries->len; i++) {
        const Entry *entry = &g_array_index(entries, Entry, i);
        bool known = spire_has(sync->known, entry->uid);
        if (entry->visible > input->now) {
            continue;
        }
        if (entry->removed && !known) { /* nobody has it any more */
            g_array_remove_index(entries, i--);
        } else if (entry->removed != !known) {
            g_array_append_val(entry->removed ? answer->removed : answer->uids, entry->uid);
        }
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
    } else if (input->kind == INPUT_OPENED) { /* the registrar's stream: it may enter what it has */
        actions_push(actions, input->call, message_ok());
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
    server->nodes =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_array_unref);
    return &server->base;
}
