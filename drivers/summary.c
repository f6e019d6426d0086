#include "drivers/summary.h"

#include <math.h>

/* "3.21 G", "812 k": a factor for all of one line. */
static const char *prefix(double value, double *factor)
{
    static const struct {
        double least;
        const char *letter;
    } steps[] = {{1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        if (value >= steps[i].least) {
            *factor = 1 / steps[i].least;
            return steps[i].letter;
        }
    *factor = 1;
    return "";
}

void summary_print(FILE *f, const struct setup *s, int workers, const struct measure_outcome *o,
                   const struct verdict *v)
{
    double scale;
    const char *letter = prefix(o->rate.median, &scale);
    const int ranks = s->ranks->size(SCOPE_ALL);
    fprintf(f, "%s, %s: %d %s in %d %s", s->params.kernel, s->layout, workers,
            workers == 1 ? "worker" : "workers", ranks, ranks == 1 ? "process" : "processes");
    if (s->blas_threads > 1)
        fprintf(f, ", %d BLAS threads each", s->blas_threads);
    fprintf(f, "\n  %.4g %s%ss per second, median of %llu repetitions", o->rate.median * scale,
            letter, s->experiment->unit(&s->params), (unsigned long long)o->repetitions);
    if (isfinite(o->rate.low))
        fprintf(f, "; 95 %% within this launch: %.4g to %.4g", o->rate.low * scale,
                o->rate.high * scale);
    fputc('\n', f);
    if (s->params.until_ci > 0 && o->halt != HALT_UNTIL_CI)
        fprintf(f, "  stopped by %s; the interval's half width is %.2g %% of the median\n",
                halt_word(o->halt), 100 * (o->rate.high - o->rate.low) / 2 / o->rate.median);
    if (!v->valid)
        fprintf(f, "  INVALID: %s\n", v->reasons);
    if (v->warnings[0])
        fprintf(f, "  note: %s\n", v->warnings);
    fprintf(f, "  %s\n", s->path);
}
