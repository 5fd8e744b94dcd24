/* push.c - one registry: credentials, requests, blobs and manifests. */
#include "gke/push.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/sha256.h"
#include "gke/endpoint.h"
#include "gke/secret.h"

#define TRIES        4
#define BACKOFF      NS_SEC
#define ASK_TIMEOUT  (30 * NS_SEC)
#define SEND_TIMEOUT (120 * NS_SEC)
#define SLOWEST      (256u << 10) /* bytes a second that a line must make */
#define REPLY_MAX    (1u << 20)
#define MANIFEST_MAX (4u << 20)
#define CHILDREN_MAX 64

#define ACCEPT                                                        \
	"Accept: application/vnd.oci.image.index.v1+json, "           \
	"application/vnd.oci.image.manifest.v1+json, "                \
	"application/vnd.docker.distribution.manifest.list.v2+json, " \
	"application/vnd.docker.distribution.manifest.v2+json"

struct push {
	struct loop *loop;
	struct http *http;
	struct auth *google;
	char *host, *base; /* "https://host" */
	char *user, *password;
	char *authorization; /* header line for what scope says, secret */
	char *scope;         /* repositories that it is good for; NULL: all */
	ns_t backoff;
	void (*progress)(const char *digest, int64_t bytes, enum push_how how, void *arg);
	void *arg;
};

/* --- life ------------------------------------------------------------------------------------- */

static bool is_google(const char *host)
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
	if (o->google && !loopback && !is_google(o->host)) {
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

static bool same_host(const struct push *p, const char *url)
{
	size_t n = strlen(p->base);

	return starts_with(url, p->base) && (!url[n] || strchr("/?", url[n]));
}

/* A password goes to its registry's own token service; Google's token nowhere but to its registry. */
static int check_realm(const struct push *p, const char *realm, struct err *e)
{
	if (same_host(p, realm) || endpoint_loopback(realm))
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

struct ask {
	const char *method, *url, *type; /* type NULL: no Content-Type */
	const char *scope;
	struct http_body body;
	ns_t timeout;
	bool bare; /* to a host that is not the registry: no credentials */
};

/* After a 401: get what it asks for. again: what we had was refused. */
static int authorize(struct push *p, const struct ask *q, const struct http_resp *r, bool again,
		     struct err *e)
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

static int send_once(struct http_resp *r, struct push *p, const struct ask *q, struct err *e)
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
				   /* What has arrived of a body stays in its upload. */
				   .once = q->body.len > 0};
	http_resp_release(r);
	return http_do(p->http, &h, r, e);
}

/* With credentials when they are asked for, once more when they have ended. */
static int ask(struct http_resp *r, struct push *p, const struct ask *q, struct err *e)
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

static int refused(const struct push *p, const struct http_resp *r, const char *doing,
		   struct err *e)
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

static bool may_pass(const struct err *e)
{
	return e->code == ERR_UNAVAILABLE || e->code == ERR_TIMEOUT || e->code == ERR_THROTTLED;
}

static int pause_before(struct push *p, unsigned n, const struct err *last, struct err *e)
{
	ns_t pause = p->backoff << n;

	return loop_sleep(p->loop, last->retry_after > pause ? last->retry_after : pause, e);
}

static char *scope_of(const char *repository, const char *mount_from)
{
	return mount_from ? xasprintf("repository:%s:pull,push repository:%s:pull", repository,
				      mount_from)
			  : xasprintf("repository:%s:pull,push", repository);
}

/* --- blobs ------------------------------------------------------------------------------------ */

/* Where to send the bytes; NULL from *url after a mount. */
static int begin_upload(char **url, struct push *p, const char *repository, const char *digest,
			const char *mount_from, const char *scope, struct err *e)
{
	AUTO(http_resp_release) struct http_resp r = {0};
	autofree char *from = mount_from ? http_url_escape(mount_from) : NULL;
	autofree char *start = from ? xasprintf("%s/v2/%s/blobs/uploads/?mount=%s&from=%s", p->base,
						repository, digest, from)
				    : xasprintf("%s/v2/%s/blobs/uploads/", p->base, repository);
	char location[2048];
	const struct ask q = {.method = "POST", .url = start, .scope = scope};

	*url = NULL;
	if (ask(&r, p, &q, e) < 0)
		return -1;
	if (r.status == 201 && mount_from)
		return 0;
	if (r.status != 202)
		return refused(p, &r, "upload", e);
	if (!http_header(&r, "location", location, sizeof(location)))
		return err_set(e, ERR_PROTOCOL, "%s: an upload without a place", p->host);
	*url = *location == '/' ? xasprintf("%s%s", p->base, location) : xstrdup(location);
	return 0;
}

static int finish_upload(struct push *p, const char *place, const struct push_blob *b,
			 const char *scope, struct err *e)
{
	AUTO(http_resp_release) struct http_resp r = {0};
	autofree char *url = xasprintf("%s%cdigest=%s", place, strchr(place, '?') ? '&' : '?',
				       b->digest);
	const struct ask q = {
		.method = "PUT",
		.url = url,
		.type = "application/octet-stream",
		.scope = scope,
		.body = {b->bytes, (size_t)b->size, b->bytes ? 0 : b->fd, b->offset},
		.timeout = SEND_TIMEOUT + b->size / SLOWEST * NS_SEC,
		.bare = !same_host(p, place),
	};

	if (ask(&r, p, &q, e) < 0)
		return -1;
	return r.status == 201 || r.status == 204 ? 0 : refused(p, &r, "upload", e);
}

