/* down_run.c - the removal of an environment from its inside to its cluster, and what is told of it. See down.h. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "provision/down.h"
#include "provision/kubectl.h"

void down_init(struct down *d, struct app *a, struct target *t)
{
	*d = (struct down){.app = a,
			   .t = t,
			   .stays = BUF_INIT(DOWN_LINES_MAX),
			   .failed = BUF_INIT(DOWN_LINES_MAX)};
}

void down_release(struct down *d)
{
	buf_release(&d->stays);
	buf_release(&d->failed);
	json_decref(TAKE(d->removal.left));
}

/* Another environment that lives in the same cluster keeps it. *other is its name, owned, or NULL. */
static int shared_with(char **other, const struct target *t, struct err *e)
{
	const char *here = jx_str(t->state.doc, "cluster");
	autojson json_t *names = NULL;

	if (state_names(&names, e) < 0)
		return -1;
	for (size_t i = 0; here && !*other && i < json_array_size(names); i++) {
		const char *name = json_string_value(json_array_get(names, i));
		struct state s = STATE_INIT;

		if (streq(name, t->name))
			continue;
		if (state_open(&s, name, false, e) < 0)
			return -1;
		if (streq(jx_str(s.doc, "provider"), t->provider->name) &&
		    streq(jx_str(s.doc, "cluster"), here))
			*other = xstrdup(name);
		state_close(&s);
	}
	return 0;
}

static int down_objects(struct down *d, struct err *e)
{
	int (*const parts[])(struct down *, struct err *) = {down_presto, down_operator, down_crd,
							     down_namespace};
	size_t n = d->whole_cluster ? 1 : ARRAY_LEN(parts);

	for (size_t i = 0; i < n; i++)
		if (parts[i](d, e) < 0)
			return -1;
	return 0;
}

/* The cluster goes when we made it, nobody else lives in it, and it is not to be kept. */
static void decide_cluster(struct down *d, const char *other, bool *made)
{
	*made = provider_made(&d->t->pc) ||
		(d->t->k && d->t->provider->destroy && provider_marked(d->t->k, d->t->name));
	d->whole_cluster = *made && !d->keep_cluster && !other && d->t->provider->destroy;
}

static int inside_whole(struct down *d, struct err *e)
{
	const struct provider *p = d->t->provider;

	if (p->record && p->record(&d->t->pc, d->t->k, e) < 0)
		return -1;
	if (down_objects(d, e) < 0)
		return -1;
	return p->release ? p->release(&d->t->pc, d->t->k, e) : 0;
}

/*
 * An API server that is away, or that gives us no rights (those to make and delete clusters are others), must not keep a
 * cluster alive that goes anyway; but what was to be kept must have been seen.
 */
static bool may_be_away(const struct down *d, const struct err *e)
{
	return e->code == ERR_UNAVAILABLE || e->code == ERR_NOT_FOUND ||
	       (d->t->provider->record && e->code == ERR_DENIED && e->http &&
		!d->removal.keep_disks) ||
	       (d->t->provider->record && e->code == ERR_TIMEOUT &&
		clock_mono() < d->app->deadline);
}

static int inside(struct down *d, const char *other, bool *made, struct err *e)
{
	struct cluster_facts facts = {0};

	if (d->t->provider->observe(&facts, &d->t->pc, e) < 0)
		return -1;
	json_decref(facts.details);
	if (!facts.exists) {
		progress_note(d->app->progress, "%s", facts.words);
		return 0;
	}
	if (!facts.ready && d->whole_cluster)
		return 0;
	if (target_connect(d->t, e) == 0) {
		decide_cluster(d, other, made);
		/* half a removal is worth more patience than a cluster that goes anyway */
		if (!d->whole_cluster)
			k8s_retry_for(d->t->k, d->app->deadline - clock_mono());
		if ((d->whole_cluster ? inside_whole : down_objects)(d, e) == 0)
			return 0;
	}
	if (!d->whole_cluster || !may_be_away(d, e))
		return -1;
	progress_warn(d->app->progress, "%s; going on with the cluster itself", e->msg);
	err_clear(e);
	return 0;
}

static int destroy(struct down *d, struct err *e)
{
	char words[200] = "";

	progress_begin(d->app->progress, "cluster", "cluster");
	if (d->t->provider->destroy(&d->t->pc, words, e) < 0) {
		progress_end(d->app->progress, false, "%s", e->msg);
		return -1;
	}
	progress_end(d->app->progress, true, "%s", words);
	return 0;
}

