/* The rules of firewalls: what they match, what is refused or warned of and where, and how they are
 * found from the container by its volume to the ConfigMap. */
#include "models/acl.h"

#include "models/chain.h"
#include "models/scenario.h"
#include "tests/fuzz/acl_case.h"
#include "tests/models/scratch.h"

#define ANY_SRC "srcportoricmptypelast: 65535"
#define ANY_DST "dstportoricmpcodelast: 65535"
#define TCP(action, port)                                                                          \
    "{ispermit: " action ", proto: 6, " ANY_SRC ", dstportoricmpcodefirst: " port                  \
    ", dstportoricmpcodelast: " port "}\n"

/* Those of the testbed's video chain. */
#define TESTBED                                                                                    \
    "icmp: {ispermit: 1, proto: 1, " ANY_SRC ", " ANY_DST "}\n"                                    \
    "http: " TCP("1", "80") "http-alternative: " TCP("1", "8080")

static Acl *
acl_of(const char *text)
{
    g_autoptr(GError) error = NULL;
    Acl *acl = acl_parse(text, strlen(text), "acl.yaml", &error);
    ck_assert_msg(acl != NULL, "%s", error != NULL ? error->message : "");
    return acl;
}

static AclPacket
tcp(const char *src, uint16_t src_port, const char *dst, uint16_t dst_port)
{
    return acl_case_packet(ACL_PROTO_TCP, src, src_port, dst, dst_port);
}

static AclPacket
icmp(uint16_t type, uint16_t code)
{
    return acl_case_packet(ACL_PROTO_ICMP, "172.16.1.101", type, "172.16.1.100", code);
}

static void
expect_match(const Acl *acl, AclPacket packet, bool swapped, int expected)
{
    ck_assert_int_eq(acl_match(acl, &packet, swapped), expected);
}

static void
expect_refused(const char *text, VwireError code, const char *expected)
{
    g_autoptr(GError) error = NULL;
    ck_assert_msg(acl_parse(text, strlen(text), "acl.yaml", &error) == NULL, "read: %s", text);
    check_error(&error, code, expected);
}

/* ------ matching ------ */

START_TEST(the_testbeds_rules_let_http_and_echoes_through)
{
    g_autoptr(Acl) acl = acl_of(TESTBED);
    ck_assert_uint_eq(acl_n_rules(acl), 3);
    ck_assert_str_eq(acl_rule_name(acl, 2), "http-alternative");
    expect_match(acl, icmp(8, 0), false, 0);
    expect_match(acl, icmp(0, 0), true, 0);
    expect_match(acl, tcp("172.16.1.101", 40000, "172.16.1.100", 80), false, 1);
    expect_match(acl, tcp("172.16.1.101", 40000, "172.16.1.100", 8080), false, 2);
    ck_assert(acl_permits(acl, 2));
}
END_TEST

START_TEST(what_no_rule_matches_is_dropped)
{
    g_autoptr(Acl) acl = acl_of(TESTBED);
    expect_match(acl, tcp("172.16.1.101", 40000, "172.16.1.100", 81), false, ACL_IMPLICIT_DENY);
    expect_match(acl, acl_case_packet(ACL_PROTO_UDP, "10.0.0.1", 80, "10.0.0.2", 80), false,
                 ACL_IMPLICIT_DENY);
    ck_assert(!acl_permits(acl, ACL_IMPLICIT_DENY));
}
END_TEST

START_TEST(the_first_rule_that_matches_decides)
{
    g_autoptr(Acl) acl = acl_of("no: " TCP("0", "80") "all: {ispermit: 1}\n");
    expect_match(acl, tcp("10.0.0.1", 1, "10.0.0.2", 80), false, 0);
    expect_match(acl, tcp("10.0.0.1", 1, "10.0.0.2", 81), false, 1);
    ck_assert(!acl_permits(acl, 0));
    ck_assert(acl_permits(acl, 1));
}
END_TEST

START_TEST(without_rules_nothing_is_filtered)
{
    static const char *const TEXTS[] = {"", "{}", "---\n", "# nothing\n", "null"};
    for (guint i = 0; i < G_N_ELEMENTS(TEXTS); i++) {
        g_autoptr(Acl) acl = acl_of(TEXTS[i]);
        ck_assert_uint_eq(acl_n_rules(acl), 0);
        expect_match(acl, icmp(8, 0), false, ACL_NO_RULES);
        ck_assert(acl_permits(acl, ACL_NO_RULES));
    }
    expect_match(NULL, icmp(8, 0), false, ACL_NO_RULES);
    ck_assert(acl_permits(NULL, ACL_NO_RULES));
}
END_TEST

