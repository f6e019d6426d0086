/* Journal to HDF5 that h5py, xarray, ncdump and h5dump read alike.
 *
 * HDF5 reports late: a lost write shows at some later close, and only there.
 * So every close is checked, and a file counts once fsync has said so too. */
#include "drivers/fail.h"
#include "drivers/trace/hdf5.h"
#include "drivers/trace/journal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

/* A chunk is written once if all its rows fit the cache: a row of chunks, that is.
 * Its preemption stays at 0.75: at 1, HDF5 1.10 evicts only chunks written to the
 * last byte, which those at the edge never are, and the cache grows without end. */
enum { CACHE_LEAST = 1 << 20, CACHE_MOST = 64 << 20 };

struct output {
    const char *path, *part, *temp;
    struct journal journal;
    hid_t file;
    hid_t *scales, *sets; /* one per axis, one per table */
    uint32_t **checksums; /* one per table: of each of its texts; NULL: it has numbers */
    hid_t ordered;        /* group creation: as made, not by alphabet */
};

/* ---- errors ---- */

struct reason {
    int number;
    char text[200];
};

static herr_t reason_keep(unsigned n, const H5E_error2_t *error, void *to)
{
    (void)n;
    struct reason *reason = to;
    const char *number = strstr(error->desc, "errno = ");
    if (number)
        reason->number = atoi(number + strlen("errno = "));
    snprintf(reason->text, sizeof reason->text, "%.*s", (int)strcspn(error->desc, "\n"),
             error->desc);
    return 0;
}

static int write_fail(const struct output *o, const char *why, const char *what)
{
    if (access(o->part, F_OK) < 0)
        return fail("trace: cannot write %s: %s (%s); its journal is gone, too", o->path, why,
                    what);
    return fail("trace: cannot write %s: %s (%s); nothing is lost: bindot-serial recover %s",
                o->path, why, what, o->part);
}

/* Right after the HDF5 call that failed: the next one forgets why. */
static int output_fail(const struct output *o, const char *what)
{
    struct reason reason = {0, "HDF5 gives no reason"};
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_DOWNWARD, reason_keep, &reason);
    return write_fail(o, reason.number ? strerror(reason.number) : reason.text, what);
}

static int posix_fail(const struct output *o, const char *what)
{
    return write_fail(o, strerror(errno), what);
}

/* ---- attributes ---- */

/* Of names that are given twice the first stays: the format's own come first. */
static int attribute_write(struct output *o, hid_t object, const char *name, hid_t type,
                           const void *value)
{
    int r = -1;
    hid_t space = -1, attribute = -1, names = -1;
    htri_t exists = H5Aexists(object, name);
    if (exists > 0)
        return 0;
    if (exists < 0 || (space = H5Screate(H5S_SCALAR)) < 0 ||
        (names = H5Pcreate(H5P_ATTRIBUTE_CREATE)) < 0 ||
        H5Pset_char_encoding(names, H5T_CSET_UTF8) < 0 ||
        (attribute = H5Acreate2(object, name, type, space, names, H5P_DEFAULT)) < 0 ||
        H5Awrite(attribute, type, value) < 0)
        output_fail(o, name);
    else
        r = 0;
    if (attribute >= 0 && H5Aclose(attribute) < 0)
        r = output_fail(o, name);
    if (names >= 0)
        H5Pclose(names);
    if (space >= 0)
        H5Sclose(space);
    return r;
}

static int text_write(struct output *o, hid_t object, const char *name, const char *text)
{
    size_t n = strlen(text);
    hid_t type = H5Tcopy(H5T_C_S1);
    int r = -1;
    if (type < 0 || H5Tset_size(type, n ? n : 1) < 0 || H5Tset_cset(type, H5T_CSET_UTF8) < 0 ||
        H5Tset_strpad(type, H5T_STR_NULLPAD) < 0)
        output_fail(o, name);
    else
        r = attribute_write(o, object, name, type, text);
    if (type >= 0)
        H5Tclose(type);
    return r;
}

static int number_write(struct output *o, hid_t object, const char *name, int64_t number)
{
    return attribute_write(o, object, name, H5T_STD_I64LE, &number);
}

