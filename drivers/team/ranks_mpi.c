#include "drivers/fail.h"
#include "drivers/team/ranks.h"
#include "drivers/team/watch.h"

#include <assert.h>
#include <limits.h>
#include <mpi.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    TAG = 1,
    PIECE = 1 << 30, /* MPI counts are int: large blocks go in pieces */
    START_S = 300    /* for all processes to be there: nobody is watched before */
};

static MPI_Comm comm[NSCOPES] = {[SCOPE_ROW] = MPI_COMM_NULL, [SCOPE_COLUMN] = MPI_COMM_NULL};
static MPI_Request shares[RANKS_SHARES] = {MPI_REQUEST_NULL, MPI_REQUEST_NULL, MPI_REQUEST_NULL,
                                           MPI_REQUEST_NULL};
static int node_index, node_count;
static struct watch *watch; /* NULL: none */

static struct {
    MPI_Op op;
    MPI_Datatype element; /* of n bytes: one for all calls of one size */
    size_t n;
    ranks_join *join; /* of the call that is under way */
} reducing = {.op = MPI_OP_NULL, .element = MPI_DATATYPE_NULL};

/* This process's rank as its launcher wrote it, or NULL: there is no launcher. */
static const char *launched_as(void)
{
    static const char *const names[] = {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK",
                                        "SLURM_PROCID"};
    const char *rank = NULL;
    for (size_t i = 0; i < sizeof names / sizeof *names && !rank; i++)
        rank = getenv(names[i]);
    return rank;
}

static bool speaks(void)
{
    const char *rank = launched_as();
    return !rank || strcmp(rank, "0") == 0;
}

/* srun starts as many processes as asked; without PMIx each would be rank 0 of 1, or end
 * in a page of MPI's about its build. */
static int check(void)
{
    const char *tasks = getenv("SLURM_STEP_NUM_TASKS");
    if (!tasks || atoi(tasks) < 2 || getenv("OMPI_COMM_WORLD_SIZE") || getenv("PMIX_RANK") ||
        getenv("PMI_RANK"))
        return 0;
    return fail("srun started %s tasks that do not know each other: srun --mpi=pmix, or mpirun",
                tasks);
}

/* Nodes are numbered in the order of their first rank. */
static void number_nodes(void)
{
    int rank, local;
    MPI_Comm_rank(comm[SCOPE_ALL], &rank);
    MPI_Comm_rank(comm[SCOPE_NODE], &local);
    int before = 0, leads = local == 0;
    MPI_Exscan(&leads, &before, 1, MPI_INT, MPI_SUM, comm[SCOPE_ALL]);
    node_index = rank == 0 ? 0 : before;
    MPI_Bcast(&node_index, 1, MPI_INT, 0, comm[SCOPE_NODE]);
    MPI_Allreduce(&leads, &node_count, 1, MPI_INT, MPI_SUM, comm[SCOPE_ALL]);
}

static void give_up(int number)
{
    static const char text[] = "bindot: the processes did not find each other in 300 s; was one "
                               "lost while it started?\n";
    (void)number;
    if (write(STDERR_FILENO, text, sizeof text - 1) < 0)
        _exit(EXIT_FAILURE);
    _exit(EXIT_FAILURE);
}

/* The cards of this node's first process and of the next node's. */
static void swap_cards(const struct wire_card *mine, struct wire_card *lead, struct wire_card *next)
{
    MPI_Comm leads;
    int local, rank, size;
    *lead = *next = *mine;
    MPI_Bcast(lead, sizeof *lead, MPI_BYTE, 0, comm[SCOPE_NODE]);
    MPI_Comm_rank(comm[SCOPE_NODE], &local);
    MPI_Comm_split(comm[SCOPE_ALL], local == 0 ? 0 : MPI_UNDEFINED, 0, &leads);
    if (leads == MPI_COMM_NULL)
        return;
    MPI_Comm_rank(leads, &rank);
    MPI_Comm_size(leads, &size);
    MPI_Sendrecv(mine, sizeof *mine, MPI_BYTE, (rank + size - 1) % size, TAG, next, sizeof *next,
                 MPI_BYTE, (rank + 1) % size, TAG, leads, MPI_STATUS_IGNORE);
    MPI_Comm_free(&leads);
}

/* Where there can be no watch the run goes on, and says so. */
static void start_watch(const struct ranks_fate *fate)
{
    struct watch_place place = {.node = node_index, .nodes = node_count, .launched = launched_as()};
    struct wire_card mine, lead, next;
    int size, first;
    MPI_Comm_rank(comm[SCOPE_ALL], &place.rank);
    MPI_Comm_size(comm[SCOPE_ALL], &size);
    MPI_Comm_rank(comm[SCOPE_NODE], &place.local);
    MPI_Comm_size(comm[SCOPE_NODE], &place.locals);
    int failed = watch_open(&watch, &place, fate, &mine) < 0;
    swap_cards(&mine, &lead, &next);
    if (!failed)
        failed = watch_join(watch, &lead, &next) < 0;
    failed = failed ? place.rank : size;
    MPI_Allreduce(&failed, &first, 1, MPI_INT, MPI_MIN, comm[SCOPE_ALL]);
    if (failed < size && failed == first)
        fprintf(stderr, "bindot: note: %s; the others may wait for ever for a process that dies\n",
                fail_text());
    fail_clear();
}

