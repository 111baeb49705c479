/* Where a Pod may run: node affinity, Pod (anti-)affinity, tolerations. */
#include "models/manifest/decode.h"

#include <string.h>

enum { MAX_WEIGHT = 100 };

/* Appends the requirements of a list to the term.  The only field that matchFields knows is the
 * node's name; that is what the label kubernetes.io/hostname holds. */
static bool
decode_requirements(const Decoder *d, const TreeNode *term, const char *key, NodeTerm *out,
                    GError **error)
{
    const TreeNode *list = NULL;
    if (!decode_list(term, key, &list, error)) {
        return false;
    }
    guint n_before = out->n_requirements;
    out->n_requirements += tree_size(list);
    out->requirements = g_renew(SelectorRequirement, out->requirements, out->n_requirements);
    memset(out->requirements + n_before, 0, tree_size(list) * sizeof(SelectorRequirement));
    for (guint i = 0; i < tree_size(list); i++) {
        SelectorRequirement *r = &out->requirements[n_before + i];
        if (!decode_requirement(d, tree_item(list, i), true, r, error)) {
            return false;
        }
        if (strcmp(key, "matchFields") == 0 && strcmp(r->key, "metadata.name") == 0) {
            g_free(r->key);
            r->key = g_strdup("kubernetes.io/hostname");
        }
    }
    return true;
}

static bool
decode_node_term(const Decoder *d, const TreeNode *term, NodeTerm *out, GError **error)
{
    static const char *const known[] = {"matchExpressions", "matchFields", NULL};
    decode_warn_unknown(d, term, known, "a node selector's term");
    return decode_requirements(d, term, "matchExpressions", out, error) &&
           decode_requirements(d, term, "matchFields", out, error);
}

/* `wrapper` is the entry of a preferred list that holds weight and term. */
static bool
decode_weight(const Decoder *d, const TreeNode *wrapper, int *out, GError **error)
{
    if (!decode_int(wrapper, "weight", 1, MAX_WEIGHT, out, error)) {
        return false;
    }
    return *out > 0 ||
           tree_error(error, wrapper, VWIRE_ERROR_INVALID,
                      "%s: found a preference without weight; expected 1 to 100", d->what);
}

static bool
decode_node_required(const Decoder *d, const TreeNode *affinity, PodSpec *out, GError **error)
{
    const TreeNode *required = NULL;
    const TreeNode *list = NULL;
    if (!decode_mapping(affinity, "requiredDuringSchedulingIgnoredDuringExecution", &required,
                        error) ||
        !decode_list(required, "nodeSelectorTerms", &list, error)) {
        return false;
    }
    if (required && tree_size(list) == 0) {
        return tree_error(error, required, VWIRE_ERROR_INVALID,
                          "%s: found required node affinity without nodeSelectorTerms; expected at "
                          "least one",
                          d->what);
    }
    out->n_node_required = tree_size(list);
    out->node_required = g_new0(NodeTerm, out->n_node_required);
    for (guint i = 0; i < out->n_node_required; i++) {
        if (!decode_node_term(d, tree_item(list, i), &out->node_required[i], error)) {
            return false;
        }
    }
    return true;
}

static bool
decode_node_preferred(const Decoder *d, const TreeNode *affinity, PodSpec *out, GError **error)
{
    const TreeNode *list = NULL;
    if (!decode_list(affinity, "preferredDuringSchedulingIgnoredDuringExecution", &list, error)) {
        return false;
    }
    out->n_node_preferred = tree_size(list);
    out->node_preferred = g_new0(NodeTerm, out->n_node_preferred);
    for (guint i = 0; i < out->n_node_preferred; i++) {
        const TreeNode *term = NULL;
        if (!decode_weight(d, tree_item(list, i), &out->node_preferred[i].weight, error) ||
            !decode_mapping(tree_item(list, i), "preference", &term, error) ||
            !decode_node_term(d, term, &out->node_preferred[i], error)) {
            return false;
        }
    }
    return true;
}

static bool
decode_pod_term(const Decoder *d, const TreeNode *term, PodTerm *out, GError **error)
{
    static const char *const known[] = {
        "labelSelector",  "namespaceSelector", "namespaces", "topologyKey",
        "matchLabelKeys", "mismatchLabelKeys", NULL};
    static const char *const unmodelled[] = {"namespaceSelector", "matchLabelKeys",
                                             "mismatchLabelKeys", NULL};
    decode_mark(&term->mark, &out->mark);
    decode_warn_unknown(d, term, known, "a Pod affinity's term");
    decode_warn_unmodelled(d, term, unmodelled);
    return decode_required_string(d, term, "topologyKey", "a Pod affinity's term",
                                  &out->topology_key, error) &&
           decode_label_selector(d, term, "labelSelector", &out->selector, error) &&
           decode_strv(term, "namespaces", &out->namespaces, error);
}

/* A new zeroed term at the end. */
static PodTerm *
append_pod_term(PodSpec *spec, bool anti)
{
    spec->pod_terms = g_renew(PodTerm, spec->pod_terms, spec->n_pod_terms + 1);
    PodTerm *term = &spec->pod_terms[spec->n_pod_terms++];
    *term = (PodTerm){.anti = anti};
    return term;
}

