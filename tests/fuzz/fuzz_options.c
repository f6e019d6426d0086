/* No command line makes the parser fail but by -1 and a reason. Input: words, one a line. */
#include "drivers/fail.h"
#include "drivers/options.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS = 24 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* --help and --version print and leave: argp takes any beginning of them. */
static int leaves(const char *word)
{
    return strncmp(word, "--h", 3) == 0 || strncmp(word, "--v", 3) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1), *rest = text;
    char *argv[WORDS + 2] = {"bindot-serial"};
    int argc = 1;
    memcpy(text, data, size);
    text[size] = '\0';
    for (char *word; argc <= WORDS && (word = strsep(&rest, "\n"));)
        if (!leaves(word))
            argv[argc++] = word;
    struct params params;
    fail_clear();
    if (options_parse(&params, "bindot-serial", argc, argv) < 0 && !fail_text()[0])
        abort(); /* refused without a word */
    free(text);
    return 0;
}
