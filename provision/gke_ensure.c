/* gke_ensure.c - see gke_ensure.h. */
#include "provision/gke_ensure.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "gke/compute.h"
#include "gke/names.h"
#include "provision/gke_preflight.h"
#include "provision/gke_remove.h"

/* Wall clock: a create that hangs takes 35 minutes to say so; an upgrade goes node by node. */
#define MAKE_FOR   (45 * 60 * NS_SEC) /* in each location */
#define CHANGE_FOR (60 * 60 * NS_SEC)
#define POSTS_MAX  4 /* of one location, when replies are lost */

static struct app *app_of(const struct gke_cluster *k)
{
	return k->c->app;
}

/* --- whose it is ------------------------------------------------------------------------------- */

static int set_gke(struct gke_cluster *k, const char *field, const char *value, struct err *e)
{
	autofree char *path = xasprintf("gke.%s", field);

	return state_set(k->c->state, path, json_string(value ? value : ""), e);
}

/* The operation that makes it, as far as one is known; else "". */
static const char *saved_op(const struct gke_cluster *k)
{
	return jx_str_or(k->c->state->doc, "gke.op", "");
}

/*
 * On disk before the first request that makes anything: where it will be, and the label by which it will be known. A
 * label that is there stays: a POST of a run that was killed may still arrive.
 */
static int write_intent(struct gke_cluster *k, struct err *e)
{
	const json_t *known = jx_get(k->c->state->doc, "gke");
	json_t *gke = known ? json_deep_copy(known) : json_object();
	unsigned char random[8];

	if (!k->run || !*k->run) {
		if (getrandom(random, sizeof(random), 0) != sizeof(random)) {
			json_decref(gke);
			return err_set(e, ERR_IO, "the system gives no random bytes");
		}
		free(k->run);
		k->run = xasprintf("%02x%02x%02x%02x%02x%02x%02x%02x", random[0], random[1],
				   random[2], random[3], random[4], random[5], random[6],
				   random[7]);
	}
	json_object_set_new(gke, "project", json_string(k->project));
	json_object_set_new(gke, "location", json_string(k->location));
	json_object_set_new(gke, "cluster", json_string(k->name));
	json_object_set_new(gke, "run", json_string(k->run));
	json_object_set_new(
		gke, "op",
		json_string("")); /* that of an earlier POST says nothing about the next */
	gke_cluster_reach(gke, k);
	/* Its labels are the mark; Autopilot lets nobody write into kube-system. */
	if (state_set(k->c->state, "gke", gke, e) < 0 ||
	    state_set(k->c->state, "made.marked", json_true(), e) < 0)
		return -1;
	return state_set(k->c->state, "made.cluster", json_true(), e);
}

/* It carries our environment's name: its run label becomes what we remember. */
static int adopt(struct gke_cluster *k, struct err *e)
{
	free(k->run);
	k->run = xstrdup(jx_str_or(k->live, "resourceLabels." GKE_LABEL_RUN, ""));
	if (k->has_spec ? write_intent(k, e) < 0 : set_gke(k, "run", k->run, e) < 0)
		return -1;
	progress_warn(app_of(k)->progress, "cluster %s in %s is taken over", k->name, k->location);
	return 0;
}

int gke_claim(struct gke_cluster *k, struct err *e)
{
	switch (gke_cluster_whose(k)) {
	case GKE_WHOSE_OURS:
		return 0;
	case GKE_WHOSE_LOST:
		if (k->c->adopt)
			return adopt(k, e);
		err_set(e, ERR_EXISTS,
			"cluster %s in %s carries the label of this environment, but nothing here remembers making it",
			k->name, k->location);
		return err_hint(e, "if it is yours, --adopt takes it over");
	case GKE_WHOSE_OTHERS:
		break;
	}
	err_set(e, ERR_EXISTS,
		"there is a cluster %s in %s already, and it is not of this environment", k->name,
		k->location);
	return err_hint(e,
			"set another cluster.gke.name, or use that one by the provider existing");
}

/* --- waiting ----------------------------------------------------------------------------------- */

