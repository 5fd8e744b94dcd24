/* cmd_up.c - from an environment file to a Presto cluster that answers SQL. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "k8s/obj.h"
#include "provision/commands.h"
#include "provision/junit.h"
#include "provision/kubectl.h"
#include "provision/step.h"
#include "provision/target.h"

struct options {
	const char *file, *operator_image, *junit;
	struct opt_maybe kubeconfig;
	bool adopt;
};

static const struct opt opts[] = {
	TARGET_FILE_OPT(struct options),
	TARGET_OPERATOR_OPT(struct options),
	{"adopt", 0, OPT_FLAG, offsetof(struct options, adopt), NULL,
	 "take over a cluster that has our label, but is not remembered here", NULL},
	{"kubeconfig", 0, OPT_MAYBE, offsetof(struct options, kubeconfig), "[FILE]",
	 "let kubectl reach the cluster: merge it into FILE, or kubectl's own", NULL},
	{"junit", 0, OPT_TEXT, offsetof(struct options, junit), "FILE",
	 "also write a JUnit report, with a case per step", NULL},
	{0},
};

/* What later commands need to find this again without the file. */
static int remember(struct target *t, struct err *e)
{
	autofree char *file = streq(t->env->path, "-") ? NULL : realpath(t->env->path, NULL);

	if (state_set(&t->state, "provider", json_string(t->env->provider), e) < 0 ||
	    state_set(&t->state, "namespace", json_string(t->ns), e) < 0 ||
	    state_set(&t->state, "presto", json_string(t->presto), e) < 0)
		return -1;
	return file ? state_set(&t->state, "file", json_string(file), e) : 0;
}

static void summary(const struct step_ctx *c)
{
	const struct env *v = c->env;
	char took[DURATION_SIZE];

	duration_format(took, clock_mono() - c->app->began);
	if (c->app->json) {
		json_t *o = json_object();

		json_object_set_new(o, "event", json_string("result"));
		json_object_set_new(o, "environment", json_string(v->name));
		json_object_set_new(o, "namespace", json_string(v->ns));
		json_object_set_new(o, "presto", json_string(c->presto.name));
		json_object_set_new(o, "service", json_string(c->service));
		json_object_set_new(o, "server", json_string(k8s_config_of(c->k)->server));
		json_object_set_new(o, "workers", json_integer(c->presto.worker_count));
		json_object_set_new(o, "answer", json_string(c->answer));
		json_object_set_new(o, "elapsed_ms",
				    json_integer((clock_mono() - c->app->began) / NS_MS));
		app_result_json(o);
		return;
	}
	app_print("Presto %s answers in namespace %s, with %d worker%s, after %s.\n\n"
		  "  prestoctl query --env %s 'select * from tpch.tiny.region'\n"
		  "  prestoctl status %s\n"
		  "  prestoctl ui --env %s\n"
		  "  prestoctl down %s\n",
		  c->presto.name, v->ns, c->presto.worker_count,
		  c->presto.worker_count == 1 ? "" : "s", took, v->name, v->name, v->name, v->name);
}

/* --- kubectl ------------------------------------------------------------------------------------ */

/* Also when a later step has failed: kubectl is what one wants then. */
static int merge(struct step_ctx *c, struct target *t, const char *file, struct err *e)
{
	struct progress *p = c->app->progress;
	struct kubeconfig_done done = {0};
	autofree char *name = NULL;

	progress_begin(p, "kubeconfig", "kubeconfig");
	if (kubectl_merge(&done, &name, t, c->k, file, false, e) < 0) {
		progress_end(p, false, "%s", e->msg);
		return err_wrap(e, "kubeconfig");
	}
	progress_end(p, true, "context %s %s %s", name,
		     done.changed ? "is now in" : "was already in", done.file);
	kubeconfig_done_release(&done);
	return 0;
}

/* Where the cluster is somebody's own, it is read from the file; elsewhere it is told to the file. */
static int check_kubeconfig(struct app *a, const struct options *o, const struct target *t,
			    struct err *e)
{
	if (!o->kubeconfig.given || t->provider != &provider_existing)
		return 0;
	if (!o->kubeconfig.value) {
		app_usage(
			a, e,
			"--kubeconfig needs a value: the FILE that leads to the existing cluster");
		return err_hint(e, "prestoctl kubeconfig merges its entry into kubectl's own file");
	}
	a->g.kubeconfig = o->kubeconfig.value;
	return 0;
}

