/* CPU time in virtual time: containers under CFS quotas on the cores of their node (FACTS 4).
 *
 * A group is a container.  Its jobs each use at most one core; all jobs of a node share its cores
 * equally when there are more jobs than cores (processor sharing).  A group with a quota may use
 * quota * period of CPU time in each period; when that is spent all its jobs stop until the
 * period ends.  Before Linux 6.4 the periods of all groups of a host end at the same instants:
 * `phase` is the host's; from 6.4 on each group has its own (kernel commit 41abdba).
 *
 * A group may have a thread that *polls*: it uses a core whether there is work or not, until the
 * quota is spent.  What such a thread works on rides on it: it progresses while the thread runs and
 * uses no CPU time beside it.  A *load* is CPU time that is used evenly without jobs (fluid flows).
 *
 * One event per group: the next completion, the end of the quota, or the end of the period. */
#pragma once

#include "sim/engine.h"

typedef struct CpuNode CpuNode;
typedef struct CpuGroup CpuGroup;
typedef struct CpuJob CpuJob;

/* Embedded by whoever needs CPU time; `done` is called when it has been used, and may free it. */
struct CpuJob {
    void (*done)(CpuJob *job);
    CpuGroup *group; /* NULL when it is not running */
    double finish;   /* attained service of the group at which it is done */
    uint64_t order;  /* of arrival in the group */
    guint index;     /* place in the group's heap */
    bool rides;      /* on the polling thread */
};

typedef struct CpuUsage {
    double used;      /* ns of CPU time */
    uint64_t periods; /* periods in which the quota was spent */
    double throttled; /* ns during which jobs waited for a new period */
} CpuUsage;

CpuNode *cpu_node_new(Engine *engine, double cores, nsec_t phase);
void cpu_node_free(CpuNode *node);

/* quota: ns of CPU time in each period; 0: unlimited. */
CpuGroup *cpu_group_new(CpuNode *node, nsec_t quota, nsec_t period);
/* Drops the jobs: their `done` is not called. */
void cpu_group_free(CpuGroup *group);
/* What the quota allows, in cores; 0: unlimited. */
double cpu_group_limit(const CpuGroup *group);

void cpu_submit(CpuGroup *group, CpuJob *job, nsec_t demand);
/* The same, done by the group's polling thread, which must be there: one such job at a time, and
 * the thread polls on until it is done. */
void cpu_submit_polled(CpuGroup *group, CpuJob *job, nsec_t demand);
void cpu_cancel(CpuJob *job); /* does nothing when the job is not running */

void cpu_group_set_polling(CpuGroup *group, bool polling);
/* How long its threads can be stopped for when one of them polls; 0 without a quota. */
nsec_t cpu_group_longest_stop(const CpuGroup *group);
bool cpu_group_is_polling(const CpuGroup *group);

/* CPU time in use beside the jobs, in cores.  It is taken from the quota and from the node's cores;
 * whoever sets it sees to it that it does not exceed them. */
void cpu_group_set_load(CpuGroup *group, double cores);

/* Cores of the quota that are used by what is counted elsewhere, from the next period on: jobs and
 * the polling thread get that much less. */
void cpu_group_set_reserve(CpuGroup *group, double cores);

/* When its periods begin, from now on; before anything was submitted. */
void cpu_group_set_phase(CpuGroup *group, nsec_t phase);

CpuUsage cpu_group_usage(CpuGroup *group);
