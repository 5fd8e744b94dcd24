/* steps.c - the table, and the loop over it. */
#include "provision/step.h"

#include <stdarg.h>
#include <string.h>

#include "base/clock.h"
#include "k8s/wait.h"

#define AGAIN_AFTER    (2 * NS_SEC)
#define DIAGNOSIS_TIME (15 * NS_SEC)
#define API_AWAY       "the API server: "

/*
 * Everything is applied before anything is waited for: the operator starts while the resource is made, and sees it
 * with its first list.
 */
const struct step steps[] = {
	{.name = "cluster",
	 .title = "cluster",
	 .observe = step_cluster_observe,
	 .needed = step_cluster_needed,
	 .run = step_cluster_run},
	{.name = "api", .title = "API server", .run = step_api_run},
	{.name = "rights", .title = "rights", .needed = step_rights_needed, .run = step_rights_run},
	{.name = "room",
	 .title = "room for the pods",
	 .needed = step_room_needed,
	 .run = step_room_run},
	{.name = "images", .title = "images", .needed = step_images_needed, .run = step_images_run},
	{.name = "namespace",
	 .title = "namespace",
	 .object = OBJ_NAMESPACE,
	 .needed = step_object_needed,
	 .run = step_object_run},
	{.name = "crd",
	 .title = "resource type",
	 .object = OBJ_CRD,
	 .needed = step_object_needed,
	 .run = step_object_run},
	{.name = "service-account",
	 .title = "service account",
	 .object = OBJ_ACCOUNT,
	 .needed = step_object_needed,
	 .run = step_object_run},
	{.name = "role",
	 .title = "role",
	 .object = OBJ_ROLE,
	 .needed = step_object_needed,
	 .run = step_object_run},
	{.name = "role-binding",
	 .title = "role binding",
	 .object = OBJ_BINDING,
	 .needed = step_object_needed,
	 .run = step_object_run},
	{.name = "operator",
	 .title = "operator",
	 .object = OBJ_OPERATOR,
	 .needed = step_object_needed,
	 .run = step_object_run},
	{.name = "crd-established",
	 .title = "type established",
	 .needed = step_crd_wait_needed,
	 .run = step_crd_wait_run},
	{.name = "presto",
	 .title = "Presto resource",
	 .object = OBJ_PRESTO,
	 .needed = step_object_needed,
	 .run = step_object_run},
	{.name = "operator-ready", .title = "operator ready", .run = step_operator_wait_run},
	{.name = "presto-ready", .title = "Presto ready", .run = step_presto_wait_run},
	{.name = "sql", .title = "SQL proof", .run = step_sql_run},
};
const size_t steps_len = ARRAY_LEN(steps);

void step_ctx_init(struct step_ctx *c, struct app *a, struct env *env, struct state *s)
{
	*c = (struct step_ctx){
		.app = a, .env = env, .state = s, .provider = provider_find(env->provider)};
	c->pc = (struct provider_ctx){.app = a, .env = env, .state = s};
	objects_of(c->objects, env);
}

void step_ctx_release(struct step_ctx *c)
{
	objects_release(c->objects);
	json_decref(TAKE(c->cluster.details));
	k8s_freep(&c->k);
}

void step_say(struct step_ctx *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(c->note, sizeof(c->note), fmt, ap);
	va_end(ap);
}

bool any_write(const struct step_ctx *c)
{
	for (size_t i = 0; i < OBJ_COUNT; i++)
		if (c->objects[i].action != OBJECT_KEEP)
			return true;
	return false;
}

/* Past the deadline, or after a failure: what the pods say. Its own errors are not worth hiding the first one. */
static void diagnose(struct step_ctx *c)
{
	autofree char *trouble = NULL;
	struct err e = ERR_INIT;
	bool fatal = false;

	if (!c->k || !c->pods[0])
		return;
	loop_deadline(c->app->loop, clock_mono() + DIAGNOSIS_TIME);
	if (k8s_pods_trouble(&trouble, &fatal, c->k, c->env->ns, c->pods, true, &e) == 0 && trouble)
		app_detail(c->app, "%s", trouble);
}

