/* Endpoints alone: the last of a chain, and the pass-through kind that is also a client of the next
 * link (FACTS 1.1, 1.5, 1.6, 2.7). */
#include "models/nsm/endpoint.h"

#include "models/nsm/enroll.h"
#include "tests/models/nsm_step.h"

#define LAST "ghcr.io/networkservicemesh/cmd-nse-icmp-responder:v1.4.0"
#define FIREWALL "ghcr.io/networkservicemesh/cmd-nse-firewall-vpp:v1.4.0"
#define MANAGER "{name: NSM_CONNECT_TO, value: \"unix:///var/lib/networkservicemesh/nsm.io.sock\"}"
#define LAST_ENV                                                                                   \
    MANAGER ", {name: NSM_NAME, value: nse-1}, {name: NSM_SERVICE_NAMES, value: svc}, "            \
            "{name: NSM_CIDR_PREFIX, value: 172.16.1.100/31}"
#define FIREWALL_ENV                                                                               \
    MANAGER ", {name: NSM_NAME, value: fw-1}, {name: NSM_SERVICE_NAME, value: svc}, "              \
            "{name: NSM_LABELS, value: \"app:firewall\"}"

/* Ends the registration that has just begun. */
static void
registered(void)
{
    const Action *call = call_of(MESSAGE_REGISTRY_REGISTER);
    NseRecord *granted = nse_record_ref(registry_message_record(call->message));
    reply(call->tag, registry_message(MESSAGE_REGISTRY_NSE, granted));
}

static void
last_ready(const char *env)
{
    make_machine(endpoint_new, LAST, env);
    start();
    reply(SVID_TAG, svid());
    registered();
}

static void
firewall_ready(void)
{
    make_machine(passthrough_new, FIREWALL, FIREWALL_ENV);
    start();
    reply(SVID_TAG, svid());
    worked(only(ACTION_WORK)->tag);
    fire(only(ACTION_TIMER)->tag);
    registered();
}

/* What a forwarder of this node sends on behalf of the client "nsc" of connection `id`. */
static Connection *
forwarded(const char *id, const char *nse)
{
    Connection *connection = client_connection(id, "svc");
    connection_advance(connection, "nsmgr-a", subject.now, NSM_TOKEN_LIFETIME);
    connection_advance(connection, "fwd-a", subject.now, NSM_TOKEN_LIFETIME);
    connection->nse = g_strdup(nse);
    connection->payload = g_strdup("ETHERNET");
    labels_set(&connection->labels, "podName", "client");
    return connection;
}

static void
ask(uint64_t call, Connection *take_connection)
{
    request(call, nsm_message(MESSAGE_NSM_REQUEST, take_connection));
}

static void
end(uint64_t call, Connection *take_connection)
{
    request(call, nsm_message(MESSAGE_NSM_CLOSE, take_connection));
    answer_of(call, MESSAGE_OK);
}

static const Connection *
accepted(uint64_t call)
{
    return nsm_message_connection(answer_of(call, MESSAGE_NSM_CONNECTION));
}

/* The rest of the chain says yes: manager, forwarder, last endpoint. */
static void
next_link_agrees(void)
{
    const Action *call = call_of(MESSAGE_NSM_REQUEST);
    Connection *back = connection_copy(connection_of(call));
    connection_advance(back, "nsmgr-a", subject.now, NSM_TOKEN_LIFETIME);
    connection_advance(back, "fwd-a", subject.now, NSM_TOKEN_LIFETIME);
    connection_advance(back, "nse-1", subject.now, NSM_TOKEN_LIFETIME);
    back->index = connection_of(call)->index + 1;
    g_free(back->nse);
    back->nse = g_strdup("nse-1");
    g_free(back->dst_ip);
    g_free(back->src_ip);
    back->dst_ip = g_strdup("172.16.1.100");
    back->src_ip = g_strdup("172.16.1.101");
    g_free(back->server.pod);
    back->server.pod = g_strdup("ns/nse-1");
    reply(call->tag, nsm_message(MESSAGE_NSM_CONNECTION, back));
}

/* Call `call` for connection `id` through the firewall; its answer is the last action. */
static void
passed_through(uint64_t call, const char *id)
{
    ask(call, forwarded(id, "fw-1"));
    next_link_agrees();
    worked(only(ACTION_WORK)->tag);
    programmed(only(ACTION_DATAPLANE)->tag, NULL);
    accepted(call);
}

/* What the forwarder sends to refresh an answered connection. */
static Connection *
refresh_of(const Connection *answer)
{
    Connection *again = connection_copy(answer);
    again->index = 2;
    return again;
}

