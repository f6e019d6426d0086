/* facts.h: what a stranger needs to repeat the run: machine, versions, build,
 * environment. Nothing that looks like a secret. */
#ifndef BINDOT_FACTS_H
#define BINDOT_FACTS_H

#include "drivers/clock.h"

#include <stdbool.h>
#include <stddef.h>

typedef int facts_put(void *to, const char *key, const char *value);

/* "provenance/...": of the build and of this process. 0 or put's failure. */
int facts_build(facts_put *, void *to);
int facts_process(facts_put *put, void *to, int argc, char **argv);
/* "provenance/environment/...": the variables that change how such a run behaves. */
int facts_environment(facts_put *, void *to);
int facts_clock(facts_put *, void *to, const struct clock *);

/* Is this variable kept? Exposed for its test. */
bool facts_keeps(const char *name);

/* Of the machine. text: at least FACTS_TEXT bytes. */
enum { FACTS_TEXT = 256 };
void facts_host(char *text);
void facts_cpu_model(char *text);

const char *facts_source(void); /* "bindot 0.1.0 (git ...)" */
/* A number for this run: UUID version 4 as text, 37 bytes. */
void facts_run_id(char text[37]);

#endif
