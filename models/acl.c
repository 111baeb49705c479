/* Reading, matching and printing ACLs.
 *
 * Sources: cmd-nse-firewall-vpp main.go (the file), networkservicemesh/sdk-vpp
 * pkg/networkservice/acl (what becomes of the rules), networkservicemesh/govpp binapi/acl_types and
 * binapi/ip_types (fields, prefixes), FDio/vpp src/plugins/acl (matching). */
#include "models/acl.h"

#include <arpa/inet.h>
#include <string.h>

/* More is no file for people; comparing all pairs of rules takes its time. */
#define MAX_RULES 10000
#define MAX_PAIRS_NAMED 10

/* acl_types.ACLAction */
typedef enum Action { ACTION_DENY, ACTION_PERMIT, ACTION_REFLECT } Action;

typedef struct Prefix {
    AclAddress address;
    int length; /* bits; 0: every address */
} Prefix;

typedef struct Range {
    int64_t first, last;
} Range;

/* The half of a rule that is different in the two lists. */
typedef struct View {
    Prefix src, dst;
    Range src_ports, dst_ports; /* ICMP: types, codes */
} View;

typedef struct Rule {
    char *name;
    TreeMark mark; /* of its name */
    Action action;
    int64_t proto;
    int64_t tcp_mask, tcp_value;
    View views[2]; /* as written, swapped */
} Rule;

struct Acl {
    Rule *rules;
    guint n_rules;
    bool reflects; /* some rule is permit+reflect */
};

/* ------ addresses ------ */

bool
acl_address_parse(const char *text, AclAddress *out)
{
    static const uint8_t MAPPED[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}; /* ::ffff:0:0/96 */
    AclAddress address = {.is_ip6 = strchr(text, ':') != NULL};
    if (inet_pton(address.is_ip6 ? AF_INET6 : AF_INET, text, address.bytes) != 1 ||
        (address.is_ip6 && memcmp(address.bytes, MAPPED, sizeof(MAPPED)) == 0)) {
        return false;
    }
    *out = address;
    return true;
}

static int
address_bits(const AclAddress *address)
{
    return address->is_ip6 ? 128 : 32;
}

static bool
same_bits(const AclAddress *a, const AclAddress *b, int n)
{
    int whole = n / 8, rest = n % 8;
    return memcmp(a->bytes, b->bytes, (size_t)whole) == 0 &&
           (rest == 0 || (a->bytes[whole] ^ b->bytes[whole]) >> (8 - rest) == 0);
}

static bool
has_bits_behind(const Prefix *prefix)
{
    int whole = prefix->length / 8, rest = prefix->length % 8;
    for (int i = whole; i < (int)sizeof(prefix->address.bytes); i++) {
        if ((uint8_t)(prefix->address.bytes[i] << (i == whole ? rest : 0)) != 0) {
            return true;
        }
    }
    return false;
}

/* ------ reading ------ */

/* ip_types.ParsePrefix; an address alone is a prefix of all its bits. */
static bool
parse_prefix(const char *text, Prefix *out)
{
    const char *slash = strchr(text, '/');
    g_autofree char *address = slash != NULL ? g_strndup(text, (gsize)(slash - text)) : NULL;
    Prefix prefix = {0};
    if (!acl_address_parse(address != NULL ? address : text, &prefix.address)) {
        return false;
    }
    guint64 bits = (guint64)address_bits(&prefix.address);
    if (slash != NULL && !g_ascii_string_to_unsigned(slash + 1, 10, 0, bits, &bits, NULL)) {
        return false;
    }
    prefix.length = (int)bits;
    *out = prefix;
    return true;
}

