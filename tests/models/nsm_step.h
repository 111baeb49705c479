/* One machine of NSM or SPIRE alone: inputs in, actions out, no world.
 *
 * A test makes the machine in a Pod "ns/pod" on the node "node-a" (IP 10.0.0.1), gives it one input
 * at a time and looks at the actions of that step: one by one, or all of them as text (`did`).  The
 * calibration is the testbed's with constant latencies. */
#pragma once

#include "models/nsm/connection.h"
#include "models/spire/spire.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define AGENT "unix:node-a:/run/spire/sockets/agent.sock"
#define SOCKET "unix:node-a:/var/lib/networkservicemesh/nsm.io.sock"
#define SECONDS(n) ((n)*NSEC_PER_SEC)
#define MSECONDS(n) ((n)*NSEC_PER_MSEC)

typedef struct Subject {
    Calibration *calibration;
    GPtrArray *kept; /* GPtrArray of Object: what was decoded for this test */
    ProcessInfo info;
    Machine *machine;
    Actions actions;     /* of the last step */
    nsec_t now;          /* time of the next input */
    int64_t connections; /* held, all steps together */
    int64_t endpoints;
    GString *text;
} Subject;

static Subject subject; /* of the running test */

/* ---- the machine's surroundings ---- */

static inline void
calibrate(const char *key, const char *value)
{
    g_autoptr(GError) error = NULL;
    bool done = calibration_set(subject.calibration, key, value, &error);
    ck_assert_msg(done, "%s", error != NULL ? error->message : "");
}

static inline void
subject_setup(void)
{
    g_autoptr(GError) error = NULL;
    subject = (Subject){0};
    subject.calibration = calibration_load("configs/testbed-2022.yaml", &error);
    ck_assert_msg(subject.calibration != NULL, "%s", error != NULL ? error->message : "");
    calibrate("vpp.boot", "1s");
    subject.kept = g_ptr_array_new_with_free_func((GDestroyNotify)g_ptr_array_unref);
    subject.text = g_string_new(NULL);
    subject.now = SECONDS(1000);
    subject.info = (ProcessInfo){.name = "ns/pod/c",
                                 .node = "node-a",
                                 .ns = "ns",
                                 .pod = "pod",
                                 .pod_key = "ns/pod",
                                 .pod_ip = "10.0.0.1",
                                 .node_ip = "192.168.0.1",
                                 .pod_uid = 7,
                                 .calibration = subject.calibration,
                                 .seed = 1};
    actions_init(&subject.actions);
}

static inline void
drop_machine(void)
{
    actions_reset(&subject.actions);
    if (subject.machine != NULL) {
        subject.machine->class->free(subject.machine);
    }
    subject.machine = NULL;
    subject.connections = subject.endpoints = 0;
}

static inline void
subject_teardown(void)
{
    drop_machine();
    actions_clear(&subject.actions);
    g_string_free(subject.text, true);
    g_ptr_array_unref(subject.kept);
    calibration_free(subject.calibration);
}

/* Decodes YAML that must be right; the objects live as long as the test. */
static inline GPtrArray *
decode(const char *yaml)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) trees = tree_parse_text(yaml, strlen(yaml), "t.yaml", &error);
    GPtrArray *objects = trees != NULL ? objects_decode(trees, NULL, &error) : NULL;
    ck_assert_msg(objects != NULL, "%s in\n%s", error != NULL ? error->message : "", yaml);
    g_ptr_array_add(subject.kept, objects);
    return objects;
}

/* A NetworkService from its spec as a flow mapping: "{payload: IP, matches: [...]}". */
static inline const NetworkServiceSpec *
network_service(const char *spec)
{
    g_autofree char *yaml = g_strdup_printf("apiVersion: networkservicemesh.io/v1\n"
                                            "kind: NetworkService\n"
                                            "metadata: {name: svc}\n"
                                            "spec: %s\n",
                                            spec);
    return ((const Object *)g_ptr_array_index(decode(yaml), 0))->network_service;
}

/* Makes the machine; `env` is a list of flow mappings: "{name: A, value: b}, ...".  A machine
 * that this test has made before ends. */
