/* pilaenv: the one function of ScaLAPACK that says how wide PBLAS cuts k. Its own
 * answer is 32, whatever the matrices' blocks are. */
#include <stdlib.h>

int pilaenv_(const int *context, const char *precision);

int pilaenv_(const int *context, const char *precision)
{
    (void)context, (void)precision;
    const char *block = getenv("PILAENV_BLOCK");
    return block ? atoi(block) : 32;
}
