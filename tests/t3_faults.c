/* Each call that changes a file fails in turn, once or for good. A failure is
 * one line, the old file, no litter and a journal that can be saved; a success
 * is the whole file. Nothing in between, and no signal. */
#include "drivers/fail.h"
#include "drivers/trace/trace.h"
#include "tests/t3_folder.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

enum { NREPS = 3 };

static struct run run;
static char log_file[80], said_file[80], said[2000];

static int run_small(void **state)
{
    (void)state;
    run = (struct run){.nworkers = 4, .nbins = 1000, .detours = true, .wide = true};
    return 0;
}

/* More than the chunk cache holds: H5Dwrite itself meets the full disk. */
static int run_large(void **state)
{
    (void)state;
    run = (struct run){.nworkers = 200, .nbins = 1100, .detours = true, .wide = true};
    return 0;
}

static int files_begin(void **state)
{
    folder_begin(state);
    snprintf(log_file, sizeof log_file, "%s.log", folder);
    snprintf(said_file, sizeof said_file, "%s.said", folder);
    return 0;
}

static int files_end(void **state)
{
    folder_empty(folder);
    unlink(log_file);
    unlink(said_file);
    return folder_end(state);
}

static void child_run(long at, const char *how, bool ever, bool force)
{
    char number[24], nworkers[24], nbins[24];
    snprintf(number, sizeof number, "%ld", at);
    snprintf(nworkers, sizeof nworkers, "%zu", run.nworkers);
    snprintf(nbins, sizeof nbins, "%zu", run.nbins);
    setenv("FAILING_AT", number, 1);
    setenv("FAILING_HOW", how, 1);
    setenv("FAILING_LOG", log_file, 1);
    if (ever)
        setenv("FAILING_EVER", "1", 1);
    setenv("LD_PRELOAD", FAILING_WRITES, 1);
    setenv("ASAN_OPTIONS", "verify_asan_link_order=0", 1);
    int fd = open(said_file, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    dup2(fd, STDERR_FILENO);
    execl(WRITE_TRACE, WRITE_TRACE, path, "--wide", "--workers", nworkers, "--bins", nbins,
          force ? "--force" : NULL, (char *)NULL);
    _exit(127);
}

/* The program's exit code; what it said is in `said`. */
static int write_with_fault(long at, const char *how, bool ever, bool force)
{
    int status;
    pid_t child = fork();
    if (!child)
        child_run(at, how, ever, force);
    assert_int_equal(waitpid(child, &status, 0), child);
    FILE *file = fopen(said_file, "r");
    said[fread(said, 1, sizeof said - 1, file)] = '\0';
    fclose(file);
    if (!WIFEXITED(status))
        fail_msg("call %ld, %s: signal %d: %s", at, how, WTERMSIG(status), said);
    return WEXITSTATUS(status);
}

/* The calls of the last program, a letter each. */
static const char *calls(void)
{
    static char letters[4096];
    FILE *file = fopen(log_file, "r");
    assert_non_null(file);
    letters[fread(letters, 1, sizeof letters - 1, file)] = '\0';
    fclose(file);
    return letters;
}

static void precious_write(void)
{
    FILE *file = fopen(path, "w");
    fputs("precious", file);
    fclose(file);
}

static bool is_precious(void)
{
    char text[16] = "";
    FILE *file = fopen(path, "r");
    if (!file)
        return false;
    bool is = fgets(text, sizeof text, file) && !strcmp(text, "precious");
    fclose(file);
    return is;
}

static void check_failure(long at, bool force)
{
    const char *end = strchr(said, '\n');
    if (!end || end[1] || !strstr(said, "No space left on device"))
        fail_msg("call %ld: not one good line: %s", at, said);
    bool journal = exists(part), before = force ? is_precious() : !exists(path);
    assert_int_equal(folder_count(folder), journal + exists(path));
    if (!journal) {
        assert_true(before); /* not even begun: nothing is lost */
        return;
    }
    if (!before) {
        /* Only the folder could not be synced: there are both. */
        assert_non_null(strstr(said, "is whole"));
        run_check(path, &run, NREPS, "complete");
    }
    fail_clear();
    if (trace_recover(part, true) == 0)
        run_check(path, &run, strstr(said, "nothing is lost") ? NREPS : 1, NULL);
    else /* none was finished, and nobody said that it can be saved */
        assert_null(strstr(said, "recover"));
}

static void sweep(const char *how, bool ever, bool force, bool may_fail)
{
    folder_empty(folder);
    assert_int_equal(write_with_fault(0, how, false, false), 0);
    long ncalls = (long)strlen(calls()), nfailed = 0;
    assert_in_range(ncalls, 20, 2000);
    for (long at = 1; at <= ncalls; at++) {
        folder_empty(folder);
        if (force)
            precious_write();
        int code = write_with_fault(at, how, ever, force);
        if (code == 0) {
            run_check(path, &run, NREPS, "complete");
            assert_int_equal(folder_count(folder), 1);
            continue;
        }
        nfailed++;
        if (code != 1 || !may_fail)
            fail_msg("call %ld, %s: exit %d: %s", at, how, code, said);
        check_failure(at, force);
    }
    print_message("%ld calls, %s%s%s: %ld failures\n", ncalls, how, ever ? " for good" : "",
                  force ? ", over an old file" : "", nfailed);
    if (may_fail)
        assert_int_equal(nfailed, ncalls); /* no failure goes unnoticed */
}

static void test_full_once(void **state)
{
    (void)state;
    sweep("error", false, false, true);
}

static void test_full_once_with_old_file(void **state)
{
    (void)state;
    sweep("error", false, true, true);
}

static void test_full_for_good(void **state)
{
    (void)state;
    sweep("error", true, false, true);
}

static void test_full_for_good_with_old_file(void **state)
{
    (void)state;
    sweep("error", true, true, true);
}

static void test_short_and_interrupted_writes(void **state)
{
    (void)state;
    sweep("short", false, false, false);
    sweep("short", true, false, false);
    sweep("interrupt", false, false, false);
}

/* What a power cut may not undo is synced before anything relies on it. */
static void test_order_of_syncs(void **state)
{
    (void)state;
    folder_empty(folder);
    assert_int_equal(write_with_fault(0, "none", false, false), 0);
    const char *all = calls(), *end = all + strlen(all);
    size_t ncommits = 0;
    for (const char *at = all; (at = strstr(at, "wd")); at++)
        ncommits++;
    assert_int_equal(ncommits, NREPS + 1);
    assert_true(strchr(all, 'f') < strchr(all, 'd')); /* the journal's name */
    assert_string_equal(end - 3, "frf");              /* bytes, name, folder */
}

static void test_kernel_without_renameat2(void **state)
{
    (void)state;
    folder_empty(folder);
    assert_int_equal(write_with_fault(0, "old", false, false), 0);
    run_check(path, &run, NREPS, "complete");
    assert_int_equal(folder_count(folder), 1);
}

int main(void)
{
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
#define SMALL(test) cmocka_unit_test_setup(test, run_small)
    const struct CMUnitTest tests[] = {
        SMALL(test_full_once),
        SMALL(test_full_once_with_old_file),
        SMALL(test_full_for_good),
        SMALL(test_full_for_good_with_old_file),
        cmocka_unit_test_setup(test_full_once, run_large),
        SMALL(test_short_and_interrupted_writes),
        SMALL(test_order_of_syncs),
        SMALL(test_kernel_without_renameat2),
    };
    return cmocka_run_group_tests(tests, files_begin, files_end);
}
