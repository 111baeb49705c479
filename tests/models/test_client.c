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

/* As agree, with the address of the last endpoint. */
static void
agree_from(const char *dst_ip)
{
    const Action *call = call_of(MESSAGE_NSM_REQUEST);
    uint64_t tag = call->tag;
    Connection *back = connection_copy(connection_of(call));
    g_array_set_size(back->path, 1);
    static const char *const names[] = {"nsmgr", "fwd", "nse"};
    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        connection_advance(back, names[i], subject.now, NSM_TOKEN_LIFETIME);
    }
    back->index = 1;
    g_free(back->nse);
    back->nse = g_strdup("nse-1");
    g_free(back->dst_ip);
    back->dst_ip = g_strdup(dst_ip);
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

/* ---- healing (FACTS 2.2) ---- */

#define NSC_1_6 "ghcr.io/networkservicemesh/cmd-nsc:v1.6.0"
#define CHECKED "check ns/pod/nsm-1 repeatedly"

/* A client of this image and environment whose Request has succeeded, with addresses when `dst_ip`;
 * its stream and its repeated check have just begun. */
static void
connected_as(const char *image, const char *env, const char *dst_ip)
{
    make_machine(client_new, image, env);
    start();
    reply(SVID_TAG, svid());
    nothing_there();
    agree_from(dst_ip);
}

static void
connected(void)
{
    connected_as(NSC, ENV, "172.16.1.100");
}

static const Connection *
requested(void)
{
    return connection_of(call_of(MESSAGE_NSM_REQUEST));
}

START_TEST(a_connection_is_watched_and_checked)
{
    connected();
    ck_assert_str_eq(did(), "timer 2m; nsm-monitor at " SOCKET "; " CHECKED);
    ck_assert_uint_eq(connection_of(only(ACTION_OPEN))->index, 0);
    const DataPlaneCheck *check = &only(ACTION_DATAPLANE)->dataplane.check;
    ck_assert_int_eq(check->interval, MSECONDS(200));
    ck_assert_int_eq(check->timeout, SECONDS(1));
    ck_assert_int_eq(check->packets, 4);
}
END_TEST

START_TEST(the_checks_variables_are_read_under_both_names)
{
    connected_as(NSC,
                 ENV ", {name: NSM_LIVENESSCHECKINTERVAL, value: 300ms}"
                     ", {name: NSM_LIVENESSCHECKTIMEOUT, value: 2s}",
                 "172.16.1.100");
    ck_assert_int_eq(only(ACTION_DATAPLANE)->dataplane.check.interval, MSECONDS(300));
    ck_assert_int_eq(only(ACTION_DATAPLANE)->dataplane.check.timeout, SECONDS(2));
    connected_as(NSC, ENV ", {name: NSM_LIVENESS_CHECK_TIMEOUT, value: 3s}", "172.16.1.100");
    ck_assert_int_eq(only(ACTION_DATAPLANE)->dataplane.check.timeout, SECONDS(3));
    connected_as(NSC, ENV ", {name: NSM_LIVENESSCHECKENABLED, value: \"false\"}", "172.16.1.100");
    ck_assert_uint_eq(n_actions(ACTION_DATAPLANE), 0);
    connected_as(NSC, ENV ", {name: NSM_LIVENESS_CHECK_ENABLED, value: \"false\"}", "172.16.1.100");
    ck_assert_uint_eq(n_actions(ACTION_DATAPLANE), 0);
}
END_TEST

START_TEST(only_kernel_connections_with_addresses_are_checked)
{
    connected_as(NSC, ENV, NULL);
    ck_assert_uint_eq(n_actions(ACTION_DATAPLANE), 0);
    connected_as(NSC, NAMED URLS("memif://svc"), "172.16.1.100");
    ck_assert_uint_eq(n_actions(ACTION_DATAPLANE), 0);
}
END_TEST

START_TEST(the_init_container_watches_nothing)
{
    begun(client_init_new, ENV);
    agree(NSM_TOKEN_LIFETIME);
    ck_assert_str_eq(did(), "exit 0");
}
END_TEST

