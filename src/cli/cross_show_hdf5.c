/* cross_show_hdf5.c - the page of a table: how it was made, the chains by the samples that they answer right,
 * and the menu. The table is read by rows; what is held is a bit a cell. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cross_menu.h"
#include "cli/cross_show.h"
#include "cli/show.h"
#include "cola/cross_record.h"
#include "cola/memory.h"

enum { MENU = 100, ROWS_BYTES = 8 << 20 };

struct summary {
    const struct cola_cross *cross;
    uint32_t n_samples, n_gold, n_chains;     /* n_gold: samples whose right answer is known */
    uint32_t *n_layers, *n_evaluated, *n_bad; /* [n_chains]; n_bad: not finite, or crashed */
    uint64_t n_all;
    struct cola_menu menu;
    const uint32_t *by_rank;
    uint32_t ranked[MENU], greedy[MENU], ranked_covered[MENU], greedy_covered[MENU], n_ranked, n_greedy;
};

static void fini(struct summary *s)
{
    cola_menu_fini(&s->menu);
    free(s->n_layers);
    free(s->n_evaluated);
    free(s->n_bad);
}

static void count_row(struct summary *s, uint32_t sample, const uint8_t *outcome, const uint8_t *right)
{
    for (uint32_t c = 0; c < s->n_chains; c++) {
        if (outcome[c] == COLA_CROSS_NOT_EVALUATED) continue;
        s->n_evaluated[c]++;
        s->n_all++;
        if (outcome[c] != COLA_OUTCOME_SCORED) s->n_bad[c]++;
        if (right[c]) cola_menu_set(&s->menu, sample, c);
    }
}

static enum cola_status count(struct summary *s)
{
    uint32_t most = ROWS_BYTES / s->n_chains + 1;
    uint8_t *outcome = NULL, *right = NULL;
    enum cola_status status = COLA_OK;
    if (most > s->n_samples) most = s->n_samples;
    COLA_TRY_DONE(cola_alloc((void **)&outcome, (size_t)most * s->n_chains, 1, "rows"));
    COLA_TRY_DONE(cola_alloc((void **)&right, (size_t)most * s->n_chains, 1, "rows"));
    for (uint32_t first = 0, n; first < s->n_samples; first += n) {
        n = s->n_samples - first < most ? s->n_samples - first : most;
        COLA_TRY_DONE(cola_cross_rows(s->cross, first, n, outcome, right, NULL));
        for (uint32_t i = 0; i < n; i++)
            count_row(s, first + i, outcome + (size_t)i * s->n_chains, right + (size_t)i * s->n_chains);
    }
done:
    free(outcome);
    free(right);
    return status;
}

static enum cola_status summarise(const struct cola_cross *cross, struct summary *s)
{
    const struct cola_chain_set *chains = cola_cross_chains(cross);
    *s = (struct summary){.cross = cross, .n_samples = cola_cross_n_samples(cross), .n_chains = chains->n};
    for (uint32_t i = 0; i < s->n_samples; i++) s->n_gold += cola_cross_gold(cross)[i] >= 0;
    COLA_TRY(cola_alloc((void **)&s->n_layers, s->n_chains, sizeof *s->n_layers, "chains"));
    COLA_TRY(cola_alloc((void **)&s->n_evaluated, s->n_chains, sizeof *s->n_evaluated, "chains"));
    COLA_TRY(cola_alloc((void **)&s->n_bad, s->n_chains, sizeof *s->n_bad, "chains"));
    for (uint32_t i = 0; i < s->n_chains; i++) s->n_layers[i] = cola_chain_set_get(chains, i).n_layers;
    COLA_TRY(cola_menu_init(&s->menu, s->n_samples, s->n_chains, s->n_layers));
    COLA_TRY(count(s));
    COLA_TRY(cola_menu_rank(&s->menu, &s->by_rank));
    COLA_TRY(cola_menu_ranked(&s->menu, MENU, s->ranked, s->ranked_covered, &s->n_ranked));
    return cola_menu_greedy(&s->menu, MENU, s->greedy, s->greedy_covered, &s->n_greedy);
}

/* --- page --------------------------------------------------------------------------------------------- */

static char *chain_text(const struct summary *s, uint32_t i)
{
    struct cola_chain chain = cola_chain_set_get(cola_cross_chains(s->cross), i);
    return cola_show_chain(&chain);
}

static double percent(uint32_t k, uint32_t n)
{
    return n ? 100.0 * k / n : 0;
}

static void print_head(const struct summary *s, const char *path)
{
    static const char *const keys[] = {
        "task", "score", "metric", "model_dir", "model_fingerprint", "numerics_id", "chains_from", "created"};
    printf("%s: %u chains on %u samples, %llu of %llu evaluations%s\n", path, s->n_chains, s->n_samples,
           (unsigned long long)s->n_all, (unsigned long long)s->n_samples * s->n_chains,
           cola_cross_complete(s->cross) ? "" : "; not complete");
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const char *value = cola_cross_attribute(s->cross, keys[i]);
        char *shown = value ? cola_show_text((struct cola_text){value, strlen(value)}, true) : NULL;
        if (shown) printf("  %-18s %s\n", keys[i], shown);
        free(shown);
    }
}

