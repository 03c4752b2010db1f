/* show_answer_hdf5.c - what `cola show` says of generated answers: the answer that the grader found and what
 * it was worth to the search. The text around it is in no run.h5: only the tokens are. */
#include <stdlib.h>
#include <string.h>

#include "cli/show.h"
#include "cola/judge.h"

enum { ANSWER_BYTES = 48 }; /* shown on a line of a table */

bool cola_show_generated(const struct cola_run *run)
{
    const char *score = cola_run_attribute(run, "score");
    return score && strcmp(score, cola_score_rule_name[COLA_SCORE_GENERATE]) == 0;
}

const char *cola_show_verdict(const struct cola_run_sample *sample, const struct cola_run_chain *chain)
{
    if (chain->outcome == COLA_OUTCOME_NON_FINITE) return "not finite";
    if (chain->outcome == COLA_OUTCOME_CRASHED) return "crashed";
    if (chain->node.prediction == COLA_PREDICTION_NONE) return "unparsed";
    bool control = sample->target != sample->gold, hit = chain->node.prediction == sample->target;
    return control ? hit ? "target" : "other" : hit ? "right" : "wrong";
}

/* A character that the cut goes through is shown as the bytes that are left of it. */
char *cola_show_answer(const struct cola_run_chain *chain)
{
    struct cola_text answer = chain->answer;
    bool cut = answer.n_bytes > ANSWER_BYTES;
    if (cut) answer.n_bytes = ANSWER_BYTES;
    char *shown = cola_show_text(answer, true), *out = NULL;
    if (shown && asprintf(&out, "%s%s", shown, cut ? " .." : "") < 0) out = NULL;
    free(shown);
    return out;
}
