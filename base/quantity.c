/* Quantities: one exact decimal reader, then a suffix table for each grammar.
 *
 * A number is kept as digits times a power of ten until the suffix is known, so that no rounding
 * happens before the last one, which is up (apimachinery resource.Quantity: Value, MilliValue). */
#include "base/quantity.h"

#include <string.h>

/* digits * 10^exponent, a little more when digits were dropped. */
typedef struct Decimal {
    unsigned __int128 digits;
    int exponent;
    bool inexact;
} Decimal;

typedef struct Suffix {
    const char *name;
    int ten; /* power of ten */
    int two; /* power of two */
} Suffix;

#define MAX_DIGITS 19
#define MAX_EXPONENT 100

static const Suffix kubernetes_suffixes[] = {
    {"", 0, 0},    {"n", -9, 0},  {"u", -6, 0},  {"m", -3, 0},  {"k", 3, 0},   {"M", 6, 0},
    {"G", 9, 0},   {"T", 12, 0},  {"P", 15, 0},  {"E", 18, 0},  {"Ki", 0, 10}, {"Mi", 0, 20},
    {"Gi", 0, 30}, {"Ti", 0, 40}, {"Pi", 0, 50}, {"Ei", 0, 60}, {NULL, 0, 0},
};

/* tc(8), "RATES": bits by default, "bps" are bytes (three powers of two more); lower case. */
static const Suffix rate_suffixes[] = {
    {"", 0, 0},       {"bit", 0, 0},    {"kbit", 3, 0},   {"mbit", 6, 0},   {"gbit", 9, 0},
    {"tbit", 12, 0},  {"kibit", 0, 10}, {"mibit", 0, 20}, {"gibit", 0, 30}, {"tibit", 0, 40},
    {"bps", 0, 3},    {"kbps", 3, 3},   {"mbps", 6, 3},   {"gbps", 9, 3},   {"tbps", 12, 3},
    {"kibps", 0, 13}, {"mibps", 0, 23}, {"gibps", 0, 33}, {"tibps", 0, 43}, {NULL, 0, 0},
};

#define EXPECTED_QUANTITY                                                                          \
    "expected a number, as in 150m, 0.5, 64Gi or 1e3, with no suffix or one of n, u, m, k, M, G, " \
    "T, P, E, Ki, Mi, Gi, Ti, Pi, Ei"
#define EXPECTED_RATE "expected a rate such as 100mbit, 1gbit, 56kbit or 10gbps (bytes)"

/* Reads "12.50" and answers what is behind it; NULL when there is no digit. */
static const char *
read_decimal(const char *p, Decimal *out)
{
    Decimal d = {0};
    bool any = false;
    bool behind_point = false;
    for (int n = 0;; p++) {
        if (*p == '.' && !behind_point) {
            behind_point = true;
            continue;
        }
        if (!g_ascii_isdigit(*p)) {
            break;
        }
        any = true;
        if (n < MAX_DIGITS) {
            d.digits = d.digits * 10 + (unsigned)(*p - '0');
            n += d.digits > 0;
            d.exponent -= behind_point;
        } else {
            d.inexact |= *p != '0';
            d.exponent += !behind_point;
        }
    }
    *out = d;
    return any ? p : NULL;
}

/* Multiplies; when that overflows but the exponent is negative, drops digits first. */
static bool
multiply(Decimal *d, unsigned factor)
{
    unsigned __int128 product;
    while (__builtin_mul_overflow(d->digits, (unsigned __int128)factor, &product)) {
        if (d->exponent >= 0) {
            return false;
        }
        d->inexact |= d->digits % 10 != 0;
        d->digits /= 10;
        d->exponent++;
    }
    d->digits = product;
    return true;
}

/* The integer not below d * 10^ten * 2^two; false on overflow of int64_t. */
static bool
round_up(Decimal d, int ten, int two, int64_t *out)
{
    if (d.digits == 0) {
        *out = d.inexact;
        return true;
    }
    d.exponent = CLAMP(d.exponent + ten, -10 * MAX_EXPONENT, MAX_EXPONENT);
    for (; two > 0; two--) {
        if (!multiply(&d, 2)) {
            return false;
        }
    }
    for (; d.exponent > 0; d.exponent--) {
        if (__builtin_mul_overflow(d.digits, (unsigned __int128)10, &d.digits)) {
            return false;
        }
    }
    for (; d.exponent < 0 && d.digits > 0; d.exponent++) {
        d.inexact |= d.digits % 10 != 0;
        d.digits /= 10;
    }
    d.digits += d.inexact;
    if (d.digits > INT64_MAX) {
        return false;
    }
    *out = (int64_t)d.digits;
    return true;
}

