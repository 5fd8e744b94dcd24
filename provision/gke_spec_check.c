/* gke_spec_check.c - what is wrong with cluster.gke beyond its schema, told before anything is sent. Pure. */
#include "provision/gke_spec.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "gke/names.h"

#define AT         "/cluster/gke"
#define TTL_LEAST  (10 * 60 * NS_SEC)
#define TTL_MOST   (366 * 24 * 3600 * NS_SEC)
#define LABELS_MAX 59 /* Google takes 64; five are prestoctl's */

struct check {
	gke_complain_fn *complain;
	void *arg;
	const json_t *g; /* cluster.gke */
	bool autopilot;
};

static void say(const struct check *c, bool key, const char *pointer, const char *fmt, ...)
	PRINTF_LIKE(4, 5);
static void say(const struct check *c, bool key, const char *pointer, const char *fmt, ...)
{
	char text[360];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	c->complain(c->arg, pointer, key, text);
}

/* The library's own words for what it refuses. */
static void say_err(const struct check *c, bool key, const char *pointer, const struct err *e)
{
	say(c, key, pointer, "%s; %s", e->msg, e->hint);
}

/* A key as it stands in a JSON pointer. */
static char *pointer_to(const char *base, const char *key)
{
	size_t len = strlen(base);
	char *out = xcalloc(1, len + 2 * strlen(key) + 2), *p = out + len + 1;

	snprintf(out, len + 2, "%s/", base);
	for (; *key; key++) {
		if (*key == '~' || *key == '/')
			*p++ = '~';
		*p++ = *key == '~' ? '0' : *key == '/' ? '1' : *key;
	}
	return out;
}

static bool has(const struct check *c, const char *field)
{
	return jx_get(c->g, field) != NULL;
}

static bool is(const struct check *c, const char *field, const char *word)
{
	return streq(jx_str_or(c->g, field, ""), word);
}

/* --- names and places -------------------------------------------------------------------------- */

static void check_names(const struct check *c, const json_t *doc)
{
	const char *project = jx_str(c->g, "project"), *name = jx_str(c->g, "name");
	struct err e = ERR_INIT;

	if (project && gke_check_project(project, &e) < 0)
		say_err(c, false, AT "/project", &e);
	err_clear(&e);
	if (name && gke_check_name(name, "cluster", &e) < 0)
		say_err(c, false, AT "/name", &e);
	else if (!name && gke_check_name(jx_str_or(doc, "name", ""), "cluster", &e) < 0)
		say(c, false, "/name", "%s; set cluster.gke.name, or begin with a letter", e.msg);
}

static void check_zone_list(const struct check *c, const json_t *list)
{
	struct err e = ERR_INIT;

	if (!json_array_size(list))
		say(c, false, AT "/location", "location is an empty list; name a zone or a region");
	if (json_array_size(list) && c->autopilot)
		say(c, false, AT "/location",
		    "Autopilot runs in a region, not in zones; write one as us-central1");
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *zone = json_string_value(json_array_get(list, i));
		autofree char *at = xasprintf(AT "/location/%zu", i);

		err_clear(&e);
		if (gke_check_location(zone, &e) < 0)
			say_err(c, false, at, &e);
		else if (!gke_is_zone(zone))
			say(c, false, at,
			    "%s is a region; a list is of zones, a region is written alone", zone);
		for (size_t j = 0; j < i; j++)
			if (streq(json_string_value(json_array_get(list, j)), zone))
				say(c, false, at, "%s is there twice; remove one of them", zone);
	}
}

static void check_location(const struct check *c)
{
	const json_t *said = jx_get(c->g, "location");
	const char *text = json_string_value(said);
	struct err e = ERR_INIT;

	if (json_is_array(said)) {
		check_zone_list(c, said);
	} else if (text && gke_check_location(text, &e) < 0) {
		say_err(c, false, AT "/location", &e);
	} else if (text && c->autopilot && gke_is_zone(text)) {
		autofree char *region = gke_region_of(text);

		say(c, false, AT "/location",
		    "Autopilot runs in a region, and %s is a zone; write %s", text, region);
	}
}

