/* TCP and IP as formulas: what the fluid flows of a world need to know about segments, headers,
 * windows and losses without sending a packet.
 *
 * Sizes are bytes, rates bit/s, times nsec_t.  A *segment* carries at most `mss` bytes of payload.
 * An *overhead* is what a segment costs on a wire beyond its payload: the sum of the headers below
 * that apply there, for example IPV4_HEADER + TCP_HEADER + ETHERNET_FRAMING.  Nothing here has
 * state; arguments are non-negative unless said otherwise.
 *
 * Which limit holds when.  A flow that loses nothing is limited by the rate of its bottleneck, and
 * by window/RTT: tcp_transfer_time.  One that loses segments is limited by tcp_loss_rate_limit,
 * which knows time-outs and the receiver's window; it is the one to use.  tcp_mathis_rate is what
 * it tends to for losses below about 1 % without a window, a check that a hand can do; above that
 * it promises too much, as it knows no time-outs.
 *
 * All of this is Reno's.  Linux' CUBIC behaves like Reno where the bandwidth-delay product is
 * small (RFC 9438, 4.3), as it is between nodes of one room.
 *
 * Sources:
 *   [CSA00]  Cardwell, Savage, Anderson: Modeling TCP Latency, INFOCOM 2000
 *   [MSMO97] Mathis, Semke, Mahdavi, Ott: The Macroscopic Behavior of the TCP Congestion Avoidance
 *            Algorithm, CCR 27(3), 1997
 *   [PFTK98] Padhye, Firoiu, Towsley, Kurose: Modeling TCP Throughput, SIGCOMM 1998 */
#pragma once

#include "base/nsec.h"

#define IP_MTU 1500         /* of Ethernet links (IEEE 802.3) */
#define ETHERNET_FRAMING 38 /* header 14, FCS 4, preamble 8, gap 12 (IEEE 802.3); no 802.1Q tag */
#define IPV4_HEADER 20      /* RFC 791, 3.1, without options */
#define IPV4_MIN_MTU 68     /* RFC 791, 3.2 */
#define ICMP_HEADER 8       /* RFC 792, echo */
#define ICMP_ECHO 8         /* its type */
#define ICMP_ECHO_REPLY 0
#define UDP_HEADER 8  /* RFC 768 */
#define TCP_HEADER 20 /* RFC 9293, 3.1, without options */
#define TCP_IP_HEADERS (IPV4_HEADER + TCP_HEADER)
#define TCP_TIMESTAMPS 12 /* RFC 7323, 3.2 and appendix A; taken from the payload, not the MSS */

/* Tunnels over IPv4: what one adds to the inner IP packet, up to the outer IP header. */
#define VXLAN_OVERHEAD 50     /* RFC 7348, 5: inner Ethernet 14, VXLAN 8, UDP 8, IPv4 20 */
#define WIREGUARD_OVERHEAD 60 /* type 4, index 4, counter 8, tag 16, UDP 8, IPv4 20 */

/* What NSM deducts from the MTU of the tunnel's interface: networkservicemesh/sdk-vpp,
 * pkg/networkservice/mechanisms/{vxlan,wireguard}/mtu/common.go, overhead() for IPv4, as of 2022.
 * For VXLAN it reserves 4 bytes more, for an 802.1Q tag.  (In 2021: 50, and 80 for WireGuard.) */
#define NSM_VXLAN_MTU_OVERHEAD 54
#define NSM_WIREGUARD_MTU_OVERHEAD 60

#define TCP_INITIAL_WINDOW 10                /* segments; RFC 6928, Linux TCP_INIT_CWND */
#define TCP_RECEIVE_BUFFER (6 * 1024 * 1024) /* bytes; Linux net.ipv4.tcp_rmem[2], its default */

/* Linux include/net/tcp.h: TCP_RTO_MIN; TCP_TIMEOUT_INIT (RFC 6298, 2.1), for a SYN. */
#define TCP_MIN_RTO (200 * NSEC_PER_MSEC)
#define TCP_INITIAL_RTO NSEC_PER_SEC

#define TCP_MAX_RTO (120 * NSEC_PER_SEC) /* Linux TCP_RTO_MAX */

