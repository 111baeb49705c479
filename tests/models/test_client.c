/* cmd-nsc and cmd-nsc-init alone (FACTS 1.5, 1.10, 1.11, 2.4, 2.5). */
#include "models/nsm/client.h"

#include "tests/models/nsm_step.h"

#define NSC "ghcr.io/networkservicemesh/cmd-nsc:v1.4.0"
#define INIT "ghcr.io/networkservicemesh/cmd-nsc-init:v1.4.0"
#define NAMED                                                                                      \
    "{name: NSM_NAME, value: client}, "                                                            \
    "{name: NSM_CONNECT_TO, value: \"unix:///var/lib/networkservicemesh/nsm.io.sock\"}"
#define URLS(urls) ", {name: NSM_NETWORK_SERVICES, value: \"" urls "\"}"
#define ENV NAMED URLS("kernel://svc/nsm-1?app=x")

static void
begun(Machine *(*make)(const ProcessInfo *info), const char *env)
{
    make_machine(make, make == client_new ? NSC : INIT, env);
    start();
    reply(SVID_TAG, svid());
}

/* MonitorConnections tells that there is no connection yet. */
static void
nothing_there(void)
{
    uint64_t tag = 0;
    for (guint i = 0; i < n_actions(ACTION_OPEN); i++) { /* beside the stream of healing */
        tag = action_at(ACTION_OPEN, i)->tag;
    }
    event(tag, nsm_event(NSM_EVENT_INITIAL, NULL));
}

/* cmd-nsc that has found no connection of its init container's: its Request is the last action. */
static void
requesting(const char *env)
{
    begun(client_new, env);
    nothing_there();
}

/* The answer to the Request under way: four segments; the soonest token lives for `life`. */
static void
agree(nsec_t life)
{
    const Action *call = call_of(MESSAGE_NSM_REQUEST);
    uint64_t tag = call->tag;
    Connection *back = connection_copy(connection_of(call));
    connection_advance(back, "nsmgr", subject.now, NSM_TOKEN_LIFETIME);
    connection_advance(back, "fwd", subject.now, life);
    connection_advance(back, "nse", subject.now, NSM_TOKEN_LIFETIME);
    back->index = 1;
    g_free(back->nse);
    back->nse = g_strdup("nse-1");
    reply(tag, nsm_message(MESSAGE_NSM_CONNECTION, back));
}

/* ---- the first Request ---- */

START_TEST(the_client_asks_for_an_existing_connection_before_it_requests)
{
    make_machine(client_new, NSC, ENV);
    start();
    ck_assert_str_eq(did(), "spire-fetch at " AGENT);
    reply(SVID_TAG, svid());
    ck_assert_str_eq(did(), "nsm-monitor at " SOCKET);
    ck_assert_str_eq(connection_of(only(ACTION_OPEN))->id, "ns/pod-0");
    nothing_there();
    ck_assert_str_eq(did(), "cancel; nsm-request at " SOCKET);
}
END_TEST

START_TEST(the_request_says_what_the_url_says)
{
    requesting(ENV);
    const Connection *out = connection_of(only(ACTION_CALL));
    ck_assert_str_eq(out->id, "ns/pod-0");
    ck_assert_str_eq(out->service, "svc");
    ck_assert_int_eq(out->mechanism, WIRE_KERNEL);
    ck_assert_str_eq(out->client.pod, "ns/pod");
    ck_assert_str_eq(out->client.interface, "nsm-1");
    ck_assert_str_eq(labels_get(&out->labels, "app"), "x");
    ck_assert_ptr_null(out->nse);
    ck_assert_uint_eq(out->path->len, 1);
    ck_assert_str_eq(connection_segment(out, 0)->name, "client");
    ck_assert_int_eq(connection_segment(out, 0)->expires, subject.now + SECONDS(600));
    ck_assert(traced(TRACE_REQUEST_STARTED, "svc"));
}
END_TEST

START_TEST(a_memif_url_asks_for_memif_and_an_interface_has_a_default_name)
{
    requesting(NAMED URLS("memif://svc"));
    ck_assert_int_eq(connection_of(only(ACTION_CALL))->mechanism, WIRE_MEMIF);
    ck_assert_str_eq(connection_of(only(ACTION_CALL))->client.interface, "nsm-1");
}
END_TEST

