/* The network under faults (sim/net.c), calls and streams over it (sim/rpc.c), and what is injected
 * into processes and nodes (sim/faults.c).
 *
 * Packets are tested alone first.  Then processes are scripts, as in test_world.c: what each is
 * given is written into a log with its time in ms.  Nodes a, b, c; a link takes 10 ms, messages on
 * a node take 1 ms, TLS and messages take no CPU time.  Calls are plain (no handshake) unless a
 * test is about dialling. */
#include "sim/net.h"

#include "models/message.h"
#include "sim/dataplane.h"
#include "sim/world_types.h"
#include "tests/models/scratch.h"

#include <stdlib.h>
#include <string.h>

#define S NSEC_PER_SEC
#define MS NSEC_PER_MSEC

static Scenario *scenario;

static void
set(const char *key, const char *value)
{
    GError *error = NULL;
    ck_assert_msg(calibration_set((Calibration *)scenario->calibration, key, value, &error), "%s",
                  error != NULL ? error->message : "");
}

static void
load(void)
{
    scratch_setup();
    scratch_write_calibration("calibration.yaml", "");
    scratch_write("net.yaml", "apiVersion: vwire/v1alpha1\nkind: Scenario\n"
                              "metadata: {name: net}\nspec:\n  duration: 1h\n"
                              "  calibration: calibration.yaml\n  cluster:\n    nodes:\n"
                              "    - {name: a, allocatable: {cpu: 4, memory: 8Gi}}\n"
                              "    - {name: b, allocatable: {cpu: 4, memory: 8Gi}}\n"
                              "    - {name: c, allocatable: {cpu: 4, memory: 8Gi}}\n"
                              "    defaultLink: {latency: 10ms}\n");
    g_autofree char *path = scratch_path("net.yaml");
    GError *error = NULL;
    scenario = scenario_load(path, NULL, &error);
    ck_assert_msg(scenario != NULL, "%s", error != NULL ? error->message : "");
    set("latency.local", "1ms");
    set("cfs.effective-quota", "1");
    set("cfs.period", "100ms");
}

static void
unload(void)
{
    scenario_free(scenario);
    scratch_teardown();
}

/* ---- packets ---- */

typedef struct Parcel {
    Event event;
    NetPacket packet;
    nsec_t arrived; /* NSEC_NEVER: not yet */
    bool given_up;
} Parcel;

static Engine *engine;
static Net *net;
static RandomStream draws;
static guint n_changes;

static void
on_arrival(Engine *of, Event *event)
{
    Parcel *parcel = (Parcel *)((char *)event - offsetof(Parcel, event));
    parcel->arrived = engine_now(of);
    parcel->given_up = parcel->packet.held;
    net_drop(&parcel->packet);
}

static void
count_change(void *data)
{
    n_changes++;
}

static void
net_setup(void)
{
    load();
    engine = engine_new();
    net = net_new(engine, scenario);
    random_stream_init(&draws, 1, 0, "net", "test");
    n_changes = 0;
    net_set_observer(net, count_change, NULL);
}

static void
net_teardown(void)
{
    net_free(net);
    engine_free(engine);
    unload();
}

static void
send_parcel(Parcel *parcel, bool syn, nsec_t delay)
{
    *parcel = (Parcel){.packet = {.event = &parcel->event, .syn = syn}, .arrived = NSEC_NEVER};
    event_init(&parcel->event, on_arrival, 0);
    net_send(net, &parcel->packet, net_between(net, 0, 1), 1, delay, &draws);
}

static void
impair(guint a, guint b, Impairment impairment)
{
    net_impair(net, a, b, &impairment);
}

START_TEST(a_packet_takes_the_links_latency_and_what_is_added)
{
    Parcel parcel;
    send_parcel(&parcel, false, 5 * MS);
    engine_run_until(engine, S);
    ck_assert_int_eq(parcel.arrived, 15 * MS);
    impair(0, 1, (Impairment){.latency = 30 * MS});
    send_parcel(&parcel, false, 0);
    engine_run_until(engine, 2 * S);
    ck_assert_int_eq(parcel.arrived, S + 40 * MS);
}
END_TEST

