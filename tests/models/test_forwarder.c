/* forwarder-vpp alone: boot, endpoint choice, round robin, what it programs (FACTS 1.1, 1.4, 1.6,
 * 1.7, 1.8, 2.4, 2.5). */
#include "models/nsm/forwarder.h"

#include "tests/models/nsm_step.h"

#define V1_4 "ghcr.io/networkservicemesh/cmd-forwarder-vpp:v1.4.0"
#define ENV                                                                                        \
    "{name: NSM_NAME, value: fwd-a}, "                                                             \
    "{name: NSM_CONNECT_TO, value: \"unix:///var/lib/networkservicemesh/nsm.io.sock\"}"
#define NSE_1 "unix:ns/nse-1:/nse.sock"
#define NSE_2 "unix:ns/nse-2:/nse.sock"
#define OTHER_NODE "tcp:10.0.0.2:5001"
#define WIRED "interface kernel ns/pod/c#2/server ns/nse-1/if-1"
#define TO_CLIENT "interface kernel ns/pod/c#2/client ns/client/nsm-1"
#define JOINED "cross-connect kernel ns/pod/c#2/client ns/pod/c#2/server"

static NseRecord *
granted_for(const Action *call, nsec_t life)
{
    NseRecord *granted = nse_record_copy(registry_message_record(call->message));
    granted->expires = subject.now + life;
    return granted;
}

/* Started, booted and registered. */
static void
ready_with(const char *image, const char *env)
{
    make_machine(forwarder_new, image, env);
    start();
    worked(only(ACTION_WORK)->tag);
    fire(only(ACTION_TIMER)->tag);
    reply(SVID_TAG, svid());
    const Action *call = call_of(MESSAGE_REGISTRY_REGISTER);
    reply(call->tag, registry_message(MESSAGE_REGISTRY_NSE, granted_for(call, SECONDS(60))));
}

static void
ready(void)
{
    ready_with(V1_4, ENV);
}

/* What the node's manager sends for the client "nsc" of connection `id`. */
static Connection *
local_connection(const char *id)
{
    Connection *connection = client_connection(id, "svc");
    connection_advance(connection, "nsmgr-a", subject.now, NSM_TOKEN_LIFETIME);
    return connection;
}

/* As this node's manager passes on what a forwarder of `node` asks of an endpoint here. */
static Connection *
remote_connection(const char *id, const char *node)
{
    Connection *connection = local_connection(id);
    connection_advance(connection, "fwd-b", subject.now, NSM_TOKEN_LIFETIME);
    connection_advance(connection, "nsmgr-b", subject.now, NSM_TOKEN_LIFETIME);
    connection->nse = g_strdup("nse-1");
    connection->payload = g_strdup("ETHERNET");
    connection->mechanism = WIRE_VXLAN;
    connection->client.node = g_strdup(node);
    return connection;
}

static void
ask(uint64_t call, Connection *take_connection)
{
    request(call, nsm_message(MESSAGE_NSM_REQUEST, take_connection));
}

static NseRecord *
nse_1(void)
{
    return record("nse-1", "svc", NSE_1, "app:nse");
}

static NseRecord *
nse_2(void)
{
    return record("nse-2", "svc", NSE_2, "app:nse");
}

/* Goes on with a Request until an endpoint is asked. */
static void
find(const char *spec, RegistryFound *take_found)
{
    reply(call_of(MESSAGE_REGISTRY_FIND_NS)->tag, found(network_service(spec)));
    reply(call_of(MESSAGE_REGISTRY_FIND_NSE)->tag, take_found);
}

/* The answer of the endpoint that was asked: a `wire` interface "if-1" in the Pod "ns/<name>". */
static Connection *
endpoint_answer(const char *name, WireKind wire)
{
    const Action *call = call_of(MESSAGE_NSM_REQUEST);
    Connection *back = connection_copy(connection_of(call));
    connection_advance(back, name, subject.now, NSM_TOKEN_LIFETIME);
    g_free(back->nse);
    back->nse = g_strdup(name);
    back->mechanism = wire;
    g_clear_pointer(&back->server.node, g_free);
    g_free(back->server.pod);
    g_free(back->server.interface);
    back->server.pod = g_strdup_printf("ns/%s", name);
    back->server.interface = g_strdup("if-1");
    return back;
}

static void
agree(const char *name, WireKind wire)
{
    uint64_t tag = only(ACTION_CALL)->tag;
    Connection *back = endpoint_answer(name, wire);
    reply(tag, nsm_message(MESSAGE_NSM_CONNECTION, back));
}

/* One step of programming: the CPU work, then the operation `expected`, which succeeds. */
static void
program(const char *work, const char *expected)
{
    g_autofree char *wanted = g_strdup_printf("work %s", work);
    const char *answered = strstr(did(), "work");
    ck_assert_pstr_eq(answered, wanted);
    uint64_t tag = only(ACTION_WORK)->tag;
    worked(tag);
    ck_assert_str_eq(did(), expected);
    ck_assert_uint_eq(only(ACTION_DATAPLANE)->tag, tag);
    ck_assert_str_eq(only(ACTION_DATAPLANE)->dataplane.owner, "ns/pod");
    ck_assert_str_eq(only(ACTION_DATAPLANE)->dataplane.node, subject.info.node);
    programmed(tag, NULL);
}

/* All operations of the last step succeed. */
static void
all_done(void)
{
    guint n = n_actions(ACTION_DATAPLANE);
    uint64_t tag = action_at(ACTION_DATAPLANE, 0)->tag;
    for (guint i = 0; i < n; i++) {
        programmed(tag, NULL);
    }
}

/* Connection "c" of a kernel client to the kernel endpoint nse-1; answers call 1. */
static void
established(void)
{
    ask(1, local_connection("c"));
    find("{}", found_one(nse_1()));
    agree("nse-1", WIRE_KERNEL);
    program("vpp-interface", WIRED);
    program("vpp-interface", TO_CLIENT);
    program("vpp-cross-connect", JOINED);
    answer_of(1, MESSAGE_NSM_CONNECTION);
}

/* What the manager sends to refresh an answered connection. */
static Connection *
refresh_of(const Message *answer)
{
    Connection *again = connection_copy(nsm_message_connection(answer));
    again->index = 1;
    return again;
}

/* Which endpoint a new connection `id` asks first; it agrees and all is programmed. */
static char *
asked_first(uint64_t call, const char *id)
{
    ask(call, local_connection(id));
    find("{}", found_two(nse_1(), nse_2()));
    char *name = g_strdup(connection_of(call_of(MESSAGE_NSM_REQUEST))->nse);
    agree(name, WIRE_KERNEL);
    while (n_actions(ACTION_WORK) > 0) {
        worked(only(ACTION_WORK)->tag);
        programmed(only(ACTION_DATAPLANE)->tag, NULL);
    }
    answer_of(call, MESSAGE_NSM_CONNECTION);
    return name;
}

