/* Replications: the same scenario with independent random streams, on several threads.
 *
 * Replication k of a seed is a function of (scenario, seed, k) alone: neither the number of jobs
 * nor the order in which they end changes a byte of what is returned.  With seedSet `different`
 * the scenario's name is mixed into the seed, so that scenarios share no draws.
 *
 * After `count` replications more are made, in steps, while a threshold is inconclusive or the
 * relative half-width of a chain's initialisation time is above relativePrecision, up to `max`. */
#pragma once

#include "models/chain.h"
#include "sim/outcome.h"

typedef struct ReplicateOptions {
    uint64_t seed;
    int count;              /* <= 0: the scenario's */
    int only;               /* >= 0: this replication alone */
    guint jobs;             /* 0: one for each processor */
    const char *events_dir; /* DIR/rep-<k>/events.jsonl; NULL: none */
    /* Called from one thread at a time, after each replication; may be NULL. */
    void (*progress)(void *data, int done, int total);
    void *data;
    /* Ends the work early when it becomes nonzero (a signal); may be NULL. */
    const volatile int *interrupted;
} ReplicateOptions;

typedef struct MetricSeries {
    char *metric;
    const char *unit;
    GArray *values; /* double, one for each replication; NAN: not observed */
} MetricSeries;

typedef struct ThresholdOutcome {
    char *metric; /* a key that the threshold's selector matched, or the selector */
    const char *expr;
    ThresholdVerdict verdict;
    char *message;
} ThresholdOutcome;

typedef struct Study {
    GPtrArray *outcomes;   /* Outcome *, by replication */
    GPtrArray *series;     /* MetricSeries *, in the order of first appearance */
    GPtrArray *thresholds; /* ThresholdOutcome * */
    bool passed;           /* every threshold */
} Study;

Study *replicate(const Scenario *scenario, const Chains *chains, const ReplicateOptions *options,
                 GError **error);
void study_free(Study *study);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Study, study_free)

const MetricSeries *study_series(const Study *study, const char *metric);
