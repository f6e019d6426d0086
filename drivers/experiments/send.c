/* send.c: one column of a row-major matrix between two ranks, there and back: the
 * price of data that does not lie in one piece, by each way that a program has. Ranks
 * 0 and 1 are a pair, 2 and 3 ... */
#include "drivers/experiments/experiment.h"
#include "drivers/experiments/share.h"
#include "drivers/fail.h"
#include "drivers/memory.h"
#include "drivers/team/strided.h"
#include "kernels/marshal_column.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum {
    ENOUGH = 1 << 18, /* elements sent between two meetings of all ranks: they cost a
                       * microsecond or so, these 20 at least */
    MOST_ROUNDS = 1024,
    NNUMBERS = 4
};

struct send {
    const struct send_way *way;
    const struct ranks *ranks;
    int partner, pair;
    bool first; /* it sends first; the other sends back what came */
    struct column column;
    size_t bytes, packed_bytes;
    double *from, *to; /* matrices; the second of a pair has one for both */
    double *packed;
    struct strided *shape;
    uint64_t rounds; /* there and back, in one compute */
    uint64_t stream; /* of the elements that travel in this repetition */
    struct experiment_number numbers[NNUMBERS];
};

struct send_way {
    const char *name;
    bool whole; /* the column lies in one piece: what the others are measured against */
    void (*send)(const struct send *, const double *from);
    void (*receive)(const struct send *, double *to);
};

static size_t payload(const struct send *s)
{
    return s->column.blocks * s->column.block * sizeof(double);
}

static void send_whole(const struct send *s, const double *from)
{
    s->ranks->send(s->partner, from, payload(s));
}

static void receive_whole(const struct send *s, double *to)
{
    s->ranks->receive(s->partner, to, payload(s));
}

static void send_vector(const struct send *s, const double *from)
{
    s->ranks->strided->send(s->partner, from, s->shape);
}

static void receive_vector(const struct send *s, double *to)
{
    s->ranks->strided->receive(s->partner, to, s->shape);
}

static void send_by_hand(const struct send *s, const double *from)
{
    column_pack(from, s->column, s->packed);
    s->ranks->send(s->partner, s->packed, payload(s));
}

static void receive_by_hand(const struct send *s, double *to)
{
    s->ranks->receive(s->partner, s->packed, payload(s));
    column_unpack(s->packed, s->column, to);
}

static void send_packed(const struct send *s, const double *from)
{
    s->ranks->strided->send_packed(s->partner, from, s->shape);
}

static void receive_packed(const struct send *s, double *to)
{
    s->ranks->strided->receive_packed(s->partner, to, s->shape);
}

static void send_blocks(const struct send *s, const double *from)
{
    for (size_t i = 0; i < s->column.blocks; i++)
        s->ranks->send(s->partner, from + i * s->column.row, s->column.block * sizeof *from);
}

static void receive_blocks(const struct send *s, double *to)
{
    for (size_t i = 0; i < s->column.blocks; i++)
        s->ranks->receive(s->partner, to + i * s->column.row, s->column.block * sizeof *to);
}

static const struct send_way ways[] = {
    {"send-contiguous", true, send_whole, receive_whole},
    {"send-vector", false, send_vector, receive_vector},
    {"send-by-hand", false, send_by_hand, receive_by_hand},
    {"send-mpi-pack", false, send_packed, receive_packed},
    {"send-blocks", false, send_blocks, receive_blocks},
};

static const struct send_way *way_of(const struct params *p)
{
    const struct send_way *way = ways;
    while (strcmp(way->name, p->method) != 0) /* options.c let it pass */
        way++;
    return way;
}

static bool pooled(const struct params *p)
{
    (void)p;
    return false;
}

static const char *unit_name(const struct params *p)
{
    (void)p;
    return "sent element";
}

static int check(const struct params *p)
{
    if (p->block > p->row)
        return fail("--block must not be larger than --row (%llu)", (unsigned long long)p->row);
    if (p->size % p->block)
        return fail("--size must be a multiple of --block");
    return p->size <= INT_MAX / sizeof(double)
               ? 0
               : fail("--size: a message has at most %zu elements", INT_MAX / sizeof(double));
}

static int fits(const struct params *p, const struct team *team)
{
    const int ranks = team_processes(team);
    if (!team_ranks(team)->strided)
        return fail("--method %s: nobody to send to in one process; use bindot-mpi or "
                    "bindot-hybrid with an even number of ranks",
                    p->method);
    if (ranks % 2)
        return fail("--method %s: ranks send to each other in pairs: an even number of them, "
                    "not %d",
                    p->method, ranks);
    if (team_size(team) != ranks)
        return fail("--method %s: one thread of each rank sends; use --threads 1", p->method);
    if (!p->weak && p->size / p->block < (uint64_t)ranks / 2)
        return fail("--size: less than one block for each of %d pairs", ranks / 2);
    return 0;
}

/* Of this pair; its share of --size, or each as many. */
static struct column column_of(const struct params *p, int pair, int pairs)
{
    const uint64_t all = p->size / p->block;
    const uint64_t blocks =
        p->weak ? all : share_first(all, pair + 1, pairs) - share_first(all, pair, pairs);
    return way_of(p)->whole ? (struct column){1, blocks * p->block, blocks * p->block}
                            : (struct column){blocks, p->block, p->row};
}

