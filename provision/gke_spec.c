/* gke_spec.c - cluster.gke of an environment file as a cluster in Google's words. Pure. */
#include "provision/gke_spec_internal.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "gke/names.h"

#define MACHINE_TYPE "e2-standard-4"
#define DISK_TYPE    "pd-balanced"
#define DISK_GB      50
#define NODES_ZONE   3 /* one coordinator and workers, with a node to spare */
#define NODES_REGION 1 /* in each of its zones */
#define SCOPE        "https://www.googleapis.com/auth/cloud-platform"

/* --- decoding ---------------------------------------------------------------------------------- */

/* The first location that is said: by the file, by the variable that suits the mode, by the other one. */
static int decode_location(struct gke_spec *s, const struct gke_env *from, struct err *e)
{
	const json_t *said = jx_get(s->section, "location");
	const char *zone = gke_env_zone(from), *region = gke_env_region(from), *text;
	autofree char *around = NULL;

	if (json_is_array(said)) {
		s->locations = json_deep_copy(said);
		return 0;
	}
	text = json_string_value(said);
	if (!text && s->autopilot) {
		around = zone && gke_check_location(zone, e) == 0 ? gke_region_of(zone) : NULL;
		if (e->code)
			return err_wrap(e, "the variable for the zone");
		text = region ? region : around;
	} else if (!text) {
		text = zone ? zone : region;
	}
	if (!text) {
		err_set(e, ERR_INVALID, "no location is given for the cluster");
		return err_hint(e, "set cluster.gke.location, or CLOUDSDK_COMPUTE_ZONE");
	}
	if (!said && gke_check_location(text, e) < 0)
		return err_wrap(e, "the variable for the zone or region");
	s->locations = json_pack("[s]", text);
	return 0;
}

static enum gke_way way_of(const json_t *section)
{
	const char *word = jx_str_or(section, "endpoint", "public");

	return streq(word, "dns")       ? GKE_WAY_DNS
	       : streq(word, "private") ? GKE_WAY_PRIVATE
					: GKE_WAY_PUBLIC;
}

int gke_spec_decode(struct gke_spec *out, const struct env *v, const struct gke_env *from,
		    struct err *e)
{
	struct gke_spec s = {0};
	json_t *section = jx_get(jx_get(v->doc, "cluster"), "gke");
	const char *project, *ttl;

	s.section = section ? json_incref(section) : json_object();
	section = s.section;
	project = jx_str_or(section, "project", gke_env_project(from));
	ttl = jx_str(section, "ttl");
	s.environment = xstrdup(v->name);
	s.project = project ? xstrdup(project) : NULL;
	s.name = xstrdup(jx_str_or(section, "name", v->name));
	s.autopilot = streq(jx_str_or(section, "mode", "standard"), "autopilot");
	s.protect = jx_bool(section, "deletionProtection");
	s.way = way_of(section);
	if (jx_str(section, "credentials"))
		s.credentials = env_file(v, jx_str(section, "credentials"));
	if (jx_str(section, "impersonate"))
		s.impersonate = xstrdup(jx_str(section, "impersonate"));
	if ((ttl && duration_parse(&s.ttl, ttl, e) < 0) ||
	    (s.project && gke_check_project(s.project, e) < 0) ||
	    decode_location(&s, from, e) < 0) {
		gke_spec_release(&s);
		return -1;
	}
	*out = s;
	return 0;
}

void gke_spec_release(struct gke_spec *s)
{
	json_decref(s->section);
	json_decref(s->locations);
	free(s->environment);
	free(s->project);
	free(s->name);
	free(s->credentials);
	free(s->impersonate);
	*s = (struct gke_spec){0};
}

/* --- parts of a body --------------------------------------------------------------------------- */

json_t *gke_spec_word(const char *word)
{
	char out[64];
	size_t n = 0;

	for (const char *p = word; *p && n + 2 < sizeof(out); p++) {
		if (isupper((unsigned char)*p) && p > word && islower((unsigned char)p[-1]))
			out[n++] = '_';
		out[n++] = *p == '-' ? '_' : (char)toupper((unsigned char)*p);
	}
	return json_stringn(out, n);
}

bool gke_spec_no_channel(const json_t *section)
{
	return streq(jx_str_or(section, "releaseChannel", "regular"), "none");
}

json_t *gke_spec_pool_list(const struct gke_spec *s)
{
	json_t *said = jx_get(s->section, "nodePools");

	return said ? json_incref(said) : json_pack("[{s:s}]", "name", "default-pool");
}

