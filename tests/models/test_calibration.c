/* Reading calibrations: values and distributions, laying over a base, strictness, changes. */
#include "models/calibration.h"

#include "tests/models/scratch.h"

static Calibration *
load(const char *name, GError **error)
{
    g_autofree char *path = scratch_path(name);
    return calibration_load(path, error);
}

static Calibration *
load_good(const char *name)
{
    g_autoptr(GError) error = NULL;
    Calibration *calibration = load(name, &error);
    ck_assert_msg(calibration != NULL, "%s", error != NULL ? error->message : "");
    return calibration;
}

static void
expect_error(const char *name, VwireError code, const char *expected)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Calibration) calibration = load(name, &error);
    ck_assert_ptr_null(calibration);
    check_error(&error, code, expected);
}

/* A file that extends a complete one. */
static void
write_over(const char *name, const char *spec)
{
    g_autofree char *text = g_strdup_printf("apiVersion: vwire/v1alpha1\nkind: Calibration\n"
                                            "metadata: {name: over}\nextends: whole.yaml\n"
                                            "spec:\n%s",
                                            spec);
    scratch_write_calibration("whole.yaml", "");
    scratch_write(name, text);
}

static void
expect_over_error(const char *spec, VwireError code, const char *expected)
{
    write_over("over.yaml", spec);
    expect_error("over.yaml", code, expected);
}

START_TEST(parameters_are_read_in_their_unit)
{
    scratch_write_calibration("whole.yaml", "");
    g_autoptr(Calibration) calibration = load_good("whole.yaml");
    ck_assert_str_eq(calibration->name, "whole");
    ck_assert_int_eq(calibration_nsec(calibration, PARAMETER_KUBELET_SANDBOX), NSEC_PER_SEC);
    ck_assert_double_eq(calibration_number(calibration, PARAMETER_KUBELET_QPS), 2);
    ck_assert_int_eq(calibration->choices[PARAMETER_SPIRE_IDENTITY], IDENTITY_CRD_PER_POD);
    ck_assert_str_eq(calibration_key(PARAMETER_VPP_BOOT), "vpp.boot");
}
END_TEST

START_TEST(distributions_have_their_parameters_and_offset)
{
    write_over(
        "over.yaml",
        "  parameters:\n"
        "    kubelet.sandbox: {lognormal: {mean: 600ms, cv: 0.3}, offset: 100ms, source: t}\n"
        "    kubelet.cni: {uniform: {min: 1ms, max: 3ms}, source: t}\n"
        "    kubelet.sync: {triangular: {min: 1s, mode: 2s, max: 3s}, source: t}\n"
        "    vpp.boot: {weibull: {mean: 2s, shape: 1.5}, source: t}\n"
        "    vpp.tunnel: {normal: {mean: 2s, sd: 100ms}, source: t}\n"
        "    kubelet.qps: {exponential: {mean: 4}, source: t}\n");
    g_autoptr(Calibration) calibration = load_good("over.yaml");
    const Dist *dist = &calibration->parameters[PARAMETER_KUBELET_SANDBOX];
    ck_assert_int_eq(dist->kind, DIST_LOGNORMAL);
    ck_assert_double_eq_tol(dist->params[0], 0.6, 1e-12);
    ck_assert_double_eq_tol(dist->params[1], 0.3, 1e-12);
    ck_assert_double_eq_tol(dist_mean(dist), 0.7, 1e-9);
    ck_assert_int_eq(calibration_nsec(calibration, PARAMETER_KUBELET_CNI), 2 * NSEC_PER_MSEC);
    dist = &calibration->parameters[PARAMETER_KUBELET_SYNC];
    ck_assert_double_eq(dist->params[1], 2);
    ck_assert_double_eq(dist->params[2], 3);
    ck_assert_double_eq(calibration->parameters[PARAMETER_VPP_BOOT].params[1], 1.5);
    ck_assert_double_eq(calibration->parameters[PARAMETER_VPP_TUNNEL].params[1], 0.1);
    ck_assert_double_eq(calibration_number(calibration, PARAMETER_KUBELET_QPS), 4);
}
END_TEST