START_TEST(client_info_is_added_to_the_labels)
{
    requesting(ENV ", {name: NODE_NAME, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}"
                   ", {name: POD_NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}"
                   ", {name: CLUSTER_NAME, value: east}");
    const Labels *labels = &connection_of(only(ACTION_CALL))->labels;
    ck_assert_uint_eq(labels->n, 4);
    ck_assert_str_eq(labels_get(labels, "nodeName"), "node-a");
    ck_assert_str_eq(labels_get(labels, "podName"), "pod");
    ck_assert_str_eq(labels_get(labels, "clusterName"), "east");
    ck_assert_str_eq(labels_get(labels, "app"), "x");
}
END_TEST

START_TEST(a_label_of_the_url_wins_over_client_info)
{
    requesting(
        NAMED URLS("kernel://svc/nsm-1?nodeName=other") ", {name: NODE_NAME, valueFrom: {fieldRef: "
                                                        "{fieldPath: spec.nodeName}}}");
    const Labels *labels = &connection_of(only(ACTION_CALL))->labels;
    ck_assert_str_eq(labels_get(labels, "nodeName"), "other");
}
END_TEST

START_TEST(its_timeouts_have_defaults_and_variables)
{
    requesting(ENV);
    ck_assert_int_eq(only(ACTION_CALL)->timeout, SECONDS(15));
    ck_assert_int_eq(only(ACTION_CALL)->dial_timeout, SECONDS(5));
    requesting(ENV ", {name: NSM_REQUEST_TIMEOUT, value: 75s}, "
                   "{name: NSM_DIAL_TIMEOUT, value: 1s}, "
                   "{name: NSM_MAX_TOKEN_LIFETIME, value: 5m}");
    ck_assert_int_eq(only(ACTION_CALL)->timeout, SECONDS(75));
    ck_assert_int_eq(only(ACTION_CALL)->dial_timeout, SECONDS(1));
    ck_assert_int_eq(connection_segment(connection_of(only(ACTION_CALL)), 0)->expires,
                     subject.now + SECONDS(300));
}
END_TEST

START_TEST(monitor_has_the_request_timeout_too)
{
    begun(client_new, ENV ", {name: NSM_REQUEST_TIMEOUT, value: 75s}");
    ck_assert_int_eq(stream_of(MESSAGE_NSM_MONITOR)->timeout, SECONDS(75));
}
END_TEST

START_TEST(without_urls_it_has_nothing_to_do)
{
    begun(client_new, NAMED);
    ck_assert_str_eq(did(), "");
    begun(client_init_new, NAMED);
    ck_assert_str_eq(did(), "exit 0");
}
END_TEST

/* ---- failures ---- */

START_TEST(a_failed_request_is_tried_again_after_200_ms)
{
    begun(client_init_new, ENV);
    for (int i = 0; i < 3; i++) {
        reply(call_of(MESSAGE_NSM_REQUEST)->tag, message_error("no candidates found"));
        ck_assert_str_eq(did(), "timer 200ms");
        ck_assert(traced(TRACE_REQUEST_FAILED, "no candidates found"));
        fire(only(ACTION_TIMER)->tag);
        ck_assert_str_eq(did(), "nsm-request at " SOCKET);
    }
    failure(only(ACTION_CALL)->tag, FAILURE_DEADLINE);
    ck_assert_str_eq(did(), "timer 200ms");
    ck_assert(traced(TRACE_REQUEST_FAILED, "deadline exceeded"));
}
END_TEST

START_TEST(a_clients_failed_request_pauses_200_ms_too)
{
    requesting(ENV);
    reply(only(ACTION_CALL)->tag, message_error("no"));
    ck_assert_str_eq(did(), "timer 200ms");
}
END_TEST

START_TEST(a_monitor_that_fails_is_fatal)
{
    static const Failure fatal[] = {FAILURE_DEADLINE, FAILURE_PEER_GONE, FAILURE_DIAL_TIMEOUT};
    for (guint i = 0; i < G_N_ELEMENTS(fatal); i++) {
        begun(client_new, ENV);
        broken(stream_of(MESSAGE_NSM_MONITOR)->tag, fatal[i]);
        ck_assert_str_eq(did(), "exit 1");
    }
}
END_TEST

