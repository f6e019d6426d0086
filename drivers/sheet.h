/* sheet.h: what a repetition leaves behind on this process: stamps of its workers,
 * looks at its node, and the columns of a trace made of them. No clock is read and
 * nobody is waited for here. */
#ifndef BINDOT_SHEET_H
#define BINDOT_SHEET_H

#include "drivers/clock.h"
#include "drivers/gate.h"
#include "drivers/node.h"
#include "drivers/table.h"
#include "drivers/usage.h"

#include <stdbool.h>
#include <stdint.h>

struct stamp { /* one worker's repetition, on a cache line of its own */
    _Alignas(128) uint64_t start, end, compute, wait, combine; /* ticks */
    struct usage used;
    int64_t migrations;
    uint64_t units;
    bool workless; /* none to do */
    int status;
};

struct sheet;

enum { SHEET_TABLES = 18 };

int sheet_open(struct sheet **out, int rows); /* -1: fail.h */
void sheet_close(struct sheet **);            /* sets NULL */
struct stamp *sheet_stamp(struct sheet *, int row);

/* The node's first process reports for it: looks before and after the repetition. */
void sheet_look(struct sheet *, bool reports, struct node_look before, struct node_look after);

/* Stamps to columns. due: the agreed start; tolerance_ns: later than that is late;
 * findings: [rows] of the whole run; more: of all rows in this repetition. */
void sheet_fill(struct sheet *, const struct clock *, uint64_t due, int64_t tolerance_ns,
                const uint32_t *findings, uint32_t more);

uint64_t sheet_units(const struct sheet *);
/* Ticks from `due` to the first start and the last end. */
void sheet_span(const struct sheet *, uint64_t due, int64_t *first, int64_t *last);

/* out: room for SHEET_TABLES. */
size_t sheet_tables(struct sheet *, struct rows *out);

/* found: [workers, GATE_NFINDINGS] repetitions of before, of all workers; this process's
 * first one is number `first`. */
void sheet_carry(struct sheet *, const uint64_t *found, int first);

/* Findings so far: worker-repetitions that had bit i, the most in one worker. */
void sheet_findings(const struct sheet *, int i, uint64_t *sum, uint64_t *most);

#endif
