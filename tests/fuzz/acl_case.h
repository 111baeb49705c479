/* What must hold for any text that is read as an ACL: the fuzzer's cases, and its corpus, which the
 * ordinary tests replay. */
#pragma once

#include "models/acl.h"

#include <string.h>

static inline AclPacket
acl_case_packet(uint8_t proto, const char *src, uint16_t src_port, const char *dst,
                uint16_t dst_port)
{
    AclPacket packet = {.proto = proto, .src_port = src_port, .dst_port = dst_port};
    g_assert(acl_address_parse(src, &packet.src) && acl_address_parse(dst, &packet.dst));
    return packet;
}

static inline AclPacket
acl_case_reverse(const AclPacket *packet)
{
    AclPacket back = *packet;
    back.src = packet->dst;
    back.dst = packet->src;
    back.src_port = packet->dst_port;
    back.dst_port = packet->src_port;
    return back;
}

/* Every rule can be printed; whether all of them mean one family for both ends. */
static inline bool
acl_case_prints(const Acl *acl)
{
    bool one_family = true;
    g_autoptr(GPtrArray) warnings = g_ptr_array_new_with_free_func(g_free);
    acl_warn(acl, warnings);
    for (guint i = 0; i < warnings->len; i++) {
        one_family = one_family && strstr(warnings->pdata[i], "one way only") == NULL;
    }
    for (guint i = 0; i < acl_n_rules(acl); i++) {
        g_autofree char *text = acl_format_rule(acl, i);
        g_assert(acl_rule_name(acl, i) != NULL && strstr(text, " -> ") != NULL);
    }
    return one_family;
}

/* An answer is one of those that there are; TCP and UDP meet the same rule on the way back. */
static inline void
acl_case_match(const Acl *acl, const AclPacket *packet, bool one_family)
{
    AclPacket back = acl_case_reverse(packet);
    for (int swapped = 0; swapped < 2; swapped++) {
        int match = acl_match(acl, packet, swapped);
        g_assert((match == ACL_NO_RULES) == (acl_n_rules(acl) == 0));
        g_assert(match < (int)acl_n_rules(acl));
        g_assert(match != ACL_IMPLICIT_DENY || !acl_permits(acl, match));
        bool has_ports = packet->proto == ACL_PROTO_TCP || packet->proto == ACL_PROTO_UDP;
        g_assert(!has_ports || !one_family || acl_match(acl, &back, !swapped) == match);
    }
}

static inline void
acl_case_check(const char *text, size_t length)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Acl) acl = acl_parse(text, length, "input", &error);
    g_assert((acl == NULL) == (error != NULL));
    g_assert(error == NULL || g_str_has_prefix(error->message, "input:"));
    if (acl == NULL) {
        return;
    }
    AclPacket packets[] = {
        acl_case_packet(ACL_PROTO_TCP, "10.1.0.5", 40000, "10.2.0.7", 80),
        acl_case_packet(ACL_PROTO_UDP, "10.2.0.7", 53, "10.1.255.255", 65535),
        acl_case_packet(ACL_PROTO_ICMP, "172.16.1.101", 8, "172.16.1.100", 0),
        acl_case_packet(ACL_PROTO_ICMP6, "2001:db8::1", 129, "::1", 0),
        acl_case_packet(47, "::1", 0, "2001:db8::1", 0),
        acl_case_packet(ACL_PROTO_TCP, "2001:db8::1", 80, "::1", 1),
    };
    packets[0].tcp_flags = 2;
    bool one_family = acl_case_prints(acl);
    for (guint i = 0; i < G_N_ELEMENTS(packets); i++) {
        acl_case_match(acl, &packets[i], one_family);
    }
}
