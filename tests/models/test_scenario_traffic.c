/* spec.traffic of a scenario: every key, every default, every refusal. */
#include "tests/models/small.h"

/* Beside the chain svc: the Deployment two with the chains web (by nsm-1) and cfg (by nsm-2), whose
 * endpoint's addresses the manifests do not tell; a Pod that is in no chain. */
static const char MORE[] =
    "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: two, namespace: ns-b}\n"
    "spec:\n  selector: {matchLabels: {app: two}}\n  template:\n"
    "    metadata: {labels: {app: two}}\n    spec:\n      containers:\n"
    "      - name: two\n        image: reg/cmd-nsc:v1.4.0\n"
    "        env: [{name: NSM_NETWORK_SERVICES, value: "
    "\"kernel://web/nsm-1,kernel://cfg/nsm-2\"}]\n"
    "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: ns-b}\n"
    "spec:\n  selector: {matchLabels: {app: web}}\n  template:\n"
    "    metadata: {labels: {app: web}}\n    spec:\n      containers:\n"
    "      - name: web\n        image: reg/cmd-nse-icmp-responder:v1.4.0\n"
    "        ports: [{containerPort: 80}, {containerPort: 53, protocol: UDP}]\n"
    "        env: [{name: NSM_SERVICE_NAMES, value: web},\n"
    "              {name: NSM_CIDR_PREFIX, value: \"10.1.0.0/24, 10.2.0.0/24\"}]\n"
    "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: cfg, namespace: ns-b}\n"
    "spec:\n  selector: {matchLabels: {app: cfg}}\n  template:\n"
    "    metadata: {labels: {app: cfg}}\n    spec:\n      containers:\n"
    "      - name: cfg\n        image: reg/cmd-nse-icmp-responder:v1.4.0\n"
    "        env: [{name: NSM_SERVICE_NAMES, value: cfg},\n"
    "              {name: NSM_CIDR_PREFIX, valueFrom: {fieldRef: {fieldPath: status.podIP}}}]\n"
    "---\napiVersion: v1\nkind: Pod\nmetadata: {name: plain, namespace: ns-b}\n"
    "spec: {containers: [{name: nginx, image: \"nginx:1.21\"}]}\n";

/* A scenario with one entry, "x", given without its braces. */
static Scenario *
load_entry(const char *entry)
{
    g_autofree char *spec = g_strdup_printf("  traffic:\n    x: {%s}\n", entry);
    return load_good(spec);
}

/* What follows "file:line:column: ". */
static const char *
text_of(const char *message)
{
    const char *place = strstr(message, "s.yaml:");
    ck_assert_msg(place != NULL, "no place in \"%s\"", message);
    return strstr(place, ": ") + 2;
}

static void
expect_exact(const char *spec, VwireError code, const char *expected)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Scenario) scenario = load_with(spec, NULL, &error);
    ck_assert_msg(scenario == NULL, "no error for %s", spec);
    ck_assert_str_eq(text_of(error->message), expected);
    ck_assert_msg(g_error_matches(error, VWIRE_ERROR, (int)code), "%s", error->message);
}

typedef struct Refusal {
    const char *entry;
    VwireError code;
    const char *expected;
} Refusal;

static void
expect_refusals(const Refusal *cases, guint n)
{
    for (guint i = 0; i < n; i++) {
        g_autofree char *spec = g_strdup_printf("  traffic:\n    x: {%s}\n", cases[i].entry);
        expect_exact(spec, cases[i].code, cases[i].expected);
    }
}

static void
expect_warning(const char *entry, const char *expected)
{
    g_autoptr(Scenario) scenario = load_entry(entry);
    ck_assert_uint_eq(scenario->warnings->len, expected != NULL ? 1 : 0);
    if (expected != NULL) {
        ck_assert_str_eq(text_of(g_ptr_array_index(scenario->warnings, 0)), expected);
    }
}

#define INVALID VWIRE_ERROR_INVALID
#define PARSE VWIRE_ERROR_PARSE

#define RATE "executor: constant-arrival-rate, rate: 10"
#define RAMP "executor: ramping-arrival-rate"
#define USERS "executor: constant-vus"
#define IPERF "executor: iperf"
#define VIDEO "executor: video"
#define FILM "file: {size: 100Mi, duration: 2m}, compress: {cpu: 40s}"
#define STAGE "stages: [{duration: 5m, target: 20}]"

#define SVC "from: deployment/client, to: deployment/nse"
#define WEB "from: deployment/two, to: deployment/web"
#define PING "flow: {" SVC ", protocol: icmp}"
#define TCP WEB ", protocol: tcp, port: 80"
#define GET "flow: {" TCP "}"

/* ------ what is read ------ */

