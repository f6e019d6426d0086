/* A trace holds what was written, or does not exist: no file under the real
 * name is ever partial, and none is replaced unasked. */
#include "drivers/fail.h"
#include "drivers/trace/trace.h"
#include "tests/t3_folder.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>

static const struct run small = {.nworkers = 3, .nbins = 10, .detours = true, .wide = true};

static int run_write(const struct run *run, size_t nreps, const char *status, bool force)
{
    struct trace *t;
    if (trace_create(&t, path, force) < 0)
        return -1;
    const int r = run_describe(t, run) < 0 ? -1 : run_commit(t, run, 0, nreps);
    return trace_close(&t, status) < 0 || t ? -1 : r;
}

static void check_refused(int r, const char *why)
{
    assert_int_equal(r, -1);
    assert_non_null(strstr(fail_text(), why));
    assert_null(strchr(fail_text(), '\n'));
    fail_clear();
}

static void precious_write(const char *name)
{
    FILE *file = fopen(name, "w");
    fputs("precious", file);
    assert_int_equal(fclose(file), 0);
}

static void precious_check(const char *name)
{
    char text[16] = "";
    FILE *file = fopen(name, "r");
    assert_non_null(file);
    assert_non_null(fgets(text, sizeof text, file));
    fclose(file);
    assert_string_equal(text, "precious");
}

static void test_every_type(void **state)
{
    (void)state;
    const struct run runs[] = {
        small,
        {1, 1, true, false},
        {1, 1000, true, false},
        {65, 1025, true, false}, /* one more than a chunk, both ways */
        {300, 2, false, false},
        {2, 300000, false, false}, /* more than two chunks cached */
    };
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++)
        for (size_t nreps = 0; nreps < 5; nreps += 1 + nreps) {
            folder_each(NULL);
            assert_int_equal(run_write(&runs[i], nreps, "interrupted", false), 0);
            assert_int_equal(run_check(path, &runs[i], nreps, "interrupted"), nreps);
            assert_int_equal(folder_count(folder), 1);
        }
}

static void test_many_short_repetitions(void **state)
{
    (void)state;
    const struct run run = {.nworkers = 3, .nbins = 7};
    assert_int_equal(run_write(&run, 700, "complete", false), 0);
    assert_int_equal(run_check(path, &run, 700, "complete"), 700);
}

/* A 3-axis chunk of 64 rows by all bins beyond 64 MiB: another shape, same numbers. */
static void test_long_axis(void **state)
{
    (void)state;
    const struct run run = {.nworkers = 70, .nbins = 300000};
    assert_int_equal(run_write(&run, 1, "complete", false), 0);
    assert_int_equal(run_check(path, &run, 1, "complete"), 1);
}

static void test_what_was_not_given(void **state)
{
    (void)state;
    struct trace *t;
    const struct table a = {"/a", "repetition worker", TABLE_U32, "1", "a"};
    const struct table b = {"/b", "repetition worker", TABLE_F64, "", "b"};
    const struct table c = {"/c", "worker", TABLE_I32, "", "c"};
    assert_int_equal(trace_create(&t, path, false), 0);
    assert_int_equal(trace_axis(t, "repetition", 0, ""), 0);
    assert_int_equal(trace_axis(t, "worker", 2, ""), 0);
    assert_int_equal(trace_table(t, &a) | trace_table(t, &b) | trace_table(t, &c), 0);
    assert_int_equal(trace_rows(t, "/a", (size_t[]){1, 1}, (size_t[]){1, 1}, &(uint32_t){7}), 0);
    assert_int_equal(trace_commit(t, 2), 0);
    assert_int_equal(trace_close(&t, "complete"), 0);
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    uint32_t *as = table_read(file, "/a", H5T_NATIVE_UINT32, 4);
    double *bs = table_read(file, "/b", H5T_NATIVE_DOUBLE, 4);
    int32_t *cs = table_read(file, "/c", H5T_NATIVE_INT32, 2);
    for (int i = 0; i < 4; i++) {
        assert_true(as[i] == (i == 3 ? 7 : UINT32_MAX));
        assert_true(bs[i] != bs[i]);
    }
    assert_true(cs[0] == -1 && cs[1] == -1);
    free(as);
    free(bs);
    free(cs);
    H5Fclose(file);
}

static void test_unfinished_repetitions_do_not_count(void **state)
{
    (void)state;
    struct trace *t;
    assert_int_equal(trace_create(&t, path, false), 0);
    assert_int_equal(run_describe(t, &small), 0);
    assert_int_equal(run_repeat(t, &small, 0), 0);
    assert_int_equal(trace_commit(t, 1), 0);
    uint32_t counts[10] = {0};
    assert_int_equal(trace_rows(t, "/counts", (size_t[]){1, 0, 0}, (size_t[]){1, 1, 10}, counts),
                     0);
    assert_int_equal(trace_close(&t, "interrupted"), 0);
    assert_int_equal(run_check(path, &small, 1, "interrupted"), 1);
}

