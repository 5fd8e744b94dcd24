/* main.c - presto-operator: options, life and death, and the turn of the loop. */
#include <argp.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/version.h"
#include "k8s/workqueue.h"
#include "operator/serve.h"

#define TRIM_AFTER (2 * NS_SEC)

struct options {
	const char *kubeconfig, *context, *ns, *image, *pod, *address;
	bool json, debug;
};

struct operator
{
	struct options o;
	struct loop *loop;
	struct k8s *k;
	struct workqueue *queue;
	struct reconciler reconciler;
	struct counters counters;
	struct server server;
	struct loop_timer *trim;
	bool synced;
	struct err fatal;
};

enum {
	OPT_KUBECONFIG = 256,
	OPT_CONTEXT,
	OPT_METRICS,
	OPT_FORMAT,
	OPT_NAMESPACE,
	OPT_IMAGE,
	OPT_DEBUG
};

static const struct argp_option options[] = {
	{"kubeconfig", OPT_KUBECONFIG, "FILE", 0,
	 "Run outside of the cluster, with this kubeconfig", 0},
	{"context", OPT_CONTEXT, "NAME", 0, "Its context, instead of the current one", 0},
	{"namespace", OPT_NAMESPACE, "NAME", 0,
	 "Watch this namespace ($WATCH_NAMESPACE; empty: all)", 0},
	{"image", OPT_IMAGE, "IMAGE", 0, "Image that pods take the agent from ($OPERATOR_IMAGE)",
	 0},
	{"metrics-addr", OPT_METRICS, "ADDRESS", 0,
	 "Where health and metrics are served (:8081); \"\" serves none", 0},
	{"log-format", OPT_FORMAT, "FORMAT", 0, "text (default) or json", 0},
	{"debug", OPT_DEBUG, NULL, 0, "Log more", 0},
	{0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case OPT_KUBECONFIG:
		o->kubeconfig = arg;
		return 0;
	case OPT_CONTEXT:
		o->context = arg;
		return 0;
	case OPT_NAMESPACE:
		o->ns = arg;
		return 0;
	case OPT_IMAGE:
		o->image = arg;
		return 0;
	case OPT_METRICS:
		o->address = arg;
		return 0;
	case OPT_FORMAT:
		if (strcmp(arg, "json") != 0 && strcmp(arg, "text") != 0)
			argp_error(state, "log format \"%s\" is not one of text, json", arg);
		o->json = strcmp(arg, "json") == 0;
		return 0;
	case OPT_DEBUG:
		o->debug = true;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "unexpected argument \"%s\"", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void print_version(FILE *out, struct argp_state *state UNUSED)
{
	fprintf(out, "presto-operator %s (%s)\n", version_text, version_commit);
}

static int connect_api(struct operator* op, struct err *e)
{
	struct k8s_config config = {0};
	AUTO(kubeconfig_freep) struct kubeconfig *file = NULL;
	autofree char *agent = xasprintf("presto-operator/%s", version_text);
	const struct k8s_opts opts = {.user_agent = agent};

	if (op->o.kubeconfig || op->o.context) {
		if (kubeconfig_load(&file, op->o.kubeconfig, e) < 0 ||
		    kubeconfig_resolve(&config, file, op->o.context, e) < 0)
			return -1;
	} else if (k8s_config_in_cluster(&config, NULL, e) < 0) {
		return err_hint(e, "outside of a cluster, give --kubeconfig FILE");
	}
	return k8s_new(&op->k, op->loop, &config, &opts, e);
}

static void enqueue(const char *key, void *arg)
{
	struct operator* op = arg;

	workqueue_add(op->queue, key);
}

static bool enqueue_each(const char *key, const void *entry UNUSED, void *arg)
{
	enqueue(key, arg);
	return true;
}

/* Bursts leave free pages behind, which glibc would keep. */
static void trim(void *arg UNUSED)
{
	malloc_trim(0);
}

static int setup(struct operator* op, struct err *e)
{
	const struct view_opts view = {
		.ns = op->o.ns, .agent_image = op->o.image, .changed = enqueue, .arg = op};
	struct reconciler *r = &op->reconciler;

	if (loop_new(&op->loop, e) < 0 || loop_signals(op->loop, e) < 0 || connect_api(op, e) < 0)
		return -1;
	op->queue = workqueue_new(op->loop);
	op->trim = loop_timer_new(op->loop, trim, NULL);
	r->events = events_new(op->k, "presto-operator", op->o.pod);
	if (poller_new(&r->poller, op->loop, enqueue, op, e) < 0 ||
	    view_new(&r->view, op->k, &view, e) < 0)
		return -1;
	r->applier = (struct applier){.k = op->k, .view = r->view};
	op->server = (struct server){
		.reconciler = r, .queue = op->queue, .counters = &op->counters};
	if (*op->o.address && server_start(&op->server, op->loop, op->o.address, e) < 0)
		return err_wrap(e, "health and metrics");
	return 0;
}

static void teardown(struct operator* op)
{
	server_stop(&op->server);
	view_free(op->reconciler.view);
	poller_free(op->reconciler.poller);
	events_free(op->reconciler.events);
	loop_timer_free(op->trim);
	workqueue_free(op->queue);
	k8s_free(op->k);
	loop_free(op->loop);
}

static void one(struct operator* op, const char *key)
{
	struct reconcile_result res = {0};
	struct err e = ERR_INIT;
	ns_t started = clock_mono();
	int rc = reconcile(&op->reconciler, key, workqueue_len(op->queue) > 0, &res, &e);

	op->counters.reconciles++;
	op->counters.seconds_total += clock_mono() - started;
	if (rc < 0 && e.code != ERR_CANCELLED) {
		op->counters.errors++;
		log_err(LOG_WARN_LEVEL, key, &e, "reconciling");
		workqueue_add_limited(op->queue, key);
		return;
	}
	workqueue_forget(op->queue, key);
	if (res.again)
		workqueue_add(op->queue, key);
	else if (res.requeue_after)
		workqueue_add_after(op->queue, key, res.requeue_after);
}

/* The outer level of the loop: the only place from which anything waits. */
static void turn(void *arg)
{
	struct operator* op = arg;
	const char *key;

	if (view_step(op->reconciler.view, &op->fatal) < 0) {
		loop_stop(op->loop);
		return;
	}
	if (!view_synced(op->reconciler.view))
		return;
	if (!op->synced) {
		op->synced = true;
		log_info(NULL, "watching %zu Presto resource(s) in %s",
			 view_cr_count(op->reconciler.view),
			 op->o.ns && *op->o.ns ? op->o.ns : "all namespaces");
		view_each_cr(op->reconciler.view, enqueue_each, op);
		loop_timer_after(op->trim, TRIM_AFTER);
	}
	while (!loop_signalled(op->loop) && (key = workqueue_get(op->queue))) {
		one(op, key);
		workqueue_done(op->queue, key);
		loop_timer_after(op->trim, TRIM_AFTER);
	}
}

static const char *env_or(const char *name, const char *fallback)
{
	const char *value = getenv(name);

	return value ? value : fallback;
}

static int run(struct operator* op, struct err *e)
{
	if (!*op->o.image) {
		err_set(e, ERR_INVALID, "no image to take the agent from");
		return err_hint(e, "set OPERATOR_IMAGE, or give --image");
	}
	if (setup(op, e) < 0 || loop_run(op->loop, turn, op, e) < 0)
		return -1;
	if (op->fatal.code) {
		*e = op->fatal;
		return -1;
	}
	log_info(NULL, "stopped by signal %d", loop_signalled(op->loop));
	return 0;
}

int main(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse,
		.doc = "Makes a Kubernetes cluster look like its Presto resources."};
	struct operator op = {.o = {.ns = env_or("WATCH_NAMESPACE", ""),
				    .image = env_or("OPERATOR_IMAGE", ""),
				    .pod = env_or("POD_NAME", "presto-operator"),
				    .address = ":8081"}};
	struct err e = ERR_INIT;
	int rc;

	/* One thread needs one arena, and long-lived entries go where bursts do not leave holes. */
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_TRIM_THRESHOLD, 128 << 10);
	mallopt(M_MMAP_THRESHOLD, 64 << 10);
	argp_program_version_hook = print_version;
	if (argp_parse(&argp, argc, argv, 0, NULL, &op.o) != 0)
		return 2;
	log_setup(op.o.debug ? LOG_DEBUG_LEVEL : LOG_INFO_LEVEL, op.o.json);
	rc = run(&op, &e);
	if (rc < 0 && e.code != ERR_CANCELLED)
		log_err(LOG_ERROR_LEVEL, NULL, &e, "presto-operator");
	teardown(&op);
	return rc < 0 && e.code != ERR_CANCELLED ? 1 : 0;
}