/* The operation that runs on the cluster, or on a pool of it, by what it does; an empty name when none is to be seen. */
static int find_op(struct gke_op *op, struct gke_cluster *k, const char *pool, const char *type,
		   struct err *e)
{
	autofree char *suffix = xasprintf("/clusters/%s%s%s", k->name, *pool ? "/nodePools/" : "",
					  pool);
	autojson json_t *all = NULL;

	*op = (struct gke_op){""};
	if (gke_op_list(&all, k->google->gke, k->project, k->location, e) < 0)
		return -1;
	for (size_t i = 0; i < json_array_size(all); i++) {
		const json_t *one = json_array_get(all, i);
		const char *name = jx_str_or(one, "name", "");

		if (streq(jx_str(one, "operationType"), type) &&
		    !streq(jx_str(one, "status"), "DONE") &&
		    ends_with(jx_str_or(one, "targetLink", ""), suffix) &&
		    strlen(name) < sizeof(op->name))
			snprintf(op->name, sizeof(op->name), "%s", name);
	}
	return 0;
}

/* While it is as it is: the operation behind that tells most, and where it cannot be seen the cluster is asked. */
static int wait_op(struct gke_cluster *k, const char *type, bool old, struct gke_error *why,
		   struct err *e)
{
	const char *known = saved_op(k);
	bool making = streq(type, "CREATE_CLUSTER");
	struct gke_wait w = gke_waits(app_of(k), why);
	struct gke_ref ref = gke_cluster_ref(k);
	struct gke_op op = {""};

	w.known = old;
	if (making && *known && strlen(known) < sizeof(op.name))
		snprintf(op.name, sizeof(op.name), "%s", known);
	else if (find_op(&op, k, "", type, e) < 0)
		return -1;
	if (gke_op_wait(k->google->gke, &ref, &op, &w, e) < 0) {
		if (e->code != ERR_NOT_FOUND)
			return -1;
		err_clear(e); /* Google has forgotten it: then the cluster itself tells */
	}
	if (making && *known && set_gke(k, "op", NULL, e) < 0)
		return -1;
	if (*op.name)
		return 0;
	progress_say(app_of(k)->progress, "cluster %s is %s", k->name,
		     jx_str_or(k->live, "status", "not there yet"));
	return loop_sleep(app_of(k)->loop, w.shortest ? w.shortest : 2 * NS_SEC, e);
}

static int remove_failed(struct gke_cluster *k, struct err *e)
{
	struct gke_wait w = gke_waits(app_of(k), NULL);
	struct gke_ref ref = gke_cluster_ref(k);
	struct gke_op op;

	progress_say(app_of(k)->progress, "removing the failed cluster in %s", k->location);
	if (container_delete(&op, k->google->gke, &ref, &w, e) < 0 ||
	    gke_op_wait(k->google->gke, &ref, &op, &w, e) < 0)
		return err_wrap(e, "removing the failed cluster in %s", k->location);
	return set_gke(k, "op", NULL, e);
}

/* --- making ------------------------------------------------------------------------------------ */

struct making {
	struct gke_cluster *k;
	size_t tried;          /* locations that had no machines */
	unsigned posts;        /* into this location */
	bool fresh;            /* a POST of this very run was accepted */
	char stocked_out[200]; /* their names */
};

static int check_first(struct gke_cluster *k, struct err *e)
{
	struct presto presto;
	struct gke_preflight p = {.gke = k->google->gke,
				  .spec = &k->spec,
				  .project = k->project,
				  .location = k->location,
				  .presto = &presto};
	autojson json_t *report = NULL;
	const json_t *warnings;

	if (presto_decode(&presto, k->c->env->presto, e) < 0)
		return -1;
	progress_say(app_of(k)->progress, "looking at rights, versions and quotas in %s",
		     k->location);
	if (gke_preflight_look(&report, &p, e) < 0)
		return -1;
	warnings = jx_get(report, "warnings");
	for (size_t i = 0; i < json_array_size(warnings); i++)
		progress_warn(app_of(k)->progress, "%s",
			      json_string_value(json_array_get(warnings, i)));
	return gke_preflight_check(report, app_of(k), e);
}

