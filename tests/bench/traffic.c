/* Traffic: packets and flows through chains (docs/HACKING.md).
 *
 *   traffic [--json FILE]
 *
 * Goals: an hour of 100 echoes a second through the chain of six Pods in less than 2 s; a minute of
 * 10,000 requests a second through three hops in less than 10 s.
 *
 * Beside ns-3, where tests/bench/run has built its peer: two nodes on one link, a TCP transfer and
 * a train of echoes.  The two frame differently (VXLAN over Ethernet here, PPP there), so each
 * answer is set beside what its own framing allows. */
#include "tests/bench/measure.h"

#include <stdlib.h>
#include <string.h>

#define RATE 1e9
#define DELAY 150e-6
#define SECONDS 20
#define ECHOES 3600

static const char *const head =
    "apiVersion: vwire/v1alpha1\nkind: Scenario\nmetadata: {name: bench}\nspec:\n"
    "  duration: %s\n  calibration: configs/testbed-2022.yaml\n  cluster:\n    nodes:\n"
    "    - {name: ubuntu, roles: [control-plane], allocatable: {cpu: \"40\", memory: 64Gi}}\n"
    "    - {name: ubuntu153, allocatable: {cpu: \"40\", memory: 64Gi}}\n"
    "    links:\n"
    "    - {endpoints: [\"ubuntu:eno1\", \"ubuntu153:eno1\"], rate: 1gbit, latency: 150us}\n"
    "  manifests:\n  - path: scenarios/manifests/spire\n"
    "  - {path: scenarios/manifests/nsm-v1.4.0, startTime: 40s}\n"
    "  - {path: scenarios/manifests/%s, startTime: 100s}\n  traffic:\n    bench: %s\n";

typedef struct Case {
    const char *name, *duration, *chain, *traffic, *metric;
    double goal; /* s; 0: none */
} Case;

static const Case cases[] = {
    {"traffic/echoes-1h-6-pods", "3800s", "long-sfc",
     "{executor: constant-arrival-rate, startTime: 200s, duration: 1h, rate: 100, flow: {from: "
     "deployment/nsc-kernel, to: 172.16.1.100, protocol: icmp}}",
     "sfc_rtt_seconds", 2},
    {"traffic/requests-10k-3-hops", "260s", "video-sfc",
     "{executor: constant-arrival-rate, startTime: 200s, duration: 60s, rate: 10000, flow: {from: "
     "deployment/nsc-kernel, to: deployment/nse-kernel, protocol: tcp, port: 80, responseSize: "
     "1000}}",
     "sfc_request_seconds", 10},
};

static const Case wires[] = {
    {"wire/tcp", "220s", "video-sfc",
     "{executor: iperf, startTime: 200s, duration: 20s, flow: {from: deployment/nsc-kernel, to: "
     "deployment/nse-kernel, interface: eth0, protocol: tcp, port: 5201}}",
     "sfc_throughput_bits_per_second", 0},
    {"wire/ping", "560s", "video-sfc",
     "{executor: constant-arrival-rate, startTime: 200s, duration: 360s, rate: 10, flow: {from: "
     "deployment/nsc-kernel, to: deployment/nse-kernel, interface: eth0, protocol: icmp}}",
     "sfc_rtt_seconds", 0},
};

static char *
write_case(const Case *one, const char *dir, const char *traffic)
{
    g_autofree char *text = g_strdup_printf(head, one->duration, one->chain, traffic);
    char *file = g_build_filename(dir, "scenario.yaml", NULL);
    return g_file_set_contents(file, text, -1, NULL) ? file : NULL;
}

static bool
run_case(FILE *json, const char *dir, const Case *one)
{
    Figures f = {0};
    g_autofree char *file = write_case(one, dir, one->traffic);
    if (file == NULL || !measure_apart(&(Task){file, NULL, 1, one->metric}, false, &f)) {
        return false;
    }
    printf("%-28s %8.2f s (goal %.0f s) %12.0f events %6.2f Mev/s %8.1f MiB  mean %.6g s\n",
           one->name, f.seconds, one->goal, f.events, f.events / f.seconds / 1e6,
           (double)f.peak_kib / 1024, f.metric);
    add_json(json, one->name, f.seconds, "s", NULL);
    return true;
}

/* ---- beside ns-3 ---- */

/* The number behind "key=" in the peer's line. */
static double
value_of(const char *line, const char *key)
{
    g_autofree char *text = g_strdup_printf("%s=", key);
    const char *at = strstr(line, text);
    return at != NULL ? g_ascii_strtod(at + strlen(text), NULL) : NAN;
}

