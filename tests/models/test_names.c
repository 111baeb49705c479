/* The substring index, against the plain scan it replaces. */
#include "models/nsm/names.h"

#include <check.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The items are the names themselves, so that an answer can be read: "fire,firewall". */
static void
assert_finds(NameIndex *index, const char *query, const char *expected)
{
    g_autoptr(GPtrArray) found = name_index_lookup(index, query);
    g_ptr_array_add(found, NULL);
    g_autofree char *text = g_strjoinv(",", (char **)found->pdata);
    ck_assert_str_eq(text, expected);
}

START_TEST(a_name_is_found_by_any_part_of_it)
{
    g_autoptr(NameIndex) index = name_index_new();
    char name[] = "nse-kernel-5d8f";
    name_index_add(index, name, name);
    assert_finds(index, "nse-kernel-5d8f", name);
    assert_finds(index, "nse", name);
    assert_finds(index, "5d8f", name);
    assert_finds(index, "kernel-5", name);
    assert_finds(index, "nse-kernel-5d8ff", "");
    assert_finds(index, "kernal", "");
    assert_finds(index, "ef", "");
}
END_TEST

START_TEST(fire_also_finds_firewall)
{
    g_autoptr(NameIndex) index = name_index_new();
    char firewall[] = "firewall";
    char fire[] = "fire";
    name_index_add(index, firewall, firewall);
    name_index_add(index, fire, fire);
    assert_finds(index, "fire", "firewall,fire");
    assert_finds(index, "firewall", "firewall");
}
END_TEST

START_TEST(answers_come_in_the_order_of_arrival)
{
    g_autoptr(NameIndex) index = name_index_new();
    char *names[] = {(char[]){"ns-b"}, (char[]){"ns-a"}, (char[]){"ns-c"}};
    for (guint i = 0; i < 3; i++) {
        name_index_add(index, names[i], names[i]);
    }
    assert_finds(index, "ns-", "ns-b,ns-a,ns-c");
    ck_assert(name_index_remove(index, "ns-b", names[0]));
    name_index_add(index, "ns-b", names[0]);
    assert_finds(index, "ns-", "ns-a,ns-c,ns-b");
}
END_TEST

START_TEST(the_empty_query_finds_all)
{
    g_autoptr(NameIndex) index = name_index_new();
    assert_finds(index, "", "");
    assert_finds(index, "a", "");
    char a[] = "a";
    char empty[] = "";
    name_index_add(index, "a", a);
    name_index_add(index, "", empty);
    assert_finds(index, "", "a,");
    assert_finds(index, "a", "a");
}
END_TEST

START_TEST(a_name_that_repeats_the_query_is_found_once)
{
    g_autoptr(NameIndex) index = name_index_new();
    char name[] = "aaaaaaaaaaaa";
    name_index_add(index, name, name);
    assert_finds(index, "a", name);
    assert_finds(index, "aaaaaaaaa", name);
}
END_TEST

START_TEST(items_may_share_a_name)
{
    g_autoptr(NameIndex) index = name_index_new();
    char one[] = "one";
    char two[] = "two";
    name_index_add(index, "svc", one);
    name_index_add(index, "svc", two);
    assert_finds(index, "v", "one,two");
    ck_assert(name_index_remove(index, "svc", one));
    assert_finds(index, "v", "two");
    ck_assert(name_index_remove(index, "svc", two));
    assert_finds(index, "v", "");
}
END_TEST

START_TEST(a_pair_that_is_not_there_cannot_be_removed)
{
    g_autoptr(NameIndex) index = name_index_new();
    char item[] = "item";
    name_index_add(index, "svc", item);
    ck_assert(!name_index_remove(index, "svc", NULL));
    ck_assert(!name_index_remove(index, "sv", item));
    ck_assert(name_index_remove(index, "svc", item));
    ck_assert(!name_index_remove(index, "svc", item));
}
END_TEST

static uint32_t
next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33);
}

