/* target.c - see target.h. */
#include "provision/target.h"

#include <stdlib.h>
#include <string.h>

#include "k8s/obj.h"
#include "provision/registry.h"

/* Said by commands with a word, with --env, and with -f: all of them take these. */
#define WHICH_ENVIRONMENT "name one, as in: prestoctl status NAME, prestoctl query --env NAME"
#define WHICH_CLUSTER \
	"prestoctl up -f FILE makes one; another cluster is reached by --context, --kubeconfig and -n"

static int by_file(struct target *t, struct app *a, const char *file, bool lock, struct err *e)
{
	if (env_load(&t->env, file, &a->detail, e) < 0) {
		a->exit_code = EXIT_USAGE;
		return -1;
	}
	if (a->operator_image && !image_ref_parse(&(struct image_ref){0}, a->operator_image))
		return app_usage(a, e, "--operator-image: '%.100s' is not the name of an image",
				 a->operator_image);
	if (a->operator_image)
		t->env->operator_image = a->operator_image;
	t->name = xstrdup(t->env->name);
	t->provider = provider_find(t->env->provider);
	t->ns = xstrdup(t->env->ns);
	t->presto = xstrdup(jx_str(t->env->presto, "metadata.name"));
	return state_open(&t->state, t->name, lock, e);
}

static void list_names(char *out, size_t size, const json_t *names)
{
	out[0] = '\0';
	for (size_t i = 0; i < json_array_size(names); i++) {
		size_t len = strlen(out);

		snprintf(out + len, size - len, "%s%s", i ? ", " : "",
			 json_string_value(json_array_get(names, i)));
	}
}

static bool plain_name(const char *name)
{
	return *name && *name != '.' && strlen(name) <= 40 &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(name);
}

static int by_state(struct target *t, struct app *a, const char *name, bool lock, struct err *e)
{
	autojson json_t *names = NULL;
	char known[300];

	if (!plain_name(name)) {
		app_usage(a, e, "'%.60s' is not the name of an environment", name);
		return err_hint(e, "%s", WHICH_ENVIRONMENT);
	}
	if (state_open(&t->state, name, false, e) < 0)
		return -1;
	t->provider = provider_find(jx_str_or(t->state.doc, "provider", ""));
	if (!t->state.found || !t->provider || !jx_str(t->state.doc, "namespace")) {
		if (state_names(&names, e) < 0)
			return -1;
		list_names(known, sizeof(known), names);
		app_usage(a, e, "no environment '%s' is known here", name);
		return err_hint(e, "%s%s", *known ? "known are: " : WHICH_CLUSTER, known);
	}
	t->name = xstrdup(name);
	t->ns = xstrdup(jx_str(t->state.doc, "namespace"));
	t->presto = jx_str(t->state.doc, "presto") ? xstrdup(jx_str(t->state.doc, "presto")) : NULL;
	if (!lock)
		return 0;
	/* Now that it is known to be there: again, and alone. */
	state_close(&t->state);
	return state_open(&t->state, name, true, e);
}

static int by_only(struct target *t, struct app *a, bool lock, struct err *e)
{
	autojson json_t *names = NULL;
	char known[300];

	if (state_names(&names, e) < 0)
		return -1;
	if (json_array_size(names) == 1)
		return by_state(t, a, json_string_value(json_array_get(names, 0)), lock, e);
	list_names(known, sizeof(known), names);
	if (!json_array_size(names)) {
		app_usage(a, e, "no environment is known here");
		return err_hint(e, "%s", WHICH_CLUSTER);
	}
	app_usage(a, e, "there are several environments: %s", known);
	return err_hint(e, "%s", WHICH_ENVIRONMENT);
}

int target_open(struct target *t, struct app *a, const char *file, const char *name, bool lock,
		struct err *e)
{
	const struct globals *g = &a->g;

	if (file && name)
		return app_usage(a, e, "both -f %s and '%s' are given; one of them is enough", file,
				 name);
	t->pc = (struct provider_ctx){.app = a, .state = &t->state};
	if (file && by_file(t, a, file, lock, e) < 0)
		return -1;
	if (name && by_state(t, a, name, lock, e) < 0)
		return -1;
	if (!file && !name && (g->kubeconfig || g->context || g->ns) && !lock) {
		t->ns = g->ns ? xstrdup(g->ns) : NULL;
		t->state.doc = json_object();
	} else if (!file && !name && by_only(t, a, lock, e) < 0) {
		return -1;
	}
	t->pc.env = t->env;
	if (t->env && t->provider->prepare && t->provider->prepare(&t->pc, t->env, e) < 0)
		return -1;
	if (t->state.damaged)
		progress_warn(a->progress, "%s cannot be read; going on without it", t->state.path);
	return 0;
}

int target_connect(struct target *t, struct err *e)
{
	const struct globals *g = &t->pc.app->g;

	if (t->k)
		return 0;
	if (t->provider)
		return t->provider->access(&t->k, &t->pc, e);
	if (provider_connect(&t->k, t->pc.app, g->kubeconfig, g->context, NULL, NULL, e) < 0)
		return -1;
	if (!t->ns)
		t->ns = xstrdup(k8s_config_of(t->k)->ns);
	return 0;
}

static int the_only(json_t **out, struct target *t, struct err *e)
{
	const struct k8s_list_opts o = {0};
	autojson json_t *all = NULL;
	char names[300] = "";

	if (k8s_list(&all, t->k, &K8S_PRESTO, t->ns, &o, e) < 0) {
		if (e->code != ERR_NOT_FOUND)
			return err_wrap(e, "namespace %s", t->ns);
		err_clear(e);
		err_set(e, ERR_NOT_FOUND, "no Presto was ever installed in this cluster");
		return err_hint(e, "%s", WHICH_CLUSTER);
	}
	if (json_array_size(all) == 1) {
		*out = json_incref(json_array_get(all, 0));
		return 0;
	}
	for (size_t i = 0; i < json_array_size(all); i++) {
		size_t len = strlen(names);

		snprintf(names + len, sizeof(names) - len, "%s%s", i ? ", " : "",
			 obj_name(json_array_get(all, i)));
	}
	err_set(e, ERR_NOT_FOUND,
		*names ? "namespace %s has several Presto clusters: %s"
		       : "namespace %s has no Presto cluster%s",
		t->ns, names);
	return err_hint(
		e, "%s",
		*names ? "say which with --presto, where the command has it"
		       : "say another namespace with -n, or make one with prestoctl up -f FILE");
}

int target_presto(json_t **out, struct target *t, struct err *e)
{
	const struct k8s_ref ref = {.ns = t->ns, .name = t->presto};

	if (!t->presto) {
		if (the_only(out, t, e) < 0)
			return -1;
		t->presto = xstrdup(obj_name(*out));
		return 0;
	}
	if (k8s_get(out, t->k, &K8S_PRESTO, &ref, e) == 0)
		return 0;
	if (e->code == ERR_NOT_FOUND) {
		err_clear(e);
		err_set(e, ERR_NOT_FOUND, "Presto %s is not there in namespace %s", ref.name,
			ref.ns);
		return err_hint(e, "prestoctl up -f FILE makes it");
	}
	return err_wrap(e, "Presto %s", ref.name);
}

void target_close(struct target *t)
{
	k8s_freep(&t->k);
	env_freep(&t->env);
	state_close(&t->state);
	free(t->name);
	free(t->ns);
	free(t->presto);
	*t = (struct target)TARGET_INIT;
}
