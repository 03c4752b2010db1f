/* latex_function.c - commands and words with arguments: \frac, \sqrt, \binom, logarithms, floors, Greek
 * letters, \pi and \infty. What has an exact value of the normal form is computed; sin(x) and its like stay
 * as atoms. */
#include "task/latex.h"

#include <string.h>

#include "task/grade_bytes.h"

static bool is_name(const char *name, size_t n, const char *other)
{
    return strlen(other) == n && memcmp(name, other, n) == 0;
}

static bool accept(struct latex_parser *p, char c)
{
    latex_skip_spaces(p);
    if (p->at >= p->n || p->text[p->at] != c) return false;
    p->at++;
    return true;
}

static bool fraction(struct latex_parser *p, struct latex_value *out)
{
    struct latex_value above, below;
    struct latex_rational num, den;
    if (!latex_parse_argument(p, true, &above) || !latex_parse_argument(p, true, &below)) return false;
    if (latex_value_is_rational(p->latex, above, &num) && latex_value_is_rational(p->latex, below, &den) &&
        (num.den != 1 || den.den != 1 || latex_int_gcd(num.num, den.num) != 1))
        p->work |= LATEX_WORK_FRACTION;
    if (below.n == 1 && p->latex->term[below.first].radicand > 1) p->work |= LATEX_WORK_ROOT;
    return latex_value_div(p->latex, above, below, out);
}

static bool root(struct latex_parser *p, struct latex_value *out)
{
    struct latex_value radicand, degree;
    struct latex_rational k = {2, 1};
    if (accept(p, '[')) {
        if (!latex_parse_sum(p, &degree) || !accept(p, ']')) return false;
        if (!latex_value_is_rational(p->latex, degree, &k) || k.den != 1 || k.num < 2 || k.num > 64)
            return false;
    }
    if (!latex_parse_argument(p, false, &radicand)) return false;
    return latex_value_root(p->latex, (uint32_t)k.num, radicand, &p->work, out);
}

static bool binomial(struct latex_parser *p, struct latex_value *out)
{
    struct latex_value above, below;
    struct latex_rational n, k;
    latex_int product = 1;
    if (!latex_parse_argument(p, true, &above) || !latex_parse_argument(p, true, &below)) return false;
    if (!latex_value_is_rational(p->latex, above, &n) || !latex_value_is_rational(p->latex, below, &k) ||
        n.den != 1 || k.den != 1 || k.num < 0 || n.num < k.num || n.num > 1000)
        return false;
    p->work |= LATEX_WORK_FUNCTION;
    for (latex_int i = 1; i <= k.num; i++) {
        if (!latex_int_mul(product, n.num - k.num + i, &product)) return false;
        product /= i;
    }
    return latex_value_integer(p->latex, product, out);
}

/* \lfloor 3.2 \rfloor, \lceil 3.2 \rceil */
static bool rounded(struct latex_parser *p, bool up, struct latex_value *out)
{
    struct latex_value inside;
    struct latex_rational number;
    if (p->depth == LATEX_DEPTH_MAX) return false;
    p->depth++;
    bool ok = latex_parse_sum(p, &inside) && latex_accept_command(p, up ? "rceil" : "rfloor");
    p->depth--;
    if (!ok) return false;
    if (!latex_value_is_rational(p->latex, inside, &number))
        return latex_value_apply(p->latex, up ? "ceil" : "floor", inside, out);
    p->work |= LATEX_WORK_FUNCTION;
    latex_int whole = number.num / number.den, rest = number.num % number.den;
    return latex_value_integer(p->latex, whole + (up ? rest > 0 : -(rest < 0)), out);
}

/* log_b(a) where it is whole; else false, with the value untouched. */
static bool whole_logarithm(struct latex *latex, struct latex_value base, struct latex_value a,
                            struct latex_value *out)
{
    struct latex_rational b, number;
    latex_int power = 1;
    if (!latex_value_is_rational(latex, base, &b) || !latex_value_is_rational(latex, a, &number))
        return false;
    if (b.den != 1 || b.num < 2 || number.num < 1 || (number.num != 1 && number.den != 1)) return false;
    latex_int size = number.num == 1 ? number.den : number.num;
    int exponent = 0;
    for (; power < size; exponent++)
        if (!latex_int_mul(power, b.num, &power)) return false;
    return power == size && latex_value_integer(latex, number.num == 1 ? -exponent : exponent, out);
}

