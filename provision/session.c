/* session.c - see session.h. */
#include "provision/session.h"

#include <stdlib.h>

#include "presto/names.h"
#include "presto/presto.h"

static int name_service(struct session *s, struct err *e)
{
	const char *known = jx_str(s->resource, "status.service");
	char name[NAME_SIZE];
	struct presto p;

	if (known) {
		s->service = xstrdup(known);
		return 0;
	}
	/* not reconciled yet: the name is known all the same */
	if (presto_decode(&p, s->resource, e) < 0)
		return -1;
	presto_service_name(name, &p);
	s->service = xstrdup(name);
	return 0;
}

int session_open(struct session *s, struct app *a, const char *file, const struct session_opts *o,
		 struct err *e)
{
	*s = (struct session){.target = TARGET_INIT};
	if (target_open(&s->target, a, file, o->env, false, e) < 0)
		return -1;
	if (o->presto) {
		free(s->target.presto);
		s->target.presto = xstrdup(o->presto);
	}
	if (target_connect(&s->target, e) < 0 || target_presto(&s->resource, &s->target, e) < 0 ||
	    name_service(s, e) < 0)
		return -1;
	s->ns = obj_ns(s->resource);
	s->presto = obj_name(s->resource);
	s->coordinator = (struct coordinator){
		s->target.k, {.ns = s->ns, .name = s->service, .port = PRESTO_PORT}};
	return 0;
}

void session_release(struct session *s)
{
	target_close(&s->target);
	json_decref(s->resource);
	free(s->service);
	*s = (struct session){.target = TARGET_INIT};
}

struct presto_client session_client(struct session *s, const char *user)
{
	const char *self = getenv("USER");

	return coordinator_client(&s->coordinator, user            ? user
						   : self && *self ? self
								   : "prestoctl");
}
