/* No journal makes recovery fail but by -1 and a reason. Input: a journal; the checksums of
 * its records are made right before it is read, else nothing would get past them. */
#include "drivers/fail.h"
#include "drivers/trace/journal.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void make_right(uint8_t *bytes, size_t size)
{
    struct head head;
    for (size_t at = sizeof preamble; at + sizeof head <= size; at += sizeof head + head.length) {
        memcpy(&head, bytes + at, sizeof head);
        if (head.length > size - at - sizeof head)
            return;
        head.crc = head_crc(&head, at);
        head.crc = (uint32_t)crc32(head.crc, bytes + at + sizeof head, (uInt)head.length);
        memcpy(bytes + at, &head, sizeof head);
    }
}

/* Every byte of the block is there to be read. */
static void touch(const struct row_block *block)
{
    const volatile uint8_t *bytes = block->data;
    for (size_t i = 0; i < block->nbytes; i++)
        (void)bytes[i];
}

static int read_all(int fd)
{
    struct journal j;
    struct row_block block;
    int r = journal_read(&j, "fuzz.part", fd, false);
    while (r == 0 && (r = journal_rows(&j, &block)) == 1) {
        touch(&block);
        r = 0;
    }
    journal_free(&j);
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *bytes = malloc(size + 1);
    memcpy(bytes, data, size);
    if (size >= sizeof preamble)
        memcpy(bytes, &preamble, sizeof preamble);
    make_right(bytes, size);
    const int fd = memfd_create("fuzz", 0);
    if (fd < 0 || write(fd, bytes, size) != (ssize_t)size)
        abort();
    fail_clear();
    if (read_all(fd) < 0 && !fail_text()[0])
        abort(); /* refused without a word */
    close(fd);
    free(bytes);
    return 0;
}
