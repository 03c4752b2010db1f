/* onednn_absent.c - in place of the other onednn_*.c where the library is not built in (CMake chooses): open
 * says so, and nothing else is reached. */
#include "engine/cpu/onednn.h"

static enum cola_status absent(void)
{
    return cola_fail(COLA_ERR_UNSUPPORTED,
                     "oneDNN is not built in (COLA_ONEDNN is off, or there was no libdnnl-dev)");
}

const char *cola_onednn_version(void)
{
    return NULL;
}

enum cola_status cola_onednn_open(struct cola_threads *threads, struct cola_onednn **out)
{
    (void)threads, (void)out;
    return absent();
}

void cola_onednn_close(struct cola_onednn *o)
{
    (void)o;
}

void cola_onednn_numerics_id(const struct cola_onednn *o, char *text, size_t n_text)
{
    (void)o;
    if (n_text) text[0] = '\0';
}

size_t cola_onednn_matrix_bytes(struct cola_onednn *o, const struct cola_tensor *tensor)
{
    (void)o, (void)tensor;
    return 0;
}

enum cola_status cola_onednn_load_matrix(struct cola_onednn *o, const struct cola_tensor *tensor, void *room,
                                         bool filled, struct cola_matrix **out)
{
    (void)o, (void)tensor, (void)room, (void)filled, (void)out;
    return absent();
}

void cola_onednn_release_matrix(struct cola_onednn *o, struct cola_matrix *matrix)
{
    (void)o, (void)matrix;
}

enum cola_status cola_onednn_product(struct cola_onednn *o, const float *x, uint32_t n_rows,
                                     const struct cola_product *product, uint32_t n_products, bool add)
{
    (void)o, (void)x, (void)n_rows, (void)product, (void)n_products, (void)add;
    return absent();
}
