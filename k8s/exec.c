/*
 * exec.c - the texts of the client.authentication.k8s.io exchange with exec plugins: what we accept
 * in a kubeconfig, and what a plugin answers. Pure; cred.c runs the plugin.
 */
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "k8s/cred.h"

#define EXEC_GROUP     "client.authentication.k8s.io/"
#define EXEC_MAX_TOKEN (64u << 10)

static int check_env(const json_t *env, struct err *e)
{
	if (jx_is_empty(env))
		return 0;
	if (!json_is_array(env))
		return err_set(e, ERR_INVALID, "exec.env must be a list");
	for (size_t i = 0; i < json_array_size(env); i++) {
		const json_t *pair = json_array_get(env, i);
		const char *name = jx_str(pair, "name");

		if (!name || !*name || strchr(name, '=') || !jx_str(pair, "value"))
			return err_set(e, ERR_INVALID, "exec.env needs a name and a value each");
	}
	return 0;
}

int exec_check(const json_t *exec, struct err *e)
{
	const char *version = jx_str(exec, "apiVersion"), *command = jx_str(exec, "command");
	const char *mode = jx_str(exec, "interactiveMode");
	const json_t *args = jx_get(exec, "args");

	if (!command || !*command)
		return err_set(e, ERR_INVALID, "exec has no command");
	if (!streq(version, EXEC_GROUP "v1") && !streq(version, EXEC_GROUP "v1beta1"))
		return err_set(e, ERR_INVALID,
			       "exec.apiVersion \"%.80s\" is not " EXEC_GROUP "v1 or v1beta1",
			       version ? version : "");
	if (!jx_is_empty(args) && !json_is_array(args))
		return err_set(e, ERR_INVALID, "exec.args must be a list");
	for (size_t i = 0; i < json_array_size(args); i++)
		if (!json_is_string(json_array_get(args, i)))
			return err_set(e, ERR_INVALID, "exec.args must hold strings");
	if (!mode && ends_with(version, "/v1"))
		return err_set(e, ERR_INVALID, "exec.interactiveMode is missing (v1 demands it)");
	if (mode && !streq(mode, "Never") && !streq(mode, "IfAvailable") && !streq(mode, "Always"))
		return err_set(e, ERR_INVALID, "exec.interactiveMode \"%.40s\" is unknown", mode);
	return check_env(jx_get(exec, "env"), e);
}

json_t *exec_cluster_info(const struct k8s_config *c, const json_t *cluster)
{
	const json_t *extensions = jx_get(cluster, "extensions");
	json_t *info = json_object();

	json_object_set_new(info, "server", json_string(c->server));
	if (c->server_name)
		json_object_set_new(info, "tls-server-name", json_string(c->server_name));
	if (c->insecure)
		json_object_set_new(info, "insecure-skip-tls-verify", json_true());
	if (c->ca_pem) {
		autofree char *data = base64_encode(c->ca_pem, strlen(c->ca_pem));
		json_object_set_new(info, "certificate-authority-data", json_string(data));
	}
	if (c->proxy_url)
		json_object_set_new(info, "proxy-url", json_string(c->proxy_url));
	for (size_t i = 0; i < json_array_size(extensions); i++) {
		const json_t *x = json_array_get(extensions, i);

		if (streq(jx_str(x, "name"), EXEC_GROUP "exec"))
			json_object_set_new(info, "config", json_deep_copy(jx_get(x, "extension")));
	}
	return info;
}

static void wipe_free(char *secret)
{
	if (secret)
		mem_wipe(secret, strlen(secret));
	free(secret);
}

void exec_answer_release(struct exec_answer *a)
{
	wipe_free(a->token);
	free(a->cert_pem);
	wipe_free(a->key_pem);
	*a = (struct exec_answer){0};
}

static int check_token(const char *token, struct err *e)
{
	if (token && strlen(token) > EXEC_MAX_TOKEN)
		return err_set(e, ERR_PROTOCOL, "the token is larger than %u bytes",
			       EXEC_MAX_TOKEN);
	for (const char *p = token ? token : ""; *p; p++)
		if ((unsigned char)*p <= ' ' || *p == 0x7f)
			return err_set(e, ERR_PROTOCOL,
				       "the token holds white space or control "
				       "characters");
	return 0;
}

static const char *non_empty(const char *s)
{
	return s && *s ? s : NULL;
}

int exec_decode(struct exec_answer *out, const char *text, size_t len, const char *api_version,
		struct err *e)
{
	autojson json_t *doc = NULL;
	ns_t expiry = 0;

	if (jx_parse(&doc, text, len, "its answer", e) < 0)
		return -1;
	const char *kind = jx_str(doc, "kind"), *version = jx_str(doc, "apiVersion");
	const char *token = non_empty(jx_str(doc, "status.token"));
	const char *cert = non_empty(jx_str(doc, "status.clientCertificateData"));
	const char *key = non_empty(jx_str(doc, "status.clientKeyData"));
	const char *until = non_empty(jx_str(doc, "status.expirationTimestamp"));

	if (!streq(kind, "ExecCredential"))
		return err_set(e, ERR_PROTOCOL, "its answer is not an ExecCredential");
	if (!streq(version, api_version))
		return err_set(e, ERR_PROTOCOL, "it answered in %.80s and was asked in %s",
			       version ? version : "no version", api_version);
	if (!token && !cert && !key)
		return err_set(e, ERR_PROTOCOL, "its answer has neither token nor certificate");
	if (!cert != !key)
		return err_set(e, ERR_PROTOCOL,
			       "clientCertificateData and clientKeyData belong "
			       "together");
	if (check_token(token, e) < 0)
		return -1;
	/* Some say year 9999 for "never", which is beyond our clock. */
	if (until && strspn(until, "0123456789") == 4 && strncmp(until, "2262", 4) >= 0)
		until = NULL;
	if (until && time_parse(&expiry, until, e) < 0)
		return err_wrap(e, "expirationTimestamp");
	out->token = token ? xstrdup(token) : NULL;
	out->cert_pem = cert ? xstrdup(cert) : NULL;
	out->key_pem = key ? xstrdup(key) : NULL;
	out->expiry = expiry;
	return 0;
}
