/* api.c - sending: headers, tokens, repetitions. */
#include "gke/api.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "gke/secret.h"

#define TIMEOUT   (60 * NS_SEC)
#define RETRY_FOR (120 * NS_SEC)
#define BACKOFF   (500 * NS_MS)
#define PAUSE_MAX (20 * NS_SEC)
#define TRIES     8
#define BODY_MAX  (32u << 20)
#define PAGES_MAX 200
#define ITEMS_MAX 20000

struct gke {
	struct loop *loop;
	struct auth *auth;
	struct http *http;
	char *base[GKE_APIS];
	ns_t timeout, retry_for, backoff, ahead;
	void (*on_retry)(const struct err *e, ns_t wait, void *arg);
	void *arg;
};

int gke_new(struct gke **out, struct loop *l, struct auth *a, const struct gke_opts *o,
	    struct err *e)
{
	AUTO(gke_freep) struct gke *g = xcalloc(1, sizeof(*g));
	autofree char *ca = NULL;
	struct http_opts h = {
		.plain = HTTP_PLAIN_LOOPBACK,
		.user_agent = o->user_agent ? o->user_agent : "prestoctl",
	};

	g->loop = l;
	g->auth = a;
	g->timeout = o->timeout ? o->timeout : TIMEOUT;
	g->retry_for = o->retry_for ? o->retry_for : RETRY_FOR;
	g->backoff = o->backoff ? o->backoff : BACKOFF;
	g->on_retry = o->on_retry;
	g->arg = o->arg;
	for (unsigned i = 0; i < GKE_APIS; i++)
		if (endpoint_url(&g->base[i], i, &o->env, auth_universe(a), e) < 0)
			return -1;
	if (!o->ca_pem && gke_ca_pem(&ca, &o->env, e) < 0)
		return -1;
	h.ca_pem = o->ca_pem ? o->ca_pem : ca;
	if (http_new(&g->http, l, &h, e) < 0)
		return -1;
	*out = TAKE(g);
	return 0;
}

void gke_free(struct gke *g)
{
	if (!g)
		return;
	http_free(g->http);
	for (unsigned i = 0; i < GKE_APIS; i++)
		free(g->base[i]);
	free(g);
}

void gke_freep(struct gke **g)
{
	gke_free(*g);
	*g = NULL;
}

struct loop *gke_loop(const struct gke *g)
{
	return g->loop;
}

ns_t gke_ahead(const struct gke *g)
{
	return g->ahead;
}

struct auth *gke_auth(const struct gke *g)
{
	return g->auth;
}

const char *gke_base(const struct gke *g, enum gke_api api)
{
	return g->base[api];
}

/* --- one exchange ----------------------------------------------------------------------------- */

struct sending {
	struct gke *g;
	const struct gke_req *q;
	char *url, *body;
	bool refused, renewed;
	unsigned tries;
	ns_t start;
	struct gke_error why;
};

static bool is_free(const struct gke_req *q)
{
	return q->repeatable || streq(q->method, "GET") || streq(q->method, "DELETE") ||
	       streq(q->method, "HEAD");
}

static int send_once(struct http_resp *r, struct sending *s, struct err *e)
{
	const char *quota = auth_quota_project(s->g->auth);
	autosecret char *token = NULL, *bearer = NULL;
	autofree char *project = quota ? xasprintf("X-Goog-User-Project: %s", quota) : NULL;
	const char *headers[5] = {"Accept: application/json"};
	size_t n = 1;
	ns_t expiry;

	if (auth_token(&token, &expiry, s->refused, s->g->auth, e) < 0)
		return -1;
	s->refused = false;
	bearer = xasprintf("Authorization: Bearer %s", token);
	headers[n++] = bearer;
	if (s->body)
		headers[n++] = "Content-Type: application/json";
	if (project)
		headers[n++] = project;
	const struct http_req q = {
		.method = s->q->method,
		.url = s->url,
		.headers = headers,
		.body = {.bytes = s->body, .len = s->body ? strlen(s->body) : 0},
		.timeout = s->q->timeout ? s->q->timeout : s->g->timeout,
		.max_body = BODY_MAX,
		.once = !is_free(s->q),
	};
	if (http_do(s->g->http, &q, r, e) == 0)
		return 0;
	log_redact(e->msg);
	s->why.lost = !http_refused(e) && (e->code == ERR_UNAVAILABLE || e->code == ERR_TIMEOUT);
	s->why.cause = s->why.lost || http_refused(e) ? GKE_CAUSE_TRANSIENT : GKE_CAUSE_OTHER;
	return -1;
}

/* May it be sent again, and after which pause? */
static bool may_repeat(struct sending *s, const struct err *e, ns_t *wait)
{
	bool again = s->why.cause == GKE_CAUSE_RATE || http_refused(e) ||
		     (s->why.cause == GKE_CAUSE_TRANSIENT && is_free(s->q));
	ns_t pause = s->g->backoff << (s->tries > 8 ? 8 : s->tries);

	*wait = 0;
	if (s->why.cause == GKE_CAUSE_AUTH && !s->renewed) {
		s->refused = s->renewed = true;
		return true;
	}
	if (!again || s->tries + 1 >= TRIES)
		return false;
	pause += pause / 4 * (clock_mono() / NS_US % 100) / 100; /* others wait as well */
	if (pause > PAUSE_MAX)
		pause = PAUSE_MAX;
	*wait = e->retry_after > pause ? e->retry_after : pause;
	return clock_mono() - s->start + *wait < s->g->retry_for;
}