START_TEST(towards_the_client_source_and_destination_change_places)
{
    g_autoptr(Acl) acl = acl_of(
        "web: {ispermit: 1, proto: 6, srcprefix: 10.0.0.0/8, dstprefix: 172.16.1.100, " ANY_SRC
        ", dstportoricmpcodefirst: 80, dstportoricmpcodelast: 80}\n");
    AclPacket request = tcp("10.0.0.1", 40000, "172.16.1.100", 80);
    AclPacket answer = tcp("172.16.1.100", 80, "10.0.0.1", 40000);
    expect_match(acl, request, false, 0);
    expect_match(acl, answer, true, 0);
    expect_match(acl, request, true, ACL_IMPLICIT_DENY);
    expect_match(acl, answer, false, ACL_IMPLICIT_DENY);
}
END_TEST

START_TEST(every_second_connection_has_the_lists_the_wrong_way_round)
{
    ck_assert(!acl_is_swapped(false, 0));
    ck_assert(acl_is_swapped(true, 0));
    ck_assert(acl_is_swapped(false, 1));
    ck_assert(!acl_is_swapped(true, 1));
    ck_assert(!acl_is_swapped(false, 2));
}
END_TEST

START_TEST(absent_ports_are_0_and_so_match_echo_replies_only)
{
    g_autoptr(Acl) acl = acl_of("icmp: {ispermit: 1, proto: 1}\n");
    expect_match(acl, icmp(0, 0), false, 0);
    expect_match(acl, icmp(8, 0), false, ACL_IMPLICIT_DENY);
}
END_TEST

START_TEST(the_swap_takes_icmps_type_for_its_code)
{
    g_autoptr(Acl) acl = acl_of("ping: {ispermit: 1, proto: 1, srcportoricmptypefirst: 8, "
                                "srcportoricmptypelast: 8}\n");
    expect_match(acl, icmp(8, 0), false, 0);
    expect_match(acl, icmp(0, 0), true, ACL_IMPLICIT_DENY); /* the answer */
    expect_match(acl, icmp(0, 8), true, 0);
}
END_TEST

START_TEST(ports_do_not_count_without_a_protocol)
{
    g_autoptr(Acl) acl = acl_of("all: {ispermit: 1}\n");
    expect_match(acl, tcp("10.0.0.1", 40000, "10.0.0.2", 80), false, 0);
    expect_match(acl, icmp(8, 0), false, 0);
    expect_match(acl, acl_case_packet(47, "10.0.0.1", 0, "10.0.0.2", 0), true, 0);
}
END_TEST

START_TEST(other_protocols_have_port_0)
{
    g_autoptr(Acl) acl = acl_of("gre: {ispermit: 1, proto: 47}\n"
                                "six: {ispermit: 1, proto: 58}\n");
    expect_match(acl, acl_case_packet(47, "10.0.0.1", 7, "10.0.0.2", 9), false, 0);
    expect_match(acl, acl_case_packet(58, "10.0.0.1", 128, "10.0.0.2", 9), false, 1);
}
END_TEST

START_TEST(prefixes_match_by_their_bits)
{
    g_autoptr(Acl) acl = acl_of("a: {ispermit: 1, srcprefix: 172.16.1.96/28}\n"
                                "b: {ispermit: 1, dstprefix: 10.1.2.3}\n");
    expect_match(acl, tcp("172.16.1.96", 1, "10.0.0.1", 1), false, 0);
    expect_match(acl, tcp("172.16.1.111", 1, "10.0.0.1", 1), false, 0);
    expect_match(acl, tcp("172.16.1.112", 1, "10.0.0.1", 1), false, ACL_IMPLICIT_DENY);
    expect_match(acl, tcp("172.16.1.112", 1, "10.1.2.3", 1), false, 1);
    expect_match(acl, tcp("172.16.1.112", 1, "10.1.2.2", 1), false, ACL_IMPLICIT_DENY);
}
END_TEST

START_TEST(a_rule_without_prefixes_is_one_for_ip4)
{
    g_autoptr(Acl) acl = acl_of("all: {ispermit: 1}\n");
    expect_match(acl, tcp("2001:db8::1", 1, "2001:db8::2", 1), false, ACL_IMPLICIT_DENY);
    g_autoptr(Acl) six =
        acl_of("lab: {ispermit: 1, srcprefix: '2001:db8::/33', dstprefix: '::/0'}");
    expect_match(six, tcp("2001:db8:7fff::1", 1, "2001:db8::2", 1), false, 0);
    expect_match(six, tcp("2001:db8:8000::1", 1, "2001:db8::2", 1), false, ACL_IMPLICIT_DENY);
    expect_match(six, tcp("::1", 1, "2001:db8::2", 1), true, 0);
    expect_match(six, tcp("10.0.0.1", 1, "10.0.0.2", 1), false, ACL_IMPLICIT_DENY);
}
END_TEST

