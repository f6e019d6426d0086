#include "drivers/experiments/pace.h"

#include <time.h>

struct walk { /* one worker on its way through the bins */
    const struct pace *pace;
    const struct bins *bins;
    uint64_t met, meetings;
    uint64_t next; /* tick of the next meeting */
    uint32_t owed; /* pace_twice */
};

static void block(uint64_t ns)
{
    const struct timespec span = {(time_t)(ns / 1000000000), (long)(ns % 1000000000)};
    clock_nanosleep(CLOCK_MONOTONIC, 0, &span, NULL);
}

static inline uint64_t unit(void *of)
{
    struct walk *w = of;
    const struct pace *p = w->pace;
    if (p->wait_ns) {
        if (p->lock)
            gil_drop(p->lock, p->me->row);
        block(p->wait_ns);
        if (p->lock)
            gil_take(p->lock, p->me->row);
    } else if (p->lock)
        gil_poll(p->lock, p->me->row);
    uint64_t t = clock_ticks(p->clock);
    if (pace_twice(&w->owed, p->twice))
        t = clock_ticks(p->clock);
    while (__builtin_expect(t >= w->next, 0)) {
        team_meet(p->me);
        w->met++;
        w->next =
            w->met < w->meetings ? bins_edge(w->bins, (w->met + 1) * p->sync_every) : UINT64_MAX;
        t = clock_ticks(p->clock);
    }
    return t;
}

void pace_count(const struct pace *p, struct bins *b)
{
    struct walk w = {.pace = p, .bins = b, .next = UINT64_MAX};
    if (p->sync_every)
        w.meetings = (b->nbins - 1) / p->sync_every;
    if (w.meetings)
        w.next = bins_edge(b, p->sync_every);
    if (p->lock)
        gil_take(p->lock, p->me->row);
    bins_loop(b, unit, &w, BINS_PRIVATE);
    if (p->lock)
        gil_drop(p->lock, p->me->row);
}