static enum cola_status print_chains(const struct summary *s, uint64_t limit)
{
    printf("\nchains, by the samples that they answer right (of %u whose answer is known)\n", s->n_gold);
    printf("  %8s  %7s  %16s  %6s  %10s  %s\n", "right", "share", "95 % interval", "layers", "not scored",
           "chain");
    for (uint32_t k = 0; k < s->n_chains && k < limit; k++) {
        uint32_t i = s->by_rank[k], n = s->menu.n_right[i];
        double low = 0, high = 0;
        char *text = chain_text(s, i);
        if (!text) return cola_fail(COLA_ERR_MEMORY, "out of memory");
        if (s->n_gold) cola_show_wilson((struct cola_show_share){n, s->n_gold}, &low, &high);
        printf("  %8u  %5.1f %%  %5.1f .. %5.1f %%  %6u  %10u  %s\n", n, percent(n, s->n_gold), 100 * low,
               100 * high, s->n_layers[i], s->n_bad[i], text);
        free(text);
    }
    if (s->n_chains > limit) printf("  ... and %llu more\n", (unsigned long long)(s->n_chains - limit));
    return COLA_OK;
}

static enum cola_status print_menu(const struct summary *s, uint64_t limit)
{
    printf("\nmenu: samples for which one of K chains is right; chosen on the samples that it is measured "
           "on,\nso it flatters itself\n");
    printf("  %4s  %16s  %16s  %s\n", "K", "most right", "greedy", "chain that greedy adds");
    uint32_t n = s->n_ranked > s->n_greedy ? s->n_ranked : s->n_greedy;
    for (uint32_t k = 0; k < n && k < limit; k++) {
        uint32_t r = s->ranked_covered[k < s->n_ranked ? k : s->n_ranked - 1], g = 0;
        if (s->n_greedy) g = s->greedy_covered[k < s->n_greedy ? k : s->n_greedy - 1];
        char *text = k < s->n_greedy ? chain_text(s, s->greedy[k]) : strdup("(none adds a sample)");
        if (!text) return cola_fail(COLA_ERR_MEMORY, "out of memory");
        printf("  %4u  %7u %5.1f %%  %7u %5.1f %%  %s\n", k + 1, r, percent(r, s->n_gold), g,
               percent(g, s->n_gold), text);
        free(text);
    }
    return COLA_OK;
}

static enum cola_status print_page(const struct summary *s, const char *path, uint64_t limit)
{
    print_head(s, path);
    COLA_TRY(print_chains(s, limit));
    return print_menu(s, limit);
}

/* --- JSON --------------------------------------------------------------------------------------------- */

static json_t *json_attributes(const struct summary *s)
{
    json_t *out = json_object();
    const struct cola_field *field;
    for (uint32_t i = 0; (field = cola_cross_field(s->cross, i)); i++) {
        char *shown = cola_show_text((struct cola_text){field->value, strlen(field->value)}, false);
        json_object_set_new(out, field->key, shown ? json_string(shown) : json_null());
        free(shown);
    }
    return out;
}

static json_t *json_chains(const struct summary *s)
{
    json_t *out = json_array();
    for (uint32_t k = 0; k < s->n_chains; k++) {
        uint32_t i = s->by_rank[k];
        char *text = chain_text(s, i);
        json_array_append_new(out,
                              json_pack("{s:s, s:i, s:i, s:i, s:i}", "chain", text ? text : "", "layers",
                                        (int)s->n_layers[i], "right", (int)s->menu.n_right[i], "evaluated",
                                        (int)s->n_evaluated[i], "not_scored", (int)s->n_bad[i]));
        free(text);
    }
    return out;
}

static json_t *json_menu(const struct summary *s, const uint32_t *chosen, const uint32_t *covered, uint32_t n)
{
    json_t *out = json_array();
    for (uint32_t k = 0; k < n; k++) {
        char *text = chain_text(s, chosen[k]);
        json_array_append_new(out, json_pack("{s:i, s:s, s:i}", "k", (int)k + 1, "chain", text ? text : "",
                                             "covered", (int)covered[k]));
        free(text);
    }
    return out;
}

static enum cola_status print_json(const struct summary *s)
{
    json_t *page =
        json_pack("{s:o, s:b, s:I, s:I, s:I, s:I, s:o, s:{s:o, s:o}}", "attributes", json_attributes(s),
                  "complete", (int)cola_cross_complete(s->cross), "samples", (json_int_t)s->n_samples,
                  "with_gold", (json_int_t)s->n_gold, "chains", (json_int_t)s->n_chains, "evaluations",
                  (json_int_t)s->n_all, "by_right", json_chains(s), "menu", "most_right",
                  json_menu(s, s->ranked, s->ranked_covered, s->n_ranked), "greedy",
                  json_menu(s, s->greedy, s->greedy_covered, s->n_greedy));
    if (!page) return cola_fail(COLA_ERR_MEMORY, "out of memory");
    int failed = json_dumpf(page, stdout, JSON_INDENT(1));
    json_decref(page);
    if (failed) return cola_fail(COLA_ERR_IO, "stdout: cannot be written");
    putchar('\n');
    return COLA_OK;
}

enum cola_status cola_cross_show(const char *path, uint64_t limit, bool json, bool digest)
{
    struct cola_cross *cross;
    struct summary s = {0};
    char text[COLA_HASH_TEXT];
    COLA_TRY(cola_cross_open(path, &cross));
    enum cola_status status;
    if (digest) {
        status = cola_cross_digest(cross, text);
        if (status == COLA_OK) puts(text);
    } else {
        status = summarise(cross, &s);
        if (status == COLA_OK) status = json ? print_json(&s) : print_page(&s, path, limit);
    }
    fini(&s);
    cola_cross_close(cross);
    if (status == COLA_OK && fflush(stdout) != 0)
        status = cola_fail(COLA_ERR_IO, "stdout: cannot be written");
    return status;
}
