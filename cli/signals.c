/* SIGINT and SIGTERM end the work, not the program: what is whole stays, the rest is not written.
 */
#include "cli/cli.h"

#include <signal.h>

static volatile int interrupted; /* set by the signal handler, read by the workers */

static void
on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

const volatile int *
catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESETHAND};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    return &interrupted;
}
