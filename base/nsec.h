/* Simulated and measured time: integer nanoseconds, everywhere.
 *
 * Text is converted once, where it comes in (Go durations: "250ms", "1h30m"), and once where it
 * goes out.  There is no floating-point clock: doubles appear only in statistics, in seconds. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef int64_t nsec_t;

#define NSEC_PER_USEC INT64_C(1000)
#define NSEC_PER_MSEC INT64_C(1000000)
#define NSEC_PER_SEC INT64_C(1000000000)
#define NSEC_NEVER INT64_MAX

/* Reads a Go duration (time.ParseDuration): an optional sign, then decimal numbers each with a
 * unit of ns, us (or the micro sign), ms, s, m, h; "0" alone needs none.  False with an
 * error (PARSE) that says what was found and expected; overflow is an error. */
bool nsec_parse(const char *text, nsec_t *out, GError **error);

/* The shortest Go duration that reads back equal ("1m30s", "250ms", "0s"); free with g_free. */
char *nsec_format(nsec_t t);

/* Seconds as a double, for statistics and results. */
double nsec_to_seconds(nsec_t t);

/* Rounds to the nearest nanosecond; saturates at NSEC_NEVER. */
nsec_t nsec_from_seconds(double seconds);
