/* latex_parse.c - one expression, by recursive descent over cleaned bytes, straight into its normal form:
 *
 *     sum      = [sign] product { sign product }
 *     product  = power { ("*" | "/" | nothing) power }         nothing: 2x, 2\pi, (x+1)(x-1), 3\frac12
 *     power    = atom { "^" argument | "!" }
 *     atom     = numeral | variable | "(" sum ")" | "{" sum "}" | "|" sum "|" | command
 *
 * Whatever does not fit returns false, and the answer is compared as text. Depth is bounded, and what was
 * left to compute is noted in parser->work. Lists, intervals and relations are above (latex_answer.c). */
#include "task/latex.h"

#include <string.h>

#include "task/grade_bytes.h"

static const char *const unit[] = {
    "am",     "cent",    "cents",  "centimeter", "centimeters", "cm",     "cubic",  "day",     "days",
    "degree", "degrees", "dollar", "dollars",    "feet",        "foot",   "ft",     "gram",    "grams",
    "hour",   "hours",   "hrs",    "hr",         "in",          "inch",   "inches", "kg",      "kilometers",
    "km",     "kph",     "lb",     "lbs",        "liter",       "liters", "meter",  "meters",  "mile",
    "miles",  "min",     "minute", "minutes",    "ml",          "mm",     "month",  "months",  "mph",
    "ounce",  "ounces",  "oz",     "people",     "percent",     "pm",     "point",  "points",  "pound",
    "pounds", "radians", "sec",    "second",     "seconds",     "sq",     "square", "squared", "students",
    "unit",   "units",   "week",   "weeks",      "yard",        "yards",  "yd",     "year",    "years",
};

bool latex_is_unit(const char *word, size_t n)
{
    for (size_t i = 0; i < sizeof unit / sizeof *unit; i++)
        if (strlen(unit[i]) == n && memcmp(unit[i], word, n) == 0) return true;
    return false;
}

void latex_skip_spaces(struct latex_parser *p)
{
    while (p->at < p->n && p->text[p->at] == ' ') p->at++;
}

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

size_t latex_word(const struct latex_parser *p)
{
    size_t n = 0;
    while (p->at + n < p->n && cola_is_letter(p->text[p->at + n])) n++;
    return n;
}

/* Capitals are a word (AB is not BA), and so are three and more letters, unless they ascend like abc or xyz,
 * as variables in a product do. */
bool latex_is_prose(const char *word, size_t n)
{
    if (n == 2) return cola_is_upper(word[0]) && cola_is_upper(word[1]);
    if (n < 2) return false;
    for (size_t i = 1; i < n; i++)
        if (word[i] <= word[i - 1]) return true;
    return n > 4;
}

bool latex_accept_command(struct latex_parser *p, const char *name)
{
    size_t n = strlen(name);
    latex_skip_spaces(p);
    if (p->n - p->at < n + 1 || p->text[p->at] != '\\' || memcmp(p->text + p->at + 1, name, n) != 0)
        return false;
    if (p->at + 1 + n < p->n && cola_is_letter(p->text[p->at + 1 + n])) return false;
    p->at += n + 1;
    return true;
}

/* --- atoms ---------------------------------------------------------------------------------------------- */

static bool parse_closed(struct latex_parser *p, char close, struct latex_value *out)
{
    if (p->depth == LATEX_DEPTH_MAX) return false;
    p->depth++;
    bool ok = latex_parse_sum(p, out) && accept(p, close);
    p->depth--;
    return ok;
}

/* x, x_1, x_{max}, x': one atom; the letter i is the imaginary unit. */
static bool parse_variable(struct latex_parser *p, struct latex_value *out)
{
    char name[LATEX_NAME_MAX];
    size_t n = 0;
    name[n++] = p->text[p->at++];
    if (p->at + 1 < p->n && p->text[p->at] == '_') {
        p->at++;
        bool braced = p->text[p->at] == '{';
        p->at += braced;
        name[n++] = '_';
        while (p->at < p->n && cola_is_word(p->text[p->at]) && n < sizeof name) {
            name[n++] = p->text[p->at++];
            if (!braced) break;
        }
        if (braced && !accept(p, '}')) return false;
    }
    while (p->at < p->n && p->text[p->at] == '\'' && n < sizeof name) name[n++] = p->text[p->at++];
    return latex_value_atom(p->latex, name, n, out);
}

static bool parse_absolute(struct latex_parser *p, struct latex_value *out)
{
    struct latex_rational number;
    struct latex_value inside;
    if (!parse_closed(p, '|', &inside)) return false;
    if (!latex_value_is_rational(p->latex, inside, &number))
        return latex_value_apply(p->latex, "abs", inside, out);
    p->work |= LATEX_WORK_FUNCTION;
    if (number.num < 0) number.num = -number.num;
    return latex_value_rational(p->latex, number, out);
}

static bool parse_named(struct latex_parser *p, struct latex_value *out)
{
    bool command = p->text[p->at] == '\\', known = false;
    size_t begin = p->at;
    p->at += command;
    size_t n = latex_word(p);
    const char *name = p->text + p->at;
    p->at += n;
    bool ok = n > 0 && latex_parse_function(p, name, n, command, &known, out);
    if (known || command) return known && ok;
    p->at = begin;
    return !latex_is_prose(name, n) && parse_variable(p, out);
}

