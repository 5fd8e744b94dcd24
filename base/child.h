/*
 * child.h - child processes on the loop: no shell, own process group, deadlines, bounded output.
 */
#ifndef BASE_CHILD_H
#define BASE_CHILD_H

#include "base/buf.h"
#include "base/loop.h"

struct child_opts {
	const char *const *argv; /* argv[0] is looked up in PATH */
	const char *const *env;  /* NULL: inherited; else exactly these */
	const char *const
		*env_add;        /* NULL, or "NAME=value" put on top of the inherited environment */
	const char *cwd;         /* NULL: inherited */
	const char *stdin_bytes; /* NULL: /dev/null */
	size_t stdin_len;
	/* Interactive exec plugins: the terminal. Such a child stays in our process group, because
	 * a background group cannot read the terminal; in a failure it alone is ended, not its
	 * children. */
	bool stdin_inherit;
	size_t max_output; /* per stream; 0: 1 MiB. More ends the child with ERR_INVALID */
	ns_t timeout;      /* 0: 60 s */
	void (*on_line)(const char *line, bool is_stderr, void *arg); /* NULL: collect only */
	void *arg; /* lines longer than 64 KiB are cut */
};

struct child_result {
	int exit_code; /* 128 + signal when killed */
	struct buf out,
		err; /* the last max_output bytes when on_line is set, all of it otherwise */
};

/*
 * child_run - start, feed, wait by loop_wait. Any exit code is success here. It is over when the
 * child has exited and its output ended; descendants that hold the output open are waited for 1 s.
 * *out is written on success only. Messages name argv[0] alone: other arguments may be secret.
 * Returns -1 with ERR_NOT_FOUND (no such program), ERR_TIMEOUT, ERR_CANCELLED, ERR_INVALID (too
 * much output), ERR_IO. On failure the whole process group gets SIGTERM, and SIGKILL 5 s later, and
 * is reaped.
 */
int child_run(struct child_result *out, struct loop *l, const struct child_opts *o,
	      struct err *e) MUST_CHECK;
void child_result_release(struct child_result *r);

#endif
