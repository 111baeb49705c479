/* Reading an expression; the value of each replication; the interval; the verdict; the message. */
#include "models/threshold.h"

#include <math.h>
#include <string.h>

static const char *const aggregate_names[] = {
#define X(aggregate, name) [THRESHOLD_##aggregate] = name,
    THRESHOLD_AGGREGATES(X)
#undef X
};

/* "<=" comes before "<", so that the first that fits is the right one. */
static const char *const operator_texts[] = {
#define X(comparison, text) [THRESHOLD_##comparison] = text,
    THRESHOLD_OPERATORS(X)
#undef X
};

static const char *const verdict_names[] = {
#define X(verdict, name) [THRESHOLD_##verdict] = name,
    THRESHOLD_VERDICTS(X)
#undef X
};

/* A threshold being judged. */
typedef struct Judgement {
    const Threshold *threshold;
    double confidence;
    size_t n_runs;             /* given, with and without observations */
    const ThresholdRun **runs; /* those that count, n of them */
    const Sample **groups;     /* their samples */
    size_t n;
    Sample values; /* each one's own value of the aggregate */
    Sample pooled; /* all their observations, for quantiles only */
    size_t n_observations;
    size_t n_hits;  /* observations that are not 0, for rate only */
    bool is_single; /* one observation per replication */
} Judgement;

void
threshold_result_clear(ThresholdResult *result)
{
    g_clear_pointer(&result->message, g_free);
}

const char *
threshold_verdict_name(ThresholdVerdict verdict)
{
    return verdict_names[verdict];
}

/* Reading. */

static bool
refuse(const char *text, const char *at, const char *expected, GError **error)
{
    g_autofree char *found = *at == '\0' ? g_strdup("the end") : g_strdup_printf("\"%s\"", at);
    return error_set(error, VWIRE_ERROR_PARSE, "threshold \"%s\": found %s; expected %s", text,
                     found, expected);
}

static const char *
skip_blanks(const char *at)
{
    while (g_ascii_isspace(*at)) {
        at++;
    }
    return at;
}

/* A decimal number; moves `at` behind it.  False, and nothing moved, where there is none. */
static bool
read_number(const char **at, double *number)
{
    const char *digit = *at + (**at == '-' || **at == '+');
    bool is_decimal = g_ascii_isdigit(*digit) || (*digit == '.' && g_ascii_isdigit(digit[1]));
    if (!is_decimal || (*digit == '0' && (digit[1] == 'x' || digit[1] == 'X'))) {
        return false;
    }
    char *end;
    double value = g_ascii_strtod(*at, &end);
    if (!isfinite(value)) {
        return false;
    }
    *at = end;
    *number = value;
    return true;
}

/* From behind the p: "(95)". */
static bool
read_percent(const char *text, const char **at, double *percent, GError **error)
{
    const char *c = skip_blanks(*at);
    if (*c != '(') {
        return refuse(text, c, "a percentage in brackets, as in p(95)", error);
    }
    c = skip_blanks(c + 1);
    const char *number = c;
    double value;
    if (!read_number(&c, &value) || value <= 0 || value >= 100) {
        return refuse(text, number, "a percentage between 0 and 100 (for the ends: min, max)",
                      error);
    }
    c = skip_blanks(c);
    if (*c != ')') {
        return refuse(text, c, ") after the percentage", error);
    }
    *at = c + 1;
    *percent = value;
    return true;
}

static bool
read_aggregate(const char *text, const char **at, Threshold *out, GError **error)
{
    const char *end = *at;
    while (g_ascii_isalpha(*end)) {
        end++;
    }
    size_t length = (size_t)(end - *at);
    for (size_t i = 0; i < G_N_ELEMENTS(aggregate_names); i++) {
        const char *name = aggregate_names[i];
        if (strlen(name) != length || strncmp(name, *at, length) != 0) {
            continue;
        }
        *at = end;
        out->aggregate = (ThresholdAggregate)i;
        out->percent = out->aggregate == THRESHOLD_MED ? 50 : 0;
        return out->aggregate != THRESHOLD_P || read_percent(text, at, &out->percent, error);
    }
    return refuse(text, *at, "avg, min, max, med, p(N), count, rate or value", error);
}

static bool
read_operator(const char *text, const char **at, Threshold *out, GError **error)
{
    for (size_t i = 0; i < G_N_ELEMENTS(operator_texts); i++) {
        if (g_str_has_prefix(*at, operator_texts[i])) {
            *at += strlen(operator_texts[i]);
            out->comparison = (ThresholdOperator)i;
            return true;
        }
    }
    return refuse(text, *at, "<, <=, >, >=, == or !=", error);
}