START_TEST(a_dead_path_is_selected_anew)
{
    connected();
    uint64_t check = only(ACTION_DATAPLANE)->tag;
    programmed(check, "no answer");
    ck_assert(traced(TRACE_HEAL_DETECTED, "liveness"));
    ck_assert(traced(TRACE_HEAL_ATTEMPT, "reselect"));
    ck_assert_str_eq(did(), "cancel; nsm-close at " SOCKET);
    ck_assert_str_eq(connection_of(only(ACTION_CALL))->nse, "nse-1");
    ck_assert_int_eq(only(ACTION_CALL)->timeout, SECONDS(15));
    subject.now += SECONDS(1);
    reply(only(ACTION_CALL)->tag, message_error("forwarder is not selected")); /* ignored */
    ck_assert_str_eq(did(), "nsm-request at " SOCKET);
    ck_assert_ptr_null(requested()->nse);
    ck_assert_str_eq(requested()->dst_ip, "172.16.1.100");
    ck_assert_str_eq(labels_get(&requested()->labels, "app"), "x");
    ck_assert_uint_eq(requested()->path->len, 4);
    ck_assert_uint_eq(requested()->index, 0);
    ck_assert_int_eq(only(ACTION_CALL)->timeout, SECONDS(14)); /* of the whole try */
    agree_from("172.16.1.102");
    ck_assert(traced(TRACE_HEAL_DONE, ""));
    ck_assert_int_eq(only(ACTION_TRACE)->value, 1);
    ck_assert_str_eq(did(), "nsm-monitor at " SOCKET "; " CHECKED "; timer 2m");
    ck_assert_int_eq(subject.connections, 1);
}
END_TEST

START_TEST(a_broken_control_plane_leads_to_one_check)
{
    connected();
    uint64_t check = only(ACTION_DATAPLANE)->tag;
    broken(only(ACTION_OPEN)->tag, FAILURE_PEER_GONE);
    ck_assert(traced(TRACE_HEAL_DETECTED, "control plane: connection reset"));
    ck_assert_uint_eq(only(ACTION_STOP_DATAPLANE)->tag, check);
    ck_assert_str_eq(did(), "stop; check ns/pod/nsm-1");
    programmed(only(ACTION_DATAPLANE)->tag, NULL); /* alive */
    ck_assert(traced(TRACE_HEAL_ATTEMPT, "same endpoint"));
    ck_assert_str_eq(did(), "nsm-request at " SOCKET);
    ck_assert_str_eq(requested()->nse, "nse-1");
    agree_from("172.16.1.100");
    ck_assert(traced(TRACE_HEAL_DONE, ""));
}
END_TEST

START_TEST(a_broken_control_plane_with_a_dead_path_selects_anew)
{
    connected();
    event(only(ACTION_OPEN)->tag, nsm_event(NSM_EVENT_DOWN, client_connection("ns/pod-0", "svc")));
    ck_assert(traced(TRACE_HEAL_DETECTED, "control plane"));
    programmed(only(ACTION_DATAPLANE)->tag, "no answer");
    ck_assert_str_eq(did(), "nsm-close at " SOCKET);
}
END_TEST

START_TEST(without_checks_it_always_selects_anew)
{
    connected_as(NSC, ENV ", {name: NSM_LIVENESSCHECKENABLED, value: \"false\"}", "172.16.1.100");
    broken(only(ACTION_OPEN)->tag, FAILURE_PEER_GONE);
    ck_assert_str_eq(did(), "nsm-close at " SOCKET);
}
END_TEST

/* memif: "ping is not supported", which counts as alive (FACTS 2.3). */
START_TEST(what_cannot_be_pinged_counts_as_alive)
{
    connected_as(NSC, NAMED URLS("memif://svc"), "172.16.1.100");
    broken(only(ACTION_OPEN)->tag, FAILURE_PEER_GONE);
    ck_assert_str_eq(did(), "nsm-request at " SOCKET);
    ck_assert_str_eq(requested()->nse, "nse-1");
}
END_TEST

START_TEST(other_events_are_ignored)
{
    connected();
    uint64_t stream = only(ACTION_OPEN)->tag;
    event(stream, nsm_event(NSM_EVENT_INITIAL, NULL));
    ck_assert_str_eq(did(), "");
    event(stream, nsm_event(NSM_EVENT_DELETE, client_connection("ns/pod-0", "svc")));
    ck_assert_str_eq(did(), "");
}
END_TEST

/* The control plane breaks, the path is alive, the first attempt fails. */
static void
first_attempt_failed(const char *image)
{
    connected_as(image, ENV, "172.16.1.100");
    broken(only(ACTION_OPEN)->tag, FAILURE_PEER_GONE);
    programmed(only(ACTION_DATAPLANE)->tag, NULL);
    reply(call_of(MESSAGE_NSM_REQUEST)->tag, message_error("forwarder is not found"));
    ck_assert(traced(TRACE_HEAL_FAILED, "forwarder is not found"));
}

