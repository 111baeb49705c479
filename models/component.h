/* The components that the model knows: one machine class each, and one section each in the
 * calibration (start-up latency, CPU demand per message, memory). */
#pragma once

#define COMPONENTS(X)                                                                              \
    X(APISERVER, "kube-apiserver")                                                                 \
    X(CONTROLLERS, "kube-controller-manager")                                                      \
    X(SCHEDULER, "kube-scheduler")                                                                 \
    X(KUBELET, "kubelet")                                                                          \
    X(SERVICES, "kube-proxy")                                                                      \
    X(CHAOS, "chaos")                                                                              \
    X(KUBECTL, "kubectl")                                                                          \
    X(SPIRE_SERVER, "spire-server")                                                                \
    X(SPIRE_REGISTRAR, "spire-registrar")                                                          \
    X(SPIRE_AGENT, "spire-agent")                                                                  \
    X(NSMGR, "nsmgr")                                                                              \
    X(REGISTRY, "registry-k8s")                                                                    \
    X(FORWARDER, "forwarder-vpp")                                                                  \
    X(WEBHOOK, "admission-webhook-k8s")                                                            \
    X(NSC_INIT, "nsc-init")                                                                        \
    X(NSC, "nsc")                                                                                  \
    X(NSE, "nse")                                                                                  \
    X(FIREWALL, "nse-firewall-vpp")                                                                \
    X(WAIT_FOR_IT, "wait-for-it")                                                                  \
    X(APP, "app")

typedef enum Component {
#define X(name, text) COMPONENT_##name,
    COMPONENTS(X)
#undef X
        N_COMPONENTS
} Component;

/* "nsmgr"; for traces, metrics and the calibration's section names. */
const char *component_name(Component component);

/* What an image runs: by the last component of its name ("cmd-nsmgr:v1.4.0" -> nsmgr); anything
 * unknown is an application that only runs. */
Component component_of_image(const char *image);
