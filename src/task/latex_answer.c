/* latex_answer.c - a whole answer: lists, tuples and intervals, sets, unions, matrices, ratios, words, and
 * values with their units, over expressions from latex_parse.c. What cannot be read stays as text without
 * spaces, so that it still equals itself. A \pm gives two items of a list; a.m. and p.m. are the only units
 * that count. */
#include "task/latex.h"

#include <string.h>

#include "task/grade_bytes.h"

bool latex_node_create(struct latex *latex, enum latex_kind kind, uint32_t *out)
{
    if (latex->n_nodes == LATEX_NODES_MAX) return false;
    latex->node[latex->n_nodes] = (struct latex_node){.kind = (uint8_t)kind};
    *out = latex->n_nodes++;
    return true;
}

bool latex_node_children(struct latex *latex, uint32_t node, const uint32_t *child, uint32_t n)
{
    if (n > LATEX_NODES_MAX - latex->n_children) return false;
    memcpy(latex->child + latex->n_children, child, n * sizeof *child);
    latex->node[node].child = latex->n_children;
    latex->node[node].n_children = n;
    latex->n_children += n;
    return true;
}

struct items {
    uint32_t child[LATEX_CHILDREN_MAX];
    uint32_t n;
};

static bool parse_items(struct latex_parser *p, bool twins, struct items *items);
static bool parse_side(struct latex_parser *p, uint32_t *out);

static char peek(struct latex_parser *p)
{
    latex_skip_spaces(p);
    return p->at < p->n ? p->text[p->at] : '\0';
}

static bool accept(struct latex_parser *p, char c)
{
    if (peek(p) != c || p->at >= p->n) return false;
    p->at++;
    return true;
}

/* --- words ---------------------------------------------------------------------------------------------- */

/* Quoted words from p->at, lower-case, letters and digits only; returns the bytes up to behind the quote, or
 * 0. */
static size_t quoted(const struct latex_parser *p, char *out, size_t room, size_t *n_out)
{
    size_t at = p->at + 1, n = 0;
    if (p->at >= p->n || p->text[p->at] != SIGN_QUOTE) return 0;
    for (; at < p->n && p->text[at] != SIGN_QUOTE; at++)
        if (cola_is_word(p->text[at]) && n < room) out[n++] = cola_to_lower(p->text[at]);
    *n_out = n;
    return at < p->n ? at + 1 - p->at : 0;
}

static bool is_joint(const char *word, size_t n)
{
    return (n == 3 && memcmp(word, "and", 3) == 0) || (n == 2 && memcmp(word, "or", 2) == 0);
}

static bool accept_joint(struct latex_parser *p)
{
    char word[8];
    size_t n = 0;
    latex_skip_spaces(p);
    size_t length = quoted(p, word, sizeof word, &n);
    if (length > 0 && is_joint(word, n)) {
        p->at += length;
        return true;
    }
    n = latex_word(p);
    if (!is_joint(p->text + p->at, n)) return false;
    p->at += n;
    return true;
}

static bool accept_separator(struct latex_parser *p)
{
    bool comma = accept(p, ',') || accept(p, ';');
    return accept_joint(p) || comma;
}

static bool ends_words(struct latex_parser *p)
{
    struct latex_parser ahead = *p;
    char c = p->text[p->at];
    if (c == ',' || c == ';' || c == '=' || c == '<' || c == '>' || c == SIGN_SET_CLOSE || c == ']' ||
        c == ')')
        return true;
    return (c == ' ' || c == SIGN_QUOTE) && accept_joint(&ahead);
}

static bool starts_words(struct latex_parser *p)
{
    char c = peek(p);
    if (p->at >= p->n) return false;
    if (c == SIGN_QUOTE) return true;
    size_t n = latex_word(p);
    static const char *const function[] = {"sqrt", "infinity", "inf", "sin", "cos", "tan", "log"};
    for (size_t i = 0; i < sizeof function / sizeof *function; i++)
        if (n == strlen(function[i]) && memcmp(p->text + p->at, function[i], n) == 0) return false;
    return latex_is_prose(p->text + p->at, n);
}

static bool text_node(struct latex *latex, const char *bytes, size_t n, bool words, uint32_t *out)
{
    if (n == 0 || n > LATEX_NAMES_MAX - latex->n_names || !latex_node_create(latex, LATEX_TEXT, out))
        return false;
    memcpy(latex->names + latex->n_names, bytes, n);
    latex->node[*out].text = latex->n_names;
    latex->node[*out].n_text = (uint32_t)n;
    latex->node[*out].words = words;
    latex->n_names += (uint32_t)n;
    return true;
}

