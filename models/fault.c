/* Names of faults, and what presets stand for. */
#include "models/fault.h"

static const struct {
    const char *kind;
    const char *name;
} actions[N_FAULT_ACTIONS] = {
#define X(name, kind, text) {kind, text},
    FAULT_ACTIONS(X)
#undef X
};

const char *
fault_action_name(FaultAction action)
{
    return actions[action].name;
}

const char *
fault_action_kind(FaultAction action)
{
    return actions[action].kind;
}
