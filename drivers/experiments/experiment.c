#include "drivers/experiments/experiment.h"

#include <string.h>

const struct experiment *const experiments[] = {&experiment_binning, &experiment_dot,
                                                &experiment_matmul, NULL};

const struct experiment *experiment_find(const char *name)
{
    for (const struct experiment *const *e = experiments; *e; e++)
        if (strcmp((*e)->name, name) == 0)
            return *e;
    return NULL;
}