/*
 * One POST. A reply that got lost, one of a front end that failed, or "there is one already", is no answer: the next
 * look tells whose it is, and only when there is none the same is asked for again.
 */
static int post(struct making *m, struct gke_error *why, struct err *e)
{
	struct gke_cluster *k = m->k;
	struct gke_ref ref = gke_cluster_ref(k);
	struct gke_wait w = gke_waits(app_of(k), why);
	autojson json_t *body = NULL;
	struct gke_op op;

	if (write_intent(k, e) < 0)
		return -1;
	body = gke_spec_body(&k->spec, k->location, k->run, clock_wall());
	progress_say(app_of(k)->progress, "asking Google for cluster %s in %s", k->name,
		     k->location);
	m->posts++;
	if (container_create(&op, k->google->gke, &ref, body, &w, e) == 0) {
		m->fresh = true;
		return set_gke(k, "op", op.name, e);
	}
	if ((!why->lost && why->cause != GKE_CAUSE_EXISTS && why->cause != GKE_CAUSE_TRANSIENT) ||
	    m->posts >= POSTS_MAX)
		return err_wrap(e, "cluster %s in %s", k->name, k->location);
	progress_say(app_of(k)->progress, "%s; looking whether it was made", e->msg);
	err_clear(e);
	return loop_sleep(app_of(k)->loop, w.shortest ? w.shortest : 2 * NS_SEC, e);
}

/* The next zone of the list that was not tried; ERR_QUOTA when there is none. */
static int next_location(struct making *m, struct err *e)
{
	struct gke_cluster *k = m->k;
	size_t n = json_array_size(k->spec.locations), at = 0, len = strlen(m->stocked_out);

	snprintf(m->stocked_out + len, sizeof(m->stocked_out) - len, "%s%s", len ? ", " : "",
		 k->location);
	if (++m->tried >= n) {
		err_set(e, ERR_QUOTA, "Google has no such machines now in %s", m->stocked_out);
		return err_hint(
			e,
			"name more zones in cluster.gke.location, other machine types, or try later");
	}
	for (size_t i = 0; i < n; i++)
		if (streq(json_string_value(json_array_get(k->spec.locations, i)), k->location))
			at = i + 1;
	progress_warn(app_of(k)->progress, "%s has no such machines now, going on in %s",
		      k->location, json_string_value(json_array_get(k->spec.locations, at % n)));
	free(k->location);
	k->location = xstrdup(json_string_value(json_array_get(k->spec.locations, at % n)));
	m->posts = 0;
	app_phase(app_of(k), MAKE_FOR);
	return 0;
}

/*
 * A cluster that Google gave up on. Without machines in the zone it is removed and the next one is tried; else what has
 * just failed stays to be looked at, and the next run replaces it.
 */
static int failed_cluster(struct making *m, struct gke_error *why, struct err *e)
{
	struct gke_cluster *k = m->k;
	struct buf *detail = &app_of(k)->detail;

	if (why->cause == GKE_CAUSE_STOCKOUT) {
		buf_clear(detail); /* the story of a zone that is given up */
		err_clear(e);
		return remove_failed(k, e) < 0 || next_location(m, e) < 0 ? -1 : 0;
	}
	if (e->code == ERR_OK && (m->fresh || gke_protected(k->live)))
		gke_error_set(why, auth_principal(k->google->auth), detail, e);
	if (gke_protected(k->live)) {
		err_wrap(e, "cluster %s in %s has failed, and is protected", k->name, k->location);
		return err_hint(e, "prestoctl down %s --unprotect removes it", k->spec.environment);
	}
	if (!m->fresh) {
		err_clear(e);
		progress_warn(app_of(k)->progress,
			      "the cluster of before had failed (%s); it is replaced",
			      *why->message ? why->message : "without saying why");
		return remove_failed(k, e);
	}
	app_detail(app_of(k), "the failed cluster %s is still in %s, so that it can be looked at",
		   k->name, k->location);
	return err_hint(e, "running up again replaces it, prestoctl down %s removes it",
			k->spec.environment);
}

