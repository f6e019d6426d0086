/* stop.h: a wish to end comes as a signal. SIGUSR1: after this repetition; the run
 * looks for it between repetitions. SIGTERM and SIGINT: now; who sends them may soon
 * kill, so a repetition that does not end in STOP_PATIENCE_MS is not waited for. */
#ifndef BINDOT_STOP_H
#define BINDOT_STOP_H

enum { STOP_PATIENCE_MS = 250 };

/* From now on signals are noted. late(of): the patience is over; called in a thread
 * that sleeps until a signal comes. -1: fail.h. */
int stop_listen(void (*late)(void *of), void *of);
int stop_signal(void); /* the last that came, or 0 */

#endif