/* The pause after a refused call: the n-th is 1 s * 1.6^n, give or take a fifth. */
static nsec_t
assert_back_off(double nominal)
{
    nsec_t pause = only(ACTION_TIMER)->delay;
    ck_assert_int_ge(pause, nsec_from_seconds(0.8 * nominal));
    ck_assert_int_le(pause, nsec_from_seconds(1.2 * nominal));
    return pause;
}

START_TEST(a_manager_that_does_not_listen_is_dialled_with_grpcs_back_off)
{
    begun(client_init_new, ENV);
    double nominal = 1, sum = 0;
    for (int i = 0; i < 30; i++) {
        failure(call_of(MESSAGE_NSM_REQUEST)->tag, FAILURE_REFUSED);
        sum += nsec_to_seconds(assert_back_off(nominal)) / nominal;
        nominal = MIN(nominal * 1.6, 120);
        fire(only(ACTION_TIMER)->tag);
    }
    ck_assert_double_eq_tol(sum / 30, 1, 0.1); /* the jitter goes both ways */
}
END_TEST

START_TEST(the_back_offs_jitter_is_a_fifth)
{
    begun(client_init_new, ENV);
    double least = 2, most = 0;
    for (int i = 0; i < 200; i++) {
        failure(call_of(MESSAGE_NSM_REQUEST)->tag, FAILURE_REFUSED);
        double share = nsec_to_seconds(only(ACTION_TIMER)->delay) / 120;
        least = i > 12 ? MIN(least, share) : least;
        most = i > 12 ? MAX(most, share) : most;
        fire(only(ACTION_TIMER)->tag);
    }
    ck_assert_double_lt(least, 0.85);
    ck_assert_double_ge(least, 0.8);
    ck_assert_double_gt(most, 1.15);
    ck_assert_double_le(most, 1.2);
}
END_TEST

START_TEST(a_monitor_waits_for_the_manager_with_the_same_back_off)
{
    begun(client_new, ENV);
    broken(stream_of(MESSAGE_NSM_MONITOR)->tag, FAILURE_REFUSED);
    assert_back_off(1);
    fire(only(ACTION_TIMER)->tag);
    ck_assert_str_eq(did(), "nsm-monitor at " SOCKET);
    broken(only(ACTION_OPEN)->tag, FAILURE_REFUSED);
    assert_back_off(1.6);
}
END_TEST

START_TEST(a_connection_starts_the_back_off_anew)
{
    begun(client_init_new, NAMED URLS("kernel://a,kernel://b"));
    failure(only(ACTION_CALL)->tag, FAILURE_REFUSED);
    fire(only(ACTION_TIMER)->tag);
    agree(NSM_TOKEN_LIFETIME);
    failure(call_of(MESSAGE_NSM_REQUEST)->tag, FAILURE_REFUSED);
    assert_back_off(1);
}
END_TEST

START_TEST(a_monitor_that_finds_no_manager_in_time_is_fatal)
{
    begun(client_new, ENV);
    nsec_t begin = subject.now;
    for (int i = 0; i < 20 && n_actions(ACTION_EXIT) == 0; i++) {
        if (n_actions(ACTION_OPEN) > 0) {
            broken(only(ACTION_OPEN)->tag, FAILURE_REFUSED);
        } else {
            subject.now += only(ACTION_TIMER)->delay;
            fire(only(ACTION_TIMER)->tag);
        }
    }
    ck_assert_str_eq(did(), "exit 1");
    ck_assert_int_eq(subject.now - begin, SECONDS(15));
}
END_TEST

START_TEST(a_further_try_does_not_monitor_again)
{
    requesting(ENV);
    reply(only(ACTION_CALL)->tag, message_error("no"));
    fire(only(ACTION_TIMER)->tag);
    ck_assert_str_eq(did(), "nsm-request at " SOCKET);
}
END_TEST

/* ---- the init container ---- */

START_TEST(the_init_container_requests_without_monitor_and_exits_without_close)
{
    begun(client_init_new, ENV);
    ck_assert_str_eq(did(), "nsm-request at " SOCKET);
    agree(NSM_TOKEN_LIFETIME);
    ck_assert_str_eq(did(), "exit 0");
}
END_TEST

