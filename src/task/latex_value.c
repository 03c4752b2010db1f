/* latex_value.c - sums of terms with exact factors: the normal form in which expressions are compared, and
 * the workspace that holds them. A term's order: higher degree first, then by the names of its atoms, then by
 * radicand; so two equal sums are equal term by term. Values are never changed once made; memory comes from
 * one bounded arena and goes when the workspace is reset. Knows no syntax. */
#include "task/latex.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "cola/memory.h"

/* --- workspace ------------------------------------------------------------------------------------------ */

enum cola_status latex_create(struct latex **out)
{
    uint16_t atom;
    struct latex *latex = NULL;
    COLA_TRY(cola_alloc((void **)&latex, 1, sizeof *latex, "grader"));
    latex->budget = LATEX_BUDGET;
    bool ok = latex_atom(latex, "i", 1, &atom) && latex_atom(latex, "infinity", 8, &atom);
    assert(ok && atom == LATEX_ATOM_INFINITY);
    *out = latex;
    return COLA_OK;
}

void latex_destroy(struct latex *latex)
{
    free(latex);
}

struct latex_mark latex_mark(const struct latex *latex)
{
    return (struct latex_mark){latex->n_terms, latex->n_nodes, latex->n_children, latex->n_names,
                               latex->n_atoms};
}

void latex_reset(struct latex *latex, struct latex_mark mark)
{
    latex->n_terms = mark.n_terms;
    latex->n_nodes = mark.n_nodes;
    latex->n_children = mark.n_children;
    latex->n_names = mark.n_names;
    latex->n_atoms = mark.n_atoms;
}

bool latex_atom(struct latex *latex, const char *name, size_t n, uint16_t *out)
{
    for (uint32_t i = 0; i < latex->n_atoms; i++) {
        const char *other = latex->names + latex->atom[i];
        if (strncmp(other, name, n) == 0 && other[n] == '\0') {
            *out = (uint16_t)i;
            return true;
        }
    }
    if (latex->n_atoms == LATEX_ATOMS_MAX || n == 0 || n > LATEX_NAME_MAX || memchr(name, 0, n) ||
        n + 1 > LATEX_NAMES_MAX - latex->n_names)
        return false;
    memcpy(latex->names + latex->n_names, name, n);
    latex->names[latex->n_names + n] = '\0';
    latex->atom[latex->n_atoms] = latex->n_names;
    latex->n_names += (uint32_t)n + 1;
    *out = (uint16_t)latex->n_atoms++;
    return true;
}

const char *latex_atom_name(const struct latex *latex, uint16_t atom)
{
    return latex->names + latex->atom[atom];
}

/* --- terms ---------------------------------------------------------------------------------------------- */

static int32_t degree(const struct latex_term *term)
{
    int32_t sum = 0;
    for (uint32_t i = 0; i < term->n_powers; i++) sum += term->power[i].exponent;
    return sum;
}

/* Canonical order of what stands behind the factors; 0: the terms can be added. */
static int compare_terms(const struct latex *latex, const struct latex_term *a, const struct latex_term *b)
{
    int32_t degree_a = degree(a), degree_b = degree(b);
    if (degree_a != degree_b) return degree_a > degree_b ? -1 : 1;
    for (uint32_t i = 0; i < a->n_powers && i < b->n_powers; i++) {
        if (a->power[i].atom != b->power[i].atom)
            return strcmp(latex_atom_name(latex, a->power[i].atom), latex_atom_name(latex, b->power[i].atom));
        if (a->power[i].exponent != b->power[i].exponent)
            return a->power[i].exponent > b->power[i].exponent ? -1 : 1;
    }
    if (a->n_powers != b->n_powers) return a->n_powers > b->n_powers ? -1 : 1;
    if (a->radicand != b->radicand) return a->radicand < b->radicand ? -1 : 1;
    return 0;
}

