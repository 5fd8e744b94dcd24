/* auth_grant.c - credentials of our own: a service account's key, a person's refresh token. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/log.h"
#include "gke/auth_internal.h"

#define SKEW_S     60
#define LIFE_S     3600
#define BACKDATE_S 10 /* a clock that is a little ahead is forgiven */

/* --- service account keys --------------------------------------------------------------------- */

static int clock_is_off(const struct auth_refusal *why, struct err *e)
{
	char text[DURATION_SIZE];
	int64_t s = why->skew_s < 0 ? -why->skew_s : why->skew_s;

	if (s > SKEW_S) {
		duration_format(text, s * NS_SEC);
		err_wrap(e, "this machine's clock is %s %s", text,
			 why->skew_s < 0 ? "behind Google's" : "ahead of Google's");
	}
	return err_hint(e, "set the clock, for example: timedatectl set-ntp true");
}

static int explain_key(const struct auth_spec *s, const struct auth_refusal *why, struct err *e)
{
	const char *d = why->description;
	bool off = why->skew_s > SKEW_S || why->skew_s < -SKEW_S;

	if (why->http == 400 && streq(why->error, "invalid_grant")) {
		if (off || strstr(d, "timeframe") || strstr(d, "iat and exp") ||
		    strstr(d, "iat/exp"))
			return clock_is_off(why, e);
		if (strcasestr(d, "account not found"))
			return err_hint(e, "the service account %.90s was deleted or disabled",
					s->principal);
		if (strcasestr(d, "signature") || strcasestr(d, "key"))
			return err_hint(e, "this key was deleted: make a new one for %.90s",
					s->principal);
		return err_hint(e, "check that %.90s and its key still exist", s->principal);
	}
	if (e->code == ERR_DENIED)
		return err_hint(e, "check that %.90s may get tokens", s->principal);
	return -1;
}

static json_t *key_claims(const struct auth_spec *s, const char *scopes, int64_t now, bool direct)
{
	json_t *claims = json_object();
	int64_t iat = now - BACKDATE_S;

	json_object_set_new(claims, "iss", jx_strf("%s", s->principal));
	json_object_set_new(claims, "scope", jx_strf("%s", scopes));
	json_object_set_new(claims, "iat", json_integer(iat));
	json_object_set_new(claims, "exp", json_integer(iat + LIFE_S));
	if (direct)
		json_object_set_new(claims, "sub", jx_strf("%s", s->principal));
	else
		json_object_set_new(claims, "aud", jx_strf("%s", s->token_uri));
	return claims;
}

int auth_fetch_key(struct auth_answer *out, struct auth *a, const struct auth_spec *s,
		   const char *scopes, struct err *e)
{
	/* Other universes have no token endpoint: there the assertion itself is the token. */
	bool direct = s->universe && !streq(s->universe, GKE_UNIVERSE);
	int64_t now = a->now() / NS_SEC;
	autojson json_t *claims = key_claims(s, scopes, now, direct);
	AUTO(auth_form_release) struct buf form = {0};
	autosecretjson json_t *reply = NULL;
	autosecret char *jwt = NULL;
	struct auth_refusal why;

	if (jwt_rs256(&jwt, s->key_id, claims, s->key_pem, e) < 0)
		return err_wrap(e, "key of %s", s->principal);
	log_secret(jwt);
	if (direct) {
		*out = (struct auth_answer){TAKE(jwt), (now - BACKDATE_S + LIFE_S) * NS_SEC, NULL};
		return 0;
	}
	auth_form_add(&form, "grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer");
	auth_form_add(&form, "assertion", jwt);
	if (auth_post(&reply, a, s->token_uri, NULL, &form, &why, e) < 0) {
		explain_key(s, &why, e);
		return err_wrap(e, "token for %s", s->principal);
	}
	return auth_answer_take(out, reply, a->now(), "token for the service account", e);
}

/* --- people ----------------------------------------------------------------------------------- */

static int explain_user(const struct auth_refusal *why, struct err *e)
{
	if (streq(why->subtype, "invalid_rapt") || streq(why->error, "invalid_rapt")) {
		err_wrap(e, "the organisation wants a fresh login");
		return err_hint(e, "log in again: gcloud auth application-default login");
	}
	if (streq(why->error, "invalid_grant")) {
		err_wrap(e, "the login has ended or was revoked");
		return err_hint(e, "log in again: gcloud auth application-default login");
	}
	if (streq(why->error, "invalid_client") || streq(why->error, "deleted_client") ||
	    streq(why->error, "unauthorized_client")) {
		err_wrap(e, "the OAuth client of this login is gone");
		return err_hint(e, "log in again: gcloud auth application-default login");
	}
	return -1;
}

int auth_fetch_user(struct auth_answer *out, struct auth *a, const struct auth_spec *s,
		    struct err *e)
{
	AUTO(auth_form_release) struct buf form = {0};
	autosecretjson json_t *reply = NULL;
	struct auth_refusal why;

	/* No scope: a refresh token has those that the person agreed to. */
	auth_form_add(&form, "grant_type", "refresh_token");
	auth_form_add(&form, "client_id", s->client_id);
	auth_form_add(&form, "client_secret", s->client_secret);
	auth_form_add(&form, "refresh_token", s->refresh_token);
	if (auth_post(&reply, a, a->token_host ? a->token_host : s->token_uri, NULL, &form, &why,
		      e) < 0) {
		explain_user(&why, e);
		return err_wrap(e, "token for %s", s->principal ? s->principal : "the user");
	}
	return auth_answer_take(out, reply, a->now(), "token for the user", e);
}
