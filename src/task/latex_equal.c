/* latex_equal.c - are two answers the same? Values by exact value, tuples in order, lists and sets in any
 * order, equations up to a factor, words by their letters. In doubt they differ: an answer is never made
 * right by what could not be read. docs/graders.md lists the rules with examples. */
#include "task/latex.h"

#include <string.h>

#include "task/grade_bytes.h"

static bool nodes_equal(struct latex *latex, uint32_t a, uint32_t b);

static const struct latex_node *node_at(const struct latex *latex, uint32_t index)
{
    return &latex->node[index];
}

static bool in_order(struct latex *latex, uint32_t a, uint32_t b)
{
    const struct latex_node *left = node_at(latex, a), *right = node_at(latex, b);
    if (left->n_children != right->n_children) return false;
    for (uint32_t i = 0; i < left->n_children; i++)
        if (!nodes_equal(latex, latex->child[left->child + i], latex->child[right->child + i])) return false;
    return true;
}

/* Each child of one has a partner of its own in the other. */
static bool in_any_order(struct latex *latex, uint32_t a, uint32_t b)
{
    const struct latex_node *left = node_at(latex, a), *right = node_at(latex, b);
    bool taken[LATEX_CHILDREN_MAX] = {false};
    if (left->n_children != right->n_children) return false;
    for (uint32_t i = 0; i < left->n_children; i++) {
        uint32_t j = 0;
        while (j < right->n_children && (taken[j] || !nodes_equal(latex, latex->child[left->child + i],
                                                                  latex->child[right->child + j])))
            j++;
        if (j == right->n_children) return false;
        taken[j] = true;
    }
    return true;
}

/* 44% is 44 as well as 0.44: tasks ask for either. Two percentages compare as they are. */
static bool values_equal(struct latex *latex, const struct latex_node *a, const struct latex_node *b)
{
    struct latex_value part;
    if (a->half_day && b->half_day && a->half_day != b->half_day) return false;
    if (latex_value_equal(latex, a->value, b->value)) return true;
    if (a->letter_unit != b->letter_unit) {
        const struct latex_node *measure = a->letter_unit ? a : b, *number = a->letter_unit ? b : a;
        struct latex_rational value;
        return latex_value_is_rational(latex, number->value, &value) &&
               latex_rational_equal(latex->term[measure->value.first].factor, value);
    }
    if (a->percent == b->percent) return false;
    const struct latex_node *percent = a->percent ? a : b, *other = a->percent ? b : a;
    return latex_value_scale(latex, percent->value, (struct latex_rational){1, 100}, &part) &&
           latex_value_equal(latex, part, other->value);
}

/* Letters and digits of an answer, lower-case; 0 of them where it computes: V-W is not the words VW. */
static size_t letters_of(const struct latex *latex, uint32_t index, char *out, size_t room)
{
    char printed[LATEX_CLEAN_MAX];
    struct latex_text text = {printed, 0, sizeof printed, false};
    size_t n = 0;
    latex_print(latex, &(struct latex_answer){.node = index}, &text);
    if (text.cut) return 0;
    bool words = node_at(latex, index)->kind == LATEX_TEXT;
    for (size_t i = 0; i < text.n && n < room; i++) {
        if (!words && strchr("+-/^=<>!", text.bytes[i])) return 0;
        if (cola_is_word(text.bytes[i])) out[n++] = cola_to_lower(text.bytes[i]);
    }
    return n;
}

static bool texts_equal(struct latex *latex, uint32_t a, uint32_t b)
{
    const struct latex_node *left = node_at(latex, a), *right = node_at(latex, b);
    char letters[2][LATEX_CLEAN_MAX];
    bool left_words = left->kind == LATEX_TEXT && left->words,
         right_words = right->kind == LATEX_TEXT && right->words;
    if (!left_words && !right_words)
        return left->kind == right->kind && left->n_text == right->n_text &&
               memcmp(latex->names + left->text, latex->names + right->text, left->n_text) == 0;
    size_t n = letters_of(latex, a, letters[0], LATEX_CLEAN_MAX);
    return n > 0 && letters_of(latex, b, letters[1], LATEX_CLEAN_MAX) == n &&
           memcmp(letters[0], letters[1], n) == 0;
}