/* Both its ends say which making of the interfaces they are. */
static uint32_t
made(uint64_t call)
{
    ask(call, forwarded("c", "fw-1"));
    uint32_t client = connection_of(call_of(MESSAGE_NSM_REQUEST))->client.made;
    next_link_agrees();
    if (n_actions(ACTION_WORK) > 0) {
        worked(only(ACTION_WORK)->tag);
        programmed(only(ACTION_DATAPLANE)->tag, NULL);
    }
    ck_assert_uint_eq(accepted(call)->server.made, client);
    return client;
}

START_TEST(interfaces_that_are_made_again_say_so)
{
    firewall_ready();
    uint32_t first = made(1);
    ck_assert_uint_eq(made(2), first); /* a refresh */
    request(3, nsm_message(MESSAGE_NSM_CLOSE, forwarded("c", "fw-1")));
    failure(only(ACTION_CALL)->tag, FAILURE_REFUSED); /* the next link is not closed */
    uint64_t tag = action_at(ACTION_DATAPLANE, 0)->tag;
    programmed(tag, NULL);
    programmed(tag, NULL);
    answer_of(3, MESSAGE_OK);
    uint32_t second = made(4);
    ck_assert_uint_ne(second, first);
    subject.info.incarnation = 3;
    firewall_ready();
    ck_assert_uint_ne(made(5), first);
    ck_assert_uint_ne(made(6), second);
}
END_TEST

START_TEST(interfaces_of_two_paths_of_one_client_have_different_names)
{
    last_ready("{name: NSM_NAME, value: nse-1}");
    ask(1, forwarded("c", "nse-1"));
    g_autofree char *one = g_strdup(accepted(1)->server.interface);
    Connection *longer = forwarded("c", "nse-1");
    connection_advance(longer, "nsmgr-b", subject.now, NSM_TOKEN_LIFETIME);
    connection_advance(longer, "fwd-b", subject.now, NSM_TOKEN_LIFETIME);
    ask(2, longer);
    ck_assert_str_ne(accepted(2)->server.interface, one);
}
END_TEST

/* ---- boot and registration ---- */

START_TEST(the_last_endpoint_serves_and_registers_with_its_identity)
{
    make_machine(endpoint_new, LAST, LAST_ENV);
    start();
    ck_assert_str_eq(did(), "spire-fetch at " AGENT);
    reply(SVID_TAG, svid());
    ck_assert_str_eq(did(), "listen unix:ns/pod:/nse.sock; registry-register at " SOCKET);
    registered();
    ck_assert_str_eq(did(), "timer 40s; registry-watch at " SOCKET);
    ck_assert(traced(TRACE_REGISTERED, "nse-1"));
}
END_TEST

START_TEST(the_firewall_boots_its_vpp_after_it_has_its_identity)
{
    make_machine(passthrough_new, FIREWALL, FIREWALL_ENV);
    start();
    ck_assert_str_eq(did(), "spire-fetch at " AGENT);
    reply(SVID_TAG, svid());
    ck_assert_str_eq(did(), "work vpp-boot");
    worked(only(ACTION_WORK)->tag);
    ck_assert_str_eq(did(), "timer 1s");
    fire(only(ACTION_TIMER)->tag);
    ck_assert_str_eq(did(), "listen unix:ns/pod:/nse.sock; registry-register at " SOCKET);
}
END_TEST

START_TEST(a_memif_endpoint_boots_a_vpp_too)
{
    make_machine(endpoint_new, "cmd-nse-icmp-responder-vpp:v1.4.0", LAST_ENV);
    start();
    reply(SVID_TAG, svid());
    ck_assert_str_eq(did(), "work vpp-boot");
}
END_TEST

START_TEST(services_and_labels_come_from_the_environment)
{
    make_machine(endpoint_new, LAST,
                 "{name: NSM_SERVICE_NAMES, value: \"a,b\"}, "
                 "{name: NSM_LABELS, value: \"app:nse,zone:1\"}");
    start();
    reply(SVID_TAG, svid());
    const NseRecord *own = registry_message_record(only(ACTION_CALL)->message);
    ck_assert_str_eq(own->name, "icmp-server");
    ck_assert_str_eq(own->url, "unix:ns/pod:/nse.sock");
    ck_assert(nse_record_serves(own, "a") && nse_record_serves(own, "b"));
    ck_assert_str_eq(labels_get(&own->labels, "zone"), "1");
}
END_TEST

START_TEST(a_registration_has_the_client_info)
{
    make_machine(endpoint_new, LAST,
                 "{name: NSM_LABELS, value: \"app:nse,podName:own\"}, "
                 "{name: NODE_NAME, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}, "
                 "{name: POD_NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}");
    start();
    reply(SVID_TAG, svid());
    const NseRecord *own = registry_message_record(only(ACTION_CALL)->message);
    ck_assert_str_eq(labels_get(&own->labels, "app"), "nse");
    ck_assert_str_eq(labels_get(&own->labels, "podName"), "own"); /* what is there stays */
    ck_assert_pstr_eq(labels_get(&own->labels, "nodeName"), "node-a");
}
END_TEST

