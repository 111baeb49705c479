/* A directory for the files that a test writes, and what the tests of scenario and calibration
 * write most: a calibration that gives every parameter. */
#pragma once

#include "models/calibration.h"
#include "tests/suite.h"

#include <check.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

static char *scratch; /* of the running test */

static inline void
scratch_setup(void)
{
    scratch = g_dir_make_tmp("vwire-test-XXXXXX", NULL);
    ck_assert_ptr_nonnull(scratch);
}

static inline void
scratch_remove(const char *path)
{
    GDir *dir = g_file_test(path, G_FILE_TEST_IS_SYMLINK) ? NULL : g_dir_open(path, 0, NULL);
    const char *name = NULL;
    while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
        g_autofree char *below = g_build_filename(path, name, NULL);
        scratch_remove(below);
    }
    g_clear_pointer(&dir, g_dir_close);
    ck_assert_int_eq(g_remove(path), 0);
}

static inline void
scratch_teardown(void)
{
    scratch_remove(scratch);
    g_clear_pointer(&scratch, g_free);
}

/* The path of `name` in the directory; free with g_free. */
static inline char *
scratch_path(const char *name)
{
    return g_build_filename(scratch, name, NULL);
}

/* Writes a file, its directories too. */
static inline void
scratch_write(const char *name, const char *text)
{
    g_autofree char *path = scratch_path(name);
    g_autofree char *directory = g_path_get_dirname(path);
    ck_assert_int_eq(g_mkdir_with_parents(directory, 0700), 0);
    g_remove(path); /* a file that is there would be replaced safely: only after a sync */
    ck_assert(g_file_set_contents(path, text, -1, NULL));
}

/* Any answer to a parameter that is a choice. */
static inline const char *
scratch_choice(const char *key)
{
    return g_str_equal(key, "spire.identity")  ? "crd-per-pod"
           : g_str_equal(key, "cfs.alignment") ? "host"
                                               : "never";
}

/* Every parameter: 1s, 2, or crd-per-pod by its unit; then `more`, the other sections of spec. */
static inline void
scratch_write_calibration(const char *name, const char *more)
{
    static const char *const VALUES[][2] = {
#define X(parameter, key, unit) {key, #unit},
        CALIBRATION_PARAMETERS(X)
#undef X
    };
    g_autoptr(GString) text = g_string_new("apiVersion: vwire/v1alpha1\nkind: Calibration\n"
                                           "metadata: {name: whole}\nspec:\n  parameters:\n");
    for (guint i = 0; i < G_N_ELEMENTS(VALUES); i++) {
        char unit = VALUES[i][1][0];
        g_string_append_printf(text, "    %s: {value: %s, source: test}\n", VALUES[i][0],
                               unit == 'D'   ? "1s"
                               : unit == 'N' ? "2"
                                             : scratch_choice(VALUES[i][0]));
    }
    g_string_append(text, more);
    scratch_write(name, text->str);
}

/* The error's text has `expected` in it; clears the error. */
static inline void
check_error(GError **error, VwireError code, const char *expected)
{
    ck_assert_ptr_nonnull(*error);
    ck_assert_msg(strstr((*error)->message, expected) != NULL, "found \"%s\", expected \"%s\"",
                  (*error)->message, expected);
    ck_assert_int_eq((*error)->code, (int)code);
    ck_assert(g_error_matches(*error, VWIRE_ERROR, (int)code));
    g_clear_error(error);
}

/* One suite of tests in a scratch directory each; the program's exit status. */
static inline int
scratch_run(const char *name, const TTest *const *tests, guint n)
{
    return suite_run(name, tests, n, scratch_setup, scratch_teardown);
}
