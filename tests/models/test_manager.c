/* nsmgr alone: forwarder choice and its Finds, localbypass, expiry, begin, Close (FACTS 1.1 to 1.3,
 * 1.8, 2.4, 2.5). */
#include "models/nsm/manager.h"

#include "tests/models/nsm_step.h"

#define V1_4 "ghcr.io/networkservicemesh/cmd-nsmgr:v1.4.0"
#define V1_14 "ghcr.io/networkservicemesh/cmd-nsmgr:v1.14.0"
#define NAME "{name: NSM_NAME, value: nsmgr-a}, "
#define ENV NAME "{name: NSM_REGISTRY_URL, value: \"registry:5002\"}"
#define REGISTRY "svc:registry.ns:5002"
#define OWN_URL "tcp:10.0.0.1:5001"
#define OTHER_URL "tcp:10.0.0.2:5001"
#define FORWARDER_1 "unix:ns/fwd-1:/listen.on.sock"
#define FORWARDER_2 "unix:ns/fwd-2:/listen.on.sock"

static void
serving(const char *image, const char *env)
{
    make_machine(manager_new, image, env);
    start();
    reply(SVID_TAG, svid());
}

/* An endpoint of this node registers, and the registry agrees. */
static void
registered(NseRecord *take_record)
{
    request(900, registry_message(MESSAGE_REGISTRY_REGISTER, take_record));
    const Action *call = call_of(MESSAGE_REGISTRY_REGISTER);
    NseRecord *granted = nse_record_ref(registry_message_record(call->message));
    reply(call->tag, registry_message(MESSAGE_REGISTRY_NSE, granted));
    answer_of(900, MESSAGE_REGISTRY_NSE);
}

/* A manager at `image` with two forwarders on its node. */
static void
with_forwarders(const char *image)
{
    serving(image, ENV);
    registered(record("fwd-1", "forwarder", FORWARDER_1, "p2p:true"));
    registered(record("fwd-2", "forwarder", FORWARDER_2, "p2p:true,kind:sriov"));
}

/* The same two as the registry knows them. */
static RegistryFound *
both(void)
{
    return found_two(record("fwd-1", "forwarder", OWN_URL, "p2p:true"),
                     record("fwd-2", "forwarder", OWN_URL, "p2p:true,kind:sriov"));
}

static void
ask(uint64_t call, Connection *take_connection)
{
    request(call, nsm_message(MESSAGE_NSM_REQUEST, take_connection));
}

/* Goes on with a Request until a forwarder is asked. */
static void
find_both(const char *spec)
{
    reply(call_of(MESSAGE_REGISTRY_FIND_NS)->tag, found(network_service(spec)));
    reply(call_of(MESSAGE_REGISTRY_FIND_NSE)->tag, both());
}

/* The forwarder that was asked says yes: its segment and the endpoint's are added. */
static void
agree(const char *forwarder)
{
    const Action *call = call_of(MESSAGE_NSM_REQUEST);
    uint64_t tag = call->tag;
    Connection *back = connection_copy(connection_of(call));
    connection_advance(back, forwarder, subject.now, NSM_TOKEN_LIFETIME);
    connection_advance(back, "nse-1", subject.now, NSM_TOKEN_LIFETIME);
    back->index = 2;
    g_free(back->nse);
    back->nse = g_strdup("nse-1");
    reply(tag, nsm_message(MESSAGE_NSM_CONNECTION, back));
}

/* What the client sends to refresh an answered connection. */
static Connection *
refresh_of(const Message *answer)
{
    Connection *again = connection_copy(nsm_message_connection(answer));
    again->index = 0;
    g_array_index(again->path, PathSegment, 0).expires = subject.now + NSM_TOKEN_LIFETIME;
    return again;
}

/* Connection "c" by way of fwd-1; returns what refreshes it. */
static Connection *
established(void)
{
    ask(1, client_connection("c", "svc"));
    find_both("{}");
    agree("fwd-1");
    return refresh_of(answer_of(1, MESSAGE_NSM_CONNECTION));
}

/* As the first forwarder of another node asks for an endpoint of this node. */
static Connection *
remote_connection(void)
{
    Connection *connection = client_connection("c", "svc");
    connection_advance(connection, "nsmgr-b", subject.now, NSM_TOKEN_LIFETIME);
    connection_advance(connection, "fwd-b", subject.now, NSM_TOKEN_LIFETIME);
    connection->nse = g_strdup("nse-1");
    connection->mechanism = WIRE_VXLAN;
    connection->client.node = g_strdup("node-b");
    return connection;
}

static Message *
close_of(Connection *take_connection)
{
    return nsm_message(MESSAGE_NSM_CLOSE, take_connection);
}

/* ---- start ---- */

START_TEST(it_listens_when_it_has_its_identity)
{
    make_machine(manager_new, V1_4, ENV);
    start();
    ck_assert_str_eq(did(), "spire-fetch at " AGENT);
    request(5, message_new(MESSAGE_HEALTH, sizeof(Message), NULL));
    assert_error(5, "not serving");
    reply(SVID_TAG, svid());
    ck_assert_str_eq(did(), "listen " SOCKET "; listen " OWN_URL);
    request(6, message_new(MESSAGE_HEALTH, sizeof(Message), NULL));
    answer_of(6, MESSAGE_OK);
}
END_TEST

START_TEST(it_exits_when_it_is_told_to_stop)
{
    serving(V1_4, ENV);
    give((Input){.kind = INPUT_STOP});
    ck_assert_str_eq(did(), "exit 0");
}
END_TEST

/* ---- a local Request ---- */

