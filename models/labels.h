/* Label sets and label selectors, as Kubernetes and NSM compare them.
 *
 * A set is sorted by key and immutable once shared; the strings are owned by the set. */
#pragma once

#include "base/error.h"

typedef struct Label {
    char *key;
    char *value;
} Label;

typedef struct Labels {
    guint n;
    Label *items; /* sorted by key, keys unique */
} Labels;

void labels_clear(Labels *labels);
void labels_copy(const Labels *from, Labels *out);
void labels_set(Labels *labels, const char *key, const char *value); /* adds or replaces */
const char *labels_get(const Labels *labels, const char *key);       /* NULL when absent */

/* True when every pair of `subset` is in `of` with the same value; the empty set is in all. */
bool labels_subset(const Labels *subset, const Labels *of);
bool labels_equal(const Labels *a, const Labels *b);

/* "a=b,c=d"; free with g_free. */
char *labels_format(const Labels *labels);

/* Reads NSM's env form "k:v,k2:v2" (NSM_LABELS) into out. */
bool labels_parse_env(const char *text, Labels *out, GError **error);

typedef enum SelectorOperator {
    SELECTOR_IN,
    SELECTOR_NOT_IN,
    SELECTOR_EXISTS,
    SELECTOR_DOES_NOT_EXIST,
    SELECTOR_GT, /* node selectors only */
    SELECTOR_LT,
} SelectorOperator;

typedef struct SelectorRequirement {
    char *key;
    SelectorOperator op;
    char **values; /* NULL-terminated */
} SelectorRequirement;

/* metav1.LabelSelector: all of match_labels and all requirements.  `everything` false and both
 * empty is a nil selector, which matches nothing; an empty one matches everything. */
typedef struct LabelSelector {
    bool present;
    Labels match_labels;
    SelectorRequirement *requirements;
    guint n_requirements;
} LabelSelector;

void selector_requirement_clear(SelectorRequirement *requirement);
bool selector_requirement_matches(const SelectorRequirement *requirement, const Labels *labels);
void label_selector_clear(LabelSelector *selector);
bool label_selector_matches(const LabelSelector *selector, const Labels *labels);
