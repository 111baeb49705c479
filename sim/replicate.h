/* Replications: the same scenario with independent random streams, on several threads.
 *
 * Replication k of a seed is a function of (scenario, seed, k) alone: neither the number of jobs
 * nor the order in which they end changes a byte of what is returned.  With seedSet `different`
 * the scenario's name is mixed into the seed, so that scenarios share no draws.
 *
 * After `count` replications more are made, in steps, while a threshold is inconclusive or the
 * relative half-width of a chain's initialisation or recovery time is above relativePrecision, up
 * to `max`.
 *
 * A metric may be observed several times in a replication (several strikes of a fault): means and
 * their intervals are over replications, quantiles and extremes over all observations. */
#pragma once

#include "models/chain.h"
#include "sim/outcome.h"

typedef struct ReplicateOptions {
    uint64_t seed;
    int count;              /* <= 0: the scenario's */
    int only;               /* >= 0: this replication alone */
    guint jobs;             /* 0: one for each processor */
    const char *events_dir; /* DIR/rep-<k>/events.jsonl; NULL: none */
    const char *usage_dir;  /* DIR/rep-<k>/usage.csv; NULL: none */
    /* Called by one thread at a time, after each replication and, while long ones run, ten times a
     * second; `done` counts the parts of those.  May be NULL. */
    void (*progress)(void *data, double done, int total);
    void *data;
    /* Ends the work early when it becomes nonzero (a signal); may be NULL. */
    const volatile int *interrupted;
} ReplicateOptions;

typedef struct MetricSeries {
    char *metric;
    MetricKey *key; /* the same, taken apart */
    const char *unit;
    GArray *values;     /* double, the mean of each replication; NAN: not observed */
    GPtrArray *samples; /* Sample *, by replication: its observations where there are several, NULL
                           otherwise; shorter than `values` when no more follow */
} MetricSeries;

typedef struct ThresholdOutcome {
    char *metric; /* a key that the threshold's selector matched, or the selector */
    const char *expr;
    ThresholdVerdict verdict;
    char *message;
    double observed;   /* NAN: nothing was */
    Interval interval; /* that was judged */
    bool has_worst;    /* false: nothing was observed */
    uint32_t worst;    /* replication */
} ThresholdOutcome;

/* What only the first outcome keeps: where Pods were and why they did not start, and the paths of
 * chains.  The values of all are in the series. */
typedef struct Study {
    GPtrArray *outcomes;   /* Outcome *, by replication; their `values` are empty */
    GPtrArray *series;     /* MetricSeries *, by metric */
    GHashTable *index;     /* metric -> MetricSeries */
    GPtrArray *thresholds; /* ThresholdOutcome * */
    bool passed;           /* every threshold */
    uint64_t fingerprint;  /* of replication 0; 0: it was not run */
} Study;

Study *replicate(const Scenario *scenario, const Chains *chains, const ReplicateOptions *options,
                 GError **error);
Study *study_new(void);
void study_free(Study *study);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Study, study_free)

/* Takes n more outcomes, in the order of replications, and judges every threshold anew. */
void study_take(Study *study, const Scenario *scenario, Outcome **take, guint n);

/* Whether more replications could decide something: see above. */
bool study_wants_more(const Study *study, const Scenario *scenario);

const MetricSeries *study_series(const Study *study, const char *metric);

/* Adds a metric's values over replications, without those that did not observe it. */
void series_values(const MetricSeries *series, Sample *out);

/* Adds all observations of all replications. */
void series_pooled(const MetricSeries *series, Sample *out);