/* Text, as Prefix has UnmarshalText; yaml.v2 gives it the text of any scalar. */
static bool
read_prefix(const TreeNode *rule, const char *key, Prefix *out, GError **error)
{
    const TreeNode *node = tree_get(rule, key);
    if (tree_is_null(node)) {
        return true;
    }
    Prefix prefix = {0};
    if (!tree_expect(node, TREE_SCALAR, key, error)) {
        return false;
    }
    if (!parse_prefix(node->text, &prefix)) {
        return tree_error(error, node, VWIRE_ERROR_PARSE,
                          "%s: found \"%s\"; expected a prefix such as 10.0.0.0/8 or 2001:db8::/32",
                          key, node->text);
    }
    /* src/plugins/acl/acl.c acl_api_invalid_prefix, src/vnet/ip/ip_types.c ip_prefix_validate */
    if (has_bits_behind(&prefix)) {
        return tree_error(error, node, VWIRE_ERROR_INVALID,
                          "%s: found \"%s\"; expected no bits behind the first %d, as VPP refuses "
                          "the rule",
                          key, node->text, prefix.length);
    }
    *out = prefix;
    return true;
}

static bool
read_number(const TreeNode *rule, const char *key, int64_t max, int64_t *out, GError **error)
{
    const TreeNode *node = tree_get(rule, key);
    return tree_is_null(node) || tree_read_int(node, 0, max, out, error);
}

/* src/plugins/acl/acl.c acl_add_list: VNET_API_ERROR_INVALID_VALUE_2 when first > last. */
static bool
read_range(const TreeNode *rule, const char *first, const char *last, Range *out, GError **error)
{
    if (!read_number(rule, first, UINT16_MAX, &out->first, error) ||
        !read_number(rule, last, UINT16_MAX, &out->last, error)) {
        return false;
    }
    if (out->first > out->last) {
        const TreeNode *at = tree_get(rule, last);
        return tree_error(error, at != NULL ? at : tree_get(rule, first), VWIRE_ERROR_INVALID,
                          "found %s %d and %s %d%s; expected a last that is not before the first, "
                          "as VPP refuses the rule",
                          first, (int)out->first, last, (int)out->last,
                          at != NULL ? "" : " (it is absent)");
    }
    return true;
}

static bool
read_view(const TreeNode *rule, View *out, GError **error)
{
    if (!read_prefix(rule, "srcprefix", &out->src, error) ||
        !read_prefix(rule, "dstprefix", &out->dst, error) ||
        !read_range(rule, "srcportoricmptypefirst", "srcportoricmptypelast", &out->src_ports,
                    error) ||
        !read_range(rule, "dstportoricmpcodefirst", "dstportoricmpcodelast", &out->dst_ports,
                    error)) {
        return false;
    }
    bool both =
        !tree_is_null(tree_get(rule, "srcprefix")) && !tree_is_null(tree_get(rule, "dstprefix"));
    if (both && out->src.address.is_ip6 != out->dst.address.is_ip6) {
        return tree_error(error, tree_get(rule, "dstprefix"), VWIRE_ERROR_INVALID,
                          "found prefixes of IPv4 and IPv6 in one rule; expected one family");
    }
    return true;
}

/* pkg/networkservice/acl/common.go aclAdd: prefixes, firsts and lasts change places. */
static View
swap_view(const View *view)
{
    return (View){.src = view->dst,
                  .dst = view->src,
                  .src_ports = view->dst_ports,
                  .dst_ports = view->src_ports};
}

static bool
read_rule(const TreeNode *node, Rule *out, GError **error)
{
    static const char *const KEYS[] = {"ispermit",
                                       "srcprefix",
                                       "dstprefix",
                                       "proto",
                                       "srcportoricmptypefirst",
                                       "srcportoricmptypelast",
                                       "dstportoricmpcodefirst",
                                       "dstportoricmpcodelast",
                                       "tcpflagsmask",
                                       "tcpflagsvalue",
                                       NULL};
    int64_t action = ACTION_DENY;
    g_autofree char *what = g_strdup_printf("rule \"%s\"", out->name);
    if (!tree_expect(node, TREE_MAPPING, what, error) ||
        !tree_check_keys(node, KEYS, what, error) ||
        !read_number(node, "ispermit", ACTION_REFLECT, &action, error) ||
        !read_number(node, "proto", UINT8_MAX, &out->proto, error) ||
        !read_number(node, "tcpflagsmask", UINT8_MAX, &out->tcp_mask, error) ||
        !read_number(node, "tcpflagsvalue", UINT8_MAX, &out->tcp_value, error) ||
        !read_view(node, &out->views[0], error)) {
        return false;
    }
    out->action = (Action)action;
    out->views[1] = swap_view(&out->views[0]);
    return true;
}

