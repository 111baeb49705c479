/* Deployment, DaemonSet, StatefulSet, ReplicaSet: selector, replicas and template. */
#include "models/manifest/decode.h"

#include <string.h>

/* The fields of the four specs (apps/v1), for "did you mean". */
static const char *const deployment_fields[] = {"minReadySeconds",
                                                "paused",
                                                "progressDeadlineSeconds",
                                                "replicas",
                                                "revisionHistoryLimit",
                                                "selector",
                                                "strategy",
                                                "template",
                                                NULL};
static const char *const replica_set_fields[] = {"minReadySeconds", "replicas", "selector",
                                                 "template", NULL};
static const char *const daemon_set_fields[] = {
    "minReadySeconds", "revisionHistoryLimit", "selector", "template", "updateStrategy", NULL};
static const char *const stateful_set_fields[] = {"minReadySeconds",
                                                  "ordinals",
                                                  "persistentVolumeClaimRetentionPolicy",
                                                  "podManagementPolicy",
                                                  "replicas",
                                                  "revisionHistoryLimit",
                                                  "selector",
                                                  "serviceName",
                                                  "template",
                                                  "updateStrategy",
                                                  "volumeClaimTemplates",
                                                  NULL};

static const char *const *
fields_of(ObjectKind kind)
{
    switch ((int)kind) {
    case OBJECT_DEPLOYMENT:
        return deployment_fields;
    case OBJECT_DAEMON_SET:
        return daemon_set_fields;
    case OBJECT_STATEFUL_SET:
        return stateful_set_fields;
    default:
        return replica_set_fields;
    }
}

static bool
decode_selector(const Decoder *d, const TreeNode *spec, WorkloadSpec *out, GError **error)
{
    LabelSelector *selector = &out->selector;
    if (!decode_label_selector(d, spec, "selector", selector, error)) {
        return false;
    }
    if (selector->match_labels.n + selector->n_requirements == 0) {
        const TreeNode *node = decode_field(spec, "selector");
        return tree_error(error, node ? node : spec, VWIRE_ERROR_INVALID,
                          "%s: found %s selector; expected matchLabels or matchExpressions",
                          d->what, node ? "an empty" : "no");
    }
    return true;
}

static bool
decode_template(const Decoder *d, const TreeNode *spec, WorkloadSpec *out, GError **error)
{
    const TreeNode *template = NULL;
    const TreeNode *claims = NULL;
    if (!decode_mapping(spec, "template", &template, error) ||
        !decode_list(spec, "volumeClaimTemplates", &claims, error)) {
        return false;
    }
    if (!template) {
        return tree_error(error, spec, VWIRE_ERROR_INVALID,
                          "%s: found no template; expected a Pod's metadata and spec", d->what);
    }
    out->template = decode_pod_spec(d, template, claims, error);
    if (!out->template) {
        return false;
    }
    if (!out->template->restart_always) {
        return tree_error(
            error, tree_get(tree_get(template, "spec"), "restartPolicy"), VWIRE_ERROR_INVALID,
            "%s: found another restartPolicy; expected Always in a template", d->what);
    }
    return true;
}

/* kubernetes pkg/apis/apps/validation: `selector` does not match template `labels`. */
static bool
check_selector(const Decoder *d, const TreeNode *spec, const WorkloadSpec *out, GError **error)
{
    if (label_selector_matches(&out->selector, &out->template->labels)) {
        return true;
    }
    g_autofree char *labels = labels_format(&out->template->labels);
    return tree_error(error, decode_field(spec, "selector"), VWIRE_ERROR_INVALID,
                      "%s: found a selector that its template's labels (%s) do not satisfy; "
                      "expected it to match them",
                      d->what, *labels ? labels : "none");
}

static bool
fill_workload(const Decoder *d, const TreeNode *spec, WorkloadSpec *out, GError **error)
{
    static const char *const unmodelled[] = {"paused", "volumeClaimTemplates", "ordinals", NULL};
    static const char *const policies[] = {"OrderedReady", "Parallel", NULL};
    int replicas = 1;
    int policy = 0;
    decode_warn_unmodelled(d, spec, unmodelled);
    if (!decode_int(spec, "replicas", 0, G_MAXINT, &replicas, error) ||
        !decode_choice(spec, "podManagementPolicy", policies, &policy, error) ||
        !decode_string(spec, "serviceName", &out->service_name, error)) {
        return false;
    }
    out->replicas = replicas;
    out->parallel = policy == 1;
    return decode_selector(d, spec, out, error) && decode_template(d, spec, out, error) &&
           check_selector(d, spec, out, error);
}

bool
decode_workload(const Decoder *d, const TreeNode *root, Object *object, GError **error)
{
    const TreeNode *spec = NULL;
    if (!decode_mapping(root, "spec", &spec, error)) {
        return false;
    }
    if (!spec) {
        return tree_error(error, root, VWIRE_ERROR_INVALID,
                          "%s: found no spec; expected selector and template", d->what);
    }
    decode_warn_unknown(d, spec, fields_of(object->kind), object->kind_text);
    object->workload = g_new0(WorkloadSpec, 1);
    return fill_workload(d, spec, object->workload, error);
}

void
workload_spec_free(WorkloadSpec *spec)
{
    if (!spec) {
        return;
    }
    label_selector_clear(&spec->selector);
    pod_spec_free(spec->template);
    g_free(spec->service_name);
    g_free(spec);
}
