/* One kustomization while it is applied: its file, its directory, and what belongs to the whole
 * rendering.  Every step (generators, patches, transformations) reads its own fields from it. */
#pragma once

#include "models/manifest/resource.h"

typedef struct Layer {
    const TreeNode *root;  /* the kustomization, a mapping; keys are already checked */
    const char *directory; /* where relative paths start */
    const GArray *maps;    /* ManifestMap, or NULL */
    GPtrArray *warnings;   /* char *, or NULL */
} Layer;

/* The sequence or mapping at a field of the kustomization, NULL in *out when there is none. */
bool layer_field(const Layer *layer, const char *key, TreeKind kind, const TreeNode **out,
                 GError **error);

/* The local path that a string in the kustomization means; free with g_free. */
char *layer_path(const Layer *layer, const TreeNode *text, GError **error);

/* Likewise for something to be read, which kubectl wants within the kustomization's directory:
 * a warning when it is not. */
char *layer_file(const Layer *layer, const TreeNode *text, GError **error);

/* Adds "file:line:column: ..." to the warnings. */
void layer_warn(const Layer *layer, const TreeNode *at, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

/* Refuses values of a mapping that are no strings (labels, annotations). */
bool layer_check_strings(const TreeNode *mapping, const char *what, GError **error);