/* Nodes in each zone to begin with. */
static int first_count(const json_t *pool, const char *location)
{
	const json_t *scaling = jx_get(pool, "autoscaling");
	json_int_t count = jx_int_or(pool, "count",
				     gke_is_zone(location) ? NODES_ZONE : NODES_REGION);

	if (scaling && count < jx_int(scaling, "min"))
		count = jx_int(scaling, "min");
	if (scaling && count > jx_int(scaling, "max"))
		count = jx_int(scaling, "max");
	return (int)count;
}

json_t *gke_spec_taints(const json_t *pool)
{
	const json_t *said = jx_get(pool, "taints");
	json_t *out = json_array();

	for (size_t i = 0; i < json_array_size(said); i++) {
		const json_t *t = json_array_get(said, i);
		json_t *taint = json_object();

		json_object_set(taint, "key", jx_get(t, "key"));
		json_object_set_new(taint, "value", json_string(jx_str_or(t, "value", "")));
		json_object_set_new(taint, "effect", gke_spec_word(jx_str_or(t, "effect", "")));
		json_array_append_new(out, taint);
	}
	return out;
}

static json_t *node_config(const struct gke_spec *s, const json_t *pool)
{
	json_t *c = json_object();
	const char *image = jx_str(pool, "imageType");

	json_object_set_new(c, "machineType",
			    json_string(jx_str_or(pool, "machineType", MACHINE_TYPE)));
	json_object_set_new(c, "diskSizeGb", json_integer(jx_int_or(pool, "diskSizeGb", DISK_GB)));
	json_object_set_new(c, "diskType", json_string(jx_str_or(pool, "diskType", DISK_TYPE)));
	if (image)
		json_object_set_new(c, "imageType", gke_spec_word(image));
	json_object_set_new(c, "oauthScopes", json_pack("[s]", SCOPE));
	if (jx_str(pool, "serviceAccount"))
		json_object_set(c, "serviceAccount", jx_get(pool, "serviceAccount"));
	if (jx_bool(pool, "spot"))
		json_object_set_new(c, "spot", json_true());
	if (!jx_is_empty(jx_get(pool, "labels")))
		json_object_set(c, "labels", jx_get(pool, "labels"));
	if (!jx_is_empty(jx_get(pool, "taints")))
		json_object_set_new(c, "taints", gke_spec_taints(pool));
	if (jx_bool(s->section, "workloadIdentity"))
		json_object_set_new(c, "workloadMetadataConfig",
				    json_pack("{s:s}", "mode", "GKE_METADATA"));
	return c;
}

json_t *gke_spec_pool(const struct gke_spec *s, const json_t *pool, const char *location)
{
	const json_t *scaling = jx_get(pool, "autoscaling");
	json_t *out = json_object();

	json_object_set(out, "name", jx_get(pool, "name"));
	json_object_set_new(out, "initialNodeCount", json_integer(first_count(pool, location)));
	if (scaling)
		json_object_set_new(out, "autoscaling",
				    json_pack("{s:b,s:I,s:I}", "enabled", 1, "minNodeCount",
					      jx_int(scaling, "min"), "maxNodeCount",
					      jx_int(scaling, "max")));
	json_object_set_new(out, "config", node_config(s, pool));
	/* Google insists on automatic upgrades in every channel. */
	json_object_set_new(out, "management",
			    json_pack("{s:b,s:b}", "autoRepair", 1, "autoUpgrade",
				      !gke_spec_no_channel(s->section)));
	return out;
}

static json_t *authorized(const json_t *said)
{
	json_t *blocks = json_array();

	for (size_t i = 0; i < json_array_size(said); i++) {
		const json_t *one = json_array_get(said, i);
		json_t *block = json_object();

		json_object_set(block, "cidrBlock",
				json_is_string(one) ? json_array_get(said, i)
						    : jx_get(one, "cidr"));
		if (jx_str(one, "name"))
			json_object_set(block, "displayName", jx_get(one, "name"));
		json_array_append_new(blocks, block);
	}
	return json_pack("{s:b,s:o}", "enabled", 1, "cidrBlocks", blocks);
}

