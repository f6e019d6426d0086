/* app.h: the order of the day, the same for the four drivers. */
#ifndef BINDOT_APP_H
#define BINDOT_APP_H

#include "drivers/team/ranks.h"
#include "drivers/team/threads.h"

/* The whole program; returns its exit status. */
int app_run(const char *layout, const struct ranks *, const struct threads *, int argc,
            char **argv);

#endif
