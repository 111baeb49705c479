/* `kubectl apply` of one set of manifests: its objects are created one after the other. */
#pragma once

#include "models/machine.h"

/* `objects` (Object *) and `label` live as long as the machine; begins `start_time` after its
 * start.  Traces SUBMITTED and APPLIED with `label` as subject. */
Machine *kubectl_new(const ProcessInfo *info, const GPtrArray *objects, nsec_t start_time,
                     const char *label);
