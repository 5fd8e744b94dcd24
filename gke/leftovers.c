/* leftovers.c - finding and deleting what a deleted cluster has left in compute. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "gke/compute.h"

#define PAGES_MAX  100
#define THINGS_MAX 2000
#define TRIES      6

static const struct {
	const char *name;
	bool global; /* it has no aggregated list */
} kinds[COMPUTE_KINDS] = {
	[COMPUTE_FORWARDING_RULES] = {"forwardingRules", false},
	[COMPUTE_TARGET_HTTP_PROXIES] = {"targetHttpProxies", false},
	[COMPUTE_TARGET_HTTPS_PROXIES] = {"targetHttpsProxies", false},
	[COMPUTE_URL_MAPS] = {"urlMaps", false},
	[COMPUTE_BACKEND_SERVICES] = {"backendServices", false},
	[COMPUTE_TARGET_POOLS] = {"targetPools", false},
	[COMPUTE_HTTP_HEALTH_CHECKS] = {"httpHealthChecks", true},
	[COMPUTE_HEALTH_CHECKS] = {"healthChecks", false},
	[COMPUTE_NEGS] = {"networkEndpointGroups", false},
	[COMPUTE_INSTANCE_GROUPS] = {"instanceGroups", false},
	[COMPUTE_FIREWALLS] = {"firewalls", true},
	[COMPUTE_ADDRESSES] = {"addresses", false},
	[COMPUTE_DISKS] = {"disks", false},
};

const char *compute_kind_name(enum compute_kind k)
{
	return kinds[k].name;
}

/* --- whose is it ------------------------------------------------------------------------------ */

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
		char lb[33] = "a";
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

/* GKE's own rules: gke-NAME-ID8-..., where ID8 begins the cluster's id. */
static bool of_cluster_id(const struct compute_marks *m, const char *name)
{
	if (!m->cluster || !m->cluster_id || strlen(m->cluster_id) < 8)
		return false;
	autofree char *prefix = xasprintf("gke-%s-%.8s-", m->cluster, m->cluster_id);
	return starts_with(name, prefix);
}

static const char *matches_strongly(enum compute_kind kind, const char *path, const char *name,
				    const json_t *thing, const struct compute_marks *m)
{
	const char *description = jx_str_or(thing, "description", "");

	if (kind == COMPUTE_DISKS)
		return holds_path(m->volumes, path) ? "volume of the cluster" : NULL;
	if (kind == COMPUTE_NEGS && holds(m->negs, name))
		return "endpoint group of the cluster";
	if (kind == COMPUTE_INSTANCE_GROUPS && holds(m->instance_groups, name))
		return "instance group of the cluster";
	if (of_service(m->service_uids, name))
		return "load balancer of a Service";
	if (m->cluster_uid && strlen(m->cluster_uid) >= 32 && strstr(description, m->cluster_uid))
		return "its description names the cluster's uid";
	if (kind == COMPUTE_FIREWALLS && of_cluster_id(m, name))
		return "firewall rule of the cluster";
	return NULL;
}

static const char *matches_weakly(const char *name, const json_t *thing,
				  const struct compute_marks *m)
{
	const json_t *labels = jx_get(thing, "labels");
	const char *label = json_string_value(jx_get(labels, "goog-k8s-cluster-name"));
	const char *where = json_string_value(jx_get(labels, "goog-k8s-cluster-location"));

	if (!m->cluster)
		return NULL;
	autofree char *prefix = xasprintf("gke-%s-", m->cluster);
	if (streq(label, m->cluster) && (!where || !m->location || streq(where, m->location)))
		return "its labels name a cluster of this name";
	if (starts_with(name, prefix))
		return "its name looks like the cluster's";
	return NULL;
}

const char *compute_match(bool *ours, enum compute_kind kind, const char *path, const json_t *thing,
			  const struct compute_marks *m)
{
	const char *name = jx_str_or(thing, "name", "");
	const char *why = matches_strongly(kind, path, name, thing, m);

	*ours = why != NULL;
	return why ? why : matches_weakly(name, thing, m);
}

/* --- listing ---------------------------------------------------------------------------------- */

static bool safe_segment(const char *s)
{
	return *s && strlen(s) <= 64 &&
	       strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(s);
}

/* "zones/Z", "regions/R" or "global". */
static bool safe_scope(const char *s)
{
	return streq(s, "global") || (starts_with(s, "zones/") && safe_segment(s + 6)) ||
	       (starts_with(s, "regions/") && safe_segment(s + 8));
}

static void add(struct compute_things *out, enum compute_kind kind, const char *project,
		const char *scope, const json_t *thing, const struct compute_marks *m)
{
	const char *name = jx_str_or(thing, "name", ""), *why;
	autofree char *head = gke_path("/projects/%s", project), *path = NULL;
	bool ours;

	/* A name that Google cannot have given is none that we would send back. */
	if (!safe_segment(name))
		return;
	path = xasprintf("%s/%s/%s/%s", head, scope, kinds[kind].name, name);
	why = compute_match(&ours, kind, path, thing, m);
	if (!why)
		return;
	if (out->n == THINGS_MAX) {
		out->partial = true;
		return;
	}
	out->v = xreallocarray(out->v, out->n + 1, sizeof(*out->v));
	out->v[out->n++] = (struct compute_thing){
		.kind = kind,
		.name = xstrdup(name),
		.path = TAKE(path),
		.why = xstrdup(why),
		.ours = ours,
		.in_use = !jx_is_empty(jx_get(thing, "users")),
	};
}