START_TEST(jitter_is_to_both_sides_and_never_before_the_present)
{
    impair(0, 1, (Impairment){.latency = 5 * MS, .jitter = 20 * MS});
    nsec_t least = NSEC_NEVER, most = 0;
    for (guint i = 0; i < 2000; i++) {
        nsec_t latency = net_latency(net_between(net, 0, 1), &draws);
        least = MIN(least, latency);
        most = MAX(most, latency);
    }
    ck_assert_int_eq(least, 10 * MS);
    ck_assert_int_gt(most, 34 * MS);
    ck_assert_int_le(most, 35 * MS);
}
END_TEST

/* RFC 6298: each time-out is twice the one before, at most 120 s. */
START_TEST(retransmissions_double)
{
    static const double data[] = {0.2, 0.6, 1.4, 3.0, 6.2}, syn[] = {1, 3, 7, 15, 31, 63};
    for (guint i = 0; i < G_N_ELEMENTS(data); i++) {
        nsec_t at = 7 * S + nsec_from_seconds(data[i]);
        ck_assert_int_eq(net_next_retransmission(7 * S, at, false), at);
        ck_assert_int_eq(net_next_retransmission(7 * S, at - MS, false), at);
        ck_assert_int_gt(net_next_retransmission(7 * S, at + MS, false), at);
    }
    for (guint i = 0; i < G_N_ELEMENTS(syn); i++) {
        nsec_t at = nsec_from_seconds(syn[i]);
        ck_assert_int_eq(net_next_retransmission(0, at - MS, true), at);
    }
    nsec_t late = net_next_retransmission(0, 800 * S, false);
    ck_assert_int_le(net_next_retransmission(0, late + 1, false) - late, 120 * S);
}
END_TEST

START_TEST(what_a_cut_holds_is_sent_again_after_its_end)
{
    Parcel early, late, syn;
    impair(0, 1, (Impairment){.cut = true});
    send_parcel(&early, false, 0);
    send_parcel(&syn, true, 0);
    engine_run_until(engine, 2500 * MS);
    send_parcel(&late, false, 0);
    engine_run_until(engine, 2600 * MS);
    impair(0, 1, (Impairment){0});
    engine_run_until(engine, 60 * S);
    ck_assert_int_eq(early.arrived, 3010 * MS); /* 0.2, 0.6, 1.4, 3.0 s */
    ck_assert_int_eq(syn.arrived, 3010 * MS);   /* 1, 3 s */
    ck_assert_int_eq(late.arrived, 2710 * MS);
    ck_assert(!early.given_up && !late.given_up && !syn.given_up);
}
END_TEST

START_TEST(tcp_gives_up_what_a_cut_holds_for_too_long)
{
    Parcel data, syn;
    impair(0, 1, (Impairment){.cut = true});
    send_parcel(&data, false, 0);
    send_parcel(&syn, true, 0);
    engine_run_until(engine, NSEC_PER_SEC * 2000);
    ck_assert(data.given_up && syn.given_up);
    ck_assert_int_eq(data.arrived, NET_DATA_LIMIT);
    ck_assert_int_eq(syn.arrived, NET_SYN_LIMIT);
    impair(0, 1, (Impairment){0}); /* nothing is left to send */
}
END_TEST

START_TEST(a_packet_that_is_dropped_is_not_sent_again)
{
    Parcel kept, dropped;
    impair(0, 1, (Impairment){.cut = true});
    send_parcel(&kept, false, 0);
    send_parcel(&dropped, false, 0);
    net_drop(&dropped.packet);
    engine_cancel(engine, &dropped.event);
    impair(0, 1, (Impairment){0});
    engine_run_until(engine, 10 * S);
    ck_assert_int_eq(dropped.arrived, NSEC_NEVER);
    ck_assert_int_ne(kept.arrived, NSEC_NEVER);
}
END_TEST

