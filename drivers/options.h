/* options.h: argv to params. */
#ifndef BINDOT_OPTIONS_H
#define BINDOT_OPTIONS_H

#include "drivers/params.h"

/* Prints --help and --version to standard output and exits with 0.
 * Bad usage: -1 and fail.h, nothing printed. driver: "bindot-mpi". */
int options_parse(struct params *out, const char *driver, int argc, char **argv);

#endif
