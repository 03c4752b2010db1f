/* stash.c - packs results as the journal's records and columns as they lie in memory, both into the spill
 * file, and checks what comes back; see stash.h. */
#include "record/stash.h"

#include <assert.h>
#include <stdlib.h>
#include <zlib.h>

#include "record/journal_record.h"
#include "record/spill.h"

struct stashed {
    struct cola_place place; /* the latest block of results, or the columns; n_bytes 0: nothing */
    bool columns, several;   /* several: more than one block of results */
};
_Static_assert(sizeof(struct stashed) == COLA_STASH_SAMPLE_BYTES, "what grows with the samples");

struct cola_stash {
    uint32_t first_sample, n_samples;
    struct stashed *sample; /* [n_samples] */
    struct cola_spill *spill;
    uint64_t n_results, n_crashed, n_gone; /* gone: with their sample's columns */
    uint64_t n_items[COLA_N_RUN_COLUMNS];
    struct cola_pack pack; /* one block, written or read */
    struct cola_journal_arrays arrays;
};

enum cola_status cola_stash_create(const char *run_path, uint32_t first_sample, uint32_t n_samples,
                                   struct cola_stash **out)
{
    struct cola_stash *stash = NULL;
    COLA_TRY(cola_alloc((void **)&stash, 1, sizeof *stash, "samples"));
    stash->first_sample = first_sample;
    stash->n_samples = n_samples;
    enum cola_status status =
        cola_alloc((void **)&stash->sample, n_samples, sizeof *stash->sample, "samples");
    if (status == COLA_OK) status = cola_spill_create(run_path, &stash->spill);
    if (status != COLA_OK) {
        cola_stash_destroy(stash);
        return status;
    }
    *out = stash;
    return COLA_OK;
}

void cola_stash_destroy(struct cola_stash *stash)
{
    if (!stash) return;
    cola_spill_destroy(stash->spill);
    cola_journal_arrays_fini(&stash->arrays);
    free(stash->pack.byte);
    free(stash->sample);
    free(stash);
}

static struct stashed *stashed_of(const struct cola_stash *stash, uint32_t sample)
{
    assert(sample >= stash->first_sample && sample - stash->first_sample < stash->n_samples);
    return &stash->sample[sample - stash->first_sample];
}

enum cola_stashed cola_stash_of(const struct cola_stash *stash, uint32_t sample)
{
    const struct stashed *s = stashed_of(stash, sample);
    if (s->place.n_bytes == 0) return COLA_STASHED_NOTHING;
    return s->columns ? COLA_STASHED_COLUMNS : COLA_STASHED_RESULTS;
}

uint64_t cola_stash_n_results(const struct cola_stash *stash)
{
    return stash->n_results + stash->n_gone;
}

uint64_t cola_stash_n_crashed(const struct cola_stash *stash)
{
    return stash->n_crashed;
}

static enum cola_status refuse(uint32_t sample)
{
    return cola_fail(COLA_ERR_IO,
                     "sample %u: what was put away of it is not what comes back: the disk of the run's "
                     "directory cannot be trusted. --resume goes on from the journal",
                     sample);
}

/* --- blocks of the spill file: a check of the rest, 8 bytes, and the rest; written and read in the pack ----
 */

enum { CHECK_BYTES = 8 };

static uint32_t check_of(const struct cola_pack *pack)
{
    return (uint32_t)crc32_z(0, pack->byte + CHECK_BYTES, pack->n - CHECK_BYTES);
}

static void begin_block(struct cola_pack *pack)
{
    pack->n = 0;
    pack->failed = false;
    cola_pack_uint(pack, 0, CHECK_BYTES);
}

static enum cola_status append_block(struct cola_stash *stash, struct cola_place *place)
{
    struct cola_pack *pack = &stash->pack;
    if (pack->failed) return cola_fail(COLA_ERR_MEMORY, "out of memory for a finished sample");
    uint32_t check = check_of(pack);
    memcpy(pack->byte, &check, sizeof check);
    return cola_spill_append(stash->spill, pack->byte, pack->n, place);
}

