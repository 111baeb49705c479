/* The virtual world (sim/world.h): calls, streams, timers, CPU time, ends, the container runtime.
 *
 * The processes here are scripts: each input is written into a log with its time, and a function of
 * the test says what the process does.  All latencies are whole seconds (a local message takes 1,
 * one between the nodes a and b takes 10), so that a log can be worked out by hand:
 *
 *   first call: 1 to the server, its TLS, 3 (two more flights and back), the client's TLS, 1 with
 *   the request, 1 with the answer: the request is there at 5, the answer at 6.
 *
 * To start scripts without Kubernetes around them, the world is opened up with world_types.h. */
#include "sim/world.h"

#include "models/message.h"
#include "sim/world_types.h"
#include "tests/models/scratch.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

typedef struct Script Script;
typedef void (*ScriptStep)(Script *script, const Input *input, Actions *actions);

struct Script {
    Machine base;
    ScriptStep on;
    uint64_t call; /* the last request or stream that it serves */
};

static Scenario *scenario;
static World *world;
static GString *story; /* "5 server request health-check\n" */

/* ---- the log ---- */

static void
note(const Script *script, const Input *input)
{
    const char *name = script->base.info->name;
    double at = nsec_to_seconds(input->now);
    const char *type = input->message != NULL ? message_type_name(input->message->type) : "";
    const char *text = input->message != NULL ? message_error_text(input->message) : NULL;
    switch (input->kind) {
    case INPUT_START:
        return;
    case INPUT_REQUEST:
        g_string_append_printf(story, "%g %s request %s\n", at, name, type);
        return;
    case INPUT_CANCELLED:
        g_string_append_printf(story, "%g %s cancelled\n", at, name);
        return;
    case INPUT_REPLY:
        g_string_append_printf(story, "%g %s reply %d %s\n", at, name, (int)input->tag, type);
        return;
    case INPUT_FAILURE:
        g_string_append_printf(story, "%g %s failure %d %s\n", at, name, (int)input->tag,
                               failure_text(input->failure));
        return;
    case INPUT_OPENED:
        g_string_append_printf(story, "%g %s opened %s\n", at, name, type);
        return;
    case INPUT_EVENT:
        g_string_append_printf(story, "%g %s event %d %s\n", at, name, (int)input->tag,
                               text != NULL ? text : type);
        return;
    case INPUT_CLOSED:
        g_string_append_printf(story, "%g %s closed %d\n", at, name, (int)input->tag);
        return;
    case INPUT_TIMER:
        g_string_append_printf(story, "%g %s timer %d\n", at, name, (int)input->tag);
        return;
    case INPUT_WORK:
        g_string_append_printf(story, "%g %s work %d\n", at, name, (int)input->tag);
        return;
    case INPUT_DATAPLANE:
        g_string_append_printf(story, "%g %s data plane %d %s\n", at, name, (int)input->tag,
                               input->error != NULL ? input->error : "done");
        return;
    case INPUT_RUNTIME:
        g_string_append_printf(story, "%g %s runtime %d\n", at, name, (int)input->tag);
        return;
    case INPUT_EXITED:
        g_string_append_printf(story, "%g %s exited %d/%u code %d\n", at, name, (int)input->pod_uid,
                               input->container, input->exit_code);
        return;
    case INPUT_FOUND:
        g_string_append_printf(story, "%g %s found %d/%u\n", at, name, (int)input->pod_uid,
                               input->container);
        return;
    case INPUT_INJECTED:
        g_string_append_printf(story, "%g %s injected %d %s\n", at, name, (int)input->tag,
                               input->error != NULL ? input->error : "done");
        return;
    case INPUT_STOP:
        g_string_append_printf(story, "%g %s stop\n", at, name);
        return;
    }
}

static void
check_story(const char *expected)
{
    ck_assert_str_eq(story->str, expected);
}

/* ---- scripts ---- */

static void
script_step(Machine *machine, const Input *input, Actions *actions)
{
    Script *script = (Script *)machine;
    note(script, input);
    if (input->call != 0 && (input->kind == INPUT_REQUEST || input->kind == INPUT_OPENED)) {
        script->call = input->call;
    }
    if (script->on != NULL) {
        script->on(script, input, actions);
    }
}

static void
script_free(Machine *machine)
{
    g_free(machine);
}

static const MachineClass script_class = {COMPONENT_APP, script_step, script_free};

static Script *
script_new(ProcessInfo *info, ScriptStep on)
{
    Script *script = g_new0(Script, 1);
    script->base.class = &script_class;
    script->base.info = info;
    script->on = on;
    return script;
}

static ProcessInfo *
info_new(const char *name, guint node)
{
    ProcessInfo *info = g_new0(ProcessInfo, 1);
    info->component = COMPONENT_APP;
    info->name = g_strdup(name);
    info->node = world->nodes[node].name;
    info->ns = "";
    info->pod_key = info->name;
    info->pod_ip = info->node_ip = "0.0.0.0";
    info->calibration = scenario->calibration;
    info->seed = 1;
    return info;
}

static Process *
start_on(guint node, const char *name, ScriptStep on)
{
    Script *script = script_new(info_new(name, node), on);
    return world_start_process(world, &script->base, &world->nodes[node]);
}

static Process *
start(const char *name, ScriptStep on)
{
    return start_on(0, name, on);
}

static void
run_until(int64_t seconds)
{
    world_run(world, seconds * NSEC_PER_SEC);
}

static void
set(const char *key, const char *value)
{
    GError *error = NULL;
    ck_assert_msg(calibration_set((Calibration *)scenario->calibration, key, value, &error), "%s",
                  error != NULL ? error->message : "");
}

static Message *
health(void)
{
    return message_new(MESSAGE_HEALTH, sizeof(Message), NULL);
}

static void
setup(void)
{
    scratch_setup();
    scratch_write_calibration("calibration.yaml", "");
    scratch_write("world.yaml", "apiVersion: vwire/v1alpha1\nkind: Scenario\n"
                                "metadata: {name: world}\nspec:\n  duration: 1h\n"
                                "  calibration: calibration.yaml\n  cluster:\n    nodes:\n"
                                "    - {name: a, allocatable: {cpu: 4, memory: 8Gi}}\n"
                                "    - {name: b, allocatable: {cpu: 4, memory: 8Gi}}\n"
                                "    defaultLink: {latency: 10s}\n");
    g_autofree char *path = scratch_path("world.yaml");
    GError *error = NULL;
    scenario = scenario_load(path, NULL, &error);
    ck_assert_msg(scenario != NULL, "%s", error != NULL ? error->message : "");
    set("cfs.effective-quota", "1");
    world = world_new(scenario, 1, 0);
    world->started = true; /* nothing but scripts */
    story = g_string_new(NULL);
}

