/* cmd_plan.c - what `up` would do. Writes nothing, neither here nor there. */
#include <stdlib.h>

#include "k8s/obj.h"
#include "provision/commands.h"
#include "provision/plan.h"
#include "provision/target.h"

struct options {
	const char *file, *operator_image;
};

static const struct opt opts[] = {
	TARGET_FILE_OPT(struct options),
	TARGET_OPERATOR_OPT(struct options),
	{0},
};

static int look(struct step_ctx *c, struct err *e)
{
	struct provider_ctx pc = c->pc;

	if (c->provider->observe(&c->cluster, &pc, e) < 0)
		return -1;
	if (!c->cluster.ready) {
		for (enum object_id id = 0; id < OBJ_COUNT; id++)
			c->objects[id].action = OBJECT_CREATE;
		return 0;
	}
	if (c->provider->access(&c->k, &pc, e) < 0)
		return -1;
	return objects_observe(c, e);
}

static int run(struct app *a, int argc, char **argv, struct err *e)
{
	AUTO(buf_release) struct buf text = BUF_INIT(PLAN_MAX);
	struct target t = TARGET_INIT;
	struct options o = {0};
	struct step_ctx c;
	int failed;

	if (app_options(a, &cmd_plan, &o, &argc, argv, e) < 0)
		return -1;
	if (!o.file) {
		app_usage(a, e, "no environment file is named");
		return err_hint(e, "prestoctl plan -f examples/local.yaml");
	}
	a->operator_image = o.operator_image;
	if (app_start(a, e) < 0 || target_open(&t, a, o.file, NULL, false, e) < 0) {
		target_close(&t);
		return -1;
	}
	step_ctx_init(&c, a, t.env, &t.state);
	failed = look(&c, e) < 0;
	if (!failed && a->json)
		app_result_json(plan_json(&c));
	if (!failed && !a->json) {
		plan_text(&text, &c);
		app_print("%s", buf_str(&text));
	}
	/* Whoever asks in a script wants to know whether up would work. */
	failed = failed || plan_check(c.cluster.details, a, e) < 0;
	step_ctx_release(&c);
	target_close(&t);
	return failed ? -1 : 0;
}

const struct command cmd_plan = {
	.name = "plan",
	.args = "-f FILE",
	.summary = "what up would make, change and keep; nothing is written",
	.opts = opts,
	.run = run,
};
