/* Property: a knot's offset errs by half its round trip at most, whatever messages
 * suffer on their way and along any tree of nodes; a clock that goes back is found.
 *
 * The nodes here are threads with clocks that are known, and messages take as long as
 * the test says: time passes only by what each does, so every run is the same. */
#include "drivers/knot.h"
#include "drivers/knots.h"
#include "tests/unit.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- exchanges by hand ---- */

static void an_even_exchange_is_exact(void **state)
{
    (void)state;
    /* own clock 1000 ahead; 300 there, 40 with the other, 300 back */
    const struct exchange e = {.sent = 5000, .arrived = 4300, .left = 4340, .back = 5640};
    const struct knot k = knot_of(&e, 1);
    assert_int_equal(k.offset_ns, 1000);
    assert_int_equal(k.rtt_ns, 600);
    assert_int_equal(k.local_ns, 5320);
    assert_int_equal(k.lo_ns, 700);
    assert_int_equal(k.hi_ns, 1300);
    assert_false(knot_is_torn(&k));
}

static void the_quickest_counts_and_all_bound(void **state)
{
    (void)state;
    const struct exchange all[] = {
        {.sent = 1000, .arrived = 400, .left = 400, .back = 9000},       /* slow on its way back */
        {.sent = 11000, .arrived = 10300, .left = 10300, .back = 11600}, /* the quickest */
        {.sent = 21000, .arrived = 28000, .left = 28000, .back = 29100}, /* slow out */
    };
    const struct knot k = knot_of(all, 3);
    assert_int_equal(k.local_ns, 11300);
    assert_int_equal(k.offset_ns, 1000);
    assert_int_equal(k.rtt_ns, 600);
    assert_int_equal(k.lo_ns, 700);  /* the first says 600, less 1 ns of drift */
    assert_int_equal(k.hi_ns, 1102); /* the third says 1100, and 2 ns of drift */
}

static void a_step_back_is_found_and_a_drift_is_none(void **state)
{
    (void)state;
    struct exchange all[20];
    for (int i = 0; i < 20; i++) {
        const int64_t t = i * (int64_t)1000000, ahead = i * (int64_t)150; /* 150 ppm for 20 ms */
        all[i] = (struct exchange){t + ahead, t + ahead + 400, t + 200, t + 200};
    }
    struct knot k = knot_of(all, 20);
    assert_false(knot_is_torn(&k));
    for (int i = 10; i < 20; i++) { /* the other loses 8 us */
        all[i].arrived -= 8000;
        all[i].left -= 8000;
    }
    k = knot_of(all, 20);
    assert_true(knot_is_torn(&k));
}

static void knots_add_up_along_a_path(void **state)
{
    (void)state;
    struct rope parent = {0};
    rope_follow(&parent, &(struct knot){1000000000, 500, 100, 450, 550});
    rope_follow(&parent, &(struct knot){2000000000, 50500, 100, 50450, 50550}); /* 50 ppm */
    const struct knot own = {
        .local_ns = 2000107000, .offset_ns = 7000, .rtt_ns = 60, .lo_ns = 6970, .hi_ns = 7030};
    const struct knot k = rope_join(&own, &parent); /* 100 us after the parent's */
    assert_int_equal(k.local_ns, own.local_ns);
    assert_int_equal(k.offset_ns, 7000 + 50500 + 5);
    assert_int_equal(k.rtt_ns, 160);
    assert_int_equal(k.lo_ns, 6970 + 50450 + 5);
    assert_int_equal(k.hi_ns, 7030 + 50550 + 5);
}

static void a_held_up_knot_is_passed_over(void **state)
{
    (void)state;
    struct rope r = {0};
    rope_follow(&r, &(struct knot){1000000000, 0, 100, -50, 50});
    rope_follow(&r, &(struct knot){2000000000, 1000, 100, 950, 1050});
    rope_follow(&r, &(struct knot){3000000000, 400000, 900000, 0, 900000});
    assert_int_equal(rope_offset(&r, 3000000000), 2000);
    rope_follow(&r, &(struct knot){4000000000, 3000, 300, 2850, 3150});
    assert_int_equal(rope_offset(&r, 5000000000), 4000);
    rope_follow(&r, &(struct knot){14000000000, 300000, 900000, 0, 900000}); /* at last */
    assert_int_equal(rope_offset(&r, 14000000000), 300000);
}

