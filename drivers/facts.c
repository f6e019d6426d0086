#include "drivers/facts.h"

#include "drivers/blas.h"
#include "drivers/line.h"
#include "drivers/place.h"
#include "provenance.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/utsname.h>
#include <unistd.h>

extern char **environ;

void facts_host(char *text)
{
    if (gethostname(text, FACTS_TEXT) < 0)
        text[0] = '\0';
    text[FACTS_TEXT - 1] = '\0';
}

void facts_cpu_model(char *text)
{
    char line[FACTS_TEXT];
    text[0] = '\0';
    FILE *f = fopen("/proc/cpuinfo", "r");
    if (!f)
        return;
    while (!text[0] && fgets(line, sizeof line, f)) {
        const char *colon = strchr(line, ':');
        if (colon && (strncmp(line, "model name", 10) == 0 || strncmp(line, "CPU part", 8) == 0))
            snprintf(text, FACTS_TEXT, "%.*s", (int)strcspn(colon + 2, "\n"), colon + 2);
    }
    fclose(f);
}

const char *facts_source(void)
{
    return "bindot " BINDOT_VERSION " (git " PROVENANCE_GIT_COMMIT ")";
}

void facts_run_id(char text[37])
{
    unsigned char b[16] = {0};
    if (getrandom(b, sizeof b, 0) != sizeof b)
        memcpy(b, &(struct clock_pair){.tick = tick_system(), .ns = getpid()}, sizeof b);
    b[6] = (unsigned char)((b[6] & 15) | 64);
    b[8] = (unsigned char)((b[8] & 63) | 128);
    for (int i = 0, at = 0; i < 16; i++)
        at += sprintf(text + at, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", b[i]);
}

struct fact {
    const char *key, *value;
};

static int put_all(facts_put *put, void *to, const struct fact *facts, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (put(to, facts[i].key, facts[i].value) < 0)
            return -1;
    return 0;
}

int facts_build(facts_put *put, void *to)
{
    const struct fact facts[] = {
        {"kernel_hash", PROVENANCE_KERNEL_HASH},
        {"provenance/compiler", PROVENANCE_COMPILER},
        {"provenance/compiler_flags", PROVENANCE_FLAGS},
        {"provenance/build_type", PROVENANCE_BUILD_TYPE},
        {"provenance/git_commit", PROVENANCE_GIT_COMMIT},
        {"provenance/git_dirty", PROVENANCE_GIT_DIRTY},
        {"provenance/openblas", blas_config()},
        {"provenance/openblas_pool", blas_pool()},
        {"provenance/hwloc", place_version()},
    };
    return put_all(put, to, facts, sizeof facts / sizeof *facts);
}

/* The command as a shell would take it again. */
static char *quote(int argc, char **argv)
{
    char *line = NULL;
    size_t size;
    FILE *f = open_memstream(&line, &size);
    if (!f)
        return NULL;
    for (int i = 0; i < argc; i++) {
        const char *word = argv[i];
        const bool plain =
            word[0] && word[strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKL"
                                         "MNOPQRSTUVWXYZ0123456789-_=./,:+%@")] == '\0';
        fputs(i ? " " : "", f);
        if (plain) {
            fputs(word, f);
            continue;
        }
        fputc('\'', f);
        for (; *word; word++)
            fputs(*word == '\'' ? "'\\''" : (char[]){*word, '\0'}, f);
        fputc('\'', f);
    }
    fclose(f);
    return line;
}

int facts_process(facts_put *put, void *to, int argc, char **argv)
{
    char model[FACTS_TEXT], governor[FACTS_TEXT], cwd[4096], release[FACTS_TEXT] = "";
    struct utsname name;
    facts_cpu_model(model);
    line_read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", governor, FACTS_TEXT);
    if (uname(&name) == 0)
        snprintf(release, sizeof release, "%s %s %s", name.sysname, name.release, name.machine);
    char *line = quote(argc, argv);
    const struct fact facts[] = {
        {"provenance/command_line", line ? line : ""},
        {"provenance/kernel_release", release},
        {"provenance/cpu_model", model},
        {"provenance/governor", governor[0] ? governor : "not visible"},
        {"provenance/cwd", getcwd(cwd, sizeof cwd) ? cwd : ""},
    };
    const int r = put_all(put, to, facts, sizeof facts / sizeof *facts);
    free(line);
    return r;
}

static bool has_any(const char *name, const char *const words[], bool anywhere)
{
    for (; *words; words++)
        if (anywhere ? strcasestr(name, *words) != NULL
                     : strncmp(name, *words, strlen(*words)) == 0)
            return true;
    return false;
}

bool facts_keeps(const char *name)
{
    static const char *const kept[] = {
        "OMP_",      "GOMP_", "KMP_",  "OPENBLAS_", "SLURM_",  "OMPI_MCA_", "OMPI_COMM_WORLD_SIZE",
        "PMIX_RANK", "UCX_",  "HDF5_", "MALLOC_",   "BINDOT_", NULL};
    static const char *const secret[] = {"TOKEN",  "KEY", "PASS", "SECRET", "CRED", "AUTH",
                                         "COOKIE", "JWT", "USER", "EMAIL",  NULL};
    return has_any(name, kept, false) && !has_any(name, secret, true);
}

int facts_environment(facts_put *put, void *to)
{
    for (char **variable = environ; *variable; variable++) {
        char key[FACTS_TEXT] = "provenance/environment/";
        const size_t prefix = strlen(key), length = strcspn(*variable, "=");
        if (!(*variable)[length] || length >= sizeof key - prefix)
            continue;
        memcpy(key + prefix, *variable, length);
        key[prefix + length] = '\0';
        if (strchr(key + prefix, '/') || !facts_keeps(key + prefix))
            continue;
        if (put(to, key, *variable + length + 1) < 0)
            return -1;
    }
    return 0;
}

int facts_clock(facts_put *put, void *to, const struct clock *c)
{
    char step[32], cost[32], from[32], rate[32], base[32];
    snprintf(step, sizeof step, "%.3f", (double)c->step * c->ns_per_tick);
    snprintf(cost, sizeof cost, "%.3f", c->read_ns);
    snprintf(from, sizeof from, "%lld", (long long)c->from.ns);
    snprintf(rate, sizeof rate, "%.12g", 1 / c->ns_per_tick);
    snprintf(base, sizeof base, "%lld", (long long)(c->to.ns - c->from.ns));
    const struct fact facts[] = {
        {"clock/source", clock_source(c)}, {"clock/not_counter_because", c->why},
        {"clock/step_ns", step},           {"clock/read_cost_ns", cost},
        {"clock/ticks_per_ns", rate},      {"clock/base_line_ns", base},
        {"clock/origin_ns", from},
    };
    return put_all(put, to, facts, sizeof facts / sizeof *facts);
}
