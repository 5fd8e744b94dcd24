/*
 * child.c - children by posix_spawn, their pipes and their end on the loop.
 * The child is reaped last of all: until then its process group's number cannot be somebody else's.
 */
#include "base/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

#define DEFAULT_OUTPUT  (1u << 20)
#define DEFAULT_TIMEOUT (60 * NS_SEC)
#define LONGEST_LINE    (64u << 10)
#define TERM_GRACE      (5 * NS_SEC)
#define OUTPUT_GRACE    NS_SEC
#define EXIT_POLL       (20 * NS_MS)

extern char **environ;

struct child;

struct stream {
	struct child *child;
	bool is_stderr;
	int fd;
	struct loop_fd *watch;
	struct buf all;
	char *line; /* LONGEST_LINE + 1 bytes when there is an on_line */
	size_t line_len;
};

struct child {
	struct loop *loop;
	const struct child_opts *o;
	pid_t pid;
	bool grouped;
	int pidfd;
	struct loop_fd *exit_watch;
	struct loop_timer *exit_timer; /* polls where there is no pidfd; then the output's grace */
	struct stream out, err;
	int in;
	struct loop_fd *in_watch;
	size_t fed;
	struct err e; /* why it has to end */
	bool exited, done;
	bool ending; /* it failed, and is being got rid of */
};

/* --- pipes ------------------------------------------------------------------------------------ */

static void drop_fd(struct loop_fd **watch, int *fd)
{
	loop_fd_del(TAKE(*watch));
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void check_done(struct child *c)
{
	if (c->e.code != ERR_OK || (c->exited && c->out.fd < 0 && c->err.fd < 0))
		c->done = true;
}

static void end_line(struct stream *s)
{
	const struct child_opts *o = s->child->o;

	s->line[s->line_len] = '\0';
	s->line_len = 0;
	o->on_line(s->line, s->is_stderr, o->arg);
}

static void add_lines(struct stream *s, const char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (bytes[i] == '\n')
			end_line(s);
		else if (s->line_len < LONGEST_LINE)
			s->line[s->line_len++] = bytes[i];
	}
}

static void keep(struct stream *s, const char *bytes, size_t n)
{
	struct child *c = s->child;
	struct err e = ERR_INIT;

	if (c->ending)
		return;
	if (c->o->on_line) { /* the last bytes of an endless output */
		if (n > s->all.max) {
			bytes += n - s->all.max;
			n = s->all.max;
		}
		if (s->all.len + n > s->all.max)
			buf_drop(&s->all, s->all.len + n - s->all.max);
	}
	if (buf_add(&s->all, bytes, n, &e) < 0)
		err_set(&c->e, ERR_INVALID, "%s: more than %zu bytes of %s", c->o->argv[0],
			s->all.max, s->is_stderr ? "error output" : "output");
}

static void on_output(unsigned events UNUSED, void *arg)
{
	struct stream *s = arg;
	char bytes[16384];
	ssize_t n = read(s->fd, bytes, sizeof(bytes));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0) {
		keep(s, bytes, (size_t)n);
		if (s->line)
			add_lines(s, bytes, (size_t)n);
	} else {
		if (s->line && s->line_len)
			end_line(s);
		drop_fd(&s->watch, &s->fd);
	}
	check_done(s->child);
}

static void on_input(unsigned events UNUSED, void *arg)
{
	struct child *c = arg;
	ssize_t n = write(c->in, c->o->stdin_bytes + c->fed, c->o->stdin_len - c->fed);

	if (n > 0)
		c->fed += (size_t)n;
	else if (errno != EAGAIN && errno != EINTR) /* it does not want the rest */
		c->fed = c->o->stdin_len;
	if (c->fed == c->o->stdin_len)
		drop_fd(&c->in_watch, &c->in);
}

/* --- the end ---------------------------------------------------------------------------------- */