static void
assert_asked_first(uint64_t call, const char *id, const char *expected)
{
    g_autofree char *name = asked_first(call, id);
    ck_assert_str_eq(name, expected);
}

/* ---- boot and registration ---- */

START_TEST(vpp_boots_before_the_identity_is_asked_for)
{
    make_machine(forwarder_new, V1_4, ENV);
    start();
    ck_assert_str_eq(did(), "work vpp-boot");
    worked(only(ACTION_WORK)->tag);
    ck_assert_str_eq(did(), "timer 1s");
    fire(only(ACTION_TIMER)->tag);
    ck_assert_str_eq(did(), "spire-fetch at " AGENT);
    request(5, message_new(MESSAGE_HEALTH, sizeof(Message), NULL));
    assert_error(5, "not serving");
    reply(SVID_TAG, svid());
    ck_assert_str_eq(did(), "listen unix:ns/pod:/listen.on.sock; registry-register at " SOCKET);
    request(6, message_new(MESSAGE_HEALTH, sizeof(Message), NULL));
    answer_of(6, MESSAGE_OK);
}
END_TEST

START_TEST(it_registers_as_a_point_to_point_forwarder)
{
    make_machine(forwarder_new, V1_4, ENV);
    start();
    worked(only(ACTION_WORK)->tag);
    fire(only(ACTION_TIMER)->tag);
    reply(SVID_TAG, svid());
    const NseRecord *own = registry_message_record(only(ACTION_CALL)->message);
    ck_assert_str_eq(own->name, "fwd-a");
    ck_assert(nse_record_serves(own, "forwarder"));
    ck_assert_str_eq(labels_get(&own->labels, "p2p"), "true");
    ck_assert_str_eq(own->url, "unix:ns/pod:/listen.on.sock");
    ck_assert_int_eq(own->expires, subject.now + SECONDS(60));
}
END_TEST

START_TEST(its_labels_and_service_come_from_the_environment)
{
    make_machine(forwarder_new, V1_4,
                 ENV ", {name: NSM_LABELS, value: \"p2p:true,kind:vpp\"}, "
                     "{name: NSM_NETWORK_SERVICE_NAME, value: fast}");
    start();
    worked(only(ACTION_WORK)->tag);
    fire(only(ACTION_TIMER)->tag);
    reply(SVID_TAG, svid());
    const NseRecord *own = registry_message_record(only(ACTION_CALL)->message);
    ck_assert_str_eq(labels_get(&own->labels, "kind"), "vpp");
    ck_assert(nse_record_serves(own, "fast"));
}
END_TEST

START_TEST(a_registration_is_refreshed_at_two_thirds_of_its_life)
{
    ready();
    ck_assert_str_eq(did(), "timer 40s; registry-watch at " SOCKET);
    ck_assert(traced(TRACE_REGISTERED, "fwd-a"));
    subject.now += SECONDS(40);
    fire(only(ACTION_TIMER)->tag);
    const Action *call = call_of(MESSAGE_REGISTRY_REGISTER);
    ck_assert_int_eq(registry_message_record(call->message)->expires, subject.now + SECONDS(60));
    reply(call->tag, registry_message(MESSAGE_REGISTRY_NSE, granted_for(call, SECONDS(30))));
    ck_assert_str_eq(did(), "timer 20s; registry-watch at " SOCKET);
    ck_assert(!traced(TRACE_REGISTERED, ""));
}
END_TEST

START_TEST(a_registration_that_fails_is_tried_again_after_200_ms)
{
    make_machine(forwarder_new, V1_4, ENV);
    start();
    worked(only(ACTION_WORK)->tag);
    fire(only(ACTION_TIMER)->tag);
    reply(SVID_TAG, svid());
    ck_assert_int_eq(only(ACTION_CALL)->timeout, SECONDS(15));
    failure(only(ACTION_CALL)->tag, FAILURE_REFUSED);
    ck_assert_str_eq(did(), "timer 200ms");
    fire(only(ACTION_TIMER)->tag);
    reply(call_of(MESSAGE_REGISTRY_REGISTER)->tag, message_error("not now"));
    ck_assert_str_eq(did(), "timer 200ms");
    fire(only(ACTION_TIMER)->tag);
    const Action *call = call_of(MESSAGE_REGISTRY_REGISTER);
    reply(call->tag, registry_message(MESSAGE_REGISTRY_NSE, granted_for(call, SECONDS(60))));
    ck_assert_str_eq(did(), "timer 40s; registry-watch at " SOCKET);
}
END_TEST

/* ---- discovery ---- */

START_TEST(the_first_request_finds_service_and_endpoints_through_the_manager)
{
    ready();
    ask(1, local_connection("c"));
    ck_assert_str_eq(did(), "registry-find-ns at " SOCKET);
    ck_assert_str_eq(query_of(only(ACTION_CALL))->name, "svc");
    ck_assert_int_eq(only(ACTION_CALL)->flags, CALL_FRESH);
    reply(only(ACTION_CALL)->tag, found(network_service("{}")));
    ck_assert_str_eq(did(), "registry-find-nse at " SOCKET);
    ck_assert_ptr_null(query_of(only(ACTION_CALL))->name);
    ck_assert_str_eq(query_of(only(ACTION_CALL))->service, "svc");
    ck_assert_ptr_null(query_of(only(ACTION_CALL))->url);
    ck_assert_int_eq(only(ACTION_CALL)->flags, CALL_FRESH);
    reply(only(ACTION_CALL)->tag, found_one(nse_1()));
    ck_assert_str_eq(did(), "nsm-request at " NSE_1);
    ck_assert_int_eq(only(ACTION_CALL)->flags, CALL_FRESH); /* each NSM connection dials */
    const Connection *out = connection_of(only(ACTION_CALL));
    ck_assert_str_eq(out->nse, "nse-1");
    ck_assert_uint_eq(out->index, 2);
    ck_assert_str_eq(connection_segment(out, 2)->name, "fwd-a");
    ck_assert_int_eq(out->mechanism, WIRE_KERNEL);
}
END_TEST

START_TEST(a_request_that_names_its_endpoint_is_one_find)
{
    ready();
    Connection *connection = local_connection("c");
    connection->nse = g_strdup("nse-2");
    ask(1, connection);
    ck_assert_str_eq(did(), "registry-find-nse at " SOCKET);
    ck_assert_str_eq(query_of(only(ACTION_CALL))->name, "nse-2");
    ck_assert_ptr_null(query_of(only(ACTION_CALL))->service);
    reply(only(ACTION_CALL)->tag, found_one(nse_2()));
    ck_assert_str_eq(did(), "nsm-request at " NSE_2);
}
END_TEST

