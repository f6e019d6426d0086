/* A run that goes on: what is there of it, and does it fit what is told now? Before and
 * now are two stretches of one journal, so both are read alike. */
#include "drivers/fail.h"
#include "drivers/trace/journal.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- what is there ---- */

/* What was read goes on being written: what grew, grows again. */
static int past_take(struct trace *t)
{
    layout_free(&t->layout);
    if (journal_read(&t->past, t->part, t->fd, false) < 0)
        return -1;
    t->layout = t->past.layout;
    t->past.layout = (struct layout){0};
    for (size_t i = 0; i < t->layout.naxes; i++)
        t->layout.axes[i].grows |= is_repetition(&t->layout.axes[i]);
    t->size = t->past.end;
    t->repetitions = t->past.repetitions;
    if (ftruncate(t->fd, (off_t)t->size) < 0 || lseek(t->fd, 0, SEEK_END) < 0)
        return fail("trace: cannot write %s: %s", t->part, strerror(errno));
    return 0;
}

static const struct label *label_find(const struct journal *j, const char *key)
{
    for (size_t i = 0; i < j->nlabels; i++)
        if (!strcmp(j->labels[i].key, key))
            return &j->labels[i];
    return NULL;
}

/* A journal beside a trace is that of a run that went on with it, or has nothing to do
 * with it: then only the user knows which of them to keep. */
static int same_run(const struct trace *t, const struct peek *peek)
{
    const struct label *id = label_find(&t->past, "run_id");
    return id && id->text && !strcmp(id->text, peek->run_id)
               ? 0
               : fail("trace: %s and %s are of different runs: move one of them away", t->path,
                      t->part);
}

static int journal_go_on(struct trace *t, const struct peek *peek)
{
    t->committed = true;
    t->force = peek;
    return past_take(t) < 0 || (peek && same_run(t, peek) < 0) ? -1 : 0;
}

/* The trace stays until the new one takes its place; what is in the journal is in it. */
static int trace_go_on(struct trace *t, const struct peek *peek)
{
    t->force = t->imported = true;
    int r = part_begin(t);
    if (!r)
        r = trace_import(t, !peek->complete);
    t->committed = false;
    if (!r)
        r = past_take(t);
    if (r < 0)
        unlink(t->part);
    return r;
}

/* 1: a journal with finished repetitions; 0: none. */
static int journal_there(const struct trace *t)
{
    struct journal j = {0};
    struct stat info;
    if (fstat(t->fd, &info) < 0)
        return fail("trace: cannot read %s: %s", t->part, strerror(errno));
    if ((size_t)info.st_size < sizeof preamble)
        return 0;
    int r = journal_look(&j, t->part, t->fd);
    r = r > 0 ? j.repetitions > 0 : r;
    journal_free(&j);
    return r;
}

static int past_find(struct trace *t, struct trace_past *past)
{
    struct peek peek = {0};
    struct stat info;
    const bool named = !lstat(t->path, &info);
    const int there = journal_there(t);
    if (there < 0 || (named && trace_peek(t->path, &peek) < 0))
        return -1;
    past->there = there || named;
    if (!past->there)
        return part_begin(t);
    if ((there ? journal_go_on(t, named ? &peek : NULL) : trace_go_on(t, &peek)) < 0)
        return -1;
    past->complete = there ? !strcmp(t->past.status, "complete") : peek.complete;
    past->repetitions = t->past.repetitions;
    return 0;
}

/* The journal that has the name when it is ours: who was ending may have taken it away. */
static int journal_open(struct trace *t)
{
    enum { PATIENCE_S = 3, TRIES = 10 };
    for (int i = 0; i < TRIES; i++) {
        if (part_open(t, false, PATIENCE_S) < 0)
            return -1;
        if (same_file(t->fd, t->part))
            return 0;
        close(t->fd);
        t->fd = -1;
    }
    return fail("trace: %s belongs to another run by now", t->part);
}

