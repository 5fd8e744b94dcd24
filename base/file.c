/* file.c - whole files in, whole files out, and nothing in between that a crash could leave. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static int fail(struct err *e, const char *path, int errnum)
{
	return err_set(e, err_errno(errnum), "%s: %s", path, strerror(errnum));
}

int file_read_fd(char **out, size_t *len, int fd, const char *path, size_t max, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return fail(e, path, errno);
	/* The size is a hint: pipes and /proc say 0, and a growing file is read to its end. */
	size_t cap = st.st_size > 0 && (size_t)st.st_size < max ? (size_t)st.st_size + 2 : 4096;
	if (st.st_size > 0 && (size_t)st.st_size >= max)
		cap = max + 2;
	size_t have = 0;
	autofree char *text = xmalloc(cap);
	for (;;) {
		if (have + 1 >= cap) {
			cap *= 2;
			text = xrealloc(text, cap);
		}
		ssize_t n = read(fd, text + have, cap - 1 - have);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail(e, path, errno);
		if (n == 0)
			break;
		have += (size_t)n;
		if (have > max)
			return max >> 20 ? err_set(e, ERR_INVALID, "%s: larger than %zu MiB", path,
						   max >> 20)
					 : err_set(e, ERR_INVALID, "%s: larger than %zu bytes",
						   path, max);
	}
	text[have] = '\0';
	*len = have;
	*out = TAKE(text);
	return 0;
}

