/* ICMP echoes: there, and back by whatever leads back.
 *
 * An echo that is larger than the path's MTU goes in fragments, and so does its answer; it is lost
 * with any of them.  The receiving kernel answers when the last fragment is there.  As in ping(8),
 * what is answered after the time-out counts as lost. */
#include "models/tcp.h"
#include "sim/stream.h"

#define MAX_PIECES 64 /* of 65,535 bytes at any MTU that tunnels leave of 1500 */

/* Of one echo in several fragments. */
typedef struct Pieces {
    uint64_t id;
    guint n, n_there, n_back;
} Pieces;

static void
send_pieces(Stream *stream, const PacketInfo *info, const char *port)
{
    int64_t sizes[MAX_PIECES];
    guint n = ip_fragments(stream->traffic->size + ICMP_HEADER, stream->mtu, MAX_PIECES, sizes);
    if (n > 1 && !info->backward) {
        Pieces *pieces = g_new0(Pieces, 1);
        pieces->id = info->id;
        pieces->n = n;
        g_hash_table_insert(stream->pieces, &pieces->id, pieces);
    }
    for (guint i = 0; i < n; i++) {
        PacketInfo piece = *info;
        piece.part = (uint16_t)i;
        piece.bytes = (uint32_t)sizes[i];
        piece.timed = i == n - 1;
        stream_send(stream, &piece, port);
    }
}

void
ping_begin(Stream *stream, uint64_t id)
{
    PacketInfo info = {.id = id, .began = engine_now(stream->world->engine)};
    send_pieces(stream, &info, stream_port(stream));
}

/* Whether the echo is whole with this packet. */
static bool
is_whole(const Stream *stream, const PacketInfo *packet)
{
    Pieces *pieces = g_hash_table_lookup(stream->pieces, &packet->id);
    if (pieces == NULL) {
        return packet->part == 0 && packet->timed; /* not in fragments; otherwise one was lost */
    }
    guint *n = packet->backward ? &pieces->n_back : &pieces->n_there;
    return ++*n == pieces->n;
}

void
ping_arrived(PacketFlow *flow, const PacketInfo *packet)
{
    Stream *stream = (Stream *)((char *)flow - offsetof(Stream, packets));
    if (!is_whole(stream, packet)) {
        return;
    }
    if (!packet->backward) {
        PacketInfo answer = {.id = packet->id, .began = packet->began, .backward = true};
        send_pieces(stream, &answer, packet->port);
        return;
    }
    nsec_t took = engine_now(stream->world->engine) - packet->began;
    g_hash_table_remove(stream->pieces, &packet->id);
    stream_ended(stream, packet->id, packet->began,
                 took > stream->traffic->timeout ? "answered too late" : NULL);
}

void
ping_dropped(PacketFlow *flow, const PacketInfo *packet, DropReason reason)
{
    Stream *stream = (Stream *)((char *)flow - offsetof(Stream, packets));
    bool whole = packet->part == 0 && packet->timed;
    if (g_hash_table_remove(stream->pieces, &packet->id) || whole) {
        stream_ended(stream, packet->id, packet->began, drop_reason_text(reason));
    }
}
