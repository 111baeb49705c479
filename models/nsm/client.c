/* NSM clients. */
#include "models/nsm/client.h"

#include "models/nsm/connection.h"
#include "models/nsm/heal.h"
#include "models/nsm/nsurl.h"
#include "models/nsm/version.h"
#include "models/spire/spire.h"

#include <string.h>

#define RETRY (200 * NSEC_PER_MSEC)             /* common/retry: interval */
#define REQUEST_TIMEOUT (15 * NSEC_PER_SEC)     /* NSM_REQUEST_TIMEOUT */
#define DIAL_TIMEOUT (5 * NSEC_PER_SEC)         /* NSM_DIAL_TIMEOUT */
#define CLOSE_TIMEOUT (15 * NSEC_PER_SEC)       /* of the Close on SIGTERM */
#define LIVENESS_INTERVAL (200 * NSEC_PER_MSEC) /* cmd-nsc@v1.4.0:internal/config/config.go:48 */
#define LIVENESS_TIMEOUT NSEC_PER_SEC
#define LIVENESS_PACKETS 4 /* sdk-kernel@v1.4.0:pkg/kernel/tools/heal/liveness_check.go */

#define CLIENT_STATES(X)                                                                           \
    X(IDENTITY)                                                                                    \
    X(MONITOR)                                                                                     \
    X(REQUEST)                                                                                     \
    X(PAUSE) /* between two tries */                                                               \
    X(DONE)  /* all URLs are connected; refreshes go on */                                         \
    X(CLOSING)

typedef enum ClientState {
#define X(name) STATE_##name,
    CLIENT_STATES(X)
#undef X
} ClientState;

/* Tags: kind in the low bits, index of the URL above; the upper half of the kinds is heal's. */
enum {
    TAG_MONITOR = 1,
    TAG_REQUEST,
    TAG_PAUSE,
    TAG_REFRESH,
    TAG_CLOSE,
    TAG_HEAL = 8,
    TAG_BITS = 4
};
G_STATIC_ASSERT(TAG_HEAL + HEAL_N_TAGS == 1 << TAG_BITS);

/* The connection of one URL. */
typedef struct Chain {
    Connection *connection; /* NULL: none known */
    nsec_t refresh;         /* the interval between refreshes */
    Heal heal;
} Chain;

typedef struct Client {
    Machine base;
    Svid svid;
    bool init; /* cmd-nsc-init */
    char *name;
    char *manager;
    GArray *urls;     /* NsUrl */
    HealContext heal; /* timeouts, too */
    ClientState state;
    guint current;      /* URL being connected */
    Chain *chains;      /* by URL */
    guint n_closing;    /* Closes that are not answered yet */
    guint n_connected;  /* URLs whose Request has succeeded: the first so many */
    bool monitored;     /* the current URL's MonitorConnections has answered */
    nsec_t monitor_end; /* its deadline; 0: not begun */
    Channel channel;    /* to the manager */
} Client;

static uint64_t
tag_of(int kind, guint url)
{
    return ((uint64_t)url << TAG_BITS) | (uint64_t)kind;
}

/* cmd-nsc names its connections <NSM_NAME>-<i>; the hops behind it tell Pods of the same name apart
 * by ids of their own.  Here ids are made from this one, so the namespace is part of it. */
static const char *
connection_name(const Client *client, guint url, Actions *actions)
{
    return actions_printf(actions, "%s-%u", client->base.info->pod_key, url);
}

static WireKind
wire_of(NsMechanism mechanism)
{
    switch (mechanism) {
    case NS_MECHANISM_KERNEL:
        return WIRE_KERNEL;
    case NS_MECHANISM_MEMIF:
        return WIRE_MEMIF;
    case NS_MECHANISM_VFIO:
        return WIRE_VFIO;
    }
    return WIRE_KERNEL;
}

static Connection *
make_request(Client *client, guint i, nsec_t now, Actions *actions)
{
    nsec_t life = svid_token_life(&client->svid, now, client->heal.token_lifetime);
    if (client->chains[i].connection != NULL) {
        return connection_again(client->chains[i].connection, now, life);
    }
    const NsUrl *url = &g_array_index(client->urls, NsUrl, i);
    Connection *connection = connection_new(connection_name(client, i, actions), url->service);
    connection_advance(connection, client->name, now, life);
    labels_clear(&connection->labels);
    labels_copy(&url->labels, &connection->labels);
    labels_add_client_info(&connection->labels, client->base.info);
    connection->mechanism = wire_of(url->mechanism);
    connection->client.pod = g_strdup(client->base.info->pod_key);
    connection->client.interface =
        url->interface != NULL ? g_strdup(url->interface) : g_strdup_printf("nsm-%u", i + 1);
    return connection;
}

