/* writer_hdf5.c - run.h5 from columns. HDF5 builds the file in memory (its core driver) behind an empty first
 * block, which gets the check of the other bytes (h5.h); all of it goes to disk by our own write, fsync and
 * rename.
 *
 * So a full disk or a lost mount is an errno of ours, not a failed H5Fclose that leaves the library with a
 * file it can neither flush nor forget; and no HDF5 lock ever touches the run. Cost: the file once more in
 * memory, about 150 bytes and the chain (2 bytes a layer) a chain: 56 MB for 1,500 samples x 200 chains of 40
 * layers. */
#include "record/writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cola/memory.h"
#include "record/files.h"

enum { IMAGE_STEP_BYTES = 8 << 20 }; /* the core driver grows by this */

static enum cola_status write_column(hid_t file, const struct cola_columns *columns,
                                     enum cola_run_column column, const char *path)
{
    const struct cola_run_schema *schema = &cola_run_schema[column];
    hsize_t n = columns->column[column].n;
    hid_t space = -1, dataset = -1;
    enum cola_status status = COLA_OK;
    COLA_H5_TRY_DONE(space = H5Screate_simple(1, &n, NULL), path, schema->name);
    COLA_H5_TRY_DONE(dataset = H5Dcreate2(file, schema->name, cola_h5_stored_type(schema->type), space,
                                          H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT),
                     path, schema->name);
    if (n)
        COLA_H5_TRY_DONE(H5Dwrite(dataset, cola_h5_native_type(schema->type), H5S_ALL, H5S_ALL, H5P_DEFAULT,
                                  columns->column[column].data),
                         path, schema->name);
done:
    if (dataset >= 0) H5Dclose(dataset);
    if (space >= 0) H5Sclose(space);
    return status;
}

static enum cola_status write_columns(hid_t file, const struct cola_columns *columns, const char *path)
{
    char group[32] = "";
    for (int i = 0; i < COLA_N_RUN_COLUMNS; i++) {
        const char *name = cola_run_schema[i].name;
        size_t n = (size_t)(strchr(name, '/') - name);
        if (strncmp(group, name, n) != 0 || group[n]) { /* the table goes group by group, texts/ included */
            memcpy(group, name, n);
            group[n] = '\0';
            hid_t id = H5Gcreate2(file, group, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
            if (id < 0) return cola_fail(COLA_ERR_LIBRARY, "%s: group %s cannot be created", path, group);
            H5Gclose(id);
        }
        COLA_TRY(write_column(file, columns, (enum cola_run_column)i, path));
    }
    return COLA_OK;
}

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

static enum cola_status write_numbers(hid_t file, const struct cola_run_content *content, int32_t minor,
                                      const char *path)
{
    enum cola_status status = COLA_OK;
    const int32_t version[2] = {COLA_RUN_MAJOR, minor}, complete = content->complete;
    hsize_t two = 2;
    hid_t pair = -1, scalar = -1;
    COLA_H5_TRY_DONE(pair = H5Screate_simple(1, &two, NULL), path, "version");
    COLA_H5_TRY_DONE(scalar = H5Screate(H5S_SCALAR), path, "complete");
    COLA_TRY_DONE(write_attribute(file, "version", H5T_STD_I32LE, H5T_NATIVE_INT32, pair, version, path));
    COLA_TRY_DONE(
        write_attribute(file, "complete", H5T_STD_I32LE, H5T_NATIVE_INT32, scalar, &complete, path));
    COLA_TRY_DONE(write_attribute(file, "folded_sequence", H5T_STD_U64LE, H5T_NATIVE_UINT64, scalar,
                                  &content->folded_sequence, path));
done:
    if (scalar >= 0) H5Sclose(scalar);
    if (pair >= 0) H5Sclose(pair);
    return status;
}

enum cola_status cola_run_write_attributes(hid_t file, const struct cola_run_content *content, int32_t minor,
                                           const char *digest, const char *path)
{
    COLA_TRY(write_text(file, "filetype", COLA_RUN_FILETYPE, path));
    COLA_TRY(write_numbers(file, content, minor, path));
    COLA_TRY(write_text(file, "content_digest", digest, path));
    COLA_TRY(write_keys(file, "identity_keys", content->fields, COLA_FIELD_IDENTITY, path));
    COLA_TRY(write_keys(file, "grows_keys", content->fields, COLA_FIELD_GROWS, path));
    COLA_TRY(write_keys(file, "provenance_keys", content->fields, COLA_FIELD_PROVENANCE, path));
    for (size_t i = 0; i < content->fields->n; i++)
        COLA_TRY(write_text(file, content->fields->item[i].key, content->fields->item[i].value, path));
    return COLA_OK;
}

static enum cola_status create_image(hid_t *file, hid_t *access, const char *path)
{
    enum cola_status status = COLA_OK;
    hid_t creation = -1;
    char *name = NULL; /* of no file: H5Fcreate would read an existing one before it forgets it */
    if (asprintf(&name, "%s.image", path) < 0) return cola_fail(COLA_ERR_MEMORY, "%s: out of memory", path);
    COLA_TRY_DONE(cola_h5_access(access));
    COLA_H5_TRY_DONE(H5Pset_fapl_core(*access, IMAGE_STEP_BYTES, 0), path, "file in memory");
    COLA_H5_TRY_DONE(creation = H5Pcreate(H5P_FILE_CREATE), path, "file in memory");
    COLA_H5_TRY_DONE(H5Pset_userblock(creation, COLA_H5_BLOCK_BYTES), path, "first block");
    COLA_H5_TRY_DONE(*file = H5Fcreate(name, H5F_ACC_TRUNC, creation, *access), path, "file in memory");
done:
    if (creation >= 0) H5Pclose(creation);
    free(name);
    return status;
}

/* The core driver's handle is the address of its buffer: the image is written from there without another
 * copy. The buffer begins with the first block, which HDF5 neither fills nor counts in the image's size. */
static enum cola_status store_image(hid_t file, hid_t access, const char *path)
{
    enum cola_status status = COLA_OK;
    void *handle = NULL;
    ssize_t n = 0;
    COLA_H5_TRY_DONE(H5Fflush(file, H5F_SCOPE_GLOBAL), path, "flush");
    COLA_H5_TRY_DONE(n = H5Fget_file_image(file, NULL, 0), path, "file image");
    COLA_H5_TRY_DONE(H5Fget_vfd_handle(file, access, &handle), path, "file image");
    char *block = *(char **)handle;
    COLA_TRY_DONE(cola_h5_block(block + COLA_H5_BLOCK_BYTES, (size_t)n, block));
    COLA_TRY_DONE(cola_file_replace(path, block, COLA_H5_BLOCK_BYTES + (size_t)n));
done:
    return status;
}

enum cola_status cola_run_write(const char *path, const struct cola_run_content *content)
{
    char digest[COLA_HASH_TEXT];
    hid_t file = -1, access = -1;
    enum cola_status status = create_image(&file, &access, path);
    if (status == COLA_OK) status = write_columns(file, content->columns, path);
    if (status == COLA_OK)
        status = cola_columns_digest(content->columns, content->fields, COLA_RUN_MINOR, digest);
    if (status == COLA_OK) status = cola_run_write_attributes(file, content, COLA_RUN_MINOR, digest, path);
    if (status == COLA_OK) status = store_image(file, access, path);
    if (file >= 0 && H5Fclose(file) < 0 && status == COLA_OK)
        status = cola_fail(COLA_ERR_LIBRARY, "%s: HDF5 cannot close its image", path);
    if (access >= 0) H5Pclose(access);
    return status;
}
