/* onednn.h - products of the bf16 mode by the oneDNN library, for the cpu back end.
 *
 *     if (cola_onednn_open(threads, &device->onednn) != COLA_OK) ...      own kernels; the error text says
 * why if (device->onednn) return cola_onednn_product(device->onednn, x, n_rows, product, n_products, add);
 *     cola_onednn_close(device->onednn);
 *
 * docs/numerics.md, "The bf16 mode". The library's sums have no written order, so what is relied upon is
 * checked on the machine: every primitive must give each row the bits that it has alone. The library starts
 * no thread: the project's own run its primitives, one slice of columns each. Without the library
 * (COLA_ONEDNN=OFF) onednn_absent.c stands in: open says so, the rest is never called. */
#ifndef COLA_ENGINE_CPU_ONEDNN_H
#define COLA_ENGINE_CPU_ONEDNN_H

#include "cola/threads.h"
#include "engine/backend.h"

struct cola_onednn;

const char *cola_onednn_version(void); /* "2.6.3", as found at run time; NULL: not built in */

/* COLA_ERR_UNSUPPORTED: not built in, no fit CPU, or the check failed. Borrows threads. */
enum cola_status cola_onednn_open(struct cola_threads *threads, struct cola_onednn **out);
void cola_onednn_close(struct cola_onednn *o); /* NULL allowed; after its matrices were released */

/* "bf16-onednn2.6-xxxxxxxx": a hash of the products of fixed numbers, in fixed shapes and in the shapes of
 * all matrices loaded so far. Fits 32 bytes. Ask after loading. */
void cola_onednn_numerics_id(const struct cola_onednn *o, char *text, size_t n_text);

/* Contracts: engine/backend.h. An f16 weight is refused; COLA_ERR_UNSUPPORTED too where a check of the
 * matrix's shape, or of a number of rows that has not occurred before, fails. */
size_t cola_onednn_matrix_bytes(struct cola_onednn *o, const struct cola_tensor *tensor);
enum cola_status cola_onednn_load_matrix(struct cola_onednn *o, const struct cola_tensor *tensor, void *room,
                                         bool filled, struct cola_matrix **out);
void cola_onednn_release_matrix(struct cola_onednn *o, struct cola_matrix *matrix);
enum cola_status cola_onednn_product(struct cola_onednn *o, const float *x, uint32_t n_rows,
                                     const struct cola_product *product, uint32_t n_products, bool add);

#endif