START_TEST(echoes_at_a_constant_rate_are_read)
{
    g_autoptr(Scenario) scenario =
        load_good("  traffic:\n    ping: {executor: constant-arrival-rate, rate: 30, timeUnit: 1m, "
                  "startTime: 90s, duration: 5m, flow: {from: Deployment/ns-a/client, to: "
                  "172.16.1.100, protocol: icmp, size: 1400, timeout: 2s}}\n"
                  "    other: {" RATE ", " PING "}\n");
    ck_assert_uint_eq(scenario->n_traffic, 2);
    const Traffic *ping = &scenario->traffic[0];
    ck_assert_str_eq(ping->name, "ping");
    ck_assert_int_eq(ping->executor, TRAFFIC_CONSTANT_ARRIVAL_RATE);
    ck_assert_int_eq(ping->protocol, TRAFFIC_ICMP);
    ck_assert_str_eq(ping->from, "Deployment/ns-a/client");
    ck_assert_str_eq(ping->to, "172.16.1.100");
    ck_assert_ptr_null(ping->interface);
    ck_assert(!ping->pod_network);
    ck_assert_double_eq(ping->rate, 0.5);
    ck_assert_int_eq(ping->size, 1400);
    ck_assert_int_eq(ping->start_time, 90 * NSEC_PER_SEC);
    ck_assert_int_eq(ping->duration, 300 * NSEC_PER_SEC);
    ck_assert_int_eq(ping->timeout, 2 * NSEC_PER_SEC);
    ck_assert_int_eq(ping->mark.line, SMALL_LINE + 1);
    ck_assert_int_eq(scenario->traffic[1].size, 56);
    ck_assert_int_eq(scenario->traffic[1].duration, 0);
    ck_assert_int_eq(scenario->traffic[1].timeout, 10 * NSEC_PER_SEC);
    ck_assert_uint_eq(scenario->warnings->len, 0);
}
END_TEST

START_TEST(requests_are_read)
{
    g_autoptr(Scenario) scenario =
        load_entry(RATE ", maxVUs: 7, noConnectionReuse: true, flow: {" TCP
                        ", interface: nsm-1, size: 4Mi, responseSize: 1Ti, serviceTime: "
                        "{exponential: {mean: 2ms}, offset: 1ms}, timeout: 5s}");
    const Traffic *traffic = &scenario->traffic[0];
    ck_assert_int_eq(traffic->protocol, TRAFFIC_TCP);
    ck_assert_int_eq(traffic->port, 80);
    ck_assert_str_eq(traffic->interface, "nsm-1");
    ck_assert_int_eq(traffic->max_vus, 7);
    ck_assert(traffic->new_connections);
    ck_assert_int_eq(traffic->size, 4 << 20);
    ck_assert_int_eq(traffic->response_size, INT64_C(1) << 40);
    ck_assert_int_eq(traffic->service.kind, DIST_EXPONENTIAL);
    ck_assert_double_eq_tol(dist_mean(&traffic->service), 0.003, 1e-12);
    ck_assert_int_eq(traffic->timeout, 5 * NSEC_PER_SEC);
    ck_assert_uint_eq(scenario->warnings->len, 0);
    g_autoptr(Scenario) plain = load_entry(RATE ", flow: {" TCP ", serviceTime: 2ms}");
    ck_assert_double_eq(dist_mean(&plain->traffic[0].service), 0.002);
}
END_TEST

START_TEST(requests_have_defaults)
{
    g_autoptr(Scenario) scenario = load_entry(RATE ", " GET);
    const Traffic *traffic = &scenario->traffic[0];
    ck_assert_int_eq(traffic->size, 200);
    ck_assert_int_eq(traffic->response_size, 10240);
    ck_assert_double_eq(dist_mean(&traffic->service), 0);
    ck_assert_int_eq(traffic->timeout, 60 * NSEC_PER_SEC);
    ck_assert(!traffic->new_connections);
    ck_assert_int_eq(traffic->max_vus, 10000);
    ck_assert_int_eq(traffic->start_time, 0);
    ck_assert_int_eq(traffic->duration, 0);
    ck_assert_double_eq(traffic->rate, 10);
}
END_TEST

START_TEST(a_ramp_is_read)
{
    g_autoptr(Scenario) scenario =
        load_entry(RAMP ", startRate: 30, timeUnit: 1m, stages: [{duration: 5m, target: 0}, "
                        "{duration: 10s, target: 60}], " GET);
    const Traffic *traffic = &scenario->traffic[0];
    ck_assert_double_eq(traffic->rate, 0.5);
    ck_assert_uint_eq(traffic->n_stages, 2);
    ck_assert_int_eq(traffic->stages[0].duration, 300 * NSEC_PER_SEC);
    ck_assert_double_eq(traffic->stages[0].target, 0);
    ck_assert_double_eq(traffic->stages[1].target, 1);
    ck_assert_int_eq(traffic->duration, 310 * NSEC_PER_SEC);
    ck_assert_double_eq(traffic_iterations(traffic, NSEC_NEVER), 80);
    g_autoptr(Scenario) from_zero = load_entry(RAMP ", " STAGE ", " PING);
    ck_assert_double_eq(from_zero->traffic[0].rate, 0);
    ck_assert_double_eq(from_zero->traffic[0].stages[0].target, 20);
    g_autoptr(Scenario) down =
        load_entry(RAMP ", startRate: 1, stages: [{duration: 1s, target: 0}], " PING);
    ck_assert_double_eq(down->traffic[0].rate, 1);
}
END_TEST

