/* step_wait.c - until the type is served, the operator runs, and every worker has joined. */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "k8s/obj.h"
#include "k8s/proxy.h"
#include "k8s/wait.h"
#include "presto/names.h"
#include "provision/proof.h"
#include "provision/step.h"

#define LOOK_EVERY (500 * NS_MS)
#define PODS_EVERY (2 * NS_SEC)
#define FATAL_FOR \
	(5 * NS_SEC) /* a registry may hiccup once; a name that does not exist stays wrong */
#define PULL_FOR      (20 * NS_SEC)
#define PULL_FAILED   "ErrImagePull"
#define OPERATOR_PODS "name=presto-operator"

/* What a wait knows about the pods behind it. */
struct watch_pods {
	ns_t next, fatal_since, pull_since;
	char words[300];
};

static void on_why(const char *why, void *arg)
{
	struct step_ctx *c = arg;

	snprintf(c->missing, sizeof(c->missing), "%s", why);
	progress_say(c->app->progress, "%s", why);
}

bool step_crd_wait_needed(const struct step_ctx *c)
{
	return !c->crd_served || c->objects[OBJ_CRD].action != OBJECT_KEEP;
}

int step_crd_wait_run(struct step_ctx *c, struct err *e)
{
	const struct k8s_ref ref = {.name = PRESTO_CRD_NAME};

	if (k8s_wait(NULL, c->k, &K8S_CRD, &ref, k8s_cond_crd_established, c, on_why,
		     c->app->deadline, e) < 0)
		return -1;
	step_say(c, "%s is served", PRESTO_CRD_NAME);
	return 0;
}

/* Looks at the pods now and then; -1 when they have been beyond hope for a while. */
static int watch_pods(struct step_ctx *c, struct watch_pods *w, struct err *e)
{
	autofree char *trouble = NULL;
	ns_t now = clock_mono();
	bool fatal = false;

	if (now < w->next || !c->pods[0])
		return 0;
	w->next = now + PODS_EVERY;
	if (k8s_pods_trouble(&trouble, &fatal, c->k, c->env->ns, c->pods, false, e) < 0)
		return -1;
	snprintf(w->words, sizeof(w->words), "%.*s", trouble ? (int)strcspn(trouble, "\n") : 0,
		 trouble ? trouble : "");
	/* A pull that is tried again is not fatal for a moment, but the trouble goes on. */
	if (!trouble)
		w->fatal_since = 0;
	else if (fatal && !w->fatal_since)
		w->fatal_since = now;
	/* The kubelet calls it ErrImagePull until its second try, and that may be half a minute away. */
	if (!trouble || !strstr(trouble, PULL_FAILED))
		w->pull_since = 0;
	else if (!w->pull_since)
		w->pull_since = now;
	if (!trouble)
		return 0;
	if (!(fatal && now - w->fatal_since >= FATAL_FOR) &&
	    !(w->pull_since && now - w->pull_since >= PULL_FOR))
		return 0;
	err_set(e, ERR_INVALID, "%.*s", (int)strcspn(trouble, "\n"), trouble);
	return err_hint(
		e,
		"what was made is left for you to look at; correct the file and run the same command again");
}

static void tell(struct step_ctx *c, const struct watch_pods *w, const char *why)
{
	snprintf(c->missing, sizeof(c->missing), "%s", why);
	progress_say(c->app->progress, "%s%s%s", why, w->words[0] ? "; " : "", w->words);
}

