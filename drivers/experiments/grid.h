/* grid.h: who owns which part of a matrix that is dealt over a grid of processes
 * or threads. Arithmetic alone. */
#ifndef BINDOT_GRID_H
#define BINDOT_GRID_H

#include <stddef.h>

struct grid {
    int rows, columns;
};

/* n places for a matrix of that shape, none left over: the grid whose parts have
 * the shortest edges, since what a part needs of the others grows with them. Flat
 * before tall where both are as good: a prime number gives 1 x n. */
struct grid grid_shape(int n, size_t height, size_t width);

/* First element of a part; whole units, as even as they go, the last cut short. */
size_t grid_cut(size_t total, size_t unit, int part, int parts);

#endif
