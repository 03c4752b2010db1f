/* search_hdf5.c - `cola search`: options, then the sides of the search (sides_hdf5.h, search_master_hdf5.c).
 */
#include "cli/commands.h"
#include "cli/search_setup.h"

static int run(const struct cola_options *options, double began_s, int argc, char **argv)
{
    struct search_setup setup;
    enum cola_status status = cola_search_setup(options, began_s, &setup);
    if (status != COLA_OK) return cola_sides_refuse(status);
    struct search_run search = {.setup = &setup, .options = options};
    struct cola_sides sides = cola_search_sides(&search);
    return cola_sides_run(&sides, argc, argv);
}

int cola_command_search(int argc, char **argv)
{
    return cola_sides_command(&cola_search_command, run, argc, argv);
}