/* i^2 = -1 */
static void fold_imaginary(struct latex_term *term)
{
    for (uint32_t i = 0; i < term->n_powers; i++) {
        if (term->power[i].atom != LATEX_ATOM_I) continue;
        int exponent = ((term->power[i].exponent % 4) + 4) % 4;
        if (exponent >= 2) term->factor.num = -term->factor.num;
        if (exponent % 2) {
            term->power[i].exponent = 1;
        } else {
            memmove(&term->power[i], &term->power[i + 1], (term->n_powers - i - 1) * sizeof term->power[0]);
            term->n_powers--;
        }
        return;
    }
}

static bool put_power(struct latex_term *term, uint16_t atom, int32_t exponent)
{
    if (exponent == 0) return true;
    if (term->n_powers == LATEX_TERM_POWERS || exponent > 10000 || exponent < -10000) return false;
    term->power[term->n_powers++] = (struct latex_power){atom, (int16_t)exponent};
    return true;
}

static bool multiply_terms(const struct latex *latex, const struct latex_term *a, const struct latex_term *b,
                           struct latex_term *out)
{
    struct latex_term term = {.radicand = 1};
    if (!latex_rational_mul(a->factor, b->factor, &term.factor)) return false;
    uint32_t shared = (uint32_t)latex_int_gcd(a->radicand, b->radicand); /* sqrt(6) sqrt(10) = 2 sqrt(15) */
    uint64_t radicand = (uint64_t)(a->radicand / shared) * (b->radicand / shared);
    if (radicand > UINT32_MAX) return false;
    term.radicand = (uint32_t)radicand;
    if (!latex_rational_mul(term.factor, (struct latex_rational){shared, 1}, &term.factor)) return false;
    uint32_t i = 0, j = 0;
    while (i < a->n_powers || j < b->n_powers) {
        const struct latex_power *left = &a->power[i], *right = &b->power[j];
        int order = i == a->n_powers   ? 1
                    : j == b->n_powers ? -1
                    : left->atom == right->atom
                        ? 0
                        : strcmp(latex_atom_name(latex, left->atom), latex_atom_name(latex, right->atom));
        bool ok = order < 0   ? put_power(&term, left->atom, left->exponent)
                  : order > 0 ? put_power(&term, right->atom, right->exponent)
                              : put_power(&term, left->atom, left->exponent + right->exponent);
        if (!ok) return false;
        i += order <= 0;
        j += order >= 0;
    }
    fold_imaginary(&term);
    *out = term;
    return true;
}

static bool invert_term(const struct latex_term *a, struct latex_term *out)
{
    struct latex_term term = *a;
    if (!latex_rational_make(a->factor.den, a->factor.num, &term.factor)) return false;
    struct latex_rational below = {1, a->radicand}; /* 1 / sqrt(r) = sqrt(r) / r */
    if (!latex_rational_mul(term.factor, below, &term.factor)) return false;
    for (uint32_t i = 0; i < term.n_powers; i++) term.power[i].exponent = (int16_t)-term.power[i].exponent;
    fold_imaginary(&term);
    *out = term;
    return true;
}

/* --- sums ----------------------------------------------------------------------------------------------- */

static struct latex_value begin(const struct latex *latex)
{
    return (struct latex_value){.first = latex->n_terms};
}

/* Adds a term to the value that is being made at the arena's end. */
bool latex_value_insert(struct latex *latex, struct latex_value *value, const struct latex_term *term)
{
    struct latex_term *own = latex->term + value->first;
    struct latex_rational sum;
    uint32_t at = 0;
    int order = 1;
    while (at < value->n && (order = compare_terms(latex, &own[at], term)) < 0) at++;
    if (at < value->n && order == 0) {
        if (!latex_rational_add(own[at].factor, term->factor, &sum)) return false;
        own[at].factor = sum;
        if (sum.num != 0) return true;
        memmove(own + at, own + at + 1, (value->n - at - 1) * sizeof *own);
        value->n--;
        latex->n_terms--;
        return true;
    }
    if (value->n == LATEX_VALUE_TERMS || latex->n_terms == LATEX_ARENA_TERMS) return false;
    memmove(own + at + 1, own + at, (value->n - at) * sizeof *own);
    own[at] = *term;
    value->n++;
    latex->n_terms++;
    return true;
}

