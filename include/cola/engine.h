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

/* Engines of one machine that load the same model in the same way may hold one copy of its weights. */
struct cola_weight_sharing {
    uint64_t key;           /* equal for those that share; 0: nobody does */
    uint32_t rank, n_ranks; /* of this engine on its machine; rank 0 packs the weights for all */
    /* Asked while this engine waits for rank 0's: true ends create with COLA_ERR_STOPPED. NULL: never. */
    bool (*given_up)(void *user);
    void *user;
};

/* The largest request that will come; n_rows 0: not known. */
struct cola_engine_demand {
    uint32_t sample;          /* its index, for messages */
    uint32_t n_layers;        /* of its chain */
    uint32_t n_rows;          /* cola_engine_rows of its sample */
    uint32_t n_answer_tokens; /* generate: max_new_tokens; else 0 */
};

/* Rows that a sample's first pass takes through the layers: its prompt, and each continuation but for its
 * last token. */
uint32_t cola_engine_rows(const struct cola_sample *sample);
struct cola_engine_demand cola_engine_demand(const struct cola_sample *sample, uint32_t n_layers);

struct cola_engine_options {
    const char *backend; /* "auto", "ref", "cpu"; "cuda" where built. "auto" takes a GPU where there is one */
    const char *isa;     /* cpu: "auto", "avx2", "avx512", "avx512_bf16": forced in tests of equal bytes */
    uint32_t n_threads;  /* 0: all cores this process may use */
    uint32_t max_rows;   /* rows of one layer batch at most; 0: default */
    uint32_t max_requests; /* requests in flight at most; 0: default */
    bool bf16;             /* the fast mode (docs/numerics.md, "The bf16 mode"); false: exact f32 */
    /* bf16: who multiplies. "exact" (and NULL): as docs/numerics.md defines, the same bytes on every machine.
     * "onednn": the library, with sums of its own; COLA_ERR_UNSUPPORTED where it cannot be used. */
    const char *bf16_products;
    /* Everything the engine allocates: weights, batches, requests in flight, shared states. 0: no bound. Less
     * of it makes the engine slower, never wrong; a request that cannot run alone within it is refused. */
    uint64_t memory_bytes;
    /* Where memory_bytes is 0: of all sharing.n_ranks engines of this machine together, which divide it
     * evenly but for weights that they share, which count once. 0: no bound. */
    uint64_t machine_memory_bytes;
    /* Of that, for states that chains of one sample share; 0: none are, UINT64_MAX: all that is left. Samples
     * of equal index must then be the same sample, until cola_engine_forget. Changes no bit. */
    uint64_t state_bytes;
    /* Create refuses with COLA_ERR_MEMORY what could not run alone within the bound, and takes batches so
     * small that it can. So no request within the demand is refused later. */
    struct cola_engine_demand demand;
    struct cola_weight_sharing sharing; /* {0}: this engine has its own copy of the weights */
    /* cuda: engines of this machine that may share a GPU, told to all of them alike; 0: each has its own.
     * sharing.rank says which one this engine takes, also where nothing is shared. */
    uint32_t ranks_per_gpu;
};

struct cola_request {
    uint64_t id;
    const struct cola_sample *sample; /* borrowed until its result was handed out */
    struct cola_chain chain;          /* copied by submit */
};

struct cola_engine_info {
    const char *backend;     /* "cpu" */
    char device[64];         /* "avx512, 2 threads" */
    char numerics_id[32];    /* "f32-1" */
    uint64_t weight_bytes;   /* held by the back end */
    bool weights_are_shared; /* with other engines of this machine ... */
    bool weights_were_here;  /* ... one of which packed them */
    uint64_t memory_bytes;   /* the bound; 0: none */
    uint64_t batch_bytes;    /* buffers of one batch */
    uint64_t state_bytes;    /* shared states take at most; UINT64_MAX: no bound */
    uint32_t max_rows;       /* of one batch; fewer than asked for where memory is short */
    uint32_t max_requests;
};

/* What an engine's time goes to. */
enum cola_phase {
    COLA_PHASE_OTHER,     /* tables, plan, scores */
    COLA_PHASE_PRODUCTS,  /* matrix products of the layers */
    COLA_PHASE_HEAD,      /* the head's product and its reduction */
    COLA_PHASE_ATTENTION, /* scores, softmax, values */
    COLA_PHASE_ROWS,      /* norms, biases, rotation, gate, experts' routing */
    COLA_PHASE_STATES,    /* rows gathered and scattered, keys and shared states stored */
    COLA_N_PHASES
};
extern const char *const cola_phase_name[COLA_N_PHASES];

enum { COLA_ROW_CLASSES = 11 }; /* batches of 1, 2-3, 4-7, .. 512-1023, 1024 and more rows */

struct cola_engine_counters {               /* since creation; for bench and timing, never for results */
    uint64_t n_steps, n_layer_steps;        /* steps of all kinds; of layers */
    uint64_t n_rows, n_head_rows;           /* rows of the layer steps; rows that went through the head */
    uint64_t layers_asked, layers_executed; /* of all passes: a generated token is one more pass */
    uint64_t row_layers_asked;              /* rows x layers, as n_rows is of what was executed */
    double seconds, phase_s[COLA_N_PHASES]; /* inside step, and what they went to */
    double product_flops, head_flops, head_weight_bytes;
    struct {
        uint64_t n_products;
        double flops, weight_bytes, seconds;  /* weight_bytes: each product's weights, once */
    } by_rows[COLA_ROW_CLASSES];              /* the layers' products by the rows of their batch */
    uint64_t state_bytes, most_state_bytes;   /* held by shared states now, and at most so far */
    uint64_t memory_bytes, most_memory_bytes; /* allocated now, weights included; at most so far */
};

/* `user` as given to step; the result's arrays are valid during the call. */
typedef enum cola_status cola_result_fn(void *user, const struct cola_result *result);

struct cola_engine;

/* What create would allocate for the model, without loading it: for estimates. */
struct cola_engine_needs {
    const char *backend;
    char device[64];
    uint32_t max_requests; /* in flight at most */
    uint64_t weight_bytes;
    uint64_t batch_bytes,
        least_batch_bytes; /* of max_rows rows; of the fewest that an engine gets along with */
    uint64_t
        state_row_bytes; /* a row in flight, and each row of a shared state; keys of generating jobs apart */
    uint64_t request_bytes; /* of options.demand: its rows, and the keys that it stores; 0: no demand */
    uint64_t least_bytes;   /* the smallest memory_bytes that create takes with this demand */
};
/* COLA_ERR_MEMORY as create, where options.memory_bytes is given and too little; *out is filled then, too. */
enum cola_status cola_engine_estimate(const struct cola_model *model,
                                      const struct cola_engine_options *options,
                                      struct cola_engine_needs *out);

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
/* FLOP/s of a register-only loop of fused multiply-adds on the engine's threads, in the bf16 mode of products
 * of bf16 where the CPU has them; 0 where the back end has none. */
double cola_engine_measure_peak(struct cola_engine *engine, double seconds);
/* Bytes/s at which the engine's threads together read its weights, once through and again for `seconds`; 0
 * where the back end has no such measurement. */
double cola_engine_measure_bandwidth(struct cola_engine *engine, double seconds);
void cola_engine_counters(const struct cola_engine *engine, struct cola_engine_counters *out);

#endif
