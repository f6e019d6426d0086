/* ending.h: how a run ends that does not come to its own end: a rank is lost, or
 * somebody cannot wait. What is called from outside comes in threads of its own,
 * while the run's thread may be anywhere, even where it will never come back from. */
#ifndef BINDOT_ENDING_H
#define BINDOT_ENDING_H

#include "drivers/describe.h"
#include "drivers/team/ranks.h"
#include "drivers/trace/trace.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

enum { DONE, FAILED, USAGE, INVALID, STOPPED }; /* exit status */

struct ending {
    const char *driver;
    const struct setup *setup;
    struct trace *const *trace; /* the lead's; NULL where there is none, or none yet */
    atomic_uint_least64_t kept; /* repetitions that are surely in the journal */
    pthread_mutex_t turn;       /* who makes the trace, or ends the process */
    bool over;                  /* there is no trace any more; under turn */
};
#define ENDING(driver, setup, trace)                                                               \
    {                                                                                              \
        (driver), (setup), (trace), 0, PTHREAD_MUTEX_INITIALIZER, false                            \
    }

/* The run's own thread: between these two nobody else makes or ends a trace. The
 * first one does not return if another thread is about to end the process. */
void ending_take(struct ending *);
void ending_give(struct ending *);

/* What the ranks are to call (ranks.h), and stop.h where nobody can wait. */
struct ranks_fate ending_fate(struct ending *);
void ending_hurry(void *ending);

#endif
