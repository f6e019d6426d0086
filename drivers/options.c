#include "drivers/options.h"

#include "drivers/experiments/experiment.h"
#include "drivers/fail.h"
#include "drivers/parse.h"

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    OPT_BINS = 256,
    OPT_WIDTH,
    OPT_DETOUR,
    OPT_DETOURS,
    OPT_UNIT,
    OPT_STORAGE,
    OPT_WAIT,
    OPT_LOCK,
    OPT_SYNC_EVERY,
    OPT_SCALING,
    OPT_PANEL,
    OPT_BLOCK,
    OPT_ROW,
    OPT_GRAINSIZE,
    OPT_REPEATS,
    OPT_UNTIL_CI,
    OPT_MAX_TIME,
    OPT_WARMUP,
    OPT_ITERATIONS,
    OPT_THREADS,
    OPT_BLAS_THREADS,
    OPT_BIND,
    OPT_CLOCK,
    OPT_LABEL,
    OPT_INJECT,
    OPT_ALLOW_INVALID,
    OPT_FORCE,
    OPT_RESUME,
    OPT_QUIET,
    OPT_VERBOSE,
    OPT_HELP,
    OPT_VERSION
};

enum { REPEATS = 10 };
enum kind { SIZE, TIME, SHARE, INT, FLAG, WORD, CHOICE, PAGE };

