/* peak.c - peak FILE COMMAND...: runs the command and writes to FILE the most KiB of memory that one of its
 * processes held (ru_maxrss: the largest of it and of those that it waited for). Exit status: the command's.
 */
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    int status;
    struct rusage used;
    if (argc < 3) {
        fprintf(stderr, "usage: peak FILE COMMAND...\n");
        return 2;
    }
    pid_t child = fork();
    if (child == 0) {
        execvp(argv[2], argv + 2);
        perror(argv[2]);
        _exit(127);
    }
    if (child < 0 || waitpid(child, &status, 0) != child || getrusage(RUSAGE_CHILDREN, &used) != 0)
        return 126;
    FILE *file = fopen(argv[1], "w");
    if (!file || fprintf(file, "%ld\n", used.ru_maxrss) < 0 || fclose(file) != 0) return 126;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