static bool parse_atom(struct latex_parser *p, struct latex_value *out)
{
    char c = peek(p);
    if (p->at >= p->n) return false;
    if (cola_is_digit(c) || c == '.') {
        struct latex_rational number;
        bool whole;
        return latex_parse_numeral(p, &number, &whole) && latex_value_rational(p->latex, number, out);
    }
    if (cola_is_letter(c) || c == '\\') return parse_named(p, out);
    p->at++;
    switch (c) {
    case '(': return parse_closed(p, ')', out);
    case '[': return parse_closed(p, ']', out);
    case '{': return parse_closed(p, '}', out);
    case '|': return parse_absolute(p, out);
    case SIGN_DOTS: return latex_value_atom(p->latex, "...", 3, out);
    default: return false;
    }
}

bool latex_parse_argument(struct latex_parser *p, bool one_digit, struct latex_value *out)
{
    char c = peek(p);
    if (p->depth == LATEX_DEPTH_MAX || p->at >= p->n) return false;
    if (one_digit && cola_is_digit(c)) {
        p->at++;
        return latex_value_integer(p->latex, c - '0', out);
    }
    if (c == '-') { /* x^-1 */
        p->at++;
        p->depth++;
        bool ok = latex_parse_argument(p, one_digit, out) && latex_value_negate(p->latex, *out, out);
        p->depth--;
        return ok;
    }
    if (cola_is_letter(c) && latex_word(p) < 3) return parse_variable(p, out); /* \frac xy */
    p->depth++;
    bool ok = parse_atom(p, out);
    p->depth--;
    return ok;
}

/* --- powers and products -------------------------------------------------------------------------------- */

static bool factorial(struct latex_parser *p, struct latex_value base, struct latex_value *out)
{
    struct latex_rational number;
    latex_int product = 1;
    if (!latex_value_is_rational(p->latex, base, &number) || number.den != 1 || number.num < 0 ||
        number.num > 33) /* 34! needs 128 bits */
        return latex_value_apply(p->latex, "factorial", base, out);
    p->work |= LATEX_WORK_FUNCTION;
    for (latex_int i = 2; i <= number.num; i++) product *= i;
    return latex_value_integer(p->latex, product, out);
}

bool latex_parse_power(struct latex_parser *p, struct latex_value *out)
{
    struct latex_value base, exponent;
    if (!parse_atom(p, &base)) return false;
    for (bool raised = false;;) {
        if (!raised && accept(p, '^')) {
            raised = true;
            if (!latex_parse_argument(p, false, &exponent) ||
                !latex_value_power(p->latex, base, exponent, &p->work, &base))
                return false;
        } else if (peek(p) == '!' && p->at < p->n) {
            p->at++;
            if (!factorial(p, base, &base)) return false;
        } else {
            break;
        }
    }
    *out = base;
    return true;
}

/* Is the value one term whose factor is a number to multiply with? */
static bool has_factor(const struct latex *latex, struct latex_value value)
{
    if (value.n != 1) return false;
    const struct latex_term *term = &latex->term[value.first];
    return (term->factor.num != 1 && term->factor.num != -1) || term->factor.den != 1;
}

/* 3 \cdot 10^5 is a way to write a number; 3 \cdot 5 is work. */
static bool is_power_of_ten(const struct latex *latex, struct latex_value value)
{
    struct latex_rational number;
    if (!latex_value_is_rational(latex, value, &number)) return false;
    latex_int size = number.num == 1 ? number.den : number.num;
    if (number.num != 1 && number.den != 1) return false;
    while (size > 1 && size % 10 == 0) size /= 10;
    return size == 1;
}

static bool multiply(struct latex_parser *p, struct latex_value a, struct latex_value b,
                     struct latex_value *out)
{
    const struct latex *latex = p->latex;
    bool roots =
        a.n == 1 && b.n == 1 && latex->term[a.first].radicand > 1 && latex->term[b.first].radicand > 1;
    if (roots || (has_factor(latex, a) && has_factor(latex, b) && !is_power_of_ten(latex, b)))
        p->work |= LATEX_WORK_PRODUCT;
    return latex_value_mul(p->latex, a, b, out);
}

static bool divide(struct latex_parser *p, struct latex_value a, struct latex_value b,
                   struct latex_value *out)
{
    const struct latex *latex = p->latex;
    struct latex_rational above, below;
    if (b.n == 1 && latex->term[b.first].radicand > 1) p->work |= LATEX_WORK_ROOT;
    if (latex_value_is_rational(latex, a, &above) && latex_value_is_rational(latex, b, &below) &&
        below.num != 0 &&
        (above.den != 1 || below.den != 1 || latex_int_gcd(above.num, below.num) != 1 ||
         (below.num == 1 && above.num != 0)))
        p->work |= LATEX_WORK_FRACTION;
    return latex_value_div(p->latex, a, b, out);
}

