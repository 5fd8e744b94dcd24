/*
 * poll.h - asks coordinators how they are: by timers, from the loop, never from a reconcile. Answers are kept;
 * a change is told. Every connection is closed after its answer, so a hundred clusters hold none.
 */
#ifndef OPERATOR_POLL_H
#define OPERATOR_POLL_H

#include "base/loop.h"

struct poller;

struct poll_answer {
	bool asked; /* there has been an answer from this address */
	bool starting;
	int active; /* workers that have joined; -1: this engine does not tell */
	char version[64];
	int failures; /* in a row, since the last answer */
};

/* @changed: the answer for this key is another one now; may only enqueue. */
int poller_new(struct poller **out, struct loop *l, void (*changed)(const char *key, void *arg),
	       void *arg, struct err *e) MUST_CHECK;
void poller_free(struct poller *p);
/* poller_want - ask this address ("10.1.2.3") from now on, often while @progressing. Another address: from anew. */
void poller_want(struct poller *p, const char *key, const char *ip, bool progressing);
void poller_forget(struct poller *p, const char *key);
/* poller_get - zeroes (nothing known) for keys that nobody wanted. */
struct poll_answer poller_get(const struct poller *p, const char *key);
uint64_t poller_requests(const struct poller *p);

#endif
