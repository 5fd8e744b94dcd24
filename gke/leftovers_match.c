/* leftovers_match.c - whose a thing in compute is: by what was written down, by its tags, by its links. Pure. */
#include <stdlib.h>
#include <string.h>

#include "gke/leftovers_internal.h"

#define LB_SIZE   33 /* "a" and 31 hex digits */
#define LINKS_MAX 200

/* --- by itself -------------------------------------------------------------------------------- */

/* Does the array hold the text, or a URL that ends in it? */
static bool holds(const json_t *list, const char *text)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *v = json_string_value(json_array_get(list, i));
		const char *slash = v ? strrchr(v, '/') : NULL;

		if (v && (streq(v, text) || (slash && streq(slash + 1, text))))
			return true;
	}
	return false;
}

/* Volume handles are whole paths: "projects/P/zones/Z/disks/N". */
static bool holds_path(const json_t *list, const char *path)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *v = json_string_value(json_array_get(list, i));

		if (v && streq(v + (*v == '/'), path + 1))
			return true;
	}
	return false;
}

/* A Service's load balancer is named "a" and its uid without hyphens, 32 characters in all. */
static bool of_service(const json_t *uids, const char *name)
{
	for (size_t i = 0; i < json_array_size(uids); i++) {
		const char *uid = json_string_value(json_array_get(uids, i));
		char lb[LB_SIZE] = "a";
		size_t n = 1;

		for (; uid && *uid && n < sizeof(lb) - 1; uid++)
			if (*uid != '-')
				lb[n++] = *uid;
		lb[n] = '\0';
		if (n == sizeof(lb) - 1 && strstr(name, lb))
			return true;
	}
	return false;
}

static bool is_lb(const char *name)
{
	return *name == 'a' && strlen(name) == LB_SIZE - 1 &&
	       strspn(name + 1, "0123456789abcdef") == LB_SIZE - 2;
}

bool leftover_may(const char *name)
{
	return is_lb(name) || starts_with(name, "k8s") || starts_with(name, "gkegw");
}

/* GKE's own rules: gke-NAME-ID8-..., where ID8 begins the cluster's id. */
static char *id_prefix(const struct compute_marks *m)
{
	if (!m->cluster || !m->cluster_id || strlen(m->cluster_id) < 8)
		return NULL;
	return xasprintf("gke-%s-%.8s-", m->cluster, m->cluster_id);
}

/* Anybody may write a rule for the cluster's nodes; Kubernetes' own begin with k8s. */
static const char *rule_of_nodes(const char *name, const json_t *thing,
				 const struct compute_marks *m)
{
	autofree char *prefix = id_prefix(m), *tag = prefix ? xasprintf("%snode", prefix) : NULL;

	if (prefix && starts_with(name, prefix))
		return "firewall rule of the cluster";
	if (tag && starts_with(name, "k8s-") && holds(jx_get(thing, "targetTags"), tag))
		return "firewall rule for the cluster's nodes";
	return NULL;
}

/* Is the instance one of a group gke-NAME-POOL-HASH-grp? */
static bool in_groups(const json_t *groups, const char *instance)
{
	const char *name = instance ? strrchr(instance, '/') : NULL;

	for (size_t i = 0; name && i < json_array_size(groups); i++) {
		const char *url = json_string_value(json_array_get(groups, i));
		const char *slash = url ? strrchr(url, '/') : NULL;
		const char *group = slash ? slash + 1 : url;
		size_t len = group ? strlen(group) : 0;

		if (len > 4 && streq(group + len - 4, "-grp") && !strncmp(name + 1, group, len - 3))
			return true;
	}
	return false;
}

/* A Service's, when nobody could ask for its uid: all its instances are the cluster's. */
static bool pool_of_nodes(const char *name, const json_t *thing, const struct compute_marks *m)
{
	const json_t *list = jx_get(thing, "instances");
	size_t n = json_array_size(list);

	for (size_t i = 0; i < n; i++)
		if (!in_groups(m->instance_groups, json_string_value(json_array_get(list, i))))
			return false;
	return n && is_lb(name) &&
	       strstr(jx_str_or(thing, "description", ""), "kubernetes.io/service-name");
}

/* A name alone may be given in every zone: the controller writes down for which cluster it has made one. */
static bool of_another(const char *description, const struct compute_marks *m)
{
	return m->cluster_uid && strstr(description, "\"cluster-uid\"") &&
	       !strstr(description, m->cluster_uid);
}

static const char *matches_strongly(enum compute_kind kind, const char *path, const char *name,
				    const json_t *thing, const struct compute_marks *m)
{
	const char *description = jx_str_or(thing, "description", "");

	if (kind == COMPUTE_DISKS)
		return holds_path(m->volumes, path) ? "volume of the cluster" : NULL;
	if (kind == COMPUTE_NEGS && holds(m->negs, name) && !of_another(description, m))
		return "endpoint group of the cluster";
	if (kind == COMPUTE_INSTANCE_GROUPS && holds(m->instance_groups, name))
		return "instance group of the cluster";
	if (of_service(m->service_uids, name))
		return "load balancer of a Service";
	if (holds(m->names, name))
		return "load balancer of the cluster";
	if (m->cluster_uid && strlen(m->cluster_uid) >= 32 && strstr(description, m->cluster_uid))
		return "its description names the cluster's uid";
	if (kind == COMPUTE_TARGET_POOLS && pool_of_nodes(name, thing, m))
		return "load balancer of the cluster's nodes";
	if (kind == COMPUTE_FIREWALLS && rule_of_nodes(name, thing, m))
		return rule_of_nodes(name, thing, m);
	return holds_path(m->paths, path) ? "found to be the cluster's before" : NULL;
}

