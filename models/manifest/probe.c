/* Startup, readiness and liveness probes of a container. */
#include "models/manifest/decode.h"

#include <string.h>

static const ContainerPort *
find_port(const ContainerSpec *container, const char *name)
{
    for (guint i = 0; i < container->n_ports; i++) {
        if (g_strcmp0(container->ports[i].name, name) == 0) {
            return &container->ports[i];
        }
    }
    return NULL;
}

/* The port of an httpGet, tcpSocket or grpc; names are looked up in the container's ports. */
static bool
decode_probe_port(const TreeNode *handler, const ContainerSpec *container, ProbeSpec *out,
                  GError **error)
{
    g_autofree char *name = NULL;
    if (!decode_port(handler, "port", &out->port, &name, error)) {
        return false;
    }
    const ContainerPort *port = name ? find_port(container, name) : NULL;
    if (port) {
        out->port = port->container_port;
    }
    return out->port > 0 ||
           tree_error(error, handler, VWIRE_ERROR_INVALID,
                      "probe of container %s: found %s%s; expected a port number "
                      "or the name of one of its ports",
                      container->name, name ? "port " : "no port", name ? name : "");
}

static bool
decode_probe_handler(const TreeNode *probe, const ContainerSpec *container, ProbeSpec *out,
                     GError **error)
{
    static const char *const keys[] = {"exec", "httpGet", "tcpSocket", "grpc", NULL};
    const TreeNode *handler = NULL;
    guint n_found = 0;
    for (int i = 0; keys[i]; i++) {
        const TreeNode *found = NULL;
        if (!decode_mapping(probe, keys[i], &found, error)) {
            return false;
        }
        if (found) {
            handler = found;
            out->kind = (ProbeKind)(PROBE_EXEC + i);
            n_found++;
        }
    }
    if (n_found != 1) {
        return tree_error(
            error, probe, VWIRE_ERROR_INVALID,
            "probe of container %s: found %u handlers; expected one of exec, httpGet, "
            "tcpSocket, grpc",
            container->name, n_found);
    }
    if (out->kind != PROBE_EXEC) {
        return decode_probe_port(handler, container, out, error) &&
               (out->kind != PROBE_HTTP || decode_string(handler, "path", &out->command, error));
    }
    g_auto(GStrv) words = NULL;
    if (!decode_strv(handler, "command", &words, error)) {
        return false;
    }
    out->command = g_strjoinv(" ", words);
    return true;
}

/* SetDefaults_Probe: 0 stands for the default. */
static void
default_probe(ProbeSpec *probe)
{
    probe->timeout = probe->timeout ? probe->timeout : NSEC_PER_SEC;
    probe->period = probe->period ? probe->period : 10 * NSEC_PER_SEC;
    probe->success_threshold = probe->success_threshold ? probe->success_threshold : 1;
    probe->failure_threshold = probe->failure_threshold ? probe->failure_threshold : 3;
}

static bool
decode_probe(const Decoder *d, const TreeNode *at, const char *key, const ContainerSpec *container,
             ProbeSpec *out, GError **error)
{
    static const char *const known[] = {"exec",
                                        "httpGet",
                                        "tcpSocket",
                                        "grpc",
                                        "initialDelaySeconds",
                                        "timeoutSeconds",
                                        "periodSeconds",
                                        "successThreshold",
                                        "failureThreshold",
                                        "terminationGracePeriodSeconds",
                                        NULL};
    const TreeNode *probe = NULL;
    if (!decode_mapping(at, key, &probe, error)) {
        return false;
    }
    if (!probe) {
        return true;
    }
    decode_warn_unknown(d, probe, known, key);
    if (!decode_probe_handler(probe, container, out, error) ||
        !decode_seconds(probe, "initialDelaySeconds", &out->initial_delay, error) ||
        !decode_seconds(probe, "timeoutSeconds", &out->timeout, error) ||
        !decode_seconds(probe, "periodSeconds", &out->period, error) ||
        !decode_int(probe, "successThreshold", 0, G_MAXINT, &out->success_threshold, error) ||
        !decode_int(probe, "failureThreshold", 0, G_MAXINT, &out->failure_threshold, error)) {
        return false;
    }
    default_probe(out);
    if (out->success_threshold != 1 && strcmp(key, "readinessProbe") != 0) {
        return tree_error(error, decode_field(probe, "successThreshold"), VWIRE_ERROR_INVALID,
                          "%s of container %s: found successThreshold %d; expected 1", key,
                          container->name, out->success_threshold);
    }
    return true;
}

bool
decode_probes(const Decoder *d, const TreeNode *at, ContainerSpec *out, GError **error)
{
    return decode_probe(d, at, "startupProbe", out, &out->startup, error) &&
           decode_probe(d, at, "readinessProbe", out, &out->readiness, error) &&
           decode_probe(d, at, "livenessProbe", out, &out->liveness, error);
}
