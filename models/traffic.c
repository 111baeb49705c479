/* When iterations begin: the integral of the rate, piecewise quadratic, and its inverse. */
#include "models/traffic.h"

#include <float.h>
#include <math.h>

const char *
traffic_executor_name(TrafficExecutor executor)
{
    static const char *const NAMES[] = {
#define X(name, text) text,
        TRAFFIC_EXECUTORS(X)
#undef X
    };
    return NAMES[executor];
}

void
traffic_clear(Traffic *traffic)
{
    g_free(traffic->name);
    g_free(traffic->from);
    g_free(traffic->to);
    g_free(traffic->interface);
    g_free(traffic->stages);
    for (guint i = 0; traffic->video != NULL && i < traffic->video->n_renditions; i++) {
        g_free(traffic->video->renditions[i].name);
    }
    if (traffic->video != NULL) {
        g_free(traffic->video->renditions);
    }
    g_free(traffic->video);
    g_clear_pointer(&traffic->mark.file, g_ref_string_release);
    *traffic = (Traffic){0};
}

bool
traffic_is_probe(const Traffic *traffic)
{
    return traffic->protocol == TRAFFIC_ICMP &&
           traffic->executor == TRAFFIC_CONSTANT_ARRIVAL_RATE && !traffic->pod_network;
}

/* ------ stages ------ */

/* A piece of time in which the rate goes in a straight line. */
typedef struct Piece {
    nsec_t begin;
    nsec_t duration;
    double from; /* iterations per second */
    double to;
} Piece;

static double
piece_rate(const Piece *piece, nsec_t since)
{
    double share = (double)(since - piece->begin) / (double)piece->duration;
    return piece->from + share * (piece->to - piece->from);
}

static double
piece_area(const Piece *piece)
{
    return (piece->from + piece->to) / 2 * nsec_to_seconds(piece->duration);
}

/* The next stage, behind `piece`; false: there is none. */
static bool
next_piece(const Traffic *traffic, guint *index, Piece *piece)
{
    if (*index >= traffic->n_stages) {
        return false;
    }
    const TrafficStage *stage = &traffic->stages[(*index)++];
    *piece = (Piece){piece->begin + piece->duration, stage->duration, piece->to, stage->target};
    return true;
}

/* The time within the piece at which its integral is y.  The root of from*t + slope*t^2/2 = y in
 * the form that does not subtract near equals (Numerical Recipes, 5.6). */
static nsec_t
piece_invert(const Piece *piece, double y)
{
    double slope = (piece->to - piece->from) / nsec_to_seconds(piece->duration);
    double square = piece->from * piece->from + 2 * slope * y;
    double below = piece->from + sqrt(MAX(square, 0));
    nsec_t time = below > 0 ? nsec_from_seconds(2 * y / below) : 0;
    return MIN(time, piece->duration);
}

/* ------ rates and arrivals ------ */

double
traffic_rate_at(const Traffic *traffic, nsec_t since)
{
    if (since < 0 || (traffic->duration > 0 && since >= traffic->duration)) {
        return 0;
    }
    if (traffic->executor == TRAFFIC_CONSTANT_ARRIVAL_RATE) {
        return traffic->rate;
    }
    Piece piece = {.to = traffic->rate};
    for (guint i = 0; next_piece(traffic, &i, &piece);) {
        if (since < piece.begin + piece.duration) {
            return piece_rate(&piece, since);
        }
    }
    return 0;
}

double
traffic_iterations(const Traffic *traffic, nsec_t since)
{
    nsec_t until = traffic->duration > 0 ? MIN(since, traffic->duration) : since;
    if (until <= 0) {
        return 0;
    }
    if (traffic->executor == TRAFFIC_CONSTANT_ARRIVAL_RATE) {
        return traffic->rate * nsec_to_seconds(until);
    }
    double sum = 0;
    Piece piece = {.to = traffic->rate};
    for (guint i = 0; next_piece(traffic, &i, &piece) && piece.begin < until;) {
        if (until < piece.begin + piece.duration) {
            piece.to = piece_rate(&piece, until);
            piece.duration = until - piece.begin;
            return sum + piece_area(&piece);
        }
        sum += piece_area(&piece);
    }
    return sum;
}

/* What a stage leaves over goes to the next; what is left is less than rounding makes of the sum
 * when an iteration falls on the end of a stage. */
static nsec_t
arrival_in_stages(const Traffic *traffic, double due)
{
    double sum = 0;
    Piece piece = {.to = traffic->rate};
    for (guint i = 0; next_piece(traffic, &i, &piece);) {
        double area = piece_area(&piece);
        double rounding = 16 * DBL_EPSILON * (sum + area);
        if (due < sum + area - rounding) {
            return piece.begin + piece_invert(&piece, MAX(due - sum, 0));
        }
        sum += area;
    }
    return NSEC_NEVER;
}

nsec_t
traffic_arrival(const Traffic *traffic, uint64_t k, double phase, nsec_t limit)
{
    g_assert(traffic->executor == TRAFFIC_CONSTANT_ARRIVAL_RATE ||
             traffic->executor == TRAFFIC_RAMPING_ARRIVAL_RATE);
    double due = (double)k + phase;
    nsec_t at = traffic->executor == TRAFFIC_CONSTANT_ARRIVAL_RATE
                    ? nsec_from_seconds(due / traffic->rate)
                    : arrival_in_stages(traffic, due);
    return at < (traffic->duration > 0 ? traffic->duration : limit) ? at : NSEC_NEVER;
}