static int look_for_blob(bool *there, struct push *p, const char *repository, const char *digest,
			 const char *scope, struct err *e)
{
	AUTO(http_resp_release) struct http_resp r = {0};
	autofree char *url = xasprintf("%s/v2/%s/blobs/%s", p->base, repository, digest);
	const struct ask q = {.method = "HEAD", .url = url, .scope = scope};

	if (ask(&r, p, &q, e) < 0)
		return -1;
	/* Some registries answer with the place of the bytes. */
	*there = r.status == 200 || r.status == 307;
	return *there || r.status == 404 ? 0 : refused(p, &r, "is a blob there", e);
}

static int blob_once(enum push_how *how, struct push *p, const char *repository,
		     const struct push_blob *b, const char *mount_from, const char *scope,
		     struct err *e)
{
	autofree char *place = NULL;
	bool there = false;

	*how = PUSH_THERE;
	if (look_for_blob(&there, p, repository, b->digest, scope, e) < 0)
		return -1;
	if (there)
		return 0;
	*how = PUSH_MOUNTED;
	if (begin_upload(&place, p, repository, b->digest, mount_from, scope, e) < 0)
		return -1;
	if (!place)
		return 0;
	*how = PUSH_SENT;
	return finish_upload(p, place, b, scope, e);
}

static int check_repository(const char *name, struct err *e)
{
	size_t n = strlen(name);

	if (n && n < 256 && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-/:") == n &&
	    *name != '/' && name[n - 1] != '/' && !strstr(name, "//") && !strstr(name, ".."))
		return 0;
	return err_set(e, ERR_INVALID, "\"%.100s\" cannot be the name of a repository", name);
}

int push_blob(enum push_how *how, struct push *p, const char *repository, const struct push_blob *b,
	      const char *mount_from, struct err *e)
{
	autofree char *scope = scope_of(repository, mount_from);

	if (check_repository(repository, e) < 0 ||
	    (mount_from && check_repository(mount_from, e) < 0))
		return -1;
	if (!oci_digest_check(b->digest) || b->size < 0)
		return err_set(e, ERR_INVALID, "\"%.80s\" is not a digest", b->digest);
	for (unsigned n = 0;; n++) {
		struct err last;

		if (blob_once(how, p, repository, b, mount_from, scope, e) == 0)
			break;
		if (!may_pass(e) || n + 1 == TRIES)
			return err_wrap(e, "blob %.19s", b->digest);
		/* Half an upload is worth nothing: from the start, as it may have arrived after all. */
		last = *e;
		err_clear(e);
		if (pause_before(p, n, &last, e) < 0)
			return -1;
	}
	if (p->progress)
		p->progress(b->digest, b->size, *how, p->arg);
	return 0;
}

/* --- manifests -------------------------------------------------------------------------------- */

static void digest_of(char out[OCI_DIGEST_SIZE], const void *bytes, size_t len)
{
	struct sha256 sum;

	memcpy(out, "sha256:", 7);
	sha256_init(&sum);
	sha256_add(&sum, bytes, len);
	sha256_hex(&sum, out + 7);
}

static int look_for_manifest(bool *there, struct push *p, const char *repository,
			     const char *reference, const char *digest, struct err *e)
{
	AUTO(http_resp_release) struct http_resp r = {0};
	autofree char *url = xasprintf("%s/v2/%s/manifests/%s", p->base, repository, reference);
	autofree char *scope = scope_of(repository, NULL);
	const struct ask q = {.method = "HEAD", .url = url, .scope = scope};
	char has[OCI_DIGEST_SIZE + 8];

	if (ask(&r, p, &q, e) < 0)
		return -1;
	*there = r.status == 200 &&
		 (streq(http_header(&r, "docker-content-digest", has, sizeof(has)), digest) ||
		  streq(reference, digest));
	return r.status == 200 || r.status == 404 ? 0 : refused(p, &r, "is the image there", e);
}

static int put_manifest(struct push *p, const char *repository, const char *reference,
			const char *media_type, const void *bytes, size_t len, struct err *e)
{
	AUTO(http_resp_release) struct http_resp r = {0};
	autofree char *url = xasprintf("%s/v2/%s/manifests/%s", p->base, repository, reference);
	autofree char *scope = scope_of(repository, NULL);
	const struct ask q = {.method = "PUT",
			      .url = url,
			      .type = media_type,
			      .scope = scope,
			      .body = {bytes, len, 0, 0}};

	if (ask(&r, p, &q, e) < 0)
		return -1;
	return r.status / 100 == 2 ? 0 : refused(p, &r, "manifest", e);
}