static void
teardown(void)
{
    if (world != NULL) {
        world_free(world);
    }
    world = NULL;
    scenario_free(scenario);
    g_string_free(story, true);
    scratch_teardown();
}

/* ---- what many tests do ---- */

#define SOCKET "unix:a:/server.sock"
#define TCP "tcp:10.0.0.1:5001"

static void
listens(Script *script, const Input *input, Actions *actions)
{
    if (input->kind == INPUT_START) {
        actions_listen(actions, SOCKET);
        actions_listen(actions, TCP);
    }
}

static void
answers(Script *script, const Input *input, Actions *actions)
{
    listens(script, input, actions);
    if (input->kind == INPUT_REQUEST) {
        actions_reply(actions, input->call, message_ok());
    }
}

/* Answers, but 20 s later. */
static void
answers_late(Script *script, const Input *input, Actions *actions)
{
    listens(script, input, actions);
    if (input->kind == INPUT_REQUEST) {
        actions_reply(actions, input->call, message_ok())->delay = 20 * NSEC_PER_SEC;
    }
}

static void
exits_at_three(Script *script, const Input *input, Actions *actions)
{
    listens(script, input, actions);
    if (input->kind == INPUT_START) {
        actions_timer(actions, 3, 3 * NSEC_PER_SEC);
    } else if (input->kind == INPUT_TIMER) {
        actions_exit(actions, 5);
    }
}

/* ---- calls ---- */

static void
asks_twice(Script *script, const Input *input, Actions *actions)
{
    if (input->kind == INPUT_START) {
        actions_call(actions, SOCKET, 1, health());
    } else if (input->kind == INPUT_REPLY && input->tag == 1) {
        actions_call(actions, SOCKET, 2, health());
    }
}

START_TEST(a_first_call_makes_its_connection_and_a_second_one_reuses_it)
{
    start("server", answers);
    start("client", asks_twice);
    run_until(100);
    check_story("5 server request health-check\n"
                "6 client reply 1 ok\n"
                "7 server request health-check\n"
                "8 client reply 2 ok\n");
}
END_TEST

static void
asks_twice_fresh(Script *script, const Input *input, Actions *actions)
{
    guint before = actions->items->len;
    asks_twice(script, input, actions);
    if (actions->items->len > before) {
        g_array_index(actions->items, Action, before).flags = CALL_FRESH;
    }
}

START_TEST(a_fresh_call_always_makes_its_own_connection)
{
    start("server", answers);
    start("client", asks_twice_fresh);
    run_until(100);
    check_story("5 server request health-check\n"
                "6 client reply 1 ok\n"
                "11 server request health-check\n"
                "12 client reply 2 ok\n");
}
END_TEST

static void
asks_twice_first_fresh(Script *script, const Input *input, Actions *actions)
{
    guint before = actions->items->len;
    asks_twice(script, input, actions);
    if (input->kind == INPUT_START) {
        g_array_index(actions->items, Action, before).flags = CALL_FRESH;
    }
}

START_TEST(the_connection_of_a_fresh_call_serves_later_calls)
{
    start("server", answers);
    start("client", asks_twice_first_fresh);
    run_until(100);
    check_story("5 server request health-check\n"
                "6 client reply 1 ok\n"
                "7 server request health-check\n"
                "8 client reply 2 ok\n");
}
END_TEST

static void
asks_plainly(Script *script, const Input *input, Actions *actions)
{
    if (input->kind == INPUT_START) {
        actions_call(actions, SOCKET, 1, health())->flags = CALL_PLAIN;
    }
}

START_TEST(a_plain_call_makes_no_handshake)
{
    start("server", answers);
    start("client", asks_plainly);
    run_until(100);
    check_story("1 server request health-check\n"
                "2 client reply 1 ok\n");
}
END_TEST

START_TEST(a_call_to_another_node_takes_the_links_latency)
{
    start_on(1, "server", answers);
    start("client", asks_plainly);
    run_until(100);
    check_story("10 server request health-check\n"
                "20 client reply 1 ok\n");
}
END_TEST

START_TEST(handshakes_and_messages_take_cpu_time_at_both_ends)
{
    set("demands.app.tls-server", "2s");
    set("demands.app.tls-client", "3s");
    set("demands.app.health-check", "4s");
    set("demands.app.ok", "5s");
    start("server", answers);
    start("client", asks_twice);
    run_until(18); /* 1 + 2, 3 + 3, 1 + 4: there at 14 */
    check_story("14 server request health-check\n");
    run_until(100); /* 1 + 5: back at 20; 1 + 4, 1 + 5 */
    check_story("14 server request health-check\n"
                "20 client reply 1 ok\n"
                "25 server request health-check\n"
                "31 client reply 2 ok\n");
}
END_TEST

START_TEST(cpu_time_of_messages_is_stretched_by_the_containers_quota)
{
    static const ContainerSpec half = {.limits = {.cpu = 500}};
    set("demands.app.health-check", "10s");
    ProcessInfo *info = info_new("server", 0);
    info->container = &half;
    world_start_process(world, &script_new(info, answers)->base, &world->nodes[0]);
    start("client", asks_plainly);
    run_until(100);
    double at = g_ascii_strtod(story->str, NULL);
    ck_assert_double_ge(at, 1 + 20 - 1); /* half of each period of 1 s */
    ck_assert_double_le(at, 1 + 20 + 1);
}
END_TEST

static void
asks_from(Script *script, const Input *input, Actions *actions)
{
    if (input->kind == INPUT_START) {
        Action *call = actions_call(actions, SOCKET, 1, health());
        call->flags = CALL_PLAIN;
        call->delay = 7 * NSEC_PER_SEC;
    }
}

static void
remembers_from(Script *script, const Input *input, Actions *actions)
{
    answers(script, input, actions);
    if (input->kind == INPUT_REQUEST) {
        g_string_append_printf(story, "from %s\n", input->from);
    }
}

START_TEST(a_call_leaves_after_its_delay_and_names_the_caller)
{
    start("server", remembers_from);
    start("client", asks_from);
    run_until(100);
    check_story("8 server request health-check\n"
                "from client\n"
                "9 client reply 1 ok\n");
}
END_TEST

/* ---- calls that fail ---- */

