/* gke_marks.c - what a cluster has outside of itself, as the cluster and its objects tell it. See gke_remove.h. */
#include <stdlib.h>
#include <string.h>

#include "k8s/obj.h"
#include "provision/gke_remove.h"

#define SET_MAX     5000 /* of six sets: all of it fits into a state file */
#define TEXT_MAX    400
#define DISK_DRIVER "pd.csi.storage.gke.io"
#define NO_PROJECT  "projects/UNSPECIFIED/"

json_t *gke_marks_load(const struct provider_ctx *c)
{
	const json_t *known = jx_path(c->state->doc, "gke.marks");

	return json_is_object(known) ? json_deep_copy(known) : json_object();
}

int gke_marks_save(struct provider_ctx *c, const json_t *marks, struct err *e)
{
	return state_set(c->state, "gke.marks", json_deep_copy(marks), e);
}

void gke_marks_add(json_t *marks, const char *set, const char *text)
{
	json_t *list = jx_get(marks, set);

	if (!text || !*text || strlen(text) > TEXT_MAX)
		return;
	if (!json_is_array(list)) {
		list = json_array();
		json_object_set_new(marks, set, list);
	}
	for (size_t i = 0; i < json_array_size(list); i++)
		if (streq(json_string_value(json_array_get(list, i)), text))
			return;
	if (json_array_size(list) < SET_MAX)
		json_array_append_new(list, jx_strf("%s", text));
}

static void set_text(json_t *marks, const char *key, const char *text)
{
	if (text && *text)
		json_object_set_new(marks, key, jx_strf("%s", text));
}

void gke_marks_cluster(json_t *marks, const json_t *live)
{
	const json_t *urls = jx_get(live, "instanceGroupUrls"), *pools = jx_get(live, "nodePools");

	/* What was heard from the cluster before is not what this one has told. */
	if (jx_str(live, "id") && !streq(jx_str(live, "id"), jx_str(marks, "id"))) {
		json_object_del(marks, "seen");
		json_object_del(marks, "released");
	}
	set_text(marks, "id", jx_str(live, "id"));
	set_text(marks, "made", jx_str(live, "createTime"));
	for (size_t i = 0; i < json_array_size(urls); i++)
		gke_marks_add(marks, "groups", json_string_value(json_array_get(urls, i)));
	for (size_t i = 0; i < json_array_size(pools); i++) {
		urls = jx_get(json_array_get(pools, i), "instanceGroupUrls");
		for (size_t j = 0; j < json_array_size(urls); j++)
			gke_marks_add(marks, "groups", json_string_value(json_array_get(urls, j)));
	}
}

/* --- objects ------------------------------------------------------------------------------------- */

/* Only what controllers name so themselves: an annotation may be anybody's. */
static void add_name(json_t *marks, const char *name)
{
	const char *slash = name ? strrchr(name, '/') : NULL;

	if (slash)
		name = slash + 1;
	if (name && (starts_with(name, "k8s") || starts_with(name, "gkegw")))
		gke_marks_add(marks, "names", name);
}

/* Labels of old volumes, the affinity of all others. Two zones ("a__b"): a regional disk. */
static const char *zone_of(const json_t *pv)
{
	static const char *const keys[] = {"topology.kubernetes.io/zone", "topology.gke.io/zone",
					   "failure-domain.beta.kubernetes.io/zone"};
	const json_t *terms = jx_path(pv, "spec.nodeAffinity.required.nodeSelectorTerms");
	const json_t *all = jx_get(json_array_get(terms, 0), "matchExpressions");

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (obj_label(pv, keys[i]))
			return obj_label(pv, keys[i]);
		for (size_t j = 0; j < json_array_size(all); j++) {
			const json_t *one = json_array_get(all, j);

			if (streq(jx_str(one, "key"), keys[i]))
				return jx_str(one, "values.0");
		}
	}
	return NULL;
}

/* Owned; NULL: no disk of ours. */
static char *disk_of(const json_t *pv, const char *project)
{
	const char *handle = jx_str_or(pv, "spec.csi.volumeHandle", "");
	const char *disk = jx_str(pv, "spec.gcePersistentDisk.pdName"), *zone = zone_of(pv);
	const char *second = zone ? strstr(zone, "__") : NULL, *dash;

	if (streq(jx_str(pv, "spec.csi.driver"), DISK_DRIVER)) {
		if (starts_with(handle, NO_PROJECT))
			return xasprintf("projects/%s/%s", project, handle + strlen(NO_PROJECT));
		return starts_with(handle, "projects/") ? xstrdup(handle) : NULL;
	}
	if (!disk || !zone)
		return NULL;
	dash = second ? strrchr(second, '-') : NULL;
	if (dash)
		return xasprintf("projects/%s/regions/%.*s/disks/%s", project,
				 (int)(dash - second - 2), second + 2, disk);
	return xasprintf("projects/%s/zones/%s/disks/%s", project, zone, disk);
}