/* Half of the packets are lost: the k-th attempt succeeds with probability 2^-k. */
START_TEST(losses_wait_for_their_retransmissions)
{
    enum { N = 4000 };
    impair(0, 1, (Impairment){.loss = 0.5});
    guint n_first = 0, n_second = 0;
    for (guint i = 0; i < N; i++) {
        Parcel parcel;
        nsec_t sent = engine_now(engine);
        send_parcel(&parcel, false, 0);
        engine_run_until(engine, sent + 2000 * S);
        n_first += parcel.arrived - sent == 10 * MS;
        n_second += parcel.arrived - sent == 210 * MS;
    }
    ck_assert_int_lt(abs((int)n_first - N / 2), 130);
    ck_assert_int_lt(abs((int)n_second - N / 4), 110);
}
END_TEST

START_TEST(a_link_is_the_same_both_ways_and_others_are_not_impaired)
{
    ck_assert_ptr_eq(net_between(net, 0, 1), net_between(net, 1, 0));
    impair(1, G_MAXUINT, (Impairment){.cut = true});
    ck_assert(net_between(net, 0, 1)->impairment.cut);
    ck_assert(net_between(net, 2, 1)->impairment.cut);
    ck_assert(!net_between(net, 0, 2)->impairment.cut);
    ck_assert_uint_eq(n_changes, 1);
}
END_TEST

START_TEST(nodes_are_known_by_name_and_may_be_down)
{
    ck_assert_uint_eq(net_node(net, "b"), 1);
    ck_assert_uint_eq(net_node(net, "nobody"), G_MAXUINT);
    net_set_node(net, 1, false);
    ck_assert(!net_node_is_up(net, 1) && net_node_is_up(net, 0));
    net_set_node(net, 1, true);
    ck_assert(net_node_is_up(net, 1));
    ck_assert_uint_eq(n_changes, 2);
}
END_TEST

/* ---- scripts ---- */

typedef struct Script Script;
typedef void (*ScriptStep)(Script *script, const Input *input, Actions *actions);

struct Script {
    Machine base;
    ScriptStep on;
    uint64_t call;
};

static World *world;
static GString *story; /* "120 client reply 1\n" */

static void
note(const Script *script, const Input *input)
{
    static const char *const words[] = {
        [INPUT_REQUEST] = "request", [INPUT_CANCELLED] = "cancelled", [INPUT_REPLY] = "reply",
        [INPUT_OPENED] = "opened",   [INPUT_EVENT] = "event",         [INPUT_WORK] = "work",
    };
    const char *name = script->base.info->name;
    g_autofree char *at = g_strdup_printf("%g %s", (double)input->now / 1e6, name);
    if (input->kind == INPUT_FAILURE) {
        g_string_append_printf(story, "%s failure: %s\n", at, failure_text(input->failure));
    } else if (input->kind == INPUT_CLOSED) {
        g_string_append_printf(story, "%s closed: %s\n", at, failure_text(input->failure));
    } else if (input->kind < G_N_ELEMENTS(words) && words[input->kind] != NULL) {
        g_string_append_printf(story, "%s %s\n", at, words[input->kind]);
    }
}

static void
script_step(Machine *machine, const Input *input, Actions *actions)
{
    Script *script = (Script *)machine;
    note(script, input);
    if (input->call != 0 && (input->kind == INPUT_REQUEST || input->kind == INPUT_OPENED)) {
        script->call = input->call;
    }
    script->on(script, input, actions);
}

static void
script_free(Machine *machine)
{
    g_free(machine);
}

static const MachineClass script_class = {COMPONENT_APP, script_step, script_free};

static const ContainerSpec half_core = {
    .name = (char *)"main", .image = (char *)"app:v1", .limits = {.cpu = 500, .memory = 100 << 20}};

