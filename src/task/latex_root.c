/* latex_root.c - powers and roots in the normal form: integer powers of sums (expanded while they are short),
 * roots with their whole part in front (sqrt(20) = 2 sqrt(5)), and atoms for what stays: x^(n), root3(2).
 * Roots of powers are taken as for positive variables: sqrt(x^2) = x. */
#include "task/latex.h"

#include <stdio.h>
#include <string.h>

enum {
    RADICAND_BITS = 40, /* trial division up to its cube root: about 10,000 steps */
    EXPONENT_MAX = 4096,
    ROOT_MAX = 64,
    ROOT_BUDGET = 100 /* what a trial division takes of the budget, in products of terms */
};

static bool integer_power(struct latex *latex, struct latex_value base, uint32_t exponent,
                          struct latex_value *out)
{
    struct latex_value power, square = base;
    if (!latex_value_integer(latex, 1, &power)) return false;
    for (uint32_t rest = exponent; rest > 0; rest /= 2) {
        if (rest % 2 && !latex_value_mul(latex, power, square, &power)) return false;
        if (rest > 1 && !latex_value_mul(latex, square, square, &square)) return false;
    }
    uint32_t own = base.n_factors;
    if (own == 0) own = base.n > 1 && !latex_value_is_constant(latex, base) && exponent > 1;
    power.n_factors = own * exponent;
    *out = power;
    return true;
}

static bool named_power(struct latex *latex, struct latex_value base, struct latex_value exponent,
                        struct latex_value *out)
{
    char bytes[LATEX_NAME_MAX + 1];
    struct latex_text text = {bytes, 0, sizeof bytes, false};
    latex_put_string(&text, "(");
    latex_print_value(latex, base, &text);
    latex_put_string(&text, ")^(");
    latex_print_value(latex, exponent, &text);
    latex_put_string(&text, ")");
    return !text.cut && latex_value_atom(latex, text.bytes, text.n, out);
}

/* base^(p/q) = base^w * root_q(base)^r with p = w q + r, so that x^{3/2} is x sqrt(x). */
static bool rational_power(struct latex *latex, struct latex_value base, struct latex_rational exponent,
                           uint32_t *work, struct latex_value *out)
{
    struct latex_value value, root;
    if (exponent.den > ROOT_MAX || exponent.num > EXPONENT_MAX || exponent.num < -EXPONENT_MAX) return false;
    bool negative = exponent.num < 0;
    uint32_t num = (uint32_t)(negative ? -exponent.num : exponent.num), den = (uint32_t)exponent.den;
    if (base.n == 0 && (negative || num == 0)) return false;
    if (!integer_power(latex, base, num / den, &value)) return false;
    if (num % den != 0) {
        uint32_t n_factors = value.n_factors;
        if (!latex_value_root(latex, den, base, work, &root) ||
            !integer_power(latex, root, num % den, &root) || !latex_value_mul(latex, value, root, &value))
            return false;
        value.n_factors = n_factors;
    }
    if (negative) {
        struct latex_value one;
        if (!latex_value_integer(latex, 1, &one) || !latex_value_div(latex, one, value, &value)) return false;
    }
    *out = value;
    return true;
}

bool latex_value_power(struct latex *latex, struct latex_value base, struct latex_value exponent,
                       uint32_t *work, struct latex_value *out)
{
    struct latex_rational number, below;
    if (latex_value_is_rational(latex, base, &below) && below.num != 10 && below.num != 0)
        *work |= LATEX_WORK_POWER;
    if (latex_value_is_rational(latex, exponent, &number)) {
        uint32_t n_terms = latex->n_terms;
        if (rational_power(latex, base, number, work, out)) return true;
        latex->n_terms = n_terms;
        if (base.n == 0) return false;
    }
    return named_power(latex, base, exponent, out); /* e^x, 2^n, and what does not fit 128 bits */
}

/* n = outside^k * inside, inside without k-th powers; n < 2^RADICAND_BITS. */
static void extract(uint64_t n, uint32_t k, uint64_t *outside, uint64_t *inside)
{
    uint64_t found = 1, rest = n, kept = 1;
    for (uint64_t p = 2; p * p * p <= rest; p++) {
        uint32_t times = 0;
        while (rest % p == 0) {
            rest /= p;
            times++;
        }
        for (; times >= k; times -= k) found *= p;
        for (; times > 0; times--) kept *= p;
    }
    uint64_t root = 0; /* rest is a prime, a product of two primes, or the square of one */
    for (uint64_t bit = (uint64_t)1 << (RADICAND_BITS / 2); bit > 0; bit /= 2)
        if ((root + bit) * (root + bit) <= rest) root += bit;
    if (k == 2 && root * root == rest) {
        found *= root;
        rest = 1;
    }
    *outside = found;
    *inside = kept * rest;
}

