/* Strategic merge patches: a partial object laid over a whole one.
 *
 * Mappings merge key by key, null deletes, sequences replace each other unless Kubernetes gives
 * their items a merge key (containers: name, ports: containerPort and protocol, ...): then items
 * merge with the item of the same key.  Items that the patch names come first, in its order, then
 * the others (kustomize 5; kyaml merge2 with MergeOptionsListPrepend).  `$patch: delete` and
 * `$patch: replace`, `$retainKeys` and `$deleteFromPrimitiveList/...` are obeyed,
 * `$setElementOrder/...` is passed over.  Kinds that Kubernetes does not bring along have no merge
 * keys: for them a patch is a JSON merge patch (RFC 7386). */
#pragma once

#include "base/tree.h"

/* Lays `patch` over `target`.  `*deleted`: the patch deletes the whole object (target is then
 * unchanged).  False with an error at the patch's mark when the two do not fit. */
bool merge_strategic(TreeNode *target, const TreeNode *patch, bool *deleted, GError **error);
