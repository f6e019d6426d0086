/* peak.h: the most that one core does: fused multiply-adds in registers, and reading
 * two streams. No clock here: the caller counts time. The instruction set is the widest
 * that the CPU has. */
#ifndef BINDOT_PEAK_H
#define BINDOT_PEAK_H

#include <stddef.h>
#include <stdint.h>

/* Does `rounds` rounds of independent chains of fused multiply-adds; returns how many
 * floating-point operations that were. Never 0: the chains' values are behind it. */
double peak_fma(uint64_t rounds);

/* Reads n doubles of each stream, n a multiple of 64; returns what came of them. */
double peak_read(const double *restrict x, const double *restrict y, size_t n);

const char *peak_variant(void); /* "avx512f", "avx2+fma", "generic" */

#endif