START_TEST(with_one_prefix_of_ip6_the_other_list_matches_nothing)
{
    g_autoptr(Acl) acl = acl_of("half: {ispermit: 1, srcprefix: '2001:db8::/32'}\n");
    expect_match(acl, tcp("2001:db8::1", 1, "::1", 1), false, 0);
    expect_match(acl, tcp("::1", 1, "2001:db8::1", 1), true, ACL_IMPLICIT_DENY);
    expect_match(acl, tcp("10.0.0.1", 1, "10.0.0.2", 1), true, ACL_IMPLICIT_DENY);
}
END_TEST

START_TEST(flags_are_compared_under_their_mask)
{
    g_autoptr(Acl) acl = acl_of("syn: {ispermit: 1, proto: 6, " ANY_SRC ", " ANY_DST
                                ", tcpflagsmask: 0x12, tcpflagsvalue: 0x02}\n");
    AclPacket packet = tcp("10.0.0.1", 40000, "10.0.0.2", 80);
    packet.tcp_flags = 0x02 | 0x08;
    expect_match(acl, packet, false, 0);
    packet.tcp_flags = 0x12;
    expect_match(acl, packet, false, ACL_IMPLICIT_DENY);
}
END_TEST

START_TEST(a_flow_that_a_reflecting_rule_lets_through_passes_both_ways)
{
    g_autoptr(Acl) acl = acl_of(
        "ping: {ispermit: 2, proto: 1, srcportoricmptypefirst: 8, srcportoricmptypelast: 8}\n"
        "syn: {ispermit: 2, proto: 6, " ANY_SRC ", dstportoricmpcodefirst: 80, "
        "dstportoricmpcodelast: 80, tcpflagsmask: 0x12, tcpflagsvalue: 2}\n");
    AclPacket request = tcp("10.0.0.1", 40000, "10.0.0.2", 80);
    AclPacket answer = tcp("10.0.0.2", 80, "10.0.0.1", 40000);
    expect_match(acl, icmp(8, 0), false, 0);
    expect_match(acl, icmp(0, 0), true, 0);
    expect_match(acl, icmp(3, 0), true, ACL_IMPLICIT_DENY);
    request.tcp_flags = answer.tcp_flags = 0x10;
    expect_match(acl, request, false, 1);
    expect_match(acl, answer, true, 1);
    expect_match(acl, tcp("10.0.0.2", 81, "10.0.0.1", 40000), true, ACL_IMPLICIT_DENY);
    ck_assert(acl_permits(acl, 1));
}
END_TEST

/* ------ printing ------ */

START_TEST(rules_are_printed_in_one_line)
{
    static const char *const EXPECTED[] = {
        "permit icmp any -> any type any code any",
        "permit tcp any:any -> any:80",
        "permit+reflect udp 10.0.0.0/8:0 -> 10.0.0.1:53-54",
        "deny ip any -> any",
        "permit tcp [2001:db8::/32]:any -> [::/0]:80 flags 0x02/0x12",
        "deny icmp6 ::1 -> ::/0 type 128 code 0",
        "deny proto 47 any -> any",
    };
    g_autoptr(Acl) acl = acl_of(
        "icmp: {ispermit: 1, proto: 1, " ANY_SRC ", " ANY_DST "}\n"
        "http: " TCP(
            "1", "80") "dns: {ispermit: 2, proto: 17, srcprefix: 10.0.0.0/8, dstprefix: 10.0.0.1, "
                       "dstportoricmpcodefirst: 53, dstportoricmpcodelast: 54}\n"
                       "rest: {}\n"
                       "six: {ispermit: 1, proto: 6, srcprefix: '2001:db8::/32', dstprefix: "
                       "'::/0', " ANY_SRC
                       ", dstportoricmpcodefirst: 80, dstportoricmpcodelast: 80, tcpflagsmask: 18, "
                       "tcpflagsvalue: 2}\n"
                       "ping6: {proto: 58, srcprefix: '::1', dstprefix: '::/0', "
                       "srcportoricmptypefirst: 128, "
                       "srcportoricmptypelast: 128}\n"
                       "gre: {proto: 47}\n");
    ck_assert_uint_eq(acl_n_rules(acl), G_N_ELEMENTS(EXPECTED));
    for (guint i = 0; i < G_N_ELEMENTS(EXPECTED); i++) {
        g_autofree char *text = acl_format_rule(acl, i);
        ck_assert_str_eq(text, EXPECTED[i]);
    }
}
END_TEST

/* ------ refusals ------ */