static enum cola_status read_block(struct cola_stash *stash, uint32_t sample, struct cola_place place)
{
    struct cola_pack *pack = &stash->pack;
    uint32_t check;
    COLA_TRY(cola_grow((void **)&pack->byte, &pack->room, place.n_bytes, 1, "samples"));
    pack->n = place.n_bytes;
    COLA_TRY(cola_spill_read(stash->spill, place, pack->byte));
    memcpy(&check, pack->byte, sizeof check);
    return check == check_of(pack) ? COLA_OK : refuse(sample);
}

/* --- results: the place of the block before, then records as in the journal ------------------------------
 */

static struct cola_journal_record record_of(const struct cola_known_entry *entry)
{
    return (struct cola_journal_record){.kind = COLA_JOURNAL_EVALUATED,
                                        .sample = entry->sample,
                                        .chain = entry->chain,
                                        .result = entry->result};
}

enum cola_status cola_stash_put_results(struct cola_stash *stash, struct cola_known *known, uint32_t sample)
{
    struct stashed *s = stashed_of(stash, sample);
    struct cola_place place;
    uint64_t n = 0, n_crashed = 0;
    const struct cola_known_entry *entry = cola_known_of_sample(known, sample);
    assert(!s->columns);
    if (!entry) return COLA_OK;
    begin_block(&stash->pack);
    cola_pack_uint(&stash->pack, s->place.at, 8);
    cola_pack_uint(&stash->pack, s->place.n_bytes, 8);
    for (; entry; entry = entry->next) {
        struct cola_journal_record record = record_of(entry);
        COLA_TRY(cola_journal_pack_behind(&record, &stash->pack));
        n++;
        n_crashed += entry->result.outcome == COLA_OUTCOME_CRASHED;
    }
    COLA_TRY(append_block(stash, &place));
    s->several = s->place.n_bytes > 0;
    s->place = place;
    stash->n_results += n;
    stash->n_crashed += n_crashed;
    cola_known_forget(known, sample);
    return COLA_OK;
}

/* The block that is in the pack; *before: the place of the one before it. */
static enum cola_status take_block(struct cola_stash *stash, uint32_t sample, struct cola_known *known,
                                   struct cola_place *before)
{
    struct cola_unpack block = {.byte = stash->pack.byte, .n = stash->pack.n, .at = CHECK_BYTES};
    before->at = cola_unpack_uint(&block, 8);
    before->n_bytes = cola_unpack_uint(&block, 8);
    while (!block.bad && block.at < block.n) {
        struct cola_journal_record record;
        struct cola_known_entry *entry;
        bool added;
        const uint8_t *frame = block.byte + block.at, *payload = frame + COLA_FRAME_BYTES;
        uint64_t left = block.n - block.at;
        uint32_t n = left < COLA_FRAME_BYTES ? 0 : cola_journal_frame_length(frame);
        if (n == 0 || n > left - COLA_FRAME_BYTES || !cola_journal_payload_ok(frame, payload, n))
            return refuse(sample);
        COLA_TRY(cola_journal_unpack(payload, n, &stash->arrays, &record));
        if (record.kind != COLA_JOURNAL_EVALUATED || record.sample != sample) return refuse(sample);
        COLA_TRY(cola_known_add(known, sample, &record.chain, &record.result, &entry, &added));
        stash->n_results--;
        stash->n_crashed -= record.result.outcome == COLA_OUTCOME_CRASHED;
        block.at += COLA_FRAME_BYTES + (uint64_t)n;
    }
    return block.bad ? refuse(sample) : COLA_OK;
}

