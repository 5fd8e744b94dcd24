/*
 * client.c - one API server: identity, headers, sending, and the only place with retries.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "k8s/client_internal.h"

#define MAX_HEADERS   160
#define MAX_RETRIES   3
#define BACKOFF_FIRST (100 * NS_MS)
#define BACKOFF_MAX   (5 * NS_SEC)
#define PARALLEL      4

struct k8s {
	struct loop *loop;
	struct http *http;
	struct http **retired; /* identities of before, which running watches still use */
	size_t n_retired;
	struct k8s_config config;
	struct cred cred;
	unsigned generation; /* of the certificate inside http */
	char *user_agent;
	ns_t timeout, retry_for;
	void (*on_retry)(const struct err *e, ns_t wait, void *arg);
	void *arg;
	char *fixed[MAX_HEADERS]; /* impersonation */
	size_t n_fixed;
};

/* The headers of one request; the lines that are made for it are wiped after it has started. */
struct lines {
	const char *v[MAX_HEADERS * 2];
	char *authorization;
	char content_type[80];
};

static void add_fixed(struct k8s *k, char *line)
{
	if (k->n_fixed < MAX_HEADERS)
		k->fixed[k->n_fixed++] = line;
	else
		free(line);
}

static void add_impersonation(struct k8s *k)
{
	const struct k8s_config *c = &k->config;
	const char *key;
	const json_t *list;

	if (c->as_user)
		add_fixed(k, xasprintf("Impersonate-User: %s", c->as_user));
	if (c->as_uid)
		add_fixed(k, xasprintf("Impersonate-Uid: %s", c->as_uid));
	for (size_t i = 0; i < json_array_size(c->as_groups); i++)
		add_fixed(k, xasprintf("Impersonate-Group: %s",
				       json_string_value(json_array_get(c->as_groups, i))));
	jx_foreach (c->as_extra, key, list) {
		/* Header names know fewer characters than keys: the API server decodes them. */
		autofree char *name = http_url_escape(key);

		for (size_t i = 0; i < json_array_size(list); i++)
			add_fixed(k, xasprintf("Impersonate-Extra-%s: %s", name,
					       json_string_value(json_array_get(list, i))));
	}
}

static int make_http(struct k8s *k, struct err *e)
{
	const struct k8s_config *c = &k->config;
	struct http_opts o = {
		.ca_pem = c->ca_pem,
		.cert_pem = k->cred.cert_pem ? k->cred.cert_pem : c->cert_pem,
		.key_pem = k->cred.key_pem ? k->cred.key_pem : c->key_pem,
		.server_name = c->server_name,
		.insecure = c->insecure,
		.proxy = c->proxy_url,
		.plain = HTTP_PLAIN_LOOPBACK,
		.user_agent = k->user_agent,
	};
	struct http *made = NULL;

	if (http_new(&made, k->loop, &o, e) < 0)
		return err_wrap(e, "cluster %s", c->cluster ? c->cluster : c->server);
	if (k->http) {
		k->retired = xreallocarray(k->retired, k->n_retired + 1, sizeof(struct http *));
		k->retired[k->n_retired++] = k->http;
	}
	k->http = made;
	k->generation = k->cred.generation;
	return 0;
}

int k8s_new(struct k8s **out, struct loop *l, struct k8s_config *c, const struct k8s_opts *o,
	    struct err *e)
{
	struct k8s *k = xcalloc(1, sizeof(*k));

	k->loop = l;
	k->config = *c;
	*c = (struct k8s_config)K8S_CONFIG_INIT;
	k->user_agent = xstrdup(o && o->user_agent ? o->user_agent : "k8s");
	k->timeout = o && o->timeout ? o->timeout : K8S_TIMEOUT;
	k->retry_for = o ? o->retry_for : 0;
	k->on_retry = o ? o->on_retry : NULL;
	k->arg = o ? o->arg : NULL;
	cred_init(&k->cred, l, &k->config);
	add_impersonation(k);
	if (make_http(k, e) < 0) {
		k8s_free(k);
		return -1;
	}
	*out = k;
	return 0;
}

void k8s_retry_for(struct k8s *k, ns_t retry_for)
{
	k->retry_for = retry_for;
}

void k8s_free(struct k8s *k)
{
	if (!k)
		return;
	http_free(k->http);
	for (size_t i = 0; i < k->n_retired; i++)
		http_free(k->retired[i]);
	free(k->retired);
	for (size_t i = 0; i < k->n_fixed; i++)
		free(k->fixed[i]);
	cred_release(&k->cred);
	k8s_config_release(&k->config);
	free(k->user_agent);
	free(k);
}

void k8s_freep(struct k8s **k)
{
	k8s_free(*k);
	*k = NULL;
}

const struct k8s_config *k8s_config_of(const struct k8s *k)
{
	return &k->config;
}

struct loop *k8s_loop(const struct k8s *k)
{
	return k->loop;
}

int k8s_token_refresh(struct k8s *k, bool refused, struct err *e)
{
	if (cred_refresh(&k->cred, refused, e) < 0)
		return -1;
	return k->cred.generation == k->generation ? 0 : make_http(k, e);
}

