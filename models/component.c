/* Names of the components; the list itself is component.h. */
#include "models/component.h"

#include <glib.h>
#include <string.h>

static const char *const component_names[N_COMPONENTS] = {
#define X(name, text) [COMPONENT_##name] = text,
    COMPONENTS(X)
#undef X
};

const char *
component_name(Component component)
{
    g_assert((unsigned)component < N_COMPONENTS);
    return component_names[component];
}

/* Order matters: the first whose text is part of the image's base name. */
static const struct {
    const char *text;
    Component component;
} images[] = {
    {"cmd-nsmgr-proxy", COMPONENT_APP},
    {"cmd-nsmgr", COMPONENT_NSMGR},
    {"cmd-registry-proxy", COMPONENT_APP},
    {"cmd-registry", COMPONENT_REGISTRY},
    {"cmd-forwarder", COMPONENT_FORWARDER},
    {"cmd-admission-webhook", COMPONENT_WEBHOOK},
    {"cmd-nsc-init", COMPONENT_NSC_INIT},
    {"cmd-nsc", COMPONENT_NSC},
    {"cmd-nse-firewall", COMPONENT_FIREWALL},
    {"cmd-nse-", COMPONENT_NSE},
    {"spire-server", COMPONENT_SPIRE_SERVER},
    {"k8s-workload-registrar", COMPONENT_SPIRE_REGISTRAR},
    {"spire-controller-manager", COMPONENT_SPIRE_REGISTRAR},
    {"spire-agent", COMPONENT_SPIRE_AGENT},
    {"wait-for-it", COMPONENT_WAIT_FOR_IT},
};

Component
component_of_image(const char *image)
{
    const char *slash = strrchr(image, '/');
    const char *base = slash != NULL ? slash + 1 : image;
    for (guint i = 0; i < G_N_ELEMENTS(images); i++) {
        if (g_str_has_prefix(base, images[i].text)) {
            return images[i].component;
        }
    }
    return COMPONENT_APP;
}
