/* A machine alone: inputs in, actions out, in virtual time.
 *
 * A Bench steps one machine, keeps its timers and notes every other action with the time of its
 * step.  Nothing answers by itself: a test reads the notes and gives inputs, or sets `respond`,
 * which is called for each action in order and schedules what the world would answer.  Inputs that
 * are due together happen in the order in which they were scheduled.
 *
 * The calibration is the testbed's; tests make constant what they measure (bench_set). */
#pragma once

#include "models/k8s/api.h"
#include "models/k8s/node.h"

#include <check.h>
#include <string.h>

#define BENCH_CALIBRATION "configs/testbed-2022.yaml"

/* An action that a step left. */
typedef struct Done {
    nsec_t at;     /* of the step */
    nsec_t leaves; /* the same, and the action's own delay */
    Action action; /* the message: a reference; strings: copies */
} Done;

typedef struct Due {
    nsec_t at;
    uint64_t order;
    Input input; /* the message: a reference */
} Due;

typedef struct Bench Bench;
struct Bench {
    ProcessInfo info;
    Calibration *calibration;
    Machine *machine;
    nsec_t now;
    uint64_t last_order;
    GPtrArray *due;     /* Due * */
    GPtrArray *done;    /* Done *, in order */
    GPtrArray *decoded; /* GPtrArray of Object *: manifests of this test */
    GPtrArray *objects; /* ApiObject *: references that the test keeps */
    GStringChunk *strings;
    void (*respond)(Bench *bench, const Done *done);
};

static inline void
bench_done_free(void *data)
{
    Done *done = data;
    message_unref(done->action.message);
    g_free(done);
}

static inline void
bench_due_free(void *data)
{
    Due *due = data;
    message_unref((void *)due->input.message);
    g_free(due);
}

static inline void
bench_init(Bench *bench, Component component, const char *node)
{
    g_autoptr(GError) error = NULL;
    memset(bench, 0, sizeof *bench);
    bench->calibration = calibration_load(BENCH_CALIBRATION, &error);
    ck_assert_msg(bench->calibration != NULL, "%s", error != NULL ? error->message : "");
    bench->info = (ProcessInfo){.component = component,
                                .name = component_name(component),
                                .node = node,
                                .ns = "",
                                .pod_key = component_name(component),
                                .pod_ip = "192.168.0.1",
                                .node_ip = "192.168.0.1",
                                .calibration = bench->calibration,
                                .seed = 1};
    bench->due = g_ptr_array_new_with_free_func(bench_due_free);
    bench->done = g_ptr_array_new_with_free_func(bench_done_free);
    bench->decoded = g_ptr_array_new_with_free_func((GDestroyNotify)g_ptr_array_unref);
    bench->objects = g_ptr_array_new_with_free_func((GDestroyNotify)api_object_unref);
    bench->strings = g_string_chunk_new(1024);
}

/* Objects go before the manifests whose specs they show. */
static inline void
bench_clear(Bench *bench)
{
    if (bench->machine != NULL) {
        bench->machine->class->free(bench->machine);
    }
    g_ptr_array_unref(bench->due);
    g_ptr_array_unref(bench->done);
    g_ptr_array_unref(bench->objects);
    g_ptr_array_unref(bench->decoded);
    g_string_chunk_free(bench->strings);
    calibration_free(bench->calibration);
}

/* Before the machine is made: some read their constants then. */
static inline void
bench_set(Bench *bench, const char *key, const char *value)
{
    g_autoptr(GError) error = NULL;
    bool done = calibration_set(bench->calibration, key, value, &error);
    ck_assert_msg(done, "%s", error != NULL ? error->message : "");
}

static inline const char *
bench_string(Bench *bench, const char *text)
{
    return text != NULL ? g_string_chunk_insert(bench->strings, text) : NULL;
}

/* ---- time ---- */

/* Schedules an input; the message is taken. */
static inline void
bench_later(Bench *bench, nsec_t at, const Input *input, void *take_message)
{
    Due *due = g_new0(Due, 1);
    due->at = at;
    due->order = ++bench->last_order;
    due->input = *input;
    due->input.message = take_message;
    g_ptr_array_add(bench->due, due);
}

static inline void
bench_stop_timer(Bench *bench, uint64_t tag)
{
    for (guint i = bench->due->len; i > 0; i--) {
        const Due *due = bench->due->pdata[i - 1];
        if (due->input.kind == INPUT_TIMER && due->input.tag == tag) {
            g_ptr_array_remove_index(bench->due, i - 1);
        }
    }
}

