/* summa.c: one product C = A B dealt over a grid of processes (van de Geijn and
 * Watts, Concurrency: Practice and Experience 9, 1997). Nobody holds a whole matrix.
 *
 * C is cut into a block for each process, and that into one for each of its workers.
 * A's columns and B's rows are dealt in panels, A's over the grid's columns and B's
 * over its rows. In step p the owners of panel p hand it on, A's along the rows of the
 * grid and B's along its columns, and everybody adds its product to C; the next panel
 * travels meanwhile. */
#include "drivers/experiments/experiment.h"
#include "drivers/experiments/grid.h"
#include "drivers/experiments/panels.h"
#include "drivers/experiments/proof.h"
#include "drivers/fail.h"
#include "drivers/memory.h"
#include "kernels/fill.h"
#include "kernels/gemm.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    PANEL = GEMM_SLICE,
    STRIP = 512, /* rows between two pokes; measured: fewer cost more than they bring */
    LOOKS = 16,
    NUMBERS = 2
};

struct summa {
    const struct clock *clock;
    size_t n;
    int processes, workers; /* in all; of this process */
    struct grid grid, crew; /* of processes; of this process's workers */
    struct gemm_block own;  /* this process's part of C; over the edge: zeros */
    double *c;              /* [own.rows, own.columns] */
    size_t bytes;           /* of c */
    struct panels a, b;     /* [panel][own.rows, width], [panel][width, own.columns] */
    struct spent *spent;    /* [workers] in the last product, besides computing */
    struct proof proof;
    double *defined; /* [workers] share of the elements looked at that have gemm_chain's bits */
    struct rows tables[PROOF_TABLES + 1];
    struct experiment_number numbers[NUMBERS];
};

static bool pooled(const struct params *p)
{
    (void)p;
    return false;
}

static const char *unit_name(const struct params *p)
{
    (void)p;
    return "multiply-add";
}

/* Weak: as much work for each worker as a product of --size is for one. */
static size_t order(const struct params *p, int workers)
{
    return p->weak ? (size_t)llround((double)p->size * cbrt(workers)) : (size_t)p->size;
}

static int check(const struct params *p)
{
    return p->size <= INT_MAX ? 0 : fail("--size: a matrix has at most %d rows", INT_MAX);
}

static size_t panel_width(const struct params *p, size_t n)
{
    return p->panel < n ? p->panel : n;
}

static double bytes(const struct params *p, int workers, int rows)
{
    const size_t n = order(p, workers), width = panel_width(p, n);
    const struct grid grid = grid_shape((workers + rows - 1) / rows, n, n);
    const double high = (double)n / grid.rows + GEMM_CUT,
                 wide = (double)n / grid.columns + GEMM_CUT;
    return sizeof(double) * high * wide +
           panels_bytes((double)n, (double)width, high, grid.columns) +
           panels_bytes((double)n, (double)width, wide, grid.rows) + proof_bytes((double)n, high);
}

/* Cuts at whole register tiles, and nothing cut short at the edge: see gemm_panel. */
static struct gemm_block block_of(struct gemm_block whole, struct grid grid, int which)
{
    const int row = which / grid.columns, column = which % grid.columns;
    const size_t top = grid_cut(whole.rows, GEMM_CUT, row, grid.rows);
    const size_t left = grid_cut(whole.columns, GEMM_CUT, column, grid.columns);
    return (struct gemm_block){whole.row + top, whole.column + left,
                               grid_cut(whole.rows, GEMM_CUT, row + 1, grid.rows) - top,
                               grid_cut(whole.columns, GEMM_CUT, column + 1, grid.columns) - left};
}

static struct gemm_block block(const struct summa *s, int row)
{
    return block_of(s->own, s->crew, row);
}

static double *at(const struct summa *s, struct gemm_block b)
{
    return s->c + (b.row - s->own.row) * s->own.columns + b.column - s->own.column;
}

static void summa_close(void **state)
{
    struct summa *s = *state;
    memory_free(s->c, s->bytes);
    panels_close(&s->a);
    panels_close(&s->b);
    free(s->spent);
    free(s->defined);
    proof_close(&s->proof);
    free(s);
    *state = NULL;
}

