/* auth_impersonate.c - acting as a service account, with the token of another credential. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/log.h"
#include "gke/auth_internal.h"

static json_t *scope_list(const char *scopes)
{
	json_t *list = json_array();
	autofree char *copy = xstrdup(scopes);
	char *at = copy, *word;

	while ((word = strsep(&at, " ")) != NULL)
		if (*word)
			json_array_append_new(list, json_string(word));
	return list;
}

static char *request_body(const struct auth_spec *s, const char *scopes)
{
	autojson json_t *o = json_object();
	json_t *delegates = json_array();

	for (size_t i = 0; s->delegates[i]; i++)
		json_array_append_new(delegates, jx_strf("%s", s->delegates[i]));
	json_object_set_new(o, "delegates", delegates);
	json_object_set_new(o, "scope", scope_list(scopes));
	json_object_set_new(o, "lifetime", jx_strf("%us", s->lifetime_s));
	return jx_canonical(o);
}

static int explain(const struct auth_spec *s, const struct auth_refusal *why, struct err *e)
{
	bool federated = s->source->kind == AUTH_EXTERNAL;

	if (streq(why->subtype, "SERVICE_DISABLED"))
		return err_hint(e, "run: gcloud services enable iamcredentials.googleapis.com");
	if (why->http == 404)
		return err_hint(e, "the service account %.90s does not exist", s->principal);
	if (why->http == 403 && s->source->principal && !federated)
		return err_hint(e, "grant roles/iam.serviceAccountTokenCreator on %.45s to %.45s",
				s->principal, s->source->principal);
	if (why->http == 403)
		return err_hint(e, "grant %s on %.70s to the caller",
				federated ? "roles/iam.workloadIdentityUser"
					  : "roles/iam.serviceAccountTokenCreator",
				s->principal);
	if (why->http == 400 && strstr(why->description, "lifetime"))
		return err_hint(e, "the organisation allows lifetimes up to 3600 s only");
	return -1;
}

static int take(struct auth_answer *out, const json_t *reply, const char *principal, struct err *e)
{
	const char *token = jx_str(reply, "accessToken"), *when = jx_str(reply, "expireTime");
	autosecret char *copy = NULL;
	struct err ignored = ERR_INIT;
	ns_t expiry = 0;

	if (!token)
		return err_set(e, ERR_PROTOCOL, "the reply has no accessToken");
	copy = xstrdup(token);
	if (secret_token_check(copy, "the reply", e) < 0)
		return -1;
	log_secret(copy);
	if (when && time_parse(&expiry, when, &ignored) < 0)
		expiry = 0;
	*out = (struct auth_answer){TAKE(copy), expiry, xstrdup(principal)};
	return 0;
}

int auth_fetch_impersonated(struct auth_answer *out, struct auth *a, const struct auth_spec *s,
			    const char *scopes, bool again, struct err *e)
{
	AUTO(auth_answer_release) struct auth_answer source = {0};
	autosecretjson json_t *reply = NULL;
	autofree char *body = request_body(s, scopes), *quota = NULL;
	autosecret char *bearer = NULL;
	const struct buf bytes = {.data = body, .len = strlen(body)};
	struct auth_refusal why;

	/* A federated token that may do nothing else is enough; others need the broad scope. */
	if (auth_fetch(&source, a, s->source,
		       s->source->kind == AUTH_EXTERNAL ? AUTH_SCOPE_IAM : AUTH_SCOPE_CLOUD, again,
		       e) < 0)
		return err_wrap(e, "to act as %s", s->principal);
	bearer = xasprintf("Authorization: Bearer %s", source.token);
	if (s->source->quota_project)
		quota = xasprintf("X-Goog-User-Project: %s", s->source->quota_project);
	const char *const headers[] = {"Content-Type: application/json", "Accept: application/json",
				       bearer, quota, NULL};
	if (auth_post(&reply, a, s->impersonate_url, headers, &bytes, &why, e) < 0) {
		explain(s, &why, e);
		return err_wrap(e, "to act as %s", s->principal);
	}
	if (take(out, reply, s->principal, e) < 0)
		return err_wrap(e, "to act as %s", s->principal);
	return 0;
}