int trace_resume(struct trace **out, const char *path, struct trace_past *past)
{
    struct stat info;
    *past = (struct trace_past){0};
    *out = NULL;
    if (!lstat(path, &info) && S_ISDIR(info.st_mode))
        return fail("trace: %s is a directory", path);
    *out = trace_alloc(path, false);
    if (!*out)
        return -1;
    if (journal_open(*out) == 0) {
        if (past_find(*out, past) == 0)
            return 0;
        if (!fstat((*out)->fd, &info) && !info.st_size) /* it was made by this very call */
            unlink((*out)->part);
    }
    trace_free(*out);
    *out = NULL;
    return -1;
}

int trace_leave(struct trace **trace)
{
    struct trace *t = *trace;
    int r = 0;
    if (t->imported)
        r = unlink(t->part);
    else if (!strcmp(t->past.status, "complete"))
        r = trace_salvage(t, "complete", NULL, 0) < 0 ? -1 : 1;
    else
        r = ftruncate(t->fd, (off_t)t->past.end);
    if (r < 0)
        fail("trace: cannot write %s: %s", t->part, strerror(errno));
    trace_free(t);
    *trace = NULL;
    return r;
}

/* ---- from before ---- */

/* A stretch of the journal. Its layout is borrowed: view_close leaves it. */
static struct journal view(const struct trace *t, uint64_t from, uint64_t to)
{
    return (struct journal){.part = t->part,
                            .fd = t->fd,
                            .size = to,
                            .at = from,
                            .end = to,
                            .repetitions = t->past.repetitions,
                            .layout = t->layout};
}

static void view_close(struct journal *j)
{
    j->layout = (struct layout){0};
    journal_free(j);
}

static const struct layout_table *table_of(const struct trace *t, const char *name)
{
    const size_t i = table_find(&t->layout, name);
    return i < t->layout.ntables ? &t->layout.tables[i] : NULL;
}

int64_t trace_past_number(const struct trace *t, const char *key, int64_t otherwise)
{
    const struct label *label = label_find(&t->past, key);
    return label && !label->text ? label->number : otherwise;
}

size_t trace_reach(const struct trace *t, const char *name)
{
    const struct layout_table *table = table_of(t, name);
    const struct axis *axis = table ? &t->layout.axes[table->axis[0]] : NULL;
    return axis && axis->grows ? axis->length : 0;
}

/* Where a block of one or two axes goes in the whole table, whose rows are `width` long. */
static void place(const struct row_block *rows, uint64_t width, char *to)
{
    const size_t bytes = type_bytes(rows->table->type);
    const uint64_t across = rows->table->rank > 1 ? rows->count[1] : 1;
    const uint64_t begin = rows->table->rank > 1 ? rows->first[1] : 0;
    for (uint64_t i = 0; i < rows->count[0]; i++)
        memcpy(to + ((rows->first[0] + i) * width + begin) * bytes,
               (const char *)rows->data + i * across * bytes, across * bytes);
}

int trace_past_rows(struct trace *t, const char *name, void *to, size_t nbytes)
{
    const struct layout_table *table = table_of(t, name);
    if (!table)
        return fail("trace: %s has no table %s", t->part, name);
    const uint64_t width = table->rank > 1 ? t->layout.axes[table->axis[1]].length : 1;
    assert(table->rank <= 2 && t->past.repetitions * width * type_bytes(table->type) == nbytes);
    memset(to, 0, nbytes);
    struct journal j = view(t, sizeof preamble, t->past.end);
    struct row_block rows;
    int r;
    while ((r = journal_rows_of(&j, table, &rows)) > 0)
        place(&rows, width, to);
    view_close(&j);
    return r;
}

/* ---- before and now ---- */

/* As traces have it: one of both may come from a trace. */
static void write_text(FILE *to, const char *text)
{
    char *clean = text_clean(text);
    if (clean)
        fputs(clean, to);
    free(clean);
}