static int wait_made(struct making *m, struct err *e)
{
	struct gke_error why = {0};

	if (wait_op(m->k, "CREATE_CLUSTER", !m->fresh, &why, e) == 0)
		return 0;
	/* Only what the operation itself says is a failure of the cluster. */
	if (!*why.message || e->code == ERR_TIMEOUT || e->code == ERR_CANCELLED)
		return -1;
	if (set_gke(m->k, "op", NULL, &(struct err){0}) < 0)
		return -1;
	if (!m->fresh && !m->k->live && why.cause != GKE_CAUSE_STOCKOUT) {
		/* how a cluster ended that is gone since: history */
		buf_clear(&app_of(m->k)->detail);
		err_clear(e);
		return 0;
	}
	m->fresh = true; /* it was seen to fail: that is news, not history */
	return failed_cluster(m, &why, e);
}

static int make_one(struct making *m, struct err *e)
{
	struct gke_error why = {0};

	if (!m->posts && check_first(m->k, e) < 0)
		return -1;
	if (post(m, &why, e) == 0)
		return 0;
	if (why.cause != GKE_CAUSE_STOCKOUT)
		return -1;
	err_clear(e);
	return next_location(m, e);
}

/* Until the cluster is one that can be used. */
static int make(struct gke_cluster *k, struct err *e)
{
	struct making m = {.k = k};

	for (;;) {
		struct gke_error why = {0};
		int rc;

		if (gke_cluster_look(k, e) < 0)
			return -1;
		if (k->live && gke_claim(k, e) < 0)
			return -1;
		if (!k->location)
			k->location = xstrdup(gke_cluster_place(k));
		switch (k->live ? container_state(k->live) : GKE_STATE_UNKNOWN) {
		case GKE_STATE_PROVISIONING:
			rc = wait_made(&m, e);
			break;
		case GKE_STATE_STOPPING:
			rc = wait_op(k, "DELETE_CLUSTER", true, &why, e);
			break;
		case GKE_STATE_ERROR:
			container_trouble(&why, k->live);
			rc = failed_cluster(&m, &why, e);
			break;
		default:
			if (k->live)
				return 0;
			/* accepted, also by a run that was killed, and not to be seen yet? */
			rc = *saved_op(k) ? wait_made(&m, e) : make_one(&m, e);
		}
		if (rc < 0)
			return -1;
	}
}

/* --- changing ---------------------------------------------------------------------------------- */

bool gke_usable(const struct gke_cluster *k)
{
	enum gke_state s = container_state(k->live);

	return k->live && (s == GKE_STATE_RUNNING || s == GKE_STATE_RECONCILING ||
			   s == GKE_STATE_DEGRADED || s == GKE_STATE_UNKNOWN);
}

/* What a pool was made with may be long ago: the groups know what was asked for last. */
static void true_counts(struct gke_cluster *k)
{
	const json_t *pools = jx_get(k->live, "nodePools");

	for (size_t i = 0; i < json_array_size(pools); i++) {
		json_t *pool = json_array_get(pools, i);
		const json_t *urls = jx_get(pool, "instanceGroupUrls");
		int count = -1, one = 0;

		if (jx_bool(pool, "autoscaling.enabled"))
			continue;
		for (size_t j = 0; j < json_array_size(urls); j++) {
			const char *url = json_string_value(json_array_get(urls, j));
			struct err ignored = ERR_INIT;

			if (!url || compute_target_size(&one, k->google->gke, url, &ignored) < 0)
				break; /* not allowed to look: then what the pool says counts */
			count = j && one != count ? 0 : one;
		}
		if (count >= 0)
			json_object_set_new(pool, "initialNodeCount", json_integer(count));
	}
}

int gke_differences(struct gke_changes *out, struct gke_cluster *k, struct err *e)
{
	true_counts(k);
	return gke_spec_diff(out, &k->spec, k->live, clock_wall(), &app_of(k)->detail, e);
}

