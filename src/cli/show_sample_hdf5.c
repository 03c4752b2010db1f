/* show_sample_hdf5.c - one sample as a page for people: question, choices with gold and target marked, the
 * base chain's prediction, the Pareto front and the best chains with their edits, visits and scores. */
#include <inttypes.h>
#include <stdlib.h>

#include "cli/show.h"

static enum cola_status print_text(const char *before, struct cola_text text, const char *after, FILE *to)
{
    char *shown = cola_show_text(text, true);
    if (!shown) return cola_fail(COLA_ERR_MEMORY, "show: out of memory");
    fprintf(to, "%s%s%s", before, shown, after);
    free(shown);
    return COLA_OK;
}

static enum cola_status print_choices(const struct cola_run *run, uint32_t i,
                                      const struct cola_run_sample *sample, int32_t base, FILE *to)
{
    for (uint32_t c = 0; c < sample->n_candidates; c++) {
        bool gold = (int32_t)c == sample->gold, target = (int32_t)c == sample->target;
        fprintf(to, "  %2u ", c);
        COLA_TRY(print_text("", cola_run_label(run, i, c), ". ", to));
        COLA_TRY(print_text("", cola_run_choice(run, i, c), "", to));
        fprintf(to, "%s%s%s\n", gold ? "  [gold]" : "", target && !gold ? "  [target]" : "",
                (int32_t)c == base ? "  [base chain]" : "");
    }
    return COLA_OK;
}

/* Answers without choices: the gold answer, and what a control looked for instead. */
static enum cola_status print_golds(const struct cola_run *run, uint32_t i,
                                    const struct cola_run_sample *sample, FILE *to)
{
    COLA_TRY(print_text("  right answer  ", cola_run_choice(run, i, 0), "\n", to));
    if (sample->target < 0 || sample->target == sample->gold) return COLA_OK;
    COLA_TRY(print_text("  target        ", sample->target_text, "", to));
    fprintf(to, "  [the right answer of row %d of tasks.h5]\n", sample->target);
    return COLA_OK;
}

/* Scores of the candidates, or verdict and answer. */
static enum cola_status print_outcome(const struct cola_run *run, const struct cola_run_sample *sample,
                                      const struct cola_run_chain *chain, FILE *to)
{
    if (cola_show_generated(run)) {
        char *answer = cola_show_answer(chain);
        if (!answer) return cola_fail(COLA_ERR_MEMORY, "show: out of memory");
        fprintf(to, "%-10s  %-12s", cola_show_verdict(sample, chain), answer);
        free(answer);
        return COLA_OK;
    }
    for (uint32_t i = 0; i < chain->n_scores && i < 8; i++) fprintf(to, "%9.3f", (double)chain->score[i]);
    fputs(chain->n_scores > 8 ? " .." : "", to);
    return COLA_OK;
}

static enum cola_status print_chain(const struct cola_run *run, const struct cola_run_sample *sample,
                                    uint64_t row, FILE *to)
{
    struct cola_run_chain chain;
    char edit[64];
    cola_run_chain(run, row, &chain);
    cola_edit_print(&chain.node.edit, edit, sizeof edit);
    char *text = cola_show_chain(&chain.node.chain);
    if (!text) return cola_fail(COLA_ERR_MEMORY, "show: out of memory");
    fprintf(to, "  %6u %6u %6u %6d  %-18s %6u  ", chain.node.chain.n_layers, chain.node.simulation,
            chain.node.depth, chain.node.prediction, edit, chain.node.n_visits);
    enum cola_status status = print_outcome(run, sample, &chain, to);
    if (status == COLA_OK) fprintf(to, "  %s\n", text);
    free(text);
    return status;
}

static enum cola_status print_chains(const struct cola_run *run, const struct cola_run_sample *sample,
                                     const uint64_t *row, uint64_t n, const char *title, FILE *to)
{
    fprintf(to, "\n%s\n  %6s %6s %6s %6s  %-18s %6s  %s, chain\n", title, "layers", "sim", "depth", "gives",
            "last edit", "visits",
            cola_show_generated(run) ? "worth to the search, answer" : "scores of the candidates");
    for (uint64_t i = 0; i < n; i++) COLA_TRY(print_chain(run, sample, row[i], to));
    if (n == 0) fputs("  none\n", to);
    return COLA_OK;
}

static enum cola_status print_base(const struct cola_run *run, const struct cola_run_sample *sample,
                                   const struct cola_show_found *found, FILE *to)
{
    fprintf(to, "\nthe base chain (%u layers) gives %d", found->base_layers, found->base_prediction);
    if (cola_show_generated(run)) {
        struct cola_run_chain base;
        cola_run_chain(run, sample->first_chain, &base);
        char *answer = cola_show_answer(&base);
        if (!answer) return cola_fail(COLA_ERR_MEMORY, "show: out of memory");
        fprintf(to, ", %s%s%s", cola_show_verdict(sample, &base), *answer ? ": " : "", answer);
        free(answer);
    }
    fprintf(to, "; %" PRIu64 " of %" PRIu64 " chains give the target %d\n", found->n_hits, sample->n_chains,
            sample->target);
    if (cola_run_by_row(run))
        fputs("(a target is a row of tasks.h5; -2 is an answer that is not the target's, -1 none)\n", to);
    return COLA_OK;
}

enum cola_status cola_show_sample_page(const struct cola_run *run, uint32_t i, uint64_t limit, FILE *to)
{
    struct cola_run_sample sample;
    struct cola_show_found found;
    uint64_t *row = NULL, n_front = 0, n = 0;
    cola_run_sample(run, i, &sample);
    cola_show_find(run, &sample, &found);
    COLA_TRY(print_text("sample ", sample.id, "", to));
    fprintf(to, " (row %u of tasks.h5), %s, %u simulations, %" PRIu64 " chains\n", sample.index,
            sample.finished       ? "finished"
            : sample.n_chains > 0 ? "not finished"
                                  : "not begun",
            sample.n_simulations, sample.n_chains);
    COLA_TRY(print_text("\n", sample.question, "\n", to));
    COLA_TRY(cola_run_by_row(run) ? print_golds(run, i, &sample, to)
                                  : print_choices(run, i, &sample, found.base_prediction, to));
    if (sample.n_chains == 0) return COLA_OK;
    COLA_TRY(print_base(run, &sample, &found, to));
    COLA_TRY(cola_show_rows(run, &sample, limit, &row, &n_front, &n));
    enum cola_status status =
        print_chains(run, &sample, row, n_front, "Pareto front of reward and length", to);
    if (status == COLA_OK)
        status = print_chains(run, &sample, row + n_front, n - n_front,
                              "other chains that give the target, shortest first", to);
    free(row);
    return status;
}
