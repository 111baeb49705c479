/* The ACL of a firewall (cmd-nse-firewall-vpp): the rules of its config.yaml, and what VPP does
 * with a packet that meets them.
 *
 * The file is a mapping of names to rules; a rule's fields are those of govpp's acl_types.ACLRule
 * in lower case, and what is absent is 0.  Proto 0 is any protocol, and then ports do not count.
 * The first rule that matches decides, and whatever no rule matches is dropped; without any rule
 * nothing is filtered.  A rule without prefixes is one for IPv4.
 *
 * The firewall puts its rules on the interface towards its client: as written on what comes in
 * there (from the client), and with source and destination swapped on what goes out (to the
 * client), so that a rule for requests lets the answers through too.  The swap does not know ICMP:
 * type and code change places.  What is no IP (ARP) is never filtered.
 *
 * The firewall itself reads the rules into a Go map, which keeps no order; here they keep the
 * file's, and acl_warn names the rules that this can make a difference for.
 *
 * The sources are in acl.c.  An Acl is immutable. */
#pragma once

#include "base/tree.h"

#define ACL_IMPLICIT_DENY (-1) /* no rule matched */
#define ACL_NO_RULES (-2)      /* nothing is filtered */

#define ACL_PROTO_ICMP 1
#define ACL_PROTO_TCP 6
#define ACL_PROTO_UDP 17
#define ACL_PROTO_ICMP6 58

typedef struct Acl Acl;

typedef struct AclAddress {
    bool is_ip6;
    uint8_t bytes[16]; /* in the order of the network; IPv4: the first four */
} AclAddress;

typedef struct AclPacket {
    uint8_t proto;
    AclAddress src, dst; /* of one family */
    uint16_t src_port;   /* ICMP: the type; counts for TCP, UDP and ICMP only, as dst_port */
    uint16_t dst_port;   /* ICMP: the code */
    uint8_t tcp_flags;   /* as in the TCP header: FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32 */
} AclPacket;

/* Reads the rules; NULL with an error "file:line:column: ...".  Stricter than the firewall, which
 * ignores unknown keys, and goes on without rules when something cannot be read: that is an error
 * here.  So is what VPP refuses, upon which every Request to the firewall fails: a first port
 * behind the last, a prefix with bits behind its length.  Text without a document has no rules. */
Acl *acl_parse(const char *text, size_t length, const char *file, GError **error);
Acl *acl_from_roots(const GPtrArray *roots, GError **error); /* what tree_parse_... gave */
void acl_free(Acl *acl);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Acl, acl_free)

/* Rules are numbered from 0, in the order of the file; counters by rule are the caller's. */
guint acl_n_rules(const Acl *acl);
const char *acl_rule_name(const Acl *acl, guint rule);
/* "permit tcp any:any -> 10.0.0.0/8:80-90"; free with g_free. */
char *acl_format_rule(const Acl *acl, guint rule);

/* The first rule that the packet matches, or one of the two above.  `swapped`: the list with source
 * and destination swapped.  `acl` may be NULL: no rules.
 *
 * permit+reflect: VPP remembers the flow that such a rule lets through, and lets all of it through,
 * both ways.  Nothing is remembered here: a packet belongs to a flow that the rule has let through
 * if the rule would let its flow, or the one that it answers, through. */
int acl_match(const Acl *acl, const AclPacket *packet, bool swapped);

/* What a result of acl_match means for the packet. */
bool acl_permits(const Acl *acl, int match);

/* Which of the two lists a packet meets: `egress` is true towards the client.  `n_before` counts
 * the connections to which this firewall process has given its rules before: it swaps them in place
 * and never back, so that every second connection has them the wrong way round. */
bool acl_is_swapped(bool egress, uint64_t n_before);

/* Adds a warning "file:line:column: ..." for each pair of rules that overlap and disagree, and for
 * each rule that can never match, or only one way.  Of many pairs the first are named. */
void acl_warn(const Acl *acl, GPtrArray *warnings);

/* "10.0.0.1" or "2001:db8::1"; false for anything else, also IPv4 in the form of IPv6. */
bool acl_address_parse(const char *text, AclAddress *out);
