/* Quantities: exact where Kubernetes is exact, rounded up where it rounds up. */
#include "base/quantity.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

typedef bool (*Parser)(const char *text, int64_t *out, GError **error);

static void
assert_parses(Parser parser, const char *text, int64_t expected)
{
    g_autoptr(GError) error = NULL;
    int64_t value = -1;
    ck_assert_msg(parser(text, &value, &error), "%s", error ? error->message : text);
    ck_assert_msg(value == expected, "%s is %" G_GINT64_FORMAT, text, value);
}

static void
assert_refused(Parser parser, const char *text, const char *found)
{
    g_autoptr(GError) error = NULL;
    int64_t value = 77;
    ck_assert_msg(!parser(text, &value, &error), "\"%s\" was accepted", text);
    ck_assert_int_eq(value, 77);
    ck_assert(g_error_matches(error, VWIRE_ERROR, VWIRE_ERROR_PARSE));
    ck_assert_msg(strstr(error->message, found), "\"%s\" is not in: %s", found, error->message);
    ck_assert_msg(strstr(error->message, "expected"), "%s", error->message);
}

START_TEST(cpu_is_kept_in_milli_cores)
{
    assert_parses(quantity_parse_milli, "150m", 150);
    assert_parses(quantity_parse_milli, "0.5", 500);
    assert_parses(quantity_parse_milli, ".5", 500);
    assert_parses(quantity_parse_milli, "2", 2000);
    assert_parses(quantity_parse_milli, "2.", 2000);
    assert_parses(quantity_parse_milli, "+2", 2000);
    assert_parses(quantity_parse_milli, "1k", 1000000);
    assert_parses(quantity_parse_milli, "0", 0);
    assert_parses(quantity_parse_milli, "0.000m", 0);
}
END_TEST

START_TEST(every_suffix_is_read)
{
    assert_parses(quantity_parse, "1k", 1000);
    assert_parses(quantity_parse, "1M", 1000000);
    assert_parses(quantity_parse, "1G", 1000000000);
    assert_parses(quantity_parse, "1T", INT64_C(1000000000000));
    assert_parses(quantity_parse, "1P", INT64_C(1000000000000000));
    assert_parses(quantity_parse, "1E", INT64_C(1000000000000000000));
    assert_parses(quantity_parse, "1Ki", 1024);
    assert_parses(quantity_parse, "240Mi", INT64_C(240) << 20);
    assert_parses(quantity_parse, "64Gi", INT64_C(64) << 30);
    assert_parses(quantity_parse, "1Ti", INT64_C(1) << 40);
    assert_parses(quantity_parse, "1Pi", INT64_C(1) << 50);
    assert_parses(quantity_parse, "1Ei", INT64_C(1) << 60);
    assert_parses(quantity_parse, "0.5Ki", 512);
    assert_parses(quantity_parse, "128974848000m", 128974848);
}
END_TEST

START_TEST(exponents_are_read_and_differ_from_exa)
{
    assert_parses(quantity_parse, "1e3", 1000);
    assert_parses(quantity_parse, "12E5", 1200000);
    assert_parses(quantity_parse, "1.5e+2", 150);
    assert_parses(quantity_parse_milli, "15e-2", 150);
    assert_parses(quantity_parse, "2E", INT64_C(2000000000000000000));
    assert_refused(quantity_parse, "1e", "\"e\"");
    assert_refused(quantity_parse, "1e3Mi", "\"e3Mi\"");
    assert_refused(quantity_parse, "1e99999999999", "too large");
}
END_TEST

START_TEST(fractions_round_up)
{
    assert_parses(quantity_parse, "100m", 1);
    assert_parses(quantity_parse, "1.1", 2);
    assert_parses(quantity_parse_milli, "0.1m", 1);
    assert_parses(quantity_parse_milli, "1n", 1);
    assert_parses(quantity_parse_milli, "1001u", 2);
    assert_parses(quantity_parse, "1e-90", 1);
    assert_parses(quantity_parse, "0.00000000000000000000000000000000000000000000000001", 1);
    assert_parses(quantity_parse, "1.00000000000000000000000000000000000000000000000001", 2);
}
END_TEST

