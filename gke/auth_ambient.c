/*
 * auth_ambient.c - credentials that a place has: the metadata server of a Google machine, the login
 * of an installed gcloud.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/child.h"
#include "base/clock.h"
#include "base/log.h"
#include "gke/auth_internal.h"

#define TRIES          3
#define METADATA_WAIT  (10 * NS_SEC)
#define METADATA_IP    "169.254.169.254"
#define METADATA_MAX   (64u << 10)
#define GCLOUD_TIMEOUT (60 * NS_SEC)

/* --- metadata server -------------------------------------------------------------------------- */

static const char *const flavor[] = {"Metadata-Flavor: Google", NULL};

/* Only what says that it is one is one: captive portals answer at that address too. */
static bool is_metadata(const struct http_resp *r)
{
	char value[32];

	return streq(http_header(r, "metadata-flavor", value, sizeof(value)), "Google");
}

static char *base_url(const char *host)
{
	return starts_with(host, "http://") ? xstrdup(host) : xasprintf("http://%s", host);
}

/* One host for all questions when one is named; else the name for tokens, the address to find it. */
static char *find_base(struct auth *a)
{
	const char *host = gke_getenv(&a->env, "GCE_METADATA_HOST");
	const char *ip = gke_getenv(&a->env, "GCE_METADATA_IP");

	if (!host)
		host = gke_getenv(&a->env, "GCE_METADATA_ROOT");
	if (!host)
		host = ip;
	a->metadata_url = base_url(host ? host : "metadata.google.internal");
	return base_url(ip ? ip : host ? host : METADATA_IP);
}

bool auth_metadata_find(struct auth *a)
{
	const char *check = gke_getenv(&a->env, "CLOUDSDK_CORE_CHECK_GCE_METADATA");
	autofree char *base = NULL, *url = NULL;
	bool found = false;

	if (gke_env_true(&a->env, "NO_GCE_CHECK") ||
	    (check && (!strcasecmp(check, "false") || streq(check, "0"))))
		return false;
	base = find_base(a);
	url = xasprintf("%s/computeMetadata/v1/project/project-id", base);
	for (unsigned n = 0; n < TRIES && !found; n++) {
		AUTO(http_resp_release) struct http_resp r = {0};
		const struct http_req q = {.method = "GET",
					   .url = url,
					   .headers = flavor,
					   .timeout = a->metadata_wait,
					   .max_body = METADATA_MAX};
		struct err e = ERR_INIT;

		if (http_do(a->direct, &q, &r, &e) < 0) {
			/* Nobody there is an answer; only silence is worth another try. */
			if (e.code != ERR_TIMEOUT)
				break;
			continue;
		}
		if (!is_metadata(&r))
			break;
		found = true;
		if (r.status == 200 && r.body.len < 100 && !strpbrk(buf_str(&r.body), " \r\n\t<"))
			a->project = xstrdup(buf_str(&r.body));
	}
	return found;
}

static int metadata_get(struct http_resp *r, struct auth *a, const char *path, struct err *e)
{
	autofree char *url = xasprintf("%s/computeMetadata/v1/%s", a->metadata_url, path);
	const struct http_req q = {.method = "GET",
				   .url = url,
				   .headers = flavor,
				   .timeout = METADATA_WAIT,
				   .max_body = METADATA_MAX};

	for (unsigned n = 0;; n++) {
		bool last = n + 1 == TRIES;

		secret_resp_release(r);
		if (http_do(a->direct, &q, r, e) < 0) {
			if (last || (e->code != ERR_UNAVAILABLE && e->code != ERR_TIMEOUT))
				return err_wrap(e, "metadata server");
			err_clear(e);
		} else if (!is_metadata(r)) {
			err_set(e, ERR_PROTOCOL,
				"metadata server: the reply is not from Google's (no "
				"Metadata-Flavor)");
			return err_hint(e, "check GCE_METADATA_HOST, and proxies that catch "
					   "169.254.169.254");
		} else if (r->status < 500 && r->status != 429) {
			return 0;
		} else if (last) {
			return err_set(e, ERR_UNAVAILABLE,
				       "metadata server: it answers with HTTP %d", r->status);
		}
		if (loop_sleep(a->loop, a->backoff << n, e) < 0)
			return -1;
	}
}

static char *metadata_email(struct auth *a)
{
	AUTO(secret_resp_release) struct http_resp r = {0};
	autojson json_t *o = NULL;
	struct err ignored = ERR_INIT;
	const char *email;

	if (metadata_get(&r, a, "instance/service-accounts/default/?recursive=true", &ignored) <
		    0 ||
	    r.status != 200 || jx_parse(&o, buf_str(&r.body), r.body.len, "reply", &ignored) < 0)
		return NULL;
	email = jx_str(o, "email");
	return email && *email && strlen(email) < 256 ? xstrdup(email) : NULL;
}