static inline void
bench_note(Bench *bench, const Action *action)
{
    if (action->kind == ACTION_TIMER || action->kind == ACTION_STOP_TIMER) {
        bench_stop_timer(bench, action->tag);
        if (action->kind == ACTION_TIMER) {
            ck_assert_msg(action->delay >= 0, "a timer that goes back in time");
            bench_later(bench, bench->now + action->delay,
                        &(Input){.kind = INPUT_TIMER, .tag = action->tag}, NULL);
        }
        return;
    }
    Done *done = g_new0(Done, 1);
    *done = (Done){bench->now, bench->now + action->delay, *action};
    done->action.address = bench_string(bench, action->address);
    done->action.text = bench_string(bench, action->text);
    if (action->message != NULL) {
        message_ref(action->message);
    }
    if (action->kind == ACTION_RUNTIME) {
        done->action.runtime.ns = bench_string(bench, action->runtime.ns);
        done->action.runtime.pod = bench_string(bench, action->runtime.pod);
        done->action.runtime.pod_ip = bench_string(bench, action->runtime.pod_ip);
    }
    if (action->kind == ACTION_INJECT) {
        done->action.fault.node = bench_string(bench, action->fault.node);
        done->action.fault.peer_node = bench_string(bench, action->fault.peer_node);
        done->action.fault.pod_port = bench_string(bench, action->fault.pod_port);
    }
    g_ptr_array_add(bench->done, done);
}

/* One step now; the message is borrowed. */
static inline void
bench_step(Bench *bench, Input input)
{
    Actions actions;
    actions_init(&actions);
    input.now = bench->now;
    machine_step(bench->machine, &input, &actions);
    guint first = bench->done->len;
    for (guint i = 0; i < actions.items->len; i++) {
        bench_note(bench, &g_array_index(actions.items, Action, i));
    }
    actions_clear(&actions);
    for (guint i = first; bench->respond != NULL && i < bench->done->len; i++) {
        bench->respond(bench, bench->done->pdata[i]);
    }
}

/* One step now; the message is taken. */
static inline void
bench_give(Bench *bench, Input input, void *take_message)
{
    input.message = take_message;
    bench_step(bench, input);
    message_unref(take_message);
}

static inline void
bench_start(Bench *bench, Machine *take_machine)
{
    bench->machine = take_machine;
    bench_step(bench, (Input){.kind = INPUT_START});
}

/* When the next input is due; NSEC_NEVER: none is. */
static inline nsec_t
bench_next_at(const Bench *bench)
{
    nsec_t at = NSEC_NEVER;
    for (guint i = 0; i < bench->due->len; i++) {
        at = MIN(at, ((const Due *)bench->due->pdata[i])->at);
    }
    return at;
}

/* Gives the next input that is due; there must be one. */
static inline void
bench_next(Bench *bench)
{
    guint best = 0;
    ck_assert_msg(bench->due->len > 0, "nothing is due any more");
    for (guint i = 1; i < bench->due->len; i++) {
        const Due *due = bench->due->pdata[i];
        const Due *least = bench->due->pdata[best];
        if (due->at < least->at || (due->at == least->at && due->order < least->order)) {
            best = i;
        }
    }
    Due *due = g_ptr_array_steal_index(bench->due, best);
    ck_assert_int_ge(due->at, bench->now);
    bench->now = due->at;
    bench_step(bench, due->input);
    bench_due_free(due);
}

/* Gives all inputs that are due until then, then included, and stops at that time. */
static inline void
bench_run_until(Bench *bench, nsec_t until)
{
    for (guint n = 0; bench_next_at(bench) <= until; n++) {
        ck_assert_msg(n < 100000, "the machine turns in a circle");
        bench_next(bench);
    }
    bench->now = until;
}

static inline void
bench_run_for(Bench *bench, nsec_t time)
{
    bench_run_until(bench, bench->now + time);
}

/* ---- what was done ---- */

static inline void
bench_forget(Bench *bench)
{
    g_ptr_array_set_size(bench->done, 0);
}

static inline bool
bench_is(const Done *done, ActionKind kind, MessageType type)
{
    const Message *message = done->action.message;
    return done->action.kind == kind &&
           (type == MESSAGE_NONE || (message != NULL && message->type == type));
}

/* The n-th such action (from 0) with such a message (NONE: any, or none); NULL: there is none. */
static inline const Done *
bench_nth(const Bench *bench, ActionKind kind, MessageType type, guint n)
{
    for (guint i = 0; i < bench->done->len; i++) {
        const Done *done = bench->done->pdata[i];
        if (bench_is(done, kind, type) && n-- == 0) {
            return done;
        }
    }
    return NULL;
}

static inline guint
bench_count(const Bench *bench, ActionKind kind, MessageType type)
{
    guint n = 0;
    for (guint i = 0; i < bench->done->len; i++) {
        n += bench_is(bench->done->pdata[i], kind, type);
    }
    return n;
}