static void add_page(struct compute_things *out, enum compute_kind kind, const char *project,
		     const json_t *page, const struct compute_marks *m)
{
	const json_t *items = jx_get(page, "items");
	const char *scope;
	json_t *part;

	for (size_t i = 0; i < json_array_size(items); i++)
		add(out, kind, project, "global", json_array_get(items, i), m);
	jx_foreach (items, scope, part) {
		const json_t *list = jx_get(part, kinds[kind].name);
		const char *code = jx_str(part, "warning.code");

		/* Empty scopes are there as well, with a warning that says so. */
		if (code && !streq(code, "NO_RESULTS_ON_PAGE"))
			out->partial = true;
		for (size_t i = 0; safe_scope(scope) && i < json_array_size(list); i++)
			add(out, kind, project, scope, json_array_get(list, i), m);
	}
	if (json_array_size(jx_get(page, "unreachables")))
		out->partial = true;
}

static int list_kind(struct compute_things *out, struct gke *g, enum compute_kind kind,
		     const char *project, const struct compute_marks *m, struct err *e)
{
	autofree char *base = kinds[kind].global
				      ? gke_path("/projects/%s/global/%s?maxResults=500", project,
						 kinds[kind].name)
				      : gke_path("/projects/%s/aggregated/%s?maxResults=500&"
						 "returnPartialSuccess=true",
						 project, kinds[kind].name);
	autofree char *token = NULL;

	for (unsigned n = 0; n < PAGES_MAX; n++) {
		autojson json_t *page = NULL;
		autofree char *next = token ? gke_path("&pageToken=%s", token) : xstrdup("");
		autofree char *path = xasprintf("%s%s", base, next);
		const struct gke_req q = {.api = GKE_COMPUTE, .method = "GET", .path = path};
		const char *more;

		if (gke_call(&page, g, &q, e) < 0)
			return -1;
		add_page(out, kind, project, page, m);
		more = jx_str(page, "nextPageToken");
		if (!more || !*more)
			return 0;
		free(token);
		token = xstrdup(more);
	}
	return err_set(e, ERR_PROTOCOL, "%s: the list has no end", kinds[kind].name);
}

int compute_leftovers(struct compute_things *out, struct gke *g, const char *project,
		      const struct compute_marks *m, struct buf *detail, struct err *e)
{
	struct compute_things found = {0};
	struct err first = ERR_INIT;
	unsigned failed = 0;

	for (enum compute_kind k = 0; k < COMPUTE_KINDS; k++) {
		struct err why = ERR_INIT, full = ERR_INIT;

		if (list_kind(&found, g, k, project, m, &why) == 0)
			continue;
		if (why.code == ERR_CANCELLED || ++failed == COMPUTE_KINDS) {
			compute_things_release(&found);
			*e = first.code != ERR_OK && why.code != ERR_CANCELLED ? first : why;
			return err_wrap(e, "looking for what is left");
		}
		if (first.code == ERR_OK)
			first = why;
		found.partial = true;
		if (detail &&
		    buf_addf(detail, &full, "cannot list %s: %s\n", kinds[k].name, why.msg) < 0)
			err_clear(&full);
	}
	*out = found;
	return 0;
}

void compute_things_release(struct compute_things *t)
{
	for (size_t i = 0; i < t->n; i++) {
		free(t->v[i].name);
		free(t->v[i].path);
		free(t->v[i].why);
	}
	free(t->v);
	*t = (struct compute_things){0};
}

/* --- deleting --------------------------------------------------------------------------------- */

static int delete_once(struct gke *g, const char *project, const struct compute_thing *t,
		       const struct gke_wait *w, struct gke_error *why, struct err *e)
{
	autojson json_t *op = NULL;
	const struct gke_req q = {
		.api = GKE_COMPUTE, .method = "DELETE", .path = t->path, .why = why};

	if (gke_call(&op, g, &q, e) < 0)
		return -1;
	return compute_op_wait(g, project, op, w, e);
}

int compute_delete(struct gke *g, const char *project, const struct compute_thing *t,
		   const struct gke_wait *w, struct err *e)
{
	struct gke_error why = {0};
	struct gke_wait mine = *w;

	mine.why = &why;
	if (!t->ours)
		return err_set(e, ERR_INVALID, "%s %s is not known to be ours: not deleted",
			       kinds[t->kind].name, t->name);
	for (unsigned n = 0;; n++) {
		ns_t pause = (w->shortest ? w->shortest : NS_SEC) << n;

		why = (struct gke_error){0};
		if (delete_once(g, project, t, &mine, &why, e) == 0)
			return 0;
		if (e->code == ERR_NOT_FOUND) {
			/* Gone, or Google has forgotten the operation: another delete tells. */
			bool gone = why.http == 404 || why.cause == GKE_CAUSE_MISSING;

			err_clear(e);
			if (gone)
				return 0;
		} else if (why.cause == GKE_CAUSE_BUSY &&
			   (!w->deadline || clock_mono() + pause < w->deadline)) {
			err_clear(e);
		} else {
			return err_wrap(e, "%s %s", kinds[t->kind].name, t->name);
		}
		/* What used it a moment ago may be on its way out. */
		if (n + 1 == TRIES)
			return err_set(e, ERR_CONFLICT, "%s %s: something still uses it",
				       kinds[t->kind].name, t->name);
		if (loop_sleep(gke_loop(g), pause, e) < 0)
			return -1;
	}
}