static void
request(Client *client, guint i, nsec_t now, Actions *actions)
{
    if (i >= client->n_connected) {
        actions_trace(actions, TRACE_REQUEST_STARTED, connection_name(client, i, actions),
                      g_array_index(client->urls, NsUrl, i).service);
    }
    Action *call =
        actions_call(actions, client->manager, tag_of(TAG_REQUEST, i),
                     nsm_message(MESSAGE_NSM_REQUEST, make_request(client, i, now, actions)));
    call->timeout = client->heal.request_timeout;
    call->dial_timeout = client->heal.dial_timeout;
    call->flags = CALL_FAIL_FAST;
}

/* The next URL, or the end. */
static void
go_on(Client *client, nsec_t now, Actions *actions)
{
    if (client->current == client->urls->len) {
        client->state = STATE_DONE;
        if (client->init) {
            actions_exit(actions, 0);
        }
        return;
    }
    if (client->init || client->monitored) {
        client->state = STATE_REQUEST;
        request(client, client->current, now, actions);
        return;
    }
    client->state = STATE_MONITOR;
    if (client->monitor_end == 0) {
        client->monitor_end = now + client->heal.request_timeout;
    }
    if (now >= client->monitor_end) {
        actions_trace(actions, TRACE_NOTE, client->base.info->pod_key,
                      "MonitorConnections: deadline exceeded: fatal");
        actions_exit(actions, 1);
        return;
    }
    Connection *ask = connection_new(connection_name(client, client->current, actions), "");
    connection_advance(ask, client->name, now, client->heal.token_lifetime);
    Action *call = actions_open(actions, client->manager, tag_of(TAG_MONITOR, client->current),
                                nsm_message(MESSAGE_NSM_MONITOR, ask));
    call->timeout = client->heal.request_timeout;
    call->dial_timeout = client->heal.dial_timeout;
    call->flags = CALL_FAIL_FAST;
}

static void
pause_for(Client *client, nsec_t delay, Actions *actions)
{
    client->state = STATE_PAUSE;
    actions_timer(actions, TAG_PAUSE, delay);
}

/* The dial is WaitForReady: a manager that cannot be reached is tried again with gRPC's
 * connection back-off, not with the retry element's pause. */
static void
back_off(Client *client, nsec_t now, nsec_t at_most, Actions *actions)
{
    nsec_t delay = channel_refused(&client->channel, now);
    pause_for(client, MIN(delay, at_most), actions);
}

/* The initial event of MonitorConnections, or its failure. */
static void
on_monitored(Client *client, const Input *input, Actions *actions)
{
    if (input->kind == INPUT_CLOSED && input->failure == FAILURE_REFUSED) {
        back_off(client, input->now, client->monitor_end - input->now, actions);
        return;
    }
    if (input->kind == INPUT_CLOSED) { /* fatal (cmd-nsc@v1.4.0:main.go:228-247) */
        actions_trace(
            actions, TRACE_NOTE, client->base.info->pod_key,
            actions_printf(actions, "MonitorConnections: %s: fatal", failure_text(input->failure)));
        actions_exit(actions, 1);
        return;
    }
    channel_ready(&client->channel);
    actions_cancel(actions, input->tag);
    Connection *left = nsm_message_connection(input->message);
    if (left != NULL) { /* by the init container: taken over */
        Chain *chain = &client->chains[client->current];
        connection_unref(chain->connection);
        chain->connection = connection_ref(left);
    }
    client->state = STATE_REQUEST;
    client->monitored = true;
    request(client, client->current, input->now, actions);
}

static void
refresh_later(Client *client, guint i, nsec_t now, Actions *actions)
{
    /* (0.2 + 0.2 * index / len) of the soonest expiry; the client's index is 0 (FACTS 2.4) */
    Chain *chain = &client->chains[i];
    nsec_t left = connection_expires(chain->connection) - now;
    chain->refresh = MAX(left, 0) / 5;
    actions_timer(actions, tag_of(TAG_REFRESH, i), chain->refresh);
}

static void
keep(Client *client, guint i, Connection *answer, nsec_t now, Actions *actions)
{
    Chain *chain = &client->chains[i];
    connection_ref(answer);
    connection_unref(chain->connection);
    chain->connection = answer;
    refresh_later(client, i, now, actions);
}

