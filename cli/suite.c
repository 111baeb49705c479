/* Finding scenarios, running them, and judging what they check. */
#include "cli/suite.h"

#include "cli/results.h"
#include "sim/fingerprint.h"

#include <math.h>
#include <string.h>

static void
check_free(void *data)
{
    Check *check = data;
    if (check == NULL) {
        return;
    }
    g_free(check->name);
    g_free(check->metric);
    g_free(check->expr);
    g_free(check->message);
    g_free(check->replay);
    g_free(check);
}

static void
case_free(void *data)
{
    TestCase *test = data;
    g_free(test->path);
    g_free(test->name);
    scenario_free(test->scenario);
    g_free(test->error);
    g_ptr_array_unref(test->checks);
    check_free(test->fingerprint);
    g_free(test);
}

void
suite_init(Suite *suite, const CommonOptions *common)
{
    *suite = (Suite){.common = common, .seed = 1};
    suite->cases = g_ptr_array_new_with_free_func(case_free);
    g_mutex_init(&suite->lock);
    g_cond_init(&suite->finished);
}

void
suite_clear(Suite *suite)
{
    g_clear_pointer(&suite->cases, g_ptr_array_unref);
    g_mutex_clear(&suite->lock);
    g_cond_clear(&suite->finished);
}

/* ---- finding ---- */

static TestCase *
add_case(Suite *suite, const char *path, const char *error)
{
    TestCase *test = g_new0(TestCase, 1);
    test->path = g_strdup(path);
    test->checks = g_ptr_array_new_with_free_func(check_free);
    test->state = error != NULL ? CASE_BAD : CASE_WAITING;
    test->error = g_strdup(error);
    g_ptr_array_add(suite->cases, test);
    return test;
}

/* A file below a directory: only scenarios are cases, and what may be one but cannot be read. */
static void
add_found(Suite *suite, const char *path)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) roots = tree_parse_file(path, &error);
    if (roots == NULL) {
        add_case(suite, path, error->message);
        return;
    }
    for (guint i = 0; i < roots->len; i++) {
        const char *kind = tree_text(tree_get(g_ptr_array_index(roots, i), "kind"));
        if (g_strcmp0(kind, "Scenario") == 0) {
            add_case(suite, path, NULL);
            return;
        }
    }
}

static bool
is_yaml(const char *name)
{
    return g_str_has_suffix(name, ".yaml") || g_str_has_suffix(name, ".yml");
}

/* Hidden names are passed over, and so are links to directories, which may lead in a circle. */
static void
walk(Suite *suite, const char *dir)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GDir) entries = g_dir_open(dir, 0, &error);
    if (entries == NULL) {
        add_case(suite, dir, error->message);
        return;
    }
    for (const char *name; (name = g_dir_read_name(entries)) != NULL;) {
        g_autofree char *path = g_build_filename(dir, name, NULL);
        if (*name == '.') {
            continue;
        }
        if (!g_file_test(path, G_FILE_TEST_IS_DIR)) {
            if (is_yaml(name)) {
                add_found(suite, path);
            }
        } else if (!g_file_test(path, G_FILE_TEST_IS_SYMLINK)) {
            walk(suite, path);
        }
    }
}

static void
find_below(Suite *suite, const char *word)
{
    g_autofree char *path = options_find(suite->common, word);
    if (!g_file_test(path, G_FILE_TEST_EXISTS)) {
        add_case(suite, path, "does not exist");
        return;
    }
    if (!g_file_test(path, G_FILE_TEST_IS_DIR)) {
        add_case(suite, path, NULL);
        return;
    }
    guint n_before = suite->cases->len;
    walk(suite, path);
    if (suite->cases->len == n_before) {
        add_case(suite, path, "no scenario is below it");
    }
}

static int
compare_cases(gconstpointer a, gconstpointer b)
{
    return strcmp((*(TestCase *const *)a)->path, (*(TestCase *const *)b)->path);
}

