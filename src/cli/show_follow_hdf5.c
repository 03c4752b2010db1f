/* show_follow_hdf5.c - `cola show RUN.h5 --follow`: a running search as its files tell it, from any node.
 *
 *     journal (follow.h): samples, evaluations, rates      every look, at least once a second
 *     run.h5: what was found                               when it was written anew
 *
 * Ends when run.h5 says complete and holds all of the journal (exit status 0), or when nobody holds the
 * journal's lock and nothing grows (75). Writes nothing and locks nothing. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/show.h"
#include "cola/clock.h"
#include "cola/follow.h"
#include "cola/log.h"
#include "cola/progress.h"

/* Without a lock and without growth for so long, a search is over. A writer on this machine shows its lock;
 * on another the file system may not tell, and a large model may take long for its next evaluation. */
static const double QUIET_HERE_S = 3, QUIET_ELSEWHERE_S = 120;
static const double LOOK_S = 1, TERMINAL_S = 1, LOG_S = 60; /* between looks; between lines by default */

static const char *const state_name[] = {"waiting", "running", "finished", "stopped"};
enum state { WAITING, RUNNING, FINISHED, STOPPED };

struct fold { /* of the last run.h5 that was read */
    bool there, complete;
    struct stat about;
    uint64_t sequence, n_chains;
    struct cola_show_share hit, base_right;
    double written_s;
};

struct follower {
    const char *path;
    char journal[4096];
    bool json, terminal, live; /* live: a line stands on the terminal */
    double interval_s;
    struct cola_follow journal_now;
    struct fold fold;
    double grew_s;         /* on cola_clock_s: when the files were last seen to change */
    uint64_t seen_bytes;   /* of the journal then */
    double line_s;         /* on cola_clock_s: of the last line, 0: none yet */
    uint64_t line_n;       /* evaluations then */
    double line_written_s; /* the journal's time then */
};

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* --- looking -------------------------------------------------------------------------------------------- */

static void read_fold(const struct cola_run *run, struct fold *out)
{
    struct cola_show_summary s;
    const char *sequence = cola_run_attribute(run, "folded_sequence");
    cola_show_summarise(run, &s);
    out->there = true;
    out->complete = strcmp(cola_run_attribute(run, "complete"), "1") == 0;
    out->sequence = sequence ? strtoull(sequence, NULL, 10) : 0;
    out->n_chains = s.n_chains;
    out->hit = s.hit;
    out->base_right = s.base_right;
    out->written_s = (double)out->about.st_mtim.tv_sec;
}

/* run.h5 is replaced, never changed: another inode, time or size is another file. */
static void look_at_fold(struct follower *f)
{
    struct stat about, *old = &f->fold.about;
    struct cola_run *run = NULL;
    if (stat(f->path, &about) != 0) {
        f->fold.there = false;
        return;
    }
    bool same = about.st_ino == old->st_ino && about.st_size == old->st_size &&
                about.st_mtim.tv_sec == old->st_mtim.tv_sec && about.st_mtim.tv_nsec == old->st_mtim.tv_nsec;
    if (same) return;
    f->fold = (struct fold){.about = about};
    f->grew_s = cola_clock_s();
    if (cola_run_open(f->path, &run) == COLA_OK)
        read_fold(run, &f->fold);
    else
        cola_log(COLA_LOG_WARN, "%s; what was found is not shown", cola_error_text());
    cola_run_close(run);
}

static double patience_s(const struct follower *f)
{
    char host[256] = "";
    bool here = gethostname(host, sizeof host - 1) == 0 && strcmp(host, f->journal_now.host) == 0;
    return here && f->journal_now.lock_seen ? QUIET_HERE_S : QUIET_ELSEWHERE_S;
}

static enum state judge(const struct follower *f)
{
    const struct cola_follow *j = &f->journal_now;
    if (f->fold.complete && (!j->there || j->sequence <= f->fold.sequence)) return FINISHED;
    if (j->there && j->locked) return RUNNING;
    if (!j->there && !f->fold.there) return WAITING;
    return cola_clock_s() - f->grew_s < patience_s(f) ? RUNNING : STOPPED;
}

static enum cola_status look(struct follower *f, enum state *state)
{
    /* The journal first: what is folded after this look is then seen as folded by the next one, and a search
     * that is seen without its lock has left its last run.h5. */
    COLA_TRY(cola_follow_read(&f->journal_now, f->journal));
    look_at_fold(f);
    if (f->journal_now.n_bytes != f->seen_bytes || f->grew_s == 0) f->grew_s = cola_clock_s();
    f->seen_bytes = f->journal_now.n_bytes;
    *state = judge(f);
    return COLA_OK;
}

