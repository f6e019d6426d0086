/* Is a trace file the run of t3_run.h? Reads with HDF5 itself. */
#ifndef BINDOT_T3_CHECK_H
#define BINDOT_T3_CHECK_H

#include "tests/t3_run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <hdf5.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* A folder of this test's own, in memory where possible: fsync is free there. */
static inline char *folder_make(void)
{
    static char name[2][32] = {"/dev/shm/bindot-t3-XXXXXX", "/tmp/bindot-t3-XXXXXX"};
    char *folder = mkdtemp(name[0]);
    folder = folder ? folder : mkdtemp(name[1]);
    assert_non_null(folder);
    return folder;
}

/* Files in folder, whatever their names. */
static inline int folder_count(const char *folder)
{
    int n = 0;
    DIR *dir = opendir(folder);
    for (struct dirent *entry; (entry = readdir(dir));)
        n += entry->d_name[0] != '.' || strspn(entry->d_name, ".") != strlen(entry->d_name);
    closedir(dir);
    return n;
}

static inline void folder_empty(const char *folder)
{
    char path[512];
    DIR *dir = opendir(folder);
    for (struct dirent *entry; (entry = readdir(dir));) {
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        unlink(path);
    }
    closedir(dir);
}

static inline bool exists(const char *path)
{
    struct stat info;
    return !lstat(path, &info);
}

/* The whole of a table, which must have n elements. The caller frees. */
static inline void *table_read(hid_t file, const char *name, hid_t type, size_t n)
{
    hid_t set = H5Dopen2(file, name, H5P_DEFAULT);
    assert_true(set >= 0);
    hid_t space = H5Dget_space(set);
    assert_int_equal(H5Sget_simple_extent_npoints(space), n);
    void *data = calloc(n + 1, 8);
    assert_true(H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0);
    H5Sclose(space);
    H5Dclose(set);
    return data;
}

static inline int64_t number_read(hid_t file, const char *object, const char *name)
{
    int64_t number = -12345;
    hid_t attribute = H5Aopen_by_name(file, object, name, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(attribute >= 0);
    assert_true(H5Aread(attribute, H5T_NATIVE_INT64, &number) >= 0);
    H5Aclose(attribute);
    return number;
}

static inline void text_check(hid_t file, const char *object, const char *name, const char *text)
{
    static char found[WIDE + 8];
    memset(found, 0, sizeof found);
    hid_t attribute = H5Aopen_by_name(file, object, name, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(attribute >= 0);
    hid_t type = H5Aget_type(attribute);
    assert_true(H5Tget_size(type) < sizeof found);
    assert_true(H5Tget_cset(type) == H5T_CSET_UTF8 && !H5Tis_variable_str(type));
    assert_true(H5Aread(attribute, type, found) >= 0);
    H5Tclose(type);
    H5Aclose(attribute);
    if (text)
        assert_string_equal(found, text);
    else
        assert_int_equal(strspn(found, "x"), WIDE);
}

static inline void run_check_repetitions(hid_t file, const struct run *run, size_t nreps)
{
    size_t W = run->nworkers, B = run->nbins;
    uint32_t *counts = table_read(file, "/counts", H5T_NATIVE_UINT32, nreps * W * B);
    int64_t *starts = table_read(file, "/start_ns", H5T_NATIVE_INT64, nreps * W);
    double *rates = table_read(file, "/results/rate", H5T_NATIVE_DOUBLE, nreps);
    size_t ndetours = run->detours ? nreps * (nreps + 1) / 2 : 0, d = 0;
    int64_t *lengths = table_read(file, "/detours/length_ns", H5T_NATIVE_INT64, ndetours);
    for (size_t r = 0; r < nreps; r++) {
        assert_true(rates[r] == (double)r + 0.5);
        for (size_t w = 0; w < W; w++) {
            assert_true(starts[r * W + w] == (int64_t)(1000 * r + w) - 1);
            for (size_t b = 0; b < B; b++)
                if (counts[(r * W + w) * B + b] != run_count(r, w, b))
                    fail_msg("counts[%zu][%zu][%zu] is wrong", r, w, b);
        }
        for (size_t i = 0; i <= r && run->detours; i++)
            assert_int_equal(lengths[d++], r);
    }
    free(counts);
    free(starts);
    free(rates);
    free(lengths);
}

static inline void run_check_workers(hid_t file, const struct run *run)
{
    int32_t *cpus = table_read(file, "/workers/cpu", H5T_NATIVE_INT32, run->nworkers);
    uint8_t *bounds = table_read(file, "/workers/bound", H5T_NATIVE_UINT8, run->nworkers);
    uint64_t *works = table_read(file, "/workers/work", H5T_NATIVE_UINT64, run->nworkers);
    for (size_t w = 0; w < run->nworkers; w++) {
        assert_int_equal(cpus[w], (int32_t)w - 1);
        assert_int_equal(bounds[w], w % 2);
        assert_true(works[w] == UINT64_MAX - 1 - w);
    }
    free(cpus);
    free(bounds);
    free(works);
    hid_t text = H5Tcopy(H5T_C_S1);
    H5Tset_size(text, H5T_VARIABLE);
    H5Tset_cset(text, H5T_CSET_UTF8);
    char **names = table_read(file, "/nodes/hostname", text, 2);
    assert_string_equal(names[0], "n\xc3\xb6");
    assert_string_equal(names[1], "n\xef\xbf\xbd");
    free(names[0]);
    free(names[1]);
    free(names);
    H5Tclose(text);
}

/* Returns how many repetitions there are, all of them right; no less than
 * `least`. status: NULL if either will do. */
static inline size_t run_check(const char *path, const struct run *run, size_t least,
                               const char *status)
{
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    assert_true(file >= 0);
    size_t nreps = (size_t)number_read(file, "/", "repetitions");
    assert_in_range(nreps, least, 1000);
    run_check_repetitions(file, run, nreps);
    run_check_workers(file, run);
    free(table_read(file, "/repetition", H5T_NATIVE_INT64, nreps));
    text_check(file, "/", "format", "bindot-trace");
    text_check(file, "/", "format_version", "1.0");
    text_check(file, "/", "Conventions", "CF-1.10");
    text_check(file, "/", "kernel", "binning");
    text_check(file, "/", "title", "");
    text_check(file, "/provenance", "compiler", "gcc \xef\xbf\xbd\xc3\xa9");
    text_check(file, "/workers/bound", "flag_meanings", "no yes");
    text_check(file, "/counts", "units", "1");
    text_check(file, "/counts", "long_name", "finished units");
    assert_true(H5Aexists_by_name(file, "/workers/cpu", "units", H5P_DEFAULT) == 0);
    assert_true(number_read(file, "/", "bin_width_ns") == INT64_MIN);
    assert_int_equal(number_read(file, "/counts", "missing_marker"), UINT32_MAX);
    if (nreps)
        assert_int_equal(number_read(file, "/", "done"), nreps);
    if (run->wide)
        text_check(file, "/provenance/environment", "WIDE", NULL);
    if (status)
        text_check(file, "/", "status", status);
    assert_true(H5Fclose(file) >= 0);
    return nreps;
}

#endif