/* 3\frac12, 3\frac{1}{2}, 3 1/2: a whole numeral and a fraction of numerals behind it are a sum. */
static bool accept_mixed(struct latex_parser *p, struct latex_value *value)
{
    struct latex_parser ahead = *p;
    struct latex_rational above, below, part, whole_part;
    bool whole, command = latex_accept_command(&ahead, "frac");
    for (int i = 0; i < 2; i++) {
        struct latex_rational *to = i == 0 ? &above : &below;
        latex_skip_spaces(&ahead);
        bool braced = command && ahead.at < ahead.n && ahead.text[ahead.at] == '{';
        ahead.at += braced;
        latex_skip_spaces(&ahead);
        if (ahead.at >= ahead.n || !cola_is_digit(ahead.text[ahead.at])) return false;
        if (command && !braced) {
            *to = (struct latex_rational){ahead.text[ahead.at++] - '0', 1};
        } else if (!latex_parse_numeral(&ahead, to, &whole) || !whole) {
            return false;
        }
        latex_skip_spaces(&ahead);
        if (braced && !accept(&ahead, '}')) return false;
        if (!command && i == 0 && !accept(&ahead, '/')) return false;
    }
    if (!latex_rational_make(above.num, below.num, &part) ||
        !latex_value_is_rational(p->latex, *value, &whole_part) ||
        !latex_rational_add(whole_part, part, &part))
        return false;
    *p = ahead;
    return latex_value_rational(p->latex, part, value);
}

/* May the next thing stand here without a sign between? */
static bool begins_factor(struct latex_parser *p)
{
    char c = peek(p);
    if (p->at >= p->n) return false;
    if (c == '(' || c == '{' || c == '[') return true;
    if (c == '\\') {
        struct latex_parser ahead = *p;
        return !latex_accept_command(&ahead, "rfloor") && !latex_accept_command(&ahead, "rceil") &&
               !latex_accept_command(&ahead, "end");
    }
    if (!cola_is_letter(c)) return false;
    size_t n = latex_word(p);
    const char *word = p->text + p->at;
    if (n == 2 && memcmp(word, "or", 2) == 0) return false;
    if (n == 3 && memcmp(word, "and", 3) == 0) return false;
    return !(n > 1 && latex_is_unit(word, n));
}

static bool parse_product(struct latex_parser *p, struct latex_value *out)
{
    struct latex_value product, factor;
    struct latex_rational number;
    char first = peek(p);
    bool numeral = p->at < p->n && cola_is_digit(first), whole = false;
    struct latex_parser ahead = *p;
    numeral = numeral && latex_parse_numeral(&ahead, &number, &whole) && whole;
    if (!latex_parse_power(p, &product)) return false;
    latex_skip_spaces(&ahead);
    if (numeral && p->at == ahead.at) accept_mixed(p, &product); /* not behind 2^3 */
    for (;;) {
        char c = peek(p);
        if (p->at < p->n && (c == '*' || c == '/')) {
            p->at++;
            bool negative = accept(p, '-');
            if (!latex_parse_power(p, &factor)) return false;
            if (negative && !latex_value_negate(p->latex, factor, &factor)) return false;
            if (!(c == '*' ? multiply : divide)(p, product, factor, &product)) return false;
        } else if (begins_factor(p)) {
            if (!latex_parse_power(p, &factor) || !multiply(p, product, factor, &product)) return false;
        } else {
            break;
        }
    }
    *out = product;
    return true;
}

/* --- sums ----------------------------------------------------------------------------------------------- */

/* -1, +1 or the reading's sign of \pm; 0: no sign here. A leading +- is \pm typed on a keyboard. */
static int accept_sign(struct latex_parser *p, bool leading)
{
    char c = peek(p);
    if (p->at >= p->n) return 0;
    bool typed = leading && c == '+' && p->at + 1 < p->n && p->text[p->at + 1] == '-';
    if (typed || c == SIGN_PLUS_MINUS || c == SIGN_MINUS_PLUS) {
        p->at += typed ? 2 : 1;
        p->saw_sign = true;
        return c == SIGN_MINUS_PLUS ? -p->sign : p->sign;
    }
    if (c != '+' && c != '-') return 0;
    p->at++;
    return c == '-' ? -1 : 1;
}

bool latex_parse_sum(struct latex_parser *p, struct latex_value *out)
{
    struct latex_value sum = {0}, term;
    int sign = accept_sign(p, true);
    for (bool first = true; first || sign != 0; first = false) {
        for (int next; sign != 0 && (next = accept_sign(p, false)) != 0;) sign *= next; /* a + -b */
        if (!parse_product(p, &term)) return false;
        if (sign < 0 && !latex_value_negate(p->latex, term, &term)) return false;
        uint32_t apart = sum.n + term.n, n_factors = sum.n_factors + term.n_factors;
        if (first)
            sum = term;
        else if (!latex_value_add(p->latex, sum, term, &sum))
            return false;
        if (sum.n < apart && !first) p->work |= LATEX_WORK_SUM;
        sum.n_factors = n_factors;
        sign = accept_sign(p, false);
    }
    *out = sum;
    return true;
}
