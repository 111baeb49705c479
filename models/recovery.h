/* What faults cost: a sink that follows each chain's path and each strike of each fault.
 *
 * Terms.  A *strike* begins with TRACE_FAULT_INJECTED and is looked at until the next strike, or
 * the end of the run; faults that strike at the same instant count as the first of them.  A chain
 * is *affected* when its path went down or its client noticed something during that time; the chain
 * that the fault is about always counts.
 *
 * Detection: from the strike until the client's heal begins (a broken monitor stream, a DOWN event,
 * a failed liveness check).
 *
 * Outage: how long the path was down, together.
 *
 * Recovery: from the strike until the chain is well again: the path is up and the client's heal is
 * done.  Where the path was never down, also until what was killed is back in service (an endpoint
 * or forwarder registered, a manager or registry listening, any other Pod Ready): the testbed
 * deleted a component by hand and sent ICMP echoes through the chain, but two of its four
 * components (registry, manager) need not interrupt a path, so that only the return of the
 * component can be what it measured there (FACTS 0, 2.6) [H].  A strike whose victims never come
 * back counts as not recovered either way.
 *
 * The phases cut the recovery at marks, one after the other: their sum is the recovery. */
#pragma once

#include "base/stats.h"
#include "models/chain.h"
#include "models/trace.h"

#define RECOVERY_PHASES(X)                                                                         \
    X(DETECT, "detect", "until the client's heal begins")                                          \
    X(RESTART, "restart", "until the replacement's container runs")                                \
    X(IDENTITY, "identity", "until its SVID has come")                                             \
    X(REGISTER, "register", "until it is registered, or listens")                                  \
    X(REREQUEST, "re-request", "until the attempt begins that succeeds")                           \
    X(PROGRAM, "program", "that attempt: Requests, interfaces, cross-connects")

typedef enum RecoveryPhase {
#define X(name, text, what) RECOVERY_##name,
    RECOVERY_PHASES(X)
#undef X
        N_RECOVERY_PHASES
} RecoveryPhase;

const char *recovery_phase_name(RecoveryPhase phase);
const char *recovery_phase_meaning(RecoveryPhase phase);

/* What all strikes of one fault did to one chain. */
typedef struct RecoveryCase {
    const Fault *fault;
    const Chain *chain;
    Sample detection;                 /* s; strikes that the client noticed */
    Sample outage;                    /* s; all that affected it */
    Sample recovery;                  /* s */
    Sample attempts;                  /* of the heal */
    double phases[N_RECOVERY_PHASES]; /* s, sums over `recovery.n` strikes */
    guint n_affected;
    guint n_unrecovered;
} RecoveryCase;

typedef struct RecoveryChain {
    const Chain *chain;
    nsec_t first_up; /* NSEC_NEVER: never */
    nsec_t down;     /* since first_up, together */
    guint n_outages;
    guint n_heals;        /* that were begun */
    guint n_false_alarms; /* by liveness, while the path was up */
} RecoveryChain;

typedef struct Recovery Recovery;

/* Both live as long as the sink. */
Recovery *recovery_new(const Scenario *scenario, const Chains *chains);
void recovery_free(Recovery *recovery);
TraceSink *recovery_sink(Recovery *recovery);

/* The run is over: the last strike too. */
void recovery_finish(Recovery *recovery, nsec_t now);

const GPtrArray *recovery_cases(const Recovery *recovery); /* RecoveryCase *; only affected */
const RecoveryChain *recovery_chain(const Recovery *recovery, guint chain);
/* Strikes of a fault that hit something. */
guint recovery_n_strikes(const Recovery *recovery, guint fault);
/* What went wrong: strikes that hit nothing or killed nothing, chains that did not recover: char *;
 * `n_missed` counts the former. */
const GPtrArray *recovery_problems(const Recovery *recovery, int *n_missed);
/* Nothing is broken: every chain is up, nobody heals, nothing that was killed is still missing, no
 * fault lasts.  NSEC_NEVER when it is not so, otherwise since when. */
nsec_t recovery_calm_since(const Recovery *recovery);
