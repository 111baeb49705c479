/* Addresses for V-wires: pairs, first come first served, kept while a connection lives. */
#include "models/nsm/ipam.h"

#include "tests/models/nsm_step.h"

static Ipam ipam;

/* The next pair must be these two, "dst src". */
static void
assert_taken(const char *connection, const char *pair)
{
    g_autofree char *dst = NULL;
    g_autofree char *src = NULL;
    ck_assert_msg(ipam_take(&ipam, connection, &dst, &src), "%s: exhausted", connection);
    g_autofree char *both = g_strdup_printf("%s %s", dst, src);
    ck_assert_str_eq(both, pair);
}

static void
assert_exhausted(const char *connection)
{
    char *dst = NULL, *src = NULL;
    ck_assert(!ipam_take(&ipam, connection, &dst, &src));
    ck_assert_ptr_null(dst);
    ck_assert_ptr_null(src);
}

START_TEST(each_connection_gets_the_next_pair)
{
    ck_assert(ipam_init(&ipam, "172.16.1.0/24"));
    assert_taken("a", "172.16.1.0 172.16.1.1");
    assert_taken("b", "172.16.1.2 172.16.1.3");
    assert_taken("c", "172.16.1.4 172.16.1.5");
    ipam_clear(&ipam);
}
END_TEST

START_TEST(a_connection_keeps_its_pair)
{
    ck_assert(ipam_init(&ipam, "172.16.1.0/24"));
    assert_taken("a", "172.16.1.0 172.16.1.1");
    assert_taken("b", "172.16.1.2 172.16.1.3");
    assert_taken("a", "172.16.1.0 172.16.1.1");
    assert_taken("c", "172.16.1.4 172.16.1.5");
    ipam_clear(&ipam);
}
END_TEST

START_TEST(the_testbeds_prefix_is_one_pair)
{
    ck_assert(ipam_init(&ipam, "172.16.1.100/31"));
    ck_assert_uint_eq(ipam.n_pairs, 1);
    assert_taken("a", "172.16.1.100 172.16.1.101");
    assert_exhausted("b");
    assert_taken("a", "172.16.1.100 172.16.1.101");
    ipam_clear(&ipam);
}
END_TEST

START_TEST(a_prefix_of_n_bits_has_half_as_many_pairs_as_addresses)
{
    ck_assert(ipam_init(&ipam, "10.0.0.8/29"));
    static const char *const names[] = {"a", "b", "c", "d"};
    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *pair = g_strdup_printf("10.0.0.%u 10.0.0.%u", 8 + 2 * i, 9 + 2 * i);
        assert_taken(names[i], pair);
    }
    assert_exhausted("e");
    ipam_clear(&ipam);
}
END_TEST

START_TEST(a_released_pair_is_given_again)
{
    ck_assert(ipam_init(&ipam, "10.0.0.0/30"));
    assert_taken("a", "10.0.0.0 10.0.0.1");
    assert_taken("b", "10.0.0.2 10.0.0.3");
    assert_exhausted("c");
    ipam_release(&ipam, "a");
    ipam_release(&ipam, "a");
    ipam_release(&ipam, "unknown");
    assert_taken("c", "10.0.0.0 10.0.0.1");
    assert_exhausted("a");
    ipam_clear(&ipam);
}
END_TEST

START_TEST(host_bits_of_the_prefix_do_not_count)
{
    ck_assert(ipam_init(&ipam, "10.0.0.77/26"));
    assert_taken("a", "10.0.0.64 10.0.0.65");
    ipam_clear(&ipam);
}
END_TEST

START_TEST(wrong_prefixes_give_nothing)
{
    static const char *const wrong[] = {"",           "10.0.0.0",    "10.0.0.0/", "10.0.0.0/0",
                                        "10.0.0/24",  "10.0.0.0/32", "fe80::/64", "/24",
                                        "10.0.0.0/x", "10.0.0.0/-1"};
    for (guint i = 0; i < G_N_ELEMENTS(wrong); i++) {
        ck_assert_msg(!ipam_init(&ipam, wrong[i]), "accepted: %s", wrong[i]);
        assert_exhausted("a");
        ipam_release(&ipam, "a");
        ipam_clear(&ipam);
    }
}
END_TEST

START_TEST(trailing_text_after_the_length_is_wrong)
{
    bool accepted = ipam_init(&ipam, "10.0.0.0/24x");
    ipam_clear(&ipam);
    ck_assert(!accepted);
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {
        each_connection_gets_the_next_pair, a_connection_keeps_its_pair,
        the_testbeds_prefix_is_one_pair,    a_prefix_of_n_bits_has_half_as_many_pairs_as_addresses,
        a_released_pair_is_given_again,     host_bits_of_the_prefix_do_not_count,
        wrong_prefixes_give_nothing,        trailing_text_after_the_length_is_wrong,
    };
    return run_tests("ipam", tests, G_N_ELEMENTS(tests), NULL, 0);
}
