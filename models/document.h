/* What vwire's own YAML documents have in common: one document per file in the envelope of a
 * Kubernetes object (apiVersion, kind, metadata.name, spec).  Used by calibration and scenario. */
#pragma once

#include "base/tree.h"

#define DOCUMENT_API_VERSION "vwire/v1alpha1"

/* Reads a text that holds exactly one document, a mapping with our apiVersion and with `kind`.
 * `file` names it in errors.  The caller owns the tree. */
TreeNode *document_parse(const char *text, size_t length, const char *file, const char *kind,
                         GError **error);

/* The value at `key`; NULL with an error at the mapping's mark when there is none.  `what` names
 * the mapping in the message ("spec"). */
TreeNode *document_require(const TreeNode *mapping, const char *key, const char *what,
                           GError **error);

/* A required string that is not empty; NULL with an error otherwise.  Borrowed from the tree. */
const char *document_require_string(const TreeNode *mapping, const char *key, const char *what,
                                    GError **error);
