/* One path in one tree: finds where it leads and puts a scalar there.  The grammar of paths and
 * the rules for what may be added are in scenario_set.h; private to models/scenario_set.c.
 *
 * `text` is what the user wrote after `--set`; the new nodes' marks show it.  Errors do not. */
#pragma once

#include "base/tree.h"

/* In a scenario; missing mappings on the way are made. */
bool scenario_path_set(TreeNode *root, const char *path, const char *value, const char *text,
                       GError **error);

/* In a Kubernetes object. */
bool scenario_path_set_object(TreeNode *object, const char *path, const char *value,
                              const char *text, GError **error);
