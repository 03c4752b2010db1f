/* log.h - lines for people on stderr: "cola: ..." from the master or a single process, "cola[3]: ..." from
 * rank 3. Whole lines, one write each, so that ranks do not mix. */
#ifndef COLA_LOG_H
#define COLA_LOG_H

enum cola_log_level { COLA_LOG_ERROR = 0, COLA_LOG_WARN = 1, COLA_LOG_INFO = 2, COLA_LOG_DEBUG = 3 };

void cola_log(enum cola_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Set once at start, before threads: what is printed, and whose lines these are (-1: no rank shown). */
void cola_log_setup(enum cola_log_level most, int rank);

#endif