/* ---- groups and datasets ---- */

static int group_make(struct output *o, const char *path)
{
    htri_t exists = H5Lexists(o->file, path, H5P_DEFAULT);
    if (exists > 0)
        return 0;
    hid_t group = exists < 0 ? -1 : H5Gcreate2(o->file, path, H5P_DEFAULT, o->ordered, H5P_DEFAULT);
    return group < 0 || H5Gclose(group) < 0 ? output_fail(o, path) : 0;
}

/* The groups above path, one by one: those HDF5 makes by itself forget their order. */
static int groups_make(struct output *o, const char *path)
{
    char *copy = strdup(path);
    int r = copy ? 0 : fail("trace: out of memory");
    char *slash = copy ? strchr(copy + 1, '/') : NULL;
    for (; !r && slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        r = group_make(o, copy);
        *slash = '/';
    }
    free(copy);
    return r;
}

static hsize_t least(hsize_t a, hsize_t b)
{
    return a < b ? a : b;
}

/* Balanced between reading one worker and reading one bin (facts/trace.md, 4).
 * Returns the bytes of a row of chunks. */
static size_t chunk_shape(size_t rank, const hsize_t *dims, size_t bytes, hsize_t *chunk)
{
    for (size_t k = 0; k < rank; k++)
        chunk[k] = 1;
    if (rank == 1) {
        chunk[0] = least(dims[0], 16384);
        return chunk[0] * bytes;
    }
    assert(rank >= 2);
    hsize_t ncols = dims[rank - 1], nrows = dims[rank - 2];
    chunk[rank - 1] = least(ncols, 1024);
    chunk[rank - 2] = least(nrows, 64);
    if (rank == 2) /* many such tables are open at once: repetition, worker */
        while (chunk[0] > 1 && chunk[0] * ncols * bytes > CACHE_LEAST)
            chunk[0] /= 2;
    if (rank > 2 && chunk[rank - 2] * ncols * bytes > CACHE_MOST) {
        chunk[rank - 1] = least(ncols, 65536);
        chunk[rank - 2] = 1;
        return chunk[rank - 1] * bytes;
    }
    if (rank > 2 && nrows <= 64 && nrows * ncols < 1024) /* tiny repetitions share a chunk */
        chunk[0] = least(dims[0], 1024 / (nrows * ncols));
    return chunk[0] * chunk[rank - 2] * (ncols + chunk[rank - 1]) * bytes;
}

static hid_t creation_list(size_t rank, const hsize_t *dims, hid_t type, size_t bytes, hid_t access)
{
    hsize_t chunk[AXES_MAX], n = 1;
    for (size_t k = 0; k < rank; k++)
        n *= dims[k];
    /* All ones: the largest unsigned number, -1, and a NaN. */
    static const uint8_t ones[8] = {255, 255, 255, 255, 255, 255, 255, 255};
    hid_t list = H5Pcreate(H5P_DATASET_CREATE);
    if (list < 0 ||
        H5Pset_attr_creation_order(list, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED) < 0)
        return -1;
    if (!bytes || !n)
        return list;
    size_t row = chunk_shape(rank, dims, bytes, chunk);
    row = row < CACHE_LEAST ? CACHE_LEAST : row;
    return H5Pset_chunk(list, (int)rank, chunk) < 0 || H5Pset_shuffle(list) < 0 ||
                   H5Pset_deflate(list, 1) < 0 || H5Pset_fletcher32(list) < 0 ||
                   H5Pset_fill_value(list, type, ones) < 0 ||
                   H5Pset_chunk_cache(access, 2003, row, 0.75) < 0
               ? -1
               : list;
}

/* bytes: of one element; 0: text, whose size is its own affair. */
static hid_t set_create(struct output *o, const char *path, hid_t type, size_t bytes, size_t rank,
                        const hsize_t *dims)
{
    hid_t set = -1, space = -1, creation = -1, access = -1;
    if (groups_make(o, path) < 0)
        return -1;
    if ((access = H5Pcreate(H5P_DATASET_ACCESS)) < 0 ||
        (creation = creation_list(rank, dims, type, bytes, access)) < 0 ||
        (space = H5Screate_simple((int)rank, dims, NULL)) < 0 ||
        (set = H5Dcreate2(o->file, path, type, space, H5P_DEFAULT, creation, access)) < 0)
        output_fail(o, path);
    if (space >= 0)
        H5Sclose(space);
    if (creation >= 0)
        H5Pclose(creation);
    if (access >= 0)
        H5Pclose(access);
    return set;
}

