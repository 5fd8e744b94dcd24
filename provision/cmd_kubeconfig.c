/* cmd_kubeconfig.c - a kubeconfig of the environment's cluster, for kubectl. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/yaml.h"
#include "provision/commands.h"
#include "provision/target.h"

struct options {
	const char *file, *write;
	bool force;
};

static const struct opt opts[] = {
	TARGET_FILE_OPT(struct options),
	{"write", 'w', OPT_TEXT, offsetof(struct options, write), "FILE",
	 "write it there (mode 0600) instead of printing it", NULL},
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

static int run(struct app *a, int argc, char **argv, struct err *e)
{
	struct target t = TARGET_INIT;
	struct options o = {0};
	char *text = NULL;
	int failed;

	if (app_options(a, &cmd_kubeconfig, &o, &argc, argv, e) < 0 || app_start(a, e) < 0)
		return -1;
	failed = target_open(&t, a, o.file, argc ? argv[0] : NULL, false, e) < 0 ||
		 target_connect(&t, e) < 0;
	if (!failed) {
		text = kubeconfig_text(k8s_config_of(t.k), t.name ? t.name : "prestoctl");
		failed = (o.write ? write_it(a, &o, text, e) : print_it(a, text, e)) < 0;
		mem_wipe(text, strlen(text));
		free(text);
	}
	target_close(&t);
	return failed ? -1 : 0;
}

const struct command cmd_kubeconfig = {
	.name = "kubeconfig",
	.args = "[NAME | -f FILE]",
	.summary = "print or write a kubeconfig of the cluster; your own is never touched",
	.opts = opts,
	.max_args = 1,
	.run = run,
};
