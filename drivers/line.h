/* line.h: the first line of a small file of the system. */
#ifndef BINDOT_LINE_H
#define BINDOT_LINE_H

#include <stdio.h>
#include <string.h>

/* Without its newline; "" if there is none. text: room for size bytes. */
static inline void line_read(const char *path, char *text, size_t size)
{
    text[0] = '\0';
    FILE *f = fopen(path, "r");
    if (!f)
        return;
    if (fgets(text, (int)size, f))
        text[strcspn(text, "\n")] = '\0';
    fclose(f);
}

#endif