START_TEST(the_services_matches_choose_the_endpoint)
{
    ready();
    Connection *connection = local_connection("c");
    labels_set(&connection->labels, "app", "firewall");
    ask(1, connection);
    find("{matches: [{source_selector: {app: firewall}, "
         "routes: [{destination_selector: {app: nse}}]}, "
         "{routes: [{destination_selector: {app: firewall}}]}]}",
         found_two(record("fw", "svc", NSE_1, "app:firewall"), nse_2()));
    ck_assert_str_eq(did(), "nsm-request at " NSE_2);
}
END_TEST

START_TEST(no_candidate_is_an_error_at_once_that_says_why)
{
    ready();
    ask(1, local_connection("c"));
    find("{matches: [{routes: [{destination_selector: {app: gone}}]}]}", found_one(nse_1()));
    assert_error(1, "network service endpoint candidates not found: match 1");
    ask(2, local_connection("c"));
    reply(only(ACTION_CALL)->tag, found(NULL));
    assert_error(2, "network service svc is not found");
    Connection *pinned = local_connection("c");
    pinned->nse = g_strdup("nse-9");
    ask(3, pinned);
    reply(only(ACTION_CALL)->tag, found(NULL));
    assert_error(3, "network service endpoint nse-9 is not found");
    ask(4, local_connection("c"));
    failure(only(ACTION_CALL)->tag, FAILURE_PEER_GONE);
    assert_error(4, "connection reset");
}
END_TEST

START_TEST(new_connections_take_the_endpoints_in_turn)
{
    ready();
    assert_asked_first(1, "c", "nse-1");
    assert_asked_first(2, "d", "nse-2");
    assert_asked_first(3, "e", "nse-1");
}
END_TEST

START_TEST(every_service_has_a_turn_of_its_own)
{
    ready();
    assert_asked_first(1, "c", "nse-1");
    Connection *connection = client_connection("o", "other");
    connection_advance(connection, "nsmgr-a", subject.now, NSM_TOKEN_LIFETIME);
    ask(2, connection);
    find("{}", found_two(record("nse-3", "other", NSE_1, ""), record("nse-4", "other", NSE_2, "")));
    ck_assert_str_eq(connection_of(only(ACTION_CALL))->nse, "nse-3");
    assert_asked_first(3, "d", "nse-2");
}
END_TEST

START_TEST(the_next_candidate_is_asked_when_one_fails)
{
    ready();
    assert_asked_first(1, "c", "nse-1");
    ask(2, local_connection("d"));
    find("{}", found_two(nse_1(), nse_2()));
    ck_assert_str_eq(did(), "nsm-request at " NSE_2); /* its turn */
    failure(only(ACTION_CALL)->tag, FAILURE_DIAL_TIMEOUT);
    ck_assert_str_eq(did(), "nsm-request at " NSE_1);
    ck_assert_str_eq(connection_of(only(ACTION_CALL))->nse, "nse-1");
    agree("nse-1", WIRE_KERNEL);
    ck_assert(traced(TRACE_ENDPOINT_CHOSEN, "nse-1"));
}
END_TEST

START_TEST(when_every_candidate_fails_the_request_fails_with_the_last_reason)
{
    ready();
    ask(1, local_connection("c"));
    find("{}", found_two(nse_1(), nse_2()));
    reply(only(ACTION_CALL)->tag, message_error("nse-1: full"));
    failure(only(ACTION_CALL)->tag, FAILURE_REFUSED);
    assert_error(1, "endpoint nse-2: connection refused");
    ck_assert_int_eq(subject.connections, 0);
}
END_TEST

START_TEST(a_refresh_does_not_move_the_turn)
{
    ready();
    assert_asked_first(1, "c", "nse-1");
    ask(2, refresh_of(only(ACTION_REPLY)->message));
    reply(call_of(MESSAGE_REGISTRY_FIND_NSE)->tag, found_one(nse_1()));
    agree("nse-1", WIRE_KERNEL);
    answer_of(2, MESSAGE_NSM_CONNECTION);
    assert_asked_first(3, "d", "nse-2");
}
END_TEST

START_TEST(another_endpoint_is_asked_even_if_the_old_one_is_dead)
{
    ready();
    established();
    ask(2, local_connection("c"));
    find("{}", found_one(nse_2()));
    failure(call_of(MESSAGE_NSM_CLOSE)->tag, FAILURE_DIAL_TIMEOUT);
    ck_assert_str_eq(call_of(MESSAGE_NSM_REQUEST)->address, NSE_2);
}
END_TEST

START_TEST(each_candidate_that_is_tried_moves_the_turn)
{
    ready();
    ask(1, local_connection("c"));
    find("{}", found_two(nse_1(), nse_2()));
    failure(only(ACTION_CALL)->tag, FAILURE_REFUSED);
    ck_assert_str_eq(did(), "nsm-request at " NSE_2);
    agree("nse-2", WIRE_KERNEL);
    assert_asked_first(2, "d", "nse-1");
}
END_TEST

/* ---- programming ---- */

START_TEST(the_end_towards_the_endpoint_is_made_first_and_the_join_last)
{
    ready();
    established(); /* asserts the order */
    const Connection *back = nsm_message_connection(only(ACTION_REPLY)->message);
    ck_assert_uint_eq(back->index, 2);
    ck_assert_uint_eq(back->path->len, 4);
    ck_assert_int_eq(back->mechanism, WIRE_KERNEL);
    ck_assert_str_eq(back->nse, "nse-1");
    ck_assert(traced(TRACE_XCONNECT_DONE, "kernel"));
    ck_assert_int_eq(subject.connections, 1);
}
END_TEST

START_TEST(a_kernel_client_of_a_memif_function_crosses_the_forwarder)
{
    ready();
    ask(1, local_connection("c"));
    find("{}", found_one(nse_1()));
    agree("nse-1", WIRE_MEMIF);
    program("vpp-interface", "interface memif ns/pod/c#2/server ns/nse-1/if-1");
    program("vpp-interface", TO_CLIENT);
    program("vpp-cross-connect", JOINED);
    answer_of(1, MESSAGE_NSM_CONNECTION);
}
END_TEST

START_TEST(memif_to_memif_makes_no_port_in_the_forwarder)
{
    ready();
    Connection *connection = local_connection("c");
    connection->mechanism = WIRE_MEMIF;
    ask(1, connection);
    find("{}", found_one(nse_1()));
    agree("nse-1", WIRE_MEMIF);
    ck_assert_str_eq(did(), "direct memif ns/client/nsm-1 ns/nse-1/if-1");
    ck_assert_str_eq(only(ACTION_DATAPLANE)->dataplane.pod, "ns/client");
    programmed(only(ACTION_DATAPLANE)->tag, NULL);
    ck_assert_str_eq(did(), "timer 10m; watch ns/client; nsm-monitor at " NSE_1
                            "; answer 1 nsm-connection");
}
END_TEST

