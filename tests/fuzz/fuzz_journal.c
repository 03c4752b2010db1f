/* fuzz_journal.c - a journal changed as the fuzzer's bytes say is resumed: it is continued, and what was
 * continued opens again, or it is refused and stays as it was. See hostile.h. */
#include "fuzz/hostile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static struct hostile hostile;

static void end(void)
{
    hostile_end(&hostile);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    hostile_begin(&hostile);
    atexit(end);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    hostile_try_journal(&hostile, data, n);
    return 0;
}
