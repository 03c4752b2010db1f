/* exact_math.h - elementary functions whose bits are the same on every machine.
 *
 * libm's exp, log and sin may differ in the last bit between versions and libraries, so labels could. These
 * use only IEEE additions, multiplications, divisions and fma in double, in a fixed order (docs/numerics.md,
 * "Elementary functions"); compiled with -ffp-contract=off. Errors stay below 1e-14 relative, far under half
 * a float ulp. */
#ifndef COLA_EXACT_MATH_H
#define COLA_EXACT_MATH_H

double
cola_exact_log(double x); /* natural logarithm; x > 0 finite; 0 gives -inf; negative or NaN gives NaN */
double cola_exact_exp(double x); /* |x| <= 700, else 0 or +inf; NaN gives NaN */
void cola_exact_sincos(double x, double *sine, double *cosine); /* |x| <= 1e6 */

#endif
