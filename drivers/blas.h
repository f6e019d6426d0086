/* blas.h: the BLAS library as a pool of threads: set, asked, named, tried. */
#ifndef BINDOT_BLAS_H
#define BINDOT_BLAS_H

void blas_set_threads(int n);
int blas_threads(void);
const char *blas_core(void);   /* "Haswell": whose code it runs */
const char *blas_config(void); /* version and build */
const char *blas_pool(void);   /* "single", "pthread", "openmp" */

/* Multiplies matrices that are worth `threads` threads until the caller has used
 * 20 ms of CPU time. Returns the best rate, flop/s; 0: out of memory. */
double blas_exercise(int threads);

/* The code that this CPU could run and the library left for an older kind's: a name
 * for OPENBLAS_CORETYPE; NULL where its choice is as good as any known. */
const char *blas_better_core(void);

/* One thread's rate in a process of its own under that OPENBLAS_CORETYPE (NULL: the
 * present one), flop/s; 0: could not be tried. The library chooses its code once,
 * while it is loaded: so this program starts itself with BLAS_RATE as its only word,
 * and then must call blas_tell_rate. */
#define BLAS_RATE "blas-rate"
double blas_rate(const char *core);
int blas_tell_rate(void); /* exit status */

#endif
