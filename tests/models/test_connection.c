/* Connections: the path through the hops, its ids and its expiry (FACTS 1.1, 2.4). */
#include "models/nsm/connection.h"

#include "tests/models/nsm_step.h"

/* "nsc=c nsmgr=c#1 @1": names and ids of the segments, then the index. */
static void
assert_path(const Connection *connection, const char *expected)
{
    g_autoptr(GString) text = g_string_new(NULL);
    for (guint i = 0; i < connection->path->len; i++) {
        const PathSegment *segment = connection_segment(connection, i);
        g_string_append_printf(text, "%s=%s ", segment->name, segment->id);
    }
    g_string_append_printf(text, "@%u", connection->index);
    ck_assert_str_eq(text->str, expected);
}

/* nsc -> nsmgr -> forwarder -> nse, one second apart, tokens of one minute. */
static Connection *
local_path(void)
{
    Connection *connection = connection_new("c", "svc");
    static const char *const names[] = {"nsc", "nsmgr", "forwarder", "nse"};
    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        connection_advance(connection, names[i], SECONDS(i), SECONDS(60));
    }
    return connection;
}

START_TEST(the_first_segment_has_the_connections_own_id)
{
    g_autoptr(Connection) connection = connection_new("nsc-0", "svc");
    ck_assert_str_eq(connection->service, "svc");
    connection_advance(connection, "nsc", 0, SECONDS(60));
    assert_path(connection, "nsc=nsc-0 @0");
    ck_assert_str_eq(connection_segment_id(connection), "nsc-0");
    ck_assert_ptr_null(connection_next_name(connection));
}
END_TEST

START_TEST(a_local_path_has_four_segments)
{
    g_autoptr(Connection) connection = local_path();
    assert_path(connection, "nsc=c nsmgr=c#1 forwarder=c#2 nse=c#3 @3");
    ck_assert_str_eq(connection_segment_id(connection), "c#3");
    ck_assert_str_eq(connection->id, "c");
}
END_TEST

START_TEST(a_refresh_keeps_the_ids_and_the_path_beyond)
{
    g_autoptr(Connection) connection = local_path();
    connection->index = 0;
    ck_assert_str_eq(connection_next_name(connection), "nsmgr");
    connection_advance(connection, "nsmgr", SECONDS(120), SECONDS(60));
    assert_path(connection, "nsc=c nsmgr=c#1 forwarder=c#2 nse=c#3 @1");
    ck_assert_str_eq(connection_next_name(connection), "forwarder");
}
END_TEST

START_TEST(a_refresh_renews_only_the_token_of_its_own_segment)
{
    g_autoptr(Connection) connection = local_path();
    connection->index = 0;
    connection_advance(connection, "nsmgr", SECONDS(40), SECONDS(600));
    static const int expires[] = {60, 640, 62, 63};
    for (guint i = 0; i < 4; i++) {
        ck_assert_int_eq(connection_segment(connection, i)->expires, SECONDS(expires[i]));
    }
}
END_TEST

START_TEST(another_name_cuts_the_path_there)
{
    g_autoptr(Connection) connection = local_path();
    connection->index = 1;
    connection_advance(connection, "forwarder-2", SECONDS(9), SECONDS(60));
    ck_assert_uint_eq(connection->path->len, 3);
    ck_assert_uint_eq(connection->index, 2);
    ck_assert_str_eq(connection_segment(connection, 2)->name, "forwarder-2");
    ck_assert_int_eq(connection_segment(connection, 2)->expires, SECONDS(69));
    ck_assert_str_eq(connection_segment(connection, 1)->id, "c#1");
    ck_assert_ptr_null(connection_next_name(connection));
}
END_TEST

START_TEST(a_hop_of_another_name_gets_a_new_id)
{
    g_autoptr(Connection) connection = local_path();
    connection->index = 1;
    connection_advance(connection, "forwarder-2", 0, SECONDS(60));
    ck_assert_str_ne(connection_segment_id(connection), "c#2");
}
END_TEST

START_TEST(ids_are_unique_in_a_path)
{
    g_autoptr(Connection) connection = connection_new("c", "svc");
    g_autoptr(GHashTable) ids = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; i < 16; i++) { /* five local links */
        connection_advance(connection, i % 2 == 0 ? "a" : "b", 0, SECONDS(60));
        ck_assert(g_hash_table_add(ids, (void *)connection_segment_id(connection)));
    }
    ck_assert_uint_eq(connection->path->len, 16);
}
END_TEST

