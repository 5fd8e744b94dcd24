/*
 * session.h - the running Presto cluster that a command speaks to, found from an environment or
 * from a kubeconfig and a namespace, with its resource, its coordinator's Service and a client for
 * SQL.
 */
#ifndef PROVISION_SESSION_H
#define PROVISION_SESSION_H

#include "provision/target.h"
#include "provision/proof.h"

struct session {
	struct target target;
	json_t *resource;               /* as it was when the session was opened */
	char *service;                  /* the coordinator's Service */
	const char *ns, *presto;        /* borrowed from the resource */
	struct coordinator coordinator; /* borrows the above */
};

/* What commands offer to choose one: the rows go into their option tables by SESSION_OPTS. */
struct session_opts {
	const char *env, *presto;
};
/* clang-format off */
#define SESSION_OPTS(type, member)                                                                 \
	{"env", 'e', OPT_TEXT, offsetof(type, member.env), "NAME",                                 \
	 "the environment, when there are several", NULL},                                         \
	{"presto", 'p', OPT_TEXT, offsetof(type, member.presto), "NAME",                           \
	 "the Presto resource, when there are several", NULL}
/* clang-format on */

/*
 * session_open - app_start() must have been called. @file: an environment file, or NULL. With
 * --env, or when exactly one environment is known and neither --context, --kubeconfig nor -n was
 * given: that environment's. Else the kubeconfig's. ERR_NOT_FOUND and ERR_INVALID name what there
 * is to choose from.
 */
int session_open(struct session *s, struct app *a, const char *file, const struct session_opts *o,
		 struct err *e) MUST_CHECK;
void session_release(struct session *s);
/* session_client - @user NULL: $USER. It borrows the session. */
struct presto_client session_client(struct session *s, const char *user);

#endif
