/* A suite of regression tests: scenarios that lie below some paths, what they check, and what came
 * of it.  suite.c finds and runs them, suite_report.c says it as TAP, JSON and JUnit XML; the verb
 * is test.c.
 *
 * A scenario holds when it can be read and run, its faults strike, and all its thresholds pass.
 * Its recorded fingerprint is judged apart: a difference says that behaviour changed, not that it
 * is wrong. */
#pragma once

#include "cli/cli.h"
#include "sim/replicate.h"

/* One thing that a scenario checks. */
typedef struct Check {
    char *name;   /* "sfc_init_seconds{...}: avg<12", "faults strike", "fingerprint" */
    char *metric; /* thresholds only, with expr, observed and interval */
    char *expr;
    ThresholdVerdict verdict;
    char *message;
    double observed;
    Interval interval;
    char *replay;   /* the command that replays the worst replication; NULL: it passed */
    uint32_t worst; /* that replication */
} Check;

typedef enum CaseState {
    CASE_WAITING, /* or interrupted */
    CASE_RAN,
    CASE_BAD,    /* it cannot be read, or there is nothing */
    CASE_BROKEN, /* run-time error */
} CaseState;

typedef struct TestCase {
    char *path;
    char *name;         /* of the scenario, unique in the suite; NULL when it cannot be read */
    Scenario *scenario; /* until it has run */
    CaseState state;
    ThresholdVerdict verdict; /* of all checks */
    char *error;              /* CASE_BAD, CASE_BROKEN */
    GPtrArray *checks;        /* Check * */
    bool has_fingerprint;     /* recorded in the file */
    Check *fingerprint;       /* its check; NULL: not compared, as --set changed the scenario */
    guint n_replications;
    double seconds; /* of real time */
} TestCase;

typedef struct Suite {
    GPtrArray *cases; /* TestCase *, by path */
    const CommonOptions *common;
    uint64_t seed;
    int count; /* of replications; 0: each scenario's */
    guint jobs;
    const char *dir; /* of results; NULL: none are written */
    const volatile int *interrupted;
    /* While running. */
    GMutex lock;
    GCond finished; /* a case has */
    guint n_done;
} Suite;

/* `common` is borrowed; the rest of the options is set by the caller. */
void suite_init(Suite *suite, const CommonOptions *common);
void suite_clear(Suite *suite);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Suite, suite_clear)

/* Finds and reads the scenarios below the paths.  What cannot be read becomes a case with an error;
 * files of other kinds are passed over, unless named themselves. */
void suite_find(Suite *suite, char *const *paths);

/* Starts running all cases on threads of the pool that is returned, to be freed by suite_finish. */
GThreadPool *suite_start(Suite *suite);

/* Waits for a case, at most that long (microseconds); false when it is not there yet. */
bool suite_wait(Suite *suite, const TestCase *test, gint64 timeout);

/* How many cases have run so far. */
guint suite_n_done(Suite *suite);

void suite_finish(GThreadPool *pool);

/* ---- reports (suite_report.c) ---- */

typedef struct SuiteCount {
    guint n_passed, n_failed; /* test points: one for each scenario, one for each fingerprint */
    bool any_bad, any_broken;
} SuiteCount;

SuiteCount suite_count(const Suite *suite);

/* TAP: the head, then each case's points; `number` is that of the last point. */
void suite_print_plan(const Suite *suite);
void suite_print_case(const TestCase *test, guint *number);

/* A JSON list; free with g_free. */
char *suite_json(const Suite *suite);

/* JUnit XML: a suite for each directory, a case for each scenario and for each thing it checks. */
char *suite_junit(const Suite *suite);