START_TEST(what_is_no_mapping_is_refused)
{
    expect_refused("- a\n", VWIRE_ERROR_PARSE, "acl.yaml:1:1: ");
    expect_refused("text\n", VWIRE_ERROR_PARSE, "acl.yaml:1:1: ");
    expect_refused("a: {}\nb: 1\n", VWIRE_ERROR_PARSE, "acl.yaml:2:4: ");
    expect_refused("a:\n", VWIRE_ERROR_PARSE, "rule \"a\"");
    expect_refused("a: {\n", VWIRE_ERROR_PARSE, "acl.yaml:");
    expect_refused("a: {}\na: {}\n", VWIRE_ERROR_PARSE, "acl.yaml:2:1: ");
    expect_refused("a: {}\n---\nb: {}\n", VWIRE_ERROR_INVALID, "acl.yaml:3:1: found a second");
}
END_TEST

START_TEST(an_unknown_key_is_refused_with_the_near_one)
{
    expect_refused("web:\n  isPermit: 1\n", VWIRE_ERROR_PARSE, "acl.yaml:2:3: ");
    expect_refused("web:\n  isPermit: 1\n", VWIRE_ERROR_PARSE, "did you mean \"ispermit\"?");
    expect_refused("web: {dstport: 80}\n", VWIRE_ERROR_PARSE, "rule \"web\"");
}
END_TEST

START_TEST(numbers_out_of_their_range_are_refused)
{
    static const char *const FIELDS[][2] = {
        {"ispermit: 3", "from 0 to 2"},
        {"ispermit: true", "from 0 to 2"},
        {"ispermit: -1", "from 0 to 2"},
        {"proto: 256", "from 0 to 255"},
        {"proto: tcp", "from 0 to 255"},
        {"srcportoricmptypefirst: 65536", "from 0 to 65535"},
        {"srcportoricmptypelast: 65536", "from 0 to 65535"},
        {"dstportoricmpcodefirst: '80'", "from 0 to 65535"},
        {"dstportoricmpcodelast: 70000", "from 0 to 65535"},
        {"tcpflagsmask: 256", "from 0 to 255"},
        {"tcpflagsvalue: 1.5", "from 0 to 255"},
    };
    for (guint i = 0; i < G_N_ELEMENTS(FIELDS); i++) {
        g_autofree char *text = g_strdup_printf("a:\n  %s\n", FIELDS[i][0]);
        expect_refused(text, VWIRE_ERROR_PARSE, FIELDS[i][1]);
        expect_refused(text, VWIRE_ERROR_PARSE, "acl.yaml:2:");
    }
}
END_TEST

START_TEST(a_first_port_behind_the_last_is_refused)
{
    expect_refused("a:\n  srcportoricmptypefirst: 9\n  srcportoricmptypelast: 8\n",
                   VWIRE_ERROR_INVALID, "acl.yaml:3:26: found srcportoricmptypefirst 9 and ");
    expect_refused("a:\n  dstportoricmpcodefirst: 80\n", VWIRE_ERROR_INVALID,
                   "acl.yaml:2:27: found dstportoricmpcodefirst 80 and dstportoricmpcodelast 0 (it "
                   "is absent)");
}
END_TEST

START_TEST(wrong_prefixes_are_refused)
{
    static const char *const PREFIXES[] = {
        "10.0.0.0/33",
        "10.0.0/8",
        "10.0.0.0/",
        "10.0.0.0/-1",
        "10.0.0.0/8/8",
        "host",
        "",
        "1",
        "2001:db8::/129",
        "2001:db8:::",
        "any",
        "10.0.0.0/ 8",
        "010.0.0.0/8",
        "::ffff:1.2.3.4/96",
    };
    for (guint i = 0; i < G_N_ELEMENTS(PREFIXES); i++) {
        g_autofree char *text = g_strdup_printf("a: {srcprefix: \"%s\"}\n", PREFIXES[i]);
        expect_refused(text, VWIRE_ERROR_PARSE, "acl.yaml:1:16: srcprefix: found");
    }
    expect_refused("a: {dstprefix: [1]}", VWIRE_ERROR_PARSE, "dstprefix");
    expect_refused("a: {dstprefix: 10.0.0.1/8}", VWIRE_ERROR_INVALID, "behind the first 8");
    expect_refused("a: {dstprefix: '2001:db8::/28'}", VWIRE_ERROR_INVALID, "behind the first 28");
    expect_refused("a: {srcprefix: 10.0.0.0/8, dstprefix: '::/0'}", VWIRE_ERROR_INVALID,
                   "acl.yaml:1:39: found prefixes of IPv4 and IPv6");
}
END_TEST