/* ---- a world of nodes ---- */

#define CHECK(what) /* cmocka's own work in its own thread only */                                 \
    do {                                                                                           \
        if (!(what)) {                                                                             \
            fprintf(stderr, "%s:%d: node %d: %s\n", __FILE__, __LINE__, me, #what);                \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

enum { MOST = 13, ROOM = 64, READ_NS = 20, SEND_NS = 80, TAKE_NS = 60 };

struct message {
    char bytes[128];
    int64_t arrives;
};

struct way { /* from one node to another; unbounded for what is tested here */
    struct message waiting[ROOM];
    unsigned head, tail;
    uint64_t dice;
};

struct world {
    int nodes;
    int64_t delay_ns, uphill_ns; /* of a message; more of it to lower numbers */
    double jitter_ns;            /* mean of an exponential */
    int held;                    /* one message in so many waits 5 ms; 0: none */
    int64_t skew_ns[MOST];
    double drift[MOST];
    int reads[MOST], step_at; /* node 1's clock goes back 1 ms at that read; 0: never */
    int64_t board[MOST];      /* of add and max */
    struct way ways[MOST][MOST];
    pthread_mutex_t lock;
    pthread_cond_t news;
    pthread_barrier_t all;
};

static struct world world;
static _Thread_local int me;
static _Thread_local int64_t now; /* true time */

static double dice(uint64_t *s)
{
    *s = *s * 6364136223846793005u + 1442695040888963407u;
    return ((double)(*s >> 11) + 0.5) * 0x1p-53;
}

static int64_t clock_of(int node, int64_t t)
{
    return world.skew_ns[node] + t + (int64_t)(world.drift[node] * (double)t);
}

static int64_t read_clock(const void *of)
{
    (void)of;
    now += READ_NS;
    const bool back = world.step_at && ++world.reads[me] >= world.step_at && me == 1;
    return clock_of(me, now) - (back ? 1000000 : 0);
}

/* What a node's clock is ahead of node 0's when it shows local_ns. */
static double truth(int node, int64_t local_ns)
{
    const double t = (double)(local_ns - world.skew_ns[node]) / (1 + world.drift[node]);
    return (double)(world.skew_ns[node] - world.skew_ns[0]) +
           (world.drift[node] - world.drift[0]) * t;
}

static int64_t travel(struct way *way, int from, int to)
{
    double t = (double)world.delay_ns - world.jitter_ns * log(dice(&way->dice));
    t += to < from ? (double)world.uphill_ns : 0;
    if (world.held && dice(&way->dice) * world.held < 1)
        t += 5e6;
    return (int64_t)t;
}

static void send_bytes(int to, const void *bytes, size_t n)
{
    pthread_mutex_lock(&world.lock);
    struct way *way = &world.ways[me][to];
    struct message *m = &way->waiting[way->head++ % ROOM];
    CHECK(n <= sizeof m->bytes);
    memcpy(m->bytes, bytes, n);
    now += SEND_NS;
    m->arrives = now + travel(way, me, to);
    pthread_cond_broadcast(&world.news);
    pthread_mutex_unlock(&world.lock);
}

static void receive(int from, void *bytes, size_t n)
{
    pthread_mutex_lock(&world.lock);
    struct way *way = &world.ways[from][me];
    while (way->tail == way->head)
        pthread_cond_wait(&world.news, &world.lock);
    const struct message *m = &way->waiting[way->tail++ % ROOM];
    memcpy(bytes, m->bytes, n);
    now = (m->arrives > now ? m->arrives : now) + TAKE_NS;
    pthread_mutex_unlock(&world.lock);
}

static int rank(enum scope scope)
{
    return scope == SCOPE_ALL ? me : 0;
}

static int size(enum scope scope)
{
    return scope == SCOPE_ALL ? world.nodes : 1;
}

static int node(void)
{
    return me;
}

static int nodes(void)
{
    return world.nodes;
}

static int64_t most(enum scope scope, int64_t mine)
{
    (void)scope;
    world.board[me] = mine;
    pthread_barrier_wait(&world.all);
    for (int i = 0; i < world.nodes; i++)
        mine = world.board[i] > mine ? world.board[i] : mine;
    pthread_barrier_wait(&world.all);
    return mine;
}

static void add(enum scope scope, double *values, size_t n)
{
    CHECK(scope == SCOPE_ALL);
    for (size_t i = 0; i < n; i++) {
        world.board[me] = (int64_t)values[i];
        pthread_barrier_wait(&world.all);
        values[i] = 0;
        for (int node = 0; node < world.nodes; node++)
            values[i] += (double)world.board[node];
        pthread_barrier_wait(&world.all);
    }
}

static void share(enum scope scope, int from, void *bytes, size_t n)
{
    for (int to = 0; to < world.nodes && scope == SCOPE_ALL; to++)
        if (me == from && to != from)
            send_bytes(to, bytes, n);
        else if (me == to && to != from)
            receive(from, bytes, n);
}

static const struct ranks fake = {.name = "fake",
                                  .rank = rank,
                                  .size = size,
                                  .node = node,
                                  .nodes = nodes,
                                  .max = most,
                                  .share = share,
                                  .add = add,
                                  .send = send_bytes,
                                  .receive = receive};

/* ---- what all nodes do, and what is asked of it ---- */

enum { TIMES = 4, TIMES_MOST = TIMES + 1 };

struct seen { /* knots as the lead was handed them: [time][column][node] */
    int64_t values[TIMES_MOST][KNOTS_TABLES][MOST];
    int times;
};

static int keep(void *to, const struct rows *rows, size_t n)
{
    struct seen *seen = to;
    CHECK(me == 0);
    CHECK(n == KNOTS_TABLES);
    CHECK(seen->times < TIMES_MOST);
    for (size_t i = 0; i < n; i++)
        memcpy(seen->values[seen->times][i], rows[i].data, rows[i].nbytes);
    seen->times++;
    return 0;
}

struct later { /* of each node: an instant two tenths of a second after the last knot */
    double error_ns;
    int64_t bound_ns;
    bool torn;
};

static struct seen seen;
static struct later later[MOST];

static void *live(void *of)
{
    me = *(int *)of;
    now = 1000000000 + 777 * me;
    struct knots *knots;
    const struct knots_setting setting = {&fake, read_clock, NULL, keep, &seen};
    CHECK(knots_open(&knots, &setting) == 0);
    for (int i = 0; i < TIMES; i++) {
        CHECK(knots_take(knots) == 0);
        now += 1000000000 - 300000; /* a second, but for a little */
    }
    now -= 800000000;
    CHECK(knots_keep_up(knots) == 0); /* the last one is young: nothing */
    const int64_t root = clock_of(0, 5000000000), local = knots_local_ns(knots, root);
    later[me].error_ns = (double)(local - root) - truth(me, local);
    later[me].bound_ns = knots_bound_ns(knots);
    later[me].torn = knots_torn(knots);
    CHECK(llabs(knots_root_ns(knots, local) - root) <= 1);
    now += 2000000000;
    CHECK(knots_keep_up(knots) == 0); /* now it is old */
    knots_close(&knots);
    return NULL;
}

static void run_world(int n)
{
    pthread_t threads[MOST];
    int numbers[MOST];
    world.nodes = n;
    seen.times = 0;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++)
            world.ways[i][j] = (struct way){.dice = (uint64_t)(1000 * i + j + 1)};
    pthread_mutex_init(&world.lock, NULL);
    pthread_cond_init(&world.news, NULL);
    pthread_barrier_init(&world.all, NULL, (unsigned)n);
    for (int i = 0; i < n; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, live, &numbers[i]), 0);
    }
    for (int i = 0; i < n; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&world.all);
    assert_int_equal(seen.times, TIMES_MOST);
}

