/*
 * provider_gke.c - a cluster of Google Kubernetes Engine, through the REST APIs alone. Making and changing it is
 * gke_ensure.c, removing it gke_remove.c.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "provision/gke_ensure.h"
#include "provision/gke_images.h"
#include "provision/gke_preflight.h"
#include "provision/gke_remove.h"

static void describe(char words[200], const struct gke_cluster *k)
{
	int n = (int)jx_int(k->live, "currentNodeCount");

	snprintf(words, 200, "%.40s in %.40s, Kubernetes %.40s, %d node%s", k->name, k->location,
		 jx_str_or(k->live, "currentMasterVersion", "?"), n, n == 1 ? "" : "s");
}

/* --- what a plan shows --------------------------------------------------------------------------- */

static void plan_make(struct gke_cluster *k, struct cluster_facts *out, const char *location,
		      const json_t *report)
{
	const struct gke_ref ref = {k->project, location, k->name};
	autojson json_t *cluster = gke_spec_body(&k->spec, location, NULL, clock_wall());
	autofree char *url = xasprintf("%s/projects/%s/locations/%s/clusters",
				       gke_base(k->google->gke, GKE_CONTAINER), k->project,
				       location);

	out->details = json_object();
	jx_set(out->details, "requests",
	       json_pack("[{s:s, s:s, s:o}]", "method", "POST", "url", url, "body",
			 container_create_body(&ref, cluster)));
	gke_preflight_details(out->details, report);
	snprintf(out->words, sizeof(out->words), "%.40s in %.40s of project %.40s", k->name,
		 location, k->project);
}

static int plan_absent(struct gke_cluster *k, struct cluster_facts *out, struct err *e)
{
	struct presto presto;
	struct gke_preflight p = {.gke = k->google->gke,
				  .spec = &k->spec,
				  .project = k->project,
				  .location = gke_cluster_place(k),
				  .presto = &presto};
	autojson json_t *report = NULL;

	if (presto_decode(&presto, k->c->env->presto, e) < 0 ||
	    gke_preflight_look(&report, &p, e) < 0)
		return -1;
	plan_make(k, out, p.location, report);
	return 0;
}

/* Of a cluster that can be used all the same; a pool that failed to be made stays there, and is no difference. */
static void warn_of_trouble(struct gke_cluster *k)
{
	const json_t *pools = jx_get(k->live, "nodePools");
	struct progress *p = k->c->app->progress;
	struct gke_error why = {0};

	if (container_state(k->live) == GKE_STATE_DEGRADED)
		progress_warn(p, "cluster %s is DEGRADED: %s", k->name,
			      container_trouble(&why, k->live) ? why.message
							       : "Google does not say why");
	for (size_t i = 0; i < json_array_size(pools); i++) {
		const json_t *pool = json_array_get(pools, i);
		const char *status = jx_str_or(pool, "status", "");

		if (streq(status, "ERROR") || streq(status, "RUNNING_WITH_ERROR"))
			progress_warn(p, "node pool %s is in %s: %s; another name makes a new one",
				      jx_str_or(pool, "name", "?"), status,
				      container_trouble(&why, pool) ? why.message
								    : "Google does not say why");
	}
}

static int take_differences(struct gke_cluster *k, struct cluster_facts *out, struct err *e)
{
	struct gke_ref ref = gke_cluster_ref(k);
	const char *base = gke_base(k->google->gke, GKE_CONTAINER);
	struct gke_changes all = {0};
	json_t *changes, *requests;

	warn_of_trouble(k);
	if (gke_differences(&all, k, e) < 0)
		return -1;
	out->changes = all.n > 0;
	if (out->changes) {
		changes = json_array();
		requests = json_array();
		for (size_t i = 0; i < all.n; i++) {
			json_t *one = gke_change_request(&all.v[i], &ref);

			json_object_set_new(one, "url",
					    jx_strf("%s%s", base, jx_str_or(one, "url", "")));
			json_array_append_new(changes, jx_strf("%s", all.v[i].what));
			json_array_append_new(requests, one);
		}
		out->details = json_pack("{s:o, s:o}", "changes", changes, "requests", requests);
	}
	gke_changes_release(&all);
	if (!out->changes && gke_expires(k->live) && gke_expires(k->live) < clock_wall())
		progress_warn(
			k->c->app->progress,
			"the time of cluster %s is over: prestoctl gc removes it; another cluster.gke.ttl gives it more",
			k->name);
	return 0;
}

/* --- the provider -------------------------------------------------------------------------------- */

/* Without the lock nothing is going to be written: that is a plan. */
static bool only_looking(const struct gke_cluster *k)
{
	return k->c->state->lock < 0;
}

static int observe_live(struct gke_cluster *k, struct cluster_facts *out, struct err *e)
{
	enum gke_whose whose = gke_cluster_whose(k);

	if (k->c->removing && whose == GKE_WHOSE_OTHERS) {
		snprintf(out->words, sizeof(out->words),
			 "the cluster %.40s in %.40s is not of this environment, and is left alone",
			 k->name, k->location);
		return 0;
	}
	/* A plan shows what is, also where taking over comes first. */
	if (!(only_looking(k) && whose == GKE_WHOSE_LOST) && gke_claim(k, e) < 0)
		return -1;
	out->exists = true;
	out->ready = gke_usable(k);
	describe(out->words, k);
	if (!out->ready)
		snprintf(out->words, sizeof(out->words), "%.40s in %.40s is %.40s", k->name,
			 k->location, jx_str_or(k->live, "status", "in no known state"));
	if (out->ready && k->has_spec && !k->c->removing)
		return take_differences(k, out, e);
	return 0;
}