/* Older names of these settings are left alone: both for one setting are refused. */
json_t *gke_spec_endpoints(const json_t *section)
{
	const json_t *networks = jx_get(section, "authorizedNetworks");
	const char *endpoint = jx_str(section, "endpoint");
	json_t *out = json_object();

	if (networks || (endpoint && !streq(endpoint, "dns"))) {
		jx_set(out, "ipEndpointsConfig.enabled", json_true());
		jx_set(out, "ipEndpointsConfig.enablePublicEndpoint",
		       json_boolean(way_of(section) != GKE_WAY_PRIVATE));
	}
	if (networks)
		jx_set(out, "ipEndpointsConfig.authorizedNetworksConfig", authorized(networks));
	if (endpoint && streq(endpoint, "dns"))
		jx_set(out, "dnsEndpointConfig.allowExternalTraffic", json_true());
	if (json_object_size(out))
		return out;
	json_decref(out);
	return NULL;
}

json_t *gke_spec_maintenance(const json_t *section)
{
	const json_t *said = jx_get(section, "maintenanceWindow");

	if (!said)
		return NULL;
	if (jx_str(said, "dailyStart"))
		return json_pack("{s:{s:s}}", "dailyMaintenanceWindow", "startTime",
				 jx_str(said, "dailyStart"));
	return json_pack("{s:{s:{s:s,s:s},s:s}}", "recurringWindow", "window", "startTime",
			 jx_str_or(said, "start", ""), "endTime", jx_str_or(said, "end", ""),
			 "recurrence", jx_str_or(said, "recurrence", ""));
}

json_t *gke_spec_workload_pool(const struct gke_spec *s)
{
	return jx_strf("%s.svc.id.goog", s->project ? s->project : "");
}

void gke_spec_ttl_labels(json_t *labels, const struct gke_spec *s, ns_t now)
{
	json_object_set_new(labels, GKE_LABEL_TTL, jx_strf("%lld", (long long)(s->ttl / NS_SEC)));
	json_object_set_new(labels, GKE_LABEL_EXPIRES,
			    jx_strf("%lld", (long long)((now + s->ttl) / NS_SEC)));
}

/* --- the body ---------------------------------------------------------------------------------- */

static json_t *labels_of(const struct gke_spec *s, const char *run, ns_t now)
{
	const json_t *said = jx_get(s->section, "labels");
	json_t *out = said ? json_deep_copy(said) : json_object();

	json_object_set_new(out, GKE_LABEL_ENV, json_string(s->environment));
	if (run)
		json_object_set_new(out, GKE_LABEL_RUN, json_string(run));
	if (s->ttl)
		gke_spec_ttl_labels(out, s, now);
	if (s->protect)
		json_object_set_new(out, GKE_LABEL_PROTECT, json_string("true"));
	return out;
}

static json_t *addresses(const json_t *g)
{
	const json_t *make = jx_get(g, "createSubnetwork");
	json_t *out = json_pack("{s:b}", "useIpAliases", 1);

	if (json_is_true(make) || json_is_object(make))
		json_object_set_new(out, "createSubnetwork", json_true());
	if (jx_str(make, "name"))
		json_object_set(out, "subnetworkName", jx_get(make, "name"));
	if (jx_str(make, "range"))
		json_object_set(out, "nodeIpv4CidrBlock", jx_get(make, "range"));
	if (jx_str(g, "podsRange"))
		json_object_set(out, "clusterSecondaryRangeName", jx_get(g, "podsRange"));
	if (jx_str(g, "servicesRange"))
		json_object_set(out, "servicesSecondaryRangeName", jx_get(g, "servicesRange"));
	if (streq(jx_str_or(g, "stack", "ipv4"), "ipv4-ipv6")) {
		json_object_set_new(out, "stackType", json_string("IPV4_IPV6"));
		json_object_set_new(out, "ipv6AccessType",
				    gke_spec_word(jx_str_or(g, "ipv6Access", "external")));
	}
	return out;
}

static void add_network(json_t *body, const struct gke_spec *s)
{
	const json_t *g = s->section;
	json_t *endpoints = gke_spec_endpoints(g);

	if (jx_str(g, "network"))
		json_object_set(body, "network", jx_get(g, "network"));
	if (jx_str(g, "subnetwork"))
		json_object_set(body, "subnetwork", jx_get(g, "subnetwork"));
	json_object_set_new(body, "ipAllocationPolicy", addresses(g));
	if (jx_bool(g, "privateNodes"))
		jx_set(body, "networkConfig.defaultEnablePrivateNodes", json_true());
	if (jx_str(g, "controlPlaneRange"))
		jx_set(body, "privateClusterConfig.masterIpv4CidrBlock",
		       json_string(jx_str(g, "controlPlaneRange")));
	if (endpoints)
		json_object_set_new(body, "controlPlaneEndpointsConfig", endpoints);
	if (s->autopilot)
		return; /* it has Dataplane V2 and no choice */
	if (streq(jx_str_or(g, "dataplane", "v2"), "v2")) {
		jx_set(body, "networkConfig.datapathProvider", json_string("ADVANCED_DATAPATH"));
		return;
	}
	jx_set(body, "networkPolicy", json_pack("{s:b,s:s}", "enabled", 1, "provider", "CALICO"));
	jx_set(body, "addonsConfig.networkPolicyConfig.disabled", json_false());
}