/* --- what is shown -------------------------------------------------------------------------------------- */

struct figures { /* NAN: not known */
    double rate_interval, rate, left_s, age_s;
};

/* Seconds from the start of the last process to the journal's last change. */
static double session_s(const struct cola_follow *j)
{
    struct tm utc = {0};
    const char *end = strptime(j->started, "%Y-%m-%dT%H:%M:%SZ", &utc);
    double s = end && !*end ? j->written_s - (double)timegm(&utc) : NAN;
    return s > 0 ? s : NAN;
}

static struct figures compute(const struct follower *f)
{
    const struct cola_follow *j = &f->journal_now;
    struct figures out = {NAN, NAN, NAN, NAN};
    double since_s = cola_clock_s() - f->line_s;
    if (!j->there) return out;
    if (f->line_s > 0 && since_s > 0 && j->n_evaluated >= f->line_n)
        out.rate_interval = (double)(j->n_evaluated - f->line_n) / since_s;
    out.rate = (double)j->n_new / session_s(j);
    double left = cola_follow_left(j);
    if (left == 0)
        out.left_s = 0;
    else if (out.rate > 0)
        out.left_s = left / out.rate;
    out.age_s = fmax(0, now_s() - j->written_s);
    return out;
}

static void number_or_dash(double value, char text[32])
{
    if (isfinite(value))
        snprintf(text, 32, "%.1f", value);
    else
        snprintf(text, 32, "-");
}

static void describe_found(const struct follower *f, char *text, size_t room)
{
    const struct fold *d = &f->fold;
    if (!d->there)
        snprintf(text, room, "found: not folded yet");
    else
        snprintf(text, room, "found %llu of %llu, base right %llu of %llu (run.h5 of %llu chains)",
                 (unsigned long long)d->hit.k, (unsigned long long)d->hit.n,
                 (unsigned long long)d->base_right.k, (unsigned long long)d->base_right.n,
                 (unsigned long long)d->n_chains);
}

static void describe(const struct follower *f, enum state state, char *text, size_t room)
{
    const struct cola_follow *j = &f->journal_now;
    struct figures g = compute(f);
    char interval[32], overall[32], left[32], age[32], found[160];
    describe_found(f, found, sizeof found);
    if (!j->there) {
        snprintf(text, room, "%s: no journal%s, %s", state_name[state],
                 state == WAITING ? " and no run yet" : "", found);
        return;
    }
    number_or_dash(g.rate_interval, interval);
    number_or_dash(g.rate, overall);
    cola_progress_time(g.left_s, left);
    cola_progress_time(g.age_s, age);
    snprintf(text, room,
             "%s: %u/%u samples, %llu evaluations (%s/s now, %s/s in all), %s left, %s, last record %s ago",
             state_name[state], j->n_finished, j->n_samples, (unsigned long long)j->n_evaluated, interval,
             overall, left, found, age);
}

static json_t *json_known(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static void utc_text(double seconds, char text[32])
{
    time_t whole = (time_t)seconds;
    struct tm utc;
    if (!gmtime_r(&whole, &utc) || !strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &utc)) text[0] = '\0';
}

static enum cola_status print_json(const struct follower *f, enum state state)
{
    const struct cola_follow *j = &f->journal_now;
    const struct fold *d = &f->fold;
    struct figures g = compute(f);
    char time[32], folded[32];
    utc_text(now_s(), time);
    utc_text(d->written_s, folded);
    json_t *fold = d->there ? json_pack("{s:s, s:b, s:I, s:I, s:I, s:I, s:I}", "written", folded, "complete",
                                        d->complete, "n_chains", (json_int_t)d->n_chains, "found",
                                        (json_int_t)d->hit.k, "of", (json_int_t)d->hit.n, "base_right",
                                        (json_int_t)d->base_right.k, "base_of", (json_int_t)d->base_right.n)
                            : json_null();
    json_t *line = json_pack(
        "{s:s, s:s, s:b, s:b, s:i, s:i, s:i, s:I, s:o, s:o, s:o, s:o, s:I, s:i, s:s, s:s, s:o}", "time", time,
        "state", state_name[state], "journal", j->there, "locked", j->locked, "n_samples", (int)j->n_samples,
        "n_begun", (int)j->n_begun, "n_finished", (int)j->n_finished, "evaluations",
        (json_int_t)j->n_evaluated, "evaluations_per_s", json_known(g.rate_interval),
        "evaluations_per_s_in_all", json_known(g.rate), "left_s", json_known(g.left_s), "last_record_age_s",
        json_known(g.age_s), "unread_bytes", (json_int_t)j->unread, "n_processes", (int)j->n_processes,
        "started", j->started, "host", j->host, "fold", fold);
    if (!line) return cola_fail(COLA_ERR_MEMORY, "show: out of memory for JSON");
    int failed = json_dumpf(line, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9));
    json_decref(line);
    return failed || putchar('\n') == EOF ? cola_fail(COLA_ERR_IO, "stdout: cannot be written") : COLA_OK;
}

