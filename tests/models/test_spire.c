/* SPIRE's machines alone, and a workload's attempts at its SVID (FACTS 3.8). */
#include "models/spire/spire.h"

#include "models/k8s/api.h"
#include "models/nsm/manager.h"
#include "tests/models/nsm_step.h"

#define SERVER "svc:spire-server.ns:8081"
#define KUBELET "kubelet:node-a"

/* ---- the workload ---- */

static void
workload(void)
{
    make_machine(manager_new, "cmd-nsmgr:v1.4.0", ""); /* any machine that needs an SVID */
    start();
}

START_TEST(a_workload_tries_at_0_1_3_6_10_15_and_21_seconds)
{
    workload();
    static const int at[] = {0, 1, 3, 6, 10, 15, 21};
    nsec_t begin = subject.now;
    for (guint i = 0; i < G_N_ELEMENTS(at); i++) {
        ck_assert_str_eq(did(), "spire-fetch at " AGENT);
        ck_assert_int_eq(subject.now - begin, SECONDS(at[i]));
        reply(SVID_TAG, message_error("PermissionDenied"));
        ck_assert(traced(TRACE_IDENTITY_REFUSED, "PermissionDenied"));
        ck_assert_int_eq(only(ACTION_TRACE)->value, i + 1);
        subject.now += only(ACTION_TIMER)->delay;
        fire(SVID_TAG);
    }
}
END_TEST

START_TEST(the_pause_ends_at_thirty_seconds)
{
    workload();
    for (int i = 1; i <= 33; i++) {
        failure(SVID_TAG, FAILURE_REFUSED);
        ck_assert_int_eq(only(ACTION_TIMER)->delay, SECONDS(MIN(i, 30)));
        fire(SVID_TAG);
    }
}
END_TEST

START_TEST(an_attempt_names_the_pod_and_the_container)
{
    subject.info.container_index = 3;
    workload();
    const SpireMessage *fetch = (const SpireMessage *)call_of(MESSAGE_SPIRE_FETCH)->message;
    ck_assert_uint_eq(fetch->pod_uid, 7);
    ck_assert_str_eq(fetch->pod_key, "ns/pod");
    ck_assert_uint_eq(fetch->container, 3);
    ck_assert_int_eq(only(ACTION_CALL)->flags, CALL_PLAIN);
}
END_TEST

START_TEST(the_svid_ends_the_attempts)
{
    workload();
    failure(SVID_TAG, FAILURE_REFUSED);
    fire(SVID_TAG);
    reply(SVID_TAG, svid());
    ck_assert(traced(TRACE_IDENTITY_RECEIVED, "c"));
    ck_assert_int_eq(action_at(ACTION_TRACE, 0)->value, 2);
    ck_assert_uint_eq(n_actions(ACTION_TIMER) + n_actions(ACTION_CALL), 0);
}
END_TEST

/* ---- the server ---- */

static void
server(void)
{
    make_machine(spire_server_new, "ghcr.io/spiffe/spire-server:1.2.3", "");
    start();
}

static void
enter(uint64_t call, uint64_t uid, const char *node)
{
    request(call, spire_message(MESSAGE_SPIRE_ENTRY, uid, "ns/p", node));
    answer_of(call, MESSAGE_OK);
}

/* How many entries of node-a an agent that knows the first `known` of 11, 13, 15 is given. */
static guint
synced(guint known)
{
    static const uint64_t uids[] = {11, 13, 15};
    g_autoptr(GArray) have = g_array_new(false, false, sizeof(uint64_t));
    g_array_append_vals(have, uids, known);
    request(50, spire_sync("node-a", have));
    const SpireEntries *entries = (const SpireEntries *)answer_of(50, MESSAGE_SPIRE_ENTRIES);
    ck_assert_int_eq(entries->base.weight, (int)entries->uids->len);
    return entries->uids->len;
}

/* Lets time pass, in steps of 10 ms, until a sync with nothing known gives n entries. */
static nsec_t
visible_after(guint n)
{
    nsec_t begin = subject.now;
    while (synced(0) < n) {
        subject.now += MSECONDS(10);
        ck_assert_int_le(subject.now - begin, SECONDS(20));
    }
    return subject.now - begin;
}

START_TEST(the_server_listens_for_the_registrar_and_for_agents)
{
    server();
    ck_assert_str_eq(did(), "listen unix:ns/pod:spire-server; listen tcp:10.0.0.1:8081");
    request(1, message_new(MESSAGE_SPIRE_SIGN, sizeof(Message), NULL));
    answer_of(1, MESSAGE_OK);
}
END_TEST