static bool has_exited(const struct child *c)
{
	siginfo_t info = {0};

	return waitid(P_PID, (id_t)c->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	       info.si_pid == c->pid;
}

static void note_exit(struct child *c)
{
	c->exited = true;
	drop_fd(&c->exit_watch, &c->pidfd);
	drop_fd(&c->in_watch, &c->in);
	if (c->ending)
		loop_timer_stop(c->exit_timer);
	else
		loop_timer_after(c->exit_timer, OUTPUT_GRACE);
	check_done(c);
}

static void on_exit_event(unsigned events UNUSED, void *arg)
{
	note_exit(arg);
}

static void on_exit_timer(void *arg)
{
	struct child *c = arg;

	if (c->exited)
		c->done = true; /* whoever still holds the output is a descendant that stays */
	else if (has_exited(c))
		note_exit(c);
	else
		loop_timer_after(c->exit_timer, EXIT_POLL);
}

static void send_signal(const struct child *c, int number)
{
	kill(c->grouped ? -c->pid : c->pid, number);
}

static void kill_group(struct child *c)
{
	struct err e = ERR_INIT;

	c->ending = true;
	err_clear(&c->e); /* done now means: the child and whoever held its output are gone */
	c->done = false;
	check_done(c);
	if (c->exited)
		loop_timer_stop(c->exit_timer);
	send_signal(c, SIGTERM);
	if (loop_wait_cleanup(c->loop, &c->done, clock_mono() + TERM_GRACE, &e) < 0)
		err_clear(&e);
	send_signal(c, SIGKILL);
	if (!c->exited && loop_wait_cleanup(c->loop, &c->exited, clock_mono() + TERM_GRACE, &e) < 0)
		err_clear(&e); /* stuck in the kernel: it stays behind */
}

/* --- the start -------------------------------------------------------------------------------- */

static bool same_name(const char *a, const char *b)
{
	size_t n = strcspn(a, "=");

	return strncmp(a, b, n) == 0 && (b[n] == '=' || !b[n]);
}

static size_t count(const char *const *list)
{
	size_t n = 0;

	while (list && list[n])
		n++;
	return n;
}

/* Borrowed strings in an array of its own. */
static const char **make_env(const struct child_opts *o)
{
	const char *const *base = o->env ? o->env : (const char *const *)environ;
	size_t n_base = count(base), n_add = count(o->env_add), n = 0;
	const char **env = xcalloc(n_base + n_add + 1, sizeof(*env));

	for (size_t i = 0; i < n_base; i++) {
		bool replaced = false;

		for (size_t j = 0; j < n_add && !replaced; j++)
			replaced = same_name(o->env_add[j], base[i]);
		if (!replaced)
			env[n++] = base[i];
	}
	for (size_t j = 0; j < n_add; j++)
		env[n++] = o->env_add[j];
	return env;
}

/* ours does not block; theirs does, as programs expect. */
static int make_pipe(int *ours, int *theirs, bool we_read)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -1;
	*ours = ends[we_read ? 0 : 1];
	*theirs = ends[we_read ? 1 : 0];
	return fcntl(*ours, F_SETFL, O_NONBLOCK);
}

static int spawn(struct child *c, const int theirs[3])
{
	autofree const char **env = make_env(c->o);
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none, all;
	short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
	union {
		const char *const *in;
		char *const *out;
	} argv = {c->o->argv}, envp = {env};
	int rc;

	sigemptyset(&none);
	sigemptyset(&all);
	for (int i = 1; i < 32; i++) /* from 32 on some are glibc's own */
		sigaddset(&all, i);
	posix_spawn_file_actions_init(&files);
	posix_spawnattr_init(&attr);
	for (int i = 0; i < 3; i++)
		if (theirs[i] >= 0)
			posix_spawn_file_actions_adddup2(&files, theirs[i], i);
	posix_spawn_file_actions_addclosefrom_np(&files, 3);
	if (c->o->cwd)
		posix_spawn_file_actions_addchdir_np(&files, c->o->cwd);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	c->grouped = !c->o->stdin_inherit;
	if (c->grouped) {
		flags |= POSIX_SPAWN_SETPGROUP;
		posix_spawnattr_setpgroup(&attr, 0);
	}
	posix_spawnattr_setflags(&attr, flags);
	rc = posix_spawnp(&c->pid, c->o->argv[0], &files, &attr, argv.out, envp.out);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&files);
	return rc;
}

static int open_stdin(struct child *c, int *theirs)
{
	if (c->o->stdin_inherit)
		return 0;
	if (c->o->stdin_bytes && c->o->stdin_len)
		return make_pipe(&c->in, theirs, false);
	*theirs = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return *theirs < 0 ? -1 : 0;
}

