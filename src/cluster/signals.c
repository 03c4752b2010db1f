/* signals.c - signals become a flag. The flag is the process's: a signal handler can reach nothing else.
 *
 * Every rank installs the handlers, before MPI starts, because mpirun forwards USR1 to all ranks and its
 * default ends a process. Only the master asks for the flag; workers go on until they are dismissed. */
#include <signal.h>
#include <string.h>

#include "cola/cluster.h"

static volatile sig_atomic_t wanted = COLA_STOP_NONE;

static void on_signal(int number)
{
    enum cola_stop stop = number == SIGUSR1 ? COLA_STOP_SOON : COLA_STOP_NOW;
    if ((sig_atomic_t)stop > wanted) wanted = (sig_atomic_t)stop;
}

void cola_signals_install(void)
{
    static const int numbers[] = {SIGUSR1, SIGTERM, SIGINT};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct sigaction action;
        memset(&action, 0, sizeof action);
        sigemptyset(&action.sa_mask);
        action.sa_handler = on_signal;
        /* RESTART: files and MPI see no EINTR. RESETHAND: who presses Ctrl-C twice means it. */
        action.sa_flags = SA_RESTART | (numbers[i] == SIGINT ? (int)SA_RESETHAND : 0);
        sigaction(numbers[i], &action, NULL);
    }
}

enum cola_stop cola_signals_stop(void)
{
    return (enum cola_stop)wanted;
}