static bool parse_words(struct latex_parser *p, uint32_t *out)
{
    char word[LATEX_CLEAN_MAX];
    size_t n = 0;
    bool inside = false; /* a quote: its commas and brackets belong to the words */
    while (p->at < p->n && (inside || !ends_words(p))) {
        char c = p->text[p->at++];
        if (c == SIGN_QUOTE) inside = !inside;
        if (cola_is_word(c)) word[n++] = cola_to_lower(c);
    }
    return !inside && text_node(p->latex, word, n, true, out);
}

/* --- values and their units ----------------------------------------------------------------------------- */

static void skip_unit_power(struct latex_parser *p)
{
    struct latex_value ignored;
    struct latex_parser ahead = *p;
    if (!accept(&ahead, '^') || !latex_parse_argument(&ahead, true, &ignored)) return;
    p->at = ahead.at;
}

static bool accept_unit(struct latex_parser *p, struct latex_node *node)
{
    char word[64];
    size_t n = 0;
    struct latex_parser ahead = *p;
    accept(&ahead, '/'); /* m/s */
    latex_skip_spaces(&ahead);
    size_t length = quoted(&ahead, word, sizeof word, &n);
    if (length == 0) {
        n = length = latex_word(&ahead);
        if (n < 2 || n > sizeof word || !latex_is_unit(ahead.text + ahead.at, n)) return false;
        memcpy(word, ahead.text + ahead.at, n);
    }
    if (is_joint(word, n)) return false;
    if (n == 2 && word[1] == 'm' && (word[0] == 'a' || word[0] == 'p')) node->half_day = word[0];
    p->at = ahead.at + length;
    skip_unit_power(p);
    return true;
}

/* 144 m^3, 144 {m}^3: a number, a blank, and a letter that is a unit or a variable. */
static bool may_be_unit(const struct latex *latex, struct latex_value value, const char *text, size_t n)
{
    static const char letters[] = "msgLh";
    if (value.n != 1 || latex->term[value.first].n_powers != 1 || latex->term[value.first].radicand != 1)
        return false;
    const char *name = latex_atom_name(latex, latex->term[value.first].power[0].atom);
    if (name[1] != '\0' || !strchr(letters, name[0])) return false;
    for (size_t i = 1; i < n; i++)
        if (text[i] == name[0])
            return text[i - 1] == ' ' || (i > 1 && text[i - 1] == '{' && text[i - 2] == ' ');
    return false;
}

static bool parse_value(struct latex_parser *p, uint32_t *out)
{
    struct latex_node node = {.kind = LATEX_VALUE};
    size_t begin = p->at;
    if (!latex_parse_sum(p, &node.value)) return false;
    node.letter_unit = may_be_unit(p->latex, node.value, p->text + begin, p->at - begin);
    if (accept(p, '%')) node.percent = true;
    while (accept_unit(p, &node)) continue;
    if (!latex_node_create(p->latex, LATEX_VALUE, out)) return false;
    p->latex->node[*out] = node;
    return true;
}

/* --- brackets ------------------------------------------------------------------------------------------- */

/* Is the bracket at p->at a tuple or interval: does a comma stand directly inside? */
static bool has_comma(struct latex_parser *p)
{
    int depth = 0;
    for (size_t i = p->at; i < p->n; i++) {
        char c = p->text[i];
        if (c == '(' || c == '[' || c == '{' || c == SIGN_SET_OPEN) depth++;
        if ((c == ')' || c == ']' || c == '}' || c == SIGN_SET_CLOSE) && --depth == 0) return false;
        if (depth != 1 || (c != ',' && c != ';')) continue;
        bool thousands = c == ',' && i + 3 < p->n && cola_is_digit(p->text[i - 1]);
        for (size_t j = 1; thousands && j <= 3; j++) thousands = cola_is_digit(p->text[i + j]);
        if (thousands && i + 4 < p->n && cola_is_digit(p->text[i + 4])) thousands = false;
        if (thousands) p->saw_thousands = true;
        if (!thousands || !p->thousands) return true;
    }
    return false;
}

static bool parse_bracket(struct latex_parser *p, uint32_t *out)
{
    struct items items = {.n = 0};
    if (p->depth == LATEX_DEPTH_MAX || !latex_node_create(p->latex, LATEX_BRACKET, out)) return false;
    p->latex->node[*out].open = p->text[p->at++];
    p->depth++;
    bool ok = parse_items(p, false, &items);
    p->depth--;
    char close = peek(p);
    if (!ok || p->at >= p->n || (close != ')' && close != ']')) return false;
    p->at++;
    p->latex->node[*out].close = close;
    return latex_node_children(p->latex, *out, items.child, items.n);
}

