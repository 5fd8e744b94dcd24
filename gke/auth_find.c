/* auth_find.c - which credential there is: flags, environment, well-known places, in order. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "gke/auth_internal.h"

#define BACKOFF       NS_SEC
#define METADATA_WAIT (3 * NS_SEC)

const char *const auth_places[] = {
	"GOOGLE_OAUTH_ACCESS_TOKEN",
	"CLOUDSDK_AUTH_ACCESS_TOKEN_FILE",
	"GOOGLE_APPLICATION_CREDENTIALS",
	"GOOGLE_CREDENTIALS",
	"CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE",
	"CLOUDSDK_CONFIG",
	"HOME",
	"GCE_METADATA_HOST",
	"GCE_METADATA_ROOT",
	"GCE_METADATA_IP",
	"NO_GCE_CHECK",
	"CLOUDSDK_CORE_CHECK_GCE_METADATA",
	/* gcloud's own */
	"CLOUDSDK_ACTIVE_CONFIG_NAME",
	"CLOUDSDK_CORE_ACCOUNT",
	NULL,
};
const char *const auth_variables[] = {
	"CLOUDSDK_AUTH_IMPERSONATE_SERVICE_ACCOUNT",
	"GOOGLE_IMPERSONATE_SERVICE_ACCOUNT",
	"GOOGLE_CLOUD_UNIVERSE_DOMAIN",
	"CLOUDSDK_CORE_UNIVERSE_DOMAIN",
	"CLOUDSDK_AUTH_TOKEN_HOST",
	"CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS",
	"GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES",
	NULL,
};

struct finding {
	struct auth *a;
	const struct auth_opts *o;
	const char *universe;
};

static void say_source(struct auth *a, const char *what, const char *where)
{
	snprintf(a->source, sizeof(a->source), "%s%s%s", what, where ? ": " : "",
		 where ? where : "");
}

/* --- the places ------------------------------------------------------------------------------- */

static int use_token(struct finding *f, const char *token, const char *what, struct err *e)
{
	struct auth_spec *s = xcalloc(1, sizeof(*s));

	s->kind = AUTH_ACCESS_TOKEN;
	s->token = xstrdup(token);
	f->a->spec = s;
	say_source(f->a, what, NULL);
	if (secret_token_check(s->token, what, e) < 0)
		return err_hint(e,
				"give an access token, as gcloud auth print-access-token prints");
	log_secret(s->token);
	return 0;
}

static int use_token_file(struct finding *f, const char *path, const char *what, struct err *e)
{
	struct auth_spec *s = xcalloc(1, sizeof(*s));
	AUTO(auth_answer_release) struct auth_answer answer = {0};

	s->kind = AUTH_ACCESS_TOKEN;
	s->token_file = xstrdup(path);
	f->a->spec = s;
	f->a->file = xstrdup(path);
	say_source(f->a, what, path);
	/* A file that is missing is said now, not in the middle of the work. */
	if (auth_fetch(&answer, f->a, s, AUTH_SCOPES, false, e) < 0)
		return err_wrap(e, "%s", what);
	return 0;
}

static int use_file(struct finding *f, const char *path, const char *what, struct err *e)
{
	autosecret char *text = NULL;
	size_t len = 0;

	say_source(f->a, what, path);
	f->a->file = xstrdup(path);
	if (file_read(&text, &len, path, AUTH_FILE_MAX, e) < 0) {
		enum err_code code = e->code;

		err_wrap(e, "%s", what);
		if (code == ERR_NOT_FOUND)
			return err_hint(e, "correct the path, or unset it to use another "
					   "credential");
		return err_hint(e, "make it a readable credential file");
	}
	if (auth_spec_decode(&f->a->spec, text, len, path, f->universe, e) < 0)
		return err_wrap(e, "%s", what);
	return 0;
}

/* Terraform's variable holds a path, or the file's content. */
static int use_text(struct finding *f, const char *text, const char *what, struct err *e)
{
	if (*text != '{')
		return use_file(f, text, what, e);
	say_source(f->a, what, NULL);
	return auth_spec_decode(&f->a->spec, text, strlen(text), what, f->universe, e);
}

