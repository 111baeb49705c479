/* Which endpoints and forwarders may serve a Request (FACTS 1.3, 1.4). */
#include "models/nsm/select.h"

#include "tests/models/nsm_step.h"

#define NOW SECONDS(100)

static GPtrArray *records;
static Labels client;
static SelectReport report;

static void
select_setup(const char *labels)
{
    records = g_ptr_array_new_with_free_func((GDestroyNotify)nse_record_unref);
    report.lines = g_ptr_array_new_with_free_func(g_free);
    ck_assert(labels_parse_env(labels, &client, NULL));
}

static void
select_teardown(void)
{
    g_ptr_array_unref(records);
    g_ptr_array_unref(report.lines);
    labels_clear(&client);
}

static NseRecord *
add(const char *name, const char *labels)
{
    NseRecord *nse = record(name, "svc,forwarder", "unix:x", labels);
    g_ptr_array_add(records, nse);
    return nse;
}

/* The three endpoints that most tests choose among. */
static void
add_three(void)
{
    add("a", "app:fw");
    add("b", "app:nse,zone:1");
    add("c", "app:nse,zone:2");
}

static void
assert_names(GPtrArray *take_chosen, const char *expected)
{
    g_autoptr(GString) text = g_string_new(NULL);
    for (guint i = 0; i < take_chosen->len; i++) {
        const NseRecord *nse = g_ptr_array_index(take_chosen, i);
        g_string_append_printf(text, "%s%s", i > 0 ? " " : "", nse->name);
    }
    g_ptr_array_unref(take_chosen);
    ck_assert_str_eq(text->str, expected);
}

/* Names of the candidates, in order, for a service with these matches. */
static void
assert_endpoints(const char *matches, const char *expected)
{
    g_autofree char *spec = g_strdup_printf("{matches: [%s]}", matches);
    g_ptr_array_set_size(report.lines, 0);
    assert_names(select_endpoints(network_service(spec), "svc", &client, records, NOW, &report),
                 expected);
}

static void
assert_forwarders(const char *matches, const char *expected)
{
    g_autofree char *spec = g_strdup_printf("{matches: [%s]}", matches);
    assert_names(select_forwarders(network_service(spec), &client, records), expected);
}

#define TO(labels) "routes: [{destination_selector: {" labels "}}]"
#define FROM(labels) "source_selector: {" labels "}"

/* ---- endpoints ---- */

START_TEST(the_first_match_that_applies_decides)
{
    select_setup("app:client");
    add_three();
    assert_endpoints(
        "{" FROM("app: fw") ", " TO("app: nse") "}, "
                                                "{" FROM("app: client") ", " TO(
                                                    "zone: \"2\"") "}, "
                                                                   "{" TO("app: fw") "}",
        "c");
    select_teardown();
}
END_TEST

START_TEST(the_testbeds_matches_lead_through_the_firewall)
{
    static const char *const matches =
        "{" FROM("app: fw") ", " TO("app: nse") "}, "
                                                "{" TO("app: fw") "}";
    select_setup("");
    add_three();
    assert_endpoints(matches, "a");
    labels_set(&client, "app", "fw");
    assert_endpoints(matches, "b c");
    select_teardown();
}
END_TEST

START_TEST(an_empty_source_selector_applies_to_every_client)
{
    select_setup("");
    add_three();
    assert_endpoints("{" TO("app: nse") "}", "b c");
    assert_endpoints("{source_selector: {}, " TO("app: nse") "}", "b c");
    select_teardown();
}
END_TEST

START_TEST(all_labels_of_a_selector_must_be_there)
{
    select_setup("app:client,tier:1");
    add_three();
    assert_endpoints(
        "{" FROM("app: client, tier: \"2\"") ", " TO(
            "app: fw") "}, "
                       "{" FROM("app: client, tier: \"1\"") ", " TO("app: nse, zone: \"1\"") "}",
        "b");
    select_teardown();
}
END_TEST

