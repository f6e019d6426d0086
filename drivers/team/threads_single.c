#include "drivers/team/threads.h"

#include <assert.h>

static int wanted(void)
{
    return 1;
}

static bool binds(void)
{
    return false;
}

static int most(void)
{
    return 1;
}

static void run(int n, void (*body)(int row, void *of), void *of)
{
    assert(n == 1);
    body(0, of);
}

static void meet(void)
{
}

const struct threads threads_single = {
    .name = "single", .wanted = wanted, .binds = binds, .most = most, .run = run, .meet = meet};