START_TEST(memif_to_memif_costs_no_vpp_interface)
{
    ready();
    Connection *connection = local_connection("c");
    connection->mechanism = WIRE_MEMIF;
    ask(1, connection);
    find("{}", found_one(nse_1()));
    agree("nse-1", WIRE_MEMIF);
    ck_assert_str_ne(did(), "work vpp-interface");
}
END_TEST

START_TEST(a_refresh_programs_nothing)
{
    ready();
    established();
    ask(2, refresh_of(only(ACTION_REPLY)->message));
    ck_assert_str_eq(did(), "registry-find-nse at " SOCKET);
    ck_assert_str_eq(query_of(only(ACTION_CALL))->name, "nse-1");
    reply(only(ACTION_CALL)->tag, found_one(nse_1()));
    ck_assert_str_eq(did(), "nsm-request at " NSE_1);
    ck_assert_int_eq(only(ACTION_CALL)->flags, CALL_DEFAULT);
    agree("nse-1", WIRE_KERNEL);
    ck_assert_str_eq(did(), "timer 10m; answer 2 nsm-connection");
    ck_assert_int_eq(subject.connections, 1);
}
END_TEST

START_TEST(an_operation_that_fails_fails_the_request)
{
    ready();
    ask(1, local_connection("c"));
    find("{}", found_one(nse_1()));
    agree("nse-1", WIRE_KERNEL);
    worked(only(ACTION_WORK)->tag);
    programmed(only(ACTION_DATAPLANE)->tag, "create tap: no memory");
    all_done(); /* what was made is removed first */
    assert_error(1, "create tap: no memory");
    ck_assert_int_eq(subject.connections, 0);
    established(); /* and the next one succeeds */
}
END_TEST

START_TEST(what_was_made_before_a_failure_is_removed)
{
    ready();
    ask(1, local_connection("c"));
    find("{}", found_one(nse_1()));
    agree("nse-1", WIRE_KERNEL);
    program("vpp-interface", WIRED);
    worked(only(ACTION_WORK)->tag);
    programmed(only(ACTION_DATAPLANE)->tag, "create tap: no memory");
    ck_assert_uint_ge(n_actions(ACTION_DATAPLANE), 1);
    ck_assert_int_eq(action_at(ACTION_DATAPLANE, 0)->dataplane.kind, DATAPLANE_REMOVE);
    call_of(MESSAGE_NSM_CLOSE);
}
END_TEST

START_TEST(a_request_that_leads_to_another_endpoint_is_programmed_anew)
{
    ready();
    established();
    ask(2, local_connection("c")); /* names no endpoint: chosen afresh */
    find("{}", found_one(nse_2()));
    const Action *told = call_of(MESSAGE_NSM_CLOSE); /* the old one first */
    ck_assert_str_eq(told->address, NSE_1);
    reply(told->tag, message_ok());
    agree("nse-2", WIRE_KERNEL);
    ck_assert_uint_eq(n_actions(ACTION_CALL), 0);      /* once */
    ck_assert_uint_eq(n_actions(ACTION_DATAPLANE), 2); /* our ports: the Pods' ends stay */
    all_done();
    program("vpp-interface", "interface kernel ns/pod/c#2/server ns/nse-2/if-1");
    program("vpp-interface", TO_CLIENT);
    program("vpp-cross-connect", JOINED);
    answer_of(2, MESSAGE_NSM_CONNECTION);
    ck_assert_str_eq(stream_of(MESSAGE_NSM_MONITOR)->address, NSE_2);
    ck_assert_int_eq(subject.connections, 1);
}
END_TEST

/* ---- tunnels ---- */

static void
assert_tunnel(const char *spec, WireKind wire)
{
    ready();
    ask(1, local_connection("c"));
    find(spec, found_one(record("nse-1", "svc", OTHER_NODE, "")));
    ck_assert_str_eq(did(), "nsm-request at " OTHER_NODE);
    const Connection *out = connection_of(only(ACTION_CALL));
    ck_assert_str_eq(wire_kind_name(out->mechanism), wire_kind_name(wire));
    ck_assert_str_eq(out->client.node, "node-a");
    ck_assert_str_eq(out->nse, "nse-1");
}

START_TEST(ethernet_goes_over_vxlan_and_ip_over_wireguard)
{
    assert_tunnel("{payload: ETHERNET}", WIRE_VXLAN);
    assert_tunnel("{}", WIRE_VXLAN);
    assert_tunnel("{payload: IP}", WIRE_WIREGUARD);
}
END_TEST

START_TEST(the_clients_node_makes_the_tunnel_then_the_interface)
{
    assert_tunnel("{payload: IP}", WIRE_WIREGUARD);
    const Action *call = only(ACTION_CALL);
    Connection *back = connection_copy(connection_of(call));
    back->vni = 11;
    back->server.node = g_strdup("node-b");
    reply(call->tag, nsm_message(MESSAGE_NSM_CONNECTION, back));
    program("vpp-tunnel", "tunnel wireguard ns/pod/c#2/server node-b");
    program("vpp-interface", TO_CLIENT);
    program("vpp-cross-connect", JOINED);
    ck_assert_int_eq(nsm_message_connection(answer_of(1, MESSAGE_NSM_CONNECTION))->mechanism,
                     WIRE_KERNEL);
}
END_TEST

START_TEST(the_tunnel_has_the_other_sides_vni)
{
    assert_tunnel("{}", WIRE_VXLAN);
    const Action *call = only(ACTION_CALL);
    Connection *back = connection_copy(connection_of(call));
    back->vni = 11;
    back->server.node = g_strdup("node-b");
    reply(call->tag, nsm_message(MESSAGE_NSM_CONNECTION, back));
    worked(only(ACTION_WORK)->tag);
    ck_assert_uint_eq(only(ACTION_DATAPLANE)->dataplane.vni, 11);
}
END_TEST

/* The other node's manager agrees with `vni`. */
static void
agree_remote(uint32_t vni)
{
    const Action *call = only(ACTION_CALL);
    Connection *back = connection_copy(connection_of(call));
    connection_advance(back, "nsmgr-b", subject.now, NSM_TOKEN_LIFETIME);
    back->vni = vni;
    back->server.node = g_strdup("node-b");
    reply(call->tag, nsm_message(MESSAGE_NSM_CONNECTION, back));
}