START_TEST(the_first_request_finds_the_service_then_the_forwarders_of_this_node)
{
    with_forwarders(V1_4);
    ask(1, client_connection("c", "svc"));
    ck_assert_str_eq(did(), "registry-find-ns at " REGISTRY);
    const RegistryQuery *query = query_of(only(ACTION_CALL));
    ck_assert_str_eq(query->name, "svc");
    reply(only(ACTION_CALL)->tag, found(network_service("{}")));
    ck_assert_str_eq(did(), "registry-find-nse at " REGISTRY);
    query = query_of(only(ACTION_CALL));
    ck_assert_ptr_null(query->name);
    ck_assert_str_eq(query->service, "forwarder");
    ck_assert_str_eq(query->url, OWN_URL);
    reply(only(ACTION_CALL)->tag, both());
    ck_assert_str_eq(did(), "nsm-request at " FORWARDER_1);
    const Connection *out = connection_of(only(ACTION_CALL));
    ck_assert_uint_eq(out->path->len, 2);
    ck_assert_uint_eq(out->index, 1);
    ck_assert_str_eq(connection_segment(out, 1)->name, "nsmgr-a");
    ck_assert_int_eq(connection_segment(out, 1)->expires, subject.now + NSM_TOKEN_LIFETIME);
    agree("fwd-1");
    const Connection *back = nsm_message_connection(answer_of(1, MESSAGE_NSM_CONNECTION));
    ck_assert_uint_eq(back->index, 1);
    ck_assert_uint_eq(back->path->len, 4);
    ck_assert_str_eq(back->nse, "nse-1");
    ck_assert(traced(TRACE_FORWARDER_CHOSEN, "fwd-1"));
    ck_assert_int_eq(subject.connections, 1);
}
END_TEST

START_TEST(a_refresh_is_one_find_by_name_at_v1_4)
{
    with_forwarders(V1_4);
    ask(2, established());
    ck_assert_str_eq(did(), "registry-find-nse at " REGISTRY);
    const RegistryQuery *query = query_of(only(ACTION_CALL));
    ck_assert_str_eq(query->name, "fwd-1");
    ck_assert_ptr_null(query->service);
    reply(only(ACTION_CALL)->tag, found_one(record("fwd-1", "forwarder", OWN_URL, "")));
    ck_assert_str_eq(did(), "nsm-request at " FORWARDER_1);
    agree("fwd-1");
    answer_of(2, MESSAGE_NSM_CONNECTION);
    ck_assert(!traced(TRACE_FORWARDER_CHOSEN, ""));
    ck_assert_int_eq(subject.connections, 1);
}
END_TEST

START_TEST(a_refresh_is_two_finds_at_v1_14)
{
    with_forwarders(V1_14);
    ask(2, established());
    ck_assert_str_eq(did(), "registry-find-ns at " REGISTRY);
    reply(only(ACTION_CALL)->tag, found(network_service("{}")));
    ck_assert_str_eq(did(), "registry-find-nse at " REGISTRY);
    ck_assert_str_eq(query_of(only(ACTION_CALL))->name, "fwd-1");
    reply(only(ACTION_CALL)->tag, found_one(record("fwd-1", "forwarder", OWN_URL, "")));
    ck_assert_str_eq(did(), "nsm-request at " FORWARDER_1);
}
END_TEST

START_TEST(two_connections_find_their_forwarders_each_for_itself)
{
    with_forwarders(V1_4);
    connection_unref(established());
    ask(2, client_connection("d", "svc"));
    ck_assert_str_eq(did(), "registry-find-ns at " REGISTRY);
}
END_TEST

START_TEST(a_service_that_is_not_there_is_an_error_at_once)
{
    with_forwarders(V1_4);
    ask(1, client_connection("c", "svc"));
    reply(only(ACTION_CALL)->tag, found(NULL));
    assert_error(1, "network service svc is not found");
    ck_assert_uint_eq(n_actions(ACTION_CALL), 0);
}
END_TEST

START_TEST(no_forwarder_is_an_error_at_once)
{
    with_forwarders(V1_4);
    ask(1, client_connection("c", "svc"));
    reply(only(ACTION_CALL)->tag, found(network_service("{}")));
    reply(only(ACTION_CALL)->tag, found(NULL));
    assert_error(1, "no candidates found");
}
END_TEST

START_TEST(a_registry_that_fails_is_an_error_at_once)
{
    with_forwarders(V1_4);
    ask(1, client_connection("c", "svc"));
    failure(only(ACTION_CALL)->tag, FAILURE_DIAL_TIMEOUT);
    assert_error(1, "dial timeout");
    ask(2, client_connection("c", "svc"));
    reply(only(ACTION_CALL)->tag, found(network_service("{}")));
    reply(only(ACTION_CALL)->tag, message_error("out of order"));
    assert_error(2, "out of order");
}
END_TEST

START_TEST(the_services_matches_choose_the_forwarders)
{
    with_forwarders(V1_4);
    ask(1, client_connection("c", "svc"));
    find_both("{matches: [{metadata: {labels: {kind: sriov}}}]}");
    ck_assert_str_eq(did(), "nsm-request at " FORWARDER_2);
    failure(only(ACTION_CALL)->tag, FAILURE_REFUSED);
    ask(2, client_connection("c", "svc"));
    find_both("{matches: [{source_selector: {app: other}}]}");
    assert_error(2, "no candidates found");
}
END_TEST

/* ---- candidates in order ---- */

START_TEST(the_next_forwarder_is_asked_when_one_fails)
{
    with_forwarders(V1_4);
    ask(1, client_connection("c", "svc"));
    find_both("{}");
    failure(only(ACTION_CALL)->tag, FAILURE_DIAL_TIMEOUT);
    ck_assert_str_eq(did(), "nsm-request at " FORWARDER_2);
    agree("fwd-2");
    answer_of(1, MESSAGE_NSM_CONNECTION);
    ck_assert(traced(TRACE_FORWARDER_CHOSEN, "fwd-2"));
    ask(2, refresh_of(only(ACTION_REPLY)->message));
    ck_assert_str_eq(query_of(call_of(MESSAGE_REGISTRY_FIND_NSE))->name, "fwd-2");
}
END_TEST

START_TEST(an_error_of_one_forwarder_leads_to_the_next)
{
    with_forwarders(V1_4);
    ask(1, client_connection("c", "svc"));
    find_both("{}");
    reply(only(ACTION_CALL)->tag, message_error("fwd-1: no"));
    ck_assert_str_eq(did(), "nsm-request at " FORWARDER_2);
    reply(only(ACTION_CALL)->tag, message_error("fwd-2: neither"));
    assert_error(1, "fwd-2: neither");
    ck_assert_int_eq(subject.connections, 0);
    ask(2, client_connection("c", "svc"));
    ck_assert_str_eq(did(), "registry-find-ns at " REGISTRY);
}
END_TEST

