/*
 * provider_local.c - a real Kubernetes on this machine, by scripts/devcluster as a child process that speaks JSON
 * lines. Several environments may live in one local cluster; it goes with the last one that made it.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/child.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "k8s/obj.h"
#include "provision/archives.h"
#include "provision/provider.h"

#define DEVCLUSTER  "devcluster/devcluster"
#define MOST_OUTPUT (1u << 20)

/* What a run of devcluster said. */
struct talk {
	struct app *app;
	json_t *result;
	struct err failure; /* its own words */
};

static const char *cluster_name(const struct provider_ctx *c)
{
	const char *named = c->env ? jx_str(c->env->cluster, "name")
				   : jx_str(c->state->doc, "cluster");

	return named ? named : "default";
}

static void on_line(const char *line, bool is_stderr, void *arg)
{
	struct talk *t = arg;
	autojson json_t *o = NULL;
	struct err bad = ERR_INIT;
	const char *event;

	if (is_stderr || jx_parse(&o, line, strlen(line), "devcluster", &bad) < 0) {
		log_debug("devcluster", "%s", line);
		return;
	}
	event = jx_str_or(o, "event", "");
	if (streq(event, "step") && !streq(jx_str(o, "state"), "failed")) {
		const char *message = jx_str_or(o, "message", "");

		progress_say(t->app->progress, "%s%s%s", jx_str_or(o, "name", "?"),
			     *message ? ": " : "", message);
	} else if (streq(event, "warning")) {
		progress_warn(t->app->progress, "%s", jx_str_or(o, "message", ""));
	} else if (streq(event, "error") && t->failure.code == ERR_OK) {
		err_set(&t->failure, jx_int(o, "code") == 3 ? ERR_TIMEOUT : ERR_UNAVAILABLE, "%s",
			jx_str_or(o, "message", "?"));
		err_hint(&t->failure, "%s", jx_str_or(o, "hint", ""));
	} else if (streq(event, "result")) {
		json_decref(t->result);
		t->result = json_incref(o);
	}
}

static ns_t time_left(const struct app *a)
{
	ns_t left = a->deadline - clock_mono();

	return left > NS_SEC ? left : NS_SEC;
}

/* devcluster VERB [extra...] --name NAME --output json. *out (may be NULL) is its result, owned. */
static int devcluster(json_t **out, struct provider_ctx *c, const char *verb,
		      const char *const *extra, bool any_exit, struct err *e)
{
	AUTO(child_result_release) struct child_result done = {0};
	struct talk talk = {.app = c->app};
	autofree char *tool = NULL;
	const char *argv[16] = {0};
	size_t n = 0;
	struct child_opts o = {
		.argv = argv, .on_line = on_line, .arg = &talk, .max_output = MOST_OUTPUT};
	int failed;

	/* Also for a look: what belongs to root would seem to be absent. */
	if (geteuid() != 0) {
		err_set(e, ERR_DENIED, "the local Kubernetes belongs to root, and you are not");
		return err_hint(e, "run prestoctl as root, or use the provider existing");
	}
	if (provider_tool(&tool, "PRESTOCTL_DEVCLUSTER", DEVCLUSTER, e) < 0)
		return -1;
	argv[n++] = tool;
	argv[n++] = verb;
	for (; extra && *extra && n + 5 < ARRAY_LEN(argv); extra++)
		argv[n++] = *extra;
	argv[n++] = "--name";
	argv[n++] = cluster_name(c);
	argv[n++] = "--output";
	argv[n++] = "json";
	o.timeout = time_left(c->app);
	failed = child_run(&done, c->app->loop, &o, e);
	if (!failed && talk.failure.code != ERR_OK) {
		*e = talk.failure;
		failed = err_wrap(e, "local cluster %s", cluster_name(c));
	} else if (!failed && (!talk.result || (done.exit_code && !any_exit))) {
		failed = err_set(e, ERR_PROTOCOL, "devcluster %s ended with status %d: %.300s",
				 verb, done.exit_code, buf_str(&done.err));
	}
	if (!failed && out)
		*out = json_incref(talk.result);
	json_decref(talk.result);
	return failed ? -1 : 0;
}