/* Rows that straddle the last finished repetition are cut there. */
static void test_block_over_the_edge(void **state)
{
    (void)state;
    struct trace *t;
    const struct table a = {"/a", "repetition", TABLE_I32, "1", "a"};
    const struct table b = {"/b", "repetition", TABLE_TEXT, "", "b"};
    assert_int_equal(trace_create(&t, path, false), 0);
    assert_int_equal(trace_axis(t, "repetition", 9, ""), 0);
    assert_int_equal(trace_table(t, &a) | trace_table(t, &b), 0);
    const int32_t numbers[] = {5, 6, 7, 8};
    assert_int_equal(trace_rows(t, "/a", (size_t[]){0}, (size_t[]){4}, numbers), 0);
    assert_int_equal(trace_rows(t, "/b", (size_t[]){0}, (size_t[]){3}, "x\0y\0z"), 0);
    assert_int_equal(trace_commit(t, 2), 0);
    assert_int_equal(trace_close(&t, "complete"), 0);
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    int32_t *as = table_read(file, "/a", H5T_NATIVE_INT32, 2);
    assert_true(as[0] == 5 && as[1] == 6);
    free(as);
    H5Fclose(file);
}

static void test_existing_file_is_left_alone(void **state)
{
    (void)state;
    struct trace *t = NULL;
    precious_write(path);
    check_refused(trace_create(&t, path, false), "exists");
    assert_null(t);
    precious_check(path);
    assert_int_equal(folder_count(folder), 1);

    precious_write(part);
    unlink(path);
    check_refused(trace_create(&t, path, false), "bindot-serial recover");
    precious_check(part);
}

static void test_force_replaces_last(void **state)
{
    (void)state;
    struct trace *t;
    precious_write(path);
    precious_write(part);
    assert_int_equal(trace_create(&t, path, true), 0);
    assert_int_equal(run_describe(t, &small), 0);
    assert_int_equal(run_repeat(t, &small, 0), 0);
    assert_int_equal(trace_commit(t, 1), 0);
    precious_check(path);
    assert_int_equal(trace_close(&t, "complete"), 0);
    assert_int_equal(run_check(path, &small, 1, "complete"), 1);
    assert_int_equal(folder_count(folder), 1);
}

static void test_name_taken_meanwhile(void **state)
{
    (void)state;
    struct trace *t;
    assert_int_equal(trace_create(&t, path, false), 0);
    assert_int_equal(run_describe(t, &small), 0);
    assert_int_equal(run_repeat(t, &small, 0), 0);
    assert_int_equal(trace_commit(t, 1), 0);
    precious_write(path);
    check_refused(trace_close(&t, "complete"), "recover");
    assert_null(t);
    precious_check(path);
    assert_int_equal(folder_count(folder), 2); /* and the journal */
    unlink(path);
    assert_int_equal(trace_recover(part, false), 0);
    assert_int_equal(run_check(path, &small, 1, "complete"), 1);
}

static void test_drop_leaves_nothing(void **state)
{
    (void)state;
    struct trace *t;
    assert_int_equal(trace_create(&t, path, false), 0);
    assert_int_equal(run_describe(t, &small), 0);
    trace_drop(&t);
    assert_null(t);
    trace_drop(&t);
    assert_int_equal(folder_count(folder), 0);
}

static void test_places_that_cannot_be_written(void **state)
{
    (void)state;
    struct trace *t;
    char name[128], longest[300];
    snprintf(name, sizeof name, "%s/none/x.h5", folder);
    check_refused(trace_create(&t, name, false), "No such file or directory");
    check_refused(trace_create(&t, folder, true), "is a directory");
    check_refused(trace_create(&t, "", false), "without a name");
    precious_write(path);
    snprintf(name, sizeof name, "%s/y.h5", path);
    check_refused(trace_create(&t, name, false), "Not a directory");
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    check_refused(trace_create(&t, longest, false), "too long");
    assert_int_equal(symlink("/dev/full", part), 0);
    check_refused(trace_create(&t, path, true), "symbolic links");
}

/* 0: written; 1: refused for the right reason. */
static int write_with_limit(rlim_t limit)
{
    int status;
    pid_t child = fork();
    if (!child) {
        const struct run run = {.nworkers = 2, .nbins = 1000};
        setrlimit(RLIMIT_FSIZE, &(struct rlimit){limit, limit});
        int r = run_write(&run, 3, "complete", false);
        _exit(r == 0 ? 0 : strstr(fail_text(), "File too large") ? 1 : 2);
    }
    waitpid(child, &status, 0);
    assert_true(WIFEXITED(status)); /* SIGXFSZ would kill */
    return WEXITSTATUS(status);
}