static Acl *
from_root(const TreeNode *rules, GError **error)
{
    g_autoptr(Acl) acl = g_new0(Acl, 1);
    if (tree_is_null(rules)) {
        return g_steal_pointer(&acl);
    }
    if (!tree_expect(rules, TREE_MAPPING, "the ACL", error)) {
        return NULL;
    }
    if (tree_size(rules) > MAX_RULES) {
        tree_error(error, rules, VWIRE_ERROR_INVALID, "found %u rules; expected at most %d",
                   tree_size(rules), MAX_RULES);
        return NULL;
    }
    acl->rules = g_new0(Rule, tree_size(rules));
    for (guint i = 0; i < tree_size(rules); i++) {
        const TreeNode *node = tree_item(rules, i);
        Rule *rule = &acl->rules[acl->n_rules++];
        rule->name = g_strdup(tree_key(rules, i));
        rule->mark = node->key_mark;
        rule->mark.file = rule->mark.file != NULL ? g_ref_string_acquire(rule->mark.file) : NULL;
        if (!read_rule(node, rule, error)) {
            return NULL;
        }
        acl->reflects = acl->reflects || rule->action == ACTION_REFLECT;
    }
    return g_steal_pointer(&acl);
}

Acl *
acl_from_roots(const GPtrArray *roots, GError **error)
{
    if (roots->len > 1) {
        tree_error(error, roots->pdata[1], VWIRE_ERROR_INVALID,
                   "found a second document; expected one, as the firewall reads the first only");
        return NULL;
    }
    return from_root(roots->len > 0 ? roots->pdata[0] : NULL, error);
}

Acl *
acl_parse(const char *text, size_t length, const char *file, GError **error)
{
    g_autoptr(GPtrArray) roots = tree_parse_text(text, length, file, error);
    return roots != NULL ? acl_from_roots(roots, error) : NULL;
}

void
acl_free(Acl *acl)
{
    if (acl == NULL) {
        return;
    }
    for (guint i = 0; i < acl->n_rules; i++) {
        g_free(acl->rules[i].name);
        g_clear_pointer(&acl->rules[i].mark.file, g_ref_string_release);
    }
    g_free(acl->rules);
    g_free(acl);
}

/* ------ matching ------ */

/* src/plugins/acl/acl.c acl_add_list: is_ipv6 is the family of the source prefix. */
static bool
view_is_ip6(const View *view)
{
    return view->src.address.is_ip6;
}

/* The address of a packet of the rule's family.  A prefix of another family matches nothing but
 * when it is that of an absent one, which is 0.0.0.0/0. */
static bool
prefix_has(const Prefix *prefix, const AclAddress *address)
{
    return prefix->length == 0 || (prefix->address.is_ip6 == address->is_ip6 &&
                                   same_bits(&prefix->address, address, prefix->length));
}

static bool
range_has(const Range *range, int64_t port)
{
    return range->first <= port && port <= range->last;
}

static bool
is_icmp(const AclPacket *packet)
{
    return packet->proto == (packet->src.is_ip6 ? ACL_PROTO_ICMP6 : ACL_PROTO_ICMP);
}

static bool
has_ports(const AclPacket *packet)
{
    return packet->proto == ACL_PROTO_TCP || packet->proto == ACL_PROTO_UDP || is_icmp(packet);
}

