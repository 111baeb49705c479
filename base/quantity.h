/* Kubernetes quantities ("150m", "64Gi", "1e3") as integers.
 *
 * CPU is kept in milli-cores, everything else in whole units (bytes, Pods).  Fractions round up,
 * as Kubernetes does (resource.Quantity MilliValue and Value). */
#pragma once

#include "base/error.h"

#include <stdint.h>

/* Milli-units: "0.5" -> 500, "150m" -> 150, "2" -> 2000.  Negative or malformed text, an unknown
 * suffix ("12q") and overflow are errors that name what was found and what was expected. */
bool quantity_parse_milli(const char *text, int64_t *out, GError **error);
bool quantity_parse(const char *text, int64_t *out, GError **error);

/* "475m", "2" and "240Mi", "1536Ki", "100" (the shortest binary form); free with g_free. */
char *quantity_format_milli(int64_t milli);
char *quantity_format_bytes(int64_t bytes);

/* tc rates: "1gbit", "100mbit", "56kbit", "10gbps" (bytes) -> bit/s. */
bool quantity_parse_rate(const char *text, int64_t *bits_per_second, GError **error);
