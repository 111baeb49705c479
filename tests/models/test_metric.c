/* Metric keys: what is written reads back, what is malformed is named, selectors match. */
#include "models/metric.h"

#include "base/random.h"

#include <check.h>
#include <stdlib.h>

static MetricKey *
parse(const char *text)
{
    g_autoptr(GError) error = NULL;
    MetricKey *key = metric_key_parse(text, &error);
    ck_assert_msg(key != NULL, "%s", error != NULL ? error->message : text);
    return key;
}

static void
assert_canonical(const char *text, const char *expected)
{
    g_autoptr(MetricKey) key = parse(text);
    g_autofree char *written = metric_key_format(key);
    ck_assert_str_eq(written, expected);
}

static void
assert_refused(const char *text, const char *message)
{
    g_autoptr(GError) error = NULL;
    ck_assert_msg(metric_key_parse(text, &error) == NULL, "\"%s\" was accepted", text);
    ck_assert(g_error_matches(error, VWIRE_ERROR, VWIRE_ERROR_PARSE));
    ck_assert_str_eq(error->message, message);
}

static bool
matches(const char *key_text, const char *selector_text)
{
    g_autoptr(MetricKey) key = parse(key_text);
    g_autoptr(MetricKey) selector = parse(selector_text);
    return metric_key_matches(key, selector);
}

START_TEST(a_bare_name_is_a_key)
{
    assert_canonical("sfc_path_up_ratio", "sfc_path_up_ratio");
    assert_canonical(" _a:b9 ", "_a:b9");
    assert_canonical("a{}", "a");
    assert_canonical("a{ }", "a");
}
END_TEST

START_TEST(labels_are_sorted_by_name)
{
    assert_canonical("r{fault=\"x\",chain=\"c\"}", "r{chain=\"c\",fault=\"x\"}");
    assert_canonical(" r { b = \"2\" , a = \"1\" , } ", "r{a=\"1\",b=\"2\"}");
    assert_canonical("r{b=\"\",B=\"\",a_=\"\",a=\"\"}", "r{B=\"\",a=\"\",a_=\"\",b=\"\"}");
}
END_TEST

START_TEST(labels_can_be_asked_for)
{
    g_autoptr(MetricKey) key = parse("r{fault=\"x\",chain=\"c\"}");
    ck_assert_str_eq(key->name, "r");
    ck_assert_str_eq(metric_key_label(key, "fault"), "x");
    ck_assert_str_eq(metric_key_label(key, "chain"), "c");
    ck_assert(metric_key_label(key, "pod") == NULL);
}
END_TEST

START_TEST(a_key_can_be_made_label_by_label)
{
    g_autoptr(MetricKey) key = metric_key_new("sfc_recovery_seconds");
    metric_key_set_label(key, "fault", "registry-restart");
    metric_key_set_label(key, "chain", "old");
    metric_key_set_label(key, "chain", "sfc-sc-chain");
    g_autofree char *text = metric_key_format(key);
    ck_assert_str_eq(text,
                     "sfc_recovery_seconds{chain=\"sfc-sc-chain\",fault=\"registry-restart\"}");
}
END_TEST

START_TEST(escapes_are_read_and_written)
{
    const char *text = "a{l=\"say \\\"hi\\\" to C:\\\\\\n\"}";
    g_autoptr(MetricKey) key = parse(text);
    ck_assert_str_eq(metric_key_label(key, "l"), "say \"hi\" to C:\\\n");
    assert_canonical(text, text);
    assert_canonical("a{l=\"\xc3\xa9, {x=}\"}", "a{l=\"\xc3\xa9, {x=}\"}");
}
END_TEST

