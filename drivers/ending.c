#include "drivers/ending.h"

#include "drivers/fail.h"
#include "drivers/halt.h"
#include "drivers/stop.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

enum { CLOSING_S = 60 }; /* for a trace that is being made when a rank is lost */

void ending_take(struct ending *e)
{
    pthread_mutex_lock(&e->turn);
}

void ending_give(struct ending *e)
{
    pthread_mutex_unlock(&e->turn);
}

/* In one write: other processes tell of the same loss at the same moment. */
static void tell_loss(const struct ending *e, const char *who)
{
    static const char gone[] = "is gone (killed, crashed, or its node lost): all ranks end";
    const uint64_t kept = e->kept;
    const char *path = e->setup->path;
    if (kept)
        fprintf(stderr,
                "%s: %s %s; %" PRIu64
                " finished repetitions are in %s.part: bindot-serial recover %s.part\n",
                e->driver, who, gone, kept, path, path);
    else
        fprintf(stderr, "%s: %s %s; no repetition was finished\n", e->driver, who, gone);
}

/* The process ends when this returns, in the midst of anything but the making of the
 * trace: that needs nobody else, so it may come to its end. */
static void lost(void *of, const char *who)
{
    struct ending *e = of;
    struct timespec end;
    if (who)
        tell_loss(e, who);
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += CLOSING_S;
    pthread_mutex_timedlock(&e->turn, &end);
}

static void tell_stop(const struct ending *e, int64_t finished)
{
    if (finished < 0)
        fprintf(stderr, "%s: %s\n", e->driver, fail_text());
    else if (finished)
        fprintf(stderr,
                "%s: stopped inside a repetition, which is dropped; those before it, %" PRId64
                ", are in %s\n",
                e->driver, finished, e->setup->path);
    else if (e->kept) /* a resumed run that had added nothing yet */
        fprintf(stderr, "%s: stopped before another repetition was finished: %s is as it was\n",
                e->driver, e->setup->path);
    else
        fprintf(stderr, "%s: stopped before the first repetition was finished: no trace\n",
                e->driver);
}

/* On the lead: what is finished becomes the trace, and all ranks end. */
static void stop(void *of, int number)
{
    struct ending *e = of;
    const struct note notes[] = {{"stopped_by", halt_word(HALT_SIGNAL), 0},
                                 {"stop_signal", NULL, number}};
    pthread_mutex_lock(&e->turn); /* and keeps it */
    if (e->over) {
        pthread_mutex_unlock(&e->turn);
        return;
    }
    const int64_t finished =
        *e->trace ? trace_salvage(*e->trace, "interrupted", notes, sizeof notes / sizeof *notes)
                  : 0;
    tell_stop(e, finished);
    e->setup->ranks->leave(finished < 0 ? FAILED : STOPPED);
}

struct ranks_fate ending_fate(struct ending *e)
{
    return (struct ranks_fate){.of = e, .lost = lost, .stop = stop};
}

void ending_hurry(void *ending)
{
    const struct ending *e = ending;
    e->setup->ranks->hurry(stop_signal());
}
