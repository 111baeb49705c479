/* Fuzzes rendering: an input becomes a directory of files (kustomize_case.h), which is rendered or
 * refused; rendered objects have what later readers rely on. */
#include "tests/fuzz/kustomize_case.h"

/* The name is libFuzzer's. NOLINTNEXTLINE(readability-identifier-naming) */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int /* NOLINTNEXTLINE(readability-identifier-naming) */
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) trees = case_render((const char *)data, size, &error);
    g_assert((trees == NULL) == (error != NULL));
    for (guint i = 0; trees != NULL && i < trees->len; i++) {
        g_assert(tree_text(tree_get(trees->pdata[i], "kind")) != NULL);
        g_assert(tree_text(tree_get_path(trees->pdata[i], "metadata", "name", NULL)) != NULL);
        g_autofree char *json = tree_to_json(trees->pdata[i], true);
        g_assert(json != NULL);
    }
    return 0;
}