START_TEST(another_endpoint_behind_the_same_manager_is_that_managers_matter)
{
    ready();
    ask(1, local_connection("c"));
    find("{}", found_one(record("nse-1", "svc", OTHER_NODE, "")));
    agree_remote(11);
    program("vpp-tunnel", "tunnel vxlan ns/pod/c#2/server node-b");
    program("vpp-interface", TO_CLIENT);
    program("vpp-cross-connect", JOINED);
    answer_of(1, MESSAGE_NSM_CONNECTION);
    ask(2, local_connection("c"));
    find("{}", found_one(record("nse-2", "svc", OTHER_NODE, "")));
    agree_remote(12);
    for (guint i = 0; i < n_actions(ACTION_CALL); i++) {
        ck_assert_int_ne(action_at(ACTION_CALL, i)->message->type, MESSAGE_NSM_CLOSE);
    }
}
END_TEST

START_TEST(its_answer_has_the_clients_own_end)
{
    assert_tunnel("{}", WIRE_VXLAN);
    const Action *call = only(ACTION_CALL);
    Connection *back = connection_copy(connection_of(call));
    back->vni = 11;
    back->server.node = g_strdup("node-b");
    reply(call->tag, nsm_message(MESSAGE_NSM_CONNECTION, back));
    program("vpp-tunnel", "tunnel vxlan ns/pod/c#2/server node-b");
    program("vpp-interface", TO_CLIENT);
    program("vpp-cross-connect", JOINED);
    const Connection *answer = nsm_message_connection(answer_of(1, MESSAGE_NSM_CONNECTION));
    ck_assert_ptr_null(answer->client.node);
    ck_assert_str_eq(answer->client.pod, "ns/client");
}
END_TEST

/* The whole of a Request from `node`; returns the VNI that the answer names. */
static uint32_t
serve_remote(uint64_t call, const char *id, const char *node)
{
    ask(call, remote_connection(id, node));
    ck_assert_str_eq(did(), "registry-find-nse at " SOCKET);
    reply(only(ACTION_CALL)->tag, found_one(nse_1()));
    ck_assert_ptr_null(connection_of(only(ACTION_CALL))->client.node);
    agree("nse-1", WIRE_KERNEL);
    g_autofree char *server =
        g_strdup_printf("interface kernel ns/pod/%s#4/server ns/nse-1/if-1", id);
    g_autofree char *client = g_strdup_printf("tunnel vxlan ns/pod/%s#4/client %s", id, node);
    program("vpp-interface", server);
    program("vpp-tunnel", client);
    uint64_t tag = only(ACTION_WORK)->tag;
    worked(tag);
    programmed(tag, NULL);
    const Connection *back = nsm_message_connection(answer_of(call, MESSAGE_NSM_CONNECTION));
    ck_assert_int_eq(back->mechanism, WIRE_VXLAN);
    ck_assert_str_eq(back->server.node, subject.info.node);
    ck_assert_ptr_null(back->server.pod);
    return back->vni;
}

START_TEST(the_endpoints_node_makes_the_interface_then_the_tunnel)
{
    ready();
    uint32_t first = serve_remote(1, "c", "node-b");
    uint32_t next = serve_remote(2, "d", "node-b");
    ck_assert_uint_ne(first, next);
}
END_TEST

START_TEST(two_nodes_never_choose_the_same_vni)
{
    ready();
    uint32_t lesser = serve_remote(1, "c", "node-b");
    uint32_t lesser_next = serve_remote(2, "d", "node-b");
    subject.info.node = "node-b";
    ready_with(V1_4,
               "{name: NSM_NAME, value: fwd-b}, {name: NSM_CONNECT_TO, value: \"unix:///x\"}");
    ask(1, remote_connection("e", "node-a"));
    reply(only(ACTION_CALL)->tag, found_one(nse_1()));
    agree("nse-1", WIRE_KERNEL);
    for (int i = 0; i < 3; i++) {
        worked(only(ACTION_WORK)->tag);
        programmed(only(ACTION_DATAPLANE)->tag, NULL);
    }
    uint32_t greater = nsm_message_connection(answer_of(1, MESSAGE_NSM_CONNECTION))->vni;
    ck_assert_uint_eq(lesser % 2, 0);
    ck_assert_uint_eq(lesser_next % 2, 0);
    ck_assert_uint_eq(greater % 2, 1);
}
END_TEST

/* ---- begin, Close, dialling ---- */

START_TEST(requests_of_one_connection_go_one_after_the_other)
{
    ready();
    ask(1, local_connection("c"));
    uint64_t first = only(ACTION_CALL)->tag;
    ask(2, local_connection("c"));
    ck_assert_str_eq(did(), "");
    reply(first, found(NULL));
    ck_assert_str_eq(did(), "answer 1 error; registry-find-ns at " SOCKET);
}
END_TEST

START_TEST(a_cancelled_request_is_not_answered)
{
    ready();
    ask(1, local_connection("c"));
    uint64_t tag = only(ACTION_CALL)->tag;
    cancelled(1);
    reply(tag, found(NULL));
    ck_assert_uint_eq(n_actions(ACTION_REPLY), 0);
}
END_TEST

START_TEST(what_a_caller_that_has_given_up_would_have_got_is_closed)
{
    ready();
    ask(1, local_connection("c"));
    find("{}", found_one(nse_1()));
    agree("nse-1", WIRE_KERNEL);
    program("vpp-interface", WIRED);
    program("vpp-interface", TO_CLIENT);
    uint64_t tag = only(ACTION_WORK)->tag;
    worked(tag);
    cancelled(1);
    programmed(tag, NULL);
    ck_assert_uint_eq(n_actions(ACTION_REPLY), 0);
    call_of(MESSAGE_NSM_CLOSE);
    ck_assert_uint_eq(n_actions(ACTION_DATAPLANE), 4);
    all_done();
    ck_assert_uint_eq(n_actions(ACTION_REPLY), 0);
    ck_assert_int_eq(subject.connections, 0);
    established();
}
END_TEST

START_TEST(a_close_goes_on_to_the_endpoint_and_removes_the_ports)
{
    ready();
    established();
    request(2, nsm_message(MESSAGE_NSM_CLOSE, local_connection("c")));
    ck_assert_str_eq(did(), "cancel; nsm-close at " NSE_1);
    ck_assert_int_eq(only(ACTION_CALL)->dial_timeout, MSECONDS(100));
    ck_assert_uint_eq(connection_of(only(ACTION_CALL))->index, 2);
    reply(only(ACTION_CALL)->tag, message_ok());
    ck_assert_str_eq(did(), "remove kernel ns/pod/c#2/client; remove kernel ns/pod/c#2/server; "
                            "remove kernel ns/client/nsm-1; remove kernel ns/nse-1/if-1");
    all_done();
    ck_assert_str_eq(did(), "answer 2 ok; stop");
    ck_assert_int_eq(subject.connections, 0);
    request(3, nsm_message(MESSAGE_NSM_CLOSE, local_connection("c")));
    ck_assert_str_eq(did(), "answer 3 ok");
    established();
}
END_TEST

