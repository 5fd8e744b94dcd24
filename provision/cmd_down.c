/* cmd_down.c - takes away what `up` made, and the cluster when prestoctl made it. */
#include "provision/commands.h"
#include "provision/down.h"

struct options {
	const char *file, *leftovers;
	bool keep_cluster, keep_disks, unprotect, adopt;
};

static const char *const choices[] = {"list", "delete", "ignore", NULL};

static const struct opt opts[] = {
	TARGET_FILE_OPT(struct options),
	{"keep-cluster", 0, OPT_FLAG, offsetof(struct options, keep_cluster), NULL,
	 "leave the Kubernetes cluster, also when prestoctl made it", NULL},
	{"leftovers", 0, OPT_CHOICE, offsetof(struct options, leftovers), "HOW",
	 "GKE: list (default), delete or ignore what the cluster leaves", choices},
	{"keep-disks", 0, OPT_FLAG, offsetof(struct options, keep_disks), NULL,
	 "GKE: the disks of volumes stay", NULL},
	{"unprotect", 0, OPT_FLAG, offsetof(struct options, unprotect), NULL,
	 "GKE: also when deletion protection is on", NULL},
	{"adopt", 0, OPT_FLAG, offsetof(struct options, adopt), NULL,
	 "GKE: the cluster has our label, but nothing is remembered of it", NULL},
	{0},
};

/* Saying what cannot be meant is a mistake that should not be found out afterwards. */
static int check_options(const struct target *t, const struct options *o, struct err *e)
{
	const char *name = o->leftovers    ? "leftovers"
			   : o->keep_disks ? "keep-disks"
			   : o->unprotect  ? "unprotect"
			   : o->adopt      ? "adopt"
					   : NULL;

	if (!name || t->provider->release)
		return 0;
	return app_usage(t->pc.app, e, "--%s means nothing to the provider %s", name,
			 t->provider->name);
}

static int down(struct target *t, const struct options *o, struct err *e)
{
	struct down d;
	int failed;

	if (check_options(t, o, e) < 0)
		return -1;
	down_init(&d, t->pc.app, t);
	t->pc.adopt = o->adopt;
	d.keep_cluster = o->keep_cluster;
	d.removal = (struct provider_removal){
		.ignore_leftovers = streq(o->leftovers, "ignore"),
		.delete_leftovers = streq(o->leftovers, "delete"),
		.keep_disks = o->keep_disks,
		.unprotect = o->unprotect,
	};
	failed = down_environment(&d, e);
	down_tell(&d, !failed);
	down_release(&d);
	return failed;
}

static int run(struct app *a, int argc, char **argv, struct err *e)
{
	struct target t = TARGET_INIT;
	struct options o = {0};
	int failed;

	if (app_options(a, &cmd_down, &o, &argc, argv, e) < 0 || app_start(a, e) < 0)
		return -1;
	failed = target_open(&t, a, o.file, argc ? argv[0] : NULL, true, e) < 0 ||
		 down(&t, &o, e) < 0;
	if (failed && e->code == ERR_CANCELLED && t.name)
		err_hint(e, "prestoctl down %s goes on from here", t.name);
	target_close(&t);
	return failed ? -1 : 0;
}

const struct command cmd_down = {
	.name = "down",
	.args = "[NAME | -f FILE]",
	.summary = "take everything of an environment away",
	.about =
		"The Presto resource goes first, then the operator and its rights. The resource type and the\n"
		"namespace go only when this environment made them and no other Presto is left; what stays\n"
		"is said. The cluster goes when prestoctl made it.\n\n"
		"A GKE cluster can leave disks, load balancers and firewall rules in its project. They are\n"
		"written down before it goes and looked for afterwards. While any is left the exit code is 6,\n"
		"and prestoctl down NAME --leftovers delete removes what is surely the cluster's own; what\n"
		"only looks like it is never deleted.",
	.opts = opts,
	.max_args = 1,
	.run = run,
};
