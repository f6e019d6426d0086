/* tasks.h: the threads of this process, those that libraries started among them,
 * and who of them worked. */
#ifndef BINDOT_TASKS_H
#define BINDOT_TASKS_H

#include <stddef.h>
#include <stdint.h>

enum { TASKS_MOST = 4096 };

struct tasks {
    size_t n;
    struct {
        int tid;
        uint64_t ns; /* CPU time so far; up to a timer tick late */
    } of[TASKS_MOST];
};

void tasks_look(struct tasks *); /* n = 0: the system does not tell */

/* Threads that used CPU time between two looks: at least a quarter of what the
 * busiest one used. Looks must be many timer ticks apart. */
int tasks_worked(const struct tasks *before, const struct tasks *after);

#endif