/* src/plugins/acl/public_inlines.h single_acl_match_5tuple: ports and flags count only in a rule
 * with a protocol; ports of other protocols than TCP, UDP and ICMP are 0
 * (acl_fill_5tuple_l4_and_pkt_data). */
static bool
rule_matches(const Rule *rule, const AclPacket *packet, bool swapped, bool any_flags)
{
    const View *view = &rule->views[swapped];
    if (view_is_ip6(view) != packet->src.is_ip6 || !prefix_has(&view->dst, &packet->dst) ||
        !prefix_has(&view->src, &packet->src)) {
        return false;
    }
    if (rule->proto == 0) {
        return true;
    }
    bool ports = has_ports(packet);
    return packet->proto == rule->proto &&
           range_has(&view->src_ports, ports ? packet->src_port : 0) &&
           range_has(&view->dst_ports, ports ? packet->dst_port : 0) &&
           (packet->proto != ACL_PROTO_TCP || any_flags ||
            (packet->tcp_flags & rule->tcp_mask) == rule->tcp_value);
}

static int
first_match(const Acl *acl, const AclPacket *packet, bool swapped, bool any_flags)
{
    for (guint i = 0; i < acl->n_rules; i++) {
        if (rule_matches(&acl->rules[i], packet, swapped, any_flags)) {
            return (int)i;
        }
    }
    return ACL_IMPLICIT_DENY;
}

/* The packet that this one answers; false when it answers none.  src/plugins/acl/session_inlines.h
 * icmp4_invmap, icmp6_invmap: only these messages make a session for answers. */
static bool
answered_by(const AclPacket *packet, AclPacket *out)
{
    static const struct {
        bool is_ip6;
        uint16_t answer, request;
    } TYPES[] = {{false, 0, 8},   {false, 14, 13},  {false, 16, 15},
                 {false, 18, 17}, {true, 129, 128}, {true, 140, 139}};
    *out = *packet;
    out->src = packet->dst;
    out->dst = packet->src;
    if (!is_icmp(packet)) {
        out->src_port = packet->dst_port;
        out->dst_port = packet->src_port;
        return true;
    }
    for (guint i = 0; i < G_N_ELEMENTS(TYPES); i++) {
        if (TYPES[i].is_ip6 == packet->src.is_ip6 && TYPES[i].answer == packet->src_port) {
            out->src_port = TYPES[i].request;
            return true;
        }
    }
    return false;
}

static bool
is_reflect(const Acl *acl, int match)
{
    return match >= 0 && acl->rules[match].action == ACTION_REFLECT;
}

/* The permit+reflect rule that has let the packet's flow through; ACL_IMPLICIT_DENY: none has. */
static int
find_session(const Acl *acl, const AclPacket *packet, bool swapped)
{
    AclPacket request;
    int match = first_match(acl, packet, swapped, true);
    if (!is_reflect(acl, match)) {
        match = answered_by(packet, &request) ? first_match(acl, &request, !swapped, true)
                                              : ACL_IMPLICIT_DENY;
    }
    return is_reflect(acl, match) ? match : ACL_IMPLICIT_DENY;
}

int
acl_match(const Acl *acl, const AclPacket *packet, bool swapped)
{
    /* pkg/networkservice/acl/server.go Request: len(a.aclRules) > 0 */
    if (acl == NULL || acl->n_rules == 0) {
        return ACL_NO_RULES;
    }
    g_assert(packet->src.is_ip6 == packet->dst.is_ip6);
    int match = acl->reflects ? find_session(acl, packet, swapped) : ACL_IMPLICIT_DENY;
    return match >= 0 ? match : first_match(acl, packet, swapped, false);
}

bool
acl_permits(const Acl *acl, int match)
{
    g_assert(match < 0 || (guint)match < acl->n_rules);
    return match == ACL_NO_RULES || (match >= 0 && acl->rules[match].action != ACTION_DENY);
}