/* A disk that fills up at any point, as far as a file size limit plays it. */
static void test_file_size_limit(void **state)
{
    (void)state;
    int code = 1;
    rlim_t limit = 0;
    for (; code && limit < 1000000; limit += 1009) {
        folder_each(NULL);
        code = write_with_limit(limit);
        assert_in_range(code, 0, 1);
        assert_int_equal(exists(path), code == 0);
        assert_int_equal(folder_count(folder), limit || !code ? 1 : 0);
    }
    assert_in_range(limit, 10000, 999999);
}

static void test_folder_of_somebody_else(void **state)
{
    (void)state;
    chmod(folder, 0500);
    pid_t child = fork();
    if (!child) {
        struct trace *t;
        if (!geteuid() && setuid(65534))
            _exit(3);
        int r = trace_create(&t, path, false);
        _exit(r == -1 && strstr(fail_text(), "Permission denied") ? 0 : 1);
    }
    int status;
    waitpid(child, &status, 0);
    chmod(folder, 0700);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_running_run_is_not_recovered(void **state)
{
    (void)state;
    struct trace *t, *other;
    assert_int_equal(trace_create(&t, path, false), 0);
    assert_int_equal(trace_commit(t, 0), 0);
    check_refused(trace_recover(part, false), "still going");
    check_refused(trace_create(&other, path, true), "still going");
    assert_int_equal(trace_close(&t, "complete"), 0);
    assert_int_equal(folder_count(folder), 1);
}

/* SIGKILL at any moment, of the start or after some repetitions: what the child said was committed
 * is there. */
static void test_killed_at_random(void **state)
{
    (void)state;
    const struct run run = {.nworkers = 4, .nbins = 2000, .detours = true};
    size_t recovered = 0;
    srand(99);
    for (int i = 0; i < 60; i++) {
        int said[2];
        size_t committed = 0;
        folder_each(NULL);
        assert_int_equal(pipe(said), 0);
        pid_t child = fork();
        if (!child) {
            struct trace *t;
            int r = trace_create(&t, path, false) | run_describe(t, &run);
            for (size_t k = 0; !r && k < 12; k++)
                r = run_repeat(t, &run, k) | trace_commit(t, k + 1) | (write(said[1], "x", 1) != 1);
            _exit(r | trace_close(&t, "complete"));
        }
        close(said[1]);
        char c;
        for (int wanted = rand() % 4; wanted > 0 && read(said[0], &c, 1) == 1; wanted--)
            committed++;
        usleep((useconds_t)(rand() % 12000));
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        while (read(said[0], &c, 1) == 1)
            committed++;
        close(said[0]);
        if (!exists(path) && trace_recover(part, false) < 0) {
            assert_int_equal(committed, 0);
            continue;
        }
        recovered++;
        run_check(path, &run, committed, NULL);
    }
    assert_in_range(recovered, 1, 60);
}

/* 180 MB, half of it in chunks that stay incomplete, through a process that may
 * grow by 16 MB. */
static void test_memory_stays_small(void **state)
{
    (void)state;
#if defined(__SANITIZE_ADDRESS__)
    skip();
#endif
    pid_t child = fork();
    if (!child) {
        struct rusage before, after;
        const struct run run = {.nworkers = 2048, .nbins = 1100};
        getrusage(RUSAGE_SELF, &before);
        int r = run_write(&run, 20, "complete", false);
        getrusage(RUSAGE_SELF, &after);
        _exit(r ? 1 : after.ru_maxrss - before.ru_maxrss > 16 * 1024 ? 2 : 0);
    }
    int status;
    waitpid(child, &status, 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    const struct CMUnitTest tests[] = {
        EACH(test_every_type),
        EACH(test_many_short_repetitions),
        EACH(test_long_axis),
        EACH(test_what_was_not_given),
        EACH(test_unfinished_repetitions_do_not_count),
        EACH(test_block_over_the_edge),
        EACH(test_existing_file_is_left_alone),
        EACH(test_force_replaces_last),
        EACH(test_name_taken_meanwhile),
        EACH(test_drop_leaves_nothing),
        EACH(test_places_that_cannot_be_written),
        EACH(test_file_size_limit),
        EACH(test_folder_of_somebody_else),
        EACH(test_running_run_is_not_recovered),
        EACH(test_killed_at_random),
        EACH(test_memory_stays_small),
    };
    return cmocka_run_group_tests(tests, folder_begin, folder_end);
}
