/* Endpoints: the last of a chain (cmd-nse-icmp-responder and like images), and the pass-through
 * kind (cmd-nse-firewall-vpp), which is also the client of the next link (FACTS 1.1).
 *
 * The last endpoint gives each connection a pair of addresses from NSM_CIDR_PREFIX.  A pass-through
 * asks its local manager for the next link with the same path continued, with its own NSM_LABELS
 * in place of the client's, joins both interfaces in its VPP and only then answers.  It does not
 * heal (FACTS 2.1): what happens beyond is passed on to who watches it.  Neither signals readiness:
 * the Pod is Ready before the endpoint is registered.
 *
 * A connection ends with a Close or with the previous segment's token. */
#pragma once

#include "models/machine.h"

/* The NetworkService that an endpoint registers for itself: no matches.  Free with object_free. */
Object *network_service_object(const char *name, const char *payload);

Machine *endpoint_new(const ProcessInfo *info);    /* COMPONENT_NSE */
Machine *passthrough_new(const ProcessInfo *info); /* COMPONENT_FIREWALL */