bool latex_value_rational(struct latex *latex, struct latex_rational number, struct latex_value *out)
{
    struct latex_value value = begin(latex);
    struct latex_term term = {.factor = number, .radicand = 1};
    if (number.num != 0 && !latex_value_insert(latex, &value, &term)) return false;
    *out = value;
    return true;
}

bool latex_value_integer(struct latex *latex, latex_int number, struct latex_value *out)
{
    return latex_value_rational(latex, (struct latex_rational){number, 1}, out);
}

bool latex_value_atom(struct latex *latex, const char *name, size_t n, struct latex_value *out)
{
    struct latex_term term = {.factor = {1, 1}, .radicand = 1, .n_powers = 1, .power = {{0, 1}}};
    struct latex_value value = begin(latex);
    if (!latex_atom(latex, name, n, &term.power[0].atom)) return false;
    if (!latex_value_insert(latex, &value, &term)) return false;
    *out = value;
    return true;
}

bool latex_value_add(struct latex *latex, struct latex_value a, struct latex_value b, struct latex_value *out)
{
    struct latex_value sum = begin(latex);
    latex->budget -= (int32_t)(a.n + b.n) + 1;
    if (latex->budget < 0) return false;
    for (uint32_t i = 0; i < a.n; i++) {
        struct latex_term term = latex->term[a.first + i];
        if (!latex_value_insert(latex, &sum, &term)) return false;
    }
    for (uint32_t i = 0; i < b.n; i++) {
        struct latex_term term = latex->term[b.first + i];
        if (!latex_value_insert(latex, &sum, &term)) return false;
    }
    sum.n_factors = a.n_factors + b.n_factors;
    *out = sum;
    return true;
}

/* How many factors a product has that are sums: a constant before a sum leaves the sum what it is. */
static uint32_t count_factors(const struct latex *latex, struct latex_value a, struct latex_value b)
{
    bool variable_a = !latex_value_is_constant(latex, a), variable_b = !latex_value_is_constant(latex, b);
    uint32_t n = a.n_factors + b.n_factors;
    if (a.n > 1 && variable_a && variable_b && a.n_factors == 0) n++;
    if (b.n > 1 && variable_a && variable_b && b.n_factors == 0) n++;
    return n;
}

bool latex_value_mul(struct latex *latex, struct latex_value a, struct latex_value b, struct latex_value *out)
{
    struct latex_value product = begin(latex);
    latex->budget -= (int32_t)(a.n * b.n) + 1;
    if (latex->budget < 0) return false;
    for (uint32_t i = 0; i < a.n; i++)
        for (uint32_t j = 0; j < b.n; j++) {
            struct latex_term term;
            if (!multiply_terms(latex, &latex->term[a.first + i], &latex->term[b.first + j], &term) ||
                !latex_value_insert(latex, &product, &term))
                return false;
        }
    product.n_factors = count_factors(latex, a, b);
    *out = product;
    return true;
}

bool latex_value_scale(struct latex *latex, struct latex_value a, struct latex_rational by,
                       struct latex_value *out)
{
    struct latex_value factor;
    if (!latex_value_rational(latex, by, &factor) || !latex_value_mul(latex, a, factor, &factor))
        return false;
    *out = factor;
    return true;
}

bool latex_value_negate(struct latex *latex, struct latex_value a, struct latex_value *out)
{
    return latex_value_scale(latex, a, (struct latex_rational){-1, 1}, out);
}

/* a / b by the conjugate: b has two terms, both constant, so (p + q)(p - q) may have one. */
static bool divide_by_conjugate(struct latex *latex, struct latex_value a, struct latex_value b,
                                struct latex_value *out)
{
    struct latex_value conjugate, below, above;
    if (b.n != 2 || !latex_value_is_constant(latex, b)) return false;
    if (!latex_value_add(latex, b, (struct latex_value){0}, &conjugate)) return false; /* a copy */
    latex->term[conjugate.first + 1].factor.num = -latex->term[conjugate.first + 1].factor.num;
    if (!latex_value_mul(latex, b, conjugate, &below) || below.n != 1) return false;
    if (!latex_value_mul(latex, a, conjugate, &above)) return false;
    return latex_value_div(latex, above, below, out);
}

