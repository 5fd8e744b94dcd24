/*
 * provider_existing.c - a cluster that is there: a kubeconfig and a context. Nothing of it is made or removed here, and
 * nothing can be brought to its nodes.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "provision/image_check.h"
#include "provision/provider.h"

/*
 * Which file and context: the command line, the environment file, what was used before, KUBECONFIG. The state comes
 * last but one, so that a later change of the current context does not make us talk to another cluster.
 */
static void where(const struct provider_ctx *c, char **file, const char **context)
{
	const struct globals *g = &c->app->g;
	const char *given = c->env ? jx_str(c->env->cluster, "kubeconfig") : NULL;
	const char *remembered = jx_str(c->state->doc, "kubeconfig");

	*context = g->context ? g->context : c->env ? jx_str(c->env->cluster, "context") : NULL;
	if (g->kubeconfig)
		*file = xstrdup(g->kubeconfig);
	else if (given)
		*file = env_file(c->env, given);
	else
		*file = remembered ? xstrdup(remembered) : NULL;
	if (!*context && !g->kubeconfig && !given)
		*context = jx_str(c->state->doc, "context");
}

/* The file that a later run shall use: absolute, also when it came from KUBECONFIG. */
static json_t *remember_file(const char *file)
{
	const char *list = getenv("KUBECONFIG");
	autofree char *full = NULL;

	if (!file && list && *list && !strchr(list, ':'))
		file = list;
	full = file ? realpath(file, NULL) : NULL;
	return full ? json_string(full) : NULL;
}

static int open_cluster(struct k8s **out, struct provider_ctx *c, bool remember, struct err *e)
{
	autofree char *file = NULL, *used = NULL, *server = NULL;
	AUTO(k8s_freep) struct k8s *k = NULL;
	const char *context;

	where(c, &file, &context);
	if (provider_connect(&k, c->app, file, context, &used, &server, e) < 0)
		return -1;
	if (remember && c->state->lock >= 0) {
		json_t *path = remember_file(file);

		if (path && state_set(c->state, "kubeconfig", path, e) < 0)
			return -1;
		if (*used && state_set(c->state, "context", json_string(used), e) < 0)
			return -1;
		if (state_set(c->state, "server", json_string(server), e) < 0)
			return -1;
	}
	*out = TAKE(k);
	return 0;
}

static int observe(struct cluster_facts *out, struct provider_ctx *c, struct err *e)
{
	AUTO(k8s_freep) struct k8s *k = NULL;

	if (open_cluster(&k, c, false, e) < 0)
		return -1;
	*out = (struct cluster_facts){.ready = true, .exists = true};
	snprintf(out->words, sizeof(out->words), "%s", k8s_config_of(k)->server);
	return 0;
}

static int access_cluster(struct k8s **out, struct provider_ctx *c, struct err *e)
{
	return open_cluster(out, c, true, e);
}

static int images(struct provider_ctx *c, struct k8s *k, const char *const *refs, size_t n,
		  char words[200], struct err *e)
{
	return image_check_all(c->app, k, refs, n, words, e);
}

const struct provider provider_existing = {
	.name = "existing",
	.observe = observe,
	.access = access_cluster,
	.images = images,
};