enum cola_status cola_stash_take_results(struct cola_stash *stash, uint32_t sample, struct cola_known *known)
{
    struct stashed *s = stashed_of(stash, sample);
    assert(!s->columns);
    while (s->place.n_bytes) {
        struct cola_place before;
        COLA_TRY(read_block(stash, sample, s->place));
        COLA_TRY(take_block(stash, sample, known, &before));
        s->place = before;
    }
    return COLA_OK;
}

enum cola_status cola_stash_tidy_results(struct cola_stash *stash, struct cola_known *known)
{
    for (uint32_t i = 0; i < stash->n_samples; i++) {
        if (!stash->sample[i].several) continue;
        COLA_TRY(cola_stash_take_results(stash, stash->first_sample + i, known));
        COLA_TRY(cola_stash_put_results(stash, known, stash->first_sample + i));
    }
    return COLA_OK;
}

void cola_stash_drop(struct cola_stash *stash, uint32_t sample)
{
    stashed_of(stash, sample)->place = (struct cola_place){0};
}

/* --- columns: the number of items of each, the items of each from a multiple of 8 on -------------
 */

static void pack_columns(struct cola_pack *pack, const struct cola_columns *columns)
{
    begin_block(pack);
    for (int i = 0; i < COLA_N_RUN_COLUMNS; i++) cola_pack_uint(pack, columns->column[i].n, 8);
    for (int i = 0; i < COLA_N_RUN_COLUMNS; i++) {
        cola_pack_items(pack, columns->column[i].data, columns->column[i].n,
                        cola_h5_type_bytes(cola_run_schema[i].type));
        cola_pack_uint(pack, 0, (unsigned)(-pack->n % 8));
    }
}

/* *columns: borrows the pack's bytes. */
static bool unpack_columns(const struct cola_pack *pack, struct cola_columns *columns)
{
    struct cola_unpack unpack = {.byte = pack->byte, .n = pack->n, .at = CHECK_BYTES};
    for (int i = 0; i < COLA_N_RUN_COLUMNS; i++) columns->column[i].n = cola_unpack_uint(&unpack, 8);
    uint64_t at = unpack.at;
    for (int i = 0; i < COLA_N_RUN_COLUMNS; i++) {
        uint64_t n_bytes = columns->column[i].n * cola_h5_type_bytes(cola_run_schema[i].type);
        if (unpack.bad || n_bytes > pack->n - at) return false;
        columns->column[i].data = pack->byte + at;
        at += (n_bytes + 7) / 8 * 8;
    }
    return at == pack->n;
}

enum cola_status cola_stash_put_columns(struct cola_stash *stash, uint32_t sample,
                                        const struct cola_columns *columns, struct cola_known *known)
{
    struct stashed *s = stashed_of(stash, sample);
    struct cola_place place;
    assert(s->place.n_bytes == 0);
    pack_columns(&stash->pack, columns);
    COLA_TRY(append_block(stash, &place));
    *s = (struct stashed){.place = place, .columns = true};
    cola_columns_count(columns, stash->n_items);
    cola_stash_let_go(stash, known, sample);
    return COLA_OK;
}

void cola_stash_let_go(struct cola_stash *stash, struct cola_known *known, uint32_t sample)
{
    uint64_t n_known = cola_known_count(known);
    cola_known_forget(known, sample);
    stash->n_gone += n_known - cola_known_count(known);
}

enum cola_status cola_stash_join_columns(struct cola_stash *stash, uint32_t sample,
                                         struct cola_columns *columns)
{
    struct cola_columns one = {0};
    const struct stashed *s = stashed_of(stash, sample);
    assert(s->columns);
    COLA_TRY(read_block(stash, sample, s->place));
    return unpack_columns(&stash->pack, &one) ? cola_columns_join(columns, &one) : refuse(sample);
}

void cola_stash_count(const struct cola_stash *stash, uint64_t n_items[COLA_N_RUN_COLUMNS])
{
    for (int i = 0; i < COLA_N_RUN_COLUMNS; i++) n_items[i] += stash->n_items[i];
}
