/* fill.h: the same input under every layout: an element depends on its index
 * and on nothing else, so each worker can make the part that it owns. */
#ifndef BINDOT_FILL_H
#define BINDOT_FILL_H

#include <stdint.h>

/* SplitMix64's finaliser (Steele, Lea, Flood, OOPSLA 2014) over a Weyl sequence. */
static inline uint64_t fill_bits(uint64_t stream, uint64_t index)
{
    uint64_t z = (index + 1) * 0x9e3779b97f4a7c15u + stream * 0xd1342543de82ef95u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* Uniform in [0, 1): a multiple of 2^-53. */
static inline double fill_uniform(uint64_t stream, uint64_t index)
{
    return (double)(fill_bits(stream, index) >> 11) * 0x1p-53;
}

#endif
