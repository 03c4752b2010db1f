/* attributes_hdf5.c - what a file says of itself as a whole, as attributes of its root: filetype, version,
 * digest, and the fields with the lists of their roles. One writer for run.h5 and for tables of `cola cross`.
 * Knows no data set and no file on a disk. */
#include "record/attributes.h"

#include <stdlib.h>
#include <string.h>

#include "cola/memory.h"

static enum cola_status write_attribute(hid_t file, const char *key, hid_t stored, hid_t native, hid_t space,
                                        const void *value, const char *path)
{
    enum cola_status status = COLA_OK;
    hid_t attribute = -1;
    COLA_H5_TRY_DONE(attribute = H5Acreate2(file, key, stored, space, H5P_DEFAULT, H5P_DEFAULT), path, key);
    COLA_H5_TRY_DONE(H5Awrite(attribute, native, value), path, key);
done:
    if (attribute >= 0) H5Aclose(attribute);
    return status;
}

/* Variable length, UTF-8: what h5py gives back as str. */
static enum cola_status write_text(hid_t file, const char *key, const char *value, const char *path)
{
    enum cola_status status = COLA_OK;
    hid_t type = -1, space = -1;
    COLA_H5_TRY_DONE(type = H5Tcopy(H5T_C_S1), path, key);
    COLA_H5_TRY_DONE(H5Tset_size(type, H5T_VARIABLE), path, key);
    COLA_H5_TRY_DONE(H5Tset_cset(type, H5T_CSET_UTF8), path, key);
    COLA_H5_TRY_DONE(space = H5Screate(H5S_SCALAR), path, key);
    COLA_TRY_DONE(write_attribute(file, key, type, type, space, &value, path));
done:
    if (space >= 0) H5Sclose(space);
    if (type >= 0) H5Tclose(type);
    return status;
}

static enum cola_status write_keys(hid_t file, const char *key, const struct cola_fields *fields,
                                   enum cola_field_role role, const char *path)
{
    size_t room = 1;
    char *list = NULL;
    for (size_t i = 0; i < fields->n; i++) room += strlen(fields->item[i].key) + 1;
    COLA_TRY(cola_alloc((void **)&list, room, 1, "keys"));
    for (size_t i = 0; i < fields->n; i++) {
        if (fields->item[i].role != role) continue;
        if (list[0]) strcat(list, "\n");
        strcat(list, fields->item[i].key);
    }
    enum cola_status status = write_text(file, key, list, path);
    free(list);
    return status;
}

static enum cola_status write_numbers(hid_t file, const struct cola_root *root, const char *path)
{
    enum cola_status status = COLA_OK;
    const int32_t version[2] = {root->major, root->minor}, complete = root->complete;
    hsize_t two = 2;
    hid_t pair = -1, scalar = -1;
    COLA_H5_TRY_DONE(pair = H5Screate_simple(1, &two, NULL), path, "version");
    COLA_H5_TRY_DONE(scalar = H5Screate(H5S_SCALAR), path, "complete");
    COLA_TRY_DONE(write_attribute(file, "version", H5T_STD_I32LE, H5T_NATIVE_INT32, pair, version, path));
    COLA_TRY_DONE(
        write_attribute(file, "complete", H5T_STD_I32LE, H5T_NATIVE_INT32, scalar, &complete, path));
    COLA_TRY_DONE(write_attribute(file, "folded_sequence", H5T_STD_U64LE, H5T_NATIVE_UINT64, scalar,
                                  &root->folded_sequence, path));
done:
    if (scalar >= 0) H5Sclose(scalar);
    if (pair >= 0) H5Sclose(pair);
    return status;
}

enum cola_status cola_root_write(hid_t file, const struct cola_root *root, const char *path)
{
    const struct cola_fields *fields = root->fields;
    COLA_TRY(write_text(file, "filetype", root->filetype, path));
    COLA_TRY(write_numbers(file, root, path));
    COLA_TRY(write_text(file, "content_digest", root->digest, path));
    COLA_TRY(write_keys(file, "identity_keys", fields, COLA_FIELD_IDENTITY, path));
    COLA_TRY(write_keys(file, "grows_keys", fields, COLA_FIELD_GROWS, path));
    COLA_TRY(write_keys(file, "provenance_keys", fields, COLA_FIELD_PROVENANCE, path));
    for (size_t i = 0; i < fields->n; i++)
        COLA_TRY(write_text(file, fields->item[i].key, fields->item[i].value, path));
    return COLA_OK;
}
