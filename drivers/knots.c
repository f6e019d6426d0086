#include "drivers/knots.h"

#include "drivers/fail.h"
#include "drivers/knot.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    EXCHANGES = 30,       /* more than 20 improve nothing (facts measured on two paths) */
    FEWEST = 5,           /* where messages are slow ... */
    ENOUGH_NS = 10000000, /* ... this long is long enough */
    EVERY_NS = 1000000000
};

struct shared { /* of a node: its first process ties, the others are told */
    struct rope rope;
    struct knot knot; /* the newest */
    bool torn;        /* sticks */
};

struct knots {
    struct knots_setting with;
    int node, nodes;
    int *leads; /* [nodes] rank of each node's first process */
    struct shared here;
    int64_t *columns; /* lead: [KNOTS_TABLES, nodes] */
    struct rows tables[KNOTS_TABLES];
};

enum column { LOCAL, OFFSET, RTT, LO, HI };
#define KNOT "knot node", TABLE_I64, "ns"
static const struct table columns[KNOTS_TABLES] = {
    {"/clock/local_ns", KNOT, "when the node was compared with node 0, by its own clock"},
    {"/clock/offset_ns", KNOT, "its clock less that of node 0"},
    {"/clock/rtt_min_ns", KNOT,
     "quickest round trips, summed along the path to node 0: the offset errs by half of it at "
     "most"},
    {"/clock/lo_ns", KNOT, "the offset is not below this, by all messages"},
    {"/clock/hi_ns", KNOT, "the offset is not above this; below lo_ns: a broken clock"},
};

/* found: [nodes] zeros. One word for each node, none for each rank. */
static void find_leads(struct knots *k, double *found)
{
    const struct ranks *ranks = k->with.ranks;
    if (ranks->rank(SCOPE_NODE) == 0)
        found[k->node] = ranks->rank(SCOPE_ALL);
    ranks->add(SCOPE_ALL, found, (size_t)k->nodes);
    for (int node = 0; node < k->nodes; node++)
        k->leads[node] = (int)found[node];
}

static void describe(struct knots *k)
{
    const size_t nodes = (size_t)k->nodes;
    for (size_t i = 0; i < KNOTS_TABLES; i++)
        k->tables[i] =
            (struct rows){columns[i], k->columns + i * nodes, nodes * sizeof *k->columns};
}

int knots_open(struct knots **out, const struct knots_setting *with)
{
    const struct ranks *ranks = with->ranks;
    const size_t nodes = (size_t)ranks->nodes();
    struct knots *k = calloc(1, sizeof *k);
    double *found = calloc(nodes, sizeof *found);
    *out = k;
    if (k) {
        k->leads = calloc(nodes, sizeof *k->leads);
        k->columns = calloc(KNOTS_TABLES * nodes, sizeof *k->columns);
    }
    const bool poor = !k || !found || !k->leads || !k->columns;
    if (ranks->max(SCOPE_ALL, poor)) {
        free(found);
        return poor ? fail("out of memory for %zu nodes", nodes) : -1;
    }
    assert(!poor);
    k->with = *with;
    k->node = ranks->node();
    k->nodes = (int)nodes;
    find_leads(k, found);
    free(found);
    describe(k);
    return 0;
}

void knots_close(struct knots **knots)
{
    struct knots *k = *knots;
    if (!k)
        return;
    free(k->leads);
    free(k->columns);
    free(k);
    *knots = NULL;
}

static int64_t now(const struct knots *k)
{
    return k->with.now_ns(k->with.of);
}

/* The one that knows answers as long as it is asked. */
static void serve(const struct knots *k, int node)
{
    const struct ranks *ranks = k->with.ranks;
    const int child = k->leads[node];
    for (bool more = true; more;) {
        int64_t stamps[2];
        ranks->receive(child, &more, sizeof more);
        stamps[0] = now(k);
        stamps[1] = now(k);
        ranks->send(child, stamps, sizeof stamps);
    }
    const struct rope told = {k->here.rope.first, k->here.knot};
    ranks->send(child, &told, sizeof told);
}

