/* spec.faults, spec.fastForward and spec.fingerprint of a scenario: every key, every refusal; the
 * metrics that thresholds may name. */
#include "models/scenario.h"

#include "tests/models/small.h"

/* One entry of spec.faults, in braces. */
static Scenario *
load_fault(const char *fault)
{
    g_autofree char *spec = g_strdup_printf("  faults:\n  - {%s}\n", fault);
    return load_good(spec);
}

static void
expect_fault_error(const char *fault, VwireError code, const char *expected)
{
    g_autofree char *spec = g_strdup_printf("  faults:\n  - {%s}\n", fault);
    expect_error(spec, code, expected);
}

static void
expect_fault_warning(const char *fault, const char *expected)
{
    g_autoptr(Scenario) scenario = load_fault(fault);
    ck_assert_uint_eq(scenario->warnings->len, 1);
    const char *warning = g_ptr_array_index(scenario->warnings, 0);
    ck_assert_msg(strstr(warning, expected) != NULL, "%s", warning);
}

#define KILL "kind: PodChaos, action: pod-kill, startTime: 2m"
#define NODE "kind: NodeChaos, startTime: 2m, duration: 1m"
#define NET "kind: NetworkChaos, startTime: 2m, duration: 1m"
#define NSE "selector: {labelSelectors: {app: nse}}"
#define WIRE NSE ", device: nsm-1"
#define LINK "selector: {nodes: [one]}, target: {nodes: [two]}"
#define STRESS "kind: StressChaos, startTime: 2m, duration: 1m, " NSE

/* ------ what is read ------ */

START_TEST(every_preset_is_read)
{
    for (const char *const *name = fault_preset_names(); *name != NULL; name++) {
        g_autofree char *fault = g_strdup_printf("preset: %s, startTime: 2m", *name);
        g_autoptr(Scenario) scenario = load_fault(fault);
        ck_assert_uint_eq(scenario->n_faults, 1);
        ck_assert_str_eq(scenario->faults[0].name, *name);
        ck_assert_str_eq(scenario->faults[0].preset, *name);
        ck_assert_int_eq(scenario->faults[0].start_time, 120 * NSEC_PER_SEC);
        ck_assert_uint_ge(scenario->faults[0].n_parts, 1);
        ck_assert_int_eq(scenario->faults[0].mark.line, SMALL_LINE + 1);
        ck_assert_uint_eq(scenario->warnings->len, 0);
    }
}
END_TEST

START_TEST(a_preset_has_times_a_chain_and_a_grace_period)
{
    g_autoptr(Scenario) scenario =
        load_fault("preset: local-nse-death, name: mine, chain: svc, startTime: 2m, "
                   "schedule: \"@every 1m30s\", gracePeriod: 5");
    const Fault *fault = &scenario->faults[0];
    ck_assert_str_eq(fault->name, "mine");
    ck_assert_str_eq(fault->chain, "svc");
    ck_assert_int_eq(fault->every, 90 * NSEC_PER_SEC);
    ck_assert_int_eq(fault->parts[0].grace, 5 * NSEC_PER_SEC);
    g_autoptr(Scenario) cut = load_fault("preset: dataplane-interrupt, startTime: 2m, "
                                         "duration: 3s, meanTimeBetween: 5m");
    ck_assert_int_eq(cut->faults[0].duration, 3 * NSEC_PER_SEC);
    ck_assert_int_eq(cut->faults[0].mean_time_between, 300 * NSEC_PER_SEC);
    ck_assert_str_eq(cut->faults[0].parts[0].device, "nsm-7");
}
END_TEST

START_TEST(a_webhook_that_is_not_there_is_not_missed)
{
    g_autoptr(Scenario) scenario = load_fault("preset: local-nsm-system-restart, startTime: 2m");
    ck_assert_uint_eq(scenario->faults[0].n_parts, 3);
    for (guint i = 0; i < 3; i++) {
        ck_assert_int_ne(scenario->faults[0].parts[i].selector.component, COMPONENT_WEBHOOK);
    }
}
END_TEST