/* pkg/networkservice/acl/common.go create and aclAdd: the slice of rules is the server's own, and
 * is swapped where it lies between the ingress list and the egress list. */
bool
acl_is_swapped(bool egress, uint64_t n_before)
{
    return egress != (n_before % 2 == 1);
}

/* ------ rules that disagree ------ */

static bool
prefixes_overlap(const Prefix *a, const Prefix *b)
{
    int n = MIN(a->length, b->length);
    return n == 0 ||
           (a->address.is_ip6 == b->address.is_ip6 && same_bits(&a->address, &b->address, n));
}

static bool
ranges_overlap(const Range *a, const Range *b)
{
    return a->first <= b->last && b->first <= a->last;
}

static bool
flags_can_match(const Rule *rule)
{
    return rule->proto != ACL_PROTO_TCP || (rule->tcp_value & ~rule->tcp_mask) == 0;
}

static bool
flags_overlap(const Rule *a, const Rule *b)
{
    return a->proto != ACL_PROTO_TCP ||
           ((a->tcp_value ^ b->tcp_value) & a->tcp_mask & b->tcp_mask) == 0;
}

/* Whether some packet matches both in a list. */
static bool
rules_overlap(const Rule *a, const Rule *b, bool swapped)
{
    const View *view_a = &a->views[swapped], *view_b = &b->views[swapped];
    if (view_is_ip6(view_a) != view_is_ip6(view_b) ||
        !prefixes_overlap(&view_a->src, &view_b->src) ||
        !prefixes_overlap(&view_a->dst, &view_b->dst)) {
        return false;
    }
    return a->proto == 0 || b->proto == 0 ||
           (a->proto == b->proto && ranges_overlap(&view_a->src_ports, &view_b->src_ports) &&
            ranges_overlap(&view_a->dst_ports, &view_b->dst_ports) && flags_overlap(a, b));
}

static bool
rules_disagree(const Rule *a, const Rule *b)
{
    return (a->action == ACTION_DENY) != (b->action == ACTION_DENY) && flags_can_match(a) &&
           flags_can_match(b) && (rules_overlap(a, b, false) || rules_overlap(a, b, true));
}

static void G_GNUC_PRINTF(3, 4)
    warn(GPtrArray *warnings, const TreeMark *mark, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *message = g_strdup_vprintf(format, args);
    va_end(args);
    g_autoptr(GError) line = NULL; /* the mark is written as in an error */
    tree_error_mark(&line, mark, VWIRE_ERROR_UNSUPPORTED, "%s", message);
    g_ptr_array_add(warnings, g_strdup(line->message));
}

static void
warn_of_rule(const Rule *rule, GPtrArray *warnings)
{
    const View *view = &rule->views[0];
    if (!flags_can_match(rule)) {
        warn(warnings, &rule->mark,
             "rule \"%s\" never matches: its tcpflagsvalue has bits that are not in tcpflagsmask",
             rule->name);
    }
    if (view->src.address.is_ip6 != view->dst.address.is_ip6) {
        warn(warnings, &rule->mark,
             "rule \"%s\" matches IPv6 one way only: VPP takes the prefix that is absent for one "
             "of IPv4; write \"::/0\"",
             rule->name);
    }
}

static void
warn_of_pair(const Acl *acl, guint a, guint b, GPtrArray *warnings)
{
    g_autofree char *first = acl_format_rule(acl, a);
    g_autofree char *second = acl_format_rule(acl, b);
    warn(
        warnings, &acl->rules[b].mark,
        "rules \"%s\" (%s) and \"%s\" (%s) overlap and disagree: the firewall keeps no order among "
        "its rules, so either may come first; here it is the one that the file has first",
        acl->rules[a].name, first, acl->rules[b].name, second);
}

