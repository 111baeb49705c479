/* An object on its way through a rendering: its tree, and what later steps must know of its past.
 *
 * Names and namespaces change on the way (prefixes, hashes, the namespace field), and patches and
 * references of outer kustomizations may still use an earlier one; so every resource keeps the
 * identities it had.  A set of resources is a GPtrArray of Resource in order of their arrival. */
#pragma once

#include "base/tree.h"

/* An identity; strings are never NULL, ns is "" where nothing is written. */
typedef struct ResourceId {
    const char *api_version;
    const char *kind;
    const char *ns;
    const char *name;
} ResourceId;

typedef struct Resource {
    TreeNode *tree;
    GPtrArray *past;     /* ResourceId, oldest first; owned */
    GPtrArray *prefixes; /* char *, as they were added, innermost first */
    GPtrArray *suffixes; /* likewise */
    bool needs_hash;     /* a generated object whose name gets a hash at the end */
} Resource;

/* What selects resources by type; NULL or "" members accept anything. */
typedef struct ResourceType {
    const char *group;
    const char *version;
    const char *kind;
} ResourceType;

/* Refuses a tree that is no object: a mapping with apiVersion, kind and metadata.name. */
bool resource_check(const TreeNode *tree, GError **error);

Resource *resource_new(TreeNode *take);
void resource_free(Resource *resource);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Resource, resource_free)
GPtrArray *resources_new(void); /* an empty set, which frees its members */

/* The present identity; it borrows from the tree. */
ResourceId resource_id(const Resource *resource);
/* The first identity. */
ResourceId resource_first_id(const Resource *resource);
/* Adds the present identity to the past, before a step changes it. */
void resource_remember(Resource *resource);

/* Sets metadata.name or metadata.namespace; the value's mark is `at`'s, when not NULL. */
void resource_set_meta(Resource *resource, const char *key, const char *value, const TreeNode *at);

/* The group of an apiVersion ("" for the core group) and its version; `group` is g_free'd. */
char *api_group(const char *api_version);
const char *api_number(const char *api_version);

bool resource_id_is_a(const ResourceId *id, const ResourceType *type);
bool resource_id_equal(const ResourceId *a, const ResourceId *b);
/* Cluster-scoped kinds that Kubernetes brings along; kinds of CRDs count as namespaced. */
bool resource_id_is_cluster_scoped(const ResourceId *id);
/* "" and "default" are one namespace; cluster-scoped objects have another of their own. */
const char *resource_id_namespace(const ResourceId *id);

/* The resource that has, or had, this identity: NULL in *out when there is none.  False with an
 * error at `at` when there are several. */
bool resources_find(const GPtrArray *resources, const ResourceId *id, const TreeNode *at,
                    Resource **out, GError **error);

/* Refuses two objects of the same group, kind, namespace and name, at the later one's mark. */
bool resources_check_unique(const GPtrArray *resources, GError **error);

/* The order in which kubectl kustomize prints: by kind (namespaces first, webhooks last), then by
 * group, version, kind, namespace and name. */
void resources_sort(GPtrArray *resources);
