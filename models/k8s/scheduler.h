/* kube-scheduler 1.24: one Pod at a time through a queue, then an asynchronous bind.
 *
 * Pods with spec.nodeName never come here.  A Pod that fits nowhere gets the scheduler's message in
 * its status, waits in the unschedulable queue and is tried again when a Pod is deleted, a node
 * changes or, if older than 60 s, at the 30 s flush; each failure doubles its back-off from 1 s to
 * 10 s, counted from the failure (FACTS 3.3).  Before the first event of a node it counts as
 * schedulable. */
#pragma once

#include "models/k8s/node.h"
#include "models/machine.h"

/* `nodes` lives as long as the machine. */
Machine *scheduler_new(const ProcessInfo *info, const Nodes *nodes);