static void add_pools(json_t *body, const struct gke_spec *s, const char *location)
{
	autojson json_t *list = gke_spec_pool_list(s);
	json_t *pools = json_array();

	for (size_t i = 0; i < json_array_size(list); i++)
		json_array_append_new(pools, gke_spec_pool(s, json_array_get(list, i), location));
	json_object_set_new(body, "nodePools", pools);
	json_object_set_new(body, "shieldedNodes", json_pack("{s:b}", "enabled", 1));
	if (jx_bool(s->section, "workloadIdentity"))
		json_object_set_new(body, "workloadIdentityConfig",
				    json_pack("{s:o}", "workloadPool", gke_spec_workload_pool(s)));
}

/* Google makes nodes as pods need them; the pool is what its API wants to see all the same. */
static void add_autopilot(json_t *body)
{
	json_object_set_new(body, "autopilot", json_pack("{s:b}", "enabled", 1));
	json_object_set_new(
		body, "nodePools",
		json_pack("[{s:s,s:i}]", "name", "default-pool", "initialNodeCount", 1));
}

json_t *gke_spec_body(const struct gke_spec *s, const char *location, const char *run, ns_t now)
{
	const json_t *g = s->section;
	json_t *body = json_pack("{s:s}", "name", s->name), *window = gke_spec_maintenance(g);

	if (s->autopilot)
		add_autopilot(body);
	else
		add_pools(body, s, location);
	json_object_set_new(
		body, "releaseChannel",
		json_pack("{s:o}", "channel",
			  gke_spec_no_channel(g)
				  ? json_string("UNSPECIFIED")
				  : gke_spec_word(jx_str_or(g, "releaseChannel", "regular"))));
	if (jx_str(g, "version"))
		json_object_set(body, "initialClusterVersion", jx_get(g, "version"));
	add_network(body, s);
	if (window)
		json_object_set_new(body, "maintenancePolicy",
				    json_pack("{s:o}", "window", window));
	json_object_set_new(body, "resourceLabels", labels_of(s, run, now));
	jx_merge(body, jx_get(g, "advanced"));
	return body;
}

/* --- what it will use -------------------------------------------------------------------------- */

static bool keeps_pods_away(const json_t *taints)
{
	for (size_t i = 0; i < json_array_size(taints); i++)
		if (!streq(jx_str_or(json_array_get(taints, i), "effect", ""), "PreferNoSchedule"))
			return true;
	return false;
}

size_t gke_spec_pools(struct gke_pool out[GKE_POOLS_MAX], const struct gke_spec *s)
{
	autojson json_t *list = gke_spec_pool_list(s);
	const char *location = json_string_value(json_array_get(s->locations, 0));
	size_t n = 0;

	for (; !s->autopilot && n < json_array_size(list) && n < GKE_POOLS_MAX; n++) {
		const json_t *p = json_array_get(list, n);
		const char *disk = jx_str_or(p, "diskType", DISK_TYPE);
		struct gke_pool *pool = &out[n];

		*pool = (struct gke_pool){
			.nodes = first_count(p, location),
			.disk_gb = (int)jx_int_or(p, "diskSizeGb", DISK_GB),
			.ssd = streq(disk, "pd-balanced") || streq(disk, "pd-ssd"),
			.spot = jx_bool(p, "spot"),
			.public_ip = !jx_bool(s->section, "privateNodes"),
			.tainted = keeps_pods_away(jx_get(p, "taints")),
			/* The section holds it, as long as the spec lives. */
			.labels = jx_get(p, "labels"),
		};
		pool->most = jx_get(p, "autoscaling") ? (int)jx_int(p, "autoscaling.max")
						      : pool->nodes;
		snprintf(pool->name, sizeof(pool->name), "%s", jx_str_or(p, "name", ""));
		snprintf(pool->machine, sizeof(pool->machine), "%s",
			 jx_str_or(p, "machineType", MACHINE_TYPE));
	}
	return n;
}
