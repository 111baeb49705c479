/* Label sets and selectors: order, subsets, and the corners of Kubernetes' selector rules. */
#include "models/labels.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

/* A set from "k:v,k2:v2". */
static Labels
set_of(const char *text)
{
    Labels labels;
    ck_assert(labels_parse_env(text, &labels, NULL));
    return labels;
}

/* `values` is comma-separated; its array lives until the requirement is cleared. */
static SelectorRequirement
requirement_of(const char *key, SelectorOperator op, const char *values)
{
    return (SelectorRequirement){g_strdup(key), op, g_strsplit(values, ",", -1)};
}

static bool
requirement_holds(const char *key, SelectorOperator op, const char *values, const char *labels)
{
    Labels set = set_of(labels);
    SelectorRequirement requirement = requirement_of(key, op, values);
    bool holds = selector_requirement_matches(&requirement, &set);
    selector_requirement_clear(&requirement);
    labels_clear(&set);
    return holds;
}

START_TEST(keys_are_sorted_whatever_the_order_of_setting)
{
    Labels labels = {0};
    labels_set(&labels, "c", "3");
    labels_set(&labels, "a", "1");
    labels_set(&labels, "b", "2");
    g_autofree char *text = labels_format(&labels);
    ck_assert_str_eq(text, "a=1,b=2,c=3");
    labels_clear(&labels);
    g_autofree char *empty = labels_format(&labels);
    ck_assert_str_eq(empty, "");
}
END_TEST

START_TEST(setting_a_key_again_replaces_its_value)
{
    Labels labels = set_of("app:nse,tier:a");
    labels_set(&labels, "app", "firewall");
    ck_assert_uint_eq(labels.n, 2);
    ck_assert_str_eq(labels_get(&labels, "app"), "firewall");
    labels_set(&labels, "app", labels_get(&labels, "app"));
    ck_assert_str_eq(labels_get(&labels, "app"), "firewall");
    ck_assert_ptr_null(labels_get(&labels, "ap"));
    labels_clear(&labels);
}
END_TEST

START_TEST(a_copy_is_equal_and_independent)
{
    Labels labels = set_of("a:1,b:2");
    Labels copy;
    labels_copy(&labels, &copy);
    ck_assert(labels_equal(&labels, &copy));
    labels_set(&copy, "b", "3");
    ck_assert(!labels_equal(&labels, &copy));
    ck_assert_str_eq(labels_get(&labels, "b"), "2");
    labels_clear(&labels);
    labels_clear(&copy);
}
END_TEST

START_TEST(a_subset_needs_every_pair_with_its_value)
{
    Labels all = set_of("app:nse,node:n1,pod:p1");
    Labels some = set_of("pod:p1,app:nse");
    Labels other = set_of("app:nsc");
    Labels none = {0};
    ck_assert(labels_subset(&some, &all));
    ck_assert(!labels_subset(&all, &some));
    ck_assert(!labels_subset(&other, &all));
    ck_assert(labels_subset(&none, &all));
    ck_assert(labels_subset(&none, &none));
    ck_assert(!labels_equal(&some, &all));
    labels_clear(&all);
    labels_clear(&some);
    labels_clear(&other);
}
END_TEST

START_TEST(the_environment_form_is_read_as_envconfig_reads_it)
{
    Labels labels = set_of("app:firewall,spiffe.io/spiffe-id:true,empty:,app:late");
    g_autofree char *text = labels_format(&labels);
    ck_assert_str_eq(text, "app=late,empty=,spiffe.io/spiffe-id=true");
    labels_clear(&labels);
    Labels blank = set_of("  ");
    ck_assert_uint_eq(blank.n, 0);
}
END_TEST

START_TEST(a_pair_without_exactly_one_colon_is_refused)
{
    static const char *const texts[] = {"app", "app:a,", "app=a", "url:tcp://x", "a:b,,c:d"};
    static const char *const found[] = {"\"app\"", "\"\"", "\"app=a\"", "\"url:tcp://x\"", "\"\""};
    for (guint i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(GError) error = NULL;
        Labels labels = {.n = 99};
        ck_assert(!labels_parse_env(texts[i], &labels, &error));
        ck_assert_uint_eq(labels.n, 99);
        ck_assert_msg(strstr(error->message, found[i]), "%s", error->message);
    }
}
END_TEST