START_TEST(the_firewall_reads_the_variable_of_one_service)
{
    make_machine(passthrough_new, FIREWALL, "{name: NSM_SERVICE_NAME, value: svc}");
    start();
    reply(SVID_TAG, svid());
    worked(only(ACTION_WORK)->tag);
    fire(only(ACTION_TIMER)->tag);
    const NseRecord *own = registry_message_record(only(ACTION_CALL)->message);
    ck_assert_str_eq(own->name, "firewall-server");
    ck_assert(nse_record_serves(own, "svc"));
}
END_TEST

START_TEST(the_default_service_is_icmp_responder)
{
    make_machine(endpoint_new, LAST, "");
    start();
    reply(SVID_TAG, svid());
    ck_assert(
        nse_record_serves(registry_message_record(only(ACTION_CALL)->message), "icmp-responder"));
}
END_TEST

START_TEST(it_registers_its_own_services_before_itself)
{
    g_autoptr(Object) first = network_service_object("a", "ETHERNET");
    g_autoptr(Object) second = network_service_object("b", "IP");
    g_autoptr(GPtrArray) services = g_ptr_array_new();
    g_ptr_array_add(services, first);
    g_ptr_array_add(services, second);
    subject.info.own_services = services;
    make_machine(endpoint_new, LAST, LAST_ENV);
    start();
    reply(SVID_TAG, svid());
    const Action *call = call_of(MESSAGE_REGISTRY_REGISTER_NS);
    ck_assert_ptr_eq(((const RegistryService *)call->message)->object, first);
    failure(call->tag, FAILURE_REFUSED);
    ck_assert_str_eq(did(), "timer 200ms");
    fire(only(ACTION_TIMER)->tag);
    reply(call_of(MESSAGE_REGISTRY_REGISTER_NS)->tag, message_ok());
    call = call_of(MESSAGE_REGISTRY_REGISTER_NS);
    ck_assert_ptr_eq(((const RegistryService *)call->message)->object, second);
    reply(call->tag, message_ok());
    registered();
    ck_assert_str_eq(did(), "timer 40s; registry-watch at " SOCKET);
    fire(only(ACTION_TIMER)->tag); /* a refresh is of the endpoint alone */
    call_of(MESSAGE_REGISTRY_REGISTER);
}
END_TEST

START_TEST(a_service_of_its_own_has_no_matches)
{
    g_autoptr(Object) own = network_service_object("a", "IP");
    ck_assert_int_eq(own->kind, OBJECT_NETWORK_SERVICE);
    ck_assert_str_eq(own->name, "a");
    ck_assert_str_eq(own->network_service->payload, "IP");
    ck_assert_uint_eq(own->network_service->n_matches, 0);
}
END_TEST

/* ---- the last endpoint ---- */

START_TEST(the_last_endpoint_answers_at_once_with_a_pair_of_addresses)
{
    last_ready(LAST_ENV);
    ask(1, forwarded("c", "nse-1"));
    ck_assert_str_eq(did(), "timer 10m; answer 1 nsm-connection");
    const Connection *back = accepted(1);
    ck_assert_str_eq(back->server.ip, "172.16.1.100");
    ck_assert_str_eq(back->dst_ip, "172.16.1.100");
    ck_assert_str_eq(back->src_ip, "172.16.1.101");
    ck_assert_str_eq(back->nse, "nse-1");
    ck_assert_str_eq(back->server.pod, "ns/pod");
    ck_assert_int_eq(back->mechanism, WIRE_KERNEL);
    ck_assert_uint_eq(back->path->len, 4);
    ck_assert_uint_eq(back->index, 3);
    ck_assert_str_eq(connection_segment(back, 3)->name, "nse-1");
    ck_assert_int_eq(connection_segment(back, 3)->expires, subject.now + NSM_TOKEN_LIFETIME);
    ck_assert_int_eq(subject.connections, 1);
}
END_TEST

START_TEST(a_refresh_keeps_the_addresses_and_the_interface)
{
    last_ready(LAST_ENV);
    ask(1, forwarded("c", "nse-1"));
    g_autofree char *interface = g_strdup(accepted(1)->server.interface);
    ask(2, refresh_of(accepted(1)));
    ck_assert_str_eq(accepted(2)->dst_ip, "172.16.1.100");
    ck_assert_str_eq(accepted(2)->server.interface, interface);
    ck_assert_int_eq(subject.connections, 1);
}
END_TEST

START_TEST(the_last_endpoint_cuts_what_a_longer_path_has_left)
{
    last_ready(LAST_ENV);
    Connection *connection = forwarded("c", "nse-1");
    for (int i = 0; i < 3; i++) { /* it was a pass-through that stood here */
        connection_advance(connection, "old", subject.now, NSM_TOKEN_LIFETIME);
    }
    connection->index = 2;
    ask(1, connection);
    ck_assert_uint_eq(accepted(1)->path->len, 4);
    ck_assert_str_eq(connection_segment(accepted(1), 3)->name, "nse-1");
}
END_TEST

