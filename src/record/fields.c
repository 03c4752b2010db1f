/* fields.c - the list of fields and the comparison that lets a run go on or refuses it by name; see fields.h.
 */
#include "record/fields.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cola/memory.h"

static const char *const reserved[] = {"filetype",       "version",       "complete",   "folded_sequence",
                                       "content_digest", "identity_keys", "grows_keys", "provenance_keys"};

static enum cola_status check_key(const struct cola_fields *fields, const char *key)
{
    size_t n = strlen(key);
    if (n == 0 || n > COLA_FIELD_KEY_BYTES || strspn(key, "abcdefghijklmnopqrstuvwxyz0123456789_") != n ||
        !(key[0] >= 'a' && key[0] <= 'z'))
        return cola_fail(COLA_ERR_INPUT, "field '%.80s': a key is a lower-case word of at most %d bytes", key,
                         COLA_FIELD_KEY_BYTES);
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
        if (strcmp(key, reserved[i]) == 0)
            return cola_fail(COLA_ERR_INPUT, "field %s: the name is taken by run.h5 itself", key);
    if (cola_fields_value(fields, key)) return cola_fail(COLA_ERR_INPUT, "field %s: given twice", key);
    return COLA_OK;
}

enum cola_status cola_fields_add(struct cola_fields *fields, const char *key, const char *value,
                                 enum cola_field_role role)
{
    COLA_TRY(check_key(fields, key));
    if (strlen(value) > COLA_FIELD_VALUE_BYTES)
        return cola_fail(COLA_ERR_INPUT, "field %s: a value of %zu bytes, at most %d allowed", key,
                         strlen(value), COLA_FIELD_VALUE_BYTES);
    COLA_TRY(cola_grow((void **)&fields->item, &fields->room, fields->n + 1, sizeof *fields->item, "fields"));
    char *own_key = strdup(key), *own_value = strdup(value);
    if (!own_key || !own_value) {
        free(own_key);
        free(own_value);
        return cola_fail(COLA_ERR_MEMORY, "field %s: out of memory", key);
    }
    fields->item[fields->n++] = (struct cola_field){own_key, own_value, role};
    return COLA_OK;
}

static const struct cola_field *find(const struct cola_fields *fields, const char *key)
{
    for (size_t i = 0; i < fields->n; i++)
        if (strcmp(fields->item[i].key, key) == 0) return &fields->item[i];
    return NULL;
}

const char *cola_fields_value(const struct cola_fields *fields, const char *key)
{
    const struct cola_field *field = find(fields, key);
    return field ? field->value : NULL;
}

enum cola_status cola_fields_set(struct cola_fields *fields, const char *key, const char *value)
{
    for (size_t i = 0; i < fields->n; i++) {
        if (strcmp(fields->item[i].key, key) != 0) continue;
        char *own = strdup(value);
        if (!own) return cola_fail(COLA_ERR_MEMORY, "field %s: out of memory", key);
        free((void *)(uintptr_t)fields->item[i].value);
        fields->item[i].value = own;
        return COLA_OK;
    }
    return cola_fail(COLA_ERR_INPUT, "field %s: absent", key);
}

void cola_fields_fini(struct cola_fields *fields)
{
    for (size_t i = 0; i < fields->n; i++) {
        free((void *)(uintptr_t)fields->item[i].key); /* const towards readers, ours here */
        free((void *)(uintptr_t)fields->item[i].value);
    }
    free(fields->item);
    *fields = (struct cola_fields){0};
}

static bool may_follow(const struct cola_field *stored, const struct cola_field *ours)
{
    if (stored->role != ours->role) return false;
    if (strcmp(stored->value, ours->value) == 0) return true;
    if (stored->role != COLA_FIELD_GROWS) return false;
    char *end_stored, *end_ours;
    errno = 0;
    unsigned long long before = strtoull(stored->value, &end_stored, 10),
                       now = strtoull(ours->value, &end_ours, 10);
    return !errno && end_stored != stored->value && !*end_stored && end_ours != ours->value && !*end_ours &&
           now >= before;
}

static void name_difference(char *text, size_t room, const struct cola_field *stored,
                            const struct cola_field *ours)
{
    size_t n = strlen(text);
    bool grows = stored && ours && stored->role == COLA_FIELD_GROWS;
    snprintf(text + n, room - n, "%s%s: there '%.100s', here '%.100s'%s", n ? "; " : "",
             stored ? stored->key : ours->key, stored ? stored->value : "(absent)",
             ours ? ours->value : "(absent)", grows ? " (may only be raised)" : "");
}

enum cola_status cola_fields_compare(const struct cola_fields *stored, const struct cola_fields *ours,
                                     const char *where)
{
    char text[900] = "";
    for (size_t i = 0; i < stored->n; i++) {
        const struct cola_field *old = &stored->item[i], *now = find(ours, old->key);
        if (old->role == COLA_FIELD_PROVENANCE && (!now || now->role == COLA_FIELD_PROVENANCE)) continue;
        if (!now || !may_follow(old, now)) name_difference(text, sizeof text, old, now);
    }
    for (size_t i = 0; i < ours->n; i++)
        if (ours->item[i].role != COLA_FIELD_PROVENANCE && !find(stored, ours->item[i].key))
            name_difference(text, sizeof text, NULL, &ours->item[i]);
    if (!text[0]) return COLA_OK;
    return cola_fail(COLA_ERR_MISMATCH, "%s holds another run: %s", where, text);
}
