#include "drivers/team/ranks.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool speaks(void)
{
    return true;
}

static int check(void)
{
    return 0;
}

static struct ranks_fate fate;

static int open_ranks(const struct ranks_fate *of_run)
{
    fate = *of_run;
    return 0;
}

static void nothing(void)
{
}

__attribute__((noreturn)) static void end(int status)
{
    exit(status);
}

static void hurry(int why)
{
    fate.stop(fate.of, why);
}

__attribute__((noreturn)) static void leave(int status)
{
    _exit(status);
}

static const char *version(void)
{
    return "none";
}

static int zero_of(enum scope scope)
{
    (void)scope;
    return 0;
}

static int one_of(enum scope scope)
{
    (void)scope;
    return 1;
}

static int zero(void)
{
    return 0;
}

static int one(void)
{
    return 1;
}

static void split(const void *key, size_t n)
{
    (void)key, (void)n;
}

static int64_t max(enum scope scope, int64_t mine)
{
    (void)scope;
    return mine;
}

static uint64_t sum(uint64_t mine)
{
    return mine;
}

static uint64_t before(uint64_t mine)
{
    (void)mine;
    return 0;
}

static void share(enum scope scope, int from, void *bytes, size_t n)
{
    (void)scope, (void)from, (void)bytes, (void)n;
}

static void gather(enum scope scope, const void *mine, void *all, size_t n)
{
    (void)scope;
    memcpy(all, mine, n);
}

static void reduce(void *mine, size_t n, ranks_join *join)
{
    (void)mine, (void)n, (void)join;
}

static void add(enum scope scope, double *values, size_t n)
{
    (void)scope, (void)values, (void)n;
}

static void grid(int columns)
{
    assert(columns == 1);
}

static void share_begin(int number, enum scope scope, int from, double *values, size_t n)
{
    (void)number, (void)scope, (void)from, (void)values, (void)n;
}

static void share_end(int number)
{
    (void)number;
}

static void send_bytes(int to, const void *bytes, size_t n)
{
    (void)to, (void)bytes, (void)n;
    assert(!"nobody to send to");
}

static void receive(int from, void *bytes, size_t n)
{
    (void)from, (void)bytes, (void)n;
    assert(!"nobody to receive from");
}

const struct ranks ranks_single = {
    .name = "single",
    .speaks = speaks,
    .check = check,
    .open = open_ranks,
    .close = nothing,
    .end = end,
    .hurry = hurry,
    .leave = leave,
    .version = version,
    .rank = zero_of,
    .size = one_of,
    .node = zero,
    .nodes = one,
    .split = split,
    .meet = nothing,
    .max = max,
    .sum = sum,
    .before = before,
    .share = share,
    .gather = gather,
    .reduce = reduce,
    .add = add,
    .grid = grid,
    .share_begin = share_begin,
    .share_poke = nothing,
    .share_end = share_end,
    .send = send_bytes,
    .receive = receive,
};
