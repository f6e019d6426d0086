/* trace.h: one run, one file. Knows names, shapes and units; never who counted.
 *
 * Lead process only; the others hand their rows to it (team_collect).
 *
 * A run appends to a journal, PATH.part: checked records, synced by
 * trace_commit between repetitions. trace_close turns the journal into HDF5
 * under a temporary name and takes the real name last, so PATH is whole or
 * absent. trace_recover is the same step, taken later by somebody else: there
 * is one writer. Nothing here runs inside measured time, and memory does not
 * grow with the number of workers. */
#ifndef BINDOT_TRACE_H
#define BINDOT_TRACE_H

#include "drivers/table.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct trace;

struct note {               /* an attribute, as trace_label and trace_number take it */
    const char *key, *text; /* NULL: a number */
    int64_t number;
};

const char *trace_library(void); /* "1.10.8": HDF5 as it runs here */

/* Opens PATH.part. -1 and a reason (fail.h) if PATH or PATH.part exists and
 * force is false, or if the place cannot be written. */
int trace_create(struct trace **out, const char *path, bool force);

/* What a run of the same name left that did not come to its end. */
struct trace_past {
    bool there;           /* else it left nothing, and the trace is a new one */
    bool complete;        /* it did come to its end: nothing is missing */
    uint64_t repetitions; /* finished ones; 0 if complete */
};

/* Goes on with it: with its journal, or with a trace that was stopped, which becomes a
 * journal again and stays as it is until trace_close replaces it. Rows of finished
 * repetitions are there; labels, axes and tables are told again, and the new values win.
 * Until the next commit nothing is changed that trace_leave cannot undo. -1 and a reason
 * if it still goes on, cannot be read, or if journal and trace are of different runs. */
int trace_resume(struct trace **out, const char *path, struct trace_past *past);

struct trace_same {                 /* what must not differ between before and now */
    bool (*binds)(const char *key); /* labels */
    const char *const *tables;      /* without repetitions, whole; ends with NULL */
};

/* Does what was told since trace_resume fit? -1: no, and fail.h names what differs,
 * with both values. */
int trace_fits(struct trace *, const struct trace_same *);

/* From before: of a table whose first axis is repetition, [repetitions, ...] numbers,
 * nbytes in all; a number among the labels (otherwise: there is none). */
int trace_past_rows(struct trace *, const char *name, void *to, size_t nbytes);
int64_t trace_past_number(const struct trace *, const char *key, int64_t otherwise);
/* Where events go on: rows along the table's first axis, if that grows; else 0. */
size_t trace_reach(const struct trace *, const char *table);

/* Not resumed after all: everything is as it was found. Sets NULL. A run that had ended
 * but for the last step, its trace, gets that: 1; 0: nothing was to do; -1: fail.h. */
int trace_leave(struct trace **);

/* Attributes. key: "kernel" (root), "provenance/compiler" (group) or
 * "workers/bound/flag_meanings" (table). The last value given before a commit
 * wins, so a label may be brought up to date. What is no UTF-8 becomes U+FFFD.
 * The format's own stay: Conventions, format, format_version, status, repetitions. */
int trace_label(struct trace *, const char *key, const char *value);
int trace_number(struct trace *, const char *key, int64_t value);

/* An axis must be known before a table names it. length 0: it grows with the
 * rows that arrive ("repetition", "detour"). "repetition" is a table's first axis
 * or none of its axes, and as long as trace_commit last said. */
int trace_axis(struct trace *, const char *name, size_t length, const char *meaning);
int trace_table(struct trace *, const struct table *);

/* A block of one table: first[] and count[], one number per axis of it. What is
 * never given reads as missing: the largest unsigned number, -1, NaN or "".
 * TABLE_TEXT: data is the strings one after another, each ended by a zero byte. */
int trace_rows(struct trace *, const char *name, const size_t first[], const size_t count[],
               const void *data);

/* Everything so far survives a kill and a power cut. repetitions: how many are
 * whole now; rows of later ones are dropped by recovery. */
int trace_commit(struct trace *, size_t repetitions);

/* Journal to HDF5, then the real name. status: "complete" or "interrupted".
 * On failure the journal stays, and the message names it. Sets NULL. */
int trace_close(struct trace **, const char *status);

/* The finished repetitions become a trace at once, under the real name. May be called
 * while another thread adds to the trace, which goes unheard from then on. Returns how
 * many they are; 0: none, the journal is removed; -1: failed, as trace_close does. */
int64_t trace_salvage(const struct trace *, const char *status, const struct note *, size_t nnotes);

/* Give up: no trace; the journal stays if a repetition was finished, else it is
 * removed. Sets NULL. */
void trace_drop(struct trace **);

/* The journal of a killed run to a trace with status "recovered", or the run's own
 * status if it had ended. part: "x.h5.part"; the result takes the name without
 * ".part". Refuses a journal whose run still goes on, where the disk has locks. */
int trace_recover(const char *part, bool force);

#endif
