/*
 * auth_spec.c - credential files: each type that Google writes, decoded and checked before anything
 * is sent. Pure: no file, no request, no clock.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "gke/auth_internal.h"

#define MAX_TEXT (16u << 10)

struct decoding {
	const char *name, *universe;
	unsigned depth;
};

static int decode(struct auth_spec **out, const json_t *o, struct decoding *d, struct err *e);

void auth_spec_free(struct auth_spec *s)
{
	if (!s)
		return;
	auth_spec_free(s->source);
	secret_free(s->key_pem);
	secret_free(s->client_secret);
	secret_free(s->refresh_token);
	secret_free(s->token);
	for (size_t i = 0; i < ARRAY_LEN(s->subject.headers); i++)
		secret_free(s->subject.headers[i]);
	for (size_t i = 0; i < ARRAY_LEN(s->delegates); i++)
		free(s->delegates[i]);
	free(s->principal);
	free(s->project);
	free(s->quota_project);
	free(s->universe);
	free(s->token_uri);
	free(s->key_id);
	free(s->client_id);
	free(s->token_file);
	free(s->audience);
	free(s->subject_type);
	free(s->token_info_url);
	free(s->workforce_project);
	free(s->subject.place);
	free(s->subject.output_file);
	free(s->subject.field);
	free(s->impersonate_url);
	free(s);
}

void auth_spec_freep(struct auth_spec **s)
{
	auth_spec_free(*s);
	*s = NULL;
}

/* A text that must be there; its value is never shown. */
static int need(char **out, const json_t *o, const char *field, struct err *e)
{
	const char *v = jx_str(o, field);

	if (v && *v && strlen(v) <= MAX_TEXT) {
		*out = xstrdup(v);
		return 0;
	}
	if (!v || !*v)
		err_set(e, ERR_INVALID, "\"%s\" is missing", field);
	else
		err_set(e, ERR_INVALID, "\"%s\" is longer than %u bytes", field, MAX_TEXT);
	return -1;
}

static char *maybe(const json_t *o, const char *field)
{
	const char *v = jx_str(o, field);

	return v && *v && strlen(v) <= MAX_TEXT ? xstrdup(v) : NULL;
}

/* Names that become part of a header line or a message. */
static int one_line(const char *v, const char *field, struct err *e)
{
	for (const char *p = v; p && *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7F)
			return err_set(e, ERR_INVALID, "\"%s\" is not one line", field);
	return 0;
}

/* --- a key, a user ---------------------------------------------------------------------------- */

static int decode_key(struct auth_spec *s, const json_t *o, struct decoding *d, struct err *e)
{
	s->kind = AUTH_SERVICE_ACCOUNT;
	if (need(&s->principal, o, "client_email", e) < 0 ||
	    need(&s->key_pem, o, "private_key", e) < 0)
		return -1;
	s->key_id = maybe(o, "private_key_id");
	s->project = maybe(o, "project_id");
	s->token_uri = maybe(o, "token_uri");
	if (s->token_uri)
		return endpoint_check(s->token_uri, ENDPOINT_OAUTH, d->universe, "token_uri", e);
	s->token_uri = xstrdup(AUTH_TOKEN_URL);
	return 0;
}

static int decode_user(struct auth_spec *s, const json_t *o, struct decoding *d, struct err *e)
{
	s->kind = AUTH_AUTHORIZED_USER;
	if (need(&s->client_id, o, "client_id", e) < 0 ||
	    need(&s->client_secret, o, "client_secret", e) < 0 ||
	    need(&s->refresh_token, o, "refresh_token", e) < 0)
		return -1;
	log_secret(s->client_secret);
	log_secret(s->refresh_token);
	s->principal = maybe(o, "account");
	s->token_uri = maybe(o, "token_uri");
	if (s->token_uri)
		return endpoint_check(s->token_uri, ENDPOINT_OAUTH, d->universe, "token_uri", e);
	s->token_uri = xstrdup(AUTH_TOKEN_URL);
	return 0;
}

