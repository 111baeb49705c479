/* Templates: the answers are those of Go's text/template over a map[string]string. */
#include "models/nsm/template.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static Labels
set_of(const char *text)
{
    Labels labels;
    ck_assert(labels_parse_env(text, &labels, NULL));
    return labels;
}

#define CLIENT "nodeName:n1,podName:nsc-7,app.io/name:web"

static void
assert_expands(const char *text, const char *expected)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *out = NULL;
    Labels values = set_of(CLIENT);
    ck_assert_msg(template_expand(text, &values, &out, &error), "%s", error ? error->message : "");
    ck_assert_str_eq(out, expected);
    labels_clear(&values);
}

static void
assert_refused(const char *text, VwireError code, const char *found)
{
    g_autoptr(GError) error = NULL;
    char *out = NULL;
    Labels values = set_of(CLIENT);
    ck_assert_msg(!template_expand(text, &values, &out, &error), "%s became %s", text, out);
    ck_assert_ptr_null(out);
    ck_assert_int_eq(error->code, (int)code);
    ck_assert_msg(strstr(error->message, found), "\"%s\" is not in: %s", found, error->message);
    ck_assert_msg(strstr(error->message, "expected"), "%s", error->message);
    labels_clear(&values);
}

START_TEST(text_without_actions_stays_as_it_is)
{
    assert_expands("", "");
    assert_expands("firewall", "firewall");
    assert_expands("a}}b{c}", "a}}b{c}");
}
END_TEST

START_TEST(fields_become_the_values_of_labels)
{
    assert_expands("{{.nodeName}}", "n1");
    assert_expands("prefix-{{ .podName }}", "prefix-nsc-7");
    assert_expands("{{.nodeName}}/{{\t.podName }}!", "n1/nsc-7!");
}
END_TEST

START_TEST(index_reads_keys_that_are_no_identifiers)
{
    assert_expands("{{index . \"app.io/name\"}}", "web");
    assert_expands("<{{ index  .  `nodeName` }}>", "<n1>");
    assert_expands("{{index .\"nodeName\"}}", "n1");
}
END_TEST

START_TEST(a_missing_key_is_no_value_as_a_field_and_empty_through_index)
{
    assert_expands("{{.zone}}", "<no value>");
    assert_expands("{{index . \"zone\"}}", "");
}
END_TEST

START_TEST(constants_stand_for_themselves)
{
    assert_expands("{{\"a}}b\"}}", "a}}b");
    assert_expands("{{`\\n`}}", "\\n");
    assert_expands("{{\"a\\\"b\\\\\"}}", "a\"b\\");
}
END_TEST

START_TEST(trim_markers_remove_blanks_of_the_text_beside_them)
{
    assert_expands("a  {{- .nodeName -}}  b", "an1b");
    assert_expands("a {{.nodeName -}} \n b", "a n1b");
    assert_expands("a {{- \" \" }}{{- .nodeName}}", "a n1");
}
END_TEST

START_TEST(the_rest_of_the_language_is_refused_and_named)
{
    assert_refused("{{if .a}}x{{end}}", VWIRE_ERROR_UNSUPPORTED, "found \"if .a\"");
    assert_refused("{{ .a | printf \"%s\" }}", VWIRE_ERROR_UNSUPPORTED, "found \".a | printf");
    assert_refused("{{.a.b}}", VWIRE_ERROR_UNSUPPORTED, "found \".a.b\"");
    assert_refused("{{.}}", VWIRE_ERROR_UNSUPPORTED, "found \".\"");
    assert_refused("{{.app-name}}", VWIRE_ERROR_UNSUPPORTED, "found \".app-name\"");
    assert_refused("{{}}", VWIRE_ERROR_UNSUPPORTED, "found \"\"");
    assert_refused("{{- }}", VWIRE_ERROR_UNSUPPORTED, "found \"\"");
    assert_refused("{{-}}", VWIRE_ERROR_UNSUPPORTED, "found \"-\"");
    assert_refused("{{index . nodeName}}", VWIRE_ERROR_UNSUPPORTED, "found \"index . nodeName\"");
    assert_refused("{{index}}", VWIRE_ERROR_UNSUPPORTED, "found \"index\"");
    assert_refused("{{index . \"a\\n\"}}", VWIRE_ERROR_UNSUPPORTED, "found \"index");
    assert_refused("{{nodeName}}", VWIRE_ERROR_UNSUPPORTED, "found \"nodeName\"");
}
END_TEST

START_TEST(an_action_without_end_is_refused)
{
    assert_refused("x{{.a", VWIRE_ERROR_PARSE, "found \"{{.a\"");
    assert_refused("{{.a}", VWIRE_ERROR_PARSE, "found \"{{.a}\"");
    assert_refused("{{\"}}", VWIRE_ERROR_PARSE, "without its end");
    assert_refused("{{\"a\\", VWIRE_ERROR_PARSE, "without its end");
}
END_TEST

static bool
is_subset(const char *subset, const char *of)
{
    Labels values = set_of(CLIENT);
    Labels a = set_of(subset);
    Labels b = set_of(of);
    bool result = template_subset(&a, &b, &values);
    labels_clear(&values);
    labels_clear(&a);
    labels_clear(&b);
    return result;
}

START_TEST(a_selector_matches_raw_or_expanded_values)
{
    ck_assert(is_subset("nodeName:{{.nodeName}}", "nodeName:n1,app:x"));
    ck_assert(!is_subset("nodeName:{{.nodeName}}", "nodeName:n2,app:x"));
    ck_assert(is_subset("app:nse", "app:nse"));
    ck_assert(is_subset("a:{{.zone}}", "a:<no value>"));
    ck_assert(is_subset("", ""));
}
END_TEST

START_TEST(a_selector_is_compared_as_the_sdk_does_it)
{
    ck_assert_msg(is_subset("a:{{if}}", "a:{{if}}"), "what cannot be expanded is literal");
    ck_assert_msg(is_subset("b:", "a:1"), "an absent key counts as empty");
    ck_assert_msg(!is_subset("b:,c:", "a:1"), "but a smaller set never contains a larger one");
    ck_assert_msg(!is_subset("a:1,b:2", "a:1,c:2"), "every pair counts");
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("template");
    TCase *tc = tcase_create("template");
    tcase_add_test(tc, text_without_actions_stays_as_it_is);
    tcase_add_test(tc, fields_become_the_values_of_labels);
    tcase_add_test(tc, index_reads_keys_that_are_no_identifiers);
    tcase_add_test(tc, a_missing_key_is_no_value_as_a_field_and_empty_through_index);
    tcase_add_test(tc, constants_stand_for_themselves);
    tcase_add_test(tc, trim_markers_remove_blanks_of_the_text_beside_them);
    tcase_add_test(tc, the_rest_of_the_language_is_refused_and_named);
    tcase_add_test(tc, an_action_without_end_is_refused);
    tcase_add_test(tc, a_selector_matches_raw_or_expanded_values);
    tcase_add_test(tc, a_selector_is_compared_as_the_sdk_does_it);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
