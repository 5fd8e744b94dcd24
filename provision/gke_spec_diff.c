/* gke_spec_diff.c - from a live cluster to what the file says: the changes in their order, and what cannot be changed. Pure. */
#include "provision/gke_spec_internal.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "gke/names.h"
#include "provision/gke_spec_same.h"

#define OF_CLUSTER "it is fixed when a cluster is made"
#define OF_POOL    "it is fixed when a pool is made: give the pool another name, and drop this one"

struct diff {
	struct gke_changes *out;
	const struct gke_spec *s;
	const json_t *g, *live;
	struct buf *detail;
	size_t refused;
	char first[360]; /* what was refused first */
	bool regional;
	const char *upgrade; /* the control plane will be upgraded to that; or NULL */
};

/* --- results ----------------------------------------------------------------------------------- */

static struct gke_change *add(struct diff *d, enum gke_change_kind kind, json_t *body,
			      const char *fmt, ...) PRINTF_LIKE(4, 5);
static struct gke_change *add(struct diff *d, enum gke_change_kind kind, json_t *body,
			      const char *fmt, ...)
{
	struct gke_change *c;
	va_list ap;

	d->out->v = xreallocarray(d->out->v, d->out->n + 1, sizeof(*d->out->v));
	c = &d->out->v[d->out->n++];
	*c = (struct gke_change){.kind = kind, .body = body};
	va_start(ap, fmt);
	vsnprintf(c->what, sizeof(c->what), fmt, ap);
	va_end(ap);
	return c;
}

static struct gke_change *add_pool(struct diff *d, enum gke_change_kind kind, const char *pool,
				   json_t *body, const char *what)
{
	struct gke_change *c = add(d, kind, body, "pool %s: %s", pool, what);

	snprintf(c->pool, sizeof(c->pool), "%s", pool);
	return c;
}

static void refuse(struct diff *d, const char *field, const char *asked, const char *there,
		   const char *why)
{
	struct err full = ERR_INIT;
	char line[360];

	snprintf(line, sizeof(line),
		 "cluster.gke.%.80s: %.80s is asked for, but %.80s is there; %s", field, asked,
		 there, why);
	if (!d->refused++)
		memcpy(d->first, line, sizeof(line));
	if (d->detail)
		(void)!buf_addf(d->detail, &full, "%s\n", line);
}

static const char *last_segment(const char *text)
{
	const char *slash = strrchr(text, '/');

	return slash ? slash + 1 : text;
}

/* 64-bit numbers are texts in Google's JSON. */
static json_int_t number(const json_t *o, const char *path)
{
	const char *text = jx_str(o, path);

	return text ? strtoll(text, NULL, 10) : jx_int(o, path);
}

/* --- what is fixed ----------------------------------------------------------------------------- */

/* A text that Google does not tell back is no difference. */
static void fixed(struct diff *d, const char *field, const char *asked, const char *there,
		  const char *why)
{
	if (asked && there && *there && !streq(last_segment(asked), last_segment(there)))
		refuse(d, field, asked, there, why);
}

static void fixed_bool(struct diff *d, const char *field, bool asked, bool there, const char *why)
{
	if (asked != there)
		refuse(d, field, asked ? "true" : "false", there ? "true" : "false", why);
}

static void fixed_place(struct diff *d)
{
	const char *there = jx_str(d->live, "location");
	struct buf asked = BUF_INIT(1024);
	bool found = false;

	for (size_t i = 0; i < json_array_size(d->s->locations); i++) {
		const char *one = json_string_value(json_array_get(d->s->locations, i));

		found = found || streq(one, there);
		buf_fit(&asked, "%s%.60s", i ? ", " : "", one);
	}
	/* A place that only a variable names is where a new one would be made. */
	if (there && !found && jx_get(d->g, "location"))
		refuse(d, "location", buf_str(&asked), there, OF_CLUSTER);
	buf_release(&asked);
	if (d->s->autopilot != jx_bool(d->live, "autopilot.enabled"))
		refuse(d, "mode", d->s->autopilot ? "autopilot" : "standard",
		       d->s->autopilot ? "standard" : "autopilot", OF_CLUSTER);
}

static const char *dataplane_of(const json_t *live)
{
	if (streq(jx_str_or(live, "networkConfig.datapathProvider", ""), "ADVANCED_DATAPATH"))
		return "v2";
	return jx_bool(live, "networkPolicy.enabled") ? "calico" : "none";
}

