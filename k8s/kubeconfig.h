/*
 * kubeconfig.h - where an API server is and who we are there: kubeconfig files (KUBECONFIG lists
 * merged as kubectl does: the first file that sets a thing wins), or the pod's service account.
 */
#ifndef K8S_KUBECONFIG_H
#define K8S_KUBECONFIG_H

#include "base/clock.h"
#include "base/jx.h"

struct kubeconfig; /* the merged files, parsed */

/*
 * k8s_config - one resolved context. All strings owned; keys and tokens are wiped on release.
 * The token is got from, in this order: token_file (re-read each minute and on 401), token,
 * exec plugin (run when first needed, kept in memory until its expiry, run again on 401), callback.
 * Username and password are used when there is none of these.
 */
struct k8s_config {
	char *server;                        /* "https://host:port[/prefix]", no slash at the end */
	char *context, *cluster, *user, *ns; /* ns: "default" when the context names none */
	char *ca_pem, *cert_pem, *key_pem;
	char *server_name; /* tls-server-name */
	char *proxy_url;
	bool insecure;
	char *token, *token_file;
	char *username, *password;
	char *as_user, *as_uid; /* impersonation */
	json_t *as_groups;      /* array of strings, or NULL */
	json_t *as_extra;       /* object of arrays of strings, or NULL */
	json_t *exec; /* user.exec with its command resolved against the file's folder, or NULL */
	json_t *exec_cluster; /* spec.cluster of the plugin's request, when it asked for provideClusterInfo */
	/* set by the caller: a token source of its own (GKE). *expiry is clock_wall, 0 = unknown. */
	int (*token_fn)(char **token, ns_t *expiry, bool refused, void *arg, struct err *e);
	void *token_arg;
};

#define K8S_CONFIG_INIT \
	{               \
		0       \
	}

/*
 * kubeconfig_load - @path: one file (a --kubeconfig flag); NULL: KUBECONFIG's list, else
 * ~/.kube/config. Absent files of a list are skipped; ERR_NOT_FOUND when none exists.
 * A file that does not parse is ERR_INVALID with file:line:column; at most YAML_MAX_BYTES.
 */
int kubeconfig_load(struct kubeconfig **out, const char *path, struct err *e) MUST_CHECK;
/* kubeconfig_add - merge one more text, weaker than what is there already. @dir resolves its relative
 * paths, @name is for messages. *k may be NULL at first. ERR_INVALID with name:line:column. */
int kubeconfig_add(struct kubeconfig **k, const char *text, size_t len, const char *name,
		   const char *dir, struct err *e) MUST_CHECK;
/* kubeconfig_resolve - @context NULL: current-context. ERR_NOT_FOUND names the known ones; certificate
 * files are read now. *out is written only on success. */
int kubeconfig_resolve(struct k8s_config *out, const struct kubeconfig *k, const char *context,
		       struct err *e) MUST_CHECK;
/* kubeconfig_current - the current context's name, borrowed, or NULL. */
const char *kubeconfig_current(const struct kubeconfig *k);
/* kubeconfig_contexts - the names of all contexts, each once, strongest file first. Owned array of strings. */
json_t *kubeconfig_contexts(const struct kubeconfig *k);
void kubeconfig_free(struct kubeconfig *k);
void kubeconfig_freep(struct kubeconfig **k);
/* k8s_config_in_cluster - KUBERNETES_SERVICE_HOST/PORT and /var/run/secrets/kubernetes.io/serviceaccount (or @dir). */
int k8s_config_in_cluster(struct k8s_config *out, const char *dir, struct err *e) MUST_CHECK;
void k8s_config_release(struct k8s_config *c);
/*
 * kubeconfig_text - a standalone kubeconfig (YAML) with one cluster, context and user, all named
 * @name, from a resolved config with embedded certificates. Owned; holds secrets.
 */
char *kubeconfig_text(const struct k8s_config *c, const char *name);

#endif