static char *token_path(const char *scopes)
{
	autofree char *list = xstrdup(scopes), *text = NULL;

	for (char *p = list; *p; p++)
		if (*p == ' ')
			*p = ',';
	text = http_url_escape(list);
	return xasprintf("instance/service-accounts/default/token?scopes=%s", text);
}

int auth_fetch_metadata(struct auth_answer *out, struct auth *a, const char *scopes, struct err *e)
{
	AUTO(secret_resp_release) struct http_resp r = {0};
	autosecretjson json_t *reply = NULL;
	autofree char *path = token_path(scopes);
	struct err bad = ERR_INIT;

	if (metadata_get(&r, a, path, e) < 0)
		return -1;
	if (r.status == 404) {
		err_set(e, ERR_NOT_FOUND, "metadata server: this machine has no service account");
		return err_hint(e, "attach a service account to it, or set "
				   "GOOGLE_APPLICATION_CREDENTIALS");
	}
	if (r.status != 200) {
		err_set(e, ERR_DENIED, "metadata server: it answers with HTTP %d", r.status);
		return err_hint(e, "check the machine's service account and its access scopes");
	}
	if (jx_parse(&reply, buf_str(&r.body), r.body.len, "reply", &bad) < 0)
		return err_set(e, ERR_PROTOCOL, "metadata server: its token is not JSON");
	if (auth_answer_take(out, reply, a->now(), "metadata server", e) < 0)
		return -1;
	if (!a->principal)
		out->principal = metadata_email(a);
	return 0;
}

/* --- gcloud ----------------------------------------------------------------------------------- */

static int gcloud_decode(struct auth_answer *out, char **project, const char *text, size_t len,
			 struct err *e)
{
	autosecretjson json_t *o = NULL;
	autosecret char *token = NULL;
	struct err bad = ERR_INIT;
	const char *v, *when;
	ns_t expiry = 0;

	if (jx_parse(&o, text, len, "gcloud", &bad) < 0)
		return err_set(e, ERR_PROTOCOL, "gcloud config config-helper prints no JSON");
	v = jx_str(o, "credential.access_token");
	if (!v) {
		err_set(e, ERR_DENIED, "gcloud has no access token");
		return err_hint(e, "log in: gcloud auth login");
	}
	token = xstrdup(v);
	if (secret_token_check(token, "gcloud", e) < 0)
		return -1;
	log_secret(token);
	when = jx_str(o, "credential.token_expiry");
	if (when && time_parse(&expiry, when, &bad) < 0)
		expiry = 0;
	v = jx_str(o, "configuration.properties.core.project");
	if (v && !*project && strlen(v) < 100)
		*project = xstrdup(v);
	v = jx_str(o, "configuration.properties.core.account");
	*out = (struct auth_answer){TAKE(token), expiry, v && strlen(v) < 256 ? xstrdup(v) : NULL};
	return 0;
}

/* "ERROR: (gcloud.config.config-helper) There was a problem ..." without its prefix. */
static int gcloud_failed(struct child_result *r, struct err *e)
{
	const char *said = strstr(buf_str(&r->err), "ERROR: ");
	const char *close = said ? strchr(said, ')') : NULL;

	if (!said)
		said = buf_str(&r->err);
	else if (close && said[7] == '(')
		said = close[1] == ' ' ? close + 2 : close + 1;
	err_set(e, ERR_DENIED, "gcloud: exit code %d: %.*s", r->exit_code,
		(int)strcspn(said, "\n") > 250 ? 250 : (int)strcspn(said, "\n"), said);
	log_redact(e->msg);
	return err_hint(e, "log in: gcloud auth login, or set GOOGLE_APPLICATION_CREDENTIALS");
}

int auth_fetch_gcloud(struct auth_answer *out, struct auth *a, struct err *e)
{
	/* What it has cached may be about to end: ask for one that lasts. */
	const char *const argv[] = {a->gcloud,           "config", "config-helper", "--format=json",
				    "--min-expiry=300s", NULL};
	const struct child_opts o = {.argv = argv, .timeout = GCLOUD_TIMEOUT};
	struct child_result r = {0};
	int rc;

	if (child_run(&r, a->loop, &o, e) < 0)
		return err_wrap(e, "gcloud");
	if (r.exit_code != 0)
		rc = gcloud_failed(&r, e);
	else
		rc = gcloud_decode(out, &a->project, buf_str(&r.out), r.out.len, e);
	if (r.out.data)
		mem_wipe(r.out.data, r.out.cap);
	child_result_release(&r);
	return rc;
}