static void
on_first_connected(Client *client, guint i, nsec_t now, Actions *actions)
{
    const Connection *connection = client->chains[i].connection;
    actions_hold(actions, HOLD_CONNECTION, 1);
    actions_trace(
        actions, TRACE_REQUEST_DONE, actions_string(actions, connection->id),
        actions_printf(actions, "%s via %u segments", connection->service, connection->path->len));
    client->monitored = false;
    client->monitor_end = 0;
    client->n_connected = ++client->current;
    go_on(client, now, actions);
}

static void
on_connected(Client *client, guint i, const Input *input, Actions *actions)
{
    Connection *answer = nsm_message_connection(input->message);
    Chain *chain = &client->chains[i];
    if (client->init) {
        connection_unref(chain->connection);
        chain->connection = connection_ref(answer);
    } else {
        keep(client, i, answer, input->now, actions);
        heal_established(&chain->heal, &client->heal, answer, input->now, actions);
    }
    if (i >= client->n_connected) {
        on_first_connected(client, i, input->now, actions);
    }
}

static void
on_requested(Client *client, guint i, const Input *input, Actions *actions)
{
    if (input->kind == INPUT_REPLY) {
        channel_ready(&client->channel);
    }
    if (input->kind == INPUT_REPLY && input->message->type == MESSAGE_NSM_CONNECTION) {
        on_connected(client, i, input, actions);
        return;
    }
    const char *why = input_problem(input);
    actions_trace(actions, TRACE_REQUEST_FAILED, connection_name(client, i, actions),
                  actions_string(actions, why));
    if (i < client->n_connected) { /* v1.4.0: a failed refresh waits for the next tick */
        Chain *chain = &client->chains[i];
        actions_timer(actions, tag_of(TAG_REFRESH, i), chain->refresh);
        heal_refresh_failed(&chain->heal, &client->heal, input->now, actions);
        return;
    }
    if (input->kind == INPUT_FAILURE && input->failure == FAILURE_REFUSED) {
        back_off(client, input->now, NSEC_NEVER, actions);
    } else {
        pause_for(client, RETRY, actions);
    }
}

/* `begin` serialises: a refresh that is due while the connection heals is left out; the timer is
 * set again when that is done. */
static void
refresh(Client *client, guint i, nsec_t now, Actions *actions)
{
    Heal *heal = &client->chains[i].heal;
    if (!heal_busy(heal)) {
        heal_refresh_begins(heal);
        request(client, i, now, actions);
    }
}

static void
on_heal(Client *client, guint i, const Input *input, Actions *actions)
{
    Chain *chain = &client->chains[i];
    if (heal_step(&chain->heal, &client->heal, input, actions)) {
        keep(client, i, chain->heal.connection, input->now, actions);
    }
}

/* SIGTERM: every connection is closed before the process ends (FACTS 1.11). */
static void
on_stop(Client *client, Actions *actions)
{
    if (client->init || client->n_connected == 0) {
        actions_exit(actions, 0);
        return;
    }
    client->state = STATE_CLOSING;
    for (guint i = 0; i < client->n_connected; i++) {
        heal_stop(&client->chains[i].heal, actions);
        Connection *connection = connection_copy(client->chains[i].connection);
        connection->index = 0;
        Action *call = actions_call(actions, client->manager, tag_of(TAG_CLOSE, i),
                                    nsm_message(MESSAGE_NSM_CLOSE, connection));
        call->timeout = CLOSE_TIMEOUT;
        call->dial_timeout = client->heal.dial_timeout;
        call->flags = CALL_FAIL_FAST;
        client->n_closing++;
    }
}

static void
on_tagged(Client *client, const Input *input, Actions *actions)
{
    guint i = (guint)(input->tag >> TAG_BITS);
    int kind = (int)(input->tag & ((1 << TAG_BITS) - 1));
    if (client->state == STATE_CLOSING) {
        if (kind == TAG_CLOSE && --client->n_closing == 0) {
            actions_exit(actions, 0);
        }
        return;
    }
    if (kind >= TAG_HEAL) {
        on_heal(client, i, input, actions);
        return;
    }
    switch (kind) {
    case TAG_MONITOR:
        on_monitored(client, input, actions);
        break;
    case TAG_REQUEST:
        on_requested(client, i, input, actions);
        break;
    case TAG_PAUSE:
        go_on(client, input->now, actions);
        break;
    case TAG_REFRESH:
        refresh(client, i, input->now, actions);
        break;
    default:
        break;
    }
}