void k8s_token_reread(struct k8s *k)
{
	cred_reread(&k->cred);
}

/* --- requests --------------------------------------------------------------------------------- */

static void lines_make(struct lines *x, const struct k8s *k, const char *const *more,
		       const char *content_type)
{
	size_t n = 0;
	bool accept = false;

	for (size_t i = 0; more && more[i] && n < MAX_HEADERS - 4; i++) {
		accept = accept || strncasecmp(more[i], "accept:", 7) == 0;
		x->v[n++] = more[i];
	}
	if (!accept)
		x->v[n++] = "Accept: application/json, */*";
	x->authorization = cred_header(&k->cred);
	if (x->authorization)
		x->v[n++] = x->authorization;
	if (content_type) {
		snprintf(x->content_type, sizeof(x->content_type), "Content-Type: %s",
			 content_type);
		x->v[n++] = x->content_type;
	}
	for (size_t i = 0; i < k->n_fixed; i++)
		x->v[n++] = k->fixed[i];
	x->v[n] = NULL;
}

static void lines_release(struct lines *x)
{
	if (x->authorization)
		mem_wipe(x->authorization, strlen(x->authorization));
	free(x->authorization);
	x->authorization = NULL;
}

void k8s_url_add(char **url, const char *key, const char *value)
{
	if (!value)
		return;
	autofree char *text = http_url_escape(value);
	char *longer = xasprintf("%s%c%s=%s", *url, strchr(*url, '?') ? '&' : '?', key, text);
	free(*url);
	*url = longer;
}

void k8s_call_release(struct k8s_call *c)
{
	free(c->path);
	free(c->body);
	http_resp_release(&c->r);
	c->path = c->body = NULL;
}

/* --- retries ---------------------------------------------------------------------------------- */

struct sending {
	struct k8s *k;
	struct k8s_call *calls;
	size_t n;
	unsigned tries;
	ns_t start, wait;
	bool refused, reauthorized;
};

static bool worth_retry(const struct k8s_call *c)
{
	if (c->e.http == 429 || http_refused(&c->e))
		return true;
	if (c->once)
		return false;
	return c->e.http ? c->e.http >= 500 && c->e.http <= 504 && c->e.http != 501
			 : c->e.code == ERR_UNAVAILABLE;
}

/* When may it be asked again, if at all? */
static bool may_wait(const struct sending *s, const struct k8s_call *c, ns_t *wait)
{
	const struct k8s *k = s->k;
	ns_t spent = clock_mono() - s->start;
	ns_t left = k->retry_for ? k->retry_for - spent : k->timeout;

	*wait = BACKOFF_FIRST << (s->tries > 6 ? 6 : s->tries);
	if (*wait > BACKOFF_MAX)
		*wait = BACKOFF_MAX;
	if (c->e.retry_after > *wait)
		*wait = c->e.retry_after;
	if (!k->retry_for && s->tries >= MAX_RETRIES)
		return false;
	return *wait < left;
}

/* One reply: settled, or to be asked again after s->wait. */
static void judge(struct sending *s, struct k8s_call *c)
{
	ns_t wait = 0;

	c->settled = true;
	if (c->e.code == ERR_OK && c->r.status / 100 == 2)
		return;
	if (c->e.code == ERR_OK)
		k8s_status_err(&c->r, &c->e);
	if (c->e.http == 401 && !s->reauthorized && cred_renewable(&s->k->cred)) {
		s->refused = true;
		c->settled = false;
	} else if (worth_retry(c) && may_wait(s, c, &wait)) {
		if (wait > s->wait)
			s->wait = wait;
		c->settled = false;
	}
}

static void send_round(struct sending *s, struct k8s_call **todo, size_t n)
{
	struct k8s *k = s->k;
	autofree struct http_req *q = xcalloc(n, sizeof(*q));
	autofree struct http_resp *r = xcalloc(n, sizeof(*r));
	autofree struct err *errs = xcalloc(n, sizeof(*errs));
	autofree struct lines *lines = xcalloc(n, sizeof(*lines));
	autofree char **urls = xcalloc(n, sizeof(*urls));

	for (size_t i = 0; i < n; i++) {
		const struct k8s_call *c = todo[i];

		lines_make(&lines[i], k, NULL, c->content_type);
		urls[i] = xasprintf("%s%s", k->config.server, c->path);
		q[i] = (struct http_req){
			.method = c->method,
			.url = urls[i],
			.headers = lines[i].v,
			.body = {.bytes = c->body, .len = c->body ? strlen(c->body) : 0},
			.timeout = c->timeout ? c->timeout : k->timeout,
			.max_body = c->max_body,
		};
	}
	http_do_all(k->http, q, r, errs, n, PARALLEL);
	for (size_t i = 0; i < n; i++) {
		http_resp_release(&todo[i]->r);
		todo[i]->r = r[i];
		todo[i]->e = errs[i];
		judge(s, todo[i]);
		lines_release(&lines[i]);
		free(urls[i]);
	}
}