/* One value as a person would write it. */
static void write_value(FILE *to, const struct row_block *rows, uint64_t i, const char **text)
{
    switch (rows->table->type) {
    case TABLE_U8:
        fprintf(to, "%d", ((const uint8_t *)rows->data)[i]);
        break;
    case TABLE_I32: {
        int32_t number;
        memcpy(&number, (const char *)rows->data + i * sizeof number, sizeof number);
        fprintf(to, "%" PRId32, number);
        break;
    }
    case TABLE_TEXT:
        write_text(to, *text);
        *text += strlen(*text) + 1;
        break;
    default:
        assert(!"no such column is compared");
    }
    fputc('\n', to);
}

/* A column, a line for each value, as it was told first: later ones were equal. */
static char *column(const struct trace *t, const struct layout_table *table, uint64_t from,
                    uint64_t to)
{
    char *lines = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&lines, &size);
    if (!f)
        return NULL;
    struct journal j = view(t, from, to);
    struct row_block rows;
    uint64_t left = t->layout.axes[table->axis[0]].length;
    while (left && journal_rows_of(&j, table, &rows) > 0) {
        const char *text = rows.data;
        for (uint64_t i = 0; i < rows.count[0] && left; i++, left--)
            write_value(f, &rows, i, &text);
    }
    view_close(&j);
    fclose(f);
    return lines;
}

/* One line for each value, before and now. */
static int lines_fit(const struct trace *t, const char *name, const char *before, const char *now)
{
    for (size_t i = 0; *before || *now; i++) {
        const size_t n = strcspn(before, "\n"), m = strcspn(now, "\n");
        if (n != m || memcmp(before, now, n))
            return fail("--resume: %s was begun with %s[%zu] %.*s, and now it is %.*s", t->path,
                        name, i, (int)n, before, (int)m, now);
        before += n + (before[n] == '\n');
        now += m + (now[m] == '\n');
    }
    return 0;
}

static int column_fits(const struct trace *t, const char *name)
{
    const struct layout_table *table = table_of(t, name);
    if (!table)
        return 0;
    char *before = column(t, table, sizeof preamble, t->past.end);
    char *now = column(t, table, t->past.end, t->size);
    const int r = before && now ? lines_fit(t, name, before, now) : fail("trace: out of memory");
    free(before);
    free(now);
    return r;
}

static bool labels_equal(const struct label *a, const struct label *b)
{
    if (!a || !b || !a->text || !b->text)
        return a && b && !a->text && !b->text && a->number == b->number;
    return !strcmp(a->text, b->text);
}

static void label_text(const struct label *label, char *text, size_t size)
{
    if (!label)
        snprintf(text, size, "not there");
    else if (label->text)
        snprintf(text, size, "'%s'", label->text);
    else
        snprintf(text, size, "%" PRId64, label->number);
}

static int label_fits(const struct trace *t, const struct journal *now, const char *key)
{
    const struct label *then = label_find(&t->past, key), *here = label_find(now, key);
    char before[256], after[256];
    if (labels_equal(then, here))
        return 0;
    label_text(then, before, sizeof before);
    label_text(here, after, sizeof after);
    return fail("--resume: %s was begun with %s %s, and now it is %s", t->path, key, before, after);
}

static int labels_fit(const struct trace *t, bool (*binds)(const char *key))
{
    struct journal now = view(t, t->past.end, t->size);
    int r = journal_labels(&now);
    for (size_t i = 0; i < now.nlabels && !r; i++)
        if (binds(now.labels[i].key))
            r = label_fits(t, &now, now.labels[i].key);
    for (size_t i = 0; i < t->past.nlabels && !r; i++)
        if (binds(t->past.labels[i].key))
            r = label_fits(t, &now, t->past.labels[i].key);
    view_close(&now);
    return r;
}

int trace_fits(struct trace *t, const struct trace_same *same)
{
    if (waiting_flush(t) < 0 || labels_fit(t, same->binds) < 0)
        return -1;
    if (t->misfit)
        return fail("--resume: %s was begun with another number along axis %s", t->path, t->misfit);
    for (const char *const *name = same->tables; *name; name++)
        if (column_fits(t, *name) < 0)
            return -1;
    return 0;
}
