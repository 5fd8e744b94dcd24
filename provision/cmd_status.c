/* cmd_status.c - how the cluster is, from three reads: the resource, its pods, the operator. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "k8s/obj.h"
#include "presto/names.h"
#include "presto/presto.h"
#include "provision/commands.h"
#include "provision/target.h"

struct options {
	const char *file;
};

static const struct opt opts[] = {
	TARGET_FILE_OPT(struct options),
	{0},
};

struct seen {
	struct target *t;
	json_t *presto, *pods, *operator; /* owned; operator may be NULL */
};

static int look(struct seen *s, struct err *e)
{
	const struct k8s_ref operator= {.ns = NULL, .name = "presto-operator"};
	struct k8s_ref ref = operator;
	autofree char *selector = NULL;
	struct k8s_list_opts o = {0};
	const char *name;

	if (target_connect(s->t, e) < 0 || target_presto(&s->presto, s->t, e) < 0)
		return -1;
	name = jx_str(s->presto, "status.name");
	selector = xasprintf("instance=%s", name ? name : obj_name(s->presto));
	o.label_selector = selector;
	if (k8s_list(&s->pods, s->t->k, &K8S_POD, s->t->ns, &o, e) < 0)
		return -1;
	ref.ns = s->t->ns;
	if (k8s_get(&s->operator, s->t->k, &K8S_DEPLOYMENT, &ref, e) < 0) {
		if (e->code != ERR_NOT_FOUND && e->code != ERR_DENIED)
			return -1;
		err_clear(e);
	}
	return 0;
}

static bool is_ready(const json_t *pod)
{
	return obj_condition_true(pod, "Ready") && !obj_deleting(pod);
}

/* The most telling word: a waiting reason of a container, else the phase. */
static const char *state_of(const json_t *pod)
{
	static const char *const lists[] = {"status.initContainerStatuses",
					    "status.containerStatuses"};

	if (obj_deleting(pod))
		return "Terminating";
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		const json_t *list = jx_path(pod, lists[i]);

		for (size_t j = 0; j < json_array_size(list); j++) {
			const char *reason = jx_str(json_array_get(list, j),
						    "state.waiting.reason");

			if (reason && !streq(reason, "PodInitializing"))
				return reason;
		}
	}
	return is_ready(pod) ? "Ready" : jx_str_or(pod, "status.phase", "Unknown");
}

static json_int_t restarts_of(const json_t *pod)
{
	const json_t *list = jx_path(pod, "status.containerStatuses");
	json_int_t n = 0;

	for (size_t i = 0; i < json_array_size(list); i++)
		n += jx_int(json_array_get(list, i), "restartCount");
	return n;
}

static void age_of(char out[DURATION_SIZE], const json_t *o)
{
	const char *made = jx_str(o, "metadata.creationTimestamp");
	struct err e = ERR_INIT;
	ns_t at = 0;

	if (!made || time_parse(&at, made, &e) < 0)
		snprintf(out, DURATION_SIZE, "?");
	else
		age_format(out, clock_wall() > at ? clock_wall() - at : 0);
}

static bool operator_ready(const struct seen *s)
{
	return s->operator&& jx_int(s->operator, "status.availableReplicas") > 0;
}

/* asked - how many workers there shall be, also before the operator has said anything. */
static json_int_t asked(const struct seen *s)
{
	struct err e = ERR_INIT;
	struct presto p;

	if (jx_path(s->presto, "status.workers.desired"))
		return jx_int(s->presto, "status.workers.desired");
	return presto_decode(&p, s->presto, &e) < 0 ? 0 : p.worker_count;
}

static json_t *as_json(const struct seen *s)
{
	json_t *pods = json_array(), *o;

	for (size_t i = 0; i < json_array_size(s->pods); i++) {
		const json_t *pod = json_array_get(s->pods, i);

		json_array_append_new(
			pods, json_pack("{s:s, s:s, s:s, s:I, s:s}", "name", obj_name(pod), "role",
					obj_label(pod, "role") ? obj_label(pod, "role") : "",
					"state", state_of(pod), "restarts", restarts_of(pod),
					"node", jx_str_or(pod, "spec.nodeName", "")));
	}
	o = json_pack("{s:s, s:s, s:b, s:s, s:I, s:I, s:b, s:o}", "presto", obj_name(s->presto),
		      "namespace", s->t->ns, "ready", obj_condition_true(s->presto, "Ready"),
		      "message", jx_str_or(obj_condition(s->presto, "Ready"), "message", ""),
		      "workers", jx_int(s->presto, "status.workers.active"), "workersAsked",
		      asked(s), "operatorReady", operator_ready(s), "pods", pods);
	if (s->t->name)
		json_object_set_new(o, "environment", json_string(s->t->name));
	return o;
}

static void as_text(const struct seen *s)
{
	const json_t *ready = obj_condition(s->presto, "Ready");
	char age[DURATION_SIZE];

	age_of(age, s->presto);
	app_print("Presto    %s in namespace %s, %s\n", obj_name(s->presto), s->t->ns, age);
	app_print("Ready     %s%s%s\n", ready ? jx_str_or(ready, "status", "?") : "Unknown",
		  ready ? ": " : "",
		  ready ? jx_str_or(ready, "message", "")
			: ": the operator has not said anything yet");
	app_print("Workers   %lld of %lld have joined\n",
		  (long long)jx_int(s->presto, "status.workers.active"), (long long)asked(s));
	app_print("Operator  %s\n", !s->operator        ? "not there"
				    : operator_ready(s) ? "ready"
							: "not ready");
	app_print("Server    %s\n\n", k8s_config_of(s->t->k)->server);
	app_print("%-56s %-18s %8s  %s\n", "POD", "STATE", "RESTARTS", "NODE");
	for (size_t i = 0; i < json_array_size(s->pods); i++) {
		const json_t *pod = json_array_get(s->pods, i);

		app_print("%-56s %-18s %8lld  %s\n", obj_name(pod), state_of(pod),
			  (long long)restarts_of(pod), jx_str_or(pod, "spec.nodeName", ""));
	}
}

static int run(struct app *a, int argc, char **argv, struct err *e)
{
	struct target t = TARGET_INIT;
	struct seen s = {.t = &t};
	struct options o = {0};
	int failed;

	if (app_options(a, &cmd_status, &o, &argc, argv, e) < 0 || app_start(a, e) < 0)
		return -1;
	failed = target_open(&t, a, o.file, argc ? argv[0] : NULL, false, e) < 0 || look(&s, e) < 0;
	if (!failed && a->json)
		app_result_json(as_json(&s));
	else if (!failed)
		as_text(&s);
	/* A script wants to know without reading. */
	if (!failed && !obj_condition_true(s.presto, "Ready"))
		a->exit_code = EXIT_FAILED;
	json_decref(s.presto);
	json_decref(s.pods);
	json_decref(s.operator);
	target_close(&t);
	return failed ? -1 : 0;
}

const struct command cmd_status = {
	.name = "status",
	.args = "[NAME | -f FILE]",
	.summary = "how the cluster is; exit code 1 unless it is ready",
	.opts = opts,
	.max_args = 1,
	.run = run,
};
