/* edit.c - the two edits of a chain, skip and repeat, and how people read them.
 *
 * Used by the search to make children and by tests and tools to replay a recorded edit. An edit that does not
 * fit its parent, or whose child leaves the bounds, is no error: it is simply not an edit of that chain. */
#include "cola/chain.h"

#include <stdio.h>
#include <string.h>

/* The child's length; 0 if the edit does not fit the parent (a child is never empty). */
static uint32_t child_length(const struct cola_chain *parent, const struct cola_edit *edit)
{
    uint32_t n = parent->n_layers, end = (uint32_t)edit->position + edit->block;
    if (edit->block == 0 || end > n) return 0;
    switch (edit->kind) {
    case COLA_EDIT_SKIP: return edit->times == 0 ? n - edit->block : 0;
    case COLA_EDIT_REPEAT: return edit->times ? n + (uint32_t)edit->block * edit->times : 0;
    default: return 0;
    }
}

bool cola_chain_edit(const struct cola_chain *parent, const struct cola_edit *edit, uint32_t n_model_layers,
                     uint32_t min_layers, uint32_t max_layers, cola_layer *room, struct cola_chain *child)
{
    uint32_t n = child_length(parent, edit);
    if (n == 0 || n < min_layers || n > max_layers || n > COLA_CHAIN_MAX(n_model_layers)) return false;
    uint32_t begin = edit->position, end = begin + edit->block, at;
    if (edit->kind == COLA_EDIT_SKIP) {
        at = begin;
        memcpy(room, parent->layer, begin * sizeof *room);
    } else {
        at = end;
        memcpy(room, parent->layer, end * sizeof *room);
        for (uint32_t i = 0; i < edit->times; i++, at += edit->block)
            memcpy(room + at, parent->layer + begin, edit->block * sizeof *room);
    }
    memcpy(room + at, parent->layer + end, (parent->n_layers - end) * sizeof *room);
    *child = (struct cola_chain){.layer = room, .n_layers = n};
    return true;
}

size_t cola_edit_print(const struct cola_edit *edit, char *text, size_t n_text)
{
    const char *verb = edit->kind == COLA_EDIT_SKIP     ? "skip"
                       : edit->kind == COLA_EDIT_REPEAT ? "repeat"
                                                        : NULL;
    if (!verb) return (size_t)snprintf(text, n_text, "base");
    char last[16] = "", passes[16] = "";
    if (edit->block > 1) snprintf(last, sizeof last, "..%u", (unsigned)edit->position + edit->block - 1);
    if (edit->kind == COLA_EDIT_REPEAT) snprintf(passes, sizeof passes, " x%u", edit->times + 1u);
    return (size_t)snprintf(text, n_text, "%s %u%s%s", verb, edit->position, last, passes);
}
