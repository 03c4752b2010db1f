/* merge_fields.c - which runs are parts of one search, and what the merged run says of itself. What decides
 * labels must be equal but for the rows searched (samples); how each part was made is put together, each
 * different value once. Looks at fields only. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cola/build.h"
#include "cola/memory.h"
#include "record/merge.h"

static const char samples_key[] = "samples", separator[] = "; ";

/* --- comparing ---------------------------------------------------------------------------------------- */

static const struct cola_field *find(const struct cola_fields *fields, const char *key)
{
    for (size_t i = 0; i < fields->n; i++)
        if (strcmp(fields->item[i].key, key) == 0) return &fields->item[i];
    return NULL;
}

static bool decides(const struct cola_field *field)
{
    return field && field->role != COLA_FIELD_PROVENANCE;
}

struct differences {
    char text[600];
    size_t used;
};

static void add_difference(struct differences *d, const char *key, const char *a, const char *b)
{
    if (d->used + 1 >= sizeof d->text) return;
    d->used += (size_t)snprintf(d->text + d->used, sizeof d->text - d->used, "%s%s '%.100s' and '%.100s'",
                                d->used ? "; " : "", key, a, b);
}

/* Fields of a against those of b; those that b alone has come from the call the other way round. */
static void compare_fields(struct differences *d, const struct cola_fields *a, const struct cola_fields *b,
                           bool swapped)
{
    for (size_t i = 0; i < a->n; i++) {
        const struct cola_field *here = &a->item[i], *there = find(b, here->key);
        if (!decides(here) && !decides(there)) continue;
        if (swapped && there) continue;
        if (there && here->role == there->role &&
            (strcmp(here->key, samples_key) == 0 || strcmp(here->value, there->value) == 0))
            continue;
        const char *other = there ? there->value : "(absent)";
        if (there && strcmp(here->value, other) == 0) other = "(in another role)";
        add_difference(d, here->key, swapped ? other : here->value, swapped ? here->value : other);
    }
}

enum cola_status cola_merge_fields_compare(const struct cola_merge_input *a, const struct cola_merge_input *b)
{
    struct differences d = {0};
    if (a->run->minor != b->run->minor) {
        char one[24], other[24];
        snprintf(one, sizeof one, "%d.%" PRId64, COLA_RUN_MAJOR, a->run->minor);
        snprintf(other, sizeof other, "%d.%" PRId64, COLA_RUN_MAJOR, b->run->minor);
        return cola_fail(
            COLA_ERR_MISMATCH,
            "%.200s and %.200s are not of one format version: '%s' and '%s'; `cola search --resume` "
            "of the older one, with its own options, writes it anew",
            a->path, b->path, one, other);
    }
    compare_fields(&d, &a->run->fields, &b->run->fields, false);
    compare_fields(&d, &b->run->fields, &a->run->fields, true);
    if (!d.used) return COLA_OK;
    return cola_fail(COLA_ERR_MISMATCH, "%.200s and %.200s are not parts of one search: %s", a->path, b->path,
                     d.text);
}

/* --- shards ------------------------------------------------------------------------------------------- */

static bool read_number(const char **at, uint64_t *number)
{
    char *end;
    if (**at < '0' || **at > '9') return false;
    *number = strtoull(*at, &end, 10);
    *at = end;
    return true;
}

/* "1/3" from cola search --shard, "0-1/3" from a merge of some. */
struct cola_merge_shard cola_merge_shard_of(const struct cola_merge_input *input)
{
    struct cola_merge_shard shard = {0};
    const char *at = cola_fields_value(&input->run->fields, "shard");
    bool good = at && read_number(&at, &shard.first);
    shard.last = shard.first;
    if (good && *at == '-') {
        at++;
        good = read_number(&at, &shard.last);
    }
    good = good && *at++ == '/' && read_number(&at, &shard.n) && !*at && shard.first <= shard.last &&
           shard.last < shard.n;
    return good ? shard : (struct cola_merge_shard){0};
}

/* What a merged run says, so that a merge of it knows what is missing around it; "": nothing. */
static void name_shard(const struct cola_merge_input *input, uint32_t n, char text[64])
{
    struct cola_merge_shard begin = cola_merge_shard_of(&input[0]), all = begin;
    text[0] = '\0';
    for (uint32_t i = 0; i < n; i++) {
        struct cola_merge_shard other = cola_merge_shard_of(&input[i]);
        if (other.n != begin.n) return; /* of different divisions: no common way to say it */
        if (other.first < all.first) all.first = other.first;
        if (other.last > all.last) all.last = other.last;
    }
    if (all.n && (all.first > 0 || all.last + 1 < all.n))
        snprintf(text, 64, "%" PRIu64 "-%" PRIu64 "/%" PRIu64, all.first, all.last, all.n);
}

/* --- putting together --------------------------------------------------------------------------------- */

/* Values in the order of the inputs, each once, as long as they fit into a field. */
struct collected {
    char *text; /* COLA_FIELD_VALUE_BYTES and the NUL */
    size_t used, n_left_out;
};

/* Is [value, value + n) one of the values that are there? */
static bool has_value(const struct collected *c, const char *value, size_t n)
{
    for (const char *at = c->text; *at;) {
        const char *end = strstr(at, separator);
        size_t length = end ? (size_t)(end - at) : strlen(at);
        if (length == n && memcmp(at, value, n) == 0) return true;
        at += length + (end ? strlen(separator) : 0);
    }
    return false;
}