static size_t unsettled(const struct sending *s, struct k8s_call **todo)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++)
		if (!s->calls[i].settled)
			todo[n++] = &s->calls[i];
	return n;
}

/* Nothing more can be asked: what is open fails with this, after its own story. */
static void give_up(struct k8s_call **todo, size_t n, const struct err *why)
{
	for (size_t i = 0; i < n; i++) {
		struct err last = todo[i]->e;

		todo[i]->e = *why;
		if (last.code != ERR_OK)
			err_wrap(&todo[i]->e, "%.300s", last.msg);
		todo[i]->settled = true;
	}
}

/* Before a round: the token, and after a failure the pause. */
static int prepare(struct sending *s, struct k8s_call *first, struct err *e)
{
	struct k8s *k = s->k;

	if (s->wait) {
		if (k->on_retry)
			k->on_retry(&first->e, s->wait, k->arg);
		if (loop_sleep(k->loop, s->wait, e) < 0)
			return -1;
		s->tries++;
		s->wait = 0;
	}
	if (s->refused)
		s->reauthorized = true;
	if (k8s_token_refresh(k, s->refused, e) < 0)
		return -1;
	s->refused = false;
	return 0;
}

size_t k8s_send(struct k8s *k, struct k8s_call *calls, size_t n)
{
	autofree struct k8s_call **todo = xcalloc(n ? n : 1, sizeof(struct k8s_call *));
	struct sending s = {.k = k, .calls = calls, .n = n, .start = clock_mono()};
	size_t open, failed = 0;
	struct err e = ERR_INIT;

	while ((open = unsettled(&s, todo)) > 0) {
		if (prepare(&s, todo[0], &e) < 0) {
			give_up(todo, open, &e);
			break;
		}
		send_round(&s, todo, open);
	}
	for (size_t i = 0; i < n; i++)
		failed += calls[i].e.code != ERR_OK;
	return failed;
}

int k8s_send_one(json_t **out, struct k8s *k, struct k8s_call *c, struct err *e)
{
	autojson json_t *doc = NULL;
	int rc = -1;

	if (k8s_send(k, c, 1) > 0)
		*e = c->e;
	else if (!out || jx_parse(&doc, buf_str(&c->r.body), c->r.body.len, c->path, e) == 0)
		rc = 0;
	k8s_call_release(c);
	if (rc < 0)
		return -1;
	if (out && !json_is_object(doc))
		return err_set(e, ERR_PROTOCOL, "the API server answered with no object");
	if (out)
		*out = TAKE(doc);
	return 0;
}

/* --- other callers' requests ------------------------------------------------------------------ */

static void request(struct http_req *mine, struct lines *lines, char **url, const struct k8s *k,
		    const struct http_req *q)
{
	lines_make(lines, k, q->headers, NULL);
	*url = xasprintf("%s%s", k->config.server, q->url);
	*mine = *q;
	mine->url = *url;
	mine->headers = lines->v;
	if (!mine->timeout)
		mine->timeout = k->timeout;
}

static int raw_once(struct http_resp *r, struct k8s *k, const struct http_req *q, struct err *e)
{
	struct http_req mine;
	struct lines lines = {0};
	autofree char *url = NULL;

	request(&mine, &lines, &url, k, q);
	int rc = http_do(k->http, &mine, r, e);
	lines_release(&lines);
	return rc;
}

int k8s_raw(struct http_resp *r, struct k8s *k, const struct http_req *q, struct err *e)
{
	struct http_resp got = {0};

	if (k8s_token_refresh(k, false, e) < 0 || raw_once(&got, k, q, e) < 0)
		return -1;
	if (got.status == 401 && cred_renewable(&k->cred)) {
		http_resp_release(&got);
		if (k8s_token_refresh(k, true, e) < 0 || raw_once(&got, k, q, e) < 0)
			return -1;
	}
	*r = got;
	return 0;
}

/* A token file may be looked at without waiting; a plugin is left to those who may. */
static int prepare_no_wait(struct k8s *k, struct err *e)
{
	return k->config.token_file ? k8s_token_refresh(k, false, e) : 0;
}

int k8s_stream(struct http_call **out, struct k8s *k, const struct http_req *q,
	       const struct http_stream_cb *cb, struct err *e)
{
	struct http_req mine;
	struct lines lines = {0};
	autofree char *url = NULL;

	if (prepare_no_wait(k, e) < 0)
		return -1;
	request(&mine, &lines, &url, k, q);
	int rc = http_stream(out, k->http, &mine, cb, e);
	lines_release(&lines);
	return rc;
}

int k8s_start(struct http_call **out, struct k8s *k, const struct http_req *q, http_done_fn *fn,
	      void *arg, struct err *e)
{
	struct http_req mine;
	struct lines lines = {0};
	autofree char *url = NULL;

	if (prepare_no_wait(k, e) < 0)
		return -1;
	request(&mine, &lines, &url, k, q);
	int rc = http_start(out, k->http, &mine, fn, arg, e);
	lines_release(&lines);
	return rc;
}
