/* latex_relation.c - equations and inequalities as answers: a chain 3 + 4 = 7 is worth its last side, x = 5
 * is a name and a value, -2 <= x < 7 is the interval [-2,7), and anything else stays a relation of two sides.
 */
#include "task/latex.h"

#include <string.h>

bool latex_is_variable(const struct latex *latex, uint32_t index)
{
    const struct latex_node *node = &latex->node[index];
    if (node->kind != LATEX_VALUE || node->value.n != 1) return false;
    const struct latex_term *term = &latex->term[node->value.first];
    return latex_rational_equal(term->factor, (struct latex_rational){1, 1}) && term->radicand == 1 &&
           term->n_powers == 1 && term->power[0].exponent == 1 &&
           !latex_value_is_constant(latex, node->value);
}

static bool is_constant(const struct latex *latex, uint32_t index)
{
    const struct latex_node *node = &latex->node[index];
    return node->kind == LATEX_VALUE && latex_value_is_constant(latex, node->value);
}

static bool is_less(char sign)
{
    return sign == '<' || sign == SIGN_LESS_EQUAL;
}

static bool is_greater(char sign)
{
    return sign == '>' || sign == SIGN_GREATER_EQUAL;
}

static bool infinity_node(struct latex *latex, bool negative, uint32_t *out)
{
    struct latex_value value;
    if (!latex_value_atom(latex, "infinity", 8, &value)) return false;
    if (negative && !latex_value_negate(latex, value, &value)) return false;
    if (!latex_node_create(latex, LATEX_VALUE, out)) return false;
    latex->node[*out].value = value;
    return true;
}

static bool interval(struct latex *latex, uint32_t low, bool low_in, uint32_t high, bool high_in,
                     uint32_t *out)
{
    uint32_t child[2] = {low, high};
    if (!latex_node_create(latex, LATEX_BRACKET, out)) return false;
    latex->node[*out].open = low_in ? '[' : '(';
    latex->node[*out].close = high_in ? ']' : ')';
    return latex_node_children(latex, *out, child, 2);
}

static bool two_sides(struct latex *latex, uint32_t left, char sign, uint32_t right, bool named,
                      uint32_t *out)
{
    uint32_t child[2] = {left, right};
    if (!latex_node_create(latex, LATEX_RELATION, out)) return false;
    latex->node[*out].open = sign;
    latex->node[*out].named = named;
    return latex_node_children(latex, *out, child, 2);
}

/* Only = between the sides. */
static bool equation(struct latex *latex, const uint32_t *side, uint32_t n, bool named, uint32_t *out)
{
    uint32_t last = side[n - 1];
    if (!named && latex_is_variable(latex, last)) return two_sides(latex, last, '=', side[0], true, out);
    if (named || !is_constant(latex, side[0]) || !is_constant(latex, last))
        return two_sides(latex, side[0], '=', last, named, out);
    *out = last; /* 3 + 4 = 7 */
    return true;
}

/* x < 5, 5 > x, -2 <= x < 7 as intervals; other inequalities with the smaller side first. */
static bool inequality(struct latex *latex, const uint32_t *side, const char *sign, uint32_t n, uint32_t *out)
{
    uint32_t low = side[0], middle = n == 3 ? side[1] : 0, high = side[n - 1];
    char low_sign = sign[0], high_sign = sign[n - 2];
    if (is_greater(sign[0])) {
        uint32_t other = low;
        low = high;
        high = other;
        low_sign = sign[n - 2] == '>' ? '<' : SIGN_LESS_EQUAL;
        high_sign = sign[0] == '>' ? '<' : SIGN_LESS_EQUAL;
    }
    bool low_in = low_sign == SIGN_LESS_EQUAL, high_in = high_sign == SIGN_LESS_EQUAL;
    if (n == 3) {
        if (is_less(sign[0]) != is_less(sign[1]) || !latex_is_variable(latex, middle)) return false;
        return interval(latex, low, low_in, high, high_in, out);
    }
    uint32_t end;
    if (latex_is_variable(latex, low) && is_constant(latex, high))
        return infinity_node(latex, true, &end) && interval(latex, end, false, high, high_in, out);
    if (latex_is_variable(latex, high) && is_constant(latex, low))
        return infinity_node(latex, false, &end) && interval(latex, low, low_in, end, false, out);
    return two_sides(latex, low, low_sign, high, false, out);
}

bool latex_relation(struct latex *latex, const uint32_t *side, const char *sign, uint32_t n, bool is_name,
                    uint32_t *out)
{
    uint32_t n_equal = 0, n_order = 0;
    if (n == 1) {
        *out = side[0];
        return true;
    }
    for (uint32_t i = 0; i + 1 < n; i++) {
        n_equal += sign[i] == '=';
        n_order += is_less(sign[i]) || is_greater(sign[i]);
    }
    if (n_equal == n - 1) return equation(latex, side, n, is_name, out);
    if (n_order == n - 1 && n <= 3) return inequality(latex, side, sign, n, out);
    if (n != 2) return false;
    if (sign[0] == SIGN_IN && is_name) {
        *out = side[1];
        return true;
    }
    return sign[0] == SIGN_NOT_EQUAL && two_sides(latex, side[0], SIGN_NOT_EQUAL, side[1], false, out);
}