START_TEST(a_deletion_is_read_with_its_selector)
{
    g_autoptr(Scenario) scenario =
        load_fault(KILL ", mode: fixed, value: \"2\", gracePeriod: 3s, selector: {namespaces: "
                        "[nsm-system], labelSelectors: {app: nsmgr}, nodes: [one, two], pods: "
                        "{nsm-system: [nsmgr]}}");
    const FaultPart *part = &scenario->faults[0].parts[0];
    ck_assert_str_eq(scenario->faults[0].name, "PodChaos-pod-kill");
    ck_assert_int_eq(part->action, FAULT_POD_KILL);
    ck_assert_int_eq(part->mode, FAULT_MODE_FIXED);
    ck_assert_double_eq(part->mode_value, 2);
    ck_assert_int_eq(part->grace, 3 * NSEC_PER_SEC);
    ck_assert_str_eq(part->selector.namespaces[0], "nsm-system");
    ck_assert_str_eq(labels_get(&part->selector.labels, "app"), "nsmgr");
    ck_assert_str_eq(part->selector.nodes[1], "two");
    ck_assert_str_eq(part->selector.pods[0], "nsm-system/nsmgr");
    ck_assert_int_eq(part->selector.component, N_COMPONENTS);
    ck_assert_uint_eq(scenario->warnings->len, 0);
}
END_TEST

START_TEST(defaults_are_those_of_chaos_mesh_and_kubectl)
{
    g_autoptr(Scenario) kill = load_fault(KILL ", " NSE);
    ck_assert_int_eq(kill->faults[0].parts[0].grace, 0);
    ck_assert_int_eq(kill->faults[0].parts[0].mode, FAULT_MODE_ONE);
    g_autoptr(Scenario) drain = load_fault(NODE ", action: node-drain, selector: {nodes: [one]}");
    ck_assert_int_eq(drain->faults[0].parts[0].grace, -1);
    g_autoptr(Scenario) stress = load_fault(STRESS ", stressors: {cpu: {workers: 2}}");
    ck_assert_double_eq(stress->faults[0].parts[0].load, 100);
    g_autoptr(Scenario) hog =
        load_fault(NODE ", action: node-cpu-hog, selector: {}, stressors: {cpu: {workers: 40}}");
    ck_assert_int_eq(hog->faults[0].parts[0].workers, 40);
    g_autoptr(Scenario) under = load_fault(NODE ", action: node-restart, " NSE);
    ck_assert_str_eq(labels_get(&under->faults[0].parts[0].selector.labels, "app"), "nse");
}
END_TEST

START_TEST(network_faults_are_read)
{
    g_autoptr(Scenario) delay =
        load_fault(NET ", action: delay, " WIRE ", direction: both, mode: all, "
                       "delay: {latency: 20ms, jitter: 5ms, correlation: \"25\"}");
    const FaultPart *part = &delay->faults[0].parts[0];
    ck_assert_str_eq(part->device, "nsm-1");
    ck_assert_int_eq(part->latency, 20 * NSEC_PER_MSEC);
    ck_assert_int_eq(part->jitter, 5 * NSEC_PER_MSEC);
    ck_assert_double_eq(part->correlation, 25);
    g_autoptr(Scenario) loss = load_fault(NET ", action: loss, " LINK ", loss: {loss: \"12.5\"}");
    part = &loss->faults[0].parts[0];
    ck_assert_ptr_null(part->device);
    ck_assert_str_eq(part->target_nodes[0], "two");
    ck_assert_double_eq(part->percent, 12.5);
    g_autoptr(Scenario) rate =
        load_fault(NET ", action: bandwidth, " LINK ", bandwidth: {rate: 1mbps}");
    ck_assert_int_eq(rate->faults[0].parts[0].rate, 8000000); /* bytes, as tc has it */
    g_autoptr(Scenario) bit =
        load_fault(NET ", action: bandwidth, " LINK ", bandwidth: {rate: 1mbit}");
    ck_assert_int_eq(bit->faults[0].parts[0].rate, 1000000);
    g_autoptr(Scenario) cut = load_fault(NET ", action: partition, selector: {nodes: [one]}");
    ck_assert_ptr_null(cut->faults[0].parts[0].target_nodes);
    g_autoptr(Scenario) twice =
        load_fault(NET ", action: duplicate, " LINK ", duplicate: {duplicate: 40}");
    ck_assert_double_eq(twice->faults[0].parts[0].percent, 40);
    g_autoptr(Scenario) corrupt =
        load_fault(NET ", action: corrupt, " LINK ", corrupt: {corrupt: \"1\"}");
    ck_assert_int_eq(corrupt->faults[0].parts[0].action, FAULT_CORRUPT);
}
END_TEST

