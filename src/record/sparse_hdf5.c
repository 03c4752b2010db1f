/* sparse_hdf5.c - a file driver for HDF5 that keeps the pages that were written; see sparse.h. A structure
 * has a few dozen pages, so they are searched one by one. */
#include "record/sparse.h"

#include <stdlib.h>
#include <string.h>

#include "cola/memory.h"

#if H5_VERSION_GE(1, 13, 0)
#include <H5FDdevelop.h>
#endif

enum { PAGE_BYTES = 4096 };

struct cola_sparse_page {
    uint64_t number; /* of its bytes the first is number * PAGE_BYTES */
    uint8_t byte[PAGE_BYTES];
};

struct sparse_file { /* an open one, as HDF5 sees it */
    H5FD_t base;     /* first */
    struct cola_sparse *sparse;
    haddr_t end;
};

/* --- pages -------------------------------------------------------------------------------------------- */

static struct cola_sparse_page *find(const struct cola_sparse *sparse, uint64_t number)
{
    for (size_t i = 0; i < sparse->n_pages; i++)
        if (sparse->page[i].number == number) return &sparse->page[i];
    return NULL;
}

static struct cola_sparse_page *find_or_add(struct cola_sparse *sparse, uint64_t number)
{
    struct cola_sparse_page *page = find(sparse, number);
    if (page) return page;
    if (cola_grow((void **)&sparse->page, &sparse->room, sparse->n_pages + 1, sizeof *page, "structure") !=
        COLA_OK)
        return NULL;
    page = &sparse->page[sparse->n_pages++];
    memset(page, 0, sizeof *page);
    page->number = number;
    return page;
}

static size_t in_page(uint64_t at, size_t n)
{
    size_t left = PAGE_BYTES - (size_t)(at % PAGE_BYTES);
    return n < left ? n : left;
}

void cola_sparse_read(const struct cola_sparse *sparse, uint64_t at, size_t n, void *to)
{
    uint8_t *byte = to;
    for (size_t k; n; n -= k, at += k, byte += k) {
        k = in_page(at, n);
        const struct cola_sparse_page *page = find(sparse, at / PAGE_BYTES);
        if (page)
            memcpy(byte, page->byte + at % PAGE_BYTES, k);
        else
            memset(byte, 0, k);
    }
}

void cola_sparse_fini(struct cola_sparse *sparse)
{
    if (sparse->driver > 0) H5FDunregister(sparse->driver);
    free(sparse->page);
    *sparse = (struct cola_sparse){0};
}

/* --- what HDF5 calls ---------------------------------------------------------------------------------- */

static H5FD_t *driver_open(const char *name, unsigned flags, hid_t access, haddr_t most)
{
    (void)name, (void)most;
    struct cola_sparse *const *sparse = H5Pget_driver_info(access);
    struct sparse_file *file = sparse ? calloc(1, sizeof *file) : NULL;
    if (!file) return NULL;
    if (flags & H5F_ACC_TRUNC) (*sparse)->n_pages = 0;
    file->sparse = *sparse;
    return &file->base;
}

static herr_t driver_close(H5FD_t *base)
{
    struct sparse_file *file = (struct sparse_file *)base;
    file->sparse->n_bytes = file->end;
    free(file);
    return 0;
}

static haddr_t driver_end(const H5FD_t *base, H5FD_mem_t type)
{
    (void)type;
    return ((const struct sparse_file *)base)->end;
}

static herr_t driver_set_end(H5FD_t *base, H5FD_mem_t type, haddr_t end)
{
    (void)type;
    ((struct sparse_file *)base)->end = end;
    return 0;
}

static herr_t driver_read(H5FD_t *base, H5FD_mem_t type, hid_t transfer, haddr_t at, size_t n, void *to)
{
    (void)type, (void)transfer;
    cola_sparse_read(((struct sparse_file *)base)->sparse, at, n, to);
    return 0;
}

static herr_t driver_write(H5FD_t *base, H5FD_mem_t type, hid_t transfer, haddr_t at, size_t n,
                           const void *from)
{
    (void)type, (void)transfer;
    const uint8_t *byte = from;
    for (size_t k; n; n -= k, at += k, byte += k) {
        k = in_page(at, n);
        struct cola_sparse_page *page = find_or_add(((struct sparse_file *)base)->sparse, at / PAGE_BYTES);
        if (!page) return -1;
        memcpy(page->byte + at % PAGE_BYTES, byte, k);
    }
    return 0;
}

static const H5FD_class_t driver = {
#if H5_VERSION_GE(1, 13, 0)
    .version = H5FD_CLASS_VERSION,
    .value = 512, /* from 512 on for drivers that are not registered with the HDF Group */
#endif
    .name = "cola-sparse",
    .maxaddr = (haddr_t)INT64_MAX,
    .fc_degree = H5F_CLOSE_STRONG,
    .fapl_size = sizeof(struct cola_sparse *), /* copied as it is */
    .open = driver_open,
    .close = driver_close,
    .get_eoa = driver_end,
    .set_eoa = driver_set_end,
    .get_eof = driver_end,
    .read = driver_read,
    .write = driver_write,
    .fl_map = H5FD_FLMAP_DICHOTOMY,
};

/* --- creating ----------------------------------------------------------------------------------------- */

enum cola_status cola_sparse_create(const char *path, uint64_t user_block_bytes, struct cola_sparse *sparse,
                                    hid_t *out)
{
    enum cola_status status = COLA_OK;
    hid_t access = -1, creation = -1;
    COLA_TRY_DONE(cola_h5_access(&access));
    COLA_H5_TRY_DONE(sparse->driver = H5FDregister(&driver), path, "file driver");
    COLA_H5_TRY_DONE(H5Pset_driver(access, sparse->driver, &sparse), path, "file driver");
    COLA_H5_TRY_DONE(creation = H5Pcreate(H5P_FILE_CREATE), path, "structure");
    COLA_H5_TRY_DONE(H5Pset_userblock(creation, user_block_bytes), path, "first block");
    COLA_H5_TRY_DONE(*out = H5Fcreate("structure", H5F_ACC_TRUNC, creation, access), path, "structure");
done:
    if (creation >= 0) H5Pclose(creation);
    if (access >= 0) H5Pclose(access);
    return status;
}