/* The answer of the plain scan. */
static GPtrArray *
scan(const GPtrArray *names, const char *query)
{
    GPtrArray *found = g_ptr_array_new();
    for (guint i = 0; i < names->len; i++) {
        if (strstr(names->pdata[i], query)) {
            g_ptr_array_add(found, names->pdata[i]);
        }
    }
    return found;
}

/* Short words over a small alphabet with bytes beyond ASCII: many equal suffixes. */
static char *
random_word(uint64_t *state, guint longest)
{
    static const char alphabet[] = {'a', 'b', '-', (char)0xc3};
    guint n = next_random(state) % (longest + 1);
    char *word = g_malloc0(n + 1);
    for (guint i = 0; i < n; i++) {
        word[i] = alphabet[next_random(state) % sizeof(alphabet)];
    }
    return word;
}

START_TEST(the_index_answers_as_a_scan_does)
{
    g_autoptr(NameIndex) index = name_index_new();
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    uint64_t state = 1;
    for (int step = 0; step < 4000; step++) {
        if (names->len > 0 && next_random(&state) % 100 < 35) {
            guint victim = next_random(&state) % names->len;
            ck_assert(name_index_remove(index, names->pdata[victim], names->pdata[victim]));
            g_ptr_array_remove_index(names, victim);
        } else {
            char *name = random_word(&state, 20);
            g_ptr_array_add(names, name);
            name_index_add(index, name, name);
        }
        if (step % 10 == 0) {
            g_autofree char *query = random_word(&state, 12);
            g_autoptr(GPtrArray) found = name_index_lookup(index, query);
            g_autoptr(GPtrArray) expected = scan(names, query);
            ck_assert_uint_eq(found->len, expected->len);
            ck_assert(found->len == 0 ||
                      memcmp(found->pdata, expected->pdata, found->len * sizeof(gpointer)) == 0);
        }
    }
}
END_TEST

/* A generous bound: a scan per look-up takes about ten times as long. */
START_TEST(twenty_thousand_names_work_quickly)
{
    enum { N = 20000 };
    g_autoptr(NameIndex) index = name_index_new();
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    uint64_t state = 7;
    gint64 start = g_get_monotonic_time();
    for (guint i = 0; i < N; i++) {
        uint32_t a = next_random(&state);
        uint32_t b = next_random(&state);
        char *name = g_strdup_printf("nse-kernel-%08x-%04x-%04x-%05u", a, b >> 16, b & 0xffff, i);
        g_ptr_array_add(names, name);
        name_index_add(index, name, name);
    }
    gint64 added = g_get_monotonic_time();
    for (guint i = 0; i < N; i++) {
        g_autoptr(GPtrArray) found = name_index_lookup(index, names->pdata[i]);
        ck_assert_uint_eq(found->len, 1);
        ck_assert_ptr_eq(found->pdata[0], names->pdata[i]);
    }
    gint64 looked_up = g_get_monotonic_time();
    for (guint i = 0; i < N; i++) {
        ck_assert(name_index_remove(index, names->pdata[i], names->pdata[i]));
    }
    gint64 removed = g_get_monotonic_time();
    printf("20000 names: add %.0f ms, look up %.0f ms, remove %.0f ms\n",
           (double)(added - start) / 1e3, (double)(looked_up - added) / 1e3,
           (double)(removed - looked_up) / 1e3);
    ck_assert_int_lt(looked_up - added, 2 * G_USEC_PER_SEC);
    assert_finds(index, "", "");
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("names");
    TCase *tc = tcase_create("names");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, a_name_is_found_by_any_part_of_it);
    tcase_add_test(tc, fire_also_finds_firewall);
    tcase_add_test(tc, answers_come_in_the_order_of_arrival);
    tcase_add_test(tc, the_empty_query_finds_all);
    tcase_add_test(tc, a_name_that_repeats_the_query_is_found_once);
    tcase_add_test(tc, items_may_share_a_name);
    tcase_add_test(tc, a_pair_that_is_not_there_cannot_be_removed);
    tcase_add_test(tc, the_index_answers_as_a_scan_does);
    tcase_add_test(tc, twenty_thousand_names_work_quickly);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