START_TEST(users_are_read)
{
    g_autoptr(Scenario) scenario =
        load_entry(USERS ", vus: 10, thinkTime: 1s, duration: 10m, noConnectionReuse: true, " GET);
    const Traffic *traffic = &scenario->traffic[0];
    ck_assert_int_eq(traffic->vus, 10);
    ck_assert_int_eq(traffic->think_time, NSEC_PER_SEC);
    ck_assert_int_eq(traffic->duration, 600 * NSEC_PER_SEC);
    ck_assert(traffic->new_connections);
    g_autoptr(Scenario) pinging = load_entry(USERS ", " PING);
    ck_assert_int_eq(pinging->traffic[0].vus, 1);
    ck_assert_int_eq(pinging->traffic[0].think_time, 0);
    ck_assert(!traffic_is_probe(&pinging->traffic[0]));
}
END_TEST

START_TEST(iperf_is_read)
{
    g_autoptr(Scenario) scenario =
        load_entry(IPERF ", parallel: 4, reverse: true, mss: 1460, startTime: 2m, duration: 60s, "
                         "flow: {from: pod/plain, to: deployment/ns-b/web, protocol: tcp, port: "
                         "5201, interface: eth0}");
    const Traffic *traffic = &scenario->traffic[0];
    ck_assert_int_eq(traffic->parallel, 4);
    ck_assert(traffic->reverse);
    ck_assert_int_eq(traffic->mss, 1460);
    ck_assert_int_eq(traffic->port, 5201);
    ck_assert(traffic->pod_network);
    ck_assert_str_eq(traffic->interface, "eth0");
    ck_assert_int_eq(traffic->duration, 60 * NSEC_PER_SEC);
    ck_assert_uint_eq(scenario->warnings->len, 0);
    g_autoptr(Scenario) plain = load_entry(IPERF ", mss: 0, " GET);
    ck_assert_int_eq(plain->traffic[0].parallel, 1);
    ck_assert(!plain->traffic[0].reverse);
    ck_assert_int_eq(plain->traffic[0].mss, 0);
}
END_TEST

START_TEST(a_video_is_read)
{
    g_autoptr(Scenario) scenario = load_entry(
        VIDEO ", startTime: 1m, file: {size: 100Mi, duration: 2m}, compress: {cpu: 40s, size: "
              "30Mi}, fragment: 4s, renditions: [{name: high, rate: 2mbit}, {name: low, rate: "
              "500kbit}], viewers: {count: 10, spread: 10s, rate: 100mbit, latency: 10ms}, " GET);
    const TrafficVideo *video = scenario->traffic[0].video;
    ck_assert_int_eq(scenario->traffic[0].start_time, 60 * NSEC_PER_SEC);
    ck_assert_int_eq(video->file_size, 100 << 20);
    ck_assert_int_eq(video->file_duration, 120 * NSEC_PER_SEC);
    ck_assert_int_eq(video->compress_cpu, 40 * NSEC_PER_SEC);
    ck_assert_int_eq(video->compressed, 30 << 20);
    ck_assert_int_eq(video->fragment, 4 * NSEC_PER_SEC);
    ck_assert_uint_eq(video->n_renditions, 2);
    ck_assert_str_eq(video->renditions[1].name, "low");
    ck_assert_int_eq(video->renditions[1].rate, 500000);
    ck_assert_int_eq(video->viewers, 10);
    ck_assert_int_eq(video->viewer_spread, 10 * NSEC_PER_SEC);
    ck_assert_int_eq(video->viewer_rate, 100000000);
    ck_assert_int_eq(video->viewer_latency, 10 * NSEC_PER_MSEC);
}
END_TEST

START_TEST(a_video_has_the_defaults_of_the_testbed)
{
    g_autoptr(Scenario) scenario = load_entry(VIDEO ", " FILM ", " GET);
    const TrafficVideo *video = scenario->traffic[0].video;
    static const int64_t RATES[] = {2628000, 1128000, 878000, 528000, 264000};
    ck_assert_uint_eq(video->n_renditions, G_N_ELEMENTS(RATES));
    int64_t sum = 0;
    for (guint i = 0; i < G_N_ELEMENTS(RATES); i++) {
        ck_assert_int_eq(video->renditions[i].rate, RATES[i]);
        sum += RATES[i];
    }
    ck_assert_str_eq(video->renditions[0].name, "1280x720");
    ck_assert_str_eq(video->renditions[4].name, "426x240");
    ck_assert_int_eq(video->compressed, sum * 120 / 8);
    ck_assert_int_eq(video->fragment, 5 * NSEC_PER_SEC);
    ck_assert_int_eq(video->viewers, 1);
    ck_assert_int_eq(video->viewer_spread, 0);
    ck_assert_int_eq(video->viewer_rate, 0);
    ck_assert_int_eq(video->viewer_latency, 0);
}
END_TEST

