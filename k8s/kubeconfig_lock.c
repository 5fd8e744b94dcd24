/* kubeconfig_lock.c - see kubeconfig_lock.h, and kubeconfig_edit.h for what it promises. */
#include "k8s/kubeconfig_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"

#define MAX_FILES  132
#define PATIENCE   (60 * NS_SEC)
#define LOOK_EVERY (10 * NS_MS)
#define STALE      (30 * NS_SEC) /* kubectl holds it for milliseconds */
#define WATCHED    (2 * NS_SEC)  /* so long it is looked at before it is called dead */
#define OURS       "prestoctl "

struct lock {
	char *path;
	int why; /* errno of a lock that could not be had; 0: it is held */
	ino_t ino;
	dev_t dev;
};

struct kubeconfig_locks {
	const struct kubeconfig_opts *o; /* only while it is made */
	ns_t until;
	int folders[MAX_FILES];
	size_t folder_count;
	bool alone; /* all folders are ours: a living prestoctl holds no lock in them */
	struct lock files[MAX_FILES];
	size_t file_count;
};

void kubeconfig_locks_free(struct kubeconfig_locks *l)
{
	struct stat st;

	if (!l)
		return;
	for (size_t i = 0; i < l->file_count; i++) {
		const struct lock *f = &l->files[i];

		/* Should somebody have taken ours for dead, the one that is there now is theirs. */
		if (!f->why && lstat(f->path, &st) == 0 && st.st_ino == f->ino &&
		    st.st_dev == f->dev)
			(void)unlink(f->path);
		free(f->path);
	}
	for (size_t i = 0; i < l->folder_count; i++)
		closep(&l->folders[i]);
	free(l);
}

void kubeconfig_locks_freep(struct kubeconfig_locks **l)
{
	kubeconfig_locks_free(*l);
	*l = NULL;
}

static int pause_for(struct kubeconfig_locks *l, const char *what, const char *who,
		     const char *hint, struct err *e)
{
	autofree char *words = xasprintf("waiting for %s, which %s holds", what, who);

	if (clock_mono() > l->until) {
		err_set(e, ERR_TIMEOUT, "%s is held by %s", what, who);
		return err_hint(e, "%s", hint);
	}
	if (l->o->on_wait)
		l->o->on_wait(words, l->o->arg);
	return loop_sleep(l->o->loop, LOOK_EVERY, e);
}

/* --- our own queue ------------------------------------------------------------------------------ */

static int queue_for(struct kubeconfig_locks *l, const char *folder, struct err *e)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0) {
		l->alone = false;
		return 0;
	}
	l->folders[l->folder_count++] = fd;
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR) {
			l->alone = false; /* a file system without flock: FILE.lock has to do */
			return 0;
		}
		if (pause_for(l, folder, "another prestoctl", "try again when it has ended", e) < 0)
			return -1;
	}
	return 0;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorted, each once. */
static size_t tidy(char **names, size_t n)
{
	size_t kept = 0;

	qsort(names, n, sizeof(*names), by_text);
	for (size_t i = 0; i < n; i++) {
		if (kept && streq(names[kept - 1], names[i]))
			free(names[i]);
		else
			names[kept++] = names[i];
	}
	return kept;
}

/* --- FILE.lock ---------------------------------------------------------------------------------- */

/* A lock that is in the way, and since when it has looked so. */
struct rival {
	struct stat seen, file;
	ns_t since;
	bool ours; /* written by a prestoctl */
};

