/*
 * k8s_probe.c - the Kubernetes client as a command, for tests against a real API server. One verb
 * per run; results are JSON lines on stdout, errors one line on stderr with exit code 1.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "k8s/event.h"
#include "k8s/informer.h"
#include "k8s/proxy.h"
#include "k8s/wait.h"

struct probe {
	struct loop *loop;
	struct k8s *k;
	int argc;
	char **argv;
};

static const struct k8s_res *const kinds[] = {
	&K8S_NAMESPACE,      &K8S_NODE,       &K8S_POD, &K8S_SERVICE, &K8S_CONFIGMAP, &K8S_SECRET,
	&K8S_SERVICEACCOUNT, &K8S_DEPLOYMENT, &K8S_CRD, &K8S_PRESTO,  &K8S_EVENT,
};

static const char *arg(const struct probe *p, int i)
{
	return i < p->argc && *p->argv[i] ? p->argv[i] : NULL;
}

static const struct k8s_res *kind_of(const struct probe *p, int i)
{
	for (size_t n = 0; n < ARRAY_LEN(kinds); n++)
		if (streq(kinds[n]->plural, arg(p, i)))
			return kinds[n];
	fprintf(stderr, "no such kind\n");
	exit(2);
}

static void print(const json_t *v)
{
	autofree char *text = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY);

	printf("%s\n", text);
	fflush(stdout);
}

static int read_stdin(json_t **out, struct err *e)
{
	struct buf b = BUF_INIT(32u << 20);
	char chunk[65536];
	ssize_t n;
	int rc = 0;

	while (rc == 0 && (n = read(STDIN_FILENO, chunk, sizeof(chunk))) > 0)
		rc = buf_add(&b, chunk, (size_t)n, e);
	if (rc == 0)
		rc = jx_parse(out, buf_str(&b), b.len, "stdin", e);
	buf_release(&b);
	return rc;
}

static int do_get(struct probe *p, struct err *e)
{
	const struct k8s_ref ref = {arg(p, 1), arg(p, 2)};
	autojson json_t *o = NULL;

	if (k8s_get(&o, p->k, kind_of(p, 0), &ref, e) < 0)
		return -1;
	print(o);
	return 0;
}

/* list KIND NS LIMIT [LABELS]: how many, the first and the last name */
static int do_list(struct probe *p, struct err *e)
{
	const struct k8s_list_opts o = {.limit = (size_t)atol(p->argv[2]),
					.label_selector = arg(p, 3)};
	autojson json_t *items = NULL, *out = NULL;

	if (k8s_list(&items, p->k, kind_of(p, 0), arg(p, 1), &o, e) < 0)
		return -1;
	size_t n = json_array_size(items);
	const json_t *last = n ? json_array_get(items, n - 1) : NULL;
	out = json_pack("{s:I, s:s?, s:s?, s:s?}", "n", (json_int_t)n, "last", obj_name(last),
			"kind", jx_str(last, "kind"), "apiVersion", jx_str(last, "apiVersion"));
	print(out);
	return 0;
}

static int do_create(struct probe *p, struct err *e)
{
	autojson json_t *in = NULL, *out = NULL;

	if (read_stdin(&in, e) < 0 || k8s_create(&out, p->k, in, e) < 0)
		return -1;
	print(out);
	return 0;
}

/* apply MANAGER [no-force] [dry-run] [status] < object or array of objects */
static int do_apply(struct probe *p, struct err *e)
{
	struct k8s_apply_opts o = {.field_manager = p->argv[0]};
	autojson json_t *in = NULL;

	for (int i = 1; i < p->argc; i++) {
		o.no_force = o.no_force || streq(p->argv[i], "no-force");
		o.dry_run = o.dry_run || streq(p->argv[i], "dry-run");
		o.subresource = streq(p->argv[i], "status") ? "status" : o.subresource;
	}
	if (read_stdin(&in, e) < 0)
		return -1;
	if (json_is_object(in)) {
		autojson json_t *out = NULL;
		if (k8s_apply(&out, p->k, in, &o, e) < 0)
			return -1;
		print(out);
		return 0;
	}
	size_t n = json_array_size(in);
	autofree const json_t **objs = xcalloc(n, sizeof(json_t *));
	autofree struct err *errs = xcalloc(n, sizeof(*errs));
	for (size_t i = 0; i < n; i++)
		objs[i] = json_array_get(in, i);
	size_t failed = k8s_apply_all(NULL, p->k, objs, &o, errs, n);
	printf("%zu\n", failed);
	for (size_t i = 0; i < n; i++)
		if (errs[i].code)
			printf("%s\n", errs[i].msg);
	return 0;
}