static void
asks_nobody(Script *script, const Input *input, Actions *actions)
{
    if (input->kind == INPUT_START) {
        actions_call(actions, "unix:a:/nobody.sock", 1, health());
        actions_call(actions, "svc:nobody.ns:80", 2, health());
        actions_call(actions, "tcp:10.0.0.9:80", 3, health());
        actions_call(actions, "unix:a:/nobody.sock", 4, health())->dial_timeout = NSEC_PER_SEC * 9;
        Action *fast = actions_call(actions, "unix:a:/nobody.sock", 5, health());
        fast->dial_timeout = NSEC_PER_SEC * 9;
        fast->flags = CALL_FAIL_FAST;
    }
}

START_TEST(a_call_to_nobody_is_refused)
{
    start("client", asks_nobody);
    run_until(200);
    check_story("1 client failure 1 connection refused\n"
                "1 client failure 2 connection refused\n"
                "1 client failure 5 connection refused\n"
                "9 client failure 4 dial timeout\n"     /* it goes on dialling until then */
                "127 client failure 3 dial timeout\n"); /* TCP gives up; nothing refuses it */
}
END_TEST

static void
dials_an_ip_that_is_gone(Script *script, const Input *input, Actions *actions)
{
    if (input->kind == INPUT_START) {
        actions_call(actions, "tcp:10.0.0.9:80", 1, health())->dial_timeout = 3 * NSEC_PER_SEC;
    }
}

START_TEST(packets_to_an_ip_that_is_gone_are_lost_until_the_dial_timeout)
{
    start("client", dials_an_ip_that_is_gone);
    run_until(100);
    check_story("3 client failure 1 dial timeout\n");
}
END_TEST

static void
dials_for_five(Script *script, const Input *input, Actions *actions)
{
    if (input->kind == INPUT_START) {
        actions_call(actions, SOCKET, 1, health())->dial_timeout = 5 * NSEC_PER_SEC;
    }
}

START_TEST(a_handshake_that_takes_too_long_ends_in_a_dial_timeout)
{
    set("demands.app.tls-server", "10s");
    Process *server = start("server", answers);
    start("client", dials_for_five);
    run_until(100);
    check_story("5 client failure 1 dial timeout\n");
    CpuUsage usage = cpu_group_usage(server->cpu);
    ck_assert_double_eq_tol(usage.used, 4e9, 1e6); /* and the server's CPU time ends with it */
}
END_TEST

START_TEST(a_handshake_in_time_leaves_no_dial_timeout_behind)
{
    start("server", answers_late);
    start("client", dials_for_five);
    run_until(100);
    check_story("5 server request health-check\n"
                "26 client reply 1 ok\n");
}
END_TEST

static void
asks_for_ten(Script *script, const Input *input, Actions *actions)
{
    if (input->kind == INPUT_START) {
        Action *call = actions_call(actions, SOCKET, 1, health());
        call->flags = CALL_PLAIN;
        call->timeout = 10 * NSEC_PER_SEC;
    }
}

START_TEST(a_call_without_an_answer_ends_at_its_deadline_and_the_callee_hears_of_it)
{
    start("server", listens);
    start("client", asks_for_ten);
    run_until(100);
    check_story("1 server request health-check\n"
                "10 client failure 1 deadline exceeded\n"
                "11 server cancelled\n");
}
END_TEST

static void
answers_after_cancel(Script *script, const Input *input, Actions *actions)
{
    listens(script, input, actions);
    if (input->kind == INPUT_REQUEST) {
        actions_timer(actions, 1, 30 * NSEC_PER_SEC);
    } else if (input->kind == INPUT_TIMER) {
        actions_reply(actions, script->call, message_ok());
    }
}

START_TEST(an_answer_after_the_deadline_is_not_delivered)
{
    start("server", answers_after_cancel);
    start("client", asks_for_ten);
    run_until(100);
    check_story("1 server request health-check\n"
                "10 client failure 1 deadline exceeded\n"
                "11 server cancelled\n"
                "31 server timer 1\n");
}
END_TEST

static void
answers_twice(Script *script, const Input *input, Actions *actions)
{
    answers(script, input, actions);
    answers(script, input, actions);
}

START_TEST(a_second_answer_is_dropped)
{
    start("server", answers_twice);
    start("client", asks_plainly);
    run_until(100);
    check_story("1 server request health-check\n"
                "2 client reply 1 ok\n");
}
END_TEST

static void
asks_with_both_timeouts(Script *script, const Input *input, Actions *actions)
{
    if (input->kind == INPUT_START) {
        Action *call = actions_call(actions, SOCKET, 1, health());
        call->flags = CALL_PLAIN;
        call->timeout = 60 * NSEC_PER_SEC;
        call->dial_timeout = 5 * NSEC_PER_SEC;
    }
}

START_TEST(the_dial_timeout_of_a_plain_call_does_not_limit_the_wait_for_its_answer)
{
    start("server", answers_after_cancel);
    start("client", asks_with_both_timeouts);
    run_until(100);
    check_story("1 server request health-check\n"
                "31 server timer 1\n"
                "32 client reply 1 ok\n");
}
END_TEST

static void
asks_for_ten_with_tls(Script *script, const Input *input, Actions *actions)
{
    if (input->kind == INPUT_START) {
        actions_call(actions, SOCKET, 1, health())->timeout = 10 * NSEC_PER_SEC;
    }
}

START_TEST(the_deadline_counts_from_leaving_though_a_connection_is_made_first)
{
    start("server", listens);
    start("client", asks_for_ten_with_tls);
    run_until(100);
    check_story("5 server request health-check\n"
                "10 client failure 1 deadline exceeded\n"
                "11 server cancelled\n");
}
END_TEST

/* ---- cancelling ---- */

static void
cancels_at_three(Script *script, const Input *input, Actions *actions)
{
    if (input->kind == INPUT_START) {
        actions_call(actions, SOCKET, 1, health())->flags = CALL_PLAIN;
        actions_timer(actions, 3, 3 * NSEC_PER_SEC);
    } else if (input->kind == INPUT_TIMER) {
        actions_cancel(actions, 1);
        actions_cancel(actions, 1); /* does nothing */
        actions_cancel(actions, 77);
    }
}

START_TEST(a_cancelled_call_is_not_answered_and_the_callee_hears_of_it)
{
    start("server", listens);
    start("client", cancels_at_three);
    run_until(100);
    check_story("1 server request health-check\n"
                "3 client timer 3\n"
                "4 server cancelled\n");
}
END_TEST

START_TEST(a_call_that_is_cancelled_on_its_way_is_never_heard_of)
{
    start_on(1, "server", listens); /* 10 s away */
    start("client", cancels_at_three);
    run_until(100);
    check_story("3 client timer 3\n");
}
END_TEST

START_TEST(a_call_that_is_cancelled_on_its_way_back_is_not_delivered)
{
    start("server", answers_late);
    start("client", cancels_at_three);
    run_until(100);
    check_story("1 server request health-check\n"
                "3 client timer 3\n");
}
END_TEST

