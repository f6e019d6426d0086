/* record.h: rows from all processes to the lead's trace. Knows tables and the
 * team, not what the numbers are. Collective, like the team. */
#ifndef BINDOT_RECORD_H
#define BINDOT_RECORD_H

#include "drivers/table.h"
#include "drivers/team/team.h"
#include "drivers/trace/trace.h"

#include <stddef.h>
#include <stdint.h>

struct record;

/* trace: the lead's; NULL on the others. */
int record_open(struct record **out, struct team *, struct trace *trace);
void record_close(struct record **); /* sets NULL; the trace is the caller's */

/* Lead: makes the tables known. Others: nothing. */
int record_declare(struct record *, const struct rows *, size_t nrows);
/* Brings them over. repetition: for tables that have that axis. */
int record_rows(struct record *, uint64_t repetition, const struct rows *, size_t nrows);

#endif