/* A disk that somebody brought along, and that his volume shall retain, was not made by the cluster. */
static void take_volume(json_t *marks, const json_t *pv, const char *project)
{
	bool made = obj_annotation(pv, "pv.kubernetes.io/provisioned-by") ||
		    streq(jx_str(pv, "spec.persistentVolumeReclaimPolicy"), "Delete");
	autofree char *disk = made ? disk_of(pv, project) : NULL;

	gke_marks_add(marks, "volumes", disk);
}

/* {"network_endpoint_groups":{"80":"k8s1-..."}} */
static void take_neg_status(json_t *marks, const char *text)
{
	autojson json_t *status = NULL;
	struct err bad = ERR_INIT;
	const char *port;
	json_t *name;

	if (!text || jx_parse(&status, text, strlen(text), "neg-status", &bad) < 0)
		return;
	jx_foreach (jx_get(status, "network_endpoint_groups"), port, name)
		if (*port)
			gke_marks_add(marks, "negs", json_string_value(name));
}

/* {"k8s1-...":"HEALTHY"} */
static void take_backends(json_t *marks, const char *text)
{
	autojson json_t *backends = NULL;
	struct err bad = ERR_INIT;
	const char *name;
	json_t *health;

	if (!text || jx_parse(&backends, text, strlen(text), "backends", &bad) < 0)
		return;
	jx_foreach (backends, name, health)
		if (health)
			add_name(marks, name);
}

static void take_annotations(json_t *marks, const json_t *object)
{
	static const char *const named[] = {
		"service.kubernetes.io/backend-service",
		"service.kubernetes.io/firewall-rule",
		"service.kubernetes.io/firewall-rule-for-hc",
		"service.kubernetes.io/healthcheck",
		"service.kubernetes.io/tcp-forwarding-rule",
		"service.kubernetes.io/udp-forwarding-rule",
		"ingress.kubernetes.io/forwarding-rule",
		"ingress.kubernetes.io/https-forwarding-rule",
		"ingress.kubernetes.io/target-proxy",
		"ingress.kubernetes.io/https-target-proxy",
		"ingress.kubernetes.io/url-map",
		"ingress.kubernetes.io/static-ip",
	};
	/*
	 * Of a Gateway: "/projects/N/global/urlMaps/gkegw1-..., ...". Its addresses may be only lent to it; the firewall
	 * rule is not asked for, as all Gateways of a network share it.
	 */
	static const char *const lists[] = {
		"networking.gke.io/forwarding-rules",
		"networking.gke.io/target-http-proxies",
		"networking.gke.io/target-https-proxies",
		"networking.gke.io/url-maps",
		"networking.gke.io/backend-services",
		"networking.gke.io/health-checks",
		"networking.gke.io/addresses",
	};

	for (size_t i = 0; i < ARRAY_LEN(named); i++)
		add_name(marks, obj_annotation(object, named[i]));
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		const char *text = obj_annotation(object, lists[i]);
		autofree char *all = text ? xstrdup(text) : NULL;

		for (char *save = NULL, *one = all ? strtok_r(all, ", ", &save) : NULL; one;
		     one = strtok_r(NULL, ", ", &save))
			if (strstr(one, "/gkegw"))
				add_name(marks, one);
	}
	take_backends(marks, obj_annotation(object, "ingress.kubernetes.io/backends"));
	take_neg_status(marks, obj_annotation(object, "cloud.google.com/neg-status"));
}

void gke_marks_object(json_t *marks, const json_t *object, const char *project)
{
	const char *kind = jx_str_or(object, "kind", "");

	if (streq(kind, "PersistentVolume"))
		take_volume(marks, object, project);
	else if (streq(kind, "ServiceNetworkEndpointGroup"))
		gke_marks_add(marks, "negs", obj_name(object));
	else
		take_annotations(marks, object);
	if (streq(kind, "Service") && streq(jx_str(object, "spec.type"), "LoadBalancer"))
		gke_marks_add(marks, "services", obj_uid(object));
}

/* --- for the search ------------------------------------------------------------------------------- */

struct compute_marks gke_marks_view(const json_t *marks, const char *cluster, const char *location)
{
	return (struct compute_marks){
		.cluster = cluster,
		.location = location,
		.cluster_id = jx_str(marks, "id"),
		.cluster_uid = jx_str(marks, "uid"),
		.volumes = jx_get(marks, "volumes"),
		.service_uids = jx_get(marks, "services"),
		.negs = jx_get(marks, "negs"),
		.instance_groups = jx_get(marks, "groups"),
		.names = jx_get(marks, "names"),
		.paths = jx_get(marks, "found"),
		.since = jx_bool(marks, "seen") ? NULL : jx_str(marks, "made"),
	};
}

static const char *label(const json_t *live, const char *key)
{
	return json_string_value(jx_get(jx_get(live, "resourceLabels"), key));
}

bool gke_protected(const json_t *live)
{
	return streq(label(live, GKE_LABEL_PROTECT), "true");
}

ns_t gke_expires(const json_t *live)
{
	const char *text = label(live, GKE_LABEL_EXPIRES);
	size_t n = text ? strlen(text) : 0;

	if (!n || n > 10 || strspn(text, "0123456789") != n)
		return 0;
	return strtoll(text, NULL, 10) * NS_SEC;
}