/* delete KIND NS NAME [UID] [RV] */
static int do_delete(struct probe *p, struct err *e)
{
	const struct k8s_ref ref = {arg(p, 1), arg(p, 2)};
	const struct k8s_delete_opts o = {.uid = arg(p, 3), .resource_version = arg(p, 4)};

	return k8s_delete(p->k, kind_of(p, 0), &ref, &o, e);
}

static int do_patch(struct probe *p, struct err *e)
{
	const struct k8s_ref ref = {arg(p, 1), arg(p, 2)};
	autojson json_t *in = NULL, *out = NULL;

	if (read_stdin(&in, e) < 0 ||
	    k8s_merge_patch(&out, p->k, kind_of(p, 0), &ref, arg(p, 3), in, e) < 0)
		return -1;
	print(out);
	return 0;
}

/* can NS VERB:RESOURCE... */
static int do_can(struct probe *p, struct err *e)
{
	struct k8s_access q[16] = {{0}};
	size_t n = 0;

	for (int i = 1; i < p->argc && n < ARRAY_LEN(q); i++) {
		char *colon = strchr(p->argv[i], ':');

		*colon = '\0';
		q[n++] = (struct k8s_access){
			.group = "", .resource = colon + 1, .verb = p->argv[i], .ns = arg(p, 0)};
	}
	if (k8s_can(p->k, q, n, e) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		printf("%s %s %s\n", q[i].verb, q[i].resource, q[i].allowed ? "yes" : "no");
		free(q[i].reason);
	}
	return 0;
}

static int do_served(struct probe *p, struct err *e)
{
	bool yes = false;

	if (k8s_served(&yes, p->k, kind_of(p, 0), e) < 0)
		return -1;
	printf("%s\n", yes ? "yes" : "no");
	return 0;
}

static int do_whoami(struct probe *p, struct err *e)
{
	static const char body[] = "{\"apiVersion\":\"authentication.k8s.io/v1\",\"kind\":"
				   "\"SelfSubjectReview\"}";
	static const char *const headers[] = {"Content-Type: application/json", NULL};
	struct http_req q = {
		.method = "POST",
		.url = "/apis/authentication.k8s.io/v1/selfsubjectreviews",
		.headers = headers,
		.body = {.bytes = body, .len = sizeof(body) - 1},
	};
	struct http_resp r = {0};
	int rc = k8s_raw(&r, p->k, &q, e);

	if (rc == 0 && r.status != 201)
		rc = k8s_status_err(&r, e);
	else if (rc == 0)
		printf("%s\n", buf_str(&r.body));
	http_resp_release(&r);
	return rc;
}

static void say_why(const char *why, void *unused UNUSED)
{
	printf("%s\n", why);
	fflush(stdout);
}

/* wait CONDITION KIND NS NAME SECONDS [TYPE] */
static int do_wait(struct probe *p, struct err *e)
{
	static const struct {
		const char *name;
		k8s_cond_fn *fn;
	} conds[] = {{"gone", k8s_cond_gone},
		     {"established", k8s_cond_crd_established},
		     {"ready", k8s_cond_deployment_ready},
		     {"true", k8s_cond_true}};
	const struct k8s_ref ref = {arg(p, 2), arg(p, 3)};
	ns_t deadline = clock_mono() + (ns_t)(atof(p->argv[4]) * (double)NS_SEC);
	k8s_cond_fn *fn = NULL;

	for (size_t i = 0; i < ARRAY_LEN(conds); i++)
		if (streq(conds[i].name, p->argv[0]))
			fn = conds[i].fn;
	return k8s_wait(NULL, p->k, kind_of(p, 1), &ref, fn, p->argc > 5 ? p->argv[5] : NULL,
			say_why, deadline, e);
}

/* --- informer --------------------------------------------------------------------------------- */

struct small {
	char rv[32], mark[64];
};