void
acl_warn(const Acl *acl, GPtrArray *warnings)
{
    guint n_pairs = 0;
    for (guint b = 0; b < acl->n_rules; b++) {
        warn_of_rule(&acl->rules[b], warnings);
        for (guint a = 0; a < b; a++) {
            if (rules_disagree(&acl->rules[a], &acl->rules[b]) && n_pairs++ < MAX_PAIRS_NAMED) {
                warn_of_pair(acl, a, b, warnings);
            }
        }
    }
    if (n_pairs > MAX_PAIRS_NAMED) {
        warn(warnings, &acl->rules[0].mark, "%u more pairs of rules overlap and disagree",
             n_pairs - MAX_PAIRS_NAMED);
    }
}

/* ------ printing ------ */

guint
acl_n_rules(const Acl *acl)
{
    return acl->n_rules;
}

const char *
acl_rule_name(const Acl *acl, guint rule)
{
    g_assert(rule < acl->n_rules);
    return acl->rules[rule].name;
}

static void
append_prefix(GString *out, const Prefix *prefix, bool brackets)
{
    char text[INET6_ADDRSTRLEN];
    const AclAddress *address = &prefix->address;
    if (prefix->length == 0 && !address->is_ip6) {
        g_string_append(out, "any");
        return;
    }
    inet_ntop(address->is_ip6 ? AF_INET6 : AF_INET, address->bytes, text, sizeof(text));
    brackets = brackets && address->is_ip6;
    g_string_append_printf(out, "%s%s", brackets ? "[" : "", text);
    if (prefix->length < address_bits(address)) {
        g_string_append_printf(out, "/%d", prefix->length);
    }
    g_string_append(out, brackets ? "]" : "");
}

static void
append_range(GString *out, const char *before, const Range *range, int64_t max)
{
    g_string_append(out, before);
    if (range->first == 0 && range->last >= max) {
        g_string_append(out, "any");
    } else if (range->first == range->last) {
        g_string_append_printf(out, "%d", (int)range->first);
    } else {
        g_string_append_printf(out, "%d-%d", (int)range->first, (int)range->last);
    }
}

static void
append_proto(GString *out, int64_t proto)
{
    static const char *const NAMES[] = {[0] = "ip",
                                        [ACL_PROTO_ICMP] = "icmp",
                                        [ACL_PROTO_TCP] = "tcp",
                                        [ACL_PROTO_UDP] = "udp",
                                        [ACL_PROTO_ICMP6] = "icmp6"};
    if (proto < (int64_t)G_N_ELEMENTS(NAMES) && NAMES[proto] != NULL) {
        g_string_append(out, NAMES[proto]);
    } else {
        g_string_append_printf(out, "proto %d", (int)proto);
    }
}

char *
acl_format_rule(const Acl *acl, guint rule)
{
    static const char *const ACTIONS[] = {"deny ", "permit ", "permit+reflect "};
    g_assert(rule < acl->n_rules);
    const Rule *printed = &acl->rules[rule];
    const View *view = &printed->views[0];
    int64_t proto = printed->proto;
    bool ports = proto == ACL_PROTO_TCP || proto == ACL_PROTO_UDP;
    GString *out = g_string_new(ACTIONS[printed->action]);
    append_proto(out, proto);
    append_prefix(g_string_append_c(out, ' '), &view->src, ports);
    if (ports) {
        append_range(out, ":", &view->src_ports, UINT16_MAX);
    }
    append_prefix(g_string_append(out, " -> "), &view->dst, ports);
    if (ports) {
        append_range(out, ":", &view->dst_ports, UINT16_MAX);
    } else if (proto == ACL_PROTO_ICMP || proto == ACL_PROTO_ICMP6) {
        append_range(out, " type ", &view->src_ports, UINT8_MAX);
        append_range(out, " code ", &view->dst_ports, UINT8_MAX);
    }
    if (proto == ACL_PROTO_TCP && printed->tcp_mask != 0) {
        g_string_append_printf(out, " flags 0x%02x/0x%02x", (unsigned)printed->tcp_value,
                               (unsigned)printed->tcp_mask);
    }
    return g_string_free(out, FALSE);
}
