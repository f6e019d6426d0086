#include "drivers/node.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH = 1024, LINE = 512 };

/* This process's directory in the hierarchy of a controller: v2, or v1's own. */
static int group_path(const char *controller, char path[PATH])
{
    char line[LINE];
    FILE *f = fopen("/proc/self/cgroup", "r");
    path[0] = '\0';
    if (!f)
        return -1;
    while (fgets(line, sizeof line, f)) { /* "4:cpu,cpuacct:/jobs/7" or "0::/jobs/7" */
        char *names = strchr(line, ':'), *dir = names ? strchr(names + 1, ':') : NULL;
        if (!dir)
            continue;
        *dir++ = '\0';
        dir[strcspn(dir, "\n")] = '\0';
        names++;
        char list[LINE], word[64];
        snprintf(list, sizeof list, ",%s,", names);
        snprintf(word, sizeof word, ",%s,", controller);
        if (strstr(list, word))
            snprintf(path, PATH, "/sys/fs/cgroup/%s%s", controller, dir);
        else if (!names[0] && !path[0])
            snprintf(path, PATH, "/sys/fs/cgroup%s", dir);
    }
    fclose(f);
    return path[0] ? 0 : -1;
}

static FILE *open_in(const char *dir, const char *name)
{
    char path[PATH + 64];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return fopen(path, "r");
}

/* The first number of a file; -1 if there is none ("max"). */
static double number_in(const char *dir, const char *name)
{
    double value = -1;
    FILE *f = open_in(dir, name);
    if (!f)
        return -1;
    if (fscanf(f, "%lf", &value) != 1)
        value = -1;
    fclose(f);
    return value;
}

/* The number after a word of a file of "word number" lines; -1 if there is none. */
static double number_of(const char *dir, const char *name, const char *word)
{
    char line[LINE];
    const size_t length = strlen(word);
    double value = -1;
    FILE *f = open_in(dir, name);
    if (!f)
        return -1;
    while (value < 0 && fgets(line, sizeof line, f))
        if (strncmp(line, word, length) == 0 && line[length] == ' ')
            value = strtod(line + length, NULL);
    fclose(f);
    return value;
}

static double quota_of(const char *dir)
{
    double quota = -1, period = 0;
    FILE *f = open_in(dir, "cpu.max");
    if (f) {
        if (fscanf(f, "%lf %lf", &quota, &period) != 2)
            quota = -1;
        fclose(f);
    } else {
        quota = number_in(dir, "cpu.cfs_quota_us");
        period = number_in(dir, "cpu.cfs_period_us");
    }
    return quota > 0 && period > 0 ? quota / period : 0;
}

/* Files that were read count as used until somebody needs the room: they are no
 * hindrance, as they are none for MemAvailable. */
static double memory_rest_of(const char *dir)
{
    double most = number_in(dir, "memory.max"), used = number_in(dir, "memory.current");
    double files = number_of(dir, "memory.stat", "inactive_file");
    if (most < 0) {
        most = number_in(dir, "memory.limit_in_bytes");
        used = number_in(dir, "memory.usage_in_bytes");
        files = number_of(dir, "memory.stat", "total_inactive_file");
    }
    used -= files > 0 ? files : 0;
    return most >= 0 && most < 0x1p60 ? (most > used ? most - used : 1) : 0;
}

/* A limit holds for all groups below it: the least one on the way up counts. */
static double least_upwards(const char *controller, double (*limit)(const char *dir))
{
    char dir[PATH];
    double least = 0;
    if (group_path(controller, dir) < 0)
        return 0;
    for (;;) {
        const double here = limit(dir);
        if (here > 0 && (least == 0 || here < least))
            least = here;
        char *slash = strrchr(dir, '/');
        if (!slash || strcmp(dir, "/sys/fs/cgroup") == 0 || slash == dir)
            return least;
        *slash = '\0';
    }
}

double node_quota(void)
{
    return least_upwards("cpu", quota_of);
}

uint64_t node_memory_rest(void)
{
    return (uint64_t)least_upwards("memory", memory_rest_of);
}

static int64_t throttled(void)
{
    char dir[PATH];
    return group_path("cpu", dir) < 0 ? -1 : (int64_t)number_of(dir, "cpu.stat", "nr_throttled");
}

struct node_look node_look(void)
{
    struct node_look now = {-1, -1, -1, -1, throttled()};
    char line[LINE];
    FILE *f = fopen("/proc/stat", "r");
    if (!f)
        return now;
    const int64_t tick = 1000000000 / sysconf(_SC_CLK_TCK);
    long long user, nice, kernel, idle, wait, irq, soft, steal, total;
    while (fgets(line, sizeof line, f)) {
        if (sscanf(line, "cpu %lld %lld %lld %lld %lld %lld %lld %lld", &user, &nice, &kernel,
                   &idle, &wait, &irq, &soft, &steal) == 8) {
            now.busy_ns = (user + nice + kernel + irq + soft) * tick;
            now.steal_ns = steal * tick;
        } else if (sscanf(line, "intr %lld", &total) == 1)
            now.interrupts = total;
        else if (sscanf(line, "ctxt %lld", &total) == 1)
            now.switches = total;
    }
    fclose(f);
    return now;
}