bool
threshold_parse(const char *text, Threshold *out, GError **error)
{
    Threshold threshold = {0};
    const char *at = skip_blanks(text);
    if (!read_aggregate(text, &at, &threshold, error)) {
        return false;
    }
    at = skip_blanks(at);
    if (!read_operator(text, &at, &threshold, error)) {
        return false;
    }
    at = skip_blanks(at);
    if (!read_number(&at, &threshold.bound)) {
        return refuse(text, at, "a number", error);
    }
    at = skip_blanks(at);
    if (*at != '\0') {
        return refuse(text, at, "the end (bounds are plain numbers in the metric's base unit)",
                      error);
    }
    *out = threshold;
    return true;
}

/* Values. */

static size_t
count_hits(const Sample *sample)
{
    size_t n = 0;
    for (size_t i = 0; i < sample->n; i++) {
        n += sample->values[i] != 0;
    }
    return n;
}

/* The aggregate of one sample, which is empty only for count. */
static double
aggregate_of(const Threshold *threshold, Sample *sample)
{
    switch (threshold->aggregate) {
    case THRESHOLD_AVG:
        return sample->mean;
    case THRESHOLD_MIN:
        return sample->min;
    case THRESHOLD_MAX:
        return sample->max;
    case THRESHOLD_MED:
    case THRESHOLD_P:
        return sample_quantile(sample, threshold->percent / 100);
    case THRESHOLD_COUNT:
        return sample == NULL ? 0 : (double)sample->n;
    case THRESHOLD_RATE:
        return (double)count_hits(sample) / (double)sample->n;
    case THRESHOLD_VALUE:
        return sample->values[sample->n - 1];
    }
    g_assert_not_reached();
}

static void
add_observations(Judgement *judgement, const Sample *sample)
{
    ThresholdAggregate aggregate = judgement->threshold->aggregate;
    if (aggregate == THRESHOLD_MED || aggregate == THRESHOLD_P) {
        sample_merge(&judgement->pooled, sample);
    }
    if (aggregate == THRESHOLD_RATE) {
        judgement->n_hits += count_hits(sample);
    }
    judgement->n_observations += sample->n;
    judgement->is_single = judgement->is_single && sample->n == 1;
}

static void
judgement_init(Judgement *judgement, const Threshold *threshold, const ThresholdRun *runs,
               size_t n_runs, double confidence)
{
    *judgement = (Judgement){
        .threshold = threshold,
        .confidence = confidence,
        .n_runs = n_runs,
        .runs = g_new(const ThresholdRun *, n_runs),
        .groups = g_new(const Sample *, n_runs),
        .is_single = true,
    };
    for (size_t i = 0; i < n_runs; i++) {
        Sample *sample = runs[i].sample;
        bool is_empty = sample == NULL || sample->n == 0;
        if (is_empty && threshold->aggregate != THRESHOLD_COUNT) {
            continue;
        }
        judgement->groups[judgement->n] = sample;
        judgement->runs[judgement->n++] = &runs[i];
        sample_add(&judgement->values, aggregate_of(threshold, sample));
        if (!is_empty) {
            add_observations(judgement, sample);
        }
    }
}

static void
judgement_clear(Judgement *judgement)
{
    g_free(judgement->runs);
    g_free(judgement->groups);
    sample_clear(&judgement->values);
    sample_clear(&judgement->pooled);
}

/* What is reported as seen, over all replications; there is at least one. */
static double
observed_of(Judgement *judgement)
{
    switch (judgement->threshold->aggregate) {
    case THRESHOLD_AVG:
    case THRESHOLD_COUNT:
    case THRESHOLD_RATE:
    case THRESHOLD_VALUE:
        return judgement->values.mean;
    case THRESHOLD_MIN:
        return judgement->values.min;
    case THRESHOLD_MAX:
        return judgement->values.max;
    case THRESHOLD_MED:
    case THRESHOLD_P:
        return aggregate_of(judgement->threshold, &judgement->pooled);
    }
    g_assert_not_reached();
}

