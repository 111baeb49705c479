/* Names of the components; the list itself is component.h. */
#include "models/component.h"

#include <glib.h>

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
