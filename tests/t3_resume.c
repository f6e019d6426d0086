/* A run that goes on loses nothing of what was finished, wherever it was cut, and a run
 * that does not go on after all changes nothing. */
#include "drivers/fail.h"
#include "drivers/trace/trace.h"
#include "tests/t3_folder.h"

#include <sys/resource.h>
#include <sys/wait.h>

static const struct run small = {.nworkers = 3, .nbins = 10, .detours = true};

/* Repetitions 0 to n - 1, as a trace with that status, or as a journal (NULL). */
static void write_run(size_t n, const char *status)
{
    struct trace *t;
    assert_int_equal(trace_create(&t, path, false), 0);
    assert_int_equal(trace_label(t, "run_id", "one"), 0);
    assert_int_equal(run_describe(t, &small), 0);
    assert_int_equal(run_commit(t, &small, 0, n), 0);
    if (status)
        assert_int_equal(trace_close(&t, status), 0);
    else
        trace_drop(&t);
}

static size_t contents(const char *name, char *bytes, size_t room)
{
    FILE *file = fopen(name, "rb");
    assert_non_null(file);
    const size_t n = fread(bytes, 1, room, file);
    assert_int_equal(fclose(file), 0);
    return n;
}

static void restore(const char *name, const char *bytes, size_t n)
{
    FILE *file = fopen(name, "wb");
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
}

/* From `before` repetitions to `end`, and all of them are right. */
static void go_on(size_t before, size_t end)
{
    struct trace *t;
    struct trace_past past;
    assert_int_equal(trace_resume(&t, path, &past), 0);
    assert_int_equal(past.repetitions, before);
    assert_false(past.complete);
    assert_int_equal(run_describe(t, &small), 0);
    assert_int_equal(trace_reach(t, "/detours/length_ns"), before * (before + 1) / 2);
    assert_int_equal(trace_reach(t, "/workers/cpu"), 0);
    double *rates = calloc(before + 1, sizeof *rates);
    if (before)
        assert_int_equal(trace_past_rows(t, "/results/rate", rates, before * sizeof *rates), 0);
    for (size_t i = 0; i < before; i++)
        assert_true(rates[i] == (double)i + 0.5);
    free(rates);
    assert_int_equal(run_commit(t, &small, before, end), 0);
    assert_int_equal(trace_close(&t, "complete"), 0);
    assert_int_equal(run_check(path, &small, end, "complete"), end);
    assert_int_equal(folder_count(folder), 1);
}

static void test_from_a_trace(void **state)
{
    (void)state;
    write_run(3, "interrupted");
    go_on(3, 5);
}

static void test_from_nothing(void **state)
{
    (void)state;
    go_on(0, 2);
}

/* Wherever it is cut, as many repetitions go on as had been committed by then. */
static void test_from_a_journal_cut_anywhere(void **state)
{
    (void)state;
    static char bytes[1 << 16];
    size_t ends[4] = {0};
    for (size_t n = 1; n <= 3; n++) {
        write_run(n, NULL);
        ends[n] = contents(part, bytes, sizeof bytes);
        unlink(part);
    }
    write_run(3, NULL);
    assert_int_equal(contents(part, bytes, sizeof bytes), ends[3]);
    unlink(part);
    for (size_t cut = 0; cut <= ends[3];
         cut += cut + 97 < ends[3] || cut == ends[3] ? 97 : ends[3] - cut) {
        restore(part, bytes, cut);
        size_t n = 0;
        while (n < 3 && ends[n + 1] <= cut)
            n++;
        go_on(n, 4);
        unlink(path);
    }
}

static bool binds(const char *key)
{
    return strcmp(key, "done") != 0;
}

static int fits(struct trace *t)
{
    static const char *const tables[] = {"/workers/cpu", "/nodes/hostname", NULL};
    return trace_fits(t, &(struct trace_same){binds, tables});
}

/* Told alike, it fits; told otherwise, the first difference is named, and leaving it
 * changes no byte. */
static void test_what_does_not_fit_is_left_alone(void **state)
{
    (void)state;
    static char before[1 << 20], after[1 << 20];
    struct trace *t;
    struct trace_past past;
    for (int from_trace = 0; from_trace < 2; from_trace++) {
        write_run(2, from_trace ? "interrupted" : NULL);
        const char *source = from_trace ? path : part;
        const size_t n = contents(source, before, sizeof before);
        assert_int_equal(trace_resume(&t, path, &past), 0);
        assert_int_equal(trace_label(t, "run_id", "one"), 0);
        assert_int_equal(run_describe(t, &small), 0);
        assert_int_equal(fits(t), 0);
        assert_int_equal(trace_rows(t, "/workers/cpu", (size_t[]){0}, (size_t[]){1}, &(int32_t){7}),
                         0);
        assert_int_equal(fits(t), 0); /* it is the first value that was told */
        assert_int_equal(trace_number(t, "bin_width_ns", 5), 0);
        assert_int_equal(fits(t), -1);
        assert_non_null(strstr(fail_text(), "bin_width_ns -9223372036854775808, and now it is 5"));
        assert_int_equal(trace_leave(&t), 0);
        assert_int_equal(contents(source, after, sizeof after), n);
        assert_memory_equal(before, after, n);
        assert_int_equal(folder_count(folder), 1);
        fail_clear();
        unlink(source);
    }
}

/* In a process of its own, for HDF5 is not what it was after a write has failed: with a
 * journal's last line, but no room for the trace; or with no room for the journal. */
static void with_little_room(size_t nbytes, bool closes)
{
    int status;
    const pid_t child = fork();
    if (!child) {
        struct trace *t;
        struct trace_past past;
        struct rlimit limit;
        getrlimit(RLIMIT_FSIZE, &limit);
        limit.rlim_cur = nbytes;
        setrlimit(RLIMIT_FSIZE, &limit);
        const int r = trace_resume(&t, path, &past);
        _exit(closes ? r != 0 || trace_close(&t, "complete") != -1 : r != -1);
    }
    waitpid(child, &status, 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* It had ended but for its trace: it gets that. */
static void test_a_journal_of_a_run_that_had_ended(void **state)
{
    (void)state;
    static char bytes[1 << 16];
    struct trace *t;
    struct trace_past past;
    write_run(2, NULL);
    with_little_room(contents(part, bytes, sizeof bytes) + 100, true);
    assert_int_equal(trace_resume(&t, path, &past), 0);
    assert_true(past.complete);
    assert_int_equal(trace_leave(&t), 1);
    assert_int_equal(run_check(path, &small, 2, "complete"), 2);
    assert_int_equal(folder_count(folder), 1);
}

/* A disk that is full when a trace is made a journal again: the trace stays, alone. */
static void test_a_full_disk_leaves_the_trace(void **state)
{
    (void)state;
    write_run(3, "interrupted");
    with_little_room(700, false);
    assert_int_equal(folder_count(folder), 1);
    go_on(3, 4);
}

int main(void)
{
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    const struct CMUnitTest tests[] = {
        EACH(test_from_a_trace),
        EACH(test_from_nothing),
        EACH(test_from_a_journal_cut_anywhere),
        EACH(test_what_does_not_fit_is_left_alone),
        EACH(test_a_journal_of_a_run_that_had_ended),
        EACH(test_a_full_disk_leaves_the_trace),
    };
    return cmocka_run_group_tests(tests, folder_begin, folder_end);
}