/* left - right of a relation between expressions. */
static bool difference(struct latex *latex, uint32_t relation, struct latex_value *out)
{
    const struct latex_node *node = node_at(latex, relation);
    const struct latex_node *left = node_at(latex, latex->child[node->child]),
                            *right = node_at(latex, latex->child[node->child + 1]);
    struct latex_value negative;
    return left->kind == LATEX_VALUE && right->kind == LATEX_VALUE &&
           latex_value_negate(latex, right->value, &negative) &&
           latex_value_add(latex, left->value, negative, out);
}

static bool relations_equal(struct latex *latex, uint32_t a, uint32_t b)
{
    struct latex_value left, right;
    struct latex_rational factor;
    const struct latex_node *one = node_at(latex, a), *other = node_at(latex, b);
    if (one->open != other->open) return false;
    if (one->named && other->named && in_order(latex, a, b)) return true;
    if (!difference(latex, a, &left) || !difference(latex, b, &right)) return in_order(latex, a, b);
    if (!latex_value_proportional(latex, left, right, &factor)) return false;
    return one->open == '=' || one->open == SIGN_NOT_EQUAL || factor.num > 0;
}

/* (x+1)(x+2) = x^2+3x+2, true for every x: worth its last side. */
static bool is_identity(struct latex *latex, uint32_t index)
{
    struct latex_value sides;
    const struct latex_node *node = node_at(latex, index);
    return node->kind == LATEX_RELATION && node->open == '=' && difference(latex, index, &sides) &&
           sides.n == 0;
}

static bool is_named(const struct latex_node *node)
{
    return node->kind == LATEX_RELATION && node->open == '=' && node->named;
}

static bool has_kinds(const struct latex_node *a, const struct latex_node *b, enum latex_kind one,
                      enum latex_kind other)
{
    return (a->kind == one && b->kind == other) || (a->kind == other && b->kind == one);
}

static bool is_bare_tuple(const struct latex_node *node)
{
    return node->kind == LATEX_LIST || (node->open == '(' && node->close == ')');
}

/* Depth is that of brackets within brackets: bounded when read. */
static bool nodes_equal(struct latex *latex, uint32_t a, uint32_t b)
{
    const struct latex_node *left = node_at(latex, a), *right = node_at(latex, b);
    if (is_named(left) && right->kind != LATEX_RELATION)
        return nodes_equal(latex, latex->child[left->child + 1], b);
    if (is_named(right) && left->kind != LATEX_RELATION)
        return nodes_equal(latex, a, latex->child[right->child + 1]);
    if (left->kind == LATEX_VALUE && is_identity(latex, b))
        return nodes_equal(latex, a, latex->child[right->child + 1]);
    if (left->kind == LATEX_SET && left->n_children == 1 && right->kind == LATEX_VALUE)
        return nodes_equal(latex, latex->child[left->child], b);
    if (right->kind == LATEX_SET && right->n_children == 1 && left->kind == LATEX_VALUE)
        return nodes_equal(latex, a, latex->child[right->child]);
    if (left->kind == LATEX_TEXT || right->kind == LATEX_TEXT) return texts_equal(latex, a, b);
    if (has_kinds(left, right, LATEX_LIST, LATEX_BRACKET)) /* 1, 2 for (1,2) */
        return is_bare_tuple(left) && is_bare_tuple(right) && in_order(latex, a, b);
    if (has_kinds(left, right, LATEX_LIST, LATEX_SET) || has_kinds(left, right, LATEX_LIST, LATEX_UNION))
        return in_any_order(latex, a, b);
    if (left->kind != right->kind) return false;
    switch ((enum latex_kind)left->kind) {
    case LATEX_VALUE: return values_equal(latex, left, right);
    case LATEX_RATIO: return in_order(latex, a, b);
    case LATEX_MATRIX: return left->n_columns == right->n_columns && in_order(latex, a, b);
    case LATEX_BRACKET:
        return left->open == right->open && left->close == right->close && in_order(latex, a, b);
    case LATEX_LIST:
    case LATEX_SET:
    case LATEX_UNION: return in_any_order(latex, a, b);
    case LATEX_RELATION: return relations_equal(latex, a, b);
    case LATEX_TEXT: break;
    }
    return false;
}

bool latex_equal(struct latex *latex, const struct latex_answer *gold, const struct latex_answer *given)
{
    return !gold->empty && !given->empty && nodes_equal(latex, gold->node, given->node);
}
