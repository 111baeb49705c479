/* FNV-1a over marks. */
#include "sim/fingerprint.h"

#include <glib.h>

/* draft-eastlake-fnv, section 5: 64 bits. */
#define FNV_BASIS UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME UINT64_C(0x100000001b3)

static uint64_t
add_byte(uint64_t hash, unsigned char byte)
{
    return (hash ^ byte) * FNV_PRIME;
}

static uint64_t
add_text(uint64_t hash, const char *text)
{
    for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++) {
        hash = add_byte(hash, *c);
    }
    return add_byte(hash, '\0');
}

static void
on_event(TraceSink *sink, const TraceEvent *event)
{
    Fingerprint *fingerprint = (Fingerprint *)sink;
    uint64_t hash = fingerprint->hash, at = (uint64_t)event->at;
    for (int i = 0; i < 8; i++) {
        hash = add_byte(hash, (unsigned char)(at >> (8 * i)));
    }
    hash = add_text(hash, trace_mark_name(event->mark));
    fingerprint->hash = add_text(hash, event->subject != NULL ? event->subject : "");
}

void
fingerprint_init(Fingerprint *fingerprint)
{
    *fingerprint = (Fingerprint){.sink = {.event = on_event}, .hash = FNV_BASIS};
}

TraceSink *
fingerprint_sink(Fingerprint *fingerprint)
{
    return &fingerprint->sink;
}

uint64_t
fingerprint_value(const Fingerprint *fingerprint)
{
    return fingerprint->hash != 0 ? fingerprint->hash : FNV_BASIS;
}

char *
fingerprint_format(uint64_t value)
{
    return g_strdup_printf("%016" G_GINT64_MODIFIER "x", value);
}