START_TEST(stress_has_a_part_for_each_stressor)
{
    g_autoptr(Scenario) scenario =
        load_fault(STRESS ", containerNames: [nse], stressors: {cpu: {workers: 2, load: 50}, "
                          "memory: {workers: 4, size: 256MiB}}");
    const Fault *fault = &scenario->faults[0];
    ck_assert_str_eq(fault->name, "StressChaos-cpu");
    ck_assert_uint_eq(fault->n_parts, 2);
    ck_assert_int_eq(fault->parts[0].action, FAULT_STRESS_CPU);
    ck_assert_double_eq(fault->parts[0].load, 50);
    ck_assert_int_eq(fault->parts[1].action, FAULT_STRESS_MEMORY);
    ck_assert_int_eq(fault->parts[1].size, 64 << 20); /* a quarter for each */
    ck_assert_str_eq(fault->parts[1].containers[0], "nse");
    g_autoptr(Scenario) decimal =
        load_fault(STRESS ", stressors: {memory: {workers: 1, size: 2KB}}");
    ck_assert_int_eq(decimal->faults[0].parts[0].size, 2000);
}
END_TEST

START_TEST(a_taint_is_read)
{
    g_autoptr(Scenario) scenario =
        load_fault(NODE ", action: node-taint, selector: {nodes: [two]}, "
                        "taint: {key: k, value: v, effect: NoExecute}");
    const FaultPart *part = &scenario->faults[0].parts[0];
    ck_assert_str_eq(part->taint_key, "k");
    ck_assert_str_eq(part->taint_value, "v");
    ck_assert_str_eq(part->taint_effect, "NoExecute");
}
END_TEST

START_TEST(names_are_made_unique)
{
    g_autoptr(Scenario) scenario =
        load_good("  faults:\n"
                  "  - {preset: local-nse-death, startTime: 2m}\n"
                  "  - {preset: local-nse-death, startTime: 3m, name: local-nse-death-2}\n"
                  "  - {preset: local-nse-death, startTime: 4m}\n");
    ck_assert_str_eq(scenario->faults[0].name, "local-nse-death");
    ck_assert_str_eq(scenario->faults[1].name, "local-nse-death-2");
    ck_assert_str_eq(scenario->faults[2].name, "local-nse-death-3");
}
END_TEST

/* ------ what is refused ------ */

typedef struct Refusal {
    const char *fault;
    VwireError code;
    const char *expected;
} Refusal;

static void
expect_all(const Refusal *refusals, guint n)
{
    for (guint i = 0; i < n; i++) {
        expect_fault_error(refusals[i].fault, refusals[i].code, refusals[i].expected);
    }
}

START_TEST(unknown_words_are_refused)
{
    static const Refusal CASES[] = {
        {"preset: local-nse-deth, startTime: 2m", VWIRE_ERROR_INVALID,
         "s.yaml:15:14: found the preset \"local-nse-deth\"; expected one of"},
        {"preset: local-nse-deth, startTime: 2m", VWIRE_ERROR_INVALID,
         "did you mean \"local-nse-death\"?"},
        {"preset: vl3-nse-death, startTime: 2m", VWIRE_ERROR_UNSUPPORTED, "vL3"},
        {"preset: remote-nsmgr-death, startTime: 2m", VWIRE_ERROR_UNSUPPORTED, "DaemonSet"},
        {"preset: local-nse-death, startTime: 2m, kind: PodChaos", VWIRE_ERROR_INVALID,
         "a kind beside the preset local-nse-death"},
        {"preset: local-nse-death, startTime: 2m, mode: all", VWIRE_ERROR_PARSE,
         "unknown field \"mode\" in the preset"},
        {"preset: local-nse-death, startTim: 2m", VWIRE_ERROR_PARSE, "did you mean \"startTime\"?"},
        {"startTime: 2m", VWIRE_ERROR_INVALID, "the fault has no \"kind\""},
        {"kind: PodChoas, startTime: 2m", VWIRE_ERROR_INVALID, "did you mean \"PodChaos\"?"},
        {"kind: PodChaos, startTime: 2m, " NSE, VWIRE_ERROR_INVALID, "has no \"action\""},
        {"kind: PodChaos, action: pod-kil, startTime: 2m", VWIRE_ERROR_INVALID,
         "did you mean \"pod-kill\"?"},
        {"kind: PodChaos, action: loss, startTime: 2m", VWIRE_ERROR_INVALID,
         "found the action \"loss\" of PodChaos; expected one of pod-kill, pod-failure"},
        {KILL ", " NSE ", sellector: {}", VWIRE_ERROR_PARSE, "did you mean \"selector\"?"},
        {KILL, VWIRE_ERROR_INVALID, "the fault has no \"selector\""},
        {KILL ", selector: {namespace: [a]}", VWIRE_ERROR_PARSE, "did you mean \"namespaces\"?"},
        {KILL ", selector: {namespaces: ns-a}", VWIRE_ERROR_PARSE, "expected a sequence"},
        {KILL ", selector: {namespaces: []}", VWIRE_ERROR_INVALID, "at least one name"},
        {KILL ", selector: {pods: [a]}", VWIRE_ERROR_PARSE, "expected a mapping"},
        {KILL ", " NSE ", name: \"\"", VWIRE_ERROR_INVALID, "name"},
        {KILL ", " NSE ", chain: swc", VWIRE_ERROR_INVALID,
         "found the chain \"swc\"; the manifests have svc; did you mean \"svc\"?"},
    };
    expect_all(CASES, G_N_ELEMENTS(CASES));
    expect_error("  faults: {a: b}\n", VWIRE_ERROR_PARSE, "faults: found");
    expect_error("  faults: [a]\n", VWIRE_ERROR_PARSE, "fault: found");
    expect_error("  faults:\n  - {preset: registry-restart, startTime: 2m, name: a}\n"
                 "  - {preset: registry-restart, startTime: 3m, name: a}\n",
                 VWIRE_ERROR_INVALID, "s.yaml:16:53: a second fault named \"a\"");
}
END_TEST

