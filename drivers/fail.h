/* fail.h: why the last operation failed, said once where it is known.
 * One message per process; later calls do not hide the first reason. */
#ifndef BINDOT_FAIL_H
#define BINDOT_FAIL_H

/* Keeps the message if none is kept yet. Always returns -1: `return fail(...)`. */
__attribute__((format(printf, 1, 2))) int fail(const char *format, ...);

/* The kept message, or "" if there is none. One line, no final dot or newline. */
const char *fail_text(void);

void fail_clear(void);

#endif
