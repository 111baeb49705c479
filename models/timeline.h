/* What happened when: a sink that condenses the marks of one replication.
 *
 * Times are absolute; NSEC_NEVER means that it did not happen.  Only the first occurrence counts,
 * except where a member says otherwise. */
#pragma once

#include "models/trace.h"

#include <glib.h>

typedef struct PodTimes {
    char *key; /* "namespace/name" */
    char *node;
    nsec_t created;
    nsec_t scheduled;
    nsec_t volumes;
    nsec_t sandbox;
    nsec_t started;  /* its first container */
    nsec_t identity; /* its first SVID */
    nsec_t registering;
    nsec_t registered;
    nsec_t initialized;
    nsec_t ready;
    char *problem;   /* the last reason why it does not run; NULL: none */
    guint n_refused; /* identity attempts without an entry */
    char *refusal;   /* the last of them */
    guint n_restarts;
    bool replacement;
    bool deleted;
} PodTimes;

typedef struct RequestTimes {
    char *id; /* connection */
    char *service;
    nsec_t first; /* first attempt */
    nsec_t last;  /* the attempt that succeeded, or the last */
    nsec_t done;
    guint n_failed;
    char *problem;   /* of the last failed attempt */
    nsec_t registry; /* spent in the registry's rate limiter between `last` and `done` */
} RequestTimes;

typedef struct Timeline Timeline;

/* Pods that are created at `replaced_from` or later replace others: they are forgotten when they
 * are deleted (so that a long run does not grow), and nobody measures their start. */
Timeline *timeline_new(nsec_t replaced_from);
void timeline_free(Timeline *timeline);
TraceSink *timeline_sink(Timeline *timeline);

/* NULL when nothing is known of it. */
const PodTimes *timeline_pod(const Timeline *timeline, const char *key);
const RequestTimes *timeline_request(const Timeline *timeline, const char *id);
nsec_t timeline_submitted(const Timeline *timeline, const char *manifest);

/* All Pods, in the order of creation: PodTimes *; borrowed. */
const GPtrArray *timeline_pods(const Timeline *timeline);

/* What kubectl was refused: char *, in order. */
const GPtrArray *timeline_errors(const Timeline *timeline);

/* How often a node's lease has expired, and Pods that were evicted from nodes. */
guint timeline_node_not_ready(const Timeline *timeline, const char *node);
guint timeline_n_evicted(const Timeline *timeline);

/* All time that requests have waited in the registry's rate limiter, and how many. */
nsec_t timeline_registry_wait(const Timeline *timeline, guint *n);