START_TEST(an_entry_is_seen_only_after_the_next_rebuild_of_the_cache)
{
    server();
    enter(1, 11, "node-a");
    ck_assert_uint_eq(synced(0), 0);
    nsec_t first = visible_after(1);
    ck_assert_int_le(first, SECONDS(5) + MSECONDS(10));
    enter(2, 12, "node-a"); /* just after a rebuild: it waits for a whole period */
    nsec_t second = visible_after(2);
    ck_assert_int_ge(second, SECONDS(5) - MSECONDS(20));
    ck_assert_int_le(second, SECONDS(5));
}
END_TEST

START_TEST(entries_of_one_period_are_seen_together)
{
    server();
    enter(1, 11, "node-a");
    visible_after(1); /* begins a period */
    enter(2, 12, "node-a");
    subject.now += SECONDS(4);
    enter(3, 13, "node-a");
    ck_assert_uint_eq(synced(0), 1);
    nsec_t wait = visible_after(2);
    ck_assert_int_le(wait, SECONDS(1));
    ck_assert_uint_eq(synced(0), 3);
}
END_TEST

START_TEST(the_cache_period_is_calibrated)
{
    calibrate("spire.server-cache", "1s");
    server();
    enter(1, 11, "node-a");
    visible_after(1);
    enter(2, 12, "node-a");
    nsec_t wait = visible_after(2);
    ck_assert_int_ge(wait, MSECONDS(980));
    ck_assert_int_le(wait, SECONDS(1));
}
END_TEST

START_TEST(an_agent_is_given_what_is_new_for_its_node)
{
    server();
    enter(1, 11, "node-a");
    enter(2, 12, "node-b");
    enter(3, 13, "node-a");
    subject.now += SECONDS(5);
    ck_assert_uint_eq(synced(0), 2);
    ck_assert_uint_eq(synced(1), 1);
    const SpireEntries *entries = (const SpireEntries *)answer_of(50, MESSAGE_SPIRE_ENTRIES);
    ck_assert_uint_eq(g_array_index(entries->uids, uint64_t, 0), 13);
    ck_assert_uint_eq(synced(2), 0);
    ck_assert_int_eq(subject.endpoints, 3);
    enter(4, 13, "node-a"); /* the registrar may say it again */
    ck_assert_uint_eq(synced(2), 0);
    ck_assert_int_eq(subject.endpoints, 3);
}
END_TEST

START_TEST(a_restarted_server_hands_out_entries_that_the_agent_does_not_have)
{
    server(); /* the agent was given three entries by the one before */
    enter(1, 14, "node-a");
    subject.now += SECONDS(5);
    ck_assert_uint_eq(synced(3), 1);
}
END_TEST

static const SpireEntries *
last_sync(void)
{
    return (const SpireEntries *)answer_of(50, MESSAGE_SPIRE_ENTRIES);
}

START_TEST(a_removed_entry_is_told_until_the_agent_has_forgotten_it)
{
    server();
    enter(1, 11, "node-a");
    enter(2, 13, "node-a");
    subject.now += SECONDS(5);
    SpireMessage *removal = spire_message(MESSAGE_SPIRE_ENTRY, 11, "ns/p", "node-a");
    removal->removed = true;
    request(3, removal);
    ck_assert_int_eq(subject.endpoints, 1);
    ck_assert_uint_eq(synced(2), 0);
    ck_assert_uint_eq(last_sync()->removed->len, 0); /* the cache has it still */
    subject.now += SECONDS(5);
    synced(2);
    ck_assert_uint_eq(last_sync()->removed->len, 1);
    ck_assert_uint_eq(g_array_index(last_sync()->removed, uint64_t, 0), 11);
    ck_assert_uint_eq(synced(0), 1); /* it has forgotten: only 13 is left */
    ck_assert_uint_eq(last_sync()->removed->len, 0);
    synced(2); /* and so has the server */
    ck_assert_uint_eq(last_sync()->removed->len, 0);
}
END_TEST

START_TEST(a_restarted_server_takes_nothing_away)
{
    server();
    subject.now += SECONDS(5);
    ck_assert_uint_eq(synced(3), 0);
    ck_assert_uint_eq(last_sync()->removed->len, 0);
}
END_TEST

START_TEST(the_registrars_stream_is_told_that_the_server_is_there)
{
    server();
    opened(70, message_new(MESSAGE_HEALTH, sizeof(Message), NULL));
    ck_assert_str_eq(did(), "push 70 ok");
}
END_TEST

