/* serve.c - three pages for kubelet and Prometheus. */
#include "operator/serve.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/version.h"
#include "k8s/workqueue.h"

static void metric(struct buf *b, const char *name, const char *type, const char *help,
		   uint64_t value)
{
	buf_fit(b, "# HELP %s %s\n# TYPE %s %s\n%s %" PRIu64 "\n", name, help, name, type, name,
		value);
}

char *server_metrics(const struct server *s)
{
	const struct reconciler *r = s->reconciler;
	struct informer_stats w = view_stats(r->view);
	AUTO(buf_release) struct buf b = BUF_INIT(16384);

	metric(&b, "presto_operator_reconciles_total", "counter", "Passes over Presto resources.",
	       s->counters->reconciles);
	metric(&b, "presto_operator_reconcile_errors_total", "counter",
	       "Passes that failed and are tried again.", s->counters->errors);
	metric(&b, "presto_operator_reconcile_milliseconds_total", "counter",
	       "Time spent in passes.", (uint64_t)(s->counters->seconds_total / NS_MS));
	metric(&b, "presto_operator_queue_depth", "gauge", "Resources that wait for a pass.",
	       workqueue_len(s->queue));
	metric(&b, "presto_operator_prestos", "gauge", "Presto resources.", view_cr_count(r->view));
	metric(&b, "presto_operator_api_requests_total", "counter",
	       "Requests of passes to the API server.", r->applier.requests);
	metric(&b, "presto_operator_api_lists_total", "counter", "Lists of informers.", w.lists);
	metric(&b, "presto_operator_api_watches_total", "counter", "Watches of informers.",
	       w.watches);
	metric(&b, "presto_operator_watch_events_total", "counter", "Events of watches.", w.events);
	metric(&b, "presto_operator_watch_errors_total", "counter",
	       "Failures of lists and watches.", w.errors);
	metric(&b, "presto_operator_coordinator_requests_total", "counter",
	       "Questions to coordinators.", poller_requests(r->poller));
	buf_fit(&b,
		"# HELP presto_operator_build_info What this is.\n# TYPE presto_operator_build_info gauge\n"
		"presto_operator_build_info{version=\"%s\",commit=\"%s\"} 1\n",
		version_text, version_commit);
	return buf_take(&b);
}

static void answer(struct httpd_call *c, void *arg)
{
	const struct server *s = arg;
	const char *path = httpd_path(c), *error;

	if (strcmp(httpd_method(c), "GET") != 0) {
		httpd_reply_text(c, 405, "GET only\n");
	} else if (streq(path, "/healthz")) {
		httpd_reply_text(c, 200, "ok\n");
	} else if (streq(path, "/readyz")) {
		error = view_error(s->reconciler->view);
		if (view_synced(s->reconciler->view))
			httpd_reply_text(c, 200, "ok\n");
		else
			httpd_reply_text(c, 503, "not synced yet%s%s\n", *error ? ": " : "", error);
	} else if (streq(path, "/metrics")) {
		autofree char *text = server_metrics(s);

		httpd_reply(c, 200, "text/plain; version=0.0.4", text, strlen(text), NULL);
	} else {
		httpd_reply_text(c, 404, "there are /healthz, /readyz and /metrics\n");
	}
}

int server_start(struct server *s, struct loop *l, const char *address, struct err *e)
{
	const struct httpd_opts o = {.address = address,
				     .max_body = 1024,
				     .max_connections = 16,
				     .fn = answer,
				     .arg = s};

	return httpd_new(&s->httpd, l, &o, e);
}

void server_stop(struct server *s)
{
	httpd_free(s->httpd);
	s->httpd = NULL;
}
