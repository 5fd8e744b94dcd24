/* cmd_gc.c - environments of a Google project that are past their ttl, found by label and removed as `down` does. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "provision/commands.h"
#include "provision/down.h"
#include "provision/gke_cluster.h"
#include "provision/listing.h"

#define NAME_MAX_SIZE 41 /* of an environment */
#define AHEAD_MAX     (5 * 60 * NS_SEC)

struct options {
	const char *project, *leftovers;
	bool delete, dry_run, keep_disks;
};

static const char *const choices[] = {"list", "delete", "ignore", NULL};

static const struct opt opts[] = {
	{"project", 0, OPT_TEXT, offsetof(struct options, project), "PROJECT",
	 "of Google, instead of the one that gcloud's settings name", NULL},
	{"dry-run", 0, OPT_FLAG, offsetof(struct options, dry_run), NULL,
	 "only say what would be removed (the default)", NULL},
	{"delete", 0, OPT_FLAG, offsetof(struct options, delete), NULL, "remove them", NULL},
	{"leftovers", 0, OPT_CHOICE, offsetof(struct options, leftovers), "HOW",
	 "list (default), delete or ignore what clusters leave in the project", choices},
	{"keep-disks", 0, OPT_FLAG, offsetof(struct options, keep_disks), NULL,
	 "the disks of volumes stay", NULL},
	{0},
};

struct gc {
	struct app *app;
	const struct options *o;
	const char *project;
	json_t *expired, *protected; /* rows; owned */
	bool whole;
	size_t failures;
};

/* --- one environment ----------------------------------------------------------------------------- */

/* Does a state tell of this very cluster, not of another of the same name? */
static bool tells_of(const struct state *s, const json_t *row)
{
	static const char *const keys[] = {"project", "location", "cluster", "run"};
	const json_t *gke = jx_get(s->doc, "gke");

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (!streq(jx_str_or(gke, keys[i], ""), jx_str_or(row, keys[i], "?")))
			return false;
	return true;
}

/*
 * The state of that name on this machine, if it is of that cluster. Another's stays untouched: then a name of our own
 * remembers what is written down, so that a killed run can be finished by `down`.
 */
static int choose_name(char name[NAME_MAX_SIZE], const json_t *row, struct err *e)
{
	const char *label = jx_str_or(row, "name", "");
	struct state s = STATE_INIT;

	if (strlen(label) >= NAME_MAX_SIZE ||
	    strspn(label, "abcdefghijklmnopqrstuvwxyz0123456789-") != strlen(label))
		return err_set(e, ERR_INVALID, "its label %s is not the name of an environment",
			       GKE_LABEL_ENV);
	if (!*jx_str_or(row, "run", ""))
		return err_set(e, ERR_INVALID, "it has no label %s, so prestoctl did not make it",
			       GKE_LABEL_RUN);
	if (state_open(&s, label, false, e) < 0)
		return -1;
	if ((s.found || s.damaged) && !tells_of(&s, row))
		snprintf(name, NAME_MAX_SIZE, "%.31s-%.8s", label, jx_str(row, "run"));
	else
		snprintf(name, NAME_MAX_SIZE, "%s", label);
	state_close(&s);
	return 0;
}

/* As `up` would have left it. An empty namespace means all of them. */
static int write_state(struct state *s, const json_t *row, struct err *e)
{
	static const char *const keys[] = {"project", "location", "cluster", "run", "endpoint"};
	json_t *gke = json_object();

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		json_object_set(gke, keys[i], jx_get(row, keys[i]));
	jx_set(s->doc, "provider", json_string("gke"));
	jx_set(s->doc, "namespace", json_string(""));
	jx_set(s->doc, "made.cluster", json_true());
	return state_set(s, "gke", gke, e);
}

static int open_one(struct target *t, struct gc *c, const json_t *row, bool *fresh, struct err *e)
{
	char name[NAME_MAX_SIZE];

	if (choose_name(name, row, e) < 0 || state_open(&t->state, name, true, e) < 0)
		return -1;
	*fresh = !t->state.found;
	if (*fresh && write_state(&t->state, row, e) < 0)
		return -1;
	t->pc = (struct provider_ctx){.app = c->app, .state = &t->state};
	t->provider = provider_find("gke");
	/* The label of what is inside is the environment's, whatever the state is called. */
	t->name = xstrdup(jx_str(row, "name"));
	t->ns = xstrdup(jx_str_or(t->state.doc, "namespace", ""));
	return 0;
}

static int remove_one(struct gc *c, const json_t *row, struct err *e)
{
	struct target t = TARGET_INIT;
	struct err ignored = ERR_INIT;
	struct down d;
	bool fresh = false;
	int failed = -1;

	down_init(&d, c->app, &t);
	if (open_one(&t, c, row, &fresh, e) == 0) {
		d.removal = (struct provider_removal){
			.ignore_leftovers = streq(c->o->leftovers, "ignore"),
			.delete_leftovers = streq(c->o->leftovers, "delete"),
			.keep_disks = c->o->keep_disks,
			.only_expired = true,
		};
		failed = down_environment(&d, e);
		down_tell(&d, !failed);
		/* Nothing was begun: nothing is worth being remembered. */
		if (failed && fresh && !jx_path(t.state.doc, "gke.marks"))
			(void)!state_remove(&t.state, &ignored);
	}
	down_release(&d);
	target_close(&t);
	return failed;
}

