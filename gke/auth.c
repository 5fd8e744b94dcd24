/* auth.c - the token that is given out: fetched when needed, replaced early, once more after a 401. */
#include "gke/auth.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "gke/auth_internal.h"

#define REREAD   (60 * NS_SEC) /* a token file without an end is looked at so often */
#define LAST_USE (10 * NS_SEC) /* a token must outlive the request that carries it */

void auth_free(struct auth *a)
{
	if (!a)
		return;
	http_free(a->google);
	http_free(a->direct);
	http_free(a->named);
	auth_spec_free(a->spec);
	secret_free(a->token);
	free(a->gcloud);
	free(a->user_agent);
	free(a->token_host);
	free(a->metadata_url);
	free(a->ca);
	free(a->file);
	free(a->acts_as);
	free(a->quota_project);
	free(a->project);
	free(a->principal);
	free(a);
}

void auth_freep(struct auth **a)
{
	auth_free(*a);
	*a = NULL;
}

/* --- fetching --------------------------------------------------------------------------------- */

static int fetch_given(struct auth_answer *out, const struct auth_spec *s, struct err *e)
{
	autosecret char *text = NULL;
	size_t len = 0;

	if (!s->token_file) {
		out->token = xstrdup(s->token);
		return 0;
	}
	if (file_read(&text, &len, s->token_file, AUTH_FILE_MAX, e) < 0) {
		err_wrap(e, "token file");
		return err_hint(e, "correct the path, or unset it to use another credential");
	}
	if (secret_token_check(text, s->token_file, e) < 0)
		return -1;
	log_secret(text);
	out->token = TAKE(text);
	return 0;
}

int auth_fetch(struct auth_answer *out, struct auth *a, const struct auth_spec *s,
	       const char *scopes, bool again, struct err *e)
{
	*out = (struct auth_answer){0};
	switch (s->kind) {
	case AUTH_ACCESS_TOKEN:
		return fetch_given(out, s, e);
	case AUTH_SERVICE_ACCOUNT:
		return auth_fetch_key(out, a, s, scopes, e);
	case AUTH_AUTHORIZED_USER:
		return auth_fetch_user(out, a, s, e);
	case AUTH_METADATA:
		return auth_fetch_metadata(out, a, scopes, e);
	case AUTH_EXTERNAL:
		return auth_fetch_external(out, a, s, scopes, again, e);
	case AUTH_IMPERSONATED:
		return auth_fetch_impersonated(out, a, s, scopes, again, e);
	case AUTH_GCLOUD:
		return auth_fetch_gcloud(out, a, e);
	}
	return err_set(e, ERR_INTERNAL, "unknown kind of credential");
}

static int refuse_given(const struct auth *a, struct err *e)
{
	err_set(e, ERR_DENIED, "Google does not accept the access token from %s", a->source);
	return err_hint(e, "it has ended or was revoked: get a new one");
}

static bool is_fresh(const struct auth *a, ns_t margin)
{
	return a->token && (!a->expiry || a->now() < a->expiry - margin);
}

/* What a token file says has no end of its own: it is looked at again after a while. */
static ns_t end_of(const struct auth *a, const struct auth_answer *answer)
{
	if (answer->expiry || a->spec->kind != AUTH_ACCESS_TOKEN)
		return answer->expiry;
	return a->spec->token_file ? a->now() + AUTH_EARLY + REREAD : 0;
}

static int renew(struct auth *a, bool refused, struct err *e)
{
	AUTO(auth_answer_release) struct auth_answer answer = {0};
	bool given = a->spec->kind == AUTH_ACCESS_TOKEN;

	if (refused && given && !a->spec->token_file)
		return refuse_given(a, e);
	if (auth_fetch(&answer, a, a->spec, AUTH_SCOPES, refused, e) < 0)
		return -1;
	if (refused && given && streq(answer.token, a->token))
		return refuse_given(a, e);
	a->expiry = end_of(a, &answer);
	secret_set(&a->token, TAKE(answer.token));
	if (answer.principal) {
		free(a->principal);
		a->principal = TAKE(answer.principal);
	}
	return 0;
}

static bool is_passing(const struct err *e)
{
	return e->code == ERR_UNAVAILABLE || e->code == ERR_TIMEOUT || e->code == ERR_THROTTLED;
}

int auth_token(char **token, ns_t *expiry, bool refused, void *auth, struct err *e)
{
	struct auth *a = auth;
	struct err why = ERR_INIT;

	if (a->running)
		return err_set(e, ERR_INTERNAL, "a Google token is being fetched already");
	if (refused || !is_fresh(a, AUTH_EARLY)) {
		a->running = true;
		int rc = renew(a, refused, &why);
		a->running = false;
		if (rc < 0 && (refused || !is_passing(&why) || !is_fresh(a, LAST_USE))) {
			*e = why;
			return -1;
		}
	}
	*token = xstrdup(a->token);
	*expiry = a->expiry;
	return 0;
}

/* --- what is known about it ------------------------------------------------------------------- */

const char *auth_quota_project(const struct auth *a)
{
	return a->quota_project ? a->quota_project : a->spec->quota_project;
}

const char *auth_project(const struct auth *a)
{
	const struct auth_spec *s = a->spec;

	while (!s->project && s->source)
		s = s->source;
	return s->project ? s->project : a->project;
}

