/* show_json_hdf5.c - the pages of show as JSON: the same numbers, unrounded; NaN as null; shares as counts.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/show.h"

static json_t *json_text(struct cola_text text)
{
    char *shown = cola_show_text(text, false);
    json_t *out = shown ? json_stringn(shown, strlen(shown)) : NULL;
    free(shown);
    return out;
}

static json_t *json_number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *json_share(struct cola_show_share share)
{
    double low = 0, high = 0;
    if (share.n) cola_show_wilson(share, &low, &high);
    return json_pack("{s:I, s:I, s:o, s:o}", "count", (json_int_t)share.k, "of", (json_int_t)share.n, "low",
                     share.n ? json_real(low) : json_null(), "high", share.n ? json_real(high) : json_null());
}

/* Under generate: what was answered, and what it was worth to the search. */
static int add_answer(const struct cola_run *run, const struct cola_run_sample *sample, uint64_t row,
                      const struct cola_run_chain *chain, json_t *out)
{
    struct cola_result result;
    if (!cola_show_generated(run)) return 0;
    cola_run_result(run, row, &result);
    json_t *tokens = json_array();
    for (uint32_t i = 0; i < result.n_tokens; i++)
        json_array_append_new(tokens, json_integer(result.token[i]));
    return json_object_set_new(out, "verdict", json_string(cola_show_verdict(sample, chain))) |
           json_object_set_new(out, "answer", json_text(chain->answer)) |
           json_object_set_new(out, "tokens", tokens);
}

static json_t *json_chain(const struct cola_run *run, const struct cola_run_sample *sample, uint64_t row)
{
    static const char *const outcome[] = {"scored", "non-finite", "crashed"};
    struct cola_run_chain chain;
    char edit[64];
    cola_run_chain(run, row, &chain);
    cola_edit_print(&chain.node.edit, edit, sizeof edit);
    char *text = cola_show_chain(&chain.node.chain);
    json_t *scores = json_array();
    for (uint32_t i = 0; i < chain.n_scores; i++)
        json_array_append_new(scores, json_number((double)chain.score[i]));
    json_t *out =
        json_pack("{s:s?, s:i, s:s, s:i, s:i, s:i, s:i, s:o, s:o, s:i, s:s, s:b, s:o}", "chain", text,
                  "layers", (int)chain.node.chain.n_layers, "edit", edit, "parent", chain.node.parent,
                  "depth", (int)chain.node.depth, "simulation", (int)chain.node.simulation, "visits",
                  (int)chain.node.n_visits, "total_reward", json_number(chain.node.total_reward), "reward",
                  json_number((double)chain.node.reward), "prediction", chain.node.prediction, "outcome",
                  outcome[chain.outcome], "on_front", chain.on_front, "scores", scores);
    free(text);
    if (out && add_answer(run, sample, row, &chain, out)) {
        json_decref(out);
        return NULL;
    }
    return out;
}

static json_t *json_sample(const struct cola_run *run, uint32_t i)
{
    struct cola_run_sample sample;
    struct cola_show_found found;
    cola_run_sample(run, i, &sample);
    cola_show_find(run, &sample, &found);
    json_t *shortest = found.shortest ? json_chain(run, &sample, found.shortest_row) : json_null();
    return json_pack("{s:i, s:o, s:i, s:i, s:o, s:b, s:i, s:I, s:I, s:i, s:o}", "sample", (int)sample.index,
                     "id", json_text(sample.id), "gold", sample.gold, "target", sample.target, "target_text",
                     json_text(sample.target_text), "finished", sample.finished, "n_simulations",
                     (int)sample.n_simulations, "n_chains", (json_int_t)sample.n_chains, "n_hits",
                     (json_int_t)found.n_hits, "base_prediction", found.base_prediction, "shortest_hit",
                     shortest);
}

static json_t *json_attributes(const struct cola_run *run)
{
    const struct cola_field *field;
    json_t *out = json_object();
    for (uint32_t i = 0; (field = cola_run_field(run, i)); i++)
        json_object_set_new(out, field->key,
                            json_text((struct cola_text){field->value, strlen(field->value)}));
    return out;
}

