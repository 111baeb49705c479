/* Non-negative probability distributions as values: latencies, service times, start delays.
 *
 * A Dist is made by one of the functions below and checked once, by dist_check, where it comes in;
 * everything else may assume that it is valid.  The unit is the caller's (seconds as a rule).
 *
 * Draws are made by inversion, and each takes exactly one draw of its stream, a constant too: two
 * scenarios that differ in a distribution keep their streams in step (common random numbers), and a
 * greater uniform gives a greater value under both.
 *
 * Inverses and moments follow the GSL reference manual, chapters "Random Number Distributions" and
 * "Cumulative Distribution Functions"; the parameters here are those that a measurement gives
 * (mean, cv = standard deviation / mean), not GSL's. */
#pragma once

#include "base/nsec.h"
#include "base/random.h"

/* Kind, name, names of the parameters. */
#define DIST_KINDS(X)                                                                              \
    X(CONSTANT, "constant", "value", NULL, NULL)                                                   \
    X(UNIFORM, "uniform", "min", "max", NULL)                                                      \
    X(EXPONENTIAL, "exponential", "mean", NULL, NULL)                                              \
    X(NORMAL, "normal", "mean", "sd", NULL)                                                        \
    X(LOGNORMAL, "lognormal", "mean", "cv", NULL)                                                  \
    X(GAMMA, "gamma", "mean", "cv", NULL)                                                          \
    X(WEIBULL, "weibull", "mean", "shape", NULL)                                                   \
    X(TRIANGULAR, "triangular", "min", "mode", "max")

typedef enum DistKind {
#define X(kind, name, first, second, third) DIST_##kind,
    DIST_KINDS(X)
#undef X
} DistKind;

/* Embedded by value; owns nothing.  All zero is the constant 0. */
typedef struct Dist {
    DistKind kind;
    double params[3]; /* in the order of DIST_KINDS */
    double shift;     /* added to every value */
} Dist;

/* `normal` is the normal distribution of that mean and standard deviation, given that the value is
 * not negative: values below 0 are never drawn, and dist_mean answers a little more than `mean`.
 * A cv or sd of 0 makes a constant. */
Dist dist_constant(double value);
Dist dist_uniform(double min, double max);
Dist dist_exponential(double mean);
Dist dist_normal(double mean, double sd);
Dist dist_lognormal(double mean, double cv);
Dist dist_gamma(double mean, double cv);
Dist dist_weibull(double mean, double shape);
Dist dist_triangular(double min, double mode, double max);

/* The same distribution, moved up by `offset` (added to an earlier one). */
Dist dist_shifted(Dist dist, double offset);

/* False with an error (INVALID) that names the parameter, what was found and what was expected. */
bool dist_check(const Dist *dist, GError **error);

/* The value below which a share p of the draws lies; 0 < p < 1. */
double dist_quantile(const Dist *dist, double p);

double dist_mean(const Dist *dist);

/* One value, never negative: the quantile of the stream's next uniform.  About 0.1 us, a gamma
 * 1-3 us. */
double dist_draw(const Dist *dist, RandomStream *stream);

/* The same as a time, for a distribution in seconds. */
nsec_t dist_draw_nsec(const Dist *dist, RandomStream *stream);

/* "lognormal(mean=0.25, cv=0.3) + 0.1", the same in every locale; free with g_free. */
char *dist_format(const Dist *dist);
