/* status.h - what a function that can fail returns, and the words that go with it.
 *
 *     if (size < 8)
 *         return cola_fail(COLA_ERR_INPUT, "%s: file has %zu bytes, a safetensors file has at least 8", path,
 * size);
 *     ...
 *     COLA_TRY(cola_model_open(dir, &model));          hands a failure on to the caller
 *
 * Outputs of a failed call are untouched. The text is thread-local and bounded (1023 bytes): it says what,
 * where and what to do. Only main prints it. */
#ifndef COLA_STATUS_H
#define COLA_STATUS_H

enum cola_status {
    COLA_OK = 0,
    COLA_ERR_INPUT,       /* a file, request or message from outside is malformed */
    COLA_ERR_USAGE,       /* the command line is wrong: exit status 2 */
    COLA_ERR_UNSUPPORTED, /* well-formed, but it would change results or is not built in: refused by name */
    COLA_ERR_MISMATCH,    /* two things do not belong together: fingerprints, options, numerics ids */
    COLA_ERR_IO,          /* the operating system refused: open, write, fsync, rename */
    COLA_ERR_MEMORY,      /* an allocation failed; never a result */
    COLA_ERR_LIBRARY,     /* MPI, HDF5 or another library returned an error */
    COLA_ERR_STOPPED      /* stopped on request and resumable: exit status 75 */
};

/* Stores the text as this thread's last error and returns `status`. */
enum cola_status cola_fail(enum cola_status status, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Puts "prefix: " before this thread's last error; returns `status`. For callers that know more (which file).
 */
enum cola_status cola_fail_in(enum cola_status status, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* This thread's last error text, "" if none. Valid until the thread's next failure. */
const char *cola_error_text(void);

#define COLA_TRY(call)                                                                                       \
    do {                                                                                                     \
        enum cola_status cola_try_status_ = (call);                                                          \
        if (cola_try_status_ != COLA_OK) return cola_try_status_;                                            \
    } while (0)

/* The same inside a function with a `done:` label and a `status` variable. */
#define COLA_TRY_DONE(call)                                                                                  \
    do {                                                                                                     \
        status = (call);                                                                                     \
        if (status != COLA_OK) goto done;                                                                    \
    } while (0)

#endif