START_TEST(an_exhausted_prefix_is_an_error)
{
    last_ready(LAST_ENV);
    ask(1, forwarded("c", "nse-1"));
    ask(2, forwarded("d", "nse-1"));
    assert_error(2, "no address left");
    ck_assert_int_eq(subject.connections, 1);
    end(3, forwarded("c", "nse-1"));
    ask(4, forwarded("d", "nse-1"));
    ck_assert_str_eq(accepted(4)->dst_ip, "172.16.1.100");
}
END_TEST

START_TEST(a_close_releases_what_the_connection_held)
{
    last_ready(LAST_ENV);
    ask(1, forwarded("c", "nse-1"));
    end(2, forwarded("c", "nse-1"));
    ck_assert_int_eq(subject.connections, 0);
    end(3, forwarded("c", "nse-1"));
    ck_assert_int_eq(subject.connections, 0);
}
END_TEST

START_TEST(a_tunnels_end_becomes_the_endpoints_own_interface)
{
    last_ready(LAST_ENV);
    Connection *connection = forwarded("c", "nse-1");
    connection->mechanism = WIRE_VXLAN;
    connection->vni = 5;
    connection->server.node = g_strdup("node-b");
    ask(1, connection);
    ck_assert_int_eq(accepted(1)->mechanism, WIRE_KERNEL);
    ck_assert_uint_eq(accepted(1)->vni, 0);
    ck_assert_ptr_null(accepted(1)->server.node);
}
END_TEST

START_TEST(interfaces_fit_linux_and_differ_between_connections)
{
    last_ready(MANAGER ", {name: NSM_NAME, value: nse-1}");
    Connection *connection = forwarded("c", "nse-1");
    g_free(connection->service);
    connection->service = g_strdup("a-very-long-service-name");
    ask(1, connection);
    g_autofree char *first = g_strdup(accepted(1)->server.interface);
    ck_assert_uint_le(strlen(first), 15);
    ask(2, forwarded("d", "nse-1"));
    ck_assert_str_ne(accepted(2)->server.interface, first);
}
END_TEST

START_TEST(without_a_readable_prefix_there_are_no_addresses)
{
    last_ready(MANAGER ", {name: NSM_NAME, value: nse-1}, {name: NSM_CIDR_PREFIX, value: none}");
    ask(1, forwarded("c", "nse-1"));
    ck_assert_ptr_null(accepted(1)->dst_ip);
}
END_TEST

START_TEST(an_address_comes_back_when_the_previous_token_expires)
{
    last_ready(LAST_ENV);
    ask(1, forwarded("c", "nse-1"));
    ck_assert_int_eq(only(ACTION_TIMER)->delay, NSM_TOKEN_LIFETIME);
    subject.now += NSM_TOKEN_LIFETIME;
    fire(only(ACTION_TIMER)->tag);
    ck_assert_int_eq(subject.connections, 0);
    ask(2, forwarded("d", "nse-1"));
    accepted(2);
}
END_TEST

/* ---- pass-through ---- */

START_TEST(a_pass_through_continues_the_path_at_its_own_manager)
{
    firewall_ready();
    ask(1, forwarded("c", "fw-1"));
    ck_assert_str_eq(did(), "nsm-request at " SOCKET);
    const Connection *out = connection_of(only(ACTION_CALL));
    ck_assert_str_eq(out->id, "c");
    ck_assert_str_eq(out->service, "svc");
    ck_assert_uint_eq(out->path->len, 4);
    ck_assert_uint_eq(out->index, 3);
    static const char *const names[] = {"nsc", "nsmgr-a", "fwd-a", "fw-1"};
    for (guint i = 0; i < 4; i++) {
        ck_assert_str_eq(connection_segment(out, i)->name, names[i]);
    }
    ck_assert_str_eq(connection_segment(out, 0)->id, "c");
    ck_assert_ptr_null(out->nse);
}
END_TEST

START_TEST(its_own_labels_replace_the_clients)
{
    firewall_ready();
    ask(1, forwarded("c", "fw-1"));
    const Connection *out = connection_of(only(ACTION_CALL));
    ck_assert_uint_eq(out->labels.n, 1);
    ck_assert_str_eq(labels_get(&out->labels, "app"), "firewall");
}
END_TEST

START_TEST(it_is_the_memif_client_of_the_next_link)
{
    firewall_ready();
    Connection *connection = forwarded("c", "fw-1");
    connection->mechanism = WIRE_VXLAN;
    connection->client.node = g_strdup("node-b");
    connection->vni = 8;
    ask(1, connection);
    const Connection *out = connection_of(only(ACTION_CALL));
    ck_assert_int_eq(out->mechanism, WIRE_MEMIF);
    ck_assert_str_eq(out->client.pod, "ns/pod");
    ck_assert_ptr_null(out->client.node);
    ck_assert_uint_eq(out->vni, 0);
}
END_TEST

