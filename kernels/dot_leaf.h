/* dot_leaf.h: the body of one leaf, included by dot.c once per instruction set.
 *
 * Before: LEAF (name), TARGET (attribute), VEC (type of WIDTH doubles), LOAD,
 * FMA and ADD on it, and SUM8: ((0 + 4) + (2 + 6)) + ((1 + 5) + (3 + 7)) of 8 lanes. Lanes are the
 * contract (dot.h); vectors only carry them. A tail that is not whole touches groups of 8 lanes,
 * padded by zeros, in every variant: an untouched lane stays +0. */
TARGET static inline __attribute__((always_inline)) double LEAF(const double *restrict x,
                                                                const double *restrict y, size_t n)
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
#pragma GCC unroll 4
    for (int g = 0; g < 4; g++, i += 8) { /* the tail: groups of 8 lanes */
        double xs[8], ys[8];
        const double *xg = x + i, *yg = y + i;
        if (i >= n)
            break;
        if (i + 8 > n) {
            for (size_t k = 0; k < 8; k++) {
                xs[k] = i + k < n ? x[i + k] : 0;
                ys[k] = i + k < n ? y[i + k] : 0;
            }
            xg = xs;
            yg = ys;
        }
#pragma GCC unroll 8
        for (int k = 0; k < PER8; k++)
            lane[g * PER8 + k] =
                FMA(LOAD(xg + k * WIDTH), LOAD(yg + k * WIDTH), lane[g * PER8 + k]);
    }
#pragma GCC unroll 16
    for (int k = 0; k < NVEC / 2; k++) /* 32 lanes to 16 */
        lane[k] = ADD(lane[k], lane[k + NVEC / 2]);
#pragma GCC unroll 16
    for (int k = 0; k < NVEC / 4; k++) /* 16 to 8 */
        lane[k] = ADD(lane[k], lane[k + NVEC / 4]);
    return SUM8(lane);
}

/* Any leaf; and four whole ones, whose sums are added in their tree. */
TARGET static double NAME(LEAF, _any)(const double *restrict x, const double *restrict y, size_t n)
{
    return LEAF(x, y, n);
}

TARGET static double NAME(LEAF, _four)(const double *restrict x, const double *restrict y)
{
    double s[4];
    for (int i = 0; i < 4; i++)
        s[i] = LEAF(x + i * DOT_LEAF, y + i * DOT_LEAF, DOT_LEAF);
    return (s[0] + s[1]) + (s[2] + s[3]);
}

#undef LEAF
#undef TARGET
#undef VEC
#undef WIDTH
#undef LOAD
#undef SUM8
#undef FMA
#undef ADD
