/* search_fields_hdf5.c - a search's options as the fields of run.h5: what decides labels, what may grow, how
 * this run was made. Numbers are written so that they read back to the same bits. */
#include <hdf5.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/search_setup.h"
#include "cola/memory.h"

static void add(struct search_fields *f, enum cola_field_role role, const char *key, const char *value)
{
    f->field[f->n++] = (struct cola_field){key, value, role};
}

static void add_whole(struct search_fields *f, enum cola_field_role role, const char *key, uint64_t value)
{
    char *text = f->text[f->n_texts++];
    snprintf(text, sizeof f->text[0], "%" PRIu64, value);
    add(f, role, key, text);
}

static void add_real(struct search_fields *f, const char *key, double value)
{
    char *text = f->text[f->n_texts++];
    snprintf(text, sizeof f->text[0], "%.17g", value);
    add(f, COLA_FIELD_IDENTITY, key, text);
}

static void add_identity(struct search_fields *f, const struct search_setup *s, uint32_t first, uint32_t n)
{
    const struct cola_search_options *o = &s->search;
    char *samples = f->text[f->n_texts++];
    snprintf(samples, sizeof f->text[0], "%u:%u", first, first + n);
    add(f, COLA_FIELD_IDENTITY, "preset", s->preset);
    add(f, COLA_FIELD_IDENTITY, "policy", o->policy);
    add(f, COLA_FIELD_IDENTITY, "space", s->space);
    add(f, COLA_FIELD_IDENTITY, "metric", s->metric);
    add(f, COLA_FIELD_IDENTITY, "control", s->control);
    add(f, COLA_FIELD_IDENTITY, "samples", samples);
    add_whole(f, COLA_FIELD_IDENTITY, "seed", o->seed);
    add_whole(f, COLA_FIELD_IDENTITY, "max_skip", o->max_skip);
    add_whole(f, COLA_FIELD_IDENTITY, "max_block", o->max_block);
    add_whole(f, COLA_FIELD_IDENTITY, "max_times", o->max_times);
    add_real(f, "min_length", o->min_length);
    add_real(f, "max_length", o->max_length);
    add_real(f, "exploration", o->exploration);
    add_real(f, "length_penalty", o->length_penalty);
    add_real(f, "epsilon", o->epsilon);
    add_whole(f, COLA_FIELD_GROWS, "n_simulations", o->n_simulations);
}

static void describe_command(const struct cola_options *options, char *text, size_t room)
{
    const char *name, *value;
    size_t n = (size_t)snprintf(text, room, "cola search %s", cola_options_argument(options, 0));
    for (size_t i = 0; cola_options_each(options, i, &name, &value); i++) {
        bool flag = cola_search_command.option[i].kind == COLA_OPTION_FLAG;
        if (cola_options_given(options, name) && n < room)
            n += (size_t)snprintf(text + n, room - n, " --%s%s%s", name, flag ? "" : " ", flag ? "" : value);
    }
}

static void describe_libraries(char *text, size_t room)
{
    unsigned major = 0, minor = 0, release = 0;
    if (H5get_libversion(&major, &minor, &release) < 0) major = 0;
    size_t n = (size_t)snprintf(text, room, "HDF5 %u.%u.%u", major, minor, release);
#ifdef COLA_MPI
    char mpi[128];
    cola_comm_mpi_version(mpi, sizeof mpi);
    snprintf(text + n, room - n, ", %s", mpi);
#else
    (void)n;
#endif
}

static void add_provenance(struct search_fields *f, const struct search_setup *s,
                           const struct cola_options *options)
{
    struct tm utc;
    time_t now = time(NULL);
    char *started = f->text[f->n_texts++];
    if (!gmtime_r(&now, &utc) || !strftime(started, sizeof f->text[0], "%Y-%m-%dT%H:%M:%SZ", &utc))
        snprintf(started, sizeof f->text[0], "unknown");
    if (gethostname(f->host, sizeof f->host - 1) != 0) snprintf(f->host, sizeof f->host, "unknown");
    if (s->shards) { /* so that a merge knows which other shards there are */
        char *shard = f->text[f->n_texts++];
        snprintf(shard, sizeof f->text[0], "%" PRIu64 "/%" PRIu64, s->shard, s->shards);
        add(f, COLA_FIELD_PROVENANCE, "shard", shard);
    }
    describe_command(options, f->command_line, sizeof f->command_line);
    describe_libraries(f->libraries, sizeof f->libraries);
    add(f, COLA_FIELD_PROVENANCE, "started", started);
    add(f, COLA_FIELD_PROVENANCE, "host", f->host);
    add(f, COLA_FIELD_PROVENANCE, "command_line", f->command_line);
    add(f, COLA_FIELD_PROVENANCE, "model_dir", s->model_dir);
    add(f, COLA_FIELD_PROVENANCE, "libraries", f->libraries);
}

enum cola_status cola_search_fields(const struct search_setup *setup, const struct cola_options *options,
                                    uint32_t first, uint32_t n, struct search_fields **out)
{
    struct search_fields *f;
    COLA_TRY(cola_alloc((void **)&f, 1, sizeof *f, "fields"));
    add_identity(f, setup, first, n);
    add_provenance(f, setup, options);
    *out = f;
    return COLA_OK;
}
