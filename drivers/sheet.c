#include "drivers/sheet.h"

#include "drivers/fail.h"

#include <stdlib.h>

/* The columns of workers, [rows], and of the node; all int64. */
enum column {
    START,
    LATE,
    END,
    COMPUTE,
    WAIT,
    COMBINE,
    UNITS,
    CPU_TIME,
    FAULTS,
    VOLUNTARY,
    INVOLUNTARY,
    MIGRATIONS,
    FINDINGS,
    NCOLUMNS
};
enum node_column { BUSY, STEAL, INTERRUPTS, SWITCHES, THROTTLED, NNODE };
_Static_assert(NCOLUMNS + NNODE == SHEET_TABLES, "a table for each column");

#define WORKER "repetition worker", TABLE_I64
#define NODE   "repetition node", TABLE_I64
static const struct table columns[NCOLUMNS] = {
    {"/start_ns", WORKER, "ns", "start of the repetition, the node's monotonic clock"},
    {"/late_ns", WORKER, "ns", "start after the instant that was agreed for all workers"},
    {"/end_ns", WORKER, "ns", "end of the repetition, the node's monotonic clock"},
    {"/compute_ns", WORKER, "ns", "in the kernel"},
    {"/wait_ns", WORKER, "ns", "waiting for the others: until they finished, or for what they hand on"},
    {"/combine_ns", WORKER, "ns", "combining the workers' results, or handing on what they need"},
    {"/units", WORKER, "1", "units of work done"},
    {"/workers/cpu_time_ns", WORKER, "ns", "CPU time (of the process where it has one worker)"},
    {"/workers/minor_faults", WORKER, "1", "page faults in measured time"},
    {"/workers/voluntary_switches", WORKER, "1", "times it gave up its CPU"},
    {"/workers/involuntary_switches", WORKER, "1", "times it was taken off its CPU"},
    {"/workers/migrations", WORKER, "1", "changes of CPU between looks (a lower bound)"},
    {"/workers/findings", WORKER, "1", "what the gate saw; attribute bits says what each means"},
};
static const struct table node_columns[NNODE] = {
    {"/nodes/busy_ns", NODE, "ns", "CPU time used by everybody, around the repetition"},
    {"/nodes/steal_ns", NODE, "ns", "CPU time taken by the hypervisor"},
    {"/nodes/interrupts", NODE, "1", "interrupts, all CPUs"},
    {"/nodes/context_switches", NODE, "1", "context switches, all CPUs"},
    {"/nodes/throttled", NODE, "1", "times that the control group's quota ran out"},
};

struct sheet {
    int rows;
    struct stamp *stamps; /* [rows] */
    int64_t *values;      /* [NCOLUMNS, rows] */
    int64_t node[NNODE];  /* difference of two looks; -1: not to be seen */
    bool reports;
    uint64_t *found; /* [rows, GATE_NFINDINGS] repetitions so far */
};

int sheet_open(struct sheet **out, int rows)
{
    struct sheet *s = calloc(1, sizeof *s);
    *out = s;
    if (!s)
        return fail("out of memory");
    const size_t n = (size_t)rows;
    s->rows = rows;
    s->stamps = aligned_alloc(_Alignof(struct stamp), n * sizeof *s->stamps);
    s->values = calloc(NCOLUMNS * n, sizeof *s->values);
    s->found = calloc(GATE_NFINDINGS * n, sizeof *s->found);
    return s->stamps && s->values && s->found ? 0 : fail("out of memory for %d workers", rows);
}

void sheet_close(struct sheet **sheet)
{
    struct sheet *s = *sheet;
    if (!s)
        return;
    free(s->stamps);
    free(s->values);
    free(s->found);
    free(s);
    *sheet = NULL;
}

struct stamp *sheet_stamp(struct sheet *s, int row)
{
    return &s->stamps[row];
}