static bool parse_set(struct latex_parser *p, uint32_t *out)
{
    struct items items = {.n = 0};
    if (p->depth == LATEX_DEPTH_MAX || !latex_node_create(p->latex, LATEX_SET, out)) return false;
    if (latex_accept_command(p, "emptyset")) return true;
    p->at++;
    p->depth++;
    bool ok = peek(p) == SIGN_SET_CLOSE || parse_items(p, true, &items);
    p->depth--;
    return ok && accept(p, SIGN_SET_CLOSE) && latex_node_children(p->latex, *out, items.child, items.n);
}

static bool skip_braces(struct latex_parser *p)
{
    if (!accept(p, '{')) return false;
    while (p->at < p->n && p->text[p->at] != '}') p->at++;
    return accept(p, '}');
}

static bool parse_matrix(struct latex_parser *p, uint32_t *out)
{
    struct items items = {.n = 0};
    uint32_t n_columns = 0, in_row = 0;
    if (p->depth == LATEX_DEPTH_MAX || !skip_braces(p) || !latex_node_create(p->latex, LATEX_MATRIX, out))
        return false;
    for (bool end = false; !end;) {
        p->depth++;
        bool ok = items.n < LATEX_CHILDREN_MAX && parse_value(p, &items.child[items.n++]);
        p->depth--;
        if (!ok) return false;
        in_row++;
        if (accept(p, '&')) continue;
        bool row = accept(p, SIGN_ROW);
        end = latex_accept_command(p, "end");
        if (!row && !end) return false;
        if (n_columns != 0 && in_row != n_columns) return false;
        n_columns = in_row;
        in_row = 0;
    }
    p->latex->node[*out].n_columns = n_columns;
    return skip_braces(p) && latex_node_children(p->latex, *out, items.child, items.n);
}

/* --- sides, items, lists -------------------------------------------------------------------------------- */

static bool is_set_sign(struct latex_parser *p)
{
    char c = peek(p);
    if (p->at >= p->n) return false;
    if (c == SIGN_UNION) return true;
    return c == 'U' && latex_word(p) == 1;
}

static bool parse_operand(struct latex_parser *p, uint32_t *out)
{
    char c = peek(p);
    if (p->at >= p->n) return false;
    if (starts_words(p)) return parse_words(p, out);
    if (c == SIGN_SET_OPEN) return parse_set(p, out);
    if ((c == '(' || c == '[') && has_comma(p)) return parse_bracket(p, out);
    if (c == '\\') {
        struct latex_parser ahead = *p;
        if (latex_accept_command(&ahead, "emptyset")) return parse_set(p, out);
        if (latex_accept_command(p, "begin")) return parse_matrix(p, out);
    }
    return parse_value(p, out);
}

/* An operand; several joined by a union sign; or a ratio a:b:c. */
static bool parse_side(struct latex_parser *p, uint32_t *out)
{
    struct items items = {.n = 1};
    if (!parse_operand(p, &items.child[0])) return false;
    bool is_value = p->latex->node[items.child[0]].kind == LATEX_VALUE;
    bool ratio = is_value && peek(p) == ':';
    if (!ratio && (is_value || !is_set_sign(p))) {
        *out = items.child[0];
        return true;
    }
    while (ratio ? accept(p, ':') : is_set_sign(p)) {
        if (!ratio) p->at++;
        if (items.n == LATEX_CHILDREN_MAX || !parse_operand(p, &items.child[items.n++])) return false;
    }
    return latex_node_create(p->latex, ratio ? LATEX_RATIO : LATEX_UNION, out) &&
           latex_node_children(p->latex, *out, items.child, items.n);
}

static bool is_relation_sign(char c)
{
    return c == '=' || c == '<' || c == '>' || c == SIGN_LESS_EQUAL || c == SIGN_GREATER_EQUAL ||
           c == SIGN_NOT_EQUAL || c == SIGN_IN;
}

/* f(x), P(A): a letter, a bracket with a sign or two, nothing else. */
static bool is_function_name(const char *text, size_t n)
{
    while (n > 0 && text[n - 1] == ' ') n--;
    while (n > 0 && text[0] == ' ') text++, n--;
    return n >= 4 && n <= 6 && cola_is_letter(text[0]) && text[1] == '(' && text[n - 1] == ')' &&
           !memchr(text + 2, '(', n - 2);
}