/* Clocks seconds and 50 ppm apart. */
static void set_clocks(void)
{
    for (int i = 0; i < MOST; i++) {
        world.skew_ns[i] = (i % 2 ? -1 : 1) * i * (int64_t)1234567891;
        world.drift[i] = (i % 3 - 1) * 50e-6;
    }
}

/* Errors of all knots over their round trips; the largest. */
static double worst_share(int n)
{
    double worst = 0;
    for (int t = 0; t < TIMES_MOST; t++)
        for (int i = 1; i < n; i++) {
            const int64_t *local = seen.values[t][0], *offset = seen.values[t][1];
            const int64_t rtt = seen.values[t][2][i], lo = seen.values[t][3][i];
            const double true_ns = truth(i, local[i]), error = fabs((double)offset[i] - true_ns);
            worst = fmax(worst, error / (double)rtt);
            assert_true((double)lo - 1 <= true_ns && true_ns <= (double)seen.values[t][4][i] + 1);
        }
    return worst;
}

static void any_number_of_nodes(void **state)
{
    (void)state;
    world = (struct world){.delay_ns = 300, .jitter_ns = 200};
    set_clocks();
    for (int n = 1; n <= MOST; n++) {
        run_world(n);
        assert_true(worst_share(n) < 0.25); /* alike both ways: well inside the bound of 0.5 */
        for (int i = 0; i < n; i++) {
            const int parent = knots_parent(i, n);
            assert_true(i ? parent >= 0 && parent < i : parent == -1);
            assert_true(fabs(later[i].error_ns) <= (double)later[i].bound_ns + 2);
            assert_int_equal(later[i].bound_ns, seen.values[TIMES - 1][2][i] / 2);
            assert_false(later[i].torn);
        }
    }
}

