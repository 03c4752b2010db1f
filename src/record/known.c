/* known.c - an open-addressing hash map over entries in arenas; see known.h. */
#include "record/known.h"

#include <stdlib.h>
#include <string.h>

#include "cola/hash.h"
#include "cola/memory.h"

enum { BLOCK_BYTES = 1 << 20, ENTRIES_PER_BLOCK = 4096, FIRST_SLOTS = 1024 };

struct block { /* bytes follow */
    struct block *next;
    size_t used, room;
};

struct cola_known {
    uint64_t *slot; /* [n_slots], a power of two: entry number + 1, 0 empty */
    uint64_t n_slots, n;
    struct cola_known_entry **entry_block; /* [n / ENTRIES_PER_BLOCK + 1] */
    size_t n_entry_blocks, room_entry_blocks;
    struct block *block; /* newest first */
};

static uint64_t hash_of(uint32_t sample, const struct cola_chain *chain)
{
    uint64_t key[2] = {sample, cola_chain_hash(chain)};
    return cola_hash64(key, sizeof key);
}

static enum cola_status keep(struct cola_known *known, const void *bytes, size_t n, const void **out)
{
    size_t rounded = (n + 7) / 8 * 8;
    if (!known->block || known->block->room - known->block->used < rounded) {
        size_t room = rounded > BLOCK_BYTES ? rounded : BLOCK_BYTES;
        struct block *block = NULL;
        COLA_TRY(cola_alloc((void **)&block, sizeof *block + room, 1, "known results"));
        *block = (struct block){known->block, 0, room};
        known->block = block;
    }
    uint8_t *to = (uint8_t *)(known->block + 1) + known->block->used;
    if (n) memcpy(to, bytes, n);
    known->block->used += rounded;
    *out = to;
    return COLA_OK;
}

enum cola_status cola_known_create(struct cola_known **out)
{
    struct cola_known *known = NULL;
    COLA_TRY(cola_alloc((void **)&known, 1, sizeof *known, "known results"));
    known->n_slots = FIRST_SLOTS;
    enum cola_status status =
        cola_alloc((void **)&known->slot, FIRST_SLOTS, sizeof *known->slot, "known results");
    if (status != COLA_OK) {
        free(known);
        return status;
    }
    *out = known;
    return COLA_OK;
}

void cola_known_destroy(struct cola_known *known)
{
    if (!known) return;
    while (known->block) {
        struct block *next = known->block->next;
        free(known->block);
        known->block = next;
    }
    for (size_t i = 0; i < known->n_entry_blocks; i++) free(known->entry_block[i]);
    free(known->entry_block);
    free(known->slot);
    free(known);
}

uint64_t cola_known_count(const struct cola_known *known)
{
    return known->n;
}

struct cola_known_entry *cola_known_entry(const struct cola_known *known, uint64_t i)
{
    return &known->entry_block[i / ENTRIES_PER_BLOCK][i % ENTRIES_PER_BLOCK];
}

/* The slot of the key, or the empty one where it would go. */
static uint64_t slot_of(const struct cola_known *known, uint32_t sample, const struct cola_chain *chain)
{
    uint64_t at = hash_of(sample, chain) & (known->n_slots - 1);
    while (known->slot[at]) {
        const struct cola_known_entry *entry = cola_known_entry(known, known->slot[at] - 1);
        if (entry->sample == sample && cola_chain_equal(&entry->chain, chain)) break;
        at = (at + 1) & (known->n_slots - 1);
    }
    return at;
}

struct cola_known_entry *cola_known_find(const struct cola_known *known, uint32_t sample,
                                         const struct cola_chain *chain)
{
    uint64_t found = known->slot[slot_of(known, sample, chain)];
    return found ? cola_known_entry(known, found - 1) : NULL;
}