static int columns(void)
{
    struct winsize size;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col : 80;
}

static enum cola_status print_line(struct follower *f, enum state state)
{
    char text[768], time[32];
    describe(f, state, text, sizeof text);
    utc_text(now_s(), time);
    bool last = state == FINISHED || state == STOPPED;
    if (f->terminal && !last) /* a full line would wrap, and \r would not come back over it */
        printf("\r\x1b[K%.*s", columns() - 1, text);
    else
        printf("%s%s %s\n", f->live ? "\r\x1b[K" : "", time, text);
    f->live = f->terminal && !last;
    return COLA_OK;
}

static enum cola_status show_now(struct follower *f, enum state state)
{
    if (f->json)
        COLA_TRY(print_json(f, state));
    else
        COLA_TRY(print_line(f, state));
    if (fflush(stdout) != 0) return cola_fail(COLA_ERR_IO, "stdout: cannot be written");
    f->line_s = cola_clock_s();
    f->line_n = f->journal_now.n_evaluated;
    return COLA_OK;
}

/* --- the loop ------------------------------------------------------------------------------------------- */

static void sleep_s(double seconds)
{
    struct timespec left = {.tv_sec = (time_t)seconds};
    left.tv_nsec = (long)(1e9 * (seconds - (double)left.tv_sec));
    while (nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
}

static enum cola_status follow(struct follower *f)
{
    for (;;) {
        enum state state;
        COLA_TRY(look(f, &state));
        bool last = state == FINISHED || state == STOPPED;
        if (last || f->line_s == 0 || cola_clock_s() - f->line_s >= f->interval_s)
            COLA_TRY(show_now(f, state));
        if (state == FINISHED) return COLA_OK;
        if (state == STOPPED)
            return cola_fail(COLA_ERR_STOPPED,
                             "%s: stopped, resumable: nobody writes it; cola search --resume goes on",
                             f->path);
        double wait_s = f->line_s + f->interval_s - cola_clock_s();
        sleep_s(fmax(0.01, fmin(LOOK_S, wait_s)));
    }
}

/* A run that is still to come has at least a directory. */
static enum cola_status check_directory(const char *path)
{
    char directory[4096];
    const char *slash = strrchr(path, '/');
    if (!slash || slash == path) return COLA_OK;
    snprintf(directory, sizeof directory, "%.*s", (int)(slash - path), path);
    if (access(directory, F_OK) == 0) return COLA_OK;
    return cola_fail(COLA_ERR_IO, "%s: %s; no run can be there", path, strerror(errno));
}

enum cola_status cola_show_follow(const char *path, double interval_s, bool json)
{
    struct follower f = {.path = path, .json = json, .terminal = isatty(STDOUT_FILENO) == 1};
    COLA_TRY(check_directory(path));
    f.interval_s = interval_s > 0 ? interval_s : f.terminal ? TERMINAL_S : LOG_S;
    if ((size_t)snprintf(f.journal, sizeof f.journal, "%s.journal", path) >= sizeof f.journal)
        return cola_fail(COLA_ERR_USAGE, "%s: a path that is too long", path);
    enum cola_status status = follow(&f);
    if (f.live) putchar('\n');
    cola_follow_fini(&f.journal_now);
    return status;
}

/* --- for the page without --follow -----------------------------------------------------------------------
 */

enum cola_status cola_show_beyond(const struct cola_run *run, const char *path, struct cola_show_beyond *out)
{
    char journal[4096];
    const char *sequence = cola_run_attribute(run, "folded_sequence");
    struct cola_follow f = {.folded = sequence ? strtoull(sequence, NULL, 10) : 0};
    snprintf(journal, sizeof journal, "%s.journal", path);
    enum cola_status status = cola_follow_read(&f, journal);
    if (status == COLA_OK)
        *out = (struct cola_show_beyond){.there = f.there,
                                         .locked = f.locked,
                                         .n_evaluated = f.n_beyond,
                                         .n_all = f.n_evaluated,
                                         .n_finished = f.n_finished};
    cola_follow_fini(&f);
    return status;
}
