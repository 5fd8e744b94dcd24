/* cmd_up.c - from an environment file to a Presto cluster that answers SQL. */
#include "base/clock.h"
#include "k8s/obj.h"
#include "provision/commands.h"
#include "provision/step.h"
#include "provision/target.h"

struct options {
	const char *file;
	bool adopt;
};

static const struct opt opts[] = {
	TARGET_FILE_OPT(struct options),
	{"adopt", 0, OPT_FLAG, offsetof(struct options, adopt), NULL,
	 "take over a cluster with this environment's label that nothing here remembers", NULL},
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

static int up(struct app *a, struct target *t, bool adopt, struct err *e)
{
	struct step_ctx c;
	int failed;

	step_ctx_init(&c, a, t->env, &t->state);
	c.pc.adopt = adopt;
	failed = remember(t, e) < 0 || steps_run(&c, e) < 0;
	if (!failed)
		summary(&c);
	else if (e->code == ERR_CANCELLED)
		err_hint(
			e,
			"what was made stays: the same command goes on from here, prestoctl down %s takes it away",
			t->name);
	step_ctx_release(&c);
	return failed ? -1 : 0;
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
	if (app_start(a, e) < 0)
		return -1;
	failed = target_open(&t, a, o.file, NULL, true, e) < 0 || up(a, &t, o.adopt, e) < 0;
	target_close(&t);
	return failed ? -1 : 0;
}

const struct command cmd_up = {
	.name = "up",
	.args = "-f FILE",
	.summary =
		"make everything that an environment file describes, and prove that it answers SQL",
	.about =
		"Looks first and does only what is missing: running it again changes nothing, and after an\n"
		"interruption it goes on where it stopped. A changed file is brought into the running\n"
		"cluster.",
	.opts = opts,
	.run = run,
};
