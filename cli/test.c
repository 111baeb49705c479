/* vwire test: every scenario below some paths, as regression tests. */
#include "cli/suite.h"

#include <stdio.h>
#include <unistd.h>

typedef struct TestOptions {
    gint64 seed;
    gint count;
    gint jobs;
    char *dir;
    char *junit;
} TestOptions;

static bool
check_options(const TestOptions *options)
{
    if (options->seed < 0 || options->count < 0 || options->jobs < 0) {
        complain("test: --seed, -n and -j take whole numbers that are not negative");
        return false;
    }
    if (options->count > MAX_REPLICATIONS) {
        complain("test: -n takes numbers up to %d", MAX_REPLICATIONS);
        return false;
    }
    return true;
}

#define PROGRESS_PERIOD 200000 /* us */

/* Waits for a case; meanwhile a terminal sees how far it is.  False: interrupted before. */
static bool
wait_for(Suite *suite, const TestCase *test)
{
    bool shows = !suite->common->quiet && isatty(STDERR_FILENO), shown = false;
    bool there = suite_wait(suite, test, PROGRESS_PERIOD);
    while (!there && *suite->interrupted == 0) {
        if (shows) {
            fprintf(stderr, "\r%u of %u scenarios \033[K", suite_n_done(suite), suite->cases->len);
            shown = true;
        }
        there = suite_wait(suite, test, PROGRESS_PERIOD);
    }
    if (shown) {
        fprintf(stderr, "\r\033[K");
    }
    return there;
}

/* Prints cases in their order, each as soon as it and all before it are there. */
static bool
follow(Suite *suite)
{
    bool json = suite->common->json;
    guint number = 0;
    if (!json) {
        suite_print_plan(suite);
    }
    for (guint i = 0; i < suite->cases->len; i++) {
        const TestCase *test = g_ptr_array_index(suite->cases, i);
        if (!wait_for(suite, test)) {
            return false;
        }
        if (!json) {
            suite_print_case(test, &number);
            fflush(stdout);
        }
    }
    return true;
}

static bool
write_junit(const Suite *suite, const char *path)
{
    g_autofree char *text = suite_junit(suite);
    g_autoptr(GError) error = NULL;
    if (!g_file_set_contents(path, text, -1, &error)) { /* a temporary name, then a rename */
        complain("%s", error->message);
        return false;
    }
    return true;
}

static int
report(const Suite *suite, const char *junit)
{
    SuiteCount count = suite_count(suite);
    bool written = junit == NULL || write_junit(suite, junit);
    if (suite->common->json) {
        g_autofree char *text = suite_json(suite);
        fputs(text, stdout);
    } else {
        printf("%u passed, %u failed\n", count.n_passed, count.n_failed);
    }
    if (!written || count.any_broken) {
        return EXIT_RUNTIME;
    }
    if (count.any_bad) {
        return EXIT_BAD_INPUT;
    }
    return count.n_failed == 0 ? EXIT_PASS : EXIT_FAILED;
}

static int
run_suite(const CommonOptions *common, const TestOptions *options, char *const *paths)
{
    g_auto(Suite) suite;
    suite_init(&suite, common);
    suite.seed = (uint64_t)options->seed;
    suite.count = options->count;
    suite.jobs = (guint)options->jobs;
    suite.dir = options->dir;
    suite.interrupted = catch_signals();
    suite_find(&suite, paths);
    GThreadPool *pool = suite_start(&suite);
    bool whole = follow(&suite);
    suite_finish(pool);
    if (!whole) {
        if (!common->json) {
            printf("Bail out! interrupted\n");
        }
        complain("interrupted");
        return EXIT_RUNTIME;
    }
    return report(&suite, options->junit);
}

int
verb_test(const Verb *verb, int argc, char **argv)
{
    CommonOptions common;
    TestOptions options = {.seed = 1};
    const GOptionEntry entries[] = {
        {"seed", 's', 0, G_OPTION_ARG_INT64, &options.seed,
         "Seed of all random streams (default 1)", "N"},
        {"replications", 'n', 0, G_OPTION_ARG_INT, &options.count,
         "How many replications (default: as each scenario says)", "N"},
        {"jobs", 'j', 0, G_OPTION_ARG_INT, &options.jobs,
         "How many scenarios at a time (default: one for each processor)", "N"},
        {"junit", 0, 0, G_OPTION_ARG_FILENAME, &options.junit, "Write JUnit XML too", "FILE"},
        {"output", 'o', 0, G_OPTION_ARG_FILENAME, &options.dir,
         "Keep each scenario's results in DIR/<name> (default: none are written)", "DIR"},
        G_OPTION_ENTRY_NULL};
    int code = EXIT_PASS;
    if (options_parse(verb, &common, entries,
                      "A PATH is a scenario, or a directory below which every YAML file of kind "
                      "Scenario is run.\nPrints TAP (with --format json a list), a line for each "
                      "scenario in the order of paths;\nwhat failed has the command that replays "
                      "its worst replication.",
                      &argc, &argv, &code)) {
        code = check_options(&options) ? run_suite(&common, &options, argv + 1) : EXIT_BAD_INPUT;
    }
    options_clear(&common);
    g_free(options.dir);
    g_free(options.junit);
    return code;
}