START_TEST(malformed_keys_are_refused_with_the_column)
{
    assert_refused("", "metric \"\", column 1: it ends; expected a metric name");
    assert_refused("9a", "metric \"9a\", column 1: found \"9\"; expected a metric name");
    assert_refused("a-b",
                   "metric \"a-b\", column 2: found \"-\"; expected { or the end after the name");
    assert_refused("a b",
                   "metric \"a b\", column 3: found \"b\"; expected { or the end after the name");
    assert_refused("a{", "metric \"a{\", column 3: it ends; expected a label name");
    assert_refused(
        "a{b:c=\"\"}",
        "metric \"a{b:c=\"\"}\", column 4: found \":\"; expected = after the label name");
    assert_refused("a{b", "metric \"a{b\", column 4: it ends; expected = after the label name");
    assert_refused("a{b=c}", "metric \"a{b=c}\", column 5: found \"c\"; "
                             "expected a label value in double quotes");
    assert_refused("a{b=\"c",
                   "metric \"a{b=\"c\", column 7: it ends; expected \" after the label value");
    assert_refused("a{b=\"\\x\"}", "metric \"a{b=\"\\x\"}\", column 7: found \"x\"; "
                                   "expected \\, \" or n after a backslash");
    assert_refused(
        "a{b=\"\\",
        "metric \"a{b=\"\\\", column 7: it ends; expected \\, \" or n after a backslash");
    assert_refused(
        "a{b=\"\" c=\"\"}",
        "metric \"a{b=\"\" c=\"\"}\", column 8: found \"c\"; expected , or } after the label");
    assert_refused("a{,}", "metric \"a{,}\", column 3: found \",\"; expected a label name");
    assert_refused("a{b=\"\",b=\"\"}",
                   "metric \"a{b=\"\",b=\"\"}\", column 8: found \"b\"; expected each label once");
    assert_refused("a{}x", "metric \"a{}x\", column 4: found \"x\"; expected the end after }");
    assert_refused("a\xc3\xa9", "metric \"a\xc3\xa9\", column 2: found \"\xc3\xa9\"; "
                                "expected { or the end after the name");
    assert_refused("a{b=\"\xff\"}", "a metric is not UTF-8 text");
}
END_TEST

/* Up to five pieces, most of them special. */
static char *
random_value(RandomStream *stream)
{
    static const char *const pieces[] = {"\\", "\"", "\n", "{", "}",
                                         ",",  "=",  " ",  "a", "\xc3\xa9"};
    GString *value = g_string_new(NULL);
    for (uint64_t n = random_below(stream, 6); n > 0; n--) {
        g_string_append(value, pieces[random_below(stream, G_N_ELEMENTS(pieces))]);
    }
    return g_string_free(value, FALSE);
}

START_TEST(any_key_reads_back_equal)
{
    RandomStream stream;
    random_stream_init(&stream, 1, 0, "metric", "keys");
    for (int i = 0; i < 2000; i++) {
        g_autoptr(MetricKey) key = metric_key_new("m");
        for (uint64_t n = random_below(&stream, 4); n > 0; n--) {
            g_autofree char *value = random_value(&stream);
            char name[] = {(char)('a' + random_below(&stream, 5)), '\0'};
            metric_key_set_label(key, name, value);
        }
        g_autofree char *text = metric_key_format(key);
        assert_canonical(text, text);
    }
}
END_TEST

START_TEST(a_selector_matches_by_name_and_the_labels_that_it_has)
{
    const char *key = "sfc_rtt_seconds{chain=\"c\",hop=\"1\"}";
    ck_assert(matches(key, "sfc_rtt_seconds"));
    ck_assert(matches(key, "sfc_rtt_seconds{chain=\"c\"}"));
    ck_assert(matches(key, "sfc_rtt_seconds{hop=\"1\",chain=\"c\"}"));
    ck_assert(!matches(key, "sfc_rtt"));
    ck_assert(!matches(key, "sfc_rtt_seconds{chain=\"d\"}"));
    ck_assert(!matches(key, "sfc_rtt_seconds{chain=\"c\",pod=\"p\"}"));
    ck_assert(!matches("sfc_rtt_seconds", key));
}
END_TEST

START_TEST(an_empty_label_selects_keys_without_it)
{
    ck_assert(matches("a", "a{b=\"\"}"));
    ck_assert(matches("a{b=\"\"}", "a{b=\"\"}"));
    ck_assert(!matches("a{b=\"c\"}", "a{b=\"\"}"));
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("metric");
    TCase *tc = tcase_create("metric");
    tcase_add_test(tc, a_bare_name_is_a_key);
    tcase_add_test(tc, labels_are_sorted_by_name);
    tcase_add_test(tc, labels_can_be_asked_for);
    tcase_add_test(tc, a_key_can_be_made_label_by_label);
    tcase_add_test(tc, escapes_are_read_and_written);
    tcase_add_test(tc, malformed_keys_are_refused_with_the_column);
    tcase_add_test(tc, any_key_reads_back_equal);
    tcase_add_test(tc, a_selector_matches_by_name_and_the_labels_that_it_has);
    tcase_add_test(tc, an_empty_label_selects_keys_without_it);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
