#include "drivers/inject.h"

#include "drivers/fail.h"
#include "drivers/parse.h"
#include "kernels/tick.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { PERIOD_NS = 7300000, /* no multiple of a timer tick */ WORD = 64 };

/* "2%@worker3": the value before '@', the number after the noun. */
static int at(const char *text, const char *noun, char value[WORD], uint64_t *number)
{
    const char *sign = strchr(text, '@');
    const size_t length = strlen(noun);
    if (!sign || sign - text >= WORD || strncmp(sign + 1, noun, length) != 0)
        return -1;
    snprintf(value, WORD, "%.*s", (int)(sign - text), text);
    return parse_size("--inject", sign + 1 + length, number);
}

/* "skew=80us@node1" or "drift=-50ppm@node1"; 1: neither of them. */
static int parse_clock(const char *word, struct inject *out)
{
    char value[WORD];
    uint64_t node, ns = 0;
    double rate = 0;
    const bool skew = strncmp(word, "skew=", 5) == 0, drift = strncmp(word, "drift=", 6) == 0;
    if ((!skew && !drift) || at(strchr(word, '=') + 1, "node", value, &node) < 0)
        return 1;
    const int sign = value[0] == '-' ? -1 : 1;
    const char *size = value + (sign < 0);
    if (out->nclocks == INJECT_CLOCKS)
        return fail("--inject skew, drift: at most %d times", INJECT_CLOCKS);
    if (skew ? parse_time("--inject skew", size, &ns) : parse_drift("--inject drift", size, &rate))
        return -1;
    out->clocks[out->nclocks].node = node;
    out->clocks[out->nclocks].skew_ns = sign * (int64_t)ns;
    out->clocks[out->nclocks++].drift = sign * rate;
    return 0;
}

static int parse_one(const char *word, struct inject *out)
{
    char value[WORD];
    uint64_t worker;
    if (strncmp(word, "steal=", 6) == 0 && at(word + 6, "worker", value, &worker) == 0) {
        if (out->nthieves == INJECT_THIEVES)
            return fail("--inject steal: at most %d times", INJECT_THIEVES);
        out->thieves[out->nthieves].worker = worker;
        return parse_share("--inject steal", value, &out->thieves[out->nthieves++].share);
    }
    if (strncmp(word, "slow=", 5) == 0 && at(word + 5, "node", value, &out->node) == 0)
        return parse_share("--inject slow", value, &out->slow);
    if (strncmp(word, "kill=after", 10) == 0 && at(word + 10, "rank", value, &out->rank) == 0)
        return parse_time("--inject kill=after", value, &out->kill_ns);
    if (strcmp(word, "bind=same-core") == 0) {
        out->same_core = true;
        return 0;
    }
    if (strncmp(word, "wrong=", 6) == 0 && at(word + 6, "worker", value, &out->spoilt) == 0 &&
        strcmp(value, "element") == 0) {
        out->wrong = true;
        return 0;
    }
    if (strncmp(word, "nodes=", 6) == 0)
        return parse_size("--inject nodes", word + 6, &out->nodes);
    const int clock = parse_clock(word, out);
    if (clock <= 0)
        return clock;
    return fail("--inject takes steal=2%%@worker3, slow=5%%@node0, bind=same-core, "
                "kill=after3s@rank1, skew=80us@node1, drift=50ppm@node1, nodes=2 or "
                "wrong=element@worker2, not '%s'",
                word);
}

/* A second one would replace the first in silence. seen: a bit for each, at first 0. */
static int once(const char *word, unsigned *seen)
{
    static const char *const faults[] = {"slow=", "kill=", "wrong=", "nodes="};
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        if (strncmp(word, faults[i], strlen(faults[i])) != 0)
            continue;
        if (*seen >> i & 1)
            return fail("--inject takes %s only once", faults[i]);
        *seen |= 1U << i;
    }
    return 0;
}

int inject_parse(const char *text, struct inject *out)
{
    *out = (struct inject){.text = text};
    char *copy = strdup(text), *rest = copy;
    unsigned seen = 0;
    int r = copy ? 0 : fail("out of memory");
    for (char *word; r == 0 && (word = strsep(&rest, ",")) != NULL;)
        r = once(word, &seen) < 0 ? -1 : parse_one(word, out);
    free(copy);
    return r;
}

struct thief {
    int cpu;
    uint64_t burn_ns;
};

/* Wakes on a fixed grid and burns; ahead of normal programs where the system
 * lets it, else it gets its share late. */
static void *steal(void *of)
{
    const struct thief thief = *(struct thief *)of;
    free(of);
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((unsigned)thief.cpu, &set);
    sched_setaffinity(0, sizeof set, &set);
    if (sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){.sched_priority = 1}) < 0)
        setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), -20);
    struct timespec next;
    clock_gettime(CLOCK_MONOTONIC, &next);
    for (;;) {
        const uint64_t end = tick_system() + thief.burn_ns;
        while (tick_system() < end)
            ;
        next.tv_nsec += PERIOD_NS;
        next.tv_sec += next.tv_nsec / 1000000000;
        next.tv_nsec %= 1000000000;
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
    }
    return NULL;
}

int inject_thief(int cpu, double share)
{
    struct thief *thief = malloc(sizeof *thief);
    pthread_t thread;
    if (!thief)
        return fail("out of memory");
    *thief = (struct thief){cpu, (uint64_t)(share * PERIOD_NS)};
    if (pthread_create(&thread, NULL, steal, thief) != 0) {
        free(thief);
        return fail("--inject steal: cannot start its thread");
    }
    pthread_detach(thread);
    return 0;
}

int inject_death(uint64_t ns)
{
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL};
    const struct itimerspec when = {
        .it_value = {(time_t)(ns / 1000000000), (long)(ns % 1000000000)}};
    timer_t timer;
    if (timer_create(CLOCK_MONOTONIC, &event, &timer) < 0 ||
        timer_settime(timer, 0, &when, NULL) < 0)
        return fail("--inject kill: cannot set a timer");
    return 0;
}