/* --- somebody else's token -------------------------------------------------------------------- */

static int decode_headers(struct auth_subject *s, const json_t *headers, struct err *e)
{
	size_t n = 0;
	const char *key;
	json_t *v;

	jx_foreach (headers, key, v) {
		const char *text = json_string_value(v);

		if (n == AUTH_MAX_HEADERS)
			return err_set(e, ERR_INVALID, "more than %d headers", AUTH_MAX_HEADERS);
		if (!text || strpbrk(key, ":\r\n") || strpbrk(text, "\r\n") || !*key)
			return err_set(e, ERR_INVALID, "credential_source.headers: not one line");
		log_secret(text);
		s->headers[n++] = xasprintf("%s: %s", key, text);
	}
	return 0;
}

static int decode_format(struct auth_subject *s, const json_t *source, struct err *e)
{
	const char *type = jx_str_or(source, "format.type", "text");

	if (streq(type, "text"))
		return 0;
	if (!streq(type, "json"))
		return err_set(e, ERR_INVALID, "credential_source.format.type \"%.40s\" is unknown",
			       type);
	s->field = maybe(source, "format.subject_token_field_name");
	if (!s->field)
		return err_set(e, ERR_INVALID,
			       "credential_source.format.subject_token_field_name is missing");
	return 0;
}

static int decode_executable(struct auth_subject *s, const json_t *x, struct err *e)
{
	json_int_t ms = jx_int_or(x, "timeout_millis", 30000);

	s->kind = SUBJECT_EXECUTABLE;
	if (need(&s->place, x, "command", e) < 0)
		return err_wrap(e, "credential_source.executable");
	if (ms < 5000 || ms > 120000)
		return err_set(e, ERR_INVALID,
			       "credential_source.executable.timeout_millis must be 5000 to "
			       "120000");
	s->timeout = ms * NS_MS;
	s->output_file = maybe(x, "output_file");
	return 0;
}

/* The sources that need a cloud or a key that we do not speak for: said by name. */
static int refuse_source(const json_t *source, struct err *e)
{
	const char *id = jx_str(source, "environment_id");

	if (id && starts_with(id, "aws")) {
		err_set(e, ERR_INVALID, "an AWS credential source is not supported");
		return err_hint(e, "use a file, url or executable source, or a key of a service "
				   "account");
	}
	if (jx_get(source, "certificate")) {
		err_set(e, ERR_INVALID, "a certificate credential source (X.509) is not supported");
		return err_hint(e, "use a file, url or executable source");
	}
	if (id)
		return err_set(e, ERR_INVALID, "credential source \"%.40s\" is not supported", id);
	return 0;
}

static int decode_source(struct auth_subject *s, const json_t *source, struct err *e)
{
	const json_t *x = jx_get(source, "executable");

	if (!json_is_object(source))
		return err_set(e, ERR_INVALID, "\"credential_source\" is missing");
	if (refuse_source(source, e) < 0)
		return -1;
	if (!!jx_get(source, "file") + !!jx_get(source, "url") + !!x != 1)
		return err_set(e, ERR_INVALID,
			       "credential_source must have one of file, url and executable");
	if (x)
		return decode_executable(s, x, e);
	if (jx_get(source, "url")) {
		s->kind = SUBJECT_URL;
		if (need(&s->place, source, "url", e) < 0 ||
		    decode_headers(s, jx_get(source, "headers"), e) < 0)
			return -1;
	} else {
		s->kind = SUBJECT_FILE;
		if (need(&s->place, source, "file", e) < 0)
			return -1;
	}
	return decode_format(s, source, e);
}

/* Put an impersonation around a credential: *s becomes its source. */
static struct auth_spec *wrap(struct auth_spec *inner, char *url)
{
	struct auth_spec *s = xcalloc(1, sizeof(*s));

	s->kind = AUTH_IMPERSONATED;
	s->impersonate_url = url;
	s->principal = auth_email_of_url(url);
	s->lifetime_s = 3600;
	s->source = inner;
	return s;
}

