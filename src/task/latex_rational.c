/* latex_rational.c - fractions of 128-bit integers, always in lowest terms with a positive denominator. Every
 * operation says when a number no longer fits; nothing is rounded, so 0.1 + 0.2 is 3/10. Knows no LaTeX. */
#include "task/latex.h"

#include <string.h>

#define INT_MOST ((latex_int)(((unsigned __int128)1 << 127) - 1))

static bool is_small(latex_int a)
{
    return a >= INT64_MIN / 2 && a <= INT64_MAX / 2; /* products of two fit */
}

/* Not __builtin_mul_overflow: clang calls a run-time function for it that gcc's library lacks. */
bool latex_int_mul(latex_int a, latex_int b, latex_int *out)
{
    if (!is_small(a) || !is_small(b)) {
        if (a < -INT_MOST || b < -INT_MOST) return false;
        latex_int size_a = a < 0 ? -a : a, size_b = b < 0 ? -b : b;
        if (size_b != 0 && size_a > INT_MOST / size_b) return false;
    }
    *out = a * b;
    return true;
}

bool latex_int_add(latex_int a, latex_int b, latex_int *out)
{
    if (b > 0 ? a > INT_MOST - b : a < -INT_MOST - b) return false;
    *out = a + b;
    return true;
}

latex_int latex_int_gcd(latex_int a, latex_int b)
{
    if (a < 0) a = -a;
    if (b < 0) b = -b;
    while (b != 0) {
        latex_int rest = is_small(a) && is_small(b) ? (latex_int)((uint64_t)a % (uint64_t)b) : a % b;
        a = b;
        b = rest;
    }
    return a;
}

bool latex_rational_make(latex_int num, latex_int den, struct latex_rational *out)
{
    if (den == 0 || num < -INT_MOST || den < -INT_MOST) return false;
    latex_int divisor = latex_int_gcd(num, den);
    if (den < 0) divisor = -divisor;
    *out = (struct latex_rational){num / divisor, den / divisor};
    return true;
}

bool latex_rational_add(struct latex_rational a, struct latex_rational b, struct latex_rational *out)
{
    latex_int left, right, den, sum;
    return latex_int_mul(a.num, b.den, &left) && latex_int_mul(b.num, a.den, &right) &&
           latex_int_mul(a.den, b.den, &den) && latex_int_add(left, right, &sum) &&
           latex_rational_make(sum, den, out);
}

/* Divides across first, so that only a result that does not fit overflows. */
bool latex_rational_mul(struct latex_rational a, struct latex_rational b, struct latex_rational *out)
{
    struct latex_rational left, right;
    latex_int num, den;
    if (!latex_rational_make(a.num, b.den, &left) || !latex_rational_make(b.num, a.den, &right)) return false;
    if (!latex_int_mul(left.num, right.num, &num) || !latex_int_mul(left.den, right.den, &den)) return false;
    *out = (struct latex_rational){num, den};
    return true;
}

bool latex_rational_equal(struct latex_rational a, struct latex_rational b)
{
    return a.num == b.num && a.den == b.den;
}

bool latex_rational_read(const char *text, size_t n, struct latex_rational *out)
{
    latex_int num = 0, den = 1;
    bool point = false, digit = false;
    for (size_t i = 0; i < n; i++) {
        if (text[i] == '.' && !point) {
            point = true;
            continue;
        }
        if (text[i] < '0' || text[i] > '9') return false;
        digit = true;
        if (!latex_int_mul(num, 10, &num) || !latex_int_add(num, text[i] - '0', &num)) return false;
        if (point && !latex_int_mul(den, 10, &den)) return false;
    }
    return digit && latex_rational_make(num, den, out);
}
