/* Properties: random clusters, chains and faults (tests/sim/fault_cases.h), with invariants on
 * every step, and everything that can be up is up when the faults are over (fault_trial.h).
 *
 * VWIRE_CASES=N runs so many (default 2,000); VWIRE_CASE=K only that one, and with
 * VWIRE_MARKS=1 prints all its marks.  A case that fails leaves its files; their place, the seed
 * and the command to replay it are printed. */
#include "tests/sim/fault_trial.h"

#include <stdlib.h>

enum { N_CASES = 2000, N_BATCH = 20 };

#define QUIET (200 * NSEC_PER_SEC) /* the faults are over, and most chains are up again */
#define PATIENCE (1790 * NSEC_PER_SEC)

static void
describe(const Trial *trial, GString *text)
{
    const FaultCase *c = trial->c;
    g_string_append_printf(text, "%s, %u nodes%s; last heal at %g s", c->version, c->n_nodes,
                           c->per_pod_identity ? ", an identity per Pod" : "",
                           nsec_to_seconds(trial->last_heal));
    for (guint i = 0; i < c->n_chains; i++) {
        const CaseChain *chain = &c->chains[i];
        g_string_append_printf(text, "; chain-%u: %s%s%s, %u pass-throughs, %s", i + 1,
                               chain->memif_client ? "memif" : "kernel", chain->init ? " init" : "",
                               chain->liveness ? "" : " no liveness", chain->n_passes,
                               chain->memif_server ? "memif" : "kernel");
    }
}

static void
run_case(guint number)
{
    g_autoptr(FaultCase) c = fault_case_new(number);
    g_autoptr(Trial) trial = trial_new(c);
    wrap_plane(trial);
    trial_run(trial, LAST_STRIKE * NSEC_PER_SEC);
    stop_strikes(trial);
    trial_run(trial, QUIET);
    g_autofree char *missing = NULL;
    while (trial->problem == NULL && (missing = what_is_missing(trial)) != NULL) {
        if (world_now(trial->world) > PATIENCE) {
            complain(trial, "%s", missing);
        }
        g_clear_pointer(&missing, g_free);
        trial_run(trial, world_now(trial->world) + 10 * NSEC_PER_SEC);
    }
    nsec_t up = world_now(trial->world);
    for (guint i = 0; i < c->n_chains && trial->problem == NULL; i++) {
        check_echoes(trial, i);
    }
    if (trial->problem == NULL) {
        check_final_registrations(trial);
    }
    if (g_getenv("VWIRE_VERBOSE") != NULL) {
        g_print("case %u: %s after %g s\n", number,
                trial->problem != NULL ? trial->problem : "well", nsec_to_seconds(up));
    }
    g_autoptr(GString) shape = g_string_new(NULL);
    describe(trial, shape);
    ck_assert_msg(trial->problem == NULL,
                  "case %u: %s\n(%s)\nreplay%s: build/release/vwire run %s -s %" G_GUINT64_FORMAT
                  " -n 1 --rep 0 -o /tmp/case-%u",
                  number, trial->problem, shape->str,
                  c->repeats ? " (there, repeated faults go on after 120 s)" : "", c->path, c->seed,
                  number);
}

START_TEST(whatever_breaks_the_invariants_hold_and_what_can_be_up_comes_up)
{
    for (guint i = 0; i < N_BATCH; i++) {
        scratch_setup();
        run_case((guint)_i * N_BATCH + i);
        scratch_teardown();
    }
}
END_TEST

/* The invariants only look: a run without them, and by world_run, is the same. */
START_TEST(the_same_seed_gives_the_same_fingerprint)
{
    nsec_t until = LAST_STRIKE * NSEC_PER_SEC;
    uint64_t values[3];
    for (guint k = 0; k < 3; k++) {
        scratch_setup();
        g_autoptr(FaultCase) c = fault_case_new((guint)_i);
        g_autoptr(Trial) trial = trial_new(c);
        if (k == 0) {
            wrap_plane(trial);
            trial_run(trial, until);
            ck_assert_msg(trial->problem == NULL, "%s", trial->problem);
        }
        /* the trial went one event further */
        world_run(trial->world, k == 0 ? world_now(trial->world) : until + NSEC_PER_SEC / 10);
        world_run(trial->world, until + NSEC_PER_SEC);
        values[k] = fingerprint_value(&trial->fingerprint);
        scratch_teardown();
    }
    ck_assert_uint_eq(values[0], values[1]);
    ck_assert_uint_eq(values[1], values[2]);
}
END_TEST

START_TEST(one_case)
{
    scratch_setup();
    run_case((guint)_i);
    scratch_teardown();
}
END_TEST

static Suite *
faults_suite(void)
{
    Suite *suite = suite_create("faults");
    TCase *cases = tcase_create("cases");
    const char *one = g_getenv("VWIRE_CASE"), *n_text = g_getenv("VWIRE_CASES");
    int n = n_text != NULL ? atoi(n_text) : N_CASES;
    if (one != NULL) {
        tcase_add_loop_test(cases, one_case, atoi(one), atoi(one) + 1);
    } else {
        tcase_add_loop_test(cases, the_same_seed_gives_the_same_fingerprint, 0, 10);
        tcase_add_loop_test(cases, whatever_breaks_the_invariants_hold_and_what_can_be_up_comes_up,
                            0, (n + N_BATCH - 1) / N_BATCH);
    }
    suite_add_tcase(suite, cases);
    return suite;
}

int
main(void)
{
    SRunner *runner = srunner_create(faults_suite());
    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
