/* known.c - the results of each sample in a hash map and an arena of its own, the samples in a hash map of
 * lists; see known.h. A run has a few samples under way at a time, and some 50 kB for each. */
#include "record/known.h"

#include <stdlib.h>
#include <string.h>

#include "cola/hash.h"
#include "cola/memory.h"

/* A sample's first block holds a dozen results; later ones grow with it, so that little is left unused. */
enum { FIRST_BLOCK_BYTES = 2 << 10, MOST_BLOCK_BYTES = 64 << 10, FIRST_SLOTS = 16, FIRST_BUCKETS = 64 };

struct block { /* bytes follow */
    struct block *next;
    size_t used, room;
};

struct sample_known {
    uint32_t sample;
    struct sample_known *in_bucket;       /* the next one there */
    struct sample_known *before, *behind; /* in the order in which samples came */
    struct cola_known_entry **slot;       /* [n_slots], a power of two; at most half of them in use */
    uint64_t n_slots, n;
    struct cola_known_entry *first, *last;
    struct block *block; /* newest first */
};

struct cola_known {
    struct sample_known **bucket; /* [n_buckets], a power of two, as many as samples at least */
    uint64_t n_buckets, n_samples, n;
    struct sample_known *first, *last;
};

/* --- samples ----------------------------------------------------------------------------------------------
 */

static struct sample_known **bucket_of(const struct cola_known *known, uint32_t sample)
{
    return &known->bucket[cola_hash64(&sample, sizeof sample) & (known->n_buckets - 1)];
}

static struct sample_known *find_sample(const struct cola_known *known, uint32_t sample)
{
    struct sample_known *s = *bucket_of(known, sample);
    while (s && s->sample != sample) s = s->in_bucket;
    return s;
}

static enum cola_status more_buckets(struct cola_known *known)
{
    struct sample_known **bucket = NULL;
    COLA_TRY(
        cola_alloc((void **)&bucket, 2 * known->n_buckets, sizeof(struct sample_known *), "known results"));
    free(known->bucket);
    known->bucket = bucket;
    known->n_buckets *= 2;
    for (struct sample_known *s = known->first; s; s = s->behind) {
        struct sample_known **in = bucket_of(known, s->sample);
        s->in_bucket = *in;
        *in = s;
    }
    return COLA_OK;
}

static enum cola_status add_sample(struct cola_known *known, uint32_t sample, struct sample_known **out)
{
    struct sample_known *s = NULL;
    if (known->n_samples == known->n_buckets) COLA_TRY(more_buckets(known));
    COLA_TRY(cola_alloc((void **)&s, 1, sizeof *s, "known results"));
    enum cola_status status =
        cola_alloc((void **)&s->slot, FIRST_SLOTS, sizeof(struct cola_known_entry *), "known results");
    if (status != COLA_OK) {
        free(s);
        return status;
    }
    struct sample_known **in = bucket_of(known, sample);
    s->sample = sample;
    s->n_slots = FIRST_SLOTS;
    s->in_bucket = *in;
    *in = s;
    s->before = known->last;
    *(known->last ? &known->last->behind : &known->first) = s;
    known->last = s;
    known->n_samples++;
    *out = s;
    return COLA_OK;
}

static void free_sample(struct sample_known *s)
{
    while (s->block) {
        struct block *next = s->block->next;
        free(s->block);
        s->block = next;
    }
    free(s->slot);
    free(s);
}

void cola_known_forget(struct cola_known *known, uint32_t sample)
{
    struct sample_known **in = bucket_of(known, sample);
    while (*in && (*in)->sample != sample) in = &(*in)->in_bucket;
    struct sample_known *s = *in;
    if (!s) return;
    *in = s->in_bucket;
    *(s->before ? &s->before->behind : &known->first) = s->behind;
    *(s->behind ? &s->behind->before : &known->last) = s->before;
    known->n_samples--;
    known->n -= s->n;
    free_sample(s);
}

enum cola_status cola_known_create(struct cola_known **out)
{
    struct cola_known *known = NULL;
    COLA_TRY(cola_alloc((void **)&known, 1, sizeof *known, "known results"));
    known->n_buckets = FIRST_BUCKETS;
    enum cola_status status =
        cola_alloc((void **)&known->bucket, FIRST_BUCKETS, sizeof(struct sample_known *), "known results");
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
    for (struct sample_known *s = known->first, *behind; s; s = behind) {
        behind = s->behind;
        free_sample(s);
    }
    free(known->bucket);
    free(known);
}

/* --- entries ----------------------------------------------------------------------------------------------
 */

uint64_t cola_known_count(const struct cola_known *known)
{
    return known->n;
}

struct cola_known_entry *cola_known_of_sample(const struct cola_known *known, uint32_t sample)
{
    struct sample_known *s = find_sample(known, sample);
    return s ? s->first : NULL;
}

