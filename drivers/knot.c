#include "drivers/knot.h"

/* Quartz is within 100 ppm: two clocks drift apart by less than this. */
static const double drift_most = 200e-6;

enum {
    HELD_UP = 3,        /* round trips so many times longer */
    BASE_NS = 50000000, /* knots nearer than this tell no drift */
};
static const int64_t alone_ns = 10000000000; /* a rope is believed so long without a knot */

static int64_t middle(const struct exchange *e)
{
    return e->sent + (e->back - e->sent) / 2;
}

static int64_t round_trip(const struct exchange *e)
{
    return (e->back - e->sent) - (e->left - e->arrived);
}

static const struct exchange *quickest(const struct exchange *all, size_t n)
{
    const struct exchange *best = all;
    for (const struct exchange *e = all; e < all + n; e++)
        if (round_trip(e) < round_trip(best))
            best = e;
    return best;
}

/* What an exchange some time away says is weaker by what clocks drift meanwhile. */
static int64_t slack(const struct exchange *e, int64_t local_ns)
{
    const int64_t apart = middle(e) - local_ns;
    return (int64_t)(drift_most * (double)(apart < 0 ? -apart : apart));
}

struct knot knot_of(const struct exchange *all, size_t n)
{
    const struct exchange *best = quickest(all, n);
    struct knot k = {.local_ns = middle(best),
                     .offset_ns = ((best->sent - best->arrived) + (best->back - best->left)) / 2,
                     .rtt_ns = round_trip(best),
                     .lo_ns = best->sent - best->arrived,
                     .hi_ns = best->back - best->left};
    for (const struct exchange *e = all; e < all + n; e++) {
        const int64_t lo = e->sent - e->arrived - slack(e, k.local_ns);
        const int64_t hi = e->back - e->left + slack(e, k.local_ns);
        k.lo_ns = lo > k.lo_ns ? lo : k.lo_ns;
        k.hi_ns = hi < k.hi_ns ? hi : k.hi_ns;
    }
    return k;
}

bool knot_is_torn(const struct knot *k)
{
    return k->lo_ns > k->hi_ns;
}

void rope_follow(struct rope *r, const struct knot *k)
{
    const bool begins = !r->first.local_ns;
    if (!begins && k->rtt_ns > HELD_UP * r->last.rtt_ns &&
        k->local_ns - r->last.local_ns < alone_ns)
        return;
    if (begins)
        r->first = *k;
    r->last = *k;
}

/* ns in a ns; 0 until it is known. Messages that were held up must not bend the rope
 * beyond belief. */
static double drift_of(const struct rope *r)
{
    const int64_t base = r->last.local_ns - r->first.local_ns;
    if (base < BASE_NS)
        return 0;
    const double drift = (double)(r->last.offset_ns - r->first.offset_ns) / (double)base;
    return drift > drift_most ? drift_most : drift < -drift_most ? -drift_most : drift;
}

int64_t rope_offset(const struct rope *r, int64_t local_ns)
{
    return r->last.offset_ns + (int64_t)(drift_of(r) * (double)(local_ns - r->last.local_ns));
}

struct knot rope_join(const struct knot *own, const struct rope *other)
{
    const int64_t beyond = rope_offset(other, own->local_ns - own->offset_ns);
    const int64_t since = beyond - other->last.offset_ns;
    return (struct knot){.local_ns = own->local_ns,
                         .offset_ns = own->offset_ns + beyond,
                         .rtt_ns = own->rtt_ns + other->last.rtt_ns,
                         .lo_ns = own->lo_ns + other->last.lo_ns + since,
                         .hi_ns = own->hi_ns + other->last.hi_ns + since};
}
