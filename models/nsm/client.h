/* cmd-nsc-init and cmd-nsc (FACTS 1.10, 1.11): the clients of a chain.
 *
 * The init container makes one Request for each URL, again and again 200 ms after each failure,
 * each try limited by NSM_REQUEST_TIMEOUT, and exits 0 without Close.  The sidecar (or a Pod with
 * cmd-nsc alone) first asks for an existing connection of the same id; it requests once, then
 * refreshes when a fifth of the soonest token's life has passed.  A MonitorConnections that
 * fails is fatal: the process exits and its container restarts.  From its first success on it heals
 * the connection (models/nsm/heal.h). */
#pragma once

#include "models/machine.h"

Machine *client_new(const ProcessInfo *info);      /* COMPONENT_NSC */
Machine *client_init_new(const ProcessInfo *info); /* COMPONENT_NSC_INIT */
