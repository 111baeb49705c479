/* What came of a suite: TAP, JSON, JUnit XML. */
#include "cli/suite.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static bool
is_good(const TestCase *test)
{
    return test->state == CASE_RAN && test->verdict == THRESHOLD_PASS;
}

static bool
is_changed(const TestCase *test)
{
    return test->fingerprint != NULL && test->fingerprint->verdict != THRESHOLD_PASS;
}

SuiteCount
suite_count(const Suite *suite)
{
    SuiteCount count = {0};
    for (guint i = 0; i < suite->cases->len; i++) {
        const TestCase *test = g_ptr_array_index(suite->cases, i);
        guint n_points = 1 + test->has_fingerprint;
        bool no_run = test->has_fingerprint && test->state != CASE_RAN;
        guint n_failed = !is_good(test) + (is_changed(test) || no_run);
        count.n_failed += n_failed;
        count.n_passed += n_points - n_failed;
        count.any_bad = count.any_bad || test->state == CASE_BAD;
        count.any_broken = count.any_broken || test->state == CASE_BROKEN;
    }
    return count;
}

/* ---- TAP ---- */

void
suite_print_plan(const Suite *suite)
{
    guint n = suite->cases->len;
    for (guint i = 0; i < suite->cases->len; i++) {
        n += ((const TestCase *)g_ptr_array_index(suite->cases, i))->has_fingerprint;
    }
    printf("TAP version 13\n1..%u\n", n); /* what `prove` of Debian 12 knows; we use no more */
}

/* In a description '#' begins a directive. */
static char *
tap_text(const char *text)
{
    GString *out = g_string_new(NULL);
    for (; *text != '\0'; text++) {
        if (*text == '#' || *text == '\\') {
            g_string_append_c(out, '\\');
        }
        g_string_append_c(out, (unsigned char)*text < ' ' ? '?' : *text);
    }
    return g_string_free(out, false);
}

/* Every line of a text as a comment. */
static void
print_comment(const char *prefix, const char *text)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; *line != NULL; line++) {
        printf("# %s%s\n", prefix, *line);
    }
}

static void
print_check(const Check *check)
{
    const char *of = check->metric != NULL ? check->metric : check->name;
    g_autofree char *prefix =
        g_strdup_printf("%s: %s: ", threshold_verdict_name(check->verdict), of);
    print_comment(prefix, check->message);
    if (check->replay != NULL) {
        print_comment("  replay: ", check->replay);
    }
}

static void
print_fingerprint(const TestCase *test, const char *path, guint number)
{
    const char *no_run = test->state != CASE_RAN ? "not " : "";
    if (test->fingerprint == NULL) {
        printf("%sok %u - %s: fingerprint%s\n", no_run, number, path,
               *no_run != '\0' ? "" : " # SKIP it was recorded without --set");
        return;
    }
    printf("%sok %u - %s: fingerprint\n", is_changed(test) ? "not " : "", number, path);
    print_comment("", test->fingerprint->message);
}

void
suite_print_case(const TestCase *test, guint *number)
{
    g_autofree char *path = tap_text(test->path);
    bool undecided = test->state == CASE_RAN && test->verdict == THRESHOLD_INCONCLUSIVE;
    printf("%sok %u - %s%s\n", is_good(test) ? "" : "not ", ++*number, path,
           undecided ? " (inconclusive)" : "");
    if (test->error != NULL) {
        print_comment("error: ", test->error);
    }
    for (guint i = 0; i < test->checks->len; i++) {
        print_check(g_ptr_array_index(test->checks, i));
    }
    if (test->has_fingerprint) {
        print_fingerprint(test, path, ++*number);
    }
}

/* ---- JSON ---- */

static void
add_number(cJSON *item, const char *name, double value)
{
    if (isfinite(value)) {
        cJSON_AddNumberToObject(item, name, value);
    } else {
        cJSON_AddNullToObject(item, name);
    }
}

static void
add_seed(const Suite *suite, cJSON *item)
{
    g_autofree char *digits = g_strdup_printf("%" G_GUINT64_FORMAT, suite->seed);
    cJSON_AddRawToObject(item, "seed", digits); /* a double would lose the last ones */
}