static bool same(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static bool is_ours(const char *path)
{
	AUTO(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	char start[sizeof(OURS)] = "";

	return fd >= 0 && read(fd, start, sizeof(OURS) - 1) > 0 && starts_with(start, OURS);
}

/* Looks again; true when whoever made it is dead. */
static bool is_dead(struct rival *r, const char *path, bool alone)
{
	autofree char *file = xstrndup(path, strlen(path) - strlen(".lock"));
	struct stat now = {0}, content = {0};
	ns_t age, watched;

	if (lstat(path, &now) < 0)
		return false;
	(void)!stat(file, &content);
	if (!r->since || !same(&now, &r->seen) || !same(&content, &r->file))
		*r = (struct rival){now, content, clock_mono(), is_ours(path)};
	watched = clock_mono() - r->since;
	age = clock_wall() - now.st_mtim.tv_sec * NS_SEC;
	if (r->ours && alone)
		return watched >= WATCHED / 2;
	return watched >= STALE || (age >= STALE && watched >= WATCHED);
}

static int write_who(int fd, struct stat *st)
{
	char who[40];
	int n = snprintf(who, sizeof(who), OURS "%ld\n", (long)getpid());

	return fstat(fd, st) == 0 && write(fd, who, (size_t)n) == n ? 0 : -1;
}

/* With its content from the first moment on: a prestoctl that is killed must not leave what looks like kubectl's. */
static int make_whole(const char *path, struct stat *st)
{
	autofree char *folder = path_dir(path);
	AUTO(closep) int fd = open(folder, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
	char self[40];

	if (fd < 0 || write_who(fd, st) < 0)
		return -1;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	return linkat(AT_FDCWD, self, AT_FDCWD, path, AT_SYMLINK_FOLLOW);
}

/* For file systems that have no nameless files. */
static int make_plain(const char *path, struct stat *st)
{
	AUTO(closep) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int why;

	if (fd < 0 || write_who(fd, st) == 0)
		return fd < 0 ? -1 : 0;
	why = errno ? errno : EIO;
	(void)unlink(path);
	errno = why == EEXIST ? EIO : why;
	return -1;
}

static int take_one(struct kubeconfig_locks *l, struct lock *f, struct err *e)
{
	struct rival rival = {0};

	for (;;) {
		struct stat st;

		if (make_whole(f->path, &st) == 0 ||
		    (errno != EEXIST && make_plain(f->path, &st) == 0)) {
			f->why = 0;
			f->ino = st.st_ino;
			f->dev = st.st_dev;
			return 0;
		}
		if (errno != EEXIST) {
			f->why = errno ? errno : EIO;
			return 0;
		}
		if (is_dead(&rival, f->path, l->alone)) {
			log_warn("kubeconfig", "%s was left behind by a %s that has died: removed",
				 f->path, rival.ours ? "prestoctl" : "kubectl");
			(void)unlink(f->path);
		} else if (pause_for(l, f->path, rival.ours ? "a prestoctl" : "kubectl",
				     "when no kubectl and no prestoctl is running, remove it",
				     e) < 0) {
			return -1;
		}
	}
}

/* Where its lock is, whichever links the path has before its last part. Owned; NULL when there is no such folder. */
static char *place_of(const char *file)
{
	autofree char *dir = path_dir(file), *whole = realpath(dir, NULL);
	const char *slash = strrchr(file, '/');

	return whole ? path_join(whole, slash ? slash + 1 : file) : NULL;
}

/* Of the name that is given, as kubectl does it, and of the file that it leads to. */
static size_t all_places(char **places, char *const *files)
{
	size_t n = 0;

	for (; *files && n + 2 < MAX_FILES; files++) {
		char *target = realpath(*files, NULL);

		places[n] = place_of(*files);
		n += places[n] != NULL;
		if (target)
			places[n++] = target;
	}
	return tidy(places, n);
}

int kubeconfig_locks_new(struct kubeconfig_locks **out, char *const *files,
			 const struct kubeconfig_opts *o, struct err *e)
{
	AUTO(kubeconfig_locks_freep) struct kubeconfig_locks *l = xcalloc(1, sizeof(*l));
	char *places[MAX_FILES], *folders[MAX_FILES];
	size_t n = all_places(places, files), m;
	int failed = 0;

	l->o = o;
	l->until = clock_mono() + (o->patience ? o->patience : PATIENCE);
	l->alone = true;
	for (size_t i = 0; i < n; i++)
		folders[i] = path_dir(places[i]);
	m = tidy(folders, n);
	for (size_t i = 0; i < m; i++) {
		failed = failed || queue_for(l, folders[i], e) < 0;
		free(folders[i]);
	}
	for (size_t i = 0; i < n; i++) {
		l->files[i] = (struct lock){.path = xasprintf("%s.lock", places[i]), .why = EAGAIN};
		l->file_count++;
		failed = failed || take_one(l, &l->files[i], e) < 0;
		free(places[i]);
	}
	if (failed)
		return -1;
	l->o = NULL;
	*out = TAKE(l);
	return 0;
}

int kubeconfig_locks_have(const struct kubeconfig_locks *l, const char *file, struct err *e)
{
	autofree char *place = place_of(file), *path = place ? xasprintf("%s.lock", place) : NULL;

	for (size_t i = 0; path && i < l->file_count; i++) {
		const struct lock *f = &l->files[i];

		if (streq(f->path, path) && f->why)
			return err_set(e, err_errno(f->why), "%s: %s", path, strerror(f->why));
		if (streq(f->path, path))
			return 0;
	}
	return err_set(e, ERR_NOT_FOUND, "%s: its folder is not there", file);
}
