/* node.h: what else happens on this node: other programs, stolen time, interrupts,
 * limits of the control group. Observed, with the resolution that the system has. */
#ifndef BINDOT_NODE_H
#define BINDOT_NODE_H

#include <stdint.h>

struct node_look {
    int64_t busy_ns;  /* CPU time used by everybody, all CPUs, in steps of 10 ms */
    int64_t steal_ns; /* taken by the hypervisor */
    int64_t interrupts;
    int64_t switches;  /* of context */
    int64_t throttled; /* times that the control group's quota ran out */
};

struct node_look node_look(void); /* -1 in what the system does not tell */

/* CPUs that the control group's quota pays for; 0: no quota. v1 and v2. */
double node_quota(void);

/* Bytes that the control group leaves this process; 0: no limit. */
uint64_t node_memory_rest(void);

#endif
