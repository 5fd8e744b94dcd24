/*
 * cmd_credential.c - the exec plugin of kubectl and its kin: an access token of Google's as an ExecCredential. It is run
 * for every kubectl command, so with a token in the cache nothing is started: no loop, no libcurl, no OpenSSL.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "gke/secret.h"
#include "provision/commands.h"
#include "provision/google.h"
#include "provision/token_cache.h"

#define GROUP      "client.authentication.k8s.io/"
#define INFO_MAX   (4u << 20) /* it may hold a cluster with its CA */
#define WAIT_OTHER (10 * NS_SEC)
#define LOOK_EVERY (25 * NS_MS)

struct options {
	bool no_cache;
};

static const struct opt opts[] = {
	{"no-cache", 0, OPT_FLAG, offsetof(struct options, no_cache), NULL,
	 "fetch a new token, and store none", NULL},
	{0},
};

/* The version of the answer is the one of the question. A static string. */
static int asked_version(const char **out, struct err *e)
{
	static const char *const known[] = {GROUP "v1", GROUP "v1beta1"};
	const char *info = getenv("KUBERNETES_EXEC_INFO"), *version;
	autojson json_t *o = NULL;

	*out = known[0];
	if (!info || !*info)
		return 0;
	if (strlen(info) > INFO_MAX)
		return err_set(e, ERR_INVALID, "KUBERNETES_EXEC_INFO: larger than %u bytes",
			       INFO_MAX);
	if (jx_parse(&o, info, strlen(info), "KUBERNETES_EXEC_INFO", e) < 0)
		return -1;
	if (!streq(jx_str(o, "kind"), "ExecCredential") || !(version = jx_str(o, "apiVersion")))
		return err_set(e, ERR_INVALID, "KUBERNETES_EXEC_INFO: it is no ExecCredential");
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (streq(known[i], version)) {
			*out = known[i];
			return 0;
		}
	}
	err_set(e, ERR_INVALID,
		"KUBERNETES_EXEC_INFO: version %.80s of ExecCredential is not known", version);
	return err_hint(e, "set user.exec.apiVersion in the kubeconfig to " GROUP "v1 or v1beta1");
}

/* Not by app_result_json: its text is not wiped. */
static void answer(const char *version, const char *token, ns_t expiry)
{
	autosecretjson json_t *o = NULL;
	autosecret char *text = NULL;
	char when[TIME_RFC3339_SIZE];

	o = json_pack("{s:s, s:s, s:{s:s}}", "apiVersion", version, "kind", "ExecCredential",
		      "status", "token", token);
	if (expiry) {
		time_format(when, expiry);
		json_object_set_new(jx_get(o, "status"), "expirationTimestamp", json_string(when));
	}
	text = jx_canonical(o);
	printf("%s\n", text);
}

static bool from_cache(char **token, ns_t *expiry, const struct token_cache *c)
{
	char why[200];

	if (token_cache_get(token, expiry, c, clock_wall(), why)) {
		log_secret(*token);
		log_debug("token", "from %s", c->path);
		return true;
	}
	if (*why)
		log_warn("token", "%s is not used: %s", c->path, why);
	return false;
}

/* Many are started at once when a script runs many kubectl: one of them fetches, the others wait. */
static bool by_another(char **token, ns_t *expiry, struct app *a, struct token_cache *c)
{
	ns_t until = clock_mono() + WAIT_OTHER;

	for (;;) {
		struct err e = ERR_INIT;

		if (token_cache_lock(c, &e) == 0)
			return from_cache(token, expiry, c);
		if (e.code != ERR_CONFLICT || clock_mono() > until ||
		    loop_sleep(a->loop, LOOK_EVERY, &(struct err){0}) < 0)
			return false;
	}
}

static int fetch(char **token, ns_t *expiry, struct app *a, struct token_cache *c, struct err *e)
{
	struct err bad = ERR_INIT;
	struct google *g;

	if (google_login(&g, a, NULL, NULL, e) < 0 ||
	    auth_token(token, expiry, false, g->auth, e) < 0)
		return -1;
	/* What somebody else renews has no end that is known here. */
	if (!c->path || auth_given(g->auth) || !*expiry)
		return 0;
	if (token_cache_put(c, *token, *expiry, &bad) < 0)
		log_warn("token", "it is not kept: %s", bad.msg);
	return 0;
}

static int give(struct app *a, const char *version, struct token_cache *c, struct err *e)
{
	autosecret char *token = NULL;
	ns_t expiry = 0;

	if (!c->path || !from_cache(&token, &expiry, c)) {
		if (app_start(a, e) < 0)
			return -1;
		if ((!c->path || !by_another(&token, &expiry, a, c)) &&
		    fetch(&token, &expiry, a, c, e) < 0)
			return -1;
	}
	answer(version, token, expiry);
	return 0;
}

static int run(struct app *a, int argc, char **argv, struct err *e)
{
	struct token_cache c = TOKEN_CACHE_INIT;
	const struct gke_env env = {0};
	struct err bad = ERR_INIT;
	struct options o = {0};
	const char *version;
	int failed;

	if (app_options(a, &cmd_credential, &o, &argc, argv, e) < 0 ||
	    asked_version(&version, e) < 0)
		return -1;
	if (!o.no_cache && token_cache_open(&c, &a->g, &env, &bad) < 0) {
		log_warn("token", "tokens are not kept: %s", bad.msg);
		token_cache_close(&c);
	}
	failed = give(a, version, &c, e);
	token_cache_close(&c);
	return failed;
}

const struct command cmd_credential = {
	.name = "credential",
	.summary = "a Google access token, for kubectl (exec plugin of a kubeconfig)",
	.about =
		"Prints an ExecCredential, v1 or v1beta1 as KUBERNETES_EXEC_INFO asks. A kubeconfig that\n"
		"prestoctl kubeconfig has written calls it. The token is kept until shortly before its end in\n"
		"a file of mode 0600 below $XDG_CACHE_HOME/prestoctl or ~/.cache/prestoctl.",
	.opts = opts,
	.run = run,
};