static int open_ranks(const struct ranks_fate *fate)
{
    int level;
    signal(SIGALRM, give_up);
    alarm(START_S);
    MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &level);
    MPI_Comm_dup(MPI_COMM_WORLD, &comm[SCOPE_ALL]);
    MPI_Comm_split_type(comm[SCOPE_ALL], MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL,
                        &comm[SCOPE_MACHINE]);
    MPI_Comm_dup(comm[SCOPE_MACHINE], &comm[SCOPE_NODE]);
    number_nodes();
    start_watch(fate);
    alarm(0);
    if (level < MPI_THREAD_FUNNELED)
        return fail("this MPI library gives thread level %d where %d (funneled) is needed", level,
                    MPI_THREAD_FUNNELED);
    return 0;
}

static void free_reducing(void)
{
    if (reducing.op != MPI_OP_NULL)
        MPI_Op_free(&reducing.op);
    if (reducing.element != MPI_DATATYPE_NULL)
        MPI_Type_free(&reducing.element);
}

static void close_ranks(void)
{
    free_reducing();
    for (int scope = 0; scope < NSCOPES; scope++)
        if (comm[scope] != MPI_COMM_NULL)
            MPI_Comm_free(&comm[scope]);
    MPI_Finalize();
    watch_close(&watch);
}

__attribute__((noreturn)) static void end(int status)
{
    watch_close(&watch); /* this is no death to be told */
    MPI_Abort(MPI_COMM_WORLD, status);
    exit(status);
}

static void hurry(int why)
{
    if (watch)
        watch_hurry(watch, why);
}

__attribute__((noreturn)) static void leave(int status)
{
    if (watch)
        watch_leave(watch, status);
    _exit(status);
}

static const char *version(void)
{
    static char text[MPI_MAX_LIBRARY_VERSION_STRING];
    int length;
    MPI_Get_library_version(text, &length);
    return text;
}

static int rank(enum scope scope)
{
    int r;
    MPI_Comm_rank(comm[scope], &r);
    return r;
}

static int size(enum scope scope)
{
    int n;
    MPI_Comm_size(comm[scope], &n);
    return n;
}

static int node(void)
{
    return node_index;
}

static int nodes(void)
{
    return node_count;
}

static void meet(void)
{
    MPI_Barrier(comm[SCOPE_ALL]);
}

static int64_t max(enum scope scope, int64_t mine)
{
    int64_t all;
    MPI_Allreduce(&mine, &all, 1, MPI_INT64_T, MPI_MAX, comm[scope]);
    return all;
}

static uint64_t sum(uint64_t mine)
{
    uint64_t all;
    MPI_Allreduce(&mine, &all, 1, MPI_UINT64_T, MPI_SUM, comm[SCOPE_ALL]);
    return all;
}

static uint64_t before(uint64_t mine)
{
    uint64_t all = 0; /* rank 0 has none below: MPI leaves it alone */
    MPI_Exscan(&mine, &all, 1, MPI_UINT64_T, MPI_SUM, comm[SCOPE_ALL]);
    return rank(SCOPE_ALL) ? all : 0;
}

static int piece(size_t left)
{
    return left < PIECE ? (int)left : PIECE;
}

static void share(enum scope scope, int from, void *bytes, size_t n)
{
    for (size_t done = 0; done < n; done += PIECE)
        MPI_Bcast((char *)bytes + done, piece(n - done), MPI_BYTE, from, comm[scope]);
}

static void gather(enum scope scope, const void *mine, void *all, size_t n)
{
    MPI_Allgather(mine, (int)n, MPI_BYTE, all, (int)n, MPI_BYTE, comm[scope]);
}

static void join_elements(void *left, void *right, int *count, MPI_Datatype *type)
{
    (void)type;
    for (int i = 0; i < *count; i++)
        reducing.join((char *)left + (size_t)i * reducing.n,
                      (char *)right + (size_t)i * reducing.n);
}

static void reduce(void *mine, size_t n, ranks_join *join)
{
    if (n != reducing.n) {
        free_reducing();
        MPI_Op_create(join_elements, 0, &reducing.op);
        MPI_Type_contiguous((int)n, MPI_BYTE, &reducing.element);
        MPI_Type_commit(&reducing.element);
        reducing.n = n;
    }
    reducing.join = join;
    MPI_Allreduce(MPI_IN_PLACE, mine, 1, reducing.element, reducing.op, comm[SCOPE_ALL]);
}

static void add(enum scope scope, double *values, size_t n)
{
    for (size_t done = 0; done < n; done += PIECE)
        MPI_Allreduce(MPI_IN_PLACE, values + done, piece(n - done), MPI_DOUBLE, MPI_SUM,
                      comm[scope]);
}

