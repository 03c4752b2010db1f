/* report.c - what people see of a search: the progress line and, at the end, the summary. Shares come with
 * their counts. Decides nothing. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "cluster/master.h"
#include "cola/clock.h"
#include "cola/judge.h"
#include "cola/log.h"

void cola_report_line(struct cola_master *m, const char *format, ...)
{
    char text[1024];
    va_list args;
    if (m->options->quiet) return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    cola_progress_clear(&m->progress);
    cola_log(COLA_LOG_INFO, "%s", text);
}

/* Seconds left if every simulation that is left takes an evaluation and they go on at the mean rate: a bit
 * too long, because late simulations find their chain known. Of the evaluations only those in trees count. */
double cola_report_seconds_left(const struct cola_master *m)
{
    const struct counts *c = &m->counts;
    double each = cola_search_most_simulations(&m->options->search, m->n_layers);
    double left = (double)(m->options->n_samples - c->n_begun) * each;
    for (uint32_t i = 0; i < c->n_begun; i++)
        if (!m->finished[i]) left += each - cola_search_n_simulations(m->search[i]);
    double used = (double)c->n_new * (double)c->n_nodes / (double)(c->n_new + c->n_known);
    return c->n_new && c->n_nodes ? left * (cola_clock_s() - m->began_s) / used : -1;
}

void cola_report_progress(struct cola_master *m)
{
    if (!cola_progress_due(&m->progress)) return;
    const struct counts *c = &m->counts;
    double elapsed_s = cola_clock_s() - m->began_s;
    char line[256], left[32];
    cola_progress_time(cola_report_seconds_left(m), left);
    snprintf(
        line, sizeof line, "%u/%u samples, %llu evaluations (%.1f/s), %s left, found %u of %u (%u by base)",
        c->n_finished, m->options->n_samples, (unsigned long long)(c->n_new + c->n_known),
        elapsed_s > 0 ? (double)c->n_new / elapsed_s : 0.0, left, c->n_found, c->n_begun, c->n_base_right);
    cola_progress_show(&m->progress, line);
}

/* Busy: inside engine steps, of the time since all workers were ready. A low share is a worker that waits:
 * for samples (--speculate), or for the master. */
static void report_workers(struct cola_master *m, double elapsed_s)
{
    double per_s = elapsed_s > 0 ? 1 / elapsed_s : 0;
    cola_report_line(m,
                     "  worker   busy  evaluations     /s  of all   executed of asked layers  host, device");
    for (uint32_t i = 1; i <= m->n_workers; i++) {
        const struct worker_state *w = &m->worker[i];
        cola_report_line(m, "  %6u %5.1f %% %11llu %6.1f %5.1f %% %10llu of %-12llu  %s, %s", i,
                         100 * w->busy_s * per_s, (unsigned long long)w->n_results,
                         (double)w->n_results * per_s,
                         m->counts.n_new ? 100.0 * (double)w->n_results / (double)m->counts.n_new : 0.0,
                         (unsigned long long)w->layers_executed, (unsigned long long)w->layers_asked,
                         w->hello.host, w->hello.device);
    }
}

static void report_speculation(struct cola_master *m)
{
    const struct counts *c = &m->counts;
    uint64_t n = c->n_new + c->n_known, n_vain = n - c->n_nodes;
    if (m->options->search.speculate <= 1) return;
    cola_report_line(m, "  of them %llu (%.1f %%) are in no tree: guessed in vain with --speculate %u",
                     (unsigned long long)n_vain, n ? 100.0 * (double)n_vain / (double)n : 0.0,
                     m->options->search.speculate);
}

/* What bounds a cluster in the end: one thread has all trees. The last fold is in it. */
static void report_master(struct cola_master *m)
{
    double cpu_s = cola_clock_thread_s() - m->began_cpu_s, n = (double)m->counts.n_new;
    cola_report_line(m, "  master: %.2f s of CPU, %.1f us a new evaluation, trees %.1f of them", cpu_s,
                     n > 0 ? 1e6 * cpu_s / n : 0.0, n > 0 ? 1e6 * m->tree_cpu_s / n : 0.0);
}

static const char *looked_for(const struct cola_master *m)
{
    if (!m->options->control) return "the right answer";
    return cola_judge_by_row(cola_tasks_info(m->options->tasks)) ? "the control's answer of another sample"
                                                                 : "the control's wrong answer";
}

void cola_report_summary(struct cola_master *m)
{
    const struct counts *c = &m->counts;
    double elapsed_s = cola_clock_s() - m->began_s, per_s = elapsed_s > 0 ? 1 / elapsed_s : 0;
    char took[32];
    cola_progress_time(elapsed_s, took);
    cola_report_line(m, "%u of %u samples done, %llu evaluations: %llu new, %llu known before", c->n_finished,
                     m->options->n_samples, (unsigned long long)(c->n_new + c->n_known),
                     (unsigned long long)c->n_new, (unsigned long long)c->n_known);
    report_speculation(m);
    cola_report_line(m,
                     "%s (%.1f s) of search: %.1f chains/s, %.0f layers/s asked, %.0f executed (%.1f %% "
                     "shared), %.3g million row-layers",
                     took, elapsed_s, (double)c->n_new * per_s, (double)c->layers_asked * per_s,
                     (double)c->layers_executed * per_s,
                     c->layers_asked ? 100 - 100.0 * (double)c->layers_executed / (double)c->layers_asked
                                     : 0.0,
                     1e-6 * (double)c->row_layers);
    cola_report_line(
        m, "%s found in %u of %u samples (%.1f %%): by the base chain in %u, only by others in %u",
        looked_for(m), c->n_found, c->n_begun, c->n_begun ? 100.0 * c->n_found / c->n_begun : 0.0,
        c->n_base_right, c->n_found - c->n_base_right);
    uint64_t n_crashed = cola_record_n_crashed(m->record);
    if (n_crashed)
        cola_report_line(
            m, "%llu chain%s set aside: the job died %d times while it ran (\"crashed\" in cola show)",
            (unsigned long long)n_crashed, n_crashed == 1 ? " is" : "s are", COLA_SUSPECT_ATTEMPTS);
    report_workers(m, elapsed_s);
    report_master(m);
}
