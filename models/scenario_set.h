/* `--set PATH=VALUE`: changes to a scenario before it is decoded.
 *
 * A path is a list of keys with dots in between; `[x]` behind a key takes the item of a list whose
 * index or `name` is x, or the key x of a mapping (for keys with dots).  Three kinds:
 *
 *   duration, spec.duration            a field of the scenario; without a head it is below spec
 *   calibration.kubelet.sandbox        a parameter: calibration_set
 *   daemonset/forwarder-vpp:resources.limits.cpu
 *                                      a field of every rendered object of that kind (in any case)
 *                                      and name; `kind/namespace/name` says which one.  A path
 *                                      whose first key is no field of an object counts from the
 *                                      Pod template's first container.
 *
 * New values are plain scalars: what YAML would read from the text, but text where text stood
 * before.  They carry the mark "--set PATH=VALUE", so that whoever finds one wrong names it. */
#pragma once

#include "models/calibration.h"

typedef struct ScenarioSet ScenarioSet;

/* NULL-terminated texts (or NULL) as an array of ScenarioSet that owns them. */
GPtrArray *scenario_sets_parse(const char *const *texts, GError **error);

/* Each applies the changes of its kind, in order.  Fields that a scenario does not have yet are
 * added: the strict decoding that follows refuses what it does not know.  Fields of objects are
 * added only where they make sense to Kubernetes. */
bool scenario_sets_apply(const GPtrArray *sets, TreeNode *root, GError **error);
bool scenario_sets_apply_calibration(const GPtrArray *sets, Calibration *calibration,
                                     GError **error);
bool scenario_sets_apply_objects(const GPtrArray *sets, const GPtrArray *trees, GError **error);

/* After all objects: refuses a change that found none. */
bool scenario_sets_check_used(const GPtrArray *sets, GError **error);
