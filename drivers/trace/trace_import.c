/* HDF5 to journal: trace_hdf5.c backwards, so that a run that was stopped can go on.
 *
 * Only what that file writes is looked for; anything else is an error. All axes are
 * told as growing ones: their rows say how long they are, and the run that goes on
 * tells the fixed ones again. */
#include "drivers/fail.h"
#include "drivers/trace/hdf5.h"
#include "drivers/trace/journal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_MOST = 512 };

struct input {
    const char *path;
    hid_t file;
    struct trace *trace;
    bool rows; /* of repetitions, too */
};

/* Where in the file: "" is the root. */
typedef int visitor(struct input *, hid_t object, const char *path);

static int input_fail(const struct input *in, const char *what)
{
    return fail("trace: cannot read %s: %s", in->path, what);
}

/* ---- attributes ---- */

/* As text, or as a number where text is NULL. The caller frees text. */
static int attribute_read(const struct input *in, hid_t attribute, char **text, int64_t *number)
{
    hid_t type = H5Aget_type(attribute);
    const bool words = type >= 0 && H5Tget_class(type) == H5T_STRING;
    int r = -1;
    *text = NULL;
    if (words && H5Tis_variable_str(type) == 0 && (*text = calloc(1, H5Tget_size(type) + 1)))
        r = H5Aread(attribute, type, *text) < 0 ? -1 : 0;
    else if (type >= 0 && H5Tget_class(type) == H5T_INTEGER)
        r = H5Aread(attribute, H5T_STD_I64LE, number) < 0 ? -1 : 0;
    if (type >= 0)
        H5Tclose(type);
    return r < 0 ? input_fail(in, "an attribute is neither text nor a number") : 0;
}

static char *text_of(const struct input *in, hid_t object, const char *name)
{
    char *text = NULL;
    int64_t number;
    if (H5Aexists(object, name) <= 0)
        return strdup("");
    hid_t attribute = H5Aopen(object, name, H5P_DEFAULT);
    if (attribute < 0 || attribute_read(in, attribute, &text, &number) < 0) {
        free(text);
        text = NULL;
    }
    if (attribute >= 0)
        H5Aclose(attribute);
    return text;
}

/* Those that the format itself writes: it will write them again. */
static bool is_ours(const char *name)
{
    static const char *const own[] = {
        "Conventions",    "format",         "format_version", "status",       "repetitions",
        "long_name",      "units",          "missing_marker", "CLASS",        "NAME",
        "DIMENSION_LIST", "REFERENCE_LIST", "_Netcdf4Dimid",  "text_checksum"};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (!strcmp(name, own[i]))
            return true;
    return false;
}

static int label_import(struct input *in, hid_t attribute, const char *home)
{
    char name[NAME_MOST], key[2 * NAME_MOST];
    char *text;
    int64_t number = 0;
    const ssize_t n = H5Aget_name(attribute, sizeof name, name);
    if (n < 0 || n >= (ssize_t)sizeof name)
        return input_fail(in, "an attribute has no name, or a very long one");
    if (is_ours(name))
        return 0;
    snprintf(key, sizeof key, "%s%s%s", home, *home ? "/" : "", name);
    int r = attribute_read(in, attribute, &text, &number);
    if (!r)
        r = text ? trace_label(in->trace, key, text) : trace_number(in->trace, key, number);
    free(text);
    return r;
}

static int labels_import(struct input *in, hid_t object, const char *home)
{
    hid_t attribute;
    int r = 0;
    for (hsize_t i = 0; !r; i++) {
        attribute = H5Aopen_by_idx(object, ".", H5_INDEX_CRT_ORDER, H5_ITER_INC, i, H5P_DEFAULT,
                                   H5P_DEFAULT);
        if (attribute < 0) /* there are no more */
            return 0;
        r = label_import(in, attribute, home);
        H5Aclose(attribute);
    }
    return r;
}

/* ---- axes and tables ---- */

static int axis_import(struct input *in, hid_t set, const char *path)
{
    if (H5DSis_scale(set) <= 0)
        return 0;
    char *meaning = text_of(in, set, "long_name");
    const int r = meaning ? trace_axis(in->trace, path, 0, meaning) : -1;
    free(meaning);
    return r;
}

struct axes {
    char text[NAME_MOST];
};

static herr_t axis_name(hid_t set, unsigned k, hid_t scale, void *to)
{
    (void)set, (void)k;
    struct axes *axes = to;
    char name[NAME_MOST];
    const size_t used = strlen(axes->text);
    const ssize_t n = H5Iget_name(scale, name, sizeof name);
    if (n < 2 || used + (size_t)n + 1 >= sizeof axes->text)
        return -1;
    snprintf(axes->text + used, sizeof axes->text - used, "%s%s", used ? " " : "", name + 1);
    return 1; /* one is enough */
}