START_TEST(forwarders_are_not_balanced)
{
    with_forwarders(V1_4);
    static const char *const ids[] = {"c", "d", "e"};
    for (guint i = 0; i < G_N_ELEMENTS(ids); i++) {
        ask(i + 1, client_connection(ids[i], "svc"));
        find_both("{}");
        ck_assert_str_eq(did(), "nsm-request at " FORWARDER_1);
        agree("fwd-1");
    }
}
END_TEST

START_TEST(the_previous_forwarder_is_asked_first)
{
    with_forwarders(V1_4);
    Connection *connection = client_connection("c", "svc");
    connection_advance(connection, "nsmgr-a", subject.now, NSM_TOKEN_LIFETIME);
    connection_advance(connection, "fwd-2", subject.now, NSM_TOKEN_LIFETIME);
    connection->index = 0;
    ask(1, connection);
    find_both("{}");
    ck_assert_str_eq(did(), "nsm-request at " FORWARDER_2);
    failure(only(ACTION_CALL)->tag, FAILURE_REFUSED);
    ck_assert_str_eq(did(), "nsm-request at " FORWARDER_1);
}
END_TEST

START_TEST(a_remembered_forwarder_has_no_alternative)
{
    with_forwarders(V1_4);
    g_autoptr(Connection) again = established();
    ask(2, connection_copy(again));
    reply(only(ACTION_CALL)->tag, both());
    ck_assert_str_eq(did(), "nsm-request at " FORWARDER_1);
    failure(only(ACTION_CALL)->tag, FAILURE_REFUSED);
    assert_error(2, "connection refused");
    ask(3, connection_copy(again)); /* it is forgotten: the choice begins anew */
    ck_assert_str_eq(did(), "registry-find-ns at " REGISTRY);
}
END_TEST

START_TEST(a_remembered_forwarder_that_is_gone_is_forgotten)
{
    with_forwarders(V1_4);
    g_autoptr(Connection) again = established();
    ask(2, connection_copy(again));
    reply(only(ACTION_CALL)->tag, found(NULL));
    assert_error(2, "forwarder is not found");
    ask(3, connection_copy(again));
    find_both("{}");
    ck_assert_str_eq(did(), "nsm-request at " FORWARDER_1);
}
END_TEST

/* ---- a remote Request ---- */

START_TEST(a_remote_request_is_two_finds_and_takes_a_forwarder_of_this_node)
{
    with_forwarders(V1_4);
    registered(record("nse-1", "svc", "unix:ns/nse:/nse.sock", ""));
    ask(1, remote_connection());
    reply(call_of(MESSAGE_REGISTRY_FIND_NSE)->tag, found_one(record("nse-1", "svc", OWN_URL, "")));
    ck_assert_str_eq(did(), "registry-find-nse at " REGISTRY);
    ck_assert_str_eq(query_of(only(ACTION_CALL))->service, "forwarder");
    ck_assert_str_eq(query_of(only(ACTION_CALL))->url, OWN_URL);
    reply(only(ACTION_CALL)->tag, both());
    ck_assert_str_eq(did(), "nsm-request at " FORWARDER_1);
    ck_assert_uint_eq(connection_of(only(ACTION_CALL))->index, 3);
    ck_assert_str_eq(connection_of(only(ACTION_CALL))->nse, "nse-1");
}
END_TEST

START_TEST(a_remote_request_for_an_endpoint_that_is_not_here_fails)
{
    with_forwarders(V1_4);
    ask(1, remote_connection());
    reply(only(ACTION_CALL)->tag, found_one(record("nse-1", "svc", OWN_URL, "")));
    assert_error(1, "network service endpoint is not found");
}
END_TEST

/* ---- registry ---- */

START_TEST(an_endpoint_is_registered_with_the_managers_url)
{
    serving(V1_4, ENV);
    NseRecord *nse = record("nse-1", "svc,other", "unix:ns/nse:/nse.sock", "app:nse");
    nse->expires = subject.now + SECONDS(300);
    request(1, registry_message(MESSAGE_REGISTRY_REGISTER, nse));
    ck_assert_str_eq(did(), "registry-register at " REGISTRY);
    const NseRecord *outward = registry_message_record(only(ACTION_CALL)->message);
    ck_assert_str_eq(outward->url, OWN_URL);
    ck_assert_str_eq(outward->name, "nse-1");
    ck_assert_str_eq(outward->services[1], "other");
    ck_assert_str_eq(labels_get(&outward->labels, "app"), "nse");
    ck_assert_int_eq(outward->expires, subject.now + SECONDS(60));
}
END_TEST

START_TEST(an_endpoint_may_ask_for_less_than_a_minute)
{
    serving(V1_4, ENV);
    NseRecord *nse = record("nse-1", "svc", "unix:ns/nse:/nse.sock", "");
    nse->expires = subject.now + SECONDS(20);
    request(1, registry_message(MESSAGE_REGISTRY_REGISTER, nse));
    const NseRecord *outward = registry_message_record(only(ACTION_CALL)->message);
    ck_assert_int_eq(outward->expires, subject.now + SECONDS(20));
}
END_TEST

START_TEST(a_find_gives_this_nodes_endpoints_their_sockets_back)
{
    serving(V1_4, ENV);
    registered(record("nse-1", "svc", "unix:ns/nse:/nse.sock", "app:nse"));
    request(2, registry_query(MESSAGE_REGISTRY_FIND_NSE, NULL, "svc", NULL));
    ck_assert_str_eq(did(), "registry-find-nse at " REGISTRY);
    ck_assert_str_eq(query_of(only(ACTION_CALL))->service, "svc");
    reply(only(ACTION_CALL)->tag, found_two(record("nse-1", "svc", OWN_URL, "app:nse"),
                                            record("nse-2", "svc", OTHER_URL, "")));
    const RegistryFound *back = (const RegistryFound *)answer_of(2, MESSAGE_REGISTRY_FOUND);
    ck_assert_uint_eq(back->records->len, 2);
    const NseRecord *own = back->records->pdata[0], *other = back->records->pdata[1];
    ck_assert_str_eq(own->url, "unix:ns/nse:/nse.sock");
    ck_assert_str_eq(labels_get(&own->labels, "app"), "nse");
    ck_assert_str_eq(other->url, OTHER_URL);
}
END_TEST