static void
remove_duplicates(GPtrArray *cases)
{
    for (guint i = cases->len; i > 1; i--) {
        const TestCase *one = cases->pdata[i - 1], *before = cases->pdata[i - 2];
        if (g_str_equal(one->path, before->path)) {
            g_ptr_array_remove_index(cases, i - 1);
        }
    }
}

/* Results of scenarios of one name go into "name", "name-2" and so on. */
static char *
unique_name(const char *name, GHashTable *names)
{
    g_autofree char *unique = g_strdup(name);
    for (int i = 2; g_hash_table_contains(names, unique); i++) {
        g_free(unique);
        unique = g_strdup_printf("%s-%d", name, i);
    }
    g_hash_table_add(names, g_strdup(unique));
    return g_steal_pointer(&unique);
}

static void
read_case(Suite *suite, TestCase *test, GHashTable *names)
{
    g_autoptr(GError) error = NULL;
    test->scenario = options_read(suite->common, test->path, &error);
    if (test->scenario == NULL) {
        test->state = CASE_BAD;
        test->error = g_strdup(error->message);
        return;
    }
    test->name = unique_name(test->scenario->name, names);
    test->has_fingerprint = test->scenario->fingerprint != 0;
    const GPtrArray *warnings = test->scenario->warnings;
    for (guint i = 0; !suite->common->quiet && i < warnings->len; i++) {
        complain("warning: %s", (char *)g_ptr_array_index(warnings, i));
    }
}

void
suite_find(Suite *suite, char *const *paths)
{
    for (; *paths != NULL; paths++) {
        find_below(suite, *paths);
    }
    g_ptr_array_sort(suite->cases, compare_cases);
    remove_duplicates(suite->cases);
    g_autoptr(GHashTable) names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (guint i = 0; i < suite->cases->len; i++) {
        TestCase *test = g_ptr_array_index(suite->cases, i);
        if (test->state == CASE_WAITING) {
            read_case(suite, test, names);
        }
    }
}

/* ---- judging ---- */