/* ---- the registrar ---- */

#define SERVER_TAG 5 /* of its stream to the server */

static void
registrar(void)
{
    make_machine(spire_registrar_new, "gcr.io/spiffe-io/k8s-workload-registrar:1.2.3", "");
    start();
}

static ApiObject *
pod(uint64_t uid, const char *node)
{
    ApiObject *object = api_object_new(OBJECT_POD, "apps", "p");
    object->uid = uid;
    object->node = g_strdup(node);
    return object;
}

static void
watched(WatchEventType type, uint64_t uid, const char *node)
{
    g_autoptr(ApiObject) object = pod(uid, node);
    Message *event = api_event_new(type, object);
    give((Input){.kind = INPUT_EVENT, .tag = 1, .message = event});
    message_unref(event);
}

START_TEST(the_registrar_watches_pods_that_carry_the_label)
{
    registrar();
    ck_assert_str_eq(did(),
                     "api-watch at " API_ADDRESS "; health-check at unix:ns/pod:spire-server");
    const ApiQuery *query = (const ApiQuery *)action_at(ACTION_OPEN, 0)->message;
    ck_assert_int_eq(query->kind, OBJECT_POD);
    ck_assert_str_eq(query->label, "spiffe.io/spiffe-id");
    ck_assert_uint_eq(action_at(ACTION_OPEN, 0)->tag, 1); /* as `watched` has it */
    ck_assert_uint_eq(action_at(ACTION_OPEN, 1)->tag, SERVER_TAG);
}
END_TEST

START_TEST(a_bound_pod_gets_an_object_and_then_an_entry)
{
    registrar();
    watched(WATCH_ADDED, 42, NULL);
    ck_assert_str_eq(did(), "");
    watched(WATCH_MODIFIED, 42, "node-b");
    ck_assert_str_eq(did(), "api-create at " API_ADDRESS);
    reply(only(ACTION_CALL)->tag, message_ok());
    ck_assert_str_eq(did(), "spire-entry at unix:ns/pod:spire-server");
    const SpireMessage *entry = (const SpireMessage *)only(ACTION_CALL)->message;
    ck_assert_uint_eq(entry->pod_uid, 42);
    ck_assert_str_eq(entry->pod_key, "apps/p");
    ck_assert_str_eq(entry->node, "node-b");
    reply(only(ACTION_CALL)->tag, message_ok());
    ck_assert_str_eq(did(), "");
}
END_TEST

START_TEST(a_pod_gets_one_entry_however_often_it_changes)
{
    registrar();
    watched(WATCH_ADDED, 42, "node-b");
    only(ACTION_CALL);
    watched(WATCH_MODIFIED, 42, "node-b");
    ck_assert_str_eq(did(), "");
    watched(WATCH_DELETED, 42, "node-b");
    ck_assert_str_eq(did(), "cancel");  /* the object was not there yet */
    watched(WATCH_ADDED, 43, "node-b"); /* a new Pod, a new entry */
    ck_assert_str_eq(did(), "api-create at " API_ADDRESS);
}
END_TEST

START_TEST(its_client_has_a_burst_of_thirty_and_twenty_requests_a_second)
{
    registrar();
    for (uint64_t i = 1; i <= 31; i++) {
        watched(WATCH_ADDED, i, "node-b");
        ck_assert_int_eq(only(ACTION_CALL)->delay, i <= 30 ? 0 : MSECONDS(50));
    }
}
END_TEST

START_TEST(what_fails_is_tried_again_after_a_second)
{
    registrar();
    watched(WATCH_ADDED, 42, "node-b");
    failure(only(ACTION_CALL)->tag, FAILURE_REFUSED);
    ck_assert_str_eq(did(), "timer 1s");
    fire(only(ACTION_TIMER)->tag);
    ck_assert_str_eq(did(), "spire-entry at unix:ns/pod:spire-server");
    failure(only(ACTION_CALL)->tag, FAILURE_REFUSED);
    ck_assert_str_eq(did(), "timer 1s");
}
END_TEST

START_TEST(a_watch_that_ends_is_opened_again)
{
    registrar();
    give((Input){.kind = INPUT_CLOSED, .tag = 1});
    ck_assert_str_eq(did(), "timer 1s");
    fire(only(ACTION_TIMER)->tag);
    ck_assert_str_eq(did(), "api-watch at " API_ADDRESS);
}
END_TEST

