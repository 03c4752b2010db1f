/* h5_hdf5.c - checked access to an HDF5 file: columns and root attributes; see h5.h.
 *
 * The file may come from anywhere; ours were checked for damage first (h5_check_hdf5.c). What HDF5 would
 * follow out of the file (soft and external links, external raw data, virtual data sets) is refused; sizes
 * are compared with the bytes that are stored before memory is taken. */
#include "task/h5.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cola/memory.h"

/* Deflate's best ratio is 1032 : 1: more elements than that for the stored bytes were never written. */
enum { MOST_EXPANSION = 1032 };

static const struct {
    const char *name;
    size_t bytes;
} types[COLA_N_H5_TYPES] = {{"uint8", 1}, {"uint16", 2},  {"uint32", 4}, {"uint64", 8},
                            {"int32", 4}, {"float32", 4}, {"float64", 8}};

const char *cola_h5_type_name(enum cola_h5_type type)
{
    return types[type].name;
}
size_t cola_h5_type_bytes(enum cola_h5_type type)
{
    return types[type].bytes;
}

hid_t cola_h5_native_type(enum cola_h5_type type)
{
    switch (type) {
    case COLA_H5_U8: return H5T_NATIVE_UINT8;
    case COLA_H5_U16: return H5T_NATIVE_UINT16;
    case COLA_H5_U32: return H5T_NATIVE_UINT32;
    case COLA_H5_U64: return H5T_NATIVE_UINT64;
    case COLA_H5_I32: return H5T_NATIVE_INT32;
    case COLA_H5_F32: return H5T_NATIVE_FLOAT;
    default: return H5T_NATIVE_DOUBLE;
    }
}

hid_t cola_h5_stored_type(enum cola_h5_type type)
{
    switch (type) {
    case COLA_H5_U8: return H5T_STD_U8LE;
    case COLA_H5_U16: return H5T_STD_U16LE;
    case COLA_H5_U32: return H5T_STD_U32LE;
    case COLA_H5_U64: return H5T_STD_U64LE;
    case COLA_H5_I32: return H5T_STD_I32LE;
    case COLA_H5_F32: return H5T_IEEE_F32LE;
    default: return H5T_IEEE_F64LE;
    }
}

static hid_t big_endian_type(enum cola_h5_type type)
{
    switch (type) {
    case COLA_H5_U8: return H5T_STD_U8BE;
    case COLA_H5_U16: return H5T_STD_U16BE;
    case COLA_H5_U32: return H5T_STD_U32BE;
    case COLA_H5_U64: return H5T_STD_U64BE;
    case COLA_H5_I32: return H5T_STD_I32BE;
    case COLA_H5_F32: return H5T_IEEE_F32BE;
    default: return H5T_IEEE_F64BE;
    }
}

/* The innermost frame says what really happened ("unable to open file", "no filter plugin"). */
static herr_t innermost(unsigned n, const H5E_error2_t *error, void *text)
{
    (void)n;
    const char **words = text;
    if (error->desc && error->desc[0]) *words = error->desc;
    return 0;
}

const char *cola_h5_why(char *text, size_t n_text)
{
    const char *words = "unknown error";
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_DOWNWARD, innermost, &words);
    snprintf(text, n_text, "%s", words);
    return text;
}

enum cola_status cola_h5_access(hid_t *out)
{
    enum cola_status status = COLA_OK;
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL); /* errors are ours to print, once */
    hid_t list = H5Pcreate(H5P_FILE_ACCESS);
    COLA_H5_TRY_DONE(list, "HDF5", "file access list");
    COLA_H5_TRY_DONE(H5Pset_file_locking(list, 0, 1), "HDF5", "file locking");
    COLA_H5_TRY_DONE(H5Pset_libver_bounds(list, H5F_LIBVER_EARLIEST, H5F_LIBVER_V18), "HDF5",
                     "format version");
    COLA_H5_TRY_DONE(H5Pset_fclose_degree(list, H5F_CLOSE_STRONG), "HDF5", "close degree");
    *out = list;
    return COLA_OK;
done:
    if (list >= 0) H5Pclose(list);
    return status;
}