/* The k-th root of a positive rational as a / b * root of `inside`: root(n/d) = root(n d^(k-1)) / d. */
static bool root_of_rational(struct latex *latex, uint32_t k, struct latex_rational number,
                             struct latex_rational *outside, uint64_t *inside)
{
    latex_int radicand = number.num;
    uint64_t found;
    for (uint32_t i = 1; i < k && number.den > 1; i++)
        if (!latex_int_mul(radicand, number.den, &radicand)) return false;
    latex->budget -= ROOT_BUDGET;
    if (radicand >> RADICAND_BITS != 0 || latex->budget < 0) return false;
    extract((uint64_t)radicand, k, &found, inside);
    return latex_rational_make((latex_int)found, number.den, outside);
}

static bool root_atom(struct latex *latex, uint32_t k, struct latex_value a, struct latex_value *out)
{
    char name[24] = "root";
    if (k != 2) snprintf(name, sizeof name, "root%u", (unsigned)k);
    return latex_value_apply(latex, name, a, out);
}

/* Splits the powers of a term: those that the root divides go outside. */
static void split_powers(const struct latex_term *term, uint32_t k, struct latex_term *outside,
                         struct latex_term *inside)
{
    for (uint32_t i = 0; i < term->n_powers; i++) {
        int whole = term->power[i].exponent / (int)k, rest = term->power[i].exponent % (int)k;
        uint16_t atom = term->power[i].atom;
        if (whole) outside->power[outside->n_powers++] = (struct latex_power){atom, (int16_t)whole};
        if (rest) inside->power[inside->n_powers++] = (struct latex_power){atom, (int16_t)rest};
    }
}

static bool root_of_term(struct latex *latex, uint32_t k, const struct latex_term *term, uint32_t *work,
                         struct latex_value *out)
{
    struct latex_term outside = {.radicand = 1}, inside = {.factor = {1, 1}, .radicand = 1};
    struct latex_rational size = term->factor;
    bool negative = size.num < 0;
    uint64_t rest;
    if (negative) size.num = -size.num;
    if (term->radicand != 1 || (negative && k != 2 && k % 2 == 0)) return false;
    for (uint32_t i = 0; i < term->n_powers; i++)
        if (term->power[i].atom == LATEX_ATOM_I) return false;
    if (!root_of_rational(latex, k, size, &outside.factor, &rest)) return false;
    if (rest == 1 || outside.factor.num != 1 || outside.factor.den != 1) *work |= LATEX_WORK_ROOT;
    split_powers(term, k, &outside, &inside);
    if (k == 2 && rest <= UINT32_MAX)
        outside.radicand = (uint32_t)rest;
    else
        inside.factor.num = (latex_int)rest;
    if (negative && k != 2) outside.factor.num = -outside.factor.num;
    struct latex_value value = {.first = latex->n_terms}, factor;
    if (!latex_value_insert(latex, &value, &outside)) return false;
    if (negative && k == 2)
        if (!latex_value_atom(latex, "i", 1, &factor) || !latex_value_mul(latex, value, factor, &value))
            return false;
    if (inside.n_powers > 0 || inside.factor.num != 1) {
        factor = (struct latex_value){.first = latex->n_terms};
        if (!latex_value_insert(latex, &factor, &inside) || !root_atom(latex, k, factor, &factor) ||
            !latex_value_mul(latex, value, factor, &value))
            return false;
    }
    *out = value;
    return true;
}

/* sqrt(4x + 4) = 2 sqrt(x + 1): the numbers that all terms share go outside. */
static bool root_of_sum(struct latex *latex, uint32_t k, struct latex_value a, struct latex_value *out)
{
    struct latex_rational shared = {0, 1}, inverse;
    struct latex_value outside, inside;
    for (uint32_t i = 0; i < a.n; i++) {
        struct latex_rational own = latex->term[a.first + i].factor;
        latex_int den = latex_int_gcd(shared.den, own.den);
        shared.num = latex_int_gcd(shared.num, own.num);
        if (!latex_int_mul(shared.den / den, own.den, &shared.den)) return false;
    }
    if (!latex_rational_make(shared.den, shared.num, &inverse) ||
        !latex_value_scale(latex, a, inverse, &inside) || !root_atom(latex, k, inside, &inside) ||
        !latex_rational_make(shared.num, shared.den, &shared) ||
        !latex_value_rational(latex, shared, &outside))
        return false;
    uint32_t ignored = 0;
    if (!latex_value_root(latex, k, outside, &ignored, &outside)) return false;
    return latex_value_mul(latex, outside, inside, out);
}

bool latex_value_root(struct latex *latex, uint32_t k, struct latex_value a, uint32_t *work,
                      struct latex_value *out)
{
    struct latex_value value;
    uint32_t n_terms = latex->n_terms;
    if (k < 2 || k > ROOT_MAX) return false;
    if (a.n == 0) return latex_value_integer(latex, 0, out);
    struct latex_term term = latex->term[a.first];
    bool ok = a.n == 1 ? root_of_term(latex, k, &term, work, &value) : root_of_sum(latex, k, a, &value);
    if (!ok) {
        latex->n_terms = n_terms;
        ok = root_atom(latex, k, a, &value); /* nested or too long: as it stands */
    }
    if (ok) *out = value;
    return ok;
}