START_TEST(keys_of_other_actions_are_refused)
{
    static const Refusal CASES[] = {
        {KILL ", " NSE ", device: nsm-1", VWIRE_ERROR_INVALID,
         "device has no meaning for PodChaos pod-kill"},
        {KILL ", " NSE ", containerNames: [nse]", VWIRE_ERROR_INVALID,
         "containerNames has no meaning"},
        {NET ", action: loss, " WIRE ", loss: {loss: 1}, delay: {latency: 1s}", VWIRE_ERROR_INVALID,
         "delay has no meaning for NetworkChaos loss"},
        {NET ", action: loss, " WIRE, VWIRE_ERROR_INVALID, "loss has no \"loss\""},
        {NODE ", action: node-taint, selector: {}", VWIRE_ERROR_INVALID, "has no \"taint\""},
        {STRESS ", stressors: {cpu: {workers: 1}}, action: cpu", VWIRE_ERROR_INVALID,
         "StressChaos has no action"},
        {STRESS, VWIRE_ERROR_INVALID, "the fault has no \"stressors\""},
        {STRESS ", stressors: {}", VWIRE_ERROR_INVALID, "expected cpu, memory or both"},
        {STRESS ", stressors: {io: {}}", VWIRE_ERROR_PARSE, "unknown field \"io\""},
        {NODE ", action: node-cpu-hog, selector: {}, stressors: {memory: {workers: 1}}",
         VWIRE_ERROR_PARSE, "unknown field \"memory\""},
    };
    expect_all(CASES, G_N_ELEMENTS(CASES));
}
END_TEST

START_TEST(bad_values_are_refused)
{
    static const Refusal CASES[] = {
        {KILL ", " NSE ", mode: al", VWIRE_ERROR_INVALID, "did you mean \"all\"?"},
        {KILL ", " NSE ", mode: all, value: 1", VWIRE_ERROR_INVALID, "value has no meaning"},
        {KILL ", " NSE ", mode: fixed", VWIRE_ERROR_INVALID, "mode fixed: expected a value"},
        {KILL ", " NSE ", mode: fixed, value: 1.5", VWIRE_ERROR_INVALID, "a whole number"},
        {KILL ", " NSE ", mode: fixed-percent, value: \"150\"", VWIRE_ERROR_INVALID,
         "value: found 150; expected a number from 0 to 100"},
        {KILL ", " NSE ", mode: random-max-percent, value: x", VWIRE_ERROR_PARSE,
         "value: found \"x\"; expected a number"},
        {KILL ", " NSE ", gracePeriod: -1", VWIRE_ERROR_PARSE, ""},
        {KILL ", " NSE ", gracePeriod: 5x", VWIRE_ERROR_PARSE, "unknown unit"},
        {NET ", action: loss, " WIRE ", loss: {loss: \"101\"}", VWIRE_ERROR_INVALID,
         "loss: found 101; expected a number from 0 to 100"},
        {NET ", action: loss, " WIRE ", loss: {loss: 0}", VWIRE_ERROR_INVALID, "more than 0"},
        {NET ", action: loss, " WIRE ", loss: {loss: 1, correlation: 200}", VWIRE_ERROR_INVALID,
         "correlation: found 200"},
        {NET ", action: loss, " WIRE ", loss: {los: 1}", VWIRE_ERROR_PARSE,
         "did you mean \"loss\"?"},
        {NET ", action: delay, " WIRE ", delay: {jitter: 1s}", VWIRE_ERROR_INVALID,
         "delay has no \"latency\""},
        {NET ", action: bandwidth, " WIRE ", bandwidth: {rate: 1q}", VWIRE_ERROR_PARSE, "unit"},
        {NET ", action: bandwidth, " WIRE ", bandwidth: {rate: 0bit}", VWIRE_ERROR_INVALID,
         "more than 0"},
        {NET ", action: partition, " WIRE ", direction: to", VWIRE_ERROR_UNSUPPORTED, "both only"},
        {STRESS ", stressors: {cpu: {workers: 0}}", VWIRE_ERROR_PARSE, ""},
        {STRESS ", stressors: {cpu: {load: 10}}", VWIRE_ERROR_INVALID, "has no \"workers\""},
        {STRESS ", stressors: {cpu: {workers: 1, load: 101}}", VWIRE_ERROR_INVALID, "load"},
        {STRESS ", stressors: {memory: {workers: 1, size: 25%}}", VWIRE_ERROR_UNSUPPORTED,
         "takes bytes"},
        {STRESS ", stressors: {memory: {workers: 1, size: 1q}}", VWIRE_ERROR_PARSE, "size:"},
        {STRESS ", stressors: {memory: {workers: 1, size: 0}}", VWIRE_ERROR_INVALID, "more than 0"},
        {NODE ", action: node-taint, selector: {}, taint: {key: k, effect: NoExecut}",
         VWIRE_ERROR_INVALID, "did you mean \"NoExecute\"?"},
    };
    expect_all(CASES, G_N_ELEMENTS(CASES));
}
END_TEST