static inline void
make_machine(Machine *(*make)(const ProcessInfo *info), const char *image, const char *env)
{
    drop_machine();
    g_autofree char *yaml =
        g_strdup_printf("apiVersion: v1\n"
                        "kind: Pod\n"
                        "metadata: {name: pod, namespace: ns}\n"
                        "spec:\n"
                        "  containers:\n"
                        "  - name: c\n"
                        "    image: \"%s\"\n"
                        "    env: [%s]\n"
                        "    volumeMounts:\n"
                        "    - {name: nsm, mountPath: /var/lib/networkservicemesh}\n"
                        "    - {name: spire, mountPath: /run/spire/sockets}\n"
                        "  volumes:\n"
                        "  - {name: nsm, hostPath: {path: /var/lib/networkservicemesh}}\n"
                        "  - {name: spire, hostPath: {path: /run/spire/sockets}}\n",
                        image, env);
    subject.info.pod_spec = ((const Object *)g_ptr_array_index(decode(yaml), 0))->pod;
    subject.info.container = &subject.info.pod_spec->containers[0];
    subject.machine = make(&subject.info);
}

/* ---- inputs ---- */

static inline void
give(Input input)
{
    actions_reset(&subject.actions);
    input.now = subject.now;
    machine_step(subject.machine, &input, &subject.actions);
    for (guint i = 0; i < subject.actions.items->len; i++) {
        const Action *action = &g_array_index(subject.actions.items, Action, i);
        if (action->kind == ACTION_HOLD) {
            *(action->hold == HOLD_CONNECTION ? &subject.connections : &subject.endpoints) +=
                action->value;
        }
    }
}

static inline void
start(void)
{
    give((Input){.kind = INPUT_START});
}

static inline void
request(uint64_t call, void *take_message)
{
    give((Input){.kind = INPUT_REQUEST, .call = call, .message = take_message});
    message_unref(take_message);
}

static inline void
reply(uint64_t tag, void *take_message)
{
    give((Input){.kind = INPUT_REPLY, .tag = tag, .message = take_message});
    message_unref(take_message);
}

static inline void
failure(uint64_t tag, Failure why)
{
    give((Input){.kind = INPUT_FAILURE, .tag = tag, .failure = why});
}

static inline void
cancelled(uint64_t call)
{
    give((Input){.kind = INPUT_CANCELLED, .call = call});
}

/* A stream that somebody opens to the machine, and its end. */
static inline void
opened(uint64_t call, void *take_message)
{
    give((Input){.kind = INPUT_OPENED, .call = call, .message = take_message});
    message_unref(take_message);
}

static inline void
left(uint64_t call)
{
    give((Input){.kind = INPUT_CLOSED, .call = call, .failure = FAILURE_PEER_GONE});
}

/* What comes on a stream of the machine's own, and its end. */
static inline void
event(uint64_t tag, void *take_message)
{
    give((Input){.kind = INPUT_EVENT, .tag = tag, .message = take_message});
    message_unref(take_message);
}

static inline void
broken(uint64_t tag, Failure why)
{
    give((Input){.kind = INPUT_CLOSED, .tag = tag, .failure = why});
}

static inline void
fire(uint64_t tag)
{
    give((Input){.kind = INPUT_TIMER, .tag = tag});
}

static inline void
worked(uint64_t tag)
{
    give((Input){.kind = INPUT_WORK, .tag = tag});
}

static inline void
programmed(uint64_t tag, const char *error)
{
    give((Input){.kind = INPUT_DATAPLANE, .tag = tag, .error = error});
}

/* ---- actions of the last step ---- */

static inline guint
n_actions(ActionKind kind)
{
    guint n = 0;
    for (guint i = 0; i < subject.actions.items->len; i++) {
        n += g_array_index(subject.actions.items, Action, i).kind == kind;
    }
    return n;
}

/* The `index`th action of this kind; it must be there. */
static inline const Action *
action_at(ActionKind kind, guint index)
{
    for (guint i = 0; i < subject.actions.items->len; i++) {
        const Action *action = &g_array_index(subject.actions.items, Action, i);
        if (action->kind == kind && index-- == 0) {
            return action;
        }
    }
    ck_abort_msg("action %d is not there", (int)kind);
    return NULL;
}