static void fixed_network(struct diff *d)
{
	const json_t *ips = jx_get(d->live, "ipAllocationPolicy"), *g = d->g;
	const char *stack = jx_str(g, "stack"), *range = jx_str(g, "createSubnetwork.range");
	bool dual = streq(jx_str_or(ips, "stackType", "IPV4"), "IPV4_IPV6");

	fixed(d, "network", jx_str(g, "network"), jx_str(d->live, "network"), OF_CLUSTER);
	fixed(d, "subnetwork", jx_str(g, "subnetwork"), jx_str(d->live, "subnetwork"), OF_CLUSTER);
	fixed(d, "createSubnetwork.name", jx_str(g, "createSubnetwork.name"),
	      jx_str_or(ips, "subnetworkName", jx_str(d->live, "subnetwork")), OF_CLUSTER);
	if (range && *range != '/' && !same_cidr(range, jx_str_or(ips, "nodeIpv4CidrBlock", range)))
		refuse(d, "createSubnetwork.range", range, jx_str(ips, "nodeIpv4CidrBlock"),
		       OF_CLUSTER);
	fixed(d, "podsRange", jx_str(g, "podsRange"), jx_str(ips, "clusterSecondaryRangeName"),
	      OF_CLUSTER);
	fixed(d, "servicesRange", jx_str(g, "servicesRange"),
	      jx_str(ips, "servicesSecondaryRangeName"), OF_CLUSTER);
	fixed(d, "stack", stack, dual ? "ipv4-ipv6" : "ipv4", OF_CLUSTER);
	if (dual && jx_str(g, "ipv6Access")) {
		autojson json_t *asked = gke_spec_word(jx_str(g, "ipv6Access"));

		fixed(d, "ipv6Access", json_string_value(asked), jx_str(ips, "ipv6AccessType"),
		      OF_CLUSTER);
	}
	if (jx_get(g, "privateNodes"))
		fixed_bool(d, "privateNodes", jx_bool(g, "privateNodes"),
			   jx_bool(d->live, "networkConfig.defaultEnablePrivateNodes") ||
				   jx_bool(d->live, "privateClusterConfig.enablePrivateNodes"),
			   OF_CLUSTER);
	range = jx_str(g, "controlPlaneRange");
	if (range &&
	    !same_cidr(range,
		       jx_str_or(d->live, "privateClusterConfig.masterIpv4CidrBlock", range)))
		refuse(d, "controlPlaneRange", range,
		       jx_str(d->live, "privateClusterConfig.masterIpv4CidrBlock"), OF_CLUSTER);
	fixed(d, "dataplane", d->s->autopilot ? NULL : jx_str(g, "dataplane"),
	      dataplane_of(d->live), OF_CLUSTER);
}

static void fixed_pool(struct diff *d, size_t index, const json_t *pool, const json_t *there)
{
	static const char *const texts[] = {"machineType", "diskType", "serviceAccount"};
	const json_t *config = jx_get(there, "config");
	json_int_t asked = jx_int(pool, "diskSizeGb"), size = number(config, "diskSizeGb");
	char field[80], a[24], b[24];

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		snprintf(field, sizeof(field), "nodePools[%zu].%s", index, texts[i]);
		fixed(d, field, jx_str(pool, texts[i]), jx_str(config, texts[i]), OF_POOL);
	}
	if (asked && size && asked != size) {
		snprintf(field, sizeof(field), "nodePools[%zu].diskSizeGb", index);
		snprintf(a, sizeof(a), "%lld", (long long)asked);
		snprintf(b, sizeof(b), "%lld", (long long)size);
		refuse(d, field, a, b, OF_POOL);
	}
	snprintf(field, sizeof(field), "nodePools[%zu].spot", index);
	fixed_bool(d, field, jx_bool(pool, "spot"),
		   jx_bool(config, "spot") || jx_bool(config, "preemptible"), OF_POOL);
}

/* --- channel and version ----------------------------------------------------------------------- */

