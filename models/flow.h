/* Where traffic goes: what `from`, `to` and `interface` of an entry of spec.traffic mean among the
 * manifests and their chains.  Used by who reads scenarios and by who runs them. */
#pragma once

#include "models/chain.h"

#define POD_INTERFACE "eth0" /* containerd pkg/cri/server, defaultIfName: in every Pod */

/* Whether "kind/name" or "kind/namespace/name" names the object; the kind in any case. */
bool flow_names(const char *reference, const Object *object);

/* All workloads and Pods of the manifests (Object *, borrowed), in their order. */
GPtrArray *flow_workloads(const Scenario *scenario);

/* The workload or Pod of that reference among the manifests; NULL: there is none. */
const Object *flow_find(const Scenario *scenario, const char *reference);

/* "deployment/nse"; free with g_free. */
char *flow_reference(const Object *object);

/* Whether the text is an IPv4 address: four decimal numbers. */
bool flow_is_address(const char *text);

/* The last endpoint of the chain; NULL: it has none. */
const ChainEndpoint *flow_end(const Chain *chain);

/* The addresses that an endpoint gives, "172.16.1.100/31,...": its NSM_CIDR_PREFIX; NULL: the
 * manifests do not tell. */
const char *flow_prefixes(const ChainEndpoint *endpoint);

/* Whether the chain ends at `to`, a reference or an address.  An address fits where the manifests
 * do not tell which addresses there are. */
bool flow_reaches(const Chain *chain, const char *to);

/* Whether the chain carries the entry's traffic; never on the Pod network. */
bool flow_takes(const Traffic *traffic, const Chain *chain);