START_TEST(an_applicable_match_that_selects_nothing_leaves_nothing)
{
    select_setup("");
    add_three();
    assert_endpoints("{" TO("app: gone") "}, {" TO("app: fw") "}", "");
    select_teardown();
}
END_TEST

START_TEST(a_match_that_falls_through_gives_way_when_it_selects_nothing)
{
    select_setup("");
    add_three();
    assert_endpoints("{fallthrough: true, " TO("app: gone") "}, {" TO("app: fw") "}", "a");
    assert_endpoints("{fallthrough: true, " TO("app: nse") "}, {" TO("app: fw") "}", "b c");
    select_teardown();
}
END_TEST

START_TEST(when_the_last_match_falls_through_all_are_candidates)
{
    select_setup("");
    add_three();
    assert_endpoints("{fallthrough: true, " TO("app: gone") "}", "a b c");
    select_teardown();
}
END_TEST

START_TEST(a_match_of_metadata_only_takes_all)
{
    select_setup("");
    add_three();
    assert_endpoints("{metadata: {labels: {p2p: \"false\"}}}, {" TO("app: fw") "}", "a b c");
    select_teardown();
}
END_TEST

START_TEST(metadata_with_routes_that_select_nothing_leaves_nothing)
{
    select_setup("");
    add_three();
    assert_endpoints("{metadata: {labels: {a: b}}, " TO("app: gone") "}, {" TO("app: fw") "}", "");
    select_teardown();
}
END_TEST

START_TEST(metadata_that_falls_through_gives_way)
{
    select_setup("");
    add_three();
    assert_endpoints("{metadata: {labels: {a: b}}, fallthrough: true}, {" TO("app: fw") "}", "a");
    select_teardown();
}
END_TEST

START_TEST(a_match_with_neither_routes_nor_metadata_leaves_nothing)
{
    select_setup("");
    add_three();
    assert_endpoints("{source_selector: {}}", "");
    select_teardown();
}
END_TEST

START_TEST(without_an_applicable_match_all_endpoints_are_candidates)
{
    select_setup("app:client");
    add_three();
    assert_endpoints("", "a b c");
    assert_endpoints("{" FROM("app: other") ", " TO("app: fw") "}", "a b c");
    select_teardown();
}
END_TEST

START_TEST(selector_values_are_templates_over_the_clients_labels)
{
    static const char *const same_node = "{" TO("nodeName: \"{{.nodeName}}\"") "}";
    select_setup("nodeName:node-b");
    add("a", "nodeName:node-a");
    add("b", "nodeName:node-b");
    assert_endpoints(same_node, "b");
    labels_set(&client, "nodeName", "node-a");
    assert_endpoints(same_node, "a");
    labels_set(&client, "nodeName", "node-c");
    assert_endpoints(same_node, "");
    select_teardown();
}
END_TEST

START_TEST(a_template_over_a_label_that_is_not_there_matches_nothing)
{
    select_setup("");
    add("a", "nodeName:node-a");
    add("b", "");
    assert_endpoints("{" TO("nodeName: \"{{.nodeName}}\"") "}", "");
    select_teardown();
}
END_TEST

START_TEST(source_selectors_are_templates_too)
{
    select_setup("a:same,b:same");
    add_three();
    static const char *const matches = "{" FROM("a: \"{{.b}}\"") ", " TO("app: fw") "}";
    assert_endpoints(matches, "a");
    labels_set(&client, "b", "different");
    assert_endpoints(matches, "a b c");
    select_teardown();
}
END_TEST

START_TEST(several_routes_are_one_after_the_other)
{
    select_setup("");
    add_three();
    assert_endpoints("{routes: [{destination_selector: {zone: \"2\"}}, "
                     "{destination_selector: {app: fw}}, "
                     "{destination_selector: {zone: \"1\"}}]}",
                     "c a b");
    select_teardown();
}
END_TEST