/* Google insists on automatic upgrades in a channel: switched on before, off after leaving all of them. */
static void change_management(struct diff *d, bool upgrade)
{
	const json_t *pools = jx_get(d->live, "nodePools");

	if (!jx_get(d->g, "releaseChannel") || gke_spec_no_channel(d->g) == upgrade ||
	    d->s->autopilot)
		return;
	for (size_t i = 0; i < json_array_size(pools); i++) {
		const json_t *m = jx_get(json_array_get(pools, i), "management");
		json_t *body = json_is_object(m) ? json_deep_copy(m) : json_object();
		struct gke_change *c;

		if (jx_bool(m, "autoUpgrade") == upgrade) {
			json_decref(body);
			continue;
		}
		json_object_set_new(body, "autoUpgrade", json_boolean(upgrade));
		c = add_pool(d, GKE_CHANGE_POOL_SET,
			     jx_str_or(json_array_get(pools, i), "name", ""), body,
			     upgrade ? "automatic upgrades" : "no automatic upgrades");
		c->verb = "setManagement";
		c->member = "management";
	}
}

static void change_channel(struct diff *d)
{
	const char *asked = jx_str(d->g, "releaseChannel");
	const char *there = jx_str_or(d->live, "releaseChannel.channel", "UNSPECIFIED");
	json_t *word;

	if (!asked)
		return;
	word = streq(asked, "none") ? json_string("UNSPECIFIED") : gke_spec_word(asked);
	if (streq(json_string_value(word), there)) {
		json_decref(word);
		return;
	}
	add(d, GKE_CHANGE_CLUSTER, json_pack("{s:{s:o}}", "desiredReleaseChannel", "channel", word),
	    "release channel: %s, not %.40s", asked, there);
}

static void change_version(struct diff *d)
{
	const char *asked = jx_str(d->g, "version"),
		   *there = jx_str(d->live, "currentMasterVersion");

	if (!asked || !there || !version_older(there, asked))
		return;
	d->upgrade = asked;
	add(d, GKE_CHANGE_CLUSTER, json_pack("{s:s}", "desiredMasterVersion", asked),
	    "control plane: version %s, not %.60s", asked, there);
}

/* --- pools ------------------------------------------------------------------------------------- */

static json_t *pool_named(const json_t *pools, const char *name)
{
	for (size_t i = 0; i < json_array_size(pools); i++)
		if (streq(jx_str_or(json_array_get(pools, i), "name", ""), name))
			return json_array_get(pools, i);
	return NULL;
}

/* One that is going away already is as good as gone. */
static bool is_going(const json_t *pool)
{
	return streq(jx_str_or(pool, "status", ""), "STOPPING");
}

static void pool_version(struct diff *d, const char *name, const json_t *there)
{
	const char *asked = jx_str(d->g, "version"), *have = jx_str(there, "version"), *to;
	char what[160];

	if (!asked || !have || !version_older(have, asked))
		return;
	/* Nodes must not be newer than the control plane: what that has, or is about to have. */
	to = d->upgrade ? d->upgrade : jx_str_or(d->live, "currentMasterVersion", asked);
	snprintf(what, sizeof(what), "version %.60s, not %.60s", to, have);
	add_pool(d, GKE_CHANGE_POOL_UPDATE, name, json_pack("{s:s}", "nodeVersion", to), what);
}

static void pool_autoscaling(struct diff *d, const json_t *pool, const json_t *there)
{
	const json_t *asked = jx_get(pool, "autoscaling"), *have = jx_get(there, "autoscaling");
	json_int_t min = jx_int(asked, "min"), max = jx_int(asked, "max");
	json_t *body;
	struct gke_change *c;
	char what[120];

	if (asked ? jx_bool(have, "enabled") && number(have, "minNodeCount") == min &&
			    number(have, "maxNodeCount") == max
		  : !jx_bool(have, "enabled"))
		return;
	if (asked) {
		body = have ? json_deep_copy(have) : json_object();
		json_object_del(body, "totalMinNodeCount");
		json_object_del(body, "totalMaxNodeCount");
		json_object_set_new(body, "enabled", json_true());
		json_object_set_new(body, "minNodeCount", json_integer(min));
		json_object_set_new(body, "maxNodeCount", json_integer(max));
		snprintf(what, sizeof(what), "%lld to %lld nodes%s, by the autoscaler",
			 (long long)min, (long long)max, d->regional ? " in each zone" : "");
	} else {
		body = json_pack("{s:b}", "enabled", 0);
		snprintf(what, sizeof(what), "no autoscaling");
	}
	c = add_pool(d, GKE_CHANGE_POOL_SET, jx_str(pool, "name"), body, what);
	c->verb = "setAutoscaling";
	c->member = "autoscaling";
}

