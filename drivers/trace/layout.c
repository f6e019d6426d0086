#include "drivers/trace/journal.h"

#include "drivers/fail.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

size_t type_bytes(enum table_type type)
{
    static const size_t bytes[] = {
        [TABLE_U8] = 1,  [TABLE_I32] = 4, [TABLE_U32] = 4,  [TABLE_I64] = 8,
        [TABLE_U64] = 8, [TABLE_F64] = 8, [TABLE_TEXT] = 0,
    };
    assert(type <= TABLE_TEXT);
    return bytes[type];
}

size_t axis_find(const struct layout *layout, const char *name)
{
    size_t i = 0;
    while (i < layout->naxes && strcmp(layout->axes[i].name, name))
        i++;
    return i;
}

size_t table_find(const struct layout *layout, const char *name)
{
    size_t i = 0;
    while (i < layout->ntables && strcmp(layout->tables[i].name, name))
        i++;
    return i;
}

bool is_repetition(const struct axis *axis)
{
    return !strcmp(axis->name, "repetition");
}

bool table_repeats(const struct layout *layout, const struct layout_table *table)
{
    return is_repetition(&layout->axes[table->axis[0]]);
}

int layout_axis(struct layout *layout, const char *name, uint64_t length, const char *meaning)
{
    if (!*name || strpbrk(name, "/ ") || axis_find(layout, name) < layout->naxes)
        return -1;
    struct axis *axes = realloc(layout->axes, (layout->naxes + 1) * sizeof *axes);
    if (!axes)
        return fail("trace: out of memory");
    layout->axes = axes;
    axes[layout->naxes] = (struct axis){strdup(name), strdup(meaning), length, !length};
    layout->naxes++;
    return axes[layout->naxes - 1].name && axes[layout->naxes - 1].meaning
               ? 0
               : fail("trace: out of memory");
}

/* names: "repetition worker bin". Repetitions come first or not at all: what a
 * kill leaves unfinished is then the end of a block, never a part of each row. */
static int table_axes(struct layout_table *table, const struct layout *layout, const char *names)
{
    char *copy = strdup(names), *rest = copy;
    int r = copy ? 0 : fail("trace: out of memory");
    for (char *name; !r && (name = strsep(&rest, " "));) {
        size_t i = axis_find(layout, name);
        if (i == layout->naxes || table->rank == AXES_MAX ||
            (table->rank && is_repetition(&layout->axes[i])))
            r = -1;
        else
            table->axis[table->rank++] = i;
    }
    free(copy);
    return r;
}

int layout_table(struct layout *layout, const struct table *given)
{
    struct layout_table table = {.type = given->type};
    if (table_axes(&table, layout, given->axes) < 0 || given->name[0] != '/' || !given->name[1] ||
        given->type > TABLE_TEXT || table_find(layout, given->name) < layout->ntables ||
        axis_find(layout, given->name + 1) < layout->naxes)
        return -1;
    struct layout_table *tables = realloc(layout->tables, (layout->ntables + 1) * sizeof *tables);
    if (!tables)
        return fail("trace: out of memory");
    layout->tables = tables;
    table.name = strdup(given->name);
    table.unit = strdup(given->unit);
    table.meaning = strdup(given->meaning);
    tables[layout->ntables++] = table;
    return table.name && table.unit && table.meaning ? 0 : fail("trace: out of memory");
}

void layout_free(struct layout *layout)
{
    for (size_t i = 0; i < layout->naxes; i++) {
        free(layout->axes[i].name);
        free(layout->axes[i].meaning);
    }
    for (size_t i = 0; i < layout->ntables; i++) {
        free(layout->tables[i].name);
        free(layout->tables[i].unit);
        free(layout->tables[i].meaning);
    }
    free(layout->axes);
    free(layout->tables);
    *layout = (struct layout){0};
}