START_TEST(an_endpoint_of_two_routes_is_a_candidate_twice)
{
    select_setup("");
    add_three();
    assert_endpoints("{routes: [{destination_selector: {app: nse}}, "
                     "{destination_selector: {zone: \"1\"}}]}",
                     "b c b");
    select_teardown();
}
END_TEST

START_TEST(an_empty_destination_selector_takes_every_endpoint)
{
    select_setup("");
    add_three();
    assert_endpoints("{routes: [{}]}", "a b c");
    select_teardown();
}
END_TEST

START_TEST(weights_change_nothing)
{
    select_setup("");
    add_three();
    assert_endpoints("{routes: [{destination_selector: {zone: \"1\"}, weight: 1}, "
                     "{destination_selector: {zone: \"2\"}, weight: 100}]}",
                     "b c");
    assert_endpoints("{routes: [{destination_selector: {zone: \"1\"}, weight: 100}, "
                     "{destination_selector: {zone: \"2\"}, weight: 0}]}",
                     "b c");
    select_teardown();
}
END_TEST

START_TEST(expired_endpoints_are_no_candidates)
{
    select_setup("");
    add_three();
    ((NseRecord *)records->pdata[0])->expires = NOW - 1;
    ((NseRecord *)records->pdata[1])->expires = NOW;
    ((NseRecord *)records->pdata[2])->expires = NOW + 1;
    assert_endpoints("", "c");
    assert_endpoints("{routes: [{}]}", "c");
    assert_endpoints("{" TO("app: fw") "}", "");
    select_teardown();
}
END_TEST

START_TEST(what_a_find_has_found_by_substring_only_is_no_candidate)
{
    select_setup("");
    g_ptr_array_add(records, record("wall", "firewall", "u", "app:fw"));
    g_ptr_array_add(records, record("fire", "other,fire", "u", "app:fw"));
    const NetworkServiceSpec *spec = network_service("{matches: [{" TO("app: fw") "}]}");
    assert_names(select_endpoints(spec, "fire", &client, records, NOW, &report), "fire");
    spec = network_service("{}");
    assert_names(select_endpoints(spec, "fire", &client, records, NOW, &report), "fire");
    const char *line = g_ptr_array_index(report.lines, 0);
    ck_assert_msg(strstr(line, "wall") && strstr(line, "substring"), "%s", line);
    select_teardown();
}
END_TEST

START_TEST(the_report_has_a_line_for_each_match_that_was_considered)
{
    select_setup("app:client");
    add_three();
    assert_endpoints("{" FROM("app: other") ", " TO(
                         "app: fw") "}, "
                                    "{fallthrough: true, " TO(
                                        "app: gone") "}, "
                                                     "{" TO("app: nse") "}, {" TO("app: fw") "}",
                     "b c");
    ck_assert_uint_eq(report.lines->len, 3);
    static const char *const words[] = {"does not apply", "falls through", "decides"};
    for (guint i = 0; i < 3; i++) {
        ck_assert_msg(strstr(report.lines->pdata[i], words[i]), "%s",
                      (char *)report.lines->pdata[i]);
    }
    assert_endpoints("", "a b c");
    ck_assert_msg(strstr(report.lines->pdata[0], "no match applies"), "%s",
                  (char *)report.lines->pdata[0]);
    select_teardown();
}
END_TEST

START_TEST(a_report_may_be_left_out)
{
    select_setup("");
    add_three();
    ((NseRecord *)records->pdata[0])->expires = NOW;
    const NetworkServiceSpec *spec = network_service("{matches: [{" TO("app: nse") "}]}");
    assert_names(select_endpoints(spec, "svc", &client, records, NOW, NULL), "b c");
    select_teardown();
}
END_TEST

/* ---- forwarders ---- */

static void
add_forwarders(void)
{
    add("p", "p2p:true");
    add("q", "p2p:false");
    add("r", "p2p:true,kind:sriov");
    add("s", "");
}

