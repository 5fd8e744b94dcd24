/*
 * serve.h - /healthz, /readyz and /metrics. Answered by the loop's own thread: a stuck loop fails its probe.
 */
#ifndef OPERATOR_SERVE_H
#define OPERATOR_SERVE_H

#include "base/httpd.h"
#include "k8s/workqueue.h"
#include "operator/reconcile.h"

struct counters {
	uint64_t reconciles, errors;
	ns_t seconds_total; /* spent in reconciles, in ns */
};

struct server {
	struct httpd *httpd;
	const struct reconciler *reconciler;
	const struct workqueue *queue;
	const struct counters *counters;
};

/* server_start - @address as httpd takes it. The server is the caller's and must stay where it is. */
int server_start(struct server *s, struct loop *l, const char *address, struct err *e) MUST_CHECK;
void server_stop(struct server *s);
/* server_metrics - the text in Prometheus' exposition format. Owned. */
char *server_metrics(const struct server *s);

#endif