static void lay_out(struct summa *s, const struct params *p, const struct team *team)
{
    const int rank = team_ranks(team)->rank(SCOPE_ALL);
    s->n = order(p, team_size(team));
    s->processes = team_processes(team);
    s->workers = team_rows(team);
    s->grid = grid_shape(s->processes, s->n, s->n);
    const size_t whole = (s->n + GEMM_CUT - 1) / GEMM_CUT * GEMM_CUT;
    s->own = block_of((struct gemm_block){0, 0, whole, whole}, s->grid, rank);
    s->crew = grid_shape(s->workers, s->own.rows, s->own.columns);
    s->bytes = s->own.rows * s->own.columns * sizeof *s->c;
    const size_t width = panel_width(p, s->n);
    s->a = (struct panels){.scope = SCOPE_ROW,
                           .place = rank % s->grid.columns,
                           .places = s->grid.columns,
                           .n = s->n,
                           .width = width,
                           .edge = s->own.rows};
    s->b = (struct panels){.scope = SCOPE_COLUMN,
                           .place = rank / s->grid.columns,
                           .places = s->grid.rows,
                           .n = s->n,
                           .width = width,
                           .edge = s->own.columns};
    s->numbers[0] = (struct experiment_number){"grid_rows", s->grid.rows};
    s->numbers[1] = (struct experiment_number){"grid_columns", s->grid.columns};
}

static int fits(const struct params *p, const struct team *team)
{
    struct summa s = {0};
    lay_out(&s, p, team);
    return panels_fit(&s.a) < 0 ? -1 : panels_fit(&s.b);
}

static int summa_open(void **state, const struct params *p, const struct team *team,
                      const struct clock *clock)
{
    struct summa *s = calloc(1, sizeof *s);
    if (!s)
        return fail("out of memory");
    *state = s;
    s->clock = clock;
    lay_out(s, p, team);
    const size_t workers = (size_t)s->workers;
    s->c = memory_get(s->bytes);
    s->spent = aligned_alloc(_Alignof(struct spent), workers * sizeof *s->spent);
    s->defined = calloc(workers, sizeof *s->defined);
    if (panels_open(&s->a) < 0 || panels_open(&s->b) < 0 || !s->c || !s->spent || !s->defined ||
        proof_open(&s->proof, s->own, s->n, s->n, s->workers) < 0) {
        summa_close(state);
        return fail("out of memory");
    }
    for (size_t i = 0; i < PROOF_TABLES; i++)
        s->tables[i] = s->proof.tables[i];
    s->tables[PROOF_TABLES] = (struct rows){
        {"/results/defined", "repetition worker", TABLE_F64, "1",
         "share of the elements computed anew whose bits are those that C is defined to have"},
        s->defined,
        workers * sizeof *s->defined};
    return 0;
}

/* Rows of this process's part that a worker fills and proves: all columns of them. */
static struct gemm_block strip(const struct summa *s, int row)
{
    const size_t from = grid_cut(s->own.rows, 1, row, s->workers);
    const size_t to = grid_cut(s->own.rows, 1, row + 1, s->workers);
    return (struct gemm_block){s->own.row + from, s->own.column, to - from, s->own.columns};
}

/* A worker's rows of a panel of A, inside A; and where they are. */
static struct gemm_block strip_of_a(const struct summa *s, int row, size_t panel, double **a)
{
    const struct gemm_block own = strip(s, row);
    const size_t width = panels_width(&s->a, panel);
    *a = panels_at(&s->a, panel) + (own.row - s->own.row) * width;
    return (struct gemm_block){own.row, panel * s->a.width, own.rows, width};
}

/* Its columns would lie apart: of B each worker takes rows of a panel. */
static struct gemm_block strip_of_b(const struct summa *s, int row, size_t panel, double **b)
{
    const size_t width = panels_width(&s->b, panel);
    const size_t from = grid_cut(width, 1, row, s->workers);
    *b = panels_at(&s->b, panel) + from * s->own.columns;
    return (struct gemm_block){panel * s->b.width + from, s->own.column,
                               grid_cut(width, 1, row + 1, s->workers) - from, s->own.columns};
}

