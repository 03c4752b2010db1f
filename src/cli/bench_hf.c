/* bench_hf.c - the Hugging Face loop as a child process: a line of JSON to its standard input, one from its
 * standard output. Knows nothing of what the lines mean.
 *
 * The command goes through a shell, so that it may have arguments of its own; the model, dtype and threads
 * are appended. The child ends when its standard input does, and when a signal ends us: it has a process
 * group of its own, so that Ctrl-C reaches it, and what it started, through us alone. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/bench.h"
#include "cli/lines.h"
#include "cola/memory.h"

extern char **environ;

struct bench_hf {
    pid_t pid; /* 0: not started, or its end is known */
    int to;    /* its standard input; -1 closed */
    struct cola_lines from;
};

static const char *const here = ".venv/bin/cola-hf-loop"; /* where jobs/setup.sh puts it */

static const char *choose_command(const struct cola_options *options)
{
    const char *command = cola_options_string(options, "hf-command");
    if (*command) return command;
    return access(here, X_OK) == 0 ? here : "cola-hf-loop";
}

/* Signals that we ignore or handle are the child's own business. */
static enum cola_status spawn(const struct cola_options *options, int in, int out, pid_t *pid)
{
    char script[4096], threads[32];
    const char *model = cola_options_string(options, "model"), *dtype = cola_options_string(options, "dtype");
    int n = snprintf(script, sizeof script, "exec %s \"$@\"", choose_command(options));
    if (n < 0 || n >= (int)sizeof script) return cola_fail(COLA_ERR_USAGE, "--hf-command: too long");
    snprintf(threads, sizeof threads, "%llu", (unsigned long long)cola_options_uint(options, "threads"));
    const char *const word[] = {"sh",      "-c",  script,      "cola-hf-loop", "--model", model,
                                "--dtype", dtype, "--threads", threads,        NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t defaults;
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    int error = posix_spawn_file_actions_init(&files);
    if (error) return cola_fail(COLA_ERR_MEMORY, "the Hugging Face loop: %s", strerror(error));
    error = posix_spawnattr_init(&attributes);
    if (!error) error = posix_spawnattr_setsigdefault(&attributes, &defaults);
    if (!error) error = posix_spawnattr_setpgroup(&attributes, 0);
    if (!error) error = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    if (!error) error = posix_spawn_file_actions_adddup2(&files, in, STDIN_FILENO);
    if (!error) error = posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
    if (!error)
        error = posix_spawn(pid, "/bin/sh", &files, &attributes, (char *const *)(uintptr_t)word, environ);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    return error ? cola_fail(COLA_ERR_IO, "the Hugging Face loop cannot be started: %s", strerror(error))
                 : COLA_OK;
}

enum cola_status cola_bench_hf_open(const struct cola_options *options, struct bench_hf **out)
{
    int request[2] = {-1, -1}, answer[2] = {-1, -1};
    struct bench_hf *hf = NULL;
    enum cola_status status = COLA_OK;
    COLA_TRY_DONE(cola_alloc((void **)&hf, 1, sizeof *hf, "the Hugging Face loop"));
    hf->to = hf->from.fd = -1;
    if (pipe2(request, O_CLOEXEC) != 0 || pipe2(answer, O_CLOEXEC) != 0) {
        status = cola_fail(COLA_ERR_IO, "the Hugging Face loop: no pipe: %s", strerror(errno));
        goto done;
    }
    COLA_TRY_DONE(spawn(options, request[0], answer[1], &hf->pid));
    signal(SIGPIPE, SIG_IGN); /* if it ends early, a write says so */
    hf->to = request[1];
    hf->from = (struct cola_lines){.fd = answer[0], .name = "the Hugging Face loop"};
    request[1] = answer[0] = -1;
    *out = hf;
    hf = NULL;
done:
    for (int i = 0; i < 2; i++) {
        if (request[i] >= 0) close(request[i]);
        if (answer[i] >= 0) close(answer[i]);
    }
    cola_bench_hf_close(hf);
    return status;
}

static void sleep_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

/* Waits until it has ended; after a signal to us it has half a second to do so, then it is killed, with all
 * that it started. False: there is no such child. */
static bool wait_for_end(struct bench_hf *hf, int *how)
{
    enum { LOOK_MS = 20, KILL_AFTER = 25 };
    pid_t pid = hf->pid, ended;
    for (int n_looks = 0; (ended = waitpid(pid, how, WNOHANG)) == 0; sleep_ms(LOOK_MS)) {
        if (cola_bench_stopped() == COLA_OK) continue;
        if (n_looks == 0) kill(-pid, SIGTERM);
        if (n_looks++ == KILL_AFTER) kill(-pid, SIGKILL);
    }
    if (cola_bench_stopped() != COLA_OK) kill(-pid, SIGKILL); /* what it started and left behind */
    hf->pid = 0;
    return ended == pid;
}

/* How it ended, in words. What it had to say itself went to standard error. */
static enum cola_status fail_of_end(struct bench_hf *hf)
{
    int how = 0;
    bool known = wait_for_end(hf, &how);
    COLA_TRY(cola_bench_stopped());
    if (known && WIFSIGNALED(how))
        return cola_fail(COLA_ERR_LIBRARY, "the Hugging Face loop was ended by signal %d before it answered",
                         WTERMSIG(how));
    return cola_fail(
        COLA_ERR_LIBRARY,
        "the Hugging Face loop ended with exit status %d before it answered; if torch or the program "
        "is missing, jobs/setup.sh compare installs them (--hf-command names another program)",
        WEXITSTATUS(how));
}

static bool send_line(struct bench_hf *hf, const char *text, size_t n)
{
    while (n > 0) {
        ssize_t sent = write(hf->to, text, n);
        if (sent < 0 && errno == EINTR) continue;
        if (sent <= 0) return false;
        text += sent;
        n -= (size_t)sent;
    }
    return true;
}

/* Its next line; NULL: there is none. A signal is noticed within LOOK_MS. */
static enum cola_status next_line(struct bench_hf *hf, const char **line, size_t *n)
{
    enum { LOOK_MS = 100 };
    for (;;) {
        COLA_TRY(cola_lines_next(&hf->from, false, line, n));
        if (*line || hf->from.at_end) return COLA_OK;
        COLA_TRY(cola_bench_stopped());
        poll(&(struct pollfd){.fd = hf->from.fd, .events = POLLIN}, 1, LOOK_MS);
    }
}

static enum cola_status receive(struct bench_hf *hf, json_t **answer)
{
    const char *line;
    size_t n;
    json_error_t error;
    COLA_TRY(next_line(hf, &line, &n));
    if (!line) return fail_of_end(hf);
    json_t *root = json_loadb(line, n, JSON_REJECT_DUPLICATES, &error);
    if (!json_is_object(root)) {
        json_decref(root);
        return cola_fail(COLA_ERR_INPUT, "the Hugging Face loop answered with no JSON object: %.*s",
                         n > 200 ? 200 : (int)n, line);
    }
    const char *refusal = json_string_value(json_object_get(root, "error"));
    if (refusal) {
        enum cola_status status =
            cola_fail(COLA_ERR_INPUT, "the Hugging Face loop refused a request: %s", refusal);
        json_decref(root);
        return status;
    }
    *answer = root;
    return COLA_OK;
}

enum cola_status cola_bench_hf_ask(struct bench_hf *hf, const json_t *request, json_t **answer)
{
    char *text = request ? json_dumps(request, JSON_COMPACT) : NULL;
    if (!text) return cola_fail(COLA_ERR_MEMORY, "a request as JSON: out of memory");
    bool sent = send_line(hf, text, strlen(text)) && send_line(hf, "\n", 1);
    free(text);
    return sent ? receive(hf, answer) : fail_of_end(hf);
}

void cola_bench_hf_close(struct bench_hf *hf)
{
    if (!hf) return;
    if (hf->to >= 0) close(hf->to);
    if (hf->from.fd >= 0) cola_lines_close(&hf->from);
    if (hf->pid > 0) wait_for_end(hf, &(int){0});
    free(hf);
}