hid_t text_type(void)
{
    hid_t type = H5Tcopy(H5T_C_S1);
    if (type >= 0 &&
        (H5Tset_size(type, H5T_VARIABLE) < 0 || H5Tset_cset(type, H5T_CSET_UTF8) < 0)) {
        H5Tclose(type);
        return -1;
    }
    return type;
}

hid_t number_type(enum table_type type)
{
    switch (type) {
    case TABLE_U8:
        return H5T_STD_U8LE;
    case TABLE_I32:
        return H5T_STD_I32LE;
    case TABLE_U32:
        return H5T_STD_U32LE;
    case TABLE_I64:
        return H5T_STD_I64LE;
    case TABLE_U64:
        return H5T_STD_U64LE;
    case TABLE_F64:
        return H5T_IEEE_F64LE;
    case TABLE_TEXT:
        break;
    }
    return -1;
}

/* ---- axes ---- */

static int block_write(struct output *o, const char *name, hid_t set, hid_t type, size_t rank,
                       const hsize_t *first, const hsize_t *count, const void *data)
{
    int r = -1;
    hid_t memory = H5Screate_simple((int)rank, count, NULL), space = H5Dget_space(set);
    if (memory < 0 || space < 0 ||
        H5Sselect_hyperslab(space, H5S_SELECT_SET, first, NULL, count, NULL) < 0 ||
        H5Dwrite(set, type, memory, space, H5P_DEFAULT, data) < 0)
        output_fail(o, name);
    else
        r = 0;
    if (memory >= 0)
        H5Sclose(memory);
    if (space >= 0)
        H5Sclose(space);
    return r;
}

static int numbers_write(struct output *o, const struct axis *axis, hid_t set)
{
    enum { BLOCK = 8192 };
    int64_t numbers[BLOCK];
    for (hsize_t first = 0, n; first < axis->length; first += n) {
        n = least(BLOCK, axis->length - first);
        for (hsize_t i = 0; i < n; i++)
            numbers[i] = (int64_t)(first + i);
        if (block_write(o, axis->name, set, H5T_STD_I64LE, 1, &first, &n, numbers) < 0)
            return -1;
    }
    return 0;
}

static int axes_write(struct output *o)
{
    for (size_t i = 0; i < o->journal.layout.naxes; i++) {
        const struct axis *axis = &o->journal.layout.axes[i];
        hsize_t n = axis->length;
        bool wide = n > INT32_MAX;
        o->scales[i] =
            set_create(o, axis->name, wide ? H5T_STD_I64LE : H5T_STD_I32LE, wide ? 8 : 4, 1, &n);
        if (o->scales[i] < 0 || numbers_write(o, axis, o->scales[i]) < 0)
            return -1;
        if (H5DSset_scale(o->scales[i], axis->name) < 0)
            return output_fail(o, axis->name);
        if (text_write(o, o->scales[i], "long_name", axis->meaning) < 0)
            return -1;
    }
    return 0;
}

/* ---- tables ---- */

static int marker_write(struct output *o, hid_t set, enum table_type type)
{
    static const uint64_t ones = UINT64_MAX;
    if (type == TABLE_TEXT || type == TABLE_F64)
        return 0;
    return attribute_write(o, set, "missing_marker", number_type(type), &ones);
}

static int table_create(struct output *o, size_t i)
{
    const struct layout *layout = &o->journal.layout;
    const struct layout_table *table = &layout->tables[i];
    hsize_t dims[AXES_MAX];
    for (size_t k = 0; k < table->rank; k++)
        dims[k] = layout->axes[table->axis[k]].length;
    hid_t text = table->type == TABLE_TEXT ? text_type() : -1;
    hid_t set = set_create(o, table->name, text >= 0 ? text : number_type(table->type),
                           type_bytes(table->type), table->rank, dims);
    o->sets[i] = set;
    if (text >= 0)
        H5Tclose(text);
    if (set < 0)
        return -1;
    for (size_t k = 0; k < table->rank; k++)
        if (H5DSattach_scale(set, o->scales[table->axis[k]], (unsigned)k) < 0)
            return output_fail(o, table->name);
    if (text_write(o, set, "long_name", table->meaning) < 0 ||
        (*table->unit && text_write(o, set, "units", table->unit) < 0))
        return -1;
    return marker_write(o, set, table->type);
}