START_TEST(an_address_or_a_name_finds_its_chain_among_several)
{
    g_autoptr(Scenario) web =
        load_entry(RATE ", flow: {from: deployment/two, to: 10.2.0.9, protocol: tcp, port: 80}");
    ck_assert_uint_eq(web->warnings->len, 0);
    g_autoptr(Scenario) cfg =
        load_entry(RATE ", flow: {from: deployment/two, to: deployment/cfg, protocol: icmp}");
    ck_assert_str_eq(cfg->traffic[0].to, "deployment/cfg");
}
END_TEST

START_TEST(only_echoes_at_a_constant_rate_along_chains_are_probes)
{
    g_autoptr(Scenario) scenario = load_good(
        "  traffic:\n    a: {" RATE ", " PING "}\n    b: {" RATE ", " GET "}\n"
        "    c: {" RAMP ", " STAGE ", " PING "}\n    d: {" RATE
        ", flow: {from: pod/plain, to: deployment/web, protocol: icmp, interface: eth0}}\n");
    for (guint i = 0; i < scenario->n_traffic; i++) {
        ck_assert_int_eq(traffic_is_probe(&scenario->traffic[i]), i == 0);
    }
}
END_TEST

/* ------ warnings ------ */

START_TEST(what_may_fail_is_a_warning)
{
    expect_warning(RATE ", flow: {" WEB ", protocol: tcp, port: 81}",
                   "port 81: no container of deployment/web declares it; connections will be "
                   "refused");
    expect_warning(RATE ", flow: {" WEB ", protocol: tcp, port: 53}",
                   "port 53: no container of deployment/web declares it; connections will be "
                   "refused");
    expect_warning(IPERF ", flow: {" WEB ", protocol: tcp, port: 5201}", NULL);
    expect_warning(RATE ", flow: {from: deployment/two, to: 192.168.0.1, protocol: icmp, interface:"
                        " nsm-2}",
                   "to: found 192.168.0.1; the manifests do not tell which addresses ns-b/cfg "
                   "gives");
    expect_warning(RAMP ", startTime: 15m, stages: [{duration: 6m, target: 1}], " GET,
                   "stages: last until 21m; the scenario ends at 20m");
    expect_warning(RAMP ", startTime: 15m, stages: [{duration: 5m, target: 1}], " GET, NULL);
}
END_TEST

/* ------ refusals ------ */

START_TEST(unknown_words_are_refused)
{
    static const Refusal CASES[] = {
        {"rate: 1, " PING, INVALID, "the traffic has no \"executor\", which is required"},
        {"executor: 1, " PING, PARSE,
         "found the integer \"1\"; expected a string (put it in quotes)"},
        {"executor: shared-iterations, " PING, INVALID,
         "found the executor \"shared-iterations\"; expected constant-arrival-rate, "
         "ramping-arrival-rate, constant-vus, iperf or video"},
        {RATE ", stages: [], " PING, PARSE,
         "unknown field \"stages\" in constant-arrival-rate; expected one of executor, startTime, "
         "flow, timeUnit, maxVUs, noConnectionReuse, duration, rate"},
        {RAMP ", rate: 1, " STAGE ", " PING, PARSE,
         "unknown field \"rate\" in ramping-arrival-rate; expected one of executor, startTime, "
         "flow, timeUnit, maxVUs, noConnectionReuse, startRate, stages"},
        {USERS ", timeUnit: 1s, " PING, PARSE,
         "unknown field \"timeUnit\" in constant-vus; expected one of executor, startTime, flow, "
         "duration, vus, thinkTime, noConnectionReuse"},
        {IPERF ", vus: 1, " GET, PARSE,
         "unknown field \"vus\" in iperf; expected one of executor, startTime, flow, duration, "
         "parallel, reverse, mss"},
        {VIDEO ", duration: 1m, " FILM ", " GET, PARSE,
         "unknown field \"duration\" in video; expected one of executor, startTime, flow, file, "
         "compress, fragment, renditions, viewers"},
        {RATE, INVALID, "the traffic has no \"flow\", which is required"},
        {RATE ", flow: 1", PARSE, "flow: found the integer \"1\"; expected a mapping"},
        {RATE ", flow: {" SVC ", protocol: icmp, sise: 1}", PARSE,
         "unknown field \"sise\" in the flow of constant-arrival-rate; did you mean \"size\"?"},
        {IPERF ", flow: {" TCP ", timeout: 1s}", PARSE,
         "unknown field \"timeout\" in the flow of iperf; expected one of from, to, interface, "
         "protocol, port"},
        {RATE ", flow: {" SVC "}", INVALID, "the flow has no \"protocol\", which is required"},
        {RATE ", flow: {" SVC ", protocol: udp}", INVALID,
         "found the protocol \"udp\"; expected icmp or tcp"},
        {IPERF ", " PING, INVALID, "found the protocol icmp; the executor iperf needs tcp"},
        {VIDEO ", " FILM ", " PING, INVALID,
         "found the protocol icmp; the executor video needs tcp"},
    };
    expect_refusals(CASES, G_N_ELEMENTS(CASES));
    expect_exact("  traffic: [a]\n", PARSE, "traffic: found a sequence; expected a mapping");
    expect_exact("  traffic: {x: 1}\n", PARSE, "x: found the integer \"1\"; expected a mapping");
}
END_TEST

