/* dot_leaf.h: the body of one leaf, included by dot.c once per instruction set.
 *
 * Before: LEAF (name), TARGET (attribute), VEC (type of WIDTH doubles), LOAD,
 * STORE, FMA and ADD on it. Lanes are the contract (dot.h); vectors only carry
 * them. A tail that is not whole touches groups of 8 lanes, padded by zeros, in
 * every variant: an untouched lane stays +0. */
TARGET static double LEAF(const double *restrict x, const double *restrict y, size_t n)
{
    enum { NVEC = 32 / WIDTH, PER8 = 8 / WIDTH };
    VEC lane[NVEC];
    for (int v = 0; v < NVEC; v++)
        lane[v] = (VEC){0};
    size_t i = 0;
    for (; i + 32 <= n; i += 32)
#pragma GCC unroll 32
        for (int v = 0; v < NVEC; v++)
            lane[v] = FMA(LOAD(x + i + v * WIDTH), LOAD(y + i + v * WIDTH), lane[v]);
    if (__builtin_expect(i < n, 0)) {
        double xs[32] = {0}, ys[32] = {0};
        for (size_t k = 0; i + k < n; k++) {
            xs[k] = x[i + k];
            ys[k] = y[i + k];
        }
#pragma GCC unroll 4
        for (int g = 0; g < 4; g++)
            if (i + 8 * (size_t)g < n)
#pragma GCC unroll 8
                for (int v = g * PER8; v < (g + 1) * PER8; v++)
                    lane[v] = FMA(LOAD(xs + v * WIDTH), LOAD(ys + v * WIDTH), lane[v]);
    }
#pragma GCC unroll 16
    for (int v = 0; v < NVEC / 2; v++) /* 32 lanes to 16 */
        lane[v] = ADD(lane[v], lane[v + NVEC / 2]);
#pragma GCC unroll 16
    for (int v = 0; v < NVEC / 4; v++) /* 16 to 8 */
        lane[v] = ADD(lane[v], lane[v + NVEC / 4]);
    double s[8];
#pragma GCC unroll 8
    for (int v = 0; v < PER8; v++)
        STORE(s + v * WIDTH, lane[v]);
    return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
}

#undef LEAF
#undef TARGET
#undef VEC
#undef WIDTH
#undef LOAD
#undef STORE
#undef FMA
#undef ADD