START_TEST(a_hypothesis_is_marked_and_needs_no_source)
{
    write_over("over.yaml", "  parameters:\n"
                            "    kubelet.cni: {value: 1ms, hypothesis: true}\n"
                            "    kubelet.sync: {value: 1ms, hypothesis: true, source: both}\n"
                            "    spire.identity: {value: static-entry, hypothesis: true}\n");
    g_autoptr(Calibration) calibration = load_good("over.yaml");
    ck_assert(calibration->hypothesis[PARAMETER_KUBELET_CNI]);
    ck_assert(calibration->hypothesis[PARAMETER_KUBELET_SYNC]);
    ck_assert(calibration->hypothesis[PARAMETER_SPIRE_IDENTITY]);
    ck_assert(!calibration->hypothesis[PARAMETER_KUBELET_QPS]);
    ck_assert_int_eq(calibration->choices[PARAMETER_SPIRE_IDENTITY], IDENTITY_STATIC_ENTRY);
}
END_TEST

START_TEST(a_number_without_source_is_an_error_at_its_place)
{
    expect_over_error(
        "  parameters:\n    kubelet.cni: {value: 1ms}\n", VWIRE_ERROR_INVALID,
        "over.yaml:7:18: kubelet.cni has neither \"source\" nor \"hypothesis: true\"");
    expect_over_error("  parameters:\n    kubelet.cni: {value: 1ms, hypothesis: false}\n",
                      VWIRE_ERROR_INVALID, "neither");
    expect_over_error("  parameters:\n    kubelet.cni: {value: 1ms, source: \"\"}\n",
                      VWIRE_ERROR_INVALID, "\"source\" is empty");
    expect_over_error("  start:\n    nsmgr: {value: 1ms}\n", VWIRE_ERROR_INVALID,
                      "start.nsmgr has neither");
    expect_over_error("  demands:\n    nsmgr: {nsm-request: {value: 1ms}}\n", VWIRE_ERROR_INVALID,
                      "demands.nsmgr.nsm-request has neither");
    expect_over_error("  demands:\n    nsmgr: {\"*\": {value: 1ms}}\n", VWIRE_ERROR_INVALID,
                      "demands.nsmgr.* has neither");
    expect_over_error("  memory:\n    nsmgr: {start: 1Mi}\n", VWIRE_ERROR_INVALID,
                      "memory.nsmgr has neither");
    expect_over_error("  idle:\n    nsmgr: {value: 0.1}\n", VWIRE_ERROR_INVALID,
                      "idle.nsmgr has neither");
}
END_TEST

START_TEST(every_missing_parameter_is_named)
{
    scratch_write("few.yaml", "apiVersion: vwire/v1alpha1\nkind: Calibration\n"
                              "metadata: {name: few}\nspec:\n  parameters:\n"
                              "    kubelet.cni: {value: 1ms, source: t}\n");
    expect_error("few.yaml", VWIRE_ERROR_INVALID,
                 "spec.parameters gives no value for latency.local");
    expect_error("few.yaml", VWIRE_ERROR_INVALID, "kubelet.sandbox, kubelet.container-create");
}
END_TEST