START_TEST(ends_that_are_not_there_are_refused)
{
    static const Refusal CASES[] = {
        {RATE ", flow: {to: deployment/nse, protocol: icmp}", INVALID,
         "the flow has no \"from\", which is required"},
        {RATE ", flow: {from: deployment/client, protocol: icmp}", INVALID,
         "the flow has no \"to\", which is required"},
        {RATE ", flow: {from: deployment/nse, to: deployment/nse, protocol: icmp}", INVALID,
         "from: found \"deployment/nse\"; expected the client of a chain; the manifests have "
         "deployment/client, deployment/two"},
        {RATE ", flow: {from: client, to: deployment/nse, protocol: icmp}", INVALID,
         "from: found \"client\"; expected the client of a chain; the manifests have "
         "deployment/client, deployment/two"},
        {RATE ", flow: {from: deployment/client, to: deployment/other, protocol: icmp}", INVALID,
         "to: found \"deployment/other\"; the chain svc ends at deployment/nse"},
        {RATE ", flow: {from: deployment/two, to: deployment/nse, protocol: icmp}", INVALID,
         "to: found \"deployment/nse\"; the chain web ends at deployment/web; the chain cfg ends "
         "at deployment/cfg"},
        {RATE ", flow: {from: deployment/two, to: deployment/cfg, protocol: icmp, interface: "
              "nsm-1}",
         INVALID, "to: found \"deployment/cfg\"; the chain web ends at deployment/web"},
        {RATE ", flow: {from: deployment/client, to: 10.0.0.1, protocol: icmp}", INVALID,
         "to: found \"10.0.0.1\"; the chain svc ends at ns-a/nse, whose NSM_CIDR_PREFIX is "
         "172.16.1.100/31"},
        {RATE ", flow: {from: deployment/client, to: nse, protocol: icmp}", INVALID,
         "to: found \"nse\"; expected kind/name, kind/namespace/name or an IPv4 address"},
        {RATE ", flow: {" SVC ", protocol: icmp, interface: nsm-9}", INVALID,
         "interface: found \"nsm-9\"; deployment/client has nsm-7, eth0"},
        {RATE ", flow: {" WEB ", protocol: icmp, interface: nsm-9}", INVALID,
         "interface: found \"nsm-9\"; deployment/two has nsm-1, nsm-2, eth0"},
        {RATE ", flow: {" SVC ", protocol: icmp, interface: \"\"}", INVALID,
         "the flow: \"interface\" is empty"},
    };
    expect_refusals(CASES, G_N_ELEMENTS(CASES));
}
END_TEST

#define WORKLOADS                                                                                  \
    "daemonset/nsmgr, daemonset/forwarder-vpp, deployment/registry-k8s, daemonset/spire-agent, "   \
    "statefulset/spire-server, deployment/client, deployment/nse, deployment/two, "                \
    "deployment/web, deployment/cfg, pod/plain"

START_TEST(the_pod_network_joins_workloads)
{
    static const Refusal CASES[] = {
        {IPERF ", flow: {from: pod/none, to: pod/plain, protocol: tcp, port: 1, interface: eth0}",
         INVALID,
         "from: found \"pod/none\"; expected a workload or Pod, as the interface is eth0; the "
         "manifests have " WORKLOADS},
        {IPERF ", flow: {from: pod/plain, to: 10.1.0.1, protocol: tcp, port: 1, interface: eth0}",
         INVALID,
         "to: found \"10.1.0.1\"; expected a workload or Pod, as the interface is eth0; the "
         "manifests have " WORKLOADS},
    };
    expect_refusals(CASES, G_N_ELEMENTS(CASES));
}
END_TEST

START_TEST(a_chain_without_an_endpoint_is_refused)
{
    static const char *const NO_ENDPOINT[] = {"deployment/nse:image=other", NULL};
    g_autoptr(GError) error = NULL;
    g_autoptr(Scenario) scenario =
        load_with("  traffic:\n    ping: {" RATE ", " PING "}\n", NO_ENDPOINT, &error);
    ck_assert_ptr_null(scenario);
    ck_assert_str_eq(text_of(error->message),
                     "to: found \"deployment/nse\"; the chain svc has no endpoint");
}
END_TEST

START_TEST(icmp_has_no_ports_answers_or_connections)
{
    static const Refusal CASES[] = {
        {RATE ", flow: {" SVC ", protocol: icmp, port: 80}", INVALID, "port: ICMP has none"},
        {RATE ", flow: {" SVC ", protocol: icmp, responseSize: 1}", INVALID,
         "responseSize: ICMP has none"},
        {RATE ", flow: {" SVC ", protocol: icmp, serviceTime: 1s}", INVALID,
         "serviceTime: ICMP has none"},
        {RATE ", maxVUs: 1, " PING, INVALID, "maxVUs: ICMP has none"},
        {USERS ", noConnectionReuse: true, " PING, INVALID, "noConnectionReuse: ICMP has none"},
        {RATE ", flow: {" SVC ", protocol: icmp, size: 65508}", INVALID,
         "size: found \"65508\"; expected from 0 to 65507 bytes"},
    };
    expect_refusals(CASES, G_N_ELEMENTS(CASES));
    g_autoptr(Scenario) empty = load_entry(RATE ", flow: {" SVC ", protocol: icmp, size: 0}");
    ck_assert_int_eq(empty->traffic[0].size, 0);
}
END_TEST