/* Whether what was seen is compared as it is. */
static bool
is_exact(const Judgement *judgement)
{
    switch (judgement->threshold->aggregate) {
    case THRESHOLD_MIN:
    case THRESHOLD_MAX:
        return true;
    case THRESHOLD_COUNT:
    case THRESHOLD_VALUE:
        return judgement->n == 1;
    case THRESHOLD_MED:
    case THRESHOLD_P:
        return judgement->n >= 2 && judgement->pooled.min == judgement->pooled.max;
    case THRESHOLD_AVG:
    case THRESHOLD_RATE:
        return false;
    }
    g_assert_not_reached();
}

static Interval
interval_of_quantile(Judgement *judgement)
{
    double p = judgement->threshold->percent / 100;
    if (judgement->is_single) {
        return sample_quantile_interval(&judgement->pooled, p, judgement->confidence);
    }
    return sample_quantile_interval_grouped(&judgement->pooled, judgement->groups, judgement->n, p,
                                            judgement->confidence);
}

static Interval
interval_of_rate(const Judgement *judgement)
{
    size_t n = judgement->n_observations;
    bool is_alike = judgement->n_hits == 0 || judgement->n_hits == n;
    if (judgement->is_single || is_alike) {
        return stats_share_interval(judgement->n_hits, n, judgement->confidence);
    }
    Interval interval;
    sample_mean_interval(&judgement->values, judgement->confidence, &interval);
    return (Interval){fmax(0, interval.low), fmin(1, interval.high)};
}

static Interval
interval_of(Judgement *judgement, double observed)
{
    Interval interval = {-INFINITY, INFINITY};
    if (is_exact(judgement)) {
        return (Interval){observed, observed};
    }
    if (judgement->n < 2) {
        return interval;
    }
    switch (judgement->threshold->aggregate) {
    case THRESHOLD_MED:
    case THRESHOLD_P:
        return interval_of_quantile(judgement);
    case THRESHOLD_RATE:
        return interval_of_rate(judgement);
    case THRESHOLD_AVG:
    case THRESHOLD_COUNT:
    case THRESHOLD_VALUE:
    case THRESHOLD_MIN:
    case THRESHOLD_MAX:
        sample_mean_interval(&judgement->values, judgement->confidence, &interval);
        return interval;
    }
    g_assert_not_reached();
}

/* Verdict. */

static bool
satisfies(const Threshold *threshold, double value)
{
    switch (threshold->comparison) {
    case THRESHOLD_LESS:
        return value < threshold->bound;
    case THRESHOLD_LESS_EQUAL:
        return value <= threshold->bound;
    case THRESHOLD_GREATER:
        return value > threshold->bound;
    case THRESHOLD_GREATER_EQUAL:
        return value >= threshold->bound;
    case THRESHOLD_EQUAL:
        return value == threshold->bound;
    case THRESHOLD_NOT_EQUAL:
        return value != threshold->bound;
    }
    g_assert_not_reached();
}

static ThresholdVerdict
verdict_of(const Threshold *threshold, Interval interval)
{
    bool is_equality =
        threshold->comparison == THRESHOLD_EQUAL || threshold->comparison == THRESHOLD_NOT_EQUAL;
    if (is_equality && interval.low < threshold->bound && threshold->bound < interval.high) {
        return THRESHOLD_INCONCLUSIVE;
    }
    bool low = satisfies(threshold, interval.low), high = satisfies(threshold, interval.high);
    if (low != high) {
        return THRESHOLD_INCONCLUSIVE;
    }
    return low ? THRESHOLD_PASS : THRESHOLD_FAIL;
}

/* How far a replication's value lies to the side that the threshold does not want. */
static double
badness(const Threshold *threshold, double value)
{
    switch (threshold->comparison) {
    case THRESHOLD_LESS:
    case THRESHOLD_LESS_EQUAL:
        return value;
    case THRESHOLD_GREATER:
    case THRESHOLD_GREATER_EQUAL:
        return -value;
    case THRESHOLD_EQUAL:
        return fabs(value - threshold->bound);
    case THRESHOLD_NOT_EQUAL:
        return -fabs(value - threshold->bound);
    }
    g_assert_not_reached();
}

static const ThresholdRun *
worst_of(const Judgement *judgement)
{
    const double *values = judgement->values.values;
    size_t worst = 0;
    for (size_t i = 1; i < judgement->n; i++) {
        if (badness(judgement->threshold, values[i]) >
            badness(judgement->threshold, values[worst])) {
            worst = i;
        }
    }
    return judgement->runs[worst];
}

/* Message. */

static void
append_number(GString *text, double value)
{
    char digits[G_ASCII_DTOSTR_BUF_SIZE];
    bool is_long = fabs(value) >= 1e4 && fabs(value) < 1e15;
    g_string_append(text, g_ascii_formatd(digits, sizeof digits, is_long ? "%.0f" : "%.4g", value));
}

