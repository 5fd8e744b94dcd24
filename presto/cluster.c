/* cluster.c - what a coordinator tells about itself without SQL, which blocks until a worker has joined. */
#include <string.h>

#include "presto/sql_page.h"

#define ASK_TIMEOUT (5 * NS_SEC)
#define MAX_REPLY   (1u << 20)

/* Copies a short text of a reply; longer ones are not what they should be. */
static int text_of(char out[64], const json_t *o, const char *path, struct err *e)
{
	const char *text = jx_str(o, path);

	if (!text || strlen(text) >= 64)
		return err_set(e, ERR_PROTOCOL, "/v1/info: no %s", path);
	memcpy(out, text, strlen(text) + 1);
	return 0;
}

int presto_info_decode(struct presto_info *out, const char *text, size_t len, struct err *e)
{
	autojson json_t *o = NULL;
	struct presto_info info = {0};

	if (jx_parse(&o, text, len, "/v1/info", e) < 0)
		return -1;
	if (text_of(info.version, o, "nodeVersion.version", e) < 0 ||
	    text_of(info.environment, o, "environment", e) < 0)
		return -1;
	if (!json_is_boolean(jx_get(o, "coordinator")) || !json_is_boolean(jx_get(o, "starting")))
		return err_set(e, ERR_PROTOCOL, "/v1/info: no coordinator or starting");
	info.coordinator = jx_bool(o, "coordinator");
	info.starting = jx_bool(o, "starting");
	*out = info;
	return 0;
}

static int count_of(int *out, const json_t *o, const char *key, struct err *e)
{
	const json_t *v = jx_get(o, key);

	if (!json_is_integer(v) || json_integer_value(v) < 0 || json_integer_value(v) > INT32_MAX)
		return err_set(e, ERR_PROTOCOL, "/v1/cluster: no %s", key);
	*out = (int)json_integer_value(v);
	return 0;
}

int presto_cluster_decode(struct presto_cluster *out, const char *text, size_t len, struct err *e)
{
	autojson json_t *o = NULL;
	struct presto_cluster c;

	if (jx_parse(&o, text, len, "/v1/cluster", e) < 0 ||
	    count_of(&c.active_workers, o, "activeWorkers", e) < 0 ||
	    count_of(&c.running, o, "runningQueries", e) < 0 ||
	    count_of(&c.queued, o, "queuedQueries", e) < 0 ||
	    count_of(&c.blocked, o, "blockedQueries", e) < 0)
		return -1;
	*out = c;
	return 0;
}

static int get(struct http_resp *r, const struct presto_client *c, const char *path, struct err *e)
{
	/* 312 does not ask who we are here; its successors do. */
	autofree char *user = xasprintf("X-Presto-User: %s", c->user ? c->user : "");
	const char *const headers[] = {user, NULL};
	const struct http_req q = {.method = "GET",
				   .url = path,
				   .headers = headers,
				   .timeout = ASK_TIMEOUT,
				   .max_body = MAX_REPLY};

	if (c->user && strpbrk(c->user, "\r\n"))
		return err_set(e, ERR_INVALID, "X-Presto-User must not hold control characters");
	if (c->transport(r, &q, c->arg, e) < 0) {
		/* Busy with starting, say: worth another try, unlike a deadline of the caller's own. */
		if (e->code == ERR_TIMEOUT)
			e->code = ERR_UNAVAILABLE;
		return -1;
	}
	return r->status == 200 ? 0 : presto_refused(r, path, e);
}

int presto_info_get(struct presto_info *out, const struct presto_client *c, struct err *e)
{
	struct http_resp r = {0};
	int rc = get(&r, c, "/v1/info", e);

	if (rc == 0)
		rc = presto_info_decode(out, buf_str(&r.body), r.body.len, e);
	http_resp_release(&r);
	return rc;
}

int presto_cluster_get(struct presto_cluster *out, const struct presto_client *c, struct err *e)
{
	struct http_resp r = {0};
	int rc = get(&r, c, "/v1/cluster", e);

	if (rc == 0)
		rc = presto_cluster_decode(out, buf_str(&r.body), r.body.len, e);
	http_resp_release(&r);
	return rc;
}
