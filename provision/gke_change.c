/* gke_change.c - a change of a live cluster as the request that it becomes, for plans. Pure. */
#include "provision/gke_spec.h"

#include <stdlib.h>

json_t *gke_change_request(const struct gke_change *c, const struct gke_ref *r)
{
	autofree char *cluster = gke_path("/projects/%s/locations/%s/clusters/%s", r->project,
					  r->location, r->name);
	autofree char *pool = gke_path("/nodePools/%s", c->pool), *url = NULL;
	autofree char *name = xasprintf("projects/%s/locations/%s/clusters/%s%s%s", r->project,
					r->location, r->name, *c->pool ? "/nodePools/" : "",
					c->pool);
	json_t *body = json_pack("{s:s}", "name", name);
	const char *method = "POST";

	switch (c->kind) {
	case GKE_CHANGE_LABELS:
		url = xasprintf("%s:setResourceLabels", cluster);
		json_object_update(body, c->labels);
		break;
	case GKE_CHANGE_CLUSTER:
		method = "PUT";
		url = xstrdup(cluster);
		json_object_set(body, "update", c->body);
		break;
	case GKE_CHANGE_CLUSTER_SET:
		url = xasprintf("%s:%s", cluster, c->verb);
		json_object_set(body, c->member, c->body);
		break;
	case GKE_CHANGE_POOL_MAKE:
		url = xasprintf("%s/nodePools", cluster);
		json_object_set_new(body, "parent",
				    jx_strf("projects/%s/locations/%s/clusters/%s", r->project,
					    r->location, r->name));
		json_object_del(body, "name");
		json_object_set(body, "nodePool", c->body);
		break;
	case GKE_CHANGE_POOL_DROP:
		method = "DELETE";
		url = xasprintf("%s%s", cluster, pool);
		json_object_clear(body);
		break;
	case GKE_CHANGE_POOL_SIZE:
		url = xasprintf("%s%s:setSize", cluster, pool);
		json_object_set_new(body, "nodeCount", json_integer(c->count));
		break;
	case GKE_CHANGE_POOL_SET:
		url = xasprintf("%s%s:%s", cluster, pool, c->verb);
		json_object_set(body, c->member, c->body);
		break;
	case GKE_CHANGE_POOL_UPDATE:
		method = "PUT";
		url = xasprintf("%s%s", cluster, pool);
		json_object_update(body, c->body);
		break;
	}
	if (!json_object_size(body)) {
		json_decref(body);
		body = json_null();
	}
	return json_pack("{s:s,s:s,s:o}", "method", method, "url", url, "body", body);
}

void gke_changes_release(struct gke_changes *c)
{
	for (size_t i = 0; i < c->n; i++) {
		json_decref(c->v[i].body);
		json_decref(c->v[i].labels);
	}
	free(c->v);
	*c = (struct gke_changes){0};
}
