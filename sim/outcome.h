/* What one replication showed: the values of its metrics, each chain's path and verdict, where the
 * seconds of its start went, and what did not work and why. */
#pragma once

#include "base/reservoir.h"
#include "base/stats.h"
#include "models/chain.h"
#include "models/metric.h"
#include "models/recovery.h"
#include "models/timeline.h"
#include "sim/world.h"

/* The seconds between submission and the client Pod's readiness, one after the other. */
#define OUTCOME_PHASES(X)                                                                          \
    X(SUBMISSION, "submission", "kubectl, webhooks and controllers, until the Pod exists")         \
    X(SCHEDULING, "scheduling", "until the Pod is bound to a node")                                \
    X(VOLUMES, "volumes", "kubelet: tokens, ConfigMaps, mounts")                                   \
    X(SANDBOX, "sandbox", "pause container and CNI")                                               \
    X(CONTAINERS, "containers", "until the NSM client's container runs")                           \
    X(IDENTITY, "identity", "until its SVID has come")                                             \
    X(ENDPOINTS, "endpoints", "Requests that fail while endpoints are not yet registered")         \
    X(REGISTRY, "registry queueing", "the registry's client-side rate limit, last Request")        \
    X(REQUEST, "request", "the Request that succeeds, without that queueing")                      \
    X(READINESS, "readiness", "PLEG, remaining containers, probes, status, until Ready")

typedef enum OutcomePhase {
#define X(name, text, what) PHASE_##name,
    OUTCOME_PHASES(X)
#undef X
        N_PHASES
} OutcomePhase;

const char *outcome_phase_name(OutcomePhase phase);
const char *outcome_phase_meaning(OutcomePhase phase);

typedef struct OutcomeValue {
    char *metric; /* key with labels */
    const char *unit;
    double value;   /* the mean of the observations */
    Sample *sample; /* the observations; NULL: `value` is the only one */
} OutcomeValue;

void outcome_value_free(void *data); /* an OutcomeValue; a GDestroyNotify */

/* A V-wire or tunnel of a chain, and what it carried: forward is away from the client.  Counts are
 * packets since its interfaces were made. */
typedef struct WireOutcome {
    char *from, *to; /* places */
    const char *kind;
    uint64_t forward_in, forward_out;
    uint64_t back_in, back_out;
    uint64_t bytes;     /* both ways, that came out */
    uint64_t n_dropped; /* came out and went no further: by what `to` says forward, `from` back */
    uint64_t n_denied;  /* the same, by a firewall's rule: that disproves nothing */
} WireOutcome;

typedef struct ChainOutcome {
    const Chain *chain;
    char *path;       /* as walked; "" when there is none */
    char *problem;    /* NULL: up, in the declared order */
    bool ready;       /* all its Pods were */
    GPtrArray *wires; /* WireOutcome *, from the client on; empty: nothing was sent */
    char *proof;      /* what is wrong with what they carried; NULL: nothing */
    bool has_phases;
    double phases[N_PHASES]; /* seconds */
} ChainOutcome;

/* One Pod's times in seconds since its manifests were submitted; NAN where they did not happen. */
typedef struct PodOutcome {
    char *key;
    char *node;
    guint manifest; /* whose submission it is measured from */
    double created, scheduled, sandbox, started, identity, registered, ready;
    char *problem;
} PodOutcome;

/* Where the time of a stream's packets went, one place after the other, and where packets ended. */
typedef struct FlowPlace {
    char *place; /* "namespace/pod", "node -> node" */
    uint64_t n_packets;
    double *parts; /* ns for each iteration, N_DELAY_PARTS of them */
} FlowPlace;

typedef struct FlowDrop {
    char *what; /* "ring full", "denied by an ACL (http)" */
    char *place;
    uint64_t n;
} FlowDrop;

/* All parts of a place's time, ns for each iteration. */
double flow_place_sum(const FlowPlace *place);

/* One stream of traffic. */
typedef struct FlowOutcome {
    char *name;
    const Chain *chain; /* NULL: on the cluster's own network */
    bool echoes;
    bool is_probe; /* its round trips are under the label `probe` */
    uint64_t n_begun, n_done, n_failed, n_skipped;
    uint64_t n_packets, n_arrived, n_dropped; /* the rest was on its way */
    GPtrArray *places;                        /* FlowPlace * */
    GPtrArray *drops;                         /* FlowDrop * */
    GPtrArray *failures;                      /* char *: "3 x connection refused" */
    double throughput;                        /* bit/s of payload; NAN: it is no such flow */
    GPtrArray *bottlenecks;                   /* FlowBottleneck *: of fluid flows, each once */
} FlowOutcome;

/* What held fluid flows back, and what a flow would get with twice as much of it. */
typedef struct FlowBottleneck {
    char *place;
    const char *what; /* "CPU limit" */
    double capacity;
    const char *unit;
    double utilisation;
    double rate, rate_if_doubled; /* bit/s of payload of one flow */
    uint64_t n;                   /* flows */
} FlowBottleneck;

/* How many packets each rule of a firewall has decided on. */
typedef struct RuleOutcome {
    char *firewall; /* place */
    char *name;     /* of the rule; "implicit deny" */
    char *text;     /* "permit tcp any:any -> any:80" */
    uint64_t n;
} RuleOutcome;

typedef struct Outcome {
    uint32_t replication;
    uint64_t seed;
    GPtrArray *values;   /* OutcomeValue * */
    GPtrArray *chains;   /* ChainOutcome *, in the order of Chains */
    GPtrArray *pods;     /* PodOutcome *, in the order of creation */
    GPtrArray *flows;    /* FlowOutcome *, in the order of spec.traffic */
    GPtrArray *rules;    /* RuleOutcome *, by firewall, in the order of its rules */
    GPtrArray *problems; /* char *: what did not work, one line each */
    int n_faults_missed; /* strikes of faults that hit nothing; "fault ..." in `problems` */
    uint64_t n_events;
    uint64_t n_messages;
    size_t engine_bytes;
} Outcome;

/* What observed the run; borrowed.  NULL where nothing did. */
typedef struct OutcomeSources {
    const Timeline *timeline; /* always there */
    const Recovery *recovery;
    const char *const *ports; /* by chain: the interface of its present client Pod, or NULL */
} OutcomeSources;

Outcome *outcome_collect(World *world, const Scenario *scenario, const Chains *chains,
                         const OutcomeSources *sources, uint64_t seed, uint32_t replication);
void outcome_free(Outcome *outcome);

FlowOutcome *flow_outcome_new(void);

/* The time of all its places, ns for each iteration. */
double flow_outcome_sum(const FlowOutcome *flow);

/* Adds what a metric showed in this replication.  The key is taken; `unit` is static; `value` is
 * finite. */
void outcome_add(Outcome *outcome, MetricKey *take_key, const char *unit, double value);

/* The same for several observations of one replication.  They are moved out of the sample, which
 * is empty afterwards (its struct stays the caller's); an empty sample adds nothing. */
void outcome_add_sample(Outcome *outcome, MetricKey *take_key, const char *unit, Sample *take);

/* The same of a bounded sample, which stays as it is: its mean counts as that of the observations.
 */
void outcome_add_reservoir(Outcome *outcome, MetricKey *take_key, const char *unit,
                           const Reservoir *reservoir);
