/* Manifests as `kubectl kustomize` would render them, each object with the marks it came with.
 *
 * A path is a YAML file (all its documents), a directory with a kustomization (kustomization.yaml,
 * kustomization.yml or Kustomization), or a directory without one (its *.yaml and *.yml files in
 * name order).  Remote bases (https://github.com/<o>/<r>/<path>?ref=<ref> and raw URLs) are never
 * fetched: a map from URL prefix to local directory resolves them.
 *
 * A path to the kustomization file itself means its directory.
 *
 * Supported fields of a kustomization: resources, bases, components, namespace, namePrefix,
 * nameSuffix, commonLabels, commonAnnotations, labels, images, replicas, patches,
 * patchesStrategicMerge, patchesJson6902, configMapGenerator, secretGenerator, generatorOptions,
 * sortOptions (order).  Not supported, and refused by name: replacements, vars, crds, openapi,
 * configurations, generators, transformers, validators, Helm charts, buildMetadata.
 *
 * Where kubectl's releases differ, this follows the newest that was compared with, kubectl 1.32
 * (kustomize 5.5): tests/models/kustomize_equal, which names the differences to Debian's 1.20. */
#pragma once

#include "base/tree.h"

/* One `--map PREFIX=DIR`: a URL that starts with prefix (up to the end of a name) is read below
 * directory; the rest of the URL (without query and without `.git`) is the path there.  The longest
 * prefix wins. */
typedef struct ManifestMap {
    char *prefix;
    char *directory;
} ManifestMap;

/* Splits "PREFIX=DIR" at its last '='. */
bool manifest_map_parse(const char *text, ManifestMap *out, GError **error);
void manifest_map_clear(ManifestMap *map);

/* Renders `path`.  `maps` is an array of ManifestMap or NULL.  Returns the objects in the order
 * that kubectl kustomize prints them for a kustomization, in file order otherwise.  Lists
 * (kind: List) are flattened.  `warnings` (may be NULL) receives char * lines
 * "file:line:column: ..." for what is accepted but has no effect here.
 * Errors: unreadable file, YAML errors, cycles of bases, unknown kustomization fields, a patch
 * without a target, duplicate objects, remote URLs without a map. */
GPtrArray *kustomize_render(const char *path, const GArray *maps, GPtrArray *warnings,
                            GError **error);