static int project(void *entry, const json_t *obj, void *unused UNUSED)
{
	struct small *s = entry;

	snprintf(s->rv, sizeof(s->rv), "%s", obj_rv(obj));
	snprintf(s->mark, sizeof(s->mark), "%s", jx_str_or(obj, "data.mark", ""));
	return 0;
}

static void notify(const char *key, const void *old, const void *new, void *unused UNUSED)
{
	const struct small *s = new ? new : old;
	autojson json_t *line = json_pack("{s:s, s:s, s:s}", "event",
					  !old   ? "added"
					  : !new ? "gone"
						 : "changed",
					  "key", key, "mark", s->mark);

	print(line);
}

static void print_stats(const struct informer *i)
{
	struct informer_stats s = informer_stats(i);
	autojson json_t *line = json_pack(
		"{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s}", "event", "stats", "lists",
		(json_int_t)s.lists, "watches", (json_int_t)s.watches, "events",
		(json_int_t)s.events, "bookmarks", (json_int_t)s.bookmarks, "errors",
		(json_int_t)s.errors, "relists", (json_int_t)s.relists, "n",
		(json_int_t)informer_len(i), "error", informer_last_error(i));

	print(line);
}

struct watching {
	struct informer *i;
	bool end;
};

/* A line on stdin asks for the figures; its end ends the watch. */
static void on_stdin(unsigned events UNUSED, void *arg_)
{
	struct watching *w = arg_;
	char line[256];
	ssize_t n = read(STDIN_FILENO, line, sizeof(line));

	if (n > 0)
		print_stats(w->i);
	else
		w->end = true;
}

/* watch KIND NS [LABELS] */
static int do_watch(struct probe *p, struct err *e)
{
	const struct informer_opts o = {
		.res = kind_of(p, 0), .ns = arg(p, 1), .label_selector = arg(p, 2), .seed = 1};
	const struct informer_ops ops = {
		.entry_size = sizeof(struct small), .project = project, .notify = notify};
	struct watching w = {0};
	struct loop_fd *in = NULL;
	int rc = 0;

	if (k8s_token_refresh(p->k, false, e) < 0 || informer_new(&w.i, p->k, &o, &ops, e) < 0)
		return -1;
	rc = informer_start(w.i, e);
	if (rc == 0)
		rc = loop_wait(p->loop, informer_synced_flag(w.i), clock_mono() + 20 * NS_SEC, e);
	if (rc == 0)
		rc = loop_fd_add(&in, p->loop, STDIN_FILENO, LOOP_READ, on_stdin, &w, e);
	if (rc == 0) {
		printf("{\"event\":\"synced\"}\n");
		fflush(stdout);
		rc = loop_wait(p->loop, &w.end, clock_mono() + 300 * NS_SEC, e);
	}
	loop_fd_del(in);
	informer_free(w.i);
	return rc;
}

/* --- writing under an informer ---------------------------------------------------------------- */

struct own {
	char want[64];
	unsigned stale;
};

static void notify_own(const char *key UNUSED, const void *old UNUSED, const void *new, void *a)
{
	const struct small *s = new;
	struct own *o = a;

	if (s && *o->want && strcmp(s->mark, o->want) != 0)
		o->stale++;
}

/* own NS N: apply the same object N times with changing data; count what looked like drift. */
static int do_own(struct probe *p, struct err *e)
{
	struct own own = {0};
	const struct informer_opts o = {.res = &K8S_CONFIGMAP, .ns = arg(p, 0), .seed = 1};
	const struct informer_ops ops = {.entry_size = sizeof(struct small),
					 .project = project,
					 .notify = notify_own,
					 .arg = &own};
	const struct k8s_apply_opts apply = {.field_manager = "probe"};
	struct informer *i = NULL;
	unsigned drift = 0;
	int rc;

	if (informer_new(&i, p->k, &o, &ops, e) < 0)
		return -1;
	rc = informer_start(i, e);
	if (rc == 0)
		rc = loop_wait(p->loop, informer_synced_flag(i), 0, e);
	for (int n = 0; rc == 0 && n < atoi(p->argv[1]); n++) {
		autojson json_t *reply = NULL, *obj = NULL;

		snprintf(own.want, sizeof(own.want), "m%d", n);
		obj = json_pack("{s:s, s:s, s:{s:s, s:s}, s:{s:s}}", "apiVersion", "v1", "kind",
				"ConfigMap", "metadata", "name", "own", "namespace", arg(p, 0),
				"data", "mark", own.want);
		rc = k8s_apply(&reply, p->k, obj, &apply, e);
		if (rc < 0)
			break;
		informer_put(i, reply);
		autofree char *key = xasprintf("%s/own", arg(p, 0));
		const struct small *s = informer_get(i, key);
		drift += !s || strcmp(s->mark, own.want) != 0;
		if (n % 3 == 0)
			rc = loop_sleep(p->loop, 5 * NS_MS, e);
		s = informer_get(i, key);
		drift += !s || strcmp(s->mark, own.want) != 0;
	}
	if (rc == 0)
		rc = loop_sleep(p->loop, 300 * NS_MS, e);
	printf("{\"drift\":%u,\"stale\":%u}\n", drift, own.stale);
	informer_free(i);
	return rc;
}