/* Pod 42 with its entry. */
static void
entered(void)
{
    registrar();
    watched(WATCH_ADDED, 42, "node-b");
    reply(only(ACTION_CALL)->tag, message_ok());
    reply(call_of(MESSAGE_SPIRE_ENTRY)->tag, message_ok());
}

START_TEST(a_deleted_pods_entry_is_removed)
{
    entered();
    watched(WATCH_DELETED, 42, "node-b");
    ck_assert_str_eq(only(ACTION_CALL)->address, "unix:ns/pod:spire-server");
    ck_assert(((const SpireMessage *)only(ACTION_CALL)->message)->removed);
    ck_assert_str_eq(((const SpireMessage *)only(ACTION_CALL)->message)->node, "node-b");
    failure(only(ACTION_CALL)->tag, FAILURE_REFUSED); /* tried until the server has heard it */
    fire(only(ACTION_TIMER)->tag);
    ck_assert(((const SpireMessage *)call_of(MESSAGE_SPIRE_ENTRY)->message)->removed);
    reply(only(ACTION_CALL)->tag, message_ok());
    event(SERVER_TAG, message_ok()); /* and forgotten */
    ck_assert_str_eq(did(), "");
}
END_TEST

START_TEST(a_restarted_server_gets_the_entries_again)
{
    entered();
    watched(WATCH_ADDED, 43, "node-b"); /* not entered yet */
    broken(SERVER_TAG, FAILURE_PEER_GONE);
    ck_assert_str_eq(did(), "timer 1s");
    fire(only(ACTION_TIMER)->tag);
    ck_assert_str_eq(did(), "health-check at unix:ns/pod:spire-server");
    event(SERVER_TAG, message_ok());
    ck_assert_str_eq(did(), "spire-entry at unix:ns/pod:spire-server");
    ck_assert_uint_eq(((const SpireMessage *)only(ACTION_CALL)->message)->pod_uid, 42);
    reply(only(ACTION_CALL)->tag, message_ok());
    ck_assert_str_eq(did(), "");
}
END_TEST

/* ---- the agent ---- */

static void
agent(void)
{
    make_machine(spire_agent_new, "ghcr.io/spiffe/spire-agent:1.2.3", "");
    start();
}

/* Answers the sync under way with this entry, and the removal of that; 0: none. */
static void
give_entries(uint64_t uid, uint64_t removed)
{
    SpireEntries *entries = spire_entries();
    if (uid != 0) {
        g_array_append_val(entries->uids, uid);
    }
    if (removed != 0) {
        g_array_append_val(entries->removed, removed);
    }
    reply(call_of(MESSAGE_SPIRE_SYNC)->tag, entries);
}

static void
give_entry(uint64_t uid)
{
    give_entries(uid, 0);
}

/* What the sync under way says that the agent knows. */
static const GArray *
known(void)
{
    return ((const SpireSync *)call_of(MESSAGE_SPIRE_SYNC)->message)->known;
}

/* An agent after its first, empty sync. */
static void
agent_ready(void)
{
    agent();
    give_entry(0);
}

static void
fetch(uint64_t call, uint64_t uid)
{
    SpireMessage *message = spire_message(MESSAGE_SPIRE_FETCH, uid, "ns/w", NULL);
    message->container = 2;
    request(call, message);
}

START_TEST(the_agent_serves_after_its_first_sync)
{
    agent();
    ck_assert_str_eq(did(), "spire-sync at " SERVER);
    request(1, message_new(MESSAGE_HEALTH, sizeof(Message), NULL));
    assert_error(1, "not ready");
    agent();
    give_entry(0);
    ck_assert_str_eq(action_at(ACTION_LISTEN, 0)->address, AGENT);
    only(ACTION_TIMER);
    request(2, message_new(MESSAGE_HEALTH, sizeof(Message), NULL));
    answer_of(2, MESSAGE_OK);
}
END_TEST

START_TEST(the_agent_syncs_every_five_seconds_give_or_take_a_tenth)
{
    agent_ready();
    nsec_t least = SECONDS(10), most = 0;
    for (int i = 0; i < 400; i++) {
        nsec_t pause = only(ACTION_TIMER)->delay;
        ck_assert_int_ge(pause, MSECONDS(4500));
        ck_assert_int_le(pause, MSECONDS(5500));
        least = MIN(least, pause);
        most = MAX(most, pause);
        fire(only(ACTION_TIMER)->tag);
        give_entry(0);
        ck_assert_uint_eq(n_actions(ACTION_LISTEN), 0);
    }
    ck_assert_int_lt(least, MSECONDS(4600));
    ck_assert_int_gt(most, MSECONDS(5400));
}
END_TEST