START_TEST(unknown_names_are_errors_with_a_suggestion)
{
    expect_over_error("  parameters:\n    kubelet.snadbox: {value: 1ms, source: t}\n",
                      VWIRE_ERROR_PARSE, "over.yaml:7:5: unknown field \"kubelet.snadbox\"");
    expect_over_error("  parameters:\n    kubelet.snadbox: {value: 1ms, source: t}\n",
                      VWIRE_ERROR_PARSE, "did you mean \"kubelet.sandbox\"?");
    expect_over_error("  start:\n    nsmgrs: {value: 1ms, source: t}\n", VWIRE_ERROR_PARSE,
                      "did you mean \"nsmgr\"?");
    expect_over_error("  demands:\n    forwarder-vp: {\"*\": {value: 1ms, source: t}}\n",
                      VWIRE_ERROR_PARSE, "did you mean \"forwarder-vpp\"?");
    expect_over_error("  demands:\n    nsmgr: {nsm-requests: {value: 1ms, source: t}}\n",
                      VWIRE_ERROR_PARSE, "did you mean \"nsm-request\"?");
    expect_over_error("  memory:\n    nsmgr: {start: 1Mi, conection: 1Ki, source: t}\n",
                      VWIRE_ERROR_PARSE, "did you mean \"connection\"?");
    expect_over_error("  idle:\n    kubelt: {value: 1, source: t}\n", VWIRE_ERROR_PARSE,
                      "did you mean \"kubelet\"?");
    expect_over_error("  parameter: {}\n", VWIRE_ERROR_PARSE, "did you mean \"parameters\"?");
    expect_over_error("  parameters:\n    kubelet.cni: {value: 1ms, sources: t}\n",
                      VWIRE_ERROR_PARSE, "did you mean \"source\"?");
}
END_TEST

START_TEST(per_unit_and_background_belong_to_demands_only)
{
    expect_over_error("  parameters:\n    kubelet.cni: {value: 1ms, perUnit: 1ms, source: t}\n",
                      VWIRE_ERROR_PARSE, "unknown field \"perUnit\"");
    expect_over_error("  start:\n    nsmgr: {value: 1ms, background: 1ms, source: t}\n",
                      VWIRE_ERROR_PARSE, "unknown field \"background\"");
    expect_over_error("  demands: {nsmgr: {nsm-close: {value: 1s, background: 1, source: t}}}\n",
                      VWIRE_ERROR_PARSE, "no unit");
}
END_TEST

START_TEST(wrong_values_are_errors)
{
    static const char *const CASES[][2] = {
        {"kubelet.cni: {value: 1, source: t}", "no unit behind the number"},
        {"kubelet.cni: {value: -1ms, source: t}", "not negative"},
        {"kubelet.cni: {source: t}", "no distribution"},
        {"kubelet.cni: {value: 1s, gamma: {mean: 1s, cv: 1}, source: t}",
         "expected one distribution"},
        {"kubelet.cni: {gamma: {mean: 1s}, source: t}", "gamma has no \"cv\""},
        {"kubelet.cni: {gamma: {mean: 1s, cv: 1s}, source: t}", "expected a number"},
        {"kubelet.cni: {gamma: 1s, source: t}", "gamma: found"},
        {"kubelet.cni: {gamma: {mean: 1s, sd: 1}, source: t}", "unknown field \"sd\""},
        {"kubelet.cni: {uniform: {min: 2s, max: 1s}, source: t}", "min <= max"},
        {"kubelet.cni: 1s", "expected a mapping"},
        {"kubelet.cni:", "expected a mapping"},
        {"kubelet.qps: {value: 1s, source: t}", "expected a number"},
        {"kubelet.qps: {value: -1, source: t}", "not negative"},
        {"kubelet.pleg-period: {value: 0s, source: t}", "greater than 0"},
        {"spire.identity: {value: crd, source: t}", "expected crd-per-pod or static-entry"},
        {"spire.identity: {gamma: {mean: 1, cv: 1}, source: t}", "unknown field \"gamma\""},
    };
    for (guint i = 0; i < G_N_ELEMENTS(CASES); i++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *spec = g_strdup_printf("  parameters:\n    %s\n", CASES[i][0]);
        write_over("over.yaml", spec);
        g_autoptr(Calibration) calibration = load("over.yaml", &error);
        ck_assert_msg(calibration == NULL, "%s", CASES[i][0]);
        ck_assert_msg(strstr(error->message, CASES[i][1]) != NULL, "%s", error->message);
        ck_assert_msg(strstr(error->message, "over.yaml:7:") != NULL, "%s", error->message);
    }
}
END_TEST