/* Number, in the whole table, of the element k of a block. */
static uint64_t place_of(const struct output *o, const struct row_block *rows, uint64_t k)
{
    uint64_t place = 0, stride = 1;
    for (size_t d = rows->table->rank; d-- > 0;) {
        place += (rows->first[d] + k % rows->count[d]) * stride;
        k /= rows->count[d];
        stride *= o->journal.layout.axes[rows->table->axis[d]].length;
    }
    return place;
}

/* HDF5 keeps texts in a heap that has no checksum of its own. Ours is the sum, over all texts
 * but empty ones, of the CRC-32 of the text's number (8 bytes, least first) and its bytes: the
 * order in which rows come does not matter. */
static uint32_t text_checksum(uint64_t place, const char *text)
{
    uint8_t number[8];
    for (size_t i = 0; i < sizeof number; i++)
        number[i] = (uint8_t)(place >> 8 * i);
    return (uint32_t)crc32_z(crc32_z(0, number, sizeof number), (const Bytef *)text, strlen(text));
}

static size_t elements_of(const struct layout *layout, const struct layout_table *table)
{
    size_t n = 1;
    for (size_t k = 0; k < table->rank; k++)
        n *= layout->axes[table->axis[k]].length;
    return n;
}

/* One for each place: a run that goes on tells some texts again, and the last one stays. */
static int checksums_open(struct output *o)
{
    const struct layout *layout = &o->journal.layout;
    o->checksums = calloc(layout->ntables + 1, sizeof *o->checksums);
    for (size_t i = 0; o->checksums && i < layout->ntables; i++) {
        const size_t n = elements_of(layout, &layout->tables[i]);
        if (layout->tables[i].type == TABLE_TEXT &&
            !(o->checksums[i] = calloc(n + 1, sizeof *o->checksums[i])))
            return fail("trace: out of memory");
    }
    return o->checksums ? 0 : fail("trace: out of memory");
}

static int checksums_write(struct output *o)
{
    const struct layout *layout = &o->journal.layout;
    for (size_t i = 0; i < layout->ntables; i++) {
        int64_t sum = 0;
        if (!o->checksums[i])
            continue;
        for (size_t k = 0; k < elements_of(layout, &layout->tables[i]); k++)
            sum += o->checksums[i][k];
        if (number_write(o, o->sets[i], "text_checksum", sum) < 0)
            return -1;
    }
    return 0;
}

static void checksums_close(struct output *o)
{
    for (size_t i = 0; o->checksums && i < o->journal.layout.ntables; i++)
        free(o->checksums[i]);
    free(o->checksums);
}

/* HDF5 wants one pointer per text. */
static int texts_write(struct output *o, const struct row_block *rows, hid_t set,
                       const hsize_t *first, const hsize_t *count)
{
    size_t n = 1, k = 0;
    for (; k < rows->table->rank; k++)
        n *= count[k];
    char **texts = calloc(n, sizeof *texts);
    int r = texts ? 0 : fail("trace: out of memory");
    const char *at = rows->data;
    uint32_t *const checksums = o->checksums[rows->table - o->journal.layout.tables];
    for (k = 0; texts && !r && k < n; k++, at += strlen(at) + 1)
        if (!(texts[k] = text_clean(at)))
            r = fail("trace: out of memory");
        else
            checksums[place_of(o, rows, k)] =
                *at ? text_checksum(place_of(o, rows, k), texts[k]) : 0;
    hid_t type = text_type();
    if (!r)
        r = type < 0 ? output_fail(o, rows->table->name)
                     : block_write(o, rows->table->name, set, type, rows->table->rank, first, count,
                                   texts);
    if (type >= 0)
        H5Tclose(type);
    for (k = 0; texts && k < n; k++)
        free(texts[k]);
    free(texts);
    return r;
}