static void pool_size(struct diff *d, const json_t *pool, const json_t *there)
{
	json_int_t asked = jx_int(pool, "count"), have = number(there, "initialNodeCount");
	struct gke_change *c;
	char what[120];

	/* Where the autoscaler was, the number that is told is not the one that is there. */
	if (!jx_get(pool, "count") || jx_get(pool, "autoscaling") ||
	    (asked == have && !jx_bool(there, "autoscaling.enabled")))
		return;
	snprintf(what, sizeof(what), "%lld %s%s, not %lld", (long long)asked,
		 asked == 1 ? "node" : "nodes", d->regional ? " in each zone" : "",
		 (long long)have);
	c = add_pool(d, GKE_CHANGE_POOL_SIZE, jx_str(pool, "name"), NULL, what);
	c->count = (int)asked;
}

static void pool_labels(struct diff *d, const json_t *pool, const json_t *there)
{
	const json_t *asked = jx_get(pool, "labels"), *have = jx_path(there, "config.labels");
	autojson json_t *all = json_is_object(have) ? json_deep_copy(have) : json_object();
	char what[120];

	json_object_update(all, jx_get(pool, "labels"));
	if (!asked || json_equal(all, have) || (!have && !json_object_size(all)))
		return;
	snprintf(what, sizeof(what), "%zu labels of its nodes", json_object_size(all));
	/* The map replaces what is there. */
	add_pool(d, GKE_CHANGE_POOL_UPDATE, jx_str(pool, "name"),
		 json_pack("{s:{s:O}}", "labels", "labels", all), what);
}

static void pool_taints(struct diff *d, const json_t *pool, const json_t *there)
{
	autojson json_t *asked = gke_spec_taints(pool);
	char what[120];

	if (!jx_get(pool, "taints") || same_taints(asked, jx_path(there, "config.taints")))
		return;
	snprintf(what, sizeof(what), "%zu taints of its nodes", json_array_size(asked));
	add_pool(d, GKE_CHANGE_POOL_UPDATE, jx_str(pool, "name"),
		 json_pack("{s:{s:O}}", "taints", "taints", asked), what);
}

static void pool_image(struct diff *d, const json_t *pool, const json_t *there)
{
	const char *have = jx_str_or(there, "config.imageType", "");
	const char *version = jx_str(there, "version");
	json_t *body, *word;
	char what[160];

	if (!jx_str(pool, "imageType"))
		return;
	word = gke_spec_word(jx_str(pool, "imageType"));
	if (strcasecmp(json_string_value(word), have) == 0) {
		json_decref(word);
		return;
	}
	snprintf(what, sizeof(what), "image type %.50s, not %.50s", json_string_value(word), have);
	body = json_pack("{s:o}", "imageType", word);
	/* It is asked for with a version: the one that the nodes have. */
	if (version && !version_older(version, jx_str_or(d->g, "version", "")))
		json_object_set_new(body, "nodeVersion", json_string(version));
	add_pool(d, GKE_CHANGE_POOL_UPDATE, jx_str(pool, "name"), body, what);
}

static void change_pools(struct diff *d)
{
	const json_t *asked = jx_get(d->g, "nodePools"), *live = jx_get(d->live, "nodePools");
	const char *location = jx_str_or(d->live, "location", "");

	for (size_t i = 0; i < json_array_size(asked); i++) {
		const json_t *pool = json_array_get(asked, i);
		const char *name = jx_str_or(pool, "name", "");
		const json_t *there = pool_named(live, name);

		if (!there || is_going(there)) {
			json_t *body = gke_spec_pool(d->s, pool, location);
			char what[120];

			snprintf(what, sizeof(what), "a new one, %lld %s%s",
				 (long long)jx_int(body, "initialNodeCount"),
				 jx_str(body, "config.machineType"),
				 d->regional ? " in each zone" : "");
			add_pool(d, GKE_CHANGE_POOL_MAKE, name, body, what);
			continue;
		}
		fixed_pool(d, i, pool, there);
		pool_autoscaling(d, pool, there);
		pool_size(d, pool, there);
		pool_labels(d, pool, there);
		pool_taints(d, pool, there);
		pool_image(d, pool, there);
	}
	for (size_t i = 0; i < json_array_size(live); i++) {
		const json_t *there = json_array_get(live, i);

		if (!is_going(there))
			pool_version(d, jx_str_or(there, "name", ""), there);
	}
}

