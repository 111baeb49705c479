/* NSM clients. */
#include "models/nsm/client.h"

#include "models/nsm/connection.h"
#include "models/nsm/nsurl.h"
#include "models/spire/spire.h"

#include <string.h>

#define RETRY (200 * NSEC_PER_MSEC)         /* common/retry: interval */
#define REQUEST_TIMEOUT (15 * NSEC_PER_SEC) /* NSM_REQUEST_TIMEOUT */
#define DIAL_TIMEOUT (5 * NSEC_PER_SEC)     /* NSM_DIAL_TIMEOUT */
#define CLOSE_TIMEOUT (15 * NSEC_PER_SEC)   /* of the Close on SIGTERM */
#define RECONNECT_FIRST NSEC_PER_SEC        /* grpc back-off: 1 s * 1.6^n, at most 120 s */
#define RECONNECT_MAX (120 * NSEC_PER_SEC)
#define RECONNECT_JITTER 0.2

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

/* Tags: kind in the low bits, index of the URL above. */
enum { TAG_MONITOR = 1, TAG_REQUEST, TAG_PAUSE, TAG_REFRESH, TAG_CLOSE, TAG_BITS = 3 };

typedef struct Client {
    Machine base;
    Svid svid;
    bool init; /* cmd-nsc-init */
    char *name;
    char *manager;
    GArray *urls; /* NsUrl */
    nsec_t request_timeout;
    nsec_t dial_timeout;
    nsec_t token_lifetime;
    ClientState state;
    guint current;            /* URL being connected */
    Connection **connections; /* by URL; NULL: none known */
    nsec_t *refresh;          /* by URL: the interval between refreshes */
    guint n_closing;          /* Closes that are not answered yet */
    guint n_connected;        /* URLs whose Request has succeeded: the first so many */
    bool monitored;           /* the current URL's MonitorConnections has answered */
    nsec_t monitor_end;       /* its deadline; 0: not begun */
    nsec_t reconnect;         /* next pause while the manager cannot be reached */
    RandomStream random;
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
    if (client->connections[i] != NULL) {
        Connection *again = connection_copy(client->connections[i]);
        again->index = 0;
        g_array_index(again->path, PathSegment, 0).expires = now + client->token_lifetime;
        return again;
    }
    const NsUrl *url = &g_array_index(client->urls, NsUrl, i);
    Connection *connection = connection_new(connection_name(client, i, actions), url->service);
    connection_advance(connection, client->name, now, client->token_lifetime);
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
    call->timeout = client->request_timeout;
    call->dial_timeout = client->dial_timeout;
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
        client->monitor_end = now + client->request_timeout;
    }
    if (now >= client->monitor_end) {
        actions_trace(actions, TRACE_NOTE, client->base.info->pod_key,
                      "MonitorConnections: deadline exceeded: fatal");
        actions_exit(actions, 1);
        return;
    }
    Connection *ask = connection_new(connection_name(client, client->current, actions), "");
    connection_advance(ask, client->name, now, client->token_lifetime);
    Action *call = actions_call(actions, client->manager, tag_of(TAG_MONITOR, client->current),
                                nsm_message(MESSAGE_NSM_MONITOR, ask));
    call->timeout = client->request_timeout;
    call->dial_timeout = client->dial_timeout;
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
back_off(Client *client, nsec_t at_most, Actions *actions)
{
    double jitter = 1 + RECONNECT_JITTER * (2 * random_uniform(&client->random) - 1);
    nsec_t delay = (nsec_t)((double)client->reconnect * jitter);
    pause_for(client, MIN(delay, at_most), actions);
    client->reconnect = MIN(client->reconnect * 8 / 5, RECONNECT_MAX);
}

static void
on_monitored(Client *client, const Input *input, Actions *actions)
{
    if (input->kind == INPUT_FAILURE && input->failure == FAILURE_REFUSED) {
        back_off(client, client->monitor_end - input->now, actions);
        return;
    }
    if (input->kind == INPUT_FAILURE) { /* fatal (cmd-nsc@v1.4.0:main.go:228-247) */
        actions_trace(
            actions, TRACE_NOTE, client->base.info->pod_key,
            actions_printf(actions, "MonitorConnections: %s: fatal", failure_text(input->failure)));
        actions_exit(actions, 1);
        return;
    }
    if (input->message->type == MESSAGE_NSM_EVENT) { /* left by the init container: taken over */
        connection_unref(client->connections[client->current]);
        client->connections[client->current] =
            connection_ref(nsm_message_connection(input->message));
    }
    client->state = STATE_REQUEST;
    client->monitored = true;
    request(client, client->current, input->now, actions);
}