char *auth_well_known(const struct gke_env *env)
{
	const char *config = gke_getenv(env, "CLOUDSDK_CONFIG"), *home = gke_getenv(env, "HOME");
	autofree char *own = NULL;

	if (config)
		return path_join(config, "application_default_credentials.json");
	own = home ? xstrdup(home) : path_home();
	return own ? xasprintf("%s/.config/gcloud/application_default_credentials.json", own)
		   : NULL;
}

static bool in_path(const struct gke_env *env, const char *program)
{
	const char *path = gke_getenv(env, "PATH");
	autofree char *copy = xstrdup(path ? path : "/usr/bin:/bin");
	char *at = copy, *dir;

	if (strchr(program, '/'))
		return access(program, X_OK) == 0;
	while ((dir = strsep(&at, ":")) != NULL) {
		autofree char *full = path_join(*dir ? dir : ".", program);

		if (access(full, X_OK) == 0)
			return true;
	}
	return false;
}

static int use_ambient(struct finding *f, struct err *e)
{
	struct auth *a = f->a;
	bool machine = auth_metadata_find(a);

	if (!machine && !in_path(&a->env, a->gcloud)) {
		err_set(e, ERR_NOT_FOUND,
			"no Google credential: neither GOOGLE_OAUTH_ACCESS_TOKEN, "
			"CLOUDSDK_AUTH_ACCESS_TOKEN_FILE nor GOOGLE_APPLICATION_CREDENTIALS is "
			"set, there is no application_default_credentials.json, no metadata server "
			"and no gcloud");
		return err_hint(e, "set GOOGLE_APPLICATION_CREDENTIALS to a key file, or run: "
				   "gcloud auth application-default login");
	}
	a->spec = xcalloc(1, sizeof(*a->spec));
	a->spec->kind = machine ? AUTH_METADATA : AUTH_GCLOUD;
	say_source(a, machine ? "metadata server" : a->gcloud,
		   machine ? a->metadata_url + 7 : NULL);
	return 0;
}

static int find(struct finding *f, struct err *e)
{
	const struct auth_opts *o = f->o;
	const struct gke_env *env = &f->a->env;
	autofree char *path = NULL;
	const char *v;

	if (o->access_token)
		return use_token(f, o->access_token, "access token option", e);
	if (o->access_token_file)
		return use_token_file(f, o->access_token_file, "access token file option", e);
	if (o->credential_file)
		return use_file(f, o->credential_file, "credential file option", e);
	if ((v = gke_getenv(env, "GOOGLE_OAUTH_ACCESS_TOKEN")))
		return use_token(f, v, "GOOGLE_OAUTH_ACCESS_TOKEN", e);
	if ((v = gke_getenv(env, "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE")))
		return use_token_file(f, v, "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE", e);
	if ((v = gke_getenv(env, "GOOGLE_APPLICATION_CREDENTIALS")))
		return use_file(f, v, "GOOGLE_APPLICATION_CREDENTIALS", e);
	if ((v = gke_getenv(env, "GOOGLE_CREDENTIALS")))
		return use_text(f, v, "GOOGLE_CREDENTIALS", e);
	if ((v = gke_getenv(env, "CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE")))
		return use_file(f, v, "CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE", e);
	path = auth_well_known(env);
	if (path && file_exists(path))
		return use_file(f, path, "application default credentials", e);
	return use_ambient(f, e);
}

/* --- acting as another ------------------------------------------------------------------------ */

static bool is_email(const char *s)
{
	const char *at = strchr(s, '@');

	return at && at > s && strchr(at + 1, '.') &&
	       strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@.-_") ==
		       strlen(s);
}

static int impersonate(struct finding *f, const char *list, struct err *e)
{
	struct auth *a = f->a;
	AUTO(auth_spec_freep) struct auth_spec *s = xcalloc(1, sizeof(*s));
	autofree char *copy = xstrdup(list), *base = NULL;
	char *at = copy, *word;
	size_t n = 0;

	s->kind = AUTH_IMPERSONATED;
	s->lifetime_s = 3600;
	while ((word = strsep(&at, ", ")) != NULL) {
		if (!*word)
			continue;
		if (!is_email(word)) {
			err_set(e, ERR_INVALID, "\"%.80s\" is not the e-mail of a service account",
				word);
			return err_wrap(e, "impersonation");
		}
		if (n == AUTH_MAX_DELEGATE)
			return err_set(e, ERR_INVALID, "impersonation: more than %d delegates",
				       AUTH_MAX_DELEGATE);
		if (s->principal)
			s->delegates[n++] = xasprintf("projects/-/serviceAccounts/%s",
						      s->principal);
		free(s->principal);
		s->principal = xstrdup(word);
	}
	if (!s->principal)
		return 0;
	if (endpoint_url(&base, GKE_IAMCREDENTIALS, &a->env, f->universe, e) < 0)
		return -1;
	s->impersonate_url = xasprintf("%s/projects/-/serviceAccounts/%s:generateAccessToken", base,
				       s->principal);
	s->source = TAKE(a->spec);
	if (s->source->universe)
		s->universe = xstrdup(s->source->universe);
	a->spec = TAKE(s);
	a->acts_as = xstrdup(list);
	return 0;
}

