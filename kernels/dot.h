/* dot.h: a dot product whose bits do not depend on who computes it.
 *
 * The vector is cut into leaves of DOT_LEAF elements. A leaf is summed in 32
 * lanes, one fused multiply-add per element, element i in lane i % 32, and the
 * lanes are added in a halving tree. Leaves are added in a binary tree over
 * their index: node (level, i) is (level-1, 2i) + (level-1, 2i+1). A worker may
 * own any range of leaves; what it hands on are complete nodes, at most
 * DOT_NODES of them, and merging them in order gives the same tree again.
 *
 * Error bound: |value - exact| <= g sum|x_i y_i|, g = k u / (1 - k u), u = 2^-53, where k
 * is the most roundings on any path (Higham, Accuracy and Stability of Numerical
 * Algorithms, section 4.2): DOT_LEAF / 32 in a lane, 5 over the lanes,
 * ceil(log2(leaves)) in the tree and one more where it is not complete. Nothing may
 * over- or underflow. The bound is on the size of the terms: where they cancel, few
 * digits of the value are left, as of any sum in one precision. */
#ifndef BINDOT_DOT_H
#define BINDOT_DOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DOT_LEAF  1024 /* elements; a multiple of 32 */
#define DOT_NODES 128  /* two per level, and an index has 64 bits */

struct dot_node {
    uint64_t level, index; /* covers leaves [index << level, (index + 1) << level) */
    double value;
};

/* Complete nodes in order of what they cover, none of them mergeable. */
struct dot_sum {
    size_t nnodes;
    struct dot_node nodes[DOT_NODES];
};

/* Appends the next node to the right and merges what becomes complete. */
void dot_push(struct dot_sum *, const struct dot_node *);

/* Leaves [first, end) of vectors of n elements in all; x and y point to the
 * first element of leaf `first`. sum is emptied before. */
void dot_range(const double *restrict x, const double *restrict y, uint64_t n, uint64_t first,
               uint64_t end, struct dot_sum *sum);

/* The value of the whole vector: sum holds all leaves, from 0 on. */
double dot_value(const struct dot_sum *);

static inline uint64_t dot_leaves(uint64_t n)
{
    return (n + DOT_LEAF - 1) / DOT_LEAF;
}

double dot_bound(uint64_t n); /* g of a vector of n elements */

/* Instruction set in use: "avx512f", "avx2+fma", "generic"; two of them with a comma between
 * where it goes by size. All give the same bits; generic is slow where the CPU has no fused
 * multiply-add. */
const char *dot_variant(void);
const char *dot_variant_at(uint64_t bytes); /* of ranges of so many, x and y together */

/* Tells what a worker has of its CPU's caches, bytes by level, 0 unknown: some CPUs sum
 * ranges of some sizes faster by another instruction set. */
void dot_fit(const size_t bytes[3]);

/* Does this build make the bits that every other makes? It does not where compiler
 * options change arithmetic, or the C library's fma rounds twice. A look at one vector
 * of known bits. */
bool dot_keeps_bits(void);

/* NULL chooses by CPU; a name is for tests; -1 if this CPU cannot run it. Forgets dot_fit. */
int dot_choose(const char *variant);

#endif
