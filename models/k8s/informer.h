/* What a client knows of one kind of objects: its watch, and the newest snapshot of each.
 *
 * As client-go's reflector: a watch that breaks is opened again after a second, shows all that
 * exists as ADDED once more, and what it does not show any more has been deleted meanwhile.
 * Snapshots older than the one known are dropped, so their handlers may be told anything twice but
 * nothing late.  The first event of an object may be a MODIFIED. */
#pragma once

#include "models/k8s/api.h"

typedef struct Informer {
    ObjectKind kind;
    uint64_t tag;        /* of the stream, and of the timer that opens it again */
    const char *node;    /* Pods of one node only; NULL: all */
    bool marks_end;      /* the end of the present LIST is marked */
    GHashTable *known;   /* uid -> ApiObject * */
    GHashTable *missing; /* uids that the LIST under way has not shown yet; NULL: none is */
    uint64_t last_uid;   /* the highest that was seen */
} Informer;

void informer_init(Informer *informer, ObjectKind kind, uint64_t tag, const char *node);
void informer_clear(Informer *informer);

/* Opens the watch: first, and when the timer with its tag fires. */
void informer_open(Informer *informer, Actions *actions);

/* The stream broke or could not be opened. */
void informer_closed(Informer *informer, Actions *actions);

/* Notes an event; false when a newer snapshot is known already, or when nobody knew what was
 * deleted and nothing need be done. */
bool informer_note(Informer *informer, const ApiEvent *event);

/* WATCH_SYNCED: what has been deleted while nobody watched, in the order of uids; references. */
GPtrArray *informer_synced(Informer *informer);

/* The newest snapshot; NULL: not known. */
ApiObject *informer_get(const Informer *informer, uint64_t uid);

/* Whether an object that exists no more was seen: uids are given in rising order. */
bool informer_is_gone(const Informer *informer, uint64_t uid);

/* All that are known, in the order of uids; borrowed. */
GPtrArray *informer_list(const Informer *informer);
