/* The kubelet's status manager (pkg/kubelet/status/status_manager.go, 1.24): what it tells the API
 * server of its Pods.
 *
 * Every change of a Pod's status is a request of its own, with the status of that moment; one is
 * sent at a time, as a GET and a PATCH of the kubelet's client.  Every 10 s a batch takes the
 * place of all requests that still wait: of each Pod whose newest status has not arrived, that
 * status alone.  The batch also repeats what somebody else has overwritten (a Pod's readiness
 * by the node lifecycle controller). */
#pragma once

#include "models/k8s/api.h"
#include "models/ratelimit.h"

/* Tags: Pod uid << 16 | kind; the batch's timer has no Pod. */
enum { STATUS_TAG_GET = 0xf0, STATUS_TAG_PATCH, STATUS_TAG_BATCH };

typedef struct StatusRequest StatusRequest;

typedef struct StatusManager {
    RateLimit *client;
    GHashTable *pods;       /* uid -> StatusEntry */
    GQueue requests;        /* StatusRequest * */
    StatusRequest *current; /* the one that is being sent */
    nsec_t started;
    int64_t batches; /* ticks that have passed */
    bool armed;      /* the batch's timer runs */
} StatusManager;

void status_manager_init(StatusManager *manager, RateLimit *client, nsec_t now);
void status_manager_clear(StatusManager *manager);

/* SetPodStatus: takes the status' contents; nothing happens when it is the last one again. */
void status_manager_set(StatusManager *manager, ApiObject *pod, const char *ip,
                        PodStatus *take_status, nsec_t now, Actions *actions);

/* A newer snapshot of a Pod. */
void status_manager_note(StatusManager *manager, ApiObject *pod, nsec_t now, Actions *actions);

void status_manager_forget(StatusManager *manager, uint64_t uid);

/* Replies, failures and timers whose tag's low byte is one of the above. */
void status_manager_step(StatusManager *manager, const Input *input, Actions *actions);
