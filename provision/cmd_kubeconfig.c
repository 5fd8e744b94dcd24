/* cmd_kubeconfig.c - the environment's cluster for kubectl: merged into its own kubeconfig, printed, or in a file. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/yaml.h"
#include "provision/commands.h"
#include "provision/kubectl.h"

struct options {
	const char *file, *write, *into;
	bool force, print, set_current, remove;
};

static const struct opt opts[] = {
	TARGET_FILE_OPT(struct options),
	{"into", 0, OPT_TEXT, offsetof(struct options, into), "FILE",
	 "merge into this file, instead of the one that kubectl would write", NULL},
	{"set-current", 0, OPT_FLAG, offsetof(struct options, set_current), NULL,
	 "make it the current context, also when there is another one", NULL},
	{"remove", 0, OPT_FLAG, offsetof(struct options, remove), NULL,
	 "take away again what was merged, from every file", NULL},
	{"print", 0, OPT_FLAG, offsetof(struct options, print), NULL,
	 "print a kubeconfig of its own; no file is touched", NULL},
	{"write", 'w', OPT_TEXT, offsetof(struct options, write), "FILE",
	 "write a kubeconfig of its own (mode 0600)", NULL},
	{"force", 0, OPT_FLAG, offsetof(struct options, force), NULL,
	 "with --write: replace a file that is there", NULL},
	{0},
};

/* Somebody's only kubeconfig is easily overwritten and hard to get back. */
static int write_it(struct app *a, const struct options *o, const char *text, struct err *e)
{
	autofree char *whole = NULL;

	if (file_exists(o->write) && !o->force) {
		err_set(e, ERR_EXISTS, "%s is there already", o->write);
		return err_hint(e, "give --write another file, or add --force to replace it");
	}
	whole = realpath(o->write, NULL);
	if (file_write_atomic(whole ? whole : o->write, text, strlen(text), 0600, e) < 0)
		return -1;
	free(whole);
	whole = realpath(o->write, NULL);
	if (a->json)
		app_result_json(json_pack("{s:s}", "kubeconfig", whole ? whole : o->write));
	else
		app_print("export KUBECONFIG=%s\n", whole ? whole : o->write);
	return 0;
}

/* kubectl reads a kubeconfig that is JSON as well. */
static int print_it(struct app *a, const char *text, struct err *e)
{
	autojson json_t *documents = NULL;

	if (!a->json) {
		app_print("%s", text);
		return 0;
	}
	if (y2j_parse(&documents, NULL, text, strlen(text), "kubeconfig", Y2J_FOREIGN, e) < 0)
		return -1;
	app_result_json(json_incref(json_array_get(documents, 0)));
	return 0;
}

static int own_file(struct app *a, const struct options *o, const struct target *t, struct err *e)
{
	char *text = kubectl_text(t, t->k);
	int failed = o->write ? write_it(a, o, text, e) : print_it(a, text, e);

	mem_wipe(text, strlen(text));
	free(text);
	return failed;
}

static void say_merged(const struct app *a, const struct options *o, const char *name,
		       const struct kubeconfig_done *d)
{
	if (a->json) {
		app_result_json(json_pack("{s:s, s:s, s:b, s:b, s:s*}", "context", name, "file",
					  d->file, "changed", d->changed, "current", d->current,
					  "backup", d->backup));
		return;
	}
	app_print("context %s %s %s%s\n", name, d->changed ? "is now in" : "was already in",
		  d->file, d->current ? ", and is the current one" : "");
	if (d->backup)
		app_print("before: %s\n", d->backup);
	app_print("\n  kubectl %s%s%s--context %s get pods\n", o->into ? "--kubeconfig " : "",
		  o->into ? o->into : "", o->into ? " " : "", name);
}

static int merge(struct app *a, const struct options *o, struct target *t, struct err *e)
{
	struct kubeconfig_done done = {0};
	autofree char *name = NULL;

	if (kubectl_merge(&done, &name, t, t->k, o->into, o->set_current, e) < 0)
		return -1;
	say_merged(a, o, name, &done);
	kubeconfig_done_release(&done);
	return 0;
}

static int take_away(struct app *a, struct target *t, struct err *e)
{
	autojson json_t *removed = NULL;
	int failed = kubectl_remove(&removed, a, &t->state, e);

	if (a->json) {
		app_result_json(json_pack("{s:O}", "removed", removed ? removed : json_null()));
		return failed;
	}
	for (size_t i = 0; i < json_array_size(removed); i++) {
		const json_t *one = json_array_get(removed, i);

		app_print("context %s %s %s\n", jx_str_or(one, "context", ""),
			  jx_int(one, "stays") ? "was changed by somebody, and stays in"
					       : "is gone from",
			  jx_str_or(one, "file", ""));
	}
	if (!failed && !json_array_size(removed))
		app_print("nothing of %s is in a kubeconfig\n", t->name);
	return failed;
}

/* What belongs together, before anything is looked at. */
static int check_options(struct app *a, const struct options *o, struct err *e)
{
	int ways = o->print + !!o->write + o->remove + (o->into || o->set_current);

	if (ways > 1) {
		app_usage(
			a, e,
			"--print, --write, --remove and --into or --set-current exclude each other");
		return err_hint(e, "see prestoctl help kubeconfig");
	}
	if (o->force && !o->write)
		return app_usage(a, e, "--force belongs to --write FILE");
	return 0;
}

static int run(struct app *a, int argc, char **argv, struct err *e)
{
	struct target t = TARGET_INIT;
	struct options o = {0};
	int failed;

	if (app_options(a, &cmd_kubeconfig, &o, &argc, argv, e) < 0 ||
	    check_options(a, &o, e) < 0 || app_start(a, e) < 0)
		return -1;
	failed = target_open(&t, a, o.file, argc ? argv[0] : NULL, false, e);
	if (!failed && o.remove)
		failed = t.name ? take_away(a, &t, e)
				: app_usage(a, e, "--remove wants the name of an environment");
	else if (!failed)
		failed = target_connect(&t, e) < 0 ||
			 (o.print || o.write ? own_file(a, &o, &t, e) : merge(a, &o, &t, e)) < 0;
	target_close(&t);
	return failed ? -1 : 0;
}

const struct command cmd_kubeconfig = {
	.name = "kubeconfig",
	.args = "[NAME | -f FILE]",
	.summary = "let kubectl reach the cluster: merge it into kubectl's own kubeconfig",
	.about =
		"Adds a cluster, a user and a context to the file that kubectl itself would write (KUBECONFIG,\n"
		"else ~/.kube/config), under kubectl's own lock. Everything else in the file stays but comments;\n"
		"what was there before the last change is FILE.prestoctl-backup. The current context stays as\n"
		"it is, unless there was none. prestoctl down takes the entries away again.\n"
		"On GKE the user is prestoctl credential: no token is in the file, and no plugin is needed.",
	.opts = opts,
	.max_args = 1,
	.run = run,
};
