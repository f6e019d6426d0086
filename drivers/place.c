#include "drivers/place.h"

#include "drivers/fail.h"

#include <hwloc.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct place {
    hwloc_topology_t topology;
    hwloc_cpuset_t mask; /* as the launcher gave it */
    int cpus, cores;
    int *order; /* [cpus] system numbers */
};

/* Core after core, the k-th hardware thread of each in round k. */
static int order_cpus(struct place *p)
{
    p->cpus = hwloc_bitmap_weight(p->mask);
    p->order = malloc((size_t)(p->cpus > 0 ? p->cpus : 1) * sizeof *p->order);
    if (!p->order)
        return fail("out of memory for %d CPUs", p->cpus);
    const int depth = hwloc_get_type_or_below_depth(p->topology, HWLOC_OBJ_CORE);
    const unsigned ncores = hwloc_get_nbobjs_by_depth(p->topology, depth);
    hwloc_cpuset_t own = hwloc_bitmap_alloc();
    int n = 0;
    for (int round = 0; n < p->cpus; round++) {
        const int before = n;
        for (unsigned c = 0; c < ncores; c++) {
            hwloc_bitmap_and(own, hwloc_get_obj_by_depth(p->topology, depth, c)->cpuset, p->mask);
            int cpu = hwloc_bitmap_first(own);
            for (int k = 0; k < round && cpu >= 0; k++)
                cpu = hwloc_bitmap_next(own, cpu);
            if (cpu >= 0)
                p->order[n++] = cpu;
        }
        if (round == 0)
            p->cores = n;
        if (n == before)
            break; /* CPUs that the topology does not know */
    }
    hwloc_bitmap_free(own);
    p->cpus = n;
    return n > 0 ? 0 : fail("no CPU of this process's mask is known to hwloc");
}

int place_open(struct place **out)
{
    struct place *p = calloc(1, sizeof *p);
    if (!p)
        return fail("out of memory");
    if (hwloc_topology_init(&p->topology) < 0) {
        free(p);
        return fail("hwloc cannot start");
    }
    p->mask = hwloc_bitmap_alloc();
    hwloc_topology_set_flags(p->topology, HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED);
    if (hwloc_topology_load(p->topology) < 0)
        fail("hwloc cannot read this machine's topology");
    else if (hwloc_get_cpubind(p->topology, p->mask, HWLOC_CPUBIND_THREAD) < 0)
        fail("hwloc cannot read the CPU mask of this process");
    else if (order_cpus(p) == 0) {
        *out = p;
        return 0;
    }
    place_close(&p);
    return -1;
}

void place_close(struct place **place)
{
    struct place *p = *place;
    if (!p)
        return;
    free(p->order);
    hwloc_bitmap_free(p->mask);
    hwloc_topology_destroy(p->topology);
    free(p);
    *place = NULL;
}

int place_cores(const struct place *p)
{
    return p->cores;
}

int place_cpu(const struct place *p, int i)
{
    return p->order[i % p->cpus];
}

unsigned long long place_mask_hash(const struct place *p)
{
    unsigned long long hash = 0xcbf29ce484222325u; /* FNV-1a */
    for (int cpu = hwloc_bitmap_first(p->mask); cpu >= 0; cpu = hwloc_bitmap_next(p->mask, cpu))
        hash = (hash ^ (unsigned long long)cpu) * 0x100000001b3u;
    return hash;
}

int place_bind(const struct place *p, int i, int n)
{
    hwloc_cpuset_t set = hwloc_bitmap_alloc();
    for (int k = 0; k < n; k++)
        hwloc_bitmap_set(set, (unsigned)place_cpu(p, i + k));
    const int r = hwloc_set_cpubind(p->topology, set, HWLOC_CPUBIND_THREAD);
    hwloc_bitmap_free(set);
    return r < 0 ? fail("cannot pin a worker to CPU %d", place_cpu(p, i)) : 0;
}

int place_here(void)
{
    return sched_getcpu();
}

