/* Distributions as vwire's documents write them: `{lognormal: {mean: 2ms, cv: 0.3}, offset: 1ms}`.
 *
 * The keys of an entry: `value` for a constant, or one of the names of base/dist.h with the
 * parameters below it, and an `offset`.  Which further keys an entry may have is the caller's
 * (tree_check_keys).  Used by calibrations and by traffic. */
#pragma once

#include "base/dist.h"
#include "base/tree.h"

/* The keys, for the list that tree_check_keys takes. */
#define DISTRIBUTION_KEYS                                                                          \
    "value", "uniform", "exponential", "normal", "lognormal", "gamma", "weibull", "triangular",    \
        "offset"

/* A duration, which becomes seconds, or a plain number that is not negative. */
bool distribution_read_amount(const TreeNode *node, bool duration, double *out, GError **error);

/* The one distribution of a mapping; an error when it has none, several or a bad one.  `duration`:
 * its amounts are durations; cv and shape are plain numbers always. */
bool distribution_read(const TreeNode *entry, bool duration, Dist *out, GError **error);