START_TEST(its_request_has_neither_dial_nor_request_timeout)
{
    firewall_ready();
    ask(1, forwarded("c", "fw-1"));
    ck_assert_int_eq(only(ACTION_CALL)->dial_timeout, 0);
    ck_assert_int_eq(only(ACTION_CALL)->timeout, 0);
}
END_TEST

START_TEST(it_joins_its_interfaces_before_it_answers)
{
    firewall_ready();
    ask(1, forwarded("c", "fw-1"));
    g_autofree char *out = g_strdup(connection_of(only(ACTION_CALL))->client.interface);
    next_link_agrees();
    ck_assert_str_eq(did(), "work vpp-cross-connect");
    worked(only(ACTION_WORK)->tag);
    ck_assert_uint_eq(n_actions(ACTION_REPLY), 0);
    const DataPlaneOp *op = &only(ACTION_DATAPLANE)->dataplane;
    ck_assert_int_eq(op->kind, DATAPLANE_CROSS_CONNECT);
    ck_assert_str_eq(op->owner, "ns/pod");
    g_autofree char *outward = g_strdup_printf("ns/pod/%s", out);
    g_autofree char *inward = g_strdup(op->port);
    ck_assert_str_eq(op->peer, outward);
    ck_assert_str_ne(op->port, op->peer);
    programmed(only(ACTION_DATAPLANE)->tag, NULL);
    ck_assert_str_eq(did(), "timer 10m; nsm-monitor at " SOCKET "; answer 1 nsm-connection");
    ck_assert_ptr_null(accepted(1)->server.ip); /* it only passes on */
    g_autofree char *answered =
        g_strdup_printf("%s/%s", accepted(1)->server.pod, accepted(1)->server.interface);
    ck_assert_str_eq(answered, inward);
}
END_TEST

START_TEST(its_answer_has_the_whole_path_and_the_last_endpoints_addresses)
{
    firewall_ready();
    passed_through(1, "c");
    const Connection *back = accepted(1);
    ck_assert_uint_eq(back->path->len, 7);
    ck_assert_uint_eq(back->index, 3);
    ck_assert_str_eq(connection_segment(back, 6)->name, "nse-1");
    ck_assert_str_eq(back->nse, "fw-1");
    ck_assert_str_eq(back->dst_ip, "172.16.1.100");
    ck_assert_int_eq(back->mechanism, WIRE_MEMIF);
    ck_assert_int_eq(subject.connections, 1);
}
END_TEST

START_TEST(a_refresh_names_the_next_endpoint_and_keeps_the_ids)
{
    firewall_ready();
    passed_through(1, "c");
    g_autoptr(Connection) before = connection_copy(accepted(1));
    subject.now += SECONDS(120);
    ask(2, refresh_of(before));
    const Connection *out = connection_of(call_of(MESSAGE_NSM_REQUEST));
    ck_assert_str_eq(out->nse, "nse-1");
    ck_assert_uint_eq(out->path->len, 7);
    ck_assert_uint_eq(out->index, 3);
    for (guint i = 0; i < 7; i++) {
        ck_assert_str_eq(connection_segment(out, i)->id, connection_segment(before, i)->id);
    }
    next_link_agrees();
    ck_assert_str_eq(did(), "timer 8m; answer 2 nsm-connection");
    ck_assert_int_eq(subject.connections, 1);
}
END_TEST

START_TEST(a_refresh_whose_path_ends_here_keeps_the_path_beyond)
{
    firewall_ready();
    passed_through(1, "c");
    ask(2, forwarded("c", "fw-1"));
    const Connection *out = connection_of(call_of(MESSAGE_NSM_REQUEST));
    ck_assert_uint_eq(out->path->len, 7);
    ck_assert_str_eq(connection_segment(out, 6)->name, "nse-1");
}
END_TEST

START_TEST(what_fails_beyond_fails_here)
{
    firewall_ready();
    ask(1, forwarded("c", "fw-1"));
    reply(only(ACTION_CALL)->tag, message_error("nsmgr-a: no candidates found"));
    assert_error(1, "fw-1: nsmgr-a: no candidates found");
    ask(2, forwarded("c", "fw-1"));
    failure(only(ACTION_CALL)->tag, FAILURE_PEER_GONE);
    assert_error(2, "connection reset");
    ck_assert_int_eq(subject.connections, 0);
}
END_TEST

START_TEST(after_a_failure_the_next_endpoint_is_chosen_afresh)
{
    firewall_ready();
    passed_through(1, "c");
    ask(2, refresh_of(accepted(1)));
    reply(only(ACTION_CALL)->tag, message_error("gone"));
    assert_error(2, "gone");
    ask(3, forwarded("c", "fw-1"));
    ck_assert_ptr_null(connection_of(call_of(MESSAGE_NSM_REQUEST))->nse);
}
END_TEST