/* Segments per acknowledgement in congestion avoidance, `b` of [PFTK98]: RFC 5681, 4.2. */
#define TCP_SEGMENTS_PER_ACK 2

/* Factor by which the window grows per round of slow start, `gamma` of [CSA00].  With delayed
 * acknowledgements it is 1.5; Linux acknowledges the first segments of a connection one by one
 * (include/net/tcp.h, TCP_MAX_QUICKACKS) and counts acknowledged bytes after that (RFC 3465), so
 * that the window doubles. */
#define TCP_SLOW_START_GROWTH 2

/* What one end of a connection announces on an interface (RFC 6691: options are not deducted):
 * 1460 at an MTU of 1500.  `mtu` is at least IPV4_MIN_MTU. */
int64_t tcp_mss(int64_t mtu);

/* Segments that carry `bytes`, all but the last full; `mss` is positive. */
int64_t tcp_segments(int64_t bytes, int64_t mss);

/* What they take on a wire, headers and all. */
int64_t tcp_wire_bytes(int64_t bytes, int64_t mss, int64_t overhead);

/* How a router splits a datagram whose IP payload (ICMP, UDP or TCP header included) is `payload`
 * bytes: RFC 791, 3.2, "An Example Fragmentation Procedure".  All fragments but the last carry a
 * multiple of 8 bytes.  Returns their number, at least 1, and writes the size of each with its IP
 * header to `sizes`, at most `n_sizes` of them. */
guint ip_fragments(int64_t payload, int64_t mtu, guint n_sizes, int64_t *sizes);

/* Retransmission time-out of a connection whose round trip does not vary: Linux adds to the
 * smoothed RTT four times its variation, but no less than TCP_MIN_RTO (net/ipv4/tcp_input.c,
 * tcp_rtt_estimator).  RFC 6298, 2.4 asks for a second at least; Linux does not keep to it. */
nsec_t tcp_rto(nsec_t rtt);

/* Congestion window in segments after that many rounds of slow start, one round trip each.
 * Saturates at INT64_MAX. */
int64_t tcp_window_after(guint rounds);

typedef struct TcpPath {
    int64_t mss;
    int64_t overhead; /* per segment, at the bottleneck */
    nsec_t rtt;       /* of an empty path: propagation and processing, both ways */
    int64_t rate;     /* bit/s of the bottleneck; 0: not limited */
    int64_t window;   /* bytes that may be on their way (buffers); 0: not limited */
} TcpPath;

/* From the SYN of the sender until the last byte is at the receiver, when nothing is lost: one
 * round trip of handshake ([CSA00] (4) without loss), slow start, and once a window fills the
 * pipe the rest at the bottleneck's rate.  Who asks for data by a request adds half a round trip.
 *
 * Rounds are counted one by one, where [CSA00] (15) has their number as a logarithm, which is the
 * same at the end of each round: log2(segments / 10 + 1).  A round that does not fill the pipe
 * waits for the first acknowledgement, RTT + S/R after it began; the sum of these waits is that of
 * Kurose and Ross, Computer Networking (3rd edition), chapter 3, TCP latency modelling.
 *
 * Left out: acknowledgements take no time on the wire, and CUBIC's HyStart, which ends slow start
 * once the acknowledgements of a round span half a round trip; filling the rest of the pipe then
 * costs some of a round trip more. */
nsec_t tcp_transfer_time(const TcpPath *path, int64_t bytes);

/* Upper limit for small random losses, without time-outs and window: MSS/RTT * C/sqrt(loss) with
 * C = sqrt(3/4) for acknowledgements of every second segment [MSMO97].  Bit/s of payload; infinite
 * without loss or round trip. */
double tcp_mathis_rate(int64_t mss, nsec_t rtt, double loss);

/* [PFTK98], full model: rate at which a flow sends payload, in bit/s, when each segment is lost
 * with probability `loss` (0..1); of that, 1 - loss arrives.  The model is Reno's without SACK:
 * what follows a lost segment in its round is lost too, so that it is rather too low.  `rto`: first
 * time-out, tcp_rto; `window`: the receiver's, bytes, 0: not limited.  Without loss it is
 * window/RTT (infinite when not limited), with loss 1 it is 0. */
double tcp_loss_rate_limit(int64_t mss, nsec_t rtt, double loss, nsec_t rto, int64_t window);