int place_allowed(const struct place *p, char *list, size_t size)
{
    hwloc_cpuset_t set = hwloc_bitmap_alloc();
    int n = -1;
    list[0] = '\0';
    if (hwloc_get_cpubind(p->topology, set, HWLOC_CPUBIND_THREAD) == 0) {
        hwloc_bitmap_list_snprintf(list, size, set);
        n = hwloc_bitmap_weight(set);
    }
    hwloc_bitmap_free(set);
    return n;
}

void place_allowed_bits(const struct place *p, uint64_t bits[], int nwords)
{
    hwloc_cpuset_t set = hwloc_bitmap_alloc();
    memset(bits, 0, (size_t)nwords * sizeof *bits);
    hwloc_get_cpubind(p->topology, set, HWLOC_CPUBIND_THREAD);
    for (int cpu = hwloc_bitmap_first(set); cpu >= 0 && cpu < nwords * 64;
         cpu = hwloc_bitmap_next(set, cpu))
        bits[cpu / 64] |= (uint64_t)1 << cpu % 64;
    hwloc_bitmap_free(set);
}

int place_core_of(const struct place *p, int cpu)
{
    hwloc_obj_t pu = cpu < 0 ? NULL : hwloc_get_pu_obj_by_os_index(p->topology, (unsigned)cpu);
    hwloc_obj_t core = pu ? hwloc_get_ancestor_obj_by_type(p->topology, HWLOC_OBJ_CORE, pu) : NULL;
    return core ? (int)core->logical_index : pu ? (int)pu->logical_index : -1;
}

int place_numa_of(const struct place *p, int cpu)
{
    hwloc_obj_t pu = cpu < 0 ? NULL : hwloc_get_pu_obj_by_os_index(p->topology, (unsigned)cpu);
    hwloc_obj_t node = pu ? hwloc_get_next_obj_covering_cpuset_by_type(p->topology, pu->cpuset,
                                                                       HWLOC_OBJ_NUMANODE, NULL)
                          : NULL;
    return node ? (int)node->os_index : -1;
}

/* What names this very process or host would make equal nodes look different. */
static void blank_names(hwloc_topology_t topology)
{
    hwloc_obj_t machine = hwloc_get_root_obj(topology);
    for (unsigned i = 0; i < machine->infos_count; i++)
        if (strcmp(machine->infos[i].name, "HostName") == 0 ||
            strcmp(machine->infos[i].name, "ProcessName") == 0)
            machine->infos[i].value[0] = '\0';
}

char *place_xml(const struct place *p)
{
    blank_names(p->topology);
    char *xml = NULL;
    int length;
    return hwloc_topology_export_xmlbuffer(p->topology, &xml, &length, 0) < 0 ? NULL : xml;
}

void place_xml_free(const struct place *p, char *xml)
{
    if (xml)
        hwloc_free_xmlbuffer(p->topology, xml);
}

const char *place_version(void)
{
    static char text[32];
    const unsigned v = hwloc_get_api_version();
    snprintf(text, sizeof text, "hwloc API %u.%u.%u", v >> 16, v >> 8 & 255, v & 255);
    return text;
}

size_t place_caches(const struct place *p)
{
    size_t sum = 0;
    for (hwloc_obj_t l3 = NULL;
         (l3 = hwloc_get_next_obj_by_type(p->topology, HWLOC_OBJ_L3CACHE, l3)) != NULL;)
        sum += l3->attr->cache.size;
    return sum;
}

void place_cache_levels(const struct place *p, size_t workers, size_t bytes[3])
{
    const hwloc_obj_type_t levels[3] = {HWLOC_OBJ_L1CACHE, HWLOC_OBJ_L2CACHE, HWLOC_OBJ_L3CACHE};
    const hwloc_obj_t cpu = hwloc_get_pu_obj_by_os_index(p->topology, (unsigned)place_cpu(p, 0));
    for (int i = 0; i < 3; i++) {
        const hwloc_obj_t cache = hwloc_get_ancestor_obj_by_type(p->topology, levels[i], cpu);
        bytes[i] = cache ? cache->attr->cache.size : 0;
    }
    const size_t share = place_caches(p) / workers;
    bytes[2] = share < bytes[2] ? share : bytes[2];
}
