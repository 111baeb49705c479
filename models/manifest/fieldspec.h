/* Paths into objects, as kustomize's built-in tables write them: "spec/template/metadata/labels".
 *
 * A path leads through mappings by key; at a sequence it continues in every item.  `[]` after a
 * key says that a sequence stands there; "\/" is a slash within a key. */
#pragma once

#include "models/manifest/resource.h"

typedef struct FieldSpec {
    ResourceType type;
    const char *path;
    bool create; /* missing mappings on the way are made; otherwise the path ends silently */
} FieldSpec;

/* Called with the mapping in which the path's last key stands, and that key without `[]`; the
 * value may be missing only where the path creates. */
typedef bool (*FieldVisitor)(TreeNode *parent, const char *key, gpointer data, GError **error);

/* Visits every place that `path` leads to; false as soon as the visitor says so, or with an error
 * where something other than a mapping stands in the way. */
bool field_visit(TreeNode *root, const char *path, bool create, FieldVisitor visitor, gpointer data,
                 GError **error);

/* The same for the specs of a table whose type accepts the resource's first identity. */
bool field_visit_all(Resource *resource, const FieldSpec *specs, guint n, FieldVisitor visitor,
                     gpointer data, GError **error);