static int check_reference(const char *s, struct err *e)
{
	static const char fine[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	size_t n = strlen(s);

	if (oci_digest_check(s) ||
	    (n && n <= 128 && strspn(s, fine) == n && *s != '.' && *s != '-'))
		return 0;
	return err_set(e, ERR_INVALID, "\"%.130s\" cannot be the tag of an image", s);
}

int push_manifest(enum push_how *how, struct push *p, const char *repository, const char *reference,
		  const char *media_type, const void *bytes, size_t len, struct err *e)
{
	char digest[OCI_DIGEST_SIZE];
	bool there = false;

	if (check_repository(repository, e) < 0 || check_reference(reference, e) < 0)
		return -1;
	digest_of(digest, bytes, len);
	for (unsigned n = 0;; n++) {
		struct err last;

		if (look_for_manifest(&there, p, repository, reference, digest, e) == 0 &&
		    (there ||
		     put_manifest(p, repository, reference, media_type, bytes, len, e) == 0))
			break;
		if (!may_pass(e) || n + 1 == TRIES)
			return err_wrap(e, "image %.100s:%.100s", repository, reference);
		last = *e;
		err_clear(e);
		if (pause_before(p, n, &last, e) < 0)
			return -1;
	}
	*how = there ? PUSH_THERE : PUSH_SENT;
	if (p->progress)
		p->progress(digest, (int64_t)len, *how, p->arg);
	return 0;
}

/* --- images ----------------------------------------------------------------------------------- */

struct pushing {
	struct push *p;
	const char *repository, *mount_from;
	const struct oci *image;
};

static int push_descriptor(struct pushing *x, const json_t *d, struct err *e)
{
	const char *digest = jx_str_or(d, "digest", "");
	const struct oci_blob *at = oci_find(x->image, digest);
	enum push_how how;

	/* Layers may live elsewhere (foreign ones): then the registry wants none. */
	if (!at && jx_get(d, "urls"))
		return 0;
	if (!at)
		return err_set(e, ERR_INVALID, "the archive lacks %.80s", digest);
	if (jx_int(d, "size") != at->size)
		return err_set(e, ERR_INVALID,
			       "the archive's %.80s has another size than its "
			       "manifest says",
			       digest);
	const struct push_blob b = {.digest = digest,
				    .size = at->size,
				    .bytes = at->size ? NULL : "",
				    .fd = oci_fd(x->image),
				    .offset = at->offset};
	return push_blob(&how, x->p, x->repository, &b, x->mount_from, e);
}

static const char *media_type_of(const json_t *manifest, const json_t *descriptor)
{
	const char *type = jx_str(manifest, "mediaType");

	if (!type)
		type = jx_str(descriptor, "mediaType");
	return type && !strpbrk(type, "\r\n") ? type : "application/vnd.oci.image.manifest.v1+json";
}

static int push_tree(enum push_how *how, struct pushing *x, const json_t *descriptor,
		     const char *reference, unsigned depth, struct err *e)
{
	const char *digest = jx_str_or(descriptor, "digest", "");
	autojson json_t *manifest = NULL;
	autofree char *text = NULL;
	const json_t *children, *layers;
	enum push_how ignored;
	size_t len = 0;

	if (depth > 2)
		return err_set(e, ERR_INVALID, "more than two levels of indexes");
	if (oci_json(&manifest, &text, &len, x->image, digest, e) < 0)
		return -1;
	children = jx_get(manifest, "manifests");
	layers = jx_get(manifest, "layers");
	if (json_array_size(children) > CHILDREN_MAX || json_array_size(layers) > 512)
		return err_set(e, ERR_INVALID, "%.80s: too many parts", digest);
	for (size_t i = 0; i < json_array_size(children); i++) {
		const json_t *c = json_array_get(children, i);

		if (push_tree(&ignored, x, c, jx_str_or(c, "digest", ""), depth + 1, e) < 0)
			return -1;
	}
	for (size_t i = 0; i < json_array_size(layers); i++)
		if (push_descriptor(x, json_array_get(layers, i), e) < 0)
			return -1;
	if (jx_get(manifest, "config") && push_descriptor(x, jx_get(manifest, "config"), e) < 0)
		return -1;
	return push_manifest(how, x->p, x->repository, reference,
			     media_type_of(manifest, descriptor), text, len, e);
}

int push_image(enum push_how *how, struct push *p, const char *repository, const char *tag,
	       const struct oci *image, const char *mount_from, struct err *e)
{
	struct pushing x = {p, repository, mount_from, image};
	const json_t *root = oci_root(image);
	bool there = false;
	struct err quiet = ERR_INIT;

	if (check_repository(repository, e) < 0 || check_reference(tag, e) < 0)
		return -1;
	/* The same manifest under the same tag has all its blobs: nothing to look at. */
	if (look_for_manifest(&there, p, repository, tag, jx_str_or(root, "digest", ""), &quiet) ==
		    0 &&
	    there) {
		*how = PUSH_THERE;
		return 0;
	}
	if (quiet.code != ERR_OK && quiet.code != ERR_NOT_FOUND && !may_pass(&quiet)) {
		*e = quiet;
		return err_wrap(e, "image %.100s:%.100s", repository, tag);
	}
	return push_tree(how, &x, root, tag, 0, e);
}