/* --- the report ------------------------------------------------------------------------------------ */

/* The first case is what comes before the steps: without it a bad file would be a report without a failure. */
static int report(const char *path, const struct step_ctx *c, ns_t wall, ns_t before,
		  const char *failure, struct err *e)
{
	struct junit_case cases[STEPS_MAX + 1] = {
		{"environment file", before, false, c ? NULL : failure}};
	char texts[STEPS_MAX][sizeof(c->reports[0].failure)];

	for (size_t i = 0; i < steps_len; i++) {
		const struct step_report *r = c ? &c->reports[i] : &(struct step_report){0};

		snprintf(texts[i], sizeof(texts[i]), "%s", r->failure);
		log_redact(texts[i]);
		cases[i + 1] = (struct junit_case){steps[i].name, r->took, !r->ran,
						   *texts[i] ? texts[i] : NULL};
	}
	return junit_write(path, "prestoctl up", wall, cases, steps_len + 1, e);
}

/* A report that cannot be written does not hide why the run has failed. */
static int after(struct app *a, const struct options *o, const struct step_ctx *c, ns_t before,
		 int failed, struct err *e)
{
	ns_t wall = clock_wall() - (clock_mono() - a->began);
	struct err bad = ERR_INIT;

	if (!o->junit || report(o->junit, c, wall, before, e->msg, &bad) == 0)
		return failed;
	if (failed) {
		progress_warn(a->progress, "no JUnit report: %s", bad.msg);
		return failed;
	}
	*e = bad;
	return err_wrap(e, "JUnit report");
}

static int up(struct app *a, struct target *t, const struct options *o, struct err *e)
{
	bool tell = o->kubeconfig.given && t->provider != &provider_existing;
	ns_t before = clock_mono() - a->began;
	bool fresh = !t->state.found;
	struct err bad = ERR_INIT;
	struct step_ctx c;
	int failed;

	step_ctx_init(&c, a, t->env, &t->state);
	c.pc.adopt = o->adopt;
	failed = remember(t, e) < 0 || steps_run(&c, e) < 0;
	if (tell && step_went_well(&c, "api") && e->code != ERR_CANCELLED &&
	    merge(&c, t, o->kubeconfig.value, failed ? &bad : e) < 0 && !failed)
		failed = 1;
	if (!failed)
		summary(&c);
	else if (e->code == ERR_CANCELLED)
		err_hint(
			e,
			"what was made stays: the same command goes on from here, prestoctl down %s takes it away",
			t->name);
	/* A cluster that is not ours: a name that is remembered would have `down` say that it is gone. */
	if (fresh && failed && e->code == ERR_EXISTS && !jx_get(t->state.doc, "gke") &&
	    !jx_get(t->state.doc, "made") && !jx_get(t->state.doc, "server"))
		(void)!state_remove(&t->state, &bad);
	failed = after(a, o, &c, before, failed ? -1 : 0, e);
	step_ctx_release(&c);
	return failed;
}

static int run(struct app *a, int argc, char **argv, struct err *e)
{
	struct options o = {0};
	struct target t = TARGET_INIT;
	int failed;

	if (app_options(a, &cmd_up, &o, &argc, argv, e) < 0)
		return -1;
	if (!o.file) {
		app_usage(a, e, "no environment file is named");
		return err_hint(e, "prestoctl up -f examples/local.yaml");
	}
	a->operator_image = o.operator_image;
	if (app_start(a, e) < 0)
		return -1;
	if (target_open(&t, a, o.file, NULL, true, e) < 0 || check_kubeconfig(a, &o, &t, e) < 0)
		failed = after(a, &o, NULL, clock_mono() - a->began, -1, e);
	else
		failed = up(a, &t, &o, e);
	target_close(&t);
	return failed;
}

const struct command cmd_up = {
	.name = "up",
	.args = "-f FILE",
	.summary =
		"make everything that an environment file describes, and prove that it answers SQL",
	.about =
		"Looks first and does only what is missing: running it again changes nothing, and after an\n"
		"interruption it goes on where it stopped. A changed file is brought into the running\n"
		"cluster.\n"
		"With the provider existing, --kubeconfig FILE is where the cluster is read from.",
	.opts = opts,
	.run = run,
};