enum cola_status cola_h5_take(hid_t id, const char *path, struct cola_h5 *out)
{
    hsize_t bytes = 0;
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    if (H5Fget_filesize(id, &bytes) < 0)
        return cola_fail(COLA_ERR_INPUT, "%s: HDF5 cannot tell the file's size", path);
    *out = (struct cola_h5){.id = id, .path = path, .file_bytes = bytes};
    return COLA_OK;
}

enum cola_status cola_h5_open(const char *path, struct cola_h5 *out)
{
    char why[200];
    bool checked;
    hid_t list;
    COLA_TRY(cola_h5_check(path, &checked)); /* before the library, which damaged bytes may crash */
    COLA_TRY(cola_h5_access(&list));
    hid_t id = H5Fopen(path, H5F_ACC_RDONLY, list);
    H5Pclose(list);
    if (id < 0)
        return cola_fail(COLA_ERR_INPUT, "%s: not a readable HDF5 file: %s", path,
                         cola_h5_why(why, sizeof why));
    enum cola_status status = cola_h5_take(id, path, out);
    if (status != COLA_OK) H5Fclose(id);
    return status;
}

void cola_h5_close(struct cola_h5 *file)
{
    if (file->id > 0) H5Fclose(file->id);
    file->id = -1;
}

static bool is_hard_link(const struct cola_h5 *file, const char *name)
{
    H5L_info_t info;
    return H5Lexists(file->id, name, H5P_DEFAULT) > 0 &&
           H5Lget_info(file->id, name, &info, H5P_DEFAULT) >= 0 && info.type == H5L_TYPE_HARD;
}

bool cola_h5_has_group(const struct cola_h5 *file, const char *name)
{
    return H5Lexists(file->id, name, H5P_DEFAULT) > 0;
}

/* "group/name": both must be hard links, so that what is read lies in this file. */
static enum cola_status open_dataset(const struct cola_h5 *file, const char *name, hid_t *out)
{
    char group[64], why[200];
    const char *slash = strchr(name, '/');
    if (slash) {
        snprintf(group, sizeof group, "%.*s", (int)(slash - name), name);
        if (!is_hard_link(file, group))
            return cola_fail(COLA_ERR_INPUT, "%s: no group %s", file->path, group);
    }
    if (!is_hard_link(file, name)) return cola_fail(COLA_ERR_INPUT, "%s: no data set %s", file->path, name);
    hid_t id = H5Dopen2(file->id, name, H5P_DEFAULT);
    if (id < 0)
        return cola_fail(COLA_ERR_INPUT, "%s: data set %s cannot be opened: %s", file->path, name,
                         cola_h5_why(why, sizeof why));
    *out = id;
    return COLA_OK;
}

static enum cola_status check_type(const struct cola_h5 *file, const char *name, hid_t dataset,
                                   enum cola_h5_type type)
{
    hid_t stored = H5Dget_type(dataset);
    bool same = stored >= 0 && (H5Tequal(stored, cola_h5_stored_type(type)) > 0 ||
                                H5Tequal(stored, big_endian_type(type)) > 0);
    size_t bytes = stored >= 0 ? H5Tget_size(stored) : 0;
    int class = stored >= 0 ? (int)H5Tget_class(stored) : -1;
    if (stored >= 0) H5Tclose(stored);
    if (same) return COLA_OK;
    const char *kind = class == H5T_INTEGER ? "integer" : class == H5T_FLOAT ? "float" : "other";
    return cola_fail(COLA_ERR_INPUT, "%s: data set %s: expected %s, found a type of class %s, %zu bytes",
                     file->path, name, types[type].name, kind, bytes);
}

static enum cola_status check_layout(const struct cola_h5 *file, const char *name, hid_t dataset)
{
    hid_t list = H5Dget_create_plist(dataset);
    H5D_layout_t layout = list >= 0 ? H5Pget_layout(list) : H5D_LAYOUT_ERROR;
    int n_external = list >= 0 ? H5Pget_external_count(list) : -1;
    if (list >= 0) H5Pclose(list);
    if (n_external != 0 || (layout != H5D_COMPACT && layout != H5D_CONTIGUOUS && layout != H5D_CHUNKED))
        return cola_fail(COLA_ERR_INPUT, "%s: data set %s does not lie in this file (external or virtual)",
                         file->path, name);
    return COLA_OK;
}