static int decode_impersonation_url(char **out, const json_t *o, struct decoding *d, struct err *e)
{
	const char *field = "service_account_impersonation_url";
	autofree char *url = NULL, *email = NULL;

	if (need(&url, o, field, e) < 0 ||
	    endpoint_check(url, ENDPOINT_IAM, d->universe, field, e) < 0)
		return -1;
	email = auth_email_of_url(url);
	if (!email)
		return err_set(e, ERR_INVALID,
			       "%s does not end in serviceAccounts/EMAIL:generateAccessToken",
			       field);
	*out = TAKE(url);
	return 0;
}

static int decode_external(struct auth_spec **sp, const json_t *o, struct decoding *d,
			   struct err *e)
{
	struct auth_spec *s = *sp;
	json_int_t life = jx_int_or(o, "service_account_impersonation.token_lifetime_seconds",
				    3600);
	autofree char *url = NULL;

	s->kind = AUTH_EXTERNAL;
	if (need(&s->audience, o, "audience", e) < 0 ||
	    need(&s->subject_type, o, "subject_token_type", e) < 0 ||
	    need(&s->token_uri, o, "token_url", e) < 0 ||
	    decode_source(&s->subject, jx_get(o, "credential_source"), e) < 0 ||
	    endpoint_check(s->token_uri, ENDPOINT_STS, d->universe, "token_url", e) < 0)
		return -1;
	s->token_info_url = maybe(o, "token_info_url");
	if (s->token_info_url &&
	    endpoint_check(s->token_info_url, ENDPOINT_STS, d->universe, "token_info_url", e) < 0)
		return -1;
	s->client_id = maybe(o, "client_id");
	s->client_secret = maybe(o, "client_secret");
	log_secret(s->client_secret);
	s->workforce_project = maybe(o, "workforce_pool_user_project");
	if (jx_is_empty(jx_get(o, "service_account_impersonation_url")))
		return 0;
	if (life < 600 || life > 43200)
		return err_set(e, ERR_INVALID, "token_lifetime_seconds must be 600 to 43200");
	if (decode_impersonation_url(&url, o, d, e) < 0)
		return -1;
	*sp = wrap(s, TAKE(url));
	(*sp)->lifetime_s = (unsigned)life;
	return 0;
}

/* --- acting as another ------------------------------------------------------------------------ */

/* "projects/-/serviceAccounts/EMAIL" from either form. Owned. */
static char *delegate_name(const char *v)
{
	return starts_with(v, "projects/") ? xstrdup(v)
					   : xasprintf("projects/-/serviceAccounts/%s", v);
}

static int decode_impersonated(struct auth_spec **sp, const json_t *o, struct decoding *d,
			       struct err *e)
{
	struct auth_spec *s = *sp;
	const json_t *list = jx_get(o, "delegates");

	s->kind = AUTH_IMPERSONATED;
	s->lifetime_s = 3600;
	if (decode_impersonation_url(&s->impersonate_url, o, d, e) < 0)
		return -1;
	s->principal = auth_email_of_url(s->impersonate_url);
	if (json_array_size(list) > AUTH_MAX_DELEGATE)
		return err_set(e, ERR_INVALID, "more than %d delegates", AUTH_MAX_DELEGATE);
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *v = json_string_value(json_array_get(list, i));

		if (!v || !*v)
			return err_set(e, ERR_INVALID, "delegates: not a list of texts");
		s->delegates[i] = delegate_name(v);
	}
	if (!json_is_object(jx_get(o, "source_credentials")))
		return err_set(e, ERR_INVALID, "\"source_credentials\" is missing");
	if (decode(&s->source, jx_get(o, "source_credentials"), d, e) < 0)
		return err_wrap(e, "source_credentials");
	return 0;
}

/* --- all of them ------------------------------------------------------------------------------ */