START_TEST(more_rules_than_anyone_writes_are_refused)
{
    g_autoptr(GString) text = g_string_new(NULL);
    for (int i = 0; i <= 10000; i++) {
        g_string_append_printf(text, "r%d: {}\n", i);
    }
    expect_refused(text->str, VWIRE_ERROR_INVALID, "10001 rules");
}
END_TEST

/* ------ rules that disagree ------ */

static GPtrArray *
warnings_of(const char *text)
{
    g_autoptr(Acl) acl = acl_of(text);
    GPtrArray *warnings = g_ptr_array_new_with_free_func(g_free);
    acl_warn(acl, warnings);
    return warnings;
}

static void
expect_warnings(const char *text, guint n)
{
    g_autoptr(GPtrArray) warnings = warnings_of(text);
    ck_assert_msg(warnings->len == n, "%u warnings of %s", warnings->len, text);
}

START_TEST(rules_that_overlap_and_disagree_are_named)
{
    g_autoptr(GPtrArray) warnings =
        warnings_of("http: " TCP("1", "80") "no tcp: {proto: 6, " ANY_SRC ", " ANY_DST "}\n");
    ck_assert_uint_eq(warnings->len, 1);
    const char *line = warnings->pdata[0];
    ck_assert_msg(g_str_has_prefix(line, "acl.yaml:2:1: rules \"http\" (permit tcp any:any -> "
                                         "any:80) and \"no tcp\" (deny tcp any:any -> any:any) "),
                  "%s", line);
}
END_TEST

START_TEST(rules_that_agree_or_do_not_overlap_are_not_named)
{
    expect_warnings(TESTBED, 0);
    expect_warnings("a: " TCP("1", "80") "b: " TCP("0", "81"), 0);
    expect_warnings("a: " TCP("1", "80") "b: " TCP("2", "80"), 0);
    expect_warnings("a: {ispermit: 1, proto: 6}\nb: {proto: 17}\n", 0);
    expect_warnings("a: {ispermit: 1, srcprefix: 10.0.0.0/8}\nb: {srcprefix: 11.0.0.0/8}\n", 0);
    expect_warnings("a: {ispermit: 1, dstprefix: 10.0.0.0/8}\nb: {dstprefix: 11.0.0.0/8}\n", 0);
    expect_warnings("a: {ispermit: 1, srcprefix: '::/0', dstprefix: '::/0'}\nb: {}\n", 0);
    expect_warnings("a: {ispermit: 1, proto: 6, tcpflagsmask: 2, tcpflagsvalue: 2}\n"
                    "b: {proto: 6, tcpflagsmask: 2}\n",
                    0);
}
END_TEST

START_TEST(rules_overlap_by_prefix_and_protocol)
{
    expect_warnings("a: {ispermit: 1, srcprefix: 10.0.0.0/8}\nb: {srcprefix: 10.1.0.0/16}\n", 1);
    expect_warnings("a: {ispermit: 1, srcprefix: 10.0.0.0/8}\nb: {dstprefix: 11.0.0.0/8}\n", 1);
    expect_warnings("a: {ispermit: 1, proto: 17, " ANY_DST "}\nb: {}\n", 1);
    expect_warnings("a: {ispermit: 1, proto: 6, tcpflagsmask: 2, tcpflagsvalue: 2}\n"
                    "b: {proto: 6, tcpflagsmask: 4}\n",
                    1);
}
END_TEST

START_TEST(of_many_pairs_the_first_are_named)
{
    g_autoptr(GString) text = g_string_new("none: {}\n");
    for (int i = 0; i < 15; i++) {
        g_string_append_printf(text, "r%d: {ispermit: 1}\n", i);
    }
    g_autoptr(GPtrArray) warnings = warnings_of(text->str);
    ck_assert_uint_eq(warnings->len, 11);
    ck_assert_str_eq(warnings->pdata[10],
                     "acl.yaml:1:1: 5 more pairs of rules overlap and disagree");
}
END_TEST

START_TEST(rules_that_never_match_are_named)
{
    g_autoptr(GPtrArray) warnings = warnings_of("a: {proto: 6, tcpflagsvalue: 2}\n"
                                                "b: {ispermit: 1, srcprefix: '::1'}\n");
    ck_assert_uint_eq(warnings->len, 2);
    ck_assert(g_str_has_prefix(warnings->pdata[0], "acl.yaml:1:1: rule \"a\" never matches"));
    ck_assert(g_str_has_prefix(warnings->pdata[1], "acl.yaml:2:1: rule \"b\" matches IPv6 one"));
}
END_TEST

/* ------ from the container to the rules ------ */