/* Nothing shows it but the round trip, and the bound holds. */
static void unlike_directions_stay_inside_the_bound(void **state)
{
    (void)state;
    world = (struct world){.delay_ns = 300, .jitter_ns = 50, .uphill_ns = 2000};
    set_clocks();
    run_world(2);
    const double share = worst_share(2);
    assert_true(share > 0.3 && share <= 0.5);
    assert_true(seen.values[0][2][1] > 2600);
}

static void held_messages_do_no_harm(void **state)
{
    (void)state;
    world = (struct world){.delay_ns = 10000, .jitter_ns = 5000, .held = 3};
    set_clocks();
    run_world(8);
    assert_true(worst_share(8) <= 0.5);
    for (int i = 1; i < 8; i++) {
        assert_true(seen.values[1][2][i] < 3 * 50000); /* three hops, none of them held */
        assert_false(later[i].torn);
    }
}

/* In the middle of the second knot; of two nodes, and of four, where it serves another. */
static void a_clock_that_goes_back_is_named(void **state)
{
    (void)state;
    for (int n = 2; n <= 4; n += 2) {
        world = (struct world){.delay_ns = 300, .jitter_ns = 200, .step_at = 90};
        set_clocks();
        run_world(n);
        assert_true(later[1].torn);
        assert_false(later[0].torn);
        assert_true(seen.values[1][3][1] > seen.values[1][4][1]); /* lo above hi */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_even_exchange_is_exact),
        cmocka_unit_test(the_quickest_counts_and_all_bound),
        cmocka_unit_test(a_step_back_is_found_and_a_drift_is_none),
        cmocka_unit_test(knots_add_up_along_a_path),
        cmocka_unit_test(a_held_up_knot_is_passed_over),
        cmocka_unit_test(any_number_of_nodes),
        cmocka_unit_test(unlike_directions_stay_inside_the_bound),
        cmocka_unit_test(held_messages_do_no_harm),
        cmocka_unit_test(a_clock_that_goes_back_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