static int decode_type(struct auth_spec **s, const json_t *o, struct decoding *d, struct err *e)
{
	const char *type = jx_str(o, "type");

	if (streq(type, "service_account"))
		return decode_key(*s, o, d, e);
	if (streq(type, "authorized_user"))
		return decode_user(*s, o, d, e);
	if (streq(type, "external_account"))
		return decode_external(s, o, d, e);
	if (streq(type, "impersonated_service_account"))
		return decode_impersonated(s, o, d, e);
	if (streq(type, "external_account_authorized_user")) {
		err_set(e, ERR_INVALID,
			"credentials of type external_account_authorized_user are "
			"not supported");
		return err_hint(e, "use workload identity federation (external_account), or a "
				   "service account");
	}
	if (!type && (jx_get(o, "installed") || jx_get(o, "web"))) {
		err_set(e, ERR_INVALID, "this is an OAuth client, not a credential");
		return err_hint(e, "run: gcloud auth application-default login");
	}
	if (!type)
		return err_set(e, ERR_INVALID, "not a Google credential: \"type\" is missing");
	return err_set(e, ERR_INVALID, "credentials of type \"%.60s\" are not supported", type);
}

static int check_universe(const struct auth_spec *s, const struct decoding *d, struct err *e)
{
	const char *asked = d->universe ? d->universe : GKE_UNIVERSE;
	const char *has = s->universe ? s->universe : GKE_UNIVERSE;

	if (streq(asked, has))
		return 0;
	/* A file must not choose by itself whom it is sent to. */
	err_set(e, ERR_INVALID, "the credential is of universe %.80s, but %.80s is asked for", has,
		asked);
	return err_hint(e, "set GOOGLE_CLOUD_UNIVERSE_DOMAIN=%.100s if that is meant", has);
}

static int decode(struct auth_spec **out, const json_t *o, struct decoding *d, struct err *e)
{
	AUTO(auth_spec_freep) struct auth_spec *s = xcalloc(1, sizeof(*s));

	if (d->depth++ >= AUTH_MAX_DEPTH)
		return err_set(e, ERR_INVALID, "more than %d credentials inside each other",
			       AUTH_MAX_DEPTH);
	if (!json_is_object(o))
		return err_set(e, ERR_INVALID, "not a JSON object");
	s->universe = maybe(o, "universe_domain");
	if (check_universe(s, d, e) < 0 || decode_type(&s, o, d, e) < 0)
		return -1;
	if (!s->quota_project)
		s->quota_project = maybe(o, "quota_project_id");
	if (one_line(s->quota_project, "quota_project_id", e) < 0 ||
	    one_line(s->principal, "client_email", e) < 0)
		return -1;
	*out = TAKE(s);
	return 0;
}

int auth_spec_decode(struct auth_spec **out, const char *text, size_t len, const char *name,
		     const char *universe, struct err *e)
{
	autosecretjson json_t *o = NULL;
	struct decoding d = {.name = name, .universe = universe};
	struct err why = ERR_INIT;

	if (len > AUTH_FILE_MAX)
		return err_set(e, ERR_INVALID, "%s: larger than %u bytes", name, AUTH_FILE_MAX);
	if (jx_parse(&o, text, len, name, &why) < 0) {
		err_set(e, ERR_INVALID, "%s", why.msg);
		return err_hint(e, "a credential file is JSON, as Google gave it");
	}
	if (decode(out, o, &d, e) < 0)
		return err_wrap(e, "%s", name);
	return 0;
}

char *auth_email_of_url(const char *url)
{
	static const char look[] = "/serviceAccounts/", end[] = ":generateAccessToken";
	const char *at = strstr(url, look), *stop;

	if (!at)
		return NULL;
	at += sizeof(look) - 1;
	stop = strstr(at, end);
	if (!stop || stop == at || stop[sizeof(end) - 1])
		return NULL;
	for (const char *p = at; p < stop; p++)
		if ((unsigned char)*p <= ' ' || strchr("/?#\"\\", *p) || (unsigned char)*p >= 0x7F)
			return NULL;
	return xstrndup(at, (size_t)(stop - at));
}
