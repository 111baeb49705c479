/* Label sets as sorted arrays: small, in a fixed order, compared by binary search and merge. */
#include "models/labels.h"

#include <stdint.h>
#include <string.h>

/* The index of the first label that is not before `key`. */
static guint
find_place(const Labels *labels, const char *key)
{
    guint low = 0;
    guint high = labels->n;
    while (low < high) {
        guint middle = low + (high - low) / 2;
        if (strcmp(labels->items[middle].key, key) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool
is_at(const Labels *labels, guint place, const char *key)
{
    return place < labels->n && strcmp(labels->items[place].key, key) == 0;
}

void
labels_clear(Labels *labels)
{
    for (guint i = 0; i < labels->n; i++) {
        g_free(labels->items[i].key);
        g_free(labels->items[i].value);
    }
    g_free(labels->items);
    *labels = (Labels){0};
}

void
labels_copy(const Labels *from, Labels *out)
{
    Labels copy = {from->n, from->n ? g_new(Label, from->n) : NULL};
    for (guint i = 0; i < from->n; i++) {
        copy.items[i] = (Label){g_strdup(from->items[i].key), g_strdup(from->items[i].value)};
    }
    *out = copy;
}

void
labels_set(Labels *labels, const char *key, const char *value)
{
    guint at = find_place(labels, key);
    if (is_at(labels, at, key)) {
        char *old = labels->items[at].value; /* may be `value` itself */
        labels->items[at].value = g_strdup(value);
        g_free(old);
        return;
    }
    labels->items = g_renew(Label, labels->items, labels->n + 1);
    memmove(&labels->items[at + 1], &labels->items[at], (labels->n - at) * sizeof(Label));
    labels->items[at] = (Label){g_strdup(key), g_strdup(value)};
    labels->n++;
}

const char *
labels_get(const Labels *labels, const char *key)
{
    guint at = find_place(labels, key);
    return is_at(labels, at, key) ? labels->items[at].value : NULL;
}

bool
labels_subset(const Labels *subset, const Labels *of)
{
    if (subset->n > of->n) {
        return false;
    }
    for (guint i = 0; i < subset->n; i++) {
        const char *value = labels_get(of, subset->items[i].key);
        if (!value || strcmp(value, subset->items[i].value) != 0) {
            return false;
        }
    }
    return true;
}

bool
labels_equal(const Labels *a, const Labels *b)
{
    return a->n == b->n && labels_subset(a, b);
}

char *
labels_format(const Labels *labels)
{
    GString *s = g_string_new(NULL);
    for (guint i = 0; i < labels->n; i++) {
        const Label *label = &labels->items[i];
        g_string_append_printf(s, "%s%s=%s", i ? "," : "", label->key, label->value);
    }
    return g_string_free(s, FALSE);
}

/* The NSM programs read their environment with kelseyhightower/envconfig, whose maps are split at
 * every comma and then at every colon: a pair with no colon or with two is refused, blanks are
 * kept, the last of equal keys counts (envconfig.go processField). */
bool
labels_parse_env(const char *text, Labels *out, GError **error)
{
    Labels labels = {0};
    g_autofree char *trimmed = g_strstrip(g_strdup(text));
    g_auto(GStrv) pairs = g_strsplit(*trimmed ? text : "", ",", -1);
    for (guint i = 0; pairs[i]; i++) {
        char *colon = strchr(pairs[i], ':');
        if (!colon || strchr(colon + 1, ':')) {
            labels_clear(&labels);
            return error_set(error, VWIRE_ERROR_PARSE,
                             "labels \"%s\": found \"%s\"; expected key:value pairs joined by "
                             "commas, with one colon each",
                             text, pairs[i]);
        }
        *colon = '\0';
        labels_set(&labels, pairs[i], colon + 1);
    }
    *out = labels;
    return true;
}

void
selector_requirement_clear(SelectorRequirement *requirement)
{
    g_free(requirement->key);
    g_strfreev(requirement->values);
    *requirement = (SelectorRequirement){0};
}

/* Gt and Lt compare integers; what is none never matches (apimachinery labels/selector.go). */
static bool
compare_integers(const SelectorRequirement *requirement, const char *value)
{
    int64_t have;
    int64_t bound;
    if (!value || !requirement->values || !requirement->values[0] ||
        !g_ascii_string_to_signed(value, 10, INT64_MIN, INT64_MAX, &have, NULL) ||
        !g_ascii_string_to_signed(requirement->values[0], 10, INT64_MIN, INT64_MAX, &bound, NULL)) {
        return false;
    }
    return requirement->op == SELECTOR_GT ? have > bound : have < bound;
}

/* In needs the key; NotIn also holds where the key is absent (apimachinery labels/selector.go). */
bool
selector_requirement_matches(const SelectorRequirement *requirement, const Labels *labels)
{
    const char *value = labels_get(labels, requirement->key);
    bool listed = value && requirement->values &&
                  g_strv_contains((const char *const *)requirement->values, value);
    switch (requirement->op) {
    case SELECTOR_IN:
        return listed;
    case SELECTOR_NOT_IN:
        return !listed;
    case SELECTOR_EXISTS:
        return value != NULL;
    case SELECTOR_DOES_NOT_EXIST:
        return value == NULL;
    case SELECTOR_GT:
    case SELECTOR_LT:
        return compare_integers(requirement, value);
    }
    g_assert_not_reached();
}

void
label_selector_clear(LabelSelector *selector)
{
    labels_clear(&selector->match_labels);
    for (guint i = 0; i < selector->n_requirements; i++) {
        selector_requirement_clear(&selector->requirements[i]);
    }
    g_free(selector->requirements);
    *selector = (LabelSelector){0};
}

bool
label_selector_matches(const LabelSelector *selector, const Labels *labels)
{
    if (!selector->present || !labels_subset(&selector->match_labels, labels)) {
        return false;
    }
    for (guint i = 0; i < selector->n_requirements; i++) {
        if (!selector_requirement_matches(&selector->requirements[i], labels)) {
            return false;
        }
    }
    return true;
}