static cJSON *
check_json(const Check *check)
{
    cJSON *item = cJSON_CreateObject();
    if (check->metric != NULL) {
        cJSON_AddStringToObject(item, "metric", check->metric);
        cJSON_AddStringToObject(item, "expr", check->expr);
        add_number(item, "observed", check->observed);
        cJSON *ci = cJSON_AddObjectToObject(item, "interval");
        add_number(ci, "low", check->interval.low);
        add_number(ci, "high", check->interval.high);
    } else {
        cJSON_AddStringToObject(item, "check", check->name);
    }
    cJSON_AddStringToObject(item, "verdict", threshold_verdict_name(check->verdict));
    cJSON_AddStringToObject(item, "message", check->message);
    if (check->replay != NULL) {
        cJSON_AddNumberToObject(item, "worstReplication", check->worst);
        cJSON_AddStringToObject(item, "replay", check->replay);
    }
    return item;
}

static cJSON *
case_json(const Suite *suite, const TestCase *test)
{
    cJSON *item = cJSON_CreateObject();
    cJSON_AddStringToObject(item, "file", test->path);
    if (test->name != NULL) {
        cJSON_AddStringToObject(item, "scenario", test->name);
    }
    cJSON_AddStringToObject(
        item, "verdict", test->state == CASE_RAN ? threshold_verdict_name(test->verdict) : "error");
    if (test->error != NULL) {
        cJSON_AddStringToObject(item, "error", test->error);
    }
    add_seed(suite, item);
    cJSON_AddNumberToObject(item, "replications", test->n_replications);
    cJSON *checks = cJSON_AddArrayToObject(item, "checks");
    for (guint i = 0; i < test->checks->len; i++) {
        cJSON_AddItemToArray(checks, check_json(g_ptr_array_index(test->checks, i)));
    }
    if (test->fingerprint != NULL) {
        cJSON_AddItemToObject(item, "fingerprint", check_json(test->fingerprint));
    }
    return item;
}

char *
suite_json(const Suite *suite)
{
    cJSON *list = cJSON_CreateArray();
    for (guint i = 0; i < suite->cases->len; i++) {
        cJSON_AddItemToArray(list, case_json(suite, g_ptr_array_index(suite->cases, i)));
    }
    char *text = cJSON_Print(list);
    cJSON_Delete(list);
    char *copy = g_strconcat(text, "\n", NULL);
    cJSON_free(text);
    return copy;
}

/* ---- JUnit XML ---- */

/* Whether XML 1.0 allows a character at all, escaped or not (its production 2). */
static bool
is_xml(gunichar c)
{
    return c == '\t' || c == '\n' || c == '\r' || (c >= 0x20 && c <= 0xd7ff) ||
           (c >= 0xe000 && c <= 0xfffd) || c >= 0x10000;
}

/* As content or between double quotes. */
static void
append_xml(GString *out, const char *text)
{
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    for (const char *at = valid; *at != '\0'; at = g_utf8_next_char(at)) {
        gunichar c = g_utf8_get_char(at);
        if (!is_xml(c)) {
            g_string_append(out, "\xef\xbf\xbd"); /* U+FFFD */
        } else if (c < 0x20 || strchr("&<>\"'", (int)c) != NULL) {
            g_string_append_printf(out, "&#%u;", c);
        } else {
            g_string_append_unichar(out, c);
        }
    }
}

static void
append_attribute(GString *out, const char *name, const char *value)
{
    g_string_append_printf(out, " %s=\"", name);
    append_xml(out, value);
    g_string_append_c(out, '"');
}

static void
append_seconds(GString *out, double seconds)
{
    char digits[G_ASCII_DTOSTR_BUF_SIZE];
    append_attribute(out, "time", g_ascii_formatd(digits, sizeof digits, "%.3f", seconds));
}

static void
append_property(GString *out, const char *name, const char *value)
{
    g_string_append(out, "        <property");
    append_attribute(out, "name", name);
    append_attribute(out, "value", value);
    g_string_append(out, "/>\n");
}

static void
begin_junit_case(GString *out, const TestCase *test, const char *name, double seconds)
{
    g_string_append(out, "    <testcase");
    append_attribute(out, "name", name);
    append_attribute(out, "classname", test->path);
    append_attribute(out, "file", test->path);
    append_seconds(out, seconds);
    g_string_append(out, ">\n");
}

/* `element` is failure or error; the text says more than the message where there is a replay. */
static void
append_failure(GString *out, const char *element, const char *type, const char *message,
               const char *replay)
{
    g_string_append_printf(out, "      <%s", element);
    append_attribute(out, "message", message);
    append_attribute(out, "type", type);
    g_string_append_c(out, '>');
    append_xml(out, message);
    if (replay != NULL) {
        g_string_append(out, "\nreplay: ");
        append_xml(out, replay);
    }
    g_string_append_printf(out, "</%s>\n", element);
    if (replay != NULL) {
        g_string_append(out, "      <system-out>");
        append_xml(out, replay);
        g_string_append(out, "</system-out>\n");
    }
}