void sheet_look(struct sheet *s, bool reports, struct node_look before, struct node_look after)
{
    const int64_t pairs[NNODE][2] = {[BUSY] = {before.busy_ns, after.busy_ns},
                                     [STEAL] = {before.steal_ns, after.steal_ns},
                                     [INTERRUPTS] = {before.interrupts, after.interrupts},
                                     [SWITCHES] = {before.switches, after.switches},
                                     [THROTTLED] = {before.throttled, after.throttled}};
    for (int i = 0; i < NNODE; i++)
        s->node[i] = pairs[i][0] < 0 ? -1 : pairs[i][1] - pairs[i][0];
    s->reports = reports;
}

static void fill_row(struct sheet *s, int row, const struct clock *clock, int64_t late_ns,
                     uint32_t findings)
{
    const struct stamp *t = &s->stamps[row];
    const int64_t values[NCOLUMNS] = {[START] = clock_ns(clock, t->start),
                                      [LATE] = late_ns,
                                      [END] = clock_ns(clock, t->end),
                                      [COMPUTE] = clock_span_ns(clock, t->compute),
                                      [WAIT] = clock_span_ns(clock, t->wait),
                                      [COMBINE] = clock_span_ns(clock, t->combine),
                                      [UNITS] = (int64_t)t->units,
                                      [CPU_TIME] = t->used.cpu_time_ns,
                                      [FAULTS] = t->used.minor_faults,
                                      [VOLUNTARY] = t->used.voluntary,
                                      [INVOLUNTARY] = t->used.involuntary,
                                      [MIGRATIONS] = t->migrations,
                                      [FINDINGS] = findings};
    for (int c = 0; c < NCOLUMNS; c++)
        s->values[c * s->rows + row] = values[c];
    for (int i = 0; i < GATE_NFINDINGS; i++)
        s->found[row * GATE_NFINDINGS + i] += findings >> i & 1;
}

void sheet_fill(struct sheet *s, const struct clock *clock, uint64_t due, int64_t tolerance_ns,
                const uint32_t *findings, uint32_t more)
{
    for (int row = 0; row < s->rows; row++) {
        const struct stamp *t = &s->stamps[row];
        const struct gate_seen seen = {.late_ns = clock_span_ns(clock, t->start - due),
                                       .tolerance_ns = tolerance_ns,
                                       .workless = t->workless,
                                       .migrations = t->migrations,
                                       .minor_faults = t->used.minor_faults,
                                       .involuntary = t->used.involuntary,
                                       .throttled = s->node[THROTTLED]};
        fill_row(s, row, clock, seen.late_ns, findings[row] | more | gate_repetition(&seen));
    }
}

uint64_t sheet_units(const struct sheet *s)
{
    uint64_t units = 0;
    for (int row = 0; row < s->rows; row++)
        units += s->stamps[row].units;
    return units;
}

void sheet_span(const struct sheet *s, uint64_t due, int64_t *first, int64_t *last)
{
    *first = INT64_MAX;
    *last = INT64_MIN;
    for (int row = 0; row < s->rows; row++) {
        const int64_t start = (int64_t)(s->stamps[row].start - due);
        const int64_t end = (int64_t)(s->stamps[row].end - due);
        *first = start < *first ? start : *first;
        *last = end > *last ? end : *last;
    }
}

void sheet_carry(struct sheet *s, const uint64_t *found, int first)
{
    for (int i = 0; i < s->rows * GATE_NFINDINGS; i++)
        s->found[i] += found[first * GATE_NFINDINGS + i];
}

size_t sheet_tables(struct sheet *s, struct rows *out)
{
    const size_t bytes = (size_t)s->rows * sizeof *s->values;
    for (int c = 0; c < NCOLUMNS; c++)
        *out++ = (struct rows){columns[c], s->values + c * s->rows, bytes};
    for (int i = 0; i < NNODE; i++)
        *out++ = (struct rows){node_columns[i], &s->node[i], s->reports ? sizeof s->node[i] : 0};
    return SHEET_TABLES;
}

void sheet_findings(const struct sheet *s, int i, uint64_t *sum, uint64_t *most)
{
    *sum = *most = 0;
    for (int row = 0; row < s->rows; row++) {
        const uint64_t n = s->found[row * GATE_NFINDINGS + i];
        *sum += n;
        *most = n > *most ? n : *most;
    }
}