START_TEST(a_close_waits_for_the_request_under_way)
{
    ready();
    established();
    ask(2, refresh_of(only(ACTION_REPLY)->message));
    uint64_t find_tag = only(ACTION_CALL)->tag;
    request(3, nsm_message(MESSAGE_NSM_CLOSE, local_connection("c")));
    ck_assert_str_eq(did(), "");
    reply(find_tag, found_one(nse_1()));
    agree("nse-1", WIRE_KERNEL);
    ck_assert_uint_eq(only(ACTION_REPLY)->call, 2);
    failure(call_of(MESSAGE_NSM_CLOSE)->tag, FAILURE_DIAL_TIMEOUT); /* errors are ignored */
    ck_assert_uint_eq(n_actions(ACTION_DATAPLANE), 4);
    ck_assert_int_eq(subject.connections, 0);
    all_done();
    answer_of(3, MESSAGE_OK);
}
END_TEST

START_TEST(a_request_waits_until_the_ports_of_the_one_before_are_gone)
{
    ready();
    established();
    request(2, nsm_message(MESSAGE_NSM_CLOSE, local_connection("c")));
    uint64_t tag = only(ACTION_CALL)->tag;
    ask(3, local_connection("c"));
    ck_assert_str_eq(did(), "");
    reply(tag, message_ok());
    all_done();
    ck_assert_str_eq(did(), "answer 2 ok; registry-find-ns at " SOCKET);
}
END_TEST

START_TEST(a_connection_is_closed_when_the_previous_token_expires)
{
    ready();
    established();
    ck_assert_int_eq(only(ACTION_TIMER)->delay, NSM_TOKEN_LIFETIME);
    subject.now += NSM_TOKEN_LIFETIME;
    fire(only(ACTION_TIMER)->tag);
    reply(call_of(MESSAGE_NSM_CLOSE)->tag, message_ok());
    all_done();
    ck_assert_uint_eq(n_actions(ACTION_REPLY), 0);
    ck_assert_int_eq(subject.connections, 0);
}
END_TEST

START_TEST(a_token_that_expires_during_a_request_that_fails_closes)
{
    ready();
    established();
    uint64_t expiry = only(ACTION_TIMER)->tag;
    ask(2, refresh_of(only(ACTION_REPLY)->message));
    uint64_t tag = only(ACTION_CALL)->tag;
    fire(expiry);
    ck_assert_str_eq(did(), "");
    reply(tag, found(NULL));
    ck_assert_uint_eq(only(ACTION_REPLY)->call, 2);
    call_of(MESSAGE_NSM_CLOSE);
}
END_TEST

START_TEST(a_refresh_moves_the_expiry)
{
    ready();
    established();
    uint64_t expiry = only(ACTION_TIMER)->tag;
    Connection *again = refresh_of(only(ACTION_REPLY)->message);
    g_array_index(again->path, PathSegment, 1).expires = subject.now + SECONDS(77);
    ask(2, again);
    reply(only(ACTION_CALL)->tag, found_one(nse_1()));
    agree("nse-1", WIRE_KERNEL);
    ck_assert_uint_eq(only(ACTION_TIMER)->tag, expiry);
    ck_assert_int_eq(only(ACTION_TIMER)->delay, SECONDS(77));
}
END_TEST

/* ---- giving up ---- */

START_TEST(what_a_request_waits_for_is_cancelled_with_it)
{
    ready();
    ask(1, local_connection("c"));
    cancelled(1);
    ck_assert_str_eq(did(), "cancel");
    ask(2, local_connection("c"));
    find("{}", found_one(nse_1()));
    cancelled(2);
    ck_assert_str_eq(did(), "cancel; nsm-close at " NSE_1); /* it may have succeeded */
    established();
    ask(3, refresh_of(only(ACTION_REPLY)->message));
    reply(only(ACTION_CALL)->tag, found_one(nse_1()));
    cancelled(3);
    ck_assert_str_eq(did(), "cancel"); /* an established connection stays */
    ck_assert_int_eq(subject.connections, 1);
}
END_TEST

START_TEST(a_close_that_is_given_up_removes_the_ports_all_the_same)
{
    ready();
    established();
    request(2, nsm_message(MESSAGE_NSM_CLOSE, local_connection("c")));
    cancelled(2);
    ck_assert_uint_eq(n_actions(ACTION_CANCEL), 1);
    ck_assert_uint_eq(n_actions(ACTION_DATAPLANE), 4);
}
END_TEST

/* ---- monitor and healing ---- */

/* "c" as established, watched by the manager's stream 70; returns our stream to the endpoint. */
static uint64_t
watched_chain(void)
{
    ready();
    established();
    uint64_t tag = stream_of(MESSAGE_NSM_MONITOR)->tag;
    ck_assert_str_eq(only(ACTION_OPEN)->address, NSE_1);
    opened(70, nsm_message(MESSAGE_NSM_MONITOR, local_connection("c")));
    pushed(70, NSM_EVENT_INITIAL);
    return tag;
}

START_TEST(an_endpoint_that_dies_is_told_upstream_and_wired_anew)
{
    uint64_t tag = watched_chain();
    broken(tag, FAILURE_PEER_GONE);
    pushed(70, NSM_EVENT_DOWN);
    Connection *again = local_connection("c"); /* without reselect */
    again->nse = g_strdup("nse-1");
    ask(2, again);
    reply(call_of(MESSAGE_REGISTRY_FIND_NSE)->tag, found_one(nse_1()));
    ck_assert_str_eq(did(), "nsm-request at " NSE_1);
    agree("nse-1", WIRE_KERNEL);
    ck_assert_str_eq(did(), "remove kernel ns/pod/c#2/client; remove kernel ns/pod/c#2/server");
    all_done();
    program("vpp-interface", WIRED);
    program("vpp-interface", TO_CLIENT);
    program("vpp-cross-connect", JOINED);
    ck_assert_uint_ne(stream_of(MESSAGE_NSM_MONITOR)->tag, tag);
    ck_assert_int_eq(subject.connections, 1);
}
END_TEST

START_TEST(what_is_down_further_on_leaves_the_wires_of_this_node)
{
    uint64_t tag = watched_chain();
    event(tag, nsm_event(NSM_EVENT_DOWN, local_connection("c")));
    pushed(70, NSM_EVENT_DOWN);
    Connection *again = local_connection("c");
    again->nse = g_strdup("nse-1");
    ask(2, again);
    reply(call_of(MESSAGE_REGISTRY_FIND_NSE)->tag, found_one(nse_1()));
    agree("nse-1", WIRE_KERNEL);
    ck_assert_str_eq(did(), "timer 10m; answer 2 nsm-connection");
}
END_TEST