static int start(struct child *c, struct err *e)
{
	const char *name = c->o->argv[0];
	int theirs[3] = {-1, -1, -1}, rc = 0;

	if (c->o->cwd && access(c->o->cwd, X_OK) < 0)
		return err_set(e, err_errno(errno), "%s: %s", c->o->cwd, strerror(errno));
	if (open_stdin(c, &theirs[0]) < 0 || make_pipe(&c->out.fd, &theirs[1], true) < 0 ||
	    make_pipe(&c->err.fd, &theirs[2], true) < 0)
		rc = err_set(e, ERR_IO, "%s: pipe: %s", name, strerror(errno));
	if (rc == 0) {
		int failed = spawn(c, theirs);

		if (failed == ENOENT)
			rc = err_set(e, ERR_NOT_FOUND, "%s: no such program", name);
		else if (failed)
			rc = err_set(e, err_errno(failed), "%s: %s", name, strerror(failed));
	}
	for (int i = 0; i < 3; i++)
		closep(&theirs[i]);
	return rc;
}

static int watch(struct child *c, struct err *e)
{
	struct loop *l = c->loop;

	c->exit_timer = loop_timer_new(l, on_exit_timer, c);
	c->pidfd = pidfd_open(c->pid, 0);
	if (c->pidfd < 0) /* an old kernel, or a sandbox */
		loop_timer_after(c->exit_timer, EXIT_POLL);
	else if (loop_fd_add(&c->exit_watch, l, c->pidfd, LOOP_READ, on_exit_event, c, e) < 0)
		return -1;
	if (loop_fd_add(&c->out.watch, l, c->out.fd, LOOP_READ, on_output, &c->out, e) < 0 ||
	    loop_fd_add(&c->err.watch, l, c->err.fd, LOOP_READ, on_output, &c->err, e) < 0)
		return -1;
	if (c->in >= 0 && loop_fd_add(&c->in_watch, l, c->in, LOOP_WRITE, on_input, c, e) < 0)
		return -1;
	return 0;
}

/* --- running ---------------------------------------------------------------------------------- */

static void stream_init(struct stream *s, struct child *c, bool is_stderr)
{
	size_t max = c->o->max_output ? c->o->max_output : DEFAULT_OUTPUT;

	*s = (struct stream){.child = c, .is_stderr = is_stderr, .fd = -1, .all = BUF_INIT(max)};
	if (c->o->on_line)
		s->line = xmalloc(LONGEST_LINE + 1);
}

static void stream_release(struct stream *s)
{
	drop_fd(&s->watch, &s->fd);
	free(s->line);
	buf_release(&s->all);
}

static void child_release(struct child *c)
{
	stream_release(&c->out);
	stream_release(&c->err);
	drop_fd(&c->in_watch, &c->in);
	drop_fd(&c->exit_watch, &c->pidfd);
	loop_timer_free(c->exit_timer);
}

static int wait_child(struct child *c, struct err *e)
{
	ns_t timeout = c->o->timeout ? c->o->timeout : DEFAULT_TIMEOUT;
	int rc = watch(c, e);

	if (rc == 0) {
		rc = loop_wait(c->loop, &c->done, clock_mono() + timeout, e);
		if (rc < 0)
			err_wrap(e, "%s", c->o->argv[0]);
	}
	if (rc == 0 && c->e.code != ERR_OK) {
		*e = c->e;
		rc = -1;
	}
	if (rc < 0)
		kill_group(c);
	return rc;
}

int child_run(struct child_result *out, struct loop *l, const struct child_opts *o, struct err *e)
{
	AUTO(child_release) struct child c = {.loop = l, .o = o, .in = -1, .pidfd = -1};
	int status = 0, rc;

	stream_init(&c.out, &c, false);
	stream_init(&c.err, &c, true);
	if (start(&c, e) < 0)
		return -1;
	rc = wait_child(&c, e);
	waitpid(c.pid, &status, WNOHANG);
	if (rc < 0)
		return -1;
	out->exit_code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	out->out = c.out.all;
	out->err = c.err.all;
	c.out.all = c.err.all = (struct buf){0};
	return 0;
}

void child_result_release(struct child_result *r)
{
	buf_release(&r->out);
	buf_release(&r->err);
	r->exit_code = 0;
}
