/* The fingerprint of a run: 64 bits over the time, mark and subject of everything that happened, in
 * order.  Equal fingerprints: the same behaviour, as good as certainly; stored beside a scenario
 * one tells when behaviour changes (spec.fingerprint).
 *
 * FNV-1a (Fowler, Noll, Vo) over the time's eight bytes, the least first, and the texts
 * of mark and subject, each with its final NUL: neither word size, byte order nor the order of
 * TRACE_MARKS has an influence.  Times are drawn with the C library's exp and log: where those
 * round differently, fingerprints differ. */
#pragma once

#include "models/trace.h"

/* Embedded by value; owns nothing. */
typedef struct Fingerprint {
    TraceSink sink;
    uint64_t hash;
} Fingerprint;

void fingerprint_init(Fingerprint *fingerprint);
TraceSink *fingerprint_sink(Fingerprint *fingerprint);

/* Of what was seen so far; never 0, which stands for none. */
uint64_t fingerprint_value(const Fingerprint *fingerprint);

/* 16 hexadecimal digits, as spec.fingerprint is written; free with g_free. */
char *fingerprint_format(uint64_t value);
