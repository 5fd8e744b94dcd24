/*
 * config.c - the resolved configuration itself: release, the pod's own service account, and a
 * standalone kubeconfig written from it.
 */
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/file.h"
#include "base/yaml.h"
#include "k8s/kubeconfig_edit.h"

#define SERVICE_ACCOUNT "/var/run/secrets/kubernetes.io/serviceaccount"
#define MAX_SMALL       (1u << 20)

static void wipe_free(char *secret)
{
	if (secret)
		mem_wipe(secret, strlen(secret));
	free(secret);
}

void k8s_config_release(struct k8s_config *c)
{
	free(c->server);
	free(c->context);
	free(c->cluster);
	free(c->user);
	free(c->ns);
	free(c->ca_pem);
	free(c->cert_pem);
	wipe_free(c->key_pem);
	free(c->server_name);
	wipe_free(c->proxy_url);
	wipe_free(c->token);
	free(c->token_file);
	free(c->username);
	wipe_free(c->password);
	free(c->as_user);
	free(c->as_uid);
	json_decref(c->as_groups);
	json_decref(c->as_extra);
	json_decref(c->exec);
	json_decref(c->exec_cluster);
	*c = (struct k8s_config)K8S_CONFIG_INIT;
}

static int fill_in_cluster(struct k8s_config *c, const char *dir, struct err *e)
{
	const char *host = getenv("KUBERNETES_SERVICE_HOST");
	const char *port = getenv("KUBERNETES_SERVICE_PORT");
	autofree char *ca = path_join(dir, "ca.crt"), *ns = path_join(dir, "namespace");
	autofree char *token = NULL;
	size_t len = 0;
	struct err none = ERR_INIT;

	if (!host || !*host || !port || !*port)
		return err_set(e, ERR_NOT_FOUND,
			       "not inside a cluster: KUBERNETES_SERVICE_HOST "
			       "and KUBERNETES_SERVICE_PORT are not set");
	c->token_file = path_join(dir, "token");
	/* The token is read again whenever it is needed; this only tells early that it is missing. */
	if (file_read(&token, &len, c->token_file, MAX_SMALL, e) < 0 ||
	    file_read(&c->ca_pem, &len, ca, MAX_SMALL, e) < 0)
		return err_wrap(e, "service account");
	mem_wipe(token, strlen(token));
	if (file_read(&c->ns, &len, ns, 256, &none) == 0)
		c->ns[strcspn(c->ns, "\r\n ")] = '\0';
	if (!c->ns || !*c->ns) {
		free(c->ns);
		c->ns = xstrdup("default");
	}
	bool v6 = strchr(host, ':') && *host != '[';
	c->server = xasprintf("https://%s%s%s:%s", v6 ? "[" : "", host, v6 ? "]" : "", port);
	c->context = xstrdup("in-cluster");
	c->cluster = xstrdup("in-cluster");
	c->user = xstrdup("service-account");
	/* The API server's service address is never behind a proxy. */
	c->proxy_url = xstrdup("");
	return 0;
}

int k8s_config_in_cluster(struct k8s_config *out, const char *dir, struct err *e)
{
	struct k8s_config c = K8S_CONFIG_INIT;

	if (fill_in_cluster(&c, dir ? dir : SERVICE_ACCOUNT, e) < 0) {
		k8s_config_release(&c);
		return -1;
	}
	*out = c;
	return 0;
}

static void set_str(json_t *o, const char *key, const char *v)
{
	if (v && *v)
		json_object_set_new(o, key, json_string(v));
}

static void set_data(json_t *o, const char *key, const char *pem)
{
	if (!pem)
		return;
	autofree char *text = base64_encode(pem, strlen(pem));
	json_object_set_new(o, key, json_string(text));
	mem_wipe(text, strlen(text));
}

static json_t *cluster_json(const struct k8s_config *c)
{
	json_t *o = json_object();

	set_data(o, "certificate-authority-data", c->ca_pem);
	if (c->insecure)
		json_object_set_new(o, "insecure-skip-tls-verify", json_true());
	set_str(o, "proxy-url", c->proxy_url);
	set_str(o, "server", c->server);
	set_str(o, "tls-server-name", c->server_name);
	/* Where an exec plugin finds its own settings again (provideClusterInfo). */
	json_t *config = jx_get(c->exec_cluster, "config");
	if (config)
		json_object_set_new(o, "extensions",
				    json_pack("[{s:s, s:O}]", "name",
					      "client.authentication.k8s.io/exec", "extension",
					      config));
	return o;
}

static json_t *user_json(const struct k8s_config *c)
{
	json_t *o = json_object();

	set_data(o, "client-certificate-data", c->cert_pem);
	set_data(o, "client-key-data", c->key_pem);
	set_str(o, "token", c->token);
	set_str(o, "tokenFile", c->token_file);
	set_str(o, "username", c->username);
	set_str(o, "password", c->password);
	set_str(o, "as", c->as_user);
	set_str(o, "as-uid", c->as_uid);
	if (c->as_groups)
		json_object_set(o, "as-groups", c->as_groups);
	if (c->as_extra)
		json_object_set(o, "as-user-extra", c->as_extra);
	if (c->exec)
		json_object_set(o, "exec", c->exec);
	return o;
}

void kubeconfig_parts(json_t **cluster, json_t **user, const struct k8s_config *c)
{
	*cluster = cluster_json(c);
	*user = user_json(c);
}

static json_t *named(const char *name, const char *key, json_t *body)
{
	return json_pack("[{s:s, s:o}]", "name", name, key, body);
}

char *kubeconfig_text(const struct k8s_config *c, const char *name)
{
	autojson json_t *doc = json_object();
	json_t *context = json_pack("{s:s, s:s, s:s}", "cluster", name, "namespace",
				    c->ns ? c->ns : "default", "user", name);

	json_object_set_new(doc, "apiVersion", json_string("v1"));
	json_object_set_new(doc, "kind", json_string("Config"));
	json_object_set_new(doc, "clusters", named(name, "cluster", cluster_json(c)));
	json_object_set_new(doc, "users", named(name, "user", user_json(c)));
	json_object_set_new(doc, "contexts", named(name, "context", context));
	json_object_set_new(doc, "current-context", json_string(name));
	return y2j_emit(doc);
}
