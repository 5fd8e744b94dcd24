/*
 * target.h - which environment a command means, and a client for it: by -f FILE, by NAME, by --kubeconfig /
 * --context / --namespace, or the only one that is remembered.
 */
#ifndef PROVISION_TARGET_H
#define PROVISION_TARGET_H

#include "provision/provider.h"

struct target {
	struct env *env;    /* NULL without a file */
	struct state state; /* of the environment; empty when it was named by options only */
	struct provider_ctx pc;
	const struct provider *provider; /* NULL when named by options only */
	struct k8s *k;                   /* from target_connect on */
	char *name;                      /* of the environment; NULL when named by options only */
	char *ns;                        /* where the Presto resource is */
	char *presto;                    /* its name; NULL until found (target_presto) */
};

#define TARGET_INIT                 \
	{                           \
		.state = STATE_INIT \
	}

/* The option that such commands share; put the row into their tables. */
#define TARGET_FILE_OPT(type)                                                                     \
	{                                                                                         \
		"file", 'f', OPT_TEXT, offsetof(type, file), "FILE", "the environment file", NULL \
	}

/* The option of commands that make the operator; the value goes to app->operator_image before target_open. */
#define TARGET_OPERATOR_OPT(type)                                                       \
	{                                                                               \
		"operator-image", 0, OPT_TEXT, offsetof(type, operator_image), "IMAGE", \
			"an operator image that exists; it is not pushed", NULL         \
	}

/*
 * target_open - find out which one is meant; talks to nobody. @file and @name may be NULL. With @lock the environment
 * is ours (ERR_CONFLICT when it is another's). Choosing wrongly is a usage error. app_start must have been called.
 */
int target_open(struct target *t, struct app *a, const char *file, const char *name, bool lock,
		struct err *e) MUST_CHECK;
/* target_connect - a client of its API server. */
int target_connect(struct target *t, struct err *e) MUST_CHECK;
/* target_presto - the Presto resource; the only one of the namespace when none was named. Owned. */
int target_presto(json_t **out, struct target *t, struct err *e) MUST_CHECK;
void target_close(struct target *t);

#endif