static bool
decode_preferred_pod_term(const Decoder *d, const TreeNode *wrapper, PodTerm *out, GError **error)
{
    const TreeNode *term = NULL;
    if (!decode_weight(d, wrapper, &out->weight, error) ||
        !decode_mapping(wrapper, "podAffinityTerm", &term, error)) {
        return false;
    }
    return term ? decode_pod_term(d, term, out, error)
                : tree_error(error, wrapper, VWIRE_ERROR_INVALID,
                             "%s: found a preference without podAffinityTerm; expected a term",
                             d->what);
}

static bool
decode_pod_affinity(const Decoder *d, const TreeNode *affinity, bool anti, PodSpec *out,
                    GError **error)
{
    const TreeNode *node = NULL;
    const TreeNode *required = NULL;
    const TreeNode *preferred = NULL;
    if (!decode_mapping(affinity, anti ? "podAntiAffinity" : "podAffinity", &node, error) ||
        !decode_list(node, "requiredDuringSchedulingIgnoredDuringExecution", &required, error) ||
        !decode_list(node, "preferredDuringSchedulingIgnoredDuringExecution", &preferred, error)) {
        return false;
    }
    for (guint i = 0; i < tree_size(required); i++) {
        if (!decode_pod_term(d, tree_item(required, i), append_pod_term(out, anti), error)) {
            return false;
        }
    }
    for (guint i = 0; i < tree_size(preferred); i++) {
        if (!decode_preferred_pod_term(d, tree_item(preferred, i), append_pod_term(out, anti),
                                       error)) {
            return false;
        }
    }
    return true;
}

bool
decode_affinity(const Decoder *d, const TreeNode *spec, PodSpec *out, GError **error)
{
    static const char *const known[] = {"nodeAffinity", "podAffinity", "podAntiAffinity", NULL};
    const TreeNode *affinity = NULL;
    const TreeNode *node = NULL;
    if (!decode_mapping(spec, "affinity", &affinity, error) ||
        !decode_mapping(affinity, "nodeAffinity", &node, error)) {
        return false;
    }
    decode_warn_unknown(d, affinity, known, "affinity");
    return decode_node_required(d, node, out, error) &&
           decode_node_preferred(d, node, out, error) &&
           decode_pod_affinity(d, affinity, false, out, error) &&
           decode_pod_affinity(d, affinity, true, out, error);
}

/* kubernetes pkg/apis/core/validation ValidateTolerations: no key needs Exists, Exists takes no
 * value, and seconds go with NoExecute only. */
static bool
check_toleration(const Decoder *d, const TreeNode *at, const Toleration *t, GError **error)
{
    const char *wrong = NULL;
    if (!t->key && !t->exists) {
        wrong = "a toleration without key; expected operator Exists with it";
    } else if (t->exists && t->value && *t->value) {
        wrong = "a toleration with operator Exists and a value; expected no value";
    } else if (t->seconds != NSEC_NEVER && g_strcmp0(t->effect, "NoExecute") != 0) {
        wrong = "tolerationSeconds with another effect; expected effect NoExecute with it";
    }
    return !wrong || tree_error(error, at, VWIRE_ERROR_INVALID, "%s: found %s", d->what, wrong);
}

static bool
decode_toleration(const Decoder *d, const TreeNode *at, Toleration *out, GError **error)
{
    static const char *const known[] = {"key",    "operator",          "value",
                                        "effect", "tolerationSeconds", NULL};
    static const char *const operators[] = {"Equal", "Exists", NULL};
    static const char *const effects[] = {"", "NoSchedule", "PreferNoSchedule", "NoExecute", NULL};
    int op = 0;
    int effect = 0;
    out->seconds = NSEC_NEVER;
    decode_warn_unknown(d, at, known, "a toleration");
    if (!decode_string(at, "key", &out->key, error) ||
        !decode_choice(at, "operator", operators, &op, error) ||
        !decode_string(at, "value", &out->value, error) ||
        !decode_choice(at, "effect", effects, &effect, error) ||
        !decode_seconds(at, "tolerationSeconds", &out->seconds, error)) {
        return false;
    }
    out->exists = op == 1;
    out->effect = effect > 0 ? g_strdup(effects[effect]) : NULL;
    if (out->key && !*out->key) {
        g_clear_pointer(&out->key, g_free);
    }
    if (!out->exists && !out->value) {
        out->value = g_strdup("");
    }
    return check_toleration(d, at, out, error);
}

bool
decode_tolerations(const Decoder *d, const TreeNode *spec, PodSpec *out, GError **error)
{
    const TreeNode *list = NULL;
    if (!decode_list(spec, "tolerations", &list, error)) {
        return false;
    }
    out->n_tolerations = tree_size(list);
    out->tolerations = g_new0(Toleration, out->n_tolerations);
    for (guint i = 0; i < out->n_tolerations; i++) {
        if (!decode_toleration(d, tree_item(list, i), &out->tolerations[i], error)) {
            return false;
        }
    }
    return true;
}