static double bytes(const struct params *p, int workers, int rows)
{
    const int pairs = workers / rows / 2;
    const struct column c = column_of(p, 0, pairs > 0 ? pairs : 1);
    return (double)sizeof(double) * (double)c.blocks *
           (2.0 * (double)c.row + 2.0 * (double)c.block);
}

static void send_close(void **state)
{
    struct send *s = *state;
    if (s->first)
        memory_free(s->from, s->bytes);
    memory_free(s->to, s->bytes);
    memory_free(s->packed, s->packed_bytes);
    s->ranks->strided->drop(s->shape);
    free(s);
    *state = NULL;
}

static void describe(struct send *s, const struct params *p)
{
    const size_t n = s->column.blocks * s->column.block;
    s->rounds = n < ENOUGH ? ENOUGH / n : 1;
    s->rounds = s->rounds < MOST_ROUNDS ? s->rounds : MOST_ROUNDS;
    s->numbers[0] = (struct experiment_number){"block", (int64_t)p->block};
    s->numbers[1] = (struct experiment_number){"row", (int64_t)p->row};
    s->numbers[2] = (struct experiment_number){"message_bytes", (int64_t)payload(s)};
    s->numbers[3] = (struct experiment_number){"footprint_bytes", (int64_t)s->bytes};
}

static int send_open(void **state, const struct params *p, const struct team *team,
                     const struct clock *clock)
{
    (void)clock;
    struct send *s = calloc(1, sizeof *s);
    if (!s)
        return fail("out of memory");
    *state = s;
    s->ranks = team_ranks(team);
    s->way = way_of(p);
    const int rank = s->ranks->rank(SCOPE_ALL);
    s->first = rank % 2 == 0;
    s->pair = rank / 2;
    s->partner = s->first ? rank + 1 : rank - 1;
    s->column = column_of(p, s->pair, team_processes(team) / 2);
    s->bytes = s->column.blocks * s->column.row * sizeof(double);
    s->packed_bytes = payload(s);
    describe(s, p);
    s->to = memory_get(s->bytes);
    s->from = s->first ? memory_get(s->bytes) : s->to;
    s->packed = memory_get(s->packed_bytes);
    s->shape = s->ranks->strided->make(s->column.blocks, s->column.block, s->column.row);
    if (s->to && s->from && s->packed && s->shape)
        return 0;
    send_close(state);
    return fail("out of memory");
}

static void fill(const struct worker *me, void *state)
{
    (void)me;
    struct send *s = state;
    memset(s->packed, 0, s->packed_bytes);
}

/* New elements each time: what is left of the last repetition would be found out. */
static void before(const struct worker *me, void *state)
{
    (void)me;
    struct send *s = state;
    s->stream += 1000003; /* far from those of another pair */
    column_wipe(s->to, s->column);
    if (s->first)
        column_fill(s->from, s->column, s->stream + (uint64_t)s->pair);
}

static void compute(const struct worker *me, void *state, uint64_t start)
{
    (void)me, (void)start;
    const struct send *s = state;
    for (uint64_t i = 0; i < s->rounds; i++) {
        if (s->first)
            s->way->send(s, s->from);
        s->way->receive(s, s->to);
        if (!s->first)
            s->way->send(s, s->to);
    }
}

static int spoil(const struct worker *me, void *state, uint64_t repetition)
{
    (void)me, (void)repetition;
    struct send *s = state;
    ((unsigned char *)s->to)[0] ^= 1;
    return 0;
}

/* Byte for byte, and nothing written beside it. */
static int after(const struct worker *me, void *state, uint64_t repetition)
{
    (void)repetition;
    const struct send *s = state;
    const size_t wrong = column_wrong(s->to, s->column, s->stream + (uint64_t)s->pair);
    return wrong ? fail("marshal: worker %d got %zu wrong elements by %s", me->index, wrong,
                        s->way->name)
                 : 0;
}

static uint64_t units(const void *state, int row)
{
    (void)row;
    const struct send *s = state;
    return s->rounds * s->column.blocks * s->column.block;
}

static size_t tables(void *state, const struct rows **out)
{
    (void)state;
    *out = NULL;
    return 0;
}

static size_t numbers(const void *state, const struct experiment_number **out)
{
    *out = ((const struct send *)state)->numbers;
    return NNUMBERS;
}

const struct experiment experiment_send = {
    .name = "marshal",
    .about = "a column of a matrix between two ranks, there and back (MPI)",
    .unit = unit_name,
    .methods = "send-contiguous send-vector send-by-hand send-mpi-pack send-blocks",
    .size = 1000000,
    .block = 1,
    .row = 8,
    .pooled = pooled,
    .check = check,
    .fits = fits,
    .bytes = bytes,
    .open = send_open,
    .close = send_close,
    .fill = fill,
    .before = before,
    .compute = compute,
    .spoil = spoil,
    .after = after,
    .units = units,
    .tables = tables,
    .numbers = numbers,
};
