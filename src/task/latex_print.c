/* latex_print.c - the canonical text of values and answers: what is stored, and the names of atoms that stand
 * for something not computed. Equal values give equal texts. Writes into bounded buffers only. */
#include "task/latex.h"

#include <string.h>

void latex_put(struct latex_text *text, const char *bytes, size_t n)
{
    if (text->cut || n >= text->room - text->n) {
        text->cut = true;
        return;
    }
    memcpy(text->bytes + text->n, bytes, n);
    text->n += n;
    text->bytes[text->n] = '\0';
}

void latex_put_string(struct latex_text *text, const char *string)
{
    latex_put(text, string, strlen(string));
}

void latex_put_int(struct latex_text *text, latex_int number)
{
    char digit[48]; /* 39 digits and a sign */
    size_t at = sizeof digit;
    bool negative = number < 0;
    unsigned __int128 size = negative ? -(unsigned __int128)number : (unsigned __int128)number;
    do {
        digit[--at] = (char)('0' + (int)(size % 10));
        size /= 10;
    } while (size != 0);
    if (negative) digit[--at] = '-';
    latex_put(text, digit + at, sizeof digit - at);
}

void latex_put_rational(struct latex_text *text, struct latex_rational number)
{
    latex_put_int(text, number.num);
    if (number.den == 1) return;
    latex_put_string(text, "/");
    latex_put_int(text, number.den);
}

static void put_term(const struct latex *latex, const struct latex_term *term, bool first,
                     struct latex_text *out)
{
    struct latex_rational size = term->factor;
    bool bare = term->radicand == 1 && term->n_powers == 0, star = false;
    if (size.num < 0) {
        latex_put_string(out, "-");
        size.num = -size.num;
    } else if (!first) {
        latex_put_string(out, "+");
    }
    if (bare || size.num != 1 || size.den != 1) {
        latex_put_rational(out, size);
        star = true;
    }
    if (term->radicand != 1) {
        latex_put_string(out, star ? "*sqrt(" : "sqrt(");
        latex_put_int(out, term->radicand);
        latex_put_string(out, ")");
        star = true;
    }
    for (uint32_t i = 0; i < term->n_powers; i++) {
        if (star) latex_put_string(out, "*");
        star = true;
        latex_put_string(out, latex_atom_name(latex, term->power[i].atom));
        if (term->power[i].exponent == 1) continue;
        latex_put_string(out, "^");
        latex_put_int(out, term->power[i].exponent);
    }
}

void latex_print_value(const struct latex *latex, struct latex_value value, struct latex_text *out)
{
    if (value.n == 0) latex_put_string(out, "0");
    for (uint32_t i = 0; i < value.n; i++) put_term(latex, &latex->term[value.first + i], i == 0, out);
}

static void print_node(const struct latex *latex, uint32_t index, struct latex_text *out);

static void print_children(const struct latex *latex, const struct latex_node *node, const char *separator,
                           struct latex_text *out)
{
    for (uint32_t i = 0; i < node->n_children; i++) {
        if (i > 0) {
            bool row = node->n_columns > 0 && i % node->n_columns == 0;
            latex_put_string(out, row ? ";" : separator);
        }
        print_node(latex, latex->child[node->child + i], out);
    }
}

static const char *relation_sign(char sign)
{
    switch (sign) {
    case SIGN_LESS_EQUAL: return "<=";
    case SIGN_NOT_EQUAL: return "!=";
    case '<': return "<";
    default: return "=";
    }
}

/* Depth is bounded: nodes are made with at most LATEX_DEPTH_MAX brackets within brackets. */
static void print_node(const struct latex *latex, uint32_t index, struct latex_text *out)
{
    const struct latex_node *node = &latex->node[index];
    switch ((enum latex_kind)node->kind) {
    case LATEX_TEXT: latex_put(out, latex->names + node->text, node->n_text); break;
    case LATEX_VALUE:
        latex_print_value(latex, node->value, out);
        if (node->percent) latex_put_string(out, "%");
        if (node->half_day) latex_put_string(out, node->half_day == 'a' ? " a.m." : " p.m.");
        break;
    case LATEX_LIST: print_children(latex, node, ",", out); break;
    case LATEX_UNION: print_children(latex, node, "U", out); break;
    case LATEX_RATIO: print_children(latex, node, ":", out); break;
    case LATEX_RELATION: print_children(latex, node, relation_sign(node->open), out); break;
    case LATEX_SET:
        latex_put_string(out, "{");
        print_children(latex, node, ",", out);
        latex_put_string(out, "}");
        break;
    case LATEX_MATRIX:
    case LATEX_BRACKET: {
        char open = node->kind == LATEX_MATRIX ? '[' : node->open;
        char close = node->kind == LATEX_MATRIX ? ']' : node->close;
        latex_put(out, &open, 1);
        print_children(latex, node, ",", out);
        latex_put(out, &close, 1);
        break;
    }
    }
}

void latex_print(const struct latex *latex, const struct latex_answer *answer, struct latex_text *out)
{
    print_node(latex, answer->node, out);
}
