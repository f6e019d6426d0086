/* Property: a team is the same thing under every layout: each worker runs once,
 * nobody passes a meeting early, one failure is known to all, rows reach the lead
 * in the order of workers. One source, run as four programs (TEAM_RANKS,
 * TEAM_THREADS), under mpirun where there are ranks. */
#include "drivers/fail.h"
#include "drivers/team/team.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CHECK(what)                                                                                \
    do {                                                                                           \
        if (!(what)) {                                                                             \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #what);                             \
            TEAM_RANKS.end(1);                                                                     \
        }                                                                                          \
    } while (0)

enum { ROWS = TEAM_ROWS, ROUNDS = 200 };

static const struct ranks_fate fate; /* nothing befalls this run */
static atomic_int ran[ROWS];
static int stage[ROWS];

static void count(const struct worker *me, void *shared)
{
    CHECK(shared == ran);
    CHECK(me->index == team_first(me->team) + me->row);
    atomic_fetch_add(&ran[me->row], 1);
}

static void each_runs_once(struct team *team)
{
    team_run(team, count, ran);
    for (int row = 0; row < ROWS; row++)
        CHECK(ran[row] == 1);
}

/* Nobody sees a neighbour more than one stage away. */
static void walk(const struct worker *me, void *shared)
{
    (void)shared;
    for (int i = 0; i < ROUNDS; i++) {
        __atomic_store_n(&stage[me->row], i, __ATOMIC_SEQ_CST);
        team_meet(me);
        for (int row = 0; row < ROWS; row++)
            CHECK(__atomic_load_n(&stage[row], __ATOMIC_SEQ_CST) == i);
        team_meet(me);
    }
}

static int64_t came[ROWS], went[ROWS]; /* ns, by the clock that all processes share */

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void late(const struct worker *me, void *shared)
{
    (void)shared;
    if (me->index == team_size(me->team) - 1) {
        const struct timespec pause = {.tv_nsec = 50000000};
        nanosleep(&pause, NULL);
    }
    came[me->row] = now_ns();
    team_meet(me);
    went[me->row] = now_ns();
}

/* Of any process, nobody goes before the last has come. */
static void nobody_goes_early(struct team *team)
{
    const struct ranks *ranks = team_ranks(team);
    int64_t last = INT64_MIN, first = INT64_MAX;
    team_run(team, late, NULL);
    for (int row = 0; row < ROWS; row++) {
        last = came[row] > last ? came[row] : last;
        first = went[row] < first ? went[row] : first;
    }
    CHECK(ranks->max(SCOPE_ALL, last) <= -ranks->max(SCOPE_ALL, -first));
}

static void a_failure_is_known_to_all(struct team *team)
{
    const struct ranks *ranks = team_ranks(team);
    const int last = ranks->size(SCOPE_ALL) - 1;
    CHECK(team_agree(team, 0) == 0);
    const int mine = ranks->rank(SCOPE_ALL) == last ? fail("the disk of rank %d", last) : 0;
    CHECK(team_agree(team, mine) == -1);
    char text[64];
    snprintf(text, sizeof text, "the disk of rank %d", last);
    CHECK(strstr(fail_text(), text));
    fail_clear();
}

struct received {
    size_t rows, bytes;
    int stop_at;
};

static int take(void *to, size_t first, size_t nrows, const void *bytes, size_t nbytes)
{
    struct received *r = to;
    CHECK(first == r->rows && nbytes % nrows == 0);
    const int32_t *values = bytes;
    for (size_t i = 0; i < nbytes / sizeof *values; i++)
        CHECK(values[i] == (int32_t)(first + i / (nbytes / sizeof *values / nrows)));
    r->rows += nrows;
    r->bytes += nbytes;
    return r->stop_at && r->rows >= (size_t)r->stop_at ? fail("the sink is full") : 0;
}

static void rows_reach_the_lead_in_order(struct team *team)
{
    enum { COLUMNS = 5000 };
    int32_t *mine = malloc(ROWS * COLUMNS * sizeof *mine);
    for (int i = 0; i < ROWS * COLUMNS; i++)
        mine[i] = team_first(team) + i / COLUMNS;
    struct received r = {0};
    CHECK(team_collect(team, mine, ROWS * COLUMNS * sizeof *mine, take, &r) == 0);
    if (team_is_lead(team))
        CHECK(r.rows == (size_t)team_size(team));
    r = (struct received){.stop_at = 1};
    CHECK(team_collect(team, mine, ROWS * COLUMNS * sizeof *mine, take, &r) == -1);
    CHECK(strstr(fail_text(), "the sink is full"));
    fail_clear();
    free(mine);
}

