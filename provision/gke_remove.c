/* gke_remove.c - a cluster is deleted, and compute is searched for what it left. See gke_remove.h. */
#include "provision/gke_remove.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define DELETE_BOUND (60 * 60 * NS_SEC) /* a creation that still runs is waited for as well */
#define SWEEP_BOUND  (15 * 60 * NS_SEC)
#define BALANCERS    (10 * NS_SEC) /* until controllers have done what they were told */
#define BALANCER_GAP (2 * NS_SEC)
#define DELETE_PAUSE (250 * NS_MS)
#define ROUNDS       4

/* One removal: the cluster, and what is known of it. */
struct end {
	struct gke_cluster *k;
	struct app *app;
	struct provider_removal *how;
	json_t *marks;
	bool others; /* a cluster of the name is there, and not ours */
	bool asked;  /* Google was told to delete it */
};

/* --- may it go? --------------------------------------------------------------------------------- */

static int refuse_protected(const struct gke_cluster *k, const char *by, struct err *e)
{
	err_set(e, ERR_DENIED, "cluster %s is protected from deletion by %s; nothing was removed",
		k->name, by);
	return err_hint(e, "set cluster.gke.deletionProtection: false and run prestoctl up, or say "
			   "--unprotect");
}

int gke_may_remove(const struct gke_cluster *k, struct err *e)
{
	const struct provider_removal *how = k->c->removal;
	ns_t until = gke_expires(k->live);

	if (k->live && how && how->only_expired && (!until || until > clock_wall()))
		return err_set(e, ERR_CONFLICT, "cluster %s was given more time", k->name);
	if (!k->live || (how && how->unprotect))
		return 0;
	if (gke_protected(k->live))
		return refuse_protected(k, "its label " GKE_LABEL_PROTECT, e);
	if (k->has_spec && k->spec.protect)
		return refuse_protected(k, "the environment file", e);
	return 0;
}

/* --- the search ---------------------------------------------------------------------------------- */

static int search(struct compute_things *out, struct end *x, struct buf *detail, struct err *e)
{
	const struct compute_marks m = gke_marks_view(x->marks, x->k->name, x->k->location);

	return compute_leftovers(out, x->k->google->gke, x->k->project, &m, detail, e);
}

/* What is proven now may not be provable any more when a part of it is gone. */
static int remember(struct end *x, const struct compute_things *t, struct err *e)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->v[i].ours && t->v[i].kind != COMPUTE_DISKS)
			gke_marks_add(x->marks, "found", t->v[i].path);
	return gke_marks_save(x->k->c, x->marks, e);
}

static bool balances(const struct compute_things *t)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->v[i].ours && t->v[i].kind == COMPUTE_FORWARDING_RULES)
			return true;
	return false;
}

/*
 * While the cluster lives: the uid of a Service may be on nothing but its load balancer, and controllers that were told
 * to take theirs away need a moment for it.
 */
static int search_before(struct end *x, struct err *e)
{
	ns_t until = clock_mono() + BALANCERS;
	ns_t gap = gke_waits(x->app, NULL).shortest;

	progress_say(x->app->progress, "writing down what it has outside of itself");
	for (;;) {
		AUTO(compute_things_release) struct compute_things t = {0};
		struct err why = ERR_INIT;

		if (search(&t, x, NULL, &why) < 0) {
			if (why.code == ERR_CANCELLED) {
				*e = why;
				return -1;
			}
			progress_warn(x->app->progress, "%s", why.msg);
			return gke_marks_save(x->k->c, x->marks, e);
		}
		if (remember(x, &t, e) < 0)
			return -1;
		if (!balances(&t) || !jx_bool(x->marks, "released") || clock_mono() >= until)
			return 0;
		progress_say(x->app->progress, "its load balancers are being taken away");
		if (loop_sleep(x->app->loop, gap ? gap : BALANCER_GAP, e) < 0)
			return -1;
	}
}

/* --- the cluster itself ---------------------------------------------------------------------------- */