START_TEST(what_has_this_managers_url_but_is_not_registered_here_is_hidden)
{
    serving(V1_4, ENV);
    request(2, registry_query(MESSAGE_REGISTRY_FIND_NSE, NULL, "svc", NULL));
    reply(only(ACTION_CALL)->tag,
          found_two(record("nse-1", "svc", OWN_URL, ""), record("nse-2", "svc", OTHER_URL, "")));
    const RegistryFound *back = (const RegistryFound *)answer_of(2, MESSAGE_REGISTRY_FOUND);
    ck_assert_uint_eq(back->records->len, 1);
    ck_assert_str_eq(((NseRecord *)back->records->pdata[0])->name, "nse-2");
}
END_TEST

START_TEST(a_service_find_is_passed_on_both_ways)
{
    serving(V1_4, ENV);
    const NetworkServiceSpec *spec = network_service("{payload: IP}");
    request(2, registry_query(MESSAGE_REGISTRY_FIND_NS, "svc", NULL, NULL));
    ck_assert_str_eq(query_of(call_of(MESSAGE_REGISTRY_FIND_NS))->name, "svc");
    reply(only(ACTION_CALL)->tag, found(spec));
    ck_assert_ptr_eq(((const RegistryFound *)answer_of(2, MESSAGE_REGISTRY_FOUND))->service, spec);
}
END_TEST

START_TEST(a_registration_that_the_registry_refuses_is_not_kept)
{
    serving(V1_4, ENV);
    request(1, registry_message(MESSAGE_REGISTRY_REGISTER,
                                record("fwd-1", "forwarder", FORWARDER_1, "")));
    reply(only(ACTION_CALL)->tag, message_error("full"));
    assert_error(1, "full");
    ck_assert_int_eq(subject.endpoints, 0);
    request(2, registry_message(MESSAGE_REGISTRY_REGISTER,
                                record("fwd-1", "forwarder", FORWARDER_1, "")));
    failure(only(ACTION_CALL)->tag, FAILURE_REFUSED);
    assert_error(2, "connection refused");
    request(3, registry_query(MESSAGE_REGISTRY_FIND_NSE, "fwd-1", NULL, NULL));
    reply(only(ACTION_CALL)->tag, found_one(record("fwd-1", "forwarder", OWN_URL, "")));
    ck_assert_uint_eq(((const RegistryFound *)answer_of(3, MESSAGE_REGISTRY_FOUND))->records->len,
                      0);
}
END_TEST

START_TEST(a_registration_expires_after_a_minute)
{
    serving(V1_4, ENV);
    request(1, registry_message(MESSAGE_REGISTRY_REGISTER,
                                record("nse-1", "svc", "unix:ns/nse:/nse.sock", "")));
    NseRecord *granted = nse_record_ref(registry_message_record(only(ACTION_CALL)->message));
    reply(only(ACTION_CALL)->tag, registry_message(MESSAGE_REGISTRY_NSE, granted));
    ck_assert_str_eq(did(), "timer 1m; answer 1 registry-nse");
    ck_assert_int_eq(subject.endpoints, 1);
    fire(only(ACTION_TIMER)->tag);
    ck_assert_str_eq(did(), "registry-unregister at " REGISTRY);
    ck_assert_str_eq(registry_message_record(only(ACTION_CALL)->message)->name, "nse-1");
    ck_assert_int_eq(subject.endpoints, 0);
    reply(only(ACTION_CALL)->tag, message_ok());
    ck_assert_str_eq(did(), "");
    request(2, registry_query(MESSAGE_REGISTRY_FIND_NSE, "nse-1", NULL, NULL));
    reply(only(ACTION_CALL)->tag, found_one(record("nse-1", "svc", OWN_URL, "")));
    ck_assert_uint_eq(((const RegistryFound *)answer_of(2, MESSAGE_REGISTRY_FOUND))->records->len,
                      0);
}
END_TEST

START_TEST(a_refreshed_registration_is_held_once_and_expires_anew)
{
    serving(V1_4, ENV);
    registered(record("nse-1", "svc", "unix:ns/nse:/old.sock", ""));
    uint64_t tag = only(ACTION_TIMER)->tag;
    subject.now += SECONDS(40);
    registered(record("nse-1", "svc", "unix:ns/nse:/new.sock", ""));
    ck_assert_uint_eq(only(ACTION_TIMER)->tag, tag); /* moves it */
    ck_assert_int_eq(only(ACTION_TIMER)->delay, SECONDS(60));
    ck_assert_int_eq(subject.endpoints, 1);
    request(2, registry_query(MESSAGE_REGISTRY_FIND_NSE, "nse-1", NULL, NULL));
    reply(only(ACTION_CALL)->tag, found_one(record("nse-1", "svc", OWN_URL, "")));
    const RegistryFound *back = (const RegistryFound *)answer_of(2, MESSAGE_REGISTRY_FOUND);
    ck_assert_str_eq(((NseRecord *)back->records->pdata[0])->url, "unix:ns/nse:/new.sock");
}
END_TEST

START_TEST(unregistering_is_passed_on_and_hides_the_endpoint)
{
    serving(V1_4, ENV);
    registered(record("nse-1", "svc", "unix:ns/nse:/nse.sock", ""));
    request(2, registry_message(MESSAGE_REGISTRY_UNREGISTER,
                                record("nse-1", "svc", "unix:ns/nse:/nse.sock", "")));
    ck_assert_str_eq(did(), "registry-unregister at " REGISTRY);
    ck_assert_uint_eq(n_actions(ACTION_STOP_TIMER), 1);
    ck_assert_int_eq(subject.endpoints, 0);
    reply(only(ACTION_CALL)->tag, message_ok());
    answer_of(2, MESSAGE_OK);
}
END_TEST

/* ---- begin ---- */

