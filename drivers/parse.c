#include "drivers/parse.h"

#include "drivers/fail.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct suffix {
    const char *word;
    double factor;
};

static const struct suffix sizes[] = {
    {"", 1},           {"k", 1e3},           {"M", 1e6},
    {"G", 1e9},        {"T", 1e12},          {"Ki", 1024.0},
    {"Mi", 1048576.0}, {"Gi", 1073741824.0}, {"Ti", 1099511627776.0},
    {NULL, 0}};
static const struct suffix times[] = {{"ns", 1},  {"us", 1e3},   {"ms", 1e6},
                                      {"s", 1e9}, {"min", 6e10}, {NULL, 0}};
static const struct suffix shares[] = {{"%", 0.01}, {NULL, 0}};
static const struct suffix drifts[] = {{"ppm", 1e-6}, {"ppb", 1e-9}, {NULL, 0}};

/* A decimal number and one of the suffixes; no sign, hex, inf or nan. */
static int scaled(const char *text, const struct suffix *suffixes, double *out)
{
    if (!isdigit((unsigned char)text[0]) || text[1] == 'x' || text[1] == 'X')
        return -1;
    char *rest;
    errno = 0;
    const double value = strtod(text, &rest);
    if (errno)
        return -1;
    for (; suffixes->word; suffixes++)
        if (strcmp(rest, suffixes->word) == 0) {
            *out = value * suffixes->factor;
            return 0;
        }
    return -1;
}

/* Doubles hold every whole number up to 2^53; larger ones could be rounded. */
static int whole(double value, uint64_t *out)
{
    if (!(value <= 0x1p53) || value != floor(value))
        return -1;
    *out = (uint64_t)value;
    return 0;
}

int parse_size(const char *option, const char *text, uint64_t *out)
{
    double value;
    if (scaled(text, sizes, &value) == 0 && whole(value, out) == 0)
        return 0;
    return fail("%s takes a whole number such as 4000, 1e6 or 64Ki, not '%s'", option, text);
}

int parse_time(const char *option, const char *text, uint64_t *out)
{
    double value;
    if (scaled(text, times, &value) == 0 && value >= 1 && whole(round(value), out) == 0)
        return 0;
    return fail("%s takes a time with its unit such as 50us, 2ms or 1s, not '%s'", option, text);
}

int parse_share(const char *option, const char *text, double *out)
{
    if (scaled(text, shares, out) == 0 && *out > 0 && *out < 1)
        return 0;
    return fail("%s takes a share such as 1%% or 0.5%%, not '%s'", option, text);
}

int parse_drift(const char *option, const char *text, double *out)
{
    if (scaled(text, drifts, out) == 0 && *out > 0 && *out <= 1e-3)
        return 0;
    return fail("%s takes a rate such as 50ppm or 20ppb, up to 1000ppm, not '%s'", option, text);
}
