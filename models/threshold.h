/* Thresholds: what a scenario demands of a metric, as k6 writes it ("avg<8.5", "p(95)<10"), and
 * whether a set of replications meets it.
 *
 *   avg      mean of the observations of a replication
 *   min max  over all observations of all replications
 *   med p(N) quantile of all observations; 0 < N < 100; med is p(50)
 *   count    number of observations of a replication
 *   rate     share of the observations of a replication that are not 0
 *   value    the last observation of a replication (a gauge)
 *
 * Operators: < <= > >= == !=.  Bounds are in the metric's base unit (seconds, bytes).
 *
 * Verdicts (docs/SCENARIOS.md): pass when every value inside the confidence interval satisfies the
 * threshold, fail when none does, otherwise inconclusive: more replications are needed.  For `<`
 * that is: the upper bound is below, the lower bound is not.  The method by aggregate:
 *
 *   avg, count, value  Student's t over the replications' values
 *   rate               the same, inside [0,1]; Wilson's score interval over all observations when
 *                      each replication has one, or all of them are alike
 *   med, p(N)          between order statistics of the pooled observations: by the binomial
 *                      distribution when each replication has one, by Woodruff's method (spread
 *                      between replications) when they have more, as those are not independent.
 *                      Percentiles are never averaged.  One observation each bounds p(95) from
 *                      above with 72 replications or more; with fewer the verdict is fail or
 *                      inconclusive, and the message says how many it takes
 *   min, max           what was seen is compared, without an interval: they speak of these
 *                      replications, not of the next one
 *
 * With one replication min, max, count and value are compared as they are, everything else is
 * inconclusive.  When all observations of two or more replications are equal, nothing is random
 * and they are compared as they are too.  A replication without an observation (which counts as
 * count 0) keeps every other aggregate from passing: what it would have shown is not known.
 *
 * Looking again after every further replication makes a wrong verdict somewhat likelier than the
 * confidence says; no correction is made. */
#pragma once

#include "base/error.h"
#include "base/stats.h"

#include <stdint.h>

#define THRESHOLD_AGGREGATES(X)                                                                    \
    X(AVG, "avg")                                                                                  \
    X(MIN, "min")                                                                                  \
    X(MAX, "max")                                                                                  \
    X(MED, "med")                                                                                  \
    X(P, "p")                                                                                      \
    X(COUNT, "count")                                                                              \
    X(RATE, "rate")                                                                                \
    X(VALUE, "value")

typedef enum ThresholdAggregate {
#define X(aggregate, name) THRESHOLD_##aggregate,
    THRESHOLD_AGGREGATES(X)
#undef X
} ThresholdAggregate;

#define THRESHOLD_OPERATORS(X)                                                                     \
    X(LESS_EQUAL, "<=")                                                                            \
    X(LESS, "<")                                                                                   \
    X(GREATER_EQUAL, ">=")                                                                         \
    X(GREATER, ">")                                                                                \
    X(EQUAL, "==")                                                                                 \
    X(NOT_EQUAL, "!=")

typedef enum ThresholdOperator {
#define X(comparison, text) THRESHOLD_##comparison,
    THRESHOLD_OPERATORS(X)
#undef X
} ThresholdOperator;

/* Embedded by value; owns nothing. */
typedef struct Threshold {
    ThresholdAggregate aggregate;
    double percent; /* of MED (50) and P */
    ThresholdOperator comparison;
    double bound; /* base unit of the metric */
} Threshold;

#define THRESHOLD_VERDICTS(X)                                                                      \
    X(PASS, "pass")                                                                                \
    X(FAIL, "fail")                                                                                \
    X(INCONCLUSIVE, "inconclusive")

typedef enum ThresholdVerdict {
#define X(verdict, name) THRESHOLD_##verdict,
    THRESHOLD_VERDICTS(X)
#undef X
} ThresholdVerdict;

/* What one replication observed of the metric; borrowed. */
typedef struct ThresholdRun {
    int replication; /* its number, for the message */
    uint64_t seed;
    Sample *sample; /* NULL or empty: nothing was observed */
} ThresholdRun;

typedef struct ThresholdResult {
    ThresholdVerdict verdict;
    size_t n;          /* replications that observed something (for count: all) */
    double observed;   /* over those; NAN when n is 0 */
    Interval interval; /* that was judged; both ends `observed` where that is compared as it is */
    const ThresholdRun *worst; /* farthest to the bad side, the first of equals; NULL when n is 0 */
    char *message; /* "p(95)=10.7s, want <10s (n=20, 95% CI 10.2-11.1, worst rep 7 seed 0x2a)" */
} ThresholdResult;

void threshold_result_clear(ThresholdResult *result);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ThresholdResult, threshold_result_clear)

/* Blanks are allowed between the parts.  False with an error (PARSE) that says what was found and
 * what was expected. */
bool threshold_parse(const char *text, Threshold *out, GError **error);

/* Judges the threshold at a confidence (0 < confidence < 1).  `unit` follows the numbers in the
 * message ("s"; "" for none).  Sets `result`, to be cleared. */
void threshold_evaluate(const Threshold *threshold, const ThresholdRun *runs, size_t n_runs,
                        double confidence, const char *unit, ThresholdResult *result);

/* "pass", "fail", "inconclusive". */
const char *threshold_verdict_name(ThresholdVerdict verdict);