static int type_import(hid_t set, enum table_type *out)
{
    hid_t type = H5Dget_type(set);
    const H5T_class_t class = type < 0 ? H5T_NO_CLASS : H5Tget_class(type);
    const size_t bytes = type < 0 ? 0 : H5Tget_size(type);
    int r = 0;
    if (class == H5T_STRING && H5Tis_variable_str(type) > 0)
        *out = TABLE_TEXT;
    else if (class == H5T_FLOAT && bytes == 8)
        *out = TABLE_F64;
    else if (class == H5T_INTEGER && H5Tget_sign(type) == H5T_SGN_2 && (bytes == 4 || bytes == 8))
        *out = bytes == 4 ? TABLE_I32 : TABLE_I64;
    else if (class == H5T_INTEGER && (bytes == 1 || bytes == 4 || bytes == 8))
        *out = bytes == 1 ? TABLE_U8 : bytes == 4 ? TABLE_U32 : TABLE_U64;
    else
        r = -1;
    if (type >= 0)
        H5Tclose(type);
    return r;
}

static int table_import(struct input *in, hid_t set, const char *name, int rank)
{
    struct axes axes = {""};
    struct table table = {.name = name, .axes = axes.text};
    for (int k = 0; k < rank; k++)
        if (H5DSiterate_scales(set, (unsigned)k, NULL, axis_name, &axes) <= 0)
            return input_fail(in, "a table has an axis without a name");
    if (type_import(set, &table.type) < 0)
        return input_fail(in, "a table is of no type that traces have");
    char *unit = text_of(in, set, "units"), *meaning = text_of(in, set, "long_name");
    table.unit = unit;
    table.meaning = meaning;
    int r = unit && meaning ? trace_table(in->trace, &table) : -1;
    free(unit);
    free(meaning);
    return r < 0 ? input_fail(in, "its tables contradict each other") : 0;
}

/* ---- rows ---- */

struct block { /* a part of a table, and what memory it takes */
    hid_t set, space, memory, type;
    const struct layout_table *table;
    hsize_t first[AXES_MAX], count[AXES_MAX], n;
};

static int texts_import(struct input *in, const struct block *b, const size_t *first,
                        const size_t *count)
{
    char **texts = calloc(b->n, sizeof *texts), *all = NULL;
    size_t size = 0;
    FILE *joined = texts ? open_memstream(&all, &size) : NULL;
    int r =
        joined && H5Dread(b->set, b->type, b->memory, b->space, H5P_DEFAULT, texts) >= 0 ? 0 : -1;
    for (hsize_t i = 0; joined && i < b->n; i++)
        fwrite(texts[i] ? texts[i] : "", 1, texts[i] ? strlen(texts[i]) + 1 : 1, joined);
    if (joined && fclose(joined) != 0)
        r = -1;
    if (!r)
        r = trace_rows(in->trace, b->table->name, first, count, all);
    for (hsize_t i = 0; texts && i < b->n; i++)
        free(texts[i]);
    free(texts);
    free(all);
    return r;
}

static int block_import(struct input *in, const struct block *b)
{
    size_t first[AXES_MAX], count[AXES_MAX];
    for (size_t k = 0; k < b->table->rank; k++) {
        first[k] = b->first[k];
        count[k] = b->count[k];
    }
    if (b->table->type == TABLE_TEXT)
        return texts_import(in, b, first, count);
    void *data = malloc(b->n * type_bytes(b->table->type));
    int r = data && H5Dread(b->set, b->type, b->memory, b->space, H5P_DEFAULT, data) >= 0
                ? trace_rows(in->trace, b->table->name, first, count, data)
                : -1;
    free(data);
    return r;
}

/* Repetition by repetition, if there is more than one number of each: memory is what
 * the run itself took. */
static int rows_import(struct input *in, hid_t set, const struct layout_table *table)
{
    struct block b = {.set = set, .table = table, .space = H5Dget_space(set), .n = 1};
    const bool repeats = table_repeats(&in->trace->layout, table);
    int r = b.space < 0 || H5Sget_simple_extent_dims(b.space, b.count, NULL) < 0 ? -1 : 0;
    const hsize_t all = r ? 0 : b.count[0], step = repeats && table->rank > 1 ? 1 : all;
    b.count[0] = step;
    for (size_t k = 0; k < table->rank; k++)
        b.n *= b.count[k];
    if (r || !b.n || (repeats && !in->rows))
        goto out;
    b.memory = H5Screate_simple((int)table->rank, b.count, NULL);
    b.type = table->type == TABLE_TEXT ? text_type() : number_type(table->type);
    for (; !r && b.first[0] < all; b.first[0] += step)
        r = H5Sselect_hyperslab(b.space, H5S_SELECT_SET, b.first, NULL, b.count, NULL) < 0
                ? -1
                : block_import(in, &b);
    if (table->type == TABLE_TEXT)
        H5Tclose(b.type);
    H5Sclose(b.memory);
out:
    if (b.space >= 0)
        H5Sclose(b.space);
    return r < 0 ? input_fail(in, table->name) : 0;
}

