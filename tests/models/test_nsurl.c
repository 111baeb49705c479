/* Client URLs: every form that the NSM examples use, and what is wrong named precisely. */
#include "models/nsm/nsurl.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static NsUrl
url_of(const char *text)
{
    g_autoptr(GError) error = NULL;
    NsUrl url;
    ck_assert_msg(ns_url_parse(text, &url, &error), "%s", error ? error->message : text);
    return url;
}

static void
assert_refused(const char *text, const char *found, const char *expected)
{
    g_autoptr(GError) error = NULL;
    NsUrl url = {.mechanism = NS_MECHANISM_VFIO};
    ck_assert_msg(!ns_url_parse(text, &url, &error), "\"%s\" was accepted", text);
    ck_assert_int_eq(url.mechanism, NS_MECHANISM_VFIO);
    ck_assert(g_error_matches(error, VWIRE_ERROR, VWIRE_ERROR_PARSE));
    ck_assert_msg(strstr(error->message, found), "\"%s\" is not in: %s", found, error->message);
    ck_assert_msg(strstr(error->message, expected), "%s", error->message);
}

START_TEST(the_thesis_client_url_is_read)
{
    NsUrl url = url_of("kernel://sfc-sc-chain/nsm-1");
    ck_assert_int_eq(url.mechanism, NS_MECHANISM_KERNEL);
    ck_assert_str_eq(url.service, "sfc-sc-chain");
    ck_assert_ptr_null(url.domain);
    ck_assert_str_eq(url.interface, "nsm-1");
    ck_assert_uint_eq(url.labels.n, 0);
    ck_assert_ptr_null(url.sriov_token);
    ns_url_clear(&url);
}
END_TEST

START_TEST(all_parts_are_read)
{
    NsUrl url = url_of("vfio://pingpong@my.domain/if1?app=a&sriovToken=intel/10G&x");
    g_autofree char *labels = labels_format(&url.labels);
    ck_assert_int_eq(url.mechanism, NS_MECHANISM_VFIO);
    ck_assert_str_eq(url.service, "pingpong");
    ck_assert_str_eq(url.domain, "my.domain");
    ck_assert_str_eq(url.interface, "if1");
    ck_assert_str_eq(labels, "app=a,sriovToken=intel/10G,x=");
    ck_assert_str_eq(url.sriov_token, "intel/10G");
    ns_url_clear(&url);
}
END_TEST

START_TEST(interface_and_labels_may_be_absent)
{
    static const char *const texts[] = {"memif://svc", "memif://svc/", "MEMIF://svc?"};
    for (guint i = 0; i < G_N_ELEMENTS(texts); i++) {
        NsUrl url = url_of(texts[i]);
        ck_assert_int_eq(url.mechanism, NS_MECHANISM_MEMIF);
        ck_assert_str_eq(url.service, "svc");
        ck_assert_ptr_null(url.interface);
        ck_assert_uint_eq(url.labels.n, 0);
        ns_url_clear(&url);
    }
}
END_TEST

START_TEST(labels_are_decoded_and_repeated_ones_joined)
{
    NsUrl url = url_of("kernel://svc/nsm-1?a=1&b=x%2Fy+z&a=2&&c=d=e");
    g_autofree char *labels = labels_format(&url.labels);
    ck_assert_str_eq(labels, "a=1,2,b=x/y z,c=d=e");
    ns_url_clear(&url);
}
END_TEST

START_TEST(the_last_path_segment_names_the_interface)
{
    NsUrl url = url_of("kernel://svc/some/nsm-1?l=a/b");
    ck_assert_str_eq(url.interface, "nsm-1");
    ck_assert_str_eq(labels_get(&url.labels, "l"), "a/b");
    ns_url_clear(&url);
}
END_TEST

START_TEST(wrong_urls_say_what_was_found_and_expected)
{
    assert_refused("tcp://svc/nsm-1", "\"tcp\"", "kernel, memif or vfio");
    assert_refused(" kernel://svc", "\" kernel\"", "kernel, memif or vfio");
    assert_refused("svc/nsm-1", "no \"://\"", "kernel|memif|vfio");
    assert_refused("", "no \"://\"", "kernel|memif|vfio");
    assert_refused("kernel://", "no service", "service[@domain]");
    assert_refused("kernel:///nsm-1", "no service", "service[@domain]");
    assert_refused("kernel://@domain/nsm-1", "no service", "service[@domain]");
    assert_refused("kernel://a@b@c/nsm-1", "\"a@b@c\"", "service[@domain]");
    assert_refused("kernel://a@/nsm-1", "\"a@\"", "service[@domain]");
    assert_refused("kernel://svc:80/nsm-1", "\":\"", "service[@domain]");
    assert_refused("kernel://my svc/nsm-1", "\" \"", "service[@domain]");
    assert_refused("kernel://svc/nsm-1?=x", "\"=x\"", "label=value");
    assert_refused("kernel://svc/nsm-1?a=%zz", "broken escape", "hexadecimal");
    assert_refused("kernel://svc/nsm%-1", "broken escape", "hexadecimal");
}
END_TEST

START_TEST(lists_are_split_at_commas)
{
    g_autoptr(GArray) urls = ns_url_parse_list("kernel://a/nsm-1?x=y,memif://b/nsm-2", NULL);
    ck_assert_uint_eq(urls->len, 2);
    ck_assert_str_eq(g_array_index(urls, NsUrl, 0).service, "a");
    ck_assert_str_eq(labels_get(&g_array_index(urls, NsUrl, 0).labels, "x"), "y");
    ck_assert_str_eq(g_array_index(urls, NsUrl, 1).service, "b");
    ck_assert_int_eq(g_array_index(urls, NsUrl, 1).mechanism, NS_MECHANISM_MEMIF);
}
END_TEST

START_TEST(a_list_with_a_wrong_or_empty_member_is_refused)
{
    static const char *const texts[] = {"", "kernel://a,", "kernel://a,,kernel://b",
                                        "kernel://a,b"};
    for (guint i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(GError) error = NULL;
        ck_assert_ptr_null(ns_url_parse_list(texts[i], &error));
        ck_assert_msg(strstr(error->message, "expected"), "%s", error->message);
    }
}
END_TEST

START_TEST(mechanisms_have_their_scheme_as_name)
{
    ck_assert_str_eq(ns_mechanism_name(NS_MECHANISM_KERNEL), "kernel");
    ck_assert_str_eq(ns_mechanism_name(NS_MECHANISM_MEMIF), "memif");
    ck_assert_str_eq(ns_mechanism_name(NS_MECHANISM_VFIO), "vfio");
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("nsurl");
    TCase *tc = tcase_create("nsurl");
    tcase_add_test(tc, the_thesis_client_url_is_read);
    tcase_add_test(tc, all_parts_are_read);
    tcase_add_test(tc, interface_and_labels_may_be_absent);
    tcase_add_test(tc, labels_are_decoded_and_repeated_ones_joined);
    tcase_add_test(tc, the_last_path_segment_names_the_interface);
    tcase_add_test(tc, wrong_urls_say_what_was_found_and_expected);
    tcase_add_test(tc, lists_are_split_at_commas);
    tcase_add_test(tc, a_list_with_a_wrong_or_empty_member_is_refused);
    tcase_add_test(tc, mechanisms_have_their_scheme_as_name);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