START_TEST(a_join_that_fails_fails_the_request)
{
    firewall_ready();
    ask(1, forwarded("c", "fw-1"));
    next_link_agrees();
    worked(only(ACTION_WORK)->tag);
    programmed(only(ACTION_DATAPLANE)->tag, "cross-connect: no such interface");
    assert_error(1, "fw-1: cross-connect: no such interface");
    call_of(MESSAGE_NSM_CLOSE); /* what has been opened is closed */
    ck_assert_int_eq(subject.connections, 0);
}
END_TEST

START_TEST(two_connections_pass_side_by_side)
{
    firewall_ready();
    ask(1, forwarded("c", "fw-1"));
    uint64_t first = only(ACTION_CALL)->tag;
    ask(2, forwarded("d", "fw-1"));
    ck_assert_uint_ne(only(ACTION_CALL)->tag, first);
    reply(first, message_error("no"));
    assert_error(1, "no");
}
END_TEST

START_TEST(a_connection_dials_the_next_link_once)
{
    firewall_ready();
    ask(1, forwarded("c", "fw-1"));
    ck_assert_int_eq(call_of(MESSAGE_NSM_REQUEST)->flags, CALL_FRESH);
    next_link_agrees();
    worked(only(ACTION_WORK)->tag);
    programmed(only(ACTION_DATAPLANE)->tag, NULL);
    ask(2, refresh_of(accepted(1)));
    ck_assert_int_eq(call_of(MESSAGE_NSM_REQUEST)->flags, CALL_DEFAULT);
}
END_TEST

START_TEST(requests_that_wait_at_the_end_of_the_run_are_freed)
{
    firewall_ready();
    for (uint64_t call = 1; call < 4; call++) {
        ask(call, forwarded("c", "fw-1"));
    }
    ck_assert_str_eq(did(), "");
}
END_TEST

START_TEST(a_close_goes_on_along_the_path)
{
    firewall_ready();
    passed_through(1, "c");
    request(2, nsm_message(MESSAGE_NSM_CLOSE, forwarded("c", "fw-1")));
    ck_assert_str_eq(did(), "nsm-close at " SOCKET);
    ck_assert_uint_eq(connection_of(only(ACTION_CALL))->index, 3);
    failure(only(ACTION_CALL)->tag, FAILURE_REFUSED); /* its errors are ignored */
    ck_assert_str_eq(did(),
                     "remove kernel ns/pod/memif-in-c#3; remove kernel ns/pod/memif-out-c#3");
    uint64_t tag = action_at(ACTION_DATAPLANE, 0)->tag;
    programmed(tag, NULL);
    programmed(tag, NULL);
    ck_assert_str_eq(did(), "cancel; answer 2 ok");
    ck_assert_int_eq(subject.connections, 0);
    passed_through(3, "c");
}
END_TEST

START_TEST(its_answer_has_the_clients_own_labels_and_end)
{
    firewall_ready();
    passed_through(1, "c");
    const Connection *back = accepted(1);
    ck_assert_pstr_eq(labels_get(&back->labels, "podName"), "client");
    ck_assert_ptr_null(labels_get(&back->labels, "app"));
    ck_assert_str_eq(back->client.pod, "ns/client");
    ck_assert_str_eq(back->client.interface, "nsm-1");
}
END_TEST

START_TEST(requests_of_one_connection_go_one_after_the_other)
{
    firewall_ready();
    ask(1, forwarded("c", "fw-1"));
    uint64_t tag = only(ACTION_CALL)->tag;
    ask(2, forwarded("c", "fw-1"));
    ck_assert_str_eq(did(), "");
    reply(tag, message_error("no"));
    ck_assert_str_eq(did(), "answer 1 error; nsm-request at " SOCKET);
}
END_TEST

/* Ends a Close of the firewall's: the next link is closed, both interfaces go. */
static void
closed_beyond(void)
{
    reply(call_of(MESSAGE_NSM_CLOSE)->tag, message_ok());
    uint64_t tag = action_at(ACTION_DATAPLANE, 0)->tag;
    programmed(tag, NULL);
    programmed(tag, NULL);
}

START_TEST(a_close_waits_for_the_request_under_way)
{
    firewall_ready();
    passed_through(1, "c");
    ask(2, refresh_of(accepted(1)));
    const Action *call = only(ACTION_CALL);
    uint64_t tag = call->tag;
    Connection *back = connection_copy(connection_of(call));
    request(3, nsm_message(MESSAGE_NSM_CLOSE, forwarded("c", "fw-1")));
    ck_assert_str_eq(did(), "");
    reply(tag, nsm_message(MESSAGE_NSM_CONNECTION, back));
    answer_of(2, MESSAGE_NSM_CONNECTION);
    closed_beyond();
    answer_of(3, MESSAGE_OK);
    ck_assert_int_eq(subject.connections, 0);
}
END_TEST

