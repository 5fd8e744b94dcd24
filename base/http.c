/*
 * http.c - identities, and waiting for calls: http_do and http_do_all are http_start + loop_wait.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/http_internal.h"

static char *dup_or_null(const char *s)
{
	return s ? xstrdup(s) : NULL;
}

static void wipe_free(char *s)
{
	if (s)
		mem_wipe(s, strlen(s));
	free(s);
}

static char *from_env(const char *name)
{
	const char *v = getenv(name);

	return v && *v ? xstrdup(v) : NULL;
}

int http_new(struct http **out, struct loop *l, const struct http_opts *o, struct err *e)
{
	struct http *h;

	if (!o->cert_pem != !o->key_pem)
		return err_set(e, ERR_INVALID,
			       "a client certificate needs its key, and a key its "
			       "certificate");
	if (!loop_curlm(l))
		return err_set(e, ERR_INTERNAL, "libcurl does not start");
	h = xcalloc(1, sizeof(*h));
	h->loop = l;
	h->multi = loop_curlm(l);
	h->ca = dup_or_null(o->ca_pem);
	h->cert = dup_or_null(o->cert_pem);
	h->key = dup_or_null(o->key_pem);
	h->server_name = dup_or_null(o->server_name);
	h->proxy = dup_or_null(o->proxy);
	h->unix_socket = dup_or_null(o->unix_socket);
	h->user_agent = dup_or_null(o->user_agent);
	h->insecure = o->insecure;
	h->plain = o->plain;
	if (!h->ca) {
		h->ca_file = from_env("CURL_CA_BUNDLE");
		if (!h->ca_file)
			h->ca_file = from_env("SSL_CERT_FILE");
		h->ca_dir = from_env("SSL_CERT_DIR");
	}
	*out = h;
	return 0;
}

void http_free(struct http *h)
{
	if (!h)
		return;
	assert(h->calls == 0);
	free(h->ca);
	free(h->cert);
	wipe_free(h->key);
	free(h->ca_file);
	free(h->ca_dir);
	free(h->server_name);
	wipe_free(h->proxy); /* may have a password in it */
	free(h->unix_socket);
	free(h->user_agent);
	free(h);
}

void http_freep(struct http **h)
{
	http_free(*h);
	*h = NULL;
}

struct loop *http_loop(const struct http *h)
{
	return h->loop;
}

void http_resp_release(struct http_resp *r)
{
	buf_release(&r->headers);
	buf_release(&r->body);
	*r = (struct http_resp){0};
}

/* --- waiting ---------------------------------------------------------------------------------- */

struct batch {
	struct http *h;
	const struct http_req *q;
	struct http_resp *r;
	struct err *errs;
	size_t n, next, running, failed, finished;
	bool done;
	struct job {
		struct batch *batch;
		struct http_call *call;
		bool done;
	} * jobs;
};

static void batch_fill(struct batch *b, size_t max_parallel);

static void job_end(struct job *j)
{
	struct batch *b = j->batch;

	j->done = true;
	b->failed += b->errs[j - b->jobs].code != ERR_OK;
	b->finished++;
	b->done = b->finished == b->n;
}

static void job_done(struct http_resp *r, struct err *e, void *arg)
{
	struct job *j = arg;
	struct batch *b = j->batch;
	size_t i = (size_t)(j - b->jobs);

	if (e->code == ERR_OK) {
		b->r[i] = *r;
		*r = (struct http_resp){0};
	}
	b->errs[i] = *e;
	http_call_free(TAKE(j->call));
	job_end(j);
	b->running--;
	batch_fill(b, b->running + 1);
}

static void batch_fill(struct batch *b, size_t max_parallel)
{
	while (b->next < b->n && b->running < max_parallel) {
		struct job *j = &b->jobs[b->next];
		size_t i = b->next++;

		if (http_start(&j->call, b->h, &b->q[i], job_done, j, &b->errs[i]) < 0)
			job_end(j);
		else
			b->running++;
	}
}

size_t http_do_all(struct http *h, const struct http_req *q, struct http_resp *r, struct err *errs,
		   size_t n, size_t max_parallel)
{
	autofree struct job *jobs = xcalloc(n ? n : 1, sizeof(*jobs));
	struct batch b = {
		.h = h, .q = q, .r = r, .errs = errs, .n = n, .done = n == 0, .jobs = jobs};
	struct err e = ERR_INIT;

	for (size_t i = 0; i < n; i++) {
		jobs[i].batch = &b;
		r[i] = (struct http_resp){0};
		errs[i] = (struct err)ERR_INIT;
	}
	batch_fill(&b, max_parallel ? max_parallel : 4);
	if (loop_wait(h->loop, &b.done, 0, &e) == 0)
		return b.failed;
	for (size_t i = 0; i < n; i++) {
		if (jobs[i].done)
			continue;
		errs[i] = e;
		err_wrap(&errs[i], "%s", jobs[i].call ? http_call_name(jobs[i].call) : q[i].method);
		http_call_free(TAKE(jobs[i].call));
		b.failed++;
	}
	return b.failed;
}

struct waiter {
	bool done;
	struct http_resp r;
	struct err e;
};

static void waiter_done(struct http_resp *r, struct err *e, void *arg)
{
	struct waiter *w = arg;

	w->r = *r;
	*r = (struct http_resp){0};
	w->e = *e;
	w->done = true;
}

int http_do(struct http *h, const struct http_req *q, struct http_resp *r, struct err *e)
{
	struct waiter w = {0};
	struct http_call *call = NULL;
	int rc;

	if (http_start(&call, h, q, waiter_done, &w, e) < 0)
		return -1;
	rc = loop_wait(h->loop, &w.done, 0, e);
	if (rc < 0) {
		err_wrap(e, "%s", http_call_name(call));
	} else if (w.e.code != ERR_OK) {
		*e = w.e;
		rc = -1;
	}
	http_call_free(call);
	if (rc < 0)
		http_resp_release(&w.r);
	else
		*r = w.r;
	return rc;
}