static int set_import(struct input *in, hid_t set, const char *path)
{
    char name[NAME_MOST + 1];
    hid_t space = H5Dget_space(set);
    const int rank = space < 0 ? -1 : H5Sget_simple_extent_ndims(space);
    if (space >= 0)
        H5Sclose(space);
    if (H5DSis_scale(set) > 0)
        return 0;
    snprintf(name, sizeof name, "/%s", path);
    if (rank < 1 || rank > AXES_MAX)
        return input_fail(in, "a table has no axis, or too many");
    if (table_import(in, set, name, rank) < 0)
        return -1;
    const struct layout *layout = &in->trace->layout;
    return rows_import(in, set, &layout->tables[table_find(layout, name)]) < 0
               ? -1
               : labels_import(in, set, path);
}

/* ---- the file ---- */

static int walk(struct input *, hid_t group, const char *path);

static int axis_visit(struct input *in, hid_t object, const char *path)
{
    return H5Iget_type(object) == H5I_DATASET ? axis_import(in, object, path) : 0;
}

static int object_visit(struct input *in, hid_t object, const char *path)
{
    return H5Iget_type(object) == H5I_DATASET    ? set_import(in, object, path)
           : labels_import(in, object, path) < 0 ? -1
                                                 : walk(in, object, path);
}

/* All members of a group, in the order in which they were made. */
static int each(struct input *in, hid_t group, const char *path, visitor *visit)
{
    char name[NAME_MOST], inside[NAME_MOST];
    H5G_info_t info;
    if (H5Gget_info(group, &info) < 0)
        return input_fail(in, "a group cannot be listed");
    for (hsize_t i = 0; i < info.nlinks; i++) {
        const ssize_t n = H5Lget_name_by_idx(group, ".", H5_INDEX_CRT_ORDER, H5_ITER_INC, i, name,
                                             sizeof name, H5P_DEFAULT);
        const int used = snprintf(inside, sizeof inside, "%s%s%s", path, *path ? "/" : "", name);
        hid_t object = n > 0 && n < (ssize_t)sizeof name && used < (int)sizeof inside
                           ? H5Oopen(group, name, H5P_DEFAULT)
                           : -1;
        const int r =
            object < 0 ? input_fail(in, "a table cannot be opened") : visit(in, object, inside);
        if (object >= 0)
            H5Oclose(object);
        if (r < 0)
            return -1;
    }
    return 0;
}

static int walk(struct input *in, hid_t group, const char *path)
{
    return each(in, group, path, object_visit);
}

/* The root of a trace of ours; -1: it is none. */
static hid_t root_open(struct input *in)
{
    hdf5_start();
    in->file = H5Fopen(in->path, H5F_ACC_RDONLY, H5P_DEFAULT);
    hid_t root = in->file < 0 ? -1 : H5Oopen(in->file, "/", H5P_DEFAULT);
    char *format = root < 0 ? NULL : text_of(in, root, "format");
    if (!format || strcmp(format, "bindot-trace")) {
        input_fail(in, "it is no trace");
        if (root >= 0)
            H5Oclose(root);
        root = -1;
    }
    free(format);
    return root;
}

static void input_close(struct input *in, hid_t root)
{
    if (root >= 0)
        H5Oclose(root);
    if (in->file >= 0)
        H5Fclose(in->file);
}

int trace_peek(const char *path, struct peek *out)
{
    struct input in = {.path = path, .file = -1};
    hid_t root = root_open(&in);
    char *status = root < 0 ? NULL : text_of(&in, root, "status");
    char *run_id = root < 0 ? NULL : text_of(&in, root, "run_id");
    const int r = status && run_id ? 0 : -1;
    if (r == 0) {
        out->complete = !strcmp(status, "complete");
        snprintf(out->run_id, sizeof out->run_id, "%s", run_id);
    }
    free(status);
    free(run_id);
    input_close(&in, root);
    return r;
}

int trace_import(struct trace *t, bool rows)
{
    struct input in = {.path = t->path, .file = -1, .trace = t, .rows = rows};
    hid_t root = root_open(&in);
    int64_t repetitions = 0;
    hid_t attribute = root < 0 ? -1 : H5Aopen(root, "repetitions", H5P_DEFAULT);
    int r = attribute >= 0 && H5Aread(attribute, H5T_STD_I64LE, &repetitions) >= 0 &&
                    each(&in, root, "", axis_visit) == 0 && labels_import(&in, root, "") == 0 &&
                    walk(&in, root, "") == 0
                ? 0
                : input_fail(&in, "it has no number of repetitions");
    if (attribute >= 0)
        H5Aclose(attribute);
    input_close(&in, root);
    return r < 0 ? -1 : trace_commit(t, rows ? (size_t)repetitions : 0);
}