START_TEST(a_sync_that_fails_is_repeated_at_the_next_period)
{
    agent();
    failure(only(ACTION_CALL)->tag, FAILURE_REFUSED);
    ck_assert_uint_eq(n_actions(ACTION_LISTEN), 0);
    fire(only(ACTION_TIMER)->tag);
    ck_assert_str_eq(did(), "spire-sync at " SERVER);
}
END_TEST

START_TEST(new_entries_are_signed_before_they_count)
{
    agent_ready();
    fire(only(ACTION_TIMER)->tag);
    give_entry(9);
    ck_assert_str_eq(did(), "spire-sign at " SERVER);
    ck_assert_int_eq(only(ACTION_CALL)->message->weight, 1);
    uint64_t sign = only(ACTION_CALL)->tag;
    fetch(1, 9);
    reply(only(ACTION_CALL)->tag, message_ok());
    assert_error(1, "PermissionDenied");
    reply(sign, message_ok());
    only(ACTION_TIMER);
    fetch(2, 9);
    reply(only(ACTION_CALL)->tag, message_ok());
    const SpireSvid *issued = (const SpireSvid *)answer_of(2, MESSAGE_SPIRE_SVID);
    ck_assert_int_eq(issued->expires, subject.now + SECONDS(3600));
}
END_TEST

START_TEST(a_sync_says_which_entries_are_known)
{
    agent_ready();
    fire(only(ACTION_TIMER)->tag);
    ck_assert_uint_eq(known()->len, 0);
    ck_assert_str_eq(((const SpireSync *)only(ACTION_CALL)->message)->node, "node-a");
    give_entry(9);
    reply(call_of(MESSAGE_SPIRE_SIGN)->tag, message_ok());
    fire(only(ACTION_TIMER)->tag);
    ck_assert_uint_eq(known()->len, 1);
    ck_assert_uint_eq(g_array_index(known(), uint64_t, 0), 9);
}
END_TEST

START_TEST(entries_whose_signing_fails_are_asked_for_again)
{
    agent_ready();
    fire(only(ACTION_TIMER)->tag);
    give_entry(9);
    failure(call_of(MESSAGE_SPIRE_SIGN)->tag, FAILURE_DEADLINE);
    fire(only(ACTION_TIMER)->tag);
    ck_assert_uint_eq(known()->len, 0);
    ck_assert_int_eq(subject.endpoints, 0);
}
END_TEST

START_TEST(a_removed_entry_is_not_served_any_more)
{
    agent_ready();
    fire(only(ACTION_TIMER)->tag);
    give_entry(9);
    reply(call_of(MESSAGE_SPIRE_SIGN)->tag, message_ok());
    ck_assert_int_eq(subject.endpoints, 1);
    fire(only(ACTION_TIMER)->tag);
    give_entries(0, 9);
    ck_assert_int_eq(subject.endpoints, 0);
    fire(only(ACTION_TIMER)->tag);
    ck_assert_uint_eq(known()->len, 0);
    fetch(1, 9);
    reply(call_of(MESSAGE_KUBELET_PODS)->tag, message_ok());
    assert_error(1, "PermissionDenied");
}
END_TEST

START_TEST(a_workload_that_has_gone_is_attested_no_more)
{
    agent_ready();
    fetch(1, 9);
    uint64_t tag = only(ACTION_CALL)->tag;
    cancelled(1);
    ck_assert_uint_eq(only(ACTION_CANCEL)->tag, tag);
    reply(tag, message_error("not running"));
    ck_assert_str_eq(did(), "");
}
END_TEST

START_TEST(a_workload_is_attested_through_the_kubelet)
{
    agent_ready();
    fetch(1, 9);
    ck_assert_str_eq(did(), "kubelet-pods at " KUBELET);
    const KubeletPods *question = (const KubeletPods *)only(ACTION_CALL)->message;
    ck_assert_uint_eq(question->pod_uid, 9);
    ck_assert_uint_eq(question->container, 2);
    reply(only(ACTION_CALL)->tag, message_ok());
    assert_error(1, "PermissionDenied"); /* attested, but there is no entry */
}
END_TEST