static void
asks_with_one_tag_twice(Script *script, const Input *input, Actions *actions)
{
    if (input->kind == INPUT_START) {
        actions_call(actions, SOCKET, 1, health())->flags = CALL_PLAIN;
        actions_call(actions, SOCKET, 1, health())->flags = CALL_PLAIN;
    }
}

START_TEST(a_call_replaces_the_one_with_its_tag)
{
    start("server", answers);
    start("client", asks_with_one_tag_twice);
    run_until(100);
    check_story("1 server request health-check\n"
                "2 client reply 1 ok\n");
}
END_TEST

/* ---- ends ---- */

START_TEST(the_end_of_the_callee_resets_calls_that_it_serves)
{
    start("server", exits_at_three);
    start("client", asks_plainly);
    run_until(100);
    check_story("1 server request health-check\n"
                "3 server timer 3\n"
                "4 client failure 1 connection reset by peer\n");
}
END_TEST

START_TEST(the_end_of_the_callee_refuses_calls_that_are_still_dialling)
{
    start("server", exits_at_three);
    start("client", asks_twice);
    run_until(100);
    check_story("3 server timer 3\n"
                "4 client failure 1 connection refused\n");
}
END_TEST

static void
answers_and_exits(Script *script, const Input *input, Actions *actions)
{
    answers(script, input, actions);
    if (input->kind == INPUT_REQUEST) {
        actions_exit(actions, 0);
    }
}

START_TEST(an_answer_that_has_left_arrives_though_the_callee_has_ended)
{
    start("server", answers_and_exits);
    start("client", asks_plainly);
    run_until(100);
    check_story("1 server request health-check\n"
                "2 client reply 1 ok\n");
    ck_assert_uint_eq(world->processes->len, 1);
}
END_TEST

static void
asks_and_exits_at_three(Script *script, const Input *input, Actions *actions)
{
    if (input->kind == INPUT_START) {
        actions_call(actions, SOCKET, 1, health())->flags = CALL_PLAIN;
        actions_timer(actions, 3, 3 * NSEC_PER_SEC);
        actions_timer(actions, 50, 50 * NSEC_PER_SEC); /* ends with it */
    } else if (input->kind == INPUT_TIMER) {
        actions_exit(actions, 0);
    }
}

START_TEST(the_end_of_the_caller_cancels_its_calls_at_the_callee)
{
    start("server", answers_after_cancel);
    start("client", asks_and_exits_at_three);
    run_until(100);
    check_story("1 server request health-check\n"
                "3 client timer 3\n"
                "4 server cancelled\n"
                "31 server timer 1\n");
}
END_TEST

static void
asks_whoever_is_there(Script *script, const Input *input, Actions *actions)
{
    if (input->kind == INPUT_START) {
        actions_call(actions, SOCKET, 1, health());
        actions_timer(actions, 10, 10 * NSEC_PER_SEC);
    } else if (input->kind == INPUT_TIMER) {
        actions_call(actions, SOCKET, 2, health());
    }
}

/* A server of the same name, as a container has that was restarted. */
static void
end_and_restart_server(void)
{
    for (guint i = 0; i < world->processes->len; i++) {
        Process *process = g_ptr_array_index(world->processes, i);
        if (g_str_equal(process->info->name, "server")) {
            world_end_process(process, 1);
            break;
        }
    }
    start("server", answers);
}

START_TEST(whoever_listens_at_an_address_later_answers_there)
{
    start("server", answers);
    start("client", asks_whoever_is_there);
    run_until(8);
    end_and_restart_server();
    run_until(100);
    g_autofree char *second = g_strdup(strstr(story->str, "10 client timer 10"));
    ck_assert_ptr_nonnull(strstr(second, "server request health-check"));
    ck_assert_ptr_nonnull(strstr(second, "client reply 2 ok"));
}
END_TEST

START_TEST(a_connection_to_a_callee_that_was_restarted_is_made_anew)
{
    start("server", answers);
    start("client", asks_whoever_is_there);
    run_until(8);
    end_and_restart_server();
    run_until(100);
    check_story("5 server request health-check\n"
                "6 client reply 1 ok\n"
                "10 client timer 10\n"
                "15 server request health-check\n" /* 5 s: with a handshake */
                "16 client reply 2 ok\n");
}
END_TEST

static void
tells_and_exits(Script *script, const Input *input, Actions *actions)
{
    if (input->kind == INPUT_START) {
        actions_call(actions, SOCKET, 0, health()); /* no tag: no answer is wanted */
        actions_exit(actions, 0);
    }
}

/* Without an owner's list of them, such calls point to a process that is gone: use after free. */
START_TEST(a_call_without_a_tag_survives_the_end_of_its_caller)
{
    start("server", answers);
    start("client", tells_and_exits);
    run_until(100);
    ck_assert_uint_eq(world->processes->len, 1);
    ck_assert_uint_eq(g_hash_table_size(world->calls), 0);
}
END_TEST

static void
tells(Script *script, const Input *input, Actions *actions)
{
    if (input->kind == INPUT_START) {
        for (int i = 0; i < 2; i++) {
            actions_call(actions, SOCKET, 0, health())->flags = CALL_PLAIN;
        }
    }
}

START_TEST(calls_without_a_tag_do_not_replace_each_other)
{
    start("server", answers);
    start("client", tells);
    run_until(100);
    check_story("1 server request health-check\n"
                "1 server request health-check\n"
                "2 client reply 0 ok\n"
                "2 client reply 0 ok\n");
}
END_TEST

START_TEST(a_world_can_be_freed_with_everything_under_way)
{
    set("demands.app.health-check", "50s");
    start("server", listens);
    start("other", exits_at_three);
    start("client", asks_twice);
    start("plain", asks_plainly);
    start("late", asks_from);
    run_until(2);
    world_free(world);
    world = NULL;
}
END_TEST

/* ---- streams ---- */

static void
opens(Script *script, const Input *input, Actions *actions)
{
    if (input->kind == INPUT_START) {
        actions_open(actions, SOCKET, 9, health())->flags = CALL_PLAIN;
    }
}

static void
pushes_three(Script *script, const Input *input, Actions *actions)
{
    listens(script, input, actions);
    if (input->kind == INPUT_OPENED) {
        actions_push(actions, input->call, message_error("first"))->delay = 5 * NSEC_PER_SEC;
        actions_push(actions, input->call, message_error("second"))->delay = 2 * NSEC_PER_SEC;
        actions_push(actions, input->call, message_error("third"));
    }
}