static int rows_write(struct output *o, const struct row_block *rows)
{
    const struct layout_table *table = rows->table;
    hid_t set = o->sets[table - o->journal.layout.tables];
    hsize_t first[AXES_MAX], count[AXES_MAX];
    for (size_t k = 0; k < table->rank; k++) {
        first[k] = rows->first[k];
        count[k] = rows->count[k];
    }
    if (table->type == TABLE_TEXT)
        return texts_write(o, rows, set, first, count);
    return block_write(o, table->name, set, number_type(table->type), table->rank, first, count,
                       rows->data);
}

/* ---- labels ---- */

/* "provenance/compiler": attribute of a group; "workers/bound/flags": of a table. */
static int label_write(struct output *o, const struct label *label)
{
    const char *slash = strrchr(label->key, '/'), *name = slash ? slash + 1 : label->key;
    char *home = strndup(label->key, slash ? (size_t)(slash - label->key) : 0);
    int r = home ? 0 : fail("trace: out of memory");
    if (home && *home && (groups_make(o, home) < 0 || group_make(o, home) < 0))
        r = -1;
    hid_t object = r || !home ? -1 : H5Oopen(o->file, *home ? home : "/", H5P_DEFAULT);
    if (!r && object < 0)
        r = output_fail(o, label->key);
    if (!r)
        r = label->text ? text_write(o, object, name, label->text)
                        : number_write(o, object, name, label->number);
    if (object >= 0 && H5Oclose(object) < 0)
        r = output_fail(o, label->key);
    free(home);
    return r;
}

static int format_write(struct output *o)
{
    const struct journal *j = &o->journal;
    hid_t root = H5Oopen(o->file, "/", H5P_DEFAULT);
    if (root < 0)
        return output_fail(o, "root");
    int r = -1;
    if (!text_write(o, root, "Conventions", "CF-1.10") &&
        !text_write(o, root, "format", "bindot-trace") &&
        !text_write(o, root, "format_version", "1.0") &&
        !text_write(o, root, "status", j->status) &&
        !number_write(o, root, "repetitions", (int64_t)j->repetitions))
        r = 0;
    if (H5Oclose(root) < 0)
        r = output_fail(o, "root");
    return r;
}

/* ---- the file ---- */

/* Left to itself, HDF5 crashes at exit after a failed write, and lets a file
 * system without locks refuse a file that nobody else can see. */
void hdf5_start(void)
{
    static bool started;
    if (started)
        return;
    started = true;
    setenv("HDF5_USE_FILE_LOCKING", "FALSE", 1);
    H5dont_atexit();
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
}

static int file_create(struct output *o)
{
    const unsigned order = H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED;
    hid_t creation = H5Pcreate(H5P_FILE_CREATE), access = H5Pcreate(H5P_FILE_ACCESS);
    o->ordered = H5Pcreate(H5P_GROUP_CREATE);
    int r = -1;
    if (creation < 0 || access < 0 || o->ordered < 0 ||
        H5Pset_link_creation_order(creation, order) < 0 ||
        H5Pset_attr_creation_order(creation, order) < 0 ||
        H5Pset_link_creation_order(o->ordered, order) < 0 ||
        H5Pset_attr_creation_order(o->ordered, order) < 0 ||
        H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110) < 0 ||
        H5Pset_fclose_degree(access, H5F_CLOSE_STRONG) < 0 ||
        (o->file = H5Fcreate(o->temp, H5F_ACC_EXCL, creation, access)) < 0)
        output_fail(o, "creating");
    else
        r = 0;
    if (creation >= 0)
        H5Pclose(creation);
    if (access >= 0)
        H5Pclose(access);
    return r;
}

static int sets_close(struct output *o, hid_t *sets, size_t n)
{
    int r = 0;
    for (size_t i = 0; sets && i < n; i++)
        if (sets[i] >= 0 && H5Dclose(sets[i]) < 0)
            r = output_fail(o, "closing a table");
    free(sets);
    return r;
}

/* On disk: fsync through a copy of HDF5's own descriptor, so that whatever the
 * kernel could not write back since the file was opened is reported. */
