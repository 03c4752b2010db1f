/* fields.h - a run's (key, value, role) list that owns its texts: kept in the journal and in run.h5, compared
 * at resume.
 *
 *     struct cola_fields fields = {0};
 *     COLA_TRY(cola_fields_add(&fields, "seed", "7", COLA_FIELD_IDENTITY));
 *     COLA_TRY(cola_fields_compare(&stored, &ours, "run.h5.journal"));     names every difference
 *     cola_fields_fini(&fields);
 *
 * Knows no file format. */
#ifndef COLA_RECORD_FIELDS_H
#define COLA_RECORD_FIELDS_H

#include "cola/record.h"

enum { COLA_FIELD_KEY_BYTES = 63, COLA_FIELD_VALUE_BYTES = 32767 }; /* an HDF5 attribute holds 64 KiB */

struct cola_fields {
    struct cola_field *item; /* [n]; key and value owned */
    size_t n, room;
};

/* Copies. COLA_ERR_INPUT: a key that is not [a-z][a-z0-9_]*, is too long, reserved for run.h5's own
 * attributes or already there, or a value that is too long. */
enum cola_status cola_fields_add(struct cola_fields *fields, const char *key, const char *value,
                                 enum cola_field_role role);
/* Replaces the value of a key that is there. */
enum cola_status cola_fields_set(struct cola_fields *fields, const char *key, const char *value);
const char *cola_fields_value(const struct cola_fields *fields, const char *key); /* NULL if absent */
void cola_fields_fini(struct cola_fields *fields);                                /* leaves it empty */

/* May a run with `ours` go on where `stored` was? Identity must be equal; what grows may not shrink.
 * COLA_ERR_MISMATCH names `where` and each field that differs, with both values. */
enum cola_status cola_fields_compare(const struct cola_fields *stored, const struct cola_fields *ours,
                                     const char *where);

#endif
