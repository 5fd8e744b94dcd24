/*
 * status.h - what is going on, in words and numbers. Pure: facts in, the status object out.
 */
#ifndef OPERATOR_STATUS_H
#define OPERATOR_STATUS_H

#include "base/jx.h"

/* One role's Deployment and pods, as far as they tell something. */
struct role_facts {
	bool exists;   /* the Deployment is there */
	bool observed; /* its controller has seen the latest generation */
	int replicas, updated, ready, available;
	const char *failure; /* why pods cannot be made, or NULL */
	const char *trouble; /* "pod NAME: ImagePullBackOff: ...", or NULL */
	bool fatal;          /* waiting cannot help */
};

struct status_facts {
	int64_t generation;
	const char *now;                      /* RFC 3339 */
	const json_t *old;                    /* the status so far, or NULL */
	const char *name, *service;           /* NULL: keep what the old status says */
	const char *invalid_reason, *invalid; /* the resource cannot be used, NULL: it can */
	const char *taken;                    /* a name is taken, or NULL */
	const char *failing;                  /* writing children fails for now, or NULL */
	int desired;                          /* workers asked for */
	struct role_facts coordinator, worker;
	/* the coordinator's own word */
	bool asked; /* it has answered */
	bool unreachable; /* it cannot be asked from here, or does not tell: readiness of pods has to do */
	bool starting;
	int active; /* workers that have joined; -1: it did not say */
	const char *version;
};

/* status_of - a whole new status, owned. Transition times are kept where nothing has changed. */
json_t *status_of(const struct status_facts *f);
/* status_same - is there anything to write? Fields and conditions that are not ours do not count. */
bool status_same(const json_t *old, const json_t *new);
/* status_progressing - something is expected to change soon. */
bool status_progressing(const json_t *status);
/* status_transitions - conditions whose status or reason is not what it was, told one by one. */
void status_transitions(const json_t *old, const json_t *new,
			void (*fn)(bool warning, const char *reason, const char *message,
				   void *arg),
			void *arg);

#endif
