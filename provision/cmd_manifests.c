/* cmd_manifests.c - the embedded manifests, filled in: for those who install with kubectl or GitOps. */
#include "provision/commands.h"
#include "provision/objects.h"
#include "provision/provider.h"

struct options {
	const char *file, *image;
};

static const struct opt opts[] = {
	{"file", 'f', OPT_TEXT, offsetof(struct options, file), "FILE",
	 "an environment file: its namespace, image and Presto resource", NULL},
	{"image", 0, OPT_TEXT, offsetof(struct options, image), "IMAGE", "the operator's image",
	 NULL},
	{0},
};

static void put(const struct app *a, json_t *all, json_t *o)
{
	autofree char *text = NULL;

	if (a->json) {
		json_array_append_new(all, o);
		return;
	}
	text = y2j_emit(o);
	app_print("---\n%s", text);
	json_decref(o);
}

/* As the provider would have it; there is no state, as nothing is made. */
static int complete(struct app *a, struct env *v, const char *image, struct err *e)
{
	const struct provider *p = provider_find(v->provider);
	struct state none = STATE_INIT;
	struct provider_ctx c = {.app = a, .env = v, .state = &none};
	int failed;

	if (!p->prepare)
		return 0;
	a->operator_image = image;
	none.doc = json_object();
	failed = app_start(a, e) < 0 || p->prepare(&c, v, e) < 0;
	state_close(&none);
	return failed ? -1 : 0;
}

static int run(struct app *a, int argc, char **argv, struct err *e)
{
	AUTO(env_freep) struct env *env = NULL;
	struct options o = {0};
	struct install in = {0};
	autojson json_t *all = json_array();

	if (app_options(a, &cmd_manifests, &o, &argc, argv, e) < 0)
		return -1;
	if (o.file && env_load(&env, o.file, &a->detail, e) < 0) {
		a->exit_code = EXIT_USAGE;
		return -1;
	}
	if (env && complete(a, env, o.image, e) < 0)
		return -1;
	in.ns = a->g.ns ? a->g.ns : env ? env->ns : "default";
	in.image = o.image ? o.image : env ? env->operator_image : "localhost/presto-operator:dev";
	in.pull_policy = env ? env->operator_pull_policy : NULL;
	in.resources = env ? env->operator_resources : NULL;
	for (enum object_id id = 0; id < OBJ_PRESTO; id++)
		if (id != OBJ_NAMESPACE || !streq(in.ns, "default"))
			put(a, all, object_want(id, &in));
	if (env)
		put(a, all, json_deep_copy(env->presto));
	if (a->json)
		app_result_json(json_pack("{s:s, s:s, s:O}", "apiVersion", "v1", "kind", "List",
					  "items", all));
	return 0;
}

const struct command cmd_manifests = {
	.name = "manifests",
	.args = "[-f FILE]",
	.summary = "print what is installed into a cluster, for kubectl apply",
	.about =
		"With -f also the Presto resource. A cluster that does not know its type yet takes that\n"
		"only once the type is established: apply it a second time.",
	.opts = opts,
	.run = run,
};
