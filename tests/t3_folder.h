/* One folder for all tests of a program: emptied before and after each. */
#ifndef BINDOT_T3_FOLDER_H
#define BINDOT_T3_FOLDER_H

#include "drivers/fail.h"
#include "tests/t3_check.h"

static char *folder, path[64], part[80];

static inline int folder_begin(void **state)
{
    (void)state;
    folder = folder_make();
    snprintf(path, sizeof path, "%s/x.h5", folder);
    snprintf(part, sizeof part, "%s.part", path);
    return 0;
}

static inline int folder_end(void **state)
{
    (void)state;
    return rmdir(folder);
}

static inline int folder_each(void **state)
{
    (void)state;
    folder_empty(folder);
    fail_clear();
    return 0;
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, folder_each, folder_each)

#endif
