/* Where manifests come from: local paths, remote URLs resolved through a map, files of objects.
 *
 * Nothing is ever fetched.  Paths keep the spelling of the user as far as possible, because they
 * end up in error messages. */
#pragma once

#include "models/manifest/kustomize.h"

/* What `path`, found in a file of `directory`, means there; "x/.." is shortened where x is no
 * symbolic link.  Free with g_free. */
char *source_join(const char *directory, const char *path);

/* Whether text is a URL (or git's host:path) and not a local path. */
bool source_is_remote(const char *text);

/* The local path that the maps give a URL; free with g_free.  NULL with an error at `at` when no
 * map fits or the URL leads out of the map's directory. */
char *source_resolve(const char *url, const GArray *maps, const TreeNode *at, GError **error);

/* The kustomization file of a directory; NULL without an error when there is none, and with one
 * when there are several. */
char *source_kustomization(const char *directory, GError **error);

/* Whether a path's last name is that of a kustomization file. */
bool source_is_kustomization(const char *path);

/* The YAML files directly in a directory, in the order of their names; char *. */
GPtrArray *source_list(const char *directory, GError **error);

/* Appends the objects of a file as Resources; lists (kind: List and the like) are flattened.
 * Other things than objects are errors.  `within`: the file belongs to a kustomization, and is read
 * with source_core_booleans. */
bool source_read_objects(const char *path, bool within, GPtrArray *resources, GError **error);

/* Parses the text of a scalar in a file (an inline patch, the data of a ConfigMap) with marks into
 * that file.  `trim`: without the blanks and line breaks at its end. */
GPtrArray *source_parse_inline(const TreeNode *scalar, bool trim, GError **error);

/* The text of a string field at `key`, NULL when there is none. */
bool source_optional_string(const TreeNode *mapping, const char *key, const char **out,
                            GError **error);

/* Kustomize 5 reads its inputs as YAML 1.2, where only true and false are booleans: turns yes, no,
 * on, off, y and n into the strings that kubectl kustomize prints for them. */
void source_core_booleans(TreeNode *node);
