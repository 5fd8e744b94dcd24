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
	bool whole_cluster; /* the cluster itself goes: what is inside need not be taken out */
	struct buf stays;   /* lines: what is left on purpose */
	struct buf failed;  /* lines: what could not be removed */
	size_t failures;
};

/* down_presto - the environment's Presto resources, and everything that the operator made for them. */
int down_presto(struct down *d, struct err *e) MUST_CHECK;
/* down_operator - Deployment, binding, role, service account. */
int down_operator(struct down *d, struct err *e) MUST_CHECK;
/* down_crd, down_namespace - if this environment made them and no other Presto is left. */
int down_crd(struct down *d, struct err *e) MUST_CHECK;
int down_namespace(struct down *d, struct err *e) MUST_CHECK;

#endif
