/* step_apply.c - one object: nothing when it is as wanted, else a server-side apply. */
#include <string.h>

#include "base/clock.h"
#include "k8s/obj.h"
#include "k8s/wait.h"
#include "provision/step.h"

#define GONE_WAIT (5 * 60 * NS_SEC)

bool step_object_needed(const struct step_ctx *c)
{
	return c->objects[c->at->object].action != OBJECT_KEEP;
}

static void on_why(const char *why, void *arg)
{
	struct step_ctx *c = arg;

	snprintf(c->missing, sizeof(c->missing), "%s", why);
	progress_say(c->app->progress, "%s", why);
}

/* A former one that is still being removed would swallow what we apply now. */
static int wait_gone(struct step_ctx *c, const struct k8s_res *res, const struct k8s_ref *ref,
		     struct err *e)
{
	ns_t deadline = clock_mono() + GONE_WAIT;

	progress_say(c->app->progress, "waiting for the old one to be gone");
	return k8s_wait(NULL, c->k, res, ref, k8s_cond_gone, c, on_why,
			deadline < c->app->deadline ? deadline : c->app->deadline, e);
}

int step_object_run(struct step_ctx *c, struct err *e)
{
	enum object_id id = c->at->object;
	struct object *o = &c->objects[id];
	const struct k8s_apply_opts opts = {.field_manager = FIELD_MANAGER};
	const struct k8s_ref ref = {.ns = obj_ns(o->want), .name = obj_name(o->want)};
	bool created = o->action == OBJECT_CREATE;
	autojson json_t *live = NULL;

	if (o->live && obj_deleting(o->live) && wait_gone(c, object_res(id), &ref, e) < 0)
		return -1;
	if (k8s_apply(&live, c->k, o->want, &opts, e) < 0)
		return err_wrap(e, "%s %s", object_res(id)->kind, ref.name);
	if (created)
		step_say(c, "%s made", ref.name);
	else
		step_say(c, "%s changed: %.160s", ref.name, o->why);
	json_decref(o->live);
	o->live = json_incref(live);
	return 0;
}