START_TEST(requests_of_one_connection_go_one_after_the_other)
{
    with_forwarders(V1_4);
    ask(1, client_connection("c", "svc"));
    uint64_t first = only(ACTION_CALL)->tag;
    ask(2, client_connection("c", "svc"));
    ck_assert_str_eq(did(), "");
    reply(first, found(network_service("{}")));
    reply(only(ACTION_CALL)->tag, both());
    agree("fwd-1");
    ck_assert_uint_eq(only(ACTION_REPLY)->call, 1);
    ck_assert_str_eq(query_of(call_of(MESSAGE_REGISTRY_FIND_NSE))->name, "fwd-1");
    reply(only(ACTION_CALL)->tag, both());
    agree("fwd-1");
    answer_of(2, MESSAGE_NSM_CONNECTION);
    ck_assert_int_eq(subject.connections, 1);
}
END_TEST

START_TEST(a_waiting_request_begins_when_the_one_before_fails)
{
    with_forwarders(V1_4);
    ask(1, client_connection("c", "svc"));
    uint64_t first = only(ACTION_CALL)->tag;
    ask(2, client_connection("c", "svc"));
    reply(first, found(NULL));
    ck_assert_uint_eq(only(ACTION_REPLY)->call, 1);
    call_of(MESSAGE_REGISTRY_FIND_NS);
    find_both("{}");
    agree("fwd-1");
    answer_of(2, MESSAGE_NSM_CONNECTION);
}
END_TEST

START_TEST(requests_of_different_connections_go_side_by_side)
{
    with_forwarders(V1_4);
    ask(1, client_connection("c", "svc"));
    uint64_t first = only(ACTION_CALL)->tag;
    ask(2, client_connection("d", "svc"));
    uint64_t last = only(ACTION_CALL)->tag;
    ck_assert_uint_ne(first, last);
    reply(last, found(NULL));
    assert_error(2, "not found");
    reply(first, found(NULL));
    assert_error(1, "not found");
}
END_TEST

START_TEST(a_cancelled_request_is_not_answered)
{
    with_forwarders(V1_4);
    ask(1, client_connection("c", "svc"));
    uint64_t tag = only(ACTION_CALL)->tag;
    cancelled(1);
    reply(tag, found(NULL));
    ck_assert_uint_eq(n_actions(ACTION_REPLY), 0);
    cancelled(1);
    ask(2, client_connection("c", "svc"));
    call_of(MESSAGE_REGISTRY_FIND_NS);
}
END_TEST

START_TEST(a_cancelled_request_that_waits_is_forgotten)
{
    with_forwarders(V1_4);
    ask(1, client_connection("c", "svc"));
    uint64_t first = only(ACTION_CALL)->tag;
    ask(2, client_connection("c", "svc"));
    cancelled(2);
    reply(first, found(NULL));
    assert_error(1, "not found");
    ck_assert_uint_eq(n_actions(ACTION_CALL), 0);
}
END_TEST

/* ---- dialling ---- */

START_TEST(the_next_hops_dial_timeout_depends_on_the_version)
{
    static const struct {
        const char *image;
        nsec_t dial, find_service, find_endpoint;
    } rows[] = {
        {"cmd-nsmgr:v1.4.0", MSECONDS(100), SECONDS(1), MSECONDS(300)},
        {"cmd-nsmgr:v1.10.0", MSECONDS(100), SECONDS(1), MSECONDS(300)},
        {"cmd-nsmgr:v1.11.0", MSECONDS(750), SECONDS(15), SECONDS(15)},
        {"cmd-nsmgr:v1.14.0", MSECONDS(750), SECONDS(15), SECONDS(15)},
        {"cmd-nsmgr", MSECONDS(750), SECONDS(15), SECONDS(15)},
    };
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        with_forwarders(rows[i].image);
        ask(1, client_connection("c", "svc"));
        ck_assert_int_eq(only(ACTION_CALL)->dial_timeout, rows[i].find_service);
        reply(only(ACTION_CALL)->tag, found(network_service("{}")));
        ck_assert_int_eq(only(ACTION_CALL)->dial_timeout, rows[i].find_endpoint);
        reply(only(ACTION_CALL)->tag, both());
        ck_assert_int_eq(only(ACTION_CALL)->dial_timeout, rows[i].dial);
    }
}
END_TEST

START_TEST(nsm_dial_timeout_is_obeyed)
{
    serving(V1_4, ENV ", {name: NSM_DIAL_TIMEOUT, value: 2s}");
    registered(record("fwd-1", "forwarder", FORWARDER_1, ""));
    ask(1, client_connection("c", "svc"));
    find_both("{}");
    ck_assert_int_eq(call_of(MESSAGE_NSM_REQUEST)->dial_timeout, SECONDS(2));
}
END_TEST

START_TEST(every_find_dials_anew)
{
    with_forwarders(V1_4);
    ask(1, client_connection("c", "svc"));
    ck_assert_int_eq(call_of(MESSAGE_REGISTRY_FIND_NS)->flags, CALL_FRESH);
    reply(only(ACTION_CALL)->tag, found(network_service("{}")));
    ck_assert_int_eq(call_of(MESSAGE_REGISTRY_FIND_NSE)->flags, CALL_FRESH);
    request(2, registry_query(MESSAGE_REGISTRY_FIND_NS, "svc", NULL, NULL));
    ck_assert_int_eq(only(ACTION_CALL)->flags, CALL_FRESH);
    request(3, registry_message(MESSAGE_REGISTRY_REGISTER, record("n", "svc", "u", "")));
    ck_assert_int_eq(only(ACTION_CALL)->flags, CALL_FRESH);
}
END_TEST

START_TEST(a_connection_dials_its_forwarder_once)
{
    with_forwarders(V1_4);
    ask(1, client_connection("c", "svc"));
    find_both("{}");
    ck_assert_int_eq(call_of(MESSAGE_NSM_REQUEST)->flags, CALL_FRESH);
    agree("fwd-1");
    ask(2, refresh_of(only(ACTION_REPLY)->message));
    reply(only(ACTION_CALL)->tag, both());
    ck_assert_int_eq(call_of(MESSAGE_NSM_REQUEST)->flags, CALL_DEFAULT);
    agree("fwd-1");
    ask(3, client_connection("d", "svc"));
    find_both("{}");
    ck_assert_int_eq(call_of(MESSAGE_NSM_REQUEST)->flags, CALL_FRESH);
}
END_TEST

