/* Copying and freeing Pod specs. */
#include "models/manifest/decode.h"

static SelectorRequirement *
copy_requirements(const SelectorRequirement *from, guint n)
{
    SelectorRequirement *copies = g_new0(SelectorRequirement, n);
    for (guint i = 0; i < n; i++) {
        copies[i].key = g_strdup(from[i].key);
        copies[i].op = from[i].op;
        copies[i].values = g_strdupv(from[i].values);
    }
    return copies;
}

static NodeTerm *
copy_node_terms(const NodeTerm *from, guint n)
{
    NodeTerm *copies = g_new0(NodeTerm, n);
    for (guint i = 0; i < n; i++) {
        copies[i] = from[i];
        copies[i].requirements = copy_requirements(from[i].requirements, from[i].n_requirements);
    }
    return copies;
}

static PodTerm *
copy_pod_terms(const PodTerm *from, guint n)
{
    PodTerm *copies = g_new0(PodTerm, n);
    for (guint i = 0; i < n; i++) {
        const LabelSelector *selector = &from[i].selector;
        LabelSelector *copy = &copies[i].selector;
        copies[i] = from[i];
        copies[i].topology_key = g_strdup(from[i].topology_key);
        copies[i].namespaces = g_strdupv(from[i].namespaces);
        labels_copy(&selector->match_labels, &copy->match_labels);
        copy->requirements = copy_requirements(selector->requirements, selector->n_requirements);
        decode_mark(&from[i].mark, &copies[i].mark);
    }
    return copies;
}

static VolumeItem *
copy_items(const VolumeItem *from, guint n)
{
    VolumeItem *copies = g_new0(VolumeItem, n);
    for (guint i = 0; i < n; i++) {
        copies[i] = (VolumeItem){.key = g_strdup(from[i].key), .path = g_strdup(from[i].path)};
    }
    return copies;
}

static VolumeSpec *
copy_volumes(const VolumeSpec *from, guint n)
{
    VolumeSpec *copies = g_new0(VolumeSpec, n);
    for (guint i = 0; i < n; i++) {
        copies[i] = from[i];
        copies[i].name = g_strdup(from[i].name);
        copies[i].source = g_strdup(from[i].source);
        copies[i].items = copy_items(from[i].items, from[i].n_items);
        decode_mark(&from[i].mark, &copies[i].mark);
    }
    return copies;
}

static Toleration *
copy_tolerations(const Toleration *from, guint n)
{
    Toleration *copies = g_new0(Toleration, n);
    for (guint i = 0; i < n; i++) {
        copies[i] = from[i];
        copies[i].key = g_strdup(from[i].key);
        copies[i].value = g_strdup(from[i].value);
        copies[i].effect = g_strdup(from[i].effect);
    }
    return copies;
}

static ContainerSpec *
copy_containers(const ContainerSpec *from, guint n)
{
    ContainerSpec *copies = g_new0(ContainerSpec, n);
    for (guint i = 0; i < n; i++) {
        container_spec_copy(&from[i], &copies[i]);
    }
    return copies;
}

PodSpec *
pod_spec_copy(const PodSpec *spec)
{
    PodSpec *copy = g_new(PodSpec, 1);
    *copy = *spec; /* numbers; all that is owned follows */
    labels_copy(&spec->labels, &copy->labels);
    labels_copy(&spec->annotations, &copy->annotations);
    labels_copy(&spec->node_selector, &copy->node_selector);
    copy->init_containers = copy_containers(spec->init_containers, spec->n_init_containers);
    copy->containers = copy_containers(spec->containers, spec->n_containers);
    copy->volumes = copy_volumes(spec->volumes, spec->n_volumes);
    copy->node_required = copy_node_terms(spec->node_required, spec->n_node_required);
    copy->node_preferred = copy_node_terms(spec->node_preferred, spec->n_node_preferred);
    copy->pod_terms = copy_pod_terms(spec->pod_terms, spec->n_pod_terms);
    copy->tolerations = copy_tolerations(spec->tolerations, spec->n_tolerations);
    copy->node_name = g_strdup(spec->node_name);
    copy->service_account = g_strdup(spec->service_account);
    copy->scheduler_name = g_strdup(spec->scheduler_name);
    decode_mark(&spec->mark, &copy->mark);
    return copy;
}

static void
free_node_terms(NodeTerm *terms, guint n)
{
    for (guint i = 0; i < n; i++) {
        for (guint j = 0; j < terms[i].n_requirements; j++) {
            selector_requirement_clear(&terms[i].requirements[j]);
        }
        g_free(terms[i].requirements);
    }
    g_free(terms);
}

static void
free_pod_terms(PodTerm *terms, guint n)
{
    for (guint i = 0; i < n; i++) {
        g_free(terms[i].topology_key);
        g_strfreev(terms[i].namespaces);
        label_selector_clear(&terms[i].selector);
        decode_mark_clear(&terms[i].mark);
    }
    g_free(terms);
}

static void
free_volumes(VolumeSpec *volumes, guint n)
{
    for (guint i = 0; i < n; i++) {
        g_free(volumes[i].name);
        g_free(volumes[i].source);
        for (guint item = 0; item < volumes[i].n_items; item++) {
            g_free(volumes[i].items[item].key);
            g_free(volumes[i].items[item].path);
        }
        g_free(volumes[i].items);
        decode_mark_clear(&volumes[i].mark);
    }
    g_free(volumes);
}

static void
free_tolerations(Toleration *tolerations, guint n)
{
    for (guint i = 0; i < n; i++) {
        g_free(tolerations[i].key);
        g_free(tolerations[i].value);
        g_free(tolerations[i].effect);
    }
    g_free(tolerations);
}

static void
free_containers(ContainerSpec *containers, guint n)
{
    for (guint i = 0; i < n; i++) {
        container_spec_clear(&containers[i]);
    }
    g_free(containers);
}

void
pod_spec_free(PodSpec *spec)
{
    if (!spec) {
        return;
    }
    labels_clear(&spec->labels);
    labels_clear(&spec->annotations);
    labels_clear(&spec->node_selector);
    free_containers(spec->init_containers, spec->n_init_containers);
    free_containers(spec->containers, spec->n_containers);
    free_volumes(spec->volumes, spec->n_volumes);
    free_node_terms(spec->node_required, spec->n_node_required);
    free_node_terms(spec->node_preferred, spec->n_node_preferred);
    free_pod_terms(spec->pod_terms, spec->n_pod_terms);
    free_tolerations(spec->tolerations, spec->n_tolerations);
    g_free(spec->node_name);
    g_free(spec->service_account);
    g_free(spec->scheduler_name);
    decode_mark_clear(&spec->mark);
    g_free(spec);
}
