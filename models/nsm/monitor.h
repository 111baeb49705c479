/* MonitorConnections as every server hop has it (FACTS 2.1; sdk@v1.4.0:pkg/networkservice/common/
 * monitor/server.go:76, eventloop.go:79): who watches the connections of this hop, and this hop's
 * own streams to the next ones.
 *
 * After a successful Request the hop calls `monitor_established`; it opens a stream to the next hop
 * unless one stands.  When such a stream breaks, or tells that the path beyond is down, this hop's
 * watchers of the connection are told DOWN.  There is no keepalive: a stream to a dead node stays.
 * (Updates of connections that are well are not sent: nobody acts on them.)
 *
 * Connections are named by this hop's segment id; watchers may come before and stay after them.
 * Embedded; the owner forwards its OPENED, EVENT and CLOSED inputs. */
#pragma once

#include "models/nsm/connection.h"

typedef struct Monitor {
    GHashTable *links;    /* segment id -> MonitorLink */
    GHashTable *streams;  /* tag -> MonitorLink that watches its next hop */
    GHashTable *watchers; /* segment id -> GArray of uint64_t, in the order of opening */
    GHashTable *calls;    /* watcher's call -> its segment id */
    uint64_t last_tag;
} Monitor;

void monitor_init(Monitor *monitor);
void monitor_clear(Monitor *monitor);

/* `state` is the connection as this hop has answered it; `next` the address of the next hop, NULL
 * at the end of a chain. */
void monitor_established(Monitor *monitor, Connection *state, const char *next, Actions *actions);

/* The connection is gone: its stream is cancelled, its watchers are told DELETE.  Harmless for one
 * that is not known. */
void monitor_closed(Monitor *monitor, const char *id, Actions *actions);

typedef enum MonitorNews {
    MONITOR_NOTHING,
    MONITOR_BROKEN,  /* the next hop has ended: our stream to it broke */
    MONITOR_DOWN,    /* somebody beyond it has */
    MONITOR_DELETED, /* the next hop has closed the connection */
} MonitorNews;

/* True when the input was the monitor's.  `news` is then what it says about the connection `id`
 * (borrowed until the monitor changes). */
bool monitor_step(Monitor *monitor, const Input *input, Actions *actions, MonitorNews *news,
                  const char **id);