/* A sample without entries is possible: memory ran out for its first. */
struct cola_known_entry *cola_known_next(const struct cola_known *known, const struct cola_known_entry *entry)
{
    if (entry && entry->next) return entry->next;
    struct sample_known *s = entry ? find_sample(known, entry->sample)->behind : known->first;
    while (s && !s->first) s = s->behind;
    return s ? s->first : NULL;
}

/* The slot of the chain, or the empty one where it would go. */
static struct cola_known_entry **slot_of(const struct sample_known *s, uint64_t hash,
                                         const struct cola_chain *chain)
{
    uint64_t at = hash & (s->n_slots - 1);
    while (s->slot[at] && (s->slot[at]->hash != hash || !cola_chain_equal(&s->slot[at]->chain, chain)))
        at = (at + 1) & (s->n_slots - 1);
    return &s->slot[at];
}

struct cola_known_entry *cola_known_find(const struct cola_known *known, uint32_t sample,
                                         const struct cola_chain *chain)
{
    struct sample_known *s = find_sample(known, sample);
    return s ? *slot_of(s, cola_chain_hash(chain), chain) : NULL;
}

static enum cola_status more_slots(struct sample_known *s)
{
    struct cola_known_entry **slot = NULL;
    COLA_TRY(cola_alloc((void **)&slot, 2 * s->n_slots, sizeof(struct cola_known_entry *), "known results"));
    free(s->slot);
    s->slot = slot;
    s->n_slots *= 2;
    for (struct cola_known_entry *entry = s->first; entry; entry = entry->next)
        *slot_of(s, entry->hash, &entry->chain) = entry;
    return COLA_OK;
}

static enum cola_status keep(struct sample_known *s, const void *bytes, size_t n, void **out)
{
    size_t rounded = (n + 7) / 8 * 8;
    if (!s->block || s->block->room - s->block->used < rounded) {
        size_t room = s->block ? 2 * s->block->room : FIRST_BLOCK_BYTES;
        if (room > MOST_BLOCK_BYTES) room = MOST_BLOCK_BYTES;
        if (room < rounded) room = rounded;
        struct block *block = NULL;
        COLA_TRY(cola_alloc((void **)&block, sizeof *block + room, 1, "known results"));
        *block = (struct block){s->block, 0, room};
        s->block = block;
    }
    uint8_t *to = (uint8_t *)(s->block + 1) + s->block->used;
    if (n) memcpy(to, bytes, n);
    s->block->used += rounded;
    *out = to;
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

static enum cola_status add_entry(struct sample_known *s, const struct cola_chain *chain, uint64_t hash,
                                  const struct cola_result *result, struct cola_known_entry **out)
{
    void *layer, *score, *token, *place;
    struct cola_known_entry entry = {
        .hash = hash, .sample = s->sample, .result = *result, .journalled = true};
    if (2 * (s->n + 1) > s->n_slots) COLA_TRY(more_slots(s));
    COLA_TRY(keep(s, chain->layer, chain->n_layers * sizeof *chain->layer, &layer));
    COLA_TRY(keep(s, result->score, result->n_scores * sizeof *result->score, &score));
    COLA_TRY(keep(s, result->token, result->n_tokens * sizeof *result->token, &token));
    entry.chain = (struct cola_chain){layer, chain->n_layers};
    entry.result.id = 0;
    entry.result.score = score;
    entry.result.token = result->n_tokens ? token : NULL;
    COLA_TRY(keep(s, &entry, sizeof entry, &place));
    struct cola_known_entry *new = place;
    *slot_of(s, hash, &new->chain) = new;
    *(s->last ? &s->last->next : &s->first) = new;
    s->last = new;
    s->n++;
    *out = new;
    return COLA_OK;
}

enum cola_status cola_known_add(struct cola_known *known, uint32_t sample, const struct cola_chain *chain,
                                const struct cola_result *result, struct cola_known_entry **entry,
                                bool *added)
{
    uint64_t hash = cola_chain_hash(chain);
    struct sample_known *s = find_sample(known, sample);
    struct cola_known_entry *found = s ? *slot_of(s, hash, chain) : NULL;
    if (found && !same_result(&found->result, result))
        return refuse_other_bits(sample, chain, &found->result, result);
    if (!found) {
        if (!s) COLA_TRY(add_sample(known, sample, &s));
        COLA_TRY(add_entry(s, chain, hash, result, entry));
        known->n++;
    } else {
        *entry = found;
    }
    *added = !found;
    return COLA_OK;
}

enum cola_status cola_known_grade(struct cola_known *known, struct cola_known_entry *entry,
                                  int32_t prediction, struct cola_text answer)
{
    void *bytes;
    COLA_TRY(keep(find_sample(known, entry->sample), answer.bytes, answer.n_bytes, &bytes));
    entry->answer = (struct cola_text){bytes, answer.n_bytes};
    entry->prediction = prediction;
    entry->graded = true;
    return COLA_OK;
}
