#include "drivers/experiments/gil.h"

#include "drivers/fail.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

enum { NOBODY = -1 };

struct gil_rest {
    pthread_mutex_t mutex;
    pthread_cond_t freed, switched;
    bool locked;
    int last;          /* who had it last */
    uint64_t switches; /* times that it came to somebody else */
    uint64_t interval_ns;
};

int gil_open(struct gil *g, uint64_t interval_ns)
{
    pthread_condattr_t monotonic;
    g->rest = calloc(1, sizeof *g->rest);
    if (!g->rest)
        return fail("out of memory");
    atomic_init(&g->asked, false);
    g->rest->last = NOBODY;
    g->rest->interval_ns = interval_ns;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&g->rest->mutex, NULL);
    pthread_cond_init(&g->rest->freed, &monotonic);
    pthread_cond_init(&g->rest->switched, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return 0;
}

void gil_close(struct gil *g)
{
    if (!g->rest)
        return;
    pthread_cond_destroy(&g->rest->switched);
    pthread_cond_destroy(&g->rest->freed);
    pthread_mutex_destroy(&g->rest->mutex);
    free(g->rest);
    g->rest = NULL;
}

static struct timespec after(uint64_t ns)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    ns += (uint64_t)t.tv_nsec;
    t.tv_sec += (time_t)(ns / 1000000000);
    t.tv_nsec = (long)(ns % 1000000000);
    return t;
}

void gil_take(struct gil *g, int worker)
{
    struct gil_rest *r = g->rest;
    pthread_mutex_lock(&r->mutex);
    while (r->locked) {
        const uint64_t switches = r->switches;
        const struct timespec until = after(r->interval_ns);
        const int late = pthread_cond_timedwait(&r->freed, &r->mutex, &until) == ETIMEDOUT;
        if (late && r->locked && r->switches == switches)
            atomic_store_explicit(&g->asked, true, memory_order_relaxed);
    }
    r->locked = true;
    if (r->last != worker) {
        r->last = worker;
        r->switches++;
    }
    pthread_cond_signal(&r->switched);
    atomic_store_explicit(&g->asked, false, memory_order_relaxed);
    pthread_mutex_unlock(&r->mutex);
}

void gil_drop(struct gil *g, int worker)
{
    struct gil_rest *r = g->rest;
    pthread_mutex_lock(&r->mutex);
    const bool asked = atomic_load_explicit(&g->asked, memory_order_relaxed);
    r->locked = false;
    pthread_cond_signal(&r->freed);
    while (asked && r->last == worker) /* or the dropper could win it back at once */
        pthread_cond_wait(&r->switched, &r->mutex);
    pthread_mutex_unlock(&r->mutex);
}
