/* proof.c - see proof.h. */
#include "provision/proof.h"

#include <stdlib.h>

#include "base/clock.h"

#define ASK_TIMEOUT (5 * NS_SEC)
#define SQL_TIMEOUT (5 * 60 * NS_SEC)
#define SQL_TRIES   5
#define USER        "prestoctl"

static int through_proxy(struct http_resp *r, const struct http_req *q, void *arg, struct err *e)
{
	struct coordinator *at = arg;

	return k8s_proxy(r, at->k, &at->svc, q, e);
}

struct presto_client coordinator_client(struct coordinator *at, const char *user)
{
	return (struct presto_client){.transport = through_proxy,
				      .arg = at,
				      .loop = k8s_loop(at->k),
				      .user = user,
				      .source = "prestoctl"};
}

static struct coordinator coordinator_of(const struct step_ctx *c)
{
	return (struct coordinator){
		.k = c->k, .svc = {.ns = c->env->ns, .name = c->service, .port = PRESTO_PORT}};
}

int proof_cluster(struct presto_cluster *out, struct step_ctx *c, struct err *e)
{
	struct coordinator at = coordinator_of(c);
	struct presto_client client = coordinator_client(&at, USER);

	return presto_cluster_get(out, &client, e);
}

int proof_nation(struct step_ctx *c, struct err *e)
{
	struct coordinator at = coordinator_of(c);
	struct presto_client client = coordinator_client(&at, USER);
	ns_t deadline = clock_mono() + SQL_TIMEOUT;
	autojson json_t *value = NULL;

	if (deadline > c->app->deadline)
		deadline = c->app->deadline;
	snprintf(c->missing, sizeof(c->missing), "the answer to %s", PROOF_SQL);
	for (int i = 1; presto_sql_value(&value, &client, PROOF_SQL, deadline, e) < 0; i++) {
		/* A coordinator that has just started sometimes forgets its first query. */
		if (e->code != ERR_UNAVAILABLE || i == SQL_TRIES)
			return err_wrap(e, "%s", PROOF_SQL);
		progress_say(c->app->progress, "asking again: %s", e->msg);
		err_clear(e);
		if (loop_sleep(c->app->loop, NS_SEC, e) < 0)
			return -1;
	}
	if (!json_is_integer(value) || json_integer_value(value) != PROOF_ANSWER) {
		autofree char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

		return err_set(e, ERR_PROTOCOL, "%s returned %.60s, not %d", PROOF_SQL,
			       text ? text : "nothing", PROOF_ANSWER);
	}
	snprintf(c->answer, sizeof(c->answer), "%lld", (long long)json_integer_value(value));
	return 0;
}