START_TEST(from_the_second_attempt_on_v1_4_always_selects_anew)
{
    first_attempt_failed(NSC);
    for (int i = 2; i < 5; i++) {
        ck_assert_str_eq(did(), "nsm-close at " SOCKET); /* at once, without a check */
        ck_assert(traced(TRACE_HEAL_ATTEMPT, "reselect"));
        ck_assert_int_eq(action_at(ACTION_TRACE, 1)->value, i);
        reply(only(ACTION_CALL)->tag, message_ok());
        reply(call_of(MESSAGE_NSM_REQUEST)->tag, message_error("no candidates found"));
    }
    reply(only(ACTION_CALL)->tag, message_ok());
    agree_from("172.16.1.100");
    ck_assert_int_eq(only(ACTION_TRACE)->value, 5);
}
END_TEST

START_TEST(from_v1_6_on_a_check_decides_about_each_attempt)
{
    first_attempt_failed(NSC_1_6);
    ck_assert_str_eq(did(), "check ns/pod/nsm-1");
    programmed(only(ACTION_DATAPLANE)->tag, NULL);
    ck_assert_str_eq(did(), "nsm-request at " SOCKET);
    failure(only(ACTION_CALL)->tag, FAILURE_DEADLINE);
    programmed(only(ACTION_DATAPLANE)->tag, "no answer");
    ck_assert_str_eq(did(), "nsm-close at " SOCKET);
}
END_TEST

START_TEST(a_heal_waits_for_the_manager_within_its_try)
{
    connected_as(NSC, ENV ", {name: NSM_REQUEST_TIMEOUT, value: 2s}", "172.16.1.100");
    broken(only(ACTION_OPEN)->tag, FAILURE_PEER_GONE);
    programmed(only(ACTION_DATAPLANE)->tag, NULL);
    nsec_t begin = subject.now;
    failure(call_of(MESSAGE_NSM_REQUEST)->tag, FAILURE_REFUSED); /* the dial at 0 */
    subject.now += assert_back_off(1);
    fire(only(ACTION_TIMER)->tag);
    failure(call_of(MESSAGE_NSM_REQUEST)->tag, FAILURE_REFUSED); /* at 1 s; the next: 2.6 s */
    ck_assert_int_eq(subject.now + only(ACTION_TIMER)->delay, begin + SECONDS(2));
    subject.now = begin + SECONDS(2);
    fire(only(ACTION_TIMER)->tag);
    ck_assert(traced(TRACE_HEAL_FAILED, "deadline exceeded"));
    ck_assert(traced(TRACE_HEAL_ATTEMPT, "reselect"));
    ck_assert_uint_eq(n_actions(ACTION_CALL), 0); /* the dial is not due yet */
    subject.now += only(ACTION_TIMER)->delay;
    fire(only(ACTION_TIMER)->tag);
    ck_assert_str_eq(did(), "nsm-close at " SOCKET);
    failure(only(ACTION_CALL)->tag, FAILURE_REFUSED);
    only(ACTION_TIMER); /* a Close waits for the manager too */
}
END_TEST

/* ---- begin: refresh and heal ---- */

START_TEST(a_refresh_that_is_due_during_a_heal_is_left_out)
{
    connected();
    uint64_t refresh = only(ACTION_TIMER)->tag;
    programmed(only(ACTION_DATAPLANE)->tag, "no answer");
    uint64_t close = only(ACTION_CALL)->tag;
    fire(refresh);
    ck_assert_str_eq(did(), "");
    reply(close, message_ok());
    agree_from("172.16.1.100");
    ck_assert_uint_eq(only(ACTION_TIMER)->tag, refresh); /* anew */
}
END_TEST

/* A refresh under way; returns the tag of its call. */
static uint64_t
refreshing(uint64_t *stream, uint64_t *check)
{
    connected();
    *stream = only(ACTION_OPEN)->tag;
    *check = only(ACTION_DATAPLANE)->tag;
    fire(only(ACTION_TIMER)->tag);
    return call_of(MESSAGE_NSM_REQUEST)->tag;
}