static Process *
start(guint node, const char *name, ScriptStep on)
{
    ProcessInfo *info = g_new0(ProcessInfo, 1); /* the cluster's to free, if it were known there */
    info->component = COMPONENT_APP;
    info->name = g_strdup(name);
    info->node = world->nodes[node].name;
    info->ns = "";
    info->pod_key = info->name;
    info->pod_ip = info->node_ip = "0.0.0.0";
    info->container = &half_core;
    info->calibration = scenario->calibration;
    info->seed = 1;
    Script *script = g_new0(Script, 1);
    script->base.class = &script_class;
    script->base.info = info;
    script->on = on;
    return world_start_process(world, &script->base, &world->nodes[node]);
}

static void
world_setup(void)
{
    load();
    world = world_new(scenario, 1, 0);
    world->started = true; /* nothing but scripts */
    story = g_string_new(NULL);
}

static void
world_teardown(void)
{
    world_free(world);
    g_string_free(story, true);
    unload();
}

static void
run_until(nsec_t until)
{
    world_run(world, until);
}

static void
check_story(const char *expected)
{
    ck_assert_str_eq(story->str, expected);
}

static void
cut_link(bool cut)
{
    const Impairment impairment = {.cut = cut};
    net_impair(world->net, 0, 1, &impairment);
}

/* Everything on node b stops, and starts again without its processes. */
static void
switch_node(Process *server, bool on)
{
    WorldNode *node = &world->nodes[1];
    net_set_node(world->net, 1, on);
    if (on) {
        rpc_node_returned(world, node);
    } else {
        world_vanish_process(server);
    }
}

#define TCP "tcp:10.0.0.1:5001"
#define UNIX "unix:a:/server.sock"

