#include "kernels/marshal_column.h"

#include "kernels/fill.h"

#include <string.h>

static const double GAP = -1, NOTHING = -2; /* neither is uniform in [0, 1) */

void column_pack(const double *matrix, struct column c, double *packed)
{
    for (size_t i = 0; i < c.blocks; i++)
        for (size_t k = 0; k < c.block; k++)
            packed[i * c.block + k] = matrix[i * c.row + k];
}

void column_unpack(const double *packed, struct column c, double *matrix)
{
    for (size_t i = 0; i < c.blocks; i++)
        for (size_t k = 0; k < c.block; k++)
            matrix[i * c.row + k] = packed[i * c.block + k];
}

static double element(struct column c, uint64_t stream, size_t i, size_t k)
{
    return k < c.block ? fill_uniform(stream, i * c.block + k) : GAP;
}

void column_fill(double *matrix, struct column c, uint64_t stream)
{
    for (size_t i = 0; i < c.blocks; i++)
        for (size_t k = 0; k < c.row; k++)
            matrix[i * c.row + k] = element(c, stream, i, k);
}

void column_wipe(double *matrix, struct column c)
{
    for (size_t i = 0; i < c.blocks; i++)
        for (size_t k = 0; k < c.row; k++)
            matrix[i * c.row + k] = k < c.block ? NOTHING : GAP;
}

size_t column_wrong(const double *matrix, struct column c, uint64_t stream)
{
    size_t wrong = 0;
    for (size_t i = 0; i < c.blocks; i++)
        for (size_t k = 0; k < c.row; k++) {
            const double right = element(c, stream, i, k);
            /* NOLINTNEXTLINE(bugprone-suspicious-memory-comparison): bits are what is sent */
            wrong += memcmp(&matrix[i * c.row + k], &right, sizeof right) != 0;
        }
    return wrong;
}