/* What kubectl was told of it: as a kubeconfig can be anywhere and anything, this ends no removal. */
static void forget_kubectl(struct down *d)
{
	autojson json_t *removed = NULL;
	struct err bad = ERR_INIT;

	if (kubectl_remove(&removed, d->app, &d->t->state, &bad) < 0)
		progress_warn(d->app->progress, "%s", bad.msg);
	for (size_t i = 0; i < json_array_size(removed); i++) {
		const json_t *one = json_array_get(removed, i);
		const char *name = jx_str_or(one, "context", ""),
			   *file = jx_str_or(one, "file", "");

		if (jx_int(one, "stays"))
			(void)!buf_addf(&d->stays, &(struct err){0},
					"context %s in %s: somebody has changed it\n", name, file);
		else
			progress_note(d->app->progress, "context %s is gone from %s", name, file);
	}
}

int down_environment(struct down *d, struct err *e)
{
	autofree char *other = NULL;
	bool made = false;

	d->t->pc.removing = true;
	d->t->pc.removal = &d->removal;
	if (shared_with(&other, d->t, e) < 0)
		return -1;
	decide_cluster(d, other, &made);
	if (inside(d, other, &made, e) < 0)
		return -1;
	if (d->failures && d->whole_cluster) {
		progress_warn(d->app->progress, "%.*s; the cluster goes with it",
			      (int)strcspn(buf_str(&d->failed), "\n"), buf_str(&d->failed));
	} else if (d->failures) {
		app_detail(d->app, "%s", buf_str(&d->failed));
		d->app->exit_code = EXIT_PARTLY;
		err_set(e, ERR_DENIED, "%zu things could not be removed", d->failures);
		return err_hint(
			e,
			"run prestoctl down again when you may; what was made is still remembered");
	}
	if (d->whole_cluster && destroy(d, e) < 0) {
		/* Something of it is left, but nothing that kubectl could reach. */
		if (d->removal.left)
			forget_kubectl(d);
		return -1;
	}
	if (made && !d->whole_cluster)
		(void)!buf_addf(&d->stays, &(struct err){0}, "cluster: %s%s\n",
				other ? "it is also the one of the environment " : "as you wished",
				other ? other : "");
	if (jx_str(d->t->state.doc, "made.repository"))
		(void)!buf_addf(&d->stays, &(struct err){0},
				"images: the repository %s, which other environments may use\n",
				jx_str(d->t->state.doc, "made.repository"));
	if (!d->keep_cluster)
		forget_kubectl(d);
	return state_remove(&d->t->state, e);
}

static json_t *as_list(const struct buf *lines)
{
	autofree char *text = xstrdup(buf_str(lines));
	json_t *list = json_array();

	for (char *save = NULL, *one = strtok_r(text, "\n", &save); one;
	     one = strtok_r(NULL, "\n", &save))
		json_array_append_new(list, jx_strf("%s", one));
	return list;
}

/* "/projects/P/zones/Z/disks/N" is in zones/Z. */
static int place_of(const char *path, const char **from)
{
	const char *at = strchr(path + strlen("/projects/"), '/'), *end = strrchr(path, '/');

	while (end > at && end[-1] != '/')
		end--;
	*from = at ? at + 1 : path;
	return at && end - 1 > at ? (int)(end - 1 - *from) : 0;
}

static void print_left(const json_t *left)
{
	for (size_t i = 0; i < json_array_size(left); i++) {
		const json_t *one = json_array_get(left, i);
		const char *place = "", *match = jx_str_or(one, "match", "");
		int len = place_of(jx_str_or(one, "path", ""), &place);

		if (!i)
			app_print("%-6s %-22s %-44s %-24s %s\n", "OURS", "KIND", "NAME", "WHERE",
				  "WHY");
		app_print("%-6s %-22s %-44s %-24.*s %s\n",
			  streq(match, "ours")   ? "yes"
			  : streq(match, "kept") ? "kept"
						 : "maybe",
			  jx_str_or(one, "kind", ""), jx_str_or(one, "name", ""), len, place,
			  jx_str_or(one, "why", ""));
	}
}

void down_tell(const struct down *d, bool done)
{
	autojson json_t *stays = as_list(&d->stays);
	const json_t *left = d->removal.left;
	json_t *o;

	if (d->app->json) {
		if (!done && !left)
			return;
		o = json_pack("{s:s, s:s, s:O}", "event", "result", "environment", d->t->name,
			      "stays", stays);
		if (left)
			json_object_update_new(o, json_pack("{s:O, s:b}", "leftovers", left,
							    "partial", d->removal.partial));
		app_result_json(o);
		return;
	}
	if (done)
		app_print("environment %s is gone\n", d->t->name);
	for (size_t i = 0; done && i < json_array_size(stays); i++)
		app_print("stays: %s\n", json_string_value(json_array_get(stays, i)));
	print_left(left);
}