static bool is_name(const struct latex *latex, uint32_t index, const char *text, size_t n)
{
    const struct latex_node *node = &latex->node[index];
    if (node->kind == LATEX_TEXT || latex_is_variable(latex, index) || is_function_name(text, n)) return true;
    if (node->kind != LATEX_BRACKET) return false; /* (x,y) = (1,2) */
    for (uint32_t i = 0; i < node->n_children; i++)
        if (!latex_is_variable(latex, latex->child[node->child + i])) return false;
    return true;
}

static bool parse_item(struct latex_parser *p, uint32_t *out)
{
    enum { SIDES_MAX = 8 };
    uint32_t side[SIDES_MAX], n = 1;
    char sign[SIDES_MAX];
    size_t begin = p->at;
    uint32_t work = p->work, all = 0;
    p->work = 0;
    if (!parse_side(p, &side[0])) return false;
    bool named = is_name(p->latex, side[0], p->text + begin, p->at - begin);
    while (is_relation_sign(peek(p)) && p->at < p->n) {
        if (n == SIDES_MAX) return false;
        sign[n - 1] = p->text[p->at++];
        all |= p->work;
        p->work = 0;
        if (!parse_side(p, &side[n++])) return false;
    }
    if (!latex_relation(p->latex, side, sign, n, named, out)) return false;
    p->work |= work | (*out == side[n - 1] ? 0 : all); /* 4 + 3 = 7 is worked out */
    return true;
}

/* twins: an item with \pm becomes two. */
static bool parse_items(struct latex_parser *p, bool twins, struct items *items)
{
    do {
        struct latex_parser again = *p;
        bool seen_before = p->saw_sign;
        p->saw_sign = false;
        if (items->n == LATEX_CHILDREN_MAX || !parse_item(p, &items->child[items->n++])) return false;
        if (p->saw_sign) {
            again.sign = -p->sign;
            if (!twins || items->n == LATEX_CHILDREN_MAX || !parse_item(&again, &items->child[items->n++]))
                return false;
        }
        p->saw_sign = seen_before;
    } while (accept_separator(p));
    return true;
}

static bool parse_answer(struct latex_parser *p, struct latex_answer *out)
{
    struct items items = {.n = 0};
    if (!parse_items(p, true, &items)) return false;
    latex_skip_spaces(p);
    if (p->at != p->n) return false;
    out->work = p->work;
    out->node = items.child[0];
    if (items.n == 1) return true;
    return latex_node_create(p->latex, LATEX_LIST, &out->node) &&
           latex_node_children(p->latex, out->node, items.child, items.n);
}

static uint32_t sum_factors(const struct latex *latex, uint32_t first_node)
{
    uint32_t n = 0;
    for (uint32_t i = first_node; i < latex->n_nodes; i++)
        if (latex->node[i].kind == LATEX_VALUE) n += latex->node[i].value.n_factors;
    return n;
}

static void read_cleaned(struct latex *latex, const char *clean, size_t n, bool thousands,
                         bool *saw_thousands, struct latex_answer *out)
{
    char bare[LATEX_CLEAN_MAX];
    size_t n_bare = 0;
    struct latex_mark mark = latex_mark(latex);
    struct latex_parser parser = {.latex = latex, .text = clean, .n = n, .sign = 1, .thousands = thousands};
    *out = (struct latex_answer){.empty = false};
    bool ok = parse_answer(&parser, out);
    *saw_thousands = parser.saw_thousands;
    if (ok) {
        out->n_factors = sum_factors(latex, mark.n_nodes);
        return;
    }
    latex_reset(latex, mark);
    for (size_t i = 0; i < n; i++)
        if (clean[i] != ' ' && clean[i] != SIGN_QUOTE) bare[n_bare++] = clean[i];
    *out = (struct latex_answer){.empty = false};
    out->empty = !text_node(latex, bare, n_bare, false, &out->node);
}

void latex_read(struct latex *latex, const char *text, size_t n, struct latex_answer *out)
{
    char clean[LATEX_CLEAN_MAX];
    bool ignored;
    if (n > LATEX_ANSWER_MAX) n = 0;
    read_cleaned(latex, clean, latex_clean(text, n, clean), true, &ignored, out);
}

bool latex_read_as_list(struct latex *latex, const char *text, size_t n, struct latex_answer *out)
{
    char clean[LATEX_CLEAN_MAX];
    bool saw_thousands = false;
    if (n > LATEX_ANSWER_MAX) return false;
    read_cleaned(latex, clean, latex_clean(text, n, clean), false, &saw_thousands, out);
    return saw_thousands && !out->empty;
}