START_TEST(a_star_stands_for_every_message_that_is_not_named)
{
    scratch_write_calibration("whole.yaml",
                              "  demands:\n    nsmgr:\n"
                              "      nsm-request: {value: 20ms, perUnit: 2ms, background: 7ms, "
                              "source: t}\n"
                              "      \"*\": {value: 200us, source: t}\n"
                              "    nse:\n      nsm-close: {value: 1ms, source: t}\n");
    g_autoptr(Calibration) calibration = load_good("whole.yaml");
    const Demand *demands = calibration->demands[COMPONENT_NSMGR];
    ck_assert_double_eq(demands[MESSAGE_NSM_REQUEST].dist.params[0], 0.02);
    ck_assert_double_eq(demands[MESSAGE_NSM_REQUEST].per_unit, 0.002);
    ck_assert_double_eq(demands[MESSAGE_NSM_REQUEST].background, 0.007);
    ck_assert_double_eq(demands[MESSAGE_NSM_CLOSE].dist.params[0], 0.0002);
    ck_assert_double_eq(demands[MESSAGE_NSM_CLOSE].background, 0);
    ck_assert_double_eq(demands[MESSAGE_HEALTH].per_unit, 0);
    demands = calibration->demands[COMPONENT_NSE];
    ck_assert_double_eq(dist_mean(&demands[MESSAGE_NSM_CLOSE].dist), 0.001);
    ck_assert_double_eq(dist_mean(&demands[MESSAGE_NSM_REQUEST].dist), 0);
}
END_TEST

START_TEST(a_component_that_is_not_mentioned_costs_nothing)
{
    scratch_write_calibration("whole.yaml", "  start:\n  demands:\n");
    g_autoptr(Calibration) calibration = load_good("whole.yaml");
    ck_assert_double_eq(dist_mean(&calibration->start[COMPONENT_NSMGR]), 0);
    ck_assert_double_eq(dist_mean(&calibration->demands[COMPONENT_NSMGR][MESSAGE_OK].dist), 0);
    ck_assert_int_eq(calibration->memory[COMPONENT_NSMGR].start, 0);
    ck_assert_double_eq(calibration->idle[COMPONENT_NSMGR], 0);
}
END_TEST

START_TEST(start_memory_and_idle_are_read_per_component)
{
    scratch_write_calibration("whole.yaml",
                              "  start: {nsmgr: {uniform: {min: 50ms, max: 150ms}, source: t}}\n"
                              "  memory: {nsmgr: {start: 140Mi, connection: 64Ki, source: t}}\n"
                              "  idle: {nsmgr: {value: 0.01, source: t}}\n");
    g_autoptr(Calibration) calibration = load_good("whole.yaml");
    ck_assert_double_eq_tol(dist_mean(&calibration->start[COMPONENT_NSMGR]), 0.1, 1e-12);
    ck_assert_int_eq(calibration->memory[COMPONENT_NSMGR].start, INT64_C(140) << 20);
    ck_assert_int_eq(calibration->memory[COMPONENT_NSMGR].connection, 64 << 10);
    ck_assert_int_eq(calibration->memory[COMPONENT_NSMGR].endpoint, 0);
    ck_assert_double_eq(calibration->idle[COMPONENT_NSMGR], 0.01);
}
END_TEST

START_TEST(memory_needs_a_start_and_good_quantities)
{
    expect_over_error("  memory: {nsmgr: {connection: 1Ki, source: t}}\n", VWIRE_ERROR_INVALID,
                      "memory.nsmgr has no \"start\"");
    expect_over_error("  memory: {nsmgr: {start: 1Qi, source: t}}\n", VWIRE_ERROR_PARSE,
                      "over.yaml:6:27: start: ");
    expect_over_error("  memory: {nsmgr: {start: [1Mi], source: t}}\n", VWIRE_ERROR_PARSE,
                      "expected a scalar");
}
END_TEST

