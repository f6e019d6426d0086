/* Property: memory of every size can be written from end to end, from 2 MiB on it begins
 * at a whole large page, and when it is freed nothing of it stays mapped. */
#include "drivers/memory.h"
#include "tests/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { LARGE = 1 << 21, PAGE = 4096, TIMES = 8 };

static const size_t sizes[] = {0, 1, PAGE, LARGE - 1, LARGE, LARGE + 1, 5 * LARGE / 2, 33 * LARGE};
enum { NSIZES = sizeof sizes / sizeof *sizes };

/* Pages of [p, p + bytes) that are mapped, one by one. */
static size_t mapped(char *p, size_t bytes)
{
    size_t n = 0;
    unsigned char in;
    for (size_t at = 0; at < bytes; at += PAGE)
        n += mincore(p + at, 1, &in) == 0 || errno != ENOMEM;
    return n;
}

/* Pages that this process has mapped in all. Nothing is allocated to tell them. */
static size_t all_mapped(void)
{
    char text[128] = "";
    const int statm = open("/proc/self/statm", O_RDONLY);
    assert_true(statm >= 0 && read(statm, text, sizeof text - 1) > 0);
    close(statm);
    return strtoul(text, NULL, 10);
}

static void whole_pages(void **state)
{
    (void)state;
    for (int i = 0; i < NSIZES; i++) {
        char *got[TIMES]; /* some at once: the place of one moves the next */
        for (int k = 0; k < TIMES; k++) {
            assert_non_null(got[k] = memory_get(sizes[i]));
            assert_int_equal((uintptr_t)got[k] % (sizes[i] < LARGE ? PAGE : LARGE), 0);
            memset(got[k], k + 1, sizes[i]);
        }
        for (int k = 0; k < TIMES; k++) {
            for (size_t at = 0; at < sizes[i]; at += PAGE)
                assert_int_equal(got[k][at], k + 1);
            memory_free(got[k], sizes[i]);
        }
    }
}

/* Round about as well: what was mapped to find the place is gone at once. */
static void nothing_stays(void **state)
{
    (void)state;
    const size_t odd = 64 * (size_t)LARGE + 3 * PAGE; /* what comes beside it is not in place */
    void *const beside = mmap(NULL, odd, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(beside != MAP_FAILED);
    for (int i = 0; i < NSIZES; i++) {
        const size_t before = all_mapped();
        char *const p = memory_get(sizes[i]);
        assert_non_null(p);
        const size_t large = (sizes[i] + LARGE - 1) / LARGE * LARGE / PAGE;
        const size_t small = sizes[i] ? (sizes[i] + PAGE - 1) / PAGE : 1;
        const size_t pages = sizes[i] < LARGE ? small : large;
        assert_int_equal(all_mapped() - before, pages);
        assert_int_equal(mapped(p, pages * PAGE), pages);
        memory_free(p, sizes[i]);
        assert_int_equal(mapped(p, pages * PAGE), 0);
        assert_int_equal(all_mapped(), before);
    }
    munmap(beside, odd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(whole_pages),
                                       cmocka_unit_test(nothing_stays)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