static bool apply(struct latex_parser *p, const char *name, size_t n, struct latex_value *out)
{
    char text[LATEX_NAME_MAX + 1];
    struct latex_text full = {text, 0, sizeof text, false};
    struct latex_value base = {0}, exponent = {0}, argument;
    bool has_base = false, has_exponent = false;
    if (p->depth == LATEX_DEPTH_MAX) return false;
    if (accept(p, '_')) has_base = latex_parse_argument(p, false, &base);
    if (accept(p, '^')) has_exponent = latex_parse_argument(p, false, &exponent);
    p->depth++;
    bool ok = latex_parse_power(p, &argument);
    while (ok && p->at < p->n && cola_is_letter(p->text[p->at]) && latex_word(p) < 3) { /* sin 2x */
        struct latex_value factor;
        ok = latex_parse_power(p, &factor) && latex_value_mul(p->latex, argument, factor, &argument);
    }
    p->depth--;
    if (!ok) return false;
    if (is_name(name, n, "log") && !has_base) has_base = latex_value_integer(p->latex, 10, &base);
    if (is_name(name, n, "log") && has_base && whole_logarithm(p->latex, base, argument, out)) {
        p->work |= LATEX_WORK_FUNCTION;
        return !has_exponent || latex_value_power(p->latex, *out, exponent, &p->work, out);
    }
    latex_put(&full, name, n);
    if (has_base) {
        latex_put_string(&full, "_");
        latex_print_value(p->latex, base, &full);
    }
    if (full.cut || !latex_value_apply(p->latex, text, argument, out)) return false;
    return !has_exponent || latex_value_power(p->latex, *out, exponent, &p->work, out);
}

static const char *const applied[] = {"sin",    "cos",    "tan",    "cot", "sec", "csc",
                                      "arcsin", "arccos", "arctan", "log", "ln",  "exp",
                                      "sinh",   "cosh",   "tanh",   "gcd", "lcm"};
static const char *const constant[] = {
    "alpha",    "beta",  "gamma",   "delta",  "epsilon", "varepsilon", "zeta", "eta",   "theta",
    "vartheta", "iota",  "kappa",   "lambda", "mu",      "nu",         "xi",   "pi",    "rho",
    "sigma",    "tau",   "upsilon", "phi",    "varphi",  "chi",        "psi",  "omega", "Gamma",
    "Delta",    "Theta", "Lambda",  "Pi",     "Sigma",   "Phi",        "Psi",  "Omega"};

/* \overline{AB}, \triangle ABC, \angle A: a name, whatever it holds. */
static bool parse_name(struct latex_parser *p, const char *name, size_t n, struct latex_value *out)
{
    struct latex_value inside;
    char text[16] = "";
    if (n >= sizeof text) return false;
    memcpy(text, name, n);
    return latex_parse_argument(p, true, &inside) && latex_value_apply(p->latex, text, inside, out);
}

/* In running letters, without a backslash, only these are functions: "sqrt(2)", "pi". */
static bool is_bare(const char *name, size_t n)
{
    static const char *const bare[] = {"sqrt", "pi", "infinity", "inf", "sin", "cos", "tan", "log", "ln"};
    for (size_t i = 0; i < sizeof bare / sizeof *bare; i++)
        if (is_name(name, n, bare[i])) return true;
    return false;
}

bool latex_parse_function(struct latex_parser *p, const char *name, size_t n, bool command, bool *known,
                          struct latex_value *out)
{
    *known = command || is_bare(name, n);
    if (!*known) return false;
    if (is_name(name, n, "frac")) return fraction(p, out);
    if (is_name(name, n, "sqrt")) return root(p, out);
    if (is_name(name, n, "binom")) return binomial(p, out);
    if (is_name(name, n, "lfloor")) return rounded(p, false, out);
    if (is_name(name, n, "lceil")) return rounded(p, true, out);
    if (is_name(name, n, "infty") || is_name(name, n, "infinity") || is_name(name, n, "inf"))
        return latex_value_atom(p->latex, "infinity", 8, out);
    for (size_t i = 0; i < sizeof constant / sizeof *constant; i++)
        if (is_name(name, n, constant[i])) return latex_value_atom(p->latex, name, n, out);
    for (size_t i = 0; i < sizeof applied / sizeof *applied; i++)
        if (is_name(name, n, applied[i])) return apply(p, name, n, out);
    if (is_name(name, n, "overline") || is_name(name, n, "angle") || is_name(name, n, "vec") ||
        is_name(name, n, "bar") || is_name(name, n, "hat"))
        return parse_name(p, name, n, out);
    return false;
}
