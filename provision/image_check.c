/* image_check.c - see image_check.h. */
#include "provision/image_check.h"

#include "provision/provider.h"
#include "provision/registry.h"

int image_check_begin(struct image_check *c, struct app *a, struct k8s *k, struct err *e)
{
	const struct k8s_list_opts all = {0};

	*c = (struct image_check){.app = a};
	if (k8s_list(&c->nodes, k, &K8S_NODE, NULL, &all, e) < 0) {
		if (e->code != ERR_DENIED)
			return -1;
		err_clear(e); /* not allowed to look: then only the registry can tell */
	}
	return 0;
}

int image_check_one(struct image_check *c, const char *ref, struct err *e)
{
	char why[200] = "";

	if (nodes_have_image(c->nodes, ref)) {
		c->on_nodes++;
		return 0;
	}
	switch (registry_look(c->app->loop, ref, why, sizeof(why))) {
	case REGISTRY_HAS:
		c->in_registry++;
		break;
	case REGISTRY_HAS_NOT:
		err_set(e, ERR_INVALID, "image %s cannot be pulled: %s", ref, why);
		return err_hint(
			e,
			"push it to a registry that the nodes reach, and name it in the environment file");
	case REGISTRY_UNKNOWN:
		c->unknown++;
		progress_warn(c->app->progress,
			      "whether the nodes can pull %s is not known from here: %s", ref, why);
	}
	return 0;
}

void image_check_release(struct image_check *c)
{
	jx_decrefp(&c->nodes);
}

int image_check_all(struct app *a, struct k8s *k, const char *const *refs, size_t n,
		    char words[200], struct err *e)
{
	AUTO(image_check_release) struct image_check c = {0};

	if (image_check_begin(&c, a, k, e) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (image_check_one(&c, refs[i], e) < 0)
			return -1;
	snprintf(words, 200, "%zu on every node, %zu in a registry, %zu not known", c.on_nodes,
		 c.in_registry, c.unknown);
	return 0;
}
