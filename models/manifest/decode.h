/* What the object readers share: optional fields with their types, selectors, warnings.
 *
 * Internal to models/manifest.  As in Kubernetes, a field that is null is absent.  A reader leaves
 * its output alone when the field is absent, and answers false with an error at the field's mark
 * when it is there but wrong.  Text that is put out is a copy; free it with g_free. */
#pragma once

#include "models/manifest/objects.h"

/* The object that is being read, for warnings and errors. */
typedef struct Decoder {
    const char *what;    /* "Deployment nsm-system/registry-k8s" */
    GPtrArray *warnings; /* char *; may be NULL */
} Decoder;

/* Adds "file:line:column: <what>: ..." to the warnings. */
void decode_warn(const Decoder *d, const TreeMark *mark, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

/* Warns of keys that Kubernetes has in no version ("did you mean"); it would refuse or drop them.
 */
void decode_warn_unknown(const Decoder *d, const TreeNode *mapping, const char *const *known,
                         const char *in);

/* Warns of those of the keys that are there: Kubernetes acts on them, the models do not. */
void decode_warn_unmodelled(const Decoder *d, const TreeNode *mapping, const char *const *keys);

/* The value of a key, NULL when it is absent or null. */
const TreeNode *decode_field(const TreeNode *mapping, const char *key);

bool decode_mapping(const TreeNode *at, const char *key, const TreeNode **out, GError **error);
/* A sequence of mappings. */
bool decode_list(const TreeNode *at, const char *key, const TreeNode **out, GError **error);
bool decode_string(const TreeNode *at, const char *key, char **out, GError **error);
/* `of` says whose field it is: "container 2". */
bool decode_required_string(const Decoder *d, const TreeNode *at, const char *key, const char *of,
                            char **out, GError **error);
bool decode_bool(const TreeNode *at, const char *key, bool *out, GError **error);
bool decode_int(const TreeNode *at, const char *key, int min, int max, int *out, GError **error);
/* Whole seconds, not negative. */
bool decode_seconds(const TreeNode *at, const char *key, nsec_t *out, GError **error);
/* One of the NULL-terminated words; its index. */
bool decode_choice(const TreeNode *at, const char *key, const char *const *words, int *out,
                   GError **error);
/* A sequence of strings, appended as copies. */
bool decode_strings(const TreeNode *at, const char *key, GPtrArray *out, GError **error);
/* A sequence of strings as a NULL-terminated array, empty when the field is absent. */
bool decode_strv(const TreeNode *at, const char *key, char ***out, GError **error);
/* A mapping of strings, added to what is there. */
bool decode_labels(const TreeNode *at, const char *key, Labels *out, GError **error);
/* A port as a number from 1 to 65535, or as a name. */
bool decode_port(const TreeNode *at, const char *key, int *port, char **name, GError **error);

/* {key, operator, values}; `node` allows Gt and Lt. */
bool decode_requirement(const Decoder *d, const TreeNode *at, bool node, SelectorRequirement *out,
                        GError **error);
bool decode_label_selector(const Decoder *d, const TreeNode *at, const char *key,
                           LabelSelector *out, GError **error);

/* Marks hold a reference to their file's name. */
void decode_mark(const TreeMark *from, TreeMark *out);
void decode_mark_clear(TreeMark *mark);

/* Readers by kind of object: they fill the object's union. */
bool decode_pod(const Decoder *d, const TreeNode *root, Object *object, GError **error);
bool decode_workload(const Decoder *d, const TreeNode *root, Object *object, GError **error);
bool decode_service(const Decoder *d, const TreeNode *root, Object *object, GError **error);
bool decode_data(const Decoder *d, const TreeNode *root, Object *object, GError **error);
bool decode_webhook(const Decoder *d, const TreeNode *root, Object *object, GError **error);
bool decode_network_service(const Decoder *d, const TreeNode *root, Object *object, GError **error);

/* A Pod's spec below `at`, the Pod or the template; `claims` are a StatefulSet's claim templates,
 * which count as volumes, or NULL.  NULL with an error. */
PodSpec *decode_pod_spec(const Decoder *d, const TreeNode *at, const TreeNode *claims,
                         GError **error);
/* Fills out, which must be zeroed; what is filled must be cleared even on failure. */
bool decode_container(const Decoder *d, const TreeNode *at, bool host_network, ContainerSpec *out,
                      GError **error);
/* Needs the container's name and ports. */
bool decode_probes(const Decoder *d, const TreeNode *at, ContainerSpec *out, GError **error);
bool decode_affinity(const Decoder *d, const TreeNode *spec, PodSpec *out, GError **error);
bool decode_tolerations(const Decoder *d, const TreeNode *spec, PodSpec *out, GError **error);

void workload_spec_free(WorkloadSpec *spec);
void service_spec_free(ServiceSpec *spec);
void webhook_spec_free(WebhookSpec *spec);
void network_service_spec_free(NetworkServiceSpec *spec);