static int delete_and_wait(struct end *x, struct err *e)
{
	struct gke *g = x->k->google->gke;
	struct gke_ref ref = gke_cluster_ref(x->k);
	struct gke_wait w = gke_waits(x->app, NULL);
	struct gke_op op = {""};

	progress_say(x->app->progress, "asking Google to delete it");
	if (container_delete(&op, g, &ref, &w, e) < 0)
		return err_wrap(e, "deleting cluster %s", ref.name);
	x->asked = true;
	if (*op.name && gke_op_wait(g, &ref, &op, &w, e) < 0) {
		if (e->code != ERR_NOT_FOUND)
			return err_wrap(e, "deleting cluster %s", ref.name);
		err_clear(e);
	}
	if (gke_cluster_look(x->k, e) < 0)
		return -1;
	if (x->k->live && gke_cluster_whose(x->k) == GKE_WHOSE_OURS)
		return err_set(e, ERR_CONFLICT,
			       "Google says that it deleted cluster %s, but it is %s", ref.name,
			       jx_str_or(x->k->live, "status", "still there"));
	return 0;
}

static int end_cluster(struct end *x, struct err *e)
{
	ns_t rest;
	int failed;

	gke_marks_cluster(x->marks, x->k->live);
	if (gke_marks_save(x->k->c, x->marks, e) < 0)
		return -1;
	rest = app_phase(x->app, DELETE_BOUND);
	failed = (!x->how->ignore_leftovers && search_before(x, e) < 0) ||
		 delete_and_wait(x, e) < 0;
	app_phase_end(x->app, rest);
	if (!failed)
		return 0;
	app_detail(x->app, "still there: cluster %s in %s of project %s%s", x->k->name,
		   x->k->location, x->k->project, x->asked ? "; Google goes on deleting it" : "");
	return -1;
}

/* --- what it left ---------------------------------------------------------------------------------- */

static const char *match_of(const struct end *x, const struct compute_thing *t)
{
	return !t->ours                                         ? "looks like it"
	       : x->how->keep_disks && t->kind == COMPUTE_DISKS ? "kept"
								: "ours";
}

/* A cluster of somebody else has things that look like ours' by right. Returns how many are ours. */
static size_t take_left(struct end *x, const struct compute_things *t)
{
	size_t n = 0;

	json_decref(x->how->left);
	x->how->left = json_array();
	x->how->partial = t->partial;
	for (size_t i = 0; i < t->n; i++) {
		const struct compute_thing *one = &t->v[i];
		const char *match = match_of(x, one);

		if (!one->ours && x->others)
			continue;
		json_array_append_new(x->how->left, json_pack("{s:s, s:s, s:s, s:s, s:s}", "kind",
							      compute_kind_name(one->kind), "name",
							      one->name, "path", one->path, "why",
							      one->why, "match", match));
		n += streq(match, "ours");
	}
	return n;
}

/* Users come before what they use; what is refused now may go when its user is gone. Returns how many went. */
static int delete_round(size_t *gone, struct end *x, const struct compute_things *t,
			struct buf *refused, struct err *e)
{
	struct gke *g = x->k->google->gke;

	*gone = 0;
	buf_clear(refused);
	for (size_t i = 0; i < t->n; i++) {
		struct gke_wait w = gke_waits(x->app, NULL);
		struct err why = ERR_INIT, full = ERR_INIT;

		if (!streq(match_of(x, &t->v[i]), "ours"))
			continue;
		w.shortest = w.shortest ? w.shortest : DELETE_PAUSE;
		w.detail = NULL;
		w.progress = NULL;
		progress_say(x->app->progress, "deleting %s %s", compute_kind_name(t->v[i].kind),
			     t->v[i].name);
		if (compute_delete(g, x->k->project, &t->v[i], &w, &why) == 0) {
			++*gone;
			continue;
		}
		if (why.code == ERR_CANCELLED ||
		    (why.code == ERR_TIMEOUT && clock_mono() >= x->app->deadline)) {
			*e = why;
			return -1;
		}
		(void)!buf_addf(refused, &full, "%s\n", why.msg);
	}
	return 0;
}

static void tell_lines(struct app *a, const struct buf *lines)
{
	autofree char *text = xstrdup(buf_str(lines));

	for (char *save = NULL, *one = strtok_r(text, "\n", &save); one;
	     one = strtok_r(NULL, "\n", &save))
		app_detail(a, "%s", one);
}

