/* blas.h: the BLAS library as a pool of threads: set, asked, named. */
#ifndef BINDOT_BLAS_H
#define BINDOT_BLAS_H

void blas_set_threads(int n);
int blas_threads(void);
const char *blas_core(void);   /* "Haswell": whose code it runs */
const char *blas_config(void); /* version and build */
const char *blas_pool(void);   /* "single", "pthread", "openmp" */

#endif