/* --- the whole -------------------------------------------------------------------------------- */

static const char *first_set(const struct gke_env *env, const char *given, const char *one,
			     const char *two)
{
	const char *v = given ? given : gke_getenv(env, one);

	return v ? v : gke_getenv(env, two);
}

static int make_http(struct auth *a, const struct auth_opts *o, struct err *e)
{
	struct http_opts h = {.plain = HTTP_PLAIN_LOOPBACK, .user_agent = a->user_agent};

	if (o->ca_pem)
		a->ca = xstrdup(o->ca_pem);
	else if (gke_ca_pem(&a->ca, &a->env, e) < 0)
		return -1;
	h.ca_pem = a->ca;
	if (http_new(&a->google, a->loop, &h, e) < 0)
		return -1;
	h.plain = HTTP_PLAIN_ANY;
	if (http_new(&a->named, a->loop, &h, e) < 0)
		return -1;
	h.proxy = "";
	return http_new(&a->direct, a->loop, &h, e);
}

static int settle(struct auth *a, const struct auth_opts *o, const char *universe, struct err *e)
{
	const char *host = gke_getenv(&a->env, "CLOUDSDK_AUTH_TOKEN_HOST");
	const char *quota = first_set(&a->env, o->quota_project, "GOOGLE_CLOUD_QUOTA_PROJECT",
				      "CLOUDSDK_BILLING_QUOTA_PROJECT");

	if (host) {
		if (endpoint_check(host, ENDPOINT_OAUTH, universe, "CLOUDSDK_AUTH_TOKEN_HOST", e) <
		    0)
			return -1;
		a->token_host = xstrdup(host);
	}
	/* gcloud has words in capitals there that are no projects. */
	if (quota && *quota && strspn(quota, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") != strlen(quota)) {
		for (const char *p = quota; *p; p++)
			if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 0x7F)
				return err_set(e, ERR_INVALID, "the quota project is not a name");
		a->quota_project = xstrdup(quota);
	}
	return 0;
}

int auth_new(struct auth **out, struct loop *l, const struct auth_opts *o, struct err *e)
{
	AUTO(auth_freep) struct auth *a = xcalloc(1, sizeof(*a));
	struct finding f = {.a = a, .o = o};
	const char *who;

	a->loop = l;
	a->env = o->env;
	a->now = o->now ? o->now : clock_wall;
	a->backoff = o->backoff ? o->backoff : BACKOFF;
	a->metadata_wait = o->metadata_wait ? o->metadata_wait : METADATA_WAIT;
	a->gcloud = xstrdup(o->gcloud ? o->gcloud : "gcloud");
	a->user_agent = xstrdup(o->user_agent ? o->user_agent : "prestoctl");
	f.universe = first_set(&a->env, NULL, "GOOGLE_CLOUD_UNIVERSE_DOMAIN",
			       "CLOUDSDK_CORE_UNIVERSE_DOMAIN");
	who = first_set(&a->env, o->impersonate, "CLOUDSDK_AUTH_IMPERSONATE_SERVICE_ACCOUNT",
			"GOOGLE_IMPERSONATE_SERVICE_ACCOUNT");
	if (make_http(a, o, e) < 0 || settle(a, o, f.universe, e) < 0 || find(&f, e) < 0)
		return -1;
	/* gcloud obeys its own setting: its token is already the other's. */
	if (who && *who && (o->impersonate || a->spec->kind != AUTH_GCLOUD) &&
	    impersonate(&f, who, e) < 0)
		return -1;
	if (f.universe && !a->spec->universe)
		a->spec->universe = xstrdup(f.universe);
	*out = TAKE(a);
	return 0;
}