START_TEST(what_can_hit_nothing_is_refused)
{
    static const Refusal CASES[] = {
        {KILL ", selector: {namespaces: [ns-b]}", VWIRE_ERROR_INVALID,
         "namespaces: the manifests have no Pod in \"ns-b\"; did you mean \"ns-a\"?"},
        {KILL ", selector: {labelSelectors: {app: nsx}}", VWIRE_ERROR_INVALID,
         "labelSelectors: no Pod of the manifests has the label app=nsx"},
        {KILL ", selector: {pods: {ns-a: [nsx]}}", VWIRE_ERROR_INVALID,
         "no Pod or workload \"ns-a/nsx\"; did you mean \"ns-a/nse\"?"},
        {KILL ", selector: {nodes: [four]}", VWIRE_ERROR_INVALID,
         "spec.cluster has no node \"four\""},
        {KILL ", selector: {namespaces: [spire], labelSelectors: {app: nse}}", VWIRE_ERROR_INVALID,
         "no Pod of the manifests has all that is asked for"},
        {"kind: PodChaos, action: container-kill, startTime: 2m, " NSE ", containerNames: [nsx]",
         VWIRE_ERROR_INVALID, "container \"nsx\"; did you mean \"nse\"?"},
        {NODE ", action: node-restart, selector: {labelSelectors: {app: nsx}}", VWIRE_ERROR_INVALID,
         "has the label app=nsx"},
        {NET ", action: partition, " NSE, VWIRE_ERROR_INVALID, "needs the device"},
        {NET ", action: partition, selector: {}", VWIRE_ERROR_INVALID, "must have nodes"},
        {NET ", action: partition, " WIRE ", target: {nodes: [one]}", VWIRE_ERROR_INVALID,
         "a target beside the device nsm-1"},
        {NET ", action: partition, selector: {nodes: [one]}, target: {nodes: [twoo]}",
         VWIRE_ERROR_INVALID, "did you mean \"two\"?"},
        {NET ", action: partition, selector: {nodes: [one]}, target: {nodes: [one]}",
         VWIRE_ERROR_INVALID, "which is selected too"},
        {NET ", action: partition, selector: {nodes: [one]}, target: {}", VWIRE_ERROR_INVALID,
         "the target has no \"nodes\""},
    };
    expect_all(CASES, G_N_ELEMENTS(CASES));
    expect_fault_warning(KILL ", " NSE ", mode: fixed, value: 3",
                         "value: found 3; there are 1 to hit");
    expect_fault_warning(NODE ", action: node-drain, selector: {}, mode: fixed, value: 4",
                         "there are 3 to hit");
}
END_TEST

