#include "drivers/library.h"

#include "drivers/blas.h"
#include "drivers/fail.h"
#include "drivers/gate.h"
#include "drivers/tasks.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void exercise(const struct worker *me, void *threads)
{
    (void)me;
    blas_exercise(*(int *)threads);
}

/* All workers at once, as in the measurement: a call from one of several threads may
 * be another than a call alone. 0: not to be seen. */
static int count_threads(struct team *team, int threads)
{
    struct tasks *looks = malloc(2 * sizeof *looks);
    if (!looks)
        return 0;
    tasks_look(&looks[0]);
    team_run(team, exercise, &threads);
    tasks_look(&looks[1]);
    const int worked = tasks_worked(&looks[0], &looks[1]);
    free(looks);
    return worked;
}

/* A name proves nothing: both codes are run, by the first process of a node alone. */
static double find_loss(const struct ranks *ranks)
{
    const char *better = blas_better_core();
    if (!better || ranks->rank(SCOPE_NODE) != 0)
        return 0;
    const double present = blas_rate(NULL), best = blas_rate(better);
    return present > 0 && best > present ? 1 - present / best : 0;
}

static void tell(struct library *l, const struct ranks *ranks)
{
    const double worst = (double)ranks->max(SCOPE_ALL, (int64_t)(l->loss * 1000)) / 1000;
    const char *better = blas_better_core();
    if (worst >= LIBRARY_LOSS)
        snprintf(l->text, sizeof l->text,
                 "the BLAS library's %s code costs %.0f %% of the speed that its code for this CPU "
                 "has (OPENBLAS_CORETYPE=%s)",
                 blas_core(), 100 * worst, better ? better : "see /nodes/blas_loss");
}

int library_open(struct library **out, struct team *team, int threads, bool beside,
                 uint32_t *findings)
{
    const size_t rows = (size_t)team_rows(team);
    struct library *l = calloc(1, sizeof *l);
    if (l)
        l->threads = calloc(rows, sizeof *l->threads);
    *out = l;
    if (team_agree(team, l && l->threads ? 0 : fail("out of memory")) < 0)
        return -1;
    assert(l && l->threads); /* agreed */
    const struct ranks *ranks = team_ranks(team);
    const int worked = count_threads(team, threads);
    for (size_t row = 0; row < rows; row++) {
        l->threads[row] = worked ? worked / (int)rows : -1;
        if (worked && worked != threads * (int)rows)
            findings[row] |= GATE_BLAS_POOL;
        if (beside && strcmp(blas_pool(), "pthread") == 0)
            findings[row] |= GATE_BLAS_BESIDE;
    }
    l->loss = find_loss(ranks);
    tell(l, ranks);
    l->tables[0] = (struct rows){{"/workers/blas_threads", "worker", TABLE_I32, "",
                                  "threads that worked in its library calls; -1 unknown"},
                                 l->threads,
                                 rows * sizeof *l->threads};
    l->tables[1] = (struct rows){
        {"/nodes/blas_loss", "node", TABLE_F64, "1",
         "share of dgemm's speed lost to the library's choice of code (blas_core), measured"},
        &l->loss,
        ranks->rank(SCOPE_NODE) == 0 ? sizeof l->loss : 0};
    return 0;
}

void library_close(struct library **library)
{
    struct library *l = *library;
    if (!l)
        return;
    free(l->threads);
    free(l);
    *library = NULL;
}
