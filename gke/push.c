/* push.c - one registry: its credentials, and requests that carry them. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/base64.h"
#include "base/log.h"
#include "gke/endpoint.h"
#include "gke/push_internal.h"
#include "gke/secret.h"

#define BACKOFF     NS_SEC
#define ASK_TIMEOUT (30 * NS_SEC)
#define REPLY_MAX   (1u << 20)

#define ACCEPT                                                        \
	"Accept: application/vnd.oci.image.index.v1+json, "           \
	"application/vnd.oci.image.manifest.v1+json, "                \
	"application/vnd.docker.distribution.manifest.list.v2+json, " \
	"application/vnd.docker.distribution.manifest.v2+json"

/* --- life ------------------------------------------------------------------------------------- */

bool push_host_is_google(const char *host)
{
	return ends_with(host, ".pkg.dev") || streq(host, "gcr.io") || ends_with(host, ".gcr.io");
}

int push_new(struct push **out, struct loop *l, const struct push_opts *o, struct err *e)
{
	AUTO(push_freep) struct push *p = xcalloc(1, sizeof(*p));
	struct http_opts h = {.ca_pem = o->ca_pem,
			      .plain = HTTP_PLAIN_LOOPBACK,
			      .user_agent = o->user_agent ? o->user_agent : "prestoctl"};
	autofree char *probe = xasprintf("http://%s", o->host);
	bool loopback = endpoint_loopback(probe);

	if (!*o->host ||
	    strspn(o->host, "abcdefghijklmnopqrstuvwxyz0123456789.-:[]") != strlen(o->host))
		return err_set(e, ERR_INVALID, "\"%.80s\" is not the host of a registry", o->host);
	if (o->google && !loopback && !push_host_is_google(o->host)) {
		err_set(e, ERR_DENIED, "%.80s is not Google's: the Google token is not sent there",
			o->host);
		return err_hint(e, "give a user name and a password for this registry");
	}
	p->loop = l;
	p->google = o->google;
	p->host = xstrdup(o->host);
	p->base = xasprintf("%s://%s", loopback ? "http" : "https", o->host);
	p->user = o->user ? xstrdup(o->user) : NULL;
	p->password = o->password ? xstrdup(o->password) : NULL;
	log_secret(p->password);
	p->backoff = o->backoff ? o->backoff : BACKOFF;
	p->progress = o->progress;
	p->sending = o->sending;
	p->on_retry = o->on_retry;
	p->arg = o->arg;
	if (http_new(&p->http, l, &h, e) < 0)
		return -1;
	*out = TAKE(p);
	return 0;
}

void push_free(struct push *p)
{
	if (!p)
		return;
	http_free(p->http);
	secret_free(p->password);
	secret_free(p->authorization);
	free(p->host);
	free(p->base);
	free(p->user);
	free(p->scope);
	free(p);
}

void push_freep(struct push **p)
{
	push_free(*p);
	*p = NULL;
}

/* --- what a 401 asks for ---------------------------------------------------------------------- */

/* key="value" or key=value at *at; moves behind it. false: no more of them. */
static bool parameter(const char **at, char *key, size_t key_size, char *value, size_t value_size)
{
	const char *p = *at;
	size_t n = 0, v = 0;

	p += strspn(p, " \t,");
	while (*p && (isalnum((unsigned char)*p) || *p == '_' || *p == '-')) {
		if (n + 1 < key_size)
			key[n++] = (char)tolower((unsigned char)*p);
		p++;
	}
	key[n] = '\0';
	if (!n || *p != '=')
		return false;
	p++;
	if (*p == '"') {
		for (p++; *p && *p != '"'; p++) {
			if (*p == '\\' && p[1])
				p++;
			if (v + 1 < value_size)
				value[v++] = *p;
		}
		p += *p == '"';
	} else {
		for (; *p && *p != ',' && *p != ' '; p++)
			if (v + 1 < value_size)
				value[v++] = *p;
	}
	value[v] = '\0';
	*at = p;
	return true;
}