/* The only action of this kind. */
static inline const Action *
only(ActionKind kind)
{
    ck_assert_uint_eq(n_actions(kind), 1);
    return action_at(kind, 0);
}

/* The only call, which must be of this type. */
static inline const Action *
call_of(MessageType type)
{
    const Action *call = only(ACTION_CALL);
    ck_assert_str_eq(message_type_name(call->message->type), message_type_name(type));
    return call;
}

/* The only stream that was opened, which must be of this type. */
static inline const Action *
stream_of(MessageType type)
{
    const Action *stream = only(ACTION_OPEN);
    ck_assert_str_eq(message_type_name(stream->message->type), message_type_name(type));
    return stream;
}

/* The only event that was pushed, on the stream `call`. */
static inline const Message *
pushed(uint64_t call, NsmEventKind kind)
{
    const Action *push = only(ACTION_PUSH);
    ck_assert_uint_eq(push->call, call);
    ck_assert_int_eq(push->message->type, MESSAGE_NSM_EVENT);
    ck_assert_int_eq(nsm_event_kind(push->message), kind);
    return push->message;
}

/* The answer to `call`, which must be of this type. */
static inline const Message *
answer_of(uint64_t call, MessageType type)
{
    const Action *answer = only(ACTION_REPLY);
    ck_assert_uint_eq(answer->call, call);
    ck_assert_msg(answer->message->type == type, "%s: %s", message_type_name(answer->message->type),
                  message_error_text(answer->message));
    return answer->message;
}

static inline const Connection *
connection_of(const Action *action)
{
    return nsm_message_connection(action->message);
}

static inline const RegistryQuery *
query_of(const Action *call)
{
    return (const RegistryQuery *)call->message;
}

/* The answer to `call` must be an error that holds these words. */
static inline void
assert_error(uint64_t call, const char *words)
{
    const char *text = message_error_text(answer_of(call, MESSAGE_ERROR));
    ck_assert_msg(strstr(text, words) != NULL, "\"%s\" is not in: %s", words, text);
}

static inline bool
traced(TraceMark mark, const char *words)
{
    for (guint i = 0; i < n_actions(ACTION_TRACE); i++) {
        const Action *trace = action_at(ACTION_TRACE, i);
        const char *detail = trace->text != NULL ? trace->text : "";
        if (trace->mark == mark && strstr(detail, words) != NULL) {
            return true;
        }
    }
    return false;
}

static inline void
describe_dataplane(const DataPlaneOp *op)
{
    static const char *const names[] = {"interface", "direct", "tunnel", "cross-connect",
                                        "remove",    "check",  "watch"};
    if (op->kind == DATAPLANE_WATCH) {
        g_string_append_printf(subject.text, "watch %s", op->pod);
        return;
    }
    if (op->kind == DATAPLANE_CHECK) {
        g_string_append_printf(subject.text, "check %s%s", op->pod_port,
                               op->check.repeat ? " repeatedly" : "");
        return;
    }
    g_string_append_printf(subject.text, "%s %s", names[op->kind], wire_kind_name(op->wire));
    const char *const parts[] = {op->port, op->pod_port, op->peer, op->peer_node};
    for (guint i = 0; i < G_N_ELEMENTS(parts); i++) {
        if (parts[i] != NULL) {
            g_string_append_printf(subject.text, " %s", parts[i]);
        }
    }
}