static enum cola_status give(json_t *page, json_t **out)
{
    if (!page) return cola_fail(COLA_ERR_MEMORY, "show: out of memory for JSON");
    *out = page;
    return COLA_OK;
}

static json_t *json_journal(const struct cola_run *run, const char *path)
{
    struct cola_show_beyond b;
    if (cola_show_beyond(run, path, &b) != COLA_OK) return json_pack("{s:s}", "error", cola_error_text());
    if (!b.there) return json_null();
    return json_pack("{s:I, s:I, s:b}", "evaluations", (json_int_t)b.n_all, "beyond_this_file",
                     (json_int_t)b.n_evaluated, "written_now", b.locked);
}

enum cola_status cola_show_json(const struct cola_run *run, const char *path, uint64_t limit, json_t **out)
{
    struct cola_show_summary s;
    cola_show_summarise(run, &s);
    json_t *samples = json_array();
    for (uint32_t i = 0; i < s.n_samples && i < limit; i++)
        json_array_append_new(samples, json_sample(run, i));
    json_t *page = json_pack(
        "{s:o, s:s, s:b, s:s, s:i, s:i, s:i, s:I, s:I, s:{s:o, s:o, s:o, s:o, s:o}, s:o, s:o, s:o, s:o}",
        "file", json_text((struct cola_text){path, strlen(path)}), "content_digest",
        cola_run_attribute(run, "content_digest"), "complete",
        strcmp(cola_run_attribute(run, "complete"), "1") == 0, "targets",
        cola_run_by_row(run) ? "rows" : "candidates", "n_samples", (int)s.n_samples, "n_begun",
        (int)s.n_begun, "n_finished", (int)s.n_finished, "n_chains", (json_int_t)s.n_chains, "n_layers_base",
        (json_int_t)s.n_layers_base, "finished_samples", "base_right", json_share(s.base_right),
        "target_found", json_share(s.hit), "base_hits_and_shorter_too", json_share(s.shorter),
        "base_misses_and_found", json_share(s.found), "mean_shortest_hit",
        s.hit.k ? json_real(s.mean_shortest) : json_null(), "attributes", json_attributes(run), "timing",
        cola_show_timing_json(run), "samples", samples, "journal", json_journal(run, path));
    return give(page, out);
}

/* Without choices the only one is the right answer, and the target if that is this sample's. */
static json_t *json_choices(const struct cola_run *run, uint32_t i, const struct cola_run_sample *sample)
{
    json_t *out = json_array();
    bool by_row = cola_run_by_row(run);
    for (uint32_t c = 0; c < sample->n_candidates; c++) {
        int32_t number = by_row ? sample->gold : (int32_t)c;
        json_array_append_new(out,
                              json_pack("{s:o, s:o, s:b, s:b}", "label", json_text(cola_run_label(run, i, c)),
                                        "text", json_text(cola_run_choice(run, i, c)), "gold",
                                        number == sample->gold, "target", number == sample->target));
    }
    return out;
}

enum cola_status cola_show_sample_json(const struct cola_run *run, uint32_t i, uint64_t limit, json_t **out)
{
    struct cola_run_sample sample;
    uint64_t *row = NULL, n_front = 0, n = 0;
    cola_run_sample(run, i, &sample);
    COLA_TRY(cola_show_rows(run, &sample, limit, &row, &n_front, &n));
    json_t *front = json_array(), *others = json_array();
    for (uint64_t k = 0; k < n; k++)
        json_array_append_new(k < n_front ? front : others, json_chain(run, &sample, row[k]));
    free(row);
    json_t *page = json_sample(run, i);
    int failed =
        !page || json_object_set_new(page, "question", json_text(sample.question)) ||
        json_object_set_new(page, "choices", json_choices(run, i, &sample)) ||
        json_object_set_new(page, "base",
                            sample.n_chains ? json_chain(run, &sample, sample.first_chain) : json_null());
    failed |= json_object_set_new(page, "front", front);
    failed |= json_object_set_new(page, "other_hits", others);
    if (failed) {
        json_decref(page);
        page = NULL;
    }
    return give(page, out);
}