START_TEST(a_service_without_matches_takes_every_forwarder)
{
    select_setup("");
    add_forwarders();
    assert_forwarders("", "p q r s");
    select_teardown();
}
END_TEST

START_TEST(without_metadata_a_match_takes_point_to_point_forwarders)
{
    select_setup("");
    add_forwarders();
    assert_forwarders("{" TO("app: nse") "}", "p r");
    assert_forwarders("{metadata: {}}", "p r");
    select_teardown();
}
END_TEST

START_TEST(forwarders_must_have_all_labels_of_the_metadata)
{
    select_setup("");
    add_forwarders();
    assert_forwarders("{metadata: {labels: {p2p: \"false\"}}}", "q");
    assert_forwarders("{metadata: {labels: {kind: sriov, p2p: \"true\"}}}", "r");
    assert_forwarders("{metadata: {labels: {kind: none}}}", "");
    select_teardown();
}
END_TEST

START_TEST(without_an_applicable_match_no_forwarder_is_a_candidate)
{
    select_setup("app:client");
    add_forwarders();
    assert_forwarders("{" FROM("app: other") "}", "");
    select_teardown();
}
END_TEST

START_TEST(the_first_applicable_match_decides_for_forwarders)
{
    select_setup("app:client");
    add_forwarders();
    assert_forwarders("{" FROM("app: other") "}, {metadata: {labels: {p2p: \"false\"}}}, {}", "q");
    assert_forwarders("{metadata: {labels: {kind: none}}}, {}", "");
    assert_forwarders("{fallthrough: true, metadata: {labels: {kind: none}}}, {}", "p r");
    assert_forwarders("{fallthrough: true, metadata: {labels: {kind: none}}}", "");
    select_teardown();
}
END_TEST

START_TEST(routes_do_not_matter_for_forwarders)
{
    select_setup("");
    add_forwarders();
    assert_forwarders("{" TO("p2p: \"false\"") "}", "p r");
    select_teardown();
}
END_TEST

START_TEST(metadata_labels_are_templates_too)
{
    select_setup("kind:sriov");
    add_forwarders();
    assert_forwarders("{metadata: {labels: {kind: \"{{.kind}}\"}}}", "r");
    select_teardown();
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {
        the_first_match_that_applies_decides,
        the_testbeds_matches_lead_through_the_firewall,
        an_empty_source_selector_applies_to_every_client,
        all_labels_of_a_selector_must_be_there,
        an_applicable_match_that_selects_nothing_leaves_nothing,
        a_match_that_falls_through_gives_way_when_it_selects_nothing,
        when_the_last_match_falls_through_all_are_candidates,
        a_match_of_metadata_only_takes_all,
        metadata_with_routes_that_select_nothing_leaves_nothing,
        metadata_that_falls_through_gives_way,
        a_match_with_neither_routes_nor_metadata_leaves_nothing,
        without_an_applicable_match_all_endpoints_are_candidates,
        selector_values_are_templates_over_the_clients_labels,
        a_template_over_a_label_that_is_not_there_matches_nothing,
        source_selectors_are_templates_too,
        several_routes_are_one_after_the_other,
        an_endpoint_of_two_routes_is_a_candidate_twice,
        an_empty_destination_selector_takes_every_endpoint,
        weights_change_nothing,
        expired_endpoints_are_no_candidates,
        what_a_find_has_found_by_substring_only_is_no_candidate,
        the_report_has_a_line_for_each_match_that_was_considered,
        a_report_may_be_left_out,
        a_service_without_matches_takes_every_forwarder,
        without_metadata_a_match_takes_point_to_point_forwarders,
        forwarders_must_have_all_labels_of_the_metadata,
        without_an_applicable_match_no_forwarder_is_a_candidate,
        the_first_applicable_match_decides_for_forwarders,
        routes_do_not_matter_for_forwarders,
        metadata_labels_are_templates_too,
    };
    return run_tests("select", tests, G_N_ELEMENTS(tests), NULL, 0);
}