START_TEST(a_request_waits_for_the_close_under_way)
{
    firewall_ready();
    passed_through(1, "c");
    request(2, nsm_message(MESSAGE_NSM_CLOSE, forwarded("c", "fw-1")));
    uint64_t tag = only(ACTION_CALL)->tag;
    ask(3, forwarded("c", "fw-1"));
    ck_assert_str_eq(did(), "");
    reply(tag, message_ok());
    tag = action_at(ACTION_DATAPLANE, 0)->tag;
    programmed(tag, NULL);
    programmed(tag, NULL);
    ck_assert_uint_eq(only(ACTION_REPLY)->call, 2);
    next_link_agrees();
    ck_assert_str_eq(did(), "work vpp-cross-connect");
}
END_TEST

START_TEST(a_pass_through_closes_when_the_previous_token_expires)
{
    firewall_ready();
    passed_through(1, "c");
    subject.now += NSM_TOKEN_LIFETIME;
    fire(only(ACTION_TIMER)->tag);
    ck_assert_int_eq(call_of(MESSAGE_NSM_CLOSE)->timeout, SECONDS(15));
    closed_beyond();
    ck_assert_uint_eq(n_actions(ACTION_REPLY), 0);
    ck_assert_int_eq(subject.connections, 0);
}
END_TEST

START_TEST(a_token_that_expires_during_a_request_that_fails_closes)
{
    firewall_ready();
    passed_through(1, "c");
    uint64_t expiry = only(ACTION_TIMER)->tag;
    ask(2, refresh_of(accepted(1)));
    uint64_t tag = only(ACTION_CALL)->tag;
    fire(expiry);
    ck_assert_str_eq(did(), "");
    reply(tag, message_error("no"));
    ck_assert_uint_eq(only(ACTION_REPLY)->call, 2);
    uint64_t removal = action_at(ACTION_DATAPLANE, 0)->tag; /* (the next link is not known) */
    programmed(removal, NULL);
    programmed(removal, NULL);
    ck_assert_int_eq(subject.connections, 0);
}
END_TEST

START_TEST(a_request_that_is_given_up_is_cancelled_and_closed_beyond)
{
    firewall_ready();
    ask(1, forwarded("c", "fw-1"));
    cancelled(1);
    ck_assert_str_eq(did(), "cancel; nsm-close at " SOCKET);
    ck_assert_int_eq(subject.connections, 0);
    passed_through(2, "c");
}
END_TEST

/* ---- monitor ---- */

/* The forwarder watches connection "c" by its stream 70. */
static void
watched(void)
{
    opened(70, nsm_message(MESSAGE_NSM_MONITOR, forwarded("c", NULL)));
    ck_assert_str_eq(nsm_message_connection(pushed(70, NSM_EVENT_INITIAL))->id, "c");
}

START_TEST(the_last_endpoint_is_watched_and_watches_nobody)
{
    last_ready(LAST_ENV);
    ask(1, forwarded("c", "nse-1"));
    ck_assert_uint_eq(n_actions(ACTION_OPEN), 0);
    watched();
    request(2, nsm_message(MESSAGE_NSM_CLOSE, forwarded("c", "nse-1")));
    pushed(70, NSM_EVENT_DELETE);
}
END_TEST

/* "c" as established, watched by the forwarder; returns our stream to the manager. */
static uint64_t
watched_chain(void)
{
    firewall_ready();
    passed_through(1, "c");
    uint64_t stream = stream_of(MESSAGE_NSM_MONITOR)->tag;
    watched();
    return stream;
}

START_TEST(a_next_link_that_goes_down_is_told_upstream)
{
    uint64_t stream = watched_chain();
    event(stream, nsm_event(NSM_EVENT_DOWN, forwarded("c", "fw-1")));
    ck_assert_str_eq(did(), "push 70 nsm-event"); /* and nothing else: it does not heal */
    pushed(70, NSM_EVENT_DOWN);
    broken(stream, FAILURE_PEER_GONE);
    pushed(70, NSM_EVENT_DOWN);
}
END_TEST

START_TEST(a_next_link_that_was_closed_is_joined_anew)
{
    event(watched_chain(), nsm_event(NSM_EVENT_DELETE, forwarded("c", "fw-1")));
    ck_assert_str_eq(did(), "");
    ask(2, forwarded("c", "fw-1"));
    next_link_agrees();
    ck_assert_str_eq(did(), "work vpp-cross-connect");
}
END_TEST