/* A value may itself be several, of an input that was merged. */
static void collect(struct collected *c, const char *value)
{
    enum { NOTE_BYTES = 40 }; /* of "and N more" */
    while (*value) {
        const char *end = strstr(value, separator);
        size_t n = end ? (size_t)(end - value) : strlen(value);
        if (n && !has_value(c, value, n)) {
            if (c->used + strlen(separator) + n + NOTE_BYTES > COLA_FIELD_VALUE_BYTES)
                c->n_left_out++;
            else
                c->used +=
                    (size_t)sprintf(c->text + c->used, "%s%.*s", c->used ? separator : "", (int)n, value);
        }
        value += n + (end ? strlen(separator) : 0);
    }
}

static enum cola_status add_collected(struct cola_fields *out, const char *key, struct collected *c)
{
    if (c->n_left_out) sprintf(c->text + c->used, "%sand %zu more", c->used ? separator : "", c->n_left_out);
    enum cola_status status = cola_fields_add(out, key, c->text, COLA_FIELD_PROVENANCE);
    c->text[0] = '\0';
    c->used = c->n_left_out = 0;
    return status;
}

static const char *value_or(const struct cola_merge_input *input, const char *key, const char *other)
{
    const char *value = cola_fields_value(&input->run->fields, key);
    return value ? value : other;
}

/* Fields that a merged run has of its own instead of its inputs' values. */
static bool is_own(const char *key)
{
    static const char *const own[] = {"run_id", "created",     "program_version", "git_hash",
                                      "shard",  "searched_by", "merged_from"};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (strcmp(key, own[i]) == 0) return true;
    return false;
}

static enum cola_status combine_provenance(const struct cola_merge_input *input, uint32_t n,
                                           struct collected *c, struct cola_fields *out)
{
    for (uint32_t i = 0; i < n; i++)
        for (size_t k = 0; k < input[i].run->fields.n; k++) {
            const struct cola_field *field = &input[i].run->fields.item[k];
            if (decides(field) || is_own(field->key) || find(out, field->key)) continue;
            for (uint32_t j = i; j < n; j++) collect(c, value_or(&input[j], field->key, ""));
            COLA_TRY(add_collected(out, field->key, c));
        }
    return COLA_OK;
}

/* The programs that searched, and the runs they made. Of inputs that were merged: those that they name. */
static enum cola_status add_origin(const struct cola_merge_input *input, uint32_t n, struct collected *c,
                                   struct cola_fields *out)
{
    char text[400];
    for (uint32_t i = 0; i < n; i++) {
        snprintf(text, sizeof text, "%.100s (%.100s)", value_or(&input[i], "program_version", "unknown"),
                 value_or(&input[i], "git_hash", "unknown"));
        collect(c, value_or(&input[i], "searched_by", text));
    }
    COLA_TRY(add_collected(out, "searched_by", c));
    for (uint32_t i = 0; i < n; i++) {
        const char *slash = strrchr(input[i].path, '/');
        snprintf(text, sizeof text, "%.200s %.64s", slash ? slash + 1 : input[i].path,
                 value_or(&input[i], "run_id", "unknown"));
        collect(c, value_or(&input[i], "merged_from", text));
    }
    return add_collected(out, "merged_from", c);
}

/* A name that the same inputs give again, whatever their order on the command line. */
static enum cola_status add_run_id(const struct cola_merge_input *input, uint32_t n, struct cola_fields *out)
{
    struct cola_hash *hash;
    char text[COLA_HASH_TEXT];
    COLA_TRY(cola_hash_create(&hash));
    for (uint32_t i = 0; i < n; i++) {
        cola_hash_string(hash, value_or(&input[i], "run_id", ""));
        cola_hash_string(hash, input[i].run->digest);
    }
    cola_hash_text(hash, text);
    cola_hash_destroy(hash);
    return cola_fields_add(out, "run_id", text + 5 /* behind "xxh3:" */, COLA_FIELD_PROVENANCE);
}

static enum cola_status add_own(const struct cola_merge_input *input, uint32_t n, struct cola_fields *out)
{
    char shard[64];
    const char *created = value_or(&input[0], "created", "unknown");
    for (uint32_t i = 1; i < n; i++) { /* its time, as text, sorts by time */
        const char *other = value_or(&input[i], "created", created);
        if (strcmp(other, created) < 0) created = other;
    }
    COLA_TRY(add_run_id(input, n, out));
    COLA_TRY(cola_fields_add(out, "created", created, COLA_FIELD_PROVENANCE));
    COLA_TRY(cola_fields_add(out, "program_version", cola_build_version(), COLA_FIELD_PROVENANCE));
    COLA_TRY(cola_fields_add(out, "git_hash", cola_build_git_hash(), COLA_FIELD_PROVENANCE));
    name_shard(input, n, shard);
    return shard[0] ? cola_fields_add(out, "shard", shard, COLA_FIELD_PROVENANCE) : COLA_OK;
}

enum cola_status cola_merge_fields_combine(const struct cola_merge_input *input, uint32_t n,
                                           const char *samples, struct cola_fields *out)
{
    struct collected c = {0};
    enum cola_status status = COLA_OK;
    COLA_TRY(cola_alloc((void **)&c.text, COLA_FIELD_VALUE_BYTES + 1, 1, "merge"));
    for (size_t i = 0; i < input[0].run->fields.n; i++) {
        const struct cola_field *field = &input[0].run->fields.item[i];
        if (!decides(field)) continue;
        COLA_TRY_DONE(cola_fields_add(
            out, field->key, strcmp(field->key, samples_key) == 0 ? samples : field->value, field->role));
    }
    COLA_TRY_DONE(combine_provenance(input, n, &c, out));
    COLA_TRY_DONE(add_own(input, n, out));
    status = add_origin(input, n, &c, out);
done:
    free(c.text);
    return status;
}
