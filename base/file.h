/*
 * file.h - small files: whole reads with a limit, atomic writes, locks.
 */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <sys/types.h>

#include "base/buf.h"

/*
 * file_read - the whole file, owned, NUL-terminated.
 * ERR_NOT_FOUND, ERR_DENIED, ERR_IO, ERR_INVALID (larger than max).
 */
int file_read(char **out, size_t *len, const char *path, size_t max, struct err *e) MUST_CHECK;
/* file_read_fd - the same from an open descriptor, up to its end; name is for messages. */
int file_read_fd(char **out, size_t *len, int fd, const char *name, size_t max,
		 struct err *e) MUST_CHECK;
/*
 * file_write_atomic - temp file in the same folder, fsync, rename, fsync of the folder. A symlink at
 * the end of the path is replaced, not followed. What is there and is no file, or leads to none
 * (a device, a pipe), stays: ERR_EXISTS.
 */
int file_write_atomic(const char *path, const void *bytes, size_t len, mode_t mode,
		      struct err *e) MUST_CHECK;
/*
 * file_replace - the same for a file that people have: a link is followed; mode and, for root, owner stay (@mode is for a
 * new one). Where a rename would break something (hard links, a file mounted on its own) it is written in place. ERR_DENIED
 * when its owner has made it read-only; ERR_NOT_FOUND when a link leads nowhere.
 */
int file_replace(const char *path, const void *bytes, size_t len, mode_t mode,
		 struct err *e) MUST_CHECK;
/* file_mkdirs - like mkdir -p; new folders get the mode. */
int file_mkdirs(const char *path, mode_t mode, struct err *e) MUST_CHECK;
/*
 * file_lock - flock(LOCK_EX|LOCK_NB) on path, made with mode 0600. *fd is the lock: close() frees it.
 * ERR_CONFLICT when another process holds it.
 */
int file_lock(int *fd, const char *path, struct err *e) MUST_CHECK;
bool file_exists(const char *path);
/* file_remove - unlink; absent is fine. */
int file_remove(const char *path, struct err *e) MUST_CHECK;
/* path_join - "a/b"; owned. path_dir - folder part, "." when none; owned. */
char *path_join(const char *a, const char *b) NEVER_NULL;
char *path_dir(const char *path) NEVER_NULL;
/* path_home - $HOME, else the password database; owned; NULL when neither. */
char *path_home(void);

#endif
