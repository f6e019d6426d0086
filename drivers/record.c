#include "drivers/record.h"

#include "drivers/fail.h"

#include <stdlib.h>
#include <string.h>

enum { EVENT_TABLES = 32 };

struct record {
    struct team *team;
    struct trace *trace;
    struct {
        const char *name; /* tables of events and of nodes grow from here */
        size_t next;
    } events[EVENT_TABLES];
};

struct block { /* what a sink must know of the table that it fills */
    struct record *record;
    const struct rows *rows;
    uint64_t repetition;
    size_t node; /* the next one */
};

int record_open(struct record **out, struct team *team, struct trace *trace)
{
    struct record *r = calloc(1, sizeof *r);
    if (!r)
        return fail("out of memory");
    r->team = team;
    r->trace = trace;
    *out = r;
    return 0;
}

void record_close(struct record **record)
{
    free(*record);
    *record = NULL;
}

int record_declare(struct record *r, const struct rows *rows, size_t nrows)
{
    if (r->trace)
        for (size_t i = 0; i < nrows; i++)
            if (trace_table(r->trace, &rows[i].table) < 0)
                return -1;
    return 0;
}

static bool starts(const char *axes, const char *word)
{
    const size_t length = strlen(word);
    return strncmp(axes, word, length) == 0 && (axes[length] == ' ' || !axes[length]);
}

static size_t size_of(enum table_type type)
{
    static const size_t sizes[] = {[TABLE_U8] = 1,  [TABLE_I32] = 4, [TABLE_U32] = 4,
                                   [TABLE_I64] = 8, [TABLE_U64] = 8, [TABLE_F64] = 8};
    return sizes[type];
}

static size_t count_texts(const char *bytes, size_t nbytes)
{
    size_t n = 0;
    for (size_t i = 0; i < nbytes; i++)
        n += bytes[i] == '\0';
    return n;
}

static int sink_workers(void *to, size_t first, size_t nrows, const void *bytes, size_t nbytes)
{
    const struct block *b = to;
    const struct table *t = &b->rows->table;
    size_t from[3], count[3], axis = 0;
    if (starts(t->axes, "repetition")) {
        from[axis] = b->repetition;
        count[axis++] = 1;
    }
    from[axis] = first;
    count[axis++] = nrows;
    if (t->type != TABLE_TEXT && nrows && nbytes > nrows * size_of(t->type)) {
        from[axis] = 0;
        count[axis] = nbytes / size_of(t->type) / nrows;
    }
    return trace_rows(b->record->trace, t->name, from, count, bytes);
}

static size_t *next_of(struct record *r, const char *name)
{
    for (int i = 0; i < EVENT_TABLES; i++) {
        if (!r->events[i].name) {
            r->events[i].name = name;
            r->events[i].next = trace_reach(r->trace, name); /* a resumed run's go on */
        }
        if (strcmp(r->events[i].name, name) == 0)
            return &r->events[i].next;
    }
    return NULL;
}

static int write_knot(struct record *r, const struct rows *rows)
{
    const struct table *t = &rows->table;
    size_t *next = next_of(r, t->name);
    if (!next)
        return fail("record: more than %d tables that grow", EVENT_TABLES);
    const size_t from[2] = {(*next)++, 0}, count[2] = {1, rows->nbytes / size_of(t->type)};
    return trace_rows(r->trace, t->name, from, count, rows->data);
}

/* One process of each node has a row, and they come in the order of nodes. */
static int sink_nodes(void *to, size_t first, size_t nrows, const void *bytes, size_t nbytes)
{
    (void)first, (void)nrows;
    struct block *b = to;
    const size_t from[2] = {b->repetition, b->node}, count[2] = {1, 1};
    if (!nbytes)
        return 0;
    b->node++;
    return trace_rows(b->record->trace, b->rows->table.name, from, count, bytes);
}

static int sink_events(void *to, size_t first, size_t nrows, const void *bytes, size_t nbytes)
{
    (void)first, (void)nrows;
    const struct block *b = to;
    const struct table *t = &b->rows->table;
    const size_t n = t->type == TABLE_TEXT ? count_texts(bytes, nbytes) : nbytes / size_of(t->type);
    if (!n)
        return 0;
    size_t *next = next_of(b->record, t->name);
    if (!next)
        return fail("record: more than %d tables that grow", EVENT_TABLES);
    const size_t from = *next;
    *next += n;
    return trace_rows(b->record->trace, t->name, &from, &n, bytes);
}

int record_rows(struct record *r, uint64_t repetition, const struct rows *rows, size_t nrows)
{
    int status = 0; /* the lead may fail alone; it stays in step and the caller agrees */
    for (size_t i = 0; i < nrows; i++) {
        const struct table *t = &rows[i].table;
        const size_t from = repetition, one = 1;
        if (strcmp(t->axes, "repetition") == 0) {
            if (r->trace && trace_rows(r->trace, t->name, &from, &one, rows[i].data) < 0)
                status = -1;
            continue;
        }
        if (strcmp(t->axes, "knot node") == 0) {
            if (r->trace && write_knot(r, &rows[i]) < 0)
                status = -1;
            continue;
        }
        struct block block = {r, &rows[i], repetition, 0};
        team_sink *sink = strcmp(t->axes, "repetition node") == 0 ? sink_nodes
                          : starts(t->axes, "repetition") || starts(t->axes, "worker")
                              ? sink_workers
                              : sink_events;
        if (team_collect(r->team, rows[i].data, rows[i].nbytes, sink, &block) < 0)
            return -1; /* everywhere */
    }
    return status;
}