/* event NS NAME TIMES */
static int do_event(struct probe *p, struct err *e)
{
	struct events *ev = events_new(p->k, "probe", "probe-0");
	const struct event_ref about = {"v1", "ConfigMap", arg(p, 0), arg(p, 1), "u-1"};

	for (int i = 0; i < atoi(p->argv[2]); i++)
		events_record_ref(ev, &about, true, "Probed", "somebody looked");
	int rc = loop_sleep(p->loop, 11 * NS_SEC, e);
	events_free(ev);
	return rc;
}

/* trouble NS LABELS: after it, whether it is fatal */
static int do_trouble(struct probe *p, struct err *e)
{
	autofree char *text = NULL;
	bool fatal = false;

	if (k8s_pods_trouble(&text, &fatal, p->k, arg(p, 0), arg(p, 1), true, e) < 0)
		return -1;
	printf("%s\n%s\n", text ? text : "fine", fatal ? "fatal" : "wait");
	return 0;
}

static int do_config(struct probe *p, struct err *e UNUSED)
{
	autofree char *text = kubeconfig_text(k8s_config_of(p->k), p->argv[0]);

	printf("%s", text);
	return 0;
}

static const struct {
	const char *name;
	int (*fn)(struct probe *p, struct err *e);
} verbs[] = {
	{"get", do_get},     {"list", do_list},     {"create", do_create},
	{"apply", do_apply}, {"delete", do_delete}, {"patch", do_patch},
	{"can", do_can},     {"served", do_served}, {"whoami", do_whoami},
	{"wait", do_wait},   {"watch", do_watch},   {"own", do_own},
	{"event", do_event}, {"config", do_config}, {"trouble", do_trouble},
};

static int run(struct probe *p, const char *verb, struct err *e)
{
	AUTO(kubeconfig_freep) struct kubeconfig *kc = NULL;
	struct k8s_config c = K8S_CONFIG_INIT;
	const struct k8s_opts o = {.user_agent = "k8s-probe"};
	const char *sa = getenv("PROBE_SERVICE_ACCOUNT");

	if (sa) {
		if (k8s_config_in_cluster(&c, sa, e) < 0)
			return -1;
	} else if (kubeconfig_load(&kc, NULL, e) < 0 ||
		   kubeconfig_resolve(&c, kc, getenv("PROBE_CONTEXT"), e) < 0) {
		return -1;
	}
	if (k8s_new(&p->k, p->loop, &c, &o, e) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		if (streq(verbs[i].name, verb))
			return verbs[i].fn(p, e);
	return err_set(e, ERR_INVALID, "no verb \"%s\"", verb);
}

int main(int argc, char **argv)
{
	struct probe p = {.argc = argc - 2, .argv = argv + 2};
	struct err e = ERR_INIT;
	int rc;

	log_setup(LOG_INFO_LEVEL, false);
	if (argc < 2 || loop_new(&p.loop, &e) < 0)
		return 2;
	rc = run(&p, argv[1], &e);
	if (rc < 0)
		fprintf(stderr, "%s: %s%s%s\n", err_name(e.code), e.msg, *e.hint ? " | " : "",
			e.hint);
	k8s_free(p.k);
	loop_free(p.loop);
	return rc < 0;
}