START_TEST(a_dead_endpoint_that_is_named_is_dialled_and_the_request_fails)
{
    broken(watched_chain(), FAILURE_PEER_GONE);
    Connection *again = local_connection("c");
    again->nse = g_strdup("nse-1");
    ask(2, again);
    reply(call_of(MESSAGE_REGISTRY_FIND_NSE)->tag, found_two(nse_1(), nse_2()));
    ck_assert_str_eq(did(), "nsm-request at " NSE_1);
    failure(only(ACTION_CALL)->tag, FAILURE_REFUSED);
    assert_error(2, "endpoint nse-1: connection refused");
}
END_TEST

START_TEST(a_named_endpoint_is_found_by_its_exact_name_while_it_has_not_expired)
{
    ready();
    Connection *pinned = local_connection("c");
    pinned->nse = g_strdup("nse-1");
    ask(1, pinned);
    reply(only(ACTION_CALL)->tag, found_one(record("nse-10", "svc", NSE_2, "")));
    assert_error(1, "nse-1 is not found");
    pinned = local_connection("c");
    pinned->nse = g_strdup("nse-1");
    ask(2, pinned);
    NseRecord *stale = nse_1();
    stale->expires = subject.now;
    reply(only(ACTION_CALL)->tag, found_one(stale));
    assert_error(2, "nse-1 is not found");
}
END_TEST

START_TEST(other_addresses_are_wired_anew)
{
    ready();
    established();
    ask(2, refresh_of(only(ACTION_REPLY)->message));
    reply(call_of(MESSAGE_REGISTRY_FIND_NSE)->tag, found_one(nse_1()));
    uint64_t tag = only(ACTION_CALL)->tag;
    Connection *back = endpoint_answer("nse-1", WIRE_KERNEL);
    back->server.ip = g_strdup("172.16.1.7");
    reply(tag, nsm_message(MESSAGE_NSM_CONNECTION, back));
    ck_assert_int_eq(action_at(ACTION_DATAPLANE, 0)->dataplane.kind, DATAPLANE_REMOVE);
}
END_TEST

START_TEST(a_vpp_that_was_restarted_is_wired_anew)
{
    for (int server = 0; server < 2; server++) {
        ready();
        established();
        Connection *again = refresh_of(only(ACTION_REPLY)->message);
        again->client.made = server ? 0 : 1;
        ask(2, again);
        reply(call_of(MESSAGE_REGISTRY_FIND_NSE)->tag, found_one(nse_1()));
        uint64_t tag = only(ACTION_CALL)->tag;
        Connection *back = endpoint_answer("nse-1", WIRE_KERNEL);
        back->server.made = server ? 1 : 0;
        reply(tag, nsm_message(MESSAGE_NSM_CONNECTION, back));
        ck_assert_int_eq(action_at(ACTION_DATAPLANE, 0)->dataplane.kind, DATAPLANE_REMOVE);
    }
}
END_TEST

START_TEST(a_fresh_forwarder_builds_everything_that_a_refresh_names)
{
    ready();
    established();
    Connection *again = refresh_of(only(ACTION_REPLY)->message);
    ready(); /* another one, of the same name */
    ask(2, again);
    reply(call_of(MESSAGE_REGISTRY_FIND_NSE)->tag, found_one(nse_1()));
    agree("nse-1", WIRE_KERNEL);
    program("vpp-interface", WIRED);
    program("vpp-interface", TO_CLIENT);
    program("vpp-cross-connect", JOINED);
    answer_of(2, MESSAGE_NSM_CONNECTION);
}
END_TEST

/* The addresses of the two ends of the operation that the last step asks for. */
static void
assert_ips(const char *ip, const char *peer_ip)
{
    ck_assert_pstr_eq(only(ACTION_DATAPLANE)->dataplane.ip, ip);
    ck_assert_pstr_eq(only(ACTION_DATAPLANE)->dataplane.peer_ip, peer_ip);
}

static void
agree_with_addresses(WireKind wire)
{
    uint64_t tag = only(ACTION_CALL)->tag;
    Connection *back = endpoint_answer("nse-1", wire);
    back->src_ip = g_strdup("172.16.1.101");
    back->dst_ip = g_strdup("172.16.1.100");
    back->server.ip = g_strdup("172.16.1.100");
    reply(tag, nsm_message(MESSAGE_NSM_CONNECTION, back));
}

START_TEST(interfaces_have_the_addresses_of_their_ends)
{
    ready();
    ask(1, local_connection("c"));
    find("{}", found_one(nse_1()));
    agree_with_addresses(WIRE_KERNEL);
    worked(only(ACTION_WORK)->tag);
    assert_ips("172.16.1.100", NULL);
    programmed(only(ACTION_DATAPLANE)->tag, NULL);
    worked(only(ACTION_WORK)->tag);
    assert_ips("172.16.1.101", NULL);
}
END_TEST

START_TEST(direct_ends_have_addresses_and_a_pass_through_has_none)
{
    ready();
    Connection *connection = local_connection("c");
    connection->mechanism = WIRE_MEMIF;
    ask(1, connection);
    find("{}", found_one(nse_1()));
    agree_with_addresses(WIRE_MEMIF);
    assert_ips("172.16.1.101", "172.16.1.100");
    connection = local_connection("d"); /* the client is a function in the middle of a chain */
    connection_advance(connection, "fwd-b", subject.now, NSM_TOKEN_LIFETIME);
    connection_advance(connection, "fw-1", subject.now, NSM_TOKEN_LIFETIME);
    connection_advance(connection, "nsmgr-a", subject.now, NSM_TOKEN_LIFETIME);
    connection->mechanism = WIRE_MEMIF;
    ask(2, connection);
    find("{}", found_one(nse_1()));
    agree_with_addresses(WIRE_MEMIF);
    assert_ips(NULL, "172.16.1.100");
}
END_TEST

/* ---- nsmonitor ---- */

START_TEST(a_clients_namespace_that_goes_is_seen_at_the_next_poll)
{
    ready();
    established();
    uint64_t watch = only(ACTION_DATAPLANE)->tag;
    ck_assert_int_eq(only(ACTION_DATAPLANE)->dataplane.kind, DATAPLANE_WATCH);
    ck_assert_str_eq(only(ACTION_DATAPLANE)->dataplane.pod, "ns/client");
    programmed(watch, NULL);
    nsec_t delay = only(ACTION_TIMER)->delay;
    ck_assert_int_gt(delay, 0);
    ck_assert_int_le(delay, MSECONDS(250));
    fire(only(ACTION_TIMER)->tag);
    ck_assert_str_eq(call_of(MESSAGE_NSM_CLOSE)->address, NSE_1);
    reply(only(ACTION_CALL)->tag, message_ok());
    all_done();
    ck_assert_int_eq(subject.connections, 0);
}
END_TEST

