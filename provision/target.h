/*
 * target.h - the running Presto cluster that a command speaks to: found from an environment's
 * state, or from a kubeconfig and a namespace when prestoctl did not make it.
 */
#ifndef PROVISION_TARGET_H
#define PROVISION_TARGET_H

#include "k8s/proxy.h"
#include "presto/sql.h"
#include "provision/app.h"

struct target {
	struct k8s *k8s;
	char *env;	    /* the environment's name, NULL when there is none */
	char *ns, *presto;  /* the resource */
	json_t *resource;   /* as it was when the target was opened */
	char *service;	    /* the coordinator's Service */
	struct k8s_svc svc; /* borrows ns and service */
};

/* What commands offer to choose one; the rows go into their option tables by TARGET_OPTS. */
struct target_opts {
	const char *env, *presto;
};
#define TARGET_OPTS(type, member)                                                                  \
	{"env",	   'e',                                                                            \
	 OPT_TEXT, offsetof(type, member.env),                                                     \
	 "NAME",   "the environment, when there are several",                                      \
	 NULL},                                                                                    \
	{                                                                                          \
		"presto", 'p', OPT_TEXT, offsetof(type, member.presto), "NAME",                    \
			"the Presto resource, when there are several", NULL                        \
	}

/*
 * target_open - app_start() must have been called. With --env, or when there is exactly one
 * environment and neither --context,
 * --kubeconfig nor -n was given: that environment's cluster, namespace and resource. Else the
 * kubeconfig's. ERR_NOT_FOUND and ERR_INVALID name what there is to choose from.
 */
int target_open(struct target *out, struct app *a, const struct target_opts *o,
		struct err *e) MUST_CHECK;
void target_release(struct target *t);
/* target_transport - a presto_transport_fn through the API server's service proxy; arg is the
 * struct target. */
presto_transport_fn target_transport;
/* target_client - user and source filled in; user: $USER or "prestoctl" when NULL. */
struct presto_client target_client(struct target *t, struct app *a, const char *user);

#endif
