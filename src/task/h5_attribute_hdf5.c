/* h5_attribute_hdf5.c - root attributes: strings of fixed or variable length, and small integer vectors; see
 * h5.h. */
#include <stdlib.h>
#include <string.h>

#include "cola/memory.h"
#include "task/h5.h"

enum { MOST_INTEGERS = 4096 }; /* stop tokens are a handful */

/* *out < 0: absent. */
static enum cola_status open_attribute(const struct cola_h5 *file, const char *key, hid_t *out)
{
    char why[200];
    *out = -1;
    htri_t exists = H5Aexists(file->id, key);
    if (exists == 0) return COLA_OK;
    if (exists > 0) *out = H5Aopen(file->id, key, H5P_DEFAULT);
    if (*out < 0)
        return cola_fail(COLA_ERR_INPUT, "%s: attribute %s cannot be opened: %s", file->path, key,
                         cola_h5_why(why, sizeof why));
    return COLA_OK;
}

static hssize_t n_values(hid_t attribute)
{
    hid_t space = H5Aget_space(attribute);
    hssize_t n = space >= 0 ? H5Sget_simple_extent_npoints(space) : -1;
    if (space >= 0) H5Sclose(space);
    return n;
}

static enum cola_status read_variable(hid_t attribute, hid_t type, char **out)
{
    char *text = NULL;
    if (H5Aread(attribute, type, &text) < 0) return COLA_ERR_INPUT;
    *out = strdup(text ? text : "");
    free(text); /* the library takes variable-length memory from malloc unless told otherwise */
    return *out ? COLA_OK : COLA_ERR_MEMORY;
}

/* Blanks at the end of a space-padded string are padding. */
static enum cola_status read_fixed(hid_t attribute, hid_t type, char **out)
{
    size_t n = H5Tget_size(type);
    char *text = calloc(n + 1, 1);
    if (!text) return COLA_ERR_MEMORY;
    if (H5Aread(attribute, type, text) < 0) {
        free(text);
        return COLA_ERR_INPUT;
    }
    size_t end = strlen(text);
    while (H5Tget_strpad(type) == H5T_STR_SPACEPAD && end && text[end - 1] == ' ') text[--end] = '\0';
    *out = text;
    return COLA_OK;
}

enum cola_status cola_h5_string(const struct cola_h5 *file, const char *key, char **out)
{
    hid_t attribute;
    char *text = NULL;
    COLA_TRY(open_attribute(file, key, &attribute));
    if (attribute < 0) {
        *out = NULL;
        return COLA_OK;
    }
    hid_t type = H5Aget_type(attribute);
    enum cola_status status = COLA_ERR_INPUT;
    if (type >= 0 && H5Tget_class(type) == H5T_STRING && n_values(attribute) == 1)
        status = H5Tis_variable_str(type) > 0 ? read_variable(attribute, type, &text)
                                              : read_fixed(attribute, type, &text);
    if (type >= 0) H5Tclose(type);
    H5Aclose(attribute);
    if (status == COLA_ERR_MEMORY)
        return cola_fail(status, "%s: attribute %s: out of memory", file->path, key);
    if (status != COLA_OK) return cola_fail(status, "%s: attribute %s: expected one string", file->path, key);
    *out = text;
    return COLA_OK;
}

enum cola_status cola_h5_integers(const struct cola_h5 *file, const char *key, int64_t **out, uint64_t *n)
{
    hid_t attribute;
    int64_t *value = NULL;
    COLA_TRY(open_attribute(file, key, &attribute));
    if (attribute < 0) {
        *out = NULL;
        *n = 0;
        return COLA_OK;
    }
    enum cola_status status = COLA_OK;
    hid_t type = H5Aget_type(attribute);
    hssize_t size = n_values(attribute);
    if (type < 0 || H5Tget_class(type) != H5T_INTEGER || size < 0 || size > MOST_INTEGERS)
        status = cola_fail(COLA_ERR_INPUT, "%s: attribute %s: expected at most %d integers", file->path, key,
                           MOST_INTEGERS);
    if (status == COLA_OK) status = cola_alloc((void **)&value, (size_t)size, sizeof *value, key);
    if (status == COLA_OK && size && H5Aread(attribute, H5T_NATIVE_INT64, value) < 0)
        status = cola_fail(COLA_ERR_INPUT, "%s: attribute %s cannot be read", file->path, key);
    if (type >= 0) H5Tclose(type);
    H5Aclose(attribute);
    if (status != COLA_OK) {
        free(value);
        return status;
    }
    *out = value;
    *n = (uint64_t)size;
    return COLA_OK;
}

enum cola_status cola_h5_check_filetype(const struct cola_h5 *file, const char *filetype, int64_t major)
{
    char *found = NULL;
    int64_t *version = NULL;
    uint64_t n = 0;
    enum cola_status status = COLA_OK;
    COLA_TRY(cola_h5_string(file, "filetype", &found));
    if (!found || strcmp(found, filetype) != 0) {
        status = cola_fail(COLA_ERR_INPUT, "%s: attribute filetype: expected %s, found %s", file->path,
                           filetype, found ? found : "none");
        goto done;
    }
    COLA_TRY_DONE(cola_h5_integers(file, "version", &version, &n));
    if (n != 2)
        status = cola_fail(COLA_ERR_INPUT, "%s: attribute version: expected two integers, found %llu",
                           file->path, (unsigned long long)n);
    else if (version[0] != major)
        status =
            cola_fail(COLA_ERR_UNSUPPORTED, "%s: %s version %lld.%lld; this program reads version %lld only",
                      file->path, filetype, (long long)version[0], (long long)version[1], (long long)major);
done:
    free(found);
    free(version);
    return status;
}