/* What a field is worth only together with, or without, another one. */
static void check_pairs(const struct check *c)
{
	bool dual = is(c, "stack", "ipv4-ipv6"), nodes = jx_bool(c->g, "privateNodes");
	const json_t *make = jx_get(c->g, "createSubnetwork");
	bool making = json_is_true(make) || json_is_object(make);

	if (is(c, "endpoint", "private") && !nodes)
		say(c, false, AT "/endpoint",
		    "a private endpoint needs private nodes; set privateNodes: true");
	if (has(c, "controlPlaneRange") && !nodes)
		say(c, true, AT "/controlPlaneRange",
		    "controlPlaneRange is for private nodes; set privateNodes: true, or remove it");
	if (has(c, "ipv6Access") && !dual)
		say(c, true, AT "/ipv6Access",
		    "ipv6Access is for two stacks; set stack: ipv4-ipv6, or remove it");
	if (making && has(c, "subnetwork"))
		say(c, true, AT "/subnetwork",
		    "a subnetwork is named, and another one is to be made; remove subnetwork or createSubnetwork");
	if (making && has(c, "podsRange"))
		say(c, true, AT "/podsRange",
		    "a new subnetwork has no such range yet; remove podsRange or createSubnetwork");
	if (making && has(c, "servicesRange"))
		say(c, true, AT "/servicesRange",
		    "a new subnetwork has no such range yet; remove servicesRange or createSubnetwork");
}

static void check_autopilot(const struct check *c)
{
	if (!c->autopilot)
		return;
	if (has(c, "nodePools"))
		say(c, true, AT "/nodePools",
		    "Autopilot chooses its nodes by itself; remove nodePools, or set mode: standard");
	if (is(c, "dataplane", "calico"))
		say(c, false, AT "/dataplane",
		    "Autopilot has Dataplane V2 only; remove dataplane, or set mode: standard");
	if (is(c, "releaseChannel", "none"))
		say(c, false, AT "/releaseChannel",
		    "Autopilot is always in a channel; name one, or set mode: standard");
	if (json_is_false(jx_get(c->g, "workloadIdentity")))
		say(c, false, AT "/workloadIdentity",
		    "Autopilot always has workload identity; remove workloadIdentity, or set mode: standard");
}

/* --- labels and pools -------------------------------------------------------------------------- */

static void check_labels(const struct check *c)
{
	const json_t *labels = jx_get(c->g, "labels"), *v;
	const char *key;

	if (json_object_size(labels) > LABELS_MAX)
		say(c, false, AT "/labels", "%zu labels; at most %d are taken",
		    json_object_size(labels), LABELS_MAX);
	jx_foreach (labels, key, v) {
		autofree char *at = pointer_to(AT "/labels", key);
		bool of_key = false;
		struct err e = ERR_INIT;

		if (gke_check_label(key, "", &e) < 0)
			of_key = true;
		if (of_key || gke_check_label(key, json_string_value(v), &e) < 0)
			say_err(c, of_key, at, &e);
		else if (starts_with(key, "prestoctl-"))
			say(c, true, at,
			    "labels that begin with prestoctl- are set by prestoctl; "
			    "use ttl or deletionProtection, or another key");
		else if (starts_with(key, "goog-"))
			say(c, true, at,
			    "labels that begin with goog- are Google's own; use another key");
	}
}

static bool word_of(const char *text, size_t len)
{
	if (len > 63 ||
	    (len && (!isalnum((unsigned char)text[0]) || !isalnum((unsigned char)text[len - 1]))))
		return false;
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)text[i]) && !strchr("-_.", text[i]))
			return false;
	return true;
}

/* "example.com/name": a label's or taint's key in Kubernetes. */
static bool is_node_key(const char *key)
{
	const char *slash = strchr(key, '/'), *name = slash ? slash + 1 : key;
	size_t prefix = slash ? (size_t)(slash - key) : 0;

	if (slash && (!prefix || prefix > 253 ||
		      strspn(key, "abcdefghijklmnopqrstuvwxyz0123456789.-") != prefix))
		return false;
	return *name && word_of(name, strlen(name));
}

static void check_node_label(const struct check *c, const char *at, bool key_at, const char *key,
			     const char *value)
{
	if (!is_node_key(key))
		say(c, key_at, at,
		    "'%.60s' is no key in Kubernetes; write it as name or example.com/name, at most 63 characters",
		    key);
	else if (!word_of(value, strlen(value)))
		say(c, false, at,
		    "'%.60s' is no value of a label; at most 63 letters, digits, dots, dashes and underscores",
		    value);
}