START_TEST(polls_are_on_one_grid)
{
    ready();
    assert_asked_first(1, "c", "nse-1");
    uint64_t first = only(ACTION_DATAPLANE)->tag;
    assert_asked_first(2, "d", "nse-2");
    uint64_t second = only(ACTION_DATAPLANE)->tag;
    programmed(first, NULL);
    nsec_t at = subject.now + only(ACTION_TIMER)->delay;
    subject.now = at - 1;
    programmed(second, NULL);
    ck_assert_int_eq(only(ACTION_TIMER)->delay, 1);
}
END_TEST

START_TEST(a_client_that_is_back_before_the_poll_keeps_its_connection)
{
    ready();
    established();
    Connection *again = refresh_of(only(ACTION_REPLY)->message);
    programmed(only(ACTION_DATAPLANE)->tag, NULL);
    uint64_t poll = only(ACTION_TIMER)->tag;
    ask(2, again);
    reply(call_of(MESSAGE_REGISTRY_FIND_NSE)->tag, found_one(nse_1()));
    agree("nse-1", WIRE_KERNEL);
    ck_assert_uint_eq(only(ACTION_STOP_TIMER)->tag, poll);
    ck_assert_int_eq(only(ACTION_DATAPLANE)->dataplane.kind, DATAPLANE_WATCH);
}
END_TEST

START_TEST(what_has_a_tunnel_for_a_client_watches_no_pod)
{
    ready();
    serve_remote(1, "c", "node-b");
    ck_assert_uint_eq(n_actions(ACTION_DATAPLANE), 0);
}
END_TEST

START_TEST(dial_timeouts_depend_on_the_version)
{
    static const struct {
        const char *image;
        nsec_t dial, find_service, find_endpoint;
    } rows[] = {
        {"cmd-forwarder-vpp:v1.4.0", MSECONDS(100), SECONDS(1), MSECONDS(300)},
        {"cmd-forwarder-vpp:v1.10.0", MSECONDS(100), SECONDS(1), MSECONDS(300)},
        {"cmd-forwarder-vpp:v1.14.0", MSECONDS(750), SECONDS(15), SECONDS(15)},
    };
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        ready_with(rows[i].image, ENV);
        ask(1, local_connection("c"));
        ck_assert_int_eq(only(ACTION_CALL)->dial_timeout, rows[i].find_service);
        reply(only(ACTION_CALL)->tag, found(network_service("{}")));
        ck_assert_int_eq(only(ACTION_CALL)->dial_timeout, rows[i].find_endpoint);
        reply(only(ACTION_CALL)->tag, found_one(nse_1()));
        ck_assert_int_eq(only(ACTION_CALL)->dial_timeout, rows[i].dial);
    }
}
END_TEST

START_TEST(nsm_dial_timeout_is_obeyed)
{
    ready_with(V1_4, ENV ", {name: NSM_DIAL_TIMEOUT, value: 400ms}");
    ask(1, local_connection("c"));
    find("{}", found_one(nse_1()));
    ck_assert_int_eq(call_of(MESSAGE_NSM_REQUEST)->dial_timeout, MSECONDS(400));
}
END_TEST

int
main(void) /* NOLINT(readability-function-size): the list of the tests */
{
    const TTest *const tests[] = {
        vpp_boots_before_the_identity_is_asked_for,
        it_registers_as_a_point_to_point_forwarder,
        its_labels_and_service_come_from_the_environment,
        a_registration_is_refreshed_at_two_thirds_of_its_life,
        a_registration_that_fails_is_tried_again_after_200_ms,
        the_first_request_finds_service_and_endpoints_through_the_manager,
        a_request_that_names_its_endpoint_is_one_find,
        the_services_matches_choose_the_endpoint,
        no_candidate_is_an_error_at_once_that_says_why,
        new_connections_take_the_endpoints_in_turn,
        every_service_has_a_turn_of_its_own,
        the_next_candidate_is_asked_when_one_fails,
        when_every_candidate_fails_the_request_fails_with_the_last_reason,
        the_end_towards_the_endpoint_is_made_first_and_the_join_last,
        a_kernel_client_of_a_memif_function_crosses_the_forwarder,
        memif_to_memif_makes_no_port_in_the_forwarder,
        a_refresh_programs_nothing,
        an_operation_that_fails_fails_the_request,
        ethernet_goes_over_vxlan_and_ip_over_wireguard,
        the_clients_node_makes_the_tunnel_then_the_interface,
        the_tunnel_has_the_other_sides_vni,
        the_endpoints_node_makes_the_interface_then_the_tunnel,
        two_nodes_never_choose_the_same_vni,
        requests_of_one_connection_go_one_after_the_other,
        a_cancelled_request_is_not_answered,
        what_a_caller_that_has_given_up_would_have_got_is_closed,
        a_close_goes_on_to_the_endpoint_and_removes_the_ports,
        dial_timeouts_depend_on_the_version,
        nsm_dial_timeout_is_obeyed,
        a_refresh_does_not_move_the_turn,
        what_was_made_before_a_failure_is_removed,
        a_request_that_leads_to_another_endpoint_is_programmed_anew,
        another_endpoint_is_asked_even_if_the_old_one_is_dead,
        each_candidate_that_is_tried_moves_the_turn,
        another_endpoint_behind_the_same_manager_is_that_managers_matter,
        its_answer_has_the_clients_own_end,
        memif_to_memif_costs_no_vpp_interface,
        a_close_waits_for_the_request_under_way,
        a_request_waits_until_the_ports_of_the_one_before_are_gone,
        a_connection_is_closed_when_the_previous_token_expires,
        a_token_that_expires_during_a_request_that_fails_closes,
        a_refresh_moves_the_expiry,
        what_a_request_waits_for_is_cancelled_with_it,
        a_close_that_is_given_up_removes_the_ports_all_the_same,
        an_endpoint_that_dies_is_told_upstream_and_wired_anew,
        a_dead_endpoint_that_is_named_is_dialled_and_the_request_fails,
        what_is_down_further_on_leaves_the_wires_of_this_node,
        a_named_endpoint_is_found_by_its_exact_name_while_it_has_not_expired,
        other_addresses_are_wired_anew,
        a_vpp_that_was_restarted_is_wired_anew,
        a_fresh_forwarder_builds_everything_that_a_refresh_names,
        interfaces_have_the_addresses_of_their_ends,
        direct_ends_have_addresses_and_a_pass_through_has_none,
        a_clients_namespace_that_goes_is_seen_at_the_next_poll,
        polls_are_on_one_grid,
        a_client_that_is_back_before_the_poll_keeps_its_connection,
        what_has_a_tunnel_for_a_client_watches_no_pod,
    };
    return run_tests("forwarder", tests, G_N_ELEMENTS(tests), NULL, 0);
}
