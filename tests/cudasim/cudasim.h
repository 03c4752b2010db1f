/* cudasim.h - what tests ask of the stand-in besides CUDA itself: leave out one barrier or one wait, by its
 * place in the sources, and see whether anything notices. C and C++. */
#ifndef COLA_CUDASIM_H
#define COLA_CUDASIM_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct cudasim_site {
    char file[64]; /* without its directory */
    int line;
};
/* Places of barriers, of the block and of warps, and of waits for events, that this process came by so far;
 * at most `room` of them into site. Returns their number. */
size_t cudasim_sites(struct cudasim_site *site, size_t room);

/* From now on that place does nothing; line 0: none. */
void cudasim_leave_out(const struct cudasim_site *site);

#ifdef __cplusplus
}
#endif
#endif