/* Done, says the status, but not what: what a request that is sent once has come to is not known then. */
static int unreadable(struct sending *s, const struct http_resp *r, const char *why, struct err *e)
{
	const char *text = buf_str(&r->body);

	s->why.lost = !is_free(s->q);
	text += strspn(text, " \t\r\n");
	err_set(e, ERR_PROTOCOL, "%s", *text == '<' ? "the answer is a web page" : why);
	return *text == '<' ? err_hint(e, "is there a proxy or a login page before Google?") : -1;
}

/* A reply that is not 2xx as an error; 2xx is parsed. */
static int take_reply(json_t **out, struct sending *s, const struct http_resp *r, struct err *e)
{
	struct err bad = ERR_INIT;

	if (r->status / 100 == 2) {
		if (!out)
			return 0;
		if (r->status == 204) {
			*out = json_object();
			return 0;
		}
		if (!r->body.len)
			return unreadable(s, r, "the answer is empty", e);
		if (jx_parse(out, r->body.data, r->body.len, "reply", &bad) < 0)
			return unreadable(s, r, bad.msg, e);
		if (json_is_object(*out))
			return 0;
		json_decref(*out);
		*out = NULL;
		return unreadable(s, r, "the reply is not a JSON object", e);
	}
	gke_error_decode(&s->why, r->status, buf_str(&r->body), r->body.len);
	if (r->retry_after > s->why.retry_delay)
		s->why.retry_delay = r->retry_after;
	gke_error_set(&s->why, auth_principal(s->g->auth), NULL, e);
	log_redact(e->msg);
	return -1;
}

static int attempt(json_t **out, struct sending *s, struct err *e)
{
	AUTO(http_resp_release) struct http_resp r = {0};

	int64_t theirs;

	s->why = (struct gke_error){0};
	if (send_once(&r, s, e) < 0)
		return -1;
	if (http_date(&theirs, &r))
		s->g->ahead = clock_wall() - theirs * NS_SEC;
	return take_reply(out, s, &r, e);
}

/* Only the last refusal is told at length. */
static int give_up(struct sending *s, struct err *e)
{
	if (s->q->why)
		*s->q->why = s->why;
	if (s->q->detail && s->why.http) {
		struct err again = ERR_INIT;

		gke_error_set(&s->why, NULL, s->q->detail, &again);
	}
	return err_wrap(e, "%s %.120s", s->q->method, s->q->path);
}

int gke_call(json_t **out, struct gke *g, const struct gke_req *q, struct err *e)
{
	autofree char *url = xasprintf("%s%s", g->base[q->api], q->path);
	autofree char *body = q->body ? jx_canonical(q->body) : NULL;
	struct sending s = {.g = g, .q = q, .url = url, .body = body, .start = clock_mono()};
	json_t *got = NULL;
	ns_t wait;

	if (q->why)
		*q->why = (struct gke_error){0};
	while (attempt(out ? &got : NULL, &s, e) < 0) {
		if (!may_repeat(&s, e, &wait))
			return give_up(&s, e);
		if (wait && g->on_retry)
			g->on_retry(e, wait, g->arg);
		struct err last = *e;
		err_clear(e);
		if (wait) {
			s.tries++;
			if (loop_sleep(g->loop, wait, e) < 0) {
				err_wrap(e, "%.200s", last.msg);
				return give_up(&s, e);
			}
		}
	}
	if (out)
		*out = got;
	return 0;
}

/* --- lists ------------------------------------------------------------------------------------ */

int gke_list(json_t **out, struct gke *g, enum gke_api api, const char *path, const char *items,
	     struct err *e)
{
	autojson json_t *all = json_array();
	autofree char *token = NULL;

	for (unsigned n = 0; n < PAGES_MAX; n++) {
		autojson json_t *page = NULL;
		autofree char *next = token ? gke_path("pageToken=%s", token) : NULL;
		autofree char *full = next ? xasprintf("%s%c%s", path,
						       strchr(path, '?') ? '&' : '?', next)
					   : xstrdup(path);
		const struct gke_req q = {.api = api, .method = "GET", .path = full};

		if (gke_call(&page, g, &q, e) < 0)
			return -1;
		json_array_extend(all, jx_get(page, items));
		if (json_array_size(all) > ITEMS_MAX)
			return err_set(e, ERR_INVALID, "%s: more than %d of them", path, ITEMS_MAX);
		free(token);
		token = NULL;
		if (!jx_str(page, "nextPageToken") || !*jx_str(page, "nextPageToken")) {
			*out = TAKE(all);
			return 0;
		}
		token = xstrdup(jx_str(page, "nextPageToken"));
	}
	return err_set(e, ERR_PROTOCOL, "%s: the list has no end", path);
}

char *gke_path(const char *fmt, ...)
{
	struct buf out = BUF_INIT(16u << 10);
	va_list ap;

	va_start(ap, fmt);
	for (const char *p = fmt; *p; p++) {
		if (p[0] == '%' && p[1] == 's') {
			autofree char *text = http_url_escape(va_arg(ap, const char *));

			buf_fit(&out, "%s", text);
			p++;
		} else {
			assert(*p != '%');
			buf_fit(&out, "%c", *p);
		}
	}
	va_end(ap);
	return buf_take(&out);
}
