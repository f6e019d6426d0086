/* record.h: rows from all processes to the lead's trace. Knows tables and the
 * team, not what the numbers are. Collective, like the team.
 *
 * One file, written by the lead alone, however many processes there are: after each
 * repetition, outside measured time, it asks them one by one and writes what comes
 * to its journal. So no memory grows with their number. A process holds its own rows;
 * the lead holds one other process's beside them (team_collect), the offset of each
 * table that grows, and for each NODE some words (a row of the knots); nobody holds
 * anything for each process. At the end the journal becomes HDF5 record by record
 * (trace_hdf5.c), through caches of a row of chunks: 64 workers, 64 MiB at most.
 *
 * Gathering all on the lead costs it the whole trace, and its counts overflow int at
 * 128,000 workers; writing collectively costs every process its share of the buffers
 * that the MPI library gathers in, 30 to 60 times as much in all at 64 processes, and
 * takes three times as long. What a single writer costs is time at the end, some 8 s
 * a GiB of raw counts where they compress well. One file for each node would share
 * that among nodes; and a trace in a thousand files can lose one. A repetition is
 * saved when the lead has it, and a trace is one file: that was worth more. */
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
