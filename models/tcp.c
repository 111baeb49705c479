/* TCP and IP as formulas.  Equation numbers are those of the papers that the header names. */
#include "models/tcp.h"

#include <math.h>

#define BITS_PER_BYTE 8

int64_t
tcp_mss(int64_t mtu)
{
    g_assert(mtu >= IPV4_MIN_MTU);
    return mtu - IPV4_HEADER - TCP_HEADER;
}

int64_t
tcp_segments(int64_t bytes, int64_t mss)
{
    g_assert(mss > 0);
    return bytes / mss + (bytes % mss > 0);
}

int64_t
tcp_wire_bytes(int64_t bytes, int64_t mss, int64_t overhead)
{
    return bytes + tcp_segments(bytes, mss) * overhead;
}

guint
ip_fragments(int64_t payload, int64_t mtu, guint n_sizes, int64_t *sizes)
{
    g_assert(mtu >= IPV4_MIN_MTU);
    int64_t room = mtu - IPV4_HEADER;
    int64_t block = room - room % 8; /* offsets count in units of 8 bytes */
    guint n = 0;
    for (bool is_last = false; !is_last; n++) {
        is_last = payload <= room;
        int64_t data = is_last ? payload : block;
        if (n < n_sizes) {
            sizes[n] = data + IPV4_HEADER;
        }
        payload -= data;
    }
    return n;
}

nsec_t
tcp_rto(nsec_t rtt)
{
    return rtt + TCP_MIN_RTO;
}

int64_t
tcp_window_after(guint rounds)
{
    int64_t window = TCP_INITIAL_WINDOW;
    for (guint i = 0; i < rounds; i++) {
        if (__builtin_mul_overflow(window, TCP_SLOW_START_GROWTH, &window)) {
            return INT64_MAX;
        }
    }
    return window;
}

static nsec_t
saturated(__int128 time)
{
    return time > NSEC_NEVER ? NSEC_NEVER : (nsec_t)time;
}

/* How long `bytes` take to leave at the path's rate, rounded up. */
static nsec_t
time_on_wire(const TcpPath *path, int64_t bytes)
{
    if (path->rate == 0) {
        return 0;
    }
    __int128 bits = (__int128)bytes * BITS_PER_BYTE;
    return saturated((bits * NSEC_PER_SEC + path->rate - 1) / path->rate);
}

/* Segments that the buffers allow, at least one. */
static int64_t
window_limit(const TcpPath *path)
{
    return path->window == 0 ? INT64_MAX : MAX(1, path->window / path->mss);
}

/* What a round with this window leaves the wire idle: until its first acknowledgement. */
static nsec_t
idle_after(const TcpPath *path, int64_t window)
{
    int64_t segment = path->mss + path->overhead;
    nsec_t busy = window > INT64_MAX / segment ? NSEC_NEVER : time_on_wire(path, window * segment);
    nsec_t answered = time_on_wire(path, segment) + path->rtt;
    return busy < answered ? answered - busy : 0;
}

/* Idle times of all rounds but the last, which nobody waits for. */
static __int128
idle_time(const TcpPath *path, int64_t segments)
{
    int64_t limit = window_limit(path), window = MIN(TCP_INITIAL_WINDOW, limit);
    __int128 idle = 0;
    for (guint round = 1; segments > window; round++) {
        nsec_t wait = idle_after(path, window);
        if (wait == 0) {
            return idle; /* larger windows fill the pipe too */
        }
        if (window == limit) {
            return idle + (__int128)wait * (tcp_segments(segments, limit) - 1);
        }
        idle += wait;
        segments -= window;
        window = MIN(tcp_window_after(round), limit);
    }
    return idle;
}

nsec_t
tcp_transfer_time(const TcpPath *path, int64_t bytes)
{
    nsec_t handshake = path->rtt, last_way = path->rtt / 2;
    int64_t segments = tcp_segments(bytes, path->mss);
    int64_t on_wire = tcp_wire_bytes(bytes, path->mss, path->overhead);
    return saturated(idle_time(path, segments) + handshake + time_on_wire(path, on_wire) +
                     last_way);
}

static double
payload_rate(double segments, int64_t mss)
{
    return segments * (double)mss * BITS_PER_BYTE;
}

double
tcp_mathis_rate(int64_t mss, nsec_t rtt, double loss)
{
    double segments = sqrt(3 / (2 * TCP_SEGMENTS_PER_ACK * loss));
    return payload_rate(segments / nsec_to_seconds(rtt), mss);
}

/* (13): the window, in segments, that is reached on average when a loss comes, where the receiver
 * sets no limit. */
static double
window_at_loss(double loss)
{
    double b = TCP_SEGMENTS_PER_ACK;
    double constant = (2 + b) / (3 * b);
    return constant + sqrt(8 * (1 - loss) / (3 * b * loss) + constant * constant);
}

/* 1 - (1 - loss)^n without cancellation. */
static double
any_lost(double loss, double n)
{
    return -expm1(n * log1p(-loss));
}

/* (24): the probability that a loss in a window is noticed by a time-out, not by three duplicate
 * acknowledgements. */
static double
timeout_probability(double loss, double window)
{
    if (window <= 3) {
        return 1;
    }
    double three_arrive = 1 - any_lost(loss, 3);
    double q = any_lost(loss, 3) * (1 + three_arrive * any_lost(loss, window - 3)) /
               any_lost(loss, window);
    return MIN(1, q);
}

/* (28): how long a sequence of time-outs lasts, in first time-outs: it doubles six times. */
static double
backoff(double loss)
{
    double sum = 1, doubled = 1, power = 1;
    for (int i = 1; i <= 6; i++) {
        power *= loss;
        sum += doubled * power;
        doubled *= 2;
    }
    return sum;
}

double
tcp_loss_rate_limit(int64_t mss, nsec_t rtt, double loss, nsec_t rto, int64_t window)
{
    double round_trip = nsec_to_seconds(rtt);
    double limit = window == 0 ? INFINITY : (double)window / (double)mss;
    if (loss <= 0) {
        return payload_rate(limit / round_trip, mss);
    }
    if (loss >= 1) {
        return 0;
    }
    double b = TCP_SEGMENTS_PER_ACK;
    double before = (1 - loss) / loss; /* segments that arrive before one is lost */
    double unlimited = window_at_loss(loss), mean = MIN(unlimited, limit);
    double rounds = unlimited < limit ? b / 2 * mean + 1 : b / 8 * limit + before / limit + 2;
    double q = timeout_probability(loss, mean);
    double sent = before + mean + q / (1 - loss);
    double time = round_trip * rounds + q * backoff(loss) * nsec_to_seconds(rto) / (1 - loss);
    return payload_rate(sent / time, mss);
}
