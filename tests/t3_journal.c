/* Whatever happens to a journal, recovery gives the finished repetitions with
 * the right numbers, or one line that says why not; never a crash. */
#include "drivers/fail.h"
#include "drivers/trace/journal.h"
#include "tests/t3_check.h"

#include <assert.h>
#include <fcntl.h>
#include <zlib.h>

enum { NREPS = 3 };

static const struct run run = {.nworkers = 2, .nbins = 3, .detours = true};
static char *folder, path[64], part[80];
static uint8_t *journal;               /* of a run that ended, but was not converted */
static size_t length, ends[NREPS + 1]; /* length; behind each commit */

static size_t part_length(void)
{
    struct stat info;
    assert_int_equal(stat(part, &info), 0);
    return (size_t)info.st_size;
}

static int journal_make(void **state)
{
    (void)state;
    folder = folder_make();
    snprintf(path, sizeof path, "%s/x.h5", folder);
    snprintf(part, sizeof part, "%s.part", path);
    struct trace *t;
    assert_int_equal(trace_create(&t, path, false), 0);
    assert_int_equal(run_describe(t, &run), 0);
    for (size_t r = 0; r < NREPS; r++) {
        assert_int_equal(run_repeat(t, &run, r), 0);
        assert_int_equal(trace_commit(t, r + 1), 0);
        ends[r] = part_length();
    }
    assert_int_equal(trace_finish(t, "complete"), 0);
    trace_free(t);
    ends[NREPS] = length = part_length();
    journal = malloc(length);
    FILE *file = fopen(part, "rb");
    assert_int_equal(fread(journal, 1, length, file), length);
    fclose(file);
    return 0;
}

static int folder_drop(void **state)
{
    (void)state;
    folder_empty(folder);
    rmdir(folder);
    free(journal);
    return 0;
}

static void part_write(const void *bytes, size_t n)
{
    FILE *file = fopen(part, "wb");
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
}

/* Failure: one line, the journal still there, nothing else. */
static bool recovers(void)
{
    fail_clear();
    unlink(path);
    int r = trace_recover(part, false);
    if (r == 0) {
        assert_string_equal(fail_text(), "");
        assert_true(exists(path));
        assert_int_equal(folder_count(folder), 1);
        return true;
    }
    assert_int_equal(r, -1);
    assert_non_null(strstr(fail_text(), part));
    assert_null(strchr(fail_text(), '\n'));
    assert_true(exists(part));
    assert_int_equal(folder_count(folder), 1);
    return false;
}

static void check_cut(size_t n)
{
    size_t commits = 0;
    while (commits <= NREPS && ends[commits] <= n)
        commits++;
    bool saved = recovers();
    assert_int_equal(saved, commits > 0);
    size_t expected = commits < NREPS ? commits : NREPS;
    if (saved)
        assert_int_equal(
            run_check(path, &run, expected, commits > NREPS ? "complete" : "recovered"), expected);
}

static void test_cut_anywhere(void **state)
{
    (void)state;
    for (size_t n = 0; n <= length; n++) {
        part_write(journal, n);
        check_cut(n);
    }
}

/* A power cut can leave the length without the bytes. */
static void test_zeros_at_the_end(void **state)
{
    (void)state;
    uint8_t *bytes = calloc(1, length + 5000);
    for (size_t n = 0; n <= length; n += 3) {
        memset(bytes, 0, length + 5000);
        memcpy(bytes, journal, n);
        part_write(bytes, length + 5000);
        size_t whole = n;
        while (whole < length && !journal[whole])
            whole++; /* zeros that belong */
        check_cut(whole);
    }
    free(bytes);
}

static void test_flipped_bytes(void **state)
{
    (void)state;
    uint8_t *bytes = malloc(length);
    size_t saved = 0;
    srand(20240611);
    for (int i = 0; i < 1500; i++) {
        memcpy(bytes, journal, length);
        for (int flips = 1 + rand() % 4; flips > 0; flips--)
            bytes[(size_t)rand() % length] ^= (uint8_t)(1 << rand() % 8);
        part_write(bytes, length);
        if (recovers()) {
            saved++;
            run_check(path, &run, 1, NULL);
        }
    }
    free(bytes);
    assert_in_range(saved, 100, 1499); /* both outcomes were seen */
}