static void
listens(Script *script, const Input *input, Actions *actions)
{
    if (input->kind == INPUT_START) {
        actions_listen(actions, TCP);
        actions_listen(actions, UNIX);
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

static Message *
health(void)
{
    return message_new(MESSAGE_HEALTH, sizeof(Message), NULL);
}

static void
asks(Script *script, const Input *input, Actions *actions)
{
    if (input->kind == INPUT_START) {
        actions_call(actions, TCP, 1, health())->flags = CALL_PLAIN;
    }
}

static void
asks_with_timeout(Script *script, const Input *input, Actions *actions)
{
    asks(script, input, actions);
    if (input->kind == INPUT_START) {
        g_array_index(actions->items, Action, 0).timeout = 5 * S;
    }
}

static void
dials(Script *script, const Input *input, Actions *actions)
{
    if (input->kind == INPUT_START) {
        actions_call(actions, TCP, 1, health())->dial_timeout = 2 * S;
    }
}

static void
dials_unix(Script *script, const Input *input, Actions *actions)
{
    if (input->kind == INPUT_START) {
        actions_call(actions, UNIX, 1, health())->dial_timeout = 2 * S;
    }
}

static void
dials_unix_fail_fast(Script *script, const Input *input, Actions *actions)
{
    dials_unix(script, input, actions);
    if (input->kind == INPUT_START) {
        g_array_index(actions->items, Action, 0).flags = CALL_FAIL_FAST;
    }
}

static void
opens(Script *script, const Input *input, Actions *actions)
{
    if (input->kind == INPUT_START) {
        actions_open(actions, TCP, 1, health())->flags = CALL_PLAIN;
    }
}

/* ---- cuts ---- */

START_TEST(a_call_waits_for_the_end_of_a_cut)
{
    start(1, "server", answers);
    run_until(S);
    cut_link(true);
    start(0, "client", asks);
    run_until(3 * S);
    check_story("");
    cut_link(false);
    run_until(60 * S);
    check_story("4010 server request\n" /* sent at 1 s: again after 0.2, 0.6, 1.4, 3.0 s */
                "4020 client reply\n");
}
END_TEST

START_TEST(an_answer_waits_for_the_end_of_a_cut_too)
{
    start(1, "server", answers);
    run_until(S);
    start(0, "client", asks);
    run_until(S + 5 * MS); /* the request is on its way */
    cut_link(true);
    run_until(1500 * MS);
    check_story("1010 server request\n");
    cut_link(false);
    run_until(60 * S);
    check_story("1010 server request\n"
                "1620 client reply\n"); /* from 1010 on: 0.2, 0.6 s */
}
END_TEST

START_TEST(a_deadline_holds_during_a_cut)
{
    start(1, "server", answers);
    run_until(S);
    cut_link(true);
    start(0, "client", asks_with_timeout);
    run_until(60 * S);
    check_story("6000 client failure: deadline exceeded\n");
    cut_link(false);
    run_until(300 * S);
    check_story("6000 client failure: deadline exceeded\n");
}
END_TEST

START_TEST(dialling_through_a_cut_ends_with_the_dial_timeout)
{
    start(1, "server", answers);
    run_until(S);
    cut_link(true);
    start(0, "client", dials);
    run_until(60 * S);
    check_story("3000 client failure: dial timeout\n");
}
END_TEST

/* ---- refusals ---- */

START_TEST(a_blocking_dial_goes_on_until_its_timeout_and_one_that_fails_fast_does_not)
{
    start(0, "patient", dials_unix);
    start(0, "fast", dials_unix_fail_fast);
    run_until(60 * S);
    check_story("1 fast failure: connection refused\n"
                "2000 patient failure: dial timeout\n");
}
END_TEST

START_TEST(an_address_that_is_gone_is_silent)
{
    start(0, "client", dials);
    start(0, "endless", asks);
    run_until(300 * S);
    check_story("2000 client failure: dial timeout\n"
                "127000 endless failure: dial timeout\n"); /* tcp_syn_retries */
}
END_TEST

/* ---- nodes that stop ---- */

START_TEST(a_call_to_a_node_that_has_stopped_is_lost_until_tcp_gives_up)
{
    Process *server = start(1, "server", listens); /* it never answers */
    run_until(S);
    start(0, "client", asks);
    run_until(5 * S);
    switch_node(server, false);
    run_until(900 * S);
    check_story("1010 server request\n");
    run_until(1000 * S);
    check_story("1010 server request\n"
                "929600 client failure: connection reset by peer\n"); /* 5 s and tcp_retries2 */
}
END_TEST

START_TEST(a_lost_call_ends_at_its_deadline)
{
    Process *server = start(1, "server", listens);
    run_until(S);
    start(0, "client", asks_with_timeout);
    run_until(3 * S);
    switch_node(server, false);
    run_until(60 * S);
    check_story("1010 server request\n"
                "6000 client failure: deadline exceeded\n");
}
END_TEST

START_TEST(a_node_that_returns_resets_what_was_lost)
{
    Process *server = start(1, "server", listens);
    run_until(S);
    start(0, "client", asks);
    run_until(3 * S);
    switch_node(server, false);
    run_until(10 * S);
    switch_node(server, true);
    run_until(60 * S);
    /* sent at 1 s: again after 0.2, 0.6, 1.4, 3.0, 6.2, 12.6 s */
    check_story("1010 server request\n"
                "13600 client failure: connection reset by peer\n");
}
END_TEST

START_TEST(a_stream_to_a_node_that_has_stopped_is_found_dead_by_keepalive)
{
    Process *server = start(1, "server", listens);
    run_until(S);
    start(0, "client", opens);
    run_until(10 * S);
    switch_node(server, false);
    run_until(150 * S);
    check_story("1010 server opened\n");
    run_until(200 * S);
    check_story("1010 server opened\n"
                "160000 client closed: connection reset by peer\n"); /* 15 s, then 9 probes */
}
END_TEST

START_TEST(a_stream_is_reset_at_the_next_probe_after_the_node_has_returned)
{
    Process *server = start(1, "server", listens);
    run_until(S);
    start(0, "client", opens);
    run_until(10 * S);
    switch_node(server, false);
    run_until(40 * S);
    switch_node(server, true);
    run_until(200 * S);
    check_story("1010 server opened\n"
                "46000 client closed: connection reset by peer\n"); /* every 15 s since 1 s */
}
END_TEST

START_TEST(a_server_whose_client_has_stopped_hears_of_it_late)
{
    start(0, "server", answers);
    run_until(S);
    Process *client = start(1, "client", opens);
    run_until(10 * S);
    switch_node(client, false);
    run_until(300 * S);
    check_story("1010 server opened\n"
                "160000 server closed: connection reset by peer\n");
}
END_TEST

START_TEST(the_address_of_a_node_that_is_down_is_silent)
{
    Process *server = start(1, "server", answers);
    run_until(S);
    switch_node(server, false);
    start(0, "client", dials);
    run_until(60 * S);
    check_story("3000 client failure: dial timeout\n");
}
END_TEST

/* ---- what is injected ---- */

static FaultOp injected;
static char *answer; /* "" when it struck */

static void
injects(Script *script, const Input *input, Actions *actions)
{
    if (input->kind == INPUT_START) {
        *actions_inject(actions, 1, injected.kind) = injected;
    } else if (input->kind == INPUT_INJECTED) {
        g_free(answer);
        answer = g_strdup(input->error != NULL ? input->error : "");
    }
}

static void
inject(FaultOp op)
{
    injected = op;
    static guint n;
    g_autofree char *name = g_strdup_printf("chaos-%u", n++);
    Process *chaos = start(0, name, injects);
    run_until(engine_now(world->engine) + S);
    world_end_process(chaos, 0);
}

static void
strikes(const char *expected)
{
    ck_assert_pstr_eq(answer, expected);
    g_clear_pointer(&answer, g_free);
}

static void
sleeps(Script *script, const Input *input, Actions *actions)
{
}

/* A process that stands for container 0 of the Pod 7. */
static Process *
container(void)
{
    Process *process = start(1, "target", sleeps);
    g_hash_table_insert(world->containers, g_strdup("container:7/0"), process);
    ((ProcessInfo *)process->info)->pod_uid = 7;
    run_until(engine_now(world->engine) + 2 * S);
    return process;
}

START_TEST(stress_uses_cpu_time_under_the_containers_quota)
{
    Process *process = container();
    inject((FaultOp){.kind = FAULT_OP_CPU, .pod_uid = 7, .workers = 3, .load = 1});
    strikes("");
    double before = cpu_group_usage(process->cpu).used;
    run_until(engine_now(world->engine) + 10 * S);
    CpuUsage usage = cpu_group_usage(process->cpu);
    ck_assert_double_le(usage.used - before, 5.1e9);
    ck_assert_double_ge(usage.used - before, 4.9e9); /* half a core of the three wanted */
    ck_assert_double_gt(usage.throttled, 0);
    inject((FaultOp){.kind = FAULT_OP_CPU, .pod_uid = 7});
    strikes("");
    before = cpu_group_usage(process->cpu).used;
    run_until(engine_now(world->engine) + 10 * S);
    ck_assert_double_le(cpu_group_usage(process->cpu).used - before, 1e6);
}
END_TEST

START_TEST(stress_takes_the_load_that_is_asked_for)
{
    Process *process = container();
    inject((FaultOp){.kind = FAULT_OP_CPU, .pod_uid = 7, .workers = 1, .load = 0.2});
    double before = cpu_group_usage(process->cpu).used;
    run_until(engine_now(world->engine) + 100 * S);
    double used = cpu_group_usage(process->cpu).used - before;
    ck_assert_double_ge(used, 19.5e9);
    ck_assert_double_le(used, 20.5e9);
}
END_TEST

START_TEST(a_hog_on_the_node_leaves_less_to_its_containers)
{
    inject((FaultOp){.kind = FAULT_OP_CPU, .node = "b", .workers = 28, .load = 1});
    strikes("");
    Process *process = container();
    inject((FaultOp){.kind = FAULT_OP_CPU, .pod_uid = 7, .workers = 1, .load = 1});
    double before = cpu_group_usage(process->cpu).used;
    run_until(engine_now(world->engine) + 29 * S);
    double used = cpu_group_usage(process->cpu).used - before;
    ck_assert_double_ge(used, 3.8e9); /* one of 29 on 4 cores */
    ck_assert_double_le(used, 4.2e9);
}
END_TEST

START_TEST(memory_within_the_limit_is_held_and_given_back)
{
    Process *process = container();
    int64_t before = process->memory;
    inject((FaultOp){.kind = FAULT_OP_MEMORY, .pod_uid = 7, .size = 50 << 20});
    ck_assert_int_eq(process->memory, before + (50 << 20));
    inject((FaultOp){.kind = FAULT_OP_MEMORY, .pod_uid = 7, .size = 30 << 20});
    ck_assert_int_eq(process->memory, before + (30 << 20));
    inject((FaultOp){.kind = FAULT_OP_MEMORY, .pod_uid = 7});
    ck_assert_int_eq(process->memory, before);
    strikes("");
}
END_TEST

typedef struct OomSink {
    TraceSink sink;
    int64_t bytes;
} OomSink;

static void
on_mark(TraceSink *sink, const TraceEvent *event)
{
    if (event->mark == TRACE_CONTAINER_OOM) {
        ((OomSink *)sink)->bytes = event->value;
    }
}

START_TEST(memory_beyond_the_limit_kills)
{
    OomSink sink = {.sink = {on_mark}};
    world_add_sink(world, &sink.sink);
    container();
    guint n = world->processes->len;
    inject((FaultOp){.kind = FAULT_OP_MEMORY, .pod_uid = 7, .size = 101 << 20});
    ck_assert_uint_eq(world->processes->len, n - 1);
    ck_assert_int_ge(sink.bytes, 100 << 20);
    ComponentUsage usage[N_COMPONENTS];
    world_component_usage(world, usage);
    ck_assert_uint_eq(usage[COMPONENT_APP].n_oom, 1);
}
END_TEST

START_TEST(what_is_not_there_cannot_be_hit)
{
    inject((FaultOp){.kind = FAULT_OP_KILL, .pod_uid = 9});
    strikes("the container does not run");
    inject((FaultOp){.kind = FAULT_OP_KUBELET, .node = "b"});
    strikes("the kubelet does not run");
    inject((FaultOp){.kind = FAULT_OP_WIRE, .pod_port = "ns/pod/nsm-1"});
    strikes("there is no such interface");
}
END_TEST

START_TEST(a_node_goes_off_and_comes_back_with_a_kubelet)
{
    container();
    guint n = world->processes->len;
    inject((FaultOp){.kind = FAULT_OP_NODE_OFF, .node = "b"});
    strikes("");
    ck_assert(!net_node_is_up(world->net, 1));
    ck_assert_uint_eq(world->processes->len, n - 1);
    inject((FaultOp){.kind = FAULT_OP_NODE_OFF, .node = "b"});
    strikes("the node is down already");
    inject((FaultOp){.kind = FAULT_OP_KUBELET, .node = "b"});
    strikes("the node is down already");
    inject((FaultOp){.kind = FAULT_OP_NODE_ON, .node = "b"});
    strikes("");
    ck_assert(net_node_is_up(world->net, 1));
    ck_assert_ptr_nonnull(world->nodes[1].kubelet);
}
END_TEST

START_TEST(the_control_planes_node_is_not_switched_off)
{
    inject((FaultOp){.kind = FAULT_OP_NODE_OFF, .node = "a"});
    strikes("the node has the API server, whose loss is not modelled");
    ck_assert(net_node_is_up(world->net, 0));
}
END_TEST

/* ---- what a process that ends leaves behind ---- */

static const ContainerSpec vpp_container = {
    .name = (char *)"forwarder-vpp", .image = (char *)"registry.io/cmd-forwarder-vpp:v1.4.0"};

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
    }
}