/* Room for one more entry: at most half of the slots are in use. */
static enum cola_status make_room(struct cola_known *known)
{
    if (known->n / ENTRIES_PER_BLOCK >= known->n_entry_blocks) {
        COLA_TRY(cola_grow((void **)&known->entry_block, &known->room_entry_blocks, known->n_entry_blocks + 1,
                           sizeof *known->entry_block, "known results"));
        COLA_TRY(cola_alloc((void **)&known->entry_block[known->n_entry_blocks], ENTRIES_PER_BLOCK,
                            sizeof **known->entry_block, "known results"));
        known->n_entry_blocks++;
    }
    if (2 * (known->n + 1) <= known->n_slots) return COLA_OK;
    uint64_t *slot = NULL;
    COLA_TRY(cola_alloc((void **)&slot, 2 * known->n_slots, sizeof *slot, "known results"));
    free(known->slot);
    known->slot = slot;
    known->n_slots *= 2;
    for (uint64_t i = 0; i < known->n; i++) {
        const struct cola_known_entry *entry = cola_known_entry(known, i);
        known->slot[slot_of(known, entry->sample, &entry->chain)] = i + 1;
    }
    return COLA_OK;
}

static bool same_bits(const void *a, const void *b, size_t n)
{
    return n == 0 || memcmp(a, b, n) == 0;
}

/* Cost is no part of a result: the same chain may have taken longer. */
static bool same_result(const struct cola_result *a, const struct cola_result *b)
{
    return a->outcome == b->outcome && a->n_scores == b->n_scores && a->n_tokens == b->n_tokens &&
           a->argmax == b->argmax && same_bits(&a->logsumexp, &b->logsumexp, sizeof a->logsumexp) &&
           same_bits(a->score, b->score, a->n_scores * sizeof *a->score) &&
           same_bits(a->token, b->token, a->n_tokens * sizeof *a->token);
}

static enum cola_status refuse_other_bits(uint32_t sample, const struct cola_chain *chain,
                                          const struct cola_result *before, const struct cola_result *now)
{
    char text[200];
    cola_chain_print(chain, text, sizeof text);
    return cola_fail(
        COLA_ERR_MISMATCH,
        "sample %u, chain %s was evaluated twice with different results (outcome %u then %u, first score "
        "%.9g then %.9g): the numerics are not reproducible here",
        sample, text, before->outcome, now->outcome, before->n_scores ? (double)before->score[0] : 0.0,
        now->n_scores ? (double)now->score[0] : 0.0);
}

enum cola_status cola_known_add(struct cola_known *known, uint32_t sample, const struct cola_chain *chain,
                                const struct cola_result *result, struct cola_known_entry **entry,
                                bool *added)
{
    struct cola_known_entry *found = cola_known_find(known, sample, chain);
    if (found) {
        if (!same_result(&found->result, result))
            return refuse_other_bits(sample, chain, &found->result, result);
        *entry = found;
        *added = false;
        return COLA_OK;
    }
    const void *layer, *score, *token;
    COLA_TRY(make_room(known));
    COLA_TRY(keep(known, chain->layer, chain->n_layers * sizeof *chain->layer, &layer));
    COLA_TRY(keep(known, result->score, result->n_scores * sizeof *result->score, &score));
    COLA_TRY(keep(known, result->token, result->n_tokens * sizeof *result->token, &token));
    struct cola_known_entry *new = cola_known_entry(known, known->n);
    *new = (struct cola_known_entry){
        .sample = sample, .chain = {layer, chain->n_layers}, .result = *result, .journalled = true};
    new->result.id = 0;
    new->result.score = score;
    new->result.token = result->n_tokens ? token : NULL;
    known->slot[slot_of(known, sample, chain)] = ++known->n;
    *entry = new;
    *added = true;
    return COLA_OK;
}

enum cola_status cola_known_grade(struct cola_known *known, struct cola_known_entry *entry,
                                  int32_t prediction, struct cola_text answer)
{
    const void *bytes;
    COLA_TRY(keep(known, answer.bytes, answer.n_bytes, &bytes));
    entry->answer = (struct cola_text){bytes, answer.n_bytes};
    entry->prediction = prediction;
    entry->graded = true;
    return COLA_OK;
}
