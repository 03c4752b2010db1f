/* fuzz_run.c - a run.h5 changed as the fuzzer's bytes say is read and resumed without its journal: it is read
 * whole or refused, and stays as it was. See hostile.h. */
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
    hostile_try_run(&hostile, data, n);
    return 0;
}