START_TEST(events_of_a_stream_arrive_in_order_whatever_their_delays)
{
    start("server", pushes_three);
    start("client", opens);
    run_until(100);
    check_story("1 server opened health-check\n"
                "7 client event 9 first\n"
                "7 client event 9 second\n"
                "7 client event 9 third\n");
}
END_TEST

static void
pushes_long_then_short(Script *script, const Input *input, Actions *actions)
{
    listens(script, input, actions);
    if (input->kind == INPUT_OPENED) {
        actions_push(actions, input->call, message_error("long")); /* 10 s of the client's CPU */
        actions_push(actions, input->call, message_ok());          /* 1 s */
    }
}

START_TEST(events_of_a_stream_arrive_in_order_whatever_cpu_time_they_take)
{
    set("demands.app.error", "10s");
    set("demands.app.ok", "1s");
    start("server", pushes_long_then_short);
    start("client", opens);
    run_until(100);
    const char *first = strstr(story->str, "event 9 long"), *second = strstr(story->str, "9 ok");
    ck_assert_ptr_nonnull(first);
    ck_assert_ptr_nonnull(second);
    ck_assert(first < second);
}
END_TEST

static void
pushes_and_closes(Script *script, const Input *input, Actions *actions)
{
    pushes_three(script, input, actions);
    if (input->kind == INPUT_OPENED) {
        actions_close(actions, input->call);
        actions_push(actions, input->call, message_error("too late"));
    }
}

START_TEST(a_server_that_closes_is_heard_of_after_its_last_event)
{
    start("server", pushes_and_closes);
    start("client", opens);
    run_until(100);
    check_story("1 server opened health-check\n"
                "7 client event 9 first\n"
                "7 client event 9 second\n"
                "7 client event 9 third\n"
                "7 client closed 9\n");
}
END_TEST

START_TEST(closing_a_stream_loses_no_event_that_takes_cpu_time)
{
    set("demands.app.error", "10s");
    start("server", pushes_and_closes);
    start("client", opens);
    run_until(100);
    const char *third = strstr(story->str, "event 9 third");
    ck_assert_ptr_nonnull(third);
    ck_assert_ptr_nonnull(strstr(third, "closed 9"));
}
END_TEST

static void
opens_and_cancels(Script *script, const Input *input, Actions *actions)
{
    opens(script, input, actions);
    if (input->kind == INPUT_START) {
        actions_timer(actions, 3, 3 * NSEC_PER_SEC);
    } else if (input->kind == INPUT_TIMER) {
        actions_cancel(actions, 9);
    }
}

START_TEST(a_client_that_cancels_its_stream_gets_nothing_more_and_the_server_hears_of_it)
{
    start("server", pushes_three);
    start("client", opens_and_cancels);
    run_until(100);
    check_story("1 server opened health-check\n"
                "3 client timer 3\n"
                "4 server closed 0\n");
}
END_TEST

START_TEST(the_end_of_the_server_closes_its_streams)
{
    start("server", exits_at_three);
    start("client", opens);
    run_until(100);
    check_story("1 server opened health-check\n"
                "3 server timer 3\n"
                "4 client closed 9\n");
}
END_TEST

static void
opens_and_exits(Script *script, const Input *input, Actions *actions)
{
    opens(script, input, actions);
    if (input->kind == INPUT_START) {
        actions_timer(actions, 3, 3 * NSEC_PER_SEC);
    } else if (input->kind == INPUT_TIMER) {
        actions_exit(actions, 0);
    }
}

START_TEST(the_end_of_the_client_closes_its_streams)
{
    start("server", pushes_three);
    start("client", opens_and_exits);
    run_until(100);
    check_story("1 server opened health-check\n"
                "3 client timer 3\n"
                "4 server closed 0\n");
    ck_assert_uint_eq(g_hash_table_size(world->calls), 0);
}
END_TEST

START_TEST(a_stream_to_nobody_is_closed)
{
    start("client", opens);
    run_until(100);
    check_story("1 client closed 9\n");
}
END_TEST

static void
opens_for_ten(Script *script, const Input *input, Actions *actions)
{
    if (input->kind == INPUT_START) {
        Action *open = actions_open(actions, SOCKET, 9, health());
        open->timeout = 10 * NSEC_PER_SEC;
        open->dial_timeout = 10 * NSEC_PER_SEC;
    }
}

static void
pushes_at_twenty(Script *script, const Input *input, Actions *actions)
{
    listens(script, input, actions);
    if (input->kind == INPUT_OPENED) {
        actions_timer(actions, 1, 20 * NSEC_PER_SEC);
    } else if (input->kind == INPUT_TIMER) {
        actions_push(actions, script->call, message_error("late"));
    }
}

START_TEST(a_stream_stays_open_beyond_the_timeout_of_its_opening)
{
    start("server", pushes_at_twenty);
    start("client", opens_for_ten);
    run_until(100);
    check_story("5 server opened health-check\n"
                "25 server timer 1\n"
                "26 client event 9 late\n");
}
END_TEST

/* ---- timers, work, memory, marks ---- */

static void
sets_timers(Script *script, const Input *input, Actions *actions)
{
    if (input->kind == INPUT_START) {
        actions_timer(actions, 1, 5 * NSEC_PER_SEC);
        actions_timer(actions, 2, 5 * NSEC_PER_SEC);
        actions_timer(actions, 3, 8 * NSEC_PER_SEC);
        actions_timer(actions, 4, 6 * NSEC_PER_SEC);
        actions_timer(actions, 5, NSEC_NEVER);
        actions_timer(actions, 6, -1);
        actions_timer(actions, 3, 2 * NSEC_PER_SEC); /* moves it */
        actions_stop_timer(actions, 4);
        actions_stop_timer(actions, 99);
    } else if (input->kind == INPUT_TIMER && input->tag == 2) {
        actions_timer(actions, 2, 5 * NSEC_PER_SEC);
    }
}

START_TEST(timers_fire_once_in_their_order_and_can_be_moved_and_stopped)
{
    start("process", sets_timers);
    run_until(12);
    check_story("0 process timer 6\n"
                "2 process timer 3\n"
                "5 process timer 1\n"
                "5 process timer 2\n"
                "10 process timer 2\n");
}
END_TEST

static void
works(Script *script, const Input *input, Actions *actions)
{
    if (input->kind == INPUT_START) {
        actions_work(actions, 1, MESSAGE_WORK_VPP_TUNNEL, 1);
        actions_work(actions, 2, MESSAGE_WORK_VPP_XCONNECT, 1);
    }
}

START_TEST(work_takes_the_demand_of_the_calibration)
{
    set("demands.app.vpp-tunnel", "3s");
    start("process", works);
    run_until(100);
    check_story("0 process work 2\n"
                "3 process work 1\n");
}
END_TEST