/* --- all of them ----------------------------------------------------------------------------------- */

static int remove_all(struct gc *c, struct err *e)
{
	size_t n = json_array_size(c->expired);

	for (size_t i = 0; i < n; i++) {
		const json_t *row = json_array_get(c->expired, i);
		struct err why = ERR_INIT;

		progress_note(c->app->progress, "%s: cluster %s in %s", jx_str(row, "name"),
			      jx_str(row, "cluster"), jx_str(row, "location"));
		if (remove_one(c, row, &why) == 0)
			continue;
		if (why.code == ERR_CANCELLED) {
			*e = why;
			return err_hint(e, "prestoctl gc --delete goes on from here");
		}
		c->failures++;
		app_detail(c->app, "%s: %s%s%s", jx_str(row, "name"), why.msg,
			   *why.hint ? "; " : "", why.hint);
	}
	if (!c->failures && c->whole)
		return 0;
	c->app->exit_code = EXIT_PARTLY;
	if (!c->failures) {
		err_set(e, ERR_UNAVAILABLE, "not all places of project %s say what they have",
			c->project);
		return err_hint(e, "prestoctl gc --delete looks again");
	}
	return err_set(e, ERR_EXISTS, "%zu of %zu expired environments are not gone altogether",
		       c->failures, n);
}

/* By a clock that is ahead all environments would be past their end. */
static int check_clock(const struct gc *c, const struct google *google, struct err *e)
{
	ns_t ahead = gke_ahead(google->gke);
	char text[DURATION_SIZE];

	if (ahead < AHEAD_MAX)
		return 0;
	duration_format(text, ahead);
	if (!c->o->delete) {
		progress_warn(c->app->progress, "this machine's clock is %s ahead of Google's",
			      text);
		return 0;
	}
	err_set(e, ERR_INVALID, "this machine's clock is %s ahead of Google's: nothing was removed",
		text);
	return err_hint(e, "set the clock, for example: timedatectl set-ntp true");
}

static int look(struct gc *c, struct err *e)
{
	autojson json_t *rows = NULL, *local = NULL;
	struct google *google = NULL;

	if (google_login(&google, c->app, NULL, NULL, e) < 0)
		return -1;
	if (!c->project)
		c->project = google_project(google);
	if (!c->project) {
		app_usage(c->app, e, "no project is named, and the login names none");
		return err_hint(e, "prestoctl gc --project PROJECT");
	}
	if (listing_project(&rows, &c->whole, c->app, google, c->project, e) < 0 ||
	    check_clock(c, google, e) < 0 || listing_local(&local, e) < 0)
		return -1;
	listing_mark(rows, local);
	for (size_t i = 0; i < json_array_size(rows); i++) {
		json_t *row = json_array_get(rows, i);

		if (listing_expired(row))
			json_array_append(jx_bool(row, "protected") ? c->protected : c->expired,
					  row);
	}
	return 0;
}

static void tell(const struct gc *c)
{
	AUTO(buf_release) struct buf text = BUF_INIT(LISTING_MAX);
	size_t n = json_array_size(c->expired), kept = json_array_size(c->protected);

	if (c->app->json) {
		app_result_json(json_pack("{s:s, s:s, s:b, s:O, s:O, s:b}", "event", "result",
					  "project", c->project, "dryRun", !c->o->delete, "expired",
					  c->expired, "protected", c->protected, "partial",
					  !c->whole));
		return;
	}
	if (n && !c->o->delete) {
		listing_table(&text, c->expired);
		app_print("%s%zu of project %s %s past the end; prestoctl gc --delete removes %s\n",
			  buf_str(&text), n, c->project, n == 1 ? "is" : "are",
			  n == 1 ? "it" : "them");
	} else if (!n) {
		app_print(
			c->whole
				? "no environment of project %s is past its end\n"
				: "of project %s, none of those that could be seen is past its end\n",
			c->project);
	}
	for (size_t i = 0; i < kept; i++)
		app_print("stays: %s is past its end, and protected\n",
			  jx_str(json_array_get(c->protected, i), "name"));
}

static int run(struct app *a, int argc, char **argv, struct err *e)
{
	struct options o = {0};
	struct gc c = {.app = a, .o = &o};
	int failed;

	if (app_options(a, &cmd_gc, &o, &argc, argv, e) < 0)
		return -1;
	if (o.delete &&o.dry_run)
		return app_usage(a, e, "--delete and --dry-run cannot be meant both");
	if (app_start(a, e) < 0)
		return -1;
	c.project = o.project;
	c.expired = json_array();
	c.protected = json_array();
	failed = look(&c, e) < 0;
	if (!failed) {
		tell(&c);
		failed = o.delete &&remove_all(&c, e) < 0;
	}
	json_decref(c.expired);
	json_decref(c.protected);
	return failed ? -1 : 0;
}

const struct command cmd_gc = {
	.name = "gc",
	.summary = "remove environments of a Google project that are past their ttl",
	.about =
		"Environments with cluster.gke.ttl carry the end of their time as a label. This finds those\n"
		"whose time is over, whoever made them, and with --delete removes them as down does: what is\n"
		"inside, the cluster, and what it leaves by --leftovers. Protected ones always stay. One that\n"
		"cannot be removed does not stop the others; the exit code is 6 when anything is left.",
	.opts = opts,
	.run = run,
};
