/* chain.h - a chain of layers, its edits, and the text form in which people meet it.
 *
 *     struct cola_chain base;  cola_layer room[COLA_CHAIN_MAX(30)];
 *     cola_chain_parse("0-4,6-9,(10-12)x2,13-29", 30, room, sizeof room / sizeof *room, &base);
 *     struct cola_edit skip = {.kind = COLA_EDIT_SKIP, .position = 5, .block = 2};
 *     if (cola_chain_edit(&base, &skip, 30, 15, 60, child_room, &child)) ...      valid and in bounds
 *
 * Layers are 0-based. A chain of an L-layer model has 1 .. 4 L entries, each < L, in any order. Plain data,
 * no allocation; the layer array is borrowed or owned by whoever holds the struct. Edits act on chain
 * positions. Knows nothing of models or search. */
#ifndef COLA_CHAIN_H
#define COLA_CHAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cola/status.h"

typedef uint16_t cola_layer;

#define COLA_CHAIN_MAX(n_model_layers) (4u * (n_model_layers)) /* longest valid chain */
#define COLA_LAYERS_MAX                4096u                   /* most layers of a model: 4 L fits 16 bits */

struct cola_chain {
    const cola_layer *layer; /* [n_layers], each < L */
    uint32_t n_layers;       /* 1 .. 4 L */
};

enum cola_edit_kind { COLA_EDIT_NONE = 0, COLA_EDIT_SKIP = 1, COLA_EDIT_REPEAT = 2 };

struct cola_edit {
    uint8_t kind;      /* enum cola_edit_kind; NONE: the base chain, or a chain made of several edits */
    uint8_t block;     /* k: number of consecutive positions, 1 .. */
    uint8_t times;     /* repeat only: r more passes over the block, 1 .. ; 0 for skip */
    uint16_t position; /* first position of the block in the parent chain */
};

/* 1 <= n_layers <= 4 L and every layer < L; otherwise COLA_ERR_INPUT and which entry is wrong. */
enum cola_status cola_chain_check(const struct cola_chain *chain, uint32_t n_model_layers);

/* The base chain 0 .. L-1 into room[L]. */
struct cola_chain cola_chain_base(uint32_t n_model_layers, cola_layer *room);

bool cola_chain_equal(const struct cola_chain *a, const struct cola_chain *b);
uint64_t cola_chain_hash(const struct cola_chain *chain);

/* Text: comma-separated items, each `5`, `0-4` (ascending run) or `(ITEMS)xR` (R passes in all, R >= 1; may
 * nest at most 8 deep). Blanks around items are allowed. Fills room (of n_room entries) and *out, which
 * borrows room. COLA_ERR_INPUT names the character, counted from 1; nothing longer than 4 L or the room is
 * expanded, however large R is. */
enum cola_status cola_chain_parse(const char *text, uint32_t n_model_layers, cola_layer *room, size_t n_room,
                                  struct cola_chain *out);

/* Writes the canonical text (NUL-terminated, cut at n_text) and returns its full length, like snprintf.
 * Runs are joined and adjacent repeated blocks folded, so that parse(print(c)) = c for every valid chain.
 * Time O(n^2) at the worst, n the chain's length. */
size_t cola_chain_print(const struct cola_chain *chain, char *text, size_t n_text);

/* Applies an edit: skip leaves out positions [position, position + block); repeat inserts `times` more copies
 * of that block right after it. true if the edit fits the parent and the child's length is within min_layers
 * .. max_layers (and 1 .. 4 L); then room[0..] holds the child and *child borrows it. false leaves *child
 * untouched. room: COLA_CHAIN_MAX(L) entries, not overlapping the parent. */
bool cola_chain_edit(const struct cola_chain *parent, const struct cola_edit *edit, uint32_t n_model_layers,
                     uint32_t min_layers, uint32_t max_layers, cola_layer *room, struct cola_chain *child);

/* "skip 5..6" / "repeat 5 x3" (positions; passes in all) / "base" for NONE, NUL-terminated, for people; cut
 * and counted like snprintf. */
size_t cola_edit_print(const struct cola_edit *edit, char *text, size_t n_text);

#endif
