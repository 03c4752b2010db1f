/* simulate_workers.c - where do more workers stop helping? Searches over 1 .. 4,096 workers in simulated
 * time, for several widths of exact speculation: workers.h is the simulation, landscape.h says which chains
 * are right.
 *
 *     simulate_workers [options]        a table: workers x --speculate -> useful evaluations/s, efficiency
 *     simulate_workers --rows           one row a pair, with all figures
 *
 * Efficiency is what the workers would do if they never waited, and no evaluation was in vain, over what they
 * do. The knee of a width is the largest number of workers up to which efficiency stays at least one half. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cola/options.h"
#include "tools/landscape.h"
#include "tools/workers.h"

enum { MOST_NUMBERS = 32, MOST_WORKERS = 1000000 };

static const struct cola_option table[] = {
    {"workers", COLA_OPTION_TEXT, "N,N,..", "1,2,4,8,16,32,64,128,256,512,1024,2048,4096", 0, 0, NULL,
     "numbers of workers"},
    {"speculate", COLA_OPTION_TEXT, "W,W,..", "1,4,16", 0, 0, NULL, "chains of one sample out at once"},
    {"samples", COLA_OPTION_UINT, "N", "570", 1, 10000000, NULL,
     "searches (570: ARC-Easy's validation part)"},
    {"preset", COLA_OPTION_CHOICE, NULL, "cola", 0, 0, cola_search_presets, "of the search"},
    {"simulations", COLA_OPTION_UINT, "N", "200", 1, 1000000, NULL, "of a sample"},
    {"layers", COLA_OPTION_UINT, "L", "30", 1, 4096, NULL, "of the model"},
    {"seed", COLA_OPTION_UINT, "N", "0", 0, 1e18, NULL, "of searches, rewards and times"},
    {"landscape", COLA_OPTION_CHOICE, NULL, "layers", 0, 0, "layers|synthetic",
     "which chains are right: by --right and --alike, or as cola search --evaluator synthetic has it"},
    {"optima", COLA_OPTION_REAL, "P", "0.3", 0, 1, NULL,
     "landscape synthetic: share of the samples with a planted chain"},
    {"right", COLA_OPTION_REAL, "P", "0.3", 0, 1, NULL,
     "landscape layers: share of the chains that are right"},
    {"alike", COLA_OPTION_REAL, "A", "0.9", 0, 1, NULL,
     "landscape layers: how much of a chain's reward its layers tell; 0: nothing"},
    {"latency-ms", COLA_OPTION_REAL, "MS", "40", 1e-3, 1e9, NULL, "mean time of an evaluation"},
    {"latency-spread", COLA_OPTION_REAL, "S", "0.3", 0, 10, NULL,
     "its standard deviation over its mean (log-normal)"},
    {"parallel", COLA_OPTION_UINT, "N", "1", 1, 100000, NULL,
     "evaluations that a worker makes at once; its credit is N + 1 + N / 8"},
    {"message-us", COLA_OPTION_REAL, "US", "500", 0, 1e9, NULL,
     "a message, one way, the receiver's sleep included"},
    {"master-us", COLA_OPTION_REAL, "US", "12", 0, 1e9, NULL, "of the master, an evaluation"},
    {"rows", COLA_OPTION_FLAG, NULL, NULL, 0, 0, NULL,
     "one row a pair of workers and width, with all figures"},
};

static const struct cola_command command = {
    .name = "simulate_workers",
    .usage = "[options]",
    .about =
        "Searches over many workers in simulated time, without a model: where adding workers stops helping.",
    .option = table,
    .n_options = sizeof table / sizeof *table,
};

struct numbers {
    uint32_t value[MOST_NUMBERS];
    uint32_t n;
};

/* "1,2,4" */
static enum cola_status parse_numbers(const char *name, const char *text, uint32_t most, struct numbers *out)
{
    *out = (struct numbers){.n = 0};
    for (const char *at = text;; at++) {
        char *end;
        unsigned long value = *at >= '0' && *at <= '9' ? strtoul(at, &end, 10) : 0;
        if (value < 1 || value > most)
            return cola_fail(COLA_ERR_USAGE, "--%s %s: expected numbers of 1 to %u with commas between", name,
                             text, most);
        if (out->n == MOST_NUMBERS)
            return cola_fail(COLA_ERR_USAGE, "--%s: at most %d numbers", name, MOST_NUMBERS);
        out->value[out->n++] = (uint32_t)value;
        at = end;
        if (*at == '\0') return COLA_OK;
        if (*at != ',')
            return cola_fail(COLA_ERR_USAGE, "--%s %s: expected a comma before \"%s\"", name, text, at);
    }
}

struct run { /* one set of options */
    struct workers_options options;
    struct landscape landscape;
    struct numbers workers, widths;
    struct workers_outcome outcome[MOST_NUMBERS][MOST_NUMBERS]; /* by workers, width */
};

