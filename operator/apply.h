/*
 * apply.h - makes the cluster hold intents, whatever they are: knows nothing of Presto's own kinds beyond their
 * labels and owner. Waits on the loop, so only a reconcile may call it.
 */
#ifndef OPERATOR_APPLY_H
#define OPERATOR_APPLY_H

#include "operator/view.h"

struct applier {
	struct k8s *k;
	struct view *view;
	uint64_t requests; /* sent, for the metrics */
};

struct apply_owner {
	const char *key, *ns, *uid;
};

/* What came of a pass over all waves. Texts are owned. */
struct apply_report {
	struct buf made, changed, removed; /* "Deployment presto-worker-x, ..." */
	size_t writes;
	bool waiting; /* an old child of that name is still going: its event brings us back */
	bool again; /* somebody else was quicker, or our own write left others' keys: look again at once */
	char *taken; /* "Service x belongs to ...", NULL: no name is taken */
	char *refused; /* what the API server said about an intent that it will not have, NULL: nothing */
	struct err retry; /* a failure that another try may cure; ERR_OK: none */
};
#define APPLY_REPORT_INIT                                                                    \
	{                                                                                    \
		.made = BUF_INIT(1024), .changed = BUF_INIT(1024), .removed = BUF_INIT(1024) \
	}

/*
 * apply_waves - each wave as one parallel batch, the next only when the one before has gone through, then the
 * prune of what this owner has and no longer wants. Children that hold their intent cost no request.
 * An object that is not this owner's is never written. Returns 0, or -1 with ERR_CANCELLED, or ERR_INTERNAL for
 * waves without any object; all else is in the report.
 */
int apply_waves(struct apply_report *rep, struct applier *a, const struct apply_owner *o,
		const json_t *waves, struct err *e) MUST_CHECK;
void apply_report_release(struct apply_report *rep);

#endif