START_TEST(a_process_starts_after_its_latency_and_the_cpu_time_of_its_initialisation)
{
    set("start.app", "4s");
    set("demands.app.start", "2s");
    start("process", sets_timers);
    run_until(7);
    check_story("6 process timer 6\n");
}
END_TEST

static void
holds(Script *script, const Input *input, Actions *actions)
{
    if (input->kind == INPUT_START) {
        actions_hold(actions, HOLD_CONNECTION, 3);
        actions_hold(actions, HOLD_ENDPOINT, 2);
        actions_hold(actions, HOLD_CONNECTION, -1);
    }
}

START_TEST(memory_counts_the_start_and_what_is_held)
{
    Calibration *calibration = (Calibration *)scenario->calibration;
    calibration->memory[COMPONENT_APP] =
        (MemoryModel){.start = 1000, .connection = 10, .endpoint = 1};
    start("process", holds);
    run_until(1);
    g_autoptr(GArray) usage = world_usage(world);
    ck_assert_uint_eq(usage->len, 1);
    ck_assert_int_eq(g_array_index(usage, ContainerUsage, 0).memory, 1000 + 2 * 10 + 2);
}
END_TEST

START_TEST(the_usage_of_a_process_adds_up_over_its_restarts)
{
    set("demands.app.vpp-tunnel", "3s");
    world_end_process(start("process", works), 0);
    run_until(10);
    Process *process = start("process", works);
    run_until(20);
    world_end_process(process, 0);
    start("process", works);
    run_until(21);
    g_autoptr(GArray) usage = world_usage(world);
    ck_assert_uint_eq(usage->len, 1);
    const ContainerUsage *one = &g_array_index(usage, ContainerUsage, 0);
    ck_assert_double_eq_tol(one->cpu, 0 + 3 + 1, 1e-6);
    ck_assert_double_eq_tol(one->lifetime, 21, 1e-9);
    ck_assert_str_eq(one->process, "process");
}
END_TEST

static void
marks(Script *script, const Input *input, Actions *actions)
{
    if (input->kind == INPUT_START) {
        actions_trace(actions, TRACE_NOTE, "one", actions_printf(actions, "detail %d", 1));
        actions_timer(actions, 1, 2 * NSEC_PER_SEC);
    } else {
        actions_trace_value(actions, TRACE_REGISTRY_WAIT, "two", NULL, 42);
    }
}

static void
on_mark(TraceSink *sink, const TraceEvent *event)
{
    g_string_append_printf(story, "%g %s %s %s %s %s %d\n", nsec_to_seconds(event->at),
                           event->component, event->process, trace_mark_name(event->mark),
                           event->subject, event->detail != NULL ? event->detail : "-",
                           (int)event->value);
}

START_TEST(marks_reach_every_sink_with_their_time_and_author)
{
    TraceSink first = {on_mark}, second = {on_mark};
    world_add_sink(world, &first);
    world_add_sink(world, &second);
    start("process", marks);
    run_until(100);
    check_story("0 app process note one detail 1 0\n"
                "0 app process note one detail 1 0\n"
                "2 process timer 1\n"
                "2 app process registry-wait two - 42\n"
                "2 app process registry-wait two - 42\n");
}
END_TEST

START_TEST(messages_are_counted)
{
    start("server", answers);
    start("client", asks_twice);
    ck_assert_uint_eq(world_n_messages(world), 0);
    run_until(100);
    ck_assert_uint_eq(world_n_messages(world), 4);
}
END_TEST

/* ---- addresses and services ---- */

static void
listens_for_three(Script *script, const Input *input, Actions *actions)
{
    answers(script, input, actions);
    if (input->kind == INPUT_START) {
        actions_timer(actions, 3, 3 * NSEC_PER_SEC);
    } else if (input->kind == INPUT_TIMER) {
        Action gone = {.kind = ACTION_UNLISTEN, .address = SOCKET};
        g_array_append_val(actions->items, gone);
    }
}

static void
asks_at_four(Script *script, const Input *input, Actions *actions)
{
    if (input->kind == INPUT_START) {
        actions_timer(actions, 4, 4 * NSEC_PER_SEC);
    } else if (input->kind == INPUT_TIMER) {
        actions_call(actions, SOCKET, 1, health())->flags = CALL_PLAIN;
    }
}

START_TEST(who_listens_no_more_is_not_found)
{
    start("server", listens_for_three);
    start("client", asks_at_four);
    run_until(100);
    check_story("3 server timer 3\n"
                "4 client timer 4\n"
                "5 client failure 1 connection refused\n");
}
END_TEST

#define SERVICE "svc:web.ns:80"

static void
serves_one(Script *script, const Input *input, Actions *actions)
{
    if (input->kind == INPUT_START) {
        actions_listen(actions, "tcp:10.0.0.1:80");
        actions_publish(actions, SERVICE, "tcp:10.0.0.1:80");
    } else if (input->kind == INPUT_REQUEST) {
        actions_reply(actions, input->call, message_ok());
    }
}

static void
serves_two(Script *script, const Input *input, Actions *actions)
{
    if (input->kind == INPUT_START) {
        actions_listen(actions, "tcp:10.0.0.2:80");
        actions_publish(actions, SERVICE, "tcp:10.0.0.2:80");
        actions_timer(actions, 1, 10 * NSEC_PER_SEC);
    } else if (input->kind == INPUT_TIMER) {
        actions_withdraw(actions, SERVICE, "tcp:10.0.0.2:80");
        actions_withdraw(actions, SERVICE, "tcp:10.0.0.3:80"); /* was never there */
    }
}

static void
asks_service_four_times(Script *script, const Input *input, Actions *actions)
{
    if (input->kind != INPUT_START && input->kind != INPUT_TIMER) {
        return;
    }
    uint64_t first = input->kind == INPUT_START ? 1 : 5;
    for (uint64_t tag = first; tag <= (first == 1 ? 4 : 6); tag++) {
        actions_call(actions, SERVICE, tag, health())->flags = CALL_PLAIN;
    }
    if (input->kind == INPUT_START) {
        actions_timer(actions, 20, 20 * NSEC_PER_SEC);
    }
}

START_TEST(a_service_takes_its_back_ends_in_turn_and_forgets_withdrawn_ones)
{
    start("one", serves_one);
    start("two", serves_two);
    start("client", asks_service_four_times);
    run_until(5);
    check_story("1 one request health-check\n"
                "1 two request health-check\n"
                "1 one request health-check\n"
                "1 two request health-check\n"
                "2 client reply 1 ok\n"
                "2 client reply 3 ok\n");
    g_string_truncate(story, 0);
    run_until(25);
    check_story("10 two timer 1\n"
                "20 client timer 20\n"
                "21 one request health-check\n"
                "21 one request health-check\n"
                "22 client reply 5 ok\n"
                "22 client reply 6 ok\n");
}
END_TEST

