#include "drivers/trace/journal.h"

#include "drivers/fail.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

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

int waiting_flush(struct trace *t)
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

uint32_t head_crc(const struct head *head, uint64_t offset)
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

/* Not every file system has locks; where there are none, take the risk. */
static bool part_lock(int fd, int patience_s)
{
    enum { LOOKS = 20 }; /* in a second */
    for (int look = 0; flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK; look++) {
        if (look >= LOOKS * patience_s)
            return false;
        nanosleep(&(struct timespec){0, 1000000000 / LOOKS}, NULL);
    }
    return true;
}

int part_open(struct trace *t, bool new, int patience_s)
{
    t->fd = open(t->part, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | (new ? O_EXCL : 0), 0666);
    if (t->fd < 0)
        return fail("trace: cannot create %s: %s", t->part, strerror(errno));
    return part_lock(t->fd, patience_s)
               ? 0
               : fail("trace: %s belongs to a run that is still going", t->part);
}

int part_begin(struct trace *t)
{
    if (ftruncate(t->fd, 0) < 0 || directory_sync(t->part) < 0 ||
        bytes_append(t, &preamble, sizeof preamble) < 0 || waiting_flush(t) < 0) {
        int saved = errno;
        unlink(t->part);
        return fail("trace: cannot write %s: %s", t->part, strerror(saved));
    }
    return 0;
}

struct trace *trace_alloc(const char *path, bool force)
{
    struct trace *t = calloc(1, sizeof *t);
    if (!t) {
        fail("trace: out of memory");
        return NULL;
    }
    t->fd = -1;
    t->force = force;
    t->path = strdup(path);
    if (t->path && asprintf(&t->part, "%s.part", path) >= 0)
        return t;
    t->part = NULL;
    trace_free(t);
    fail("trace: out of memory");
    return NULL;
}

int trace_create(struct trace **out, const char *path, bool force)
{
    struct trace *t = *out = trace_alloc(path, force);
    if (!t)
        return -1;
    if (names_check(path, t->part, force) == 0 && part_open(t, !force, 0) == 0 &&
        part_begin(t) == 0)
        return 0;
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

/* It was told before: by a run that this one resumes. Without rows it has no length yet. */
static int axis_again(struct trace *t, struct axis *axis, uint64_t length)
{
    if (length && axis->length && length != axis->length)
        t->misfit = axis->name;
    axis->grows = !length || t->misfit;
    axis->length = axis->length ? axis->length : length;
    return 0;
}

int trace_axis(struct trace *t, const char *name, size_t length, const char *meaning)
{
    const size_t known = t->past.size ? axis_find(&t->layout, name) : t->layout.naxes;
    if (known < t->layout.naxes)
        return axis_again(t, &t->layout.axes[known], length);
    int r = layout_axis(&t->layout, name, length, meaning);
    assert(r == 0 || *fail_text());
    uint64_t n = length;
    return r < 0 ? r
                 : record_append(t, RECORD_AXIS, 3,
                                 (struct iovec[]){text_piece(name), text_piece(meaning),
                                                  piece(&n, sizeof n)});
}

static int table_again(struct trace *t, const struct layout_table *before,
                       const struct table *table)
{
    const char *axes = table->axes;
    size_t rank = 0;
    for (; *axes && rank < before->rank; rank++) {
        const char *name = t->layout.axes[before->axis[rank]].name;
        const size_t n = strcspn(axes, " ");
        if (strlen(name) != n || strncmp(name, axes, n))
            break;
        axes += n + (axes[n] == ' ');
    }
    return before->type == table->type && rank == before->rank && !*axes
               ? 0
               : fail("trace: %s cannot be resumed: its table %s is of another version of this "
                      "program",
                      t->path, table->name);
}

int trace_table(struct trace *t, const struct table *table)
{
    const size_t known = t->past.size ? table_find(&t->layout, table->name) : t->layout.ntables;
    if (known < t->layout.ntables)
        return table_again(t, &t->layout.tables[known], table);
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
    journal_free(&t->past);
    free(t->path);
    free(t->part);
    free(t);
}

void trace_drop(struct trace **trace)
{
    if (!*trace)
        return;
    if (!(*trace)->committed)
        unlink((*trace)->part);
    trace_free(*trace);
    *trace = NULL;
}
