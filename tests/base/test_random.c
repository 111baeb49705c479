/* Random streams: the published generator, uniform, and independent however little the keys
 * differ.  Seeds are fixed: a bound that holds once holds always. */
#include "base/random.h"

#include <check.h>
#include <glib.h>
#include <gsl/gsl_cdf.h>
#include <math.h>
#include <stdlib.h>

#define N_DRAWS 100000

static RandomStream
stream_of(uint64_t seed, uint32_t replication, const char *entity, const char *purpose)
{
    RandomStream stream;
    random_stream_init(&stream, seed, replication, entity, purpose);
    return stream;
}

/* Not too far from uniform, and not too close either. */
static void
assert_chi_square(const int *counts, int n_cells, int n_draws)
{
    double expected = (double)n_draws / n_cells, chi_square = 0;
    for (int i = 0; i < n_cells; i++) {
        chi_square += (counts[i] - expected) * (counts[i] - expected) / expected;
    }
    double p = gsl_cdf_chisq_P(chi_square, n_cells - 1);
    ck_assert_msg(p > 1e-4 && p < 1 - 1e-4, "chi-square %g in %d cells: P %g", chi_square, n_cells,
                  p);
}

/* Pairs of draws fall evenly on a grid, and the linear correlation is nil. */
static void
assert_independent(RandomStream a, RandomStream b)
{
    enum { SIDE = 16 };
    int counts[SIDE * SIDE] = {0};
    double sum = 0;
    for (int i = 0; i < N_DRAWS; i++) {
        double x = random_uniform(&a), y = random_uniform(&b);
        counts[(int)(x * SIDE) * SIDE + (int)(y * SIDE)]++;
        sum += 12 * (x - 0.5) * (y - 0.5);
    }
    assert_chi_square(counts, SIDE * SIDE, N_DRAWS);
    ck_assert_double_lt(fabs(sum / sqrt(N_DRAWS)), 4);
}

/* The vectors that the authors publish with the generator (Random123, kat_vectors). */
START_TEST(the_generator_is_philox_4x32_10)
{
    RandomStream zeros = {0};
    ck_assert_uint_eq(random_next_u64(&zeros), UINT64_C(0xe169c58d6627e8d5));
    ck_assert_uint_eq(random_next_u64(&zeros), UINT64_C(0x9b00dbd8bc57ac4c));
    RandomStream ones = {.key = UINT64_MAX, .name = UINT64_MAX, .block = UINT64_MAX};
    ck_assert_uint_eq(random_next_u64(&ones), UINT64_C(0x41c83b0e408f276d));
    ck_assert_uint_eq(random_next_u64(&ones), UINT64_C(0x6d5451fda20bc7c6));
    RandomStream pi = {.key = UINT64_C(0x299f31d0a4093822),
                       .name = UINT64_C(0x0370734413198a2e),
                       .block = UINT64_C(0x85a308d3243f6a88)};
    ck_assert_uint_eq(random_next_u64(&pi), UINT64_C(0x94fdccebd16cfe09));
    ck_assert_uint_eq(random_next_u64(&pi), UINT64_C(0x24126ea15001e420));
}
END_TEST

/* Results that were written down must come again: a change here changes every result. */
START_TEST(a_named_stream_never_changes_its_draws)
{
    RandomStream stream = stream_of(1, 0, "pod/nse-1", "start delay");
    ck_assert_uint_eq(random_next_u64(&stream), UINT64_C(0xe6c57ab3fc1b00ae));
    ck_assert_uint_eq(random_next_u64(&stream), UINT64_C(0xd0a546478da480ff));
    ck_assert_uint_eq(random_next_u64(&stream), UINT64_C(0xac7f79f9492a3709));
    stream = stream_of(UINT64_C(0x123456789abcdef0), 19, "", "");
    ck_assert_uint_eq(random_next_u64(&stream), UINT64_C(0x9d675869b5412d9f));
}
END_TEST

