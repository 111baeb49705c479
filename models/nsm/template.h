/* The part of Go's text/template that NetworkService selectors use, over a set of labels.
 *
 * NSM expands selector values such as "{{.nodeName}}" over the client's labels
 * (sdk@v1.4.0:pkg/tools/matchutils/utils.go processLabels).  Read here: text, {{.key}},
 * {{index . "key"}}, string constants, and the trim markers {{- and -}}.  A missing key gives
 * "<no value>" as a field and "" through index, as Go does with map[string]string. */
#pragma once

#include "models/labels.h"

/* Expands `text`; free *out with g_free.  Anything else of the language is an error
 * (UNSUPPORTED), a broken action too (PARSE): both say what was found and expected. */
bool template_expand(const char *text, const Labels *values, char **out, GError **error);

/* NSM's IsSubset: every pair of `subset`, its value raw or expanded over `values`, is in `of`.
 * As in the SDK an absent key counts as an empty value, and a value that cannot be expanded is
 * compared as it stands (sdk@v1.4.0:pkg/tools/matchutils/utils.go:IsSubset). */
bool template_subset(const Labels *subset, const Labels *of, const Labels *values);
