/* Running one suite of Check's. */
#pragma once

#include <check.h>
#include <glib.h>

/* Runs the tests, each between `setup` and `teardown` (NULL: nothing); the program's exit status.
 */
static inline int
suite_run(const char *name, const TTest *const *tests, guint n, SFun setup, SFun teardown)
{
    Suite *suite = suite_create(name);
    TCase *tcase = tcase_create(name);
    tcase_add_checked_fixture(tcase, setup, teardown);
    for (guint i = 0; i < n; i++) {
        tcase_add_test(tcase, tests[i]);
    }
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? 0 : 1;
}