static int ask_change(struct gke_op *op, struct gke_cluster *k, const struct gke_change *c,
		      const struct gke_wait *w, struct err *e)
{
	struct gke_ref ref = gke_cluster_ref(k);
	struct gke *g = k->google->gke;

	switch (c->kind) {
	case GKE_CHANGE_LABELS:
		return container_label(op, g, &ref, c->body, w, e);
	case GKE_CHANGE_CLUSTER:
		return container_update(op, g, &ref, c->body, w, e);
	case GKE_CHANGE_CLUSTER_SET:
		return container_set(op, g, &ref, c->verb, c->member, c->body, w, e);
	case GKE_CHANGE_POOL_MAKE:
		return container_pool_create(op, g, &ref, c->body, w, e);
	case GKE_CHANGE_POOL_DROP:
		return container_pool_delete(op, g, &ref, c->pool, w, e);
	case GKE_CHANGE_POOL_SIZE:
		return container_pool_size(op, g, &ref, c->pool, c->count, w, e);
	case GKE_CHANGE_POOL_SET:
		return container_pool_set(op, g, &ref, c->pool, c->verb, c->member, c->body, w, e);
	case GKE_CHANGE_POOL_UPDATE:
		return container_pool_update(op, g, &ref, c->pool, c->body, w, e);
	}
	return err_set(e, ERR_INTERNAL, "an unknown change");
}

/* A pool whose reply got lost is asked for again: when it is there by then, that is what was wanted. */
static bool was_done(const struct gke_change *c, const struct gke_error *why)
{
	return c->kind == GKE_CHANGE_POOL_MAKE && why->cause == GKE_CAUSE_EXISTS;
}

static int change(struct gke_cluster *k, const struct gke_change *c, struct err *e)
{
	ns_t rest = app_phase(app_of(k), CHANGE_FOR);
	struct gke_error why = {0};
	struct gke_wait w = gke_waits(app_of(k), &why);
	struct gke_ref ref = gke_cluster_ref(k);
	struct gke_op op;
	int rc;

	progress_say(app_of(k)->progress, "%s", c->what);
	rc = ask_change(&op, k, c, &w, e);
	if (rc < 0 && was_done(c, &why)) {
		err_clear(e);
		rc = find_op(&op, k, c->pool, "CREATE_NODE_POOL", e);
	}
	if (rc == 0)
		rc = gke_op_wait(k->google->gke, &ref, &op, &w, e);
	app_phase_end(app_of(k), rest);
	return rc < 0 ? err_wrap(e, "%s", c->what) : 0;
}

static int bring(struct gke_cluster *k, size_t *n, struct err *e)
{
	struct gke_changes all = {0};
	int rc = gke_differences(&all, k, e);

	*n = all.n;
	for (size_t i = 0; rc == 0 && i < all.n; i++)
		rc = change(k, &all.v[i], e);
	gke_changes_release(&all);
	if (rc == 0 && *n)
		rc = gke_cluster_look(k, e);
	return rc;
}

/* What there is when a run ends early: the user decides what becomes of it. Without a reply nobody knows. */
static void say_what_exists(struct gke_cluster *k)
{
	const char *op = saved_op(k);

	if (k->location && (k->live || k->run))
		app_detail(app_of(k), "cluster %s in %s of project %s: %s%s%s", k->name,
			   k->location, k->project,
			   jx_str_or(k->live, "status", *op ? "asked for" : "perhaps asked for"),
			   *op ? ", " : "", op);
}

int gke_ensure(struct gke_cluster *k, char words[200], struct err *e)
{
	ns_t rest = app_phase(app_of(k), MAKE_FOR);
	int rc = make(k, e);
	size_t changes = 0;

	app_phase_end(app_of(k), rest);
	if (rc == 0)
		rc = bring(k, &changes, e);
	if (rc < 0) {
		if (e->code == ERR_TIMEOUT || e->code == ERR_CANCELLED)
			say_what_exists(k);
		return -1;
	}
	snprintf(words, 200, "%.40s in %.40s, Kubernetes %.40s%s", k->name, k->location,
		 jx_str_or(k->live, "currentMasterVersion", "?"), changes ? ", changed" : "");
	return 0;
}
