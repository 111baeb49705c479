/* JSON patches (RFC 6902): add, remove, replace, move, copy and test, in order, all or nothing. */
#pragma once

#include "base/tree.h"

/* Applies the sequence `operations` to *target, which is replaced on success and untouched on
 * failure.  Errors stand at the operation's mark. */
bool jsonpatch_apply(TreeNode **target, const TreeNode *operations, GError **error);