static void
step(Machine *machine, const Input *input, Actions *actions)
{
    Client *client = (Client *)machine;
    if (input->tag == SVID_TAG) {
        if (svid_step(&client->svid, machine->info, input, actions)) {
            go_on(client, input->now, actions);
        }
        return;
    }
    switch ((int)input->kind) {
    case INPUT_START:
        svid_begin(&client->svid, machine->info, actions);
        break;
    case INPUT_REPLY:
    case INPUT_FAILURE:
    case INPUT_TIMER:
    case INPUT_EVENT:
    case INPUT_CLOSED:
    case INPUT_DATAPLANE:
        on_tagged(client, input, actions);
        break;
    case INPUT_REQUEST:
        actions_reply(actions, input->call, message_ok());
        break;
    case INPUT_STOP:
        on_stop(client, actions);
        break;
    default:
        break;
    }
}

static void
client_free(Machine *machine)
{
    Client *client = (Client *)machine;
    for (guint i = 0; i < client->urls->len; i++) {
        connection_unref(client->chains[i].connection);
        heal_clear(&client->chains[i].heal);
    }
    g_free(client->chains);
    g_array_unref(client->urls);
    svid_clear(&client->svid);
    g_free(client->name);
    g_free(client->manager);
    g_free(client);
}

/* A variable of the liveness check: v1.4.0 has no underscores inside its names (FACTS 2.7). */
static char *
liveness_env(const ProcessInfo *info, const char *name)
{
    g_autofree char *newer = g_strdup_printf("NSM_LIVENESS_CHECK_%s", name);
    g_autofree char *older = g_strdup_printf("NSM_LIVENESSCHECK%s", name);
    g_autofree char *fallback = process_env(info, older, NULL);
    return process_env(info, newer, fallback);
}

static nsec_t
liveness_duration(const ProcessInfo *info, const char *name, nsec_t fallback)
{
    g_autofree char *newer = g_strdup_printf("NSM_LIVENESS_CHECK_%s", name);
    g_autofree char *older = g_strdup_printf("NSM_LIVENESSCHECK%s", name);
    return process_duration(info, newer, process_duration(info, older, fallback));
}

/* As Go's strconv.ParseBool. */
static bool
is_false(const char *text)
{
    static const char *const words[] = {"0", "f", "F", "false", "FALSE", "False", NULL};
    return text != NULL && g_strv_contains(words, text);
}

static void
init_heal(Client *client)
{
    const ProcessInfo *info = client->base.info;
    g_autofree char *enabled = liveness_env(info, "ENABLED");
    client->heal = (HealContext){
        .info = info,
        .svid = &client->svid,
        .manager = client->manager,
        .channel = &client->channel,
        .liveness = !is_false(enabled),
        .check = {.interval = liveness_duration(info, "INTERVAL", LIVENESS_INTERVAL),
                  .timeout = liveness_duration(info, "TIMEOUT", LIVENESS_TIMEOUT),
                  .packets = LIVENESS_PACKETS},
        .checks_each_attempt = nsm_heal_checks_each_attempt(process_version(info)),
        .request_timeout = process_duration(info, "NSM_REQUEST_TIMEOUT", REQUEST_TIMEOUT),
        .dial_timeout = process_duration(info, "NSM_DIAL_TIMEOUT", DIAL_TIMEOUT),
        .token_lifetime = process_duration(info, "NSM_MAX_TOKEN_LIFETIME", NSM_TOKEN_LIFETIME)};
}

static Machine *
create(const ProcessInfo *info, const MachineClass *class, bool init)
{
    Client *client = g_new0(Client, 1);
    client->base.class = class;
    client->base.info = info;
    client->init = init;
    svid_init(&client->svid, info);
    client->name = process_env(info, "NSM_NAME", init ? "cmd-nsc-init" : "nsc");
    g_autofree char *url = process_env(info, "NSM_CONNECT_TO", NSM_MANAGER_SOCKET);
    client->manager = process_address(info, url);
    g_autofree char *services = process_env(info, "NSM_NETWORK_SERVICES", "");
    client->urls = *services != '\0' ? ns_url_parse_list(services, NULL) : NULL;
    if (client->urls == NULL) {
        client->urls = g_array_new(false, true, sizeof(NsUrl));
    }
    client->chains = g_new0(Chain, client->urls->len + 1);
    for (guint i = 0; i < client->urls->len; i++) {
        heal_init(&client->chains[i].heal, tag_of(TAG_HEAL, i),
                  wire_of(g_array_index(client->urls, NsUrl, i).mechanism));
    }
    channel_init(&client->channel, info);
    init_heal(client);
    return &client->base;
}

static const MachineClass client_class = {COMPONENT_NSC, step, client_free};
static const MachineClass client_init_class = {COMPONENT_NSC_INIT, step, client_free};

Machine *
client_new(const ProcessInfo *info)
{
    return create(info, &client_class, false);
}

Machine *
client_init_new(const ProcessInfo *info)
{
    return create(info, &client_init_class, true);
}
