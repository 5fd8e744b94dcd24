/* step_cluster.c - a cluster, a client of it, and a look at everything that we put there. */
#include <string.h>

#include "k8s/obj.h"
#include "k8s/wait.h"
#include "provision/step.h"

int step_cluster_observe(struct step_ctx *c, struct err *e)
{
	json_decref(TAKE(c->cluster.details));
	if (c->provider->observe(&c->cluster, &c->pc, e) < 0)
		return -1;
	if (c->cluster.ready && !c->cluster.changes)
		step_say(c, "%s", c->cluster.words);
	return 0;
}

bool step_cluster_needed(const struct step_ctx *c)
{
	return !c->cluster.ready || c->cluster.changes;
}

int step_cluster_run(struct step_ctx *c, struct err *e)
{
	char words[200] = "";

	if (!c->provider->ensure)
		return err_set(e, ERR_NOT_FOUND, "%s", c->cluster.words);
	if (c->provider->ensure(&c->pc, words, e) < 0)
		return -1;
	step_say(c, "%s", words);
	return 0;
}

static int look_at(struct step_ctx *c, enum object_id id, struct err *e)
{
	struct object *o = &c->objects[id];
	const struct k8s_ref ref = {.ns = obj_ns(o->want), .name = obj_name(o->want)};
	autojson json_t *live = NULL;

	/* Nothing is in a namespace that is not there, and nobody asks for a kind that is not served. */
	bool nowhere = id > OBJ_CRD && !c->objects[OBJ_NAMESPACE].live;
	bool no_kind = id == OBJ_PRESTO && !c->crd_served;

	if (!nowhere && !no_kind && k8s_get(&live, c->k, object_res(id), &ref, e) < 0) {
		if (e->code != ERR_NOT_FOUND)
			return err_wrap(e, "looking at %s %s", object_res(id)->kind, ref.name);
		err_clear(e);
	}
	json_decref(o->live);
	o->live = live ? json_incref(live) : NULL;
	return object_decide(o, id, c->env->name, e);
}

int objects_observe(struct step_ctx *c, struct err *e)
{
	for (enum object_id id = 0; id < OBJ_COUNT; id++) {
		if (look_at(c, id, e) < 0)
			return -1;
		if (id == OBJ_CRD) {
			char why[200];
			struct err not_yet = ERR_INIT;

			c->crd_served = k8s_cond_crd_established(c->objects[id].live, why,
								 sizeof(why), NULL, &not_yet) == 1;
		}
	}
	return 0;
}

int step_api_run(struct step_ctx *c, struct err *e)
{
	AUTO(http_resp_release) struct http_resp r = {0};
	const struct http_req q = {.method = "GET", .url = "/version", .max_body = 64u << 10};
	autojson json_t *version = NULL;

	if (presto_decode(&c->presto, c->env->presto, e) < 0)
		return -1;
	if (!c->k && c->provider->access(&c->k, &c->pc, e) < 0)
		return -1;
	if (k8s_raw(&r, c->k, &q, e) < 0)
		return -1;
	if (r.status != 200)
		return k8s_status_err(&r, e);
	if (jx_parse(&version, buf_str(&r.body), r.body.len, "version", e) < 0 ||
	    !jx_str(version, "gitVersion")) {
		err_clear(e);
		err_set(e, ERR_PROTOCOL, "%s does not answer as a Kubernetes API server",
			k8s_config_of(c->k)->server);
		return err_hint(e, "look at the server in the kubeconfig");
	}
	if (provider_mark(&c->pc, c->k, c->env->name, e) < 0 || objects_observe(c, e) < 0)
		return -1;
	step_say(c, "Kubernetes %s at %s", jx_str(version, "gitVersion"),
		 k8s_config_of(c->k)->server);
	return 0;
}