/* The last such action; NULL: there is none. */
static inline const Done *
bench_last(const Bench *bench, ActionKind kind, MessageType type)
{
    guint n = bench_count(bench, kind, type);
    return n > 0 ? bench_nth(bench, kind, type, n - 1) : NULL;
}

/* The n-th call with that message must be there. */
static inline const Done *
bench_call(const Bench *bench, MessageType type, guint n)
{
    const Done *done = bench_nth(bench, ACTION_CALL, type, n);
    ck_assert_msg(done != NULL, "there is no call %s number %u", message_type_name(type), n);
    return done;
}

static inline guint
bench_calls(const Bench *bench, MessageType type)
{
    return bench_count(bench, ACTION_CALL, type);
}

/* The last mark of that kind and subject (NULL: any); NULL: there is none. */
static inline const Done *
bench_mark(const Bench *bench, TraceMark mark, const char *subject)
{
    for (guint i = bench->done->len; i > 0; i--) {
        const Done *done = bench->done->pdata[i - 1];
        if (done->action.kind == ACTION_TRACE && done->action.mark == mark &&
            (subject == NULL || g_str_equal(done->action.address, subject))) {
            return done;
        }
    }
    return NULL;
}

/* ---- answers ---- */

static inline void
bench_reply(Bench *bench, uint64_t tag, void *take_message)
{
    bench_give(bench, (Input){.kind = INPUT_REPLY, .tag = tag}, take_message);
}

static inline void
bench_fail(Bench *bench, uint64_t tag, Failure failure)
{
    bench_step(bench, (Input){.kind = INPUT_FAILURE, .tag = tag, .failure = failure});
}

/* Answers a call `latency` after it has left. */
static inline void
bench_reply_later(Bench *bench, const Done *call, nsec_t latency, void *take_message)
{
    bench_later(bench, call->leaves + latency,
                &(Input){.kind = INPUT_REPLY, .tag = call->action.tag}, take_message);
}

/* ---- objects ---- */

/* Manifests of the test, which live until bench_clear: Object *. */
static inline const GPtrArray *
bench_decode(Bench *bench, const char *yaml)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) trees = tree_parse_text(yaml, strlen(yaml), "test.yaml", &error);
    ck_assert_msg(trees != NULL, "%s", error != NULL ? error->message : "");
    GPtrArray *objects = objects_decode(trees, NULL, &error);
    ck_assert_msg(objects != NULL, "%s", error != NULL ? error->message : "");
    ck_assert_uint_gt(objects->len, 0);
    g_ptr_array_add(bench->decoded, objects);
    return objects;
}

/* The object of one manifest, as kubectl makes it; the bench keeps the reference. */
static inline ApiObject *
bench_object(Bench *bench, const char *yaml)
{
    const Object *manifest = bench_decode(bench, yaml)->pdata[0];
    ApiObject *object = api_object_new(manifest->kind, manifest->ns, manifest->name);
    object->manifest = manifest;
    object->pod = object_pod_spec(manifest);
    if (object->pod != NULL && manifest->kind != OBJECT_POD) {
        object->replicas = manifest->workload->replicas;
    }
    g_ptr_array_add(bench->objects, object);
    return object;
}

#define BENCH_CONTAINER "  containers: [{name: c, image: i:1}]\n"

/* The Pod "default/<name>"; `spec` is a mapping's lines, two blanks deep (NULL: one container). */
static inline ApiObject *
bench_pod(Bench *bench, const char *name, const char *spec)
{
    g_autofree char *yaml =
        g_strdup_printf("apiVersion: v1\nkind: Pod\nmetadata: {name: %s}\nspec:\n%s", name,
                        spec != NULL ? spec : BENCH_CONTAINER);
    return bench_object(bench, yaml);
}

/* A later snapshot, to be changed by the test; the bench keeps the reference. */
static inline ApiObject *
bench_copy(Bench *bench, const ApiObject *object)
{
    ApiObject *copy = api_object_copy(object);
    copy->version++;
    g_ptr_array_add(bench->objects, copy);
    return copy;
}

static inline void
bench_event(Bench *bench, WatchEventType type, ApiObject *object)
{
    bench_give(bench, (Input){.kind = INPUT_EVENT, .tag = 1}, api_event_new(type, object));
}

/* ---- running ---- */

/* What is known to be wrong keeps its test, which runs only when VWIRE_KNOWN_BUGS is set; who
 * repairs it adds the test by tcase_add_test instead. */
static inline void
bench_add_known_bug(TCase *tcase, const TTest *test)
{
    if (g_getenv("VWIRE_KNOWN_BUGS") != NULL) {
        tcase_add_test(tcase, test);
    }
}

static inline int
bench_run_suite(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? 0 : 1;
}
