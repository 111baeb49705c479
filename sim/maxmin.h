/* Rates of flows that share resources: weighted max-min fairness, solved where it changes.
 *
 * Terms.  A *resource* has a capacity: a link in bit/s, the CPU of a node in cores.  A *flow* uses
 * some resources, each with a *coefficient*: how much of the resource one unit of its rate takes
 * (1 for a link, CPU seconds per bit for a CPU).  It may have a *cap*, a rate that it never
 * exceeds.
 *
 * Rates are the max-min fair ones (Bertsekas and Gallager, Data Networks, 2nd edition 1992, section
 * 6.5.2): no resource gives more than its capacity, and each flow either has its cap or a
 * *bottleneck*: a resource that is used up and on which no flow has a greater rate.  There is
 * exactly one such vector of rates.  Flows on a resource without capacity have rate 0.
 *
 * Changes (flows and resources added and removed, capacities, caps) are collected; maxmin_solve
 * then finds the new rates.  Its time depends on how many rates change and how many flows are on
 * the resources that they use, not on the size of the system.  Until then rates and usage are those
 * of the last time, and a new flow has rate 0.
 *
 * Flows and resources are numbers, small enough to index arrays of the caller; a number is given
 * anew after removal.  The same calls give the same numbers and the same bits of rates.  Rates are
 * right to about 1e-12 of themselves, a change that is smaller than that is none, and a resource
 * may be overdrawn by as much.
 *
 * Capacities are finite.  Memory is allocated only when there is more of something than ever
 * before.  Misuse (a flow with neither resource nor cap, removal of a resource in use) is a bug and
 * aborts. */
#pragma once

#include <glib.h>
#include <stdint.h>

/* No resource: what limits a flow that has its cap. */
#define MAXMIN_NONE UINT32_MAX

typedef struct Maxmin Maxmin;
typedef uint32_t MaxminResource;
typedef uint32_t MaxminFlow;

typedef struct MaxminUse {
    MaxminResource resource;
    double coefficient; /* of the resource's capacity, for one unit of rate; > 0 */
} MaxminUse;

/* Told of each flow with a new rate; must not change the system.  Rates of flows of higher numbers
 * may still be the old ones. */
typedef void (*MaxminChanged)(MaxminFlow flow, double rate, void *data);

Maxmin *maxmin_new(void);
void maxmin_free(Maxmin *system);

/* capacity: units per second, finite, >= 0. */
MaxminResource maxmin_add_resource(Maxmin *system, double capacity);
/* No flow may use it any more. */
void maxmin_remove_resource(Maxmin *system, MaxminResource number);
void maxmin_set_capacity(Maxmin *system, MaxminResource number, double capacity);

/* cap: >= 0, INFINITY for none; then there must be a resource.  The coefficients of a resource that
 * is named several times add up. */
MaxminFlow maxmin_add_flow(Maxmin *system, double cap, const MaxminUse *uses, guint n_uses);
void maxmin_remove_flow(Maxmin *system, MaxminFlow number);
void maxmin_set_cap(Maxmin *system, MaxminFlow number, double cap);

/* Finds the rates after all changes so far.  Calls `changed` (NULL: nobody) for each flow whose
 * rate is another than before, in the order of their numbers; returns how many. */
guint maxmin_solve(Maxmin *system, MaxminChanged changed, void *data);

double maxmin_rate(const Maxmin *system, MaxminFlow number);
/* What all flows together take of the resource, in its units per second; looks at each of them. */
double maxmin_usage(const Maxmin *system, MaxminResource number);
/* What keeps the flow from more, after maxmin_solve: a bottleneck, or MAXMIN_NONE when that is its
 * cap. */
MaxminResource maxmin_bottleneck(const Maxmin *system, MaxminFlow number);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Maxmin, maxmin_free)