/* One row: how a user sees an option, and where its value goes. */
/* clang-format off */
static const struct row {
    struct argp_option option;
    enum kind kind;
    size_t offset;
    const char *values; /* CHOICE: words; the number of the one given is stored */
    double least, most;
} rows[] = {
#define AT(member) offsetof(struct params, member)
    {{NULL, 0, NULL, 0, "What is measured", 1}, FLAG, 0, NULL, 0, 0},
    {{"size", 'n', "N", 0, "elements (dot, marshal), rows of a matrix (matmul)", 0}, SIZE, AT(size), NULL, 1, 0x1p50},
    {{"method", 'm', "WORD", 0, "how the kernel is put to work (see below)", 0}, WORD, AT(method), NULL, 0, 0},
    {{"scaling", OPT_SCALING, "strong|weak", 0, "size in all, or for each worker (default strong); weak, method summa: size x the cube root of workers, so the work of each stays the same", 0}, CHOICE, AT(weak), "strong weak", 0, 0},
    {{"panel", OPT_PANEL, "N", 0, "matmul, method summa: columns of A and rows of B handed on at a time (default 256); the bits of C depend on it, not on the grid", 0}, SIZE, AT(panel), NULL, 1, 1e9},
    {{"block", OPT_BLOCK, "N", 0, "marshal, methods send-*: doubles of the column that lie in one piece (default 1)", 0}, SIZE, AT(block), NULL, 1, 1e9},
    {{"row", OPT_ROW, "N", 0, "marshal, methods send-*: doubles in a row of the matrix (default 8: with one of them, a field of an array of structs)", 0}, SIZE, AT(row), NULL, 1, 1e9},
    {{"grainsize", OPT_GRAINSIZE, "N", 0, "dot, method blocked: a worker gets at least so many elements. A vector too short for all is left to fewer workers, and one who has it alone meets nobody (default: all share)", 0}, SIZE, AT(grainsize), NULL, 1, 0x1p50},
    {{"bins", OPT_BINS, "N", 0, "binning: bins in a repetition (default 1000)", 0}, SIZE, AT(bins), NULL, 1, 1e9},
    {{"width", OPT_WIDTH, "TIME", 0, "binning: width of a bin, at most 0.5s (default 50us)", 0}, TIME, AT(width_ns), NULL, 1e3, 5e8},
    {{"detour", OPT_DETOUR, "TIME", 0, "binning: two clock reads further apart than this are a detour (default 100ns)", 0}, TIME, AT(detour_ns), NULL, 20, 1e9},
    {{"detours", OPT_DETOURS, "N", 0, "binning: detours listed for each worker and repetition; the rest is counted (default: one in four bins, at least 4096)", 0}, SIZE, AT(detours), NULL, 1, 1e8},
    {{"unit", OPT_UNIT, "clock|alu|memory", 0, "binning: a unit of work is a clock read alone, or additions or cache lines and a clock read (default clock)", 0}, CHOICE, AT(unit), "clock alu memory", 0, 0},
    {{"storage", OPT_STORAGE, "private|shared|atomic", 0, "binning: count in a register; in one table with a column for each thread (they share cache lines); in one column for all threads (default private)", 0}, CHOICE, AT(storage), "private shared atomic", 0, 0},
    {{"wait", OPT_WAIT, "TIME", 0, "binning: the unit is a blocking wait this long, as input and output are", 0}, TIME, AT(wait_ns), NULL, 1e3, 1e9},
    {{"lock", OPT_LOCK, "gil[:TIME]|none", 0, "binning: the threads of a process work under one lock, handed over as CPython does; TIME is its switch interval (default 5ms)", 0}, WORD, AT(lock_ns), NULL, 0, 0},
    {{"sync-every", OPT_SYNC_EVERY, "K", 0, "binning: all workers wait for each other after every K bins (default: never)", 0}, SIZE, AT(sync_every), NULL, 1, 1e9},
    {{NULL, 0, NULL, 0, "How long", 2}, FLAG, 0, NULL, 0, 0},
    {{"repeats", OPT_REPEATS, "N", 0, "repetitions (default 10)", 0}, SIZE, AT(repeats), NULL, 1, 1e9},
    {{"until-ci", OPT_UNTIL_CI, "SHARE", 0, "instead of --repeats: until the 95 % interval of the median rate is within +-SHARE of it (1%); looks after 10, 15, 22, 33 ... repetitions", 0}, SHARE, AT(until_ci), NULL, 0, 0},
    {{"max-time", OPT_MAX_TIME, "TIME", 0, "stop after this time, between repetitions (default: none; with --until-ci 60s)", 0}, TIME, AT(max_time_ns), NULL, 0, 1e18},
    {{"warmup", OPT_WARMUP, "TIME", 0, "run the kernel this long before measuring (default 200ms)", 0}, TIME, AT(warmup_ns), NULL, 0, 1e12},
    {{"iterations", OPT_ITERATIONS, "N", 0, "kernel calls in one repetition (default: as many as fill 20ms)", 0}, SIZE, AT(iterations), NULL, 1, 1e12},
    {{NULL, 0, NULL, 0, "Who works", 3}, FLAG, 0, NULL, 0, 0},
    {{"threads", OPT_THREADS, "N", 0, "workers in each process (default: OMP_NUM_THREADS, else this process's share of its cores)", 0}, INT, AT(threads), NULL, 1, 4096},
    {{"blas-threads", OPT_BLAS_THREADS, "N", 0, "threads of the BLAS library in each call (default: method library: as many as --threads; else 1)", 0}, INT, AT(blas_threads), NULL, 1, 4096},
    {{"bind", OPT_BIND, "cores|none", 0, "pin worker i to the i-th core of the CPU mask that the launcher gave, or leave it (default cores; OMP_PROC_BIND goes before it)", 0}, CHOICE, AT(bind), "none cores", 0, 0},
    {{"clock", OPT_CLOCK, "auto|counter|monotonic", 0, "where times come from: the CPU's counter (TSC) if the kernel itself keeps time by it, else CLOCK_MONOTONIC_RAW; that counter or nothing; or that clock (default auto)", 0}, CHOICE, AT(clock), "auto counter monotonic", 0, 0},
    {{NULL, 0, NULL, 0, "Where it goes", 4}, FLAG, 0, NULL, 0, 0},
    {{"output", 'o', "FILE|DIR", 0, "the trace (default: a name made of kernel, layout and time, in the working directory)", 0}, WORD, AT(output), NULL, 0, 0},
    {{"force", OPT_FORCE, NULL, 0, "replace an existing trace", 0}, FLAG, AT(force), NULL, 0, 0},
    {{"resume", OPT_RESUME, NULL, 0, "go on with the run that was to make this trace and was stopped or killed: only the repetitions that are missing are run. The same command line as then, or it is refused; complete already: says so; nothing there: starts anew", 0}, FLAG, AT(resume), NULL, 0, 0},
    {{"label", OPT_LABEL, "KEY=VALUE", 0, "a note kept in the trace; may be repeated", 0}, WORD, AT(labels), NULL, 0, 0},
    {{"inject", OPT_INJECT, "SPEC", 0, "a known fault on purpose: steal=2%@worker3, slow=5%@node0, bind=same-core, kill=after3s@rank1, skew=80us@node1, drift=50ppm@node1, nodes=2, wrong=element@worker2; several with commas", 3}, WORD, AT(inject), NULL, 0, 0},
    {{"allow-invalid", OPT_ALLOW_INVALID, NULL, 0, "exit 0 even if the run was found INVALID (the mark stays)", 0}, FLAG, AT(allow_invalid), NULL, 0, 0},
    {{"quiet", OPT_QUIET, NULL, 0, "no progress, no summary", 0}, FLAG, AT(quiet), NULL, 0, 0},
    {{"verbose", OPT_VERBOSE, NULL, 0, "a line for every repetition that is saved, to standard error", 0}, FLAG, AT(verbose), NULL, 0, 0},
    {{"help", OPT_HELP, NULL, 0, "this page", -1}, PAGE, 0, NULL, 0, 0},
    {{"version", OPT_VERSION, NULL, 0, "the version", -1}, PAGE, 0, NULL, 0, 0},
#undef AT
};
/* clang-format on */
enum { NROWS = sizeof rows / sizeof *rows };