static void ask(struct knots *k, int node)
{
    const struct ranks *ranks = k->with.ranks;
    const int parent = k->leads[node];
    struct exchange all[EXCHANGES];
    size_t n = 0;
    for (bool more = true; more; n++) {
        struct exchange *e = &all[n];
        int64_t stamps[2];
        e->sent = now(k);
        more = n + 1 < EXCHANGES && (n + 1 < FEWEST || e->sent - all[0].sent < ENOUGH_NS);
        ranks->send(parent, &more, sizeof more);
        ranks->receive(parent, stamps, sizeof stamps);
        e->back = now(k);
        e->arrived = stamps[0];
        e->left = stamps[1];
    }
    struct rope other;
    ranks->receive(parent, &other, sizeof other);
    const struct knot own = knot_of(all, n);
    k->here.torn |= knot_is_torn(&own);
    k->here.knot = rope_join(&own, &other);
}

static int top_of(int nodes)
{
    int top = 1;
    while (2 * top <= nodes)
        top *= 2;
    return top;
}

int knots_parent(int node, int nodes)
{
    const int top = top_of(nodes);
    return node == 0 ? -1 : node >= top ? node - top : node & (node - 1);
}

/* The first process of each node. */
static void tie(struct knots *k)
{
    const int top = top_of(k->nodes), node = k->node;
    if (node == 0)
        k->here.knot = (struct knot){.local_ns = now(k)};
    for (int run = top; run > 1 && node < top; run /= 2) {
        if (node % run == 0)
            serve(k, node + run / 2);
        else if (node % run == run / 2)
            ask(k, node - run / 2);
    }
    if (node >= top)
        ask(k, node - top);
    else if (node + top < k->nodes)
        serve(k, node + top);
}

/* All knots to the lead, which is node 0's first process. */
static void gather(struct knots *k)
{
    const struct ranks *ranks = k->with.ranks;
    struct knot knot = k->here.knot;
    if (k->node != 0) {
        ranks->send(k->leads[0], &knot, sizeof knot);
        return;
    }
    for (int node = 0; node < k->nodes; node++) {
        if (node > 0)
            ranks->receive(k->leads[node], &knot, sizeof knot);
        const int64_t values[KNOTS_TABLES] = {[LOCAL] = knot.local_ns,
                                              [OFFSET] = knot.offset_ns,
                                              [RTT] = knot.rtt_ns,
                                              [LO] = knot.lo_ns,
                                              [HI] = knot.hi_ns};
        for (int c = 0; c < KNOTS_TABLES; c++)
            k->columns[c * k->nodes + node] = values[c];
    }
}

int knots_take(struct knots *k)
{
    const struct ranks *ranks = k->with.ranks;
    if (ranks->rank(SCOPE_NODE) == 0) {
        tie(k);
        rope_follow(&k->here.rope, &k->here.knot);
        gather(k);
    }
    ranks->share(SCOPE_NODE, 0, &k->here, sizeof k->here);
    return ranks->rank(SCOPE_ALL) == k->leads[0] ? k->with.keep(k->with.to, k->tables, KNOTS_TABLES)
                                                 : 0;
}

int knots_keep_up(struct knots *k)
{
    bool old = now(k) - k->here.knot.local_ns >= EVERY_NS;
    k->with.ranks->share(SCOPE_ALL, k->leads[0], &old, sizeof old);
    return old ? knots_take(k) : 0;
}

int64_t knots_root_ns(const struct knots *k, int64_t local_ns)
{
    return local_ns - rope_offset(&k->here.rope, local_ns);
}

/* The offset hardly changes with time: two steps are exact to a ns. */
int64_t knots_local_ns(const struct knots *k, int64_t root_ns)
{
    int64_t local_ns = root_ns + k->here.rope.last.offset_ns;
    for (int step = 0; step < 2; step++)
        local_ns = root_ns + rope_offset(&k->here.rope, local_ns);
    return local_ns;
}

int64_t knots_bound_ns(const struct knots *k)
{
    return k->here.rope.last.rtt_ns / 2;
}

bool knots_torn(const struct knots *k)
{
    return k->here.torn;
}

size_t knots_tables(struct knots *k, const struct rows **out)
{
    *out = k->tables;
    return KNOTS_TABLES;
}
