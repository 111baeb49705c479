/* A small scenario for tests of its readers: three nodes, NSM, SPIRE, and one chain "svc" from the
 * Deployment client to the Deployment nse. */
#pragma once

#include "models/scenario.h"
#include "tests/models/scratch.h"

#define SMALL_HEAD                                                                                 \
    "apiVersion: vwire/v1alpha1\nkind: Scenario\nmetadata: {name: small}\nspec:\n"                 \
    "  duration: 20m\n  calibration: calibration.yaml\n  cluster:\n    nodes:\n"                   \
    "    - {name: one, allocatable: {cpu: 40, memory: 64Gi}}\n"                                    \
    "    - {name: two, allocatable: {cpu: 40, memory: 64Gi}}\n"                                    \
    "    - {name: three, allocatable: {cpu: 40, memory: 64Gi}}\n"                                  \
    "    defaultLink: {latency: 1ms}\n"                                                            \
    "  manifests: [{path: nsm.yaml}, {path: app.yaml, startTime: 60s}]\n"
#define SMALL_LINE 14 /* the first line behind it */

/* Echoes along its chain, an entry of spec.traffic without braces. */
#define SMALL_PING                                                                                 \
    "executor: constant-arrival-rate, rate: 10, flow: {from: deployment/client, to: "              \
    "deployment/nse, protocol: icmp}"

static const char *small_more = ""; /* documents that a test adds to app.yaml */

static inline void
add_workload(GString *text, const char *kind, const char *ns, const char *name, const char *image,
             const char *env)
{
    g_string_append_printf(text,
                           "---\napiVersion: apps/v1\nkind: %s\n"
                           "metadata: {name: %s, namespace: %s}\nspec:\n"
                           "  selector: {matchLabels: {app: %s}}\n  template:\n"
                           "    metadata: {labels: {app: %s}}\n    spec:\n      containers:\n"
                           "      - {name: %s, image: \"reg/%s:v1.4.0\", env: [%s]}\n",
                           kind, name, ns, name, name, name, image, env);
}

static inline void
write_files(const char *spec)
{
    g_autoptr(GString) nsm = g_string_new(NULL), app = g_string_new(NULL);
    add_workload(nsm, "DaemonSet", "nsm-system", "nsmgr", "cmd-nsmgr", "");
    add_workload(nsm, "DaemonSet", "nsm-system", "forwarder-vpp", "cmd-forwarder-vpp", "");
    add_workload(nsm, "Deployment", "nsm-system", "registry-k8s", "cmd-registry-k8s", "");
    add_workload(nsm, "DaemonSet", "spire", "spire-agent", "spire-agent", "");
    add_workload(nsm, "StatefulSet", "spire", "spire-server", "spire-server", "");
    add_workload(app, "Deployment", "ns-a", "client", "cmd-nsc",
                 "{name: NSM_NETWORK_SERVICES, value: \"kernel://svc/nsm-7\"}");
    add_workload(app, "Deployment", "ns-a", "nse", "cmd-nse-icmp-responder",
                 "{name: NSM_SERVICE_NAMES, value: svc}, "
                 "{name: NSM_CIDR_PREFIX, value: 172.16.1.100/31}");
    g_autofree char *text = g_strconcat(SMALL_HEAD, spec, NULL);
    scratch_write_calibration("calibration.yaml", "");
    scratch_write("nsm.yaml", nsm->str);
    g_string_append(app, small_more);
    scratch_write("app.yaml", app->str);
    scratch_write("s.yaml", text);
}

static inline Scenario *
load_with(const char *spec, const char *const *sets, GError **error)
{
    const ScenarioOptions options = {.sets = sets};
    g_autofree char *path = scratch_path("s.yaml");
    write_files(spec);
    return scenario_load(path, &options, error);
}

static inline Scenario *
load_good(const char *spec)
{
    g_autoptr(GError) error = NULL;
    Scenario *scenario = load_with(spec, NULL, &error);
    ck_assert_msg(scenario != NULL, "%s: %s", spec, error != NULL ? error->message : "");
    return scenario;
}

/* The error has a place in the scenario. */
static inline void
expect_error(const char *spec, VwireError code, const char *expected)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Scenario) scenario = load_with(spec, NULL, &error);
    ck_assert_msg(scenario == NULL, "no error for %s", spec);
    ck_assert_msg(strstr(error->message, "s.yaml:") != NULL, "%s", error->message);
    check_error(&error, code, expected);
}

/* Every value of a good text is replaced by each of `values` in turn, and the text cut off every
 * `step` bytes: whatever comes of it, there is either a scenario or an error. */
static inline void
expect_scenario_or_error(const char *good, const char *const *values, gsize step)
{
    g_auto(GStrv) words = g_strsplit(good, ": ", -1);
    for (guint i = 1; words[i] != NULL; i++) {
        for (guint v = 0; values[v] != NULL; v++) {
            g_autofree char *old = words[i];
            words[i] = g_strconcat(values[v], old + strcspn(old, ",}]\n"), NULL);
            g_autofree char *text = g_strjoinv(": ", words);
            g_autoptr(GError) error = NULL;
            g_autoptr(Scenario) scenario = load_with(text, NULL, &error);
            ck_assert_msg((scenario == NULL) == (error != NULL), "%s", text);
            g_free(words[i]);
            words[i] = g_steal_pointer(&old);
        }
    }
    for (gsize length = 0; length < strlen(good); length += step) {
        g_autofree char *text = g_strndup(good, length);
        g_autoptr(GError) error = NULL;
        g_autoptr(Scenario) scenario = load_with(text, NULL, &error);
        ck_assert_msg((scenario == NULL) == (error != NULL), "%s", text);
    }
}