START_TEST(presets_need_what_they_kill)
{
    g_autoptr(GError) error = NULL;
    static const char *const NO_REGISTRY[] = {"deployment/registry-k8s:image=other",
                                              "faults[0].startTime=3m", NULL};
    g_autoptr(Scenario) none =
        load_with("  faults: [{preset: registry-restart, startTime: 2m}]\n", NO_REGISTRY, &error);
    ck_assert_ptr_null(none);
    check_error(&error, VWIRE_ERROR_INVALID,
                "the preset registry-restart: the manifests have no registry-k8s");
    static const char *const NO_ENDPOINT[] = {"deployment/nse:image=other", NULL};
    g_autoptr(Scenario) open =
        load_with("  faults: [{preset: local-nse-death, startTime: 2m}]\n", NO_ENDPOINT, &error);
    ck_assert_ptr_null(open);
    check_error(&error, VWIRE_ERROR_INVALID, "the chain svc has no last endpoint");
    static const char *const NO_CLIENT[] = {"deployment/client:image=other", NULL};
    g_autoptr(Scenario) empty =
        load_with("  faults: [{preset: local-nse-death, startTime: 2m}]\n", NO_CLIENT, &error);
    ck_assert_ptr_null(empty);
    check_error(&error, VWIRE_ERROR_INVALID, "is about a chain; the manifests have none");
}
END_TEST

START_TEST(times_that_cannot_be_are_refused)
{
    static const Refusal CASES[] = {
        {"preset: local-nse-death", VWIRE_ERROR_INVALID, "the fault has no \"startTime\""},
        {"preset: local-nse-death, startTime: 2", VWIRE_ERROR_PARSE, "2"},
        {"preset: local-nse-death, startTime: 20m", VWIRE_ERROR_INVALID,
         "startTime: found 20m; expected less than the scenario's duration, 20m"},
        {"preset: local-nse-death, startTime: 59s", VWIRE_ERROR_INVALID,
         "startTime: found 59s; the client of the chain svc is submitted at 1m"},
        {"preset: dataplane-interrupt, startTime: 2m, duration: 0s", VWIRE_ERROR_INVALID,
         "duration: found 0s; expected more than 0"},
        {"kind: PodChaos, action: pod-failure, startTime: 2m, " NSE, VWIRE_ERROR_INVALID,
         "PodChaos pod-failure has no \"duration\""},
        {"kind: NetworkChaos, action: partition, startTime: 2m, " WIRE, VWIRE_ERROR_INVALID,
         "has no \"duration\""},
        {"kind: StressChaos, stressors: {cpu: {workers: 1}}, startTime: 2m, " NSE,
         VWIRE_ERROR_INVALID, "has no \"duration\""},
        {KILL ", " NSE ", schedule: \"0 * * * *\"", VWIRE_ERROR_UNSUPPORTED, "@every DURATION"},
        {KILL ", " NSE ", schedule: \"@every 5\"", VWIRE_ERROR_PARSE, "schedule:"},
        {KILL ", " NSE ", schedule: \"@every 0s\"", VWIRE_ERROR_INVALID, "more than 0"},
        {KILL ", " NSE ", schedule: \"@every 5m\", meanTimeBetween: 1m", VWIRE_ERROR_INVALID,
         "expected one of the two"},
        {NET ", action: partition, " WIRE ", schedule: \"@every 30s\"", VWIRE_ERROR_INVALID,
         "expected at least the fault's duration, 1m"},
    };
    expect_all(CASES, G_N_ELEMENTS(CASES));
    expect_fault_warning("kind: PodChaos, action: pod-kill, startTime: 30s, selector: {}",
                         "while it is being deployed");
    expect_fault_warning(KILL ", " NSE ", duration: 5s", "duration has no effect on pod-kill");
    g_autoptr(Scenario) off = load_fault("kind: NodeChaos, action: node-poweroff, startTime: 2m, "
                                         "selector: {nodes: [one]}");
    ck_assert_int_eq(off->faults[0].duration, 0);
}
END_TEST

/* Two faults in braces. */
static void
expect_overlap(const char *first, const char *second, bool overlap)
{
    g_autofree char *spec = g_strdup_printf("  faults:\n  - {%s}\n  - {%s}\n", first, second);
    if (overlap) {
        expect_error(spec, VWIRE_ERROR_INVALID, "acts on at the same time");
        return;
    }
    g_autoptr(Scenario) scenario = load_good(spec);
    ck_assert_uint_eq(scenario->n_faults, 2);
}