/* Looks, deletes where that is wished, looks again. *left: how many are ours and there at the end. */
static int sweep(size_t *left, size_t *gone, struct end *x, struct err *e)
{
	struct buf unseen = BUF_INIT(APP_DETAIL_MAX), refused = BUF_INIT(APP_DETAIL_MAX);
	int failed = -1;

	*gone = 0;
	for (unsigned round = 0;; round++) {
		AUTO(compute_things_release) struct compute_things t = {0};
		size_t now = 0;

		progress_say(x->app->progress, "looking at disks, load balancers, firewall rules");
		buf_clear(&unseen);
		if (search(&t, x, &unseen, e) < 0 || remember(x, &t, e) < 0)
			break;
		*left = take_left(x, &t);
		if (!*left || !x->how->delete_leftovers || round == ROUNDS) {
			failed = 0;
			break;
		}
		if (delete_round(&now, x, &t, &refused, e) < 0)
			break;
		*gone += now;
		if (!now) {
			failed = 0;
			break;
		}
	}
	tell_lines(x->app, &unseen);
	if (failed || *left)
		tell_lines(x->app, &refused);
	buf_release(&unseen);
	buf_release(&refused);
	return failed;
}

static int say_left(struct end *x, size_t left, struct err *e)
{
	const char *name = x->k->c->state->name;

	x->app->exit_code = EXIT_PARTLY;
	if (!left) {
		err_set(e, ERR_UNAVAILABLE,
			"the cluster is gone, but not everything that it may have left could be looked at");
		return err_hint(e, "prestoctl down %s looks again", name);
	}
	err_set(e, ERR_EXISTS, "the cluster is gone, and left %zu thing%s behind", left,
		left == 1 ? "" : "s");
	return err_hint(e, "prestoctl down %s --leftovers delete %s", name,
			x->how->delete_leftovers ? "tries again" : "removes what is its own");
}

static int end_leftovers(char words[200], struct end *x, struct err *e)
{
	size_t left = 0, gone = 0;
	ns_t rest = app_phase(x->app, SWEEP_BOUND);
	int failed = sweep(&left, &gone, x, e);

	app_phase_end(x->app, rest);
	if (failed) {
		/* Interrupted: what was still to be deleted is in the list. Refused: nobody knows. */
		if (e->code != ERR_CANCELLED && e->code != ERR_TIMEOUT)
			x->app->exit_code = EXIT_PARTLY;
		x->how->partial = true;
		return -1;
	}
	if (left || x->how->partial)
		return say_left(x, left, e);
	snprintf(words, 200, "nothing %sis left%s",
		 json_array_size(x->how->left) ? "of its own " : "",
		 x->how->keep_disks ? " but what was to be kept" : "");
	if (gone)
		snprintf(words + strlen(words), 60, "; %zu deleted", gone);
	return 0;
}

static int destroy(char words[200], struct end *x, struct err *e)
{
	bool lives = x->k->live && !x->others;

	if (lives && end_cluster(x, e) < 0)
		return -1;
	if (x->how->ignore_leftovers) {
		snprintf(words, 200, "%s; nobody looked for what it left",
			 lives ? "gone" : "was not there");
		return 0;
	}
	/* Nothing of ours ever was, and what there is belongs to others. */
	if (x->others && !json_object_size(x->marks)) {
		snprintf(words, 200, "the one of this name is somebody else's, and stays");
		return 0;
	}
	progress_end(x->app->progress, true, "%s",
		     lives       ? "gone"
		     : x->others ? "the one of this name is somebody else's, and stays"
				 : "was not there");
	progress_begin(x->app->progress, "leftovers", "leftovers");
	return end_leftovers(words, x, e);
}

int gke_destroy(struct provider_ctx *c, char words[200], struct err *e)
{
	AUTO(gke_cluster_release) struct gke_cluster k = {0};
	autojson json_t *marks = gke_marks_load(c);
	struct provider_removal plain = {0};
	struct end x = {.k = &k, .app = c->app, .how = c->removal, .marks = marks};
	int failed;

	if (!x.how)
		x.how = &plain;
	if (gke_cluster_open(&k, c, e) < 0 || gke_cluster_look(&k, e) < 0)
		return -1;
	x.others = k.live && gke_cluster_whose(&k) != GKE_WHOSE_OURS;
	if (!x.others && gke_may_remove(&k, e) < 0)
		return -1;
	failed = destroy(words, &x, e);
	json_decref(plain.left);
	return failed;
}