START_TEST(urls_are_connected_one_after_the_other)
{
    begun(client_init_new, NAMED URLS("kernel://a/i-1,memif://b"));
    ck_assert_str_eq(connection_of(call_of(MESSAGE_NSM_REQUEST))->id, "ns/pod-0");
    agree(NSM_TOKEN_LIFETIME);
    const Connection *next = connection_of(call_of(MESSAGE_NSM_REQUEST));
    ck_assert_str_eq(next->id, "ns/pod-1");
    ck_assert_str_eq(next->service, "b");
    ck_assert_str_eq(next->client.interface, "nsm-2");
    agree(NSM_TOKEN_LIFETIME);
    ck_assert_str_eq(did(), "exit 0");
}
END_TEST

START_TEST(the_client_takes_over_the_init_containers_connection)
{
    begun(client_new, ENV);
    Connection *known = client_connection("ns/pod-0", "svc");
    connection_advance(known, "nsmgr", subject.now, NSM_TOKEN_LIFETIME);
    connection_advance(known, "fwd", subject.now, NSM_TOKEN_LIFETIME);
    known->index = 1;
    known->nse = g_strdup("nse-1");
    subject.now += SECONDS(3);
    event(only(ACTION_OPEN)->tag, nsm_event(NSM_EVENT_INITIAL, known));
    const Connection *out = connection_of(call_of(MESSAGE_NSM_REQUEST));
    ck_assert_str_eq(out->nse, "nse-1");
    ck_assert_uint_eq(out->path->len, 3);
    ck_assert_uint_eq(out->index, 0);
    ck_assert_int_eq(connection_segment(out, 0)->expires, subject.now + NSM_TOKEN_LIFETIME);
    agree(NSM_TOKEN_LIFETIME);
    ck_assert(traced(TRACE_REQUEST_DONE, "svc"));
}
END_TEST

/* ---- refresh ---- */

START_TEST(a_connection_is_refreshed_after_a_fifth_of_its_tokens_life)
{
    requesting(ENV);
    agree(NSM_TOKEN_LIFETIME);
    ck_assert_str_eq(did(), "timer 2m; nsm-monitor at " SOCKET);
    ck_assert(traced(TRACE_REQUEST_DONE, "4 segments"));
    ck_assert_int_eq(subject.connections, 1);
    subject.now += SECONDS(120);
    fire(only(ACTION_TIMER)->tag);
    ck_assert_str_eq(did(), "nsm-request at " SOCKET);
    const Connection *out = connection_of(only(ACTION_CALL));
    ck_assert_str_eq(out->nse, "nse-1");
    ck_assert_uint_eq(out->path->len, 4);
    ck_assert_uint_eq(out->index, 0);
    ck_assert_int_eq(connection_segment(out, 0)->expires, subject.now + NSM_TOKEN_LIFETIME);
    ck_assert_int_eq(connection_segment(out, 3)->expires,
                     subject.now - SECONDS(120) + NSM_TOKEN_LIFETIME);
    agree(NSM_TOKEN_LIFETIME);
    ck_assert_str_eq(did(), "timer 2m; cancel; nsm-monitor at " SOCKET);
    ck_assert_int_eq(subject.connections, 1);
    ck_assert_uint_eq(n_actions(ACTION_TRACE), 0);
}
END_TEST

START_TEST(the_soonest_token_of_the_path_sets_the_refresh)
{
    requesting(ENV);
    agree(SECONDS(100));
    ck_assert_str_eq(did(), "timer 20s; nsm-monitor at " SOCKET);
}
END_TEST

START_TEST(two_connections_are_refreshed_each_for_itself)
{
    requesting(NAMED URLS("kernel://a,kernel://b"));
    agree(SECONDS(100));
    uint64_t first = only(ACTION_TIMER)->tag;
    nothing_there();
    agree(SECONDS(300));
    ck_assert_str_eq(did(), "timer 1m; nsm-monitor at " SOCKET);
    ck_assert_uint_ne(only(ACTION_TIMER)->tag, first);
    fire(first);
    ck_assert_str_eq(connection_of(call_of(MESSAGE_NSM_REQUEST))->id, "ns/pod-0");
}
END_TEST

