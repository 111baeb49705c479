/* The transformations that a kustomization applies to all its objects: namespace, namePrefix,
 * nameSuffix, labels, commonLabels, commonAnnotations, replicas, images. */
#pragma once

#include "models/manifest/layer.h"

/* The part that runs before the JSON patches of `patchesJson6902`: namespace, prefix, suffix,
 * labels, annotations. */
bool transform_identity(const Layer *layer, GPtrArray *resources, GError **error);

/* The part that runs after them: replicas, then images. */
bool transform_workloads(const Layer *layer, GPtrArray *resources, GError **error);
