/* marshal_column.h: a column of a row-major matrix: `blocks` blocks of `block`
 * doubles, each `row` doubles after the one before. The matrix is [blocks, row]. */
#ifndef BINDOT_MARSHAL_COLUMN_H
#define BINDOT_MARSHAL_COLUMN_H

#include <stddef.h>
#include <stdint.h>

struct column {
    size_t blocks, block, row;
};

void column_pack(const double *matrix, struct column, double *packed);
void column_unpack(const double *packed, struct column, double *matrix);

/* Column and gaps; the elements of the column depend on stream and place alone. */
void column_fill(double *matrix, struct column, uint64_t stream);
/* Column and gaps; no element of the column is one that column_fill makes. */
void column_wipe(double *matrix, struct column);
/* Doubles of the whole matrix whose bytes are not column_fill's. */
size_t column_wrong(const double *matrix, struct column, uint64_t stream);

#endif
