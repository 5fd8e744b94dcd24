/*
 * down.h - the removal of what `up` made, in the reverse order. Only what carries this environment's label goes; what
 * stays, and why, is written down.
 */
#ifndef PROVISION_DOWN_H
#define PROVISION_DOWN_H

#include "provision/target.h"

#define DOWN_LINES_MAX (16u << 10)

struct down {
	struct app *app;
	struct target *t;
	bool keep_cluster;
	struct provider_removal removal; /* how; down_release frees what it has told */
	bool whole_cluster; /* the cluster itself goes: what is inside need not be taken out */
	struct buf stays;   /* lines: what is left on purpose */
	struct buf failed;  /* lines: what could not be removed */
	size_t failures;
};

/* down_init - d->t borrows it as long as it lives. */
void down_init(struct down *d, struct app *a, struct target *t);
void down_release(struct down *d);
/*
 * down_environment - all of it: what is inside, then the cluster when we made it, then what is remembered. On failure
 * what is remembered stays, and the next call goes on from there; d->removal tells what is left.
 */
int down_environment(struct down *d, struct err *e) MUST_CHECK;
/* down_tell - the result on stdout; not done: only what is known to be left. */
void down_tell(const struct down *d, bool done);

/* down_presto - the environment's Presto resources, and everything that the operator made for them. */
int down_presto(struct down *d, struct err *e) MUST_CHECK;
/* down_operator - Deployment, binding, role, service account. */
int down_operator(struct down *d, struct err *e) MUST_CHECK;
/* down_crd, down_namespace - if this environment made them and no other Presto is left. */
int down_crd(struct down *d, struct err *e) MUST_CHECK;
int down_namespace(struct down *d, struct err *e) MUST_CHECK;

#endif
