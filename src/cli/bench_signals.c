/* bench_signals.c - Ctrl-C and the like during `cola bench`: noticed between two steps of the engine and
 * while another program is waited for, said, and nothing is printed as a measurement. */
#include "cli/bench.h"
#ifdef COLA_HDF5
#include "cola/cluster.h"

void cola_bench_watch_signals(void)
{
    cola_signals_install();
}

enum cola_status cola_bench_stopped(void)
{
    if (cola_signals_stop() == COLA_STOP_NONE) return COLA_OK;
    return cola_fail(COLA_ERR_STOPPED, "stopped; nothing of it is kept");
}
#else
void cola_bench_watch_signals(void) {}

enum cola_status cola_bench_stopped(void)
{
    return COLA_OK;
}
#endif
