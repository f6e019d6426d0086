#include "drivers/experiments/panels.h"

#include "drivers/fail.h"
#include "drivers/memory.h"

#include <limits.h>
#include <math.h>

int panels_fit(const struct panels *p)
{
    return p->width * p->edge <= INT_MAX
               ? 0
               : fail("--panel: %zu x %zu numbers in a process are too many to hand on at once",
                      p->width, p->edge);
}

int panels_open(struct panels *p)
{
    const size_t places = (size_t)p->places, count = panels_count(p);
    const size_t own = (count + places - 1 - (size_t)p->place) / places, panel = p->width * p->edge;
    p->bytes = own * panel * sizeof(double);
    p->spare = p->places > 1 ? panel * sizeof(double) : 0;
    p->own = memory_get(p->bytes);
    p->buffer[0] = memory_get(p->spare);
    p->buffer[1] = memory_get(p->spare);
    return p->own && p->buffer[0] && p->buffer[1] ? 0 : -1;
}

void panels_close(struct panels *p)
{
    memory_free(p->own, p->bytes);
    memory_free(p->buffer[0], p->spare);
    memory_free(p->buffer[1], p->spare);
}

double panels_bytes(double n, double width, double edge, int places)
{
    const double own = ceil(ceil(n / width) / places);
    return sizeof(double) * edge * width * (own + (places > 1 ? 2 : 0));
}

static int owner(const struct panels *p, size_t panel)
{
    return (int)(panel % (size_t)p->places);
}

bool panels_mine(const struct panels *p, size_t panel)
{
    return owner(p, panel) == p->place;
}

double *panels_at(const struct panels *p, size_t panel)
{
    if (!panels_mine(p, panel))
        return p->buffer[panel % 2];
    return p->own + panel / (size_t)p->places * p->width * p->edge;
}

/* Two handovers of each direction may be under way. */
static int number(const struct panels *p, size_t panel)
{
    return (p->scope == SCOPE_ROW ? 0 : 2) + (int)(panel % 2);
}

void panels_begin(const struct panels *p, const struct ranks *ranks, size_t panel)
{
    if (p->places == 1)
        return;
    ranks->share_end(number(p, panel)); /* an owner has not waited for its last in this place */
    ranks->share_begin(number(p, panel), p->scope, owner(p, panel), panels_at(p, panel),
                       panels_width(p, panel) * p->edge);
}

void panels_need(const struct panels *p, const struct ranks *ranks, size_t panel)
{
    if (!panels_mine(p, panel))
        ranks->share_end(number(p, panel));
}

void panels_end(const struct panels *p, const struct ranks *ranks)
{
    if (p->places == 1)
        return;
    ranks->share_end(number(p, 0));
    ranks->share_end(number(p, 1));
}