static void check_node_words(const struct check *c, const char *base, const json_t *pool)
{
	const json_t *taints = jx_get(pool, "taints"), *v;
	autofree char *labels = xasprintf("%s/labels", base);
	const char *key;

	jx_foreach (jx_get(pool, "labels"), key, v) {
		autofree char *at = pointer_to(labels, key);

		check_node_label(c, at, true, key, json_string_value(v));
	}
	for (size_t i = 0; i < json_array_size(taints); i++) {
		const json_t *t = json_array_get(taints, i);
		bool key_fine = is_node_key(jx_str_or(t, "key", ""));
		autofree char *at = xasprintf("%s/taints/%zu/%s", base, i,
					      key_fine ? "value" : "key");

		check_node_label(c, at, false, jx_str_or(t, "key", ""), jx_str_or(t, "value", ""));
	}
}

static void check_counts(const struct check *c, const char *base, const json_t *pool)
{
	const json_t *scaling = jx_get(pool, "autoscaling");
	json_int_t min = jx_int(scaling, "min"), max = jx_int(scaling, "max");
	json_int_t count = jx_int_or(pool, "count", min);
	autofree char *at_min = xasprintf("%s/autoscaling/min", base),
		      *at_count = xasprintf("%s/count", base);

	if (!scaling)
		return;
	if (min > max)
		say(c, false, at_min, "min is %lld, and max is %lld; min must not be above max",
		    (long long)min, (long long)max);
	else if (count < min || count > max)
		say(c, false, at_count,
		    "count is %lld, outside of autoscaling's %lld to %lld; change one of them",
		    (long long)count, (long long)min, (long long)max);
}

static void check_pools(const struct check *c)
{
	const json_t *pools = jx_get(c->g, "nodePools");

	if (pools && !json_array_size(pools))
		say(c, false, AT "/nodePools",
		    "a cluster needs a node pool; name one, or leave nodePools out");
	for (size_t i = 0; i < json_array_size(pools); i++) {
		const json_t *pool = json_array_get(pools, i);
		autofree char *base = xasprintf(AT "/nodePools/%zu", i),
			      *at = xasprintf("%s/name", base);
		const char *name = jx_str_or(pool, "name", "");
		struct err e = ERR_INIT;

		if (gke_check_name(name, "node pool", &e) < 0)
			say_err(c, false, at, &e);
		for (size_t j = 0; j < i; j++)
			if (streq(jx_str_or(json_array_get(pools, j), "name", ""), name))
				say(c, false, at,
				    "two node pools are named '%.60s'; give one another name",
				    name);
		check_counts(c, base, pool);
		check_node_words(c, base, pool);
	}
}

/* --- addresses and times ----------------------------------------------------------------------- */

/* Are these addresses, and no bits set behind the prefix? Google would change such a range silently. */
static void check_cidr(const struct check *c, const char *at, const char *text)
{
	const char *slash = strchr(text, '/');
	unsigned char bytes[16] = {0}, before[16];
	char address[64] = "", fixed[INET6_ADDRSTRLEN];
	bool v6 = strchr(text, ':') != NULL;
	size_t len = slash ? (size_t)(slash - text) : 0;
	int bits = slash ? (int)strtol(slash + 1, NULL, 10) : -1, most = v6 ? 128 : 32;

	if (len < sizeof(address))
		memcpy(address, text, len);
	if (bits < 0 || bits > most ||
	    (len && inet_pton(v6 ? AF_INET6 : AF_INET, address, bytes) != 1)) {
		say(c, false, at, "'%.60s' is no range of addresses; write it as %s", text,
		    v6 ? "2001:db8::/32" : "203.0.113.0/24");
		return;
	}
	memcpy(before, bytes, sizeof(before));
	for (int i = bits; i < most; i++)
		bytes[i / 8] &= (unsigned char)~(0x80 >> (i % 8));
	if (memcmp(before, bytes, sizeof(bytes)) == 0)
		return;
	inet_ntop(v6 ? AF_INET6 : AF_INET, bytes, fixed, sizeof(fixed));
	say(c, false, at, "'%.60s' has more bits than its prefix; write %s/%d", text, fixed, bits);
}

static void check_ranges(const struct check *c)
{
	const json_t *networks = jx_get(c->g, "authorizedNetworks");

	if (networks && !json_array_size(networks))
		say(c, false, AT "/authorizedNetworks",
		    "nobody would be let in; name networks (0.0.0.0/0 for everybody), or remove it");
	for (size_t i = 0; i < json_array_size(networks); i++) {
		const json_t *one = json_array_get(networks, i);
		bool plain = json_is_string(one);
		autofree char *at = xasprintf(AT "/authorizedNetworks/%zu%s", i,
					      plain ? "" : "/cidr");

		check_cidr(c, at, plain ? json_string_value(one) : jx_str_or(one, "cidr", ""));
	}
	if (has(c, "controlPlaneRange"))
		check_cidr(c, AT "/controlPlaneRange", jx_str(c->g, "controlPlaneRange"));
	if (jx_str(c->g, "createSubnetwork.range"))
		check_cidr(c, AT "/createSubnetwork/range", jx_str(c->g, "createSubnetwork.range"));
}

