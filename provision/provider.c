/* provider.c - the table of providers, and what they share. */
#include "provision/provider.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/version.h"
#include "k8s/obj.h"

static const struct provider *const providers[] = {&provider_local, &provider_existing,
						   &provider_gke};

const struct provider *provider_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(providers); i++)
		if (streq(providers[i]->name, name))
			return providers[i];
	return NULL;
}

int provider_client(struct k8s **out, struct app *a, struct k8s_config *config, struct err *e)
{
	autofree char *agent = xasprintf("prestoctl/%s", version_text);
	const struct k8s_opts opts = {.user_agent = agent, .on_retry = app_say_retry, .arg = a};

	return k8s_new(out, a->loop, config, &opts, e);
}

int provider_connect(struct k8s **out, struct app *a, const char *kubeconfig, const char *context,
		     char **context_used, char **server, struct err *e)
{
	AUTO(kubeconfig_freep) struct kubeconfig *file = NULL;
	AUTO(k8s_config_release) struct k8s_config config = {0};

	if (kubeconfig_load(&file, kubeconfig, e) < 0 ||
	    kubeconfig_resolve(&config, file, context, e) < 0)
		return -1;
	if (context_used)
		*context_used = xstrdup(config.context ? config.context : "");
	if (server)
		*server = xstrdup(config.server);
	return provider_client(out, a, &config, e);
}

bool provider_made(const struct provider_ctx *c)
{
	return jx_bool(c->state->doc, "made.cluster");
}

static const struct k8s_ref mark = {.ns = "kube-system", .name = "prestoctl-cluster"};

bool provider_marked(struct k8s *k, const char *env)
{
	autojson json_t *live = NULL;
	struct err e = ERR_INIT;

	return k8s_get(&live, k, &K8S_CONFIGMAP, &mark, &e) == 0 &&
	       streq(obj_label(live, ENV_LABEL), env);
}

int provider_mark(struct provider_ctx *c, struct k8s *k, const char *env, struct err *e)
{
	const struct k8s_apply_opts opts = {.field_manager = FIELD_MANAGER};
	autojson json_t *want = NULL;

	if (!provider_made(c) || jx_bool(c->state->doc, "made.marked"))
		return 0;
	want = json_pack("{s:s, s:s, s:{s:s, s:s, s:{s:s}}}", "apiVersion", "v1", "kind",
			 "ConfigMap", "metadata", "name", mark.name, "namespace", mark.ns, "labels",
			 ENV_LABEL, env);
	if (k8s_apply(NULL, k, want, &opts, e) < 0)
		return err_wrap(e, "marking the cluster as made here");
	return state_set(c->state, "made.marked", json_true(), e);
}

int provider_tool(char **out, const char *env_name, const char *relative, struct err *e)
{
	const char *given = getenv(env_name);
	autofree char *here = realpath("/proc/self/exe", NULL), *dir = here ? path_dir(here) : NULL;
	autofree char *built = dir ? xasprintf("%s/../../scripts/%s", dir, relative) : NULL;
	autofree char *installed = dir ? xasprintf("%s/../share/prestoctl/%s", dir, relative)
				       : NULL;

	if (given && *given) {
		if (access(given, X_OK) == 0) {
			*out = xstrdup(given);
			return 0;
		}
		err_set(e, ERR_NOT_FOUND, "$%s is '%s', which cannot be run", env_name, given);
		return -1;
	}
	if (built && access(built, X_OK) == 0) {
		*out = TAKE(built);
		return 0;
	}
	if (installed && access(installed, X_OK) == 0) {
		*out = TAKE(installed);
		return 0;
	}
	err_set(e, ERR_NOT_FOUND, "the script %s is neither at %s nor at %s", relative,
		built ? built : "?", installed ? installed : "?");
	return err_hint(e, "run prestoctl from its checkout, or set %s", env_name);
}

static bool node_has(const json_t *node, const char *ref)
{
	const json_t *images = jx_path(node, "status.images");

	for (size_t i = 0; i < json_array_size(images); i++) {
		const json_t *names = jx_get(json_array_get(images, i), "names");

		for (size_t j = 0; j < json_array_size(names); j++)
			if (streq(json_string_value(json_array_get(names, j)), ref))
				return true;
	}
	return false;
}

bool nodes_have_image(const json_t *nodes, const char *ref)
{
	size_t counted = 0;

	for (size_t i = 0; i < json_array_size(nodes); i++) {
		const json_t *node = json_array_get(nodes, i);

		if (jx_bool(node, "spec.unschedulable"))
			continue;
		if (!node_has(node, ref))
			return false;
		counted++;
	}
	return counted > 0;
}
