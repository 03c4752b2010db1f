/* engine.h - requests (sample, chain) in, results out one by one. Knows nothing of trees, ranks or files.
 *
 *     struct cola_engine_options o = {.backend = "cpu", .n_threads = 0};
 *     struct cola_engine *e;
 *     COLA_TRY(cola_engine_create(model, &o, &e));
 *     while (more && cola_engine_room(e)) COLA_TRY(cola_engine_submit(e, &request));
 *     while (cola_engine_n_pending(e)) COLA_TRY(cola_engine_step(e, done, user));
 *     cola_engine_destroy(e);
 *
 * The bits of a result depend on (model, prompt, chain, what is scored, numerics id) only: never on what else
 * is in flight, the order, or the number of threads (docs/numerics.md).
 *
 * The alphabet of shapes, used by every comment in src/engine and src/model:
 *   T tokens of one sequence, D hidden size, H query heads, G key/value heads, d head size, F feed-forward
 * size, V vocabulary, L layers, N rows of one batch, K inner size of a product, M its output columns. */
#ifndef COLA_ENGINE_H
#define COLA_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "cola/chain.h"
#include "cola/model.h"
#include "cola/result.h"
#include "cola/status.h"
#include "cola/task.h"

struct cola_engine_options {
    const char *backend;   /* "auto", "ref", "cpu"; "cuda" where built */
    const char *isa;       /* cpu: "auto", "avx2", "avx512": forced in tests of equal bytes */
    uint32_t n_threads;    /* 0: all cores this process may use */
    uint32_t max_rows;     /* rows of one layer batch at most; 0: default */
    uint32_t max_requests; /* requests in flight at most; 0: default */
    /* Memory for states that chains of one sample share; 0: none are. Samples of equal index must then be the
     * same sample, until cola_engine_forget. Changes no bit. */
    uint64_t state_bytes;
};

struct cola_request {
    uint64_t id;
    const struct cola_sample *sample; /* borrowed until its result was handed out */
    struct cola_chain chain;          /* copied by submit */
};

struct cola_engine_info {
    const char *backend;   /* "cpu" */
    char device[64];       /* "avx512, 2 threads" */
    char numerics_id[32];  /* "f32-1" */
    uint64_t weight_bytes; /* held by the back end */
};

struct cola_engine_counters {                /* since creation; for bench and timing, never for results */
    uint64_t n_steps, n_layer_steps, n_rows; /* steps of all kinds; of layers, and their rows */
    uint64_t layers_asked, layers_executed;
    double product_flops, product_seconds; /* matrix products only */
    double seconds;                        /* inside step */
};

/* `user` as given to step; the result's arrays are valid during the call. */
typedef enum cola_status cola_result_fn(void *user, const struct cola_result *result);

struct cola_engine;

enum cola_status cola_engine_create(const struct cola_model *model, const struct cola_engine_options *options,
                                    struct cola_engine **out); /* borrows model */
void cola_engine_destroy(struct cola_engine *engine);          /* NULL allowed */

/* COLA_ERR_INPUT for a chain, token or length that does not fit the model: that request alone is refused, the
 * engine is unchanged. Call only while room > 0. */
enum cola_status cola_engine_submit(struct cola_engine *engine, const struct cola_request *request);

/* One layer over the rows that wait for it; hands out what finished. A failure of `done` or the back end ends
 * it. */
enum cola_status cola_engine_step(struct cola_engine *engine, cola_result_fn *done, void *user);

uint32_t cola_engine_room(const struct cola_engine *engine);      /* requests it can take now */
uint32_t cola_engine_n_pending(const struct cola_engine *engine); /* submitted, no result yet */
void cola_engine_forget(struct cola_engine *engine,
                        uint32_t sample); /* the sample's search is over: drop its states */
void cola_engine_info(const struct cola_engine *engine, struct cola_engine_info *out);
/* FLOP/s of a register-only loop of fused multiply-adds on the engine's threads; 0 where the back end has
 * none. */
double cola_engine_measure_peak(struct cola_engine *engine, double seconds);
void cola_engine_counters(const struct cola_engine *engine, struct cola_engine_counters *out);

#endif
