/*
 * progress.h - how far a command is, on stderr: a line per step; on a terminal also a live line with a spinner
 * below; with --output json one JSON object a line:
 *	{"event":"step","name":"crd","state":"started"|"running"|"done"|"failed","message":TEXT,"elapsed_ms":N}
 *	{"event":"warning","message":TEXT}
 * Where there is no terminal, news of a long step is told at most every ten seconds.
 */
#ifndef PROVISION_PROGRESS_H
#define PROVISION_PROGRESS_H

#include "base/loop.h"

struct progress;

struct progress_opts {
	struct loop *loop; /* for the spinner; NULL: none */
	bool json, tty, color;
	FILE *to;
};

struct progress *progress_new(const struct progress_opts *o);
void progress_free(struct progress *p); /* NULL is fine, here and below */

/* One step at a time: begin, any number of say, end. */
void progress_begin(struct progress *p, const char *name, const char *title);
void progress_say(struct progress *p, const char *fmt, ...) PRINTF_LIKE(2, 3);
void progress_end(struct progress *p, bool ok, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* progress_warn - a line of its own, also between steps. */
void progress_warn(struct progress *p, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* progress_note - a plain line for people; nothing in JSON. */
void progress_note(struct progress *p, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