int step_operator_wait_run(struct step_ctx *c, struct err *e)
{
	const struct k8s_ref ref = {.ns = c->env->ns,
				    .name = obj_name(c->objects[OBJ_OPERATOR].want)};
	struct watch_pods w = {0};

	snprintf(c->pods, sizeof(c->pods), OPERATOR_PODS);
	for (;;) {
		autojson json_t *live = NULL;
		char why[200] = "";
		int got;

		if (k8s_get(&live, c->k, &K8S_DEPLOYMENT, &ref, e) < 0)
			return -1;
		got = k8s_cond_deployment_ready(live, why, sizeof(why), NULL, e);
		if (got < 0)
			return -1;
		if (got == 1)
			break;
		if (watch_pods(c, &w, e) < 0)
			return -1;
		tell(c, &w, why);
		if (loop_sleep(c->app->loop, LOOK_EVERY, e) < 0)
			return -1;
	}
	step_say(c, "%s",
		 jx_str_or(c->objects[OBJ_OPERATOR].want, "spec.template.spec.containers.0.image",
			   ""));
	return 0;
}

/*
 * Which Service to ask: what the operator's status says, else what the names will be. @why is what the operator has to
 * say about the resource as it is now.
 */
static int look_at_resource(struct step_ctx *c, bool *current, char why[200], struct err *e)
{
	const struct k8s_ref ref = {.ns = c->env->ns, .name = c->presto.name};
	autojson json_t *live = NULL;
	const json_t *ready;

	if (k8s_get(&live, c->k, &K8S_PRESTO, &ref, e) < 0)
		return err_wrap(e, "Presto %s", ref.name);
	ready = obj_condition(live, "Ready");
	*current = obj_condition_true(live, "Ready") &&
		   jx_int(live, "status.observedGeneration") == obj_generation(live);
	snprintf(c->service, sizeof(c->service), "%s", jx_str_or(live, "status.service", ""));
	snprintf(c->instance, sizeof(c->instance), "%s", jx_str_or(live, "status.name", ""));
	if (!c->instance[0] && obj_uid(live))
		name_of(c->instance, c->presto.name, obj_uid(live), c->presto.name_override);
	snprintf(c->pods, sizeof(c->pods), "instance=%s", c->instance);
	snprintf(why, 200, "%s",
		 jx_str_or(ready, "message", "the operator has not said anything yet"));
	return 0;
}

/*
 * The coordinator itself is asked, as it knows who has joined seconds before anybody else; a resource that was changed
 * must also have been taken in by the operator, or the old pods would answer for the new ones.
 */
static int presto_is_up(struct step_ctx *c, bool *up, char why[200], struct err *e)
{
	struct presto_cluster cluster = {0};
	struct err not_yet = ERR_INIT;
	bool current = false;

	*up = false;
	if (look_at_resource(c, &current, why, e) < 0)
		return -1;
	if (!c->service[0] || (c->objects[OBJ_PRESTO].action == OBJECT_CHANGE && !current))
		return 0;
	if (proof_cluster(&cluster, c, &not_yet) < 0) {
		if (not_yet.code == ERR_CANCELLED || not_yet.code == ERR_TIMEOUT ||
		    not_yet.code == ERR_DENIED) {
			*e = not_yet;
			return -1;
		}
		log_debug("presto", "%s", not_yet.msg);
		return 0;
	}
	*up = cluster.active_workers >= c->presto.worker_count;
	snprintf(why, 200, "%d of %d workers have joined", cluster.active_workers,
		 c->presto.worker_count);
	return 0;
}

int step_presto_wait_run(struct step_ctx *c, struct err *e)
{
	struct watch_pods w = {0};
	char why[200] = "";
	bool up = false;

	for (;;) {
		if (presto_is_up(c, &up, why, e) < 0)
			return -1;
		if (up)
			break;
		if (watch_pods(c, &w, e) < 0)
			return -1;
		tell(c, &w, why);
		if (loop_sleep(c->app->loop, LOOK_EVERY, e) < 0)
			return -1;
	}
	step_say(c, "coordinator and %d worker%s", c->presto.worker_count,
		 c->presto.worker_count == 1 ? "" : "s");
	return 0;
}

int step_sql_run(struct step_ctx *c, struct err *e)
{
	if (proof_nation(c, e) < 0)
		return -1;
	step_say(c, "%s = %s", PROOF_SQL, c->answer);
	return 0;
}
