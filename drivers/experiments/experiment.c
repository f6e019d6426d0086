#include "drivers/experiments/experiment.h"

#include <string.h>

const struct experiment *const experiments[] = {&experiment_binning,
                                                &experiment_dot,
                                                &experiment_matmul,
                                                &experiment_summa,
                                                &experiment_marshal,
                                                &experiment_send,
                                                NULL};

static bool has_word(const char *words, const char *word)
{
    const size_t length = strlen(word);
    for (const char *at = words; (at = strstr(at, word)); at += length)
        if ((at == words || at[-1] == ' ') && (at[length] == ' ' || !at[length]))
            return true;
    return false;
}

const struct experiment *experiment_find(const char *name, const char *method)
{
    for (const struct experiment *const *e = experiments; *e; e++)
        if (strcmp((*e)->name, name) == 0 && (!method || has_word((*e)->methods, method)))
            return *e;
    return NULL;
}