static inline void
describe(const Action *action)
{
    GString *text = subject.text;
    g_autofree char *delay = nsec_format(action->delay);
    switch ((int)action->kind) {
    case ACTION_CALL:
    case ACTION_OPEN:
        g_string_append_printf(text, "%s at %s", message_type_name(action->message->type),
                               action->address);
        break;
    case ACTION_CANCEL:
        g_string_append(text, "cancel");
        break;
    case ACTION_PUSH:
        g_string_append_printf(text, "push %u %s", (guint)action->call,
                               message_type_name(action->message->type));
        break;
    case ACTION_CLOSE:
        g_string_append_printf(text, "close %u", (guint)action->call);
        break;
    case ACTION_STOP_DATAPLANE:
        g_string_append(text, "stop");
        break;
    case ACTION_REPLY:
        g_string_append_printf(text, "answer %u %s", (guint)action->call,
                               message_type_name(action->message->type));
        break;
    case ACTION_TIMER:
        g_string_append_printf(text, "timer %s", delay);
        break;
    case ACTION_WORK:
        g_string_append_printf(text, "work %s", message_type_name(action->work));
        break;
    case ACTION_LISTEN:
        g_string_append_printf(text, "listen %s", action->address);
        break;
    case ACTION_DATAPLANE:
        describe_dataplane(&action->dataplane);
        break;
    case ACTION_EXIT:
        g_string_append_printf(text, "exit %d", action->exit_code);
        break;
    default:
        g_string_append_printf(text, "action %d", (int)action->kind);
    }
}

/* What the last step did, without traces, what is held, and stopped timers: "listen a; ...". */
static inline const char *
did(void)
{
    g_string_truncate(subject.text, 0);
    for (guint i = 0; i < subject.actions.items->len; i++) {
        const Action *action = &g_array_index(subject.actions.items, Action, i);
        if (action->kind != ACTION_TRACE && action->kind != ACTION_HOLD &&
            action->kind != ACTION_STOP_TIMER) {
            g_string_append(subject.text, subject.text->len > 0 ? "; " : "");
            describe(action);
        }
    }
    return subject.text->str;
}

/* ---- messages ---- */

static inline void *
svid(void)
{
    SpireSvid *message = message_new(MESSAGE_SPIRE_SVID, sizeof *message, NULL);
    message->expires = subject.now + SECONDS(3600);
    return message;
}

/* A registered endpoint with labels "k:v,...". */
static inline NseRecord *
record(const char *name, const char *services, const char *url, const char *labels)
{
    NseRecord *nse = nse_record_new(name);
    g_strfreev(nse->services);
    nse->services = g_strsplit(services, ",", -1);
    nse->url = g_strdup(url);
    ck_assert(labels_parse_env(labels, &nse->labels, NULL));
    return nse;
}

/* An answer to a Find, to be filled with found_add. */
static inline RegistryFound *
found(const NetworkServiceSpec *service)
{
    RegistryFound *message = registry_found_new();
    message->service = service;
    return message;
}

static inline RegistryFound *
found_one(NseRecord *take_record)
{
    RegistryFound *message = registry_found_new();
    g_ptr_array_add(message->records, take_record);
    return message;
}

static inline RegistryFound *
found_two(NseRecord *take_first, NseRecord *take_second)
{
    RegistryFound *message = found_one(take_first);
    g_ptr_array_add(message->records, take_second);
    return message;
}

/* What cmd-nsc "nsc" sends: one segment, kernel interface nsm-1 in the Pod "ns/client". */
static inline Connection *
client_connection(const char *id, const char *service)
{
    Connection *connection = connection_new(id, service);
    connection_advance(connection, "nsc", subject.now, NSM_TOKEN_LIFETIME);
    connection->mechanism = WIRE_KERNEL;
    connection->client.pod = g_strdup("ns/client");
    connection->client.interface = g_strdup("nsm-1");
    return connection;
}

/* ---- the program ---- */

/* Runs the tests; and, when VWIRE_DISABLED is set, those that show a known fault of the source. */
static inline int
run_tests(const char *name, const TTest *const *tests, guint n, const TTest *const *disabled,
          guint n_disabled)
{
    Suite *suite = suite_create(name);
    TCase *tcase = tcase_create(name);
    tcase_add_checked_fixture(tcase, subject_setup, subject_teardown);
    for (guint i = 0; i < n; i++) {
        tcase_add_test(tcase, tests[i]);
    }
    for (guint i = 0; g_getenv("VWIRE_DISABLED") != NULL && i < n_disabled; i++) {
        tcase_add_test(tcase, disabled[i]);
    }
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