START_TEST(in_needs_the_key_and_not_in_does_not)
{
    ck_assert(requirement_holds("app", SELECTOR_IN, "a,b", "app:b"));
    ck_assert(!requirement_holds("app", SELECTOR_IN, "a,b", "app:c"));
    ck_assert(!requirement_holds("app", SELECTOR_IN, "a,b", "x:a"));
    ck_assert(!requirement_holds("app", SELECTOR_NOT_IN, "a,b", "app:a"));
    ck_assert(requirement_holds("app", SELECTOR_NOT_IN, "a,b", "app:c"));
    ck_assert(requirement_holds("app", SELECTOR_NOT_IN, "a,b", "x:a"));
}
END_TEST

START_TEST(existence_looks_at_the_key_only)
{
    ck_assert(requirement_holds("app", SELECTOR_EXISTS, "", "app:"));
    ck_assert(!requirement_holds("app", SELECTOR_EXISTS, "", "x:1"));
    ck_assert(requirement_holds("app", SELECTOR_DOES_NOT_EXIST, "", "x:1"));
    ck_assert(!requirement_holds("app", SELECTOR_DOES_NOT_EXIST, "", "app:1"));
}
END_TEST

START_TEST(gt_and_lt_compare_integers_only)
{
    ck_assert(requirement_holds("cores", SELECTOR_GT, "9", "cores:10"));
    ck_assert(!requirement_holds("cores", SELECTOR_GT, "10", "cores:10"));
    ck_assert(requirement_holds("cores", SELECTOR_LT, "10", "cores:9"));
    ck_assert(!requirement_holds("cores", SELECTOR_LT, "10", "cores:many"));
    ck_assert(!requirement_holds("cores", SELECTOR_LT, "10", "x:1"));
    ck_assert(!requirement_holds("cores", SELECTOR_GT, "few", "cores:9"));
}
END_TEST

START_TEST(an_absent_selector_matches_nothing_and_an_empty_one_everything)
{
    Labels labels = set_of("app:nse");
    LabelSelector selector = {0};
    ck_assert(!label_selector_matches(&selector, &labels));
    selector.present = true;
    ck_assert(label_selector_matches(&selector, &labels));
    labels_clear(&labels);
    ck_assert(label_selector_matches(&selector, &labels));
}
END_TEST

START_TEST(a_selector_needs_labels_and_requirements)
{
    Labels labels = set_of("app:nse,tier:a");
    LabelSelector selector = {.present = true, .n_requirements = 1};
    labels_set(&selector.match_labels, "app", "nse");
    selector.requirements = g_new(SelectorRequirement, 1);
    selector.requirements[0] = requirement_of("tier", SELECTOR_IN, "a,b");
    ck_assert(label_selector_matches(&selector, &labels));
    labels_set(&labels, "tier", "c");
    ck_assert(!label_selector_matches(&selector, &labels));
    labels_set(&labels, "tier", "a");
    labels_set(&labels, "app", "nsc");
    ck_assert(!label_selector_matches(&selector, &labels));
    label_selector_clear(&selector);
    ck_assert(!selector.present);
    labels_clear(&labels);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("labels");
    TCase *tc = tcase_create("labels");
    tcase_add_test(tc, keys_are_sorted_whatever_the_order_of_setting);
    tcase_add_test(tc, setting_a_key_again_replaces_its_value);
    tcase_add_test(tc, a_copy_is_equal_and_independent);
    tcase_add_test(tc, a_subset_needs_every_pair_with_its_value);
    tcase_add_test(tc, the_environment_form_is_read_as_envconfig_reads_it);
    tcase_add_test(tc, a_pair_without_exactly_one_colon_is_refused);
    tcase_add_test(tc, in_needs_the_key_and_not_in_does_not);
    tcase_add_test(tc, existence_looks_at_the_key_only);
    tcase_add_test(tc, gt_and_lt_compare_integers_only);
    tcase_add_test(tc, an_absent_selector_matches_nothing_and_an_empty_one_everything);
    tcase_add_test(tc, a_selector_needs_labels_and_requirements);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
