/* tensor_table.c - collects the tensors of one or many safetensors files and finds them by name.
 *
 * Place: between the files (checkpoint.c) and the roles (weights.c); knows neither files nor architectures. A
 * sorted array and bisection: a table is filled once and asked once a weight. */
#include "model/tensor_table.h"

#include <stdlib.h>
#include <string.h>

#include "cola/memory.h"

enum cola_status cola_tensor_table_add(struct cola_tensor_table *table, const struct cola_safetensors *st,
                                       const char *file)
{
    COLA_TRY(cola_grow((void **)&table->tensor, &table->room, table->n_tensors + st->n_entries,
                       sizeof *table->tensor, "tensor table"));
    for (size_t i = 0; i < st->n_entries; i++)
        table->tensor[table->n_tensors++] = (struct cola_stored_tensor){.entry = st->entry[i], .file = file};
    return COLA_OK;
}

static int by_name(const void *left, const void *right)
{
    const struct cola_stored_tensor *a = left, *b = right;
    return strcmp(a->entry.name, b->entry.name);
}

enum cola_status cola_tensor_table_sort(struct cola_tensor_table *table)
{
    if (table->n_tensors) qsort(table->tensor, table->n_tensors, sizeof *table->tensor, by_name);
    for (size_t i = 1; i < table->n_tensors; i++) {
        const struct cola_stored_tensor *a = &table->tensor[i - 1], *b = &table->tensor[i];
        if (by_name(a, b) == 0)
            return cola_fail(COLA_ERR_INPUT, "%s: tensor %s is also in %s", b->file, b->entry.name, a->file);
    }
    return COLA_OK;
}

struct cola_stored_tensor *cola_tensor_table_find(const struct cola_tensor_table *table, const char *name)
{
    struct cola_stored_tensor key = {.entry.name = name};
    if (!table->n_tensors) return NULL;
    return bsearch(&key, table->tensor, table->n_tensors, sizeof key, by_name);
}

void cola_tensor_table_fini(struct cola_tensor_table *table)
{
    free(table->tensor);
    *table = (struct cola_tensor_table){0};
}
