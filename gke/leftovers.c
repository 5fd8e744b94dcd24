/* leftovers.c - finding and deleting what a deleted cluster has left in compute. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "gke/leftovers_internal.h"

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

static void thing_release(struct compute_thing *t)
{
	free(t->name);
	free(t->path);
	free(t->why);
}

/* All that was listed and may matter. */
struct search {
	const char *project;
	const struct compute_marks *m;
	struct leftover *v;
	size_t n;
	bool partial;
};

static bool is_recent(const json_t *thing, const struct compute_marks *m)
{
	const char *made = jx_str(thing, "creationTimestamp");
	struct err bad = ERR_INIT;
	ns_t at, since;

	return m->since && made && time_parse(&at, made, &bad) == 0 &&
	       time_parse(&since, m->since, &bad) == 0 && at >= since;
}

static void add(struct search *s, enum compute_kind kind, const char *scope, const json_t *thing)
{
	const char *name = jx_str_or(thing, "name", ""), *why;
	autofree char *head = gke_path("/projects/%s", s->project), *path = NULL;
	bool ours;

	/* A name that Google cannot have given is none that we would send back. */
	if (!safe_segment(name))
		return;
	path = xasprintf("%s/%s/%s/%s", head, scope, kinds[kind].name, name);
	why = compute_match(&ours, kind, path, thing, s->m);
	if (!why && (kind == COMPUTE_DISKS || !leftover_may(name)))
		return;
	if (s->n == THINGS_MAX) {
		s->partial = true;
		return;
	}
	s->v = xreallocarray(s->v, s->n + 1, sizeof(*s->v));
	s->v[s->n++] = (struct leftover){
		.thing = {.kind = kind,
			  .name = xstrdup(name),
			  .path = TAKE(path),
			  .why = why ? xstrdup(why) : NULL,
			  .ours = ours,
			  .in_use = !jx_is_empty(jx_get(thing, "users"))},
		.links = leftover_links(thing),
		.recent = is_recent(thing, s->m),
	};
}

/* Of a page, or of one scope. What is empty has a warning that says so. */
static bool is_partial(const json_t *part)
{
	const char *code = jx_str(part, "warning.code");

	return code && !streq(code, "NO_RESULTS_ON_PAGE");
}

static void add_page(struct search *out, enum compute_kind kind, const json_t *page)
{
	const json_t *items = jx_get(page, "items");
	const char *scope;
	json_t *part;

	if (is_partial(page) || json_array_size(jx_get(page, "unreachables")))
		out->partial = true;
	for (size_t i = 0; i < json_array_size(items); i++)
		add(out, kind, "global", json_array_get(items, i));
	jx_foreach (items, scope, part) {
		const json_t *list = jx_get(part, kinds[kind].name);

		if (is_partial(part))
			out->partial = true;
		for (size_t i = 0; safe_scope(scope) && i < json_array_size(list); i++)
			add(out, kind, scope, json_array_get(list, i));
	}
}

static int list_kind(struct search *s, struct gke *g, enum compute_kind kind, struct err *e)
{
	const char *project = s->project;
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
		add_page(s, kind, page);
		more = jx_str(page, "nextPageToken");
		if (!more || !*more)
			return 0;
		free(token);
		token = xstrdup(more);
	}
	return err_set(e, ERR_PROTOCOL, "%s: the list has no end", kinds[kind].name);
}

/* What is somebody's else goes; out NULL: all of it. */
static void search_end(struct compute_things *out, struct search *s)
{
	struct compute_things all = {.partial = s->partial};

	all.v = s->n ? xcalloc(s->n, sizeof(*all.v)) : NULL;
	for (size_t i = 0; i < s->n; i++) {
		json_decref(s->v[i].links);
		all.v[all.n++] = s->v[i].thing;
	}
	free(s->v);
	if (!out) {
		compute_things_release(&all);
		return;
	}
	*out = (struct compute_things){.v = all.v, .partial = all.partial};
	for (size_t i = 0; i < all.n; i++) {
		if (all.v[i].why)
			out->v[out->n++] = all.v[i];
		else
			thing_release(&all.v[i]);
	}
}

int compute_leftovers(struct compute_things *out, struct gke *g, const char *project,
		      const struct compute_marks *m, struct buf *detail, struct err *e)
{
	struct search found = {.project = project, .m = m};
	struct err first = ERR_INIT;
	unsigned failed = 0;

	for (enum compute_kind k = 0; k < COMPUTE_KINDS; k++) {
		struct err why = ERR_INIT, full = ERR_INIT;

		if (list_kind(&found, g, k, &why) == 0)
			continue;
		if (why.code == ERR_CANCELLED || ++failed == COMPUTE_KINDS) {
			search_end(NULL, &found);
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
	leftovers_follow(found.v, found.n, m);
	search_end(out, &found);
	return 0;
}

void compute_things_release(struct compute_things *t)
{
	for (size_t i = 0; i < t->n; i++)
		thing_release(&t->v[i]);
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