/* Whole records, one by one good, in the wrong place: a disk that mixed up blocks. */
static void test_moved_records(void **state)
{
    (void)state;
    size_t starts[1000] = {0}, nstarts = 0, most = 0;
    for (size_t at = 16; at <= length; nstarts++) {
        uint64_t n = 0;
        starts[nstarts] = at;
        if (at < length)
            memcpy(&n, journal + at + 8, 8);
        at += 16 + n;
    }
    assert(nstarts > 0);
    uint8_t *bytes = malloc(2 * length);
    srand(7);
    for (int i = 0; i < 400; i++) {
        size_t a = (size_t)rand() % nstarts, b = (size_t)rand() % nstarts;
        size_t from = starts[a < b ? a : b], n = starts[a < b ? b : a] - from;
        size_t to = starts[(size_t)rand() % nstarts];
        memcpy(bytes, journal, to);
        memcpy(bytes + to, journal + from, n);
        memcpy(bytes + to + n, journal + to, length - to);
        part_write(bytes, length + n);
        size_t nreps = recovers() ? run_check(path, &run, 1, NULL) : 0;
        most = nreps > most ? nreps : most;
    }
    free(bytes);
    assert_int_equal(most, NREPS);
}

/* ---- well-formed records that lie ---- */

static uint8_t forged[4096];
static size_t forged_length;

static void forge(uint32_t kind, const void *payload, uint64_t n)
{
    uint64_t offset = forged_length;
    uint8_t *at = forged + offset;
    memcpy(at + 4, &kind, 4);
    memcpy(at + 8, &n, 8);
    memcpy(at + 16, payload, n);
    uLong crc = crc32(0, (const Bytef *)&offset, 8);
    uint32_t crc32_value = (uint32_t)crc32(crc, at + 4, (uInt)(12 + n));
    memcpy(at, &crc32_value, 4);
    forged_length += 16 + n;
}

static void forge_start(void)
{
    memcpy(forged, journal, 16);
    forged_length = 16;
    forge(RECORD_AXIS, "repetition\0m\0\0\0\0\0\0\0\0", 21);
    forge(RECORD_AXIS, "worker\0m\0\2\0\0\0\0\0\0", 17);
    forge(RECORD_TABLE, "/c\0repetition worker\0s\0m\0\0\0\0", 29);
    forge(RECORD_TABLE, "/t\0worker\0s\0m\0\6\0\0", 18);
}

/* A record between a good beginning and a good commit of two repetitions. */
static bool accepts(uint32_t kind, const void *payload, size_t n)
{
    forge_start();
    forge(kind, payload, n);
    forge(RECORD_COMMIT, "\2\0\0\0\0\0\0\0", 9);
    part_write(forged, forged_length);
    bool saved = recovers();
    assert_true(saved || strstr(fail_text(), "damaged") || strstr(fail_text(), "this version"));
    return saved;
}

static bool accepts_rows(uint32_t table, uint32_t rank, uint64_t f0, uint64_t f1, uint64_t n0,
                         uint64_t n1, size_t nbytes)
{
    uint8_t rows[256] = {0};
    uint64_t block[4] = {f0, f1, n0, n1};
    if (rank == 1)
        block[1] = n0;
    memcpy(rows, &table, 4);
    memcpy(rows + 4, &rank, 4);
    memcpy(rows + 8, block, rank == 1 ? 16 : 32);
    return accepts(RECORD_ROWS, rows, 8 + (rank == 1 ? 16 : 32) + nbytes);
}