START_TEST(bad_requests_are_refused)
{
    static const Refusal CASES[] = {
        {RATE ", flow: {" WEB ", protocol: tcp}", INVALID,
         "the flow has no \"port\", which is required"},
        {RATE ", flow: {" WEB ", protocol: tcp, port: 0}", PARSE,
         "found the integer \"0\"; expected an integer from 1 to 65535"},
        {RATE ", flow: {" WEB ", protocol: tcp, port: 65536}", PARSE,
         "found the integer \"65536\"; expected an integer from 1 to 65535"},
        {RATE ", flow: {" TCP ", size: 0}", INVALID,
         "size: found \"0\"; expected from 1 to 1Ti bytes"},
        {RATE ", flow: {" TCP ", size: -1}", PARSE,
         "size: quantity \"-1\" is negative; expected a number, as in 150m, 0.5, 64Gi or 1e3, with "
         "no suffix or one of n, u, m, k, M, G, T, P, E, Ki, Mi, Gi, Ti, Pi, Ei"},
        {RATE ", flow: {" TCP ", size: []}", PARSE, "size: found a sequence; expected a scalar"},
        {RATE ", flow: {" TCP ", responseSize: 2Ti}", INVALID,
         "responseSize: found \"2Ti\"; expected from 1 to 1Ti bytes"},
        {RATE ", flow: {" TCP ", serviceTime: {weibul: 1s}}", PARSE,
         "unknown field \"weibul\" in serviceTime; did you mean \"weibull\"?"},
        {RATE ", flow: {" TCP ", serviceTime: {}}", INVALID,
         "no distribution; expected \"value\" or one of uniform, exponential, normal, lognormal, "
         "gamma, weibull, triangular"},
        {RATE ", flow: {" TCP ", serviceTime: [1s]}", PARSE,
         "found a sequence; expected a duration such as 250ms or 1h30m"},
        {RATE ", flow: {" TCP ", timeout: 0s}", INVALID, "timeout: found 0s; expected more than 0"},
        {RATE ", maxVUs: 0, " GET, PARSE,
         "found the integer \"0\"; expected an integer from 1 to 1000000"},
        {RATE ", noConnectionReuse: 1, " GET, PARSE,
         "found the integer \"1\"; expected true or false"},
    };
    expect_refusals(CASES, G_N_ELEMENTS(CASES));
}
END_TEST

#define MORE_THAN_0 "; expected more than 0 and at most 1e+06 in a second"
#define NOT_NEGATIVE "; expected 0 or more and at most 1e+06 in a second"

START_TEST(bad_rates_and_times_are_refused)
{
    static const Refusal CASES[] = {
        {"executor: constant-arrival-rate, " PING, INVALID,
         "the traffic has no \"rate\", which is required"},
        {"executor: constant-arrival-rate, rate: 0, " PING, INVALID, "rate: found 0" MORE_THAN_0},
        {"executor: constant-arrival-rate, rate: -1, " PING, INVALID, "rate: found -1" MORE_THAN_0},
        {"executor: constant-arrival-rate, rate: 1e-300, " PING, INVALID,
         "rate: found 1e-300" MORE_THAN_0},
        {RATE ", timeUnit: 1us, " PING, INVALID, "rate: found 10" MORE_THAN_0},
        {RATE ", timeUnit: 0s, " PING, INVALID, "timeUnit: found 0s; expected more than 0"},
        {RATE ", startTime: 20m, " PING, INVALID,
         "startTime: found 20m; expected less than the scenario's duration, 20m"},
        {RATE ", duration: 0s, " PING, INVALID, "duration: found 0s; expected more than 0"},
        {"executor: constant-arrival-rate, rate: 1e6, " PING, INVALID,
         "rate: makes 1.2e+09 iterations; expected at most 1e+09 in one entry"},
        {USERS ", vus: 0, " GET, PARSE,
         "found the integer \"0\"; expected an integer from 1 to 1000000"},
        {USERS ", thinkTime: -1s, " GET, PARSE,
         "found the string \"-1s\"; expected a duration that is not negative"},
        {IPERF ", parallel: 10001, " GET, PARSE,
         "found the integer \"10001\"; expected an integer from 1 to 10000"},
        {IPERF ", reverse: 1, " GET, PARSE, "found the integer \"1\"; expected true or false"},
        {IPERF ", mss: 87, " GET, INVALID,
         "mss: found 87; expected 0 (what the MTU gives) or from 88 to 9216"},
        {IPERF ", mss: 9217, " GET, PARSE,
         "found the integer \"9217\"; expected an integer from 0 to 9216"},
    };
    expect_refusals(CASES, G_N_ELEMENTS(CASES));
    g_autoptr(Scenario) short_enough =
        load_entry("executor: constant-arrival-rate, rate: 1e6, duration: 1000s, " PING);
    ck_assert_double_eq(short_enough->traffic[0].rate, 1e6);
}
END_TEST

