/* Address pairs. */
#include "models/nsm/ipam.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#define MAX_PAIRS 32768u

bool
ipam_init(Ipam *ipam, const char *prefix)
{
    memset(ipam, 0, sizeof *ipam);
    ipam->pairs = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_auto(GStrv) parts = g_strsplit(prefix, "/", 2);
    struct in_addr address;
    if (parts[0] == NULL || parts[1] == NULL || inet_pton(AF_INET, parts[0], &address) != 1) {
        return false;
    }
    char *end = NULL;
    long bits = strtol(parts[1], &end, 10);
    if (end == parts[1] || *end != '\0' || bits < 1 || bits > 31) {
        return false;
    }
    ipam->base = ntohl(address.s_addr) & ~(uint32_t)((UINT64_C(1) << (32 - bits)) - 1);
    ipam->n_pairs = MIN((uint32_t)1 << (31 - bits), MAX_PAIRS);
    ipam->used = g_new0(bool, ipam->n_pairs);
    return true;
}

void
ipam_clear(Ipam *ipam)
{
    g_clear_pointer(&ipam->pairs, g_hash_table_unref);
    g_clear_pointer(&ipam->used, g_free);
}

static char *
address_text(uint32_t host_order)
{
    char text[INET_ADDRSTRLEN];
    struct in_addr address = {htonl(host_order)};
    return g_strdup(inet_ntop(AF_INET, &address, text, sizeof text));
}

bool
ipam_take(Ipam *ipam, const char *connection, char **dst_ip, char **src_ip)
{
    guint known = GPOINTER_TO_UINT(g_hash_table_lookup(ipam->pairs, connection));
    uint32_t index = known > 0 ? known - 1 : 0;
    while (known == 0 && index < ipam->n_pairs && ipam->used[index]) {
        index++;
    }
    if (index >= ipam->n_pairs) {
        return false;
    }
    if (known == 0) {
        ipam->used[index] = true;
        g_hash_table_insert(ipam->pairs, g_strdup(connection), GUINT_TO_POINTER(index + 1));
    }
    *dst_ip = address_text(ipam->base + 2 * index);
    *src_ip = address_text(ipam->base + 2 * index + 1);
    return true;
}

void
ipam_release(Ipam *ipam, const char *connection)
{
    guint known = GPOINTER_TO_UINT(g_hash_table_lookup(ipam->pairs, connection));
    if (known > 0) {
        ipam->used[known - 1] = false;
        g_hash_table_remove(ipam->pairs, connection);
    }
}
