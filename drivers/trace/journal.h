/* journal.h: a run before it is a trace. Private to this room; knows bytes and
 * names, never HDF5.
 *
 *   file     magic u8[8], version u32, zero u32, then records
 *   record   crc u32, kind u32, length u64, payload u8[length]
 *            crc32 of: offset of the record in the file (u64), kind, length,
 *            payload. A record that moved is as bad as one that changed.
 *   LABEL    key, value: text, each ended by a zero byte
 *   NUMBER   key: text; value: i64
 *   AXIS     name, meaning: text; length: u64, 0 if it grows
 *   TABLE    name, axes, unit, meaning: text; type: u32 (enum table_type)
 *   ROWS     table: u32, counted in order of TABLE records; rank: u32;
 *            first: u64[rank]; count: u64[rank]; data
 *   COMMIT   repetitions: u64; status: text, empty until the run has ended
 *
 * Everything is little endian. What follows the last COMMIT does not count. */
#ifndef BINDOT_JOURNAL_H
#define BINDOT_JOURNAL_H

#include "drivers/trace/trace.h"

#include <signal.h>
#include <stdatomic.h>

enum { AXES_MAX = 8 };

enum record_kind {
    RECORD_LABEL = 1,
    RECORD_NUMBER,
    RECORD_AXIS,
    RECORD_TABLE,
    RECORD_ROWS,
    RECORD_COMMIT,
};

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "journals are little endian");

struct preamble {
    char magic[8];
    uint32_t version, zero;
};
static const struct preamble preamble = {{'b', 'd', 'j', 'o', 'u', 'r', 'n', '\n'}, 1, 0};

struct head {
    uint32_t crc, kind;
    uint64_t length;
};

struct rows_head {
    uint32_t table, rank;
    uint64_t block[2 * AXES_MAX]; /* first[rank], count[rank] */
};

uint32_t head_crc(const struct head *, uint64_t offset);

struct axis {
    char *name, *meaning;
    uint64_t length; /* of a growing axis: as far as its rows reach */
    bool grows;
};

struct layout_table {
    char *name, *unit, *meaning;
    enum table_type type;
    size_t rank;
    size_t axis[AXES_MAX]; /* indices into layout.axes */
};

struct layout {
    struct axis *axes;
    size_t naxes;
    struct layout_table *tables;
    size_t ntables;
};

/* -1, without a message, if the description contradicts itself or the layout. */
int layout_axis(struct layout *, const char *name, uint64_t length, const char *meaning);
int layout_table(struct layout *, const struct table *);
void layout_free(struct layout *);
/* Their number, or that of none: naxes, ntables. */
size_t axis_find(const struct layout *, const char *name);
size_t table_find(const struct layout *, const char *name);
bool is_repetition(const struct axis *);
bool table_repeats(const struct layout *, const struct layout_table *); /* first axis: repetition */
size_t type_bytes(enum table_type);                                     /* of TABLE_TEXT: 0 */

struct label {
    char *key;
    char *text; /* NULL: a number */
    int64_t number;
};

struct row_block {
    const struct layout_table *table;
    uint64_t first[AXES_MAX], count[AXES_MAX];
    const void *data;
    size_t nbytes;
};

struct journal { /* the reading side: what counts, i.e. up to the last commit */
    const char *part;
    int fd;
    uint64_t size;
    uint64_t at, end; /* next record; end of what counts */
    bool skims;       /* of rows, only the start is read */
    uint32_t kind;    /* of the record in payload */
    uint8_t *payload;
    size_t length, room;

    uint64_t ncommits, repetitions;
    char *status; /* "" if the run did not end */
    struct layout layout;
    struct label *labels;
    size_t nlabels;
};

struct trace { /* the writing side */
    char *path, *part;
    bool force;
    atomic_bool committed; /* something is worth saving */
    bool broken;           /* the last record may be torn: nothing may follow it */
    int fd;
    uint64_t size; /* of the journal, with what waits in the buffer */
    uint64_t repetitions;
    struct layout layout;
    struct journal past; /* of a resumed run: what was there before, up to past.end; else zero.
                          * Its layout is the trace's. */
    bool imported;       /* the past was made of the trace, which is still there */
    const char *misfit;  /* an axis that was told again with another length */
    size_t nwaiting;
    uint8_t waiting[1 << 16];
};

struct trace *trace_alloc(const char *path, bool force); /* no file yet; NULL: fail.h */
/* Opens the journal, which must be new unless that is not asked for, and locks it: for so
 * many seconds it waits for a run that is just ending. */
int part_open(struct trace *, bool new, int patience_s);
int part_begin(struct trace *); /* empties it */
int waiting_flush(struct trace *);
/* The last commit, on disk. */
int trace_finish(struct trace *, const char *status);
void trace_free(struct trace *); /* leaves the journal where it is */

/* A whole trace as the journal that it was made of, rows of repetitions left out if
 * they are not wanted. The journal is new, and is committed. */
int trace_import(struct trace *, bool rows);
struct peek { /* what a trace says of its run */
    bool complete;
    char run_id[64];
};
int trace_peek(const char *path, struct peek *); /* -1: it is no trace (fail.h) */

/* Is there anything to read: a finished repetition? 1: yes; 0: no; -1: this is no
 * journal, or the disk failed. The first half of journal_read. */
int journal_look(struct journal *, const char *part, int fd);
/* Reads everything but the rows. whole: the journal is known to be undamaged,
 * so a torn record is an error, and sizes are not doubted. */
int journal_read(struct journal *, const char *part, int fd, bool whole);
/* The next block of rows that counts, cut to the finished repetitions; valid
 * until the next call. 1: there it is; 0: there are no more; -1: failed. */
int journal_rows(struct journal *, struct row_block *);
/* The same, of one table. */
int journal_rows_of(struct journal *, const struct layout_table *, struct row_block *);
/* From j->at to j->end, labels alone. */
int journal_labels(struct journal *);
/* A label more, or in the place of one with that key. text NULL: a number. */
int journal_note(struct journal *, const char *key, const char *text, int64_t number);
void journal_free(struct journal *); /* fd stays open: it is the caller's */

/* Text as UTF-8: what is not becomes U+FFFD. The caller frees; NULL: no memory. */
char *text_clean(const char *);

/* What a rename or a new file needs to survive a power cut. */
int directory_sync(const char *path);

/* Another run may have the name by now: its journal is not ours to read or remove. */
bool same_file(int fd, const char *name);

/* A file size limit is an error to report, not a reason to die. */
void xfsz_ignore(struct sigaction *saved);
void xfsz_restore(const struct sigaction *saved);

#endif