static void
refresh_later(Client *client, guint i, nsec_t now, Actions *actions)
{
    /* (0.2 + 0.2 * index / len) of the soonest expiry; the client's index is 0 (FACTS 2.4) */
    nsec_t left = connection_expires(client->connections[i]) - now;
    client->refresh[i] = left / 5;
    actions_timer(actions, tag_of(TAG_REFRESH, i), client->refresh[i]);
}

static void
on_connected(Client *client, guint i, const Input *input, Actions *actions)
{
    bool first = i >= client->n_connected;
    connection_unref(client->connections[i]);
    client->connections[i] = connection_ref(nsm_message_connection(input->message));
    client->reconnect = RECONNECT_FIRST;
    if (!client->init) {
        refresh_later(client, i, input->now, actions);
    }
    if (first) {
        const Connection *connection = client->connections[i];
        actions_hold(actions, HOLD_CONNECTION, 1);
        actions_trace(actions, TRACE_REQUEST_DONE, actions_string(actions, connection->id),
                      actions_printf(actions, "%s via %u segments", connection->service,
                                     connection->path->len));
        client->monitored = false;
        client->monitor_end = 0;
        client->n_connected = ++client->current;
        go_on(client, input->now, actions);
    }
}

static void
on_requested(Client *client, guint i, const Input *input, Actions *actions)
{
    if (input->kind == INPUT_REPLY && input->message->type == MESSAGE_NSM_CONNECTION) {
        on_connected(client, i, input, actions);
        return;
    }
    const char *why = input_problem(input);
    actions_trace(actions, TRACE_REQUEST_FAILED, connection_name(client, i, actions),
                  actions_string(actions, why));
    if (i < client->n_connected) { /* v1.4.0: a failed refresh waits for the next tick */
        actions_timer(actions, tag_of(TAG_REFRESH, i), client->refresh[i]);
        return;
    }
    if (input->kind == INPUT_FAILURE && input->failure == FAILURE_REFUSED) {
        back_off(client, NSEC_NEVER, actions);
    } else {
        pause_for(client, RETRY, actions);
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
        Connection *connection = connection_copy(client->connections[i]);
        connection->index = 0;
        Action *call = actions_call(actions, client->manager, tag_of(TAG_CLOSE, i),
                                    nsm_message(MESSAGE_NSM_CLOSE, connection));
        call->timeout = CLOSE_TIMEOUT;
        call->dial_timeout = client->dial_timeout;
        client->n_closing++;
    }
}

static void
on_tagged(Client *client, const Input *input, Actions *actions)
{
    guint i = (guint)(input->tag >> TAG_BITS);
    bool closed = (input->tag & ((1 << TAG_BITS) - 1)) == TAG_CLOSE;
    if (client->state == STATE_CLOSING) {
        if (closed && --client->n_closing == 0) {
            actions_exit(actions, 0);
        }
        return;
    }
    switch (input->tag & ((1 << TAG_BITS) - 1)) {
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
        request(client, i, input->now, actions);
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
        connection_unref(client->connections[i]);
    }
    g_free(client->connections);
    g_free(client->refresh);
    g_array_unref(client->urls);
    svid_clear(&client->svid);
    g_free(client->name);
    g_free(client->manager);
    g_free(client);
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
    client->connections = g_new0(Connection *, client->urls->len + 1);
    client->refresh = g_new0(nsec_t, client->urls->len + 1);
    process_random(info, "reconnect", &client->random);
    client->request_timeout = process_duration(info, "NSM_REQUEST_TIMEOUT", REQUEST_TIMEOUT);
    client->dial_timeout = process_duration(info, "NSM_DIAL_TIMEOUT", DIAL_TIMEOUT);
    client->token_lifetime = process_duration(info, "NSM_MAX_TOKEN_LIFETIME", NSM_TOKEN_LIFETIME);
    client->reconnect = RECONNECT_FIRST;
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