static int file_close(struct output *o)
{
    int r = -1, fd = -1, *own = NULL;
    if (H5Fflush(o->file, H5F_SCOPE_GLOBAL) < 0 ||
        H5Fget_vfd_handle(o->file, H5P_DEFAULT, (void **)&own) < 0)
        output_fail(o, "flushing");
    else if (H5Fget_obj_count(o->file, H5F_OBJ_ALL) != 1)
        fail("trace: cannot write %s: HDF5 keeps parts of it open; nothing is lost: "
             "bindot-serial recover %s",
             o->path, o->part);
    else if ((fd = fcntl(*own, F_DUPFD_CLOEXEC, 0)) < 0)
        posix_fail(o, "duplicating");
    else
        r = 0;
    if (H5Fclose(o->file) < 0)
        r = output_fail(o, "closing");
    if (!r && fsync(fd) < 0)
        r = posix_fail(o, "syncing");
    if (fd >= 0)
        close(fd);
    return r;
}

static hid_t *ids_new(size_t n)
{
    hid_t *ids = malloc((n + 1) * sizeof *ids);
    for (size_t i = 0; ids && i < n; i++)
        ids[i] = -1;
    return ids;
}

static int file_fill(struct output *o)
{
    struct journal *j = &o->journal;
    struct row_block rows;
    int r = -1;
    o->scales = ids_new(j->layout.naxes);
    o->sets = ids_new(j->layout.ntables);
    if (!o->scales || !o->sets) {
        fail("trace: out of memory");
        goto out;
    }
    if (checksums_open(o) < 0)
        goto out;
    if (format_write(o) < 0 || axes_write(o) < 0)
        goto out;
    for (size_t i = 0; i < j->layout.ntables; i++)
        if (table_create(o, i) < 0)
            goto out;
    for (size_t i = 0; i < j->nlabels; i++)
        if (label_write(o, &j->labels[i]) < 0)
            goto out;
    while ((r = journal_rows(j, &rows)) > 0)
        if (rows_write(o, &rows) < 0)
            goto out;
    if (!r)
        r = checksums_write(o);
out:
    r = r ? -1 : 0;
    checksums_close(o);
    if (sets_close(o, o->sets, j->layout.ntables) < 0)
        r = -1;
    if (sets_close(o, o->scales, j->layout.naxes) < 0)
        r = -1;
    return r;
}

static int file_write(struct output *o)
{
    struct sigaction saved;
    xfsz_ignore(&saved);
    int r = file_create(o);
    if (!r) {
        r = file_fill(o);
        if (file_close(o) < 0)
            r = -1;
    }
    if (o->ordered >= 0)
        H5Pclose(o->ordered);
    xfsz_restore(&saved);
    return r;
}

/* ---- names ---- */

/* Beside the target, hidden, and not to be guessed. */
static char *temp_name(const char *path)
{
    unsigned number = 0;
    char *temp = NULL, *folder = strdup(path), *file = strdup(path);
    ssize_t got = getrandom(&number, sizeof number, GRND_NONBLOCK);
    (void)got; /* at early boot: none, and the process number has to do */
    if (folder && file &&
        asprintf(&temp, "%s/.%.200s.%ld.%08x.tmp", dirname(folder), basename(file), (long)getpid(),
                 number) < 0)
        temp = NULL;
    free(folder);
    free(file);
    return temp;
}

/* At once or not at all. Without force, whoever came first keeps the name. */
static int name_take(const struct output *o, bool force)
{
    int r = renameat2(AT_FDCWD, o->temp, AT_FDCWD, o->path, force ? 0 : RENAME_NOREPLACE);
    if (r < 0 && !force && (errno == EINVAL || errno == ENOSYS)) {
        r = link(o->temp, o->path);
        if (!r)
            unlink(o->temp);
    }
    return r < 0 ? posix_fail(o, "naming") : 0;
}

struct conversion { /* which journal becomes what */
    int fd;
    const char *part, *path;
    bool force, whole;        /* whole: see journal_read */
    const char *status;       /* if the journal has none */
    const struct note *notes; /* beside the journal's labels */
    size_t nnotes;
};

