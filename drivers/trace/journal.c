#include "drivers/trace/journal.h"

#include "drivers/fail.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include <zlib.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "journals are little endian");

static const struct preamble {
    char magic[8];
    uint32_t version, zero;
} preamble = {{'b', 'd', 'j', 'o', 'u', 'r', 'n', '\n'}, 1, 0};

struct head {
    uint32_t crc, kind;
    uint64_t length;
};

struct rows_head {
    uint32_t table, rank;
    uint64_t block[2 * AXES_MAX]; /* first[rank], count[rank] */
};

/* ---- shapes ---- */

size_t type_bytes(enum table_type type)
{
    static const size_t bytes[] = {
        [TABLE_U8] = 1,  [TABLE_I32] = 4, [TABLE_U32] = 4,  [TABLE_I64] = 8,
        [TABLE_U64] = 8, [TABLE_F64] = 8, [TABLE_TEXT] = 0,
    };
    assert(type <= TABLE_TEXT);
    return bytes[type];
}

static size_t axis_find(const struct layout *layout, const char *name)
{
    size_t i = 0;
    while (i < layout->naxes && strcmp(layout->axes[i].name, name))
        i++;
    return i;
}

static size_t table_find(const struct layout *layout, const char *name)
{
    size_t i = 0;
    while (i < layout->ntables && strcmp(layout->tables[i].name, name))
        i++;
    return i;
}

static bool is_repetition(const struct axis *axis)
{
    return !strcmp(axis->name, "repetition");
}

bool table_repeats(const struct layout *layout, const struct layout_table *table)
{
    return is_repetition(&layout->axes[table->axis[0]]);
}

int layout_axis(struct layout *layout, const char *name, uint64_t length, const char *meaning)
{
    if (!*name || strpbrk(name, "/ ") || axis_find(layout, name) < layout->naxes)
        return -1;
    struct axis *axes = realloc(layout->axes, (layout->naxes + 1) * sizeof *axes);
    if (!axes)
        return fail("trace: out of memory");
    layout->axes = axes;
    axes[layout->naxes] = (struct axis){strdup(name), strdup(meaning), length, !length};
    layout->naxes++;
    return axes[layout->naxes - 1].name && axes[layout->naxes - 1].meaning
               ? 0
               : fail("trace: out of memory");
}

/* names: "repetition worker bin". Repetitions come first or not at all: what a
 * kill leaves unfinished is then the end of a block, never a part of each row. */
static int table_axes(struct layout_table *table, const struct layout *layout, const char *names)
{
    char *copy = strdup(names), *rest = copy;
    int r = copy ? 0 : fail("trace: out of memory");
    for (char *name; !r && (name = strsep(&rest, " "));) {
        size_t i = axis_find(layout, name);
        if (i == layout->naxes || table->rank == AXES_MAX ||
            (table->rank && is_repetition(&layout->axes[i])))
            r = -1;
        else
            table->axis[table->rank++] = i;
    }
    free(copy);
    return r;
}

int layout_table(struct layout *layout, const struct table *given)
{
    struct layout_table table = {.type = given->type};
    if (table_axes(&table, layout, given->axes) < 0 || given->name[0] != '/' || !given->name[1] ||
        given->type > TABLE_TEXT || table_find(layout, given->name) < layout->ntables ||
        axis_find(layout, given->name + 1) < layout->naxes)
        return -1;
    struct layout_table *tables = realloc(layout->tables, (layout->ntables + 1) * sizeof *tables);
    if (!tables)
        return fail("trace: out of memory");
    layout->tables = tables;
    table.name = strdup(given->name);
    table.unit = strdup(given->unit);
    table.meaning = strdup(given->meaning);
    tables[layout->ntables++] = table;
    return table.name && table.unit && table.meaning ? 0 : fail("trace: out of memory");
}

void layout_free(struct layout *layout)
{
    for (size_t i = 0; i < layout->naxes; i++) {
        free(layout->axes[i].name);
        free(layout->axes[i].meaning);
    }
    for (size_t i = 0; i < layout->ntables; i++) {
        free(layout->tables[i].name);
        free(layout->tables[i].unit);
        free(layout->tables[i].meaning);
    }
    free(layout->axes);
    free(layout->tables);
    *layout = (struct layout){0};
}

/* ---- the disk ---- */

