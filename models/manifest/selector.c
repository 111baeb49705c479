/* Targets of patches.
 *
 * Rules: kustomize api/types/selector.go, api/resmap/reswrangler.go (Select); apimachinery
 * pkg/labels/selector.go for the text of label selectors. */
#include "models/manifest/selector.h"

#include "models/labels.h"

#include <string.h>

enum { PART_GROUP, PART_VERSION, PART_KIND, PART_NAME, PART_NAMESPACE, N_PARTS };

struct Selector {
    GRegex *parts[N_PARTS]; /* NULL: anything */
    GArray *labels;         /* SelectorRequirement */
    GArray *annotations;    /* SelectorRequirement */
};

/* ------ label selectors ------ */

static void
add_requirement(GArray *requirements, SelectorOperator op, const char *key, const char *values)
{
    SelectorRequirement requirement = {
        .key = g_strstrip(g_strdup(key)),
        .op = op,
        .values = g_strsplit(values != NULL ? values : "", ",", -1),
    };
    for (guint i = 0; requirement.values[i] != NULL; i++) {
        g_strstrip(requirement.values[i]);
    }
    g_array_append_val(requirements, requirement);
}

/* "key in (a,b)" or "key notin (a,b)"; false when the text is something else. */
static bool
parse_set(const char *text, GArray *requirements)
{
    g_autoptr(GRegex) regex =
        g_regex_new("^\\s*([^\\s!=,()]+)\\s+(in|notin)\\s*\\(([^()]*)\\)\\s*$", 0, 0, NULL);
    g_autoptr(GMatchInfo) match = NULL;
    if (!g_regex_match(regex, text, 0, &match)) {
        return false;
    }
    g_autofree char *key = g_match_info_fetch(match, 1);
    g_autofree char *op = g_match_info_fetch(match, 2);
    g_autofree char *values = g_match_info_fetch(match, 3);
    add_requirement(requirements, strcmp(op, "in") == 0 ? SELECTOR_IN : SELECTOR_NOT_IN, key,
                    values);
    return true;
}

/* "key=value", "key==value", "key!=value", "key" or "!key". */
static bool
parse_equality(const char *text, GArray *requirements)
{
    g_autoptr(GRegex) regex = g_regex_new(
        "^\\s*(!?)\\s*([^\\s!=,()]+)\\s*(?:(==?|!=)\\s*([^\\s!=,()]*)\\s*)?$", 0, 0, NULL);
    g_autoptr(GMatchInfo) match = NULL;
    if (!g_regex_match(regex, text, 0, &match)) {
        return false;
    }
    g_autofree char *absent = g_match_info_fetch(match, 1);
    g_autofree char *key = g_match_info_fetch(match, 2);
    g_autofree char *op = g_match_info_fetch(match, 3);
    g_autofree char *value = g_match_info_fetch(match, 4);
    bool compares = op != NULL && *op != '\0';
    if (*absent != '\0' && compares) {
        return false;
    }
    if (compares) {
        add_requirement(requirements, *op == '!' ? SELECTOR_NOT_IN : SELECTOR_IN, key, value);
    } else {
        add_requirement(requirements, *absent != '\0' ? SELECTOR_DOES_NOT_EXIST : SELECTOR_EXISTS,
                        key, NULL);
    }
    return true;
}

/* Splits at the commas outside parentheses. */
static GPtrArray *
split_terms(const char *text)
{
    GPtrArray *terms = g_ptr_array_new_with_free_func(g_free);
    const char *start = text;
    int depth = 0;
    for (const char *at = text;; at++) {
        depth += (*at == '(' ? 1 : 0) - (*at == ')' ? 1 : 0);
        if (*at == '\0' || (*at == ',' && depth == 0)) {
            g_ptr_array_add(terms, g_strndup(start, (gsize)(at - start)));
            start = at + 1;
        }
        if (*at == '\0') {
            return terms;
        }
    }
}

static bool
parse_requirements(const TreeNode *node, GArray *out, GError **error)
{
    const char *text = NULL;
    if (tree_is_null(node)) {
        return true;
    }
    if (!tree_read_string(node, &text, error)) {
        return false;
    }
    g_autoptr(GPtrArray) terms = split_terms(text);
    for (guint i = 0; *text != '\0' && i < terms->len; i++) {
        if (!parse_set(terms->pdata[i], out) && !parse_equality(terms->pdata[i], out)) {
            return tree_error(error, node, VWIRE_ERROR_PARSE,
                              "found \"%.60s\" in a selector; expected key=value, key!=value, key, "
                              "!key, key in (a,b) or key notin (a,b)",
                              (char *)terms->pdata[i]);
        }
    }
    return true;
}