void push_challenge_parse(struct push_challenge *out, const char *header)
{
	const char *at = strcasestr(header, "Bearer ");
	char key[32], value[512];

	*out = (struct push_challenge){.basic = strcasestr(header, "Basic ") != NULL};
	if (!at)
		return;
	out->bearer = true;
	at += strlen("Bearer ");
	while (parameter(&at, key, sizeof(key), value, sizeof(value))) {
		if (streq(key, "realm"))
			snprintf(out->realm, sizeof(out->realm), "%s", value);
		else if (streq(key, "service"))
			snprintf(out->service, sizeof(out->service), "%.255s", value);
		else if (streq(key, "scope"))
			snprintf(out->scope, sizeof(out->scope), "%s", value);
	}
}

/* User and password of now, as a header; *none when there are none. */
static int basic_line(char **out, struct push *p, bool refused, struct err *e)
{
	autosecret char *token = NULL, *pair = NULL, *code = NULL;
	ns_t expiry;

	if (p->google) {
		if (auth_token(&token, &expiry, refused, p->google, e) < 0)
			return -1;
		pair = xasprintf("oauth2accesstoken:%s", token);
	} else if (p->user && p->password) {
		pair = xasprintf("%s:%s", p->user, p->password);
	} else {
		return 0;
	}
	code = base64_encode(pair, strlen(pair));
	log_secret(code);
	*out = xasprintf("Authorization: Basic %s", code);
	return 0;
}

bool push_same_host(const struct push *p, const char *url)
{
	size_t n = strlen(p->base);

	return starts_with(url, p->base) && (!url[n] || strchr("/?", url[n]));
}

/* A password goes to its registry's own token service; Google's token nowhere but to its registry. */
static int check_realm(const struct push *p, const char *realm, struct err *e)
{
	if (push_same_host(p, realm) || endpoint_loopback(realm))
		return 0;
	if (p->google || !starts_with(realm, "https://"))
		return err_set(e, ERR_DENIED,
			       "%s: it wants credentials sent to %.120s: they are not", p->host,
			       realm);
	return 0;
}

static char *realm_url(const struct push_challenge *c, const char *scope)
{
	autofree char *service = http_url_escape(c->service);
	struct buf url = BUF_INIT(4096);
	autofree char *copy = xstrdup(scope);
	char *at = copy, *word;

	buf_fit(&url, "%.511s%cservice=%s", c->realm, strchr(c->realm, '?') ? '&' : '?', service);
	while ((word = strsep(&at, " ")) != NULL) {
		autofree char *text = http_url_escape(word);

		if (*word && strlen(text) < 700)
			buf_fit(&url, "&scope=%s", text);
	}
	return buf_take(&url);
}

static int fetch_token(struct push *p, const struct push_challenge *c, const char *basic,
		       const char *scope, struct err *e)
{
	AUTO(secret_resp_release) struct http_resp r = {0};
	autofree char *url = NULL;
	autosecretjson json_t *o = NULL;
	const char *const headers[] = {"Accept: application/json", basic, NULL};
	struct err bad = ERR_INIT;
	const char *token;

	if (check_realm(p, c->realm, e) < 0)
		return -1;
	url = realm_url(c, scope);
	const struct http_req q = {.method = "GET",
				   .url = url,
				   .headers = headers,
				   .timeout = ASK_TIMEOUT,
				   .max_body = REPLY_MAX};
	if (http_do(p->http, &q, &r, e) < 0)
		return err_wrap(e, "token for %s", p->host);
	if (r.status == 401 || r.status == 403) {
		err_set(e, ERR_DENIED, "%s does not accept the credentials", p->host);
		e->http = r.status;
		return err_hint(e, "check user and password, and that they may push");
	}
	if (r.status != 200)
		return err_set(e, r.status >= 500 ? ERR_UNAVAILABLE : ERR_DENIED,
			       "token for %s: HTTP %d", p->host, r.status);
	if (jx_parse(&o, buf_str(&r.body), r.body.len, "token", &bad) < 0)
		return err_set(e, ERR_PROTOCOL, "token for %s: not JSON", p->host);
	token = jx_str(o, "token");
	if (!token)
		token = jx_str(o, "access_token");
	if (!token || !*token || strpbrk(token, " \r\n"))
		return err_set(e, ERR_PROTOCOL, "token for %s: there is none in the reply",
			       p->host);
	log_secret(token);
	secret_set(&p->authorization, xasprintf("Authorization: Bearer %s", token));
	return 0;
}

