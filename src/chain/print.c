/* print.c - the text form of a chain, written: ascending runs joined, adjacent repeats folded, so that
 * parse(print(c)) = c and a person sees at once what a search changed: `0-4,6-9,(10-12)x2,13-27`.
 *
 * Which of many possible foldings: for every position the fold that saves most entries (the smallest block
 * among equals); from left to right a fold is taken unless one that starts inside it saves more. Blocks are
 * folded again inside, as deep as parse.c allows.
 *
 * The folds of a stretch of n positions come from one backward scan a block size: O(n^2) time, O(n) stack. A
 * block's inside is at most half its fold, so nesting adds a geometric series to that. */
#include "cola/chain.h"

#include <stdarg.h>
#include <stdio.h>

enum { MAX_DEPTH = 8, MAX_LAYERS = COLA_CHAIN_MAX(COLA_LAYERS_MAX) };

struct printer {
    const cola_layer *layer;
    char *text;
    size_t n_text, n; /* room and full length */
    uint32_t depth;
    uint16_t block[MAX_LAYERS];  /* of the best fold that starts here */
    uint16_t saving[MAX_LAYERS]; /* entries after the first pass that it covers: block * (passes - 1), or 0 */
};

__attribute__((format(printf, 2, 3))) static void put(struct printer *p, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    size_t at = p->n < p->n_text ? p->n : p->n_text;
    int n = vsnprintf(p->n_text ? p->text + at : NULL, p->n_text - at, format, args);
    va_end(args);
    if (n > 0) p->n += (size_t)n;
}

/* The best fold at every position of [begin, end) that stays inside. matches: how many entries from i on
 * equal those one block further. */
static void find_folds(struct printer *p, uint32_t begin, uint32_t end)
{
    for (uint32_t i = begin; i < end; i++) p->saving[i] = 0;
    for (uint32_t block = 1; block <= (end - begin) / 2; block++) {
        uint32_t matches = 0;
        for (uint32_t i = end - block; i-- > begin;) {
            matches = p->layer[i] == p->layer[i + block] ? matches + 1 : 0;
            if (matches < block || matches <= p->saving[i]) continue;
            uint32_t saving = matches - matches % block;
            if (saving <= p->saving[i]) continue;
            p->saving[i] = (uint16_t)saving;
            p->block[i] = (uint16_t)block;
        }
    }
}

static bool fold_is_best(const struct printer *p, uint32_t i)
{
    if (p->saving[i] == 0) return false;
    uint32_t end = i + p->block[i] + p->saving[i];
    for (uint32_t j = i + 1; j < end; j++)
        if (p->saving[j] > p->saving[i]) return false;
    return true;
}

static void put_run(struct printer *p, uint32_t first, uint32_t last)
{
    if (first == last)
        put(p, "%u", p->layer[first]);
    else
        put(p, "%u-%u", p->layer[first], p->layer[last]);
}

static void put_items(struct printer *p, uint32_t begin, uint32_t end)
{
    bool folding = p->depth < MAX_DEPTH && end <= MAX_LAYERS;
    if (folding) find_folds(p, begin, end);
    for (uint32_t i = begin; i < end;) {
        if (i > begin) put(p, ",");
        if (folding && fold_is_best(p, i)) {
            uint32_t block = p->block[i], passes = p->saving[i] / block + 1;
            put(p, "(");
            p->depth++;
            put_items(p, i, i + block); /* overwrites the folds of [i, i + block) only: behind us */
            p->depth--;
            put(p, ")x%u", passes);
            i += block * passes;
            continue;
        }
        uint32_t last = i;
        while (last + 1 < end && p->layer[last + 1] == p->layer[last] + 1 &&
               !(folding && fold_is_best(p, last + 1)))
            last++;
        put_run(p, i, last);
        i = last + 1;
    }
}

size_t cola_chain_print(const struct cola_chain *chain, char *text, size_t n_text)
{
    struct printer p; /* its tables are filled where they are read */
    p.layer = chain->layer;
    p.text = text;
    p.n_text = n_text;
    p.n = 0;
    p.depth = 0;
    if (n_text) text[0] = '\0';
    put_items(&p, 0, chain->n_layers);
    return p.n;
}