static const char *matches_weakly(enum compute_kind kind, const char *name, const json_t *thing,
				  const struct compute_marks *m)
{
	const json_t *labels = jx_get(thing, "labels");
	const char *label = json_string_value(jx_get(labels, "goog-k8s-cluster-name"));
	const char *where = json_string_value(jx_get(labels, "goog-k8s-cluster-location"));
	autofree char *id = id_prefix(m), *tag = id ? xasprintf("%snode", id) : NULL;

	if (!m->cluster)
		return NULL;
	autofree char *prefix = xasprintf("gke-%s-", m->cluster);
	if (streq(label, m->cluster) && (!where || !m->location || streq(where, m->location)))
		return "its labels name a cluster of this name";
	if (starts_with(name, prefix))
		return "its name looks like the cluster's";
	if (kind == COMPUTE_FIREWALLS && tag && holds(jx_get(thing, "targetTags"), tag))
		return "somebody's rule for the cluster's nodes";
	return NULL;
}

const char *compute_match(bool *ours, enum compute_kind kind, const char *path, const json_t *thing,
			  const struct compute_marks *m)
{
	const char *name = jx_str_or(thing, "name", "");
	const char *why = matches_strongly(kind, path, name, thing, m);

	*ours = why != NULL;
	return why ? why : matches_weakly(kind, name, thing, m);
}

/* --- by its links ------------------------------------------------------------------------------ */

/* The part of a URL or path that is the same in all of them: "zones/Z/disks/N". */
static const char *tail_of(const char *url)
{
	const char *at = strstr(url, "/projects/");

	at = at ? strchr(at + 10, '/') : NULL;
	return at ? at + 1 : NULL;
}

static void collect(json_t *out, const json_t *v)
{
	const char *text = json_string_value(v), *tail = text ? tail_of(text) : NULL, *key;
	json_t *part;

	if (tail && json_array_size(out) < LINKS_MAX)
		json_array_append_new(out, jx_strf("%s", tail));
	for (size_t i = 0; i < json_array_size(v); i++)
		collect(out, json_array_get(v, i));
	jx_foreach (v, key, part)
		if (!streq(key, "selfLink"))
			collect(out, part);
}

json_t *leftover_links(const json_t *thing)
{
	json_t *out = json_array();

	collect(out, thing);
	return out;
}

static struct leftover *find(struct leftover *v, size_t n, const char *tail)
{
	for (size_t i = 0; i < n; i++)
		if (streq(tail_of(v[i].thing.path), tail))
			return &v[i];
	return NULL;
}

static bool names_it(const struct leftover *from, const struct leftover *to)
{
	return holds_path(from->links, tail_of(to->thing.path) - 1);
}

/* What leads to the cluster and nowhere else: a rule, proxy, map or backend service of its own. */
static bool leads_here(struct leftover *v, size_t n, const struct leftover *x)
{
	size_t here = 0;

	if (x->thing.kind > COMPUTE_BACKEND_SERVICES)
		return false;
	for (size_t i = 0; i < json_array_size(x->links); i++) {
		const char *tail = json_string_value(json_array_get(x->links, i));
		const struct leftover *to = find(v, n, tail);
		bool check = strstr(tail, "ealthChecks/") != NULL;

		/* Networks, regions and types are named as well. */
		if (to && !check && to->thing.ours)
			here++;
		else if (!check && (to || strstr(tail, "/targetPools/") ||
				    strstr(tail, "/backendServices/") ||
				    strstr(tail, "/networkEndpointGroups/") ||
				    strstr(tail, "/instanceGroups/")))
			return false;
	}
	return here > 0;
}

/* An address that somebody has reserved may be used by the cluster, and be called k8s-something as well. */
static bool was_reserved(const struct compute_thing *t)
{
	static const char *const made[] = {"k8s1-", "k8s2-", "k8s-fw", "gkegw"};

	if (is_lb(t->name))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(made); i++)
		if (starts_with(t->name, made[i]))
			return false;
	return true;
}

/* Health checks and addresses of what is the cluster's, and of nothing else that was seen. */
static bool serves_here(struct leftover *v, size_t n, const struct leftover *x)
{
	autofree char *rule = xasprintf("%s-http-hc", x->thing.name);
	size_t here = 0;

	if (x->thing.kind != COMPUTE_HTTP_HEALTH_CHECKS && x->thing.kind != COMPUTE_HEALTH_CHECKS &&
	    (x->thing.kind != COMPUTE_ADDRESSES || was_reserved(&x->thing)))
		return false;
	for (size_t i = 0; i < n; i++) {
		bool linked = names_it(&v[i], x) || names_it(x, &v[i]) ||
			      (v[i].thing.kind == COMPUTE_FIREWALLS &&
			       streq(v[i].thing.name, rule));

		if (linked && !v[i].thing.ours)
			return false;
		here += linked;
	}
	return here > 0;
}

static void say(struct compute_thing *t, const char *why)
{
	free(t->why);
	t->why = xstrdup(why);
}

void leftovers_follow(struct leftover *v, size_t n, const struct compute_marks *m)
{
	for (bool more = true; more;) {
		more = false;
		for (size_t i = 0; i < n; i++) {
			struct compute_thing *t = &v[i].thing;

			if (t->ours || !leftover_may(t->name))
				continue;
			if (!leads_here(v, n, &v[i]) && !serves_here(v, n, &v[i]))
				continue;
			t->ours = more = true;
			say(t, "part of a load balancer of the cluster");
		}
	}
	for (size_t i = 0; m->since && i < n; i++)
		if (!v[i].thing.why && v[i].recent)
			say(&v[i].thing, "made by some Kubernetes after this cluster was");
}