START_TEST(bad_stages_are_refused)
{
    static const Refusal CASES[] = {
        {RAMP ", " GET, INVALID, "the traffic has no \"stages\", which is required"},
        {RAMP ", stages: 1, " GET, PARSE, "stages: found the integer \"1\"; expected a sequence"},
        {RAMP ", stages: [], " GET, INVALID, "stages: expected at least one"},
        {RAMP ", stages: [1], " GET, PARSE, "stage: found the integer \"1\"; expected a mapping"},
        {RAMP ", stages: [{duration: 1s, rate: 1}], " GET, PARSE,
         "unknown field \"rate\" in the stage; expected one of duration, target"},
        {RAMP ", stages: [{target: 1}], " GET, INVALID,
         "the stage has no \"duration\", which is required"},
        {RAMP ", stages: [{duration: 1s}], " GET, INVALID,
         "the stage has no \"target\", which is required"},
        {RAMP ", stages: [{duration: 0s, target: 1}], " GET, INVALID,
         "duration: found 0s; expected more than 0"},
        {RAMP ", stages: [{duration: 1s, target: -1}], " GET, INVALID,
         "target: found -1" NOT_NEGATIVE},
        {RAMP ", startRate: 2e6, " STAGE ", " GET, INVALID, "startRate: found 2e6" NOT_NEGATIVE},
        {RAMP ", stages: [{duration: 1s, target: 0}], " GET, INVALID,
         "stages: found no target but 0; expected one above 0"},
        {RAMP ", stages: [{duration: 2000000h, target: 1}, {duration: 2000000h, target: 1}], " GET,
         INVALID, "stages: last too long; expected at most 292 years together"},
        {RAMP ", startRate: 1e6, stages: [{duration: 1h, target: 1e6}], " GET, INVALID,
         "stages: makes 1.2e+09 iterations; expected at most 1e+09 in one entry"},
    };
    expect_refusals(CASES, G_N_ELEMENTS(CASES));
}
END_TEST

#define FILE_ONLY "file: {size: 1Mi, duration: 2m}"

START_TEST(bad_videos_are_refused)
{
    static const Refusal CASES[] = {
        {VIDEO ", compress: {cpu: 1s}, " GET, INVALID,
         "the video has no \"file\", which is required"},
        {VIDEO ", file: 1, " GET, PARSE, "file: found the integer \"1\"; expected a mapping"},
        {VIDEO ", file: {size: 1Mi, length: 1s}, " GET, PARSE,
         "unknown field \"length\" in file; expected one of size, duration"},
        {VIDEO ", file: {duration: 1s}, " GET, INVALID, "file has no \"size\", which is required"},
        {VIDEO ", file: {size: 1Mi}, " GET, INVALID, "file has no \"duration\", which is required"},
        {VIDEO ", file: {size: 0, duration: 1s}, " GET, INVALID,
         "size: found \"0\"; expected from 1 to 1Ti bytes"},
        {VIDEO ", file: {size: 1, duration: 0s}, " GET, INVALID,
         "duration: found 0s; expected more than 0"},
        {VIDEO ", " FILE_ONLY ", " GET, INVALID,
         "the video has no \"compress\", which is required"},
        {VIDEO ", " FILE_ONLY ", compress: {size: 1}, " GET, INVALID,
         "compress has no \"cpu\", which is required"},
        {VIDEO ", " FILE_ONLY ", compress: {cpu: 1s, size: 0}, " GET, INVALID,
         "size: found \"0\"; expected from 1 to 1Ti bytes"},
        {VIDEO ", file: {size: 1Mi, duration: 10000h}, compress: {cpu: 1s}, " GET, INVALID,
         "compress: the renditions take 2.4417e+13 bytes; expected at most 1Ti"},
        {VIDEO ", " FILM ", fragment: 0s, " GET, INVALID,
         "fragment: found 0s; expected more than 0"},
        {VIDEO ", " FILM ", fragment: 1ns, " GET, INVALID,
         "fragment: the viewers fetch 1.2e+11 pieces; expected at most 1e+09"},
        {VIDEO ", " FILM ", renditions: 1, " GET, PARSE,
         "renditions: found the integer \"1\"; expected a sequence"},
        {VIDEO ", " FILM ", renditions: [], " GET, INVALID, "renditions: expected at least one"},
        {VIDEO ", " FILM ", renditions: [1], " GET, PARSE,
         "rendition: found the integer \"1\"; expected a mapping"},
        {VIDEO ", " FILM ", renditions: [{name: a, bits: 1}], " GET, PARSE,
         "unknown field \"bits\" in the rendition; expected one of name, rate"},
        {VIDEO ", " FILM ", renditions: [{rate: 1}], " GET, INVALID,
         "the rendition has no \"name\", which is required"},
        {VIDEO ", " FILM ", renditions: [{name: a}], " GET, INVALID,
         "the rendition has no \"rate\", which is required"},
        {VIDEO ", " FILM ", renditions: [{name: a, rate: 0}], " GET, INVALID,
         "rate: found \"0\"; expected more than 0"},
        {VIDEO ", " FILM ", renditions: [{name: a, rate: 1kbit}, {name: b, rate: 1mbit}], " GET,
         INVALID,
         "rendition b: found a higher rate than that of a before it; expected the best first"},
        {VIDEO ", " FILM ", viewers: 3, " GET, PARSE,
         "viewers: found the integer \"3\"; expected a mapping"},
        {VIDEO ", " FILM ", viewers: {number: 3}, " GET, PARSE,
         "unknown field \"number\" in viewers; expected one of count, spread, rate, latency"},
        {VIDEO ", " FILM ", viewers: {count: 0}, " GET, PARSE,
         "found the integer \"0\"; expected an integer from 1 to 10000"},
        {VIDEO ", " FILM ", viewers: {rate: 1lbit}, " GET, PARSE,
         "rate: rate \"1lbit\": unknown unit \"lbit\"; expected a rate such as 100mbit, 1gbit, "
         "56kbit or 10gbps (bytes)"},
    };
    expect_refusals(CASES, G_N_ELEMENTS(CASES));
}
END_TEST

