/* One small quantile function per kind; draw, mean, check and format go by the kind. */
#include "base/dist.h"

#include "base/error.h"

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_randist.h>
#include <math.h>

/* Where the numerical methods hold (tests/base/test_dist.c goes to these ends): GSL's incomplete
 * gamma function aborts at a tenth of the first, Weibull's mean overflows beyond the others. */
#define GAMMA_CV_MIN 0.01
#define CV_MAX 100.0
#define WEIBULL_SHAPE_MIN 0.01
#define WEIBULL_SHAPE_MAX 1000.0

typedef struct DistForm {
    const char *name;
    const char *params[3]; /* names, NULL where the kind has fewer */
} DistForm;

static const DistForm forms[] = {
#define X(kind, name, first, second, third) [DIST_##kind] = {name, {first, second, third}},
    DIST_KINDS(X)
#undef X
};

static Dist
make(DistKind kind, double first, double second, double third)
{
    return (Dist){.kind = kind, .params = {first, second, third}};
}

Dist
dist_constant(double value)
{
    return make(DIST_CONSTANT, value, 0, 0);
}

Dist
dist_uniform(double min, double max)
{
    return make(DIST_UNIFORM, min, max, 0);
}

Dist
dist_exponential(double mean)
{
    return make(DIST_EXPONENTIAL, mean, 0, 0);
}

Dist
dist_normal(double mean, double sd)
{
    return make(DIST_NORMAL, mean, sd, 0);
}

Dist
dist_lognormal(double mean, double cv)
{
    return make(DIST_LOGNORMAL, mean, cv, 0);
}

Dist
dist_gamma(double mean, double cv)
{
    return make(DIST_GAMMA, mean, cv, 0);
}

Dist
dist_weibull(double mean, double shape)
{
    return make(DIST_WEIBULL, mean, shape, 0);
}

Dist
dist_triangular(double min, double mode, double max)
{
    return make(DIST_TRIANGULAR, min, mode, max);
}

Dist
dist_shifted(Dist dist, double offset)
{
    dist.shift += offset;
    return dist;
}

static bool
refuse(GError **error, const Dist *dist, const char *expected)
{
    g_autofree char *text = dist_format(dist);
    return error_set(error, VWIRE_ERROR_INVALID, "%s: expected %s", text, expected);
}

static bool
check_each(const Dist *dist, GError **error)
{
    const DistForm *form = &forms[dist->kind];
    for (int i = 0; i < 3 && form->params[i] != NULL; i++) {
        if (!isfinite(dist->params[i]) || dist->params[i] < 0) {
            g_autofree char *expected = g_strdup_printf("a finite %s >= 0", form->params[i]);
            return refuse(error, dist, expected);
        }
    }
    if (!isfinite(dist->shift) || dist->shift < 0) {
        return refuse(error, dist, "a finite shift >= 0");
    }
    return true;
}

/* What is wrong between the parameters, or with their range: what was expected, or NULL. */
static const char *
expected_of_params(const Dist *dist)
{
    const double *params = dist->params;
    switch (dist->kind) {
    case DIST_UNIFORM:
        return params[0] <= params[1] ? NULL : "min <= max";
    case DIST_LOGNORMAL:
    case DIST_GAMMA:
        if (params[0] == 0) {
            return "a mean > 0";
        }
        if (params[1] > CV_MAX) {
            return "a cv of at most 100";
        }
        if (dist->kind == DIST_GAMMA && params[1] > 0 && params[1] < GAMMA_CV_MIN) {
            return "a cv of 0 or of at least 0.01";
        }
        return NULL;
    case DIST_WEIBULL:
        if (params[0] == 0) {
            return "a mean > 0";
        }
        if (params[1] < WEIBULL_SHAPE_MIN || params[1] > WEIBULL_SHAPE_MAX) {
            return "a shape from 0.01 to 1000";
        }
        return NULL;
    case DIST_TRIANGULAR:
        return params[0] <= params[1] && params[1] <= params[2] ? NULL : "min <= mode <= max";
    case DIST_CONSTANT:
    case DIST_EXPONENTIAL:
    case DIST_NORMAL:
        return NULL;
    }
    g_assert_not_reached();
}

bool
dist_check(const Dist *dist, GError **error)
{
    if (!check_each(dist, error)) {
        return false;
    }
    const char *expected = expected_of_params(dist);
    return expected == NULL || refuse(error, dist, expected);
}

/* The upper tail keeps its precision where the lower one is next to 1. */
static double
normal_quantile(double mean, double sd, double p)
{
    if (sd == 0) {
        return mean;
    }
    double above_zero = gsl_cdf_ugaussian_Q(-mean / sd);
    return fmax(0, mean + sd * gsl_cdf_ugaussian_Qinv((1 - p) * above_zero));
}

static double
lognormal_quantile(double mean, double cv, double p)
{
    double variance = log1p(cv * cv); /* of the logarithm */
    return gsl_cdf_lognormal_Pinv(p, log(mean) - variance / 2, sqrt(variance));
}

/* lgamma() writes a global; calibrations are shared between threads. */
static double
log_gamma_of(double x)
{
    int sign;
    return lgamma_r(x, &sign);
}

/* The logarithm of a first approximation to the quantile of the gamma distribution of scale 1:
 * Wilson and Hilferty's cube (PNAS 17, 1931), or P(x) = x^k / Gamma(k+1), true for small x. */