#define SCENARIO                                                                                   \
    "apiVersion: vwire/v1alpha1\n"                                                                 \
    "kind: Scenario\n"                                                                             \
    "metadata: {name: small}\n"                                                                    \
    "spec:\n"                                                                                      \
    "  duration: 1m\n"                                                                             \
    "  calibration: calibration.yaml\n"                                                            \
    "  cluster: {nodes: [{name: one, allocatable: {cpu: 4, memory: 8Gi}}]}\n"                      \
    "  manifests: [{path: pods}]\n"
#define FIREWALL(image, container, volume)                                                         \
    "apiVersion: apps/v1\n"                                                                        \
    "kind: Deployment\n"                                                                           \
    "metadata: {name: fw, namespace: ns-a}\n"                                                      \
    "spec:\n"                                                                                      \
    "  selector: {matchLabels: {app: fw}}\n"                                                       \
    "  template:\n"                                                                                \
    "    metadata: {labels: {app: fw}}\n"                                                          \
    "    spec:\n"                                                                                  \
    "      containers:\n"                                                                          \
    "      - name: nse\n"                                                                          \
    "        image: ghcr.io/networkservicemesh/" image "\n" container                              \
    "      volumes: [{name: acl, " volume "}]\n"
#define MOUNT(path) "        volumeMounts: [{name: acl, mountPath: " path "}]\n"
#define OLD_IMAGE "cmd-nse-firewall-vpp:v1.4.0"
#define OLD_PATH "/etc/vppagent-firewall/config.yaml"
#define OLD_MOUNT MOUNT(OLD_PATH ", subPath: config.yaml")
#define MAP "configMap: {name: rules}"
#define RULES                                                                                      \
    "---\n"                                                                                        \
    "apiVersion: v1\n"                                                                             \
    "kind: ConfigMap\n"                                                                            \
    "metadata: {name: rules, namespace: ns-a}\n"                                                   \
    "data:\n"                                                                                      \
    "  config.yaml: |\n"                                                                           \
    "    http: " TCP("1", "80")

static Scenario *
try_load(const char *manifest, GError **error)
{
    g_autofree char *path = scratch_path("s.yaml");
    scratch_write_calibration("calibration.yaml", "");
    scratch_write("s.yaml", SCENARIO);
    scratch_write("pods/kustomization.yaml", "resources: [pods.yaml]\n");
    scratch_write("pods/pods.yaml", manifest);
    return scenario_load(path, NULL, error);
}

static Scenario *
load(const char *manifest)
{
    g_autoptr(GError) error = NULL;
    Scenario *scenario = try_load(manifest, &error);
    ck_assert_msg(scenario != NULL, "%s", error != NULL ? error->message : "");
    return scenario;
}

/* The firewall has one rule for port 80, and nothing is warned of. */
static void
expect_rules(const char *manifest)
{
    g_autoptr(Scenario) scenario = load(manifest);
    ck_assert_msg(scenario->warnings->len == 0, "%s", (char *)scenario->warnings->pdata[0]);
    ck_assert_uint_eq(scenario->n_acls, 1);
    const Acl *acl = scenario->acls[0].acl;
    ck_assert_uint_eq(acl_n_rules(acl), 1);
    ck_assert_str_eq(acl_rule_name(acl, 0), "http");
}

/* It has none, and `warning` (NULL: nothing) is said. */
static void
expect_none(const char *manifest, const char *warning)
{
    g_autoptr(Scenario) scenario = load(manifest);
    ck_assert_uint_eq(scenario->n_acls, 0);
    ck_assert_ptr_null(scenario_acl_of_pod(scenario, "ns-a/fw"));
    ck_assert_uint_eq(scenario->warnings->len, warning != NULL ? 1 : 0);
    if (warning != NULL) {
        const char *line = scenario->warnings->pdata[0];
        ck_assert_msg(strstr(line, "pods.yaml:10:9: the firewall ns-a/fw filters nothing: ") &&
                          strstr(line, warning),
                      "%s", line);
    }
}

START_TEST(the_rules_are_found_by_volume_and_config_map)
{
    expect_rules(FIREWALL(OLD_IMAGE, OLD_MOUNT, MAP) RULES);
    expect_rules(FIREWALL(OLD_IMAGE, MOUNT("/etc/vppagent-firewall"), MAP) RULES);
    expect_rules(FIREWALL(OLD_IMAGE, MOUNT("/etc/vppagent-firewall/"), MAP) RULES);
    expect_rules(FIREWALL("cmd-nse-firewall-vpp:v1.14.0",
                          MOUNT("/etc/firewall/config.yaml, subPath: config.yaml"), MAP) RULES);
    expect_rules(FIREWALL("cmd-nse-firewall-vpp", MOUNT("/etc/firewall"), MAP) RULES);
}
END_TEST