START_TEST(equal_keys_give_equal_draws)
{
    RandomStream a = stream_of(7, 3, "node/ubuntu", "cni");
    RandomStream b = stream_of(7, 3, "node/ubuntu", "cni");
    for (int i = 0; i < 1000; i++) {
        ck_assert_uint_eq(random_next_u64(&a), random_next_u64(&b));
    }
}
END_TEST

START_TEST(a_copy_continues_from_the_same_place)
{
    RandomStream stream = stream_of(7, 3, "node/ubuntu", "cni");
    random_next_u64(&stream);
    RandomStream copy = stream;
    for (int i = 0; i < 1000; i++) {
        ck_assert_uint_eq(random_next_u64(&stream), random_next_u64(&copy));
    }
}
END_TEST

START_TEST(every_part_of_the_key_makes_another_stream)
{
    const RandomStream streams[] = {
        stream_of(1, 0, "pod/a", "start"),
        stream_of(2, 0, "pod/a", "start"),
        stream_of(UINT64_C(1) << 63, 0, "pod/a", "start"),
        stream_of(1, 1, "pod/a", "start"),
        stream_of(1, UINT32_MAX, "pod/a", "start"),
        stream_of(1, 0, "pod/b", "start"),
        stream_of(1, 0, "pod/a", "stop"),
        stream_of(1, 0, "pod/as", "tart"),
        stream_of(1, 0, "pod/astart", ""),
        stream_of(1, 0, "", "pod/astart"),
        stream_of(1, 0, "start", "pod/a"),
    };
    for (size_t i = 0; i < G_N_ELEMENTS(streams); i++) {
        for (size_t k = 0; k < i; k++) {
            RandomStream a = streams[i], b = streams[k];
            ck_assert_uint_ne(random_next_u64(&a), random_next_u64(&b));
        }
    }
}
END_TEST

START_TEST(streams_that_differ_in_one_part_are_independent)
{
    RandomStream stream = stream_of(1, 0, "pod/a", "start");
    assert_independent(stream, stream_of(2, 0, "pod/a", "start"));
    assert_independent(stream, stream_of(1, 1, "pod/a", "start"));
    assert_independent(stream, stream_of(1, 0, "pod/b", "start"));
    assert_independent(stream, stream_of(1, 0, "pod/a", "stop"));
}
END_TEST

START_TEST(successive_draws_are_independent)
{
    for (int lag = 1; lag <= 4; lag++) {
        RandomStream late = stream_of(5, 0, "link", "jitter");
        for (int i = 0; i < lag; i++) {
            random_next_u64(&late);
        }
        assert_independent(stream_of(5, 0, "link", "jitter"), late);
    }
}
END_TEST

START_TEST(a_stream_is_uniform)
{
    int counts[1000] = {0};
    RandomStream stream = stream_of(42, 0, "flow", "arrivals");
    for (int i = 0; i < N_DRAWS; i++) {
        counts[(int)(random_uniform(&stream) * 1000)]++;
    }
    assert_chi_square(counts, 1000, N_DRAWS);
}
END_TEST

START_TEST(every_bit_is_set_half_the_time)
{
    int n_set[64] = {0};
    RandomStream stream = stream_of(42, 0, "flow", "sizes");
    for (int i = 0; i < N_DRAWS; i++) {
        uint64_t bits = random_next_u64(&stream);
        for (int bit = 0; bit < 64; bit++) {
            n_set[bit] += bits >> bit & 1;
        }
    }
    for (int bit = 0; bit < 64; bit++) {
        ck_assert_double_lt(fabs(n_set[bit] - N_DRAWS / 2.0), 4.5 * sqrt(N_DRAWS / 4.0));
    }
}
END_TEST

/* The first draw matters most: many a stream gives only one. */
START_TEST(first_draws_over_names_replications_and_seeds_are_uniform)
{
    int by_name[100] = {0}, by_replication[100] = {0}, by_seed[100] = {0};
    for (int i = 0; i < N_DRAWS; i++) {
        g_autofree char *entity = g_strdup_printf("pod/nse-%d", i);
        RandomStream stream = stream_of(1, 0, entity, "start");
        by_name[(int)(random_uniform(&stream) * 100)]++;
        stream = stream_of(1, (uint32_t)i, "pod/nse", "start");
        by_replication[(int)(random_uniform(&stream) * 100)]++;
        stream = stream_of((uint64_t)i, 0, "pod/nse", "start");
        by_seed[(int)(random_uniform(&stream) * 100)]++;
    }
    assert_chi_square(by_name, 100, N_DRAWS);
    assert_chi_square(by_replication, 100, N_DRAWS);
    assert_chi_square(by_seed, 100, N_DRAWS);
}
END_TEST