START_TEST(what_breaks_during_a_refresh_heals_after_it)
{
    uint64_t stream, check;
    uint64_t refresh = refreshing(&stream, &check);
    broken(stream, FAILURE_PEER_GONE);
    ck_assert_str_eq(did(), "");
    reply(refresh, message_error("gone"));
    ck_assert(traced(TRACE_HEAL_DETECTED, "control plane"));
    ck_assert_str_eq(did(), "timer 2m; stop; check ns/pod/nsm-1");
}
END_TEST

START_TEST(a_dead_path_found_during_a_refresh_that_succeeds_is_checked_again)
{
    uint64_t stream, check;
    refreshing(&stream, &check);
    Connection *out = connection_copy(requested());
    uint64_t refresh = only(ACTION_CALL)->tag;
    programmed(check, "no answer");
    ck_assert_str_eq(did(), "");
    reply(refresh, nsm_message(MESSAGE_NSM_CONNECTION, out));
    ck_assert(!traced(TRACE_HEAL_DETECTED, ""));
    ck_assert_str_eq(did(), "timer 2m; cancel; nsm-monitor at " SOCKET "; " CHECKED);
}
END_TEST

START_TEST(a_refresh_begins_a_new_stream_and_a_new_check)
{
    uint64_t stream, check;
    refreshing(&stream, &check);
    Connection *out = connection_copy(requested());
    reply(only(ACTION_CALL)->tag, nsm_message(MESSAGE_NSM_CONNECTION, out));
    ck_assert_uint_eq(only(ACTION_CANCEL)->tag, stream);
    ck_assert_uint_eq(only(ACTION_STOP_DATAPLANE)->tag, check);
}
END_TEST

START_TEST(connections_heal_each_for_itself)
{
    requesting(NAMED URLS("kernel://a,kernel://b"));
    agree_from("172.16.1.100");
    uint64_t check = only(ACTION_DATAPLANE)->tag;
    nothing_there();
    agree_from("172.16.1.102");
    ck_assert_uint_ne(only(ACTION_DATAPLANE)->tag, check);
    ck_assert_str_eq(only(ACTION_DATAPLANE)->dataplane.pod_port, "ns/pod/nsm-2");
    programmed(check, "no answer");
    ck_assert_str_eq(connection_of(call_of(MESSAGE_NSM_CLOSE))->id, "ns/pod-0");
}
END_TEST

START_TEST(a_connection_that_was_taken_over_heals_the_same_way)
{
    begun(client_new, ENV);
    Connection *known = client_connection("ns/pod-0", "svc");
    connection_advance(known, "nsmgr", subject.now, NSM_TOKEN_LIFETIME);
    known->nse = g_strdup("nse-1");
    event(only(ACTION_OPEN)->tag, nsm_event(NSM_EVENT_INITIAL, known));
    agree_from("172.16.1.100");
    programmed(only(ACTION_DATAPLANE)->tag, "no answer");
    ck_assert_str_eq(did(), "cancel; nsm-close at " SOCKET);
}
END_TEST

START_TEST(a_stopped_client_heals_no_more)
{
    connected();
    programmed(only(ACTION_DATAPLANE)->tag, "no answer");
    uint64_t healing = only(ACTION_CALL)->tag;
    give((Input){.kind = INPUT_STOP});
    ck_assert_uint_eq(action_at(ACTION_CANCEL, 0)->tag, healing);
    reply(healing, message_ok());
    ck_assert_str_eq(did(), "");
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
        a_connection_is_watched_and_checked,
        the_checks_variables_are_read_under_both_names,
        only_kernel_connections_with_addresses_are_checked,
        the_init_container_watches_nothing,
        a_dead_path_is_selected_anew,
        a_broken_control_plane_leads_to_one_check,
        a_broken_control_plane_with_a_dead_path_selects_anew,
        without_checks_it_always_selects_anew,
        what_cannot_be_pinged_counts_as_alive,
        other_events_are_ignored,
        from_the_second_attempt_on_v1_4_always_selects_anew,
        from_v1_6_on_a_check_decides_about_each_attempt,
        a_heal_waits_for_the_manager_within_its_try,
        a_refresh_that_is_due_during_a_heal_is_left_out,
        what_breaks_during_a_refresh_heals_after_it,
        a_dead_path_found_during_a_refresh_that_succeeds_is_checked_again,
        a_refresh_begins_a_new_stream_and_a_new_check,
        connections_heal_each_for_itself,
        a_connection_that_was_taken_over_heals_the_same_way,
        a_stopped_client_heals_no_more,
    };
    return run_tests("client", tests, G_N_ELEMENTS(tests), NULL, 0);
}
