#include "drivers/experiments/grid.h"

struct grid grid_shape(int n, size_t height, size_t width)
{
    struct grid best = {1, n};
    double least = (double)height + (double)width / n;
    for (int rows = 2; rows <= n; rows++) {
        if (n % rows != 0)
            continue;
        const double edges = (double)height / rows + (double)width / (n / rows);
        if (edges < least) {
            least = edges;
            best = (struct grid){rows, n / rows};
        }
    }
    return best;
}

size_t grid_cut(size_t total, size_t unit, int part, int parts)
{
    const size_t units = (total + unit - 1) / unit;
    const size_t at = units * (size_t)part / (size_t)parts * unit;
    return at < total ? at : total;
}
