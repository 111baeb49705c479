/* What faults are called, and what presets stand for. */
#include "models/fault.h"
#include "tests/suite.h"

#include <string.h>

static Fault
expand(const char *preset)
{
    Fault fault = {0};
    ck_assert_msg(fault_preset_expand(preset, &fault), "no preset %s", preset);
    return fault;
}

/* One deletion of that component, there. */
static void
check_kill(const FaultPart *part, Component component, FaultPlace place)
{
    ck_assert_int_eq(part->action, FAULT_POD_KILL);
    ck_assert_int_eq(part->mode, FAULT_MODE_ALL);
    ck_assert_int_eq(part->selector.component, component);
    ck_assert_int_eq(part->selector.place, place);
    ck_assert(part->selector.endpoint == (component == N_COMPONENTS));
    ck_assert(!part->selector.client);
    ck_assert_int_eq(part->grace, -1);
}

START_TEST(actions_have_kinds_and_names)
{
    ck_assert_str_eq(fault_action_kind(FAULT_POD_KILL), "PodChaos");
    ck_assert_str_eq(fault_action_name(FAULT_POD_KILL), "pod-kill");
    ck_assert_str_eq(fault_action_kind(FAULT_KUBELET_KILL), "NodeChaos");
    ck_assert_str_eq(fault_action_name(FAULT_KUBELET_KILL), "kubelet-service-kill");
    for (guint i = 0; i < N_FAULT_ACTIONS; i++) {
        for (guint k = 0; k < i; k++) {
            ck_assert_str_ne(fault_action_name((FaultAction)i), fault_action_name((FaultAction)k));
        }
    }
}
END_TEST

START_TEST(every_preset_has_a_name_of_its_own_and_parts)
{
    const char *const *names = fault_preset_names();
    guint n = g_strv_length((char **)names);
    ck_assert_uint_ge(n, 20);
    for (guint i = 0; i < n; i++) {
        ck_assert(!g_strv_contains(names + i + 1, names[i]));
        ck_assert_ptr_null(fault_preset_refusal(names[i]));
        Fault fault = expand(names[i]);
        ck_assert_uint_ge(fault.n_parts, 1);
        fault_clear(&fault);
        ck_assert_ptr_null(fault.parts);
    }
}
END_TEST

START_TEST(presets_of_one_component_say_where_it_is)
{
    static const struct {
        const char *name;
        Component component;
        FaultPlace place;
    } CASES[] = {
        {"local-nse-death", N_COMPONENTS, FAULT_PLACE_ANY},
        {"remote-nse-death", N_COMPONENTS, FAULT_PLACE_ANY},
        {"local-nsmgr-restart", COMPONENT_NSMGR, FAULT_PLACE_CLIENT},
        {"remote-nsmgr-restart", COMPONENT_NSMGR, FAULT_PLACE_ENDPOINT},
        {"local-forwarder-death", COMPONENT_FORWARDER, FAULT_PLACE_CLIENT},
        {"remote-forwarder-death", COMPONENT_FORWARDER, FAULT_PLACE_ENDPOINT},
        {"registry-restart", COMPONENT_REGISTRY, FAULT_PLACE_ANY},
        {"spire-agent-restart", COMPONENT_SPIRE_AGENT, FAULT_PLACE_ANY},
        {"spire-server-restart", COMPONENT_SPIRE_SERVER, FAULT_PLACE_ANY},
    };
    for (guint i = 0; i < G_N_ELEMENTS(CASES); i++) {
        Fault fault = expand(CASES[i].name);
        ck_assert_uint_eq(fault.n_parts, 1);
        check_kill(&fault.parts[0], CASES[i].component, CASES[i].place);
        ck_assert_int_eq(fault.duration, 0);
        fault_clear(&fault);
    }
}
END_TEST

