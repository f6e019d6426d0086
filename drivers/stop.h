/* stop.h: signals that ask for an early end: SIGTERM, SIGINT, SIGUSR1. The
 * handler only notes the number; the loop looks at it between repetitions. */
#ifndef BINDOT_STOP_H
#define BINDOT_STOP_H

void stop_listen(void);
int stop_signal(void); /* 0: none came */

#endif
