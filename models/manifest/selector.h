/* Which objects a patch is meant for: the `target` of an entry under `patches`. */
#pragma once

#include "models/manifest/resource.h"

typedef struct Selector Selector;

/* Reads group, version, kind, name, namespace (regular expressions that must match the whole
 * text; missing ones match all), labelSelector and annotationSelector ("a=b,c!=d,e in (f,g),!h").
 */
Selector *selector_read(const TreeNode *target, GError **error);
void selector_free(Selector *selector);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Selector, selector_free)

/* True when one of the resource's identities, past or present, and its labels and annotations
 * fit. */
bool selector_matches(const Selector *selector, const Resource *resource);