static bool authorized(const struct push *p, const char *scope)
{
	return p->authorization && (!p->scope || streq(p->scope, scope));
}

/* --- one request ------------------------------------------------------------------------------ */

/* After a 401: get what it asks for. again: what we had was refused. */
static int authorize(struct push *p, const struct push_request *q, const struct http_resp *r,
		     bool again, struct err *e)
{
	struct push_challenge c = {0};
	autosecret char *basic = NULL;
	char header[2048];

	if (http_header(r, "www-authenticate", header, sizeof(header)))
		push_challenge_parse(&c, header);
	if (basic_line(&basic, p, again, e) < 0)
		return -1;
	free(p->scope);
	p->scope = NULL;
	if (c.bearer && *c.realm) {
		p->scope = xstrdup(q->scope);
		return fetch_token(p, &c, basic, q->scope, e);
	}
	if (!basic) {
		err_set(e, ERR_DENIED, "%s wants credentials", p->host);
		return err_hint(e, "give a user name and a password that may push there");
	}
	secret_set(&p->authorization, TAKE(basic));
	return 0;
}

static int send_once(struct http_resp *r, struct push *p, const struct push_request *q,
		     struct err *e)
{
	const char *headers[4] = {NULL};
	size_t n = 0;
	autofree char *type = q->type ? xasprintf("Content-Type: %s", q->type) : NULL;

	if (streq(q->method, "HEAD"))
		headers[n++] = ACCEPT;
	if (type)
		headers[n++] = type;
	if (!q->bare && authorized(p, q->scope))
		headers[n++] = p->authorization;
	const struct http_req h = {.method = q->method,
				   .url = q->url,
				   .headers = headers,
				   .body = q->body,
				   .timeout = q->timeout ? q->timeout : ASK_TIMEOUT,
				   .max_body = REPLY_MAX,
				   .sent = q->sent,
				   /* What has arrived of a body stays in its upload. */
				   .once = q->body.len > 0};
	http_resp_release(r);
	return http_do(p->http, &h, r, e);
}

/* With credentials when they are asked for, once more when they have ended. */
int push_ask(struct http_resp *r, struct push *p, const struct push_request *q, struct err *e)
{
	for (unsigned n = 0;; n++) {
		bool had = authorized(p, q->scope);

		if (send_once(r, p, q, e) < 0)
			return -1;
		if (r->status != 401 || q->bare || n == 2 || (n && !had))
			return 0;
		if (authorize(p, q, r, had, e) < 0)
			return -1;
	}
}

int push_refused(const struct push *p, const struct http_resp *r, const char *doing, struct err *e)
{
	autojson json_t *o = NULL;
	struct err ignored = ERR_INIT;
	const char *code = NULL, *message = NULL;
	enum err_code is = r->status == 401 || r->status == 403 ? ERR_DENIED
			   : r->status == 404                   ? ERR_NOT_FOUND
			   : r->status == 429                   ? ERR_THROTTLED
			   : r->status >= 500                   ? ERR_UNAVAILABLE
								: ERR_INVALID;

	if (r->body.len && jx_parse(&o, r->body.data, r->body.len, "reply", &ignored) == 0) {
		code = jx_str(o, "errors.0.code");
		message = jx_str(o, "errors.0.message");
	}
	err_set(e, is, "%s: %s: HTTP %d%s%.60s%s%.250s", p->host, doing, r->status,
		code ? ": " : "", code ? code : "", message ? ": " : "", message ? message : "");
	e->http = r->status;
	e->retry_after = r->retry_after;
	log_redact(e->msg);
	if (is == ERR_DENIED)
		return err_hint(e, "the credential must be allowed to push%s",
				p->google ? " (roles/artifactregistry.writer)" : "");
	if (is == ERR_NOT_FOUND)
		return err_hint(e, "make the repository first");
	return -1;
}
