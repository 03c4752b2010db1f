/* make_tasks.c - make_tasks OUT.h5 RULE SAMPLES VOCABULARY SEED: a small task file for the scripts beside.
 * RULE generate-letter and generate-number: generate with that grader. */
#include "mpi/tasks_file.h"

int main(int argc, char **argv)
{
    if (argc != 6) {
        fprintf(stderr, "usage: make_tasks OUT.h5 letter|loglik|generate-letter|generate-number SAMPLES "
                        "VOCABULARY SEED\n");
        return 2;
    }
    const char *dash = strchr(argv[2], '-');
    struct tasks_file t = {.rule = dash ? "generate" : argv[2],
                           .grader = dash ? dash + 1 : NULL,
                           .most_tokens = 6,
                           .n_samples = (uint32_t)strtoul(argv[3], NULL, 10),
                           .n_candidates = 4,
                           .n_vocab = (uint32_t)strtoul(argv[4], NULL, 10),
                           .prompt_tokens = 24,
                           .seed = strtoull(argv[5], NULL, 10),
                           .no_gold_at = -1,
                           .big_token_at = -1};
    if (tasks_is_number(&t)) t.n_candidates = 1;
    if (t.n_samples == 0 || t.n_vocab == 0 || tasks_file_write(argv[1], &t) != 0) {
        fprintf(stderr, "make_tasks: cannot write %s\n", argv[1]);
        return 1;
    }
    return 0;
}