START_TEST(an_extending_file_replaces_entries_and_keeps_the_rest)
{
    scratch_write_calibration(
        "whole.yaml", "  demands:\n    nsmgr:\n"
                      "      nsm-request: {value: 20ms, perUnit: 2ms, source: t}\n"
                      "      nsm-close: {value: 5ms, source: t}\n"
                      "  idle: {nsmgr: {value: 0.01, source: t}, nse: {value: 0.02, source: t}}\n");
    scratch_write("sub/over.yaml",
                  "apiVersion: vwire/v1alpha1\nkind: Calibration\nmetadata: {name: over}\n"
                  "extends: ../whole.yaml\nspec:\n"
                  "  parameters: {kubelet.cni: {value: 7s, source: t}}\n"
                  "  demands: {nsmgr: {nsm-request: {value: 30ms, source: t},\n"
                  "                    \"*\": {value: 1ms, source: t}}}\n"
                  "  start: {nse: {value: 1s, source: t}}\n"
                  "  idle: {nse: {value: 0.5, source: t}}\n");
    g_autoptr(Calibration) calibration = load_good("sub/over.yaml");
    ck_assert_str_eq(calibration->name, "over");
    ck_assert_int_eq(calibration_nsec(calibration, PARAMETER_KUBELET_CNI), 7 * NSEC_PER_SEC);
    ck_assert_int_eq(calibration_nsec(calibration, PARAMETER_KUBELET_SYNC), NSEC_PER_SEC);
    const Demand *demands = calibration->demands[COMPONENT_NSMGR];
    ck_assert_double_eq(demands[MESSAGE_NSM_REQUEST].dist.params[0], 0.03);
    ck_assert_double_eq(demands[MESSAGE_NSM_REQUEST].per_unit, 0);
    ck_assert_double_eq(demands[MESSAGE_NSM_CLOSE].dist.params[0], 0.005);
    ck_assert_double_eq(demands[MESSAGE_HEALTH].dist.params[0], 0.001);
    ck_assert_double_eq(calibration->idle[COMPONENT_NSMGR], 0.01);
    ck_assert_double_eq(calibration->idle[COMPONENT_NSE], 0.5);
    ck_assert_double_eq(dist_mean(&calibration->start[COMPONENT_NSE]), 1);
}
END_TEST

static void
write_link(const char *name, const char *extends)
{
    g_autofree char *text = g_strdup_printf("apiVersion: vwire/v1alpha1\nkind: Calibration\n"
                                            "metadata: {name: x}\nextends: %s\nspec: {}\n",
                                            extends);
    scratch_write(name, text);
}

START_TEST(a_cycle_of_extends_is_an_error)
{
    write_link("a.yaml", "b.yaml");
    write_link("b.yaml", "./a.yaml");
    expect_error("a.yaml", VWIRE_ERROR_INVALID, "b.yaml:4:10: extends: ");
    expect_error("a.yaml", VWIRE_ERROR_INVALID, "extends itself");
    write_link("self.yaml", "self.yaml");
    expect_error("self.yaml", VWIRE_ERROR_INVALID, "extends itself");
}
END_TEST

START_TEST(a_cycle_through_links_to_directories_is_an_error)
{
    g_autofree char *link = scratch_path("d");
    ck_assert_int_eq(symlink(".", link), 0);
    write_link("a.yaml", "d/a.yaml");
    expect_error("a.yaml", VWIRE_ERROR_INVALID, "extends itself");
}
END_TEST

START_TEST(a_base_that_is_not_there_is_named_where_it_is_asked_for)
{
    write_link("a.yaml", "nothing.yaml");
    expect_error("a.yaml", VWIRE_ERROR_SYSTEM, "a.yaml:4:10: ");
    expect_error("a.yaml", VWIRE_ERROR_SYSTEM, "nothing.yaml");
    expect_error("none.yaml", VWIRE_ERROR_SYSTEM, "none.yaml");
}
END_TEST

