/*
 * auth_external.c - workload identity federation: a token of somebody else, read anew each time, is
 * exchanged at Google's STS.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/base64.h"
#include "base/child.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "gke/auth_internal.h"

#define SUBJECT_MAX  (64u << 10)
#define SOURCE_WAIT  (15 * NS_SEC)
#define MAX_WORDS    64
#define EXPIRY_LEAST (30 * NS_SEC)

/* --- what sources answer ---------------------------------------------------------------------- */

static int take_subject(char **out, const char *text, size_t len, const struct auth_subject *s,
			const char *what, struct err *e)
{
	autosecretjson json_t *o = NULL;
	autosecret char *token = NULL;
	struct err bad = ERR_INIT;

	if (s->field) {
		if (jx_parse(&o, text, len, what, &bad) < 0)
			return err_set(e, ERR_INVALID, "%s", bad.msg);
		const char *v = json_string_value(jx_get(o, s->field));
		if (!v)
			return err_set(e, ERR_INVALID, "%s: there is no text \"%.60s\" in it", what,
				       s->field);
		token = xstrdup(v);
	} else {
		token = xstrndup(text, len);
	}
	if (secret_token_check(token, what, e) < 0)
		return -1;
	log_secret(token);
	*out = TAKE(token);
	return 0;
}

static int from_file(char **out, const struct auth_subject *s, struct err *e)
{
	autosecret char *text = NULL;
	size_t len = 0;

	if (file_read(&text, &len, s->place, SUBJECT_MAX, e) < 0) {
		err_wrap(e, "subject token");
		return err_hint(e, "credential_source.file must be written by whoever gives the "
				   "tokens");
	}
	return take_subject(out, text, len, s, s->place, e);
}

static int from_url(char **out, struct auth *a, const struct auth_subject *s, struct err *e)
{
	AUTO(secret_resp_release) struct http_resp r = {0};
	const struct http_req q = {
		.method = "GET",
		.url = s->place,
		.headers = (const char *const *)s->headers,
		.timeout = SOURCE_WAIT,
		.max_body = SUBJECT_MAX,
	};

	for (unsigned n = 0;; n++) {
		bool last = n == 2;

		secret_resp_release(&r);
		if (http_do(a->named, &q, &r, e) < 0) {
			log_redact(e->msg);
			if (e->code != ERR_UNAVAILABLE || last)
				return err_wrap(e, "subject token");
			err_clear(e);
		} else if (r.status / 100 == 2) {
			return take_subject(out, buf_str(&r.body), r.body.len, s,
					    "credential_source.url", e);
		} else if (r.status < 500 || last) {
			break;
		}
		if (loop_sleep(a->loop, a->backoff << n, e) < 0)
			return -1;
	}
	err_set(e, r.status >= 500 ? ERR_UNAVAILABLE : ERR_DENIED,
		"subject token: credential_source.url answers with HTTP %d", r.status);
	e->http = r.status;
	return err_hint(e, "the job may lack the right to ask for tokens (GitHub: permissions: "
			   "id-token: write)");
}

/* --- programs --------------------------------------------------------------------------------- */

int auth_executable_decode(char **out, const char *text, size_t len, ns_t now, bool need_expiry,
			   struct err *e)
{
	autosecretjson json_t *o = NULL;
	struct err bad = ERR_INIT;
	json_int_t expiry;
	const char *type, *token;

