/* configMapGenerator and secretGenerator: ConfigMaps and Secrets made of files, literals and
 * env files, and the hash that their names get. */
#pragma once

#include "models/manifest/layer.h"

/* Makes what the layer's generators say and adds it to `resources`; with `behavior: merge` or
 * `replace` it changes an object that is already there. */
bool generator_run(const Layer *layer, GPtrArray *resources, GError **error);

/* The hash of a ConfigMap's or Secret's content, ten letters; free with g_free. */
char *generator_hash(const TreeNode *object);
