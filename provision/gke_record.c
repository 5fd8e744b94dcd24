/* gke_record.c - while the API server of a cluster that goes still answers: what it has is written down, and what only
 * it can take away is. See gke_remove.h. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "k8s/k8s.h"
#include "k8s/obj.h"
#include "provision/gke_remove.h"

#define RELEASE_BOUND (60 * NS_SEC)
#define LOOK_EVERY    (500 * NS_MS)

static const struct k8s_res volume = {"", "v1", "PersistentVolume", "persistentvolumes", false};
static const struct k8s_res ingress = {"networking.k8s.io", "v1", "Ingress", "ingresses", true};
static const struct k8s_res gateway = {"gateway.networking.k8s.io", "v1", "Gateway", "gateways",
				       true};
static const struct k8s_res group = {"networking.gke.io", "v1beta1", "ServiceNetworkEndpointGroup",
				     "servicenetworkendpointgroups", true};

/* Where it was asked for something that it does not have, or that we may not see, that one is left out. */
static int list(json_t **out, struct app *a, struct k8s *k, const struct k8s_res *res, bool *all,
		struct err *e)
{
	const struct k8s_list_opts every = {0};

	if (k8s_list(out, k, res, NULL, &every, e) == 0)
		return 0;
	if (e->code != ERR_NOT_FOUND && e->code != ERR_DENIED)
		return err_wrap(e, "looking for objects of the kind %s", res->kind);
	if (e->code == ERR_DENIED) {
		progress_warn(a->progress, "what of kind %s there is cannot be seen: %s", res->kind,
			      e->msg);
		*all = false;
	}
	err_clear(e);
	*out = json_array();
	return 0;
}

/* Names that Kubernetes gives to what all load balancers of a cluster share. */
static int take_shared(json_t *marks, struct k8s *k, struct err *e)
{
	static const char *const shared[] = {"k8s-%s-node", "k8s-%s-node-hc", "k8s-%s-node-http-hc",
					     "k8s-fw-l7--%s", "k8s-ig--%s"};
	static const char *const keys[] = {"data.uid", "data.provider-uid"};
	const struct k8s_ref system = {.name = "kube-system"};
	const struct k8s_ref config = {.ns = "kube-system", .name = "ingress-uid"};
	autojson json_t *ns = NULL, *map = NULL;

	if (k8s_get(&ns, k, &K8S_NAMESPACE, &system, e) < 0)
		return err_wrap(e, "namespace kube-system");
	if (obj_uid(ns))
		json_object_set_new(marks, "uid", json_string(obj_uid(ns)));
	if (k8s_get(&map, k, &K8S_CONFIGMAP, &config, e) < 0) {
		if (e->code != ERR_NOT_FOUND && e->code != ERR_DENIED)
			return -1;
		err_clear(e);
		return 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		const char *uid = jx_str(map, keys[i]);

		for (size_t j = 0; uid && strlen(uid) >= 8 && j < ARRAY_LEN(shared); j++) {
			const char *gap = strchr(shared[j], '%');
			autofree char *name = xasprintf("%.*s%s%s", (int)(gap - shared[j]),
							shared[j], uid, gap + 2);

			gke_marks_add(marks, "names", name);
		}
	}
	return 0;
}

static int take_objects(json_t *marks, struct gke_cluster *g, struct k8s *k, json_t **volumes,
			struct err *e)
{
	const struct k8s_res *const kinds[] = {&volume, &K8S_SERVICE, &ingress, &gateway, &group};
	bool all = true;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		autojson json_t *found = NULL;

		if (list(&found, g->c->app, k, kinds[i], &all, e) < 0)
			return -1;
		if (!all && kinds[i] == &volume && g->c->removal && g->c->removal->keep_disks)
			return err_set(e, ERR_DENIED,
				       "disks cannot be kept: the volumes cannot be seen");
		for (size_t j = 0; j < json_array_size(found); j++)
			gke_marks_object(marks, json_array_get(found, j), g->project);
		if (kinds[i] == &volume)
			*volumes = json_incref(found);
	}
	if (all)
		json_object_set_new(marks, "seen", json_true());
	return 0;
}

/* Otherwise the removal of a claim takes its disk along. */
static int retain(struct k8s *k, const json_t *volumes, struct err *e)
{
	autojson json_t *patch = json_pack("{s:{s:s}}", "spec", "persistentVolumeReclaimPolicy",
					   "Retain");

	for (size_t i = 0; i < json_array_size(volumes); i++) {
		const json_t *one = json_array_get(volumes, i);
		const struct k8s_ref ref = {.name = obj_name(one)};

		if (!streq(jx_str(one, "spec.persistentVolumeReclaimPolicy"), "Delete"))
			continue;
		if (k8s_merge_patch(NULL, k, &volume, &ref, NULL, patch, e) < 0) {
			if (e->code != ERR_NOT_FOUND)
				return err_wrap(e, "keeping the disk of volume %s", ref.name);
			err_clear(e);
		}
	}
	return 0;
}