static bool
requirements_match(const GArray *requirements, const TreeNode *pairs)
{
    Labels labels = {0};
    for (guint i = 0; requirements->len > 0 && i < tree_size(pairs); i++) {
        const char *value = tree_text(tree_item(pairs, i));
        if (pairs->kind == TREE_MAPPING && value != NULL) {
            labels_set(&labels, tree_key(pairs, i), value);
        }
    }
    bool matches = true;
    for (guint i = 0; matches && i < requirements->len; i++) {
        matches = selector_requirement_matches(&g_array_index(requirements, SelectorRequirement, i),
                                               &labels);
    }
    labels_clear(&labels);
    return matches;
}

/* ------ selectors ------ */

static bool
read_part(const TreeNode *target, const char *key, GRegex **out, GError **error)
{
    const TreeNode *node = tree_get(target, key);
    const char *text = NULL;
    g_autoptr(GError) cause = NULL;
    if (tree_is_null(node)) {
        return true;
    }
    if (!tree_read_string(node, &text, error)) {
        return false;
    }
    if (*text == '\0') {
        return true;
    }
    g_autofree char *whole = g_strdup_printf("^(?:%s)$", text);
    *out = g_regex_new(whole, G_REGEX_DOLLAR_ENDONLY, 0, &cause);
    if (*out == NULL) {
        return tree_error(error, node, VWIRE_ERROR_PARSE,
                          "found \"%.60s\"; expected a regular expression: %s", text,
                          cause->message);
    }
    return true;
}

Selector *
selector_read(const TreeNode *target, GError **error)
{
    static const char *const KEYS[] = {
        "group", "version", "kind", "name", "namespace", "labelSelector", "annotationSelector",
        NULL};
    if (!tree_expect(target, TREE_MAPPING, "target", error) ||
        !tree_check_keys(target, KEYS, "a target", error)) {
        return NULL;
    }
    g_autoptr(Selector) selector = g_new0(Selector, 1);
    selector->labels = g_array_new(FALSE, FALSE, sizeof(SelectorRequirement));
    selector->annotations = g_array_new(FALSE, FALSE, sizeof(SelectorRequirement));
    g_array_set_clear_func(selector->labels, (GDestroyNotify)selector_requirement_clear);
    g_array_set_clear_func(selector->annotations, (GDestroyNotify)selector_requirement_clear);
    for (guint i = 0; i < N_PARTS; i++) {
        if (!read_part(target, KEYS[i], &selector->parts[i], error)) {
            return NULL;
        }
    }
    if (!parse_requirements(tree_get(target, "labelSelector"), selector->labels, error) ||
        !parse_requirements(tree_get(target, "annotationSelector"), selector->annotations, error)) {
        return NULL;
    }
    return g_steal_pointer(&selector);
}

void
selector_free(Selector *selector)
{
    for (guint i = 0; i < N_PARTS; i++) {
        g_clear_pointer(&selector->parts[i], g_regex_unref);
    }
    g_array_unref(selector->labels);
    g_array_unref(selector->annotations);
    g_free(selector);
}

static bool
part_matches(const Selector *selector, guint part, const char *text)
{
    const GRegex *regex = selector->parts[part];
    return regex == NULL || g_regex_match(regex, text, 0, NULL);
}

static bool
id_matches(const Selector *selector, const ResourceId *id)
{
    g_autofree char *group = api_group(id->api_version);
    return part_matches(selector, PART_KIND, id->kind) &&
           part_matches(selector, PART_NAME, id->name) &&
           part_matches(selector, PART_GROUP, group) &&
           part_matches(selector, PART_VERSION, api_number(id->api_version)) &&
           part_matches(selector, PART_NAMESPACE, resource_id_namespace(id));
}

bool
selector_matches(const Selector *selector, const Resource *resource)
{
    const TreeNode *metadata = tree_get(resource->tree, "metadata");
    ResourceId now = resource_id(resource);
    bool fits = id_matches(selector, &now);
    for (guint i = 0; !fits && i < resource->past->len; i++) {
        fits = id_matches(selector, resource->past->pdata[i]);
    }
    return fits && requirements_match(selector->labels, tree_get(metadata, "labels")) &&
           requirements_match(selector->annotations, tree_get(metadata, "annotations"));
}