START_TEST(faults_on_one_target_at_one_time_are_refused)
{
#define CUT(start) "kind: NetworkChaos, action: partition, duration: 1m, startTime: " start ", "
#define OFF(start) "kind: NodeChaos, action: node-restart, duration: 1m, startTime: " start ", "
    static const char REVERSE[] = "selector: {nodes: [two]}, target: {nodes: [one]}";
    g_autofree char *reverse = g_strconcat(CUT("150s"), REVERSE, NULL);
    expect_overlap(CUT("2m") LINK, reverse, true);
    expect_overlap(CUT("2m") LINK, CUT("150s") "selector: {nodes: [one]}", true);
    expect_overlap(CUT("2m") LINK, CUT("3m") LINK, false);
    expect_overlap(CUT("2m") LINK, CUT("2m") "selector: {nodes: [one]}, target: {nodes: [three]}",
                   false);
    expect_overlap(CUT("2m") WIRE, CUT("2m") WIRE, true);
    expect_overlap(CUT("2m") WIRE, CUT("2m") NSE ", device: nsm-2", false);
    expect_overlap(CUT("2m") LINK ", schedule: \"@every 2m\"", CUT("630s") LINK, true);
    expect_overlap(CUT("2m") LINK ", schedule: \"@every 2m\"", CUT("11m") LINK, false);
    expect_overlap(CUT("2m") LINK ", schedule: \"@every 4m\"",
                   CUT("4m") LINK ", schedule: \"@every 4m\"", false);
    expect_overlap(CUT("2m") LINK ", meanTimeBetween: 2m", CUT("2m") LINK, false);
    expect_overlap(OFF("2m") "selector: {nodes: [one]}", OFF("2m") "selector: {nodes: [one]}",
                   true);
    expect_overlap(OFF("2m") "selector: {nodes: [one]}", OFF("2m") "selector: {nodes: [two]}",
                   false);
    expect_overlap(OFF("2m") NSE ", mode: all", OFF("2m") "selector: {nodes: [two]}", false);
    expect_overlap(OFF("2m") "selector: {}, mode: all", OFF("2m") "selector: {nodes: [two]}", true);
    expect_overlap("preset: local-nse-death, startTime: 2m",
                   "preset: local-nse-death, startTime: 2m", false);
}
END_TEST

/* ------ --set ------ */

START_TEST(faults_can_be_set)
{
    static const char *const SETS[] = {"spec.faults[0].startTime=5m", "faults[b].delay.latency=3ms",
                                       "traffic.ping.rate=5", NULL};
    static const char SPEC[] =
        "  faults:\n  - {preset: local-nse-death, startTime: 2m}\n"
        "  - {name: b, " NET ", action: delay, " WIRE ", delay: {latency: 20ms}}\n"
        "  traffic:\n    ping: {executor: constant-arrival-rate, rate: 10, flow: {from: "
        "deployment/client, to: 172.16.1.100, protocol: icmp}}\n";
    g_autoptr(GError) error = NULL;
    g_autoptr(Scenario) scenario = load_with(SPEC, SETS, &error);
    ck_assert_msg(scenario != NULL, "%s", error != NULL ? error->message : "");
    ck_assert_int_eq(scenario->faults[0].start_time, 300 * NSEC_PER_SEC);
    ck_assert_int_eq(scenario->faults[1].parts[0].latency, 3 * NSEC_PER_MSEC);
    ck_assert_double_eq(scenario->traffic[0].rate, 5);
    static const char *const BAD[] = {"faults[0].startTime=21m", NULL};
    g_autoptr(Scenario) none = load_with(SPEC, BAD, &error);
    ck_assert_ptr_null(none);
    check_error(&error, VWIRE_ERROR_INVALID, "--set faults[0].startTime=21m:");
    static const char *const NONE[] = {"faults[7].startTime=1m", NULL};
    g_autoptr(Scenario) missing = load_with(SPEC, NONE, &error);
    ck_assert_ptr_null(missing);
    check_error(&error, VWIRE_ERROR_INVALID, "\"faults\" has no item 7");
}
END_TEST

/* ------ fast forward, fingerprint ------ */

START_TEST(fast_forward_and_fingerprint_are_read)
{
    g_autoptr(Scenario) scenario =
        load_good("  fastForward: {after: 60s}\n  fingerprint: 00000000000012ab\n");
    ck_assert_int_eq(scenario->fast_forward, 60 * NSEC_PER_SEC);
    ck_assert_uint_eq(scenario->fingerprint, 0x12ab);
    g_autoptr(Scenario) digits = load_good("  fingerprint: 1234567890123456\n");
    ck_assert_uint_eq(digits->fingerprint, UINT64_C(0x1234567890123456));
    g_autoptr(Scenario) neither = load_good("");
    ck_assert_int_eq(neither->fast_forward, 0);
    ck_assert_uint_eq(neither->fingerprint, 0);
    expect_error("  fastForward: {before: 1s}\n", VWIRE_ERROR_PARSE, "unknown field \"before\"");
    expect_error("  fastForward: {}\n", VWIRE_ERROR_INVALID, "has no \"after\"");
    expect_error("  fastForward: {after: 0s}\n", VWIRE_ERROR_INVALID, "more than 0");
    expect_error("  fastForward: 60s\n", VWIRE_ERROR_PARSE, "expected a mapping");
    expect_error("  fingerprint: 12ab\n", VWIRE_ERROR_PARSE, "expected 16 hexadecimal digits");
    expect_error("  fingerprint: 00000000000012ag\n", VWIRE_ERROR_PARSE, "16 hexadecimal");
    expect_error("  fingerprint: \"0000000000000000\"\n", VWIRE_ERROR_INVALID, "no run has");
}
END_TEST