START_TEST(a_connection_expires_with_the_soonest_of_its_tokens)
{
    g_autoptr(Connection) connection = connection_new("c", "svc");
    ck_assert_int_eq(connection_expires(connection), NSEC_NEVER);
    connection_advance(connection, "nsc", SECONDS(10), SECONDS(600));
    connection_advance(connection, "nsmgr", SECONDS(11), SECONDS(60));
    connection_advance(connection, "forwarder", SECONDS(12), SECONDS(600));
    ck_assert_int_eq(connection_expires(connection), SECONDS(71));
}
END_TEST

START_TEST(a_copy_shares_nothing_with_its_original)
{
    g_autoptr(Connection) connection = local_path();
    connection->nse = g_strdup("nse");
    connection->payload = g_strdup("IP");
    connection->client.pod = g_strdup("ns/client");
    connection->server.node = g_strdup("node-b");
    connection->dst_ip = g_strdup("10.0.0.0");
    connection->vni = 5;
    labels_set(&connection->labels, "app", "a");
    Connection *copy = connection_copy(connection);
    connection_advance(copy, "further", 0, SECONDS(60));
    labels_set(&copy->labels, "app", "b");
    ck_assert_uint_eq(connection->path->len, 4);
    ck_assert_str_eq(labels_get(&connection->labels, "app"), "a");
    ck_assert_str_eq(copy->nse, "nse");
    ck_assert_str_eq(copy->payload, "IP");
    ck_assert_str_eq(copy->client.pod, "ns/client");
    ck_assert_str_eq(copy->server.node, "node-b");
    ck_assert_str_eq(copy->dst_ip, "10.0.0.0");
    ck_assert_ptr_null(copy->src_ip);
    ck_assert_uint_eq(copy->vni, 5);
    connection_unref(copy);
    ck_assert_str_eq(connection->nse, "nse");
}
END_TEST

START_TEST(a_connection_lives_until_its_last_reference_is_gone)
{
    Connection *connection = local_path();
    ck_assert_ptr_eq(connection_ref(connection), connection);
    connection_unref(connection);
    assert_path(connection, "nsc=c nsmgr=c#1 forwarder=c#2 nse=c#3 @3");
    connection_unref(connection);
    connection_unref(NULL);
}
END_TEST

START_TEST(a_message_weighs_its_sender_and_the_segments_left_of_it)
{
    Connection *connection = local_path();
    connection->index = 2;
    Message *message = nsm_message(MESSAGE_NSM_REQUEST, connection);
    ck_assert_int_eq(message->weight, 3);
    ck_assert_ptr_eq(nsm_message_connection(message), connection);
    message_unref(message);
}
END_TEST

START_TEST(a_query_is_copied_whole)
{
    RegistryQuery *query = registry_query(MESSAGE_REGISTRY_FIND_NSE, "n", "s", "u");
    RegistryQuery *copy = registry_query_copy(query);
    message_unref(query);
    ck_assert_int_eq(copy->base.type, MESSAGE_REGISTRY_FIND_NSE);
    ck_assert_str_eq(copy->name, "n");
    ck_assert_str_eq(copy->service, "s");
    ck_assert_str_eq(copy->url, "u");
    message_unref(copy);
}
END_TEST

START_TEST(a_record_serves_services_by_exact_name)
{
    NseRecord *nse = record("n", "firewall,other", "u", "");
    ck_assert(nse_record_serves(nse, "firewall"));
    ck_assert(nse_record_serves(nse, "other"));
    ck_assert(!nse_record_serves(nse, "fire"));
    ck_assert(!nse_record_serves(nse, "firewalls"));
    NseRecord *copy = nse_record_copy(nse);
    ck_assert_int_eq(nse->expires, NSEC_NEVER);
    nse_record_unref(nse);
    ck_assert_str_eq(copy->name, "n");
    ck_assert(nse_record_serves(copy, "other"));
    nse_record_unref(copy);
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {
        the_first_segment_has_the_connections_own_id,
        a_local_path_has_four_segments,
        a_refresh_keeps_the_ids_and_the_path_beyond,
        a_refresh_renews_only_the_token_of_its_own_segment,
        another_name_cuts_the_path_there,
        ids_are_unique_in_a_path,
        a_connection_expires_with_the_soonest_of_its_tokens,
        a_copy_shares_nothing_with_its_original,
        a_connection_lives_until_its_last_reference_is_gone,
        a_message_weighs_its_sender_and_the_segments_left_of_it,
        a_query_is_copied_whole,
        a_record_serves_services_by_exact_name,
        a_hop_of_another_name_gets_a_new_id,
    };
    return run_tests("connection", tests, G_N_ELEMENTS(tests), NULL, 0);
}
