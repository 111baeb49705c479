/* Names of faults, and what presets stand for.
 *
 * A preset is a directory of networkservicemesh/deployments-k8s, examples/heal; the comments say
 * what its README does.  Some end an endpoint by applying a changed Deployment: here its Pod is
 * deleted and its controller makes another one.  Where a README says "local" or "remote", the
 * manifests decide where client and endpoint are; "-memif" and "-ip" name the mechanism and the
 * payload, which are the manifests' too. */
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

bool
fault_is_network(FaultAction action)
{
    return g_str_equal(actions[action].kind, "NetworkChaos");
}

bool
fault_is_node(FaultAction action)
{
    return g_str_equal(actions[action].kind, "NodeChaos");
}

/* ---- clearing ---- */

void
fault_part_clear(FaultPart *part)
{
    g_strfreev(part->selector.namespaces);
    labels_clear(&part->selector.labels);
    g_strfreev(part->selector.nodes);
    g_strfreev(part->selector.pods);
    g_strfreev(part->containers);
    g_free(part->device);
    g_strfreev(part->target_nodes);
    g_free(part->taint_key);
    g_free(part->taint_value);
    g_free(part->taint_effect);
    *part = (FaultPart){.selector.component = N_COMPONENTS};
}

void
fault_clear(Fault *fault)
{
    for (guint i = 0; i < fault->n_parts; i++) {
        fault_part_clear(&fault->parts[i]);
    }
    g_free(fault->parts);
    g_free(fault->name);
    g_free(fault->preset);
    g_free(fault->chain);
    g_clear_pointer(&fault->mark.file, g_ref_string_release);
    *fault = (Fault){0};
}

/* ---- presets ---- */

/* Whom a part of a preset hits. */
typedef enum Victim {
    VICTIM_NONE,
    VICTIM_ENDPOINT, /* the chain's last endpoint, wherever it runs */
    VICTIM_WIRE,     /* the V-wire of the chain's client */
    VICTIM_REGISTRY,
    VICTIM_WEBHOOK,
    VICTIM_NSMGR, /* all of them, as the other components without a place */
    VICTIM_LOCAL_NSMGR,
    VICTIM_REMOTE_NSMGR,
    VICTIM_FORWARDER,
    VICTIM_LOCAL_FORWARDER,
    VICTIM_REMOTE_FORWARDER,
    VICTIM_SPIRE_SERVER,
    VICTIM_SPIRE_AGENT,
} Victim;

static const struct {
    Component component;
    FaultPlace place;
} victims[] = {
    [VICTIM_NONE] = {N_COMPONENTS, FAULT_PLACE_ANY},
    [VICTIM_ENDPOINT] = {N_COMPONENTS, FAULT_PLACE_ANY},
    [VICTIM_WIRE] = {N_COMPONENTS, FAULT_PLACE_ANY},
    [VICTIM_REGISTRY] = {COMPONENT_REGISTRY, FAULT_PLACE_ANY},
    [VICTIM_WEBHOOK] = {COMPONENT_WEBHOOK, FAULT_PLACE_ANY},
    [VICTIM_NSMGR] = {COMPONENT_NSMGR, FAULT_PLACE_ANY},
    [VICTIM_LOCAL_NSMGR] = {COMPONENT_NSMGR, FAULT_PLACE_CLIENT},
    [VICTIM_REMOTE_NSMGR] = {COMPONENT_NSMGR, FAULT_PLACE_ENDPOINT},
    [VICTIM_FORWARDER] = {COMPONENT_FORWARDER, FAULT_PLACE_ANY},
    [VICTIM_LOCAL_FORWARDER] = {COMPONENT_FORWARDER, FAULT_PLACE_CLIENT},
    [VICTIM_REMOTE_FORWARDER] = {COMPONENT_FORWARDER, FAULT_PLACE_ENDPOINT},
    [VICTIM_SPIRE_SERVER] = {COMPONENT_SPIRE_SERVER, FAULT_PLACE_ANY},
    [VICTIM_SPIRE_AGENT] = {COMPONENT_SPIRE_AGENT, FAULT_PLACE_ANY},
};

enum { MAX_VICTIMS = 4 };

#define SYSTEM VICTIM_REGISTRY, VICTIM_WEBHOOK, VICTIM_NSMGR, VICTIM_FORWARDER

