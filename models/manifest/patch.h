/* The patches of a kustomization: patchesStrategicMerge, patches and patchesJson6902. */
#pragma once

#include "models/manifest/layer.h"

/* patchesStrategicMerge, then patches: they come before names and namespaces change.  A patch that
 * deletes an object takes it out of `resources`.  A patch without target must find its object;
 * a target that selects nothing gives a warning. */
bool patch_run_before(const Layer *layer, GPtrArray *resources, GError **error);

/* patchesJson6902: they come after. */
bool patch_run_after(const Layer *layer, GPtrArray *resources, GError **error);