/* ---- Close and expiry ---- */

START_TEST(a_close_goes_on_to_the_forwarder_and_is_answered_after_it)
{
    with_forwarders(V1_4);
    g_autoptr(Connection) connection = established();
    request(2, close_of(connection_copy(connection)));
    ck_assert_str_eq(did(), "nsm-close at " FORWARDER_1 "; cancel");
    ck_assert_uint_eq(connection_of(only(ACTION_CALL))->index, 1);
    ck_assert_int_eq(only(ACTION_CALL)->dial_timeout, MSECONDS(100));
    ck_assert_int_eq(subject.connections, 0);
    ck_assert(traced(TRACE_CONNECTION_CLOSED, ""));
    reply(only(ACTION_CALL)->tag, message_ok());
    answer_of(2, MESSAGE_OK);
    ask(3, client_connection("c", "svc"));
    ck_assert_str_eq(did(), "registry-find-ns at " REGISTRY);
}
END_TEST

START_TEST(a_close_of_a_connection_without_forwarder_is_refused)
{
    with_forwarders(V1_4);
    request(1, close_of(client_connection("c", "svc")));
    assert_error(1, "forwarder is not selected");
    g_autoptr(Connection) connection = established();
    ask(2, connection_copy(connection));
    reply(only(ACTION_CALL)->tag, found(NULL)); /* clears the stored name */
    request(3, close_of(connection_copy(connection)));
    assert_error(3, "forwarder is not selected");
}
END_TEST

START_TEST(a_connection_is_closed_when_the_previous_token_expires)
{
    with_forwarders(V1_4);
    Connection *connection = client_connection("c", "svc");
    g_array_index(connection->path, PathSegment, 0).expires = subject.now + SECONDS(77);
    ask(1, connection);
    find_both("{}");
    agree("fwd-1");
    ck_assert_int_eq(only(ACTION_TIMER)->delay, SECONDS(77));
    fire(only(ACTION_TIMER)->tag);
    ck_assert_str_eq(did(), "nsm-close at " FORWARDER_1 "; cancel");
    ck_assert_int_eq(subject.connections, 0);
    reply(only(ACTION_CALL)->tag, message_ok());
    ck_assert_str_eq(did(), "");
}
END_TEST

START_TEST(a_refresh_moves_the_expiry)
{
    with_forwarders(V1_4);
    Connection *again = established();
    uint64_t tag = only(ACTION_TIMER)->tag;
    subject.now += SECONDS(120);
    g_array_index(again->path, PathSegment, 0).expires = subject.now + SECONDS(88);
    ask(2, again);
    reply(only(ACTION_CALL)->tag, both());
    agree("fwd-1");
    ck_assert_uint_eq(only(ACTION_TIMER)->tag, tag);
    ck_assert_int_eq(only(ACTION_TIMER)->delay, SECONDS(88));
}
END_TEST

START_TEST(a_close_waits_for_the_request_under_way)
{
    with_forwarders(V1_4);
    g_autoptr(Connection) connection = established();
    ask(2, connection_copy(connection));
    uint64_t find = only(ACTION_CALL)->tag;
    request(3, close_of(connection_copy(connection)));
    ck_assert_str_eq(did(), "");
    reply(find, both());
    agree("fwd-1");
    ck_assert_str_eq(did(),
                     "timer 10m; answer 2 nsm-connection; nsm-close at " FORWARDER_1 "; cancel");
}
END_TEST

START_TEST(a_connection_whose_refresh_failed_is_dropped_when_its_token_expires)
{
    with_forwarders(V1_4);
    ask(1, client_connection("c", "svc"));
    find_both("{}");
    agree("fwd-1");
    uint64_t timer = only(ACTION_TIMER)->tag;
    ask(2, refresh_of(only(ACTION_REPLY)->message));
    reply(only(ACTION_CALL)->tag, found(NULL));
    assert_error(2, "forwarder is not found");
    subject.now += NSM_TOKEN_LIFETIME;
    fire(timer);
    ck_assert_int_eq(subject.connections, 0);
}
END_TEST

START_TEST(a_connection_that_expires_during_a_request_that_fails_is_dropped)
{
    with_forwarders(V1_4);
    ask(1, client_connection("c", "svc"));
    find_both("{}");
    agree("fwd-1");
    uint64_t timer = only(ACTION_TIMER)->tag;
    subject.now += NSM_TOKEN_LIFETIME - 1;
    ask(2, refresh_of(only(ACTION_REPLY)->message));
    uint64_t find = only(ACTION_CALL)->tag;
    subject.now += 1;
    fire(timer);
    failure(find, FAILURE_DIAL_TIMEOUT);
    assert_error(2, "dial timeout");
    ck_assert_int_eq(subject.connections, 0);
}
END_TEST

START_TEST(requests_are_labelled_with_the_node)
{
    serving(V1_4, ENV ", {name: NODE_NAME, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}");
    registered(record("fwd-1", "forwarder", FORWARDER_1, ""));
    ask(1, client_connection("c", "svc"));
    find_both("{}");
    const Labels *labels = &connection_of(call_of(MESSAGE_NSM_REQUEST))->labels;
    ck_assert_pstr_eq(labels_get(labels, "nodeName"), "node-a");
    agree("fwd-1");
    Connection *own = client_connection("d", "svc");
    labels_set(&own->labels, "nodeName", "node-z");
    ask(2, own); /* a label that is there stays */
    find_both("{}");
    labels = &connection_of(call_of(MESSAGE_NSM_REQUEST))->labels;
    ck_assert_str_eq(labels_get(labels, "nodeName"), "node-z");
}
END_TEST

START_TEST(registrations_are_labelled_with_the_node)
{
    serving(V1_4, ENV ", {name: NODE_NAME, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}");
    request(1, registry_message(MESSAGE_REGISTRY_REGISTER, record("nse-1", "svc", "u", "")));
    const NseRecord *outward = registry_message_record(only(ACTION_CALL)->message);
    ck_assert_pstr_eq(labels_get(&outward->labels, "nodeName"), "node-a");
}
END_TEST

