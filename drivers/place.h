/* place.h: the CPUs of this process: which it may use, where a worker runs,
 * what shares a core. hwloc lives here only. */
#ifndef BINDOT_PLACE_H
#define BINDOT_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct place;

int place_open(struct place **out); /* -1: fail.h */
void place_close(struct place **);  /* sets NULL */

/* Cores in the mask that the launcher gave. */
int place_cores(const struct place *);
/* The i-th CPU of that mask, one of each core before the second of any. */
int place_cpu(const struct place *, int i);
/* Same mask as another process of this node: equal numbers. */
unsigned long long place_mask_hash(const struct place *);

/* The calling thread. place_bind keeps it on n CPUs of the mask from place i on. */
int place_bind(const struct place *, int i, int n);
int place_here(void); /* CPU that it runs on now */
/* CPUs that it may use now: their number, the list as text ("0-3,8"). */
int place_allowed(const struct place *, char *list, size_t size);
/* The same as bits, cpu in bits[cpu / 64]; CPUs beyond nwords * 64 are left out. */
void place_allowed_bits(const struct place *, uint64_t bits[], int nwords);

/* Of a CPU, by its number in the system; -1 unknown. */
int place_core_of(const struct place *, int cpu);
size_t place_caches(const struct place *); /* bytes of all last-level caches; 0 unknown */
/* Bytes that each of so many workers of the machine has of a cache of each level, of the last one
 * its share; 0 unknown. Of the first core of the mask. */
void place_cache_levels(const struct place *, size_t workers, size_t bytes[3]);
int place_numa_of(const struct place *, int cpu);

/* Of the machine. xml: caller frees with place_xml_free; NULL on failure. */
char *place_xml(const struct place *);
void place_xml_free(const struct place *, char *xml);
const char *place_version(void);

#endif
