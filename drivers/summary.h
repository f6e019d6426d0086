/* summary.h: a few lines on the terminal when a run is over. */
#ifndef BINDOT_SUMMARY_H
#define BINDOT_SUMMARY_H

#include "drivers/describe.h"
#include "drivers/measure.h"

#include <stdio.h>

void summary_print(FILE *, const struct setup *, int workers, const struct measure_outcome *,
                   const struct verdict *);

#endif