START_TEST(a_failed_refresh_neither_ends_the_client_nor_begins_anew)
{
    requesting(ENV);
    agree(NSM_TOKEN_LIFETIME);
    subject.now += SECONDS(120);
    fire(only(ACTION_TIMER)->tag);
    reply(only(ACTION_CALL)->tag, message_error("forwarder is not found"));
    ck_assert(traced(TRACE_REQUEST_FAILED, "forwarder is not found"));
    ck_assert_uint_eq(n_actions(ACTION_EXIT) + n_actions(ACTION_CALL), 0);
    fire(only(ACTION_TIMER)->tag);
    ck_assert_str_eq(connection_of(call_of(MESSAGE_NSM_REQUEST))->nse, "nse-1");
}
END_TEST

START_TEST(after_a_failed_refresh_the_period_is_the_same)
{
    requesting(ENV);
    agree(NSM_TOKEN_LIFETIME);
    for (int i = 0; i < 6; i++) {
        ck_assert_int_eq(only(ACTION_TIMER)->delay, SECONDS(120));
        subject.now += only(ACTION_TIMER)->delay;
        fire(only(ACTION_TIMER)->tag);
        failure(only(ACTION_CALL)->tag, FAILURE_DEADLINE);
    }
}
END_TEST

/* ---- the end ---- */

START_TEST(it_exits_when_it_is_told_to_stop)
{
    begun(client_new, ENV);
    give((Input){.kind = INPUT_STOP});
    ck_assert_str_eq(did(), "exit 0");
}
END_TEST

START_TEST(a_stopped_client_closes_its_connections_first)
{
    requesting(NAMED URLS("kernel://a,kernel://b"));
    agree(NSM_TOKEN_LIFETIME);
    nothing_there();
    agree(NSM_TOKEN_LIFETIME);
    give((Input){.kind = INPUT_STOP});
    ck_assert_str_eq(did(), "cancel; nsm-close at " SOCKET "; cancel; nsm-close at " SOCKET);
    const Action *first = action_at(ACTION_CALL, 0), *second = action_at(ACTION_CALL, 1);
    uint64_t tags[] = {first->tag, second->tag};
    ck_assert_int_eq(first->timeout, SECONDS(15));
    ck_assert_uint_eq(connection_of(first)->index, 0);
    ck_assert_str_eq(connection_of(second)->id, "ns/pod-1");
    reply(tags[0], message_ok());
    ck_assert_str_eq(did(), "");
    failure(tags[1], FAILURE_DEADLINE);
    ck_assert_str_eq(did(), "exit 0");
}
END_TEST

START_TEST(a_client_that_is_closing_does_nothing_else)
{
    requesting(ENV);
    agree(NSM_TOKEN_LIFETIME);
    uint64_t refresh = only(ACTION_TIMER)->tag;
    give((Input){.kind = INPUT_STOP});
    fire(refresh);
    ck_assert_str_eq(did(), "");
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {
        the_client_asks_for_an_existing_connection_before_it_requests,
        the_request_says_what_the_url_says,
        a_memif_url_asks_for_memif_and_an_interface_has_a_default_name,
        client_info_is_added_to_the_labels,
        its_timeouts_have_defaults_and_variables,
        monitor_has_the_request_timeout_too,
        without_urls_it_has_nothing_to_do,
        a_failed_request_is_tried_again_after_200_ms,
        a_clients_failed_request_pauses_200_ms_too,
        a_monitor_that_fails_is_fatal,
        a_manager_that_does_not_listen_is_dialled_with_grpcs_back_off,
        the_back_offs_jitter_is_a_fifth,
        a_monitor_waits_for_the_manager_with_the_same_back_off,
        a_connection_starts_the_back_off_anew,
        the_init_container_requests_without_monitor_and_exits_without_close,
        urls_are_connected_one_after_the_other,
        the_client_takes_over_the_init_containers_connection,
        a_connection_is_refreshed_after_a_fifth_of_its_tokens_life,
        the_soonest_token_of_the_path_sets_the_refresh,
        two_connections_are_refreshed_each_for_itself,
        a_failed_refresh_neither_ends_the_client_nor_begins_anew,
        it_exits_when_it_is_told_to_stop,
        after_a_failed_refresh_the_period_is_the_same,
        a_stopped_client_closes_its_connections_first,
        a_client_that_is_closing_does_nothing_else,
        a_label_of_the_url_wins_over_client_info,
        a_monitor_that_finds_no_manager_in_time_is_fatal,
        a_further_try_does_not_monitor_again,
    };
    return run_tests("client", tests, G_N_ELEMENTS(tests), NULL, 0);
}