static void check_ttl(const struct check *c)
{
	const char *text = jx_str(c->g, "ttl");
	struct err e = ERR_INIT;
	ns_t ttl = 0;

	if (!text)
		return;
	if (duration_parse(&ttl, text, &e) < 0)
		say(c, false, AT "/ttl", "%s; write it as 8h or 90m", e.msg);
	else if (ttl < TTL_LEAST || ttl > TTL_MOST)
		say(c, false, AT "/ttl",
		    "a ttl of %.30s is out of range; it may be from 10m to 8784h", text);
}

static bool is_time(const struct check *c, const json_t *window, const char *field, ns_t *out)
{
	autofree char *at = xasprintf(AT "/maintenanceWindow/%s", field);
	struct err e = ERR_INIT;

	if (time_parse(out, jx_str_or(window, field, ""), &e) == 0)
		return true;
	say(c, false, at, "'%.60s' is no time; write it as 2030-01-05T02:00:00Z",
	    jx_str_or(window, field, ""));
	return false;
}

static void check_window(const struct check *c)
{
	const json_t *w = jx_get(c->g, "maintenanceWindow");
	bool daily = jx_str(w, "dailyStart"), start = jx_str(w, "start"), end = jx_str(w, "end"),
	     again = jx_str(w, "recurrence");
	ns_t from = 0, to = 0;

	if (!w || (daily && !start && !end && !again))
		return;
	if (daily || !start || !end || !again) {
		say(c, true, AT "/maintenanceWindow",
		    "a window is dailyStart alone, or start, end and recurrence together; see prestoctl explain");
		return;
	}
	start = is_time(c, w, "start", &from);
	end = is_time(c, w, "end", &to);
	if (start && end && to <= from)
		say(c, false, AT "/maintenanceWindow/end",
		    "the window ends before it begins; end must be after start");
}

/* --- registry and advanced --------------------------------------------------------------------- */

static void check_registry(const struct check *c)
{
	static const char *const of_host[] = {"path", "username", "passwordFile"};
	const json_t *r = jx_get(c->g, "registry");
	bool repository = jx_str(r, "repository"), host = jx_str(r, "host");

	if (!r)
		return;
	if (repository == host) {
		say(c, true, AT "/registry",
		    "a registry is either a repository of Artifact Registry or a host; give one of repository and host");
		return;
	}
	if (host && jx_str(r, "location"))
		say(c, true, AT "/registry/location",
		    "location is for a repository of Artifact Registry; remove it");
	for (size_t i = 0; repository && i < ARRAY_LEN(of_host); i++)
		if (jx_str(r, of_host[i])) {
			autofree char *at = xasprintf(AT "/registry/%s", of_host[i]);

			say(c, true, at, "%s is for a registry with a host; remove it", of_host[i]);
		}
	if (host && !jx_str(r, "username") != !jx_str(r, "passwordFile"))
		say(c, true,
		    jx_str(r, "username") ? AT "/registry/username" : AT "/registry/passwordFile",
		    "username and passwordFile belong together; give both, or none");
}