/* ---- data plane ---- */

static void
programs(Script *script, const Input *input, Actions *actions)
{
    if (input->kind == INPUT_START) {
        DataPlaneOp *op = actions_dataplane(actions, 4, DATAPLANE_CREATE_INTERFACE);
        op->owner = "nsm/fwd";
        op->node = "a";
        op->port = "nsm/fwd/1/client";
        op->pod = "ns/client";
        op->pod_port = "ns/client/nsm-1";
    } else if (input->kind == INPUT_DATAPLANE && input->tag == 4) {
        DataPlaneOp *op = actions_dataplane(actions, 5, DATAPLANE_CROSS_CONNECT);
        op->owner = "nsm/fwd";
        op->node = "a";
        op->port = "nsm/fwd/1/client";
        op->peer = "nsm/fwd/1/server";
    }
}

START_TEST(data_plane_operations_come_back_with_their_tag_and_error)
{
    start("forwarder", programs);
    run_until(100);
    check_story("1 forwarder data plane 4 done\n"
                "2 forwarder data plane 5 cross-connect: no such interface\n");
}
END_TEST

START_TEST(a_data_plane_operation_outlives_its_process_in_silence)
{
    Process *forwarder = start("forwarder", programs);
    world_run(world, NSEC_PER_SEC / 2);
    world_end_process(forwarder, 0);
    run_until(100);
    check_story("");
    DataPlane *plane = world_dataplane(world);
    g_autoptr(GArray) hops = plane->class->walk(plane, "ns/client/nsm-1");
    ck_assert_uint_eq(hops->len, 2);
}
END_TEST

/* ---- the container runtime ---- */

static ContainerSpec runtime_container = {.name = (char *)"main", .image = (char *)"app:v1"};
static PodSpec runtime_pod = {.containers = &runtime_container, .n_containers = 1};
static PodSpec runtime_host_pod = {
    .containers = &runtime_container, .n_containers = 1, .host_network = true};

static void
runtime_op(Actions *actions, uint64_t tag, RuntimeOpKind kind, uint64_t uid, const PodSpec *spec)
{
    RuntimeOp *op = actions_runtime(actions, tag, kind);
    op->pod_uid = uid;
    op->ns = "ns";
    op->pod = "pod";
    op->node = "a";
    op->pod_ip = "10.0.0.1";
    op->spec = spec;
    op->grace = 30 * NSEC_PER_SEC;
}

static Process *
start_kubelet(ScriptStep on)
{
    Process *kubelet = start("kubelet", on);
    world->nodes[0].kubelet = kubelet;
    return kubelet;
}

static void
runs_sandboxes(Script *script, const Input *input, Actions *actions)
{
    if (input->kind == INPUT_START) {
        runtime_op(actions, 1, RUNTIME_RUN_SANDBOX, 1, &runtime_pod);
        runtime_op(actions, 2, RUNTIME_RUN_SANDBOX, 2, &runtime_pod);
        runtime_op(actions, 3, RUNTIME_RUN_SANDBOX, 3, &runtime_host_pod);
    }
}

START_TEST(the_cni_serves_one_sandbox_at_a_time_and_host_networks_do_not_need_it)
{
    start_kubelet(runs_sandboxes);
    run_until(100);
    check_story("1 kubelet runtime 3\n"
                "2 kubelet runtime 1\n"
                "3 kubelet runtime 2\n");
}
END_TEST

static void
runs_a_container(Script *script, const Input *input, Actions *actions)
{
    if (input->kind == INPUT_START) {
        runtime_op(actions, 1, RUNTIME_START_CONTAINER, 7, &runtime_pod);
        actions_timer(actions, 10, 10 * NSEC_PER_SEC);
    } else if (input->kind == INPUT_TIMER) {
        runtime_op(actions, 2, RUNTIME_STOP_CONTAINER, 7, &runtime_pod);
    }
}

START_TEST(a_container_runs_until_it_is_stopped)
{
    start_kubelet(runs_a_container);
    run_until(5); /* create 1 s, start 1 s */
    ck_assert_uint_eq(world->processes->len, 2);
    const Process *process = g_hash_table_lookup(world->containers, "container:7/0");
    ck_assert_ptr_nonnull(process);
    ck_assert_str_eq(process->info->name, "ns/pod/main");
    run_until(100);
    check_story("2 kubelet runtime 1\n"
                "10 kubelet timer 10\n"
                "10 kubelet exited 7/0 code 0\n"
                "10 kubelet runtime 2\n");
    ck_assert_uint_eq(world->processes->len, 1);
    ck_assert_uint_eq(g_hash_table_size(world->containers), 0);
}
END_TEST

static void
stops_at_ten(Script *script, const Input *input, Actions *actions)
{
    if (input->kind == INPUT_START) {
        actions_timer(actions, 10, 10 * NSEC_PER_SEC);
    } else if (input->kind == INPUT_TIMER) {
        runtime_op(actions, 2, RUNTIME_STOP_CONTAINER, 7, &runtime_pod);
        runtime_op(actions, 3, RUNTIME_STOP_CONTAINER, 8, &runtime_pod); /* there is none */
    }
}

/* A script as container 0 of Pod 7. */
static void
start_container(ScriptStep on)
{
    ProcessInfo *info = info_new("main", 0);
    info->ns = g_strdup("ns");
    info->pod = g_strdup("pod");
    info->pod_key = g_strdup("ns/pod");
    info->pod_ip = g_strdup("10.0.0.1");
    info->pod_uid = 7;
    Process *process = world_start_process(world, &script_new(info, on)->base, &world->nodes[0]);
    g_hash_table_insert(world->containers, g_strdup("container:7/0"), process);
}

START_TEST(a_container_that_ignores_sigterm_is_killed_after_the_grace_period)
{
    start_kubelet(stops_at_ten);
    start_container(NULL);
    run_until(100);
    check_story("10 kubelet timer 10\n"
                "10 main stop\n"
                "10 kubelet runtime 3\n"
                "40 kubelet exited 7/0 code 137\n"
                "40 kubelet runtime 2\n");
}
END_TEST

START_TEST(the_kubelet_hears_of_a_container_that_ends_by_itself)
{
    start_kubelet(NULL);
    start_container(exits_at_three);
    run_until(100);
    check_story("3 main timer 3\n"
                "3 kubelet exited 7/0 code 5\n");
}
END_TEST

