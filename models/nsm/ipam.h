/* Addresses for V-wires: pairs from one prefix, first come first served, kept for a connection
 * while it lives (sdk pkg/networkservice/ipam/point2pointipam). */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct Ipam {
    uint32_t base; /* first address, host order */
    uint32_t n_pairs;
    GHashTable *pairs; /* connection id -> index + 1 */
    bool *used;
} Ipam;

/* False when the prefix is not "a.b.c.d/n" with n <= 31; then nothing can be given. */
bool ipam_init(Ipam *ipam, const char *prefix);
void ipam_clear(Ipam *ipam);

/* False when the prefix is exhausted.  Addresses are written as text; free with g_free. */
bool ipam_take(Ipam *ipam, const char *connection, char **dst_ip, char **src_ip);
void ipam_release(Ipam *ipam, const char *connection);
