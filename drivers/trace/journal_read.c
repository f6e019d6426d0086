#include "drivers/trace/journal.h"

#include "drivers/fail.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

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

int journal_note(struct journal *j, const char *key, const char *text, int64_t number)
{
    struct label label = {.number = number};
    label.key = text_clean(key);
    label.text = text ? text_clean(text) : NULL;
    size_t i = 0;
    while (i < j->nlabels && label.key && strcmp(j->labels[i].key, label.key))
        i++;
    struct label *labels = i < j->nlabels ? j->labels : realloc(j->labels, (i + 1) * sizeof label);
    if (labels)
        j->labels = labels;
    if (!labels || !label.key || (text && !label.text)) {
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

static int label_take(struct journal *j)
{
    struct cursor c = cursor_of(j);
    int64_t number = 0;
    const char *key = take_text(&c), *text = NULL;
    if (j->kind == RECORD_LABEL)
        text = take_text(&c);
    else
        take(&c, &number, sizeof number);
    return took_all(&c) && *key ? journal_note(j, key, text, number) : -1;
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

int journal_look(struct journal *j, const char *part, int fd)
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
    return commits_find(j) < 0 ? -1 : j->ncommits > 0;
}

int journal_read(struct journal *j, const char *part, int fd, bool whole)
{
    const int r = journal_look(j, part, fd);
    if (r <= 0)
        return r ? r
                 : fail("trace: %s holds no finished repetition: there is nothing to save", part);
    if (whole && j->end != j->size)
        return fail("trace: %s was damaged on its disk; to save what is whole: "
                    "bindot-serial recover %s",
                    part, part);
    if (contents_read(j) < 0)
        return -1;
    return whole ? 0 : sizes_check(j);
}

/* Of the record in payload, which holds rows. */
static bool are_rows_of(const struct journal *j, const struct layout_table *only)
{
    struct cursor c = cursor_of(j);
    uint32_t table = 0;
    take(&c, &table, sizeof table);
    return !c.bad && table == (size_t)(only - j->layout.tables);
}

int journal_rows_of(struct journal *j, const struct layout_table *only, struct row_block *rows)
{
    int r;
    while ((r = record_next(j)) > 0) {
        if (j->kind != RECORD_ROWS || (only && !are_rows_of(j, only)))
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

int journal_rows(struct journal *j, struct row_block *rows)
{
    return journal_rows_of(j, NULL, rows);
}

int journal_labels(struct journal *j)
{
    int r;
    while ((r = record_next(j)) > 0)
        if ((j->kind == RECORD_LABEL || j->kind == RECORD_NUMBER) && label_take(j) < 0)
            return fail("trace: %s is damaged: nonsense before byte %llu", j->part,
                        (unsigned long long)j->at);
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