START_TEST(the_attestor_polls_sixty_times_every_half_second)
{
    agent_ready();
    fetch(1, 9);
    int n_polls = 0;
    while (n_actions(ACTION_REPLY) == 0) {
        n_polls++;
        reply(call_of(MESSAGE_KUBELET_PODS)->tag, message_error("not running"));
        if (n_actions(ACTION_TIMER) > 0) {
            ck_assert_str_eq(did(), "timer 500ms");
            fire(only(ACTION_TIMER)->tag);
        }
    }
    ck_assert_int_eq(n_polls, 60);
    assert_error(1, "attestation failed");
}
END_TEST

START_TEST(a_kubelet_that_does_not_answer_is_polled_again)
{
    agent_ready();
    fetch(1, 9);
    failure(only(ACTION_CALL)->tag, FAILURE_REFUSED);
    ck_assert_str_eq(did(), "timer 500ms");
    fire(only(ACTION_TIMER)->tag);
    ck_assert_str_eq(did(), "kubelet-pods at " KUBELET);
}
END_TEST

START_TEST(two_workloads_are_attested_side_by_side)
{
    agent_ready();
    fetch(1, 9);
    uint64_t first = only(ACTION_CALL)->tag;
    fetch(2, 10);
    uint64_t second = only(ACTION_CALL)->tag;
    reply(second, message_ok());
    assert_error(2, "PermissionDenied");
    reply(first, message_ok());
    assert_error(1, "PermissionDenied");
}
END_TEST

START_TEST(with_static_entries_only_attestation_remains)
{
    calibrate("spire.identity", "static-entry");
    agent_ready();
    fetch(1, 9);
    reply(call_of(MESSAGE_KUBELET_PODS)->tag, message_error("not running"));
    fire(only(ACTION_TIMER)->tag);
    reply(call_of(MESSAGE_KUBELET_PODS)->tag, message_ok());
    answer_of(1, MESSAGE_SPIRE_SVID);
}
END_TEST

/* ---- wait-for-it ---- */

START_TEST(wait_for_it_tries_once_a_second_until_the_server_answers)
{
    make_machine(wait_for_it_new, "ghcr.io/chrislovecnm/wait-for-it:1", "");
    start();
    for (int i = 0; i < 3; i++) {
        ck_assert_str_eq(did(), "health-check at " SERVER);
        failure(only(ACTION_CALL)->tag, FAILURE_REFUSED);
        ck_assert_str_eq(did(), "timer 1s");
        fire(only(ACTION_TIMER)->tag);
    }
    reply(only(ACTION_CALL)->tag, message_ok());
    ck_assert_str_eq(did(), "exit 0");
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {
        a_workload_tries_at_0_1_3_6_10_15_and_21_seconds,
        the_pause_ends_at_thirty_seconds,
        an_attempt_names_the_pod_and_the_container,
        the_svid_ends_the_attempts,
        the_server_listens_for_the_registrar_and_for_agents,
        an_entry_is_seen_only_after_the_next_rebuild_of_the_cache,
        entries_of_one_period_are_seen_together,
        the_cache_period_is_calibrated,
        an_agent_is_given_what_is_new_for_its_node,
        the_registrar_watches_pods_that_carry_the_label,
        a_bound_pod_gets_an_object_and_then_an_entry,
        a_pod_gets_one_entry_however_often_it_changes,
        its_client_has_a_burst_of_thirty_and_twenty_requests_a_second,
        what_fails_is_tried_again_after_a_second,
        a_watch_that_ends_is_opened_again,
        the_agent_serves_after_its_first_sync,
        the_agent_syncs_every_five_seconds_give_or_take_a_tenth,
        a_sync_that_fails_is_repeated_at_the_next_period,
        new_entries_are_signed_before_they_count,
        a_sync_says_which_entries_are_known,
        entries_whose_signing_fails_are_asked_for_again,
        a_workload_is_attested_through_the_kubelet,
        the_attestor_polls_sixty_times_every_half_second,
        a_kubelet_that_does_not_answer_is_polled_again,
        two_workloads_are_attested_side_by_side,
        with_static_entries_only_attestation_remains,
        wait_for_it_tries_once_a_second_until_the_server_answers,
        a_restarted_server_hands_out_entries_that_the_agent_does_not_have,
        a_deleted_pods_entry_is_removed,
        a_removed_entry_is_told_until_the_agent_has_forgotten_it,
        a_restarted_server_takes_nothing_away,
        the_registrars_stream_is_told_that_the_server_is_there,
        a_restarted_server_gets_the_entries_again,
        a_removed_entry_is_not_served_any_more,
        a_workload_that_has_gone_is_attested_no_more,
    };
    return run_tests("spire", tests, G_N_ELEMENTS(tests), NULL, 0);
}