/* What of Google's Cluster is said by fields, or cannot be said at all. */
static const struct {
	const char *path, *field; /* NULL: output only, or an older name of another one */
} own_fields[] = {
	{"name", "name"},
	{"location", "location"},
	{"zone", "location"},
	{"nodePools", "nodePools"},
	{"initialNodeCount", "nodePools"},
	{"nodeConfig", "nodePools"},
	{"instanceGroupUrls", NULL},
	{"autopilot", "mode"},
	{"releaseChannel", "releaseChannel"},
	{"initialClusterVersion", "version"},
	{"currentMasterVersion", NULL},
	{"currentNodeVersion", NULL},
	{"network", "network"},
	{"subnetwork", "subnetwork"},
	{"ipAllocationPolicy.useIpAliases", NULL},
	{"ipAllocationPolicy.createSubnetwork", "createSubnetwork"},
	{"ipAllocationPolicy.subnetworkName", "createSubnetwork"},
	{"ipAllocationPolicy.nodeIpv4CidrBlock", "createSubnetwork"},
	{"ipAllocationPolicy.clusterSecondaryRangeName", "podsRange"},
	{"ipAllocationPolicy.servicesSecondaryRangeName", "servicesRange"},
	{"ipAllocationPolicy.stackType", "stack"},
	{"ipAllocationPolicy.ipv6AccessType", "ipv6Access"},
	{"networkConfig.datapathProvider", "dataplane"},
	{"networkConfig.defaultEnablePrivateNodes", "privateNodes"},
	{"networkPolicy", "dataplane"},
	{"addonsConfig.networkPolicyConfig", "dataplane"},
	{"privateClusterConfig.enablePrivateNodes", "privateNodes"},
	{"privateClusterConfig.enablePrivateEndpoint", "endpoint"},
	{"privateClusterConfig.masterIpv4CidrBlock", "controlPlaneRange"},
	{"masterAuthorizedNetworksConfig", "authorizedNetworks"},
	{"controlPlaneEndpointsConfig.ipEndpointsConfig.authorizedNetworksConfig",
	 "authorizedNetworks"},
	{"controlPlaneEndpointsConfig.ipEndpointsConfig.enablePublicEndpoint", "endpoint"},
	{"controlPlaneEndpointsConfig.dnsEndpointConfig.allowExternalTraffic", "endpoint"},
	{"workloadIdentityConfig", "workloadIdentity"},
	{"maintenancePolicy.window.dailyMaintenanceWindow", "maintenanceWindow"},
	{"maintenancePolicy.window.recurringWindow", "maintenanceWindow"},
	{"resourceLabels", "labels"},
	{"status", NULL},
	{"endpoint", NULL},
	{"selfLink", NULL},
	{"id", NULL},
	{"etag", NULL},
};

static void dots_to_slashes(char *path)
{
	for (; *path; path++)
		*path = *path == '.' ? '/' : *path;
}

/* A message that has fields of ours in it, replaced by something else, would take them away. */
static void check_messages(const struct check *c, const json_t *advanced)
{
	static const char *const messages[] = {
		"ipAllocationPolicy",
		"networkConfig",
		"addonsConfig",
		"privateClusterConfig",
		"controlPlaneEndpointsConfig",
		"controlPlaneEndpointsConfig.ipEndpointsConfig",
		"controlPlaneEndpointsConfig.dnsEndpointConfig",
		"maintenancePolicy",
		"maintenancePolicy.window",
		"shieldedNodes",
	};

	for (size_t i = 0; i < ARRAY_LEN(messages); i++) {
		const json_t *v = jx_path(advanced, messages[i]);
		autofree char *at = xasprintf(AT "/advanced/%s", messages[i]);

		dots_to_slashes(at);
		if (v && !json_is_object(v))
			say(c, false, at,
			    "'%s' must be a map; it is merged with what prestoctl sets",
			    messages[i]);
	}
}

/* Quotas are counted by them. */
static void check_zones(const struct check *c, const json_t *advanced)
{
	const json_t *zones = jx_get(advanced, "locations");
	bool good = !zones || json_array_size(zones);

	for (size_t i = 0; i < json_array_size(zones); i++) {
		const char *zone = json_string_value(json_array_get(zones, i));

		good = good && zone && gke_is_zone(zone);
	}
	if (!good)
		say(c, false, AT "/advanced/locations", "'locations' must be a list of zones");
}

static void check_advanced(const struct check *c)
{
	const json_t *advanced = jx_get(c->g, "advanced");

	check_messages(c, advanced);
	check_zones(c, advanced);
	for (size_t i = 0; i < ARRAY_LEN(own_fields); i++) {
		autofree char *at = xasprintf(AT "/advanced/%s", own_fields[i].path);

		if (!jx_path(advanced, own_fields[i].path))
			continue;
		dots_to_slashes(at);
		if (own_fields[i].field)
			say(c, true, at, "'%s' has a field of its own; use cluster.gke.%s",
			    own_fields[i].path, own_fields[i].field);
		else
			say(c, true, at, "'%s' cannot be chosen; remove it", own_fields[i].path);
	}
}

void gke_spec_check(const json_t *doc, gke_complain_fn *complain, void *arg)
{
	const struct check c = {
		.complain = complain,
		.arg = arg,
		.g = jx_get(jx_get(doc, "cluster"), "gke"),
		.autopilot = streq(jx_str_or(doc, "cluster.gke.mode", "standard"), "autopilot"),
	};

	check_names(&c, doc);
	check_location(&c);
	check_pairs(&c);
	check_autopilot(&c);
	check_labels(&c);
	check_pools(&c);
	check_ranges(&c);
	check_ttl(&c);
	check_window(&c);
	check_registry(&c);
	check_advanced(&c);
}