START_TEST(what_a_vpp_that_ends_was_to_program_is_not_programmed)
{
    Process *forwarder = start(0, "forwarder", programs);
    ((ProcessInfo *)forwarder->info)->container = &vpp_container;
    run_until(MS);
    ck_assert_uint_eq(sim_dataplane_counts(world->dataplane).n_pending, 1);
    world_end_process(forwarder, 0);
    DataPlaneCounts counts = sim_dataplane_counts(world->dataplane);
    ck_assert_uint_eq(counts.n_pending, 0);
    ck_assert_uint_eq(counts.n_cancelled, 1);
    ck_assert_uint_eq(g_hash_table_size(world->dataplane_ops), 0);
    run_until(100 * S);
    g_autoptr(GArray) hops = world->dataplane->class->walk(world->dataplane, "ns/client/nsm-1");
    ck_assert_uint_eq(hops->len, 0);
}
END_TEST

/* ---- suite ---- */

static void
add_tests(Suite *suite, const char *name, SFun setup, SFun teardown, const TTest *const *tests,
          guint n)
{
    TCase *tcase = tcase_create(name);
    tcase_add_checked_fixture(tcase, setup, teardown);
    for (guint i = 0; i < n; i++) {
        tcase_add_test(tcase, tests[i]);
    }
    suite_add_tcase(suite, tcase);
}