/* Only in clusters that we made: in others, a pool that the file does not know is somebody's. */
static void drop_pools(struct diff *d)
{
	const json_t *asked = jx_get(d->g, "nodePools"), *live = jx_get(d->live, "nodePools");

	if (!asked || !jx_str(d->live, "resourceLabels." GKE_LABEL_RUN))
		return;
	for (size_t i = 0; i < json_array_size(live); i++) {
		const json_t *there = json_array_get(live, i);
		const char *name = jx_str_or(there, "name", "");

		if (!pool_named(asked, name) && !is_going(there) &&
		    !jx_bool(there, "autoscaling.autoprovisioned"))
			add_pool(d, GKE_CHANGE_POOL_DROP, name, NULL, "not in the file any more");
	}
}

/* --- the rest of the cluster ------------------------------------------------------------------- */

/* Pods get accounts only where both the cluster and the pool have it: on from the top, off from below. */
static void change_identity(struct diff *d, bool on)
{
	const json_t *said = jx_get(d->g, "workloadIdentity"),
		     *pools = jx_get(d->live, "nodePools");
	const char *have = jx_str_or(d->live, "workloadIdentityConfig.workloadPool", "");
	const char *mode = on ? "GKE_METADATA" : "GCE_METADATA";

	if (!said || d->s->autopilot || json_is_true(said) != on)
		return;
	if (on && !*have)
		add(d, GKE_CHANGE_CLUSTER,
		    json_pack("{s:{s:o}}", "desiredWorkloadIdentityConfig", "workloadPool",
			      gke_spec_workload_pool(d->s)),
		    "workload identity");
	for (size_t i = 0; i < json_array_size(pools); i++) {
		const json_t *pool = json_array_get(pools, i);
		const char *is = jx_str_or(pool, "config.workloadMetadataConfig.mode",
					   "GCE_METADATA");

		if (!is_going(pool) && !streq(is, mode))
			add_pool(d, GKE_CHANGE_POOL_UPDATE, jx_str_or(pool, "name", ""),
				 json_pack("{s:{s:s}}", "workloadMetadataConfig", "mode", mode),
				 on ? "workload identity" : "no workload identity");
	}
	if (!on && *have)
		add(d, GKE_CHANGE_CLUSTER,
		    json_pack("{s:{s:s}}", "desiredWorkloadIdentityConfig", "workloadPool", ""),
		    "no workload identity");
}

static void change_endpoints(struct diff *d)
{
	static const char ip[] = "controlPlaneEndpointsConfig.ipEndpointsConfig";
	autojson json_t *asked = gke_spec_endpoints(d->g), *update = json_object();
	const json_t *have = jx_path(d->live, ip), *networks, *live_networks;
	bool public = have ? jx_bool(have, "enablePublicEndpoint")
			   : !jx_bool(d->live, "privateClusterConfig.enablePrivateEndpoint");
	const char *endpoint = jx_str_or(d->g, "endpoint", "");
	bool way, nets;

	/* Only what differs: what is not said in an update stays. */
	if ((streq(endpoint, "public") && !public) || (streq(endpoint, "private") && public))
		jx_set(update, "ipEndpointsConfig.enablePublicEndpoint", json_boolean(!public));
	networks = jx_path(asked, "ipEndpointsConfig.authorizedNetworksConfig");
	live_networks = jx_get(have, "authorizedNetworksConfig");
	if (!live_networks)
		live_networks = jx_get(d->live, "masterAuthorizedNetworksConfig");
	if (networks && !same_networks(networks, live_networks))
		jx_set(update, "ipEndpointsConfig.authorizedNetworksConfig",
		       json_deep_copy(networks));
	if (streq(endpoint, "dns") &&
	    !jx_bool(d->live, "controlPlaneEndpointsConfig.dnsEndpointConfig.allowExternalTraffic"))
		jx_set(update, "dnsEndpointConfig.allowExternalTraffic", json_true());
	if (!json_object_size(update))
		return;
	way = jx_get(update, "dnsEndpointConfig") ||
	      jx_path(update, "ipEndpointsConfig.enablePublicEndpoint");
	nets = jx_path(update, "ipEndpointsConfig.authorizedNetworksConfig");
	add(d, GKE_CHANGE_CLUSTER, json_pack("{s:O}", "desiredControlPlaneEndpointsConfig", update),
	    "control plane: %s",
	    way && nets ? "its endpoint and authorized networks"
	    : way       ? "its endpoint"
			: "its authorized networks");
}