static const struct row *row_of(int key)
{
    for (const struct row *row = rows; row < rows + NROWS; row++)
        if (row->option.key == key && key)
            return row;
    return NULL;
}

static int in_range(const struct row *row, double value, const char *text)
{
    if (value >= row->least && value <= row->most)
        return 0;
    if (row->kind == TIME)
        return fail("--%s takes a time from %gs to %gs, not '%s'", row->option.name,
                    row->least * 1e-9, row->most * 1e-9, text);
    return fail("--%s takes a number from %.15g to %.15g, not '%s'", row->option.name, row->least,
                row->most, text);
}

static int choose(const struct row *row, const char *text, int *out)
{
    const size_t length = strlen(text);
    int n = 0;
    for (const char *word = row->values; *word; n++) {
        const size_t end = strcspn(word, " ");
        if (end == length && strncmp(word, text, length) == 0) {
            *out = n;
            return 0;
        }
        word += end + (word[end] == ' ');
    }
    return fail("--%s takes %s, not '%s'", row->option.name, row->option.arg, text);
}

static int label(struct params *p, const char *text)
{
    const char *equals = strchr(text, '=');
    if (!equals || equals == text || memchr(text, '/', (size_t)(equals - text)))
        return fail("--label takes KEY=VALUE without '/' in the key, not '%s'", text);
    if (equals - text > PARAMS_KEY)
        return fail("--label: a key has at most %d bytes", PARAMS_KEY);
    if (p->nlabels == PARAMS_LABELS)
        return fail("--label: at most %d of them", PARAMS_LABELS);
    p->labels[p->nlabels++] = text;
    return 0;
}

static int lock(const char *text, uint64_t *interval_ns)
{
    *interval_ns = 0;
    if (strcmp(text, "none") == 0)
        return 0;
    *interval_ns = 5000000;
    if (strcmp(text, "gil") == 0)
        return 0;
    if (strncmp(text, "gil:", 4) == 0)
        return parse_time("--lock gil", text + 4, interval_ns);
    return fail("--lock takes gil, gil:TIME or none, not '%s'", text);
}

static int store(struct params *p, const struct row *row, const char *text)
{
    char name[32];
    snprintf(name, sizeof name, "--%s", row->option.name);
    void *to = (char *)p + row->offset;
    uint64_t number;
    switch (row->kind) {
    case SIZE:
        return parse_size(name, text, to) < 0 ? -1 : in_range(row, (double)*(uint64_t *)to, text);
    case TIME:
        return parse_time(name, text, to) < 0 ? -1 : in_range(row, (double)*(uint64_t *)to, text);
    case INT:
        if (parse_size(name, text, &number) < 0 || in_range(row, (double)number, text) < 0)
            return -1;
        *(int *)to = (int)number;
        return 0;
    case SHARE:
        return parse_share(name, text, to);
    case CHOICE:
        return choose(row, text, to);
    case FLAG:
        *(bool *)to = true;
        return 0;
    case WORD:
        if (!text[0])
            return fail("%s takes a word, not nothing", name);
        if (row->option.key == OPT_LABEL)
            return label(p, text);
        if (row->option.key == OPT_LOCK)
            return lock(text, &p->lock_ns);
        if (row->option.key == OPT_INJECT)
            return p->inject.text ? fail("--inject: once; several faults are separated by commas")
                                  : inject_parse(text, &p->inject);
        *(const char **)to = text;
        return 0;
    case PAGE:
        break;
    }
    return -1;
}

static int positional(struct params *p, const char *text, unsigned nth)
{
    if (nth == 0) {
        p->kernel = text;
        return 0;
    }
    if (nth == 1 && strcmp(p->kernel, "recover") == 0) {
        p->recover = text;
        return 0;
    }
    return fail("'%s' is one word too many; see --help", text);
}