static void test_lies(void **state)
{
    (void)state;
    const uint64_t huge = UINT64_MAX / 2;
    assert_true(accepts_rows(0, 2, 0, 0, 2, 2, 4));
    assert_true(accepts_rows(0, 2, 7, 0, 2, 2, 4)); /* not finished: does not count */
    assert_true(accepts_rows(1, 1, 0, 0, 2, 0, 2));
    assert_true(accepts(RECORD_LABEL, "k\0v", 4));
    assert_false(accepts_rows(2, 2, 0, 0, 2, 2, 4)); /* no such table */
    assert_false(accepts_rows(0, 1, 0, 0, 2, 2, 4));
    assert_false(accepts_rows(0, 200, 0, 0, 2, 2, 4));
    assert_false(accepts_rows(0, 2, 0, 1, 2, 2, 4)); /* beyond the workers */
    assert_false(accepts_rows(0, 2, 0, huge, 2, huge + 2, 4));
    assert_false(accepts_rows(0, 2, 0, 0, 0, 2, 4));
    assert_false(accepts_rows(0, 2, 0, 0, 2, 2, 3)); /* data missing */
    assert_false(accepts_rows(1, 1, 0, 0, 2, 0, 1)); /* one text of two */
    assert_false(accepts(77, "x", 1));
    assert_false(accepts(RECORD_LABEL, "kv", 2)); /* no end of text */
    assert_false(accepts(RECORD_LABEL, "k\0v\0w", 6));
    assert_false(accepts(RECORD_LABEL, "\0v", 3));
    assert_false(accepts(RECORD_NUMBER, "k\0\1", 3));
    assert_false(accepts(RECORD_AXIS, "worker\0m\0\2\0\0\0\0\0\0", 17)); /* again */
    assert_false(accepts(RECORD_AXIS, "a/b\0m\0\2\0\0\0\0\0\0", 14));
    assert_false(accepts(RECORD_AXIS, "vast\0m\0\2\0\0\0\0\0\0\x7f", 15));
    assert_false(accepts(RECORD_TABLE, "/d\0nobody\0s\0m\0\0\0\0", 18));
    assert_false(accepts(RECORD_TABLE, "/d\0worker repetition\0s\0m\0\0\0\0", 29));
    assert_false(accepts(RECORD_TABLE, "/d\0worker\0s\0m\0\7\0\0", 18)); /* no such type */
    assert_false(accepts(RECORD_TABLE, "/c\0worker\0s\0m\0\0\0\0", 18));
    assert_false(accepts(RECORD_TABLE, "/worker\0worker\0s\0m\0\0\0\0", 23));
    assert_false(accepts(RECORD_COMMIT, "\2\0\0\0\0\0\0\0", 8));
    forge_start();
    forge(RECORD_COMMIT, "\2\0\0\0\0\0\0\x10", 9);
    part_write(forged, forged_length);
    assert_false(recovers()); /* 2^60 repetitions */
}

/* 16 workers along 8 axes are 2^32 elements; 2^28 along 3 are beyond 2^64. */
static void test_sizes_multiply(void **state)
{
    (void)state;
    forge_start();
    forge(RECORD_AXIS, "wide\0m\0\0\0\0\x10\0\0\0\0", 15);
    forge(RECORD_TABLE, "/d\0wide wide wide\0s\0m\0\0\0\0", 26);
    forge(RECORD_COMMIT, "\2\0\0\0\0\0\0\0", 9);
    part_write(forged, forged_length);
    assert_false(recovers());
}

static void test_not_a_journal(void **state)
{
    (void)state;
    char other[64];
    snprintf(other, sizeof other, "%s/other", folder);
    assert_int_equal(trace_recover(other, false), -1);
    assert_non_null(strstr(fail_text(), ".part"));
    folder_empty(folder);
    fail_clear();
    assert_int_equal(trace_recover(part, false), -1);
    assert_non_null(strstr(fail_text(), "No such file"));
    fail_clear();
    assert_int_equal(mkdir(part, 0777), 0);
    assert_int_equal(trace_recover(part, false), -1);
    assert_non_null(strstr(fail_text(), "not a journal"));
    rmdir(part);
    part_write("#!/bin/sh\necho hello, this is a shell script\n", 45);
    assert_false(recovers());
}

static void test_target_in_the_way(void **state)
{
    (void)state;
    part_write(journal, length);
    FILE *file = fopen(path, "w");
    fputs("precious", file);
    fclose(file);
    fail_clear();
    assert_int_equal(trace_recover(part, false), -1);
    assert_non_null(strstr(fail_text(), "exists"));
    assert_int_equal(folder_count(folder), 2);
    fail_clear();
    assert_int_equal(trace_recover(part, true), 0);
    assert_int_equal(run_check(path, &run, NREPS, "complete"), NREPS);
    assert_int_equal(folder_count(folder), 1);
}

int main(void)
{
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cut_anywhere),  cmocka_unit_test(test_zeros_at_the_end),
        cmocka_unit_test(test_flipped_bytes), cmocka_unit_test(test_moved_records),
        cmocka_unit_test(test_lies),          cmocka_unit_test(test_sizes_multiply),
        cmocka_unit_test(test_not_a_journal), cmocka_unit_test(test_target_in_the_way),
    };
    return cmocka_run_group_tests(tests, journal_make, folder_drop);
}
