/* Names within objects that refer to other objects: when those were renamed (prefix, suffix,
 * namespace, hash), the references follow. */
#pragma once

#include "models/manifest/resource.h"

/* Rewrites the references of all resources.  False with an error at the reference's mark when it
 * may mean several objects that now have different names. */
bool reference_update(GPtrArray *resources, GError **error);