/* argp's own --help stays silent where its error messages are switched off. */
static void show_page(int key, struct argp_state *state)
{
    if (key == OPT_VERSION)
        puts("bindot " BINDOT_VERSION);
    else
        argp_help(state->root_argp, stdout,
                  ARGP_HELP_STD_HELP & ~(ARGP_HELP_EXIT_OK | ARGP_HELP_EXIT_ERR), state->argv[0]);
    exit(fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
}

/* What argp fills: the parameters, and which rows were given, a bit for each. */
struct taken {
    struct params *params;
    uint64_t rows;
};
_Static_assert(NROWS <= 64, "a bit for each row");

static error_t take(int key, char *text, struct argp_state *state)
{
    struct taken *taken = state->input;
    struct params *p = taken->params;
    if (key == ARGP_KEY_ARG)
        return positional(p, text, state->arg_num) < 0 ? EINVAL : 0;
    if (key == ARGP_KEY_ERROR && !fail_text()[0]) {
        const char *word = state->argv[state->next > 1 ? state->next - 1 : 1];
        fail("'%s' is no option here, or lacks its value; see --help", word ? word : "");
        return 0;
    }
    const struct row *row = row_of(key);
    if (!row)
        return ARGP_ERR_UNKNOWN;
    if (row->kind == PAGE)
        show_page(key, state);
    taken->rows |= (uint64_t)1 << (row - rows);
    return store(p, row, text) < 0 ? EINVAL : 0;
}

static const char *first_word(const char *words)
{
    static char word[32];
    snprintf(word, sizeof word, "%.*s", (int)strcspn(words, " "), words);
    return word;
}

static int kernel_names(char *text, size_t size)
{
    int n = 0;
    for (const struct experiment *const *e = experiments; *e; e++)
        if (*e == experiment_find((*e)->name, NULL)) /* its first */
            n += snprintf(text + n, size - (size_t)n, "%s%s", n ? ", " : "", (*e)->name);
    return n;
}

static int bad_method(const struct params *p)
{
    char text[512] = "";
    for (const struct experiment *const *e = experiments; *e; e++)
        if (strcmp((*e)->name, p->kernel) == 0)
            snprintf(text + strlen(text), sizeof text - strlen(text), " %s", (*e)->methods);
    return fail("--method %s: %s takes one of:%s", p->method, p->kernel, text);
}

/* The experiment's own default; 0: it takes none. */
static int settle(const char *option, uint64_t *value, uint64_t usual, const struct params *p)
{
    if (*value && !usual)
        return fail("--%s: %s takes none with method %s", option, p->kernel, p->method);
    if (!*value)
        *value = usual;
    return 0;
}

/* An option of one kernel begins its help with that kernel's name ("binning: ..."). */
static bool is_of(const struct row *row, const char *kernel)
{
    const size_t length = strlen(kernel);
    const char *after = row->option.doc + length;
    return strncmp(row->option.doc, kernel, length) == 0 && (*after == ':' || *after == ',');
}

/* Options that another kernel takes would be ignored in silence: the run is not what was meant. */
static int of_other_kernels(const struct taken *taken)
{
    for (int i = 0; i < NROWS; i++)
        for (const struct experiment *const *e = experiments; *e; e++)
            if (taken->rows >> i & 1 && strcmp((*e)->name, taken->params->kernel) != 0 &&
                is_of(&rows[i], (*e)->name))
                return fail("--%s goes with %s, not with %s", rows[i].option.name, (*e)->name,
                            taken->params->kernel);
    return 0;
}

/* What one row cannot see: the kernel's own rules, and defaults. */
static int complete(const struct taken *taken)
{
    struct params *p = taken->params;
    char names[128];
    kernel_names(names, sizeof names);
    if (!p->kernel)
        return fail("which kernel? one of %s; see --help", names);
    if (strcmp(p->kernel, "recover") == 0)
        return p->recover ? 0 : fail("recover takes the name of a .part file");
    if (!experiment_find(p->kernel, NULL))
        return fail("no kernel '%s'; there are %s", p->kernel, names);
    const struct experiment *e = experiment_find(p->kernel, p->method);
    if (!e)
        return bad_method(p);
    if (!p->method)
        p->method = first_word(e->methods);
    if (of_other_kernels(taken) < 0)
        return -1;
    if (settle("size", &p->size, e->size, p) < 0 || settle("panel", &p->panel, e->panel, p) < 0 ||
        settle("block", &p->block, e->block, p) < 0 || settle("row", &p->row, e->row, p) < 0)
        return -1;
    if (!p->detours)
        p->detours = p->bins / 4 > 4096 ? p->bins / 4 : 4096;
    if (p->quiet && p->verbose)
        return fail("--quiet and --verbose contradict each other");
    if (p->resume && p->force)
        return fail("--resume and --force contradict each other: go on with it, or replace it?");
    if (p->resume && !p->output)
        return fail("--resume: which trace? give its name with --output");
    if (p->until_ci > 0 && p->repeats)
        return fail("--repeats and --until-ci contradict each other: which of them?");
    if (p->until_ci == 0 && !p->repeats)
        p->repeats = REPEATS;
    if (p->until_ci > 0 && !p->max_time_ns)
        p->max_time_ns = 60 * (uint64_t)1000000000;
    if (p->blas_threads && !e->gemm && !e->pooled(p))
        return fail("--blas-threads: %s, method %s, calls no BLAS library", p->kernel, p->method);
    return e->check(p);
}

static char *filter(int key, const char *text, void *input)
{
    (void)input;
    if (key != ARGP_KEY_HELP_POST_DOC)
        return (char *)text;
    char *page = NULL;
    size_t size;
    FILE *f = open_memstream(&page, &size);
    fputs("Kernels and their methods (the first is the default):\n", f);
    for (const struct experiment *const *e = experiments; *e; e++)
        fprintf(f, "  %-8s %s\n           methods: %s\n", (*e)->name, (*e)->about, (*e)->methods);
    fputs("\nSizes: 4000, 1e6, 64Ki. Times always have a unit: 50us, 2ms, 1s.\n"
          "Memory:\n"
          "  binning  8 bytes x bins and 40 bytes x detours for each worker (60s of 50us\n"
          "           bins: 22 MB); 12 x bins where storage is not private; 8 MB for unit\n"
          "           memory\n"
          "  dot      16 bytes x size over all workers\n"
          "  matmul   8 bytes x size^2 in each process (B), 16 x size^2 over all (A, C);\n"
          "           summa: 24 x size^2 over all, and two panels of A and of B in each\n"
          "  marshal  8 bytes x size over all workers, 56 more for a list, 64 for aos; send-*:\n"
          "           16 x size x row / block in a pair of ranks, and 16 x size\n"
          "  Beside its own rows the lead holds those of one other process at a time.\n"
          "\nExamples:\n"
          "  bindot-serial binning               one worker, 1000 bins of 50us, ten times\n"
          "  bindot-openmp dot --size 1e6 --until-ci 1%\n"
          "  mpirun -n 2 bindot-mpi matmul --method partition -o here.h5\n"
          "  mpirun -n 4 bindot-mpi matmul --method summa --size 8000\n"
          "  mpirun -n 2 --bind-to none bindot-hybrid binning --threads 2\n"
          "  mpirun -n 2 bindot-mpi marshal --method send-vector --block 8 --row 64\n"
          "  bindot-serial recover run.h5.part   the trace of a killed run\n"
          "  bindot-openmp dot --repeats 1e4 -o run.h5 --resume   what is missing of it\n"
          "\nExit status: 0 done; 1 failed; 2 bad usage; 3 INVALID (the trace says why);\n"
          "4 stopped by a signal, what was measured is saved.\n",
          f);
    fclose(f);
    return page;
}

int options_parse(struct params *out, const char *driver, int argc, char **argv)
{
    *out = (struct params){.bins = 1000,
                           .width_ns = 50000,
                           .detour_ns = 100,
                           .warmup_ns = 200000000,
                           .bind = 1,
                           .argc = argc,
                           .argv = argv};
    static struct argp_option options[NROWS + 1];
    for (int i = 0; i < NROWS; i++)
        options[i] = rows[i].option;
    const struct argp argp = {
        .options = options,
        .parser = take,
        .args_doc = "KERNEL\nrecover FILE.part",
        .doc =
            "Runs one kernel under one layout and writes everything that it saw to an HDF5 trace.",
        .help_filter = filter};
    argv[0] = (char *)driver;
    struct taken taken = {.params = out};
    const unsigned how = ARGP_NO_ERRS | ARGP_NO_HELP | ARGP_IN_ORDER;
    if (argp_parse(&argp, argc, argv, how, NULL, &taken) != 0)
        return fail("bad usage; see --help");
    return complete(&taken);
}
