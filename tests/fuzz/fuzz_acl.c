/* Fuzzes the reader of a firewall's rules: whatever comes in is read or refused, and what was read
 * can be matched, compared and printed. */
#include "tests/fuzz/acl_case.h"

/* The name is libFuzzer's. NOLINTNEXTLINE(readability-identifier-naming) */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int /* NOLINTNEXTLINE(readability-identifier-naming) */
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    acl_case_check((const char *)data, size);
    return 0;
}