bool latex_value_div(struct latex *latex, struct latex_value a, struct latex_value b, struct latex_value *out)
{
    struct latex_rational quotient;
    struct latex_value inverse;
    if (b.n == 0) return false;
    if (b.n == 1) {
        struct latex_term term;
        inverse = begin(latex);
        if (!invert_term(&latex->term[b.first], &term) || !latex_value_insert(latex, &inverse, &term))
            return false;
        uint32_t n_factors = a.n_factors;
        if (!latex_value_mul(latex, a, inverse, &inverse)) return false;
        inverse.n_factors = n_factors; /* (x+2)/y is not a product of sums */
        *out = inverse;
        return true;
    }
    if (latex_value_proportional(latex, b, a, &quotient)) return latex_value_rational(latex, quotient, out);
    if (divide_by_conjugate(latex, a, b, out)) return true;
    struct latex_rational lead = latex->term[b.first].factor, one_by_lead;
    if (!latex_rational_make(lead.den, lead.num, &one_by_lead) ||
        !latex_value_scale(latex, b, one_by_lead, &inverse) ||
        !latex_value_apply(latex, "1/", inverse, &inverse) ||
        !latex_value_scale(latex, inverse, one_by_lead, &inverse))
        return false;
    return latex_value_mul(latex, a, inverse, out);
}

bool latex_value_apply(struct latex *latex, const char *name, struct latex_value a, struct latex_value *out)
{
    char bytes[LATEX_NAME_MAX + 1];
    struct latex_text text = {bytes, 0, sizeof bytes, false};
    latex_put_string(&text, name);
    latex_put_string(&text, "(");
    latex_print_value(latex, a, &text);
    latex_put_string(&text, ")");
    return !text.cut && latex_value_atom(latex, text.bytes, text.n, out);
}

/* --- questions ------------------------------------------------------------------------------------------ */

bool latex_value_equal(const struct latex *latex, struct latex_value a, struct latex_value b)
{
    struct latex_rational quotient;
    return latex_value_proportional(latex, a, b, &quotient) &&
           latex_rational_equal(quotient, (struct latex_rational){1, 1});
}

bool latex_value_proportional(const struct latex *latex, struct latex_value a, struct latex_value b,
                              struct latex_rational *q)
{
    struct latex_rational ratio = {1, 1}, inverse;
    if (a.n != b.n) return false;
    for (uint32_t i = 0; i < a.n; i++) {
        const struct latex_term *left = &latex->term[a.first + i], *right = &latex->term[b.first + i];
        struct latex_rational own;
        if (compare_terms(latex, left, right) != 0 ||
            !latex_rational_make(left->factor.den, left->factor.num, &inverse) ||
            !latex_rational_mul(right->factor, inverse, &own))
            return false;
        if (i > 0 && !latex_rational_equal(own, ratio)) return false;
        ratio = own;
    }
    *q = ratio;
    return true;
}

bool latex_value_is_rational(const struct latex *latex, struct latex_value a, struct latex_rational *out)
{
    if (a.n > 1) return false;
    const struct latex_term *term = &latex->term[a.first];
    if (a.n == 1 && (term->radicand != 1 || term->n_powers != 0)) return false;
    *out = a.n == 0 ? (struct latex_rational){0, 1} : term->factor;
    return true;
}

bool latex_value_is_constant(const struct latex *latex, struct latex_value a)
{
    for (uint32_t i = 0; i < a.n; i++) {
        const struct latex_term *term = &latex->term[a.first + i];
        for (uint32_t j = 0; j < term->n_powers; j++)
            if (term->power[j].atom > LATEX_ATOM_INFINITY &&
                strcmp(latex_atom_name(latex, term->power[j].atom), "pi") != 0)
                return false;
    }
    return true;
}
