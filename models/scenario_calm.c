/* What a scenario says of calm time, which is skipped (spec.fastForward), and of the run that is
 * expected (spec.fingerprint). */
#include "models/document.h"
#include "models/scenario_parts.h"

#include <string.h>

bool
scenario_fast_forward_read(const TreeNode *node, Scenario *out, GError **error)
{
    static const char *const KEYS[] = {"after", NULL};
    if (tree_is_null(node)) {
        return true;
    }
    if (!tree_expect(node, TREE_MAPPING, "fastForward", error) ||
        !tree_check_keys(node, KEYS, "spec.fastForward", error)) {
        return false;
    }
    const TreeNode *after = document_require(node, "after", "spec.fastForward", error);
    return after != NULL && scenario_read_time(after, "after", &out->fast_forward, error);
}

/* Digits alone may be a number for YAML, so any scalar will do. */
bool
scenario_fingerprint_read(const TreeNode *node, Scenario *out, GError **error)
{
    enum { DIGITS = 16 };
    const char *text = NULL;
    if (tree_is_null(node)) {
        return true;
    }
    if (!scenario_read_text(node, "fingerprint", &text, error)) {
        return false;
    }
    if (strlen(text) != DIGITS || strspn(text, "0123456789abcdefABCDEF") != DIGITS) {
        return tree_error(error, node, VWIRE_ERROR_PARSE,
                          "fingerprint: found \"%s\"; expected 16 hexadecimal digits", text);
    }
    out->fingerprint = g_ascii_strtoull(text, NULL, 16);
    return out->fingerprint != 0 ||
           tree_error(error, node, VWIRE_ERROR_INVALID,
                      "fingerprint: found %s, which no run has; leave it out", text);
}