static void say_cluster(char words[200], const json_t *status)
{
	size_t n = json_array_size(jx_get(status, "nodes"));

	snprintf(words, 200, "%.40s, Kubernetes %.30s, %zu node%s", jx_str_or(status, "name", "?"),
		 jx_str_or(status, "kubernetes", "?"), n, n == 1 ? "" : "s");
}

/* Where a running cluster's kubeconfig is; nothing secret is in the state itself. */
static int remember(struct provider_ctx *c, const json_t *status, struct err *e)
{
	const char *file = jx_str(status, "kubeconfig"), *server = jx_str(status, "server");

	if (!file)
		return err_set(e, ERR_PROTOCOL, "devcluster did not say where the kubeconfig is");
	if (c->state->lock < 0) {
		json_object_set_new(c->state->doc, "kubeconfig", json_string(file));
		return 0;
	}
	if (state_set(c->state, "cluster", json_string(cluster_name(c)), e) < 0 ||
	    state_set(c->state, "kubeconfig", json_string(file), e) < 0)
		return -1;
	return server ? state_set(c->state, "server", json_string(server), e) : 0;
}

/* The usual case, without a child process: the cluster that is remembered answers, and all its nodes are ready. */
static bool answers(struct cluster_facts *out, struct provider_ctx *c)
{
	const char *file = jx_str(c->state->doc, "kubeconfig");
	const struct k8s_list_opts all = {0};
	AUTO(k8s_freep) struct k8s *k = NULL;
	autojson json_t *nodes = NULL;
	struct err e = ERR_INIT;
	size_t n;

	if (!streq(jx_str(c->state->doc, "cluster"), cluster_name(c)) || !file ||
	    !file_exists(file) || provider_connect(&k, c->app, file, NULL, NULL, NULL, &e) < 0 ||
	    k8s_list(&nodes, k, &K8S_NODE, NULL, &all, &e) < 0)
		return false;
	n = json_array_size(nodes);
	for (size_t i = 0; i < n; i++)
		if (!obj_condition_true(json_array_get(nodes, i), "Ready"))
			return false;
	*out = (struct cluster_facts){.ready = n > 0, .exists = true};
	snprintf(out->words, sizeof(out->words), "%.40s, %zu node%s", cluster_name(c), n,
		 n == 1 ? "" : "s");
	return n > 0;
}

static int observe(struct cluster_facts *out, struct provider_ctx *c, struct err *e)
{
	autojson json_t *status = NULL;
	const char *state;

	if (answers(out, c))
		return 0;
	if (loop_signalled(c->app->loop))
		return err_set(e, ERR_CANCELLED, "interrupted");
	if (devcluster(&status, c, "status", NULL, true, e) < 0)
		return -1;
	state = jx_str_or(status, "state", "absent");
	*out = (struct cluster_facts){.ready = streq(state, "running"),
				      .exists = !streq(state, "absent")};
	if (out->ready) {
		say_cluster(out->words, status);
		return remember(c, status, e);
	}
	snprintf(out->words, sizeof(out->words), "%.40s is %.40s", cluster_name(c), state);
	return 0;
}

static int ensure(struct provider_ctx *c, char words[200], struct err *e)
{
	const char *cidr = c->env ? jx_str(c->env->cluster, "cidr") : NULL;
	json_int_t nodes = c->env ? jx_int(c->env->cluster, "nodes") : 0;
	const char *extra[8] = {0};
	autojson json_t *result = NULL;
	struct cluster_facts facts = {0};
	char count[24];
	size_t n = 0;

	if (observe(&facts, c, e) < 0)
		return -1;
	/* Before it is made: a killed run must not leave a cluster that nobody feels responsible for. */
	if (!facts.exists && (state_set(c->state, "cluster", json_string(cluster_name(c)), e) < 0 ||
			      state_set(c->state, "made.cluster", json_true(), e) < 0))
		return -1;
	if (nodes && !facts.exists) {
		snprintf(count, sizeof(count), "%lld", (long long)nodes);
		extra[n++] = "--nodes";
		extra[n++] = count;
	}
	if (cidr && !facts.exists) {
		extra[n++] = "--cidr";
		extra[n++] = cidr;
	}
	if (devcluster(&result, c, "up", extra, false, e) < 0)
		return -1;
	say_cluster(words, result);
	return remember(c, result, e);
}