static const Suffix *
find_suffix(const Suffix *table, const char *text)
{
    for (; table->name; table++) {
        if (strcmp(table->name, text) == 0) {
            return table;
        }
    }
    return NULL;
}

/* "e3", "E-2": an exponent with at least one digit and nothing behind it. */
static bool
read_exponent(const char *p, int *out)
{
    if (*p != 'e' && *p != 'E') {
        return false;
    }
    p++;
    int sign = *p == '-' ? -1 : 1;
    if (*p == '-' || *p == '+') {
        p++;
    }
    if (!g_ascii_isdigit(*p)) {
        return false;
    }
    int value = 0;
    for (; g_ascii_isdigit(*p); p++) {
        value = MIN(value * 10 + (*p - '0'), MAX_EXPONENT);
    }
    *out = sign * value;
    return *p == '\0';
}

static bool
parse(const char *text, int extra_ten, int64_t *out, GError **error)
{
    Decimal d;
    const char *p = *text == '+' ? text + 1 : text;
    if (*text == '-') {
        return error_set(error, VWIRE_ERROR_PARSE,
                         "quantity \"%s\" is negative; " EXPECTED_QUANTITY, text);
    }
    const char *rest = read_decimal(p, &d);
    if (!rest) {
        return error_set(error, VWIRE_ERROR_PARSE,
                         "quantity \"%s\" has no number; " EXPECTED_QUANTITY, text);
    }
    Suffix exponent = {"", 0, 0};
    const Suffix *suffix = find_suffix(kubernetes_suffixes, rest);
    if (!suffix && read_exponent(rest, &exponent.ten)) {
        suffix = &exponent;
    }
    if (!suffix) {
        return error_set(error, VWIRE_ERROR_PARSE,
                         "quantity \"%s\": unknown suffix \"%s\"; " EXPECTED_QUANTITY, text, rest);
    }
    if (!round_up(d, suffix->ten + extra_ten, suffix->two, out)) {
        return error_set(error, VWIRE_ERROR_PARSE,
                         "quantity \"%s\" is too large; expected at most 2^63-1%s", text,
                         extra_ten ? " thousandths" : "");
    }
    return true;
}

bool
quantity_parse_milli(const char *text, int64_t *out, GError **error)
{
    return parse(text, 3, out, error);
}

bool
quantity_parse(const char *text, int64_t *out, GError **error)
{
    return parse(text, 0, out, error);
}

bool
quantity_parse_rate(const char *text, int64_t *bits_per_second, GError **error)
{
    Decimal d;
    const char *rest = read_decimal(text, &d);
    if (!rest) {
        return error_set(error, VWIRE_ERROR_PARSE, "rate \"%s\" has no number; " EXPECTED_RATE,
                         text);
    }
    g_autofree char *unit = g_ascii_strdown(rest, -1);
    const Suffix *suffix = find_suffix(rate_suffixes, unit);
    if (!suffix) {
        return error_set(error, VWIRE_ERROR_PARSE,
                         "rate \"%s\": unknown unit \"%s\"; " EXPECTED_RATE, text, rest);
    }
    if (!round_up(d, suffix->ten, suffix->two, bits_per_second)) {
        return error_set(error, VWIRE_ERROR_PARSE, "rate \"%s\" is too large; " EXPECTED_RATE,
                         text);
    }
    return true;
}

char *
quantity_format_milli(int64_t milli)
{
    if (milli % 1000 == 0) {
        return g_strdup_printf("%" G_GINT64_FORMAT, milli / 1000);
    }
    return g_strdup_printf("%" G_GINT64_FORMAT "m", milli);
}

char *
quantity_format_bytes(int64_t bytes)
{
    static const char *const names[] = {"", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"};
    guint unit = 0;
    while (bytes != 0 && bytes % 1024 == 0 && unit + 1 < G_N_ELEMENTS(names)) {
        bytes /= 1024;
        unit++;
    }
    return g_strdup_printf("%" G_GINT64_FORMAT "%s", bytes, names[unit]);
}
