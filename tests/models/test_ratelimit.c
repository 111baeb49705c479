/* Token buckets of client-go: burst, rate, queue. */
#include "models/ratelimit.h"

#include <check.h>

#define MS NSEC_PER_MSEC
#define S NSEC_PER_SEC

/* The kubelet's and registry-k8s's client: 5 requests a second, burst 10 (FACTS 1.9, 3.1). */
static RateLimit
kubelet_bucket(void)
{
    RateLimit limit;
    rate_limit_init(&limit, 5, 10);
    return limit;
}

/* Takes n tokens at once; the last one's wait. */
static nsec_t
take(RateLimit *limit, nsec_t now, int n)
{
    nsec_t wait = 0;
    for (int i = 0; i < n; i++) {
        wait = rate_limit_reserve(limit, now);
    }
    return wait;
}

START_TEST(a_full_bucket_serves_its_burst_at_once)
{
    RateLimit limit = kubelet_bucket();
    for (int i = 0; i < 10; i++) {
        ck_assert_int_eq(rate_limit_reserve(&limit, 0), 0);
    }
    ck_assert_int_eq(rate_limit_reserve(&limit, 0), 200 * MS);
}
END_TEST

START_TEST(after_the_burst_each_caller_waits_one_turn_more)
{
    RateLimit limit = kubelet_bucket();
    take(&limit, 7 * S, 10);
    for (int i = 1; i <= 50; i++) {
        ck_assert_int_eq(rate_limit_reserve(&limit, 7 * S), i * 200 * MS);
    }
}
END_TEST

START_TEST(the_fourteen_tokens_of_a_three_pod_chain_wait_800_ms)
{
    RateLimit limit = kubelet_bucket();
    ck_assert_int_eq(take(&limit, 0, 14), 800 * MS);
}
END_TEST

START_TEST(tokens_come_back_at_the_rate)
{
    RateLimit limit = kubelet_bucket();
    take(&limit, 0, 10);
    ck_assert_int_eq(take(&limit, 1 * S, 5), 0);
    ck_assert_int_eq(rate_limit_reserve(&limit, 1 * S), 200 * MS);
}
END_TEST

START_TEST(half_a_token_is_half_a_turn)
{
    RateLimit limit = kubelet_bucket();
    take(&limit, 0, 10);
    ck_assert_int_eq(rate_limit_reserve(&limit, 100 * MS), 100 * MS);
}
END_TEST

START_TEST(a_token_and_a_half_serve_one_at_once)
{
    RateLimit limit = kubelet_bucket();
    take(&limit, 0, 9);
    ck_assert_int_eq(rate_limit_reserve(&limit, 100 * MS), 0);
    ck_assert_int_eq(rate_limit_reserve(&limit, 100 * MS), 100 * MS);
}
END_TEST

START_TEST(a_rate_below_one_a_second_is_a_rate)
{
    RateLimit limit;
    rate_limit_init(&limit, 0.5, 1);
    ck_assert_int_eq(rate_limit_reserve(&limit, 0), 0);
    ck_assert_int_eq(rate_limit_reserve(&limit, 0), 2 * S);
}
END_TEST

START_TEST(who_comes_while_others_queue_waits_behind_them)
{
    RateLimit limit = kubelet_bucket();
    take(&limit, 0, 15); /* five of them leave at 0.2 .. 1.0 s */
    ck_assert_int_eq(rate_limit_reserve(&limit, 500 * MS), 700 * MS);  /* at 1.2 s */
    ck_assert_int_eq(rate_limit_reserve(&limit, 1000 * MS), 400 * MS); /* at 1.4 s */
}
END_TEST

START_TEST(an_idle_bucket_holds_no_more_than_its_burst)
{
    RateLimit limit = kubelet_bucket();
    take(&limit, 0, 3);
    ck_assert_int_eq(take(&limit, 3600 * S, 10), 0);
    ck_assert_int_eq(rate_limit_reserve(&limit, 3600 * S), 200 * MS);
}
END_TEST

START_TEST(a_steady_caller_below_the_rate_never_waits)
{
    RateLimit limit = kubelet_bucket();
    take(&limit, 0, 9);
    for (int i = 0; i < 1000; i++) {
        ck_assert_int_le(rate_limit_reserve(&limit, i * 200 * MS), 1);
    }
}
END_TEST

START_TEST(a_bucket_without_a_rate_is_unlimited)
{
    RateLimit limit;
    rate_limit_init(&limit, 0, 0);
    ck_assert_int_eq(take(&limit, 0, 1000), 0);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("ratelimit");
    TCase *tcase = tcase_create("bucket");
    tcase_add_test(tcase, a_full_bucket_serves_its_burst_at_once);
    tcase_add_test(tcase, after_the_burst_each_caller_waits_one_turn_more);
    tcase_add_test(tcase, the_fourteen_tokens_of_a_three_pod_chain_wait_800_ms);
    tcase_add_test(tcase, tokens_come_back_at_the_rate);
    tcase_add_test(tcase, half_a_token_is_half_a_turn);
    tcase_add_test(tcase, a_token_and_a_half_serve_one_at_once);
    tcase_add_test(tcase, a_rate_below_one_a_second_is_a_rate);
    tcase_add_test(tcase, who_comes_while_others_queue_waits_behind_them);
    tcase_add_test(tcase, an_idle_bucket_holds_no_more_than_its_burst);
    tcase_add_test(tcase, a_steady_caller_below_the_rate_never_waits);
    tcase_add_test(tcase, a_bucket_without_a_rate_is_unlimited);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? 0 : 1;
}
