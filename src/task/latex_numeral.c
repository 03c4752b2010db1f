/* latex_numeral.c - numbers as people write them: 1,234.5  1 234  .5  0.\overline{3}  3.2e5  1010_2. Exact. A
 * comma before three digits is read as a separator of thousands or left alone, as the parser's reading says.
 */
#include "task/latex.h"

#include <string.h>

#include "task/grade_bytes.h"

static bool digit_at(const struct latex_parser *p, size_t at)
{
    return at < p->n && cola_is_digit(p->text[at]);
}

/* Exactly three digits at `at`. */
static bool three_digits(const struct latex_parser *p, size_t at)
{
    return digit_at(p, at) && digit_at(p, at + 1) && digit_at(p, at + 2) && !digit_at(p, at + 3);
}

struct digits {
    char byte[48]; /* 38 digits fit 128 bits */
    size_t n;
};

static bool keep(struct digits *digits, char c)
{
    if (digits->n == sizeof digits->byte) return false;
    digits->byte[digits->n++] = c;
    return true;
}

static bool read_whole_part(struct latex_parser *p, struct digits *digits)
{
    size_t begin = p->at;
    while (digit_at(p, p->at))
        if (!keep(digits, p->text[p->at++])) return false;
    if (p->at - begin == 0 || p->at - begin > 3) return true;
    while (p->at < p->n && three_digits(p, p->at + 1)) {
        char separator = p->text[p->at];
        if (separator == ',') {
            p->saw_thousands = true;
            if (!p->thousands) break;
        } else if (separator != ' ' || (p->at + 4 < p->n && p->text[p->at + 4] == '/')) {
            break;
        }
        for (int i = 1; i <= 3; i++)
            if (!keep(digits, p->text[p->at + (size_t)i])) return false;
        p->at += 4;
    }
    return true;
}

/* The repeating digits behind 0.1\overline{6}: they are worth r / (10^k - 1) of the last place. */
static bool read_repetition(struct latex_parser *p, size_t n_places, struct latex_rational *number)
{
    static const char overline[] = "\\overline";
    struct latex_rational repeated;
    latex_int below = 1;
    size_t at = p->at + sizeof overline - 1, n = 0;
    if (at + 1 >= p->n || memcmp(p->text + p->at, overline, sizeof overline - 1) != 0) return true;
    bool braced = p->text[at] == '{';
    at += braced;
    while (digit_at(p, at + n) && (braced || n == 0)) n++;
    if (n == 0 || n > 18 || (braced && (at + n >= p->n || p->text[at + n] != '}'))) return false;
    if (!latex_rational_read(p->text + at, n, &repeated)) return false;
    for (size_t i = 0; i < n; i++) below *= 10;
    below -= 1;
    for (size_t i = 0; i < n_places; i++)
        if (!latex_int_mul(below, 10, &below)) return false;
    if (!latex_rational_make(repeated.num, below, &repeated)) return false;
    p->at = at + n + braced;
    return latex_rational_add(*number, repeated, number);
}

/* 3.2e5, as programs print it. */
static bool read_exponent(struct latex_parser *p, struct latex_rational *number, bool *whole)
{
    size_t at = p->at;
    if (at >= p->n || (p->text[at] != 'e' && p->text[at] != 'E')) return true;
    bool negative = at + 1 < p->n && p->text[at + 1] == '-';
    at += 1 + (negative || (at + 1 < p->n && p->text[at + 1] == '+'));
    if (!digit_at(p, at)) return true;
    int exponent = 0;
    for (; digit_at(p, at); at++) {
        exponent = exponent * 10 + (p->text[at] - '0');
        if (exponent > 40) return false;
    }
    struct latex_rational ten = {negative ? 1 : 10, negative ? 10 : 1};
    for (; exponent > 0; exponent--)
        if (!latex_rational_mul(*number, ten, number)) return false;
    *whole = false;
    p->at = at;
    return true;
}

/* The base of 1010_2 says how to read it, not what it is worth: two answers in one base compare as written.
 */
static void skip_base(struct latex_parser *p)
{
    size_t at = p->at;
    if (at + 1 >= p->n || p->text[at] != '_') return;
    bool braced = p->text[at + 1] == '{';
    at += 1 + (size_t)braced;
    size_t begin = at;
    while (digit_at(p, at)) at++;
    if (at == begin || (braced && (at >= p->n || p->text[at] != '}'))) return;
    p->at = at + braced;
}

bool latex_parse_numeral(struct latex_parser *p, struct latex_rational *out, bool *whole)
{
    struct digits digits = {.n = 0};
    struct latex_rational number;
    size_t n_places = 0;
    if (!read_whole_part(p, &digits)) return false;
    *whole = true;
    if (p->at < p->n && p->text[p->at] == '.' &&
        (digit_at(p, p->at + 1) || (digits.n > 0 && p->at + 1 < p->n && p->text[p->at + 1] == '\\'))) {
        *whole = false;
        if (!keep(&digits, p->text[p->at++])) return false;
        for (; digit_at(p, p->at); n_places++)
            if (!keep(&digits, p->text[p->at++])) return false;
    }
    if (!latex_rational_read(digits.byte, digits.n, &number)) return false;
    if (!*whole && !read_repetition(p, n_places, &number)) return false;
    if (!read_exponent(p, &number, whole)) return false;
    skip_base(p);
    *out = number;
    return true;
}
