/* Probe workers: when they tick, what their results mean. */
#include "models/k8s/probe.h"

#include <check.h>
#include <string.h>

#define S NSEC_PER_SEC
#define MS NSEC_PER_MSEC

static ProbeSpec
every(nsec_t period)
{
    return (ProbeSpec){.kind = PROBE_EXEC,
                       .timeout = S,
                       .period = period,
                       .success_threshold = 1,
                       .failure_threshold = 3};
}

/* Gives the results "+" and "-"; the verdict after them, and how often it changed. */
static ProbeVerdict
judge(Probe *probe, const char *results, int *n_changes)
{
    *n_changes = 0;
    for (const char *result = results; *result != '\0'; result++) {
        *n_changes += probe_result(probe, *result == '+');
    }
    return probe->verdict;
}

/* ---- ticks ---- */

START_TEST(ticks_lie_on_the_grid_of_the_worker)
{
    ProbeSpec spec = every(5 * S);
    Probe probe;
    probe_init(&probe, &spec, 2300 * MS);
    ck_assert_int_eq(probe_next_tick(&probe, 2400 * MS, 0), 7300 * MS);
    ck_assert_int_eq(probe_next_tick(&probe, 7299 * MS, 0), 7300 * MS);
    ck_assert_int_eq(probe_next_tick(&probe, 9 * S, 0), 12300 * MS);
    ck_assert_int_eq(probe_next_tick(&probe, 3600 * S, 0), 3602300 * MS);
}
END_TEST

START_TEST(the_next_tick_is_never_now)
{
    ProbeSpec spec = every(5 * S);
    Probe probe;
    probe_init(&probe, &spec, 2 * S);
    ck_assert_int_eq(probe_next_tick(&probe, 2 * S, 0), 7 * S);
    ck_assert_int_eq(probe_next_tick(&probe, 7 * S, 0), 12 * S);
}
END_TEST

START_TEST(the_first_tick_is_the_workers_start)
{
    ProbeSpec spec = every(5 * S);
    Probe probe;
    probe_init(&probe, &spec, 2 * S);
    ck_assert_int_eq(probe_next_tick(&probe, 1 * S, 0), 2 * S);
}
END_TEST

START_TEST(the_initial_delay_counts_from_the_containers_start)
{
    ProbeSpec spec = every(5 * S);
    spec.initial_delay = 10 * S;
    Probe probe;
    probe_init(&probe, &spec, 1 * S);
    /* started at 4 s: nothing before 14 s; the grid is 1, 6, 11, 16 s */
    ck_assert_int_eq(probe_next_tick(&probe, 5 * S, 4 * S), 16 * S);
    ck_assert_int_eq(probe_next_tick(&probe, 5 * S, 6 * S), 16 * S);
    ck_assert_int_eq(probe_next_tick(&probe, 5 * S, 6 * S + 1), 21 * S);
    ck_assert_int_eq(probe_next_tick(&probe, 16 * S, 4 * S), 21 * S);
}
END_TEST

START_TEST(a_restart_keeps_the_grid)
{
    ProbeSpec spec = every(5 * S);
    Probe probe;
    probe_init(&probe, &spec, 1 * S);
    probe_reset(&probe);
    ck_assert_int_eq(probe_next_tick(&probe, 23 * S, 22 * S), 26 * S);
}
END_TEST

START_TEST(a_period_below_a_second_is_a_second)
{
    ProbeSpec spec = every(0);
    Probe probe;
    probe_init(&probe, &spec, 0);
    ck_assert_int_eq(probe_next_tick(&probe, 1500 * MS, 0), 2 * S);
}
END_TEST

/* ---- results ---- */

START_TEST(three_failures_in_a_row_fail_by_default)
{
    ProbeSpec spec = every(10 * S);
    Probe probe;
    int n_changes;
    probe_init(&probe, &spec, 0);
    ck_assert_int_eq(judge(&probe, "--", &n_changes), PROBE_UNDECIDED);
    ck_assert_int_eq(n_changes, 0);
    ck_assert(probe_result(&probe, false));
    ck_assert_int_eq(probe.verdict, PROBE_FAILED);
}
END_TEST

START_TEST(a_success_between_failures_begins_the_count_anew)
{
    ProbeSpec spec = every(10 * S);
    Probe probe;
    int n_changes;
    probe_init(&probe, &spec, 0);
    ck_assert_int_eq(judge(&probe, "--+--+--", &n_changes), PROBE_PASSED);
    ck_assert_int_eq(n_changes, 1);
    ck_assert_int_eq(judge(&probe, "-", &n_changes), PROBE_FAILED);
}
END_TEST

