/* parse.c - the text form of a chain, read.
 *
 *     chain = items          items = item ("," item)*          blanks may stand around an item
 *     item  = number | number "-" number (ascending) | "(" items ")x" number (passes in all)
 *
 * Text comes from people, files and requests, so nothing in it is trusted: every refusal names the character
 * (counted from 1), and work is bounded by the text's length plus 4 L, since the length of a repeat is
 * checked before it is expanded. Written by print.c. */
#include "cola/chain.h"

#include <string.h>

enum { MAX_DEPTH = 8 }; /* nested parentheses; print.c keeps to it as well */

struct parser {
    const char *text, *at;
    uint32_t n_model_layers;
    cola_layer *room;
    uint32_t n, limit; /* entries so far, and at most: 4 L or the room if that is less */
    uint32_t depth;
};

static unsigned position(const struct parser *p, const char *at)
{
    return (unsigned)(at - p->text) + 1;
}

static void skip_blanks(struct parser *p)
{
    while (*p->at == ' ' || *p->at == '\t') p->at++;
}

static enum cola_status fail_expected(const struct parser *p, const char *expected)
{
    unsigned char c = (unsigned char)*p->at;
    if (c == '\0')
        return cola_fail(COLA_ERR_INPUT, "chain: the text ends at character %u, expected %s",
                         position(p, p->at), expected);
    if (c < 0x20 || c > 0x7e)
        return cola_fail(COLA_ERR_INPUT, "chain: byte 0x%02x at character %u, expected %s", c,
                         position(p, p->at), expected);
    return cola_fail(COLA_ERR_INPUT, "chain: '%c' at character %u, expected %s", c, position(p, p->at),
                     expected);
}

static enum cola_status fail_too_long(const struct parser *p, const char *at)
{
    if (p->limit == COLA_CHAIN_MAX(p->n_model_layers))
        return cola_fail(COLA_ERR_INPUT, "chain: longer than %u entries at character %u (4 times %u layers)",
                         p->limit, position(p, at), p->n_model_layers);
    return cola_fail(COLA_ERR_INPUT, "chain: longer than the room for %u entries at character %u", p->limit,
                     position(p, at));
}

/* Digits; a value beyond 32 bits stays at the largest, which every caller refuses. */
static enum cola_status parse_number(struct parser *p, const char *expected, uint32_t *out)
{
    if (*p->at < '0' || *p->at > '9') return fail_expected(p, expected);
    uint64_t value = 0;
    for (; *p->at >= '0' && *p->at <= '9'; p->at++) {
        value = value * 10 + (uint64_t)(*p->at - '0');
        if (value > UINT32_MAX) value = UINT32_MAX;
    }
    *out = (uint32_t)value;
    return COLA_OK;
}

static enum cola_status parse_layer(struct parser *p, uint32_t *out)
{
    const char *begin = p->at;
    uint32_t layer = 0;
    COLA_TRY(parse_number(p, "a layer", &layer));
    if (layer >= p->n_model_layers)
        return cola_fail(COLA_ERR_INPUT, "chain: layer %.*s at character %u, the model's layers are 0 .. %u",
                         (int)(p->at - begin > 20 ? 20 : p->at - begin), begin, position(p, begin),
                         p->n_model_layers - 1);
    *out = layer;
    return COLA_OK;
}

static enum cola_status parse_run(struct parser *p)
{
    const char *begin = p->at;
    uint32_t first = 0, last;
    COLA_TRY(parse_layer(p, &first));
    last = first;
    if (*p->at == '-') {
        p->at++;
        COLA_TRY(parse_layer(p, &last));
    }
    if (last < first)
        return cola_fail(COLA_ERR_INPUT, "chain: run %u-%u at character %u descends; write single layers",
                         first, last, position(p, begin));
    if (last - first + 1 > p->limit - p->n) return fail_too_long(p, begin);
    for (uint32_t layer = first; layer <= last; layer++) p->room[p->n++] = (cola_layer)layer;
    return COLA_OK;
}

static enum cola_status parse_items(struct parser *p);

static enum cola_status parse_repeat(struct parser *p)
{
    const char *begin = p->at++;
    uint32_t first = p->n, passes = 0;
    if (p->depth == MAX_DEPTH)
        return cola_fail(COLA_ERR_INPUT, "chain: '(' at character %u is nested more than %d deep",
                         position(p, begin), MAX_DEPTH);
    p->depth++;
    COLA_TRY(parse_items(p));
    p->depth--;
    if (*p->at != ')') return fail_expected(p, "',' or ')'");
    p->at++;
    if (*p->at != 'x') return fail_expected(p, "'x' and the number of passes");
    const char *number = ++p->at;
    COLA_TRY(parse_number(p, "the number of passes", &passes));
    if (passes == 0)
        return cola_fail(COLA_ERR_INPUT, "chain: 0 passes at character %u, expected at least 1",
                         position(p, number));
    uint32_t block = p->n - first;
    if ((uint64_t)block * (passes - 1) > p->limit - p->n) return fail_too_long(p, number);
    for (uint32_t pass = 1; pass < passes; pass++, p->n += block)
        memcpy(p->room + p->n, p->room + first, block * sizeof *p->room);
    return COLA_OK;
}

static enum cola_status parse_items(struct parser *p)
{
    for (;;) {
        skip_blanks(p);
        if (*p->at == '(')
            COLA_TRY(parse_repeat(p));
        else if (*p->at >= '0' && *p->at <= '9')
            COLA_TRY(parse_run(p));
        else
            return fail_expected(p, "a layer or '('");
        skip_blanks(p);
        if (*p->at != ',') return COLA_OK;
        p->at++;
    }
}

enum cola_status cola_chain_parse(const char *text, uint32_t n_model_layers, cola_layer *room, size_t n_room,
                                  struct cola_chain *out)
{
    if (n_model_layers < 1 || n_model_layers > COLA_LAYERS_MAX)
        return cola_fail(COLA_ERR_INPUT, "chain: a model of %u layers, expected 1 .. %u", n_model_layers,
                         COLA_LAYERS_MAX);
    uint32_t limit = COLA_CHAIN_MAX(n_model_layers);
    if (n_room < limit) limit = (uint32_t)n_room;
    struct parser p = {
        .text = text, .at = text, .n_model_layers = n_model_layers, .room = room, .limit = limit};
    COLA_TRY(parse_items(&p));
    if (*p.at != '\0') return fail_expected(&p, "',' or the end");
    *out = (struct cola_chain){.layer = room, .n_layers = p.n};
    return COLA_OK;
}