START_TEST(the_path_in_the_environment_counts)
{
    expect_rules(FIREWALL(
        OLD_IMAGE, "        env: [{name: NSM_ACL_CONFIG_PATH, value: /a/b.yaml}]\n" MOUNT("/a"),
        "configMap: {name: rules, items: [{key: config.yaml, path: b.yaml}]}") RULES);
    expect_none(FIREWALL(OLD_IMAGE,
                         "        env: [{name: NSM_ACL_CONFIG_PATH, value: /b.yaml}]\n" MOUNT("/a"),
                         MAP) RULES,
                NULL);
    expect_none(
        FIREWALL(OLD_IMAGE,
                 "        env: [{name: NSM_ACL_CONFIG_PATH, valueFrom: {fieldRef: {fieldPath: "
                 "metadata.name}}}]\n" OLD_MOUNT,
                 MAP) RULES,
        "NSM_ACL_CONFIG_PATH is no plain value");
}
END_TEST

START_TEST(the_data_plane_finds_the_rules_by_the_pods_name)
{
    g_autoptr(Scenario) scenario = load(FIREWALL(OLD_IMAGE, OLD_MOUNT, MAP) RULES);
    const Object *object = scenario->acls[0].object;
    g_autoptr(GPtrArray) keys = object_pod_keys(object);
    ck_assert_uint_eq(keys->len, 1);
    const Acl *acl = scenario_acl_of_pod(scenario, keys->pdata[0]);
    ck_assert_ptr_nonnull(acl);
    ck_assert_ptr_eq(acl, scenario_acl(scenario, object));
    ck_assert_ptr_null(scenario_acl_of_pod(scenario, "ns-b/fw"));
    ck_assert_ptr_null(scenario_acl(scenario, NULL));
}
END_TEST

START_TEST(other_images_have_no_rules)
{
    expect_none(FIREWALL("cmd-nse-icmp-responder-vpp:v1.4.0", OLD_MOUNT, MAP) RULES, NULL);
}
END_TEST

START_TEST(without_a_file_nothing_is_filtered)
{
    expect_none(FIREWALL(OLD_IMAGE, "", MAP) RULES, NULL);
    expect_none(FIREWALL(OLD_IMAGE, OLD_MOUNT, MAP), NULL);
    expect_none(FIREWALL(OLD_IMAGE, OLD_MOUNT, "configMap: {name: rules, optional: true}"), NULL);
    expect_none(FIREWALL(OLD_IMAGE, OLD_MOUNT, MAP) "---\napiVersion: v1\nkind: ConfigMap\n"
                                                    "metadata: {name: rules, namespace: ns-b}\n",
                NULL);
    expect_none(FIREWALL(OLD_IMAGE, OLD_MOUNT, MAP) "---\napiVersion: v1\nkind: ConfigMap\n"
                                                    "metadata: {name: rules, namespace: ns-a}\n"
                                                    "data: {config.yaml: '{}'}\n",
                NULL);
}
END_TEST

START_TEST(a_file_that_is_not_where_it_seems_is_warned_of)
{
    expect_none(FIREWALL(OLD_IMAGE, MOUNT(OLD_PATH ", subPath: acl.yaml"), MAP) RULES,
                OLD_PATH " would be \"acl.yaml\" of ConfigMap ns-a/rules, which has no such file");
    expect_none(FIREWALL(OLD_IMAGE, OLD_MOUNT,
                         "configMap: {name: rules, items: [{key: config.yaml, path: other}]}")
                    RULES,
                "\"config.yaml\" of ConfigMap ns-a/rules");
    expect_none(FIREWALL(OLD_IMAGE, OLD_MOUNT, "secret: {secretName: rules}") RULES,
                "comes from volume acl, of which only ConfigMaps are read here");
    expect_none(FIREWALL("cmd-nse-firewall-vpp:v1.14.0", OLD_MOUNT, MAP) RULES,
                "it has a mount for " OLD_PATH ", but ghcr.io/networkservicemesh/"
                "cmd-nse-firewall-vpp:v1.14.0 reads /etc/firewall/config.yaml");
}
END_TEST

START_TEST(an_error_points_into_the_config_map)
{
    g_autoptr(GError) error = NULL;
    ck_assert_ptr_null(try_load(FIREWALL(OLD_IMAGE, OLD_MOUNT, MAP) RULES
                                "    icmp:\n      ispermit: 1\n      proto: 999\n",
                                &error));
    check_error(&error, VWIRE_ERROR_PARSE, "/pods.yaml:23:14: found ");
    ck_assert_ptr_null(try_load(FIREWALL(OLD_IMAGE, OLD_MOUNT, MAP) RULES
                                "    icmp:\n      ispermit: 1\n      proto: 999\n",
                                &error));
    check_error(&error, VWIRE_ERROR_PARSE, "(config.yaml of ConfigMap ns-a/rules)");
}
END_TEST

