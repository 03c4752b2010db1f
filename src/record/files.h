/* files.h - what makes a file safe on disk: whole writes, temporaries in the same directory, rename, synced
 * directories. Errors are COLA_ERR_IO with path and reason. */
#ifndef COLA_RECORD_FILES_H
#define COLA_RECORD_FILES_H

#include <stddef.h>

#include "cola/status.h"

/* All bytes, in one write(2) unless the system takes fewer. */
enum cola_status cola_file_write(int fd, const char *path, const void *bytes, size_t n);

/* Creates "PATH.tmp.PID", open for reading and writing, mode 0666 less umask; *name is the caller's to free.
 */
enum cola_status cola_file_temporary(const char *path, char **name, int *fd);

/* COLA_ERR_IO if path is a symbolic link: a rename would replace the link, and journal and lock beside it
 * would not be those of the file that it points to. */
enum cola_status cola_file_not_a_link(const char *path);

/* COLA_ERR_IO if the open file has no name any more: what is written to it is lost with the process. */
enum cola_status cola_file_has_name(int fd, const char *path);

/* fsync of the directory that holds path: makes a new name last. */
enum cola_status cola_file_sync_directory(const char *path);

#endif