/* First touch: who reads a part of a buffer has it near. */
static void touch_buffers(const struct summa *s, int row)
{
    const struct panels *const both[] = {&s->a, &s->b};
    for (int which = 0; which < 2; which++)
        for (int turn = 0; turn < 2; turn++) {
            const size_t from = grid_cut(both[which]->spare, 1, row, s->workers);
            const size_t to = grid_cut(both[which]->spare, 1, row + 1, s->workers);
            memset((char *)both[which]->buffer[turn] + from, 0, to - from);
        }
}

static void fill(const struct worker *me, void *state)
{
    struct summa *s = state;
    double *to;
    const struct ranks *ranks = team_ranks(me->team);
    const struct gemm_block own = strip(s, me->row);
    memset(at(s, own), 0, own.rows * own.columns * sizeof *s->c);
    touch_buffers(s, me->row);
    for (size_t p = 0; p < panels_count(&s->a); p++) {
        if (panels_mine(&s->a, p)) {
            const struct gemm_block part = strip_of_a(s, me->row, p, &to);
            gemm_fill(to, part.columns, GEMM_STREAM_A, part, s->n, s->n);
        }
        if (panels_mine(&s->b, p)) {
            const struct gemm_block part = strip_of_b(s, me->row, p, &to);
            gemm_fill(to, part.columns, GEMM_STREAM_B, part, s->n, s->n);
            proof_b(&s->proof, to, part.columns, part);
        }
    }
    team_meet_rows(me);
    if (me->row == 0) {
        ranks->grid(s->grid.columns);
        ranks->add(SCOPE_ALL, s->proof.bw, 2 * s->n); /* bw, bs: one after another */
    }
    team_meet_rows(me);
}

/* Adds what has passed since `from` to `sum`. */
static uint64_t lap(const struct summa *s, uint64_t from, uint64_t *sum)
{
    const uint64_t now = clock_ticks(s->clock);
    *sum += now - from;
    return now;
}

/* Panel p is here for all workers of the process, and the next is on its way: into
 * the buffers of step p - 1, which all of them have finished. */
static void receive(const struct worker *me, struct summa *s, size_t p)
{
    const struct ranks *ranks = team_ranks(me->team);
    struct spent *spent = &s->spent[me->row];
    uint64_t t = clock_ticks(s->clock);
    if (me->row == 0) {
        panels_need(&s->a, ranks, p);
        panels_need(&s->b, ranks, p);
    }
    team_meet_rows(me);
    t = lap(s, t, &spent->wait);
    if (me->row != 0 || p + 1 == panels_count(&s->a))
        return;
    panels_begin(&s->a, ranks, p + 1);
    panels_begin(&s->b, ranks, p + 1);
    lap(s, t, &spent->combine);
}

/* C += A B of panel p for that part of C. */
static void multiply(const struct summa *s, struct gemm_block own, size_t p)
{
    const size_t width = panels_width(&s->a, p);
    const struct gemm_panel panel = {
        .a = panels_at(&s->a, p) + (own.row - s->own.row) * width,
        .lda = width,
        .b = panels_at(&s->b, p) + own.column - s->own.column,
        .ldb = s->own.columns,
        .k = width,
    };
    gemm_panel(&panel, at(s, own), s->own.columns, own.rows, own.columns, p == 0);
}

/* A worker's part of step p. Messages get on while somebody is inside the library
 * that carries them, so who talks looks in there between strips of rows: at n = 2000
 * over TCP that brought 97 GF/s instead of 47, through shared memory 103 for 99. */
static void step(const struct worker *me, struct summa *s, struct gemm_block own, size_t p)
{
    const int strips = me->row == 0 && s->processes > 1 ? (int)(own.rows / STRIP) + 1 : 1;
    for (int i = 0; i < strips; i++) {
        const size_t from = grid_cut(own.rows, GEMM_CUT, i, strips);
        const size_t to = grid_cut(own.rows, GEMM_CUT, i + 1, strips);
        const struct gemm_block part = {own.row + from, own.column, to - from, own.columns};
        multiply(s, part, p);
        if (i + 1 == strips)
            return;
        const uint64_t t = clock_ticks(s->clock);
        team_ranks(me->team)->share_poke();
        lap(s, t, &s->spent[me->row].combine);
    }
}