void xfsz_ignore(struct sigaction *saved)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGXFSZ, &ignore, saved);
}

void xfsz_restore(const struct sigaction *saved)
{
    sigaction(SIGXFSZ, saved, NULL);
}

int directory_sync(const char *path)
{
    char *copy = strdup(path);
    if (!copy)
        return -1;
    int r = -1, fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(copy);
    if (fd < 0)
        return -1;
    if (!fsync(fd) || errno == EINVAL) /* some file systems sync no directory */
        r = 0;
    int saved = errno;
    close(fd);
    errno = saved;
    return r;
}

static int trace_fail(struct trace *t)
{
    t->broken = true;
    if (!t->committed)
        return fail("trace: cannot write %s: %s", t->part, strerror(errno));
    return fail("trace: cannot write %s: %s; to save what was committed: bindot-serial recover %s",
                t->part, strerror(errno), t->part);
}

static int bytes_write(struct trace *t, const void *bytes, size_t n)
{
    struct sigaction saved;
    xfsz_ignore(&saved);
    int r = 0;
    while (n && !r) {
        ssize_t done = write(t->fd, bytes, n);
        if (done < 0 && errno != EINTR)
            r = trace_fail(t);
        if (done > 0) {
            bytes = (const char *)bytes + done;
            n -= (size_t)done;
        }
    }
    xfsz_restore(&saved);
    return r;
}

static int waiting_flush(struct trace *t)
{
    size_t n = t->nwaiting;
    t->nwaiting = 0;
    return bytes_write(t, t->waiting, n);
}

static int bytes_append(struct trace *t, const void *bytes, size_t n)
{
    t->size += n;
    if (n > sizeof t->waiting - t->nwaiting && waiting_flush(t) < 0)
        return -1;
    if (n > sizeof t->waiting)
        return bytes_write(t, bytes, n);
    if (n)
        memcpy(t->waiting + t->nwaiting, bytes, n);
    t->nwaiting += n;
    return 0;
}

static uint32_t head_crc(const struct head *head, uint64_t offset)
{
    uLong crc = crc32_z(0, (const Bytef *)&offset, sizeof offset);
    crc = crc32_z(crc, (const Bytef *)&head->kind, sizeof head->kind);
    return (uint32_t)crc32_z(crc, (const Bytef *)&head->length, sizeof head->length);
}

static int record_append(struct trace *t, enum record_kind kind, int n, const struct iovec *pieces)
{
    if (t->broken)
        return fail("trace: an earlier write to %s failed", t->part);
    struct head head = {.kind = kind};
    for (int i = 0; i < n; i++)
        head.length += pieces[i].iov_len;
    head.crc = head_crc(&head, t->size);
    for (int i = 0; i < n; i++)
        head.crc = (uint32_t)crc32_z(head.crc, pieces[i].iov_base, pieces[i].iov_len);
    if (bytes_append(t, &head, sizeof head) < 0)
        return -1;
    for (int i = 0; i < n; i++)
        if (bytes_append(t, pieces[i].iov_base, pieces[i].iov_len) < 0)
            return -1;
    return 0;
}

static struct iovec piece(const void *bytes, size_t n)
{
    return (struct iovec){(void *)bytes, n};
}

static struct iovec text_piece(const char *text)
{
    return piece(text, strlen(text) + 1);
}

/* ---- writing ---- */

/* Refuses early what would otherwise fail after hours of measuring. */
static int names_check(const char *path, const char *part, bool force)
{
    struct stat info;
    if (!*path)
        return fail("trace: a file without a name");
    if (!lstat(path, &info)) {
        if (S_ISDIR(info.st_mode))
            return fail("trace: %s is a directory", path);
        if (!force)
            return fail("trace: %s exists (--force replaces it)", path);
    }
    if (!force && !lstat(part, &info))
        return fail("trace: %s exists, the journal of a run that did not end well "
                    "(bindot-serial recover saves it, --force replaces it)",
                    part);
    return 0;
}

