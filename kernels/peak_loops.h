/* peak_loops.h: the two loops, included by peak.c once per instruction set.
 *
 * Before: SET (name), TARGET (attribute), VEC (type of WIDTH doubles), LOAD, FMA and ADD
 * on it, ALL (a vector of one number). */
TARGET static double NAME(fma_, SET)(uint64_t rounds)
{
    VEC chain[CHAINS];
    double sum = 0;
#pragma GCC unroll 16
    for (int c = 0; c < CHAINS; c++)
        chain[c] = ALL(c + 1.0);
    for (uint64_t i = 0; i < rounds; i++)
#pragma GCC unroll 16
        for (int c = 0; c < CHAINS; c++)
            chain[c] = FMA(chain[c], ALL(0.5), ALL(1.0)); /* goes to 2 */
#pragma GCC unroll 16
    for (int c = 0; c < CHAINS; c++)
        sum += ((const double *)&chain[c])[0];
    return sum > 0 ? 2.0 * WIDTH * CHAINS * (double)rounds : 0;
}

TARGET static double NAME(read_, SET)(const double *restrict x, const double *restrict y, size_t n)
{
    VEC sum[8];
#pragma GCC unroll 8
    for (int k = 0; k < 8; k++)
        sum[k] = ALL(0.0);
    for (size_t i = 0; i < n; i += 4 * WIDTH)
#pragma GCC unroll 4
        for (int k = 0; k < 4; k++) {
            sum[k] = ADD(sum[k], LOAD(x + i + k * WIDTH));
            sum[4 + k] = ADD(sum[4 + k], LOAD(y + i + k * WIDTH));
        }
#pragma GCC unroll 8
    for (int k = 1; k < 8; k++)
        sum[0] = ADD(sum[0], sum[k]);
    return ((const double *)sum)[0];
}

#undef SET
#undef TARGET
#undef VEC
#undef WIDTH
#undef LOAD
#undef FMA
#undef ADD
#undef ALL
