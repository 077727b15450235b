#pragma once
#include <stddef.h>
#include <stdint.h>

typedef int (*millrace_fuzz_target)(const uint8_t *data, size_t size);

/// libFuzzer's main loop; the library comes with `-sanitize=fuzzer`.
int LLVMFuzzerRunDriver(int *argc, char ***argv, millrace_fuzz_target target);