static void
runs_a_container_thrice(Script *script, const Input *input, Actions *actions)
{
    bool stopped = input->kind == INPUT_RUNTIME && input->tag == 2;
    if (input->kind == INPUT_START || (stopped && engine_now(world->engine) < 8 * NSEC_PER_SEC)) {
        runtime_op(actions, 1, RUNTIME_START_CONTAINER, 7, &runtime_pod);
    } else if (input->kind == INPUT_RUNTIME && input->tag == 1) {
        const Process *process = g_hash_table_lookup(world->containers, "container:7/0");
        g_string_append_printf(story, "incarnation %u\n", process->info->incarnation);
        actions_timer(actions, 1, NSEC_PER_SEC);
    } else if (input->kind == INPUT_TIMER) {
        runtime_op(actions, 2, RUNTIME_STOP_CONTAINER, 7, &runtime_pod);
    }
}

START_TEST(incarnations_of_a_container_are_counted)
{
    start_kubelet(runs_a_container_thrice);
    run_until(100);
    const char *zero = strstr(story->str, "incarnation 0"), *one, *two;
    ck_assert_ptr_nonnull(zero);
    one = strstr(zero, "incarnation 1");
    ck_assert_ptr_nonnull(one);
    two = strstr(one, "incarnation 2");
    ck_assert_ptr_nonnull(two);
}
END_TEST

START_TEST(a_restarted_container_draws_anew)
{
    ProcessInfo *info = info_new("main", 0);
    RandomStream first, second;
    process_random(info, "start", &first);
    info->incarnation = 1;
    process_random(info, "start", &second);
    ck_assert(random_uniform(&first) != random_uniform(&second));
    g_free((char *)info->name);
    g_free(info);
}
END_TEST

/* ---- suite ---- */

static TCase *
add_case(Suite *suite, const char *name, const TTest *const *tests, guint n)
{
    TCase *tcase = tcase_create(name);
    tcase_add_checked_fixture(tcase, setup, teardown);
    for (guint i = 0; i < n; i++) {
        tcase_add_test(tcase, tests[i]);
    }
    suite_add_tcase(suite, tcase);
    return tcase;
}

#define CASE(suite, name, ...)                                                                     \
    add_case(suite, name, (const TTest *const[]){__VA_ARGS__},                                     \
             sizeof((const TTest *const[]){__VA_ARGS__}) / sizeof(TTest *))

static void
add_call_cases(Suite *suite)
{
    CASE(suite, "calls", a_first_call_makes_its_connection_and_a_second_one_reuses_it,
         a_fresh_call_always_makes_its_own_connection,
         the_connection_of_a_fresh_call_serves_later_calls, a_plain_call_makes_no_handshake,
         a_call_to_another_node_takes_the_links_latency,
         handshakes_and_messages_take_cpu_time_at_both_ends,
         cpu_time_of_messages_is_stretched_by_the_containers_quota,
         a_call_leaves_after_its_delay_and_names_the_caller);
    TCase *failures =
        CASE(suite, "failures", a_call_to_nobody_is_refused,
             packets_to_an_ip_that_is_gone_are_lost_until_the_dial_timeout,
             a_handshake_that_takes_too_long_ends_in_a_dial_timeout,
             a_handshake_in_time_leaves_no_dial_timeout_behind,
             a_call_without_an_answer_ends_at_its_deadline_and_the_callee_hears_of_it,
             an_answer_after_the_deadline_is_not_delivered, a_second_answer_is_dropped,
             a_cancelled_call_is_not_answered_and_the_callee_hears_of_it,
             a_call_that_is_cancelled_on_its_way_is_never_heard_of,
             a_call_that_is_cancelled_on_its_way_back_is_not_delivered,
             a_call_replaces_the_one_with_its_tag, calls_without_a_tag_do_not_replace_each_other);
    tcase_add_test(failures,
                   the_dial_timeout_of_a_plain_call_does_not_limit_the_wait_for_its_answer);
    tcase_add_test(failures, the_deadline_counts_from_leaving_though_a_connection_is_made_first);

    TCase *ends = CASE(suite, "ends", the_end_of_the_callee_resets_calls_that_it_serves,
                       the_end_of_the_callee_refuses_calls_that_are_still_dialling,
                       an_answer_that_has_left_arrives_though_the_callee_has_ended,
                       the_end_of_the_caller_cancels_its_calls_at_the_callee,
                       whoever_listens_at_an_address_later_answers_there,
                       a_connection_to_a_callee_that_was_restarted_is_made_anew,
                       a_world_can_be_freed_with_everything_under_way);
    tcase_add_test(ends, a_call_without_a_tag_survives_the_end_of_its_caller);
}

static Suite *
world_suite(void)
{
    Suite *suite = suite_create("world");
    add_call_cases(suite);
    TCase *streams =
        CASE(suite, "streams", events_of_a_stream_arrive_in_order_whatever_their_delays,
             a_server_that_closes_is_heard_of_after_its_last_event,
             a_client_that_cancels_its_stream_gets_nothing_more_and_the_server_hears_of_it,
             the_end_of_the_server_closes_its_streams, the_end_of_the_client_closes_its_streams,
             a_stream_to_nobody_is_closed, a_stream_stays_open_beyond_the_timeout_of_its_opening);
    tcase_add_test(streams, events_of_a_stream_arrive_in_order_whatever_cpu_time_they_take);
    tcase_add_test(streams, closing_a_stream_loses_no_event_that_takes_cpu_time);

    CASE(suite, "processes", timers_fire_once_in_their_order_and_can_be_moved_and_stopped,
         work_takes_the_demand_of_the_calibration,
         a_process_starts_after_its_latency_and_the_cpu_time_of_its_initialisation,
         memory_counts_the_start_and_what_is_held, the_usage_of_a_process_adds_up_over_its_restarts,
         marks_reach_every_sink_with_their_time_and_author, messages_are_counted,
         who_listens_no_more_is_not_found,
         a_service_takes_its_back_ends_in_turn_and_forgets_withdrawn_ones,
         data_plane_operations_come_back_with_their_tag_and_error,
         a_data_plane_operation_outlives_its_process_in_silence);

    CASE(suite, "runtime", the_cni_serves_one_sandbox_at_a_time_and_host_networks_do_not_need_it,
         a_container_runs_until_it_is_stopped,
         a_container_that_ignores_sigterm_is_killed_after_the_grace_period,
         the_kubelet_hears_of_a_container_that_ends_by_itself,
         incarnations_of_a_container_are_counted, a_restarted_container_draws_anew);
    return suite;
}

int
main(void)
{
    SRunner *runner = srunner_create(world_suite());
    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