static bool adds_nodes(const struct gke_spec *s)
{
	const json_t *pools = jx_get(s->section, "nodePools");
	bool any = s->autopilot;

	for (size_t i = 0; i < json_array_size(pools); i++)
		any = any || jx_get(json_array_get(pools, i), "autoscaling");
	return any;
}

static int observe(struct cluster_facts *out, struct provider_ctx *c, struct err *e)
{
	AUTO(gke_cluster_release) struct gke_cluster k = {0};

	*out = (struct cluster_facts){0};
	/* An `up` that ended before anything was asked for has left a name, and nothing behind it. */
	if (c->removing && !c->env && !jx_get(c->state->doc, "gke")) {
		snprintf(out->words, sizeof(out->words),
			 "no cluster is remembered; prestoctl list shows those of the project");
		return 0;
	}
	if (gke_cluster_open(&k, c, e) < 0 || gke_cluster_look(&k, e) < 0)
		return -1;
	out->elastic = k.has_spec && adds_nodes(&k.spec);
	if (k.live)
		return observe_live(&k, out, e);
	snprintf(out->words, sizeof(out->words), "there is no cluster %.40s in project %.40s",
		 k.name, k.project);
	return only_looking(&k) && k.has_spec && !c->removing ? plan_absent(&k, out, e) : 0;
}

static int ensure(struct provider_ctx *c, char words[200], struct err *e)
{
	AUTO(gke_cluster_release) struct gke_cluster k = {0};

	if (gke_cluster_open(&k, c, e) < 0)
		return -1;
	return gke_ensure(&k, words, e);
}

/* An endpoint that drops packets tells nothing by itself: what the cluster says about who may reach it does. */
static void say_away(struct gke_cluster *k)
{
	const json_t *ips = jx_path(k->live, "controlPlaneEndpointsConfig.ipEndpointsConfig");
	char *away = k->c->away;

	if (k->way == GKE_WAY_PRIVATE || (ips && !jx_bool(ips, "enablePublicEndpoint")) ||
	    jx_bool(k->live, "privateClusterConfig.enablePrivateEndpoint"))
		snprintf(away, sizeof(k->c->away),
			 "its private endpoint is reached from its own network only");
	else if (jx_bool(ips, "authorizedNetworksConfig.enabled") ||
		 jx_bool(k->live, "masterAuthorizedNetworksConfig.enabled"))
		snprintf(away, sizeof(k->c->away),
			 "is this machine in cluster.gke.authorizedNetworks?");
	else
		snprintf(away, sizeof(k->c->away), "do firewalls let you reach it?");
}

/* Commands without the file reach it as the file says now, not as it said when the cluster was made. */
static int remember_access(struct gke_cluster *k, const char *server, struct err *e)
{
	struct state *s = k->c->state;
	json_t *gke;

	if (s->lock < 0)
		return 0;
	if (k->has_spec && jx_get(s->doc, "gke")) {
		gke = json_deep_copy(jx_get(s->doc, "gke"));
		gke_cluster_reach(gke, k);
		if (state_set(s, "gke", gke, e) < 0)
			return -1;
	}
	return state_set(s, "server", json_string(server), e);
}

static int connect_to(struct k8s **out, struct gke_cluster *k, struct err *e)
{
	AUTO(gke_access_release) struct gke_access at = {0};
	struct k8s_config config = K8S_CONFIG_INIT;
	AUTO(k8s_freep) struct k8s *client = NULL;

	say_away(k);
	if (container_access(&at, k->live, k->way, e) < 0)
		return err_wrap(e, "cluster %s", k->name);
	config.server = TAKE(at.server);
	config.ca_pem = TAKE(at.ca_pem);
	config.context = xasprintf("gke_%s_%s_%s", k->project, k->location, k->name);
	config.ns = xstrdup("default");
	config.token_fn = auth_token;
	config.token_arg = k->google->auth;
	if (provider_client(&client, k->c->app, &config, e) < 0 ||
	    remember_access(k, k8s_config_of(client)->server, e) < 0)
		return -1;
	*out = TAKE(client);
	return 0;
}

static int access_cluster(struct k8s **out, struct provider_ctx *c, struct err *e)
{
	AUTO(gke_cluster_release) struct gke_cluster k = {0};

	if (gke_cluster_open(&k, c, e) < 0 ||
	    (!gke_cluster_seen(&k) && gke_cluster_look(&k, e) < 0))
		return -1;
	if (!k.live) {
		err_set(e, ERR_NOT_FOUND, "there is no cluster %s in project %s", k.name,
			k.project);
		return err_hint(e, "prestoctl up -f FILE makes it");
	}
	if (gke_cluster_whose(&k) == GKE_WHOSE_OTHERS)
		return gke_claim(&k, e);
	return connect_to(out, &k, e);
}

const struct provider provider_gke = {
	.name = "gke",
	.grant =
		"roles/container.admin in the project; roles/container.developer may not make roles",
	.prepare = gke_images_prepare,
	.observe = observe,
	.ensure = ensure,
	.access = access_cluster,
	.images = gke_images,
	.record = gke_record,
	.release = gke_release,
	.destroy = gke_destroy,
};