static void
append_word(GString *line, const char *word)
{
    static const char PLAIN[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "-_./=:,+@%";
    g_autofree char *quoted =
        *word != '\0' && word[strspn(word, PLAIN)] == '\0' ? g_strdup(word) : g_shell_quote(word);
    g_string_append_printf(line, " %s", quoted);
}

static void
append_options(GString *line, const char *option, char *const *words)
{
    for (; words != NULL && *words != NULL; words++) {
        append_word(line, option);
        append_word(line, *words);
    }
}

/* The command that replays one replication with all its events. */
static char *
replay_command(const Suite *suite, const TestCase *test, uint32_t replication)
{
    GString *line = g_string_new("vwire run");
    append_word(line, test->path);
    g_string_append_printf(line, " --rep %u --seed %" G_GUINT64_FORMAT, replication, suite->seed);
    append_options(line, "--map", suite->common->maps);
    append_options(line, "--set", suite->common->sets);
    g_string_append(line, " --trace -o");
    const char *dir = suite->dir != NULL ? suite->dir : "results";
    g_autofree char *into = g_strdup_printf("%s/%s-rep-%u", dir, test->name, replication);
    append_word(line, into);
    return g_string_free(line, false);
}

static Check *
add_check(TestCase *test, const char *name, ThresholdVerdict verdict, const char *message)
{
    Check *check = g_new0(Check, 1);
    check->name = g_strdup(name);
    check->verdict = verdict;
    check->message = g_strdup(message);
    g_ptr_array_add(test->checks, check);
    return check;
}

static void
judge_threshold(const Suite *suite, TestCase *test, const ThresholdOutcome *outcome)
{
    g_autofree char *name = g_strdup_printf("%s: %s", outcome->metric, outcome->expr);
    Check *check = add_check(test, name, outcome->verdict, outcome->message);
    check->metric = g_strdup(outcome->metric);
    check->expr = g_strdup(outcome->expr);
    check->observed = outcome->observed;
    check->interval = outcome->interval;
    check->worst = outcome->worst;
    if (outcome->verdict != THRESHOLD_PASS) {
        check->replay = replay_command(suite, test, outcome->has_worst ? outcome->worst : 0);
    }
}

static const char *
fault_problem(const Outcome *outcome)
{
    for (guint i = 0; i < outcome->problems->len; i++) {
        const char *problem = g_ptr_array_index(outcome->problems, i);
        if (g_str_has_prefix(problem, "fault ")) {
            return problem;
        }
    }
    return outcome->n_faults_missed > 0 ? "a fault did not strike" : NULL;
}

/* A fault that hits nothing tests nothing, however well the thresholds are met. */
static void
judge_faults(const Suite *suite, TestCase *test, const Study *study)
{
    const Outcome *first = NULL;
    guint n_missed = 0;
    for (guint k = 0; k < study->outcomes->len; k++) {
        const Outcome *outcome = g_ptr_array_index(study->outcomes, k);
        if (fault_problem(outcome) != NULL) {
            first = first != NULL ? first : outcome;
            n_missed++;
        }
    }
    if (first == NULL) {
        return;
    }
    g_autofree char *message = g_strdup_printf(
        "%s (in %u of %u replications, the first: rep %u seed 0x%" G_GINT64_MODIFIER "x)",
        fault_problem(first), n_missed, study->outcomes->len, first->replication, first->seed);
    Check *check = add_check(test, "faults strike", THRESHOLD_FAIL, message);
    check->worst = first->replication;
    check->replay = replay_command(suite, test, first->replication);
}

/* Fingerprints are of replication 0 of seed 1; with another seed that one is run beside. */
static bool
find_fingerprint(const Suite *suite, const TestCase *test, const Chains *chains, const Study *study,
                 uint64_t *out, GError **error)
{
    if (suite->seed == 1) {
        *out = study->fingerprint;
        return true;
    }
    ReplicateOptions options = {.seed = 1, .only = 0, .jobs = 1, .interrupted = suite->interrupted};
    g_autoptr(Study) one = replicate(test->scenario, chains, &options, error);
    if (one == NULL) {
        return false;
    }
    *out = one->fingerprint;
    return true;
}

static bool
judge_fingerprint(const Suite *suite, TestCase *test, const Chains *chains, const Study *study,
                  GError **error)
{
    uint64_t recorded = test->scenario->fingerprint, seen = 0;
    if (recorded == 0 || suite->common->sets != NULL) {
        return true;
    }
    if (!find_fingerprint(suite, test, chains, study, &seen, error)) {
        return false;
    }
    g_autofree char *text = fingerprint_format(seen), *old = fingerprint_format(recorded);
    Check *check = g_new0(Check, 1);
    check->name = g_strdup("fingerprint");
    check->verdict = seen == recorded ? THRESHOLD_PASS : THRESHOLD_FAIL;
    if (seen == recorded) {
        check->message = g_strdup_printf("fingerprint 0x%s, as recorded", text);
    } else {
        check->message =
            g_strdup_printf("behaviour changed: fingerprint 0x%s, recorded 0x%s; the thresholds "
                            "are judged apart; if it is meant, put below spec of %s: fingerprint: "
                            "\"%s\"",
                            text, old, test->path, text);
    }
    test->fingerprint = check;
    return true;
}

static void
judge_case(const Suite *suite, TestCase *test, const Study *study)
{
    const Scenario *scenario = test->scenario;
    judge_faults(suite, test, study);
    for (guint i = 0; i < study->thresholds->len; i++) {
        judge_threshold(suite, test, g_ptr_array_index(study->thresholds, i));
    }
    if (scenario->n_thresholds == 0 && scenario->n_traffic == 0 && scenario->fingerprint == 0) {
        add_check(test, "checks", THRESHOLD_FAIL,
                  "nothing is checked: the scenario has no thresholds, traffic or fingerprint");
    }
    test->verdict = THRESHOLD_PASS;
    for (guint i = 0; i < test->checks->len; i++) {
        const Check *check = g_ptr_array_index(test->checks, i);
        if (check->verdict == THRESHOLD_FAIL || test->verdict == THRESHOLD_PASS) {
            test->verdict = check->verdict;
        }
    }
}

/* ---- running ---- */

static bool
run_case(const Suite *suite, TestCase *test, guint jobs, GError **error)
{
    const Scenario *scenario = test->scenario;
    g_autoptr(Chains) chains = chains_find(scenario);
    g_autofree char *dir =
        suite->dir != NULL ? g_build_filename(suite->dir, test->name, NULL) : NULL;
    ReplicateOptions options = {.seed = suite->seed,
                                .count = suite->count,
                                .only = -1,
                                .jobs = jobs,
                                .events_dir = scenario->output_events ? dir : NULL,
                                .interrupted = suite->interrupted};
    g_autoptr(Study) study = replicate(scenario, chains, &options, error);
    if (study == NULL || !judge_fingerprint(suite, test, chains, study, error) ||
        (dir != NULL && !results_write(dir, scenario, study, suite->seed, error))) {
        return false;
    }
    test->n_replications = study->outcomes->len;
    judge_case(suite, test, study);
    return true;
}

guint
suite_n_done(Suite *suite)
{
    g_mutex_lock(&suite->lock);
    guint n_done = suite->n_done;
    g_mutex_unlock(&suite->lock);
    return n_done;
}

/* Scenarios at a time; the last ones, when fewer are left than jobs, share the threads. */
static guint
jobs_of_next(Suite *suite)
{
    guint n_left = suite->cases->len - suite_n_done(suite);
    return MAX(1, suite->jobs / MIN(suite->jobs, MAX(n_left, 1)));
}

static void
work(gpointer data, gpointer user)
{
    TestCase *test = data;
    Suite *suite = user;
    CaseState state = test->state;
    if (state == CASE_WAITING && *suite->interrupted == 0) {
        gint64 began = g_get_monotonic_time();
        g_autoptr(GError) error = NULL;
        bool ran = run_case(suite, test, jobs_of_next(suite), &error);
        test->seconds = (double)(g_get_monotonic_time() - began) / 1e6;
        if (ran) {
            state = CASE_RAN;
        } else if (*suite->interrupted == 0) {
            state = CASE_BROKEN;
            test->error = g_strdup(error->message);
        }
        g_clear_pointer(&test->scenario, scenario_free);
    }
    g_mutex_lock(&suite->lock);
    test->state = state;
    suite->n_done++;
    g_cond_signal(&suite->finished);
    g_mutex_unlock(&suite->lock);
}

GThreadPool *
suite_start(Suite *suite)
{
    suite->jobs = suite->jobs != 0 ? suite->jobs : g_get_num_processors();
    GThreadPool *pool = g_thread_pool_new(work, suite, (gint)suite->jobs, false, NULL);
    for (guint i = 0; i < suite->cases->len; i++) {
        g_thread_pool_push(pool, g_ptr_array_index(suite->cases, i), NULL);
    }
    return pool;
}

bool
suite_wait(Suite *suite, const TestCase *test, gint64 timeout)
{
    gint64 end = g_get_monotonic_time() + timeout;
    g_mutex_lock(&suite->lock);
    bool waits = true;
    while (test->state == CASE_WAITING && *suite->interrupted == 0 && waits) {
        waits = g_cond_wait_until(&suite->finished, &suite->lock, end);
    }
    bool there = test->state != CASE_WAITING;
    g_mutex_unlock(&suite->lock);
    return there;
}

void
suite_finish(GThreadPool *pool)
{
    g_thread_pool_free(pool, false, true);
}
