/* Which endpoints and forwarders may serve a Request: the rules of FACTS 1.3 and 1.4 as pure
 * functions, with a report of why each was taken or not.
 *
 * Endpoints (sdk@v1.4.0 discover/match_selector.go): among those not expired that serve the
 * service by exact name, the first match whose source_selector is a subset of the client's labels
 * decides: its routes' destinations in order (values are Go templates over the client's labels),
 * possibly with repeats; an empty result falls through only where `fallthrough` says so; a match
 * with metadata and no routes that finds nothing ends the search with all; without any applicable
 * match all are candidates.  `weight` is never read.
 *
 * Forwarders (discoverforwarder/server.go): a service without matches takes all; else the first
 * applicable match takes those whose labels contain its metadata's labels ({"p2p": "true"} where
 * it has none); no applicable match takes none. */
#pragma once

#include "models/manifest/objects.h"
#include "models/nsm/record.h"

typedef struct SelectReport {
    GPtrArray *lines; /* char *: one for each match considered, and the outcome */
} SelectReport;

/* `records`: NseRecord *.  The result borrows from it.  `report` may be NULL. */
GPtrArray *select_endpoints(const NetworkServiceSpec *spec, const char *service,
                            const Labels *client, const GPtrArray *records, nsec_t now,
                            SelectReport *report);

GPtrArray *select_forwarders(const NetworkServiceSpec *spec, const Labels *client,
                             const GPtrArray *records);