START_TEST(the_envelope_is_checked)
{
    scratch_write("e.yaml", "");
    expect_error("e.yaml", VWIRE_ERROR_PARSE, "the file is empty");
    scratch_write("e.yaml", "apiVersion: v1\nkind: Calibration\n");
    expect_error("e.yaml", VWIRE_ERROR_INVALID, "e.yaml:1:13: apiVersion: found \"v1\"");
    scratch_write("e.yaml", "apiVersion: vwire/v1alpha1\nkind: Scenario\n");
    expect_error("e.yaml", VWIRE_ERROR_INVALID, "expected \"Calibration\"");
    scratch_write("e.yaml", "apiVersion: vwire/v1alpha1\nkind: Calibration\nspec: {}\n");
    expect_error("e.yaml", VWIRE_ERROR_INVALID, "has no \"metadata\"");
    scratch_write("e.yaml", "apiVersion: vwire/v1alpha1\nkind: Calibration\nspecs: {}\n");
    expect_error("e.yaml", VWIRE_ERROR_PARSE, "did you mean \"spec\"?");
    scratch_write("e.yaml", "[1]\n");
    expect_error("e.yaml", VWIRE_ERROR_PARSE, "expected a mapping");
    scratch_write("e.yaml", "apiVersion: vwire/v1alpha1\nkind: Calibration\n---\na: 1\n");
    expect_error("e.yaml", VWIRE_ERROR_PARSE, "a second document");
    expect_over_error("  start: [1]\n", VWIRE_ERROR_PARSE, "spec.start: found");
    expect_over_error("  demands: {nsmgr: 1s}\n", VWIRE_ERROR_PARSE, "spec.demands: found");
}
END_TEST

START_TEST(the_hash_is_that_of_the_text_and_changes_with_the_base)
{
    scratch_write_calibration("whole.yaml", "");
    g_autoptr(Calibration) whole = load_good("whole.yaml");
    g_autofree char *path = scratch_path("whole.yaml");
    g_autofree char *text = NULL;
    ck_assert(g_file_get_contents(path, &text, NULL, NULL));
    g_autofree char *expected = g_compute_checksum_for_string(G_CHECKSUM_SHA256, text, -1);
    ck_assert_str_eq(whole->hash, expected);

    write_over("over.yaml", "  {}\n");
    g_autoptr(Calibration) over = load_good("over.yaml");
    scratch_write_calibration("whole.yaml", "  # another text\n");
    g_autoptr(Calibration) changed = load_good("over.yaml");
    ck_assert_str_ne(over->hash, whole->hash);
    ck_assert_str_ne(over->hash, changed->hash);
}
END_TEST

static void
set_good(Calibration *calibration, const char *key, const char *value)
{
    g_autoptr(GError) error = NULL;
    bool done = calibration_set(calibration, key, value, &error);
    ck_assert_msg(done, "%s", error != NULL ? error->message : "");
}

static void
set_bad(Calibration *calibration, const char *key, const char *value, const char *expected)
{
    g_autoptr(GError) error = NULL;
    ck_assert(!calibration_set(calibration, key, value, &error));
    ck_assert_msg(strstr(error->message, expected) != NULL, "%s", error->message);
}

START_TEST(a_change_makes_a_constant)
{
    scratch_write_calibration("whole.yaml",
                              "  start: {nsmgr: {uniform: {min: 1s, max: 2s}, source: t}}\n"
                              "  demands: {nsmgr: {\"*\": {value: 1s, perUnit: 1s, source: t}}}\n");
    g_autoptr(Calibration) calibration = load_good("whole.yaml");
    set_good(calibration, "kubelet.sandbox", "250ms");
    set_good(calibration, "kubelet.qps", "50");
    set_good(calibration, "spire.identity", "static-entry");
    set_good(calibration, "start.nsmgr", "3s");
    set_good(calibration, "demands.nsmgr.nsm-request", "20ms");
    ck_assert_int_eq(calibration_nsec(calibration, PARAMETER_KUBELET_SANDBOX), 250 * NSEC_PER_MSEC);
    ck_assert_double_eq(calibration_number(calibration, PARAMETER_KUBELET_QPS), 50);
    ck_assert_int_eq(calibration->choices[PARAMETER_SPIRE_IDENTITY], IDENTITY_STATIC_ENTRY);
    ck_assert_double_eq(dist_mean(&calibration->start[COMPONENT_NSMGR]), 3);
    const Demand *demands = calibration->demands[COMPONENT_NSMGR];
    ck_assert_double_eq(demands[MESSAGE_NSM_REQUEST].dist.params[0], 0.02);
    ck_assert_double_eq(demands[MESSAGE_NSM_REQUEST].per_unit, 0);
    ck_assert_double_eq(demands[MESSAGE_NSM_CLOSE].per_unit, 1);
}
END_TEST