static int journal_prepare(struct journal *j, const struct conversion *c)
{
    if (journal_read(j, c->part, c->fd, c->whole) < 0)
        return -1;
    if (!*j->status) {
        free(j->status);
        j->status = strdup(c->status);
    }
    int r = j->status ? 0 : fail("trace: out of memory");
    for (size_t i = 0; !r && i < c->nnotes; i++)
        r = journal_note(j, c->notes[i].key, c->notes[i].text, c->notes[i].number);
    return r;
}

/* Returns the number of repetitions. */
static int64_t convert(const struct conversion *c)
{
    int64_t r = -1;
    struct output o = {.path = c->path, .part = c->part, .file = -1, .ordered = -1};
    char *temp = temp_name(c->path);
    o.temp = temp;
    if (!temp) {
        fail("trace: out of memory");
        goto out;
    }
    hdf5_start();
    if (journal_prepare(&o.journal, c) < 0)
        goto out;
    if (file_write(&o) < 0 || name_take(&o, c->force) < 0) {
        unlink(temp);
        goto out;
    }
    if (directory_sync(c->path) < 0)
        fail("trace: %s is whole, but a power cut may lose it: %s; %s stays", c->path,
             strerror(errno), c->part);
    else if (same_file(c->fd, c->part) && unlink(c->part) < 0)
        fail("trace: %s is whole, but its journal %s stays: %s", c->path, c->part, strerror(errno));
    else
        r = (int64_t)o.journal.repetitions;
out:
    journal_free(&o.journal);
    free(temp);
    return r;
}

int trace_close(struct trace **trace, const char *status)
{
    struct trace *t = *trace;
    *trace = NULL;
    int r = trace_finish(t, status);
    if (!r && convert(&(struct conversion){.fd = t->fd,
                                           .part = t->part,
                                           .path = t->path,
                                           .force = t->force,
                                           .whole = true,
                                           .status = status}) < 0)
        r = -1;
    trace_free(t);
    return r;
}

/* Reads what is on disk, as a recovery after a kill would: who still writes does
 * not matter, and neither does how far. */
int64_t trace_salvage(const struct trace *t, const char *status, const struct note *notes,
                      size_t nnotes)
{
    if (!t->committed)
        return unlink(t->part) < 0 ? fail("trace: cannot remove %s: %s", t->part, strerror(errno))
                                   : 0;
    int fd = open(t->part, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail("trace: cannot read %s: %s", t->part, strerror(errno));
    if (!same_file(t->fd, t->part)) {
        close(fd);
        return fail("trace: %s belongs to another run by now", t->part);
    }
    int64_t r = convert(&(struct conversion){.fd = fd,
                                             .part = t->part,
                                             .path = t->path,
                                             .force = t->force,
                                             .status = status,
                                             .notes = notes,
                                             .nnotes = nnotes});
    close(fd);
    return r;
}

static int part_lock(const char *part)
{
    int fd = open(part, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return fail("trace: cannot read %s: %s", part, strerror(errno));
    if (flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK) {
        close(fd);
        return fail("trace: %s belongs to a run that is still going", part);
    }
    return fd;
}

int trace_recover(const char *part, bool force)
{
    size_t n = strlen(part);
    struct stat info;
    if (n <= 5 || strcmp(part + n - 5, ".part"))
        return fail("trace: %s is not a journal: its name does not end in .part", part);
    char *path = strndup(part, n - 5);
    if (!path)
        return fail("trace: out of memory");
    int r = -1, fd = part_lock(part);
    if (fd >= 0 && !force && !lstat(path, &info))
        fail("trace: %s exists (--force replaces it)", path);
    else if (fd >= 0)
        r = convert(&(struct conversion){
                .fd = fd, .part = part, .path = path, .force = force, .status = "recovered"}) < 0
                ? -1
                : 0;
    if (fd >= 0)
        close(fd);
    free(path);
    return r;
}

const char *trace_library(void)
{
    static char text[32];
    unsigned major, minor, release;
    H5dont_atexit(); /* before any other call: the library may run its own exit handler else */
    H5get_libversion(&major, &minor, &release);
    snprintf(text, sizeof text, "%u.%u.%u", major, minor, release);
    return text;
}