	if (jx_parse(&o, text, len, "its answer", &bad) < 0)
		return err_set(e, ERR_INVALID, "%s", bad.msg);
	if (jx_int(o, "version") != 1)
		return err_set(e, ERR_INVALID, "its answer is not of version 1");
	if (!json_is_boolean(jx_get(o, "success")))
		return err_set(e, ERR_INVALID, "its answer has no \"success\"");
	if (!jx_bool(o, "success"))
		return err_set(e, ERR_DENIED, "it failed: %.40s: %.200s", jx_str_or(o, "code", "?"),
			       jx_str_or(o, "message", "?"));
	expiry = jx_int(o, "expiration_time");
	if (need_expiry && !expiry)
		return err_set(e, ERR_INVALID, "its answer has no \"expiration_time\"");
	if (expiry && expiry <= (now + EXPIRY_LEAST) / NS_SEC)
		return err_set(e, ERR_GONE, "its token has ended");
	type = jx_str_or(o, "token_type", "");
	if (streq(type, "urn:ietf:params:oauth:token-type:saml2"))
		token = jx_str(o, "saml_response");
	else if (streq(type, "urn:ietf:params:oauth:token-type:jwt") ||
		 streq(type, "urn:ietf:params:oauth:token-type:id_token"))
		token = jx_str(o, "id_token");
	else
		return err_set(e, ERR_INVALID, "its token_type is unknown");
	if (!token)
		return err_set(e, ERR_INVALID, "its answer has no token");
	*out = xstrdup(token);
	if (secret_token_check(*out, "its answer", e) < 0) {
		secret_freep(out);
		return -1;
	}
	log_secret(*out);
	return 0;
}

/* The answer of an earlier run, when it still holds. */
static bool from_output_file(char **out, struct auth *a, const struct auth_subject *s)
{
	autosecret char *text = NULL;
	struct err ignored = ERR_INIT;
	size_t len = 0;

	return s->output_file &&
	       file_read(&text, &len, s->output_file, SUBJECT_MAX, &ignored) == 0 &&
	       auth_executable_decode(out, text, len, a->now(), true, &ignored) == 0;
}

static int run_executable(char **out, struct auth *a, const struct auth_spec *s, struct err *e)
{
	const struct auth_subject *x = &s->subject;
	autofree char *words = xstrdup(x->place);
	autofree char *audience = xasprintf("GOOGLE_EXTERNAL_ACCOUNT_AUDIENCE=%s", s->audience);
	autofree char *type = xasprintf("GOOGLE_EXTERNAL_ACCOUNT_TOKEN_TYPE=%s", s->subject_type);
	autofree char *file = xasprintf("GOOGLE_EXTERNAL_ACCOUNT_OUTPUT_FILE=%s",
					x->output_file ? x->output_file : "");
	const char *env[] = {audience, type, "GOOGLE_EXTERNAL_ACCOUNT_INTERACTIVE=0",
			     x->output_file ? file : NULL, NULL};
	const char *argv[MAX_WORDS + 1] = {NULL};
	struct child_result r = {0};
	char *at = words, *word;
	size_t n = 0;
	int rc = -1;

	while ((word = strsep(&at, " \t")) != NULL)
		if (*word && n < MAX_WORDS)
			argv[n++] = word;
	if (!n)
		return err_set(e, ERR_INVALID, "credential_source.executable.command is empty");
	const struct child_opts o = {
		.argv = argv, .env_add = env, .max_output = SUBJECT_MAX, .timeout = x->timeout};
	if (child_run(&r, a->loop, &o, e) < 0)
		return err_wrap(e, "credential_source.executable");
	/* A failure is told in the answer; the exit code alone says nothing. */
	if (r.exit_code != 0 && !r.out.len)
		err_set(e, ERR_DENIED, "it ends with exit code %d", r.exit_code);
	else
		rc = auth_executable_decode(out, buf_str(&r.out), r.out.len, a->now(),
					    x->output_file != NULL, e);
	if (r.out.data)
		mem_wipe(r.out.data, r.out.cap);
	child_result_release(&r);
	if (rc < 0) {
		log_redact(e->msg);
		return err_wrap(e, "credential_source.executable %.100s", argv[0]);
	}
	return 0;
}

