/*
 * reconcile.h - makes one Presto resource true: reads the view, writes children and status, says events.
 * Waits on the loop; runs from the outer level only, one key at a time.
 */
#ifndef OPERATOR_RECONCILE_H
#define OPERATOR_RECONCILE_H

#include "k8s/event.h"
#include "operator/apply.h"
#include "operator/poll.h"

struct reconciler {
	struct applier applier;
	struct view *view;
	struct poller *poller;
	struct events *events;
};

struct reconcile_result {
	bool again;         /* once more after the others */
	ns_t requeue_after; /* 0: when something happens */
};

/*
 * reconcile - @busy: others are waiting, so a pass that wrote children leaves the status to its next turn
 * (again is set then). Returns 0, or -1 with an error that another try may cure; what only an edit can cure is in
 * the resource's conditions.
 */
int reconcile(struct reconciler *r, const char *key, bool busy, struct reconcile_result *res,
	      struct err *e) MUST_CHECK;

#endif