START_TEST(a_change_that_means_nothing_is_an_error)
{
    scratch_write_calibration("whole.yaml", "");
    g_autoptr(Calibration) calibration = load_good("whole.yaml");
    set_bad(calibration, "kubelet.sandbx", "1s", "did you mean \"kubelet.sandbox\"?");
    set_bad(calibration, "start.nsmgrr", "1s", "did you mean \"nsmgr\"?");
    set_bad(calibration, "demands.nsmgr", "1s", "expected demands.<component>.<message>");
    set_bad(calibration, "demands.nsmgr.nsm-reqest", "1s", "did you mean \"nsm-request\"?");
    set_bad(calibration, "demands.nsmgr.*", "1s", "unknown field \"*\"");
    set_bad(calibration, "kubelet.sandbox", "250", "no unit behind the number");
    set_bad(calibration, "kubelet.sandbox", "", "expected a duration");
    set_bad(calibration, "kubelet.qps", "1s", "expected a number");
    set_bad(calibration, "kubelet.qps", "-1", "not negative");
    set_bad(calibration, "cfs.period", "0s", "greater than 0");
    set_bad(calibration, "spire.identity", "none", "expected crd-per-pod");
}
END_TEST

START_TEST(component_and_message_names_are_unique)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; i < N_COMPONENTS; i++) {
        ck_assert(g_hash_table_add(seen, (void *)component_name((Component)i)));
    }
    g_hash_table_remove_all(seen);
    for (guint i = 0; i < N_MESSAGE_TYPES; i++) {
        ck_assert(g_hash_table_add(seen, (void *)message_type_name((MessageType)i)));
    }
}
END_TEST

static int n_cleared;

static void
count_clear(Message *message)
{
    n_cleared++;
}

START_TEST(a_message_is_cleared_with_its_last_reference)
{
    Message *message = message_new(MESSAGE_NSM_REQUEST, sizeof(Message), count_clear);
    ck_assert_int_eq(message->type, MESSAGE_NSM_REQUEST);
    ck_assert_ptr_eq(message_ref(message), message);
    message_unref(message);
    ck_assert_int_eq(n_cleared, 0);
    message_unref(message);
    ck_assert_int_eq(n_cleared, 1);
    message_unref(NULL);
}
END_TEST

START_TEST(only_an_error_message_has_an_error_text)
{
    Message *bad = message_error("no route to %s", "nse");
    Message *good = message_ok();
    ck_assert_str_eq(message_error_text(bad), "no route to nse");
    ck_assert_ptr_null(message_error_text(good));
    ck_assert_ptr_null(message_error_text(NULL));
    message_unref(bad);
    message_unref(good);
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {
        parameters_are_read_in_their_unit,
        distributions_have_their_parameters_and_offset,
        a_hypothesis_is_marked_and_needs_no_source,
        a_number_without_source_is_an_error_at_its_place,
        every_missing_parameter_is_named,
        unknown_names_are_errors_with_a_suggestion,
        per_unit_and_background_belong_to_demands_only,
        wrong_values_are_errors,
        a_star_stands_for_every_message_that_is_not_named,
        a_component_that_is_not_mentioned_costs_nothing,
        start_memory_and_idle_are_read_per_component,
        memory_needs_a_start_and_good_quantities,
        an_extending_file_replaces_entries_and_keeps_the_rest,
        a_cycle_of_extends_is_an_error,
        a_cycle_through_links_to_directories_is_an_error,
        a_base_that_is_not_there_is_named_where_it_is_asked_for,
        the_envelope_is_checked,
        the_hash_is_that_of_the_text_and_changes_with_the_base,
        a_change_makes_a_constant,
        a_change_that_means_nothing_is_an_error,
        component_and_message_names_are_unique,
        a_message_is_cleared_with_its_last_reference,
        only_an_error_message_has_an_error_text,
    };
    return scratch_run("calibration", tests, G_N_ELEMENTS(tests));
}