START_TEST(an_error_has_its_place)
{
    expect_error("  traffic:\n    x: {" RATE ", flow: {" SVC ", protocol: icmp, port: 80}}\n",
                 INVALID, "s.yaml:15:120: port: ICMP has none");
}
END_TEST

/* ------ thresholds ------ */

START_TEST(thresholds_may_speak_of_flows_and_probes)
{
    static const char TRAFFIC[] = "  traffic: {ping: {" SMALL_PING "}, web: {" RATE ", " GET "}}\n";
    g_autofree char *good =
        g_strconcat(TRAFFIC,
                    "  thresholds:\n    sfc_request_seconds{flow=\"web\"}: p(95)<1\n"
                    "    sfc_request_rate{flow=\"web\"}: value>1\n"
                    "    sfc_throughput_bits_per_second{flow=\"web\"}: avg>1\n"
                    "    sfc_rtt_seconds{probe=\"ping\"}: avg<1\n",
                    NULL);
    g_autoptr(Scenario) scenario = load_good(good);
    ck_assert_uint_eq(scenario->n_thresholds, 4);
    g_autofree char *flow = g_strconcat(
        TRAFFIC, "  thresholds: {\"sfc_request_seconds{flow=\\\"wep\\\"}\": avg<1}\n", NULL);
    expect_exact(flow, INVALID, "the scenario has no flow \"wep\"; did you mean \"web\"?");
    g_autofree char *probe = g_strconcat(
        TRAFFIC, "  thresholds: {\"sfc_rtt_seconds{probe=\\\"web\\\"}\": avg<1}\n", NULL);
    expect_exact(probe, INVALID, "the scenario has no probe \"web\"");
}
END_TEST

/* ------ whatever stands there ------ */

/* Every word of a good text replaced by another kind of value is read or refused, and so is every
 * beginning of it. */
START_TEST(malformed_traffic_is_refused_in_order)
{
    static const char GOOD[] =
        "  traffic:\n    a: {" RAMP ", startRate: 1, timeUnit: 1m, maxVUs: 3, " STAGE
        ", flow: {" TCP ", interface: nsm-1, size: 1, serviceTime: {normal: {mean: 1s, sd: 1s}}}}\n"
        "    b: {" VIDEO ", " FILM ", renditions: [{name: a, rate: 1mbit}], viewers: {count: 1, "
        "rate: 1mbit, latency: 1ms}, " GET "}\n    c: {" IPERF ", mss: 100, reverse: true, "
        "duration: 1s, " GET "}\n    d: {" USERS ", vus: 2, thinkTime: 1s, " PING "}\n";
    static const char *const VALUES[] = {
        "{}", "[]", "~", "\"\"", "-1", "[[a]]", "{a: b}", "true", "2562047h", "9223372036854775807",
        NULL};
    g_autoptr(Scenario) good = load_good(GOOD);
    ck_assert_uint_eq(good->n_traffic, 4);
    expect_scenario_or_error(GOOD, VALUES, 7);
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {
        echoes_at_a_constant_rate_are_read,
        requests_are_read,
        requests_have_defaults,
        a_ramp_is_read,
        users_are_read,
        iperf_is_read,
        a_video_is_read,
        a_video_has_the_defaults_of_the_testbed,
        an_address_or_a_name_finds_its_chain_among_several,
        only_echoes_at_a_constant_rate_along_chains_are_probes,
        what_may_fail_is_a_warning,
        unknown_words_are_refused,
        ends_that_are_not_there_are_refused,
        the_pod_network_joins_workloads,
        a_chain_without_an_endpoint_is_refused,
        icmp_has_no_ports_answers_or_connections,
        bad_requests_are_refused,
        bad_rates_and_times_are_refused,
        bad_stages_are_refused,
        bad_videos_are_refused,
        an_error_has_its_place,
        thresholds_may_speak_of_flows_and_probes,
        malformed_traffic_is_refused_in_order,
    };
    small_more = MORE;
    return scratch_run("scenario_traffic", tests, G_N_ELEMENTS(tests));
}
