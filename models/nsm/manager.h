/* nsmgr: the manager of one node (FACTS 1.2, 1.3).
 *
 * For Requests it chooses a forwarder: NS Find and NSE Find at the registry, candidates in order,
 * the first that succeeds is remembered and looked up by name alone from then on.  A Request
 * that comes from another node already names its endpoint; the manager checks that endpoint by
 * name and takes a forwarder of its own.
 *
 * For the registry it is a proxy: an endpoint of this node is registered with the manager's own
 * URL in place of its socket (localbypass), which is put back when this node asks; a registration
 * expires after a minute without refresh.  Every Find dials the registry anew (FACTS 1.8).  The
 * watches of registry healing are passed on likewise.
 *
 * It remembers nothing over a restart: endpoints that have not registered again are hidden, a Close
 * is answered "forwarder is not selected" (FACTS 2.6). */
#pragma once

#include "models/machine.h"

Machine *manager_new(const ProcessInfo *info);