static void sums_and_shares(struct team *team)
{
    const struct ranks *ranks = team_ranks(team);
    const int size = ranks->size(SCOPE_ALL), rank = ranks->rank(SCOPE_ALL);
    CHECK(ranks->max(SCOPE_ALL, rank) == size - 1);
    CHECK(ranks->max(SCOPE_ALL, -rank) == 0);
    CHECK(ranks->sum(2) == 2 * (uint64_t)size);
    int word = rank == size - 1 ? 42 : 0;
    ranks->share(SCOPE_ALL, size - 1, &word, sizeof word);
    CHECK(word == 42);
    int *all = malloc((size_t)size * sizeof *all);
    ranks->gather(SCOPE_ALL, &rank, all, sizeof rank);
    for (int i = 0; i < size; i++)
        CHECK(all[i] == i);
    free(all);
    CHECK(ranks->nodes() == 1 && ranks->node() == 0 && ranks->size(SCOPE_NODE) == size);
}

struct span { /* consecutive ranks; wrong: two that are no neighbours were joined */
    int first, end, wrong;
};

static void join_spans(const void *left, void *right)
{
    const struct span *l = left;
    struct span *r = right;
    r->wrong |= l->wrong || l->end != r->first;
    r->first = l->first;
}

static void neighbours_are_joined_in_order(struct team *team)
{
    const struct ranks *ranks = team_ranks(team);
    const int size = ranks->size(SCOPE_ALL), rank = ranks->rank(SCOPE_ALL);
    for (int length = 1; length <= 2; length++) { /* the size of an element may change */
        struct span mine[2] = {{rank, rank + 1, 0}, {0, 0, 7}};
        ranks->reduce(mine, (size_t)length * sizeof *mine, join_spans);
        CHECK(mine[0].first == 0 && mine[0].end == size && !mine[0].wrong);
        CHECK(mine[1].wrong == 7);
    }
}

/* Rank 0 keeps one clock, all others read another: two nodes on one machine. */
static void other_keys_are_other_nodes(struct team *team)
{
    const struct ranks *ranks = team_ranks(team);
    const int size = ranks->size(SCOPE_ALL), rank = ranks->rank(SCOPE_ALL);
    const uint64_t key[2] = {7, rank > 0};
    ranks->split(key, sizeof key);
    CHECK(ranks->nodes() == (size > 1 ? 2 : 1));
    CHECK(ranks->node() == (rank > 0));
    CHECK(ranks->size(SCOPE_NODE) == (rank > 0 ? size - 1 : 1));
    CHECK(ranks->rank(SCOPE_NODE) == (rank > 0 ? rank - 1 : 0));
    CHECK(ranks->size(SCOPE_MACHINE) == size && ranks->rank(SCOPE_MACHINE) == rank);
    ranks->split("all alike", 9);
    CHECK(ranks->nodes() == 1 && ranks->size(SCOPE_NODE) == size);
}

/* Shares go on beside work, two at a time and one after another under a number. */
static void shares_beside_work(struct team *team)
{
    enum { N = 100000 };
    const struct ranks *ranks = team_ranks(team);
    const int size = ranks->size(SCOPE_ALL), rank = ranks->rank(SCOPE_ALL);
    ranks->grid(size);
    CHECK(ranks->size(SCOPE_ROW) == size && ranks->rank(SCOPE_ROW) == rank);
    CHECK(ranks->size(SCOPE_COLUMN) == 1 && ranks->rank(SCOPE_COLUMN) == 0);
    double *values[2] = {malloc(N * sizeof(double)), malloc(N * sizeof(double))};
    for (int round = 0; round < 2 * size; round++) {
        const int turn = round % 2, from = round % size;
        ranks->share_end(turn);
        for (int i = 0; i < N; i++)
            values[turn][i] = rank == from ? round + i : -1;
        ranks->share_begin(turn, SCOPE_ROW, from, values[turn], N);
        ranks->share_poke();
        if (round == 0)
            continue;
        ranks->share_end(1 - turn);
        for (int i = 0; i < N; i++)
            CHECK(values[1 - turn][i] == round - 1 + i);
    }
    ranks->share_end(1);
    values[0][0] = rank + 1;
    values[0][1] = 0.5;
    ranks->add(SCOPE_ROW, values[0], 2);
    CHECK(values[0][0] == size * (size + 1) / 2 && values[0][1] == 0.5 * size);
    free(values[0]);
    free(values[1]);
}

int main(void)
{
    CHECK(TEAM_RANKS.open(&fate) == 0);
    struct team *team;
    CHECK(team_open(&team, &TEAM_RANKS, &TEAM_THREADS, ROWS) == 0);
    CHECK(team_rows(team) == ROWS);
    CHECK(team_size(team) == ROWS * TEAM_RANKS.size(SCOPE_ALL));
    CHECK(TEAM_RANKS.size(SCOPE_ALL) == TEAM_PROCESSES);
    each_runs_once(team);
    team_run(team, walk, NULL);
    nobody_goes_early(team);
    a_failure_is_known_to_all(team);
    rows_reach_the_lead_in_order(team);
    sums_and_shares(team);
    neighbours_are_joined_in_order(team);
    other_keys_are_other_nodes(team);
    shares_beside_work(team);
    team_close(&team);
    CHECK(!team);
    TEAM_RANKS.close();
    return 0;
}