static void
append_junit_check(GString *out, const TestCase *test, const Check *check)
{
    begin_junit_case(out, test, check->name, 0);
    if (check->verdict != THRESHOLD_PASS) {
        append_failure(out, "failure", threshold_verdict_name(check->verdict), check->message,
                       check->replay);
    }
    g_string_append(out, "    </testcase>\n");
}

/* The scenario itself: that it could be run.  What it checks are cases of their own. */
static void
append_junit_case(GString *out, const Suite *suite, const TestCase *test)
{
    begin_junit_case(out, test, "runs", test->seconds);
    if (test->state == CASE_RAN) {
        g_autofree char *seed = g_strdup_printf("%" G_GUINT64_FORMAT, suite->seed);
        g_autofree char *n = g_strdup_printf("%u", test->n_replications);
        g_string_append(out, "      <properties>\n");
        append_property(out, "seed", seed);
        append_property(out, "replications", n);
        g_string_append(out, "      </properties>\n");
    } else {
        append_failure(out, "error", test->state == CASE_BAD ? "bad scenario" : "run-time error",
                       test->error, NULL);
    }
    g_string_append(out, "    </testcase>\n");
    for (guint i = 0; i < test->checks->len; i++) {
        append_junit_check(out, test, g_ptr_array_index(test->checks, i));
    }
    if (test->fingerprint != NULL) {
        append_junit_check(out, test, test->fingerprint);
    }
}

typedef struct JunitCount {
    guint n_tests, n_failures, n_errors;
    double seconds;
} JunitCount;

static void
count_junit(const TestCase *test, JunitCount *count)
{
    count->n_tests += 1 + test->checks->len + (test->fingerprint != NULL);
    count->n_errors += test->state != CASE_RAN;
    count->n_failures += is_changed(test);
    count->seconds += test->seconds;
    for (guint i = 0; i < test->checks->len; i++) {
        const Check *check = g_ptr_array_index(test->checks, i);
        count->n_failures += check->verdict != THRESHOLD_PASS;
    }
}

static void
append_counts(GString *out, const JunitCount *count)
{
    g_string_append_printf(out, " tests=\"%u\" failures=\"%u\" errors=\"%u\" skipped=\"0\"",
                           count->n_tests, count->n_failures, count->n_errors);
    append_seconds(out, count->seconds);
    g_string_append(out, ">\n");
}

static void
append_junit_suite(GString *out, const Suite *suite, const char *dir, const GPtrArray *cases)
{
    JunitCount count = {0};
    for (guint i = 0; i < cases->len; i++) {
        count_junit(g_ptr_array_index(cases, i), &count);
    }
    g_string_append(out, "  <testsuite");
    append_attribute(out, "name", dir);
    append_counts(out, &count);
    for (guint i = 0; i < cases->len; i++) {
        append_junit_case(out, suite, g_ptr_array_index(cases, i));
    }
    g_string_append(out, "  </testsuite>\n");
}

/* Directories in the order of their first case; values are arrays of their cases. */
static GPtrArray *
group_cases(const Suite *suite, GHashTable *groups)
{
    GPtrArray *dirs = g_ptr_array_new();
    for (guint i = 0; i < suite->cases->len; i++) {
        TestCase *test = g_ptr_array_index(suite->cases, i);
        g_autofree char *dir = g_path_get_dirname(test->path);
        GPtrArray *group = g_hash_table_lookup(groups, dir);
        if (group == NULL) {
            group = g_ptr_array_new();
            char *key = g_steal_pointer(&dir);
            g_hash_table_insert(groups, key, group);
            g_ptr_array_add(dirs, key);
        }
        g_ptr_array_add(group, test);
    }
    return dirs;
}

char *
suite_junit(const Suite *suite)
{
    g_autoptr(GHashTable) groups =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_ptr_array_unref);
    g_autoptr(GPtrArray) dirs = group_cases(suite, groups);
    JunitCount count = {0};
    for (guint i = 0; i < suite->cases->len; i++) {
        count_junit(g_ptr_array_index(suite->cases, i), &count);
    }
    GString *out = g_string_new("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites");
    append_attribute(out, "name", "vwire test");
    append_counts(out, &count);
    for (guint i = 0; i < dirs->len; i++) {
        const char *dir = g_ptr_array_index(dirs, i);
        append_junit_suite(out, suite, dir, g_hash_table_lookup(groups, dir));
    }
    g_string_append(out, "</testsuites>\n");
    return g_string_free(out, false);
}