START_TEST(what_a_caller_that_has_given_up_would_have_got_is_closed)
{
    with_forwarders(V1_4);
    ask(1, client_connection("c", "svc"));
    find_both("{}");
    cancelled(1);
    ck_assert_str_eq(did(), "cancel; nsm-close at " FORWARDER_1);
    ck_assert_int_eq(subject.connections, 0);
    ask(2, client_connection("c", "svc"));
    ck_assert_str_eq(did(), "registry-find-ns at " REGISTRY);
}
END_TEST

START_TEST(a_services_registration_is_passed_on)
{
    serving(V1_4, ENV);
    static const Object own = {.kind = OBJECT_NETWORK_SERVICE, .name = (char *)"svc"};
    request(1, registry_service(&own));
    ck_assert_str_eq(did(), "registry-register-ns at " REGISTRY);
    ck_assert_ptr_eq(((const RegistryService *)only(ACTION_CALL)->message)->object, &own);
    reply(only(ACTION_CALL)->tag, message_ok());
    answer_of(1, MESSAGE_OK);
}
END_TEST

/* ---- monitor ---- */

/* The client watches its connection `id`; what it is told at the opening. */
static const Connection *
watched(uint64_t call, const char *id)
{
    opened(call, nsm_message(MESSAGE_NSM_MONITOR, client_connection(id, "")));
    return nsm_message_connection(pushed(call, NSM_EVENT_INITIAL));
}

START_TEST(a_monitor_tells_of_the_connection_that_is_there)
{
    with_forwarders(V1_4);
    ck_assert_ptr_null(watched(1, "c"));
    connection_unref(established());
    const Connection *known = watched(2, "c");
    ck_assert_str_eq(known->id, "c");
    ck_assert_str_eq(known->nse, "nse-1");
    ck_assert_uint_eq(known->path->len, 4);
    ck_assert_uint_eq(known->index, 1);
    ck_assert_ptr_null(watched(3, "c-1"));
}
END_TEST

START_TEST(each_connection_is_watched_at_its_forwarder_once)
{
    with_forwarders(V1_4);
    ask(1, client_connection("c", "svc"));
    find_both("{}");
    agree("fwd-1");
    ck_assert_str_eq(stream_of(MESSAGE_NSM_MONITOR)->address, FORWARDER_1);
    ck_assert_str_eq(connection_of(only(ACTION_OPEN))->id, "c");
    ck_assert_uint_eq(connection_of(only(ACTION_OPEN))->index, 1);
    ask(2, refresh_of(only(ACTION_REPLY)->message));
    reply(only(ACTION_CALL)->tag, both());
    agree("fwd-1");
    ck_assert_uint_eq(n_actions(ACTION_OPEN), 0); /* it stands */
    ask(3, client_connection("d", "svc"));
    find_both("{}");
    agree("fwd-1");
    ck_assert_str_eq(connection_of(stream_of(MESSAGE_NSM_MONITOR))->id, "d");
}
END_TEST

/* Connection "c", which the client watches by its stream 70; returns our stream to the forwarder.
 */
static uint64_t
watched_chain(void)
{
    with_forwarders(V1_4);
    ask(1, client_connection("c", "svc"));
    find_both("{}");
    agree("fwd-1");
    uint64_t tag = only(ACTION_OPEN)->tag;
    watched(70, "c");
    return tag;
}

START_TEST(a_stream_that_breaks_is_told_upstream_as_down)
{
    uint64_t tag = watched_chain();
    broken(tag, FAILURE_PEER_GONE);
    ck_assert_str_eq(did(), "push 70 nsm-event");
    ck_assert_str_eq(nsm_message_connection(pushed(70, NSM_EVENT_DOWN))->id, "c");
    ask(2, client_connection("c", "svc")); /* the next Request that succeeds opens another */
    reply(call_of(MESSAGE_REGISTRY_FIND_NSE)->tag, both());
    agree("fwd-1");
    ck_assert_uint_ne(stream_of(MESSAGE_NSM_MONITOR)->tag, tag);
}
END_TEST

START_TEST(down_is_passed_on_and_an_initial_state_is_not)
{
    uint64_t tag = watched_chain();
    event(tag, nsm_event(NSM_EVENT_INITIAL, NULL));
    ck_assert_str_eq(did(), "");
    event(tag, nsm_event(NSM_EVENT_DOWN, client_connection("c", "svc")));
    pushed(70, NSM_EVENT_DOWN);
}
END_TEST

START_TEST(a_watcher_that_has_left_is_told_nothing)
{
    uint64_t tag = watched_chain();
    left(70);
    broken(tag, FAILURE_PEER_GONE);
    ck_assert_str_eq(did(), "");
}
END_TEST

START_TEST(a_close_is_told_to_watchers_and_ends_the_stream)
{
    uint64_t tag = watched_chain();
    request(2, close_of(client_connection("c", "svc")));
    pushed(70, NSM_EVENT_DELETE);
    ck_assert_uint_eq(only(ACTION_CANCEL)->tag, tag);
}
END_TEST

/* ---- registry healing ---- */

static Message *
watch_of(const char *name)
{
    return registry_message(MESSAGE_REGISTRY_WATCH, nse_record_new(name));
}

START_TEST(a_registrations_watch_goes_on_to_the_registry)
{
    serving(V1_4, ENV);
    opened(5, watch_of("nse-1"));
    ck_assert_str_eq(did(), "registry-watch at " REGISTRY);
    ck_assert_str_eq(registry_message_record(only(ACTION_OPEN)->message)->name, "nse-1");
    ck_assert_int_eq(only(ACTION_OPEN)->dial_timeout, MSECONDS(300));
}
END_TEST

START_TEST(a_watch_that_ends_at_one_side_ends_at_the_other)
{
    serving(V1_4, ENV);
    opened(5, watch_of("nse-1"));
    uint64_t first = only(ACTION_OPEN)->tag;
    opened(6, watch_of("nse-2"));
    uint64_t second = only(ACTION_OPEN)->tag;
    left(5);
    ck_assert_str_eq(did(), "cancel");
    ck_assert_uint_eq(only(ACTION_CANCEL)->tag, first);
    broken(second, FAILURE_PEER_GONE);
    ck_assert_str_eq(did(), "close 6");
    left(6);
    ck_assert_str_eq(did(), "");
}
END_TEST