static int from_executable(char **out, struct auth *a, const struct auth_spec *s, bool again,
			   struct err *e)
{
	if (!gke_env_true(&a->env, "GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES")) {
		err_set(e, ERR_DENIED, "the credential file wants to run a program");
		return err_hint(e, "if you trust it, set "
				   "GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES=1");
	}
	if (!again && from_output_file(out, a, &s->subject))
		return 0;
	return run_executable(out, a, s, e);
}

int auth_subject_token(char **out, struct auth *a, const struct auth_spec *s, bool again,
		       struct err *e)
{
	switch (s->subject.kind) {
	case SUBJECT_FILE:
		return from_file(out, &s->subject, e);
	case SUBJECT_URL:
		return from_url(out, a, &s->subject, e);
	case SUBJECT_EXECUTABLE:
		return from_executable(out, a, s, again, e);
	}
	return err_set(e, ERR_INTERNAL, "unknown source of a subject token");
}

/* --- the exchange ----------------------------------------------------------------------------- */

static int explain_sts(const struct auth_spec *s, const struct auth_refusal *why, struct err *e)
{
	const char *d = why->description;

	if (streq(why->error, "invalid_target"))
		return err_hint(e,
				"the workload identity pool or provider is gone or disabled: "
				"...%.70s",
				strstr(s->audience, "/workloadIdentityPools/")
					? strstr(s->audience, "/workloadIdentityPools/")
					: s->audience);
	if (strcasestr(d, "attribute condition"))
		return err_hint(e, "the provider's attribute condition does not admit this token");
	if (strcasestr(d, "expired") || strcasestr(d, "stale") || strcasestr(d, "lifetime"))
		return err_hint(e,
				"the subject token has ended: whoever writes %.80s must renew it",
				s->subject.place);
	if (strcasestr(d, "audience"))
		return err_hint(e, "the subject token must be made for an audience that the "
				   "provider allows");
	if (why->http == 400 || why->http == 401 || why->http == 403)
		return err_hint(e, "check issuer, audience and conditions of the workload identity "
				   "provider");
	return -1;
}

static char *basic_header(const struct auth_spec *s)
{
	if (!s->client_id || !s->client_secret)
		return NULL;
	autosecret char *pair = xasprintf("%s:%s", s->client_id, s->client_secret);
	autosecret char *code = base64_encode(pair, strlen(pair));
	return xasprintf("Authorization: Basic %s", code);
}

static void exchange_form(struct buf *form, const struct auth_spec *s, const char *scopes,
			  const char *subject)
{
	auth_form_add(form, "grant_type", "urn:ietf:params:oauth:grant-type:token-exchange");
	auth_form_add(form, "audience", s->audience);
	auth_form_add(form, "scope", scopes);
	auth_form_add(form, "requested_token_type",
		      "urn:ietf:params:oauth:token-type:access_token");
	auth_form_add(form, "subject_token", subject);
	auth_form_add(form, "subject_token_type", s->subject_type);
	if (s->workforce_project && !s->client_id) {
		autojson json_t *o = json_pack("{s:s}", "userProject", s->workforce_project);
		autofree char *text = jx_canonical(o);

		auth_form_add(form, "options", text);
	}
}

int auth_fetch_external(struct auth_answer *out, struct auth *a, const struct auth_spec *s,
			const char *scopes, bool again, struct err *e)
{
	AUTO(auth_form_release) struct buf form = {0};
	autosecretjson json_t *reply = NULL;
	autosecret char *subject = NULL, *basic = basic_header(s);
	const char *const headers[] = {"Content-Type: application/x-www-form-urlencoded",
				       "Accept: application/json", basic, NULL};
	struct auth_refusal why;

	if (auth_subject_token(&subject, a, s, again, e) < 0)
		return err_wrap(e, "workload identity federation");
	exchange_form(&form, s, scopes, subject);
	if (auth_post(&reply, a, s->token_uri, headers, &form, &why, e) < 0) {
		explain_sts(s, &why, e);
		return err_wrap(e, "workload identity federation");
	}
	return auth_answer_take(out, reply, a->now(), "workload identity federation", e);
}
