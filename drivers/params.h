/* params.h: what the user asked for. Filled by options.c, const ever after. */
#ifndef BINDOT_PARAMS_H
#define BINDOT_PARAMS_H

#include "drivers/inject.h"

#include <stdbool.h>
#include <stdint.h>

enum { PARAMS_LABELS = 64, PARAMS_KEY = 128 /* bytes of a label's key, at most */ };

struct params {
    const char *kernel;  /* "binning", "dot", "matmul" */
    const char *method;  /* one of the experiment's; never NULL after options */
    const char *output;  /* file, directory, or NULL: a name is made */
    const char *recover; /* journal to recover instead of running, or NULL */
    uint64_t size;       /* elements, or rows of a matrix; 0: the experiment's default */
    uint64_t panel;      /* columns of A handed on at a time; 0: not that method */
    uint64_t block;      /* doubles of a column that lie in one piece; 0: not that method */
    uint64_t row;        /* doubles in a row of its matrix */
    uint64_t grainsize;  /* elements of a worker at least; 0: all share */
    int weak;            /* size is per worker */
    uint64_t bins;
    uint64_t width_ns;    /* of a bin */
    uint64_t detour_ns;   /* two clock reads further apart are a detour */
    uint64_t detours;     /* room for so many per worker and repetition */
    int unit;             /* enum bins_unit */
    int storage;          /* enum bins_storage */
    uint64_t wait_ns;     /* the unit is a blocking wait this long; 0: it is work */
    uint64_t lock_ns;     /* one lock for the workers of a process: its switch interval; 0: none */
    uint64_t sync_every;  /* all workers meet after every so many bins; 0: never */
    uint64_t iterations;  /* kernel calls in a repetition; 0: long enough to measure */
    uint64_t repeats;     /* 0: until_ci decides */
    double until_ci;      /* half width of the median's interval, share; 0: repeats decide */
    uint64_t max_time_ns; /* 0: none */
    uint64_t warmup_ns;
    int threads;      /* per process; 0: the runtime and the CPU mask choose */
    int blas_threads; /* per process; 0: the method chooses */
    int clock;        /* enum clock_choice */
    int bind;         /* pin workers inside the mask that the launcher gave */
    bool force, resume, quiet, verbose, allow_invalid;
    struct inject inject; /* faults on purpose */
    int nlabels;
    const char *labels[PARAMS_LABELS]; /* "KEY=VALUE" */
    int argc;
    char **argv; /* as typed */
};

#endif