/* ---- restart, giving up ---- */

START_TEST(it_says_when_it_serves)
{
    serving(V1_4, ENV);
    ck_assert_int_eq(action_at(ACTION_TRACE, 1)->mark, TRACE_SERVING);
    ck_assert_str_eq(action_at(ACTION_TRACE, 1)->address, "ns/pod");
}
END_TEST

START_TEST(an_endpoint_whose_record_has_expired_is_not_there)
{
    with_forwarders(V1_4);
    registered(record("nse-1", "svc", "unix:ns/nse:/nse.sock", ""));
    ask(1, remote_connection());
    NseRecord *stale = record("nse-1", "svc", OWN_URL, "");
    stale->expires = subject.now;
    reply(call_of(MESSAGE_REGISTRY_FIND_NSE)->tag, found_one(stale));
    assert_error(1, "network service endpoint is not found");
}
END_TEST

START_TEST(a_find_that_is_given_up_is_cancelled)
{
    with_forwarders(V1_4);
    ask(1, client_connection("c", "svc"));
    cancelled(1);
    ck_assert_str_eq(did(), "cancel");
}
END_TEST

START_TEST(a_refresh_that_is_given_up_closes_nothing)
{
    with_forwarders(V1_4);
    ask(2, established());
    reply(only(ACTION_CALL)->tag, both());
    call_of(MESSAGE_NSM_REQUEST);
    cancelled(2);
    ck_assert_str_eq(did(), "cancel");
    ck_assert_int_eq(subject.connections, 1);
}
END_TEST

START_TEST(a_token_does_not_outlive_the_svid)
{
    serving(V1_4, ENV ", {name: NSM_MAX_TOKEN_LIFETIME, value: 2h}");
    ask(1, client_connection("c", "svc"));
    find_both("{}"); /* (no forwarder is there) */
    registered(record("fwd-1", "forwarder", FORWARDER_1, ""));
    subject.now += SECONDS(1700); /* the SVID has 1900 s left */
    ask(2, client_connection("c", "svc"));
    find_both("{}");
    ck_assert_int_eq(connection_segment(connection_of(call_of(MESSAGE_NSM_REQUEST)), 1)->expires,
                     subject.now + SECONDS(1900));
    cancelled(2);
    subject.now += SECONDS(200); /* it was renewed at half its life: 3500 s */
    ask(3, client_connection("c", "svc"));
    find_both("{}");
    ck_assert_int_eq(connection_segment(connection_of(call_of(MESSAGE_NSM_REQUEST)), 1)->expires,
                     subject.now + SECONDS(3500));
}
END_TEST

int
main(void) /* NOLINT(readability-function-size): the list of the tests */
{
    const TTest *const tests[] = {
        it_listens_when_it_has_its_identity,
        it_exits_when_it_is_told_to_stop,
        the_first_request_finds_the_service_then_the_forwarders_of_this_node,
        a_refresh_is_one_find_by_name_at_v1_4,
        a_refresh_is_two_finds_at_v1_14,
        two_connections_find_their_forwarders_each_for_itself,
        a_service_that_is_not_there_is_an_error_at_once,
        no_forwarder_is_an_error_at_once,
        a_registry_that_fails_is_an_error_at_once,
        the_services_matches_choose_the_forwarders,
        the_next_forwarder_is_asked_when_one_fails,
        an_error_of_one_forwarder_leads_to_the_next,
        forwarders_are_not_balanced,
        the_previous_forwarder_is_asked_first,
        a_remembered_forwarder_has_no_alternative,
        a_remembered_forwarder_that_is_gone_is_forgotten,
        a_remote_request_is_two_finds_and_takes_a_forwarder_of_this_node,
        a_remote_request_for_an_endpoint_that_is_not_here_fails,
        an_endpoint_is_registered_with_the_managers_url,
        an_endpoint_may_ask_for_less_than_a_minute,
        a_find_gives_this_nodes_endpoints_their_sockets_back,
        what_has_this_managers_url_but_is_not_registered_here_is_hidden,
        a_service_find_is_passed_on_both_ways,
        a_registration_that_the_registry_refuses_is_not_kept,
        a_registration_expires_after_a_minute,
        a_refreshed_registration_is_held_once_and_expires_anew,
        unregistering_is_passed_on_and_hides_the_endpoint,
        requests_of_one_connection_go_one_after_the_other,
        a_waiting_request_begins_when_the_one_before_fails,
        requests_of_different_connections_go_side_by_side,
        a_cancelled_request_is_not_answered,
        the_next_hops_dial_timeout_depends_on_the_version,
        nsm_dial_timeout_is_obeyed,
        every_find_dials_anew,
        a_connection_dials_its_forwarder_once,
        a_close_goes_on_to_the_forwarder_and_is_answered_after_it,
        a_close_of_a_connection_without_forwarder_is_refused,
        a_connection_is_closed_when_the_previous_token_expires,
        a_refresh_moves_the_expiry,
        what_a_caller_that_has_given_up_would_have_got_is_closed,
        a_services_registration_is_passed_on,
        a_monitor_tells_of_the_connection_that_is_there,
        a_cancelled_request_that_waits_is_forgotten,
        a_close_waits_for_the_request_under_way,
        a_connection_whose_refresh_failed_is_dropped_when_its_token_expires,
        a_connection_that_expires_during_a_request_that_fails_is_dropped,
        requests_are_labelled_with_the_node,
        registrations_are_labelled_with_the_node,
        each_connection_is_watched_at_its_forwarder_once,
        a_stream_that_breaks_is_told_upstream_as_down,
        down_is_passed_on_and_an_initial_state_is_not,
        a_watcher_that_has_left_is_told_nothing,
        a_close_is_told_to_watchers_and_ends_the_stream,
        a_registrations_watch_goes_on_to_the_registry,
        a_watch_that_ends_at_one_side_ends_at_the_other,
        it_says_when_it_serves,
        an_endpoint_whose_record_has_expired_is_not_there,
        a_find_that_is_given_up_is_cancelled,
        a_refresh_that_is_given_up_closes_nothing,
        a_token_does_not_outlive_the_svid,
    };
    return run_tests("manager", tests, G_N_ELEMENTS(tests), NULL, 0);
}