/* A server that hangs is one that is away: a request that ran out of its own time has not used up ours. */
static bool worth_another_try(const struct step_ctx *c, const struct err *e)
{
	return c->k &&
	       (e->code == ERR_UNAVAILABLE || e->code == ERR_THROTTLED || e->code == ERR_TIMEOUT) &&
	       clock_mono() + AGAIN_AFTER < c->app->deadline;
}

static int look_and_do(struct step_ctx *c, struct err *e)
{
	const struct step *s = c->at;

	if (s->observe && s->observe(c, e) < 0)
		return -1;
	if (s->needed && !s->needed(c)) {
		if (!c->note[0])
			step_say(c, "nothing to do");
		return 0;
	}
	return s->run(c, e);
}

/* What an API server that stayed away comes to, when it was asked until the end. */
static int give_up(struct step_ctx *c, bool retried, struct err *e)
{
	bool waited = e->code == ERR_TIMEOUT && starts_with(c->missing, API_AWAY);
	bool away = retried && (e->code == ERR_UNAVAILABLE || waited);
	char last[300];

	if (away) {
		snprintf(last, sizeof(last), "%.290s",
			 waited ? c->missing + strlen(API_AWAY) : e->msg);
		err_clear(e);
		err_set(e, ERR_TIMEOUT, "the API server did not answer until the time was up: %s",
			last);
		err_hint(e, "%s", c->pc.away);
		c->missing[0] = '\0';
	}
	progress_end(c->app->progress, false, "%s", e->msg);
	return -1;
}

static int step_run(struct step_ctx *c, struct err *e)
{
	struct progress *p = c->app->progress;
	bool retried = false;

	c->note[0] = c->missing[0] = c->pods[0] = '\0';
	progress_begin(p, c->at->name, c->at->title);
	while (look_and_do(c, e) < 0) {
		if (!worth_another_try(c, e))
			return give_up(c, retried, e);
		retried = true;
		progress_say(p, "the API server does not answer, asking again: %s%s%s%s", e->msg,
			     *c->pc.away ? " (" : "", c->pc.away, *c->pc.away ? ")" : "");
		snprintf(c->missing, sizeof(c->missing), API_AWAY "%.300s", e->msg);
		err_clear(e);
		if (loop_sleep(c->app->loop, AGAIN_AFTER, e) < 0)
			return give_up(c, retried, e);
	}
	progress_end(p, true, "%s", c->note[0] ? c->note : "done");
	return 0;
}

/* What is said of a step that failed: what was waited for, what to do, and which step it was. */
static int step_failed(struct step_ctx *c, struct err *e)
{
	if (e->code == ERR_TIMEOUT || (e->code == ERR_INVALID && c->pods[0]))
		diagnose(c);
	if (e->code == ERR_TIMEOUT && c->missing[0]) {
		err_clear(e);
		err_set(e, ERR_TIMEOUT, "timed out waiting for this: %s", c->missing);
	}
	if (e->code == ERR_TIMEOUT)
		err_hint(
			e,
			"run the same command again, it goes on where it stopped; --timeout gives it more time");
	return err_wrap(e, "%s", c->at->title);
}

int steps_run(struct step_ctx *c, struct err *e)
{
	_Static_assert(ARRAY_LEN(steps) <= STEPS_MAX, "a report for every step");

	for (size_t i = 0; i < steps_len; i++) {
		struct step_report *r = &c->reports[i];
		ns_t began = clock_mono();
		int failed;

		c->at = &steps[i];
		failed = step_run(c, e) < 0;
		*r = (struct step_report){.ran = true, .took = clock_mono() - began};
		if (failed) {
			step_failed(c, e);
			snprintf(r->failure, sizeof(r->failure), "%s", e->msg);
			return -1;
		}
	}
	return 0;
}

bool step_went_well(const struct step_ctx *c, const char *name)
{
	for (size_t i = 0; i < steps_len; i++)
		if (streq(steps[i].name, name))
			return c->reports[i].ran && !c->reports[i].failure[0];
	return false;
}