int gke_record(struct provider_ctx *c, struct k8s *k, struct err *e)
{
	AUTO(gke_cluster_release) struct gke_cluster g = {0};
	autojson json_t *marks = gke_marks_load(c), *volumes = NULL;

	if (gke_cluster_open(&g, c, e) < 0 || gke_cluster_look(&g, e) < 0 ||
	    gke_may_remove(&g, e) < 0)
		return -1;
	gke_marks_cluster(marks, g.live);
	if (take_shared(marks, k, e) < 0 || take_objects(marks, &g, k, &volumes, e) < 0) {
		struct err ignored = ERR_INIT;

		/* Half of it is better than nothing, when the API server is on its way out. */
		(void)!gke_marks_save(c, marks, &ignored);
		return -1;
	}
	if (gke_marks_save(c, marks, e) < 0)
		return -1;
	return c->removal && c->removal->keep_disks ? retain(k, volumes, e) : 0;
}

/* --- load balancers -------------------------------------------------------------------------------- */

struct balancers {
	struct provider_ctx *c;
	struct k8s *k;
	json_t *marks;
	const char *project;
	size_t left;
	char one[160];
};

/* Controllers that still run make a Service again: whatever is there is written down before it goes. */
static int release_kind(struct balancers *b, const struct k8s_res *res, struct err *e)
{
	autojson json_t *found = NULL;
	bool all = true;

	if (list(&found, b->c->app, b->k, res, &all, e) < 0)
		return -1;
	for (size_t i = 0; i < json_array_size(found); i++) {
		const json_t *one = json_array_get(found, i);
		const struct k8s_ref ref = {.ns = obj_ns(one), .name = obj_name(one)};
		const struct k8s_delete_opts o = {.uid = obj_uid(one)};

		if (res == &K8S_SERVICE && !streq(jx_str(one, "spec.type"), "LoadBalancer"))
			continue;
		if (!b->left++)
			snprintf(b->one, sizeof(b->one), "%s %.60s/%.60s", res->kind, ref.ns,
				 ref.name);
		gke_marks_object(b->marks, one, b->project);
		json_object_set_new(b->marks, "released", json_true());
		if (obj_deleting(one))
			continue;
		if (gke_marks_save(b->c, b->marks, e) < 0)
			return -1;
		if (k8s_delete(b->k, res, &ref, &o, e) < 0 && e->code != ERR_CONFLICT)
			return err_wrap(e, "removing %s %s", res->kind, ref.name);
		err_clear(e);
	}
	return 0;
}

static int release_all(struct balancers *b, size_t *first, struct err *e)
{
	static const struct k8s_res *const kinds[] = {&K8S_SERVICE, &ingress, &gateway};
	ns_t until = clock_mono() + RELEASE_BOUND;

	for (;;) {
		b->left = 0;
		for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
			if (release_kind(b, kinds[i], e) < 0)
				return -1;
		if (b->left > *first)
			*first = b->left;
		if (!b->left || clock_mono() >= until)
			return 0;
		progress_say(b->c->app->progress, "%s is still there (%zu in all)", b->one,
			     b->left);
		if (loop_sleep(b->c->app->loop, LOOK_EVERY, e) < 0)
			return -1;
	}
}

int gke_release(struct provider_ctx *c, struct k8s *k, struct err *e)
{
	AUTO(gke_cluster_release) struct gke_cluster g = {0};
	autojson json_t *marks = gke_marks_load(c);
	struct balancers b = {.c = c, .k = k, .marks = marks};
	size_t n = 0;

	progress_begin(c->app->progress, "balancers", "load balancers");
	if (gke_cluster_open(&g, c, e) < 0)
		goto failed;
	b.project = g.project;
	if (release_all(&b, &n, e) < 0) {
		if (e->code != ERR_DENIED)
			goto failed;
		progress_warn(c->app->progress, "%s; what it leaves is looked for later", e->msg);
		err_clear(e);
	}
	if (b.left)
		progress_warn(c->app->progress, "%s does not go; the cluster goes without waiting",
			      b.one);
	progress_end(c->app->progress, true,
		     b.left ? "not all gone"
		     : n    ? "gone"
			    : "there are none");
	return 0;
failed:
	progress_end(c->app->progress, false, "%s", e->msg);
	return -1;
}
