/* dot_leaf.h: the body of one leaf, included by dot.c once per instruction set.
 *
 * Before: LEAF (name), TARGET (attribute), VEC (type of WIDTH doubles), LOAD; SOME, the first k
 * elements and zeros after them; FMA and ADD on it, and SUM8: ((0 + 4) + (2 + 6)) + ((1 + 5) +
 * (3 + 7)) of 8 lanes. Lanes are the contract (dot.h); vectors only carry them. A tail that is not
 * whole touches groups of 8 lanes, padded by zeros, in every variant: an untouched lane stays +0.
 */
TARGET static inline __attribute__((always_inline)) double LEAF(const double *restrict x,
                                                                const double *restrict y, size_t n)
{
    enum { NVEC = 32 / WIDTH, PER8 = 8 / WIDTH };
    const double *const end = x + n / 32 * 32;
    VEC lane[NVEC];
#pragma GCC unroll 16
    for (int v = 0; v < NVEC; v++)
        lane[v] = (VEC){0};
    for (; x < end; x += 32, y += 32)
#pragma GCC unroll 16
        for (int v = 0; v < NVEC; v += 4) {
            VEC some[4];
#pragma GCC unroll 4
            for (int k = 0; k < 4; k++) {
                some[k] = LOAD(x + (v + k) * WIDTH);
                HOLD(some[k]);
            }
#pragma GCC unroll 4
            for (int k = 0; k < 4; k++)
                lane[v + k] = FMA(some[k], LOAD(y + (v + k) * WIDTH), lane[v + k]);
        }
    const int rest = (int)(n % 32);
#pragma GCC unroll 16
    for (int v = 0; v < NVEC; v++) {
        const int left = rest - v * WIDTH;
        if (left >= WIDTH)
            lane[v] = FMA(LOAD(x + v * WIDTH), LOAD(y + v * WIDTH), lane[v]);
        else if (rest > v / PER8 * 8) /* the group of 8 has an element */
            lane[v] = FMA(SOME(x + v * WIDTH, left), SOME(y + v * WIDTH, left), lane[v]);
    }
#pragma GCC unroll 8
    for (int k = 0; k < NVEC / 2; k++) /* 32 lanes to 16 */
        lane[k] = ADD(lane[k], lane[k + NVEC / 2]);
#pragma GCC unroll 8
    for (int k = 0; k < NVEC / 4; k++) /* 16 to 8 */
        lane[k] = ADD(lane[k], lane[k + NVEC / 4]);
    return SUM8(lane);
}

/* Any leaf; and a group of whole ones, whose sums are added in their tree. */
TARGET static double NAME(LEAF, _any)(const double *restrict x, const double *restrict y, size_t n)
{
    return LEAF(x, y, n);
}

TARGET static double NAME(LEAF, _group)(const double *restrict x, const double *restrict y)
{
    double s[GROUP];
#pragma GCC unroll 4
    for (int i = 0; i < GROUP; i++)
        s[i] = LEAF(x + i * DOT_LEAF, y + i * DOT_LEAF, DOT_LEAF);
    return (s[0] + s[1]) + (s[2] + s[3]);
}

#undef LEAF
#undef TARGET
#undef VEC
#undef WIDTH
#undef LOAD
#undef SOME
#undef SUM8
#undef FMA
#undef ADD