const char *auth_universe(const struct auth *a)
{
	return a->spec->universe ? a->spec->universe : GKE_UNIVERSE;
}

const char *auth_principal(const struct auth *a)
{
	return a->spec->principal ? a->spec->principal : a->principal;
}

const char *auth_file(const struct auth *a, bool *token)
{
	const struct auth_spec *s = a->spec;

	while (s->source)
		s = s->source;
	*token = s->kind == AUTH_ACCESS_TOKEN;
	return a->file;
}

const char *auth_acts_as(const struct auth *a)
{
	return a->acts_as;
}

bool auth_given(const struct auth *a)
{
	return a->spec->kind == AUTH_ACCESS_TOKEN;
}

static const char *kind_name(const struct auth_spec *s)
{
	static const char *const federated[] = {
		[SUBJECT_FILE] = "workload identity federation (file)",
		[SUBJECT_URL] = "workload identity federation (URL)",
		[SUBJECT_EXECUTABLE] = "workload identity federation (executable)",
	};
	static const char *const names[] = {
		[AUTH_ACCESS_TOKEN] = "access token",
		[AUTH_SERVICE_ACCOUNT] = "service account key",
		[AUTH_AUTHORIZED_USER] = "user login",
		[AUTH_METADATA] = "metadata server",
		[AUTH_EXTERNAL] = "",
		[AUTH_IMPERSONATED] = "impersonated service account",
		[AUTH_GCLOUD] = "gcloud login",
	};

	return s->kind == AUTH_EXTERNAL ? federated[s->subject.kind] : names[s->kind];
}

static void describe(struct auth_status *out, const struct auth *a)
{
	const struct auth_spec *inner = a->spec;

	while (inner->source)
		inner = inner->source;
	if (inner == a->spec)
		snprintf(out->kind, sizeof(out->kind), "%s", kind_name(inner));
	else
		snprintf(out->kind, sizeof(out->kind), "%s, by %s%s%.80s", kind_name(a->spec),
			 kind_name(inner), inner->principal ? " of " : "",
			 inner->principal ? inner->principal : "");
	snprintf(out->source, sizeof(out->source), "%s", a->source);
	snprintf(out->universe, sizeof(out->universe), "%s", auth_universe(a));
	snprintf(out->quota_project, sizeof(out->quota_project), "%s",
		 auth_quota_project(a) ? auth_quota_project(a) : "");
	snprintf(out->project, sizeof(out->project), "%s", auth_project(a) ? auth_project(a) : "");
	out->renewable = inner->kind != AUTH_ACCESS_TOKEN || inner->token_file;
}

/* ".../token" and its neighbour. */
static char *tokeninfo_url(const struct auth *a)
{
	const char *url = a->token_host ? a->token_host : AUTH_TOKEN_URL;
	const char *slash = strrchr(url, '/');

	return xasprintf("%.*s/tokeninfo", (int)(slash - url), url);
}

char *auth_whose(struct auth *a, const char *token, ns_t *expiry, struct err *e)
{
	AUTO(auth_form_release) struct buf form = {0};
	autosecretjson json_t *reply = NULL;
	autofree char *url = NULL;
	bool federated = a->spec->kind == AUTH_EXTERNAL;
	const char *who;

	if (federated && !a->spec->token_info_url)
		return NULL;
	auth_form_add(&form, federated ? "token" : "access_token", token);
	if (federated)
		auth_form_add(&form, "token_type_hint",
			      "urn:ietf:params:oauth:token-type:access_token");
	url = federated ? xstrdup(a->spec->token_info_url) : tokeninfo_url(a);
	if (auth_post(&reply, a, url, NULL, &form, NULL, e) < 0)
		return NULL;
	who = jx_str(reply, federated ? "username" : "email");
	json_int_t left = jx_int(reply, "expires_in"), end = jx_int(reply, "exp");
	/* The endpoint says numbers as texts. */
	if (!left && jx_str(reply, "expires_in"))
		left = strtoll(jx_str(reply, "expires_in"), NULL, 10);
	if (left > 0 && left < 366 * 86400)
		*expiry = a->now() + left * NS_SEC;
	else if (end > 0 && end < INT64_MAX / NS_SEC)
		*expiry = end * NS_SEC;
	return who && *who && strlen(who) < 512 ? xstrdup(who) : NULL;
}

int auth_status(struct auth_status *out, struct auth *a, struct err *e)
{
	autosecret char *token = NULL;
	ns_t expiry = 0, asked = 0;

	*out = (struct auth_status){0};
	describe(out, a);
	if (auth_token(&token, &expiry, false, a, e) < 0)
		return -1;
	bool open = a->spec->kind == AUTH_ACCESS_TOKEN;
	if (!auth_principal(a) || (open && !out->expiry)) {
		struct err why = ERR_INIT;
		char *who = auth_whose(a, token, &asked, &why);

		if (open && why.code == ERR_DENIED)
			return refuse_given(a, e);
		if (who) {
			free(a->principal);
			a->principal = who;
		}
	}
	snprintf(out->principal, sizeof(out->principal), "%s",
		 auth_principal(a) ? auth_principal(a) : "");
	out->expiry = open || asked ? asked : expiry;
	return 0;
}
