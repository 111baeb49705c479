/* Fuzzes the YAML reader: whatever comes in is read or refused, and what was read is written as
 * YAML that reads back equal. */
#include "base/tree.h"

#include <string.h>

/* The name is libFuzzer's. NOLINTNEXTLINE(readability-identifier-naming) */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_round_trip(const TreeNode *root)
{
    g_autofree char *json = tree_to_json(root, true);
    g_autofree char *yaml = tree_to_yaml(root);
    g_autoptr(GPtrArray) again = tree_parse_text(yaml, strlen(yaml), "again", NULL);
    g_assert(again != NULL && again->len == 1);
    g_autofree char *json_again = tree_to_json(again->pdata[0], true);
    g_assert(strcmp(json, json_again) == 0);
    g_autoptr(TreeNode) copy = tree_copy(root);
    g_assert(tree_equal(copy, root));
}

int /* NOLINTNEXTLINE(readability-identifier-naming) */
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) roots = tree_parse_text((const char *)data, size, "input", &error);
    g_assert((roots == NULL) == (error != NULL));
    g_assert(error == NULL || g_str_has_prefix(error->message, "input:"));
    for (guint i = 0; roots != NULL && i < roots->len; i++) {
        check_round_trip(roots->pdata[i]);
    }
    return 0;
}
