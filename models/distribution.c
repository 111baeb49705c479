/* Distributions and the amounts that are their parameters, from YAML. */
#include "models/distribution.h"

#include "models/document.h"

#include <math.h>

/* The keys of an entry that name a distribution; a constant is written `value`. */
static const char *const dist_keys[] = {
#define X(kind, name, first, second, third) [DIST_##kind] = name,
    DIST_KINDS(X)
#undef X
};

static const char *const dist_params[][4] = {
#define X(kind, name, first, second, third) [DIST_##kind] = {first, second, third, NULL},
    DIST_KINDS(X)
#undef X
};

static const char *
dist_key(DistKind kind)
{
    return kind == DIST_CONSTANT ? "value" : dist_keys[kind];
}

bool
distribution_read_amount(const TreeNode *node, bool duration, double *out, GError **error)
{
    nsec_t time = 0;
    double number = 0;
    if (duration) {
        if (!tree_read_duration(node, &time, error)) {
            return false;
        }
        *out = nsec_to_seconds(time);
        return true;
    }
    if (!tree_read_double(node, &number, error)) {
        return false;
    }
    if (number < 0 || !isfinite(number)) {
        return tree_error(error, node, VWIRE_ERROR_INVALID,
                          "found the number %s; expected one that is not negative", node->text);
    }
    *out = number;
    return true;
}

/* Shape and coefficient of variation have no unit. */
static bool
is_duration(const char *param, bool duration)
{
    return duration && !g_str_equal(param, "cv") && !g_str_equal(param, "shape");
}

static bool
read_dist_params(const TreeNode *node, DistKind kind, bool duration, Dist *out, GError **error)
{
    const char *const *names = dist_params[kind];
    if (kind == DIST_CONSTANT) {
        return distribution_read_amount(node, duration, &out->params[0], error);
    }
    if (!tree_expect(node, TREE_MAPPING, dist_keys[kind], error) ||
        !tree_check_keys(node, names, dist_keys[kind], error)) {
        return false;
    }
    for (int i = 0; names[i] != NULL; i++) {
        const TreeNode *value = document_require(node, names[i], dist_keys[kind], error);
        if (value == NULL || !distribution_read_amount(value, is_duration(names[i], duration),
                                                       &out->params[i], error)) {
            return false;
        }
    }
    return true;
}

static bool
find_dist(const TreeNode *entry, DistKind *out, GError **error)
{
    int found = -1;
    for (guint kind = 0; kind < G_N_ELEMENTS(dist_keys); kind++) {
        if (tree_get(entry, dist_key(kind)) == NULL) {
            continue;
        }
        if (found >= 0) {
            return tree_error(error, entry, VWIRE_ERROR_INVALID,
                              "found both \"%s\" and \"%s\"; expected one distribution",
                              dist_key((DistKind)found), dist_key(kind));
        }
        found = (int)kind;
    }
    if (found < 0) {
        return tree_error(error, entry, VWIRE_ERROR_INVALID,
                          "no distribution; expected \"value\" or one of uniform, exponential, "
                          "normal, lognormal, gamma, weibull, triangular");
    }
    *out = (DistKind)found;
    return true;
}

bool
distribution_read(const TreeNode *entry, bool duration, Dist *out, GError **error)
{
    Dist dist = {0};
    if (!find_dist(entry, &dist.kind, error) ||
        !read_dist_params(tree_get(entry, dist_key(dist.kind)), dist.kind, duration, &dist,
                          error)) {
        return false;
    }
    const TreeNode *offset = tree_get(entry, "offset");
    if (offset != NULL && !distribution_read_amount(offset, duration, &dist.shift, error)) {
        return false;
    }
    g_autoptr(GError) cause = NULL;
    if (!dist_check(&dist, &cause)) {
        return tree_error(error, entry, VWIRE_ERROR_INVALID, "%s", cause->message);
    }
    *out = dist;
    return true;
}