static int part_open(struct trace *t)
{
    t->fd =
        open(t->part, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | (t->force ? 0 : O_EXCL), 0666);
    if (t->fd < 0)
        return fail("trace: cannot create %s: %s", t->part, strerror(errno));
    /* Not every file system has locks; where there are none, take the risk. */
    if (flock(t->fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK)
        return fail("trace: %s belongs to a run that is still going", t->part);
    if (ftruncate(t->fd, 0) < 0 || directory_sync(t->part) < 0 ||
        bytes_append(t, &preamble, sizeof preamble) < 0 || waiting_flush(t) < 0) {
        int saved = errno;
        unlink(t->part);
        return fail("trace: cannot write %s: %s", t->part, strerror(saved));
    }
    return 0;
}

int trace_create(struct trace **out, const char *path, bool force)
{
    struct trace *t = calloc(1, sizeof *t);
    if (!t)
        return fail("trace: out of memory");
    t->fd = -1;
    t->force = force;
    t->path = strdup(path);
    if (!t->path || asprintf(&t->part, "%s.part", path) < 0) {
        t->part = NULL;
        fail("trace: out of memory");
        goto out;
    }
    if (names_check(path, t->part, force) < 0 || part_open(t) < 0)
        goto out;
    *out = t;
    return 0;
out:
    trace_free(t);
    *out = NULL;
    return -1;
}

int trace_label(struct trace *t, const char *key, const char *value)
{
    return record_append(t, RECORD_LABEL, 2, (struct iovec[]){text_piece(key), text_piece(value)});
}

int trace_number(struct trace *t, const char *key, int64_t value)
{
    return record_append(t, RECORD_NUMBER, 2,
                         (struct iovec[]){text_piece(key), piece(&value, sizeof value)});
}

int trace_axis(struct trace *t, const char *name, size_t length, const char *meaning)
{
    int r = layout_axis(&t->layout, name, length, meaning);
    assert(r == 0 || *fail_text());
    uint64_t n = length;
    return r < 0 ? r
                 : record_append(t, RECORD_AXIS, 3,
                                 (struct iovec[]){text_piece(name), text_piece(meaning),
                                                  piece(&n, sizeof n)});
}

int trace_table(struct trace *t, const struct table *table)
{
    int r = layout_table(&t->layout, table);
    assert(r == 0 || *fail_text());
    uint32_t type = table->type;
    return r < 0
               ? r
               : record_append(t, RECORD_TABLE, 5,
                               (struct iovec[]){text_piece(table->name), text_piece(table->axes),
                                                text_piece(table->unit), text_piece(table->meaning),
                                                piece(&type, sizeof type)});
}

static size_t data_bytes(enum table_type type, size_t elements, const char *data)
{
    if (type != TABLE_TEXT)
        return elements * type_bytes(type);
    const char *end = data;
    for (size_t i = 0; i < elements; i++)
        end += strlen(end) + 1;
    return (size_t)(end - data);
}

static inline bool block_fits(const struct axis *axis, size_t first, size_t count)
{
    return axis->grows || (first <= axis->length && count <= axis->length - first);
}

int trace_rows(struct trace *t, const char *name, const size_t first[], const size_t count[],
               const void *data)
{
    size_t i = table_find(&t->layout, name), elements = 1;
    assert(i < t->layout.ntables);
    const struct layout_table *table = &t->layout.tables[i];
    struct rows_head head = {(uint32_t)i, (uint32_t)table->rank, {0}};
    for (size_t k = 0; k < table->rank; k++) {
        assert(block_fits(&t->layout.axes[table->axis[k]], first[k], count[k]));
        head.block[k] = first[k];
        head.block[table->rank + k] = count[k];
        elements *= count[k];
    }
    if (!elements)
        return 0;
    return record_append(t, RECORD_ROWS, 2,
                         (struct iovec[]){piece(&head, 8 + 16 * table->rank),
                                          piece(data, data_bytes(table->type, elements, data))});
}

static int commit(struct trace *t, const char *status)
{
    uint64_t n = t->repetitions;
    if (record_append(t, RECORD_COMMIT, 2,
                      (struct iovec[]){piece(&n, sizeof n), text_piece(status)}) < 0 ||
        waiting_flush(t) < 0)
        return -1;
    if (fdatasync(t->fd) < 0)
        return trace_fail(t);
    t->committed = true;
    return 0;
}

int trace_commit(struct trace *t, size_t repetitions)
{
    t->repetitions = repetitions;
    return commit(t, "");
}

int trace_finish(struct trace *t, const char *status)
{
    assert(*status);
    return commit(t, status);
}

void trace_free(struct trace *t)
{
    if (t->fd >= 0)
        close(t->fd);
    layout_free(&t->layout);
    free(t->path);
    free(t->part);
    free(t);
}

void trace_drop(struct trace **trace)
{
    if (!*trace)
        return;
    unlink((*trace)->part);
    trace_free(*trace);
    *trace = NULL;
}

/* ---- reading ---- */

static int bytes_read(struct journal *j, uint64_t offset, void *to, size_t n)
{
    while (n) {
        ssize_t done = pread(j->fd, to, n, (off_t)offset);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return fail("trace: cannot read %s: %s", j->part,
                        done ? strerror(errno) : "it became shorter meanwhile");
        to = (char *)to + done;
        offset += (uint64_t)done;
        n -= (size_t)done;
    }
    return 0;
}

static int payload_read(struct journal *j, size_t n)
{
    if (n > j->room) {
        free(j->payload);
        j->room = 0;
        j->payload = malloc(n);
        if (!j->payload)
            return fail("trace: no memory for %zu bytes of %s", n, j->part);
        j->room = n;
    }
    j->length = n;
    return bytes_read(j, j->at + sizeof(struct head), j->payload, n);
}

/* 1: a record is in payload; 0: none, or a torn one; -1: the disk failed. */
static int record_next(struct journal *j)
{
    struct head head;
    if (j->end - j->at < sizeof head)
        return 0;
    if (bytes_read(j, j->at, &head, sizeof head) < 0)
        return -1;
    if (!head.length || head.length > j->end - j->at - sizeof head) /* zeros: a power cut */
        return 0;
    bool part = j->skims && head.kind == RECORD_ROWS && head.length > sizeof(struct rows_head);
    if (payload_read(j, part ? sizeof(struct rows_head) : head.length) < 0)
        return -1;
    if (!part && crc32_z(head_crc(&head, j->at), j->payload, j->length) != head.crc)
        return 0;
    j->kind = head.kind;
    j->at += sizeof head + head.length;
    return 1;
}

struct cursor {
    const uint8_t *at, *end;
    bool bad; /* there was less than was asked for */
};

static struct cursor cursor_of(const struct journal *j)
{
    return (struct cursor){j->payload, j->payload + j->length, false};
}

static void take(struct cursor *c, void *to, size_t n)
{
    c->bad |= (size_t)(c->end - c->at) < n;
    if (c->bad)
        return;
    memcpy(to, c->at, n);
    c->at += n;
}

static const char *take_text(struct cursor *c)
{
    const uint8_t *end = c->at == c->end ? NULL : memchr(c->at, 0, (size_t)(c->end - c->at));
    c->bad |= !end;
    if (c->bad)
        return "";
    const char *text = (const char *)c->at;
    c->at = end + 1;
    return text;
}

static bool took_all(const struct cursor *c)
{
    return !c->bad && c->at == c->end;
}

/* Bytes of one UTF-8 character; 0 if it is none (RFC 3629, table 3-7 of Unicode). */
static size_t character_bytes(const unsigned char *s)
{
    size_t n = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
    if (n < 2)
        return n;
    unsigned char low = s[0] == 0xe0 ? 0xa0 : s[0] == 0xf0 ? 0x90 : 0x80;
    unsigned char high = s[0] == 0xed ? 0x9f : s[0] == 0xf4 ? 0x8f : 0xbf;
    if (s[0] > 0xf4 || s[1] < low || s[1] > high)
        return 0;
    for (size_t i = 2; i < n; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    return n;
}

char *text_clean(const char *text)
{
    char *clean = malloc(3 * strlen(text) + 1), *to = clean;
    if (!clean)
        return NULL;
    while (*text) {
        size_t n = character_bytes((const unsigned char *)text);
        memcpy(to, n ? text : "\xef\xbf\xbd", n ? n : 3);
        to += n ? n : 3;
        text += n ? n : 1;
    }
    *to = '\0';
    return clean;
}

static int label_take(struct journal *j)
{
    struct cursor c = cursor_of(j);
    struct label label = {0};
    const char *key = take_text(&c), *text = "";
    if (j->kind == RECORD_LABEL)
        text = take_text(&c);
    else
        take(&c, &label.number, sizeof label.number);
    if (!took_all(&c) || !*key)
        return -1;
    label.key = text_clean(key);
    label.text = j->kind == RECORD_LABEL ? text_clean(text) : NULL;
    size_t i = 0;
    while (i < j->nlabels && label.key && strcmp(j->labels[i].key, label.key))
        i++;
    struct label *labels = i < j->nlabels ? j->labels : realloc(j->labels, (i + 1) * sizeof label);
    if (labels)
        j->labels = labels;
    if (!labels || !label.key || (!label.text && j->kind == RECORD_LABEL)) {
        free(label.key);
        free(label.text);
        return fail("trace: out of memory");
    }
    if (i < j->nlabels) {
        free(labels[i].key);
        free(labels[i].text);
    } else {
        j->nlabels++;
    }
    labels[i] = label;
    return 0;
}

static int axis_take(struct journal *j)
{
    struct cursor c = cursor_of(j);
    uint64_t length = 0;
    const char *name = take_text(&c), *meaning = take_text(&c);
    take(&c, &length, sizeof length);
    if (!took_all(&c) || layout_axis(&j->layout, name, length, meaning) < 0)
        return -1;
    struct axis *axis = &j->layout.axes[j->layout.naxes - 1];
    if (is_repetition(axis)) {
        axis->length = j->repetitions;
        axis->grows = false;
    }
    return 0;
}

static int table_take(struct journal *j)
{
    struct cursor c = cursor_of(j);
    uint32_t type = TABLE_TEXT + 1;
    struct table table = {0};
    table.name = take_text(&c);
    table.axes = take_text(&c);
    table.unit = take_text(&c);
    table.meaning = take_text(&c);
    take(&c, &type, sizeof type);
    table.type = (enum table_type)type;
    return took_all(&c) ? layout_table(&j->layout, &table) : -1;
}

/* 1: rows that count; 0: of a repetition that was not finished; -1: nonsense. */
static int rows_take(struct journal *j, struct row_block *rows)
{
    struct cursor c = cursor_of(j);
    uint32_t table = 0, rank = 0;
    take(&c, &table, sizeof table);
    take(&c, &rank, sizeof rank);
    if (c.bad || table >= j->layout.ntables || rank != j->layout.tables[table].rank)
        return -1;
    rows->table = &j->layout.tables[table];
    take(&c, rows->first, rank * sizeof *rows->first);
    take(&c, rows->count, rank * sizeof *rows->count);
    if (c.bad)
        return -1;
    rows->data = c.at;
    rows->nbytes = (size_t)(c.end - c.at);
    bool repeats = table_repeats(&j->layout, rows->table);
    if (repeats && rows->first[0] >= j->repetitions)
        return 0;
    if (repeats && rows->count[0] > j->repetitions - rows->first[0])
        rows->count[0] = j->repetitions - rows->first[0];
    for (size_t k = 0; k < rank; k++) {
        struct axis *axis = &j->layout.axes[rows->table->axis[k]];
        uint64_t end;
        if (!rows->count[k] || __builtin_add_overflow(rows->first[k], rows->count[k], &end))
            return -1;
        if (end > axis->length && axis->grows && j->skims)
            axis->length = end;
        if (end > axis->length)
            return -1;
    }
    return 1;
}

/* Is there as much data as the block says? A cut block may hold more. */
static bool rows_filled(const struct row_block *rows)
{
    uint64_t n = 1;
    for (size_t k = 0; k < rows->table->rank; k++)
        if (__builtin_mul_overflow(n, rows->count[k], &n))
            return false;
    if (rows->table->type != TABLE_TEXT)
        return !__builtin_mul_overflow(n, type_bytes(rows->table->type), &n) && n <= rows->nbytes;
    const char *at = rows->data, *end = at + rows->nbytes;
    while (n && at < end && (at = memchr(at, 0, (size_t)(end - at)))) {
        at++;
        n--;
    }
    return !n;
}

/* The first reading: where the last commit is. */
static int commits_find(struct journal *j)
{
    uint64_t end = j->at;
    int r;
    while ((r = record_next(j)) > 0) {
        if (j->kind != RECORD_COMMIT)
            continue;
        struct cursor c = cursor_of(j);
        take(&c, &j->repetitions, sizeof j->repetitions);
        const char *status = take_text(&c);
        if (!took_all(&c))
            return fail("trace: %s is no journal of this version", j->part);
        free(j->status);
        j->status = text_clean(status);
        if (!j->status)
            return fail("trace: out of memory");
        j->ncommits++;
        end = j->at;
    }
    j->end = end;
    return r;
}

static int record_take(struct journal *j)
{
    struct row_block rows;
    switch (j->kind) {
    case RECORD_LABEL:
    case RECORD_NUMBER:
        return label_take(j);
    case RECORD_AXIS:
        return axis_take(j);
    case RECORD_TABLE:
        return table_take(j);
    case RECORD_ROWS:
        return rows_take(j, &rows);
    case RECORD_COMMIT:
        return 0;
    }
    return -1;
}

/* A journal from elsewhere can promise any size. Missing rows are legal, so the
 * bounds are wide; they only keep a few bytes from asking for a full disk. */
static int sizes_check(const struct journal *j)
{
    const struct layout *layout = &j->layout;
    for (size_t i = 0; i < layout->naxes; i++)
        if (layout->axes[i].length > (j->size > 1 << 28 ? j->size : 1 << 28))
            return fail("trace: %s is damaged: no room for %llu along axis %s", j->part,
                        (unsigned long long)layout->axes[i].length, layout->axes[i].name);
    for (size_t i = 0; i < layout->ntables; i++) {
        const struct layout_table *table = &layout->tables[i];
        uint64_t n = 1, most = table->type == TABLE_TEXT ? j->size + (1 << 20)
                                                         : 1024 * j->size + (1 << 30);
        bool over = false;
        for (size_t k = 0; k < table->rank && n; k++)
            over |= __builtin_mul_overflow(n, layout->axes[table->axis[k]].length, &n);
        if (over || n > most)
            return fail("trace: %s is damaged: table %s is larger than can be", j->part,
                        table->name);
    }
    return 0;
}

/* The second reading: all but the rows, of which only the reach. */
static int contents_read(struct journal *j)
{
    j->at = sizeof preamble;
    j->skims = true;
    int r;
    while ((r = record_next(j)) > 0)
        if (record_take(j) < 0)
            return fail("trace: %s is damaged: nonsense before byte %llu", j->part,
                        (unsigned long long)j->at);
    if (!r && j->at != j->end)
        return fail("trace: %s changed while it was read", j->part);
    j->at = sizeof preamble;
    j->skims = false;
    return r;
}

int journal_read(struct journal *j, const char *part, int fd, bool whole)
{
    *j = (struct journal){.part = part, .fd = fd, .at = sizeof preamble};
    struct stat info;
    struct preamble found = {0};
    if (fstat(fd, &info) < 0)
        return fail("trace: cannot read %s: %s", part, strerror(errno));
    j->size = j->end = (uint64_t)info.st_size;
    if (!S_ISREG(info.st_mode) || j->size < sizeof found)
        return fail("trace: %s is not a journal", part);
    if (bytes_read(j, 0, &found, sizeof found) < 0)
        return -1;
    if (memcmp(&found, &preamble, sizeof found))
        return fail("trace: %s is not a journal of this version", part);
    if (commits_find(j) < 0)
        return -1;
    if (!j->ncommits)
        return fail("trace: %s holds no finished repetition: there is nothing to save", part);
    if (whole && j->end != j->size)
        return fail("trace: %s was damaged on its disk; to save what is whole: "
                    "bindot-serial recover %s",
                    part, part);
    if (contents_read(j) < 0)
        return -1;
    return whole ? 0 : sizes_check(j);
}

int journal_rows(struct journal *j, struct row_block *rows)
{
    int r;
    while ((r = record_next(j)) > 0) {
        if (j->kind != RECORD_ROWS)
            continue;
        r = rows_take(j, rows);
        if (r < 0 || (r && !rows_filled(rows)))
            return fail("trace: %s is damaged: nonsense before byte %llu", j->part,
                        (unsigned long long)j->at);
        if (r)
            return 1;
    }
    if (!r && j->at != j->end)
        return fail("trace: %s changed while it was read", j->part);
    return r;
}

void journal_free(struct journal *j)
{
    for (size_t i = 0; i < j->nlabels; i++) {
        free(j->labels[i].key);
        free(j->labels[i].text);
    }
    free(j->labels);
    free(j->status);
    free(j->payload);
    layout_free(&j->layout);
    *j = (struct journal){0};
}