START_TEST(a_verdict_is_told_once_and_can_be_taken_back)
{
    ProbeSpec spec = every(10 * S);
    Probe probe;
    int n_changes;
    probe_init(&probe, &spec, 0);
    ck_assert_int_eq(judge(&probe, "++++", &n_changes), PROBE_PASSED);
    ck_assert_int_eq(n_changes, 1);
    ck_assert_int_eq(judge(&probe, "-----", &n_changes), PROBE_FAILED);
    ck_assert_int_eq(n_changes, 1);
    ck_assert_int_eq(judge(&probe, "+", &n_changes), PROBE_PASSED);
    ck_assert_int_eq(n_changes, 1);
}
END_TEST

START_TEST(readiness_may_ask_for_several_successes)
{
    ProbeSpec spec = every(10 * S);
    spec.success_threshold = 3;
    Probe probe;
    int n_changes;
    probe_init(&probe, &spec, 0);
    ck_assert_int_eq(judge(&probe, "++-++", &n_changes), PROBE_UNDECIDED);
    ck_assert_int_eq(judge(&probe, "+", &n_changes), PROBE_PASSED);
}
END_TEST

START_TEST(a_new_container_has_a_clean_record)
{
    ProbeSpec spec = every(10 * S);
    Probe probe;
    int n_changes;
    probe_init(&probe, &spec, 0);
    judge(&probe, "+--", &n_changes);
    probe.ticking = true;
    probe_reset(&probe);
    ck_assert(!probe.ticking);
    ck_assert_int_eq(probe.verdict, PROBE_UNDECIDED);
    ck_assert_int_eq(judge(&probe, "--", &n_changes), PROBE_UNDECIDED);
    ck_assert_int_eq(judge(&probe, "-", &n_changes), PROBE_FAILED);
}
END_TEST

START_TEST(a_container_without_a_probe_has_none)
{
    ProbeSpec none = {.kind = PROBE_NONE};
    ProbeSpec some = every(S);
    Probe probe;
    probe_init(&probe, &none, 0);
    ck_assert(!probe_exists(&probe));
    probe_init(&probe, &some, 0);
    ck_assert(probe_exists(&probe));
}
END_TEST

/* ---- FACTS 3.1, 3.2 ---- */

START_TEST(a_probe_without_numbers_has_the_api_servers)
{
    const char *yaml = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n"
                       "  containers: [{name: c, image: i:1, livenessProbe: {exec: {command: "
                       "[x]}}}]\n";
    g_autoptr(GPtrArray) trees = tree_parse_text(yaml, strlen(yaml), "t.yaml", NULL);
    g_autoptr(GPtrArray) objects = objects_decode(trees, NULL, NULL);
    const Object *object = objects->pdata[0];
    const ProbeSpec *spec = &object->pod->containers[0].liveness;
    ck_assert_int_eq(spec->initial_delay, 0);
    ck_assert_int_eq(spec->timeout, 1 * S);
    ck_assert_int_eq(spec->period, 10 * S);
    ck_assert_int_eq(spec->success_threshold, 1);
    ck_assert_int_eq(spec->failure_threshold, 3);
}
END_TEST

START_TEST(the_startup_budget_of_nsmgr_is_125_s)
{
    ProbeSpec spec = every(5 * S);
    spec.failure_threshold = 25;
    Probe probe;
    probe_init(&probe, &spec, 0);
    nsec_t now = 0;
    do {
        now = probe_next_tick(&probe, now, 1 * S);
    } while (!probe_result(&probe, false));
    ck_assert_int_eq(now, 125 * S);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("probe");
    TCase *ticks = tcase_create("ticks");
    tcase_add_test(ticks, ticks_lie_on_the_grid_of_the_worker);
    tcase_add_test(ticks, the_next_tick_is_never_now);
    tcase_add_test(ticks, the_first_tick_is_the_workers_start);
    tcase_add_test(ticks, the_initial_delay_counts_from_the_containers_start);
    tcase_add_test(ticks, a_restart_keeps_the_grid);
    tcase_add_test(ticks, a_period_below_a_second_is_a_second);
    suite_add_tcase(suite, ticks);
    TCase *results = tcase_create("results");
    tcase_add_test(results, three_failures_in_a_row_fail_by_default);
    tcase_add_test(results, a_success_between_failures_begins_the_count_anew);
    tcase_add_test(results, a_verdict_is_told_once_and_can_be_taken_back);
    tcase_add_test(results, readiness_may_ask_for_several_successes);
    tcase_add_test(results, a_new_container_has_a_clean_record);
    tcase_add_test(results, a_container_without_a_probe_has_none);
    suite_add_tcase(suite, results);
    TCase *facts = tcase_create("facts");
    tcase_add_test(facts, a_probe_without_numbers_has_the_api_servers);
    tcase_add_test(facts, the_startup_budget_of_nsmgr_is_125_s);
    suite_add_tcase(suite, facts);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? 0 : 1;
}