static int
compare_u64(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return a < b ? -1 : a > b;
}

START_TEST(half_a_million_streams_have_different_names)
{
    enum { N_PODS = 5000, N_REPLICATIONS = 100 };
    g_autofree uint64_t *names = g_new(uint64_t, N_PODS * N_REPLICATIONS);
    for (int i = 0; i < N_PODS * N_REPLICATIONS; i++) {
        g_autofree char *entity = g_strdup_printf("pod/nse-%d", i / N_REPLICATIONS);
        names[i] = stream_of(1, (uint32_t)(i % N_REPLICATIONS), entity, "start").name;
    }
    qsort(names, N_PODS * N_REPLICATIONS, sizeof *names, compare_u64);
    for (int i = 1; i < N_PODS * N_REPLICATIONS; i++) {
        ck_assert_uint_ne(names[i - 1], names[i]);
    }
}
END_TEST

START_TEST(a_uniform_is_never_0_or_1)
{
    RandomStream least = {.spare = 0, .has_spare = true};
    ck_assert_double_eq(random_uniform(&least), 0x1p-53);
    RandomStream greatest = {.spare = UINT64_MAX, .has_spare = true};
    ck_assert_double_eq(random_uniform(&greatest), 1 - 0x1p-53);
}
END_TEST

START_TEST(numbers_below_n_are_uniform)
{
    static const int limits[] = {2, 3, 7, 10, 100, 1000};
    RandomStream stream = stream_of(9, 0, "scheduler", "ties");
    for (size_t i = 0; i < G_N_ELEMENTS(limits); i++) {
        int counts[1000] = {0};
        for (int k = 0; k < N_DRAWS; k++) {
            counts[random_below(&stream, (uint64_t)limits[i])]++;
        }
        assert_chi_square(counts, limits[i], N_DRAWS);
    }
    ck_assert_uint_eq(random_below(&stream, 1), 0);
}
END_TEST

/* With n = 3/4 of 2^64 a plain remainder would give the lowest third half of all draws. */
START_TEST(a_large_n_is_not_biased)
{
    uint64_t third = UINT64_C(1) << 62;
    int counts[3] = {0};
    RandomStream stream = stream_of(9, 1, "scheduler", "ties");
    for (int i = 0; i < N_DRAWS; i++) {
        uint64_t draw = random_below(&stream, 3 * third);
        ck_assert_uint_lt(draw, 3 * third);
        counts[draw / third]++;
    }
    assert_chi_square(counts, 3, N_DRAWS);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("random");
    TCase *tc = tcase_create("random");
    tcase_add_test(tc, the_generator_is_philox_4x32_10);
    tcase_add_test(tc, a_named_stream_never_changes_its_draws);
    tcase_add_test(tc, equal_keys_give_equal_draws);
    tcase_add_test(tc, a_copy_continues_from_the_same_place);
    tcase_add_test(tc, every_part_of_the_key_makes_another_stream);
    tcase_add_test(tc, streams_that_differ_in_one_part_are_independent);
    tcase_add_test(tc, successive_draws_are_independent);
    tcase_add_test(tc, a_stream_is_uniform);
    tcase_add_test(tc, every_bit_is_set_half_the_time);
    tcase_add_test(tc, first_draws_over_names_replications_and_seeds_are_uniform);
    tcase_add_test(tc, half_a_million_streams_have_different_names);
    tcase_add_test(tc, a_uniform_is_never_0_or_1);
    tcase_add_test(tc, numbers_below_n_are_uniform);
    tcase_add_test(tc, a_large_n_is_not_biased);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