static enum cola_status check_size(const struct cola_h5 *file, const char *name, hid_t dataset,
                                   size_t item_bytes, uint64_t *n)
{
    hsize_t size = 0;
    hid_t space = H5Dget_space(dataset);
    bool simple = space >= 0 && H5Sget_simple_extent_type(space) == H5S_SIMPLE;
    int rank = simple ? H5Sget_simple_extent_ndims(space) : 0;
    if (rank == 1) H5Sget_simple_extent_dims(space, &size, NULL);
    if (space >= 0) H5Sclose(space);
    if (rank != 1)
        return cola_fail(COLA_ERR_INPUT, "%s: data set %s: expected one dimension, found %d", file->path,
                         name, rank);
    uint64_t stored = H5Dget_storage_size(dataset);
    if (stored > file->file_bytes || size / MOST_EXPANSION > stored / item_bytes || (size && !stored))
        return cola_fail(
            COLA_ERR_INPUT,
            "%s: data set %s: says %llu elements of %zu bytes, but stores %llu bytes in a file of %llu",
            file->path, name, (unsigned long long)size, item_bytes, (unsigned long long)stored,
            (unsigned long long)file->file_bytes);
    *n = size;
    return COLA_OK;
}

enum cola_status cola_h5_column_open(const struct cola_h5 *file, const char *name, enum cola_h5_type type,
                                     hid_t *out, uint64_t *n)
{
    hid_t dataset = -1;
    enum cola_status status = COLA_OK;
    COLA_TRY(open_dataset(file, name, &dataset));
    COLA_TRY_DONE(check_type(file, name, dataset, type));
    COLA_TRY_DONE(check_layout(file, name, dataset));
    COLA_TRY_DONE(check_size(file, name, dataset, types[type].bytes, n));
    *out = dataset;
    return COLA_OK;
done:
    H5Dclose(dataset);
    return status;
}

enum cola_status cola_h5_column_read(const struct cola_h5 *file, const char *name, enum cola_h5_type type,
                                     hid_t dataset, uint64_t first, uint64_t n, void *to)
{
    char why[200];
    hsize_t from = first, count = n;
    if (n == 0) return COLA_OK;
    hid_t memory = H5Screate_simple(1, &count, NULL), space = H5Dget_space(dataset);
    bool read = memory >= 0 && space >= 0 &&
                H5Sselect_hyperslab(space, H5S_SELECT_SET, &from, NULL, &count, NULL) >= 0 &&
                H5Dread(dataset, cola_h5_native_type(type), memory, space, H5P_DEFAULT, to) >= 0;
    if (!read) cola_h5_why(why, sizeof why);
    if (space >= 0) H5Sclose(space);
    if (memory >= 0) H5Sclose(memory);
    return read ? COLA_OK
                : cola_fail(COLA_ERR_INPUT, "%s: data set %s: elements %llu to %llu cannot be read: %s",
                            file->path, name, (unsigned long long)first, (unsigned long long)(first + n - 1),
                            why);
}

enum cola_status cola_h5_read(const struct cola_h5 *file, const char *name, enum cola_h5_type type,
                              void **data, uint64_t *n)
{
    hid_t dataset = -1;
    void *memory = NULL;
    uint64_t size = 0;
    char why[200];
    enum cola_status status = COLA_OK;
    COLA_TRY(cola_h5_column_open(file, name, type, &dataset, &size));
    COLA_TRY_DONE(cola_alloc(&memory, size, types[type].bytes, name));
    if (size && H5Dread(dataset, cola_h5_native_type(type), H5S_ALL, H5S_ALL, H5P_DEFAULT, memory) < 0) {
        status = cola_fail(COLA_ERR_INPUT, "%s: data set %s cannot be read: %s", file->path, name,
                           cola_h5_why(why, sizeof why));
        goto done;
    }
    *data = memory;
    *n = size;
    memory = NULL;
done:
    free(memory);
    H5Dclose(dataset);
    return status;
}
