#include "drivers/clocks.h"

#include "drivers/fail.h"
#include "drivers/knots.h"

#include <string.h>

enum { BASE_NS = 50000000 }; /* shortest base line of the clock's rate */

/* On purpose a machine may also count as several nodes (inject.h). */
static void split_nodes(const struct clocks *c, const struct params *p, const struct ranks *ranks)
{
    const uint64_t here = (uint64_t)ranks->rank(SCOPE_MACHINE);
    const struct {
        struct domain domain;
        uint64_t part;
    } key = {c->domain, p->inject.nodes * here / (uint64_t)ranks->size(SCOPE_MACHINE)};
    ranks->split(&key, sizeof key);
}

void clocks_open(struct clocks *c, const struct params *p, const struct ranks *ranks)
{
    memset(c, 0, sizeof *c);
    clock_open(&c->clock, (enum clock_choice)p->clock);
    domain_look(&c->domain, &c->clock);
    split_nodes(c, p, ranks);
}

int clocks_check(const struct clocks *c, const struct params *p, const struct ranks *ranks)
{
    const struct inject *fault = &p->inject;
    const int mates = ranks->size(SCOPE_MACHINE), nodes = ranks->nodes();
    if (p->clock == CLOCK_COUNTER && !c->clock.counter)
        return fail("--clock counter: %s", c->clock.why);
    if (fault->nodes > (uint64_t)mates)
        return fail("--inject nodes: a machine has only %d process%s", mates,
                    mates > 1 ? "es" : "");
    for (int i = 0; i < fault->nclocks; i++)
        if (fault->clocks[i].node >= (uint64_t)nodes)
            return fail("--inject skew, drift: there are nodes 0 to %d", nodes - 1);
    return 0;
}

void clocks_set(struct clocks *c, const struct params *p, const struct ranks *ranks)
{
    int64_t skew_ns = 0;
    double drift = 0;
    for (int i = 0; i < p->inject.nclocks; i++)
        if (p->inject.clocks[i].node == (uint64_t)ranks->node()) {
            skew_ns += p->inject.clocks[i].skew_ns;
            drift += p->inject.clocks[i].drift;
        }
    clock_calibrate(&c->clock, BASE_NS);
    clock_bend(&c->clock, skew_ns, drift);
    ranks->share(SCOPE_NODE, 0, &c->clock, sizeof c->clock);
    c->origin = c->clock.from.tick;
    c->origin_ns = clock_ns(&c->clock, c->origin);
    c->parent = knots_parent(ranks->node(), ranks->nodes());
}

size_t clocks_tables(struct clocks *c, const struct ranks *ranks, const struct rows **out)
{
    const bool speaks = ranks->rank(SCOPE_NODE) == 0;
    const struct rows tables[CLOCKS_TABLES] = {
        {{"/nodes/boot_id", "node", TABLE_TEXT, "", "its kernel's number for this boot"},
         c->domain.boot,
         strlen(c->domain.boot) + 1},
        {{"/nodes/clock_source", "node", TABLE_TEXT, "", "what its ticks are read from"},
         c->domain.source,
         strlen(c->domain.source) + 1},
        {{"/nodes/clock_shift_ns", "node", TABLE_I64, "ns",
          "by which a time namespace shifts its monotonic clocks"},
         &c->domain.shift_ns,
         sizeof c->domain.shift_ns},
        {{"/nodes/clock_origin_tick", "node", TABLE_U64, "1", "a tick of its clock"},
         &c->origin,
         sizeof c->origin},
        {{"/nodes/clock_origin_ns", "node", TABLE_I64, "ns", "time of that tick"},
         &c->origin_ns,
         sizeof c->origin_ns},
        {{"/nodes/ns_per_tick", "node", TABLE_F64, "ns",
          "time = clock_origin_ns + (tick - clock_origin_tick) * ns_per_tick"},
         &c->clock.ns_per_tick,
         sizeof c->clock.ns_per_tick},
        {{"/nodes/clock_parent", "node", TABLE_I32, "",
          "node that its clock is compared with; -1: it is the one for all"},
         &c->parent,
         sizeof c->parent}};
    memcpy(c->tables, tables, sizeof tables);
    for (size_t i = 0; i < CLOCKS_TABLES && !speaks; i++)
        c->tables[i].nbytes = 0;
    *out = c->tables;
    return CLOCKS_TABLES;
}