START_TEST(another_next_endpoint_is_joined_anew)
{
    firewall_ready();
    passed_through(1, "c");
    ask(2, refresh_of(accepted(1)));
    const Action *call = call_of(MESSAGE_NSM_REQUEST);
    uint64_t tag = call->tag;
    Connection *back = connection_copy(connection_of(call));
    g_array_set_size(back->path, 6);
    back->index = 5;
    connection_advance(back, "nse-2", subject.now, NSM_TOKEN_LIFETIME);
    g_free(g_array_index(back->path, PathSegment, 6).id);
    g_array_index(back->path, PathSegment, 6).id = g_strdup("c#6@nse-2");
    reply(tag, nsm_message(MESSAGE_NSM_CONNECTION, back));
    ck_assert_str_eq(did(), "work vpp-cross-connect");
}
END_TEST

/* ---- registry healing ---- */

START_TEST(a_registrations_watch_that_breaks_leads_to_a_new_one_at_once)
{
    last_ready(LAST_ENV);
    uint64_t refresh = only(ACTION_TIMER)->tag;
    ck_assert_str_eq(registry_message_record(stream_of(MESSAGE_REGISTRY_WATCH)->message)->name,
                     "nse-1");
    broken(ENROLL_WATCH_TAG, FAILURE_PEER_GONE);
    ck_assert_str_eq(did(), "registry-register at " SOCKET);
    ck_assert_uint_eq(only(ACTION_STOP_TIMER)->tag, refresh);
    ck_assert_int_eq(only(ACTION_CALL)->dial_timeout, MSECONDS(300));
    failure(only(ACTION_CALL)->tag, FAILURE_REFUSED);
    ck_assert_str_eq(did(), "timer 200ms");
    broken(ENROLL_WATCH_TAG, FAILURE_PEER_GONE); /* the attempts go on */
    ck_assert_str_eq(did(), "");
    fire(refresh);
    registered();
    ck_assert_str_eq(did(), "timer 40s; registry-watch at " SOCKET);
    ck_assert(!traced(TRACE_REGISTERED, ""));
}
END_TEST

START_TEST(a_watch_that_breaks_during_a_registration_waits_for_it)
{
    last_ready(LAST_ENV);
    fire(only(ACTION_TIMER)->tag); /* the refresh */
    broken(ENROLL_WATCH_TAG, FAILURE_PEER_GONE);
    ck_assert_str_eq(did(), "");
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {
        the_last_endpoint_serves_and_registers_with_its_identity,
        the_firewall_boots_its_vpp_after_it_has_its_identity,
        a_memif_endpoint_boots_a_vpp_too,
        interfaces_that_are_made_again_say_so,
        interfaces_of_two_paths_of_one_client_have_different_names,
        services_and_labels_come_from_the_environment,
        the_firewall_reads_the_variable_of_one_service,
        the_default_service_is_icmp_responder,
        it_registers_its_own_services_before_itself,
        a_service_of_its_own_has_no_matches,
        the_last_endpoint_answers_at_once_with_a_pair_of_addresses,
        a_refresh_keeps_the_addresses_and_the_interface,
        an_exhausted_prefix_is_an_error,
        the_last_endpoint_cuts_what_a_longer_path_has_left,
        a_close_releases_what_the_connection_held,
        a_tunnels_end_becomes_the_endpoints_own_interface,
        interfaces_fit_linux_and_differ_between_connections,
        without_a_readable_prefix_there_are_no_addresses,
        a_pass_through_continues_the_path_at_its_own_manager,
        its_own_labels_replace_the_clients,
        it_is_the_memif_client_of_the_next_link,
        its_request_has_neither_dial_nor_request_timeout,
        it_joins_its_interfaces_before_it_answers,
        its_answer_has_the_whole_path_and_the_last_endpoints_addresses,
        a_refresh_names_the_next_endpoint_and_keeps_the_ids,
        a_refresh_whose_path_ends_here_keeps_the_path_beyond,
        what_fails_beyond_fails_here,
        after_a_failure_the_next_endpoint_is_chosen_afresh,
        a_join_that_fails_fails_the_request,
        two_connections_pass_side_by_side,
        a_connection_dials_the_next_link_once,
        requests_that_wait_at_the_end_of_the_run_are_freed,
        a_close_goes_on_along_the_path,
        requests_of_one_connection_go_one_after_the_other,
        a_registration_has_the_client_info,
        its_answer_has_the_clients_own_labels_and_end,
        an_address_comes_back_when_the_previous_token_expires,
        a_close_waits_for_the_request_under_way,
        a_request_waits_for_the_close_under_way,
        a_pass_through_closes_when_the_previous_token_expires,
        a_token_that_expires_during_a_request_that_fails_closes,
        a_request_that_is_given_up_is_cancelled_and_closed_beyond,
        the_last_endpoint_is_watched_and_watches_nobody,
        a_next_link_that_goes_down_is_told_upstream,
        another_next_endpoint_is_joined_anew,
        a_next_link_that_was_closed_is_joined_anew,
        a_registrations_watch_that_breaks_leads_to_a_new_one_at_once,
        a_watch_that_breaks_during_a_registration_waits_for_it,
    };
    return run_tests("endpoint", tests, G_N_ELEMENTS(tests), NULL, 0);
}