START_TEST(an_error_points_into_the_file_of_a_generated_config_map)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = scratch_path("s.yaml");
    g_autoptr(Scenario) scenario = load(FIREWALL(OLD_IMAGE, OLD_MOUNT, MAP));
    scratch_write("pods/kustomization.yaml",
                  "namespace: ns-a\nresources: [pods.yaml]\nconfigMapGenerator:\n- name: rules\n"
                  "  files: [config.yaml=acl.yaml]\n");
    scratch_write("pods/acl.yaml", "# rules\nhttp: " TCP("1", "80") "no: {}\n");
    g_autoptr(Scenario) again = scenario_load(path, NULL, &error);
    ck_assert_msg(again != NULL, "%s", error != NULL ? error->message : "");
    ck_assert_uint_eq(again->n_acls, 1);
    ck_assert_uint_eq(again->warnings->len, 1);
    ck_assert_ptr_nonnull(strstr(again->warnings->pdata[0], "/acl.yaml:3:1: rules \"http\""));
    scratch_write("pods/acl.yaml", "# rules\nhttp:\n  ispermits: 1\n");
    ck_assert_ptr_null(scenario_load(path, NULL, &error));
    check_error(&error, VWIRE_ERROR_PARSE, "/acl.yaml:3:3: ");
}
END_TEST

START_TEST(firewalls_that_share_rules_are_warned_of_once)
{
    g_autofree char *two = g_strconcat(FIREWALL(OLD_IMAGE, OLD_MOUNT, MAP), "---\n", NULL);
    g_auto(GStrv) parts = g_strsplit(two, "name: fw,", -1);
    g_autofree char *second = g_strjoinv("name: fw2,", parts);
    g_autofree char *all = g_strconcat(two, second, RULES + strlen("---\n"), "    no: {}\n", NULL);
    g_autoptr(Scenario) scenario = load(all);
    ck_assert_uint_eq(scenario->n_acls, 2);
    ck_assert_uint_eq(scenario->warnings->len, 1);
}
END_TEST

/* ------ found by fuzzing ------ */

START_TEST(the_fuzzers_corpus_is_read_or_refused)
{
    static const char CORPUS[] = "tests/fuzz/corpus/acl";
    g_autoptr(GDir) dir = g_dir_open(CORPUS, 0, NULL);
    ck_assert_ptr_nonnull(dir);
    const char *name = NULL;
    while ((name = g_dir_read_name(dir)) != NULL) {
        g_autofree char *path = g_build_filename(CORPUS, name, NULL);
        g_autofree char *text = NULL;
        gsize length = 0;
        ck_assert(g_file_get_contents(path, &text, &length, NULL));
        acl_case_check(text, length);
    }
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {
        the_testbeds_rules_let_http_and_echoes_through,
        what_no_rule_matches_is_dropped,
        the_first_rule_that_matches_decides,
        without_rules_nothing_is_filtered,
        towards_the_client_source_and_destination_change_places,
        every_second_connection_has_the_lists_the_wrong_way_round,
        absent_ports_are_0_and_so_match_echo_replies_only,
        the_swap_takes_icmps_type_for_its_code,
        ports_do_not_count_without_a_protocol,
        other_protocols_have_port_0,
        prefixes_match_by_their_bits,
        a_rule_without_prefixes_is_one_for_ip4,
        with_one_prefix_of_ip6_the_other_list_matches_nothing,
        flags_are_compared_under_their_mask,
        a_flow_that_a_reflecting_rule_lets_through_passes_both_ways,
        rules_are_printed_in_one_line,
        what_is_no_mapping_is_refused,
        an_unknown_key_is_refused_with_the_near_one,
        numbers_out_of_their_range_are_refused,
        a_first_port_behind_the_last_is_refused,
        wrong_prefixes_are_refused,
        more_rules_than_anyone_writes_are_refused,
        rules_that_overlap_and_disagree_are_named,
        rules_that_agree_or_do_not_overlap_are_not_named,
        rules_overlap_by_prefix_and_protocol,
        of_many_pairs_the_first_are_named,
        rules_that_never_match_are_named,
        the_rules_are_found_by_volume_and_config_map,
        the_path_in_the_environment_counts,
        the_data_plane_finds_the_rules_by_the_pods_name,
        other_images_have_no_rules,
        without_a_file_nothing_is_filtered,
        a_file_that_is_not_where_it_seems_is_warned_of,
        an_error_points_into_the_config_map,
        an_error_points_into_the_file_of_a_generated_config_map,
        firewalls_that_share_rules_are_warned_of_once,
        the_fuzzers_corpus_is_read_or_refused,
    };
    return scratch_run("acl", tests, G_N_ELEMENTS(tests));
}