/* As written: all digits that the user gave. */
static void
append_bound(GString *text, double value)
{
    char digits[G_ASCII_DTOSTR_BUF_SIZE];
    g_string_append(text, g_ascii_formatd(digits, sizeof digits, "%.15g", value));
}

static void
append_aggregate(GString *text, const Threshold *threshold)
{
    g_string_append(text, aggregate_names[threshold->aggregate]);
    if (threshold->aggregate == THRESHOLD_P) {
        g_string_append_c(text, '(');
        append_bound(text, threshold->percent);
        g_string_append_c(text, ')');
    }
}

/* "5s", but "5 1/s". */
static void
append_unit(GString *text, const char *unit)
{
    if (g_ascii_isdigit(*unit)) {
        g_string_append_c(text, ' ');
    }
    g_string_append(text, unit);
}

static void
append_want(GString *text, const Threshold *threshold, const char *unit)
{
    g_string_append_printf(text, ", want %s", operator_texts[threshold->comparison]);
    append_bound(text, threshold->bound);
    append_unit(text, unit);
}

/* "95% CI 10.2-11.1", and what it would take to have the end that is missing. */
static void
append_interval(GString *text, const Judgement *judgement, Interval interval)
{
    if (judgement->n < 2) {
        g_string_append(text, ", no interval from one replication");
        return;
    }
    g_string_append(text, ", ");
    append_number(text, 100 * judgement->confidence);
    g_string_append(text, "% CI ");
    append_number(text, interval.low);
    g_string_append(text, interval.low < 0 ? " to " : "-");
    append_number(text, interval.high);
    if (isfinite(interval.low) && isfinite(interval.high)) {
        return;
    }
    double p = judgement->threshold->percent / 100;
    if (judgement->is_single) {
        g_string_append_printf(text, ", both bounds need n>=%zu",
                               stats_quantile_n_needed(p, judgement->confidence));
    } else {
        g_string_append(text, ", both bounds need more replications");
    }
}

static char *
message_of(const Judgement *judgement, const ThresholdResult *result, const char *unit)
{
    const Threshold *threshold = judgement->threshold;
    bool is_pure =
        threshold->aggregate == THRESHOLD_COUNT || threshold->aggregate == THRESHOLD_RATE;
    unit = is_pure ? "" : unit;
    GString *text = g_string_new(NULL);
    append_aggregate(text, threshold);
    g_string_append_c(text, '=');
    if (judgement->n == 0) {
        g_string_append(text, "none");
        append_want(text, threshold, unit);
        g_string_append_printf(text, " (no value in %zu replications)", judgement->n_runs);
        return g_string_free(text, FALSE);
    }
    append_number(text, result->observed);
    append_unit(text, unit);
    append_want(text, threshold, unit);
    g_string_append_printf(text, " (n=%zu", judgement->n);
    if (!is_exact(judgement)) {
        append_interval(text, judgement, result->interval);
    }
    g_string_append_printf(text, ", %srep %d seed 0x%" G_GINT64_MODIFIER "x",
                           judgement->n == 1 ? "" : "worst ", result->worst->replication,
                           result->worst->seed);
    if (judgement->n < judgement->n_runs) {
        g_string_append_printf(text, "; no value in %zu of %zu replications",
                               judgement->n_runs - judgement->n, judgement->n_runs);
    }
    g_string_append_c(text, ')');
    return g_string_free(text, FALSE);
}

void
threshold_evaluate(const Threshold *threshold, const ThresholdRun *runs, size_t n_runs,
                   double confidence, const char *unit, ThresholdResult *result)
{
    Judgement judgement;
    judgement_init(&judgement, threshold, runs, n_runs, confidence);
    *result = (ThresholdResult){
        .verdict = THRESHOLD_INCONCLUSIVE,
        .n = judgement.n,
        .observed = NAN,
        .interval = {-INFINITY, INFINITY},
    };
    if (judgement.n > 0) {
        result->observed = observed_of(&judgement);
        result->interval = interval_of(&judgement, result->observed);
        result->worst = worst_of(&judgement);
        result->verdict = verdict_of(threshold, result->interval);
    }
    if (judgement.n < n_runs && result->verdict == THRESHOLD_PASS) {
        result->verdict = THRESHOLD_INCONCLUSIVE;
    }
    result->message = message_of(&judgement, result, unit);
    judgement_clear(&judgement);
}
