/* Durations: what Go reads must be read the same, what is written must read back. */
#include "base/nsec.h"

#include "base/error.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static void
assert_parses(const char *text, nsec_t expected)
{
    g_autoptr(GError) error = NULL;
    nsec_t t = -1;
    ck_assert_msg(nsec_parse(text, &t, &error), "%s", error ? error->message : text);
    ck_assert_msg(t == expected, "%s is %" G_GINT64_FORMAT, text, t);
}

static void
assert_refused(const char *text, const char *found)
{
    g_autoptr(GError) error = NULL;
    nsec_t t = 77;
    ck_assert_msg(!nsec_parse(text, &t, &error), "\"%s\" was accepted", text);
    ck_assert_int_eq(t, 77);
    ck_assert(g_error_matches(error, VWIRE_ERROR, VWIRE_ERROR_PARSE));
    ck_assert_msg(strstr(error->message, found), "\"%s\" is not in: %s", found, error->message);
    ck_assert_msg(strstr(error->message, "expected"), "%s", error->message);
}

static void
assert_formats(nsec_t t, const char *expected)
{
    g_autofree char *text = nsec_format(t);
    ck_assert_str_eq(text, expected);
    assert_parses(text, t);
}

START_TEST(every_unit_of_go_is_read)
{
    assert_parses("7ns", 7);
    assert_parses("7us", 7 * NSEC_PER_USEC);
    assert_parses("7\xc2\xb5s", 7 * NSEC_PER_USEC);
    assert_parses("7\xce\xbcs", 7 * NSEC_PER_USEC);
    assert_parses("7ms", 7 * NSEC_PER_MSEC);
    assert_parses("7s", 7 * NSEC_PER_SEC);
    assert_parses("7m", 420 * NSEC_PER_SEC);
    assert_parses("7h", 25200 * NSEC_PER_SEC);
}
END_TEST

START_TEST(parts_and_fractions_add_up)
{
    assert_parses("1h30m", 5400 * NSEC_PER_SEC);
    assert_parses("1m30s250ms", 90250 * NSEC_PER_MSEC);
    assert_parses("1.5s", 1500 * NSEC_PER_MSEC);
    assert_parses(".5s", 500 * NSEC_PER_MSEC);
    assert_parses("5.s", 5 * NSEC_PER_SEC);
    assert_parses("0.3333333333333333333h", 1199999999999);
    assert_parses("0.9ns", 0);
    assert_parses("0000000000000000000000000001s", NSEC_PER_SEC);
}
END_TEST

START_TEST(a_sign_is_read_and_zero_needs_no_unit)
{
    assert_parses("-1.5h", -5400 * NSEC_PER_SEC);
    assert_parses("+5s", 5 * NSEC_PER_SEC);
    assert_parses("0", 0);
    assert_parses("-0", 0);
    assert_parses("0s", 0);
}
END_TEST

START_TEST(the_extremes_are_read_and_what_is_beyond_is_refused)
{
    assert_parses("9223372036854775807ns", INT64_MAX);
    assert_parses("-9223372036854775808ns", INT64_MIN);
    assert_refused("9223372036854775808ns", "too long");
    assert_refused("-9223372036854775809ns", "too long");
    assert_refused("9223372036854775808ns1ns", "too long");
    assert_refused("3000000h", "too long");
    assert_refused("99999999999999999999999999999999999999999999h", "too long");
    assert_refused("92233720368547758080000000000000000000000000ns", "too long");
}
END_TEST

START_TEST(malformed_text_is_refused_and_named)
{
    assert_refused("", "no number");
    assert_refused("-", "no number");
    assert_refused("3", "no unit");
    assert_refused("1h3", "no unit");
    assert_refused("s", "found \"s\"");
    assert_refused(".s", "found \".s\"");
    assert_refused("1.5.5s", "no unit");
    assert_refused("10 s", "\" s\"");
    assert_refused("5sec", "\"sec\"");
    assert_refused("5d", "\"d\"");
    assert_refused("1h-5m", "\"-5m\"");
    assert_refused("--5m", "\"-5m\"");
    assert_refused(" 5m", "\" 5m\"");
}
END_TEST

START_TEST(written_durations_are_short_and_read_back)
{
    assert_formats(0, "0s");
    assert_formats(1, "1ns");
    assert_formats(1500, "1.5us");
    assert_formats(250 * NSEC_PER_MSEC, "250ms");
    assert_formats(NSEC_PER_SEC, "1s");
    assert_formats(90 * NSEC_PER_SEC, "1m30s");
    assert_formats(3600 * NSEC_PER_SEC, "1h");
    assert_formats(3600 * NSEC_PER_SEC + 1, "1h0.000000001s");
    assert_formats(-1500 * NSEC_PER_MSEC, "-1.5s");
    assert_formats(INT64_MAX, "2562047h47m16.854775807s");
    assert_formats(INT64_MIN, "-2562047h47m16.854775808s");
}
END_TEST

START_TEST(any_duration_reads_back_equal)
{
    uint64_t x = 88172645463325252u;
    for (int i = 0; i < 2000; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        nsec_t t = (nsec_t)(x >> (i % 64));
        g_autofree char *text = nsec_format(t);
        assert_parses(text, t);
    }
}
END_TEST

START_TEST(seconds_are_rounded_and_saturate)
{
    ck_assert_double_eq(nsec_to_seconds(1500 * NSEC_PER_MSEC), 1.5);
    ck_assert_int_eq(nsec_from_seconds(0.1), 100 * NSEC_PER_MSEC);
    ck_assert_int_eq(nsec_from_seconds(1.4e-9), 1);
    ck_assert_int_eq(nsec_from_seconds(1.6e-9), 2);
    ck_assert_int_eq(nsec_from_seconds(-2.5), -2500 * NSEC_PER_MSEC);
    ck_assert_int_eq(nsec_from_seconds(1e30), NSEC_NEVER);
    ck_assert_int_eq(nsec_from_seconds(-1e30), -NSEC_NEVER);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("nsec");
    TCase *tc = tcase_create("nsec");
    tcase_add_test(tc, every_unit_of_go_is_read);
    tcase_add_test(tc, parts_and_fractions_add_up);
    tcase_add_test(tc, a_sign_is_read_and_zero_needs_no_unit);
    tcase_add_test(tc, the_extremes_are_read_and_what_is_beyond_is_refused);
    tcase_add_test(tc, malformed_text_is_refused_and_named);
    tcase_add_test(tc, written_durations_are_short_and_read_back);
    tcase_add_test(tc, any_duration_reads_back_equal);
    tcase_add_test(tc, seconds_are_rounded_and_saturate);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