int
main(void)
{
    const TTest *const packets[] = {
        a_packet_takes_the_links_latency_and_what_is_added,
        jitter_is_to_both_sides_and_never_before_the_present,
        retransmissions_double,
        what_a_cut_holds_is_sent_again_after_its_end,
        tcp_gives_up_what_a_cut_holds_for_too_long,
        a_packet_that_is_dropped_is_not_sent_again,
        losses_wait_for_their_retransmissions,
        a_link_is_the_same_both_ways_and_others_are_not_impaired,
        nodes_are_known_by_name_and_may_be_down,
    };
    const TTest *const calls[] = {
        a_call_waits_for_the_end_of_a_cut,
        an_answer_waits_for_the_end_of_a_cut_too,
        a_deadline_holds_during_a_cut,
        dialling_through_a_cut_ends_with_the_dial_timeout,
        a_blocking_dial_goes_on_until_its_timeout_and_one_that_fails_fast_does_not,
        an_address_that_is_gone_is_silent,
        a_call_to_a_node_that_has_stopped_is_lost_until_tcp_gives_up,
        a_lost_call_ends_at_its_deadline,
        a_node_that_returns_resets_what_was_lost,
        a_stream_to_a_node_that_has_stopped_is_found_dead_by_keepalive,
        a_stream_is_reset_at_the_next_probe_after_the_node_has_returned,
        a_server_whose_client_has_stopped_hears_of_it_late,
        the_address_of_a_node_that_is_down_is_silent,
    };
    const TTest *const injections[] = {
        stress_uses_cpu_time_under_the_containers_quota,
        stress_takes_the_load_that_is_asked_for,
        a_hog_on_the_node_leaves_less_to_its_containers,
        memory_within_the_limit_is_held_and_given_back,
        memory_beyond_the_limit_kills,
        what_is_not_there_cannot_be_hit,
        a_node_goes_off_and_comes_back_with_a_kubelet,
        the_control_planes_node_is_not_switched_off,
        what_a_vpp_that_ends_was_to_program_is_not_programmed,
    };
    Suite *suite = suite_create("net");
    add_tests(suite, "packets", net_setup, net_teardown, packets, G_N_ELEMENTS(packets));
    add_tests(suite, "calls", world_setup, world_teardown, calls, G_N_ELEMENTS(calls));
    add_tests(suite, "injections", world_setup, world_teardown, injections,
              G_N_ELEMENTS(injections));
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