static double
gamma_first_log_quantile(double p, double k)
{
    double cube_root = 1 - 1 / (9 * k) + gsl_cdf_ugaussian_Pinv(p) / (3 * sqrt(k));
    if (k >= 0.5 && cube_root > 0.3) {
        return log(k) + 3 * log(cube_root);
    }
    return (log(p) + log_gamma_of(k + 1)) / k;
}

/* Quantile of the gamma distribution of shape k and scale 1.  gsl_cdf_gamma_Pinv does not converge
 * below a shape of 0.2 or so, nor above 10000, and then aborts the program.  This is Newton's
 * method on the logarithm of the smaller tail over log x, where it is nearly straight, kept
 * inside a bracket that every step narrows. */
static double
gamma_unit_quantile(double p, double k)
{
    const double negligible = -40; /* below, the first approximation is exact to a double */
    const double tolerance = 1e-12;
    double y = gamma_first_log_quantile(p, k);
    if (y < negligible) {
        return exp(y);
    }
    bool lower = p <= 0.5;
    double target = log(lower ? p : 1 - p), log_gamma = log_gamma_of(k);
    double low = negligible - 1, high = log(k + 40 * sqrt(k) + 800);
    y = fmin(y, high);
    for (int i = 0; i < 100; i++) {
        double x = exp(y);
        double tail = lower ? gsl_cdf_gamma_P(x, k, 1) : gsl_cdf_gamma_Q(x, k, 1);
        double excess = lower ? log(tail) - target : target - log(tail);
        *(excess < 0 ? &low : &high) = y;
        double step = excess * tail / exp(k * y - x - log_gamma);
        double next = y - step;
        if (!(next > low && next < high)) {
            next = (low + high) / 2;
        }
        if (fabs(next - y) < tolerance) {
            return exp(next);
        }
        y = next;
    }
    return exp(y);
}

static double
gamma_quantile(double mean, double cv, double p)
{
    if (cv == 0) {
        return mean;
    }
    double shape = 1 / (cv * cv);
    return mean / shape * gamma_unit_quantile(p, shape);
}

static double
triangular_quantile(double min, double mode, double max, double p)
{
    double range = max - min;
    if (p * range <= mode - min) {
        return min + sqrt(p * range * (mode - min));
    }
    return max - sqrt((1 - p) * range * (max - mode));
}

double
dist_quantile(const Dist *dist, double p)
{
    g_assert(p > 0 && p < 1);
    const double *params = dist->params;
    switch (dist->kind) {
    case DIST_CONSTANT:
        return dist->shift + params[0];
    case DIST_UNIFORM:
        return dist->shift + params[0] + p * (params[1] - params[0]);
    case DIST_EXPONENTIAL:
        return dist->shift + gsl_cdf_exponential_Pinv(p, params[0]);
    case DIST_NORMAL:
        return dist->shift + normal_quantile(params[0], params[1], p);
    case DIST_LOGNORMAL:
        return dist->shift + lognormal_quantile(params[0], params[1], p);
    case DIST_GAMMA:
        return dist->shift + gamma_quantile(params[0], params[1], p);
    case DIST_WEIBULL:
        return dist->shift +
               gsl_cdf_weibull_Pinv(p, params[0] / tgamma(1 + 1 / params[1]), params[1]);
    case DIST_TRIANGULAR:
        return dist->shift + triangular_quantile(params[0], params[1], params[2], p);
    }
    g_assert_not_reached();
}

/* Mean of a normal value given that it is >= 0: the parent's mean plus sd x the inverse Mills ratio
 * (GSL reference, "The Gaussian Tail Distribution"). */
static double
normal_mean(double mean, double sd)
{
    if (sd == 0) {
        return mean;
    }
    double bound = -mean / sd;
    return mean + sd * gsl_ran_ugaussian_pdf(bound) / gsl_cdf_ugaussian_Q(bound);
}

double
dist_mean(const Dist *dist)
{
    const double *params = dist->params;
    switch (dist->kind) {
    case DIST_CONSTANT:
    case DIST_EXPONENTIAL:
    case DIST_LOGNORMAL:
    case DIST_GAMMA:
    case DIST_WEIBULL:
        return dist->shift + params[0];
    case DIST_UNIFORM:
        return dist->shift + (params[0] + params[1]) / 2;
    case DIST_NORMAL:
        return dist->shift + normal_mean(params[0], params[1]);
    case DIST_TRIANGULAR:
        return dist->shift + (params[0] + params[1] + params[2]) / 3;
    }
    g_assert_not_reached();
}

double
dist_draw(const Dist *dist, RandomStream *stream)
{
    return dist_quantile(dist, random_uniform(stream));
}

nsec_t
dist_draw_nsec(const Dist *dist, RandomStream *stream)
{
    return nsec_from_seconds(dist_draw(dist, stream));
}

static void
append_number(GString *text, double value)
{
    char digits[G_ASCII_DTOSTR_BUF_SIZE];
    g_string_append(text, g_ascii_formatd(digits, sizeof digits, "%.15g", value));
}

char *
dist_format(const Dist *dist)
{
    const DistForm *form = &forms[dist->kind];
    GString *text = g_string_new(form->name);
    for (int i = 0; i < 3 && form->params[i] != NULL; i++) {
        g_string_append_printf(text, "%s%s=", i == 0 ? "(" : ", ", form->params[i]);
        append_number(text, dist->params[i]);
    }
    g_string_append_c(text, ')');
    if (dist->shift != 0) {
        g_string_append(text, " + ");
        append_number(text, dist->shift);
    }
    return g_string_free(text, FALSE);
}