static bool
run_peer(const char *arguments, char *line, size_t size)
{
    g_autofree char *command = g_strdup_printf("build/bench/ns3_wire %s", arguments);
    FILE *pipe = popen(command, "r");
    bool ok = pipe != NULL && fgets(line, (int)size, pipe) != NULL;
    return pipe != NULL && pclose(pipe) == 0 && ok;
}

/* What deploying the chain costs is measured by a run with next to no traffic. */
static bool
net_seconds(const char *dir, const Case *one, Figures *out)
{
    Figures idle = {0};
    bool tcp = g_str_equal(one->name, "wire/tcp");
    static const char nothing[] =
        "{executor: constant-arrival-rate, startTime: 200s, duration: 1s, rate: 1, flow: {from: "
        "deployment/nsc-kernel, to: deployment/nse-kernel, interface: eth0, protocol: icmp}}";
    g_autofree char *file = write_case(one, dir, one->traffic);
    /* without what ns-3 has no part of */
    const char *set = tcp ? NULL : "calibration.kernel.packet=0s";
    if (file == NULL || !measure_apart(&(Task){file, set, 1, one->metric}, false, out)) {
        return false;
    }
    g_autofree char *again = write_case(one, dir, nothing);
    if (again == NULL || !measure_apart(&(Task){again, set, 1, NULL}, false, &idle)) {
        return false;
    }
    out->seconds = MAX(out->seconds - idle.seconds, 1e-3); /* less cannot be told */
    return true;
}

static bool
run_wires(FILE *json, const char *dir)
{
    char line[512];
    Figures tcp = {0}, ping = {0};
    if (!net_seconds(dir, &wires[0], &tcp) || !net_seconds(dir, &wires[1], &ping)) {
        return false;
    }
    /* payload of a segment over what it takes on the wire: 1410 of 1410 + 40 + VXLAN 50 + 38 */
    double allowed = RATE * 1410 / 1538;
    /* both ways: the link, 172 bytes, the bridge (10 us) and the overlay (2 x 15 us) */
    double expected = 2 * (DELAY + 172 * 8 / RATE + 40e-6);
    printf("two nodes, 1 Gb/s, 150 us: answers beside what the framing allows\n");
    printf("  vwire tcp  %3d s: %.4f of it, %8.4f s\n", SECONDS, tcp.metric / allowed, tcp.seconds);
    printf("  vwire ping %4d: %.4f of it, %8.4f s\n", ECHOES, ping.metric / expected, ping.seconds);
    add_json(json, "wire/tcp-20s", tcp.seconds, "s", NULL);
    add_json(json, "wire/ping-3600", ping.seconds, "s", NULL);
    if (!g_file_test("build/bench/ns3_wire", G_FILE_TEST_IS_EXECUTABLE)) {
        printf("  skipped ns-3: build/bench/ns3_wire is not there\n");
        return true;
    }
    if (!run_peer("tcp 1Gbps 150us 1500 20", line, sizeof line)) {
        return false;
    }
    double wall = value_of(line, "wall");
    printf("  ns-3  tcp  %3d s: %.4f of it, %8.4f s: at least %.0f times as long\n", SECONDS,
           value_of(line, "goodput") / (RATE * 1460 / 1502), wall, wall / tcp.seconds);
    add_json(json, "wire/tcp-20s", wall, "s", "ns-3");
    if (!run_peer("ping 1Gbps 150us 1500 3600 0.1 56", line, sizeof line)) {
        return false;
    }
    wall = value_of(line, "wall");
    printf("  ns-3  ping %4d: %.4f of it, %8.4f s: %.1f times as long\n", ECHOES,
           value_of(line, "mean_rtt") / (2 * (DELAY + 86 * 8 / RATE)), wall, wall / ping.seconds);
    add_json(json, "wire/ping-3600", wall, "s", "ns-3");
    return true;
}

int
main(int argc, char **argv)
{
    FILE *json = argc > 2 && strcmp(argv[1], "--json") == 0 ? fopen(argv[2], "a") : NULL;
    g_autofree char *dir = g_dir_make_tmp("vwire-traffic-XXXXXX", NULL);
    bool ok = dir != NULL;
    for (guint i = 0; ok && i < G_N_ELEMENTS(cases); i++) {
        ok = run_case(json, dir, &cases[i]);
    }
    ok = ok && run_wires(json, dir);
    g_autofree char *cleanup = g_strdup_printf("rm -rf '%s'", dir);
    return system(cleanup) == 0 && ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
