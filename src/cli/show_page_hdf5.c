/* show_page_hdf5.c - a run as a page for people: provenance, shares with counts and intervals, the first
 * samples. Shares count finished samples only, and the page says beside them what chance does. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/show.h"

static enum cola_status out_of_memory(void)
{
    return cola_fail(COLA_ERR_MEMORY, "show: out of memory");
}

static enum cola_status print_fields(const struct cola_run *run, enum cola_field_role role, const char *title,
                                     FILE *to)
{
    const struct cola_field *field;
    fprintf(to, "\n%s\n", title);
    for (uint32_t i = 0; (field = cola_run_field(run, i)); i++) {
        if (field->role != role) continue;
        char *value = cola_show_text((struct cola_text){field->value, strlen(field->value)}, true);
        if (!value) return out_of_memory();
        fprintf(to, "  %-22s %s\n", field->key, value);
        free(value);
    }
    return COLA_OK;
}

static void print_share(const char *what, struct cola_show_share share, FILE *to)
{
    double low, high;
    if (share.n == 0) {
        fprintf(to, "  %-58s none to count\n", what);
        return;
    }
    cola_show_wilson(share, &low, &high);
    fprintf(to, "  %-58s %5" PRIu64 " of %-5" PRIu64 " %5.1f %%  (%.1f .. %.1f)\n", what, share.k, share.n,
            100.0 * (double)share.k / (double)share.n, 100 * low, 100 * high);
}

static const char *caution(const struct cola_run *run)
{
    const char *control = cola_run_attribute(run, "control");
    bool wrong = control && strcmp(control, "wrong-answer") == 0, by_row = cola_run_by_row(run);
    if (wrong && by_row)
        return "This is a control: the target is another sample's answer. What it finds, chance finds.";
    if (wrong)
        return "This is a control: the target is a wrong answer drawn at random. What it finds, chance "
               "finds.";
    return by_row
               ? "Many chains find a target by chance too: compare with --control wrong-answer."
               : "Many chains and few choices find a target by chance: compare with --control wrong-answer.";
}

static void print_summary(const struct cola_run *run, const struct cola_show_summary *s, FILE *to)
{
    fprintf(to, "\nfound, over %u finished samples (95 %% intervals after Wilson)\n", s->n_finished);
    print_share("the base chain is right", s->base_right, to);
    print_share("some chain gives the target", s->hit, to);
    print_share("base gives the target: a shorter chain does too", s->shorter, to);
    print_share("base misses the target: some chain gives it", s->found, to);
    if (s->hit.k)
        fprintf(to, "  %-58s %7.1f of %" PRIu64 " layers\n",
                "mean length of the shortest chain that gives the target", s->mean_shortest,
                s->n_layers_base);
    fprintf(to, "  %s\n", caution(run));
}

static enum cola_status print_sample_line(const struct cola_run *run, uint32_t i, FILE *to)
{
    struct cola_run_sample sample;
    struct cola_show_found found;
    cola_run_sample(run, i, &sample);
    cola_show_find(run, &sample, &found);
    char *id = cola_show_text(sample.id, true), *shortest = NULL;
    if (found.shortest) {
        struct cola_run_chain chain;
        cola_run_chain(run, found.shortest_row, &chain);
        shortest = cola_show_chain(&chain.node.chain);
    }
    if (!id || (found.shortest && !shortest)) {
        free(id);
        free(shortest);
        return out_of_memory();
    }
    fprintf(to, "  %6u  %-24.60s %4d %6d %4d  %6" PRIu64 " %5" PRIu64 "  %-3s  ", sample.index, id,
            sample.gold, sample.target, found.base_prediction, sample.n_chains, found.n_hits,
            sample.finished ? "yes" : "no");
    if (found.shortest)
        fprintf(to, "%u: %.100s\n", found.shortest, shortest);
    else
        fputs("-\n", to);
    free(id);
    free(shortest);
    return COLA_OK;
}

/* A journal that cannot be read is no reason to hide the run. */
static void print_journal(const struct cola_run *run, const char *path, FILE *to)
{
    struct cola_show_beyond b;
    if (cola_show_beyond(run, path, &b) != COLA_OK)
        fprintf(to, "journal: %s\n", cola_error_text());
    else if (b.there)
        fprintf(to, "journal: %" PRIu64 " evaluations, %" PRIu64 " of them beyond this file; %s\n", b.n_all,
                b.n_evaluated, b.locked ? "a search writes it now (--follow)" : "nobody writes it");
}

enum cola_status cola_show_page(const struct cola_run *run, const char *path, uint64_t limit, FILE *to)
{
    struct cola_show_summary s;
    cola_show_summarise(run, &s);
    fprintf(to,
            "%s: %u samples, %u begun, %u finished (%s), %" PRIu64 " chains\ncontent digest %s (stored)\n",
            path, s.n_samples, s.n_begun, s.n_finished,
            strcmp(cola_run_attribute(run, "complete"), "1") == 0 ? "complete" : "not complete", s.n_chains,
            cola_run_attribute(run, "content_digest"));
    print_journal(run, path, to);
    print_summary(run, &s, to);
    COLA_TRY(print_fields(run, COLA_FIELD_IDENTITY, "what decides the labels", to));
    COLA_TRY(print_fields(run, COLA_FIELD_GROWS, "what a resumed run may raise", to));
    COLA_TRY(print_fields(run, COLA_FIELD_PROVENANCE, "how it was made", to));
    COLA_TRY(cola_show_timing(run, limit, to));
    uint32_t n = s.n_samples < limit ? s.n_samples : (uint32_t)limit;
    if (n == 0) return COLA_OK;
    fprintf(to, "\n  %6s  %-24s %4s %6s %4s  %6s %5s  %-3s  %s\n", "sample", "id", "gold", "target", "base",
            "chains", "hits", "end", "shortest hit: layers, chain");
    for (uint32_t i = 0; i < n; i++) COLA_TRY(print_sample_line(run, i, to));
    if (n < s.n_samples) fprintf(to, "  ... %u more (--limit)\n", s.n_samples - n);
    return COLA_OK;
}