static void grid(int columns)
{
    const int me = rank(SCOPE_ALL);
    MPI_Comm_split(comm[SCOPE_ALL], me / columns, me, &comm[SCOPE_ROW]);
    MPI_Comm_split(comm[SCOPE_ALL], me % columns, me, &comm[SCOPE_COLUMN]);
}

static void share_begin(int number, enum scope scope, int from, double *values, size_t n)
{
    assert(n <= INT_MAX && shares[number] == MPI_REQUEST_NULL);
    MPI_Ibcast(values, (int)n, MPI_DOUBLE, from, comm[scope], &shares[number]);
}

static void share_poke(void)
{
    int done;
    for (int number = 0; number < RANKS_SHARES; number++)
        MPI_Test(&shares[number], &done, MPI_STATUS_IGNORE);
}

static void share_end(int number)
{
    MPI_Wait(&shares[number], MPI_STATUS_IGNORE);
}

static void send_bytes(int to, const void *bytes, size_t n)
{
    for (size_t done = 0; done < n; done += PIECE)
        MPI_Send((const char *)bytes + done, piece(n - done), MPI_BYTE, to, TAG, comm[SCOPE_ALL]);
}

static void receive(int from, void *bytes, size_t n)
{
    for (size_t done = 0; done < n; done += PIECE)
        MPI_Recv((char *)bytes + done, piece(n - done), MPI_BYTE, from, TAG, comm[SCOPE_ALL],
                 MPI_STATUS_IGNORE);
}

struct strided {
    MPI_Datatype type;
    int bytes;    /* packed */
    char *packed; /* [bytes] */
};

static void strided_drop(struct strided *s)
{
    if (!s)
        return;
    MPI_Type_free(&s->type);
    free(s->packed);
    free(s);
}

static struct strided *strided_make(size_t blocks, size_t block, size_t row)
{
    struct strided *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    MPI_Type_vector((int)blocks, (int)block, (int)row, MPI_DOUBLE, &s->type);
    MPI_Type_commit(&s->type);
    MPI_Pack_size(1, s->type, comm[SCOPE_ALL], &s->bytes);
    s->packed = calloc(1, (size_t)s->bytes);
    if (s->packed)
        return s;
    strided_drop(s);
    return NULL;
}

static void strided_send(int to, const double *first, const struct strided *s)
{
    MPI_Send(first, 1, s->type, to, TAG, comm[SCOPE_ALL]);
}

static void strided_receive(int from, double *first, const struct strided *s)
{
    MPI_Recv(first, 1, s->type, from, TAG, comm[SCOPE_ALL], MPI_STATUS_IGNORE);
}

static void strided_send_packed(int to, const double *first, const struct strided *s)
{
    int n = 0;
    MPI_Pack(first, 1, s->type, s->packed, s->bytes, &n, comm[SCOPE_ALL]);
    MPI_Send(s->packed, n, MPI_PACKED, to, TAG, comm[SCOPE_ALL]);
}

static void strided_receive_packed(int from, double *first, const struct strided *s)
{
    int at = 0;
    MPI_Recv(s->packed, s->bytes, MPI_PACKED, from, TAG, comm[SCOPE_ALL], MPI_STATUS_IGNORE);
    MPI_Unpack(s->packed, s->bytes, &at, first, 1, s->type, comm[SCOPE_ALL]);
}

static const struct strided_ways strided_ways = {
    .make = strided_make,
    .drop = strided_drop,
    .send = strided_send,
    .receive = strided_receive,
    .send_packed = strided_send_packed,
    .receive_packed = strided_receive_packed,
};

/* A group takes the number of its first process on the machine. */
static void split(const void *key, size_t n)
{
    const int here = rank(SCOPE_MACHINE);
    char *all = malloc((size_t)size(SCOPE_MACHINE) * n);
    if (!all) { /* the others are already in the gather */
        fprintf(stderr, "bindot: out of memory\n");
        end(1);
    }
    gather(SCOPE_MACHINE, key, all, n);
    int group = 0;
    while (memcmp(all + (size_t)group * n, key, n) != 0)
        group++;
    free(all);
    MPI_Comm_free(&comm[SCOPE_NODE]);
    MPI_Comm_split(comm[SCOPE_MACHINE], group, here, &comm[SCOPE_NODE]);
    number_nodes();
}

const struct ranks ranks_mpi = {
    .name = "mpi",
    .speaks = speaks,
    .check = check,
    .open = open_ranks,
    .close = close_ranks,
    .end = end,
    .hurry = hurry,
    .leave = leave,
    .version = version,
    .rank = rank,
    .size = size,
    .node = node,
    .nodes = nodes,
    .split = split,
    .meet = meet,
    .max = max,
    .sum = sum,
    .before = before,
    .share = share,
    .gather = gather,
    .reduce = reduce,
    .add = add,
    .grid = grid,
    .share_begin = share_begin,
    .share_poke = share_poke,
    .share_end = share_end,
    .send = send_bytes,
    .receive = receive,
    .strided = &strided_ways,
};
