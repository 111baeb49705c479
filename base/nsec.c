/* Go durations to and from integer nanoseconds.
 *
 * The grammar is that of Go's time.ParseDuration, because Kubernetes, NSM and k6 files are full of
 * such text: [-+]?([0-9]*(\.[0-9]*)?unit)+.  All arithmetic is in integers; a fraction finer than
 * a nanosecond is cut off, as Go does. */
#include "base/nsec.h"

#include "base/error.h"

#include <limits.h>
#include <math.h>
#include <string.h>

typedef struct Unit {
    const char *name;
    nsec_t size;
} Unit;

/* Longer names first where one begins another. */
static const Unit units[] = {
    {"ns", 1},
    {"us", NSEC_PER_USEC},
    {"\xc2\xb5s", NSEC_PER_USEC}, /* U+00B5, micro sign */
    {"\xce\xbcs", NSEC_PER_USEC}, /* U+03BC, Greek mu */
    {"ms", NSEC_PER_MSEC},
    {"s", NSEC_PER_SEC},
    {"m", 60 * NSEC_PER_SEC},
    {"h", 3600 * NSEC_PER_SEC},
};

#define EXPECTED "expected a duration such as 250ms, 1.5s or 1h30m"
/* More digits than this behind the point are below a nanosecond of an hour. */
#define MAX_FRACTION_DIGITS 18

static const Unit *
find_unit(const char *text, size_t length)
{
    for (guint i = 0; i < G_N_ELEMENTS(units); i++) {
        if (strlen(units[i].name) == length && strncmp(units[i].name, text, length) == 0) {
            return &units[i];
        }
    }
    return NULL;
}

/* Reads digits, up to a limit, and counts them; far beyond int64_t the value stays where it is. */
static const char *
read_digits(const char *p, int limit, __int128 *value, int *n_digits)
{
    *value = 0;
    *n_digits = 0;
    for (; g_ascii_isdigit(*p); p++) {
        if (*n_digits < limit && *value <= (__int128)INT64_MAX * 2) {
            *value = *value * 10 + (*p - '0');
            (*n_digits)++;
        }
    }
    return p;
}

static __int128
power_of_ten(int exponent)
{
    __int128 power = 1;
    while (exponent-- > 0) {
        power *= 10;
    }
    return power;
}

/* One "number unit" at *p: adds it to *sum and moves *p behind it. */
static bool
read_part(const char *text, const char **p, __int128 *sum, GError **error)
{
    const char *start = *p;
    __int128 whole;
    __int128 fraction = 0;
    int n_whole;
    int n_fraction = 0;
    const char *q = read_digits(start, INT_MAX, &whole, &n_whole);
    if (*q == '.') {
        q = read_digits(q + 1, MAX_FRACTION_DIGITS, &fraction, &n_fraction);
    }
    if (n_whole == 0 && n_fraction == 0) {
        return error_set(error, VWIRE_ERROR_PARSE,
                         "duration \"%s\": found \"%s\" where a number "
                         "should be; " EXPECTED,
                         text, start);
    }
    size_t length = strcspn(q, "0123456789.+-");
    if (length == 0) {
        return error_set(
            error, VWIRE_ERROR_PARSE,
            "duration \"%s\": no unit behind the number; expected ns, us, ms, s, m or h", text);
    }
    const Unit *unit = find_unit(q, length);
    if (!unit) {
        return error_set(error, VWIRE_ERROR_PARSE,
                         "duration \"%s\": unknown unit \"%.*s\"; expected ns, us, ms, s, m or h",
                         text, (int)length, q);
    }
    *sum += whole * unit->size + fraction * unit->size / power_of_ten(n_fraction);
    if (*sum > (__int128)INT64_MAX + 1) {
        return error_set(error, VWIRE_ERROR_PARSE,
                         "duration \"%s\" is too long; expected less than 292 years", text);
    }
    *p = q + length;
    return true;
}

bool
nsec_parse(const char *text, nsec_t *out, GError **error)
{
    const char *p = text;
    bool negative = *p == '-';
    if (*p == '-' || *p == '+') {
        p++;
    }
    if (strcmp(p, "0") == 0) {
        *out = 0;
        return true;
    }
    if (*p == '\0') {
        return error_set(error, VWIRE_ERROR_PARSE, "duration \"%s\" has no number; " EXPECTED,
                         text);
    }
    __int128 sum = 0;
    while (*p) {
        if (!read_part(text, &p, &sum, error)) {
            return false;
        }
    }
    sum = negative ? -sum : sum;
    if (sum > INT64_MAX) {
        return error_set(error, VWIRE_ERROR_PARSE,
                         "duration \"%s\" is too long; expected less than 292 years", text);
    }
    *out = (nsec_t)sum;
    return true;
}

/* Appends value / 10^places as a decimal without trailing zeros, then the unit. */
static void
append_decimal(GString *s, uint64_t value, int places, const char *unit)
{
    uint64_t size = (uint64_t)power_of_ten(places);
    g_string_append_printf(s, "%" G_GUINT64_FORMAT, value / size);
    if (value % size > 0) {
        g_string_append_printf(s, ".%0*" G_GUINT64_FORMAT, places, value % size);
        while (s->str[s->len - 1] == '0') {
            g_string_truncate(s, s->len - 1);
        }
    }
    g_string_append(s, unit);
}

char *
nsec_format(nsec_t t)
{
    GString *s = g_string_new(t < 0 ? "-" : "");
    uint64_t left = t < 0 ? -(uint64_t)t : (uint64_t)t;
    const uint64_t minute = 60 * NSEC_PER_SEC;
    const uint64_t hour = 60 * minute;
    if (left == 0) {
        g_string_append(s, "0s");
    } else if (left < NSEC_PER_USEC) {
        append_decimal(s, left, 0, "ns");
    } else if (left < NSEC_PER_MSEC) {
        append_decimal(s, left, 3, "us");
    } else if (left < NSEC_PER_SEC) {
        append_decimal(s, left, 6, "ms");
    } else {
        if (left >= hour) {
            g_string_append_printf(s, "%" G_GUINT64_FORMAT "h", left / hour);
            left %= hour;
        }
        if (left >= minute) {
            g_string_append_printf(s, "%" G_GUINT64_FORMAT "m", left / minute);
            left %= minute;
        }
        if (left > 0) {
            append_decimal(s, left, 9, "s");
        }
    }
    return g_string_free(s, FALSE);
}

double
nsec_to_seconds(nsec_t t)
{
    return (double)t / (double)NSEC_PER_SEC;
}

nsec_t
nsec_from_seconds(double seconds)
{
    g_assert(!isnan(seconds));
    double t = seconds * (double)NSEC_PER_SEC;
    if (t >= (double)NSEC_NEVER) {
        return NSEC_NEVER;
    }
    if (t <= -(double)NSEC_NEVER) {
        return -NSEC_NEVER;
    }
    return llround(t);
}
