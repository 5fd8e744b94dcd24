/* cmd_down.c - takes away what `up` made, and the cluster when prestoctl made it. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "provision/commands.h"
#include "provision/down.h"
#include "provision/kubectl.h"

struct options {
	const char *file;
	bool keep_cluster;
};

static const struct opt opts[] = {
	TARGET_FILE_OPT(struct options),
	{"keep-cluster", 0, OPT_FLAG, offsetof(struct options, keep_cluster), NULL,
	 "leave the Kubernetes cluster, also when prestoctl made it", NULL},
	{0},
};

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
static void decide_cluster(struct down *d, bool keep, const char *other, bool *made)
{
	*made = provider_made(&d->t->pc) ||
		(d->t->k && d->t->provider->destroy && provider_marked(d->t->k, d->t->name));
	d->whole_cluster = *made && !keep && !other && d->t->provider->destroy;
}

/* An API server that is away must not keep a cluster alive that goes anyway. */
static int inside(struct down *d, bool keep, const char *other, bool *made, struct err *e)
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
		decide_cluster(d, keep, other, made);
		/* half a removal is worth more patience than a cluster that goes anyway */
		if (!d->whole_cluster)
			k8s_retry_for(d->t->k, d->app->deadline - clock_mono());
		else if (d->t->provider->record &&
			 d->t->provider->record(&d->t->pc, d->t->k, e) < 0)
			return -1;
		if (down_objects(d, e) == 0)
			return 0;
	}
	if (!d->whole_cluster || (e->code != ERR_UNAVAILABLE && e->code != ERR_NOT_FOUND))
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

static void tell(const struct down *d)
{
	autofree char *stays = xstrdup(buf_str(&d->stays));
	json_t *list = json_array();

	if (!d->app->json)
		app_print("environment %s is gone\n", d->t->name);
	for (char *save = NULL, *one = strtok_r(stays, "\n", &save); one;
	     one = strtok_r(NULL, "\n", &save)) {
		if (d->app->json)
			json_array_append_new(list, jx_strf("%s", one));
		else
			app_print("stays: %s\n", one);
	}
	if (d->app->json)
		app_result_json(json_pack("{s:s, s:s, s:O}", "event", "result", "environment",
					  d->t->name, "stays", list));
	json_decref(list);
}

static int down(struct down *d, bool keep, struct err *e)
{
	autofree char *other = NULL;
	bool made = false;

	if (shared_with(&other, d->t, e) < 0)
		return -1;
	decide_cluster(d, keep, other, &made);
	if (inside(d, keep, other, &made, e) < 0)
		return -1;
	if (d->failures) {
		app_detail(d->app, "%s", buf_str(&d->failed));
		d->app->exit_code = EXIT_PARTLY;
		err_set(e, ERR_DENIED, "%zu things could not be removed", d->failures);
		return err_hint(
			e,
			"run prestoctl down again when you may; what was made is still remembered");
	}
	if (d->whole_cluster && destroy(d, e) < 0)
		return -1;
	if (made && !d->whole_cluster)
		(void)!buf_addf(&d->stays, &(struct err){0}, "cluster: %s%s\n",
				other ? "it is also the one of the environment " : "as you wished",
				other ? other : "");
	if (!keep)
		forget_kubectl(d);
	if (state_remove(&d->t->state, e) < 0)
		return -1;
	tell(d);
	return 0;
}

static int run(struct app *a, int argc, char **argv, struct err *e)
{
	struct target t = TARGET_INIT;
	struct down d = {.app = a,
			 .t = &t,
			 .stays = BUF_INIT(DOWN_LINES_MAX),
			 .failed = BUF_INIT(DOWN_LINES_MAX)};
	struct options o = {0};
	int failed;

	if (app_options(a, &cmd_down, &o, &argc, argv, e) < 0 || app_start(a, e) < 0)
		return -1;
	failed = target_open(&t, a, o.file, argc ? argv[0] : NULL, true, e) < 0 ||
		 down(&d, o.keep_cluster, e) < 0;
	if (failed && e->code == ERR_CANCELLED && t.name)
		err_hint(e, "prestoctl down %s goes on from here", t.name);
	buf_release(&d.stays);
	buf_release(&d.failed);
	target_close(&t);
	return failed ? -1 : 0;
}

const struct command cmd_down = {
	.name = "down",
	.args = "[NAME | -f FILE]",
	.summary = "take everything of an environment away",
	.about =
		"The Presto resource goes first, then the operator and its rights. The resource type and the\n"
		"namespace go only when this environment made them and no other Presto is left; what stays\n"
		"is said. The cluster goes when prestoctl made it.",
	.opts = opts,
	.max_args = 1,
	.run = run,
};