START_TEST(presets_of_two_components_hit_both)
{
    static const struct {
        const char *name;
        Component components[2];
        FaultPlace places[2];
    } CASES[] = {
        {"local-nsmgr-local-nse-memif",
         {COMPONENT_NSMGR, N_COMPONENTS},
         {FAULT_PLACE_CLIENT, FAULT_PLACE_ANY}},
        {"local-nsmgr-local-forwarder-memif",
         {COMPONENT_NSMGR, COMPONENT_FORWARDER},
         {FAULT_PLACE_CLIENT, FAULT_PLACE_CLIENT}},
        {"local-nsmgr-remote-nsmgr",
         {COMPONENT_NSMGR, COMPONENT_NSMGR},
         {FAULT_PLACE_CLIENT, FAULT_PLACE_ENDPOINT}},
        {"local-forwarder-remote-forwarder",
         {COMPONENT_FORWARDER, COMPONENT_FORWARDER},
         {FAULT_PLACE_CLIENT, FAULT_PLACE_ENDPOINT}},
        {"registry-local-endpoint",
         {COMPONENT_REGISTRY, N_COMPONENTS},
         {FAULT_PLACE_ANY, FAULT_PLACE_ANY}},
        {"registry-remote-forwarder",
         {COMPONENT_REGISTRY, COMPONENT_FORWARDER},
         {FAULT_PLACE_ANY, FAULT_PLACE_ENDPOINT}},
        {"registry-remote-nsmgr",
         {COMPONENT_REGISTRY, COMPONENT_NSMGR},
         {FAULT_PLACE_ANY, FAULT_PLACE_ENDPOINT}},
        {"remote-nsmgr-remote-endpoint",
         {COMPONENT_NSMGR, N_COMPONENTS},
         {FAULT_PLACE_ENDPOINT, FAULT_PLACE_ANY}},
        {"spire-server-agent-restart",
         {COMPONENT_SPIRE_SERVER, COMPONENT_SPIRE_AGENT},
         {FAULT_PLACE_ANY, FAULT_PLACE_ANY}},
    };
    for (guint i = 0; i < G_N_ELEMENTS(CASES); i++) {
        Fault fault = expand(CASES[i].name);
        ck_assert_uint_eq(fault.n_parts, 2);
        for (guint k = 0; k < 2; k++) {
            check_kill(&fault.parts[k], CASES[i].components[k], CASES[i].places[k]);
        }
        fault_clear(&fault);
    }
}
END_TEST

START_TEST(a_restart_of_the_system_hits_all_of_nsm_everywhere)
{
    static const char *const NAMES[] = {"local-nsm-system-restart", "remote-nsm-system-restart",
                                        "remote-nsm-system-restart-memif-ip"};
    static const Component COMPONENTS_HIT[] = {COMPONENT_REGISTRY, COMPONENT_WEBHOOK,
                                               COMPONENT_NSMGR, COMPONENT_FORWARDER};
    for (guint i = 0; i < G_N_ELEMENTS(NAMES); i++) {
        Fault fault = expand(NAMES[i]);
        ck_assert_uint_eq(fault.n_parts, G_N_ELEMENTS(COMPONENTS_HIT));
        for (guint k = 0; k < fault.n_parts; k++) {
            check_kill(&fault.parts[k], COMPONENTS_HIT[k], FAULT_PLACE_ANY);
        }
        fault_clear(&fault);
    }
}
END_TEST

START_TEST(an_interrupted_data_plane_is_a_cut_of_the_clients_wire)
{
    Fault fault = expand("dataplane-interrupt");
    ck_assert_uint_eq(fault.n_parts, 1);
    ck_assert_int_eq(fault.parts[0].action, FAULT_PARTITION);
    ck_assert(fault.parts[0].selector.client);
    ck_assert_str_eq(fault.parts[0].device, "nsm-1");
    ck_assert_int_eq(fault.duration, 30 * NSEC_PER_SEC);
    fault_clear(&fault);
}
END_TEST

START_TEST(what_is_no_preset_is_refused_with_a_reason_where_nsm_has_it)
{
    Fault fault = {0};
    ck_assert(!fault_preset_expand("local-nse", &fault));
    ck_assert_uint_eq(fault.n_parts, 0);
    ck_assert_ptr_null(fault_preset_refusal("local-nse"));
    static const char *const REFUSED[] = {"remote-nsmgr-death", "spire-upgrade", "vl3-nse-death",
                                          "vl3-nscs-death"};
    for (guint i = 0; i < G_N_ELEMENTS(REFUSED); i++) {
        ck_assert_ptr_nonnull(fault_preset_refusal(REFUSED[i]));
        ck_assert(!fault_preset_expand(REFUSED[i], &fault));
    }
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {
        actions_have_kinds_and_names,
        every_preset_has_a_name_of_its_own_and_parts,
        presets_of_one_component_say_where_it_is,
        presets_of_two_components_hit_both,
        a_restart_of_the_system_hits_all_of_nsm_everywhere,
        an_interrupted_data_plane_is_a_cut_of_the_clients_wire,
        what_is_no_preset_is_refused_with_a_reason_where_nsm_has_it,
    };
    return suite_run("fault", tests, G_N_ELEMENTS(tests), NULL, NULL);
}
