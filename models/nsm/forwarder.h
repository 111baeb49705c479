/* forwarder-vpp: chooses the endpoint and programs the cross-connect (FACTS 1.4, 1.6, 1.7).
 *
 * A Request that names no endpoint: NS Find, NSE Find (both through the node's manager, each
 * dialled anew), selection, then the candidates from a round-robin start until one succeeds; the
 * choice is pinned, and later Requests look it up by name alone.  Then, on the way back: the
 * interface towards the endpoint (or a tunnel towards the other node), the interface towards the
 * client, the cross-connect.  Where both ends are memif on one node it only hands the control
 * socket over: no interface, no cross-connect (direct memif).
 *
 * A connection ends with a Close, with the previous segment's token (timeout), or when the client's
 * network namespace is gone (nsmonitor: seen at a poll every 250 ms): the next hop is told, the
 * ports are removed, then it is answered; `begin` makes all events of a connection wait for each
 * other.  A Request that finds other ends than before, or an endpoint that had ended, is wired
 * anew.
 *
 * It registers itself as an endpoint of the service "forwarder" with the labels of NSM_LABELS
 * ({"p2p": "true"} by default). */
#pragma once

#include "models/machine.h"

Machine *forwarder_new(const ProcessInfo *info);