/* ------ thresholds ------ */

START_TEST(thresholds_name_what_a_run_gives)
{
    g_autoptr(Scenario) scenario =
        load_good("  faults: [{preset: local-nse-death, startTime: 2m}]\n"
                  "  traffic: {ping: {" SMALL_PING "}}\n"
                  "  thresholds:\n"
                  "    sfc_recovery_seconds{fault=\"local-nse-death\"}: avg<10\n"
                  "    sfc_rtt_seconds{chain=\"svc\", probe=\"ping\"}: p(99)<1\n"
                  "    node_not_ready_total{node=\"one\"}: value==0\n"
                  "    pods_evicted_total: value==0\n");
    ck_assert_uint_eq(scenario->n_thresholds, 4);
    expect_error("  thresholds: {sfc_recovery_second: avg<1}\n", VWIRE_ERROR_INVALID,
                 "s.yaml:14:16: no run gives the metric sfc_recovery_second; did you mean "
                 "\"sfc_recovery_seconds\"?");
    expect_error("  thresholds: {\"sfc_init_seconds{fault=\\\"a\\\"}\": avg<1}\n",
                 VWIRE_ERROR_INVALID, "sfc_init_seconds has no label \"fault\"; expected chain");
    expect_error("  thresholds: {\"pods_evicted_total{a=\\\"b\\\"}\": avg<1}\n",
                 VWIRE_ERROR_INVALID, "expected none");
    expect_error("  thresholds: {\"sfc_init_seconds{chain=\\\"swc\\\"}\": avg<1}\n",
                 VWIRE_ERROR_INVALID, "the scenario has no chain \"swc\"; did you mean \"svc\"?");
    expect_error("  thresholds: {\"sfc_outage_seconds{fault=\\\"x\\\"}\": avg<1}\n",
                 VWIRE_ERROR_INVALID, "the scenario has no fault \"x\"");
}
END_TEST

/* ------ whatever stands there ------ */

/* Every prefix of a good text, and every word replaced by another kind of value, is read or
 * refused; never anything else. */
START_TEST(malformed_faults_are_refused_in_order)
{
    static const char GOOD[] =
        "  faults:\n  - {preset: local-nse-death, startTime: 2m, schedule: \"@every 5m\"}\n"
        "  - {name: b, " NET ", mode: fixed, value: \"1\", action: delay, " WIRE
        ", delay: {latency: 20ms}}\n"
        "  - {" STRESS ", containerNames: [nse], stressors: {memory: {workers: 1, size: 1Mi}}}\n"
        "  traffic: {ping: {" SMALL_PING "}}\n";
    static const char *const VALUES[] = {"{}",    "[]",     "~",    "\"\"", "-1",
                                         "[[a]]", "{a: b}", "true", NULL};
    g_autoptr(Scenario) good = load_good(GOOD);
    ck_assert_uint_eq(good->n_faults, 3);
    expect_scenario_or_error(GOOD, VALUES, 3);
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {
        every_preset_is_read,
        a_preset_has_times_a_chain_and_a_grace_period,
        a_webhook_that_is_not_there_is_not_missed,
        a_deletion_is_read_with_its_selector,
        defaults_are_those_of_chaos_mesh_and_kubectl,
        network_faults_are_read,
        stress_has_a_part_for_each_stressor,
        a_taint_is_read,
        names_are_made_unique,
        unknown_words_are_refused,
        keys_of_other_actions_are_refused,
        bad_values_are_refused,
        what_can_hit_nothing_is_refused,
        presets_need_what_they_kill,
        times_that_cannot_be_are_refused,
        faults_on_one_target_at_one_time_are_refused,
        faults_can_be_set,
        fast_forward_and_fingerprint_are_read,
        thresholds_name_what_a_run_gives,
        malformed_faults_are_refused_in_order,
    };
    return scratch_run("scenario_fault", tests, G_N_ELEMENTS(tests));
}