#define PRESETS(X)                                                                                 \
    /* The README replaces the endpoint's Deployment. */                                           \
    X("local-nse-death", VICTIM_ENDPOINT)                                                          \
    X("remote-nse-death", VICTIM_ENDPOINT)                                                         \
    X("remote-nse-death-ip", VICTIM_ENDPOINT)                                                      \
    /* kubectl delete pod of the manager on the client's, or the endpoint's, node */               \
    X("local-nsmgr-restart", VICTIM_LOCAL_NSMGR)                                                   \
    X("remote-nsmgr-restart", VICTIM_REMOTE_NSMGR)                                                 \
    X("remote-nsmgr-restart-ip", VICTIM_REMOTE_NSMGR)                                              \
    /* kubectl delete pod of the forwarder there */                                                \
    X("local-forwarder-death", VICTIM_LOCAL_FORWARDER)                                             \
    X("remote-forwarder-death", VICTIM_REMOTE_FORWARDER)                                           \
    X("remote-forwarder-death-ip", VICTIM_REMOTE_FORWARDER)                                        \
    X("local-forwarder-remote-forwarder", VICTIM_LOCAL_FORWARDER, VICTIM_REMOTE_FORWARDER)         \
    /* kubectl delete pod of the registry, and of others at the same time */                       \
    X("registry-restart", VICTIM_REGISTRY)                                                         \
    X("registry-local-endpoint", VICTIM_REGISTRY, VICTIM_ENDPOINT)                                 \
    X("registry-remote-forwarder", VICTIM_REGISTRY, VICTIM_REMOTE_FORWARDER)                       \
    X("registry-remote-nsmgr", VICTIM_REGISTRY, VICTIM_REMOTE_NSMGR)                               \
    /* the testbed's "NSMgr with NSE" and "NSMgr with forwarder" */                                \
    X("local-nsmgr-local-nse-memif", VICTIM_LOCAL_NSMGR, VICTIM_ENDPOINT)                          \
    X("local-nsmgr-local-forwarder-memif", VICTIM_LOCAL_NSMGR, VICTIM_LOCAL_FORWARDER)             \
    X("local-nsmgr-remote-nsmgr", VICTIM_LOCAL_NSMGR, VICTIM_REMOTE_NSMGR)                         \
    X("remote-nsmgr-remote-endpoint", VICTIM_REMOTE_NSMGR, VICTIM_ENDPOINT)                        \
    /* The READMEs delete the webhook's configuration and the namespace nsm-system and apply both  \
     * again: every Pod of NSM on every node dies, in both cases. */                               \
    X("local-nsm-system-restart", SYSTEM)                                                          \
    X("remote-nsm-system-restart", SYSTEM)                                                         \
    X("remote-nsm-system-restart-memif-ip", SYSTEM)                                                \
    /* ip link set nsm-1 down in the client; nothing sets it up again but healing, which makes it  \
     * anew.  Here the wire itself is cut, for a while. */                                         \
    X("dataplane-interrupt", VICTIM_WIRE)                                                          \
    /* kubectl delete pod; with both the README waits for the server before it deletes the agents, \
     * here they go at once */                                                                     \
    X("spire-server-restart", VICTIM_SPIRE_SERVER)                                                 \
    X("spire-agent-restart", VICTIM_SPIRE_AGENT)                                                   \
    X("spire-server-agent-restart", VICTIM_SPIRE_SERVER, VICTIM_SPIRE_AGENT)

static const char *const preset_names[] = {
#define X(name, ...) name,
    PRESETS(X)
#undef X
        NULL};

static const Victim preset_victims[][MAX_VICTIMS] = {
#define X(name, ...) {__VA_ARGS__},
    PRESETS(X)
#undef X
};

#define INTERRUPTION (30 * NSEC_PER_SEC) /* of dataplane-interrupt, unless a duration is given */

/* Directories of the same suite that faults cannot express. */
static const struct {
    const char *name;
    const char *reason;
} refusals[] = {
    {"remote-nsmgr-death",
     "it changes the managers' DaemonSet so that a node has none for good, and adds an endpoint; "
     "faults change no manifests"},
    {"spire-upgrade",
     "it removes SPIRE with its resource definitions and installs it again; faults change no "
     "manifests (spire-server-agent-restart ends the same Pods)"},
    {"vl3-nse-death", "chains over vL3 endpoints are not modelled"},
    {"vl3-nscs-death", "chains over vL3 endpoints are not modelled"},
};

const char *const *
fault_preset_names(void)
{
    return preset_names;
}

const char *
fault_preset_refusal(const char *preset)
{
    for (guint i = 0; i < G_N_ELEMENTS(refusals); i++) {
        if (g_str_equal(refusals[i].name, preset)) {
            return refusals[i].reason;
        }
    }
    return NULL;
}

static void
fill_part(Victim victim, FaultPart *part)
{
    bool wire = victim == VICTIM_WIRE;
    *part = (FaultPart){.action = wire ? FAULT_PARTITION : FAULT_POD_KILL,
                        .mode = FAULT_MODE_ALL,
                        .selector = {.component = victims[victim].component,
                                     .endpoint = victim == VICTIM_ENDPOINT,
                                     .client = wire,
                                     .place = victims[victim].place},
                        .grace = -1,
                        .device = wire ? g_strdup("nsm-1") : NULL};
}

bool
fault_preset_expand(const char *preset, Fault *fault)
{
    guint found = 0;
    while (preset_names[found] != NULL && !g_str_equal(preset_names[found], preset)) {
        found++;
    }
    if (preset_names[found] == NULL) {
        return false;
    }
    const Victim *list = preset_victims[found];
    g_assert(fault->n_parts == 0);
    fault->parts = g_new0(FaultPart, MAX_VICTIMS);
    for (guint i = 0; i < MAX_VICTIMS && list[i] != VICTIM_NONE; i++) {
        fill_part(list[i], &fault->parts[fault->n_parts++]);
    }
    if (fault->parts[0].action == FAULT_PARTITION) {
        fault->duration = INTERRUPTION;
    }
    return true;
}
