/* parse.h: words to numbers. Each returns -1 and fail.h for what it does not take. */
#ifndef BINDOT_PARSE_H
#define BINDOT_PARSE_H

#include <stdint.h>

/* A whole number >= 0: "4000", "1e6", "1.5e3", "64Ki", "2M". Exact or refused. */
int parse_size(const char *option, const char *text, uint64_t *out);
/* A time with its unit: "50us", "2ms", "1.5s", "100ns"; nanoseconds, > 0. */
int parse_time(const char *option, const char *text, uint64_t *out);
/* A share: "1%", "0.5%"; out is 0.01, 0.005; 0 < share < 1. */
int parse_share(const char *option, const char *text, double *out);
/* How far a clock's rate is off: "50ppm", "20ppb"; out is 5e-5, 2e-8; up to 1000ppm. */
int parse_drift(const char *option, const char *text, double *out);

#endif