START_TEST(the_largest_values_are_exact_and_what_is_beyond_is_refused)
{
    assert_parses(quantity_parse, "9223372036854775807", INT64_MAX);
    assert_parses(quantity_parse, "00000000000000000000009223372036854775807", INT64_MAX);
    assert_parses(quantity_parse, "7.9999999999999999991Ei", INT64_MAX);
    assert_refused(quantity_parse, "9223372036854775808", "too large");
    assert_refused(quantity_parse, "92233720368547758070", "too large");
    assert_refused(quantity_parse, "8Ei", "too large");
    assert_refused(quantity_parse, "16000000000000000000Ei", "too large");
    assert_refused(quantity_parse_milli, "9223372036854776", "too large");
}
END_TEST

START_TEST(malformed_quantities_are_refused_and_named)
{
    assert_refused(quantity_parse, "12q", "\"12q\": unknown suffix \"q\"");
    assert_refused(quantity_parse, "", "no number");
    assert_refused(quantity_parse, ".", "no number");
    assert_refused(quantity_parse, "Mi", "no number");
    assert_refused(quantity_parse, "-1", "negative");
    assert_refused(quantity_parse, "1 Gi", "\" Gi\"");
    assert_refused(quantity_parse, "1K", "\"K\"");
    assert_refused(quantity_parse, "1mi", "\"mi\"");
    assert_refused(quantity_parse, "1.2.3", "\".3\"");
    assert_refused(quantity_parse, "1GiB", "\"GiB\"");
}
END_TEST

START_TEST(quantities_are_written_in_their_shortest_form)
{
    static const struct {
        int64_t value;
        const char *milli;
        const char *bytes;
    } rows[] = {
        {0, "0", "0"},
        {475, "475m", "475"},
        {2000, "2", "2000"},
        {1536, "1536m", "1536"},
        {1536 * 1024, "1572864m", "1536Ki"},
        {INT64_C(240) << 20, "251658240m", "240Mi"},
        {INT64_C(1) << 60, "1152921504606846976m", "1Ei"},
    };
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *milli = quantity_format_milli(rows[i].value);
        g_autofree char *bytes = quantity_format_bytes(rows[i].value);
        ck_assert_str_eq(milli, rows[i].milli);
        ck_assert_str_eq(bytes, rows[i].bytes);
        assert_parses(quantity_parse_milli, milli, rows[i].value);
        assert_parses(quantity_parse, bytes, rows[i].value);
    }
}
END_TEST

START_TEST(rates_of_tc_are_bits_per_second)
{
    assert_parses(quantity_parse_rate, "1gbit", 1000000000);
    assert_parses(quantity_parse_rate, "100mbit", 100000000);
    assert_parses(quantity_parse_rate, "56kbit", 56000);
    assert_parses(quantity_parse_rate, "0.5Gbit", 500000000);
    assert_parses(quantity_parse_rate, "9600", 9600);
    assert_parses(quantity_parse_rate, "10gbps", INT64_C(80000000000));
    assert_parses(quantity_parse_rate, "1kibit", 1024);
    assert_parses(quantity_parse_rate, "1kibps", 8192);
    assert_refused(quantity_parse_rate, "fast", "no number");
    assert_refused(quantity_parse_rate, "-1gbit", "no number");
    assert_refused(quantity_parse_rate, "1gb", "\"gb\"");
    assert_refused(quantity_parse_rate, "10000000000tbit", "too large");
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("quantity");
    TCase *tc = tcase_create("quantity");
    tcase_add_test(tc, cpu_is_kept_in_milli_cores);
    tcase_add_test(tc, every_suffix_is_read);
    tcase_add_test(tc, exponents_are_read_and_differ_from_exa);
    tcase_add_test(tc, fractions_round_up);
    tcase_add_test(tc, the_largest_values_are_exact_and_what_is_beyond_is_refused);
    tcase_add_test(tc, malformed_quantities_are_refused_and_named);
    tcase_add_test(tc, quantities_are_written_in_their_shortest_form);
    tcase_add_test(tc, rates_of_tc_are_bits_per_second);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
