#include "fail.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

static char text[1024];
static atomic_flag kept = ATOMIC_FLAG_INIT; /* workers may fail at the same time */

int fail(const char *format, ...)
{
    if (atomic_flag_test_and_set(&kept))
        return -1;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    for (char *at = text; *at; at++) /* of a user's words: it stays one line, and no escape */
        if ((unsigned char)*at < ' ' || *at == 0x7f)
            *at = '?';
    return -1;
}

const char *fail_text(void)
{
    return text;
}

void fail_clear(void)
{
    text[0] = '\0';
    atomic_flag_clear(&kept);
}