static int access_cluster(struct k8s **out, struct provider_ctx *c, struct err *e)
{
	const char *file = jx_str(c->state->doc, "kubeconfig");
	struct cluster_facts facts = {0};

	if (!file || !file_exists(file)) {
		if (observe(&facts, c, e) < 0)
			return -1;
		if (!facts.ready) {
			err_set(e, ERR_NOT_FOUND, "the local cluster %s", facts.words);
			return err_hint(e, "prestoctl up -f FILE brings it up");
		}
		file = jx_str(c->state->doc, "kubeconfig");
	}
	return provider_connect(out, c->app, file, NULL, NULL, NULL, e);
}

static bool file_ref(const json_t *images, char *out, size_t size)
{
	for (size_t i = 0; i < json_array_size(images); i++) {
		size_t len = strlen(out);

		snprintf(out + len, size - len, "%s%s", len ? ", " : "",
			 json_string_value(json_array_get(images, i)));
	}
	return *out != '\0';
}

static int load(struct provider_ctx *c, const char *file, bool *loaded, struct err *e)
{
	const char *const extra[] = {file, NULL};
	autojson json_t *result = NULL;
	char names[160] = "";

	progress_say(c->app->progress, "bringing %s to the nodes", file);
	if (devcluster(&result, c, "load-image", extra, false, e) < 0)
		return -1;
	if (jx_bool(result, "changed"))
		*loaded = true;
	if (file_ref(jx_get(result, "images"), names, sizeof(names)))
		log_debug("images", "%s has %s", file, names);
	return 0;
}

static int bring_named(struct provider_ctx *c, bool *loaded, struct err *e)
{
	const json_t *files = c->env->images;

	for (size_t i = 0; i < json_array_size(files); i++) {
		autofree char *path = env_file(c->env, json_string_value(json_array_get(files, i)));

		if (!file_exists(path))
			return err_set(e, ERR_NOT_FOUND, "image archive %s is not there", path);
		if (load(c, path, loaded, e) < 0)
			return -1;
	}
	return 0;
}

/* What bringing images has come to. */
struct brought {
	bool loaded, missing;
};

static int bring_built(struct provider_ctx *c, const json_t *nodes, const char *ref,
		       struct brought *b, struct err *e)
{
	autofree char *archive = NULL;

	if (archive_built(&archive, c->app, ref, e) < 0)
		return -1;
	if (archive)
		return load(c, archive, &b->loaded, e);
	if (nodes_have_image(nodes, ref))
		return 0;
	if (archive_recipe(ref)) {
		err_set(e, ERR_NOT_FOUND, "the image %s is not built", ref);
		return err_hint(e, "%s", archive_recipe(ref));
	}
	/* Nodes here reach no registry, but the kubelet's word is the one that counts. */
	progress_warn(c->app->progress,
		      "image %s is not on the nodes, and no archive of it is named under images",
		      ref);
	b->missing = true;
	return 0;
}

static int images(struct provider_ctx *c, struct k8s *k, const char *const *refs, size_t n,
		  char words[200], struct err *e)
{
	autojson json_t *nodes = NULL;
	const struct k8s_list_opts all = {0};
	struct brought b = {0};

	if (bring_named(c, &b.loaded, e) < 0 || k8s_list(&nodes, k, &K8S_NODE, NULL, &all, e) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		/* With named archives these are all that we look at, where the nodes then have the image. */
		if (json_array_size(c->env->images) && nodes_have_image(nodes, refs[i]))
			continue;
		if (bring_built(c, nodes, refs[i], &b, e) < 0)
			return -1;
	}
	snprintf(words, 200, "%s",
		 b.missing  ? "not all, see the warning"
		 : b.loaded ? "brought to the nodes"
			    : "on the nodes already");
	return 0;
}

static int destroy(struct provider_ctx *c, char words[200], struct err *e)
{
	if (devcluster(NULL, c, "down", NULL, false, e) < 0)
		return -1;
	snprintf(words, 200, "local cluster %s is gone", cluster_name(c));
	return 0;
}

const struct provider provider_local = {
	.name = "local",
	.observe = observe,
	.ensure = ensure,
	.access = access_cluster,
	.images = images,
	.destroy = destroy,
};