static enum cola_status set_up(const struct cola_options *o, struct run *run)
{
    struct workers_options *w = &run->options;
    COLA_TRY(parse_numbers("workers", cola_options_string(o, "workers"), MOST_WORKERS, &run->workers));
    COLA_TRY(
        parse_numbers("speculate", cola_options_string(o, "speculate"), COLA_SPECULATE_MAX, &run->widths));
    COLA_TRY(cola_search_preset(cola_options_string(o, "preset"), &w->search));
    w->search.n_simulations = (uint32_t)cola_options_uint(o, "simulations");
    w->search.seed = cola_options_uint(o, "seed");
    w->n_model_layers = (uint32_t)cola_options_uint(o, "layers");
    w->n_samples = (uint32_t)cola_options_uint(o, "samples");
    w->parallel = (uint32_t)cola_options_uint(o, "parallel");
    w->credit = workers_credit(w->parallel);
    w->message_s = cola_options_real(o, "message-us") * 1e-6;
    w->master_s = cola_options_real(o, "master-us") * 1e-6;
    w->evaluate = landscape_evaluate;
    w->evaluate_user = &run->landscape;
    run->landscape.synthetic = (struct cola_synthetic){.seed = w->search.seed,
                                                       .n_layers = w->n_model_layers,
                                                       .optima = cola_options_real(o, "optima"),
                                                       .latency_s = cola_options_real(o, "latency-ms") * 1e-3,
                                                       .spread = cola_options_real(o, "latency-spread")};
    if (strcmp(cola_options_string(o, "landscape"), "layers") == 0)
        return landscape_by_layers(&run->landscape, cola_options_real(o, "right"),
                                   cola_options_real(o, "alike"));
    return COLA_OK;
}

static enum cola_status simulate(struct run *run)
{
    for (uint32_t i = 0; i < run->workers.n; i++)
        for (uint32_t j = 0; j < run->widths.n; j++) {
            run->options.n_workers = run->workers.value[i];
            run->options.search.speculate = run->widths.value[j];
            COLA_TRY(workers_simulate(&run->options, &run->outcome[i][j]));
        }
    return COLA_OK;
}

static double rate(const struct workers_outcome *o)
{
    return (double)o->n_nodes / o->makespan_s;
}

/* Useful evaluations over what all places of all workers could have made in that time. */
static double efficiency(const struct run *run, uint32_t i, uint32_t j)
{
    const struct workers_outcome *o = &run->outcome[i][j];
    double mean_s = o->evaluating_s / (double)o->n_sent;
    return rate(o) * mean_s / ((double)run->workers.value[i] * run->options.parallel);
}

static void print_table(const struct run *run)
{
    printf("| workers |");
    for (uint32_t j = 0; j < run->widths.n; j++) printf(" W = %u |", run->widths.value[j]);
    printf("\n|---|");
    for (uint32_t j = 0; j < run->widths.n; j++) printf("---|");
    for (uint32_t i = 0; i < run->workers.n; i++) {
        printf("\n| %u |", run->workers.value[i]);
        for (uint32_t j = 0; j < run->widths.n; j++)
            printf(" %.0f (%.0f %%) |", rate(&run->outcome[i][j]), 100 * efficiency(run, i, j));
    }
    printf("\n| knee |");
    for (uint32_t j = 0; j < run->widths.n; j++) {
        uint32_t n = 0;
        while (n < run->workers.n && efficiency(run, n, j) >= 0.5) n++;
        if (n)
            printf(" %s%u |", n == run->workers.n ? "at least " : "", run->workers.value[n - 1]);
        else
            printf(" below %u |", run->workers.value[0]);
    }
    printf("\n");
}

static void print_rows(const struct run *run)
{
    printf("| workers | W | useful evaluations | seconds | evaluations/s | efficiency | in vain | guesses "
           "right | moved | "
           "workers busy | master busy |\n|---|---|---|---|---|---|---|---|---|---|---|\n");
    for (uint32_t i = 0; i < run->workers.n; i++)
        for (uint32_t j = 0; j < run->widths.n; j++) {
            const struct workers_outcome *o = &run->outcome[i][j];
            double sent = (double)o->n_sent;
            double places = (double)run->workers.value[i] * run->options.parallel;
            printf("| %u | %u | %llu | %.4g | %.4g | %.1f %% | %.1f %% | %.1f %% | %.1f %% | %.1f %% | %.1f "
                   "%% |\n",
                   run->workers.value[i], run->widths.value[j], (unsigned long long)o->n_nodes, o->makespan_s,
                   rate(o), 100 * efficiency(run, i, j), 100 * (sent - (double)o->n_nodes) / sent,
                   100 * (double)o->n_like_parent / (double)o->n_nodes, 100 * (double)o->n_moves / sent,
                   100 * o->evaluating_s / (places * o->makespan_s), 100 * o->master_busy_s / o->makespan_s);
        }
}

int main(int argc, char **argv)
{
    static struct run run;
    struct cola_options *o = NULL;
    enum cola_status status = cola_options_parse(&command, argc, argv, &o);
    bool help = status == COLA_OK && cola_options_help(o);
    if (help) cola_options_print_help(&command, stdout);
    if (status == COLA_OK && !help) status = set_up(o, &run);
    if (status == COLA_OK && !help) status = simulate(&run);
    if (status != COLA_OK)
        fprintf(stderr, "simulate_workers: %s\n", cola_error_text());
    else if (!help && cola_options_flag(o, "rows"))
        print_rows(&run);
    else if (!help)
        print_table(&run);
    cola_options_destroy(o);
    return status == COLA_OK ? 0 : status == COLA_ERR_USAGE ? 2 : 1;
}