static void compute(const struct worker *me, void *state, uint64_t start)
{
    (void)start;
    struct summa *s = state;
    const struct ranks *ranks = team_ranks(me->team);
    const struct gemm_block own = block(s, me->row);
    struct spent *spent = &s->spent[me->row];
    *spent = (struct spent){0};
    uint64_t t = clock_ticks(s->clock);
    if (me->row == 0) {
        panels_begin(&s->a, ranks, 0);
        panels_begin(&s->b, ranks, 0);
        lap(s, t, &spent->combine);
    }
    for (size_t p = 0; p < panels_count(&s->a); p++) {
        if (s->processes > 1)
            receive(me, s, p);
        step(me, s, own, p);
    }
    if (me->row != 0)
        return;
    t = clock_ticks(s->clock);
    panels_end(&s->a, ranks);
    panels_end(&s->b, ranks);
    lap(s, t, &spent->wait);
}

static struct spent spent(const void *state, int row)
{
    const struct summa *s = state;
    return s->spent[row];
}

static int spoil(const struct worker *me, void *state, uint64_t repetition)
{
    struct summa *s = state;
    const struct gemm_block own = block(s, me->row);
    return proof_spoil(me, at(s, own), s->own.columns, gemm_inside(own, s->n, s->n), repetition);
}

/* Some elements of a worker's block, its corners among them, computed anew. */
static double look(const struct summa *s, struct gemm_block own, uint64_t repetition)
{
    const double *c = at(s, own);
    own = gemm_inside(own, s->n, s->n);
    const size_t count = own.rows * own.columns;
    int same = 0;
    for (uint64_t i = 0; count && i < LOOKS; i++) {
        const size_t pick = i == 0   ? 0
                            : i == 1 ? own.columns - 1
                            : i == 2 ? count - own.columns
                            : i == 3 ? count - 1
                                     : fill_bits(repetition, i) % count;
        const size_t row = pick / own.columns, column = pick % own.columns;
        same += c[row * s->own.columns + column] ==
                gemm_chain(own.row + row, own.column + column, s->n, s->a.width);
    }
    return count ? (double)same / LOOKS : 1;
}

static int after(const struct worker *me, void *state, uint64_t repetition)
{
    struct summa *s = state;
    const struct gemm_block own = strip(s, me->row);
    double *a;
    proof_begin(&s->proof, own.row, own.rows);
    for (size_t p = 0; p < panels_count(&s->a); p++)
        if (panels_mine(&s->a, p)) {
            const struct gemm_block part = strip_of_a(s, me->row, p, &a);
            proof_a(&s->proof, a, part.columns, part);
        }
    proof_c(&s->proof, me, at(s, own), s->own.columns, own);
    s->defined[me->row] = look(s, block(s, me->row), repetition);
    proof_join(&s->proof, me, true);
    return proof_judge(&s->proof, me, own.row, own.rows);
}

static uint64_t units(const void *state, int row)
{
    const struct summa *s = state;
    const struct gemm_block own = gemm_inside(block(s, row), s->n, s->n);
    return (uint64_t)own.rows * own.columns * s->n;
}

static size_t tables(void *state, const struct rows **out)
{
    struct summa *s = state;
    *out = s->tables;
    return PROOF_TABLES + 1;
}

static size_t numbers(const void *state, const struct experiment_number **out)
{
    const struct summa *s = state;
    *out = s->numbers;
    return NUMBERS;
}

const struct experiment experiment_summa = {
    .name = "matmul",
    .about = "one product dealt over a grid of processes, panels handed on meanwhile",
    .unit = unit_name,
    .methods = "summa",
    .size = 4000,
    .panel = PANEL,
    .roofed = true,
    .pooled = pooled,
    .gemm = true,
    .check = check,
    .fits = fits,
    .bytes = bytes,
    .open = summa_open,
    .close = summa_close,
    .fill = fill,
    .compute = compute,
    .spent = spent,
    .spoil = spoil,
    .after = after,
    .units = units,
    .tables = tables,
    .numbers = numbers,
};
