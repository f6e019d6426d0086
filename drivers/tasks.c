#include "drivers/tasks.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

static int cpu_time(const char *tid, uint64_t *ns)
{
    char path[64];
    unsigned long long value;
    snprintf(path, sizeof path, "/proc/self/task/%.16s/schedstat", tid);
    FILE *f = fopen(path, "r");
    if (!f)
        return -1;
    const int r = fscanf(f, "%llu", &value) == 1 ? 0 : -1;
    fclose(f);
    *ns = value;
    return r;
}

void tasks_look(struct tasks *t)
{
    t->n = 0;
    DIR *dir = opendir("/proc/self/task");
    if (!dir)
        return;
    for (struct dirent *entry; t->n < TASKS_MOST && (entry = readdir(dir)) != NULL;) {
        const int tid = atoi(entry->d_name); /* "." and ".." are 0 */
        if (tid > 0 && cpu_time(entry->d_name, &t->of[t->n].ns) == 0)
            t->of[t->n++].tid = tid;
    }
    closedir(dir);
}

static uint64_t used(const struct tasks *before, const struct tasks *after, size_t i)
{
    for (size_t k = 0; k < before->n; k++)
        if (before->of[k].tid == after->of[i].tid)
            return after->of[i].ns - before->of[k].ns;
    return after->of[i].ns; /* started meanwhile */
}

int tasks_worked(const struct tasks *before, const struct tasks *after)
{
    uint64_t most = 0;
    int worked = 0;
    for (size_t i = 0; i < after->n; i++)
        most = used(before, after, i) > most ? used(before, after, i) : most;
    for (size_t i = 0; most && i < after->n; i++)
        worked += used(before, after, i) > most / 4;
    return worked;
}