int file_read(char **out, size_t *len, const char *path, size_t max, struct err *e)
{
	AUTO(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return fail(e, path, errno);
	return file_read_fd(out, len, fd, path, max, e);
}

static int write_all(int fd, const void *bytes, size_t len)
{
	const char *p = bytes;

	while (len) {
		ssize_t n = write(fd, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/* A rename is durable only when the folder itself has been written. */
static int sync_folder(const char *folder, struct err *e)
{
	AUTO(closep) int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	/* Some file systems cannot sync a folder; they say EINVAL, and there is nothing to do. */
	if (fd < 0 || (fsync(fd) < 0 && errno != EINVAL))
		return fail(e, folder, errno);
	return 0;
}

/* @like: whose it shall be; NULL: ours. *errnum: what kept the file from being replaced; then nothing has changed. */
static bool write_beside(const char *path, const void *bytes, size_t len, mode_t mode,
			 const struct stat *like, int *errnum)
{
	autofree char *temp = xasprintf("%s.XXXXXX", path);
	int fd = mkostemp(temp, O_CLOEXEC);

	*errnum = errno;
	if (fd < 0)
		return false;
	/* Owner and mode first: the content is never readable to more than it should be. */
	bool good = (!like || fchown(fd, like->st_uid, like->st_gid) == 0) &&
		    fchmod(fd, mode) == 0 && write_all(fd, bytes, len) == 0 && fsync(fd) == 0;
	*errnum = errno;
	if (close(fd) < 0 && good) {
		good = false;
		*errnum = errno;
	}
	if (good && rename(temp, path) < 0) {
		good = false;
		*errnum = errno;
	}
	if (!good)
		(void)unlink(temp);
	return good;
}

int file_write_atomic(const char *path, const void *bytes, size_t len, mode_t mode, struct err *e)
{
	autofree char *folder = path_dir(path);
	struct stat st;
	int errnum;

	/* A rename would put a plain file in the place of /dev/full or /dev/stdout, for everybody. */
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return err_set(e, ERR_EXISTS, "%s: is not a file", path);
	if (!write_beside(path, bytes, len, mode, NULL, &errnum))
		return fail(e, path, errnum);
	return sync_folder(folder, e);
}

static int write_in_place(const char *path, const void *bytes, size_t len, struct err *e)
{
	AUTO(closep) int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);

	if (fd < 0 || write_all(fd, bytes, len) < 0 || fsync(fd) < 0)
		return fail(e, path, errno);
	return 0;
}

int file_replace(const char *path, const void *bytes, size_t len, mode_t mode, struct err *e)
{
	autofree char *target = realpath(path, NULL), *folder = NULL;
	struct stat st;
	int errnum;

	if (!target && lstat(path, &st) == 0)
		return err_set(e, ERR_NOT_FOUND, "%s: is a link that leads nowhere", path);
	if (!target)
		return file_write_atomic(path, bytes, len, mode, e);
	if (stat(target, &st) < 0)
		return fail(e, path, errno);
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_EXISTS, "%s: is not a file", path);
	if (!(st.st_mode & S_IWUSR) || access(target, W_OK) < 0)
		return fail(e, path, EACCES);
	if (st.st_nlink > 1)
		return write_in_place(target, bytes, len, e);
	folder = path_dir(target);
	if (write_beside(target, bytes, len, st.st_mode & 07777, geteuid() == 0 ? &st : NULL,
			 &errnum))
		return sync_folder(folder, e);
	return errnum == EBUSY ? write_in_place(target, bytes, len, e) : fail(e, path, errnum);
}

static int make_folder(const char *path, mode_t mode, struct err *e)
{
	struct stat st;

	if (mkdir(path, mode) == 0) {
		/* The umask may have taken bits of the mode away. */
		if (chmod(path, mode) < 0)
			return fail(e, path, errno);
		return 0;
	}
	if (errno != EEXIST)
		return fail(e, path, errno);
	if (stat(path, &st) < 0)
		return fail(e, path, errno);
	if (!S_ISDIR(st.st_mode))
		return err_set(e, ERR_EXISTS, "%s: exists and is not a folder", path);
	return 0;
}

int file_mkdirs(const char *path, mode_t mode, struct err *e)
{
	autofree char *part = xstrdup(path);
	struct stat st;

	/* A folder that is there needs no look at its parents, some of which may be unreadable. */
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return 0;
	for (char *p = part + 1; *part && *p; p++) {
		if (*p != '/' || p[-1] == '/')
			continue;
		*p = '\0';
		if (make_folder(part, mode, e) < 0)
			return -1;
		*p = '/';
	}
	return make_folder(part, mode, e);
}

int file_lock(int *fd, const char *path, struct err *e)
{
	/* The file may be removed between open and flock: then we hold a lock on nothing. */
	for (int tries = 0; tries < 10; tries++) {
		AUTO(closep) int lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		struct stat held, named;
		if (lock < 0)
			return fail(e, path, errno);
		if (flock(lock, LOCK_EX | LOCK_NB) < 0) {
			if (errno == EWOULDBLOCK)
				return err_set(e, ERR_CONFLICT, "%s: held by another process",
					       path);
			return fail(e, path, errno);
		}
		if (fstat(lock, &held) < 0 || stat(path, &named) < 0 ||
		    held.st_ino != named.st_ino || held.st_dev != named.st_dev)
			continue;
		*fd = lock;
		lock = -1;
		return 0;
	}
	return err_set(e, ERR_CONFLICT, "%s: removed again and again by another process", path);
}

bool file_exists(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0;
}

int file_remove(const char *path, struct err *e)
{
	if (unlink(path) < 0 && errno != ENOENT)
		return fail(e, path, errno);
	return 0;
}

char *path_join(const char *a, const char *b)
{
	if (!*a)
		return xstrdup(b);
	return xasprintf("%s%s%s", a, ends_with(a, "/") ? "" : "/", b);
}

char *path_dir(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return xstrdup(".");
	return slash == path ? xstrdup("/") : xstrndup(path, (size_t)(slash - path));
}

char *path_home(void)
{
	const char *home = getenv("HOME");
	struct passwd entry, *found = NULL;
	char space[4096];

	if (home && *home)
		return xstrdup(home);
	if (getpwuid_r(getuid(), &entry, space, sizeof(space), &found) == 0 && found &&
	    found->pw_dir)
		return xstrdup(found->pw_dir);
	return NULL;
}