static void change_window(struct diff *d)
{
	autojson json_t *asked = gke_spec_maintenance(d->g);
	const json_t *have = jx_get(d->live, "maintenancePolicy");
	json_t *policy;
	struct gke_change *c;

	if (!asked || same_window(asked, jx_get(have, "window")))
		return;
	policy = json_pack("{s:O}", "window", asked);
	if (jx_str(have, "resourceVersion"))
		json_object_set(policy, "resourceVersion", jx_get(have, "resourceVersion"));
	if (jx_path(have, "window.maintenanceExclusions"))
		json_object_set(asked, "maintenanceExclusions",
				jx_path(have, "window.maintenanceExclusions"));
	c = add(d, GKE_CHANGE_CLUSTER_SET, policy, "maintenance window");
	c->verb = "setMaintenancePolicy";
	c->member = "maintenancePolicy";
}

/* What shall become of the labels; null removes. Our own always follow the file. */
static json_t *labels_patch(const struct diff *d, const json_t *have, ns_t now)
{
	const json_t *said = jx_get(d->g, "labels"), *v;
	autofree char *ttl = xasprintf("%lld", (long long)(d->s->ttl / NS_SEC));
	json_t *patch = json_object();
	const char *key;

	jx_foreach (said, key, v)
		if (!json_equal(v, jx_get(have, key)))
			json_object_set(patch, key, jx_get(said, key));
	if (!streq(jx_str_or(have, GKE_LABEL_ENV, ""), d->s->environment))
		json_object_set_new(patch, GKE_LABEL_ENV, json_string(d->s->environment));
	if (d->s->protect != streq(jx_str_or(have, GKE_LABEL_PROTECT, ""), "true"))
		json_object_set_new(patch, GKE_LABEL_PROTECT,
				    d->s->protect ? json_string("true") : json_null());
	if (d->s->ttl &&
	    (!streq(jx_str_or(have, GKE_LABEL_TTL, ""), ttl) || !jx_str(have, GKE_LABEL_EXPIRES)))
		gke_spec_ttl_labels(patch, d->s, now);
	if (!d->s->ttl && jx_get(have, GKE_LABEL_TTL))
		json_object_set_new(patch, GKE_LABEL_TTL, json_null());
	if (!d->s->ttl && jx_get(have, GKE_LABEL_EXPIRES))
		json_object_set_new(patch, GKE_LABEL_EXPIRES, json_null());
	return patch;
}

static void change_labels(struct diff *d, ns_t now)
{
	const json_t *have = jx_get(d->live, "resourceLabels"), *v;
	autojson json_t *patch = labels_patch(d, have, now);
	struct buf names = BUF_INIT(16u << 10);
	struct gke_change *c;
	json_t *all;
	const char *key;

	if (!json_object_size(patch))
		return;
	jx_foreach (patch, key, v) {
		(void)v;
		buf_fit(&names, "%s%.70s", names.len ? ", " : "", key);
	}
	all = json_is_object(have) ? json_deep_copy(have) : json_object();
	jx_merge(all, patch);
	c = add(d, GKE_CHANGE_LABELS, json_incref(patch), "labels: %s", buf_str(&names));
	c->labels = json_pack("{s:o}", "resourceLabels", all);
	if (jx_str(d->live, "labelFingerprint"))
		json_object_set(c->labels, "labelFingerprint", jx_get(d->live, "labelFingerprint"));
	buf_release(&names);
}

int gke_spec_diff(struct gke_changes *out, const struct gke_spec *s, const json_t *live, ns_t now,
		  struct buf *detail, struct err *e)
{
	struct gke_changes changes = {0};
	struct diff d = {.out = &changes,
			 .s = s,
			 .g = s->section,
			 .live = live,
			 .detail = detail,
			 .regional = !gke_is_zone(jx_str_or(live, "location", ""))};

	fixed_place(&d);
	fixed_network(&d);
	change_management(&d, true);
	change_channel(&d);
	change_management(&d, false);
	change_version(&d);
	change_identity(&d, true);
	if (!s->autopilot)
		change_pools(&d);
	change_identity(&d, false);
	change_endpoints(&d);
	change_window(&d);
	if (!s->autopilot)
		drop_pools(&d);
	change_labels(&d, now);
	if (!d.refused) {
		*out = changes;
		return 0;
	}
	gke_changes_release(&changes);
	err_set(e, ERR_INVALID, "the cluster %s cannot be changed to what the file says: %s",
		s->name, d.first);
	return err_hint(e, "say what is there, or give a new cluster another name");
}
