/* cmd_logs.c - the logs of a cluster's pods, by role, side by side. */
#include <stdlib.h>
#include <string.h>

#include "presto/names.h"
#include "presto/presto.h"
#include "provision/commands.h"
#include "provision/session.h"

#define PODS_MAX 64

struct logs_opts {
	struct session_opts session;
	bool follow, previous;
	int tail;
};

static const struct opt logs_opts[] = {
	{"follow", 0, OPT_FLAG, offsetof(struct logs_opts, follow), NULL,
	 "go on with new lines, until Ctrl-C", NULL},
	{"previous", 0, OPT_FLAG, offsetof(struct logs_opts, previous), NULL,
	 "of the container before its last restart", NULL},
	{"tail", 0, OPT_COUNT, offsetof(struct logs_opts, tail), "LINES",
	 "only the last lines of each pod (default: 200)", NULL},
	SESSION_OPTS(struct logs_opts, session),
	{0},
};

/* One pod's log, streamed. With several pods each line says where it is from. */
struct source {
	struct http_call *call;
	char *label;
	size_t *open;
	bool *done;
	struct err err;
};

static void on_line(const char *line, size_t len, void *arg)
{
	const struct source *s = arg;

	app_print("%s%.*s\n", s->label, (int)len, line);
}

static void on_end(struct http_resp *r, struct err *e, void *arg)
{
	struct source *s = arg;

	if (e->code)
		s->err = *e;
	else if (r->status / 100 != 2)
		k8s_status_err(r, &s->err);
	fflush(stdout);
	if (--*s->open == 0)
		*s->done = true;
}

static int open_source(struct source *s, struct session *t, const char *pod, const char *container,
		       const struct logs_opts *o, struct err *e)
{
	const struct k8s_ref ref = {t->ns, pod};
	autofree char *path = k8s_path(&K8S_POD, &ref, "log");
	autofree char *url = xasprintf("%s?container=%s&tailLines=%d%s%s", path, container, o->tail,
				       o->follow ? "&follow=true" : "",
				       o->previous ? "&previous=true" : "");
	const struct http_req q = {.method = "GET", .url = url};
	const struct http_stream_cb cb = {.line = on_line, .end = on_end, .arg = s};

	return k8s_stream(&s->call, t->coordinator.k, &q, &cb, e);
}

static int follow_all(struct app *a, struct session *t, const json_t *pods,
		      const struct logs_opts *o, struct err *e)
{
	struct source sources[PODS_MAX] = {0};
	size_t n = json_array_size(pods), open = 0;
	bool done = false;
	int rc = 0;

	for (size_t i = 0; !rc && i < n && i < PODS_MAX; i++) {
		const json_t *pod = json_array_get(pods, i);
		struct source *s = &sources[i];

		s->label = n > 1 ? xasprintf("%s | ", obj_name(pod)) : xstrdup("");
		s->open = &open;
		s->done = &done;
		rc = open_source(s, t, obj_name(pod), jx_str_or(pod, "spec.containers.0.name", ""),
				 o, e);
		open += rc == 0;
	}
	if (!rc && o->follow)
		loop_deadline(a->loop, 0);
	if (!rc && loop_wait(a->loop, &done, o->follow ? 0 : a->deadline, e) < 0)
		rc = o->follow && e->code == ERR_CANCELLED ? (err_clear(e), 0) : -1;
	for (size_t i = 0; i < n && i < PODS_MAX; i++) {
		http_call_free(sources[i].call);
		free(sources[i].label);
		if (!rc && sources[i].err.code) {
			*e = sources[i].err;
			rc = err_wrap(e, "log of %s", obj_name(json_array_get(pods, i)));
		}
	}
	return rc;
}

/* pods_of - "operator", a role, a pod's name, or NULL for the coordinator and the workers. */
static int pods_of(json_t **out, struct session *t, const char *which, struct err *e)
{
	bool is_role = which && (streq(which, ROLE_COORDINATOR) || streq(which, ROLE_WORKER));
	struct k8s_ref ref = {t->ns, which};
	struct k8s_list_opts list = {0};
	autofree char *selector = NULL;
	struct presto p;
	json_t *pod = NULL;

	if (which && !is_role && !streq(which, "operator")) {
		if (k8s_get(&pod, t->coordinator.k, &K8S_POD, &ref, e) < 0) {
			err_wrap(e, "pod %s", which);
			return err_hint(e,
					"say coordinator, worker, operator or the name of a pod");
		}
		*out = json_pack("[o]", pod);
		return 0;
	}
	if (presto_decode(&p, t->resource, e) < 0)
		return -1;
	selector = which && !is_role ? xstrdup("name=presto-operator")
				     : xasprintf("instance=%s%s%s", p.cluster,
						 which ? ",role=" : "", which ? which : "");
	list.label_selector = selector;
	if (k8s_list(out, t->coordinator.k, &K8S_POD, t->ns, &list, e) < 0)
		return -1;
	if (json_array_size(*out))
		return 0;
	json_decref(*out);
	*out = NULL;
	return err_set(e, ERR_NOT_FOUND, "no pod has the labels %s in namespace %s", selector,
		       t->ns);
}

static int cmd_logs_run(struct app *a, int argc, char **argv, struct err *e)
{
	struct logs_opts o = {.tail = 200};
	struct session t = {.target = TARGET_INIT};
	autojson json_t *pods = NULL;
	int rc;

	if (app_options(a, &cmd_logs, &o, &argc, argv, e) < 0)
		return -1;
	if (o.follow && o.previous)
		return app_usage(a, e,
				 "--previous and --follow exclude each other: that container "
				 "writes nothing more");
	if (app_start(a, e) < 0)
		return -1;
	/* Whoever follows wants each line when it is written, also through a pipe. */
	if (o.follow)
		setvbuf(stdout, NULL, _IOLBF, 0);
	rc = session_open(&t, a, NULL, &o.session, e);
	if (rc == 0)
		rc = pods_of(&pods, &t, argc ? argv[0] : NULL, e);
	if (rc == 0)
		rc = follow_all(a, &t, pods, &o, e);
	session_release(&t);
	return rc;
}

const struct command cmd_logs = {
	.name = "logs",
	.args = "[coordinator|worker|operator|POD]",
	.summary = "print the logs of the cluster's pods",
	.about = "Without a word: the coordinator's and the workers'. With more than one pod each "
		 "line begins\n"
		 "with the pod's name.",
	.opts = logs_opts,
	.max_args = 1,
	.run = cmd_logs_run,
};
