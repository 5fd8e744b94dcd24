/* gke_auth_fixture.h - what the tests of credentials share: files of each kind, and what a token is. */
#ifndef TESTS_UNIT_GKE_AUTH_FIXTURE_H
#define TESTS_UNIT_GKE_AUTH_FIXTURE_H

#include "gke/auth_internal.h"
#include "tests/unit/gke_fixture.h"

#define TOKEN(t) "{\"access_token\":\"" t "\",\"expires_in\":3599,\"token_type\":\"Bearer\"}"

static inline const char *user_text(struct gke_fix *x)
{
	return gke_keep(x, xasprintf("{\"type\":\"authorized_user\",\"client_id\":\"cid\","
				     "\"client_secret\":\"sesame-secret\","
				     "\"refresh_token\":\"1//refresh-secret\","
				     "\"quota_project_id\":\"qp\",\"token_uri\":\"%s\"}",
				     gke_url(x, "/token")));
}

/* source: the members of credential_source; more: further members with a comma in front. */
static inline const char *external_text(struct gke_fix *x, const char *source, const char *more)
{
	return gke_keep(x, xasprintf("{\"type\":\"external_account\","
				     "\"audience\":\"//iam.googleapis.com/projects/1/locations/"
				     "global/workloadIdentityPools/pool/providers/gh\","
				     "\"subject_token_type\":\"urn:ietf:params:oauth:token-type:"
				     "jwt\",\"token_url\":\"%s\",\"credential_source\":{%s}%s}",
				     gke_url(x, "/v1/token"), source, more));
}

static inline void found(struct gke_fix *x)
{
	struct auth_opts o = gke_opts(x);

	auth_freep(&x->auth);
	assert_ok(auth_new(&x->auth, x->l, &o, &x->e), &x->e);
}

static inline void use(struct gke_fix *x, const char *text)
{
	gke_set(x, "GOOGLE_APPLICATION_CREDENTIALS", gke_write(x, "adc.json", text));
	found(x);
}

static inline int token_rc(struct gke_fix *x, bool refused, char **token)
{
	ns_t expiry = 0;

	*token = NULL;
	return auth_token(token, &expiry, refused, x->auth, &x->e);
}

static inline void gives(struct gke_fix *x, const char *expected)
{
	autofree char *token = NULL;

	assert_ok(token_rc(x, false, &token), &x->e);
	assert_string_equal(token, expected);
}

static inline void fails(struct gke_fix *x, enum err_code code, const char *message,
			 const char *hint)
{
	char *token;

	if (token_rc(x, false, &token) == 0)
		fail_msg("a token instead of \"%s\"", message);
	assert_has(x->e.msg, message);
	assert_has(x->e.hint, hint);
	assert_null(strstr(x->e.msg, "secret"));
	assert_fails(-1, &x->e, code);
}

static inline const struct fault_request *request(struct gke_fix *x, size_t i)
{
	const struct fault_request *r = fault_request(x->f, i);

	assert_non_null(r);
	return r;
}

static inline char *form_value(const char *body, const char *name)
{
	autofree char *look = xasprintf("%s=", name);
	const char *at = starts_with(body, look) ? body : NULL;

	if (!at) {
		autofree char *inner = xasprintf("&%s=", name);

		at = strstr(body, inner);
		assert_non_null(at);
		at++;
	}
	at += strlen(look);
	return xstrndup(at, strcspn(at, "&"));
}

static inline const char *script(struct gke_fix *x, const char *text)
{
	const char *path = gke_write(x, "give-token", text);

	assert_int_equal(chmod(path, 0700), 0);
	return path;
}

#endif
